//! Bernoulli naive Bayes.
//!
//! What: labels from yes-or-no columns, each label with its own shares of yes.
//! Formula: P(k | x) ∝ πₖ Πⱼ θₖⱼ^zⱼ (1 - θₖⱼ)^(1 - zⱼ); z = [x > binarize]; θₖⱼ = (Nₖⱼ + alpha)/(Nₖ + 2 alpha).
//! Data: any table of numbers; what counts is on which side of the border they are.
//! Cost: fit O(n p), predict O(rows p labels).
//! Fails when: the border does not part the labels; columns depend on each other.
//! Source: Manning, Raghavan & Schütze, Introduction to Information Retrieval (2008), section 13.3.
//! Not claimed: calibrated probabilities.

use super::multinomial_nb::{bare_zero, log_priors, smoothing};
use crate::labels::{counts, from_logs, labels};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, params,
    run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct BernoulliNb;

/// The registration.
// force_alpha matters beside a small alpha only.
pub const ENTRY: Entry =
    Entry::supervised::<BernoulliNb>().mattering_beside(&[&[("alpha", "1e-12")]]);

params! {
    /// Parameters of Bernoulli naive Bayes.
    pub struct BernoulliNbParams {
        /// Added to the counts of yes and of no, so that none is 0.
        alpha: f64 = 1.0, at_least(0.0);
        /// Whether an alpha below 1e-10 is taken as it is; otherwise 1e-10 takes its place.
        force_alpha: bool = true;
        /// A number above this is yes; none takes the numbers as shares of yes from 0 to 1.
        binarize: Option<f64> = Some(0.0);
        /// Whether priors are the shares of the labels; otherwise all labels are as likely.
        fit_prior: bool = true;
        /// Prior of each label, ascending, joined with commas; none is by fit_prior.
        class_prior: Option<Vec<f64>> = None, above(0.0);
    }
}

/// Fitted state: rows are labels.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    classes: Vec<i64>,
    binarize: Option<f64>,
    log_priors: Vec<f64>,
    log_yes: Vec<Vec<f64>>,
    log_no: Vec<Vec<f64>>,
}

const CARD: Card = Card {
    id: "bernoulli_nb",
    family: "naive_bayes",
    title: "Bernoulli naive Bayes",
    tasks: &[Task::Classification],
    inputs: Inputs::Features,
    summary: "Turns each column into yes or no at a border and multiplies the shares of yes and no that each label has, as if columns were independent.",
    formula: "zⱼ = 1 when xⱼ > binarize, else 0; P(k | x) ∝ πₖ Πⱼ θₖⱼ^zⱼ (1 - θₖⱼ)^(1 - zⱼ), θₖⱼ = (Nₖⱼ + alpha)/(Nₖ + 2 alpha)",
    data: "Whole-number labels, at least two; columns for which the border means something (0 for standardised ones).",
    cost: "fit O(n p), predict O(rows · p · labels)",
    fails_when: "The border does not part the labels, or columns depend on each other. Alpha is 0 and a label has one answer only in a column: a share of 0 has no logarithm, and the fit is refused.",
    not_claimed: "Calibrated probabilities.",
    source: "C. D. Manning, P. Raghavan, H. Schütze, Introduction to Information Retrieval (2008), section 13.3",
    reference: "scikit-learn 1.9.1, BernoulliNB",
    outputs: &[
        ("class_log_prior", "ln πₖ, ascending labels"),
        ("feature_log_prob", "ln θ, one row a label"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "bernoulli-nb-spx-cls, bernoulli-nb-spx-cls3",
        tolerance: "probabilities 1e-7, the same labels",
    }],
    presets: &[],
    exemptions: &[],
};

fn yes(x: f64, border: Option<f64>) -> f64 {
    border.map_or(x, |b| f64::from(u8::from(x > b)))
}

impl Supervised for BernoulliNb {
    type Params = BernoulliNbParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &BernoulliNbParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let labels = labels(data, CARD.id)?;
        let p = data.design().columns();
        let totals = counts(data, labels);
        let mut sums = vec![vec![0.0; p]; totals.len()];
        for (i, row) in data.x().rows().into_iter().enumerate() {
            let weight = data.weights().map_or(1.0, |w| w[i]);
            for (j, v) in row.iter().enumerate() {
                let z = yes(*v, params.binarize);
                if !(0.0..=1.0).contains(&z) {
                    return Err(FitError::Data(format!(
                        "column \"{}\" row {}: without binarize {v} must be from 0 to 1",
                        data.design().names()[j],
                        i + 1
                    )));
                }
                sums[labels.codes[i]][j] += weight * z;
            }
        }
        let alpha = smoothing(params.alpha, params.force_alpha);
        if alpha == 0.0 {
            for ((row, total), label) in sums.iter().zip(&totals).zip(&labels.classes) {
                if let Some(j) = row.iter().position(|v| *v == 0.0 || *v == *total) {
                    return Err(bare_zero(&data.design().names()[j], *label));
                }
            }
        }
        let logs = |of: fn(f64, f64, f64) -> f64| -> Vec<Vec<f64>> {
            sums.iter()
                .zip(&totals)
                .map(|(row, t)| {
                    let all = t + 2.0 * alpha;
                    row.iter()
                        .map(|s| of(*s, *t, alpha).ln() - all.ln())
                        .collect()
                })
                .collect()
        };
        Ok(Fitted {
            classes: labels.classes.clone(),
            binarize: params.binarize,
            log_priors: log_priors(&totals, params.fit_prior, params.class_prior.as_deref())?,
            log_yes: logs(|s, _, alpha| s + alpha),
            log_no: logs(|s, t, alpha| t - s + alpha),
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let logs = Array2::from_shape_fn((x.nrows(), self.classes.len()), |(i, k)| {
            let row = x.row(i);
            let terms = row.iter().zip(&self.log_yes[k]).zip(&self.log_no[k]);
            let sum: f64 = terms
                .map(|((x, a), b)| {
                    let z = yes(*x, self.binarize);
                    z * a + (1.0 - z) * b
                })
                .sum();
            self.log_priors[k] + sum
        });
        Ok(from_logs(logs, &self.classes))
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([
            ("class_log_prior".to_owned(), run::numbers(&self.log_priors)),
            (
                "feature_log_prob".to_owned(),
                self.log_yes.iter().map(|r| run::numbers(r)).collect(),
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes};

    #[test]
    fn shares_by_hand() {
        // Label 0: yes in 1 of 2, label 1: yes in 2 of 2; alpha 1: 2/4 and 3/4.
        let data = classes(&[&[1.0], &[-1.0], &[2.0], &[3.0]], &[0.0, 0.0, 1.0, 1.0]);
        let params = BernoulliNbParams {
            alpha: 1.0,
            binarize: Some(0.0),
            force_alpha: true,
            fit_prior: true,
            class_prior: None,
        };
        let fitted = BernoulliNb::fit(&params, &data, 0).unwrap();
        let p = fitted
            .predict(ndarray::array![[9.0], [-9.0]].view())
            .unwrap();
        let p = p.probabilities.unwrap().column(1).to_vec();
        assert_near(&p, &[3.0 / 5.0, 1.0 / 3.0], 1e-14);
    }

    #[test]
    fn small_alphas_as_scikit_learn() {
        // scikit-learn 1.9.1, BernoulliNB(alpha=1e-12, force_alpha=...).fit([[1, -1], [-1, -1], [2, 1],
        // [-3, 1]], [0, 0, 1, 1]): feature_log_prob_[0].
        let data = classes(
            &[&[1.0, -1.0], &[-1.0, -1.0], &[2.0, 1.0], &[-3.0, 1.0]],
            &[0.0, 0.0, 1.0, 1.0],
        );
        let fit = |alpha: f64, force_alpha: bool| {
            let params = BernoulliNbParams {
                alpha,
                force_alpha,
                binarize: Some(0.0),
                fit_prior: true,
                class_prior: None,
            };
            BernoulliNb::fit(&params, &data, 0)
        };
        for (force, want) in [
            (true, [-std::f64::consts::LN_2, -28.324168296489493]),
            (false, [-std::f64::consts::LN_2, -23.718998110600403]),
        ] {
            assert_near(&fit(1e-12, force).unwrap().log_yes[0], &want, 1e-12);
        }
        let refused = fit(0.0, true).unwrap_err().to_string();
        assert!(
            refused.contains("column \"b\": a count of label 0 is 0"),
            "{refused}"
        );
    }
}
