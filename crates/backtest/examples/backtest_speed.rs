//! The engine's side of `benches/peers/backtest_peers.py`.
//!
//! ```text
//! cargo run --release -p mltrainer-backtest --example backtest_speed one BARS.csv
//! cargo run --release -p mltrainer-backtest --example backtest_speed sweep BARS.csv FASTEST SLOWEST
//! ```
//!
//! `BARS.csv` has columns open, high, low, close, volume. `one` runs a crossover of averages of 10 and
//! 30 closes through the engine; `sweep` runs every pair of a fast window from 2 to FASTEST + 1 and a
//! slow one from 2 to SLOWEST + 1 through the lean path, averages included. Both print seconds and
//! what came out.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench speaks on standard output and reads the clock"
)]

use mltrainer_backtest::engine::{
    Asset, Costs, Crossover, Market, Plan, Settings, Signals, lean, simulate,
};
use mltrainer_backtest::strategy::sma;
use std::error::Error;
use std::time::Instant;

const ROUNDS: usize = 9;

fn columns(path: &str) -> Result<[Vec<f64>; 5], Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let mut columns: [Vec<f64>; 5] = Default::default();
    for line in text.lines().skip(1) {
        for (column, cell) in columns.iter_mut().zip(line.split(',')) {
            column.push(cell.parse()?);
        }
    }
    Ok(columns)
}

fn settings() -> Settings {
    Settings {
        costs: Costs {
            rate: 0.001,
            ..Costs::default()
        },
        ..Settings::default()
    }
}

/// Seconds of the quickest round, final equity and closed trades.
fn one(bars: &[Vec<f64>; 5]) -> Result<(f64, f64, usize), Box<dyn Error>> {
    let [open, high, low, close, volume] = bars;
    let mut best = (f64::INFINITY, 0.0, 0);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let (fast, slow) = (sma(close, 10)?, sma(close, 30)?);
        let n = close.len();
        let mut plan = Plan {
            enter_long: vec![false; n],
            exit_long: vec![false; n],
            weight: vec![1.0; n],
            ..Plan::default()
        };
        for (t, up) in Crossover::new(&fast, &slow, 1) {
            if up {
                plan.enter_long[t] = true;
            } else {
                plan.exit_long[t] = true;
            }
        }
        let asset = Asset {
            symbol: "BENCH",
            open,
            high,
            low,
            close,
            volume: Some(volume),
            events: &[],
        };
        let market = Market::new(vec![asset], None)?;
        let outcome = simulate(&market, &settings(), &mut Signals { plans: vec![plan] })?;
        let equity = outcome.equity.last().copied().unwrap_or_default();
        let seconds = start.elapsed().as_secs_f64();
        if seconds < best.0 {
            best = (seconds, equity, outcome.trades.len());
        }
    }
    Ok(best)
}

/// Seconds, runs and the mean of the final equities.
fn sweep(
    bars: &[Vec<f64>; 5],
    fastest: usize,
    slowest: usize,
) -> Result<(f64, usize, f64), Box<dyn Error>> {
    let [open, _, _, close, _] = bars;
    let settings = Settings {
        whole_shares: false,
        ..settings()
    };
    let start = Instant::now();
    let averages: Vec<Vec<f64>> = (2..2 + fastest.max(slowest))
        .map(|w| sma(close, w))
        .collect::<Result<_, _>>()?;
    let mut sum = 0.0;
    for fast in &averages[..fastest] {
        for slow in &averages[..slowest] {
            let decisions = Crossover::new(fast, slow, 1);
            let run = lean(open, close, &settings, decisions)
                .ok_or("the settings ask for more than the lean path does")?;
            sum += run.final_equity;
        }
    }
    let runs = fastest * slowest;
    Ok((start.elapsed().as_secs_f64(), runs, sum / runs as f64))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["one", path] => {
            let (seconds, equity, trades) = one(&columns(path)?)?;
            println!("{seconds} {equity} {trades}");
        }
        ["sweep", path, fastest, slowest] => {
            let (seconds, runs, mean) = sweep(&columns(path)?, fastest.parse()?, slowest.parse()?)?;
            println!("{seconds} {runs} {mean}");
        }
        _ => return Err("say: one BARS.csv, or sweep BARS.csv FASTEST SLOWEST".into()),
    }
    Ok(())
}
