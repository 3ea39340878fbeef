//! Features of option chains, on quotes small enough to count by hand. No real chain ships with the
//! program; these are no market's prices and are used nowhere else.

use crate::values::{bars, day, head};
use chrono::{Days, NaiveDate};
use mltrainer_data::bars::Bars;
use mltrainer_data::csv;
use mltrainer_features::{Context, FeatureTable, OptionChain, OptionQuote, compute, registry};

fn quote(day: NaiveDate, left: u64, strike: f64, call: bool, volume: f64, iv: f64) -> OptionQuote {
    OptionQuote {
        day,
        expiry: day + Days::new(left),
        strike,
        call,
        volume,
        open_interest: 10.0 * volume,
        implied_volatility: iv,
        underlying: 100.0,
    }
}

/// One day: calls 300 + 100 + 50, puts 150 + 75.
fn chain_of(day: NaiveDate, factor: f64) -> Vec<OptionQuote> {
    vec![
        // A month: 28 days is nearer to 30 than 35; 101 is nearer the money than 104 or 97.
        quote(day, 28, 101.0, true, 300.0 * factor, 0.20),
        quote(day, 28, 104.0, true, 100.0 * factor, 0.19),
        quote(day, 35, 100.0, true, 50.0 * factor, 0.99),
        // A put with strike / price 0.94 is nearer to 0.95 than 0.90; 0.97 is too near the money.
        quote(day, 28, 94.0, false, 150.0 * factor, 0.26),
        quote(day, 28, 90.0, false, 75.0 * factor, 0.31),
        quote(day, 28, 97.0, false, 0.0, 0.90),
        // A quarter, and one without an implied volatility that lies nearer to 90 days.
        quote(day, 100, 100.0, true, 0.0, 0.23),
        quote(day, 91, 100.0, true, 0.0, f64::NAN),
    ]
}

fn case() -> (Bars, OptionChain) {
    let bars = head(&bars("IBM"), 30);
    // Every day the same, the last one with three times the volume.
    let last = bars.dates[29];
    let quotes = bars
        .dates
        .iter()
        .flat_map(|d| chain_of(*d, if *d == last { 3.0 } else { 1.0 }));
    let chain = OptionChain {
        symbol: "IBM".into(),
        quotes: quotes.collect(),
    };
    (bars, chain)
}

fn table(bars: &Bars, chain: OptionChain) -> FeatureTable {
    let context = Context {
        series: Vec::new(),
        chains: vec![chain],
    };
    compute(bars, &context, &["options".into()]).unwrap()
}

#[test]
fn values_by_hand() {
    let (bars, chain) = case();
    let t = table(&bars, chain);
    assert!(t.left_out.is_empty(), "{:?}", t.left_out);
    let near = |id: &str, row: usize, expected: f64| {
        let found = t.column(id).unwrap()[row];
        assert!(
            (found - expected).abs() < 1e-12,
            "{id} in row {row}: {found} is not {expected}"
        );
    };
    // 225 puts for 450 calls, open contracts ten times that.
    near("put_call_volume", 0, 0.5f64.ln());
    near("put_call_open_interest", 0, 0.5f64.ln());
    // 2,025 contracts on the last day, 675 on the nineteen before.
    near("unusual_option_volume_20", 28, 0.0);
    near(
        "unusual_option_volume_20",
        29,
        (2025.0f64 / ((2025.0 + 19.0 * 675.0) / 20.0)).ln(),
    );
    let volume = bars.volume.as_ref().unwrap()[3];
    near("option_to_stock_volume", 3, (67_500.0 / volume).ln());
    near("implied_volatility_log", 0, 0.20f64.ln());
    near("volatility_skew", 0, 0.06);
    near("volatility_term_structure", 0, 0.03);
    for feature in registry().iter().filter(|f| f.group == "options") {
        let first = t
            .column(feature.id)
            .unwrap()
            .iter()
            .position(|v| v.is_finite());
        assert_eq!(first, Some(feature.warm_up), "{}", feature.id);
    }
}

#[test]
fn later_quotes_change_nothing_and_days_without_are_missing() {
    let (bars, chain) = case();
    let full = table(&bars, chain.clone());
    for rows in [1, 5, 20, 29] {
        let end = bars.dates[rows - 1];
        let mut cut = chain.clone();
        cut.quotes.retain(|q| q.day <= end);
        let mut altered = chain.clone();
        for q in altered.quotes.iter_mut().filter(|q| q.day > end) {
            q.volume = 7.0 * q.volume + 1.0;
            q.implied_volatility *= 1.5;
            q.underlying = 103.0;
        }
        for (bars, chain) in [(head(&bars, rows), cut), (bars.clone(), altered)] {
            let other = table(&bars, chain);
            for name in &full.names {
                let bits = |t: &FeatureTable| -> Vec<u64> {
                    t.column(name).unwrap()[..rows]
                        .iter()
                        .map(|v| v.to_bits())
                        .collect()
                };
                assert_eq!(bits(&other), bits(&full), "{name} until row {rows}");
            }
        }
    }
    let mut holes = chain;
    let missing = bars.dates[10];
    holes.quotes.retain(|q| q.day != missing);
    let t = table(&bars, holes);
    assert!(t.columns.iter().all(|c| c[10].is_nan()));
    assert_eq!(
        t.column("volatility_skew").unwrap()[11],
        full.column("volatility_skew").unwrap()[11]
    );
    assert_eq!(day("2000-03-01"), bars.dates[0]);
}

#[test]
fn a_table_is_a_chain_or_says_what_is_wrong() {
    let heading =
        "date,days_to_expiry,strike,call,volume,open_interest,implied_volatility,underlying";
    let chain = |rows: &str| {
        let table = csv::read_table(format!("{heading}\n{rows}\n").as_bytes()).unwrap();
        OptionChain::from_table("IBM", &table)
    };
    let d = day("2008-10-10");
    let read = chain("2008-10-10,28,101,1,300,3000,0.2,100\n2008-10-10,28,94,0,150,1500,0.26,100");
    let expected = vec![
        quote(d, 28, 101.0, true, 300.0, 0.20),
        quote(d, 28, 94.0, false, 150.0, 0.26),
    ];
    assert_eq!(read.unwrap().quotes, expected);
    for (row, said) in [
        (
            "10.10.2008,28,101,1,300,3000,0.2,100",
            "date is 10.10.2008 in row 1 of the option chain; give a day as YYYY-MM-DD",
        ),
        (
            "2008-10-10,28,101,2,300,3000,0.2,100",
            "call is 2 in row 1 of the option chain; give 1 for a call, 0 for a put",
        ),
        (
            "2008-10-10,28,0,1,300,3000,0.2,100",
            "strike is 0 in row 1 of the option chain; give a number above zero",
        ),
        (
            "2008-10-10,-1,100,1,300,3000,0.2,100",
            "days_to_expiry is -1 in row 1 of the option chain; give zero or more",
        ),
        (
            "2008-10-10,1e300,100,1,300,3000,0.2,100",
            "there is no such day",
        ),
    ] {
        let e = chain(row).unwrap_err();
        assert!(e.contains(said), "{e}");
    }
    let table = csv::read_table(b"date,strike\n2008-10-10,100\n").unwrap();
    let e = OptionChain::from_table("IBM", &table).unwrap_err();
    assert_eq!(
        e,
        "an option chain needs a column days_to_expiry; there are date, strike"
    );
}
