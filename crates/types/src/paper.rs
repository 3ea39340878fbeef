//! Papers: what was read from one, what it claims, and what our own data say to that.

use crate::{BacktestId, PaperId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The text of a PDF: what the process that reads it answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PdfText {
    /// Lines of each page in reading order.
    pub pages: Vec<String>,
}

/// A place in a paper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Passage {
    /// Page, from 1.
    pub page: u32,
    /// The words as they stand there.
    pub text: String,
}

/// A part under a heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaperSection {
    /// The heading; empty before the first one.
    pub title: String,
    /// Page on which it begins, from 1.
    pub page: u32,
    /// Its text, paragraphs apart by an empty line.
    pub text: String,
}

/// A table as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaperTable {
    /// "Table 1: ..."
    pub caption: String,
    /// Page, from 1.
    pub page: u32,
    /// Cells of each row, as they stand there.
    pub rows: Vec<Vec<String>>,
}

/// A method that the paper speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaperMethod {
    /// Its name.
    pub name: String,
    /// How often the paper speaks of it.
    pub mentions: u32,
    /// Where it first does.
    pub passage: Passage,
}

/// What a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// Return a year, as a share.
    AnnualReturn,
    /// Return a month, as a share.
    MonthlyReturn,
    /// Sharpe ratio a year.
    SharpeRatio,
    /// Standard deviation of the returns a year, as a share.
    AnnualVolatility,
    /// Deepest fall, as a share above zero.
    MaxDrawdown,
    /// Share of right directions or of trades that gain.
    HitRate,
    /// R squared out of sample.
    RSquared,
}

impl ClaimKind {
    /// The words for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::AnnualReturn => "return a year",
            Self::MonthlyReturn => "return a month",
            Self::SharpeRatio => "Sharpe ratio",
            Self::AnnualVolatility => "volatility a year",
            Self::MaxDrawdown => "deepest fall",
            Self::HitRate => "hit rate",
            Self::RSquared => "R squared",
        }
    }

    /// Whether it is a share, shown in percent.
    #[must_use]
    pub fn is_share(self) -> bool {
        !matches!(self, Self::SharpeRatio | Self::RSquared)
    }
}

/// A result that the paper claims.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Claim {
    /// What it is about.
    pub kind: ClaimKind,
    /// The value, shares as shares.
    pub value: f64,
    /// The sentence that says so.
    pub passage: Passage,
}

/// A strategy that can be tested, made from what was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaperStrategy {
    /// Id of the ready-made strategy it comes to.
    pub strategy: String,
    /// Parameters that the paper states.
    pub params: Map<String, Value>,
    /// The words it was made from.
    pub from: Vec<Passage>,
}

/// What a language model found in a text, as far as the text's own words bear it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelReading {
    /// The model.
    pub model: String,
    /// What is done.
    pub method: Vec<Passage>,
    /// Markets, data and years.
    pub data: Vec<Passage>,
    /// Horizons and holding periods.
    pub horizons: Vec<Passage>,
    /// Results that the paper claims.
    pub claims: Vec<Claim>,
    /// The ready-made strategy that the method comes to.
    pub strategy: Option<PaperStrategy>,
    /// Parts of its report that no words of the paper bear out; they are left out.
    pub dropped: u32,
}

/// What rules found in a text; nothing of it is a fact of ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaperReading {
    /// Its title.
    pub title: String,
    /// Parts in their order.
    pub sections: Vec<PaperSection>,
    /// Lines that are formulas.
    pub formulas: Vec<Passage>,
    /// Tables.
    pub tables: Vec<PaperTable>,
    /// Methods, the one that is spoken of most first.
    pub methods: Vec<PaperMethod>,
    /// Markets and data that it speaks of.
    pub data: Vec<Passage>,
    /// First and last year of its sample.
    pub years: Option<(i32, i32)>,
    /// Horizons and holding periods.
    pub horizons: Vec<Passage>,
    /// Results that it claims.
    pub claims: Vec<Claim>,
    /// A strategy that can be tested here, where one was recognised.
    pub strategy: Option<PaperStrategy>,
    /// What a language model found beside the rules, where one was asked.
    #[serde(default)]
    pub by_model: Option<ModelReading>,
    /// What could not be read or was left out, in words.
    pub notes: Vec<String>,
}

impl PaperReading {
    /// The strategy to test: the rules', else the model's.
    #[must_use]
    pub fn testable(&self) -> Option<&PaperStrategy> {
        let model = self.by_model.as_ref().and_then(|m| m.strategy.as_ref());
        self.strategy.as_ref().or(model)
    }

    /// All claims: the rules', then those that only a model found.
    pub fn all_claims(&self) -> impl Iterator<Item = &Claim> {
        let more = self.by_model.iter().flat_map(|m| &m.claims);
        self.claims.iter().chain(more.filter(|c| {
            let same =
                |o: &&Claim| o.kind == c.kind && (o.value.abs() - c.value.abs()).abs() < 1e-9;
            !self.claims.iter().any(|o| same(&o))
        }))
    }
}

/// A claim beside what our own back test measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Comparison {
    /// What it is about.
    pub kind: ClaimKind,
    /// What the paper claims.
    pub claimed: f64,
    /// What was measured; absent where a back test has no such figure.
    pub measured: Option<f64>,
    /// The same of holding the symbols in equal parts.
    pub benchmark: Option<f64>,
}

/// A test of a paper's strategy on our data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaperTest {
    /// The back test.
    pub backtest: BacktestId,
    /// Symbols it was tested on.
    pub symbols: Vec<String>,
    /// Its verdict in words.
    pub verdict: String,
    /// Claims beside it.
    pub compared: Vec<Comparison>,
}

/// A paper in the knowledge base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Paper {
    /// Its id.
    pub id: PaperId,
    /// Name of the file.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Pages.
    pub pages: u32,
    /// When it was read.
    pub added_at: DateTime<Utc>,
    /// What rules found in it.
    pub reading: PaperReading,
    /// The test of its strategy, where there is one.
    pub test: Option<PaperTest>,
}

/// A paper in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaperSummary {
    /// Its id.
    pub id: PaperId,
    /// Its title, or the name of the file.
    pub title: String,
    /// Name of the file.
    pub file: String,
    /// Pages.
    pub pages: u32,
    /// When it was read.
    pub added_at: DateTime<Utc>,
    /// Results that it claims.
    pub claims: u32,
    /// Id of the ready-made strategy that was recognised.
    pub strategy: Option<String>,
    /// The words around what was looked for, U+2068 and U+2069 around what matched.
    pub snippet: Option<String>,
}
