//! Points of the efficient frontier.
//!
//! What: portfolios of least variance for rising expected returns.
//! Formula: min wᵀSw with μᵀw at least r, r equally spaced.
//! Data: estimates and constraints.
//! Cost: a programme a point.
//! Fails when: the constraints conflict.
//! Source: Markowitz, J. Finance 7 (1952).
//! Not claimed: nothing beyond the estimates.

use super::allocate::{Allocation, Method, Solver, allocate, measure};
use super::limits::Limits;
use super::moments::Moments;
use crate::numeric::dot;
use mltrainer_catalogue_core::FitError;

/// The frontier.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontier {
    /// By rising expected return.
    pub points: Vec<Allocation>,
    /// The largest Sharpe ratio; none when no portfolio earns more than the risk-free rate.
    pub max_sharpe: Option<Allocation>,
    /// The least variance.
    pub min_variance: Allocation,
}

/// So many points, at least 2, from the least variance to the largest expected return.
///
/// # Errors
/// Those of [`allocate`].
pub fn frontier(m: &Moments, limits: &Limits, points: usize) -> Result<Frontier, FitError> {
    let b = limits.resolve(&m.names)?;
    let solver = Solver { m, b: &b };
    let (lowest, proven) = solver.least_variance(None)?;
    let max_sharpe = match allocate(m, limits, &Method::MaxSharpe) {
        Ok(found) => Some(found),
        // There is none: the frontier stands all the same.
        Err(FitError::Failed(_)) => None,
        Err(other) => return Err(other),
    };
    let net = |w: &[f64]| dot(w, &m.mean) - b.cost() * b.turnover(w).unwrap_or(0.0);
    let bottom = net(&lowest);
    let last = solver.most_return()?;
    let top = match &last {
        Some((w, _)) => net(w),
        None => {
            let best = m.mean.iter().copied().fold(bottom, f64::max);
            max_sharpe
                .as_ref()
                .map_or(best, |a| best.max(net(&a.weights)))
        }
    };
    let min_variance = measure(m, &b, limits, lowest, proven);
    let mut all = vec![min_variance.clone()];
    let range = top - bottom;
    if range > 1e-10 * top.abs().max(bottom.abs()) {
        for k in 1..points {
            let (w, proven) = match &last {
                // At the end one portfolio alone keeps the constraints, most often.
                Some((w, proven)) if k == points - 1 => (w.clone(), *proven),
                _ => {
                    let share = k as f64 / (points as f64 - 1.0);
                    solver.least_variance(Some(bottom + range * share))?
                }
            };
            all.push(measure(m, &b, limits, w, proven));
        }
    }
    Ok(Frontier {
        points: all,
        max_sharpe,
        min_variance,
    })
}
