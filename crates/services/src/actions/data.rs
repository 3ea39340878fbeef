//! Actions that show data, the catalogue, lineage and the record, bring data in, or run an entry once.

use super::{Authority, Reply, Stage};
use crate::chat::MemorySearch;
use crate::import::Import;
use crate::{ServiceError, Services};
use mltrainer_catalogue::risk::{drawdown, performance};
use mltrainer_data::import::Mapping;
use mltrainer_data::sources::Call;
use mltrainer_types::analytics::AnalyticsRequest;
use mltrainer_types::assistant::{
    ACTIONS, CompareSymbols, DataQuality, Help, ImportData, ListDatasets, ListFeatures, ListModels,
    ModelRef, RunModel, SearchMemory, ShowData, ShowLineage, spec,
};
use mltrainer_types::audit::AuditFilter;
use mltrainer_types::chat::ActionOutcome;
use mltrainer_types::data::{Bar, DatasetKind};
use mltrainer_types::source::FetchRequest;
use serde_json::{Value, json};

/// Rows of a table in an answer.
const ROWS: usize = 30;

/// Trading days of a year.
pub(super) const YEAR: f64 = 252.0;

/// The word of a kind of data.
fn kind_word(kind: DatasetKind) -> String {
    json!(kind).as_str().unwrap_or_default().to_owned()
}

/// Figures of a path of closes.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(super) struct PathFigures {
    /// Last close over the first less 1.
    pub total: f64,
    /// The same a year, compounded.
    pub annual: f64,
    /// Standard deviation of daily returns times the root of 252.
    pub volatility: f64,
    /// Mean daily return times 252 over the volatility.
    pub sharpe: f64,
    /// Largest fall from a peak, negative.
    pub drawdown: f64,
}

pub(crate) fn returns(closes: &[f64]) -> Vec<f64> {
    closes.windows(2).map(|w| w[1] / w[0] - 1.0).collect()
}

/// Mean and sample standard deviation.
pub(crate) fn moments(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let square = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    (mean, (square / (n - 1.0)).sqrt())
}

pub(super) fn figures_of(closes: &[f64]) -> Option<PathFigures> {
    let changes = returns(closes);
    if changes.len() < 2 {
        return None;
    }
    let p = performance(&changes, YEAR, 0.0, 0.0);
    Some(PathFigures {
        total: p.total_return,
        annual: p.annual_return,
        volatility: p.annual_volatility,
        sharpe: p.sharpe_ratio,
        drawdown: drawdown(&changes).max,
    })
}

/// A share as it stands in a table.
pub(crate) fn shown_percent(x: f64) -> String {
    if x.is_finite() {
        format!("{:.1} %", x * 100.0)
    } else {
        "-".to_owned()
    }
}

/// A number as it stands in a table, with four significant digits; very small ones by their power of ten.
pub(crate) fn shown(x: Option<f64>) -> String {
    match x {
        Some(0.0) => "0".to_owned(),
        Some(x) if x.abs() < 1e-4 => format!("{x:.1e}"),
        Some(x) if x.is_finite() => {
            let digits = 3 - x.abs().log10().floor() as i32;
            let places = usize::try_from(digits.clamp(0, 12)).unwrap_or(0);
            format!("{x:.places$}")
        }
        _ => "-".to_owned(),
    }
}

fn closes(bars: &[Bar]) -> Vec<f64> {
    bars.iter().map(|b| b.close).collect()
}

impl Services {
    pub(super) async fn act_list_datasets(
        &self,
        p: &ListDatasets,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut sets = self.datasets().await?;
        sets.retain(|s| {
            p.kind.as_ref().is_none_or(|k| kind_word(s.kind) == *k)
                && (p.symbols.is_empty() || s.symbols.iter().any(|x| p.symbols.contains(x)))
        });
        let mut reply = Reply::new(Some("/data".to_owned()));
        let n = reply.count("data sets", sets.len());
        if sets.is_empty() {
            reply.say(&format!(
                "Data sets of that kind: {n}. Say \"import FILE as SYMBOL\" or fetch from a source."
            ));
        } else {
            let with_prices = sets
                .iter()
                .filter(|s| s.kind != DatasetKind::Series)
                .count();
            let prices = reply.count("data sets with prices", with_prices);
            reply.say(&if with_prices == sets.len() {
                format!("Data sets: {n}, with prices.")
            } else {
                format!("Data sets: {n}. With prices: {prices}; the others are economic series.")
            });
            let rows = sets
                .iter()
                .map(|s| {
                    vec![
                        s.symbols.join(", "),
                        s.title.clone(),
                        kind_word(s.kind),
                        s.first.to_string(),
                        s.last.to_string(),
                        s.rows.to_string(),
                        format!("{:.1}", s.quality),
                        s.source.clone(),
                    ]
                })
                .collect();
            let columns = [
                "Symbol", "Title", "Kind", "First", "Last", "Rows", "Quality", "Source",
            ];
            reply.table("Data sets", &columns, rows);
            reply.next("Show me AAPL prices since 2010");
        }
        reply.done(&stage.said, &sets)
    }

    pub(super) async fn act_show_data(
        &self,
        p: &ShowData,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let set = self.dataset_named(&p.dataset).await?;
        let bars = self.bars(set.id.as_str(), p.start, p.end).await?;
        let mut reply = Reply::new(Some(format!("/data/{}", set.id)));
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
            return Err(ServiceError::BadData(format!(
                "{} has no day in that span; it has days from {} to {}",
                set.id, set.first, set.last
            )));
        };
        let name = reply.name("symbol", set.symbols.join(", "));
        let (n, from, to) = (
            reply.count("rows", bars.len()),
            reply.day("first day", first.date),
            reply.day("last day", last.date),
        );
        let close = reply.number("last value", last.close, 6);
        reply.say(&format!(
            "{name} has {n} rows from {from} to {to}. The last value is {close}."
        ));
        if set.kind != DatasetKind::Series
            && let Some(f) = figures_of(&closes(&bars))
        {
            let (total, volatility, fall) = (
                reply.percent("change over the span", f.total),
                reply.percent("annual volatility", f.volatility),
                reply.percent("largest fall from a peak", f.drawdown),
            );
            reply.say(&format!("Over the span it changed by {total}, with a volatility of {volatility} a year; its largest fall from a peak was {fall}."));
        }
        let rows = bars
            .iter()
            .rev()
            .take(10)
            .map(|b| {
                let cell = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| x.to_string());
                vec![
                    b.date.to_string(),
                    cell(b.open),
                    cell(b.high),
                    cell(b.low),
                    b.close.to_string(),
                    cell(b.volume),
                ]
            })
            .collect();
        let columns = ["Date", "Open", "High", "Low", "Close", "Volume"];
        reply.table("The last ten rows", &columns, rows);
        reply.next(format!(
            "Analyze momentum for {} over next 7-10 days",
            set.symbols.join(", ")
        ));
        let result = json!({ "dataset": set, "rows": bars.len(), "first": first, "last": last });
        reply.done(&stage.said, &result)
    }

    pub(super) async fn act_data_quality(
        &self,
        p: &DataQuality,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let all = match &p.dataset {
            Some(name) => {
                let set = self.dataset_named(name).await?;
                vec![self.dataset_quality(set.id.as_str()).await?]
            }
            None => self.data_quality().await?,
        };
        let link = match all.as_slice() {
            [one] => format!("/data/{}", one.id),
            _ => "/data".to_owned(),
        };
        let mut reply = Reply::new(Some(link));
        let worst = all
            .iter()
            .min_by(|a, b| a.quality.score.total_cmp(&b.quality.score));
        if let Some(worst) = worst {
            let n = reply.count("data sets", all.len());
            let score = reply.decimal("lowest score", worst.quality.score, 1);
            let name = reply.name("its data set", worst.id.to_string());
            reply.say(&format!(
                "{n} data sets checked; the lowest quality score is {score}, that of {name}."
            ));
        }
        let rows = all
            .iter()
            .map(|q| {
                let counts: Vec<String> = q
                    .quality
                    .counts
                    .iter()
                    .map(|(k, v)| format!("{k}: {v}"))
                    .collect();
                vec![
                    q.id.to_string(),
                    format!("{:.1}", q.quality.score),
                    q.quality.rows.to_string(),
                    q.quality.quarantined.to_string(),
                    if counts.is_empty() {
                        "none".to_owned()
                    } else {
                        counts.join(", ")
                    },
                ]
            })
            .collect();
        let columns = ["Data set", "Score", "Rows", "Set aside", "Findings"];
        reply.table("Quality", &columns, rows);
        reply.done(&stage.said, &all)
    }

    pub(super) fn act_list_features(
        &self,
        p: &ListFeatures,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut all = self.features();
        if let Some(group) = &p.group {
            let known: std::collections::BTreeSet<String> =
                all.iter().map(|f| f.group.clone()).collect();
            all.retain(|f| f.group == *group);
            if all.is_empty() {
                let known: Vec<String> = known.into_iter().collect();
                return Err(ServiceError::invalid(
                    "group",
                    format!("there is no group \"{group}\": {}", known.join(", ")),
                ));
            }
        }
        let mut reply = Reply::new(None);
        let n = reply.count("features", all.len());
        reply.say(&format!(
            "There are {n} features; none of them looks ahead."
        ));
        let rows = all
            .iter()
            .map(|f| {
                vec![
                    f.id.clone(),
                    f.group.clone(),
                    f.formula.clone(),
                    f.warm_up.to_string(),
                    f.known_at.clone(),
                ]
            })
            .collect();
        let columns = ["Feature", "Group", "Formula", "Warm-up", "Known at"];
        reply.table("Features", &columns, rows);
        reply.done(&stage.said, &all)
    }

    pub(super) fn act_list_models(
        &self,
        p: &ListModels,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let all = self.catalogue();
        let found: Vec<_> = all
            .iter()
            .filter(|e| {
                p.family.as_ref().is_none_or(|f| e.family == *f)
                    && p.task
                        .as_ref()
                        .is_none_or(|t| e.tasks.iter().any(|x| x.as_str() == t))
            })
            .collect();
        if found.is_empty() {
            let families: std::collections::BTreeSet<&str> =
                all.iter().map(|e| e.family.as_str()).collect();
            let families: Vec<&str> = families.into_iter().collect();
            return Err(ServiceError::invalid(
                "family",
                format!(
                    "no entry is of that kind; families are {}",
                    families.join(", ")
                ),
            ));
        }
        let mut reply = Reply::new(Some("/models".to_owned()));
        let n = reply.count("entries", found.len());
        reply.say(&format!("The catalogue has {n} entries of that kind."));
        let rows = found
            .iter()
            .map(|e| {
                vec![
                    e.id.clone(),
                    e.title.clone(),
                    e.family.clone(),
                    e.summary.clone(),
                ]
            })
            .collect();
        reply.table("Models", &["Id", "Title", "Family", "What it is"], rows);
        if let Some(first) = found.first() {
            reply.next(format!("What is {}?", first.id));
        }
        let ids: Vec<&str> = found.iter().map(|e| e.id.as_str()).collect();
        reply.done(&stage.said, &ids)
    }

    pub(super) fn act_show_model(
        &self,
        p: &ModelRef,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let entry = self.catalogue_entry(&p.model)?;
        let mut reply = Reply::new(Some(format!("/models/{}", entry.id)));
        let (title, summary, formula, fails) = (
            reply.name("title", &entry.title),
            reply.name("summary", &entry.summary),
            reply.name("formula", &entry.formula),
            reply.name("fails when", &entry.fails_when),
        );
        let source = reply.name("source", &entry.source);
        reply.say(&format!("{title}: {summary}"));
        reply.paragraph(&format!("Formula: {formula}"));
        reply.paragraph(&format!("It fails when: {fails}"));
        reply.paragraph(&format!("Source: {source}"));
        let rows = entry
            .params
            .iter()
            .map(|p| vec![p.name.clone(), p.default.to_string(), p.help.clone()])
            .collect();
        reply.table("Parameters", &["Name", "Default", "What it is"], rows);
        reply.next(format!("Train {} on AAPL", entry.id));
        reply.done(&stage.said, &entry)
    }

    pub(super) async fn act_run_model(
        &self,
        p: &RunModel,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let entry = self.catalogue_entry(&p.model)?;
        let mut request = p.request.clone();
        let mut ids = Vec::new();
        for name in request.dataset.iter().flat_map(|d| d.split(',')) {
            ids.push(self.dataset_named(name.trim()).await?.id.0);
        }
        request.dataset = Some(ids.join(","));
        let result = self.run(&entry.id, request).await?;
        let mut reply = Reply::new(Some(format!("/models/{}", entry.id)));
        let (title, on) = (
            reply.name("model", &entry.title),
            reply.name("data", ids.join(", ")),
        );
        reply.say(&format!("{title} ran on {on}."));
        let mut rows = Vec::new();
        let mut said = Vec::new();
        for (name, value) in &result.outputs {
            if name == "dates" {
                continue;
            }
            let last = match value {
                Value::Number(n) => n.as_f64(),
                Value::Array(items) => items.last().and_then(Value::as_f64),
                Value::String(text) => {
                    rows.push(vec![name.clone(), text.clone()]);
                    continue;
                }
                Value::Bool(b) => {
                    rows.push(vec![name.clone(), b.to_string()]);
                    continue;
                }
                Value::Object(_) | Value::Null => continue,
            };
            if said.len() < 3 && last.is_some() {
                let handle = reply.number(name, last, 4);
                said.push(format!("{} {handle}", name.replace('_', " ")));
            }
            let many = matches!(value, Value::Array(a) if a.len() > 1);
            let name = if many {
                format!("{name}, last")
            } else {
                name.clone()
            };
            rows.push(vec![name, shown(last)]);
        }
        for (name, value) in &result.metrics {
            rows.push(vec![name.clone(), shown(*value)]);
        }
        if !said.is_empty() {
            reply.say(&format!("{}.", said.join(", ")));
        }
        rows.truncate(ROWS);
        reply.table("Outputs", &["Name", "Value"], rows);
        reply.done(&stage.said, &result)
    }

    pub(super) async fn act_show_lineage(
        &self,
        p: &ShowLineage,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let subject = p.subject.as_str();
        let (link, lineage, rows) = if subject.starts_with("t-") {
            let trial = self.trial(subject).await?;
            let mut rows: Vec<Vec<String>> = trial
                .lineage
                .datasets
                .iter()
                .map(|d| {
                    vec![
                        format!("data set {}", d.id),
                        d.source.clone(),
                        d.sha256.clone(),
                    ]
                })
                .collect();
            rows.extend(steps(&trial.lineage.steps));
            (format!("/trials/{subject}"), json!(trial.lineage), rows)
        } else if subject.starts_with("b-") {
            let test = self.backtest(subject).await?;
            let rows = steps(&test.lineage);
            (format!("/backtests/{subject}"), json!(test.lineage), rows)
        } else {
            let set = self.dataset_named(subject).await?;
            let detail = self.dataset(set.id.as_str()).await?;
            let rows = steps(&detail.lineage);
            (format!("/data/{}", set.id), json!(detail.lineage), rows)
        };
        let mut reply = Reply::new(Some(link));
        let n = reply.count("steps", rows.len());
        reply.say(&format!("From the source to the result there are {n} steps, each with the hash of what came out of it."));
        reply.table("Lineage", &["Step", "What was done", "SHA-256"], rows);
        reply.done(&stage.said, &lineage)
    }

    pub(super) async fn act_list_audit(
        &self,
        p: &AuditFilter,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let page = self.audit(p.clone(), None, ROWS as u32).await?;
        let mut reply = Reply::new(Some("/compliance".to_owned()));
        let n = reply.count("records", page.items.len());
        let more = if page.next.is_some() {
            "newest of more"
        } else {
            "all there are"
        };
        reply.say(&format!("{n} records, {more}."));
        let rows = page
            .items
            .iter()
            .map(|r| {
                vec![
                    r.seq.to_string(),
                    r.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                    r.actor.clone(),
                    r.action.clone(),
                    r.subject.clone(),
                    r.decision.clone(),
                    r.rule.clone().unwrap_or_default(),
                ]
            })
            .collect();
        let columns = ["No.", "When", "Who", "What", "To what", "Decision", "Rule"];
        reply.table("Audit records", &columns, rows);
        reply.done(&stage.said, &page)
    }

    pub(super) async fn act_verify_audit(
        &self,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let found = self.verify_audit().await?;
        let mut reply = Reply::new(Some("/compliance".to_owned()));
        let n = reply.count("records", found.records);
        if found.ok {
            let signed = reply.count("checkpoints", found.checkpoints);
            reply.say(&format!(
                "The audit chain is intact: {n} records and {signed} signed checkpoints hold."
            ));
        } else {
            let first = reply.count(
                "first broken record",
                found.first_broken.unwrap_or_default(),
            );
            let reason = reply.name("reason", found.reason.clone().unwrap_or_default());
            reply.say(&format!(
                "The audit chain is broken at record {first} of {n}: {reason}."
            ));
        }
        reply.done(&stage.said, &found)
    }

    pub(super) async fn act_import_data(
        &self,
        who: &Authority,
        p: &ImportData,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let file = self.staged_file(&p.file).map_err(|_| {
            ServiceError::invalid(
                "file",
                format!(
                    "{} is not here: upload it on the data page, or run `mltrainer data import FILE --symbol {}`; a file that was uploaded is named by its SHA-256",
                    p.file, p.symbol
                ),
            )
        })?;
        let made = self
            .import_file(
                &who.actor,
                Import {
                    file,
                    symbol: p.symbol.clone(),
                    origin: p
                        .origin
                        .clone()
                        .unwrap_or_else(|| "user_provided".to_owned()),
                    mapping: Mapping::default(),
                },
            )
            .await?;
        let mut reply = Reply::new(Some("/data".to_owned()));
        let symbol = reply.name("symbol", &p.symbol);
        reply.say(&format!("The file was brought before the gate as {symbol}; its decision and findings are in the result."));
        reply.done(&stage.said, &made)
    }

    pub(super) async fn act_fetch_data(
        &self,
        who: &Authority,
        p: &FetchRequest,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let made = self.fetch(&who.actor, p.clone(), &Call::quiet()).await?;
        let mut reply = Reply::new(Some("/data".to_owned()));
        let what = p
            .symbol
            .clone()
            .or_else(|| p.series.clone())
            .unwrap_or_default();
        let (what, source) = (reply.name("symbol", what), reply.name("source", &p.source));
        reply.say(&format!("{what} was fetched from {source} and brought before the gate; its decision and findings are in the result."));
        reply.done(&stage.said, &made)
    }

    pub(super) async fn act_compare_symbols(
        &self,
        p: &CompareSymbols,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let mut rows = Vec::new();
        let mut best: Option<(String, f64)> = None;
        let mut all = serde_json::Map::new();
        let mut ids = Vec::new();
        for symbol in &p.symbols {
            let set = self.dataset_named(symbol).await?;
            let bars = self.bars(set.id.as_str(), p.start, p.end).await?;
            let Some(f) = figures_of(&closes(&bars)) else {
                return Err(ServiceError::BadData(format!(
                    "{symbol} has too few days in that span; it has days from {} to {}",
                    set.first, set.last
                )));
            };
            if best.as_ref().is_none_or(|(_, s)| f.sharpe > *s) {
                best = Some((symbol.clone(), f.sharpe));
            }
            rows.push(vec![
                symbol.clone(),
                bars.first().map(|b| b.date.to_string()).unwrap_or_default(),
                bars.last().map(|b| b.date.to_string()).unwrap_or_default(),
                shown_percent(f.annual),
                shown_percent(f.volatility),
                shown(Some(f.sharpe)),
                shown_percent(f.drawdown),
            ]);
            all.insert(symbol.clone(), json!(f));
            ids.push(set.id.0);
        }
        let mut with = ids.clone();
        let request = AnalyticsRequest {
            dataset: with.remove(0),
            with,
            start: p.start,
            end: p.end,
            ..AnalyticsRequest::default()
        };
        let link = format!(
            "/analytics?dataset={}&with={}",
            request.dataset,
            request.with.join(",")
        );
        let correlation = self.correlation(&request).await;
        let mut reply = Reply::new(Some(link));
        if let Some((symbol, sharpe)) = best {
            let (symbol, sharpe) = (
                reply.name("symbol", symbol),
                reply.decimal("Sharpe ratio", sharpe, 2),
            );
            reply.say(&format!("{symbol} had the highest Sharpe ratio in this span, {sharpe}. The past order says little about the next one."));
        }
        let columns = [
            "Symbol",
            "First",
            "Last",
            "Return a year",
            "Volatility",
            "Sharpe ratio",
            "Largest fall",
        ];
        reply.table("Side by side", &columns, rows);
        match correlation {
            Ok(c) => {
                let pairs: Vec<f64> = c
                    .matrix
                    .iter()
                    .enumerate()
                    .flat_map(|(i, row)| row.iter().skip(i + 1))
                    .flatten()
                    .copied()
                    .collect();
                let mean = pairs.iter().sum::<f64>() / pairs.len() as f64;
                let (mean, first, last) = (
                    reply.decimal("mean correlation of pairs", mean, 2),
                    reply.day("first day in common", c.first),
                    reply.day("last day in common", c.last),
                );
                reply.say(&format!(
                    "Their daily changes had a mean correlation of {mean} from {first} to {last}."
                ));
                let mut columns = vec!["Correlation"];
                columns.extend(c.symbols.iter().map(String::as_str));
                let rows = c
                    .symbols
                    .iter()
                    .zip(&c.matrix)
                    .map(|(s, row)| {
                        let cells = row
                            .iter()
                            .map(|x| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.2}")));
                        std::iter::once(s.clone()).chain(cells).collect()
                    })
                    .collect();
                reply.table("Correlation of daily changes", &columns, rows);
                all.insert("correlation".to_owned(), json!(c));
            }
            Err(e) => reply.note(format!("There is no correlation: {e}.")),
        }
        reply.done(&stage.said, &all)
    }

    pub(super) async fn act_search_memory(
        &self,
        p: &SearchMemory,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let hits = self
            .search_memory(&MemorySearch {
                query: p.query.clone(),
                since: p.since,
                until: p.until,
                ..MemorySearch::default()
            })
            .await?;
        let mut reply = Reply::new(None);
        let n = reply.count("messages", hits.len());
        reply.say(&format!("{n} messages were found."));
        let rows = hits
            .iter()
            .map(|h| {
                vec![
                    h.at.date_naive().to_string(),
                    h.author.clone(),
                    h.snippet.replace(['\u{2068}', '\u{2069}'], ""),
                    format!("/chat/{}#m{}", h.conversation, h.seq),
                ]
            })
            .collect();
        reply.table("Memory", &["Day", "Who", "What", "Where"], rows);
        reply.done(&stage.said, &hits)
    }

    pub(super) fn act_help(&self, p: &Help, stage: &Stage) -> Result<ActionOutcome, ServiceError> {
        let mut reply = Reply::new(None);
        let row = |a: &mltrainer_types::assistant::ActionSpec| {
            vec![
                a.title.to_owned(),
                a.does.trim().to_owned(),
                a.examples.join("; "),
            ]
        };
        let rows: Vec<Vec<String>> = match p.topic.as_deref().and_then(spec) {
            Some(a) => {
                let (title, does) = (
                    reply.name("title", a.title),
                    reply.name("what it does", a.does.trim()),
                );
                reply.say(&format!("{title}: {does}"));
                vec![row(a)]
            }
            None => {
                let n = reply.count("actions", ACTIONS.len());
                reply.say(&format!("I can do {n} things with real data, each in plain words. No order is ever sent to a broker."));
                ACTIONS.iter().map(row).collect()
            }
        };
        reply.table(
            "What can be asked",
            &["Action", "What it does", "For example"],
            rows,
        );
        reply.next("What data do you have?");
        let ids: Vec<&str> = ACTIONS.iter().map(|a| a.id).collect();
        reply.done(&stage.said, &ids)
    }
}

fn steps(steps: &[mltrainer_types::data::LineageStep]) -> Vec<Vec<String>> {
    steps
        .iter()
        .map(|s| vec![s.step.clone(), s.detail.clone(), s.sha256.clone()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_path_by_hand() {
        // 100, 110, 99: returns 0.1 and -0.1; mean 0, deviation sqrt(0.02) = 0.141421.
        let f = figures_of(&[100.0, 110.0, 99.0]).unwrap();
        assert!((f.total + 0.01).abs() < 1e-12);
        assert!((f.volatility - 0.02_f64.sqrt() * 252.0_f64.sqrt()).abs() < 1e-12);
        assert!(f.sharpe.abs() < 1e-12);
        assert!((f.drawdown + 0.1).abs() < 1e-12);
        assert_eq!(figures_of(&[1.0, 2.0]), None);
    }

    #[test]
    fn numbers_in_tables() {
        assert_eq!(shown(Some(1234.567)), "1235");
        assert_eq!(shown(Some(0.012_345)), "0.01235");
        assert_eq!(shown(Some(-3.21)), "-3.210");
        assert_eq!(shown(None), "-");
    }
}
