//! Which columns a training window has use for: those that vary, and of columns that say nearly the
//! same the one that tells most about the target. Fitted on the rows of one training window, and on
//! nothing else.

/// Two columns that correlate more strongly than this say the same.
pub const MOST_CORRELATION: f64 = 0.95;
/// Most bins a variable is cut into to estimate mutual information.
const MOST_BINS: usize = 10;

/// Why a column is not used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// It does not vary.
    Constant,
    /// It correlates above [`MOST_CORRELATION`] with a column that is used.
    SameAs {
        /// Place of that column.
        column: usize,
        /// The correlation.
        correlation: f64,
    },
}

/// Columns used and not used; places in the columns given to [`Selection::fit`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selection {
    /// Used, ascending.
    pub kept: Vec<usize>,
    /// Not used, ascending, with the reason.
    pub dropped: Vec<(usize, Reason)>,
}

impl Selection {
    /// Chooses among columns (each with one finite value a training row) by themselves and the
    /// target of those rows. Columns are taken in the order of their mutual information with the
    /// target, equal ones in their own order; one is used unless it correlates above
    /// [`MOST_CORRELATION`] with one already used.
    #[must_use]
    pub fn fit(columns: &[Vec<f64>], target: &[f64]) -> Self {
        let mut out = Self::default();
        let bins = bins(target);
        let mut order: Vec<(usize, f64, Vec<f64>)> = Vec::with_capacity(columns.len());
        for (place, column) in columns.iter().enumerate() {
            match standardised(column) {
                None => out.dropped.push((place, Reason::Constant)),
                Some(scaled) => {
                    let information = information(&self::bins(column), &bins);
                    order.push((place, information, scaled));
                }
            }
        }
        // Stable: of equal ones the first comes first.
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut used: Vec<(usize, Vec<f64>)> = Vec::with_capacity(order.len());
        for (place, _, scaled) in order {
            let same = used.iter().find_map(|(other, values)| {
                let sum: f64 = scaled.iter().zip(values).map(|(a, b)| a * b).sum();
                (sum.abs() > MOST_CORRELATION).then_some((*other, sum))
            });
            match same {
                None => used.push((place, scaled)),
                Some((column, correlation)) => {
                    let reason = Reason::SameAs {
                        column,
                        correlation,
                    };
                    out.dropped.push((place, reason));
                }
            }
        }
        out.kept = used.into_iter().map(|(place, _)| place).collect();
        out.kept.sort_unstable();
        out.dropped.sort_by_key(|(place, _)| *place);
        out
    }
}

/// The column with mean 0 and length 1; `None` when it does not vary.
fn standardised(column: &[f64]) -> Option<Vec<f64>> {
    let first = column.first()?;
    if column.iter().all(|x| x == first) {
        return None;
    }
    let mean = column.iter().sum::<f64>() / column.len() as f64;
    let length = column
        .iter()
        .map(|x| (x - mean).powi(2))
        .sum::<f64>()
        .sqrt();
    (length > 0.0).then(|| column.iter().map(|x| (x - mean) / length).collect())
}

/// The bin of each value: about equally many values a bin, equal values in the same one.
fn bins(values: &[f64]) -> Vec<usize> {
    let n = values.len();
    // So many that five rows fall into each pair of bins.
    let count = ((n as f64 / 5.0).sqrt() as usize).clamp(2, MOST_BINS);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cuts: Vec<f64> = (1..count)
        .filter_map(|k| sorted.get(k * n / count))
        .copied()
        .collect();
    values
        .iter()
        .map(|v| cuts.partition_point(|cut| cut <= v))
        .collect()
}

/// Mutual information of two variables in bins, in nats (Cover & Thomas, Elements of Information
/// Theory, eq. 2.28).
fn information(a: &[usize], b: &[usize]) -> f64 {
    let n = a.len() as f64;
    let size = MOST_BINS + 1;
    let mut joint = vec![0.0f64; size * size];
    let (mut of_a, mut of_b) = (vec![0.0f64; size], vec![0.0f64; size]);
    for (&a, &b) in a.iter().zip(b) {
        joint[a * size + b] += 1.0;
        of_a[a] += 1.0;
        of_b[b] += 1.0;
    }
    let mut sum = 0.0;
    for (i, x) in of_a.iter().enumerate() {
        for (j, y) in of_b.iter().enumerate() {
            let both = joint[i * size + j];
            if both > 0.0 {
                sum += both / n * (both * n / (x * y)).ln();
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence without pattern, the same every time: fractions of multiples of the golden ratio.
    fn wave(n: usize, step: f64) -> Vec<f64> {
        (1..=n).map(|i| (i as f64 * step).fract()).collect()
    }

    #[test]
    fn constant_and_repeated_columns_go_and_the_telling_one_stays() {
        let a = wave(200, 0.618_033_988_749_895);
        let b = wave(200, 0.414_213_562_373_095);
        // Twice a and some of b: correlates with a at about 0.98 (variances 4 and 0.16).
        let mixed: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 2.0 * a + 0.4 * b).collect();
        let columns = vec![a.clone(), vec![3.0; 200], b.clone(), mixed.clone()];
        let first = Selection::fit(&columns, &a);
        assert_eq!(first.kept, [0, 2]);
        assert_eq!(first.dropped[0], (1, Reason::Constant));
        let (
            3,
            Reason::SameAs {
                column: 0,
                correlation,
            },
        ) = first.dropped[1]
        else {
            panic!("{:?}", first.dropped);
        };
        assert!((0.95..1.0).contains(&correlation));
        // When the target is the mixture, the mixture tells more than a.
        assert_eq!(Selection::fit(&columns, &mixed).kept, [2, 3]);
        // A column turned over says the same.
        let turned: Vec<f64> = a.iter().map(|x| -x).collect();
        assert_eq!(Selection::fit(&[a.clone(), turned], &b).kept.len(), 1);
    }

    #[test]
    fn mutual_information_by_hand() {
        // Two fair bins that are the same: ln 2. Independent: 0.
        let same = [0, 1, 0, 1];
        assert!((information(&same, &same) - std::f64::consts::LN_2).abs() < 1e-15);
        assert_eq!(information(&[0, 0, 1, 1], &[0, 1, 0, 1]), 0.0);
    }

    #[test]
    fn few_rows_and_none_are_no_fault() {
        assert_eq!(Selection::fit(&[vec![1.0]], &[2.0]).kept, [] as [usize; 0]);
        assert_eq!(Selection::fit(&[vec![]], &[]).dropped.len(), 1);
        assert_eq!(Selection::fit(&[], &[]), Selection::default());
        assert_eq!(Selection::fit(&[vec![1.0, 2.0]], &[5.0, 5.0]).kept, [0]);
    }
}
