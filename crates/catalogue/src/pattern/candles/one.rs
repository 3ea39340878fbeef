//! Patterns of one candle.

use super::engine::{
    BODY_DOJI, BODY_LONG, BODY_SHORT, NEAR, Pattern, SHADOW_SHORT, SHADOW_VERY_SHORT, bullish,
};

/// A long body without a shadow at the open.
pub(super) const BELT_HOLD: Pattern = Pattern::shape(
    "belthold",
    10,
    &[(BODY_LONG, 0), (SHADOW_VERY_SHORT, 0)],
    |candles, &[long, very_short, ..]| {
        let [c] = candles.last();
        let at_open = if c.white() { c.lower() } else { c.upper() };
        bullish(c.body() > long && at_open < very_short) * c.color()
    },
);

/// A long body without a shadow at the close.
pub(super) const CLOSING_MARUBOZU: Pattern = Pattern::shape(
    "closingmarubozu",
    10,
    &[(BODY_LONG, 0), (SHADOW_VERY_SHORT, 0)],
    |candles, &[long, very_short, ..]| {
        let [c] = candles.last();
        let at_close = if c.white() { c.upper() } else { c.lower() };
        bullish(c.body() > long && at_close < very_short) * c.color()
    },
);

/// Open and close about equal. The sign says nothing of a direction.
pub(super) const DOJI: Pattern =
    Pattern::shape("doji", 10, &[(BODY_DOJI, 0)], |candles, &[doji, ..]| {
        let [c] = candles.last();
        bullish(c.body() <= doji)
    });

/// Open and close about equal, at the high.
pub(super) const DRAGONFLY_DOJI: Pattern = Pattern::shape(
    "dragonflydoji",
    10,
    &[(BODY_DOJI, 0), (SHADOW_VERY_SHORT, 0)],
    |candles, &[doji, very_short, ..]| {
        let [c] = candles.last();
        bullish(c.body() <= doji && c.upper() < very_short && c.lower() > very_short)
    },
);

/// Open and close about equal, at the low.
pub(super) const GRAVESTONE_DOJI: Pattern = Pattern::shape(
    "gravestonedoji",
    10,
    &[(BODY_DOJI, 0), (SHADOW_VERY_SHORT, 0)],
    |candles, &[doji, very_short, ..]| {
        let [c] = candles.last();
        bullish(c.body() <= doji && c.lower() < very_short && c.upper() > very_short)
    },
);

/// A short body between very long shadows.
pub(super) const HIGH_WAVE: Pattern = Pattern::shape(
    "highwave",
    10,
    &[(BODY_SHORT, 0)],
    |candles, &[short, ..]| {
        let [c] = candles.last();
        let very_long = 2.0 * c.body();
        bullish(c.body() < short && c.upper() > very_long && c.lower() > very_long) * c.color()
    },
);

/// Open and close about equal, with a long shadow.
pub(super) const LONG_LEGGED_DOJI: Pattern = Pattern::shape(
    "longleggeddoji",
    10,
    &[(BODY_DOJI, 0)],
    |candles, &[doji, ..]| {
        let [c] = candles.last();
        bullish(c.body() <= doji && (c.lower() > c.body() || c.upper() > c.body()))
    },
);

/// A long body between short shadows.
pub(super) const LONG_LINE: Pattern = Pattern::shape(
    "longline",
    10,
    &[(BODY_LONG, 0), (SHADOW_SHORT, 0)],
    |candles, &[long, short, ..]| {
        let [c] = candles.last();
        bullish(c.body() > long && c.upper() < short && c.lower() < short) * c.color()
    },
);

/// A long body without shadows.
pub(super) const MARUBOZU: Pattern = Pattern::shape(
    "marubozu",
    10,
    &[(BODY_LONG, 0), (SHADOW_VERY_SHORT, 0)],
    |candles, &[long, very_short, ..]| {
        let [c] = candles.last();
        bullish(c.body() > long && c.upper() < very_short && c.lower() < very_short) * c.color()
    },
);

/// Open and close about equal, near the middle between long shadows.
pub(super) const RICKSHAW_MAN: Pattern = Pattern::shape(
    "rickshawman",
    10,
    &[(BODY_DOJI, 0), (NEAR, 0)],
    |candles, &[doji, near, ..]| {
        let [c] = candles.last();
        let middle = c.low + c.range() / 2.0;
        bullish(
            c.body() <= doji
                && c.lower() > c.body()
                && c.upper() > c.body()
                && c.bottom() <= middle + near
                && c.top() >= middle - near,
        )
    },
);

/// A short body between short shadows.
pub(super) const SHORT_LINE: Pattern = Pattern::shape(
    "shortline",
    10,
    &[(BODY_SHORT, 0), (SHADOW_SHORT, 0)],
    |candles, &[short, shadow, ..]| {
        let [c] = candles.last();
        bullish(c.body() < short && c.upper() < shadow && c.lower() < shadow) * c.color()
    },
);

/// A short body between shadows that are longer than it.
pub(super) const SPINNING_TOP: Pattern = Pattern::shape(
    "spinningtop",
    10,
    &[(BODY_SHORT, 0)],
    |candles, &[short, ..]| {
        let [c] = candles.last();
        bullish(c.body() < short && c.upper() > c.body() && c.lower() > c.body()) * c.color()
    },
);

/// Open and close about equal, at the high over a very long shadow.
pub(super) const TAKURI: Pattern = Pattern::shape(
    "takuri",
    10,
    &[(BODY_DOJI, 0), (SHADOW_VERY_SHORT, 0)],
    |candles, &[doji, very_short, ..]| {
        let [c] = candles.last();
        bullish(c.body() <= doji && c.upper() < very_short && c.lower() > 2.0 * c.body())
    },
);
