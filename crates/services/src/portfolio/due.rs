//! Corporate actions that the data know of and that are not recorded.
//!
//! A split that is not recorded leaves the shares as they were while the price is divided, so the value is wrong from
//! that day on; a dividend that is not recorded is missing in the cash. Both are told as transactions to be recorded,
//! and nothing is recorded by itself: what a broker did with them, only its statement says.

use super::book::Book;
use crate::room::blocking;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_compliance::policy;
use mltrainer_data::actions::Actions;
use mltrainer_data::bundled;
use mltrainer_data::shelf::Shelf;
use mltrainer_types::data::DatasetSummary;
use mltrainer_types::portfolio::{TransactionKind, TransactionRequest};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;
use std::collections::BTreeMap;

/// Days that a recorded split may be away from the day in the data.
const SPLIT_DAYS: i64 = 7;

/// Days from the day without dividend until it is paid, at most.
const PAID_DAYS: i64 = 60;

/// Digits of an amount of money.
const CENTS: u32 = 2;

impl Services {
    /// The splits and dividends that are known of a data set: those of the program's own and of fetched bars.
    pub(crate) async fn known_actions(
        &self,
        set: &DatasetSummary,
    ) -> Result<Actions, ServiceError> {
        let Some(symbol) = set.symbols.first().cloned() else {
            return Ok(Actions::default());
        };
        if set.source == policy::BUNDLED {
            let info = bundled::list().iter().find(|i| i.id == symbol);
            return Ok(Actions {
                splits: info.map(|i| i.splits.to_vec()).unwrap_or_default(),
                dividends: Vec::new(),
            });
        }
        let (library, source) = (self.inner.room.library.clone(), set.source.clone());
        blocking(move || {
            let shelf = Shelf::new(library);
            let known = shelf.actions(&source, &symbol);
            Ok::<_, ServiceError>(known.map(|k| k.actions).unwrap_or_default())
        })
        .await
    }

    /// Actions of everything held until `as_of` that are not recorded, by day.
    pub(crate) async fn due_actions(
        &self,
        book: &Book,
        sets: &BTreeMap<String, DatasetSummary>,
        as_of: NaiveDate,
    ) -> Result<Vec<TransactionRequest>, ServiceError> {
        let mut all = Vec::new();
        for (symbol, set) in sets {
            let actions = self.known_actions(set).await?;
            all.extend(due(book, symbol, &actions.known(as_of)));
        }
        all.sort_by(|a, b| (a.date, &a.symbol).cmp(&(b.date, &b.symbol)));
        Ok(all)
    }
}

/// Takes the first recorded day that fits out of `left`.
fn recorded(left: &mut Vec<NaiveDate>, fits: impl Fn(NaiveDate) -> bool) -> bool {
    let at = left.iter().position(|d| fits(*d));
    at.inspect(|i| {
        left.remove(*i);
    })
    .is_some()
}

/// Actions of one symbol that are not recorded.
fn due(book: &Book, symbol: &str, actions: &Actions) -> Vec<TransactionRequest> {
    let new = |kind, date| TransactionRequest {
        symbol: Some(symbol.to_owned()),
        ..TransactionRequest::new(kind, date)
    };
    let splits = book.splits.get(symbol).into_iter().flatten();
    let mut left: Vec<NaiveDate> = splits.map(|(d, _)| *d).collect();
    let mut all = Vec::new();
    let mut splits = actions.splits.clone();
    splits.sort_by_key(|s| s.date);
    for s in splits {
        let near = |d: NaiveDate| (d - s.date).num_days().abs() <= SPLIT_DAYS;
        if book.held_before(symbol, s.date).is_zero() || recorded(&mut left, near) {
            continue;
        }
        all.push(TransactionRequest {
            new_shares: Some(s.new_shares),
            for_old: Some(s.for_old),
            ..new(TransactionKind::Split, s.date)
        });
    }
    if !all.is_empty() {
        // The shares that a dividend was paid on are not known before the splits are recorded.
        return all;
    }
    let mut left = book.dividends.get(symbol).cloned().unwrap_or_default();
    let mut dividends = actions.dividends.clone();
    dividends.sort_by_key(|d| d.date);
    for d in dividends {
        let after = |paid: NaiveDate| (0..=PAID_DAYS).contains(&(paid - d.date).num_days());
        let held = book.held_before(symbol, d.date);
        if held.is_zero() || recorded(&mut left, after) {
            continue;
        }
        let amount = Decimal::from_f64(d.amount)
            .and_then(|each| each.checked_mul(held))
            .map(|whole| whole.round_dp(CENTS).normalize())
            .filter(|whole| *whole > Decimal::ZERO);
        all.extend(amount.map(|amount| TransactionRequest {
            amount: Some(amount),
            ..new(TransactionKind::Dividend, d.date)
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::book::tests::{day, recorded as lines};
    use super::*;
    use mltrainer_data::actions::Dividend;
    use mltrainer_data::bars::Split;
    use mltrainer_types::portfolio::CostBasis;

    fn book(text: &[&str]) -> Book {
        Book::replay(&lines(text), CostBasis::Fifo, None).unwrap()
    }

    fn actions() -> Actions {
        let split = |date: &str, new_shares| Split {
            date: day(date),
            new_shares,
            for_old: 1,
        };
        let dividend = |date: &str, amount| Dividend {
            date: day(date),
            amount,
            declared: None,
        };
        // Apple's splits of 2005 and 2014, and its first dividends after the pause of 1995, in shares of their day.
        Actions {
            splits: vec![split("2014-06-09", 7), split("2005-02-28", 2)],
            dividends: vec![
                dividend("2012-11-07", 2.65),
                dividend("2012-08-09", 2.65),
                dividend("2013-02-07", 2.65),
            ],
        }
    }

    const BOUGHT: [&str; 2] = ["2005-01-03 deposit 1000", "2005-01-03 buy AAPL 10 63.29"];

    #[test]
    fn splits_come_before_dividends() {
        let found = due(&book(&BOUGHT), "AAPL", &actions().known(day("2013-03-01")));
        let told: Vec<_> = found
            .iter()
            .map(|t| (t.kind, t.date, t.new_shares, t.for_old))
            .collect();
        assert_eq!(
            told,
            [(TransactionKind::Split, day("2005-02-28"), Some(2), Some(1))]
        );
    }

    #[test]
    fn a_dividend_is_paid_on_the_shares_of_the_day_before() {
        // 20 shares after the split, 5 of them sold on the day without dividend: 53 on 20 in August, paid on the
        // 16th and recorded; 39.75 on 15 in November and in February.
        let mut text = BOUGHT.to_vec();
        text.extend([
            "2005-03-02 split AAPL 2 1",
            "2012-08-09 sell AAPL 5 620.73",
            "2012-08-16 dividend AAPL 53",
        ]);
        let found = due(&book(&text), "AAPL", &actions().known(day("2013-03-01")));
        let told: Vec<_> = found
            .iter()
            .map(|t| (t.kind, t.date, t.amount.unwrap().to_string()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    TransactionKind::Dividend,
                    day("2012-11-07"),
                    "39.75".to_owned()
                ),
                (
                    TransactionKind::Dividend,
                    day("2013-02-07"),
                    "39.75".to_owned()
                ),
            ]
        );
    }

    #[test]
    fn what_was_not_held_then_is_not_due() {
        let after = ["2014-06-09 deposit 1000", "2014-06-09 buy AAPL 10 93.70"];
        assert_eq!(due(&book(&after), "AAPL", &actions()), []);
        let before = [BOUGHT[0], BOUGHT[1], "2005-02-25 sell AAPL 10 88.99"];
        assert_eq!(due(&book(&before), "AAPL", &actions()), []);
    }
}
