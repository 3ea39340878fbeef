//! MACD with histogram.
//!
//! What: Which side of its signal line the MACD is on, and whether the distance grows: the
//! histogram's sign and its slope.
//! Formula: h = MACD - its signal line; d = h(t) - h(t - slope_bars). signal = (1 - slope_weight)
//! sign(h) + slope_weight sign(d): 1 above zero and rising, -1 below zero and falling. crossover = 1
//! on the bar on which h comes above 0, -1 below.
//! Data: Closes.
//! Cost: O(bars).
//! Fails when: Prices move sideways: the histogram crosses zero again and again. It lags.
//! Source: G. Appel, Technical Analysis: Power Tools for Active Investors (2005); T. Aspray,
//! Technical Analysis of Stocks & Commodities (1988), for the histogram; A. Elder, Trading for a
//! Living (1993), for its slope.
//! Not claimed: That a crossing earns money after costs.

use crate::indicator::macd::{Macd, MacdParams};
use crate::signals::{Column, pick, said, sign};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct MacdHistogram;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<MacdHistogram>();

params! {
    /// Parameters.
    pub struct MacdHistogramParams {
        /// Span of the fast average; less than slow.
        fast: usize = 12, within(2.0, 10_000.0);
        /// Span of the slow average.
        slow: usize = 26, within(2.0, 10_000.0);
        /// Span of the signal line.
        signal: usize = 9, within(1.0, 10_000.0);
        /// Bars over which the slope of the histogram is taken.
        slope_bars: usize = 1, within(1.0, 1000.0);
        /// Share of the slope in the signal.
        slope_weight: f64 = 0.5, within(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "macd_histogram",
    family: "technical",
    title: "MACD with histogram",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Which side of its signal line the MACD is on, and whether the distance grows: the histogram's sign and its slope.",
    formula: "h = MACD - its signal line; d = h(t) - h(t - slope_bars). signal = (1 - slope_weight) sign(h) + slope_weight sign(d): 1 above zero and rising, -1 below zero and falling. crossover = 1 on the bar on which h comes above 0, -1 below",
    data: "Closes.",
    cost: "O(bars)",
    fails_when: "Prices move sideways: the histogram crosses zero again and again. It lags.",
    not_claimed: "That a crossing earns money after costs.",
    source: "G. Appel, Technical Analysis: Power Tools for Active Investors (2005); T. Aspray, Technical Analysis of Stocks & Commodities (1988), for the histogram; A. Elder, Trading for a Living (1993), for its slope",
    reference: "own rule, stated here",
    outputs: &[
        (
            "signal",
            "-1 to 1, one a bar: above 0 for a rise, below 0 for a fall; null while warming up",
        ),
        (
            "known_bar",
            "bar since which the signal has had its sign, counted from 0; null where it is 0",
        ),
        ("macd", "price units"),
        ("macd_signal", "the signal line, price units"),
        ("histogram", "price units"),
        ("slope", "change of the histogram over slope_bars"),
        ("crossover", "1 or -1 on the bar of a crossing, else 0"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "crossing and slope",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for MacdHistogram {
    type Params = MacdHistogramParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "crossover"];

    fn compute(params: &MacdHistogramParams, bars: &Bars) -> Result<Columns, FitError> {
        let MacdHistogramParams {
            fast, slow, signal, ..
        } = *params;
        let macd = Macd::compute(&MacdParams { fast, slow, signal }, bars)?;
        let histogram = pick(&macd, "histogram");
        let back = |t: usize, by: usize| t.checked_sub(by).and_then(|t| histogram[t]);
        let over = |by: usize, f: fn(f64, f64) -> f64| -> Column {
            let each = (0..bars.len()).map(|t| histogram[t].zip(back(t, by)));
            each.map(|p| p.map(|(now, old)| f(now, old))).collect()
        };
        let slope = over(params.slope_bars, |now, old| now - old);
        let crossover = over(1, |now, old| {
            let crossed = now > 0.0 && old <= 0.0 || now < 0.0 && old >= 0.0;
            if crossed { sign(now) } else { 0.0 }
        });
        let w = params.slope_weight;
        let said_of = |t: usize| {
            let (h, d) = (histogram[t]?, slope[t]?);
            Some((1.0 - w) * sign(h) + w * sign(d))
        };
        let mut columns = said((0..bars.len()).map(said_of).collect());
        columns.extend([
            ("macd", pick(&macd, "macd")),
            ("macd_signal", pick(&macd, "signal")),
            ("histogram", histogram.clone()),
            ("slope", slope),
            ("crossover", crossover),
        ]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::tests::{closes, with};

    #[test]
    fn by_hand() {
        // As in the test of macd: fast 2, slow 3, signal 2 give a histogram of -0.5 at bar 3. Then the close 9:
        // fast 2 + 2/3 · 7 = 6 2/3, slow 2 + 1/2 · 7 = 5.5: 1 1/6; signal 0.5 + 2/3 · 2/3 = 17/18; 2/9.
        let params = with(r#"{"fast": 2, "slow": 3, "signal": 2}"#);
        let columns = MacdHistogram::compute(&params, &closes(&[1.0, 2.0, 6.0, 1.0, 9.0])).unwrap();
        assert_eq!(pick(&columns, "histogram")[3], Some(-0.5));
        assert!((pick(&columns, "histogram")[4].unwrap() - 2.0 / 9.0).abs() < 1e-14);
        assert_eq!(
            pick(&columns, "signal"),
            [None, None, None, None, Some(1.0)]
        );
        assert_eq!(pick(&columns, "crossover")[4], Some(1.0));
        // Without the slope the sign of the histogram is all.
        let alone = with(r#"{"fast": 2, "slow": 3, "signal": 2, "slope_weight": 0}"#);
        let columns = MacdHistogram::compute(&alone, &closes(&[1.0, 2.0, 6.0, 1.0, 0.0])).unwrap();
        assert_eq!(pick(&columns, "signal")[4], Some(-1.0));
    }
}
