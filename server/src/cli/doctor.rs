//! `mltrainer doctor`: what the program finds on this machine and what is missing.

use super::out::{Table, json, say};
use super::{Failure, Global};
use crate::paper_worker::PaperWorker;
use crate::web::site::Site;
use crate::wiring::Assistant;
use mltrainer_services::VERSION;
use mltrainer_types::health::HealthCheck;
use std::process::ExitCode;
use std::time::Duration;

/// How long a source may take to answer.
const PROBE: Duration = Duration::from_secs(3);

/// Which model answers, up to when it can know, and whether anything is hidden from it.
fn answers(assistant: &Assistant) -> String {
    let Some(model) = &assistant.parts.model else {
        return "none is configured: the built-in parser answers (ANTHROPIC_API_KEY, or MLTRAINER_LLM_PROVIDER, MLTRAINER_LLM_URL and MLTRAINER_LLM_MODEL)".to_owned();
    };
    let who = model.identity();
    let cutoff = match who.cutoff.last_day() {
        Some(day) => format!("knows up to {day}"),
        None => "its knowledge cut-off is unknown (MLTRAINER_LLM_CUTOFF)".to_owned(),
    };
    let masked = match assistant.mask {
        Some(_) => ", symbols and dates are masked",
        None => "",
    };
    let trust = assistant.parts.trust;
    format!(
        "{} at {}, {cutoff}, trust {trust}{masked}; it is not asked here",
        who.model, who.host
    )
}

pub(super) async fn execute(global: &Global) -> Result<ExitCode, Failure> {
    let as_json = global.is_json()?;
    let mut checks = Vec::new();
    let mut check = |name: &str, ok: bool, detail: String| {
        checks.push(HealthCheck {
            name: name.to_owned(),
            ok,
            detail,
        });
    };
    check("program", true, format!("mltrainer {VERSION}"));
    check(
        "threads",
        true,
        format!("{} for trial steps (--threads)", global.threads()),
    );
    check(
        "pages",
        true,
        if Site::embedded().has_script() {
            "scripts and WebAssembly are built in".into()
        } else {
            "rendered by the server; scripts are not built in (serve --site-root, or `cargo xtask serve`)".into()
        },
    );
    // A wrong setting is a fault of its own; the rest is looked at without a model.
    let assistant = match super::assistant::configured() {
        Ok(assistant) => {
            check("language model", true, answers(&assistant));
            assistant
        }
        Err(e) => {
            check("language model", false, e.text);
            Assistant::default()
        }
    };
    check(
        "papers",
        true,
        if PaperWorker::find(assistant.paper_worker.clone()).is_some() {
            "PDFs can be read by the program paper-worker".into()
        } else {
            "paper-worker is not beside this program: papers cannot be added (MLTRAINER_PAPER_WORKER)"
                .into()
        },
    );
    match global.folder() {
        Err(e) => check("data folder", false, e.text),
        Ok(folder) => {
            let there = folder.exists();
            match global.open_with(assistant).await {
                Err(e) => check("data folder", false, e.text),
                Ok(open) => {
                    let made = if there { "" } else { " (made just now)" };
                    check("data folder", true, format!("{}{made}", folder.display()));
                    match open.services.datasets().await {
                        Ok(sets) => check("data sets", true, format!("{} registered", sets.len())),
                        Err(e) => check("data sets", false, e.to_string()),
                    }
                    match open.services.verify_audit().await {
                        Ok(v) if v.ok => {
                            check("audit", true, format!("{} records hold", v.records))
                        }
                        Ok(v) => check("audit", false, v.reason.unwrap_or_default()),
                        Err(e) => check("audit", false, e.to_string()),
                    }
                    if let Ok(health) = open.services.health().await {
                        for found in health.checks.into_iter().filter(|c| c.name == "database") {
                            check("database", found.ok, found.detail);
                        }
                    }
                    for probe in open.services.probe_sources(PROBE).await {
                        // A fault is what was configured and does not answer: without a key, and
                        // without a network, the bundled data still work.
                        let ok = probe.reachable != Some(false) || !probe.needs_key;
                        check(&format!("source {}", probe.id), ok, probe.detail);
                    }
                    open.close().await;
                }
            }
        }
    }
    let ok = checks.iter().all(|c| c.ok);
    if as_json {
        json(&serde_json::json!({ "ok": ok, "checks": checks }))?;
    } else {
        let mut table = Table::new(&["", "what", "found"]);
        for c in &checks {
            let mark = if c.ok { "ok" } else { "FAULT" };
            table.row([mark.to_owned(), c.name.clone(), c.detail.clone()]);
        }
        say(&table.text())?;
    }
    Ok(if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
