//! Table `portfolio_transactions`.

use crate::fault::Fault;
use crate::{SqliteStore, Tx, audit, from_json, parse_time, time_text};
use async_trait::async_trait;
use mltrainer_services::port::{NewTransaction, PortError, PortfolioStore, Recorded};
use mltrainer_types::portfolio::{Transaction, TransactionKind};
use rust_decimal::Decimal;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

fn transaction(row: &SqliteRow) -> Result<Transaction, Fault> {
    let amount = |name: &str| -> Result<Option<Decimal>, Fault> {
        let text: Option<&str> = row.try_get(name)?;
        let read = |t: &str| {
            let amount = t.parse();
            amount.map_err(|e| Fault::Damaged(format!("{name} \"{t}\": {e}")))
        };
        text.map(read).transpose()
    };
    let kind: &str = row.try_get("kind")?;
    let date: &str = row.try_get("date")?;
    Ok(Transaction {
        id: row.try_get("id")?,
        recorded_at: parse_time(row.try_get("recorded_at")?)?,
        kind: TransactionKind::parse(kind)
            .ok_or_else(|| Fault::Damaged(format!("kind \"{kind}\"")))?,
        date: from_json("date", &format!("\"{date}\""))?,
        symbol: row.try_get("symbol")?,
        shares: amount("shares")?,
        price: amount("price")?,
        fees: amount("fees")?,
        amount: amount("amount")?,
        new_shares: row.try_get("new_shares")?,
        for_old: row.try_get("for_old")?,
        reverses: row.try_get("reverses")?,
        note: row.try_get("note")?,
    })
}

/// A row that a key recorded, with the hash of its request.
fn keyed(row: &SqliteRow) -> Result<(String, Transaction), Fault> {
    Ok((row.try_get("body_sha256")?, transaction(row)?))
}

impl SqliteStore {
    async fn record_transaction(
        &self,
        tx: &mut Tx,
        new: NewTransaction,
    ) -> Result<Recorded, Fault> {
        if let Some(key) = &new.idempotency {
            let row = sqlx::query("SELECT * FROM portfolio_transactions WHERE key = ?")
                .bind(&key.key)
                .fetch_optional(&mut **tx)
                .await?;
            if let Some(row) = row {
                let (body, made) = keyed(&row)?;
                return Ok(if body == key.body_sha256 {
                    Recorded::Repeated(made)
                } else {
                    Recorded::KeyTaken
                });
            }
        }
        let last: i64 =
            sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM portfolio_transactions")
                .fetch_one(&mut **tx)
                .await?;
        if last != new.after {
            return Ok(Recorded::Behind);
        }
        let r = &new.request;
        let text = |x: Option<Decimal>| x.map(|x| x.to_string());
        let row = sqlx::query(
            "INSERT INTO portfolio_transactions (id, recorded_at, kind, date, symbol, shares, price, fees, amount,
                 new_shares, for_old, reverses, note, key, body_sha256)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
        )
        .bind(last + 1)
        .bind(time_text(new.at))
        .bind(r.kind.as_str())
        .bind(r.date.to_string())
        .bind(&r.symbol)
        .bind(text(r.shares))
        .bind(text(r.price))
        .bind(text(r.fees))
        .bind(text(r.amount))
        .bind(r.new_shares)
        .bind(r.for_old)
        .bind(r.reverses)
        .bind(&r.note)
        .bind(new.idempotency.as_ref().map(|k| &k.key))
        .bind(new.idempotency.as_ref().map(|k| &k.body_sha256))
        .fetch_one(&mut **tx)
        .await?;
        audit::append(tx, &self.signer, new.at, &[new.audit]).await?;
        Ok(Recorded::Made(transaction(&row)?))
    }
}

#[async_trait]
impl PortfolioStore for SqliteStore {
    async fn record(&self, new: NewTransaction) -> Result<Recorded, PortError> {
        let mut tx = self.begin().await?;
        let recorded = self.record_transaction(&mut tx, new).await;
        let recorded = recorded.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(recorded)
    }

    async fn recorded(&self, key: &str) -> Result<Option<(String, Transaction)>, PortError> {
        sqlx::query("SELECT * FROM portfolio_transactions WHERE key = ?")
            .bind(key)
            .fetch_optional(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .map(|row| keyed(&row).map_err(|f| self.port(f)))
            .transpose()
    }

    async fn transactions(&self) -> Result<Vec<Transaction>, PortError> {
        sqlx::query("SELECT * FROM portfolio_transactions ORDER BY id")
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .iter()
            .map(|row| transaction(row).map_err(|f| self.port(f)))
            .collect()
    }

    async fn newest_transactions(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Transaction>, PortError> {
        sqlx::query("SELECT * FROM portfolio_transactions WHERE id < ? ORDER BY id DESC LIMIT ?")
            .bind(before.unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .iter()
            .map(|row| transaction(row).map_err(|f| self.port(f)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, store};
    use mltrainer_services::port::{AuditStore, Idempotency};
    use mltrainer_types::portfolio::TransactionRequest;

    fn new(after: i64, amount: &str, key: Option<(&str, &str)>) -> NewTransaction {
        let date = "2011-01-03".parse().unwrap();
        let mut request = TransactionRequest::new(TransactionKind::Deposit, date);
        request.amount = Some(amount.parse().unwrap());
        NewTransaction {
            request,
            at: "2024-01-01T00:00:00.000001Z".parse().unwrap(),
            after,
            idempotency: key.map(|(key, body)| Idempotency {
                key: key.into(),
                body_sha256: body.into(),
            }),
            audit: entry(&format!("portfolio:{}", after + 1)),
        }
    }

    #[tokio::test]
    async fn transactions_come_back_to_the_last_digit_with_their_records() {
        let (_folder, store) = store().await;
        for (after, amount) in [(0, "1000.50"), (1, "0.00000001")] {
            let made = store.record(new(after, amount, None)).await.unwrap();
            assert!(matches!(made, Recorded::Made(t) if t.id == after + 1));
        }
        let all = store.transactions().await.unwrap();
        assert_eq!(all[0].amount.unwrap().to_string(), "1000.50");
        assert_eq!(all[1].amount.unwrap().to_string(), "0.00000001");
        assert_eq!(store.last().await.unwrap(), 3);
        let newest = store.newest_transactions(Some(2), 9).await.unwrap();
        assert_eq!(newest, all[..1]);
    }

    #[tokio::test]
    async fn a_key_records_once_and_a_stale_check_records_nothing() {
        let (_folder, store) = store().await;
        let first = store.record(new(0, "1", Some(("k", "a")))).await.unwrap();
        let Recorded::Made(made) = first else {
            panic!()
        };
        let again = store.record(new(0, "1", Some(("k", "a")))).await.unwrap();
        assert_eq!(again, Recorded::Repeated(made.clone()));
        let other = store.record(new(1, "2", Some(("k", "b")))).await.unwrap();
        assert_eq!(other, Recorded::KeyTaken);
        let behind = store.record(new(0, "2", None)).await.unwrap();
        assert_eq!(behind, Recorded::Behind);
        assert_eq!(store.transactions().await.unwrap().len(), 1);
        assert_eq!(store.recorded("k").await.unwrap(), Some(("a".into(), made)));
        assert_eq!(store.last().await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_failing_record_leaves_no_transaction_behind() {
        let (_folder, store) = store().await;
        let mut bad = new(0, "1", None);
        bad.audit.decision = "perhaps".into();
        store.record(bad).await.unwrap_err();
        assert_eq!(store.transactions().await.unwrap(), []);
    }

    #[tokio::test]
    async fn nothing_is_changed_or_taken_away() {
        let (_folder, store) = store().await;
        store.record(new(0, "1", None)).await.unwrap();
        for statement in [
            "UPDATE portfolio_transactions SET amount = '2'",
            "DELETE FROM portfolio_transactions",
        ] {
            let refused = sqlx::query(statement).execute(&store.writer).await;
            assert!(refused.unwrap_err().to_string().contains("append-only"));
        }
    }
}
