//! Tokens of programs that act over MCP: made, listed, revoked, recognised.
//!
//! What: a token names an actor of the audit chain and gives it a trust from 1 to 10, the scale that
//! every action is measured on; only the SHA-256 of a token is stored.
//! What a token's program begins counts as steered by a language model: by the one that the token's maker named, with
//! the day up to which it knows, or by one of which nothing is known.
//! Fails when: the name is taken or is none, the trust is off the scale, the last day is past.

use crate::port::SteeredAction;
use crate::{Authority, ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_assistant::llm::models;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::llm::Steerer;
use mltrainer_types::token::TokenView;
use serde_json::json;
use sha2::{Digest as _, Sha256};

fn sha256(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// Longest name of a model.
const MODEL: usize = 100;

/// What a new token is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// The trust of whoever shows it, 1 to 10.
    pub trust: u8,
    /// The last day (UTC) on which it holds; for ever when absent.
    pub expires: Option<NaiveDate>,
    /// The language model that will act with it.
    pub model: Option<String>,
    /// The last day of which that model knows; the published one of a known model when absent.
    pub knows_until: Option<NaiveDate>,
}

/// Who acts over MCP, for the record of what it steers.
///
/// # Errors
/// [`ServiceError::Invalid`] for a name of a model that is none.
pub fn over_mcp(
    actor: &str,
    model: Option<&str>,
    knows_until: Option<NaiveDate>,
) -> Result<SteeredAction, ServiceError> {
    let plain = |m: &str| !m.trim().is_empty() && !m.chars().any(char::is_control);
    if model.is_some_and(|m| m.len() > MODEL || !plain(m)) {
        return Err(ServiceError::invalid(
            "model",
            format!("the name of a model has 1 to {MODEL} visible signs"),
        ));
    }
    Ok(SteeredAction {
        model: Steerer {
            model: model.map(str::to_owned),
            host: actor.to_owned(),
            cutoff: models::cutoff_by_name(model.unwrap_or_default(), knows_until),
        },
        message: None,
    })
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
        new: NewToken,
        token: &str,
    ) -> Result<TokenView, ServiceError> {
        let NewToken {
            name,
            trust,
            expires,
            model,
            knows_until,
        } = new;
        over_mcp(&name, model.as_deref(), knows_until)?;
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
            name: name.clone(),
            trust,
            scopes: TokenView::scopes(trust),
            created_at: now,
            expires,
            revoked_at: None,
            model,
            knows_until,
        };
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: "token.create".to_owned(),
            subject: format!("mcp:{name}"),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({ "trust": trust, "expires": expires, "model": view.model, "knows_until": knows_until }),
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

    /// Who shows a token that holds now, and which language model that is.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn token_holder(
        &self,
        token: &str,
    ) -> Result<Option<(Authority, SteeredAction)>, ServiceError> {
        let found = self.inner.tokens.token(&sha256(token)).await?;
        let now = self.inner.clock.now();
        let Some(token) = found.filter(|t| t.holds(now)) else {
            return Ok(None);
        };
        let actor = format!("mcp:{}", token.name);
        let model = over_mcp(&actor, token.model.as_deref(), token.knows_until)?;
        let trust = token.trust;
        Ok(Some((Authority { actor, trust }, model)))
    }
}
