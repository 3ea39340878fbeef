//! The analysis of a symbol: agents look at its data, state and models, and an answer is drawn from what
//! they measured.
//!
//! Formula: a model's forecast from the last day is weighed by how often its own forecasts of the same
//! sign were right out of sample: confidence = (hits + 1) / (cases + 2) (Laplace's rule). The range is the
//! forecast plus the 10 % and 90 % quantiles of that model's errors out of sample (split conformal; Vovk,
//! Gammerman and Shafer 2005). The direction is that of the vote of the models.
//! Not claimed: that a measured frequency holds in the future, or anything about days after a change of
//! regime.

use super::data::{YEAR, moments, returns, shown, shown_percent};
use super::trials::{best, leaderboard};
use super::{Authority, Reply, Stage, job};
use crate::{ServiceError, Services};
use mltrainer_types::assistant::AnalyseSymbol;
use mltrainer_types::chat::ActionOutcome;
use mltrainer_types::data::DatasetKind;
use mltrainer_types::run::RunRequest;
use mltrainer_types::trial::{ModelRequest, PredictionSeries, Target, TrialRequest, TrialView};
use serde::Serialize;
use serde_json::{Value, json};

/// The six of the standard analysis: linear, forest, boosting, support vectors, a network, and their vote.
const SIX: [&str; 6] = [
    "ridge",
    "random_forest_50",
    "xgboost",
    "svr",
    "mlp_20",
    "voting",
];

/// Indicators of the state of a symbol: entry, what it belongs to, name.
const STATE: [(&str, &str, &str); 4] = [
    ("rsi", "momentum", "RSI of 14 days"),
    ("roc", "momentum", "change over 10 days, percent"),
    ("adx", "trend", "ADX of 14 days"),
    ("natr", "natr", "average true range, percent of the price"),
];

/// What a model says from the last day, and how good it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Opinion {
    model: String,
    title: String,
    horizon: u32,
    forecast: f64,
    /// Out-of-sample forecasts of the same sign, and how many of them were right.
    cases: usize,
    hits: usize,
    /// By Laplace's rule.
    confidence: f64,
    /// Forecast and the quantiles of the errors.
    low: f64,
    high: f64,
    beats_baseline: bool,
}

/// The value below which a share of the sorted ones lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (share * last as f64).round() as usize;
    sorted.get(at.min(last)).copied().unwrap_or(f64::NAN)
}

fn opinion(forecast: f64, title: &str, series: &PredictionSeries, beats: bool) -> Option<Opinion> {
    let pairs: Vec<(f64, f64)> = series
        .predicted
        .iter()
        .zip(&series.actual)
        .filter_map(|(p, a)| Some(((*p)?, *a)))
        .collect();
    let same: Vec<&(f64, f64)> = pairs
        .iter()
        .filter(|(p, _)| (*p >= 0.0) == (forecast >= 0.0))
        .collect();
    let hits = same
        .iter()
        .filter(|(p, a)| (*p >= 0.0) == (*a >= 0.0))
        .count();
    let mut errors: Vec<f64> = pairs.iter().map(|(p, a)| a - p).collect();
    errors.sort_by(f64::total_cmp);
    if errors.is_empty() {
        return None;
    }
    Some(Opinion {
        model: series.model.clone(),
        title: title.to_owned(),
        horizon: series.horizon,
        forecast,
        cases: same.len(),
        hits,
        confidence: (hits as f64 + 1.0) / (same.len() as f64 + 2.0),
        low: forecast + quantile(&errors, 0.1),
        high: forecast + quantile(&errors, 0.9),
        beats_baseline: beats,
    })
}

impl Services {
    pub(super) async fn act_analyse_symbol(
        &self,
        who: &Authority,
        p: &AnalyseSymbol,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let target = p.target.unwrap_or(Target::Return);
        let mut outcome = None;
        let mut results = serde_json::Map::new();
        for symbol in p.symbols.iter().take(3) {
            let (one, result) = self.analyse_one(who, p, symbol, target, stage).await?;
            results.insert(symbol.clone(), result);
            match &mut outcome {
                None => outcome = Some(one),
                Some(all) => merge(all, one),
            }
        }
        let mut outcome = outcome
            .ok_or_else(|| ServiceError::invalid("symbols", "Which symbol should I analyse?"))?;
        if p.symbols.len() > 3 {
            outcome.notes.push(
                "Three symbols are analysed at a time: ask for the others by themselves."
                    .to_owned(),
            );
        }
        outcome.result = Value::Object(results);
        Ok(outcome)
    }

    async fn analyse_one(
        &self,
        who: &Authority,
        p: &AnalyseSymbol,
        symbol: &str,
        target: Target,
        stage: &Stage,
    ) -> Result<(ActionOutcome, Value), ServiceError> {
        // Data agent.
        let set = self.dataset_named(symbol).await?;
        let link = format!("/data/{}", set.id);
        let bars = self.bars(set.id.as_str(), p.start, p.end).await?;
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
            return Err(ServiceError::BadData(format!(
                "{symbol} has no day in that span; it has days from {} to {}",
                set.first, set.last
            )));
        };
        let mut said = Reply::new(Some(link.clone()));
        let (n, from, to, quality) = (
            said.count("rows", bars.len()),
            said.day("first day", first.date),
            said.day("last day", last.date),
            said.decimal("quality of the data", set.quality, 1),
        );
        let name = said.name("symbol", symbol);
        said.say(&format!(
            "{name}: {n} days from {from} to {to}, quality {quality}."
        ));
        stage.tell("Data agent", said.done(&stage.said, &set)?);
        // Feature agent.
        let mut said = Reply::new(Some(format!("/analytics?dataset={}", set.id)));
        let state = self
            .state(&mut said, set.id.as_str(), p, &bars, set.kind)
            .await;
        let state_rows = state.clone();
        said.table("State on the last day", &["Figure", "Value"], state.clone());
        said.say("The state on the last day was computed from days up to it.");
        stage.tell("Feature agent", said.done(&stage.said, &state)?);
        // Model agent.
        let horizons = if p.horizons.is_empty() {
            vec![5]
        } else {
            p.horizons.clone()
        };
        let mut request = TrialRequest::for_symbols([symbol]);
        request.start = p.start;
        request.end = p.end;
        request.target = Some(target);
        request.horizons.clone_from(&horizons);
        request.models = if p.models.is_empty() && target != Target::Direction {
            SIX.iter()
                .map(|id| match *id {
                    "voting" => ModelRequest::WithParams {
                        model: "voting".to_owned(),
                        params: json!({ "estimators": &SIX[..3] })
                            .as_object()
                            .cloned()
                            .unwrap_or_default(),
                    },
                    id => ModelRequest::Id(id.to_owned()),
                })
                .collect()
        } else {
            p.models.iter().cloned().map(ModelRequest::Id).collect()
        };
        self.steer(&mut request).await?;
        let view = self.trial_of(who, request, stage, symbol).await?;
        let mut reply = Reply::new(None);
        reply.job(job("trial", view.id.as_str()));
        if !view.state.is_final() {
            let name = reply.name("symbol", symbol);
            reply.say(&format!(
                "The analysis of {name} was begun as a trial; ask again when it has ended."
            ));
            return Ok((reply.done(&stage.said, &view)?, json!({ "trial": view.id })));
        }
        // Evaluation agent.
        let mut said = Reply::new(Some(format!("/trials/{}", view.id)));
        if let Some(verdict) = &view.verdict {
            let text = said.name("verdict", &verdict.text);
            said.say(&text);
        }
        stage.tell("Evaluation agent", said.done(&stage.said, &view.verdict)?);
        let opinions = if matches!(target, Target::Return) {
            self.opinions(&view, set.id.as_str()).await?
        } else {
            Vec::new()
        };
        let edge = view.verdict.as_ref().is_some_and(|v| v.found_edge);
        answer(&mut reply, symbol, &view, &opinions, edge, last.close);
        leaderboard(&mut reply, &view);
        reply.table("State on the last day", &["Figure", "Value"], state_rows);
        self.risks(&mut reply, p, set.id.as_str(), &bars).await;
        reply.next("Explain the result");
        reply.next(format!(
            "What if I forecast the volatility of {symbol} instead?"
        ));
        reply.next(format!("Backtest momentum on {symbol}"));
        let result = json!({
            "trial": view.id, "result_sha256": view.result_sha256, "verdict": view.verdict,
            "opinions": opinions, "state": state, "last": last,
        });
        let outcome = reply.done(&stage.said, &result)?;
        Ok((outcome, result))
    }

    /// Indicators and changes on the last day.
    async fn state(
        &self,
        reply: &mut Reply,
        id: &str,
        p: &AnalyseSymbol,
        bars: &[mltrainer_types::data::Bar],
        kind: DatasetKind,
    ) -> Vec<Vec<String>> {
        let closes: Vec<f64> = bars.iter().map(|b| b.close).collect();
        let n = closes.len();
        // What was asked for, where any of it is a part of the state; else everything.
        let known = ["momentum", "trend", "volatility"];
        let all = !p.focus.iter().any(|f| known.contains(&f.as_str()));
        let wanted = |part: &str| all || p.focus.iter().any(|f| f == part);
        let other: Vec<&str> = p
            .focus
            .iter()
            .map(String::as_str)
            .filter(|f| !known.contains(f) && !["earnings", "options_activity"].contains(f))
            .collect();
        if !other.is_empty() {
            reply.note(format!(
                "The state has no part of its own for {}.",
                other.join(", ")
            ));
        }
        let mut rows = Vec::new();
        for days in [21, 63, 126] {
            if n > days && wanted("momentum") {
                let change = closes[n - 1] / closes[n - 1 - days] - 1.0;
                rows.push(vec![
                    format!("Change over {days} days"),
                    shown_percent(change),
                ]);
            }
        }
        for days in [50, 200] {
            if n >= days && wanted("trend") {
                let mean = closes[n - days..].iter().sum::<f64>() / days as f64;
                let over = closes[n - 1] / mean - 1.0;
                rows.push(vec![
                    format!("Above its mean of {days} days"),
                    shown_percent(over),
                ]);
            }
        }
        if n > 21 && wanted("volatility") {
            let v = moments(&returns(&closes[n - 22..])).1 * YEAR.sqrt();
            rows.push(vec![
                "Volatility of 21 days, a year".to_owned(),
                shown_percent(v),
            ]);
        }
        for (entry, part, name) in STATE {
            // ADX and the true range need highs and lows.
            let needs_bars = entry == "adx" || entry == "natr";
            if !wanted(part) || (kind == DatasetKind::Closes && needs_bars) {
                continue;
            }
            let request = RunRequest {
                dataset: Some(id.to_owned()),
                start: p.start,
                end: p.end,
                ..RunRequest::default()
            };
            match self.run(entry, request).await {
                Ok(run) => {
                    let out = run.outputs.get(entry).and_then(Value::as_array);
                    let value = out.and_then(|a| a.last()?.as_f64());
                    rows.push(vec![name.to_owned(), shown(value)]);
                }
                Err(e) => reply.note(format!("{name} is not known: {e}.")),
            }
        }
        rows
    }

    /// What each model of a trial says from the last day.
    async fn opinions(
        &self,
        view: &TrialView,
        dataset: &str,
    ) -> Result<Vec<Opinion>, ServiceError> {
        let series = self.predictions(view.id.as_str()).await?;
        let mut all = Vec::new();
        for (place, spec) in (0_u32..).zip(&view.spec.models) {
            if spec.baseline {
                continue;
            }
            for horizon in &view.spec.horizons {
                let mine = |s: &&PredictionSeries| s.model_index == place && s.horizon == *horizon;
                let Some(series) = series.iter().find(mine) else {
                    continue;
                };
                let request = RunRequest {
                    dataset: Some(dataset.to_owned()),
                    start: view.spec.start,
                    end: view.spec.end,
                    target: Some("return".to_owned()),
                    horizon: Some(*horizon),
                    params: spec.params.clone(),
                    ..RunRequest::default()
                };
                let row = view
                    .leaderboard
                    .iter()
                    .find(|r| r.model == spec.model && r.horizon == *horizon);
                let title = row.map_or(spec.model.as_str(), |r| r.title.as_str());
                match self.forecast_ahead(&spec.model, request).await {
                    Ok(ahead) => {
                        let beats = row.is_some_and(|r| r.beats_baseline);
                        all.extend(opinion(ahead.value, title, series, beats));
                    }
                    Err(ServiceError::Internal(text)) => return Err(ServiceError::Internal(text)),
                    // A model that cannot be fitted here says nothing.
                    Err(_) => {}
                }
            }
        }
        Ok(all)
    }

    /// What can go wrong, as far as there are data for it; what is missing is said.
    async fn risks(
        &self,
        reply: &mut Reply,
        p: &AnalyseSymbol,
        id: &str,
        bars: &[mltrainer_types::data::Bar],
    ) {
        let closes: Vec<f64> = bars.iter().map(|b| b.close).collect();
        let mut said = Vec::new();
        if closes.len() > 253 {
            let (year, all) = (
                moments(&returns(&closes[closes.len() - 253..])).1 * YEAR.sqrt(),
                moments(&returns(&closes)).1 * YEAR.sqrt(),
            );
            let (year, all) = (
                reply.percent("volatility of the last year", year),
                reply.percent("volatility over the span", all),
            );
            said.push(format!(
                "volatility {year} in the last year against {all} over the span"
            ));
        }
        let last = bars.last().map(|b| b.date);
        let vix = self.bars("bundled:VIXCLS", None, last).await.ok();
        match vix.as_ref().and_then(|v| v.last()) {
            Some(v) if last.is_some_and(|d| (d - v.date).num_days() < 10) => {
                let (v, day) = (
                    reply.decimal("VIX", v.close, 1),
                    reply.day("its day", v.date),
                );
                said.push(format!("VIX {v} on {day}"));
            }
            _ => reply.note("The VIX is not registered for these days: fetch VIXCLS from fred."),
        }
        let request = mltrainer_types::analytics::AnalyticsRequest {
            dataset: id.to_owned(),
            with: vec!["SPX".to_owned()],
            start: p.start,
            end: p.end,
            ..Default::default()
        };
        if let Ok(c) = self.correlation(&request).await
            && let Some(Some(x)) = c.matrix.first().and_then(|r| r.get(1))
        {
            let x = reply.decimal("correlation with SPX", *x, 2);
            said.push(format!("correlation with the S&P 500 {x}"));
        }
        if !said.is_empty() {
            reply.paragraph(&format!("Risks: {}.", said.join("; ")));
        }
        reply.note("Events ahead (earnings dates, dividends) and option prices are not registered: nothing is said about them.");
    }
}

/// The answer: direction with its confidence, range, agreement, and what the trial found.
fn answer(
    reply: &mut Reply,
    symbol: &str,
    view: &TrialView,
    opinions: &[Opinion],
    edge: bool,
    close: f64,
) {
    let name = reply.name("symbol", symbol);
    if opinions.is_empty() {
        reply.say(&format!("{name}:"));
        super::trials::report(reply, view);
        return;
    }
    for horizon in &view.spec.horizons {
        let mine: Vec<&Opinion> = opinions.iter().filter(|o| o.horizon == *horizon).collect();
        if mine.is_empty() {
            continue;
        }
        let up = mine.iter().filter(|o| o.forecast >= 0.0).count();
        let rising = 2 * up >= mine.len();
        let agree = if rising { up } else { mine.len() - up };
        // The best model by the trial speaks for the range; it must share the vote's direction to speak for the confidence.
        let best = best(view, Some(*horizon));
        let speaker = mine
            .iter()
            .find(|o| best.is_some_and(|b| b.model == o.model) && (o.forecast >= 0.0) == rising)
            .or_else(|| mine.iter().find(|o| (o.forecast >= 0.0) == rising));
        let Some(speaker) = speaker else { continue };
        let (h, n, of) = (
            reply.count("bars ahead", *horizon),
            reply.count("models that agree", agree),
            reply.count("models", mine.len()),
        );
        let confidence = reply.percent(
            "share of such forecasts that were right out of sample",
            speaker.confidence,
        );
        let cases = reply.count("such forecasts out of sample", speaker.cases);
        let (low, high) = (
            reply.decimal("low end of the price range", close * (1.0 + speaker.low), 2),
            reply.decimal(
                "high end of the price range",
                close * (1.0 + speaker.high),
                2,
            ),
        );
        let model = reply.name("model", &speaker.title);
        let direction = if rising { "up" } else { "down" };
        reply.paragraph(&format!("{name} over {h} bars: {direction}, say {n} of {of} models. Confidence {confidence}: so often were the {cases} forecasts of that sign by {model} right out of sample. Range of the price with 80 percent of past errors: {low} to {high}.").replace("80 percent", "four fifths"));
    }
    reply.paragraph(if edge {
        "The trial found an edge over the naive forecast out of sample."
    } else {
        "No edge: out of sample no model is shown to forecast better than the naive one, so the direction above is weak evidence."
    });
    let rows = opinions
        .iter()
        .map(|o| {
            vec![
                o.title.clone(),
                o.horizon.to_string(),
                shown_percent(o.forecast),
                format!("{} of {}", o.hits, o.cases),
                format!(
                    "{:.2} to {:.2}",
                    close * (1.0 + o.low),
                    close * (1.0 + o.high)
                ),
                if o.beats_baseline { "yes" } else { "no" }.to_owned(),
            ]
        })
        .collect();
    let columns = [
        "Model",
        "Bars ahead",
        "Forecast",
        "Same sign right",
        "Range",
        "Beats the naive one",
    ];
    reply.table("Consensus by model", &columns, rows);
    if opinions.iter().any(|o| o.model == "mlp_20") {
        reply.note(
            "A multilayer perceptron stands in for an LSTM, which the catalogue does not hold.",
        );
    }
}

fn merge(all: &mut ActionOutcome, one: ActionOutcome) {
    use mltrainer_types::llm::AnswerPiece;
    let offset = u32::try_from(all.citations.len()).unwrap_or(u32::MAX);
    all.pieces.push(AnswerPiece::Text {
        text: "\n\n".to_owned(),
    });
    all.pieces.extend(one.pieces.into_iter().map(|p| match p {
        AnswerPiece::Figure { text, citation } => AnswerPiece::Figure {
            text,
            citation: citation.saturating_add(offset),
        },
        other => other,
    }));
    all.citations.extend(one.citations);
    all.tables.extend(one.tables);
    for note in one.notes {
        if !all.notes.contains(&note) {
            all.notes.push(note);
        }
    }
    all.next_steps.extend(one.next_steps);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_and_range_come_from_past_errors() {
        let series = PredictionSeries {
            model: "ridge".to_owned(),
            model_index: 0,
            horizon: 5,
            symbol: "X".to_owned(),
            dates: Vec::new(),
            predicted: vec![Some(0.01), Some(0.02), Some(-0.01), Some(0.01), None],
            actual: vec![0.02, -0.01, -0.02, 0.03, 1.0],
            probability: Vec::new(),
            net: Vec::new(),
        };
        let o = opinion(0.015, "Ridge", &series, false).unwrap();
        // Of three rising forecasts two were right: (2 + 1) / (3 + 2).
        assert_eq!((o.cases, o.hits), (3, 2));
        assert!((o.confidence - 0.6).abs() < 1e-12);
        // Errors 0.01, -0.03, -0.01, 0.02: sorted -0.03, -0.01, 0.01, 0.02; place 0.3 is 0, place 2.7 is 3.
        assert!((o.low - (0.015 - 0.03)).abs() < 1e-12);
        assert!((o.high - (0.015 + 0.02)).abs() < 1e-12);
    }
}
