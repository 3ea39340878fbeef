//! `mltrainer token`: tokens of programs that speak MCP over HTTP.

use super::out::{Table, json, say};
use super::{Failure, Global};
use base64::Engine as _;
use chrono::NaiveDate;
use clap::Subcommand;
use mltrainer_services::{Authority, NewToken, Services};
use mltrainer_types::token::TokenView;
use serde_json::json as value;
use std::process::ExitCode;

/// Who acts, in the audit chain.
const ACTOR: &str = "cli";

/// `mltrainer token`.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Makes a token and prints it, once
    Create {
        /// Name; who shows the token stands as mcp:NAME in the audit chain
        #[arg(long)]
        name: String,
        /// Trust: 1 looks, 3 advises, 5 starts and changes trials, 7 overrides models, 8 teaches
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=10))]
        trust: u8,
        /// Last day (UTC) on which it holds, YYYY-MM-DD; for ever when absent
        #[arg(long, value_name = "DAY")]
        expires: Option<NaiveDate>,
        /// The language model that will act with it: kept with each run that it begins
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
        /// Last day of which that model knows, YYYY-MM-DD; the published one of a known model when absent
        #[arg(long, value_name = "DAY")]
        knows_until: Option<NaiveDate>,
    },
    /// Lists all tokens that were ever made, without the tokens themselves
    List,
    /// Revokes a token from now on
    Revoke {
        /// Name
        name: String,
    },
}

impl Token {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let as_json = global.is_json()?;
        global
            .with(async |open| self.run(&open.services, as_json).await)
            .await
    }

    async fn run(self, services: &Services, as_json: bool) -> Result<ExitCode, Failure> {
        let who = Authority::person(ACTOR);
        match self {
            Self::Create {
                name,
                trust,
                expires,
                model,
                knows_until,
            } => {
                let token = random()?;
                let new = NewToken {
                    name,
                    trust,
                    expires,
                    model,
                    knows_until,
                };
                let made = services.create_token(&who, new, &token).await?;
                if as_json {
                    json(&value!({ "token": token, "view": made }))?;
                } else {
                    say(&token)?;
                    super::complain(
                        "this is the only time that the token is shown; send it as Authorization: Bearer TOKEN",
                    );
                }
            }
            Self::List => {
                let all = services.tokens().await?;
                if as_json {
                    json(&all)?;
                } else {
                    say(&table(services, &all))?;
                }
            }
            Self::Revoke { name } => {
                let revoked = services.revoke_token(&who, &name).await?;
                if as_json {
                    json(&revoked)?;
                } else {
                    say(&format!("{name} is revoked"))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// 256 bits that nobody can guess, in a form that scanners for secrets know.
fn random() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| Failure::new(1, format!("the system gives no random numbers: {e}")))?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    Ok(format!("mlt_{text}"))
}

fn table(services: &Services, all: &[TokenView]) -> String {
    let mut table = Table::new(&[
        "name",
        "trust",
        "scopes",
        "made",
        "last day",
        "state",
        "model",
        "knows until",
    ]);
    for t in all {
        let scopes: Vec<&str> = t.scopes.iter().map(|s| s.as_str()).collect();
        let state = if t.revoked_at.is_some() {
            "revoked"
        } else if t.holds(services.now()) {
            "holds"
        } else {
            "expired"
        };
        table.row([
            t.name.clone(),
            t.trust.to_string(),
            scopes.join(", "),
            t.created_at.format("%Y-%m-%d").to_string(),
            t.expires.map_or("-".to_owned(), |d| d.to_string()),
            state.to_owned(),
            t.model.clone().unwrap_or_else(|| "-".to_owned()),
            t.knows_until.map_or("-".to_owned(), |d| d.to_string()),
        ]);
    }
    table.text()
}
