//! What risk and factor entries share: returns out of the series handed in, quantiles, moments.

use mltrainer_catalogue_core::{FitError, choices};

choices! {
    /// What a series holds.
    pub enum Input {
        /// Prices or a value where all are above 0, else returns.
        Auto = "auto",
        /// Simple returns.
        Returns = "returns",
        /// Prices, or the value of a portfolio.
        Prices = "prices",
    }
}

/// Simple returns of a series: one fewer than rows for prices. Returns are multiplied by `scale`.
///
/// # Errors
/// [`FitError::Data`] for a value that is no number, a price that is not above 0, a return that is not a
/// number.
pub(crate) fn changes(
    x: &[f64],
    input: Input,
    scale: f64,
    name: &str,
) -> Result<Vec<f64>, FitError> {
    if let Some(row) = x.iter().position(|v| !v.is_finite()) {
        return Err(FitError::Data(format!(
            "column \"{name}\" row {}: {} is not a finite number",
            row + 1,
            x[row]
        )));
    }
    let prices = match input {
        Input::Prices => true,
        Input::Returns => false,
        Input::Auto => x.iter().all(|v| *v > 0.0),
    };
    let returns: Vec<f64> = if prices {
        if let Some(row) = x.iter().position(|v| *v <= 0.0) {
            return Err(FitError::Data(format!(
                "column \"{name}\" row {}: {} is no price, which is above 0; for returns set input=returns",
                row + 1,
                x[row]
            )));
        }
        x.windows(2).map(|w| w[1] / w[0] - 1.0).collect()
    } else {
        x.iter().map(|v| scale * v).collect()
    };
    match returns.iter().position(|r| !r.is_finite()) {
        Some(row) => Err(FitError::Data(format!(
            "column \"{name}\": return {} is too large for doubles",
            row + 1
        ))),
        None => Ok(returns),
    }
}

/// That there are so many returns.
///
/// # Errors
/// Naming the column.
pub(crate) fn at_least(returns: &[f64], least: usize, name: &str) -> Result<(), FitError> {
    if returns.len() >= least {
        return Ok(());
    }
    Err(FitError::Data(format!(
        "column \"{name}\" has {} returns: give at least {least}",
        returns.len()
    )))
}

/// The quantile of ascending values, linear between order statistics (numpy's default, R's type 7).
pub(crate) fn quantile(ascending: &[f64], q: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = q * last as f64;
    let below = (place.floor() as usize).min(last);
    let (a, b) = (ascending[below], ascending[(below + 1).min(last)]);
    let share = place - below as f64;
    // As numpy interpolates: from the nearer end.
    if share < 0.5 {
        a + (b - a) * share
    } else {
        b - (b - a) * (1.0 - share)
    }
}

/// The values in ascending order.
pub(crate) fn ascending(x: &[f64]) -> Vec<f64> {
    let mut sorted = x.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Mean; NaN of no values.
pub(crate) fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// Variance, divisor n - 1; NaN of fewer than two values.
pub(crate) fn variance(x: &[f64]) -> f64 {
    if x.len() < 2 {
        return f64::NAN;
    }
    // Rounding about the mean of a constant is no variance.
    if x.iter().all(|v| *v == x[0]) {
        return 0.0;
    }
    let m = mean(x);
    let squares: f64 = x.iter().map(|v| (v - m).powi(2)).sum();
    squares / (x.len() as f64 - 1.0)
}

/// Covariance, divisor n - 1.
pub(crate) fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    let both: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
    if a.len() < 2 {
        f64::NAN
    } else {
        both / (a.len() as f64 - 1.0)
    }
}

/// Skewness and excess kurtosis with divisor n (biased); NaN for values that do not vary.
pub(crate) fn shape(x: &[f64]) -> (f64, f64) {
    let (n, m) = (x.len() as f64, mean(x));
    let size = x.iter().fold(0.0, |a: f64, v| a.max((v - m).abs()));
    // Rounding about the mean of a constant is no shape.
    if size <= 1e-14 * m.abs() || size == 0.0 {
        return (f64::NAN, f64::NAN);
    }
    let moment = |k: i32| x.iter().map(|v| ((v - m) / size).powi(k)).sum::<f64>() / n;
    let second = moment(2);
    (
        moment(3) / second.powf(1.5),
        moment(4) / (second * second) - 3.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_near;

    #[test]
    fn quantiles_and_shape_are_those_of_numpy_and_scipy() {
        // numpy 2.4: percentile([1, 2, 4, 8], [2.5, 50, 97.5]); scipy 1.17: skew, kurtosis of the same.
        let v = [1.0, 2.0, 4.0, 8.0];
        assert_near(
            &[0.025, 0.5, 0.975].map(|q| quantile(&v, q)),
            &[1.075, 3.0, 7.7],
            1e-14,
        );
        let (skew, kurtosis) = shape(&v);
        assert_near(
            &[skew, kurtosis],
            &[0.656_807_734_499_699_3, -1.098_979_206_049_149_4],
            1e-12,
        );
        assert!(shape(&[0.1; 7]).0.is_nan());
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn prices_and_returns_are_told_apart() {
        let prices = [100.0, 110.0, 99.0];
        assert_near(
            &changes(&prices, Input::Auto, 1.0, "p").unwrap(),
            &[0.1, -0.1],
            1e-15,
        );
        let returns = [1.0, -2.0];
        assert_near(
            &changes(&returns, Input::Auto, 0.01, "r").unwrap(),
            &[0.01, -0.02],
            1e-15,
        );
        assert_near(
            &changes(&prices, Input::Returns, 1.0, "p").unwrap(),
            &prices,
            0.0,
        );
        for (x, input, words) in [
            (&returns[..], Input::Prices, "row 2: -2 is no price"),
            (
                &[1.0, f64::NAN],
                Input::Auto,
                "row 2: NaN is not a finite number",
            ),
            (&[1e-300, 1e300], Input::Prices, "too large"),
        ] {
            assert!(
                changes(x, input, 1.0, "p")
                    .unwrap_err()
                    .to_string()
                    .contains(words)
            );
        }
    }
}
