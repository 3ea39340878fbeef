//! Least squares of returns on factors, with the usual and robust covariances of its coefficients.

use crate::distributions::{LN_2PI, f_sf, normal_two_sided};
use crate::numeric::{Cholesky, dot};
use crate::risk::quantiles::{normal_quantile, t_quantile, t_two_sided};
use crate::test::engine::{LeastSquares, residuals};
use mltrainer_catalogue_core::{FitError, choices};
use ndarray::Array2;

choices! {
    /// How the covariance of the coefficients is estimated.
    pub enum Covariance {
        /// One variance for all rows.
        Nonrobust = "nonrobust",
        /// White (1980).
        Hc0 = "HC0",
        /// White, with n/(n - k).
        Hc1 = "HC1",
        /// Squared residuals over 1 - leverage.
        Hc2 = "HC2",
        /// Squared residuals over (1 - leverage)².
        Hc3 = "HC3",
        /// Newey and West (1987): variances that change and residuals that correlate over time.
        Hac = "HAC",
    }
}

/// How coefficients are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge {
    pub(super) covariance: Covariance,
    /// Lags of HAC.
    pub(super) maxlags: usize,
    /// Whether HAC is multiplied by n/(n - k).
    pub(super) small_sample: bool,
}

/// floor(4 (n/100)^(2/9)), the lags of Newey and West.
pub(super) fn newey_west_lags(n: usize) -> usize {
    (4.0 * (n as f64 / 100.0).powf(2.0 / 9.0)).floor() as usize
}

/// A regression with a constant, which comes first.
pub(super) struct Regression {
    pub(super) coefficients: Vec<f64>,
    pub(super) stderr: Vec<f64>,
    pub(super) t: Vec<f64>,
    pub(super) p: Vec<f64>,
    /// Bounds at 95 %.
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
    pub(super) residuals: Vec<f64>,
    pub(super) r_squared: f64,
    pub(super) adjusted_r_squared: f64,
    pub(super) f_statistic: f64,
    pub(super) f_p_value: f64,
    /// Residual variance, divisor n - k.
    pub(super) variance: f64,
    pub(super) aic: f64,
    pub(super) bic: f64,
    pub(super) durbin_watson: f64,
}

/// Of `y` on a constant and factors.
///
/// # Errors
/// Too few rows, factors that do not vary or determine each other, nothing left to judge by.
pub(super) fn regress(
    y: &[f64],
    factors: &[Vec<f64>],
    judge: Judge,
) -> Result<Regression, FitError> {
    let n = y.len();
    let mut columns = vec![vec![1.0; n]];
    columns.extend_from_slice(factors);
    let k = columns.len();
    let fit = LeastSquares::new(y, &columns)?;
    let coefficients = fit.coefficients(k);
    let e = residuals(y, &columns, &coefficients);
    let sse = fit.sse(k);
    let centre = y.iter().sum::<f64>() / n as f64;
    let total: f64 = y.iter().map(|v| (v - centre).powi(2)).sum();
    let left = (n - k) as f64;
    let variance = sse / left;
    let inverse = fit.covariance(k);
    let covariance = covariance(&columns, &e, &inverse, variance, judge);
    let stderr: Vec<f64> = (0..k).map(|i| covariance[i][i].max(0.0).sqrt()).collect();
    let t: Vec<f64> = coefficients
        .iter()
        .zip(&stderr)
        .map(|(b, s)| b / s)
        .collect();
    // As the reference library: Student's t for one variance, the normal distribution for robust ones.
    let usual = judge.covariance == Covariance::Nonrobust;
    let p = t.iter().map(|t| {
        if usual {
            t_two_sided(*t, left)
        } else {
            normal_two_sided(*t)
        }
    });
    let wide = if usual {
        t_quantile(0.975, left)
    } else {
        normal_quantile(0.975)
    };
    let bound = |sign: f64| -> Vec<f64> {
        coefficients
            .iter()
            .zip(&stderr)
            .map(|(b, s)| b + sign * wide * s)
            .collect()
    };
    let f_statistic = wald(&coefficients[1..], &covariance) / (k - 1) as f64;
    let rows = n as f64;
    let log_likelihood = -0.5 * rows * (LN_2PI + (sse / rows).ln() + 1.0);
    let steps: f64 = e.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum();
    Ok(Regression {
        p: p.collect(),
        lower: bound(-1.0),
        upper: bound(1.0),
        t,
        r_squared: 1.0 - sse / total,
        adjusted_r_squared: 1.0 - (sse / left) / (total / (rows - 1.0)),
        f_statistic,
        f_p_value: f_sf(f_statistic, (k - 1) as f64, left),
        variance,
        aic: 2.0 * k as f64 - 2.0 * log_likelihood,
        bic: rows.ln() * k as f64 - 2.0 * log_likelihood,
        durbin_watson: steps / dot(&e, &e),
        coefficients,
        stderr,
        residuals: e,
    })
}

/// (X'X)⁻¹ M (X'X)⁻¹ with the middle of the kind asked for.
fn covariance(
    columns: &[Vec<f64>],
    e: &[f64],
    inverse: &[Vec<f64>],
    variance: f64,
    judge: Judge,
) -> Vec<Vec<f64>> {
    let (n, k) = (e.len(), columns.len());
    if judge.covariance == Covariance::Nonrobust {
        return inverse
            .iter()
            .map(|row| row.iter().map(|v| v * variance).collect())
            .collect();
    }
    let row = |t: usize| columns.iter().map(|c| c[t]).collect::<Vec<f64>>();
    let leverage = |t: usize| -> f64 {
        let x = row(t);
        inverse.iter().zip(&x).map(|(r, v)| v * dot(r, &x)).sum()
    };
    let weight = |t: usize| match judge.covariance {
        Covariance::Hc2 => 1.0 / (1.0 - leverage(t)).sqrt(),
        Covariance::Hc3 => 1.0 / (1.0 - leverage(t)),
        _ => 1.0,
    };
    let scores: Vec<Vec<f64>> = (0..n)
        .map(|t| row(t).iter().map(|v| v * e[t] * weight(t)).collect())
        .collect();
    let mut middle = vec![vec![0.0; k]; k];
    let lags = if judge.covariance == Covariance::Hac {
        judge.maxlags.min(n - 1)
    } else {
        0
    };
    for lag in 0..=lags {
        let bartlett = 1.0 - lag as f64 / (lags as f64 + 1.0);
        for (a, b) in scores.iter().skip(lag).zip(&scores) {
            for i in 0..k {
                for j in 0..k {
                    middle[i][j] += bartlett * a[i] * b[j];
                    if lag > 0 {
                        middle[j][i] += bartlett * a[i] * b[j];
                    }
                }
            }
        }
    }
    let small = match judge.covariance {
        Covariance::Hc1 => true,
        Covariance::Hac => judge.small_sample,
        _ => false,
    };
    let by = if small {
        n as f64 / (n - k) as f64
    } else {
        1.0
    };
    let product = |a: &[Vec<f64>], b: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let entry = |i: usize, j: usize| (0..k).map(|l| a[i][l] * b[l][j]).sum::<f64>();
        (0..k)
            .map(|i| (0..k).map(|j| entry(i, j)).collect())
            .collect()
    };
    let all = product(&product(inverse, &middle), inverse);
    all.into_iter()
        .map(|row| row.into_iter().map(|v| by * v).collect())
        .collect()
}

/// b' V⁻¹ b of the coefficients after the constant; NaN when V is not positive definite.
fn wald(b: &[f64], covariance: &[Vec<f64>]) -> f64 {
    let k = b.len();
    // Scaled to a diagonal of 1, so that factors of different size are alike.
    let size: Vec<f64> = (1..=k).map(|i| covariance[i][i].sqrt()).collect();
    let scaled = Array2::from_shape_fn((k, k), |(i, j)| {
        covariance[i + 1][j + 1] / (size[i] * size[j])
    });
    let z: Vec<f64> = b.iter().zip(&size).map(|(b, s)| b / s).collect();
    Cholesky::new(scaled).map_or(f64::NAN, |l| {
        let mut half = z.clone();
        l.forward(&mut half);
        dot(&half, &half)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    // First 24 rows of the monthly factors: market excess, size, value, in percent (1990-01 to 1991-12).
    const MARKET: [f64; 24] = [
        -7.85, 1.11, 1.83, -3.36, 8.42, -1.09, -1.9, -10.15, -6.12, -1.92, 6.35, 2.46, 4.69, 7.19,
        2.65, -0.28, 3.65, -4.94, 4.24, 2.32, -1.59, 1.29, -4.19, 10.84,
    ];
    const SMB: [f64; 24] = [
        -1.29, 1.03, 1.52, -0.5, -2.57, 1.43, -3.21, -3.58, -3.67, -5.51, 0.33, 0.79, 3.79, 3.95,
        3.89, 0.5, -0.34, 0.07, -0.93, 1.59, 1.63, 0.9, -0.48, -2.24,
    ];
    const HML: [f64; 24] = [
        0.87, 0.61, -2.9, -2.55, -3.74, -1.94, -0.01, 1.58, 0.73, 0.22, -3.16, -1.54, -1.84, -0.54,
        -1.23, 1.42, -0.57, 1.21, -1.25, -0.78, -1.0, -0.43, -1.93, -4.03,
    ];

    fn fit(covariance: Covariance, maxlags: usize, small_sample: bool) -> Regression {
        let judge = Judge {
            covariance,
            maxlags,
            small_sample,
        };
        regress(&HML, &[MARKET.to_vec(), SMB.to_vec()], judge).unwrap()
    }

    #[test]
    fn coefficients_and_their_errors_are_those_of_statsmodels() {
        // statsmodels 0.15.0, OLS(hml, [1, mkt_rf, smb]).fit(cov_type): bse, then fvalue, f_pvalue, p-values.
        let usual = fit(Covariance::Nonrobust, 0, false);
        assert_near(
            &usual.coefficients,
            &[
                -0.820_101_762_625_499_8,
                -0.218_493_779_677_736_3,
                0.046_592_277_374_796_61,
            ],
            1e-10,
        );
        assert_near(
            &[
                usual.r_squared,
                usual.adjusted_r_squared,
                usual.aic,
                usual.bic,
                usual.durbin_watson,
                usual.variance,
            ],
            &[
                0.461_445_883_245_845,
                0.410_155_014_983_544_45,
                81.201_087_855_623_47,
                84.735_249_346_667_3,
                1.501_437_072_793_726,
                1.535_771_693_857_106,
            ],
            1e-10,
        );
        let bounds = [usual.lower[1], usual.upper[1]];
        assert_near(
            &bounds,
            &[-0.329_558_281_649_909_47, -0.107_429_277_705_563_15],
            1e-10,
        );
        for (covariance, lags, small, stderr, f, p) in [
            (
                Covariance::Nonrobust,
                0,
                false,
                [
                    0.255_721_069_682_291_36,
                    0.053_406_310_144_428_176,
                    0.112_591_164_394_401_67,
                ],
                [8.996_647_919_587_165, 0.001_506_288_551_444_023_2],
                [
                    0.004_234_003_122_226_641,
                    0.000_522_512_194_831_566_4,
                    0.683_203_009_806_73,
                ],
            ),
            (
                Covariance::Hc0,
                0,
                false,
                [
                    0.245_365_784_655_677_3,
                    0.040_409_066_328_743_87,
                    0.079_640_836_497_558_67,
                ],
                [15.787_690_930_711_962, 6.532_614_338_768_823e-05],
                [
                    0.000_830_680_538_712_043_4,
                    6.407_181_393_752_016e-08,
                    0.558_527_555_123_676_4,
                ],
            ),
            (
                Covariance::Hc1,
                0,
                false,
                [
                    0.262_307_057_319_571_16,
                    0.043_199_109_006_166_476,
                    0.085_139_635_477_127_44,
                ],
                [13.814_229_564_372_96, 0.000_148_235_511_346_365_46],
                [
                    0.001_769_033_762_446_417,
                    4.240_526_448_311_443_5e-07,
                    0.584_210_121_144_907_8,
                ],
            ),
            (
                Covariance::Hc2,
                0,
                false,
                [
                    0.256_843_858_350_397_1,
                    0.044_593_873_953_221_01,
                    0.088_967_296_233_469_3,
                ],
                [13.127_443_277_844_108, 0.000_200_268_194_866_293_8],
                [
                    0.001_408_042_319_674_210_3,
                    9.601_404_708_398_52e-07,
                    0.600_486_399_813_800_4,
                ],
            ),
            (
                Covariance::Hc3,
                0,
                false,
                [
                    0.269_427_054_479_189_96,
                    0.049_653_586_462_583_89,
                    0.099_959_019_661_274_67,
                ],
                [10.768_919_706_267_553, 0.000_604_172_017_923_057_3],
                [
                    0.002_335_536_378_423_815_8,
                    1.080_701_912_116_306_3e-05,
                    0.641_134_053_932_356_8,
                ],
            ),
            (
                Covariance::Hac,
                3,
                false,
                [
                    0.300_936_991_839_828_47,
                    0.023_307_046_150_027_29,
                    0.072_659_846_844_651_04,
                ],
                [50.336_695_134_331_706, 9.744_256_274_893_212e-09],
                [
                    0.006_427_013_274_735_027,
                    6.945_141_436_214_443e-21,
                    0.521_367_862_998_645_3,
                ],
            ),
            (
                Covariance::Hac,
                5,
                true,
                [
                    0.318_102_790_748_589_7,
                    0.019_452_769_176_020_467,
                    0.074_001_271_826_244_27,
                ],
                [79.818_740_158_320_92, 1.537_517_239_968_732_3e-10],
                [
                    0.009_934_437_782_583_001,
                    2.839_310_952_607_830_6e-29,
                    0.528_946_802_415_490_9,
                ],
            ),
        ] {
            let found = fit(covariance, lags, small);
            assert_near(&found.stderr, &stderr, 1e-10);
            assert_near(&[found.f_statistic, found.f_p_value], &f, 1e-9);
            assert_near(&found.p, &p, 1e-9);
        }
    }
}
