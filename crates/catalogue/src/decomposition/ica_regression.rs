//! Independent component regression.
//!
//! What: least squares on sources that are as independent as a rotation can make them.
//! Formula: sources s = W K (x - mean), K whitening to k components, W the rotation with the least
//! normal sources; ŷ = mean y + least squares on s.
//! Data: columns of like scale that mix sources which are not normal.
//! Cost: fit O(n p² + p³ + steps n k²), predict O(rows p).
//! Fails when: sources are normal: no rotation then stands out.
//! Source: Hyvärinen & Oja, Neural Networks 13 (2000).
//! Not claimed: another prediction than principal components give: least squares does not see a rotation.

use super::scores::{Components, Solver, Wanted};
use crate::linear::{LEAST_SHARE, Plane};
use crate::numeric::{add_scaled, dot, eigh, normal};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, ParamError, Supervised, Training, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The handle.
pub struct IcaRegression;

/// The registration.
pub const ENTRY: Entry =
    Entry::supervised::<IcaRegression>().mattering_beside(&[&[("n_components", "2")]]);

choices! {
    /// Whether sources are found together.
    pub enum Algorithm {
        /// All at once.
        Parallel = "parallel",
        /// One after the other.
        Deflation = "deflation",
    }
}

choices! {
    /// What measures how far a source is from normal.
    pub enum Contrast {
        /// (1/alpha) ln cosh(alpha u).
        LogCosh = "logcosh",
        /// -exp(-u²/2).
        Exp = "exp",
        /// u⁴/4.
        Cube = "cube",
    }
}

choices! {
    /// How long the sources are.
    pub enum Whiten {
        /// Variance 1.
        UnitVariance = "unit-variance",
        /// Sum of squares 1.
        ArbitraryVariance = "arbitrary-variance",
        /// Columns are taken as they are, as if they were white already.
        No = "false",
    }
}

choices! {
    /// How the columns are whitened.
    pub enum WhitenSolver {
        /// Singular vectors of the centred columns.
        Svd = "svd",
        /// Eigenvectors of their inner products: half the digits of small variances are lost.
        Eigh = "eigh",
    }
}

params! {
    /// Parameters of independent component regression.
    pub struct IcaRegressionParams {
        /// Number of sources; none is as many as there are columns or rows.
        n_components: Option<usize> = None, at_least(1.0);
        /// Whether sources are found together.
        algorithm: Algorithm = Algorithm::Parallel;
        /// What measures how far a source is from normal.
        fun: Contrast = Contrast::LogCosh;
        /// logcosh: the factor within, from 1 to 2 (scikit-learn's fun_args alpha).
        alpha: f64 = 1.0, within(1.0, 2.0);
        /// How long the sources are: unit-variance, or arbitrary-variance, with which their sum of squares is 1;
        /// false takes the columns as they are, neither centred nor whitened, and as many sources as columns.
        whiten: Whiten = Whiten::UnitVariance;
        /// How the columns are whitened: svd, or eigh, which loses half the digits of small variances.
        whiten_solver: WhitenSolver = WhitenSolver::Svd;
        /// Steps at most; `converged` says whether they were enough.
        max_iter: usize = 200, within(1.0, 1_000_000.0);
        /// It ends when no source turns by more than this.
        tol: f64 = 1e-4, above(0.0);
        /// The first rotation, row after row, joined with commas: as many rows and columns as sources; none draws it.
        w_init: Option<Vec<f64>> = None;
        /// Seed of the first rotation; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "ica_regression",
    family: "decomposition",
    title: "Independent component regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Finds sources that are as independent as possible behind the columns, and regresses on them. The prediction equals that of as many principal components, since least squares does not see a rotation; what it adds are the sources.",
    formula: "K whitens the first k principal components to variance 1; W ← decorrelated E[g(Wz) zᵀ] - diag E[g'(Wz)] W (FastICA); sources s = W K (x - x̄); ŷ = ȳ + least squares on s",
    data: "Columns of like scale: they are centred, not rescaled.",
    cost: "fit O(n p² + p³ + steps · n k²), predict O(rows · p)",
    fails_when: "Sources are normal: no rotation then stands out, and `converged` may be false.",
    not_claimed: "A better prediction than principal component regression.",
    source: "A. Hyvärinen, E. Oja, Independent component analysis: algorithms and applications, Neural Networks 13 (2000) 411-430",
    reference: "scikit-learn 1.9.1, FastICA(whiten=\"unit-variance\") and LinearRegression",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units"),
        (
            "components",
            "W K: one row a source, columns as in the table; with arbitrary-variance divided by √n",
        ),
        ("n_iter", "steps taken, with deflation the most of a source"),
        ("converged", "whether the sources stopped turning"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "ica-4-spx-std, ica-6-aapl-std; tests of this entry: sources, w_init",
        tolerance: "predictions 1e-6",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for IcaRegression {
    type Params = IcaRegressionParams;
    type Fitted = Plane;
    const CARD: &'static Card = &CARD;

    fn fit(params: &IcaRegressionParams, data: &Training, seed: u64) -> Result<Plane, FitError> {
        let as_they_are = params.whiten == Whiten::No;
        let (n, p) = data.x().dim();
        if as_they_are && n < p {
            return Err(FitError::Data(format!(
                "{n} rows of {p} columns: with whiten false the rows must be at least as many as the columns"
            )));
        }
        let wanted = match params.n_components {
            Some(k) if !as_they_are => Wanted::Number(k as f64),
            _ => Wanted::All,
        };
        let solver = match params.whiten_solver {
            WhitenSolver::Svd => Solver::Full,
            WhitenSolver::Eigh => Solver::Covariance,
        };
        // Sources that were not whitened are as long as the columns: least squares leaves out what is short.
        let share = if as_they_are { LEAST_SHARE } else { 0.0 };
        let found = Components::new(data, wanted, solver, share)?;
        let n = n as f64;
        // Directions without variance hold no source.
        let largest = found.values.iter().copied().fold(0.0, f64::max);
        let mut whiten: Vec<Vec<f64>> = found
            .rows
            .iter()
            .zip(&found.values)
            .filter(|(_, s)| **s > 1e-12 * largest)
            .map(|(v, s)| v.iter().map(|v| v * n.sqrt() / s).collect())
            .collect();
        let mut middle = found.problem.means.clone();
        if as_they_are {
            middle.fill(0.0);
            let unit = |i| (0..p).map(|j| f64::from(u8::from(i == j))).collect();
            whiten = (0..p).map(unit).collect();
        }
        let k = whiten.len();
        // The signs of scikit-learn, in which a given rotation is meant.
        for row in &mut whiten {
            if row.first().is_some_and(|v| *v < 0.0) {
                row.iter_mut().for_each(|v| *v = -*v);
            }
        }
        let mut z = Array2::zeros((data.y().len(), k));
        for (row, mut to) in data.x().rows().into_iter().zip(z.rows_mut()) {
            let gap: Vec<f64> = row.iter().zip(&middle).map(|(v, m)| v - m).collect();
            for (to, v) in to.iter_mut().zip(&whiten) {
                *to = dot(v, &gap);
            }
        }
        let start = match &params.w_init {
            None => {
                let seed = effective_seed(params.seed, seed);
                let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
                Array2::from_shape_simple_fn((k, k), || normal(&mut random))
            }
            Some(given) if given.len() == k * k => {
                Array2::from_shape_fn((k, k), |(i, j)| given[i * k + j])
            }
            Some(given) => {
                return Err(FitError::Param(ParamError {
                    field: "w_init".into(),
                    reason: format!("{} numbers: {k} sources take {}", given.len(), k * k),
                    suggestions: Vec::new(),
                }));
            }
        };
        let (w, n_iter, converged) = match params.algorithm {
            Algorithm::Parallel => together(&z, start, params)?,
            Algorithm::Deflation => one_by_one(&z, start, params),
        };
        let length = match params.whiten {
            Whiten::UnitVariance | Whiten::No => 1.0,
            Whiten::ArbitraryVariance => 1.0 / n.sqrt(),
        };
        let components = w.rows().into_iter().map(|row| {
            let mut source = vec![0.0; p];
            for (share, v) in row.iter().zip(&whiten) {
                add_scaled(&mut source, length * share, v);
            }
            run::numbers(&source)
        });
        let extra = Outputs::from_iter([
            ("components".to_owned(), components.collect()),
            ("n_iter".to_owned(), n_iter.into()),
            ("converged".to_owned(), converged.into()),
        ]);
        Plane::new(found.weights.clone(), &found.problem, extra)
    }
}

impl Contrast {
    /// The first derivative and the second; `alpha` is the factor within ln cosh.
    fn slopes(self, u: f64, alpha: f64) -> (f64, f64) {
        match self {
            Self::LogCosh => {
                let t = (alpha * u).tanh();
                (t, alpha * (1.0 - t * t))
            }
            Self::Exp => {
                let e = (-u * u / 2.0).exp();
                (u * e, (1.0 - u * u) * e)
            }
            Self::Cube => (u * u * u, 3.0 * u * u),
        }
    }
}

type Rotation = (Array2<f64>, usize, bool);

/// (W Wᵀ)^(-1/2) W.
fn decorrelated(w: &Array2<f64>) -> Result<Array2<f64>, FitError> {
    let (values, vectors) = eigh(w.dot(&w.t()), "independent component analysis")?;
    let mut scaled = vectors.clone();
    for (mut v, e) in scaled.rows_mut().into_iter().zip(values) {
        v /= e.max(f64::MIN_POSITIVE).sqrt();
    }
    Ok(vectors.t().dot(&scaled).dot(w))
}

/// E[g(Wz) zᵀ] - diag E[g'(Wz)] W.
fn step(z: &Array2<f64>, w: &Array2<f64>, params: &IcaRegressionParams) -> Array2<f64> {
    let n = z.nrows() as f64;
    let mut u = z.dot(&w.t());
    let mut curves = vec![0.0; w.nrows()];
    for mut row in u.rows_mut() {
        for (u, c) in row.iter_mut().zip(&mut curves) {
            let (g, d) = params.fun.slopes(*u, params.alpha);
            *u = g;
            *c += d / n;
        }
    }
    let mut next = u.t().dot(z) / n;
    for ((mut row, old), c) in next.rows_mut().into_iter().zip(w.rows()).zip(curves) {
        row.scaled_add(-c, &old);
    }
    next
}

fn together(
    z: &Array2<f64>,
    start: Array2<f64>,
    params: &IcaRegressionParams,
) -> Result<Rotation, FitError> {
    if start.is_empty() {
        return Ok((start, 0, true));
    }
    let mut w = decorrelated(&start)?;
    for n_iter in 1..=params.max_iter {
        let next = decorrelated(&step(z, &w, params))?;
        let turned = next
            .rows()
            .into_iter()
            .zip(w.rows())
            .map(|(a, b)| (a.dot(&b).abs() - 1.0).abs())
            .fold(0.0, f64::max);
        w = next;
        if turned < params.tol {
            return Ok((w, n_iter, true));
        }
    }
    Ok((w, params.max_iter, false))
}

fn one_by_one(z: &Array2<f64>, start: Array2<f64>, params: &IcaRegressionParams) -> Rotation {
    let k = start.nrows();
    let mut w = Array2::zeros((k, k));
    let (mut most, mut converged) = (0, true);
    for c in 0..k {
        let free = |v: &mut Vec<f64>, w: &Array2<f64>| {
            for other in w.rows().into_iter().take(c) {
                let share: f64 = v.iter().zip(other).map(|(a, b)| a * b).sum();
                for (v, o) in v.iter_mut().zip(other) {
                    *v -= share * o;
                }
            }
            let size = dot(v, v).sqrt().max(f64::MIN_POSITIVE);
            v.iter_mut().for_each(|v| *v /= size);
        };
        let mut own = start.row(c).to_vec();
        let size = dot(&own, &own).sqrt().max(f64::MIN_POSITIVE);
        own.iter_mut().for_each(|v| *v /= size);
        let mut done = false;
        for n_iter in 1..=params.max_iter {
            most = most.max(n_iter);
            let one = Array2::from_shape_fn((1, k), |(_, j)| own[j]);
            let mut next = step(z, &one, params).row(0).to_vec();
            free(&mut next, &w);
            let turned = (dot(&next, &own).abs() - 1.0).abs();
            own = next;
            if turned < params.tol {
                done = true;
                break;
            }
        }
        converged &= done;
        for (to, v) in w.row_mut(c).iter_mut().zip(own) {
            *to = v;
        }
    }
    (w, most, converged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};
    use serde_json::json;

    /// 80 rows of three mixtures of a line, a wave and remainders.
    fn mixtures() -> Training {
        let rows: Vec<[f64; 3]> = (0..80)
            .map(|i| {
                let (a, b, c) = (
                    f64::from(i * 37 % 80) / 20.0 - 2.0,
                    (f64::from(i) * 0.61).sin(),
                    f64::from(i * i % 23) / 6.0,
                );
                [a + 0.5 * b, b - 0.3 * c + 0.2 * a, c + 0.4 * a]
            })
            .collect();
        let some: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
        let y: Vec<f64> = rows.iter().map(|r| r[0] - r[2]).collect();
        table(&some, &y)
    }

    #[test]
    fn sources_as_scikit_learn() {
        // scikit-learn 1.9.1, FastICA(3, fun=..., fun_args={"alpha": ...}, whiten=..., whiten_solver=...,
        // algorithm=..., tol=1e-12, max_iter=5000, random_state=0): components_, each with its largest entry
        // positive, sorted by their first entries.
        let data = mixtures();
        for (given, want) in [
            (
                json!({"fun": "logcosh", "alpha": 1.0}),
                [
                    -0.632611655103285,
                    0.3543140174983869,
                    1.1575572442055813,
                    -0.5472933144006391,
                    1.6991404144250482,
                    0.5495065925292405,
                    0.9804465179579626,
                    -0.46857593914016576,
                    -0.06325792843116837,
                ],
            ),
            (
                json!({"fun": "logcosh", "alpha": 1.7}),
                [
                    -0.6335287165649539,
                    0.33215781788877036,
                    1.149346323835248,
                    -0.5585174498686126,
                    1.7051420506004469,
                    0.5676974782424525,
                    0.9735001161868819,
                    -0.4629705746145593,
                    -0.05119018889281551,
                ],
            ),
            (
                json!({"fun": "cube", "whiten": "arbitrary-variance"}),
                [
                    -0.06985575514749776,
                    0.04164540517486281,
                    0.13020785167628746,
                    -0.05966513792003031,
                    0.18913219323422145,
                    0.05941946729847879,
                    0.11100801975063428,
                    -0.05382307573060973,
                    -0.009432136409766284,
                ],
            ),
            (
                json!({"fun": "exp", "whiten_solver": "eigh"}),
                [
                    -0.6345816237799196,
                    0.35597663219711684,
                    1.1579404971257126,
                    -0.5477472540735748,
                    1.6993305874570659,
                    0.5489738815328816,
                    0.9789187714778735,
                    -0.46662208855977355,
                    -0.060822009719354045,
                ],
            ),
            (
                json!({"fun": "logcosh", "alpha": 2.0, "whiten": "arbitrary-variance"}),
                [
                    -0.0707619949695241,
                    0.03618023476693213,
                    0.12814939348391088,
                    -0.06281883795250956,
                    0.19083601645969944,
                    0.06420521463319234,
                    0.10866954184788853,
                    -0.051719002357657,
                    -0.005398730689059711,
                ],
            ),
        ] {
            let mut given = given;
            given["tol"] = json!(1e-12);
            given["max_iter"] = json!(5000);
            let params = IcaRegressionParams::from_map(given.as_object().unwrap()).unwrap();
            let o = IcaRegression::fit(&params, &data, 3).unwrap().outputs();
            let mut got: Vec<Vec<f64>> = serde_json::from_value(o["components"].clone()).unwrap();
            for row in &mut got {
                let top = row
                    .iter()
                    .copied()
                    .fold(0.0, |m: f64, v| if v.abs() > m.abs() { v } else { m });
                row.iter_mut().for_each(|v| *v *= top.signum());
            }
            got.sort_by(|a, b| a[0].total_cmp(&b[0]));
            assert_near(&got.concat(), &want, 1e-5);
        }
    }

    #[test]
    fn columns_as_they_are_go_as_scikit_learn() {
        // scikit-learn 1.9.1, FastICA(algorithm=..., whiten=False, w_init=[[1, 0.5, 0], [-0.3, 1, 0.2],
        // [0, 0.1, 1]], max_iter=2, tol=1e-12): components_.
        let data = mixtures();
        for (algorithm, want) in [
            (
                "parallel",
                [
                    0.917_646_387_421_874_7,
                    0.392_350_841_454_399_75,
                    0.063_134_181_404_423_2,
                    -0.382_949_904_808_643_1,
                    0.915_501_673_381_712_5,
                    -0.123_312_839_730_236_46,
                    -0.106_181_345_154_123_52,
                    0.088_980_353_142_188_54,
                    0.990_357_520_643_963_2,
                ],
            ),
            (
                "deflation",
                [
                    0.825_623_132_541_881_4,
                    0.208_638_519_808_124_62,
                    0.524_229_349_678_178_4,
                    0.012_545_134_409_927_283,
                    0.922_101_132_504_273_2,
                    -0.386_745_550_765_582_26,
                    -0.564_082_496_284_336_2,
                    0.325_882_600_773_056_25,
                    0.758_690_627_264_513_4,
                ],
            ),
        ] {
            let given = json!({
                "algorithm": algorithm, "whiten": "false", "w_init": "1,0.5,0,-0.3,1,0.2,0,0.1,1",
                "n_components": 2, "max_iter": 2, "tol": 1e-12
            });
            let params = IcaRegressionParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = IcaRegression::fit(&params, &data, 0).unwrap();
            let got: Vec<Vec<f64>> =
                serde_json::from_value(fitted.outputs()["components"].clone()).unwrap();
            assert_near(&got.concat(), &want, 1e-10);
            // The target is the first column less the last.
            assert_near(
                &fitted.predict(data.x().view()).unwrap().values,
                data.y(),
                1e-10,
            );
        }
    }

    #[test]
    fn a_rotation_that_is_given_goes_as_scikit_learn() {
        // scikit-learn 1.9.1, FastICA(2, algorithm=..., w_init=[[1, 0.5], [-0.3, 1]], max_iter=2, tol=1e-12):
        // components_, far from rest.
        let data = mixtures();
        let fit = |given: &serde_json::Value| {
            let params = IcaRegressionParams::from_map(given.as_object().unwrap()).unwrap();
            IcaRegression::fit(&params, &data, 0)
        };
        for (algorithm, want) in [
            (
                "parallel",
                [
                    0.647_514_432_389_715_8,
                    0.323_561_984_139_487_34,
                    0.169_259_589_128_309_32,
                    0.098_563_040_639_644_76,
                    0.524_323_963_247_806_7,
                    -0.762_755_887_516_606_7,
                ],
            ),
            (
                "deflation",
                [
                    0.652_831_908_014_286_7,
                    0.435_420_844_537_512_45,
                    -0.010_602_393_269_945_446,
                    -0.052_916_094_069_137_33,
                    0.435_909_009_035_611_3,
                    -0.781_238_082_603_555_7,
                ],
            ),
        ] {
            let given = json!({
                "n_components": 2, "algorithm": algorithm, "w_init": "1,0.5,-0.3,1",
                "max_iter": 2, "tol": 1e-12
            });
            let outputs = fit(&given).unwrap().outputs();
            let got: Vec<Vec<f64>> = serde_json::from_value(outputs["components"].clone()).unwrap();
            assert_near(&got.concat(), &want, 1e-10);
        }
        let refused = fit(&json!({"n_components": 2, "w_init": "1,2"})).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "parameter w_init: 2 numbers: 2 sources take 4"
        );
    }
}
