//! Vector autoregression.
//!
//! What: each of several series is explained by the last p rows of all of them.
//! Formula: y(t) = c + A₁y(t-1) + ... + Aₚy(t-p) + u(t), least squares an equation.
//! Data: two or more stationary series on the same rows.
//! Cost: O(n (kp)²) for k series.
//! Fails when: series are combinations of each other, or rows are few for k²p coefficients.
//! Source: Sims (1980); Lütkepohl (2005).
//! Not claimed: causes. Orthogonalised responses depend on the order of the columns.

use super::dates;
use super::eigen::eigenvalues;
use super::engine::{checked, finite, least_squares, normal_quantile, number, reachable, refused};
use crate::numeric::{Cholesky, dot};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;
use serde_json::{Map, Value, json};

/// The handle.
pub struct Var;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Var>();

choices! {
    /// What selects the lags.
    pub enum Criterion {
        /// Akaike's.
        Aic = "aic",
        /// The Bayesian one.
        Bic = "bic",
        /// That of Hannan and Quinn.
        Hqic = "hqic",
        /// The final prediction error.
        Fpe = "fpe",
    }
}

choices! {
    /// The deterministic part of each equation.
    pub enum Deterministic {
        /// None.
        None = "n",
        /// A constant.
        Constant = "c",
        /// A constant and a slope.
        Both = "ct",
    }
}

params! {
    /// Parameters of a vector autoregression.
    pub struct VarParams {
        /// Lags p; none selects them by the criterion.
        lags: Option<usize> = None, within(1.0, 1000.0);
        /// Most lags that are tried; none is 12 (n/100)^(1/4), less where rows are few.
        maxlags: Option<usize> = None, within(1.0, 1000.0);
        /// What selects the lags.
        ic: Criterion = Criterion::Aic;
        /// Deterministic part of each equation: n none, c a constant, ct a constant and a slope.
        trend: Deterministic = Deterministic::Constant;
        /// Steps of the impulse responses and of the decomposition.
        periods: usize = 10, within(1.0, 1000.0);
        /// Share of the intervals outside their ends.
        alpha: f64 = 0.05, inside(0.0, 1.0);
    }
}

const CARD: Card = Card {
    id: "var",
    family: "time_series",
    title: "Vector autoregression",
    tasks: &[Task::Forecasting],
    inputs: Inputs::Series,
    summary: "Each of several series is regressed on the last p rows of all of them. Gives forecasts with intervals, responses of every series to a shock in every other, and who accounts for whose forecast error.",
    formula: "y(t) = c + Σᵢ Aᵢ y(t-i) + u(t), least squares an equation on T = n - p rows; Σᵤ = U'U/(T - kp - 1); aic = ln det Σ̃ + 2m/T, bic = ln det Σ̃ + m ln T/T, hqic = ln det Σ̃ + 2m ln ln T/T, fpe = det Σ̃ ((T+kp+1)/(T-kp-1))ᵏ, Σ̃ = U'U/T, m = k(kp+1); selection on the rows that all candidates have. Φ₀ = I, Φₛ = Σᵢ Φₛ₋ᵢ Aᵢ; orthogonalised Θₛ = Φₛ P, PP' = Σᵤ; mean squared error h steps ahead Σₛ Φₛ Σᵤ Φₛ' over s < h; share of shock j in the error of i: Σₛ θₛ,ᵢⱼ² over that",
    data: "Two or more stationary series on the same rows: returns rather than prices.",
    cost: "O(n (kp)²), and O(periods² k³) for responses",
    fails_when: "One series is a combination of others, or rows are few for the k²p coefficients. Levels with unit roots make the system unstable: it is said.",
    not_claimed: "That one series causes another. Orthogonalised responses and shares depend on the order of the columns. Intervals leave out the uncertainty of the estimates.",
    source: "C. A. Sims, Macroeconomics and reality, Econometrica 48 (1980); H. Lütkepohl, New Introduction to Multiple Time Series Analysis (2005)",
    reference: "statsmodels 0.15.0, tsa.api.VAR",
    outputs: &[
        ("lags", "lags of the model"),
        (
            "coefficients",
            "by series: constant (and slope), then lag 1 of every series, lag 2, ...",
        ),
        ("standard_errors", "by series: of each coefficient"),
        ("forecast", "by series: one value a step after the last row"),
        (
            "forecast_lower",
            "by series: lower end of the interval of each forecast",
        ),
        ("forecast_upper", "by series: upper end"),
        (
            "fitted",
            "by series: one-step forecasts; null for the first lags",
        ),
        ("residuals", "by series: rows less fitted; null likewise"),
        (
            "sigma_u",
            "covariance of the errors by rows, divisor T - kp - 1",
        ),
        ("log_likelihood", "Gaussian, given the first lags"),
        ("aic", "Akaike's criterion"),
        ("bic", "the Bayesian criterion"),
        ("hqic", "the criterion of Hannan and Quinn"),
        ("fpe", "final prediction error"),
        (
            "selection",
            "by criterion: its value for each number of lags from 1 that was tried, on common rows; chosen_by: the one that decided; empty when lags are given",
        ),
        (
            "stable",
            "whether every eigenvalue of the companion matrix is smaller than 1",
        ),
        ("eigenvalues", "their sizes, largest first"),
        (
            "impulse_responses",
            "by shocked series, by responding series: responses from step 0",
        ),
        (
            "orthogonal_responses",
            "the same to shocks of one standard deviation, orthogonalised in the order of the columns",
        ),
        (
            "error_decomposition",
            "by series, by shock: share of the forecast error variance from step 1",
        ),
        ("n_obs", "rows T of the regressions"),
        (
            "gaps",
            "where dates leave rows out: after, before, days; null without dates",
        ),
        ("warnings", "what to know of this fit, in words"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, VAR(y).fit(p, trend=\"c\")",
        cases: "var-2-gdp-cons-inv, var-4-gdp-tbill; unit tests on selection, responses, decomposition, intervals",
        tolerance: "1e-6 and nearer",
    }],
    presets: &[],
    exemptions: &[],
};

/// A fitted system.
struct System {
    /// Columns of the deterministic part.
    deterministic: usize,
    /// One a series: coefficients.
    beta: Vec<Vec<f64>>,
    /// One a series: residuals.
    residuals: Vec<Vec<f64>>,
    /// (Z'Z)⁻¹.
    inverse: Vec<Vec<f64>>,
    /// Rows of the regressions.
    rows: usize,
}

/// Fits p lags on the rows from `from` on.
fn fit(
    y: &[Vec<f64>],
    names: &[String],
    p: usize,
    from: usize,
    trend: Deterministic,
) -> Result<System, FitError> {
    let n = y[0].len();
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let mut labels: Vec<String> = Vec::new();
    if trend != Deterministic::None {
        columns.push(vec![1.0; n - from]);
        labels.push("the constant".into());
    }
    if trend == Deterministic::Both {
        columns.push((from..n).map(|t| (t + 1) as f64).collect());
        labels.push("the slope".into());
    }
    let deterministic = columns.len();
    for lag in 1..=p {
        for (series, name) in y.iter().zip(names) {
            columns.push(series[from - lag..n - lag].to_vec());
            labels.push(format!("series \"{name}\" at lag {lag}"));
        }
    }
    let mut system = System {
        deterministic,
        beta: Vec::new(),
        residuals: Vec::new(),
        inverse: Vec::new(),
        rows: n - from,
    };
    for series in y {
        let fit = least_squares(&columns, &series[from..]).map_err(|at| {
            FitError::Data(format!(
                "{} is a combination of the columns before it: leave a series out or take fewer lags",
                labels[at]
            ))
        })?;
        system.beta.push(fit.beta);
        system.residuals.push(fit.residuals);
        system.inverse = fit.inverse;
    }
    Ok(system)
}

impl System {
    fn products(&self, divisor: f64) -> Array2<f64> {
        let k = self.beta.len();
        Array2::from_shape_fn((k, k), |(i, j)| {
            dot(&self.residuals[i], &self.residuals[j]) / divisor
        })
    }

    fn width(&self) -> usize {
        self.beta[0].len()
    }

    /// aic, bic, hqic, fpe and the logarithm of the determinant behind them; none when it is singular.
    fn criteria(&self) -> Option<[f64; 5]> {
        let t = self.rows as f64;
        let k = self.beta.len() as f64;
        let ml = self.products(t);
        // Singular to rounding: one error is a combination of others.
        let scaled = Array2::from_shape_fn(ml.dim(), |(i, j)| {
            ml[[i, j]] / (ml[[i, i]] * ml[[j, j]]).sqrt()
        });
        let correlation = Cholesky::new(scaled)?.log_det();
        if correlation < -30.0 * k {
            return None;
        }
        let log_det = correlation + ml.diag().iter().map(|v| v.ln()).sum::<f64>();
        let w = self.width() as f64;
        let m = k * w;
        Some([
            log_det + 2.0 * m / t,
            log_det + m * t.ln() / t,
            log_det + 2.0 * m * t.ln().ln() / t,
            log_det.exp() * ((t + w) / (t - w)).powf(k),
            log_det,
        ])
    }
}

const CRITERIA: [&str; 4] = ["aic", "bic", "hqic", "fpe"];

impl Analysis for Var {
    type Params = VarParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 200);

    fn analyse(params: &VarParams, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        reachable(ask.horizon)?;
        let names = data.names();
        let k = names.len();
        let n = data.rows();
        let own = match params.trend {
            Deterministic::None => 0,
            Deterministic::Constant => 1,
            Deterministic::Both => 2,
        };
        let need = |p: usize| p + k * p + own + 1;
        let least = params.lags.unwrap_or(1);
        let y: Vec<Vec<f64>> = (0..k)
            .map(|at| checked(CARD.id, data, at, need(least)))
            .collect::<Result<_, _>>()?;
        let singular = || {
            FitError::Data(
                "the errors of one series are a combination of those of others: leave one of them out".into(),
            )
        };
        let mut selection = Map::new();
        let p = match params.lags {
            Some(p) => p,
            None => {
                let usual = (12.0 * (n as f64 / 100.0).powf(0.25)).round() as usize;
                let mut most = params.maxlags.unwrap_or(usual.max(1));
                if params.maxlags.is_some() && n < need(most) {
                    return Err(refused(
                        "maxlags",
                        format!(
                            "{n} rows are too few for {most} lags of {k} series, which need {}",
                            need(most)
                        ),
                    ));
                }
                while most > 1 && n < need(most) + k {
                    most -= 1;
                }
                let mut tried: Vec<[f64; 5]> = Vec::new();
                for p in 1..=most {
                    let system = fit(&y, names, p, most, params.trend)?;
                    tried.push(system.criteria().ok_or_else(singular)?);
                }
                for (c, name) in CRITERIA.iter().enumerate() {
                    let values: Vec<f64> = tried.iter().map(|t| t[c]).collect();
                    selection.insert((*name).into(), run::numbers(&values));
                }
                let by = params.ic as usize;
                selection.insert("chosen_by".into(), CRITERIA[by].into());
                let mut best = 0;
                for (i, t) in tried.iter().enumerate() {
                    if t[by] < tried[best][by] {
                        best = i;
                    }
                }
                best + 1
            }
        };
        let system = fit(&y, names, p, p, params.trend)?;
        let criteria = system.criteria().ok_or_else(singular)?;
        finite(CARD.id, &criteria[..3])?;
        let t = system.rows as f64;
        let sigma = system.products(t - system.width() as f64);
        let log_likelihood =
            -0.5 * t * (k as f64 * (std::f64::consts::TAU.ln() + 1.0) + criteria[4]);
        // A[lag] k x k.
        let lag = |l: usize| {
            Array2::from_shape_fn((k, k), |(i, j)| {
                system.beta[i][system.deterministic + (l - 1) * k + j]
            })
        };
        let a: Vec<Array2<f64>> = (1..=p).map(lag).collect();
        let steps = params.periods.max(ask.horizon);
        let mut phi: Vec<Array2<f64>> = vec![Array2::eye(k)];
        for s in 1..=steps {
            let mut next = Array2::zeros((k, k));
            for i in 1..=s.min(p) {
                next = next + phi[s - i].dot(&a[i - 1]);
            }
            phi.push(next);
        }
        let root = lower(&sigma).ok_or_else(singular)?;
        let theta: Vec<Array2<f64>> = phi.iter().map(|f| f.dot(&root)).collect();
        // Forecasts.
        let mut known: Vec<Vec<f64>> = y.clone();
        for h in 0..ask.horizon {
            let next: Vec<f64> = (0..k)
                .map(|i| {
                    let b = &system.beta[i];
                    let mut value = 0.0;
                    if system.deterministic > 0 {
                        value += b[0];
                    }
                    if system.deterministic > 1 {
                        value += b[1] * (n + h + 1) as f64;
                    }
                    for l in 1..=p {
                        for (j, series) in known.iter().enumerate() {
                            value += b[system.deterministic + (l - 1) * k + j]
                                * series[series.len() - l];
                        }
                    }
                    value
                })
                .collect();
            for (series, v) in known.iter_mut().zip(next) {
                series.push(v);
            }
        }
        let mut errors = vec![0.0; k];
        let mut std: Vec<Vec<f64>> = vec![Vec::new(); k];
        for matrix in theta.iter().take(ask.horizon) {
            for i in 0..k {
                errors[i] += matrix.row(i).iter().map(|v| v * v).sum::<f64>();
                std[i].push(errors[i].sqrt());
            }
        }
        let width = normal_quantile(1.0 - params.alpha / 2.0);
        let each = |f: &dyn Fn(usize) -> Value| -> Value {
            Value::Object(
                names
                    .iter()
                    .enumerate()
                    .map(|(i, s)| (s.clone(), f(i)))
                    .collect(),
            )
        };
        let shifted = |i: usize, by: f64| -> Value {
            let pairs = known[i][n..].iter().zip(&std[i]);
            let values: Vec<f64> = pairs.map(|(f, s)| f + by * s).collect();
            run::numbers(&values)
        };
        for series in &known {
            finite(CARD.id, &series[n..])?;
        }
        let padded = |values: &[f64]| -> Value {
            let empty = std::iter::repeat_n(Value::Null, p);
            empty.chain(values.iter().map(|v| number(*v))).collect()
        };
        let mut out = Outputs::new();
        out.insert("lags".into(), p.into());
        out.insert(
            "coefficients".into(),
            each(&|i| run::numbers(&system.beta[i])),
        );
        out.insert(
            "standard_errors".into(),
            each(&|i| {
                let values: Vec<f64> = (0..system.width())
                    .map(|c| (system.inverse[c][c] * sigma[[i, i]]).sqrt())
                    .collect();
                run::numbers(&values)
            }),
        );
        out.insert("forecast".into(), each(&|i| run::numbers(&known[i][n..])));
        out.insert("forecast_lower".into(), each(&|i| shifted(i, -width)));
        out.insert("forecast_upper".into(), each(&|i| shifted(i, width)));
        out.insert(
            "fitted".into(),
            each(&|i| {
                let pairs = y[i][p..].iter().zip(&system.residuals[i]);
                padded(&pairs.map(|(v, e)| v - e).collect::<Vec<f64>>())
            }),
        );
        out.insert("residuals".into(), each(&|i| padded(&system.residuals[i])));
        let rows: Vec<Value> = sigma
            .rows()
            .into_iter()
            .map(|r| run::numbers(&r.to_vec()))
            .collect();
        out.insert("sigma_u".into(), Value::from(rows));
        out.insert("log_likelihood".into(), number(log_likelihood));
        for (name, value) in CRITERIA.iter().zip(&criteria) {
            out.insert((*name).into(), number(*value));
        }
        out.insert("selection".into(), Value::Object(selection));
        let sizes = companion(&a).map(|m| {
            let mut sizes: Vec<f64> = m.iter().map(|(re, im)| re.hypot(*im)).collect();
            sizes.sort_by(|a, b| b.total_cmp(a));
            sizes
        });
        let stable = sizes.as_ref().map(|s| s.first().is_none_or(|v| *v < 1.0));
        out.insert("stable".into(), json!(stable));
        out.insert(
            "eigenvalues".into(),
            sizes.as_deref().map_or(Value::Null, run::numbers),
        );
        let responses = |of: &[Array2<f64>]| {
            each(&|shock| {
                each(&|i| {
                    let values: Vec<f64> = of
                        .iter()
                        .take(params.periods + 1)
                        .map(|m| m[[i, shock]])
                        .collect();
                    run::numbers(&values)
                })
            })
        };
        out.insert("impulse_responses".into(), responses(&phi));
        out.insert("orthogonal_responses".into(), responses(&theta));
        out.insert(
            "error_decomposition".into(),
            each(&|i| {
                each(&|shock| {
                    let (mut own, mut all) = (0.0, 0.0);
                    let shares: Vec<f64> = theta
                        .iter()
                        .take(params.periods)
                        .map(|m| {
                            own += m[[i, shock]].powi(2);
                            all += m.row(i).iter().map(|v| v * v).sum::<f64>();
                            own / all
                        })
                        .collect();
                    run::numbers(&shares)
                })
            }),
        );
        out.insert("n_obs".into(), system.rows.into());
        out.insert("gaps".into(), dates::gaps(data));
        let mut warnings: Vec<&str> = Vec::new();
        match stable {
            Some(true) => {}
            Some(false) => warnings.push("the system is not stable: the series are not stationary, difference them or take returns"),
            None => warnings.push("the eigenvalues of the system could not be found"),
        }
        out.insert("warnings".into(), json!(warnings));
        Ok(out)
    }
}

/// Lower triangle L with a = L L'; none when it is not positive definite.
fn lower(a: &Array2<f64>) -> Option<Array2<f64>> {
    let k = a.nrows();
    let mut l = Array2::<f64>::zeros((k, k));
    for i in 0..k {
        for j in 0..=i {
            let done: f64 = (0..j).map(|m| l[[i, m]] * l[[j, m]]).sum();
            let rest = a[[i, j]] - done;
            l[[i, j]] = if i == j {
                rest.sqrt()
            } else {
                rest / l[[j, j]]
            };
        }
        if l[[i, i]].is_nan() || l[[i, i]] <= 0.0 {
            return None;
        }
    }
    Some(l)
}

/// Eigenvalues of the companion matrix.
fn companion(a: &[Array2<f64>]) -> Option<Vec<(f64, f64)>> {
    let (k, p) = (a[0].nrows(), a.len());
    let mut m = vec![vec![0.0; k * p]; k * p];
    for (l, matrix) in a.iter().enumerate() {
        for ((i, j), v) in matrix.indexed_iter() {
            m[i][l * k + j] = *v;
        }
    }
    for i in k..k * p {
        m[i][i - k] = 1.0;
    }
    eigenvalues(m)
}
