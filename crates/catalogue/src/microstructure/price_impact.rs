//! Price impact.
//!
//! What: How far the price moves for a given estimated order flow: Kyle's lambda, its square-root
//! form and Amihud's illiquidity over the last bars; and a signal against the part of the last move
//! that flow explains.
//! Formula: x = delta of order_flow by method. Over the last window bars by least squares: close -
//! close before = a + λ x (kyle_lambda, price units a share); return = a + λ' sign(x) sqrt(close |x|)
//! (sqrt_impact, return per square root of the currency), with r_squared. amihud = mean of
//! |return|/(close · volume) · 10⁶. impact = λ' sign(x) sqrt(close |x|) of the bar in standard
//! deviations of the returns of the window. signal = -impact/full kept in [-1, 1] while r_squared >=
//! min_r_squared, λ' > 0 and |impact| >= dead_zone, else 0.
//! Data: High, low, close and volume. The flow is an estimate from bars.
//! Cost: O(bars · window).
//! Fails when: The flow is estimated from the very price moves it explains, so lambdas are upper
//! bounds. Impact that is information does not come back.
//! Source: A. S. Kyle, Continuous Auctions and Insider Trading, Econometrica 53 (1985); Y. Amihud,
//! Illiquidity and Stock Returns, Journal of Financial Markets 5 (2002); J. Hasbrouck, Trading Costs
//! and Returns for U.S. Equities, Journal of Finance 64 (2009), for the square root; J. Y. Campbell,
//! S. J. Grossman, J. Wang, Trading Volume and Serial Correlation in Stock Returns, Quarterly Journal
//! of Economics 108 (1993), for the reversal.
//! Not claimed: A cost of trading a given order; that needs trades.

use super::engine::{Method, buy_shares};
use crate::signals::{Column, correlation, deviation, mean, said, sign, volume};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct PriceImpact;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<PriceImpact>();

params! {
    /// Parameters.
    pub struct PriceImpactParams {
        /// How the bought share of a bar is estimated.
        method: Method = Method::Location;
        /// Changes of the close whose deviation the bulk method takes.
        sigma_bars: usize = 20, within(2.0, 10_000.0);
        /// Bars of the regressions.
        window: usize = 60, within(3.0, 10_000.0);
        /// Least share of the variance explained for a signal.
        min_r_squared: f64 = 0.1, within(0.0, 1.0);
        /// Explained move in standard deviations at which the signal is full.
        full: f64 = 2.0, above(0.0);
        /// Under it the signal is 0.
        dead_zone: f64 = 0.5, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "price_impact",
    family: "microstructure",
    title: "Price impact",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "How far the price moves for a given estimated order flow: Kyle's lambda, its square-root form and Amihud's illiquidity over the last bars; and a signal against the part of the last move that flow explains.",
    formula: "x = delta of order_flow by method. Over the last window bars by least squares: close - close before = a + λ x (kyle_lambda, price units a share); return = a + λ' sign(x) sqrt(close |x|) (sqrt_impact, return per square root of the currency), with r_squared. amihud = mean of |return|/(close · volume) · 10⁶. impact = λ' sign(x) sqrt(close |x|) of the bar in standard deviations of the returns of the window. signal = -impact/full kept in [-1, 1] while r_squared >= min_r_squared, λ' > 0 and |impact| >= dead_zone, else 0",
    data: "High, low, close and volume. The flow is an estimate from bars.",
    cost: "O(bars · window)",
    fails_when: "The flow is estimated from the very price moves it explains, so lambdas are upper bounds. Impact that is information does not come back.",
    not_claimed: "A cost of trading a given order; that needs trades.",
    source: "A. S. Kyle, Continuous Auctions and Insider Trading, Econometrica 53 (1985); Y. Amihud, Illiquidity and Stock Returns, Journal of Financial Markets 5 (2002); J. Hasbrouck, Trading Costs and Returns for U.S. Equities, Journal of Finance 64 (2009), for the square root; J. Y. Campbell, S. J. Grossman, J. Wang, Trading Volume and Serial Correlation in Stock Returns, Quarterly Journal of Economics 108 (1993), for the reversal",
    reference: "own rule, stated here",
    outputs: &[
        (
            "signal",
            "-1 to 1, one a bar: above 0 for a rise, below 0 for a fall; null while warming up",
        ),
        (
            "known_bar",
            "bar since which the signal has had its sign, counted from 0; null where it is 0",
        ),
        (
            "kyle_lambda",
            "price units a share; null when the flow does not vary",
        ),
        (
            "sqrt_impact",
            "return per square root of the currency; likewise",
        ),
        ("r_squared", "of the square-root regression"),
        (
            "amihud",
            "mean of |return| per million of the currency traded; null where a bar traded nothing",
        ),
        (
            "impact",
            "explained part of the last return in standard deviations",
        ),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "calculation by hand",
            cases: "both regressions, Amihud's measure, signal",
            tolerance: "1e-12",
        },
        Evidence {
            against: "statsmodels 0.15.0, OLS, and pandas 2.3.3",
            cases: "flow by location and in bulk on the bars of IBM: both regressions, Amihud's measure, impact, signal",
            tolerance: "1e-8 relative",
        },
    ],
    presets: &[],
    exemptions: &[],
};

/// Slope of the least-squares line through pairs; none when the first of them does not vary.
fn slope(pairs: &[(f64, f64)]) -> Option<f64> {
    let x: Vec<f64> = pairs.iter().map(|p| p.0).collect();
    let y: Vec<f64> = pairs.iter().map(|p| p.1).collect();
    let (mx, my) = (mean(&x), mean(&y));
    let xx: f64 = x.iter().map(|x| (x - mx) * (x - mx)).sum();
    let xy: f64 = pairs.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
    (xx > 0.0).then(|| xy / xx).filter(|s| s.is_finite())
}

impl Indicator for PriceImpact {
    type Params = PriceImpactParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar"];

    fn compute(p: &PriceImpactParams, bars: &Bars) -> Result<Columns, FitError> {
        let volume = volume(bars)?;
        let close = &bars.close;
        let shares = buy_shares(bars, p.method, p.sigma_bars)?;
        // Flow, its signed square root in currency, change and return of each bar.
        let row = |t: usize| {
            let before = close[t.checked_sub(1)?];
            let x = volume[t] * (2.0 * shares[t]? - 1.0);
            let root = sign(x) * (close[t].abs() * x.abs()).sqrt();
            let r = if before == 0.0 {
                0.0
            } else {
                close[t] / before - 1.0
            };
            Some((x, root, close[t] - before, r))
        };
        let rows: Vec<Option<(f64, f64, f64, f64)>> = (0..bars.len()).map(row).collect();
        let mut signal = Column::new();
        let mut columns: [Column; 5] = Default::default();
        for t in 0..bars.len() {
            let window: Option<Vec<(f64, f64, f64, f64)>> = (t + 1)
                .checked_sub(p.window)
                .and_then(|from| rows[from..=t].iter().copied().collect());
            let Some(window) = window else {
                signal.push(None);
                columns.iter_mut().for_each(|c| c.push(None));
                continue;
            };
            let kyle = slope(&window.iter().map(|w| (w.0, w.2)).collect::<Vec<_>>());
            let roots: Vec<(f64, f64)> = window.iter().map(|w| (w.1, w.3)).collect();
            let (lambda, fit) = (slope(&roots), correlation(&roots).powi(2));
            let returns: Vec<f64> = window.iter().map(|w| w.3).collect();
            let spread = deviation(&returns);
            let traded = (0..p.window).map(|i| {
                let at = t + 1 - p.window + i;
                (close[at] * volume[at]).abs()
            });
            let each = returns
                .iter()
                .zip(traded)
                .map(|(r, v)| (v > 0.0).then(|| 1e6 * r.abs() / v));
            let amihud = each.collect::<Option<Vec<f64>>>().map(|all| mean(&all));
            let last = window[window.len() - 1].1;
            let impact = lambda.filter(|_| spread > 0.0).map(|l| l * last / spread);
            let counts = fit >= p.min_r_squared && lambda.is_some_and(|l| l > 0.0);
            let size = impact
                .filter(|i| counts && i.abs() >= p.dead_zone)
                .unwrap_or_default();
            signal.push(Some((-size / p.full).clamp(-1.0, 1.0)));
            for (column, value) in columns
                .iter_mut()
                .zip([kyle, lambda, Some(fit), amihud, impact])
            {
                column.push(value);
            }
        }
        let [kyle, lambda, fit, amihud, impact] = columns;
        let mut columns = said(signal);
        columns.extend([
            ("kyle_lambda", kyle),
            ("sqrt_impact", lambda),
            ("r_squared", fit),
            ("amihud", amihud),
            ("impact", impact),
        ]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::pick;
    use crate::signals::tests::{closes, ibm, with};

    #[test]
    fn by_hand() {
        // By the tick rule the flows of bars 1 to 3 are 4 -2 6, the changes 2 -1 3: 1/2 a share exactly.
        let mut bars = closes(&[10.0, 12.0, 11.0, 14.0]);
        bars.volume = Some(vec![1.0, 4.0, 2.0, 6.0]);
        let set = r#"{"method": "tick", "window": 3}"#;
        let columns = PriceImpact::compute(&with(set), &bars).unwrap();
        let last = |name: &str| pick(&columns, name)[3].unwrap();
        assert!((last("kyle_lambda") - 0.5).abs() < 1e-12);
        let r = [0.2, -1.0 / 12.0, 3.0 / 11.0];
        let amihud = 1e6 / 3.0 * (r[0] / 48.0 - r[1] / 22.0 + r[2] / 84.0);
        assert!((last("amihud") - amihud).abs() < 1e-6);
        // Roots sqrt(48), -sqrt(22), sqrt(84): slope by hand.
        let x = [48.0_f64.sqrt(), -22.0_f64.sqrt(), 84.0_f64.sqrt()];
        let (mx, mr) = ((x[0] + x[1] + x[2]) / 3.0, (r[0] + r[1] + r[2]) / 3.0);
        let xy: f64 = (0..3).map(|i| (x[i] - mx) * (r[i] - mr)).sum();
        let xx: f64 = (0..3).map(|i| (x[i] - mx) * (x[i] - mx)).sum();
        let rr: f64 = (0..3).map(|i| (r[i] - mr) * (r[i] - mr)).sum();
        assert!((last("sqrt_impact") - xy / xx).abs() < 1e-12);
        assert!((last("r_squared") - xy * xy / xx / rr).abs() < 1e-12);
        let impact = xy / xx * x[2] / (rr / 3.0).sqrt();
        assert!((last("impact") - impact).abs() < 1e-12);
        assert!((last("signal") + (impact / 2.0).min(1.0)).abs() < 1e-12);
        assert_eq!(pick(&columns, "signal")[2], None);
    }

    /// Ordinary least squares of statsmodels 0.15.0 with a constant, and pandas 2.3.3, on the bars of IBM: flow by method,
    /// Kyle's λ (Δclose on flow), the slope and r² of returns on the signed roots, Amihud's mean, the last root times its
    /// slope over the deviation (ddof 0) of the returns; the last 60 bars at bars 85 and 119.
    #[test]
    fn as_with_statsmodels() {
        let wanted: [(&str, [[f64; 6]; 2]); 2] = [
            (
                "location",
                [
                    [
                        4.6672187215680316e-07,
                        4.896838762064147e-07,
                        0.4652349891387755,
                        1.085029659357558e-05,
                        -0.8897915783941505,
                        0.44489578919707523,
                    ],
                    [
                        3.227196991528196e-07,
                        3.4032578132403137e-07,
                        0.32585045564952353,
                        1.1677337150862377e-05,
                        -0.2695494260451845,
                        0.0,
                    ],
                ],
            ),
            (
                "bulk",
                [
                    [
                        5.947404125501709e-07,
                        7.123101585116846e-07,
                        0.8828452263628516,
                        1.085029659357558e-05,
                        -1.2565686724057026,
                        0.6282843362028513,
                    ],
                    [
                        6.456149200976439e-07,
                        6.295214041382426e-07,
                        0.917966480774163,
                        1.1677337150862377e-05,
                        -0.6959301567474515,
                        0.34796507837372576,
                    ],
                ],
            ),
        ];
        let names = [
            "kyle_lambda",
            "sqrt_impact",
            "r_squared",
            "amihud",
            "impact",
            "signal",
        ];
        for (method, bars) in wanted {
            let set = format!(r#"{{"method": "{method}"}}"#);
            let columns = PriceImpact::compute(&with(&set), &ibm()).unwrap();
            for (bar, values) in [85, 119].into_iter().zip(bars) {
                for (name, want) in names.into_iter().zip(values) {
                    let got = pick(&columns, name)[bar].unwrap();
                    let near = (got - want).abs() <= 1e-8 * want.abs();
                    assert!(near, "{method} {name} {bar}: {got} {want}");
                }
            }
        }
    }
}
