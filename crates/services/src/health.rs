//! How the program is.

use crate::{ServiceError, Services, VERSION};
use mltrainer_types::health::{Health, HealthCheck};

impl Services {
    /// What works and what does not. It answers also when the store does not.
    ///
    /// # Errors
    /// None today; callers need not change when a check becomes one.
    pub async fn health(&self) -> Result<Health, ServiceError> {
        let inner = &self.inner;
        let mut checks = Vec::new();
        let mut check = |name: &str, ok: bool, detail: String| {
            checks.push(HealthCheck {
                name: name.to_owned(),
                ok,
                detail,
            });
        };
        let audit_records = match inner.audit.last().await {
            Ok(n) => {
                check("database", true, "answers".into());
                check("audit", true, format!("{n} records"));
                n
            }
            Err(e) => {
                check("database", false, e.to_string());
                0
            }
        };
        let installed = inner.room.is_installed();
        let datasets = inner.room.store.count().await.unwrap_or_default();
        check(
            "bundled_data",
            true,
            if installed {
                "installed".into()
            } else {
                "being installed".into()
            },
        );
        check(
            "workers",
            true,
            format!("{} threads run steps", inner.threads),
        );
        let circuits: Vec<String> = self
            .sources()
            .into_iter()
            .filter(|s| s.configured)
            .map(|s| format!("{} {}", s.id, s.circuit))
            .collect();
        if !circuits.is_empty() {
            // A source that rests takes nothing from what is stored.
            check("sources", true, circuits.join(", "));
        }
        let running_trials = inner.trials.running().await.unwrap_or_default();
        let ok = checks.iter().all(|c| c.ok);
        Ok(Health {
            status: if ok { "ok" } else { "degraded" }.to_owned(),
            ready: ok && installed,
            version: VERSION.to_owned(),
            started_at: inner.started_at,
            uptime_seconds: inner
                .clock
                .monotonic()
                .saturating_sub(inner.started)
                .as_secs_f64(),
            models: u32::try_from(inner.registry.entries().len()).unwrap_or(u32::MAX),
            datasets,
            running_trials,
            audit_records,
            checks,
        })
    }
}
