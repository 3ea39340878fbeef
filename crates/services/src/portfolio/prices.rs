//! Closes of several symbols, through the gate.

use super::performance::Closes;
use crate::run::joined_closes;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_catalogue_core::SeriesTable;
use mltrainer_compliance::{Verified, policy};
use mltrainer_data::actions::Adjustment;
use mltrainer_data::bars::Bars;
use mltrainer_types::data::{DatasetKind, DatasetSummary};

/// Symbols of one request, at most.
pub(crate) const MOST_SYMBOLS: usize = 500;

/// A symbol in capitals, so that one has one weight; ids of data sets (`user:3f...`) keep their letters.
pub(crate) fn canonical(symbol: &str) -> String {
    let symbol = symbol.trim();
    if symbol.contains(':') {
        symbol.to_owned()
    } else {
        symbol.to_ascii_uppercase()
    }
}

/// Closes on the days that all symbols have.
pub(crate) struct Joined {
    /// One column a symbol, under its name.
    pub(crate) table: Verified<SeriesTable>,
    /// The days.
    pub(crate) days: Vec<NaiveDate>,
    /// Data sets, in the order of the columns.
    pub(crate) sets: Vec<DatasetSummary>,
}

impl Services {
    /// The data set of a symbol, or of that id.
    pub(crate) async fn price_set(
        &self,
        name: &str,
        source: Option<&str>,
    ) -> Result<DatasetSummary, ServiceError> {
        let name = name.trim();
        let set = match source {
            Some(source) if !name.contains(':') => {
                let all = self.inner.room.all().await?;
                Self::dataset_of(&all, name, Some(source))?
            }
            _ if name.is_empty() => {
                return Err(ServiceError::invalid("symbols", "a symbol is empty"));
            }
            _ => self.dataset_named(name).await?,
        };
        if set.kind == DatasetKind::Series {
            return Err(ServiceError::invalid(
                "symbols",
                format!("{} is an economic series; a portfolio holds shares", set.id),
            ));
        }
        Ok(set)
    }

    /// The shares that ship with the program as closes.
    pub(crate) async fn bundled_shares(&self) -> Result<Vec<String>, ServiceError> {
        let all = self.inner.room.all().await?;
        let closes = all
            .iter()
            .map(|r| &r.detail.summary)
            .filter(|s| s.source == policy::BUNDLED && s.kind == DatasetKind::Closes);
        Ok(closes.flat_map(|s| s.symbols.first().cloned()).collect())
    }

    /// Closes of these symbols from `start` to `end`, on the days that all have, of at least `least` rows. Dividends
    /// that are known are taken into the closes before them, so that changes are total returns.
    pub(crate) async fn joined(
        &self,
        names: &[String],
        source: Option<&str>,
        (start, end): (Option<NaiveDate>, Option<NaiveDate>),
        least: usize,
    ) -> Result<Joined, ServiceError> {
        crate::data::check_span(start, end)?;
        if names.len() > MOST_SYMBOLS {
            return Err(ServiceError::invalid(
                "symbols",
                format!(
                    "{} symbols are named, at most {MOST_SYMBOLS} are taken",
                    names.len()
                ),
            ));
        }
        let mut sets: Vec<DatasetSummary> = Vec::new();
        let mut bars: Vec<Verified<Bars>> = Vec::new();
        for name in names {
            let set = self.price_set(name, source).await?;
            if let Some(other) = sets
                .iter()
                .find(|s| s.symbols.first() == set.symbols.first())
            {
                return Err(ServiceError::invalid(
                    "symbols",
                    format!("{name} stands twice, as {} and {}", other.id, set.id),
                ));
            }
            let registered = self.inner.room.one(set.id.as_str()).await?;
            let own = self.inner.room.bars(&registered).await?;
            let corporate = self.corporate(&registered, &own).await?;
            bars.push(corporate.total(&own)?);
            sets.push(set);
        }
        crate::room::blocking(move || {
            let words = crate::run::span_words(start, end);
            let table = Verified::combine(&bars, "series", format!("close, {words}"), |all| {
                joined_closes(all, start, end)
            })?;
            let days: Vec<NaiveDate> = table
                .get()
                .days()
                .unwrap_or_default()
                .iter()
                .filter_map(|d| NaiveDate::from_epoch_days(*d as i32))
                .collect();
            if days.len() < least {
                let spans: Vec<String> = sets
                    .iter()
                    .map(|s| format!("{} {} to {}", s.symbols.join(" "), s.first, s.last))
                    .collect();
                return Err(ServiceError::BadData(format!(
                    "the symbols have {} days in common {words}, at least {least} are needed ({})",
                    days.len(),
                    spans.join(", ")
                )));
            }
            Ok(Joined { table, days, sets })
        })
        .await
    }

    /// Closes of a symbol until a day, as they stood at its end: adjusted for the splits known by then.
    pub(crate) async fn closes_as_of(
        &self,
        set: &DatasetSummary,
        day: NaiveDate,
    ) -> Result<Closes, ServiceError> {
        if day < set.first {
            return Ok(Vec::new());
        }
        let bars = self
            .bars_as_of(set.id.as_str(), day, Adjustment::Splits)
            .await?;
        Ok(bars.into_iter().map(|b| (b.date, b.close)).collect())
    }
}
