//! Signals, patterns and rules on the bundled bars: the known cases with their dates, and that nothing said of
//! a bar ever changes.

use mltrainer_catalogue::cases::CASES;
use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::{Bars, Columns, Engine, FitError, ParamMap};
use mltrainer_compliance::{Gate, Verified};
use mltrainer_data::bars::Bars as DailyBars;
use mltrainer_data::bundled;

/// Families whose entries are signals.
const FAMILIES: [&str; 6] = [
    "technical",
    "volume",
    "pattern",
    "rule",
    "signal_ensemble",
    "microstructure",
];

fn daily(symbol: &str) -> Verified<DailyBars> {
    Gate::admit(bundled::bars(symbol).unwrap())
        .unwrap()
        .verified
}

/// The columns of some of the bars.
fn columns(daily: &Verified<DailyBars>, from: usize, to: usize) -> Verified<Bars> {
    let cut = |c: &Option<Vec<f64>>| c.as_ref().map(|c| c[from..to].to_vec());
    let bars = daily.derive("columns", "test", |b| {
        Ok::<_, FitError>(Bars {
            open: cut(&b.open),
            high: cut(&b.high),
            low: cut(&b.low),
            close: b.close[from..to].to_vec(),
            volume: cut(&b.volume),
        })
    });
    bars.unwrap()
}

fn run(id: &str, given: &ParamMap, bars: &Verified<Bars>) -> Columns {
    let resolved = registry().find(id).unwrap();
    let Engine::Indicator { run } = resolved.entry.engine else {
        panic!("{id} is not computed from bars");
    };
    run(&resolved.params(given).unwrap(), bars).unwrap()
}

#[test]
fn known_cases_are_found_on_their_days() {
    let mut last: Option<(&str, Verified<DailyBars>)> = None;
    for case in CASES {
        if last.as_ref().is_none_or(|(s, _)| *s != case.symbol) {
            last = Some((case.symbol, daily(case.symbol)));
        }
        let (_, daily) = last.as_ref().unwrap();
        let given: ParamMap = case
            .set
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).into()))
            .collect();
        let found = run(
            case.entry,
            &given,
            &columns(daily, 0, daily.get().dates.len()),
        );
        for said in case.says {
            let dates = &daily.get().dates;
            let t = dates
                .iter()
                .position(|d| d.to_string() == said.date)
                .unwrap();
            let column = &found.iter().find(|(n, _)| *n == said.output).unwrap().1;
            let got = column[t];
            assert!(
                got.is_some_and(|v| (v - said.value).abs() <= 1e-9 * said.value.abs()),
                "{} {} {}: {} is {got:?}, not {}",
                case.entry,
                case.symbol,
                said.date,
                said.output,
                said.value
            );
        }
    }
}

#[test]
fn every_asked_for_shape_has_three_cases() {
    let count = |entry: &str, of: fn(&(&str, f64)) -> bool| {
        let cases = CASES.iter().filter(|c| c.entry == entry);
        let said = cases.filter(|c| c.says.iter().any(|s| of(&(s.output, s.value))));
        said.count()
    };
    for entry in ["rsi_divergence", "obv_divergence"] {
        assert!(count(entry, |(output, _)| *output == "divergence") >= 3);
    }
    let pattern = |from: u8, to: u8| {
        move |(output, v): &(&str, f64)| {
            *output == "pattern" && *v >= f64::from(from) && *v <= f64::from(to)
        }
    };
    let cases = |of: &dyn Fn(&(&str, f64)) -> bool| {
        let all = CASES.iter().filter(|c| c.entry == "chart_patterns");
        all.filter(|c| c.says.iter().any(|s| of(&(s.output, s.value))))
            .count()
    };
    assert!(cases(&pattern(1, 3)) >= 3 && cases(&pattern(4, 5)) >= 3);
    assert!(
        count("volume_price_analysis", |(output, v)| output
            .ends_with("event")
            && *v == 5.0)
            >= 3
    );
    // There is one by the definition; docs/patterns.md says so.
    let flags = CASES.iter().filter(|c| c.entry == "high_tight_flag");
    assert_eq!(flags.filter(|c| c.set.is_empty()).count(), 1);
}

#[test]
fn poles_as_steep_as_the_definition_asks_are_one() {
    for symbol in ["AAPL", "FB", "GOOG", "IBM", "MSFT", "SPX", "IXIC"] {
        let daily = daily(symbol);
        let bars = columns(&daily, 0, daily.get().dates.len());
        let found = run("high_tight_flag", &ParamMap::new(), &bars);
        let stage = &found.iter().find(|(n, _)| *n == "stage").unwrap().1;
        let flags = stage.iter().filter(|s| s.is_some_and(|s| s >= 2.0)).count();
        assert_eq!(flags > 0, symbol == "GOOG", "{symbol}: {flags} bars");
        assert!(stage.iter().all(|s| s.is_none_or(|s| s < 3.0)));
    }
}

/// Outputs on the first bars are the first outputs of all bars, at every single bar.
#[test]
fn nothing_said_of_a_bar_ever_changes() {
    let daily = daily("FB");
    let n = 160;
    for resolved in registry().all() {
        let card = resolved.entry.card;
        let indicator = matches!(resolved.entry.engine, Engine::Indicator { .. });
        if !FAMILIES.contains(&card.family) || !indicator || resolved.preset.is_some() {
            continue;
        }
        let whole = run(card.id, &ParamMap::new(), &columns(&daily, 0, n));
        let spoke = |c: &[Option<f64>]| c.iter().flatten().any(|v| *v != 0.0);
        for (name, column) in &whole {
            let finite = column.iter().flatten().all(|v| v.is_finite());
            assert!(finite && column.len() == n, "{} {name}", card.id);
        }
        let signal = &whole.iter().find(|(n, _)| *n == "signal").unwrap().1;
        if card.id != "candlestick_patterns" {
            let within = |v: &f64| (-1.0..=1.0).contains(v);
            assert!(signal.iter().flatten().all(within), "{}", card.id);
        }
        // A rare shape may be absent; the others say something within half a year.
        assert!(
            spoke(signal) || card.id == "high_tight_flag",
            "{} says nothing",
            card.id
        );
        for cut in 1..n {
            let part = run(card.id, &ParamMap::new(), &columns(&daily, 0, cut));
            for ((name, early), (_, late)) in part.iter().zip(&whole) {
                let same = early
                    .iter()
                    .zip(late)
                    .all(|(a, b)| a.map(f64::to_bits) == b.map(f64::to_bits));
                assert!(
                    same && early.len() == cut,
                    "{}: {name} changes after bar {cut}",
                    card.id
                );
            }
        }
    }
}
