//! Alerts: what is watched, and what was noticed.

use crate::actions::{moments, returns};
use crate::trials::{made_before, new_uuid};
use crate::{Authority, ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_types::AlertId;
use mltrainer_types::assistant::{AssistantAction, CreateAlert, RemoveAlert};
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::chat::{AlertEvent, AlertView};
use mltrainer_types::portfolio::HoldingsRequest;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

impl Services {
    /// Alerts that were not removed, newest first, with what they noticed.
    ///
    /// # Errors
    /// [`ServiceError`] when the store fails.
    pub async fn alerts(&self) -> Result<Vec<AlertView>, ServiceError> {
        Ok(self.inner.alerts.alerts().await?)
    }

    /// Sets an alert. The same key with the same request sets it once.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for an unknown symbol; [`ServiceError::Invalid`] when nothing, or something unknown, is
    /// to be watched; [`ServiceError::Conflict`] for a key that came with another request.
    pub async fn create_alert(
        &self,
        who: &Authority,
        watch: &CreateAlert,
        key: Option<&str>,
    ) -> Result<AlertView, ServiceError> {
        crate::actions::check(&AssistantAction::CreateAlert(Box::new(watch.clone())))?;
        let (key, before) = made_before(self, key, watch).await?;
        if let Some(id) = before {
            let all = self.alerts().await?;
            return all
                .into_iter()
                .find(|a| a.id.as_str() == id)
                .ok_or_else(|| {
                    ServiceError::Conflict(format!(
                        "the alert {id} of this key was removed: use a new key for a new alert"
                    ))
                });
        }
        for symbol in &watch.symbols {
            self.dataset_named(symbol).await?;
        }
        let at = self.inner.clock.now();
        let id = AlertId(format!("w-{}", new_uuid(at)));
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: "alert.set".to_owned(),
            subject: id.0.clone(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!(watch),
        };
        Ok(self
            .inner
            .alerts
            .watch(id, at, watch, key.as_ref(), audit)
            .await?)
    }

    /// Ends alerts; gives the ids of those that were ended.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when none is meant.
    pub async fn remove_alerts(
        &self,
        who: &Authority,
        which: &RemoveAlert,
    ) -> Result<Vec<AlertId>, ServiceError> {
        let all = self.alerts().await?;
        let meant: Vec<AlertId> = all
            .iter()
            .filter(|a| {
                which.all
                    || which.alert.as_deref() == Some(a.id.as_str())
                    || (which.holdings && a.watch.holdings)
                    || a.watch.symbols.iter().any(|s| which.symbols.contains(s))
            })
            .map(|a| a.id.clone())
            .collect();
        if meant.is_empty() {
            return Err(ServiceError::NotFound {
                what: "alert",
                id: which
                    .alert
                    .clone()
                    .unwrap_or_else(|| which.symbols.join(", ")),
                suggestions: all.iter().take(3).map(|a| a.id.0.clone()).collect(),
            });
        }
        let audit = AuditEntry {
            actor: who.actor.clone(),
            action: "alert.remove".to_owned(),
            subject: meant.first().map(|id| id.0.clone()).unwrap_or_default(),
            decision: "allowed".to_owned(),
            rule: None,
            detail: json!({ "alerts": meant }),
        };
        let at = self.inner.clock.now();
        Ok(self.inner.alerts.unwatch(&meant, at, audit).await?)
    }
}

/// What is watched where nothing is said.
const STANDARD: [&str; 4] = ["regime", "volatility", "momentum", "correlation"];

/// Bars that the measures need at most: two years and a month.
const BARS: usize = 530;

/// Something that was noticed on the last bar of a path of closes.
#[derive(Debug, Clone, PartialEq)]
struct Noticed {
    trigger: String,
    sentence: String,
}

/// Standard deviation of the last `n` daily returns up to bar `end`, a year.
fn volatility(closes: &[f64], end: usize, n: usize) -> Option<f64> {
    let from = end.checked_sub(n)?;
    let part = closes.get(from..=end)?;
    Some(moments(&returns(part)).1 * 252.0_f64.sqrt())
}

/// `calm`, `normal` or `stressed`: the place of the month's volatility among those of the two years before, below a
/// fifth, between, above four fifths.
fn regime(closes: &[f64], end: usize) -> Option<&'static str> {
    let now = volatility(closes, end, 21)?;
    let first = end.checked_sub(504)?;
    let past: Vec<f64> = (first..end)
        .filter_map(|e| volatility(closes, e, 21))
        .collect();
    if past.len() < 252 {
        return None;
    }
    let below = past.iter().filter(|v| **v < now).count() as f64 / past.len() as f64;
    Some(if below >= 0.8 {
        "stressed"
    } else if below < 0.2 {
        "calm"
    } else {
        "normal"
    })
}

/// What is true of the last bar and was not of the one before.
fn noticed(
    name: &str,
    closes: &[f64],
    volumes: &[Option<f64>],
    watch: &CreateAlert,
) -> Vec<Noticed> {
    let mut out = Vec::new();
    let n = closes.len();
    let (Some(end), Some(before)) = (n.checked_sub(1), n.checked_sub(2)) else {
        return out;
    };
    let nothing_said = watch.triggers.is_empty()
        && watch.price_above.is_none()
        && watch.price_below.is_none()
        && watch.drawdown.is_none()
        && watch.daily_move.is_none();
    let wants =
        |t: &str| watch.triggers.iter().any(|w| w == t) || (nothing_said && STANDARD.contains(&t));
    let mut add = |trigger: &str, sentence: String| {
        out.push(Noticed {
            trigger: trigger.to_owned(),
            sentence,
        });
    };
    let percent = |x: f64| format!("{:.1} %", x * 100.0);
    let (last, previous) = (closes[end], closes[before]);
    if wants("regime")
        && let (Some(now), Some(was)) = (regime(closes, end), regime(closes, before))
        && now != was
    {
        add(
            "regime",
            format!("The volatility regime of {name} went from {was} to {now}."),
        );
    }
    if wants("volatility") {
        let jump = |e: usize| {
            let (now, then) = (
                volatility(closes, e, 21)?,
                volatility(closes, e.checked_sub(21)?, 21)?,
            );
            Some((now, then, now >= 1.5 * then))
        };
        if let (Some((now, then, true)), Some((_, _, false))) = (jump(end), jump(before)) {
            add(
                "volatility",
                format!(
                    "The volatility of {name} rose to {} a year from {} a month before.",
                    percent(now),
                    percent(then)
                ),
            );
        }
    }
    if wants("momentum") {
        let of = |e: usize| Some(closes[e] / closes[e.checked_sub(63)?] - 1.0);
        if let (Some(now), Some(was)) = (of(end), of(before))
            && (now >= 0.0) != (was >= 0.0)
        {
            add(
                "momentum",
                format!(
                    "The return of {name} over three months turned {}: {}.",
                    if now >= 0.0 { "positive" } else { "negative" },
                    percent(now)
                ),
            );
        }
    }
    if wants("trend") {
        let above = |e: usize| {
            let part = closes.get(e.checked_sub(199)?..=e)?;
            Some(closes[e] > part.iter().sum::<f64>() / part.len() as f64)
        };
        if let (Some(now), Some(was)) = (above(end), above(before))
            && now != was
        {
            add(
                "trend",
                format!(
                    "{name} closed {} its mean of 200 days.",
                    if now { "above" } else { "below" }
                ),
            );
        }
    }
    if wants("volume") {
        let mean: f64 = volumes.iter().rev().skip(1).take(20).flatten().sum::<f64>() / 20.0;
        if let Some(Some(v)) = volumes.last()
            && n > 21
            && mean > 0.0
            && *v >= 2.0 * mean
        {
            add(
                "volume",
                format!(
                    "The volume of {name} was {:.1} times its mean of 20 days.",
                    v / mean
                ),
            );
        }
    }
    if let Some(most) = watch.drawdown.or_else(|| wants("drawdown").then_some(0.1)) {
        let fall = |e: usize| {
            let from = e.saturating_sub(252);
            closes[e] / closes[from..=e].iter().copied().fold(f64::MIN, f64::max) - 1.0
        };
        if fall(end) <= -most && fall(before) > -most {
            add(
                "drawdown",
                format!(
                    "{name} stands {} below its peak of a year.",
                    percent(-fall(end))
                ),
            );
        }
    }
    if let Some(size) = watch.daily_move.or_else(|| wants("move").then_some(-0.05)) {
        let change = last / previous - 1.0;
        if (size < 0.0 && change <= size) || (size >= 0.0 && change >= size) {
            add(
                "move",
                format!("{name} changed by {} in a day.", percent(change)),
            );
        }
    }
    if let Some(price) = watch.price_above
        && last >= price
        && previous < price
    {
        add(
            "price_above",
            format!("{name} closed at {last}, at or above {price}."),
        );
    }
    if let Some(price) = watch.price_below
        && last <= price
        && previous > price
    {
        add(
            "price_below",
            format!("{name} closed at {last}, at or below {price}."),
        );
    }
    out
}

/// Mean correlation of the pairs' daily returns over the 63 bars up to `end`.
fn mean_correlation(columns: &[Vec<f64>], end: usize) -> Option<f64> {
    let from = end.checked_sub(63)?;
    let returns: Vec<Vec<f64>> = columns
        .iter()
        .map(|c| {
            c[from..=end]
                .windows(2)
                .map(|w| w[1] / w[0] - 1.0)
                .collect()
        })
        .collect();
    let mut all = Vec::new();
    for (i, a) in returns.iter().enumerate() {
        for b in &returns[i + 1..] {
            all.push(crate::run::correlation(a, b)?);
        }
    }
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

impl Services {
    /// The symbols that an alert is on, with the weights of what is held.
    async fn watched(&self, watch: &CreateAlert) -> Result<BTreeMap<String, f64>, ServiceError> {
        let mut all: BTreeMap<String, f64> = BTreeMap::new();
        let held = self.holdings(&HoldingsRequest::default()).await?;
        let weights: BTreeMap<String, f64> = held
            .holdings
            .iter()
            .filter_map(|h| Some((h.symbol.clone(), h.weight?)))
            .collect();
        for symbol in &watch.symbols {
            all.insert(symbol.clone(), weights.get(symbol).copied().unwrap_or(0.0));
        }
        if watch.holdings {
            all.extend(weights);
        }
        Ok(all)
    }

    /// Looks at the data of an alert once, as of a day (the last there is when absent), and keeps what is new.
    ///
    /// # Errors
    /// [`ServiceError`] when data or store fail.
    pub async fn look_at_alert(
        &self,
        alert: &AlertView,
        day: Option<NaiveDate>,
    ) -> Result<Vec<AlertEvent>, ServiceError> {
        let watched = self.watched(&alert.watch).await?;
        let mut events: Vec<AlertEvent> = Vec::new();
        let now = self.inner.clock.now();
        let mut columns = Vec::new();
        let mut sets = Vec::new();
        let mut newest: Option<NaiveDate> = None;
        for (symbol, weight) in &watched {
            let set = self.dataset_named(symbol).await?;
            let bars = self.bars(set.id.as_str(), None, day).await?;
            let bars = &bars[bars.len().saturating_sub(BARS)..];
            let Some(last) = bars.last() else { continue };
            newest = newest.max(Some(last.date));
            let closes: Vec<f64> = bars.iter().map(|b| b.close).collect();
            let volumes: Vec<Option<f64>> = bars.iter().map(|b| b.volume).collect();
            for n in noticed(symbol, &closes, &volumes, &alert.watch) {
                let means = if *weight > 0.0 {
                    let change = closes
                        .windows(2)
                        .next_back()
                        .map_or(0.0, |w| w[1] / w[0] - 1.0);
                    format!(
                        " It is {:.1} % of what is held; its last day changed the portfolio by {:.2} %.",
                        weight * 100.0,
                        weight * change * 100.0
                    )
                } else {
                    String::new()
                };
                events.push(AlertEvent {
                    seq: 0,
                    at: now,
                    day: last.date,
                    trigger: format!("{}:{symbol}", n.trigger),
                    sentence: n.sentence + &means,
                    datasets: vec![set.id.0.clone()],
                });
            }
            columns.push(bars.iter().map(|b| (b.date, b.close)).collect::<Vec<_>>());
            sets.push(set.id.0);
        }
        let wants = alert.watch.triggers.iter().any(|t| t == "correlation")
            || (alert.watch.triggers.is_empty() && alert.watch.holdings);
        if wants && columns.len() > 1 {
            // The days that all have.
            let mut common: BTreeSet<NaiveDate> = columns[0].iter().map(|(d, _)| *d).collect();
            for c in &columns[1..] {
                let days: BTreeSet<NaiveDate> = c.iter().map(|(d, _)| *d).collect();
                common.retain(|d| days.contains(d));
            }
            let closes: Vec<Vec<f64>> = columns
                .iter()
                .map(|c| {
                    c.iter()
                        .filter(|(d, _)| common.contains(d))
                        .map(|(_, x)| *x)
                        .collect()
                })
                .collect();
            let of = |end: usize| {
                let now = mean_correlation(&closes, end)?;
                let then = mean_correlation(&closes, end.checked_sub(63)?)?;
                Some((now, then, (now - then).abs() >= 0.2))
            };
            if let Some(end) = common.len().checked_sub(1)
                && let (Some((now_, then, true)), Some((_, _, false))) =
                    (of(end), end.checked_sub(1).and_then(of))
                && let Some(last) = common.last()
            {
                events.push(AlertEvent {
                    seq: 0,
                    at: now,
                    day: *last,
                    trigger: "correlation".to_owned(),
                    sentence: format!("The mean correlation of what is watched went from {then:.2} to {now_:.2} within three months: it diversifies {}.", if now_ > then { "less" } else { "more" }),
                    datasets: sets.clone(),
                });
            }
        }
        Ok(self.inner.alerts.noticed(&alert.id, now, events).await?)
    }

    /// Looks at every alert that is due: in market hours as often as it says, and once after it was set.
    pub(crate) async fn look_after_alerts(&self) {
        let all = match self.inner.alerts.alerts().await {
            Ok(all) => all,
            Err(e) => return tracing::debug!("alerts were not read: {e}"),
        };
        let now = self.inner.clock.now();
        // The session of an American exchange lies within one day of UTC.
        let session = mltrainer_data::calendar::session(now.date_naive());
        let open_now = session.is_some_and(|s| s.open <= now && now < s.close);
        for alert in all {
            let every = i64::from(alert.watch.every_minutes.unwrap_or(15));
            let due = alert
                .looked_at
                .is_none_or(|at| (now - at).num_minutes() >= every && open_now);
            if !due {
                continue;
            }
            match self.look_at_alert(&alert, None).await {
                Ok(new) => {
                    for event in new {
                        tracing::info!("alert {}: {}", alert.id, event.sentence);
                    }
                }
                Err(e) => tracing::warn!("alert {} was not looked at: {e}", alert.id),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(trigger: &str) -> CreateAlert {
        CreateAlert {
            triggers: vec![trigger.to_owned()],
            ..CreateAlert::default()
        }
    }

    #[test]
    fn what_is_new_on_the_last_bar_is_noticed_once() {
        // A line that rises by one a day for 70 days, then falls below where it was 63 bars before.
        let mut closes: Vec<f64> = (0..70).map(|i| 100.0 + f64::from(i)).collect();
        assert!(noticed("X", &closes, &[], &watch("momentum")).is_empty());
        closes.push(90.0);
        let found = noticed("X", &closes, &[], &watch("momentum"));
        // 63 bars before the last stands 107: 90 / 107 - 1 = -15.9 %.
        assert_eq!(
            found[0].sentence,
            "The return of X over three months turned negative: -15.9 %."
        );
        closes.push(89.0);
        assert!(noticed("X", &closes, &[], &watch("momentum")).is_empty());
        let price = CreateAlert {
            price_below: Some(89.5),
            ..CreateAlert::default()
        };
        assert_eq!(noticed("X", &closes, &[], &price)[0].trigger, "price_below");
        let fall = CreateAlert {
            daily_move: Some(-0.1),
            ..CreateAlert::default()
        };
        assert!(noticed("X", &closes, &[], &fall).is_empty());
        assert_eq!(noticed("X", &closes[..71], &[], &fall)[0].trigger, "move");
    }

    #[test]
    fn the_regime_is_the_place_among_the_past() {
        // Steps of 1 % up and down in turn, then of 4 %: the month's volatility is above all before.
        let mut closes = vec![100.0];
        for i in 0..600 {
            let step: f64 = if i < 570 { 0.01 } else { 0.04 };
            let last = closes[closes.len() - 1];
            closes.push(if i % 2 == 0 {
                last * (1.0 + step)
            } else {
                last / (1.0 + step)
            });
        }
        assert_eq!(regime(&closes, 600), Some("stressed"));
        assert_eq!(regime(&closes, 400), None);
    }
}
