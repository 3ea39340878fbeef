//! Trading on a forecast, bar by bar, after costs.

use mltrainer_types::finite;
use mltrainer_types::trial::Metrics;

/// Trading days of a year.
pub const YEAR: f64 = 252.0;

/// What holding positions in one symbol gave, one value a bar.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Path {
    /// Position held over the next bar, -1 to 1.
    pub position: Vec<f64>,
    /// Return of the capital over the next bar, after costs.
    pub net: Vec<f64>,
    /// Traded value as a share of the capital.
    pub traded: Vec<f64>,
}

/// Positions from signals in [-1, 1] that each stand for `horizon` bars: the mean of the last
/// `horizon` signals, so that overlapping forecasts share one capital and do not multiply it.
#[must_use]
pub fn positions(signals: &[f64], horizon: usize) -> Vec<f64> {
    let h = horizon.max(1);
    (0..signals.len())
        .map(|t| signals[(t + 1).saturating_sub(h)..=t].iter().sum::<f64>() / h as f64)
        .collect()
}

/// Holds `position[t]` from the close of bar t to the next, where the symbol returns
/// `next_return[t]`; each change of position, the first purchase and the closing of the last
/// position cost `bps` basis points of the traded value.
#[must_use]
pub fn path(position: &[f64], next_return: &[f64], bps: f64) -> Path {
    let mut traded = Vec::with_capacity(position.len());
    let mut before = 0.0;
    for &p in position {
        traded.push((p - before).abs());
        before = p;
    }
    if let (Some(last), Some(p)) = (traded.last_mut(), position.last()) {
        *last += p.abs();
    }
    let net = position
        .iter()
        .zip(next_return)
        .zip(&traded)
        .map(|((p, r), t)| p * r - t * bps / 10_000.0)
        .collect();
    Path {
        position: position.to_vec(),
        net,
        traded,
    }
}

/// Sharpe ratio of daily returns, a year, without a riskless rate; NaN when they do not vary.
#[must_use]
pub fn sharpe(returns: &[f64]) -> f64 {
    let n = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n;
    let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0);
    if variance > 0.0 {
        mean / variance.sqrt() * YEAR.sqrt()
    } else {
        f64::NAN
    }
}

/// Figures of daily returns after costs, with the exposure (absolute position) and the traded value
/// of each day: `total_return`, `annual_return` (geometric), `annual_volatility`, `sharpe`,
/// `sortino` (both without a riskless rate), `max_drawdown` (at most 0), `calmar`, `win_rate` (share
/// of the days with a position that gained), `profit_factor`, `turnover` (a year), `exposure`.
/// What does not exist is `None`; empty without days.
#[must_use]
pub fn figures(net: &[f64], exposure: &[f64], traded: &[f64]) -> Metrics {
    let mut m = Metrics::new();
    if net.is_empty() {
        return m;
    }
    let n = net.len() as f64;
    let mean = net.iter().sum::<f64>() / n;
    let mut wealth: f64 = 1.0;
    let mut peak: f64 = 1.0;
    let mut drawdown: f64 = 0.0;
    for r in net {
        wealth *= 1.0 + r;
        peak = peak.max(wealth);
        drawdown = drawdown.min(wealth / peak - 1.0);
    }
    let deviation = (net.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let downside = (net.iter().map(|r| r.min(0.0).powi(2)).sum::<f64>() / n).sqrt();
    let annual = wealth.max(0.0).powf(YEAR / n) - 1.0;
    let gains: f64 = net.iter().filter(|r| **r > 0.0).sum();
    let losses: f64 = -net.iter().filter(|r| **r < 0.0).sum::<f64>();
    let held = exposure.iter().filter(|e| **e > 0.0).count() as f64;
    let won = net
        .iter()
        .zip(exposure)
        .filter(|(r, e)| **r > 0.0 && **e > 0.0)
        .count() as f64;
    for (name, value) in [
        ("total_return", wealth - 1.0),
        ("annual_return", annual),
        ("annual_volatility", deviation * YEAR.sqrt()),
        ("sharpe", sharpe(net)),
        ("sortino", mean / downside * YEAR.sqrt()),
        ("max_drawdown", drawdown),
        ("calmar", annual / -drawdown),
        ("win_rate", won / held),
        ("profit_factor", gains / losses),
        ("turnover", traded.iter().sum::<f64>() / n * YEAR),
        ("exposure", exposure.iter().sum::<f64>() / n),
    ] {
        m.insert(name.to_owned(), finite(value));
    }
    m
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn costs_of_every_change_by_hand() {
        // Buy, turn round, stay, and close at the end: 1 + 2 + 0 + 1 traded; 10 bps each.
        let p = path(&[1.0, -1.0, -1.0], &[0.01, 0.02, -0.03], 10.0);
        assert_eq!(p.traded, vec![1.0, 2.0, 1.0]);
        for (a, b) in p
            .net
            .iter()
            .zip([0.01 - 0.001, -0.02 - 0.002, 0.03 - 0.001])
        {
            close(*a, b);
        }
    }

    #[test]
    fn overlapping_signals_share_the_capital() {
        assert_eq!(
            positions(&[1.0, 1.0, -1.0, 1.0], 2),
            vec![0.5, 1.0, 0.0, 0.0]
        );
        assert_eq!(positions(&[1.0, -1.0], 1), vec![1.0, -1.0]);
        assert!(positions(&[1.0; 30], 7).iter().all(|p| p.abs() <= 1.0));
    }

    #[test]
    fn figures_by_hand() {
        // Wealth 1.1, 0.99, 1.0395: the drawdown is 0.99/1.1 - 1.
        let net = [0.1, -0.1, 0.05];
        let m = figures(&net, &[1.0, 1.0, 1.0], &[1.0, 0.0, 1.0]);
        let get = |name: &str| m[name].unwrap();
        close(get("total_return"), 1.1 * 0.9 * 1.05 - 1.0);
        close(get("annual_return"), 1.0395f64.powf(84.0) - 1.0);
        close(get("max_drawdown"), -0.1);
        close(get("win_rate"), 2.0 / 3.0);
        close(get("profit_factor"), 1.5);
        close(get("turnover"), 2.0 / 3.0 * 252.0);
        // Mean 1/60; squares about it (1/12)^2 + (7/60)^2 + (1/30)^2 = 0.0216667 over 2.
        let mean = 0.05 / 3.0;
        let sd =
            ((1.0f64 / 12.0).powi(2) + (7.0f64 / 60.0).powi(2) + (1.0f64 / 30.0).powi(2)) / 2.0;
        close(get("sharpe"), mean / sd.sqrt() * 252f64.sqrt());
        close(
            get("sortino"),
            mean / (0.01f64 / 3.0).sqrt() * 252f64.sqrt(),
        );
    }

    #[test]
    fn nothing_held_is_nothing_earned() {
        let p = path(&[0.0; 5], &[0.1; 5], 5.0);
        let m = figures(&p.net, &[0.0; 5], &p.traded);
        assert_eq!(m["total_return"], Some(0.0));
        assert_eq!(
            (m["sharpe"], m["win_rate"], m["profit_factor"], m["calmar"]),
            (None, None, None, None)
        );
        assert!(figures(&[], &[], &[]).is_empty());
    }

    #[test]
    fn holding_without_costs_gives_the_symbol_itself() {
        let r = [0.02, -0.01, 0.005, 0.03];
        let p = path(&[1.0; 4], &r, 0.0);
        let m = figures(&p.net, &[1.0; 4], &p.traded);
        close(m["total_return"].unwrap(), 1.02 * 0.99 * 1.005 * 1.03 - 1.0);
    }
}
