//! Walk-forward optimisation over real bars: borders by hand, an independent account of the tests, no
//! look at what comes later, and the same result after an interruption.

use crate::bars::{Sheet, sheets};
use mltrainer_backtest::engine::{Costs, Settings};
use mltrainer_backtest::splits::Fold;
use mltrainer_backtest::strategy::{Bars, Symbol};
use mltrainer_backtest::walk_forward::{
    Search, Span, Step, Tried, Window, candidates, fill, judge, run_window, space, stitched,
    test_span, values, windows,
};
use mltrainer_catalogue::search::{Method, Told};
use mltrainer_catalogue_core::ParamMap;
use mltrainer_types::optimisation::{Objective, SearchParameter};
use mltrainer_types::strategy::{StrategyError, StrategySpec};
use serde_json::{Value, json};
use std::ops::Range;

fn symbol(sheet: &Sheet) -> Symbol<'_> {
    Symbol {
        name: sheet.symbol,
        bars: Bars {
            open: &sheet.open,
            high: &sheet.high,
            low: &sheet.low,
            close: &sheet.close,
            volume: Some(&sheet.volume),
        },
        traded: None,
        events: &[],
        columns: Vec::new(),
    }
}

fn free() -> Settings {
    Settings {
        whole_shares: false,
        ..Settings::default()
    }
}

fn filled(
    template: &Value,
    search: &[SearchParameter],
    point: &[f64],
) -> Result<StrategySpec, StrategyError> {
    let json = fill(template, &values(search, point))?;
    Ok(serde_json::from_value(json).unwrap())
}

/// A test of points on one sheet.
fn on<'a>(
    sheet: &'a Sheet,
    template: &'a Value,
    search: &'a [SearchParameter],
    settings: Settings,
) -> impl Fn(&[f64], Range<usize>) -> Result<Span, StrategyError> + 'a {
    move |point, span| {
        let spec = filled(template, search, point)?;
        test_span(&spec, &[symbol(sheet)], Some(&sheet.days), &settings, span)
    }
}

fn done(step: Step) -> Window {
    match step {
        Step::Done(window) => *window,
        Step::Stopped => panic!("it was stopped"),
    }
}

#[test]
fn borders_by_hand() {
    // 776 bars, 3 windows, 10 left out: 766 usable, a quarter of them, 191, a test; the first begins
    // at 776 - 3 · 191 = 203, and training ends 10 bars before it.
    let found = windows(776, 3, 10, None).unwrap();
    let fold = |train, test| Fold { train, test };
    assert_eq!(
        found,
        [
            fold(0..193, 203..394),
            fold(0..384, 394..585),
            fold(0..575, 585..776)
        ]
    );
    // Rolling over 250 bars: (766 - 250)/3 = 172 a test, from 776 - 516 = 260 on.
    let found = windows(776, 3, 10, Some(250)).unwrap();
    assert_eq!(found[0], fold(0..250, 260..432));
    assert_eq!(found[2], fold(344..594, 604..776));
    assert!(windows(30, 5, 0, None).is_err());
}

/// Returns of holding while the close before was above its average of n bars, told bar by bar: bought
/// and sold at the open, without costs.
fn above_average(sheet: &Sheet, n: usize, span: Range<usize>) -> Vec<f64> {
    let wanted = |t: usize| {
        let average = |t: usize| sheet.close[t + 1 - n..=t].iter().sum::<f64>() / n as f64;
        t + 1 >= n && sheet.close[t] > average(t)
    };
    let mut held = false;
    let first = span.start;
    span.map(|t| {
        let (open, close) = (sheet.open[t], sheet.close[t]);
        // The first bar there is has no close before it, nor has the first of the data.
        let decided = (t > first || first > 0) && wanted(t - 1);
        let r = match (held, decided) {
            (false, true) => close / open - 1.0,
            (true, true) => close / sheet.close[t - 1] - 1.0,
            (true, false) => open / sheet.close[t - 1] - 1.0,
            (false, false) => 0.0,
        };
        held = decided;
        r
    })
    .collect()
}

fn annual(returns: &[f64]) -> f64 {
    let total: f64 = returns.iter().map(|r| 1.0 + r).product();
    total.powf(252.0 / returns.len() as f64) - 1.0
}

fn near(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (t, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() < 1e-10, "{t}: {a} is not {b}");
    }
}

#[test]
fn a_window_is_what_an_account_by_hand_says() {
    let sheet = &sheets()[0];
    let template = json!({"name": "x", "weight": "if(close > sma(close, {n}), 1, 0)"});
    let lengths = [10usize, 20, 50, 100];
    let search: Vec<SearchParameter> = serde_json::from_value(
        json!([{"name": "n", "range": {"kind": "choice", "values": lengths}}]),
    )
    .unwrap();
    let test = on(sheet, &template, &search, free());
    for (place, n) in lengths.into_iter().enumerate() {
        for span in [0..193, 203..394, 500..510] {
            let found = test(&[place as f64], span.clone()).unwrap();
            near(&found.returns, &above_average(sheet, n, span));
        }
    }
    let how = Search {
        space: space(&search).unwrap(),
        method: Method::Grid { levels: 10 },
        evaluations: 100,
        seed: 1,
        objective: Objective::AnnualReturn,
        min_trades: 1,
        periods_per_year: 252.0,
    };
    let folds = windows(776, 3, 10, None).unwrap();
    let mut all = Vec::new();
    for (number, fold) in folds.iter().enumerate() {
        let step = run_window(&how, number, fold, &[], &test, &mut |_| true).unwrap();
        let found = done(step);
        let scores: Vec<f64> = lengths
            .iter()
            .map(|n| annual(&above_average(sheet, *n, fold.train.clone())))
            .collect();
        let told: Vec<f64> = found.told.iter().map(|t| -t.value.unwrap()).collect();
        near(&told, &scores);
        let best = (0..4).fold(0, |b, i| if scores[i] > scores[b] { i } else { b });
        assert_eq!(found.chosen, Some(vec![best as f64]));
        let outside = above_average(sheet, lengths[best], fold.test.clone());
        near(&found.returns, &outside);
        near(
            &[
                found.in_sample.unwrap(),
                found.in_sample_return.unwrap(),
                found.out_of_sample.unwrap(),
            ],
            &[scores[best], scores[best], annual(&outside)],
        );
        assert_eq!((found.tried(), found.told.len()), (4, 4));
        all.push(found);
    }
    let curve = stitched(&all);
    assert_eq!(curve.len(), 776 - 203);
    let market: Vec<f64> = (203..776)
        .map(|t| sheet.close[t] / sheet.close[t - 1] - 1.0)
        .collect();
    let columns: Vec<Vec<f64>> = candidates(&all, 100)
        .iter()
        .map(|p| test(p, 203..776).unwrap().returns)
        .collect();
    assert_eq!(columns.len(), 4);
    let before = Tried {
        number: 6,
        ratios: vec![0.01],
    };
    let judged = judge(&all, &market, &columns, &before, 252.0);
    assert_eq!((judged.tried_here, judged.tried), (4, 10));
    let inside: f64 = all.iter().map(|w| w.in_sample_return.unwrap()).sum::<f64>() / 3.0;
    let wanted = (inside > 0.0).then(|| annual(&curve) / inside);
    assert_eq!(judged.efficiency.is_some(), wanted.is_some());
    if let Some(wanted) = wanted {
        near(&[judged.efficiency.unwrap()], &[wanted]);
    }
    // C(16, 8) ways to halve sixteen blocks.
    assert_eq!(judged.overfitting.unwrap().logits.len(), 12_870);
    assert!(judged.verdict.is_some());
    // More tried before means more luck to be taken off.
    let many = Tried {
        number: 5000,
        ratios: vec![0.01],
    };
    let harder = judge(&all, &market, &columns, &many, 252.0);
    assert!(harder.verdict.unwrap().deflated < judged.verdict.unwrap().deflated);
}

fn crossover() -> (Value, Vec<SearchParameter>, Settings) {
    let template = json!({
        "name": "x",
        "long": {
            "enter": "crosses_above(sma(close, {fast}), sma(close, {slow}))",
            "exit": "crosses_below(sma(close, {fast}), sma(close, {slow}))"
        },
        "stop_loss": {"kind": "share", "share": "{stop}"}
    });
    let search = serde_json::from_value(json!([
        {"name": "fast", "range": {"kind": "integer", "low": 2, "high": 15}},
        {"name": "slow", "range": {"kind": "integer", "low": 10, "high": 60, "log": true}},
        {"name": "stop", "range": {"kind": "real", "low": 0.02, "high": 0.3}}
    ]))
    .unwrap();
    let settings = Settings {
        costs: Costs {
            rate: 0.0005,
            ..Costs::default()
        },
        ..Settings::default()
    };
    (template, search, settings)
}

fn how(search: &[SearchParameter], method: &str) -> Search {
    Search {
        space: space(search).unwrap(),
        method: Method::named(method, &ParamMap::new()).unwrap(),
        evaluations: 30,
        seed: 7,
        objective: Objective::SharpeRatio,
        min_trades: 1,
        periods_per_year: 252.0,
    }
}

#[test]
fn bars_after_training_change_no_point_of_the_search() {
    let (template, search, settings) = crossover();
    let all = sheets();
    let fold = &windows(776, 3, 10, None).unwrap()[1];
    let how = how(&search, "differential_evolution");
    let run = |sheet: &Sheet| {
        let test = on(sheet, &template, &search, settings);
        done(run_window(&how, 1, fold, &[], &test, &mut |_| true).unwrap())
    };
    let found = run(&all[0]);
    // Real bars of another company in place of those from t on.
    let changed = |t: usize| {
        let (mut sheet, other) = (all[0].clone(), &all[1]);
        sheet.open[t..].copy_from_slice(&other.open[t..]);
        sheet.high[t..].copy_from_slice(&other.high[t..]);
        sheet.low[t..].copy_from_slice(&other.low[t..]);
        sheet.close[t..].copy_from_slice(&other.close[t..]);
        sheet.volume[t..].copy_from_slice(&other.volume[t..]);
        sheet
    };
    let after_training = run(&changed(384));
    assert_eq!(after_training.told, found.told);
    assert_eq!(after_training.chosen, found.chosen);
    assert_eq!(after_training.in_sample, found.in_sample);
    assert_ne!(after_training.returns, found.returns);
    let inside_the_test = run(&changed(450));
    assert_eq!(inside_the_test.returns[..56], found.returns[..56]);
    // And the search does look at training.
    assert_ne!(run(&changed(300)).told, found.told);
}

#[test]
fn an_interrupted_search_goes_on_as_if_it_had_not_been() {
    let (template, search, settings) = crossover();
    let all = sheets();
    let test = on(&all[2], &template, &search, settings);
    let fold = &windows(776, 2, 5, Some(300)).unwrap()[0];
    for method in Method::NAMES {
        let mut how = how(&search, method);
        if method == "grid" {
            how.method = Method::Grid { levels: 3 };
        }
        let whole = done(run_window(&how, 0, fold, &[], &test, &mut |_| true).unwrap());
        for stop in [1, 13, 22] {
            let mut kept = String::new();
            let step = run_window(&how, 0, fold, &[], &test, &mut |told| {
                kept = serde_json::to_string(told).unwrap();
                told.len() < stop
            });
            assert_eq!(step.unwrap(), Step::Stopped, "{method}");
            let told: Vec<Told> = serde_json::from_str(&kept).unwrap();
            assert_eq!(told.len(), stop);
            let step = run_window(&how, 0, fold, &told, &test, &mut |_| true).unwrap();
            assert_eq!(done(step), whole, "{method} after {stop}");
        }
        // A window that is kept as text is the same window.
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Window>(&text).unwrap(), whole);
    }
    // What another search was told is refused.
    let random = how(&search, "random");
    let told = [Told {
        number: 0,
        point: vec![2.0, 10.0, 0.5],
        value: Some(0.0),
    }];
    let refused = run_window(&random, 0, fold, &told, &test, &mut |_| true);
    assert_eq!(refused.unwrap_err().field, "search");
}

#[test]
fn what_never_trades_stays_out_and_what_is_refused_says_why() {
    let (_, search, settings) = crossover();
    let all = sheets();
    let fold = &windows(776, 2, 0, None).unwrap()[0];
    let how = how(&search, "random");
    let never =
        json!({"name": "x", "long": {"enter": "close > 1000000 + {fast} + {slow} + {stop}"}});
    let test = on(&all[0], &never, &search, settings);
    let found = done(run_window(&how, 0, fold, &[], &test, &mut |_| true).unwrap());
    assert_eq!((found.chosen, found.in_sample), (None, None));
    assert_eq!(found.returns, vec![0.0; fold.test.len()]);
    assert_eq!(found.out_of_sample_return, Some(0.0));
    let wrong = json!({"name": "x", "long": {"enter": "clos > {fast} + {slow} + {stop}"}});
    let test = on(&all[0], &wrong, &search, settings);
    let refused = run_window(&how, 0, fold, &[], &test, &mut |_| true).unwrap_err();
    assert_eq!(refused.field, "long.enter");
}
