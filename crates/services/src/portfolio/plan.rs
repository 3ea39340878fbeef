//! From what is held to weights, in trades spread over days. The trades are words: nothing is sent anywhere.
//!
//! After day k of n, k/n of each trade is done: sales rounded up, purchases rounded down, so that the cash of no
//! day falls below 0; on the last day all is done. Whole shares are rounded towards 0.

use super::holdings::{price, told};
use super::performance::float;
use super::prices::canonical;
use super::risk::share_of;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_types::portfolio::{
    Alarm, HoldingsRequest, Plan, PlanRequest, PlannedPosition, PlannedTrade,
};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;
use std::collections::{BTreeMap, BTreeSet};

/// Days when no number is given, and at most.
const DAYS: (u32, u32) = (5, 60);

/// Falls at which to look again when none are named, and how many may be.
const ALARMS: ([f64; 3], usize) = ([0.05, 0.1, 0.2], 10);

/// A weight that is off by so much is to be looked at, when no band is named.
const DRIFT: f64 = 0.05;

/// Digits of shares that need not be whole.
const FRACTION: u32 = 6;

/// Rounds of sizing: what trades cost depends on their size.
const ROUNDS: usize = 50;

/// One symbol.
#[derive(Debug, Clone)]
struct Leg {
    symbol: String,
    price: Decimal,
    price_date: NaiveDate,
    held: Decimal,
    target: f64,
}

/// How trades are made.
#[derive(Debug, Clone, Copy)]
struct Terms {
    days: u32,
    whole: bool,
    /// Share of the traded value.
    rate: Decimal,
    /// A trade.
    commission: Decimal,
    band: f64,
}

impl Terms {
    fn cost(&self, value: Decimal) -> Decimal {
        if value.is_zero() {
            Decimal::ZERO
        } else {
            told(value * self.rate + self.commission)
        }
    }

    fn digits(&self) -> u32 {
        if self.whole { 0 } else { FRACTION }
    }
}

fn large() -> ServiceError {
    ServiceError::invalid("current", "the amounts are too large to be counted")
}

impl Services {
    /// Trades from what is held to weights.
    ///
    /// # Errors
    /// [`ServiceError`]: no target, weights below 0 or with a sum above 1, unknown symbols, numbers out of range,
    /// nothing to invest.
    pub async fn plan(&self, request: &PlanRequest) -> Result<Plan, ServiceError> {
        let terms = terms(request)?;
        let falls = falls(&request.alarms)?;
        let target = targets(&request.target)?;
        let source = request.source.as_deref();
        let mut notes = Vec::new();
        let (current, cash) = if request.current.is_empty() && request.cash.is_none() {
            let holdings = self
                .holdings(&HoldingsRequest {
                    as_of: request.as_of,
                    source: request.source.clone(),
                    ..HoldingsRequest::default()
                })
                .await?;
            notes.extend(holdings.notes);
            let mut current = BTreeMap::new();
            for h in holdings
                .holdings
                .into_iter()
                .filter(|h| h.shares > Decimal::ZERO)
            {
                if h.price.is_some() {
                    current.insert(h.symbol, h.shares);
                }
            }
            (current, holdings.cash)
        } else {
            let mut current = BTreeMap::new();
            for (symbol, shares) in &request.current {
                let shares = super::book::amount("current", Some(*shares), "plan", true)?;
                if current.insert(canonical(symbol), shares).is_some() {
                    return Err(ServiceError::invalid(
                        "current",
                        format!("{symbol} stands twice"),
                    ));
                }
            }
            let cash = request.cash.unwrap_or_default();
            (
                current,
                super::book::amount("cash", Some(cash), "plan", true)?,
            )
        };
        let names: BTreeSet<&String> = current.keys().chain(target.keys()).collect();
        let mut sets = Vec::new();
        for name in names {
            sets.push((name.clone(), self.price_set(name, source).await?));
        }
        let last = sets.iter().map(|(_, s)| s.last).max();
        let as_of = request.as_of.or(last).unwrap_or_default();
        let mut legs = Vec::new();
        for (name, set) in sets {
            let closes = self.closes_as_of(&set, as_of).await?;
            let found = closes.last().and_then(|(day, c)| Some((*day, price(*c)?)));
            let Some((day, price)) = found else {
                return Err(ServiceError::BadData(format!(
                    "{name} has no close until {as_of}; its data reach from {} to {}",
                    set.first, set.last
                )));
            };
            legs.push(Leg {
                price,
                price_date: day,
                held: current.get(&name).copied().unwrap_or_default(),
                target: target.get(&name).copied().unwrap_or(0.0),
                symbol: name,
            });
        }
        if let Some(old) = legs
            .iter()
            .filter(|l| (as_of - l.price_date).num_days() > 7)
            .min_by_key(|l| l.price_date)
        {
            notes.push(format!(
                "The close of {} is of {}: look at today's price before you trade",
                old.symbol, old.price_date
            ));
        }
        let mut plan = made(&legs, cash, terms, &falls)?;
        plan.notes.splice(0..0, notes);
        Ok(plan)
    }
}

fn terms(r: &PlanRequest) -> Result<Terms, ServiceError> {
    let days = r.days.unwrap_or(DAYS.0);
    if !(1..=DAYS.1).contains(&days) {
        return Err(ServiceError::invalid(
            "days",
            format!("{days} is not in 1 to {}", DAYS.1),
        ));
    }
    let band = r.band.unwrap_or(0.0);
    if !(0.0..=1.0).contains(&band) {
        return Err(ServiceError::invalid(
            "band",
            format!("{band} is not in 0 to 1"),
        ));
    }
    let rate = super::optimise::cost_share(r.cost_bps)?;
    let commission = r.commission.unwrap_or_default();
    Ok(Terms {
        days,
        whole: r.whole_shares.unwrap_or(true),
        rate: Decimal::from_f64(rate).unwrap_or_default().round_dp(8),
        commission: super::book::amount("commission", Some(commission), "plan", true)?,
        band,
    })
}

/// Falls at which to look again, smallest first.
fn falls(given: &[f64]) -> Result<Vec<f64>, ServiceError> {
    if given.is_empty() {
        return Ok(ALARMS.0.to_vec());
    }
    if given.len() > ALARMS.1 {
        return Err(ServiceError::invalid(
            "alarms",
            format!("{} are named, at most {} are taken", given.len(), ALARMS.1),
        ));
    }
    if let Some(bad) = given.iter().find(|f| !(**f > 0.0 && **f < 1.0)) {
        return Err(ServiceError::invalid(
            "alarms",
            format!("{bad} is not above 0 and below 1"),
        ));
    }
    let mut all = given.to_vec();
    all.sort_by(f64::total_cmp);
    all.dedup();
    Ok(all)
}

/// Prices below and above which the weight of a position is off by `band`, the others and the cash unchanged: the
/// price p f at which f x / (rest + f x) is the weight, x its value and rest what else there is.
fn drift(
    price: Decimal,
    value: Decimal,
    whole: Decimal,
    target: f64,
    band: f64,
) -> (Option<Decimal>, Option<Decimal>) {
    let band = if band > 0.0 { band } else { DRIFT };
    let (x, rest) = (float(value), float(whole - value));
    let now = share_of(value, whole);
    let at = |weight: f64| {
        let factor = weight * rest / (x * (1.0 - weight));
        let found = Decimal::from_f64(float(price) * factor)?;
        Some(told(found.round_dp(4)))
    };
    let (low, high) = (target - band, target + band);
    let held = target > 0.0 && x > 0.0 && rest > 0.0;
    (
        (held && low > 0.0 && low < now).then(|| at(low)).flatten(),
        (held && high < 1.0 && high > now)
            .then(|| at(high))
            .flatten(),
    )
}

fn targets(given: &BTreeMap<String, f64>) -> Result<BTreeMap<String, f64>, ServiceError> {
    let wrong = |reason: String| Err(ServiceError::invalid("target", reason));
    if given.is_empty() {
        return wrong(
            "missing: give weights by symbol; a plan that sells everything names one with weight 0"
                .to_owned(),
        );
    }
    let mut all = BTreeMap::new();
    for (symbol, w) in given {
        if !(0.0..=1.0).contains(w) {
            return wrong(format!(
                "{symbol}: {w} is not in 0 to 1; a plan sells no share short"
            ));
        }
        if all.insert(canonical(symbol), *w).is_some() {
            return wrong(format!("{symbol} stands twice"));
        }
    }
    let sum: f64 = all.values().sum();
    if sum > 1.0 + 1e-6 {
        return wrong(format!(
            "the weights sum to {sum}, at most 1 can be invested"
        ));
    }
    Ok(all)
}

/// Shares after the plan, for a value to be invested.
fn sized(legs: &[Leg], whole: Decimal, invested: Decimal, terms: Terms) -> Option<Vec<Decimal>> {
    legs.iter()
        .map(|leg| {
            let now = share_of(leg.held.checked_mul(leg.price)?, whole);
            if leg.held > Decimal::ZERO && leg.target > 0.0 && (now - leg.target).abs() < terms.band
            {
                return Some(leg.held);
            }
            let value = invested.checked_mul(Decimal::from_f64(leg.target)?)?;
            let shares = value.checked_div(leg.price)?;
            Some(shares.trunc_with_scale(terms.digits()).normalize())
        })
        .collect()
}

/// The trades of each day: shares, below 0 for a sale.
fn phased(change: Decimal, days: u32, digits: u32) -> Option<Vec<Decimal>> {
    let mut done = Decimal::ZERO;
    let mut all = Vec::new();
    for k in 1..=days {
        let exact = change
            .checked_mul(Decimal::from(k))?
            .checked_div(Decimal::from(days))?;
        // Away from 0 for a sale, towards 0 for a purchase: downwards in both.
        let until = if k == days {
            change
        } else {
            exact
                .round_dp_with_strategy(digits, rust_decimal::RoundingStrategy::ToNegativeInfinity)
                .max(change.min(Decimal::ZERO))
        };
        all.push(until - done);
        done = until;
    }
    Some(all)
}

fn made(legs: &[Leg], cash: Decimal, terms: Terms, falls: &[f64]) -> Result<Plan, ServiceError> {
    let mut value = cash;
    for leg in legs {
        value += leg.held.checked_mul(leg.price).ok_or_else(large)?;
    }
    if value <= Decimal::ZERO {
        return Err(ServiceError::invalid(
            "cash",
            "there is nothing to invest: give cash or shares, or record a deposit",
        ));
    }
    // What trades cost is taken off first; cheaper trades free something again, so it is sought in steps.
    let mut invested = value;
    let mut found = None;
    for _ in 0..ROUNDS {
        let after = sized(legs, value, invested, terms).ok_or_else(large)?;
        let (trades, left) = trades(legs, &after, cash, terms).ok_or_else(large)?;
        let lowest = left.iter().min().copied().unwrap_or(cash);
        if lowest >= Decimal::ZERO {
            found = Some((after, trades, left));
            break;
        }
        invested += lowest;
        if invested <= Decimal::ZERO {
            break;
        }
    }
    let Some((after, trades, left)) = found else {
        return Err(ServiceError::invalid(
            "commission",
            format!(
                "the commissions take more than the cash and the sales bring; spread the trades over fewer than {} days",
                terms.days
            ),
        ));
    };
    let cash_after = left.last().copied().unwrap_or(cash);
    let traded: Decimal = trades.iter().map(|t| t.value).sum();
    let cost: Decimal = trades.iter().map(|t| t.cost).sum();
    let end = value - cost;
    let mut positions = Vec::new();
    for (leg, shares) in legs.iter().zip(&after) {
        let own = *shares * leg.price;
        let (rebalance_below, rebalance_above) = drift(leg.price, own, end, leg.target, terms.band);
        positions.push(PlannedPosition {
            symbol: leg.symbol.clone(),
            price: leg.price,
            price_date: leg.price_date,
            shares_before: told(leg.held),
            shares_after: told(*shares),
            weight_before: share_of(leg.held * leg.price, value),
            weight_target: leg.target,
            weight_after: share_of(own, end),
            rebalance_below,
            rebalance_above,
        });
    }
    let mut notes = Vec::new();
    if trades.is_empty() {
        notes.push("Nothing has to be traded.".to_owned());
    }
    let off = positions
        .iter()
        .map(|p| (p.weight_after - p.weight_target).abs())
        .fold(0.0, f64::max);
    if terms.whole && off > 0.01 {
        notes.push(format!(
            "Whole shares miss a target by up to {:.1} % of the value.",
            100.0 * off
        ));
    }
    notes.push("All trades are counted at the last close; no order is sent anywhere.".to_owned());
    let alarm = |fall: &f64| Alarm {
        drawdown: *fall,
        value: told(end * Decimal::from_f64(1.0 - fall).unwrap_or_default()).round_dp(2),
    };
    Ok(Plan {
        days: terms.days,
        value: told(value),
        cash_before: told(cash),
        cash_after: told(cash_after),
        cash_by_day: left.into_iter().map(told).collect(),
        traded: told(traded),
        cost: told(cost),
        positions,
        trades,
        alarms: falls.iter().map(alarm).collect(),
        notes,
    })
}

/// All trades in order, and the cash after each day.
fn trades(
    legs: &[Leg],
    after: &[Decimal],
    cash: Decimal,
    terms: Terms,
) -> Option<(Vec<PlannedTrade>, Vec<Decimal>)> {
    let mut by_leg = Vec::new();
    for (leg, shares) in legs.iter().zip(after) {
        // What is held in fractions is sold in fractions.
        let digits = if leg.held.fract().is_zero() {
            terms.digits()
        } else {
            FRACTION
        };
        by_leg.push(phased(*shares - leg.held, terms.days, digits)?);
    }
    let mut all = Vec::new();
    let mut left = cash;
    let mut days = Vec::new();
    for day in 1..=terms.days {
        for side in ["sell", "buy"] {
            for (leg, parts) in legs.iter().zip(&by_leg) {
                let shares = *parts.get(day as usize - 1)?;
                if shares.is_zero() || (side == "sell") != shares.is_sign_negative() {
                    continue;
                }
                let value = shares.abs().checked_mul(leg.price)?;
                let cost = terms.cost(value);
                left += if side == "sell" {
                    value - cost
                } else {
                    -value - cost
                };
                all.push(PlannedTrade {
                    day,
                    side: side.to_owned(),
                    symbol: leg.symbol.clone(),
                    shares: told(shares.abs()),
                    price: leg.price,
                    value: told(value),
                    cost,
                });
            }
        }
        days.push(left);
    }
    Some((all, days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn leg(symbol: &str, price: &str, held: &str, target: f64) -> Leg {
        Leg {
            symbol: symbol.into(),
            price: dec(price),
            price_date: NaiveDate::default(),
            held: dec(held),
            target,
        }
    }

    fn terms(days: u32) -> Terms {
        Terms {
            days,
            whole: true,
            rate: dec("0.001"),
            commission: dec("1"),
            band: 0.0,
        }
    }

    #[test]
    fn a_plan_by_hand() {
        // 1000 cash, 30 A at 10: 1300. Target half A, 40 % B at 25: A 65, B 20 before costs.
        let legs = [leg("A", "10", "30", 0.5), leg("B", "25", "0", 0.4)];
        let plan = made(&legs, dec("1000"), terms(2), &ALARMS.0).unwrap();
        assert_eq!(plan.value, dec("1300"));
        // 35 A in 17 and 18, 20 B in 10 and 10; each costs a thousandth and 1.
        let told: Vec<(u32, String, Decimal, Decimal)> = plan
            .trades
            .iter()
            .map(|t| (t.day, t.symbol.clone(), t.shares, t.cost))
            .collect();
        assert_eq!(
            told,
            [
                (1, "A".into(), dec("17"), dec("1.17")),
                (1, "B".into(), dec("10"), dec("1.25")),
                (2, "A".into(), dec("18"), dec("1.18")),
                (2, "B".into(), dec("10"), dec("1.25")),
            ]
        );
        assert_eq!(plan.cost, dec("4.85"));
        assert_eq!(plan.traded, dec("850"));
        assert_eq!(plan.cash_after, dec("145.15"));
        assert_eq!(plan.cash_by_day, [dec("577.58"), dec("145.15")]);
        // 5 % below 1295.15.
        assert_eq!(plan.alarms[0].value, dec("1230.39"));
    }

    #[test]
    fn costs_are_taken_off_when_all_is_invested() {
        // All in B: 52 would cost 1300 and fees on top, so 51 are bought.
        let legs = [leg("A", "10", "30", 0.0), leg("B", "25", "0", 1.0)];
        let plan = made(&legs, dec("1000"), terms(1), &ALARMS.0).unwrap();
        let shares: Vec<Decimal> = plan.positions.iter().map(|p| p.shares_after).collect();
        assert_eq!(shares, [dec("0"), dec("51")]);
        // 1000 + 300 - 1.3 - 1275 - 2.275.
        assert_eq!(plan.cash_after, dec("21.425"));
        assert_eq!(plan.trades[0].side, "sell");
    }

    #[test]
    fn cash_is_never_short_and_money_is_conserved() {
        // A plan that pays for purchases with sales, over many days.
        for days in 1..=20 {
            let legs = [
                leg("A", "123.45", "97", 0.05),
                leg("B", "7.31", "411", 0.2),
                leg("C", "58.02", "0", 0.5),
                leg("D", "999.5", "0", 0.25),
            ];
            let plan = made(&legs, dec("10"), terms(days), &ALARMS.0).unwrap();
            assert!(
                plan.cash_by_day.iter().all(|c| *c >= Decimal::ZERO),
                "{days}: {:?}",
                plan.cash_by_day
            );
            let held: Decimal = plan
                .positions
                .iter()
                .map(|p| p.shares_after * p.price)
                .sum();
            assert_eq!(held + plan.cash_after + plan.cost, plan.value, "{days}");
            let sum = |symbol: &str| -> Decimal {
                let own = plan.trades.iter().filter(|t| t.symbol == symbol);
                own.map(|t| if t.side == "buy" { t.shares } else { -t.shares })
                    .sum()
            };
            for p in &plan.positions {
                assert_eq!(p.shares_before + sum(&p.symbol), p.shares_after);
            }
        }
    }

    #[test]
    fn what_is_near_its_weight_is_left_alone() {
        let legs = [leg("A", "10", "48", 0.5), leg("B", "10", "52", 0.5)];
        let off = Terms {
            band: 0.03,
            ..terms(3)
        };
        assert!(
            made(&legs, Decimal::ZERO, off, &ALARMS.0)
                .unwrap()
                .trades
                .is_empty()
        );
        assert!(
            !made(&legs, Decimal::ZERO, terms(3), &ALARMS.0)
                .unwrap()
                .trades
                .is_empty()
        );
    }

    #[test]
    fn prices_at_which_a_weight_is_off_by_hand() {
        // 10 at 50 of a value of 1000: half. At 45 % the rest of 500 is 55 %: 409.09 for 10, 40.9091 each; at 55 %
        // it is 45 %: 611.11.
        let found = drift(dec("50"), dec("500"), dec("1000"), 0.5, 0.05);
        assert_eq!(found, (Some(dec("40.9091")), Some(dec("61.1111"))));
        // Nothing beside it: its weight is always 1.
        let alone = drift(dec("50"), dec("500"), dec("500"), 1.0, 0.05);
        assert_eq!(alone, (None, None));
        // 3 % cannot fall by 5 points.
        let small = drift(dec("30"), dec("30"), dec("1000"), 0.03, 0.0);
        assert_eq!(small.0, None);
        // At 8 % the rest of 970 is 92 %: 84.3478.
        assert_eq!(small.1, Some(dec("84.3478")));
    }

    #[test]
    fn alarms_are_falls() {
        assert_eq!(falls(&[]).unwrap(), [0.05, 0.1, 0.2]);
        assert_eq!(falls(&[0.3, 0.15]).unwrap(), [0.15, 0.3]);
        for bad in [&[0.0][..], &[1.0], &[f64::NAN], &[0.1; 11]] {
            assert!(falls(bad).is_err(), "{bad:?}");
        }
        let legs = [leg("A", "10", "30", 1.0)];
        let plan = made(&legs, Decimal::ZERO, terms(1), &[0.15]).unwrap();
        // 15 % below 300, where nothing is traded.
        assert_eq!(plan.alarms[0].value, dec("255"));
    }

    #[test]
    fn targets_are_weights_of_shares_held() {
        let map = |list: &[(&str, f64)]| list.iter().map(|(s, w)| ((*s).to_owned(), *w)).collect();
        for (given, words) in [
            (map(&[]), "missing"),
            (map(&[("A", -0.1)]), "no share short"),
            (map(&[("A", 0.7), ("B", 0.4)]), "at most 1"),
            (map(&[("A", 0.1), ("a", 0.1)]), "twice"),
            (map(&[("A", f64::NAN)]), "not in 0 to 1"),
        ] {
            let refused = targets(&given).unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
