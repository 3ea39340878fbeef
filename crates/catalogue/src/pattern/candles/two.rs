//! Patterns of two candles.

use super::engine::{
    Averages, BODY_DOJI, BODY_LONG, BODY_SHORT, Candle, Candles, EQUAL, NEAR, Pattern,
    SHADOW_VERY_SHORT, bearish, bullish,
};

/// Whether two prices are no further apart than `by`.
fn level(price: f64, with: f64, by: f64) -> bool {
    price <= with + by && price >= with - by
}

/// Two long candles of opposite colours with about equal closes.
pub(super) const COUNTERATTACK: Pattern = Pattern::shape(
    "counterattack",
    11,
    &[(EQUAL, 1), (BODY_LONG, 1), (BODY_LONG, 0)],
    |candles, &[equal, long_a, long_b, ..]| {
        let [a, b] = candles.last();
        bullish(
            a.color() == -b.color()
                && a.body() > long_a
                && b.body() > long_b
                && level(b.close, a.close, equal),
        ) * b.color()
    },
);

/// A long white candle, then a black one that opens above its high and closes well within its body.
pub(super) const DARK_CLOUD_COVER: Pattern = Pattern::penetrated(
    "darkcloudcover",
    11,
    &[(BODY_LONG, 1)],
    0.5,
    |candles, &[long, ..], penetration| {
        let [a, b] = candles.last();
        bearish(
            a.white()
                && a.body() > long
                && b.black()
                && b.open > a.high
                && b.close > a.open
                && b.close < a.close - a.body() * penetration,
        )
    },
);

/// A long candle, then a doji beyond its close.
pub(super) const DOJI_STAR: Pattern = Pattern::shape(
    "dojistar",
    11,
    &[(BODY_LONG, 1), (BODY_DOJI, 0)],
    |candles, &[long, doji, ..]| {
        let [a, b] = candles.last();
        let gap = if a.white() {
            b.gaps_up(&a)
        } else {
            b.gaps_down(&a)
        };
        bearish(a.body() > long && b.body() <= doji && gap) * a.color()
    },
);

/// A body that engulfs one of the other colour: 80 when one end is equal.
pub(super) const ENGULFING: Pattern = Pattern::shape("engulfing", 2, &[], |candles, _| {
    let [a, b] = candles.last();
    // No short cuts: which colour comes next is anybody's guess, also the processor's.
    let white = a.black() & b.white() & (b.close >= a.open) & (b.open <= a.close);
    let black = a.white() & b.black() & (b.open >= a.close) & (b.close <= a.open);
    let equal = i32::from(b.open == a.close) + i32::from(b.close == a.open);
    match equal {
        0 => bullish(white) + bearish(black),
        1 => 80 * (i32::from(white) - i32::from(black)),
        _ => 0,
    }
});

/// A short body over a long lower shadow, near or under the low before.
pub(super) const HAMMER: Pattern = Pattern::shape(
    "hammer",
    11,
    &[(BODY_SHORT, 0), (SHADOW_VERY_SHORT, 0), (NEAR, 1)],
    |candles, &[short, very_short, near, ..]| {
        let [a, b] = candles.last();
        bullish(
            b.body() < short
                && b.lower() > b.body()
                && b.upper() < very_short
                && b.bottom() <= a.low + near,
        )
    },
);

/// A short body over a long lower shadow, near or above the high before.
pub(super) const HANGING_MAN: Pattern = Pattern::shape(
    "hangingman",
    11,
    &[(BODY_SHORT, 0), (SHADOW_VERY_SHORT, 0), (NEAR, 1)],
    |candles, &[short, very_short, near, ..]| {
        let [a, b] = candles.last();
        bearish(
            b.body() < short
                && b.lower() > b.body()
                && b.upper() < very_short
                && b.bottom() >= a.high - near,
        )
    },
);

/// A body within the long one before: 80 when an end is equal.
fn harami(candles: &Candles<'_>, &[long, small, ..]: &Averages) -> i32 {
    let [a, b] = candles.last();
    if !(a.body() > long && b.body() <= small) {
        0
    } else if b.inside(&a) {
        -100 * a.color()
    } else if b.top() <= a.top() && b.bottom() >= a.bottom() {
        -80 * a.color()
    } else {
        0
    }
}

/// A short body within the long one before.
pub(super) const HARAMI: Pattern =
    Pattern::shape("harami", 11, &[(BODY_LONG, 1), (BODY_SHORT, 0)], harami);

/// A doji within the long body before.
pub(super) const HARAMI_CROSS: Pattern =
    Pattern::shape("haramicross", 11, &[(BODY_LONG, 1), (BODY_DOJI, 0)], harami);

/// A short black body within a long black one.
pub(super) const HOMING_PIGEON: Pattern = Pattern::shape(
    "homingpigeon",
    11,
    &[(BODY_LONG, 1), (BODY_SHORT, 0)],
    |candles, &[long, short, ..]| {
        let [a, b] = candles.last();
        bullish(
            a.black()
                && b.black()
                && a.body() > long
                && b.body() <= short
                && b.open < a.open
                && b.close > a.close,
        )
    },
);

/// A long black candle, then a white one that opens below its low.
fn opens_below(a: &Candle, b: &Candle, long: f64) -> bool {
    a.black() && a.body() > long && b.white() && b.open < a.low
}

/// A long black candle, then a white one from below its low to just above its close.
pub(super) const IN_NECK: Pattern = Pattern::shape(
    "inneck",
    11,
    &[(EQUAL, 1), (BODY_LONG, 1)],
    |candles, &[equal, long, ..]| {
        let [a, b] = candles.last();
        bearish(opens_below(&a, &b, long) && b.close <= a.close + equal && b.close >= a.close)
    },
);

/// A short body under a long upper shadow, below the body before.
pub(super) const INVERTED_HAMMER: Pattern = Pattern::shape(
    "invertedhammer",
    11,
    &[(BODY_SHORT, 0), (SHADOW_VERY_SHORT, 0)],
    |candles, &[short, very_short, ..]| {
        let [a, b] = candles.last();
        bullish(
            b.body() < short && b.upper() > b.body() && b.lower() < very_short && b.gaps_down(&a),
        )
    },
);

/// Two long candles without shadows, of opposite colours, with a gap between them.
fn kicks(a: &Candle, b: &Candle, &[short_a, short_b, long_a, long_b, ..]: &Averages) -> bool {
    let bare = |c: &Candle, long: f64, short: f64| {
        c.body() > long && c.upper() < short && c.lower() < short
    };
    let gap = if a.black() {
        b.low > a.high
    } else {
        b.high < a.low
    };
    a.color() == -b.color() && bare(a, long_a, short_a) && bare(b, long_b, short_b) && gap
}

/// Two long candles without shadows, of opposite colours, with a gap between them.
pub(super) const KICKING: Pattern = Pattern::shape(
    "kicking",
    11,
    &[
        (SHADOW_VERY_SHORT, 1),
        (SHADOW_VERY_SHORT, 0),
        (BODY_LONG, 1),
        (BODY_LONG, 0),
    ],
    |candles, averages| {
        let [a, b] = candles.last();
        bullish(kicks(&a, &b, averages)) * b.color()
    },
);

/// The same; the longer of the two says the direction.
pub(super) const KICKING_BY_LENGTH: Pattern = Pattern::shape(
    "kickingbylength",
    11,
    &[
        (SHADOW_VERY_SHORT, 1),
        (SHADOW_VERY_SHORT, 0),
        (BODY_LONG, 1),
        (BODY_LONG, 0),
    ],
    |candles, averages| {
        let [a, b] = candles.last();
        let longer = if b.body() > a.body() { &b } else { &a };
        bullish(kicks(&a, &b, averages)) * longer.color()
    },
);

/// Two black candles with about equal closes.
pub(super) const MATCHING_LOW: Pattern =
    Pattern::shape("matchinglow", 6, &[(EQUAL, 1)], |candles, &[equal, ..]| {
        let [a, b] = candles.last();
        bullish(a.black() && b.black() && level(b.close, a.close, equal))
    });

/// A long black candle, then a white one from below its low to about its low.
pub(super) const ON_NECK: Pattern = Pattern::shape(
    "onneck",
    11,
    &[(EQUAL, 1), (BODY_LONG, 1)],
    |candles, &[equal, long, ..]| {
        let [a, b] = candles.last();
        bearish(opens_below(&a, &b, long) && level(b.close, a.low, equal))
    },
);

/// A long black candle, then a long white one from below its low to more than half up its body.
pub(super) const PIERCING: Pattern = Pattern::shape(
    "piercing",
    11,
    &[(BODY_LONG, 1), (BODY_LONG, 0)],
    |candles, &[long_a, long_b, ..]| {
        let [a, b] = candles.last();
        bullish(
            opens_below(&a, &b, long_a)
                && b.body() > long_b
                && b.close < a.open
                && b.close > a.close + a.body() * 0.5,
        )
    },
);

/// A candle, then a long one of the other colour from the same open, without a shadow there.
pub(super) const SEPARATING_LINES: Pattern = Pattern::shape(
    "separatinglines",
    11,
    &[(SHADOW_VERY_SHORT, 0), (BODY_LONG, 0), (EQUAL, 1)],
    |candles, &[very_short, long, equal, ..]| {
        let [a, b] = candles.last();
        let at_open = if b.white() { b.lower() } else { b.upper() };
        bullish(
            a.color() == -b.color()
                && level(b.open, a.open, equal)
                && b.body() > long
                && at_open < very_short,
        ) * b.color()
    },
);

/// A short body under a long upper shadow, above the body before.
pub(super) const SHOOTING_STAR: Pattern = Pattern::shape(
    "shootingstar",
    11,
    &[(BODY_SHORT, 0), (SHADOW_VERY_SHORT, 0)],
    |candles, &[short, very_short, ..]| {
        let [a, b] = candles.last();
        bearish(b.body() < short && b.upper() > b.body() && b.lower() < very_short && b.gaps_up(&a))
    },
);

/// A long black candle, then a white one from below its low into its body, but not to the middle.
pub(super) const THRUSTING: Pattern = Pattern::shape(
    "thrusting",
    11,
    &[(EQUAL, 1), (BODY_LONG, 1)],
    |candles, &[equal, long, ..]| {
        let [a, b] = candles.last();
        bearish(
            opens_below(&a, &b, long)
                && b.close > a.close + equal
                && b.close <= a.close + a.body() * 0.5,
        )
    },
);
