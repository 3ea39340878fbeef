//! Hikkakes: a false breakout from inside bars, doubled when a later close confirms it.

use super::engine::{Candle, Candles, NEAR, Pattern, Rule, Watch};

/// Candles that may confirm a hikkake.
const PATIENCE: usize = 3;

/// Whether a candle lies within the range of another one.
fn inside(c: &Candle, other: &Candle) -> bool {
    c.high < other.high && c.low > other.low
}

/// 100 for a lower high and low, -100 for a higher high and low.
fn breakout(c: &Candle, before: &Candle) -> i32 {
    if c.high < before.high && c.low < before.low {
        100
    } else if c.high > before.high && c.low > before.low {
        -100
    } else {
        0
    }
}

/// Begins a wait for the close to come back beyond the candle before the breakout, or goes on with one.
fn watched(signal: i32, candles: &Candles<'_>, watch: &mut Watch) -> i32 {
    let [before, c] = candles.last();
    if signal != 0 {
        *watch = Watch {
            signal,
            beyond: if signal > 0 { before.high } else { before.low },
            left: PATIENCE,
        };
        return signal;
    }
    if watch.left == 0 {
        return 0;
    }
    watch.left -= 1;
    let confirmed = if watch.signal > 0 {
        c.close > watch.beyond
    } else {
        c.close < watch.beyond
    };
    if confirmed {
        watch.left = 0;
        return 2 * watch.signal;
    }
    0
}

/// An inside candle, then a breakout; 200 when a close goes back beyond the inside candle.
pub(super) const HIKKAKE: Pattern = Pattern {
    early: 3,
    rule: Rule::Watched(|candles, _, watch| {
        let [a, b, c] = candles.last();
        let signal = if inside(&b, &a) { breakout(&c, &b) } else { 0 };
        watched(signal, candles, watch)
    }),
    ..Pattern::shape("hikkake", 5, &[], |_, _| 0)
};

/// Two inside candles, the first with its close near its low (high), then a breakout down (up); 200 when
/// a close goes back beyond the second.
pub(super) const HIKKAKE_MODIFIED: Pattern = Pattern {
    early: 3,
    rule: Rule::Watched(|candles, &[near, ..], watch| {
        let [a, b, c, d] = candles.last();
        let signal = match breakout(&d, &c) {
            _ if !(inside(&b, &a) && inside(&c, &b)) => 0,
            up if up > 0 && b.close <= b.low + near => up,
            down if down < 0 && b.close >= b.high - near => down,
            _ => 0,
        };
        watched(signal, candles, watch)
    }),
    ..Pattern::shape("hikkakemod", 10, &[(NEAR, 2)], |_, _| 0)
};
