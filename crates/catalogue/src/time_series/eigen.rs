//! Eigenvalues of a real square matrix, for roots of polynomials and the stability of systems.

/// Eigenvalues as pairs (real, imaginary): reduction to Hessenberg form and QR steps with double shifts
/// (Francis, 1961; Golub & Van Loan, Matrix Computations, 4th ed., 7.5). None when it does not converge or a
/// number is not finite.
pub(crate) fn eigenvalues(mut a: Vec<Vec<f64>>) -> Option<Vec<(f64, f64)>> {
    if a.iter().flatten().any(|v| !v.is_finite()) {
        return None;
    }
    hessenberg(&mut a);
    let n = a.len();
    let mut values = vec![(0.0, 0.0); n];
    let norm: f64 = a.iter().flatten().map(|v| v.abs()).sum();
    let mut shift = 0.0;
    // Rows and columns before `end` are still coupled.
    let mut end = n;
    let mut turns = 0;
    while end > 0 {
        let nn = end - 1;
        let mut l = nn;
        while l > 0 {
            let mut s = a[l - 1][l - 1].abs() + a[l][l].abs();
            if s == 0.0 {
                s = norm;
            }
            if a[l][l - 1].abs() <= f64::EPSILON * s {
                a[l][l - 1] = 0.0;
                break;
            }
            l -= 1;
        }
        let mut x = a[nn][nn];
        if l == nn {
            values[nn] = (x + shift, 0.0);
            end -= 1;
            turns = 0;
            continue;
        }
        let mut y = a[nn - 1][nn - 1];
        let mut w = a[nn][nn - 1] * a[nn - 1][nn];
        if l == nn - 1 {
            let p = 0.5 * (y - x);
            let q = p * p + w;
            let z = q.abs().sqrt();
            x += shift;
            if q >= 0.0 {
                let z = p + z.copysign(p);
                values[nn - 1] = (x + z, 0.0);
                values[nn] = (if z == 0.0 { x } else { x - w / z }, 0.0);
            } else {
                values[nn - 1] = (x + p, z);
                values[nn] = (x + p, -z);
            }
            end -= 2;
            turns = 0;
            continue;
        }
        if turns == 60 {
            return None;
        }
        if turns % 10 == 0 && turns > 0 {
            // An exceptional shift breaks a cycle.
            shift += x;
            for (i, row) in a.iter_mut().enumerate().take(nn + 1) {
                row[i] -= x;
            }
            let s = a[nn][nn - 1].abs() + a[nn - 1][nn - 2].abs();
            x = 0.75 * s;
            y = x;
            w = -0.4375 * s * s;
        }
        turns += 1;
        let (mut p, mut q, mut r);
        let mut m = nn - 2;
        loop {
            let z = a[m][m];
            let (rr, ss) = (x - z, y - z);
            p = (rr * ss - w) / a[m + 1][m] + a[m][m + 1];
            q = a[m + 1][m + 1] - z - rr - ss;
            r = a[m + 2][m + 1];
            let s = p.abs() + q.abs() + r.abs();
            p /= s;
            q /= s;
            r /= s;
            if m == l {
                break;
            }
            let u = a[m][m - 1].abs() * (q.abs() + r.abs());
            let v = p.abs() * (a[m - 1][m - 1].abs() + z.abs() + a[m + 1][m + 1].abs());
            if u <= f64::EPSILON * v {
                break;
            }
            m -= 1;
        }
        for i in m..nn - 1 {
            a[i + 2][i] = 0.0;
            if i != m {
                a[i + 2][i - 1] = 0.0;
            }
        }
        for k in m..nn {
            if k != m {
                p = a[k][k - 1];
                q = a[k + 1][k - 1];
                r = if k + 1 == nn { 0.0 } else { a[k + 2][k - 1] };
                x = p.abs() + q.abs() + r.abs();
                if x != 0.0 {
                    p /= x;
                    q /= x;
                    r /= x;
                }
            }
            let s = (p * p + q * q + r * r).sqrt().copysign(p);
            if s == 0.0 {
                continue;
            }
            if k == m {
                if l != m {
                    a[k][k - 1] = -a[k][k - 1];
                }
            } else {
                a[k][k - 1] = -s * x;
            }
            p += s;
            x = p / s;
            y = q / s;
            let z = r / s;
            q /= p;
            r /= p;
            #[expect(
                clippy::needless_range_loop,
                reason = "three rows change together in one column"
            )]
            for j in k..=nn {
                let mut pp = a[k][j] + q * a[k + 1][j];
                if k + 1 != nn {
                    pp += r * a[k + 2][j];
                    a[k + 2][j] -= pp * z;
                }
                a[k + 1][j] -= pp * y;
                a[k][j] -= pp * x;
            }
            let last = nn.min(k + 3);
            for row in a.iter_mut().take(last + 1).skip(l) {
                let mut pp = x * row[k] + y * row[k + 1];
                if k + 1 != nn {
                    pp += z * row[k + 2];
                    row[k + 2] -= pp * r;
                }
                row[k + 1] -= pp * q;
                row[k] -= pp;
            }
        }
    }
    Some(values)
}

/// Elimination with pivoting to upper Hessenberg form.
fn hessenberg(a: &mut [Vec<f64>]) {
    let n = a.len();
    for m in 1..n.saturating_sub(1) {
        let mut pivot = m;
        for j in m..n {
            if a[j][m - 1].abs() > a[pivot][m - 1].abs() {
                pivot = j;
            }
        }
        let x = a[pivot][m - 1];
        a.swap(pivot, m);
        for row in a.iter_mut() {
            row.swap(pivot, m);
        }
        if x == 0.0 {
            continue;
        }
        for i in m + 1..n {
            let y = a[i][m - 1] / x;
            if y == 0.0 {
                continue;
            }
            let pivot_row = a[m].clone();
            for (v, p) in a[i].iter_mut().zip(&pivot_row).skip(m - 1) {
                *v -= y * p;
            }
            for row in a.iter_mut() {
                row[m] += y * row[i];
            }
            a[i][m - 1] = 0.0;
        }
    }
}

/// Sizes of the roots of 1 - c₁z - c₂z² - ..., smallest first.
pub(crate) fn root_sizes(c: &[f64]) -> Vec<f64> {
    let degree = c.iter().rposition(|v| *v != 0.0).map_or(0, |at| at + 1);
    let mut companion = vec![vec![0.0; degree]; degree];
    for (j, v) in c.iter().take(degree).enumerate() {
        companion[0][j] = *v;
        if j + 1 < degree {
            companion[j + 1][j] = 1.0;
        }
    }
    let values = eigenvalues(companion).unwrap_or_default();
    let mut sizes: Vec<f64> = values.iter().map(|(a, b)| 1.0 / a.hypot(*b)).collect();
    sizes.sort_by(f64::total_cmp);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn eigenvalues_by_hand() {
        // [[0, 1], [-2, 3]]: 1 and 2. A rotation by 90 degrees: ±i.
        let mut real: Vec<f64> = eigenvalues(vec![vec![0.0, 1.0], vec![-2.0, 3.0]])
            .unwrap()
            .iter()
            .map(|v| v.0)
            .collect();
        real.sort_by(f64::total_cmp);
        assert_near(&real, &[1.0, 2.0], 1e-14);
        let turn = eigenvalues(vec![vec![0.0, -1.0], vec![1.0, 0.0]]).unwrap();
        assert_near(&[turn[0].0, turn[0].1.abs()], &[0.0, 1.0], 1e-14);
        // The companion of (x-1)(x-2)(x-3)(x-4)(x-5).
        let c = [15.0, -85.0, 225.0, -274.0, 120.0];
        let mut a = vec![vec![0.0; 5]; 5];
        for j in 0..5 {
            a[0][j] = c[j];
            if j < 4 {
                a[j + 1][j] = 1.0;
            }
        }
        let mut real: Vec<f64> = eigenvalues(a).unwrap().iter().map(|v| v.0).collect();
        real.sort_by(f64::total_cmp);
        assert_near(&real, &[1.0, 2.0, 3.0, 4.0, 5.0], 1e-9);
        // The sum of eigenvalues is the trace, that of a permutation of five lies on the unit circle.
        let cycle = (0..5)
            .map(|i| {
                (0..5)
                    .map(|j| f64::from(u8::from(j == (i + 1) % 5)))
                    .collect()
            })
            .collect();
        for (re, im) in eigenvalues(cycle).unwrap() {
            assert_near(&[re.hypot(im)], &[1.0], 1e-12);
        }
        assert!(eigenvalues(vec![vec![f64::NAN]]).is_none());
    }

    #[test]
    fn roots_by_hand() {
        // 1 - 0.5 z: 2. 1 - z²/4: ±2. 1 - 1.5 z + 0.5 z² = (1 - z)(1 - z/2): 1 and 2.
        assert_near(&root_sizes(&[0.5]), &[2.0], 1e-14);
        assert_near(&root_sizes(&[0.0, 0.25]), &[2.0, 2.0], 1e-14);
        assert_near(&root_sizes(&[1.5, -0.5, 0.0]), &[1.0, 2.0], 1e-12);
        assert!(root_sizes(&[0.0]).is_empty());
    }
}
