//! Averages that the indicators share. Each looks at values up to the present one only, and sums
//! them in the same order whatever comes later.

/// Simple mean.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Recursive average m += weight · (x - m) over `values`, started at index `start - 1` with the mean
/// of the `period` values that end there; nothing before.
fn recursive(values: &[f64], period: usize, start: usize, weight: f64) -> Vec<Option<f64>> {
    let mut out = vec![None; values.len()];
    if values.len() < start || start < period {
        return out;
    }
    let mut m = mean(&values[start - period..start]);
    out[start - 1] = Some(m);
    for i in start..values.len() {
        m += weight * (values[i] - m);
        out[i] = Some(m);
    }
    out
}

/// Exponential moving average, weight 2/(period + 1), whose first value stands at index `start - 1`.
pub(crate) fn ema(values: &[f64], period: usize, start: usize) -> Vec<Option<f64>> {
    recursive(values, period, start, 2.0 / (period as f64 + 1.0))
}

/// Wilder's average, weight 1/period: the mean of the first `period` values, then recursive.
pub(crate) fn wilder(values: &[f64], period: usize) -> Vec<Option<f64>> {
    recursive(values, period, period, 1.0 / period as f64)
}

/// `f` of the last `period` values, nothing before there are as many.
pub(crate) fn rolling(
    values: &[f64],
    period: usize,
    f: impl Fn(&[f64]) -> f64,
) -> Vec<Option<f64>> {
    let mut out = vec![None; (period - 1).min(values.len())];
    out.extend(values.windows(period).map(|w| Some(f(w))));
    out
}

/// The same column `by` places later.
pub(crate) fn shifted(column: Vec<Option<f64>>, by: usize) -> Vec<Option<f64>> {
    let mut out = vec![None; by];
    out.extend(column);
    out
}
