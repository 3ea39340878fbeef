//! GARCH.
//!
//! What: the variance of returns as a mean of its own past and of past squared shocks.
//! Formula: σ²_t = ω + Σ α_i e²_{t-i} + Σ β_j σ²_{t-j}.
//! Data: one series of returns, best in percent.
//! Cost: O(n k) a step for k parameters, some tens of steps.
//! Fails when: the level of variance breaks; there are few rows (under about 500).
//! Source: Engle, Econometrica 50 (1982); Bollerslev, J. Econometrics 31 (1986).
//! Not claimed: a forecast of the direction.

use super::density::Dist;
use super::volatility::{self, Errors, Kind, MOST_LAGS, Mean, Spec};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, Track, Tracker,
    params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Garch;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Garch>().with_tracking::<Garch>();

params! {
    /// Parameters of GARCH.
    pub struct GarchParams {
        /// Lags of squared shocks.
        p: usize = 1, within(0.0, MOST_LAGS);
        /// Lags of the variance.
        q: usize = 1, within(0.0, MOST_LAGS);
        /// Conditional mean: a constant, zero, or a constant and lags (ar).
        mean: Mean = Mean::Constant;
        /// Lags of an autoregressive mean.
        lags: usize = 1, within(1.0, MOST_LAGS);
        /// Distribution of the standardised errors.
        dist: Dist = Dist::Normal;
        /// Variance before the first row; none is a weighted mean of the first 75 squared residuals.
        backcast: Option<f64> = None, above(0.0);
        /// Standard errors: robust to a wrong distribution, or classic.
        cov_type: Errors = Errors::Robust;
    }
}

const CARD: Card = Card {
    id: "garch",
    family: "time_series",
    title: "GARCH",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "The variance of tomorrow's return from past squared shocks and past variances. Forecasts variances, not directions.",
    formula: "r_t = μ_t + e_t, e_t = σ_t z_t, σ²_t = ω + Σ α_i e²_{t-i} + Σ β_j σ²_{t-j}, ω > 0, α, β ≥ 0, Σα + Σβ < 1; z standard normal, Student t, skewed t or generalised error; exact likelihood given the backcast, climbed with its gradient; forecasts by the recursion with e² replaced by its forecast",
    data: "One series of returns, best in percent; a few hundred rows or more.",
    cost: "O(n k) a step for k parameters, some tens of steps; k² more for standard errors",
    fails_when: "Jumps, breaks in the level of variance (the persistence then nears 1) and leverage are not seen.",
    not_claimed: "A forecast of the direction. A persistence near 1 may be a break in the level of variance.",
    source: "R. F. Engle, Econometrica 50 (1982); T. Bollerslev, J. Econometrics 31 (1986); T. Bollerslev, J. M. Wooldridge, Econometric Reviews 11 (1992)",
    reference: "arch 8.0.0, arch_model(vol='GARCH')",
    outputs: volatility::OUTPUTS,
    stochastic: false,
    evidence: &[Evidence {
        against: "arch 8.0.0",
        cases: "S&P 500 and WTI returns: GARCH(1,1) and (2,1), normal and t; AAPL returns with every mean and distribution",
        tolerance: "log likelihood at least arch's less 0.001, parameters 1e-3, volatilities 1e-3, standard errors 2%",
    }],
    presets: &[],
    exemptions: &[],
};

impl GarchParams {
    fn spec(&self) -> Spec {
        Spec {
            kind: Kind::Garch,
            p: self.p,
            o: 0,
            q: self.q,
            mean: self.mean,
            lags: self.lags,
            dist: self.dist,
            backcast: self.backcast,
            errors: self.cov_type,
        }
    }
}

impl Track for Garch {
    fn track(
        params: &GarchParams,
        y: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        volatility::track(y, params.spec(), 1, 0, start)
    }
}

impl Analysis for Garch {
    type Params = GarchParams;
    const CARD: &'static Card = &CARD;
    const TAKES: Takes = Takes::Returns;

    fn analyse(params: &GarchParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        volatility::analyse(data, params.spec(), ask.horizon, 1, 0)
    }
}
