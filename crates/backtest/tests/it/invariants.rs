//! What always holds.

use crate::bars::{Sheet, coins, market, random, sheets};
use mltrainer_backtest::engine::{
    Action, Away, Costs, Crossover, Event, Guard, Kind, Limits, Order, Orders, Outcome, Plan,
    Protection, Rebalance, Settings, Signals, Size, Slippage, Timing, View, Weights, lean,
    simulate,
};
use mltrainer_backtest::performance;
use rand::Rng;

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// Hands in random orders of every kind.
fn anything(seed: u64) -> impl FnMut(&View<'_>, &mut Orders) {
    let mut rng = random(seed);
    move |view: &View<'_>, orders: &mut Orders| {
        for asset in 0..view.assets() {
            if rng.gen_bool(0.05) {
                orders.cancel(asset);
            }
            if !rng.gen_bool(0.3) {
                continue;
            }
            let close = *view.close(asset).last().unwrap();
            let near =
                |rng: &mut rand_xoshiro::Xoshiro256PlusPlus| close * rng.gen_range(0.97..1.03);
            let size = match rng.gen_range(0..4) {
                0 => Size::Units(rng.gen_range(-80.0..80.0)),
                1 => Size::Value(rng.gen_range(-4000.0..4000.0)),
                2 => Size::Weight(rng.gen_range(-1.2..1.2)),
                _ => Size::Close,
            };
            let kind = match rng.gen_range(0..5) {
                0 => Kind::Limit(near(&mut rng)),
                1 => Kind::Stop(near(&mut rng)),
                2 => Kind::StopLimit {
                    stop: near(&mut rng),
                    limit: near(&mut rng),
                },
                _ => Kind::Market,
            };
            let share = |rng: &mut rand_xoshiro::Xoshiro256PlusPlus| {
                rng.gen_bool(0.4)
                    .then(|| Away::Share(rng.gen_range(0.005..0.05)))
            };
            let protection = Protection {
                stop: share(&mut rng),
                target: share(&mut rng),
                trail: share(&mut rng),
                max_bars: rng.gen_bool(0.3).then(|| rng.gen_range(1..12)),
            };
            orders.submit(Order {
                asset,
                size,
                kind,
                good_for: rng.gen_bool(0.5).then(|| rng.gen_range(1..5)),
                max_risk: protection.stop.filter(|_| rng.gen_bool(0.3)).map(|_| 0.02),
                protection,
                why: "any",
            });
        }
    }
}

fn random_settings(seed: u64) -> Settings {
    let mut rng = random(seed ^ 0x5eed);
    let mut pick = |all: &[f64]| all[rng.gen_range(0..all.len())];
    let costs = Costs {
        per_share: pick(&[0.0, 0.01]),
        per_trade: pick(&[0.0, 1.5]),
        rate: pick(&[0.0, 0.002]),
        minimum: pick(&[0.0, 2.0]),
        spread: pick(&[0.0, 0.001]),
        slippage: match seed % 4 {
            0 => Slippage::None,
            1 => Slippage::Share(0.001),
            2 => Slippage::Amount(0.02),
            _ => Slippage::VolumeShare { impact: 5000.0 },
        },
        volume_limit: (seed.is_multiple_of(3)).then_some(1e-5),
        borrow_rate: pick(&[0.0, 0.1]),
        cash_rate: pick(&[0.0, 0.05]),
        margin_rate: pick(&[0.0, 0.08]),
        periods_per_year: 252.0,
    };
    Settings {
        cash: pick(&[2_000.0, 50_000.0]),
        costs,
        limits: Limits {
            max_weight: (seed.is_multiple_of(5)).then_some(0.4),
            max_gross: pick(&[1.0, 0.8, 2.0]),
            max_positions: (seed.is_multiple_of(7)).then_some(1),
            shorts: seed % 4 != 1,
        },
        whole_shares: seed.is_multiple_of(2),
        timing: [Timing::NextOpen, Timing::NextClose, Timing::ThisClose][seed as usize % 3],
        finalize: seed % 2 == 1,
    }
}

fn with_events(mut sheets: Vec<Sheet>) -> Vec<Sheet> {
    // As they were: the split of AAPL, dividends of IBM and MSFT (read off adj_close).
    sheets[0].events = vec![Event {
        bar: 187,
        action: Action::Split(2.0),
    }];
    let dividends = |list: &[(usize, f64)]| {
        list.iter()
            .map(|(bar, d)| Event {
                bar: *bar,
                action: Action::Dividend(*d),
            })
            .collect()
    };
    sheets[1].events = dividends(&[
        (46, 0.18),
        (111, 0.18),
        (174, 0.18),
        (235, 0.20),
        (299, 0.20),
        (364, 0.20),
        (426, 0.20),
        (487, 0.30),
        (551, 0.30),
        (616, 0.30),
        (676, 0.30),
        (738, 0.40),
    ]);
    sheets[2].events = dividends(&[(57, 0.08), (116, 3.08), (179, 0.08), (241, 0.08)]);
    sheets
}

/// Money is where the fills and flows say, at every bar.
fn conserved(outcome: &Outcome, sheets: &[Sheet], settings: &Settings) {
    let mut cash = settings.cash;
    let mut units = vec![0.0; sheets.len()];
    let mut fills = outcome.fills.iter().peekable();
    for bar in 0..outcome.equity.len() {
        for (asset, sheet) in sheets.iter().enumerate() {
            for event in sheet.events.iter().filter(|e| e.bar == bar) {
                if let Action::Split(r) = event.action {
                    units[asset] *= r;
                }
            }
        }
        cash += outcome.carry[bar];
        let mut traded = 0.0;
        while let Some(fill) = fills.next_if(|f| f.bar == bar) {
            cash -= fill.units * fill.price + fill.commission;
            traded += (fill.units * fill.price).abs();
            units[fill.asset] += fill.units;
            // The price is the quote, made worse by what is stated.
            let worse = fill.units.signum() * (fill.price - fill.quote);
            assert!(same(worse, fill.spread + fill.slippage), "{fill:?}");
            assert!(fill.price > 0.0 && fill.commission >= 0.0, "{fill:?}");
        }
        assert!(same(cash, outcome.cash[bar]), "bar {bar}");
        assert!(same(traded, outcome.traded[bar]), "bar {bar}");
        let mut equity = cash;
        for (asset, sheet) in sheets.iter().enumerate() {
            assert!(same(units[asset], outcome.units[asset][bar]));
            if settings.whole_shares {
                assert_eq!(outcome.units[asset][bar].fract(), 0.0, "bar {bar}");
            }
            equity += units[asset] * sheet.close[bar];
        }
        assert!(same(equity, outcome.equity[bar]), "bar {bar}");
    }
    assert!(fills.next().is_none());
    // What positions gained, with interest, is what the equity gained.
    let realised: f64 = outcome
        .trades
        .iter()
        .chain(&outcome.open)
        .map(|t| t.pnl)
        .sum();
    let unrealised: f64 = outcome
        .open
        .iter()
        .map(|t| {
            let bar = outcome.equity.len() - 1;
            let now = sheets[t.asset].close[bar];
            outcome.units[t.asset][bar] * (now - t.entry_price)
        })
        .sum();
    let gained = outcome.equity[outcome.equity.len() - 1] - settings.cash;
    let all = realised + unrealised + outcome.flows.interest;
    assert!(
        (all - gained).abs() < 1e-6 * settings.cash,
        "{all} is not {gained}"
    );
}

#[test]
fn money_is_conserved_at_every_bar_whatever_is_ordered() {
    let sheets = with_events(sheets());
    let market = market(&sheets);
    let mut fills = 0;
    for seed in 0..300 {
        let settings = random_settings(seed);
        let outcome = simulate(&market, &settings, &mut anything(seed)).unwrap();
        conserved(&outcome, &sheets, &settings);
        fills += outcome.fills.len();
        // Never more credit at a fill than allowed; prices move it later.
        if !settings.limits.shorts {
            assert!(
                outcome.units.iter().flatten().all(|u| *u >= 0.0),
                "seed {seed}"
            );
        }
        if settings.limits.max_positions == Some(1) {
            for bar in 0..outcome.equity.len() {
                let n = outcome.units.iter().filter(|u| u[bar] != 0.0).count();
                assert!(n <= 1, "seed {seed}, bar {bar}");
            }
        }
        if settings.limits.max_gross == 1.0 && !settings.limits.shorts {
            assert!(outcome.cash.iter().all(|c| *c > -1e-6), "seed {seed}");
        }
    }
    assert!(fills > 50_000, "{fills}");
}

#[test]
fn bars_after_t_change_nothing_before() {
    let sheets = with_events(sheets());
    for seed in 0..60 {
        let settings = Settings {
            finalize: false,
            ..random_settings(seed)
        };
        let whole = simulate(&market(&sheets), &settings, &mut anything(seed)).unwrap();
        let t = 100 + 11 * seed as usize;
        let mut changed = sheets.clone();
        for sheet in &mut changed {
            // Real bars of another time in place of what comes after t: in the order from the end.
            let n = sheet.close.len();
            for bar in t + 1..n {
                let from = n - 1 - (bar - t - 1);
                let other = sheets[0].symbol == sheet.symbol;
                let source = if other { &sheets[1] } else { &sheets[0] };
                sheet.open[bar] = source.open[from];
                sheet.high[bar] = source.high[from];
                sheet.low[bar] = source.low[from];
                sheet.close[bar] = source.close[from];
                sheet.volume[bar] = source.volume[from];
            }
            sheet.events.retain(|e| e.bar <= t);
        }
        let part = simulate(&market(&changed), &settings, &mut anything(seed)).unwrap();
        assert_eq!(whole.equity[..=t], part.equity[..=t], "seed {seed}");
        assert_eq!(whole.cash[..=t], part.cash[..=t], "seed {seed}");
        let until =
            |o: &Outcome| -> Vec<_> { o.fills.iter().filter(|f| f.bar <= t).copied().collect() };
        assert_eq!(until(&whole), until(&part), "seed {seed}");
        assert_ne!(whole.equity, part.equity, "seed {seed}");
    }
}

#[test]
fn a_strategy_that_does_not_trade_earns_interest_only() {
    let sheets = with_events(sheets());
    let settings = Settings {
        costs: Costs {
            cash_rate: 0.03,
            ..random_settings(1).costs
        },
        cash: 1000.0,
        ..Settings::default()
    };
    let mut nothing = |_: &View<'_>, _: &mut Orders| {};
    let outcome = simulate(&market(&sheets), &settings, &mut nothing).unwrap();
    for (bar, equity) in outcome.equity.iter().enumerate() {
        let want = 1000.0 * (1.0 + 0.03f64 / 252.0).powi(bar as i32);
        assert!(same(*equity, want), "bar {bar}");
    }
    assert!(outcome.fills.is_empty() && outcome.trades.is_empty());
}

#[test]
fn doubling_costs_never_raises_profit() {
    // The same list of orders in units, so that costs change what is paid and not what is done.
    let sheets = sheets();
    let market = market(&sheets);
    for seed in 0..100 {
        let mut rng = random(seed);
        let list: Vec<Vec<(usize, f64)>> = (0..market.bars())
            .map(|_| {
                if rng.gen_bool(0.1) {
                    vec![(rng.gen_range(0..3), rng.gen_range(-20i32..20) as f64)]
                } else {
                    Vec::new()
                }
            })
            .collect();
        let mut last = f64::INFINITY;
        for factor in [0.0, 1.0, 2.0, 4.0] {
            let settings = Settings {
                cash: 1e7,
                costs: Costs {
                    per_share: 0.01,
                    per_trade: 1.0,
                    rate: 0.001,
                    minimum: 1.0,
                    spread: 0.0004,
                    slippage: if seed.is_multiple_of(2) {
                        Slippage::Share(0.0005)
                    } else {
                        Slippage::VolumeShare { impact: 1e6 }
                    },
                    borrow_rate: 0.02,
                    ..Costs::default()
                }
                .times(factor),
                ..Settings::default()
            };
            let mut orders = |view: &View<'_>, orders: &mut Orders| {
                for (asset, units) in &list[view.bar()] {
                    orders.submit(Order::market(*asset, Size::Units(*units), "list"));
                }
            };
            let outcome = simulate(&market, &settings, &mut orders).unwrap();
            let end = outcome.equity[outcome.equity.len() - 1];
            assert!(end < last, "seed {seed}, costs times {factor}");
            last = end;
        }
    }
}

#[test]
fn the_lean_path_gives_the_numbers_of_the_engine() {
    let sheets = sheets();
    for seed in 0..600u64 {
        let mut rng = random(seed);
        let sheet = &sheets[rng.gen_range(0..3)];
        let bars = rng.gen_range(2..sheet.close.len());
        let cut = sheet.cut(0, bars);
        let p = [0.01, 0.1, 0.5][rng.gen_range(0..3)];
        let (buy, sell) = (coins(&mut rng, bars, p), coins(&mut rng, bars, p));
        let base = random_settings(seed);
        let settings = Settings {
            costs: Costs {
                slippage: if seed.is_multiple_of(2) {
                    Slippage::Share(0.001)
                } else {
                    Slippage::None
                },
                volume_limit: None,
                cash_rate: 0.0,
                margin_rate: 0.0,
                ..base.costs
            },
            limits: Limits::default(),
            timing: Timing::NextOpen,
            finalize: false,
            ..base
        };
        let plan = Plan {
            enter_long: buy.clone(),
            exit_long: sell.clone(),
            weight: vec![1.0; bars],
            ..Plan::default()
        };
        let cuts = [cut];
        let outcome = simulate(
            &market(&cuts),
            &settings,
            &mut Signals { plans: vec![plan] },
        )
        .unwrap();
        // An exit stands above an entry of the same close.
        let decisions = (0..bars)
            .filter(|t| buy[*t] || sell[*t])
            .map(|t| (t, !sell[t]));
        let found = lean(&cuts[0].open, &cuts[0].close, &settings, decisions).unwrap();
        let end = outcome.equity[bars - 1];
        assert_eq!(found.final_equity.to_bits(), end.to_bits(), "seed {seed}");
        let drawdown = performance::max_drawdown(&outcome.equity);
        assert_eq!(found.max_drawdown, drawdown, "seed {seed}");
        assert_eq!(found.n_trades, outcome.trades.len(), "seed {seed}");
        assert_eq!(
            found.wins,
            outcome.trades.iter().filter(|t| t.pnl > 0.0).count()
        );
        assert_eq!(
            found.held,
            outcome.units[0].iter().filter(|u| **u > 0.0).count()
        );
        let r = performance::returns(&outcome.equity);
        assert!(same(found.sum, r.iter().sum()), "seed {seed}");
        let squares: f64 = r.iter().map(|r| r * r).sum();
        assert!(same(found.sum_of_squares, squares), "seed {seed}");
    }
}

#[test]
fn crossings_are_those_of_the_definition() {
    let sheets = sheets();
    for seed in 0..200u64 {
        let mut rng = random(seed);
        let all = &sheets[0].close;
        let (n, shift) = (rng.gen_range(1..all.len()), rng.gen_range(0..40));
        let from = rng.gen_range(0..=all.len() - n);
        // Two prices that cross often, with unknown ones at the start and ties between.
        let mut fast = all[from..from + n].to_vec();
        let mut slow: Vec<f64> = (0..n).map(|t| fast[t.saturating_sub(shift)]).collect();
        slow[..n.min(5)].fill(f64::NAN);
        for t in (0..n).step_by(7) {
            fast[t] = slow[t];
        }
        let first = rng.gen_range(0..8);
        let want: Vec<(usize, bool)> = (first.max(1)..n)
            .filter_map(|t| {
                let up = fast[t - 1] < slow[t - 1] && fast[t] > slow[t];
                let down = fast[t - 1] > slow[t - 1] && fast[t] < slow[t];
                (up || down).then_some((t, up))
            })
            .collect();
        let found: Vec<_> = Crossover::new(&fast, &slow, first).collect();
        assert_eq!(found, want, "seed {seed}");
    }
}

#[test]
fn weights_are_brought_back_when_it_is_time() {
    let sheets = sheets();
    let market = market(&sheets);
    let bars = market.bars();
    let targets = vec![vec![0.5; bars], vec![0.3; bars], vec![0.2; bars]];
    let settings = Settings {
        whole_shares: false,
        ..Settings::default()
    };
    let days = |o: &Outcome| {
        let mut days: Vec<usize> = o.fills.iter().map(|f| f.bar).collect();
        days.dedup();
        days
    };
    let run = |rebalance| {
        simulate(
            &market,
            &settings,
            &mut Weights::new(targets.clone(), rebalance),
        )
        .unwrap()
    };
    // Every 100 bars, decided on the close and filled the bar after.
    assert_eq!(
        days(&run(Rebalance::Bars(100))),
        [1, 101, 201, 301, 401, 501, 601, 701]
    );
    // 2004-06-01 starts; then one a month to June 2007: 37 months.
    assert_eq!(days(&run(Rebalance::Month)).len(), 37);
    assert_eq!(days(&run(Rebalance::Change)), [1]);
    let drift = run(Rebalance::Drift(0.05));
    for bar in days(&drift).into_iter().skip(1) {
        let off = (0..3).any(|a| {
            let value = drift.units[a][bar - 1] * sheets[a].close[bar - 1];
            (value / drift.equity[bar - 1] - targets[a][0]).abs() > 0.05
        });
        assert!(off, "bar {bar}");
    }
    // At the open of the rebalancing the weights are the targets.
    let every = run(Rebalance::Bars(1));
    for bar in 2..bars {
        let open: f64 = (0..3)
            .map(|a| every.units[a][bar] * sheets[a].open[bar])
            .sum();
        for ((units, sheet), target) in every.units.iter().zip(&sheets).zip(&targets) {
            let w = units[bar] * sheet.open[bar] / (open + every.cash[bar]);
            assert!((w - target[bar]).abs() < 1e-9, "bar {bar}: {w}");
        }
    }
}

#[test]
fn guards_that_are_not_known_yet_open_nothing() {
    let sheets = sheets();
    let market = market(&sheets[..1]);
    let bars = market.bars();
    let mut atr = vec![f64::NAN; bars];
    atr[50..].fill(1.0);
    let plan = Plan {
        enter_long: vec![true; bars],
        exit_long: vec![false; bars],
        weight: vec![1.0; bars],
        stop: Guard::Amount(atr),
        ..Plan::default()
    };
    let outcome = simulate(
        &market,
        &Settings::default(),
        &mut Signals { plans: vec![plan] },
    )
    .unwrap();
    assert_eq!(outcome.fills[0].bar, 51);
}
