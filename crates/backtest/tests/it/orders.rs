//! Orders one by one, by hand. Prices here are closed forms of a case, not a market.

use mltrainer_backtest::engine::{
    Action, Asset, Away, Costs, EngineError, Event, Fill, Kind, Limits, Market, Moment, Order,
    Orders, Outcome, Protection, Reason, Settings, Size, Slippage, Timing, View, simulate,
};

/// Bars `[open, high, low, close]`.
fn run(
    bars: &[[f64; 4]],
    settings: &Settings,
    events: &[Event],
    orders: &[(usize, Order)],
) -> Outcome {
    let column = |i: usize| -> Vec<f64> { bars.iter().map(|b| b[i]).collect() };
    let (open, high, low, close) = (column(0), column(1), column(2), column(3));
    let volume = vec![1000.0; bars.len()];
    let market = Market::new(
        vec![Asset {
            symbol: "X",
            open: &open,
            high: &high,
            low: &low,
            close: &close,
            volume: Some(&volume),
            events,
        }],
        None,
    )
    .unwrap();
    let mut strategy = |view: &View<'_>, book: &mut Orders| {
        for (bar, order) in orders {
            if *bar == view.bar() {
                book.submit(*order);
            }
        }
    };
    simulate(&market, settings, &mut strategy).unwrap()
}

fn buy(kind: Kind) -> Order {
    Order {
        kind,
        ..Order::market(0, Size::Units(10.0), "case")
    }
}

fn protected(protection: Protection) -> Order {
    Order {
        protection,
        ..buy(Kind::Market)
    }
}

const FLAT: [f64; 4] = [100.0, 100.0, 100.0, 100.0];

fn fills(o: &Outcome) -> Vec<(usize, Moment, Reason, f64)> {
    o.fills
        .iter()
        .map(|f| (f.bar, f.moment, f.reason, f.price))
        .collect()
}

#[test]
fn kinds_of_orders_fill_where_their_price_is_first_seen() {
    use Kind::{Limit, Market, Stop, StopLimit};
    let day = [100.0, 104.0, 96.0, 101.0];
    let at = |kind, day: [f64; 4]| {
        let o = run(
            &[FLAT, day, FLAT],
            &Settings::default(),
            &[],
            &[(0, buy(kind))],
        );
        fills(&o).first().map(|f| (f.0, f.2, f.3))
    };
    assert_eq!(at(Market, day), Some((1, Reason::Market, 100.0)));
    assert_eq!(at(Limit(97.0), day), Some((1, Reason::Limit, 97.0)));
    assert_eq!(at(Limit(96.0), day), Some((1, Reason::Limit, 96.0)));
    // The open is better than the limit.
    assert_eq!(at(Limit(102.0), day), Some((1, Reason::LimitAtOpen, 100.0)));
    // Not reached on the first day, and on the second the open is better.
    assert_eq!(at(Limit(95.0), day), None);
    assert_eq!(at(Stop(103.0), day), Some((1, Reason::Stop, 103.0)));
    assert_eq!(at(Stop(99.0), day), Some((1, Reason::StopAtOpen, 100.0)));
    assert_eq!(at(Stop(105.0), day), None);
    let both = |stop, limit| StopLimit { stop, limit };
    assert_eq!(at(both(103.0, 103.5), day), Some((1, Reason::Stop, 103.0)));
    // Woken at 103 with a limit of 98: waits, and on the next day no open is at most 98.
    assert_eq!(at(both(103.0, 98.0), day), None);
    // Woken at 103 with a limit of 100: fills at the open of the next day.
    assert_eq!(
        at(both(103.0, 100.0), day),
        Some((2, Reason::LimitAtOpen, 100.0))
    );
    assert_eq!(
        at(both(99.0, 100.0), day),
        Some((1, Reason::LimitAtOpen, 100.0))
    );
}

#[test]
fn a_stop_and_a_target_in_one_bar_are_the_stop() {
    let protection = Protection {
        stop: Some(Away::Share(0.05)),
        target: Some(Away::Amount(5.0)),
        ..Protection::default()
    };
    let exit = |days: &[[f64; 4]]| {
        let mut bars = vec![FLAT];
        bars.extend(days);
        let o = run(
            &bars,
            &Settings::default(),
            &[],
            &[(0, protected(protection))],
        );
        fills(&o)[1]
    };
    let wide = [100.0, 110.0, 90.0, 100.0];
    assert_eq!(exit(&[wide]), (1, Moment::Inside, Reason::StopLoss, 95.0));
    let up = [100.0, 105.0, 96.0, 100.0];
    assert_eq!(exit(&[up]), (1, Moment::Inside, Reason::Target, 105.0));
    // The open jumps over one of them.
    let low = [94.0, 110.0, 90.0, 100.0];
    assert_eq!(
        exit(&[FLAT, low]),
        (2, Moment::Open, Reason::StopLossAtOpen, 94.0)
    );
    let high = [107.0, 110.0, 90.0, 100.0];
    assert_eq!(
        exit(&[FLAT, high]),
        (2, Moment::Open, Reason::TargetAtOpen, 107.0)
    );
}

#[test]
fn an_entry_inside_a_bar_can_be_stopped_there_but_not_win_there() {
    let order = Order {
        protection: Protection {
            stop: Some(Away::Amount(3.0)),
            target: Some(Away::Amount(1.0)),
            ..Protection::default()
        },
        ..buy(Kind::Limit(98.0))
    };
    // From 100 down through 98; the high of 104 may have come before.
    let o = run(
        &[FLAT, [100.0, 104.0, 96.0, 98.0], [98.0, 99.5, 97.0, 98.0]],
        &Settings::default(),
        &[],
        &[(0, order)],
    );
    assert_eq!(fills(&o)[1], (2, Moment::Inside, Reason::Target, 99.0));
    // On the way down to 94 it passed 95.
    let o = run(
        &[FLAT, [100.0, 104.0, 94.0, 98.0]],
        &Settings::default(),
        &[],
        &[(0, order)],
    );
    assert_eq!(fills(&o)[1], (1, Moment::Inside, Reason::StopLoss, 95.0));
}

#[test]
fn a_trailing_stop_rises_with_the_bars_before() {
    let o = run(
        &[
            FLAT,
            [100.0, 110.0, 99.0, 109.0],
            // 5 % under 110 is 104.5; the high of this bar counts from the next one on.
            [109.0, 120.0, 106.0, 119.0],
            // 5 % under 120 is 114.
            [119.0, 121.0, 113.0, 115.0],
        ],
        &Settings::default(),
        &[],
        &[(
            0,
            protected(Protection {
                trail: Some(Away::Share(0.05)),
                ..Protection::default()
            }),
        )],
    );
    assert_eq!(fills(&o)[1], (3, Moment::Inside, Reason::Trailing, 114.0));
    let t = o.trades[0];
    // Whole bars held: 99 to 110 and 106 to 120; then the exit.
    assert!((t.mfe - 0.2).abs() < 1e-12 && (t.mae + 0.01).abs() < 1e-12);
    assert_eq!((t.bars(), t.pnl), (Some(2), 140.0));
}

#[test]
fn time_is_over_at_the_open() {
    let o = run(
        &[FLAT; 8],
        &Settings::default(),
        &[],
        &[(
            1,
            protected(Protection {
                max_bars: Some(3),
                ..Protection::default()
            }),
        )],
    );
    assert_eq!(fills(&o)[1], (5, Moment::Open, Reason::TimeExit, 100.0));
    assert_eq!(o.trades[0].bars(), Some(3));
}

#[test]
fn costs_of_a_fill_by_hand() {
    let settings = Settings {
        costs: Costs {
            per_share: 0.01,
            per_trade: 2.0,
            rate: 0.001,
            spread: 0.002,
            slippage: Slippage::Amount(0.05),
            ..Costs::default()
        },
        ..Settings::default()
    };
    let o = run(
        &[FLAT, FLAT, FLAT],
        &settings,
        &[],
        &[(0, buy(Kind::Market))],
    );
    let f: &Fill = &o.fills[0];
    // Half of 0.2 % of 100 is 0.1; commission 2 + 0.1 + 0.001 * 10 * 100.15.
    assert!((f.price - 100.15).abs() < 1e-12);
    assert!((f.commission - 3.1015).abs() < 1e-12);
    assert!((o.cash[1] - (10_000.0 - 1001.5 - 3.1015)).abs() < 1e-9);
    assert!((o.equity[1] - (o.cash[1] + 1000.0)).abs() < 1e-9);
    assert_eq!(
        f.explain("X"),
        "bought 10 X at the open of bar 1 at 100.15: market order, order 1 (case) decided on the \
         close of bar 0; quoted 100, half spread 0.1, slippage 0.05, commission 3.1015"
    );
}

#[test]
fn volume_limits_and_impact_by_hand() {
    // 2 % of 1000 shares a bar: 50 shares take three bars, 20 20 10.
    let settings = Settings {
        costs: Costs {
            volume_limit: Some(0.02),
            slippage: Slippage::VolumeShare { impact: 0.1 },
            ..Costs::default()
        },
        ..Settings::default()
    };
    let order = Order::market(0, Size::Units(50.0), "case");
    let o = run(&[FLAT; 6], &settings, &[], &[(0, order)]);
    let got: Vec<_> = o
        .fills
        .iter()
        .map(|f| (f.bar, f.units, f.open_units))
        .collect();
    assert_eq!(got, [(1, 20.0, 30.0), (2, 20.0, 10.0), (3, 10.0, 0.0)]);
    // 0.1 * 0.02^2 of the price; 0.1 * 0.01^2.
    assert!((o.fills[0].price - 100.0 * (1.0 + 0.1 * 0.0004)).abs() < 1e-9);
    assert!((o.fills[2].price - 100.0 * (1.0 + 0.1 * 0.0001)).abs() < 1e-9);
    // Out of time after two bars.
    let o = run(
        &[FLAT; 6],
        &settings,
        &[],
        &[(
            0,
            Order {
                good_for: Some(2),
                ..order
            },
        )],
    );
    assert_eq!((o.fills.len(), o.refused.len()), (2, 1));
}

#[test]
fn splits_dividends_and_delistings_by_hand() {
    let after = [40.0, 40.0, 40.0, 40.0];
    let events = [
        Event {
            bar: 2,
            action: Action::Dividend(1.5),
        },
        Event {
            bar: 2,
            action: Action::Split(2.5),
        },
        Event {
            bar: 4,
            action: Action::Delisting(38.0),
        },
    ];
    let order = Order {
        size: Size::Units(5.0),
        protection: Protection {
            stop: Some(Away::Share(0.2)),
            ..Protection::default()
        },
        ..buy(Kind::Market)
    };
    let bars = [FLAT, FLAT, after, after, [f64::NAN; 4], [f64::NAN; 4]];
    let o = run(
        &bars,
        &Settings::default(),
        &events,
        &[(0, order), (4, order)],
    );
    // 5 shares at 100: 7.5 of dividend, then 12.5 shares; half a share paid out at 40.
    assert!((o.cash[2] - (9_500.0 + 7.5 + 20.0)).abs() < 1e-9);
    assert_eq!(o.units[0][2], 12.0);
    assert_eq!(o.fills[1].reason, Reason::CashInLieu);
    // The stop of 80 became 32: it did not fire at 40. Delisted at 38.
    assert_eq!(fills(&o)[2], (4, Moment::Before, Reason::Delisting, 38.0));
    let end = 9_500.0 + 7.5 + 20.0 + 12.0 * 38.0;
    assert!((o.equity[5] - end).abs() < 1e-9);
    assert!((o.trades[0].pnl - (end - 10_000.0)).abs() < 1e-9);
    assert_eq!(o.refused[0].why, "the asset has left the market");
    // A short position pays the dividend.
    let short = Order {
        size: Size::Units(-5.0),
        ..order
    };
    let o = run(&bars, &Settings::default(), &events[..1], &[(0, short)]);
    assert!((o.cash[2] - (10_500.0 - 7.5)).abs() < 1e-9);
}

#[test]
fn interest_and_fees_by_hand() {
    let settings = Settings {
        costs: Costs {
            cash_rate: 0.0252,
            margin_rate: 0.0504,
            borrow_rate: 0.126,
            ..Costs::default()
        },
        limits: Limits {
            max_gross: 3.0,
            ..Limits::default()
        },
        ..Settings::default()
    };
    let sell = Order {
        size: Size::Units(-10.0),
        ..buy(Kind::Market)
    };
    // Bar 1: interest 1.00 on 10,000 and the sale: cash 11,001. Bar 2: interest on 10,001, and a fee
    // of 0.126/252 on 1,000.
    let o = run(&[FLAT; 3], &settings, &[], &[(0, sell)]);
    assert!((o.cash[1] - 11_001.0).abs() < 1e-9);
    assert!((o.cash[2] - (11_001.0 + 1.0001 - 0.5)).abs() < 1e-9);
    // 200 shares on credit: cash -9,999; 0.0504/252 on it.
    let many = Order {
        size: Size::Units(200.0),
        ..buy(Kind::Market)
    };
    let o = run(&[FLAT; 3], &settings, &[], &[(0, many)]);
    assert!((o.cash[2] - (-9_999.0 - 1.9998)).abs() < 1e-9);
}

#[test]
fn timings_by_hand() {
    let bars = [
        [10.0, 12.0, 9.0, 11.0],
        [13.0, 15.0, 12.0, 14.0],
        [16.0, 16.0, 16.0, 16.0],
    ];
    for (timing, at) in [
        (Timing::NextOpen, (1, Moment::Open, Reason::Market, 13.0)),
        (Timing::NextClose, (1, Moment::Close, Reason::Market, 14.0)),
        (Timing::ThisClose, (0, Moment::Close, Reason::Market, 11.0)),
    ] {
        let settings = Settings {
            timing,
            finalize: true,
            ..Settings::default()
        };
        let o = run(&bars, &settings, &[], &[(0, buy(Kind::Market))]);
        assert_eq!(fills(&o)[0], at);
        assert_eq!(fills(&o)[1], (2, Moment::Close, Reason::End, 16.0));
    }
}

#[test]
fn limits_shrink_what_opens_and_say_why_nothing_is_left() {
    let settings = Settings {
        limits: Limits {
            max_weight: Some(0.25),
            shorts: false,
            ..Limits::default()
        },
        ..Settings::default()
    };
    let order = |size| (0, Order::market(0, size, "case"));
    let o = run(&[FLAT; 3], &settings, &[], &[order(Size::Weight(0.9))]);
    assert_eq!(o.fills[0].units, 25.0);
    let o = run(&[FLAT; 3], &settings, &[], &[order(Size::Weight(-0.9))]);
    assert_eq!(o.refused[0].why, "short positions are not allowed");
    // 2 % of 10,000 at a stop of 4 a share: 50 shares.
    let risk = Order {
        protection: Protection {
            stop: Some(Away::Amount(4.0)),
            ..Protection::default()
        },
        max_risk: Some(0.02),
        ..Order::market(0, Size::Weight(1.0), "case")
    };
    let o = run(&[FLAT; 3], &Settings::default(), &[], &[(0, risk)]);
    assert_eq!(o.fills[0].units, 50.0);
    let poor = Settings {
        cash: 99.0,
        ..Settings::default()
    };
    let o = run(&[FLAT; 3], &poor, &[], &[order(Size::Weight(1.0))]);
    assert_eq!(o.refused[0].why, "not enough room or cash for one share");
}

#[test]
fn a_short_position_that_costs_everything_ends_the_test() {
    let up = [300.0, 300.0, 300.0, 300.0];
    let sell = (0, Order::market(0, Size::Weight(-1.0), "case"));
    let o = run(
        &[FLAT, FLAT, up, up, up],
        &Settings::default(),
        &[],
        &[sell, (3, buy(Kind::Market))],
    );
    assert_eq!(o.ruined, Some(2));
    assert_eq!(fills(&o)[1], (3, Moment::Open, Reason::Ruin, 300.0));
    assert_eq!(o.refused[0].why, "no equity left");
    assert_eq!(o.equity[4], -10_000.0);
}

#[test]
fn what_cannot_be_used_is_told_with_symbol_and_bar() {
    let close = [10.0, 10.0, 10.0];
    let asset = |open: &'static [f64], events: &'static [Event]| Asset {
        symbol: "X",
        open,
        high: &[10.0, 11.0, 12.0],
        low: &[9.0, 9.0, 9.0],
        close: &[10.0, 10.0, 10.0],
        volume: None,
        events,
    };
    let told = |a: Asset<'_>| Market::new(vec![a], None).unwrap_err().to_string();
    assert_eq!(
        told(asset(&[10.0, 13.0, 10.0], &[])),
        "X, bar 1: open 13 and close 10 do not lie between low 9 and high 11"
    );
    assert_eq!(
        told(asset(&[10.0, 10.0, -1.0], &[])),
        "X, bar 2: open -1 is not a price above 0"
    );
    assert_eq!(
        told(asset(&[10.0, f64::NAN, 10.0], &[])),
        "X, bar 1: open NaN is not a price above 0"
    );
    assert_eq!(
        told(asset(&[10.0], &[])),
        "X: column open has 1 bars, the market has 3"
    );
    static EVENTS: [Event; 1] = [Event {
        bar: 1,
        action: Action::Split(0.0),
    }];
    assert_eq!(
        told(asset(&[10.0, 10.0, 10.0], &EVENTS)),
        "X, bar 1: split ratio 0 is not above 0"
    );
    let good = asset(&[10.0, 10.0, 10.0], &[]);
    assert_eq!(
        Market::new(vec![good, good], None).unwrap_err().to_string(),
        "X: the symbol is there twice"
    );
    let market = Market::new(vec![good], None).unwrap();
    let mut nothing = |_: &View<'_>, _: &mut Orders| {};
    let bad = Settings {
        costs: Costs {
            rate: -0.1,
            ..Costs::default()
        },
        ..Settings::default()
    };
    let told = simulate(&market, &bad, &mut nothing).unwrap_err();
    assert_eq!(
        told,
        EngineError::Setting {
            field: "commission rate",
            what: "-0.1 is not a number of at least 0".to_owned()
        }
    );
    let bad = Settings {
        costs: Costs {
            volume_limit: Some(0.1),
            ..Costs::default()
        },
        ..Settings::default()
    };
    assert_eq!(
        simulate(&market, &bad, &mut nothing)
            .unwrap_err()
            .to_string(),
        "X: the volume limit or impact needs a column volume"
    );
    assert_eq!(close.len(), 3);
}
