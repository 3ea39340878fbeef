//! Theta method.
//!
//! What: half the slope of a straight line through the series is added to simple exponential smoothing.
//! Formula: ŷ(n+h) = l + ½ b₀(h - 1 + 1/α - (1-α)ⁿ/α), times the season.
//! Data: one series; positive values where the season multiplies.
//! Cost: O(n) a candidate weight.
//! Fails when: the trend turns.
//! Source: Assimakopoulos & Nikolopoulos (2000); Hyndman & Billah (2003).
//! Not claimed: that the trend goes on.

use super::dates;
use super::engine::{
    checked, differences, finite, least_squares, mean, mean_square, number, put_forecast,
    reachable, refused,
};
use super::smoothing::{self, Estimate, Form, Given, State};
use crate::numeric::dot;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Track, Tracker, choices,
    params, run,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Theta;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Theta>().with_tracking::<Theta>();

choices! {
    /// How the season enters.
    pub enum Method {
        /// It multiplies where every value is above 0, else it is added.
        Auto = "auto",
        /// It multiplies.
        Multiplicative = "multiplicative",
        /// It is added.
        Additive = "additive",
    }
}

params! {
    /// Parameters of the theta method.
    pub struct ThetaParams {
        /// Rows of a season; none takes it from the dates, or is no season.
        period: Option<usize> = None, within(1.0, 10_000.0);
        /// Whether a season is taken out first and put back afterwards.
        deseasonalize: bool = true;
        /// Whether a season is taken out only when the autocorrelation at the period is significant (10%).
        use_test: bool = false;
        /// Whether that test looks at the changes of the series instead of its values.
        difference: bool = false;
        /// How the season enters.
        method: Method = Method::Auto;
        /// Weight of the line: (theta-1)/theta of its slope.
        theta: f64 = 2.0, within(1.0, 1_000_000.0);
        /// Share of the intervals outside their ends.
        interval_alpha: f64 = 0.05, inside(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "theta",
    family: "time_series",
    title: "Theta method",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "Simple exponential smoothing of the series without its season, plus half the slope of a straight line through it: the simple method that won the M3 competition.",
    formula: "ŷ(n+h) = [l(n) + ((θ-1)/θ) b₀ (h - 1 + 1/α - (1-α)ⁿ/α)] · s, b₀ the least-squares slope on t = 0, 1, ..., l(0) = y(1), α by least squares in (0, 1]. Season: classical decomposition, centred moving average, means of the ratios (differences) a place, scaled to mean 1 (0). Variance h steps ahead σ²(1 + (h-1)α²)",
    data: "One series; two seasons at least where one is taken out.",
    cost: "O(n) a candidate weight",
    fails_when: "The trend turns or the season changes its form.",
    not_claimed: "That a price goes on along its line.",
    source: "V. Assimakopoulos, K. Nikolopoulos, International Journal of Forecasting 16 (2000); R. J. Hyndman, B. Billah, Unmasking the Theta method, ibid. 19 (2003)",
    reference: "statsmodels 0.15.0, ThetaModel(method=\"multiplicative\").fit(use_mle=False); the intervals are those of the smoothing, where statsmodels has σ²(1 + (h-1)(1 + (α-1)²))",
    outputs: &[
        ("forecast", "one value a step after the last row"),
        ("forecast_std", "standard deviation of each forecast error"),
        (
            "forecast_lower",
            "lower end of the interval of each forecast",
        ),
        ("forecast_upper", "upper end"),
        (
            "fitted",
            "one-step forecasts of the smoothing, with the season",
        ),
        ("residuals", "rows less fitted"),
        ("alpha", "weight of the newest value"),
        ("b0", "slope of the line, a row"),
        (
            "season",
            "factors, that of the next row first; empty without a season",
        ),
        (
            "period",
            "rows of the season that was taken out; 1 without one",
        ),
        (
            "converged",
            "whether the search for the weight ended on a minimum",
        ),
        (
            "gaps",
            "where dates leave rows out: after, before, days; null without dates",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, ThetaModel, alpha polished by least squares",
        cases: "theta-log-gdp, theta-co2-seasonal",
        tolerance: "alpha 2% + 0.005, b0 1e-4",
    }],
    presets: &[],
    exemptions: &[],
};

/// Square of the normal quantile of 0.95: the 10% point of the test.
const CRITICAL: f64 = 2.705_543_454_095_404;

/// Whether the autocorrelation at the period stands out from the ones before it.
fn seasonal(y: &[f64], period: usize) -> bool {
    let level = mean(y);
    let c: Vec<f64> = y.iter().map(|v| v - level).collect();
    let n = c.len();
    let all = dot(&c, &c);
    let rho = |k: usize| dot(&c[k..], &c[..n - k]) / all;
    let before: f64 = (0..period).map(|k| rho(k).powi(2)).sum();
    n as f64 * rho(period).powi(2) / before > CRITICAL
}

/// Factors of the places of a season, that of row 0 first (classical decomposition).
pub(crate) fn factors(y: &[f64], period: usize, multiply: bool) -> Vec<f64> {
    let n = y.len();
    let half = period / 2;
    let mut sums = vec![(0.0, 0.0); period];
    for t in half..n - half {
        let window = &y[t - half..=t + half];
        let centre = if period % 2 == 1 {
            mean(window)
        } else {
            // The two ends of an even season count half.
            let ends = 0.5 * (window[0] + window[period]);
            (ends + window[1..period].iter().sum::<f64>()) / period as f64
        };
        let (sum, count) = &mut sums[t % period];
        *sum += if multiply {
            y[t] / centre
        } else {
            y[t] - centre
        };
        *count += 1.0;
    }
    let mut all: Vec<f64> = sums.iter().map(|(sum, count)| sum / count).collect();
    let level = mean(&all);
    for f in &mut all {
        *f = if multiply { *f / level } else { *f - level };
    }
    all
}

/// The season of a series, taken out, and the line and the weight of what is left.
struct Fit {
    period: usize,
    /// Whether the season multiplies.
    multiply: bool,
    /// Factors, that of row 0 first; empty without a season.
    season: Vec<f64>,
    /// The series without its season.
    plain: Vec<f64>,
    /// Slope of the line.
    b0: f64,
    smoothing: Estimate,
}

/// Simple exponential smoothing.
const FORM: Form = Form {
    trend: None,
    seasonal: None,
    period: 1,
};

impl Fit {
    /// `wanted` is the period that the parameters or the dates tell.
    fn new(params: &ThetaParams, y: &[f64], wanted: Option<usize>) -> Result<Self, FitError> {
        let n = y.len();
        let mut period = 1;
        if params.deseasonalize {
            period = wanted.unwrap_or(1);
            if period > 1 && n < 2 * period {
                if params.period.is_some() {
                    return Err(refused(
                        "period",
                        format!(
                            "{n} rows are fewer than two seasons of {period}: set deseasonalize=false or take a longer span"
                        ),
                    ));
                }
                period = 1;
            }
            if period > 1
                && params.use_test
                && !seasonal(&differences(y, 1, usize::from(params.difference)), period)
            {
                period = 1;
            }
        }
        let multiply = match params.method {
            Method::Auto => y.iter().all(|v| *v > 0.0),
            Method::Multiplicative => true,
            Method::Additive => false,
        };
        let season = if period > 1 {
            factors(y, period, multiply)
        } else {
            Vec::new()
        };
        if multiply
            && period > 1
            && (y.iter().any(|v| *v <= 0.0) || season.iter().any(|f| *f <= 0.0))
        {
            return Err(FitError::Data(
                "a season that multiplies needs values above 0: set method=additive".into(),
            ));
        }
        let plain: Vec<f64> = y
            .iter()
            .enumerate()
            .map(|(t, v)| match season.get(t % period) {
                None => *v,
                Some(f) if multiply => v / f,
                Some(f) => v - f,
            })
            .collect();
        let line = [vec![1.0; n], (0..n).map(|t| t as f64).collect()];
        let b0 = least_squares(&line, &plain).map_or(f64::NAN, |fit| fit.beta[1]);
        let given = Given {
            alpha: None,
            beta: None,
            gamma: None,
            phi: Some(1.0),
        };
        let smoothing = smoothing::estimate(&FORM, &plain, &given, None);
        Ok(Self {
            period,
            multiply,
            season,
            plain,
            b0,
            smoothing,
        })
    }

    /// A value without the season of its row, with it.
    fn back(&self, t: usize, v: f64) -> f64 {
        match self.season.get(t % self.period) {
            None => v,
            Some(f) if self.multiply => v * f,
            Some(f) => v + f,
        }
    }

    /// The way there.
    fn without(&self, t: usize, v: f64) -> f64 {
        match self.season.get(t % self.period) {
            None => v,
            Some(f) if self.multiply => v / f,
            Some(f) => v - f,
        }
    }

    /// The forecast so many steps (from 1) after row n - 1, where the level stands.
    fn ahead(&self, params: &ThetaParams, level: f64, n: usize, steps: usize) -> f64 {
        let alpha = self.smoothing.weights.alpha;
        // (1 - (1-α)ⁿ)/α, which tends to n.
        let reach = if alpha < 1e-9 {
            n as f64
        } else {
            (1.0 - (1.0 - alpha).powf(n as f64)) / alpha
        };
        let share = (params.theta - 1.0) / params.theta;
        let h = steps as f64 - 1.0;
        self.back(n + steps - 1, level + share * self.b0 * (h + reach))
    }
}

/// A fit that goes on with its series: season, line and weight stay, the level moves on.
struct Following {
    params: ThetaParams,
    fit: Fit,
    state: State,
    rows: usize,
}

impl Tracker for Following {
    fn update(&mut self, value: f64) {
        let plain = self.fit.without(self.rows, value);
        FORM.update(&mut self.state, &self.fit.smoothing.weights, plain);
        self.rows += 1;
    }

    fn forecast(&self, steps: usize) -> f64 {
        self.fit
            .ahead(&self.params, self.state.level, self.rows, steps)
    }

    fn warnings(&self) -> Vec<String> {
        smoothing::unsettled(self.fit.smoothing.converged)
    }
}

impl Track for Theta {
    fn track(
        params: &ThetaParams,
        y: &[f64],
        _start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError> {
        if y.len() < 3 {
            return Err(FitError::Data(format!(
                "the series has {} rows and theta needs at least 3: take a longer span",
                y.len()
            )));
        }
        // Values alone, without dates: a season is one that is asked for.
        let fit = Fit::new(params, y, params.period)?;
        let (_, state) = FORM.run(&fit.plain, &fit.smoothing.weights);
        Ok(Box::new(Following {
            params: params.clone(),
            fit,
            state,
            rows: y.len(),
        }))
    }
}

impl Analysis for Theta {
    type Params = ThetaParams;
    const CARD: &'static Card = &CARD;

    fn analyse(params: &ThetaParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        reachable(ask.horizon)?;
        let y = checked(CARD.id, data, 0, 3)?;
        let n = y.len();
        let fit = Fit::new(params, &y, dates::period(params.period, data))?;
        let (fitted, state) = FORM.run(&fit.plain, &fit.smoothing.weights);
        let (period, multiply, season) = (fit.period, fit.multiply, &fit.season);
        let (alpha, b0) = (fit.smoothing.weights.alpha, fit.b0);
        let converged = fit.smoothing.converged;
        let back = |t: usize, v: f64| fit.back(t, v);
        let plain = &fit.plain;
        let forecast: Vec<f64> = (1..=ask.horizon)
            .map(|h| fit.ahead(params, state.level, n, h))
            .collect();
        finite(CARD.id, &forecast)?;
        let errors: Vec<f64> = plain.iter().zip(&fitted).map(|(a, b)| a - b).collect();
        let variance = mean_square(&errors);
        let std: Vec<f64> = (0..ask.horizon)
            .map(|h| {
                let own = (variance * (1.0 + h as f64 * alpha * alpha)).sqrt();
                let factor = season.get((n + h) % period);
                own * factor.filter(|_| multiply).copied().unwrap_or(1.0)
            })
            .collect();
        let fitted: Vec<f64> = fitted
            .iter()
            .enumerate()
            .map(|(t, v)| back(t, *v))
            .collect();
        let residuals: Vec<f64> = y.iter().zip(&fitted).map(|(a, b)| a - b).collect();
        let mut out = Outputs::new();
        put_forecast(&mut out, &forecast, &std, params.interval_alpha);
        out.insert("fitted".into(), run::numbers(&fitted));
        out.insert("residuals".into(), run::numbers(&residuals));
        out.insert("alpha".into(), number(alpha));
        out.insert("b0".into(), number(b0));
        let mut next = season.clone();
        next.rotate_left(if season.is_empty() { 0 } else { n % period });
        out.insert("season".into(), run::numbers(&next));
        out.insert("period".into(), period.into());
        out.insert("converged".into(), converged.into());
        out.insert("gaps".into(), dates::gaps(data));
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;
    use crate::time_series::engine::NO_MINIMUM;
    use mltrainer_catalogue_core::{ParamMap, Params as _};

    #[test]
    fn factors_by_hand() {
        // A line plus 1, -1: the centred mean of an even season is the line itself.
        let y: Vec<f64> = (0..8)
            .map(|t| f64::from(t) + if t % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        assert_near(&factors(&y, 2, false), &[1.0, -1.0], 1e-14);
    }

    #[test]
    fn a_search_that_did_not_end_on_a_minimum_is_said_while_following() {
        let params = ThetaParams::from_map(&ParamMap::new()).unwrap();
        // A random walk: its level is the last value, the weight on its upper bound, which is a minimum too.
        let text = include_str!("../../tests/data/closes.csv");
        let cell = |line: &str| line.split(',').nth(1).unwrap().parse::<f64>().unwrap();
        let closes: Vec<f64> = text.lines().skip(1).map(cell).collect();
        let tracker = Theta::track(&params, &closes, None).unwrap();
        assert_eq!(tracker.warnings(), Vec::<String>::new());
        let following = |converged| {
            let mut fit = Fit::new(&params, &closes, None).unwrap();
            fit.smoothing.converged = converged;
            let (_, state) = FORM.run(&fit.plain, &fit.smoothing.weights);
            Following {
                params: params.clone(),
                fit,
                state,
                rows: closes.len(),
            }
        };
        assert_eq!(following(false).warnings(), [NO_MINIMUM]);
        assert!(following(true).warnings().is_empty());
    }
}
