//! Learning from finished trials: which models to try next, and what such proposals are worth.
//!
//! What: each finished trial leaves a record of every model: the traits of its data before the first forecast, the
//! skill against the naive forecast out of sample, the time. For a new trial the records of the same target are
//! weighted by the likeness of traits and horizon, and the models ranked by their weighted mean skill.
//! Formula: likeness w = exp(-d²/2), d² = the mean over the traits of squared differences in standard deviations of the
//! known trials, plus the squared difference of the logarithms of the horizons; expected skill = Σ w s / (1 + Σ w), so
//! that few or unlike records say little.
//! Measured: each trial with at least two models is asked which one would have been proposed from the records of
//! earlier trials that share no symbol with it; its skill there beside that of the program's first choice and the
//! mean of all. Records of the same symbols would know the test days.
//! Fails when: a symbol is unknown or has too few bars.
//! Not claimed: that a proposal is good. It is where to begin; the trial judges, and counts everything that was tried.

use crate::actions::shown_percent;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_backtest::splits;
use mltrainer_trials::spec::{MAX_SYMBOLS, default_models};
use mltrainer_types::TrialId;
use mltrainer_types::catalogue::Task;
use mltrainer_types::learning::{
    Experience, Learning, Proposal, ProposedModel, SkillDifference, Standing, Traits,
};
use mltrainer_types::trial::{Metrics, Target, TrialView, Validation};
use std::collections::{BTreeMap, BTreeSet};

/// Trials that are learned from at one look.
const AT_ONCE: u32 = 50;

/// Models that are proposed.
const PROPOSED: usize = 5;

/// Records that are shown.
const NEWEST: usize = 100;

/// Bars that traits need at least.
const BARS: usize = 60;

/// Bars a year and a month.
const YEAR: f64 = 252.0;
const MONTH: usize = 21;

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let m = mean(values);
    let n = values.len() as f64;
    (values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / n).sqrt()
}

/// Autocorrelation of one bar; zero of what does not vary.
fn lagged(values: &[f64]) -> f64 {
    let m = mean(values);
    let whole: f64 = values.iter().map(|v| (v - m).powi(2)).sum();
    let pairs: f64 = values.windows(2).map(|p| (p[0] - m) * (p[1] - m)).sum();
    if whole > 0.0 { pairs / whole } else { 0.0 }
}

/// Hill's estimate from the largest twentieth of absolute values: k over the sum of the logarithms of the k largest
/// over the next one (Hill, Ann. Statist. 3, 1975).
fn hill(absolute: &[f64]) -> f64 {
    let mut sorted = absolute.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let k = (sorted.len() / 20).max(1);
    let Some(&edge) = sorted.get(k).filter(|e| **e > 0.0) else {
        return 0.0;
    };
    let sum: f64 = sorted[..k].iter().map(|x| (x / edge).ln()).sum();
    if sum > 0.0 { k as f64 / sum } else { 0.0 }
}

/// Traits of one symbol's closes; `None` for too few of them.
fn traits(closes: &[f64], before: NaiveDate) -> Option<Traits> {
    if closes.len() < BARS || closes.iter().any(|c| *c <= 0.0) {
        return None;
    }
    let returns: Vec<f64> = closes.windows(2).map(|p| (p[1] / p[0]).ln()).collect();
    let absolute: Vec<f64> = returns.iter().map(|r| r.abs()).collect();
    let sd = deviation(&returns);
    let months: Vec<f64> = returns.rchunks_exact(MONTH).map(deviation).collect();
    let last = months.first().copied().unwrap_or_default();
    let below = months.iter().filter(|v| **v < last).count() as f64;
    Some(Traits {
        before,
        bars: closes.len() as f64,
        volatility: sd * YEAR.sqrt(),
        autocorrelation: lagged(&returns),
        clustering: lagged(&absolute),
        tail_index: hill(&absolute),
        signal_to_noise: if sd > 0.0 {
            (mean(&returns) / sd).abs() * YEAR.sqrt()
        } else {
            0.0
        },
        regime: below / months.len() as f64,
    })
}

/// The mean of several symbols' traits.
fn pooled(all: &[Traits]) -> Option<Traits> {
    let first = all.first()?;
    let of = |f: fn(&Traits) -> f64| all.iter().map(f).sum::<f64>() / all.len() as f64;
    Some(Traits {
        before: first.before,
        bars: of(|t| t.bars),
        volatility: of(|t| t.volatility),
        autocorrelation: of(|t| t.autocorrelation),
        clustering: of(|t| t.clustering),
        tail_index: of(|t| t.tail_index),
        signal_to_noise: of(|t| t.signal_to_noise),
        regime: of(|t| t.regime),
    })
}

/// The traits as a point; what spans orders of magnitude by its logarithm.
fn point(t: &Traits) -> [f64; 7] {
    [
        t.bars.max(1.0).ln(),
        t.volatility.max(1e-6).ln(),
        t.autocorrelation,
        t.clustering,
        t.tail_index,
        t.signal_to_noise,
        t.regime,
    ]
}

/// Spread of each trait over the known trials, each counted once; one where nothing varies.
fn spreads<'a>(records: impl Iterator<Item = &'a Experience>) -> [f64; 7] {
    let mut points: BTreeMap<&str, [f64; 7]> = BTreeMap::new();
    for r in records {
        points
            .entry(r.trial.as_str())
            .or_insert_with(|| point(&r.traits));
    }
    std::array::from_fn(|i| {
        let values: Vec<f64> = points.values().map(|p| p[i]).collect();
        let sd = if values.is_empty() {
            0.0
        } else {
            deviation(&values)
        };
        if sd > 1e-9 { sd } else { 1.0 }
    })
}

/// How alike a record is to what is asked about, in (0, 1].
fn likeness(r: &Experience, traits: &Traits, horizon: u32, spread: &[f64; 7]) -> f64 {
    let (a, b) = (point(&r.traits), point(traits));
    let squares = (0..7)
        .map(|i| ((a[i] - b[i]) / spread[i]).powi(2))
        .sum::<f64>()
        / 7.0;
    let bars = (f64::from(r.horizon) / f64::from(horizon.max(1))).ln();
    (-(squares + bars * bars) / 2.0).exp()
}

/// A model with what the records say of it.
#[derive(Debug, Clone)]
struct Said<'a> {
    model: &'a str,
    skill: f64,
    weight: f64,
    records: Vec<(f64, &'a Experience)>,
}

/// The models that the records know, best first.
fn ranked<'a>(records: &[&'a Experience], traits: &Traits, horizon: u32) -> Vec<Said<'a>> {
    let spread = spreads(records.iter().copied());
    let mut by_model: BTreeMap<&str, Vec<(f64, &Experience)>> = BTreeMap::new();
    for r in records {
        let w = likeness(r, traits, horizon, &spread);
        by_model.entry(r.model.as_str()).or_default().push((w, r));
    }
    let mut all: Vec<Said<'_>> = by_model
        .into_iter()
        .map(|(model, records)| {
            let weight: f64 = records.iter().map(|(w, _)| w).sum();
            let sum: f64 = records.iter().map(|(w, r)| w * r.skill).sum();
            Said {
                model,
                skill: sum / (1.0 + weight),
                weight,
                records,
            }
        })
        .collect();
    // Equal ones by their name, which the map ordered.
    all.sort_by(|a, b| b.skill.total_cmp(&a.skill));
    all
}

fn counted(n: usize, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}

/// A ranked model as it is proposed.
fn proposed(said: &Said<'_>, title: String) -> Option<ProposedModel> {
    let by = |f: fn(&(f64, &Experience)) -> f64| {
        said.records
            .iter()
            .max_by(|a, b| f(a).total_cmp(&f(b)))
            .map(|(_, r)| *r)
    };
    let (best, nearest) = (by(|(w, r)| w * r.skill)?, by(|(w, _)| *w)?);
    let trials: BTreeSet<&str> = said.records.iter().map(|(_, r)| r.trial.as_str()).collect();
    let skills: Vec<f64> = said.records.iter().map(|(_, r)| r.skill).collect();
    let took: Vec<f64> = said.records.iter().map(|(_, r)| r.took_ms).collect();
    let m = mean(&skills);
    let than = if m >= 0.0 { "below" } else { "above" };
    Some(ProposedModel {
        model: said.model.to_owned(),
        title,
        params: best.params.clone(),
        skill: said.skill,
        records: u32::try_from(said.records.len()).unwrap_or(u32::MAX),
        weight: said.weight,
        nearest: nearest.trial.clone(),
        took_ms: mean(&took),
        why: format!(
            "In {} its loss was {} {than} the naive forecast's on average; most alike is the trial of {}, {} ahead.",
            counted(trials.len(), "finished trial"),
            shown_percent(m.abs()),
            nearest.symbols.join(", "),
            counted(nearest.horizon as usize, "bar"),
        ),
    })
}

/// Mean and 95 % interval of paired differences.
fn difference(values: &[f64]) -> SkillDifference {
    let m = mean(values);
    let n = values.len() as f64;
    let half = (values.len() >= 5).then(|| {
        let variance = values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (n - 1.0);
        1.96 * (variance / n).sqrt()
    });
    SkillDifference {
        mean: m,
        low: half.map(|h| m - h),
        high: half.map(|h| m + h),
    }
}

/// What the proposals would have been worth. `first` are the program's first choices for a target, in order.
fn standing(records: &[Experience], first: &dyn Fn(Target) -> Vec<String>) -> Option<Standing> {
    let mut groups: BTreeMap<(&str, u32), Vec<&Experience>> = BTreeMap::new();
    for r in records {
        groups
            .entry((r.trial.as_str(), r.horizon))
            .or_default()
            .push(r);
    }
    let (mut chosen, mut default, mut random) = (Vec::new(), Vec::new(), Vec::new());
    for ((trial, horizon), own) in &groups {
        let Some(one) = own.first().filter(|_| own.len() >= 2) else {
            continue;
        };
        let known: Vec<&Experience> = records
            .iter()
            .filter(|r| {
                r.trial.as_str() < *trial
                    && r.target == one.target
                    && r.symbols.iter().all(|s| !one.symbols.contains(s))
            })
            .collect();
        let ranked = ranked(&known, &one.traits, *horizon);
        let best = ranked
            .iter()
            .find_map(|said| own.iter().find(|r| r.model == said.model));
        let choices = first(one.target);
        let usual = choices
            .iter()
            .find_map(|id| own.iter().find(|r| r.model == *id));
        let (Some(best), Some(usual)) = (best, usual) else {
            continue;
        };
        chosen.push(best.skill);
        default.push(usual.skill);
        random.push(mean(&own.iter().map(|r| r.skill).collect::<Vec<_>>()));
    }
    if chosen.is_empty() {
        return None;
    }
    let minus = |b: &[f64]| chosen.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
    Some(Standing {
        asked: u32::try_from(chosen.len()).unwrap_or(u32::MAX),
        proposed: mean(&chosen),
        default: mean(&default),
        random: mean(&random),
        over_default: difference(&minus(&default)),
        over_random: difference(&minus(&random)),
    })
}

/// What the standing says, in words.
fn worth(standing: Option<&Standing>) -> String {
    let Some(s) = standing else {
        return "What its proposals are worth is not measured yet: that needs earlier trials of other symbols with the same models.".to_owned();
    };
    let beside = |d: &SkillDifference, what: &str| match (d.low, d.high) {
        (Some(low), _) if low > 0.0 => format!("better than {what}"),
        (_, Some(high)) if high < 0.0 => format!("worse than {what}"),
        (Some(_), Some(_)) => format!("not to be told from {what}"),
        _ => format!("too few to compare with {what}"),
    };
    format!(
        "In {} its proposal would have had a mean skill of {}, the first choice {}, a random one {}: {}, {}.",
        counted(s.asked as usize, "trial"),
        shown_percent(s.proposed),
        shown_percent(s.default),
        shown_percent(s.random),
        beside(&s.over_default, "the first choice"),
        beside(&s.over_random, "chance"),
    )
}

impl Services {
    /// What is known from finished trials, and what proposals from it are worth.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn learning(&self) -> Result<Learning, ServiceError> {
        self.learn().await?;
        let records = self.inner.learning.experiences().await?;
        let trials: BTreeSet<&str> = records.iter().map(|r| r.trial.as_str()).collect();
        let standing = standing(&records, &|target| self.first_choices(target));
        Ok(Learning {
            trials: u32::try_from(trials.len()).unwrap_or(u32::MAX),
            records: u32::try_from(records.len()).unwrap_or(u32::MAX),
            sentence: worth(standing.as_ref()),
            standing,
            newest: records.iter().rev().take(NEWEST).cloned().collect(),
        })
    }

    /// Models that finished trials speak for, for a trial of these symbols.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for an unknown symbol, [`ServiceError::Invalid`] for none or a horizon of zero,
    /// [`ServiceError::BadData`] for too few bars.
    pub async fn propose(
        &self,
        symbols: &[String],
        target: Target,
        horizon: u32,
    ) -> Result<Proposal, ServiceError> {
        if !(1..=250).contains(&horizon) {
            return Err(ServiceError::invalid("horizon", "1 to 250 bars"));
        }
        let symbols: Vec<String> = symbols
            .iter()
            .map(|s| s.trim().to_owned())
            .filter(|s| !s.is_empty())
            .collect();
        if symbols.len() > MAX_SYMBOLS {
            return Err(ServiceError::invalid(
                "symbols",
                format!("at most {MAX_SYMBOLS}"),
            ));
        }
        self.learn().await?;
        let mut all = Vec::with_capacity(symbols.len());
        for symbol in &symbols {
            let set = self.dataset_named(symbol).await?;
            let set = self.inner.room.one(set.id.as_str()).await?;
            let bars = self.inner.room.bars(&set).await?;
            let (dates, closes) = (&bars.get().dates, &bars.get().close);
            // What a trial with the standard folds learns from before its first forecast.
            let folds = splits::folds(dates.len(), &Validation::default(), horizon)
                .map_err(|e| ServiceError::BadData(format!("{symbol}: {e}")))?;
            let first = folds.first().map_or(0, |f| f.test.start);
            let before = dates
                .get(first)
                .or(dates.last())
                .copied()
                .unwrap_or_default();
            let known = closes.get(..first).unwrap_or_default();
            all.push(traits(known, before).ok_or_else(|| {
                ServiceError::BadData(format!(
                    "{symbol} has {first} bars before the first forecast of a trial, at least {BARS} are needed"
                ))
            })?);
        }
        let traits =
            pooled(&all).ok_or_else(|| ServiceError::invalid("symbols", "name a symbol"))?;
        let records = self.inner.learning.experiences().await?;
        let same: Vec<&Experience> = records.iter().filter(|r| r.target == target).collect();
        let ranked = ranked(&same, &traits, horizon);
        let entries = self.catalogue();
        let models: Vec<ProposedModel> = ranked
            .iter()
            .filter(|said| said.skill > 0.0)
            .filter_map(|said| {
                let entry = entries.iter().find(|e| e.id == said.model)?;
                proposed(said, entry.title.clone())
            })
            .take(PROPOSED)
            .collect();
        let trials: BTreeSet<&str> = same.iter().map(|r| r.trial.as_str()).collect();
        let sentence = if same.is_empty() {
            format!(
                "No finished trial forecast the {}: the program's first choices are where to begin.",
                target.as_str().replace('_', " ")
            )
        } else if models.is_empty() {
            format!(
                "{} of {} was {}better than the naive forecast where the data were alike.",
                if ranked.len() == 1 {
                    "The one model".to_owned()
                } else {
                    format!("None of the {}", counted(ranked.len(), "model"))
                },
                counted(trials.len(), "trial"),
                if ranked.len() == 1 { "not " } else { "" }
            )
        } else {
            let standing = standing(&records, &|t| self.first_choices(t));
            format!(
                "From {} of {}. {} A proposal is where to begin: the trial judges.",
                counted(same.len(), "record"),
                counted(trials.len(), "trial"),
                worth(standing.as_ref())
            )
        };
        Ok(Proposal {
            symbols,
            target,
            horizon,
            traits,
            models,
            sentence,
        })
    }

    /// The program's first choices for a target.
    fn first_choices(&self, target: Target) -> Vec<String> {
        let task = match target {
            Target::Direction => Task::Classification,
            _ => Task::Regression,
        };
        default_models(&self.inner.registry, task)
    }

    /// Keeps the records of finished trials that left none yet.
    pub(crate) async fn learn(&self) -> Result<(), ServiceError> {
        loop {
            let new = self.inner.learning.unlearned(AT_ONCE).await?;
            for id in &new {
                let all = self.experiences_of(id).await?;
                self.inner.learning.learn(id, &all).await?;
            }
            if new.len() < AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    /// The records of a finished trial, by the place of the model; none where its data are gone.
    async fn experiences_of(&self, id: &TrialId) -> Result<Vec<(u32, Experience)>, ServiceError> {
        let view = self.trial(id.as_str()).await?;
        let steps = self.inner.trials.steps(id).await?;
        let mut out = Vec::new();
        for horizon in &view.spec.horizons {
            let mine = || {
                steps
                    .iter()
                    .filter(|s| s.horizon == *horizon && s.error.is_none())
            };
            let first = mine().flat_map(|s| s.predictions.day.iter().copied()).min();
            let Some(before) = first else { continue };
            let Some(traits) = self.traits_of(&view, before).await? else {
                continue;
            };
            for row in view
                .leaderboard
                .iter()
                .filter(|r| !r.is_baseline && r.horizon == *horizon)
            {
                let place = view
                    .spec
                    .models
                    .iter()
                    .position(|m| m.model == row.model && m.params == row.params);
                let (Some(place), Some(skill)) = (
                    place.and_then(|p| u32::try_from(p).ok()),
                    skill(view.spec.target, &row.metrics, &row.baseline),
                ) else {
                    continue;
                };
                out.push((
                    place,
                    Experience {
                        trial: id.clone(),
                        at: view.created_at,
                        symbols: view.spec.symbols.clone(),
                        target: view.spec.target,
                        horizon: *horizon,
                        traits: traits.clone(),
                        model: row.model.clone(),
                        params: row.params.clone(),
                        skill,
                        took_ms: mine()
                            .filter(|s| s.model_index == place)
                            .map(|s| s.took_ms)
                            .sum(),
                    },
                ));
            }
        }
        // The same model twice with the same parameters is one record.
        out.sort_by_key(|(place, e)| (*place, e.horizon));
        out.dedup_by_key(|(place, e)| (*place, e.horizon));
        Ok(out)
    }

    /// Traits of a trial's data before its first forecast.
    async fn traits_of(
        &self,
        view: &TrialView,
        before: NaiveDate,
    ) -> Result<Option<Traits>, ServiceError> {
        let mut all = Vec::new();
        for data in &view.spec.datasets {
            let Ok(set) = self.inner.room.one(data.id.as_str()).await else {
                return Ok(None);
            };
            let Ok(bars) = self.inner.room.bars(&set).await else {
                return Ok(None);
            };
            let (dates, closes) = (&bars.get().dates, &bars.get().close);
            let from = view
                .spec
                .start
                .map_or(0, |s| dates.partition_point(|d| *d < s));
            let to = dates.partition_point(|d| *d < before);
            all.extend(traits(closes.get(from..to).unwrap_or_default(), before));
        }
        Ok(pooled(&all))
    }
}

/// One minus loss over that of the best naive forecast: squared errors, or log loss of directions.
fn skill(target: Target, of: &Metrics, naive: &Metrics) -> Option<f64> {
    let (name, power) = match target {
        Target::Direction => ("log_loss", 1),
        _ => ("rmse", 2),
    };
    let get = |m: &Metrics| m.get(name).copied().flatten();
    let ratio = get(of)? / get(naive).filter(|n| *n > 0.0)?;
    let skill = 1.0 - ratio.powi(power);
    skill.is_finite().then_some(skill)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Map;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn of(bars: f64) -> Traits {
        Traits {
            before: day("2010-01-04"),
            bars,
            volatility: 0.2,
            autocorrelation: 0.0,
            clustering: 0.2,
            tail_index: 3.0,
            signal_to_noise: 0.5,
            regime: 0.5,
        }
    }

    fn record(trial: &str, symbol: &str, bars: f64, model: &str, skill: f64) -> Experience {
        Experience {
            trial: trial.into(),
            at: "2026-11-29T15:00:00Z".parse().unwrap(),
            symbols: vec![symbol.to_owned()],
            target: Target::LogVolatility,
            horizon: 5,
            traits: of(bars),
            model: model.to_owned(),
            params: Map::new(),
            skill,
            took_ms: 10.0,
        }
    }

    #[test]
    fn traits_by_hand() {
        // Values 1, 2, 4, 3 about their mean 2.5: -1.5, -0.5, 1.5, 0.5; products of neighbours 0.75 - 0.75 + 0.75 over
        // squares 5.
        assert!((lagged(&[1.0, 2.0, 4.0, 3.0]) - 0.15).abs() < 1e-15);
        // Of 1 to 40 the two largest over the third: 2 / (ln(40/38) + ln(39/38)).
        let values: Vec<f64> = (1..=40).map(f64::from).collect();
        let want = 2.0 / ((40.0_f64 / 38.0).ln() + (39.0_f64 / 38.0).ln());
        assert!((hill(&values) - want).abs() < 1e-12);
        // Closes that grow by a hundredth each bar and then by two: no autocorrelation is claimed of what alternates
        // regularly but minus one over n - 1 steps.
        let mut closes = vec![100.0];
        for i in 0..84 {
            let r = if i % 2 == 0 { 0.01_f64 } else { 0.02 };
            closes.push(closes[i] * r.exp());
        }
        let t = traits(&closes, day("2010-01-04")).unwrap();
        // Standard deviation 0.005 and mean 0.015 a bar; 83 neighbours of opposite sign over 84 squares.
        assert!((t.volatility - 0.005 * 252.0_f64.sqrt()).abs() < 1e-12);
        assert!((t.signal_to_noise - 3.0 * 252.0_f64.sqrt()).abs() < 1e-9);
        assert!((t.autocorrelation + 83.0 / 84.0).abs() < 1e-9);
        assert!((t.bars - 85.0).abs() < 1e-12);
        assert_eq!(traits(&closes[..40], day("2010-01-04")), None);
    }

    #[test]
    fn unlike_and_few_records_say_little() {
        // Two trials one standard deviation apart on either side of the mean of their logarithms: bars e^6 and e^8.
        let (near, far) = (6.0_f64.exp(), 8.0_f64.exp());
        let records = [
            record("t-1", "AAPL", near, "ridge", 0.2),
            record("t-2", "IBM", far, "ridge", 0.1),
            record("t-2", "IBM", far, "lasso", 0.4),
        ];
        let all: Vec<&Experience> = records.iter().collect();
        let said = ranked(&all, &of(near), 5);
        // The far trial is two deviations away in one of seven traits: w = exp(-(4/7)/2).
        let w = (-2.0_f64 / 7.0).exp();
        let want = |sum: f64, weight: f64| sum / (1.0 + weight);
        let lasso = said.iter().find(|s| s.model == "lasso").unwrap();
        let ridge = said.iter().find(|s| s.model == "ridge").unwrap();
        assert!((lasso.skill - want(0.4 * w, w)).abs() < 1e-12);
        assert!((ridge.skill - want(0.2 + 0.1 * w, 1.0 + w)).abs() < 1e-12);
        assert_eq!(said[0].model, "lasso");
        // Ten times the horizon: ln(10)² more.
        let far = likeness(&records[0], &of(near), 50, &[1.0; 7]);
        assert!((far - (-(10.0_f64.ln().powi(2)) / 2.0).exp()).abs() < 1e-12);
        let shown = proposed(ridge, "Ridge".to_owned()).unwrap();
        assert_eq!((shown.records, shown.nearest.as_str()), (2, "t-1"));
        assert!(shown.why.contains("15.0 % below"), "{}", shown.why);
    }

    #[test]
    fn proposals_are_judged_by_trials_that_they_did_not_see() {
        let first = |_: Target| vec!["ridge".to_owned(), "lasso".to_owned()];
        let mut records = vec![
            record("t-1", "AAPL", 500.0, "ridge", 0.0),
            record("t-1", "AAPL", 500.0, "lasso", 0.2),
        ];
        // Nothing came before it, and the next one is of the same symbol.
        assert_eq!(standing(&records, &first), None);
        records.push(record("t-2", "AAPL", 500.0, "ridge", 0.3));
        records.push(record("t-2", "AAPL", 500.0, "lasso", 0.1));
        assert_eq!(standing(&records, &first), None);
        // In the third, of another symbol, lasso would have been proposed (0.15 to 0.15 drawn to zero alike: the sums
        // are 0.3 each, so the name decides), whose skill there is 0.5; the first choice had 0.1, the mean is 0.3.
        records.push(record("t-3", "IBM", 500.0, "ridge", 0.1));
        records.push(record("t-3", "IBM", 500.0, "lasso", 0.5));
        let s = standing(&records, &first).unwrap();
        assert_eq!(s.asked, 1);
        assert!((s.proposed - 0.5).abs() < 1e-12);
        assert!((s.default - 0.1).abs() < 1e-12);
        assert!((s.random - 0.3).abs() < 1e-12);
        assert!((s.over_default.mean - 0.4).abs() < 1e-12);
        assert_eq!(s.over_default.low, None);
        assert!(worth(Some(&s)).contains("too few to compare with the first choice"));
        // Differences 1 to 5: mean 3, standard error sqrt(2.5 / 5).
        let d = difference(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!((d.low.unwrap() - (3.0 - 1.96 * 0.5_f64.sqrt())).abs() < 1e-12);
    }

    #[test]
    fn skill_is_the_share_of_the_naive_loss_that_is_gone() {
        let loss = |name: &str, x: f64| -> Metrics { [(name.to_owned(), Some(x))].into() };
        let s = skill(Target::Return, &loss("rmse", 0.9), &loss("rmse", 1.0));
        assert!((s.unwrap() - 0.19).abs() < 1e-12);
        let s = skill(
            Target::Direction,
            &loss("log_loss", 0.66),
            &loss("log_loss", 0.6),
        );
        assert!((s.unwrap() + 0.1).abs() < 1e-12);
        assert_eq!(
            skill(Target::Return, &loss("rmse", 0.9), &loss("rmse", 0.0)),
            None
        );
    }
}
