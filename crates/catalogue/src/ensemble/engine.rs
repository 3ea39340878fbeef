//! Entries made of other entries: their parameters, their fits, their folds.
//!
//! A member's parameters carry its name: `ridge.alpha=1`. They are checked with the ensemble's own.

use crate::registry;
use mltrainer_catalogue_core::reexport::{ParamSpec, Value};
use mltrainer_catalogue_core::{
    Engine, FitError, Fitted, ParamError, ParamMap, Params, Prediction, Resolved, Training,
};
use mltrainer_compliance::Verified;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::collections::BTreeSet;

/// Parameters of an ensemble that name its members.
pub trait Names: Params {
    /// Prefix and id of every member there may be; ids that do not exist are told by their field.
    fn members(&self) -> Vec<Named>;
}

/// A member by its prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The parameter that names it.
    pub field: &'static str,
    /// What stands before the dot of its parameters.
    pub prefix: String,
    /// Id of an entry or preset.
    pub id: String,
}

impl Named {
    /// Members under their own ids.
    pub(crate) fn of(field: &'static str, ids: &[String]) -> Vec<Self> {
        let each = ids.iter().map(|id| Self {
            field,
            prefix: id.clone(),
            id: id.clone(),
        });
        each.collect()
    }
}

/// An ensemble's parameters and, under `prefix.name`, those of its members.
#[derive(Debug, Clone, PartialEq)]
pub struct With<P> {
    /// Those of the ensemble.
    pub own: P,
    members: ParamMap,
}

impl<P: Names> Params for With<P> {
    fn specs() -> Vec<ParamSpec> {
        P::specs()
    }

    fn from_map(map: &ParamMap) -> Result<Self, ParamError> {
        let (members, own): (ParamMap, ParamMap) = map
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .partition(|(k, _)| k.contains('.'));
        let own = P::from_map(&own)?;
        let named = own.members();
        for key in members.keys() {
            let prefix = key.split('.').next().unwrap_or_default();
            if !named.iter().any(|n| n.prefix == prefix) {
                let prefixes: BTreeSet<&str> = named.iter().map(|n| n.prefix.as_str()).collect();
                return Err(ParamError {
                    field: key.clone(),
                    reason: format!(
                        "there is no member {prefix}; there are {}",
                        prefixes.into_iter().collect::<Vec<_>>().join(", ")
                    ),
                    suggestions: Vec::new(),
                });
            }
        }
        let all = Self { own, members };
        for member in &named {
            all.resolved(member)?;
        }
        Ok(all)
    }

    fn to_map(&self) -> ParamMap {
        let mut map = self.own.to_map();
        map.extend(self.members.clone());
        map
    }
}

impl<P: Names> With<P> {
    /// The entry of a member and its parameters.
    ///
    /// # Errors
    /// [`ParamError`] when there is no such entry, when it is not fitted to a target, or when a
    /// parameter is refused.
    pub(crate) fn resolved(&self, member: &Named) -> Result<(Resolved, ParamMap), ParamError> {
        let refused = |reason: String, suggestions| ParamError {
            field: member.field.into(),
            reason,
            suggestions,
        };
        let registry = registry();
        let found = registry.find(&member.id).ok_or_else(|| {
            let near = registry.nearest(&member.id);
            refused(
                format!(
                    "there is no model \"{}\"{}",
                    member.id,
                    if near.is_empty() {
                        String::new()
                    } else {
                        format!("; did you mean {}?", near.join(" or "))
                    }
                ),
                near,
            )
        })?;
        if !matches!(found.entry.engine, Engine::Supervised { .. }) {
            return Err(refused(
                format!("{} is not fitted to a target", member.id),
                Vec::new(),
            ));
        }
        let dot = format!("{}.", member.prefix);
        let own: ParamMap = self
            .members
            .iter()
            .filter_map(|(k, v)| Some((k.strip_prefix(&dot)?.to_owned(), v.clone())))
            .collect();
        let params = found.params(&own).map_err(|e| ParamError {
            field: format!("{dot}{}", e.field),
            ..e
        })?;
        Ok((found, params))
    }

    /// Fits a member.
    ///
    /// # Errors
    /// Those of [`With::resolved`] and of the fit, with the member's id.
    pub(crate) fn fit(
        &self,
        member: &Named,
        data: &Verified<Training>,
        seed: u64,
    ) -> Result<Member, FitError> {
        let (found, params) = self.resolved(member)?;
        let Engine::Supervised { fit, .. } = found.entry.engine else {
            return Err(FitError::Failed(format!("{} is not fitted", member.id)));
        };
        let fitted = fit(&params, data, seed).map_err(|e| within(&member.id, e))?;
        Ok(Member {
            id: member.id.clone(),
            fitted,
        })
    }
}

fn within(id: &str, error: FitError) -> FitError {
    match error {
        FitError::Param(e) => FitError::Param(ParamError {
            field: format!("{id}.{}", e.field),
            ..e
        }),
        FitError::Data(text) => FitError::Data(format!("{id}: {text}")),
        FitError::Failed(text) => FitError::Failed(format!("{id}: {text}")),
    }
}

/// A fitted member; saved as its id and its own saved form.
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) fitted: Box<dyn Fitted>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id)
    }
}

impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.fitted.save().map_err(ser::Error::custom)?;
        let text = String::from_utf8(bytes).map_err(ser::Error::custom)?;
        (&self.id, text).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (id, text) = <(String, String)>::deserialize(deserializer)?;
        let found = registry().find(&id);
        let Some(Engine::Supervised { load, .. }) = found.map(|f| f.entry.engine) else {
            return Err(de::Error::custom(format!("there is no model \"{id}\"")));
        };
        let fitted = load(text.as_bytes()).map_err(de::Error::custom)?;
        Ok(Self { id, fitted })
    }
}

/// Shares of the labels `classes`, by the probabilities of a prediction, or 1 for its label.
pub(crate) fn label_shares(p: &Prediction, classes: &[i64]) -> Array2<f64> {
    let mut out = Array2::zeros((p.values.len(), classes.len()));
    for (k, label) in classes.iter().enumerate() {
        let own = p.classes.iter().position(|c| c == label);
        for i in 0..p.values.len() {
            out[[i, k]] = match (&p.probabilities, own) {
                (Some(all), Some(own)) => all[[i, own]],
                (Some(_), None) => 0.0,
                (None, _) => f64::from(u8::from(p.values[i] == *label as f64)),
            };
        }
    }
    out
}

/// The rows of a problem.
pub(crate) fn rows_of(
    data: &Verified<Training>,
    rows: &[usize],
    step: &str,
) -> Result<Verified<Training>, FitError> {
    data.derive(step, format!("{} rows", rows.len()), |t| t.rows(rows))
}

/// Columns side by side; both tables have the same rows.
pub(crate) fn beside(left: ArrayView2<'_, f64>, right: ArrayView2<'_, f64>) -> Array2<f64> {
    let cut = left.ncols();
    Array2::from_shape_fn((left.nrows(), cut + right.ncols()), |(i, j)| {
        if j < cut {
            left[[i, j]]
        } else {
            right[[i, j - cut]]
        }
    })
}

/// Rows to learn from and rows to predict.
pub(crate) type Fold = (Vec<usize>, Vec<usize>);

/// Blocks in the order of the rows, the first n mod k one longer; of labels, each block has its share
/// of every label (scikit-learn's KFold and StratifiedKFold without shuffling).
///
/// # Errors
/// [`ParamError`] with more folds than rows, or than rows of every label.
pub(crate) fn blocks(data: &Training, k: usize) -> Result<Vec<Fold>, ParamError> {
    let n = data.y().len();
    let refused = |n: usize, of: &str| ParamError {
        field: "cv".into(),
        reason: format!("{k} folds are more than the {n} rows{of}"),
        suggestions: Vec::new(),
    };
    if k > n {
        return Err(refused(n, ""));
    }
    let mut fold = vec![0; n];
    if let Some(labels) = data.labels() {
        let many = labels.classes.len();
        // Labels numbered by first appearance, then dealt out in sorted order.
        let mut names: Vec<usize> = Vec::new();
        for c in &labels.codes {
            if !names.contains(c) {
                names.push(*c);
            }
        }
        let rank = |c: usize| names.iter().position(|n| *n == c).unwrap_or_default();
        let codes: Vec<usize> = labels.codes.iter().map(|c| rank(*c)).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        for class in 0..many {
            let own: Vec<usize> = (0..n).filter(|i| codes[*i] == class).collect();
            if own.len() < k && many > 1 {
                let smallest = (0..many).map(|c| codes.iter().filter(|x| **x == c).count());
                if smallest.max().is_some_and(|m| m < k) {
                    return Err(refused(own.len(), " of any label"));
                }
            }
            let mut next = own.iter();
            for f in 0..k {
                let dealt = sorted.iter().skip(f).step_by(k).filter(|c| **c == class);
                for _ in dealt {
                    if let Some(i) = next.next() {
                        fold[*i] = f;
                    }
                }
            }
        }
    } else {
        let mut at = 0;
        for f in 0..k {
            let size = n / k + usize::from(f < n % k);
            fold[at..at + size].fill(f);
            at += size;
        }
    }
    Ok((0..k)
        .map(|f| (0..n).partition(|i| fold[*i] != f))
        .collect())
}

/// The rows in `k` + 1 blocks: each block but the first is predicted from all rows before it.
///
/// # Errors
/// [`FitError::Data`] with fewer rows than blocks.
pub(crate) fn forward(n: usize, k: usize) -> Result<Vec<Fold>, FitError> {
    if n <= k {
        return Err(FitError::Data(format!(
            "{n} rows are too few for {k} forward folds"
        )));
    }
    let at = |b: usize| b * n / (k + 1);
    Ok((1..=k)
        .map(|b| ((0..at(b)).collect(), (at(b)..at(b + 1)).collect()))
        .collect())
}

/// A list of ids as JSON.
pub(crate) fn ids(members: &[Member]) -> Value {
    members.iter().map(|m| Value::from(m.id.as_str())).collect()
}
