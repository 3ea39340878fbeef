//! From a request to a complete specification: defaults filled in, every range checked, every name
//! known. What needs data at hand (files, hashes, rows) is handed in.

use crate::step;
use crate::words::{count, list};
use chrono::NaiveDate;
use mltrainer_backtest::splits;
use mltrainer_catalogue_core::{Engine, Inputs, Registry, Resolved, Takes, suggest};
use mltrainer_compliance::Digest;
use mltrainer_types::catalogue::Task;
use mltrainer_types::data::DatasetKind;
use mltrainer_types::trial::{DatasetRef, ModelSpec, Target, TrialRequest, TrialSpec, Validation};
use serde_json::Value;
use thiserror::Error;

/// The family whose entries are the naive baselines.
pub const BASELINE_FAMILY: &str = "baseline";
/// Most symbols of a trial.
pub const MAX_SYMBOLS: usize = 20;
/// Most horizons of a trial.
pub const MAX_HORIZONS: usize = 10;
/// Longest horizon, in bars.
pub const MAX_HORIZON: u32 = 250;
/// Most models of a trial, baselines not counted.
pub const MAX_MODELS: usize = 50;
/// Most folds.
pub const MAX_FOLDS: u32 = 50;
/// Most steps (models x horizons x folds) of a trial.
pub const MAX_STEPS: usize = 5_000;
/// Fewest bars of a symbol.
pub const MIN_BARS: u64 = 20;
/// Longest embargo and rolling window, in days.
const MAX_DAYS: u32 = 10_000;
/// Longest goal, in characters.
const MAX_GOAL: usize = 2_000;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct SpecError {
    /// The field that is wrong.
    pub field: String,
    /// What, where and what to do, in one sentence.
    pub detail: String,
    /// Nearest names, for an unknown one.
    pub suggestions: Vec<String>,
}

/// What is known of a symbol's data before a trial is made.
#[derive(Debug, Clone, PartialEq)]
pub struct SymbolData {
    /// Symbol.
    pub symbol: String,
    /// Data set, with the hash of its verified bars.
    pub dataset: DatasetRef,
    /// Bars or closes.
    pub kind: DatasetKind,
    /// First day of the data set.
    pub first: NaiveDate,
    /// Last day of the data set.
    pub last: NaiveDate,
    /// Bars between the request's start and end.
    pub rows: u64,
}

fn wrong(field: &str, detail: impl Into<String>) -> SpecError {
    SpecError {
        field: field.to_owned(),
        detail: detail.into(),
        suggestions: Vec::new(),
    }
}

/// The task a model must have for a target.
#[must_use]
pub fn task_of(target: Target) -> Task {
    if target == Target::Direction {
        Task::Classification
    } else {
        Task::Regression
    }
}

/// Checks a request and fills in every default. `data` has one row for each symbol of the request,
/// in the same order.
///
/// Models when none is named: those of the catalogue that learn the target from features, one
/// family after the other in turn, at most twelve. Baselines that can forecast the target are
/// always in, and buy and hold where the target can be traded; they come first.
///
/// # Errors
/// [`SpecError`] naming the first field that is wrong.
pub fn validate(
    request: &TrialRequest,
    registry: &Registry,
    data: &[SymbolData],
) -> Result<TrialSpec, SpecError> {
    let target = request.target.unwrap_or(Target::Return);
    check_symbols(request, data, target)?;
    let horizons = horizons(request)?;
    let features = features(request)?;
    check_validation(&request.validation)?;
    if !(0.0..=1000.0).contains(&request.costs.bps) {
        return Err(wrong(
            "costs.bps",
            format!(
                "costs.bps is {}; give 0 to 1000 basis points",
                request.costs.bps
            ),
        ));
    }
    if request
        .goal
        .as_ref()
        .is_some_and(|g| g.chars().count() > MAX_GOAL)
    {
        return Err(wrong(
            "goal",
            format!("the goal is longer than {} characters", count(MAX_GOAL)),
        ));
    }
    let models = models(request, registry, target)?;
    let folds = match request.validation {
        Validation::HoldOut { .. } => 1,
        Validation::WalkForward { folds, .. } => folds as usize,
    };
    let steps = models.len() * horizons.len() * folds;
    if steps > MAX_STEPS {
        return Err(wrong(
            "models",
            format!(
                "{} models (with baselines) x {} horizons x {folds} folds are {} steps, the most is {}; ask for fewer of one of them",
                models.len(),
                horizons.len(),
                count(steps),
                count(MAX_STEPS)
            ),
        ));
    }
    check_rows(request, data, &horizons)?;
    Ok(TrialSpec {
        symbols: data.iter().map(|d| d.symbol.clone()).collect(),
        datasets: data.iter().map(|d| d.dataset.clone()).collect(),
        start: request.start,
        end: request.end,
        target,
        horizons,
        features,
        models,
        validation: request.validation.clone(),
        costs: request.costs,
        seed: request.seed.unwrap_or(1),
        goal: request.goal.clone(),
    })
}

fn check_symbols(
    request: &TrialRequest,
    data: &[SymbolData],
    target: Target,
) -> Result<(), SpecError> {
    if request.symbols.is_empty() {
        return Err(wrong("symbols", "symbols is empty; name at least one"));
    }
    if request.symbols.len() > MAX_SYMBOLS || request.symbols.len() != data.len() {
        return Err(wrong(
            "symbols",
            format!(
                "{} symbols are asked for; give 1 to {MAX_SYMBOLS}",
                request.symbols.len()
            ),
        ));
    }
    for (i, d) in data.iter().enumerate() {
        if data[..i].iter().any(|e| e.symbol == d.symbol) {
            return Err(wrong("symbols", format!("{} is named twice", d.symbol)));
        }
        if d.kind == DatasetKind::Series {
            return Err(wrong(
                "symbols",
                format!(
                    "{} is a series, not bars; name a stock or an index",
                    d.symbol
                ),
            ));
        }
        if target == Target::Range && d.kind == DatasetKind::Closes {
            return Err(wrong(
                "target",
                format!(
                    "target range needs high and low, and {} has closes only; choose log_volatility or another symbol",
                    d.symbol
                ),
            ));
        }
    }
    if let (Some(start), Some(end)) = (request.start, request.end)
        && start > end
    {
        return Err(wrong(
            "start",
            format!("start {start} is after end {end}; exchange them"),
        ));
    }
    Ok(())
}

fn check_rows(
    request: &TrialRequest,
    data: &[SymbolData],
    horizons: &[u32],
) -> Result<(), SpecError> {
    for d in data {
        if d.rows < MIN_BARS {
            let asked = match (request.start, request.end) {
                (None, None) => String::new(),
                (start, end) => format!(
                    " between {} and {}",
                    start.unwrap_or(d.first),
                    end.unwrap_or(d.last)
                ),
            };
            let field = if request.start.is_none() && request.end.is_some() {
                "end"
            } else if request.start.is_some() {
                "start"
            } else {
                "symbols"
            };
            return Err(wrong(
                field,
                format!(
                    "{} has {} bars{asked}, at least {MIN_BARS} are needed; its data reaches from {} to {}",
                    d.symbol, d.rows, d.first, d.last
                ),
            ));
        }
    }
    // No more distinct days can be usable than there are bars less the horizon.
    let most: u64 = data.iter().map(|d| d.rows).sum();
    for &h in horizons {
        let days = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .saturating_sub(h as usize);
        splits::folds(days, &request.validation, h)
            .map_err(|e| wrong("validation", format!("horizon {h}: {e}")))?;
    }
    Ok(())
}

fn horizons(request: &TrialRequest) -> Result<Vec<u32>, SpecError> {
    if request.horizons.is_empty() {
        return Ok(vec![1]);
    }
    let mut horizons: Vec<u32> = Vec::new();
    for &h in &request.horizons {
        if !(1..=MAX_HORIZON).contains(&h) {
            return Err(wrong(
                "horizons",
                format!("horizon {h} is out of range; give 1 to {MAX_HORIZON} bars"),
            ));
        }
        if !horizons.contains(&h) {
            horizons.push(h);
        }
    }
    if horizons.len() > MAX_HORIZONS {
        return Err(wrong(
            "horizons",
            format!(
                "{} horizons are asked for; give at most {MAX_HORIZONS}",
                horizons.len()
            ),
        ));
    }
    Ok(horizons)
}

fn features(request: &TrialRequest) -> Result<Vec<String>, SpecError> {
    let groups = mltrainer_features::groups();
    if let Some(word) = request
        .features
        .iter()
        .find(|w| !mltrainer_features::is_known(w))
    {
        let ids = mltrainer_features::registry().iter().map(|f| f.id);
        return Err(SpecError {
            field: "features".into(),
            detail: format!(
                "there is no feature group \"{word}\"; there are {}",
                list(&groups)
            ),
            suggestions: suggest::nearest(word, groups.iter().copied().chain(ids)),
        });
    }
    if request.features.is_empty() {
        // Volatility is forecast from past volatility and activity (Corsi 2009); trends of the
        // price drift for years and would be extrapolated.
        let few = matches!(request.target, Some(Target::LogVolatility | Target::Range));
        let wanted = |group: &&str| {
            !few || matches!(*group, "volatility:core" | "volume:core" | "economic:core")
        };
        let groups = mltrainer_features::CORE_GROUPS.into_iter();
        return Ok(groups.filter(wanted).map(str::to_owned).collect());
    }
    // In the order of the registry, each once, whatever the order of the request.
    let mut words: Vec<String> = Vec::new();
    for feature in mltrainer_features::registry() {
        let core = format!("{}:core", feature.group);
        for word in [feature.group, core.as_str(), feature.id] {
            if request.features.iter().any(|w| w == word) && !words.iter().any(|w| w == word) {
                words.push(word.to_owned());
            }
        }
    }
    Ok(words)
}

fn check_validation(validation: &Validation) -> Result<(), SpecError> {
    let range = |field: &str, value: u32, low: u32, high: u32| {
        if (low..=high).contains(&value) {
            Ok(())
        } else {
            Err(wrong(
                &format!("validation.{field}"),
                format!("validation.{field} is {value}; give {low} to {high}"),
            ))
        }
    };
    match *validation {
        Validation::HoldOut {
            test_share,
            embargo,
        } => {
            if !(0.05..=0.5).contains(&test_share) {
                return Err(wrong(
                    "validation.test_share",
                    format!("validation.test_share is {test_share}; give 0.05 to 0.5"),
                ));
            }
            range("embargo", embargo, 0, MAX_DAYS)
        }
        Validation::WalkForward {
            folds,
            embargo,
            window,
        } => {
            range("folds", folds, 1, MAX_FOLDS)?;
            range("embargo", embargo, 0, MAX_DAYS)?;
            window.map_or(Ok(()), |w| {
                range("window", w, splits::MIN_TRAIN_DAYS as u32, MAX_DAYS)
            })
        }
    }
}

/// Whether an entry learns a target of that task from what a trial can feed it.
fn fits(found: &Resolved, task: Task) -> bool {
    let card = found.entry.card;
    // A model of one series follows the quantity as last known.
    if found.entry.track.is_some() && task == Task::Regression {
        return true;
    }
    matches!(found.entry.engine, Engine::Supervised { .. })
        && card.tasks.contains(&task)
        && matches!(card.inputs, Inputs::Features | Inputs::LastKnown)
}

fn is_baseline(found: &Resolved) -> bool {
    found.entry.card.family == BASELINE_FAMILY
}

/// Whether an entry is a baseline of the target: forecasts it, or holds the asset where the target
/// can be traded.
fn baseline_of(found: &Resolved, target: Target) -> bool {
    is_baseline(found)
        && found.preset.is_none()
        && (fits(found, task_of(target))
            || target.is_tradable()
                && matches!(found.entry.engine, Engine::Supervised { .. })
                && found.entry.card.tasks.contains(&Task::Signal))
}

fn models(
    request: &TrialRequest,
    registry: &Registry,
    target: Target,
) -> Result<Vec<ModelSpec>, SpecError> {
    let task = task_of(target);
    let mut models: Vec<ModelSpec> = Vec::new();
    let refused = |id: &str, e: mltrainer_catalogue_core::ParamError| SpecError {
        field: format!("models.{id}.{}", e.field),
        detail: format!("model {id}: {e}"),
        suggestions: e.suggestions,
    };
    for found in registry.all().filter(|r| baseline_of(r, target)) {
        models.push(ModelSpec {
            model: found.id().to_owned(),
            params: found
                .params(&serde_json::Map::new())
                .map_err(|e| refused(found.id(), e))?,
            baseline: true,
        });
    }
    let baselines = models.len();
    let wanted: Vec<(String, serde_json::Map<String, Value>)> = if request.models.is_empty() {
        default_models(registry, task)
            .into_iter()
            .map(|id| (id, serde_json::Map::new()))
            .collect()
    } else {
        request
            .models
            .iter()
            .map(|m| (m.id().to_owned(), m.params()))
            .collect()
    };
    for (id, given) in wanted {
        let Some(found) = registry.find(&id) else {
            let suggestions = registry.nearest(&id);
            return Err(SpecError {
                field: "models".into(),
                detail: if suggestions.is_empty() {
                    format!("there is no model \"{id}\"; the catalogue lists all of them")
                } else {
                    format!(
                        "there is no model \"{id}\"; the nearest are {}",
                        list(&suggestions)
                    )
                },
                suggestions,
            });
        };
        if baseline_of(&found, target) {
            continue;
        }
        if !fits(&found, task) {
            return Err(SpecError {
                field: "models".into(),
                detail: format!(
                    "{id} does not do {}, which target {} needs; choose another model or another target",
                    task.as_str(),
                    target.as_str()
                ),
                suggestions: default_models(registry, task).into_iter().take(3).collect(),
            });
        }
        if target == Target::Range
            && found.entry.track.is_some()
            && step::takes(&found) == Takes::Returns
        {
            return Err(SpecError {
                field: "models".into(),
                detail: format!(
                    "{id} forecasts returns and their variance, which say nothing of target range; choose target log_volatility, return or price"
                ),
                suggestions: default_models(registry, task).into_iter().take(3).collect(),
            });
        }
        let model = ModelSpec {
            params: found.params(&given).map_err(|e| refused(&id, e))?,
            model: id,
            baseline: false,
        };
        if !models.contains(&model) {
            models.push(model);
        }
    }
    if models.len() - baselines > MAX_MODELS {
        return Err(wrong(
            "models",
            format!(
                "{} models are asked for; give at most {MAX_MODELS}",
                models.len() - baselines
            ),
        ));
    }
    Ok(models)
}

/// The models of a request that names none: the catalogue's first choices for the task.
#[must_use]
pub fn default_models(registry: &Registry, task: Task) -> Vec<String> {
    registry
        .all()
        .filter(|m| m.entry.first_choice && m.preset.is_none() && fits(m, task))
        .map(|m| m.id().to_owned())
        .collect()
}

/// Combinations of model and horizon that a trial tries; baselines are not counted.
#[must_use]
pub fn combinations(spec: &TrialSpec) -> u32 {
    let models = spec.models.iter().filter(|m| !m.baseline).count();
    u32::try_from(models * spec.horizons.len()).unwrap_or(u32::MAX)
}

/// A hash of everything that makes one specification another attempt than the other: data, span,
/// target, horizons, features, models, validation, costs and seed, not the order in which they were
/// named, nor the goal.
#[must_use]
pub fn spec_key(spec: &TrialSpec) -> String {
    let mut d = Digest::new();
    let mut sorted = |mut texts: Vec<String>| {
        texts.sort();
        d.int(texts.len() as i64);
        for text in texts {
            d.text(&text);
        }
    };
    sorted(
        spec.datasets
            .iter()
            .map(|r| format!("{} {}", r.id, r.sha256))
            .collect(),
    );
    sorted(spec.horizons.iter().map(u32::to_string).collect());
    sorted(spec.features.clone());
    sorted(spec.models.iter().map(model_text).collect());
    let day = |d: Option<NaiveDate>| d.map_or_else(|| "-".to_owned(), |d| d.to_string());
    d.text(&day(spec.start)).text(&day(spec.end));
    d.text(spec.target.as_str());
    d.text(&validation_text(&spec.validation));
    d.float(spec.costs.bps).int(spec.seed as i64);
    d.finish()
}

/// A model with its parameters, the names in alphabetical order.
pub(crate) fn model_text(model: &ModelSpec) -> String {
    let mut params: Vec<String> = model
        .params
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    params.sort();
    format!("{} {}", model.model, params.join(" "))
}

/// The validation in words.
#[must_use]
pub fn validation_text(validation: &Validation) -> String {
    match *validation {
        Validation::HoldOut {
            test_share,
            embargo,
        } => format!(
            "hold-out of the last {} % of the days, embargo {embargo}",
            100.0 * test_share
        ),
        Validation::WalkForward {
            folds,
            embargo,
            window: None,
        } => format!("{folds} expanding folds, embargo {embargo}"),
        Validation::WalkForward {
            folds,
            embargo,
            window: Some(w),
        } => format!("{folds} rolling folds of {w} days, embargo {embargo}"),
    }
}
