//! KPSS test.
//!
//! What: tests whether a series is stationary around a level or a trend.
//! Formula: Σ S_t² / (n² s²), S_t the running sums of the residuals, s² their long-run variance.
//! Data: one series.
//! Cost: O(n l) for l lags.
//! Fails when: strong but fading autocorrelation with few lags: it rejects too often.
//! Source: Kwiatkowski, Phillips, Schmidt, Shin, J. Econometrics 54 (1992).
//! Not claimed: p-values outside 0.01 to 0.10.

use super::engine::{LeastSquares, Trend, named, number, residuals, varies};
use crate::numeric::dot;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params,
};
use mltrainer_types::catalogue::Task;
use serde_json::Value;

/// The handle.
pub struct Kpss;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Kpss>();

choices! {
    /// What is stationary under the hypothesis.
    pub enum Around {
        /// The series around a level.
        Level = "c",
        /// The series around a linear trend.
        Trend = "ct",
    }
}

choices! {
    /// How the number of lags is found.
    pub enum Rule {
        /// From the data (Hobijn and others, 1998).
        Auto = "auto",
        /// ⌈12 (n/100)^¼⌉ (Schwert, 1989).
        Legacy = "legacy",
    }
}

params! {
    /// Parameters of the KPSS test.
    pub struct KpssParams {
        /// Stationary around a level (c) or a linear trend (ct).
        regression: Around = Around::Level;
        /// Lags of the long-run variance: a number, auto (from the data) or legacy (from the number of rows).
        lags: WordOr<Rule> = WordOr::Word(Rule::Auto), at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "kpss",
    family: "test",
    title: "KPSS test of stationarity",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Tests whether a series is stationary around a level or a trend; a small p-value speaks against it. The counterpart of the Dickey-Fuller test, whose hypothesis is the opposite.",
    formula: "η = Σ S_t²/(n² s²), S_t = Σ_{i≤t} e_i, e the residuals from the mean or trend, s² = (Σ e² + 2 Σ_{i≤l} (1 - i/(l+1)) Σ e_t e_{t-i})/n; auto: l = ⌊1.1447 (s1/s0)^(2/3) n^(1/3)⌋ from the first ⌊n^(2/9)⌋ autocovariances; p interpolated between 0.10 and 0.01",
    data: "One series, oldest first.",
    cost: "O(n l) for l lags",
    fails_when: "Autocorrelation is strong but fades: with few lags it rejects too often, with many it loses power.",
    not_claimed: "p-values outside 0.01 to 0.10: beyond, the bound is given and said to be one.",
    source: "D. Kwiatkowski, P. C. B. Phillips, P. Schmidt, Y. Shin, J. Econometrics 54 (1992); B. Hobijn, P. H. Franses, M. Ooms, Econometric Institute report 9802 (1998)",
    reference: "statsmodels 0.15.0, kpss",
    outputs: &[
        ("statistic", "η"),
        ("p_value", "interpolated, kept within 0.01 to 0.10"),
        (
            "p_value_is_bound",
            "whether the true p-value lies beyond the one given",
        ),
        ("lags", "lags of the long-run variance"),
        (
            "critical_values",
            "of the statistic at 10%, 5%, 2.5% and 1%",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, kpss",
        cases: "Nile, US unemployment and GDP growth; closes of 5 shares, both hypotheses, all ways of choosing lags",
        tolerance: "1e-7 relative",
    }],
    presets: &[],
    exemptions: &[],
};

/// Lags by the rule of Hobijn, Franses and Ooms for Bartlett weights.
fn automatic(e: &[f64]) -> f64 {
    let n = e.len() as f64;
    let most = n.powf(2.0 / 9.0) as usize;
    let (mut s0, mut s1) = (dot(e, e) / n, 0.0);
    for i in 1..=most {
        let twice = 2.0 * dot(&e[i..], &e[..e.len() - i]) / n;
        s0 += twice;
        s1 += i as f64 * twice;
    }
    let ratio = s1 / s0;
    (1.1447 * (ratio * ratio).cbrt() * n.cbrt()).floor()
}

impl Analysis for Kpss {
    type Params = KpssParams;
    const CARD: &'static Card = &CARD;

    fn analyse(params: &KpssParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let x = data.series(0);
        let n = x.len();
        varies(&x, "the series")?;
        let (trend, bounds) = match params.regression {
            Around::Level => (Trend::Constant, [0.347, 0.463, 0.574, 0.739]),
            Around::Trend => (Trend::Linear, [0.119, 0.146, 0.176, 0.216]),
        };
        let columns = trend.columns(n);
        let fit = LeastSquares::new(&x, &columns)?;
        if fit.exact(columns.len()) {
            return Err(FitError::Data(
                "the series is a straight line: nothing is left to test".into(),
            ));
        }
        let e = residuals(&x, &columns, &fit.coefficients(columns.len()));
        let rows = n as f64;
        let lags = match params.lags {
            WordOr::Number(lags) if lags.fract() != 0.0 || lags >= rows => {
                return Err(FitError::Data(format!(
                    "lags {lags}: it must be a whole number below the {n} rows"
                )));
            }
            WordOr::Number(lags) => lags as usize,
            WordOr::Word(Rule::Legacy) => {
                ((12.0 * (rows / 100.0).powf(0.25)).ceil() as usize).min(n - 1)
            }
            WordOr::Word(Rule::Auto) => automatic(&e).clamp(0.0, rows - 1.0) as usize,
        };
        let mut variance = dot(&e, &e);
        for i in 1..=lags {
            let weight = 1.0 - i as f64 / (lags as f64 + 1.0);
            variance += 2.0 * weight * dot(&e[i..], &e[..n - i]);
        }
        variance /= rows;
        let mut sum = 0.0;
        let mut squares = 0.0;
        for v in &e {
            sum += v;
            squares += sum * sum;
        }
        let statistic = squares / (rows * rows) / variance;
        if !statistic.is_finite() || variance <= 0.0 {
            return Err(FitError::Failed(format!(
                "the long-run variance with {lags} lags is not above 0: take fewer lags"
            )));
        }
        const LEVELS: [f64; 4] = [0.10, 0.05, 0.025, 0.01];
        let p = match bounds.iter().position(|b| statistic <= *b) {
            Some(0) => LEVELS[0],
            None => LEVELS[3],
            Some(k) => {
                let share = (statistic - bounds[k - 1]) / (bounds[k] - bounds[k - 1]);
                LEVELS[k - 1] + share * (LEVELS[k] - LEVELS[k - 1])
            }
        };
        let names = ["10%", "5%", "2.5%", "1%"];
        Ok(Outputs::from_iter([
            ("statistic".into(), number(statistic)),
            ("p_value".into(), number(p)),
            (
                "p_value_is_bound".into(),
                Value::from(statistic < bounds[0] || statistic > bounds[3]),
            ),
            ("lags".into(), Value::from(lags)),
            (
                "critical_values".into(),
                named(names.into_iter().zip(bounds.map(Some))),
            ),
        ]))
    }
}
