//! Convex programmes in the form that clarabel takes.
//!
//! What: collects an objective, linear rows, and cones, and solves them by an interior point method.
//! Formula: minimise ½ xᵀPx + qᵀx with A x + s = b, s in zero, nonnegative, second order or exponential cones.
//! Data: finite coefficients.
//! Cost: one sparse factorisation a step, most often 10 to 25 steps.
//! Fails when: no point keeps the rows; the caller then asks which of them conflict.
//! Source: Goulart, Chen, Clarabel (2024), arXiv:2405.12762.
//! Not claimed: exact zeros: an interior point method comes within 1e-9 of a bound.

use clarabel::algebra::CscMatrix;
use clarabel::solver::SupportedConeT::{
    ExponentialConeT, NonnegativeConeT, SecondOrderConeT, ZeroConeT,
};
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver as _, SolverStatus};
use mltrainer_catalogue_core::FitError;
use ndarray::Array2;

/// A linear form: Σ coefficient · variable.
pub(super) type Terms = Vec<(usize, f64)>;

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The form equals the right-hand side.
    Equal,
    /// It is at most the right-hand side.
    AtMost,
}

/// A linear row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) terms: Terms,
    pub(super) rhs: f64,
    pub(super) kind: Kind,
    /// Which constraint of the user it belongs to; none for what only defines a variable.
    pub(super) group: Option<usize>,
}

/// A cone over affine expressions constant + terms.
#[derive(Debug, Clone)]
pub(super) struct Cone {
    pub(super) parts: Vec<(f64, Terms)>,
    /// Exponential when true: parts x, y, z with y e^(x/y) ≤ z; else the first is at least the norm of the others.
    pub(super) exponential: bool,
    pub(super) group: Option<usize>,
}

/// A programme over `variables` variables, none of them bounded by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Programme {
    pub(super) variables: usize,
    /// Upper triangle of P.
    pub(super) quadratic: Vec<(usize, usize, f64)>,
    pub(super) linear: Terms,
    pub(super) rows: Vec<Row>,
    pub(super) cones: Vec<Cone>,
}

/// What came out.
pub(super) enum Answer {
    /// A point.
    Solved(Vec<f64>),
    /// No point keeps the rows.
    Infeasible,
    /// The objective falls without end.
    Unbounded,
}

impl Programme {
    /// So many more variables; the place of the first.
    pub(super) fn more(&mut self, count: usize) -> usize {
        let first = self.variables;
        self.variables += count;
        first
    }

    /// One more row.
    pub(super) fn row(&mut self, terms: Terms, kind: Kind, rhs: f64, group: Option<usize>) {
        self.rows.push(Row {
            terms,
            rhs,
            kind,
            group,
        });
    }

    /// Adds ½ scale · wᵀ S w for the first variables.
    pub(super) fn add_matrix(&mut self, matrix: &Array2<f64>, scale: f64) {
        for j in 0..matrix.ncols() {
            for i in 0..=j {
                let v = matrix[[i, j]] * scale;
                if v != 0.0 {
                    self.quadratic.push((i, j, v));
                }
            }
        }
    }

    /// Adds ½ scale · wᵀ (Rᵀ R + diag(d)) w for the first variables, by variables y = R w.
    pub(super) fn add_factors(&mut self, root: &Array2<f64>, diagonal: &[f64], scale: f64) {
        let first = self.more(root.nrows());
        for (k, row) in root.rows().into_iter().enumerate() {
            let mut terms: Terms = row.iter().copied().enumerate().collect();
            terms.push((first + k, -1.0));
            self.row(terms, Kind::Equal, 0.0, None);
            self.quadratic.push((first + k, first + k, scale));
        }
        for (i, d) in diagonal.iter().enumerate().filter(|(_, d)| **d > 0.0) {
            self.quadratic.push((i, i, d * scale));
        }
    }

    /// Solves.
    ///
    /// # Errors
    /// [`FitError::Failed`] when the method stops short of an answer.
    pub(super) fn solve(&self) -> Result<Answer, FitError> {
        let (mut rows, mut columns, mut values, mut b) = (vec![], vec![], vec![], vec![]);
        let mut cones = Vec::new();
        let mut put = |terms: &Terms, sign: f64, rhs: f64| {
            for (column, value) in terms.iter().filter(|(_, v)| *v != 0.0) {
                rows.push(b.len());
                columns.push(*column);
                values.push(sign * value);
            }
            b.push(rhs);
        };
        for kind in [Kind::Equal, Kind::AtMost] {
            let mut count = 0;
            for row in self.rows.iter().filter(|r| r.kind == kind) {
                put(&row.terms, 1.0, row.rhs);
                count += 1;
            }
            match (count, kind) {
                (0, _) => {}
                (_, Kind::Equal) => cones.push(ZeroConeT(count)),
                (_, Kind::AtMost) => cones.push(NonnegativeConeT(count)),
            }
        }
        for cone in &self.cones {
            for (constant, terms) in &cone.parts {
                put(terms, -1.0, *constant);
            }
            cones.push(if cone.exponential {
                ExponentialConeT()
            } else {
                SecondOrderConeT(cone.parts.len())
            });
        }
        let n = self.variables;
        let a = CscMatrix::new_from_triplets(b.len(), n, rows, columns, values);
        let (mut pi, mut pj, mut pv) = (vec![], vec![], vec![]);
        for (i, j, v) in &self.quadratic {
            pi.push(*i);
            pj.push(*j);
            pv.push(*v);
        }
        let p = CscMatrix::new_from_triplets(n, n, pi, pj, pv);
        let mut q = vec![0.0; n];
        for (i, v) in &self.linear {
            q[*i] += v;
        }
        // Tighter than the defaults: the answer is a weight, and compared with other programs. Where rounding
        // does not allow that, the defaults.
        let settings = |gap: f64, feasible: f64, reduced: f64| DefaultSettings {
            verbose: false,
            max_threads: 1,
            tol_gap_abs: gap,
            tol_gap_rel: gap,
            tol_feas: feasible,
            reduced_tol_gap_abs: reduced,
            reduced_tol_gap_rel: reduced,
            reduced_tol_feas: reduced,
            ..DefaultSettings::default()
        };
        let failed = |why: String| {
            FitError::Failed(format!(
                "the optimisation stopped without an answer ({why}): rescale the prices, or loosen the constraints"
            ))
        };
        let mut why = String::new();
        for (gap, feasible, reduced) in [(1e-11, 1e-10, 1e-7), (1e-8, 1e-8, 1e-6)] {
            let settings = settings(gap, feasible, reduced);
            let mut solver = DefaultSolver::new(&p, &q, &a, &b, &cones, settings)
                .map_err(|e| failed(e.to_string()))?;
            solver.solve();
            match solver.solution.status {
                SolverStatus::Solved | SolverStatus::AlmostSolved => {
                    return Ok(Answer::Solved(solver.solution.x.clone()));
                }
                SolverStatus::PrimalInfeasible | SolverStatus::AlmostPrimalInfeasible => {
                    return Ok(Answer::Infeasible);
                }
                SolverStatus::DualInfeasible | SolverStatus::AlmostDualInfeasible => {
                    return Ok(Answer::Unbounded);
                }
                other => why = format!("{other:?}"),
            }
        }
        Err(failed(why))
    }

    /// The least by which the rows of these groups must be loosened for a point that keeps the rows of
    /// `hard` groups too; rows of other groups do not count. None when the hard ones already conflict.
    ///
    /// # Errors
    /// Those of [`Programme::solve`].
    pub(super) fn slack(
        &self,
        soft: &dyn Fn(usize) -> bool,
        hard: &dyn Fn(usize) -> bool,
    ) -> Result<Option<f64>, FitError> {
        let mut relaxed = Self {
            variables: self.variables,
            ..Self::default()
        };
        let t = relaxed.more(1);
        relaxed.linear.push((t, 1.0));
        relaxed.row(vec![(t, -1.0)], Kind::AtMost, 0.0, None);
        for row in &self.rows {
            let is_soft = row.group.is_some_and(soft);
            if !is_soft && row.group.is_some_and(|g| !hard(g)) {
                continue;
            }
            if !is_soft {
                relaxed.rows.push(row.clone());
                continue;
            }
            let signs: &[f64] = if row.kind == Kind::Equal {
                &[1.0, -1.0]
            } else {
                &[1.0]
            };
            for sign in signs {
                let mut terms: Terms = row.terms.iter().map(|(i, v)| (*i, sign * v)).collect();
                terms.push((t, -1.0));
                relaxed.row(terms, Kind::AtMost, sign * row.rhs, row.group);
            }
        }
        for cone in &self.cones {
            let mut cone = cone.clone();
            match cone.group {
                Some(g) if soft(g) => cone.parts[0].1.push((t, 1.0)),
                Some(g) if !hard(g) => continue,
                _ => {}
            }
            relaxed.cones.push(cone);
        }
        Ok(match relaxed.solve()? {
            Answer::Solved(x) => Some(x[t].max(0.0)),
            Answer::Infeasible | Answer::Unbounded => None,
        })
    }
}
