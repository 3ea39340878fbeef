//! Order flow imbalance.
//!
//! What: An estimate, from bars alone, of how much of the volume was bought and sold at the
//! initiative of the other side, and its imbalance over the last bars.
//! Formula: buy share b of a bar: method bulk: Φ(Δclose/σ), σ the standard deviation of the
//! sigma_bars changes of the close up to the bar; method tick: 1 after a rise, 0 after a fall, as
//! before when unchanged; method location: (close - low)/(high - low), 1/2 without a range. delta =
//! volume (2b - 1); imbalance = Σ delta/Σ volume over period bars; toxicity = Σ |delta|/Σ volume over
//! them. signal = imbalance/full kept in [-1, 1], 0 while |imbalance| < dead_zone.
//! Data: High, low, close and volume. An estimate: real order flow needs trades with quotes.
//! Cost: O(bars · (period + sigma_bars)).
//! Fails when: The price moves without trades, as on news; volume that is bought passively. The
//! estimate follows the price and so says little that the price does not.
//! Source: D. Easley, M. López de Prado, M. O'Hara, Flow Toxicity and Liquidity in a High-Frequency
//! World, Review of Financial Studies 25 (2012), bulk volume classification; C. M. C. Lee, M. J.
//! Ready, Inferring Trade Direction from Intraday Data, Journal of Finance 46 (1991), tick rule; M.
//! Chaikin, for the close location.
//! Not claimed: That it is the order flow: bulk classification is a guess (Andersen and Bondarenko
//! 2014 dispute it), and daily bars are coarse.

use super::engine::{Method, buy_shares};
use crate::signals::{Column, said, volume};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct OrderFlow;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<OrderFlow>();

params! {
    /// Parameters.
    pub struct OrderFlowParams {
        /// How the bought share of a bar is estimated.
        method: Method = Method::Bulk;
        /// Changes of the close whose deviation the bulk method takes.
        sigma_bars: usize = 20, within(2.0, 10_000.0);
        /// Bars over which the imbalance is taken.
        period: usize = 10, within(1.0, 10_000.0);
        /// Imbalance at which the signal is full.
        full: f64 = 0.5, above_up_to(0.0, 1.0);
        /// Under this imbalance the signal is 0.
        dead_zone: f64 = 0.05, within(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "order_flow",
    family: "microstructure",
    title: "Order flow imbalance",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "An estimate, from bars alone, of how much of the volume was bought and sold at the initiative of the other side, and its imbalance over the last bars.",
    formula: "buy share b of a bar: method bulk: Φ(Δclose/σ), σ the standard deviation of the sigma_bars changes of the close up to the bar; method tick: 1 after a rise, 0 after a fall, as before when unchanged; method location: (close - low)/(high - low), 1/2 without a range. delta = volume (2b - 1); imbalance = Σ delta/Σ volume over period bars; toxicity = Σ |delta|/Σ volume over them. signal = imbalance/full kept in [-1, 1], 0 while |imbalance| < dead_zone",
    data: "High, low, close and volume. An estimate: real order flow needs trades with quotes.",
    cost: "O(bars · (period + sigma_bars))",
    fails_when: "The price moves without trades, as on news; volume that is bought passively. The estimate follows the price and so says little that the price does not.",
    not_claimed: "That it is the order flow: bulk classification is a guess (Andersen and Bondarenko 2014 dispute it), and daily bars are coarse.",
    source: "D. Easley, M. López de Prado, M. O'Hara, Flow Toxicity and Liquidity in a High-Frequency World, Review of Financial Studies 25 (2012), bulk volume classification; C. M. C. Lee, M. J. Ready, Inferring Trade Direction from Intraday Data, Journal of Finance 46 (1991), tick rule; M. Chaikin, for the close location",
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
        ("buy_volume", "estimate, shares"),
        ("sell_volume", "estimate, shares"),
        ("imbalance", "-1 to 1 over the last period bars"),
        (
            "toxicity",
            "0 to 1 over the last period bars, as in VPIN on bars of time",
        ),
        (
            "cumulative_delta",
            "Σ delta from the first bar with an estimate, shares",
        ),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "calculation by hand",
            cases: "shares of all three methods, imbalance, toxicity",
            tolerance: "1e-12",
        },
        Evidence {
            against: "pandas 2.3.3 and scipy 1.17.1",
            cases: "all three methods on the bars of IBM: bought volume, imbalance, toxicity, cumulative delta, signal",
            tolerance: "1e-9 relative",
        },
    ],
    presets: &[],
    exemptions: &[],
};

impl Indicator for OrderFlow {
    type Params = OrderFlowParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar"];

    fn compute(p: &OrderFlowParams, bars: &Bars) -> Result<Columns, FitError> {
        let volume = volume(bars)?;
        let shares = buy_shares(bars, p.method, p.sigma_bars)?;
        let n = bars.len();
        let delta: Column = (0..n)
            .map(|t| shares[t].map(|b| volume[t] * (2.0 * b - 1.0)))
            .collect();
        let over = |t: usize, f: fn(f64) -> f64| {
            let from = (t + 1).checked_sub(p.period)?;
            let sum = (from..=t).try_fold(0.0, |s, i| Some(s + f(delta[i]?)))?;
            let all: f64 = volume[from..=t].iter().sum();
            Some(if all > 0.0 { sum / all } else { 0.0 })
        };
        let imbalance: Column = (0..n).map(|t| over(t, |d| d)).collect();
        let toxicity: Column = (0..n).map(|t| over(t, f64::abs)).collect();
        let mut total = 0.0;
        let cumulative = delta.iter().map(|d| {
            d.map(|d| {
                total += d;
                total
            })
        });
        let cumulative = cumulative.collect();
        let signal = imbalance.iter().map(|i| {
            i.map(|i| match i.abs() < p.dead_zone {
                true => 0.0,
                false => (i / p.full).clamp(-1.0, 1.0),
            })
        });
        let mut columns = said(signal.collect());
        let part = |of: fn(f64) -> f64| -> Column {
            let each = shares.iter().zip(volume);
            each.map(|(b, v)| b.map(|b| v * of(b))).collect()
        };
        columns.extend([
            ("buy_volume", part(|b| b)),
            ("sell_volume", part(|b| 1.0 - b)),
            ("imbalance", imbalance),
            ("toxicity", toxicity),
            ("cumulative_delta", cumulative),
        ]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::pick;
    use crate::signals::tests::{closes, ibm, with};

    #[test]
    fn by_hand() {
        // Tick rule: a rise, none, a fall: all bought, as before, all sold. Deltas 2 3 -4 of 9.
        let mut bars = closes(&[10.0, 11.0, 11.0, 10.0]);
        bars.volume = Some(vec![1.0, 2.0, 3.0, 4.0]);
        let columns =
            OrderFlow::compute(&with(r#"{"method": "tick", "period": 3}"#), &bars).unwrap();
        let last = |name: &str| pick(&columns, name)[3].unwrap();
        assert!((last("imbalance") - 1.0 / 9.0).abs() < 1e-12);
        assert!((last("signal") - 2.0 / 9.0).abs() < 1e-12);
        assert_eq!((last("toxicity"), last("cumulative_delta")), (1.0, 1.0));
        assert_eq!((last("buy_volume"), last("sell_volume")), (0.0, 4.0));
        assert_eq!(pick(&columns, "signal")[2], None);
    }

    /// pandas 2.3.3 and scipy 1.17.1 on the bars of IBM, at bars 60 and 119: Φ(Δclose over the rolling(20).std(ddof=0) of
    /// Δclose), the sign of Δclose carried on, and (close - low)/(high - low); rolling(10) sums and a cumsum of these.
    #[test]
    fn as_with_pandas() {
        let wanted: [(&str, [[f64; 5]; 2]); 3] = [
            (
                "bulk",
                [
                    [
                        2640304.512164216,
                        -0.15965427558279494,
                        0.6054011661969915,
                        -18215073.515113126,
                        -0.31930855116558987,
                    ],
                    [
                        2125449.899691027,
                        -0.07346962844945974,
                        0.3731644650948271,
                        2200657.2841378893,
                        -0.14693925689891948,
                    ],
                ],
            ),
            (
                "tick",
                [
                    [0.0, -0.03656103645610165, 1.0, 17796800.0, 0.0],
                    [
                        0.0,
                        -0.3072825334627691,
                        1.0,
                        44845000.0,
                        -0.6145650669255383,
                    ],
                ],
            ),
            (
                "location",
                [
                    [
                        1339311.95652177,
                        0.04371979025399182,
                        0.5144303547926808,
                        -650762.8157048938,
                        0.0,
                    ],
                    [
                        2512273.897058815,
                        -0.02037569943614597,
                        0.4757015257368203,
                        51490246.78476138,
                        0.0,
                    ],
                ],
            ),
        ];
        let names = [
            "buy_volume",
            "imbalance",
            "toxicity",
            "cumulative_delta",
            "signal",
        ];
        for (method, bars) in wanted {
            let set = format!(r#"{{"method": "{method}"}}"#);
            let columns = OrderFlow::compute(&with(&set), &ibm()).unwrap();
            for (bar, values) in [60, 119].into_iter().zip(bars) {
                for (name, want) in names.into_iter().zip(values) {
                    let got = pick(&columns, name)[bar].unwrap();
                    let near = (got - want).abs() <= 1e-9 * want.abs().max(1.0);
                    assert!(near, "{method} {name} {bar}: {got} {want}");
                }
            }
        }
    }
}
