//! Hierarchical risk parity.
//!
//! What: splits weight over a tree of clusters, by inverse variance.
//! Formula: distance sqrt((1-ρ)/2), leaves in order of the tree, halves get 1 - v1/(v1+v2).
//! Data: prices of two or more assets.
//! Cost: O(T n²), and O(n³) for the tree.
//! Fails when: an asset does not move.
//! Source: Lopez de Prado, J. Portfolio Management 42 (2016).
//! Not claimed: the least variance.

use super::allocate::{Method, allocate};
use super::moments::Moments;
use super::outputs::{outputs, proven};
use super::settings::Settings as _;
use super::settings::{portfolio_outputs, portfolio_params};
use mltrainer_catalogue_core::card::{Evidence, Exemption};
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct HierarchicalRiskParity;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<HierarchicalRiskParity>();

portfolio_params! {
    /// Parameters of the entry.
    HierarchicalRiskParityParams [base returns unlimited] {
        /// Distance between clusters.
        linkage_method: super::tree::Linkage = super::tree::Linkage::Single;
        /// Smallest weight, one number for all or NAME:weight pairs. With max_positions it holds for what is held.
        min_weight: Option<super::settings::Amounts> = None, within(0.0, 1.0);
        /// Largest weight, one number for all or NAME:weight pairs.
        max_weight: Option<super::settings::Amounts> = None, within(0.0, 1.0);
        /// Assets held at most: those with the largest weights, for which the tree is made again.
        max_positions: Option<usize> = None, within(1.0, 100_000.0);
    }
}

const CARD: Card = Card {
    id: "hierarchical_risk_parity",
    family: "portfolio",
    title: "Hierarchical risk parity",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "Splits weight over a tree of clusters of correlated assets, by inverse variance; inverts no matrix, so it needs no more rows than assets.",
    formula: "distance sqrt((1-ρ)/2), linkage, leaves in the order of the tree (of two joined clusters the one created earlier first); the list is halved again and again: the first half gets 1 - v1/(v1+v2), v the variances under inverse-variance weights, kept within what the bounds of the halves allow",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market.",
    cost: "O(T n²) for the covariance, O(n³) for the tree",
    fails_when: "An asset does not move; the order depends on how ties are broken when distances are equal.",
    not_claimed: "The least variance, in sample or out of it.",
    source: "M. Lopez de Prado, J. Portfolio Management 42 (2016)",
    reference: "PyPortfolioOpt 1.6.0, HRPOpt",
    outputs: portfolio_outputs![(
        "positions_proven",
        "whether no other choice of max_positions assets is better; null without the limit"
    ),],
    stochastic: false,
    evidence: &[Evidence {
        against: "PyPortfolioOpt 1.6.0, HRPOpt; bounds skfolio 1.12.0, HierarchicalRiskParity",
        cases: "closes of 5 and 10 shares, 5 factor funds: five linkages, bounds",
        tolerance: "1e-10 in weights",
    }],
    presets: &[],
    exemptions: &[Exemption {
        rule: "parameters_matter",
        reason: "the rule runs on two assets, for which every linkage makes one tree; five assets are compared for each linkage in tests/portfolio.rs",
    }],
};

impl Analysis for HierarchicalRiskParity {
    type Params = HierarchicalRiskParityParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(
        params: &HierarchicalRiskParityParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let method = Method::HierarchicalRiskParity {
            linkage: params.linkage_method,
        };
        let m = Moments::new(data, &params.covariance_spec(), &params.returns_spec())?;
        let mut limits = params.limits();
        limits.min_weight = params.min_weight.clone();
        limits.max_weight = params.max_weight.clone();
        limits.max_positions = params.max_positions;
        let a = allocate(&m, &limits, &method)?;
        let mut all = outputs(&m, &a);
        all.extend([proven(&a)]);
        Ok(all)
    }
}
