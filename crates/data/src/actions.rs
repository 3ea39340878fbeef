//! Corporate actions, kept apart from raw prices and applied when bars are read, as of a day.
//!
//! Bars as of a day hold what was known by its end: no later bar, and no split or dividend that had
//! not taken effect or had not been declared. Their last price is therefore the one that was traded.
//!
//! A split of `n` for `m` divides earlier prices by `n/m` and multiplies earlier volumes by it. A cash
//! dividend `d` with the close `c` on the last day before multiplies earlier prices by `1 - d/c`, so
//! that the return of the ex-dividend day is that of price and dividend together (the convention of
//! CRSP, "CRSP US Stock Databases Guide", chapter "Adjusted data").

use crate::bars::{Bars, Split};
use crate::error::DataError;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// A dividend in cash.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Dividend {
    /// First day on which the share trades without it.
    pub date: NaiveDate,
    /// Amount a share, in the currency of the prices and in shares as they are on `date`.
    pub amount: f64,
    /// When it was announced, where the source tells; else it counts as known on `date`.
    pub declared: Option<NaiveDate>,
}

/// All corporate actions of one symbol, in any order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Actions {
    /// Splits; known on their day at the latest, because it trades at the new price.
    pub splits: Vec<Split>,
    /// Cash dividends.
    pub dividends: Vec<Dividend>,
}

/// What bars are adjusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adjustment {
    /// Nothing: prices as traded.
    Raw,
    /// Splits.
    #[default]
    Splits,
    /// Splits and dividends: changes are total returns.
    Total,
}

impl Actions {
    /// Those in effect and declared by the end of `day`.
    #[must_use]
    pub fn known(&self, day: NaiveDate) -> Self {
        let splits = self.splits.iter().filter(|s| s.date <= day);
        let dividends = self.dividends.iter();
        let paid = |d: &&Dividend| d.date <= day && d.declared.is_none_or(|t| t <= day);
        Self {
            splits: splits.copied().collect(),
            dividends: dividends.filter(paid).copied().collect(),
        }
    }
}

impl Bars {
    /// The bars as they stood at the end of `day`: later bars are cut off, earlier prices adjusted for
    /// the actions known by then. Dates must ascend; `self` holds prices as traded.
    ///
    /// # Errors
    /// [`DataError::Action`] for a split without shares and a dividend that is not below the close
    /// before it.
    pub fn as_of(
        &self,
        day: NaiveDate,
        actions: &Actions,
        adjustment: Adjustment,
    ) -> Result<Self, DataError> {
        let raw = self.slice(None, Some(day));
        if adjustment == Adjustment::Raw {
            return Ok(raw);
        }
        let Actions {
            mut splits,
            mut dividends,
        } = actions.known(day);
        let wrong = |date: NaiveDate, reason: String| DataError::Action {
            symbol: self.symbol.clone(),
            date,
            reason,
        };
        if let Some(s) = splits.iter().find(|s| s.new_shares == 0 || s.for_old == 0) {
            let reason = format!("{} shares for {}", s.new_shares, s.for_old);
            return Err(wrong(s.date, reason));
        }
        splits.sort_by_key(|s| s.date);
        dividends.sort_by_key(|d| d.date);
        // A split on the day after the last bar is in effect too: `day` is what counts.
        let mut bars = raw.split_adjusted(&splits);
        if adjustment == Adjustment::Splits {
            return Ok(bars);
        }
        for dividend in dividends {
            let before = raw.dates.partition_point(|d| *d < dividend.date);
            let Some(close) = before.checked_sub(1).map(|i| raw.close[i]) else {
                continue;
            };
            // The dividend is counted in the shares of its day, the close in those of the day before.
            let same_day = splits.iter().filter(|s| s.date == dividend.date);
            let close = close / same_day.map(Split::ratio).product::<f64>();
            let factor = 1.0 - dividend.amount / close;
            if !(factor > 0.0 && factor <= 1.0) {
                let reason = format!("a dividend of {} at a close of {close}", dividend.amount);
                return Err(wrong(dividend.date, reason));
            }
            bars.scale_prices(before, factor);
        }
        Ok(bars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    /// Apple around its split of 7 for 1 on Monday 2014-06-09 and its dividend of 3.29 dollars on
    /// 2014-05-08: closes as traded (2014-05-07 592.33, 05-08 587.99, 06-06 645.57, 06-09 93.70).
    fn apple() -> (Bars, Actions) {
        let bars = Bars {
            symbol: "AAPL".to_owned(),
            dates: vec![
                day(2014, 5, 7),
                day(2014, 5, 8),
                day(2014, 6, 6),
                day(2014, 6, 9),
            ],
            close: vec![592.33, 587.99, 645.57, 93.70],
            volume: Some(vec![100.0, 200.0, 300.0, 2100.0]),
            ..Bars::default()
        };
        let actions = Actions {
            splits: vec![Split {
                date: day(2014, 6, 9),
                new_shares: 7,
                for_old: 1,
            }],
            dividends: vec![Dividend {
                date: day(2014, 5, 8),
                amount: 3.29,
                declared: Some(day(2014, 4, 23)),
            }],
        };
        (bars, actions)
    }

    fn near(a: &[f64], b: &[f64]) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-9 * b.abs(), "{a} {b}");
        }
    }

    #[test]
    fn an_action_counts_from_the_day_it_was_known() {
        let (bars, actions) = apple();
        let as_of = |d, how| bars.as_of(d, &actions, how).unwrap();
        // The Friday before the split: prices as traded, and Monday does not exist.
        let friday = as_of(day(2014, 6, 6), Adjustment::Splits);
        assert_eq!(friday.close, [592.33, 587.99, 645.57]);
        assert_eq!(friday.volume, Some(vec![100.0, 200.0, 300.0]));
        let monday = as_of(day(2014, 6, 9), Adjustment::Splits);
        // By hand: 592.33/7, 587.99/7, 645.57/7.
        near(
            &monday.close,
            &[84.618571428571, 83.998571428571, 92.224285714286, 93.70],
        );
        assert_eq!(monday.volume, Some(vec![700.0, 1400.0, 2100.0, 2100.0]));
        assert_eq!(as_of(day(2014, 6, 9), Adjustment::Raw), bars);
        // 1 - 3.29/592.33 = 0.994445663734742.
        let total = as_of(day(2014, 6, 9), Adjustment::Total);
        near(
            &total.close[..2],
            &[84.618571428571 * 0.994445663734742, 83.998571428571],
        );
        // The return of the ex-dividend day is that of price and dividend: 587.99 / (592.33 - 3.29) - 1.
        near(&[total.close[1] / total.close[0]], &[587.99 / 589.04]);
        let before = as_of(day(2014, 5, 7), Adjustment::Total);
        assert_eq!(before.close, [592.33]);
        // Announced late: not known on its own day.
        let mut late = actions.clone();
        late.dividends[0].declared = Some(day(2014, 6, 1));
        let known = bars
            .as_of(day(2014, 5, 8), &late, Adjustment::Total)
            .unwrap();
        assert_eq!(known.close, [592.33, 587.99]);
    }

    #[test]
    fn a_dividend_on_the_day_of_a_split_is_in_new_shares() {
        let (bars, mut actions) = apple();
        actions.dividends = vec![Dividend {
            date: day(2014, 6, 9),
            amount: 0.47,
            declared: None,
        }];
        let total = bars
            .as_of(day(2014, 6, 9), &actions, Adjustment::Total)
            .unwrap();
        // Price and dividend in new shares: 93.70 / (92.224285714286 - 0.47).
        near(
            &[total.close[3] / total.close[2]],
            &[93.70 / 91.754285714286],
        );
    }

    #[test]
    fn actions_that_cannot_be_are_refused() {
        let (bars, mut actions) = apple();
        actions.dividends[0].amount = 600.0;
        let error = bars
            .as_of(day(2014, 6, 9), &actions, Adjustment::Total)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the corporate action of AAPL on 2014-05-08 cannot be: a dividend of 600 at a close of 592.33; correct it in its source"
        );
        actions.splits[0].for_old = 0;
        assert!(
            bars.as_of(day(2014, 6, 9), &actions, Adjustment::Splits)
                .is_err()
        );
    }
}
