//! The card of an entry: everything a person wants to know before trusting it.

use mltrainer_types::catalogue::Task;

/// What an entry is fed in a trial or a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inputs {
    /// A table of features and a target.
    Features,
    /// One column: the value of the target quantity as last known. The naive forecasts take this.
    LastKnown,
    /// A table of numbers without a target.
    Table,
    /// Daily bars.
    Bars,
    /// One or several series.
    Series,
    /// Nothing but parameters.
    Nothing,
}

/// A piece of evidence that the entry computes what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// Library and version, or the paper.
    pub against: &'static str,
    /// What was compared.
    pub cases: &'static str,
    /// The tolerance, in words.
    pub tolerance: &'static str,
}

/// A case of the last run of the reference check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedCase {
    /// Id of the entry or preset.
    pub id: &'static str,
    /// Name of the case.
    pub case: &'static str,
    /// Library and version, or a formula.
    pub against: &'static str,
    /// What was compared, and how near it had to be.
    pub tolerance: &'static str,
    /// Whether it passed.
    pub passed: bool,
}

/// The last run of the reference check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Day of the run, `2026-11-30`.
    pub on: &'static str,
    /// Its cases, those of an id one after the other.
    pub cases: &'static [CheckedCase],
}

/// Parameters fixed under a name of their own: a row of data, never code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Id of the preset.
    pub id: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// Parameters as on the command line: `[("n_estimators", "50")]`.
    pub set: &'static [(&'static str, &'static str)],
}

/// An exception from a conformance rule, with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exemption {
    /// Name of the rule.
    pub rule: &'static str,
    /// Why the entry cannot keep it.
    pub reason: &'static str,
}

/// The card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Card {
    /// Id: the field's standard name in snake case.
    pub id: &'static str,
    /// Family: the folder it lives in.
    pub family: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// What it can be asked to do.
    pub tasks: &'static [Task],
    /// What it is fed.
    pub inputs: Inputs,
    /// What it is, in a sentence or two.
    pub summary: &'static str,
    /// What it computes.
    pub formula: &'static str,
    /// The data it takes, in words.
    pub data: &'static str,
    /// How fit and predict time grow with rows n and columns p.
    pub cost: &'static str,
    /// When it fails or misleads.
    pub fails_when: &'static str,
    /// What is not claimed.
    pub not_claimed: &'static str,
    /// Literature.
    pub source: &'static str,
    /// The library whose conventions it follows, with version.
    pub reference: &'static str,
    /// Outputs and what they are: `[("coefficients", "one a feature, ...")]`.
    pub outputs: &'static [(&'static str, &'static str)],
    /// Whether the seed changes anything. Every entry gives the same bits for the same seed.
    pub stochastic: bool,
    /// What it was compared with.
    pub evidence: &'static [Evidence],
    /// Presets.
    pub presets: &'static [Preset],
    /// Exceptions from conformance rules.
    pub exemptions: &'static [Exemption],
}
