//! What early stopping looks at: figures of the rows kept aside.
//!
//! Each is a figure of targets y, answers a (or shares p of the labels) and weights w; means are
//! weighted. [`Metric::higher_is_better`] says which way is better. Programs that give one thing other
//! names, or that write a score as the negative of an error, share a figure here.

use super::boost::Rows;
use super::objective::{Objective, softmax};
use mltrainer_catalogue_core::reexport::Value;
use mltrainer_catalogue_core::{ParamError, run};

/// A figure of how well a sum of trees answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Metric {
    /// Mean of what the trees minimise; lower is better.
    Loss,
    /// Mean of such a loss, where its link is applied to the sum of trees instead of the link of what
    /// is minimised (CatBoost); lower is better.
    LossOfSum(Objective),
    /// Mean of such a loss at the answer; lower is better.
    LossOfAnswer(Objective),
    /// Mean quantile loss of such a share, times a factor, of how far the answer is off beyond a distance that counts
    /// as met (CatBoost); lower is better.
    QuantileBeyond(f64, f64, f64),
    /// Mean of (y - a)²; lower is better.
    SquaredError,
    /// Its root; lower is better.
    RootSquaredError,
    /// Mean of (ln(1 + y) - ln(1 + a))²; lower is better.
    SquaredLogError,
    /// Its root; lower is better.
    RootSquaredLogError,
    /// Mean of |y - a| / max(floor, |y|); lower is better.
    PercentageError(f64),
    /// 100 times the mean of 2 |y - a| / (|y| + |a|); lower is better.
    SymmetricPercentageError,
    /// 1 - Σw(y - a)² / Σw(y - ȳ)²; higher is better.
    R2,
    /// Mean of ln Γ(y + 1) + a - y ln a; lower is better.
    PoissonLikelihood,
    /// Twice the mean of y ln(y / a) - y + a; lower is better.
    PoissonDeviance,
    /// Twice the mean of ln(a / y) + y / a - 1, where `above` is added to both; lower is better.
    GammaDeviance {
        /// Added to y and a.
        above: f64,
        /// Whether it is not divided by the sum of the weights (LightGBM).
        summed: bool,
    },
    /// Mean of -ln(p of the row's label), p at least this; lower is better.
    LogLoss(f64),
    /// Mean of the logistic losses of each label against all others; lower is better.
    OneVsAllLoss,
    /// Share of the rows whose label is not the likeliest, or of two labels on the wrong side of this
    /// share of the larger one; lower is better.
    Error(f64),
    /// Share of the rows whose label is the likeliest; higher is better.
    Accuracy,
    /// Mean over the labels of the share of their rows that is found; higher is better.
    BalancedAccuracy,
    /// Area under the receiver operating characteristic; of more than two labels, of each against all
    /// others, weighted by their rows; higher is better.
    Auc {
        /// Whether rows count by their weight.
        weighed: bool,
    },
    /// Area under the curve of precision over recall, between its points as in Davis & Goadrich (ICML
    /// 2006), of more than two labels the mean of each against all others; higher is better.
    PrecisionRecallArea,
    /// Sum of precision times the step of recall; higher is better.
    AveragePrecision,
    /// Share of the rows called the larger label that have it; higher is better.
    Precision,
    /// Share of the rows with the larger label that are called so; higher is better.
    Recall,
    /// Harmonic mean of both; higher is better.
    F1,
    /// Mean of that of each label; higher is better.
    F1Macro,
    /// The same, weighted by the rows of the labels; higher is better.
    F1Weighted,
    /// Matthews' correlation of labels and calls; higher is better.
    Mcc,
    /// Mean of (y - p)² of the larger of two labels; lower is better.
    Brier,
}

impl Metric {
    /// Whether more is better.
    pub(crate) fn higher_is_better(self) -> bool {
        matches!(
            self,
            Self::R2
                | Self::Accuracy
                | Self::BalancedAccuracy
                | Self::Auc { .. }
                | Self::PrecisionRecallArea
                | Self::AveragePrecision
                | Self::Precision
                | Self::Recall
                | Self::F1
                | Self::F1Macro
                | Self::F1Weighted
                | Self::Mcc
        )
    }

    /// The numbers of labels it is for: 0 is a regression.
    pub(crate) fn fits(self, labels: usize) -> bool {
        match self {
            Self::Loss => true,
            Self::LossOfSum(_)
            | Self::LossOfAnswer(_)
            | Self::QuantileBeyond(..)
            | Self::SquaredError
            | Self::RootSquaredError
            | Self::SquaredLogError
            | Self::RootSquaredLogError
            | Self::PercentageError(_)
            | Self::SymmetricPercentageError
            | Self::R2
            | Self::PoissonLikelihood
            | Self::PoissonDeviance
            | Self::GammaDeviance { .. } => labels == 0,
            Self::AveragePrecision | Self::Precision | Self::Recall | Self::F1 | Self::Brier => {
                labels == 2
            }
            _ => labels > 0,
        }
    }

    /// This figure, where it is one of so many labels.
    ///
    /// # Errors
    /// [`ParamError`] naming the field.
    pub(crate) fn checked(self, field: &str, labels: usize) -> Result<Self, ParamError> {
        if self.fits(labels) {
            return Ok(self);
        }
        Err(ParamError {
            field: field.into(),
            reason: match labels {
                0 => "this is a figure of labels and does not fit regression",
                2 => "this does not fit two labels",
                _ => "this does not fit more than two labels",
            }
            .into(),
            suggestions: Vec::new(),
        })
    }

    /// Whether `value` is better than `best` by more than `by`.
    pub(crate) fn is_better(self, value: f64, best: f64, by: f64) -> bool {
        if self.higher_is_better() {
            value > best + by
        } else {
            value < best - by
        }
    }

    /// The figure of these rows, whose sums of trees are `f`, one list a sum; with `single` each row's
    /// part is rounded to single precision (XGBoost).
    pub(crate) fn value(
        self,
        objective: Objective,
        rows: &Rows<'_>,
        f: &[Vec<f64>],
        single: bool,
    ) -> f64 {
        let n = rows.y.len();
        let round = |v: f64| if single { f64::from(v as f32) } else { v };
        let all: f64 = rows.w.iter().sum();
        let mean = |each: &dyn Fn(usize) -> f64| -> f64 {
            let sum = (0..n).map(|i| round(round(each(i)) * rows.w[i]));
            sum.sum::<f64>() / all
        };
        let y = |i: usize| rows.y[i];
        let shares = |i: usize| shares(objective, f, i, single);
        if f.len() > 1 || objective == Objective::Logistic {
            return match self {
                Self::Loss => mean(&|i| {
                    if f.len() == 1 {
                        objective.loss(y(i), f[0][i])
                    } else {
                        one_vs_all(objective, y(i), f, i).unwrap_or_else(|| {
                            -shares(i)[y(i) as usize].max(f64::MIN_POSITIVE).ln()
                        })
                    }
                }),
                Self::LogLoss(floor) => mean(&|i| -shares(i)[y(i) as usize].max(floor).ln()),
                Self::OneVsAllLoss => {
                    mean(&|i| one_vs_all(Objective::OneVsAll, y(i), f, i).unwrap_or(f64::NAN))
                }
                Self::Brier => mean(&|i| (shares(i)[1] - y(i)).powi(2)),
                Self::Error(limit) => mean(&|i| {
                    let wrong = called(&shares(i), limit) != y(i) as usize;
                    f64::from(u8::from(wrong))
                }),
                Self::Auc { .. } | Self::PrecisionRecallArea | Self::AveragePrecision => {
                    let each: Vec<Vec<f64>> = (0..n).map(shares).collect();
                    self.area(rows, &each)
                }
                _ => {
                    let each: Vec<usize> = (0..n).map(|i| called(&shares(i), 0.5)).collect();
                    self.of_calls(rows, &each, f.len().max(2))
                }
            };
        }
        let f = &f[0];
        let answer = |i: usize| round(objective.answer(f[i]));
        match self {
            Self::LossOfSum(other) => mean(&|i| other.loss(y(i), f[i])),
            Self::LossOfAnswer(other) => {
                let log = matches!(
                    other,
                    Objective::Poisson(_) | Objective::Gamma | Objective::Tweedie(_)
                );
                mean(&|i| {
                    let a = answer(i);
                    other.loss(y(i), if log { a.max(1e-10).ln() } else { a })
                })
            }
            Self::QuantileBeyond(share, factor, near) => {
                let loss = Objective::Quantile(share);
                mean(&|i| {
                    let off = y(i) - answer(i);
                    factor * loss.loss(off.signum() * (off.abs() - near).max(0.0), 0.0)
                })
            }
            Self::SquaredError => mean(&|i| (y(i) - answer(i)).powi(2)),
            Self::RootSquaredError => mean(&|i| (y(i) - answer(i)).powi(2)).sqrt(),
            Self::SquaredLogError => mean(&|i| (y(i).ln_1p() - answer(i).ln_1p()).powi(2)),
            Self::RootSquaredLogError => {
                mean(&|i| (y(i).ln_1p() - answer(i).ln_1p()).powi(2)).sqrt()
            }
            Self::PercentageError(floor) => {
                mean(&|i| (y(i) - answer(i)).abs() / y(i).abs().max(floor))
            }
            Self::SymmetricPercentageError => mean(&|i| {
                let (y, a) = (y(i), answer(i));
                let down = y.abs() + a.abs();
                if down > 0.0 {
                    200.0 * (y - a).abs() / down
                } else {
                    0.0
                }
            }),
            Self::R2 => {
                let middle = rows.mean();
                let off = mean(&|i| (y(i) - answer(i)).powi(2));
                1.0 - off / mean(&|i| (y(i) - middle).powi(2))
            }
            Self::PoissonLikelihood => mean(&|i| {
                let a = answer(i).max(1e-16);
                libm::lgamma(y(i) + 1.0) + a - y(i) * a.ln()
            }),
            Self::PoissonDeviance => mean(&|i| {
                let (y, a) = (y(i), answer(i));
                let own = if y > 0.0 { y * (y / a).ln() } else { 0.0 };
                2.0 * (own - y + a)
            }),
            Self::GammaDeviance { above, summed } => {
                let value = 2.0
                    * mean(&|i| {
                        let (y, a) = (y(i) + above, answer(i) + above);
                        (a / y).ln() + y / a - 1.0
                    });
                if summed { value * all } else { value }
            }
            _ => mean(&|i| objective.loss(y(i), f[i])),
        }
    }

    /// Areas under curves; of two labels, those of the larger one.
    fn area(self, rows: &Rows<'_>, shares: &[Vec<f64>]) -> f64 {
        let labels = shares.first().map_or(2, Vec::len);
        let weighed = self != Self::Auc { weighed: false };
        let of_label = |k: usize| {
            let each = shares.iter().zip(&rows.y).zip(&rows.w);
            let rows = each.map(|((p, y), w)| Scored {
                score: p[k],
                has: *y == k as f64,
                w: if weighed { *w } else { 1.0 },
            });
            self.area_of(rows.collect())
        };
        if labels == 2 {
            return of_label(1).0;
        }
        let (mut sum, mut all) = (0.0, 0.0);
        for k in 0..labels {
            let (area, weight) = of_label(k);
            // As XGBoost, which weighs labels in the one and not in the other.
            let weight = match self {
                Self::PrecisionRecallArea => 1.0,
                _ => weight,
            };
            sum += area * weight;
            all += weight;
        }
        sum / all
    }

    /// The area, and the weight of the rows that have the label.
    fn area_of(self, mut rows: Vec<Scored>) -> (f64, f64) {
        rows.sort_by(|a, b| b.score.total_cmp(&a.score));
        let sum = |has: bool| -> f64 { rows.iter().filter(|r| r.has == has).map(|r| r.w).sum() };
        let (have, have_not) = (sum(true), sum(false));
        if have <= 0.0 || (have_not <= 0.0 && matches!(self, Self::Auc { .. })) {
            return (
                if self == Self::AveragePrecision {
                    1.0
                } else {
                    0.5
                },
                have,
            );
        }
        let (mut up, mut down, mut area) = (0.0, 0.0, 0.0);
        for group in rows.chunk_by(|a, b| a.score == b.score) {
            let part =
                |has: bool| -> f64 { group.iter().filter(|r| r.has == has).map(|r| r.w).sum() };
            let (more, less) = (part(true), part(false));
            area += match self {
                Self::AveragePrecision => more * (up + more) / (up + more + down + less) / have,
                Self::PrecisionRecallArea => between(up, more, down, less, have),
                _ => less * (up + more / 2.0),
            };
            up += more;
            down += less;
        }
        // Divided once, at the end: equal areas are then equal to the last digit.
        if matches!(self, Self::Auc { .. }) {
            area /= have * have_not;
        }
        (area, have)
    }

    /// Figures of the labels that rows are called.
    fn of_calls(self, rows: &Rows<'_>, called: &[usize], labels: usize) -> f64 {
        // By label and call.
        let mut table = vec![vec![0.0; labels]; labels];
        for ((y, w), call) in rows.y.iter().zip(&rows.w).zip(called) {
            table[*y as usize][*call] += w;
        }
        let all: f64 = rows.w.iter().sum();
        let right = |k: usize| table[k][k];
        let have = |k: usize| -> f64 { table[k].iter().sum() };
        let calls = |k: usize| -> f64 { table.iter().map(|row| row[k]).sum() };
        let share = |part: f64, all: f64| if all > 0.0 { part / all } else { 0.0 };
        let f1 = |k: usize| share(2.0 * right(k), have(k) + calls(k));
        let met: f64 = (0..labels).map(right).sum();
        match self {
            Self::Precision => share(right(1), calls(1)),
            Self::Recall => share(right(1), have(1)),
            Self::F1 => f1(1),
            Self::F1Weighted => (0..labels).map(|k| have(k) * f1(k)).sum::<f64>() / all,
            Self::F1Macro | Self::BalancedAccuracy => {
                // Labels that neither occur nor are called do not count.
                let seen = (0..labels).filter(|k| match self {
                    Self::F1Macro => have(*k) + calls(*k) > 0.0,
                    _ => have(*k) > 0.0,
                });
                let each: Vec<f64> = seen
                    .map(|k| match self {
                        Self::F1Macro => f1(k),
                        _ => right(k) / have(k),
                    })
                    .collect();
                each.iter().sum::<f64>() / each.len() as f64
            }
            Self::Mcc => {
                let (mut both, mut own, mut their) = (0.0, 0.0, 0.0);
                for k in 0..labels {
                    both += have(k) * calls(k);
                    own += have(k) * have(k);
                    their += calls(k) * calls(k);
                }
                share(
                    met * all - both,
                    ((all * all - own) * (all * all - their)).sqrt(),
                )
            }
            _ => met / all,
        }
    }
}

/// A figure as an output: a list of one, or of none where there is none.
pub(crate) fn shown(figure: Option<f64>) -> Value {
    let known = figure.filter(|v| v.is_finite());
    run::numbers(&known.into_iter().collect::<Vec<f64>>())
}

/// A row whose label is looked for.
struct Scored {
    score: f64,
    has: bool,
    w: f64,
}

/// The area under precision over recall from `up` found and `down` called wrongly to `more` and `less`
/// beyond.
fn between(up: f64, more: f64, down: f64, less: f64, have: f64) -> f64 {
    if more <= 0.0 {
        return 0.0;
    }
    let step = less / more;
    let (a, b) = (1.0 + step, (down - step * up) / have);
    let (from, to) = (up / have, (up + more) / have);
    if b == 0.0 {
        (to - from) / a
    } else {
        (to - from - b / a * ((a * to + b).ln() - (a * from + b).ln())) / a
    }
}

/// Shares of the labels of a row.
fn shares(objective: Objective, f: &[Vec<f64>], row: usize, single: bool) -> Vec<f64> {
    let round = |v: f64| if single { f64::from(v as f32) } else { v };
    if f.len() == 1 {
        let p = round(objective.answer(f[0][row]));
        return vec![round(1.0 - p), p];
    }
    let sums = f.iter().map(|f| f[row]);
    match objective {
        Objective::OneVsAll => sums.map(|f| objective.answer(f)).collect(),
        _ => softmax(sums).into_iter().map(round).collect(),
    }
}

/// The mean of the logistic losses of each label, for sums that are one against all others.
fn one_vs_all(objective: Objective, y: f64, f: &[Vec<f64>], row: usize) -> Option<f64> {
    let loss = |k: usize| {
        let is = f64::from(u8::from(y == k as f64));
        Objective::Logistic.loss(is, f[k][row])
    };
    (objective == Objective::OneVsAll).then(|| (0..f.len()).map(loss).sum::<f64>() / f.len() as f64)
}

/// The label that a row is called: the likeliest, or of two the larger above `limit`.
fn called(shares: &[f64], limit: f64) -> usize {
    if shares.len() == 2 {
        return usize::from(shares[1] > limit);
    }
    let mut best = 0;
    for (k, p) in shares.iter().enumerate() {
        if *p > shares[best] {
            best = k;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use std::borrow::Cow;

    /// Rows of these targets with the weights ((3i mod 5) + 1)/2.
    fn rows(y: &[f64]) -> Rows<'static> {
        let w = (0..y.len()).map(|i| ((i * 3) % 5 + 1) as f64 / 2.0);
        Rows {
            x: Cow::Owned(Array2::zeros((y.len(), 1))),
            given: None,
            w: w.collect(),
            y: y.to_vec(),
        }
    }

    #[test]
    fn figures_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1, the functions of sklearn.metrics with sample_weight on y = ((7i mod 11) + 1)/4,
        // answers ((5i mod 9) + 2)/4, i = 0..11.
        let y: Vec<f64> = (0..12).map(|i| ((i * 7) % 11 + 1) as f64 / 4.0).collect();
        let f = [(0..12).map(|i| ((i * 5) % 9 + 2) as f64 / 4.0).collect()];
        let deviance = Metric::GammaDeviance {
            above: 0.0,
            summed: false,
        };
        for (metric, want) in [
            (Metric::R2, -0.08292621821370405),
            (Metric::SquaredError, 0.8821428571428571),
            (Metric::RootSquaredError, 0.9392246042043708),
            (
                Metric::LossOfAnswer(Objective::Absolute),
                0.8285714285714286,
            ),
            (Metric::PercentageError(f64::EPSILON), 0.8776004947433518),
            (Metric::SquaredLogError, 0.160977033787144),
            (Metric::RootSquaredLogError, 0.4012194334614713),
            (Metric::PoissonDeviance, 0.7285071440129097),
            (deviance, 0.7418674965565328),
        ] {
            let had = metric.value(Objective::Squared, &rows(&y), &f, false);
            assert!((had - want).abs() < 1e-12, "{metric:?} {had}");
        }
        // The same of labels (7i mod 3) mod 2 and log odds ((5i mod 9) - 4)/2, called above 0.5.
        let y: Vec<f64> = (0..12).map(|i| ((i * 7) % 3 % 2) as f64).collect();
        let f = [(0..12)
            .map(|i| (((i * 5) % 9) as f64 - 4.0) / 2.0)
            .collect()];
        for (metric, want) in [
            (Metric::Accuracy, 0.7428571428571429),
            (Metric::Error(0.5), 1.0 - 0.7428571428571429),
            (Metric::BalancedAccuracy, 0.73),
            (Metric::LogLoss(f64::EPSILON), 0.625999522077245),
            (Metric::Brier, 0.2217646927636646),
            (Metric::Auc { weighed: true }, 0.7),
            (Metric::AveragePrecision, 0.5892307692307692),
            (Metric::Precision, 0.5384615384615384),
            (Metric::Recall, 0.7),
            (Metric::F1, 0.6086956521739131),
            (Metric::F1Macro, 0.7086031452358927),
            (Metric::F1Weighted, 0.7514206422624554),
            (Metric::Mcc, 0.43007561540389033),
        ] {
            let had = metric.value(Objective::Logistic, &rows(&y), &f, false);
            assert!((had - want).abs() < 1e-12, "{metric:?} {had}");
        }
    }
}
