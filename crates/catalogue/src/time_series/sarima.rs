//! Seasonal ARIMA.
//!
//! What: ARIMA with further terms a season apart, multiplied with the ordinary ones.
//! Formula: φ(B)Φ(Bˢ)(1-B)ᵈ(1-Bˢ)ᴰ(y - Xb) = θ(B)Θ(Bˢ)e; exact Gaussian likelihood.
//! Data: one series with a season of s rows; further columns are exogenous.
//! Cost: O(steps · coefficients · n · k²), k = max(p+sP, q+sQ+1).
//! Fails when: the series has fewer than two or three seasons, or the season is very long.
//! Source: Box & Jenkins (1970), chapter 9.
//! Not claimed: that there is a season.

use super::arima_run::{self, Covariance, OUTPUTS, Order, Request, SeasonalOrder, Trend};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Track, Tracker, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Sarima;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Sarima>().with_tracking::<Sarima>();

params! {
    /// Parameters of a seasonal ARIMA model.
    pub struct SarimaParams {
        /// p,d,q: autoregressive terms, differences, moving-average terms.
        order: Order = Order([1, 0, 0]);
        /// P,D,Q,s: the same a season of s rows apart.
        seasonal_order: SeasonalOrder = SeasonalOrder([0, 0, 0, 0]);
        /// Deterministic part: n none, c a constant, t a slope, ct both; none is c when nothing is differenced, else n. With one difference t is a drift.
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
    id: "sarima",
    family: "time_series",
    title: "Seasonal ARIMA",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "ARIMA whose autoregressive, differencing and moving-average terms are multiplied with like terms a season apart, by exact maximum likelihood.",
    formula: "φ(B)Φ(Bˢ)(1-B)ᵈ(1-Bˢ)ᴰ(y(t) - Xb) = θ(B)Θ(Bˢ)e(t); likelihood, search, criteria as in arima, each of the four polynomials through partial autocorrelations of its own",
    data: "One series with a season of s rows, several seasons long; further columns, named after it, are exogenous: the rows held out hold their values to come.",
    cost: "O(starts · steps · coefficients · n · k²), k = max(p+sP, q+sQ+1)",
    fails_when: "Seasons are fewer than the orders need, or so long that the state has hundreds of entries. Over-differencing shows as a moving-average root on the unit circle.",
    not_claimed: "That there is a season: compare the criteria with those of arima. Intervals leave out the uncertainty of the estimates.",
    source: "G. E. P. Box, G. M. Jenkins, Time Series Analysis (1970), chapter 9; A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), 3.3",
    reference: "statsmodels 0.15.0, tsa.arima.model.ARIMA with seasonal_order",
    outputs: &OUTPUTS,
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, ARIMA(..., seasonal_order=...).fit()",
        cases: "sarima-011-011-co2, sarima-110-100-co2; unit tests on further orders",
        tolerance: "log likelihood 0.2%, coefficients 1% + 0.02; unit tests 1e-4 and nearer",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for Sarima {
    type Params = SarimaParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (1, usize::MAX);

    fn analyse(params: &SarimaParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        let request = Request {
            id: CARD.id,
            orders: arima_run::orders(params.order, params.seasonal_order),
            trend: params.trend,
            alpha: params.alpha,
            holdout: params.holdout,
            covariance: params.cov_type,
        };
        arima_run::analyse(&request, data, ask)
    }
}

impl Track for Sarima {
    fn track(
        params: &SarimaParams,
        y: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        arima_run::track(
            CARD.id,
            arima_run::orders(params.order, params.seasonal_order),
            params.trend,
            y,
            start,
        )
    }
}
