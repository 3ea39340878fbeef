//! Features and targets as polars expressions, each with its warm-up and known-at time.
//!
//! One file a group ([`price`], [`volatility`], [`volume`], [`technical`], [`economic`],
//! [`cross_sectional`], [`microstructure`], [`regime`], [`options`], [`calendar`]); a feature is one
//! row there and nowhere else. [`compute`] evaluates them over the bars of a symbol, column by
//! column, [`compute_many`] over many symbols that are seen beside each other; [`target`] says what
//! is forecast, [`selection`] which columns a training window has use for. Every value of row t is
//! known at the close of bar t and never changes when later bars arrive; tests compute each feature
//! on data cut at t, and on data altered after t, to prove it.

mod calendar;
mod cross_sectional;
mod economic;
mod microstructure;
mod ops;
mod options;
mod price;
mod regime;
pub mod selection;
mod table;
pub mod target;
mod technical;
mod volatility;
mod volume;

pub use options::{OptionChain, OptionQuote};
pub use table::{
    Context, FeatureError, FeatureTable, LeftOut, compute, compute_from, compute_many,
};

use mltrainer_types::feature::FeatureSpec;
use polars::prelude::Expr;
use std::sync::LazyLock;

/// When the value of a row is known: what the bars up to t tell.
pub(crate) const CLOSE_OF_BAR: &str = "close of bar t";
/// What figures tell that were published by then.
pub(crate) const RELEASE: &str = "close of bar t, a figure from its release on";
/// What the date tells.
pub(crate) const BEFORE_OPEN: &str = "before the open of bar t";

/// The features that a trial and a run take unless others are named: few, because each further one
/// that a model can learn from costs more out of sample than it brings (`docs/adr/0020`).
const CORE: [&str; 33] = [
    "log_return_1",
    "log_return_5",
    "log_return_20",
    "log_return_60",
    "log_return_lag_1",
    "log_return_lag_2",
    "log_return_lag_3",
    "momentum_120",
    "momentum_252_skip_21",
    "gap",
    "high_distance_20",
    "high_distance_252",
    "low_distance_20",
    "low_distance_252",
    "sma_gap_20",
    "sma_gap_50",
    "log_volatility_5",
    "log_volatility_20",
    "log_volatility_60",
    "parkinson_20",
    "garman_klass_20",
    "rogers_satchell_20",
    "range_1",
    "volume_ratio_20",
    "money_flow_14",
    "on_balance_20",
    "rsi_14",
    "macd_histogram",
    "bollinger_b_20",
    "atr_share_14",
    "vix_log",
    "vix_change_1",
    "vix_change_5",
];

/// Ending of a group's name that means its core features only: `price:core`.
const CORE_OF: &str = ":core";

/// The groups that have core features, with that ending.
pub const CORE_GROUPS: [&str; 5] = [
    "price:core",
    "volatility:core",
    "volume:core",
    "technical:core",
    "economic:core",
];

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
    /// When the value of a row is known.
    pub known_at: &'static str,
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

    /// Whether it is named by one of these words: groups, groups with the ending `:core`, and ids.
    /// With none given, every feature is.
    #[must_use]
    pub fn is_among(&self, wanted: &[String]) -> bool {
        wanted.is_empty() || wanted.iter().any(|w| self.is_named(w))
    }

    fn is_named(&self, word: &str) -> bool {
        match word.strip_suffix(CORE_OF) {
            Some(group) => group == self.group && CORE.contains(&self.id),
            None => word == self.group || word == self.id,
        }
    }

    /// The feature as outside programs see it.
    #[must_use]
    pub fn spec(&self) -> FeatureSpec {
        FeatureSpec {
            id: self.id.to_owned(),
            group: self.group.to_owned(),
            formula: self.formula.to_owned(),
            warm_up: self.warm_up as u32,
            known_at: self.known_at.to_owned(),
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
        cross_sectional::FEATURES,
        microstructure::FEATURES,
        regime::FEATURES,
        options::FEATURES,
        calendar::FEATURES,
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

/// Whether a word names some feature: a group, a group's core (`price:core`), or an id.
#[must_use]
pub fn is_known(word: &str) -> bool {
    registry().iter().any(|f| f.is_named(word))
}

/// The feature of that id.
pub(crate) fn find(id: &str) -> Option<&'static Feature> {
    registry().iter().find(|f| f.id == id)
}

/// The economic series that the features of these groups and ids need, each once.
#[must_use]
pub fn series_of(wanted: &[String]) -> Vec<&'static str> {
    let mut ids: Vec<&'static str> = Vec::new();
    for feature in registry().iter().filter(|f| f.is_among(wanted)) {
        for need in feature.needs {
            if let Some(column) = economic::MACROS.iter().find(|m| m.column == *need)
                && !ids.contains(&column.series)
            {
                ids.push(column.series);
            }
        }
    }
    ids
}

/// Every feature as outside programs see it.
#[must_use]
pub fn specs() -> Vec<FeatureSpec> {
    registry().iter().map(Feature::spec).collect()
}

/// Rows that the slowest feature of these groups and ids needs before its first value.
#[must_use]
pub fn longest_warm_up(wanted: &[String]) -> usize {
    let chosen = registry().iter().filter(|f| f.is_among(wanted));
    chosen.map(|f| f.warm_up).max().unwrap_or(0)
}

/// The list of features for the documentation, as a Markdown table.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "| feature | group | formula | warm-up | known at | needs | source |\n|---|---|---|---|---|---|---|\n",
    );
    for f in registry() {
        text.push_str(&format!(
            "| `{}` | {} | {} | {} | {} | {} | {} |\n",
            f.id,
            f.group,
            f.formula.replace('|', "\\|"),
            f.warm_up,
            f.known_at,
            f.needs.join(", "),
            f.source
        ));
    }
    text.push_str(
        "\nC, O, H, L, V are close, open, high, low and volume, r the daily log return ln(C[t]/C[t-1]); \
         warm-up is the number of rows before the first value. A value that cannot be computed is \
         missing, never filled in. Economic series that ship with the program are taken at their day \
         of release, but some as revised later: each says so in the notes on its data set.\n",
    );
    text
}
