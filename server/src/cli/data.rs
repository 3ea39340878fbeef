//! `mltrainer data`: data sets.

use super::fetch::{Fetch, export_format, watch, write_whole};
use super::out::{Table, json, say};
use super::{Failure, Global, run};
use clap::Subcommand;
use mltrainer_services::{Call, Format, Import, Mapping, ServiceError, Services, UserFile};
use mltrainer_types::data::{QualityReport, Severity};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

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
    /// Shows score, findings, age and agreement with other sources
    #[command(
        after_help = "Examples:\n  mltrainer data quality\n  mltrainer data quality bundled:AAPL --format json"
    )]
    Quality {
        /// Id, as listed; all data sets when left out
        id: Option<String>,
    },
    /// Takes a file of bars through the gate: CSV, Parquet or Arrow; daily, or several rows a day
    #[command(
        after_help = "Examples:\n  mltrainer data import prices.csv --symbol MYSTOCK --origin user_provided\n  mltrainer data import kurse.csv --symbol SAP --look\n  mltrainer data import kurse.csv --symbol SAP --map date=Datum,close=Schluss,decimal=comma"
    )]
    Import {
        /// File with date, close and, where there are, open, high, low, volume
        file: PathBuf,
        /// Symbol under which trials find it
        #[arg(long)]
        symbol: String,
        /// Corrections of what is found in the file, KEY=VALUE parted by commas: date, time, open,
        /// high, low, close, volume (names of columns), delimiter (comma, semicolon, tab, pipe),
        /// decimal (point, comma), dates (ymd, mdy, dmy), zone (such as America/New_York)
        #[arg(long, default_value = "")]
        map: String,
        /// Shows what is found in the file and imports nothing
        #[arg(long)]
        look: bool,
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
        global
            .with(async |open| self.run(&open.services, as_json, file, to).await)
            .await
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
            Self::Quality { id } => super::quality::run(services, as_json, id.as_deref()).await?,
            Self::Import {
                symbol,
                origin,
                map,
                look,
                ..
            } => {
                let file = file.unwrap_or_else(|| mltrainer_services::run::File {
                    name: String::new(),
                    bytes: Vec::new(),
                });
                let mapping = Mapping::parse(&map)
                    .map_err(|e| ServiceError::invalid("map", e.to_string()))?;
                let name = file.name.clone();
                let file = UserFile {
                    name: file.name,
                    bytes: Arc::new(file.bytes),
                };
                if look {
                    let preview = services.look_at_file(file, mapping).await?;
                    return super::quality::layout(as_json, &preview);
                }
                let import = Import {
                    file,
                    symbol,
                    origin,
                    mapping,
                };
                let outcome = services.import_file("cli", import).await?;
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
                            name, refusal.rule, refusal.reason
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

pub(super) fn quality(q: &QualityReport) -> String {
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
pub(super) fn findings(q: &QualityReport, least: Severity) -> Vec<String> {
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
