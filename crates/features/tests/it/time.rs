//! Nothing that comes later changes a value: each feature on bars cut at a day, and on bars altered
//! after a day, of every bundled symbol, alone and among the others.

use crate::values::{bars, context};
use chrono::NaiveDate;
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled;
use mltrainer_data::series::Series;
use mltrainer_features::{Context, FeatureTable, compute, compute_many, registry};
use mltrainer_types::data::DatasetKind;
use std::collections::BTreeSet;

/// Every bundled symbol, the bars with ranges and volumes first.
fn symbols() -> Vec<&'static str> {
    let sets = bundled::list().iter();
    sets.filter(|i| i.kind != DatasetKind::Series)
        .map(|i| i.id)
        .collect()
}

/// What was there at the end of that day: bars until then, figures published until then.
fn cut(bars: &Bars, macros: &Context, end: NaiveDate) -> (Bars, Context) {
    let known = |s: &Series| {
        let rows: Vec<usize> = (0..s.len()).filter(|r| s.known_at[*r] <= end).collect();
        Series {
            id: s.id.clone(),
            dates: rows.iter().map(|r| s.dates[*r]).collect(),
            known_at: rows.iter().map(|r| s.known_at[*r]).collect(),
            values: rows.iter().map(|r| s.values[*r]).collect(),
        }
    };
    let context = Context {
        series: macros.series.iter().map(known).collect(),
        chains: Vec::new(),
    };
    (bars.slice(None, Some(end)), context)
}

/// The same until that day; after it other prices, volumes and figures.
fn altered(bars: &Bars, macros: &Context, after: NaiveDate) -> (Bars, Context) {
    let factor = |i: usize| 1.3 + 0.5 * ((i * 7919 % 101) as f64 / 101.0 - 0.5);
    let mut b = bars.clone();
    for i in b.dates.partition_point(|d| *d <= after)..b.dates.len() {
        let prices = [&mut b.open, &mut b.high, &mut b.low];
        prices.into_iter().flatten().for_each(|c| c[i] *= factor(i));
        b.close[i] *= factor(i);
        if let Some(volume) = &mut b.volume {
            volume[i] = volume[i] * factor(i + 3) + 1000.0;
        }
    }
    let mut context = macros.clone();
    for s in &mut context.series {
        for i in (0..s.len()).filter(|i| s.known_at[*i] > after) {
            s.values[i] *= factor(i);
        }
    }
    (b, context)
}

/// Days at which windows fill up, and some of the long way after.
fn days(bars: &Bars) -> Vec<NaiveDate> {
    let n = bars.len();
    let rows = [0, 1, 5, 20, 63, 130, 252, 280, 800, n / 2, n * 4 / 5, n - 2];
    let rows: BTreeSet<usize> = rows.into_iter().filter(|r| *r < n).collect();
    rows.into_iter().map(|r| bars.dates[r]).collect()
}

/// The rows up to that day have the same bits in both.
fn same(what: &str, table: &FeatureTable, full: &FeatureTable, until: NaiveDate) {
    let rows = full.dates.partition_point(|d| *d <= until);
    for name in &full.names {
        let Some(found) = table.column(name) else {
            panic!("{what}: {name} is not there")
        };
        let expected = full.column(name).unwrap();
        for row in 0..rows {
            assert_eq!(
                found[row].to_bits(),
                expected[row].to_bits(),
                "{what}: {name} in row {row} is {} and was {}",
                found[row],
                expected[row]
            );
        }
    }
}

/// A symbol alone: over all its bars, and over those that the macro series reach over.
fn alone(share: usize) {
    let macros = context();
    let mut seen = BTreeSet::new();
    for symbol in symbols().into_iter().skip(share).step_by(3) {
        let whole = bars(symbol);
        let spans = [
            ("1990-01-01", "2100-01-01"),
            ("1991-01-01", "2009-06-30"),
            ("2014-06-02", "2018-11-30"),
        ];
        for (first, last) in spans {
            let bars = whole.slice(first.parse().ok(), last.parse().ok());
            if bars.len() < 3 {
                continue;
            }
            let full = compute(&bars, &macros, &[]).unwrap();
            seen.extend(full.names.iter().cloned());
            for day in days(&bars) {
                let (b, context) = cut(&bars, &macros, day);
                let what = format!("{symbol} cut at {day}");
                same(
                    &what,
                    &compute(&b, &context, &full.names).unwrap(),
                    &full,
                    day,
                );
            }
            // The first days are part of what is compared on the last ones.
            for day in days(&bars).into_iter().rev().take(3) {
                let (b, context) = altered(&bars, &macros, day);
                let what = format!("{symbol} altered after {day}");
                let table = compute(&b, &context, &full.names).unwrap();
                same(&what, &table, &full, day);
                let last = bars.len() - 1;
                let moved = full.names.iter().filter(|n| {
                    table.column(n).map(|c| c[last]) != full.column(n).map(|c| c[last])
                });
                assert!(moved.count() > 20, "{what}: the alteration does nothing");
            }
        }
    }
    let not_alone = ["cross_sectional", "options"];
    for f in registry().iter().filter(|f| !not_alone.contains(&f.group)) {
        // Needs a series that does not ship with the program.
        assert!(
            seen.contains(f.id) || f.id == "yield_slope_10y_2y",
            "{} was not computed",
            f.id
        );
    }
}

#[test]
fn no_later_bar_changes_an_earlier_value_of_the_first_symbols() {
    alone(0);
}

#[test]
fn no_later_bar_changes_an_earlier_value_of_the_second_symbols() {
    alone(1);
}

#[test]
fn no_later_bar_changes_an_earlier_value_of_the_third_symbols() {
    alone(2);
}

#[test]
fn no_later_bar_of_any_symbol_changes_an_earlier_place_among_them() {
    let all: Vec<Bars> = symbols().into_iter().map(bars).collect();
    let wanted = ["cross_sectional".to_owned()];
    let of = |bars: &[Bars]| {
        let bars: Vec<&Bars> = bars.iter().collect();
        compute_many(&bars, &Context::default(), &wanted, None).unwrap()
    };
    let full = of(&all);
    let across = registry().iter().filter(|f| f.group == "cross_sectional");
    for f in across {
        assert!(full.iter().any(|t| t.column(f.id).is_some()), "{}", f.id);
    }
    for day in [
        "1990-03-01",
        "1991-01-09",
        "2000-03-10",
        "2004-08-20",
        "2008-10-10",
        "2013-03-01",
        "2018-12-31",
        "2022-12-27",
    ] {
        let day: NaiveDate = day.parse().unwrap();
        for (what, change) in [
            (
                "cut",
                cut as fn(&Bars, &Context, NaiveDate) -> (Bars, Context),
            ),
            ("altered", altered),
        ] {
            let changed: Vec<Bars> = all
                .iter()
                .map(|b| change(b, &Context::default(), day).0)
                .collect();
            for ((table, full), b) in of(&changed).iter().zip(&full).zip(&all) {
                same(&format!("{} {what} at {day}", b.symbol), table, full, day);
            }
        }
    }
}

#[test]
fn warm_up_is_exactly_as_declared() {
    let macros = context();
    let mut seen = BTreeSet::new();
    let check = |b: &Bars, table: &FeatureTable, seen: &mut BTreeSet<String>| {
        for (name, column) in table.names.iter().zip(&table.columns) {
            let feature = registry().iter().find(|f| f.id == name).unwrap();
            let first = column.iter().position(|v| v.is_finite()).unwrap_or(b.len());
            assert_eq!(
                first,
                feature.warm_up.min(b.len()),
                "{name} of {}",
                b.symbol
            );
            seen.insert(name.clone());
            // Five closes in a row that do not move at all happen, and a bar without a range.
            let holes = column[first..].iter().filter(|v| !v.is_finite()).count();
            let allowed = match name.as_str() {
                "log_volatility_5" => 20,
                "close_location" => 2,
                _ => 0,
            };
            assert!(holes <= allowed, "{name} of {} has {holes} holes", b.symbol);
        }
    };
    let cases = [
        ("AAPL", "1990-01-01", "2100-01-01"),
        ("IBM", "2001-01-02", "2010-04-30"),
        ("JNJ_ADJ", "1990-01-01", "2100-01-01"),
        ("SPX", "1990-01-01", "2100-01-01"),
        ("SPX", "2014-06-02", "2100-01-01"),
    ];
    for (symbol, first, last) in cases {
        let b = bars(symbol).slice(first.parse().ok(), last.parse().ok());
        check(&b, &compute(&b, &macros, &[]).unwrap(), &mut seen);
    }
    // Symbols that begin together.
    let four = ["AAPL", "IBM", "MSFT"].map(bars);
    let tables = compute_many(&four.iter().collect::<Vec<_>>(), &macros, &[], None).unwrap();
    for (b, t) in four.iter().zip(&tables) {
        check(b, t, &mut seen);
    }
    for f in registry().iter().filter(|f| f.group != "options") {
        assert!(
            seen.contains(f.id) || f.id == "yield_slope_10y_2y",
            "{} was not computed",
            f.id
        );
    }
}
