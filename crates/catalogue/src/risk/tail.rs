//! The lower tail of returns: value at risk and expected shortfall by several methods, and how past forecasts
//! of them came out.

use super::engine::{Input, ascending, at_least, changes, mean, quantile, shape, variance};
use super::metrics::lowest;
use super::quantiles::{normal_quantile, t_ln_density, t_quantile};
use crate::distributions::chi2_sf;
use crate::numeric::normal;
use crate::optimize::{Limits, bfgs};
use mltrainer_catalogue_core::{FitError, ParamError, SeriesTable, choices, params};
use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

choices! {
    /// How the tail is estimated.
    pub enum Method {
        /// From the past returns themselves.
        Historical = "historical",
        /// A normal distribution.
        Parametric = "parametric",
        /// Student's t by maximum likelihood.
        StudentT = "student_t",
        /// A normal quantile corrected for skewness and kurtosis.
        CornishFisher = "cornish_fisher",
        /// Simulated returns.
        MonteCarlo = "monte_carlo",
    }
}

choices! {
    /// What Monte Carlo draws from.
    pub enum Drawn {
        /// A normal distribution.
        Normal = "normal",
        /// Student's t by maximum likelihood.
        StudentT = "student_t",
        /// The past returns, with repetition.
        Bootstrap = "bootstrap",
    }
}

choices! {
    /// How a horizon of several rows follows from one.
    pub enum Scaling {
        /// Rows are independent and add up: means times h, deviations times √h.
        SquareRoot = "square_root",
        /// From overlapping compounded returns over h rows; Monte Carlo compounds its draws.
        Compounded = "compounded",
    }
}

params! {
    /// Parameters of value at risk and expected shortfall.
    pub struct TailParams {
        /// Confidence: the loss is worse in a share of 1 - confidence.
        confidence: f64 = 0.95, inside(0.0, 1.0);
        /// How the tail is estimated.
        method: Method = Method::Historical;
        /// Rows that the loss is over.
        horizon: usize = 1, within(1.0, 10_000.0);
        /// How a horizon of several rows follows from one.
        scaling: Scaling = Scaling::SquareRoot;
        /// What the series holds: returns, prices, or auto: prices where every value is above 0.
        input: Input = Input::Auto;
        /// Returns are multiplied by this: 0.01 for percent.
        scale: f64 = 1.0, above(0.0);
        /// Each row back in time weighs this much less, 0.94 for RiskMetrics; none: all rows alike. Not with
        /// student_t or a bootstrap.
        decay: Option<f64> = None, inside(0.0, 1.0);
        /// What monte_carlo draws from.
        distribution: Drawn = Drawn::Normal;
        /// Draws of monte_carlo.
        n_simulations: usize = 100_000, within(100.0, 5_000_000.0);
        /// Rows behind each of the past forecasts that are checked, of one row ahead; none: no check.
        window: Option<usize> = Some(250), within(20.0, 100_000.0);
        /// Seed of monte_carlo; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// A quantile and the mean beyond it, both returns: losses are negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tail {
    pub(super) var: f64,
    pub(super) es: f64,
}

impl Tail {
    fn of_standard(self, location: f64, scale: f64) -> Self {
        Self {
            var: location + scale * self.var,
            es: location + scale * self.es,
        }
    }
}

/// Location, scale and degrees of freedom of Student's t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Student {
    location: f64,
    scale: f64,
    pub(super) df: f64,
}

/// Degrees of freedom between which the likelihood is maximised: below the mean is hardly one, above the
/// distribution is normal.
const DF: (f64, f64) = (1.05, 1_000.0);

fn student(r: &[f64]) -> Result<Student, FitError> {
    let (centre, sd) = (mean(r), variance(r).sqrt());
    if !(sd.is_normal() && sd > 1e-14 * centre.abs()) {
        return Err(FitError::Data(
            "the returns do not vary, or are too large for doubles: Student's t cannot be fitted"
                .into(),
        ));
    }
    let df = |theta: f64| DF.0 + (DF.1 - DF.0) / (1.0 + (-theta).exp());
    let z: Vec<f64> = r.iter().map(|v| (v - centre) / sd).collect();
    let n = z.len() as f64;
    let minus_likelihood = |at: &[f64]| {
        let (location, scale, df) = (at[0], at[1].exp(), df(at[2]));
        // The density at 0 holds the gamma functions, once for all values.
        let sum: f64 = z
            .iter()
            .map(|z| ((z - location) / scale).powi(2) / df)
            .map(f64::ln_1p)
            .sum();
        n * (at[1] - t_ln_density(0.0, df)) + (df + 1.0) / 2.0 * sum
    };
    // From about 4 degrees of freedom, whose standard deviation is √2 scales.
    let start = [0.0, -0.35, -5.8];
    let found = bfgs(minus_likelihood, &start, &Limits::default());
    if !found.value.is_finite() {
        return Err(FitError::Failed(
            "the likelihood of Student's t has no finite maximum on these returns: use method=historical".into(),
        ));
    }
    Ok(Student {
        location: centre + sd * found.at[0],
        scale: sd * found.at[1].exp(),
        df: df(found.at[2]),
    })
}

fn standard_normal(alpha: f64) -> Tail {
    let z = normal_quantile(alpha);
    let height = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    Tail {
        var: z,
        es: -height / alpha,
    }
}

fn standard_student(alpha: f64, df: f64) -> Tail {
    let t = t_quantile(alpha, df);
    let height = t_ln_density(t, df).exp();
    Tail {
        var: t,
        es: -height / alpha * (df + t * t) / (df - 1.0),
    }
}

/// The expansion of Cornish and Fisher, and the mean of it below the quantile.
fn standard_cornish_fisher(alpha: f64, skew: f64, kurtosis: f64) -> Tail {
    let corrected = |z1: f64, z2: f64, z3: f64| {
        z1 + (z2 - 1.0) * skew / 6.0 + (z3 - 3.0 * z1) * kurtosis / 24.0
            - (2.0 * z3 - 5.0 * z1) * skew * skew / 36.0
    };
    let Tail { var: z, es: first } = standard_normal(alpha);
    // Means of z, z² and z³ below the quantile.
    let (second, third) = (1.0 + z * first, (z * z + 2.0) * first);
    Tail {
        var: corrected(z, z * z, z * z * z),
        es: corrected(first, second, third),
    }
}

/// Weights by age, the last row the heaviest, with sum 1.
fn by_age(n: usize, decay: f64) -> Vec<f64> {
    let raw: Vec<f64> = (0..n).map(|i| decay.powi((n - 1 - i) as i32)).collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|w| w / sum).collect()
}

/// The first return at which the weights of all lower ones and its own reach alpha, and the weighted mean of
/// what is below.
fn weighted(r: &[f64], weights: &[f64], alpha: f64) -> Tail {
    let mut pairs: Vec<(f64, f64)> = r.iter().copied().zip(weights.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut left, mut sum, mut var) = (alpha, 0.0, f64::NAN);
    for (value, weight) in pairs {
        var = value;
        sum += value * weight.min(left);
        left -= weight;
        if left <= 0.0 {
            break;
        }
    }
    Tail {
        var,
        es: sum / alpha,
    }
}

impl TailParams {
    /// The method whose tail a simulation of one row nears.
    fn exact(&self) -> Method {
        match (self.method, self.distribution) {
            (Method::MonteCarlo, Drawn::Normal) => Method::Parametric,
            (Method::MonteCarlo, Drawn::StudentT) => Method::StudentT,
            (Method::MonteCarlo, Drawn::Bootstrap) => Method::Historical,
            (method, _) => method,
        }
    }

    fn check(&self) -> Result<(), FitError> {
        let bootstrap = self.method == Method::MonteCarlo && self.distribution == Drawn::Bootstrap;
        if self.decay.is_some() && (bootstrap || self.exact() == Method::StudentT) {
            return Err(FitError::Param(ParamError {
                field: "decay".into(),
                reason: "student_t and a bootstrap take all rows alike: set it to none".into(),
                suggestions: Vec::new(),
            }));
        }
        Ok(())
    }

    fn alpha(&self) -> f64 {
        1.0 - self.confidence
    }

    /// Standard deviation, of rows by their age with a decay.
    fn deviation(&self, r: &[f64]) -> f64 {
        match self.decay {
            None => variance(r).sqrt(),
            Some(decay) => {
                let m = mean(r);
                let weights = by_age(r.len(), decay);
                let each = r.iter().zip(&weights);
                each.map(|(r, w)| w * (r - m).powi(2)).sum::<f64>().sqrt()
            }
        }
    }

    /// The tail of one row, or with means times h and deviations times √h that of h.
    fn closed(
        &self,
        method: Method,
        r: &[f64],
        h: f64,
    ) -> Result<(Tail, Option<Student>), FitError> {
        let alpha = self.alpha();
        let centre = mean(r);
        let (location, stretch) = (centre * h, h.sqrt());
        Ok(match method {
            Method::Historical | Method::MonteCarlo => {
                let tail = match self.decay {
                    Some(decay) => weighted(r, &by_age(r.len(), decay), alpha),
                    None => {
                        let sorted = ascending(r);
                        Tail {
                            var: quantile(&sorted, alpha),
                            es: mean(&sorted[..lowest(sorted.len(), alpha)]),
                        }
                    }
                };
                let moved = |v: f64| {
                    if h == 1.0 {
                        v
                    } else {
                        location + stretch * (v - centre)
                    }
                };
                let tail = Tail {
                    var: moved(tail.var),
                    es: moved(tail.es),
                };
                (tail, None)
            }
            Method::Parametric => {
                let sd = self.deviation(r);
                (
                    standard_normal(alpha).of_standard(location, stretch * sd),
                    None,
                )
            }
            Method::CornishFisher => {
                let sd = self.deviation(r);
                let (skew, kurtosis) = shape(r);
                // Over h independent rows skewness shrinks by √h, kurtosis by h.
                let (skew, kurtosis) = if skew.is_nan() {
                    (0.0, 0.0)
                } else {
                    (skew / stretch, kurtosis / h)
                };
                let standard = standard_cornish_fisher(alpha, skew, kurtosis);
                (standard.of_standard(location, stretch * sd), None)
            }
            Method::StudentT => {
                let fit = student(r)?;
                let standard = standard_student(alpha, fit.df);
                let tail = standard.of_standard(fit.location * h, stretch * fit.scale);
                (tail, Some(fit))
            }
        })
    }

    fn simulated(&self, r: &[f64], seed: u64) -> Result<(Tail, Option<Student>), FitError> {
        let draws = self.n_simulations as f64 * self.horizon as f64;
        if draws > 1e9 {
            return Err(FitError::Data(format!(
                "{draws:e} draws are more than 1e9: take fewer simulations or a shorter horizon"
            )));
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (centre, sd) = (mean(r), self.deviation(r));
        let fit = match self.distribution {
            Drawn::StudentT => Some(student(r)?),
            _ => None,
        };
        let compound = self.scaling == Scaling::Compounded;
        let mut all: Vec<f64> = (0..self.n_simulations)
            .map(|_| {
                let (mut sum, mut gross) = (0.0, 1.0);
                for _ in 0..self.horizon {
                    let drawn = match (self.distribution, &fit) {
                        (Drawn::Bootstrap, _) => r[random.gen_range(0..r.len())],
                        (_, Some(t)) => {
                            // Bailey's polar method (1994): a t variate from two uniform numbers.
                            let u = 1.0 - random.r#gen::<f64>();
                            let radius = (t.df * (u.powf(-2.0 / t.df) - 1.0)).sqrt();
                            let angle = std::f64::consts::TAU * random.r#gen::<f64>();
                            t.location + t.scale * radius * angle.cos()
                        }
                        (_, None) => centre + sd * normal(&mut random),
                    };
                    sum += drawn;
                    gross *= 1.0 + drawn;
                }
                if compound { gross - 1.0 } else { sum }
            })
            .collect();
        all.sort_by(f64::total_cmp);
        let tail = Tail {
            var: quantile(&all, self.alpha()),
            es: mean(&all[..lowest(all.len(), self.alpha())]),
        };
        Ok((tail, fit))
    }
}

/// Everything that the two entries state.
pub(super) struct Estimate {
    pub(super) tail: Tail,
    pub(super) student: Option<Student>,
    pub(super) mean: f64,
    pub(super) sd: f64,
    pub(super) skew: f64,
    pub(super) kurtosis: f64,
    /// Returns, or compounded ones, that the tail is of.
    pub(super) n: usize,
    /// Returns in the mean of the tail, when it is one of counted returns.
    pub(super) counted: Option<usize>,
    pub(super) check: Option<Check>,
    /// Rows of the series, the first of which has no return when it holds prices.
    rows: usize,
}

impl Estimate {
    /// One value a row of the series: null before the first forecast.
    pub(super) fn by_row(&self, of: fn(&Tail) -> f64) -> Vec<f64> {
        let Some(check) = &self.check else {
            return Vec::new();
        };
        let values = check.forecasts.iter().map(of);
        let before = self.rows - check.forecasts.len();
        std::iter::repeat_n(f64::NAN, before)
            .chain(values)
            .collect()
    }
}

/// Past forecasts of one row ahead, each from the rows before it, and what came.
pub(super) struct Check {
    pub(super) forecasts: Vec<Tail>,
    pub(super) came: Vec<f64>,
    alpha: f64,
}

/// Estimates the tail of the one series handed in.
pub(super) fn estimate(
    p: &TailParams,
    data: &SeriesTable,
    seed: u64,
) -> Result<Estimate, FitError> {
    p.check()?;
    let name = data.names().first().map_or("series", String::as_str);
    let x = data.series(0);
    let r = changes(&x, p.input, p.scale, name)?;
    at_least(&r, 2, name)?;
    let over = p.scaling == Scaling::Compounded && p.horizon > 1;
    let used: Vec<f64> = if over && p.method != Method::MonteCarlo {
        let compounded: Vec<f64> = r
            .windows(p.horizon)
            .map(|w| w.iter().map(|v| 1.0 + v).product::<f64>() - 1.0)
            .collect();
        at_least(&compounded, 2, name).map_err(|_| {
            FitError::Data(format!(
                "{} returns are too few to compound {} of them: give more rows or scaling=square_root",
                r.len(),
                p.horizon
            ))
        })?;
        compounded
    } else {
        r.clone()
    };
    let h = if over { 1.0 } else { p.horizon as f64 };
    let (tail, student) = match p.method {
        Method::MonteCarlo => p.simulated(&used, seed)?,
        method => p.closed(method, &used, h)?,
    };
    if !(tail.var.is_finite() && tail.es.is_finite()) {
        return Err(FitError::Failed(
            "the tail is not a finite number: the returns are too large for doubles, or the confidence is too near 1".into(),
        ));
    }
    let (skew, kurtosis) = shape(&used);
    Ok(Estimate {
        tail,
        student,
        mean: mean(&used),
        sd: variance(&used).sqrt(),
        skew,
        kurtosis,
        n: used.len(),
        counted: (p.method == Method::Historical && p.decay.is_none())
            .then(|| lowest(used.len(), p.alpha())),
        check: check(p, &r)?,
        rows: x.len(),
    })
}

fn check(p: &TailParams, r: &[f64]) -> Result<Option<Check>, FitError> {
    let Some(window) = p.window.filter(|w| *w < r.len()) else {
        return Ok(None);
    };
    let method = p.exact();
    let mut forecasts = Vec::with_capacity(r.len() - window);
    for past in r.windows(window).take(r.len() - window) {
        forecasts.push(p.closed(method, past, 1.0)?.0);
    }
    Ok(Some(Check {
        forecasts,
        came: r[window..].to_vec(),
        alpha: p.alpha(),
    }))
}

/// A likelihood ratio and its p-value.
pub(super) struct Ratio {
    pub(super) statistic: f64,
    pub(super) p_value: f64,
}

/// a ln b, 0 when a is.
fn a_ln_b(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a * b.ln() }
}

impl Check {
    /// Whether each day was worse than its value at risk.
    pub(super) fn hits(&self) -> Vec<bool> {
        self.came
            .iter()
            .zip(&self.forecasts)
            .map(|(r, t)| *r < t.var)
            .collect()
    }

    pub(super) fn days(&self) -> f64 {
        self.came.len() as f64
    }

    pub(super) fn exceedances(&self) -> f64 {
        self.hits().iter().filter(|h| **h).count() as f64
    }

    pub(super) fn expected(&self) -> f64 {
        self.alpha * self.days()
    }

    /// Kupiec's test that exceedances come as often as they should, one degree of freedom.
    pub(super) fn kupiec(&self) -> Ratio {
        let (n, x) = (self.days(), self.exceedances());
        let likelihood = |p: f64| a_ln_b(n - x, 1.0 - p) + a_ln_b(x, p);
        let statistic = (2.0 * (likelihood(x / n) - likelihood(self.alpha))).max(0.0);
        Ratio {
            statistic,
            p_value: chi2_sf(statistic, 1.0),
        }
    }

    /// Christoffersen's test that an exceedance does not make the next one likelier, one degree of freedom.
    pub(super) fn independence(&self) -> Ratio {
        let hits = self.hits();
        let mut counts = [[0.0_f64; 2]; 2];
        for pair in hits.windows(2) {
            counts[usize::from(pair[0])][usize::from(pair[1])] += 1.0;
        }
        let [[quiet, first], [last, again]] = counts;
        let all = (first + again) / (quiet + first + last + again);
        let (after_quiet, after_hit) = (first / (quiet + first), again / (last + again));
        let one = a_ln_b(quiet + last, 1.0 - all) + a_ln_b(first + again, all);
        let two = a_ln_b(quiet, 1.0 - after_quiet)
            + a_ln_b(first, after_quiet)
            + a_ln_b(last, 1.0 - after_hit)
            + a_ln_b(again, after_hit);
        let statistic = (2.0 * (two - one)).max(0.0);
        Ratio {
            statistic,
            p_value: chi2_sf(statistic, 1.0),
        }
    }

    /// Christoffersen's test of both together, two degrees of freedom.
    pub(super) fn coverage(&self) -> Ratio {
        let statistic = self.kupiec().statistic + self.independence().statistic;
        Ratio {
            statistic,
            p_value: chi2_sf(statistic, 2.0),
        }
    }

    /// The Basel zone: by the binomial probability of at most so many exceedances, green under 95 %, yellow
    /// under 99.99 %, else red.
    pub(super) fn zone(&self) -> &'static str {
        let (n, x, p) = (self.days(), self.exceedances(), self.alpha);
        let mut term = (n * (1.0 - p).ln()).exp();
        let (mut sum, mut k) = (term, 0.0);
        while k < x {
            term *= (n - k) / (k + 1.0) * p / (1.0 - p);
            sum += term;
            k += 1.0;
        }
        match sum {
            s if s < 0.95 => "green",
            s if s < 0.9999 => "yellow",
            _ => "red",
        }
    }

    /// The second statistic of Acerbi and Székely: 0 on average when the shortfalls are right, below 0 when
    /// losses beyond the value at risk are more or larger.
    pub(super) fn acerbi_szekely(&self) -> f64 {
        let pairs = self.came.iter().zip(&self.forecasts);
        let beyond = pairs.filter(|(r, t)| **r < t.var);
        1.0 - beyond.map(|(r, t)| r / t.es).sum::<f64>() / self.expected()
    }

    /// Mean of the returns that were worse than the value at risk, over that of the shortfalls stated for them.
    pub(super) fn severity(&self) -> f64 {
        let pairs = self.came.iter().zip(&self.forecasts);
        let beyond: Vec<(f64, f64)> = pairs
            .filter(|(r, t)| **r < t.var)
            .map(|(r, t)| (*r, t.es))
            .collect();
        let (came, said): (Vec<f64>, Vec<f64>) = beyond.into_iter().unzip();
        mean(&came) / mean(&said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    /// A check with 250 days of which these were exceeded.
    fn checked(hits: &[usize], alpha: f64, days: usize) -> Check {
        Check {
            forecasts: vec![
                Tail {
                    var: -1.0,
                    es: -2.0
                };
                days
            ],
            came: (0..days)
                .map(|d| if hits.contains(&d) { -3.0 } else { 0.5 })
                .collect(),
            alpha,
        }
    }

    #[test]
    fn coverage_tests_are_those_of_their_papers() {
        // Kupiec (1995), 255 days at 99 %: up to 6 exceedances are not rejected at 5 %, 7 are.
        let six = checked(&[5, 50, 90, 130, 170, 210], 0.01, 255).kupiec();
        let seven = checked(&[5, 50, 90, 130, 170, 210, 250], 0.01, 255).kupiec();
        assert!(six.p_value > 0.05 && seven.p_value < 0.05);
        // None at all: -2 · 255 ln 0.99.
        let none = checked(&[], 0.01, 255).kupiec();
        assert_near(&[none.statistic], &[-510.0 * 0.99f64.ln()], 1e-12);
        // Basel: 250 days at 99 %, green to 4, yellow to 9, red from 10.
        for (count, zone) in [(4, "green"), (5, "yellow"), (9, "yellow"), (10, "red")] {
            let hits: Vec<usize> = (0..count).map(|k| 20 * k).collect();
            assert_eq!(checked(&hits, 0.01, 250).zone(), zone);
        }
        // Ten exceedances in a row of 100 days: 88 quiet pairs, 1 into, 9 within, 1 out of the cluster.
        let row: Vec<usize> = (40..50).collect();
        let found = checked(&row, 0.1, 100).independence();
        let one = 89.0 * (89.0f64 / 99.0).ln() + 10.0 * (10.0f64 / 99.0).ln();
        let two =
            88.0 * (88.0f64 / 89.0).ln() + (1.0f64 / 89.0).ln() + (0.1f64).ln() + 9.0 * 0.9f64.ln();
        assert_near(&[found.statistic], &[2.0 * (two - one)], 1e-10);
        // 10 exceedances of -3 where -2 was said, as many as expected: 1 - 1.5.
        assert_near(&[checked(&row, 0.1, 100).acerbi_szekely()], &[-0.5], 1e-12);
        assert_near(&[checked(&row, 0.1, 100).severity()], &[1.5], 1e-12);
    }

    #[test]
    fn standard_tails_are_those_of_numerical_integration() {
        // scipy 1.17.1: norm, t and the expansion, quad of the quantile function over (0, alpha)/alpha.
        let normal = [-1.959_963_984_540_054_5, -2.337_802_792_201_414_6];
        let student = [-2.776_445_105_197_794_3, -3.993_557_022_712_854];
        let expanded = [-2.242_696_849_648_155, -2.943_279_975_628_992_2];
        for (got, want) in [
            (standard_normal(0.025), normal),
            (standard_student(0.025, 4.0), student),
            (standard_cornish_fisher(0.025, -0.5, 1.2), expanded),
        ] {
            assert_near(&[got.var, got.es], &want, 1e-9);
        }
    }

    #[test]
    fn weights_of_age_by_hand() {
        // decay 0.5 over 3 rows: 1/7 2/7 4/7.
        assert_near(&by_age(3, 0.5), &[1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0], 1e-15);
        // Below: -2 with 1/7, then -1 with what is left of 0.3.
        let t = weighted(&[-2.0, -1.0, 3.0], &by_age(3, 0.5), 0.3);
        assert_near(
            &[t.var, t.es],
            &[-1.0, (-2.0 / 7.0 - (0.3 - 1.0 / 7.0)) / 0.3],
            1e-12,
        );
    }
}
