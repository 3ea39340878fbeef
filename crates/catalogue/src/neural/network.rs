//! A layered network: forward, backward, and the steps that train it, as scikit-learn's
//! `BaseMultilayerPerceptron` takes them.

use crate::numeric::{flat_mut, row_products, sigmoid, softmax, softplus};
use mltrainer_catalogue_core::choices;
use ndarray::{Array2, ArrayView2, Axis};
use rand::Rng;
use serde::{Deserialize, Serialize};

choices! {
    /// What a hidden unit makes of its sum.
    #[derive(Serialize, Deserialize)]
    pub enum Activation {
        /// max(0, t).
        Relu = "relu",
        /// tanh t.
        Tanh = "tanh",
        /// 1/(1 + e⁻ᵗ).
        Logistic = "logistic",
        /// t.
        Identity = "identity",
    }
}

impl Activation {
    fn of(self, t: f64) -> f64 {
        match self {
            Self::Relu => t.max(0.0),
            Self::Tanh => t.tanh(),
            Self::Logistic => sigmoid(t),
            Self::Identity => t,
        }
    }

    /// Its slope where it has value a.
    fn slope(self, a: f64) -> f64 {
        match self {
            Self::Relu => f64::from(u8::from(a > 0.0)),
            Self::Tanh => 1.0 - a * a,
            Self::Logistic => a * (1.0 - a),
            Self::Identity => 1.0,
        }
    }
}

/// What the last layer says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Output {
    /// A value; half the squared error.
    Value,
    /// A value above 0, the exponential of the last sum; half the Poisson deviance.
    Count,
    /// The probability of the larger of two labels; log loss.
    Chance,
    /// Probabilities of labels; log loss.
    Chances,
}

/// Weights (inputs x outputs) and biases of each layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Network {
    pub(crate) weights: Vec<Array2<f64>>,
    pub(crate) biases: Vec<Vec<f64>>,
    pub(crate) activation: Activation,
    pub(crate) output: Output,
}

/// Rows whose layers are held at once when answers are asked for.
const ROWS_AT_ONCE: usize = 1_024;

impl Network {
    /// Random weights (Glorot & Bengio, 2010).
    pub(crate) fn new(
        sizes: &[usize],
        activation: Activation,
        output: Output,
        random: &mut impl Rng,
    ) -> Self {
        let factor = if activation == Activation::Logistic {
            2.0
        } else {
            6.0
        };
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for pair in sizes.windows(2) {
            let bound = (factor / (pair[0] + pair[1]) as f64).sqrt();
            let mut draw = || random.gen_range(-bound..=bound);
            weights.push(Array2::from_shape_simple_fn((pair[0], pair[1]), &mut draw));
            biases.push((0..pair[1]).map(|_| draw()).collect());
        }
        Self {
            weights,
            biases,
            activation,
            output,
        }
    }

    fn finish(&self, last: &mut Array2<f64>) {
        match self.output {
            Output::Value => {}
            Output::Count => last.mapv_inplace(f64::exp),
            Output::Chance => last.mapv_inplace(sigmoid),
            Output::Chances => {
                for mut row in last.rows_mut() {
                    softmax(flat_mut(row.view_mut()));
                }
            }
        }
    }

    /// What it says of each row; the same bits whatever the row's neighbours.
    pub(crate) fn answer(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let width = self.biases.last().map_or(0, Vec::len);
        let mut out = Array2::zeros((x.nrows(), width));
        let blocks = x.axis_chunks_iter(Axis(0), ROWS_AT_ONCE);
        for (rows, mut to) in blocks.zip(out.axis_chunks_iter_mut(Axis(0), ROWS_AT_ONCE)) {
            to.assign(&self.last_layer(rows));
        }
        self.finish(&mut out);
        out
    }

    /// The last layer of each row, before it is made an answer.
    fn last_layer(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut a = x.to_owned();
        for (i, (w, b)) in self.weights.iter().zip(&self.biases).enumerate() {
            a = row_products(a.view(), w.t());
            let hidden = i + 1 < self.weights.len();
            for mut row in a.rows_mut() {
                for (v, b) in row.iter_mut().zip(b) {
                    *v += b;
                    if hidden {
                        *v = self.activation.of(*v);
                    }
                }
            }
        }
        a
    }

    /// Loss of a batch with its penalty, and the gradient by weights and biases. For `Chances` the
    /// targets are 0 and 1, one column a label. A row counts by its weight, and as 1 without.
    pub(crate) fn gradient(
        &self,
        x: &Array2<f64>,
        y: &Array2<f64>,
        row_weights: Option<&[f64]>,
        alpha: f64,
    ) -> (f64, Vec<Array2<f64>>, Vec<Vec<f64>>) {
        let count = |i: usize| row_weights.map_or(1.0, |w| w[i]);
        let n: f64 = row_weights.map_or(x.nrows() as f64, |w| w.iter().sum());
        if n <= 0.0 {
            // Rows that count for nothing move nothing.
            let zeros = |w: &Array2<f64>| Array2::zeros(w.dim());
            let biases = self.biases.iter().map(|b| vec![0.0; b.len()]);
            return (
                0.0,
                self.weights.iter().map(zeros).collect(),
                biases.collect(),
            );
        }
        let mut layers = vec![x.clone()];
        for (i, (w, b)) in self.weights.iter().zip(&self.biases).enumerate() {
            let mut a = layers[i].dot(w);
            let hidden = i + 1 < self.weights.len();
            for mut row in a.rows_mut() {
                for (v, b) in row.iter_mut().zip(b) {
                    *v += b;
                    if hidden {
                        *v = self.activation.of(*v);
                    }
                }
            }
            layers.push(a);
        }
        let mut last = layers.pop().unwrap_or_default();
        // From the sums before the link, where logarithms do not underflow.
        let mut loss: f64 = last
            .rows()
            .into_iter()
            .zip(y.rows())
            .enumerate()
            .map(|(i, (t, y))| {
                let loss = match self.output {
                    Output::Value => 0.5 * (t[0] - y[0]).powi(2),
                    Output::Count => {
                        let own = if y[0] > 0.0 { y[0] * y[0].ln() } else { 0.0 };
                        own - y[0] * t[0] - y[0] + t[0].exp()
                    }
                    Output::Chance => softplus(t[0]) - y[0] * t[0],
                    Output::Chances => {
                        let own: f64 = t.iter().zip(y).map(|(t, y)| t * y).sum();
                        softmax(&mut t.to_vec()) - own
                    }
                };
                count(i) * loss
            })
            .sum::<f64>()
            / n;
        self.finish(&mut last);
        let squares: f64 = self.weights.iter().flatten().map(|w| w * w).sum();
        loss += 0.5 * alpha * squares / n;
        let mut delta = last - y;
        if row_weights.is_some() {
            for (i, mut row) in delta.rows_mut().into_iter().enumerate() {
                row *= count(i);
            }
        }
        let mut by_weights = Vec::with_capacity(self.weights.len());
        let mut by_biases = Vec::with_capacity(self.weights.len());
        for (i, w) in self.weights.iter().enumerate().rev() {
            let mut g = layers[i].t().dot(&delta);
            g.scaled_add(alpha, w);
            g /= n;
            by_weights.push(g);
            by_biases.push((delta.sum_axis(Axis(0)) / n).to_vec());
            if i > 0 {
                delta = delta.dot(&w.t());
                for (d, a) in delta.iter_mut().zip(&layers[i]) {
                    *d *= self.activation.slope(*a);
                }
            }
        }
        by_weights.reverse();
        by_biases.reverse();
        (loss, by_weights, by_biases)
    }

    /// All numbers in a row, weights of a layer before its biases.
    pub(crate) fn flat(&self) -> Vec<f64> {
        joined(&self.weights, &self.biases)
    }

    /// The same network with other numbers.
    pub(crate) fn set(&mut self, flat: &[f64]) {
        let mut from = flat.iter();
        for (w, b) in self.weights.iter_mut().zip(&mut self.biases) {
            for (to, v) in w.iter_mut().chain(b).zip(&mut from) {
                *to = *v;
            }
        }
    }
}

/// Weights and biases of all layers in a row.
pub(crate) fn joined(weights: &[Array2<f64>], biases: &[Vec<f64>]) -> Vec<f64> {
    let layers = weights.iter().zip(biases);
    layers
        .flat_map(|(w, b)| w.iter().chain(b))
        .copied()
        .collect()
}

/// Running means of gradients and of their squares (Kingma & Ba, Adam, 2015).
pub(crate) struct Adam {
    pub(crate) rate: f64,
    pub(crate) beta_1: f64,
    pub(crate) beta_2: f64,
    pub(crate) epsilon: f64,
    t: i32,
    means: Vec<f64>,
    squares: Vec<f64>,
}

impl Adam {
    pub(crate) fn new(rate: f64, beta_1: f64, beta_2: f64, epsilon: f64, count: usize) -> Self {
        Self {
            rate,
            beta_1,
            beta_2,
            epsilon,
            t: 0,
            means: vec![0.0; count],
            squares: vec![0.0; count],
        }
    }

    /// One step down a gradient.
    pub(crate) fn step(&mut self, theta: &mut [f64], gradient: &[f64]) {
        self.t = self.t.saturating_add(1);
        let rate =
            self.rate * (1.0 - self.beta_2.powi(self.t)).sqrt() / (1.0 - self.beta_1.powi(self.t));
        let (b1, b2) = (self.beta_1, self.beta_2);
        let moments = self.means.iter_mut().zip(&mut self.squares);
        for ((to, g), (m, v)) in theta.iter_mut().zip(gradient).zip(moments) {
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            *to -= rate * *m / (v.sqrt() + self.epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let x = Array2::from_shape_fn((7, 3), |(i, j)| ((i * 3 + j) as f64).sin());
        for (output, outs) in [
            (Output::Value, 1),
            (Output::Count, 1),
            (Output::Chance, 1),
            (Output::Chances, 3),
        ] {
            for activation in [Activation::Tanh, Activation::Logistic, Activation::Relu] {
                let net = Network::new(&[3, 4, 2, outs], activation, output, &mut random);
                let y = Array2::from_shape_fn((7, outs), |(i, k)| {
                    f64::from(u8::from(if outs == 1 { i % 2 == 0 } else { i % 3 == k }))
                });
                let weights = [1.0, 2.0, 0.0, 0.5, 1.0, 3.0, 1.0];
                let (_, w, b) = net.gradient(&x, &y, Some(&weights), 0.3);
                let slope = joined(&w, &b);
                let theta = net.flat();
                for i in 0..theta.len() {
                    let at = |h: f64| {
                        let (mut other, mut moved) = (net.clone(), theta.clone());
                        moved[i] += h;
                        other.set(&moved);
                        // The penalty leaves biases out, so that the loss alone tells.
                        other.gradient(&x, &y, Some(&weights), 0.3).0
                    };
                    let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
                    assert!((numeric - slope[i]).abs() < 1e-7, "{output:?} {i}");
                }
            }
        }
    }
}
