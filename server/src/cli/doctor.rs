//! `mltrainer doctor`: what the program finds on this machine and what is missing.

use super::out::{Table, json, say};
use super::{Failure, Global};
use crate::web::site::Site;
use mltrainer_services::VERSION;
use mltrainer_types::health::HealthCheck;
use std::process::ExitCode;
use std::time::Duration;

/// How long a source may take to answer.
const PROBE: Duration = Duration::from_secs(3);

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
    match global.folder() {
        Err(e) => check("data folder", false, e.text),
        Ok(folder) => {
            let there = folder.exists();
            match global.open().await {
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
