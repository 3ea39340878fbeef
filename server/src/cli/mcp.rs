//! `mltrainer mcp`: MCP over standard input and output.

use super::{Failure, Global};
use crate::mcp;
use clap::Args;
use mltrainer_services::Authority;
use rmcp::ServiceExt as _;
use rmcp::transport::stdio;
use std::process::ExitCode;

/// `mltrainer mcp`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer mcp\n  mltrainer mcp --trust 1\n\nA client starts it, for example with {\"mcpServers\": {\"mltrainer\": {\"command\": \"mltrainer\", \"args\": [\"mcp\"]}}}. Over HTTP the same is at /mcp of `mltrainer serve`."
)]
pub(super) struct Mcp {
    /// Trust of the client: 1 looks, 3 advises, 5 starts and changes trials, 7 overrides models, 8 teaches
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=10))]
    trust: u8,
}

impl Mcp {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let open = global.open().await?;
        let who = Authority {
            actor: "mcp:stdio".to_owned(),
            trust: self.trust,
        };
        let outcome = tokio::select! {
            outcome = serve(mcp::Mcp::new(open.services.clone(), Some(who))) => outcome,
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
