//! Capital asset pricing model.
//!
//! What: how much an asset moves with the market (beta) and what it earned beyond that (alpha).
//! Formula: r - rf = alpha + beta (m - rf) + e, by least squares.
//! Data: two series: the asset and the market.
//! Cost: O(n), with HAC O(n lags).
//! Fails when: beta changes over time, or prices of the two are of different hours.
//! Source: Sharpe (1964); Lintner (1965); Jensen (1968).
//! Not claimed: that the market is the only risk that is paid for.

use super::regression::{Covariance, Judge, newey_west_lags, regress};
use crate::risk::engine::{Input, at_least, changes, covariance, mean, variance};
use crate::test::engine::number;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, params,
};
use mltrainer_types::catalogue::Task;
use serde_json::Value;

/// The handle.
pub struct Capm;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Capm>();

params! {
    /// Parameters of the capital asset pricing model.
    pub struct CapmParams {
        /// What the series hold: returns (taken as they are, excess returns), prices, or auto: prices where every
        /// value of both is above 0.
        input: Input = Input::Auto;
        /// Risk-free rate a year, a fraction; with prices a row's share is taken off both returns.
        risk_free_rate: f64 = 0.0;
        /// Rows a year.
        periods_per_year: f64 = 252.0, above(0.0);
        /// How the covariance of the coefficients is estimated.
        cov_type: Covariance = Covariance::Nonrobust;
        /// Lags of HAC; none is floor(4 (n/100)^(2/9)).
        maxlags: Option<usize> = None, within(0.0, 100_000.0);
        /// Whether HAC is multiplied by n/(n - 2).
        use_correction: bool = false;
        /// Rows of a rolling beta; none: no rolling beta.
        window: Option<usize> = None, within(3.0, 100_000.0);
    }
}

const CARD: Card = Card {
    id: "capm",
    family: "factor",
    title: "Capital asset pricing model",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Beta and alpha of an asset against the market by least squares, with their standard errors (usual, White or Newey-West), what of its risk is the market's, and the return the model expects.",
    formula: "r - rf = alpha + beta (m - rf) + e; prices: simple returns less risk_free_rate/periods_per_year; alpha_annual = alpha periods_per_year; expected_return = rf + beta (annual market premium); Blume: 2/3 beta + 1/3",
    data: "Two series: the asset, then the market.",
    cost: "O(n), with HAC O(n lags)",
    fails_when: "Beta changes over time, prices of the two are of different hours, or the asset trades rarely (beta is then too low).",
    not_claimed: "That the market is the only risk that is paid for, or that alpha persists.",
    source: "W. F. Sharpe, J. Finance 19 (1964); J. Lintner, Review of Economics and Statistics 47 (1965); M. C. Jensen, J. Finance 23 (1968); W. K. Newey, K. D. West, Econometrica 55 (1987)",
    reference: "statsmodels 0.15.0, OLS",
    outputs: &[
        ("beta", "slope on the market"),
        ("alpha", "constant, a row"),
        ("alpha_annual", "alpha times periods_per_year"),
        ("r_squared", "share of the variance that is the market's"),
        (
            "adjusted_r_squared",
            "corrected for the number of coefficients",
        ),
        ("beta_stderr", "standard error of beta"),
        ("alpha_stderr", "standard error of alpha"),
        ("beta_t", "beta over its standard error"),
        ("alpha_t", "alpha over its standard error"),
        (
            "beta_p_value",
            "that beta is 0: Student's t, or with a robust covariance normal",
        ),
        ("alpha_p_value", "that alpha is 0"),
        ("beta_interval", "95 %, lower and upper"),
        ("alpha_interval", "95 %, lower and upper"),
        ("correlation", "of the returns"),
        (
            "residual_volatility",
            "standard error of the regression, a year",
        ),
        (
            "systematic_volatility",
            "|beta| times the market's deviation, a year",
        ),
        ("total_volatility", "of the asset, a year"),
        (
            "market_premium",
            "mean (excess) return of the market, a year",
        ),
        (
            "expected_return",
            "what the model expects, a year: rf and beta times the premium; with returns without rf",
        ),
        ("treynor_ratio", "mean (excess) return a year over beta"),
        (
            "appraisal_ratio",
            "alpha_annual over the residual volatility",
        ),
        ("blume_beta", "2/3 beta + 1/3"),
        ("up_beta", "beta over rows with a rising market"),
        ("down_beta", "beta over rows with a falling market"),
        (
            "durbin_watson",
            "of the residuals: 2 without correlation from row to row",
        ),
        ("n_obs", "returns used"),
        (
            "rolling_beta",
            "one a return, over the window up to it; null before; empty without a window",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, OLS with cov_type nonrobust, HC0 to HC3 and HAC",
        cases: "AAPL and JNJ on the S&P 500, monthly value factor on the market",
        tolerance: "1e-8 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Analysis for Capm {
    type Params = CapmParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, 2);

    fn analyse(p: &CapmParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let (x, y) = (data.series(0), data.series(1));
        let prices = match p.input {
            Input::Auto => x.iter().chain(&y).all(|v| *v > 0.0),
            input => input == Input::Prices,
        };
        let (input, free) = if prices {
            (Input::Prices, p.risk_free_rate / p.periods_per_year)
        } else {
            (Input::Returns, 0.0)
        };
        let names = data.names();
        let excess = |x: &[f64], name: &str| -> Result<Vec<f64>, FitError> {
            let r = changes(x, input, 1.0, name)?;
            at_least(&r, 3, name)?;
            Ok(r.iter().map(|v| v - free).collect())
        };
        let (asset, market) = (excess(&x, &names[0])?, excess(&y, &names[1])?);
        let judge = Judge {
            covariance: p.cov_type,
            maxlags: p.maxlags.unwrap_or_else(|| newey_west_lags(asset.len())),
            small_sample: p.use_correction,
        };
        let fit = regress(&asset, std::slice::from_ref(&market), judge)?;
        let (alpha, beta) = (fit.coefficients[0], fit.coefficients[1]);
        let annual = p.periods_per_year;
        let root = annual.sqrt();
        let slope = |a: &[f64], m: &[f64]| covariance(a, m) / variance(m);
        let part = |up: bool| {
            let rows = asset.iter().zip(&market);
            let some = rows.filter(|(_, m)| if up { **m > 0.0 } else { **m < 0.0 });
            let (a, m): (Vec<f64>, Vec<f64>) = some.map(|(a, m)| (*a, *m)).unzip();
            slope(&a, &m)
        };
        let (market_sd, asset_sd) = (variance(&market).sqrt(), variance(&asset).sqrt());
        let premium = annual * mean(&market);
        let residual = fit.variance.sqrt() * root;
        let named = [
            ("beta", beta),
            ("alpha", alpha),
            ("alpha_annual", alpha * annual),
            ("r_squared", fit.r_squared),
            ("adjusted_r_squared", fit.adjusted_r_squared),
            ("beta_stderr", fit.stderr[1]),
            ("alpha_stderr", fit.stderr[0]),
            ("beta_t", fit.t[1]),
            ("alpha_t", fit.t[0]),
            ("beta_p_value", fit.p[1]),
            ("alpha_p_value", fit.p[0]),
            (
                "correlation",
                covariance(&asset, &market) / (market_sd * asset_sd),
            ),
            ("residual_volatility", residual),
            ("systematic_volatility", beta.abs() * market_sd * root),
            ("total_volatility", asset_sd * root),
            ("market_premium", premium),
            ("expected_return", free * annual + beta * premium),
            ("treynor_ratio", annual * mean(&asset) / beta),
            ("appraisal_ratio", alpha * annual / residual),
            ("blume_beta", 2.0 / 3.0 * beta + 1.0 / 3.0),
            ("up_beta", part(true)),
            ("down_beta", part(false)),
            ("durbin_watson", fit.durbin_watson),
        ];
        let mut outputs: Outputs = named
            .map(|(name, v)| (name.to_owned(), number(v)))
            .into_iter()
            .collect();
        let interval = |k: usize| numbers(&[fit.lower[k], fit.upper[k]]);
        outputs.insert("beta_interval".into(), interval(1));
        outputs.insert("alpha_interval".into(), interval(0));
        outputs.insert("n_obs".into(), Value::from(asset.len()));
        let rolling: Vec<f64> = match p.window {
            None => Vec::new(),
            Some(window) => {
                let before = (window - 1).min(asset.len());
                let later = asset.windows(window).zip(market.windows(window));
                let betas = later.map(|(a, m)| slope(a, m));
                std::iter::repeat_n(f64::NAN, before).chain(betas).collect()
            }
        };
        outputs.insert("rolling_beta".into(), numbers(&rolling));
        Ok(outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::design;
    use mltrainer_catalogue_core::Params as _;
    use serde_json::json;

    #[test]
    fn an_asset_made_of_the_market_has_its_beta() {
        // r = 0.001 + 1.5 m + (0.01, -0.01, -0.01, 0.01) for m = (0.02, 0.02, -0.02, -0.02): the last part has
        // mean 0 and no covariance with m, so beta is 1.5, alpha 0.001, SSE 4e-4, s² 2e-4.
        let rows: [[f64; 2]; 4] = [
            [0.041, 0.02],
            [0.021, 0.02],
            [-0.039, -0.02],
            [-0.019, -0.02],
        ];
        let rows: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
        let data = SeriesTable::new(design(&rows), None).unwrap();
        let given = json!({"periods_per_year": 12, "window": 3, "risk_free_rate": 0.5});
        let params = CapmParams::from_map(given.as_object().unwrap()).unwrap();
        let found = Capm::analyse(
            &params,
            &data,
            Ask {
                horizon: 1,
                seed: 0,
            },
        )
        .unwrap();
        let near = |name: &str, want: f64| {
            let got = found[name].as_f64().unwrap();
            assert!((got - want).abs() < 1e-12, "{name}: {got}");
        };
        near("beta", 1.5);
        near("alpha_annual", 0.012);
        // s/√Σm² = √2e-4 / 0.04 and s/√n.
        near("beta_stderr", 2e-4f64.sqrt() / 0.04);
        near("alpha_stderr", 2e-4f64.sqrt() / 2.0);
        near("r_squared", 1.0 - 4e-4 / (1.5 * 1.5 * 16e-4 + 4e-4));
        near("blume_beta", 4.0 / 3.0);
        near("market_premium", 0.0);
        let rolling = found["rolling_beta"].as_array().unwrap();
        assert_eq!(rolling.len(), 4);
        // Rows 1 to 3: m .02 .02 -.02, r .041 .021 -.039: the mean of the first two less the third, over .04.
        assert!(rolling[1].is_null());
        assert!((rolling[2].as_f64().unwrap() - (0.031 + 0.039) / 0.04).abs() < 1e-12);
    }
}
