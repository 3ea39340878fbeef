//! Policy and audit.

use crate::{ServiceError, Services};
use mltrainer_types::Page;
use mltrainer_types::audit::{AuditFilter, AuditRecord, AuditVerification};
use mltrainer_types::policy::PolicyView;

/// Records on a page when the caller names no number, and at most.
const PAGE: u32 = 100;
const MOST: u32 = 1000;

impl Services {
    /// Rules, origins and the hash over both.
    #[must_use]
    pub fn policy(&self) -> PolicyView {
        mltrainer_compliance::policy::view()
    }

    /// Audit records that the filter lets through, newest first; `limit` 0 stands for 100.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] for a cursor that is none or a limit above 1000.
    pub async fn audit(
        &self,
        mut filter: AuditFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AuditRecord>, ServiceError> {
        let before = cursor
            .filter(|c| !c.is_empty())
            .map(parse_cursor)
            .transpose()?;
        if limit > MOST {
            return Err(ServiceError::invalid(
                "limit",
                format!("{limit} is above {MOST}"),
            ));
        }
        let limit = if limit == 0 { PAGE } else { limit };
        // A form sends empty fields for filters that are not set.
        for field in [
            &mut filter.actor,
            &mut filter.action,
            &mut filter.subject,
            &mut filter.decision,
        ] {
            *field = field.take().filter(|text| !text.trim().is_empty());
        }
        if let Some(decision) = &filter.decision
            && !["allowed", "refused"].contains(&decision.as_str())
        {
            return Err(ServiceError::invalid(
                "decision",
                format!("\"{decision}\" is neither allowed nor refused"),
            ));
        }
        // One more than asked for tells whether there is a next page.
        let mut items = self.inner.audit.newest(&filter, before, limit + 1).await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = items.last().filter(|_| more).map(|r| r.seq.to_string());
        Ok(Page { items, next })
    }

    /// Audit records after a number, oldest first, for an export in pages.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn audit_after(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, ServiceError> {
        Ok(self.inner.audit.oldest(after, limit.min(MOST)).await?)
    }

    /// Checks every record and every signature of the audit chain.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails; a broken chain is an outcome.
    pub async fn verify_audit(&self) -> Result<AuditVerification, ServiceError> {
        Ok(self.inner.audit.verify().await?)
    }

    /// The key that checks the chain's signatures, hexadecimal.
    #[must_use]
    pub fn audit_public_key(&self) -> String {
        self.inner.audit.public_key()
    }
}

fn parse_cursor(text: &str) -> Result<i64, ServiceError> {
    text.parse()
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| ServiceError::invalid("cursor", format!("\"{text}\" is not a cursor")))
}
