//! Tables `alerts` and `alert_events`.

use crate::fault::Fault;
use crate::{SqliteStore, Tx, action_keys, audit, from_json, parse_time, time_text, to_json};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mltrainer_services::port::{AlertStore, Idempotency, PortError};
use mltrainer_types::AlertId;
use mltrainer_types::assistant::CreateAlert;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::chat::{AlertEvent, AlertView};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

/// Events that an alert is shown with.
const SHOWN: u32 = 20;

fn view(row: &SqliteRow, events: Vec<AlertEvent>) -> Result<AlertView, Fault> {
    let looked: Option<&str> = row.try_get("looked_at")?;
    Ok(AlertView {
        id: AlertId(row.try_get("id")?),
        at: parse_time(row.try_get("at")?)?,
        actor: row.try_get("actor")?,
        watch: from_json("watch", row.try_get("watch")?)?,
        looked_at: looked.map(parse_time).transpose()?,
        events,
    })
}

fn event(row: &SqliteRow) -> Result<AlertEvent, Fault> {
    let day: &str = row.try_get("day")?;
    Ok(AlertEvent {
        seq: row.try_get("seq")?,
        at: parse_time(row.try_get("at")?)?,
        day: from_json("day", &format!("\"{day}\""))?,
        trigger: row.try_get("trigger")?,
        sentence: row.try_get("sentence")?,
        datasets: from_json("datasets", row.try_get("datasets")?)?,
    })
}

impl SqliteStore {
    async fn write_alert(
        &self,
        tx: &mut Tx,
        id: &AlertId,
        at: DateTime<Utc>,
        watch: &CreateAlert,
        key: Option<&Idempotency>,
        entry: AuditEntry,
    ) -> Result<AlertView, Fault> {
        let row = sqlx::query(
            "INSERT INTO alerts (id, at, actor, watch) VALUES (?, ?, ?, ?) RETURNING *",
        )
        .bind(id.as_str())
        .bind(time_text(at))
        .bind(&entry.actor)
        .bind(to_json(watch)?)
        .fetch_one(&mut **tx)
        .await?;
        action_keys::insert(tx, key, id.as_str()).await?;
        audit::append(tx, &self.signer, at, &[entry]).await?;
        view(&row, Vec::new())
    }

    async fn read_alerts(&self) -> Result<Vec<AlertView>, Fault> {
        // One transaction: alerts and events are of the same moment.
        let mut tx = self.readers.begin().await?;
        let rows =
            sqlx::query("SELECT * FROM alerts WHERE removed_at IS NULL ORDER BY at DESC, id DESC")
                .fetch_all(&mut *tx)
                .await?;
        let mut events: BTreeMap<String, Vec<AlertEvent>> = BTreeMap::new();
        for row in sqlx::query(
            "SELECT e.* FROM alerts a CROSS JOIN alert_events e
             WHERE a.removed_at IS NULL AND e.seq IN
                 (SELECT seq FROM alert_events WHERE alert = a.id ORDER BY seq DESC LIMIT ?)
             ORDER BY e.seq DESC",
        )
        .bind(SHOWN)
        .fetch_all(&mut *tx)
        .await?
        {
            let alert = events.entry(row.try_get("alert")?).or_default();
            alert.push(event(&row)?);
        }
        rows.iter()
            .map(|row| {
                let id: &str = row.try_get("id")?;
                view(row, events.remove(id).unwrap_or_default())
            })
            .collect()
    }

    async fn end_alerts(
        &self,
        tx: &mut Tx,
        ids: &[AlertId],
        at: DateTime<Utc>,
        entry: AuditEntry,
    ) -> Result<Vec<AlertId>, Fault> {
        let mut ended = Vec::new();
        for id in ids {
            let done =
                sqlx::query("UPDATE alerts SET removed_at = ? WHERE id = ? AND removed_at IS NULL")
                    .bind(time_text(at))
                    .bind(id.as_str())
                    .execute(&mut **tx)
                    .await?;
            if done.rows_affected() > 0 {
                ended.push(id.clone());
            }
        }
        // Nothing was done where none was there: nothing is recorded.
        if !ended.is_empty() {
            audit::append(tx, &self.signer, at, &[entry]).await?;
        }
        Ok(ended)
    }

    async fn keep_events(
        &self,
        tx: &mut Tx,
        id: &AlertId,
        at: DateTime<Utc>,
        events: Vec<AlertEvent>,
    ) -> Result<Vec<AlertEvent>, Fault> {
        let looked =
            sqlx::query("UPDATE alerts SET looked_at = ? WHERE id = ? AND removed_at IS NULL")
                .bind(time_text(at))
                .bind(id.as_str())
                .execute(&mut **tx)
                .await?;
        // Removed while the data were being looked at: nobody waits for it.
        if looked.rows_affected() == 0 {
            return Ok(Vec::new());
        }
        let mut new = Vec::new();
        for e in events {
            let row = sqlx::query(
                "INSERT INTO alert_events (seq, alert, at, day, trigger, sentence, datasets)
                 VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM alert_events), ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (alert, trigger, day) DO NOTHING RETURNING *",
            )
            .bind(id.as_str())
            .bind(time_text(e.at))
            .bind(e.day.to_string())
            .bind(&e.trigger)
            .bind(&e.sentence)
            .bind(to_json(&e.datasets)?)
            .fetch_optional(&mut **tx)
            .await?;
            if let Some(row) = row {
                new.push(event(&row)?);
            }
        }
        Ok(new)
    }
}

#[async_trait]
impl AlertStore for SqliteStore {
    async fn watch(
        &self,
        id: AlertId,
        at: DateTime<Utc>,
        watch: &CreateAlert,
        key: Option<&Idempotency>,
        audit: AuditEntry,
    ) -> Result<AlertView, PortError> {
        let mut tx = self.begin().await?;
        let set = self.write_alert(&mut tx, &id, at, watch, key, audit).await;
        let set = set.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(set)
    }

    async fn alerts(&self) -> Result<Vec<AlertView>, PortError> {
        self.read_alerts().await.map_err(|f| self.port(f))
    }

    async fn unwatch(
        &self,
        ids: &[AlertId],
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<Vec<AlertId>, PortError> {
        let mut tx = self.begin().await?;
        let ended = self.end_alerts(&mut tx, ids, at, audit).await;
        let ended = ended.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(ended)
    }

    async fn noticed(
        &self,
        id: &AlertId,
        at: DateTime<Utc>,
        events: Vec<AlertEvent>,
    ) -> Result<Vec<AlertEvent>, PortError> {
        let mut tx = self.begin().await?;
        let new = self.keep_events(&mut tx, id, at, events).await;
        let new = new.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, store};
    use chrono::{Days, NaiveDate};
    use mltrainer_services::port::{AuditStore, ChatStore as _};

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn day(n: u64) -> NaiveDate {
        "2024-03-01".parse::<NaiveDate>().unwrap() + Days::new(n)
    }

    fn seen(n: u64, trigger: &str) -> AlertEvent {
        AlertEvent {
            seq: 0,
            at: at(5),
            day: day(n),
            trigger: trigger.into(),
            sentence: format!("{trigger} on {}", day(n)),
            datasets: vec!["bundled:AAPL".into()],
        }
    }

    async fn set(store: &SqliteStore, id: &str, second: i64) -> AlertView {
        let watch = CreateAlert {
            symbols: vec!["AAPL".into()],
            triggers: vec!["volatility".into()],
            price_above: Some(0.1),
            ..CreateAlert::default()
        };
        let set = store
            .watch(id.into(), at(second), &watch, None, entry(id))
            .await
            .unwrap();
        assert_eq!(set.watch, watch);
        set
    }

    #[tokio::test]
    async fn alerts_are_listed_newest_first_until_they_are_removed() {
        let (_folder, store) = store().await;
        let first = set(&store, "w-1", 0).await;
        let second = set(&store, "w-2", 1).await;
        assert_eq!(store.alerts().await.unwrap(), [second.clone(), first]);
        // A start and two alerts so far.
        assert_eq!(store.last().await.unwrap(), 3);
        let ids = [AlertId::from("w-1"), "w-9".into()];
        let ended = store.unwatch(&ids, at(2), entry("w-1")).await.unwrap();
        assert_eq!(ended, [AlertId::from("w-1")]);
        assert_eq!(store.alerts().await.unwrap(), [second]);
        assert_eq!(store.last().await.unwrap(), 4);
        // A second time there is nothing to end and nothing to record.
        let again = store.unwatch(&ids, at(3), entry("w-1")).await.unwrap();
        assert_eq!(again, []);
        assert_eq!(store.last().await.unwrap(), 4);
    }

    #[tokio::test]
    async fn a_trigger_is_noticed_once_a_day() {
        let (_folder, store) = store().await;
        set(&store, "w-1", 0).await;
        set(&store, "w-2", 1).await;
        let one = AlertId::from("w-1");
        let both = vec![seen(0, "volatility"), seen(0, "regime")];
        let new = store.noticed(&one, at(10), both.clone()).await.unwrap();
        assert_eq!(new.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2]);
        let again = vec![seen(0, "regime"), seen(1, "regime")];
        let new = store.noticed(&one, at(20), again).await.unwrap();
        assert_eq!((new.len(), new[0].seq, new[0].day), (1, 3, day(1)));
        // The same on the same day is new for another alert.
        let other = store.noticed(&"w-2".into(), at(20), both).await.unwrap();
        assert_eq!(other.iter().map(|e| e.seq).collect::<Vec<_>>(), [4, 5]);
        let listed = store.alerts().await.unwrap();
        let first = &listed[1];
        assert_eq!(first.looked_at, Some(at(20)));
        let told: Vec<_> = first.events.iter().map(|e| (e.seq, &*e.trigger)).collect();
        assert_eq!(told, [(3, "regime"), (2, "regime"), (1, "volatility")]);
        assert_eq!(first.events[0], new[0]);
        // A look that notices nothing is a look.
        store.noticed(&one, at(30), Vec::new()).await.unwrap();
        assert_eq!(store.alerts().await.unwrap()[1].looked_at, Some(at(30)));
    }

    #[tokio::test]
    async fn the_last_twenty_are_shown_and_a_removed_alert_notices_nothing() {
        let (_folder, store) = store().await;
        set(&store, "w-1", 0).await;
        let id = AlertId::from("w-1");
        let many = (0..25).map(|n| seen(n, "move")).collect();
        assert_eq!(store.noticed(&id, at(1), many).await.unwrap().len(), 25);
        let shown = store.alerts().await.unwrap().remove(0).events;
        let numbers: Vec<i64> = shown.iter().map(|e| e.seq).collect();
        assert_eq!(numbers, (6..=25).rev().collect::<Vec<_>>());
        store
            .unwatch(std::slice::from_ref(&id), at(2), entry("w-1"))
            .await
            .unwrap();
        let late = store.noticed(&id, at(3), vec![seen(90, "move")]).await;
        assert_eq!(late.unwrap(), []);
    }

    #[tokio::test]
    async fn a_key_sets_one_alert() {
        let (_folder, store) = store().await;
        let key = Idempotency {
            key: "c-1/1/0".into(),
            body_sha256: "aa".into(),
        };
        let watch = CreateAlert::default();
        for id in ["w-1", "w-2"] {
            let set = store.watch(id.into(), at(0), &watch, Some(&key), entry(id));
            assert_eq!(set.await.is_ok(), id == "w-1");
        }
        let kept: Vec<String> = store
            .alerts()
            .await
            .unwrap()
            .into_iter()
            .map(|a| a.id.0)
            .collect();
        assert_eq!(kept, ["w-1"]);
        let made = store.made_under("c-1/1/0").await.unwrap();
        assert_eq!(made, Some(("aa".into(), "w-1".into())));
        assert_eq!(store.made_under("c-1/1/1").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_failing_record_leaves_no_alert_behind() {
        let (_folder, store) = store().await;
        let mut bad = entry("w-1");
        bad.decision = "perhaps".into();
        store
            .watch("w-1".into(), at(0), &CreateAlert::default(), None, bad)
            .await
            .unwrap_err();
        assert_eq!(store.alerts().await.unwrap(), []);
    }
}
