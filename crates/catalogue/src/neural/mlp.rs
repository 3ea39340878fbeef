//! Multi-layer perceptron.
//!
//! What: layers of simple units, trained by gradients.
//! Formula: aᵢ₊₁ = g(aᵢ Wᵢ + bᵢ), the last layer without g (identity, sigmoid or softmax).
//! Data: standardised columns, a target of size about 1, many rows.
//! Cost: fit O(passes · n · weights), predict O(rows · weights).
//! Fails when: columns are not standardised; rows are few beside the weights.
//! Source: Rumelhart, Hinton & Williams (1986); Kingma & Ba (2015); Glorot & Bengio (2010).
//! Not claimed: the best weights: another seed gives others.

use super::network::{Activation, Adam, Network, Output, joined};
use crate::labels::labels;
use crate::optimize::{LbfgsLimits, lbfgs};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::params::{Sizes, WordOr};
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, choices,
    params, run, score,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2, Axis};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct Mlp;

/// The registration.
// power_t matters beside sgd and invscaling only.
pub const ENTRY: Entry = Entry::supervised::<Mlp>().tested_with(&[("learning_rate", "invscaling")]);

choices! {
    /// How weights are trained.
    pub enum Solver {
        /// Steps by running means of gradients and their squares.
        Adam = "adam",
        /// Steps along the gradient with momentum.
        Sgd = "sgd",
        /// Quasi-Newton steps on all rows at once.
        Lbfgs = "lbfgs",
    }
}

choices! {
    /// How the steps of sgd shorten.
    pub enum Schedule {
        /// Not at all.
        Constant = "constant",
        /// As one over the root of the rows seen.
        InverseScaling = "invscaling",
        /// By 5 whenever passes stop helping.
        Adaptive = "adaptive",
    }
}

choices! {
    /// How many rows a step sees.
    pub enum Batch {
        /// 200, or all if there are fewer.
        Auto = "auto",
    }
}

choices! {
    /// What a regression minimises.
    pub enum Loss {
        /// Half the squared error.
        SquaredError = "squared_error",
        /// Half the Poisson deviance with log link, targets at least 0.
        Poisson = "poisson",
    }
}

params! {
    /// Parameters of a multi-layer perceptron.
    pub struct MlpParams {
        /// What a regression minimises.
        loss: Loss = Loss::SquaredError;
        /// Passes over the rows at most; `converged` says whether they were enough.
        max_iter: usize = 200, within(1.0, 1_000_000.0);
        /// It ends when the loss (early_stopping: the score) does not gain this for n_iter_no_change passes.
        tol: f64 = 1e-4, at_least(0.0);
        /// Whether it ends by the score on rows held out, with the weights that scored best.
        early_stopping: bool = false;
        /// Units of each hidden layer, joined with commas.
        hidden_layer_sizes: Sizes = Sizes(vec![100]);
        /// What a hidden unit makes of its sum.
        activation: Activation = Activation::Relu;
        /// How weights are trained.
        solver: Solver = Solver::Adam;
        /// Strength of the penalty on squared weights.
        alpha: f64 = 1e-4, at_least(0.0);
        /// Rows a step sees: auto is 200, or all if there are fewer.
        batch_size: WordOr<Batch> = WordOr::Word(Batch::Auto), at_least(1.0);
        /// How the steps of sgd shorten.
        learning_rate: Schedule = Schedule::Constant;
        /// Length of the first steps of adam and sgd.
        learning_rate_init: f64 = 1e-3, above(0.0);
        /// invscaling: the length of a step is learning_rate_init over the rows seen to this power.
        power_t: f64 = 0.5, at_least(0.0);
        /// Whether rows are shuffled before each pass.
        shuffle: bool = true;
        /// Share of the last step of sgd that is kept.
        momentum: f64 = 0.9, within(0.0, 1.0);
        /// Whether sgd looks ahead along its momentum.
        nesterovs_momentum: bool = true;
        /// Share of rows held out with early_stopping.
        validation_fraction: f64 = 0.1, inside(0.0, 1.0);
        /// Share of the mean of gradients that adam keeps.
        beta_1: f64 = 0.9, within(0.0, 0.999_999);
        /// Share of the mean of squared gradients that adam keeps.
        beta_2: f64 = 0.999, within(0.0, 0.999_999_9);
        /// Keeps the steps of adam finite.
        epsilon: f64 = 1e-8, above(0.0);
        /// Passes without gain after which it ends.
        n_iter_no_change: usize = 10, at_least(1.0);
        /// lbfgs: evaluations of the loss after which no further step is begun.
        max_fun: usize = 15_000, at_least(1.0);
        /// Seed of weights and shuffles; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    network: Network,
    /// Empty for a regression.
    classes: Vec<i64>,
    loss: f64,
    n_iter: usize,
    converged: bool,
}

const CARD: Card = Card {
    id: "mlp",
    family: "neural",
    title: "Multi-layer perceptron",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "Layers of units, each a bent weighted sum of the layer before, trained by gradients on batches of rows.",
    formula: "aᵢ₊₁ = g(aᵢ Wᵢ + bᵢ), output identity (poisson: exponential), sigmoid or softmax; loss = mean squared error / 2 or log loss, + alpha |W|²/(2 batch); adam: w -= rate · m̂/(√v̂ + epsilon)",
    data: "Standardised columns; a target of size about 1; many more rows than weights.",
    cost: "fit O(passes · n · weights), predict O(rows · weights)",
    fails_when: "Columns are not standardised, or rows are few beside the weights (it learns them by heart: raise alpha or stop early).",
    not_claimed: "The best weights: another seed gives others, and `converged` may be false.",
    source: "D. E. Rumelhart, G. E. Hinton, R. J. Williams, Learning representations by back-propagating errors, Nature 323 (1986); D. P. Kingma, J. Ba, Adam (2015); X. Glorot, Y. Bengio (2010)",
    reference: "scikit-learn 1.9.1, MLPRegressor and MLPClassifier",
    outputs: &[
        (
            "coefficients",
            "weights of each layer: one row an input, one entry a unit",
        ),
        ("intercepts", "biases of each layer, one a unit"),
        ("loss", "loss of the last pass, penalty included"),
        ("n_iter", "passes made"),
        ("converged", "whether it ended before max_iter"),
    ],
    stochastic: true,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1, 20 seeds",
            cases: "mlp-spx-std, mlp-aapl-small, mlp-spx-cls, mlp-spx-cls3",
            tolerance: "errors on training and test rows within mean ± 3 sd, correlation with the mean of the reference from 0.83 on",
        },
        Evidence {
            against: "scikit-learn 1.9.1, the same weights at the start, no shuffle",
            cases: "tests of this entry: adam; sgd with and without momentum, Nesterov's, invscaling and adaptive; lbfgs; row weights",
            tolerance: "answers, loss and passes 1e-9",
        },
    ],
    presets: &[
        Preset {
            id: "mlp_10",
            title: "Perceptron, 10 units",
            set: &[("hidden_layer_sizes", "10")],
        },
        Preset {
            id: "mlp_20",
            title: "Perceptron, 20 units",
            set: &[("hidden_layer_sizes", "20")],
        },
        Preset {
            id: "mlp_10_5",
            title: "Perceptron, 10 and 5 units",
            set: &[("hidden_layer_sizes", "10,5")],
        },
        Preset {
            id: "mlp_20_10",
            title: "Perceptron, 20 and 10 units",
            set: &[("hidden_layer_sizes", "20,10")],
        },
        Preset {
            id: "mlp_50",
            title: "Perceptron, 50 units",
            set: &[("hidden_layer_sizes", "50")],
        },
    ],
    exemptions: &[],
};

/// Beyond this a network takes longer than anybody waits.
const MOST_WEIGHTS: usize = 20_000_000;

impl Supervised for Mlp {
    type Params = MlpParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &MlpParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let (n, p) = data.x().dim();
        let (mut classes, mut codes) = (Vec::new(), None);
        let (output, y) = if data.labels().is_some() {
            let labels = labels(data, CARD.id)?;
            classes.clone_from(&labels.classes);
            codes = Some(labels.codes.as_slice());
            if classes.len() == 2 {
                let y = Array2::from_shape_fn((n, 1), |(i, _)| labels.codes[i] as f64);
                (Output::Chance, y)
            } else {
                let y = Array2::from_shape_fn((n, classes.len()), |(i, k)| {
                    f64::from(u8::from(labels.codes[i] == k))
                });
                (Output::Chances, y)
            }
        } else {
            let y = Array2::from_shape_fn((n, 1), |(i, _)| data.y()[i]);
            if params.loss == Loss::Poisson {
                if let Some(row) = data.y().iter().position(|y| *y < 0.0) {
                    return Err(FitError::Data(format!(
                        "target row {}: {} is below 0, which the loss poisson does not take",
                        row + 1,
                        data.y()[row]
                    )));
                }
                (Output::Count, y)
            } else {
                (Output::Value, y)
            }
        };
        let mut sizes = vec![p];
        sizes.extend(&params.hidden_layer_sizes.0);
        sizes.push(y.ncols());
        let count = sizes.windows(2).fold(0_usize, |sum, w| {
            sum.saturating_add(w[0].saturating_mul(w[1]))
        });
        if count > MOST_WEIGHTS {
            return Err(FitError::Data(format!(
                "hidden_layer_sizes make {count} weights: at most {MOST_WEIGHTS} are trained"
            )));
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(effective_seed(params.seed, seed));
        let network = Network::new(&sizes, params.activation, output, &mut random);
        let fitted = Fitted {
            network,
            classes,
            loss: f64::INFINITY,
            n_iter: 0,
            converged: false,
        };
        let fitted = if params.solver == Solver::Lbfgs {
            at_once(fitted, data, &y, params)
        } else {
            in_batches(fitted, data, &y, codes, params, &mut random)?
        };
        if !fitted.loss.is_finite() || fitted.network.flat().iter().any(|w| !w.is_finite()) {
            return Err(FitError::Failed(
                "mlp: the weights left the finite numbers: standardise the columns and the target or lower learning_rate_init".into(),
            ));
        }
        Ok(fitted)
    }
}

/// Gain of a step of lbfgs that counts as none, as SciPy has it.
const SMALL_GAIN: f64 = 2.220_446_049_250_313e-9;

/// Quasi-Newton steps on all rows.
fn at_once(mut fitted: Fitted, data: &Training, y: &Array2<f64>, params: &MlpParams) -> Fitted {
    let mut scratch = fitted.network.clone();
    let found = lbfgs(
        |theta| {
            scratch.set(theta);
            let (loss, w, b) = scratch.gradient(data.x(), y, data.weights(), params.alpha);
            (loss, joined(&w, &b))
        },
        fitted.network.flat(),
        &LbfgsLimits {
            steps: params.max_iter,
            evaluations: params.max_fun,
            gradient: params.tol,
            gain: SMALL_GAIN,
        },
    );
    fitted.network.set(&found.at);
    fitted.loss = found.value;
    fitted.n_iter = found.steps;
    fitted.converged = found.converged;
    fitted
}

/// Rows held out to stop early, of each label its share.
fn hold_out(
    n: usize,
    codes: Option<&[usize]>,
    share: f64,
    random: &mut Xoshiro256PlusPlus,
) -> Result<(Vec<usize>, Vec<usize>), FitError> {
    let labels = codes.map_or(1, |c| c.iter().max().map_or(1, |m| m + 1));
    let (mut learned, mut held) = (Vec::new(), Vec::new());
    for k in 0..labels {
        let mut own: Vec<usize> = (0..n)
            .filter(|i| codes.is_none_or(|c| c[*i] == k))
            .collect();
        own.shuffle(random);
        let count = ((share * own.len() as f64).ceil() as usize).min(own.len());
        held.extend_from_slice(&own[..count]);
        learned.extend_from_slice(&own[count..]);
    }
    learned.sort_unstable();
    held.sort_unstable();
    if learned.is_empty() || held.is_empty() {
        return Err(FitError::Data(format!(
            "validation_fraction {share} of {n} rows leaves none to learn from or none to validate: bring more rows or leave early_stopping out"
        )));
    }
    Ok((learned, held))
}

fn in_batches(
    mut fitted: Fitted,
    data: &Training,
    y: &Array2<f64>,
    codes: Option<&[usize]>,
    params: &MlpParams,
    random: &mut Xoshiro256PlusPlus,
) -> Result<Fitted, FitError> {
    let all: Vec<usize> = (0..data.y().len()).collect();
    let (mut learned, held) = if params.early_stopping {
        hold_out(all.len(), codes, params.validation_fraction, random)?
    } else {
        (all, Vec::new())
    };
    let n = learned.len();
    let batch = match params.batch_size {
        WordOr::Word(Batch::Auto) => 200.min(n),
        WordOr::Number(b) => (b as usize).clamp(1, n),
    };
    let mut theta = fitted.network.flat();
    let count = theta.len();
    let mut adam = Adam::new(
        params.learning_rate_init,
        params.beta_1,
        params.beta_2,
        params.epsilon,
        count,
    );
    let mut velocity = vec![0.0; count];
    let mut rate = params.learning_rate_init;
    let (mut seen, mut idle) = (0.0_f64, 0);
    let (mut least, mut best) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut kept = theta.clone();
    while fitted.n_iter < params.max_iter {
        fitted.n_iter += 1;
        if params.shuffle {
            learned.shuffle(random);
        }
        let mut total = 0.0;
        for rows in learned.chunks(batch) {
            let x = data.x().select(Axis(0), rows);
            let weights: Option<Vec<f64>> =
                data.weights().map(|w| rows.iter().map(|i| w[*i]).collect());
            let own = y.select(Axis(0), rows);
            let (loss, w, b) = fitted
                .network
                .gradient(&x, &own, weights.as_deref(), params.alpha);
            total += loss * rows.len() as f64;
            let gradient = joined(&w, &b);
            if params.solver == Solver::Adam {
                adam.step(&mut theta, &gradient);
            } else {
                let keep = params.momentum;
                for ((t, v), g) in theta.iter_mut().zip(&mut velocity).zip(&gradient) {
                    *v = keep * *v - rate * g;
                    *t += if params.nesterovs_momentum {
                        keep * *v - rate * g
                    } else {
                        *v
                    };
                }
            }
            fitted.network.set(&theta);
        }
        fitted.loss = total / n as f64;
        if !fitted.loss.is_finite() {
            return Ok(fitted);
        }
        seen += n as f64;
        if held.is_empty() {
            idle = if fitted.loss > least - params.tol {
                idle + 1
            } else {
                0
            };
            least = least.min(fitted.loss);
        } else {
            let reached = validate(&fitted, data, &held)?;
            idle = if reached < best + params.tol {
                idle + 1
            } else {
                0
            };
            if reached > best {
                best = reached;
                kept.clone_from(&theta);
            }
        }
        if params.learning_rate == Schedule::InverseScaling {
            rate = params.learning_rate_init / (seen + 1.0).powf(params.power_t);
        }
        if idle > params.n_iter_no_change {
            if params.solver == Solver::Sgd
                && params.learning_rate == Schedule::Adaptive
                && rate > 1e-6
            {
                rate /= 5.0;
                idle = 0;
            } else {
                fitted.converged = true;
                break;
            }
        }
    }
    if !held.is_empty() {
        fitted.network.set(&kept);
    }
    Ok(fitted)
}

/// r² or accuracy on the rows held out.
fn validate(fitted: &Fitted, data: &Training, held: &[usize]) -> Result<f64, FitError> {
    let p = fitted
        .predict(data.x().select(Axis(0), held).view())?
        .values;
    let y: Vec<f64> = held.iter().map(|i| data.y()[*i]).collect();
    let reached = if data.labels().is_some() {
        score::accuracy(&y, &p)
    } else {
        score::r2(&y, &p)
    };
    Ok(reached.unwrap_or(f64::NEG_INFINITY))
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let answer = self.network.answer(x);
        Ok(match self.network.output {
            Output::Value | Output::Count => Prediction::values(answer.column(0).to_vec()),
            Output::Chance => {
                let p = Array2::from_shape_fn((x.nrows(), 2), |(i, k)| {
                    if k == 1 {
                        answer[[i, 0]]
                    } else {
                        1.0 - answer[[i, 0]]
                    }
                });
                Prediction::probabilities(p, self.classes.clone())
            }
            Output::Chances => Prediction::probabilities(answer, self.classes.clone()),
        })
    }

    fn outputs(&self) -> Outputs {
        let weights = self.network.weights.iter().map(|w| {
            let rows = w.rows().into_iter();
            rows.map(|r| run::numbers(&r.to_vec()))
                .collect::<serde_json::Value>()
        });
        let biases = self.network.biases.iter().map(|b| run::numbers(b));
        Outputs::from_iter([
            ("coefficients".to_owned(), weights.collect()),
            ("intercepts".to_owned(), biases.collect()),
            ("loss".to_owned(), self.loss.into()),
            ("n_iter".to_owned(), self.n_iter.into()),
            ("converged".to_owned(), self.converged.into()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::Params as _;

    /// Layers 3, 4, 3 and `last`, weights and biases by a formula.
    fn started(last: usize, output: Output) -> Fitted {
        let sizes = [3, 4, 3, last];
        let of = |l: usize, i: usize, j: usize| ((1 + 3 * i + 5 * j + 7 * l) as f64).sin() / 2.0;
        Fitted {
            network: Network {
                weights: (0..3)
                    .map(|l| Array2::from_shape_fn((sizes[l], sizes[l + 1]), |(i, j)| of(l, i, j)))
                    .collect(),
                biases: (0..3)
                    .map(|l| {
                        (0..sizes[l + 1])
                            .map(|j| ((j + l) as f64).cos() / 4.0)
                            .collect()
                    })
                    .collect(),
                activation: Activation::Tanh,
                output,
            },
            classes: (0..last as i64).collect(),
            loss: f64::INFINITY,
            n_iter: 0,
            converged: false,
        }
    }

    #[test]
    fn every_solver_goes_the_way_of_the_reference() {
        // scikit-learn 1.9.1, MLPRegressor and MLPClassifier(hidden_layer_sizes=(4, 3), activation="tanh",
        // shuffle=False, batch_size=16, alpha=0.01, warm_start=True, ...) whose coefs_ and intercepts_
        // were set to those of `started`: n_iter_, loss_, and the answers to the first three rows, of the
        // classifier the probability of the last label.
        let rows: Vec<[f64; 3]> = (0..60)
            .map(|i| {
                let t = f64::from(i);
                [
                    (t * 0.7).sin(),
                    (t * 1.3).cos(),
                    f64::from(i * 7 % 13) / 6.0 - 1.0,
                ]
            })
            .collect();
        let some: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
        let y: Vec<f64> = (0..60)
            .map(|i| {
                let t = f64::from(i);
                (t * 0.7).sin() * (t * 1.3).cos() + f64::from(i * 5 % 11) / 20.0
            })
            .collect();
        let plain = table(&some, &y);
        let weights = (0..60).map(|i| f64::from(i * 7 % 11 + 1) / 4.0).collect();
        let weighed = plain.clone().with_weights(weights).unwrap();
        for (given, labels, n_iter, loss, want) in [
            (
                r#"{"solver": "adam", "max_iter": 20, "tol": 0.0, "learning_rate_init": 0.01}"#,
                false,
                20,
                0.057744206451810304,
                [
                    0.16706594377679448,
                    0.5066485376546482,
                    0.019877119225987602,
                ],
            ),
            (
                r#"{"solver": "sgd", "max_iter": 20, "tol": 0.0, "learning_rate_init": 0.05, "momentum": 0.0}"#,
                false,
                20,
                0.13206850859214533,
                [0.24956595478660712, 0.2647627925294221, 0.2709027362571042],
            ),
            (
                r#"{"solver": "sgd", "max_iter": 20, "tol": 0.0, "learning_rate_init": 0.05}"#,
                false,
                20,
                0.10859902912647122,
                [0.18863931083300745, 0.3570838425017907, 0.29605079215095387],
            ),
            (
                r#"{"solver": "sgd", "max_iter": 20, "tol": 0.0, "learning_rate_init": 0.05, "nesterovs_momentum": false}"#,
                false,
                20,
                0.11564049766085543,
                [0.20413452880876887, 0.33644308451997185, 0.3089632440017246],
            ),
            (
                r#"{"solver": "sgd", "max_iter": 20, "tol": 0.0, "learning_rate_init": 0.5, "learning_rate": "invscaling", "power_t": 0.3}"#,
                false,
                20,
                0.0629029042816481,
                [0.16599033840892674, 0.4383474024140389, 0.12346287198775452],
            ),
            (
                r#"{"solver": "sgd", "max_iter": 400, "tol": 1e-3, "learning_rate_init": 0.2, "learning_rate": "adaptive", "n_iter_no_change": 3}"#,
                false,
                53,
                0.026988461319551158,
                [
                    0.17180105597584716,
                    0.6519301190685386,
                    -0.49286378126176084,
                ],
            ),
            (
                r#"{"solver": "lbfgs", "max_iter": 12}"#,
                false,
                12,
                0.03178460755123869,
                [
                    -0.009480951436513618,
                    0.5944096615717913,
                    -0.23158036591793074,
                ],
            ),
            (
                r#"{"solver": "lbfgs", "max_iter": 500, "max_fun": 20}"#,
                false,
                12,
                0.03178460755123869,
                [
                    -0.009480951436513618,
                    0.5944096615717913,
                    -0.23158036591793074,
                ],
            ),
            (
                r#"{"solver": "lbfgs", "max_iter": 30}"#,
                true,
                30,
                0.43737348290712225,
                [
                    7.4848596404124545e-06,
                    0.37255865673357924,
                    0.017544025113700828,
                ],
            ),
            (
                r#"{"solver": "adam", "max_iter": 20, "tol": 0.0, "learning_rate_init": 0.01}"#,
                true,
                20,
                1.0079402488636797,
                [0.2464335893430667, 0.42803089185212034, 0.4523149176256248],
            ),
            (
                r#"{"solver": "sgd", "max_iter": 20, "tol": 0.0, "learning_rate_init": 0.05}"#,
                true,
                20,
                1.0398148739607884,
                [0.24188150756758983, 0.41014948281854635, 0.4337233882652668],
            ),
        ] {
            let mut map: serde_json::Value = serde_json::from_str(given).unwrap();
            for (name, value) in [
                ("alpha", 0.01.into()),
                ("batch_size", 16.into()),
                ("shuffle", false.into()),
            ] {
                map[name] = value;
            }
            let params = MlpParams::from_map(map.as_object().unwrap()).unwrap();
            let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
            let (start, data, y) = if labels {
                let label = |y: f64| usize::from(y >= 0.1) + usize::from(y >= 0.45);
                let y =
                    Array2::from_shape_fn((60, 3), |(i, k)| f64::from(u8::from(label(y[i]) == k)));
                (started(3, Output::Chances), &plain, y)
            } else {
                let y = Array2::from_shape_fn((60, 1), |(i, _)| y[i]);
                (started(1, Output::Value), &weighed, y)
            };
            let fitted = if params.solver == Solver::Lbfgs {
                at_once(start, data, &y, &params)
            } else {
                in_batches(start, data, &y, None, &params, &mut random).unwrap()
            };
            let first = data.x().slice_axis(Axis(0), (..3).into());
            let p = fitted.predict(first).unwrap();
            let got = p.probabilities.map_or(p.values, |p| p.column(2).to_vec());
            assert_near(&got, &want, 1e-9);
            assert_near(&[fitted.loss], &[loss], 1e-9);
            assert_eq!(fitted.n_iter, n_iter, "{given}");
        }
    }
}
