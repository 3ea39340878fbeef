//! What is known of the splits and dividends of a data set, and its bars as they were traded.
//!
//! Bundled shares and fetched days are registered adjusted for splits. Back tests trade them at the prices
//! of their day, with the splits and dividends beside them; portfolios count returns with dividends.

use crate::error::from_data;
use crate::port::Registered;
use crate::room::blocking;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_compliance::{Digest, Verified};
use mltrainer_data::actions::{Actions, Adjustment};
use mltrainer_data::bars::{Bars, Split};
use mltrainer_data::bundled;
use mltrainer_data::shelf::Shelf;
use mltrainer_data::sources::collect;
use mltrainer_types::data::DatasetKind;
use std::sync::Arc;

/// Rounding that two ways of adjusting a price may differ by, as a share of it.
const ROUNDING: f64 = 1e-9;

/// Whether the dividends of a data set are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dividends {
    /// All of its span.
    Known,
    /// Prices are adjusted for them: changes are total returns.
    InPrices,
    /// None is known.
    Unknown,
}

/// What is known of a data set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Corporate {
    /// Splits that its prices are adjusted for, and dividends in the shares of their day.
    pub(crate) actions: Actions,
    pub(crate) dividends: Dividends,
}

impl Corporate {
    fn none(dividends: Dividends) -> Self {
        Self {
            actions: Actions::default(),
            dividends,
        }
    }

    /// Whether prices were ever others than those of the set.
    pub(crate) fn is_empty(&self) -> bool {
        self.actions.splits.is_empty() && self.actions.dividends.is_empty()
    }

    /// So many shares on the last day of the set stand for one share of a day.
    fn factor(&self, day: NaiveDate) -> f64 {
        let later = self.actions.splits.iter().filter(|s| s.date > day);
        later.map(Split::ratio).product()
    }

    /// The bars as they were traded.
    pub(crate) fn as_traded(&self, bars: &Verified<Bars>) -> Result<Verified<Bars>, ServiceError> {
        let named: Vec<String> = self
            .actions
            .splits
            .iter()
            .map(|s| format!("{} for {} on {}", s.new_shares, s.for_old, s.date))
            .collect();
        let detail = format!("splits undone: {}", named.join(", "));
        bars.derive("as traded", detail, |b| {
            let factor: Vec<f64> = b.dates.iter().map(|d| self.factor(*d)).collect();
            let price = |column: &[f64]| -> Vec<f64> {
                column.iter().zip(&factor).map(|(p, f)| p * f).collect()
            };
            Ok(Bars {
                open: b.open.as_deref().map(price),
                high: b.high.as_deref().map(price),
                low: b.low.as_deref().map(price),
                close: price(&b.close),
                volume: b
                    .volume
                    .as_deref()
                    .map(|v| v.iter().zip(&factor).map(|(v, f)| v / f).collect()),
                ..b.clone()
            })
        })
    }

    /// The bars with dividends taken into the prices before them: changes are total returns.
    pub(crate) fn total(&self, bars: &Verified<Bars>) -> Result<Verified<Bars>, ServiceError> {
        if self.actions.dividends.is_empty() {
            return Ok(bars.clone());
        }
        let Some(last) = bars.get().dates.last().copied() else {
            return Ok(bars.clone());
        };
        let count = self.actions.dividends.len();
        let detail = format!("adjusted for {count} dividends");
        self.as_traded(bars)?.derive("total return", detail, |b| {
            b.as_of(last, &self.actions, Adjustment::Total)
                .map_err(from_data)
        })
    }

    /// SHA-256 over the actions of a span, first day excluded.
    pub(crate) fn sha256(&self, (first, last): (NaiveDate, NaiveDate)) -> String {
        let inside = |d: NaiveDate| first < d && d <= last;
        let mut digest = Digest::new();
        for s in self.actions.splits.iter().filter(|s| inside(s.date)) {
            digest.text("split").text(&s.date.to_string());
            digest.float(s.ratio());
        }
        for d in self.actions.dividends.iter().filter(|d| inside(d.date)) {
            digest.text("dividend").text(&d.date.to_string());
            digest.float(d.amount);
        }
        digest.finish()
    }
}

/// The splits that turn raw bars into the registered ones: of those known, in order, the first so many.
fn applied(raw: &Bars, bars: &Bars, splits: &[Split]) -> Option<Vec<Split>> {
    let raw_close: Vec<f64> = bars
        .dates
        .iter()
        .map(|d| raw.dates.binary_search(d).ok().map(|i| raw.close[i]))
        .collect::<Option<_>>()?;
    (0..=splits.len()).rev().find_map(|count| {
        let splits = &splits[..count];
        let same = bars
            .dates
            .iter()
            .zip(&bars.close)
            .zip(&raw_close)
            .all(|((d, close), raw)| {
                let later = splits.iter().filter(|s| s.date > *d);
                let factor: f64 = later.map(Split::ratio).product();
                (raw / factor - close).abs() <= ROUNDING * close.abs()
            });
        same.then(|| splits.to_vec())
    })
}

impl Services {
    /// What is known of the splits and dividends of a data set with these bars.
    pub(crate) async fn corporate(
        &self,
        set: &Registered,
        bars: &Arc<Verified<Bars>>,
    ) -> Result<Corporate, ServiceError> {
        let summary = set.detail.summary.clone();
        let Some(symbol) = summary.symbols.first().cloned() else {
            return Ok(Corporate::none(Dividends::Unknown));
        };
        if set.path.is_none() {
            if summary.kind == DatasetKind::Closes {
                return Ok(Corporate::none(Dividends::InPrices));
            }
            let info = bundled::list().iter().find(|i| i.id == symbol);
            let splits = info.map_or(&[][..], |i| i.splits);
            return Ok(Corporate {
                actions: Actions {
                    splits: splits
                        .iter()
                        .filter(|s| s.date <= summary.last)
                        .copied()
                        .collect(),
                    dividends: Vec::new(),
                },
                dividends: Dividends::Unknown,
            });
        }
        // Only days as traded lie beside their actions.
        if summary.id.as_str() != format!("{}:{symbol}", summary.source) {
            return Ok(Corporate::none(Dividends::Unknown));
        }
        let shelf = Shelf::new(self.inner.room.library.clone());
        let bars = Arc::clone(bars);
        blocking(move || {
            let span = (summary.first, summary.last);
            let stored =
                collect::stored(&shelf, &summary.source, &symbol, span).map_err(from_data)?;
            let known = shelf.actions(&summary.source, &symbol);
            let (Some((raw, _)), Some(known)) = (stored, known) else {
                return Ok(Corporate::none(Dividends::Unknown));
            };
            let mut splits = known.actions.splits;
            splits.retain(|s| s.date > summary.first && s.new_shares > 0 && s.for_old > 0);
            splits.sort_by_key(|s| s.date);
            let mut dividends = known.actions.dividends;
            dividends.retain(|d| span.0 < d.date && d.date <= span.1 && d.amount > 0.0);
            dividends.sort_by_key(|d| d.date);
            if !raw.dates.is_sorted() {
                return Ok(Corporate::none(Dividends::Unknown));
            }
            let Some(splits) = applied(&raw, bars.get(), &splits) else {
                return Ok(Corporate::none(Dividends::Unknown));
            };
            let all = known.refused.is_none() && known.until >= summary.last;
            Ok(Corporate {
                actions: Actions { splits, dividends },
                dividends: if all {
                    Dividends::Known
                } else {
                    Dividends::Unknown
                },
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2014, 6, d).unwrap()
    }

    #[test]
    fn the_splits_that_were_applied_are_found_by_the_prices() {
        let split = |d: u32, new_shares: u32| Split {
            date: day(d),
            new_shares,
            for_old: 1,
        };
        let bars = |close: &[f64]| Bars {
            symbol: "X".into(),
            dates: vec![day(4), day(5), day(6)],
            close: close.to_vec(),
            ..Bars::default()
        };
        let raw = bars(&[140.0, 70.0, 71.0]);
        let known = [split(5, 2), split(9, 7)];
        let found = |close: &[f64]| applied(&raw, &bars(close), &known).map(|s| s.len());
        assert_eq!(found(&[70.0, 70.0, 71.0]), Some(1));
        // The split after the last day was in effect when the set was made.
        assert_eq!(found(&[10.0, 10.0, 71.0 / 7.0]), Some(2));
        assert_eq!(found(&[140.0, 70.0, 71.0]), Some(0));
        // Other prices: nothing is said of them.
        assert_eq!(found(&[69.0, 70.0, 71.0]), None);
    }
}
