//! Tokens of programs that act over MCP: made, listed, revoked, recognised.
//!
//! What: a token names an actor of the audit chain and gives it a trust from 1 to 10, the scale that
//! every action is measured on; only the SHA-256 of a token is stored.
//! Fails when: the name is taken or is none, the trust is off the scale, the last day is past.

use crate::{Authority, ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::token::TokenView;
use serde_json::json;
use sha2::{Digest as _, Sha256};

fn sha256(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

impl Services {
    /// Stores a token under a name; the caller made it out of randomness and shows it once.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a name, trust or day that cannot be; [`ServiceError::Conflict`] when the name
    /// was used before.
    pub async fn create_token(
        &self,
        who: &Authority,
        name: &str,
        trust: u8,
        expires: Option<NaiveDate>,
        token: &str,
    ) -> Result<TokenView, ServiceError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !(1..=64).contains(&name.len()) || !name.chars().all(plain) {
            return Err(ServiceError::invalid(
                "name",
                "a name has 1 to 64 letters, digits, \"-\", \"_\" or \".\"",
            ));
        }
        if !(1..=10).contains(&trust) {
            return Err(ServiceError::invalid(
                "trust",
                format!("{trust} is not on the scale from 1 to 10"),
            ));
        }
        let now = self.inner.clock.now();
        if expires.is_some_and(|day| day < now.date_naive()) {
            return Err(ServiceError::invalid("expires", "that day is past"));
        }
        let view = TokenView {
            name: name.to_owned(),
            trust,
            scopes: TokenView::scopes(trust),
            created_at: now,
            expires,
            revoked_at: None,
        };
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: "token.create".to_owned(),
            subject: format!("mcp:{name}"),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({ "trust": trust, "expires": expires }),
        };
        let made = self
            .inner
            .tokens
            .add_token(&view, &sha256(token), audit)
            .await?;
        if !made {
            return Err(ServiceError::Conflict(format!(
                "there was a token \"{name}\" before, and its name stands in the audit chain: choose another name"
            )));
        }
        Ok(view)
    }

    /// All tokens that were ever made, by name.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn tokens(&self) -> Result<Vec<TokenView>, ServiceError> {
        Ok(self.inner.tokens.tokens().await?)
    }

    /// Revokes a token; one that was revoked stays so.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn revoke_token(
        &self,
        who: &Authority,
        name: &str,
    ) -> Result<TokenView, ServiceError> {
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: "token.revoke".to_owned(),
            subject: format!("mcp:{name}"),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({}),
        };
        let at = self.inner.clock.now();
        let revoked = self.inner.tokens.revoke_token(name, at, audit).await?;
        match revoked {
            Some(view) => Ok(view),
            None => Err(ServiceError::NotFound {
                what: "token",
                id: name.to_owned(),
                suggestions: Vec::new(),
            }),
        }
    }

    /// Who shows a token that holds now.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn token_holder(&self, token: &str) -> Result<Option<Authority>, ServiceError> {
        let found = self.inner.tokens.token(&sha256(token)).await?;
        let now = self.inner.clock.now();
        Ok(found.filter(|t| t.holds(now)).map(|t| Authority {
            actor: format!("mcp:{}", t.name),
            trust: t.trust,
        }))
    }
}
