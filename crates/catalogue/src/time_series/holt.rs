//! Holt's linear trend.
//!
//! What: exponential smoothing of a level and of its rise a row; the rise may die down (damped) or be a ratio.
//! Formula: l = αy + (1-α)(l' + φb'), b = β(l-l') + (1-β)φb', ŷ(t+h) = l + (φ+...+φʰ)b.
//! Data: one series with a trend and no season.
//! Cost: O(n) a candidate.
//! Fails when: the trend turns.
//! Source: Holt (1957); Gardner & McKenzie (1985).
//! Not claimed: that a trend goes on.

use super::dates;
use super::engine::{checked, number, reachable};
use super::smoothing::{self, Form, Given, Part};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Track, Tracker, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Holt;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Holt>().with_tracking::<Holt>();

params! {
    /// Parameters of Holt's method.
    pub struct HoltParams {
        /// Weight of the newest value in the level; none finds it by least squares.
        alpha: Option<f64> = None, within(0.0, 1.0);
        /// Weight of the newest rise in the trend; none finds it by least squares.
        beta: Option<f64> = None, within(0.0, 1.0);
        /// Whether the trend dies down.
        damped_trend: bool = false;
        /// Damping a row of a damped trend; none finds it in 0.8 to 0.995.
        damping_trend: Option<f64> = None, above_up_to(0.0, 1.0);
        /// Whether the trend is a ratio instead of a difference.
        exponential: bool = false;
        /// Share of the intervals outside their ends.
        interval_alpha: f64 = 0.05, inside(0.0, 1.0);
    }
}

const LISTED: [(&str, &str); 17] = smoothing::with([
    ("beta", "weight of the newest rise in the trend"),
    ("damping", "φ; 1 without damping"),
    ("trend", "rise a row (or ratio) after the last row"),
    (
        "gaps",
        "where dates leave rows out: after, before, days; null without dates",
    ),
]);

const CARD: Card = Card {
    id: "holt",
    family: "time_series",
    title: "Holt's linear trend",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "Smooths a level and its rise a row, each with a weight that is given or found by least squares; the forecast goes on along the rise, which may die down or be a ratio.",
    formula: "l(0) = y(1), b(0) = y(2) - y(1); l(t) = α y(t) + (1-α)(l(t-1) + φ b(t-1)), b(t) = β(l(t) - l(t-1)) + (1-β) φ b(t-1), ŷ(t+h) = l(t) + (φ + ... + φʰ) b(t); exponential: the same with products and ratios. The variance h steps ahead is that of the errors carried on by the recursion",
    data: "One series with a trend and no season; positive values when exponential.",
    cost: "O(n) a candidate, some hundred candidates",
    fails_when: "The trend turns: the forecast runs on. Undamped it overshoots at long horizons.",
    not_claimed: "That a trend of a price goes on.",
    source: "C. C. Holt, Forecasting seasonals and trends by exponentially weighted averages (1957); E. S. Gardner, E. McKenzie, Management Science 31 (1985)",
    reference: "statsmodels 0.15.0, Holt with initial level y[0] and trend y[1] - y[0]",
    outputs: &LISTED,
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, Holt(initialization_method=\"legacy-heuristic\")",
        cases: "holt-0.8-0.1-log-gdp, holt-0.9-0.3-unemp, holt-fitted-unemp",
        tolerance: "1e-9 with given weights; sse 0.1% for found ones",
    }],
    presets: &[],
    exemptions: &[],
};

/// Form and given weights.
fn setting(params: &HoltParams) -> (Form, Given) {
    let form = Form {
        trend: Some(if params.exponential {
            Part::Mul
        } else {
            Part::Add
        }),
        seasonal: None,
        period: 1,
    };
    let given = Given {
        alpha: params.alpha,
        beta: params.beta,
        gamma: None,
        phi: if params.damped_trend {
            params.damping_trend
        } else {
            Some(1.0)
        },
    };
    (form, given)
}

impl Track for Holt {
    fn track(
        params: &HoltParams,
        y: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        let (form, given) = setting(params);
        smoothing::track(CARD.id, form, y, &given, start)
    }
}

impl Analysis for Holt {
    type Params = HoltParams;
    const CARD: &'static Card = &CARD;

    fn analyse(params: &HoltParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        reachable(ask.horizon)?;
        let y = checked(CARD.id, data, 0, 3)?;
        let (form, given) = setting(params);
        let (mut out, w, state) = smoothing::analyse(
            CARD.id,
            &form,
            &y,
            &given,
            ask.horizon,
            params.interval_alpha,
        )?;
        out.insert("beta".into(), number(w.beta));
        out.insert("damping".into(), number(w.phi));
        out.insert("trend".into(), number(state.trend));
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
        // l 1, b 1 before the first row: fitted 2; l = 1 + 1/2·... row 1: l = 0.5·1 + 0.5·2 = 1.5,
        // b = 0.5·0.5 + 0.5·1 = 0.75; fitted 2.25; row 2: l = 0.5·2 + 0.5·2.25 = 2.125, b = 0.5·0.625 + 0.375 = 0.6875;
        // fitted 2.8125; row 3: l = 0.5·4 + 0.5·2.8125 = 3.40625, b = 0.5·1.28125 + 0.34375 = 0.984375.
        let set = [("alpha", "0.5"), ("beta", "0.5")];
        let out = run::<Holt>(&set, &series(&[1.0, 2.0, 4.0]), 2);
        assert_near(&numbers(&out["fitted"]), &[2.0, 2.25, 2.8125], 1e-15);
        let want = [3.406_25 + 0.984_375, 3.406_25 + 2.0 * 0.984_375];
        assert_near(&numbers(&out["forecast"]), &want, 1e-15);
        let damped = [
            set[0],
            set[1],
            ("damped_trend", "true"),
            ("damping_trend", "0.5"),
        ];
        let out = run::<Holt>(&damped, &series(&[1.0, 2.0, 4.0]), 2);
        assert_near(&numbers(&out["fitted"])[..1], &[1.5], 1e-15);
    }
}
