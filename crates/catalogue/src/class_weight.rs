//! Weights of labels: the parameter `class_weight` of the classifiers that have it.

use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::reexport::{ParamKind, Value};
use mltrainer_catalogue_core::{Labels, ParamError, Training};

/// How much the rows of each label count.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeight {
    /// n / (classes · rows of the label): each label counts the same in all.
    Balanced,
    /// A factor a label; labels that are not named have 1.
    Given(Vec<(i64, f64)>),
}

/// As [`ClassWeight`], or balanced anew over the rows that each tree of a forest has drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum ForestClassWeight {
    /// By the rows drawn for a tree.
    BalancedSubsample,
    /// By all rows.
    Of(ClassWeight),
}

const WORDS: &str = "balanced, or a factor of 0 or more a label, written 0:1,1:2.5";

impl ParamType for ClassWeight {
    const KIND: ParamKind = ParamKind::Text;

    fn choices() -> &'static [&'static str] {
        &["balanced"]
    }

    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let refused = || format!("{value} is not {WORDS}");
        let pairs: Vec<(String, String)> = match value {
            Value::String(text) if text.trim() == "balanced" => return Ok(Self::Balanced),
            Value::String(text) => text
                .split(',')
                .map(|pair| pair.split_once(':'))
                .map(|pair| pair.map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned())))
                .collect::<Option<_>>()
                .ok_or_else(refused)?,
            Value::Object(map) => map
                .iter()
                .map(|(k, v)| (k.clone(), v.to_string()))
                .collect(),
            _ => return Err(refused()),
        };
        let mut all: Vec<(i64, f64)> = Vec::new();
        for (label, factor) in pairs {
            let label: i64 = label.parse().map_err(|_| refused())?;
            let factor: f64 = factor.parse().map_err(|_| refused())?;
            if !factor.is_finite() || factor < 0.0 || all.iter().any(|(l, _)| *l == label) {
                return Err(refused());
            }
            all.push((label, factor));
        }
        if all.is_empty() {
            return Err(refused());
        }
        Ok(Self::Given(all))
    }

    fn write(&self) -> Value {
        match self {
            Self::Balanced => "balanced".into(),
            Self::Given(pairs) => {
                let words: Vec<String> = pairs.iter().map(|(l, w)| format!("{l}:{w}")).collect();
                words.join(",").into()
            }
        }
    }
}

impl ParamType for ForestClassWeight {
    const KIND: ParamKind = ParamKind::Text;

    fn choices() -> &'static [&'static str] {
        &["balanced", "balanced_subsample"]
    }

    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        if value
            .as_str()
            .is_some_and(|t| t.trim() == "balanced_subsample")
        {
            return Ok(Self::BalancedSubsample);
        }
        ClassWeight::read(value, range)
            .map(Self::Of)
            .map_err(|e| e.replace("balanced,", "balanced, balanced_subsample,"))
    }

    fn write(&self) -> Value {
        match self {
            Self::BalancedSubsample => "balanced_subsample".into(),
            Self::Of(weight) => weight.write(),
        }
    }
}

impl ClassWeight {
    /// The factor of each label, in the order of the classes.
    ///
    /// # Errors
    /// [`ParamError`] when a factor is given for a label that there is not, and not for all that there are.
    pub(crate) fn factors(&self, labels: &Labels) -> Result<Vec<f64>, ParamError> {
        self.factors_of(labels, None)
    }

    /// The same, where a row counts by its weight when labels are balanced.
    ///
    /// # Errors
    /// Those of [`Self::factors`].
    fn factors_of(&self, labels: &Labels, weights: Option<&[f64]>) -> Result<Vec<f64>, ParamError> {
        match self {
            Self::Balanced => {
                let mut counts = vec![0.0_f64; labels.classes.len()];
                for (i, c) in labels.codes.iter().enumerate() {
                    counts[*c] += weights.map_or(1.0, |w| w[i]);
                }
                Ok(balanced(&counts))
            }
            Self::Given(pairs) => {
                let known = |l: &i64| labels.classes.contains(l);
                if let Some((label, _)) = pairs.iter().find(|(l, _)| !known(l)) {
                    let all = labels.classes.iter();
                    if !all.clone().all(|c| pairs.iter().any(|(l, _)| l == c)) {
                        return Err(ParamError {
                            field: "class_weight".into(),
                            reason: format!("no row has label {label}"),
                            suggestions: Vec::new(),
                        });
                    }
                }
                let factor = |class: &i64| {
                    let own = pairs.iter().find(|(l, _)| l == class);
                    own.map_or(1.0, |(_, w)| *w)
                };
                Ok(labels.classes.iter().map(factor).collect())
            }
        }
    }
}

/// n / (classes · rows) of each label; 0 where there is no row.
pub(crate) fn balanced(counts: &[f64]) -> Vec<f64> {
    let n: f64 = counts.iter().sum();
    let many = counts.iter().filter(|c| **c > 0.0).count() as f64;
    let each = |c: &f64| if *c > 0.0 { n / (many * c) } else { 0.0 };
    counts.iter().map(each).collect()
}

/// Weight of each row: its own times that of its label.
///
/// # Errors
/// Those of [`ClassWeight::factors`], and when no row is left with a weight.
pub(crate) fn row_weights(
    data: &Training,
    given: Option<&ClassWeight>,
) -> Result<Vec<f64>, ParamError> {
    weights_of(data, given, false)
}

/// The same, where labels are balanced by the weights of their rows (logistic regression).
///
/// # Errors
/// Those of [`row_weights`].
pub(crate) fn row_weights_by_weight(
    data: &Training,
    given: Option<&ClassWeight>,
) -> Result<Vec<f64>, ParamError> {
    weights_of(data, given, true)
}

fn weights_of(
    data: &Training,
    given: Option<&ClassWeight>,
    by_weight: bool,
) -> Result<Vec<f64>, ParamError> {
    let n = data.y().len();
    let mut weights = data.weights().map_or_else(|| vec![1.0; n], <[f64]>::to_vec);
    if let (Some(given), Some(labels)) = (given, data.labels()) {
        let factors = given.factors_of(labels, data.weights().filter(|_| by_weight))?;
        for (w, code) in weights.iter_mut().zip(&labels.codes) {
            *w *= factors[*code];
        }
        if weights.iter().all(|w| *w == 0.0) {
            return Err(ParamError {
                field: "class_weight".into(),
                reason: "every row is left with weight 0".into(),
                suggestions: Vec::new(),
            });
        }
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written() {
        let read = |text: &str| ClassWeight::read(&Value::from(text), &Range::any());
        assert_eq!(read("balanced"), Ok(ClassWeight::Balanced));
        let given = read("0:1, 1:2.5").unwrap();
        assert_eq!(given, ClassWeight::Given(vec![(0, 1.0), (1, 2.5)]));
        assert_eq!(given.write(), Value::from("0:1,1:2.5"));
        for bad in ["", "1", "0:-1", "0:1,0:2", "a:1", "balanced_subsample"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    // compute_class_weight of scikit-learn: 5 rows, 2 labels: 5 / (2 · 1), 5 / (2 · 4).
    #[test]
    fn factors_by_hand() {
        let labels = Labels::new(&[0, 1, 1, 1, 1]);
        let factors = |w: ClassWeight| w.factors(&labels);
        assert_eq!(factors(ClassWeight::Balanced), Ok(vec![2.5, 0.625]));
        let given = ClassWeight::Given(vec![(1, 3.0)]);
        assert_eq!(factors(given), Ok(vec![1.0, 3.0]));
        assert!(factors(ClassWeight::Given(vec![(7, 3.0)])).is_err());
        // Its `sample_weight`: weights 2 and 1 + 1 + 1 + 3 add up to 8: 8 / (2 · 2), 8 / (2 · 6).
        let weighed = ClassWeight::Balanced.factors_of(&labels, Some(&[2.0, 1.0, 1.0, 1.0, 3.0]));
        assert_eq!(weighed, Ok(vec![2.0, 8.0 / 12.0]));
    }
}
