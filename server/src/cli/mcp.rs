//! `mltrainer mcp`: MCP over standard input and output.

use super::{Failure, Global};
use crate::mcp;
use chrono::NaiveDate;
use clap::Args;
use mltrainer_services::{Authority, over_mcp};
use rmcp::ServiceExt as _;
use rmcp::transport::stdio;
use std::process::ExitCode;

/// Who acts, in the audit chain.
const ACTOR: &str = "mcp:stdio";

/// `mltrainer mcp`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer mcp\n  mltrainer mcp --trust 1\n  mltrainer mcp --model some-model --knows-until 2025-06-30\n\nA client starts it, for example with {\"mcpServers\": {\"mltrainer\": {\"command\": \"mltrainer\", \"args\": [\"mcp\"]}}}. Over HTTP the same is at /mcp of `mltrainer serve`."
)]
pub(super) struct Mcp {
    /// Trust of the client: 1 looks, 3 advises, 5 starts and changes trials, 7 overrides models, 8 teaches
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=10))]
    trust: u8,
    /// The language model that the client is: kept with each run that it begins
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Last day of which that model knows, YYYY-MM-DD; the published one of a known model when absent
    #[arg(long, value_name = "DAY")]
    knows_until: Option<NaiveDate>,
}

impl Mcp {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let model = over_mcp(ACTOR, self.model.as_deref(), self.knows_until)?;
        let who = Authority {
            actor: ACTOR.to_owned(),
            trust: self.trust,
        };
        let client = mcp::Client { who, model };
        let open = global.open().await?;
        let outcome = tokio::select! {
            outcome = serve(mcp::Mcp::new(open.services.clone(), Some(client))) => outcome,
            () = super::serve::signal() => Ok(()),
        };
        open.close().await;
        outcome?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Speaks until the client closes standard input.
async fn serve(mcp: mcp::Mcp) -> Result<(), Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::new(1, format!("MCP ended: {e}"));
    let running = mcp.serve(stdio()).await.map_err(|e| failed(&e))?;
    running.waiting().await.map_err(|e| failed(&e))?;
    Ok(())
}
