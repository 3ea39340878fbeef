//! Multinomial naive Bayes.
//!
//! What: labels from counts, each label with its own shares of the columns.
//! Formula: P(k | x) ∝ πₖ Πⱼ θₖⱼ^xⱼ; θₖⱼ = (Nₖⱼ + alpha)/(Nₖ + alpha p).
//! Data: columns of at least 0: counts or shares.
//! Cost: fit O(n p), predict O(rows p labels).
//! Fails when: columns are not counts.
//! Source: Manning, Raghavan & Schütze, Introduction to Information Retrieval (2008), chapter 13.
//! Not claimed: calibrated probabilities.

use crate::labels::{counts, from_logs, labels, priors};
use crate::linear::dot;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Domain, Entry, FitError, Inputs, Outputs, ParamError, Prediction, Predictor, Supervised,
    Training, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct MultinomialNb;

/// The registration.
// force_alpha matters beside a small alpha only.
pub const ENTRY: Entry =
    Entry::supervised::<MultinomialNb>().mattering_beside(&[&[("alpha", "1e-12")]]);

params! {
    /// Parameters of multinomial naive Bayes.
    pub struct MultinomialNbParams {
        /// Added to every count, so that none is 0.
        alpha: f64 = 1.0, at_least(0.0);
        /// Whether an alpha below 1e-10 is taken as it is; otherwise 1e-10 takes its place.
        force_alpha: bool = true;
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
    log_priors: Vec<f64>,
    log_shares: Vec<Vec<f64>>,
}

const CARD: Card = Card {
    id: "multinomial_nb",
    family: "naive_bayes",
    title: "Multinomial naive Bayes",
    tasks: &[Task::Classification],
    inputs: Inputs::Features,
    summary: "Labels from counts: each label has its own shares of the columns, and a row is as likely as its counts are under these shares.",
    formula: "P(k | x) ∝ πₖ Πⱼ θₖⱼ^xⱼ, θₖⱼ = (Nₖⱼ + alpha)/(Σⱼ Nₖⱼ + alpha p), Nₖⱼ the sum of column j over the rows of label k",
    data: "Columns of at least 0: counts or shares, in the same unit. Whole-number labels, at least two.",
    cost: "fit O(n p), predict O(rows · p · labels)",
    fails_when: "Columns are not counts: their size then counts as evidence. Alpha is 0 and a label never has a column: a share of 0 has no logarithm, and the fit is refused.",
    not_claimed: "Calibrated probabilities.",
    source: "C. D. Manning, P. Raghavan, H. Schütze, Introduction to Information Retrieval (2008), chapter 13",
    reference: "scikit-learn 1.9.1, MultinomialNB",
    outputs: &[
        ("class_log_prior", "ln πₖ, ascending labels"),
        ("feature_log_prob", "ln θ, one row a label"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "multinomial-nb-spx-bins, multinomial-nb-spx-bins3",
        tolerance: "probabilities 1e-7, the same labels",
    }],
    presets: &[],
    exemptions: &[],
};

/// Below this a count of 0 is hardly told from none.
const LEAST_ALPHA: f64 = 1e-10;

/// What is added to the counts.
pub(super) fn smoothing(alpha: f64, force: bool) -> f64 {
    if force { alpha } else { alpha.max(LEAST_ALPHA) }
}

/// The refusal of a count of 0 that nothing is added to.
pub(super) fn bare_zero(column: &str, label: i64) -> FitError {
    FitError::Data(format!(
        "alpha 0 and column \"{column}\": a count of label {label} is 0, which has no logarithm: raise alpha, or set force_alpha to false"
    ))
}

/// ln πₖ of given priors, of label sums, or of equal priors. A label without weight has none.
///
/// # Errors
/// [`ParamError`] when there is not one prior a label.
pub(super) fn log_priors(
    totals: &[f64],
    fit: bool,
    given: Option<&[f64]>,
) -> Result<Vec<f64>, ParamError> {
    let equal = vec![1.0; totals.len()];
    let found = priors("class_prior", given, if fit { totals } else { &equal })?;
    let ln = |p: f64| p.max(f64::MIN_POSITIVE).ln();
    Ok(found.into_iter().map(ln).collect())
}

impl Supervised for MultinomialNb {
    type Params = MultinomialNbParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const DOMAIN: Domain = Domain::NonNegativeColumns;

    fn fit(params: &MultinomialNbParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let labels = labels(data, CARD.id)?;
        let p = data.design().columns();
        let mut sums = vec![vec![0.0; p]; labels.classes.len()];
        for (i, row) in data.x().rows().into_iter().enumerate() {
            let weight = data.weights().map_or(1.0, |w| w[i]);
            for (s, v) in sums[labels.codes[i]].iter_mut().zip(row) {
                *s += weight * v;
            }
        }
        let alpha = smoothing(params.alpha, params.force_alpha);
        if alpha == 0.0 {
            for (row, label) in sums.iter().zip(&labels.classes) {
                if let Some(j) = row.iter().position(|v| *v == 0.0) {
                    return Err(bare_zero(&data.design().names()[j], *label));
                }
            }
        }
        let log_shares = sums
            .into_iter()
            .map(|row| {
                let total: f64 = row.iter().map(|v| v + alpha).sum();
                row.iter().map(|v| (v + alpha).ln() - total.ln()).collect()
            })
            .collect();
        Ok(Fitted {
            classes: labels.classes.clone(),
            log_priors: log_priors(
                &counts(data, labels),
                params.fit_prior,
                params.class_prior.as_deref(),
            )?,
            log_shares,
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let logs = Array2::from_shape_fn((x.nrows(), self.classes.len()), |(i, k)| {
            self.log_priors[k] + dot(x.row(i), &self.log_shares[k])
        });
        Ok(from_logs(logs, &self.classes))
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([
            ("class_log_prior".to_owned(), run::numbers(&self.log_priors)),
            (
                "feature_log_prob".to_owned(),
                self.log_shares.iter().map(|r| run::numbers(r)).collect(),
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes};

    #[test]
    fn counts_by_hand() {
        // Label 0: counts (3, 1), label 1: (0, 4); alpha 1: shares 4/6, 2/6 and 1/6, 5/6.
        let data = classes(&[&[3.0, 1.0], &[0.0, 4.0]], &[0.0, 1.0]);
        let params = MultinomialNbParams {
            alpha: 1.0,
            force_alpha: true,
            fit_prior: true,
            class_prior: None,
        };
        let fitted = MultinomialNb::fit(&params, &data, 0).unwrap();
        let p = fitted.predict(ndarray::array![[1.0, 1.0]].view()).unwrap();
        // 4/6 · 2/6 against 1/6 · 5/6.
        assert_near(&[p.probabilities.unwrap()[[0, 0]]], &[8.0 / 13.0], 1e-14);
    }

    #[test]
    fn small_alphas_as_scikit_learn() {
        // scikit-learn 1.9.1, MultinomialNB(alpha=1e-14, force_alpha=...).fit([[3, 1], [0, 4]], [0, 1]):
        // feature_log_prob_[1].
        let data = classes(&[&[3.0, 1.0], &[0.0, 4.0]], &[0.0, 1.0]);
        let fit = |alpha: f64, force_alpha: bool, data: &Training| {
            let params = MultinomialNbParams {
                alpha,
                force_alpha,
                fit_prior: true,
                class_prior: None,
            };
            MultinomialNb::fit(&params, data, 0)
        };
        for (force, want) in [
            (true, [-33.622485663036535, -2.4424906541753444e-15]),
            (false, [-24.41214529111035, -2.5000002068509275e-11]),
        ] {
            assert_near(
                &fit(1e-14, force, &data).unwrap().log_shares[1],
                &want,
                1e-12,
            );
        }
        let refused = fit(0.0, true, &data).unwrap_err().to_string();
        assert!(
            refused.contains("column \"a\": a count of label 1 is 0"),
            "{refused}"
        );
        // No smoothing: the shares themselves.
        let data = classes(&[&[3.0, 1.0], &[1.0, 4.0]], &[0.0, 1.0]);
        let plain = fit(0.0, true, &data).unwrap();
        assert_near(&plain.log_shares[0], &[0.75_f64.ln(), 0.25_f64.ln()], 1e-14);
    }
}
