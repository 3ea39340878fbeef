//! Candlestick patterns.
//!
//! What: one of 61 shapes of one to five candles, as a signal a bar.
//! Formula: comparisons of bodies, shadows and gaps with the means of the candles before; `candles` has them one by one.
//! Data: open, high, low and close; 0 before the first bar on which the pattern can be seen.
//! Cost: O(bars).
//! Fails when: bars have no gaps, as where a market never closes: many shapes need one.
//! Source: Nison, Japanese Candlestick Charting Techniques (2001); Morris, Candlestick Charting Explained (2006).
//! Not claimed: that a shape predicts a return.

use super::candles::{CandleState, NAMES, PATTERNS};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::{ParamType, Range, read_choice};
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Feed, Field, FitError, Inputs, ParamError, State, Streamed, params,
};
use mltrainer_types::catalogue::{ParamKind, Task};
use serde_json::Value;

/// The handle.
pub struct CandlestickPatterns;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<CandlestickPatterns>();

params! {
    /// Parameters.
    pub struct CandlestickPatternsParams {
        /// The pattern: TA-Lib's name without CDL, in lower case.
        pattern: Shape = Shape::named("engulfing");
        /// How far the last candle must get into the first one's body, as a share of it, for the
        /// patterns that have it: abandonedbaby, eveningdojistar, eveningstar, morningdojistar,
        /// morningstar (0.3 when none), darkcloudcover, mathold (0.5 when none).
        penetration: Option<f64> = None, at_least(0.0);
    }
}

/// A pattern, as its place in the order of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape(usize);

impl Shape {
    /// The pattern of that name; the first one when there is none of it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(NAMES.iter().position(|n| *n == name).unwrap_or(0))
    }

    /// TA-Lib's name without CDL, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[self.0]
    }
}

impl ParamType for Shape {
    const KIND: ParamKind = ParamKind::Choice;

    fn choices() -> &'static [&'static str] {
        &NAMES
    }

    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        read_choice(value, &NAMES).map(Self)
    }

    fn write(&self) -> Value {
        Value::from(self.name())
    }
}

/// After some bars.
pub struct CandlestickPatternsState(CandleState);

impl State for CandlestickPatternsState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        [Some(f64::from(self.0.push(bar)))]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        vec![self.0.all(bars)]
    }
}

const CARD: Card = Card {
    id: "candlestick_patterns",
    family: "pattern",
    title: "Candlestick patterns",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "One of 61 shapes of one to five candles (hammer, doji, engulfing, morningstar, ...) as a signal a bar: above 0 where it is held to announce rising prices, below 0 for falling ones.",
    formula: "signal(t) = ±100 where the candles up to t have the shape, else 0; ±80 for an engulfing or a harami with an equal end, ±200 for a confirmed hikkake. A body is long or short against the mean body of the 10 candles before, a doji's up to 0.1 of their mean range; a shadow is long when longer than its body, very long from twice that, short under half the mean sum of shadows, very short under 0.1 of the mean range of 10; near, far and equal are 0.2, 0.6 and 0.05 of the mean range of 5",
    data: "Open, high, low and close.",
    cost: "O(bars)",
    fails_when: "Bars have no gaps, as where a market never closes: many shapes need one. Of 61 shapes tried on one history some look good by chance.",
    not_claimed: "That a shape predicts a return.",
    source: "S. Nison, Japanese Candlestick Charting Techniques (2001); G. L. Morris, Candlestick Charting Explained (2006)",
    reference: "TA-Lib 0.8, CDL functions with its default candle settings",
    outputs: &[(
        "signal",
        "a whole number, one a bar: 0, ±100, ±80 or ±200; 0 before the pattern can be seen",
    )],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "TA-Lib 0.8",
            cases: "candlesticks: 70 cases over all 61 patterns",
            tolerance: "equal",
        },
        Evidence {
            against: "TA-Lib 0.8.2 (C library 0.8.1)",
            cases: "crates/trials/tests/it/indicators.rs: every pattern on every bar of the bundled symbols, the seven patterns with a penetration also at 0 and 0.5",
            tolerance: "equal",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl Streamed for CandlestickPatterns {
    type Params = CandlestickPatternsParams;
    type State = CandlestickPatternsState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::Open, Field::High, Field::Low, Field::Close];
    const WHOLE: &'static [&'static str] = &["signal"];

    fn start(params: &CandlestickPatternsParams) -> Result<CandlestickPatternsState, FitError> {
        let pattern = PATTERNS[params.pattern.0];
        if params.penetration.is_some() && pattern.penetration.is_none() {
            return Err(FitError::Param(ParamError {
                field: "penetration".into(),
                reason: format!("{} has none, leave it out", pattern.name),
                suggestions: Vec::new(),
            }));
        }
        Ok(CandlestickPatternsState(CandleState::new(
            params.pattern.0,
            params.penetration,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    fn signals(name: &str, penetration: Option<f64>, rows: &[[f64; 4]]) -> Vec<f64> {
        let column = |k: usize| rows.iter().map(|r| r[k]).collect::<Vec<f64>>();
        let bars = Bars {
            open: Some(column(0)),
            high: Some(column(1)),
            low: Some(column(2)),
            close: column(3),
            ..Bars::default()
        };
        let params = CandlestickPatternsParams {
            pattern: Shape::named(name),
            penetration,
        };
        let columns = CandlestickPatterns::compute(&params, &bars).unwrap();
        columns[0].1.iter().map(|v| v.unwrap()).collect()
    }

    #[test]
    fn names_are_sorted_and_found() {
        assert!(NAMES.is_sorted());
        for name in NAMES {
            assert_eq!(Shape::named(name).name(), name);
        }
    }

    #[test]
    fn engulfing_by_hand() {
        let rows = [
            [9.0, 10.0, 8.0, 9.5],
            [10.0, 10.5, 8.5, 9.0],
            // White, from below the close before to above the open before.
            [8.5, 11.0, 8.0, 10.5],
            // Black, opens at the close before: one end is equal.
            [10.5, 11.0, 7.0, 8.0],
        ];
        assert_eq!(signals("engulfing", None, &rows), [0.0, 0.0, 100.0, -80.0]);
    }

    #[test]
    fn hikkake_by_hand() {
        let quiet = [5.0, 6.0, 4.0, 5.0];
        let rows = [
            quiet,
            quiet,
            quiet,
            [5.0, 9.0, 1.0, 5.0],
            // Inside, then a lower high and low, then a close above the inside high.
            [5.0, 7.0, 3.0, 5.0],
            [4.0, 6.0, 2.0, 3.0],
            [4.0, 7.0, 3.0, 6.0],
            [6.0, 8.0, 4.0, 7.5],
            [7.0, 9.0, 5.0, 8.0],
        ];
        let wanted = [0.0, 0.0, 0.0, 0.0, 0.0, 100.0, 0.0, 200.0, 0.0];
        assert_eq!(signals("hikkake", None, &rows), wanted);
    }

    #[test]
    fn a_penetration_is_for_those_that_have_one() {
        let params = CandlestickPatternsParams {
            pattern: Shape::named("doji"),
            penetration: Some(0.3),
        };
        let refused = CandlestickPatterns::start(&params).err().unwrap();
        assert_eq!(
            refused.to_string(),
            "parameter penetration: doji has none, leave it out"
        );
        // A morning star whose last close gets 0.4 into the first body, after ten bars with a body of 1.
        let mut rows = vec![[20.0, 21.0, 18.0, 19.0]; 10];
        rows.push([20.0, 20.0, 10.0, 10.0]);
        rows.push([8.0, 9.0, 7.0, 8.5]);
        rows.push([9.0, 14.0, 9.0, 14.0]);
        assert_eq!(signals("morningstar", None, &rows)[12], 100.0);
        assert_eq!(signals("morningstar", Some(0.5), &rows)[12], 0.0);
    }
}
