//! What a run on bars gave, sorted for a chart: which output is a line on the prices, which belongs
//! in a part of its own, which marks single bars, and which tells spans apart.
//!
//! An entry says in words what its outputs are; the sorting reads these words and looks at the
//! values, so that an entry needs no line of its own here.

use chrono::NaiveDate;
use mltrainer_types::analytics::{
    Layer, LayerEvent, LayerLine, Look, Pick, Place, Regime, Segment,
};
use mltrainer_types::catalogue::CatalogueEntry;
use mltrainer_types::data::Bar;
use mltrainer_types::run::RunResult;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// More different numbers than these are no states.
const STATES: usize = 8;

/// What holds on more than this share of the bars is no find.
const OFTEN: f64 = 0.6;

/// Share of the values that must lie near the bars for a column to be one of prices.
const NEAR: f64 = 0.6;

/// The family whose columns in price units are averages of prices rather than levels, and whose
/// columns of other units belong together.
const INDICATOR: &str = "indicator";

/// Units by the words that name them, the first one that is found.
const UNITS: [&str; 10] = [
    "price units",
    "shares",
    "probability",
    "percent",
    "-100 to 0",
    "0 to 100",
    "0 to 1",
    "no unit",
    "average true range",
    "deviations",
];

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Line(Place, Look),
    Events,
    Regime,
}

/// An output with what the card says of it.
struct Output<'a> {
    name: &'a str,
    /// In the words of the card.
    help: &'a str,
    /// In small letters, with what "likewise" refers to.
    said: String,
    values: Vec<Option<f64>>,
}

/// Sorts what a run gave. `bars` are all bars of the data set.
pub(crate) fn layer(pick: &Pick, entry: &CatalogueEntry, run: &RunResult, bars: &[Bar]) -> Layer {
    let mut layer = Layer {
        show: pick.to_string(),
        id: entry.id.clone(),
        title: entry.title.clone(),
        family: entry.family.clone(),
        params: run.params.clone(),
        lines: Vec::new(),
        events: Vec::new(),
        regimes: Vec::new(),
        segments: Vec::new(),
        figures: BTreeMap::new(),
    };
    let outputs = outputs(entry, run, bars, &mut layer.figures);
    layer.segments = segments(&outputs, bars);
    for o in &outputs {
        let sort = match sort(&entry.family, o, bars) {
            // The line between the two says it.
            Sort::Line(Place::Price, _) if o.name == "from_price" && !layer.segments.is_empty() => {
                Sort::Line(Place::Unseen, Look::Line)
            }
            sort => sort,
        };
        match sort {
            Sort::Events => {
                let word = |v: f64| word(entry, &run.params, o, v);
                layer.events.extend(events(o, bars, word));
            }
            Sort::Regime => layer.regimes.extend(regimes(o, bars)),
            Sort::Line(place, look) => layer.lines.push(LayerLine {
                name: o.name.to_owned(),
                help: o.help.to_owned(),
                place,
                look,
                bounds: match place {
                    Place::Price | Place::Unseen => None,
                    Place::Own => bounds(o),
                    Place::Signal => Some([-1.0, 1.0]),
                },
                values: o.values.clone(),
            }),
        }
    }
    if entry.family != INDICATOR {
        one_unit(&mut layer.lines, &outputs);
    }
    layer.events.sort_by_key(|e| e.date);
    layer
}

/// The outputs with one number a bar, in the order of the card; single numbers go to the figures.
fn outputs<'a>(
    entry: &'a CatalogueEntry,
    run: &'a RunResult,
    bars: &[Bar],
    figures: &mut BTreeMap<String, f64>,
) -> Vec<Output<'a>> {
    let days = days(run);
    // What the card does not list comes last.
    let mut names: Vec<&String> = run.outputs.keys().collect();
    names.sort_by_key(|name| {
        let place = entry.outputs.iter().position(|o| o.name == **name);
        place.unwrap_or(usize::MAX)
    });
    let mut out: Vec<Output<'a>> = Vec::new();
    for name in names {
        let value = &run.outputs[name];
        if let Some(x) = value.as_f64() {
            figures.insert(name.clone(), x);
            continue;
        }
        let Some(values) = column(value, days.as_deref(), bars) else {
            continue;
        };
        let listed = entry.outputs.iter().find(|o| o.name == *name);
        let help = listed.map_or("", |o| o.help.as_str());
        let mut said = help.to_lowercase().replace('\u{2212}', "-");
        if said.contains("likewise") || said.starts_with("as ") {
            // Like the one of the same kind, `distribution_phase` like `accumulation_phase`, or else like
            // the one before.
            let kind = |n: &str| n.rsplit_once('_').map(|(_, k)| k.to_owned());
            let same = out
                .iter()
                .rev()
                .find(|o| kind(name).is_some() && kind(o.name) == kind(name));
            if let Some(o) = same.or(out.last()) {
                said = format!("{said}; {}", o.said);
            }
        }
        out.push(Output {
            name,
            help,
            said,
            values,
        });
    }
    out
}

/// The days that stand beside the outputs.
fn days(run: &RunResult) -> Option<Vec<NaiveDate>> {
    let dates = run.outputs.get("dates")?.as_array()?;
    dates.iter().map(|d| d.as_str()?.parse().ok()).collect()
}

/// An output with one number a day of the run, as one a bar.
fn column(value: &Value, days: Option<&[NaiveDate]>, bars: &[Bar]) -> Option<Vec<Option<f64>>> {
    let (items, days) = (value.as_array()?, days?);
    let numeric = |v: &Value| v.is_null() || v.is_number();
    if items.len() != days.len() || !items.iter().all(numeric) {
        return None;
    }
    let mut at = days.iter().zip(items).peekable();
    let column = bars.iter().map(|bar| {
        while at.next_if(|(day, _)| **day < bar.date).is_some() {}
        let (_, item) = at.next_if(|(day, _)| **day == bar.date)?;
        item.as_f64()
    });
    Some(column.collect())
}

fn sort(family: &str, o: &Output<'_>, bars: &[Bar]) -> Sort {
    let name = o.name.to_lowercase();
    let named = |words: &[&str]| words.iter().any(|w| name.contains(w));
    let says = |words: &[&str]| words.iter().any(|w| o.said.contains(w));
    let unseen = Sort::Line(Place::Unseen, Look::Line);
    let ends = ["_bar", "_row", "_slope", "_touches"];
    let begins = ["weight_", "vote_"];
    if ends.iter().any(|e| name.ends_with(e)) || begins.iter().any(|b| name.starts_with(b)) {
        return unseen;
    }
    let there = || o.values.iter().flatten().copied();
    let n = there().count();
    let whole = n > 0 && there().all(|v| v.fract() == 0.0);
    if whole && family != INDICATOR {
        // Whole numbers of a chart are far below the range of i64.
        let different: BTreeSet<i64> = there().map(|v| v as i64).collect();
        let often = there().filter(|v| *v != 0.0).count() as f64 > OFTEN * n as f64;
        if o.said.contains(" fit") {
            return unseen;
        }
        if o.said.starts_with("1 when") || o.said.starts_with("1 while") {
            return if often { unseen } else { Sort::Regime };
        }
        if different.len() <= STATES && named(&["regime", "state", "stage", "phase"]) {
            return Sort::Regime;
        }
        let on_bar = ["on the bar", "on its bar", "on the first bar", "±"];
        let codes = codes(&o.said);
        let coded = codes.len() > 2 && different.iter().all(|d| codes.contains_key(d));
        if says(&on_bar) || named(&["event"]) || coded {
            return Sort::Events;
        }
    }
    let unit = n > 0 && there().all(|v| (-1.0..=1.0).contains(&v));
    if unit && says(&["[-1, 1]", "-1 to 1"]) || unit && family != INDICATOR && name == "signal" {
        let look = if named(&["signal"]) {
            Look::Area
        } else {
            Look::Line
        };
        return Sort::Line(Place::Signal, look);
    }
    if unit && name == "direction" {
        return Sort::Line(Place::Signal, Look::Area);
    }
    if is_price(o, bars) {
        let level = ["support", "resistance", "stop", "target", "price", "top"];
        let look = if named(&level) || (family == "pattern" && named(&["upper", "lower"])) {
            Look::Level
        } else {
            Look::Line
        };
        return Sort::Line(Place::Price, look);
    }
    let look = if named(&["histogram"]) {
        Look::Area
    } else {
        Look::Line
    };
    Sort::Line(Place::Own, look)
}

/// Whether a column can stand on the axis of the prices: its words or its name say that it is a price,
/// and its values lie near the bars. A range or a difference of prices does not.
fn is_price(o: &Output<'_>, bars: &[Bar]) -> bool {
    let is = ["price", "level", "close", "high", "low"];
    let is_not = ["percent", "%", "ratio", "0 to 1", "log of"];
    let level = ["support", "resistance", "stop", "target", "top", "sar"].contains(&o.name);
    let words = is.iter().any(|w| o.said.contains(w));
    if !(words || level) || is_not.iter().any(|w| o.said.contains(w)) {
        return false;
    }
    let (mut n, mut near) = (0_usize, 0_usize);
    for (value, bar) in o.values.iter().zip(bars) {
        let Some(v) = value else { continue };
        let (low, high) = (bar.low.unwrap_or(bar.close), bar.high.unwrap_or(bar.close));
        n += 1;
        near += usize::from(*v >= 0.5 * low && *v <= 2.0 * high);
    }
    n > 0 && near as f64 >= NEAR * n as f64
}

/// In a part of its own stand columns of one unit: that of the first one. The rest is not drawn.
fn one_unit(lines: &mut [LayerLine], outputs: &[Output<'_>]) {
    let unit = |line: &LayerLine| {
        let output = outputs.iter().find(|o| o.name == line.name);
        let said = output.map_or("", |o| o.said.as_str());
        UNITS
            .into_iter()
            .find(|u| said.contains(u))
            .map_or_else(|| said.to_owned(), str::to_owned)
    };
    let Some(first) = lines.iter().find(|l| l.place == Place::Own).map(unit) else {
        return;
    };
    for line in lines.iter_mut().filter(|l| l.place == Place::Own) {
        if unit(line) != first {
            line.place = Place::Unseen;
            line.bounds = None;
        }
    }
}

/// The numbers between which a column stays, as its words say them: `0 to 100`.
fn bounds(o: &Output<'_>) -> Option<[f64; 2]> {
    let clean = |w: &str| {
        let w = w.trim_matches(|c: char| !(c.is_ascii_digit() || c == '-'));
        w.parse::<f64>().ok()
    };
    let words: Vec<&str> = o.said.split_whitespace().collect();
    let said = words.windows(3).find_map(|w| {
        let (low, high) = (clean(w[0])?, clean(w[2])?);
        (w[1] == "to" && low < high).then_some([low, high])
    })?;
    let inside = |v: &f64| (said[0] - 1e-9..=said[1] + 1e-9).contains(v);
    o.values.iter().flatten().all(inside).then_some(said)
}

/// Meanings of numbers in an output's words: `1 ascending, 2 descending triangle`, `1 = quiet; 2 = loud`,
/// `on its bar: 1 or -1 break`, `1 A to 5 E`.
fn codes(said: &str) -> BTreeMap<i64, String> {
    let mut out = BTreeMap::new();
    for part in said.split([',', ';', '(', ')', '|']) {
        let mut part = part.trim();
        if !part.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            && let Some((_, rest)) = part.split_once(": ")
        {
            part = rest.trim();
        }
        let Some((number, mut rest)) = leading(part) else {
            continue;
        };
        // "1 or -1 break": the word of both.
        let both = format!("or -{number} ");
        let mirrored = rest.starts_with(&both);
        rest = rest.strip_prefix(both.as_str()).unwrap_or(rest);
        // "1 a to 5 e": letters one after the other.
        if let [a, "to", m, b] = rest.split_whitespace().collect::<Vec<_>>().as_slice()
            && let (&[a], &[b], Ok(m)) = (a.as_bytes(), b.as_bytes(), m.parse::<i64>())
            && i64::from(b) - i64::from(a) == m - number
        {
            for (n, letter) in (number..=m).zip(a..=b) {
                out.insert(n, char::from(letter).to_uppercase().to_string());
            }
            continue;
        }
        let word = rest.trim_end_matches('.').to_owned();
        let no_word = [
            "to ", "or ", "and ", "in ", "on ", "at ", "when ", "while ", "one ", "without ",
        ];
        let says = word.chars().next().is_some_and(char::is_alphabetic)
            && !no_word.iter().any(|w| word.starts_with(w))
            && !word.ends_with(" one")
            && word.len() <= 48;
        if says && mirrored {
            out.insert(number, format!("{word}, bullish"));
            out.insert(-number, format!("{word}, bearish"));
        } else if says {
            out.insert(number, word);
        }
    }
    out
}

/// The whole number at the beginning of a text, and what follows it.
fn leading(part: &str) -> Option<(i64, &str)> {
    let end = part.find(|c: char| !(c.is_ascii_digit() || c == '-' || c == '+'))?;
    let number = part.get(..end)?.trim_start_matches('+').parse().ok()?;
    Some((number, part.get(end..)?.trim_start_matches([' ', '=', ':'])))
}

/// What was found, in words.
fn word(
    entry: &CatalogueEntry,
    params: &serde_json::Map<String, Value>,
    o: &Output<'_>,
    value: f64,
) -> String {
    // Codes are small whole numbers.
    if let Some(word) = codes(&o.said).get(&(value as i64)) {
        return word.clone();
    }
    let pattern = params.get("pattern").and_then(Value::as_str);
    let what = match (pattern, o.name) {
        (Some(pattern), _) => pattern.replace('_', " "),
        (None, "signal") => entry.title.clone(),
        (None, name) => name.replace('_', " "),
    };
    let both = o.said.contains("-1") || o.said.contains('±');
    match (both, value < 0.0) {
        (true, true) => format!("{what}, bearish"),
        (true, false) => format!("{what}, bullish"),
        (false, _) => what,
    }
}

/// The bars at which something is found. What holds for many bars in a row is told once, when it
/// begins.
fn events(o: &Output<'_>, bars: &[Bar], word: impl Fn(f64) -> String) -> Vec<LayerEvent> {
    let at = |i: usize| o.values.get(i).copied().flatten().filter(|v| *v != 0.0);
    let found = (0..o.values.len()).filter(|i| at(*i).is_some()).count();
    let begins = |i: &usize| at(*i).is_some() && i.checked_sub(1).and_then(at) != at(*i);
    let starts = (0..o.values.len()).filter(begins).count();
    let each = 2 * starts > found;
    (0..o.values.len())
        .filter(|i| each || begins(i))
        .filter_map(|i| {
            let value = at(i)?;
            Some(LayerEvent {
                date: bars.get(i)?.date,
                output: o.name.to_owned(),
                value,
                word: word(value),
            })
        })
        .collect()
}

/// Spans of days with the same state. Where 0 means that there is none, it has no spans.
fn regimes(o: &Output<'_>, bars: &[Bar]) -> Vec<Regime> {
    let words = codes(&o.said);
    let plain = o.name.replace('_', " ");
    let flag = o.said.starts_with("1 when") || o.said.starts_with("1 while");
    let nothing = ["none", "nothing"];
    let silent = flag || words.get(&0).is_some_and(|w| nothing.contains(&w.as_str()));
    let mut out: Vec<Regime> = Vec::new();
    let mut open = false;
    for (value, bar) in o.values.iter().zip(bars) {
        let Some(v) = value.filter(|v| !(silent && *v == 0.0)) else {
            open = false;
            continue;
        };
        let state = v as i64;
        match out.last_mut().filter(|r| open && r.state == state) {
            Some(regime) => regime.last = bar.date,
            None => out.push(Regime {
                output: o.name.to_owned(),
                first: bar.date,
                last: bar.date,
                state,
                word: match words.get(&state) {
                    _ if flag => plain.clone(),
                    Some(letter) if letter.len() == 1 => format!("{plain} {letter}"),
                    Some(word) => word.clone(),
                    None => format!("{plain} {state}"),
                },
            }),
        }
        open = true;
    }
    out
}

/// Lines between the bars that `from_bar` and `to_bar` name, each told once.
fn segments(outputs: &[Output<'_>], bars: &[Bar]) -> Vec<Segment> {
    let find = |name: &str| outputs.iter().find(|o| o.name == name).map(|o| &o.values);
    let (Some(from), Some(to), Some(low), Some(high)) = (
        find("from_bar"),
        find("to_bar"),
        find("from_price"),
        find("to_price"),
    ) else {
        return Vec::new();
    };
    let at = |i: usize| {
        let v = |c: &Vec<Option<f64>>| c.get(i).copied().flatten();
        Some((v(from)?, v(to)?, v(low)?, v(high)?))
    };
    (0..bars.len())
        .filter_map(|i| {
            let (a, b, from_price, to_price) = at(i)?;
            if i.checked_sub(1)
                .and_then(at)
                .is_some_and(|p| (p.0, p.1) == (a, b))
            {
                return None;
            }
            // Numbers of bars: whole, and not below 0.
            Some(Segment {
                from: bars.get(a as usize)?.date,
                from_price,
                to: bars.get(b as usize)?.date,
                to_price,
                known: bars[i].date,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bars(closes: &[f64]) -> Vec<Bar> {
        let first = NaiveDate::from_ymd_opt(2010, 1, 4).unwrap();
        let bar = |(i, close): (usize, &f64)| Bar {
            date: first + chrono::Days::new(i as u64),
            open: None,
            high: None,
            low: None,
            close: *close,
            volume: None,
        };
        closes.iter().enumerate().map(bar).collect()
    }

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    fn output<'a>(name: &'a str, help: &'a str, values: &[Option<f64>]) -> Output<'a> {
        Output {
            name,
            help,
            said: help.to_lowercase(),
            values: values.to_vec(),
        }
    }

    #[test]
    fn outputs_are_sorted_by_their_words_and_values() {
        let prices = bars(&[50.0, 51.0, 52.0, 51.0, 50.0, 49.0, 50.0, 51.0]);
        let near = some(&[49.0, 50.0, 51.0, 52.0, 50.0, 50.0, 50.0, 50.5]);
        let small = some(&[1.0, 1.1, 1.2, 1.3, 1.2, 1.1, 1.0, 1.25]);
        let rare = some(&[0.0, 0.0, 100.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let unit = some(&[-1.0, 0.5, 0.5, 0.0, 0.25, 1.0, 1.0, 0.75]);
        let two = some(&[0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        let ones = some(&[1.0; 8]);
        let line = |place, look| Sort::Line(place, look);
        let unseen = line(Place::Unseen, Look::Line);
        for (family, name, help, values, expected) in [
            (
                "indicator",
                "sma",
                "price units, one a bar",
                &near,
                line(Place::Price, Look::Line),
            ),
            // In price units, but a size and no price.
            (
                "indicator",
                "atr",
                "price units, one a bar",
                &small,
                line(Place::Own, Look::Line),
            ),
            (
                "indicator",
                "histogram",
                "price units, likewise",
                &small,
                line(Place::Own, Look::Area),
            ),
            // Near the prices by chance.
            (
                "indicator",
                "rsi",
                "0 to 100, one a bar",
                &near,
                line(Place::Own, Look::Line),
            ),
            // The line of that name of MACD is no signal in [-1, 1], even where its values are.
            (
                "indicator",
                "signal",
                "price units, likewise",
                &unit,
                line(Place::Own, Look::Line),
            ),
            (
                "indicator",
                "direction",
                "1 in a rise, -1 in a fall",
                &ones,
                line(Place::Signal, Look::Area),
            ),
            (
                "technical",
                "signal",
                "-1 to 1, one a bar",
                &unit,
                line(Place::Signal, Look::Area),
            ),
            (
                "pattern",
                "signal",
                "0 to 1, one a bar",
                &two,
                line(Place::Signal, Look::Area),
            ),
            (
                "microstructure",
                "imbalance",
                "-1 to 1 over the last bars",
                &unit,
                line(Place::Signal, Look::Line),
            ),
            (
                "pattern",
                "support",
                "nearest level below, price units",
                &near,
                line(Place::Price, Look::Level),
            ),
            (
                "technical",
                "stop",
                "the middle while there is a position",
                &near,
                line(Place::Price, Look::Level),
            ),
            (
                "technical",
                "upper",
                "price units",
                &near,
                line(Place::Price, Look::Line),
            ),
            (
                "pattern",
                "signal",
                "a whole number: 0, ±100, ±80 or ±200",
                &rare,
                Sort::Events,
            ),
            (
                "technical",
                "divergence",
                "1 on the bar on which it became known, else 0",
                &two,
                Sort::Events,
            ),
            (
                "pattern",
                "pattern",
                "1 ascending, 2 descending; 0 none",
                &two,
                Sort::Events,
            ),
            ("rule", "regime", "0 calm, 1 turbulent", &two, Sort::Regime),
            (
                "volume",
                "phase",
                "1 accumulation, 0 none",
                &two,
                Sort::Regime,
            ),
            (
                "technical",
                "squeeze",
                "1 when the bands are narrow, else 0",
                &two,
                Sort::Regime,
            ),
            (
                "technical",
                "squeeze",
                "1 when the bands are narrow, else 0",
                &ones,
                unseen,
            ),
            (
                "rule",
                "converged",
                "1 when the last fit converged, else 0",
                &two,
                unseen,
            ),
            (
                "technical",
                "from_bar",
                "bar of the earlier swing",
                &near,
                unseen,
            ),
            ("signal_ensemble", "vote_rsi", "its signal", &unit, unseen),
        ] {
            let o = output(name, help, values);
            assert_eq!(
                sort(family, &o, &prices),
                expected,
                "{family} {name} {help}"
            );
        }
        let none = vec![None; 8];
        assert_eq!(
            sort("indicator", &output("sma", "price units", &none), &prices),
            line(Place::Own, Look::Line)
        );
    }

    #[test]
    fn words_give_bounds_and_codes() {
        let within = |help: &str, values: &[f64]| bounds(&output("x", help, &some(values)));
        assert_eq!(
            within("0 to 100, one a bar", &[0.0, 100.0]),
            Some([0.0, 100.0])
        );
        assert_eq!(within("from -100 to 0", &[-80.0]), Some([-100.0, 0.0]));
        assert_eq!(within("0 to 100, one a bar", &[120.0]), None);
        assert_eq!(within("price units, one a bar", &[5.0]), None);
        for (help, expected) in [
            (
                "0 none, 1 ascending triangle, -2 = bear flag; one a bar",
                "-2 bear flag, 0 none, 1 ascending triangle",
            ),
            (
                "the one that is forming or broke out: 1 ascending, 2 descending; 0 none",
                "0 none, 1 ascending, 2 descending",
            ),
            (
                "on its bar: 1 or -1 break, 2 or -2 a break that failed, else 0",
                "-2 a break that failed, bearish, -1 break, bearish, 1 break, bullish, 2 a break that failed, bullish",
            ),
            ("0 none, 1 a to 3 c", "0 none, 1 A, 2 B, 3 C"),
            ("1 on the bar of a buy, -1 on that of a sale, else 0", ""),
            (
                "1 on the bar on which it became known, -1 a bearish one, else 0",
                "",
            ),
            ("0 to 100, one a bar", ""),
            ("price units, null for the first 14 bars", ""),
        ] {
            let read: Vec<String> = codes(help)
                .iter()
                .map(|(n, w)| format!("{n} {w}"))
                .collect();
            assert_eq!(read.join(", "), expected, "{help}");
        }
    }

    #[test]
    fn what_lasts_is_told_once() {
        let prices = bars(&[1.0; 8]);
        let dates = |values: &[f64]| {
            let o = output("signal", "", &some(values));
            let found = events(&o, &prices, |v| v.to_string());
            found
                .iter()
                .map(|e| e.date.to_string()[8..].to_owned())
                .collect::<Vec<_>>()
        };
        // Two dojis in a row are two dojis; a pattern of four bars is one.
        assert_eq!(
            dates(&[0.0, 100.0, 100.0, 0.0, 100.0, 0.0, -100.0, 0.0]),
            ["05", "06", "08", "10"]
        );
        assert_eq!(
            dates(&[0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0]),
            ["05", "10"]
        );
    }

    #[test]
    fn states_become_spans() {
        let prices = bars(&[1.0; 6]);
        let values = vec![None, Some(0.0), Some(0.0), Some(1.0), None, Some(1.0)];
        for (name, help, expected) in [
            (
                "regime",
                "0 calm, 1 turbulent",
                vec!["05 06 calm", "07 07 turbulent", "09 09 turbulent"],
            ),
            (
                "stage",
                "0 nothing, 1 a pole",
                vec!["07 07 a pole", "09 09 a pole"],
            ),
            (
                "squeeze",
                "1 when narrow, else 0",
                vec!["07 07 squeeze", "09 09 squeeze"],
            ),
            (
                "up_phase",
                "0 none, 1 a to 5 e",
                vec!["07 07 up phase A", "09 09 up phase A"],
            ),
        ] {
            let spans = regimes(&output(name, help, &values), &prices);
            let told: Vec<String> = spans
                .iter()
                .map(|r| {
                    format!(
                        "{} {} {}",
                        r.first.format("%d"),
                        r.last.format("%d"),
                        r.word
                    )
                })
                .collect();
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn swings_are_joined_once() {
        let prices = bars(&[1.0; 6]);
        let held = |v: f64| vec![None, None, None, None, Some(v), Some(v)];
        let outputs = [
            output("from_bar", "", &held(1.0)),
            output("to_bar", "", &held(3.0)),
            output("from_price", "", &held(10.0)),
            output("to_price", "", &held(12.0)),
        ];
        let lines = segments(&outputs, &prices);
        assert_eq!(lines.len(), 1);
        let (from, to, known) = (prices[1].date, prices[3].date, prices[4].date);
        assert_eq!(
            (lines[0].from, lines[0].to, lines[0].known),
            (from, to, known)
        );
        assert!(segments(&outputs[..3], &prices).is_empty());
    }

    #[test]
    fn a_part_of_its_own_has_one_unit() {
        let entry = CatalogueEntry {
            id: "x".into(),
            kind: mltrainer_types::catalogue::EntryKind::Model,
            family: "technical".into(),
            title: "X".into(),
            tasks: vec![],
            summary: String::new(),
            formula: String::new(),
            data: String::new(),
            cost: String::new(),
            fails_when: String::new(),
            not_claimed: String::new(),
            deterministic: true,
            params: vec![],
            outputs: [
                ("k", "0 to 100"),
                ("d", "likewise"),
                ("bars_high", "bars in a row"),
                ("half_life", "bars"),
            ]
            .map(|(name, help)| mltrainer_types::catalogue::OutputSpec {
                name: name.into(),
                help: help.into(),
            })
            .to_vec(),
            source: String::new(),
            reference: String::new(),
            evidence: vec![],
            checked: None,
            base: None,
            fixed: serde_json::Map::new(),
            presets: vec![],
        };
        let prices = bars(&[50.0; 3]);
        let days: Vec<String> = prices.iter().map(|b| b.date.to_string()).collect();
        let outputs = json!({
            "bars_high": [0, 1, 2], "d": [20.5, 30.0, null], "k": [20.5, 30.0, 40.0],
            "half_life": 7.5, "dates": days,
        });
        let run = RunResult {
            model: "x".into(),
            params: serde_json::Map::new(),
            outputs: outputs.as_object().unwrap().clone(),
            metrics: BTreeMap::new(),
            timing: mltrainer_types::run::Timing {
                fit_ms: 0.0,
                predict_ms: 0.0,
            },
            lineage: vec![],
        };
        let pick = Pick::list("x").unwrap().remove(0);
        let layer = layer(&pick, &entry, &run, &prices);
        let told: Vec<(&str, Place, Option<[f64; 2]>)> = layer
            .lines
            .iter()
            .map(|l| (l.name.as_str(), l.place, l.bounds))
            .collect();
        assert_eq!(
            told,
            [
                ("k", Place::Own, Some([0.0, 100.0])),
                ("d", Place::Own, Some([0.0, 100.0])),
                ("bars_high", Place::Unseen, None),
            ]
        );
        assert_eq!(layer.figures["half_life"], 7.5);
    }

    #[test]
    fn columns_find_their_bars_by_day() {
        let prices = bars(&[1.0; 4]);
        let days = [prices[1].date, prices[3].date];
        assert_eq!(
            column(&json!([5, null]), Some(&days), &prices),
            Some(vec![None, Some(5.0), None, None])
        );
        assert_eq!(column(&json!(["a", "b"]), Some(&days), &prices), None);
        assert_eq!(column(&json!([1.0]), Some(&days), &prices), None);
        assert_eq!(column(&json!([1.0, 2.0]), None, &prices), None);
    }
}
