//! Distribution functions that tests and likelihoods need: normal, chi-squared, F and Student t, from the
//! error, gamma and beta functions.

use std::f64::consts::{PI, SQRT_2};

/// ln Γ(x) for x above 0.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ψ(x), the derivative of ln Γ, for x above 0: recurrence up to 10, then the asymptotic series
/// (Abramowitz & Stegun 6.3.18).
pub(crate) fn digamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < 10.0 {
        below += 1.0 / x;
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    let series = r
        * (1.0 / 12.0
            - r * (1.0 / 120.0
                - r * (1.0 / 252.0 - r * (1.0 / 240.0 - r * (1.0 / 132.0 - r * 691.0 / 32760.0)))));
    x.ln() - 0.5 / x - series - below
}

/// Φ(x).
pub(crate) fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// Q(a, x) = Γ(a, x)/Γ(a), for a above 0 and x at least 0: the series below a + 1, the continued
/// fraction above (Press et al., Numerical Recipes, 3rd ed., 6.2).
pub(crate) fn gamma_upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if !x.is_finite() {
        return 0.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut k) = (1.0 / a, 1.0 / a, a);
        for _ in 0..100_000 {
            k += 1.0;
            term *= x / k;
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        (1.0 - sum * front).max(0.0)
    } else {
        front * fraction(x + 1.0 - a, |k| -k * (k - a), |k| x + 1.0 - a + 2.0 * k)
    }
}

/// 1/(b0 + a1/(b1 + a2/(b2 + ...))) by Lentz' method.
fn fraction(b0: f64, a: impl Fn(f64) -> f64, b: impl Fn(f64) -> f64) -> f64 {
    const TINY: f64 = 1e-300;
    let clear = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / clear(b0);
    let mut h = d;
    for k in 1..100_000 {
        let k = f64::from(k);
        let (a, b) = (a(k), b(k));
        d = 1.0 / clear(a * d + b);
        c = clear(b + a / c);
        h *= d * c;
        if (d * c - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    h
}

/// I_x(a, b), the regularised incomplete beta function, by its continued fraction (Numerical Recipes 6.4).
pub(crate) fn beta_regularised(a: f64, b: f64, x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_regularised(b, a, 1.0 - x);
    }
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    let term = |k: f64| {
        let m = (k / 2.0).floor();
        if k % 2.0 == 0.0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        }
    };
    front * fraction(1.0, term, |_| 1.0)
}

/// P(X > x) for chi-squared with `df` degrees of freedom.
pub(crate) fn chi2_sf(x: f64, df: f64) -> f64 {
    if x.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    gamma_upper(df / 2.0, x / 2.0)
}

/// P(X > x) for the F distribution, x at least 0.
pub(crate) fn f_sf(x: f64, numerator: f64, denominator: f64) -> f64 {
    beta_regularised(
        denominator / 2.0,
        numerator / 2.0,
        denominator / (denominator + numerator * x),
    )
}

/// P(|X| > |x|) for the standard normal distribution.
pub(crate) fn normal_two_sided(x: f64) -> f64 {
    libm::erfc(x.abs() / SQRT_2)
}

/// ln 2π.
pub(crate) const LN_2PI: f64 = 1.837_877_066_409_345_5;

/// ln of the normal density with this variance at this deviation from the mean.
pub(crate) fn normal_ln_density(deviation: f64, variance: f64) -> f64 {
    -0.5 * ((2.0 * PI * variance).ln() + deviation * deviation / variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn tails_are_those_of_scipy() {
        // scipy 1.17.1: digamma, norm.cdf, chi2.sf, f.sf
        assert_near(
            &[0.3, 1.0, 7.5, 2413.0].map(digamma),
            &[
                -3.502_524_222_200_133,
                -0.577_215_664_901_532_9,
                1.946_757_484_246_086_7,
                7.788_418_840_372_169,
            ],
            1e-14,
        );
        let relative = |got: f64, want: f64| {
            assert!((got / want - 1.0).abs() < 1e-11, "{got} is not {want}");
        };
        for (x, want) in [
            (-8.0, 6.220_960_574_271_74e-16),
            (-1.2, 0.115_069_670_221_708_22),
            (0.0, 0.5),
            (2.5, 0.993_790_334_674_223_8),
        ] {
            relative(normal_cdf(x), want);
        }
        for ((x, df), want) in [
            ((25.593_831_552_63, 1.0), 4.213_843_058_544_714_6e-7),
            ((88.126_871_551_3, 10.0), 1.258_632_767_020_481_7e-14),
            ((3.0, 7.0), 0.885_002_231_643_150_6),
            ((1000.0, 900.0), 0.010_994_608_942_135_844),
            ((0.01, 3.0), 0.999_734_834_941_344_4),
        ] {
            relative(chi2_sf(x, df), want);
        }
        for ((x, a, b), want) in [
            ((19.035_317_570_64, 2.0, 195.0), 2.807_614_911_927_054_4e-8),
            ((0.5, 4.0, 189.0), 0.735_762_279_234_367_7),
            ((1.0, 30.0, 3000.0), 0.466_162_979_906_850_9),
            ((2.0, 1.0, 1.0), 0.391_826_552_030_607_23),
        ] {
            relative(f_sf(x, a, b), want);
        }
        assert_eq!(
            (gamma_upper(2.0, 0.0), beta_regularised(1.0, 1.0, 1.0)),
            (1.0, 1.0)
        );
        assert!(f_sf(f64::NAN, 1.0, 1.0).is_nan());
    }
}
