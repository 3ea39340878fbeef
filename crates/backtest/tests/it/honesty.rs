//! The statistics of honesty over real bars; expected values from outside.

use crate::bars::{Sheet, market, random, sheets};
use mltrainer_backtest::engine::{
    Costs, Crossover, Order, Orders, Outcome, Plan, Settings, Signals, Size, Timing, View, simulate,
};
use mltrainer_backtest::honesty::{
    Context, break_even, cost_sensitivity, findings, interval, optimal_block,
    probability_of_overfitting, verdict,
};
use mltrainer_backtest::performance::{mean, returns};
use mltrainer_backtest::strategy::sma;
use mltrainer_types::backtest::{Finding, Severity};
use rand::seq::SliceRandom;

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} is not {b}");
}

#[test]
fn block_lengths_as_in_arch() {
    // arch 8.0.0, arch.bootstrap.optimal_block_length of the changes of adj_close, of their absolute
    // values, and of IBM's volume: column "stationary". Under 1 we say 1.
    let want = [
        (0.764_716_791_694_195_6, 1.500_177_088_939_234),
        (1.668_256_246_723_629_7, 2.373_554_075_878_094_4),
        (2.812_938_495_983_243_7, 1.989_046_080_083_589_2),
    ];
    for (sheet, (plain, absolute)) in sheets().iter().zip(want) {
        let r = returns(&sheet.adj_close);
        near(optimal_block(&r), f64::max(plain, 1.0));
        let absolutes: Vec<f64> = r.iter().map(|r| r.abs()).collect();
        near(optimal_block(&absolutes), absolute);
    }
    near(optimal_block(&sheets()[1].volume), 22.449_953_119_394_536);
}

/// Eight strategies on IBM: the sign of the last k changes, k from 1 to 8, times the next return.
fn eight() -> Vec<Vec<f64>> {
    let sheet = &sheets()[1];
    let (p, r) = (&sheet.adj_close, returns(&sheet.adj_close));
    (1..=8)
        .map(|k| {
            let held = |t: usize| {
                let change = if t < k { 0.0 } else { p[t] - p[t - k] };
                if change == 0.0 {
                    0.0
                } else {
                    change.signum() * r[t]
                }
            };
            (0..r.len()).map(held).collect()
        })
        .collect()
}

#[test]
fn overfitting_as_calculated_apart() {
    // numpy 2.4, written from the paper with itertools.combinations, np.polyfit for the line: 10
    // blocks, then 6.
    let found = probability_of_overfitting(&eight(), 10).unwrap();
    assert_eq!(found.logits.len(), 252);
    near(found.probability, 0.785_714_285_714_285_7);
    near(found.slope, -0.998_505_393_825_901_5);
    near(found.intercept, 0.084_238_602_742_703_52);
    near(found.loss, 8.0 / 21.0);
    near(mean(&found.logits), -0.686_837_812_005_365_3);
    let found = probability_of_overfitting(&eight(), 6).unwrap();
    near(found.probability, 0.95);
    near(mean(&found.logits), -0.784_864_938_288_361_7);
}

#[test]
fn intervals_hold_what_they_should() {
    let r = returns(&sheets()[0].adj_close);
    let of = |level| interval(&r, &mean, level, 1000, None, 7).unwrap();
    let (wide, narrow) = (of(0.95), of(0.5));
    assert!(wide.low < narrow.low && narrow.low < mean(&r));
    assert!(mean(&r) < narrow.high && narrow.high < wide.high);
}

fn crossover(sheet: &Sheet, fast: usize, slow: usize, settings: &Settings) -> Outcome {
    let bars = sheet.close.len();
    let (a, b) = (
        sma(&sheet.close, fast).unwrap(),
        sma(&sheet.close, slow).unwrap(),
    );
    let mut plan = Plan {
        enter_long: vec![false; bars],
        exit_long: vec![false; bars],
        weight: vec![1.0; bars],
        ..Plan::default()
    };
    for (t, up) in Crossover::new(&a, &b, 1) {
        if up {
            plan.enter_long[t] = true;
        } else {
            plan.exit_long[t] = true;
        }
    }
    let one = std::slice::from_ref(sheet);
    simulate(&market(one), settings, &mut Signals { plans: vec![plan] }).unwrap()
}

/// The days of a symbol in another order: each keeps its own shape, the order is destroyed. AAPL
/// without its split.
fn shuffled(sheet: &Sheet, seed: u64) -> Sheet {
    let n = sheet.close.len();
    let mut order: Vec<usize> = (1..n)
        .filter(|t| sheet.open[*t] / sheet.close[t - 1] > 0.7)
        .collect();
    order.shuffle(&mut random(seed));
    let mut out = sheet.cut(0, order.len());
    let mut last = 100.0;
    for (slot, t) in order.into_iter().enumerate() {
        let of = |price: f64| last * price / sheet.close[t - 1];
        out.open[slot] = of(sheet.open[t]);
        out.high[slot] = of(sheet.high[t]);
        out.low[slot] = of(sheet.low[t]);
        out.close[slot] = of(sheet.close[t]);
        out.volume[slot] = sheet.volume[t];
        last = out.close[slot];
    }
    out
}

#[test]
fn where_order_is_destroyed_the_best_of_many_has_no_edge() {
    let sheets = sheets();
    let settings = Settings {
        whole_shares: false,
        ..Settings::default()
    };
    let mut edges = 0;
    for seed in 0..200u64 {
        let sheet = shuffled(&sheets[seed as usize % 3], seed);
        let market = returns(&sheet.close);
        let mut best: Option<(f64, Vec<f64>)> = None;
        let mut tried = 0;
        for fast in [2, 5, 10, 20] {
            for slow in [15, 30, 50, 80] {
                if fast >= slow {
                    continue;
                }
                tried += 1;
                let r = returns(&crossover(&sheet, fast, slow, &settings).equity);
                let v = verdict(&r, &market, 1, None);
                let ratio = v.map_or(f64::NEG_INFINITY, |v| v.ratio);
                if best.as_ref().is_none_or(|(b, _)| ratio > *b) {
                    best = Some((ratio, r));
                }
            }
        }
        let (_, r) = best.unwrap();
        edges += usize::from(verdict(&r, &market, tried, None).is_some_and(|v| v.edge));
    }
    assert!(edges <= 10, "{edges} of 200 say edge");
}

fn rules(found: &[Finding]) -> Vec<&str> {
    found.iter().map(|f| f.rule.as_str()).collect()
}

#[test]
fn holding_the_market_is_found_out() {
    let sheets = sheets();
    let one = market(&sheets[2..]);
    let settings = Settings {
        whole_shares: false,
        ..Settings::default()
    };
    let mut hold = |view: &View<'_>, orders: &mut Orders| {
        if view.bar() == 0 {
            orders.submit(Order::market(0, Size::Weight(1.0), "hold"));
        }
    };
    let outcome = simulate(&one, &settings, &mut hold).unwrap();
    let context = Context {
        outcome: &outcome,
        settings: &settings,
        market: &one,
        benchmark: Some(&sheets[2].close),
        tried: 50,
        variance: None,
    };
    let found = findings(&context);
    let names = rules(&found);
    for rule in [
        "beta_in_disguise",
        "luck",
        "too_few_trades",
        "no_costs",
        "unrealised",
        "short_record",
    ] {
        assert!(names.contains(&rule), "{rule}: {names:?}");
    }
    assert!(found.windows(2).all(|w| w[0].severity >= w[1].severity));
    let beta = found.iter().find(|f| f.rule == "beta_in_disguise").unwrap();
    assert!((beta.figures["beta"].unwrap() - 1.0).abs() < 0.01);
    assert!(
        beta.sentence
            .contains("holding it would have done much the same")
    );
    for f in &found {
        assert!(
            f.sentence.ends_with('.') && f.sentence.len() > 30,
            "{}",
            f.sentence
        );
    }
}

#[test]
fn other_findings_are_found_where_they_are() {
    let sheets = sheets();
    let one = market(&sheets[..1]);
    // 4 % of a day's volume of AAPL and more, filled at the close that decided, and one trade through
    // the rise of 2004 that makes the profit, beside small losing ones.
    let settings = Settings {
        cash: 2e8,
        timing: Timing::ThisClose,
        costs: Costs {
            rate: 0.001,
            ..Costs::default()
        },
        ..Settings::default()
    };
    let mut trades = |view: &View<'_>, orders: &mut Orders| {
        let close = view.close(0);
        let t = view.bar();
        let falls = t > 0 && close[t] < close[t - 1] * 0.999;
        if t == 40 {
            orders.submit(Order::market(0, Size::Weight(1.0), "rise"));
        } else if view.units(0) != 0.0 && (t == 160 || (t > 160 && falls)) {
            orders.submit(Order::market(0, Size::Close, "out"));
        } else if t > 200 && t < 330 && view.units(0) == 0.0 {
            orders.submit(Order::market(0, Size::Weight(0.05), "small"));
        }
    };
    let outcome = simulate(&one, &settings, &mut trades).unwrap();
    let context = Context {
        outcome: &outcome,
        settings: &settings,
        market: &one,
        benchmark: Some(&sheets[0].close),
        tried: 1,
        variance: None,
    };
    let found = findings(&context);
    let names = rules(&found);
    assert!(names.contains(&"one_trade"), "{names:?}");
    assert!(names.contains(&"fills_at_the_deciding_close"), "{names:?}");
    assert!(names.contains(&"large_fills"), "{names:?}");
    assert!(!names.contains(&"no_costs") && !names.contains(&"stale_fills"));
    let one_trade = found.iter().find(|f| f.rule == "one_trade").unwrap();
    assert!(
        one_trade.sentence.contains("AAPL, bar 40 to 160"),
        "{}",
        one_trade.sentence
    );
    assert_eq!(found[0].severity, Severity::Serious);
    // Stale quotes: the same bars with ranges and volume taken away.
    let mut flat = sheets[0].clone();
    for t in 0..flat.close.len() {
        let close = flat.close[t];
        (flat.open[t], flat.high[t], flat.low[t]) = (close, close, close);
        flat.volume[t] = 0.0;
    }
    let one = [flat];
    let still = market(&one);
    let outcome = simulate(&still, &settings, &mut trades).unwrap();
    let found = findings(&Context {
        outcome: &outcome,
        market: &still,
        ..context
    });
    assert!(rules(&found).contains(&"stale_fills"));
    // And an idle strategy.
    let mut idle = |_: &View<'_>, _: &mut Orders| {};
    let outcome = simulate(&still, &settings, &mut idle).unwrap();
    let found = findings(&Context {
        outcome: &outcome,
        market: &still,
        ..context
    });
    assert_eq!(rules(&found), ["no_trades"]);
}

#[test]
fn gains_shrink_with_costs_and_break_even_somewhere() {
    let sheets = sheets();
    let base = Settings {
        whole_shares: false,
        costs: Costs {
            rate: 0.002,
            ..Costs::default()
        },
        ..Settings::default()
    };
    let test = |factor: f64| -> Result<Outcome, String> {
        let settings = Settings {
            costs: base.costs.times(factor),
            ..base
        };
        Ok(crossover(&sheets[0].cut(0, 180), 2, 8, &settings))
    };
    let factors = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
    let points = cost_sensitivity(&factors, test).unwrap();
    assert!(
        points
            .windows(2)
            .all(|w| w[1].total_return < w[0].total_return)
    );
    assert!(points[0].paid == 0.0 && points[1].paid > 0.0);
    let even = break_even(&points).unwrap();
    let at = cost_sensitivity(&[even], test).unwrap()[0].total_return;
    assert!(at.abs() < 0.1, "{at}");
}
