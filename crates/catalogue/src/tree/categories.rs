//! Columns of categories as numbers: ordered target statistics (Prokhorenkova et al., NeurIPS 2018).
//!
//! A row's category becomes (s + prior)/(c + 1), s and c the sum of targets and the number of the rows
//! of its category that come before it in an order drawn at random: the row's own target is not in
//! its own column. A new row takes the sums over all rows of training. The targets are 0 and 1: the
//! larger of two labels, each of several, or a number above the median. A column of few categories becomes one
//! column a category, 0 and 1.

use ndarray::{Array2, ArrayView2};
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// Priors of a target of its own; several labels have the middle one.
const PRIORS: [f64; 3] = [0.0, 0.5, 1.0];

/// What becomes of one column.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Part {
    /// Itself.
    Number,
    /// One column a category, but for the last of them.
    OneHot(Vec<f64>),
    /// Statistics: categories ascending, of each the number of rows and the sums of the targets.
    Statistics {
        categories: Vec<f64>,
        counts: Vec<f64>,
        sums: Vec<Vec<f64>>,
        priors: Vec<f64>,
    },
}

/// How a table becomes one of numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Encoder {
    parts: Vec<Part>,
}

/// A missing category is one of its own, less than all others.
fn known(v: f64) -> f64 {
    if v.is_nan() { f64::MIN } else { v }
}

impl Encoder {
    /// Learns the statistics; returns the table as training sees it. `targets` are 0 or 1, one list a
    /// target.
    pub(crate) fn fit(
        x: ArrayView2<'_, f64>,
        columns: &[usize],
        targets: &[Vec<f64>],
        one_hot_max_size: usize,
        random: &mut Xoshiro256PlusPlus,
    ) -> (Self, Array2<f64>) {
        let mut encoder = Self::default();
        if columns.is_empty() {
            return (encoder, x.to_owned());
        }
        let n = x.nrows();
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(random);
        let mut out: Vec<Vec<f64>> = Vec::new();
        for (j, column) in x.columns().into_iter().enumerate() {
            if !columns.contains(&j) {
                encoder.parts.push(Part::Number);
                out.push(column.to_vec());
                continue;
            }
            let values: Vec<f64> = column.iter().map(|v| known(*v)).collect();
            let mut categories = values.clone();
            categories.sort_unstable_by(f64::total_cmp);
            categories.dedup();
            if categories.len() <= one_hot_max_size.max(1) {
                let kept = categories[..categories.len() - 1].to_vec();
                let hot = |c: &f64| -> Vec<f64> {
                    values.iter().map(|v| f64::from(u8::from(v == c))).collect()
                };
                // A column of one category stays a column, of zeros.
                if kept.is_empty() {
                    out.push(vec![0.0; n]);
                }
                out.extend(kept.iter().map(hot));
                encoder.parts.push(Part::OneHot(kept));
                continue;
            }
            let code = |v: f64| categories.partition_point(|c| *c < v);
            let priors = if targets.len() == 1 {
                PRIORS.to_vec()
            } else {
                vec![PRIORS[1]]
            };
            let mut counts = vec![0.0; categories.len()];
            let mut sums = vec![vec![0.0; categories.len()]; targets.len()];
            let mut encoded = vec![vec![0.0; n]; targets.len() * priors.len()];
            for row in &order {
                let k = code(values[*row]);
                for (t, target) in targets.iter().enumerate() {
                    for (p, prior) in priors.iter().enumerate() {
                        encoded[t * priors.len() + p][*row] =
                            (sums[t][k] + prior) / (counts[k] + 1.0);
                    }
                    sums[t][k] += target[*row];
                }
                counts[k] += 1.0;
            }
            out.extend(encoded);
            encoder.parts.push(Part::Statistics {
                categories,
                counts,
                sums,
                priors,
            });
        }
        let table = Array2::from_shape_fn((n, out.len()), |(i, j)| out[j][i]);
        (encoder, table)
    }

    /// Rows of prediction as numbers; a category that training did not have has the prior alone.
    pub(crate) fn apply(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        if self.parts.is_empty() {
            return x.to_owned();
        }
        let mut out = Array2::zeros((x.nrows(), self.origins().len()));
        for (from, mut to) in x.rows().into_iter().zip(out.rows_mut()) {
            let mut at = 0;
            let mut push = |v: f64| {
                to[at] = v;
                at += 1;
            };
            for (part, v) in self.parts.iter().zip(from) {
                let v = if matches!(part, Part::Number) {
                    *v
                } else {
                    known(*v)
                };
                match part {
                    Part::Number => push(v),
                    Part::OneHot(kept) if kept.is_empty() => push(0.0),
                    Part::OneHot(kept) => {
                        kept.iter().for_each(|c| push(f64::from(u8::from(v == *c))));
                    }
                    Part::Statistics {
                        categories,
                        counts,
                        sums,
                        priors,
                    } => {
                        let k = categories.binary_search_by(|c| c.total_cmp(&v)).ok();
                        for sums in sums {
                            for prior in priors {
                                let (s, c) = k.map_or((0.0, 0.0), |k| (sums[k], counts[k]));
                                push((s + prior) / (c + 1.0));
                            }
                        }
                    }
                }
            }
        }
        out
    }

    /// The column that each column of numbers comes from; empty when they are the same.
    pub(crate) fn origins(&self) -> Vec<usize> {
        let width = |part: &Part| match part {
            Part::Number => 1,
            Part::OneHot(kept) => kept.len().max(1),
            Part::Statistics { sums, priors, .. } => sums.len() * priors.len(),
        };
        let parts = self.parts.iter().enumerate();
        parts
            .flat_map(|(j, part)| std::iter::repeat_n(j, width(part)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use rand::SeedableRng as _;

    #[test]
    fn statistics_by_hand() {
        // Categories 5 (targets 1, 1, 0) and 6 (0), 7 (1): over all rows (2 + 0.5)/4, 0.5/2, 1.5/2.
        let x = array![[5.0], [6.0], [5.0], [7.0], [5.0]];
        let targets = [vec![1.0, 0.0, 1.0, 1.0, 0.0]];
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let (encoder, seen) = Encoder::fit(x.view(), &[0], &targets, 2, &mut random);
        let new = encoder.apply(array![[5.0], [6.0], [7.0], [8.0]].view());
        assert_eq!(new.column(1).to_vec(), [0.625, 0.25, 0.75, 0.5]);
        assert_eq!(encoder.origins(), [0, 0, 0]);
        // The first row of each category in the order drawn sees the prior alone.
        let priors = |p: usize| seen.column(p).iter().filter(|v| **v == PRIORS[p]).count();
        assert!(priors(1) >= 3);
        assert_eq!((seen[[1, 1]], seen[[3, 1]]), (0.5, 0.5));
    }

    #[test]
    fn few_categories_are_columns() {
        let x = array![[1.0, 3.0], [2.0, 4.0], [1.0, 5.0]];
        let targets = [vec![1.0, 0.0, 1.0]];
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let (encoder, seen) = Encoder::fit(x.view(), &[0], &targets, 2, &mut random);
        assert_eq!(seen, array![[1.0, 3.0], [0.0, 4.0], [1.0, 5.0]]);
        assert_eq!(encoder.apply(x.view()), seen);
    }
}
