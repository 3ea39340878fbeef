//! An independent, plain re-implementation of what the engine promises, in another style: a list of
//! what happens to each position on each day, with no order book. It agrees to the cent on
//! thousands of random strategies over real bars.

use crate::bars::{Sheet, coins, market, random, sheets};
use mltrainer_backtest::engine::{
    Action, Away, Costs, Event, Guard, Limits, Plan, Settings, Signals, Slippage, simulate,
};
use rand::Rng;

struct Held {
    symbol: usize,
    shares: f64,
    short: bool,
    paid: f64,
    /// Currency that flowed out (in, below 0) for it, costs included.
    spent: f64,
    stop: Option<f64>,
    target: Option<f64>,
    trail: Option<f64>,
    best: f64,
    since: usize,
}

struct Costing {
    per_share: f64,
    per_trade: f64,
    rate: f64,
    away: f64,
    borrow: f64,
    interest: f64,
}

struct Strategy {
    enter_long: Vec<Vec<bool>>,
    exit_long: Vec<Vec<bool>>,
    enter_short: Vec<Vec<bool>>,
    exit_short: Vec<Vec<bool>>,
    weight: f64,
    stop: Option<f64>,
    target: Option<f64>,
    trail: Option<f64>,
    max_bars: Option<usize>,
    whole: bool,
    cash: f64,
}

/// What is to be done at the next open.
#[derive(Clone, Copy, PartialEq)]
enum Todo {
    Nothing,
    Flat,
    Long,
    Short,
}

/// Equity a day, and the profit of each closed position.
fn by_hand(sheets: &[Sheet], s: &Strategy, c: &Costing) -> (Vec<f64>, Vec<f64>) {
    let days = sheets[0].close.len();
    let mut cash = s.cash;
    let mut held: Vec<Held> = Vec::new();
    let mut todo = vec![Todo::Nothing; sheets.len()];
    let mut equity = Vec::new();
    let mut profits = Vec::new();
    let commission =
        |shares: f64, price: f64| c.per_trade + c.per_share * shares + c.rate * shares * price;
    for day in 0..days {
        // Overnight.
        if day > 0 {
            let owed: f64 = held
                .iter()
                .filter(|h| h.short)
                .map(|h| h.shares * sheets[h.symbol].close[day - 1])
                .sum();
            if cash - owed > 0.0 {
                cash += (cash - owed) * c.interest / 252.0;
            }
            for h in held.iter_mut().filter(|h| h.short) {
                let fee = h.shares * sheets[h.symbol].close[day - 1] * c.borrow / 252.0;
                cash -= fee;
                h.spent += fee;
            }
        }
        for (symbol, sheet) in sheets.iter().enumerate() {
            for event in sheet.events.iter().filter(|e| e.bar == day) {
                for h in held.iter_mut().filter(|h| h.symbol == symbol) {
                    match event.action {
                        Action::Split(r) => {
                            h.shares *= r;
                            h.paid /= r;
                            h.best /= r;
                            h.stop = h.stop.map(|p| p / r);
                            h.target = h.target.map(|p| p / r);
                        }
                        Action::Dividend(d) => {
                            let sign = if h.short { -1.0 } else { 1.0 };
                            cash += sign * d * h.shares;
                            h.spent -= sign * d * h.shares;
                        }
                        Action::Delisting(_) => unreachable!(),
                    }
                }
            }
        }
        // A closed position: what it brought.
        let mut close = |h: &Held, quote: f64, floor: Option<f64>, cash: &mut f64| {
            let mut price = if h.short {
                quote * (1.0 + c.away)
            } else {
                quote * (1.0 - c.away)
            };
            if let Some(limit) = floor {
                price = if h.short {
                    price.min(limit)
                } else {
                    price.max(limit)
                };
            }
            let flow =
                if h.short { -1.0 } else { 1.0 } * h.shares * price - commission(h.shares, price);
            *cash += flow;
            profits.push(flow - h.spent);
        };
        let stop_of = |h: &Held| {
            let trail = h.trail.map(|t| {
                if h.short {
                    h.best * (1.0 + t)
                } else {
                    h.best * (1.0 - t)
                }
            });
            match (h.stop, trail) {
                (Some(a), Some(b)) if h.short => Some(a.min(b)),
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            }
        };
        // The open: what jumped over a level or is too old.
        let mut left = Vec::new();
        for h in held {
            let open = sheets[h.symbol].open[day];
            let beyond = |level: f64, up: bool| if up { open >= level } else { open <= level };
            if stop_of(&h).is_some_and(|p| beyond(p, h.short)) {
                close(&h, open, None, &mut cash);
            } else if h.target.is_some_and(|p| beyond(p, !h.short)) {
                close(&h, open, h.target, &mut cash);
            } else if s.max_bars.is_some_and(|m| day >= h.since + m) {
                close(&h, open, None, &mut cash);
            } else {
                left.push(h);
            }
        }
        held = left;
        // Then the orders of the evening before: those that end a position or turn it round come
        // first.
        let mut turned = Vec::new();
        for round in 0..2 {
            for symbol in 0..sheets.len() {
                let want = todo[symbol];
                let open = sheets[symbol].open[day];
                let place = held.iter().position(|h| h.symbol == symbol);
                let reduces = place
                    .is_some_and(|p| want == Todo::Flat || (want == Todo::Long) == held[p].short);
                if want == Todo::Nothing || (round == 0) != reduces {
                    continue;
                }
                if turned.contains(&symbol) {
                    continue;
                }
                let turns = want != Todo::Flat;
                if let Some(place) = place {
                    if !reduces {
                        // An entry into what is already held adds to it: not in this test.
                        unreachable!();
                    }
                    let h = held.remove(place);
                    close(&h, open, None, &mut cash);
                    turned.push(symbol);
                }
                if !turns {
                    continue;
                }
                let short = want == Todo::Short;
                let worth = |h: &Held| h.shares * sheets[h.symbol].open[day];
                let all: f64 = held
                    .iter()
                    .map(|h| if h.short { -worth(h) } else { worth(h) })
                    .sum();
                let shorts: f64 = held.iter().filter(|h| h.short).map(worth).sum();
                let equity = cash + all;
                let price = if short {
                    open * (1.0 - c.away)
                } else {
                    open * (1.0 + c.away)
                };
                let fee = if place.is_some() { 0.0 } else { c.per_trade };
                let budget = (s.weight * equity).min(cash - 2.0 * shorts);
                let mut shares = (budget - fee) / (price * (1.0 + c.rate) + c.per_share);
                if s.whole {
                    shares = shares.floor();
                }
                if shares * price < 1e-8 {
                    continue;
                }
                let cost =
                    commission(shares, price) - if place.is_some() { c.per_trade } else { 0.0 };
                let flow = if short { 1.0 } else { -1.0 } * shares * price - cost;
                cash += flow;
                let level = |x: Option<f64>, up: bool| {
                    x.map(|x| {
                        if up {
                            price * (1.0 + x)
                        } else {
                            price * (1.0 - x)
                        }
                    })
                };
                held.push(Held {
                    symbol,
                    shares,
                    short,
                    paid: price,
                    spent: -flow,
                    stop: level(s.stop, short),
                    target: level(s.target, !short),
                    trail: s.trail,
                    best: price,
                    since: day,
                });
            }
        }
        // The day's range.
        held.sort_by_key(|h| h.symbol);
        let mut left = Vec::new();
        for mut h in held {
            let bars = &sheets[h.symbol];
            let (open, high, low) = (bars.open[day], bars.high[day], bars.low[day]);
            let stop = stop_of(&h);
            let stopped = stop.is_some_and(|p| if h.short { high >= p } else { low <= p });
            let won = h
                .target
                .is_some_and(|p| if h.short { low <= p } else { high >= p });
            if stopped {
                let p = stop.unwrap();
                let p = if h.short { p.max(open) } else { p.min(open) };
                close(&h, p, None, &mut cash);
            } else if won {
                let p = h.target.unwrap();
                let quote = if h.short { p.min(open) } else { p.max(open) };
                close(&h, quote, Some(p), &mut cash);
            } else {
                h.best = if h.short {
                    h.best.min(low)
                } else {
                    h.best.max(high)
                };
                left.push(h);
            }
        }
        held = left;
        let value: f64 = held
            .iter()
            .map(|h| h.shares * sheets[h.symbol].close[day] * if h.short { -1.0 } else { 1.0 })
            .sum();
        equity.push(cash + value);
        // The evening: what is to be done tomorrow.
        for (symbol, todo) in todo.iter_mut().enumerate() {
            let (el, xl) = (s.enter_long[symbol][day], s.exit_long[symbol][day]);
            let (es, xs) = (s.enter_short[symbol][day], s.exit_short[symbol][day]);
            *todo = match held.iter().find(|h| h.symbol == symbol) {
                None if el && !es && !xl => Todo::Long,
                None if es && !el && !xs => Todo::Short,
                None => Todo::Nothing,
                Some(h) if !h.short && es && !xs => Todo::Short,
                Some(h) if !h.short && xl => Todo::Flat,
                Some(h) if h.short && el && !xl => Todo::Long,
                Some(h) if h.short && xs => Todo::Flat,
                Some(_) => Todo::Nothing,
            };
        }
    }
    (equity, profits)
}

fn pick<T: Copy>(rng: &mut impl Rng, all: &[T]) -> T {
    all[rng.gen_range(0..all.len())]
}

#[test]
fn agrees_to_the_cent_on_thousands_of_random_strategies() {
    let all = sheets();
    let (mut trades, mut reasons) = (0, std::collections::BTreeMap::<&str, usize>::new());
    for seed in 0..3000u64 {
        let mut rng = random(seed);
        let bars = rng.gen_range(20..160);
        let from = rng.gen_range(0..all[0].close.len() - bars);
        let count = rng.gen_range(1..=3);
        let first = rng.gen_range(0..3);
        let mut cut: Vec<Sheet> = (0..count)
            .map(|i| all[(first + i) % 3].cut(from, bars))
            .collect();
        for sheet in &mut cut {
            // The split that was one, and dividends of the size that IBM paid then.
            if sheet.symbol == "AAPL" && (from..from + bars).contains(&187) {
                let bar = 187 - from;
                sheet.events.push(Event {
                    bar,
                    action: Action::Split(2.0),
                });
            } else if rng.gen_bool(0.5) {
                for bar in (rng.gen_range(0..60)..bars).step_by(63) {
                    sheet.events.push(Event {
                        bar,
                        action: Action::Dividend(0.18),
                    });
                }
            }
        }
        let shorts = rng.gen_bool(0.6);
        let p = pick(&mut rng, &[0.02, 0.1, 0.4]);
        let columns = |rng: &mut _, p: f64| -> Vec<Vec<bool>> {
            (0..count).map(|_| coins(rng, bars, p)).collect()
        };
        let some = |rng: &mut rand_xoshiro::Xoshiro256PlusPlus, all: &[f64]| {
            rng.gen_bool(0.5).then(|| pick(rng, all))
        };
        let s = Strategy {
            enter_long: columns(&mut rng, p),
            exit_long: columns(&mut rng, p),
            enter_short: columns(&mut rng, if shorts { p } else { 0.0 }),
            exit_short: columns(&mut rng, if shorts { p } else { 0.0 }),
            weight: pick(&mut rng, &[1.0, 0.5, 0.3, 2.0]),
            stop: some(&mut rng, &[0.005, 0.02, 0.05]),
            target: some(&mut rng, &[0.005, 0.02, 0.06]),
            trail: some(&mut rng, &[0.01, 0.03]),
            max_bars: rng.gen_bool(0.5).then(|| pick(&mut rng, &[1, 3, 10])),
            whole: rng.gen_bool(0.5),
            cash: pick(&mut rng, &[500.0, 10_000.0, 1e6]),
        };
        let c = Costing {
            per_share: pick(&mut rng, &[0.0, 0.005]),
            per_trade: pick(&mut rng, &[0.0, 1.0]),
            rate: pick(&mut rng, &[0.0, 0.001]),
            away: pick(&mut rng, &[0.0, 0.0005, 0.002]),
            borrow: pick(&mut rng, &[0.0, 0.03]),
            interest: pick(&mut rng, &[0.0, 0.04]),
        };
        let (equity, profits) = by_hand(&cut, &s, &c);
        let settings = Settings {
            cash: s.cash,
            whole_shares: s.whole,
            limits: Limits::default(),
            costs: Costs {
                per_share: c.per_share,
                per_trade: c.per_trade,
                rate: c.rate,
                // The same distance in two ways.
                spread: if seed % 2 == 0 { 2.0 * c.away } else { 0.0 },
                slippage: if seed % 2 == 0 {
                    Slippage::None
                } else {
                    Slippage::Share(c.away)
                },
                borrow_rate: c.borrow,
                cash_rate: c.interest,
                ..Costs::default()
            },
            ..Settings::default()
        };
        let guard = |x: Option<f64>| x.map_or(Guard::None, |x| Guard::Same(Away::Share(x)));
        let plans = (0..count)
            .map(|a| Plan {
                enter_long: s.enter_long[a].clone(),
                exit_long: s.exit_long[a].clone(),
                enter_short: s.enter_short[a].clone(),
                exit_short: s.exit_short[a].clone(),
                weight: vec![s.weight; bars],
                stop: guard(s.stop),
                target: guard(s.target),
                trail: guard(s.trail),
                max_bars: s.max_bars,
                ..Plan::default()
            })
            .collect();
        let market = market(&cut);
        let outcome = simulate(&market, &settings, &mut Signals { plans }).unwrap();
        for (bar, (a, b)) in outcome.equity.iter().zip(&equity).enumerate() {
            assert!(
                (a - b).abs() < 0.005,
                "seed {seed}, bar {bar}: {a} is not {b}\n{:#?}",
                outcome
                    .fills
                    .iter()
                    .filter(|f| f.bar <= bar)
                    .map(|f| f.explain(cut[f.asset].symbol))
                    .collect::<Vec<_>>()
            );
        }
        // Profits in the same order, but that ends of one moment may be swapped.
        let sorted = |mut v: Vec<f64>| {
            v.sort_by(f64::total_cmp);
            v
        };
        let ours = sorted(outcome.trades.iter().map(|t| t.pnl).collect());
        let theirs = sorted(profits);
        assert_eq!(ours.len(), theirs.len(), "seed {seed}");
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() < 0.005, "seed {seed}: {a} is not {b}");
        }
        trades += ours.len();
        for trade in &outcome.trades {
            *reasons
                .entry(trade.exit_reason.unwrap().as_str())
                .or_default() += 1;
        }
    }
    // Every kind of exit was met often.
    assert!(trades > 20_000, "{trades}");
    for reason in [
        "market order",
        "stop loss reached",
        "open beyond the stop loss",
        "profit target reached",
        "open beyond the profit target",
        "trailing stop reached",
        "open beyond the trailing stop",
        "longest holding time over",
    ] {
        assert!(
            reasons.get(reason).is_some_and(|n| *n > 100),
            "{reason}: {reasons:?}"
        );
    }
}
