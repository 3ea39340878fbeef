//! `mltrainer audit`: the chain of who did what.

use super::out::{Table, json, say};
use super::{Failure, Global};
use clap::Subcommand;
use mltrainer_services::Services;
use mltrainer_types::audit::AuditFilter;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// `mltrainer audit`.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Checks every record and signature; exit code 1 names the first broken record
    Verify,
    /// Lists the newest records
    List {
        /// Only this actor
        #[arg(long)]
        actor: Option<String>,
        /// Only actions that begin with this text
        #[arg(long)]
        action: Option<String>,
        /// Only this subject
        #[arg(long)]
        subject: Option<String>,
        /// Only allowed or refused
        #[arg(long)]
        decision: Option<String>,
        /// How many, at most 1000
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Writes the whole chain as JSON Lines, oldest first
    Export {
        /// File to write instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

impl Audit {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let as_json = global.is_json()?;
        global
            .with(async |open| self.run(&open.services, as_json).await)
            .await
    }

    async fn run(self, services: &Services, as_json: bool) -> Result<ExitCode, Failure> {
        match self {
            Self::Verify => {
                let outcome = services.verify_audit().await?;
                if as_json {
                    json(&outcome)?;
                }
                if !outcome.ok {
                    let seq = outcome.first_broken.unwrap_or_default();
                    let reason = outcome.reason.unwrap_or_default();
                    return Err(Failure::new(
                        1,
                        format!("the audit chain is broken at record {seq}: {reason}"),
                    ));
                }
                if !as_json {
                    say(&format!(
                        "The audit chain holds: {} records, {} signatures checked with key {}.",
                        outcome.records,
                        outcome.checkpoints,
                        services.audit_public_key()
                    ))?;
                }
            }
            Self::List {
                actor,
                action,
                subject,
                decision,
                limit,
            } => {
                let filter = AuditFilter {
                    actor,
                    action,
                    subject,
                    decision,
                    ..AuditFilter::default()
                };
                let page = services.audit(filter, None, limit).await?;
                if as_json {
                    json(&page.items)?;
                } else {
                    let heading = [
                        "seq", "at", "actor", "action", "subject", "decision", "rule",
                    ];
                    let mut table = Table::new(&heading);
                    for r in page.items {
                        table.row([
                            r.seq.to_string(),
                            r.at.format("%Y-%m-%d %H:%M:%S").to_string(),
                            r.actor,
                            r.action,
                            r.subject,
                            r.decision,
                            r.rule.unwrap_or_default(),
                        ]);
                    }
                    say(&table.text())?;
                }
            }
            Self::Export { out } => export(services, out).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Page by page, so that a long chain needs no memory.
async fn export(services: &Services, out: Option<PathBuf>) -> Result<(), Failure> {
    let mut sink: Box<dyn std::io::Write> = match &out {
        Some(path) => Box::new(std::io::BufWriter::new(
            std::fs::File::create(path).map_err(|e| {
                Failure::new(1, format!("{} cannot be written: {e}", path.display()))
            })?,
        )),
        None => Box::new(std::io::stdout()),
    };
    let mut after = 0;
    loop {
        let records = services.audit_after(after, 1000).await?;
        let Some(last) = records.last() else { break };
        after = last.seq;
        for record in &records {
            let line = serde_json::to_string(record)
                .map_err(|e| Failure::new(1, format!("a record cannot be written: {e}")))?;
            writeln!(sink, "{line}")?;
        }
    }
    sink.flush()?;
    Ok(())
}
