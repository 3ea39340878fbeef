//! Patterns of four and five candles.

use super::engine::{
    BODY_LONG, BODY_SHORT, Candle, NEAR, Pattern, SHADOW_VERY_SHORT, bearish, bullish,
};

/// Whether an open lies in the body of the candle before, or near it.
fn opens_by(c: &Candle, before: &Candle, near: f64) -> bool {
    c.open >= before.bottom() - near && c.open <= before.top() + near
}

/// After a white candle three falling black ones without lower shadows, each opening in the body
/// before.
pub(super) const THREE_BLACK_CROWS: Pattern = Pattern::shape(
    "3blackcrows",
    13,
    &[
        (SHADOW_VERY_SHORT, 2),
        (SHADOW_VERY_SHORT, 1),
        (SHADOW_VERY_SHORT, 0),
    ],
    |candles, &[bare_b, bare_c, bare_d, ..]| {
        let [a, b, c, d] = candles.last();
        bearish(
            a.white()
                && b.black()
                && b.lower() < bare_b
                && c.black()
                && c.lower() < bare_c
                && d.black()
                && d.lower() < bare_d
                && c.open < b.open
                && c.open > b.close
                && d.open < c.open
                && d.open > c.close
                && a.high > b.close
                && b.close > c.close
                && c.close > d.close,
        )
    },
);

/// Three candles of one colour going on the same way, then one of the other colour back beyond the
/// first open.
pub(super) const THREE_LINE_STRIKE: Pattern = Pattern::shape(
    "3linestrike",
    8,
    &[(NEAR, 3), (NEAR, 2)],
    |candles, &[near_a, near_b, ..]| {
        let [a, b, c, d] = candles.last();
        let strikes = if c.white() {
            c.close > b.close && b.close > a.close && d.open > c.close && d.close < a.open
        } else {
            c.close < b.close && b.close < a.close && d.open < c.close && d.close > a.open
        };
        bullish(
            a.color() == b.color()
                && b.color() == c.color()
                && d.color() == -c.color()
                && opens_by(&b, &a, near_a)
                && opens_by(&c, &b, near_b)
                && strikes,
        ) * c.color()
    },
);

/// A long candle, a gap and two candles further the same way, then one of the other colour back into
/// the gap.
pub(super) const BREAKAWAY: Pattern = Pattern::shape(
    "breakaway",
    14,
    &[(BODY_LONG, 4)],
    |candles, &[long, ..]| {
        let [a, b, c, d, e] = candles.last();
        let breaks = if a.black() {
            b.gaps_down(&a)
                && c.high < b.high
                && c.low < b.low
                && d.high < c.high
                && d.low < c.low
                && e.close > b.open
                && e.close < a.close
        } else {
            b.gaps_up(&a)
                && c.high > b.high
                && c.low > b.low
                && d.high > c.high
                && d.low > c.low
                && e.close < b.open
                && e.close > a.close
        };
        bullish(
            a.body() > long
                && a.color() == b.color()
                && b.color() == d.color()
                && d.color() == -e.color()
                && breaks,
        ) * e.color()
    },
);

/// Two black candles without shadows, a black one below with a shadow into the second, and a black one
/// that engulfs it, shadows included.
pub(super) const CONCEALING_BABY_SWALLOW: Pattern = Pattern::shape(
    "concealbabyswall",
    13,
    &[
        (SHADOW_VERY_SHORT, 3),
        (SHADOW_VERY_SHORT, 2),
        (SHADOW_VERY_SHORT, 1),
    ],
    |candles, &[bare_a, bare_b, bare_c, ..]| {
        let [a, b, c, d] = candles.last();
        bullish(
            a.black()
                && b.black()
                && c.black()
                && d.black()
                && a.lower() < bare_a
                && a.upper() < bare_a
                && b.lower() < bare_b
                && b.upper() < bare_b
                && c.gaps_down(&b)
                && c.upper() > bare_c
                && c.high > b.close
                && d.high > c.high
                && d.low < c.low,
        )
    },
);

/// Three falling black candles, a black one with an upper shadow, and a white one above its high.
pub(super) const LADDER_BOTTOM: Pattern = Pattern::shape(
    "ladderbottom",
    14,
    &[(SHADOW_VERY_SHORT, 1)],
    |candles, &[bare, ..]| {
        let [a, b, c, d, e] = candles.last();
        bullish(
            a.black()
                && b.black()
                && c.black()
                && a.open > b.open
                && b.open > c.open
                && a.close > b.close
                && b.close > c.close
                && d.black()
                && d.upper() > bare
                && e.white()
                && e.open > d.open
                && e.close > d.high,
        )
    },
);

/// A long white candle, three short ones that hold within it after a gap, and a white one above them.
pub(super) const MAT_HOLD: Pattern = Pattern::penetrated(
    "mathold",
    14,
    &[
        (BODY_LONG, 4),
        (BODY_SHORT, 3),
        (BODY_SHORT, 2),
        (BODY_SHORT, 1),
    ],
    0.5,
    |candles, &[long, short_b, short_c, short_d, ..], penetration| {
        let [a, b, c, d, e] = candles.last();
        let floor = a.close - a.body() * penetration;
        bullish(
            a.body() > long
                && b.body() < short_b
                && c.body() < short_c
                && d.body() < short_d
                && a.white()
                && b.black()
                && e.white()
                && b.gaps_up(&a)
                && c.bottom() < a.close
                && d.bottom() < a.close
                && c.bottom() > floor
                && d.bottom() > floor
                && c.top() < b.open
                && d.top() < c.top()
                && e.open > d.close
                && e.close > b.high.max(c.high).max(d.high),
        )
    },
);

/// A long candle, three short ones of the other colour within its range going back, and a long one
/// further the first way.
pub(super) const RISE_FALL_THREE_METHODS: Pattern = Pattern::shape(
    "risefall3methods",
    14,
    &[
        (BODY_LONG, 4),
        (BODY_SHORT, 3),
        (BODY_SHORT, 2),
        (BODY_SHORT, 1),
        (BODY_LONG, 0),
    ],
    |candles, &[long_a, short_b, short_c, short_d, long_e, ..]| {
        let [a, b, c, d, e] = candles.last();
        let within = |m: &Candle| m.bottom() < a.high && m.top() > a.low;
        let goes = if a.white() {
            c.close < b.close && d.close < c.close && e.open > d.close && e.close > a.close
        } else {
            c.close > b.close && d.close > c.close && e.open < d.close && e.close < a.close
        };
        bullish(
            a.body() > long_a
                && b.body() < short_b
                && c.body() < short_c
                && d.body() < short_d
                && e.body() > long_e
                && a.color() == -b.color()
                && b.color() == c.color()
                && c.color() == d.color()
                && d.color() == -e.color()
                && within(&b)
                && within(&c)
                && within(&d)
                && goes,
        ) * a.color()
    },
);
