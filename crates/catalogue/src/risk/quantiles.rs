//! Inverse distribution functions: normal and Student t.

use crate::distributions::{beta_regularised, ln_gamma, normal_cdf};

/// The normal quantile: Acklam's rational start, then Halley steps on the distribution function.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if !(p > 0.0 && p < 1.0) {
        return if p == 0.0 {
            f64::NEG_INFINITY
        } else if p == 1.0 {
            f64::INFINITY
        } else {
            f64::NAN
        };
    }
    // The lower tail keeps its digits; the upper one mirrors it.
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    let mut x = start(p);
    for _ in 0..3 {
        let height = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        if height == 0.0 {
            break;
        }
        let u = (normal_cdf(x) - p) / height;
        x -= u / (1.0 + x * u / 2.0);
    }
    x
}

/// P. J. Acklam's approximation (2003), relative error under 1.2e-9, for p of at most one half.
fn start(p: f64) -> f64 {
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
    let poly = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    if p < 0.024_25 {
        let q = (-2.0 * p.ln()).sqrt();
        poly(&C, q) / (poly(&D, q) * q + 1.0)
    } else {
        let q = p - 0.5;
        let r = q * q;
        poly(&A, r) * q / (poly(&B, r) * r + 1.0)
    }
}

/// P(T ≤ x) of Student's t.
pub(crate) fn t_cdf(x: f64, df: f64) -> f64 {
    let tail = 0.5 * beta_regularised(df / 2.0, 0.5, df / (df + x * x));
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// P(|T| > |x|) of Student's t.
pub(crate) fn t_two_sided(x: f64, df: f64) -> f64 {
    beta_regularised(df / 2.0, 0.5, df / (df + x * x))
}

/// ln of the density of Student's t.
pub(crate) fn t_ln_density(x: f64, df: f64) -> f64 {
    ln_gamma((df + 1.0) / 2.0)
        - ln_gamma(df / 2.0)
        - 0.5 * (df * std::f64::consts::PI).ln()
        - (df + 1.0) / 2.0 * (x * x / df).ln_1p()
}

/// The quantile of Student's t by Newton steps within a bracket.
pub(crate) fn t_quantile(p: f64, df: f64) -> f64 {
    if !(p > 0.0 && p < 1.0 && df > 0.0) {
        return f64::NAN;
    }
    if p > 0.5 {
        return -t_quantile(1.0 - p, df);
    }
    if p == 0.5 {
        return 0.0;
    }
    let (mut low, mut high) = (-1.0, 0.0);
    while t_cdf(low, df) > p {
        high = low;
        low *= 2.0;
        if low < -1e300 {
            return f64::NEG_INFINITY;
        }
    }
    let mut x = normal_quantile(p).clamp(low, high);
    for _ in 0..200 {
        // On the logarithm, which is nearer to a line in the tail.
        let now = t_cdf(x, df);
        let gap = (now / p).ln();
        if gap > 0.0 {
            high = x
        } else {
            low = x
        }
        let newton = x - gap * now / t_ln_density(x, df).exp();
        let next = if newton > low && newton < high {
            newton
        } else {
            (low + high) / 2.0
        };
        if (next - x).abs() <= 1e-15 * x.abs() {
            return next;
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_scipy() {
        // scipy 1.17.1: norm.ppf and t.ppf.
        for (p, want) in NORMAL {
            assert!(
                (normal_quantile(p) / want - 1.0).abs() < 1e-13,
                "{p}: {}",
                normal_quantile(p)
            );
        }
        assert_eq!(normal_quantile(0.5), 0.0);
        for (p, df, want) in STUDENT {
            // The beta function of a million degrees of freedom keeps ten digits.
            assert!(
                (t_quantile(p, df) / want - 1.0).abs() < 1e-10,
                "{p} {df}: {}",
                t_quantile(p, df)
            );
            assert!((t_cdf(want, df) / p - 1.0).abs() < 1e-9);
        }
        assert!(normal_quantile(1.5).is_nan() && t_quantile(0.0, 3.0).is_nan());
    }

    const NORMAL: [(f64, f64); 5] = [
        (1.0e-300, -37.047_096_299_361_2),
        (1.0e-10, -6.361_340_902_404_056),
        (0.01, -2.326_347_874_040_840_8),
        (0.05, -1.644_853_626_951_472_9),
        (0.999, 3.090_232_306_167_813),
    ];

    const STUDENT: [(f64, f64, f64); 6] = [
        (0.05, 3.5, -2.222_433_493_649_601),
        (0.01, 2.1, -6.530_821_866_914_482),
        (1.0e-06, 5.0, -24.771_029_720_515_948),
        (0.2, 1.0, -1.376_381_920_471_173_6),
        (0.025, 200.0, -1.971_896_223_633_909_3),
        (0.001, 1000000.0, -3.090_240_456_316_52),
    ];
}
