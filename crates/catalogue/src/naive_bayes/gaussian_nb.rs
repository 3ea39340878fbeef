//! Gaussian naive Bayes.
//!
//! What: a normal distribution for each column and label, columns taken as independent.
//! Formula: P(k | x) ∝ πₖ Πⱼ N(xⱼ; meanₖⱼ, varₖⱼ + smoothing).
//! Data: columns that are roughly normal within a label.
//! Cost: fit O(n p), predict O(rows p labels).
//! Fails when: columns depend on each other: the same evidence counts several times.
//! Source: Hastie, Tibshirani & Friedman, The Elements of Statistical Learning (2009), 6.6.3.
//! Not claimed: calibrated probabilities.

use crate::labels::{counts, from_logs, labels, priors};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, params,
    run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct GaussianNb;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<GaussianNb>();

params! {
    /// Parameters of Gaussian naive Bayes.
    pub struct GaussianNbParams {
        /// Prior of each label, ascending, joined with commas; none is the share of its rows.
        priors: Option<Vec<f64>> = None, above(0.0);
        /// Share of the largest variance of a column that is added to every variance.
        var_smoothing: f64 = 1e-9, at_least(0.0);
    }
}

/// Fitted state: rows are labels.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    classes: Vec<i64>,
    priors: Vec<f64>,
    means: Vec<Vec<f64>>,
    variances: Vec<Vec<f64>>,
}

const CARD: Card = Card {
    id: "gaussian_nb",
    family: "naive_bayes",
    title: "Gaussian naive Bayes",
    tasks: &[Task::Classification],
    inputs: Inputs::Features,
    summary: "Fits a normal distribution to each column within each label and multiplies them, as if columns were independent.",
    formula: "P(k | x) ∝ πₖ Πⱼ N(xⱼ; meanₖⱼ, varₖⱼ + var_smoothing · maxⱼ varⱼ), variances with divisor n, πₖ the share of the label",
    data: "Whole-number labels, at least two; columns that are roughly normal within a label. Units do not matter beyond the smoothing.",
    cost: "fit O(n p), predict O(rows · p · labels)",
    fails_when: "Columns depend on each other (the same evidence counts several times), or every column is constant.",
    not_claimed: "Calibrated probabilities: they are too sure when columns depend on each other.",
    source: "T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning, 2nd ed. (2009), section 6.6.3",
    reference: "scikit-learn 1.9.1, GaussianNB",
    outputs: &[
        ("class_prior", "prior of each label, ascending"),
        ("means", "one row a label, columns as in the table"),
        ("variances", "one row a label, smoothing included"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "gaussian-nb-spx-cls, gaussian-nb-spx-cls3, gaussian-nb-smooth-aapl-cls",
        tolerance: "probabilities 1e-6, the same labels",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for GaussianNb {
    type Params = GaussianNbParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &GaussianNbParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let labels = labels(data, CARD.id)?;
        let (n, p) = data.x().dim();
        let k = labels.classes.len();
        let totals = counts(data, labels);
        if let Some(empty) = totals.iter().position(|t| *t == 0.0) {
            return Err(FitError::Data(format!(
                "all rows of label {} have weight 0",
                labels.classes[empty]
            )));
        }
        let weight = |i: usize| data.weights().map_or(1.0, |w| w[i]);
        let mut means = vec![vec![0.0; p]; k];
        let mut variances = vec![vec![0.0; p]; k];
        for (i, row) in data.x().rows().into_iter().enumerate() {
            let code = labels.codes[i];
            let share = weight(i) / totals[code];
            for (m, v) in means[code].iter_mut().zip(row) {
                *m += share * v;
            }
        }
        for (i, row) in data.x().rows().into_iter().enumerate() {
            let code = labels.codes[i];
            let share = weight(i) / totals[code];
            for ((s, m), v) in variances[code].iter_mut().zip(&means[code]).zip(row) {
                *s += share * (v - m).powi(2);
            }
        }
        // Row after row, as the table lies in memory.
        let rows = || data.x().rows().into_iter();
        let (mut centres, mut widths) = (vec![0.0; p], vec![0.0; p]);
        for row in rows() {
            centres.iter_mut().zip(row).for_each(|(c, v)| *c += v);
        }
        centres.iter_mut().for_each(|c| *c /= n as f64);
        for row in rows() {
            for ((s, c), v) in widths.iter_mut().zip(&centres).zip(row) {
                *s += (v - c).powi(2);
            }
        }
        let widest = widths.iter().map(|s| s / n as f64);
        let smoothing = params.var_smoothing * widest.fold(0.0, f64::max);
        variances.iter_mut().flatten().for_each(|v| *v += smoothing);
        if variances.iter().flatten().any(|v| !v.is_normal()) {
            return Err(FitError::Failed(
                "gaussian_nb: a variance is 0 or not finite (a column is constant within a label): raise var_smoothing, rescale or leave the column out".into(),
            ));
        }
        Ok(Fitted {
            classes: labels.classes.clone(),
            priors: priors("priors", params.priors.as_deref(), &totals)?,
            means,
            variances,
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let constants: Vec<f64> = self
            .variances
            .iter()
            .zip(&self.priors)
            .map(|(v, p)| {
                let widths = v.iter().map(|v| (std::f64::consts::TAU * v).ln());
                p.ln() - 0.5 * widths.sum::<f64>()
            })
            .collect();
        let logs = Array2::from_shape_fn((x.nrows(), self.classes.len()), |(i, k)| {
            let terms = x.row(i);
            let terms = terms.iter().zip(&self.means[k]).zip(&self.variances[k]);
            let square: f64 = terms.map(|((x, m), v)| (x - m).powi(2) / v).sum();
            constants[k] - 0.5 * square
        });
        Ok(from_logs(logs, &self.classes))
    }

    fn outputs(&self) -> Outputs {
        let matrix = |rows: &[Vec<f64>]| rows.iter().map(|r| run::numbers(r)).collect();
        Outputs::from_iter([
            ("class_prior".to_owned(), run::numbers(&self.priors)),
            ("means".to_owned(), matrix(&self.means)),
            ("variances".to_owned(), matrix(&self.variances)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes};

    #[test]
    fn two_labels_by_hand() {
        // Label 0: -1, 1 (mean 0, variance 1); label 1: 3, 5 (mean 4, variance 1). At x = 2 both
        // are equally likely; at x = 1 the odds are exp((9 - 1)/2) = e⁴.
        let data = classes(&[&[-1.0], &[1.0], &[3.0], &[5.0]], &[0.0, 0.0, 1.0, 1.0]);
        let params = GaussianNbParams {
            priors: None,
            var_smoothing: 0.0,
        };
        let fitted = GaussianNb::fit(&params, &data, 0).unwrap();
        let x = ndarray::array![[2.0], [1.0]];
        let p = fitted.predict(x.view()).unwrap().probabilities.unwrap();
        let one = 1.0 / (1.0 + 4.0_f64.exp());
        assert_near(&p.column(1).to_vec(), &[0.5, one], 1e-12);
    }
}
