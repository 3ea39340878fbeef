//! Table `papers`.

use crate::fault::Fault;
use crate::{SqliteStore, Tx, audit, from_json, time_text, to_json};
use async_trait::async_trait;
use mltrainer_services::port::{PaperStore, PortError};
use mltrainer_types::PaperId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::paper::{Paper, PaperSummary, PaperTest};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

fn paper(row: &SqliteRow) -> Result<Paper, Fault> {
    let mut paper: Paper = from_json("body", row.try_get("body")?)?;
    let test: Option<&str> = row.try_get("test")?;
    paper.test = test.map(|t| from_json("test", t)).transpose()?;
    Ok(paper)
}

fn summary(paper: Paper, snippet: Option<String>) -> PaperSummary {
    let title = paper.reading.title.clone();
    PaperSummary {
        id: paper.id,
        title: if title.is_empty() {
            paper.file.clone()
        } else {
            title
        },
        file: paper.file,
        pages: paper.pages,
        added_at: paper.added_at,
        claims: u32::try_from(paper.reading.all_claims().count()).unwrap_or(u32::MAX),
        strategy: paper.reading.testable().map(|s| s.strategy.clone()),
        snippet,
    }
}

/// The words of a search as FTS5 takes them: each one quoted, all of them needed.
fn all_of(query: &str) -> String {
    let words = query.split(|c: char| !c.is_alphanumeric());
    let quoted = words.filter(|w| !w.is_empty()).map(|w| format!("\"{w}\""));
    quoted.take(32).collect::<Vec<_>>().join(" ")
}

impl SqliteStore {
    async fn write_paper(
        &self,
        tx: &mut Tx,
        new: &Paper,
        text: &str,
        entry: AuditEntry,
    ) -> Result<Paper, Fault> {
        let done = sqlx::query(
            "INSERT INTO papers (id, sha256, added_at, file, title, text, body) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (sha256) DO NOTHING",
        )
        .bind(new.id.as_str())
        .bind(&new.sha256)
        .bind(time_text(new.added_at))
        .bind(&new.file)
        .bind(&new.reading.title)
        .bind(text)
        .bind(to_json(new)?)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() > 0 {
            audit::append(tx, &self.signer, new.added_at, &[entry]).await?;
        }
        let row = sqlx::query("SELECT body, test FROM papers WHERE sha256 = ?")
            .bind(&new.sha256)
            .fetch_one(&mut **tx)
            .await?;
        paper(&row)
    }

    async fn find_paper(&self, name: &str) -> Result<Option<Paper>, Fault> {
        let row = sqlx::query(
            "SELECT body, test FROM papers WHERE ?1 IN (id, sha256, file)
             ORDER BY id = ?1 DESC, sha256 = ?1 DESC, row DESC LIMIT 1",
        )
        .bind(name)
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(paper).transpose()
    }

    async fn list_papers(&self, query: &str, limit: u32) -> Result<Vec<PaperSummary>, Fault> {
        let words = all_of(query);
        let rows = if query.trim().is_empty() {
            sqlx::query("SELECT body, test, NULL AS snippet FROM papers ORDER BY row DESC LIMIT ?")
                .bind(limit)
                .fetch_all(&self.readers)
                .await?
        } else if words.is_empty() {
            // Marks alone are found nowhere.
            Vec::new()
        } else {
            sqlx::query(
                "SELECT papers.body, papers.test,
                     snippet(papers_index, -1, '\u{2068}', '\u{2069}', '…', 24) AS snippet
                 FROM papers_index JOIN papers ON papers.row = papers_index.rowid
                 WHERE papers_index MATCH ? ORDER BY rank LIMIT ?",
            )
            .bind(words)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?
        };
        rows.iter()
            .map(|row| Ok(summary(paper(row)?, row.try_get("snippet")?)))
            .collect()
    }
}

#[async_trait]
impl PaperStore for SqliteStore {
    async fn keep_paper(
        &self,
        paper: &Paper,
        text: &str,
        audit: AuditEntry,
    ) -> Result<Paper, PortError> {
        let mut tx = self.begin().await?;
        let kept = self
            .write_paper(&mut tx, paper, text, audit)
            .await
            .map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(kept)
    }

    async fn keep_paper_test(&self, id: &PaperId, test: &PaperTest) -> Result<(), PortError> {
        let mut tx = self.begin().await?;
        let text = to_json(test).map_err(|f| self.port(f))?;
        sqlx::query("UPDATE papers SET test = ? WHERE id = ?")
            .bind(text)
            .bind(id.as_str())
            .execute(&mut *tx)
            .await
            .map_err(|e| self.port(e.into()))?;
        self.commit_tx(tx).await
    }

    async fn paper(&self, name: &str) -> Result<Option<Paper>, PortError> {
        self.find_paper(name).await.map_err(|f| self.port(f))
    }

    async fn papers(&self, query: &str, limit: u32) -> Result<Vec<PaperSummary>, PortError> {
        self.list_papers(query, limit)
            .await
            .map_err(|f| self.port(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, store};
    use mltrainer_services::port::AuditStore as _;
    use mltrainer_types::BacktestId;
    use mltrainer_types::paper::PaperReading;

    fn new(n: u32, title: &str) -> Paper {
        Paper {
            id: PaperId(format!("p-{n}")),
            file: format!("{n}.pdf"),
            sha256: format!("hash of {n}"),
            pages: 3,
            added_at: chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            reading: PaperReading {
                title: title.to_owned(),
                ..PaperReading::default()
            },
            test: None,
        }
    }

    #[tokio::test]
    async fn a_file_is_kept_once_and_found_by_its_words() {
        let (_folder, store) = store().await;
        let begun = store.last().await.unwrap();
        let first = new(1, "Past winners");
        let kept = store
            .keep_paper(&first, "Stocks that rose go on rising.", entry("p-1"))
            .await;
        assert_eq!(kept.unwrap(), first);
        let again = Paper {
            id: PaperId("p-9".to_owned()),
            ..first.clone()
        };
        let kept = store.keep_paper(&again, "another text", entry("p-9")).await;
        assert_eq!(kept.unwrap().id, first.id);
        store
            .keep_paper(
                &new(2, "Calm markets"),
                "Volatility is steady.",
                entry("p-2"),
            )
            .await
            .unwrap();
        let titles =
            |found: Vec<PaperSummary>| found.into_iter().map(|p| p.title).collect::<Vec<_>>();
        assert_eq!(
            titles(store.papers("", 10).await.unwrap()),
            ["Calm markets", "Past winners"]
        );
        // Another form of the word, and a mark that is FTS5's own.
        let found = store.papers("rise* \"stock", 10).await.unwrap();
        assert!(
            found[0].snippet.as_ref().unwrap().contains('\u{2068}'),
            "{found:?}"
        );
        assert_eq!(titles(found), ["Past winners"]);
        assert!(store.papers("\"*(", 10).await.unwrap().is_empty());
        assert_eq!(store.paper("1.pdf").await.unwrap().unwrap().id, first.id);
        assert_eq!(store.paper("p-9").await.unwrap(), None);
        let test = PaperTest {
            backtest: BacktestId("b-1".to_owned()),
            symbols: vec!["AAPL".to_owned()],
            verdict: "no edge".to_owned(),
            compared: Vec::new(),
        };
        store.keep_paper_test(&first.id, &test).await.unwrap();
        assert_eq!(store.paper("p-1").await.unwrap().unwrap().test, Some(test));
        // Two files were kept; the repeated one left no record.
        assert_eq!(store.last().await.unwrap(), begun + 2);
    }
}
