//! From what was recognised to an action's parameters.
//!
//! What: one small function an action; it takes symbols, models, spans and numbers out of the
//! [`Clause`] and puts them where they belong. What is not said stays at its default, so that the
//! validation of the action asks for it; a symbol is never guessed.
//! Fails when: nothing fails.

use super::clause::{Bound, Clause};
use super::text::{Piece, Token};
use super::time::{Use, whole};
use super::vocabulary::Term;
use mltrainer_types::assistant as act;
use mltrainer_types::assistant::AssistantAction as A;
use mltrainer_types::audit::AuditFilter;
use mltrainer_types::backtest::BacktestRequest;
use mltrainer_types::portfolio::{HoldingsRequest, OptimiseRequest, RiskRequest, WhatIfRequest};
use mltrainer_types::run::RunRequest;
use mltrainer_types::source::FetchRequest;
use mltrainer_types::strategy::CostSpec;
use mltrainer_types::trial::{Costs, ModelRequest, Target, TrialRequest, Validation};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The action of that id with what the sentence says of it; `answer` is the parameter that the
/// sentence answers a question about.
pub(super) fn fill(id: &str, c: &Clause<'_>, answer: Option<&str>) -> Option<A> {
    Some(match id {
        "analyse_symbol" => A::AnalyseSymbol(Box::new(act::AnalyseSymbol {
            symbols: c.symbols(),
            focus: topics(c),
            target: if c.has("outlook") { direction(c) } else { None },
            horizons: c.horizons(),
            models: c.models(),
            start: c.days.start,
            end: c.days.end,
        })),
        "run_trial" => A::RunTrial(Box::new(trial(c))),
        "train_ensemble" => A::TrainEnsemble(Box::new(trial(c))),
        "compare_models" => A::CompareModels(Box::new(trial(c))),
        "compare_symbols" => A::CompareSymbols(Box::new(act::CompareSymbols {
            symbols: c.symbols(),
            start: c.days.start,
            end: c.days.end,
        })),
        "compare_trials" => {
            let mut trials = c.ids("t-");
            if trials.len() < 2
                && c.refers(&["trial", "the_result"], true)
                && let Some(last) = &c.context.last_trial
                && !trials.contains(last)
            {
                trials.insert(0, last.clone());
            }
            A::CompareTrials(Box::new(act::CompareTrials {
                trials,
                metric: c.term(Term::Metric).map(str::to_owned),
            }))
        }
        "list_trials" => A::ListTrials(Box::new(list(c, &["trial"]))),
        "list_backtests" => A::ListBacktests(Box::new(act::ListRuns {
            state: None,
            ..list(c, &["backtest_thing"])
        })),
        "show_trial" => A::ShowTrial(Box::new(act::TrialRef {
            // "results please" speaks of the trial that was last spoken of.
            trial: c
                .trial()
                .or_else(|| {
                    let training = c.tokens.iter().any(|t| t.is(&["training"]));
                    (c.has("the_result") || c.has("better") || training)
                        .then(|| c.context.last_trial.clone())
                        .flatten()
                })
                .unwrap_or_default(),
        })),
        "pause_trial" => A::PauseTrial(Box::new(trial_ref(c))),
        "resume_trial" => A::ResumeTrial(Box::new(trial_ref(c))),
        "cancel_trial" => A::CancelTrial(Box::new(trial_ref(c))),
        "explain_trial" => A::ExplainTrial(Box::new(act::ExplainTrial {
            trial: c
                .trial()
                .or_else(|| {
                    // "why did ridge win?" speaks of the trial that was last spoken of.
                    ((c.has("why") || c.has("better") || c.has("explain") || c.has("mattered"))
                        && (c.has("the_result") || c.has("mattered") || !c.models_at().is_empty()))
                    .then(|| c.context.last_trial.clone())
                    .flatten()
                })
                .unwrap_or_default(),
            models: c.models(),
        })),
        "what_if_trial" => A::WhatIfTrial(Box::new(what_if_trial(c))),
        "screen_universe" => A::ScreenUniverse(Box::new(screen(c))),
        "optimise_portfolio" => A::OptimisePortfolio(Box::new(optimise(c))),
        "backtest_portfolio" => A::BacktestPortfolio(Box::new(backtest_portfolio(c))),
        "show_portfolio" => A::ShowPortfolio(Box::new(HoldingsRequest {
            // "on 31 December": the one day that is named.
            as_of: c.days.as_of.or(c
                .days
                .start
                .filter(|d| c.days.end == Some(*d) && *d < c.context.today)),
            benchmark: c.symbols().into_iter().next(),
            ..HoldingsRequest::default()
        })),
        "portfolio_risk" => A::PortfolioRisk(Box::new(portfolio_risk(c))),
        "what_if_portfolio" => A::WhatIfPortfolio(Box::new(what_if_portfolio(c))),
        "run_backtest" => A::RunBacktest(Box::new(run_backtest(c))),
        "show_backtest" => A::ShowBacktest(Box::new(act::BacktestRef {
            backtest: c.backtest().unwrap_or_default(),
        })),
        "optimise_strategy" => A::OptimiseStrategy(Box::new(act::OptimiseStrategy {
            symbols: c.symbols(),
            strategy: c.strategy_row().map(|r| r.0.to_owned()).unwrap_or_default(),
            search: c.term(Term::Search).map(str::to_owned),
            metric: c
                .terms(Term::Metric)
                .into_iter()
                .map(|t| t.0)
                .find(|m| *m != "annual_volatility")
                .map(str::to_owned),
            folds: count_words(c, &["window", "windows", "fold", "folds"]),
            evaluations: count_words(
                c,
                &[
                    "evaluations",
                    "evaluation",
                    "trials",
                    "tries",
                    "combinations",
                    "iterations",
                ],
            ),
            cost_bps: c.cost_bps(),
            start: c.days.start,
            end: c.days.end,
        })),
        "develop_strategy" => A::DevelopStrategy(Box::new(develop(c))),
        "create_alert" => A::CreateAlert(Box::new(create_alert(c))),
        "list_alerts" => A::ListAlerts(Box::new(act::ListAlerts {
            symbols: c.symbols_at().into_iter().map(|s| s.0).collect(),
        })),
        "remove_alert" => A::RemoveAlert(Box::new(remove_alert(c))),
        "price_option" => A::PriceOption(Box::new(price_option(c, answer))),
        "list_datasets" => A::ListDatasets(Box::new(act::ListDatasets {
            kind: c.term(Term::DataKind).map(str::to_owned),
            symbols: c.symbols(),
        })),
        "show_data" => A::ShowData(Box::new(act::ShowData {
            dataset: dataset(c).unwrap_or_default(),
            start: c.days.start,
            end: c.days.end,
        })),
        "data_quality" => A::DataQuality(Box::new(act::DataQuality {
            dataset: dataset(c),
        })),
        "list_features" => A::ListFeatures(Box::new(act::ListFeatures {
            group: c.term(Term::Group).map(str::to_owned),
        })),
        "list_models" => {
            let task = c.term(Term::Task).map(str::to_owned);
            A::ListModels(Box::new(act::ListModels {
                family: c
                    .terms(Term::Family)
                    .last()
                    .map(|t| t.0.to_owned())
                    .filter(|f| task.as_ref() != Some(f)),
                task,
            }))
        }
        "show_model" => A::ShowModel(Box::new(act::ModelRef {
            model: c.entries().into_iter().next().unwrap_or_default(),
        })),
        "run_model" => A::RunModel(Box::new(run_model(c))),
        "show_lineage" => A::ShowLineage(Box::new(act::ShowLineage {
            subject: c
                .ids("t-")
                .into_iter()
                .chain(c.ids("b-"))
                .next()
                .or_else(|| c.dataset_id())
                .or_else(|| c.symbols_at().into_iter().next().map(|s| s.0))
                .or_else(|| {
                    if c.refers(&["backtest_thing"], false) {
                        c.backtest()
                    } else {
                        c.trial()
                    }
                })
                .unwrap_or_default(),
        })),
        "list_audit" => A::ListAudit(Box::new(audit(c))),
        "verify_audit" => A::VerifyAudit(Box::default()),
        "show_goal" => A::ShowGoal(Box::default()),
        "import_data" => {
            let file = c.file(false).unwrap_or_default();
            A::ImportData(Box::new(act::ImportData {
                file,
                symbol: c
                    .symbols_at()
                    .into_iter()
                    .next()
                    .map(|s| s.0)
                    .unwrap_or_default(),
                origin: None,
            }))
        }
        "fetch_data" => A::FetchData(Box::new(fetch(c))),
        "set_goal" => A::SetGoal(Box::new(set_goal(c, answer))),
        "advise" => A::Advise(Box::new(act::Advise {
            trial: c.ids("t-").into_iter().next().or_else(|| {
                c.refers(&["trial"], false)
                    .then(|| c.context.last_trial.clone())
                    .flatten()
            }),
            text: free_text(c, &["advise"], answer == Some("text")),
        })),
        "adjust_trial" => {
            let mut params = Map::new();
            if let Some((name, value, count)) = c.parameter() {
                let value = match whole(value) {
                    Some(n) if count => Value::from(n),
                    _ => Value::from(value),
                };
                params.insert(name, value);
            }
            A::AdjustTrial(Box::new(act::AdjustTrial {
                trial: c.trial().unwrap_or_default(),
                params,
                weights: c.pairs(&c.models_at()).into_iter().collect(),
                stop_early: (c.has("cancel") || c.has("finish")) && c.has("early"),
            }))
        }
        "override_models" => A::OverrideModels(Box::new(act::OverrideModels {
            // "your choice" is that of the trial that was last spoken of.
            trial: c
                .trial()
                .or_else(|| c.context.last_trial.clone())
                .unwrap_or_default(),
            models: c.models(),
        })),
        "teach_methodology" => A::TeachMethodology(Box::new(act::TeachMethodology {
            name: c
                .tokens
                .iter()
                .find(|t| t.piece == Piece::Quoted)
                .map(|t| t.text.trim().to_owned()),
            text: free_text(
                c,
                &["teach", "methodology", "engine"],
                answer == Some("text"),
            ),
            features: groups(c),
            models: c.models(),
            ensemble: c.term(Term::Ensemble).map(str::to_owned),
        })),
        "undo" => A::Undo(Box::new(act::Undo {
            intervention: c.ids("i-").into_iter().next(),
        })),
        "search_memory" => A::SearchMemory(Box::new(act::SearchMemory {
            query: query(c, answer == Some("query")),
            since: c.days.start,
            until: c.days.end,
        })),
        "propose_models" => A::ProposeModels(Box::new(act::ProposeModels {
            symbols: c.symbols(),
            target: target(c),
            horizon: c.horizons().into_iter().next(),
        })),
        "upload_paper" => A::UploadPaper(Box::new(act::UploadPaper {
            file: c.file(true).unwrap_or_default(),
        })),
        "help" => A::Help(Box::default()),
        _ => return None,
    })
}

fn topics(c: &Clause<'_>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (topic, ..) in c.terms(Term::Topic) {
        if !all.iter().any(|t| t == topic) {
            all.push(topic.to_owned());
        }
    }
    all
}

fn groups(c: &Clause<'_>) -> Vec<String> {
    // A group is meant where "features" follows it: "volume and technical features".
    let Some(at) = c.concepts("feature").map(|n| n.from).next() else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (group, from, _) in c.terms(Term::Group) {
        if from < at && at - from <= 6 && !all.iter().any(|g| g == group) {
            all.push(group.to_owned());
        }
    }
    all
}

fn target_of(word: &str) -> Option<Target> {
    Target::ALL.into_iter().find(|t| t.as_str() == word)
}

/// The target, where one is named; one that stands behind "instead of" is the old one.
fn target(c: &Clause<'_>) -> Option<Target> {
    let old = c
        .tokens
        .iter()
        .position(|t| t.is(&["instead"]))
        .filter(|i| c.tokens.get(i + 1).is_some_and(|t| t.is(&["of"])));
    c.terms(Term::Target)
        .into_iter()
        .filter(|(word, from, to)| {
            old.is_none_or(|o| *from < o)
                // "price features" and "volatility features" are what a model sees.
                && !c.tokens.get(*to).is_some_and(|t| t.is(&["features", "feature", "and"]) && !groups(c).is_empty())
                && !(*word == "volatility" && c.has("alert"))
        })
        .filter_map(|(word, ..)| target_of(word))
        .next()
}

fn direction(c: &Clause<'_>) -> Option<Target> {
    target(c).filter(|t| *t == Target::Direction)
}

fn count_words(c: &Clause<'_>, words: &[&str]) -> Option<u32> {
    c.tokens
        .iter()
        .enumerate()
        .filter(|(_, t)| t.is(words))
        .find_map(|(i, _)| {
            c.tokens
                .get(i.checked_sub(1)?)
                .and_then(Token::count)
                .or_else(|| {
                    let next = i
                        + 1
                        + usize::from(
                            c.tokens
                                .get(i + 1)
                                .is_some_and(|t| t.is(&["of", "to"]) || t.mark().is_some()),
                        );
                    c.tokens.get(next).and_then(Token::count)
                })
        })
}

fn trial(c: &Clause<'_>) -> act::TrialParams {
    let mut request = TrialRequest::for_symbols(c.symbols());
    request.start = c.days.start;
    request.end = c.days.end;
    request.target = target(c);
    request.horizons = c.horizons();
    request.features = groups(c);
    request.models = c.models().into_iter().map(ModelRequest::Id).collect();
    let folds = count_words(c, &["fold", "folds", "windows"]);
    let embargo = c
        .tokens
        .iter()
        .position(|t| t.is(&["embargo"]))
        .and_then(|i| {
            // "5 days embargo", "an embargo of 5 days".
            c.durations
                .iter()
                .find(|d| d.to == i)
                .and_then(|d| d.values.first().copied())
                .or_else(|| c.bound_to(i, i + 1, Token::plain).map(|f| f.0))
        })
        .and_then(whole);
    let hold_out = c
        .tokens
        .iter()
        .enumerate()
        .find_map(|(i, t)| {
            let words = t.is(&["holdout"])
                || (t.is(&["hold"]) && c.tokens.get(i + 1).is_some_and(|t| t.is(&["out"])))
                || (t.is(&["test"])
                    && c.tokens.get(i + 1).is_some_and(|t| t.is(&["set", "share"])));
            words
                .then(|| c.bound_to(i, i + 2, Token::percent))
                .flatten()
        })
        .map(|f| f.0);
    if let Some(test_share) = hold_out {
        request.validation = Validation::HoldOut {
            test_share,
            embargo: embargo.unwrap_or(0),
        };
    } else if folds.is_some() || embargo.is_some() {
        request.validation = Validation::WalkForward {
            folds: folds.unwrap_or(5),
            embargo: embargo.unwrap_or(0),
            window: None,
        };
    }
    if let Some(bps) = c.cost_bps() {
        request.costs = Costs { bps };
    }
    request.seed = count_words(c, &["seed"]).map(u64::from);
    act::TrialParams {
        request,
        model_count: c.count_of(&["model"]),
    }
}

fn list(c: &Clause<'_>, things: &[&str]) -> act::ListRuns {
    act::ListRuns {
        state: c.term(Term::State).map(str::to_owned),
        symbols: c.symbols_at().into_iter().map(|s| s.0).collect(),
        limit: c.count_of(things),
    }
}

fn trial_ref(c: &Clause<'_>) -> act::TrialRef {
    act::TrialRef {
        // "resume training" speaks of the trial that was last spoken of.
        trial: c
            .trial()
            .or_else(|| {
                c.tokens
                    .iter()
                    .any(|t| t.is(&["training"]))
                    .then(|| c.context.last_trial.clone())
                    .flatten()
            })
            .unwrap_or_default(),
    }
}

fn what_if_trial(c: &Clause<'_>) -> act::WhatIfTrial {
    act::WhatIfTrial {
        trial: c
            .ids("t-")
            .into_iter()
            .next()
            // "what if I used lasso?" speaks of the trial that was last spoken of.
            .or_else(|| c.context.last_trial.clone())
            .unwrap_or_default(),
        symbols: new_ones(c, c.symbols_at()),
        models: new_ones(c, c.models_at()),
        horizons: c.horizons(),
        target: target(c),
        cost_bps: c.cost_bps(),
        start: c.days.start,
        end: c.days.end,
    }
}

/// Without what stands behind "instead of": that is what was before.
fn new_ones(c: &Clause<'_>, all: Vec<(String, usize, usize)>) -> Vec<String> {
    let old = c
        .tokens
        .windows(2)
        .position(|w| w[0].is(&["instead", "rather", "place"]) && w[1].is(&["of", "than"]));
    // "swap AAPL for IBM", "replace ridge with lasso": the first is what was before.
    let word = |at: usize, words: &[&str]| c.tokens.get(at).is_some_and(|t| t.is(words));
    let swapped = (0..c.tokens.len())
        .find(|i| {
            word(
                *i,
                &[
                    "swap",
                    "swapped",
                    "replace",
                    "replaced",
                    "exchange",
                    "exchanged",
                    "substitute",
                ],
            )
        })
        .and_then(|i| {
            let joint = (i..c.tokens.len()).find(|k| word(*k, &["for", "with", "by"]))?;
            all.iter()
                .any(|(_, from, _)| *from > joint)
                .then_some((i, joint))
        });
    all.into_iter()
        .filter(|(_, from, _)| swapped.is_none_or(|(i, joint)| !(i < *from && *from < joint)))
        .filter(|(_, from, _)| old.is_none_or(|o| *from < o || *from > o + 3))
        .map(|s| s.0)
        .collect()
}

fn screen(c: &Clause<'_>) -> act::ScreenUniverse {
    let rules = c.rules();
    let bounded = rules
        .iter()
        .any(|r| r.measure == "momentum" && (r.at_least.is_some() || r.at_most.is_some()));
    act::ScreenUniverse {
        symbols: c.symbols_at().into_iter().map(|s| s.0).collect(),
        style: c
            .terms(Term::Style)
            .into_iter()
            .filter(|(s, ..)| *s != "momentum" || !bounded)
            .find(|(s, from, to)| {
                // A style that a condition already states is that condition.
                *s == "momentum"
                    || !c
                        .tokens
                        .get(*to)
                        .is_some_and(|t| t.is(&["under", "below", "over", "above"]))
                    || *from == 0
            })
            .map(|s| s.0.to_owned()),
        rules,
        top: c.count_of(&["universe"]).or_else(|| {
            // "the five least volatile", "top 10", "only the first 3".
            c.tokens.iter().enumerate().find_map(|(i, t)| {
                let style = c.terms(Term::Style).iter().any(|s| s.1 == i + 1);
                let led = i
                    .checked_sub(1)
                    .and_then(|p| c.tokens.get(p))
                    .is_some_and(|p| p.is(&["top", "best", "first", "me", "only"]));
                let unit = c.durations.iter().any(|d| d.from <= i && i < d.to);
                t.count().filter(|_| (led || style) && !unit)
            })
        }),
        as_of: c.days.as_of,
    }
}

/// Whether the user's own holdings are spoken of.
fn mine(c: &Clause<'_>) -> bool {
    c.concepts("portfolio").any(|n| {
        (1..=2).any(|k| {
            n.from
                .checked_sub(k)
                .and_then(|i| c.tokens.get(i))
                .is_some_and(|t| t.is(&["my", "our", "mine"]))
        }) || c.tokens[n.from].is(&["my", "holdings"])
    })
}

/// Limits on weights and positions.
struct Limits {
    min_weight: Option<f64>,
    max_weight: Option<f64>,
    max_positions: Option<u32>,
    long_only: Option<bool>,
}

fn limits(c: &Clause<'_>) -> Limits {
    let mut l = Limits {
        min_weight: None,
        max_weight: None,
        max_positions: None,
        long_only: None,
    };
    let word = |i: usize, words: &[&str]| c.tokens.get(i).is_some_and(|t| t.is(words));
    let things: &[&str] = &[
        "positions",
        "position",
        "names",
        "stocks",
        "holdings",
        "symbols",
        "shares",
        "assets",
        "titles",
    ];
    for (i, t) in c.tokens.iter().enumerate() {
        let named = word(i + 1, things) || (word(i + 2, things) && c.tokens[i + 1].is_word());
        if let Some(n) = t.count().filter(|_| named)
            && (c.bound(i) == Some(Bound::Most) || word(i.wrapping_sub(1), &["maximum", "most"]))
        {
            l.max_positions = Some(n);
        }
        let joined = c
            .tokens
            .get(i + 1)
            .is_some_and(|n| n.mark() == Some('-') || n.is(&["to", "and"]));
        if t.percent().is_some() || (t.plain().is_some() && joined) {
            let range = c
                .tokens
                .get(i + 2)
                .and_then(Token::percent)
                .filter(|_| joined);
            let each = |k: usize| {
                word(k + 1, &["each", "apiece"])
                    || (word(k + 1, &["per", "a", "in", "of", "for"])
                        && (word(
                            k + 2,
                            &[
                                "position", "name", "stock", "symbol", "any", "each", "share",
                                "asset", "one",
                            ],
                        )))
            };
            let about_position = (1..=5).any(|k| {
                i.checked_sub(k)
                    .and_then(|j| c.tokens.get(j))
                    .is_some_and(|t| {
                        t.is(&[
                            "position",
                            "weight",
                            "weights",
                            "positions",
                            "stock",
                            "name",
                        ])
                    })
            });
            if let Some(high) = range.filter(|_| each(i + 2) || about_position) {
                let low = t.percent().or_else(|| t.plain().map(|v| v / 100.0));
                l.min_weight = low;
                l.max_weight = Some(high);
            } else if let Some(v) = t.percent()
                && l.max_weight.is_none()
                && (each(i) || about_position)
            {
                match c.bound(i) {
                    Some(Bound::Least) => l.min_weight = Some(v),
                    Some(Bound::Most) => l.max_weight = Some(v),
                    None => {}
                }
            }
        }
        if t.is(&["long"]) && word(i + 1, &["only"])
            || t.is(&["no", "without"]) && word(i + 1, &["short", "shorts", "shorting"])
        {
            l.long_only = Some(true);
        }
    }
    l
}

fn rebalance_days(c: &Clause<'_>) -> Option<u32> {
    c.term(Term::Rebalance).and_then(|d| d.parse().ok())
}

fn optimise(c: &Clause<'_>) -> act::OptimisePortfolio {
    let l = limits(c);
    let mut params = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(v) = value {
            params.insert(name.to_owned(), v);
        }
    };
    put("min_weight", l.min_weight.map(Value::from));
    put("max_weight", l.max_weight.map(Value::from));
    put("max_positions", l.max_positions.map(Value::from));
    put("long_only", l.long_only.map(Value::from));
    let method = c.term(Term::Allocation);
    act::OptimisePortfolio {
        holdings: mine(c),
        selection: c
            .terms(Term::Style)
            .into_iter()
            .find(|(_, from, to)| {
                c.concepts("universe")
                    .any(|n| n.from >= *to && n.from - *to <= 1)
                    || c.tokens
                        .get(from.wrapping_sub(1))
                        .is_some_and(|t| t.is(&["using"]))
            })
            .map(|s| s.0.to_owned()),
        request: OptimiseRequest {
            symbols: c.symbols_at().into_iter().map(|s| s.0).collect(),
            start: c.days.start,
            end: c.days.end,
            method: method.map(str::to_owned),
            params,
            cost_bps: c.cost_bps(),
            rebalance_days: rebalance_days(c),
            ..OptimiseRequest::default()
        },
    }
}

/// A symbol that is compared with: after "against" or "versus", or beside "benchmark".
fn benchmark(c: &Clause<'_>) -> Option<(String, usize)> {
    let symbols = c.symbols_at();
    symbols.into_iter().find_map(|(s, from, to)| {
        let before = (1..=3).any(|k| {
            from.checked_sub(k)
                .and_then(|i| c.tokens.get(i))
                .is_some_and(|t| t.is(&["against", "versus", "vs", "benchmark"]))
        });
        let after = (0..=2).any(|k| c.tokens.get(to + k).is_some_and(|t| t.is(&["benchmark"])));
        (before || after).then_some((s, from))
    })
}

fn backtest_portfolio(c: &Clause<'_>) -> act::BacktestPortfolio {
    let compared = benchmark(c);
    let symbols: Vec<_> = c
        .symbols_at()
        .into_iter()
        .filter(|s| compared.as_ref().is_none_or(|b| b.1 != s.1))
        .collect();
    let weights: BTreeMap<String, f64> = c.pairs(&symbols).into_iter().collect();
    act::BacktestPortfolio {
        holdings: mine(c),
        symbols: if weights.is_empty() {
            symbols.into_iter().map(|s| s.0).collect()
        } else {
            Vec::new()
        },
        weights,
        rebalance_days: rebalance_days(c),
        cost_bps: c.cost_bps(),
        benchmark: compared.map(|b| b.0),
        start: c.days.start,
        end: c.days.end,
    }
}

fn portfolio_risk(c: &Clause<'_>) -> RiskRequest {
    let compared = benchmark(c);
    let symbols: Vec<_> = c
        .symbols_at()
        .into_iter()
        .filter(|s| compared.as_ref().is_none_or(|b| b.1 != s.1))
        .collect();
    let weights: BTreeMap<String, f64> = c.pairs(&symbols).into_iter().collect();
    let confidence = weights
        .is_empty()
        .then(|| {
            c.tokens
                .iter()
                .filter_map(Token::percent)
                .find(|p| *p >= 0.5)
        })
        .flatten();
    // A past crisis names days, but is no span to read prices from.
    let span = !(c.has("risk")
        && c.tokens
            .iter()
            .any(|t| t.is(&["another", "survive", "crisis"])));
    RiskRequest {
        weights,
        start: c.days.start.filter(|_| span),
        end: c.days.end.filter(|_| span),
        confidence,
        horizon: c.horizons().first().copied(),
        market: compared.map(|b| b.0),
        ..RiskRequest::default()
    }
}

fn what_if_portfolio(c: &Clause<'_>) -> act::WhatIfPortfolio {
    let symbols = c.symbols_at();
    let pairs = c.pairs(&symbols);
    let word = |words: &[&str]| c.tokens.iter().any(|t| t.is(words));
    let led = |at: usize, words: &[&str]| {
        (1..=2).any(|k| {
            at.checked_sub(k)
                .and_then(|i| c.tokens.get(i))
                .is_some_and(|t| t.is(words))
        })
    };
    let part = |word: &str| {
        c.tokens
            .windows(2)
            .any(|w| w[0].is(&["a"]) && w[1].is(&[word]))
    };
    // "falls by a quarter".
    let percent = c
        .tokens
        .iter()
        .find_map(Token::percent)
        .or_else(|| part("quarter").then_some(0.25))
        .or_else(|| part("third").then_some(1.0 / 3.0))
        .or_else(|| part("fifth").then_some(0.2))
        .or_else(|| part("tenth").then_some(0.1));
    let less = word(&[
        "sell", "sold", "cut", "reduce", "reduced", "trim", "trimmed", "lower", "lowered",
        "decrease", "drop", "dropped", "remove", "removed",
    ]);
    let more = word(&[
        "add",
        "added",
        "buy",
        "bought",
        "increase",
        "increased",
        "raise",
        "raised",
        "put",
    ]);
    // "the S&P falls 20 %" is a move of the market, not of a position.
    let index_moves = c.has("fall")
        && percent.is_some()
        && !symbols.is_empty()
        && !word(&["i", "we"])
        && symbols.iter().all(|(s, ..)| s == "SPX" || s == "IXIC");
    let mut made = act::WhatIfPortfolio::default();
    let from = symbols.iter().find(|s| led(s.1, &["from", "out"]));
    let to = symbols.iter().find(|s| led(s.1, &["to", "into"]));
    if let (Some(p), Some(from), Some(to)) = (percent, from, to) {
        made.request.change = BTreeMap::from([(from.0.clone(), -p), (to.0.clone(), p)]);
    } else if pairs.len() >= 2
        || (pairs.len() == 1 && word(&["were", "was", "held"]) && !less && !more)
    {
        made.request.target = pairs.into_iter().collect();
    } else if !symbols.is_empty() && !index_moves && !word(&["market", "stocks"]) {
        let half = c
            .tokens
            .iter()
            .find_map(|t| t.plain().filter(|v| *v > 0.0 && *v < 1.0));
        for (s, ..) in &symbols {
            if word(&["double", "doubled"]) {
                made.scale.insert(s.clone(), 2.0);
            } else if word(&["halve", "halved"]) {
                made.scale.insert(s.clone(), 0.5);
            } else if let Some(p) = percent.filter(|_| less || more) {
                made.request
                    .change
                    .insert(s.clone(), if less { -p } else { p });
            } else if let Some(h) = half.filter(|_| less) {
                made.scale.insert(s.clone(), 1.0 - h);
            } else if less {
                made.scale.insert(s.clone(), 0.0);
            }
        }
    } else if let Some(p) = percent {
        let up = word(&[
            "rise", "rises", "rally", "rallies", "gain", "gains", "up", "jump", "jumps",
        ]);
        made.market_shock = Some(if up { p.abs() } else { -p.abs() });
    }
    made.request = WhatIfRequest {
        start: c.days.start,
        end: c.days.end,
        ..made.request
    };
    made
}

fn run_backtest(c: &Clause<'_>) -> BacktestRequest {
    let compared = benchmark(c);
    let row = c.strategy_row();
    let mut params = Map::new();
    for (name, value) in row.map(|r| r.1).unwrap_or_default() {
        params.insert((*name).to_owned(), Value::from(*value));
    }
    let counts: Vec<(usize, u32)> = c
        .tokens
        .iter()
        .enumerate()
        .filter_map(|(i, t)| Some((i, t.count()?)))
        .collect();
    // "20/50", "50 and 200 day" before the name of a crossover.
    for pair in counts.windows(2) {
        let between = c.tokens.get(pair[0].0 + 1);
        let dated = c
            .days
            .used
            .iter()
            .any(|(f, t)| *f <= pair[0].0 && pair[0].0 < *t);
        if pair[1].0 == pair[0].0 + 2
            && !dated
            && between.is_some_and(|t| t.mark().is_some_and(|m| m == '/' || m == '-'))
            && row.is_some_and(|r| r.0 == "sma_crossover")
        {
            params.insert("fast".to_owned(), Value::from(pair[0].1));
            params.insert("slow".to_owned(), Value::from(pair[1].1));
        }
    }
    for name in ["fast", "slow", "period", "lower", "upper", "window"] {
        if let Some(n) = count_words_after(c, name) {
            params.insert(name.to_owned(), Value::from(n));
        }
    }
    let cash = c
        .tokens
        .iter()
        .find_map(|t| match t.piece {
            Piece::Number {
                value,
                unit: super::text::Unit::Money,
                ..
            } => Some(value),
            _ => None,
        })
        .or_else(|| c.labelled(&["cash", "capital"], |t| t.plain().filter(|v| *v >= 100.0)));
    BacktestRequest {
        symbols: c
            .symbols()
            .into_iter()
            .filter(|s| compared.as_ref().is_none_or(|b| b.0 != *s))
            .collect(),
        start: c.days.start,
        end: c.days.end,
        strategy: row.map_or(Value::Null, |r| Value::from(r.0)),
        params,
        cash,
        costs: c.cost_bps().map(|bps| CostSpec {
            rate: (bps * 1e6).round() / 1e10,
            ..CostSpec::default()
        }),
        benchmark: compared.map(|b| b.0),
        ..BacktestRequest::default()
    }
}

fn count_words_after(c: &Clause<'_>, name: &str) -> Option<u32> {
    let i = c.tokens.iter().position(|t| t.is(&[name]))?;
    (1..=3).find_map(|k| c.tokens.get(i + k).and_then(Token::count))
}

fn develop(c: &Clause<'_>) -> act::DevelopStrategy {
    let strategy = c.concepts("strategy").map(|n| (n.from, n.to)).next();
    let begins = |t: &Token| {
        t.is(&[
            "on",
            "using",
            "around",
            "uses",
            "use",
            "from",
            "with",
            "about",
            "exploiting",
            "exploits",
            "of",
            "that",
            "which",
            "where",
            "based",
        ])
    };
    let mut idea = String::new();
    if let Some((from, to)) = strategy {
        // The last of "that uses", "based on".
        let start = (to..c.tokens.len())
            .find(|i| begins(&c.tokens[*i]))
            .map(|mut i| {
                while c.tokens.get(i + 1).is_some_and(begins) {
                    i += 1;
                }
                i
            });
        let start = c
            .tokens
            .iter()
            .position(|t| t.mark() == Some(':'))
            .or(start);
        let end = idea_end(c);
        let on_symbols = start.is_some_and(|s| s + 1 >= end);
        if let Some(start) = start.filter(|_| !on_symbols) {
            idea = c.words(start + 1, end);
        }
        if idea.is_empty() {
            // "a breakout strategy", "a pairs trading strategy".
            let article = (0..from).rev().find(|i| {
                c.tokens[*i].is(&[
                    "a", "an", "new", "the", "up", "me", "simple", "develop", "design", "create",
                    "build",
                ])
            });
            if let Some(article) = article {
                // "trading strategy" is one thing, "pairs trading" another.
                let named = c.words(article + 1, from);
                let trading = c.tokens[from].is(&["trading"]) && !named.is_empty();
                let alone = c
                    .terms(Term::Topic)
                    .iter()
                    .any(|t| t.1 > article && t.2 == from + 1);
                idea = if trading && alone {
                    c.words(article + 1, from + 1)
                } else {
                    named
                };
            }
        }
    }
    let leads = ["from", "around", "using", "on"];
    if idea.is_empty()
        && let Some(start) = c.tokens.iter().position(|t| t.is(&leads))
    {
        // "something tradable from options flow? A strategy please".
        let end = (start..c.tokens.len())
            .find(|i| c.tokens[*i].mark().is_some())
            .unwrap_or_else(|| idea_end(c));
        idea = c.words(start + 1, end);
    }
    act::DevelopStrategy {
        idea,
        ingredients: topics_longest(c),
        symbols: c.symbols_at().into_iter().map(|s| s.0).collect(),
        start: c.days.start,
        end: c.days.end,
    }
}

/// Topics for a strategy: earnings momentum is both earnings and momentum.
fn topics_longest(c: &Clause<'_>) -> Vec<String> {
    let mut all = topics(c);
    if c.tokens.iter().any(|t| t.is(&["momentum"])) && !all.iter().any(|t| t == "momentum") {
        all.push("momentum".to_owned());
    }
    all
}

/// Where an idea ends: before "for" or "on" with nothing but symbols after it.
fn idea_end(c: &Clause<'_>) -> usize {
    let symbols = c.symbols_at();
    for i in (0..c.tokens.len()).rev() {
        let t = &c.tokens[i];
        if t.is(&["for", "on", "in"]) {
            let only = (i + 1..c.tokens.len()).all(|k| {
                c.tokens[k].mark().is_some()
                    || c.tokens[k].is(&["and", "the"])
                    || symbols.iter().any(|(_, f, t)| *f <= k && k < *t)
            });
            if only && i + 1 < c.tokens.len() {
                return i;
            }
        }
    }
    c.tokens.len()
}

fn create_alert(c: &Clause<'_>) -> act::CreateAlert {
    let holdings = !c.concepts("portfolio").collect::<Vec<_>>().is_empty();
    let mut alert = act::CreateAlert {
        holdings,
        symbols: if holdings {
            c.symbols_at().into_iter().map(|s| s.0).collect()
        } else {
            c.symbols()
        },
        ..act::CreateAlert::default()
    };
    let percent = c.tokens.iter().find_map(Token::percent);
    let falls = c.tokens.iter().any(|t| {
        t.is(&[
            "falls", "fall", "drops", "drop", "loses", "lose", "declines", "down", "below",
            "under", "crashes", "sinks", "dips",
        ])
    });
    for topic in topics(c) {
        let known = [
            "regime",
            "volatility",
            "momentum",
            "correlation",
            "volume",
            "trend",
            "drawdown",
        ];
        if known.contains(&topic.as_str()) {
            alert.triggers.push(topic);
        }
    }
    // "10 % from its peak" is a drawdown, "5 % in a day" is none.
    let of_words = |first: &[&str], second: &[&str]| {
        c.tokens
            .windows(2)
            .any(|w| w[0].is(first) && w[1].is(second))
    };
    let peak = of_words(
        &["its", "the", "their", "from", "a"],
        &["peak", "peaks", "high", "highs", "top"],
    ) && c.tokens.iter().any(|t| t.is(&["from", "below", "off"]));
    let in_a_day = of_words(&["a", "one", "single", "any"], &["day", "session"])
        || c.tokens.iter().any(|t| t.is(&["daily", "intraday"]))
        || c.durations.iter().any(|d| d.bars() == [1]);
    if percent.is_some() && (c.has("fall") || falls) {
        if in_a_day && !c.tokens.iter().any(|t| t.is(&["drawdown", "drawdowns"])) {
            alert.triggers.retain(|t| t != "drawdown");
        } else if peak && !alert.triggers.iter().any(|t| t == "drawdown") {
            alert.triggers.push("drawdown".to_owned());
        }
    }
    if let Some(p) = percent {
        if alert.triggers.iter().any(|t| t == "drawdown") {
            alert.drawdown = Some(p.abs());
        } else if c.has("fall") || falls {
            alert.triggers.push("move".to_owned());
            alert.daily_move = Some(if falls { -p.abs() } else { p.abs() });
        }
    }
    let every = c.durations.iter().find(|d| d.purpose == Use::Every);
    alert.every_minutes = every.and_then(super::time::Duration::minutes);
    for (i, t) in c.tokens.iter().enumerate() {
        let taken = c.durations.iter().any(|d| d.from <= i && i < d.to)
            || c.days.used.iter().any(|(f, to)| *f <= i && i < *to)
            || c.notes.iter().any(|n| {
                n.from <= i && i < n.to && matches!(n.seen, super::notice::Seen::Symbol(_))
            });
        let Some(price) = Clause::price(t).filter(|_| !taken) else {
            continue;
        };
        let side = (1..=3).find_map(|k| {
            let w = c.tokens.get(i.checked_sub(k)?)?;
            if w.is(&["above", "over", "exceeds", "past", "tops", "beyond"])
                || w.mark() == Some('>')
            {
                Some(Bound::Least)
            } else if w.is(&["below", "under", "beneath"]) || w.mark() == Some('<') {
                Some(Bound::Most)
            } else if w.is(&["to", "hits", "reaches", "at"]) {
                Some(if falls { Bound::Most } else { Bound::Least })
            } else {
                None
            }
        });
        match side {
            Some(Bound::Least) => alert.price_above = Some(price),
            Some(Bound::Most) => alert.price_below = Some(price),
            None => {}
        }
    }
    alert
}

fn remove_alert(c: &Clause<'_>) -> act::RemoveAlert {
    let alert = c.ids("a-").into_iter().next().or_else(|| {
        c.refers(&["alert_thing"], false)
            .then(|| c.context.last_alert.clone())
            .flatten()
            .filter(|_| {
                c.tokens
                    .iter()
                    .any(|t| t.is(&["last", "latest", "this", "that", "newest"]))
            })
    });
    let symbols: Vec<String> = c.symbols_at().into_iter().map(|s| s.0).collect();
    let holdings = !c.concepts("portfolio").collect::<Vec<_>>().is_empty();
    let all = symbols.is_empty()
        && !holdings
        && alert.is_none()
        && c.tokens
            .iter()
            .any(|t| t.is(&["all", "every", "everything", "more"]));
    act::RemoveAlert {
        alert,
        symbols,
        holdings,
        all,
    }
}

fn price_option(c: &Clause<'_>, answer: Option<&str>) -> act::PriceOption {
    let percent = |words: &[&str]| c.percent_of(words);
    // "a call on it": the one spoken of before.
    let symbol = c.symbols().into_iter().next();
    // A share without its sign: "sigma=0.2".
    let share = |t: &Token| {
        t.percent()
            .or_else(|| t.plain().filter(|v| *v > 0.0 && *v < 2.0))
    };
    // "S=100, K=95, r=3%".
    let equals = |name: &str| {
        c.tokens
            .windows(3)
            .find(|w| w[0].is(&[name]) && w[1].mark() == Some('='))
            .map(|w| &w[2])
    };
    let spot = c
        .labelled(&["spot", "underlying"], Clause::price)
        .or_else(|| equals("s").and_then(Clause::price));
    let in_time = |i: usize| {
        c.durations.iter().any(|d| d.from <= i && i < d.to)
            || c.days.used.iter().any(|(f, t)| *f <= i && i < *t)
            || c.notes.iter().any(|n| {
                n.from <= i && i < n.to && matches!(n.seen, super::notice::Seen::Symbol(_))
            })
    };
    let free = |i: usize| Clause::price(&c.tokens[i]).filter(|v| !in_time(i) && Some(*v) != spot);
    // After a word of its own, then "at 150", then the one number that is left.
    let named = c.tokens.iter().enumerate().find_map(|(i, t)| {
        t.is(&["strike", "struck", "exercise"])
            .then(|| c.bound_to(i, i + 1, Clause::price))
            .flatten()
            .filter(|(_, at)| !in_time(*at))
            .map(|f| f.0)
    });
    let led = || {
        (1..c.tokens.len())
            .filter(|i| c.tokens[i - 1].is(&["at"]) || c.tokens[i - 1].mark() == Some('@'))
            .find_map(free)
    };
    let left = || (0..c.tokens.len()).find_map(free);
    let expiry_day = c.days.start.or(c.days.end).or(c.days.as_of);
    act::PriceOption {
        symbol,
        spot,
        right: match c.terms(Term::Right).first().map(|t| t.0) {
            Some("call") => Some(act::OptionRight::Call),
            Some("put") => Some(act::OptionRight::Put),
            _ => None,
        },
        strike: equals("k")
            .and_then(Clause::price)
            .or(named)
            .or_else(led)
            .or_else(left)
            .filter(|_| answer != Some("spot")),
        at_the_money: c
            .tokens
            .windows(3)
            .any(|w| w[0].is(&["at"]) && w[1].is(&["the"]) && w[2].is(&["money"]))
            || c.tokens.iter().any(|t| t.is(&["atm"])),
        days: c
            .durations
            .iter()
            .find(|d| d.purpose == Use::Plain)
            .and_then(super::time::Duration::calendar_days),
        expiry: expiry_day,
        volatility: percent(&["vol", "volatility", "sigma", "iv"]).or_else(|| {
            ["vol", "volatility", "sigma", "iv"]
                .iter()
                .find_map(|n| equals(n).and_then(share))
        }),
        rate: percent(&["rate", "interest", "riskless"])
            .or_else(|| equals("r").or_else(|| equals("rate")).and_then(share)),
        dividend_yield: percent(&["dividend", "dividends", "yield"]),
        style: match c.term(Term::Exercise) {
            Some("american") => Some(act::ExerciseStyle::American),
            Some("european") => Some(act::ExerciseStyle::European),
            _ => None,
        },
        method: c.term(Term::Pricing).map(str::to_owned),
    }
}

fn dataset(c: &Clause<'_>) -> Option<String> {
    c.dataset_id().or_else(|| c.symbols().into_iter().next())
}

fn run_model(c: &Clause<'_>) -> act::RunModel {
    let model = c
        .tools()
        .into_iter()
        .next()
        .or_else(|| c.entries().into_iter().next())
        .unwrap_or_default();
    let mut params = Map::new();
    if let Some(n) = count_words_after(c, "period").or_else(|| {
        c.durations
            .iter()
            .find(|d| d.purpose == Use::Lookback)
            .and_then(|d| d.bars().first().copied())
    }) {
        params.insert("period".to_owned(), Value::from(n));
    }
    act::RunModel {
        model,
        request: RunRequest {
            dataset: dataset(c),
            start: c.days.start,
            end: c.days.end,
            params,
            ..RunRequest::default()
        },
    }
}

fn audit(c: &Clause<'_>) -> AuditFilter {
    let at = |day: chrono::NaiveDate| day.and_hms_opt(0, 0, 0).map(|t| t.and_utc());
    // "this week" and "today" last until now; a span in the past has an end.
    let until = c
        .days
        .end
        .filter(|e| *e < c.context.today)
        .and_then(|e| e.succ_opt())
        .and_then(at);
    AuditFilter {
        action: c.term(Term::Audited).map(str::to_owned),
        subject: c
            .ids("t-")
            .into_iter()
            .chain(c.ids("b-"))
            .next()
            .or_else(|| c.dataset_id()),
        decision: c.has("refused").then(|| "refused".to_owned()),
        since: c.days.start.and_then(at),
        until,
        ..AuditFilter::default()
    }
}

fn fetch(c: &Clause<'_>) -> FetchRequest {
    let source = c.term(Term::Source).map(str::to_owned).unwrap_or_default();
    let series_named = c
        .tokens
        .iter()
        .position(|t| t.is(&["series"]))
        .and_then(|i| c.tokens.get(i + 1))
        .filter(|t| t.is_word() && t.text.to_uppercase() == t.text)
        .map(|t| t.text.clone());
    let upper = c
        .tokens
        .iter()
        .find(|t| {
            t.is_word()
                && t.text.len() >= 3
                && t.text.to_uppercase() == t.text
                && t.text.bytes().any(|b| b.is_ascii_uppercase())
                && !t.is(&["fred"])
        })
        .map(|t| t.text.clone());
    let symbol = c.symbols_at().into_iter().next().map(|s| s.0);
    let series = series_named.or_else(|| {
        (source == "fred")
            .then(|| upper.or_else(|| symbol.clone()))
            .flatten()
    });
    FetchRequest {
        source,
        symbol: if series.is_some() { None } else { symbol },
        series,
        start: c.days.start,
        end: c.days.end,
        as_of: c.days.as_of,
        span: c.term(Term::BarSpan).map(str::to_owned).or_else(|| {
            c.durations
                .iter()
                .find(|d| d.unit == super::time::Span::Hour)
                .map(|_| "hour".to_owned())
        }),
        adjusted: c.tokens.iter().any(|t| t.is(&["adjusted"])),
        failover: Vec::new(),
    }
}

fn set_goal(c: &Clause<'_>, answer: Option<&str>) -> act::SetGoal {
    let mut begin = 0;
    if answer != Some("text") {
        let of = |names: &[&str]| {
            names
                .iter()
                .filter_map(|n| c.concepts(n).map(|n| n.to).next())
                .max()
        };
        begin = of(&["goal_is", "goal"])
            .or_else(|| of(&["want"]))
            .unwrap_or(0);
        while c.tokens.get(begin).is_some_and(|t| {
            t.is(&["to", "is", "be", "should", "as", "for", "of", "now"]) || t.mark().is_some()
        }) {
            begin += 1;
        }
    }
    // "8 % a year, make that the goal": what stands before it.
    if c.words(begin, c.tokens.len()).is_empty() && !c.terms(Term::Metric).is_empty() {
        begin = 0;
    }
    let l = limits(c);
    let mut metrics: Vec<act::GoalMetric> = Vec::new();
    for (metric, from, to) in c.terms(Term::Metric) {
        if from < begin || metrics.iter().any(|m| m.metric == metric) {
            continue;
        }
        let share = ![
            "sharpe_ratio",
            "sortino_ratio",
            "calmar_ratio",
            "information_ratio",
            "profit_factor",
            "beta",
            "r2",
            "rmse",
            "mae",
        ]
        .contains(&metric);
        let read = |t: &Token| if share { t.percent() } else { t.plain() };
        let mut made = act::GoalMetric {
            metric: metric.to_owned(),
            ..act::GoalMetric::default()
        };
        let lower_is_better = [
            "max_drawdown",
            "annual_volatility",
            "turnover",
            "rmse",
            "mae",
        ]
        .contains(&metric);
        if let Some((v, at)) = c.bound_to(from, to, read) {
            match c.bound(at) {
                Some(Bound::Least) => made.at_least = Some(v),
                Some(Bound::Most) => made.at_most = Some(v),
                None if lower_is_better => made.at_most = Some(v),
                None => made.at_least = Some(v),
            }
        } else if (1..=3).any(|k| {
            from.checked_sub(k)
                .and_then(|i| c.tokens.get(i))
                .is_some_and(|t| {
                    t.is(&[
                        "maximum", "max", "maximise", "maximize", "best", "highest", "high",
                    ])
                })
        }) {
            made.aim = Some("maximise".to_owned());
        } else if (1..=3).any(|k| {
            from.checked_sub(k)
                .and_then(|i| c.tokens.get(i))
                .is_some_and(|t| {
                    t.is(&[
                        "minimum", "min", "minimise", "minimize", "lowest", "least", "low",
                    ])
                })
        }) {
            made.aim = Some("minimise".to_owned());
        } else {
            continue;
        }
        metrics.push(made);
    }
    act::SetGoal {
        text: c.words(begin, c.tokens.len()),
        metrics,
        max_positions: l.max_positions,
        min_weight: l.min_weight,
        max_weight: l.max_weight,
        long_only: l.long_only,
    }
}

/// What is said after a colon, or after "to", or after the last of these concepts.
fn free_text(c: &Clause<'_>, after: &[&str], all: bool) -> String {
    let end = c.tokens.len();
    if all {
        return c.words(0, end);
    }
    if let Some(i) = c.tokens.iter().position(|t| t.mark() == Some(':')) {
        return c.words(i + 1, end);
    }
    let begin = after
        .iter()
        .filter_map(|n| c.concepts(n).map(|n| n.to).next())
        .max()
        .unwrap_or(0);
    let to = (begin.saturating_sub(1)..end).find(|i| c.tokens[*i].is(&["to", "that"]));
    if let Some(i) = to {
        return c.words(i + 1, end);
    }
    let begin = after
        .first()
        .and_then(|n| c.concepts(n).map(|n| n.to).next())
        .unwrap_or(begin);
    // "... in this trial" says where, not what.
    let tail = c
        .concepts("trial")
        .map(|n| n.from)
        .find(|f| *f > begin)
        .and_then(|f| {
            (begin..f)
                .rev()
                .find(|i| c.tokens[*i].is(&["in", "for", "to"]))
        });
    let words = c.words(begin, tail.unwrap_or(end));
    // "teach a methodology": says nothing yet.
    let empty = [
        "a",
        "an",
        "new",
        "the",
        "methodology",
        "method",
        "recipe",
        "engine",
        "you",
        "me",
        "some",
        "advice",
    ];
    if words
        .to_lowercase()
        .split_whitespace()
        .all(|w| empty.contains(&w))
    {
        return String::new();
    }
    if [
        "you something",
        "something",
        "me",
        "please",
        "it",
        "me something",
    ]
    .contains(&words.to_lowercase().as_str())
    {
        return String::new();
    }
    words
}

fn query(c: &Clause<'_>, all: bool) -> String {
    if let Some(t) = c.tokens.iter().find(|t| t.piece == Piece::Quoted) {
        return t.text.trim().to_owned();
    }
    let end = c.tokens.len();
    if all {
        return c.words(0, end);
    }
    let begin = c
        .concepts("remember")
        .chain(c.concepts("memory"))
        .map(|n| n.to)
        .max()
        .unwrap_or(0);
    let led = (begin..end).find(|i| c.tokens[*i].is(&["about", "for", "on", "regarding", "with"]));
    // "... where we talked about Tesla": the phrase itself leads to it.
    let start = led.map_or(begin, |i| i + 1);
    if start >= end {
        return String::new();
    }
    // Days at the end say when.
    let stop = c
        .days
        .used
        .iter()
        .filter(|(f, t)| *f > start && *t == end - usize::from(c.tokens[end - 1].mark().is_some()))
        .map(|(f, _)| *f)
        .min()
        .unwrap_or(end);
    c.words(start, stop)
}
