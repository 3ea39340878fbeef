//! An economic series: one value a date, with the day from which it was known.

use crate::bars::digest_dates;
use chrono::NaiveDate;
use mltrainer_compliance::{Content, Digest};

/// Values by date: columns of equal length. After the gate dates ascend strictly and every value
/// is finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Name, for example `VIXCLS`.
    pub id: String,
    /// The date a value belongs to: the day itself, or the first or last day of its period.
    pub dates: Vec<NaiveDate>,
    /// The day from whose end on the value may be used; never before it was published.
    pub known_at: Vec<NaiveDate>,
    /// The values, in the unit of the series.
    pub values: Vec<f64>,
}

impl Series {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dates.len()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dates.is_empty()
    }

    /// For each of these days, the latest value known by its end with the date it belongs to; `None`
    /// before the first. Days need not be sorted.
    #[must_use]
    pub fn as_of(&self, days: &[NaiveDate]) -> Vec<Option<(NaiveDate, f64)>> {
        // In the order of becoming known; of several known the latest date counts.
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|&i| (self.known_at[i], self.dates[i]));
        let mut latest: Vec<(NaiveDate, usize)> = Vec::with_capacity(order.len());
        let mut best: Option<usize> = None;
        for i in order {
            if best.is_none_or(|b| self.dates[i] >= self.dates[b]) {
                best = Some(i);
            }
            latest.push((self.known_at[i], best.unwrap_or(i)));
        }
        days.iter()
            .map(|day| {
                let known = latest.partition_point(|(known, _)| known <= day);
                let (_, i) = latest.get(known.checked_sub(1)?)?;
                Some((self.dates[*i], self.values[*i]))
            })
            .collect()
    }

    /// The rows of these numbers (from 0), in the order given.
    pub(crate) fn pick(&self, rows: &[usize]) -> Self {
        Self {
            id: self.id.clone(),
            dates: rows.iter().map(|&r| self.dates[r]).collect(),
            known_at: rows.iter().map(|&r| self.known_at[r]).collect(),
            values: rows.iter().map(|&r| self.values[r]).collect(),
        }
    }
}

impl Content for Series {
    fn digest(&self, d: &mut Digest) {
        d.text("series").text(&self.id);
        digest_dates(d, &self.dates);
        digest_dates(d, &self.known_at);
        d.floats(&self.values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2008, m, d).unwrap()
    }

    #[test]
    fn a_value_counts_from_the_day_it_was_known() {
        let s = Series {
            id: "X".to_owned(),
            dates: vec![day(1, 1), day(2, 1), day(3, 1)],
            // The figure for February came out after the one for March.
            known_at: vec![day(2, 14), day(4, 20), day(4, 15)],
            values: vec![1.0, 2.0, 3.0],
        };
        let days = [
            day(2, 13),
            day(2, 14),
            day(4, 14),
            day(4, 15),
            day(12, 31),
            day(1, 1),
        ];
        let jan = Some((day(1, 1), 1.0));
        let mar = Some((day(3, 1), 3.0));
        assert_eq!(s.as_of(&days), [None, jan, jan, mar, mar, None]);
        assert_eq!(Series::default().as_of(&days), [None; 6]);
    }
}
