//! EGARCH.
//!
//! What: the logarithm of the variance from its own past and past standardised shocks and their sizes.
//! Formula: ln σ²_t = ω + Σ α_i (|z_{t-i}| - √(2/π)) + Σ γ_i z_{t-i} + Σ β_j ln σ²_{t-j}.
//! Data: one series of returns, best in percent.
//! Cost: O(n k) a step for k parameters, some tens of steps.
//! Fails when: the level of variance breaks; there are few rows (under about 500).
//! Source: Nelson, Econometrica 59 (1991).
//! Not claimed: a forecast of the direction.

use super::density::Dist;
use super::volatility::{self, Errors, Kind, MOST_LAGS, Mean, Spec};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, Track, Tracker,
    params, run,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Egarch;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Egarch>().with_tracking::<Egarch>();

params! {
    /// Parameters of EGARCH.
    pub struct EgarchParams {
        /// Lags of the size of shocks.
        p: usize = 1, within(0.0, MOST_LAGS);
        /// Lags of signed shocks (leverage).
        o: usize = 0, within(0.0, MOST_LAGS);
        /// Lags of the logarithm of the variance.
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
        /// Simulated paths for forecasts beyond one step.
        simulations: usize = 1000, within(1.0, 1_000_000.0);
        /// Seed of the paths; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "egarch",
    family: "time_series",
    title: "EGARCH",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "A GARCH of the logarithm of the variance: shocks multiply, signs count, and no coefficient needs a bound to keep the variance positive.",
    formula: "ln σ²_t = ω + Σ α_i (|z_{t-i}| - √(2/π)) + Σ γ_i z_{t-i} + Σ β_j ln σ²_{t-j}, β ≥ 0, Σβ < 1; likelihood and distributions as in GARCH; one step ahead exactly, further steps as the mean over simulated paths",
    data: "One series of returns, best in percent; a few hundred rows or more.",
    cost: "O(n k) a step for k parameters, some tens of steps; k² more for standard errors",
    fails_when: "A large shock multiplies the variance: after a crash forecasts may be far too high. Beyond one step they carry the error of the simulation.",
    not_claimed: "A forecast of the direction. A persistence near 1 may be a break in the level of variance.",
    source: "D. B. Nelson, Econometrica 59 (1991); T. Bollerslev, J. M. Wooldridge, Econometric Reviews 11 (1992)",
    reference: "arch 8.0.0, arch_model(vol='EGARCH')",
    outputs: volatility::OUTPUTS,
    stochastic: true,
    evidence: &[Evidence {
        against: "arch 8.0.0",
        cases: "S&P 500 returns: EGARCH(1,1,1); AAPL returns with every mean and distribution",
        tolerance: "log likelihood at least arch's less 0.001, parameters 1e-3, volatilities 1e-3, standard errors 2%",
    }],
    presets: &[],
    exemptions: &[],
};

impl EgarchParams {
    fn spec(&self) -> Spec {
        Spec {
            kind: Kind::Egarch,
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

impl Track for Egarch {
    fn track(
        params: &EgarchParams,
        y: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        volatility::track(
            y,
            params.spec(),
            params.simulations,
            run::effective_seed(params.seed, 0),
            start,
        )
    }
}

impl Analysis for Egarch {
    type Params = EgarchParams;
    const CARD: &'static Card = &CARD;
    const TAKES: Takes = Takes::Returns;

    fn analyse(params: &EgarchParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        volatility::analyse(
            data,
            params.spec(),
            ask.horizon,
            params.simulations,
            run::effective_seed(params.seed, ask.seed),
        )
    }
}
