//! Volatility regime.
//!
//! What: Calm, usual or turbulent by the rank of the volatility among its own past, and an exposure
//! along the trend that shrinks as volatility grows.
//! Formula: v = sqrt(periods_per_year) · volatility of a bar over the last period bars: estimator
//! close, standard deviation (divisor period) of logarithmic returns; parkinson,
//! sqrt(mean(ln(high/low)²)/(4 ln 2)). rank = share of the last window values of v below the present
//! one. Regime 0 while rank < low, 2 while rank >= high, else 1; a new regime counts after confirm
//! bars in a row. exposure = min(1, target/v), times turbulent_exposure in regime 2. signal =
//! exposure · sign(close - mean of the last trend_period closes).
//! Data: Positive high, low and close.
//! Cost: O(bars · (period + window + trend_period)).
//! Fails when: Volatility jumps: the exposure is cut after the loss. The rank knows only the
//! volatility it has seen.
//! Source: A. Moreira, T. Muir, Volatility-Managed Portfolios, Journal of Finance 72 (2017); M.
//! Parkinson, The Extreme Value Method for Estimating the Variance of the Rate of Return, Journal of
//! Business 53 (1980).
//! Not claimed: A higher return; the source finds one for several factors, later work disputes it out
//! of sample.

use crate::signals::{Column, deviation, mean, missing, rank, rolling, said, sign};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::choices;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct VolatilityRegime;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<VolatilityRegime>();

params! {
    /// Parameters.
    pub struct VolatilityRegimeParams {
        /// Bars whose volatility is taken.
        period: usize = 20, within(2.0, 10_000.0);
        /// How it is estimated.
        estimator: Estimator = Estimator::Close;
        /// Past values it is ranked among, fewer while there are fewer.
        window: usize = 250, within(2.0, 10_000.0);
        /// Below this rank it is calm.
        low: f64 = 0.3, within(0.0, 1.0);
        /// From this rank on it is turbulent.
        high: f64 = 0.8, within(0.0, 1.0);
        /// Bars in a row after which a new regime counts.
        confirm: usize = 3, within(1.0, 1000.0);
        /// Volatility a year at which the exposure is full.
        target: f64 = 0.2, above(0.0);
        /// Share of the exposure that is kept in a turbulent regime.
        turbulent_exposure: f64 = 0.5, within(0.0, 1.0);
        /// Closes averaged for the trend.
        trend_period: usize = 50, within(2.0, 10_000.0);
        /// Bars a year.
        periods_per_year: f64 = 252.0, above(0.0);
    }
}

const CARD: Card = Card {
    id: "volatility_regime",
    family: "rule",
    title: "Volatility regime",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Calm, usual or turbulent by the rank of the volatility among its own past, and an exposure along the trend that shrinks as volatility grows.",
    formula: "v = sqrt(periods_per_year) · volatility of a bar over the last period bars: estimator close, standard deviation (divisor period) of logarithmic returns; parkinson, sqrt(mean(ln(high/low)²)/(4 ln 2)). rank = share of the last window values of v below the present one. Regime 0 while rank < low, 2 while rank >= high, else 1; a new regime counts after confirm bars in a row. exposure = min(1, target/v), times turbulent_exposure in regime 2. signal = exposure · sign(close - mean of the last trend_period closes)",
    data: "Positive high, low and close.",
    cost: "O(bars · (period + window + trend_period))",
    fails_when: "Volatility jumps: the exposure is cut after the loss. The rank knows only the volatility it has seen.",
    not_claimed: "A higher return; the source finds one for several factors, later work disputes it out of sample.",
    source: "A. Moreira, T. Muir, Volatility-Managed Portfolios, Journal of Finance 72 (2017); M. Parkinson, The Extreme Value Method for Estimating the Variance of the Rate of Return, Journal of Business 53 (1980)",
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
        ("volatility", "a year, 0.2 for 20 percent"),
        ("rank", "0 to 1 among its own past"),
        ("regime", "0 calm, 1 usual, 2 turbulent"),
        ("exposure", "0 to 1"),
        ("trend", "mean of the last trend_period closes, price units"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "volatility of both estimators, rank, regime, exposure",
        tolerance: "1e-12",
    }],
    presets: &[],
    exemptions: &[],
};

choices! {
    /// How volatility is estimated.
    pub enum Estimator {
        /// From closes.
        Close = "close",
        /// From highs and lows.
        Parkinson = "parkinson",
    }
}

impl Indicator for VolatilityRegime {
    type Params = VolatilityRegimeParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar", "regime"];

    fn compute(p: &VolatilityRegimeParams, bars: &Bars) -> Result<Columns, FitError> {
        if p.low > p.high {
            let reason = format!("{} must be at most high, which is {}", p.low, p.high);
            return Err(crate::signals::refused("low", reason));
        }
        let close = &bars.close;
        let positive = |what: &str, values: &[f64]| match values.iter().position(|v| *v <= 0.0) {
            Some(t) => Err(FitError::Data(format!(
                "{what} row {}: {} has no logarithm; volatility_regime takes positive prices",
                t + 1,
                values[t]
            ))),
            None => Ok(()),
        };
        positive("close", close)?;
        let year = p.periods_per_year.sqrt();
        let volatility: Column = match p.estimator {
            Estimator::Close => {
                let moves: Vec<f64> = close.windows(2).map(|w| (w[1] / w[0]).ln()).collect();
                let spread = rolling(&moves, p.period, |w| year * deviation(w));
                // The first return belongs to the second bar.
                [None].into_iter().chain(spread).collect()
            }
            Estimator::Parkinson => {
                let (high, low, _) = crate::signals::prices(bars)?;
                positive("low", low)?;
                positive("high", high)?;
                let squares: Vec<f64> = high
                    .iter()
                    .zip(low)
                    .map(|(h, l)| (h / l).ln().powi(2))
                    .collect();
                let four = 4.0 * std::f64::consts::LN_2;
                rolling(&squares, p.period, |w| year * (mean(w) / four).sqrt())
            }
        };
        let trend = rolling(close, p.trend_period, mean);
        let mut past = Vec::new();
        let (mut regime, mut tried, mut count): (Option<u8>, u8, usize) = (None, 1, 0);
        let [mut signal, mut ranks, mut regimes, mut exposures]: [Column; 4] = Default::default();
        for t in 0..close.len() {
            let Some(v) = volatility[t] else {
                missing([&mut signal, &mut ranks, &mut regimes, &mut exposures]);
                continue;
            };
            past.push(v);
            let share = rank(&past[past.len().saturating_sub(p.window)..], v);
            let now = u8::from(share >= p.low) + u8::from(share >= p.high);
            count = if now == tried { count + 1 } else { 1 };
            tried = now;
            // The first one counts at once.
            if count >= p.confirm || regime.is_none() {
                regime = Some(now);
            }
            let kept = if regime == Some(2) {
                p.turbulent_exposure
            } else {
                1.0
            };
            let exposure = kept
                * if v > 0.0 {
                    (p.target / v).min(1.0)
                } else {
                    1.0
                };
            ranks.push(Some(share));
            regimes.push(regime.map(f64::from));
            exposures.push(Some(exposure));
            signal.push(trend[t].map(|m| exposure * sign(close[t] - m)));
        }
        let mut columns = said(signal);
        columns.extend([
            ("volatility", volatility),
            ("rank", ranks),
            ("regime", regimes),
            ("exposure", exposures),
            ("trend", trend),
        ]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::pick;
    use crate::signals::tests::{closes, with};

    #[test]
    fn by_hand() {
        // Logarithms 0 0 0.2 0.2 0.6: returns 0 0.2 0 0.4; deviations of two 0.1 0.1 0.2 at bars 2 3 4. Ranks:
        // none of one 0, none of two below 0.1: 0, two of three: 2/3.
        let bars = closes(&[0.0, 0.0, 0.2, 0.2, 0.6].map(f64::exp));
        let set = r#"{"period": 2, "trend_period": 2, "periods_per_year": 1, "target": 0.15, "low": 0.5, "high": 0.6, "confirm": 1}"#;
        let columns = VolatilityRegime::compute(&with(set), &bars).unwrap();
        let near = |name: &str, t: usize, want: f64| {
            let got = pick(&columns, name)[t].unwrap();
            assert!((got - want).abs() < 1e-12, "{name}: {got} is not {want}");
        };
        near("volatility", 2, 0.1);
        near("volatility", 4, 0.2);
        near("rank", 4, 2.0 / 3.0);
        near("regime", 3, 0.0);
        near("regime", 4, 2.0);
        near("exposure", 2, 1.0);
        near("exposure", 4, 0.375);
        near("signal", 4, 0.375);
        // Turbulence counts after two bars in a row.
        let set = r#"{"period": 2, "trend_period": 2, "low": 0.5, "high": 0.6, "confirm": 2}"#;
        let columns = VolatilityRegime::compute(&with(set), &bars).unwrap();
        assert_eq!(pick(&columns, "regime")[4], Some(0.0));
    }

    #[test]
    fn parkinson_by_hand() {
        // ln(high/low) of 1 and 2: mean square 5/2, over 4 ln 2.
        let mut bars = closes(&[1.0, 1.0]);
        bars.high = Some(vec![1.0_f64.exp(), 2.0_f64.exp()]);
        let set = r#"{"period": 2, "estimator": "parkinson", "periods_per_year": 1}"#;
        let columns = VolatilityRegime::compute(&with(set), &bars).unwrap();
        let want = (2.5 / (4.0 * std::f64::consts::LN_2)).sqrt();
        assert!((pick(&columns, "volatility")[1].unwrap() - want).abs() < 1e-12);
    }
}
