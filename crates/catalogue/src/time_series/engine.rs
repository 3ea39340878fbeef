//! What the time-series models share: checks of a series, least squares, distribution functions, intervals,
//! tests of residuals.

use crate::numeric::{add_scaled, dot};
use mltrainer_catalogue_core::{FitError, Outputs, ParamError, SeriesTable, run};
use serde_json::{Value, json};

/// Steps that a forecast may reach.
const FURTHEST: usize = 100_000;

/// What is said of a search that did not end on a maximum.
pub(crate) const NO_MAXIMUM: &str = "the search ended without a maximum of the likelihood: the estimates are the best that were met";

/// The same where weights are found by least squares.
pub(crate) const NO_MINIMUM: &str = "the search for the weights ended without a minimum of the squared errors: they are the best that were met";

/// A refusal of a parameter that only the data or another parameter shows.
pub(crate) fn refused(field: &str, reason: impl Into<String>) -> FitError {
    FitError::Param(ParamError {
        field: field.to_owned(),
        reason: reason.into(),
        suggestions: Vec::new(),
    })
}

/// The first series, with as many rows as the method needs and more than one value in it.
///
/// # Errors
/// [`FitError::Data`] naming the series, the rows it has and needs.
pub(crate) fn checked(
    id: &str,
    data: &SeriesTable,
    at: usize,
    need: usize,
) -> Result<Vec<f64>, FitError> {
    let y = data.series(at);
    let name = &data.names()[at];
    if y.len() < need {
        return Err(FitError::Data(format!(
            "series \"{name}\" has {} rows and {id} with these parameters needs at least {need}: take a longer span or a smaller model",
            y.len()
        )));
    }
    if y.iter().all(|v| *v == y[0]) {
        return Err(FitError::Data(format!(
            "series \"{name}\" is constant ({}): {id} has nothing to estimate",
            y[0]
        )));
    }
    Ok(y)
}

/// Refuses a horizon that no machine would finish.
///
/// # Errors
/// [`FitError::Data`].
pub(crate) fn reachable(horizon: usize) -> Result<(), FitError> {
    if horizon > FURTHEST {
        return Err(FitError::Data(format!(
            "horizon {horizon}: it must be at most {FURTHEST}"
        )));
    }
    Ok(())
}

/// An estimate that is not a finite number, said so.
///
/// # Errors
/// [`FitError::Failed`].
pub(crate) fn finite(id: &str, values: &[f64]) -> Result<(), FitError> {
    if values.iter().all(|v| v.is_finite()) {
        return Ok(());
    }
    Err(FitError::Failed(format!(
        "{id}: the estimates leave the finite numbers; rescale the series, for example divide it by its standard deviation"
    )))
}

/// Mean of some numbers.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean square.
pub(crate) fn mean_square(values: &[f64]) -> f64 {
    dot(values, values) / values.len() as f64
}

/// Differences at a lag, `times` times; shorter by `lag * times`.
pub(crate) fn differences(values: &[f64], lag: usize, times: usize) -> Vec<f64> {
    let mut all = values.to_vec();
    for _ in 0..times {
        all = (lag..all.len()).map(|t| all[t] - all[t - lag]).collect();
    }
    all
}

/// Least squares of `y` on columns.
pub(crate) struct LeastSquares {
    /// One a column.
    pub(crate) beta: Vec<f64>,
    /// (XᵀX)⁻¹ by rows.
    pub(crate) inverse: Vec<Vec<f64>>,
    /// y - Xb.
    pub(crate) residuals: Vec<f64>,
}

/// Least squares by orthogonalising the columns twice (Gram-Schmidt with reorthogonalisation). The error
/// is the place of the first column that is a combination of those before it.
pub(crate) fn least_squares(columns: &[Vec<f64>], y: &[f64]) -> Result<LeastSquares, usize> {
    let k = columns.len();
    let mut q: Vec<Vec<f64>> = Vec::with_capacity(k);
    // R by columns: column j has entries 0..=j.
    let mut r: Vec<Vec<f64>> = Vec::with_capacity(k);
    for (j, column) in columns.iter().enumerate() {
        let size = dot(column, column).sqrt();
        let mut left = column.clone();
        let mut entries = vec![0.0; j + 1];
        for _ in 0..2 {
            for (i, direction) in q.iter().enumerate() {
                let share = dot(direction, &left);
                entries[i] += share;
                add_scaled(&mut left, -share, direction);
            }
        }
        let rest = dot(&left, &left).sqrt();
        if rest.is_nan() || rest <= 1e-10 * size || rest == 0.0 || rest.is_infinite() {
            return Err(j);
        }
        left.iter_mut().for_each(|v| *v /= rest);
        entries[j] = rest;
        q.push(left);
        r.push(entries);
    }
    let mut residuals = y.to_vec();
    let mut beta = vec![0.0; k];
    for (b, direction) in beta.iter_mut().zip(&q) {
        *b = dot(direction, &residuals);
        add_scaled(&mut residuals, -*b, direction);
    }
    // Columns of R⁻¹.
    let mut roots: Vec<Vec<f64>> = Vec::with_capacity(k);
    for j in 0..k {
        let mut e = vec![0.0; k];
        e[j] = 1.0;
        back_substitute(&r, &mut e);
        roots.push(e);
    }
    back_substitute(&r, &mut beta);
    let inverse = (0..k)
        .map(|a| {
            (0..k)
                .map(|b| roots.iter().map(|c| c[a] * c[b]).sum())
                .collect()
        })
        .collect();
    Ok(LeastSquares {
        beta,
        inverse,
        residuals,
    })
}

/// b becomes R⁻¹ b for R given by columns of its upper triangle.
fn back_substitute(r: &[Vec<f64>], b: &mut [f64]) {
    for j in (0..r.len()).rev() {
        b[j] /= r[j][j];
        let (head, tail) = b.split_at_mut(j);
        add_scaled(head, -tail[0], &r[j][..j]);
    }
}

/// The point that a standard normal number stays below with probability `p`, to full precision: the
/// rational form of Acklam (2003) and one step of Halley's method.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
    ];
    if p <= 0.0 || p >= 1.0 {
        return if p <= 0.0 {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    let horner = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        horner(&C, q) / (horner(&D, q) * q + 1.0)
    };
    let x = if p < 0.024_25 {
        tail(p)
    } else if p > 1.0 - 0.024_25 {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        horner(&A, r) * q / (horner(&B, r) * r + 1.0)
    };
    let error = 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2) - p;
    let u = error * std::f64::consts::TAU.sqrt() * (x * x / 2.0).exp();
    x - u / (1.0 + x * u / 2.0)
}

/// P(X > x) for X of the chi-squared distribution: the regularised upper incomplete gamma function by
/// its series or its continued fraction.
pub(crate) fn chi_squared_tail(x: f64, degrees: f64) -> f64 {
    if x.is_nan() || degrees.is_nan() || degrees <= 0.0 {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    let (a, x) = (degrees / 2.0, x / 2.0);
    let front = (a * x.ln() - x - libm::lgamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..10_000 {
            term *= x / (a + f64::from(n));
            sum += term;
            if term.abs() < sum.abs() * 1e-17 {
                break;
            }
        }
        return 1.0 - front * sum;
    }
    let tiny = 1e-300;
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / tiny, 1.0 / b);
    let mut h = d;
    for n in 1..10_000 {
        let n = f64::from(n);
        let an = -n * (n - a);
        b += 2.0;
        d = an * d + b;
        d = if d.abs() < tiny { tiny } else { d };
        c = b + an / c;
        c = if c.abs() < tiny { tiny } else { c };
        d = 1.0 / d;
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    front * h
}

/// Puts `forecast`, `forecast_std`, `forecast_lower` and `forecast_upper` of normal forecasts.
pub(crate) fn put_forecast(outputs: &mut Outputs, forecast: &[f64], std: &[f64], alpha: f64) {
    let width = normal_quantile(1.0 - alpha / 2.0);
    let shifted = |by: f64| -> Vec<f64> {
        let pairs = forecast.iter().zip(std);
        pairs.map(|(f, s)| f + by * s).collect()
    };
    outputs.insert("forecast".into(), run::numbers(forecast));
    outputs.insert("forecast_std".into(), run::numbers(std));
    outputs.insert("forecast_lower".into(), run::numbers(&shifted(-width)));
    outputs.insert("forecast_upper".into(), run::numbers(&shifted(width)));
}

/// The criteria of a likelihood of `n` observations with `k` estimated numbers.
pub(crate) fn put_criteria(outputs: &mut Outputs, log_likelihood: f64, k: usize, n: usize) {
    let (k, n) = (k as f64, n as f64);
    let aicc = if n - k - 1.0 > 0.0 {
        -2.0 * log_likelihood + 2.0 * k * n / (n - k - 1.0)
    } else {
        f64::NAN
    };
    let all = [
        ("log_likelihood", log_likelihood),
        ("aic", -2.0 * log_likelihood + 2.0 * k),
        ("aicc", aicc),
        ("bic", -2.0 * log_likelihood + k * n.ln()),
        ("hqic", -2.0 * log_likelihood + 2.0 * k * n.ln().ln()),
    ];
    for (name, value) in all {
        outputs.insert(name.into(), number(value));
    }
}

/// A number, or null where it is not finite.
pub(crate) fn number(value: f64) -> Value {
    Value::from(mltrainer_types::finite(value))
}

/// Numbers, or null where one is not there.
pub(crate) fn gappy(values: &[Option<f64>]) -> Value {
    values
        .iter()
        .map(|v| v.map_or(Value::Null, number))
        .collect()
}

/// Ljung-Box test of residuals at one number of lags: statistic and p value, the degrees of freedom less
/// by the number of estimated coefficients (null when none remain).
pub(crate) fn ljung_box(residuals: &[f64], coefficients: usize) -> Value {
    let n = residuals.len();
    // min(10, n/5), Hyndman & Athanasopoulos (2021), 5.4; and more than the coefficients, where rows allow it.
    let lags = (n / 5)
        .min(10)
        .max(coefficients + 3)
        .min(n.saturating_sub(1));
    if lags == 0 {
        return Value::Null;
    }
    let level = mean(residuals);
    let centred: Vec<f64> = residuals.iter().map(|v| v - level).collect();
    let all = dot(&centred, &centred);
    let sum: f64 = (1..=lags)
        .map(|k| {
            let r = dot(&centred[k..], &centred[..n - k]) / all;
            r * r / (n - k) as f64
        })
        .sum();
    let statistic = n as f64 * (n as f64 + 2.0) * sum;
    let degrees = lags.saturating_sub(coefficients);
    json!({
        "lags": lags,
        "degrees_of_freedom": degrees,
        "statistic": number(statistic),
        "p_value": number(chi_squared_tail(statistic, degrees as f64)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn distribution_functions() {
        // scipy 1.17.1: norm.ppf and chi2.sf.
        let quantiles: Vec<f64> = [0.975, 0.001, 0.5, 0.9].map(normal_quantile).to_vec();
        let want = [
            1.959_963_984_540_054,
            -3.090_232_306_167_813,
            0.0,
            1.281_551_565_544_600_4,
        ];
        assert_near(&quantiles, &want, 1e-14);
        let tails = [(3.84, 1.0), (20.0, 10.0), (1.0, 10.0), (0.5, 3.0)]
            .map(|(x, k)| chi_squared_tail(x, k));
        let want = [
            0.050_043_521_248_705_16,
            0.029_252_688_076_961_075,
            0.999_827_884_370_044_1,
            0.918_891_411_654_675_9,
        ];
        assert_near(&tails, &want, 1e-13);
    }

    #[test]
    fn least_squares_by_hand() {
        // y = 1 + 2 t at t = 0, 1, 2 with errors 1, -2, 1, which are orthogonal to both columns.
        let columns = [vec![1.0; 3], vec![0.0, 1.0, 2.0]];
        let fit = least_squares(&columns, &[2.0, 1.0, 6.0]).ok().unwrap();
        assert_near(&fit.beta, &[1.0, 2.0], 1e-14);
        assert_near(&fit.residuals, &[1.0, -2.0, 1.0], 1e-14);
        // (XᵀX)⁻¹ = [[5, -3], [-3, 3]]/6.
        assert_near(&fit.inverse[0], &[5.0 / 6.0, -0.5], 1e-14);
        let twice = [vec![1.0; 3], vec![2.0; 3]];
        assert_eq!(least_squares(&twice, &[1.0, 2.0, 3.0]).err(), Some(1));
    }
}
