//! Transfer entropy.
//!
//! What: how much the past of one series tells about the next value of another beyond its own past.
//! Formula: Σ p(y1,y0,x0) ln(p(y1|y0,x0)/p(y1|y0)) over bins of equal counts.
//! Data: two stationary series.
//! Cost: O(n log n) a direction and permutation.
//! Fails when: there are few rows beside the number of combinations of bins: it is then too large.
//! Source: Schreiber, Physical Review Letters 85 (2000).
//! Not claimed: that one moves the other.

use crate::test::engine::{number, varies};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, params, run,
};
use mltrainer_types::catalogue::Task;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

/// The handle.
pub struct TransferEntropy;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<TransferEntropy>();

params! {
    /// Parameters of transfer entropy.
    pub struct TransferEntropyParams {
        /// Bins of each column, cut at its quantiles.
        bins: usize = 3, within(2.0, 1_000.0);
        /// Rows between the source's latest value and the target's.
        lag: usize = 1, within(1.0, 1_000.0);
        /// Values of the target's own past, up to the row before.
        history: usize = 1, within(1.0, 10.0);
        /// Values of the source's past, the latest of them lag rows before.
        source_history: usize = 1, within(1.0, 10.0);
        /// Shuffles of the source for the p-values; 0: none.
        n_permutations: usize = 200, within(0.0, 100_000.0);
        /// Seed of the shuffles; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "transfer_entropy",
    family: "signal_processing",
    title: "Transfer entropy",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "How many nats the past of the first series tells about the next value of the second beyond the second one's own past; and the other way round. P-values come from shuffles of the source.",
    formula: "each column cut at its quantiles k/bins (linear interpolation, a value on a cut goes up); T = Σ p(y1,y0,x0) ln(p(y1|y0,x0)/p(y1|y0)); y0 the history values before y1, x0 the source_history values ending lag rows before; p = (1 + shuffles with at least T)/(1 + shuffles); effective: T less the mean over the shuffles",
    data: "Two stationary series, the source first.",
    cost: "O(n log n) a direction and shuffle",
    fails_when: "There are few rows beside bins^(history + source_history + 1): it is then too large, which the effective value and the p-value correct in part. A common driver looks like a transfer.",
    not_claimed: "That one moves the other.",
    source: "T. Schreiber, Physical Review Letters 85 (2000); R. Marschinski, H. Kantz, European Physical Journal B 30 (2002)",
    reference: "the formula, computed with numpy 2.4",
    outputs: &[
        (
            "transfer_entropy",
            "nats from the first series to the second",
        ),
        ("reverse", "nats from the second to the first"),
        ("net", "the first less the second"),
        (
            "effective",
            "transfer entropy less the mean over the shuffles, null without",
        ),
        ("effective_reverse", "the same the other way"),
        (
            "p_value",
            "share of shuffles with at least as much, null without",
        ),
        ("reverse_p_value", "the same the other way"),
        ("n_obs", "rows used"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "the formula, computed with numpy 2.4",
        cases: "market and AAPL returns with 3 and 4 bins; returns of 5 shares with lags and histories",
        tolerance: "1e-10",
    }],
    presets: &[],
    exemptions: &[],
};

/// Bin of each value by the column's quantiles.
fn quantile_bins(x: &[f64], bins: usize) -> Vec<usize> {
    let mut sorted = x.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let cuts: Vec<f64> = (1..bins)
        .map(|k| {
            let place = last as f64 * (k as f64 / bins as f64);
            let below = (place.floor() as usize).min(last);
            let (a, b) = (sorted[below], sorted[(below + 1).min(last)]);
            let share = place - below as f64;
            // As numpy interpolates: from the nearer end.
            if share < 0.5 {
                a + (b - a) * share
            } else {
                b - (b - a) * (1.0 - share)
            }
        })
        .collect();
    x.iter().map(|v| cuts.partition_point(|c| c <= v)).collect()
}

/// One number for each distinct row of a table of bins.
fn codes(columns: &[&[usize]]) -> Vec<usize> {
    let rows = columns.first().map_or(0, |c| c.len());
    let mut code = vec![0_usize; rows];
    for column in columns {
        let mut pairs: Vec<(usize, usize)> =
            code.iter().copied().zip(column.iter().copied()).collect();
        pairs.sort_unstable();
        pairs.dedup();
        for (c, v) in code.iter_mut().zip(column.iter()) {
            *c = pairs.binary_search(&(*c, *v)).unwrap_or_default();
        }
    }
    code
}

/// Σ c ln c over the counts of the distinct numbers.
fn weight(code: &[usize]) -> f64 {
    let mut counts = vec![0_u32; code.iter().max().map_or(0, |m| m + 1)];
    code.iter().for_each(|c| counts[*c] += 1);
    let each = counts.iter().filter(|c| **c > 0);
    each.map(|c| f64::from(*c) * f64::from(*c).ln()).sum()
}

/// One direction: what the target gives, ready for sources.
struct Direction {
    rows: usize,
    start: usize,
    /// Codes of (y1, y0) and of y0.
    joint: Vec<usize>,
    own: Vec<usize>,
    base: f64,
}

impl Direction {
    fn new(target: &[usize], params: &TransferEntropyParams) -> Self {
        let start = params.history.max(params.lag + params.source_history - 1);
        let rows = target.len() - start;
        let past: Vec<&[usize]> = (1..=params.history)
            .map(|k| &target[start - k..][..rows])
            .collect();
        let own = codes(&past);
        let joint = codes(&[&own, &target[start..]]);
        let base = weight(&own) - weight(&joint);
        Self {
            rows,
            start,
            joint,
            own,
            base,
        }
    }

    /// H(y1|y0) - H(y1|y0,x0).
    fn transfer(&self, source: &[usize], params: &TransferEntropyParams) -> f64 {
        let past: Vec<&[usize]> = (0..params.source_history)
            .map(|k| &source[self.start - params.lag - k..][..self.rows])
            .collect();
        let source = codes(&past);
        let all = weight(&codes(&[&source, &self.joint]));
        let without_next = weight(&codes(&[&source, &self.own]));
        (self.base + all - without_next) / self.rows as f64
    }

    /// The transfer, its effective value and p-value.
    fn tested(
        &self,
        source: &[usize],
        params: &TransferEntropyParams,
        random: &mut Xoshiro256PlusPlus,
    ) -> (f64, f64, f64) {
        let real = self.transfer(source, params);
        let (mut sum, mut as_much) = (0.0, 1.0);
        let mut shuffled = source.to_vec();
        for _ in 0..params.n_permutations {
            shuffled.shuffle(random);
            let other = self.transfer(&shuffled, params);
            sum += other;
            // Equal but for rounding counts as equal.
            as_much += f64::from(u8::from(other >= real - 1e-12));
        }
        let n = params.n_permutations as f64;
        if params.n_permutations == 0 {
            return (real, f64::NAN, f64::NAN);
        }
        (real, real - sum / n, as_much / (1.0 + n))
    }
}

impl Analysis for TransferEntropy {
    type Params = TransferEntropyParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 2);
    const TAKES: Takes = Takes::Returns;

    fn analyse(
        params: &TransferEntropyParams,
        data: &SeriesTable,
        ask: Ask,
    ) -> Result<Outputs, FitError> {
        let (x, y) = (data.series(0), data.series(1));
        for (series, name) in [&x, &y].into_iter().zip(data.names()) {
            varies(series, &format!("column \"{name}\""))?;
        }
        let least = params.history.max(params.lag + params.source_history - 1) + 2;
        if x.len() < least {
            return Err(FitError::Data(format!(
                "{} rows are too few for these lags: give at least {least}",
                x.len()
            )));
        }
        let (x, y) = (
            quantile_bins(&x, params.bins),
            quantile_bins(&y, params.bins),
        );
        let mut random =
            Xoshiro256PlusPlus::seed_from_u64(run::effective_seed(params.seed, ask.seed));
        let to = Direction::new(&y, params);
        let (forth, effective, p) = to.tested(&x, params, &mut random);
        let back_from = Direction::new(&x, params);
        let (back, effective_back, p_back) = back_from.tested(&y, params, &mut random);
        Ok(Outputs::from_iter([
            ("transfer_entropy".into(), number(forth)),
            ("reverse".into(), number(back)),
            ("net".into(), number(forth - back)),
            ("effective".into(), number(effective)),
            ("effective_reverse".into(), number(effective_back)),
            ("p_value".into(), number(p)),
            ("reverse_p_value".into(), number(p_back)),
            ("n_obs".into(), Value::from(to.rows)),
        ]))
    }
}
