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
pub const ENTRY: Entry = Entry::supervised::<MultinomialNb>();

params! {
    /// Parameters of multinomial naive Bayes.
    pub struct MultinomialNbParams {
        /// Added to every count, so that none is 0.
        alpha: f64 = 1.0, at_least(1e-10);
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
    fails_when: "Columns are not counts: their size then counts as evidence.",
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
        let log_shares = sums
            .into_iter()
            .map(|row| {
                let total: f64 = row.iter().map(|v| v + params.alpha).sum();
                row.iter()
                    .map(|v| (v + params.alpha).ln() - total.ln())
                    .collect()
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
            fit_prior: true,
            class_prior: None,
        };
        let fitted = MultinomialNb::fit(&params, &data, 0).unwrap();
        let p = fitted.predict(ndarray::array![[1.0, 1.0]].view()).unwrap();
        // 4/6 · 2/6 against 1/6 · 5/6.
        assert_near(&[p.probabilities.unwrap()[[0, 0]]], &[8.0 / 13.0], 1e-14);
    }
}
