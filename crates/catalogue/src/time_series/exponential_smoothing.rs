//! Simple exponential smoothing.
//!
//! What: the forecast is a mean of all past values whose weights fall off geometrically.
//! Formula: l(t) = αy(t) + (1-α)l(t-1); ŷ(t+h) = l(t).
//! Data: one series without trend or season.
//! Cost: O(n) a candidate weight.
//! Fails when: the series has a trend or a season.
//! Source: Brown (1956); Hyndman & Athanasopoulos (2021), 8.1.
//! Not claimed: skill on prices, where the best weight is mostly 1.

use super::dates;
use super::engine::{checked, reachable};
use super::smoothing::{self, Form, Given};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, Preset, SeriesTable, Track, Tracker,
    params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct ExponentialSmoothing;

/// The registration.
pub const ENTRY: Entry =
    Entry::analysis::<ExponentialSmoothing>().with_tracking::<ExponentialSmoothing>();

params! {
    /// Parameters of simple exponential smoothing.
    pub struct ExponentialSmoothingParams {
        /// Weight of the newest value; none finds it by least squares.
        alpha: Option<f64> = None, within(0.0, 1.0);
        /// Share of the intervals outside their ends.
        interval_alpha: f64 = 0.05, inside(0.0, 1.0);
    }
}

const LISTED: [(&str, &str); 14] = smoothing::with([(
    "gaps",
    "where dates leave rows out: after, before, days; null without dates",
)]);

const CARD: Card = Card {
    id: "exponential_smoothing",
    family: "time_series",
    title: "Simple exponential smoothing",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "The level is a mean of all past values whose weights fall off geometrically, and the forecast of every later row. The weight of the newest value is given or found by least squares of the one-step errors.",
    formula: "l(0) = y(1), l(t) = α y(t) + (1-α) l(t-1), ŷ(t+h) = l(t); α minimises Σ (y(t) - l(t-1))² in [0, 1]; variance h steps ahead σ²(1 + (h-1)α²)",
    data: "One series without trend or season.",
    cost: "O(n) a candidate weight, some hundred candidates",
    fails_when: "The series trends or has a season: the forecast lags behind.",
    not_claimed: "Skill on prices, whose best weight is near 1: the naive forecast.",
    source: "R. G. Brown, Exponential Smoothing for Predicting Demand (1956); R. J. Hyndman, G. Athanasopoulos, Forecasting: Principles and Practice, 3rd ed. (2021), 8.1",
    reference: "statsmodels 0.15.0, SimpleExpSmoothing with initial level y[0]",
    outputs: &LISTED,
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, SimpleExpSmoothing(initialization_method=\"known\", initial_level=y[0])",
        cases: "ses-0.25-volume, ses-0.6-infl, ses-fitted-volume",
        tolerance: "1e-9 with a given weight; 2% + 0.005 for a found one",
    }],
    presets: &[
        Preset {
            id: "exponential_smoothing_alpha_0_1",
            title: "Simple exponential smoothing, alpha 0.1",
            set: &[("alpha", "0.1")],
        },
        Preset {
            id: "exponential_smoothing_alpha_0_3",
            title: "Simple exponential smoothing, alpha 0.3",
            set: &[("alpha", "0.3")],
        },
        Preset {
            id: "exponential_smoothing_alpha_0_5",
            title: "Simple exponential smoothing, alpha 0.5",
            set: &[("alpha", "0.5")],
        },
    ],
    exemptions: &[],
};

/// Form and given weights.
fn setting(params: &ExponentialSmoothingParams) -> (Form, Given) {
    let form = Form {
        trend: None,
        seasonal: None,
        period: 1,
    };
    let given = Given {
        alpha: params.alpha,
        beta: None,
        gamma: None,
        phi: Some(1.0),
    };
    (form, given)
}

impl Track for ExponentialSmoothing {
    fn track(
        params: &ExponentialSmoothingParams,
        y: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        let (form, given) = setting(params);
        smoothing::track(CARD.id, form, y, &given, start)
    }
}

impl Analysis for ExponentialSmoothing {
    type Params = ExponentialSmoothingParams;
    const CARD: &'static Card = &CARD;

    fn analyse(
        params: &ExponentialSmoothingParams,
        data: &SeriesTable,
        ask: Ask,
    ) -> Result<Outputs, FitError> {
        reachable(ask.horizon)?;
        let y = checked(CARD.id, data, 0, 2)?;
        let (form, given) = setting(params);
        let (mut out, _, _) = smoothing::analyse(
            CARD.id,
            &form,
            &y,
            &given,
            ask.horizon,
            params.interval_alpha,
        )?;
        out.insert("gaps".into(), dates::gaps(data));
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;
    use crate::time_series::samples::{numbers, run, series};

    #[test]
    fn by_hand() {
        // l: 3, 3 + (5-3)/2 = 4, 4 + (2-4)/2 = 3; errors 0, 2, -2.
        let out = run::<ExponentialSmoothing>(&[("alpha", "0.5")], &series(&[3.0, 5.0, 2.0]), 2);
        assert_near(&numbers(&out["fitted"]), &[3.0, 3.0, 4.0], 1e-15);
        assert_near(&numbers(&out["forecast"]), &[3.0, 3.0], 1e-15);
        assert_near(&[out["sse"].as_f64().unwrap()], &[8.0], 1e-15);
        // Variance 8/3 a step, and (1 + 0.25) times that two steps ahead.
        let want = [(8.0_f64 / 3.0).sqrt(), (10.0_f64 / 3.0).sqrt()];
        assert_near(&numbers(&out["forecast_std"]), &want, 1e-7);
    }
}
