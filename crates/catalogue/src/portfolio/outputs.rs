//! Allocations as outputs.
//!
//! What: names the figures of an allocation, and runs an entry from its parameters to them.
//! Formula: none.
//! Data: an allocation.
//! Cost: O(n) for n assets.
//! Fails when: never.
//! Source: none.
//! Not claimed: nothing.

use super::allocate::{Allocation, Method, allocate, held};
use super::moments::Moments;
use super::settings::Settings;
use mltrainer_catalogue_core::{FitError, Outputs, SeriesTable};
use serde_json::{Map, Value};

/// Numbers by name; `null` where one is not finite.
pub(super) fn by_name(names: &[String], values: &[f64]) -> Value {
    let pairs = names.iter().zip(values);
    Value::Object(pairs.map(|(n, v)| (n.clone(), number(*v))).collect())
}

/// A number; `null` when it is not finite.
pub(super) fn number(x: f64) -> Value {
    Value::from(x.is_finite().then_some(x))
}

fn maybe(x: Option<f64>) -> Value {
    x.map_or(Value::Null, number)
}

/// Weights and the three figures of a point.
pub(super) fn point(a: &Allocation) -> Value {
    Value::Object(Map::from_iter([
        ("expected_return".to_owned(), number(a.expected_return)),
        ("volatility".to_owned(), number(a.volatility)),
        ("sharpe_ratio".to_owned(), maybe(a.sharpe_ratio)),
        ("weights".to_owned(), by_name(&a.names, &a.weights)),
    ]))
}

/// The outputs that every entry has.
pub(super) fn outputs(m: &Moments, a: &Allocation) -> Outputs {
    let w = &a.weights;
    let gross: f64 = w.iter().map(|w| w.abs()).sum();
    let squares: f64 = w.iter().map(|w| w * w).sum();
    let shares = a.risk_contributions.as_ref();
    let sectors = a.sector_weights.as_ref().map(|all| {
        let each = all.iter().map(|(name, sum)| (name.clone(), number(*sum)));
        Value::Object(each.collect())
    });
    let names = &a.names;
    Outputs::from_iter(
        [
            ("weights", by_name(names, w)),
            ("expected_return", number(a.expected_return)),
            ("volatility", number(a.volatility)),
            ("sharpe_ratio", maybe(a.sharpe_ratio)),
            ("diversification_ratio", maybe(a.diversification_ratio)),
            ("effective_assets", number(gross * gross / squares)),
            (
                "risk_contributions",
                shares.map_or(Value::Null, |s| by_name(names, s)),
            ),
            ("positions", Value::from(held(w))),
            ("gross_exposure", number(gross)),
            ("net_exposure", number(w.iter().sum())),
            ("sector_weights", sectors.unwrap_or_default()),
            ("turnover", maybe(a.turnover)),
            ("trading_cost", maybe(a.trading_cost)),
            ("beta", maybe(a.beta)),
            ("asset_expected_returns", by_name(names, &m.mean)),
            ("asset_volatilities", by_name(names, &m.volatilities())),
            ("shrinkage", maybe(m.shrinkage)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

/// Whether the choice of positions is the best one.
pub(super) fn proven(a: &Allocation) -> (String, Value) {
    ("positions_proven".to_owned(), Value::from(a.proven))
}

/// Estimates and allocation of an entry.
///
/// # Errors
/// Those of [`Moments::new`] and [`allocate`].
pub(super) fn run(
    params: &impl Settings,
    data: &SeriesTable,
    method: &Method,
) -> Result<(Moments, Allocation), FitError> {
    let m = Moments::new(data, &params.covariance_spec(), &params.returns_spec())?;
    let a = allocate(&m, &params.limits(), method)?;
    Ok((m, a))
}
