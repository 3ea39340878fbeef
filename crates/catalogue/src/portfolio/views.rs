//! Views on returns, blended with a prior.
//!
//! What: the Black-Litterman posterior of expected returns from absolute and relative views.
//! Formula: π + τSPᵀ (P τS Pᵀ + Ω)⁻¹ (Q - Pπ), prior π = risk aversion · S · weights + risk-free rate.
//! Data: a covariance and at most a few hundred views.
//! Cost: O(k n² + k³) for k views.
//! Fails when: two views say the same with full confidence.
//! Source: Black, Litterman, Financial Analysts Journal 48 (1992); He, Litterman (1999); Idzorek (2005); conventions of
//! PyPortfolioOpt 1.6.
//! Not claimed: that views are right.

use super::moments::Moments;
use super::settings::{Amounts, place, refused};
use crate::numeric::{Cholesky, dot};
use mltrainer_catalogue_core::FitError;
use ndarray::Array2;

/// Views and the prior.
#[derive(Debug, Clone, PartialEq)]
pub struct Views {
    /// Annual returns by asset, or by `A>B` for what A earns above B; one number for every asset.
    pub views: Option<Amounts>,
    /// Confidence from 0 to 1 of each view, by the name it has there, or one for all (Idzorek); none takes
    /// diag(τ P S Pᵀ) (He & Litterman).
    pub confidences: Option<Amounts>,
    /// Price of variance in the prior.
    pub risk_aversion: f64,
    /// Uncertainty of the prior, above 0.
    pub tau: f64,
    /// Weights that the prior makes optimal; equal ones without.
    pub market_weights: Option<Amounts>,
}

/// Expected returns before and after the views, annual, one an asset.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// Before.
    pub prior: Vec<f64>,
    /// After.
    pub returns: Vec<f64>,
}

/// The posterior.
///
/// # Errors
/// [`FitError::Param`] for names and values that do not fit; [`FitError::Failed`] when views repeat each other with
/// full confidence.
pub fn posterior(m: &Moments, v: &Views) -> Result<Posterior, FitError> {
    let n = m.assets();
    let wrong = |field: &str, reason: String| FitError::from(refused(field, reason, Vec::new()));
    let market = match &v.market_weights {
        None => vec![1.0 / n as f64; n],
        Some(given) => {
            let raw = given.resolve("market_weights", &m.names, 0.0)?;
            let sum: f64 = raw.iter().sum();
            if sum <= 0.0 {
                return Err(wrong("market_weights", "their sum must be above 0".into()));
            }
            raw.into_iter().map(|w| w / sum).collect()
        }
    };
    let prior: Vec<f64> = m
        .times(&market)
        .into_iter()
        .map(|x| v.risk_aversion * x + m.risk_free_rate)
        .collect();
    let named: Vec<(String, f64)> = match &v.views {
        None => Vec::new(),
        Some(Amounts::Each(x)) => m.names.iter().map(|n| (n.clone(), *x)).collect(),
        Some(Amounts::Named(all)) => all.clone(),
        Some(listed) => {
            let all = listed.resolve("views", &m.names, 0.0)?;
            m.names.iter().cloned().zip(all).collect()
        }
    };
    if named.is_empty() {
        return Ok(Posterior {
            returns: prior.clone(),
            prior,
        });
    }
    let names: Vec<String> = named.iter().map(|(n, _)| n.clone()).collect();
    if let Some(i) = (1..names.len()).find(|i| names[..*i].contains(&names[*i])) {
        return Err(wrong("views", format!("\"{}\" stands twice", names[i])));
    }
    let mut rows = Vec::new();
    for (name, _) in &named {
        let mut row = vec![0.0; n];
        match name.split_once('>') {
            Some((a, b)) if !m.names.contains(name) => {
                let (a, b) = (
                    place("views", a.trim(), &m.names)?,
                    place("views", b.trim(), &m.names)?,
                );
                if a == b {
                    return Err(wrong(
                        "views",
                        format!("\"{name}\" is of one asset with itself"),
                    ));
                }
                row[a] = 1.0;
                row[b] = -1.0;
            }
            _ => row[place("views", name, &m.names)?] = 1.0,
        }
        rows.push(row);
    }
    let k = rows.len();
    let spread: Vec<Vec<f64>> = rows
        .iter()
        .map(|p| m.times(p).into_iter().map(|x| v.tau * x).collect())
        .collect();
    let mut inner = Array2::from_shape_fn((k, k), |(i, j)| dot(&rows[i], &spread[j]));
    let confidences = match &v.confidences {
        Some(given) => Some(given.resolve("confidences", &names, f64::NAN)?),
        None => None,
    };
    for i in 0..k {
        let own = inner[[i, i]];
        let omega = match &confidences {
            None => own,
            Some(c) if c[i].is_nan() => {
                let reason = format!("the view \"{}\" has none", names[i]);
                return Err(wrong("confidences", reason));
            }
            // No confidence: the view counts for nothing, as in the reference library.
            Some(c) if c[i] == 0.0 => 1e6,
            Some(c) => own * (1.0 - c[i]) / c[i],
        };
        inner[[i, i]] += omega;
    }
    let factor = Cholesky::new(inner).ok_or_else(|| {
        FitError::Failed(
            "the views repeat each other with full confidence, or are of an asset that does not move: leave one out or lower confidences"
                .into(),
        )
    })?;
    let mut surprise: Vec<f64> = named
        .iter()
        .zip(&rows)
        .map(|((_, q), p)| q - dot(p, &prior))
        .collect();
    factor.solve(&mut surprise);
    let returns = (0..n)
        .map(|i| prior[i] + (0..k).map(|j| spread[j][i] * surprise[j]).sum::<f64>())
        .collect();
    Ok(Posterior { prior, returns })
}
