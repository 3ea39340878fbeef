//! Tokens of programs that act over MCP.

use crate::assistant::Permission;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// A token as it is listed; the token itself is shown once, when it is made, and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenView {
    /// Its name; who acts with it stands as `mcp:NAME` in the audit chain.
    pub name: String,
    /// The trust of whoever shows it, 1 to 10.
    pub trust: u8,
    /// What that permits: its scopes.
    pub scopes: Vec<Permission>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The last day (UTC) on which it holds; for ever when absent.
    pub expires: Option<NaiveDate>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The language model that acts with it, as far as whoever made the token says.
    pub model: Option<String>,
    /// The last day of which that model knows.
    pub knows_until: Option<NaiveDate>,
}

impl TokenView {
    /// The permissions that so much trust gives.
    #[must_use]
    pub fn scopes(trust: u8) -> Vec<Permission> {
        let all = Permission::ALL.into_iter();
        all.filter(|p| p.required_trust() <= trust).collect()
    }

    /// Whether it holds at a time.
    #[must_use]
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires.is_none_or(|last| now.date_naive() <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_to_the_end_of_its_last_day_and_until_it_is_revoked() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let mut token = TokenView {
            name: "desk".to_owned(),
            trust: 5,
            scopes: TokenView::scopes(5),
            created_at: at("2026-01-01T00:00:00Z"),
            expires: "2026-01-31".parse().ok(),
            revoked_at: None,
            model: None,
            knows_until: None,
        };
        assert_eq!(
            token.scopes,
            [
                Permission::Look,
                Permission::Advise,
                Permission::AdjustTrial
            ]
        );
        assert!(token.holds(at("2026-01-31T23:59:59Z")));
        assert!(!token.holds(at("2026-02-01T00:00:00Z")));
        token.revoked_at = Some(at("2026-01-02T00:00:00Z"));
        assert!(!token.holds(at("2026-01-03T00:00:00Z")));
    }
}
