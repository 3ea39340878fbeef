//! Unusual options activity.
//!
//! What: What the options on a symbol say at the close of each day: put/call ratios, contracts of
//! unusual volume with an estimate of the side that traded, the skew of implied volatility, and a
//! signal from these with its reasons.
//! Formula: put_call = put volume/call volume of the day, and of open interest. A contract is unusual
//! with volume >= min_volume and volume >= open_interest_ratio · open interest or, with at least 3
//! earlier days of the last history days, volume >= mean_ratio · its mean volume on them. Premium =
//! 100 · volume · mid; side = (last - mid)/(half the spread) kept in [-1, 1]; flow = Σ ±side ·
//! premium/Σ premium over the unusual ones, + for calls, - for puts. Forward from the strike with the
//! least |call mid - put mid| of the expiry nearest to skew_days of at least 7; skew = implied
//! volatility (Black 1976, no interest) of a put at (1 - moneyness) forward less that of a call at (1 +
//! moneyness) forward, each between the two nearest strikes. signal = mean of flow (weight 2),
//! (neutral_put_call - put_call)/neutral_put_call and (neutral_skew - skew)/0.05, each kept in [-1,
//! 1], those that exist.
//! Data: A chain in the numeric columns day (days since 1970-01-01), right (1 call, -1 put), strike,
//! days_to_expiry, bid, ask, last, volume, open_interest; 0 in bid, ask or last where there is none.
//! The program makes these of date, right (call or put) and expiry.
//! Cost: O(rows log rows).
//! Fails when: Volume that opens and closes positions looks alike, hedges of large holders look like
//! bets, the last trade may be older than the quotes. Expiry days are unusual by themselves.
//! Source: J. Pan, A. M. Poteshman, The Information in Option Volume for Future Stock Prices, Review
//! of Financial Studies 19 (2006); Y. Xing, X. Zhang, R. Zhao, What Does the Individual Option
//! Volatility Smirk Tell Us About Future Equity Returns?, Journal of Financial and Quantitative
//! Analysis 45 (2010); F. Black, The Pricing of Commodity Contracts, Journal of Financial Economics 3
//! (1976).
//! Not claimed: That who trades options knows more. The sources find so on average over many stocks
//! with data that tell buyers from sellers and openings from closings, which a chain does not.

use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::card::Exemption;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, params,
};
use mltrainer_types::catalogue::Task;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The handle.
pub struct OptionsFlow;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<OptionsFlow>();

params! {
    /// Parameters.
    pub struct OptionsFlowParams {
        /// Fewest contracts traded of an unusual one.
        min_volume: f64 = 100.0, at_least(0.0);
        /// Volume over open interest from which a contract is unusual.
        open_interest_ratio: f64 = 1.0, above(0.0);
        /// Volume over its own mean from which a contract is unusual.
        mean_ratio: f64 = 3.0, above(0.0);
        /// Days of the chain before whose mean counts.
        history: usize = 20, within(3.0, 1000.0);
        /// Put/call ratio by volume that says nothing.
        neutral_put_call: f64 = 0.7, above(0.0);
        /// Days to expiry at which the skew is taken.
        skew_days: f64 = 30.0, at_least(7.0);
        /// Distance from the forward at which it is taken, as a share.
        moneyness: f64 = 0.05, inside(0.0, 1.0);
        /// Skew that says nothing.
        neutral_skew: f64 = 0.05, within(-1.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "options_flow",
    family: "alternative",
    title: "Unusual options activity",
    tasks: &[Task::Signal],
    inputs: Inputs::Series,
    summary: "What the options on a symbol say at the close of each day: put/call ratios, contracts of unusual volume with an estimate of the side that traded, the skew of implied volatility, and a signal from these with its reasons.",
    formula: "put_call = put volume/call volume of the day, and of open interest. A contract is unusual with volume >= min_volume and volume >= open_interest_ratio · open interest or, with at least 3 earlier days of the last history days, volume >= mean_ratio · its mean volume on them. Premium = 100 · volume · mid; side = (last - mid)/(half the spread) kept in [-1, 1]; flow = Σ ±side · premium/Σ premium over the unusual ones, + for calls, - for puts. Forward from the strike with the least |call mid - put mid| of the expiry nearest to skew_days of at least 7; skew = implied volatility (Black 1976, no interest) of a put at (1 - moneyness) forward less that of a call at (1 + moneyness) forward, each between the two nearest strikes. signal = mean of flow (weight 2), (neutral_put_call - put_call)/neutral_put_call and (neutral_skew - skew)/0.05, each kept in [-1, 1], those that exist",
    data: "A chain in the numeric columns day (days since 1970-01-01), right (1 call, -1 put), strike, days_to_expiry, bid, ask, last, volume, open_interest; 0 in bid, ask or last where there is none. The program makes these of date, right (call or put) and expiry.",
    cost: "O(rows log rows)",
    fails_when: "Volume that opens and closes positions looks alike, hedges of large holders look like bets, the last trade may be older than the quotes. Expiry days are unusual by themselves.",
    not_claimed: "That who trades options knows more. The sources find so on average over many stocks with data that tell buyers from sellers and openings from closings, which a chain does not.",
    source: "J. Pan, A. M. Poteshman, The Information in Option Volume for Future Stock Prices, Review of Financial Studies 19 (2006); Y. Xing, X. Zhang, R. Zhao, What Does the Individual Option Volatility Smirk Tell Us About Future Equity Returns?, Journal of Financial and Quantitative Analysis 45 (2010); F. Black, The Pricing of Commodity Contracts, Journal of Financial Economics 3 (1976)",
    reference: "own rule, stated here",
    outputs: &[
        ("day", "days since 1970-01-01, one a day of the chain"),
        (
            "signal",
            "-1 to 1, one a day; null without trades and quotes",
        ),
        ("call_volume", "contracts, one a day"),
        ("put_volume", "contracts, one a day"),
        (
            "put_call_volume",
            "put volume over call volume; null without calls",
        ),
        ("put_call_open_interest", "the same of open interest"),
        (
            "unusual_calls",
            "unusual contracts that are calls, one a day",
        ),
        ("unusual_puts", "unusual contracts that are puts, one a day"),
        (
            "flow",
            "-1 to 1, premium bought less sold, calls less puts; null without unusual contracts",
        ),
        (
            "forward",
            "price of the underlying from put-call parity; null without quotes",
        ),
        (
            "skew",
            "volatility a year, 0.1 for ten points; null without quotes",
        ),
        ("reasons", "one a day: sentences"),
        (
            "unusual",
            "the unusual contracts: day, right, strike, expiry (days since 1970-01-01), volume, open_interest, side, premium, times_mean",
        ),
        (
            "expired",
            "rows of contracts that had expired before the day, which are left out",
        ),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "calculation by hand",
            cases: "ratios, unusual contracts, side, forward, skew, signal",
            tolerance: "1e-9",
        },
        Evidence {
            against: "scipy 1.17.1, numpy and pandas 2.3.3",
            cases: "a day of 32 contracts in quotes of cents: ratios, unusual contracts, flow, forward, skew, signal",
            tolerance: "1e-8",
        },
    ],
    presets: &[],
    exemptions: &[
        Exemption {
            rule: "defaults_valid",
            reason: "The suite has closes only, no chain of options; tests of this file run on a chain.",
        },
        Exemption {
            rule: "outputs_as_listed",
            reason: "The suite has no chain of options; a test of this file compares the names.",
        },
        Exemption {
            rule: "parameters_matter",
            reason: "The suite has no chain of options; a test of this file changes each parameter.",
        },
    ],
};

/// Columns, in the order of [`Quote`].
const NAMES: [&str; 9] = [
    "day",
    "right",
    "strike",
    "days_to_expiry",
    "bid",
    "ask",
    "last",
    "volume",
    "open_interest",
];

/// Skew this far from the neutral one is a full signal.
const FULL_SKEW: f64 = 0.05;

/// Days of history without which a mean is none.
const FEWEST: usize = 3;

/// Shares of a contract.
const MULTIPLIER: f64 = 100.0;

/// A row of the chain.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Quote {
    day: i64,
    call: bool,
    strike: f64,
    left: i64,
    bid: f64,
    ask: f64,
    last: f64,
    volume: f64,
    open: f64,
}

impl Quote {
    fn mid(&self) -> Option<f64> {
        (self.ask > 0.0 && self.ask >= self.bid).then(|| (self.bid + self.ask) / 2.0)
    }

    /// 1 when the last trade was at the ask or above, -1 at the bid or below.
    fn side(&self) -> f64 {
        let half = (self.ask - self.bid) / 2.0;
        match self.mid() {
            Some(mid) if half > 0.0 && self.last > 0.0 => {
                ((self.last - mid) / half).clamp(-1.0, 1.0)
            }
            _ => 0.0,
        }
    }

    fn premium(&self) -> f64 {
        MULTIPLIER * self.volume * self.mid().unwrap_or(self.last)
    }

    fn contract(&self) -> (bool, i64, u64) {
        // Strikes are positive: their bits are in the order of their values.
        (self.call, self.day + self.left, self.strike.to_bits())
    }
}

fn quotes(data: &SeriesTable) -> Result<Vec<Quote>, FitError> {
    let column = |name: &str| {
        let at = data.names().iter().position(|n| n == name);
        at.map(|at| data.series(at)).ok_or_else(|| {
            FitError::Data(format!(
                "an option chain needs a column \"{name}\"; the columns are {}",
                NAMES.join(", ")
            ))
        })
    };
    let columns: Vec<Vec<f64>> = NAMES
        .iter()
        .map(|name| column(name))
        .collect::<Result<_, _>>()?;
    let row = |r: usize| {
        let v = |k: usize| columns[k][r];
        let bad = |k: usize, rule: &str| {
            let reason = format!("column \"{}\" row {}: {} {rule}", NAMES[k], r + 1, v(k));
            Err(FitError::Data(reason))
        };
        if v(0).fract() != 0.0 || v(0).abs() > 1e7 {
            return bad(0, "is not a day");
        }
        if v(1).abs() != 1.0 {
            return bad(1, "is neither 1 for a call nor -1 for a put");
        }
        if v(2) <= 0.0 {
            return bad(2, "is no strike; it must be above 0");
        }
        if v(3).fract() != 0.0 || v(3).abs() > 1e5 {
            return bad(3, "is no number of days");
        }
        if let Some(k) = (4..9).find(|k| v(*k) < 0.0) {
            return bad(k, "is below 0");
        }
        Ok(Quote {
            day: v(0) as i64,
            call: v(1) > 0.0,
            strike: v(2),
            left: v(3) as i64,
            bid: v(4),
            ask: v(5),
            last: v(6),
            volume: v(7),
            open: v(8),
        })
    };
    (0..data.rows()).map(row).collect()
}

/// Black's price of a call or put on a forward, without interest.
fn black(call: bool, forward: f64, strike: f64, years: f64, sigma: f64) -> f64 {
    let normal = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    let s = sigma * years.sqrt();
    let d = (forward / strike).ln() / s + s / 2.0;
    let price = forward * normal(d) - strike * normal(d - s);
    if call {
        price
    } else {
        price - forward + strike
    }
}

/// The volatility at which Black's price is this one; none outside 1 to 500 percent.
fn implied(call: bool, forward: f64, strike: f64, years: f64, price: f64) -> Option<f64> {
    let (mut low, mut high) = (0.01, 5.0);
    let at = |sigma: f64| black(call, forward, strike, years, sigma);
    if !(at(low) < price && price < at(high)) {
        return None;
    }
    // The price grows with the volatility: 60 halvings leave less than rounding.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if at(middle) < price {
            low = middle
        } else {
            high = middle
        }
    }
    Some((low + high) / 2.0)
}

/// Implied volatility at a strike, on a line between those of the two strikes around it.
fn volatility_at(quotes: &[&Quote], call: bool, forward: f64, strike: f64) -> Option<f64> {
    let mut known: Vec<(f64, f64)> = quotes
        .iter()
        .filter(|q| q.call == call)
        .filter_map(|q| {
            let years = q.left as f64 / 365.0;
            Some((q.strike, implied(call, forward, q.strike, years, q.mid()?)?))
        })
        .collect();
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let above = known.iter().position(|(k, _)| *k >= strike)?;
    let (k1, v1) = known[above];
    if k1 == strike {
        return Some(v1);
    }
    let (k0, v0) = known[above.checked_sub(1)?];
    Some(v0 + (v1 - v0) * (strike - k0) / (k1 - k0))
}

/// Forward and skew of a day.
fn skew(p: &OptionsFlowParams, day: &[Quote]) -> (Option<f64>, Option<f64>) {
    let far = |q: &&Quote| q.left >= 7 && q.mid().is_some();
    let distance = |left: i64| (left as f64 - p.skew_days).abs();
    let nearest = day
        .iter()
        .filter(far)
        .map(|q| q.left)
        .min_by(|a, b| distance(*a).total_cmp(&distance(*b)).then(a.cmp(b)));
    let expiry: Vec<&Quote> = day
        .iter()
        .filter(far)
        .filter(|q| Some(q.left) == nearest)
        .collect();
    let mut pairs: BTreeMap<u64, [Option<f64>; 2]> = BTreeMap::new();
    for q in &expiry {
        pairs.entry(q.strike.to_bits()).or_default()[usize::from(q.call)] = q.mid();
    }
    let forward = pairs
        .iter()
        .filter_map(|(strike, mids)| {
            let (put, call) = mids[0].zip(mids[1])?;
            Some(((call - put).abs(), f64::from_bits(*strike) + call - put))
        })
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, forward)| forward)
        .filter(|f| *f > 0.0);
    let skew = forward.and_then(|f| {
        let put = volatility_at(&expiry, false, f, f * (1.0 - p.moneyness))?;
        Some(put - volatility_at(&expiry, true, f, f * (1.0 + p.moneyness))?)
    });
    (forward, skew)
}

/// Means over the last days on which the contract was in the chain.
type Past = BTreeMap<(bool, i64, u64), Vec<(i64, f64)>>;

impl Analysis for OptionsFlow {
    type Params = OptionsFlowParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (NAMES.len(), usize::MAX);

    fn analyse(p: &OptionsFlowParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let mut days: BTreeMap<i64, Vec<Quote>> = BTreeMap::new();
        let mut expired = 0;
        for q in quotes(data)? {
            // Chains of vendors go on listing contracts for a while.
            if q.left < 0 {
                expired += 1;
            } else {
                days.entry(q.day).or_default().push(q);
            }
        }
        let dates: Vec<i64> = days.keys().copied().collect();
        let mut past = Past::new();
        let mut rows: [Vec<Value>; 12] = Default::default();
        let mut unusual = Vec::new();
        for (at, (day, quotes)) in days.iter().enumerate() {
            let total = |call: bool, of: fn(&Quote) -> f64| -> f64 {
                quotes.iter().filter(|q| q.call == call).map(of).sum()
            };
            let (calls, puts) = (total(true, |q| q.volume), total(false, |q| q.volume));
            let ratio = |put: f64, call: f64| (call > 0.0).then(|| put / call);
            let put_call = ratio(puts, calls);
            let open = ratio(total(false, |q| q.open), total(true, |q| q.open));
            let oldest = dates[at.saturating_sub(p.history)];
            let (mut counts, mut bought, mut premium) = ([0, 0], 0.0, 0.0);
            for q in quotes {
                let seen = past.entry(q.contract()).or_default();
                seen.retain(|(then, _)| *then >= oldest);
                let usual = (seen.len() >= FEWEST)
                    .then(|| seen.iter().map(|(_, v)| v).sum::<f64>() / seen.len() as f64)
                    .filter(|mean| *mean > 0.0);
                let times = usual.map(|mean| q.volume / mean);
                seen.push((*day, q.volume));
                let fresh = q.volume >= p.open_interest_ratio * q.open;
                let busy = times.is_some_and(|t| t >= p.mean_ratio);
                if q.volume < p.min_volume || q.volume <= 0.0 || !(fresh || busy) {
                    continue;
                }
                counts[usize::from(q.call)] += 1;
                let direction = if q.call { 1.0 } else { -1.0 };
                bought += direction * q.side() * q.premium();
                premium += q.premium();
                unusual.push(json!({
                    "day": day,
                    "right": direction,
                    "strike": q.strike,
                    "expiry": q.day + q.left,
                    "volume": q.volume,
                    "open_interest": q.open,
                    "side": q.side(),
                    "premium": q.premium(),
                    "times_mean": times,
                }));
            }
            let flow = (premium > 0.0).then(|| bought / premium);
            let (forward, skew) = skew(p, quotes);
            let mut reasons: Vec<String> = Vec::new();
            let (mut sum, mut weight) = (0.0, 0.0);
            let mut count = |score: f64, times: f64| {
                sum += times * score.clamp(-1.0, 1.0);
                weight += times;
            };
            if let Some(flow) = flow {
                count(flow, 2.0);
                reasons.push(format!(
                    "{} calls and {} puts of unusual volume; premium bought less sold, calls less puts: {:.0} percent",
                    counts[1],
                    counts[0],
                    100.0 * flow
                ));
            }
            if let Some(ratio) = put_call {
                count((p.neutral_put_call - ratio) / p.neutral_put_call, 1.0);
                let than = if ratio < p.neutral_put_call {
                    "below"
                } else {
                    "not below"
                };
                reasons.push(format!(
                    "put/call ratio by volume {ratio:.2}, {than} {:.2}",
                    p.neutral_put_call
                ));
            }
            if let Some(skew) = skew {
                count((p.neutral_skew - skew) / FULL_SKEW, 1.0);
                let than = if skew > p.neutral_skew {
                    "above"
                } else {
                    "not above"
                };
                reasons.push(format!(
                    "puts {:.1} points of volatility over calls, {than} {:.1}",
                    100.0 * skew,
                    100.0 * p.neutral_skew
                ));
            }
            let signal = (weight > 0.0).then(|| sum / weight);
            let values = [
                json!(day),
                json!(signal),
                json!(calls),
                json!(puts),
                json!(put_call),
                json!(open),
                json!(counts[1]),
                json!(counts[0]),
                json!(flow),
                json!(forward),
                json!(skew),
                json!(reasons),
            ];
            for (column, value) in rows.iter_mut().zip(values) {
                column.push(value);
            }
        }
        let titles = [
            "day",
            "signal",
            "call_volume",
            "put_volume",
            "put_call_volume",
            "put_call_open_interest",
            "unusual_calls",
            "unusual_puts",
            "flow",
            "forward",
            "skew",
            "reasons",
        ];
        let mut outputs = Outputs::new();
        for (title, column) in titles.into_iter().zip(rows) {
            outputs.insert(title.to_owned(), Value::from(column));
        }
        outputs.insert("unusual".to_owned(), Value::from(unusual));
        outputs.insert("expired".to_owned(), Value::from(expired));
        Ok(outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::tests::with;
    use mltrainer_catalogue_core::Design;
    use ndarray::Array2;
    use std::collections::BTreeSet;

    const ASK: Ask = Ask {
        horizon: 1,
        seed: 0,
    };

    fn table(rows: &[[f64; 9]]) -> SeriesTable {
        let x = Array2::from_shape_fn((rows.len(), 9), |(r, c)| rows[r][c]);
        let names = NAMES.map(str::to_owned).to_vec();
        SeriesTable::new(Design::new(x, names).unwrap(), None).unwrap()
    }

    /// Black's prices on a forward of 100 at 30 days, five days long: puts at 30 percent, calls at 20, those at
    /// 100 both at 25, so that parity gives the forward.
    fn chain() -> Vec<[f64; 9]> {
        let mut rows = Vec::new();
        for day in 0..5 {
            for strike in [90.0, 95.0, 100.0, 105.0, 110.0] {
                for right in [1.0, -1.0] {
                    let call = right > 0.0;
                    let sigma = match (strike == 100.0, call) {
                        (true, _) => 0.25,
                        (false, true) => 0.2,
                        (false, false) => 0.3,
                    };
                    let price = black(call, 100.0, strike, 30.0 / 365.0, sigma);
                    let busy = day == 4 && call && strike == 105.0;
                    let volume = if busy { 400.0 } else { 100.0 };
                    let open = if call { 500.0 } else { 1000.0 };
                    let (bid, ask) = (price - 0.05, price + 0.05);
                    rows.push([
                        f64::from(day),
                        right,
                        strike,
                        30.0,
                        bid,
                        ask,
                        ask,
                        volume,
                        open,
                    ]);
                }
            }
        }
        rows
    }

    #[test]
    fn forward_and_skew_by_hand() {
        let outputs = OptionsFlow::analyse(&with("{}"), &table(&chain()), ASK).unwrap();
        let first = |name: &str| outputs[name][0].as_f64().unwrap();
        assert!((first("forward") - 100.0).abs() < 1e-9);
        // Strikes 95 and 105 are in the chain: 30 less 20 percent.
        assert!((first("skew") - 0.1).abs() < 1e-9);
        // Five puts and five calls of 100 each, open interest 1000 and 500.
        assert_eq!(
            (first("put_call_volume"), first("put_call_open_interest")),
            (1.0, 2.0)
        );
        assert_eq!(first("unusual_calls"), 0.0);
        // ((0.7 - 1)/0.7 + (0.05 - 0.1)/0.05)/2, the second kept at -1.
        let want = (-0.3 / 0.7 - 1.0) / 2.0;
        assert!((first("signal") - want).abs() < 1e-9);
        assert_eq!(outputs["reasons"][0].as_array().unwrap().len(), 2);
    }

    #[test]
    fn unusual_contracts_by_hand() {
        // One contract at a price of 2 with a spread of 0.2 for four days, then four times the volume, at the ask.
        let quote =
            |day: f64, volume: f64| [day, 1.0, 50.0, 40.0 - day, 1.9, 2.1, 2.1, volume, 10_000.0];
        let mut rows: Vec<[f64; 9]> = (0..4).map(|d| quote(f64::from(d), 100.0)).collect();
        rows.push(quote(4.0, 400.0));
        let outputs = OptionsFlow::analyse(&with("{}"), &table(&rows), ASK).unwrap();
        let found = outputs["unusual"].as_array().unwrap();
        assert_eq!(found.len(), 1);
        let one = |name: &str| found[0][name].as_f64().unwrap();
        assert_eq!(
            (one("day"), one("expiry"), one("times_mean")),
            (4.0, 40.0, 4.0)
        );
        assert!((one("side") - 1.0).abs() < 1e-9 && (one("premium") - 80_000.0).abs() < 1e-6);
        assert!((outputs["flow"][4].as_f64().unwrap() - 1.0).abs() < 1e-9);
        // Flow 1 twice, put/call 0: (0.7 - 0)/0.7 = 1.
        assert!((outputs["signal"][4].as_f64().unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(outputs["flow"][3], Value::Null);
        // Against its open interest of 50 every day is unusual.
        rows.iter_mut().for_each(|r| r[8] = 50.0);
        let outputs = OptionsFlow::analyse(&with("{}"), &table(&rows), ASK).unwrap();
        assert_eq!(outputs["unusual"].as_array().unwrap().len(), 5);
    }

    #[test]
    fn outputs_are_those_of_the_card_and_every_parameter_matters() {
        let rows = {
            let mut rows = chain();
            // A second expiry, flat at 40 percent, and history for one contract.
            for row in chain() {
                let price = black(row[1] > 0.0, 100.0, row[2], 60.0 / 365.0, 0.4);
                rows.push([
                    row[0],
                    row[1],
                    row[2],
                    60.0 - row[0],
                    price - 0.05,
                    price + 0.05,
                    price,
                    row[7],
                    450.0,
                ]);
            }
            rows
        };
        let data = table(&rows);
        let plain = OptionsFlow::analyse(&with("{}"), &data, ASK).unwrap();
        let listed: BTreeSet<&str> = CARD.outputs.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            plain.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            listed
        );
        for set in [
            r#"{"min_volume": 500}"#,
            r#"{"open_interest_ratio": 0.2}"#,
            r#"{"mean_ratio": 5}"#,
            r#"{"neutral_put_call": 1.5}"#,
            r#"{"skew_days": 60}"#,
            r#"{"moneyness": 0.03}"#,
            r#"{"neutral_skew": 0.12}"#,
        ] {
            let other = OptionsFlow::analyse(&with(set), &data, ASK).unwrap();
            assert_ne!(other, plain, "{set}");
        }
        // The mean of the last 3 days instead of all: one contract whose first day was busy.
        let quote =
            |day: f64, volume: f64| [day, 1.0, 50.0, 40.0 - day, 1.9, 2.1, 2.1, volume, 1e6];
        let days: Vec<[f64; 9]> = [1000.0, 100.0, 100.0, 100.0, 300.0]
            .iter()
            .enumerate()
            .map(|(d, v)| quote(d as f64, *v))
            .collect();
        let count = |set: &str| {
            let outputs = OptionsFlow::analyse(&with(set), &table(&days), ASK).unwrap();
            outputs["unusual"].as_array().unwrap().len()
        };
        assert_eq!((count("{}"), count(r#"{"history": 3}"#)), (0, 1));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut rows = chain();
        rows[0][3] = -3.0;
        let outputs = OptionsFlow::analyse(&with("{}"), &table(&rows), ASK).unwrap();
        assert_eq!(
            (&outputs["expired"], &outputs["call_volume"][0]),
            (&json!(1), &json!(400.0))
        );
        rows[3][1] = 0.5;
        let text = OptionsFlow::analyse(&with("{}"), &table(&rows), ASK).unwrap_err();
        assert_eq!(
            text.to_string(),
            "column \"right\" row 4: 0.5 is neither 1 for a call nor -1 for a put"
        );
    }

    /// A made-up day of two expiries in quotes of cents, which no market saw: for the numerics alone. Black's formula with scipy 1.17.1's normal distribution and root finder,
    /// numpy's interpolation and pandas 2.3.3: forward by parity at 185, where call and put are nearest; volatilities of
    /// puts at 0.95 and of calls at 1.05 times it; four contracts with at least the volume of their open interest.
    #[test]
    fn as_with_scipy() {
        let rows = [
            [15000.0, 1.0, 170.0, 24.0, 17.57, 17.68, 17.66, 334.0, 376.0],
            [15000.0, -1.0, 170.0, 24.0, 0.27, 0.38, 0.27, 202.0, 1240.0],
            [15000.0, 1.0, 175.0, 24.0, 13.00, 13.11, 13.03, 139.0, 453.0],
            [15000.0, -1.0, 175.0, 24.0, 0.71, 0.81, 0.76, 235.0, 852.0],
            [15000.0, 1.0, 180.0, 24.0, 8.86, 8.97, 8.93, 139.0, 1483.0],
            [15000.0, -1.0, 180.0, 24.0, 1.57, 1.66, 1.63, 50.0, 113.0],
            [15000.0, 1.0, 185.0, 24.0, 5.40, 5.50, 5.45, 324.0, 1379.0],
            [15000.0, -1.0, 185.0, 24.0, 3.09, 3.20, 3.15, 154.0, 408.0],
            [15000.0, 1.0, 190.0, 24.0, 2.99, 3.08, 3.05, 353.0, 340.0],
            [15000.0, -1.0, 190.0, 24.0, 5.69, 5.78, 5.76, 267.0, 273.0],
            [15000.0, 1.0, 195.0, 24.0, 1.49, 1.60, 1.55, 376.0, 1278.0],
            [15000.0, -1.0, 195.0, 24.0, 9.19, 9.30, 9.20, 101.0, 834.0],
            [15000.0, 1.0, 200.0, 24.0, 0.66, 0.77, 0.70, 259.0, 917.0],
            [15000.0, -1.0, 200.0, 24.0, 13.36, 13.46, 13.39, 94.0, 267.0],
            [15000.0, 1.0, 205.0, 24.0, 0.24, 0.35, 0.35, 159.0, 905.0],
            [
                15000.0, -1.0, 205.0, 24.0, 17.95, 18.06, 18.02, 382.0, 268.0,
            ],
            [15000.0, 1.0, 170.0, 52.0, 18.72, 18.82, 18.76, 331.0, 190.0],
            [15000.0, -1.0, 170.0, 52.0, 1.42, 1.52, 1.49, 10.0, 485.0],
            [
                15000.0, 1.0, 175.0, 52.0, 14.59, 14.70, 14.60, 339.0, 1275.0,
            ],
            [15000.0, -1.0, 175.0, 52.0, 2.29, 2.40, 2.35, 115.0, 260.0],
            [15000.0, 1.0, 180.0, 52.0, 10.86, 10.97, 10.92, 24.0, 311.0],
            [15000.0, -1.0, 180.0, 52.0, 3.55, 3.66, 3.61, 28.0, 595.0],
            [15000.0, 1.0, 185.0, 52.0, 7.62, 7.71, 7.62, 387.0, 1320.0],
            [15000.0, -1.0, 185.0, 52.0, 5.32, 5.42, 5.35, 181.0, 1139.0],
            [15000.0, 1.0, 190.0, 52.0, 5.23, 5.33, 5.23, 363.0, 228.0],
            [15000.0, -1.0, 190.0, 52.0, 7.92, 8.03, 7.97, 36.0, 809.0],
            [15000.0, 1.0, 195.0, 52.0, 3.47, 3.58, 3.53, 115.0, 1041.0],
            [
                15000.0, -1.0, 195.0, 52.0, 11.18, 11.28, 11.26, 316.0, 1368.0,
            ],
            [15000.0, 1.0, 200.0, 52.0, 2.23, 2.34, 2.23, 232.0, 1141.0],
            [
                15000.0, -1.0, 200.0, 52.0, 14.93, 15.03, 14.97, 339.0, 1232.0,
            ],
            [15000.0, 1.0, 205.0, 52.0, 1.38, 1.48, 1.46, 381.0, 793.0],
            [
                15000.0, -1.0, 205.0, 52.0, 19.07, 19.18, 19.09, 364.0, 576.0,
            ],
        ];
        let outputs = OptionsFlow::analyse(&with("{}"), &table(&rows), ASK).unwrap();
        for (name, want, within) in [
            ("forward", 187.305, 1e-10),
            ("skew", 0.010_682_903_123_131_166, 1e-10),
            ("flow", -0.290_935_677_813_149_7, 1e-12),
            ("put_call_volume", 0.675_440_658_049_353_7, 1e-12),
            ("put_call_open_interest", 0.798_138_495_904_691, 1e-12),
            ("signal", 0.059_888_839_031_571_55, 1e-8),
        ] {
            let got = outputs[name][0].as_f64().unwrap();
            assert!((got - want).abs() < within, "{name}: {got} {want}");
        }
        assert_eq!(outputs["unusual"].as_array().unwrap().len(), 4);
        assert_eq!(outputs["unusual_calls"][0], json!(3));
    }
}
