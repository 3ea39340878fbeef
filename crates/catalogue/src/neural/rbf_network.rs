//! Radial basis function network.
//!
//! What: ridge regression on the nearness of a row to a few centres.
//! Formula: φₖ(x) = exp(-gamma |x - cₖ|²), c by k-means; ŷ = b + Σ wₖ φₖ(x), penalty alpha |w|².
//! Data: columns of like scale.
//! Cost: fit O(k-means + n k²), predict O(rows k p).
//! Fails when: gamma does not fit the distances between rows: every φ is then 0 or 1.
//! Source: Broomhead & Lowe (1988); Moody & Darken, Neural Computation 1 (1989).
//! Not claimed: sense far from all centres: the prediction goes to b there.

use crate::clustering::kmeans::KMeans;
use crate::kernels::{Form, Kernel};
use crate::linear::{Plane, Problem};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Clusterer, Entry, FitError, Inputs, Outputs, Params as _, Prediction, Predictor,
    Supervised, Training, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The handle.
pub struct RbfNetwork;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<RbfNetwork>();

params! {
    /// Parameters of a radial basis function network.
    pub struct RbfNetworkParams {
        /// Number of centres; at most as many as there are different rows.
        n_centers: usize = 10, within(1.0, 10_000.0);
        /// How fast nearness falls with the squared distance; none is 1 / columns.
        gamma: Option<f64> = None, above(0.0);
        /// Strength of the penalty on the squared weights of the centres.
        alpha: f64 = 0.1, at_least(0.0);
        /// Starts of k-means, of which the best is kept.
        n_init: usize = 10, within(1.0, 1_000.0);
        /// Seed of k-means; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    form: Form,
    centers: Array2<f64>,
    plane: Plane,
}

const CARD: Card = Card {
    id: "rbf_network",
    family: "neural",
    title: "Radial basis function network",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Places centres among the rows by k-means and regresses on how near a row is to each of them: a network with one hidden layer that is trained in one step.",
    formula: "φₖ(x) = exp(-gamma |x - cₖ|²), cₖ the centres of k-means; min over w, b of Σᵢ (yᵢ - b - Σₖ wₖ φₖ(xᵢ))² + alpha |w|²",
    data: "Columns of like scale: distances see their units, nothing is rescaled inside.",
    cost: "fit O(n_init · steps · n k p + n k²), predict O(rows · k p)",
    fails_when: "gamma does not fit the distances between rows (every nearness is then 0 or 1), or a row is far from all centres.",
    not_claimed: "Sense far from all centres: the prediction goes to b there.",
    source: "D. S. Broomhead, D. Lowe, Multivariable functional interpolation and adaptive networks (1988); J. Moody, C. J. Darken, Fast learning in networks of locally-tuned processing units, Neural Computation 1 (1989)",
    reference: "scikit-learn 1.9.1, KMeans and Ridge on exp(-gamma |x - c|²)",
    outputs: &[
        ("coefficients", "w, one a centre, target units"),
        ("intercept", "b, target units"),
        ("centers", "one row a centre, columns as in the table"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, 20 seeds",
        cases: "rbf-network-spx-std, rbf-network-aapl-small",
        tolerance: "errors on training and test rows within mean ± 3 sd, correlation 0.94",
    }],
    presets: &[
        Preset {
            id: "rbf_network_5",
            title: "RBF network, 5 centres",
            set: &[("n_centers", "5")],
        },
        Preset {
            id: "rbf_network_10",
            title: "RBF network, 10 centres",
            set: &[("n_centers", "10")],
        },
    ],
    exemptions: &[],
};

impl Supervised for RbfNetwork {
    type Params = RbfNetworkParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(params: &RbfNetworkParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let p = data.design().columns();
        let given = json!({"n_clusters": params.n_centers, "n_init": params.n_init});
        let given = given.as_object().cloned().unwrap_or_default();
        let kmeans = <KMeans as Clusterer>::Params::from_map(&given)?;
        let seed = effective_seed(params.seed, seed);
        let found = KMeans::cluster(&kmeans, &data.design().clone().into(), seed)?;
        let centers: Vec<Vec<f64>> = found
            .get("centers")
            .and_then(|c| serde_json::from_value(c.clone()).ok())
            .ok_or_else(|| FitError::Failed("rbf_network: k-means gave no centres".into()))?;
        let centers = Array2::from_shape_fn((centers.len(), p), |(k, j)| centers[k][j]);
        let form = Form {
            kernel: Kernel::Rbf,
            gamma: params.gamma.unwrap_or(1.0 / p as f64),
            degree: 0.0,
            coef0: 0.0,
        };
        let near = form.pairs(data.x().view(), centers.view());
        let problem = Problem::of(near.view(), data.y(), None, true)?;
        let (weights, _) = problem.ridge(params.alpha)?;
        Ok(Fitted {
            form,
            plane: Plane::new(weights, &problem, Outputs::new())?,
            centers,
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let near = self.form.pairs(x, self.centers.view());
        Ok(Prediction::values(self.plane.values(near.view())))
    }

    fn outputs(&self) -> Outputs {
        let mut outputs = self.plane.outputs();
        let rows = self.centers.rows().into_iter();
        let centers = rows.map(|r| run::numbers(&r.to_vec())).collect();
        outputs.insert("centers".into(), centers);
        outputs
    }
}
