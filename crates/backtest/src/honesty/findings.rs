//! What is wrong with a result, as a list.
//!
//! What: Rules that look at a finished test: too few trades, one trade or a few days that make the
//! profit, luck among all that was tried, the market in disguise, fills at stale quotes or large
//! beside the volume, costs that eat the gain, fills nobody could have had, credit, an account that was
//! lost, a short record, a gain that is not realised.
//! Formula: stated with each rule and in its sentence.
//! Data: The outcome, the market it ran on, a benchmark, and how many strategies were tried.
//! Cost: O(bars + fills).
//! Fails when: The number of things tried is stated too low.
//! Source: thresholds are conventions of practice; luck by Bailey & López de Prado (2014), alpha by
//! least squares with the errors of Newey & West (1987).
//! Not claimed: That a result without findings is good.

use super::sharpe::{Sharpe, expected_maximum, minimum_track_record, probabilistic};
use crate::engine::{Market, Outcome, Settings, Timing};
use crate::performance::{against, max_drawdown, mean, returns};
use mltrainer_types::backtest::{Finding, Severity};
use mltrainer_types::finite;

/// What the rules look at.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The outcome.
    pub outcome: &'a Outcome,
    /// Its settings.
    pub settings: &'a Settings,
    /// Its market.
    pub market: &'a Market<'a>,
    /// A benchmark on the same bars: closes or equity.
    pub benchmark: Option<&'a [f64]>,
    /// Strategies and parameters ever tried on these data, this one included.
    pub tried: usize,
    /// Variance of the Sharpe ratios a bar of all that were tried, where known; of a ratio without
    /// skill otherwise.
    pub variance: Option<f64>,
}

fn finding(rule: &str, severity: Severity, sentence: String, figures: &[(&str, f64)]) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity,
        sentence,
        figures: figures
            .iter()
            .map(|(name, x)| ((*name).to_owned(), finite(*x)))
            .collect(),
    }
}

fn percent(x: f64) -> String {
    format!("{:.1} %", 100.0 * x)
}

/// All findings, the heaviest first, those of one weight in the order of the rules.
#[must_use]
pub fn findings(c: &Context<'_>) -> Vec<Finding> {
    let rules: [fn(&Context<'_>) -> Option<Finding>; 13] = [
        ruin,
        no_trades,
        too_few_trades,
        short_record,
        luck,
        beta_in_disguise,
        one_trade,
        few_days,
        stale_fills,
        large_fills,
        costs,
        fills_nobody_had,
        unrealised,
    ];
    let mut all: Vec<Finding> = rules.iter().filter_map(|rule| rule(c)).collect();
    all.sort_by_key(|f| std::cmp::Reverse(f.severity));
    all
}

/// Gain of the whole test, currency.
fn gain(c: &Context<'_>) -> f64 {
    c.outcome.equity.last().copied().unwrap_or(c.settings.cash) - c.settings.cash
}

fn ruin(c: &Context<'_>) -> Option<Finding> {
    let bar = c.outcome.ruined?;
    Some(finding(
        "ruin",
        Severity::Serious,
        format!(
            "The account was lost on bar {bar}; everything was closed and nothing traded after."
        ),
        &[("bar", bar as f64)],
    ))
}

fn no_trades(c: &Context<'_>) -> Option<Finding> {
    c.outcome.fills.is_empty().then(|| {
        let refused = c.outcome.refused.first();
        let why = refused.map_or("the strategy never said so".to_owned(), |r| {
            format!(
                "{} orders were refused, the first because: {}",
                c.outcome.refused.len(),
                r.why
            )
        });
        finding(
            "no_trades",
            Severity::Serious,
            format!("Nothing was bought or sold: {why}."),
            &[("refused", c.outcome.refused.len() as f64)],
        )
    })
}

/// Under 30 closed trades averages say little; under 10 nothing.
fn too_few_trades(c: &Context<'_>) -> Option<Finding> {
    let n = c.outcome.trades.len();
    if n >= 30 || c.outcome.fills.is_empty() {
        return None;
    }
    let severity = if n < 10 {
        Severity::Serious
    } else {
        Severity::Warning
    };
    Some(finding(
        "too_few_trades",
        severity,
        format!(
            "Only {n} trades were closed; with fewer than 30 the win rate and the average say little."
        ),
        &[("trades", n as f64)],
    ))
}

/// The record is shorter than a Sharpe ratio like this needs to be above 0 with 95 %.
fn short_record(c: &Context<'_>) -> Option<Finding> {
    let r = returns(&c.outcome.equity);
    let sharpe = Sharpe::of(&r)?;
    let needed = minimum_track_record(&sharpe, 0.0, 0.95)?;
    let n = sharpe.n as f64;
    (n < needed).then(|| {
        let years = c.settings.costs.periods_per_year;
        finding(
            "short_record",
            Severity::Warning,
            format!(
                "A Sharpe ratio like this needs {:.1} years to be above 0 with 95 % confidence; there are {:.1}.",
                needed / years,
                n / years
            ),
            &[("bars", n), ("bars_needed", needed.ceil())],
        )
    })
}

/// The deflated Sharpe ratio is under 0.95.
fn luck(c: &Context<'_>) -> Option<Finding> {
    let r = returns(&c.outcome.equity);
    let sharpe = Sharpe::of(&r)?;
    if sharpe.ratio <= 0.0 {
        return None;
    }
    let tried = c.tried.max(1);
    let alone = 1.0 / (sharpe.n as f64 - 1.0);
    let expected = expected_maximum(c.variance.map_or(alone, |v| v.max(alone)), tried);
    let deflated = probabilistic(&sharpe, expected)?;
    if deflated >= 0.95 {
        return None;
    }
    let year = c.settings.costs.periods_per_year.sqrt();
    let severity = if deflated < 0.5 {
        Severity::Serious
    } else {
        Severity::Warning
    };
    let among = if tried == 1 {
        "that a strategy without skill shows a Sharpe ratio above 0".to_owned()
    } else {
        format!(
            "that the best of {tried} strategies without skill shows {:.2}",
            expected * year
        )
    };
    Some(finding(
        "luck",
        severity,
        format!(
            "The Sharpe ratio of {:.2} may be luck: {among} cannot be ruled out (deflated Sharpe ratio {deflated:.2}, 0.95 is asked for).",
            sharpe.ratio * year
        ),
        &[
            ("sharpe_ratio", sharpe.ratio * year),
            ("expected_maximum", expected * year),
            ("deflated_sharpe_ratio", deflated),
            ("tried", tried as f64),
        ],
    ))
}

/// It moves with the market, and what is left has no t value of 2.
fn beta_in_disguise(c: &Context<'_>) -> Option<Finding> {
    let benchmark = c.benchmark?;
    let year = c.settings.costs.periods_per_year;
    let m = against(&c.outcome.equity, benchmark, year);
    let figure = |name: &str| m.get(name).copied().flatten();
    let (correlation, beta, alpha) = (figure("correlation")?, figure("beta")?, figure("alpha")?);
    let t = alpha_t(&returns(&c.outcome.equity), &returns(benchmark), beta)?;
    if correlation < 0.7 || beta <= 0.0 || t >= 2.0 || gain(c) <= 0.0 {
        return None;
    }
    let figures = [
        ("beta", beta),
        ("correlation", correlation),
        ("alpha", alpha),
        ("alpha_t", t),
        (
            "benchmark_return",
            figure("benchmark_return").unwrap_or(f64::NAN),
        ),
    ];
    Some(finding(
        "beta_in_disguise",
        Severity::Warning,
        format!(
            "The result moves with the market (correlation {correlation:.2}, beta {beta:.2}), and what the market does not explain is {} a year with a t value of {t:.1}: holding it would have done much the same.",
            percent(alpha)
        ),
        &figures,
    ))
}

/// t value of the intercept, errors by Newey and West with the lag floor(4 (n/100)^(2/9)).
fn alpha_t(r: &[f64], b: &[f64], beta: f64) -> Option<f64> {
    let n = r.len() as f64;
    let (mr, mb) = (mean(r), mean(b));
    let alpha = mr - beta * mb;
    let variance = b.iter().map(|x| (x - mb).powi(2)).sum::<f64>() / n;
    if variance <= 0.0 {
        return None;
    }
    // The intercept is a weighted sum of the errors with these weights over n.
    let pairs = r.iter().zip(b);
    let parts: Vec<f64> = pairs
        .map(|(r, x)| (1.0 - mb * (x - mb) / variance) * (r - alpha - beta * x))
        .collect();
    let lags = (4.0 * (n / 100.0).powf(2.0 / 9.0)).floor() as usize;
    let sum = |lag: usize| -> f64 {
        let later = parts.get(lag..).unwrap_or_default();
        later.iter().zip(&parts).map(|(a, b)| a * b).sum()
    };
    let mut all = sum(0);
    for lag in 1..=lags.min(parts.len().saturating_sub(1)) {
        all += 2.0 * (1.0 - lag as f64 / (lags as f64 + 1.0)) * sum(lag);
    }
    (all > 0.0).then(|| alpha / (all.sqrt() / n))
}

/// Without its best trade the gain is gone, or half of all gains is one trade's.
fn one_trade(c: &Context<'_>) -> Option<Finding> {
    let trades = &c.outcome.trades;
    let total: f64 = trades.iter().map(|t| t.pnl).sum();
    let best = trades.iter().max_by(|a, b| a.pnl.total_cmp(&b.pnl))?;
    if total <= 0.0 || trades.len() < 2 {
        return None;
    }
    let gains: f64 = trades.iter().map(|t| t.pnl.max(0.0)).sum();
    let (share, rest) = (best.pnl / gains, total - best.pnl);
    if rest > 0.0 && share <= 0.5 {
        return None;
    }
    let symbol = c.market.assets().get(best.asset).map_or("", |a| a.symbol);
    let severity = if rest <= 0.0 {
        Severity::Serious
    } else {
        Severity::Warning
    };
    let what = if rest <= 0.0 {
        "without it the others lose"
    } else {
        "it makes more than half of all gains"
    };
    Some(finding(
        "one_trade",
        severity,
        format!(
            "One trade makes the profit: {symbol}, bar {} to {}, gained {:.2} of {total:.2}; {what}.",
            best.entry_bar,
            best.exit_bar.unwrap_or(best.entry_bar),
            best.pnl
        ),
        &[
            ("best", best.pnl),
            ("rest", rest),
            ("share_of_gains", share),
        ],
    ))
}

/// Without its five best bars, of at least a hundred, the gain is gone.
fn few_days(c: &Context<'_>) -> Option<Finding> {
    let mut r = returns(&c.outcome.equity);
    if r.len() < 100 || gain(c) <= 0.0 {
        return None;
    }
    r.sort_by(f64::total_cmp);
    let rest: f64 = r[..r.len() - 5].iter().map(|r| 1.0 + r).product::<f64>() - 1.0;
    (rest <= 0.0).then(|| {
        finding(
            "few_days",
            Severity::Warning,
            format!(
                "Five bars of {} make the profit: without them the return is {}.",
                r.len(),
                percent(rest)
            ),
            &[("return_without", rest), ("bars", r.len() as f64)],
        )
    })
}

/// More than one fill in twenty on a bar whose quote may be stale: no volume, no range, or the same
/// four prices as the bar before.
fn stale_fills(c: &Context<'_>) -> Option<Finding> {
    let fills = &c.outcome.fills;
    let stale = fills
        .iter()
        .filter(|f| {
            let a = &c.market.assets()[f.asset];
            let t = f.bar;
            let row = |t: usize| [a.open[t], a.high[t], a.low[t], a.close[t]];
            a.volume.is_some_and(|v| v[t] == 0.0)
                || a.high[t] == a.low[t]
                || (t > 0 && row(t) == row(t - 1))
        })
        .count();
    let share = stale as f64 / fills.len().max(1) as f64;
    (share > 0.05).then(|| {
        let severity = if share > 0.2 {
            Severity::Serious
        } else {
            Severity::Warning
        };
        finding(
            "stale_fills",
            severity,
            format!(
                "{stale} of {} fills are on bars without volume, without a range, or equal to the bar before: such quotes may be stale.",
                fills.len()
            ),
            &[("stale", stale as f64), ("share", share)],
        )
    })
}

/// More than one fill in twenty takes over a twentieth of its bar's volume.
fn large_fills(c: &Context<'_>) -> Option<Finding> {
    let shares: Vec<f64> = c
        .outcome
        .fills
        .iter()
        .filter_map(|f| {
            let volume = c.market.assets()[f.asset].volume?[f.bar];
            Some(f.units.abs() / volume)
        })
        .collect();
    let large = shares.iter().filter(|s| **s > 0.05).count();
    let most = shares.iter().copied().fold(0.0, f64::max);
    (large as f64 > 0.05 * shares.len() as f64).then(|| {
        finding(
            "large_fills",
            Severity::Warning,
            format!(
                "{large} of {} fills take more than 5 % of the bar's volume (at most {}): such orders move the price.",
                shares.len(),
                percent(most)
            ),
            &[("large", large as f64), ("largest_share", most)],
        )
    })
}

/// Costs are more than half of what was there before them, or nothing is charged at all.
fn costs(c: &Context<'_>) -> Option<Finding> {
    let f = &c.outcome.flows;
    let paid = f.commission + f.spread + f.slippage + f.borrow;
    let before = gain(c) + paid;
    if paid == 0.0 && !c.outcome.fills.is_empty() {
        return Some(finding(
            "no_costs",
            Severity::Warning,
            format!(
                "No costs are charged on {} fills; no market trades for nothing.",
                c.outcome.fills.len()
            ),
            &[("fills", c.outcome.fills.len() as f64)],
        ));
    }
    (before > 0.0 && paid > 0.5 * before).then(|| {
        finding(
            "costs",
            Severity::Warning,
            format!(
                "Costs of {paid:.2} take {} of the gain before them ({before:.2}).",
                percent(paid / before)
            ),
            &[("paid", paid), ("gain_before", before)],
        )
    })
}

fn fills_nobody_had(c: &Context<'_>) -> Option<Finding> {
    (c.settings.timing == Timing::ThisClose && !c.outcome.fills.is_empty()).then(|| {
        finding(
            "fills_at_the_deciding_close",
            Severity::Serious,
            "Orders fill at the very close that decided them, which nobody could have known in time.".to_owned(),
            &[],
        )
    })
}

/// More than half of the gain is of positions still open.
fn unrealised(c: &Context<'_>) -> Option<Finding> {
    let all = gain(c);
    let realised: f64 = c.outcome.trades.iter().map(|t| t.pnl).sum();
    let open = all - realised - c.outcome.flows.interest;
    (all > 0.0 && !c.outcome.open.is_empty() && open > 0.5 * all).then(|| {
        finding(
            "unrealised",
            Severity::Note,
            format!(
                "{} of the gain are of positions that are still open; the deepest fall was {}.",
                percent(open / all),
                percent(max_drawdown(&c.outcome.equity))
            ),
            &[("unrealised", open), ("gain", all)],
        )
    })
}
