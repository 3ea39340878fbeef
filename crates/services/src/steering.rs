//! Runs that a language model steered, their results told apart by what the model may have known.
//!
//! What: a model was trained on texts up to some day and may know how prices went until then. What it steered
//! is kept with its identity and its knowledge cut-off; the result is shown for the days up to that one, where
//! it may be memory, and for the days after it apart.
//! Formula: of a trial, for the best model of each horizon, mean loss beside that of the best naive baseline on
//! the forecasts made in the span, their difference with its 95 % interval ([`crate::coaching`]); of a back test
//! and of an optimisation the figures of the equity from the bar before the span.
//! Fails when: the run does not exist.
//! Not claimed: that a result after the cut-off shows foresight; only that it cannot be memory.

use crate::actions::{best_of, shown, shown_percent};
use crate::coaching::{effect, losses};
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_assistant::llm::cutoff::split;
use mltrainer_backtest::performance::of_equity;
use mltrainer_types::chat::{Job, OutcomeTable};
use mltrainer_types::llm::{DaySpan, Knowledge, KnowledgeCutoff, SpanResult, SteeredBy, Steering};
use mltrainer_types::trial::{Metrics, PredictionSeries, Target, TrialView};
use std::collections::BTreeMap;

/// Kinds of runs that have a result of their own.
const KINDS: [&str; 3] = ["trial", "backtest", "optimisation"];

/// Figures of an equity that are told.
const OF_EQUITY: [&str; 3] = ["annual_return", "sharpe_ratio", "max_drawdown"];

/// Up to when the model may know what happened, for results that it steered.
pub(crate) fn known_until(cutoff: &KnowledgeCutoff) -> String {
    match cutoff {
        KnowledgeCutoff::Unknown => "A language model steered this, and it is not known up to when it knows what happened: results on days of the past may be memory.".to_owned(),
        KnowledgeCutoff::Known { last_day, .. } => format!("A language model steered this that may know what happened up to {last_day}: results up to that day may be memory, later ones are not."),
    }
}

/// The spans of some days, told apart.
fn spans(
    first: NaiveDate,
    last: NaiveDate,
    cutoff: &KnowledgeCutoff,
) -> impl Iterator<Item = (Knowledge, DaySpan)> {
    let split = split(first, last, cutoff);
    [
        (Knowledge::Before, split.before),
        (Knowledge::After, split.after),
        (Knowledge::Unknown, split.unknown),
    ]
    .into_iter()
    .filter_map(|(knowledge, span)| Some((knowledge, span?)))
}

fn of_trial(
    view: &TrialView,
    series: &[PredictionSeries],
    cutoff: &KnowledgeCutoff,
) -> Vec<SpanResult> {
    let mut out = Vec::new();
    for horizon in &view.spec.horizons {
        let Some(row) = best_of(view, *horizon) else {
            continue;
        };
        let ours = losses(series, view, row);
        let baseline = view
            .leaderboard
            .iter()
            .find(|r| r.is_baseline && r.horizon == *horizon && r.model == row.baseline_model);
        let theirs = baseline.map_or_else(BTreeMap::new, |b| losses(series, view, b));
        let days = || ours.keys().map(|(_, day)| *day);
        let (Some(first), Some(last)) = (days().min(), days().max()) else {
            continue;
        };
        for (knowledge, within) in spans(first, last, cutoff) {
            let part = |of: &BTreeMap<(String, NaiveDate), f64>| {
                let mut part = of.clone();
                part.retain(|(_, day), _| (within.first..=within.last).contains(day));
                part
            };
            let (ours, theirs) = (part(&ours), part(&theirs));
            let days = || ours.keys().map(|(_, day)| *day);
            let (Some(first), Some(last)) = (days().min(), days().max()) else {
                continue;
            };
            let label = view.spec.target == Target::Direction;
            let measured = effect(&theirs, &ours, *horizon, label);
            let m = measured.as_ref();
            let figures = [
                ("loss", m.map(|m| m.coached)),
                ("difference", m.map(|m| m.difference)),
                ("low", m.map(|m| m.low)),
                ("high", m.map(|m| m.high)),
            ];
            out.push(SpanResult {
                subject: match view.spec.horizons.len() {
                    1 => row.title.clone(),
                    _ => format!("{}, horizon {horizon}", row.title),
                },
                beside: row.baseline_model.clone(),
                knowledge,
                span: DaySpan { first, last },
                rows: u32::try_from(ours.len()).unwrap_or(u32::MAX),
                figures: figures.map(|(k, v)| (k.to_owned(), v)).into(),
                beside_figures: [("loss".to_owned(), m.map(|m| m.control))].into(),
            });
        }
    }
    out
}

/// What a strategy made of its capital, beside the benchmark.
struct Curve<'a> {
    name: &'a str,
    beside: &'a str,
    dates: &'a [NaiveDate],
    equity: &'a [Option<f64>],
    benchmark: &'a [Option<f64>],
    periods_per_year: f64,
}

fn of_curve(c: &Curve<'_>, cutoff: &KnowledgeCutoff) -> Vec<SpanResult> {
    let (Some(first), Some(last)) = (c.dates.first(), c.dates.last()) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for (knowledge, within) in spans(*first, *last, cutoff) {
        let start = c.dates.partition_point(|d| *d < within.first);
        let end = c.dates.partition_point(|d| *d <= within.last);
        let (Some(from), Some(to)) = (c.dates.get(start), c.dates[..end].last()) else {
            continue;
        };
        if start >= end {
            continue;
        }
        // The gain of the first bar is counted from the bar before it.
        let before = start.saturating_sub(1);
        let figures = |values: &[Option<f64>]| -> Metrics {
            let part = values.get(before..end).unwrap_or_default();
            let known: Vec<f64> = part.iter().copied().flatten().collect();
            let all = of_equity(&known, c.periods_per_year);
            OF_EQUITY
                .map(|name| (name.to_owned(), all.get(name).copied().flatten()))
                .into()
        };
        out.push(SpanResult {
            subject: c.name.to_owned(),
            beside: c.beside.to_owned(),
            knowledge,
            span: DaySpan {
                first: *from,
                last: *to,
            },
            rows: u32::try_from(end - start).unwrap_or(u32::MAX),
            figures: figures(c.equity),
            beside_figures: figures(c.benchmark),
        });
    }
    out
}

/// The spans for people.
fn table(spans: &[SpanResult]) -> Option<OutcomeTable> {
    let trial = spans.first()?.figures.contains_key("loss");
    let columns: &[&str] = if trial {
        &[
            "Model",
            "First day",
            "Last day",
            "It may be memory",
            "Forecasts",
            "Mean loss",
            "Of the naive forecast",
            "Difference, 95 %",
        ]
    } else {
        &[
            "Strategy",
            "First day",
            "Last day",
            "It may be memory",
            "Bars",
            "Return a year",
            "Sharpe",
            "Deepest fall",
            "Benchmark a year",
        ]
    };
    let rows = spans.iter().map(|s| {
        let of = |name: &str| s.figures.get(name).copied().flatten();
        let beside = |name: &str| s.beside_figures.get(name).copied().flatten();
        let percent = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), shown_percent);
        let mut row = vec![
            s.subject.clone(),
            s.span.first.to_string(),
            s.span.last.to_string(),
            match s.knowledge {
                Knowledge::Before => "yes",
                Knowledge::After => "no",
                Knowledge::Unknown => "not known",
            }
            .to_owned(),
            s.rows.to_string(),
        ];
        row.extend(if trial {
            vec![
                shown(of("loss")),
                shown(beside("loss")),
                format!("{} to {}", shown(of("low")), shown(of("high"))),
            ]
        } else {
            vec![
                percent(of("annual_return")),
                shown(of("sharpe_ratio")),
                percent(of("max_drawdown")),
                percent(beside("annual_return")),
            ]
        });
        row
    });
    Some(OutcomeTable {
        title: "Before and after what the language model can know".to_owned(),
        columns: columns.iter().map(|&c| c.to_owned()).collect(),
        rows: rows.collect(),
    })
}

impl Services {
    /// The result of what a language model began told apart, if it has one.
    pub(crate) async fn told_apart(&self, job: &Job) -> Result<Option<OutcomeTable>, ServiceError> {
        if !KINDS.contains(&job.kind.as_str()) {
            return Ok(None);
        }
        let told = self.steered_by(&job.kind, &job.id).await?;
        Ok(told.steered_by.and_then(|s| table(&s.spans)))
    }

    /// Which language model steered a `trial`, `backtest` or `optimisation`, if one did, and what the run shows
    /// before and after its knowledge ends.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn steered_by(&self, kind: &str, id: &str) -> Result<SteeredBy, ServiceError> {
        let run = self.inner.talk.store.steered(kind, id).await?;
        let spans = match (kind, &run) {
            ("trial", None) => self.trial(id).await.map(|_| Vec::new())?,
            ("optimisation", None) => self.optimisation(id).await.map(|_| Vec::new())?,
            (_, None) => self.backtest(id).await.map(|_| Vec::new())?,
            ("trial", Some(run)) => {
                let view = self.trial(id).await?;
                if view.state.is_final() {
                    of_trial(&view, &self.predictions(id).await?, &run.model.cutoff)
                } else {
                    Vec::new()
                }
            }
            ("optimisation", Some(run)) => {
                let view = self.optimisation(id).await?;
                let curve = self.optimisation_curve(id).await?;
                let some = |values: &[f64]| values.iter().map(|v| Some(*v)).collect::<Vec<_>>();
                let strategy = &view.spec.request.test.strategy;
                let name = strategy.as_str().or_else(|| strategy["name"].as_str());
                of_curve(
                    &Curve {
                        name: name.unwrap_or("the strategy"),
                        beside: "the symbols held in equal parts",
                        dates: &curve.dates,
                        equity: &some(&curve.equity),
                        benchmark: &some(&curve.benchmark_equity),
                        periods_per_year: view.spec.request.test.periods_per_year.unwrap_or(252.0),
                    },
                    &run.model.cutoff,
                )
            }
            (_, Some(run)) => {
                let view = self.backtest(id).await?;
                of_curve(
                    &Curve {
                        name: &view.spec.strategy.name,
                        beside: &view.benchmark_name,
                        dates: &view.dates,
                        equity: &view.equity,
                        benchmark: &view.benchmark_equity,
                        periods_per_year: view.spec.periods_per_year,
                    },
                    &run.model.cutoff,
                )
            }
        };
        Ok(SteeredBy {
            steered_by: run.map(|run| {
                let (conversation, message) = run.message.unzip();
                Steering {
                    model: run.model,
                    conversation,
                    message,
                    spans,
                }
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_curve_is_told_apart_at_the_cut_off() {
        let dates = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"].map(day);
        let equity = [100.0, 110.0, 99.0, 99.0].map(Some);
        let curve = Curve {
            name: "held",
            beside: "cash",
            dates: &dates,
            equity: &equity,
            benchmark: &[Some(100.0); 4],
            periods_per_year: 1.0,
        };
        let known = |last_day: &str| KnowledgeCutoff::Known {
            last_day: day(last_day),
            source: "configured".to_owned(),
        };
        let of = |cutoff: &KnowledgeCutoff| -> Vec<(Knowledge, u32, f64)> {
            of_curve(&curve, cutoff)
                .iter()
                .map(|s| (s.knowledge, s.rows, s.figures["annual_return"].unwrap()))
                .collect()
        };
        // One bar a year: 100 to 110 is 10 %; 110 to 99 over two is the root of 0.9.
        let told = of(&known("2024-01-03"));
        assert_eq!((told[0].0, told[0].1), (Knowledge::Before, 2));
        assert!((told[0].2 - 0.1).abs() < 1e-12);
        assert_eq!((told[1].0, told[1].1), (Knowledge::After, 2));
        assert!((told[1].2 - (0.9_f64.sqrt() - 1.0)).abs() < 1e-12);
        assert_eq!(told.len(), 2);
        assert_eq!(of(&KnowledgeCutoff::Unknown)[0].0, Knowledge::Unknown);
        let later = of(&known("2026-01-01"));
        assert_eq!((later.len(), later[0].0), (1, Knowledge::Before));
    }
}
