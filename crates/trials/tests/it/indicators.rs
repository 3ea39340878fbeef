//! Every indicator and candlestick pattern on the bundled bars beside TA-Lib, whose values
//! `crates/catalogue/tests/data/talib_expected.py` prints.

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::{Bars, Columns, Engine, FitError, ParamMap};
use mltrainer_compliance::{Gate, Verified};
use mltrainer_data::bundled;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Symbols with splits, and the first day after the last one.
const FROM: [(&str, &str); 2] = [("AAPL", "2005-03-01"), ("MSFT", "2003-02-19")];

fn bars(name: &str) -> Verified<Bars> {
    let symbol = name.strip_prefix("quiet ").unwrap_or(name);
    let admitted = Gate::admit(bundled::bars(symbol).unwrap()).unwrap();
    let columns = admitted.verified.derive("columns", "test", |b| {
        let first = FROM
            .iter()
            .find(|(s, _)| *s == symbol)
            .map_or(0, |(_, day)| {
                b.dates.partition_point(|d| d.to_string().as_str() < *day)
            });
        let from = |column: &Option<Vec<f64>>| column.as_ref().map(|c| c[first..].to_vec());
        let mut bars = Bars {
            open: from(&b.open),
            high: from(&b.high),
            low: from(&b.low),
            close: b.close[first..].to_vec(),
            volume: from(&b.volume),
        };
        if symbol != name {
            quiet(&mut bars);
        }
        Ok::<_, FitError>(bars)
    });
    columns.unwrap()
}

/// 900 bars, of which 300 to 599 stand still at one price and 400 to 499 have no volume.
fn quiet(bars: &mut Bars) {
    let still = bars.close[299];
    let prices = [&mut bars.open, &mut bars.high, &mut bars.low];
    for column in prices.into_iter().flatten().chain([&mut bars.close]) {
        column.truncate(900);
        column[300..600].fill(still);
    }
    let volume = bars.volume.as_mut().unwrap();
    volume.truncate(900);
    volume[400..500].fill(0.0);
}

fn run(id: &str, given: &ParamMap, bars: &Verified<Bars>) -> Columns {
    let resolved = registry().find(id).unwrap();
    let Engine::Indicator { run } = resolved.entry.engine else {
        panic!("{id} is not computed from bars");
    };
    run(&resolved.params(given).unwrap(), bars).unwrap()
}

/// Within 1e-9 of the value, or of what is usual in its column: a difference of large sums may be small.
fn near(got: f64, want: f64, usual: f64) -> bool {
    (got - want).abs() <= 1e-9 * (1.0 + want.abs() + usual.abs())
}

#[test]
fn indicators_equal_those_of_ta_lib() {
    let text = include_str!("../../../catalogue/tests/data/talib_indicators.csv");
    let mut sets: BTreeMap<&str, Verified<Bars>> = BTreeMap::new();
    let mut last: Option<((&str, &str, &str), Columns)> = None;
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in text.lines().skip(1) {
        let [name, id, words, output, values, first, mean, some] = fields(line);
        let bars = &*sets.entry(name).or_insert_with(|| bars(name));
        if last
            .as_ref()
            .is_none_or(|(key, _)| *key != (name, id, words))
        {
            let given = words.split_whitespace().map(|word| {
                let (key, value) = word.split_once('=').unwrap();
                (key.to_owned(), Value::from(value))
            });
            last = Some(((name, id, words), run(id, &given.collect(), bars)));
        }
        let columns = &last.as_ref().unwrap().1;
        let column = &columns.iter().find(|(n, _)| *n == output).unwrap().1;
        seen.insert((id, output));
        let known: Vec<f64> = column.iter().copied().flatten().collect();
        let mut right = known.len() == values.parse::<usize>().unwrap();
        if !known.is_empty() && right {
            let average = known.iter().sum::<f64>() / known.len() as f64;
            let usual: f64 = mean.parse().unwrap();
            right = column.iter().position(Option::is_some) == first.parse::<usize>().ok()
                && near(average, usual, 0.0);
            for pair in some.split(' ') {
                let (t, want) = pair.split_once(':').unwrap();
                let got = column[t.parse::<usize>().unwrap()];
                right &= got.is_some_and(|got| near(got, want.parse().unwrap(), usual));
            }
        }
        if !right {
            wrong.push(line);
        }
    }
    let all = registry().entries().iter();
    let listed = all.filter(|e| e.card.family == "indicator");
    let outputs: BTreeSet<(&str, &str)> = listed
        .flat_map(|e| e.card.outputs.iter().map(|(o, _)| (e.card.id, *o)))
        .collect();
    assert_eq!(seen, outputs, "an output is not compared");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_history_of_any_length_gives_the_bits_of_the_stream() {
    let whole = bars("SPX");
    // Around the warm-ups of the defaults, where the first bars taken together begin.
    let lengths = (1..=130).chain([250, 999, 1_000, 1_001, 1_002]);
    for rows in lengths {
        let head = |b: &Bars| {
            let cut = |c: &Option<Vec<f64>>| c.as_ref().map(|c| c[..rows].to_vec());
            Ok::<_, FitError>(Bars {
                open: cut(&b.open),
                high: cut(&b.high),
                low: cut(&b.low),
                close: b.close[..rows].to_vec(),
                volume: cut(&b.volume),
            })
        };
        let head = whole.derive("head", "test", head).unwrap();
        for entry in registry().entries() {
            let Some(stream) = entry.stream else {
                continue;
            };
            let id = entry.card.id;
            let columns = run(id, &ParamMap::new(), &head);
            let params = registry()
                .find(id)
                .unwrap()
                .params(&ParamMap::new())
                .unwrap();
            let mut stream = stream(&params).unwrap();
            for t in 0..rows {
                let row = stream.push(head.get().bar(t)).unwrap();
                for (value, (name, column)) in row.iter().zip(&columns) {
                    let bits = |v: Option<f64>| v.map(f64::to_bits);
                    assert_eq!(
                        bits(*value),
                        bits(column[t]),
                        "{id} {name}, bar {t} of {rows}"
                    );
                }
            }
        }
    }
}

#[test]
fn candlestick_patterns_equal_those_of_ta_lib() {
    let text = include_str!("../../../catalogue/tests/data/talib_candles.csv");
    let mut sets: BTreeMap<&str, Verified<Bars>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in text.lines().skip(1) {
        let [name, pattern, penetration, hits, sum, weighted, first] = fields(line);
        let bars = &*sets.entry(name).or_insert_with(|| bars(name));
        let mut given = ParamMap::from_iter([("pattern".to_owned(), Value::from(pattern))]);
        if !penetration.is_empty() {
            given.insert("penetration".to_owned(), Value::from(penetration));
        }
        seen.insert(pattern.to_owned());
        let columns = run("candlestick_patterns", &given, bars);
        let signal = columns[0].1.iter().map(|v| v.unwrap() as i64);
        let found: Vec<(i64, i64)> = (0..).zip(signal).filter(|(_, v)| *v != 0).collect();
        let start: Vec<String> = found
            .iter()
            .take(25)
            .map(|(t, v)| format!("{t}:{v}"))
            .collect();
        let got = [
            found.len() as i64,
            found.iter().map(|(_, v)| v).sum(),
            found.iter().map(|(t, v)| t * v).sum(),
        ];
        if got.map(|n| n.to_string()) != [hits, sum, weighted] || start.join(" ") != first {
            wrong.push((line, got));
        }
    }
    let resolved = registry().find("candlestick_patterns").unwrap();
    let params = (resolved.entry.params)();
    let patterns: BTreeSet<String> = params[0].choices.iter().cloned().collect();
    assert_eq!(seen, patterns, "a pattern is not compared");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The fields of a line, as many as there are names for.
fn fields<const N: usize>(line: &str) -> [&str; N] {
    let all: Vec<&str> = line.split(',').collect();
    all.try_into().unwrap()
}
