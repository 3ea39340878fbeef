//! `mltrainer trial`: trials in this process, or a look at those of others.

use super::out::{Table, figure, json, say};
use super::{Failure, Format, Global};
use crate::wiring::Open;
use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mltrainer_services::Services;
use mltrainer_types::event::{EventBody, Level};
use mltrainer_types::learning::Proposal;
use mltrainer_types::trial::{
    Costs, ModelRequest, Target, TrialRequest, TrialState, TrialView, Validation,
};
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Who acts, in the audit chain.
const ACTOR: &str = "cli";

/// `mltrainer trial`.
#[derive(Debug, Subcommand)]
pub(super) enum Trial {
    /// Makes a trial and runs it to the end in this process
    Run(Box<Run>),
    /// Lists trials, newest first
    List {
        /// Cursor of the next page, as the last page printed it
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Shows a trial with its leaderboard and verdict
    Show {
        /// Id
        id: String,
    },
    /// Prints a trial's events as they come, until it ends
    Follow {
        /// Id
        id: String,
        /// Only events after this number
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
    /// Ends a trial
    Cancel {
        /// Id
        id: String,
    },
    /// Stops a trial after its running steps
    Pause {
        /// Id
        id: String,
    },
    /// Goes on with a paused trial, or with one whose process died
    Resume {
        /// Id
        id: String,
    },
    /// Proposes models for a new trial from finished ones, and says what such proposals are worth
    Propose {
        /// Symbols, with commas
        #[arg(long, value_delimiter = ',', required = true)]
        symbols: Vec<String>,
        /// What is to be forecast
        #[arg(long, value_enum, default_value = "return")]
        target: TargetArg,
        /// Bars ahead
        #[arg(long, default_value_t = 1)]
        horizon: u32,
    },
    /// Writes a trial's forecasts (csv) or the whole trial (json)
    Export {
        /// Id
        id: String,
        /// File to write instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// What is forecast.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum TargetArg {
    Return,
    Direction,
    LogVolatility,
    Range,
    Price,
}

impl From<TargetArg> for Target {
    fn from(t: TargetArg) -> Self {
        match t {
            TargetArg::Return => Self::Return,
            TargetArg::Direction => Self::Direction,
            TargetArg::LogVolatility => Self::LogVolatility,
            TargetArg::Range => Self::Range,
            TargetArg::Price => Self::Price,
        }
    }
}

/// `mltrainer trial run`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer trial run --symbols AAPL\n  mltrainer trial run --symbols AAPL,IBM --models ridge,random_forest_50 --target log_volatility --horizon 5 --start 2004-01-01 --end 2012-12-31 --folds 5 --format json"
)]
pub(super) struct Run {
    /// Symbols, with commas
    #[arg(long, value_delimiter = ',', required = true)]
    symbols: Vec<String>,
    /// Models, with commas; a sensible few when absent
    #[arg(long, value_delimiter = ',')]
    models: Vec<String>,
    /// What is forecast [default: return]
    #[arg(long, value_enum)]
    target: Option<TargetArg>,
    /// Bars ahead, with commas [default: 1]
    #[arg(long, value_delimiter = ',', value_name = "N")]
    horizon: Vec<u32>,
    /// Approved origin of the data; wherever the symbol is found when absent
    #[arg(long)]
    source: Option<String>,
    /// First day, YYYY-MM-DD
    #[arg(long)]
    start: Option<NaiveDate>,
    /// Last day, YYYY-MM-DD
    #[arg(long)]
    end: Option<NaiveDate>,
    /// Test windows of the walk-forward
    #[arg(long, conflicts_with = "test_share")]
    folds: Option<u32>,
    /// Training days of a rolling window; absent: the window expands
    #[arg(long, conflicts_with = "test_share")]
    window: Option<u32>,
    /// Days left out between training and test besides the horizon
    #[arg(long, default_value_t = 0)]
    embargo: u32,
    /// One hold-out test of this share of the days instead of the walk-forward
    #[arg(long, value_name = "SHARE")]
    test_share: Option<f64>,
    /// Feature groups and features, with commas; absent: the core (price:core and so on) of price, volatility, volume, technical and economic, for log_volatility and range that of volatility, volume and economic
    #[arg(long, value_delimiter = ',')]
    features: Vec<String>,
    /// Commission and half the spread, in basis points of the traded value
    #[arg(long, value_name = "BPS")]
    cost: Option<f64>,
    /// Seed of everything random
    #[arg(long)]
    seed: Option<u64>,
    /// The goal in your words, kept with the trial
    #[arg(long)]
    goal: Option<String>,
}

impl Run {
    fn request(self) -> TrialRequest {
        let validation = match self.test_share {
            Some(test_share) => Validation::HoldOut {
                test_share,
                embargo: self.embargo,
            },
            None => Validation::WalkForward {
                folds: self.folds.unwrap_or(5),
                embargo: self.embargo,
                window: self.window,
            },
        };
        TrialRequest {
            symbols: self.symbols,
            source: self.source,
            start: self.start,
            end: self.end,
            target: self.target.map(Into::into),
            horizons: self.horizon,
            features: self.features,
            models: self.models.into_iter().map(ModelRequest::Id).collect(),
            validation,
            costs: self.cost.map_or_else(Costs::default, |bps| Costs { bps }),
            seed: self.seed,
            goal: self.goal,
        }
    }
}

impl Trial {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let known: &[Format] = match self {
            Self::Export { .. } => &[Format::Table, Format::Csv, Format::Json],
            _ => &[Format::Table, Format::Json],
        };
        let format = global.format(known)?;
        global
            .with(async |open| self.run(open, format == Format::Json).await)
            .await
    }

    async fn run(self, open: &Open, as_json: bool) -> Result<ExitCode, Failure> {
        let services = &open.services;
        match self {
            Self::Run(run) => {
                let made = services.create_trial(ACTOR, run.request(), None).await?;
                return to_the_end(services, made.id.as_str(), as_json).await;
            }
            Self::Resume { id } => {
                let trial = services.resume_trial(ACTOR, &id).await?;
                if services.runs_here(&id).await? {
                    return to_the_end(services, &id, as_json).await;
                }
                print(&trial, as_json)?;
            }
            Self::List { cursor } => {
                let page = services.trials(cursor.as_deref()).await?;
                if as_json {
                    json(&page)?;
                } else {
                    let heading = [
                        "id", "state", "symbols", "target", "models", "steps", "edge", "made",
                    ];
                    let mut table = Table::new(&heading);
                    for t in &page.items {
                        table.row([
                            t.id.to_string(),
                            t.state.as_str().to_owned(),
                            t.symbols.join(","),
                            t.target.as_str().to_owned(),
                            t.models.to_string(),
                            format!("{}/{}", t.progress.done, t.progress.total),
                            t.found_edge
                                .map_or("-", |e| if e { "yes" } else { "no" })
                                .to_owned(),
                            t.created_at.format("%Y-%m-%d %H:%M").to_string(),
                        ]);
                    }
                    say(&table.text())?;
                    if let Some(next) = page.next {
                        say(&format!("more: mltrainer trial list --cursor {next}"))?;
                    }
                }
            }
            Self::Show { id } => print(&services.trial(&id).await?, as_json)?,
            Self::Follow { id, after } => return follow(services, &id, after, as_json).await,
            Self::Cancel { id } => print(&services.cancel_trial(ACTOR, &id).await?, as_json)?,
            Self::Pause { id } => print(&services.pause_trial(ACTOR, &id).await?, as_json)?,
            Self::Propose {
                symbols,
                target,
                horizon,
            } => {
                let made = services.propose(&symbols, target.into(), horizon).await?;
                propose(&made, as_json)?;
            }
            Self::Export { id, out } => export(services, &id, out, as_json).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints what finished trials speak for.
fn propose(made: &Proposal, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return json(made);
    }
    let mut table = Table::new(&["model", "expected skill", "records", "seconds", "why"]);
    for m in &made.models {
        table.row([
            m.model.clone(),
            figure(Some(m.skill)),
            m.records.to_string(),
            format!("{:.1}", m.took_ms / 1e3),
            m.why.clone(),
        ]);
    }
    if !made.models.is_empty() {
        say(table.text().trim_end())?;
    }
    say(&made.sentence)
}

/// Follows a trial that runs in this process, with a bar on a terminal, and prints it at its end.
async fn to_the_end(services: &Services, id: &str, as_json: bool) -> Result<ExitCode, Failure> {
    let mut events = services.follow(id, 0).await?;
    let bar = ProgressBar::with_draw_target(
        None,
        if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        },
    );
    let style = "{spinner} {prefix:12} {wide_bar} {pos}/{len} steps, {msg}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    let interrupted = super::serve::signal();
    tokio::pin!(interrupted);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut interrupted => {
                bar.finish_and_clear();
                return Err(Failure::new(
                    130,
                    format!("interrupted; finished steps are kept, go on with `mltrainer trial resume {id}`"),
                ));
            }
        };
        let Some(event) = event else { break };
        match &event?.event.body {
            EventBody::State(s) => bar.set_prefix(s.state.as_str()),
            EventBody::Step(s) => {
                bar.set_length(u64::from(s.progress.total));
                bar.set_position(u64::from(s.progress.done));
                let left = s.progress.eta_seconds.map(|s| format!("{s:.0} s left"));
                bar.set_message(left.unwrap_or_default());
            }
            EventBody::Message(m) if m.level == Level::Warning => {
                bar.suspend(|| super::complain(&format!("{}: {}", m.agent, m.text)));
            }
            EventBody::Message(_) | EventBody::Leaderboard(_) => {}
        }
    }
    bar.finish_and_clear();
    let trial = services.trial(id).await?;
    let (code, word) = match trial.state {
        TrialState::Finished => (0, ""),
        TrialState::Blocked => (3, "was blocked"),
        TrialState::Failed => (4, "failed"),
        _ => (1, "did not finish"),
    };
    if code == 0 || as_json {
        print(&trial, as_json)?;
    }
    if code == 0 {
        Ok(ExitCode::SUCCESS)
    } else {
        let reason = trial
            .reason
            .unwrap_or_else(|| trial.state.as_str().to_owned());
        Err(Failure::new(code, format!("trial {id} {word}: {reason}")))
    }
}

async fn follow(
    services: &Services,
    id: &str,
    after: i64,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let mut events = services.follow(id, after).await?;
    while let Some(sent) = events.next().await {
        let sent = sent?;
        if as_json {
            json(&sent.event)?;
            continue;
        }
        let what = match &sent.event.body {
            EventBody::State(s) => match &s.reason {
                Some(reason) => format!("{}: {reason}", s.state.as_str()),
                None => s.state.as_str().to_owned(),
            },
            EventBody::Step(s) => format!(
                "step {}/{}: {} over {} bars, fold {} of {}, {}",
                s.progress.done,
                s.progress.total,
                s.model,
                s.horizon,
                s.fold,
                s.folds,
                match &s.error {
                    Some(error) => format!("failed: {error}"),
                    None => format!("rmse {}", figure(s.rmse)),
                }
            ),
            EventBody::Leaderboard(l) => match l.rows.first() {
                Some(best) => format!("{} leads", best.model),
                None => "the leaderboard is empty".to_owned(),
            },
            EventBody::Message(m) => format!("{}: {}", m.agent, m.text),
        };
        say(&format!(
            "{:>4}  {}  {what}",
            sent.event.seq,
            sent.event.at.format("%H:%M:%S")
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(trial: &TrialView, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return json(trial);
    }
    let s = &trial.spec;
    let horizons: Vec<String> = s.horizons.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "Trial {}: {} of {} over {}, {} ({} of {} steps)\n",
        trial.id,
        s.target.as_str(),
        s.symbols.join(", "),
        match s.horizons.as_slice() {
            [1] => "1 bar".to_owned(),
            _ => format!("{} bars", horizons.join(", ")),
        },
        trial.state.as_str(),
        trial.progress.done,
        trial.progress.total
    );
    if let Some(reason) = &trial.reason {
        text.push_str(&format!("{reason}\n"));
    }
    if !trial.leaderboard.is_empty() {
        let traded = trial.leaderboard.iter().any(|r| !r.trading.is_empty());
        let mut heading = vec![
            "model",
            "horizon",
            "rmse",
            "mae",
            "r2",
            "direction",
            "p",
            "beats baseline",
        ];
        if traded {
            heading.extend(["return a year", "Sharpe"]);
        }
        let mut table = Table::new(&heading);
        for row in &trial.leaderboard {
            let metric = |name: &str| figure(row.metrics.get(name).copied().flatten());
            let mut cells = vec![
                row.model.clone(),
                row.horizon.to_string(),
                metric("rmse"),
                metric("mae"),
                metric("r2"),
                metric("directional_accuracy"),
                figure(row.p_value_adjusted),
                match (row.is_baseline, row.beats_baseline) {
                    (true, _) => "(baseline)".to_owned(),
                    (false, true) => "yes".to_owned(),
                    (false, false) => "no".to_owned(),
                },
            ];
            if traded {
                let trading = |name: &str| figure(row.trading.get(name).copied().flatten());
                cells.extend([trading("annual_return"), trading("sharpe")]);
            }
            table.row(cells);
        }
        text.push('\n');
        text.push_str(&table.text());
        text.push('\n');
    }
    if let Some(verdict) = &trial.verdict {
        text.push_str(&format!("\n{}\n", verdict.text));
        for note in &verdict.notes {
            text.push_str(&format!("  {note}\n"));
        }
    }
    if let Some(hash) = &trial.result_sha256 {
        text.push_str(&format!("Result SHA-256 {hash}\n"));
    }
    say(text.trim_end())
}

async fn export(
    services: &Services,
    id: &str,
    out: Option<PathBuf>,
    as_json: bool,
) -> Result<(), Failure> {
    let predictions = services.predictions(id).await?;
    let text = if as_json {
        let trial = services.trial(id).await?;
        serde_json::to_string_pretty(
            &serde_json::json!({ "trial": trial, "predictions": predictions }),
        )
        .map_err(|e| Failure::new(1, format!("the trial cannot be written: {e}")))?
    } else {
        let mut text = String::from("model,horizon,symbol,date,predicted,actual");
        for series in &predictions {
            for ((date, predicted), actual) in series
                .dates
                .iter()
                .zip(&series.predicted)
                .zip(&series.actual)
            {
                let predicted = predicted.map(|p| p.to_string()).unwrap_or_default();
                text.push_str(&format!(
                    "\n{},{},{},{date},{predicted},{actual}",
                    series.model, series.horizon, series.symbol
                ));
            }
        }
        text
    };
    match out {
        None => say(&text),
        Some(path) => std::fs::write(&path, text + "\n")
            .map_err(|e| Failure::new(1, format!("{} cannot be written: {e}", path.display()))),
    }
}
