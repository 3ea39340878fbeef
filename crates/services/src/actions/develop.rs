//! A strategy worked out from an idea: what the idea rests on is tested, what holds becomes a rule, the rule
//! is back-tested after costs, and the verdict says whether it is worth more.
//!
//! Formula: for each ingredient the signal known at a close and the return of the next 21 bars, taken
//! every 21 bars so that returns do not overlap; Pearson's correlation with t = r √((n-2)/(1-r²)); Granger
//! causality of the signal for daily returns (one lag); predictive power as the correlation on the later
//! two fifths of the days with the sign that the first three fifths gave.
//! Fails when: no symbol has bars. Where an idea names data that are not registered, a stand-in is taken
//! and said, or nothing is.
//! Not claimed: that a signal that passed holds on: several are tried, and that is said with the count.

use super::data::shown;
use super::{Authority, Reply, Stage, backtests};
use crate::{ServiceError, Services};
use mltrainer_catalogue_core::run::run_analysis;
use mltrainer_catalogue_core::{Design, SeriesTable};
use mltrainer_types::assistant::DevelopStrategy;
use mltrainer_types::backtest::BacktestRequest;
use mltrainer_types::chat::ActionOutcome;
use mltrainer_types::data::{Bar, DatasetKind};
use mltrainer_types::strategy::{Distance, SideSpec, Sizing, StrategySpec};
use ndarray::Array2;
use serde::Serialize;
use serde_json::{Map, json};

/// Bars ahead of a signal.
const AHEAD: usize = 21;
/// Symbols that an idea is tried on.
const MOST: usize = 4;
/// Share of the days from which rules are chosen.
const FIRST: f64 = 0.6;

/// What an idea may rest on.
struct Ingredient {
    name: &'static str,
    /// What it is measured by.
    about: &'static str,
    /// Data that the words ask for and that are not registered.
    missing: Option<&'static str>,
    /// Value known at a close.
    signal: fn(&[Bar], usize) -> Option<f64>,
    /// Expressions of a strategy that hold when the signal is high, and when it is low.
    high: &'static str,
    low: &'static str,
}

fn change(bars: &[Bar], at: usize, days: usize) -> Option<f64> {
    Some(bars[at].close / bars[at.checked_sub(days)?].close - 1.0)
}

fn volume_ratio(bars: &[Bar], at: usize) -> Option<f64> {
    let part = bars.get(at.checked_sub(19)?..=at)?;
    let all: Option<Vec<f64>> = part.iter().map(|b| b.volume).collect();
    let all = all?;
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    (mean > 0.0).then(|| all[all.len() - 1] / mean)
}

fn volatility(bars: &[Bar], at: usize) -> Option<f64> {
    let part = bars.get(at.checked_sub(21)?..=at)?;
    let r: Vec<f64> = part
        .windows(2)
        .map(|w| w[1].close / w[0].close - 1.0)
        .collect();
    Some(super::data::moments(&r).1)
}

const INGREDIENTS: [Ingredient; 8] = [
    Ingredient {
        name: "momentum",
        about: "change over 126 bars",
        missing: None,
        signal: |b, at| change(b, at, 126),
        high: "close > lag(close, 126)",
        low: "close < lag(close, 126)",
    },
    Ingredient {
        name: "volume",
        about: "volume over its mean of 20 bars",
        missing: None,
        signal: volume_ratio,
        high: "volume > sma(volume, 20)",
        low: "volume < sma(volume, 20)",
    },
    Ingredient {
        name: "options_activity",
        about: "volume of the share over its mean of 20 bars, as a stand-in",
        missing: Some(
            "histories of option chains are not registered, so unusual options activity itself cannot be tested; unusual volume of the share stands in",
        ),
        signal: volume_ratio,
        high: "volume > 1.5 * sma(volume, 20)",
        low: "volume < sma(volume, 20)",
    },
    Ingredient {
        name: "earnings",
        about: "the largest move of a day within 63 bars, as a stand-in",
        missing: Some(
            "earnings dates and surprises are not registered, so earnings momentum itself cannot be tested; the largest move of a day within a quarter stands in",
        ),
        signal: |b, at| {
            let part = b.get(at.checked_sub(63)?..=at)?;
            let moves = part.windows(2).map(|w| w[1].close / w[0].close - 1.0);
            moves.max_by(|x, y| x.abs().total_cmp(&y.abs()))
        },
        high: "highest(roc(close, 1), 63) > 0 - lowest(roc(close, 1), 63)",
        low: "highest(roc(close, 1), 63) < 0 - lowest(roc(close, 1), 63)",
    },
    Ingredient {
        name: "volatility",
        about: "standard deviation of 21 returns",
        missing: None,
        signal: volatility,
        high: "stdev(roc(close, 1), 21) > stdev(roc(close, 1), 252)",
        low: "stdev(roc(close, 1), 21) < stdev(roc(close, 1), 252)",
    },
    Ingredient {
        name: "mean_reversion",
        about: "change over 5 bars",
        missing: None,
        signal: |b, at| change(b, at, 5),
        high: "close > lag(close, 5)",
        low: "close < lag(close, 5)",
    },
    Ingredient {
        name: "breakout",
        about: "close over its highest of 55 bars",
        missing: None,
        signal: |b, at| {
            let part = b.get(at.checked_sub(54)?..=at)?;
            Some(b[at].close / part.iter().map(|x| x.close).fold(f64::MIN, f64::max))
        },
        high: "close >= 0.98 * highest(close, 55)",
        low: "close < 0.98 * highest(close, 55)",
    },
    Ingredient {
        name: "regime",
        about: "close over its mean of 200 bars",
        missing: None,
        signal: |b, at| {
            let part = b.get(at.checked_sub(199)?..=at)?;
            Some(b[at].close / (part.iter().map(|x| x.close).sum::<f64>() / 200.0))
        },
        high: "close > sma(close, 200)",
        low: "close < sma(close, 200)",
    },
];

/// The tests of one ingredient, over all symbols.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Tested {
    ingredient: String,
    about: String,
    /// Pairs of signal and return on the first days.
    pairs: usize,
    correlation: Option<f64>,
    t_statistic: Option<f64>,
    /// Smallest p-value of Granger causality over the symbols, times their number (Bonferroni).
    granger_p: Option<f64>,
    /// On the later days, with the sign that the first days gave.
    later_pairs: usize,
    later_correlation: Option<f64>,
    /// Whether the rule is used: |t| at least 1.65 on the first days.
    used: bool,
}

fn pearson(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < 10 {
        return None;
    }
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    crate::run::correlation(&x, &y)
}

impl Services {
    pub(super) async fn act_develop_strategy(
        &self,
        who: &Authority,
        p: &DevelopStrategy,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut reply = Reply::new(None);
        // Data agent.
        let mut sets = Vec::new();
        if p.symbols.is_empty() {
            let all = self.datasets().await?;
            let shares = all.into_iter().filter(|s| {
                let index = s.symbols.iter().any(|x| x == "SPX" || x == "IXIC");
                s.kind == DatasetKind::Bars && s.rows >= 1_000 && !index
            });
            sets.extend(shares.take(MOST));
        } else {
            for name in p.symbols.iter().take(MOST) {
                sets.push(self.dataset_named(name).await?);
            }
        }
        let mut data = Vec::new();
        for set in &sets {
            let bars = self.bars(set.id.as_str(), p.start, p.end).await?;
            if bars.len() >= 500 {
                data.push((set.clone(), bars));
            }
        }
        if data.is_empty() {
            return Err(ServiceError::BadData(
                "no symbol has 500 bars in that span: name others or a longer span".to_owned(),
            ));
        }
        let symbols: Vec<String> = data
            .iter()
            .map(|(s, _)| s.symbols.first().cloned().unwrap_or_default())
            .collect();
        let mut said = Reply::new(Some("/data".to_owned()));
        let names = said.name("symbols", symbols.join(", "));
        said.say(&format!("The idea is tried on {names}."));
        let mut chosen: Vec<&Ingredient> = INGREDIENTS
            .iter()
            .filter(|i| p.ingredients.iter().any(|x| x == i.name))
            .collect();
        let unknown: Vec<&String> = p
            .ingredients
            .iter()
            .filter(|x| !INGREDIENTS.iter().any(|i| i.name == x.as_str()))
            .collect();
        if chosen.is_empty() {
            chosen = INGREDIENTS
                .iter()
                .filter(|i| i.name == "momentum" || i.name == "regime")
                .collect();
            reply.note("Nothing in the idea was recognised as a measure: momentum and the trend were taken.");
        }
        for name in unknown {
            reply.note(format!(
                "\"{name}\" cannot be measured here and was left out."
            ));
        }
        for i in &chosen {
            if let Some(missing) = i.missing {
                said.item(missing);
                reply.note(format!("Missing data: {missing}."));
            }
        }
        stage.tell("Data agent", said.done(&stage.said, &symbols)?);
        // Hypothesis agent.
        let mut tests = Vec::new();
        for i in &chosen {
            tests.push(self.hypothesis(i, &data).await?);
        }
        let rows: Vec<Vec<String>> = tests
            .iter()
            .map(|t| {
                vec![
                    t.ingredient.clone(),
                    t.about.clone(),
                    t.pairs.to_string(),
                    shown(t.correlation),
                    shown(t.t_statistic),
                    shown(t.granger_p),
                    shown(t.later_correlation),
                    if t.used { "used" } else { "not used" }.to_owned(),
                ]
            })
            .collect();
        let columns = [
            "Ingredient",
            "Measure",
            "Cases",
            "Correlation",
            "t",
            "Granger p",
            "Later correlation",
            "Rule",
        ];
        let mut said = Reply::new(None);
        let n = said.count(
            "ingredients that passed",
            tests.iter().filter(|t| t.used).count(),
        );
        let of = said.count("ingredients", tests.len());
        said.say(&format!("{n} of {of} ingredients are related to the return of the next month on the first three fifths of the days."));
        said.table("Hypothesis tests", &columns, rows.clone());
        stage.tell("Hypothesis agent", said.done(&stage.said, &tests)?);
        // Strategy agent: rules with the sign that the tests gave; when none passed, the idea as it was said.
        let any = tests.iter().any(|t| t.used);
        let mut conditions = Vec::new();
        for (i, t) in chosen.iter().zip(&tests) {
            if any && !t.used {
                continue;
            }
            let falling = any && t.correlation.is_some_and(|c| c < 0.0);
            conditions.push(if falling { i.low } else { i.high });
        }
        let enter = conditions.join(" and ");
        let spec = StrategySpec {
            name: "Idea under test".to_owned(),
            note: p.idea.chars().take(500).collect(),
            long: Some(SideSpec {
                enter: enter.clone(),
                exit: Some(format!("not ({enter})")),
            }),
            // A tenth of volatility a year for all symbols together, and a stop of three true ranges.
            sizing: Sizing::VolatilityTarget {
                annual: 0.1,
                window: 63,
                cap: 1.0 / symbols.len() as f64,
            },
            stop_loss: Some(Distance::Amount {
                expression: "3 * atr(20)".to_owned(),
            }),
            max_bars: Some(63),
            ..base()?
        };
        let mut said = Reply::new(Some("/backtests/new".to_owned()));
        let rule = said.name("rule", &enter);
        said.say(&format!("Rule: hold while {rule}. Size by a volatility target, a stop of three average true ranges, at most a quarter of a year."));
        if !any {
            said.say("No ingredient passed its test, so the idea is taken as it was said.");
        }
        stage.tell("Strategy agent", said.done(&stage.said, &spec)?);
        // Back test, with costs, Monte Carlo, regimes and findings.
        let view = self
            .run_backtest(
                &who.actor,
                BacktestRequest {
                    symbols: symbols.clone(),
                    start: p.start,
                    end: p.end,
                    strategy: json!(spec),
                    params: Map::new(),
                    ..BacktestRequest::default()
                },
                stage.key.as_deref(),
            )
            .await?;
        backtests::report(&mut reply, &view);
        if let Some(fan) = &view.fan {
            let (runs, loss) = (
                reply.count("Monte Carlo runs", fan.runs),
                reply.percent("share of runs that lose", fan.loss),
            );
            reply.paragraph(&format!(
                "Monte Carlo over the trades: of {runs} orders of them {loss} end with a loss."
            ));
        }
        if !view.regimes.is_empty() {
            let rows = view
                .regimes
                .iter()
                .map(|r| {
                    vec![
                        r.regime.clone(),
                        r.bars.to_string(),
                        shown(r.total_return),
                        shown(r.sharpe_ratio),
                    ]
                })
                .collect();
            reply.table(
                "By regime",
                &["Regime", "Bars", "Return", "Sharpe ratio"],
                rows,
            );
        }
        reply.table("Hypothesis tests", &columns, rows);
        let viable = any && view.verdict.found_edge;
        reply.paragraph(if viable {
            "Viability: worth a walk-forward optimisation and a watch on new data; it was chosen on part of the days that the back test covers."
        } else if any {
            "Viability: not viable as it stands. Some signals are related to returns on the first days, but the strategy shows no edge after costs and luck."
        } else {
            "Viability: not viable. None of the ingredients is related to later returns by more than chance."
        });
        reply.next(format!("Walk-forward optimise momentum on {}", symbols[0]));
        let result = json!({ "tests": tests, "strategy": spec, "backtest": view });
        reply.done(&stage.said, &result)
    }

    async fn hypothesis(
        &self,
        i: &Ingredient,
        data: &[(mltrainer_types::data::DatasetSummary, Vec<Bar>)],
    ) -> Result<Tested, ServiceError> {
        let (mut early, mut late) = (Vec::new(), Vec::new());
        let mut granger: Option<f64> = None;
        for (set, bars) in data {
            let cut = (bars.len() as f64 * FIRST) as usize;
            let mut at = 0;
            while at + AHEAD < bars.len() {
                if let Some(signal) = (i.signal)(bars, at).filter(|s| s.is_finite()) {
                    let next = bars[at + AHEAD].close / bars[at].close - 1.0;
                    // A case whose return reaches over the cut belongs to neither part.
                    if at + AHEAD < cut {
                        early.push((signal, next));
                    } else if at >= cut {
                        late.push((signal, next));
                    }
                }
                at += AHEAD;
            }
            let found = self
                .granger(i, set.id.as_str(), bars.len().min(cut))
                .await?;
            if let Some(p) = found {
                granger = Some(granger.map_or(p, |q: f64| q.min(p)));
            }
        }
        let correlation = pearson(&early);
        let t = correlation.map(|r| r * ((early.len() as f64 - 2.0) / (1.0 - r * r)).sqrt());
        let sign = correlation.map_or(1.0, f64::signum);
        Ok(Tested {
            ingredient: i.name.to_owned(),
            about: i.about.to_owned(),
            pairs: early.len(),
            correlation,
            t_statistic: t,
            granger_p: granger.map(|p| (p * data.len() as f64).min(1.0)),
            later_pairs: late.len(),
            later_correlation: pearson(&late).map(|r| r * sign),
            used: t.is_some_and(|t| t.abs() >= 1.65),
        })
    }

    /// p-value of Granger causality of the signal for daily returns on the first bars; `None` where it cannot be
    /// computed.
    async fn granger(
        &self,
        i: &Ingredient,
        id: &str,
        cut: usize,
    ) -> Result<Option<f64>, ServiceError> {
        let resolved = crate::catalogue::find(&self.inner.registry, "granger_causality")?;
        let set = self.inner.room.one(id).await?;
        let bars = self.inner.room.bars(&set).await?;
        let signal = i.signal;
        let table =
            bars.derive("series", format!("returns and {}", i.about), |b| {
                let wire = b.to_wire();
                let rows: Vec<(f64, f64)> = (1..cut.min(wire.len()))
                    .filter_map(|at| {
                        let r = wire[at].close / wire[at - 1].close - 1.0;
                        let s = signal(&wire, at).filter(|s| s.is_finite())?;
                        Some((r, s))
                    })
                    .collect();
                let x = Array2::from_shape_fn((rows.len(), 2), |(r, c)| {
                    if c == 0 { rows[r].0 } else { rows[r].1 }
                });
                let names = vec!["return".to_owned(), i.name.to_owned()];
                SeriesTable::new(Design::new(x, names)?, None)
            });
        let Ok(table) = table else { return Ok(None) };
        let clock = self.inner.clock.clone();
        crate::room::blocking(move || {
            let ms = || clock.monotonic().as_secs_f64() * 1e3;
            // A signal that does not vary has no test.
            let run = run_analysis(&resolved, &Map::new(), &table, crate::run::ask(None), &ms).ok();
            Ok(run.and_then(|r| r.outputs.get("p_value")?.as_f64()))
        })
        .await
    }
}

/// A strategy with nothing in it.
fn base() -> Result<StrategySpec, ServiceError> {
    serde_json::from_value(json!({ "name": "" }))
        .map_err(|e| ServiceError::Internal(format!("an empty strategy was not read: {e}")))
}
