//! One way to run anything: from verified data to the outputs and figures of the contract.
//!
//! **Seed.** A stochastic entry declares a parameter `seed` that is `none` by default. A given
//! `seed` wins; otherwise the one handed in is used (a trial hands in one for each step, a single
//! run 0). The parameters of the result state the seed that was used.
//!
//! **Time.** No clock is read here: `clock` gives milliseconds from any fixed moment.

use crate::design::{Bars, Design, MultiTraining, Observations, Sequence, SeriesTable, Training};
use crate::entry::{Engine, Fitted, ParamMap};
use crate::error::FitError;
use crate::explain;
use crate::model::{Ask, Contributions, Outputs, Prediction};
use crate::registry::Resolved;
use crate::score::{self, Metrics};
use mltrainer_compliance::{Lineage, Verified};
use mltrainer_types::catalogue::Task;
use mltrainer_types::finite;
use mltrainer_types::run::{RunResult, Timing};
use ndarray::Array2;
use serde_json::{Map, Value};

/// The seed that applies: the parameter `seed` when it is given, else the one handed in.
#[must_use]
pub fn effective_seed(given: Option<usize>, handed_in: u64) -> u64 {
    given.map_or(handed_in, |s| s as u64)
}

/// Fits on the training rows and predicts the test rows.
///
/// Outputs: `predictions` (null where the entry gives none), `probabilities` by label, `decision` (an
/// array for two labels, by label for more), `positions`, `predictions_std`, and those of the fit. Figures: `rmse mae r2` or `accuracy log_loss roc_auc`
/// of the test rows, and of the training rows with the prefix `train_`.
///
/// # Errors
/// [`FitError`] when the entry is of another kind, the tables do not match, a parameter is refused,
/// or the fit fails.
pub fn run_supervised(
    resolved: &Resolved,
    given: &ParamMap,
    train: &Verified<Training>,
    test: &Verified<Training>,
    seed: u64,
    clock: &dyn Fn() -> f64,
) -> Result<RunResult, FitError> {
    let more = Extras::default();
    run_and_explain(resolved, given, train, test, seed, clock, &more).map(|(result, _)| result)
}

/// What a supervised run states beside its forecasts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extras {
    /// Permutation importance on the test rows, over so many shuffles of each column.
    pub permutation: Option<usize>,
    /// SHAP values of the test rows.
    pub shap: bool,
    /// Levels of conformal intervals of the test rows, and how rows are kept back for them.
    pub intervals: Option<(Vec<f64>, explain::Method)>,
}

/// As [`run_supervised`], with explanations and intervals; returns the fitted model too.
///
/// Further outputs, columns in the order of `feature_names`: `permutation_importance` and
/// `permutation_importance_std` (one a column); `shap_values` (rows x columns, by label where a model
/// has a sum a label), `shap_base_value` and `shap_of` (what they add up to); `interval_lower`,
/// `interval_upper` (one a test row). Further figures: `interval_coverage`, `interval_width`. With
/// several levels the intervals are by level, and the figures carry it: `interval_coverage_0.9`.
///
/// # Errors
/// Those of [`run_supervised`], [`explain::permutation`] and [`explain::conformal`]; SHAP values of an
/// entry that has none.
pub fn run_and_explain(
    resolved: &Resolved,
    given: &ParamMap,
    train: &Verified<Training>,
    test: &Verified<Training>,
    seed: u64,
    clock: &dyn Fn() -> f64,
    more: &Extras,
) -> Result<(RunResult, Box<dyn Fitted>), FitError> {
    let Engine::Supervised { fit, .. } = resolved.entry.engine else {
        return Err(wrong_kind(
            resolved,
            "is not fitted to a target: use --data",
        ));
    };
    let params = resolved.params(given)?;
    let (names, tested) = (train.get().design().names(), test.get().design().names());
    if names != tested {
        return Err(FitError::Data(format!(
            "the test table has columns {} where the training table has {}",
            tested.join(", "),
            names.join(", ")
        )));
    }
    let (train_y, test_y) = (train.get(), test.get());
    let t0 = clock();
    let model = fit(&params, train, seed)?;
    let t1 = clock();
    let prediction = model.predict(test_y.x().view())?;
    let t2 = clock();
    let fitted = model.predict(train_y.x().view())?;

    let mut metrics = Metrics::new();
    figures(&mut metrics, "", model.as_ref(), test_y, &prediction);
    figures(&mut metrics, "train_", model.as_ref(), train_y, &fitted);
    let mut outputs = supervised_outputs(model.as_ref(), &prediction, train_y.task());
    let given = params.get("seed").and_then(Value::as_u64);
    let (rows, draws) = (test_y.design(), given.unwrap_or(seed));
    let fitted = model.as_ref();
    explain_to(
        &mut outputs,
        resolved,
        fitted,
        rows,
        Some(test_y),
        more,
        draws,
    )?;
    if let Some((levels, method)) = &more.intervals {
        let x = test_y.x().view();
        let bands = explain::conformal(fit, &params, train, x, levels, *method, seed)?;
        state_bands(&bands, test_y.y(), &mut outputs, &mut metrics);
    }
    let result = RunResult {
        model: resolved.id().to_owned(),
        params: with_seed(params, seed),
        outputs,
        metrics,
        timing: timing(t0, t1, t2),
        lineage: steps(&[train.lineage(), test.lineage()]),
    };
    Ok((result, model))
}

/// Runs a model that was fitted before, on rows whose targets may be known: the outputs and figures
/// of [`run_and_explain`] but those of training rows. Intervals need fits and are not made here.
///
/// # Errors
/// Those of the predictions and explanations; importances without known targets.
pub fn run_fitted(
    resolved: &Resolved,
    model: &dyn Fitted,
    rows: &Verified<Design>,
    truth: Option<&Training>,
    task: Task,
    clock: &dyn Fn() -> f64,
    more: &Extras,
) -> Result<RunResult, FitError> {
    let test = rows;
    let x = rows.get().x().view();
    let t0 = clock();
    let prediction = model.predict(x)?;
    let t1 = clock();
    let mut metrics = Metrics::new();
    if let Some(truth) = truth {
        figures(&mut metrics, "", model, truth, &prediction);
    }
    let mut outputs = supervised_outputs(model, &prediction, task);
    explain_to(&mut outputs, resolved, model, rows.get(), truth, more, 0)?;
    Ok(RunResult {
        model: resolved.id().to_owned(),
        params: ParamMap::new(),
        outputs,
        metrics,
        timing: timing(t0, t0, t1),
        lineage: steps(&[test.lineage()]),
    })
}

/// Importances and SHAP values, where they are asked for.
fn explain_to(
    outputs: &mut Outputs,
    resolved: &Resolved,
    model: &dyn Fitted,
    rows: &Design,
    truth: Option<&Training>,
    more: &Extras,
    seed: u64,
) -> Result<(), FitError> {
    if more.permutation.is_some() || more.shap {
        name_columns(outputs, rows);
    }
    if let Some(repeats) = more.permutation {
        let truth = truth.ok_or_else(|| {
            FitError::Data(
                "permutation importance is a loss of score: it needs the target of the rows".into(),
            )
        })?;
        let found = explain::permutation(model, truth, repeats, seed)?;
        outputs.insert("permutation_importance".into(), numbers(&found.mean));
        outputs.insert("permutation_importance_std".into(), numbers(&found.std));
    }
    if more.shap {
        let found = model.contributions(rows.x().view())?;
        state_shap(outputs, &found.ok_or_else(|| no_shap(resolved))?);
    }
    Ok(())
}

fn no_shap(resolved: &Resolved) -> FitError {
    FitError::Data(format!(
        "{} has no SHAP values: they are computed exactly for models of trees{}",
        resolved.id(),
        match resolved.entry.engine {
            Engine::Supervised { .. } => "; use permutation importance",
            _ => "",
        }
    ))
}

/// The columns that explanations are by.
fn name_columns(outputs: &mut Outputs, rows: &Design) {
    outputs.insert("feature_names".into(), rows.names().to_vec().into());
}

fn state_shap(outputs: &mut Outputs, found: &Contributions) {
    let (values, base) = contributions(found);
    outputs.insert("shap_values".into(), values);
    outputs.insert("shap_base_value".into(), base);
    outputs.insert("shap_of".into(), found.of.as_str().into());
}

/// Tables and base values; by label where there is a table a label.
fn contributions(found: &Contributions) -> (Value, Value) {
    let table = |t: &Array2<f64>| -> Value {
        let rows = t.rows().into_iter();
        rows.map(|r| numbers(&r.to_vec())).collect()
    };
    if let ([values], [base], true) = (
        found.values.as_slice(),
        found.base.as_slice(),
        found.classes.is_empty(),
    ) {
        return (table(values), finite(*base).into());
    }
    let labels = || found.classes.iter().map(ToString::to_string);
    let values = labels().zip(found.values.iter().map(table));
    let base = labels().zip(found.base.iter().map(|b| Value::from(finite(*b))));
    (
        Value::Object(values.collect()),
        Value::Object(base.collect()),
    )
}

fn state_bands(bands: &[explain::Band], y: &[f64], outputs: &mut Outputs, metrics: &mut Metrics) {
    if let [band] = bands {
        outputs.insert("interval_lower".into(), numbers(&band.lower));
        outputs.insert("interval_upper".into(), numbers(&band.upper));
        metrics.insert("interval_coverage".into(), band.coverage(y));
        metrics.insert("interval_width".into(), band.width());
        return;
    }
    let by_level = |ends: fn(&explain::Band) -> &[f64]| -> Value {
        let each = bands
            .iter()
            .map(|b| (b.level.to_string(), numbers(ends(b))));
        Value::Object(each.collect())
    };
    outputs.insert("interval_lower".into(), by_level(|b| &b.lower));
    outputs.insert("interval_upper".into(), by_level(|b| &b.upper));
    for band in bands {
        let level = band.level;
        metrics.insert(format!("interval_coverage_{level}"), band.coverage(y));
        metrics.insert(format!("interval_width_{level}"), band.width());
    }
}

/// Fits several targets on the training rows and predicts the test rows.
///
/// Outputs: `predictions` and, for labels, `probabilities`, both by target, and those of the fit.
/// Figures: those of [`run_supervised`], each after the name of its target and a dot.
///
/// # Errors
/// As [`run_supervised`].
pub fn run_multi(
    resolved: &Resolved,
    given: &ParamMap,
    train: &Verified<MultiTraining>,
    test: &Verified<MultiTraining>,
    seed: u64,
    clock: &dyn Fn() -> f64,
) -> Result<RunResult, FitError> {
    let Engine::Multi { fit, .. } = resolved.entry.engine else {
        return Err(wrong_kind(resolved, "takes one target"));
    };
    let params = resolved.params(given)?;
    let (a, b) = (train.get(), test.get());
    if a.design().names() != b.design().names() || a.names() != b.names() {
        return Err(FitError::Data(format!(
            "the test table has columns {} where the training table has {}",
            b.design().names().join(", "),
            a.design().names().join(", ")
        )));
    }
    let t0 = clock();
    let model = fit(&params, train, seed)?;
    let t1 = clock();
    let predicted = model.predict(b.design().x().view())?;
    let t2 = clock();
    let fitted = model.predict(a.design().x().view())?;

    let mut metrics = Metrics::new();
    let mut outputs = model.outputs();
    let (mut predictions, mut probabilities) = (Map::new(), Map::new());
    for (k, name) in a.names().iter().enumerate() {
        let (test, train) = (&b.problems()[k], &a.problems()[k]);
        usual(&mut metrics, &format!("{name}."), test, &predicted[k]);
        usual(&mut metrics, &format!("{name}.train_"), train, &fitted[k]);
        predictions.insert(name.clone(), stated(&predicted[k], a.task()));
        if let Some(p) = by_label(&predicted[k]) {
            probabilities.insert(name.clone(), p);
        }
    }
    outputs.insert("predictions".into(), Value::Object(predictions));
    if !probabilities.is_empty() {
        outputs.insert("probabilities".into(), Value::Object(probabilities));
    }
    Ok(RunResult {
        model: resolved.id().to_owned(),
        params: with_seed(params, seed),
        outputs,
        metrics,
        timing: timing(t0, t1, t2),
        lineage: steps(&[train.lineage(), test.lineage()]),
    })
}

fn figures(into: &mut Metrics, prefix: &str, model: &dyn Fitted, data: &Training, p: &Prediction) {
    for (name, value) in model.figures(data.y(), p) {
        into.insert(format!("{prefix}{name}"), finite(value));
    }
    usual(into, prefix, data, p);
}

/// The figures that every model of the task has.
fn usual(into: &mut Metrics, prefix: &str, data: &Training, p: &Prediction) {
    if data.task() == Task::Classification {
        let probabilities = p.probabilities.as_ref();
        score::classification(into, prefix, data.y(), &p.values, probabilities, &p.classes);
        if let (None, Some(decision), 2) = (probabilities, &p.decision, p.classes.len()) {
            let auc = score::roc_auc(data.y(), &decision.column(0).to_vec());
            into.insert(format!("{prefix}roc_auc"), auc);
        }
    } else {
        score::regression(into, prefix, data.y(), &p.values);
    }
}

/// The values, whole numbers for labels.
fn stated(p: &Prediction, task: Task) -> Value {
    if task == Task::Classification {
        p.values
            .iter()
            .map(|v| finite(*v).map(|v| v as i64))
            .map(Value::from)
            .collect()
    } else {
        numbers(&p.values)
    }
}

fn by_label(p: &Prediction) -> Option<Value> {
    let probabilities = p.probabilities.as_ref()?;
    let labels = p.classes.iter().zip(probabilities.columns());
    let each = labels.map(|(label, column)| (label.to_string(), numbers(&column.to_vec())));
    Some(Value::Object(each.collect()))
}

fn supervised_outputs(model: &dyn Fitted, p: &Prediction, task: Task) -> Outputs {
    let mut outputs = model.outputs();
    outputs.insert("predictions".into(), stated(p, task));
    if let Some(probabilities) = by_label(p) {
        outputs.insert("probabilities".into(), probabilities);
    }
    if let Some(decision) = &p.decision {
        let columns = decision.columns().into_iter().map(|c| numbers(&c.to_vec()));
        let value = if decision.ncols() == 1 {
            columns.collect::<Vec<_>>().pop().unwrap_or_default()
        } else {
            let labels = p.classes.iter().map(ToString::to_string);
            Value::Object(labels.zip(columns).collect())
        };
        outputs.insert("decision".into(), value);
    }
    if let Some(std) = &p.std {
        outputs.insert("predictions_std".into(), numbers(std));
    }
    if let Some(positions) = &p.positions {
        outputs.insert("positions".into(), numbers(positions));
    }
    outputs
}

/// Groups the rows of a table, or finds the strange ones. Figure of a grouping: `silhouette` of the
/// `labels`. With `shap` the outputs of [`run_and_explain`] for SHAP values, rows as in the table.
///
/// # Errors
/// [`FitError`] when the entry is of another kind, a parameter is refused, or the method fails; SHAP values of
/// an entry that has none.
pub fn run_clustering(
    resolved: &Resolved,
    given: &ParamMap,
    data: &Verified<Observations>,
    shap: bool,
    seed: u64,
    clock: &dyn Fn() -> f64,
) -> Result<RunResult, FitError> {
    let Engine::Clustering { run } = resolved.entry.engine else {
        return Err(wrong_kind(resolved, "does not group the rows of a table"));
    };
    let params = resolved.params(given)?;
    let t0 = clock();
    let outputs = if shap {
        let explain = resolved.entry.explain.ok_or_else(|| no_shap(resolved))?;
        let (mut outputs, found) = explain(&params, data, seed)?;
        name_columns(&mut outputs, data.get().design());
        state_shap(&mut outputs, &found);
        outputs
    } else {
        run(&params, data, seed)?
    };
    let t1 = clock();
    let labels: Vec<i64> = outputs
        .get("labels")
        .and_then(Value::as_array)
        .map(|a| a.iter().filter_map(Value::as_i64).collect())
        .unwrap_or_default();
    let mut metrics = Metrics::new();
    if resolved.entry.card.tasks.contains(&Task::Clustering) {
        let silhouette = score::silhouette(data.get().x().view(), &labels);
        metrics.insert("silhouette".into(), silhouette);
    }
    Ok(RunResult {
        model: resolved.id().to_owned(),
        params: with_seed(params, seed),
        outputs,
        metrics,
        timing: timing(t0, t1, t1),
        lineage: steps(&[data.lineage()]),
    })
}

/// Computes an indicator: its columns, one value a bar, `null` while warming up.
///
/// # Errors
/// [`FitError`] when the entry is of another kind, a parameter is refused, or a column is missing.
pub fn run_indicator(
    resolved: &Resolved,
    given: &ParamMap,
    bars: &Verified<Bars>,
    clock: &dyn Fn() -> f64,
) -> Result<RunResult, FitError> {
    let Engine::Indicator { run } = resolved.entry.engine else {
        return Err(wrong_kind(resolved, "is not an indicator of bars"));
    };
    let params = resolved.params(given)?;
    let t0 = clock();
    let columns = run(&params, bars)?;
    let t1 = clock();
    Ok(RunResult {
        model: resolved.id().to_owned(),
        params,
        outputs: columns
            .into_iter()
            .map(|(name, values)| {
                let whole = resolved.entry.whole.contains(&name);
                (name.to_owned(), column(values, whole))
            })
            .collect(),
        metrics: Metrics::new(),
        timing: timing(t0, t1, t1),
        lineage: steps(&[bars.lineage()]),
    })
}

/// Runs a simulation over bars.
///
/// # Errors
/// [`FitError`] when the entry is of another kind, a parameter is refused, or the bars cannot be used.
pub fn run_simulation(
    resolved: &Resolved,
    given: &ParamMap,
    bars: &Verified<Bars>,
    clock: &dyn Fn() -> f64,
) -> Result<RunResult, FitError> {
    let Engine::Simulation { run } = resolved.entry.engine else {
        return Err(wrong_kind(resolved, "is not a simulation over bars"));
    };
    let params = resolved.params(given)?;
    let t0 = clock();
    let outputs = run(&params, bars)?;
    let t1 = clock();
    Ok(RunResult {
        model: resolved.id().to_owned(),
        params,
        outputs,
        metrics: Metrics::new(),
        timing: timing(t0, t1, t1),
        lineage: steps(&[bars.lineage()]),
    })
}

/// Runs a method on series, or on parameters alone.
///
/// # Errors
/// [`FitError`] when the entry is of another kind, `horizon` is 0, a parameter is refused, or the
/// method fails.
pub fn run_analysis(
    resolved: &Resolved,
    given: &ParamMap,
    data: &Verified<SeriesTable>,
    ask: Ask,
    clock: &dyn Fn() -> f64,
) -> Result<RunResult, FitError> {
    let Engine::Analysis { run, .. } = resolved.entry.engine else {
        return Err(wrong_kind(resolved, "is not a method on series"));
    };
    if ask.horizon == 0 {
        return Err(FitError::Data("horizon 0: it must be at least 1".into()));
    }
    let params = resolved.params(given)?;
    let t0 = clock();
    let outputs = run(&params, data, ask)?;
    let t1 = clock();
    Ok(RunResult {
        model: resolved.id().to_owned(),
        params: with_seed(params, ask.seed),
        outputs,
        metrics: Metrics::new(),
        timing: timing(t0, t1, t1),
        lineage: steps(&[data.lineage()]),
    })
}

/// A column as JSON, its numbers without a fraction when they are whole ones.
fn column(values: Vec<Option<f64>>, whole: bool) -> Value {
    if whole {
        let each = values.into_iter().map(|v| v.map(|v| v as i64));
        each.map(Value::from).collect()
    } else {
        Value::from(values)
    }
}

/// Forecasts `horizon` values after the last one of a series: `forecast`.
///
/// # Errors
/// [`FitError`] when the entry does not forecast, `horizon` is 0, a parameter is refused, or the
/// method fails.
pub fn run_forecast(
    resolved: &Resolved,
    given: &ParamMap,
    series: &Verified<Sequence>,
    horizon: usize,
    clock: &dyn Fn() -> f64,
) -> Result<RunResult, FitError> {
    let Some(forecast) = resolved.entry.forecast else {
        return Err(wrong_kind(
            resolved,
            "does not forecast one series: use --train, --test and --target",
        ));
    };
    if horizon == 0 {
        return Err(FitError::Data("horizon 0: it must be at least 1".into()));
    }
    let params = resolved.params(given)?;
    let t0 = clock();
    let outputs = forecast(&params, series, horizon)?;
    let t1 = clock();
    Ok(RunResult {
        model: resolved.id().to_owned(),
        params,
        outputs,
        metrics: Metrics::new(),
        timing: timing(t0, t1, t1),
        lineage: steps(&[series.lineage()]),
    })
}

fn wrong_kind(resolved: &Resolved, what: &str) -> FitError {
    FitError::Data(format!("{} {what}", resolved.id()))
}

/// The parameters with the seed that was used, for an entry that has one.
fn with_seed(mut params: ParamMap, handed_in: u64) -> ParamMap {
    if let Some(seed) = params.get_mut("seed")
        && seed.is_null()
    {
        *seed = Value::from(handed_in);
    }
    params
}

fn timing(t0: f64, t1: f64, t2: f64) -> Timing {
    Timing {
        fit_ms: t1 - t0,
        predict_ms: t2 - t1,
    }
}

fn steps(lineages: &[&Lineage]) -> Vec<mltrainer_types::data::LineageStep> {
    let mut all = Vec::new();
    for step in lineages.iter().flat_map(|l| l.steps()) {
        if !all.contains(step) {
            all.push(step.clone());
        }
    }
    all
}

/// An array of numbers, `null` where one is not finite.
#[must_use]
pub fn numbers(values: &[f64]) -> Value {
    values.iter().map(|v| Value::from(finite(*v))).collect()
}
