//! Linear models in the leaves of a tree, as LightGBM fits them (linear_tree).
//!
//! The tree is grown as ever. A leaf then takes the columns of numbers on the way to it, and its model is
//! one Newton step (Shi, Li & Li, Gradient boosting with piece-wise linear regression trees, IJCAI 2019,
//! equation 3): β = -(XᵀHX + λI)⁻¹ Xᵀg with the values of these columns and a one in the rows of X, the
//! hessians in H and no λ for the constant. Values are in single precision, sums in double.

use super::histogram::{Grown, ZERO};
use mltrainer_catalogue_core::threads;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The model of a leaf: a constant and coefficients of columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinearLeaf {
    pub(crate) constant: f64,
    /// Columns, ascending.
    pub(crate) columns: Vec<u32>,
    pub(crate) coefficients: Vec<f64>,
}

impl LinearLeaf {
    /// What it adds, from the value of a column; none where one of them is missing: the leaf then adds its
    /// constant value.
    pub(crate) fn of(&self, value: impl Fn(usize) -> f64) -> Option<f64> {
        let mut sum = self.constant;
        for (column, b) in self.columns.iter().zip(&self.coefficients) {
            let v = value(*column as usize);
            if v.is_nan() {
                return None;
            }
            sum += b * v;
        }
        Some(sum)
    }

    /// Multiplies the constant and the coefficients.
    pub(crate) fn scale(&mut self, by: f64) {
        self.constant *= by;
        self.coefficients.iter_mut().for_each(|b| *b *= by);
    }
}

/// What the models are fitted on.
pub(crate) struct Ground<'a> {
    /// The columns as they were given.
    x: ArrayView2<'a, f64>,
    /// Whether a column has missing values.
    missing: Vec<bool>,
    /// Added to the diagonal.
    lambda: f64,
}

/// Rows times columns squared from which on starting threads for the leaves is worth it.
const SHARED: usize = 200_000;

impl<'a> Ground<'a> {
    pub(crate) fn new(x: ArrayView2<'a, f64>, lambda: f64) -> Self {
        let missing = x.columns().into_iter();
        Self {
            missing: missing.map(|c| c.iter().any(|v| v.is_nan())).collect(),
            x,
            lambda,
        }
    }

    /// The model of each leaf, by its place among the leaves; in the `first` round the constant values of the
    /// leaves. A tree without a split has none.
    pub(crate) fn fit(&self, grown: &Grown, slopes: &[(f32, f32)], first: bool) -> Vec<LinearLeaf> {
        let nodes = &grown.tree.nodes;
        if nodes.len() < 2 {
            return Vec::new();
        }
        // Columns of numbers on the way to each node; a child comes after its parent.
        let mut ways: Vec<Vec<u32>> = vec![Vec::new(); nodes.len()];
        let mut any_missing = false;
        for (i, node) in nodes.iter().enumerate().filter(|(_, n)| !n.is_leaf()) {
            let mut way = std::mem::take(&mut ways[i]);
            if !node.is_of_categories() {
                any_missing |= self.missing[node.feature as usize];
                if let Err(at) = way.binary_search(&node.feature) {
                    way.insert(at, node.feature);
                }
            }
            ways[node.left as usize].clone_from(&way);
            ways[node.left as usize + 1] = way;
        }
        let most = ways.iter().map(Vec::len).max().unwrap_or_default() + 1;
        let work = |i: usize| {
            let (id, start, end) = grown.leaves[i];
            let fitted = if first {
                None
            } else {
                // Sums go over the rows as they come in the table.
                let mut rows = grown.rows[start..end].to_vec();
                rows.sort_unstable();
                self.leaf(&rows, &ways[id], slopes, any_missing)
            };
            let constant = || LinearLeaf {
                constant: nodes[id].value,
                ..LinearLeaf::default()
            };
            (nodes[id].left as usize, fitted.unwrap_or_else(constant))
        };
        let threads = if first || grown.rows.len() * most * most < SHARED {
            1
        } else {
            threads::granted()
        };
        let found = threads::grant(threads, || threads::map(grown.leaves.len(), work));
        let mut models = vec![LinearLeaf::default(); found.len()];
        for (place, model) in found {
            models[place] = model;
        }
        models
    }

    /// The model of one leaf; none when it has too few values.
    fn leaf(
        &self,
        rows: &[u32],
        columns: &[u32],
        slopes: &[(f32, f32)],
        any_missing: bool,
    ) -> Option<LinearLeaf> {
        let k = columns.len();
        let mut products = vec![0.0; (k + 1) * (k + 1)];
        let mut targets = vec![0.0; k + 1];
        let mut values = vec![1.0; k + 1];
        // Where a column of the tree has missing values the program counts values instead of rows.
        let mut count = if any_missing { 0 } else { rows.len() };
        'rows: for i in rows {
            let row = self.x.row(*i as usize);
            for (value, column) in values.iter_mut().zip(columns) {
                *value = f64::from(row[*column as usize] as f32);
                if value.is_nan() {
                    continue 'rows;
                }
                count += usize::from(any_missing);
            }
            let (g, h) = slopes[*i as usize];
            for a in 0..=k {
                targets[a] += values[a] * f64::from(g);
                let weighed = values[a] * f64::from(h);
                for b in a..=k {
                    products[a * (k + 1) + b] += weighed * values[b];
                }
            }
        }
        if count < k + 1 {
            return None;
        }
        for a in 0..k {
            for b in a + 1..=k {
                products[b * (k + 1) + a] = products[a * (k + 1) + b];
            }
            products[a * (k + 1) + a] += self.lambda;
        }
        let inverse = inverse(products, k + 1);
        let mut step = inverse
            .chunks_exact(k + 1)
            .map(|row| row.iter().zip(&targets).map(|(a, b)| -a * b).sum::<f64>());
        let mut model = LinearLeaf::default();
        for (column, b) in columns.iter().zip(step.by_ref()) {
            if b.abs() > ZERO {
                model.columns.push(*column);
                model.coefficients.push(b);
            }
        }
        model.constant = step.next().unwrap_or_default();
        Some(model)
    }
}

/// Unknowns that are found one after the other before the rest of the rows is told of them, as in Eigen: the
/// order of the sums decides which coefficients that should be 0 are, and a leaf asks for the values of the
/// others.
const PANEL: usize = 4;

/// The inverse of a square table of `n` rows by elimination with the largest pivot of all that is left. Pivots
/// below n ε of the largest are taken for 0: what belongs to them gets rows of zeros, as in Eigen's FullPivLU,
/// so that of columns that hang together some have the coefficient 0.
fn inverse(mut m: Vec<f64>, n: usize) -> Vec<f64> {
    let mut row_of: Vec<usize> = (0..n).collect();
    let mut column_of = row_of.clone();
    let mut largest = 0.0_f64;
    let mut pivots = n;
    for k in 0..n {
        let (mut best, mut at) = (m[k * n + k].abs(), (k, k));
        for column in k..n {
            for row in k..n {
                if m[row * n + column].abs() > best {
                    (best, at) = (m[row * n + column].abs(), (row, column));
                }
            }
        }
        if best == 0.0 {
            pivots = k;
            break;
        }
        largest = largest.max(best);
        if at.0 != k {
            row_of.swap(k, at.0);
            (0..n).for_each(|j| m.swap(k * n + j, at.0 * n + j));
        }
        if at.1 != k {
            column_of.swap(k, at.1);
            (0..n).for_each(|i| m.swap(i * n + k, i * n + at.1));
        }
        for i in k + 1..n {
            let factor = m[i * n + k] / m[k * n + k];
            m[i * n + k] = factor;
            for j in k + 1..n {
                m[i * n + j] -= factor * m[k * n + j];
            }
        }
    }
    let small = largest * f64::EPSILON * n as f64;
    let rank = (0..pivots).filter(|k| m[k * n + k].abs() > small).count();
    let mut inverse = vec![0.0; n * n];
    let mut x = vec![0.0; n];
    let take = |x: &mut [f64], rows: Range<usize>, panel: Range<usize>| {
        for i in rows {
            let sum: f64 = panel.clone().map(|k| m[i * n + k] * x[k]).sum();
            x[i] -= sum;
        }
    };
    for (place, column) in row_of.iter().enumerate() {
        x.fill(0.0);
        x[place] = 1.0;
        for from in (0..n).step_by(PANEL) {
            let to = (from + PANEL).min(n);
            for k in from..to {
                (k + 1..to).for_each(|i| x[i] -= m[i * n + k] * x[k]);
            }
            take(&mut x, to..n, from..to);
        }
        let mut to = rank;
        while to > 0 {
            let from = to.saturating_sub(PANEL);
            for k in (from..to).rev() {
                x[k] *= 1.0 / m[k * n + k];
                (from..k).for_each(|i| x[i] -= m[i * n + k] * x[k]);
            }
            take(&mut x, 0..from, from..to);
            to = from;
        }
        for (value, row) in x[..rank].iter().zip(&column_of) {
            inverse[row * n + column] = *value;
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::inverse;
    use crate::testing::assert_near;
    use crate::tree::lightgbm::{Fitted, LightGbm, LightGbmParams};
    use mltrainer_catalogue_core::{
        Design, Foreign, Params as _, Prediction, Predictor as _, Supervised as _, Training,
        threads,
    };
    use ndarray::{Array2, Axis};
    use serde_json::{Value, json};

    #[test]
    fn a_table_that_hangs_together_has_the_inverse_of_its_larger_part() {
        // (4 2; 2 3)⁻¹ = (3 -2; -2 4)/8 by hand.
        assert_near(
            &inverse(vec![4.0, 2.0, 2.0, 3.0], 2),
            &[0.375, -0.25, -0.25, 0.5],
            1e-15,
        );
        // (1 2; 2 4): the pivot is 4, and nothing is left for the first: 1/4 in its place, zeros elsewhere.
        assert_near(
            &inverse(vec![1.0, 2.0, 2.0, 4.0], 2),
            &[0.0, 0.0, 0.0, 0.25],
            1e-15,
        );
        assert_near(&inverse(vec![0.0; 4], 2), &[0.0; 4], 1e-15);
        // Hilbert's table 1/(i + j - 1) of six rows, whose inverse of whole numbers is known: its first row.
        let hilbert = (0..36).map(|k| 1.0 / f64::from(k / 6 + k % 6 + 1));
        let first = [36.0, -630.0, 3360.0, -7560.0, 7560.0, -2772.0];
        assert_near(&inverse(hilbert.collect(), 6)[..6], &first, 1e-8);
    }

    /// Three columns of numbers, the second of them missing in some rows, one of six categories; the target.
    fn table(missing: bool) -> (Array2<f64>, Vec<f64>) {
        let number = |i: usize, j: usize| crate::testing::eighths(i, j);
        let x = Array2::from_shape_fn((300, 4), |(i, j)| match j {
            1 if missing && i % 7 == 3 => f64::NAN,
            3 => ((i * i + i / 7) % 6) as f64,
            _ => number(i, j),
        });
        let y = (0..300).map(|i| {
            let of_numbers = number(i, 0) * number(i, 1) / 16.0 - number(i, 2) / 4.0;
            ((i * 31) % 53) as f64 / 16.0 + of_numbers + 1.5 * (x[[i, 3]] % 2.0)
        });
        let y = y.collect();
        (x, y)
    }

    fn fit(given: &Value, data: &Training) -> Fitted {
        let mut given = given.as_object().unwrap().clone();
        given.insert("linear_tree".into(), true.into());
        for (name, value) in [
            ("n_estimators", 6),
            ("num_leaves", 6),
            ("min_child_samples", 10),
            ("seed", 5),
        ] {
            given.entry(name).or_insert(value.into());
        }
        let params = LightGbmParams::from_map(&given).unwrap();
        LightGbm::fit(&params, data, 0).unwrap()
    }

    fn design(x: &Array2<f64>) -> Design {
        Design::with_missing(x.clone(), ('a'..='d').map(String::from).collect()).unwrap()
    }

    fn said(fitted: &Fitted, x: &Array2<f64>) -> Vec<f64> {
        let Prediction {
            values,
            probabilities,
            ..
        } = fitted
            .predict(x.select(Axis(0), &[0, 3, 11, 26]).view())
            .unwrap();
        probabilities.map_or(values, |p| p.column(1).to_vec())
    }

    #[test]
    fn leaves_are_those_of_the_program() {
        // lightgbm 4.7.0, LGBMRegressor and LGBMClassifier(random_state=5, n_jobs=1, deterministic=True,
        // force_col_wise=True, n_estimators=6, num_leaves=6, min_child_samples=10, linear_tree=True, ...); row i
        // weighs (7 i mod 11 + 1) / 4; labels are cut at 2.1, or at 1 and 3. Rows 0, 3, 11 and 26, or the
        // probabilities of label 1.
        for (given, labels, more, want) in [
            (
                json!({}),
                0,
                "",
                [
                    1.86637955815638,
                    2.357596365453833,
                    5.264463761719718,
                    3.5430959129848807,
                ],
            ),
            (
                json!({"linear_lambda": 50.0}),
                0,
                "missing",
                [
                    1.7840967424118894,
                    3.9917333182008106,
                    5.286050993278564,
                    3.6119546932585322,
                ],
            ),
            (
                json!({"reg_lambda": 2.0, "path_smooth": 3.0, "max_depth": 3}),
                0,
                "",
                [
                    1.8624230730414626,
                    2.3705770675897453,
                    5.265523303589535,
                    3.646144742807548,
                ],
            ),
            (
                json!({"min_data_per_group": 10, "cat_smooth": 1.0, "categorical_feature": "3"}),
                0,
                "weights ",
                [
                    1.8922387254857227,
                    2.4308292461106693,
                    5.340113365310648,
                    3.6734914294505914,
                ],
            ),
            (
                json!({"min_data_per_group": 10, "cat_smooth": 1.0, "categorical_feature": "3"}),
                0,
                "missing",
                [
                    1.6727916041998125,
                    3.992129276465715,
                    5.373958154627052,
                    3.511726239721621,
                ],
            ),
            (
                json!({}),
                2,
                "missing",
                [
                    0.32206487855030824,
                    0.7562365784480897,
                    0.802432513119822,
                    0.7441572289862644,
                ],
            ),
            (
                json!({"linear_lambda": 1.0}),
                3,
                "weights ",
                [
                    0.3724331409385722,
                    0.4553950238515372,
                    0.14429742501855639,
                    0.2127561512916244,
                ],
            ),
            (
                json!({"subsample": 0.7, "subsample_freq": 1}),
                0,
                "missing",
                [
                    1.7276251992221143,
                    3.984393545086659,
                    5.39116231005793,
                    3.4811662693217653,
                ],
            ),
            (
                json!({"subsample": 0.4, "subsample_freq": 1}),
                0,
                "missing",
                [
                    1.9944865781496275,
                    4.143886786747768,
                    5.013583575137965,
                    3.562564606625228,
                ],
            ),
            (
                json!({"data_sample_strategy": "goss", "learning_rate": 0.5}),
                0,
                "missing",
                [
                    -0.166433148536953,
                    3.5043257789626088,
                    6.730295607085863,
                    4.411559920413759,
                ],
            ),
            (
                json!({"boosting_type": "dart", "drop_rate": 0.5, "skip_drop": 0.0}),
                0,
                "missing",
                [
                    0.3726102091067726,
                    1.5098706513831888,
                    2.3246231970980222,
                    1.3171149500758799,
                ],
            ),
            (
                json!({"objective": "quantile", "alpha": 0.7}),
                0,
                "missing",
                [
                    4.02704867563896,
                    4.876603128197497,
                    4.619678870770977,
                    4.17632751333412,
                ],
            ),
            (
                json!({"objective": "poisson", "min_data_per_group": 10, "cat_smooth": 1.0, "categorical_feature": "3"}),
                0,
                "",
                [
                    2.6837213697693176,
                    2.787550415307008,
                    4.53221473850938,
                    3.4593135675355455,
                ],
            ),
            (
                json!({"monotone_constraints": "1,1,-1,0"}),
                0,
                "",
                [
                    1.7846723216763651,
                    2.4357584462161688,
                    5.282050254961028,
                    3.638873701300062,
                ],
            ),
            (
                json!({"num_leaves": 31, "min_child_samples": 1, "learning_rate": 1.0, "min_data_per_group": 10, "cat_smooth": 1.0, "categorical_feature": "3"}),
                0,
                "missing",
                [
                    -1.6491845519147268,
                    2.8944528261706135,
                    6.374361519612553,
                    3.8857422009067957,
                ],
            ),
        ] {
            let (x, y) = table(more.contains("missing"));
            let cuts: &[f64] = if labels == 2 { &[2.1] } else { &[1.0, 3.0] };
            let label = |y: &f64| cuts.iter().filter(|c| y >= *c).count() as f64;
            let mut data = if labels > 0 {
                Training::classification(design(&x), y.iter().map(label).collect()).unwrap()
            } else if given["objective"] == "poisson" {
                let y = y.iter().map(|y| y.abs()).collect();
                Training::regression(design(&x), y).unwrap()
            } else {
                Training::regression(design(&x), y).unwrap()
            };
            if more.contains("weights") {
                let weights = (0..300).map(|i| ((i * 7) % 11 + 1) as f64 / 4.0);
                data = data.with_weights(weights.collect()).unwrap();
            }
            let one = threads::grant(1, || fit(&given, &data));
            assert_near(&said(&one, &x), &want, 1e-9);
            let two = threads::grant(2, || fit(&given, &data));
            assert_eq!(said(&two, &x), said(&one, &x), "{given}");
            let text = LightGbm::write_foreign(&one, 4).unwrap();
            let (back, _) = LightGbm::read_foreign(&text).unwrap();
            assert_near(&said(&back, &x), &want, 1e-9);
            let saved = serde_json::to_string(&one).unwrap();
            let back: Fitted = serde_json::from_str(&saved).unwrap();
            assert_eq!(said(&back, &x), said(&one, &x), "{given}");
        }
    }

    #[test]
    fn early_stopping_looks_at_the_linear_models() {
        // lightgbm 4.7.0, LGBMRegressor(n_estimators=60, num_leaves=6, min_child_samples=10, n_jobs=1,
        // linear_tree=True, linear_lambda=...) on the first 225 rows, eval_set the others, callback
        // early_stopping(5): best_iteration_ and best_score_.
        let (x, y) = table(true);
        for (lambda, rounds, score) in [
            (0.0, 34, 2.1037103583213),
            (1.0, 42, 2.0664621940613754),
            (100.0, 50, 2.040883921661792),
        ] {
            let data = Training::regression(design(&x), y.clone()).unwrap();
            let given = json!({"n_estimators": 60, "linear_lambda": lambda, "early_stopping_round": 5, "validation_fraction": 0.25});
            let outputs = fit(&given, &data).outputs();
            assert_eq!(outputs["n_estimators"], rounds);
            let had = outputs["best_score"][0].as_f64().unwrap();
            assert!((had - score).abs() < 1e-9, "{had}");
        }
    }

    #[test]
    fn a_model_file_of_the_program_is_read() {
        // lightgbm 4.7.0, LGBMRegressor(n_estimators=2, num_leaves=4, min_child_samples=10, linear_tree=True,
        // linear_lambda=1, learning_rate=0.5, n_jobs=1) on the table with missing values: its file from the
        // first line to the end of the trees, and its answers.
        let text = "\
tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=3
objective=regression
feature_names=Column_0 Column_1 Column_2 Column_3
feature_infos=[0:12] [0:12] [0:12] -1:0:2:1:4:3:5
tree_sizes=609 779

Tree=0
num_leaves=4
num_cat=0
split_feature=0 1 2
split_gain=547.36 350.523 121.745
threshold=6.8125000000000009 4.5625000000000009 5.0625000000000009
decision_type=2 8 2
left_child=2 -2 -1
right_child=1 -3 -4
leaf_value=3.0086728994579368 2.4677116711788321 4.3437822944855178 2.1451876904382416
leaf_weight=66 34 93 107
leaf_count=66 34 93 107
internal_value=3.05327 3.84153 2.47461
internal_weight=300 127 173
internal_count=300 127 173
is_linear=1
leaf_const=3.0086728994579368 2.4677116711788321 4.3437822944855178 2.1451876904382416
num_features=0 0 0 0
leaf_features=
leaf_coeff=
shrinkage=1


Tree=1
num_leaves=4
num_cat=0
split_feature=1 0 1
split_gain=189.769 160.683 71.8161
threshold=5.4375000000000009 4.0625000000000009 10.437500000000002
decision_type=8 2 10
left_child=-1 -2 -3
right_child=1 2 -4
leaf_value=-0.49734112194890523 -0.34461761876696445 0.46933347521349789 1.4671472189101307
leaf_weight=117 61 100 22
leaf_count=117 61 100 22
internal_value=0 0.317972 0.649267
internal_weight=300 183 122
internal_count=300 183 122
is_linear=1
leaf_const=-0.78896583422843647 -1.6434804178084885 -0.73805406342327018 -1.0142943591120002
num_features=1 2 2 2
leaf_features=1  0 1  0 1  0 1
leaf_coeff=0.10746485460379568  0.24249187552734019 0.07724240848670294  0.060512174000375341 0.092330975219839573  0.2809287617293259 0.0021769381481675509
shrinkage=0.5
end of trees
";
        let (fitted, columns) = LightGbm::read_foreign(text).unwrap();
        assert_eq!(columns, 4);
        let (x, _) = table(true);
        let want = [
            1.7457819541485646,
            4.8131157696990154,
            6.514154941726797,
            4.617532737536533,
        ];
        assert_near(&said(&fitted, &x), &want, 1e-15);
        let long = text.replace("num_features=1 2 2 2", "num_features=1 2 2 3");
        let refused = LightGbm::read_foreign(&long).err().unwrap().to_string();
        assert!(refused.contains("leaf_features"), "{refused}");
    }

    #[test]
    fn what_the_program_refuses_is_refused() {
        let (x, y) = table(false);
        let data = Training::regression(design(&x), y).unwrap();
        let given = json!({"linear_tree": true, "objective": "regression_l1"});
        let params = LightGbmParams::from_map(given.as_object().unwrap()).unwrap();
        let refused = LightGbm::fit(&params, &data, 0).err().unwrap().to_string();
        assert!(refused.contains("linear_tree"), "{refused}");
        let fitted = fit(&json!({}), &data);
        let refused = fitted.contributions(x.view()).err().unwrap().to_string();
        assert!(refused.contains("no SHAP values"), "{refused}");
    }
}
