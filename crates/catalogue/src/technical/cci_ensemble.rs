//! CCI ensemble.
//!
//! What: The commodity channel index over three spans; each votes while it is beyond its level, and
//! the votes are averaged.
//! Formula: vote of a span: mode breakout: 1 while CCI > level, -1 while CCI < -level, else 0
//! (Lambert's rule: in beyond ±100, out when it returns); mode reversion: the votes with the other
//! sign. signal = weighted mean of the three votes.
//! Data: High, low and close.
//! Cost: O(bars · spans).
//! Fails when: Prices move sideways, for breakout; a trend lasts, for reversion.
//! Source: D. R. Lambert, Commodity Channel Index: Tool for Trading Cyclic Trends, Commodities
//! (October 1980).
//! Not claimed: That an index beyond 100 predicts a return.

use crate::indicator::cci::{Cci, CciParams};
use crate::signals::{Column, pick, said, sign};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::choices;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct CciEnsemble;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<CciEnsemble>();

params! {
    /// Parameters.
    pub struct CciEnsembleParams {
        /// Bars of the short span.
        short: usize = 14, within(2.0, 10_000.0);
        /// Bars of the medium span.
        medium: usize = 20, within(2.0, 10_000.0);
        /// Bars of the long span.
        long: usize = 50, within(2.0, 10_000.0);
        /// Beyond it an index votes.
        level: f64 = 100.0, at_least(0.0);
        /// Weight of the long span, where the short and the medium one have 1.
        long_weight: f64 = 1.0, at_least(0.0);
        /// What an index beyond its level says.
        mode: Mode = Mode::Breakout;
    }
}

const CARD: Card = Card {
    id: "cci_ensemble",
    family: "technical",
    title: "CCI ensemble",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The commodity channel index over three spans; each votes while it is beyond its level, and the votes are averaged.",
    formula: "vote of a span: mode breakout: 1 while CCI > level, -1 while CCI < -level, else 0 (Lambert's rule: in beyond ±100, out when it returns); mode reversion: the votes with the other sign. signal = weighted mean of the three votes",
    data: "High, low and close.",
    cost: "O(bars · spans)",
    fails_when: "Prices move sideways, for breakout; a trend lasts, for reversion.",
    not_claimed: "That an index beyond 100 predicts a return.",
    source: "D. R. Lambert, Commodity Channel Index: Tool for Trading Cyclic Trends, Commodities (October 1980)",
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
        ("cci_short", "no unit"),
        ("cci_medium", "no unit"),
        ("cci_long", "no unit"),
        (
            "agreement",
            "share of the spans that say what the signal says",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "votes of three spans",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

choices! {
    /// What an index beyond its level says.
    pub enum Mode {
        /// The trend goes on.
        Breakout = "breakout",
        /// The price comes back.
        Reversion = "reversion",
    }
}

impl Indicator for CciEnsemble {
    type Params = CciEnsembleParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar"];

    fn compute(params: &CciEnsembleParams, bars: &Bars) -> Result<Columns, FitError> {
        let cci = |period: usize| -> Result<Column, FitError> {
            Ok(pick(&Cci::compute(&CciParams { period }, bars)?, "cci"))
        };
        let (short, medium, long) = (cci(params.short)?, cci(params.medium)?, cci(params.long)?);
        let direction = match params.mode {
            Mode::Breakout => 1.0,
            Mode::Reversion => -1.0,
        };
        let (mut signal, mut agreement) = (Column::new(), Column::new());
        for t in 0..bars.len() {
            let (Some(a), Some(b), Some(c)) = (short[t], medium[t], long[t]) else {
                signal.push(None);
                agreement.push(None);
                continue;
            };
            let votes = [a, b, c].map(|v| {
                let beyond = v.abs() > params.level;
                if beyond { direction * sign(v) } else { 0.0 }
            });
            let all = votes[0] + votes[1] + params.long_weight * votes[2];
            let mean = all / (2.0 + params.long_weight);
            signal.push(Some(mean));
            let same = votes.iter().filter(|v| **v == sign(mean)).count();
            agreement.push(Some(same as f64 / 3.0));
        }
        let mut columns = said(signal);
        columns.extend([
            ("cci_short", short),
            ("cci_medium", medium),
            ("cci_long", long),
            ("agreement", agreement),
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
        // Typical prices 1 1 4: over two, mean 2.5, deviation 1.5: (4 - 2.5)/(0.015 · 1.5) = 66.7. Over three,
        // mean 2, mean deviation 4/3: 2/(0.015 · 4/3) = 100. With the level 80 the long span alone votes.
        let bars = closes(&[1.0, 1.0, 4.0]);
        let params = with(r#"{"short": 2, "medium": 2, "long": 3, "level": 80, "long_weight": 2}"#);
        let columns = CciEnsemble::compute(&params, &bars).unwrap();
        assert!((pick(&columns, "cci_short")[2].unwrap() - 200.0 / 3.0).abs() < 1e-9);
        assert!((pick(&columns, "cci_long")[2].unwrap() - 100.0).abs() < 1e-9);
        assert_eq!(pick(&columns, "signal"), [None, None, Some(0.5)]);
        assert_eq!(pick(&columns, "agreement")[2], Some(1.0 / 3.0));
        let back = with(
            r#"{"short": 2, "medium": 2, "long": 3, "level": 80, "long_weight": 2, "mode": "reversion"}"#,
        );
        let columns = CciEnsemble::compute(&back, &bars).unwrap();
        assert_eq!(pick(&columns, "signal")[2], Some(-0.5));
    }
}
