//! The gate: what arrives from a source becomes a [`Verified`] value here, or nowhere.

use crate::lineage::{Content, Lineage, hash_and};
use crate::policy;
use crate::secrets::redact;
use mltrainer_types::data::{Finding, QualityReport, Severity};
use mltrainer_types::policy::Refusal;

/// A value that passed the gate, or was derived from such values, with its lineage.
///
/// The fields are private and there is no public constructor: a model that takes `Verified` data
/// cannot be given anything else.
///
/// ```compile_fail,E0451
/// // There is no way to write one down:
/// let forged = mltrainer_compliance::Verified { value: 1.0, lineage: Default::default() };
/// ```
#[derive(Debug, Clone)]
pub struct Verified<T> {
    value: T,
    lineage: Lineage,
}

impl<T> Verified<T> {
    /// The value.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// Where it came from.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// A value computed from this one; the lineage grows by one step.
    ///
    /// # Errors
    /// Those of `compute`.
    pub fn derive<U: Content, E>(
        &self,
        step: &str,
        detail: impl Into<String>,
        compute: impl FnOnce(&T) -> Result<U, E>,
    ) -> Result<Verified<U>, E> {
        let value = compute(&self.value)?;
        let lineage = self
            .lineage
            .clone()
            .with(step, detail.into(), value.sha256());
        Ok(Verified { value, lineage })
    }

    /// A value computed from several verified ones; the lineage holds the steps of all.
    ///
    /// # Errors
    /// Those of `compute`.
    pub fn combine<U: Content, E>(
        parts: &[Self],
        step: &str,
        detail: impl Into<String>,
        compute: impl FnOnce(&[&T]) -> Result<U, E>,
    ) -> Result<Verified<U>, E> {
        let values: Vec<&T> = parts.iter().map(Self::get).collect();
        let value = compute(&values)?;
        let lineage = Lineage::merged(parts.iter().map(Self::lineage)).with(
            step,
            detail.into(),
            value.sha256(),
        );
        Ok(Verified { value, lineage })
    }

    /// A value computed from this one and another verified one of another type.
    ///
    /// # Errors
    /// Those of `compute`.
    pub fn derive_with<V, U: Content, E>(
        &self,
        other: &Verified<V>,
        step: &str,
        detail: impl Into<String>,
        compute: impl FnOnce(&T, &V) -> Result<U, E>,
    ) -> Result<Verified<U>, E> {
        let value = compute(&self.value, &other.value)?;
        let lineage = Lineage::merged([&self.lineage, &other.lineage]).with(
            step,
            detail.into(),
            value.sha256(),
        );
        Ok(Verified { value, lineage })
    }
}

/// What a source delivered, before the gate.
#[derive(Debug, Clone)]
pub struct Arrival<T> {
    /// Declared origin: one of the approved ones, or it is refused.
    pub origin: String,
    /// What was asked of the source: file name, URL without secrets, request id.
    pub request: String,
    /// Hash the source promised for the canonical content, where it did.
    pub promised_sha256: Option<String>,
    /// The content.
    pub content: T,
}

/// What the checks on a content found.
#[derive(Debug, Clone)]
pub struct Inspection<T> {
    /// The rows that may be used.
    pub usable: T,
    /// Score and findings; a finding of severity `refuse` closes the gate.
    pub report: QualityReport,
}

/// A content that knows how to be checked on arrival.
pub trait Admissible: Content + Sized + Sync {
    /// Whether a content of which no row is set aside comes out of [`Admissible::inspect`] as it went
    /// in, so that its hash is known.
    const KEPT_WHOLE: bool = false;

    /// Schema, quality and plausibility; bad rows are left out of `usable` and reported, never
    /// repaired or filled.
    fn inspect(self) -> Inspection<Self>;

    /// Signs that the content was manufactured: those of severity `refuse` keep it out, the others
    /// are noted beside it. The gate asks for every content that does not ship with the program.
    fn screen(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// A content that passed.
#[derive(Debug, Clone)]
pub struct Admitted<T> {
    /// The verified rows.
    pub verified: Verified<T>,
    /// What the checks found.
    pub report: QualityReport,
}

/// A refusal with what the checks found, where they ran.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The rule and the reason.
    pub refusal: Refusal,
    /// What the checks found.
    pub report: Option<QualityReport>,
}

/// The gate. It has no settings: no configuration and no coach can open it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gate;

impl Gate {
    /// Lets a content in, or says which rule keeps it out.
    ///
    /// # Errors
    /// [`Refused`] when the origin is not approved, the request is not recorded, the hash differs
    /// from the promised one, the checks refuse the content or do not account for every row of it,
    /// or it looks manufactured.
    pub fn admit<T: Admissible>(arrival: Arrival<T>) -> Result<Admitted<T>, Box<Refused>> {
        let refuse = |rule: &policy::Rule, reason: String, report| {
            Box::new(Refused {
                refusal: rule.refusal(&reason),
                report,
            })
        };
        let Some(origin) = policy::origin(&arrival.origin) else {
            return Err(refuse(
                &policy::APPROVED_ORIGINS_ONLY,
                format!(
                    "origin \"{}\" is not approved; approved are {}",
                    arrival.origin,
                    policy::origin_ids().join(", ")
                ),
                None,
            ));
        };
        let ships = origin.id == policy::BUNDLED;
        if ships && arrival.promised_sha256.is_none() {
            return Err(refuse(
                &policy::APPROVED_ORIGINS_ONLY,
                "only files that ship with the program are bundled; declare your own as user_provided"
                    .to_owned(),
                None,
            ));
        }
        let request = redact(arrival.request.trim());
        if request.is_empty() {
            return Err(refuse(
                &policy::LINEAGE_ON_EVERY_VALUE,
                format!(
                    "data from {} came without the request that asked for it",
                    origin.id
                ),
                None,
            ));
        }
        let (arrived, doubts) = hash_and(&arrival.content, |content| {
            if ships { Vec::new() } else { content.screen() }
        });
        if let Some(promised) = &arrival.promised_sha256
            && *promised != arrived
        {
            return Err(refuse(
                &policy::LINEAGE_ON_EVERY_VALUE,
                format!("content of {request} has hash {arrived}, its source promised {promised}"),
                None,
            ));
        }
        let Inspection { usable, mut report } = arrival.content.inspect();
        let reasons: Vec<String> = doubts
            .iter()
            .filter(|d| d.severity == Severity::Refuse)
            .map(|d| d.reason.clone())
            .collect();
        for doubt in doubts {
            *report.counts.entry(doubt.check.clone()).or_default() += 1;
            report.findings.push(doubt);
        }
        if !reasons.is_empty() {
            let reason = reasons.join("; and ");
            return Err(refuse(&policy::NO_SYNTHETIC_DATA, reason, Some(report)));
        }
        if let Some(finding) = report
            .findings
            .iter()
            .find(|f| f.severity == Severity::Refuse)
        {
            let reason = finding.reason.clone();
            return Err(refuse(&policy::NO_SILENT_FILL_IN, reason, Some(report)));
        }
        if report.usable.checked_add(report.quarantined) != Some(report.rows) {
            let reason = format!(
                "the checks account for {} usable and {} quarantined of {} rows",
                report.usable, report.quarantined, report.rows
            );
            return Err(refuse(&policy::NO_SILENT_FILL_IN, reason, Some(report)));
        }
        let passed = if T::KEPT_WHOLE && report.quarantined == 0 {
            debug_assert_eq!(arrived, usable.sha256(), "kept whole");
            arrived.clone()
        } else {
            usable.sha256()
        };
        let lineage = Lineage::default()
            .with("source", format!("{}: {request}", origin.id), arrived)
            .with(
                "gate",
                format!(
                    "{} of {} rows usable, quality {:.1}",
                    report.usable, report.rows, report.score
                ),
                passed,
            );
        Ok(Admitted {
            verified: Verified {
                value: usable,
                lineage,
            },
            report,
        })
    }
}
