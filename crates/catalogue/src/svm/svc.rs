//! Support vector classification.
//!
//! What: the border with the widest margin between two labels, in the space of a kernel.
//! Formula: min |w|²/2 + C Σ sᵢ max(0, 1 - yᵢ f(xᵢ)), f(x) = Σ cᵢ k(x, xᵢ) + b; more labels: votes of all pairs.
//! Data: columns of like scale; at most some ten thousand rows.
//! Cost: fit between O(n² p) and O(n³), predict O(rows p) a support vector.
//! Fails when: columns have different units; C or gamma are far off.
//! Source: Cortes & Vapnik, Machine Learning 20 (1995); Chang & Lin, LIBSVM (2011).
//! Not claimed: probabilities that are more than a curve through the decision values.

use super::engine::{Dual, Rows, Solution, solve};
use super::machine::{GammaWord, Machine, SvmKernel, form, most_steps};
use super::platt::{Sigmoid, coupled};
use crate::class_weight::{ClassWeight, row_weights};
use crate::kernels::Form;
use crate::labels::labels;
use crate::numeric::some_rows;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::WordOr;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, ParamError, Prediction, Predictor, Supervised,
    Training, choices, params, run, threads,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2, Axis};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The handle.
pub struct Svc;

/// The registration.
pub const ENTRY: Entry =
    Entry::supervised::<Svc>().mattering_beside(&[&[("C", "100")], &[("probability", "true")]]);

choices! {
    /// What the decision of more than two labels is.
    pub enum DecisionShape {
        /// One value a label: its votes, and between -1/3 and 1/3 the sum of its scores.
        Ovr = "ovr",
        /// One value a pair of labels: its score, above 0 for the smaller one.
        Ovo = "ovo",
    }
}

params! {
    /// Parameters of support vector classification.
    pub struct SvcParams {
        /// Cost of a row within the margin or on the wrong side.
        c as "C": f64 = 1.0, above(0.0);
        /// The kernel.
        kernel: SvmKernel = SvmKernel::Rbf;
        /// Degree of the kernel poly.
        degree: usize = 3, within(0.0, 100.0);
        /// Factor of the inner product or distance in the kernel: scale is 1/(columns · variance of all entries), auto 1/columns, or a number.
        gamma: WordOr<GammaWord> = WordOr::Word(GammaWord::Scale), at_least(0.0);
        /// Constant of the kernels poly and sigmoid.
        coef0: f64 = 0.0;
        /// balanced: every label counts the same in total; or a factor a label, written 0:1,1:2.5; none: every row counts the same.
        class_weight: Option<ClassWeight> = None;
        /// What the decision of more than two labels is: ovr one value a label, ovo one a pair of labels.
        decision_function_shape: DecisionShape = DecisionShape::Ovr;
        /// Whether labels with as many votes are told apart by their decision, beside ovr; otherwise the smallest one wins.
        break_ties: bool = false;
        /// Whether the output probabilities is given too, from a curve through the decision values of rows that a fit of the others has not seen.
        probability: bool = false;
        /// It ends when no pair of variables violates the optimum by this.
        tol: f64 = 1e-5, above(0.0);
        /// Pairs moved at most; none or -1 is ten million, or a hundred times the variables if that is more.
        max_iter: Option<i64> = None, at_least(-1.0);
        /// Seed of the parts of probability; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Two labels, the first of which the machine puts below 0.
#[derive(Debug, Serialize, Deserialize)]
struct Duel {
    low: usize,
    high: usize,
    machine: Machine,
    /// Probability of the label above 0, where probabilities are asked for.
    #[serde(default)]
    sigmoid: Option<Sigmoid>,
}

/// Fitted state: a machine for each pair of labels.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    classes: Vec<i64>,
    duels: Vec<Duel>,
    support: Vec<usize>,
    n_iter: usize,
    converged: bool,
    /// Whether the decision is one value a pair of labels; false in models saved before it was kept.
    #[serde(default)]
    pairs: bool,
    /// Whether the decision tells labels with as many votes apart.
    #[serde(default)]
    break_ties: bool,
}

const CARD: Card = Card {
    id: "svc",
    family: "svm",
    title: "Support vector classification",
    tasks: &[Task::Classification],
    inputs: Inputs::Features,
    summary: "The border with the widest margin between two labels in the space of a kernel; only rows on the margin or inside it matter. More labels vote in pairs.",
    formula: "min |w|²/2 + C Σᵢ sᵢ max(0, 1 - yᵢ f(xᵢ)), y in -1, 1, f(x) = Σᵢ cᵢ k(x, xᵢ) + b; K labels: one machine a pair, most votes win, the smallest label in a tie (with break_ties the largest decision wins); decision of a label: votes + d/(3 (|d| + 1)), d the sum of its pairs' scores; with ovo the decision is -f of each pair; with probability P(high | f) = 1/(1 + e^(a f + b)), a and b most likely for the decisions of five parts drawn at random, each by a fit of the others, and the labels' shares are those that agree best with the pairs'",
    data: "Whole-number labels, at least two. Columns of like scale: the kernel sees their units.",
    cost: "fit between O(n² p) and O(n³), predict O(rows · p) a support vector",
    fails_when: "Columns have different units, C or gamma are far off, or rows are more than some ten thousand.",
    not_claimed: "Probabilities that are more than a curve through the decision values: they may contradict the label, which follows from the decision, and on few rows they are far off.",
    source: "C. Cortes, V. Vapnik, Support-vector networks, Machine Learning 20 (1995); C.-C. Chang, C.-J. Lin, LIBSVM, ACM TIST 2 (2011); J. C. Platt, Probabilistic outputs for support vector machines (1999); T.-F. Wu, C.-J. Lin, R. C. Weng, Pairwise coupling, JMLR 5 (2004)",
    reference: "scikit-learn 1.9.1, SVC (here with a tighter tol by default)",
    outputs: &[
        (
            "decision",
            "of each test row: for two labels f, above 0 for the larger one; else by label, with ovo by pair of labels (0,1), (0,2), ..., above 0 for the smaller one",
        ),
        (
            "intercept",
            "two labels: b; more: -b of each pair of labels, (0,1), (0,2), ..., as the decision of a pair",
        ),
        (
            "dual_coefficients",
            "c, one a support vector; more than two labels: one array of -c a pair",
        ),
        (
            "support",
            "training rows that are support vectors of any pair, counted from 0",
        ),
        ("n_support", "number of support vectors"),
        (
            "n_iter",
            "pairs of variables moved, the most of any machine",
        ),
        ("converged", "whether no pair violates the optimum by tol"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1, tol 1e-9",
        cases: "svc-rbf-C-1-aapl-smallcls, svc-linear-C-0.1-aapl-smallcls, svc-rbf-C-1-aapl-smallcls3",
        tolerance: "decision values 1e-3, 99% of the labels",
    }],
    presets: &[],
    exemptions: &[],
};

/// Two labels to be told apart.
struct Problem<'a> {
    params: &'a SvcParams,
    form: Form,
    /// Whether a row is of the label above 0.
    above: Vec<bool>,
    costs: Vec<f64>,
}

/// Parts of the rows, each judged by a fit of the others.
const PARTS: usize = 5;

impl Problem<'_> {
    /// The coefficients of the rows, and how they were found.
    fn solve(&self, x: &Array2<f64>) -> (Vec<f64>, Solution) {
        let n = self.above.len();
        let dual = Dual {
            y: self
                .above
                .iter()
                .map(|a| if *a { 1.0 } else { -1.0 })
                .collect(),
            p: vec![-1.0; n],
            upper: self.costs.clone(),
            start: vec![0.0; n],
            nu: false,
        };
        let (tol, max_iter) = (self.params.tol, most_steps(self.params.max_iter));
        let found = solve(&mut Rows::new(self.form, x), &dual, tol, max_iter);
        let c: Vec<f64> = found.a.iter().zip(&dual.y).map(|(a, y)| a * y).collect();
        (c, found)
    }

    /// The probability of the label above 0 from decisions of rows that a fit has not seen (LIBSVM's
    /// way: a fit of one label, or of none, decides by itself).
    fn sigmoid(&self, x: &Array2<f64>, seed: u64) -> Sigmoid {
        let n = self.above.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
        let parts = threads::map(PARTS, |part| {
            let (from, to) = (part * n / PARTS, (part + 1) * n / PARTS);
            let judged = &order[from..to];
            let others: Vec<usize> = order[..from].iter().chain(&order[to..]).copied().collect();
            let pick = |of: &[f64]| others.iter().map(|i| of[*i]).collect::<Vec<f64>>();
            let above: Vec<bool> = others.iter().map(|i| self.above[*i]).collect();
            match (above.contains(&true), above.contains(&false)) {
                (true, true) => {
                    let rows = x.select(Axis(0), &others);
                    let problem = Problem {
                        params: self.params,
                        form: self.form,
                        above,
                        costs: pick(&self.costs),
                    };
                    let (c, found) = problem.solve(&rows);
                    let machine = Machine::new(self.form, &rows, &c, -found.rho, Outputs::new());
                    machine.values(x.select(Axis(0), judged).view())
                }
                (true, false) => vec![1.0; judged.len()],
                (false, true) => vec![-1.0; judged.len()],
                (false, false) => vec![0.0; judged.len()],
            }
        });
        let above: Vec<bool> = order.iter().map(|i| self.above[*i]).collect();
        Sigmoid::fit(&parts.concat(), &above)
    }
}

impl Supervised for Svc {
    type Params = SvcParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;
    const PROBABILITIES: bool = false;

    fn fit(params: &SvcParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let pairs = params.decision_function_shape == DecisionShape::Ovo;
        if pairs && params.break_ties {
            return Err(FitError::Param(ParamError {
                field: "break_ties".into(),
                reason: "needs one decision a label: take decision_function_shape ovr".into(),
                suggestions: Vec::new(),
            }));
        }
        let labels = labels(data, CARD.id)?;
        let form = form(
            data.x(),
            params.kernel,
            params.gamma,
            params.degree,
            params.coef0,
        )?;
        let weights = row_weights(data, params.class_weight.as_ref())?;
        let seed = run::effective_seed(params.seed, seed);
        let k = labels.classes.len();
        let mut fitted = Fitted {
            classes: labels.classes.clone(),
            duels: Vec::new(),
            support: Vec::new(),
            n_iter: 0,
            converged: true,
            pairs,
            break_ties: params.break_ties,
        };
        for low in 0..k {
            for high in low + 1..k {
                let rows: Vec<usize> = (0..labels.codes.len())
                    .filter(|i| [low, high].contains(&labels.codes[*i]) && weights[*i] > 0.0)
                    .collect();
                let x = some_rows(data.x(), &rows);
                let duel = Problem {
                    params,
                    form,
                    above: rows.iter().map(|i| labels.codes[*i] == high).collect(),
                    costs: rows.iter().map(|i| params.c * weights[*i]).collect(),
                };
                let (c, found) = duel.solve(&x);
                fitted.support.extend(
                    rows.iter()
                        .zip(&c)
                        .filter(|(_, c)| **c != 0.0)
                        .map(|(i, _)| *i),
                );
                fitted.n_iter = fitted.n_iter.max(found.n_iter);
                fitted.converged &= found.converged;
                fitted.duels.push(Duel {
                    low,
                    high,
                    sigmoid: params.probability.then(|| duel.sigmoid(&x, seed)),
                    machine: Machine::new(form, &x, &c, -found.rho, Outputs::new()),
                });
            }
        }
        fitted.support.sort_unstable();
        fitted.support.dedup();
        Ok(fitted)
    }
}

/// No pair is surer than this.
const SURE: f64 = 1.0 - 1e-7;

impl Fitted {
    /// From the scores of the pairs, above 0 for the smaller label.
    fn probabilities(&self, scores: &Array2<f64>) -> Option<Array2<f64>> {
        let k = self.classes.len();
        let mut shares = Array2::zeros((scores.nrows(), k));
        for (scores, mut shares) in scores.rows().into_iter().zip(shares.rows_mut()) {
            let mut pairs = Array2::zeros((k, k));
            for (duel, score) in self.duels.iter().zip(scores) {
                let high = duel.sigmoid?.of(-score).clamp(1.0 - SURE, SURE);
                pairs[[duel.high, duel.low]] = high;
                pairs[[duel.low, duel.high]] = 1.0 - high;
            }
            let each = coupled(&pairs);
            shares.iter_mut().zip(each).for_each(|(s, p)| *s = p);
        }
        Some(shares)
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        if let [duel] = &self.duels[..] {
            let values = duel.machine.values(x);
            let decision = Array2::from_shape_fn((x.nrows(), 1), |(i, _)| values[i]);
            return Ok(Prediction {
                probabilities: self.probabilities(&decision.mapv(|f| -f)),
                ..Prediction::decided(decision, self.classes.clone())
            });
        }
        let shape = (x.nrows(), self.classes.len());
        let (mut votes, mut sums) = (Array2::<f64>::zeros(shape), Array2::<f64>::zeros(shape));
        let mut scores = Array2::<f64>::zeros((x.nrows(), self.duels.len()));
        for (at, duel) in self.duels.iter().enumerate() {
            for (i, f) in duel.machine.values(x).into_iter().enumerate() {
                scores[[i, at]] = -f;
                let winner = if f > 0.0 { duel.high } else { duel.low };
                votes[[i, winner]] += 1.0;
                sums[[i, duel.high]] += f;
                sums[[i, duel.low]] -= f;
            }
        }
        let probabilities = self.probabilities(&scores);
        let by_label = &votes + &sums.mapv(|d| d / (3.0 * (d.abs() + 1.0)));
        if self.break_ties {
            return Ok(Prediction {
                probabilities,
                ..Prediction::decided(by_label, self.classes.clone())
            });
        }
        // The labels follow from the votes alone, as in LIBSVM.
        Ok(Prediction {
            probabilities,
            decision: Some(if self.pairs { scores } else { by_label }),
            ..Prediction::decided(votes, self.classes.clone())
        })
    }

    fn outputs(&self) -> Outputs {
        let each: Vec<Outputs> = self.duels.iter().map(|d| d.machine.outputs()).collect();
        let mut outputs = Outputs::new();
        for name in ["intercept", "dual_coefficients"] {
            let mut values: Vec<Value> = each.iter().map(|o| o[name].clone()).collect();
            let value = match values.len() {
                1 => values.remove(0),
                // As the decision of a pair, for the smaller label.
                _ => values.iter().map(turned).collect(),
            };
            outputs.insert(name.to_owned(), value);
        }
        outputs.insert("support".into(), self.support.clone().into());
        outputs.insert("n_support".into(), self.support.len().into());
        outputs.insert("n_iter".into(), self.n_iter.into());
        outputs.insert("converged".into(), self.converged.into());
        outputs
    }
}

/// A number or a list of numbers with the other sign.
fn turned(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(turned).collect(),
        one => one.as_f64().map_or(Value::Null, |v| Value::from(0.0 - v)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes};
    use mltrainer_catalogue_core::Params as _;

    /// A ring of three labels, which beat each other in pairs at its middle.
    fn ring() -> Training {
        let flat: Vec<[f64; 2]> = (0..30)
            .map(|i| {
                let (t, r) = (f64::from(i) * 0.7, 1.0 + f64::from(i % 7) / 4.0);
                [r * t.cos(), r * t.sin()]
            })
            .collect();
        let rows: Vec<&[f64]> = flat.iter().map(|r| &r[..]).collect();
        let y: Vec<f64> = (0..30).map(|i| f64::from(i * 5 % 3)).collect();
        classes(&rows, &y)
    }

    fn said(given: serde_json::Value, x: &Array2<f64>) -> Prediction {
        let params = SvcParams::from_map(given.as_object().unwrap()).unwrap();
        Svc::fit(&params, &ring(), 0)
            .unwrap()
            .predict(x.view())
            .unwrap()
    }

    #[test]
    fn probabilities_as_scikit_learn_draws_them() {
        // 60 rows of which every ninth has the other label. scikit-learn 1.9.1, SVC(C=2, gamma=0.5, tol=1e-9,
        // probability=True): the second column of predict_proba of the first four rows, mean of 40 values of
        // random_state, whose standard deviations are up to 0.014: a mean of 20 is within 0.014 of it.
        let rows: Vec<[f64; 2]> = (0..60)
            .map(|i| {
                let (t, r) = (f64::from(i) * 0.7, f64::from(i % 7) / 4.0);
                let other = 1.0 + f64::from(i % 5) / 3.0;
                [t.sin() * (1.0 + r), t.cos() * other]
            })
            .collect();
        let y: Vec<f64> = (0..60)
            .map(|i| f64::from(u8::from((rows[i][0] > 0.0) != (i % 9 == 0))))
            .collect();
        let slices: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
        let data = classes(&slices, &y);
        let given = serde_json::json!({"C": 2.0, "gamma": 0.5, "tol": 1e-9, "probability": true});
        let params = SvcParams::from_map(given.as_object().unwrap()).unwrap();
        let mut mean = [0.0; 4];
        for seed in 0..20 {
            let fitted = Svc::fit(&params, &data, seed).unwrap();
            let p = fitted.predict(data.x().view()).unwrap();
            let p = p.probabilities.unwrap();
            for (i, m) in mean.iter_mut().enumerate() {
                *m += p[[i, 1]] / 20.0;
                assert!((p[[i, 0]] + p[[i, 1]] - 1.0).abs() < 1e-12);
            }
        }
        let want = [
            0.1330333814444667,
            0.9393587529382008,
            0.9879854139485055,
            0.9788141137431261,
        ];
        for (got, want) in mean.iter().zip(want) {
            assert!((got - want).abs() < 0.014, "{mean:?}");
        }
        let without = SvcParams::from_map(&serde_json::Map::new()).unwrap();
        let fitted = Svc::fit(&without, &data, 0).unwrap();
        assert!(
            fitted
                .predict(data.x().view())
                .unwrap()
                .probabilities
                .is_none()
        );
    }

    #[test]
    fn decisions_of_three_labels_as_scikit_learn() {
        // scikit-learn 1.9.1, SVC(kernel="rbf", gamma=0.5, C=2, tol=1e-9, ...).fit(rows of `ring`):
        // decision_function and predict of two rows, the first of which has a vote for each label.
        let x = ndarray::array![[-0.25, 0.5], [0.25, -0.5]];
        let decision = |p: &Prediction| p.decision.clone().unwrap().into_raw_vec_and_offset().0;
        let base = serde_json::json!({"gamma": 0.5, "C": 2.0, "tol": 1e-9});
        let given = |name: &str, value: serde_json::Value| {
            let mut given = base.clone();
            given[name] = value;
            given
        };
        let plain = said(base.clone(), &x);
        assert_near(
            &decision(&plain),
            &[
                0.9843640199977554,
                0.984956783315046,
                1.0293299938811575,
                0.8975516459567927,
                -0.12903752677253721,
                2.17271718404477,
            ],
            1e-6,
        );
        assert_eq!(plain.values, [0.0, 2.0]);
        let pairs = said(given("decision_function_shape", "ovo".into()), &x);
        assert_near(
            &decision(&pairs),
            &[
                0.0873282905432931,
                -0.13654487934486753,
                0.040065696142435395,
                0.06789022681050798,
                -0.511610534464097,
                -0.5637307983334278,
            ],
            1e-6,
        );
        assert_eq!(pairs.values, plain.values);
        let told = said(given("break_ties", true.into()), &x);
        assert_near(
            &decision(&told),
            &[
                0.9843640199977554,
                0.984956783315046,
                1.0293299938811575,
                0.8975516459567927,
                -0.12903752677253721,
                2.17271718404477,
            ],
            1e-6,
        );
        assert_eq!(told.values, [2.0, 2.0]);
        // intercept_.
        let params = SvcParams::from_map(base.as_object().unwrap()).unwrap();
        let outputs = Svc::fit(&params, &ring(), 0).unwrap().outputs();
        let intercepts: Vec<f64> = serde_json::from_value(outputs["intercept"].clone()).unwrap();
        assert_near(
            &intercepts,
            &[
                0.030_789_532_507_869_356,
                -0.009_273_044_897_324_343,
                -0.003_168_656_660_725_287_6,
            ],
            1e-6,
        );
    }

    #[test]
    fn ties_need_a_decision_a_label() {
        let given = serde_json::json!({"break_ties": true, "decision_function_shape": "ovo"});
        let params = SvcParams::from_map(given.as_object().unwrap()).unwrap();
        let refused = Svc::fit(&params, &ring(), 0).unwrap_err();
        assert!(refused.to_string().contains("break_ties"), "{refused}");
    }
}
