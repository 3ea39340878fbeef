//! Charts drawn anew for the browser: a narrower span, or more forecasts of a running trial.

use crate::charts;
use crate::charts::trial::{Kind, Pick};
use crate::drawing::Drawing;
use crate::error::PageError;
use crate::pages::analytics::redrawn;
use crate::query;
use crate::server::reader;
use leptos::prelude::*;

/// What a chart is drawn from, as its name for the server says it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// `dataset/bundled:AAPL`
    Dataset(String),
    /// `analytics?dataset=bundled:AAPL&show=sma:period=20`
    Analytics(Vec<(String, String)>),
    /// `trial/t-.../price?model=ridge&horizon=1&symbol=AAPL`
    Trial(String, Kind, Pick),
    /// `backtest/b-.../trades?symbol=AAPL`
    Backtest(String, charts::backtest::Kind, String),
    /// `optimisation/o-...`
    Optimisation(String),
}

/// The drawing of a span of days (of all days when it is open); nothing when there is nothing to
/// draw yet.
#[server(prefix = "/api/pages", endpoint = "drawing", input = server_fn::codec::GetUrl)]
pub(crate) async fn redraw(
    source: String,
    #[server(default)] first: Option<i32>,
    #[server(default)] last: Option<i32>,
) -> Result<Option<Drawing>, PageError> {
    let services = reader()?;
    let unknown = || PageError::field("source", &format!("\"{source}\" names no chart"));
    let day = |n: Option<i32>| n.and_then(charts::date_of);
    let plot = match parse(&source).ok_or_else(unknown)? {
        Source::Analytics(pairs) => {
            let drawing = redrawn(&services, &pairs, day(first), day(last)).await?;
            return Ok(Some(drawing));
        }
        Source::Dataset(id) => Some(charts::dataset(&services, &id).await?),
        Source::Backtest(id, kind, symbol) => {
            Some(charts::backtest::one(&services, &id, kind, &symbol).await?)
        }
        Source::Optimisation(id) => charts::optimisation::one(&services, &id).await?,
        Source::Trial(id, kind, pick) => charts::trial::one(&services, &id, &pick, kind).await?,
    };
    plot.map(|plot| plot.draw(day(first), day(last)))
        .transpose()
        .map_err(|e| PageError::field("first", &e.to_string()))
}

fn parse(source: &str) -> Option<Source> {
    let (path, query) = source.split_once('?').unwrap_or((source, ""));
    let decoded = |text: &str| query::pairs(&format!("x={text}")).pop().map(|(_, v)| v);
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["analytics"] => Some(Source::Analytics(query::pairs(query))),
        ["dataset", id] => Some(Source::Dataset(decoded(id)?)),
        ["optimisation", id] => Some(Source::Optimisation(decoded(id)?)),
        ["backtest", id, kind] => {
            let pairs = query::pairs(query);
            let kind = charts::backtest::Kind::parse(kind)?;
            let symbol = query::get(&pairs, "symbol").to_owned();
            Some(Source::Backtest(decoded(id)?, kind, symbol))
        }
        ["trial", id, kind] => {
            let pairs = query::pairs(query);
            let pick = Pick {
                model: query::get(&pairs, "model").to_owned(),
                horizon: query::get(&pairs, "horizon").parse().unwrap_or(0),
                symbol: query::get(&pairs, "symbol").to_owned(),
            };
            Some(Source::Trial(decoded(id)?, Kind::parse(kind)?, pick))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        for (text, expected) in [
            (
                "dataset/bundled:AAPL",
                Some(Source::Dataset("bundled:AAPL".into())),
            ),
            (
                "dataset/user:a%2Fb",
                Some(Source::Dataset("user:a/b".into())),
            ),
            (
                "trial/t-1/error?model=ridge&horizon=5",
                Some(Source::Trial(
                    "t-1".into(),
                    Kind::Error,
                    Pick {
                        model: "ridge".into(),
                        horizon: 5,
                        symbol: String::new(),
                    },
                )),
            ),
            (
                "analytics?dataset=AAPL&show=sma:period=5",
                Some(Source::Analytics(vec![
                    ("dataset".into(), "AAPL".into()),
                    ("show".into(), "sma:period=5".into()),
                ])),
            ),
            (
                "backtest/b-1/trades?symbol=IBM",
                Some(Source::Backtest(
                    "b-1".into(),
                    charts::backtest::Kind::Trades,
                    "IBM".into(),
                )),
            ),
            ("optimisation/o-1", Some(Source::Optimisation("o-1".into()))),
            ("backtest/b-1/mood", None),
            ("trial/t-1/mood", None),
            ("trial", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
