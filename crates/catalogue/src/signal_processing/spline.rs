//! Interpolating splines for envelopes: cubic with not-a-knot ends, natural for three knots, and Akima.

/// Values at 0, 1, ..., `rows` - 1 of the cubic spline through the knots, whose places increase and
/// span these. Four and more knots: not-a-knot ends (de Boor, A Practical Guide to Splines); three:
/// natural ends; two: the line.
pub(crate) fn cubic(at: &[f64], y: &[f64], rows: usize) -> Vec<f64> {
    let slopes = match at.len() {
        0 | 1 => vec![0.0; at.len()],
        2 => vec![(y[1] - y[0]) / (at[1] - at[0]); 2],
        3 => natural(at, y),
        _ => not_a_knot(at, y),
    };
    hermite(at, y, &slopes, rows)
}

/// Values of Akima's spline (J. ACM 17, 1970); for fewer than three knots the line.
pub(crate) fn akima(at: &[f64], y: &[f64], rows: usize) -> Vec<f64> {
    let n = at.len();
    if n < 3 {
        return cubic(at, y, rows);
    }
    let mut m = vec![0.0; n + 3];
    for i in 0..n - 1 {
        m[i + 2] = (y[i + 1] - y[i]) / (at[i + 1] - at[i]);
    }
    m[1] = 2.0 * m[2] - m[3];
    m[0] = 2.0 * m[1] - m[2];
    m[n + 1] = 2.0 * m[n] - m[n - 1];
    m[n + 2] = 2.0 * m[n + 1] - m[n];
    let weights = |i: usize| ((m[i + 3] - m[i + 2]).abs(), (m[i + 1] - m[i]).abs());
    let largest = (0..n)
        .map(|i| weights(i).0 + weights(i).1)
        .fold(0.0, f64::max);
    let slopes: Vec<f64> = (0..n)
        .map(|i| {
            let (a, b) = weights(i);
            if a + b > 1e-9 * largest {
                (a * m[i + 1] + b * m[i + 2]) / (a + b)
            } else {
                0.5 * (m[i] + m[i + 3])
            }
        })
        .collect();
    hermite(at, y, &slopes, rows)
}

/// Slopes at the knots of the spline with second derivative 0 at the ends.
fn natural(at: &[f64], y: &[f64]) -> Vec<f64> {
    let (h0, h1) = (at[1] - at[0], at[2] - at[1]);
    let (d0, d1) = ((y[1] - y[0]) / h0, (y[2] - y[1]) / h1);
    // Rows 2 k0 + k1 = 3 d0, k0/h0 + 2 k1 (1/h0 + 1/h1) + k2/h1 = 3 (d0/h0 + d1/h1), k1 + 2 k2 = 3 d1.
    let k1 = (1.5 * (d0 / h0 + d1 / h1)) / (1.5 * (1.0 / h0 + 1.0 / h1));
    vec![(3.0 * d0 - k1) / 2.0, k1, (3.0 * d1 - k1) / 2.0]
}

/// Slopes at the knots of the spline whose third derivative is continuous at the second and the last but
/// one knot.
fn not_a_knot(at: &[f64], y: &[f64]) -> Vec<f64> {
    let n = at.len();
    let h: Vec<f64> = at.windows(2).map(|w| w[1] - w[0]).collect();
    let d: Vec<f64> = (0..n - 1).map(|i| (y[i + 1] - y[i]) / h[i]).collect();
    // Tridiagonal: lower, diagonal, upper, right-hand side.
    let mut rows: Vec<[f64; 4]> = Vec::with_capacity(n);
    let span = h[0] + h[1];
    rows.push([
        0.0,
        h[1],
        span,
        ((h[0] + 2.0 * span) * h[1] * d[0] + h[0] * h[0] * d[1]) / span,
    ]);
    for i in 1..n - 1 {
        rows.push([
            h[i],
            2.0 * (h[i - 1] + h[i]),
            h[i - 1],
            3.0 * (h[i] * d[i - 1] + h[i - 1] * d[i]),
        ]);
    }
    let (a, b) = (h[n - 3], h[n - 2]);
    let span = a + b;
    rows.push([
        span,
        a,
        0.0,
        (b * b * d[n - 3] + (2.0 * span + b) * a * d[n - 2]) / span,
    ]);
    for i in 1..n {
        let by = rows[i][0] / rows[i - 1][1];
        rows[i][1] -= by * rows[i - 1][2];
        rows[i][3] -= by * rows[i - 1][3];
    }
    let mut slopes = vec![0.0; n];
    for i in (0..n).rev() {
        let after = if i + 1 < n {
            rows[i][2] * slopes[i + 1]
        } else {
            0.0
        };
        slopes[i] = (rows[i][3] - after) / rows[i][1];
    }
    slopes
}

/// The piecewise cubic with these values and slopes, at 0, 1, ...
fn hermite(at: &[f64], y: &[f64], slopes: &[f64], rows: usize) -> Vec<f64> {
    let mut piece = 0;
    (0..rows)
        .map(|row| {
            let x = row as f64;
            while piece + 2 < at.len() && x >= at[piece + 1] {
                piece += 1;
            }
            if at.len() < 2 {
                return y.first().copied().unwrap_or_default();
            }
            let (i, j) = (piece, piece + 1);
            let h = at[j] - at[i];
            let s = x - at[i];
            let d = (y[j] - y[i]) / h;
            let c = (3.0 * d - 2.0 * slopes[i] - slopes[j]) / h;
            let b = (slopes[i] + slopes[j] - 2.0 * d) / (h * h);
            y[i] + s * (slopes[i] + s * (c + s * b))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    /// A cubic is its own not-a-knot spline.
    #[test]
    fn a_cubic_is_reproduced() {
        let f = |x: f64| 2.0 + x * (-1.5 + x * (0.25 - 0.1 * x));
        let at = [-1.0, 0.5, 2.0, 5.0, 7.5, 9.0];
        let want: Vec<f64> = (0..10).map(|t| f(f64::from(t))).collect();
        assert_near(&cubic(&at, &at.map(f), 10), &want, 1e-12);
        assert_near(
            &cubic(&at[1..5], &at.map(f)[1..5], 8)[1..],
            &want[1..8],
            1e-12,
        );
    }

    /// scipy 1.17.1: Akima1DInterpolator; CubicSpline(bc_type="natural") of three knots.
    #[test]
    fn akima_and_three_knots_are_those_of_scipy() {
        let (at, y) = (
            [0.0, 1.0, 3.0, 4.0, 6.0, 7.0],
            [1.0, 3.0, 2.0, 2.0, 5.0, 4.0],
        );
        assert_near(
            &akima(&at, &y, 8),
            &[
                1.0,
                3.0,
                2.526_041_666_666_666_5,
                2.0,
                2.0,
                3.421_875,
                5.0,
                4.0,
            ],
            1e-13,
        );
        assert_near(
            &cubic(&[0.0, 2.0, 5.0], &[1.0, 3.0, -1.0], 6),
            &[1.0, 2.35, 3.0, 22.0 / 9.0, 43.0 / 45.0, -1.0],
            1e-13,
        );
    }
}
