//! Tables `audit`, `audit_checkpoints` and `audit_head`.

use crate::fault::Fault;
use crate::{SqliteStore, parse_time, time_text};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mltrainer_compliance::audit::{
    Chain, Checkpoint, GENESIS, PublicKey, Signer, checkpoint_due, link,
};
use mltrainer_services::port::{AuditStore, PortError};
use mltrainer_types::audit::{AuditEntry, AuditFilter, AuditRecord, AuditVerification};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

/// Records read at a time when the whole chain is checked.
const PAGE: i64 = 1000;

/// Whether nothing was ever recorded.
pub(crate) async fn is_new(conn: &mut SqliteConnection) -> Result<bool, Fault> {
    let traces: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM audit LIMIT 1))
              + (SELECT count(*) FROM (SELECT 1 FROM audit_checkpoints LIMIT 1))
              + (SELECT count(*) FROM audit_head)",
    )
    .fetch_one(conn)
    .await?;
    Ok(traces == 0)
}

/// Number and hash that the next record follows.
///
/// The signed head says it, not the last row: whoever cut off or changed the end of the chain must
/// not have it signed again with the next record.
async fn head(conn: &mut SqliteConnection, key: PublicKey) -> Result<(i64, String), Fault> {
    let row = sqlx::query("SELECT * FROM audit_head WHERE one = 1")
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else {
        return if is_new(conn).await? {
            Ok((0, GENESIS.to_owned()))
        } else {
            Err(tampered())
        };
    };
    let head = checkpoint(&row)?;
    let stored: Option<String> = sqlx::query_scalar("SELECT hash FROM audit WHERE seq = ?")
        .bind(head.seq)
        .fetch_optional(conn)
        .await?;
    if !key.signed(&head) || stored.as_ref() != Some(&head.hash) {
        return Err(tampered());
    }
    Ok((head.seq, head.hash))
}

fn tampered() -> Fault {
    Fault::Port(PortError::Failed(
        "the end of the audit chain was changed by another program, so nothing more is recorded: run `mltrainer audit verify` and restore the database from a backup".into(),
    ))
}

/// Appends records inside the caller's transaction. It reads the last record only.
pub(crate) async fn append(
    conn: &mut SqliteConnection,
    signer: &Signer,
    at: DateTime<Utc>,
    entries: &[AuditEntry],
) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let (mut seq, mut hash) = head(conn, signer.public_key()).await?;
    let mut newest = None;
    for entry in entries {
        if !["allowed", "refused"].contains(&entry.decision.as_str()) {
            return Err(Fault::Port(PortError::Failed(format!(
                "an audit record says \"{}\" where it must say allowed or refused",
                entry.decision
            ))));
        }
        let record = link(seq + 1, at, entry, &hash);
        sqlx::query(
            "INSERT INTO audit (seq, at, actor, action, subject, decision, rule, detail, prev_hash, hash)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(record.seq)
        .bind(time_text(record.at))
        .bind(&record.actor)
        .bind(&record.action)
        .bind(&record.subject)
        .bind(&record.decision)
        .bind(&record.rule)
        .bind(&record.detail)
        .bind(&record.prev_hash)
        .bind(&record.hash)
        .execute(&mut *conn)
        .await?;
        seq = record.seq;
        hash.clone_from(&record.hash);
        let signed = signer.checkpoint(&record, at);
        if checkpoint_due(record.seq) {
            write(conn, "INSERT INTO audit_checkpoints (seq, hash, at, signature, public_key) VALUES (?, ?, ?, ?, ?)", signer, &signed).await?;
        }
        newest = Some(signed);
    }
    if let Some(head) = newest {
        write(
            conn,
            "INSERT OR REPLACE INTO audit_head (one, seq, hash, at, signature, public_key) VALUES (1, ?, ?, ?, ?, ?)",
            signer,
            &head,
        )
        .await?;
    }
    Ok(())
}

async fn write(
    conn: &mut SqliteConnection,
    statement: &'static str,
    signer: &Signer,
    c: &Checkpoint,
) -> Result<(), Fault> {
    sqlx::query(statement)
        .bind(c.seq)
        .bind(&c.hash)
        .bind(time_text(c.at))
        .bind(&c.signature)
        .bind(signer.public_key().to_hex())
        .execute(conn)
        .await?;
    Ok(())
}

fn record(row: &SqliteRow) -> Result<AuditRecord, Fault> {
    let at: String = row.try_get("at")?;
    // A time that was changed into another text of the same moment, or into no time at all, must
    // not pass: the epoch does not give the record's hash.
    let at = parse_time(&at)
        .ok()
        .filter(|t| time_text(*t) == at)
        .unwrap_or(DateTime::UNIX_EPOCH);
    Ok(AuditRecord {
        seq: row.try_get("seq")?,
        at,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        decision: row.try_get("decision")?,
        rule: row.try_get("rule")?,
        detail: row.try_get("detail")?,
        prev_hash: row.try_get("prev_hash")?,
        hash: row.try_get("hash")?,
    })
}

fn checkpoint(row: &SqliteRow) -> Result<Checkpoint, Fault> {
    let at: String = row.try_get("at")?;
    Ok(Checkpoint {
        seq: row.try_get("seq")?,
        hash: row.try_get("hash")?,
        at: parse_time(&at).unwrap_or(DateTime::UNIX_EPOCH),
        signature: row.try_get("signature")?,
    })
}

async fn page(
    conn: &mut SqliteConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<AuditRecord>, Fault> {
    sqlx::query("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?")
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?
        .iter()
        .map(record)
        .collect()
}

/// The whole chain inside one reading transaction, page by page.
async fn verify(conn: &mut SqliteConnection, signer: &Signer) -> Result<AuditVerification, Fault> {
    let mut chain = Chain::new(signer.public_key());
    for row in sqlx::query("SELECT * FROM audit_checkpoints ORDER BY seq")
        .fetch_all(&mut *conn)
        .await?
    {
        chain.checkpoint(&checkpoint(&row)?);
    }
    let head = sqlx::query("SELECT * FROM audit_head WHERE one = 1")
        .fetch_optional(&mut *conn)
        .await?
        .map(|row| checkpoint(&row))
        .transpose()?;
    if let Some(head) = &head {
        chain.checkpoint(head);
    }
    // Numbers below 1 were never given: start below them all, so that such records are met too.
    let mut after = i64::MIN;
    loop {
        let records = page(conn, after, PAGE).await?;
        let Some(newest) = records.last() else { break };
        after = newest.seq;
        for record in &records {
            // The first break is kept by the chain and stated at the end.
            let _ = chain.push(record);
        }
    }
    let mut outcome = chain.finish();
    if outcome.ok {
        let broken = match (outcome.records, head) {
            (0, _) => Some((
                1,
                "record 1 is missing: every chain begins with one".to_owned(),
            )),
            (n, None) => Some((
                n,
                format!(
                    "the signature on the last record, {n}, is missing: the tail of the chain may have been cut off"
                ),
            )),
            (n, Some(head)) if head.seq != n => Some((
                head.seq + 1,
                format!(
                    "record {} was appended without a signature: the chain was signed up to {}",
                    head.seq + 1,
                    head.seq
                ),
            )),
            _ => None,
        };
        if let Some((seq, reason)) = broken {
            outcome.ok = false;
            outcome.first_broken = Some(seq);
            outcome.reason = Some(reason);
        }
    }
    Ok(outcome)
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn append(&self, entries: Vec<AuditEntry>) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        append(&mut tx, &self.signer, self.clock.now(), &entries)
            .await
            .map_err(|f| self.port(f))?;
        self.commit_tx(tx).await
    }

    async fn newest(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError> {
        let rows = sqlx::query(
            "SELECT * FROM audit
             WHERE seq < ?1
               AND (?2 IS NULL OR actor = ?2)
               AND (?3 IS NULL OR substr(action, 1, length(?3)) = ?3)
               AND (?4 IS NULL OR subject = ?4)
               AND (?5 IS NULL OR decision = ?5)
               AND (?6 IS NULL OR at >= ?6)
               AND (?7 IS NULL OR at < ?7)
             ORDER BY seq DESC LIMIT ?8",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(&filter.actor)
        .bind(&filter.action)
        .bind(&filter.subject)
        .bind(&filter.decision)
        .bind(filter.since.map(time_text))
        .bind(filter.until.map(time_text))
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(|e| self.port(e.into()))?;
        rows.iter()
            .map(record)
            .collect::<Result<_, _>>()
            .map_err(|f| self.port(f))
    }

    async fn oldest(&self, after: i64, limit: u32) -> Result<Vec<AuditRecord>, PortError> {
        let mut conn = self
            .readers
            .acquire()
            .await
            .map_err(|e| self.port(e.into()))?;
        page(&mut conn, after, i64::from(limit))
            .await
            .map_err(|f| self.port(f))
    }

    async fn last(&self) -> Result<i64, PortError> {
        sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM audit")
            .fetch_one(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))
    }

    async fn verify(&self) -> Result<AuditVerification, PortError> {
        let mut tx = self
            .readers
            .begin()
            .await
            .map_err(|e| self.port(e.into()))?;
        verify(&mut tx, &self.signer)
            .await
            .map_err(|f| self.port(f))
    }

    async fn seal(&self) -> Result<(), PortError> {
        // The head is signed already; a copy of it stays when the next record renews it.
        sqlx::query(
            "INSERT OR IGNORE INTO audit_checkpoints (seq, hash, at, signature, public_key)
             SELECT seq, hash, at, signature, public_key FROM audit_head",
        )
        .execute(&self.writer)
        .await
        .map(|_| ())
        .map_err(|e| self.port(e.into()))
    }

    fn public_key(&self) -> String {
        self.signer.public_key().to_hex()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, store};
    use sqlx::ConnectOptions as _;
    use sqlx::sqlite::SqliteConnectOptions;

    /// A chain of `n` records, then `tamper` done with another program's connection.
    async fn broken_by(n: usize, tamper: &'static [&'static str]) -> AuditVerification {
        let (folder, store) = store().await;
        for i in 1..n {
            AuditStore::append(&store, vec![entry(&format!("subject-{i}"))])
                .await
                .unwrap();
        }
        let before = store.verify().await.unwrap();
        assert!(before.ok, "{before:?}");
        assert_eq!(before.records, n as i64);
        let mut outside = SqliteConnectOptions::new()
            .filename(folder.path().join(crate::DATABASE))
            .connect()
            .await
            .unwrap();
        for statement in tamper {
            sqlx::query(*statement).execute(&mut outside).await.unwrap();
        }
        store.verify().await.unwrap()
    }

    #[tokio::test]
    async fn every_kind_of_tampering_is_found_and_named() {
        let cases: [(usize, &'static [&'static str], i64); 9] = [
            (5, &["UPDATE audit SET actor = 'nobody' WHERE seq = 3"], 3),
            (
                5,
                &["UPDATE audit SET at = replace(at, 'Z', '+00:00') WHERE seq = 4"],
                4,
            ),
            (5, &["UPDATE audit SET detail = '{}' WHERE seq = 2"], 2),
            (5, &["DELETE FROM audit WHERE seq = 2"], 2),
            // The last one: only the signed head knows of it.
            (5, &["DELETE FROM audit WHERE seq = 5"], 5),
            (
                5,
                &[
                    "UPDATE audit SET seq = 100 WHERE seq = 2",
                    "UPDATE audit SET seq = 2 WHERE seq = 3",
                    "UPDATE audit SET seq = 3 WHERE seq = 100",
                ],
                2,
            ),
            (5, &["DELETE FROM audit", "DELETE FROM audit_head"], 1),
            (70, &["DELETE FROM audit_checkpoints"], 64),
            (
                70,
                &[
                    "UPDATE audit_checkpoints SET signature = replace(signature, substr(signature, 1, 2), '00')",
                ],
                64,
            ),
        ];
        for (n, tamper, first) in cases {
            let outcome = broken_by(n, tamper).await;
            assert!(!outcome.ok, "{tamper:?}");
            assert_eq!(outcome.first_broken, Some(first), "{tamper:?}: {outcome:?}");
            assert!(outcome.reason.is_some());
        }
    }

    #[tokio::test]
    async fn a_cut_tail_is_not_covered_up_by_the_next_record() {
        for tamper in [
            "DELETE FROM audit WHERE seq = 3",
            "UPDATE audit SET hash = prev_hash WHERE seq = 3",
            "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit WHERE seq = 2)",
            "DELETE FROM audit_head",
        ] {
            let (folder, store) = store().await;
            for _ in 0..2 {
                AuditStore::append(&store, vec![entry("s")]).await.unwrap();
            }
            let mut outside = SqliteConnectOptions::new()
                .filename(folder.path().join(crate::DATABASE))
                .connect()
                .await
                .unwrap();
            sqlx::query(tamper).execute(&mut outside).await.unwrap();
            let next = AuditStore::append(&store, vec![entry("s")]).await;
            assert!(
                next.unwrap_err().to_string().contains("audit verify"),
                "{tamper}"
            );
            store.seal().await.unwrap();
            assert!(!store.verify().await.unwrap().ok, "{tamper}");
        }
    }

    #[tokio::test]
    async fn the_program_itself_cannot_change_a_record() {
        let (_folder, store) = store().await;
        for statement in [
            "UPDATE audit SET actor = 'x'",
            "DELETE FROM audit",
            "DELETE FROM audit_checkpoints WHERE 1 = 1",
        ] {
            store.seal().await.unwrap();
            let answer = sqlx::query(statement).execute(&store.writer).await;
            assert!(answer.unwrap_err().to_string().contains("append-only"));
        }
    }

    #[tokio::test]
    async fn pages_run_from_the_newest_and_filters_hold() {
        let (_folder, store) = store().await;
        for i in 1..=9 {
            AuditStore::append(&store, vec![entry(&format!("s{}", i % 2))])
                .await
                .unwrap();
        }
        let all = AuditFilter::default();
        let first = store.newest(&all, None, 4).await.unwrap();
        let seqs: Vec<i64> = first.iter().map(|r| r.seq).collect();
        assert_eq!(seqs, [10, 9, 8, 7]);
        let next = store.newest(&all, Some(7), 100).await.unwrap();
        assert_eq!(next.len(), 6);
        let some = AuditFilter {
            subject: Some("s1".into()),
            action: Some("test.".into()),
            ..AuditFilter::default()
        };
        assert_eq!(store.newest(&some, None, 100).await.unwrap().len(), 5);
        let none = AuditFilter {
            action: Some("test._".into()),
            ..AuditFilter::default()
        };
        assert!(store.newest(&none, None, 100).await.unwrap().is_empty());
    }
}
