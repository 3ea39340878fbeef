//! Figures of forecasts, and grades by the scale of the documentation.

use mltrainer_types::finite;
use mltrainer_types::trial::{Metrics, Target};

/// Forecasts and what came true, as columns of equal length.
#[derive(Debug, Clone, Copy)]
pub struct Forecasts<'a> {
    /// What was forecast.
    pub target: Target,
    /// The forecast; for direction the probability of a rise.
    pub predicted: &'a [f64],
    /// What came true; for direction 1 or 0.
    pub actual: &'a [f64],
    /// The quantity as last known when the forecast was made.
    pub known: &'a [f64],
}

/// All figures that make sense for the target; the others are `None`. Empty columns give all `None`.
///
/// For direction, `mse`, `rmse`, `mae` and `r2` are those of the probability (`mse` is the Brier
/// score). `mape` exists where the actual values are all above zero: price and, unless a bar did
/// not move at all, range. `price_change_accuracy` exists for return and price.
#[must_use]
pub fn all(f: &Forecasts<'_>) -> Metrics {
    let mse = mse(f.predicted, f.actual);
    let mut m = Metrics::new();
    let mut put = |name: &str, value: Option<f64>| {
        m.insert(name.to_owned(), value.and_then(finite));
    };
    put("mse", mse);
    put("rmse", mse.map(f64::sqrt));
    put("mae", mae(f.predicted, f.actual));
    put("r2", r2(f.predicted, f.actual));
    let hits = hits(f);
    put("directional_accuracy", mean(hits.iter().flatten().copied()));
    put("information_coefficient", information_coefficient(f));
    if f.target == Target::Direction {
        put("accuracy", accuracy(f.predicted, f.actual));
        put("auc", auc(f.predicted, f.actual));
        put("log_loss", log_loss(f.predicted, f.actual));
        put("brier", mse);
        return m;
    }
    let ratio_scale = matches!(f.target, Target::Price | Target::Range);
    put(
        "mape",
        if ratio_scale {
            mape(f.predicted, f.actual)
        } else {
            None
        },
    );
    let change_scale = match f.target {
        Target::Return => price_change_accuracy(f.predicted, f.actual),
        Target::Price => {
            price_change_accuracy(&less(f.predicted, f.known), &less(f.actual, f.known))
        }
        _ => None,
    };
    put("price_change_accuracy", change_scale);
    if f.target == Target::Price {
        let level = mean(f.actual.iter().copied());
        put(
            "rmse_percent_of_price",
            mse.zip(level).map(|(s, l)| 100.0 * s.sqrt() / l),
        );
    }
    m
}

/// Mean squared error; `None` without rows.
#[must_use]
pub fn mse(predicted: &[f64], actual: &[f64]) -> Option<f64> {
    mean(predicted.iter().zip(actual).map(|(p, a)| (p - a).powi(2)))
}

/// Mean absolute error; `None` without rows.
#[must_use]
pub fn mae(predicted: &[f64], actual: &[f64]) -> Option<f64> {
    mean(predicted.iter().zip(actual).map(|(p, a)| (p - a).abs()))
}

/// Share of the variance about the mean of the actual values that is explained; below zero when
/// that mean would have been the better forecast. `None` when the actual values do not vary.
#[must_use]
pub fn r2(predicted: &[f64], actual: &[f64]) -> Option<f64> {
    let centre = mean(actual.iter().copied())?;
    let total: f64 = actual.iter().map(|a| (a - centre).powi(2)).sum();
    let left: f64 = predicted
        .iter()
        .zip(actual)
        .map(|(p, a)| (p - a).powi(2))
        .sum();
    (total > 0.0).then(|| 1.0 - left / total)
}

/// Mean absolute error as a share of the actual value; `None` unless every one is above zero.
#[must_use]
pub fn mape(predicted: &[f64], actual: &[f64]) -> Option<f64> {
    if actual.iter().any(|a| *a <= 0.0) {
        return None;
    }
    mean(predicted.iter().zip(actual).map(|(p, a)| (p - a).abs() / a))
}

/// `1 - sum |forecast change - change| / sum |change|`: 1 is perfect, 0 is as good as forecasting
/// no change, below zero is worse. `None` when nothing changed.
#[must_use]
pub fn price_change_accuracy(predicted_change: &[f64], change: &[f64]) -> Option<f64> {
    let moved: f64 = change.iter().map(|c| c.abs()).sum();
    let missed: f64 = predicted_change
        .iter()
        .zip(change)
        .map(|(p, c)| (p - c).abs())
        .sum();
    (moved > 0.0).then(|| 1.0 - missed / moved)
}

/// For each row whether the direction was right: 1 right, 0 wrong, 0.5 for a forecast without a
/// direction (a toss of a coin), `None` where the quantity did not move, so that no direction
/// could have been right.
///
/// Direction is the sign of a return; of the change against the last known value for volatility,
/// range and price; and the more probable class for direction, where every row counts.
#[must_use]
pub fn hits(f: &Forecasts<'_>) -> Vec<Option<f64>> {
    let verdict = |forecast: f64, truth: f64| {
        if truth == 0.0 {
            None
        } else if forecast == 0.0 {
            Some(0.5)
        } else {
            Some(f64::from(u8::from((forecast > 0.0) == (truth > 0.0))))
        }
    };
    let rows = f.predicted.iter().zip(f.actual).zip(f.known);
    match f.target {
        Target::Return => rows.map(|((p, a), _)| verdict(*p, *a)).collect(),
        Target::Direction => rows.map(|((p, a), _)| verdict(p - 0.5, a - 0.5)).collect(),
        _ => rows.map(|((p, a), k)| verdict(p - k, a - k)).collect(),
    }
}

/// Spearman's rank correlation of forecast and outcome; for price, of the relative changes against
/// the last close, because levels correlate whatever is forecast. `None` when one of them does not
/// vary.
#[must_use]
pub fn information_coefficient(f: &Forecasts<'_>) -> Option<f64> {
    if f.target == Target::Price {
        let change = |level: &[f64]| -> Vec<f64> {
            level
                .iter()
                .zip(f.known)
                .map(|(l, k)| l / k - 1.0)
                .collect()
        };
        spearman(&change(f.predicted), &change(f.actual))
    } else {
        spearman(f.predicted, f.actual)
    }
}

/// Spearman's rank correlation, ties at their mean rank; `None` when one side does not vary.
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

/// Pearson's correlation; `None` when one side does not vary.
#[must_use]
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let (ma, mb) = (mean(a.iter().copied())?, mean(b.iter().copied())?);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - ma) * (y - mb);
        aa += (x - ma).powi(2);
        bb += (y - mb).powi(2);
    }
    (aa > 0.0 && bb > 0.0).then(|| ab / (aa.sqrt() * bb.sqrt()))
}

/// Share of rows where the more probable class came true (a probability of one half says 0).
#[must_use]
pub fn accuracy(probability: &[f64], actual: &[f64]) -> Option<f64> {
    mean(
        probability
            .iter()
            .zip(actual)
            .map(|(p, a)| f64::from(u8::from((*p > 0.5) == (*a > 0.5)))),
    )
}

/// Area under the ROC curve: the chance that a rise had the higher probability than a fall, ties
/// counted half. `None` when only one class came true.
#[must_use]
pub fn auc(probability: &[f64], actual: &[f64]) -> Option<f64> {
    let up = actual.iter().filter(|a| **a > 0.5).count() as f64;
    let down = actual.len() as f64 - up;
    if up == 0.0 || down == 0.0 {
        return None;
    }
    let rank_sum: f64 = ranks(probability)
        .iter()
        .zip(actual)
        .filter(|(_, a)| **a > 0.5)
        .map(|(r, _)| r)
        .sum();
    Some((rank_sum - up * (up + 1.0) / 2.0) / (up * down))
}

/// Mean negative log likelihood; probabilities are kept 1e-15 away from 0 and 1.
#[must_use]
pub fn log_loss(probability: &[f64], actual: &[f64]) -> Option<f64> {
    mean(probability.iter().zip(actual).map(|(p, a)| {
        let p = p.clamp(1e-15, 1.0 - 1e-15);
        if *a > 0.5 { -p.ln() } else { -(1.0 - p).ln() }
    }))
}

/// Ranks from 1, ties at their mean rank.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        let mean_rank = (start + 1 + end) as f64 / 2.0;
        for &i in &order[start..end] {
            ranks[i] = mean_rank;
        }
        start = end;
    }
    ranks
}

fn less(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(x, y)| x - y).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut n, mut sum) = (0usize, 0.0);
    for v in values {
        n += 1;
        sum += v;
    }
    (n > 0).then(|| sum / n as f64)
}

/// The word of the documentation's scale for the figure that matters for the target: directional
/// accuracy for return and direction, R2 for volatility and range, the error in percent of the
/// price for price. `None` when that figure does not exist.
#[must_use]
pub fn grade(target: Target, metrics: &Metrics) -> Option<&'static str> {
    let figure = |name: &str| metrics.get(name).copied().flatten();
    match target {
        Target::Return | Target::Direction => {
            figure("directional_accuracy").map(|v| scale(v, [0.65, 0.58, 0.52]))
        }
        Target::LogVolatility | Target::Range => figure("r2").map(|v| scale(v, [0.3, 0.15, 0.05])),
        Target::Price => figure("rmse_percent_of_price").map(|v| scale(-v, [-2.0, -5.0, -10.0])),
    }
}

/// The best step is above its bound, the others reach it: "> 0.3", "0.15-0.3", "0.05-0.15".
fn scale(value: f64, [excellent, good, acceptable]: [f64; 3]) -> &'static str {
    if value > excellent {
        "excellent"
    } else if value >= good {
        "good"
    } else if value >= acceptable {
        "acceptable"
    } else {
        "poor"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Option<f64>, b: f64) {
        let a = a.unwrap();
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn regression_figures_by_hand() {
        // Errors 1, -1, 2, 0: squares 1 1 4 0 -> 1.5; absolute 1 1 2 0 -> 1.
        // Mean of the actual values 2.5, squares about it 2.25 .25 .25 2.25 = 5 -> r2 = 1 - 6/5.
        let (p, a) = ([2.0, 1.0, 5.0, 4.0], [1.0, 2.0, 3.0, 4.0]);
        close(mse(&p, &a), 1.5);
        close(mae(&p, &a), 1.0);
        close(r2(&p, &a), -0.2);
        // 1/1 + 1/2 + 2/3 + 0 over 4.
        close(mape(&p, &a), (1.0 + 0.5 + 2.0 / 3.0) / 4.0);
        assert_eq!(r2(&[1.0, 2.0], &[3.0, 3.0]), None);
        assert_eq!(mape(&p, &[1.0, 0.0, 3.0, 4.0]), None);
        assert_eq!(mse(&[], &[]), None);
    }

    #[test]
    fn rank_correlation_with_ties() {
        // scipy.stats.spearmanr([1, 2, 2, 3, 5], [2, 1, 4, 3, 5]).statistic, scipy 1.15;
        // by hand: ranks 1 2.5 2.5 4 5 and 2 1 4 3 5: centred products sum to 6.5,
        // squares to 9.5 and 10 -> 6.5 / sqrt(95).
        let ic = spearman(&[1.0, 2.0, 2.0, 3.0, 5.0], &[2.0, 1.0, 4.0, 3.0, 5.0]);
        close(ic, 6.5 / 95f64.sqrt());
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn direction_of_return_and_of_change() {
        let f = Forecasts {
            target: Target::Return,
            predicted: &[0.1, -0.1, 0.0, 0.2],
            actual: &[0.2, 0.1, 0.1, 0.0],
            known: &[0.0; 4],
        };
        assert_eq!(hits(&f), vec![Some(1.0), Some(0.0), Some(0.5), None]);
        close(all(&f)["directional_accuracy"], 0.5);
        // Against a last close of 10: forecast up and up; down and up.
        let f = Forecasts {
            target: Target::Price,
            predicted: &[11.0, 9.0],
            actual: &[12.0, 11.0],
            known: &[10.0, 10.0],
        };
        assert_eq!(hits(&f), vec![Some(1.0), Some(0.0)]);
        // Changes forecast 1, -1; true 2, 1: missed 1 + 2 of 3.
        close(all(&f)["price_change_accuracy"], 0.0);
        // rmse = sqrt((1 + 4) / 2), mean price 11.5.
        close(
            all(&f)["rmse_percent_of_price"],
            100.0 * 2.5f64.sqrt() / 11.5,
        );
    }

    #[test]
    fn class_figures_by_hand() {
        let (p, a) = ([0.9, 0.4, 0.6, 0.4], [1.0, 0.0, 0.0, 1.0]);
        close(accuracy(&p, &a), 0.5);
        // scikit-learn 1.7 gives the same: roc_auc_score .625, log_loss .61219, brier .2225.
        // Pairs rise-fall: .9>.4, .9>.6, .4=.4, .4<.6 -> 2.5 of 4.
        close(auc(&p, &a), 0.625);
        close(mse(&p, &a), (0.01 + 0.16 + 0.36 + 0.36) / 4.0);
        let by_hand = -(0.9f64.ln() + 0.6f64.ln() + 0.4f64.ln() + 0.4f64.ln()) / 4.0;
        close(log_loss(&p, &a), by_hand);
        assert_eq!(auc(&p, &[1.0; 4]), None);
        assert!(log_loss(&[0.0], &[1.0]).unwrap().is_finite());
    }

    #[test]
    fn grades_follow_the_documented_scale() {
        let with = |name: &str, v: f64| Metrics::from([(name.to_owned(), Some(v))]);
        for (v, word) in [
            (0.31, "excellent"),
            (0.3, "good"),
            (0.15, "good"),
            (0.05, "acceptable"),
            (0.04, "poor"),
        ] {
            assert_eq!(grade(Target::Range, &with("r2", v)), Some(word), "r2 {v}");
        }
        for (v, word) in [
            (0.66, "excellent"),
            (0.58, "good"),
            (0.52, "acceptable"),
            (0.5, "poor"),
        ] {
            assert_eq!(
                grade(Target::Direction, &with("directional_accuracy", v)),
                Some(word)
            );
        }
        for (v, word) in [
            (1.9, "excellent"),
            (2.0, "good"),
            (5.0, "good"),
            (10.0, "acceptable"),
            (10.1, "poor"),
        ] {
            assert_eq!(
                grade(Target::Price, &with("rmse_percent_of_price", v)),
                Some(word)
            );
        }
        assert_eq!(grade(Target::Price, &Metrics::new()), None);
    }
}
