//! Equal weight.
//!
//! What: the same weight for every asset.
//! Formula: w = 1/n.
//! Data: prices of two or more assets.
//! Cost: O(T n²) for what the portfolio promises.
//! Fails when: a price is not above 0.
//! Source: DeMiguel, Garlappi, Uppal, Review of Financial Studies 22 (2009).
//! Not claimed: that it is best: it is what others must beat.

use super::allocate::Method;
use super::outputs::{outputs, run};
use super::settings::{portfolio_outputs, portfolio_params};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct EqualWeight;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<EqualWeight>();

portfolio_params! {
    /// Parameters of the entry.
    EqualWeightParams [base returns unlimited] {
    }
}

const CARD: Card = Card {
    id: "equal_weight",
    family: "portfolio",
    title: "Equal weight",
    tasks: &[Task::Allocation],
    inputs: Inputs::Series,
    summary: "The same weight for every asset: needs no estimate, and is what every other method must beat.",
    formula: "w = 1/n",
    data: "Prices of two or more assets, a day a row, oldest first; one column may be the market.",
    cost: "O(T n²) for T rows and n assets: the covariance behind the figures",
    fails_when: "A price is not above 0.",
    not_claimed: "That it is best; the figures beside it are those of the past.",
    source: "V. DeMiguel, L. Garlappi, R. Uppal, Review of Financial Studies 22 (2009)",
    reference: "skfolio 1.12.0, EqualWeighted",
    outputs: portfolio_outputs![],
    stochastic: false,
    evidence: &[Evidence {
        against: "numpy 2.4: means and covariance of simple returns, ddof 1, times 252",
        cases: "closes of 10 shares, 5 factor funds",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for EqualWeight {
    type Params = EqualWeightParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 10_000);

    fn analyse(
        params: &EqualWeightParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let (m, a) = run(params, data, &Method::EqualWeight)?;
        Ok(outputs(&m, &a))
    }
}
