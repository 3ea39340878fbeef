//! Leaves of an oblivious tree that rise or fall with some columns: monotone_constraints.
//!
//! The questions of a tree on a column with a sign order its leaves: for each set of answers to the
//! other questions they stand in one line, by the answers to the questions with a sign as digits of a
//! number, the first question being the highest. The values along each line are made to rise by isotonic
//! regression (pool adjacent violators), with the weights that the values have in their step. That is
//! more than the sign of a column asks for, but it holds for it.

use super::{Groups, Maker, Part, Side, Slopes};

/// The leaves in the order in which their values must rise, one line a set of answers to the questions
/// without a sign. `signs` has one for each question.
pub(super) fn lines(signs: &[i64]) -> Vec<Vec<u32>> {
    let bits = |with: &dyn Fn(i64) -> bool| -> Vec<u32> {
        let levels = signs.iter().enumerate().filter(|(_, s)| with(**s));
        levels.map(|(k, _)| 1 << k).collect()
    };
    let (free, bound) = (bits(&|s| s == 0), bits(&|s| s != 0));
    // The values fall with the answer to these, so that the lines start where they are answered with yes.
    let low: u32 = bits(&|s| s < 0).iter().sum();
    let chosen = |bits: &[u32], number: usize| -> u32 {
        let each = bits.iter().enumerate();
        each.map(|(k, bit)| if number >> k & 1 == 1 { *bit } else { 0 })
            .sum()
    };
    let highest_first: Vec<u32> = bound.into_iter().rev().collect();
    (0..1 << free.len())
        .map(|number| {
            let first = low | chosen(&free, number);
            let ranks = 0..1 << highest_first.len();
            ranks
                .map(|rank| first ^ chosen(&highest_first, rank))
                .collect()
        })
        .collect()
}

/// Neighbours of a line that have one value.
struct Pool {
    leaves: usize,
    weight: f64,
    sum: f64,
}

impl Pool {
    fn mean(&self) -> f64 {
        self.sum / self.weight
    }
}

/// Makes values rise along lines, with the least sum of weighted squared changes. Values without a weight
/// take that of a neighbour.
pub(super) fn make_rise(values: &mut [f64], weights: &[f64], lines: &[Vec<u32>]) {
    let mut pools: Vec<Pool> = Vec::new();
    for line in lines {
        pools.clear();
        for leaf in line {
            let weight = weights[*leaf as usize];
            let mut new = Pool {
                leaves: 1,
                weight,
                sum: weight * values[*leaf as usize],
            };
            while let Some(last) = pools
                .pop_if(|last| last.weight <= 0.0 || new.weight <= 0.0 || last.mean() >= new.mean())
            {
                new.leaves += last.leaves;
                new.weight += last.weight;
                new.sum += last.sum;
            }
            pools.push(new);
        }
        let mut leaves = line.iter();
        for pool in &pools {
            let mean = if pool.weight > 0.0 { pool.mean() } else { 0.0 };
            for leaf in leaves.by_ref().take(pool.leaves) {
                values[*leaf as usize] = mean;
            }
        }
    }
}

impl Maker<'_> {
    /// The signs of the columns of questions.
    pub(super) fn signs_of(&self, questions: &[(u32, f64)]) -> Vec<i64> {
        let sign = |column: u32| self.signs.get(column as usize).copied();
        let each = questions.iter().map(|(c, _)| sign(*c).unwrap_or_default());
        each.collect()
    }

    /// The lines of the leaves of a tree; none if it has no question with a sign.
    pub(super) fn lines_of(&self, questions: &[(u32, f64)]) -> Vec<Vec<u32>> {
        let signs = self.signs_of(questions);
        if signs.iter().all(|s| *s == 0) {
            return Vec::new();
        }
        lines(&signs)
    }

    /// Both halves of the score of each cut of a column, from the sums of its bins, with the means of the
    /// leaves that it leads to made to rise. `tree` has the signs of the questions so far.
    pub(super) fn rising_halves(
        &self,
        groups: &Groups<'_>,
        sums: &[[f64; 2]],
        column: usize,
        tree: &[i64],
    ) -> Vec<(f64, f64)> {
        let (bins, many) = (self.binned.cuts(column) + 1, 1 << tree.len());
        let mut cells = vec![Side::default(); many * bins];
        for (leaf, sums) in groups.leaves.iter().zip(sums.chunks_exact(bins)) {
            let own = &mut cells[*leaf as usize * bins..][..bins];
            for (cell, [g, w]) in own.iter_mut().zip(sums) {
                *cell = Side::of(*g, *w);
            }
        }
        let mut halves = vec![(0.0, 1e-100); bins - 1];
        self.add_rising(&cells, column, tree, &mut halves);
        halves
    }

    /// The score of each cut of a column, with the means of the leaves that it leads to made to rise.
    /// `tree` has the signs of the questions so far, `leaf` the leaf of each row.
    pub(super) fn rising_scores(
        &self,
        column: usize,
        tree: &[i64],
        leaf: &[u32],
        weights: &[f64],
        parts: &[(&Part, Slopes)],
    ) -> Vec<Option<f64>> {
        let (bins, many) = (self.binned.cuts(column) + 1, 1 << tree.len());
        let mut halves = vec![(0.0, 1e-100); bins - 1];
        for (part, slopes) in parts {
            let mut cells = vec![Side::default(); many * bins];
            for (i, is_seen, is_judged) in part.rows() {
                let row = (weights[i] * slopes.g[0][i], weights[i]);
                let at = leaf[i] as usize * bins + self.binned.code(column, i);
                cells[at].take(row, is_seen, is_judged);
            }
            self.add_rising(&cells, column, tree, &mut halves);
        }
        let allowed = self.large_enough(column, many, leaf);
        self.scores_of(&halves, allowed)
    }

    /// Adds to both halves of the scores of cuts what the leaves are worth, from sums leaf after leaf.
    fn add_rising(&self, cells: &[Side], column: usize, tree: &[i64], halves: &mut [(f64, f64)]) {
        let (bins, many) = (self.binned.cuts(column) + 1, 1 << tree.len());
        let mut signs = tree.to_vec();
        signs.push(self.signs.get(column).copied().unwrap_or_default());
        let lines = lines(&signs);
        // The leaves whose answer to the new question is no, and then those with yes.
        let mut sides = vec![Side::default(); 2 * many];
        for (whole, cells) in sides[many..].iter_mut().zip(cells.chunks_exact(bins)) {
            cells.iter().for_each(|cell| *whole = whole.with(cell));
        }
        for (cut, halves) in halves.iter_mut().enumerate() {
            let (left, right) = sides.split_at_mut(many);
            for ((left, right), cells) in left.iter_mut().zip(right).zip(cells.chunks_exact(bins)) {
                *left = left.with(&cells[cut]);
                // The program adds up both sides of a column with one cut.
                *right = match cells {
                    [_, high] => *high,
                    _ => right.less(&cells[cut]),
                };
            }
            let mut means: Vec<f64> = sides.iter().map(|s| s.mean(self.l2)).collect();
            let own: Vec<f64> = sides.iter().map(|s| s.seen.1 + self.l2).collect();
            make_rise(&mut means, &own, &lines);
            for (mean, side) in means.iter().zip(&sides) {
                halves.0 += mean * side.judged.0;
                halves.1 += mean * mean * side.judged.1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Fitted;
    use super::super::cases::{self, table};
    use super::*;
    use mltrainer_catalogue_core::Predictor as _;
    use ndarray::Array2;

    /// With a depth of 3 where none is given.
    fn fitted(mut given: serde_json::Value, kind: &str) -> Result<Fitted, String> {
        if given.get("depth").is_none() {
            given["depth"] = 3.into();
        }
        cases::fitted(given, kind)
    }

    #[test]
    fn lines_and_isotonic_regression_by_hand() {
        // Two questions: the first rises, the second is free. Leaves 0 (no, no), 1 (yes, no), 2, 3.
        assert_eq!(lines(&[1, 0]), [vec![0, 1], vec![2, 3]]);
        // The first falls: yes comes first.
        assert_eq!(lines(&[-1, 0]), [vec![1, 0], vec![3, 2]]);
        // One line, the first question the higher digit: no no, no yes, yes no, yes yes.
        assert_eq!(lines(&[1, 1]), [vec![0, 2, 1, 3]]);
        // 4, 1 and 2, of weights 1, 2 and 3, rise when all take (4 + 2 + 6)/6 = 2; then comes 5.
        let mut values = [4.0, 1.0, 2.0, 5.0];
        make_rise(&mut values, &[1.0, 2.0, 3.0, 1.0], &[vec![0, 1, 2, 3]]);
        assert_eq!(values, [2.0, 2.0, 2.0, 5.0]);
        // A value without a weight takes that before it.
        let mut values = [1.0, 9.0, 3.0];
        make_rise(&mut values, &[1.0, 0.0, 1.0], &[vec![0, 1, 2]]);
        assert_eq!(values, [1.0, 1.0, 3.0]);
    }

    #[test]
    fn predictions_are_those_of_the_program() {
        // catboost 1.2.10, CatBoostRegressor and CatBoostClassifier(n_estimators=3, learning_rate=0.3, depth=3,
        // bootstrap_type="No", random_strength=0, ...): the first three predictions, of labels the shares of
        // the larger one; weights of rows ((7i) % 11 + 1)/4 where it says so.
        for (given, kind, want) in [
            (
                r#"{"monotone_constraints": [1, 0, -1, 0, 0]}"#,
                "numbers",
                [0.9828367562533651, 1.4745777288907909, 2.525510794437092],
            ),
            (
                r#"{"monotone_constraints": [-1, 0, 1, 1, -1]}"#,
                "numbers",
                [1.609355706639819, 2.839735243233203, 2.839735243233203],
            ),
            (
                r#"{"monotone_constraints": [1, -1, 0, 0, 0], "score_function": "L2"}"#,
                "weighed",
                [1.1103889310547506, 0.9595494663782771, 2.0554467585153313],
            ),
            (
                r#"{"monotone_constraints": [1, -1, 0, 0, 0], "loss_function": "MAE"}"#,
                "weighed",
                [1.6312584286295528, 1.6312584286295528, 1.9270517350362775],
            ),
            (
                r#"{"monotone_constraints": [1, -1, 0, 0, 0], "leaf_estimation_iterations": 3, "leaf_estimation_method": "Gradient"}"#,
                "numbers",
                [0.9395653039271064, 1.0298433832115248, 2.1767947575218365],
            ),
            (
                r#"{"monotone_constraints": [1, 1, -1, 0, 0], "model_shrink_rate": 0.0}"#,
                "labels2",
                [0.2547423892708433, 0.36383150698294453, 0.6654463398282308],
            ),
            (
                r#"{"monotone_constraints": [1, 0, -1, 0, 0], "model_shrink_rate": 0.5}"#,
                "numbers",
                [0.6310097818578506, 1.0508409827059513, 2.513273071830737],
            ),
            (
                r#"{"model_shrink_rate": 0.3}"#,
                "numbers",
                [0.8786462894254246, 1.3133531175694442, 2.346043698219377],
            ),
            (
                r#"{"model_shrink_rate": 0.3, "model_shrink_mode": "Decreasing"}"#,
                "weighed",
                [0.6778125154164014, 0.9874066049484089, 1.8380705542219693],
            ),
            (
                r#"{"model_shrink_rate": 0.3, "grow_policy": "Lossguide", "max_leaves": 6}"#,
                "numbers",
                [0.7868336669466471, 0.6910497088319172, 2.8306998942062807],
            ),
            (
                r#"{"monotone_constraints": [1, 1, -1, 0, 0], "n_estimators": 20}"#,
                "labels2",
                [0.03829313561175183, 0.08989802552486348, 0.887829893391787],
            ),
            (
                r#"{"monotone_constraints": [1, 1, -1, 0, 0], "n_estimators": 20, "loss_function": "Poisson"}"#,
                "positive",
                [0.8243832671463889, 1.2070800056545619, 2.2326096745622332],
            ),
            (
                r#"{"monotone_constraints": [1, 0, -1, 0, 0], "n_estimators": 20, "depth": 6}"#,
                "weighed",
                [
                    -0.15204581398602457,
                    -0.24481566039719915,
                    3.4823380502829355,
                ],
            ),
        ] {
            let fitted = fitted(serde_json::from_str(given).unwrap(), kind).unwrap();
            let (x, _) = table();
            let first = x.slice_axis(ndarray::Axis(0), (..3).into());
            let said = fitted.predict(first).unwrap();
            let got = match said.probabilities {
                Some(p) => p.column(p.ncols() - 1).to_vec(),
                None => said.values,
            };
            crate::testing::assert_near(&got, &want, 1e-6);
        }
    }

    #[test]
    fn predictions_rise_and_fall_as_asked() {
        let (x, _) = table();
        for boosting in ["Plain", "Ordered"] {
            let given = serde_json::json!({
                "monotone_constraints": "1,-1,0,0,1", "n_estimators": 30, "depth": 5, "random_strength": 1,
                "boosting_type": boosting, "bootstrap_type": "Bernoulli",
            });
            let fitted = fitted(given, "numbers").unwrap();
            for (column, sign) in [(0, 1.0), (1, -1.0), (4, 1.0)] {
                for row in x.rows().into_iter().take(40) {
                    let mut line = Array2::zeros((100, 5));
                    for (i, mut to) in line.rows_mut().into_iter().enumerate() {
                        to.assign(&row);
                        to[column] = i as f64 / 8.0;
                    }
                    let said = fitted.predict(line.view()).unwrap().values;
                    let steps = said.windows(2).map(|pair| sign * (pair[1] - pair[0]));
                    // Sums of trees round.
                    assert!(steps.fold(0.0, f64::min) >= -1e-12, "{boosting} {column}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let signs = [1, 0, 0, 0, 0];
        for (given, kind, why) in [
            (
                serde_json::json!({"monotone_constraints": [1, 0]}),
                "numbers",
                "2 signs for 5 columns",
            ),
            (
                serde_json::json!({"monotone_constraints": signs, "grow_policy": "Depthwise"}),
                "numbers",
                "SymmetricTree",
            ),
            (
                serde_json::json!({"monotone_constraints": signs}),
                "labels3",
                "two labels",
            ),
            (
                serde_json::json!({"monotone_constraints": signs, "cat_features": "a"}),
                "numbers",
                "cat_features",
            ),
            (
                serde_json::json!({"monotone_constraints": signs, "loss_function": "LogCosh"}),
                "numbers",
                "leaf_estimation_method",
            ),
            (
                serde_json::json!({"model_shrink_rate": 4.0}),
                "numbers",
                "model_shrink_rate",
            ),
        ] {
            let refused = fitted(given, kind).err().unwrap();
            assert!(refused.contains(why), "{refused}");
        }
        // Signs of 0 ask for nothing.
        let none = serde_json::json!({"monotone_constraints": [0, 0, 0, 0, 0], "grow_policy": "Depthwise"});
        assert!(fitted(none, "labels3").is_ok());
    }
}
