//! What `arima`, `sarima` and `auto_arima` share around the likelihood: orders from parameters, trend and
//! exogenous columns, rows held out, and the outputs.

use super::arma::{self, Fit, Following, Orders, Search};
use super::dates;
use super::engine::{
    self, finite, gappy, ljung_box, number, put_criteria, put_forecast, reachable, refused,
};
use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::{
    Ask, Design, FitError, Outputs, SeriesTable, Tracker, choices, run,
};
use mltrainer_types::catalogue::ParamKind;
use ndarray::Array2;
use serde_json::{Map, Value};

choices! {
    /// The deterministic part.
    pub enum Trend {
        /// None.
        None = "n",
        /// A constant: the mean.
        Constant = "c",
        /// A slope alone.
        Slope = "t",
        /// Both.
        Both = "ct",
    }
}

choices! {
    /// Where standard errors come from.
    pub enum Covariance {
        /// The outer products of the scores of the rows.
        Opg = "opg",
        /// The second derivatives of the likelihood.
        Approx = "approx",
    }
}

/// So many whole numbers from 0 to `most`: on the command line joined with commas, in JSON an array.
fn whole_numbers<const N: usize>(
    value: &Value,
    most: usize,
    what: &str,
) -> Result<[usize; N], String> {
    let one = |v: &Value| usize::read(v, &Range::within(0.0, most as f64));
    let all: Result<Vec<usize>, String> = match value {
        Value::Array(all) => all.iter().map(one).collect(),
        Value::String(text) => text.split(',').map(|t| one(&Value::from(t))).collect(),
        other => one(other).map(|v| vec![v]),
    };
    let all = all.map_err(|reason| format!("{reason}; it takes {what}"))?;
    let given = all.len();
    all.try_into()
        .map_err(|_| format!("{given} numbers are given, it takes {what}"))
}

/// p,d,q.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order(pub [usize; 3]);

impl ParamType for Order {
    const KIND: ParamKind = ParamKind::Text;
    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let order = whole_numbers(value, 30, "three whole numbers p,d,q such as 2,1,1")?;
        if order[1] > 3 {
            return Err(format!("{} differences: at most 3 make sense", order[1]));
        }
        Ok(Self(order))
    }
    fn write(&self) -> Value {
        Value::from(self.0.map(|v| v.to_string()).join(","))
    }
}

/// P,D,Q,s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeasonalOrder(pub [usize; 4]);

impl ParamType for SeasonalOrder {
    const KIND: ParamKind = ParamKind::Text;
    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let order = whole_numbers(value, 400, "four whole numbers P,D,Q,s such as 0,1,1,12")?;
        let [p, d, q, s] = order;
        if d > 2 {
            return Err(format!("{d} seasonal differences: at most 2 make sense"));
        }
        if p > 10 || q > 10 {
            return Err(
                "more than 10 seasonal terms: a state that long is not feasible".to_owned(),
            );
        }
        if p + d + q > 0 && s < 2 {
            return Err(format!(
                "a season of {s} rows is none: the fourth number must be at least 2"
            ));
        }
        Ok(Self(order))
    }
    fn write(&self) -> Value {
        Value::from(self.0.map(|v| v.to_string()).join(","))
    }
}

/// The orders of both.
pub(crate) fn orders(order: Order, seasonal: SeasonalOrder) -> Orders {
    let ([p, d, q], [sp, sd, sq, s]) = (order.0, seasonal.0);
    Orders {
        p,
        d,
        q,
        sp,
        sd,
        sq,
        s,
    }
}

/// What a run needs beside the orders.
pub(crate) struct Request {
    pub(crate) id: &'static str,
    pub(crate) orders: Orders,
    /// None: a constant when nothing is differenced, else none.
    pub(crate) trend: Option<Trend>,
    pub(crate) alpha: f64,
    pub(crate) holdout: usize,
    pub(crate) covariance: Covariance,
}

/// The series that is modelled, the columns beside it, and what is to come.
pub(crate) struct Prepared {
    pub(crate) y: Vec<f64>,
    /// Name and values of each column, for the rows of `y` and the `horizon` rows after them.
    pub(crate) columns: Vec<(String, Vec<f64>)>,
}

impl Prepared {
    /// The columns for the rows of the series.
    pub(crate) fn known(&self) -> Vec<(String, Vec<f64>)> {
        let n = self.y.len();
        let cut = |(name, c): &(String, Vec<f64>)| (name.clone(), c[..n].to_vec());
        self.columns.iter().map(cut).collect()
    }
}

/// Cuts off the rows held out and lays the columns beside the rest: the trend's first, then the others of
/// the table. Values of those are needed for the rows that are forecast: these are rows held out.
///
/// # Errors
/// [`FitError`] when too few rows remain or are held out, or a trend vanishes by differencing.
pub(crate) fn prepare(
    id: &str,
    data: &SeriesTable,
    orders: &Orders,
    trend: Option<Trend>,
    holdout: usize,
    horizon: usize,
) -> Result<Prepared, FitError> {
    reachable(horizon)?;
    let all = engine::checked(id, data, 0, 3)?;
    let n = all.len().saturating_sub(holdout);
    if n < 3 {
        return Err(refused(
            "holdout",
            format!("{holdout} of {} rows are held out, {n} remain", all.len()),
        ));
    }
    let differenced = orders.d + orders.sd;
    let trend = trend.unwrap_or(if differenced == 0 {
        Trend::Constant
    } else {
        Trend::None
    });
    let (constant, slope) = match trend {
        Trend::None => (false, false),
        Trend::Constant => (true, false),
        Trend::Slope => (false, true),
        Trend::Both => (true, true),
    };
    if (constant && differenced > 0) || (slope && differenced > 1) {
        return Err(refused(
            "trend",
            format!(
                "differences of order {differenced} take the {} away: it cannot be estimated; t is a drift of a series differenced once",
                if constant { "constant" } else { "slope" }
            ),
        ));
    }
    let mut columns = Vec::new();
    if constant {
        columns.push(("mean".to_owned(), vec![1.0; n + horizon]));
    }
    if slope {
        let t = (1..=n + horizon).map(|t| t as f64).collect();
        columns.push(("trend".to_owned(), t));
    }
    for (k, name) in data.names().iter().enumerate().skip(1) {
        if holdout < horizon {
            return Err(FitError::Data(format!(
                "the exogenous column \"{name}\" is needed for the {horizon} rows that are forecast, and {holdout} are held out: set holdout to at least {horizon}, so that the last rows of the table are those to come"
            )));
        }
        let values = data.series(k);
        columns.push((name.clone(), values[..n + horizon].to_vec()));
    }
    Ok(Prepared {
        y: all[..n].to_vec(),
        columns,
    })
}

/// Fits orders and gives everything that the cards list.
///
/// # Errors
/// Those of [`prepare`] and of the fit.
pub(crate) fn analyse(
    request: &Request,
    data: &SeriesTable,
    ask: Ask,
) -> Result<Outputs, FitError> {
    let prepared = prepare(
        request.id,
        data,
        &request.orders,
        request.trend,
        request.holdout,
        ask.horizon,
    )?;
    let fit = arma::fit(
        request.id,
        request.orders,
        &prepared.y,
        &prepared.known(),
        Search::Thorough,
    )?;
    outputs(request, data, &prepared, &fit, ask.horizon)
}

/// Fits a series without further columns, from where an earlier fit ended if that is given, to go on with it.
///
/// # Errors
/// Those of [`prepare`] and of the fit.
pub(crate) fn track(
    id: &'static str,
    orders: Orders,
    trend: Option<Trend>,
    y: &[f64],
    start: Option<&[f64]>,
) -> Result<Box<dyn Tracker>, FitError> {
    let x = Array2::from_shape_fn((y.len(), 1), |(r, _)| y[r]);
    let table = SeriesTable::new(Design::new(x, vec!["series".to_owned()])?, None)?;
    let prepared = prepare(id, &table, &orders, trend, 0, 1)?;
    let search = start.map_or(Search::Thorough, Search::From);
    let fit = arma::fit(id, orders, y, &prepared.known(), search)?;
    let has = |name: &str| prepared.columns.iter().any(|(c, _)| c == name);
    Ok(Box::new(Following::new(fit, y, has("mean"), has("trend"))))
}

/// Roots nearer to the unit circle than this are said to lie on it.
const EDGE: f64 = 1.001;

/// The outputs of a fit.
///
/// # Errors
/// [`FitError::Failed`] when an estimate is not finite.
pub(crate) fn outputs(
    request: &Request,
    data: &SeriesTable,
    prepared: &Prepared,
    fit: &Fit,
    horizon: usize,
) -> Result<Outputs, FitError> {
    let (y, n) = (&prepared.y, prepared.y.len());
    let orders = &request.orders;
    let known = prepared.known();
    let regression = |t: usize| -> f64 {
        let pairs = prepared.columns.iter().zip(&fit.beta);
        pairs.map(|((_, c), b)| b * c[t]).sum()
    };
    let u: Vec<f64> = (0..n).map(|t| y[t] - regression(t)).collect();
    let (mut forecast, std) = fit.forecast(&u, horizon);
    for (h, f) in forecast.iter_mut().enumerate() {
        *f += regression(n + h);
    }
    let c = &fit.coefficients;
    finite(request.id, &forecast)?;
    finite(request.id, &[fit.sigma2, fit.log_likelihood])?;
    let mut out = Outputs::new();
    put_forecast(&mut out, &forecast, &std, request.alpha);
    let lost = orders.lost();
    let errors = |t: usize| (t >= lost).then(|| fit.errors[t - lost]);
    let fitted: Vec<Option<f64>> = (0..n).map(|t| errors(t).map(|e| y[t] - e)).collect();
    let residuals: Vec<Option<f64>> = (0..n).map(errors).collect();
    out.insert("fitted".into(), gappy(&fitted));
    out.insert("residuals".into(), gappy(&residuals));
    for (name, values) in [
        ("ar", &c.ar),
        ("ma", &c.ma),
        ("seasonal_ar", &c.seasonal_ar),
        ("seasonal_ma", &c.seasonal_ma),
    ] {
        out.insert(name.into(), run::numbers(values));
    }
    let beta = |name: &str| {
        let at = prepared.columns.iter().position(|(c, _)| c == name);
        at.map_or(Value::Null, |k| number(fit.beta[k]))
    };
    // A column of the table may be called mean as well: those of the trend come first.
    let of_trend = prepared.columns.len() + 1 - data.names().len();
    let named = |name: &str| {
        let own = prepared.columns.iter().take(of_trend);
        if own.clone().any(|(c, _)| c == name) {
            beta(name)
        } else {
            Value::Null
        }
    };
    out.insert("mean".into(), named("mean"));
    out.insert("trend".into(), named("trend"));
    let exogenous: Map<String, Value> = prepared
        .columns
        .iter()
        .zip(&fit.beta)
        .skip(of_trend)
        .map(|((name, _), b)| (name.clone(), number(*b)))
        .collect();
    out.insert("exogenous".into(), Value::Object(exogenous));
    out.insert("sigma2".into(), number(fit.sigma2));
    let estimated = prepared.columns.len() + orders.coefficients() + 1;
    put_criteria(&mut out, fit.log_likelihood, estimated, n - lost);
    let mut names: Vec<String> = prepared.columns.iter().map(|(n, _)| n.clone()).collect();
    for (name, count) in [
        ("ar", orders.p),
        ("ma", orders.q),
        ("seasonal_ar", orders.sp),
        ("seasonal_ma", orders.sq),
    ] {
        names.extend((1..=count).map(|i| format!("{name}{i}")));
    }
    names.push("sigma2".into());
    let opg = request.covariance == Covariance::Opg;
    let errors = fit.standard_errors(y, &known, opg);
    let errors: Map<String, Value> = names
        .into_iter()
        .enumerate()
        .map(|(i, name)| {
            let value = errors.as_ref().map_or(Value::Null, |e| number(e[i]));
            (name, value)
        })
        .collect();
    out.insert("standard_errors".into(), Value::Object(errors));
    out.insert(
        "ljung_box".into(),
        ljung_box(&fit.standard, orders.coefficients()),
    );
    let (ar_roots, ma_roots) = (fit.roots(false), fit.roots(true));
    let clear = |roots: &[f64]| roots.first().is_none_or(|r| *r > EDGE);
    let (stationary, invertible) = (clear(&ar_roots), clear(&ma_roots));
    out.insert("ar_roots".into(), run::numbers(&ar_roots));
    out.insert("ma_roots".into(), run::numbers(&ma_roots));
    out.insert("stationary".into(), stationary.into());
    out.insert("invertible".into(), invertible.into());
    out.insert("converged".into(), fit.converged.into());
    out.insert("n_obs".into(), (n - lost).into());
    out.insert("gaps".into(), dates::gaps(data));
    let mut warnings: Vec<String> = Vec::new();
    if !fit.converged {
        warnings.push(engine::NO_MAXIMUM.into());
    }
    if !stationary {
        warnings.push("an autoregressive root lies on the unit circle: the series should be differenced once more".into());
    }
    if !invertible {
        warnings.push("a moving-average root lies on the unit circle: the series may be differenced once too often, and standard errors do not hold".into());
    }
    out.insert("warnings".into(), Value::from(warnings));
    Ok(out)
}

/// The outputs of [`outputs`], for cards.
pub(crate) const OUTPUTS: [(&str, &str); 29] = [
    ("forecast", "one value a step after the last row"),
    ("forecast_std", "standard deviation of each forecast error"),
    (
        "forecast_lower",
        "lower end of the interval of each forecast",
    ),
    ("forecast_upper", "upper end"),
    (
        "fitted",
        "one-step forecasts of the rows; null for those lost to differencing",
    ),
    ("residuals", "rows less fitted; null likewise"),
    ("ar", "autoregressive coefficients, lag 1 first"),
    ("ma", "moving-average coefficients, lag 1 first"),
    ("seasonal_ar", "seasonal autoregressive coefficients"),
    ("seasonal_ma", "seasonal moving-average coefficients"),
    ("mean", "the constant; null without one"),
    (
        "trend",
        "change a row of the linear trend, or drift of a differenced series; null without one",
    ),
    ("exogenous", "by name: coefficient of each further column"),
    ("sigma2", "variance of the innovations"),
    ("log_likelihood", "of the differenced series, exact"),
    ("aic", "Akaike's criterion; all criteria count sigma2"),
    (
        "aicc",
        "the same, corrected for few rows; null when rows are fewer than estimates",
    ),
    ("bic", "the Bayesian criterion"),
    ("hqic", "the criterion of Hannan and Quinn"),
    (
        "standard_errors",
        "by name: of every estimate; null when the information matrix is singular",
    ),
    (
        "ljung_box",
        "test of the residuals: lags, degrees_of_freedom, statistic, p_value",
    ),
    (
        "ar_roots",
        "sizes of the autoregressive roots, smallest first",
    ),
    (
        "ma_roots",
        "sizes of the moving-average roots, smallest first",
    ),
    (
        "stationary",
        "whether every autoregressive root is larger than 1.001",
    ),
    (
        "invertible",
        "whether every moving-average root is larger than 1.001",
    ),
    ("converged", "whether the search ended on a maximum"),
    ("n_obs", "rows after differencing"),
    (
        "gaps",
        "where dates leave rows out: after, before, days; null without dates",
    ),
    ("warnings", "what to know of this fit, in words"),
];
