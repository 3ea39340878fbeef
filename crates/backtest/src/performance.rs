//! Figures of an equity curve and of trades.
//!
//! What: Return, risk and their ratios, drawdowns, tails, comparison with a benchmark, and what the
//! trades were like.
//! Formula: r(t) = equity(t)/equity(t-1) - 1, n of them, p periods a year. annual_return =
//! (Π(1 + r))^(p/n) - 1; annual_volatility = sd(r)·√p (n - 1); sharpe_ratio = mean(r)/sd(r)·√p;
//! sortino_ratio = p·mean(r)/√(p·mean(min(r, 0)²)); max_drawdown = min(equity/peak - 1);
//! calmar_ratio = annual_return/-max_drawdown; omega_ratio = Σ max(r, 0)/Σ max(-r, 0); var_95 = 5 %
//! quantile of r (linear); cvar_95 = mean of the lowest ⌊0.05 (n - 1)⌋ + 1 r; tail_ratio = |95 %
//! quantile|/|5 % quantile|; skew and excess kurtosis with divisor n. Against a benchmark b: beta =
//! cov(r, b)/var(b); alpha = p·(mean(r) - beta·mean(b)); tracking_error = sd(r - b)·√p;
//! information_ratio = p·mean(r - b)/tracking_error. No riskless rate is taken off.
//! Data: One equity a bar, above 0 to the end for the ratios of returns.
//! Cost: O(n log n).
//! Fails when: Few bars or a handful of trades make up the whole result: see the findings.
//! Source: C. R. Bacon, Practical Portfolio Performance Measurement and Attribution (2008); names
//! and conventions of empyrical-reloaded 0.7.
//! Not claimed: That any of them repeats itself.

use crate::engine::{Outcome, Trade};
use mltrainer_types::finite;
use mltrainer_types::trial::Metrics;

/// Changes of an equity curve from bar to bar; one fewer than bars.
#[must_use]
pub fn returns(equity: &[f64]) -> Vec<f64> {
    equity.windows(2).map(|w| w[1] / w[0] - 1.0).collect()
}

/// Fall from the highest equity so far, at most 0, one a bar.
#[must_use]
pub fn underwater(equity: &[f64]) -> Vec<f64> {
    let mut peak = f64::NEG_INFINITY;
    equity
        .iter()
        .map(|e| {
            peak = peak.max(*e);
            e / peak - 1.0
        })
        .collect()
}

/// The deepest fall, at most 0; 0 without bars.
#[must_use]
pub fn max_drawdown(equity: &[f64]) -> f64 {
    underwater(equity).into_iter().fold(0.0, f64::min)
}

/// Bars of the longest time between a peak and the next higher equity, or the end.
#[must_use]
pub fn longest_drawdown(equity: &[f64]) -> usize {
    let (mut longest, mut since, mut peak) = (0, 0, f64::NEG_INFINITY);
    for (bar, e) in equity.iter().enumerate() {
        if *e >= peak {
            peak = *e;
            since = bar;
        } else {
            longest = longest.max(bar - since);
        }
    }
    longest
}

/// Mean; NaN without values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation with divisor n - 1; NaN for fewer than two values.
#[must_use]
pub fn deviation(values: &[f64]) -> f64 {
    let m = mean(values);
    let squares: f64 = values.iter().map(|v| (v - m).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

/// Standardised third and (not excess) fourth moment with divisor n; NaN when nothing varies.
#[must_use]
pub fn skew_and_kurtosis(values: &[f64]) -> (f64, f64) {
    let m = mean(values);
    let moment = |k: i32| values.iter().map(|v| (v - m).powi(k)).sum::<f64>() / values.len() as f64;
    let (m2, m3, m4) = (moment(2), moment(3), moment(4));
    (m3 / m2.powf(1.5), m4 / (m2 * m2))
}

/// The quantile of values, linear between order statistics (numpy's default); NaN without values.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_sorted(&sorted, q)
}

/// As [`quantile`], of ascending values.
#[must_use]
pub fn quantile_sorted(ascending: &[f64], q: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = q * last as f64;
    let below = (place.floor() as usize).min(last);
    let above = (below + 1).min(last);
    ascending[below] + (place - below as f64) * (ascending[above] - ascending[below])
}

/// The 5 % and the 95 % quantile, and the mean of the `worst` lowest values; only the ends are
/// sorted.
fn tails(values: &[f64], worst: usize) -> (f64, f64, f64) {
    let mut all = values.to_vec();
    let n = all.len();
    // Order statistics that the quantiles lie between, and those that are averaged.
    let front = (worst + 1).min(n);
    let back = front.min(n);
    if n > 4 * front {
        all.select_nth_unstable_by(front - 1, f64::total_cmp);
        all[front..].select_nth_unstable_by(n - back - front, f64::total_cmp);
        all[..front].sort_by(f64::total_cmp);
        all[n - back..].sort_by(f64::total_cmp);
    } else {
        all.sort_by(f64::total_cmp);
    }
    (
        quantile_sorted(&all, 0.05),
        quantile_sorted(&all, 0.95),
        mean(&all[..worst.min(n)]),
    )
}

/// Sharpe ratio a period, without a riskless rate; NaN when nothing varies.
#[must_use]
pub fn sharpe_per_period(returns: &[f64]) -> f64 {
    let sd = deviation(returns);
    // Equal returns leave nothing but what rounding makes of their mean.
    let size = returns.iter().fold(0.0f64, |m, r| m.max(r.abs()));
    if sd > size * 1e-14 {
        mean(returns) / sd
    } else {
        f64::NAN
    }
}

/// Figures of an equity curve; `None` where a figure does not exist. Empty for fewer than 2 bars.
#[must_use]
pub fn of_equity(equity: &[f64], periods_per_year: f64) -> Metrics {
    let mut m = Metrics::new();
    let (Some(first), Some(last)) = (equity.first(), equity.last()) else {
        return m;
    };
    if equity.len() < 2 {
        return m;
    }
    let p = periods_per_year;
    let r = returns(equity);
    let n = r.len() as f64;
    let total = last / first;
    let annual = if total > 0.0 {
        total.powf(p / n) - 1.0
    } else {
        -1.0
    };
    let sd = deviation(&r);
    let downside = (p * r.iter().map(|r| r.min(0.0).powi(2)).sum::<f64>() / n).sqrt();
    let drawdown = max_drawdown(equity);
    let worst = (0.05 * (n - 1.0)).floor() as usize + 1;
    let (low, high, cvar) = tails(&r, worst);
    let (skew, kurtosis) = skew_and_kurtosis(&r);
    let gains: f64 = r.iter().map(|r| r.max(0.0)).sum();
    let losses: f64 = r.iter().map(|r| (-r).max(0.0)).sum();
    for (name, value) in [
        ("total_return", total - 1.0),
        ("annual_return", annual),
        ("annual_volatility", sd * p.sqrt()),
        ("sharpe_ratio", sharpe_per_period(&r) * p.sqrt()),
        ("sortino_ratio", p * mean(&r) / downside),
        ("max_drawdown", drawdown),
        ("max_drawdown_bars", longest_drawdown(equity) as f64),
        ("calmar_ratio", annual / -drawdown),
        ("omega_ratio", gains / losses),
        ("var_95", low),
        ("cvar_95", cvar),
        ("tail_ratio", (high / low).abs()),
        ("skew", skew),
        ("kurtosis", kurtosis - 3.0),
    ] {
        m.insert(name.to_owned(), finite(value));
    }
    m
}

/// Figures of an equity curve beside that of a benchmark on the same bars: `beta`, `alpha` (a
/// year), `correlation`, `tracking_error`, `information_ratio`, `benchmark_return`.
#[must_use]
pub fn against(equity: &[f64], benchmark: &[f64], periods_per_year: f64) -> Metrics {
    let mut m = Metrics::new();
    if equity.len() != benchmark.len() || equity.len() < 3 {
        return m;
    }
    let (r, b) = (returns(equity), returns(benchmark));
    let (mr, mb) = (mean(&r), mean(&b));
    let products = r.iter().zip(&b).map(|(x, y)| (x - mr) * (y - mb));
    let cov = products.sum::<f64>() / (r.len() as f64 - 1.0);
    let (sr, sb) = (deviation(&r), deviation(&b));
    let beta = cov / (sb * sb);
    let active: Vec<f64> = r.iter().zip(&b).map(|(x, y)| x - y).collect();
    let p = periods_per_year;
    let tracking = deviation(&active) * p.sqrt();
    for (name, value) in [
        ("beta", beta),
        ("alpha", p * (mr - beta * mb)),
        ("correlation", cov / (sr * sb)),
        ("tracking_error", tracking),
        ("information_ratio", p * mean(&active) / tracking),
        (
            "benchmark_return",
            benchmark[benchmark.len() - 1] / benchmark[0] - 1.0,
        ),
    ] {
        m.insert(name.to_owned(), finite(value));
    }
    m
}

/// Figures of closed trades: `n_trades`, `win_rate`, `profit_factor`, `average_trade` (currency),
/// `average_trade_return`, `best_trade_return`, `worst_trade_return`, `average_trade_bars`. What does
/// not exist is `None`.
#[must_use]
pub fn of_trades(trades: &[Trade]) -> Metrics {
    let n = trades.len() as f64;
    let pnl: Vec<f64> = trades.iter().map(|t| t.pnl).collect();
    let results: Vec<f64> = trades.iter().map(|t| t.result).collect();
    let gains: f64 = pnl.iter().map(|p| p.max(0.0)).sum();
    let losses: f64 = pnl.iter().map(|p| (-p).max(0.0)).sum();
    let bars: f64 = trades
        .iter()
        .filter_map(Trade::bars)
        .map(|b| b as f64)
        .sum();
    let mut m = Metrics::new();
    for (name, value) in [
        ("n_trades", n),
        (
            "win_rate",
            pnl.iter().filter(|p| **p > 0.0).count() as f64 / n,
        ),
        ("profit_factor", gains / losses),
        ("average_trade", mean(&pnl)),
        ("average_trade_return", mean(&results)),
        (
            "best_trade_return",
            results.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        ),
        (
            "worst_trade_return",
            results.iter().copied().fold(f64::INFINITY, f64::min),
        ),
        ("average_trade_bars", bars / n),
    ] {
        m.insert(name.to_owned(), finite(value));
    }
    m
}

/// All figures of a test: those of the equity and of the trades, `exposure` (mean share of the
/// equity invested, shorts counted up), `turnover` (value traded a year as a share of the mean
/// equity, purchases and sales both counted), and sums of costs. `benchmark`: an equity curve on the same bars.
#[must_use]
pub fn of_outcome(outcome: &Outcome, benchmark: Option<&[f64]>, periods_per_year: f64) -> Metrics {
    let mut m = of_equity(&outcome.equity, periods_per_year);
    m.extend(of_trades(&outcome.trades));
    if let Some(benchmark) = benchmark {
        m.extend(against(&outcome.equity, benchmark, periods_per_year));
    }
    let years = outcome.equity.len() as f64 / periods_per_year;
    let traded: f64 = outcome.traded.iter().sum();
    let f = &outcome.flows;
    for (name, value) in [
        ("exposure", mean(&outcome.exposure)),
        ("turnover", traded / mean(&outcome.equity) / years),
        ("commission_paid", f.commission),
        ("spread_paid", f.spread),
        ("slippage_paid", f.slippage),
        ("borrow_paid", f.borrow),
        ("interest_earned", f.interest),
        ("dividends_earned", f.dividends),
    ] {
        m.insert(name.to_owned(), finite(value));
    }
    m
}

/// Return of each calendar month: year, month, return from the last close of the month before (or
/// from the first bar) to its own. `days` are days since 1970-01-01, one a bar.
#[must_use]
pub fn monthly(equity: &[f64], days: &[i32]) -> Vec<(i32, u32, f64)> {
    use chrono::Datelike as _;
    let mut table: Vec<(i32, u32, f64)> = Vec::new();
    let mut base = equity.first().copied().unwrap_or(f64::NAN);
    let mut before = base;
    for (e, day) in equity.iter().zip(days) {
        let Some(date) = chrono::NaiveDate::from_epoch_days(*day) else {
            continue;
        };
        let month = (date.year(), date.month());
        match table.last_mut() {
            Some(row) if (row.0, row.1) == month => row.2 = e / base - 1.0,
            _ => {
                base = before;
                table.push((month.0, month.1, e / base - 1.0));
            }
        }
        before = *e;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} is not {b}");
    }

    #[test]
    fn figures_as_in_empyrical() {
        // empyrical-reloaded 0.7.1 on returns [0.02, -0.01, 0.03, -0.02, 0.01, 0.0]:
        // annual_return 2.480306..., by hand: product 1.02*.99*1.03*.98*1.01 = 1.029505...
        let r = [0.02, -0.01, 0.03, -0.02, 0.01, 0.0];
        let mut equity = vec![100.0];
        for r in r {
            equity.push(equity[equity.len() - 1] * (1.0 + r));
        }
        let m = of_equity(&equity, 252.0);
        let get = |name: &str| m[name].unwrap();
        let total: f64 = 1.02 * 0.99 * 1.03 * 0.98 * 1.01;
        close(get("total_return"), total - 1.0);
        close(get("annual_return"), total.powf(42.0) - 1.0);
        // Mean 0.005; squares about it: 2.25 2.25 6.25 6.25 .25 .25 e-4 = 17.5e-4 over 5.
        close(get("annual_volatility"), (3.5e-4f64 * 252.0).sqrt());
        close(
            get("sharpe_ratio"),
            0.005 / 3.5e-4f64.sqrt() * 252f64.sqrt(),
        );
        // Downside: (1e-4 + 4e-4)/6.
        close(
            get("sortino_ratio"),
            252.0 * 0.005 / (252.0 * 5e-4f64 / 6.0).sqrt(),
        );
        close(get("omega_ratio"), 0.06 / 0.03);
        // Deepest fall: -2 % from the peak after 3 %.
        close(get("max_drawdown"), -0.02);
        // numpy.percentile(r, 5) = -0.0175, (r, 95) = 0.0275; the lowest floor(0.25) + 1 = 1.
        close(get("var_95"), -0.0175);
        close(get("cvar_95"), -0.02);
        close(get("tail_ratio"), 0.0275 / 0.0175);
        // Peak at bar 3, under it to the end, bar 6.
        close(get("max_drawdown_bars"), 3.0);
        // Symmetric about the mean: skew 0. Fourth powers 2*(1.5^4 + 2.5^4 + .5^4) e-8 / 6 over
        // (17.5e-4/6)^2, less 3.
        close(get("skew"), 0.0);
        let fourth = 2.0 * (5.0625 + 39.0625 + 0.0625) / 6.0;
        close(get("kurtosis"), fourth / (17.5f64 / 6.0).powi(2) - 3.0);
    }

    #[test]
    fn beside_a_benchmark_by_hand() {
        // r = 2 b + 0.001 exactly: beta 2, alpha 0.252, correlation 1.
        let b = [0.01, -0.02, 0.015, 0.0];
        let (mut e, mut f) = (vec![1.0], vec![1.0]);
        for b in b {
            e.push(e[e.len() - 1] * (1.0 + 2.0 * b + 0.001));
            f.push(f[f.len() - 1] * (1.0 + b));
        }
        let m = against(&e, &f, 252.0);
        close(m["beta"].unwrap(), 2.0);
        close(m["alpha"].unwrap(), 0.252);
        close(m["correlation"].unwrap(), 1.0);
        // Active = b + 0.001.
        close(m["tracking_error"].unwrap(), deviation(&b) * 252f64.sqrt());
    }

    #[test]
    fn months_by_hand() {
        // 2020-01-30 is day 18291; two days in January, two in February.
        let table = monthly(&[100.0, 110.0, 121.0, 99.0], &[18291, 18292, 18295, 18296]);
        assert_eq!(table.len(), 2);
        assert_eq!((table[0].0, table[0].1), (2020, 1));
        close(table[0].2, 0.1);
        close(table[1].2, 99.0 / 110.0 - 1.0);
    }

    #[test]
    fn tails_are_those_of_the_sorted_values() {
        for n in [1usize, 2, 5, 19, 20, 21, 40, 41, 100, 997] {
            let x: Vec<f64> = (0..n).map(|i| ((i * 331) % 997) as f64).collect();
            let mut sorted = x.clone();
            sorted.sort_by(f64::total_cmp);
            let worst = (0.05 * (n as f64 - 1.0)).floor() as usize + 1;
            let want = (
                quantile_sorted(&sorted, 0.05),
                quantile_sorted(&sorted, 0.95),
                mean(&sorted[..worst]),
            );
            assert_eq!(tails(&x, worst), want, "{n}");
        }
    }

    #[test]
    fn nothing_varies_and_nothing_is_there() {
        let m = of_equity(&[5.0; 4], 252.0);
        assert_eq!((m["sharpe_ratio"], m["calmar_ratio"]), (None, None));
        assert_eq!(m["total_return"], Some(0.0));
        assert!(of_equity(&[1.0], 252.0).is_empty());
        assert_eq!(of_trades(&[])["win_rate"], None);
    }
}
