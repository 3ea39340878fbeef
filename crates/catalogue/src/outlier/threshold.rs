//! From scores to labels: what the searches for outliers share.

use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{Outputs, choices, run};

choices! {
    /// The method's own choice.
    pub enum Auto {
        /// Chosen by the method.
        Auto = "auto",
    }
}

/// Where labels turn to -1: the method's own score, or the quantile of the share asked for (between
/// neighbours, as numpy's percentile).
pub(crate) fn offset(scores: &[f64], contamination: WordOr<Auto>, own: f64) -> f64 {
    let WordOr::Number(share) = contamination else {
        return own;
    };
    crate::tree::objective::quantile_between(scores, share)
}

/// `scores`, `labels` (-1 below the offset, else 1), `offset` and `n_outliers`.
pub(crate) fn outputs(scores: &[f64], offset: f64) -> Outputs {
    let labels: Vec<i64> = scores
        .iter()
        .map(|s| if *s < offset { -1 } else { 1 })
        .collect();
    let strange = labels.iter().filter(|l| **l < 0).count();
    Outputs::from_iter([
        ("scores".to_owned(), run::numbers(scores)),
        ("labels".to_owned(), labels.into()),
        ("offset".to_owned(), offset.into()),
        ("n_outliers".to_owned(), strange.into()),
    ])
}
