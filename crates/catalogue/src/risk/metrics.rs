//! Measures of a series of simple returns, as pure functions: what `performance_metrics` states and what a
//! back test can state of its equity.

use super::engine::{ascending, covariance, mean, quantile, shape, variance};
use crate::distributions::normal_cdf;

/// Measures of one series of returns; one without a value is NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Performance {
    /// Product of the gross returns less 1.
    pub total_return: f64,
    /// Gross total return to the power of `periods_per_year`/n, less 1.
    pub annual_return: f64,
    /// Standard deviation (ddof 1) times the root of `periods_per_year`.
    pub annual_volatility: f64,
    /// Mean over standard deviation of the returns less the risk-free one, annual.
    pub sharpe_ratio: f64,
    /// Standard error of the Sharpe ratio (Mertens 2002), annual.
    pub sharpe_standard_error: f64,
    /// Probability that the true Sharpe ratio is above 0 (Bailey & López de Prado 2012).
    pub probabilistic_sharpe_ratio: f64,
    /// Mean excess over the required return, annual, over the downside risk.
    pub sortino_ratio: f64,
    /// Root of the mean square of what falls short of the required return, annual.
    pub downside_risk: f64,
    /// Annual return over the largest drawdown.
    pub calmar_ratio: f64,
    /// Gains above the required return over losses below it.
    pub omega_ratio: f64,
    /// 5 % quantile of the returns.
    pub var_95: f64,
    /// Mean of the lowest floor((n-1) 0.05) + 1 returns.
    pub cvar_95: f64,
    /// Skewness, biased.
    pub skew: f64,
    /// Excess kurtosis, biased.
    pub kurtosis: f64,
    /// |95 % quantile| over |5 % quantile|.
    pub tail_ratio: f64,
    /// r² of the cumulated log returns on time.
    pub stability: f64,
    /// Share of returns above 0 among those that are not 0.
    pub win_rate: f64,
    /// Sum of gains over sum of losses.
    pub profit_factor: f64,
    /// Mean gain over mean loss.
    pub payoff_ratio: f64,
    /// Mean of the returns above 0.
    pub average_win: f64,
    /// Mean of the returns below 0.
    pub average_loss: f64,
    /// Mean return.
    pub average_return: f64,
    /// Largest return.
    pub best: f64,
    /// Smallest return.
    pub worst: f64,
    /// Share of the returns that are not 0.
    pub exposure: f64,
    /// Kelly's share, mean over variance of the excess returns.
    pub kelly_fraction: f64,
    /// Number of returns.
    pub n: usize,
}

/// The largest fall of an equity curve that starts at 1, and how long falls last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawdown {
    /// The largest fall from a peak, negative; the start counts as a peak.
    pub max: f64,
    /// Returns before its peak: 0 is the start.
    pub peak: usize,
    /// Returns before its lowest point.
    pub trough: usize,
    /// Returns before the value of the peak is reached again, if it is.
    pub recovery: Option<usize>,
    /// Most returns in a row below a peak.
    pub longest: usize,
    /// Mean fall from the last peak over all returns, negative.
    pub average: f64,
    /// Root of the mean square of the falls.
    pub ulcer_index: f64,
    /// Fall from the last peak at the end.
    pub current: f64,
}

/// Measures against a benchmark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Benchmarked {
    /// Covariance over variance of the benchmark, excess returns.
    pub beta: f64,
    /// Mean excess return less beta times that of the benchmark, times the periods of a year.
    pub alpha: f64,
    /// Correlation of the returns.
    pub correlation: f64,
    /// Its square.
    pub r_squared: f64,
    /// Standard deviation of the difference, annual.
    pub tracking_error: f64,
    /// Mean difference, annual, over the tracking error.
    pub information_ratio: f64,
    /// Annual excess return over beta.
    pub treynor_ratio: f64,
    /// Compound annual return in rising periods of the benchmark over that of the benchmark.
    pub up_capture: f64,
    /// The same in its falling periods.
    pub down_capture: f64,
    /// Beta over the rising periods of the benchmark.
    pub up_beta: f64,
    /// Beta over its falling periods.
    pub down_beta: f64,
    /// Share of periods above the benchmark.
    pub batting_average: f64,
    /// Annual return less that of the benchmark.
    pub excess_return: f64,
}

/// Measures of returns (fractions, each at least -1; at least one), `periods_per_year` of them a year,
/// `risk_free` and `required` a period.
#[must_use]
pub fn performance(r: &[f64], periods_per_year: f64, risk_free: f64, required: f64) -> Performance {
    let n = r.len() as f64;
    let root = periods_per_year.sqrt();
    let total = gross(r);
    let annual_return = total.powf(periods_per_year / n) - 1.0;
    let sd = variance(r).sqrt();
    let excess: Vec<f64> = r.iter().map(|v| v - risk_free).collect();
    let each = mean(&excess) / sd;
    let (skew, kurtosis) = shape(r);
    let error = ((1.0 - skew * each + (kurtosis + 2.0) / 4.0 * each * each) / (n - 1.0)).sqrt();
    let over: Vec<f64> = r.iter().map(|v| v - required).collect();
    let below = over.iter().map(|v| v.min(0.0).powi(2)).sum::<f64>() / n;
    let downside_risk = (periods_per_year * below).sqrt();
    let sum = |v: &[f64], sign: f64| v.iter().map(|v| (sign * v).max(0.0)).sum::<f64>();
    let count = |sign: f64| r.iter().filter(|v| sign * **v > 0.0).count() as f64;
    let (wins, losses) = (count(1.0), count(-1.0));
    let (gain, loss) = (sum(r, 1.0), sum(r, -1.0));
    let sorted = ascending(r);
    let (low, high) = (quantile(&sorted, 0.05), quantile(&sorted, 0.95));
    Performance {
        total_return: total - 1.0,
        annual_return,
        annual_volatility: sd * root,
        sharpe_ratio: each * root,
        sharpe_standard_error: error * root,
        probabilistic_sharpe_ratio: normal_cdf(each / error),
        sortino_ratio: periods_per_year * mean(&over) / downside_risk,
        downside_risk,
        calmar_ratio: annual_return / drawdown(r).max.abs(),
        omega_ratio: sum(&over, 1.0) / sum(&over, -1.0),
        var_95: low,
        cvar_95: mean(&sorted[..lowest(r.len(), 0.05)]),
        skew,
        kurtosis,
        tail_ratio: high.abs() / low.abs(),
        stability: stability(r),
        win_rate: wins / (wins + losses),
        profit_factor: gain / loss,
        payoff_ratio: gain / wins / (loss / losses),
        average_win: gain / wins,
        average_loss: -loss / losses,
        average_return: mean(r),
        best: sorted.last().copied().unwrap_or(f64::NAN),
        worst: sorted.first().copied().unwrap_or(f64::NAN),
        exposure: (wins + losses) / n,
        kelly_fraction: mean(&excess) / (sd * sd),
        n: r.len(),
    }
}

/// How many of n returns are the tail of this share, as empyrical counts: floor((n-1) share) + 1.
pub(super) fn lowest(n: usize, share: f64) -> usize {
    // 1 - 0.95 is a little more than 0.05: what rounding added to a whole number is taken off.
    let place = (n as f64 - 1.0) * share;
    let near = place.round();
    let whole = if (place - near).abs() < 1e-9 * place.max(1.0) {
        near
    } else {
        place.floor()
    };
    (whole as usize + 1).min(n)
}

fn gross(r: &[f64]) -> f64 {
    r.iter().map(|v| 1.0 + v).product()
}

/// r² of the cumulated log returns on time; NaN when they do not vary or everything was lost.
fn stability(r: &[f64]) -> f64 {
    let mut sum = 0.0;
    let logs: Vec<f64> = r
        .iter()
        .map(|v| {
            sum += v.ln_1p();
            sum
        })
        .collect();
    let time: Vec<f64> = (0..r.len()).map(|t| t as f64).collect();
    let both = covariance(&logs, &time);
    both * both / (variance(&logs) * variance(&time))
}

/// Falls from the last peak, the start counting as one, after each return.
fn falls(r: &[f64]) -> Vec<f64> {
    let (mut equity, mut peak) = (1.0_f64, 1.0_f64);
    r.iter()
        .map(|v| {
            equity *= 1.0 + v;
            peak = peak.max(equity);
            equity / peak - 1.0
        })
        .collect()
}

/// The falls of an equity curve that starts at 1 and grows by these returns.
#[must_use]
pub fn drawdown(r: &[f64]) -> Drawdown {
    let falls = falls(r);
    let n = falls.len() as f64;
    let mut found = Drawdown {
        max: 0.0,
        peak: 0,
        trough: 0,
        recovery: None,
        longest: 0,
        average: falls.iter().sum::<f64>() / n,
        ulcer_index: (falls.iter().map(|f| f * f).sum::<f64>() / n).sqrt(),
        current: falls.last().copied().unwrap_or_default(),
    };
    let mut since = 0;
    for (i, fall) in falls.iter().enumerate() {
        if *fall == 0.0 {
            if found.recovery.is_none() && found.max < 0.0 {
                found.recovery = Some(i + 1);
            }
            since = i + 1;
        }
        if *fall < found.max {
            (found.max, found.peak, found.trough) = (*fall, since, i + 1);
            found.recovery = None;
        }
        found.longest = found.longest.max(i + 1 - since);
    }
    found
}

/// Measures of returns against those of a benchmark in the same periods.
#[must_use]
pub fn benchmarked(
    r: &[f64],
    benchmark: &[f64],
    periods_per_year: f64,
    risk_free: f64,
) -> Benchmarked {
    let less = |v: &[f64]| v.iter().map(|v| v - risk_free).collect::<Vec<f64>>();
    let (a, b) = (less(r), less(benchmark));
    let beta_of = |a: &[f64], b: &[f64]| covariance(a, b) / variance(b);
    let beta = beta_of(&a, &b);
    let correlation = covariance(r, benchmark) / (variance(r) * variance(benchmark)).sqrt();
    let active: Vec<f64> = r.iter().zip(benchmark).map(|(r, b)| r - b).collect();
    let tracking_error = (periods_per_year * variance(&active)).sqrt();
    let part = |up: bool| -> (Vec<f64>, Vec<f64>) {
        let rows = r
            .iter()
            .zip(benchmark)
            .filter(|(_, b)| if up { **b > 0.0 } else { **b < 0.0 });
        rows.map(|(r, b)| (*r, *b)).unzip()
    };
    let (up, down) = (part(true), part(false));
    let annual = |v: &[f64]| gross(v).powf(periods_per_year / v.len() as f64) - 1.0;
    let average = |v: &[f64]| periods_per_year * mean(v);
    Benchmarked {
        beta,
        alpha: average(&a) - beta * average(&b),
        correlation,
        r_squared: correlation * correlation,
        tracking_error,
        information_ratio: average(&active) / tracking_error,
        treynor_ratio: average(&a) / beta,
        up_capture: annual(&up.0) / annual(&up.1),
        down_capture: annual(&down.0) / annual(&down.1),
        up_beta: beta_of(&up.0, &up.1),
        down_beta: beta_of(&down.0, &down.1),
        batting_average: active.iter().filter(|v| **v > 0.0).count() as f64 / r.len() as f64,
        excess_return: annual(r) - annual(benchmark),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    const R: [f64; 6] = [0.10, -0.20, 0.05, 0.0, -0.10, 0.30];

    #[test]
    fn falls_by_hand() {
        // Equity 1 1.1 .88 .924 .924 .8316 1.08108: peak after 1 return, trough after 5, not recovered;
        // falls 0 -.2 -.16 -.16 -.244 -.0172.
        let d = drawdown(&R);
        assert_near(
            &[d.max, d.current],
            &[0.8316 / 1.1 - 1.0, 1.08108 / 1.1 - 1.0],
            1e-14,
        );
        assert_eq!((d.peak, d.trough, d.recovery, d.longest), (1, 5, None, 5));
        assert_near(
            &[d.average],
            &[-(0.2 + 0.16 + 0.16 + 0.244 + 0.0172) / 6.0],
            1e-12,
        );
        // The start counts as a peak: down 10 %, then back.
        let d = drawdown(&[-0.1, 0.2]);
        assert_eq!(
            (d.peak, d.trough, d.recovery, d.longest),
            (0, 1, Some(2), 1)
        );
        assert_eq!(drawdown(&[0.1]).max, 0.0);
    }

    #[test]
    fn figures_by_hand() {
        let p = performance(&R, 252.0, 0.0, 0.0);
        assert_near(
            &[
                p.win_rate,
                p.profit_factor,
                p.payoff_ratio,
                p.average_win,
                p.average_loss,
                p.exposure,
            ],
            &[0.6, 0.45 / 0.3, 1.0, 0.15, -0.15, 5.0 / 6.0],
            1e-12,
        );
        assert_eq!((p.best, p.worst, p.n), (0.3, -0.2, 6));
        // Lowest floor(5 * 0.05) + 1 = 1 return.
        assert_eq!(p.cvar_95, -0.2);
        // Mean 0.025, sum of squares about it .0155 - ... = 0.15125 - 6 * .000625.
        let sd = ((0.01 + 0.04 + 0.0025 + 0.01 + 0.09 - 6.0 * 0.025f64.powi(2)) / 5.0).sqrt();
        assert_near(&[p.sharpe_ratio], &[0.025 / sd * 252f64.sqrt()], 1e-12);
        // A return less risk-free and required ones.
        let q = performance(&R, 252.0, 0.01, 0.02);
        assert_near(&[q.sharpe_ratio], &[0.015 / sd * 252f64.sqrt()], 1e-12);
        // Above 0.02: .08 .03 .28; below: .22 .02 .12.
        assert_near(&[q.omega_ratio], &[0.39 / 0.36], 1e-12);
    }

    #[test]
    fn the_tail_counts_whole_places_as_whole() {
        // (n-1) (1-0.95) = 50.00000000000004 for n = 1001.
        assert_eq!(lowest(1001, 1.0 - 0.95), 51);
        assert_eq!(lowest(1000, 1.0 - 0.95), 50);
        assert_eq!(lowest(1, 0.05), 1);
    }

    #[test]
    fn against_a_benchmark_by_hand() {
        // Twice the benchmark and 0.01 a period: beta 2, alpha 0.12 a year of 12 periods, all else follows.
        let b = [0.02, -0.01, 0.03, -0.04];
        let r = b.map(|v| 2.0 * v + 0.01);
        let m = benchmarked(&r, &b, 12.0, 0.0);
        assert_near(
            &[m.beta, m.alpha, m.correlation, m.up_beta, m.down_beta],
            &[2.0, 0.12, 1.0, 2.0, 2.0],
            1e-12,
        );
        // r - b = .03 0 .04 -.03: mean .01.
        let active: [f64; 4] = [0.03, 0.0, 0.04, -0.03];
        let sd = (active.iter().map(|v| (v - 0.01f64).powi(2)).sum::<f64>() / 3.0).sqrt();
        assert_near(
            &[m.tracking_error, m.information_ratio, m.batting_average],
            &[sd * 12f64.sqrt(), 0.12 / (sd * 12f64.sqrt()), 0.5],
            1e-9,
        );
    }
}
