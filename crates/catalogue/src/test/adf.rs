//! Augmented Dickey-Fuller test.
//!
//! What: tests whether a series has a unit root: whether shocks to it never fade.
//! Formula: Δy_t = d_t + ρ y_{t-1} + Σ φ_i Δy_{t-i} + e_t; the statistic is the t value of ρ.
//! Data: one series of levels.
//! Cost: O(n k²) for k lags at most.
//! Fails when: the series has a break, which looks like a unit root; it is short.
//! Source: Dickey, Fuller, J. American Statistical Association 74 (1979); Said, Dickey, Biometrika 71 (1984).
//! Not claimed: that a series without a unit root can be forecast.

use super::engine::{self, Autolag, Trend, critical, number};
use super::mackinnon;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, params,
};
use mltrainer_types::catalogue::Task;
use serde_json::Value;

/// The handle.
pub struct Adf;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Adf>();

params! {
    /// Parameters of the augmented Dickey-Fuller test.
    pub struct AdfParams {
        /// Deterministic terms: n none, c constant, ct with a linear, ctt with a quadratic trend.
        regression: Trend = Trend::Constant;
        /// Most lagged differences; none is ⌈12 (n/100)^¼⌉, at most n/2 - terms - 1.
        maxlag: Option<usize> = None, within(0.0, 10_000.0);
        /// How the number of lags is chosen; none takes maxlag.
        autolag: Option<Autolag> = Some(Autolag::Aic);
    }
}

const CARD: Card = Card {
    id: "adf",
    family: "test",
    title: "Augmented Dickey-Fuller test",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Tests whether a series has a unit root. A small p-value speaks for a series that returns to its mean or trend.",
    formula: "Δy_t = d_t + ρ y_{t-1} + Σ φ_i Δy_{t-i} + e_t by least squares, d_t the deterministic terms; statistic = t value of ρ; lags by AIC, BIC or the last t value, compared on the rows common to all, then fitted on all rows; p-values from the surfaces of MacKinnon (1994), critical values from those of 2010",
    data: "One series of levels, oldest first.",
    cost: "O(n k²) for at most k lags: one orthogonal factorisation gives every number of lags",
    fails_when: "The level or the trend breaks (that looks like a unit root), the variance changes strongly, the series is short.",
    not_claimed: "That a series without a unit root can be forecast, or that a large p-value proves a unit root.",
    source: "D. A. Dickey, W. A. Fuller, J. American Statistical Association 74 (1979); S. E. Said, D. A. Dickey, Biometrika 71 (1984); J. G. MacKinnon, J. Business & Economic Statistics 12 (1994) and Queen's University working paper 1227 (2010)",
    reference: "statsmodels 0.15.0, adfuller",
    outputs: &[
        ("statistic", "t value of the level"),
        (
            "p_value",
            "probability of a smaller statistic under a unit root",
        ),
        ("lags", "lagged differences used"),
        ("n_obs", "rows of the regression"),
        ("critical_values", "of the statistic at 1%, 5% and 10%"),
        (
            "ic_best",
            "the criterion of the chosen lags, null without a choice",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, adfuller",
        cases: "Nile, S&P 500, US inflation and GDP; closes of 5 shares with every trend and way of choosing lags",
        tolerance: "1e-6 relative, p-values 1e-6",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for Adf {
    type Params = AdfParams;
    const CARD: &'static Card = &CARD;

    fn analyse(params: &AdfParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let x = data.series(0);
        let trend = params.regression;
        let fit = engine::dickey_fuller(&x, trend, params.maxlag, params.autolag)?;
        let p = mackinnon::p_value(fit.statistic, trend, 1);
        let bounds = mackinnon::critical(trend, 1, fit.rows as f64);
        Ok(Outputs::from_iter([
            ("statistic".into(), number(fit.statistic)),
            ("p_value".into(), Value::from(p)),
            ("lags".into(), Value::from(fit.lags)),
            ("n_obs".into(), Value::from(fit.rows)),
            ("critical_values".into(), critical(bounds)),
            ("ic_best".into(), Value::from(fit.criterion)),
        ]))
    }
}
