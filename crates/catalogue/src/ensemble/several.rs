//! One model a target, alone or in a chain: what the entries of several targets share.

use super::engine::{self, Member, Named, With};
use mltrainer_catalogue_core::{
    Design, FitError, MultiPredictor, MultiTraining, Outputs, ParamError, Prediction, Training, run,
};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// Fitted state: members in the order of the chain.
#[derive(Debug, Serialize, Deserialize)]
pub struct Several {
    /// Target of each member.
    order: Vec<usize>,
    members: Vec<Member>,
    /// Whether a member sees the answers of those before it.
    chained: bool,
    /// Whether it sees probabilities of the larger of two labels instead of labels.
    probabilities: bool,
}

/// How targets are chained.
pub(crate) struct Chain {
    /// Targets in the order in which they are learned.
    pub(crate) order: Vec<usize>,
    /// Folds whose predictions stand for the earlier targets in training; none takes the true ones.
    pub(crate) cv: Option<usize>,
    pub(crate) probabilities: bool,
}

/// The order asked for, which names every target once.
///
/// # Errors
/// [`ParamError`] when it does not.
pub(crate) fn order(given: Option<&[usize]>, targets: usize) -> Result<Vec<usize>, ParamError> {
    let order: Vec<usize> = given.map_or_else(|| (0..targets).collect(), <[usize]>::to_vec);
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted == (0..targets).collect::<Vec<_>>() {
        return Ok(order);
    }
    Err(ParamError {
        field: "order".into(),
        reason: format!("it must name each of the {targets} targets once, counted from 0"),
        suggestions: Vec::new(),
    })
}

fn column(values: &[f64]) -> Array2<f64> {
    Array2::from_shape_fn((values.len(), 1), |(i, _)| values[i])
}

/// What later members see of an answer.
fn passed(p: &Prediction, probabilities: bool) -> Vec<f64> {
    match &p.probabilities {
        Some(all) if probabilities && all.ncols() > 0 => all.column(all.ncols() - 1).to_vec(),
        _ => p.values.clone(),
    }
}

/// Fits one member a target; with a chain, each also learns from the earlier targets.
///
/// # Errors
/// Those of the members.
pub(crate) fn fit<P: engine::Names>(
    params: &With<P>,
    member: &Named,
    data: &Verified<MultiTraining>,
    chain: Option<&Chain>,
    seed: u64,
) -> Result<Several, FitError> {
    let many = data.get().names().len();
    let order = chain.map_or_else(|| (0..many).collect(), |c| c.order.clone());
    let mut members = Vec::new();
    let mut earlier: Vec<Vec<f64>> = Vec::new();
    for target in &order {
        let name = data.get().names()[*target].clone();
        let single = data.derive("target", name, |m| {
            let problem = &m.problems()[*target];
            let mut x = problem.x().clone();
            let mut names = problem.design().names().to_vec();
            for (k, values) in earlier.iter().enumerate() {
                x = engine::beside(x.view(), column(values).view());
                names.push(format!("earlier{k}"));
            }
            let rows: Vec<usize> = (0..problem.y().len()).collect();
            problem.over(Design::new(x, names)?, &rows)
        })?;
        members.push(params.fit(member, &single, seed)?);
        if let Some(chain) = chain {
            earlier.push(match chain.cv {
                Some(k) => out_of_fold(params, member, &single, k, chain.probabilities, seed)?,
                None => single.get().y().to_vec(),
            });
        }
    }
    Ok(Several {
        order,
        members,
        chained: chain.is_some(),
        probabilities: chain.is_some_and(|c| c.probabilities),
    })
}

fn out_of_fold<P: engine::Names>(
    params: &With<P>,
    member: &Named,
    data: &Verified<Training>,
    k: usize,
    probabilities: bool,
    seed: u64,
) -> Result<Vec<f64>, FitError> {
    let mut out = vec![0.0; data.get().y().len()];
    for (learn, predict) in engine::blocks(data.get(), k)? {
        let part = engine::rows_of(data, &learn, "fold")?;
        let fitted = params.fit(member, &part, seed)?;
        let x = data.get().x().select(ndarray::Axis(0), &predict);
        let answers = passed(&fitted.fitted.predict(x.view())?, probabilities);
        for (i, v) in predict.iter().zip(answers) {
            out[*i] = v;
        }
    }
    Ok(out)
}

/// The id used when none is given.
pub(crate) fn default_id(task: Task) -> &'static str {
    if task == Task::Classification {
        "logistic_regression"
    } else {
        "ridge"
    }
}

impl MultiPredictor for Several {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Vec<Prediction>, FitError> {
        let mut seen = x.to_owned();
        let mut all: Vec<Option<Prediction>> = vec![None; self.order.len()];
        for (target, member) in self.order.iter().zip(&self.members) {
            let p = member.fitted.predict(seen.view())?;
            if self.chained {
                let own = column(&passed(&p, self.probabilities));
                seen = engine::beside(seen.view(), own.view());
            }
            all[*target] = Some(p);
        }
        Ok(all.into_iter().flatten().collect())
    }

    fn outputs(&self) -> Outputs {
        let order: Vec<f64> = self.order.iter().map(|t| *t as f64).collect();
        if self.chained {
            Outputs::from_iter([("order".to_owned(), run::numbers(&order))])
        } else {
            Outputs::new()
        }
    }
}
