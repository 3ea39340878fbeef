//! Deep residual perceptron.
//!
//! What: very many layers, each of which adds a small correction to what it is given, so that a
//! hundred of them can still be trained.
//! Formula: h₀ = z A + a; hᵢ₊₁ = hᵢ + max(0, hᵢ Wᵢ + bᵢ)/√layers; output h c + d; z standardised columns.
//! Data: many rows; columns and target are standardised inside.
//! Cost: fit O(passes · n · layers · width²), predict O(rows · layers · width²).
//! Fails when: rows are few; the signal is linear: least squares is then as good and quicker.
//! Source: He, Zhang, Ren & Sun (2016); Hardt & Ma (2017).
//! Not claimed: that depth helps on every table: compare with layers = 1.

use super::network::{Adam, joined};
use crate::labels::labels;
use crate::numeric::{flat_mut, normal, row_products, softmax};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2, Axis};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct DeepMlp;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<DeepMlp>();

params! {
    /// Parameters of a deep residual perceptron.
    pub struct DeepMlpParams {
        /// Number of residual layers.
        layers: usize = 10, within(1.0, 1_000.0);
        /// Units of each layer.
        width: usize = 16, within(1.0, 1_000.0);
        /// Strength of the penalty on squared weights.
        alpha: f64 = 10.0, at_least(0.0);
        /// Rows a step sees.
        batch_size: usize = 64, at_least(1.0);
        /// Length of the first steps.
        learning_rate_init: f64 = 1e-3, above(0.0);
        /// Passes over the rows at most; `converged` says whether they were enough.
        max_iter: usize = 100, within(1.0, 100_000.0);
        /// Share of the training rows, the last ones, on which the loss decides when to stop and which weights are kept.
        validation_fraction: f64 = 0.15, inside(0.0, 1.0);
        /// Passes without a lower loss there after which it ends.
        n_iter_no_change: usize = 15, at_least(1.0);
        /// Seed of weights and shuffles; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Weights (inputs x outputs) and biases: the way in, the residual layers, the way out.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Layers {
    weights: Vec<Array2<f64>>,
    biases: Vec<Vec<f64>>,
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    layers: Layers,
    means: Vec<f64>,
    scales: Vec<f64>,
    y_mean: f64,
    y_scale: f64,
    /// Empty for a regression.
    classes: Vec<i64>,
    loss: f64,
    n_iter: usize,
    converged: bool,
}

const CARD: Card = Card {
    id: "deep_mlp",
    family: "neural",
    title: "Deep residual perceptron",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "A perceptron of very many layers, each of which adds a small correction to what it is given; that keeps gradients alive through a hundred of them. The last training rows decide when to stop.",
    formula: "h₀ = z A + a, hᵢ₊₁ = hᵢ + max(0, hᵢ Wᵢ + bᵢ)/√layers, output h c + d (softmax for labels); z columns in standard deviations from their means; loss = mean squared error / 2 (target standardised) or log loss, + alpha |W|²/(2 n), by Adam",
    data: "Many rows in the order of time; columns and target are standardised inside.",
    cost: "fit O(passes · n · layers · width²), predict O(rows · layers · width²)",
    fails_when: "Rows are few, or the signal is linear: least squares is then as good and far quicker.",
    not_claimed: "That depth helps on every table: compare with layers = 1.",
    source: "K. He, X. Zhang, S. Ren, J. Sun, Deep residual learning for image recognition, CVPR (2016); M. Hardt, T. Ma, Identity matters in deep learning, ICLR (2017)",
    reference: "own rule, stated in the formula",
    outputs: &[
        ("loss", "loss on the rows that decided when to stop"),
        ("n_weights", "number of weights and biases"),
        ("n_iter", "passes made"),
        ("converged", "whether it ended before max_iter"),
    ],
    stochastic: true,
    evidence: &[
        Evidence {
            against: "the gradient by differences",
            cases: "unit test the_gradient_is_that_of_the_loss",
            tolerance: "1e-6",
        },
        Evidence {
            against: "its own form with one layer, the same split, 4 seeds",
            cases: "spx_std: rmse 0.480 with 50 layers and 0.478 with 100, 0.485 with one; aapl_std: 0.437 and 0.440 against 0.436",
            tolerance: "mean of the seeds; better on spx_std, no better on aapl_std",
        },
    ],
    presets: &[
        Preset {
            id: "deep_mlp_50",
            title: "Deep residual perceptron, 50 layers",
            set: &[("layers", "50")],
        },
        Preset {
            id: "deep_mlp_100",
            title: "Deep residual perceptron, 100 layers",
            set: &[("layers", "100")],
        },
    ],
    exemptions: &[],
};

impl Layers {
    fn new(
        p: usize,
        width: usize,
        layers: usize,
        out: usize,
        random: &mut Xoshiro256PlusPlus,
    ) -> Self {
        let mut draw = |rows: usize, columns: usize, size: f64| {
            Array2::from_shape_simple_fn((rows, columns), || size * normal(random))
        };
        let mut weights = vec![draw(p, width, (1.0 / p as f64).sqrt())];
        for _ in 0..layers {
            weights.push(draw(width, width, (1.0 / width as f64).sqrt()));
        }
        // It starts by saying nothing.
        weights.push(Array2::zeros((width, out)));
        let mut biases = vec![vec![0.0; width]; layers + 1];
        biases.push(vec![0.0; out]);
        Self { weights, biases }
    }

    fn shrink(&self) -> f64 {
        1.0 / ((self.weights.len() - 2).max(1) as f64).sqrt()
    }

    fn set(&mut self, flat: &[f64]) {
        let mut from = flat.iter();
        for (w, b) in self.weights.iter_mut().zip(&mut self.biases) {
            for (to, v) in w.iter_mut().chain(b).zip(&mut from) {
                *to = *v;
            }
        }
    }

    /// Sums before the link; the same bits whatever a row's neighbours.
    fn answer(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let last = self.weights.len() - 1;
        let shrink = self.shrink();
        let mut h = x.to_owned();
        for (i, (w, b)) in self.weights.iter().zip(&self.biases).enumerate() {
            let mut sum = row_products(h.view(), w.t());
            for mut row in sum.rows_mut() {
                for (v, b) in row.iter_mut().zip(b) {
                    *v += b;
                    if i > 0 && i < last {
                        *v = shrink * v.max(0.0);
                    }
                }
            }
            h = if i > 0 && i < last { h + sum } else { sum };
        }
        h
    }

    /// Gradient of the mean loss of a batch, targets rows x outputs, with the penalty alpha/2 |W|².
    fn gradient(&self, x: &Array2<f64>, y: &Array2<f64>, labels: bool, alpha: f64) -> Vec<f64> {
        let last = self.weights.len() - 1;
        let shrink = self.shrink();
        let n = x.nrows() as f64;
        let with = |h: &Array2<f64>, i: usize| {
            let mut sum = h.dot(&self.weights[i]);
            for mut row in sum.rows_mut() {
                for (v, b) in row.iter_mut().zip(&self.biases[i]) {
                    *v += b;
                }
            }
            sum
        };
        let mut inputs = vec![x.clone()];
        let mut h = with(x, 0);
        let mut sums = Vec::with_capacity(last);
        for i in 1..last {
            let sum = with(&h, i);
            let mut next = h.clone();
            for (to, s) in next.iter_mut().zip(&sum) {
                *to += shrink * s.max(0.0);
            }
            inputs.push(std::mem::replace(&mut h, next));
            sums.push(sum);
        }
        let mut out = with(&h, last);
        inputs.push(h);
        if labels {
            for mut row in out.rows_mut() {
                softmax(flat_mut(row.view_mut()));
            }
        }
        let mut delta = (out - y) / n;
        let mut by_weights: Vec<Array2<f64>> = Vec::with_capacity(last + 1);
        let mut by_biases: Vec<Vec<f64>> = Vec::with_capacity(last + 1);
        for i in (0..=last).rev() {
            let residual = i > 0 && i < last;
            let own = if residual {
                let mut d = delta.clone();
                for (d, s) in d.iter_mut().zip(&sums[i - 1]) {
                    *d *= if *s > 0.0 { shrink } else { 0.0 };
                }
                d
            } else {
                delta.clone()
            };
            let mut g = inputs[i].t().dot(&own);
            g.scaled_add(alpha, &self.weights[i]);
            by_weights.push(g);
            by_biases.push(own.sum_axis(Axis(0)).to_vec());
            if i > 0 {
                let back = own.dot(&self.weights[i].t());
                delta = if residual { delta + back } else { back };
            }
        }
        by_weights.reverse();
        by_biases.reverse();
        joined(&by_weights, &by_biases)
    }

    /// Mean loss without the penalty.
    fn loss(&self, x: ArrayView2<'_, f64>, y: &Array2<f64>, labels: bool) -> f64 {
        let out = self.answer(x);
        let each = out.rows().into_iter().zip(y.rows()).map(|(t, y)| {
            if labels {
                let own: f64 = t.iter().zip(y).map(|(t, y)| t * y).sum();
                softmax(&mut t.to_vec()) - own
            } else {
                0.5 * (t[0] - y[0]).powi(2)
            }
        });
        each.sum::<f64>() / y.nrows() as f64
    }
}

/// Mean and standard deviation; 1 for what does not vary.
fn spread<'a>(values: impl Iterator<Item = &'a f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let s = (values.map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, if s > 1e-12 * mean.abs() { s } else { 1.0 })
}

impl Supervised for DeepMlp {
    type Params = DeepMlpParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(params: &DeepMlpParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let (n, p) = data.x().dim();
        let held = (params.validation_fraction * n as f64).ceil() as usize;
        if held >= n {
            return Err(FitError::Data(format!(
                "{n} rows with validation_fraction {}: none is left to learn from",
                params.validation_fraction
            )));
        }
        let (means, scales): (Vec<f64>, Vec<f64>) = data
            .x()
            .columns()
            .into_iter()
            .map(|c| spread(c.to_vec().iter()))
            .unzip();
        let (mut y_mean, mut y_scale) = (0.0, 1.0);
        let mut classes = Vec::new();
        let y = if data.labels().is_some() {
            let labels = labels(data, CARD.id)?;
            classes.clone_from(&labels.classes);
            Array2::from_shape_fn((n, classes.len()), |(i, k)| {
                f64::from(u8::from(labels.codes[i] == k))
            })
        } else {
            (y_mean, y_scale) = spread(data.y().iter());
            Array2::from_shape_fn((n, 1), |(i, _)| (data.y()[i] - y_mean) / y_scale)
        };
        let mut random = Xoshiro256PlusPlus::seed_from_u64(effective_seed(params.seed, seed));
        let layers = Layers::new(p, params.width, params.layers, y.ncols(), &mut random);
        let mut fitted = Fitted {
            layers,
            means,
            scales,
            y_mean,
            y_scale,
            classes,
            loss: f64::INFINITY,
            n_iter: 0,
            converged: false,
        };
        let x = fitted.standardised(data.x().view());
        if x.iter().chain(&y).any(|v| !v.is_finite()) {
            return Err(FitError::Failed(
                "deep_mlp: a column or the target is too large to be standardised: rescale it"
                    .into(),
            ));
        }
        let by_label = !fitted.classes.is_empty();
        let tail: Vec<usize> = (n - held..n).collect();
        let (x_held, y_held) = (x.select(Axis(0), &tail), y.select(Axis(0), &tail));
        let mut rows: Vec<usize> = (0..n - held).collect();
        let alpha = params.alpha / n as f64;
        let mut theta = joined(&fitted.layers.weights, &fitted.layers.biases);
        let mut adam = Adam::new(params.learning_rate_init, 0.9, 0.999, 1e-8, theta.len());
        let (mut kept, mut idle) = (theta.clone(), 0);
        while fitted.n_iter < params.max_iter {
            fitted.n_iter += 1;
            rows.shuffle(&mut random);
            for batch in rows.chunks(params.batch_size) {
                let (x, y) = (x.select(Axis(0), batch), y.select(Axis(0), batch));
                adam.step(&mut theta, &fitted.layers.gradient(&x, &y, by_label, alpha));
                fitted.layers.set(&theta);
            }
            let loss = fitted.layers.loss(x_held.view(), &y_held, by_label);
            if loss < fitted.loss {
                fitted.loss = loss;
                kept.clone_from(&theta);
                idle = 0;
            } else {
                idle += 1;
                if idle >= params.n_iter_no_change {
                    fitted.converged = true;
                    break;
                }
            }
        }
        if !fitted.loss.is_finite() {
            return Err(FitError::Failed(
                "deep_mlp: the weights left the finite numbers: lower learning_rate_init".into(),
            ));
        }
        fitted.layers.set(&kept);
        Ok(fitted)
    }
}

impl Fitted {
    fn standardised(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        Array2::from_shape_fn(x.dim(), |(i, j)| {
            (x[[i, j]] - self.means[j]) / self.scales[j]
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let mut out = self.layers.answer(self.standardised(x).view());
        if self.classes.is_empty() {
            let values = out.iter().map(|v| self.y_mean + self.y_scale * v);
            return Ok(Prediction::values(values.collect()));
        }
        for mut row in out.rows_mut() {
            softmax(flat_mut(row.view_mut()));
        }
        Ok(Prediction::probabilities(out, self.classes.clone()))
    }

    fn outputs(&self) -> Outputs {
        let weights: usize = self.layers.weights.iter().map(Array2::len).sum();
        let biases: usize = self.layers.biases.iter().map(Vec::len).sum();
        Outputs::from_iter([
            ("loss".to_owned(), self.loss.into()),
            ("n_weights".to_owned(), (weights + biases).into()),
            ("n_iter".to_owned(), self.n_iter.into()),
            ("converged".to_owned(), self.converged.into()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let x = Array2::from_shape_fn((6, 3), |(i, j)| ((i * 3 + j) as f64).sin());
        for (labels, out) in [(false, 1), (true, 3)] {
            let mut net = Layers::new(3, 4, 5, out, &mut random);
            let mut theta = joined(&net.weights, &net.biases);
            theta
                .iter_mut()
                .for_each(|t| *t += 0.3 * normal(&mut random));
            net.set(&theta);
            let y = Array2::from_shape_fn((6, out), |(i, k)| f64::from(u8::from(i % 3 == k)));
            let slope = net.gradient(&x, &y, labels, 0.0);
            for i in 0..theta.len() {
                let mut at = |h: f64| {
                    let mut moved = theta.clone();
                    moved[i] += h;
                    net.set(&moved);
                    net.loss(x.view(), &y, labels)
                };
                let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!((numeric - slope[i]).abs() < 1e-6, "{labels} {i}");
            }
        }
    }
}
