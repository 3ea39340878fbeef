//! Table `mcp_tokens`.

use crate::fault::Fault;
use crate::{SqliteStore, Tx, audit, count, from_json, parse_time, time_text};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mltrainer_services::port::{PortError, TokenStore};
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::token::TokenView;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

fn view(row: &SqliteRow) -> Result<TokenView, Fault> {
    let trust: u8 = count("trust", row.try_get("trust")?)?;
    let expires: Option<&str> = row.try_get("expires")?;
    let revoked: Option<&str> = row.try_get("revoked_at")?;
    let knows_until: Option<&str> = row.try_get("knows_until")?;
    let day = |name, text: Option<&str>| {
        text.map(|day| from_json(name, &format!("\"{day}\"")))
            .transpose()
    };
    Ok(TokenView {
        name: row.try_get("name")?,
        trust,
        scopes: TokenView::scopes(trust),
        created_at: parse_time(row.try_get("created_at")?)?,
        expires: day("expires", expires)?,
        revoked_at: revoked.map(parse_time).transpose()?,
        model: row.try_get("model")?,
        knows_until: day("knows_until", knows_until)?,
    })
}

impl SqliteStore {
    async fn write_token(
        &self,
        tx: &mut Tx,
        token: &TokenView,
        sha256: &str,
        entry: AuditEntry,
    ) -> Result<bool, Fault> {
        let done = sqlx::query(
            "INSERT INTO mcp_tokens (name, sha256, trust, created_at, expires, model, knows_until)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&token.name)
        .bind(sha256)
        .bind(i64::from(token.trust))
        .bind(time_text(token.created_at))
        .bind(token.expires.map(|day| day.to_string()))
        .bind(&token.model)
        .bind(token.knows_until.map(|day| day.to_string()))
        .execute(&mut **tx)
        .await?;
        let made = done.rows_affected() > 0;
        if made {
            audit::append(tx, &self.signer, token.created_at, &[entry]).await?;
        }
        Ok(made)
    }

    async fn end_token(
        &self,
        tx: &mut Tx,
        name: &str,
        at: DateTime<Utc>,
        entry: AuditEntry,
    ) -> Result<Option<TokenView>, Fault> {
        let done = sqlx::query(
            "UPDATE mcp_tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL",
        )
        .bind(time_text(at))
        .bind(name)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() > 0 {
            audit::append(tx, &self.signer, at, &[entry]).await?;
        }
        let row = sqlx::query("SELECT * FROM mcp_tokens WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut **tx)
            .await?;
        row.as_ref().map(view).transpose()
    }
}

#[async_trait]
impl TokenStore for SqliteStore {
    async fn add_token(
        &self,
        token: &TokenView,
        sha256: &str,
        audit: AuditEntry,
    ) -> Result<bool, PortError> {
        let mut tx = self.begin().await?;
        let made = self.write_token(&mut tx, token, sha256, audit).await;
        let made = made.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(made)
    }

    async fn tokens(&self) -> Result<Vec<TokenView>, PortError> {
        sqlx::query("SELECT * FROM mcp_tokens ORDER BY name")
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .iter()
            .map(|row| view(row).map_err(|f| self.port(f)))
            .collect()
    }

    async fn token(&self, sha256: &str) -> Result<Option<TokenView>, PortError> {
        sqlx::query("SELECT * FROM mcp_tokens WHERE sha256 = ?")
            .bind(sha256)
            .fetch_optional(&self.readers)
            .await
            .map_err(|e| self.port(e.into()))?
            .map(|row| view(&row).map_err(|f| self.port(f)))
            .transpose()
    }

    async fn revoke_token(
        &self,
        name: &str,
        at: DateTime<Utc>,
        audit: AuditEntry,
    ) -> Result<Option<TokenView>, PortError> {
        let mut tx = self.begin().await?;
        let ended = self.end_token(&mut tx, name, at, audit).await;
        let ended = ended.map_err(|f| self.port(f))?;
        self.commit_tx(tx).await?;
        Ok(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, store};
    use mltrainer_services::port::AuditStore;

    fn token(name: &str) -> TokenView {
        TokenView {
            name: name.to_owned(),
            trust: 3,
            scopes: TokenView::scopes(3),
            created_at: "2026-11-29T15:00:00.000001Z".parse().unwrap(),
            expires: "2026-12-31".parse().ok(),
            revoked_at: None,
            model: Some("a-model".to_owned()),
            knows_until: "2025-01-31".parse().ok(),
        }
    }

    #[tokio::test]
    async fn a_token_is_found_by_its_hash_and_its_name_is_used_once() {
        let (_folder, store) = store().await;
        let made = token("desk");
        assert!(
            store
                .add_token(&made, "aa", entry("mcp:desk"))
                .await
                .unwrap()
        );
        assert!(
            !store
                .add_token(&made, "bb", entry("mcp:desk"))
                .await
                .unwrap()
        );
        assert_eq!(store.token("aa").await.unwrap(), Some(made.clone()));
        assert_eq!(store.token("bb").await.unwrap(), None);
        assert_eq!(store.tokens().await.unwrap(), [made]);
        // The chain began with one record; what was not made left none.
        assert_eq!(store.last().await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_token_is_revoked_once() {
        let (_folder, store) = store().await;
        store
            .add_token(&token("desk"), "aa", entry("x"))
            .await
            .unwrap();
        let at = "2026-11-29T16:00:00.000001Z".parse().unwrap();
        let ended = store.revoke_token("desk", at, entry("x")).await.unwrap();
        assert_eq!(ended.unwrap().revoked_at, Some(at));
        let later = "2026-11-29T17:00:00.000001Z".parse().unwrap();
        let again = store.revoke_token("desk", later, entry("x")).await.unwrap();
        assert_eq!(again.unwrap().revoked_at, Some(at));
        assert_eq!(
            store.revoke_token("no", at, entry("x")).await.unwrap(),
            None
        );
        assert_eq!(store.last().await.unwrap(), 3);
    }
}
