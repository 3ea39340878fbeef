//! Perceptron.
//!
//! What: a linear border that is moved by every row on its wrong side.
//! Formula: when y (x·w + b) ≤ 0: w += eta0 y x, b += eta0 y, y in -1, 1; more labels: one against the rest.
//! Data: whole-number labels; columns of like scale.
//! Cost: fit O(passes · n p · labels), predict O(rows p · labels).
//! Fails when: no plane separates the labels: the border then never rests.
//! Source: Rosenblatt, Psychological Review 65 (1958).
//! Not claimed: probabilities, or the best border.

use super::descent::{Descent, Line, Loss, Penalty, Rate, Rows};
use crate::class_weight::ClassWeight;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Incremental, Inputs, Labels, Outputs, Prediction, Predictor, Supervised,
    Training, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct Perceptron;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Perceptron>().with_updates::<Perceptron>();

params! {
    /// Parameters of the perceptron.
    pub struct PerceptronParams {
        /// The penalty on the weights; none is no penalty.
        penalty: Option<Penalty> = None;
        /// Strength of the penalty.
        alpha: f64 = 1e-4, at_least(0.0);
        /// Share of the absolute penalty, with penalty elasticnet.
        l1_ratio: f64 = 0.15, within(0.0, 1.0);
        /// Whether an intercept is fitted.
        fit_intercept: bool = true;
        /// Passes over the rows at most; `converged` says whether they were enough.
        max_iter: usize = 1_000, within(1.0, 1_000_000.0);
        /// It ends when n_iter_no_change passes in a row do not lower the mean loss by this; none makes exactly max_iter passes.
        tol: Option<f64> = Some(1e-3), at_least(0.0);
        /// Whether rows are shuffled before each pass.
        shuffle: bool = true;
        /// Length of a step.
        eta0: f64 = 1.0, above(0.0);
        /// Whether passes end when the accuracy on rows held out stops rising by tol.
        early_stopping: bool = false;
        /// Share of rows held out with early_stopping.
        validation_fraction: f64 = 0.1, inside(0.0, 1.0);
        /// Passes without gain after which it ends.
        n_iter_no_change: usize = 5, at_least(1.0);
        /// balanced: every label counts the same in total; or a factor a label, written 0:1,1:2.5; none: every row counts the same.
        class_weight: Option<ClassWeight> = None;
        /// Seed of the shuffles; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Fitted state: one line for two labels (that of the larger one), else one a label.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    classes: Vec<i64>,
    lines: Vec<Line>,
}

const CARD: Card = Card {
    id: "perceptron",
    family: "linear",
    title: "Perceptron",
    tasks: &[Task::Classification],
    inputs: Inputs::Features,
    summary: "The first learning machine: a linear border that every row on its wrong side moves towards itself. It can go on learning from new rows.",
    formula: "score = x·w + b; y in -1, 1; when y · score ≤ 0: w += eta0 · y x, b += eta0 · y; more than two labels: one line a label against the rest, the largest score wins",
    data: "Whole-number labels, at least two of them. Columns of like scale.",
    cost: "fit O(passes · n p · labels), predict O(rows · p · labels)",
    fails_when: "No plane separates the labels: the border then depends on the last rows seen.",
    not_claimed: "Probabilities, or the best border.",
    source: "F. Rosenblatt, The perceptron: a probabilistic model for information storage and organization in the brain, Psychological Review 65 (1958) 386-408",
    reference: "scikit-learn 1.9.1, Perceptron",
    outputs: &[
        (
            "coefficients",
            "two labels: the weights of the larger one, one a column; more: one row of weights a label",
        ),
        (
            "intercept",
            "two labels: b of the larger one; more: one a label",
        ),
        (
            "decision",
            "score of each test row: for two labels that of the larger one, else by label",
        ),
        ("n_iter", "passes made, the most of any line"),
        ("converged", "whether all lines ended before max_iter"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "perceptron-ordered-spx-cls, perceptron-ordered-aapl-cls (rows in file order), perceptron-band-spx-cls",
        tolerance: "in file order 1e-7; shuffled: accuracy not below the reference's mean - 3 sd",
    }],
    presets: &[],
    exemptions: &[],
};

/// Descends on the labels of a table, each line from where it stands.
fn descend(
    params: &PerceptronParams,
    classes: &[i64],
    mut lines: Vec<Line>,
    data: &Training,
    labels: &Labels,
    (seed, once): (u64, bool),
) -> Result<Vec<Line>, FitError> {
    // Codes of this table's labels among all.
    let codes: Vec<usize> = labels
        .codes
        .iter()
        .map(|c| {
            classes
                .binary_search(&labels.classes[*c])
                .unwrap_or_default()
        })
        .collect();
    let of_all = Labels {
        classes: classes.to_vec(),
        codes,
    };
    let factors = match &params.class_weight {
        Some(weight) => weight.factors(&of_all)?,
        None => vec![1.0; classes.len()],
    };
    let codes = of_all.codes;
    let side = |k: usize| factors[k];
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let two = lines.len() == 1;
    let mut held_out: Option<Vec<usize>> = None;
    for (k, line) in lines.iter_mut().enumerate() {
        let positive = if two { 1 } else { k };
        let mut descent = Descent {
            name: "perceptron",
            loss: Loss::Perceptron,
            penalty: params.penalty,
            alpha: params.alpha,
            l1_ratio: params.l1_ratio,
            fit_intercept: params.fit_intercept,
            max_iter: params.max_iter,
            tol: params.tol,
            shuffle: params.shuffle,
            rate: Rate::Constant,
            eta0: params.eta0,
            held_out: params.early_stopping.then_some(params.validation_fraction),
            n_iter_no_change: params.n_iter_no_change,
            average: 0,
            sides: (side(positive), if two { side(0) } else { 1.0 }),
        };
        if once {
            descent = descent.once();
        }
        let held_out = match &held_out {
            Some(rows) => rows,
            None => held_out.insert(descent.hold_out(codes.len(), Some(&codes), &mut random)?),
        };
        let y: Vec<f64> = codes
            .iter()
            .map(|c| if *c == positive { 1.0 } else { -1.0 })
            .collect();
        let rows = Rows {
            x: data.x().view(),
            y: &y,
            weights: data.weights(),
            held_out,
        };
        descent.run(line, &rows, &mut random)?;
    }
    Ok(lines)
}

fn labels(data: &Training) -> Result<&Labels, FitError> {
    data.labels()
        .ok_or_else(|| FitError::Data("perceptron needs whole-number labels".into()))
}

impl Supervised for Perceptron {
    type Params = PerceptronParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const PROBABILITIES: bool = false;

    fn fit(params: &PerceptronParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let labels = labels(data)?;
        let classes = labels.classes.clone();
        if classes.len() < 2 {
            return Err(FitError::Data(format!(
                "the training rows have only the label {}: at least two are needed",
                classes.first().copied().unwrap_or_default()
            )));
        }
        let count = if classes.len() == 2 { 1 } else { classes.len() };
        let lines = vec![Line::new(data.design().columns()); count];
        let seed = effective_seed(params.seed, seed);
        let lines = descend(params, &classes, lines, data, labels, (seed, false))?;
        Ok(Fitted { classes, lines })
    }
}

impl Incremental for Perceptron {
    fn learn(
        fitted: Fitted,
        params: &PerceptronParams,
        data: &Training,
        seed: u64,
    ) -> Result<Fitted, FitError> {
        let labels = labels(data)?;
        if let Some(new) = labels.classes.iter().find(|c| !fitted.classes.contains(c)) {
            return Err(FitError::Data(format!(
                "label {new} was not there when the model was fitted: fit it anew"
            )));
        }
        let Fitted { classes, lines } = fitted;
        let seed = effective_seed(params.seed, seed);
        let lines = descend(params, &classes, lines, data, labels, (seed, true))?;
        Ok(Fitted { classes, lines })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let mut decision = Array2::zeros((x.nrows(), self.lines.len()));
        for (mut to, line) in decision.columns_mut().into_iter().zip(&self.lines) {
            for (to, score) in to.iter_mut().zip(line.scores(x)) {
                *to = score;
            }
        }
        Ok(Prediction::decided(decision, self.classes.clone()))
    }

    fn outputs(&self) -> Outputs {
        let answers: Vec<(&[f64], f64)> = self.lines.iter().map(Line::answer).collect();
        let (coefficients, intercept) = match answers.as_slice() {
            [(weights, intercept)] => (run::numbers(weights), (*intercept).into()),
            all => (
                all.iter().map(|(w, _)| run::numbers(w)).collect(),
                all.iter().map(|(_, b)| *b).collect(),
            ),
        };
        let n_iter = self.lines.iter().map(|l| l.n_iter).max();
        Outputs::from_iter([
            ("coefficients".to_owned(), coefficients),
            ("intercept".to_owned(), intercept),
            ("n_iter".to_owned(), n_iter.unwrap_or_default().into()),
            (
                "converged".to_owned(),
                self.lines.iter().all(|l| l.converged).into(),
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes};
    use mltrainer_catalogue_core::Params as _;

    #[test]
    fn three_rows_by_hand() {
        // y = -1, 1, 1 for labels 3, 8, 8. Row (1, 0), y = -1: score 0: w = (-1, 0), b = -1.
        // Row (0, 2), y = 1: score -1: w = (-1, 2), b = 0. Row (1, 1), y = 1: score 1: stays.
        let given = serde_json::json!({"shuffle": false, "max_iter": 1, "tol": "none"});
        let params = PerceptronParams::from_map(given.as_object().unwrap()).unwrap();
        let data = classes(&[&[1.0, 0.0], &[0.0, 2.0], &[1.0, 1.0]], &[3.0, 8.0, 8.0]);
        let fitted = Perceptron::fit(&params, &data, 0).unwrap();
        assert_near(fitted.lines[0].answer().0, &[-1.0, 2.0], 1e-15);
        assert_near(&[fitted.lines[0].answer().1], &[0.0], 1e-15);
        let p = fitted.predict(data.x().view()).unwrap();
        assert_eq!(p.values, [3.0, 8.0, 8.0]);
        // A label it does not know.
        let new = classes(&[&[1.0, 0.0]], &[5.0]);
        let refused = Perceptron::learn(fitted, &params, &new, 0).unwrap_err();
        assert!(refused.to_string().contains("label 5"));
    }
}
