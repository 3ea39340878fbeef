//! Patterns of three candles.

use super::engine::{
    Averages, BODY_DOJI, BODY_LONG, BODY_SHORT, Candle, Candles, EQUAL, FAR, NEAR, Pattern,
    SHADOW_SHORT, SHADOW_VERY_SHORT, Setting, bearish, bullish,
};

/// Whether two prices are no further apart than `by`.
fn level(price: f64, with: f64, by: f64) -> bool {
    price <= with + by && price >= with - by
}

/// A long white candle, a black one above it, and a black one that opens in the second's body and
/// closes in the first's.
pub(super) const TWO_CROWS: Pattern =
    Pattern::shape("2crows", 12, &[(BODY_LONG, 2)], |candles, &[long, ..]| {
        let [a, b, c] = candles.last();
        bearish(
            a.white()
                && a.body() > long
                && b.black()
                && b.gaps_up(&a)
                && c.black()
                && c.open < b.open
                && c.open > b.close
                && c.close > a.open
                && c.close < a.close,
        )
    });

/// A long candle, a short one within it, and one of the other colour that closes beyond the first open.
pub(super) const THREE_INSIDE: Pattern = Pattern::shape(
    "3inside",
    12,
    &[(BODY_LONG, 2), (BODY_SHORT, 1)],
    |candles, &[long, short, ..]| {
        let [a, b, c] = candles.last();
        let beyond = if a.white() {
            c.black() && c.close < a.open
        } else {
            c.white() && c.close > a.open
        };
        bearish(a.body() > long && b.body() <= short && b.inside(&a) && beyond) * a.color()
    },
);

/// A body that engulfs the one before, then a candle that closes further the same way.
pub(super) const THREE_OUTSIDE: Pattern = Pattern::shape("3outside", 3, &[], |candles, _| {
    let [a, b, c] = candles.last();
    let holds = if b.white() {
        a.black() && b.close > a.open && b.open < a.close && c.close > b.close
    } else {
        a.white() && b.open > a.close && b.close < a.open && c.close < b.close
    };
    bullish(holds) * b.color()
});

/// Three ever smaller black candles, each with a higher low.
pub(super) const THREE_STARS_IN_SOUTH: Pattern = Pattern::shape(
    "3starsinsouth",
    12,
    &[
        (BODY_LONG, 2),
        (SHADOW_VERY_SHORT, 1),
        (SHADOW_VERY_SHORT, 0),
        (BODY_SHORT, 0),
    ],
    |candles, &[long, bare_b, bare_c, short, ..]| {
        let [a, b, c] = candles.last();
        bullish(
            a.black()
                && b.black()
                && c.black()
                && a.body() > long
                && a.lower() > a.body()
                && b.body() < a.body()
                && b.open > a.close
                && b.open <= a.high
                && b.low < a.close
                && b.low >= a.low
                && b.lower() > bare_b
                && c.body() < short
                && c.lower() < bare_c
                && c.upper() < bare_c
                && c.low > b.low
                && c.high < b.high,
        )
    },
);

/// Three white candles without upper shadows, each opening in or near the body before and none
/// much shorter than it.
pub(super) const THREE_WHITE_SOLDIERS: Pattern = Pattern::shape(
    "3whitesoldiers",
    12,
    &[
        (SHADOW_VERY_SHORT, 2),
        (SHADOW_VERY_SHORT, 1),
        (SHADOW_VERY_SHORT, 0),
        (NEAR, 2),
        (NEAR, 1),
        (FAR, 2),
        (FAR, 1),
        (BODY_SHORT, 0),
    ],
    |candles,
     &[
        bare_a,
        bare_b,
        bare_c,
        near_a,
        near_b,
        far_a,
        far_b,
        short,
        ..,
    ]| {
        let [a, b, c] = candles.last();
        bullish(
            a.white()
                && a.upper() < bare_a
                && b.white()
                && b.upper() < bare_b
                && c.white()
                && c.upper() < bare_c
                && c.close > b.close
                && b.close > a.close
                && b.open > a.open
                && b.open <= a.close + near_a
                && c.open > b.open
                && c.open <= b.close + near_b
                && b.body() > a.body() - far_a
                && c.body() > b.body() - far_b
                && c.body() > short,
        )
    },
);

/// A long candle, a doji, and a candle of the other colour well into the first's body.
const WITH_DOJI: &[(Setting, usize)] = &[(BODY_LONG, 2), (BODY_DOJI, 1), (BODY_SHORT, 0)];

/// A long candle, a short one, and a candle of the other colour well into the first's body.
const WITH_STAR: &[(Setting, usize)] = &[(BODY_LONG, 2), (BODY_SHORT, 1), (BODY_SHORT, 0)];

/// A long candle, a doji apart from it, and a candle apart from that back into the first's body.
pub(super) const ABANDONED_BABY: Pattern = Pattern::penetrated(
    "abandonedbaby",
    12,
    WITH_DOJI,
    0.3,
    |candles, &[long, doji, short, ..], penetration| {
        let [a, b, c] = candles.last();
        let turns = if a.white() {
            c.black()
                && c.close < a.close - a.body() * penetration
                && b.low > a.high
                && c.high < b.low
        } else {
            c.white()
                && c.close > a.close + a.body() * penetration
                && b.high < a.low
                && c.low > b.high
        };
        bullish(a.body() > long && b.body() <= doji && c.body() > short && turns) * c.color()
    },
);

/// Three rising white candles that show weakness: smaller bodies or longer upper shadows.
pub(super) const ADVANCE_BLOCK: Pattern = Pattern::shape(
    "advanceblock",
    12,
    &[
        (SHADOW_SHORT, 2),
        (SHADOW_SHORT, 1),
        (SHADOW_SHORT, 0),
        (NEAR, 2),
        (NEAR, 1),
        (FAR, 2),
        (FAR, 1),
        (BODY_LONG, 2),
    ],
    |candles,
     &[
        short_a,
        short_b,
        short_c,
        near_a,
        near_b,
        far_a,
        far_b,
        long,
        ..,
    ]| {
        let [a, b, c] = candles.last();
        let rises = a.white()
            && b.white()
            && c.white()
            && c.close > b.close
            && b.close > a.close
            && b.open > a.open
            && b.open <= a.close + near_a
            && c.open > b.open
            && c.open <= b.close + near_b
            && a.body() > long
            && a.upper() < short_a;
        bearish(
            rises
                && ((b.body() < a.body() - far_a && c.body() < b.body() + near_b)
                    || c.body() < b.body() - far_b
                    || (c.body() < b.body()
                        && b.body() < a.body()
                        && (c.upper() > short_c || b.upper() > short_b))
                    || (c.body() < b.body() && c.upper() > c.body())),
        )
    },
);

/// A star above a long white candle, then a black candle well into its body.
fn evening(candles: &Candles<'_>, &[long, small, short, ..]: &Averages, penetration: f64) -> i32 {
    let [a, b, c] = candles.last();
    bearish(
        // The rarest first.
        b.gaps_up(&a)
            && a.body() > long
            && a.white()
            && b.body() <= small
            && c.body() > short
            && c.black()
            && c.close < a.close - a.body() * penetration,
    )
}

/// A star below a long black candle, then a white candle well into its body.
fn morning(candles: &Candles<'_>, &[long, small, short, ..]: &Averages, penetration: f64) -> i32 {
    let [a, b, c] = candles.last();
    bullish(
        // The rarest first.
        b.gaps_down(&a)
            && a.body() > long
            && a.black()
            && b.body() <= small
            && c.body() > short
            && c.white()
            && c.close > a.close + a.body() * penetration,
    )
}

/// A doji above a long white candle, then a black candle well into its body.
pub(super) const EVENING_DOJI_STAR: Pattern =
    Pattern::penetrated("eveningdojistar", 12, WITH_DOJI, 0.3, evening);

/// A short body above a long white candle, then a black candle well into its body.
pub(super) const EVENING_STAR: Pattern =
    Pattern::penetrated("eveningstar", 12, WITH_STAR, 0.3, evening);

/// A doji below a long black candle, then a white candle well into its body.
pub(super) const MORNING_DOJI_STAR: Pattern =
    Pattern::penetrated("morningdojistar", 12, WITH_DOJI, 0.3, morning);

/// A short body below a long black candle, then a white candle well into its body.
pub(super) const MORNING_STAR: Pattern =
    Pattern::penetrated("morningstar", 12, WITH_STAR, 0.3, morning);

/// Two white candles of about one size, side by side beyond a gap.
pub(super) const GAP_SIDE_SIDE_WHITE: Pattern = Pattern::shape(
    "gapsidesidewhite",
    7,
    &[(NEAR, 1), (EQUAL, 1)],
    |candles, &[near, equal, ..]| {
        let [a, b, c] = candles.last();
        let up = b.gaps_up(&a) && c.gaps_up(&a);
        let down = b.gaps_down(&a) && c.gaps_down(&a);
        let beside = b.white()
            && c.white()
            && level(c.body(), b.body(), near)
            && level(c.open, b.open, equal);
        bullish(beside && up) + bearish(beside && down)
    },
);

/// Three falling black candles without lower shadows, each opening at about the close before.
pub(super) const IDENTICAL_THREE_CROWS: Pattern = Pattern::shape(
    "identical3crows",
    12,
    &[
        (SHADOW_VERY_SHORT, 2),
        (SHADOW_VERY_SHORT, 1),
        (SHADOW_VERY_SHORT, 0),
        (EQUAL, 2),
        (EQUAL, 1),
    ],
    |candles, &[bare_a, bare_b, bare_c, equal_a, equal_b, ..]| {
        let [a, b, c] = candles.last();
        bearish(
            a.black()
                && a.lower() < bare_a
                && b.black()
                && b.lower() < bare_b
                && c.black()
                && c.lower() < bare_c
                && a.close > b.close
                && b.close > c.close
                && level(b.open, a.close, equal_a)
                && level(c.open, b.close, equal_b),
        )
    },
);

/// Two long white candles, then a short one at the close of the second.
pub(super) const STALLED_PATTERN: Pattern = Pattern::shape(
    "stalledpattern",
    12,
    &[
        (BODY_LONG, 2),
        (BODY_LONG, 1),
        (SHADOW_VERY_SHORT, 1),
        (BODY_SHORT, 0),
        (NEAR, 2),
        (NEAR, 1),
    ],
    |candles, &[long_a, long_b, bare_b, short, near_a, near_b, ..]| {
        let [a, b, c] = candles.last();
        bearish(
            a.white()
                && b.white()
                && c.white()
                && c.close > b.close
                && b.close > a.close
                && a.body() > long_a
                && b.body() > long_b
                && b.upper() < bare_b
                && b.open > a.open
                && b.open <= a.close + near_a
                && c.body() < short
                && c.open >= b.close - c.body() - near_b,
        )
    },
);

/// A black candle, a white one that trades above its close, and a black one with about that close.
pub(super) const STICK_SANDWICH: Pattern = Pattern::shape(
    "sticksandwich",
    7,
    &[(EQUAL, 2)],
    |candles, &[equal, ..]| {
        let [a, b, c] = candles.last();
        bullish(
            a.black()
                && b.white()
                && c.black()
                && b.low > a.close
                && level(c.close, a.close, equal),
        )
    },
);

/// A gap, then a candle of the other colour and about the same size that opens in the second's body
/// and closes in the gap.
pub(super) const TASUKI_GAP: Pattern =
    Pattern::shape("tasukigap", 7, &[(NEAR, 1)], |candles, &[near, ..]| {
        let [a, b, c] = candles.last();
        let into_gap = if b.white() {
            b.gaps_up(&a)
                && c.black()
                && c.open < b.close
                && c.open > b.open
                && c.close < b.open
                && c.close > a.top()
        } else {
            b.gaps_down(&a)
                && c.white()
                && c.open < b.open
                && c.open > b.close
                && c.close > b.open
                && c.close < a.bottom()
        };
        bullish(into_gap && (b.body() - c.body()).abs() < near) * b.color()
    });

/// Three dojis, the second beyond the other two.
pub(super) const TRISTAR: Pattern =
    Pattern::shape("tristar", 12, &[(BODY_DOJI, 2)], |candles, &[doji, ..]| {
        let [a, b, c] = candles.last();
        let dojis = [a, b, c].iter().all(|c: &Candle| c.body() <= doji);
        let above = dojis && b.gaps_up(&a) && c.top() < b.top();
        let below = dojis && b.gaps_down(&a) && c.bottom() > b.bottom();
        bullish(below) + bearish(above)
    });

/// A long black candle, a black one within it with a lower low, and a short white one above that low.
pub(super) const UNIQUE_THREE_RIVER: Pattern = Pattern::shape(
    "unique3river",
    12,
    &[(BODY_LONG, 2), (BODY_SHORT, 0)],
    |candles, &[long, short, ..]| {
        let [a, b, c] = candles.last();
        bullish(
            a.body() > long
                && a.black()
                && b.black()
                && b.close > a.close
                && b.open <= a.open
                && b.low < a.low
                && c.body() < short
                && c.white()
                && c.open > b.low,
        )
    },
);

/// A long white candle, a short black one above it, and a black one that engulfs the second and
/// closes above the first.
pub(super) const UPSIDE_GAP_TWO_CROWS: Pattern = Pattern::shape(
    "upsidegap2crows",
    12,
    &[(BODY_LONG, 2), (BODY_SHORT, 1)],
    |candles, &[long, short, ..]| {
        let [a, b, c] = candles.last();
        bearish(
            a.white()
                && a.body() > long
                && b.black()
                && b.body() <= short
                && b.gaps_up(&a)
                && c.black()
                && c.open > b.open
                && c.close < b.close
                && c.close > a.close,
        )
    },
);

/// Two candles of one colour with a gap, then one of the other colour from the second's body into
/// the first's.
pub(super) const SIDE_GAP_THREE_METHODS: Pattern =
    Pattern::shape("xsidegap3methods", 2, &[], |candles, _| {
        let [a, b, c] = candles.last();
        let gap = if a.white() {
            b.gaps_up(&a)
        } else {
            b.gaps_down(&a)
        };
        bullish(
            a.color() == b.color()
                && b.color() == -c.color()
                && c.open < b.top()
                && c.open > b.bottom()
                && c.close < a.top()
                && c.close > a.bottom()
                && gap,
        ) * a.color()
    });
