//! What can be asked of the program, and the trust it takes.
//!
//! The list is closed and typed: what is not in it cannot be done by any page, command, agent or
//! coach. It holds no order to a broker.

use crate::policy;
use mltrainer_types::assistant::Permission;
use mltrainer_types::policy::Refusal;

/// How much trust an action takes, on the scale from 1 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActionLevel {
    /// Read data, results, the policy, the audit chain: 1.
    Look,
    /// Say something that a person may follow: 3.
    Advise,
    /// Start, pause, stop or change a trial, bring in data: 5.
    AdjustTrial,
    /// Decide which models a trial uses against the program's choice: 7.
    OverrideModel,
    /// Put a methodology before the catalogue as a candidate: 8.
    Teach,
    /// Act without a person, within a budget: 9.
    ActUnattended,
    /// Sign a model's approval: 10.
    Approve,
}

impl ActionLevel {
    /// The least trust that permits it.
    #[must_use]
    pub fn required_trust(self) -> u8 {
        match self {
            Self::Look => 1,
            Self::Advise => 3,
            Self::AdjustTrial => 5,
            Self::OverrideModel => 7,
            Self::Teach => 8,
            Self::ActUnattended => 9,
            Self::Approve => 10,
        }
    }

    /// The word used in refusals and audit records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Advise => "advise",
            Self::AdjustTrial => "adjust_trial",
            Self::OverrideModel => "override_model",
            Self::Teach => "teach",
            Self::ActUnattended => "act_unattended",
            Self::Approve => "approve",
        }
    }
}

impl From<Permission> for ActionLevel {
    /// The level that a typed action of the assistant declares.
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::Look => Self::Look,
            Permission::Advise => Self::Advise,
            Permission::AdjustTrial => Self::AdjustTrial,
            Permission::OverrideModel => Self::OverrideModel,
            Permission::Teach => Self::Teach,
        }
    }
}

/// An action that the program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Read anything.
    Read,
    /// Run a model on data and show the outcome.
    RunModel,
    /// Bring in a file through the gate.
    ImportData,
    /// Fetch data from a vendor through the gate.
    FetchData,
    /// Make a trial.
    CreateTrial,
    /// Hold a trial.
    PauseTrial,
    /// Let a held trial go on.
    ResumeTrial,
    /// End a trial.
    CancelTrial,
    /// Check the audit chain.
    VerifyAudit,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::RunModel,
        Self::ImportData,
        Self::FetchData,
        Self::CreateTrial,
        Self::PauseTrial,
        Self::ResumeTrial,
        Self::CancelTrial,
        Self::VerifyAudit,
    ];

    /// The word in audit records: object, point, verb.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::RunModel => "model.run",
            Self::ImportData => "dataset.import",
            Self::FetchData => "dataset.fetch",
            Self::CreateTrial => "trial.create",
            Self::PauseTrial => "trial.pause",
            Self::ResumeTrial => "trial.resume",
            Self::CancelTrial => "trial.cancel",
            Self::VerifyAudit => "audit.verify",
        }
    }

    /// The trust it takes.
    #[must_use]
    pub fn level(self) -> ActionLevel {
        match self {
            Self::Read | Self::RunModel | Self::VerifyAudit => ActionLevel::Look,
            Self::ImportData
            | Self::FetchData
            | Self::CreateTrial
            | Self::PauseTrial
            | Self::ResumeTrial
            | Self::CancelTrial => ActionLevel::AdjustTrial,
        }
    }
}

/// Whether an actor of this trust (1 to 10) may act on that level.
///
/// # Errors
/// A refusal in the name of `trust_levels`: the trust is too low, or not on the scale.
pub fn permit(action: ActionLevel, trust: u8) -> Result<(), Refusal> {
    if !(1..=10).contains(&trust) {
        return Err(policy::TRUST_LEVELS.refusal(&format!(
            "trust level {trust} does not exist; levels run from 1 to 10"
        )));
    }
    if trust < action.required_trust() {
        return Err(policy::TRUST_LEVELS.refusal(&format!(
            "\"{}\" needs trust level {}, the actor has {trust}",
            action.as_str(),
            action.required_trust()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assistants_levels_are_these() {
        for permission in Permission::ALL {
            let level = ActionLevel::from(permission);
            assert_eq!(level.as_str(), permission.as_str());
            assert_eq!(level.required_trust(), permission.required_trust());
        }
    }
}
