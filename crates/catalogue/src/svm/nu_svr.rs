//! Nu support vector regression.
//!
//! What: support vector regression that finds the width of its tube from the share of rows outside it.
//! Formula: dual of SVR with Σ (a + a*) ≤ C nu n in place of epsilon; epsilon comes out.
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
pub struct NuSvr;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<NuSvr>();

params! {
    /// Parameters of support vector regression.
    pub struct NuSvrParams {
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
        /// Bound on the share of rows outside the tube, and on that of support vectors from below.
        nu: f64 = 0.5, above_up_to(0.0, 1.0);
        /// It ends when no pair of variables violates the optimum by this.
        tol: f64 = 1e-5, above(0.0);
        /// Pairs moved at most; none or -1 is ten million, or a hundred times the variables if that is more.
        max_iter: Option<i64> = None, at_least(-1.0);
    }
}

const CARD: Card = Card {
    id: "nu_svr",
    family: "svm",
    title: "Nu support vector regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Support vector regression that finds the width of its tube from the share of rows outside it. Only rows on or outside the tube matter.",
    formula: "dual of SVR with Σ (a + a*) ≤ C nu n in place of epsilon; epsilon comes out.",
    data: "Columns of like scale: the kernel sees their units, nothing is rescaled inside.",
    cost: "fit between O(n² p) and O(n³), predict O(rows · p) a support vector",
    fails_when: "Columns have different units, C or gamma are far off (it then fits noise, or nothing), or rows are more than some ten thousand.",
    not_claimed: "An interval: the tube is not one.",
    source: "V. Vapnik, The Nature of Statistical Learning Theory (1995); B. Schölkopf, A. J. Smola, R. C. Williamson, P. L. Bartlett, New support vector algorithms (2000); C.-C. Chang, C.-J. Lin, LIBSVM, ACM TIST 2 (2011)",
    reference: "scikit-learn 1.9.1, NuSVR (here with a tighter tol by default)",
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
        ("epsilon", "half the width of the tube found, target units"),
        ("n_iter", "pairs of variables moved"),
        ("converged", "whether no pair violates the optimum by tol"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-9",
        cases: "nu-svr-rbf-0.5-aapl-small, nu-svr-rbf-0.3-aapl-small",
        tolerance: "predictions 1e-3",
    }],
    presets: &[
        Preset {
            id: "nu_svr_0_1",
            title: "Nu SVR, nu 0.1",
            set: &[("nu", "0.1")],
        },
        Preset {
            id: "nu_svr_0_5",
            title: "Nu SVR, nu 0.5",
            set: &[("nu", "0.5")],
        },
    ],
    exemptions: &[],
};

impl Supervised for NuSvr {
    type Params = NuSvrParams;
    type Fitted = Machine;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &NuSvrParams, data: &Training, _: u64) -> Result<Machine, FitError> {
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
        let mut left: f64 = cost.iter().map(|c| c * params.nu / 2.0).sum();
        let mut start = Vec::with_capacity(2 * n);
        for c in &cost {
            let a = c.min(left);
            left -= a;
            start.push(a);
        }
        start.extend_from_within(..);
        let p = data.y().iter().map(|y| -y).chain(data.y().iter().copied());
        let dual = Dual {
            p: p.collect(),
            y: [vec![1.0; n], vec![-1.0; n]].concat(),
            upper: [&cost[..], &cost[..]].concat(),
            start,
            nu: true,
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
        machine.add("epsilon", (-found.r).into());
        machine.add("n_iter", found.n_iter.into());
        machine.add("converged", found.converged.into());
        Ok(machine)
    }
}
