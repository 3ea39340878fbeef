//! Where boosting takes its draws from: a stream of our own, or LightGBM's, which gives the rows,
//! columns and cuts that the program draws from the same seed on one thread.
//!
//! LightGBM's generator is x ← 214013 x + 2531011 modulo 2³²; a number from it is bits 16 to 30, or the
//! lower 31 bits. Seeds of its parts follow from the one seed; rows are drawn in blocks of 1,024 with a
//! generator each, and each column has one for its cuts.

use super::histogram::Binned;
use rand::Rng as _;
use rand::seq::index::sample;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeSet;

/// LightGBM's generator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Congruential(pub(super) u32);

impl Congruential {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(214_013).wrapping_add(2_531_011);
        self.0
    }

    /// Fifteen bits.
    pub(super) fn short(&mut self) -> u32 {
        (self.next() >> 16) & 0x7fff
    }

    /// In [0, 1).
    fn share(&mut self) -> f64 {
        f64::from(self.short()) / 32_768.0
    }

    /// Below `bound`, which is above 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() & 0x7fff_ffff) as usize % bound
    }

    /// `k` of 0, 1, ... n - 1, ascending.
    pub(super) fn sample(&mut self, n: usize, k: usize) -> Vec<usize> {
        if k > n || k == 0 {
            return Vec::new();
        }
        if k == n {
            return (0..n).collect();
        }
        if k > 1 && k as f64 > n as f64 / (k as f64).log2() {
            let mut chosen = Vec::with_capacity(k);
            for i in 0..n {
                let chance = (k - chosen.len()) as f64 / (n - i) as f64;
                if self.share() < chance {
                    chosen.push(i);
                }
            }
            return chosen;
        }
        let mut chosen = BTreeSet::new();
        for last in n - k..n {
            let one = self.below(last + 1);
            if !chosen.insert(one) {
                chosen.insert(last);
            }
        }
        chosen.into_iter().collect()
    }
}

/// Rows that share a generator.
const BLOCK: usize = 1_024;

/// LightGBM's generators.
#[derive(Debug)]
pub(crate) struct LightGbm {
    rows: Vec<Congruential>,
    rounds: Congruential,
    columns: Congruential,
    /// One a column that can be split.
    cuts: Vec<Congruential>,
    /// Columns that can be split, ascending.
    valid: Vec<usize>,
    /// Of them, those that the tree sees.
    used: Vec<usize>,
}

/// So many of them as the share says, rounded.
fn count(of: usize, share: f64) -> usize {
    ((of as f64 * share + 0.5) as usize).max(of.min(1))
}

impl LightGbm {
    /// For a table, of whose columns a share is seen by each tree.
    fn new(seed: u64, data: &Binned, by_tree: f64) -> Self {
        let mut own = Congruential(seed as u32);
        // Of the data, of bagging, of rounds left out, of columns, of the objective, of cuts.
        let seeds: [u32; 6] = std::array::from_fn(|_| own.short() % 0x7fff);
        let many = |seed: u32, n: usize| (0..n as u32).map(move |i| Congruential(seed + i));
        // The program numbers its columns in the order of its groups.
        let order = data.grouped_columns();
        let mut cuts: Vec<_> = order.iter().zip(many(seeds[5], order.len())).collect();
        cuts.sort_unstable_by_key(|(column, _)| **column);
        let (valid, cuts): (Vec<usize>, Vec<Congruential>) = cuts.into_iter().unzip();
        let mut draws = Self {
            rows: many(seeds[1], data.rows().div_ceil(BLOCK)).collect(),
            rounds: Congruential(seeds[2]),
            columns: Congruential(seeds[3]),
            cuts,
            used: valid.clone(),
            valid,
        };
        // The program draws once before the first tree.
        draws.tree(by_tree);
        draws
    }

    /// The columns of a tree, ascending.
    fn tree(&mut self, share: f64) -> Vec<usize> {
        if share < 1.0 {
            let many = count(self.valid.len(), share);
            let chosen = self.columns.sample(self.valid.len(), many);
            self.used = chosen.into_iter().map(|i| self.valid[i]).collect();
        }
        self.used.clone()
    }

    /// The columns of a node, of those that are allowed there.
    fn node(&mut self, share: f64, allowed: &[usize]) -> Vec<usize> {
        let many = count(self.used.len(), share).min(allowed.len());
        let chosen = self.columns.sample(allowed.len(), many);
        chosen.into_iter().map(|i| allowed[i]).collect()
    }
}

/// Where draws come from.
#[derive(Debug)]
pub(crate) enum Draws {
    /// A stream of our own.
    Own(Xoshiro256PlusPlus),
    /// LightGBM's.
    LightGbm(LightGbm),
}

impl Draws {
    /// LightGBM's, for rows and columns of a table.
    pub(crate) fn light_gbm(seed: u64, data: &Binned, by_tree: f64) -> Self {
        Self::LightGbm(LightGbm::new(seed, data, by_tree))
    }

    /// Whether they are LightGBM's.
    pub(crate) fn are_light_gbm(&self) -> bool {
        matches!(self, Self::LightGbm(_))
    }

    /// In [0, 1), for a round that may be left out.
    pub(crate) fn of_round(&mut self) -> f64 {
        match self {
            Self::Own(random) => random.r#gen(),
            Self::LightGbm(draws) => draws.rounds.share(),
        }
    }

    /// In [0, 1), for a row.
    pub(crate) fn of_row(&mut self, row: usize) -> f64 {
        match self {
            Self::Own(random) => random.r#gen(),
            Self::LightGbm(draws) => draws.rows[row / BLOCK].share(),
        }
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        match self {
            Self::Own(random) => random.gen_range(0..bound),
            Self::LightGbm(draws) => draws.rounds.below(bound),
        }
    }

    /// `k` of 0, 1, ... n - 1, ascending.
    pub(crate) fn sample(&mut self, n: usize, k: usize) -> Vec<usize> {
        match self {
            Self::Own(random) => {
                let mut chosen = sample(random, n, k).into_vec();
                chosen.sort_unstable();
                chosen
            }
            Self::LightGbm(draws) => draws.rounds.sample(n, k),
        }
    }

    /// So many of the columns as the share says, at least one, ascending.
    pub(crate) fn part(&mut self, of: &[usize], share: f64) -> Vec<usize> {
        let many = ((of.len() as f64 * share) as usize).clamp(1, of.len());
        if many == of.len() {
            return of.to_vec();
        }
        let chosen = self.sample(of.len(), many);
        chosen.into_iter().map(|i| of[i]).collect()
    }

    /// The columns of a tree.
    pub(crate) fn of_tree(&mut self, all: Vec<usize>, share: f64) -> Vec<usize> {
        match self {
            Self::LightGbm(draws) => draws.tree(share),
            Self::Own(_) if share < 1.0 => self.part(&all, share),
            Self::Own(_) => all,
        }
    }

    /// The columns of a node, of those that are allowed there.
    pub(crate) fn of_node(&mut self, allowed: Vec<usize>, share: f64) -> Vec<usize> {
        match self {
            _ if share >= 1.0 => allowed,
            Self::LightGbm(draws) => draws.node(share, &allowed),
            Self::Own(_) if allowed.is_empty() => allowed,
            Self::Own(_) => self.part(&allowed, share),
        }
    }

    /// LightGBM's generator of the cuts of a column that can be split.
    pub(super) fn of_cuts(&mut self, column: usize) -> Option<&mut Congruential> {
        let Self::LightGbm(draws) = self else {
            return None;
        };
        let at = draws.valid.binary_search(&column).ok()?;
        draws.cuts.get_mut(at)
    }

    /// The only cut of a column that a node looks at: the last bin on the left, of so many bins.
    pub(crate) fn of_cut(&mut self, column: usize, bins: usize) -> usize {
        if bins <= 2 {
            return 0;
        }
        match self {
            Self::Own(random) => random.gen_range(0..bins - 2),
            Self::LightGbm(_) => self.of_cuts(column).map_or(0, |cuts| cuts.below(bins - 2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_hand() {
        // 214013 · 1 + 2531011 = 2745024 = 41 · 65536 + 58048: 41 as fifteen bits.
        let mut random = Congruential(1);
        assert_eq!(random.short(), 41);
        // 214013 · 2745024 + 2531011 is 3357800067 modulo 2³², of which 31 bits are 1210316419.
        assert_eq!(random.below(1 << 30), 1_210_316_419 - (1 << 30));
    }
}
