//! Multi-factor model (APT).
//!
//! What: loadings of one or several assets on factors, what the factors leave unexplained, whether all alphas are
//! 0, and how the risk of a portfolio splits into factors and the rest.
//! Formula: r = alpha + Σ beta_k f_k + e, by least squares.
//! Data: returns or prices of the assets, then of the factors.
//! Cost: O(n assets factors²), with HAC O(n lags factors²) an asset.
//! Fails when: factors nearly determine each other, or loadings change over time.
//! Source: Ross (1976); Gibbons, Ross, Shanken (1989); Fama, MacBeth (1973).
//! Not claimed: that the factors are the right ones.

use super::regression::{Covariance, Judge, Regression, newey_west_lags, regress};
use crate::distributions::f_sf;
use crate::numeric::{Cholesky, dot};
use crate::risk::engine::{Input, at_least, changes, covariance, mean, variance};
use crate::risk::quantiles::t_two_sided;
use crate::test::engine::{LeastSquares, named, number};
use mltrainer_catalogue_core::card::{Evidence, Exemption};
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, ParamError, SeriesTable, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;
use serde_json::{Map, Value, json};

/// The handle.
pub struct FactorModel;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<FactorModel>();

params! {
    /// Parameters of the factor model.
    pub struct FactorModelParams {
        /// The first so many columns are assets, the others factors.
        n_assets: usize = 1, within(1.0, 10_000.0);
        /// What the columns of the assets hold: returns, prices, or auto: prices where every value is above 0.
        input: Input = Input::Auto;
        /// What the columns of the factors hold.
        factor_input: Input = Input::Auto;
        /// Risk-free rate a year, in the units of the returns; a row's share is taken off the assets' returns. Factors are
        /// taken as they are: excess returns, or long less short.
        risk_free_rate: f64 = 0.0;
        /// Rows a year.
        periods_per_year: f64 = 252.0, above(0.0);
        /// How the covariance of the coefficients is estimated.
        cov_type: Covariance = Covariance::Nonrobust;
        /// Lags of HAC; none is floor(4 (n/100)^(2/9)).
        maxlags: Option<usize> = None, within(0.0, 100_000.0);
        /// Whether HAC is multiplied by n/(n - k).
        use_correction: bool = false;
        /// Weights of the assets in the portfolio whose risk is split; none: equal ones.
        weights: Option<Vec<f64>> = None, within(-100.0, 100.0);
    }
}

const CARD: Card = Card {
    id: "factor_model",
    family: "factor",
    title: "Multi-factor model (APT)",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Loadings of assets on factors by least squares with usual, White or Newey-West errors; the covariance of what is left; the test of Gibbons, Ross and Shanken that all alphas are 0; premia of the factors by Fama and MacBeth; and the risk of a portfolio by factor.",
    formula: "r_i = alpha_i + Σ_k beta_ik f_k + e_i; GRS = (T-N-K)/N a'Σ⁻¹a/(1 + m'Ω⁻¹m), divisors T, F(N, T-N-K); premia: each row's returns on the betas, mean and t over rows; variance of a portfolio = b'Ωb + w'Σw with b = Σ w_i beta_i, the share of factor k b_k (Ωb)_k, ddof 1 (specific: T-K-1)",
    data: "Returns or prices: the assets first, then the factors.",
    cost: "O(n assets factors²), with HAC O(n lags factors²) an asset",
    fails_when: "Factors nearly determine each other, loadings change over time, or rows are few beside assets (GRS needs more rows than assets and factors).",
    not_claimed: "That the factors are the right ones, or that their premia persist.",
    source: "S. A. Ross, J. Economic Theory 13 (1976); M. Gibbons, S. Ross, J. Shanken, Econometrica 57 (1989); E. F. Fama, J. D. MacBeth, J. Political Economy 81 (1973)",
    reference: "statsmodels 0.15.0, OLS; linearmodels 7.1",
    outputs: &[
        ("assets", "names, in order"),
        ("factors", "names, in order"),
        ("alpha", "by asset, a row"),
        ("alpha_annual", "alpha times periods_per_year"),
        ("alpha_stderr", "by asset"),
        ("alpha_t", "by asset"),
        (
            "alpha_p_value",
            "by asset: Student's t, or with a robust covariance normal",
        ),
        ("betas", "by asset and factor"),
        ("beta_stderr", "by asset and factor"),
        ("beta_t", "by asset and factor"),
        ("beta_p_value", "by asset and factor"),
        ("r_squared", "by asset"),
        ("adjusted_r_squared", "by asset"),
        ("f_statistic", "by asset: that all its betas are 0"),
        ("f_p_value", "by asset"),
        ("residual_volatility", "by asset, a year"),
        ("aic", "by asset"),
        ("bic", "by asset"),
        ("durbin_watson", "by asset"),
        ("residual_covariance", "assets x assets, divisor T - K - 1"),
        ("residual_correlation", "assets x assets"),
        ("factor_means", "by factor, a row"),
        ("factor_covariance", "factors x factors, ddof 1"),
        (
            "grs_statistic",
            "that all alphas are 0; null without rows enough",
        ),
        ("grs_p_value", "of the F distribution"),
        (
            "risk_premia",
            "by factor, a row, from cross-sections of the assets; null without more assets than factors",
        ),
        ("risk_premia_t", "by factor"),
        (
            "risk_premia_p_value",
            "by factor: Student's t, T - 1 degrees of freedom",
        ),
        (
            "zero_beta_rate",
            "what cross-sections give an asset without loadings, a row",
        ),
        (
            "portfolio",
            "weights, betas, variance, systematic and specific part, their shares, share by factor, volatility a year",
        ),
        (
            "expected_return",
            "by asset: betas times the means of the factors, a year",
        ),
        ("n_obs", "returns used"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "statsmodels 0.15.0, OLS with cov_type nonrobust, HC0 to HC3 and HAC; the formulas of GRS, Fama-MacBeth and the split of risk computed with numpy 2.4",
        cases: "monthly value factor on market and size; returns of five shares on two others",
        tolerance: "1e-9 relative",
    }],
    presets: &[],
    exemptions: &[Exemption {
        rule: "parameters_matter",
        reason: "The suite hands in two columns, an asset and a factor, so that n_assets can be 1 only; a test of this file changes each parameter.",
    }],
};

fn refused(field: &str, reason: String) -> FitError {
    FitError::Param(ParamError {
        field: field.into(),
        reason,
        suggestions: Vec::new(),
    })
}

/// Returns of columns of one kind.
fn returns(
    data: &SeriesTable,
    columns: std::ops::Range<usize>,
    input: Input,
) -> Result<(Vec<Vec<f64>>, bool), FitError> {
    let series: Vec<Vec<f64>> = columns.clone().map(|k| data.series(k)).collect();
    let positive = series.iter().flatten().all(|v| *v > 0.0);
    let prices = match input {
        Input::Auto => positive,
        input => input == Input::Prices,
    };
    let kind = if prices {
        Input::Prices
    } else {
        Input::Returns
    };
    let all = series
        .iter()
        .zip(&data.names()[columns])
        .map(|(x, name)| changes(x, kind, 1.0, name))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((all, prices))
}

impl Analysis for FactorModel {
    type Params = FactorModelParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, usize::MAX);

    fn analyse(p: &FactorModelParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let width = data.names().len();
        if p.n_assets >= width {
            return Err(refused(
                "n_assets",
                format!(
                    "{} of {width} columns leave no factor: it must be at most {}",
                    p.n_assets,
                    width - 1
                ),
            ));
        }
        let (mut assets, priced) = returns(data, 0..p.n_assets, p.input)?;
        let (mut factors, priced_factors) = returns(data, p.n_assets..width, p.factor_input)?;
        // Of returns beside prices the first has no partner.
        match (priced, priced_factors) {
            (true, false) => factors.iter_mut().for_each(|f| drop(f.drain(..1))),
            (false, true) => assets.iter_mut().for_each(|a| drop(a.drain(..1))),
            _ => {}
        }
        at_least(&assets[0], factors.len() + 2, &data.names()[0])?;
        let free = p.risk_free_rate / p.periods_per_year;
        assets.iter_mut().flatten().for_each(|v| *v -= free);
        let n = assets[0].len();
        let judge = Judge {
            covariance: p.cov_type,
            maxlags: p.maxlags.unwrap_or_else(|| newey_west_lags(n)),
            small_sample: p.use_correction,
        };
        let fits = assets
            .iter()
            .map(|y| regress(y, &factors, judge))
            .collect::<Result<Vec<Regression>, _>>()?;
        let weights = match &p.weights {
            Some(w) if w.len() == assets.len() => w.clone(),
            Some(w) => {
                return Err(refused(
                    "weights",
                    format!(
                        "there are {} for {} assets: give one an asset",
                        w.len(),
                        assets.len()
                    ),
                ));
            }
            None => vec![1.0 / assets.len() as f64; assets.len()],
        };
        let found = Found {
            names: &data.names()[..p.n_assets],
            factor_names: &data.names()[p.n_assets..],
            assets: &assets,
            factors: &factors,
            fits: &fits,
            annual: p.periods_per_year,
            weights: &weights,
        };
        Ok(found.outputs())
    }
}

struct Found<'a> {
    names: &'a [String],
    factor_names: &'a [String],
    assets: &'a [Vec<f64>],
    factors: &'a [Vec<f64>],
    fits: &'a [Regression],
    annual: f64,
    weights: &'a [f64],
}

fn table(rows: &[Vec<f64>]) -> Value {
    rows.iter().map(|r| numbers(r)).collect()
}

/// a' A⁻¹ a; NaN when A is not positive definite.
fn quadratic(matrix: &[Vec<f64>], a: &[f64]) -> f64 {
    let k = a.len();
    let size: Vec<f64> = (0..k).map(|i| matrix[i][i].sqrt()).collect();
    let scaled = Array2::from_shape_fn((k, k), |(i, j)| matrix[i][j] / (size[i] * size[j]));
    let mut z: Vec<f64> = a.iter().zip(&size).map(|(a, s)| a / s).collect();
    Cholesky::new(scaled).map_or(f64::NAN, |l| {
        l.forward(&mut z);
        dot(&z, &z)
    })
}

impl Found<'_> {
    fn rows(&self) -> f64 {
        self.assets[0].len() as f64
    }

    fn by_asset(&self, of: impl Fn(&Regression) -> f64) -> Value {
        named(
            self.names
                .iter()
                .zip(self.fits)
                .map(|(n, f)| (n.as_str(), Some(of(f)))),
        )
    }

    fn by_factor(&self, v: &[f64]) -> Value {
        named(
            self.factor_names
                .iter()
                .zip(v)
                .map(|(n, v)| (n.as_str(), Some(*v))),
        )
    }

    fn by_both(&self, of: impl Fn(&Regression) -> &[f64]) -> Value {
        let each = self.names.iter().zip(self.fits);
        Value::Object(Map::from_iter(
            each.map(|(n, f)| (n.clone(), self.by_factor(&of(f)[1..]))),
        ))
    }

    fn residual_covariance(&self) -> Vec<Vec<f64>> {
        let left = self.rows() - self.factors.len() as f64 - 1.0;
        let entry = |a: &Regression, b: &Regression| dot(&a.residuals, &b.residuals) / left;
        self.fits
            .iter()
            .map(|a| self.fits.iter().map(|b| entry(a, b)).collect())
            .collect()
    }

    fn factor_covariance(&self) -> Vec<Vec<f64>> {
        let row = |a: &Vec<f64>| self.factors.iter().map(|b| covariance(a, b)).collect();
        self.factors.iter().map(row).collect()
    }

    /// Statistic and p-value; NaN without rows enough, or when residuals determine each other.
    fn grs(&self, residual: &[Vec<f64>], factor: &[Vec<f64>], means: &[f64]) -> (f64, f64) {
        let (t, n, k) = (
            self.rows(),
            self.fits.len() as f64,
            self.factors.len() as f64,
        );
        if t <= n + k {
            return (f64::NAN, f64::NAN);
        }
        let with_rows = |m: &[Vec<f64>], by: f64| -> Vec<Vec<f64>> {
            m.iter()
                .map(|r| r.iter().map(|v| v * by).collect())
                .collect()
        };
        // Both with divisor T.
        let sigma = with_rows(residual, (t - k - 1.0) / t);
        let omega = with_rows(factor, (t - 1.0) / t);
        let alphas: Vec<f64> = self.fits.iter().map(|f| f.coefficients[0]).collect();
        let w = quadratic(&sigma, &alphas) / (1.0 + quadratic(&omega, means));
        let statistic = (t - n - k) / n * w;
        (statistic, f_sf(statistic, n, t - n - k))
    }

    /// Premia row by row: means, t statistics and p-values, the constant first; none without more assets than
    /// factors, or when the betas determine each other.
    fn premia(&self) -> Option<Vec<[f64; 3]>> {
        let k = self.factors.len();
        if self.fits.len() < k + 2 {
            return None;
        }
        let mut columns = vec![vec![1.0; self.fits.len()]];
        columns.extend((1..=k).map(|j| {
            self.fits
                .iter()
                .map(|f| f.coefficients[j])
                .collect::<Vec<f64>>()
        }));
        let mut series = vec![Vec::new(); k + 1];
        for t in 0..self.assets[0].len() {
            let y: Vec<f64> = self.assets.iter().map(|a| a[t]).collect();
            let found = LeastSquares::new(&y, &columns).ok()?.coefficients(k + 1);
            series.iter_mut().zip(found).for_each(|(s, v)| s.push(v));
        }
        let n = self.rows();
        let each = series.iter().map(|s| {
            let (m, t) = (mean(s), mean(s) / (variance(s) / n).sqrt());
            [m, t, t_two_sided(t, n - 1.0)]
        });
        Some(each.collect())
    }

    fn portfolio(&self, residual: &[Vec<f64>], factor: &[Vec<f64>]) -> Value {
        let k = self.factors.len();
        let betas: Vec<f64> = (1..=k)
            .map(|j| {
                self.weights
                    .iter()
                    .zip(self.fits)
                    .map(|(w, f)| w * f.coefficients[j])
                    .sum()
            })
            .collect();
        let parts: Vec<f64> = betas
            .iter()
            .zip(factor)
            .map(|(b, row)| b * dot(row, &betas))
            .collect();
        let systematic: f64 = parts.iter().sum();
        let specific: f64 = self
            .weights
            .iter()
            .zip(residual)
            .map(|(w, row)| w * dot(row, self.weights))
            .sum();
        let all = systematic + specific;
        let shares: Vec<f64> = parts.iter().map(|v| v / all).collect();
        json!({
            "weights": named(self.names.iter().zip(self.weights).map(|(n, w)| (n.as_str(), Some(*w)))),
            "betas": self.by_factor(&betas),
            "variance": number(all),
            "systematic_variance": number(systematic),
            "specific_variance": number(specific),
            "systematic_share": number(systematic / all),
            "specific_share": number(specific / all),
            "factor_shares": self.by_factor(&shares),
            "volatility": number((self.annual * all).sqrt()),
        })
    }

    fn outputs(&self) -> Outputs {
        let (residual, factor) = (self.residual_covariance(), self.factor_covariance());
        let means: Vec<f64> = self.factors.iter().map(|f| mean(f)).collect();
        let (grs, grs_p) = self.grs(&residual, &factor, &means);
        let premia = self.premia();
        let premium = |which: usize| {
            let pick = |all: &Vec<[f64; 3]>| all[1..].iter().map(|v| v[which]).collect();
            self.by_factor(
                &premia
                    .as_ref()
                    .map_or_else(|| vec![f64::NAN; self.factors.len()], pick),
            )
        };
        let size: Vec<f64> = (0..residual.len()).map(|i| residual[i][i].sqrt()).collect();
        let correlation: Vec<Vec<f64>> = residual
            .iter()
            .enumerate()
            .map(|(i, row)| {
                row.iter()
                    .zip(&size)
                    .map(|(v, s)| v / (s * size[i]))
                    .collect()
            })
            .collect();
        Outputs::from_iter([
            ("assets".to_owned(), Value::from(self.names.to_vec())),
            (
                "factors".to_owned(),
                Value::from(self.factor_names.to_vec()),
            ),
            ("alpha".to_owned(), self.by_asset(|f| f.coefficients[0])),
            (
                "alpha_annual".to_owned(),
                self.by_asset(|f| f.coefficients[0] * self.annual),
            ),
            ("alpha_stderr".to_owned(), self.by_asset(|f| f.stderr[0])),
            ("alpha_t".to_owned(), self.by_asset(|f| f.t[0])),
            ("alpha_p_value".to_owned(), self.by_asset(|f| f.p[0])),
            ("betas".to_owned(), self.by_both(|f| &f.coefficients)),
            ("beta_stderr".to_owned(), self.by_both(|f| &f.stderr)),
            ("beta_t".to_owned(), self.by_both(|f| &f.t)),
            ("beta_p_value".to_owned(), self.by_both(|f| &f.p)),
            ("r_squared".to_owned(), self.by_asset(|f| f.r_squared)),
            (
                "adjusted_r_squared".to_owned(),
                self.by_asset(|f| f.adjusted_r_squared),
            ),
            ("f_statistic".to_owned(), self.by_asset(|f| f.f_statistic)),
            ("f_p_value".to_owned(), self.by_asset(|f| f.f_p_value)),
            (
                "residual_volatility".to_owned(),
                self.by_asset(|f| (f.variance * self.annual).sqrt()),
            ),
            ("aic".to_owned(), self.by_asset(|f| f.aic)),
            ("bic".to_owned(), self.by_asset(|f| f.bic)),
            (
                "durbin_watson".to_owned(),
                self.by_asset(|f| f.durbin_watson),
            ),
            ("residual_covariance".to_owned(), table(&residual)),
            ("residual_correlation".to_owned(), table(&correlation)),
            ("factor_means".to_owned(), self.by_factor(&means)),
            ("factor_covariance".to_owned(), table(&factor)),
            ("grs_statistic".to_owned(), number(grs)),
            ("grs_p_value".to_owned(), number(grs_p)),
            ("risk_premia".to_owned(), premium(0)),
            ("risk_premia_t".to_owned(), premium(1)),
            ("risk_premia_p_value".to_owned(), premium(2)),
            (
                "zero_beta_rate".to_owned(),
                number(premia.as_ref().map_or(f64::NAN, |all| all[0][0])),
            ),
            ("portfolio".to_owned(), self.portfolio(&residual, &factor)),
            (
                "expected_return".to_owned(),
                self.by_asset(|f| self.annual * dot(&f.coefficients[1..], &means)),
            ),
            ("n_obs".to_owned(), Value::from(self.assets[0].len())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Design, Params as _};

    /// The closes of the conformance suite: AAPL, CVX, JNJ, MRK, XOM.
    fn closes() -> SeriesTable {
        let text = include_str!("../../tests/data/closes.csv");
        let names: Vec<String> = text
            .lines()
            .next()
            .unwrap()
            .split(',')
            .skip(1)
            .map(str::to_owned)
            .collect();
        let flat: Vec<f64> = text
            .lines()
            .skip(1)
            .flat_map(|line| {
                line.split(',')
                    .skip(1)
                    .map(|c| c.parse().unwrap())
                    .collect::<Vec<f64>>()
            })
            .collect();
        let x = Array2::from_shape_vec((flat.len() / names.len(), names.len()), flat).unwrap();
        SeriesTable::new(Design::new(x, names).unwrap(), None).unwrap()
    }

    fn run(given: Value) -> Result<Outputs, FitError> {
        let params = FactorModelParams::from_map(given.as_object().unwrap())?;
        FactorModel::analyse(
            &params,
            &closes(),
            Ask {
                horizon: 1,
                seed: 0,
            },
        )
    }

    fn near(got: &Value, want: f64) {
        let got = got.as_f64().unwrap();
        assert!(
            (got - want).abs() < 1e-9 * (1.0 + want.abs()),
            "{got}, {want}"
        );
    }

    #[test]
    fn five_shares_are_those_of_statsmodels_and_numpy() {
        // statsmodels 0.15.0 OLS; numpy 2.4 for GRS, Fama-MacBeth and the split of risk. Four shares on the fifth.
        let found =
            run(json!({"n_assets": 4, "weights": [0.1, 0.2, 0.3, 0.4], "risk_free_rate": 0.01}))
                .unwrap();
        near(&found["alpha"]["JNJ"], 0.000_373_357_214_530_264_05);
        near(&found["alpha_t"]["JNJ"], 1.197_776_752_932_110_2);
        near(&found["betas"]["JNJ"]["XOM"], 0.366_928_447_035_539_34);
        near(
            &found["beta_stderr"]["JNJ"]["XOM"],
            0.033_405_427_735_207_19,
        );
        near(
            &found["beta_p_value"]["AAPL"]["XOM"],
            2.677_268_404_764_171_4e-06,
        );
        near(&found["aic"]["JNJ"], -2_006.082_063_248_656_1);
        near(&found["adjusted_r_squared"]["JNJ"], 0.316_828_436_755_427_5);
        near(&found["f_statistic"]["JNJ"], 120.650_379_320_072_91);
        near(
            &found["residual_covariance"][0][2],
            2.398_450_298_799_736e-06,
        );
        near(
            &found["residual_correlation"][1][3],
            0.084_065_572_586_849_27,
        );
        near(&found["grs_statistic"], 0.504_129_545_003_918);
        near(&found["grs_p_value"], 0.732_734_457_741_668_5);
        near(
            &found["portfolio"]["systematic_variance"],
            2.565_153_152_341_045_5e-05,
        );
        near(
            &found["portfolio"]["specific_share"],
            0.510_684_850_836_133_5,
        );
        near(&found["portfolio"]["volatility"], 0.114_937_723_059_836_97);
        near(&found["risk_premia"]["XOM"], -0.000_540_404_950_804_388_6);
        near(&found["risk_premia_t"]["XOM"], -0.493_630_065_431_247_4);
        near(
            &found["risk_premia_p_value"]["XOM"],
            0.621_987_411_179_775_2,
        );
        near(&found["zero_beta_rate"], 0.000_853_137_891_310_432_9);
        near(&found["expected_return"]["MRK"], 0.035_536_474_021_938_234);
    }

    #[test]
    fn for_one_asset_grs_is_the_square_of_t() {
        // Gibbons, Ross and Shanken: with N = 1 the statistic is the squared t of alpha.
        let found = run(json!({"n_assets": 1})).unwrap();
        let t = found["alpha_t"]["AAPL"].as_f64().unwrap();
        near(&found["grs_statistic"], t * t);
        near(
            &found["grs_p_value"],
            found["alpha_p_value"]["AAPL"].as_f64().unwrap(),
        );
        assert!(found["risk_premia"]["XOM"].is_null());
    }

    #[test]
    fn every_parameter_changes_an_output() {
        let of_three = |given: Value| {
            let mut all = json!({"n_assets": 3, "cov_type": "HAC"});
            all.as_object_mut()
                .unwrap()
                .extend(given.as_object().unwrap().clone());
            run(all).unwrap()
        };
        let plain = of_three(json!({}));
        for given in [
            json!({"n_assets": 2}),
            json!({"input": "returns"}),
            json!({"factor_input": "returns"}),
            json!({"risk_free_rate": 0.1}),
            json!({"periods_per_year": 12}),
            json!({"cov_type": "HC3"}),
            json!({"maxlags": 9}),
            json!({"use_correction": true}),
            json!({"weights": [1, 0, 0]}),
        ] {
            assert_ne!(of_three(given.clone()), plain, "{given}");
        }
    }

    #[test]
    fn no_factor_or_the_wrong_number_of_weights_is_refused() {
        for (given, field) in [
            (json!({"n_assets": 5}), "n_assets"),
            (json!({"n_assets": 3, "weights": [1]}), "weights"),
        ] {
            assert!(matches!(run(given), Err(FitError::Param(e)) if e.field == field));
        }
    }
}
