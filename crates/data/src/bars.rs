//! Daily bars of one symbol.

use crate::error::DataError;
use chrono::NaiveDate;
use mltrainer_compliance::{Content, Digest};
use mltrainer_types::data::Bar;
use serde::{Deserialize, Serialize};

/// The date of a row whose date could not be read. It exists only before the gate: the checks set
/// such rows aside.
pub const UNREADABLE_DATE: NaiveDate = NaiveDate::MIN;

/// Daily bars: columns of equal length. After the gate dates ascend strictly, every figure is
/// finite, prices are above zero and `low <= open, close <= high`. Before it, a figure that could
/// not be read is NaN and a date that could not be read is [`UNREADABLE_DATE`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// Symbol, in capitals.
    pub symbol: String,
    /// Trading days.
    pub dates: Vec<NaiveDate>,
    /// Opening prices, where the source has them.
    pub open: Option<Vec<f64>>,
    /// Highest prices, where the source has them.
    pub high: Option<Vec<f64>>,
    /// Lowest prices, where the source has them.
    pub low: Option<Vec<f64>>,
    /// Closing prices.
    pub close: Vec<f64>,
    /// Shares traded, where the source has them.
    pub volume: Option<Vec<f64>>,
}

/// A split: from `date` on, `new_shares` stand for `for_old` old ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// First day on which the symbol trades at the new price.
    pub date: NaiveDate,
    /// New shares ...
    pub new_shares: u32,
    /// ... for so many old ones.
    pub for_old: u32,
}

impl Split {
    /// New shares for one old share.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        f64::from(self.new_shares) / f64::from(self.for_old)
    }
}

impl Bars {
    /// Number of days.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dates.len()
    }

    /// Whether there is no day.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dates.is_empty()
    }

    /// The days from `start` to `end`, both inclusive; no bound where `None`. Dates must ascend.
    #[must_use]
    pub fn slice(&self, start: Option<NaiveDate>, end: Option<NaiveDate>) -> Self {
        let from = start.map_or(0, |s| self.dates.partition_point(|d| *d < s));
        let to = end.map_or(self.len(), |e| self.dates.partition_point(|d| *d <= e));
        let rows: Vec<usize> = (from..to.max(from)).collect();
        self.pick(&rows)
    }

    /// The rows of these numbers (from 0), in the order given.
    #[must_use]
    pub(crate) fn pick(&self, rows: &[usize]) -> Self {
        let column = |c: &[f64]| rows.iter().map(|&r| c[r]).collect::<Vec<_>>();
        Self {
            symbol: self.symbol.clone(),
            dates: rows.iter().map(|&r| self.dates[r]).collect(),
            open: self.open.as_deref().map(column),
            high: self.high.as_deref().map(column),
            low: self.low.as_deref().map(column),
            close: column(&self.close),
            volume: self.volume.as_deref().map(column),
        }
    }

    /// The bars adjusted for splits as of their last day: prices before a split are divided by its
    /// ratio, volumes multiplied. Splits after the last day change nothing, so bars cut at a day
    /// look as they did on that day, up to one factor for all of them. Dividends are not adjusted
    /// for.
    #[must_use]
    pub fn adjusted(&self, splits: &[Split]) -> Self {
        let Some(&last) = self.dates.last() else {
            return self.clone();
        };
        let known: Vec<Split> = splits.iter().filter(|s| s.date <= last).copied().collect();
        self.split_adjusted(&known)
    }

    /// Adjusted for all of these splits, whenever they are.
    pub(crate) fn split_adjusted(&self, splits: &[Split]) -> Self {
        let mut bars = self.clone();
        for split in splits {
            let before = bars.dates.partition_point(|d| *d < split.date);
            let ratio = split.ratio();
            let prices = [&mut bars.open, &mut bars.high, &mut bars.low];
            for column in prices.into_iter().flatten() {
                column[..before].iter_mut().for_each(|p| *p /= ratio);
            }
            bars.close[..before].iter_mut().for_each(|p| *p /= ratio);
            if let Some(volume) = &mut bars.volume {
                volume[..before].iter_mut().for_each(|v| *v *= ratio);
            }
        }
        bars
    }

    /// Multiplies the prices of the first `rows` days.
    pub(crate) fn scale_prices(&mut self, rows: usize, factor: f64) {
        let prices = [&mut self.open, &mut self.high, &mut self.low];
        for column in prices.into_iter().flatten() {
            column[..rows].iter_mut().for_each(|p| *p *= factor);
        }
        self.close[..rows].iter_mut().for_each(|p| *p *= factor);
    }

    /// The bars one by one, for charts; a figure that is not finite is absent.
    #[must_use]
    pub fn to_wire(&self) -> Vec<Bar> {
        let at =
            |c: &Option<Vec<f64>>, i: usize| c.as_ref().and_then(|c| mltrainer_types::finite(c[i]));
        (0..self.len())
            .map(|i| Bar {
                date: self.dates[i],
                open: at(&self.open, i),
                high: at(&self.high, i),
                low: at(&self.low, i),
                close: self.close[i],
                volume: at(&self.volume, i),
            })
            .collect()
    }

    /// The columns in their fixed order with their names; absent ones are left out.
    pub(crate) fn columns(&self) -> Vec<(&'static str, &[f64])> {
        [
            ("open", self.open.as_deref()),
            ("high", self.high.as_deref()),
            ("low", self.low.as_deref()),
            ("close", Some(self.close.as_slice())),
            ("volume", self.volume.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, column)| column.map(|c| (name, c)))
        .collect()
    }
}

impl Content for Bars {
    fn digest(&self, d: &mut Digest) {
        d.text("bars").text(&self.symbol);
        digest_dates(d, &self.dates);
        let columns = self.columns();
        d.int(columns.len() as i64);
        for (name, column) in columns {
            d.text(name).floats(column);
        }
    }
}

/// Writes days as their number from year 1, with how many they are in front.
pub(crate) fn digest_dates(d: &mut Digest, dates: &[NaiveDate]) {
    use chrono::Datelike;
    d.int(dates.len() as i64);
    for day in dates {
        d.int(i64::from(day.num_days_from_ce()));
    }
}

/// A symbol as it is kept: trimmed and in capitals.
///
/// # Errors
/// [`DataError::BadSymbol`] when it holds other signs than a symbol may, or too many.
pub fn symbol(text: &str) -> Result<String, DataError> {
    let symbol = text.trim().to_ascii_uppercase();
    let first = symbol
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric() || c == '^');
    let all = symbol
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || ".^_-=".contains(c));
    if first && all && symbol.len() <= 32 {
        Ok(symbol)
    } else {
        Err(DataError::BadSymbol {
            symbol: text.chars().take(40).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2004, 3, d).unwrap()
    }

    fn three() -> Bars {
        Bars {
            symbol: "X".to_owned(),
            dates: vec![day(1), day(2), day(3)],
            open: Some(vec![10.0, 12.0, 6.0]),
            high: Some(vec![12.0, 14.0, 8.0]),
            low: Some(vec![8.0, 10.0, 5.0]),
            close: vec![11.0, 13.0, 7.0],
            volume: Some(vec![100.0, 200.0, 300.0]),
        }
    }

    fn split(d: u32, new_shares: u32, for_old: u32) -> Split {
        Split {
            date: day(d),
            new_shares,
            for_old,
        }
    }

    #[test]
    fn prices_before_a_split_shrink_and_volumes_grow() {
        let b = three().adjusted(&[split(3, 2, 1)]);
        assert_eq!(b.open, Some(vec![5.0, 6.0, 6.0]));
        assert_eq!(b.high, Some(vec![6.0, 7.0, 8.0]));
        assert_eq!(b.low, Some(vec![4.0, 5.0, 5.0]));
        assert_eq!(b.close, [5.5, 6.5, 7.0]);
        assert_eq!(b.volume, Some(vec![200.0, 400.0, 300.0]));
        // Two splits multiply: the first day went through both.
        let b = three().adjusted(&[split(3, 2, 1), split(2, 1, 4)]);
        assert_eq!(b.close, [11.0 * 4.0 / 2.0, 6.5, 7.0]);
        // A split after the last day is not known yet; one on the first day changes no price.
        let cut = three().slice(None, Some(day(2)));
        assert_eq!(cut.adjusted(&[split(3, 2, 1)]), cut);
        assert_eq!(three().adjusted(&[split(1, 2, 1)]), three());
        assert_eq!(Bars::default().adjusted(&[split(1, 2, 1)]), Bars::default());
    }

    #[test]
    fn slices_include_both_ends() {
        let b = three();
        assert_eq!(b.slice(None, None), b);
        assert_eq!(b.slice(Some(day(2)), Some(day(2))).close, [13.0]);
        assert_eq!(b.slice(Some(day(2)), None).volume, Some(vec![200.0, 300.0]));
        assert!(b.slice(Some(day(3)), Some(day(1))).is_empty());
        assert!(b.slice(Some(day(4)), None).is_empty());
    }

    #[test]
    fn every_part_counts_in_the_hash() {
        let b = three();
        let mut hashes = vec![b.sha256(), b.adjusted(&[split(3, 2, 1)]).sha256()];
        hashes.push(
            Bars {
                symbol: "Y".to_owned(),
                ..b.clone()
            }
            .sha256(),
        );
        hashes.push(
            Bars {
                open: None,
                ..b.clone()
            }
            .sha256(),
        );
        hashes.push(
            Bars {
                volume: None,
                ..b.clone()
            }
            .sha256(),
        );
        hashes.push(
            Bars {
                open: b.high.clone(),
                high: b.open.clone(),
                ..b.clone()
            }
            .sha256(),
        );
        let mut later = b.clone();
        later.dates[2] = day(4);
        hashes.push(later.sha256());
        let n = hashes.len();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), n);
        assert_eq!(three().sha256(), b.sha256());
    }

    #[test]
    fn symbols() {
        assert_eq!(symbol(" brk.b "), Ok("BRK.B".to_owned()));
        assert_eq!(symbol("^GSPC"), Ok("^GSPC".to_owned()));
        for bad in ["", "../x", ".A", "A B", "ä", &"A".repeat(33)] {
            assert!(
                matches!(symbol(bad), Err(DataError::BadSymbol { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn bars_for_charts() {
        let mut b = three();
        b.open = None;
        let wire = b.to_wire();
        assert_eq!(wire.len(), 3);
        assert_eq!(
            (wire[1].date, wire[1].open, wire[1].close),
            (day(2), None, 13.0)
        );
        assert_eq!(wire[2].volume, Some(300.0));
    }
}
