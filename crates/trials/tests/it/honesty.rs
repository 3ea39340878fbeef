//! Verdicts where the truth is known: no edge in returns whose order was destroyed, an edge in the
//! volatility of real prices.

use crate::support::*;
use mltrainer_compliance::Gate;
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled;
use mltrainer_types::data::DatasetKind;
use mltrainer_types::trial::{Target, TrialRequest, TrialState};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;

fn bars(symbol: &str) -> Bars {
    let admitted = Gate::admit(bundled::bars(symbol).unwrap()).unwrap();
    admitted.verified.get().clone()
}

/// The days of a symbol in another order under the old dates: each day keeps its change and its
/// shape.
fn shuffled(real: &Bars, seed: u64) -> Bars {
    let mut order: Vec<usize> = (1..real.len()).collect();
    order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
    let mut out = real.clone();
    out.symbol = format!("{}_{seed}", real.symbol);
    for (slot, t) in (1..).zip(order) {
        let by = out.close[slot - 1] / real.close[t - 1];
        for (to, from) in [
            (&mut out.open, &real.open),
            (&mut out.high, &real.high),
            (&mut out.low, &real.low),
        ] {
            if let (Some(to), Some(from)) = (to, from) {
                to[slot] = from[t] * by;
            }
        }
        out.close[slot] = real.close[t] * by;
        if let (Some(to), Some(from)) = (&mut out.volume, &real.volume) {
            to[slot] = from[t];
        }
    }
    out
}

/// Two years of each: 200 trials of the return of the next day. The gate would refuse these bars as a
/// user's file, since large moves no longer come in clusters. A verdict that says edge by chance in
/// one of twenty is what its level of 5 % allows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn returns_in_another_order_hold_no_edge() {
    let lab = Lab::new(2);
    let years: Vec<Bars> = ["IBM", "MSFT", "SPX", "IXIC"]
        .into_iter()
        .flat_map(|symbol| {
            let all = bars(symbol);
            [("2003", "2004"), ("2005", "2006"), ("2009", "2010")].map(|(from, to)| {
                let (from, to) = (format!("{from}-01-01"), format!("{to}-12-31"));
                all.slice(Some(day(&from)), Some(day(&to)))
            })
        })
        .collect();
    let mut edges = 0;
    for seed in 0..200 {
        let made = shuffled(&years[seed as usize % years.len()], seed);
        let known = lab.data.derive(&made.symbol.to_lowercase(), made.clone());
        let request = TrialRequest {
            target: Some(Target::Return),
            horizons: vec![1],
            models: ["ridge"].map(id).into(),
            ..TrialRequest::for_symbols([made.symbol.as_str()])
        };
        let spec = mltrainer_trials::validate(&request, &registry(), &[known]).unwrap();
        let stored = lab.run(&spec).await;
        assert_eq!(
            stored.record.state,
            TrialState::Finished,
            "{:?}",
            stored.record.reason
        );
        edges += usize::from(stored.record.verdict.unwrap().found_edge);
    }
    println!("{edges} of 200 say edge");
    assert!(edges <= 10, "{edges} of 200 say edge");
}

/// Volatility follows itself (R. F. Engle, Econometrica 50, 1982): of all bundled prices, at least 95 in
/// a hundred must show it over the next week.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_volatility_of_bundled_prices_holds_an_edge() {
    let lab = Lab::new(2);
    let prices = bundled::list()
        .iter()
        .filter(|b| matches!(b.kind, DatasetKind::Bars | DatasetKind::Closes));
    let (mut without, mut all) = (Vec::new(), 0);
    for info in prices {
        let request = TrialRequest {
            target: Some(Target::LogVolatility),
            horizons: vec![5],
            models: ["ridge"].map(id).into(),
            ..TrialRequest::for_symbols([info.id])
        };
        let stored = lab.run(&spec(&request)).await;
        all += 1;
        if !stored.record.verdict.is_some_and(|v| v.found_edge) {
            without.push(info.id);
        }
    }
    println!("{all} symbols, without an edge: {without:?}");
    assert!(
        all >= 20 && without.len() * 20 <= all,
        "{without:?} of {all}"
    );
}
