//! `mltrainer data fetch`, `watch` and `export`: from vendors, as it happens, and into files.

use super::Failure;
use super::data::{findings, quality};
use super::out::{json, say};
use chrono::NaiveDate;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mltrainer_services::{Call, Format, Services, Step};
use mltrainer_types::data::Severity;
use mltrainer_types::source::FetchRequest;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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

impl Fetch {
    pub(super) async fn run(self, services: &Services, as_json: bool) -> Result<(), Failure> {
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
                    "what {} gave for {} was refused by rule {}: {}",
                    outcome.source, outcome.asked, refusal.rule, refusal.reason
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
pub(super) async fn watch(services: &Services, symbols: &[String]) -> Result<(), Failure> {
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
pub(super) fn export_format(out: &Path) -> Result<Format, Failure> {
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
pub(super) fn write_whole(out: &Path, bytes: &[u8]) -> Result<(), Failure> {
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
