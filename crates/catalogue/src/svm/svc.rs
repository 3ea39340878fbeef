//! Support vector classification.
//!
//! What: the border with the widest margin between two labels, in the space of a kernel.
//! Formula: min |w|²/2 + C Σ sᵢ max(0, 1 - yᵢ f(xᵢ)), f(x) = Σ cᵢ k(x, xᵢ) + b; more labels: votes of all pairs.
//! Data: columns of like scale; at most some ten thousand rows.
//! Cost: fit between O(n² p) and O(n³), predict O(rows p) a support vector.
//! Fails when: columns have different units; C or gamma are far off.
//! Source: Cortes & Vapnik, Machine Learning 20 (1995); Chang & Lin, LIBSVM (2011).
//! Not claimed: probabilities.

use super::engine::{Dual, Rows, solve};
use super::machine::{GammaWord, Machine, SvmKernel, form};
use crate::class_weight::{ClassWeight, row_weights};
use crate::labels::labels;
use crate::numeric::some_rows;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The handle.
pub struct Svc;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Svc>();

params! {
    /// Parameters of support vector classification.
    pub struct SvcParams {
        /// Cost of a row within the margin or on the wrong side.
        c as "C": f64 = 1.0, above(0.0);
        /// The kernel.
        kernel: SvmKernel = SvmKernel::Rbf;
        /// Degree of the kernel poly.
        degree: usize = 3, within(0.0, 100.0);
        /// Factor of the inner product or distance in the kernel: scale is 1/(columns · variance of all entries), auto 1/columns, or a number.
        gamma: WordOr<GammaWord> = WordOr::Word(GammaWord::Scale), at_least(0.0);
        /// Constant of the kernels poly and sigmoid.
        coef0: f64 = 0.0;
        /// balanced: every label counts the same in total; or a factor a label, written 0:1,1:2.5; none: every row counts the same.
        class_weight: Option<ClassWeight> = None;
        /// It ends when no pair of variables violates the optimum by this.
        tol: f64 = 1e-5, above(0.0);
        /// Pairs moved at most; none is ten million, or a hundred times the variables if that is more.
        max_iter: Option<usize> = None, at_least(1.0);
    }
}

/// Two labels, the first of which the machine puts below 0.
#[derive(Debug, Serialize, Deserialize)]
struct Duel {
    low: usize,
    high: usize,
    machine: Machine,
}

/// Fitted state: a machine for each pair of labels.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    classes: Vec<i64>,
    duels: Vec<Duel>,
    support: Vec<usize>,
    n_iter: usize,
    converged: bool,
}

const CARD: Card = Card {
    id: "svc",
    family: "svm",
    title: "Support vector classification",
    tasks: &[Task::Classification],
    inputs: Inputs::Features,
    summary: "The border with the widest margin between two labels in the space of a kernel; only rows on the margin or inside it matter. More labels vote in pairs.",
    formula: "min |w|²/2 + C Σᵢ sᵢ max(0, 1 - yᵢ f(xᵢ)), y in -1, 1, f(x) = Σᵢ cᵢ k(x, xᵢ) + b; K labels: one machine a pair, most votes win, the smallest label in a tie; decision of a label: votes + d/(3 (|d| + 1)), d the sum of its pairs' scores",
    data: "Whole-number labels, at least two. Columns of like scale: the kernel sees their units.",
    cost: "fit between O(n² p) and O(n³), predict O(rows · p) a support vector",
    fails_when: "Columns have different units, C or gamma are far off, or rows are more than some ten thousand.",
    not_claimed: "Probabilities: the decision value is a distance, not one.",
    source: "C. Cortes, V. Vapnik, Support-vector networks, Machine Learning 20 (1995); C.-C. Chang, C.-J. Lin, LIBSVM, ACM TIST 2 (2011)",
    reference: "scikit-learn 1.9.1, SVC (here with a tighter tol by default)",
    outputs: &[
        (
            "decision",
            "of each test row: for two labels f, above 0 for the larger one; else by label",
        ),
        (
            "intercept",
            "two labels: b; more: one a pair of labels, (0,1), (0,2), ...",
        ),
        (
            "dual_coefficients",
            "c, one a support vector; more than two labels: one array a pair",
        ),
        (
            "support",
            "training rows that are support vectors of any pair, counted from 0",
        ),
        ("n_support", "number of support vectors"),
        (
            "n_iter",
            "pairs of variables moved, the most of any machine",
        ),
        ("converged", "whether no pair violates the optimum by tol"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-9",
        cases: "svc-rbf-C-1-aapl-smallcls, svc-linear-C-0.1-aapl-smallcls, svc-rbf-C-1-aapl-smallcls3",
        tolerance: "decision values 1e-3, 99% of the labels",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for Svc {
    type Params = SvcParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const PROBABILITIES: bool = false;

    fn fit(params: &SvcParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let labels = labels(data, CARD.id)?;
        let form = form(
            data.x(),
            params.kernel,
            params.gamma,
            params.degree,
            params.coef0,
        )?;
        let weights = row_weights(data, params.class_weight.as_ref())?;
        let k = labels.classes.len();
        let mut fitted = Fitted {
            classes: labels.classes.clone(),
            duels: Vec::new(),
            support: Vec::new(),
            n_iter: 0,
            converged: true,
        };
        for low in 0..k {
            for high in low + 1..k {
                let rows: Vec<usize> = (0..labels.codes.len())
                    .filter(|i| [low, high].contains(&labels.codes[*i]) && weights[*i] > 0.0)
                    .collect();
                let x = some_rows(data.x(), &rows);
                let dual = Dual {
                    y: rows
                        .iter()
                        .map(|i| if labels.codes[*i] == high { 1.0 } else { -1.0 })
                        .collect(),
                    p: vec![-1.0; rows.len()],
                    upper: rows.iter().map(|i| params.c * weights[*i]).collect(),
                    start: vec![0.0; rows.len()],
                    nu: false,
                };
                let found = solve(&mut Rows::new(form, &x), &dual, params.tol, params.max_iter);
                let c: Vec<f64> = found.a.iter().zip(&dual.y).map(|(a, y)| a * y).collect();
                fitted.support.extend(
                    rows.iter()
                        .zip(&c)
                        .filter(|(_, c)| **c != 0.0)
                        .map(|(i, _)| *i),
                );
                fitted.n_iter = fitted.n_iter.max(found.n_iter);
                fitted.converged &= found.converged;
                fitted.duels.push(Duel {
                    low,
                    high,
                    machine: Machine::new(form, &x, &c, -found.rho, Outputs::new()),
                });
            }
        }
        fitted.support.sort_unstable();
        fitted.support.dedup();
        Ok(fitted)
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        if let [duel] = &self.duels[..] {
            let values = duel.machine.values(x);
            let decision = Array2::from_shape_fn((x.nrows(), 1), |(i, _)| values[i]);
            return Ok(Prediction::decided(decision, self.classes.clone()));
        }
        let shape = (x.nrows(), self.classes.len());
        let (mut votes, mut sums) = (Array2::<f64>::zeros(shape), Array2::<f64>::zeros(shape));
        for duel in &self.duels {
            for (i, f) in duel.machine.values(x).into_iter().enumerate() {
                let winner = if f > 0.0 { duel.high } else { duel.low };
                votes[[i, winner]] += 1.0;
                sums[[i, duel.high]] += f;
                sums[[i, duel.low]] -= f;
            }
        }
        // The labels follow from the votes alone, as in LIBSVM.
        let by_votes = Prediction::decided(votes.clone(), self.classes.clone());
        Ok(Prediction {
            decision: Some(votes + sums.mapv(|d| d / (3.0 * (d.abs() + 1.0)))),
            ..by_votes
        })
    }

    fn outputs(&self) -> Outputs {
        let each: Vec<Outputs> = self.duels.iter().map(|d| d.machine.outputs()).collect();
        let mut outputs = Outputs::new();
        for name in ["intercept", "dual_coefficients"] {
            let mut values: Vec<Value> = each.iter().map(|o| o[name].clone()).collect();
            let value = match values.len() {
                1 => values.remove(0),
                _ => values.into(),
            };
            outputs.insert(name.to_owned(), value);
        }
        outputs.insert("support".into(), self.support.clone().into());
        outputs.insert("n_support".into(), self.support.len().into());
        outputs.insert("n_iter".into(), self.n_iter.into());
        outputs.insert("converged".into(), self.converged.into());
        outputs
    }
}
