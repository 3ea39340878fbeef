//! Automatic ARIMA order.
//!
//! What: tests say how often to difference; then orders near the best so far are fitted, step by step, and
//! the one with the best criterion is kept.
//! Formula: d by KPSS tests, D by the strength of the season, p, q, P, Q by an information criterion.
//! Data: one series.
//! Cost: a fit of `arima` or `sarima` a candidate, some twenty of them.
//! Fails when: no candidate can be fitted; a search step by step may stop at a local best.
//! Source: Hyndman & Khandakar (2008).
//! Not claimed: that the orders are the true ones.

use super::arima_run::{self, Covariance, OUTPUTS, Request, Trend, prepare};
use super::arma::{self, Fit, Orders, Search};
use super::engine::{checked, differences, mean, number, refused};
use super::theta::factors;
use crate::numeric::dot;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Design, Entry, FitError, Inputs, Outputs, SeriesTable, Track, Tracker,
    choices, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;
use serde_json::{Value, json};

/// The handle.
pub struct AutoArima;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<AutoArima>()
    .tested_with(&[
        ("max_p", "2"),
        ("max_q", "2"),
        ("max_P", "1"),
        ("max_Q", "1"),
    ])
    .with_tracking::<AutoArima>();

choices! {
    /// What decides.
    pub enum Criterion {
        /// Akaike's.
        Aic = "aic",
        /// The same, corrected for few rows.
        Aicc = "aicc",
        /// The Bayesian one.
        Bic = "bic",
        /// That of Hannan and Quinn.
        Hqic = "hqic",
    }
}

params! {
    /// Parameters of the search for ARIMA orders.
    pub struct AutoArimaParams {
        /// Rows of a season; 1 is no season.
        m: usize = 1, within(1.0, 400.0);
        /// Differences; none lets KPSS tests decide.
        d: Option<usize> = None, within(0.0, 2.0);
        /// Seasonal differences; none lets the strength of the season decide.
        seasonal_d as "D": Option<usize> = None, within(0.0, 1.0);
        /// Most differences that the tests may choose.
        max_d: usize = 2, within(0.0, 2.0);
        /// Autoregressive terms of the first candidate.
        start_p: usize = 2, within(0.0, 10.0);
        /// Moving-average terms of the first candidate.
        start_q: usize = 2, within(0.0, 10.0);
        /// Most autoregressive terms.
        max_p: usize = 5, within(0.0, 10.0);
        /// Most moving-average terms.
        max_q: usize = 5, within(0.0, 10.0);
        /// Seasonal autoregressive terms of the first candidate.
        start_seasonal_p as "start_P": usize = 1, within(0.0, 4.0);
        /// Seasonal moving-average terms of the first candidate.
        start_seasonal_q as "start_Q": usize = 1, within(0.0, 4.0);
        /// Most seasonal autoregressive terms.
        max_seasonal_p as "max_P": usize = 2, within(0.0, 4.0);
        /// Most seasonal moving-average terms.
        max_seasonal_q as "max_Q": usize = 2, within(0.0, 4.0);
        /// What decides between candidates.
        information_criterion: Criterion = Criterion::Aic;
        /// Level of the KPSS tests.
        alpha: f64 = 0.05, within(0.01, 0.1);
        /// Strength of the season above which it is differenced.
        seasonal_strength: f64 = 0.64, within(0.0, 1.0);
        /// Whether orders are searched step by step; false tries all of them up to the maxima whose sum is at most 5.
        stepwise: bool = true;
        /// Share of the intervals outside their ends.
        interval_alpha: f64 = 0.05, inside(0.0, 1.0);
        /// Last rows that are not learned from: the forecast starts before them. Exogenous columns take their values to come from these rows.
        holdout: usize = 0, within(0.0, 1_000_000.0);
    }
}

/// Outputs of `arima`, then the search's.
const LISTED: [(&str, &str); 33] = {
    let mut all = [("", ""); 33];
    let mut i = 0;
    while i < 29 {
        all[i] = OUTPUTS[i];
        i += 1;
    }
    all[29] = ("order", "p, d, q that were chosen");
    all[30] = (
        "seasonal_order",
        "P, D, Q, s that were chosen; zeros without a season",
    );
    all[31] = (
        "constant",
        "whether a constant (a drift, after one difference) is estimated",
    );
    all[32] = (
        "trace",
        "candidates in the order in which they were tried: order, seasonal_order, constant, criterion (null where none is counted: not fitted, or a root near the unit circle)",
    );
    all
};

const CARD: Card = Card {
    id: "auto_arima",
    family: "time_series",
    title: "Automatic ARIMA order",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "Finds the orders of an ARIMA model: tests choose the differences, a search step by step the rest by an information criterion. The model found is fitted as arima or sarima does.",
    formula: "D = 1 when 1 - var(R)/var(S + R) of the classical additive decomposition exceeds seasonal_strength; d grows while KPSS rejects a level (Bartlett weights, floor(4 (n/100)^¼) lags); then candidates (2,d,2), (0,d,0), (1,d,0), (0,d,1) with constant, (0,d,0) without, and from the best one orders that differ by 1 in P, Q, p, q or two of them, or in the constant, until none is better. A constant where at most one difference is taken. A candidate with a root within 1% of the unit circle does not count",
    data: "One series; further columns, named after it, are exogenous: the rows held out hold their values to come.",
    cost: "some twenty fits of arima or sarima; all combinations with stepwise = false",
    fails_when: "No candidate can be fitted; the search ends at a local best; tests have little power on short series.",
    not_claimed: "That the orders are the true ones: prices mostly end at (0,1,0). Criteria and intervals ignore that the orders were searched.",
    source: "R. J. Hyndman, Y. Khandakar, Automatic time series forecasting: the forecast package for R, Journal of Statistical Software 27 (2008); X. Wang, K. Smith, R. J. Hyndman, Data Mining and Knowledge Discovery 13 (2006)",
    reference: "pmdarima 2.1.1, auto_arima; D as nsdiffs of R's forecast with test \"seas\", on the classical decomposition",
    outputs: &LISTED,
    stochastic: false,
    evidence: &[
        Evidence {
            against: "pmdarima 2.1.1, auto_arima(stepwise=True)",
            cases: "unit tests on macro, Nile and CO2 series",
            tolerance: "criterion at most 1 above that of the library with the same differences",
        },
        Evidence {
            against: "statsmodels 0.15.0, every ARIMA up to (3, d, 3)",
            cases: "bills, growth of consumption and investment, log consumption, Nile, closes of AAPL: the lowest AICc of all 30, and the one that steps among statsmodels' figures find (1.02 higher for both series of consumption, else the same)",
            tolerance: "the same orders, criterion 1e-3",
        },
    ],
    presets: &[],
    exemptions: &[],
};

/// p value of the KPSS test of a level, kept in 0.01 to 0.1.
fn kpss(x: &[f64]) -> f64 {
    let n = x.len();
    let level = mean(x);
    let e: Vec<f64> = x.iter().map(|v| v - level).collect();
    let mut sum = 0.0;
    let mut squares = 0.0;
    for v in &e {
        sum += v;
        squares += sum * sum;
    }
    let rows = n as f64;
    let eta = squares / (rows * rows);
    let lags = ((4.0 * (rows / 100.0).powf(0.25)).trunc() as usize).min(n - 1);
    let mut variance = dot(&e, &e) / rows;
    for k in 1..=lags {
        let weight = 1.0 - k as f64 / (lags as f64 + 1.0);
        variance += 2.0 / rows * weight * dot(&e[k..], &e[..n - k]);
    }
    let statistic = eta / variance;
    const TABLE: [(f64, f64); 4] = [(0.347, 0.1), (0.463, 0.05), (0.574, 0.025), (0.739, 0.01)];
    if statistic.is_nan() || statistic <= TABLE[0].0 {
        return 0.1;
    }
    for w in TABLE.windows(2) {
        let ((a, p), (b, q)) = (w[0], w[1]);
        if statistic <= b {
            return p + (q - p) * (statistic - a) / (b - a);
        }
    }
    0.01
}

fn constant(x: &[f64]) -> bool {
    let size = x.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    x.iter().all(|v| (v - x[0]).abs() <= 1e-12 * size)
}

/// 1 - var(R)/var(S + R) of the classical additive decomposition, at least 0.
fn strength(y: &[f64], m: usize) -> f64 {
    let season = factors(y, m, false);
    let half = m / 2;
    let (mut detrended, mut rest) = (Vec::new(), Vec::new());
    for t in half..y.len() - half {
        let window = &y[t - half..=t + half];
        let centre = if m % 2 == 1 {
            mean(window)
        } else {
            (0.5 * (window[0] + window[m]) + window[1..m].iter().sum::<f64>()) / m as f64
        };
        detrended.push(y[t] - centre);
        rest.push(y[t] - centre - season[t % m]);
    }
    let variance = |v: &[f64]| {
        let level = mean(v);
        v.iter().map(|x| (x - level).powi(2)).sum::<f64>()
    };
    (1.0 - variance(&rest) / variance(&detrended)).max(0.0)
}

/// A candidate: p, q, P, Q, constant.
type Candidate = (usize, usize, usize, usize, bool);

/// The search's state.
struct Hunt<'a> {
    params: &'a AutoArimaParams,
    base: Orders,
    data: &'a SeriesTable,
    horizon: usize,
    seen: Vec<(Candidate, f64)>,
    trace: Vec<Value>,
    best: Option<(f64, Candidate)>,
}

/// Roots nearer to the unit circle disqualify a candidate.
const NEAR: f64 = 1.0 / 0.99;

/// Candidates at most.
const MOST: usize = 94;

impl Hunt<'_> {
    fn orders(&self, c: Candidate) -> Orders {
        Orders {
            p: c.0,
            q: c.1,
            sp: c.2,
            sq: c.3,
            ..self.base
        }
    }

    fn trend(&self, constant: bool) -> Trend {
        match (constant, self.base.d + self.base.sd) {
            (true, 0) => Trend::Constant,
            (true, 1) => Trend::Slope,
            _ => Trend::None,
        }
    }

    fn fit(&self, c: Candidate, search: Search) -> Result<(Fit, usize, usize), FitError> {
        let orders = self.orders(c);
        let prepared = prepare(
            CARD.id,
            self.data,
            &orders,
            Some(self.trend(c.4)),
            self.params.holdout,
            self.horizon,
        )?;
        let fit = arma::fit(CARD.id, orders, &prepared.y, &prepared.known(), search)?;
        let estimated = prepared.columns.len() + orders.coefficients() + 1;
        Ok((fit, estimated, prepared.y.len() - orders.lost()))
    }

    /// Whether a candidate is better than all before it.
    fn better(&mut self, c: Candidate) -> bool {
        if self.seen.iter().any(|(s, _)| *s == c) || self.seen.len() >= MOST {
            return false;
        }
        let value = match self.fit(c, Search::Quick) {
            Err(_) => f64::INFINITY,
            Ok((fit, k, n)) => {
                let (k, n) = (k as f64, n as f64);
                let near = |roots: &[f64]| roots.first().is_some_and(|r| *r < NEAR);
                let twice = -2.0 * fit.log_likelihood;
                let value = match self.params.information_criterion {
                    Criterion::Aic => twice + 2.0 * k,
                    Criterion::Aicc if n - k - 1.0 > 0.0 => twice + 2.0 * k * n / (n - k - 1.0),
                    Criterion::Aicc => f64::INFINITY,
                    Criterion::Bic => twice + k * n.ln(),
                    Criterion::Hqic => twice + 2.0 * k * n.ln().ln(),
                };
                if near(&fit.roots(false)) || near(&fit.roots(true)) || !value.is_finite() {
                    f64::INFINITY
                } else {
                    value
                }
            }
        };
        self.seen.push((c, value));
        let o = self.orders(c);
        self.trace.push(json!({
            "order": [o.p, o.d, o.q],
            "seasonal_order": [o.sp, o.sd, o.sq, if o.s > 1 { o.s } else { 0 }],
            "constant": c.4,
            "criterion": number(value),
        }));
        let better = value.is_finite() && self.best.is_none_or(|(b, _)| value < b);
        if better {
            self.best = Some((value, c));
        }
        better
    }

    /// Neighbours of the best one until none is better.
    fn steps(&mut self, may: bool) {
        let p = self.params;
        let seasonal = self.base.s > 1;
        let (most_p, most_q) = (p.max_p as i64, p.max_q as i64);
        let (most_sp, most_sq) = if seasonal {
            (p.max_seasonal_p as i64, p.max_seasonal_q as i64)
        } else {
            (0, 0)
        };
        // Moves of (P, Q), then of (p, q), in the order of Hyndman & Khandakar.
        const MOVES: [(i64, i64); 8] = [
            (-1, 0),
            (0, -1),
            (1, 0),
            (0, 1),
            (-1, -1),
            (-1, 1),
            (1, -1),
            (1, 1),
        ];
        'again: loop {
            let Some((_, c)) = self.best else { return };
            let inside = |v: i64, most: i64| (0..=most).contains(&v);
            for (a, b) in MOVES {
                let (x, y) = (c.2 as i64 + a, c.3 as i64 + b);
                if inside(x, most_sp)
                    && inside(y, most_sq)
                    && self.better((c.0, c.1, x as usize, y as usize, c.4))
                {
                    continue 'again;
                }
            }
            for (a, b) in MOVES {
                let (x, y) = (c.0 as i64 + a, c.1 as i64 + b);
                if inside(x, most_p)
                    && inside(y, most_q)
                    && self.better((x as usize, y as usize, c.2, c.3, c.4))
                {
                    continue 'again;
                }
            }
            if may && self.better((c.0, c.1, c.2, c.3, !c.4)) {
                continue;
            }
            return;
        }
    }
}

/// The orders that were chosen, and whether with a constant.
struct Choice {
    orders: Orders,
    trend: Trend,
    constant: bool,
    trace: Vec<Value>,
}

fn choose(
    params: &AutoArimaParams,
    data: &SeriesTable,
    horizon: usize,
) -> Result<Choice, FitError> {
    let all = checked(CARD.id, data, 0, 10)?;
    let n = all.len().saturating_sub(params.holdout);
    if n < 10 {
        return Err(refused(
            "holdout",
            format!(
                "{} of {} rows are held out, {n} remain; 10 are needed",
                params.holdout,
                all.len()
            ),
        ));
    }
    let y = &all[..n];
    if constant(y) {
        return Err(FitError::Data(
            "the rows that are learned from are constant".into(),
        ));
    }
    let m = params.m;
    if m > 1 && n < 2 * m + 5 {
        return Err(refused(
            "m",
            format!("{n} rows are too few for a season of {m}: take a longer span or m = 1"),
        ));
    }
    let sd = match params.seasonal_d {
        _ if m == 1 => 0,
        Some(d) => d,
        None => usize::from(strength(y, m) > params.seasonal_strength),
    };
    let mut x = differences(y, m, sd);
    let d = match params.d {
        Some(d) => d,
        None => {
            let mut d = 0;
            while d < params.max_d && x.len() > 5 && !constant(&x) && kpss(&x) < params.alpha {
                x = differences(&x, 1, 1);
                d += 1;
            }
            d
        }
    };
    let mut hunt = Hunt {
        params,
        base: Orders {
            p: 0,
            d,
            q: 0,
            sp: 0,
            sd,
            sq: 0,
            s: m,
        },
        data,
        horizon,
        seen: Vec::new(),
        trace: Vec::new(),
        best: None,
    };
    let may = d + sd <= 1;
    let seasonal = |v: usize| if m > 1 { v } else { 0 };
    let (sp, sq) = (
        seasonal(params.max_seasonal_p),
        seasonal(params.max_seasonal_q),
    );
    if params.stepwise {
        let start = (
            params.start_p.min(params.max_p),
            params.start_q.min(params.max_q),
            params.start_seasonal_p.min(sp),
            params.start_seasonal_q.min(sq),
            may,
        );
        hunt.better(start);
        hunt.better((0, 0, 0, 0, may));
        hunt.better((1.min(params.max_p), 0, 1.min(sp), 0, may));
        hunt.better((0, 1.min(params.max_q), 0, 1.min(sq), may));
        if may {
            hunt.better((0, 0, 0, 0, false));
        }
        hunt.steps(may);
    } else {
        for p in 0..=params.max_p {
            for q in 0..=params.max_q {
                for a in 0..=sp {
                    for b in 0..=sq {
                        if p + q + a + b <= 5 {
                            for constant in if may {
                                &[true, false][..]
                            } else {
                                &[false][..]
                            } {
                                hunt.better((p, q, a, b, *constant));
                            }
                        }
                    }
                }
            }
        }
    }
    let Some((_, best)) = hunt.best else {
        // The first refusal says what is wrong with the series.
        return Err(hunt
            .fit((0, 0, 0, 0, may), Search::Quick)
            .err()
            .unwrap_or_else(|| {
                FitError::Failed(
                    "no candidate has all roots away from the unit circle: set d or D".into(),
                )
            }));
    };
    Ok(Choice {
        orders: hunt.orders(best),
        trend: hunt.trend(best.4),
        constant: best.4,
        trace: hunt.trace,
    })
}

impl Analysis for AutoArima {
    type Params = AutoArimaParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (1, usize::MAX);

    fn analyse(
        params: &AutoArimaParams,
        data: &SeriesTable,
        ask: Ask,
    ) -> Result<Outputs, FitError> {
        let Choice {
            orders,
            trend,
            constant,
            trace,
        } = choose(params, data, ask.horizon)?;
        let m = params.m;
        let request = Request {
            id: CARD.id,
            orders,
            trend: Some(trend),
            alpha: params.interval_alpha,
            holdout: params.holdout,
            covariance: Covariance::Opg,
        };
        let mut out = arima_run::analyse(&request, data, ask)?;
        out.insert("order".into(), json!([orders.p, orders.d, orders.q]));
        let season = if m > 1 { m } else { 0 };
        out.insert(
            "seasonal_order".into(),
            json!([orders.sp, orders.sd, orders.sq, season]),
        );
        out.insert("constant".into(), constant.into());
        out.insert("trace".into(), Value::from(trace));
        Ok(out)
    }
}

impl Track for AutoArima {
    /// The orders are searched anew and the model found is fitted as [`arima`](super::arima) does.
    fn track(
        params: &AutoArimaParams,
        y: &[f64],
        _start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        let params = AutoArimaParams {
            holdout: 0,
            ..params.clone()
        };
        let x = Array2::from_shape_fn((y.len(), 1), |(r, _)| y[r]);
        let table = SeriesTable::new(Design::new(x, vec!["series".to_owned()])?, None)?;
        let choice = choose(&params, &table, 1)?;
        arima_run::track(CARD.id, choice.orders, Some(choice.trend), y, None)
    }
}
