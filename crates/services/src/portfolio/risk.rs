//! The risk of weights over past days, and of weights before and after a change.

use super::optimise::{cost_share, ends, run_entry};
use super::performance::{Closes, YEAR, float};
use super::prices::{Joined, canonical};
use crate::catalogue::find;
use crate::room::blocking;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_catalogue::risk::{drawdown, performance};
use mltrainer_catalogue_core::{Design, Resolved, SeriesTable};
use mltrainer_types::finite;
use mltrainer_types::portfolio::{
    AssetRisk, Crisis, HoldingsRequest, PortfolioRisk, RiskRequest, Shock, TailCheck, TailRisk,
    WhatIf, WhatIfRequest, WhatIfSide,
};
use ndarray::Array2;
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The market when none is named and there are enough days.
const MARKET: &str = "SPX";

/// Fewest common days with the market for a beta.
const FEWEST: usize = 60;

/// Fewest days of prices.
const ROWS: usize = 30;

/// Rows behind a past value at risk.
const WINDOW: usize = 250;

/// Largest absolute weight.
const MOST_WEIGHT: f64 = 100.0;

/// How tails are estimated.
const METHODS: [&str; 4] = ["historical", "parametric", "cornish_fisher", "monte_carlo"];

/// The entries that compute.
struct Entries {
    tail: Resolved,
    stress: Resolved,
}

/// What a computation needs beside the closes.
struct Ground {
    joined: Joined,
    /// Daily returns, a list an asset.
    returns: Vec<Vec<f64>>,
    /// Beta of each asset.
    betas: Vec<Option<f64>>,
    market: String,
}

/// Weights under the names of the columns, in their order; none of them 0.
fn checked(
    field: &str,
    weights: &BTreeMap<String, f64>,
) -> Result<Vec<(String, f64)>, ServiceError> {
    let mut all = Vec::new();
    for (symbol, w) in weights {
        if !w.is_finite() || w.abs() > MOST_WEIGHT {
            return Err(ServiceError::invalid(
                field,
                format!("{symbol}: {w} is no weight from -{MOST_WEIGHT} to {MOST_WEIGHT}"),
            ));
        }
        if *w != 0.0 {
            all.push((symbol.clone(), *w));
        }
    }
    Ok(all)
}

pub(crate) fn confidence(asked: Option<f64>) -> Result<f64, ServiceError> {
    let c = asked.unwrap_or(0.95);
    if c > 0.0 && c < 1.0 {
        return Ok(c);
    }
    Err(ServiceError::invalid(
        "confidence",
        format!("{c} is not above 0 and below 1"),
    ))
}

impl Services {
    /// Weights of the holdings that have a price, and their value with cash.
    pub(crate) async fn held_weights(
        &self,
        field: &str,
        source: Option<&str>,
    ) -> Result<(BTreeMap<String, f64>, Decimal, Vec<String>), ServiceError> {
        let holdings = self
            .holdings(&HoldingsRequest {
                source: source.map(str::to_owned),
                ..HoldingsRequest::default()
            })
            .await?;
        let held = holdings
            .holdings
            .into_iter()
            .filter(|h| h.shares > Decimal::ZERO);
        let weights: BTreeMap<String, f64> =
            held.filter_map(|h| Some((h.symbol, h.weight?))).collect();
        if weights.is_empty() {
            return Err(ServiceError::invalid(
                field,
                "missing, and nothing with a price is held: give weights, or record what you hold",
            ));
        }
        Ok((weights, holdings.value, holdings.notes))
    }

    /// Closes and betas of symbols.
    async fn ground(
        &self,
        names: &[String],
        source: Option<&str>,
        span: (Option<NaiveDate>, Option<NaiveDate>),
        market: Option<&str>,
        notes: &mut Vec<String>,
    ) -> Result<Ground, ServiceError> {
        let joined = self.joined(names, source, span, ROWS).await?;
        let table = joined.table.get();
        let returns: Vec<Vec<f64>> = (0..names.len())
            .map(|i| {
                table
                    .series(i)
                    .windows(2)
                    .map(|w| w[1] / w[0] - 1.0)
                    .collect()
            })
            .collect();
        let (_, last) = ends(&joined.days);
        let set = match market {
            Some(market) => Some(self.price_set(market, source).await?),
            None => self.price_set(MARKET, None).await.ok(),
        };
        let mut beside = None;
        if let Some(set) = set {
            let closes = self.closes_as_of(&set, last).await?;
            let shared = of_days(&closes, &joined.days);
            let pairs = shared.iter().flatten().count();
            let name = set.symbols.first().cloned().unwrap_or_default();
            if pairs >= FEWEST {
                if pairs + 1 < joined.days.len() {
                    notes.push(format!(
                        "Betas are from the {pairs} days that {name} has too."
                    ));
                }
                beside = Some((name, shared));
            } else if market.is_some() {
                return Err(ServiceError::BadData(format!(
                    "{name} has {pairs} daily returns in common with the portfolio, at least {FEWEST} are needed for a beta"
                )));
            }
        }
        let (market, theirs) = beside.unwrap_or_else(|| {
            let rows = joined.days.len().saturating_sub(1);
            let mean = |t: usize| {
                let sum: f64 = returns.iter().filter_map(|r| r.get(t)).sum();
                Some(sum / returns.len() as f64)
            };
            (
                "its shares in equal parts".to_owned(),
                (0..rows).map(mean).collect(),
            )
        });
        let betas = returns.iter().map(|r| beta(r, &theirs)).collect();
        Ok(Ground {
            joined,
            returns,
            betas,
            market,
        })
    }

    fn risk_entries(&self) -> Result<Entries, ServiceError> {
        Ok(Entries {
            tail: find(&self.inner.registry, "value_at_risk")?,
            stress: find(&self.inner.registry, "stress_test")?,
        })
    }

    /// The risk of weights, by default those of the holdings: tails, betas, concentration, crises replayed.
    ///
    /// # Errors
    /// [`ServiceError`]: unknown symbols, weights and numbers out of range, too few days in common, nothing held.
    pub async fn portfolio_risk(
        &self,
        request: &RiskRequest,
    ) -> Result<PortfolioRisk, ServiceError> {
        let confidence = confidence(request.confidence)?;
        let horizon = request.horizon.unwrap_or(1);
        if !(1..=250).contains(&horizon) {
            return Err(ServiceError::invalid(
                "horizon",
                format!("{horizon} is not in 1 to 250"),
            ));
        }
        let source = request.source.as_deref();
        let (weights, value, mut notes) = if request.weights.is_empty() {
            let (weights, value, notes) = self.held_weights("weights", source).await?;
            (weights, Some(value), notes)
        } else {
            (capitals("weights", &request.weights)?, None, Vec::new())
        };
        let weights = checked("weights", &weights)?;
        if weights.is_empty() {
            return Err(ServiceError::invalid("weights", "every weight is 0"));
        }
        let names: Vec<String> = weights.iter().map(|(n, _)| n.clone()).collect();
        let span = (request.start, request.end);
        let ground = self
            .ground(&names, source, span, request.market.as_deref(), &mut notes)
            .await?;
        let entries = self.risk_entries()?;
        let crises = request.crises.clone().filter(|c| !c.trim().is_empty());
        blocking(move || {
            let w: Vec<f64> = weights.iter().map(|(_, w)| *w).collect();
            let mut tails = Vec::new();
            let mut check = None;
            for method in METHODS {
                let out = tail(&entries.tail, &ground, &w, method, confidence, horizon)?;
                let var = out.get("value_at_risk").and_then(Value::as_f64);
                let amount = value.zip(var.and_then(Decimal::from_f64));
                tails.push(TailRisk {
                    method: method.to_owned(),
                    value_at_risk: var,
                    conditional_value_at_risk: out
                        .get("conditional_value_at_risk")
                        .and_then(Value::as_f64),
                    value_at_risk_amount: amount
                        .and_then(|(v, r)| Some(v.checked_mul(r)?.round_dp(2))),
                });
                if method == METHODS[0] {
                    check = past_check(&out);
                }
            }
            let replay = stress(&entries.stress, &ground, &w, crises.as_deref())?;
            let r = weighted(&ground.returns, &w);
            let figures = performance(&r, YEAR, 0.0, 0.0);
            let (volatilities, shares) = contributions(&ground.returns, &w);
            let columns = ground.joined.table.get().names();
            let mut assets: Vec<AssetRisk> = columns
                .iter()
                .enumerate()
                .map(|(i, symbol)| AssetRisk {
                    symbol: symbol.clone(),
                    weight: w[i],
                    volatility: finite(volatilities[i]),
                    risk_contribution: finite(shares[i]),
                    beta: ground.betas[i],
                })
                .collect();
            assets.sort_by(|a, b| {
                b.weight
                    .total_cmp(&a.weight)
                    .then_with(|| a.symbol.cmp(&b.symbol))
            });
            let (start, end) = ends(&ground.joined.days);
            notes.push(
                "Tails, volatility and the largest fall see past days with the weights of today, put back every day; within a crisis the weights drift with prices.".to_owned(),
            );
            Ok(PortfolioRisk {
                start,
                end,
                days: ground.joined.days.len() as u64,
                value,
                confidence,
                horizon,
                assets,
                cash_weight: 1.0 - w.iter().sum::<f64>(),
                mean_return: figures.average_return * YEAR,
                volatility: figures.annual_volatility,
                max_drawdown: drawdown(&r).max,
                beta: whole_beta(&ground.betas, &w),
                market: ground.market,
                concentration: concentration(&w),
                tails,
                check,
                crises: crises_of(&replay),
                shocks: shocks_of(&replay),
                notes,
                lineage: ground.joined.table.lineage().steps().to_vec(),
            })
        })
        .await
    }

    /// Weights before and after a change, over the same days.
    ///
    /// # Errors
    /// [`ServiceError`]: neither or both of target and change, unknown symbols, weights out of range, too few days.
    pub async fn what_if(&self, request: &WhatIfRequest) -> Result<WhatIf, ServiceError> {
        let confidence = confidence(request.confidence)?;
        let cost = cost_share(request.cost_bps)?;
        let source = request.source.as_deref();
        if request.target.is_empty() == request.change.is_empty() {
            let detail = "give either target weights or changes of weights";
            return Err(ServiceError::invalid("target", detail));
        }
        let (current, mut notes) = if request.current.is_empty() {
            match self.held_weights("current", source).await {
                Ok((weights, _, notes)) => (weights, notes),
                // Without holdings everything is in cash.
                Err(ServiceError::Invalid { field, .. }) if field == "current" => (
                    BTreeMap::new(),
                    vec!["Nothing is held: before the change all is in cash.".to_owned()],
                ),
                Err(other) => return Err(other),
            }
        } else {
            (capitals("current", &request.current)?, Vec::new())
        };
        let mut after = capitals("target", &request.target)?;
        if request.target.is_empty() {
            after.clone_from(&current);
            for (symbol, change) in capitals("change", &request.change)? {
                *after.entry(symbol).or_default() += change;
            }
        }
        checked("current", &current)?;
        checked("target", &after)?;
        let mut names: Vec<String> = current.keys().chain(after.keys()).cloned().collect();
        names.sort();
        names.dedup();
        let span = (request.start, request.end);
        let ground = self
            .ground(&names, source, span, request.market.as_deref(), &mut notes)
            .await?;
        let entries = self.risk_entries()?;
        blocking(move || {
            let of = |map: &BTreeMap<String, f64>| -> Vec<f64> {
                names
                    .iter()
                    .map(|n| map.get(n).copied().unwrap_or(0.0))
                    .collect()
            };
            let (before, after) = (of(&current), of(&after));
            let turnover: f64 = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).sum();
            let (start, end) = ends(&ground.joined.days);
            Ok(WhatIf {
                start,
                end,
                days: ground.joined.days.len() as u64,
                market: ground.market.clone(),
                confidence,
                before: side(&entries, &ground, &before, confidence)?,
                after: side(&entries, &ground, &after, confidence)?,
                turnover,
                cost: turnover * cost,
                notes,
            })
        })
        .await
    }
}

/// Weights under their symbols in capitals, so that one symbol has one weight.
fn capitals(
    field: &str,
    weights: &BTreeMap<String, f64>,
) -> Result<BTreeMap<String, f64>, ServiceError> {
    let mut all = BTreeMap::new();
    for (symbol, w) in weights {
        if all.insert(canonical(symbol), *w).is_some() {
            return Err(ServiceError::invalid(
                field,
                format!("{symbol} stands twice"),
            ));
        }
    }
    Ok(all)
}

/// Returns of a series on the steps between days, where it has a close on both.
fn of_days(closes: &Closes, days: &[NaiveDate]) -> Vec<Option<f64>> {
    let at = |day: &NaiveDate| {
        let i = closes.binary_search_by_key(day, |(d, _)| *d).ok()?;
        closes.get(i).map(|(_, c)| *c)
    };
    days.windows(2)
        .map(|w| Some(at(&w[1])? / at(&w[0])? - 1.0))
        .collect()
}

/// Covariance with the market over its variance, on the days that it has.
fn beta(r: &[f64], market: &[Option<f64>]) -> Option<f64> {
    let pairs: Vec<(f64, f64)> = r
        .iter()
        .zip(market)
        .filter_map(|(a, m)| Some((*a, (*m)?)))
        .collect();
    let n = pairs.len() as f64;
    let (ma, mm) = pairs
        .iter()
        .fold((0.0, 0.0), |(a, m), p| (a + p.0 / n, m + p.1 / n));
    let both: f64 = pairs.iter().map(|(a, m)| (a - ma) * (m - mm)).sum();
    let own: f64 = pairs.iter().map(|(_, m)| (m - mm) * (m - mm)).sum();
    finite(both / own)
}

fn whole_beta(betas: &[Option<f64>], w: &[f64]) -> Option<f64> {
    betas.iter().zip(w).map(|(b, w)| b.map(|b| b * w)).sum()
}

fn concentration(w: &[f64]) -> f64 {
    let gross: f64 = w.iter().map(|w| w.abs()).sum();
    if gross == 0.0 {
        0.0
    } else {
        w.iter().map(|w| (w / gross).powi(2)).sum()
    }
}

/// Returns of fixed weights.
fn weighted(returns: &[Vec<f64>], w: &[f64]) -> Vec<f64> {
    let rows = returns.first().map_or(0, Vec::len);
    (0..rows)
        .map(|t| returns.iter().zip(w).map(|(r, w)| w * r[t]).sum())
        .collect()
}

/// Annual volatilities of the assets, and their shares of the portfolio's variance.
fn contributions(returns: &[Vec<f64>], w: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let whole = weighted(returns, w);
    let n = whole.len() as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n;
    let cov = |a: &[f64], b: &[f64]| {
        let (ma, mb) = (mean(a), mean(b));
        a.iter()
            .zip(b)
            .map(|(x, y)| (x - ma) * (y - mb))
            .sum::<f64>()
            / (n - 1.0)
    };
    let variance = cov(&whole, &whole);
    let each = returns.iter().zip(w);
    each.map(|(r, w)| ((cov(r, r) * YEAR).sqrt(), w * cov(r, &whole) / variance))
        .unzip()
}

/// Runs value at risk on the returns of weights.
fn tail(
    entry: &Resolved,
    ground: &Ground,
    w: &[f64],
    method: &str,
    confidence: f64,
    horizon: u32,
) -> Result<Map<String, Value>, ServiceError> {
    let returns =
        ground
            .joined
            .table
            .derive("portfolio", "daily returns of the weights", |_| {
                let r = weighted(&ground.returns, w);
                let x = Array2::from_shape_fn((r.len(), 1), |(t, _)| r[t]);
                SeriesTable::new(Design::new(x, vec!["portfolio".to_owned()])?, None)
            })?;
    let rows = returns.get().rows();
    // A check needs more rows than its window, and only one method is checked.
    let window = (method == METHODS[0] && rows > WINDOW).then_some(WINDOW);
    let params = json!({"method": method, "confidence": confidence, "horizon": horizon, "input": "returns", "window": window});
    let params = params.as_object().cloned().unwrap_or_default();
    Ok(run_entry(entry, &params, &returns)?.outputs)
}

fn past_check(out: &Map<String, Value>) -> Option<TailCheck> {
    let days = out
        .get("backtest_days")
        .and_then(Value::as_u64)
        .filter(|d| *d > 0)?;
    Some(TailCheck {
        days,
        exceedances: out.get("exceedances").and_then(Value::as_u64)?,
        expected: out.get("expected_exceedances").and_then(Value::as_f64)?,
        kupiec_p_value: out.get("kupiec_p_value").and_then(Value::as_f64),
        traffic_light: out
            .get("traffic_light")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

/// Replays crises and shocks.
fn stress(
    entry: &Resolved,
    ground: &Ground,
    w: &[f64],
    crises: Option<&str>,
) -> Result<Map<String, Value>, ServiceError> {
    let betas: Option<Vec<f64>> = ground.betas.iter().copied().collect();
    let params = json!({"weights": w, "betas": betas, "crises": crises});
    let params = params.as_object().cloned().unwrap_or_default();
    Ok(run_entry(entry, &params, &ground.joined.table)?.outputs)
}

fn crises_of(out: &Map<String, Value>) -> Vec<Crisis> {
    let list = out.get("crises").and_then(Value::as_array);
    let one = |c: &Value| {
        let number = |name: &str| c.get(name).and_then(Value::as_f64);
        let text = |name: &str| c.get(name).and_then(Value::as_str);
        let day = |name: &str| text(name).and_then(|d| d.get(..10)?.parse().ok());
        Some(Crisis {
            name: text("name")?.to_owned(),
            from: day("from")?,
            to: day("to")?,
            covered: c.get("covered").and_then(Value::as_bool)?,
            reason: text("reason").map(str::to_owned),
            total_return: number("return"),
            max_drawdown: number("max_drawdown"),
            worst_day: day("worst_day"),
            worst_day_return: number("worst_day_return"),
            days_to_recover: number("days_to_recover"),
            correlation: number("correlation"),
            correlation_outside: number("correlation_outside"),
        })
    };
    let mut all: Vec<Crisis> = list.into_iter().flatten().filter_map(one).collect();
    all.sort_by_key(|c| (c.from, c.to));
    all
}

fn shocks_of(out: &Map<String, Value>) -> Vec<Shock> {
    let list = out.get("shocks").and_then(Value::as_array);
    let one = |s: &Value| {
        Some(Shock {
            market: s.get("market")?.as_f64()?,
            portfolio: s.get("portfolio")?.as_f64()?,
        })
    };
    list.into_iter().flatten().filter_map(one).collect()
}

fn side(
    entries: &Entries,
    ground: &Ground,
    w: &[f64],
    confidence: f64,
) -> Result<WhatIfSide, ServiceError> {
    let r = weighted(&ground.returns, w);
    let figures = performance(&r, YEAR, 0.0, 0.0);
    let names = ground.joined.table.get().names();
    let held = w.iter().any(|w| *w != 0.0);
    let (var, es, worst) = if held {
        let out = tail(&entries.tail, ground, w, METHODS[0], confidence, 1)?;
        let number = |name: &str| out.get(name).and_then(Value::as_f64);
        let crises = crises_of(&stress(&entries.stress, ground, w, None)?);
        let covered = crises
            .into_iter()
            .filter_map(|c| Some((c.total_return?, c.name)));
        let worst = covered.min_by(|a, b| a.0.total_cmp(&b.0));
        (
            number("value_at_risk"),
            number("conditional_value_at_risk"),
            worst,
        )
    } else {
        (Some(0.0), Some(0.0), None)
    };
    Ok(WhatIfSide {
        weights: names.iter().cloned().zip(w.iter().copied()).collect(),
        cash_weight: 1.0 - w.iter().sum::<f64>(),
        mean_return: figures.average_return * YEAR,
        volatility: figures.annual_volatility,
        sharpe_ratio: finite(figures.average_return * YEAR / figures.annual_volatility),
        max_drawdown: drawdown(&r).max,
        value_at_risk: var,
        conditional_value_at_risk: es,
        beta: whole_beta(&ground.betas, w),
        concentration: concentration(w),
        worst_crisis: worst.as_ref().map(|w| w.0),
        worst_crisis_name: worst.map(|w| w.1),
    })
}

/// A weight of money in money.
pub(crate) fn share_of(part: Decimal, whole: Decimal) -> f64 {
    if whole > Decimal::ZERO {
        float(part) / float(whole)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn shares_of_risk_by_hand() {
        // Two assets that move alike, one twice as much: 2/3 and 1/3 of the risk at equal weights.
        let a = vec![0.02, -0.02, 0.04, 0.0];
        let b: Vec<f64> = a.iter().map(|x| x / 2.0).collect();
        let (vol, shares) = contributions(&[a.clone(), b], &[0.5, 0.5]);
        near(shares[0], 2.0 / 3.0);
        near(shares[1], 1.0 / 3.0);
        near(vol[0], 2.0 * vol[1]);
        // Mean 0.01, squares 1 + 9 + 9 + 1 = 20 of 1e-4, over 3.
        near(vol[0], (20e-4_f64 / 3.0 * 252.0).sqrt());
    }

    #[test]
    fn a_beta_is_over_common_days() {
        let market = [Some(0.01), None, Some(-0.01), Some(0.02)];
        let r = [0.02, 9.0, -0.02, 0.04];
        near(beta(&r, &market).unwrap(), 2.0);
        assert_eq!(beta(&r, &[Some(0.0); 4]), None);
    }

    #[test]
    fn concentration_is_one_for_one_share() {
        near(concentration(&[0.5]), 1.0);
        near(concentration(&[0.25, -0.25]), 0.5);
        near(concentration(&[]), 0.0);
    }
}
