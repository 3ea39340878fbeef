//! ARIMA.
//!
//! What: a series, differenced d times, is explained by its own last p values and the last q errors;
//! further columns may explain it too (regression with ARIMA errors).
//! Formula: φ(B)(1-B)ᵈ(y - Xb) = θ(B)e; exact Gaussian likelihood by the Kalman filter.
//! Data: one series; further columns are exogenous and need the rows to come (`holdout`).
//! Cost: O(steps · (p+q) · n · max(p,q+1)²).
//! Fails when: the series is shorter than the orders need, or is not stationary after differencing.
//! Source: Box & Jenkins (1970); Harvey (1989), 3.3.
//! Not claimed: that the orders are the right ones.

use super::arima_run::{self, Covariance, OUTPUTS, Order, Request, SeasonalOrder, Trend};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, Preset, SeriesTable, Track, Tracker,
    params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Arima;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Arima>().with_tracking::<Arima>();

params! {
    /// Parameters of an ARIMA model.
    pub struct ArimaParams {
        /// p,d,q: autoregressive terms, differences, moving-average terms.
        order: Order = Order([1, 0, 0]);
        /// Deterministic part: n none, c a constant, t a slope, ct both; none is c when d is 0, else n. With d = 1 t is a drift.
        trend: Option<Trend> = None;
        /// Share of the intervals outside their ends.
        alpha: f64 = 0.05, inside(0.0, 1.0);
        /// Last rows that are not learned from: the forecast starts before them. Exogenous columns take their values to come from these rows.
        holdout: usize = 0, within(0.0, 1_000_000.0);
        /// Standard errors from the outer products of the scores (opg) or from the second derivatives (approx).
        cov_type: Covariance = Covariance::Opg;
    }
}

const CARD: Card = Card {
    id: "arima",
    family: "time_series",
    title: "ARIMA",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "Explains a series, differenced d times, by its own last p values and the last q errors, by exact maximum likelihood. Further columns enter as a regression with ARIMA errors.",
    formula: "φ(B)(1-B)ᵈ(y(t) - Xb) = θ(B)e(t), φ(z) = 1 - Σ arᵢ zⁱ, θ(z) = 1 + Σ maⱼ zʲ. ln L = -½ Σ (ln 2πσ²F(t) + v(t)²/(σ²F(t))) of the differenced series, v and F from the Kalman filter of Harvey's form, started from the stationary distribution; b and σ² concentrated out; search over partial autocorrelations, so that the estimate is stationary and invertible; starts from the regressions of Hannan and Rissanen and some fixed points. aic = -2 ln L + 2k, aicc = -2 ln L + 2kn/(n-k-1), bic = -2 ln L + k ln n, hqic = -2 ln L + 2k ln ln n, k with σ²",
    data: "One series of levels; with d = 0 it should be stationary. Further columns, named after it, are exogenous: the rows held out hold their values to come.",
    cost: "O(starts · steps · (p+q) · n · k²), k = max(p, q+1); the gains stop changing after some rows, from where a row costs O(k)",
    fails_when: "The rows are fewer than differences and coefficients need, the series is constant or follows its columns exactly. Over-differencing shows as a moving-average root on the unit circle, near-cancelling orders as large standard errors.",
    not_claimed: "That the orders are right, or that prices can be forecast: for most the best order is a random walk. Intervals leave out the uncertainty of the estimates.",
    source: "G. E. P. Box, G. M. Jenkins, Time Series Analysis (1970); A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), 3.3; J. F. Monahan, Biometrika 71 (1984)",
    reference: "statsmodels 0.15.0, tsa.arima.model.ARIMA",
    outputs: &OUTPUTS,
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, ARIMA(...).fit(), best of three optimisers",
        cases: "arima-101-volume, arima-200-gdp-growth, arima-011-volume, arima-111-unemp; unit tests on further orders, trends and a column",
        tolerance: "log likelihood 0.2%, coefficients 1% + 0.02; unit tests 1e-4 and nearer",
    }],
    presets: &[
        Preset {
            id: "arima_1_0_0",
            title: "ARIMA(1,0,0)",
            set: &[("order", "1,0,0")],
        },
        Preset {
            id: "arima_2_1_1",
            title: "ARIMA(2,1,1)",
            set: &[("order", "2,1,1")],
        },
        Preset {
            id: "arima_3_1_2",
            title: "ARIMA(3,1,2)",
            set: &[("order", "3,1,2")],
        },
    ],
    exemptions: &[],
};

impl Analysis for Arima {
    type Params = ArimaParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (1, usize::MAX);

    fn analyse(params: &ArimaParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        let request = Request {
            id: CARD.id,
            orders: arima_run::orders(params.order, SeasonalOrder([0; 4])),
            trend: params.trend,
            alpha: params.alpha,
            holdout: params.holdout,
            covariance: params.cov_type,
        };
        arima_run::analyse(&request, data, ask)
    }
}

impl Track for Arima {
    fn track(
        params: &ArimaParams,
        y: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        arima_run::track(
            CARD.id,
            arima_run::orders(params.order, SeasonalOrder([0; 4])),
            params.trend,
            y,
            start,
        )
    }
}
