//! FRED of the Federal Reserve Bank of St. Louis, with the vintages of ALFRED:
//! <https://fred.stlouisfed.org/docs/api/fred/series_observations.html>.
//!
//! A figure has a date it belongs to and a span of days on which it was the published one
//! (`realtime_start` to `realtime_end`). Asked **as of** a day, FRED gives what was published then.
//! Asked without, all vintages come, and of each date the first figure is taken with the day on
//! which it was published: what a forecast could have known. The value `.` is missing.
//!
//! Daily figures of markets are not revised, and FRED limits a request to 2,000 vintages; for those
//! in `MARKET` the newest figures come, known so many days after their date as stands there.
//!
//! The key goes into the address (`api_key`): FRED knows no other way.

use super::client::{Answer, Auth, Call, Client};
use super::lenient::{Figure, list};
use super::{Card, Cause, Observation, Page, SeriesAsk, Source, SourceError, View};
use crate::series::Series;
use async_trait::async_trait;
use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is fixed about it.
pub static CARD: Card = Card {
    id: "fred",
    title: "FRED, Federal Reserve Bank of St. Louis",
    key_variable: "FRED_API_KEY",
    url_variable: "MLTRAINER_FRED_URL",
    url: "https://api.stlouisfed.org",
    per_minute: 120,
    bars: &[],
    series: true,
    views: &[View::Series, View::Releases],
    auth: Auth::Query("api_key"),
};

/// Figures on a page: the most that FRED gives.
const LIMIT: usize = 100_000;

/// Where vintages begin and end.
const ALWAYS: (&str, &str) = ("1776-07-04", "9999-12-31");

/// Daily figures of markets, which are not revised, with the days until they are known: closes on
/// their day, yields on the next, the oil price (published weekly) after a week.
const MARKET: [(&str, u64); 7] = [
    ("VIXCLS", 0),
    ("SP500", 0),
    ("DGS10", 1),
    ("DGS2", 1),
    ("T10Y2Y", 1),
    ("BAA10Y", 1),
    ("DCOILWTICO", 7),
];

fn market_lag(id: &str) -> Option<u64> {
    MARKET.iter().find(|(m, _)| *m == id).map(|(_, lag)| *lag)
}

/// FRED.
pub struct Fred(pub(super) Client);

#[derive(Deserialize)]
struct Observations {
    #[serde(default)]
    count: usize,
    #[serde(default)]
    offset: usize,
    observations: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    date: NaiveDate,
    #[serde(default)]
    realtime_start: Option<NaiveDate>,
    #[serde(default)]
    realtime_end: Option<NaiveDate>,
    #[serde(default)]
    value: Figure,
}

/// What is known of a series: `GET /fred/series`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesInfo {
    /// Name.
    pub id: String,
    /// Title.
    #[serde(default)]
    pub title: String,
    /// First date.
    pub observation_start: NaiveDate,
    /// Last date.
    pub observation_end: NaiveDate,
    /// `Daily`, `Monthly`, ...
    #[serde(default)]
    pub frequency: String,
    /// Unit.
    #[serde(default)]
    pub units: String,
    /// Whether it is adjusted for the season.
    #[serde(default)]
    pub seasonal_adjustment: String,
    /// When it was last updated.
    #[serde(default)]
    pub last_updated: String,
    /// Notes.
    #[serde(default)]
    pub notes: Option<String>,
}

#[derive(Deserialize)]
struct SeriesList {
    #[serde(default, rename = "seriess", deserialize_with = "list")]
    series: Vec<SeriesInfo>,
}

#[derive(Deserialize)]
struct Releases {
    #[serde(default, deserialize_with = "list")]
    releases: Vec<Release>,
}

#[derive(Deserialize)]
struct Release {
    id: u32,
}

/// A day on which figures were or will be published: `GET /fred/release/dates`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleaseDate {
    /// Number of the release.
    pub release_id: u32,
    /// Day.
    pub date: NaiveDate,
}

#[derive(Deserialize)]
struct ReleaseDates {
    #[serde(default, deserialize_with = "list")]
    release_dates: Vec<ReleaseDate>,
}

/// A series out of vintages: with `as_of` the figure that stood on that day, else the first one
/// published for each date. Dates without a figure are left out: nothing was published for them.
#[must_use]
pub fn published(id: &str, vintages: &[Observation], as_of: Option<NaiveDate>) -> Series {
    let mut by_date: BTreeMap<NaiveDate, &Observation> = BTreeMap::new();
    for o in vintages {
        let stood = as_of.is_none_or(|d| o.known_from <= d && d <= o.known_until);
        if !stood || (as_of.is_none() && o.value.is_none()) {
            continue;
        }
        let held = by_date.entry(o.date).or_insert(o);
        let better = match as_of {
            Some(_) => o.known_from > held.known_from,
            None => o.known_from < held.known_from,
        };
        if better {
            *held = o;
        }
    }
    let mut series = Series {
        id: id.to_owned(),
        ..Series::default()
    };
    for (date, o) in by_date {
        let Some(value) = o.value else { continue };
        let known = match market_lag(id) {
            Some(lag) => date + Days::new(lag),
            None => o.known_from,
        };
        series.dates.push(date);
        // Some vintages were entered later than the figures came out, none earlier.
        series.known_at.push(known.max(date));
        series.values.push(value);
    }
    series
}

#[async_trait]
impl Source for Fred {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn client(&self) -> &Client {
        &self.0
    }

    async fn series(
        &self,
        ask: &SeriesAsk,
        next: Option<String>,
        call: &Call,
    ) -> Result<Page<Vec<Observation>>, SourceError> {
        let subject = ask.subject();
        let mut query = vec![
            ("series_id", ask.id.clone()),
            ("file_type", "json".to_owned()),
            ("observation_start", ask.start.to_string()),
            ("observation_end", ask.end.to_string()),
            ("sort_order", "asc".to_owned()),
            ("limit", LIMIT.to_string()),
            ("offset", next.unwrap_or_else(|| "0".to_owned())),
        ];
        match ask.as_of {
            Some(day) => {
                query.push(("realtime_start", day.to_string()));
                query.push(("realtime_end", day.to_string()));
            }
            None if market_lag(&ask.id).is_some() => {}
            None => {
                query.push(("realtime_start", ALWAYS.0.to_owned()));
                query.push(("realtime_end", ALWAYS.1.to_owned()));
            }
        }
        let url = self.0.url(&["fred", "series", "observations"], &query);
        let Answer {
            content,
            request,
            request_id,
        } = self.0.json::<Observations>(call, &subject, url).await?;
        let read = content.offset + content.observations.len();
        let more = !content.observations.is_empty() && read < content.count;
        let mut rows = Vec::with_capacity(content.observations.len());
        for r in content.observations {
            // Asked as of a day, that day is the vintage even where it is not repeated.
            let (Some(known_from), Some(known_until)) =
                (r.realtime_start.or(ask.as_of), r.realtime_end.or(ask.as_of))
            else {
                let reason = format!("the figure of {} says not when it was known", r.date);
                return Err(self.0.fail(&subject, Cause::Unreadable { reason }));
            };
            rows.push(Observation {
                date: r.date,
                known_from,
                known_until,
                value: r.value.0,
            });
        }
        Ok(Page {
            content: rows,
            request,
            request_id,
            next: more.then(|| read.to_string()),
        })
    }

    async fn look(
        &self,
        view: View,
        symbol: &str,
        call: &Call,
    ) -> Result<Page<Value>, SourceError> {
        let subject = format!("{} ({})", symbol, view.as_str());
        let about = || {
            vec![
                ("series_id", symbol.to_owned()),
                ("file_type", "json".to_owned()),
            ]
        };
        let (content, request, request_id) = match view {
            View::Series => {
                let url = self.0.url(&["fred", "series"], &about());
                let a = self.0.json::<SeriesList>(call, &subject, url).await?;
                (
                    serde_json::to_value(a.content.series),
                    a.request,
                    a.request_id,
                )
            }
            View::Releases => {
                let url = self.0.url(&["fred", "series", "release"], &about());
                let found = self.0.json::<Releases>(call, &subject, url).await?;
                let Some(release) = found.content.releases.first() else {
                    return Err(self.0.fail(&subject, Cause::Empty));
                };
                let query = [
                    ("release_id", release.id.to_string()),
                    ("file_type", "json".to_owned()),
                    // Days to come are those without data yet.
                    ("include_release_dates_with_no_data", "true".to_owned()),
                    ("realtime_end", ALWAYS.1.to_owned()),
                    ("sort_order", "desc".to_owned()),
                    ("limit", "1000".to_owned()),
                ];
                let url = self.0.url(&["fred", "release", "dates"], &query);
                let a = self.0.json::<ReleaseDates>(call, &subject, url).await?;
                (
                    serde_json::to_value(a.content.release_dates),
                    a.request,
                    a.request_id,
                )
            }
            other => return Err(self.not_offered(symbol, other.as_str())),
        };
        let content = content.unwrap_or_default();
        if content.as_array().is_none_or(Vec::is_empty) {
            return Err(self.0.fail(&subject, Cause::Empty));
        }
        Ok(Page {
            content,
            request,
            request_id,
            next: None,
        })
    }

    async fn probe(&self, call: &Call) -> Result<(), SourceError> {
        self.look(View::Series, "VIXCLS", call).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// US gross domestic product of the first quarter of 2014, as in ALFRED (billions of dollars):
    /// published on 30 April, revised on 29 May and 25 June.
    fn gdp() -> Vec<Observation> {
        [
            ("2014-04-30", "2014-05-28", 17149.6),
            ("2014-05-29", "2014-06-24", 17101.3),
            ("2014-06-25", "2014-07-29", 17016.0),
        ]
        .map(|(from, until, value)| Observation {
            date: day("2014-01-01"),
            known_from: day(from),
            known_until: day(until),
            value: Some(value),
        })
        .to_vec()
    }

    #[test]
    fn a_past_day_sees_what_was_published_by_then() {
        let first = published("GDP", &gdp(), None);
        assert_eq!(first.values, [17149.6]);
        assert_eq!(first.known_at, [day("2014-04-30")]);
        let then = |d: &str| published("GDP", &gdp(), Some(day(d)));
        assert!(then("2014-04-29").is_empty());
        assert_eq!(then("2014-04-30").values, [17149.6]);
        assert_eq!(then("2014-06-01").values, [17101.3]);
        assert_eq!(then("2014-06-01").known_at, [day("2014-05-29")]);
        assert_eq!(then("2014-06-25").values, [17016.0]);
    }

    #[test]
    fn a_missing_figure_is_left_out_and_a_market_close_is_known_on_its_day() {
        let row = |date: &str, value| Observation {
            date: day(date),
            known_from: day("2026-11-20"),
            known_until: day("2026-11-20"),
            value,
        };
        // 2014-01-20 was Martin Luther King Day.
        let rows = [
            row("2014-01-17", Some(12.44)),
            row("2014-01-20", None),
            row("2014-01-21", Some(12.87)),
        ];
        let vix = published("VIXCLS", &rows, None);
        assert_eq!(vix.dates, [day("2014-01-17"), day("2014-01-21")]);
        assert_eq!(vix.known_at, vix.dates);
        let yields = published("DGS10", &rows, None);
        assert_eq!(yields.known_at, [day("2014-01-18"), day("2014-01-22")]);
    }
}
