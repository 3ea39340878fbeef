//! Stacking.
//!
//! What: a final model that learns from the out-of-fold predictions of others.
//! Formula: ŷ = final(ŷ₁(x), ..., ŷₘ(x)).
//! Data: what every member takes.
//! Cost: folds + 1 times that of the members, and that of the final model.
//! Fails when: rows are few, or blocks as folds let members look ahead in time.
//! Source: Wolpert, Neural Networks 5 (1992).
//! Not claimed: better than the best member.

use super::engine::{self, Fold, Member, Named, Names, With, label_shares};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Design, Entry, FitError, Inputs, Learner, Outputs, ParamError, Prediction, Predictor,
    Training, choices, params,
};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct Stacking;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Stacking>().tested_with(MEMBERS);

/// Members that weigh rows, which not all of the defaults do.
const MEMBERS: &[(&str, &str)] = &[(
    "estimators",
    "decision_tree_depth_3,decision_tree_depth_5,hist_gradient_boosting",
)];

/// Forward folds when none are asked for.
const FORWARD: usize = 5;

choices! {
    /// What the final model sees of a member, where the target is labels.
    #[derive(Serialize, Deserialize)]
    pub enum StackMethod {
        /// The first of the others that the member gives, in this order.
        Auto = "auto",
        /// P of the larger of two labels, or of each.
        PredictProba = "predict_proba",
        /// The decision: one value for two labels, else one a label.
        DecisionFunction = "decision_function",
        /// The label.
        Predict = "predict",
    }
}

params! {
    /// Parameters of stacking; those of a member carry its id: `ridge.alpha`, those of the final model `final_estimator`.
    pub struct StackingParams {
        /// Ids of the members, joined with commas; none is ridge, knn, decision_tree, for labels logistic_regression in place of the first.
        estimators: Option<Vec<String>> = None;
        /// The final model: linear, ridge, tree, logistic_regression, or any id; none is ridge. For labels linear, ridge and none are logistic_regression.
        final_estimator: Option<String> = None;
        /// Blocks of rows, each predicted from all others; none: five forward folds, each predicted from the rows before it only.
        cv: Option<usize> = None, within(2.0, 1000.0);
        /// What the final model sees of a member, where the target is labels: auto is the first of predict_proba, decision_function and predict that the member gives.
        stack_method: StackMethod = StackMethod::Auto;
        /// Whether the final model sees the columns too.
        passthrough: bool = false;
    }
}

impl StackingParams {
    fn ids(&self, task: Task) -> Vec<String> {
        self.estimators.clone().unwrap_or_else(|| {
            let first = if task == Task::Classification {
                "logistic_regression"
            } else {
                "ridge"
            };
            [first, "knn", "decision_tree"].map(str::to_owned).to_vec()
        })
    }

    fn last(&self, task: Task) -> Named {
        let id = match (self.final_estimator.as_deref(), task) {
            (None | Some("linear" | "ridge"), Task::Classification) => "logistic_regression",
            (None, _) => "ridge",
            (Some("linear"), _) => "linear_regression",
            (Some("tree"), _) => "decision_tree",
            (Some(id), _) => id,
        };
        Named {
            field: "final_estimator",
            prefix: "final_estimator".into(),
            id: id.into(),
        }
    }
}

impl Names for StackingParams {
    fn members(&self) -> Vec<Named> {
        let mut ids = self.ids(Task::Regression);
        ids.extend(self.ids(Task::Classification));
        ids.sort();
        ids.dedup();
        let mut named = Named::of("estimators", &ids);
        // Parameters of the final model are checked when its task is known, unless it is named.
        named.push(self.last(Task::Regression));
        named
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    members: Vec<Member>,
    last: Member,
    passthrough: bool,
    classes: Vec<i64>,
    /// None in models saved before it was kept: shares of the labels, 1 for the label of a member without.
    #[serde(default)]
    method: Option<StackMethod>,
}

const CARD: Card = Card {
    id: "stacking",
    family: "ensemble",
    title: "Stacking",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "Members predict rows that they were not fitted on; a final model learns the target from these predictions. The members are then fitted again on all rows.",
    formula: "z_i = (ŷ₁, ..., ŷₘ)(xᵢ) from fits without row i (labels: by stack_method, P of the larger of two labels, or of each, where a member gives it); final model fitted to (zᵢ, yᵢ); ŷ(x) = final(z(x)). Folds: five forward ones (each block from the rows before it; the first block is not learned from), or cv blocks in the order of the rows",
    data: "What every member takes.",
    cost: "fit folds + 1 times the members and once the final model, predict all of them",
    fails_when: "Rows are few. With cv blocks, members see rows after those that they predict: on time series use forward folds (cv none).",
    not_claimed: "That it is better than the best member.",
    source: "D. H. Wolpert, Stacked generalization, Neural Networks 5 (1992)",
    reference: "scikit-learn 1.9.1, StackingRegressor and StackingClassifier",
    outputs: &[
        ("estimators", "ids of the members, in order"),
        ("final_estimator", "id of the final model"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, cv 5",
        cases: "stacking-linear-spx-std, stacking-ridge-spx-std, stacking-linear-aapl-std, stacking-tree-spx-std, stacking-logistic-spx-cls",
        tolerance: "predictions 1e-6; probabilities within 0.02 (root mean square)",
    }],
    presets: &[
        Preset {
            id: "stacking_linear",
            title: "Stacking under least squares",
            set: &[("final_estimator", "linear")],
        },
        Preset {
            id: "stacking_tree",
            title: "Stacking under a decision tree",
            set: &[("final_estimator", "tree")],
        },
        Preset {
            id: "stacking_ridge",
            title: "Stacking under ridge regression",
            set: &[("final_estimator", "ridge")],
        },
    ],
    exemptions: &[],
};

/// What the final model sees of a member: the value; of labels what the method says.
fn seen(
    member: &Member,
    p: &Prediction,
    classes: &[i64],
    method: Option<StackMethod>,
) -> Result<Array2<f64>, FitError> {
    let column = || Array2::from_shape_fn((p.values.len(), 1), |(i, _)| p.values[i]);
    if classes.is_empty() {
        return Ok(column());
    }
    let method = match (method, &p.probabilities, &p.decision) {
        (None, _, _) | (Some(StackMethod::Auto), Some(_), _) => StackMethod::PredictProba,
        (Some(StackMethod::Auto), None, Some(_)) => StackMethod::DecisionFunction,
        (Some(StackMethod::Auto), None, None) => StackMethod::Predict,
        (Some(StackMethod::PredictProba), None, _) => {
            return Err(no_such(member, "probabilities"));
        }
        (Some(asked), _, _) => asked,
    };
    match method {
        StackMethod::DecisionFunction if p.classes != classes => Err(FitError::Data(format!(
            "{}: a fold was learned from without all labels, so that its decision has no column for some: take stack_method predict_proba, or cv",
            member.id
        ))),
        StackMethod::DecisionFunction => p
            .decision
            .clone()
            .ok_or_else(|| no_such(member, "decision values")),
        StackMethod::Predict => Ok(column()),
        StackMethod::Auto | StackMethod::PredictProba => {
            let shares = label_shares(p, classes);
            Ok(if classes.len() == 2 {
                shares.select(Axis(1), &[1])
            } else {
                shares
            })
        }
    }
}

fn no_such(member: &Member, what: &str) -> FitError {
    FitError::Param(ParamError {
        field: "stack_method".into(),
        reason: format!("{} gives no {what}: take auto", member.id),
        suggestions: Vec::new(),
    })
}

/// Predictions of members side by side.
fn all_seen(
    members: &[Member],
    x: ArrayView2<'_, f64>,
    classes: &[i64],
    method: Option<StackMethod>,
) -> Result<Array2<f64>, FitError> {
    let mut out = Array2::zeros((x.nrows(), 0));
    for member in members {
        let own = seen(member, &member.fitted.predict(x)?, classes, method)?;
        out = engine::beside(out.view(), own.view());
    }
    Ok(out)
}

impl Learner for Stacking {
    type Params = With<StackingParams>;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const MISSING: bool = false;
    const WEIGHTS: bool = true;
    const PROBABILITIES: bool = true;

    fn learn_from(
        params: &With<StackingParams>,
        data: &Verified<Training>,
        seed: u64,
    ) -> Result<Fitted, FitError> {
        let task = data.get().task();
        let classes = data
            .get()
            .labels()
            .map(|l| l.classes.clone())
            .unwrap_or_default();
        let named = Named::of("estimators", &params.own.ids(task));
        let last = params.own.last(task);
        params.resolved(&last)?;
        let folds: Vec<Fold> = match params.own.cv {
            Some(k) => engine::blocks(data.get(), k)?,
            None => engine::forward(data.get().y().len(), FORWARD)?,
        };
        let fit_all = |data: &Verified<Training>| -> Result<Vec<Member>, FitError> {
            named.iter().map(|m| params.fit(m, data, seed)).collect()
        };
        let method = Some(params.own.stack_method);
        // One row a row that is predicted; the others are not learned from.
        let mut z: Vec<Vec<f64>> = vec![Vec::new(); data.get().y().len()];
        let mut used = Vec::new();
        for (learn, predict) in &folds {
            let part = engine::rows_of(data, learn, "fold")?;
            let members = fit_all(&part)?;
            let x = data.get().x().select(Axis(0), predict);
            let own = all_seen(&members, x.view(), &classes, method)?;
            for (row, i) in own.rows().into_iter().zip(predict) {
                z[*i] = row.to_vec();
            }
            used.extend_from_slice(predict);
        }
        used.sort_unstable();
        let learned = data.derive("out_of_fold", format!("{} folds", folds.len()), |t| {
            let width = used.first().map_or(0, |i| z[*i].len());
            let mut z = Array2::from_shape_fn((used.len(), width), |(i, j)| z[used[i]][j]);
            if params.own.passthrough {
                z = engine::beside(z.view(), t.x().select(Axis(0), &used).view());
            }
            let names = (0..z.ncols()).map(|k| format!("z{k}")).collect();
            t.over(Design::new(z, names)?, &used)
        })?;
        Ok(Fitted {
            last: params.fit(&last, &learned, seed)?,
            members: fit_all(data)?,
            passthrough: params.own.passthrough,
            classes,
            method,
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let mut z = all_seen(&self.members, x, &self.classes, self.method)?;
        if self.passthrough {
            z = engine::beside(z.view(), x);
        }
        // A decision value of the final model is about its own columns; the probabilities say it all.
        Ok(Prediction {
            decision: None,
            ..self.last.fitted.predict(z.view())?
        })
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([
            ("estimators".to_owned(), engine::ids(&self.members)),
            ("final_estimator".to_owned(), self.last.id.as_str().into()),
        ])
    }
}
