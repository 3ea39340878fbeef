//! Moving average crossover.
//!
//! What: The trading rules of Brock, Lakonishok and LeBaron: a short moving average against a long
//! one, with a band in which nothing is said, held while it lasts or for a fixed time.
//! Formula: Buy when short > (1 + band) long, sell when short < (1 - band) long, by averages of kind
//! simple or exponential. hold = none (variable length): signal = 1, -1, or 0 inside the band. hold =
//! n (fixed length): ±1 for n bars after the first bar of a buy or sell, other signals in that time
//! ignored.
//! Data: Closes.
//! Cost: O(bars · long).
//! Fails when: Prices move sideways. The profits of the source faded after its sample ended in 1986
//! (Sullivan, Timmermann, White 1999).
//! Source: W. Brock, J. Lakonishok, B. LeBaron, Simple Technical Trading Rules and the Stochastic
//! Properties of Stock Returns, Journal of Finance 47 (1992).
//! Not claimed: That a crossing earns money after costs.

use crate::indicator::ema::{Ema, EmaParams};
use crate::indicator::sma::{Sma, SmaParams};
use crate::signals::{Column, pick, said, shorter};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::choices;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct MaCrossover;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<MaCrossover>();

params! {
    /// Parameters.
    pub struct MaCrossoverParams {
        /// Closes of the short average; less than long. 1 is the close itself for a simple one.
        short: usize = 5, within(1.0, 10_000.0);
        /// Closes of the long average.
        long: usize = 50, within(2.0, 10_000.0);
        /// Band around the long average as a share of it.
        band: f64 = 0.01, within(0.0, 1.0);
        /// How closes are averaged.
        kind: Average = Average::Simple;
        /// Bars for which a signal is held; as long as it lasts when none.
        hold: Option<usize> = None, within(1.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "ma_crossover",
    family: "rule",
    title: "Moving average crossover",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The trading rules of Brock, Lakonishok and LeBaron: a short moving average against a long one, with a band in which nothing is said, held while it lasts or for a fixed time.",
    formula: "Buy when short > (1 + band) long, sell when short < (1 - band) long, by averages of kind simple or exponential. hold = none (variable length): signal = 1, -1, or 0 inside the band. hold = n (fixed length): ±1 for n bars after the first bar of a buy or sell, other signals in that time ignored",
    data: "Closes.",
    cost: "O(bars · long)",
    fails_when: "Prices move sideways. The profits of the source faded after its sample ended in 1986 (Sullivan, Timmermann, White 1999).",
    not_claimed: "That a crossing earns money after costs.",
    source: "W. Brock, J. Lakonishok, B. LeBaron, Simple Technical Trading Rules and the Stochastic Properties of Stock Returns, Journal of Finance 47 (1992)",
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
        ("short", "price units"),
        ("long", "price units"),
        ("upper", "(1 + band) long, price units"),
        ("lower", "(1 - band) long, price units"),
        (
            "crossover",
            "1 or -1 on the first bar of a buy or sell, else 0",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "both lengths, with a band",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

choices! {
    /// How closes are averaged.
    pub enum Average {
        /// Equal weights.
        Simple = "simple",
        /// Weights that fall by a constant factor.
        Exponential = "exponential",
    }
}

impl Indicator for MaCrossover {
    type Params = MaCrossoverParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "crossover"];

    fn compute(p: &MaCrossoverParams, bars: &Bars) -> Result<Columns, FitError> {
        shorter("short", p.short, "long", p.long)?;
        let average = |period: usize| -> Result<Column, FitError> {
            Ok(match p.kind {
                _ if period == 1 => bars.close.iter().copied().map(Some).collect(),
                Average::Simple => pick(&Sma::compute(&SmaParams { period }, bars)?, "sma"),
                Average::Exponential => pick(&Ema::compute(&EmaParams { period }, bars)?, "ema"),
            })
        };
        let (short, long) = (average(p.short)?, average(p.long)?);
        let edge =
            |by: f64| -> Column { long.iter().map(|l| l.map(|l| l + by * l.abs())).collect() };
        let (upper, lower) = (edge(p.band), edge(-p.band));
        let (mut last, mut held) = (0.0, None);
        let (mut signal, mut crossover) = (Column::new(), Column::new());
        for t in 0..bars.len() {
            let (Some(short), Some((upper, lower))) = (short[t], upper[t].zip(lower[t])) else {
                signal.push(None);
                crossover.push(None);
                continue;
            };
            let side = if short > upper {
                1.0
            } else if short < lower {
                -1.0
            } else {
                0.0
            };
            let new = if side == last { 0.0 } else { side };
            last = side;
            crossover.push(Some(new));
            signal.push(Some(match p.hold {
                None => side,
                Some(bars) => {
                    held = held.filter(|(from, _)| t - from < bars);
                    if held.is_none() && new != 0.0 {
                        held = Some((t, new));
                    }
                    held.map_or(0.0, |(_, side)| side)
                }
            }));
        }
        let mut columns = said(signal);
        columns.extend([
            ("short", short),
            ("long", long),
            ("upper", upper),
            ("lower", lower),
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
        // The close against its mean of two, band 10 %: 12 > 1.1 · 11 is false (12.1), 16 > 1.1 · 14 true, 16 is
        // inside, 8 < 0.9 · 12 true.
        let bars = closes(&[10.0, 12.0, 16.0, 16.0, 8.0, 8.0]);
        let set = r#"{"short": 1, "long": 2, "band": 0.1}"#;
        let columns = MaCrossover::compute(&with(set), &bars).unwrap();
        let expected = [None, Some(0.0), Some(1.0), Some(0.0), Some(-1.0), Some(0.0)];
        assert_eq!(pick(&columns, "signal"), expected);
        assert_eq!(pick(&columns, "crossover"), expected);
        // Held for three bars, the sale in between is ignored.
        let set = r#"{"short": 1, "long": 2, "band": 0.1, "hold": 3}"#;
        let columns = MaCrossover::compute(&with(set), &bars).unwrap();
        assert_eq!(
            pick(&columns, "signal")[1..],
            [0.0, 1.0, 1.0, 1.0, 0.0].map(Some)
        );
    }
}
