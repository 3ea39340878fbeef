//! A screen: symbols that meet conditions on a day, ranked; what it looks at lies before that day.

use super::data::{moments, returns, shown};
use super::{Reply, Stage};
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_types::assistant::{ScreenRule, ScreenUniverse};
use mltrainer_types::chat::ActionOutcome;
use mltrainer_types::data::{Bar, DatasetKind, DatasetSummary};
use serde::Serialize;
use std::collections::BTreeMap;

/// Days of data that a screen needs at most: a year.
const YEAR: usize = 252;

/// Calendar days before the day of the screen within which the last bar must lie: a share that no longer trades is
/// not chosen.
const FRESH: i64 = 10;

/// The measures and the days they look back over.
const MEASURES: [(&str, u32); 7] = [
    ("rsi", 14),
    ("trend", 20),
    ("momentum", 126),
    ("price_over_sma", 200),
    ("volatility", 21),
    ("volume_ratio", 20),
    ("price", 1),
];

/// A symbol that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Screened {
    /// Symbol.
    pub symbol: String,
    /// Data set.
    pub dataset: String,
    /// Day of its last bar.
    pub day: NaiveDate,
    /// Measures by name and days.
    pub measures: BTreeMap<String, Option<f64>>,
    /// The larger, the higher in the ranking.
    pub score: f64,
}

/// What a screen found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Screen {
    /// Day of the screen.
    pub as_of: NaiveDate,
    /// Symbols looked at.
    pub looked_at: usize,
    /// Conditions.
    pub rules: Vec<ScreenRule>,
    /// Those that meet them, best first.
    pub found: Vec<Screened>,
    /// Symbols left out.
    pub left_out: Vec<LeftOut>,
}

/// A symbol that was not chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LeftOut {
    /// Symbol.
    pub symbol: String,
    /// Why.
    pub why: String,
    /// Whether it was traded on the day: it could have been chosen.
    pub traded: bool,
}

fn rule(measure: &str, days: u32, low: Option<f64>, high: Option<f64>) -> ScreenRule {
    ScreenRule {
        measure: measure.to_owned(),
        days: Some(days),
        at_least: low,
        at_most: high,
    }
}

/// Conditions of a ready-made screen; the ranking is by the last ones without bounds.
fn style(name: &str) -> Option<Vec<ScreenRule>> {
    Some(match name {
        // Rising, neither exhausted nor quiet; ranked by the returns of one, three and six months.
        "momentum" => vec![
            rule("rsi", 14, Some(50.0), Some(80.0)),
            rule("trend", 20, Some(0.0), None),
            rule("volume_ratio", 20, Some(0.5), None),
            rule("momentum", 21, None, None),
            rule("momentum", 63, None, None),
            rule("momentum", 126, None, None),
        ],
        "low_volatility" => vec![rule("volatility", 63, None, Some(0.25))],
        "high_volatility" => vec![
            rule("volatility", 63, Some(0.4), None),
            rule("volatility", 63, None, None),
        ],
        "high_volume" => vec![
            rule("volume_ratio", 20, Some(1.5), None),
            rule("volume_ratio", 20, None, None),
        ],
        "oversold" => vec![rule("rsi", 14, None, Some(30.0))],
        "overbought" => vec![
            rule("rsi", 14, Some(70.0), None),
            rule("rsi", 14, None, None),
        ],
        "near_high" => vec![
            rule("price_over_high", 252, Some(0.95), None),
            rule("price_over_high", 252, None, None),
        ],
        "near_low" => vec![rule("price_over_low", 252, None, Some(1.05))],
        _ => return None,
    })
}

const STYLES: &str = "momentum, low_volatility, high_volatility, high_volume, oversold, overbought, near_high, near_low";

/// Wilder's relative strength index of the last bar.
fn rsi(closes: &[f64], n: usize) -> Option<f64> {
    if closes.len() <= n || n == 0 {
        return None;
    }
    let changes: Vec<f64> = closes.windows(2).map(|w| w[1] - w[0]).collect();
    let (first, rest) = changes.split_at(n);
    let mut up = first.iter().map(|c| c.max(0.0)).sum::<f64>() / n as f64;
    let mut down = first.iter().map(|c| (-c).max(0.0)).sum::<f64>() / n as f64;
    for c in rest {
        up = (up * (n as f64 - 1.0) + c.max(0.0)) / n as f64;
        down = (down * (n as f64 - 1.0) + (-c).max(0.0)) / n as f64;
    }
    let sum = up + down;
    Some(if sum == 0.0 { 50.0 } else { 100.0 * up / sum })
}

/// A measure of the last bar; `None` when there is too little data or no volume.
fn measure(name: &str, days: usize, bars: &[Bar]) -> Option<f64> {
    let closes: Vec<f64> = bars.iter().map(|b| b.close).collect();
    let last = *closes.last()?;
    let tail = |n: usize| (closes.len() >= n && n > 0).then(|| &closes[closes.len() - n..]);
    match name {
        "rsi" => rsi(&closes, days),
        "momentum" => Some(last / tail(days + 1)?.first()? - 1.0),
        // Slope of a straight line through the logarithms, over the whole span.
        "trend" => {
            let logs: Vec<f64> = tail(days)?.iter().map(|c| c.ln()).collect();
            let n = logs.len() as f64;
            if n < 2.0 {
                return None;
            }
            let (mid, mean) = ((n - 1.0) / 2.0, logs.iter().sum::<f64>() / n);
            let (mut xy, mut xx) = (0.0, 0.0);
            for (x, y) in (0_u32..).zip(&logs) {
                let x = f64::from(x) - mid;
                xy += x * (y - mean);
                xx += x * x;
            }
            Some(xy / xx * (n - 1.0))
        }
        "price_over_sma" => {
            let tail = tail(days)?;
            Some(last / (tail.iter().sum::<f64>() / tail.len() as f64))
        }
        "price_over_high" => Some(last / tail(days)?.iter().copied().fold(f64::MIN, f64::max)),
        "price_over_low" => Some(last / tail(days)?.iter().copied().fold(f64::MAX, f64::min)),
        "volatility" => Some(moments(&returns(tail(days + 1)?)).1 * (YEAR as f64).sqrt()),
        "volume_ratio" => {
            let volumes: Vec<f64> = bars
                .iter()
                .rev()
                .take(days)
                .filter_map(|b| b.volume)
                .collect();
            let mean = volumes.iter().sum::<f64>() / volumes.len() as f64;
            (volumes.len() == days && mean > 0.0)
                .then(|| bars.last().and_then(|b| b.volume).map(|v| v / mean))?
        }
        "price" => Some(last),
        _ => None,
    }
}

fn key(rule: &ScreenRule, days: u32) -> String {
    if rule.measure == "price" {
        "price".to_owned()
    } else {
        format!("{}_{days}", rule.measure)
    }
}

impl Services {
    /// Screens symbols.
    pub(super) async fn screen(&self, p: &ScreenUniverse) -> Result<Screen, ServiceError> {
        let mut rules = match &p.style {
            Some(name) => style(name).ok_or_else(|| {
                ServiceError::invalid("style", format!("there is no screen \"{name}\": {STYLES}"))
            })?,
            None => Vec::new(),
        };
        rules.extend(p.rules.iter().cloned());
        let days_of = |r: &ScreenRule| {
            let known = MEASURES.iter().find(|(name, _)| *name == r.measure);
            let extra = ["price_over_high", "price_over_low"].contains(&r.measure.as_str());
            match (known, r.days) {
                (None, _) if !extra => None,
                (_, Some(days)) => Some(days),
                (Some((_, days)), None) => Some(*days),
                (None, None) => Some(252),
            }
        };
        for r in &rules {
            let Some(days) = days_of(r) else {
                let names: Vec<&str> = MEASURES.iter().map(|(n, _)| *n).collect();
                return Err(ServiceError::invalid(
                    "rules",
                    format!(
                        "there is no measure \"{}\": {}",
                        r.measure,
                        names.join(", ")
                    ),
                ));
            };
            if days == 0 || days > 2_000 {
                return Err(ServiceError::invalid(
                    "rules",
                    format!(
                        "{} looks back over {days} days: 1 to 2,000 are possible",
                        r.measure
                    ),
                ));
            }
        }
        let all = self.datasets().await?;
        let mut sets = Vec::new();
        if p.symbols.is_empty() {
            // One set of each share: the one that reaches furthest, bars before closes alone.
            let plain = |s: &DatasetSummary| {
                let symbol = s.symbols.first().cloned().unwrap_or_default();
                symbol.strip_suffix("_ADJ").unwrap_or(&symbol).to_owned()
            };
            let mut by_share: BTreeMap<String, DatasetSummary> = BTreeMap::new();
            for s in all {
                let share = plain(&s);
                let index = ["SPX", "IXIC"].contains(&share.as_str());
                if index || !matches!(s.kind, DatasetKind::Bars | DatasetKind::Closes) {
                    continue;
                }
                let place = |s: &DatasetSummary| (s.last, s.kind == DatasetKind::Bars);
                match by_share.get(&share) {
                    Some(other) if place(other) >= place(&s) => {}
                    _ => {
                        by_share.insert(share, s);
                    }
                }
            }
            sets.extend(by_share.into_values());
        } else {
            for name in &p.symbols {
                sets.push(self.dataset_named(name).await?);
            }
        }
        let as_of = match p.as_of.or_else(|| sets.iter().map(|s| s.last).max()) {
            Some(day) => day,
            None => {
                return Err(ServiceError::BadData(
                    "there is no data set with prices".to_owned(),
                ));
            }
        };
        let looked_at = sets.len();
        let (mut found, mut left_out) = (Vec::new(), Vec::new());
        for set in sets {
            let symbol = set.symbols.first().cloned().unwrap_or_default();
            let bars = self.bars(set.id.as_str(), None, Some(as_of)).await?;
            let Some(last) = bars.last() else {
                left_out.push(LeftOut {
                    symbol,
                    why: format!("no data by {as_of}"),
                    traded: false,
                });
                continue;
            };
            if (as_of - last.date).num_days() > FRESH {
                left_out.push(LeftOut {
                    symbol,
                    why: format!("its last bar, {}, is older than {FRESH} days", last.date),
                    traded: false,
                });
                continue;
            }
            let mut measures = BTreeMap::new();
            let mut why = None;
            let mut ranks = Vec::new();
            for r in &rules {
                let days = days_of(r).unwrap_or(1);
                let value = measure(&r.measure, days as usize, &bars);
                measures.insert(key(r, days), value);
                let bounded = r.at_least.is_some() || r.at_most.is_some();
                match value {
                    // Closes alone have no volume: the condition cannot be looked at and is left out.
                    None if r.measure == "volume_ratio" && last.volume.is_none() => {}
                    None => {
                        why = why.or_else(|| Some(format!("{} cannot be computed", key(r, days))));
                    }
                    Some(v) if bounded => {
                        let holds = r.at_least.is_none_or(|low| v >= low)
                            && r.at_most.is_none_or(|high| v <= high);
                        if !holds {
                            why = why.or_else(|| {
                                Some(format!("{} is {}", key(r, days), shown(Some(v))))
                            });
                        }
                    }
                    Some(v) => ranks.push(v),
                }
            }
            if let Some(why) = why {
                left_out.push(LeftOut {
                    symbol,
                    why,
                    traded: true,
                });
                continue;
            }
            // Without a ranking of its own: the calmer the higher.
            let score = if ranks.is_empty() {
                measure("volatility", 63, &bars).map_or(f64::MIN, |v| -v)
            } else {
                ranks.iter().sum::<f64>() / ranks.len() as f64
            };
            found.push(Screened {
                symbol,
                dataset: set.id.0,
                day: last.date,
                measures,
                score,
            });
        }
        found.sort_by(|a, b| {
            b.score
                .total_cmp(&a.score)
                .then_with(|| a.symbol.cmp(&b.symbol))
        });
        found.truncate(p.top.unwrap_or(1_000) as usize);
        Ok(Screen {
            as_of,
            looked_at,
            rules,
            found,
            left_out,
        })
    }

    pub(super) async fn act_screen(
        &self,
        p: &ScreenUniverse,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let screen = self.screen(p).await?;
        let mut reply = Reply::new(Some("/data".to_owned()));
        screened(&mut reply, &screen);
        if screen.found.len() > 1 {
            let names: Vec<&str> = screen
                .found
                .iter()
                .take(10)
                .map(|f| f.symbol.as_str())
                .collect();
            reply.next(format!(
                "Build me a risk parity portfolio of {}",
                names.join(", ")
            ));
        }
        reply.done(&stage.said, &screen)
    }
}

/// A screen in words and tables.
pub(super) fn screened(reply: &mut Reply, screen: &Screen) {
    let (n, of, day) = (
        reply.count("symbols found", screen.found.len()),
        reply.count("symbols looked at", screen.looked_at),
        reply.day("day of the screen", screen.as_of),
    );
    reply.say(&format!(
        "{n} of {of} symbols meet the conditions on {day}."
    ));
    if let Some(first) = screen.found.first() {
        let columns: Vec<String> = first.measures.keys().cloned().collect();
        let mut heads = vec!["Symbol"];
        heads.extend(columns.iter().map(String::as_str));
        let rows = screen
            .found
            .iter()
            .take(50)
            .map(|f| {
                let cells = columns
                    .iter()
                    .map(|c| shown(f.measures.get(c).copied().flatten()));
                std::iter::once(f.symbol.clone()).chain(cells).collect()
            })
            .collect();
        reply.table("Found", &heads, rows);
    }
    if !screen.left_out.is_empty() {
        let rows = screen
            .left_out
            .iter()
            .map(|o| vec![o.symbol.clone(), o.why.clone()])
            .collect();
        reply.table("Left out", &["Symbol", "Why"], rows);
    }
    reply.note("The symbols are those of today's data sets: shares that vanished before are not among them (survivorship bias).");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(closes: &[f64]) -> Vec<Bar> {
        let day = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
        closes
            .iter()
            .zip(day.iter_days())
            .map(|(c, date)| Bar {
                date,
                open: None,
                high: None,
                low: None,
                close: *c,
                volume: Some(*c),
            })
            .collect()
    }

    #[test]
    fn measures_by_hand() {
        let b = bars(&[100.0, 110.0, 99.0, 99.0, 108.9]);
        // Gains 10 and 9.9, losses 11. First two changes: up 5, down 5.5; then 0: 2.5 and 2.75; then
        // +9.9: up (2.5 + 9.9) / 2 = 6.2, down 1.375; 100 * 6.2 / 7.575 = 81.848.
        assert!((measure("rsi", 2, &b).unwrap() - 81.848_184_818_481_85).abs() < 1e-9);
        assert!((measure("momentum", 4, &b).unwrap() - 0.089).abs() < 1e-12);
        // Mean of 99, 99, 108.9 is 102.3.
        assert!((measure("price_over_sma", 3, &b).unwrap() - 108.9 / 102.3).abs() < 1e-12);
        assert!((measure("volume_ratio", 3, &b).unwrap() - 108.9 / 102.3).abs() < 1e-12);
        assert!((measure("price_over_high", 5, &b).unwrap() - 0.99).abs() < 1e-12);
        // A line through ln 99, ln 99, ln 108.9: slope ln(1.1) / 2, over two steps ln 1.1.
        assert!((measure("trend", 3, &b).unwrap() - 1.1_f64.ln()).abs() < 1e-12);
        assert_eq!(measure("momentum", 5, &b), None);
    }
}
