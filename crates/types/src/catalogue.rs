//! The catalogue as outside programs see it: one `CatalogueEntry` for each model, preset,
//! indicator and search, generated from the code of the entry itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What sort of thing an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// An entry with code of its own.
    Model,
    /// A model with some parameters fixed: a row of data, never code.
    Preset,
    /// A function of bars that gives one value a bar.
    Indicator,
    /// A search over parameters.
    Search,
}

impl EntryKind {
    /// The word used on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Preset => "preset",
            Self::Indicator => "indicator",
            Self::Search => "search",
        }
    }
}

/// What an entry can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A number for each row.
    Regression,
    /// A label and probabilities for each row.
    Classification,
    /// Values after the last row of a series.
    Forecasting,
    /// A group for each row.
    Clustering,
    /// An outlier score for each row.
    OutlierDetection,
    /// A series in [-1, 1], or an indicator's values, one a bar.
    Signal,
    /// The price of a contract.
    Pricing,
    /// Weights of a portfolio.
    Allocation,
    /// A statistic and its p-value.
    Test,
}

impl Task {
    /// Every task, in the order in which pages list them.
    pub const ALL: [Self; 9] = [
        Self::Regression,
        Self::Classification,
        Self::Forecasting,
        Self::Clustering,
        Self::OutlierDetection,
        Self::Signal,
        Self::Pricing,
        Self::Allocation,
        Self::Test,
    ];

    /// The word used on the wire and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Classification => "classification",
            Self::Forecasting => "forecasting",
            Self::Clustering => "clustering",
            Self::OutlierDetection => "outlier_detection",
            Self::Signal => "signal",
            Self::Pricing => "pricing",
            Self::Allocation => "allocation",
            Self::Test => "test",
        }
    }

    /// The task of that word, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == word)
    }
}

/// The kind of value a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// A real number.
    Float,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// One of the words in `choices`.
    Choice,
    /// A text.
    Text,
}

/// One parameter of an entry: name, type, default, range and help, declared once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParamSpec {
    /// Name, as in the reference library.
    pub name: String,
    /// The kind of value.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// The value when it is not given; `null` means "none".
    pub default: Value,
    /// Whether `none` is a value.
    pub optional: bool,
    /// Smallest value, if bounded.
    pub min: Option<f64>,
    /// Largest value, if bounded.
    pub max: Option<f64>,
    /// Whether `min` itself is refused.
    pub min_exclusive: bool,
    /// Whether `max` itself is refused.
    pub max_exclusive: bool,
    /// The words of a choice; empty for other kinds.
    pub choices: Vec<String>,
    /// What it does.
    pub help: String,
}

/// One output of an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutputSpec {
    /// Key under `outputs`.
    pub name: String,
    /// Shape and unit in words.
    pub help: String,
}

/// A row of evidence: what an entry was compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// Library and version, or the paper.
    pub against: String,
    /// What was compared: names of the reference cases or of the test.
    pub cases: String,
    /// The tolerance, in words.
    pub tolerance: String,
}

/// A case of the reference check: numbers that another program computed from the same data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckedCase {
    /// Name of the case.
    pub case: String,
    /// Library and version, or a formula.
    pub against: String,
    /// What was compared, and how near it had to be; v is the number of the reference.
    pub tolerance: String,
    /// Whether it passed.
    pub passed: bool,
}

/// The cases of an entry in the last run of the reference check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Checked {
    /// Day of the run, `2026-11-30`.
    pub on: String,
    /// The cases of the model and of its presets, which are one code.
    pub cases: Vec<CheckedCase>,
}

impl Checked {
    /// How many cases passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.cases.iter().filter(|c| c.passed).count()
    }
}

/// One entry of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogueEntry {
    /// Name in URLs and on the command line.
    pub id: String,
    /// What sort of thing it is.
    pub kind: EntryKind,
    /// Family: `linear`, `tree`, `indicator`, ...
    pub family: String,
    /// Title for people.
    pub title: String,
    /// What it can be asked to do.
    pub tasks: Vec<Task>,
    /// What it is, in a sentence or two.
    pub summary: String,
    /// What it computes, as a formula.
    pub formula: String,
    /// The data it takes.
    pub data: String,
    /// How fit and predict time grow with rows n and columns p.
    pub cost: String,
    /// When it fails or misleads.
    pub fails_when: String,
    /// What is not claimed.
    pub not_claimed: String,
    /// Same seed, same bits.
    pub deterministic: bool,
    /// Parameters; for a preset, those of its base with the fixed values as defaults.
    pub params: Vec<ParamSpec>,
    /// What it puts under `outputs`.
    pub outputs: Vec<OutputSpec>,
    /// Where the method is defined: literature.
    pub source: String,
    /// The library whose conventions it follows.
    pub reference: String,
    /// What it was compared with.
    pub evidence: Vec<Evidence>,
    /// The last run of the reference check, if it has cases of this entry.
    #[serde(default)]
    pub checked: Option<Checked>,
    /// For a preset: the id of its model.
    pub base: Option<String>,
    /// For a preset: the parameters it fixes.
    pub fixed: serde_json::Map<String, Value>,
    /// For a model: the ids of its presets.
    pub presets: Vec<String>,
}
