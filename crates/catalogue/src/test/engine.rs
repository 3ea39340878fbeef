//! What the tests share: least squares with the sums of all nested regressions, the Dickey-Fuller
//! regression, deterministic terms, shapes of outputs.

use crate::distributions::LN_2PI;
use crate::numeric::dot;
use mltrainer_catalogue_core::{FitError, SeriesTable, choices};
use mltrainer_types::finite;
use serde_json::{Map, Value};

choices! {
    /// Deterministic terms of a regression.
    pub enum Trend {
        /// None.
        None = "n",
        /// A constant.
        Constant = "c",
        /// A constant and a linear trend.
        Linear = "ct",
        /// A constant, a linear and a quadratic trend.
        Quadratic = "ctt",
    }
}

choices! {
    /// How a number of lags is chosen among those up to a largest one.
    pub enum Autolag {
        /// Least Akaike criterion.
        Aic = "AIC",
        /// Least Bayesian criterion.
        Bic = "BIC",
        /// From the largest downwards, the first whose last lag has |t| of at least 1.645.
        TStat = "t-stat",
    }
}

impl Trend {
    /// Number of terms.
    pub(crate) fn terms(self) -> usize {
        match self {
            Self::None => 0,
            Self::Constant => 1,
            Self::Linear => 2,
            Self::Quadratic => 3,
        }
    }

    /// The terms as columns, time counted from 1.
    pub(crate) fn columns(self, rows: usize) -> Vec<Vec<f64>> {
        (0..self.terms())
            .map(|power| (1..=rows).map(|t| (t as f64).powi(power as i32)).collect())
            .collect()
    }
}

/// Least squares of one column on others, by Householder reflections of the scaled columns.
pub(crate) struct LeastSquares {
    rows: usize,
    /// Upper triangle by columns, of the scaled columns.
    r: Vec<Vec<f64>>,
    /// Qᵀy.
    rotated: Vec<f64>,
    scales: Vec<f64>,
}

/// A column whose part outside the span of those before it is smaller than this, relative to its
/// length, is in their span.
const COLLINEAR: f64 = 1e-11;

impl LeastSquares {
    /// Of `y` on columns of the same length, of which there are fewer than rows.
    ///
    /// # Errors
    /// When there are too few rows, a column is zero or in the span of those before it, or a sum of
    /// squares is beyond what doubles hold.
    pub(crate) fn new(y: &[f64], columns: &[Vec<f64>]) -> Result<Self, FitError> {
        let rows = y.len();
        if rows <= columns.len() {
            return Err(FitError::Data(format!(
                "{rows} rows for a regression on {} columns: there must be more rows; take fewer lags or a longer series",
                columns.len()
            )));
        }
        let mut rotated = y.to_vec();
        let (mut r, mut scales) = (Vec::<Vec<f64>>::new(), Vec::new());
        let mut reflectors: Vec<Vec<f64>> = Vec::new();
        for (k, column) in columns.iter().enumerate() {
            let largest = column.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            let mut scaled: Vec<f64> = column.iter().map(|v| v / largest).collect();
            let length = dot(&scaled, &scaled).sqrt();
            let scale = largest * length;
            if !(scale.is_normal() && length.is_finite()) {
                return Err(FitError::Data(format!(
                    "column {} of the regression is zero or too large to square: the series must vary; rescale it",
                    k + 1
                )));
            }
            scaled.iter_mut().for_each(|v| *v /= length);
            for (at, reflector) in reflectors.iter().enumerate() {
                reflect(&mut scaled[at..], reflector);
            }
            let below = dot(&scaled[k..], &scaled[k..]).sqrt();
            if below < COLLINEAR {
                return Err(FitError::Data(format!(
                    "column {} of the regression is a combination of the others (the series is constant, a straight line, or one series determines another): leave it out or take fewer lags",
                    k + 1
                )));
            }
            let mut reflector = scaled[k..].to_vec();
            let sign = if reflector[0] < 0.0 { -1.0 } else { 1.0 };
            reflector[0] += sign * below;
            let norm = dot(&reflector, &reflector).sqrt();
            reflector.iter_mut().for_each(|v| *v /= norm);
            reflect(&mut scaled[k..], &reflector);
            reflect(&mut rotated[k..], &reflector);
            scaled.truncate(k + 1);
            r.push(scaled);
            scales.push(scale);
            reflectors.push(reflector);
        }
        if rotated.iter().any(|v| !v.is_finite()) || !dot(&rotated, &rotated).is_finite() {
            return Err(FitError::Data(
                "the sum of squares is too large for doubles: rescale the series".into(),
            ));
        }
        Ok(Self {
            rows,
            r,
            rotated,
            scales,
        })
    }

    /// Sum of squared residuals on the first `k` columns alone.
    pub(crate) fn sse(&self, k: usize) -> f64 {
        dot(&self.rotated[k..], &self.rotated[k..])
    }

    /// Whether the first `k` columns leave nothing of the target but rounding.
    pub(crate) fn exact(&self, k: usize) -> bool {
        self.sse(k) <= 1e-22 * dot(&self.rotated, &self.rotated)
    }

    /// Coefficients on the first `k` columns alone.
    pub(crate) fn coefficients(&self, k: usize) -> Vec<f64> {
        let mut beta = self.rotated[..k].to_vec();
        self.back(&mut beta);
        beta.iter_mut().zip(&self.scales).for_each(|(b, s)| *b /= s);
        beta
    }

    /// b becomes R⁻¹ b for the leading block of the size of b.
    fn back(&self, b: &mut [f64]) {
        for i in (0..b.len()).rev() {
            b[i] /= self.r[i][i];
            for j in 0..i {
                b[j] -= b[i] * self.r[i][j];
            }
        }
    }

    /// Rows of R⁻¹ of the first `k` columns, in their units: (XᵀX)⁻¹ = R⁻¹ R⁻ᵀ.
    fn inverse(&self, k: usize) -> Vec<Vec<f64>> {
        let mut rows = vec![vec![0.0; k]; k];
        for j in 0..k {
            let mut unit = vec![0.0; k];
            unit[j] = 1.0;
            self.back(&mut unit);
            for (i, row) in rows.iter_mut().enumerate() {
                row[j] = unit[i] / self.scales[i];
            }
        }
        rows
    }

    /// (XᵀX)⁻¹ of the first `k` columns, by rows.
    pub(crate) fn covariance(&self, k: usize) -> Vec<Vec<f64>> {
        let rows = self.inverse(k);
        let row = |a: &[f64]| rows.iter().map(|b| dot(a, b)).collect();
        rows.iter().map(|a| row(a)).collect()
    }

    /// t statistics of the first `k` columns alone.
    pub(crate) fn t_values(&self, k: usize) -> Vec<f64> {
        let variance = self.sse(k) / (self.rows - k) as f64;
        let errors = self.inverse(k);
        let errors = errors.iter().map(|row| (variance * dot(row, row)).sqrt());
        self.coefficients(k)
            .iter()
            .zip(errors)
            .map(|(b, e)| b / e)
            .collect()
    }

    /// Gaussian log likelihood on the first `k` columns alone.
    pub(crate) fn log_likelihood(&self, k: usize) -> f64 {
        let n = self.rows as f64;
        -0.5 * n * (LN_2PI + (self.sse(k) / n).ln() + 1.0)
    }
}

/// v -= 2 (h·v) h.
fn reflect(v: &mut [f64], h: &[f64]) {
    let by = 2.0 * dot(h, v);
    crate::numeric::add_scaled(v, -by, h);
}

/// y less its fit by `columns` with these coefficients.
pub(crate) fn residuals(y: &[f64], columns: &[Vec<f64>], beta: &[f64]) -> Vec<f64> {
    let mut e = y.to_vec();
    for (column, b) in columns.iter().zip(beta) {
        crate::numeric::add_scaled(&mut e, -b, column);
    }
    e
}

/// A Dickey-Fuller regression.
pub(crate) struct DickeyFuller {
    pub(crate) statistic: f64,
    pub(crate) lags: usize,
    pub(crate) rows: usize,
    /// The criterion at its best, when lags were chosen.
    pub(crate) criterion: Option<f64>,
}

/// Differences on the level before, so many lagged differences and deterministic terms: the t statistic of
/// the level. `maxlag` none is ⌈12 (n/100)^¼⌉, at most n/2 - terms - 1.
///
/// # Errors
/// A constant or too short series, more lags than rows allow, a regression without a remainder.
pub(crate) fn dickey_fuller(
    x: &[f64],
    trend: Trend,
    maxlag: Option<usize>,
    autolag: Option<Autolag>,
) -> Result<DickeyFuller, FitError> {
    let n = x.len();
    let terms = trend.terms();
    varies(x, "the series")?;
    let most = (n / 2).checked_sub(terms + 1).ok_or_else(|| {
        FitError::Data(format!(
            "{n} rows are too few for a Dickey-Fuller regression with {terms} deterministic terms: give at least {}",
            2 * (terms + 3)
        ))
    })?;
    let maxlag = match maxlag {
        None => most.min((12.0 * (n as f64 / 100.0).powf(0.25)).ceil() as usize),
        Some(lag) if lag <= most => lag,
        Some(lag) => {
            return Err(FitError::Data(format!(
                "maxlag {lag} is too large for {n} rows: it may be at most {most}"
            )));
        }
    };
    let change: Vec<f64> = x.windows(2).map(|w| w[1] - w[0]).collect();
    let regression = |lags: usize| {
        let rows = change.len() - lags;
        let mut columns = trend.columns(rows);
        columns.push(x[lags..lags + rows].to_vec());
        for lag in 1..=lags {
            columns.push(change[lags - lag..lags - lag + rows].to_vec());
        }
        LeastSquares::new(&change[lags..], &columns).map(|fit| (fit, rows))
    };
    let (lags, criterion) = match autolag {
        None => (maxlag, None),
        Some(by) => {
            let (fit, rows) = regression(maxlag)?;
            let widths = terms + 1..=terms + 1 + maxlag;
            let chosen = match by {
                Autolag::TStat => {
                    const STOP: f64 = 1.644_853_626_951_472_2;
                    let last = |k: usize| {
                        let t = fit.t_values(k);
                        t.last().copied().unwrap_or_default().abs()
                    };
                    let mut tried = widths.rev().map(|k| (last(k), k));
                    let found = tried.find(|(t, k)| *t >= STOP || *k == terms + 1);
                    found.unwrap_or((0.0, terms + 1 + maxlag))
                }
                Autolag::Aic | Autolag::Bic => {
                    let each = if by == Autolag::Aic {
                        2.0
                    } else {
                        (rows as f64).ln()
                    };
                    let value = |k: usize| each * k as f64 - 2.0 * fit.log_likelihood(k);
                    widths.fold((f64::INFINITY, terms + 1), |best, k| {
                        let now = value(k);
                        if now < best.0 { (now, k) } else { best }
                    })
                }
            };
            (chosen.1 - terms - 1, Some(chosen.0))
        }
    };
    let (fit, rows) = regression(lags)?;
    let width = terms + 1 + lags;
    if fit.exact(width) {
        return Err(FitError::Data(
            "the Dickey-Fuller regression fits without a remainder, so it has no t statistic: the series follows a formula".into(),
        ));
    }
    Ok(DickeyFuller {
        statistic: fit.t_values(width)[terms],
        lags,
        rows,
        criterion,
    })
}

/// That not all values are one.
///
/// # Errors
/// Naming `what`.
pub(crate) fn varies(x: &[f64], what: &str) -> Result<(), FitError> {
    match x.iter().any(|v| *v != x[0]) {
        true => Ok(()),
        false => Err(FitError::Data(format!(
            "{what} is constant: the test needs a series that varies"
        ))),
    }
}

/// All series of a table.
pub(crate) fn all(data: &SeriesTable) -> Vec<Vec<f64>> {
    (0..data.names().len()).map(|k| data.series(k)).collect()
}

/// An object of numbers by name, null where there is none.
pub(crate) fn named<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<f64>)>) -> Value {
    let each = pairs.into_iter();
    let each = each.map(|(name, v)| (name.to_owned(), Value::from(v.and_then(finite))));
    Value::Object(Map::from_iter(each))
}

/// Critical values at 1%, 5% and 10% by name.
pub(crate) fn critical(values: Option<[f64; 3]>) -> Value {
    named(
        ["1%", "5%", "10%"]
            .into_iter()
            .enumerate()
            .map(|(k, name)| (name, values.map(|v| v[k]))),
    )
}

/// A number, null when it is not finite.
pub(crate) fn number(x: f64) -> Value {
    Value::from(finite(x))
}
