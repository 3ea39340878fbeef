//! GJR-GARCH.
//!
//! What: as GARCH, with a further weight on shocks below 0.
//! Formula: σ²_t = ω + Σ α_i e²_{t-i} + Σ γ_i e²_{t-i} [e_{t-i} < 0] + Σ β_j σ²_{t-j}.
//! Data: one series of returns, best in percent.
//! Cost: O(n k) a step for k parameters, some tens of steps.
//! Fails when: the level of variance breaks; there are few rows (under about 500).
//! Source: Glosten, Jagannathan, Runkle, J. Finance 48 (1993).
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
pub struct GjrGarch;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<GjrGarch>().with_tracking::<GjrGarch>();

params! {
    /// Parameters of GJR-GARCH.
    pub struct GjrGarchParams {
        /// Lags of squared shocks.
        p: usize = 1, within(0.0, MOST_LAGS);
        /// Lags of shocks below 0.
        o: usize = 1, within(0.0, MOST_LAGS);
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
    id: "gjr_garch",
    family: "time_series",
    title: "GJR-GARCH",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "A GARCH in which losses raise the variance more than gains of the same size (leverage).",
    formula: "σ²_t = ω + Σ α_i e²_{t-i} + Σ γ_i e²_{t-i} [e_{t-i} < 0] + Σ β_j σ²_{t-j}, α ≥ 0, α + γ ≥ 0, β ≥ 0, Σα + Σγ/2 + Σβ < 1; likelihood, distributions and forecasts as in GARCH, half of the forecast counts as negative shocks",
    data: "One series of returns, best in percent; a few hundred rows or more.",
    cost: "O(n k) a step for k parameters, some tens of steps; k² more for standard errors",
    fails_when: "Jumps or breaks in the level of variance: the persistence then nears 1. With a skewed distribution half of the forecast is only about the share of negative shocks.",
    not_claimed: "A forecast of the direction. A persistence near 1 may be a break in the level of variance.",
    source: "L. R. Glosten, R. Jagannathan, D. E. Runkle, J. Finance 48 (1993); T. Bollerslev, J. M. Wooldridge, Econometric Reviews 11 (1992)",
    reference: "arch 8.0.0, arch_model(vol='GARCH', o=1)",
    outputs: volatility::OUTPUTS,
    stochastic: false,
    evidence: &[Evidence {
        against: "arch 8.0.0",
        cases: "S&P 500 returns: GJR-GARCH(1,1,1); AAPL returns with every mean and distribution",
        tolerance: "log likelihood at least arch's less 0.001, parameters 1e-3, volatilities 1e-3, standard errors 2%",
    }],
    presets: &[],
    exemptions: &[],
};

impl GjrGarchParams {
    fn spec(&self) -> Spec {
        Spec {
            kind: Kind::Garch,
            p: self.p,
            o: self.o,
            q: self.q,
            mean: self.mean,
            lags: self.lags,
            dist: self.dist,
            backcast: self.backcast,
            errors: self.cov_type,
        }
    }
}

impl Track for GjrGarch {
    fn track(
        params: &GjrGarchParams,
        y: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        volatility::track(y, params.spec(), 1, 0, start)
    }
}

impl Analysis for GjrGarch {
    type Params = GjrGarchParams;
    const CARD: &'static Card = &CARD;
    const TAKES: Takes = Takes::Returns;

    fn analyse(params: &GjrGarchParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        volatility::analyse(data, params.spec(), ask.horizon, 1, 0)
    }
}
