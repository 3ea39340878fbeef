//! The charts of a trial: the price with the forecasts, the squared error gained on the baseline,
//! and the capital after costs.

use super::{LinePlot, Part, Plot};
use crate::drawing::Drawing;
use crate::error::PageError;
use crate::server::refuse;
use crate::words;
use chrono::NaiveDate;
use mltrainer_services::Services;
use mltrainer_types::data::Bar;
use mltrainer_types::trial::{PredictionSeries, Target, TrialView};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Models in one chart, at most: more cannot be told apart, and the worst set the scale.
const LINES: usize = 3;

/// Which of a trial's charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The price with the forecasts.
    Price,
    /// The squared error gained on the baseline.
    Error,
    /// The capital after costs.
    Equity,
}

/// What of a trial's forecasts is drawn; an empty text and zero are "the first".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pick {
    /// Model.
    pub model: String,
    /// Horizon.
    pub horizon: u32,
    /// Symbol.
    pub symbol: String,
}

/// The charts of a trial and what they may show.
#[derive(Debug, Clone, PartialEq)]
pub struct Charts {
    /// Models with forecasts: id and title, best first.
    pub models: Vec<(String, String)>,
    /// Horizons with forecasts.
    pub horizons: Vec<u32>,
    /// Symbols with forecasts.
    pub symbols: Vec<String>,
    /// What was asked for.
    pub asked: Pick,
    /// What is shown.
    pub shown: Pick,
    /// The drawings there are.
    pub drawings: Vec<(Kind, Drawing)>,
}

impl Kind {
    /// Its word in addresses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Error => "error",
            Self::Equity => "equity",
        }
    }

    /// The kind of that word, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "price" => Some(Self::Price),
            "error" => Some(Self::Error),
            "equity" => Some(Self::Equity),
            _ => None,
        }
    }
}

/// What the charts are drawn from.
struct Source {
    view: TrialView,
    series: Vec<PredictionSeries>,
    model: String,
    horizon: u32,
    symbol: String,
}

/// All charts of a trial.
///
/// # Errors
/// An unknown model, horizon or symbol; a store that fails.
pub(crate) async fn charts(
    services: &Services,
    view: &TrialView,
    pick: &Pick,
) -> Result<Charts, PageError> {
    // A result never changes under its hash, so what was drawn of it may be shown again.
    let key = view
        .result_sha256
        .as_ref()
        .map(|hash| (format!("{} {hash}", view.id.as_str()), pick.clone()));
    if let Some(drawn) = key.as_ref().and_then(drawn) {
        return Ok(drawn);
    }
    let charts = draw(services, view, pick).await?;
    if let Some(key) = key {
        let mut kept = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((key, charts.clone()));
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }
    Ok(charts)
}

/// Trial with the hash of its result, and what of it is drawn.
type Key = (String, Pick);

/// Charts drawn last, the latest at the end.
static DRAWN: Mutex<VecDeque<(Key, Charts)>> = Mutex::new(VecDeque::new());
/// At most so many, of about 100 kB each.
const KEPT: usize = 32;

fn drawn(key: &Key) -> Option<Charts> {
    let kept = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    kept.iter().find(|(k, _)| k == key).map(|(_, c)| c.clone())
}

async fn draw(services: &Services, view: &TrialView, pick: &Pick) -> Result<Charts, PageError> {
    let s = source(services, view.clone(), pick).await?;
    let models = models(&s.view, &s.series)
        .into_iter()
        .map(|m| (m.clone(), title(&s.view, &m)))
        .collect();
    let mut drawings = Vec::new();
    for kind in [Kind::Price, Kind::Error, Kind::Equity] {
        if let Some(plot) = plot(services, &s, kind).await? {
            drawings.extend(plot.draw(None, None).ok().map(|d| (kind, d)));
        }
    }
    Ok(Charts {
        models,
        horizons: distinct(s.series.iter().map(|p| p.horizon)),
        symbols: distinct_in_order(&s.series),
        asked: pick.clone(),
        shown: Pick {
            model: s.model,
            horizon: s.horizon,
            symbol: s.symbol,
        },
        drawings,
    })
}

/// One chart of a trial; `None` when there is nothing to draw (yet).
///
/// # Errors
/// As [`charts`].
pub async fn one(
    services: &Services,
    id: &str,
    pick: &Pick,
    kind: Kind,
) -> Result<Option<Plot>, PageError> {
    let view = services.trial(id).await.map_err(|e| refuse(&e))?;
    let s = source(services, view, pick).await?;
    plot(services, &s, kind).await
}

async fn source(services: &Services, view: TrialView, pick: &Pick) -> Result<Source, PageError> {
    let mut series = services
        .predictions(view.id.as_str())
        .await
        .map_err(|e| refuse(&e))?;
    tell_apart(&mut series);
    let horizons = distinct(series.iter().map(|p| p.horizon));
    let symbols = distinct_in_order(&series);
    let known = models(&view, &series);
    let choose = |asked: &str, known: &[String], field: &str| -> Result<String, PageError> {
        match known {
            [] => Ok(String::new()),
            [first, ..] if asked.is_empty() => Ok(first.clone()),
            _ if known.iter().any(|k| k == asked) => Ok(asked.to_owned()),
            _ => Err(PageError {
                suggestions: known.to_vec(),
                ..PageError::field(
                    field,
                    &format!("\"{asked}\" has no forecasts in this trial"),
                )
            }),
        }
    };
    let horizon = match (pick.horizon, horizons.first()) {
        (0, first) => first.copied().unwrap_or(0),
        (h, _) if horizons.contains(&h) => h,
        (h, _) => {
            return Err(PageError::field(
                "horizon",
                &format!("{h} is not a horizon of this trial"),
            ));
        }
    };
    Ok(Source {
        model: choose(&pick.model, &known, "model")?,
        horizon,
        symbol: choose(&pick.symbol, &symbols, "symbol")?,
        view,
        series,
    })
}

async fn plot(services: &Services, s: &Source, kind: Kind) -> Result<Option<Plot>, PageError> {
    Ok(match kind {
        Kind::Price => {
            let Some(place) = s.view.spec.symbols.iter().position(|x| *x == s.symbol) else {
                return Ok(None);
            };
            let Some(set) = s.view.spec.datasets.get(place) else {
                return Ok(None);
            };
            let bars = services
                .bars(set.id.as_str(), s.view.spec.start, s.view.spec.end)
                .await
                .map_err(|e| refuse(&e))?;
            price(s, &bars)
        }
        Kind::Error => error(s),
        Kind::Equity => equity(s),
    })
}

/// Models with forecasts: those of the leaderboard first, best first and baselines last.
fn models(view: &TrialView, series: &[PredictionSeries]) -> Vec<String> {
    let has = |m: &str| {
        series
            .iter()
            .any(|s| s.model == m && s.predicted.iter().any(Option::is_some))
    };
    let mut list: Vec<String> = Vec::new();
    let rows = &view.leaderboard;
    let ordered = rows
        .iter()
        .filter(|r| !r.is_baseline)
        .chain(rows.iter().filter(|r| r.is_baseline))
        .map(|r| r.model.as_str())
        .chain(series.iter().map(|s| s.model.as_str()));
    for m in ordered {
        if has(m) && !list.iter().any(|l| l == m) {
            list.push(m.to_owned());
        }
    }
    list
}

fn title(view: &TrialView, model: &str) -> String {
    view.leaderboard
        .iter()
        .find(|r| r.model == model)
        .map_or_else(|| model.to_owned(), |r| r.title.clone())
}

/// An entry that stands in the specification twice (with other parameters) is two models: the later
/// ones are called `ridge~2`, `ridge~3`.
fn tell_apart(series: &mut [PredictionSeries]) {
    let mut places: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for s in series {
        let known = places.entry(s.model.clone()).or_default();
        let n = known
            .iter()
            .position(|p| *p == s.model_index)
            .unwrap_or_else(|| {
                known.push(s.model_index);
                known.len() - 1
            });
        if n > 0 {
            s.model = format!("{}~{}", s.model, n + 1);
        }
    }
}

fn distinct(values: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut list: Vec<u32> = values.collect();
    list.sort_unstable();
    list.dedup();
    list
}

fn distinct_in_order(series: &[PredictionSeries]) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for s in series {
        if !list.contains(&s.symbol) {
            list.push(s.symbol.clone());
        }
    }
    list
}

/// What a series forecasts: for direction the probability of a rise.
fn forecast(target: Target, s: &PredictionSeries) -> Vec<Option<f64>> {
    if target == Target::Direction && s.probability.len() == s.dates.len() {
        s.probability.iter().map(|p| Some(*p)).collect()
    } else {
        s.predicted.clone()
    }
}

/// Above the close, below it what was forecast and what came true; for the target price both are
/// one picture, the forecast standing on the day it is for.
fn price(s: &Source, bars: &[Bar]) -> Option<Plot> {
    let target = s.view.spec.target;
    let p = s
        .series
        .iter()
        .find(|p| p.model == s.model && p.horizon == s.horizon && p.symbol == s.symbol)?;
    let (first, last) = (*p.dates.first()?, *p.dates.last()?);
    let rows: BTreeMap<NaiveDate, usize> =
        p.dates.iter().enumerate().map(|(i, d)| (*d, i)).collect();
    let predicted = forecast(target, p);
    let dates: Vec<NaiveDate> = bars.iter().map(|b| b.date).collect();
    let row = |i: usize| rows.get(&dates[i]).copied();
    let name = title(&s.view, &s.model);
    let close = LinePlot {
        name: "Close".to_owned(),
        colour: 1,
        values: bars.iter().map(|b| Some(b.close)).collect(),
        ..LinePlot::default()
    };
    let shaded = vec![(first, last)];
    let unit = "close, test days set off".to_owned();
    let panels = if target == Target::Price {
        let ahead = usize::try_from(s.horizon).unwrap_or(0);
        let shifted = (0..dates.len())
            .map(|i| {
                i.checked_sub(ahead)
                    .and_then(row)
                    .and_then(|r| predicted[r])
            })
            .collect();
        let line = LinePlot {
            name,
            colour: 2,
            values: shifted,
            ..LinePlot::default()
        };
        vec![Part {
            weight: 1.0,
            unit,
            lines: vec![close, line],
            shaded,
            ..Part::default()
        }]
    } else {
        let actual = (0..dates.len())
            .map(|i| row(i).map(|r| p.actual[r]))
            .collect();
        let values = (0..dates.len())
            .map(|i| row(i).and_then(|r| predicted[r]))
            .collect();
        vec![
            Part {
                weight: 3.0,
                unit,
                lines: vec![close],
                shaded,
                ..Part::default()
            },
            Part {
                weight: 3.0,
                unit: format!(
                    "{}, {}",
                    words::target_unit(target),
                    words::horizon(s.horizon)
                ),
                lines: vec![
                    LinePlot {
                        name: "Came true".to_owned(),
                        colour: 0,
                        values: actual,
                        ..LinePlot::default()
                    },
                    LinePlot {
                        name: format!("{name}, forecast"),
                        colour: 2,
                        values,
                        ..LinePlot::default()
                    },
                ],
                zero: target == Target::Return,
                ..Part::default()
            },
        ]
    };
    Some(Plot {
        title: format!("{}: price and forecast", s.symbol),
        dates,
        panels,
        ..Plot::default()
    })
}

/// The models in a chart of several: the one chosen first, then the best ones.
fn shown(s: &Source) -> Vec<String> {
    let mut list = vec![s.model.clone()];
    for m in models(&s.view, &s.series) {
        let baseline = s
            .view
            .leaderboard
            .iter()
            .any(|r| r.model == m && r.is_baseline);
        if !baseline && !list.contains(&m) && list.len() < LINES {
            list.push(m);
        }
    }
    list
}

/// Mean squared error of each day over the symbols.
fn daily_loss(s: &Source, model: &str) -> BTreeMap<NaiveDate, f64> {
    let mut sums: BTreeMap<NaiveDate, (f64, f64)> = BTreeMap::new();
    for p in s
        .series
        .iter()
        .filter(|p| p.model == model && p.horizon == s.horizon)
    {
        for ((day, predicted), actual) in p
            .dates
            .iter()
            .zip(forecast(s.view.spec.target, p))
            .zip(&p.actual)
        {
            if let Some(predicted) = predicted {
                let entry = sums.entry(*day).or_default();
                entry.0 += (predicted - actual).powi(2);
                entry.1 += 1.0;
            }
        }
    }
    sums.into_iter()
        .map(|(day, (sum, n))| (day, sum / n))
        .collect()
}

/// The squared error that each model saved against the baseline, added up over the days: a line that
/// rises is better than the baseline in that time.
fn error(s: &Source) -> Option<Plot> {
    let baseline = s
        .view
        .leaderboard
        .iter()
        .find(|r| r.horizon == s.horizon && !r.baseline_model.is_empty())
        .map(|r| r.baseline_model.clone())?;
    let base = daily_loss(s, &baseline);
    let dates: Vec<NaiveDate> = base.keys().copied().collect();
    let lines: Vec<LinePlot> = shown(s)
        .into_iter()
        .filter(|m| *m != baseline)
        .zip(2..)
        .map(|(m, colour)| {
            let own = daily_loss(s, &m);
            let mut sum = 0.0;
            let values = base
                .iter()
                .map(|(day, b)| {
                    let o = own.get(day)?;
                    sum += b - o;
                    Some(sum)
                })
                .collect();
            LinePlot {
                name: title(&s.view, &m),
                colour,
                values,
                ..LinePlot::default()
            }
        })
        .collect();
    if lines.is_empty() || dates.is_empty() {
        return None;
    }
    Some(Plot {
        title: format!("Squared error saved against {}", title(&s.view, &baseline)),
        dates,
        panels: vec![Part {
            weight: 1.0,
            unit: "sum over the test days; up is better".to_owned(),
            lines,
            zero: true,
            ..Part::default()
        }],
        ..Plot::default()
    })
}

/// What one unit of capital became by trading on the forecasts, after costs, spread evenly over the
/// symbols; beside it the baselines.
fn equity(s: &Source) -> Option<Plot> {
    if !s.view.spec.target.is_tradable() {
        return None;
    }
    let baselines = s
        .view
        .leaderboard
        .iter()
        .filter(|r| r.is_baseline && r.horizon == s.horizon && !r.trading.is_empty())
        .map(|r| r.model.clone());
    let mut wanted: Vec<String> = shown(s);
    for m in baselines {
        if !wanted.contains(&m) {
            wanted.push(m);
        }
    }
    let paths: Vec<(String, BTreeMap<NaiveDate, f64>)> = wanted
        .into_iter()
        .map(|m| (m.clone(), wealth(s, &m)))
        .filter(|(_, w)| !w.is_empty())
        .collect();
    let mut dates: Vec<NaiveDate> = paths.iter().flat_map(|(_, w)| w.keys().copied()).collect();
    dates.sort_unstable();
    dates.dedup();
    if dates.is_empty() {
        return None;
    }
    let mut colour = 1;
    let lines = paths
        .iter()
        .map(|(m, w)| {
            let hold = m == "buy_and_hold";
            if !hold {
                colour += 1;
            }
            LinePlot {
                name: title(&s.view, m),
                colour: if hold { 0 } else { colour.min(7) },
                values: dates.iter().map(|d| w.get(d).copied()).collect(),
                ..LinePlot::default()
            }
        })
        .collect();
    Some(Plot {
        title: "Capital after costs".to_owned(),
        dates,
        panels: vec![Part {
            weight: 1.0,
            unit: "1 at the beginning of the test".to_owned(),
            growth: true,
            lines,
            ..Part::default()
        }],
        ..Plot::default()
    })
}

/// Capital at the end of each day: the daily returns after costs of all symbols, averaged and
/// compounded.
fn wealth(s: &Source, model: &str) -> BTreeMap<NaiveDate, f64> {
    let mut days: BTreeMap<NaiveDate, (f64, f64)> = BTreeMap::new();
    for p in s
        .series
        .iter()
        .filter(|p| p.model == model && p.horizon == s.horizon)
    {
        for (day, net) in p.dates.iter().zip(&p.net) {
            let entry = days.entry(*day).or_default();
            entry.0 += net;
            entry.1 += 1.0;
        }
    }
    let mut capital = 1.0;
    days.into_iter()
        .map(|(day, (sum, n))| {
            capital *= 1.0 + sum / n;
            (day, capital)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::tests::{row, view};
    use mltrainer_types::trial::TrialState;

    fn day(d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2010, 1, d).unwrap()
    }

    fn series(model: &str, predicted: &[f64], actual: &[f64], net: &[f64]) -> PredictionSeries {
        PredictionSeries {
            model: model.into(),
            model_index: 0,
            horizon: 1,
            symbol: "AAPL".into(),
            dates: (1..=predicted.len() as u32).map(day).collect(),
            predicted: predicted.iter().map(|p| Some(*p)).collect(),
            actual: actual.to_vec(),
            probability: vec![],
            net: net.to_vec(),
        }
    }

    fn source() -> Source {
        let mut v = view(TrialState::Finished);
        let mut base = row("naive_mean", 0.2);
        base.is_baseline = true;
        v.leaderboard = vec![row("ridge", 0.1), base];
        Source {
            view: v,
            series: vec![
                series(
                    "ridge",
                    &[1.0, 1.0, 3.0],
                    &[1.0, 2.0, 3.0],
                    &[0.1, -0.5, 0.0],
                ),
                series(
                    "naive_mean",
                    &[2.0, 2.0, 2.0],
                    &[1.0, 2.0, 3.0],
                    &[0.0, 0.0, 0.1],
                ),
            ],
            model: "ridge".into(),
            horizon: 1,
            symbol: "AAPL".into(),
        }
    }

    #[test]
    fn errors_saved_add_up() {
        // Squared errors of ridge 0, 1, 0; of the baseline 1, 0, 1: saved 1, -1, 1.
        let plot = error(&source()).unwrap();
        assert_eq!(plot.panels[0].lines.len(), 1);
        assert_eq!(
            plot.panels[0].lines[0].values,
            [Some(1.0), Some(0.0), Some(1.0)]
        );
    }

    #[test]
    fn capital_compounds() {
        let plot = equity(&source()).unwrap();
        let values: Vec<f64> = plot.panels[0].lines[0]
            .values
            .iter()
            .flatten()
            .copied()
            .collect();
        for (a, b) in values.iter().zip([1.1, 0.55, 0.55]) {
            assert!((a - b).abs() < 1e-12);
        }
        let mut s = source();
        s.view.spec.target = Target::LogVolatility;
        assert!(equity(&s).is_none(), "a volatility is not traded");
    }

    #[test]
    fn a_price_forecast_stands_on_the_day_it_is_for() {
        let mut s = source();
        s.view.spec.target = Target::Price;
        let bars: Vec<Bar> = (1..=4)
            .map(|d| Bar {
                date: day(d),
                open: None,
                high: None,
                low: None,
                close: f64::from(d),
                volume: None,
            })
            .collect();
        let plot = price(&s, &bars).unwrap();
        assert_eq!(plot.panels.len(), 1);
        assert_eq!(
            plot.panels[0].lines[1].values,
            [None, Some(1.0), Some(1.0), Some(3.0)]
        );
        s.view.spec.target = Target::Return;
        let plot = price(&s, &bars).unwrap();
        assert_eq!(
            plot.panels[1].lines[0].values,
            [Some(1.0), Some(2.0), Some(3.0), None]
        );
    }

    #[test]
    fn one_entry_with_two_sets_of_parameters_is_two_models() {
        let mut list = [
            series("ridge", &[1.0], &[1.0], &[]),
            series("ridge", &[2.0], &[1.0], &[]),
            series("ridge", &[3.0], &[1.0], &[]),
        ];
        list[1].model_index = 4;
        list[2].symbol = "IBM".into();
        tell_apart(&mut list);
        let names: Vec<&str> = list.iter().map(|s| s.model.as_str()).collect();
        assert_eq!(names, ["ridge", "ridge~2", "ridge"]);
    }

    #[test]
    fn models_are_listed_best_first() {
        assert_eq!(
            models(&source().view, &source().series),
            ["ridge", "naive_mean"]
        );
        assert_eq!(shown(&source()), ["ridge"]);
    }
}
