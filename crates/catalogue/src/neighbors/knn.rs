//! k nearest neighbours.
//!
//! What: the mean of the targets, or the shares of the labels, of the nearest training rows.
//! Formula: ŷ = Σ wᵢ yᵢ / Σ wᵢ over the k nearest rows; w = 1 or 1/distance.
//! Data: columns of like scale, since the distance adds them up.
//! Cost: fit O(n p), predict O(rows n p).
//! Fails when: columns are many: all rows are then about equally far.
//! Source: Fix & Hodges (1951); Cover & Hart (1967).
//! Not claimed: forecasts outside the targets of training.

use super::engine::{Distance, Metric, nearest};
use super::measure::{Turn, measure};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, ParamError, Prediction, Predictor, Supervised,
    Training, choices, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The handle.
pub struct Knn;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Knn>().as_first_choice();

choices! {
    /// How much a neighbour counts.
    pub enum Weights {
        /// All the same.
        Uniform = "uniform",
        /// By the inverse of its distance; rows at distance 0 alone count when there are any.
        Distance = "distance",
    }
}

params! {
    /// Parameters of the nearest neighbours.
    pub struct KnnParams {
        /// Number of neighbours that answer; at most as many as there are training rows.
        n_neighbors: usize = 5, at_least(1.0);
        /// uniform: all count the same; distance: by the inverse of the distance.
        weights: Weights = Weights::Uniform;
        /// How far two rows are from each other.
        metric: Metric = Metric::Minkowski;
        /// Power of minkowski: 1 is Manhattan, 2 Euclidean.
        p: f64 = 2.0, within(1.0, 100.0);
        /// Numbers of the metric, joined with commas: minkowski takes a weight a column, seuclidean a variance a column (none: those of the rows), mahalanobis the inverse covariance row after row (none: that of the rows).
        metric_params: Option<Vec<f64>> = None;
    }
}

/// Fitted state: the training rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    n_neighbors: usize,
    by_distance: bool,
    metric: Distance,
    /// What rows are turned by before they are measured.
    #[serde(default)]
    turn: Turn,
    columns: usize,
    /// Turned, or else those of the training table itself; row after row where they are written.
    #[serde(with = "row_after_row")]
    rows: Arc<Array2<f64>>,
    /// The value, or the index of the label.
    y: Vec<f64>,
    classes: Vec<i64>,
}

const CARD: Card = Card {
    id: "knn",
    family: "neighbors",
    title: "k nearest neighbours",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "Answers with the mean of the targets, or the shares of the labels, of the training rows that are nearest to the row asked for.",
    formula: "N = the n_neighbors rows with the least distance, (Σⱼ |xⱼ - tⱼ|^p)^(1/p) unless metric says another, the earlier row in a tie; ŷ = Σ_N wᵢ yᵢ/Σ_N wᵢ, P(k) = Σ_N wᵢ [yᵢ = k]/Σ_N wᵢ; wᵢ = 1 or 1/distance",
    data: "Columns of like scale: the distance adds them up, nothing is rescaled inside.",
    cost: "fit O(n p), predict O(rows · n · p)",
    fails_when: "Columns are many (all rows are then about equally far) or of different units (the largest decides).",
    not_claimed: "Forecasts outside the targets of the training rows.",
    source: "E. Fix, J. L. Hodges, Discriminatory analysis: nonparametric discrimination (1951); T. Cover, P. Hart, Nearest neighbor pattern classification, IEEE Trans. Inf. Theory 13 (1967)",
    reference: "scikit-learn 1.9.1, KNeighborsRegressor and KNeighborsClassifier",
    outputs: &[],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "scikit-learn 1.9.1",
            cases: "knn-5-uniform-spx-std, knn-10-distance-spx-std, knn-7-uniform-aapl-std, knn-5-uniform-spx-cls, knn-9-distance-spx-cls3",
            tolerance: "predictions and probabilities 1e-8, equal labels",
        },
        Evidence {
            against: "scikit-learn 1.9.1",
            cases: "a test of this entry: metrics correlation, canberra, braycurtis, cosine, sqeuclidean, and with metric_params minkowski, seuclidean, mahalanobis",
            tolerance: "predictions 1e-10",
        },
    ],
    presets: &[
        Preset {
            id: "knn_3",
            title: "3 nearest neighbours",
            set: &[("n_neighbors", "3")],
        },
        Preset {
            id: "knn_5",
            title: "5 nearest neighbours",
            set: &[("n_neighbors", "5")],
        },
        Preset {
            id: "knn_7",
            title: "7 nearest neighbours",
            set: &[("n_neighbors", "7")],
        },
        Preset {
            id: "knn_10",
            title: "10 nearest neighbours",
            set: &[("n_neighbors", "10")],
        },
    ],
    exemptions: &[],
};

/// The rows in a file: one list.
mod row_after_row {
    use ndarray::Array2;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::sync::Arc;

    pub(super) fn serialize<S: Serializer>(rows: &Array2<f64>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(rows)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Arc<Array2<f64>>, D::Error> {
        let all = Vec::<f64>::deserialize(d)?;
        let rows = Array2::from_shape_vec((1, all.len()), all);
        rows.map(Arc::new).map_err(D::Error::custom)
    }
}

impl Supervised for Knn {
    type Params = KnnParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(params: &KnnParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        if params.n_neighbors > data.y().len() {
            return Err(FitError::Param(ParamError {
                field: "n_neighbors".into(),
                reason: format!(
                    "{} neighbours are more than the {} training rows",
                    params.n_neighbors,
                    data.y().len()
                ),
                suggestions: Vec::new(),
            }));
        }
        let (y, classes) = data.labels().map_or_else(
            || (data.y().to_vec(), Vec::new()),
            |labels| {
                let codes = labels.codes.iter().map(|c| *c as f64).collect();
                (codes, labels.classes.clone())
            },
        );
        let numbers = params.metric_params.as_deref();
        let (metric, turn) = measure(params.metric, params.p, numbers, data.x())?;
        let rows = match &turn {
            Turn::None => data.design().shared(),
            turn => Arc::new(turn.rows(data.x().view()).into_owned()),
        };
        Ok(Fitted {
            n_neighbors: params.n_neighbors,
            by_distance: params.weights == Weights::Distance,
            metric,
            turn,
            columns: data.design().columns(),
            rows,
            y,
            classes,
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        // Read from a file they are one row.
        let rows = self
            .rows
            .to_shape((self.y.len(), self.columns))
            .map_err(|e| FitError::Failed(format!("the training rows of knn: {e}")))?;
        let mut out = Array2::zeros((x.nrows(), self.classes.len().max(1)));
        let asked = self.turn.rows(x);
        nearest(
            rows.view(),
            asked.view(),
            self.n_neighbors,
            self.metric,
            |i, hits| {
                let met = hits[0].0 == 0.0;
                let weight = |d: f64| match (self.by_distance, met) {
                    (false, _) => 1.0,
                    (true, true) => f64::from(u8::from(d == 0.0)),
                    (true, false) => 1.0 / d,
                };
                let all: f64 = hits.iter().map(|(d, _)| weight(*d)).sum();
                for (d, t) in hits {
                    let share = weight(*d) / all;
                    if self.classes.is_empty() {
                        out[[i, 0]] += share * self.y[*t];
                    } else {
                        out[[i, self.y[*t] as usize]] += share;
                    }
                }
                Ok(())
            },
        )?;
        Ok(if self.classes.is_empty() {
            Prediction::values(out.into_raw_vec_and_offset().0)
        } else {
            Prediction::probabilities(out, self.classes.clone())
        })
    }

    fn outputs(&self) -> Outputs {
        Outputs::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, classes, remainders, table};
    use mltrainer_catalogue_core::Params as _;
    use ndarray::array;

    fn params(given: serde_json::Value) -> KnnParams {
        KnnParams::from_map(given.as_object().unwrap()).unwrap()
    }

    #[test]
    fn by_hand() {
        let data = table(&[&[0.0], &[1.0], &[4.0]], &[10.0, 20.0, 90.0]);
        let predict = |given| {
            let fitted = Knn::fit(&params(given), &data, 0).unwrap();
            fitted.predict(array![[2.0], [1.0]].view()).unwrap().values
        };
        // Nearest to 2: 1 at distance 1, then 0 at 2 before 4 at 2 (the earlier row).
        assert_near(
            &predict(serde_json::json!({"n_neighbors": 2})),
            &[15.0, 15.0],
            1e-14,
        );
        // Weights 1 and 1/2 at 2; the row itself at 1.
        let given = serde_json::json!({"n_neighbors": 2, "weights": "distance"});
        assert_near(&predict(given), &[50.0 / 3.0, 20.0], 1e-14);
    }

    #[test]
    fn labels_in_a_tie_take_the_smallest() {
        let data = classes(&[&[0.0], &[2.0]], &[7.0, 3.0]);
        let fitted = Knn::fit(&params(serde_json::json!({"n_neighbors": 2})), &data, 0).unwrap();
        let p = fitted.predict(array![[1.0]].view()).unwrap();
        assert_eq!((p.values, p.classes), (vec![3.0], vec![3, 7]));
    }

    #[test]
    fn more_neighbours_than_rows_are_refused() {
        let data = table(&[&[0.0]], &[1.0]);
        let refused = Knn::fit(&params(serde_json::json!({})), &data, 0).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "parameter n_neighbors: 5 neighbours are more than the 1 training rows"
        );
    }

    #[test]
    fn metrics_as_the_reference() {
        // scikit-learn 1.9.1, KNeighborsRegressor(3, weights="distance", metric=...) on the first 16
        // rows: predictions of the next four.
        let rows = remainders();
        let y: Vec<f64> = (0..24)
            .map(|i| f64::from(i * 3 % 7) + f64::from(i) / 4.0)
            .collect();
        let some: Vec<&[f64]> = rows[..16].iter().map(Vec::as_slice).collect();
        let next = Array2::from_shape_fn((4, 4), |(i, j)| rows[16 + i][j]);
        for (metric, want) in [
            (
                "correlation",
                [
                    4.694_635_317_895_361_5,
                    4.989_429_999_741_998,
                    4.498_523_146_703_321,
                    6.390_589_603_226_155_5,
                ],
            ),
            (
                "canberra",
                [
                    4.888_847_973_916_298,
                    5.846_573_982_125_125,
                    5.013_795_771_015_986,
                    6.166_666_666_666_667,
                ],
            ),
            (
                "braycurtis",
                [
                    5.436_749_928_259_578,
                    6.381_959_152_012_515,
                    5.418_846_632_959_624,
                    6.615_608_460_625_694,
                ],
            ),
            (
                "cosine",
                [
                    4.587_828_579_099_886,
                    5.414_340_547_212_564,
                    4.369_363_002_369_195,
                    6.390_571_988_173_186,
                ],
            ),
            (
                "sqeuclidean",
                [
                    5.530_403_540_298_823,
                    6.377_809_710_418_544,
                    5.509_679_769_539_104,
                    6.728_754_864_562_862_5,
                ],
            ),
        ] {
            let given =
                serde_json::json!({"n_neighbors": 3, "weights": "distance", "metric": metric});
            let fitted = Knn::fit(&params(given), &table(&some, &y[..16]), 0).unwrap();
            assert_near(&fitted.predict(next.view()).unwrap().values, &want, 1e-10);
        }
        // The same with metric_params: w and p, V, VI.
        for (metric, numbers, want) in [
            (
                "minkowski",
                "1,0.5,2,0",
                [
                    5.305_351_461_716_323,
                    6.258_641_647_144_763_5,
                    5.274_942_294_639,
                    6.585_693_243_042_439_5,
                ],
            ),
            (
                "seuclidean",
                "4,9,0.5,1",
                [
                    5.455_877_735_326_943,
                    6.291_314_955_743_05,
                    5.529_854_923_109_752_5,
                    6.404_832_978_652_931,
                ],
            ),
            (
                "mahalanobis",
                "2,0.5,0,0,0.5,1,0,0,0,0,3,-1,0,0,-1,2",
                [
                    6.308_449_383_770_16,
                    6.256_780_287_562_357,
                    5.535_435_820_563_999_5,
                    6.320_124_861_489_468,
                ],
            ),
        ] {
            let given = serde_json::json!({"n_neighbors": 3, "weights": "distance", "metric": metric, "p": 3.0, "metric_params": numbers});
            let fitted = Knn::fit(&params(given), &table(&some, &y[..16]), 0).unwrap();
            assert_near(&fitted.predict(next.view()).unwrap().values, &want, 1e-10);
        }
        // Without numbers those of the training rows: the variances, the inverse covariance (ddof 1).
        for (metric, want) in [
            (
                "seuclidean",
                [
                    4.979_616_429_535_509,
                    5.935_907_218_963_472_5,
                    5.129_621_757_595_923,
                    5.894_952_283_958_555,
                ],
            ),
            (
                "mahalanobis",
                [
                    5.238_678_279_535_499,
                    5.649_880_136_004_665,
                    5.336_292_538_215_301,
                    5.864_882_854_357_85,
                ],
            ),
        ] {
            let given =
                serde_json::json!({"n_neighbors": 3, "weights": "distance", "metric": metric});
            let fitted = Knn::fit(&params(given), &table(&some, &y[..16]), 0).unwrap();
            assert_near(&fitted.predict(next.view()).unwrap().values, &want, 1e-10);
        }
        for (metric, numbers, reason) in [
            (
                "minkowski",
                "1,2",
                "2 numbers: minkowski takes 4 for 4 columns, one weight a column",
            ),
            ("minkowski", "1,2,-1,0", "a weight of -1 is below 0"),
            ("seuclidean", "1,2,0,0", "a variance of 0 is not above 0"),
            (
                "cosine",
                "1",
                "metric cosine has no numbers: minkowski, seuclidean and mahalanobis have",
            ),
            (
                "mahalanobis",
                "1,0,0,0,0,-1,0,0,0,0,1,0,0,0,0,1",
                "the inverse covariance is not positive definite",
            ),
        ] {
            let given = serde_json::json!({"metric": metric, "metric_params": numbers});
            let refused = Knn::fit(&params(given), &table(&some, &y[..16]), 0).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("parameter metric_params: {reason}")
            );
        }
        // hamming by hand: (1, 2, 3) and (1, 2, 9) differ in 1 of 3, (1, 8, 9) in 2: weights 3 and 3/2.
        let data = table(
            &[&[1.0, 2.0, 9.0], &[1.0, 8.0, 9.0], &[0.0, 0.0, 0.0]],
            &[6.0, 9.0, 50.0],
        );
        let given =
            serde_json::json!({"n_neighbors": 2, "weights": "distance", "metric": "hamming"});
        let fitted = Knn::fit(&params(given), &data, 0).unwrap();
        let p = fitted.predict(array![[1.0, 2.0, 3.0]].view()).unwrap();
        assert_near(&p.values, &[7.0], 1e-14);
    }
}
