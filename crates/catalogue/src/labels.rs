//! What classifiers share: labels that can be learned from, and answers from logarithmic scores.

use crate::numeric::{flat_mut, softmax};
use mltrainer_catalogue_core::{FitError, Labels, ParamError, Prediction, Training};
use ndarray::Array2;

/// The labels of a table, at least two of them.
pub(crate) fn labels<'a>(data: &'a Training, id: &str) -> Result<&'a Labels, FitError> {
    let labels = data
        .labels()
        .ok_or_else(|| FitError::Data(format!("{id} needs whole-number labels")))?;
    if labels.classes.len() < 2 {
        return Err(FitError::Data(format!(
            "the training rows have only the label {}: at least two are needed",
            labels.classes.first().copied().unwrap_or_default()
        )));
    }
    Ok(labels)
}

/// Probabilities from logarithms of likelihood times prior, rows x classes, up to a number a row.
pub(crate) fn from_logs(mut logs: Array2<f64>, classes: &[i64]) -> Prediction {
    for mut row in logs.rows_mut() {
        softmax(flat_mut(row.view_mut()));
    }
    Prediction::probabilities(logs, classes.to_vec())
}

/// The same with the logarithms as decision values: their difference for two labels.
pub(crate) fn decided_by_logs(logs: Array2<f64>, classes: &[i64]) -> Prediction {
    let decision = if classes.len() == 2 {
        Array2::from_shape_fn((logs.nrows(), 1), |(i, _)| logs[[i, 1]] - logs[[i, 0]])
    } else {
        logs.clone()
    };
    Prediction {
        decision: Some(decision),
        ..from_logs(logs, classes)
    }
}

/// The prior of each label: the given ones divided by their sum, or the shares of the labels.
///
/// # Errors
/// [`ParamError`] when there is not one a label.
pub(crate) fn priors(
    field: &str,
    given: Option<&[f64]>,
    counts: &[f64],
) -> Result<Vec<f64>, ParamError> {
    let of = given.unwrap_or(counts);
    if of.len() != counts.len() {
        return Err(ParamError {
            field: field.into(),
            reason: format!(
                "{} priors for {} labels: give one a label, ascending",
                of.len(),
                counts.len()
            ),
            suggestions: Vec::new(),
        });
    }
    let all: f64 = of.iter().sum();
    Ok(of.iter().map(|p| p / all).collect())
}

/// Sum of the weights of each label's rows.
pub(crate) fn counts(data: &Training, labels: &Labels) -> Vec<f64> {
    let mut counts = vec![0.0; labels.classes.len()];
    for (i, &code) in labels.codes.iter().enumerate() {
        counts[code] += data.weights().map_or(1.0, |w| w[i]);
    }
    counts
}
