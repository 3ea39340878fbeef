//! Returns of assets, and estimates of their covariance and expected values.
//!
//! What: simple returns from prices, five covariances, four expected returns and views in their place, all annual.
//! Formula: of daily returns r (rows t, assets i) with means m, times the rows a year: sample Σ (r-m)(r-m)ᵀ/(T-1);
//! exponential Σ v_t (r-m)(r-m)ᵀ with weights v_t that fall by 2/(span+1) a row back; Ledoit-Wolf and OAS
//! (1-s) S + s tr(S)/n I with S of divisor T and their estimates of s; factor V Λ Vᵀ of the largest principal
//! components of the sample covariance, its own variances on the diagonal.
//! Data: prices above 0, a day a row, oldest first.
//! Cost: O(T n²) for T rows and n assets; O(n³) for the factor covariance.
//! Fails when: a price is not above 0, or there are fewer than 3 rows.
//! Source: Ledoit, Wolf, J. Multivariate Analysis 88 (2004); Chen, Wiesel, Eldar, Hero, IEEE Trans. Signal Processing
//! 58 (2010); conventions of scikit-learn 1.9 and PyPortfolioOpt 1.6.
//! Not claimed: that the past mean is a forecast: its error is most often larger than itself.

use super::settings::{Amounts, place, refused};
use crate::numeric::{Cholesky, dot, eigh, flat};
use mltrainer_catalogue_core::{FitError, SeriesTable, choices};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, Axis};

choices! {
    /// How a covariance is estimated.
    pub enum Covariance {
        /// Divisor T - 1.
        Sample = "sample",
        /// Recent rows weigh more.
        Exponential = "exponential",
        /// Shrunk towards equal variances (Ledoit & Wolf, 2004).
        LedoitWolf = "ledoit_wolf",
        /// Shrunk towards equal variances (Chen and others, 2010).
        Oas = "oas",
        /// Principal components and variances of their own.
        Factor = "factor",
    }
}

choices! {
    /// How expected returns are estimated.
    pub enum Expected {
        /// Historical mean.
        Mean = "mean",
        /// Recent rows weigh more.
        Exponential = "exponential",
        /// Risk-free rate and beta times what the market earned above it.
        Capm = "capm",
        /// What the price did from the look-back to the rows left out.
        Momentum = "momentum",
    }
}

/// The covariance, and what belongs to every portfolio.
#[derive(Debug, Clone, PartialEq)]
pub struct CovarianceSpec {
    /// The estimator.
    pub estimator: Covariance,
    /// Span in rows of the exponential one, above 1.
    pub span: f64,
    /// Half life in rows of the exponential one, in place of the span.
    pub halflife: Option<f64>,
    /// Components of the factor one.
    pub n_factors: usize,
    /// Column of the market, by name or number from 1, which takes no weight.
    pub market: Option<String>,
    /// Annual risk-free rate.
    pub risk_free_rate: f64,
    /// Rows a year.
    pub periods_per_year: f64,
}

impl Default for CovarianceSpec {
    fn default() -> Self {
        Self {
            estimator: Covariance::Sample,
            span: 180.0,
            halflife: None,
            n_factors: 1,
            market: None,
            risk_free_rate: 0.0,
            periods_per_year: 252.0,
        }
    }
}

/// The expected returns.
#[derive(Debug, Clone, PartialEq)]
pub struct ReturnsSpec {
    /// The estimator.
    pub estimator: Expected,
    /// Whether returns are compounded over a year.
    pub compounding: bool,
    /// Span in rows of the exponential mean, above 1.
    pub span: f64,
    /// Rows back at which the momentum score starts.
    pub lookback: usize,
    /// Last rows that the momentum score leaves out.
    pub skip: usize,
    /// Annual expected returns in place of the estimates; what is not named keeps its estimate.
    pub views: Option<Amounts>,
}

impl Default for ReturnsSpec {
    fn default() -> Self {
        Self {
            estimator: Expected::Mean,
            compounding: false,
            span: 500.0,
            lookback: 252,
            skip: 21,
            views: None,
        }
    }
}

/// Assets with their returns and estimates.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Names, the market left out.
    pub names: Vec<String>,
    /// Simple returns, rows x assets.
    pub returns: Array2<f64>,
    /// Expected returns, annual.
    pub mean: Vec<f64>,
    /// Covariance, annual, assets x assets.
    pub covariance: Array2<f64>,
    /// Weight of the shrinkage target, where there is one.
    pub shrinkage: Option<f64>,
    /// Betas against the market column, where there is one.
    pub betas: Option<Vec<f64>>,
    /// Annual risk-free rate.
    pub risk_free_rate: f64,
    /// Rows a year.
    pub periods_per_year: f64,
    /// Rows of R in covariance = Rᵀ R + diag(d).
    root: Array2<f64>,
    /// d.
    diagonal: Vec<f64>,
}

/// A product of a matrix with its transpose: xᵀ x, in blocks of the upper triangle.
fn gram(x: &Array2<f64>) -> Array2<f64> {
    const BLOCK: usize = 128;
    let n = x.ncols();
    let mut out = Array2::zeros((n, n));
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        let left = x.slice_axis(Axis(1), (start..end).into());
        let right = x.slice_axis(Axis(1), (start..n).into());
        let (_, mut rows) = out.view_mut().split_at(Axis(0), start);
        let mut to = rows.slice_axis_mut(Axis(0), (..end - start).into());
        let mut to = to.slice_axis_mut(Axis(1), (start..n).into());
        general_mat_mul(1.0, &left.t(), &right, 0.0, &mut to);
    }
    for i in 0..n {
        for j in 0..i {
            out[[i, j]] = out[[j, i]];
        }
    }
    out
}

/// What is left of a decay a row.
fn weights(rows: usize, alpha: f64) -> Vec<f64> {
    let raw: Vec<f64> = (0..rows)
        .map(|t| (1.0 - alpha).powf((rows - 1 - t) as f64))
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|w| w / sum).collect()
}

/// Weight of the target by Ledoit & Wolf, of centred rows and their covariance with divisor T.
fn ledoit_wolf(centred: &Array2<f64>, s: &Array2<f64>) -> f64 {
    let (rows, n) = (centred.nrows() as f64, centred.ncols() as f64);
    if n == 1.0 {
        return 0.0;
    }
    let mu = s.diag().sum() / n;
    let fourth: f64 = centred.rows().into_iter().map(|r| r.dot(&r).powi(2)).sum();
    let squares: f64 = s.iter().map(|v| v * v).sum();
    let beta = (fourth / rows - squares) / (n * rows);
    let delta = (squares - n * mu * mu) / n;
    let beta = beta.min(delta);
    if beta <= 0.0 { 0.0 } else { beta / delta }
}

/// Weight of the target by Chen, Wiesel, Eldar & Hero, of a covariance with divisor T.
fn oas(rows: usize, s: &Array2<f64>) -> f64 {
    let n = s.nrows() as f64;
    let alpha = s.iter().map(|v| v * v).sum::<f64>() / (n * n);
    let mu = s.diag().sum() / n;
    let between = (rows as f64 + 1.0) * (alpha - mu * mu / n);
    if between <= 0.0 {
        1.0
    } else {
        ((alpha + mu * mu) / between).min(1.0)
    }
}

/// Root, diagonal and shrinkage of a covariance.
type Parts = (Array2<f64>, Vec<f64>, Option<f64>);

fn parts(centred: Array2<f64>, spec: &CovarianceSpec) -> Result<(Array2<f64>, Parts), FitError> {
    let (rows, n) = centred.dim();
    let year = spec.periods_per_year;
    let none = vec![0.0; n];
    let ddof1 = |centred: Array2<f64>| centred * (year / (rows as f64 - 1.0)).sqrt();
    let shrunk = |centred: Array2<f64>, estimate: fn(&Array2<f64>, &Array2<f64>) -> f64| {
        let s = gram(&centred) / rows as f64;
        let share = estimate(&centred, &s);
        let target = share * s.diag().sum() / n as f64;
        let mut all = s * (1.0 - share);
        all.diag_mut().iter_mut().for_each(|v| *v += target);
        let root = centred * ((1.0 - share) * year / rows as f64).sqrt();
        (all * year, (root, vec![target * year; n], Some(share)))
    };
    Ok(match spec.estimator {
        Covariance::Sample => {
            let root = ddof1(centred);
            (gram(&root), (root, none, None))
        }
        Covariance::Exponential => {
            let alpha = match spec.halflife {
                Some(half) => 1.0 - (-std::f64::consts::LN_2 / half).exp(),
                None => 2.0 / (spec.span + 1.0),
            };
            let by = weights(rows, alpha);
            let mut root = centred;
            for (mut row, w) in root.rows_mut().into_iter().zip(by) {
                row.mapv_inplace(|v| v * (w * year).sqrt());
            }
            (gram(&root), (root, none, None))
        }
        Covariance::LedoitWolf => shrunk(centred, ledoit_wolf),
        Covariance::Oas => shrunk(centred, |x, s| oas(x.nrows(), s)),
        Covariance::Factor => {
            if spec.n_factors > n {
                let reason = format!("{} is more than the {n} assets", spec.n_factors);
                return Err(refused("n_factors", reason, Vec::new()).into());
            }
            let s = gram(&ddof1(centred));
            let (values, vectors) = eigh(s.clone(), "the factor covariance")?;
            let mut root = Array2::zeros((spec.n_factors, n));
            for (k, mut row) in root.rows_mut().into_iter().enumerate() {
                row.assign(&(&vectors.row(k) * values[k].max(0.0).sqrt()));
            }
            let mut all = gram(&root);
            let own: Vec<f64> = (0..n).map(|i| (s[[i, i]] - all[[i, i]]).max(0.0)).collect();
            all.diag_mut()
                .iter_mut()
                .zip(&own)
                .for_each(|(v, d)| *v += d);
            (all, (root, own, None))
        }
    })
}

/// One return over a year.
fn annual(simple: f64, rows: f64, spec: &ReturnsSpec, year: f64) -> f64 {
    if spec.compounding {
        (1.0 + simple).powf(year / rows) - 1.0
    } else {
        simple * year / rows
    }
}

/// The mean return of a year, of returns a row.
fn historical(returns: &[f64], spec: &ReturnsSpec, year: f64) -> f64 {
    let rows = returns.len() as f64;
    if spec.compounding {
        // In logarithms: a product of thousands of rows may leave the range of doubles.
        let total: f64 = returns.iter().map(|r| r.ln_1p()).sum();
        (total * year / rows).exp_m1()
    } else {
        returns.iter().sum::<f64>() / rows * year
    }
}

impl Moments {
    /// Estimates from prices, one column an asset.
    ///
    /// # Errors
    /// [`FitError::Data`] naming the column and row of a price that is not above 0, or saying that there are too
    /// few rows; [`FitError::Param`] for names and counts that do not fit the columns.
    pub fn new(
        prices: &SeriesTable,
        covariance: &CovarianceSpec,
        expected: &ReturnsSpec,
    ) -> Result<Self, FitError> {
        let x = prices.design().x();
        let rows = x.nrows();
        if rows < 3 {
            return Err(FitError::Data(format!(
                "{rows} rows of prices are too few: give at least 3"
            )));
        }
        for ((t, i), price) in x.indexed_iter() {
            if price.is_nan() || *price <= 0.0 {
                return Err(FitError::Data(format!(
                    "column \"{}\" row {}: {price} is not a price above 0",
                    prices.names()[i],
                    t + 1
                )));
            }
        }
        let all = Array2::from_shape_fn((rows - 1, x.ncols()), |(t, i)| {
            x[[t + 1, i]] / x[[t, i]] - 1.0
        });
        let market = covariance
            .market
            .as_deref()
            .map(|word| column(word, prices.names()))
            .transpose()?;
        let picked: Vec<usize> = (0..x.ncols()).filter(|i| Some(*i) != market).collect();
        if picked.is_empty() {
            return Err(FitError::Data(
                "no asset is left beside the market: give at least one more column".into(),
            ));
        }
        let names: Vec<String> = picked.iter().map(|i| prices.names()[*i].clone()).collect();
        let market_returns = market.map(|at| all.column(at).to_vec());
        let returns = match market {
            Some(_) => all.select(Axis(1), &picked),
            None => all,
        };
        let count = returns.nrows() as f64;
        let means: Array1<f64> = returns.sum_axis(Axis(0)) / count;
        let centred = &returns - &means;
        let (matrix, (root, diagonal, shrinkage)) = parts(centred, covariance)?;
        if matrix.iter().any(|v| !v.is_finite()) {
            return Err(FitError::Data(
                "the returns are so large that their covariance is not a number: look at the prices"
                    .into(),
            ));
        }
        let betas = |market: &[f64]| -> Vec<f64> {
            let mean = market.iter().sum::<f64>() / count;
            let from: Vec<f64> = market.iter().map(|v| v - mean).collect();
            let size = dot(&from, &from);
            let columns = returns.columns().into_iter();
            columns.map(|c| dot(&c.to_vec(), &from) / size).collect()
        };
        let year = covariance.periods_per_year;
        let history = || -> Vec<f64> {
            let columns = returns.columns().into_iter();
            columns
                .map(|c| historical(&c.to_vec(), expected, year))
                .collect()
        };
        let mean: Vec<f64> = match expected.estimator {
            Expected::Mean => history(),
            Expected::Exponential => {
                let by = weights(returns.nrows(), 2.0 / (expected.span + 1.0));
                let columns = returns.columns().into_iter();
                columns
                    .map(|c| annual(dot(&c.to_vec(), &by), 1.0, expected, year))
                    .collect()
            }
            Expected::Capm => {
                // Without a market column: the equally weighted assets.
                let own = || returns.sum_axis(Axis(1)).to_vec();
                let market = market_returns.clone().unwrap_or_else(|| {
                    let n = names.len() as f64;
                    own().into_iter().map(|v| v / n).collect()
                });
                let free = covariance.risk_free_rate;
                let above = historical(&market, expected, year) - free;
                betas(&market).iter().map(|b| free + b * above).collect()
            }
            Expected::Momentum => momentum(x, &picked, expected, year)?,
        };
        let mean: Vec<f64> = match &expected.views {
            None => mean,
            Some(views) => {
                let stated = views.resolve("views", &names, f64::NAN)?;
                let pairs = stated.into_iter().zip(mean);
                pairs.map(|(s, m)| if s.is_nan() { m } else { s }).collect()
            }
        };
        if let Some(i) = mean.iter().position(|v| !v.is_finite()) {
            return Err(FitError::Data(format!(
                "column \"{}\": its expected return is not a finite number{}",
                names[i],
                if expected.estimator == Expected::Capm {
                    ": the market does not move"
                } else {
                    ""
                }
            )));
        }
        Ok(Self {
            betas: market_returns.as_deref().map(betas),
            names,
            returns,
            mean,
            covariance: matrix,
            shrinkage,
            risk_free_rate: covariance.risk_free_rate,
            periods_per_year: year,
            root,
            diagonal,
        })
    }

    /// Number of assets.
    #[must_use]
    pub fn assets(&self) -> usize {
        self.names.len()
    }

    /// Standard deviations, annual.
    #[must_use]
    pub fn volatilities(&self) -> Vec<f64> {
        self.covariance
            .diag()
            .iter()
            .map(|v| v.max(0.0).sqrt())
            .collect()
    }

    /// Whether some combination of the assets has no variance, so that weights of any sign are not determined.
    pub(super) fn singular(&self) -> bool {
        // More assets than rows give a matrix that is singular but for rounding.
        let flat = self.diagonal.contains(&0.0);
        if flat && self.assets() >= self.root.nrows() && self.root.nrows() == self.returns.nrows() {
            return true;
        }
        self.cholesky().is_none()
    }

    /// Lower triangle of the covariance when it is safely positive definite.
    pub(super) fn cholesky(&self) -> Option<Cholesky> {
        let factor = Cholesky::new(self.covariance.clone())?;
        let sure = (0..self.assets()).all(|i| {
            let pivot = factor.entry(i, i);
            pivot * pivot > 1e-12 * self.covariance[[i, i]]
        });
        sure.then_some(factor)
    }

    /// Rows h with covariance = Σ h hᵀ: those of the Cholesky factor, or of the returns when these are fewer
    /// than the assets or the matrix is singular.
    pub(super) fn halves(&self) -> Vec<Vec<f64>> {
        let n = self.assets();
        if let (false, Some(factor)) = (self.short(), self.cholesky()) {
            return (0..n)
                .map(|j| (0..n).map(|i| factor.entry(i, j)).collect())
                .collect();
        }
        let mut rows: Vec<Vec<f64>> = self.root.rows().into_iter().map(|r| r.to_vec()).collect();
        for (i, d) in self.diagonal.iter().enumerate().filter(|(_, d)| **d > 0.0) {
            let mut row = vec![0.0; n];
            row[i] = d.sqrt();
            rows.push(row);
        }
        rows
    }

    /// Whether the factor form has fewer numbers than the matrix.
    pub(super) fn short(&self) -> bool {
        self.root.nrows() < self.assets()
    }

    /// R and d of the factor form.
    pub(super) fn factors(&self) -> (&Array2<f64>, &[f64]) {
        (&self.root, &self.diagonal)
    }

    /// Covariance times weights.
    pub(super) fn times(&self, w: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; w.len()];
        for (i, by) in w.iter().enumerate().filter(|(_, by)| **by != 0.0) {
            let row = self.covariance.row(i);
            crate::numeric::add_scaled(&mut out, *by, flat(row.view()));
        }
        out
    }

    /// Annual variance of weights.
    #[must_use]
    pub fn variance(&self, w: &[f64]) -> f64 {
        dot(w, &self.times(w)).max(0.0)
    }

    /// The first asset that does not move, for methods that divide by its volatility.
    ///
    /// # Errors
    /// [`FitError::Data`] naming it.
    pub(super) fn all_move(&self) -> Result<(), FitError> {
        // A price that grows by one rate leaves the square of rounding.
        let still = self.covariance.diag().iter().position(|v| *v < 1e-24);
        still.map_or(Ok(()), |i| {
            Err(FitError::Data(format!(
                "column \"{}\": its returns do not vary, so it has no risk to weigh it by: leave it out",
                self.names[i]
            )))
        })
    }
}

/// A column by name or by number from 1.
fn column(word: &str, names: &[String]) -> Result<usize, FitError> {
    if let Some(at) = names.iter().position(|n| n == word) {
        return Ok(at);
    }
    match word.parse::<usize>() {
        Ok(k) if (1..=names.len()).contains(&k) => Ok(k - 1),
        _ => Ok(place("market", word, names)?),
    }
}

/// What each price did from `lookback` rows ago to `skip` rows ago, over a year.
fn momentum(
    prices: &Array2<f64>,
    picked: &[usize],
    spec: &ReturnsSpec,
    year: f64,
) -> Result<Vec<f64>, FitError> {
    let (lookback, skip, rows) = (spec.lookback, spec.skip, prices.nrows());
    if skip >= lookback {
        let reason = format!("{skip} must be below momentum_lookback, which is {lookback}");
        return Err(refused("momentum_skip", reason, Vec::new()).into());
    }
    if rows <= lookback {
        return Err(FitError::Data(format!(
            "{rows} rows of prices are too few for a momentum score of {lookback} rows: give {} or lower momentum_lookback",
            lookback + 1
        )));
    }
    let last = rows - 1;
    let span = (lookback - skip) as f64;
    let one = |i: &usize| prices[[last - skip, *i]] / prices[[last - lookback, *i]] - 1.0;
    Ok(picked
        .iter()
        .map(|i| annual(one(i), span, spec, year))
        .collect())
}
