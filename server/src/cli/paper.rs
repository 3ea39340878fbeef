//! `mltrainer paper`: papers read by rules, with their claims beside what was measured.

use super::out::{Table, json, say};
use super::{Failure, Global};
use crate::action::action;
use crate::outcome;
use clap::Subcommand;
use mltrainer_services::{Authority, Services, Stage, UserFile};
use serde_json::json as value;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Who acts, in the audit chain.
const ACTOR: &str = "cli";

/// `mltrainer paper`.
#[derive(Debug, Subcommand)]
pub(super) enum Paper {
    /// Reads a PDF, keeps what was found, and tests its strategy where one was recognised
    Add {
        /// The file
        file: PathBuf,
    },
    /// Lists papers; with words, those that hold all of them
    List {
        /// Words
        words: Vec<String>,
    },
    /// Shows a paper: what it claims beside what was measured
    Show {
        /// Id or file name, as listed
        paper: String,
    },
}

impl Paper {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let as_json = global.is_json()?;
        global
            .with(async |open| self.run(&open.services, as_json).await)
            .await
    }

    async fn run(self, services: &Services, as_json: bool) -> Result<ExitCode, Failure> {
        match self {
            Self::Add { file } => {
                let bytes = std::fs::read(&file).map_err(|e| {
                    Failure::new(2, format!("{} cannot be read: {e}", file.display()))
                })?;
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                let file = UserFile {
                    name: name.into_owned(),
                    bytes: Arc::new(bytes),
                };
                let paper = services.add_paper(&Authority::person(ACTOR), file).await?;
                show(services, paper.id.as_str(), as_json).await?;
            }
            Self::Show { paper } => show(services, &paper, as_json).await?,
            Self::List { words } => {
                let all = services.papers(&words.join(" ")).await?;
                if as_json {
                    json(&all)?;
                } else {
                    let mut table = Table::new(&["id", "title", "pages", "claims", "strategy"]);
                    for p in all {
                        table.row([
                            p.id.0,
                            p.title,
                            p.pages.to_string(),
                            p.claims.to_string(),
                            p.strategy.unwrap_or_default(),
                        ]);
                    }
                    say(&table.text())?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn show(services: &Services, paper: &str, as_json: bool) -> Result<(), Failure> {
    if as_json {
        json(&services.paper(paper).await?)?;
        return Ok(());
    }
    let action = action("upload_paper", value!({ "file": paper }))?;
    let who = Authority::person(ACTOR);
    let told = services.perform(&who, &action, &Stage::alone()).await?;
    say(outcome::text(&told).trim_end())?;
    Ok(())
}
