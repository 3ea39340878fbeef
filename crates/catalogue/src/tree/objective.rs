//! What boosted trees minimise: gradients, hessians, starts, losses and links.

use mltrainer_catalogue_core::Explained;
use serde::{Deserialize, Serialize};

/// A loss of a sum f of trees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Objective {
    /// (y - f)²/2.
    Squared,
    /// |y - f|; leaves are set to the median of what is left. A row that is met has no slope.
    Absolute,
    /// The same; a row that is met counts as above (scikit-learn).
    AbsoluteUp,
    /// Pinball loss of a quantile; leaves are set to the quantile of what is left. A row that is met
    /// counts as below.
    Quantile(f64),
    /// The same; a row that is met counts as above (scikit-learn).
    QuantileUp(f64),
    /// Squared up to δ, linear beyond.
    Huber(f64),
    /// δ² (√(1 + ((y-f)/δ)²) - 1).
    PseudoHuber(f64),
    /// c² (|r|/c - ln(1 + |r|/c)), r = y - f.
    Fair(f64),
    /// ln cosh(y - f).
    LogCosh,
    /// (y - f)², times a where y is above f and times 1 - a where it is below.
    Expectile(f64),
    /// |y - f| to that power.
    Power(f64),
    /// |y - f| / max(1, |y|); leaves are set to the weighted median of what is left.
    Mape,
    /// e^f - y f; the hessian is times e^step.
    Poisson(f64),
    /// y e^-f + f.
    Gamma,
    /// Tweedie's deviance of that power with log link.
    Tweedie(f64),
    /// ln(1 + e^f) - y f.
    Logistic,
    /// -ln softmax, the hessian times that factor.
    Softmax(f64),
    /// Of each label against all others, as `Logistic`.
    OneVsAll,
}

pub(crate) fn sigmoid(f: f64) -> f64 {
    1.0 / (1.0 + (-f).exp())
}

/// ln(1 + e^f) without overflow.
fn softplus(f: f64) -> f64 {
    f.max(0.0) + (-f.abs()).exp().ln_1p()
}

impl Objective {
    /// Why a target does not fit, if it does not.
    pub(crate) fn refuses(self, y: &[f64]) -> Option<String> {
        let (bad, rule): (fn(f64) -> bool, _) = match self {
            Self::Poisson(_) | Self::Tweedie(_) => (|v| v < 0.0, "at least 0"),
            Self::Gamma => (|v| v <= 0.0, "above 0"),
            _ => return None,
        };
        if let Some(row) = y.iter().position(|v| bad(*v)) {
            return Some(format!(
                "target row {}: {} is refused by this loss, it must be {rule}",
                row + 1,
                y[row]
            ));
        }
        (y.iter().sum::<f64>() <= 0.0)
            .then(|| "every target is 0, which this loss does not take".to_owned())
    }

    /// Gradient and hessian at f; of the softmax, those of class `k` with share `p`.
    pub(crate) fn slope(self, y: f64, f: f64) -> (f64, f64) {
        let r = f - y;
        match self {
            Self::Squared => (r, 1.0),
            Self::Absolute => (sign(r), 1.0),
            Self::AbsoluteUp => (if r > 0.0 { 1.0 } else { -1.0 }, 1.0),
            Self::Quantile(a) => (if r >= 0.0 { 1.0 - a } else { -a }, 1.0),
            Self::QuantileUp(a) => (if r > 0.0 { 1.0 - a } else { -a }, 1.0),
            Self::Huber(d) => (r.clamp(-d, d), 1.0),
            Self::PseudoHuber(d) => {
                let scale = 1.0 + (r / d).powi(2);
                (r / scale.sqrt(), 1.0 / (scale * scale.sqrt()))
            }
            Self::Fair(c) => {
                let down = r.abs() + c;
                (c * r / down, c * c / (down * down))
            }
            Self::LogCosh => (r.tanh(), 1.0 - r.tanh().powi(2)),
            Self::Expectile(a) => {
                let twice = 2.0 * if r < 0.0 { a } else { 1.0 - a };
                (twice * r, twice)
            }
            Self::Power(q) => {
                let size = r.abs();
                (
                    q * sign(r) * size.powf(q - 1.0),
                    q * (q - 1.0) * size.powf(q - 2.0),
                )
            }
            Self::Mape => (sign(r) * mape_weight(y), 1.0),
            Self::Poisson(step) => (f.exp() - y, (f + step).exp()),
            Self::Gamma => (1.0 - y * (-f).exp(), y * (-f).exp()),
            Self::Tweedie(rho) => {
                let (a, b) = (((1.0 - rho) * f).exp(), ((2.0 - rho) * f).exp());
                (-y * a + b, -y * (1.0 - rho) * a + (2.0 - rho) * b)
            }
            Self::Logistic => {
                let p = sigmoid(f);
                (p - y, (p * (1.0 - p)).max(1e-16))
            }
            Self::Softmax(_) | Self::OneVsAll => (0.0, 1.0),
        }
    }

    /// Gradient and hessian of one sum in single precision, in XGBoost's order of operations: which of
    /// two cuts gains more may hang on the last digit.
    pub(crate) fn single_slope(self, y: f32, f: f32) -> (f32, f32) {
        let r = f - y;
        match self {
            Self::Squared => (r, 1.0),
            Self::PseudoHuber(d) => {
                let d = d as f32;
                let root = (1.0 + (r * r) / (d * d)).sqrt();
                (r / root, (d * d) / ((d * d + r * r) * root))
            }
            Self::Quantile(a) => (
                if r >= 0.0 {
                    1.0 - a as f32
                } else {
                    -(a as f32)
                },
                1.0,
            ),
            Self::Poisson(step) => (f.exp() - y, (f + step as f32).exp()),
            Self::Gamma => {
                let ratio = y / f.exp();
                (1.0 - ratio, ratio)
            }
            Self::Tweedie(rho) => {
                let (one, two) = (1.0 - rho as f32, 2.0 - rho as f32);
                let (a, b) = ((one * f).exp(), (two * f).exp());
                (-y * a + b, -y * one * a + two * b)
            }
            Self::Logistic => {
                let p = 1.0 / ((-f).min(88.7).exp() + 1.0 + 1e-16);
                (p - y, (p * (1.0 - p)).max(1e-16))
            }
            _ => {
                let (g, h) = self.slope(y.into(), f.into());
                (g as f32, h as f32)
            }
        }
    }

    /// Whether slopes take powers, which are slow.
    pub(crate) fn has_powers(self) -> bool {
        matches!(
            self,
            Self::Poisson(_)
                | Self::Gamma
                | Self::Tweedie(_)
                | Self::Logistic
                | Self::Softmax(_)
                | Self::OneVsAll
        )
    }

    /// The quantile that leaves are set to, for losses whose hessian says nothing.
    pub(crate) fn renewed(self) -> Option<f64> {
        match self {
            Self::Absolute | Self::AbsoluteUp | Self::Mape => Some(0.5),
            Self::Quantile(a) | Self::QuantileUp(a) => Some(a),
            _ => None,
        }
    }

    /// Loss of a row; of the softmax, f is the log share of the row's label.
    pub(crate) fn loss(self, y: f64, f: f64) -> f64 {
        let r = y - f;
        match self {
            Self::Squared => r * r / 2.0,
            Self::Absolute | Self::AbsoluteUp => r.abs(),
            Self::Quantile(a) | Self::QuantileUp(a) => {
                if r >= 0.0 {
                    a * r
                } else {
                    (a - 1.0) * r
                }
            }
            Self::Huber(d) if r.abs() <= d => r * r / 2.0,
            Self::Huber(d) => d * (r.abs() - d / 2.0),
            Self::PseudoHuber(d) => d * d * ((1.0 + (r / d).powi(2)).sqrt() - 1.0),
            Self::Fair(c) => c * c * (r.abs() / c - (r.abs() / c).ln_1p()),
            Self::LogCosh => r.abs() + (-2.0 * r.abs()).exp().ln_1p() - std::f64::consts::LN_2,
            Self::Expectile(a) => r * r * if r > 0.0 { a } else { 1.0 - a },
            Self::Power(q) => r.abs().powf(q),
            Self::Mape => r.abs() / y.abs().max(1.0),
            Self::Poisson(_) => f.exp() - y * f,
            Self::Gamma => y * (-f).exp() + f,
            Self::Tweedie(rho) => {
                -y * ((1.0 - rho) * f).exp() / (1.0 - rho) + ((2.0 - rho) * f).exp() / (2.0 - rho)
            }
            Self::Logistic => softplus(f) - y * f,
            Self::Softmax(_) | Self::OneVsAll => -f,
        }
    }

    /// From the sum of trees to the answer.
    pub(crate) fn answer(self, f: f64) -> f64 {
        match self {
            Self::Poisson(_) | Self::Gamma | Self::Tweedie(_) => f.exp(),
            Self::Logistic | Self::OneVsAll => sigmoid(f),
            _ => f,
        }
    }

    /// What the sum of trees is.
    pub(crate) fn sum_is(self) -> Explained {
        match self {
            Self::Poisson(_) | Self::Gamma | Self::Tweedie(_) => Explained::LogValue,
            Self::Logistic => Explained::LogOdds,
            Self::Softmax(_) | Self::OneVsAll => Explained::Score,
            _ => Explained::Value,
        }
    }

    /// From an answer to the sum of trees.
    pub(crate) fn link(self, answer: f64) -> f64 {
        match self {
            Self::Poisson(_) | Self::Gamma | Self::Tweedie(_) => answer.ln(),
            Self::Logistic => (answer / (1.0 - answer)).ln(),
            _ => answer,
        }
    }
}

/// What a row of mape counts for, in single precision as LightGBM keeps it.
pub(crate) fn mape_weight(y: f64) -> f64 {
    f64::from(1.0 / (y.abs() as f32).max(1.0))
}

/// The same times the weight of the row.
pub(crate) fn weighed_mape(y: f64, w: f64) -> f64 {
    f64::from(mape_weight(y) as f32 * w as f32)
}

fn sign(r: f64) -> f64 {
    if r > 0.0 {
        1.0
    } else if r < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// Shares of scores.
pub(crate) fn softmax(scores: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let top = scores.clone().fold(f64::NEG_INFINITY, f64::max);
    let each: Vec<f64> = scores.map(|s| (s - top).exp()).collect();
    let sum: f64 = each.iter().sum();
    each.into_iter().map(|e| e / sum).collect()
}

/// The value, of pairs with a weight, at or under which at least that share of the weight lies.
pub(crate) fn quantile_below(pairs: &mut [(f64, f64)], share: f64) -> f64 {
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = share * pairs.iter().map(|p| p.1).sum::<f64>();
    let mut sum = 0.0;
    let found = pairs.iter().find(|(_, w)| {
        sum += w;
        sum >= wanted
    });
    found.or(pairs.last()).map_or(0.0, |(v, _)| *v)
}

/// The same with weights added up in single precision (XGBoost).
pub(crate) fn single_quantile_below(pairs: &mut [(f64, f64)], share: f64) -> f64 {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut sum = 0.0_f32;
    let sums: Vec<f32> = pairs
        .iter()
        .map(|(_, w)| {
            sum += *w as f32;
            sum
        })
        .collect();
    let wanted = (f64::from(sum) * share) as f32;
    let at = sums.partition_point(|s| *s < wanted);
    let found = pairs.get(at).or(pairs.last());
    found.map_or(0.0, |(v, _)| *v)
}

/// LightGBM's quantile of pairs with a weight: on the way to the first value past the share when that
/// weighs 1 or more, else the value before it; the ends are values.
pub(crate) fn quantile_past(pairs: &mut [(f64, f64)], share: f64) -> f64 {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut sum = 0.0;
    let sums: Vec<f64> = pairs
        .iter()
        .map(|(_, w)| {
            sum += w;
            sum
        })
        .collect();
    let Some(last) = sums.len().checked_sub(1) else {
        return 0.0;
    };
    let wanted = sums[last] * share;
    let at = sums.partition_point(|s| *s <= wanted).min(last);
    if at == 0 || at == last {
        return pairs[at].0;
    }
    let own = sums[at] - sums[at - 1];
    let (low, high) = (pairs[at - 1].0, pairs[at].0);
    if own >= 1.0 {
        (wanted - sums[at - 1]) / own * (high - low) + low
    } else {
        low
    }
}

/// XGBoost's quantile: between the values at the ranks around share · (n + 1).
pub(crate) fn quantile_of_one_more(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len() as f64;
    if sorted.is_empty() {
        return 0.0;
    }
    if share <= 1.0 / (n + 1.0) {
        return sorted[0];
    }
    if share >= n / (n + 1.0) {
        return sorted[sorted.len() - 1];
    }
    let at = share * (n + 1.0) - 1.0;
    let low = at.floor() as usize;
    sorted[low] + (at - low as f64) * (sorted[low + 1] - sorted[low])
}

/// The quantile between neighbours, as numpy's percentile.
pub(crate) fn quantile_between(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = share * (sorted.len() - 1) as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}
