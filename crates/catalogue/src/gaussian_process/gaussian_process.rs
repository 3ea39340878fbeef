//! Gaussian process.
//!
//! What: a distribution over surfaces, conditioned on the rows: a mean and a standard deviation anywhere.
//! Formula: ŷ = k*ᵀ (K + alpha I)⁻¹ y, var = k(x, x) - k*ᵀ (K + alpha I)⁻¹ k*; labels: Laplace's approximation.
//! Data: columns of like scale, a target around 0; at most some thousands of rows.
//! Cost: fit O(n³) a likelihood, predict O(rows n²).
//! Fails when: alpha is far below the noise; rows are many.
//! Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), algorithms 2.1, 3.1, 3.2.
//! Not claimed: intervals that hold when the kernel is wrong or the noise is not of one size.

use crate::kernel_ridge::kernel_ridge::MOST_ROWS;
use crate::kernels::distances;
use crate::labels::labels;
use crate::numeric::{
    Cholesky, Stop, dot, exp_all, flat, flat_mut, minimise, row_products, sigmoid, softplus,
};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, choices,
    params, run, threads,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::OnceLock;

/// The handle.
pub struct GaussianProcess;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<GaussianProcess>();

choices! {
    /// How like two rows at distance d are.
    #[derive(Serialize, Deserialize)]
    pub enum Likeness {
        /// exp(-d²/(2 l²)).
        Rbf = "rbf",
        /// Rougher surfaces, by nu.
        Matern = "matern",
        /// (1 + d²/(2 a l²))^-a: a mixture of length scales.
        RationalQuadratic = "rational_quadratic",
    }
}

choices! {
    /// How the parameters of the kernel are found.
    pub enum Optimizer {
        /// The likelihood is maximised by quasi-Newton steps.
        Lbfgs = "fmin_l_bfgs_b",
    }
}

params! {
    /// Parameters of a Gaussian process.
    pub struct GaussianProcessParams {
        /// How like two rows are.
        kernel: Likeness = Likeness::Rbf;
        /// Distance over which the surface changes, where the search starts or, without optimizer, as it is.
        length_scale: f64 = 1.0, above(0.0);
        /// Smoothness of the kernel matern: 0.5, 1.5 or 2.5.
        nu: f64 = 1.5, within(0.5, 2.5);
        /// a of the kernel rational_quadratic, where the search starts or as it is.
        scale_mixture: f64 = 1.0, above(0.0);
        /// Regression: variance of the noise, added to the diagonal in training.
        alpha: f64 = 1e-10, above(0.0);
        /// How the parameters of the kernel are found; none takes them as they are.
        optimizer: Option<Optimizer> = Some(Optimizer::Lbfgs);
        /// Further starts of the optimizer, spread over the logarithms of 1e-5 to 1e5; the likeliest end counts.
        n_restarts_optimizer: usize = 0, within(0.0, 1000.0);
        /// Regression: whether the target is standardised inside.
        normalize_y: bool = false;
        /// Classification: Newton steps of Laplace's approximation at most.
        max_iter_predict: usize = 100, within(1.0, 100_000.0);
    }
}

/// A kernel with its parameters.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Form {
    kernel: Likeness,
    length_scale: f64,
    nu: f64,
    mixture: f64,
}

impl Form {
    /// Squared distances become values of the kernel.
    fn of_all(&self, d2: &mut Array2<f64>) {
        let by = 1.0 / (self.length_scale * self.length_scale);
        threads::each(d2.rows_mut(), |mut row| {
            let row = flat_mut(row.view_mut());
            match self.kernel {
                Likeness::Rbf => {
                    row.iter_mut().for_each(|d| *d *= -0.5 * by);
                    exp_all(row);
                }
                Likeness::RationalQuadratic => row.iter_mut().for_each(|d| {
                    *d = (1.0 + *d * by / (2.0 * self.mixture)).powf(-self.mixture);
                }),
                Likeness::Matern => {
                    row.iter_mut()
                        .for_each(|d| *d = -(2.0 * self.nu * *d * by).sqrt());
                    let roots = row.to_vec();
                    exp_all(row);
                    if self.nu != 0.5 {
                        let second = if self.nu == 1.5 { 0.0 } else { 1.0 / 3.0 };
                        for (v, t) in row.iter_mut().zip(roots) {
                            *v *= 1.0 - t + second * t * t;
                        }
                    }
                }
            }
        });
    }

    /// The parameters that are searched, as logarithms, and the same kernel with others.
    fn theta(&self) -> Vec<f64> {
        let mut theta = vec![self.length_scale.ln()];
        if self.kernel == Likeness::RationalQuadratic {
            theta.push(self.mixture.ln());
        }
        theta
    }

    fn with(&self, theta: &[f64]) -> Self {
        Self {
            length_scale: theta.first().map_or(self.length_scale, |t| t.exp()),
            mixture: theta.get(1).map_or(self.mixture, |t| t.exp()),
            ..*self
        }
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    x: Array2<f64>,
    log_likelihood: f64,
    surface: Surface,
}

#[derive(Debug, Serialize, Deserialize)]
enum Surface {
    Values {
        form: Form,
        alpha: f64,
        dual: Vec<f64>,
        mean: f64,
        scale: f64,
        /// Of K + alpha I: kept from the fit, found again after loading.
        #[serde(skip)]
        factor: OnceLock<Cholesky>,
    },
    /// One a label against the rest; one only for two labels.
    Labels {
        classes: Vec<i64>,
        halves: Vec<Half>,
    },
}

/// Laplace's approximation of one label against the rest.
#[derive(Debug, Serialize, Deserialize)]
struct Half {
    form: Form,
    /// y - π at the mode.
    pull: Vec<f64>,
    /// √W there.
    roots: Vec<f64>,
}

const CARD: Card = Card {
    id: "gaussian_process",
    family: "gaussian_process",
    title: "Gaussian process",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "A distribution over smooth surfaces, conditioned on the training rows: it gives a mean and a standard deviation anywhere, and for labels probabilities that go back to one half far from the rows.",
    formula: "ŷ = k*ᵀ (K + alpha I)⁻¹ y, std² = 1 - k*ᵀ (K + alpha I)⁻¹ k*; kernels exp(-d²/(2 l²)), Matérn 1/2, 3/2, 5/2, (1 + d²/(2 a l²))^-a; l and a maximise the marginal likelihood; labels: Laplace's approximation with the logistic link, averaged over the latent normal",
    data: "Columns of like scale; a target around 0 with variance about 1, or normalize_y; at most 20,000 rows.",
    cost: "fit O(n³) a likelihood, some tens of them with the optimizer; predict O(rows · n²)",
    fails_when: "alpha is far below the noise (it then meets every row), rows repeat with alpha nearly 0, or rows are many.",
    not_claimed: "Intervals that hold when the kernel is wrong or the noise is not of one size.",
    source: "C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine Learning (2006), algorithms 2.1, 3.1, 3.2; C. K. I. Williams, D. Barber, Bayesian classification with Gaussian processes (1998)",
    reference: "scikit-learn 1.9.1, GaussianProcessRegressor, GaussianProcessClassifier (one against the rest)",
    outputs: &[
        (
            "predictions_std",
            "regression: standard deviation of the surface at each test row, noise not included, target units",
        ),
        (
            "log_marginal_likelihood",
            "of the training rows; classification: the mean over the labels",
        ),
        (
            "length_scale",
            "l that was used; more than two labels: one a label",
        ),
        (
            "scale_mixture",
            "a that was used; more than two labels: one a label",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, optimizer none",
        cases: "gp-rbf-aapl-small, gp-matern-1.5-aapl-small, gp-matern-2.5-aapl-small, gp-rational-quadratic-aapl-small, gp-classifier-aapl-smallcls",
        tolerance: "predictions and standard deviations 1e-6; probabilities 0.005",
    }],
    presets: &[
        Preset {
            id: "gaussian_process_rbf",
            title: "Gaussian process, kernel rbf",
            set: &[("kernel", "rbf")],
        },
        Preset {
            id: "gaussian_process_matern",
            title: "Gaussian process, kernel matern",
            set: &[("kernel", "matern")],
        },
        Preset {
            id: "gaussian_process_rational_quadratic",
            title: "Gaussian process, kernel rational quadratic",
            set: &[("kernel", "rational_quadratic")],
        },
        Preset {
            id: "gaussian_process_gamma_0_1",
            title: "Gaussian process, rbf with gamma 0.1",
            set: &[("kernel", "rbf"), ("length_scale", "2.23606797749979")],
        },
        Preset {
            id: "gaussian_process_gamma_0_5",
            title: "Gaussian process, rbf with gamma 0.5",
            set: &[("kernel", "rbf"), ("length_scale", "1.0")],
        },
    ],
    exemptions: &[],
};

fn singular() -> FitError {
    FitError::Failed(
        "gaussian_process: the kernel matrix is not positive definite (rows repeat or the length scale is too long): raise alpha, or set another length_scale with optimizer none".into(),
    )
}

impl Supervised for GaussianProcess {
    type Params = GaussianProcessParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(params: &GaussianProcessParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let x = data.x();
        if x.nrows() > MOST_ROWS {
            return Err(FitError::Data(format!(
                "{} rows: gaussian_process takes at most {MOST_ROWS}, since its kernel matrix holds the square of that; take the last of them, or bayesian_ridge, which gives standard deviations too and whose cost grows with the rows alone",
                x.nrows()
            )));
        }
        if ![0.5, 1.5, 2.5].contains(&params.nu) {
            return Err(FitError::Data(format!(
                "nu {}: it must be 0.5, 1.5 or 2.5",
                params.nu
            )));
        }
        let form = Form {
            kernel: params.kernel,
            length_scale: params.length_scale,
            nu: params.nu,
            mixture: params.scale_mixture,
        };
        let mut d2 = row_products(x.view(), x.view());
        distances(x.view(), x.view(), &mut d2);
        if d2.iter().any(|d| !d.is_finite()) {
            return Err(FitError::Failed(
                "gaussian_process: the columns are too large to be squared: rescale them".into(),
            ));
        }
        if data.labels().is_some() {
            return by_labels(params, data, form, &d2);
        }
        let y = data.y();
        let (mut mean, mut scale) = (0.0, 1.0);
        if params.normalize_y {
            let n = y.len() as f64;
            mean = y.iter().sum::<f64>() / n;
            scale = (y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n).sqrt();
            if scale == 0.0 {
                scale = 1.0;
            }
        }
        let y: Vec<f64> = y.iter().map(|y| (y - mean) / scale).collect();
        let solve = |form: &Form| -> Option<(Vec<f64>, f64, Cholesky)> {
            let mut k = d2.clone();
            form.of_all(&mut k);
            k.diag_mut().mapv_inplace(|v| v + params.alpha);
            let factor = Cholesky::new(k)?;
            let mut dual = y.clone();
            factor.solve(&mut dual);
            let n = y.len() as f64;
            let value = -0.5 * (dot(&y, &dual) + factor.log_det() + n * std::f64::consts::TAU.ln());
            value.is_finite().then_some((dual, value, factor))
        };
        let form = search(params, form, |form| solve(form).map(|s| s.1));
        let (dual, log_likelihood, factor) = solve(&form).ok_or_else(singular)?;
        Ok(Fitted {
            x: x.clone(),
            log_likelihood,
            surface: Surface::Values {
                form,
                alpha: params.alpha,
                dual,
                mean,
                scale,
                factor: OnceLock::from(factor),
            },
        })
    }
}

/// Multiples of these, modulo 1, cover the square evenly however many are taken: the powers of 1/g,
/// g³ = g + 1 (Roberts, The unreasonable effectiveness of quasirandom sequences, 2018).
const SPREAD: [f64; 2] = [0.754_877_666_246_692_8, 0.569_840_290_998_053_2];

/// The kernel whose parameters have the largest likelihood, searched from where they stand and from
/// as many other places as are asked for.
fn search(
    params: &GaussianProcessParams,
    form: Form,
    likelihood: impl Fn(&Form) -> Option<f64>,
) -> Form {
    if params.optimizer.is_none() {
        return form;
    }
    let (low, high) = (1e-5_f64.ln(), 1e5_f64.ln());
    // A matrix that is not positive definite is as unlikely as can be.
    let cost = |theta: &[f64]| likelihood(&form.with(theta)).map_or(1e300, |l| -l);
    let slope = |theta: &[f64]| {
        const STEP: f64 = 1e-5;
        let value = cost(theta);
        let gradient = (0..theta.len())
            .map(|i| {
                let (mut up, mut down) = (theta.to_vec(), theta.to_vec());
                up[i] += STEP;
                down[i] -= STEP;
                (cost(&up) - cost(&down)) / (2.0 * STEP)
            })
            .collect();
        (value, gradient)
    };
    let stop = Stop {
        max_iter: 200,
        gradient: 1e-5,
        gain: 1e-10,
    };
    let mut best = (cost(&form.theta()), form);
    for round in 0..=params.n_restarts_optimizer {
        let theta = form.theta();
        let start = theta.iter().enumerate().map(|(i, own)| {
            if round == 0 {
                own.clamp(low, high)
            } else {
                let share = (round as f64 * SPREAD[i % SPREAD.len()]).fract();
                low + share * (high - low)
            }
        });
        let found = minimise(&slope, start.collect(), (low, high), &stop);
        if found.value < best.0 {
            best = (found.value, form.with(&found.at));
        }
    }
    best.1
}

/// The mode of the latent values of a binary problem and what prediction needs of it.
struct Mode {
    pull: Vec<f64>,
    roots: Vec<f64>,
    log_likelihood: f64,
}

/// Newton steps to the mode (Rasmussen & Williams, algorithm 3.1).
fn mode(k: &Array2<f64>, y: &[bool], max_iter: usize) -> Option<Mode> {
    let n = y.len();
    let mut f = vec![0.0; n];
    let mut before = f64::NEG_INFINITY;
    let mut last = None;
    for _ in 0..max_iter {
        let chance: Vec<f64> = f.iter().map(|f| sigmoid(*f)).collect();
        let roots: Vec<f64> = chance.iter().map(|p| (p * (1.0 - p)).sqrt()).collect();
        let pull: Vec<f64> = y
            .iter()
            .zip(&chance)
            .map(|(y, p)| f64::from(u8::from(*y)) - p)
            .collect();
        let factor = curved(k, &roots)?;
        let b: Vec<f64> = (0..n)
            .map(|i| roots[i] * roots[i] * f[i] + pull[i])
            .collect();
        let row = |i: usize| &flat(k.view())[i * n..][..n];
        let mut inner: Vec<f64> = (0..n).map(|i| roots[i] * dot(row(i), &b)).collect();
        factor.solve(&mut inner);
        let a: Vec<f64> = (0..n).map(|i| b[i] - roots[i] * inner[i]).collect();
        f = (0..n).map(|i| dot(row(i), &a)).collect();
        let fit: f64 = f
            .iter()
            .zip(y)
            .map(|(f, y)| softplus(if *y { -f } else { *f }))
            .sum();
        let now = -0.5 * dot(&a, &f) - fit - 0.5 * factor.log_det();
        last = Some(Mode {
            pull,
            roots,
            log_likelihood: now,
        });
        if now - before < 1e-10 {
            break;
        }
        before = now;
    }
    last.filter(|m| m.log_likelihood.is_finite())
}

/// Factor of I + √W K √W.
fn curved(k: &Array2<f64>, roots: &[f64]) -> Option<Cholesky> {
    let mut b = k.clone();
    for ((i, j), v) in b.indexed_iter_mut() {
        *v *= roots[i] * roots[j];
        if i == j {
            *v += 1.0;
        }
    }
    Cholesky::new(b)
}

fn by_labels(
    params: &GaussianProcessParams,
    data: &Training,
    form: Form,
    d2: &Array2<f64>,
) -> Result<Fitted, FitError> {
    let labels = labels(data, CARD.id)?;
    let k = labels.classes.len();
    let ones: Vec<usize> = if k == 2 { vec![1] } else { (0..k).collect() };
    let (mut halves, mut sum) = (Vec::new(), 0.0);
    for one in ones {
        let y: Vec<bool> = labels.codes.iter().map(|c| *c == one).collect();
        let at = |form: &Form| {
            let mut k = d2.clone();
            form.of_all(&mut k);
            mode(&k, &y, params.max_iter_predict)
        };
        let form = search(params, form, |form| at(form).map(|m| m.log_likelihood));
        let found = at(&form).ok_or_else(singular)?;
        sum += found.log_likelihood;
        halves.push(Half {
            form,
            pull: found.pull,
            roots: found.roots,
        });
    }
    Ok(Fitted {
        x: data.x().clone(),
        log_likelihood: sum / halves.len() as f64,
        surface: Surface::Labels {
            classes: labels.classes.clone(),
            halves,
        },
    })
}

/// The logistic function as a sum of error functions (Williams & Barber, 1998, appendix A).
const SLOPES: [f64; 5] = [0.41, 0.4, 0.37, 0.44, 0.39];
const SHARES: [f64; 5] = [
    -1854.8214151,
    3516.89893646,
    221.29346712,
    128.12323805,
    -2010.49422654,
];

/// Mean of the logistic function over a normal distribution.
fn averaged(mean: f64, variance: f64) -> f64 {
    let sum: f64 = SLOPES
        .iter()
        .zip(SHARES)
        .map(|(s, c)| {
            // ∫ erf(s f) N(f; m, v) df = erf(s m/√(1 + 2 s² v)).
            let inner = s * mean / (1.0 + 2.0 * s * s * variance).sqrt();
            0.5 * c * (libm::erf(inner) + 1.0)
        })
        .sum();
    sum.clamp(0.0, 1.0)
}

impl Fitted {
    /// Squared distances of rows to the training rows.
    fn distances(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut d2 = row_products(x, self.x.view());
        distances(x, self.x.view(), &mut d2);
        d2
    }

    /// Training rows among themselves.
    fn own(&self, form: &Form) -> Array2<f64> {
        let mut k = self.distances(self.x.view());
        form.of_all(&mut k);
        k
    }
}

/// 1 - the squared length of each column.
fn variances(half: &Array2<f64>) -> Vec<f64> {
    let columns = half.columns().into_iter();
    columns
        .map(|c| (1.0 - c.iter().map(|v| v * v).sum::<f64>()).max(0.0))
        .collect()
}

/// Test rows that are worked on together.
const BLOCK: usize = 256;

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        match &self.surface {
            Surface::Values {
                form,
                alpha,
                dual,
                mean,
                scale,
                factor,
            } => {
                let factor = match factor.get() {
                    Some(factor) => factor,
                    None => {
                        let mut k = self.own(form);
                        k.diag_mut().mapv_inplace(|v| v + alpha);
                        let found = Cholesky::new(k).ok_or_else(singular)?;
                        factor.get_or_init(|| found)
                    }
                };
                let blocks: Vec<_> = x.axis_chunks_iter(Axis(0), BLOCK).collect();
                let done = threads::map(blocks.len(), |b| {
                    let mut k = self.distances(blocks[b]);
                    form.of_all(&mut k);
                    let rows = k.rows().into_iter();
                    let values: Vec<f64> =
                        rows.map(|r| mean + scale * dot(flat(r), dual)).collect();
                    let half = factor.forward_all(k.t().as_standard_layout().into_owned());
                    let std = variances(&half).into_iter().map(|v| scale * v.sqrt());
                    (values, std.collect::<Vec<f64>>())
                });
                let (mut values, mut std) = (Vec::new(), Vec::new());
                for (v, s) in done {
                    values.extend(v);
                    std.extend(s);
                }
                Ok(Prediction {
                    std: Some(std),
                    ..Prediction::values(values)
                })
            }
            Surface::Labels { classes, halves } => {
                let mut p = Array2::zeros((x.nrows(), classes.len()));
                for (c, half) in halves.iter().enumerate() {
                    let factor = curved(&self.own(&half.form), &half.roots).ok_or_else(singular)?;
                    for (b, rows) in x.axis_chunks_iter(Axis(0), BLOCK).enumerate() {
                        let mut k = self.distances(rows);
                        half.form.of_all(&mut k);
                        let means: Vec<f64> = k
                            .rows()
                            .into_iter()
                            .map(|r| dot(flat(r), &half.pull))
                            .collect();
                        for mut row in k.rows_mut() {
                            for (v, root) in row.iter_mut().zip(&half.roots) {
                                *v *= root;
                            }
                        }
                        let inner = factor.forward_all(k.t().as_standard_layout().into_owned());
                        for (i, (m, v)) in means.iter().zip(variances(&inner)).enumerate() {
                            p[[b * BLOCK + i, c]] = averaged(*m, v);
                        }
                    }
                }
                for mut row in p.rows_mut() {
                    if halves.len() == 1 {
                        row[1] = row[0];
                        row[0] = 1.0 - row[1];
                    } else {
                        let sum = row.sum();
                        row /= if sum > 0.0 { sum } else { 1.0 };
                    }
                }
                Ok(Prediction::probabilities(p, classes.clone()))
            }
        }
    }

    fn outputs(&self) -> Outputs {
        let forms: Vec<&Form> = match &self.surface {
            Surface::Values { form, .. } => vec![form],
            Surface::Labels { halves, .. } => halves.iter().map(|h| &h.form).collect(),
        };
        let each = |of: fn(&Form) -> f64| -> Value {
            match &forms[..] {
                [one] => of(one).into(),
                all => run::numbers(&all.iter().map(|f| of(f)).collect::<Vec<f64>>()),
            }
        };
        Outputs::from_iter([
            (
                "log_marginal_likelihood".to_owned(),
                self.log_likelihood.into(),
            ),
            ("length_scale".to_owned(), each(|f| f.length_scale)),
            ("scale_mixture".to_owned(), each(|f| f.mixture)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::Params as _;

    #[test]
    fn one_row_by_hand() {
        // k = exp(-1/2) at distance 1: mean k y/(1 + alpha), variance 1 - k²/(1 + alpha).
        let given = serde_json::json!({"alpha": 0.25, "optimizer": "none"});
        let params = GaussianProcessParams::from_map(given.as_object().unwrap()).unwrap();
        let fitted = GaussianProcess::fit(&params, &table(&[&[0.0]], &[2.0]), 0).unwrap();
        let p = fitted.predict(ndarray::array![[1.0]].view()).unwrap();
        let k = (-0.5_f64).exp();
        assert_near(&p.values, &[k * 2.0 / 1.25], 1e-14);
        assert_near(&p.std.unwrap(), &[(1.0 - k * k / 1.25).sqrt()], 1e-14);
    }

    #[test]
    fn the_average_of_the_logistic_function() {
        // Without variance the function itself, within the approximation; at 0 one half.
        assert_near(&[averaged(0.0, 3.0)], &[0.5], 1e-4);
        assert_near(&[averaged(1.5, 1e-12)], &[sigmoid(1.5)], 1e-3);
    }

    #[test]
    fn further_starts_find_the_higher_top() {
        // scikit-learn 1.9.1, GaussianProcessRegressor(RBF(start), alpha=0.01, n_restarts_optimizer=8,
        // random_state=0): log_marginal_likelihood_value_ and the length scale. Without restarts it ends
        // at -25.3237 from 30 and at -87.7004 from 1.
        for (k, start, likelihood, scale) in [
            (3.0, 30.0, -7.927074668954578, 1.4305800538058087),
            (1.0, 1.0, -22.12531339450972, 0.36362710639865836),
        ] {
            let rows: Vec<[f64; 1]> = (0..20).map(|i| [0.5 * f64::from(i)]).collect();
            let some: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
            let y: Vec<f64> = (0..20)
                .map(|i| {
                    let t = f64::from(i);
                    (t * 0.5 * k / 3.0).sin() + 0.5 * (f64::from(i * 7 % 5) + k * t).sin()
                })
                .collect();
            let given = serde_json::json!({"alpha": 0.01, "length_scale": start, "n_restarts_optimizer": 8});
            let params = GaussianProcessParams::from_map(given.as_object().unwrap()).unwrap();
            let fitted = GaussianProcess::fit(&params, &table(&some, &y), 0).unwrap();
            let outputs = fitted.outputs();
            let number = |name: &str| outputs[name].as_f64().unwrap();
            assert_near(&[number("log_marginal_likelihood")], &[likelihood], 1e-6);
            assert_near(&[number("length_scale")], &[scale], 1e-3);
        }
    }
}
