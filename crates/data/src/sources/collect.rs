//! Fetching of what is missing, and what the shelf then holds together.
//!
//! One thing is fetched by one at a time: whoever comes second finds it stored. A daily span is
//! fetched whole before any of it is kept; minutes are fetched and kept by the month and hours by
//! the year, so that a long download needs little memory and a broken one goes on where it stopped.

use super::client::{Call, Progress, Step};
use super::error::{Cause, SourceError};
use super::{BarsAsk, Candles, Observation, SeriesAsk, Source, Span};
use crate::actions::Actions;
use crate::bars::Bars;
use crate::calendar;
use crate::error::DataError;
use crate::frame;
use crate::intraday::Intraday;
use crate::shelf::{Gaps, KnownActions, Part, Place, Shelf, around, missing};
use chrono::{DateTime, Datelike, Days, NaiveDate, Timelike as _, Utc};
use chrono_tz::America::New_York;
use thiserror::Error;

/// So long after its last date a series is taken to be complete: no figure comes out later.
const SETTLED: Days = Days::new(400);

/// Hour in New York from which on the day's bars are taken to be complete.
const EVENING: u32 = 20;

/// Why nothing was collected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CollectError {
    /// The source gave nothing.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What came could not be kept or read.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// What is there after a fetch.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected<T> {
    /// Everything that is stored without a gap around the span that was asked for.
    pub content: T,
    /// First and last day that it answers for.
    pub span: (NaiveDate, NaiveDate),
    /// Requests that this fetch made.
    pub requests: u32,
    /// What was asked for the content, now or before.
    pub asked: Vec<String>,
    /// The vendor's ids of these requests.
    pub request_ids: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl<T> Collected<T> {
    /// The requests in a sentence, for the lineage.
    #[must_use]
    pub fn request(&self) -> String {
        let mut text = self.asked.join("; ");
        if !self.request_ids.is_empty() {
            text.push_str(&format!(" (request ids {})", self.request_ids.join(", ")));
        }
        text
    }
}

/// The last day whose bars are complete.
#[must_use]
pub fn complete_day(now: DateTime<Utc>) -> NaiveDate {
    let local = now.with_timezone(&New_York);
    let today = local.date_naive();
    if local.hour() >= EVENING {
        today
    } else {
        today.pred_opt().unwrap_or(today)
    }
}

fn fail(source: &dyn Source, subject: &str, cause: Cause) -> CollectError {
    CollectError::Source(SourceError {
        source_id: source.card().id,
        subject: subject.to_owned(),
        cause,
    })
}

/// File work away from the threads that answer requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(DataError::Io {
            file: "fetched".to_owned(),
            action: "written",
            reason: e.to_string(),
        })
    })
}

/// What came for one gap.
struct Came<T> {
    rows: T,
    requests: Vec<String>,
    request_ids: Vec<String>,
}

/// Progress of a fetch over all its gaps.
struct Told<'a> {
    source: &'a dyn Source,
    subject: String,
    call: &'a Call,
    pages: u32,
    rows: u64,
}

impl Told<'_> {
    fn page(&mut self, rows: usize, until: Option<NaiveDate>) {
        self.pages += 1;
        self.rows += rows as u64;
        (self.call.report)(Progress {
            source: self.source.card().id,
            subject: self.subject.clone(),
            step: Step::Page {
                pages: self.pages,
                rows: self.rows,
                until,
            },
        });
    }
}

/// All pages of bars of a gap, without bars of other days.
async fn candles(told: &mut Told<'_>, ask: &BarsAsk) -> Result<Came<Candles>, SourceError> {
    let (mut rows, mut requests, mut request_ids) = (Candles::default(), Vec::new(), Vec::new());
    let mut next = None;
    loop {
        let page = told.source.bars(ask, next, told.call).await?;
        let days = page.content.days();
        told.page(days.len(), days.last().copied());
        requests.push(page.request);
        request_ids.extend(page.request_id);
        let c = page.content;
        for (i, day) in days.into_iter().enumerate() {
            if (ask.start..=ask.end).contains(&day) {
                let figures = [c.open[i], c.high[i], c.low[i], c.close[i], c.volume[i]];
                rows.push(c.at[i], figures);
            }
        }
        next = page.next;
        if next.is_none() {
            return Ok(Came {
                rows,
                requests,
                request_ids,
            });
        }
    }
}

fn manifest<T>(
    came: &Came<T>,
    (from, until): (NaiveDate, NaiveDate),
    days: &[NaiveDate],
    at: DateTime<Utc>,
) -> Part {
    Part {
        from,
        until,
        settled: until,
        requests: came.requests.clone(),
        request_ids: came.request_ids.clone(),
        at,
        first: days.iter().min().copied(),
        last: days.iter().max().copied(),
        rows: days.len() as u64,
        file_sha256: None,
    }
}

/// What parts say of themselves, joined.
fn joined<T>(content: T, parts: &[Part], requests: u32, notes: Vec<String>) -> Collected<T> {
    let from = parts.iter().map(|p| p.from).min().unwrap_or_default();
    let until = parts.iter().map(|p| p.until).max().unwrap_or_default();
    let all = |of: fn(&Part) -> &Vec<String>| parts.iter().flat_map(|p| of(p).clone()).collect();
    Collected {
        content,
        span: (from, until),
        requests,
        asked: all(|p| &p.requests),
        request_ids: all(|p| &p.request_ids),
        notes,
    }
}

/// A question that can be answered: its last day is one that is over.
fn over(source: &dyn Source, ask: &BarsAsk, now: DateTime<Utc>) -> Result<BarsAsk, CollectError> {
    let bad = |reason: String| fail(source, &ask.subject(), Cause::BadRequest(reason));
    if ask.end < ask.start {
        return Err(bad(format!("{} is before {}", ask.end, ask.start)));
    }
    if !source.card().bars.contains(&ask.span) {
        return Err(source.not_offered(&ask.subject(), "bars").into());
    }
    let ask = BarsAsk {
        end: ask.end.min(complete_day(now)),
        ..ask.clone()
    };
    if !ask
        .start
        .iter_days()
        .take_while(|d| *d <= ask.end)
        .any(calendar::is_trading_day)
    {
        return Err(bad(
            "the exchange has not been open on any of these days; choose others".to_owned(),
        ));
    }
    Ok(ask)
}

fn torn_note(torn: u32) -> Vec<String> {
    if torn == 0 {
        Vec::new()
    } else {
        vec![format!("{torn} torn files were found and fetched again")]
    }
}

/// Fetches the daily bars that are missing and gives all that are stored around the span, as traded
/// or, when that was asked for, as adjusted by the vendor.
///
/// # Errors
/// [`CollectError`]; then nothing is kept that was not there before.
pub async fn bars(
    shelf: &Shelf,
    source: &dyn Source,
    ask: &BarsAsk,
    now: DateTime<Utc>,
    call: &Call,
) -> Result<Collected<Bars>, CollectError> {
    let ask = over(source, ask, now)?;
    let subject = ask.subject();
    let place = Place {
        source: source.card().id.to_owned(),
        kind: if ask.adjusted { "day-adjusted" } else { "day" }.to_owned(),
        symbol: ask.symbol.clone(),
    };
    let Some(_held) = shelf.hold(&place, &call.cancel).await? else {
        return Err(fail(source, &subject, Cause::Cancelled));
    };
    let (at_shelf, at_place) = (shelf.clone(), place.clone());
    let (parts, torn) = blocking(move || at_shelf.parts(&at_place)).await?;
    let mut gaps = missing(
        &parts,
        ask.start,
        ask.end,
        now.date_naive(),
        Gaps::OfSessions,
    );
    let mut replaced = Vec::new();
    if ask.adjusted && !gaps.is_empty() {
        // A vendor's adjustment changes with every split: old and new figures do not fit together.
        replaced = around(&parts, ask.start, ask.end, Gaps::OfSessions);
        let from = replaced
            .iter()
            .map(|p| p.from)
            .fold(ask.start, NaiveDate::min);
        let until = replaced
            .iter()
            .map(|p| p.until)
            .fold(ask.end, NaiveDate::max);
        replaced.retain(|p| (p.from, p.until) != (from, until));
        gaps = vec![(from, until)];
    }
    let mut told = Told {
        source,
        subject: subject.clone(),
        call,
        pages: 0,
        rows: 0,
    };
    let mut came = Vec::new();
    for (from, until) in gaps {
        let part = BarsAsk {
            start: from,
            end: until,
            ..ask.clone()
        };
        came.push(((from, until), candles(&mut told, &part).await?));
    }
    let requests = told.pages;
    let kept = around(&parts, ask.start, ask.end, Gaps::OfSessions);
    let stored: u64 = kept.iter().map(|p| p.rows).sum();
    if stored == 0 && came.iter().all(|(_, c)| c.rows.is_empty()) {
        return Err(source.client().fail(&subject, Cause::Empty).into());
    }
    let (shelf, symbol) = (shelf.clone(), ask.symbol.clone());
    let notes = torn_note(torn);
    Ok(blocking(move || {
        for (span, came) in came {
            let bars = came.rows.clone().into_bars(&symbol);
            let part = manifest(&came, span, &bars.dates, now);
            let bytes = match bars.is_empty() {
                true => None,
                false => Some(frame::write_bars(&bars, &place.symbol)?),
            };
            shelf.write(&place, &part, bytes.as_deref())?;
        }
        shelf.remove(&place, &replaced);
        let (parts, _) = shelf.parts(&place)?;
        let run = around(&parts, ask.start, ask.end, Gaps::OfSessions);
        let bars = read_bars(&shelf, &place, &run)?;
        Ok(joined(bars, &run, requests, notes))
    })
    .await?)
}

/// The daily bars that are stored without a gap around a span, as traded, and the corporate actions
/// that are known; nothing is fetched. `None` when nothing is stored.
///
/// # Errors
/// [`DataError`] when a file cannot be read.
pub fn stored(
    shelf: &Shelf,
    source: &str,
    symbol: &str,
    (start, end): (NaiveDate, NaiveDate),
) -> Result<Option<(Bars, Actions)>, DataError> {
    let place = Place {
        source: source.to_owned(),
        kind: "day".to_owned(),
        symbol: symbol.to_owned(),
    };
    let (parts, _) = shelf.parts(&place)?;
    let run = around(&parts, start, end, Gaps::OfSessions);
    let bars = read_bars(shelf, &place, &run)?;
    let actions = shelf.actions(source, symbol).map(|k| k.actions);
    Ok((!bars.is_empty()).then(|| (bars, actions.unwrap_or_default())))
}

/// The bars of parts, joined.
fn read_bars(shelf: &Shelf, place: &Place, run: &[Part]) -> Result<Bars, DataError> {
    let mut all: Option<Bars> = None;
    for part in run {
        if let Some(bytes) = shelf.bytes(place, part)? {
            let more = frame::read_bars(&bytes, &place.symbol, &place.symbol)?;
            match &mut all {
                None => all = Some(more),
                Some(all) => append(all, more),
            }
        }
    }
    Ok(all.unwrap_or_default())
}

/// Adds later bars. A column that only one of the two has holds nothing for the other.
fn append(to: &mut Bars, more: Bars) {
    let (before, after) = (to.len(), more.len());
    let join = |to: &mut Option<Vec<f64>>, more: Option<Vec<f64>>| {
        if to.is_none() && more.is_none() {
            return;
        }
        let column = to.get_or_insert_with(|| vec![f64::NAN; before]);
        column.extend(more.unwrap_or_else(|| vec![f64::NAN; after]));
    };
    join(&mut to.open, more.open);
    join(&mut to.high, more.high);
    join(&mut to.low, more.low);
    join(&mut to.volume, more.volume);
    to.dates.extend(more.dates);
    to.close.extend(more.close);
}

/// The splits and dividends that are known of a symbol until `until`, fetched when those that are
/// stored are older. Some vendors or plans give none: that is remembered with the reason.
///
/// # Errors
/// [`CollectError`] when the vendor is out of order, or they cannot be kept.
pub async fn actions(
    shelf: &Shelf,
    source: &dyn Source,
    symbol: &str,
    until: NaiveDate,
    now: DateTime<Utc>,
    call: &Call,
) -> Result<Collected<KnownActions>, CollectError> {
    let subject = format!("the splits and dividends of {symbol}");
    let id = source.card().id;
    let place = Place {
        source: id.to_owned(),
        kind: "actions".to_owned(),
        symbol: symbol.to_owned(),
    };
    let Some(_held) = shelf.hold(&place, &call.cancel).await? else {
        return Err(fail(source, &subject, Cause::Cancelled));
    };
    let done = |known: KnownActions, requests: u32| Collected {
        span: (known.until, known.until),
        requests,
        asked: vec![known.request.clone()],
        request_ids: Vec::new(),
        notes: known
            .refused
            .iter()
            .map(|why| format!("splits are not known, prices are as traded: {why}"))
            .collect(),
        content: known,
    };
    if let Some(known) = shelf.actions(id, symbol).filter(|k| k.until >= until) {
        return Ok(done(known, 0));
    }
    let known_until = complete_day(now);
    let mut requests = 1;
    let known = match source.actions(symbol, call).await {
        Ok(page) => {
            // Splits and dividends are two lists with most vendors.
            requests = u32::try_from(page.request.matches("GET ").count()).unwrap_or(1);
            KnownActions {
                actions: page.content,
                until: known_until,
                request: page.request,
                refused: None,
            }
        }
        Err(e) if lasting(&e.cause) => KnownActions {
            actions: Actions::default(),
            until: known_until,
            request: format!("splits and dividends of {symbol}"),
            refused: Some(e.to_string()),
        },
        Err(e) => return Err(e.into()),
    };
    let (to, name, content) = (shelf.clone(), symbol.to_owned(), known.clone());
    blocking(move || to.write_actions(id, &name, &content, now)).await?;
    Ok(done(known, requests))
}

/// Whether asking again on the same day gives the same refusal.
fn lasting(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Denied { .. }
            | Cause::Unknown { .. }
            | Cause::Refused { .. }
            | Cause::NotOffered { .. }
            | Cause::Unreadable { .. }
            | Cause::Empty
    )
}

/// The spans by which bars of less than a day are fetched: months of minutes, years of hours.
fn chunks(span: Span, from: NaiveDate, until: NaiveDate) -> Vec<(NaiveDate, NaiveDate)> {
    let mut all = Vec::new();
    let mut begin = from;
    while begin <= until {
        let next = match (span, begin.month()) {
            (Span::Minute, month @ 1..=11) => NaiveDate::from_ymd_opt(begin.year(), month + 1, 1),
            _ => NaiveDate::from_ymd_opt(begin.year() + 1, 1, 1),
        };
        let end = next.and_then(|n| n.pred_opt()).unwrap_or(until).min(until);
        all.push((begin, end));
        let Some(after) = end.succ_opt() else { break };
        begin = after;
    }
    all
}

/// Fetches the minutes or hours that are missing, each month or year kept as soon as it is whole, and
/// gives all that are stored of the months or years which the span touches. While it downloads, one
/// of them is in memory; what it gives is whole.
///
/// # Errors
/// [`CollectError`]; months and years that arrived whole before it are kept.
pub async fn intraday(
    shelf: &Shelf,
    source: &dyn Source,
    ask: &BarsAsk,
    now: DateTime<Utc>,
    call: &Call,
) -> Result<Collected<Intraday>, CollectError> {
    let ask = over(source, ask, now)?;
    let subject = ask.subject();
    let place = Place {
        source: source.card().id.to_owned(),
        kind: if ask.adjusted {
            format!("{}-adjusted", ask.span.as_str())
        } else {
            ask.span.as_str().to_owned()
        },
        symbol: ask.symbol.clone(),
    };
    let minutes = if ask.span == Span::Hour { 60 } else { 1 };
    let Some(_held) = shelf.hold(&place, &call.cancel).await? else {
        return Err(fail(source, &subject, Cause::Cancelled));
    };
    let (at_shelf, at_place) = (shelf.clone(), place.clone());
    let (parts, torn) = blocking(move || at_shelf.parts(&at_place)).await?;
    let mut gaps = missing(
        &parts,
        ask.start,
        ask.end,
        now.date_naive(),
        Gaps::OfSessions,
    );
    if ask.adjusted && !gaps.is_empty() {
        // As with days: old and new figures do not fit together. The data set is kept elsewhere.
        let old = around(&parts, ask.start, ask.end, Gaps::OfSessions);
        let from = old.iter().map(|p| p.from).fold(ask.start, NaiveDate::min);
        let until = old.iter().map(|p| p.until).fold(ask.end, NaiveDate::max);
        gaps = vec![(from, until)];
        let (shelf, place) = (shelf.clone(), place.clone());
        blocking(move || {
            shelf.remove(&place, &old);
            Ok(())
        })
        .await?;
    }
    let mut told = Told {
        source,
        subject: subject.clone(),
        call,
        pages: 0,
        rows: 0,
    };
    for span in gaps
        .into_iter()
        .flat_map(|(from, until)| chunks(ask.span, from, until))
    {
        let part = BarsAsk {
            start: span.0,
            end: span.1,
            ..ask.clone()
        };
        let came = candles(&mut told, &part).await?;
        let (shelf, place) = (shelf.clone(), place.clone());
        blocking(move || {
            let part = manifest(&came, span, &came.rows.days(), now);
            let bars = came.rows.into_intraday(&place.symbol, minutes);
            let bytes = match bars.is_empty() {
                true => None,
                false => Some(frame::write_intraday(&bars, &place.symbol)?),
            };
            shelf.write(&place, &part, bytes.as_deref())
        })
        .await?;
    }
    let requests = told.pages;
    let (shelf, notes) = (shelf.clone(), torn_note(torn));
    let (start, end) = (ask.start, ask.end);
    let collected = blocking(move || {
        let (parts, _) = shelf.parts(&place)?;
        let run: Vec<Part> = around(&parts, start, end, Gaps::OfSessions)
            .into_iter()
            .filter(|p| p.from <= end && p.until >= start)
            .collect();
        let mut all = Intraday {
            symbol: place.symbol.clone(),
            minutes,
            open: Some(Vec::new()),
            high: Some(Vec::new()),
            low: Some(Vec::new()),
            volume: Some(Vec::new()),
            ..Intraday::default()
        };
        for part in &run {
            let Some(bytes) = shelf.bytes(&place, part)? else {
                continue;
            };
            let more = frame::read_intraday(&bytes, &place.symbol, minutes, &place.symbol)?;
            let n = more.len();
            all.stamps.extend(more.stamps);
            all.close.extend(more.close);
            for (to, from) in [
                (&mut all.open, more.open),
                (&mut all.high, more.high),
                (&mut all.low, more.low),
                (&mut all.volume, more.volume),
            ] {
                if let Some(to) = to {
                    to.extend(from.unwrap_or_else(|| vec![f64::NAN; n]));
                }
            }
        }
        Ok(joined(all, &run, requests, notes))
    })
    .await?;
    if collected.content.is_empty() {
        return Err(source.client().fail(&subject, Cause::Empty).into());
    }
    Ok(collected)
}

/// Fetches the figures of a series that are missing and gives all vintages that are stored around
/// the span.
///
/// # Errors
/// [`CollectError`]; then nothing is kept that was not there before.
pub async fn series(
    shelf: &Shelf,
    source: &dyn Source,
    ask: &SeriesAsk,
    now: DateTime<Utc>,
    call: &Call,
) -> Result<Collected<Vec<Observation>>, CollectError> {
    let subject = ask.subject();
    let bad = |reason: String| fail(source, &subject, Cause::BadRequest(reason));
    if !source.card().series {
        return Err(source.not_offered(&subject, "economic series").into());
    }
    let today = now.date_naive();
    if ask.end < ask.start || ask.start > today {
        return Err(bad(format!(
            "the span from {} to {} holds no day until today",
            ask.start, ask.end
        )));
    }
    if ask.as_of.is_some_and(|d| d > today) {
        return Err(bad("nobody knows what will be published".to_owned()));
    }
    let ask = SeriesAsk {
        end: ask.end.min(ask.as_of.unwrap_or(today)).min(today),
        ..ask.clone()
    };
    if ask.end < ask.start {
        return Err(bad(format!(
            "it begins after the day as of which it is asked, {}",
            ask.end
        )));
    }
    let place = Place {
        source: source.card().id.to_owned(),
        kind: ask
            .as_of
            .map_or_else(|| "series".to_owned(), |d| format!("series@{d}")),
        symbol: ask.id.clone(),
    };
    let Some(_held) = shelf.hold(&place, &call.cancel).await? else {
        return Err(fail(source, &subject, Cause::Cancelled));
    };
    let (at_shelf, at_place) = (shelf.clone(), place.clone());
    let (parts, torn) = blocking(move || at_shelf.parts(&at_place)).await?;
    let mut told = Told {
        source,
        subject: subject.clone(),
        call,
        pages: 0,
        rows: 0,
    };
    let mut came = Vec::new();
    for (from, until) in missing(&parts, ask.start, ask.end, today, Gaps::OfDays) {
        let part = SeriesAsk {
            start: from,
            end: until,
            ..ask.clone()
        };
        let (mut rows, mut requests, mut request_ids) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = None;
        loop {
            let page = source.series(&part, next, call).await?;
            told.page(page.content.len(), page.content.last().map(|o| o.date));
            requests.push(page.request);
            request_ids.extend(page.request_id);
            let within = |o: &Observation| (from..=until).contains(&o.date);
            rows.extend(page.content.into_iter().filter(within));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        let came_now = Came {
            rows,
            requests,
            request_ids,
        };
        came.push(((from, until), came_now));
    }
    let requests = told.pages;
    let stored: u64 = around(&parts, ask.start, ask.end, Gaps::OfDays)
        .iter()
        .map(|p| p.rows)
        .sum();
    if stored == 0 && came.iter().all(|(_, c)| c.rows.is_empty()) {
        return Err(source.client().fail(&subject, Cause::Empty).into());
    }
    let (shelf, notes) = (shelf.clone(), torn_note(torn));
    Ok(blocking(move || {
        const DAYS: [&str; 3] = ["date", "known_from", "known_until"];
        for (span, came) in came {
            let days = |of: fn(&Observation) -> NaiveDate| -> Vec<NaiveDate> {
                came.rows.iter().map(of).collect()
            };
            let columns = [
                days(|o| o.date),
                days(|o| o.known_from),
                days(|o| o.known_until),
            ];
            let mut part = manifest(&came, span, &columns[0], now);
            let old = span.1.checked_add_days(SETTLED).is_some_and(|d| d < today);
            // What was published by a past day does not change.
            let past = ask.as_of.is_some_and(|d| d < today);
            if !old && !past {
                part.settled = part
                    .last
                    .unwrap_or_else(|| span.0.pred_opt().unwrap_or(span.0));
            }
            let values: Vec<f64> = came
                .rows
                .iter()
                .map(|o| o.value.unwrap_or(f64::NAN))
                .collect();
            let bytes = if values.is_empty() {
                None
            } else {
                let named = [0, 1, 2].map(|i| (DAYS[i], &*columns[i]));
                let figures: [(&str, &[f64]); 1] = [("value", &values)];
                Some(frame::write_columns(&named, &figures, &place.symbol)?)
            };
            shelf.write(&place, &part, bytes.as_deref())?;
        }
        let (parts, _) = shelf.parts(&place)?;
        let run = around(&parts, ask.start, ask.end, Gaps::OfDays);
        let mut all = Vec::new();
        for part in &run {
            if let Some(bytes) = shelf.bytes(&place, part)? {
                let (days, values) = frame::read_columns(&bytes, &DAYS, &["value"], &place.symbol)?;
                all.extend((0..values[0].len()).map(|i| Observation {
                    date: days[0][i],
                    known_from: days[1][i],
                    known_until: days[2][i],
                    value: Some(values[0][i]).filter(|v| v.is_finite()),
                }));
            }
        }
        Ok(joined(all, &run, requests, notes))
    })
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_complete_in_the_evening_of_new_york() {
        let day = |text: &str| complete_day(text.parse().unwrap()).to_string();
        assert_eq!(day("2024-01-03T00:59:00Z"), "2024-01-01");
        assert_eq!(day("2024-01-03T01:00:00Z"), "2024-01-02");
        assert_eq!(day("2024-07-03T00:00:00Z"), "2024-07-02");
    }

    #[test]
    fn minutes_come_by_the_month_and_hours_by_the_year() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let spans = |span, a: &str, b: &str| -> Vec<(String, String)> {
            chunks(span, day(a), day(b))
                .into_iter()
                .map(|(a, b)| (a.to_string(), b.to_string()))
                .collect()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            spans(Span::Minute, "2011-11-15", "2012-01-10"),
            [
                pair("2011-11-15", "2011-11-30"),
                pair("2011-12-01", "2011-12-31"),
                pair("2012-01-01", "2012-01-10"),
            ]
        );
        assert_eq!(
            spans(Span::Hour, "2011-11-15", "2012-01-10"),
            [
                pair("2011-11-15", "2011-12-31"),
                pair("2012-01-01", "2012-01-10")
            ]
        );
    }
}
