//! Exponentials and logarithms as quick and as rough as those of the program.
//!
//! It keeps the sums of some losses as powers of e, and what it loses on the way between a sum and its
//! power decides between questions that are nearly as good, and whether a step of the leaves lowers
//! the loss.

use std::sync::OnceLock;

/// Parts of an octave that have an entry of the table.
const PARTS: usize = 2048;
/// 1.5 · 2^52: added to a number, it leaves the nearest integer in the last bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// The fractions of 2^(k / [`PARTS`]).
fn fractions() -> &'static [u64] {
    static TABLE: OnceLock<Vec<u64>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let power = |k: usize| 2_f64.powf(k as f64 * (1.0 / PARTS as f64));
        (0..PARTS)
            .map(|k| power(k).to_bits() & ((1 << 52) - 1))
            .collect()
    })
}

/// e^x by a table of powers of 2 and a polynomial (S. Mitsunari, fmath).
pub(super) fn exp(x: f64) -> f64 {
    let x = x.clamp(-708.396_418_532_264_1, 709.782_712_893_384);
    let scale = PARTS as f64 / std::f64::consts::LN_2;
    let shifted = x * scale + ROUNDER;
    let bits = shifted.to_bits();
    let fraction = fractions()
        .get(bits as usize % PARTS)
        .copied()
        .unwrap_or_default();
    // What rounding took away, with its sign turned.
    let t = (shifted - ROUNDER) * (1.0 / scale) - x;
    let rest = (3.000_000_002_795_539_4 - t) * (t * t) * 0.166_666_666_852_278_35 - t + 1.0;
    let exponent = ((bits + (1023 << 11)) >> 11) << 52;
    rest * f64::from_bits(exponent | fraction)
}

/// e^x as the product of the powers of four numbers of 16 bits, the first bits of what is left, and 1 + the
/// rest.
pub(super) fn exp_in_parts(x: f64) -> f64 {
    let (mut left, mut power) = (x, 1.0);
    for _ in 0..4 {
        let part = f64::from_bits(left.to_bits() & 0xffff_0000_0000_0000);
        power *= part.exp();
        left -= part;
    }
    power * (1.0 + left)
}

/// The natural logarithm from the bits of a single number, right to about four digits (P. Mineiro,
/// fastapprox).
pub(super) fn ln(x: f64) -> f32 {
    let bits = (x as f32).to_bits();
    let fraction = f32::from_bits(bits & 0x007f_ffff | 0x3f00_0000);
    let octaves = bits as f32 * 1.192_092_9e-7
        - 124.225_52
        - 1.498_030_3 * fraction
        - 1.725_88 / (0.352_088_72 + fraction);
    std::f32::consts::LN_2 * octaves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_near_to_what_they_stand_for() {
        for k in -60..=60 {
            let x = f64::from(k) * 0.37;
            let want = x.exp();
            // What it takes from x is as wrong as the last bit of x.
            let near = (1.0 + x.abs()) * f64::EPSILON;
            assert!((exp(x) / want - 1.0).abs() < 2.0 * near, "{x}");
            // Each part leaves less than a sixteenth of what there was, and the last rest r is wrong by r²/2.
            let rest = x.abs() / 16_f64.powi(4);
            let gap = (exp_in_parts(x) / want - 1.0).abs();
            assert!(gap < rest * rest + 4.0 * near, "{x}");
            // The error of the logarithm to base 2 is about 1e-4 (P. Mineiro, fastapprox).
            assert!((f64::from(ln(want)) - x).abs() < 3e-4, "{x}");
        }
        assert_eq!((exp(0.0), exp_in_parts(0.0)), (1.0, 1.0));
    }
}
