//! RANSAC regression.
//!
//! What: least squares, or another entry, on the largest set of rows that agree with what a random few say.
//! Formula: of many trials the one with most rows within a threshold wins; refit on those rows.
//! Data: any table of numbers in which most rows follow one plane.
//! Cost: fit O(trials · (k p² + n p)), predict O(rows p).
//! Fails when: no plane holds most rows; the threshold does not fit the noise.
//! Source: Fischler & Bolles, Communications of the ACM 24 (1981).
//! Not claimed: the best of all planes: trials are random.

use super::engine::{LEAST_SHARE, Plane, Problem};
use crate::ensemble::engine::{Member, Named, Names, With, rows_of};
use crate::numeric::median;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::score::r2;
use mltrainer_catalogue_core::{
    Card, Contributions, Entry, FitError, Inputs, Learner, Outputs, ParamError, Prediction,
    Predictor, Training, choices, params,
};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::Task;
use ndarray::{ArrayView2, Axis};
use rand::SeedableRng as _;
use rand::seq::index::sample;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The handle.
pub struct Ransac;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Ransac>();

choices! {
    /// The error that is held against the threshold.
    pub enum Loss {
        /// |y - ŷ|.
        Absolute = "absolute_error",
        /// (y - ŷ)².
        Squared = "squared_error",
    }
}

params! {
    /// Parameters of RANSAC regression; those of another model carry its id: `ridge.alpha`.
    pub struct RansacParams {
        /// Id of the model that is fitted to the rows of a trial; none is least squares.
        estimator: Option<String> = None;
        /// Rows of a trial: a share of all when below 1 (rounded up), else their number; none is columns + 1, for least squares only.
        min_samples: Option<f64> = None, above(0.0);
        /// Rows whose error is at most this are inliers; none is the median absolute deviation of the target from its median.
        residual_threshold: Option<f64> = None, at_least(0.0);
        /// Trials at most.
        max_trials: usize = 100, within(1.0, 1_000_000.0);
        /// Trials end when this many rows are inliers; none is never.
        stop_n_inliers: Option<usize> = None, at_least(1.0);
        /// Trials end when r² on the inliers reaches this; none is never.
        stop_score: Option<f64> = None;
        /// Trials end when a set free of outliers has been drawn with this probability, as the inliers found so far tell.
        stop_probability: f64 = 0.99, within(0.0, 1.0);
        /// The error that is held against the threshold.
        loss: Loss = Loss::Absolute;
        /// Whether an intercept is fitted; least squares only.
        fit_intercept: bool = true;
        /// Seed of the trials; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

impl Names for RansacParams {
    fn members(&self) -> Vec<Named> {
        Named::of("estimator", self.estimator.as_slice())
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fitted(State);

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum State {
    /// Least squares.
    Plane(Plane),
    /// Another entry.
    Other {
        /// The model of the inliers.
        model: Member,
        /// What the trials say of themselves.
        extra: Outputs,
    },
}

const CARD: Card = Card {
    id: "ransac",
    family: "linear",
    title: "RANSAC regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Fits least squares (or another model) to random small sets of rows, keeps the fit that most rows agree with, and refits on those rows: the rest is treated as wrong.",
    formula: "trial: w, b by least squares (or the model) on min_samples random rows; inliers: rows with error ≤ residual_threshold; most inliers win, then the higher r² on them; the answer is the fit to the inliers of the winner; trials end after ln(1 - stop_probability)/ln(1 - (inliers/n)^min_samples)",
    data: "A table in which most rows follow one plane and the rest does not matter.",
    cost: "fit O(trials · (k p² + n p)), predict O(rows · p)",
    fails_when: "No plane holds most rows, the threshold is far from the size of the noise, or too few trials are made for the share of wrong rows.",
    not_claimed: "The best of all planes: the trials are random.",
    source: "M. A. Fischler, R. C. Bolles, Random sample consensus, Comm. ACM 24 (1981) 381-395",
    reference: "scikit-learn 1.9.1, RANSACRegressor, with LinearRegression or another estimator",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit; of another model, if it has them",
        ),
        (
            "intercept",
            "b, target units; 0 without an intercept; of another model, if it has one",
        ),
        ("inliers", "for each training row whether it is an inlier"),
        ("n_inliers", "number of inliers"),
        ("n_trials", "trials made"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, 20 seeds",
        cases: "ransac-aapl-uni, ransac-spx-std",
        tolerance: "error on the test rows not above the reference's mean + 3 sd, predictions within twice the largest distance of a seed from the mean",
    }],
    presets: &[],
    exemptions: &[],
};

impl Learner for Ransac {
    type Params = With<RansacParams>;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const MISSING: bool = false;
    const WEIGHTS: bool = true;
    const PROBABILITIES: bool = false;

    fn learn_from(
        params: &With<RansacParams>,
        verified: &Verified<Training>,
        seed: u64,
    ) -> Result<Fitted, FitError> {
        let (own, data) = (&params.own, verified.get());
        let seed = effective_seed(own.seed, seed);
        let Some(member) = own.members().into_iter().next() else {
            let plane = |rows: &[usize]| fit_rows(data, rows, own, None);
            let (inliers, extra) = search(own, data, seed, |rows, _| {
                Ok(plane(rows)?.values(data.x().view()))
            })?;
            let plane = fit_rows(data, &inliers, own, Some(extra))?;
            return Ok(Fitted(State::Plane(plane)));
        };
        check_other(params, &member, data)?;
        let fit = |rows: &[usize], seed: u64| {
            params.fit(&member, &rows_of(verified, rows, "ransac")?, seed)
        };
        let (inliers, extra) = search(own, data, seed, |rows, trial| {
            let model = fit(rows, seed.wrapping_add(trial))?;
            Ok(model.fitted.predict(data.x().view())?.values)
        })?;
        Ok(Fitted(State::Other {
            model: fit(&inliers, seed)?,
            extra,
        }))
    }
}

/// Whether parameters and data fit a model that is not least squares.
fn check_other(
    params: &With<RansacParams>,
    member: &Named,
    data: &Training,
) -> Result<(), FitError> {
    let own = &params.own;
    let refused = |field: &str, reason: String| {
        Err(FitError::from(ParamError {
            field: field.into(),
            reason,
            suggestions: Vec::new(),
        }))
    };
    let id = &member.id;
    if own.min_samples.is_none() {
        let reason = "columns + 1 rows are enough for least squares only: say how many a trial of the estimator needs";
        return refused("min_samples", reason.into());
    }
    if !own.fit_intercept {
        let reason = format!("belongs to least squares: set {id}.fit_intercept if {id} has it");
        return refused("fit_intercept", reason);
    }
    if data.weights().is_some() && !params.resolved(member)?.0.entry.weights {
        return refused(
            "estimator",
            format!("{id} takes no row weights, and there are some"),
        );
    }
    Ok(())
}

/// The rows that agree with the best of many trials, and what is to be told of these. `values` fits some
/// rows in a trial, counted from 1, and predicts all of them.
fn search(
    params: &RansacParams,
    data: &Training,
    seed: u64,
    values: impl Fn(&[usize], u64) -> Result<Vec<f64>, FitError>,
) -> Result<(Vec<usize>, Outputs), FitError> {
    let (n, p) = data.x().dim();
    let k = match params.min_samples {
        None => p + 1,
        Some(share) if share < 1.0 => (share * n as f64).ceil() as usize,
        Some(count) if count.fract() == 0.0 => count as usize,
        Some(count) => {
            return Err(FitError::Data(format!(
                "min_samples {count}: from 1 on it is a number of rows and must be whole"
            )));
        }
    };
    if k > n {
        return Err(FitError::Data(format!(
            "a trial needs {k} rows and there are {n}: lower min_samples or bring more rows"
        )));
    }
    let threshold = params.residual_threshold.unwrap_or_else(|| {
        let middle = median(data.y());
        let gaps: Vec<f64> = data.y().iter().map(|y| (y - middle).abs()).collect();
        median(&gaps)
    });
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut best: Option<(Vec<usize>, f64)> = None;
    let (mut trials, mut most) = (0, params.max_trials as f64);
    while (trials as f64) < most {
        trials += 1;
        let fitted = values(&sample(&mut random, n, k).into_vec(), trials as u64)?;
        let inliers: Vec<usize> = (0..n)
            .filter(|&i| {
                let gap = (data.y()[i] - fitted[i]).abs();
                let loss = match params.loss {
                    Loss::Absolute => gap,
                    Loss::Squared => gap * gap,
                };
                loss <= threshold
            })
            .collect();
        let found = best.as_ref().map_or(1, |(rows, _)| rows.len());
        if inliers.len() < found {
            continue;
        }
        let y: Vec<f64> = inliers.iter().map(|i| data.y()[*i]).collect();
        let p: Vec<f64> = inliers.iter().map(|i| fitted[*i]).collect();
        let score = r2(&y, &p).unwrap_or(f64::NEG_INFINITY);
        if best
            .as_ref()
            .is_some_and(|(rows, least)| inliers.len() == rows.len() && score < *least)
        {
            continue;
        }
        most = most.min(trials_needed(inliers.len(), n, k, params.stop_probability));
        let enough = params.stop_n_inliers.is_some_and(|s| inliers.len() >= s)
            || params.stop_score.is_some_and(|s| score >= s);
        best = Some((inliers, score));
        if enough {
            break;
        }
    }
    let Some((inliers, _)) = best else {
        return Err(FitError::Failed(format!(
            "ransac: in {trials} trials no row was within the threshold {threshold} of a fit: raise residual_threshold or max_trials"
        )));
    };
    let mut mask = vec![false; n];
    inliers.iter().for_each(|i| mask[*i] = true);
    let extra = Outputs::from_iter([
        ("inliers".to_owned(), Value::from(mask)),
        ("n_inliers".to_owned(), inliers.len().into()),
        ("n_trials".to_owned(), trials.into()),
    ]);
    Ok((inliers, extra))
}

/// Least squares on some rows.
fn fit_rows(
    data: &Training,
    rows: &[usize],
    params: &RansacParams,
    extra: Option<Outputs>,
) -> Result<Plane, FitError> {
    let x = data.x().select(Axis(0), rows);
    let pick = |of: &[f64]| rows.iter().map(|i| of[*i]).collect::<Vec<f64>>();
    let weights = data.weights().map(pick);
    // Rows that do not count cannot span a plane of their own.
    let weights = weights.filter(|w| w.iter().any(|w| *w > 0.0));
    let problem = Problem::of(
        x.view(),
        &pick(data.y()),
        weights.as_deref(),
        params.fit_intercept,
    )?;
    let (w, _) = problem.least_squares(LEAST_SHARE)?;
    Plane::new(w, &problem, extra.unwrap_or_default())
}

/// Trials until one is free of outliers with this probability.
fn trials_needed(inliers: usize, n: usize, k: usize, probability: f64) -> f64 {
    let share = inliers as f64 / n as f64;
    let miss = (1.0 - probability).max(f64::EPSILON);
    let tainted = (1.0 - share.powf(k as f64)).max(f64::EPSILON);
    if miss == 1.0 {
        0.0
    } else if tainted == 1.0 {
        f64::INFINITY
    } else {
        (miss.ln() / tainted.ln()).ceil().abs()
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        match &self.0 {
            State::Plane(plane) => plane.predict(x),
            State::Other { model, .. } => model.fitted.predict(x),
        }
    }

    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        match &self.0 {
            State::Plane(plane) => plane.contributions(x),
            State::Other { model, .. } => model.fitted.contributions(x),
        }
    }

    fn outputs(&self) -> Outputs {
        match &self.0 {
            State::Plane(plane) => plane.outputs(),
            State::Other { model, extra } => {
                let own = model.fitted.outputs().into_iter();
                let shared =
                    own.filter(|(name, _)| ["coefficients", "intercept"].contains(&name.as_str()));
                shared.chain(extra.clone()).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::Params as _;

    #[test]
    fn wrong_rows_are_left_out() {
        // y = 3x - 1 on eight rows, two far off.
        let rows: Vec<[f64; 1]> = (0..10).map(|i| [f64::from(i)]).collect();
        let rows: Vec<&[f64]> = rows.iter().map(|r| r.as_slice()).collect();
        let mut y: Vec<f64> = (0..10).map(|i| 3.0 * f64::from(i) - 1.0).collect();
        (y[2], y[7]) = (90.0, -60.0);
        let given = serde_json::json!({"residual_threshold": 0.5});
        let params = RansacParams::from_map(given.as_object().unwrap()).unwrap();
        let data = table(&rows, &y);
        let plane = |rows: &[usize]| fit_rows(&data, rows, &params, None).unwrap();
        let (inliers, outputs) = search(&params, &data, 1, |rows, _| {
            Ok(plane(rows).values(data.x().view()))
        })
        .unwrap();
        let of_plane = plane(&inliers).outputs();
        let found = [
            of_plane["intercept"].as_f64().unwrap(),
            of_plane["coefficients"][0].as_f64().unwrap(),
        ];
        assert_near(&found, &[-1.0, 3.0], 1e-12);
        assert_eq!(outputs["n_inliers"], 8);
        assert_eq!(outputs["inliers"][2], false);
    }

    #[test]
    fn trials_by_hand() {
        // Half inliers, pairs: ln 0.01 / ln 0.75 = 16.008.
        assert_eq!(trials_needed(5, 10, 2, 0.99), 17.0);
        assert_eq!(trials_needed(5, 10, 2, 0.0), 0.0);
    }
}
