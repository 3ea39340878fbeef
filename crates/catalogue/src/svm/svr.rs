//! Support vector regression.
//!
//! What: a surface within a tube of width epsilon around most rows, as flat as it can be.
//! Formula: min |w|²/2 + C Σ sᵢ max(0, |yᵢ - f(xᵢ)| - epsilon), f(x) = Σ cᵢ k(x, xᵢ) + b.
//! Data: columns of like scale; at most some ten thousand rows.
//! Cost: fit between O(n² p) and O(n³), predict O(rows p) a support vector.
//! Fails when: columns have different units; C or gamma are far off.
//! Source: Vapnik (1995); Schölkopf, Smola, Williamson & Bartlett (2000); Chang & Lin, LIBSVM (2011).
//! Not claimed: an interval: the tube is not one.

use super::engine::{Dual, Rows, solve};
use super::machine::{GammaWord, Machine, SvmKernel, form, most_steps};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Svr;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Svr>();

params! {
    /// Parameters of support vector regression.
    pub struct SvrParams {
        /// The kernel.
        kernel: SvmKernel = SvmKernel::Rbf;
        /// Degree of the kernel poly.
        degree: usize = 3, within(0.0, 100.0);
        /// Factor of the inner product or distance in the kernel: scale is 1/(columns · variance of all entries), auto 1/columns, or a number.
        gamma: WordOr<GammaWord> = WordOr::Word(GammaWord::Scale), at_least(0.0);
        /// Constant of the kernels poly and sigmoid.
        coef0: f64 = 0.0;
        /// Cost of an error beyond the tube: large values follow the rows more closely.
        c as "C": f64 = 1.0, above(0.0);
        /// Errors up to this cost nothing, target units.
        epsilon: f64 = 0.1, at_least(0.0);
        /// It ends when no pair of variables violates the optimum by this.
        tol: f64 = 1e-5, above(0.0);
        /// Pairs moved at most; none or -1 is ten million, or a hundred times the variables if that is more.
        max_iter: Option<i64> = None, at_least(-1.0);
    }
}

const CARD: Card = Card {
    id: "svr",
    family: "svm",
    title: "Support vector regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "A surface within a tube of width epsilon around most rows, as flat as it can be. Only rows on or outside the tube matter.",
    formula: "min |w|²/2 + C Σ sᵢ max(0, |yᵢ - f(xᵢ)| - epsilon), f(x) = Σ cᵢ k(x, xᵢ) + b.",
    data: "Columns of like scale: the kernel sees their units, nothing is rescaled inside.",
    cost: "fit between O(n² p) and O(n³), predict O(rows · p) a support vector",
    fails_when: "Columns have different units, C or gamma are far off (it then fits noise, or nothing), or rows are more than some ten thousand.",
    not_claimed: "An interval: the tube is not one.",
    source: "V. Vapnik, The Nature of Statistical Learning Theory (1995); B. Schölkopf, A. J. Smola, R. C. Williamson, P. L. Bartlett, New support vector algorithms (2000); C.-C. Chang, C.-J. Lin, LIBSVM, ACM TIST 2 (2011)",
    reference: "scikit-learn 1.9.1, SVR (here with a tighter tol by default)",
    outputs: &[
        ("intercept", "b, target units"),
        (
            "support",
            "training rows that are support vectors, counted from 0",
        ),
        ("n_support", "number of support vectors"),
        ("dual_coefficients", "c, one a support vector"),
        (
            "coefficients",
            "kernel linear: weights, one a column; empty otherwise",
        ),
        ("objective", "|w|²/2 plus the cost of errors"),
        ("n_iter", "pairs of variables moved"),
        ("converged", "whether no pair violates the optimum by tol"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-9",
        cases: "svr-rbf-C-1-aapl-small, svr-rbf-C-10-aapl-small, svr-linear-C-0.1-aapl-small, svr-poly-C-0.5-aapl-small",
        tolerance: "predictions 1e-3",
    }],
    presets: &[
        Preset {
            id: "svr_rbf",
            title: "SVR, kernel rbf",
            set: &[("kernel", "rbf")],
        },
        Preset {
            id: "svr_linear",
            title: "SVR, kernel linear",
            set: &[("kernel", "linear")],
        },
        Preset {
            id: "svr_poly",
            title: "SVR, kernel poly",
            set: &[("kernel", "poly")],
        },
        Preset {
            id: "svr_sigmoid",
            title: "SVR, kernel sigmoid",
            set: &[("kernel", "sigmoid")],
        },
    ],
    exemptions: &[],
};

impl Supervised for Svr {
    type Params = SvrParams;
    type Fitted = Machine;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &SvrParams, data: &Training, _: u64) -> Result<Machine, FitError> {
        let n = data.y().len();
        let form = form(
            data.x(),
            params.kernel,
            params.gamma,
            params.degree,
            params.coef0,
        )?;
        let cost: Vec<f64> = match data.weights() {
            Some(w) => w.iter().map(|w| params.c * w).collect(),
            None => vec![params.c; n],
        };
        let start = vec![0.0; 2 * n];
        let above = data.y().iter().map(|y| params.epsilon - y);
        let p = above.chain(data.y().iter().map(|y| params.epsilon + y));
        let dual = Dual {
            p: p.collect(),
            y: [vec![1.0; n], vec![-1.0; n]].concat(),
            upper: [&cost[..], &cost[..]].concat(),
            start,
            nu: false,
        };
        let found = solve(
            &mut Rows::new(form, data.x()),
            &dual,
            params.tol,
            most_steps(params.max_iter),
        );
        let (up, down) = found.a.split_at(n);
        let c: Vec<f64> = up.iter().zip(down).map(|(a, b)| a - b).collect();
        let mut machine = Machine::new(form, data.x(), &c, -found.rho, Outputs::new());
        // Q a of the first half is the surface over the training rows without its intercept.
        let surface: Vec<f64> = found
            .g
            .iter()
            .zip(&dual.p)
            .take(n)
            .map(|(g, p)| g - p)
            .collect();
        let errors: f64 = surface
            .iter()
            .zip(data.y())
            .zip(&cost)
            .map(|((f, y), c)| c * ((y - f + found.rho).abs() - params.epsilon).max(0.0))
            .sum();
        let squared_weights = crate::numeric::dot(&surface, &c);
        machine.add("objective", (0.5 * squared_weights + errors).into());
        machine.add("n_iter", found.n_iter.into());
        machine.add("converged", found.converged.into());
        Ok(machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};

    #[test]
    fn a_row_without_weight_does_not_bound_the_intercept() {
        // scikit-learn 1.9.1, SVR(C=0.1, gamma=1, epsilon=0.1, tol=1e-9).fit(x, y, sample_weight=[1, 1, 1, 1, 0]):
        // every row that counts is at its bound, so that the intercept is midway between the bounds that
        // these leave, of 2 and 5.
        let data = table(
            &[&[0.0], &[100.0], &[200.0], &[300.0], &[400.0]],
            &[1.0, 2.0, 5.0, 9.0, -50.0],
        );
        let data = data.with_weights(vec![1.0, 1.0, 1.0, 1.0, 0.0]).unwrap();
        let given = serde_json::json!({"C": 0.1, "gamma": 1.0});
        let params = SvrParams::from_map(given.as_object().unwrap()).unwrap();
        let outputs = Svr::fit(&params, &data, 0).unwrap().outputs();
        assert_near(&[outputs["intercept"].as_f64().unwrap()], &[3.5], 1e-12);
        assert_eq!(outputs["support"], serde_json::json!([0, 1, 2, 3]));
    }
}
