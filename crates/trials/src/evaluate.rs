//! From finished steps to leaderboard, verdict and hash. Nothing is fitted here, and nothing depends
//! on the order in which steps ended, on threads, or on the clock.

use crate::port::{Predictions, StepRecord};
use crate::spec::{combinations, model_text, validation_text};
use crate::words::{count, figure, list, many, p_value, percent};
use chrono::{Datelike, NaiveDate};
use mltrainer_backtest::bootstrap::{self, DaySums};
use mltrainer_backtest::compare::{diebold_mariano, holm};
use mltrainer_backtest::metrics::{self, Forecasts};
use mltrainer_backtest::trading;
use mltrainer_catalogue_core::Registry;
use mltrainer_compliance::{Content, Digest};
use mltrainer_types::trial::{LeaderboardRow, Metrics, ModelSpec, Target, TrialSpec, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Adjusted p-value below which a model is said to beat the baseline.
pub const SIGNIFICANCE: f64 = 0.05;

/// One model and horizon over all its finished folds, not yet compared with the others.
#[derive(Debug, Clone)]
pub struct Scored {
    model: usize,
    horizon: usize,
    complete: bool,
    row: LeaderboardRow,
    /// Mean loss of each test day, ascending; empty for a model without forecast.
    losses: Vec<(NaiveDate, f64)>,
    /// Mean of all losses.
    loss: Option<f64>,
}

/// The title of a model for people.
#[must_use]
pub fn title(registry: &Registry, model: &ModelSpec) -> String {
    registry
        .find(&model.model)
        .map_or_else(|| model.model.clone(), |r| r.title().to_owned())
}

/// Scores one model and horizon from its steps, which may come in any order and need not be all.
#[must_use]
pub fn score(
    spec: &TrialSpec,
    registry: &Registry,
    model: usize,
    horizon: usize,
    steps: &[&StepRecord],
) -> Scored {
    let mut steps = steps.to_vec();
    steps.sort_by_key(|s| s.fold);
    let done: Vec<&StepRecord> = steps
        .iter()
        .copied()
        .filter(|s| s.error.is_none())
        .collect();
    let all = joined(&done);
    let forecast: &[f64] = if spec.target == Target::Direction {
        &all.probability
    } else {
        &all.predicted
    };
    let states_forecast = all.position.is_empty() && !all.is_empty();
    let f = Forecasts {
        target: spec.target,
        predicted: if states_forecast { forecast } else { &[] },
        actual: if states_forecast { &all.actual } else { &[] },
        known: if states_forecast { &all.known } else { &[] },
    };
    let figures = metrics::all(&f);
    let bars = spec.horizons[horizon];
    let days = day_sums(&all.day, &f);
    let block = bootstrap::block_length(days.len(), bars as usize);
    let sums: Vec<DaySums> = days.iter().map(|(_, s)| *s).collect();
    let mut intervals = bootstrap::forecast_intervals(&sums, block, spec.seed);
    let mut trading = Metrics::new();
    if spec.target.is_tradable() && !all.is_empty() {
        let daily = trade(spec, bars as usize, &all);
        trading = trading::figures(&daily.net, &daily.exposure, &daily.traded);
        let block = bootstrap::block_length(daily.net.len(), bars as usize);
        let [sharpe] = bootstrap::intervals(daily.net.len(), block, spec.seed, |sample| {
            let picked: Vec<f64> = sample.iter().map(|&i| daily.net[i as usize]).collect();
            [trading::sharpe(&picked)]
        });
        intervals.extend(sharpe.map(|i| ("sharpe".to_owned(), i)));
    }
    let m = &spec.models[model];
    let folds = steps.first().map_or(0, |s| s.folds);
    Scored {
        model,
        horizon,
        complete: !done.is_empty() && done.len() == folds as usize,
        losses: days
            .iter()
            .map(|(day, s)| (*day, s.squared / s.rows))
            .collect(),
        loss: figures.get("mse").copied().flatten(),
        row: LeaderboardRow {
            model: m.model.clone(),
            title: title(registry, m),
            params: m.params.clone(),
            horizon: bars,
            is_baseline: m.baseline,
            grade: metrics::grade(spec.target, &figures).map(str::to_owned),
            metrics: figures,
            intervals,
            baseline: Metrics::new(),
            baseline_model: String::new(),
            beats_baseline: false,
            p_value: None,
            p_value_adjusted: None,
            trading,
            rows: all.len() as u32,
            folds_done: done.len() as u32,
            errors: steps
                .iter()
                .filter_map(|s| Some(format!("fold {}: {}", s.fold, s.error.as_ref()?)))
                .collect(),
        },
    }
}

/// The rows of several steps, one step after the other.
#[must_use]
pub fn joined(steps: &[&StepRecord]) -> Predictions {
    let mut all = Predictions::default();
    for p in steps.iter().map(|s| &s.predictions) {
        all.symbol.extend(&p.symbol);
        all.day.extend(&p.day);
        all.predicted.extend(&p.predicted);
        all.actual.extend(&p.actual);
        all.known.extend(&p.known);
        all.next_return.extend(&p.next_return);
        all.probability.extend(&p.probability);
        all.position.extend(&p.position);
    }
    all
}

/// Sums of each day; rows of a day stand together.
fn day_sums(days: &[NaiveDate], f: &Forecasts<'_>) -> Vec<(NaiveDate, DaySums)> {
    let n = f.actual.len();
    // Sums of squares about the mean of all: no digits are lost to a common level.
    let centre = f.actual.iter().sum::<f64>() / n as f64;
    let hits = metrics::hits(f);
    let mut out: Vec<(NaiveDate, DaySums)> = Vec::new();
    for row in 0..n {
        if out.last().is_none_or(|(day, _)| *day != days[row]) {
            out.push((days[row], DaySums::default()));
        }
        let Some((_, s)) = out.last_mut() else {
            continue;
        };
        let error = f.predicted[row] - f.actual[row];
        let actual = f.actual[row] - centre;
        s.rows += 1.0;
        s.squared += error * error;
        s.absolute += error.abs();
        s.actual += actual;
        s.actual_squared += actual * actual;
        if let Some(hit) = hits[row] {
            s.hits += hit;
            s.directed += 1.0;
        }
    }
    out
}

/// Trading on the forecasts of one symbol: `rows` are its rows in the order of their days. One value
/// a row.
#[must_use]
pub fn path(spec: &TrialSpec, horizon: usize, all: &Predictions, rows: &[usize]) -> trading::Path {
    let position: Vec<f64> = if all.position.is_empty() {
        let signals: Vec<f64> = rows.iter().map(|&r| signal(spec.target, all, r)).collect();
        trading::positions(&signals, horizon)
    } else {
        rows.iter().map(|&r| all.position[r]).collect()
    };
    let next: Vec<f64> = rows.iter().map(|&r| all.next_return[r]).collect();
    trading::path(&position, &next, spec.costs.bps)
}

/// Returns of one capital spread evenly over the symbols that have a forecast on the day.
#[derive(Debug, Default)]
struct Daily {
    net: Vec<f64>,
    exposure: Vec<f64>,
    traded: Vec<f64>,
}

fn trade(spec: &TrialSpec, horizon: usize, all: &Predictions) -> Daily {
    let mut by_day: BTreeMap<NaiveDate, [f64; 4]> = BTreeMap::new();
    for symbol in 0..spec.symbols.len() as u32 {
        let rows: Vec<usize> = (0..all.len())
            .filter(|&r| all.symbol[r] == symbol)
            .collect();
        let path = path(spec, horizon, all, &rows);
        for (i, &r) in rows.iter().enumerate() {
            let day = by_day.entry(all.day[r]).or_default();
            day[0] += path.net[i];
            day[1] += path.position[i].abs();
            day[2] += path.traded[i];
            day[3] += 1.0;
        }
    }
    let mut daily = Daily::default();
    for [net, exposure, traded, symbols] in by_day.into_values() {
        daily.net.push(net / symbols);
        daily.exposure.push(exposure / symbols);
        daily.traded.push(traded / symbols);
    }
    daily
}

/// Long when a rise is forecast, short when a fall is, out of the market otherwise.
fn signal(target: Target, all: &Predictions, row: usize) -> f64 {
    let change = match target {
        Target::Direction => all.probability[row] - 0.5,
        Target::Price => all.predicted[row] - all.known[row],
        _ => all.predicted[row],
    };
    if change == 0.0 { 0.0 } else { change.signum() }
}

/// Share of the baseline's mean loss up to which differences of losses are rounding.
const ROUNDING: f64 = 1e-9;

/// The leaderboard: every row beside the best baseline of its horizon, best first.
///
/// The loss is the squared error (for direction of the probability: the Brier score). The best
/// baseline is the one with the lowest mean loss among those that forecast every fold. Rows are in
/// the order of their loss as a share of the baseline's, so that horizons can be compared; those
/// without forecast come last.
#[must_use]
pub fn leaderboard(spec: &TrialSpec, scored: &[Scored]) -> Vec<LeaderboardRow> {
    let mut rows: Vec<(f64, usize, usize, LeaderboardRow)> = Vec::new();
    let mut tested: Vec<(usize, f64)> = Vec::new();
    for s in scored {
        let baseline = scored
            .iter()
            .filter(|b| b.horizon == s.horizon && b.row.is_baseline && b.complete)
            .filter_map(|b| Some((b.loss?, b)))
            .min_by(|(x, a), (y, b)| x.total_cmp(y).then(a.model.cmp(&b.model)));
        let mut row = s.row.clone();
        let mut rank = s.loss.unwrap_or(f64::INFINITY);
        if let Some((loss, b)) = baseline {
            row.baseline = b.row.metrics.clone();
            row.baseline_model = b.row.model.clone();
            if loss > 0.0 {
                rank /= loss;
            }
            if !s.row.is_baseline {
                let difference = differences(&s.losses, &b.losses);
                let bars = spec.horizons[s.horizon] as usize;
                // A model that gives the baseline's own forecasts differs from it by rounding alone, which
                // must not be tested: it may have one sign on every day.
                let largest = difference.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
                if largest > ROUNDING * loss {
                    row.p_value = diebold_mariano(&difference, bars).map(|dm| dm.p_value);
                }
                if let Some(p) = row.p_value {
                    tested.push((rows.len(), p));
                }
            }
        }
        rows.push((rank, s.horizon, s.model, row));
    }
    let p: Vec<f64> = tested.iter().map(|(_, p)| *p).collect();
    for ((place, _), adjusted) in tested.iter().zip(holm(&p)) {
        let row = &mut rows[*place].3;
        let complete = scored[*place].complete;
        let lower =
            row.metrics.get("mse").copied().flatten() < row.baseline.get("mse").copied().flatten();
        row.p_value_adjusted = Some(adjusted);
        row.beats_baseline = adjusted < SIGNIFICANCE && lower && complete;
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    rows.into_iter().map(|(_, _, _, row)| row).collect()
}

/// Differences of the daily losses on the days that both have.
fn differences(a: &[(NaiveDate, f64)], b: &[(NaiveDate, f64)]) -> Vec<f64> {
    let mut out = Vec::with_capacity(a.len());
    let mut rest = b.iter().peekable();
    for (day, loss) in a {
        while rest.peek().is_some_and(|(other, _)| other < day) {
            rest.next();
        }
        if let Some((_, other)) = rest.peek().filter(|(other, _)| other == day) {
            out.push(loss - other);
        }
    }
    out
}

/// What is left of a step when its forecasts have been scored.
#[derive(Debug, Clone, PartialEq)]
pub struct StepSummary {
    index: u32,
    model: String,
    horizon: u32,
    error: Option<String>,
    /// What its fits said of themselves.
    notes: Vec<String>,
    /// First and last day of its forecasts.
    span: Option<(NaiveDate, NaiveDate)>,
    /// Hash over its forecasts, bit by bit.
    sha256: String,
}

impl StepSummary {
    /// The summary of a finished step.
    #[must_use]
    pub fn of(step: &StepRecord) -> Self {
        let p = &step.predictions;
        let mut d = Digest::new();
        d.text("step").int(p.len() as i64);
        d.text(step.error.as_deref().unwrap_or(""));
        for (symbol, day) in p.symbol.iter().zip(&p.day) {
            d.int(i64::from(*symbol))
                .int(i64::from(day.num_days_from_ce()));
        }
        for column in p.columns() {
            d.floats(column);
        }
        Self {
            index: step.index,
            model: step.model.clone(),
            horizon: step.horizon,
            error: step.error.clone(),
            notes: step.notes.clone(),
            span: p.day.first().copied().zip(p.day.last().copied()),
            sha256: d.finish(),
        }
    }
}

/// Leaderboard and predictions: what `result_sha256` covers, and nothing else (no times, no count of
/// what was tried elsewhere).
#[derive(Debug)]
pub struct Outcome<'a> {
    /// Best first.
    pub leaderboard: &'a [LeaderboardRow],
    /// Every step, by index.
    pub steps: &'a [StepSummary],
}

impl Content for Outcome<'_> {
    fn digest(&self, d: &mut Digest) {
        let figures = |d: &mut Digest, m: &Metrics| {
            d.int(m.len() as i64);
            for (name, value) in m {
                d.text(name).float(value.unwrap_or(f64::NAN));
            }
        };
        d.text("result").int(self.leaderboard.len() as i64);
        for row in self.leaderboard {
            d.text(&model_text(&ModelSpec {
                model: row.model.clone(),
                params: row.params.clone(),
                baseline: row.is_baseline,
            }));
            d.int(i64::from(row.horizon))
                .int(i64::from(row.is_baseline));
            figures(d, &row.metrics);
            figures(d, &row.baseline);
            figures(d, &row.trading);
            d.int(row.intervals.len() as i64);
            for (name, i) in &row.intervals {
                d.text(name).float(i.low).float(i.high).float(i.level);
            }
            d.text(&row.baseline_model)
                .int(i64::from(row.beats_baseline));
            d.float(row.p_value.unwrap_or(f64::NAN));
            d.float(row.p_value_adjusted.unwrap_or(f64::NAN));
            d.text(row.grade.as_deref().unwrap_or(""));
            d.int(i64::from(row.rows)).int(i64::from(row.folds_done));
            d.int(row.errors.len() as i64);
            for error in &row.errors {
                d.text(error);
            }
        }
        d.int(self.steps.len() as i64);
        for step in self.steps {
            d.int(i64::from(step.index)).text(&step.sha256);
        }
    }
}

/// What was found, in words. `tried_ever` is the count over every trial on these symbols and target.
#[must_use]
pub fn verdict(
    spec: &TrialSpec,
    leaderboard: &[LeaderboardRow],
    steps: &[StepSummary],
    tried_ever: u32,
) -> Verdict {
    let tried = combinations(spec);
    let tried_ever = tried_ever.max(tried);
    let found_edge = leaderboard.iter().any(|r| r.beats_baseline);
    let models: Vec<&LeaderboardRow> = leaderboard.iter().filter(|r| !r.is_baseline).collect();
    let best = models
        .iter()
        .find(|r| r.beats_baseline)
        .or_else(|| models.iter().find(|r| figure_of(r, "mse").is_some()))
        .copied();
    let mut text = match best {
        None if models.is_empty() => {
            "No edge found: only baselines were run, there was nothing to compare with them."
                .to_owned()
        }
        None => format!(
            "No edge found: none of the {} could forecast any test window; the leaderboard says why.",
            many(models.len(), "model")
        ),
        Some(row) => {
            let baseline = leaderboard
                .iter()
                .find(|b| b.is_baseline && b.model == row.baseline_model)
                .map_or_else(String::new, |b| {
                    format!("{} ({})", b.title.to_lowercase(), b.model)
                });
            finding(spec, row, &models, &baseline, found_edge)
        }
    };
    if let Some(row) = best {
        text.push_str(&trading_words(spec, row, leaderboard, found_edge));
    }
    text.push_str(&basis(spec, best.or_else(|| leaderboard.first()), steps));
    text.push_str(&format!(
        " In this trial {} of model and horizon {} tried; ever on these symbols and this target, {}.",
        many(tried as usize, "combination"),
        if tried == 1 { "was" } else { "were" },
        count(tried_ever)
    ));
    Verdict {
        found_edge,
        text,
        best_model: best.map(|r| format!("{} over {}", r.model, many(r.horizon as usize, "bar"))),
        tried,
        tried_ever,
        notes: notes(spec, leaderboard, steps),
    }
}

fn figure_of(row: &LeaderboardRow, name: &str) -> Option<f64> {
    row.metrics.get(name).copied().flatten()
}

/// What is forecast, in words; over any of the horizons when none is named.
fn what(spec: &TrialSpec, horizon: Option<u32>) -> String {
    let thing = match spec.target {
        Target::Return => "return",
        Target::Direction => "direction",
        Target::LogVolatility => "log volatility",
        Target::Range => "log range",
        Target::Price => "price",
    };
    let over = match horizon {
        None => "any of the horizons asked for".to_owned(),
        Some(1) => "the next bar".to_owned(),
        Some(h) => format!("the next {h} bars"),
    };
    let symbols = match spec.symbols.as_slice() {
        few @ ([] | [_] | [_, _] | [_, _, _]) => list(few),
        all => format!("the {} symbols", all.len()),
    };
    format!("the {thing} of {symbols} over {over}")
}

/// The error that is compared, in words.
fn error_words(spec: &TrialSpec, model: f64, baseline: f64) -> String {
    if spec.target == Target::Direction {
        format!(
            "a Brier score of {} against {}",
            figure(model),
            figure(baseline)
        )
    } else {
        let (m, b) = (model.sqrt(), baseline.sqrt());
        format!("an RMSE of {} against {}", figure(m), figure(b))
    }
}

fn finding(
    spec: &TrialSpec,
    row: &LeaderboardRow,
    models: &[&LeaderboardRow],
    baseline: &str,
    found_edge: bool,
) -> String {
    let (mse, base) = (
        figure_of(row, "mse").unwrap_or(f64::NAN),
        row.baseline.get("mse").copied().flatten(),
    );
    let Some(base) = base else {
        return format!(
            "No edge found: no baseline could forecast {}, so there is nothing to compare {} with.",
            what(spec, Some(row.horizon)),
            row.title
        );
    };
    let errors = error_words(spec, mse, base);
    let winners: Vec<&&LeaderboardRow> = models.iter().filter(|r| r.beats_baseline).collect();
    if found_edge {
        let p = row.p_value_adjusted.unwrap_or(1.0);
        let others = if winners.len() > 1 {
            format!(
                " ({} of {} rows beat their baseline)",
                winners.len(),
                models.len()
            )
        } else {
            String::new()
        };
        return format!(
            "Edge found: {} forecasts {} better than the best naive forecast, {}: {errors}, a squared error lower by {} ({} after Holm's correction for {}){others}.",
            row.title,
            what(spec, Some(row.horizon)),
            baseline,
            percent(1.0 - mse / base),
            p_value(p),
            many(models.len(), "comparison"),
        );
    }
    let certainty = match (row.p_value_adjusted, mse < base) {
        (_, false) => "which is no better".to_owned(),
        (Some(p), true) => format!(
            "which may be luck ({} after Holm's correction for {})",
            p_value(p),
            many(models.len(), "comparison")
        ),
        (None, true) => "a difference that could not be tested".to_owned(),
    };
    format!(
        "No edge found: no model forecasts {} reliably better than the best naive forecast, {}. The best of {}, {}, had {errors}, {certainty}.",
        what(spec, Some(row.horizon).filter(|_| spec.horizons.len() == 1)),
        baseline,
        many(models.len(), "row"),
        row.title,
    )
}

fn trading_words(
    spec: &TrialSpec,
    row: &LeaderboardRow,
    leaderboard: &[LeaderboardRow],
    found_edge: bool,
) -> String {
    let of = |r: &LeaderboardRow, name: &str| r.trading.get(name).copied().flatten();
    let Some(gain) = of(row, "annual_return") else {
        return String::new();
    };
    let sharpe = |r: &LeaderboardRow| {
        of(r, "sharpe").map_or_else(String::new, |s| format!(" (Sharpe ratio {s:.2})"))
    };
    let mut text = format!(
        " Trading on its sign after costs of {} basis points a side gave {} a year{}",
        spec.costs.bps,
        percent(gain),
        sharpe(row)
    );
    let holding = leaderboard
        .iter()
        .find(|r| r.is_baseline && r.horizon == row.horizon && figure_of(r, "mse").is_none());
    if let Some((held, r)) = holding.and_then(|r| Some((of(r, "annual_return")?, r))) {
        text.push_str(&format!(
            "; {} gave {} a year{}",
            r.title.to_lowercase(),
            percent(held),
            sharpe(r)
        ));
        if found_edge && gain <= held {
            text.push_str(": a better forecast, but no better way to make money");
        }
    }
    text.push('.');
    text
}

fn basis(spec: &TrialSpec, row: Option<&LeaderboardRow>, steps: &[StepSummary]) -> String {
    let Some(row) = row else {
        return String::new();
    };
    let spans = || {
        steps
            .iter()
            .filter(|s| s.horizon == row.horizon)
            .filter_map(|s| s.span)
    };
    let first = spans().map(|(first, _)| first).min();
    let span = first.zip(spans().map(|(_, last)| last).max());
    let span = span.map_or_else(String::new, |(a, b)| format!(" from {a} to {b}"));
    format!(
        " This rests on {} in {}{span} ({}), each made by a model that had seen earlier days only.",
        many(row.rows as usize, "forecast"),
        many(row.folds_done as usize, "test window"),
        validation_text(&spec.validation)
    )
}

fn notes(spec: &TrialSpec, leaderboard: &[LeaderboardRow], steps: &[StepSummary]) -> Vec<String> {
    let mut notes = vec![
        "p-values: one-sided Diebold-Mariano test of the daily losses (Newey-West variance, small-sample correction of Harvey, Leybourne and Newbold), corrected after Holm for all rows of this trial; they know nothing of other trials".to_owned(),
        format!(
            "intervals: stationary bootstrap of days, {} resamples, {:.0} % coverage, seed {}",
            bootstrap::RESAMPLES,
            100.0 * bootstrap::LEVEL,
            spec.seed
        ),
        "scaling and selection of features, and scaling of the target, are fitted on each training window alone".to_owned(),
    ];
    if spec.target.is_tradable() {
        notes.push(format!(
            "trading: long when a rise is forecast, short when a fall is, from close to close; with a horizon of h bars the mean of the last h signals; {} basis points on every change of position; no interest, borrowing fees, taxes or market impact",
            spec.costs.bps
        ));
    }
    let failed: Vec<&StepSummary> = steps.iter().filter(|s| s.error.is_some()).collect();
    if !failed.is_empty() {
        let mut models: Vec<&str> = failed.iter().map(|s| s.model.as_str()).collect();
        models.sort_unstable();
        models.dedup();
        notes.push(format!(
            "{} failed ({}); a model with a failed fold cannot beat a baseline",
            many(failed.len(), "step"),
            list(&models)
        ));
    }
    let baselines = leaderboard.iter().filter(|r| r.is_baseline);
    let baselines = baselines.map(|r| r.model.as_str()).collect();
    notes.extend(said_of_fits(&baselines, steps));
    if leaderboard.iter().any(|r| {
        !r.is_baseline && r.metrics.get("mse").copied().flatten().is_some() && r.p_value.is_none()
    }) {
        notes.push("a row without p-value: its losses do not differ from the baseline's, or there are too few days".to_owned());
    }
    notes
}

/// What the fits of models said of themselves, such as a search that did not end on a maximum: each sentence once, with
/// the models and the number of their steps that said it. A trial of many models says much: the rest is counted. A
/// baseline has nothing to say: it looks at the last known value only.
fn said_of_fits(baselines: &BTreeSet<&str>, steps: &[StepSummary]) -> Vec<String> {
    const MOST: usize = 20;
    const NAMED: usize = 3;
    let mut of_model: BTreeMap<&str, usize> = BTreeMap::new();
    let mut said: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for step in steps
        .iter()
        .filter(|s| !baselines.contains(s.model.as_str()))
    {
        *of_model.entry(&step.model).or_default() += 1;
        for note in &step.notes {
            *said
                .entry(note)
                .or_default()
                .entry(&step.model)
                .or_default() += 1;
        }
    }
    let sentence = |(note, by): (&&str, &BTreeMap<&str, usize>)| {
        let mut who: Vec<String> = by
            .iter()
            .take(NAMED)
            .map(|(model, times)| {
                let all = of_model.get(model).copied().unwrap_or_default();
                format!("{model} in {times} of {}", many(all, "step"))
            })
            .collect();
        if by.len() > NAMED {
            who.push(format!("and {} more", many(by.len() - NAMED, "model")));
        }
        format!("{}: {note}", who.join(", "))
    };
    let mut sentences: Vec<String> = said.iter().take(MOST).map(sentence).collect();
    if said.len() > MOST {
        sentences.push(format!(
            "and {} more, kept with the steps",
            many(said.len() - MOST, "note")
        ));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(index: u32, model: &str, notes: &[&str]) -> StepSummary {
        StepSummary {
            index,
            model: model.to_owned(),
            horizon: 1,
            error: None,
            notes: notes.iter().map(|n| (*n).to_owned()).collect(),
            span: None,
            sha256: String::new(),
        }
    }

    #[test]
    fn what_a_fit_said_reaches_the_verdict() {
        let unsure = "IBM: the search did not end on a maximum";
        let steps = [
            step(0, "garch", &[unsure]),
            step(1, "garch", &[]),
            step(2, "garch", &[unsure, "MSFT: another"]),
            step(3, "ridge", &[]),
            step(4, "naive_mean", &["of features it does not look at"]),
        ];
        let baselines = BTreeSet::from(["naive_mean"]);
        assert_eq!(
            said_of_fits(&baselines, &steps),
            [
                "garch in 2 of 3 steps: IBM: the search did not end on a maximum",
                "garch in 1 of 3 steps: MSFT: another",
            ]
        );
        assert!(said_of_fits(&baselines, &steps[3..]).is_empty());
        let alike: Vec<StepSummary> = (0..)
            .zip(["knn", "lasso", "ridge", "svr", "huber"])
            .map(|(k, model)| step(k, model, &["left out: a"]))
            .collect();
        assert_eq!(
            said_of_fits(&baselines, &alike),
            [
                "huber in 1 of 1 step, knn in 1 of 1 step, lasso in 1 of 1 step, and 2 models more: left out: a"
            ]
        );
        let many: Vec<String> = (0..23).map(|k| format!("note {k}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let sentences = said_of_fits(&baselines, &[step(0, "knn", &many)]);
        assert_eq!(sentences.len(), 21);
        assert_eq!(sentences[20], "and 3 notes more, kept with the steps");
    }
}
