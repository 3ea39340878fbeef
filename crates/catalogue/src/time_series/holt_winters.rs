//! Holt-Winters.
//!
//! What: exponential smoothing of a level, its trend and the factors of a season.
//! Formula: l = α(y - s) + (1-α)(l' + b'), b = β(l-l') + (1-β)b', s = γ(y - l' - b') + (1-γ)s.
//! Data: one series of at least two seasons.
//! Cost: O(n) a candidate.
//! Fails when: the season changes its form, or factors multiply values near 0.
//! Source: Winters (1960).
//! Not claimed: that there is a season.

use super::dates;
use super::engine::{checked, number, reachable, refused};
use super::smoothing::{self, Form, Given, Part};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, Preset, SeriesTable, Track, Tracker,
    params, run,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct HoltWinters;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<HoltWinters>().with_tracking::<HoltWinters>();

params! {
    /// Parameters of the Holt-Winters method.
    pub struct HoltWintersParams {
        /// Weight of the newest value in the level; none finds it by least squares.
        alpha: Option<f64> = None, within(0.0, 1.0);
        /// Weight of the newest rise in the trend; none finds it by least squares.
        beta: Option<f64> = None, within(0.0, 1.0);
        /// Weight of the newest value in its season's factor; none finds it by least squares.
        gamma: Option<f64> = None, within(0.0, 1.0);
        /// Whether the season is added or multiplies.
        seasonal: Part = Part::Add;
        /// Rows of a season; none takes it from the dates: 12 for months, 4 for quarters, 52 for weeks, 5 for working days, 7 for days.
        period: Option<usize> = None, within(2.0, 10_000.0);
        /// Whether the trend is added or multiplies; none is no trend.
        trend: Option<Part> = Some(Part::Add);
        /// Whether the trend dies down.
        damped_trend: bool = false;
        /// Damping a row of a damped trend; none finds it in 0.8 to 0.995.
        damping_trend: Option<f64> = None, above_up_to(0.0, 1.0);
        /// Share of the intervals outside their ends.
        interval_alpha: f64 = 0.05, inside(0.0, 1.0);
    }
}

const LISTED: [(&str, &str); 20] = smoothing::with([
    (
        "beta",
        "weight of the newest rise in the trend; null without one",
    ),
    ("gamma", "weight of the newest value in its season's factor"),
    ("damping", "φ; 1 without damping"),
    (
        "trend",
        "rise a row (or ratio) after the last row; null without one",
    ),
    ("season", "latest factors, that of the next row first"),
    ("period", "rows of a season"),
    (
        "gaps",
        "where dates leave rows out: after, before, days; null without dates",
    ),
]);

const CARD: Card = Card {
    id: "holt_winters",
    family: "time_series",
    title: "Holt-Winters",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "Smooths a level, its trend and one factor a row of the season, each with a weight that is given or found by least squares. The season is added or multiplies, and so is the trend, which may die down.",
    formula: "l(t) = α(y(t) - s) + (1-α)(l(t-1) + φ b(t-1)), b(t) = β(l(t) - l(t-1)) + (1-β) φ b(t-1), s' = γ(y(t) - l(t-1) - φ b(t-1)) + (1-γ) s; ŷ(t+h) = l + (φ + ... + φʰ) b + the latest factor of that season; mul: ratios for differences. Start: level = mean of the first season, trend = mean over i of (y[m+i] - y[i])/m a row, factors = first season less (over) the level",
    data: "One series of at least two seasons; positive values where parts multiply.",
    cost: "O(n) a candidate, some hundred candidates",
    fails_when: "The season changes its form, the trend turns, or factors multiply values near 0.",
    not_claimed: "That there is a season: daily prices have none to speak of.",
    source: "P. R. Winters, Forecasting sales by exponentially weighted moving averages, Management Science 6 (1960)",
    reference: "statsmodels 0.15.0, ExponentialSmoothing with known initial values; its forecast takes an older factor at every step that is a multiple of the period, here it is the latest",
    outputs: &LISTED,
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, ExponentialSmoothing(initialization_method=\"known\")",
        cases: "holt-winters-add-co2, holt-winters-mul-co2, holt-winters-fitted-co2",
        tolerance: "1e-9 with given weights; sse 0.1% for found ones",
    }],
    presets: &[
        Preset {
            id: "holt_winters_additive",
            title: "Holt-Winters, additive season",
            set: &[("seasonal", "add")],
        },
        Preset {
            id: "holt_winters_multiplicative",
            title: "Holt-Winters, multiplicative season",
            set: &[("seasonal", "mul")],
        },
    ],
    exemptions: &[],
};

/// Form and given weights.
fn setting(params: &HoltWintersParams, period: usize) -> (Form, Given) {
    let form = Form {
        trend: params.trend,
        seasonal: Some(params.seasonal),
        period,
    };
    let given = Given {
        alpha: params.alpha,
        beta: params.beta,
        gamma: params.gamma,
        phi: if params.damped_trend {
            params.damping_trend
        } else {
            Some(1.0)
        },
    };
    (form, given)
}

impl Track for HoltWinters {
    fn track(
        params: &HoltWintersParams,
        y: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        let period = params.period.ok_or_else(|| {
            refused(
                "period",
                "a series without dates does not tell its season: set it",
            )
        })?;
        let (form, given) = setting(params, period);
        smoothing::track(CARD.id, form, y, &given, start)
    }
}

impl Analysis for HoltWinters {
    type Params = HoltWintersParams;
    const CARD: &'static Card = &CARD;

    fn analyse(
        params: &HoltWintersParams,
        data: &SeriesTable,
        ask: Ask,
    ) -> Result<Outputs, FitError> {
        reachable(ask.horizon)?;
        let period = dates::period(params.period, data)
            .ok_or_else(|| refused("period", "the dates do not tell the season: set it"))?;
        let y = checked(CARD.id, data, 0, 2 * period)?;
        let (form, given) = setting(params, period);
        let (mut out, w, state) = smoothing::analyse(
            CARD.id,
            &form,
            &y,
            &given,
            ask.horizon,
            params.interval_alpha,
        )?;
        let trended = |v: f64| number(if params.trend.is_some() { v } else { f64::NAN });
        out.insert("beta".into(), trended(w.beta));
        out.insert("gamma".into(), number(w.gamma));
        out.insert("damping".into(), number(w.phi));
        out.insert("trend".into(), trended(state.trend));
        let mut season = state.season;
        season.rotate_left(state.place);
        out.insert("season".into(), run::numbers(&season));
        out.insert("period".into(), period.into());
        out.insert("gaps".into(), dates::gaps(data));
        Ok(out)
    }
}
