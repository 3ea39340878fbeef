//! What a run on bars gave, sorted for a chart: which output is a line on the prices, which belongs
//! in a part of its own, which marks single bars, and which tells spans apart.
//!
//! An entry says in words what its outputs are; the sorting reads these words and looks at the
//! values, so that an entry needs no line of its own here.

use chrono::NaiveDate;
use mltrainer_types::analytics::{Layer, LayerEvent, LayerLine, Look, Pick, Place, Regime};
use mltrainer_types::catalogue::CatalogueEntry;
use mltrainer_types::data::Bar;
use mltrainer_types::run::RunResult;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// More different numbers than these are no states.
const STATES: usize = 8;

/// From this share of bars without anything found, what is found is marked bar by bar.
const SPARSE: f64 = 0.75;

/// Share of the values that must lie near the bars for a column to be one of prices.
const NEAR: f64 = 0.6;

/// Families whose columns in price units are levels rather than averages of prices.
const LEVEL_FAMILIES: [&str; 5] = ["pattern", "rule", "technical", "volume", "signal_ensemble"];

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Line(Place, Look),
    Events,
    /// A signal that is rarely there: a line and marks.
    Both,
    Regime,
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
        figures: BTreeMap::new(),
    };
    let days = days(run);
    // In the order of the card, not of the alphabet; what the card does not list comes last.
    let mut names: Vec<&String> = run.outputs.keys().collect();
    names.sort_by_key(|name| {
        let place = entry.outputs.iter().position(|o| o.name == **name);
        place.unwrap_or(usize::MAX)
    });
    for name in names {
        let value = &run.outputs[name];
        if let Some(x) = value.as_f64() {
            layer.figures.insert(name.clone(), x);
            continue;
        }
        let Some(values) = column(value, days.as_deref(), bars) else {
            continue;
        };
        let listed = entry.outputs.iter().find(|o| o.name == *name);
        let help = listed.map_or("", |o| o.help.as_str());
        let sort = sort(&entry.family, name, help, &values, bars);
        if matches!(sort, Sort::Events | Sort::Both) {
            let word = |v: f64| word(entry, &run.params, name, help, v);
            layer.events.extend(events(name, &values, bars, word));
        }
        if sort == Sort::Regime {
            layer.regimes.extend(regimes(name, help, &values, bars));
        }
        let (place, look) = match sort {
            Sort::Line(place, look) => (place, look),
            Sort::Both => (Place::Signal, Look::Area),
            Sort::Events | Sort::Regime => continue,
        };
        layer.lines.push(LayerLine {
            name: name.clone(),
            help: help.to_owned(),
            place,
            look,
            bounds: match place {
                Place::Price => None,
                Place::Own => bounds(help, &values),
                Place::Signal => Some([-1.0, 1.0]),
            },
            values,
        });
    }
    layer.events.sort_by_key(|e| e.date);
    layer
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

fn sort(family: &str, name: &str, help: &str, values: &[Option<f64>], bars: &[Bar]) -> Sort {
    let said = help.to_lowercase();
    let name = name.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|w| name.contains(w));
    let there = || values.iter().flatten().copied();
    let n = there().count();
    let whole = n > 0 && there().all(|v| v.fract() == 0.0);
    let different: BTreeSet<i64> = if whole {
        // A whole number of a chart is far below the range of i64.
        there().map(|v| v as i64).take(100_000).collect()
    } else {
        BTreeSet::new()
    };
    let states = ["regime", "state", "phase"];
    if whole && different.len() <= STATES && any(&states) {
        return Sort::Regime;
    }
    let found = there().filter(|v| *v != 0.0).count() as f64;
    let sparse = n > 0 && found <= (1.0 - SPARSE) * values.len() as f64;
    let unit = n > 0 && there().all(|v| (-1.0..=1.0).contains(&v));
    let said_unit =
        said.contains("[-1, 1]") || said.contains("-1 to 1") || said.contains("-1 and 1");
    let signal = unit
        && (said_unit
            || (family != "indicator" && any(&["signal", "vote", "position", "direction"])));
    if family == "pattern" && !is_price(&said, values, bars) && (whole || signal) && sparse {
        return if whole { Sort::Events } else { Sort::Both };
    }
    if signal {
        return Sort::Line(Place::Signal, Look::Area);
    }
    if is_price(&said, values, bars) {
        let level = [
            "support",
            "resistance",
            "level",
            "stop",
            "target",
            "edge",
            "pivot",
            "neck",
        ];
        let look = if LEVEL_FAMILIES.contains(&family) || any(&level) {
            Look::Level
        } else {
            Look::Line
        };
        return Sort::Line(Place::Price, look);
    }
    let look = if any(&["histogram"]) {
        Look::Area
    } else {
        Look::Line
    };
    Sort::Line(Place::Own, look)
}

/// Whether a column can stand on the axis of the prices: its words say that it is a price, and its
/// values lie near the bars. A range or a difference of prices does not.
fn is_price(said: &str, values: &[Option<f64>], bars: &[Bar]) -> bool {
    let is = ["price", "level", "close", "high", "low"];
    let is_not = ["percent", "%", "ratio", "0 to 1", "log of"];
    if !is.iter().any(|w| said.contains(w)) || is_not.iter().any(|w| said.contains(w)) {
        return false;
    }
    let (mut n, mut near) = (0_usize, 0_usize);
    for (value, bar) in values.iter().zip(bars) {
        let Some(v) = value else { continue };
        let (low, high) = (bar.low.unwrap_or(bar.close), bar.high.unwrap_or(bar.close));
        n += 1;
        near += usize::from(*v >= 0.5 * low && *v <= 2.0 * high);
    }
    n > 0 && near as f64 >= NEAR * n as f64
}

/// The numbers between which a column stays, as its words say them: `0 to 100`.
fn bounds(help: &str, values: &[Option<f64>]) -> Option<[f64; 2]> {
    let clean = |w: &str| {
        let w = w.trim_matches(|c: char| !(c.is_ascii_digit() || c == '-' || c == '\u{2212}'));
        w.replace('\u{2212}', "-").parse::<f64>().ok()
    };
    let words: Vec<&str> = help.split_whitespace().collect();
    let said = words.windows(3).find_map(|w| {
        let (low, high) = (clean(w[0])?, clean(w[2])?);
        (w[1] == "to" && low < high).then_some([low, high])
    })?;
    let inside = |v: &f64| (said[0] - 1e-9..=said[1] + 1e-9).contains(v);
    values.iter().flatten().all(inside).then_some(said)
}

/// Meanings of numbers in an output's words: `1 ascending triangle, 2 descending triangle` or
/// `1 = quiet; 2 = loud`.
fn codes(help: &str) -> BTreeMap<i64, String> {
    help.split([',', ';', '(', ')', '|'])
        .filter_map(|part| {
            let part = part.trim().replace('\u{2212}', "-");
            let end = part.find(|c: char| !(c.is_ascii_digit() || c == '-' || c == '+'))?;
            let number = part.get(..end)?.trim_start_matches('+').parse().ok()?;
            let rest = part
                .get(end..)?
                .trim_start_matches([' ', '=', ':', '-'])
                .trim();
            let word = rest.trim_end_matches('.');
            let says = word.chars().next().is_some_and(char::is_alphabetic)
                && !["to ", "or ", "and ", "in ", "when "]
                    .iter()
                    .any(|w| word.starts_with(w))
                && word.len() <= 40;
            says.then(|| (number, word.to_owned()))
        })
        .collect()
}

/// What was found, in words.
fn word(
    entry: &CatalogueEntry,
    params: &serde_json::Map<String, Value>,
    name: &str,
    help: &str,
    value: f64,
) -> String {
    // Codes are small whole numbers.
    if let Some(word) = codes(help)
        .get(&(value as i64))
        .filter(|_| value.fract() == 0.0)
    {
        return word.clone();
    }
    let pattern = params.get("pattern").and_then(Value::as_str);
    let what = match (pattern, name) {
        (Some(pattern), _) => pattern.replace('_', " "),
        (None, "signal") => entry.title.clone(),
        (None, name) => name.replace('_', " "),
    };
    let way = if value < 0.0 { "bearish" } else { "bullish" };
    format!("{what}, {way}")
}

/// The bars at which something is found. What holds for many bars in a row is told once, when it
/// begins.
fn events(
    name: &str,
    values: &[Option<f64>],
    bars: &[Bar],
    word: impl Fn(f64) -> String,
) -> Vec<LayerEvent> {
    let at = |i: usize| values.get(i).copied().flatten().filter(|v| *v != 0.0);
    let found = (0..values.len()).filter(|i| at(*i).is_some()).count();
    let begins = |i: &usize| {
        let before = i.checked_sub(1).and_then(at);
        at(*i).is_some_and(|v| before.is_none_or(|b| (b > 0.0) != (v > 0.0)))
    };
    let starts = (0..values.len()).filter(begins).count();
    let each = 2 * starts > found;
    (0..values.len())
        .filter(|i| each || begins(i))
        .filter_map(|i| {
            let value = at(i)?;
            Some(LayerEvent {
                date: bars.get(i)?.date,
                output: name.to_owned(),
                value,
                word: word(value),
            })
        })
        .collect()
}

/// Spans of days with the same state.
fn regimes(name: &str, help: &str, values: &[Option<f64>], bars: &[Bar]) -> Vec<Regime> {
    let words = codes(help);
    let mut out: Vec<Regime> = Vec::new();
    let mut open = false;
    for (value, bar) in values.iter().zip(bars) {
        let Some(v) = value else {
            open = false;
            continue;
        };
        let state = *v as i64;
        match out.last_mut().filter(|r| open && r.state == state) {
            Some(regime) => regime.last = bar.date,
            None => out.push(Regime {
                output: name.to_owned(),
                first: bar.date,
                last: bar.date,
                state,
                word: words
                    .get(&state)
                    .cloned()
                    .unwrap_or_else(|| format!("{} {state}", name.replace('_', " "))),
            }),
        }
        open = true;
    }
    out
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

    #[test]
    fn outputs_are_sorted_by_their_words_and_values() {
        let prices = bars(&[50.0, 51.0, 52.0, 51.0, 50.0, 49.0, 50.0, 51.0]);
        let near = some(&[49.0, 50.0, 51.0, 52.0, 50.0, 50.0, 50.0, 50.5]);
        let small = some(&[1.0, 1.1, 1.2, 1.3, 1.2, 1.1, 1.0, 1.25]);
        let rare = some(&[0.0, 0.0, 100.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let rare_half = some(&[0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let unit = some(&[-1.0, 0.5, 0.5, 0.0, 0.25, 1.0, 1.0, 0.75]);
        let two = some(&[0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        let line = |place, look| Sort::Line(place, look);
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
                "macd less signal, price units",
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
                "technical",
                "signal",
                "in [-1, 1], one a bar",
                &unit,
                line(Place::Signal, Look::Area),
            ),
            (
                "pattern",
                "support",
                "price level below the close",
                &near,
                line(Place::Price, Look::Level),
            ),
            (
                "pattern",
                "signal",
                "0 or ±100, one a bar",
                &rare,
                Sort::Events,
            ),
            (
                "pattern",
                "signal",
                "in [-1, 1], one a bar",
                &rare_half,
                Sort::Both,
            ),
            ("rule", "regime", "0 calm, 1 turbulent", &two, Sort::Regime),
            (
                "volume",
                "phase",
                "1 accumulation, 0 none",
                &two,
                Sort::Regime,
            ),
        ] {
            assert_eq!(
                sort(family, name, help, values, &prices),
                expected,
                "{family} {name}"
            );
        }
        let none = vec![None; 8];
        assert_eq!(
            sort("indicator", "sma", "price units", &none, &prices),
            line(Place::Own, Look::Line)
        );
    }

    #[test]
    fn words_give_bounds_and_codes() {
        let inside = some(&[0.0, 55.0, 100.0]);
        assert_eq!(bounds("0 to 100, one a bar", &inside), Some([0.0, 100.0]));
        assert_eq!(
            bounds("from -100 to 0", &some(&[-80.0])),
            Some([-100.0, 0.0])
        );
        assert_eq!(bounds("0 to 100, one a bar", &some(&[120.0])), None);
        assert_eq!(bounds("price units, one a bar", &inside), None);
        let read = |help: &str| codes(help).into_iter().collect::<Vec<_>>();
        let pair = |n: i64, w: &str| (n, w.to_owned());
        assert_eq!(
            read("0 none, 1 ascending triangle, -2 = bear flag; one a bar"),
            vec![
                pair(-2, "bear flag"),
                pair(0, "none"),
                pair(1, "ascending triangle")
            ]
        );
        assert_eq!(read("0 to 100, one a bar"), vec![]);
        assert_eq!(read("price units, null for the first 14 bars"), vec![]);
    }

    #[test]
    fn what_lasts_is_told_once() {
        let prices = bars(&[1.0; 8]);
        let dates = |values: &[f64]| {
            let found = events("signal", &some(values), &prices, |v| v.to_string());
            found
                .iter()
                .map(|e| e.date.to_string()[8..].to_owned())
                .collect::<Vec<_>>()
        };
        // Two dojis in a row are two dojis; a signal of four bars is one.
        assert_eq!(
            dates(&[0.0, 100.0, 100.0, 0.0, 100.0, 0.0, -100.0, 0.0]),
            ["05", "06", "08", "10"]
        );
        assert_eq!(
            dates(&[0.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0]),
            ["05", "10"]
        );
    }

    #[test]
    fn states_become_spans() {
        let prices = bars(&[1.0; 6]);
        let values = vec![None, Some(0.0), Some(0.0), Some(1.0), None, Some(1.0)];
        let spans = regimes("regime", "0 calm, 1 turbulent", &values, &prices);
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
        assert_eq!(told, ["05 06 calm", "07 07 turbulent", "09 09 turbulent"]);
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
