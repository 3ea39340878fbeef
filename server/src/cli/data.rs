//! `mltrainer data`: data sets.

use super::out::{Table, json, say};
use super::{Failure, Global, run};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mltrainer_services::{Call, Format, Services, Step};
use mltrainer_types::data::{QualityReport, Severity};
use mltrainer_types::source::FetchRequest;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// `mltrainer data`.
#[derive(Debug, Subcommand)]
pub(super) enum Data {
    /// Lists all data sets
    List,
    /// Shows a data set with its quality and lineage
    Show {
        /// Id, as listed
        id: String,
    },
    /// Takes a CSV file of daily bars through the gate
    #[command(
        after_help = "Example:\n  mltrainer data import prices.csv --symbol MYSTOCK --origin user_provided"
    )]
    Import {
        /// CSV file with date, close and, where there are, open, high, low, volume
        file: PathBuf,
        /// Symbol under which trials find it
        #[arg(long)]
        symbol: String,
        /// Where the figures come from: user_provided, or the vendor they were exported from
        #[arg(long, default_value = "user_provided")]
        origin: String,
    },
    /// Fetches what is missing of a symbol's bars or of an economic series, through the gate
    #[command(
        after_help = "Examples:\n  mltrainer data fetch --source polygon --symbol AAPL --start 2020-01-01 --end 2024-12-31\n  mltrainer data fetch --source fred --series UNRATE --as-of 2015-03-01\n  mltrainer data fetch --source polygon --symbol IBM --start 2024-01-01 --failover yahoo\n\nKeys come from the environment: POLYGON_API_KEY, FRED_API_KEY, ALPHA_VANTAGE_API_KEY, FMP_API_KEY; yahoo needs none."
    )]
    Fetch(Fetch),
    /// Shows what a source has besides bars and series: tickers, news, snapshot, options, status, holidays, series, releases
    #[command(
        after_help = "Examples:\n  mltrainer data look news --source polygon --symbol AAPL\n  mltrainer data look releases --source fred --symbol UNRATE"
    )]
    Look {
        /// What to look at
        view: String,
        /// Source: polygon or fred
        #[arg(long)]
        source: String,
        /// Symbol or series
        #[arg(long, default_value = "")]
        symbol: String,
    },
    /// Prints minute bars as they happen, one JSON document a line, until Ctrl-C
    Watch {
        /// Symbols, with commas between them
        #[arg(long, value_delimiter = ',', required = true)]
        symbols: Vec<String>,
    },
    /// Writes a data set into a file for other programs
    #[command(after_help = "Example:\n  mltrainer data export polygon:AAPL --out AAPL.parquet")]
    Export {
        /// Id, as listed
        id: String,
        /// File to write; its name ends with .csv or .parquet
        #[arg(long)]
        out: PathBuf,
    },
}

/// `mltrainer data fetch`.
#[derive(Debug, Args)]
pub(super) struct Fetch {
    /// Source: polygon, fred, alpha_vantage, fmp or yahoo
    #[arg(long)]
    source: String,
    /// Symbol whose bars are wanted
    #[arg(long, required_unless_present = "series", conflicts_with = "series")]
    symbol: Option<String>,
    /// Economic series that is wanted
    #[arg(long)]
    series: Option<String>,
    /// First day [default: ten years before the last; for a series its beginning]
    #[arg(long, value_name = "DAY")]
    start: Option<NaiveDate>,
    /// Last day, included [default: today]
    #[arg(long, value_name = "DAY")]
    end: Option<NaiveDate>,
    /// For a series: what was published by the end of this day [default: each figure as first published]
    #[arg(long, value_name = "DAY")]
    as_of: Option<NaiveDate>,
    /// Time that one bar covers: day, hour or minute
    #[arg(long, default_value = "day")]
    span: String,
    /// Prices adjusted for splits by the vendor, instead of as traded with the splits apart
    #[arg(long)]
    adjusted: bool,
    /// Sources to ask in turn when the first gives nothing, with commas between them
    #[arg(long, value_name = "SOURCE", value_delimiter = ',')]
    failover: Vec<String>,
}

impl Data {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let as_json = global.is_json()?;
        // A file that cannot be read is told before a data folder is made.
        let file = match &self {
            Self::Import { file, .. } => Some(run::read(file)?),
            _ => None,
        };
        let to = match &self {
            Self::Export { out, .. } => Some(export_format(out)?),
            _ => None,
        };
        let open = global.open().await?;
        let outcome = self.run(&open.services, as_json, file, to).await;
        open.close().await;
        outcome
    }

    async fn run(
        self,
        services: &Services,
        as_json: bool,
        file: Option<mltrainer_services::run::File>,
        to: Option<Format>,
    ) -> Result<ExitCode, Failure> {
        match self {
            Self::List => {
                let sets = services.datasets().await?;
                if as_json {
                    json(&sets)?;
                } else {
                    let heading = ["id", "title", "source", "first", "last", "rows", "quality"];
                    let mut table = Table::new(&heading);
                    for s in &sets {
                        table.row([
                            s.id.to_string(),
                            s.title.clone(),
                            s.source.clone(),
                            s.first.to_string(),
                            s.last.to_string(),
                            s.rows.to_string(),
                            format!("{:.1}", s.quality),
                        ]);
                    }
                    say(&table.text())?;
                }
            }
            Self::Show { id } => {
                let set = services.dataset(&id).await?;
                if as_json {
                    json(&set)?;
                } else {
                    let s = &set.summary;
                    let mut text = format!(
                        "{} ({})\n{} rows from {} to {}\nOrigin:  {}\nLicence: {}\nSHA-256: {}\n{}\n\n{}\n",
                        s.title,
                        s.id,
                        s.rows,
                        s.first,
                        s.last,
                        s.origin,
                        s.licence,
                        s.sha256,
                        set.notes,
                        quality(&set.quality)
                    );
                    text.push_str("\nLineage:\n");
                    for step in &set.lineage {
                        text.push_str(&format!(
                            "  {}: {}\n    {}\n",
                            step.step, step.detail, step.sha256
                        ));
                    }
                    say(text.trim_end())?;
                }
            }
            Self::Import { symbol, origin, .. } => {
                let file = file.unwrap_or_else(|| mltrainer_services::run::File {
                    name: String::new(),
                    bytes: Vec::new(),
                });
                let outcome = services
                    .import_csv("cli", &symbol, &origin, &file.name, file.bytes)
                    .await?;
                if as_json {
                    json(&outcome)?;
                }
                if let Some(refusal) = outcome.refusal {
                    for finding in findings(&outcome.quality, Severity::Quarantine) {
                        super::complain(&finding);
                    }
                    return Err(Failure::new(
                        3,
                        format!(
                            "{} was refused by rule {}: {}",
                            file.name, refusal.rule, refusal.reason
                        ),
                    ));
                }
                if let Some(set) = outcome.dataset.filter(|_| !as_json) {
                    say(&format!(
                        "{}\n{} rows from {} to {}\n{}",
                        set.id,
                        set.rows,
                        set.first,
                        set.last,
                        quality(&outcome.quality)
                    ))?;
                }
            }
            Self::Fetch(fetch) => fetch.run(services, as_json).await?,
            Self::Look {
                view,
                source,
                symbol,
            } => {
                let found = services
                    .look(&source, &view, &symbol, &Call::quiet())
                    .await?;
                if as_json {
                    json(&found)?;
                } else {
                    let text = serde_json::to_string_pretty(&found);
                    say(&text.unwrap_or_default())?;
                }
            }
            Self::Watch { symbols } => watch(services, &symbols).await?,
            Self::Export { id, out } => {
                let format = to.unwrap_or(Format::Csv);
                let bytes = services.export(&id, format).await?;
                write_whole(&out, &bytes)?;
                if as_json {
                    json(&serde_json::json!({ "id": id, "file": out, "bytes": bytes.len() }))?;
                } else {
                    say(&format!("{} ({} bytes)", out.display(), bytes.len()))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Fetch {
    async fn run(self, services: &Services, as_json: bool) -> Result<(), Failure> {
        let request = FetchRequest {
            source: self.source,
            symbol: self.symbol,
            series: self.series,
            start: self.start,
            end: self.end,
            as_of: self.as_of,
            span: Some(self.span),
            adjusted: self.adjusted,
            failover: self.failover,
        };
        let bar = ProgressBar::with_draw_target(
            None,
            if std::io::stderr().is_terminal() {
                ProgressDrawTarget::stderr()
            } else {
                ProgressDrawTarget::hidden()
            },
        );
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        let shown = bar.clone();
        let call = Call {
            report: Arc::new(move |p| {
                shown.set_prefix(format!("{}: {}", p.source, p.subject));
                shown.set_message(told(&p.step));
            }),
            ..Call::quiet()
        };
        // Ctrl-C ends the request, and what is half there is not kept.
        let cancel = call.cancel.clone();
        let interrupted = tokio::spawn(async move {
            super::serve::signal().await;
            cancel.cancel();
        });
        let outcome = services.fetch("cli", request, &call).await;
        interrupted.abort();
        bar.finish_and_clear();
        let outcome = outcome?;
        if let Some(refusal) = outcome.refusal {
            for finding in findings(&outcome.quality, Severity::Quarantine) {
                super::complain(&finding);
            }
            return Err(Failure::new(
                3,
                format!(
                    "what {} gave was refused by rule {}: {}",
                    outcome.source, refusal.rule, refusal.reason
                ),
            ));
        }
        if as_json {
            return json(&outcome);
        }
        let Some(set) = outcome.dataset else {
            return Ok(());
        };
        let asked = match outcome.requests {
            0 => "everything was stored already".to_owned(),
            1 => "1 request".to_owned(),
            n => format!("{n} requests"),
        };
        let mut text = format!(
            "{}\n{} rows from {} to {} ({asked})\n{}",
            set.id,
            set.rows,
            set.first,
            set.last,
            quality(&outcome.quality)
        );
        for note in &outcome.notes {
            text.push_str("\nNote: ");
            text.push_str(note);
        }
        say(&text)
    }
}

/// A step of a fetch in words.
fn told(step: &Step) -> String {
    match step {
        Step::Waiting { pause } => format!(
            "waits {:.1} s, as many requests as are allowed are out",
            pause.as_secs_f64()
        ),
        Step::Retrying {
            attempt,
            pause,
            cause,
        } => format!("try {attempt} in {:.1} s: {cause}", pause.as_secs_f64()),
        Step::Page { pages, rows, until } => {
            let until = until.map_or_else(String::new, |d| format!(", until {d}"));
            format!("{rows} rows in {pages} pages{until}")
        }
    }
}

/// Prints minute bars until Ctrl-C.
async fn watch(services: &Services, symbols: &[String]) -> Result<(), Failure> {
    let call = Call {
        report: Arc::new(|p| super::complain(&format!("{}: {}", p.source, told(&p.step)))),
        ..Call::quiet()
    };
    let cancel = call.cancel.clone();
    let interrupted = tokio::spawn(async move {
        super::serve::signal().await;
        cancel.cancel();
    });
    let (to, mut from) = tokio::sync::mpsc::channel(256);
    let print = async {
        while let Some(bar) = from.recv().await {
            json(&bar)?;
        }
        Ok::<_, Failure>(())
    };
    let (watched, printed) = tokio::join!(
        async {
            let watched = services.watch(symbols, &call, to).await;
            call.cancel.cancel();
            watched
        },
        print
    );
    interrupted.abort();
    printed?;
    Ok(watched?)
}

/// The format that a file's name asks for.
fn export_format(out: &Path) -> Result<Format, Failure> {
    Format::of_name(&out.to_string_lossy()).ok_or_else(|| {
        Failure::new(
            2,
            format!(
                "--out {}: the name must end with .csv or .parquet",
                out.display()
            ),
        )
    })
}

/// Writes a file beside its place and then moves it there: it is whole or not there.
fn write_whole(out: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut beside = out.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, out))
        .map_err(|e| {
            drop(std::fs::remove_file(&beside));
            Failure::new(1, format!("{} cannot be written: {e}", out.display()))
        })
}

fn quality(q: &QualityReport) -> String {
    let mut text = format!(
        "Quality {:.1}: {} of {} rows usable, {} set aside",
        q.score, q.usable, q.rows, q.quarantined
    );
    for line in findings(q, Severity::Note) {
        text.push_str("\n  ");
        text.push_str(&line);
    }
    text
}

/// Findings of at least this gravity, ten at most.
fn findings(q: &QualityReport, least: Severity) -> Vec<String> {
    const SHOWN: usize = 10;
    let all: Vec<_> = q.findings.iter().filter(|f| f.severity >= least).collect();
    let mut lines: Vec<String> = all
        .iter()
        .take(SHOWN)
        .map(|f| {
            let place = match (f.row, f.date) {
                (Some(row), Some(date)) => format!("row {row} ({date}): "),
                (Some(row), None) => format!("row {row}: "),
                (None, Some(date)) => format!("{date}: "),
                (None, None) => String::new(),
            };
            format!("{place}{} ({})", f.reason, f.check)
        })
        .collect();
    if all.len() > SHOWN {
        lines.push(format!("and {} findings more", all.len() - SHOWN));
    }
    lines
}
