//! Engle-Granger test of cointegration.
//!
//! What: tests whether a combination of series that wander is itself stationary: a pair that can be traded.
//! Formula: residuals of the first series on the others, then a Dickey-Fuller test of them.
//! Data: two to six series of levels.
//! Cost: O(n k²) for at most k lags.
//! Fails when: the relation breaks; the answer depends on which series comes first.
//! Source: Engle, Granger, Econometrica 55 (1987).
//! Not claimed: that the relation will hold, or that trading it pays.

use super::engine::{self, Autolag, LeastSquares, Trend, all, critical, number, residuals};
use super::mackinnon;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params,
};
use mltrainer_types::catalogue::Task;
use serde_json::Value;

/// The handle.
pub struct EngleGranger;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<EngleGranger>();

choices! {
    /// How the number of lags is chosen.
    pub enum Choice {
        /// AIC when maxlag is not given, else maxlag itself.
        Auto = "auto",
        /// Least Akaike criterion.
        Aic = "AIC",
        /// Least Bayesian criterion.
        Bic = "BIC",
        /// By the t value of the last lag.
        TStat = "t-stat",
    }
}

params! {
    /// Parameters of the Engle-Granger test.
    pub struct EngleGrangerParams {
        /// Deterministic terms beside the other series: n none, c constant, ct with a linear, ctt with a quadratic trend.
        trend: Trend = Trend::Constant;
        /// Most lagged differences; none is ⌈12 (n/100)^¼⌉, at most n/2 - 1.
        maxlag: Option<usize> = None, within(0.0, 10_000.0);
        /// How the number of lags is chosen; auto is AIC without a maxlag and maxlag itself with one, none takes maxlag.
        autolag: Option<Choice> = Some(Choice::Auto);
    }
}

const CARD: Card = Card {
    id: "engle_granger",
    family: "test",
    title: "Engle-Granger cointegration test",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Tests whether the first series stays near a fixed combination of the others. A small p-value speaks for it; the residuals are the spread, the coefficients the hedge.",
    formula: "y0 = d_t + β y1 + u_t by least squares; Δu_t = ρ u_{t-1} + Σ φ_i Δu_{t-i} + e_t; statistic = t value of ρ, p-values from the surfaces of MacKinnon (1994) for that many series, critical values of 2010 at n - 1 rows; half-life = -ln 2/ln(1 + b), b the slope of Δu on a constant and u before",
    data: "Two to six series of levels, the one to be explained first.",
    cost: "O(n k²) for at most k lags",
    fails_when: "The relation breaks or drifts, the series are short, or another series should come first: the answer depends on the order.",
    not_claimed: "That the relation will hold, or that trading it pays after costs.",
    source: "R. F. Engle, C. W. J. Granger, Econometrica 55 (1987); J. G. MacKinnon, J. Business & Economic Statistics 12 (1994) and Queen's University working paper 1227 (2010)",
    reference: "statsmodels 0.15.0, coint",
    outputs: &[
        ("statistic", "t value of the residuals' level"),
        (
            "p_value",
            "probability of a smaller statistic without cointegration",
        ),
        ("lags", "lagged differences used"),
        (
            "critical_values",
            "of the statistic at 1%, 5% and 10%, null without deterministic terms",
        ),
        ("hedge_ratio", "coefficient of the second series"),
        ("hedge_ratios", "coefficients of all series but the first"),
        (
            "deterministic",
            "coefficients of the constant and the trends, time counted from 1",
        ),
        ("residuals", "the spread, one a row"),
        (
            "z_score",
            "the spread divided by its standard deviation (ddof 1), one a row",
        ),
        (
            "half_life",
            "rows until half of a deviation is gone, null when it does not shrink",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, coint",
        cases: "US consumption and GDP, corporate yields; closes of 5 shares with every trend, 2 and 3 series",
        tolerance: "1e-6 relative, p-values 1e-6",
    }],
    presets: &[],
    exemptions: &[],
};

/// Rows until half of a deviation is gone, by a regression of the changes on the level before.
pub(crate) fn half_life(spread: &[f64]) -> Option<f64> {
    let change: Vec<f64> = spread.windows(2).map(|w| w[1] - w[0]).collect();
    let before = &spread[..change.len()];
    let fit = LeastSquares::new(&change, &[vec![1.0; change.len()], before.to_vec()]).ok()?;
    let slope = fit.coefficients(2)[1];
    // Beyond -1 a deviation changes its sign at once; at 0 or above it stays or grows.
    (slope > -1.0 && slope < 0.0).then(|| -std::f64::consts::LN_2 / slope.ln_1p())
}

impl Analysis for EngleGranger {
    type Params = EngleGrangerParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, mackinnon::SERIES);

    fn analyse(
        params: &EngleGrangerParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let mut columns = all(data);
        let count = columns.len();
        let y = columns.remove(0);
        for (series, name) in columns
            .iter()
            .chain([&y])
            .zip(data.names().iter().skip(1).chain(&data.names()[..1]))
        {
            engine::varies(series, &format!("column \"{name}\""))?;
        }
        let n = y.len();
        columns.extend(params.trend.columns(n));
        let k = columns.len();
        let fit = LeastSquares::new(&y, &columns)?;
        let mean = y.iter().sum::<f64>() / n as f64;
        let total: f64 = if params.trend == Trend::None {
            y.iter().map(|v| v * v).sum()
        } else {
            y.iter().map(|v| (v - mean) * (v - mean)).sum()
        };
        // 100 roots of the spacing of doubles, as in the reference library.
        if fit.sse(k) / total <= 100.0 * f64::EPSILON.sqrt() {
            return Err(FitError::Data(format!(
                "the other series give \"{}\" almost without a remainder: they are one series, and the test of what is left is not reliable",
                data.names()[0]
            )));
        }
        let beta = fit.coefficients(k);
        let u = residuals(&y, &columns, &beta);
        let by = match params.autolag {
            None => None,
            Some(Choice::Auto) => params.maxlag.is_none().then_some(Autolag::Aic),
            Some(Choice::Aic) => Some(Autolag::Aic),
            Some(Choice::Bic) => Some(Autolag::Bic),
            Some(Choice::TStat) => Some(Autolag::TStat),
        };
        let tested = engine::dickey_fuller(&u, Trend::None, params.maxlag, by)?;
        let bounds = (params.trend != Trend::None)
            .then(|| mackinnon::critical(params.trend, count, n as f64 - 1.0))
            .flatten();
        let mean = u.iter().sum::<f64>() / n as f64;
        let variance = u.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n as f64 - 1.0);
        let deviation = variance.sqrt();
        let z: Vec<f64> = u.iter().map(|v| (v - mean) / deviation).collect();
        Ok(Outputs::from_iter([
            ("statistic".into(), number(tested.statistic)),
            (
                "p_value".into(),
                Value::from(mackinnon::p_value(tested.statistic, params.trend, count)),
            ),
            ("lags".into(), Value::from(tested.lags)),
            ("critical_values".into(), critical(bounds)),
            ("hedge_ratio".into(), number(beta[0])),
            ("hedge_ratios".into(), numbers(&beta[..count - 1])),
            ("deterministic".into(), numbers(&beta[count - 1..])),
            ("residuals".into(), numbers(&u)),
            ("z_score".into(), numbers(&z)),
            ("half_life".into(), Value::from(half_life(&u))),
        ]))
    }
}
