//! Columns that hardly ever differ from their usual bin in the same row are kept as one: exclusive
//! feature bundling.
//!
//! What: which columns LightGBM bundles, what is lost where two of them meet in a row, and how columns
//! that never meet are stored as one column of codes, so that one pass over the rows sums all of them.
//! Source: Ke et al., NIPS (2017), section 4; lightgbm 4.7.0, which bundles greedily, once in the order of
//! the columns and once by their numbers of values other than 0, and keeps what has fewer groups.

use super::draws::Congruential;
use super::histogram::{Binned, Bins, Codes, Column, ZERO};
use mltrainer_catalogue_core::{FitError, threads};
use ndarray::{Array2, ArrayView1};
use std::cmp::Reverse;
use std::sync::Arc;

/// A bit a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Marks(Vec<u64>);

impl Marks {
    /// No row of `n` is marked.
    pub(super) fn none(n: usize) -> Self {
        Self(vec![0; n.div_ceil(64)])
    }

    /// The rows of whose values it is true.
    pub(super) fn of<T: Copy>(values: &[T], is: impl Fn(T) -> bool) -> Self {
        let word = |values: &[T]| {
            let bits = values.iter().enumerate();
            bits.fold(0, |word, (bit, v)| word | u64::from(is(*v)) << bit)
        };
        Self(values.chunks(64).map(word).collect())
    }

    /// How many.
    fn count(&self) -> usize {
        self.0.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// How many are marked in both; `None` when more than `most`.
    fn shared(&self, other: &Self, most: usize) -> Option<usize> {
        let mut sum = 0;
        for (a, b) in self.0.iter().zip(&other.0) {
            sum += (a & b).count_ones() as usize;
            if sum > most {
                return None;
            }
        }
        Some(sum)
    }

    /// Marks those of another too.
    fn join(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
    }

    /// The rows that are marked, ascending.
    pub(super) fn rows(&self) -> Vec<usize> {
        let mut rows = Vec::with_capacity(self.count());
        for (k, word) in self.0.iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                rows.push(k * 64 + left.trailing_zeros() as usize);
                left &= left - 1;
            }
        }
        rows
    }

    /// Those that are marked in both.
    fn both(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }
}

/// A column as bundling sees it.
pub(super) struct Sparse {
    /// Its number in the table.
    pub(super) column: usize,
    /// Rows whose value is not 0.
    pub(super) values: usize,
    /// Rows that count as taken: those whose value is not 0, or that are not in the usual bin where 0 is
    /// in another one.
    pub(super) marks: Marks,
}

/// Columns that LightGBM stores together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// Their numbers, in the order in which they joined.
    pub(super) columns: Vec<usize>,
    /// Whether the program keeps a value a column after all, so that nothing is lost.
    pub(super) several: bool,
}

/// Groups that are searched for each column at most.
const SEARCHED: usize = 100;

/// Columns in groups with fewer rows taken than this share are in one group at the end.
const DENSE: f64 = 0.4;

/// Greedy groups of columns in an order, given as places in `columns`.
fn find(columns: &[Sparse], order: &[usize], n: usize) -> Vec<Group> {
    struct Open {
        members: Vec<usize>,
        marks: Marks,
        /// Rows that are taken, and the same with those counted twice that two columns take.
        rows: usize,
        total: usize,
    }
    // One row in ten thousand may be lost.
    let conflicts = n / 10_000;
    let mut random = Congruential(n as u32);
    let mut open: Vec<Open> = Vec::new();
    for at in order {
        let marks = &columns[*at].marks;
        let own = marks.count();
        let room: Vec<usize> = (0..open.len())
            .filter(|g| open[*g].total + own <= n + conflicts)
            .collect();
        // The last one, then some of the others.
        let searched = room.split_last().map_or(Vec::new(), |(last, others)| {
            let some = random.sample(others.len(), others.len().min(SEARCHED - 1));
            std::iter::once(*last)
                .chain(some.into_iter().map(|k| others[k]))
                .collect()
        });
        let fits = searched.into_iter().find_map(|g| {
            let lost = open[g].total - open[g].rows;
            let most = conflicts.checked_sub(lost)?;
            let met = open[g].marks.shared(marks, most)?;
            (met <= own / 2).then_some((g, met))
        });
        match fits {
            Some((g, met)) => {
                let group = &mut open[g];
                group.members.push(*at);
                group.marks.join(marks);
                group.rows += own - met;
                group.total += own;
            }
            None => open.push(Open {
                members: vec![*at],
                marks: marks.clone(),
                rows: own,
                total: own,
            }),
        }
    }
    let group = |members: Vec<usize>, several: bool| Group {
        columns: members.into_iter().map(|at| columns[at].column).collect(),
        several,
    };
    let (dense, sparse): (Vec<Open>, Vec<Open>) = open
        .into_iter()
        .partition(|g| g.rows as f64 / n as f64 >= DENSE);
    let mut groups: Vec<Group> = dense.into_iter().map(|g| group(g.members, false)).collect();
    if !sparse.is_empty() {
        let members: Vec<usize> = sparse.into_iter().flat_map(|g| g.members).collect();
        let mut marks = Marks::none(n);
        let mut lost = 0;
        let exclusive = members.iter().all(|at| {
            let own = &columns[*at].marks;
            let met = marks.shared(own, conflicts - lost);
            lost += met.unwrap_or_default();
            marks.join(own);
            met.is_some()
        });
        groups.push(group(members, !exclusive));
    }
    groups
}

/// The groups into which LightGBM puts the columns of a table with `n` rows, in the order in which it
/// keeps them.
pub(super) fn groups(columns: &[Sparse], n: usize) -> Vec<Group> {
    let natural: Vec<usize> = (0..columns.len()).collect();
    let mut by_values = natural.clone();
    by_values.sort_by_key(|at| Reverse(columns[*at].values));
    let mut groups = find(columns, &natural, n);
    let other = find(columns, &by_values, n);
    if other.len() < groups.len() {
        groups = other;
    }
    let mut random = Congruential(n as u32);
    for i in 1..groups.len() {
        let other = i + random.short() as usize % (groups.len() - i);
        groups.swap(i - 1, other);
    }
    groups
}

/// What is lost in a group whose columns take these rows, given with their numbers: where two meet, the
/// value of the last column stays. Rows by column.
pub(super) fn lost(mut taken: Vec<(usize, Marks)>, n: usize) -> Vec<(usize, Vec<usize>)> {
    taken.sort_by_key(|(column, _)| Reverse(*column));
    let mut later = Marks::none(n);
    let mut lost = Vec::new();
    for (column, marks) in taken {
        let rows = later.both(&marks).rows();
        if !rows.is_empty() {
            lost.push((column, rows));
        }
        later.join(&marks);
    }
    lost
}

/// Bundles of columns, each with the rows that it takes and the codes that it needs: no row is taken
/// twice in one, and it has at most `most` codes, one of them for rows that no column takes.
pub(super) fn pack(columns: Vec<(usize, Marks, usize)>, most: usize) -> Vec<Vec<usize>> {
    let mut open: Vec<(Vec<usize>, Marks, usize)> = Vec::new();
    for (column, marks, codes) in columns {
        let fits = open
            .iter_mut()
            .rev()
            .take(SEARCHED)
            .find(|(_, taken, used)| *used + codes <= most && taken.shared(&marks, 0).is_some());
        match fits {
            Some((members, taken, used)) => {
                members.push(column);
                taken.join(&marks);
                *used += codes;
            }
            None => open.push((vec![column], marks, codes + 1)),
        }
    }
    open.into_iter().map(|(members, _, _)| members).collect()
}

/// Where the bins of a column lie among the codes of a bundle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    /// Code of the first bin that has one, and how many have.
    pub(super) first: usize,
    pub(super) many: usize,
    /// That bin: the usual one has no code where it is the first.
    pub(super) skipped: usize,
    /// The bin of the rows with another code.
    pub(super) usual: usize,
}

impl Slots {
    /// The bin of a code.
    pub(super) fn bin(&self, code: usize) -> usize {
        let at = code.wrapping_sub(self.first);
        if at < self.many {
            at + self.skipped
        } else {
            self.usual
        }
    }

    /// Where the cell of bin 0 is, or would be.
    pub(super) fn start(&self) -> usize {
        self.first - self.skipped
    }
}

impl Binned {
    /// The columns as LightGBM keeps them: those that cannot be cut with so many rows on either side are
    /// left out, and with `bundle` those that hardly ever differ from their usual bin in the same row are
    /// stored as one. Also the cells that are lost by that, as the values that are seen in their place.
    ///
    /// # Errors
    /// Those of [`Self::new`].
    pub(crate) fn light_gbm(
        x: &Array2<f64>,
        bins: Bins,
        categories: &[usize],
        names: &[String],
        (min_rows, bundle): (usize, bool),
    ) -> Result<(Self, Vec<Lost>), FitError> {
        let n = x.nrows();
        let cut = Self::cut(x, bins, categories, names, (None, bundle))?;
        let (mut columns, sparse): (Vec<Column>, Vec<Option<Sparse>>) = cut.into_iter().unzip();
        let valid = splittable(&columns, n, min_rows);
        if !bundle {
            let stores = valid.iter().map(|c| vec![*c]).collect();
            let mut own = Self::store(n, columns, stores);
            own.grouped = valid;
            return Ok((own, Vec::new()));
        }
        let mut sparse: Vec<Sparse> = sparse.into_iter().flatten().collect();
        sparse.retain(|s| valid.binary_search(&s.column).is_ok());
        let groups = groups(&sparse, n);
        drop(sparse);
        let mut gone = Vec::new();
        let mut stores = Vec::new();
        for group in &groups {
            if group.columns.len() == 1 {
                stores.push(group.columns.clone());
                continue;
            }
            if !group.several {
                let each = group.columns.iter().map(|c| (*c, columns[*c].taken()));
                for (column, rows) in lost(each.collect(), n) {
                    gone.extend(columns[column].lose(&rows, x.column(column), column));
                }
            }
            let each = group.columns.iter().map(|c| {
                let codes = columns[*c].slots(1).many;
                (*c, columns[*c].taken(), codes)
            });
            stores.extend(pack(each.collect(), 256));
        }
        stores.iter_mut().for_each(|store| store.sort_unstable());
        stores.sort_unstable();
        let codes = threads::map(stores.len(), |k| match stores[k].as_slice() {
            [_] => None,
            members => Some(bundle_up(&columns, members, n)),
        });
        for (codes, slots) in codes.into_iter().flatten() {
            let codes = Arc::new(codes);
            for (column, slots) in slots {
                columns[column].codes = Codes::Bundled(codes.clone(), slots);
                columns[column].width = 256;
            }
        }
        let mut own = Self::store(n, columns, stores);
        own.grouped = groups.into_iter().flat_map(|g| g.columns).collect();
        Ok((own, gone))
    }
}

/// Columns that can be cut with so many rows on either side, as LightGBM looks before it begins.
fn splittable(columns: &[Column], n: usize, min_rows: usize) -> Vec<usize> {
    let fits = |column: &Column| {
        let bins = column.all_bins();
        if bins < 2 || (column.categories.is_some() && column.bins > 1) {
            return bins > 1;
        }
        let mut left = 0;
        column.rows[..bins - 1].iter().any(|rows| {
            left += rows;
            left >= min_rows && n - left >= min_rows
        })
    };
    (0..columns.len()).filter(|c| fits(&columns[*c])).collect()
}

/// A cell that is lost in a bundle: its row and column, and the value that is seen in its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Lost {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) value: f64,
}

impl Column {
    /// The bin of 0 (LightGBM's default bin).
    fn bin_of_zero(&self) -> usize {
        match &self.categories {
            Some(kept) => kept.iter().position(|v| *v == 0.0).unwrap_or(self.bins),
            None => self.bounds.partition_point(|b| *b < 0.0),
        }
    }

    /// Where its bins would be in a bundle whose codes begin there.
    fn slots(&self, first: usize) -> Slots {
        // That of 0 among numbers is what the others leave; a category needs its place.
        let skipped = usize::from(self.usual == 0 && self.rest.is_none());
        // The bin of unknown categories is not asked for.
        let asked = if self.usual == self.bins && self.rest.is_none() {
            self.bins
        } else {
            self.all_bins()
        };
        Slots {
            first,
            many: asked - skipped,
            skipped,
            usual: self.usual,
        }
    }

    /// Which rows count as taken where LightGBM looks for bundles: those whose value is not 0, or that are
    /// not in the usual bin where 0 is in another one. For the latter the program takes its rows in their
    /// order, but their values as it sorted them before, missing ones passed over; so does this.
    pub(super) fn as_sparse(&self, column: usize, values: &[f64]) -> Sparse {
        let mut marks = Marks::of(values, |v| v.is_nan() || v.abs() > ZERO);
        let rows = marks.rows();
        if self.bin_of_zero() != self.usual {
            let known = rows.iter().filter(|row| !values[**row].is_nan());
            let mut sorted: Vec<usize> = known.copied().collect();
            sorted.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
            let mut taken = vec![true; values.len()];
            for (k, row) in rows.iter().enumerate() {
                let other = *sorted.get(k).unwrap_or(row);
                taken[*row] = self.code(other as u32) != self.usual;
            }
            marks = Marks::of(&taken, |taken| taken);
        }
        Sparse {
            column,
            values: rows.len(),
            marks,
        }
    }

    /// The rows that are not in the usual bin.
    fn taken(&self) -> Marks {
        match &self.codes {
            Codes::Small(codes) => Marks::of(codes, |code| usize::from(code) != self.usual),
            Codes::Large(codes) => Marks::of(codes, |code| usize::from(code) != self.usual),
            Codes::Bundled(codes, slots) => {
                Marks::of(codes, |code| slots.bin(usize::from(code)) != self.usual)
            }
        }
    }

    /// Puts rows into the usual bin.
    fn lose(&mut self, rows: &[usize], values: ArrayView1<'_, f64>, column: usize) -> Vec<Lost> {
        let usual = self.usual;
        let value = if usual == self.bins {
            f64::NAN
        } else if usual == self.bin_of_zero() {
            0.0
        } else {
            // One that is there.
            let there = (0..values.len()).find(|row| self.code(*row as u32) == usual);
            there.map_or(f64::NAN, |row| values[row])
        };
        match &mut self.codes {
            Codes::Small(codes) => rows.iter().for_each(|r| codes[*r] = usual as u8),
            Codes::Large(codes) => rows.iter().for_each(|r| codes[*r] = usual as u16),
            Codes::Bundled(..) => {}
        }
        let lost = rows.iter().map(|row| Lost {
            row: *row,
            column,
            value,
        });
        lost.collect()
    }
}

/// The codes of a bundle, and where each column's are.
fn bundle_up(columns: &[Column], members: &[usize], n: usize) -> (Vec<u8>, Vec<(usize, Slots)>) {
    let mut codes = vec![0; n];
    let mut places = Vec::with_capacity(members.len());
    let mut first = 1;
    for member in members {
        let own = &columns[*member];
        let slots = own.slots(first);
        for row in own.taken().rows() {
            codes[row] = (slots.start() + own.code(row as u32)) as u8;
        }
        first += slots.many;
        places.push((*member, slots));
    }
    (codes, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(n: usize, rows: &[usize]) -> Marks {
        let taken: Vec<bool> = (0..n).map(|row| rows.contains(&row)).collect();
        Marks::of(&taken, |taken| taken)
    }

    #[test]
    fn the_last_of_two_columns_stays() {
        // Row 70 is taken by 1 and 4, row 5 by all three.
        let taken = vec![
            (4, marks(100, &[5, 70])),
            (1, marks(100, &[5, 6, 70])),
            (3, marks(100, &[5])),
        ];
        assert_eq!(lost(taken, 100), [(3, vec![5]), (1, vec![5, 70])]);
    }

    #[test]
    fn no_row_is_taken_twice_in_a_bundle() {
        // 0 and 1 meet in row 9; 2 meets neither, but 1 + 3 + 4 codes beside 0 are more than 7.
        let columns = vec![
            (0, marks(10, &[1, 9]), 3),
            (1, marks(10, &[9]), 1),
            (2, marks(10, &[4]), 4),
            (3, marks(10, &[2, 3]), 3),
        ];
        assert_eq!(pack(columns, 7), [vec![0, 3], vec![1, 2]]);
    }

    #[test]
    fn codes_of_a_bundle_are_bins_again() {
        // Bins 1 to 3 have the codes 5 to 7, bin 0 all others.
        let slots = Slots {
            first: 5,
            many: 3,
            skipped: 1,
            usual: 0,
        };
        let bins: Vec<usize> = (3..10).map(|code| slots.bin(code)).collect();
        assert_eq!(bins, [0, 0, 1, 2, 3, 0, 0]);
        assert_eq!(slots.start(), 4);
    }

    #[test]
    fn columns_of_one_code_are_one_group() {
        // Of 30 rows none may be lost: four columns of seven rows each take 28 rows, more than 40 %, and a
        // column that takes 20 rows does not fit beside them.
        let sparse = |column: usize, rows: Vec<usize>| Sparse {
            column,
            values: rows.len(),
            marks: marks(30, &rows),
        };
        let mut columns: Vec<Sparse> = (0..4)
            .map(|k| sparse(k, (0..30).filter(|row| row % 4 == k && *row < 28).collect()))
            .collect();
        columns.push(sparse(4, (10..30).collect()));
        let mut groups: Vec<Vec<usize>> = groups(&columns, 30)
            .into_iter()
            .map(|g| g.columns)
            .collect();
        groups.sort_unstable();
        assert_eq!(groups, [vec![0, 1, 2, 3], vec![4]]);
    }
}
