//! Every feature on the bundled bars: values, warm-up, and that no later bar changes an earlier value.

use chrono::NaiveDate;
use mltrainer_compliance::Content;
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled;
use mltrainer_data::series::Series;
use mltrainer_features::{
    Context, FeatureError, FeatureTable, compute, compute_from, compute_many, registry, series_of,
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn bars(symbol: &str) -> Bars {
    bundled::bars(symbol).unwrap().content
}

/// Every bundled series that a feature needs.
pub(crate) fn context() -> Context {
    let series = |id: &&str| bundled::series(id).ok().map(|a| a.content);
    Context {
        series: series_of(&[]).iter().filter_map(series).collect(),
        chains: Vec::new(),
    }
}

fn alone() -> Context {
    Context::default()
}

fn vix() -> Series {
    bundled::series("VIXCLS").unwrap().content
}

fn with_vix() -> Context {
    Context {
        series: vec![vix()],
        chains: Vec::new(),
    }
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(crate) fn head(bars: &Bars, rows: usize) -> Bars {
    bars.slice(None, Some(bars.dates[rows - 1]))
}

fn value(table: &FeatureTable, feature: &str, date: &str) -> f64 {
    let column = table.names.iter().position(|n| n == feature).unwrap();
    let row = table.dates.binary_search(&day(date)).unwrap();
    table.columns[column][row]
}

/// What the features should be, by pandas, NumPy and TA-Lib: see `expected.py` beside it.
const EXPECTED: &str = include_str!("../data/expected.csv");

/// The symbols seen beside each other there.
const FOUR: [&str; 4] = ["AAPL", "IBM", "MSFT", "GOOG"];

#[test]
fn values_agree_with_an_independent_computation() {
    let universe: Vec<Bars> = FOUR.map(bars).into();
    let universe: Vec<&Bars> = universe.iter().collect();
    let four = compute_many(&universe, &Context::default(), &[], None).unwrap();
    let macros = context();
    let mut tables: BTreeMap<(&str, &str), FeatureTable> = BTreeMap::new();
    let mut shorter: BTreeMap<&str, FeatureTable> = BTreeMap::new();
    let (mut checked, mut wrong) = (BTreeSet::new(), Vec::new());
    for line in EXPECTED.lines().skip(2) {
        let [place, symbol, date, feature, expected] =
            line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let table = tables.entry((place, symbol)).or_insert_with(|| {
            if place == "four" {
                return four[FOUR.iter().position(|s| *s == symbol).unwrap()].clone();
            }
            let (symbol, from) = symbol
                .split_once(" from ")
                .unwrap_or((symbol, "1900-01-01"));
            compute(&bars(symbol).slice(Some(day(from)), None), &macros, &[]).unwrap()
        });
        // A series that has ended before the bars do is joined on the bars it reaches over.
        let table = if table.column(feature).is_some() {
            &*table
        } else {
            shorter.entry(symbol).or_insert_with(|| {
                let until = bars(symbol).slice(Some(day("2000-06-01")), Some(day("2010-04-30")));
                compute(&until, &macros, &[]).unwrap()
            })
        };
        let found = value(table, feature, date);
        let expected: f64 = expected.parse().unwrap();
        if (found - expected).abs() > 1e-9 * expected.abs().max(1e-3) || found.is_nan() {
            wrong.push(format!(
                "{feature} of {symbol} on {date}: {found} is not {expected}"
            ));
        }
        checked.insert(feature);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for f in registry()
        .iter()
        .filter(|f| !NOT_BUNDLED.contains(&f.id) && f.group != "options")
    {
        assert!(checked.contains(f.id), "no expected value for {}", f.id);
    }
}

/// Needs a series that does not ship with the program.
const NOT_BUNDLED: [&str; 1] = ["yield_slope_10y_2y"];

#[test]
fn values_by_hand() {
    let ibm = compute(&bars("IBM"), &alone(), &[]).unwrap();
    let close = |found: f64, expected: f64| {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    };
    // IBM closed at 117.70 on 2001-05-08; on the 9th it opened at 116.20 and closed at 116.98
    // between 115.30 and 118.18.
    close(
        value(&ibm, "log_return_1", "2001-05-09"),
        (116.98f64 / 117.70).ln(),
    );
    close(value(&ibm, "gap", "2001-05-09"), (116.20f64 / 117.70).ln());
    close(
        value(&ibm, "range_1", "2001-05-09"),
        (118.18f64 / 115.30).ln(),
    );
    close(
        value(&ibm, "log_return_lag_1", "2001-05-09"),
        (117.70f64 / 115.90).ln(),
    );
    // The VIX closed at 25.42 on 2018-12-31, 28.34 a bar and 30.11 five bars before (Christmas lies
    // between).
    let spx = bars("SPX");
    let spx = compute(&spx.slice(Some(day("2018-01-02")), None), &with_vix(), &[]).unwrap();
    close(value(&spx, "vix_log", "2018-12-31"), 0.2542f64.ln());
    close(
        value(&spx, "vix_change_1", "2018-12-31"),
        (25.42f64 / 28.34).ln(),
    );
    close(
        value(&spx, "vix_change_5", "2018-12-31"),
        (25.42f64 / 30.11).ln(),
    );
}

#[test]
fn the_series_beyond_the_bars_changes_nothing() {
    let bars = bars("SPX").slice(Some(day("2015-06-01")), Some(day("2016-06-01")));
    let all = vix();
    let keep = all.known_at.partition_point(|d| *d <= day("2016-06-01"));
    let cut = Series {
        id: all.id.clone(),
        dates: all.dates[..keep].to_vec(),
        known_at: all.known_at[..keep].to_vec(),
        values: all.values[..keep].to_vec(),
    };
    let of = |series: Series| {
        let context = Context {
            series: vec![series],
            chains: Vec::new(),
        };
        compute(&bars, &context, &[]).unwrap().sha256()
    };
    assert_eq!(of(all), of(cut));
}

#[test]
fn what_the_data_does_not_allow_is_left_out_and_said() {
    let table = compute(&bars("KO_ADJ"), &with_vix(), &[]).unwrap();
    let reason = |id: &str| reason(&table, id);
    assert_eq!(reason("gap"), "KO_ADJ has no open");
    assert_eq!(
        reason("money_flow_14"),
        "KO_ADJ has no high and no low and no volume"
    );
    assert_eq!(
        reason("vix_log"),
        "the VIX reaches from 2014-01-03 to 2019-01-03, and is not known on 1990-01-02"
    );
    assert_eq!(
        reason("credit_spread"),
        "the yield of Baa bonds (BAA) is not at hand"
    );
    assert_eq!(
        reason("zscore_return_1"),
        "a place among others needs 3 symbols or more that have it, computed together with KO_ADJ"
    );
    assert_eq!(
        reason("put_call_volume"),
        "no option chain of KO_ADJ is at hand"
    );
    assert!(table.names.iter().all(|n| !n.starts_with("vix")));
    assert_eq!(table.names.len() + table.left_out.len(), registry().len());
    let without = compute(&bars("SPX"), &alone(), &["economic".into()]).unwrap_err();
    assert!(
        without
            .to_string()
            .contains("the VIX (VIXCLS) is not at hand"),
        "{without}"
    );
    // Holidays are known from 1990 on.
    let old = Bars {
        dates: vec![day("1989-12-29"), day("1990-01-02")],
        close: vec![100.0, 101.0],
        ..Bars::default()
    };
    let table = compute(&old, &alone(), &["calendar".into()]).unwrap();
    assert_eq!(
        table.left_out[0].reason,
        "the exchange calendar reaches from 1990 to 2030, which is not enough for 1989-12-29"
    );
    assert_eq!(value(&table, "day_of_week", "1989-12-29"), 5.0);
}

fn reason(table: &FeatureTable, id: &str) -> String {
    let left_out = table.left_out.iter().find(|l| l.id == id);
    left_out.map(|l| l.reason.clone()).unwrap()
}

#[test]
fn bars_before_the_span_need_no_vix() {
    let spx = bars("SPX").slice(Some(day("2013-01-02")), None);
    let wanted = ["vix_log", "vix_change_1"].map(str::to_owned);
    assert!(compute(&spx, &with_vix(), &wanted).is_err());
    let table = compute_from(&spx, &with_vix(), &wanted, Some(day("2014-01-03"))).unwrap();
    assert!(table.left_out.is_empty());
    assert!(value(&table, "vix_log", "2013-12-31").is_nan());
    assert!(value(&table, "vix_log", "2014-01-03").is_finite());
    assert!(value(&table, "vix_change_1", "2014-01-03").is_nan());
}

#[test]
fn groups_and_ids_choose_and_unknown_ones_are_named() {
    let aapl = bars("AAPL");
    let table = compute(&aapl, &alone(), &["volatility".into(), "gap".into()]).unwrap();
    assert_eq!(table.names[0], "gap");
    assert!(table.names.contains(&"parkinson_20".to_owned()));
    assert!(!table.names.contains(&"log_return_1".to_owned()));
    let core = compute(&aapl, &alone(), &["volume:core".into()]).unwrap();
    assert_eq!(
        core.names,
        ["volume_ratio_20", "money_flow_14", "on_balance_20"]
    );
    let e = compute(&aapl, &alone(), &["calendar:core".into()]).unwrap_err();
    assert!(matches!(e, FeatureError::UnknownGroup { .. }));
    let e = compute(&aapl, &alone(), &["astrology".into()]).unwrap_err();
    assert!(matches!(e, FeatureError::UnknownGroup { .. }));
    assert_eq!(
        e.to_string(),
        "there is no feature group \"astrology\"; there are price, volatility, volume, technical, economic, cross_sectional, microstructure, regime, options, calendar"
    );
}

#[test]
fn the_csv_has_a_row_a_bar_and_reads_back_bit_by_bit() {
    let ibm = head(&bars("IBM"), 300);
    let groups = ["price", "volatility", "volume", "technical"].map(str::to_owned);
    let table = compute(&ibm, &alone(), &groups).unwrap();
    let csv = table.to_csv();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 301);
    assert!(lines[0].starts_with("date,log_return_1,"));
    // In the first row only what one bar tells is known: its range and where it closed.
    assert_eq!(lines[1].matches(',').count(), table.names.len());
    let filled: Vec<&str> = lines[1]
        .split(',')
        .skip(1)
        .filter(|c| !c.is_empty())
        .collect();
    assert_eq!(filled.len(), 2);
    let last: Vec<f64> = lines[300]
        .split(',')
        .skip(1)
        .map(|c| c.parse().unwrap())
        .collect();
    for (cell, column) in last.iter().zip(&table.columns) {
        assert_eq!(cell.to_bits(), column[299].to_bits());
    }
}

#[test]
fn a_handful_of_bars_gives_empty_cells_not_an_error() {
    let table = compute(&head(&bars("IBM"), 1), &alone(), &[]).unwrap();
    assert!(table.columns.iter().all(|c| c.len() == 1));
    let none = compute(
        &Bars {
            symbol: "X".into(),
            close: vec![],
            ..Bars::default()
        },
        &alone(),
        &[],
    )
    .unwrap();
    assert!(none.columns.iter().all(Vec::is_empty));
}

#[test]
fn a_flat_price_has_no_logarithm_of_volatility() {
    let n = 40;
    let flat = Bars {
        symbol: "FLAT".into(),
        dates: bars("IBM").dates[..n].to_vec(),
        close: (0..n)
            .map(|i| {
                if i < 10 {
                    10.0 + (i % 3) as f64 * 0.1
                } else {
                    10.3
                }
            })
            .collect(),
        ..Bars::default()
    };
    let table = compute(&flat, &alone(), &[]).unwrap();
    let column = |id: &str| &table.columns[table.names.iter().position(|n| n == id).unwrap()];
    // From bar 15 on the last five returns are zero; nothing is left over from the moves before.
    assert!(column("log_volatility_5")[14].is_finite());
    assert!(column("log_volatility_5")[15..].iter().all(|v| v.is_nan()));
    assert!(column("bollinger_b_20")[29..].iter().all(|v| v.is_nan()));
}

#[test]
fn many_symbols_are_computed_as_one() {
    let all: Vec<Bars> = FOUR.map(bars).into();
    let refs: Vec<&Bars> = all.iter().collect();
    let groups = ["price", "volatility", "volume", "technical"].map(str::to_owned);
    let tables = compute_many(&refs, &alone(), &groups, None).unwrap();
    for (b, t) in all.iter().zip(&tables) {
        assert_eq!(t.sha256(), compute(b, &alone(), &groups).unwrap().sha256());
    }
    // What is beside each other is left out of what is alone, and the rest is the same.
    let all_groups = compute_many(&refs, &alone(), &[], None).unwrap();
    for (b, t) in all.iter().zip(&all_groups) {
        let single = compute(b, &alone(), &[]).unwrap();
        for name in &single.names {
            assert_eq!(t.column(name).map(bits), single.column(name).map(bits));
        }
        assert!(t.column("beta_120").is_some() && single.column("beta_120").is_none());
        assert_eq!(t.names.len() + t.left_out.len(), registry().len());
    }
}

fn bits(column: &[f64]) -> Vec<u64> {
    column.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn two_symbols_are_no_universe() {
    let two = ["AAPL", "IBM"].map(bars);
    let tables = compute_many(
        &two.iter().collect::<Vec<_>>(),
        &alone(),
        &["cross_sectional".into()],
        None,
    )
    .unwrap();
    assert!(tables.iter().all(|t| t.names.is_empty()));
    assert!(reason(&tables[0], "beta_120").contains("needs 3 symbols or more"));
}

/// Prices that do not move, days without trading, one bar alone, prices of any size: a value is
/// missing or finite, and nothing stops the program.
#[test]
fn odd_bars_give_missing_values_and_never_infinite_ones() {
    let ibm = head(&bars("IBM"), 900);
    let zeros = |n: usize| {
        let mut volume = ibm.volume.clone().unwrap();
        volume.iter_mut().step_by(n).for_each(|v| *v = 0.0);
        Some(volume)
    };
    let flat = Some(vec![42.17; ibm.len()]);
    let still = Bars {
        open: flat.clone(),
        high: flat.clone(),
        low: flat.clone(),
        close: vec![42.17; ibm.len()],
        ..ibm.clone()
    };
    let times = |factor: f64| {
        let scale = |c: &Vec<f64>| c.iter().map(|x| x * factor).collect::<Vec<f64>>();
        Bars {
            open: ibm.open.as_ref().map(scale),
            high: ibm.high.as_ref().map(scale),
            low: ibm.low.as_ref().map(scale),
            close: scale(&ibm.close),
            ..ibm.clone()
        }
    };
    let odd = [
        still.clone(),
        Bars {
            volume: zeros(1),
            ..ibm.clone()
        },
        Bars {
            volume: zeros(7),
            ..still.clone()
        },
        Bars {
            volume: zeros(7),
            ..ibm.clone()
        },
        times(1e300),
        times(1e-300),
        head(&ibm, 1),
        head(&ibm, 2),
        head(&ibm, 21),
    ];
    let universe: Vec<&Bars> = odd.iter().collect();
    let macros = context();
    let tables = compute_many(&universe, &macros, &[], None).unwrap();
    for (b, table) in odd.iter().zip(&tables) {
        for (name, column) in table.names.iter().zip(&table.columns) {
            assert_eq!(column.len(), b.len());
            assert!(column.iter().all(|v| v.is_finite() || v.is_nan()), "{name}");
        }
    }
    // Nothing moved: no volatility, no ratio of moves to moves, no place in a range.
    for id in [
        "log_volatility_20",
        "parkinson_20",
        "yang_zhang_20",
        "skewness_60",
        "downside_share_20",
        "rsi_14",
        "bollinger_b_20",
        "commodity_channel_20",
        "stochastic_14",
        "adx_14",
        "efficiency_20",
        "autocorrelation_60",
        "variance_ratio_60",
        "amihud_20",
        "close_location",
    ] {
        let column = tables[0].column(id).unwrap();
        assert!(
            column.iter().all(|v| v.is_nan()),
            "{id} of a price that stands still"
        );
    }
    // Standing still is no spread, no fall and no correlation; the returns are there and zero.
    for id in [
        "log_return_1",
        "corwin_schultz_20",
        "abdi_ranaldo_20",
        "roll_60",
        "bear_market",
    ] {
        assert_eq!(tables[0].column(id).unwrap()[300], 0.0, "{id}");
    }
    for id in [
        "volume_ratio_20",
        "volume_change_1",
        "amihud_20",
        "traded_value_20",
        "on_balance_20",
    ] {
        let column = tables[1].column(id).unwrap();
        assert!(
            column.iter().all(|v| v.is_nan()),
            "{id} where nothing is traded"
        );
    }
}

#[test]
fn every_feature_says_what_it_is() {
    let mut seen = BTreeSet::new();
    for spec in mltrainer_features::specs() {
        assert!(seen.insert(spec.id.clone()), "{} twice", spec.id);
        assert!(!spec.formula.is_empty() && !spec.needs.is_empty());
        assert!(
            spec.source.contains(|c: char| c.is_ascii_digit()),
            "{} names no year",
            spec.id
        );
        assert!(spec.known_at.ends_with("bar t") || spec.known_at.ends_with("release on"));
    }
    assert!(seen.len() >= 60);
    for group in mltrainer_features::groups() {
        assert!(
            registry().iter().filter(|f| f.group == group).count() >= 5,
            "{group}"
        );
    }
    let text = mltrainer_features::markdown();
    assert!(seen.iter().all(|id| text.contains(&format!("| `{id}` |"))));
}
