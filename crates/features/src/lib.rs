//! Features and targets as polars expressions, each with its warm-up and known-at time.
//!
//! One file a group ([`price`], [`volatility`], [`volume`], [`technical`], [`economic`]); a feature
//! is one row there and nowhere else. [`compute`] evaluates them over the bars of a symbol, column
//! by column, [`target`] says what is forecast. Every value of row t is known at the close of bar t
//! and never changes when later bars arrive; a test computes each feature on cut data to prove it.

mod economic;
mod ops;
mod price;
mod table;
pub mod target;
mod technical;
mod volatility;
mod volume;

pub use economic::VIX;
pub use table::{FeatureError, FeatureTable, LeftOut, compute, compute_from, compute_many};

use mltrainer_types::feature::FeatureSpec;
use polars::prelude::Expr;
use std::sync::LazyLock;

/// When the value of a row is known, for every feature there is.
pub const KNOWN_AT: &str = "close of bar t";

/// One feature: what it is, how it is computed and how many rows it needs before the first value.
#[derive(Clone, Copy)]
pub struct Feature {
    /// Column name.
    pub id: &'static str,
    /// Group.
    pub group: &'static str,
    /// What it computes; C, O, H, L, V are the columns of the bar, r the daily log return.
    pub formula: &'static str,
    /// Lengths in bars, by name, in the order in which the expression takes them.
    pub parameters: &'static [(&'static str, usize)],
    /// Rows before the first value, exactly.
    pub warm_up: usize,
    /// Columns it needs.
    pub needs: &'static [&'static str],
    /// Literature.
    pub source: &'static str,
    /// The expression over those columns, given the parameters.
    expr: fn(&[usize]) -> Expr,
}

impl Feature {
    /// The expression, named as the feature.
    fn expression(&self) -> Expr {
        let lengths: Vec<usize> = self.parameters.iter().map(|(_, n)| *n).collect();
        (self.expr)(&lengths).alias(self.id)
    }

    /// The feature as outside programs see it.
    #[must_use]
    pub fn spec(&self) -> FeatureSpec {
        FeatureSpec {
            id: self.id.to_owned(),
            group: self.group.to_owned(),
            formula: self.formula.to_owned(),
            warm_up: self.warm_up as u32,
            known_at: KNOWN_AT.to_owned(),
            needs: self.needs.iter().map(|n| (*n).to_owned()).collect(),
            source: self.source.to_owned(),
        }
    }
}

static FEATURES: LazyLock<Vec<Feature>> = LazyLock::new(|| {
    [
        price::FEATURES,
        volatility::FEATURES,
        volume::FEATURES,
        technical::FEATURES,
        economic::FEATURES,
    ]
    .concat()
});

/// Every feature, in the order of its group and file.
#[must_use]
pub fn registry() -> &'static [Feature] {
    &FEATURES
}

/// The groups, in order.
#[must_use]
pub fn groups() -> Vec<&'static str> {
    let mut groups: Vec<&'static str> = registry().iter().map(|f| f.group).collect();
    groups.dedup();
    groups
}

/// Every feature as outside programs see it.
#[must_use]
pub fn specs() -> Vec<FeatureSpec> {
    registry().iter().map(Feature::spec).collect()
}

/// Rows that the slowest feature needs before its first value.
#[must_use]
pub fn longest_warm_up() -> usize {
    registry().iter().map(|f| f.warm_up).max().unwrap_or(0)
}

/// The list of features for the documentation, as a Markdown table.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "| feature | group | formula | warm-up | needs | source |\n|---|---|---|---|---|---|\n",
    );
    for f in registry() {
        text.push_str(&format!(
            "| `{}` | {} | {} | {} | {} | {} |\n",
            f.id,
            f.group,
            f.formula.replace('|', "\\|"),
            f.warm_up,
            f.needs.join(", "),
            f.source
        ));
    }
    text.push_str(&format!(
        "\nEvery value of row t is known at the {KNOWN_AT}. C, O, H, L, V are close, open, high, low \
         and volume, r the daily log return ln(C[t]/C[t-1]); warm-up is the number of rows before \
         the first value.\n"
    ));
    text
}
