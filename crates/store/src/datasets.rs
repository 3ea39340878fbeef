//! Table `datasets`.

use crate::fault::Fault;
use crate::{SqliteStore, audit, count, from_json, parse_time, time_text, to_json};
use async_trait::async_trait;
use mltrainer_services::port::{DatasetStore, PortError, Registered};
use mltrainer_types::DatasetId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::data::{DatasetDetail, DatasetSummary, QualityReport};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

fn registered(row: &SqliteRow) -> Result<Registered, Fault> {
    let text = |name: &str| row.try_get::<String, _>(name);
    let quality: QualityReport = from_json("quality", &text("quality")?)?;
    let checked_at = parse_time(&text("checked_at")?)?;
    Ok(Registered {
        detail: DatasetDetail {
            summary: DatasetSummary {
                id: DatasetId(text("id")?),
                kind: from_json("kind", &format!("\"{}\"", text("kind")?))?,
                symbols: from_json("symbols", &text("symbols")?)?,
                source: text("source")?,
                title: text("title")?,
                first: from_json("first", &format!("\"{}\"", text("first")?))?,
                last: from_json("last", &format!("\"{}\"", text("last")?))?,
                rows: count("rows", row.try_get("rows")?)?,
                sha256: text("sha256")?,
                quality: quality.score,
                quarantined: quality.quarantined,
                licence: text("licence")?,
                origin: text("origin")?,
            },
            quality,
            lineage: from_json("lineage", &text("lineage")?)?,
            notes: text("notes")?,
        },
        path: row.try_get("path")?,
        file_sha256: text("file_sha256")?,
        checked_at,
        checked_by: text("checked_by")?,
    })
}

#[async_trait]
impl DatasetStore for SqliteStore {
    async fn datasets(&self) -> Result<Vec<Registered>, PortError> {
        sqlx::query("SELECT * FROM datasets ORDER BY id")
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .iter()
            .map(|row| registered(row).map_err(|f| self.port(f)))
            .collect()
    }

    async fn count(&self) -> Result<u32, PortError> {
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM datasets")
            .fetch_one(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX))
    }

    async fn dataset(&self, id: &DatasetId) -> Result<Option<Registered>, PortError> {
        sqlx::query("SELECT * FROM datasets WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .map(|row| registered(&row).map_err(|f| self.port(f)))
            .transpose()
    }

    async fn register(
        &self,
        sets: Vec<Registered>,
        entries: Vec<AuditEntry>,
    ) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        let write = async {
            for set in &sets {
                let s = &set.detail.summary;
                sqlx::query(
                    "INSERT OR REPLACE INTO datasets (id, kind, symbols, source, title, first, last, rows, sha256,
                         licence, origin, quality, lineage, notes, path, file_sha256, checked_at, checked_by)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(s.id.as_str())
                .bind(to_json(&s.kind)?.trim_matches('"').to_owned())
                .bind(to_json(&s.symbols)?)
                .bind(&s.source)
                .bind(&s.title)
                .bind(s.first.to_string())
                .bind(s.last.to_string())
                .bind(i64::try_from(s.rows).unwrap_or(i64::MAX))
                .bind(&s.sha256)
                .bind(&s.licence)
                .bind(&s.origin)
                .bind(to_json(&set.detail.quality)?)
                .bind(to_json(&set.detail.lineage)?)
                .bind(&set.detail.notes)
                .bind(&set.path)
                .bind(&set.file_sha256)
                .bind(time_text(set.checked_at))
                .bind(&set.checked_by)
                .execute(&mut *tx)
                .await?;
            }
            audit::append(&mut tx, &self.signer, self.clock.now(), &entries).await
        };
        write.await.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, store};
    use mltrainer_services::port::AuditStore;
    use mltrainer_types::data::DatasetKind;

    fn set(id: &str) -> Registered {
        let day = |text: &str| text.parse().unwrap();
        Registered {
            detail: DatasetDetail {
                summary: DatasetSummary {
                    id: id.into(),
                    kind: DatasetKind::Bars,
                    symbols: vec!["ÅB".into()],
                    source: "user_provided".into(),
                    title: "t".into(),
                    first: day("2001-02-03"),
                    last: day("2003-02-01"),
                    rows: 2,
                    sha256: "00".into(),
                    quality: 99.5,
                    quarantined: 1,
                    licence: "l".into(),
                    origin: "o".into(),
                },
                quality: QualityReport {
                    score: 99.5,
                    rows: 3,
                    usable: 2,
                    quarantined: 1,
                    counts: [("gap".to_owned(), 1)].into(),
                    findings: Vec::new(),
                },
                lineage: Vec::new(),
                notes: String::new(),
            },
            path: Some("bars/x.parquet".into()),
            file_sha256: "11".into(),
            checked_at: "2024-01-01T00:00:00.000001Z".parse().unwrap(),
            checked_by: "0.1.0".into(),
        }
    }

    #[tokio::test]
    async fn a_set_comes_back_as_it_was_registered_with_its_record() {
        let (_folder, store) = store().await;
        store
            .register(vec![set("user:b"), set("user:a")], vec![entry("user:a")])
            .await
            .unwrap();
        let all = store.datasets().await.unwrap();
        assert_eq!(all, [set("user:a"), set("user:b")]);
        assert_eq!(store.count().await.unwrap(), 2);
        assert_eq!(
            store.dataset(&"user:b".into()).await.unwrap(),
            Some(set("user:b"))
        );
        assert_eq!(store.dataset(&"user:c".into()).await.unwrap(), None);
        assert_eq!(store.last().await.unwrap(), 2);
    }

    #[tokio::test]
    async fn every_kind_is_taken() {
        let (_folder, store) = store().await;
        for kind in [
            DatasetKind::Bars,
            DatasetKind::Closes,
            DatasetKind::Intraday,
            DatasetKind::Series,
        ] {
            let mut one = set("user:a");
            one.detail.summary.kind = kind;
            let written = store.register(vec![one.clone()], vec![entry("user:a")]);
            written.await.unwrap();
            assert_eq!(store.dataset(&"user:a".into()).await.unwrap(), Some(one));
        }
    }

    #[tokio::test]
    async fn a_failing_record_leaves_no_set_behind() {
        let (_folder, store) = store().await;
        let mut bad = entry("user:a");
        bad.decision = "perhaps".into();
        assert!(
            store
                .register(vec![set("user:a")], vec![bad])
                .await
                .is_err()
        );
        assert!(store.datasets().await.unwrap().is_empty());
        assert_eq!(store.last().await.unwrap(), 1);
    }
}
