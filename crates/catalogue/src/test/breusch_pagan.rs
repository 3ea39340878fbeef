//! Breusch-Pagan test.
//!
//! What: tests whether the variance of residuals depends on other columns.
//! Formula: LM = n R² of the regression of e² on a constant and the columns, chi-squared.
//! Data: residuals (or a target) and one or several columns.
//! Cost: O(n p²) for p columns.
//! Fails when: the variance depends on something else, or not linearly on the columns.
//! Source: Breusch, Pagan, Econometrica 47 (1979); Koenker, J. Econometrics 17 (1981).
//! Not claimed: that a constant variance is the only thing a regression needs.

use super::engine::{LeastSquares, all, number, residuals};
use crate::distributions::{chi2_sf, f_sf};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params,
};
use mltrainer_types::catalogue::Task;
use serde_json::Value;

/// The handle.
pub struct BreuschPagan;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<BreuschPagan>();

choices! {
    /// What the first column is.
    pub enum First {
        /// Residuals of a regression made elsewhere.
        Residuals = "residuals",
        /// A target, first regressed on the other columns.
        Target = "target",
    }
}

params! {
    /// Parameters of the Breusch-Pagan test.
    pub struct BreuschPaganParams {
        /// What the first column is: residuals, or a target that is first regressed on a constant and the other columns.
        first: First = First::Residuals;
        /// Koenker's form, which needs no normal residuals; else the form of Breusch and Pagan.
        robust: bool = true;
    }
}

const CARD: Card = Card {
    id: "breusch_pagan",
    family: "test",
    title: "Breusch-Pagan test",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Tests whether the squared residuals of the first column depend on the other columns. A small p-value speaks for a variance that changes with them.",
    formula: "e² on a constant and the columns by least squares; robust: LM = n R²; else e² is divided by its mean and LM is half the explained sum of squares; chi-squared with one degree of freedom a column; F: the usual test of that regression",
    data: "Two or more columns: residuals (or a target) first, then what their variance may depend on. A constant is added.",
    cost: "O(n p²) for p columns",
    fails_when: "The variance depends on something else, or is largest in the middle of a column.",
    not_claimed: "Anything on the cause of a changing variance.",
    source: "T. S. Breusch, A. R. Pagan, Econometrica 47 (1979); R. Koenker, J. Econometrics 17 (1981)",
    reference: "statsmodels 0.15.0, het_breuschpagan",
    outputs: &[
        ("statistic", "Lagrange multiplier statistic"),
        ("p_value", "its p-value"),
        ("f_statistic", "F statistic of the same regression"),
        ("f_p_value", "its p-value"),
        ("df", "degrees of freedom of the chi-squared distribution"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, het_breuschpagan",
        cases: "returns and closes of 5 shares, both forms",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for BreuschPagan {
    type Params = BreuschPaganParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, usize::MAX);

    fn analyse(
        params: &BreuschPaganParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let mut columns = all(data);
        let mut e = columns.remove(0);
        columns.insert(0, vec![1.0; e.len()]);
        let k = columns.len();
        if params.first == First::Target {
            let fit = LeastSquares::new(&e, &columns)?;
            if fit.exact(k) {
                return Err(FitError::Data(
                    "the other columns give the first one without a remainder: there are no residuals to test".into(),
                ));
            }
            e = residuals(&e, &columns, &fit.coefficients(k));
        }
        let n = e.len() as f64;
        let size = e.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        if size == 0.0 {
            return Err(FitError::Data("the residuals are all 0".into()));
        }
        let mut squares: Vec<f64> = e.iter().map(|v| (v / size) * (v / size)).collect();
        let mean = squares.iter().sum::<f64>() / n;
        squares.iter_mut().for_each(|v| *v /= mean);
        let fit = LeastSquares::new(&squares, &columns)?;
        // On a constant alone, and on all.
        let (total, left) = (fit.sse(1), fit.sse(k));
        if total <= 1e-22 * n {
            return Err(FitError::Data(
                "the squared residuals are all alike: nothing can depend on the columns".into(),
            ));
        }
        let df = k as f64 - 1.0;
        let lm = if params.robust {
            n * (1.0 - left / total)
        } else {
            (total - left) / 2.0
        };
        let f = (total - left) / df / (left / (n - k as f64));
        Ok(Outputs::from_iter([
            ("statistic".into(), number(lm)),
            ("p_value".into(), number(chi2_sf(lm, df))),
            ("f_statistic".into(), number(f)),
            ("f_p_value".into(), number(f_sf(f, df, n - k as f64))),
            ("df".into(), Value::from(k - 1)),
        ]))
    }
}
