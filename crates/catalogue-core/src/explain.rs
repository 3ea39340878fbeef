//! What holds for any entry: which columns its score rests on, and how far its forecasts may err.
//!
//! **Permutation importance** (Breiman, Machine Learning 45, 2001; as scikit-learn's
//! `permutation_importance`): the score of given rows (R², or accuracy of labels) less the score when
//! one column is shuffled, over several shuffles. It is about the model and these rows: of columns
//! that say the same, each looks unimportant.
//!
//! **Conformal intervals** (Lei, G'Sell, Rinaldo, Tibshirani & Wasserman, JASA 113, 2018): the errors
//! on rows that a fit has not seen, added to its forecasts. With n such rows the interval of level
//! 1 - α is the forecast ± the ⌈(n+1)(1-α)⌉-th smallest absolute error. It holds the level when rows
//! are exchangeable. Rows of time are not: so the rows kept back are the last ones, whose errors
//! are nearest to those to come, and the coverage on the test rows is stated beside the level.
//! CV+ (Barber, Candès, Ramdas & Tibshirani, Annals of Statistics 49, 2021) loses no rows to that but
//! looks both ways in time.

use crate::design::Training;
use crate::entry::{FitFn, Fitted, ParamMap};
use crate::error::FitError;
use crate::score;
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::Task;
use ndarray::ArrayView2;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Importance of the columns, one a column each.
#[derive(Debug, Clone, PartialEq)]
pub struct Permutation {
    /// The score without shuffling: R² or accuracy.
    pub score: f64,
    /// Mean drop of the score.
    pub mean: Vec<f64>,
    /// Standard deviation of the drop over the shuffles (divisor: their number).
    pub std: Vec<f64>,
}

/// Shuffles each column `repeats` times.
///
/// # Errors
/// [`FitError::Data`] for less than one shuffle or when there is no score (one row, or an entry that
/// states positions only); those of the predictions.
pub fn permutation(
    model: &dyn Fitted,
    data: &Training,
    repeats: usize,
    seed: u64,
) -> Result<Permutation, FitError> {
    if !(1..=1000).contains(&repeats) {
        return Err(FitError::Data(format!(
            "{repeats} shuffles of a column: take 1 to 1000"
        )));
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..data.design().rows()).collect();
    // The same shuffles for every column.
    let orders = (0..repeats).map(|_| {
        order.shuffle(&mut random);
        order.clone()
    });
    by_orders(model, data, &orders.collect::<Vec<_>>())
}

fn by_orders(
    model: &dyn Fitted,
    data: &Training,
    orders: &[Vec<usize>],
) -> Result<Permutation, FitError> {
    let judge = |x: ArrayView2<'_, f64>| -> Result<f64, FitError> {
        let p = model.predict(x)?;
        let score = if data.task() == Task::Classification {
            score::accuracy(data.y(), &p.values)
        } else {
            score::r2(data.y(), &p.values)
        };
        score.ok_or_else(|| {
            FitError::Data(
                "there is no score of these rows to lose: importances need two rows and forecasts"
                    .into(),
            )
        })
    };
    let base = judge(data.x().view())?;
    let mut shuffled = data.x().clone();
    let (mut means, mut stds) = (Vec::new(), Vec::new());
    for column in 0..data.design().columns() {
        let mut drops = Vec::with_capacity(orders.len());
        for order in orders {
            for (to, from) in order.iter().enumerate() {
                shuffled[[to, column]] = data.x()[[*from, column]];
            }
            drops.push(base - judge(shuffled.view())?);
        }
        shuffled.column_mut(column).assign(&data.x().column(column));
        let n = drops.len() as f64;
        let mean = drops.iter().sum::<f64>() / n;
        let spread = drops.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / n;
        means.push(mean);
        stds.push(spread.sqrt());
    }
    Ok(Permutation {
        score: base,
        mean: means,
        std: stds,
    })
}

/// How the rows for conformal intervals are kept back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// This share of the training rows, the last ones, is not fitted on (split conformal).
    Split(f64),
    /// So many blocks of rows, each left out of one fit (CV+); as many as rows is the jackknife+.
    CvPlus(usize),
}

/// An interval a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// Probability that it states.
    pub level: f64,
    /// Lower ends.
    pub lower: Vec<f64>,
    /// Upper ends.
    pub upper: Vec<f64>,
}

impl Band {
    /// Share of the values that lie in their interval.
    #[must_use]
    pub fn coverage(&self, y: &[f64]) -> Option<f64> {
        let ends = self.lower.iter().zip(&self.upper);
        let inside = y.iter().zip(ends).filter(|(y, (l, u))| y >= l && y <= u);
        (!y.is_empty()).then(|| inside.count() as f64 / y.len() as f64)
    }

    /// Mean distance between the ends.
    #[must_use]
    pub fn width(&self) -> Option<f64> {
        let n = self.lower.len();
        let sum: f64 = self.upper.iter().zip(&self.lower).map(|(u, l)| u - l).sum();
        (n > 0).then(|| sum / n as f64)
    }
}

/// Conformal intervals of the rows `x`, one [`Band`] a level, around the forecasts of fits of their
/// own: of the rows that are not kept back, with the entry's parameters and seed.
///
/// # Errors
/// [`FitError::Data`] for labels, a level or a method out of its range, or fewer rows kept back than
/// the level needs; those of the fits.
pub fn conformal(
    fit: FitFn,
    params: &ParamMap,
    train: &Verified<Training>,
    x: ArrayView2<'_, f64>,
    levels: &[f64],
    method: Method,
    seed: u64,
) -> Result<Vec<Band>, FitError> {
    if train.get().task() == Task::Classification {
        return Err(FitError::Data(
            "prediction intervals are for numbers: labels have probabilities".into(),
        ));
    }
    if let Some(level) = levels.iter().find(|l| !(**l > 0.0 && **l < 1.0)) {
        return Err(FitError::Data(format!(
            "level {level} of an interval: it must be above 0 and below 1"
        )));
    }
    let n = train.get().y().len();
    let blocks: Vec<(usize, usize)> = match method {
        Method::Split(share) if share > 0.0 && share < 1.0 => {
            let kept = ((n as f64 * share).round() as usize).clamp(1, n.max(2) - 1);
            vec![(n - kept, n)]
        }
        Method::Split(share) => {
            return Err(FitError::Data(format!(
                "share {share} of the rows kept back: it must be above 0 and below 1"
            )));
        }
        Method::CvPlus(folds) if (2..=n).contains(&folds) => (0..folds)
            .map(|f| (f * n / folds, (f + 1) * n / folds))
            .collect(),
        Method::CvPlus(folds) => {
            return Err(FitError::Data(format!(
                "{folds} blocks of {n} rows: take 2 up to the number of rows"
            )));
        }
    };
    // Of each block: the errors on it, and what its fit says of the rows to judge.
    let mut parts: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for (from, to) in &blocks {
        let split = matches!(method, Method::Split(_));
        let (from, to) = (*from, *to);
        let learned: Vec<usize> = (0..n)
            .filter(|i| *i < from || (!split && *i >= to))
            .collect();
        let part = train.derive(
            "calibration",
            format!("without rows {} to {to}", from + 1),
            |t| t.rows(&learned),
        )?;
        let model = fit(params, &part, seed)?;
        let kept = train.get().rows(&(from..to).collect::<Vec<_>>())?;
        let said = model.predict(kept.x().view())?;
        if said.positions.is_some() {
            return Err(FitError::Data(
                "an entry that states positions makes no forecast to put an interval around".into(),
            ));
        }
        let pairs = kept.y().iter().zip(&said.values);
        let errors = pairs.map(|(y, p)| (y - p).abs()).collect();
        parts.push((errors, model.predict(x)?.values));
    }
    levels
        .iter()
        .map(|level| band(&parts, *level, x.nrows()))
        .collect()
}

/// The rank of the finite-sample quantile among n errors.
fn rank(n: usize, level: f64) -> Result<usize, FitError> {
    // The slack takes back the rounding of a level such as 0.9.
    let rank = ((n + 1) as f64 * level - 1e-9).ceil().max(1.0) as usize;
    if rank > n {
        return Err(FitError::Data(format!(
            "{n} rows kept back are too few for an interval of level {level}: it takes at least {}",
            (level / (1.0 - level) - 1e-9).ceil()
        )));
    }
    Ok(rank)
}

fn band(parts: &[(Vec<f64>, Vec<f64>)], level: f64, rows: usize) -> Result<Band, FitError> {
    let n = parts.iter().map(|(e, _)| e.len()).sum();
    let rank = rank(n, level)?;
    let mut band = Band {
        level,
        lower: Vec::with_capacity(rows),
        upper: Vec::with_capacity(rows),
    };
    let at = |ends: &mut [f64]| {
        let (_, end, _) = ends.select_nth_unstable_by(rank - 1, f64::total_cmp);
        *end
    };
    for row in 0..rows {
        let each = |side: f64| -> Vec<f64> {
            let ends = parts
                .iter()
                .flat_map(|(errors, said)| errors.iter().map(move |e| side * said[row] + e));
            ends.collect()
        };
        band.upper.push(at(&mut each(1.0)));
        band.lower.push(-at(&mut each(-1.0)));
    }
    Ok(band)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::model::{Outputs, Prediction, Predictor};
    use ndarray::Array2;

    /// 2a + b.
    struct Sum;

    impl Predictor for Sum {
        fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
            let values = x.rows().into_iter().map(|r| 2.0 * r[0] + r[1]);
            Ok(Prediction::values(values.collect()))
        }
        fn outputs(&self) -> Outputs {
            Outputs::new()
        }
    }

    impl Fitted for Sum {
        fn columns(&self) -> usize {
            3
        }
        fn save(&self) -> Result<Vec<u8>, FitError> {
            Ok(Vec::new())
        }
    }

    fn table() -> Training {
        let x = Array2::from_shape_fn((4, 3), |(i, j)| {
            [[1., 5., 9.], [2., 7., 9.], [4., 6., 8.], [3., 9., 8.]][i][j]
        });
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        Training::regression(Design::new(x, names).unwrap(), vec![7., 12., 14., 15.]).unwrap()
    }

    // By hand. Predictions 7 11 14 15, mean of y 12, SST 38, R² 1 - 1/38. Rows in the order 1 0 3 2:
    // column a gives 9 9 12 17, SSE 4+9+4+4 = 21; column b 9 9 17 12, SSE 4+9+9+9 = 31. In the order
    // as it is nothing drops.
    #[test]
    fn the_drop_of_the_score_by_hand() {
        let data = table();
        let orders = [vec![1, 0, 3, 2], vec![0, 1, 2, 3]];
        let got = by_orders(&Sum, &data, &orders).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-14, "{a} is not {b}");
        near(got.score, 37.0 / 38.0);
        for (j, drop) in [20.0 / 38.0, 30.0 / 38.0, 0.0].into_iter().enumerate() {
            near(got.mean[j], drop / 2.0);
            near(got.std[j], drop / 2.0);
        }
        let drawn = permutation(&Sum, &data, 50, 3).unwrap();
        assert_eq!(drawn.mean[2], 0.0);
        assert!(drawn.mean[0] > 0.1 && drawn.mean[1] > 0.1);
        assert_eq!(drawn, permutation(&Sum, &data, 50, 3).unwrap());
        assert!(permutation(&Sum, &data, 0, 3).is_err());
    }

    #[test]
    fn ranks_by_hand() {
        // ⌈10 · 0.9⌉ = 9 of 9; ⌈20 · 0.9⌉ = 18; 8 rows are too few: 9 · 0.9 = 8.1.
        assert_eq!(rank(9, 0.9), Ok(9));
        assert_eq!(rank(19, 0.9), Ok(18));
        assert_eq!(rank(99, 0.95), Ok(95));
        let refused = rank(8, 0.9).unwrap_err().to_string();
        assert!(refused.contains("at least 9"), "{refused}");
    }

    #[test]
    fn ends_by_hand() {
        // One part, errors 1 2 3 4, forecast 10: level 0.6 is rank 3.
        let one = vec![(vec![4.0, 1.0, 3.0, 2.0], vec![10.0])];
        let got = band(&one, 0.6, 1).unwrap();
        assert_eq!((got.lower, got.upper), (vec![7.0], vec![13.0]));
        // Two parts (CV+): upper ends 11 13 22 24, lower ends 9 7 18 16; rank 3 from each side.
        let two = vec![(vec![1.0, 3.0], vec![10.0]), (vec![2.0, 4.0], vec![20.0])];
        let got = band(&two, 0.6, 1).unwrap();
        assert_eq!(
            (got.lower.clone(), got.upper.clone()),
            (vec![9.0], vec![22.0])
        );
        assert_eq!(got.coverage(&[10.0]), Some(1.0));
        assert_eq!(got.coverage(&[30.0]), Some(0.0));
        assert_eq!(got.width(), Some(13.0));
    }
}
