//! Standard test functions, and what the entries of this family share.

use super::engine::{Dimension, Method, Space, minimise};
use crate::test::engine::number;
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{FitError, Outputs, ParamError, choices};
use std::f64::consts::{E, PI, TAU};

choices! {
    /// Functions whose least value is known (Surjanovic & Bingham, Virtual Library of Simulation Experiments).
    pub enum Function {
        /// Σ x².
        Sphere = "sphere",
        /// Σ 100 (x_{i+1} - x_i²)² + (1 - x_i)².
        Rosenbrock = "rosenbrock",
        /// 10 d + Σ x² - 10 cos 2πx.
        Rastrigin = "rastrigin",
        /// -20 exp(-0.2 √(Σx²/d)) - exp(Σ cos(2πx)/d) + 20 + e.
        Ackley = "ackley",
        /// Σ x²/4000 - Π cos(x_i/√i) + 1.
        Griewank = "griewank",
        /// Σ (x⁴ - 16 x² + 5 x)/2.
        StyblinskiTang = "styblinski_tang",
        /// Branin's of two parameters.
        Branin = "branin",
        /// Hartmann's of six parameters.
        Hartmann6 = "hartmann6",
    }
}

const HARTMANN_ALPHA: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
const HARTMANN_A: [[f64; 6]; 4] = [
    [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
    [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
    [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
    [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
];
const HARTMANN_P: [[f64; 6]; 4] = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
];

impl Function {
    /// The value at a point.
    pub(super) fn value(self, x: &[f64]) -> f64 {
        let d = x.len() as f64;
        let sum = |f: fn(f64) -> f64| x.iter().map(|v| f(*v)).sum::<f64>();
        match self {
            Self::Sphere => sum(|v| v * v),
            Self::Rosenbrock => x
                .windows(2)
                .map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2))
                .sum(),
            Self::Rastrigin => 10.0 * d + sum(|v| v * v - 10.0 * (TAU * v).cos()),
            Self::Ackley => {
                let far = (sum(|v| v * v) / d).sqrt();
                let waves = sum(|v| (TAU * v).cos()) / d;
                -20.0 * (-0.2 * far).exp() - waves.exp() + 20.0 + E
            }
            Self::Griewank => {
                let waves: f64 = x
                    .iter()
                    .zip(1..)
                    .map(|(v, i)| (v / f64::from(i).sqrt()).cos())
                    .product();
                sum(|v| v * v) / 4000.0 - waves + 1.0
            }
            Self::StyblinskiTang => sum(|v| v.powi(4) - 16.0 * v * v + 5.0 * v) / 2.0,
            Self::Branin => {
                let bend = x[1] - 5.1 / (4.0 * PI * PI) * x[0] * x[0] + 5.0 / PI * x[0] - 6.0;
                bend * bend + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x[0].cos() + 10.0
            }
            Self::Hartmann6 => {
                let term = |i: usize| {
                    let inside: f64 = (0..6)
                        .map(|j| HARTMANN_A[i][j] * (x[j] - HARTMANN_P[i][j]).powi(2))
                        .sum();
                    HARTMANN_ALPHA[i] * (-inside).exp()
                };
                -(0..4).map(term).sum::<f64>()
            }
        }
    }

    /// The only number of parameters, of a function that has one.
    fn fixed(self) -> Option<usize> {
        match self {
            Self::Branin => Some(2),
            Self::Hartmann6 => Some(6),
            _ => None,
        }
    }

    /// The usual bounds.
    fn space(self, d: usize) -> Result<Space, FitError> {
        match self {
            Self::Sphere | Self::Rastrigin => Space::cube(d, -5.12, 5.12),
            Self::Rosenbrock => Space::cube(d, -5.0, 10.0),
            Self::Ackley => Space::cube(d, -32.768, 32.768),
            Self::Griewank => Space::cube(d, -600.0, 600.0),
            Self::StyblinskiTang => Space::cube(d, -5.0, 5.0),
            Self::Branin => Space::new(vec![
                Dimension::Real {
                    low: -5.0,
                    high: 10.0,
                    log: false,
                },
                Dimension::Real {
                    low: 0.0,
                    high: 15.0,
                    log: false,
                },
            ]),
            Self::Hartmann6 => Space::cube(6, 0.0, 1.0),
        }
    }

    /// The least value.
    fn optimum(self, d: usize) -> f64 {
        match self {
            Self::StyblinskiTang => -39.166_165_703_771_42 * d as f64,
            Self::Branin => 0.397_887_357_729_738_16,
            Self::Hartmann6 => -3.322_368_011_415_515,
            _ => 0.0,
        }
    }
}

/// What the cards of this family list.
pub(super) const OUTPUTS: &[(&str, &str)] = &[
    ("best_value", "least value found"),
    ("best_point", "where"),
    ("optimum", "the least value there is"),
    ("error", "best_value less optimum"),
    ("evaluations", "points evaluated"),
    ("best_evaluation", "number of the best one, counted from 1"),
    ("history", "least value after each evaluation"),
];

/// Runs a search on a test function.
///
/// # Errors
/// A number of parameters that the function does not have.
pub(super) fn run(
    function: Function,
    dimensions: Option<usize>,
    evaluations: usize,
    seed: u64,
    method: &Method,
) -> Result<Outputs, FitError> {
    let d = match (dimensions, function.fixed()) {
        (Some(given), Some(only)) if given != only => {
            return Err(FitError::Param(ParamError {
                field: "dimensions".into(),
                reason: format!("{given}: this function has {only}"),
                suggestions: Vec::new(),
            }));
        }
        (_, Some(only)) => only,
        (given, None) => given.unwrap_or(5),
    };
    if function == Function::Rosenbrock && d < 2 {
        return Err(FitError::Param(ParamError {
            field: "dimensions".into(),
            reason: "1: rosenbrock has at least 2".into(),
            suggestions: Vec::new(),
        }));
    }
    let search = minimise(function.space(d)?, method, evaluations, seed, |x| {
        function.value(x)
    });
    let best = search.best().ok_or_else(|| {
        FitError::Failed("no point was evaluated: give evaluations of at least 1".into())
    })?;
    let optimum = function.optimum(d);
    Ok(Outputs::from_iter([
        ("best_value".to_owned(), number(best.value)),
        ("best_point".to_owned(), numbers(&best.point)),
        ("optimum".to_owned(), number(optimum)),
        ("error".to_owned(), number(best.value - optimum)),
        ("evaluations".to_owned(), search.history().len().into()),
        ("best_evaluation".to_owned(), (best.number + 1).into()),
        ("history".to_owned(), numbers(search.history())),
    ]))
}

/// Median over five seeds of what a method is off the least value of a function; over fifteen of Hartmann's, whose
/// second valley takes about half of all searches.
#[cfg(test)]
pub(super) fn median_error(f: Function, d: usize, evaluations: usize, method: &Method) -> f64 {
    let seeds = if f == Function::Hartmann6 { 15 } else { 5 };
    let mut errors: Vec<f64> = (1..=seeds)
        .map(|seed| {
            let found = minimise(f.space(d).unwrap(), method, evaluations, seed, |x| {
                f.value(x)
            });
            found.best().unwrap().value - f.optimum(d)
        })
        .collect();
    errors.sort_by(f64::total_cmp);
    errors[errors.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn the_least_values_are_where_the_literature_has_them() {
        // Surjanovic & Bingham: minimisers of each function.
        let hartmann = [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573];
        for (f, x) in [
            (Function::Sphere, &[0.0; 3][..]),
            (Function::Rosenbrock, &[1.0; 4]),
            (Function::Rastrigin, &[0.0; 3]),
            (Function::Ackley, &[0.0; 3]),
            (Function::Griewank, &[0.0; 3]),
            (Function::StyblinskiTang, &[-2.903534; 3]),
            (Function::Branin, &[PI, 2.275]),
            (Function::Branin, &[-PI, 12.275]),
            (Function::Hartmann6, &hartmann),
        ] {
            assert_near(&[f.value(x)], &[f.optimum(x.len())], 1e-6);
        }
        // By hand: 100 (3 - 4)² + (1 - 2)²; 20 + 2 - 20 cos 2π·1 = 2; (1 - 16 + 5)/2.
        assert_near(&[Function::Rosenbrock.value(&[2.0, 3.0])], &[101.0], 1e-14);
        assert_near(&[Function::Rastrigin.value(&[1.0, -1.0])], &[2.0], 1e-12);
        assert_near(&[Function::StyblinskiTang.value(&[1.0])], &[-5.0], 1e-14);
    }

    #[test]
    fn a_number_of_parameters_that_does_not_fit_is_refused() {
        for (f, d) in [(Function::Branin, 3), (Function::Rosenbrock, 1)] {
            let refused = run(f, Some(d), 10, 1, &Method::Random).unwrap_err();
            assert!(matches!(refused, FitError::Param(e) if e.field == "dimensions"));
        }
    }
}
