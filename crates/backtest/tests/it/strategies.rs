//! Strategies as data over real bars.

use crate::bars::{Sheet, random, sheets};
use mltrainer_backtest::engine::{Reason, Settings};
use mltrainer_backtest::strategy::{
    Argument, Bars, Column, Evaluator, Expression, FUNCTIONS, Symbol, Type, back_test, canonical,
};
use mltrainer_types::strategy::StrategySpec;
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Value, json};
use std::sync::Arc;

const NAMES: [&str; 6] = ["open", "high", "low", "close", "volume", "forecast"];

/// A random expression of a type.
fn any(rng: &mut Xoshiro256PlusPlus, gives: Type, depth: usize) -> String {
    let functions: Vec<_> = FUNCTIONS.iter().filter(|f| f.gives == gives).collect();
    if gives == Type::Number && (depth == 0 || rng.gen_bool(0.15)) {
        return match rng.gen_range(0..4) {
            0 => format!("{}", rng.gen_range(0..200) as f64 / 4.0),
            _ => NAMES[rng.gen_range(0..NAMES.len())].to_owned(),
        };
    }
    let inner = depth.saturating_sub(1);
    let pick = rng.gen_range(0..10);
    match gives {
        Type::Number if pick < 3 => {
            let op = ["+", "-", "*", "/"][rng.gen_range(0..4)];
            format!(
                "({} {op} {})",
                any(rng, gives, inner),
                any(rng, gives, inner)
            )
        }
        Type::Number if pick == 3 => format!("-{}", any(rng, gives, inner)),
        Type::Condition if pick < 3 && depth > 0 => {
            let op = ["and", "or"][rng.gen_range(0..2)];
            format!(
                "({} {op} {})",
                any(rng, gives, inner),
                any(rng, gives, inner)
            )
        }
        Type::Condition if pick == 3 && depth > 0 => format!("not ({})", any(rng, gives, inner)),
        Type::Condition if pick < 8 || depth == 0 => {
            let op = ["<", "<=", ">", ">=", "==", "!="][rng.gen_range(0..6)];
            let number = Type::Number;
            format!(
                "({} {op} {})",
                any(rng, number, inner),
                any(rng, number, inner)
            )
        }
        _ => {
            let f = functions[rng.gen_range(0..functions.len())];
            let takes: Vec<String> = f
                .takes
                .iter()
                .map(|a| match a {
                    Argument::Number => any(rng, Type::Number, inner),
                    Argument::Condition => any(rng, Type::Condition, inner),
                    Argument::Bars(least) => rng.gen_range(*least..least + 30).to_string(),
                })
                .collect();
            format!("{}({})", f.name, takes.join(", "))
        }
    }
}

fn evaluator(sheet: &Sheet, bars: usize) -> Evaluator<'_> {
    let mut all = Evaluator::new(Bars {
        open: &sheet.open[..bars],
        high: &sheet.high[..bars],
        low: &sheet.low[..bars],
        close: &sheet.close[..bars],
        volume: Some(&sheet.volume[..bars]),
    });
    // A series with gaps, as forecasts have them: the adjusted close of every day but some.
    let forecast = (0..bars).map(|t| {
        if t < 40 || t % 50 == 7 {
            f64::NAN
        } else {
            sheet.adj_close[t]
        }
    });
    all.define("forecast", Column::Numbers(Arc::new(forecast.collect())));
    all
}

/// Bits of a column, so that NaN equals NaN.
fn bits(column: &Column) -> Vec<u64> {
    match column {
        Column::Numbers(x) => x.iter().map(|x| x.to_bits()).collect(),
        Column::Conditions(c) => c.iter().map(|c| c.map_or(2, u64::from)).collect(),
    }
}

#[test]
fn bars_after_t_change_no_value_before_whatever_the_expression() {
    let sheets = sheets();
    let mut varied = 0;
    for seed in 0..1500 {
        let mut rng = random(seed);
        let sheet = &sheets[rng.gen_range(0..3)];
        let gives = [Type::Number, Type::Condition][rng.gen_range(0..2)];
        let text = any(&mut rng, gives, 4);
        let n = sheet.close.len();
        let mut whole = evaluator(sheet, n);
        let read = match Expression::parse_as(&text, &whole.types(), gives) {
            Ok(read) => read,
            // Random trees may be too large; nothing else may be wrong with them.
            Err(e) => {
                assert!(e.reason.contains("more than"), "{text}: {e}");
                continue;
            }
        };
        // The canonical text is the same tree.
        let again = Expression::parse(&read.to_string(), &whole.types()).unwrap();
        assert_eq!(again, read, "{text}");
        let full = bits(&whole.column(&read).unwrap());
        assert_eq!(full.len(), n);
        varied += usize::from(full.iter().any(|b| *b != full[n - 1]));
        for _ in 0..3 {
            let cut = rng.gen_range(1..n);
            let part = bits(&evaluator(sheet, cut).column(&read).unwrap());
            assert_eq!(part, full[..cut], "{text} on {cut} bars");
        }
    }
    assert!(varied > 1000, "{varied}");
}

fn spec(more: Value) -> StrategySpec {
    let mut all = json!({"name": "x"});
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

fn symbols(sheets: &[Sheet]) -> Vec<Symbol<'_>> {
    sheets
        .iter()
        .map(|s| Symbol {
            name: s.symbol,
            bars: Bars {
                open: &s.open,
                high: &s.high,
                low: &s.low,
                close: &s.close,
                volume: Some(&s.volume),
            },
            traded: None,
            events: &s.events,
            columns: Vec::new(),
        })
        .collect()
}

#[test]
fn sizes_stops_and_orders_are_what_they_say() {
    let sheets = sheets();
    let one = symbols(&sheets[1..2]);
    let (close, low) = (&sheets[1].close, &sheets[1].low);
    let run = |more: Value| back_test(&spec(more), &one, None, &Settings::default()).unwrap();
    // Volatility target: 10 % a year by the deviation of 20 returns, at the decision.
    let o = run(json!({
        "long": {"enter": "rsi(close, 14) < 40", "exit": "rsi(close, 14) > 60"},
        "sizing": {"kind": "volatility_target", "annual": 0.1, "window": 20, "cap": 1.0},
        "whole_shares": false
    }));
    let f = o.fills[0];
    let t = f.decided;
    let r: Vec<f64> = (t - 19..=t)
        .map(|i| close[i] / close[i - 1] - 1.0)
        .collect();
    let mean = r.iter().sum::<f64>() / 20.0;
    let sd = (r.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 19.0).sqrt();
    let want = 0.1 / (sd * 252f64.sqrt());
    assert!(want < 1.0 && (f.units * f.price / 10_000.0 - want).abs() < 1e-9);
    // Half Kelly, long and short.
    let o = run(json!({
        "long": {"enter": "close > sma(close, 50)", "exit": "close < sma(close, 50)"},
        "short": {"enter": "close < sma(close, 50)", "exit": "close > sma(close, 50)"},
        "sizing": {"kind": "kelly", "window": 60, "fraction": 0.5, "cap": 0.8},
        "whole_shares": false
    }));
    let f = o.fills[0];
    let t = f.decided;
    let r: Vec<f64> = (t - 59..=t)
        .map(|i| close[i] / close[i - 1] - 1.0)
        .collect();
    let mean = r.iter().sum::<f64>() / 60.0;
    let variance = r.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 59.0;
    let want = (f.units.signum() * 0.5 * mean / variance).min(0.8);
    assert!(
        want > 0.0 && (f.units.abs() * f.price / 10_000.0 - want).abs() < 1e-9,
        "{want}"
    );
    // At most 1 % at a stop two average ranges away.
    let o = run(json!({
        "long": {"enter": "crosses_above(close, sma(close, 20))"},
        "stop_loss": {"kind": "amount", "expression": "2 * atr(14)"},
        "trailing_stop": {"kind": "amount", "expression": "3 * atr(14)"},
        "max_risk": 0.01, "max_bars": 30
    }));
    assert!(o.trades.len() > 10);
    let stopped: Vec<_> = o
        .trades
        .iter()
        .filter(|t| t.exit_reason == Some(Reason::StopLoss))
        .collect();
    assert!(!stopped.is_empty());
    for t in stopped {
        let equity = o.equity[t.entry_bar - 1];
        assert!(
            -t.pnl <= 0.01 * equity * 1.0000001 && -t.pnl > 0.005 * equity,
            "{t:?}"
        );
    }
    assert!(o.trades.iter().all(|t| t.bars().unwrap() <= 30));
    // A limit order one per cent under the close, for two bars.
    let o = run(json!({
        "long": {"enter": "rsi(close, 14) > 50", "exit": "rsi(close, 14) < 45"},
        "entry_order": {"kind": "limit", "limit": "close * 0.99", "bars": 2}
    }));
    let mut limits = 0;
    for f in o.fills.iter().filter(|f| f.units > 0.0) {
        let limit = close[f.decided] * 0.99;
        assert!(
            f.price <= limit && low[f.bar] <= limit && f.bar - f.decided <= 2,
            "{f:?}"
        );
        limits += usize::from(f.reason == Reason::Limit);
    }
    assert!(limits > 5);
}

#[test]
fn weights_over_several_symbols_and_months() {
    let sheets = sheets();
    let all = symbols(&sheets);
    let momentum = spec(json!({
        "weight": "if(roc(close, 120) > 0, 0.33, 0)",
        "rebalance": {"kind": "month"},
        "whole_shares": false,
        "costs": {"rate": 0.0005}
    }));
    let o = back_test(&momentum, &all, Some(&sheets[0].days), &Settings::default()).unwrap();
    assert!(o.fills.len() > 20);
    for f in &o.fills {
        // Decided on the first bar of a month.
        use chrono::Datelike as _;
        let month = |bar: usize| {
            chrono::NaiveDate::from_epoch_days(sheets[0].days[bar])
                .unwrap()
                .month()
        };
        let first = f.decided == 120 || month(f.decided) != month(f.decided - 1);
        assert!(first, "{}", f.explain("X"));
    }
}

#[test]
fn canonical_texts_say_the_same() {
    let sheets = sheets();
    let one = symbols(&sheets[..1]);
    let loose = spec(json!({
        "define": [{"name": "fast", "expression": "( sma(close,5) )"}, {"name": "up", "expression": "fast>lag(fast,1)"}],
        "long": {"enter": "(up)and(close>fast)", "exit": "not(up)"},
        "stop_loss": {"kind": "price", "expression": "lowest(low,10)*0.99"}
    }));
    let tight = canonical(&loose, &[]).unwrap();
    assert_eq!(tight.long.as_ref().unwrap().enter, "up and close > fast");
    assert_eq!(tight.long.as_ref().unwrap().exit.as_deref(), Some("not up"));
    assert_eq!(tight.define[1].expression, "fast > lag(fast, 1)");
    assert_eq!(canonical(&tight, &[]).unwrap(), tight);
    let run = |s: &StrategySpec| back_test(s, &one, None, &Settings::default()).unwrap();
    assert_eq!(run(&loose).equity, run(&tight).equity);
}

#[test]
fn forecasts_of_a_model_are_columns_like_any_other() {
    let sheets = sheets();
    let mut one = symbols(&sheets[..1]);
    let bars = sheets[0].close.len();
    let up = (0..bars).map(|t| {
        if t % 10 == 0 {
            f64::NAN
        } else {
            (t / 20 % 2) as f64
        }
    });
    one[0].columns = vec![("ridge.return".to_owned(), up.collect())];
    let s = spec(json!({
        "long": {"enter": "ridge.return > 0.5", "exit": "ridge.return < 0.5"}
    }));
    let o = back_test(&s, &one, None, &Settings::default()).unwrap();
    // Bars 20, 40 and so on are unknown: decided one bar later, filled the bar after.
    assert_eq!((o.fills[0].bar, o.fills[1].bar), (22, 42));
    let told = back_test(&s, &symbols(&sheets[..1]), None, &Settings::default()).unwrap_err();
    assert_eq!(
        told.to_string(),
        "long.enter: column 1: there is no column `ridge.return`"
    );
}

#[test]
fn the_page_of_strategies_lists_every_function() {
    let page = include_str!("../../../../docs/strategies.md");
    for f in FUNCTIONS {
        let (head, what) = f.help.split_once(": ").unwrap();
        let line = format!("| `{head}` | {what} |");
        assert!(page.contains(&line), "docs/strategies.md lacks: {line}");
    }
}
