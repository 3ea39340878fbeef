//! Alerts: what is watched, and what was noticed.

use crate::trials::new_uuid;
use crate::{Authority, ServiceError, Services};
use mltrainer_types::AlertId;
use mltrainer_types::assistant::{AssistantAction, CreateAlert, RemoveAlert};
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::chat::AlertView;
use serde_json::json;

impl Services {
    /// Alerts that were not removed, newest first, with what they noticed.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn alerts(&self) -> Result<Vec<AlertView>, ServiceError> {
        Ok(self.inner.alerts.alerts().await?)
    }

    /// Sets an alert.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for an unknown symbol; [`ServiceError::Invalid`] when nothing, or something unknown, is
    /// to be watched.
    pub async fn create_alert(
        &self,
        who: &Authority,
        watch: &CreateAlert,
    ) -> Result<AlertView, ServiceError> {
        crate::actions::check(&AssistantAction::CreateAlert(Box::new(watch.clone())))?;
        for symbol in &watch.symbols {
            self.dataset_named(symbol).await?;
        }
        let at = self.inner.clock.now();
        let id = AlertId(format!("w-{}", new_uuid(at)));
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: "alert.set".to_owned(),
            subject: id.0.clone(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!(watch),
        };
        Ok(self.inner.alerts.watch(id, at, watch, audit).await?)
    }

    /// Ends alerts; gives the ids of those that were ended.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when none is meant.
    pub async fn remove_alerts(
        &self,
        who: &Authority,
        which: &RemoveAlert,
    ) -> Result<Vec<AlertId>, ServiceError> {
        let all = self.alerts().await?;
        let meant: Vec<AlertId> = all
            .iter()
            .filter(|a| {
                which.all
                    || which.alert.as_deref() == Some(a.id.as_str())
                    || (which.holdings && a.watch.holdings)
                    || a.watch.symbols.iter().any(|s| which.symbols.contains(s))
            })
            .map(|a| a.id.clone())
            .collect();
        if meant.is_empty() {
            return Err(ServiceError::NotFound {
                what: "alert",
                id: which
                    .alert
                    .clone()
                    .unwrap_or_else(|| which.symbols.join(", ")),
                suggestions: all.iter().take(3).map(|a| a.id.0.clone()).collect(),
            });
        }
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: "alert.remove".to_owned(),
            subject: meant.first().map(|id| id.0.clone()).unwrap_or_default(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({ "alerts": meant }),
        };
        let at = self.inner.clock.now();
        Ok(self.inner.alerts.unwatch(&meant, at, audit).await?)
    }
}
