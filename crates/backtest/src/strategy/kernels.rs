//! Columns of the catalogue's indicators over any series, and windows that the catalogue has not.
//!
//! Moving averages, RSI and ATR are the catalogue's own states fed value by value, so that there is
//! one source of their numbers. A missing value (NaN) starts a state anew; a window that holds one
//! has no value.

use mltrainer_catalogue::indicator::atr::{Atr, AtrParams};
use mltrainer_catalogue::indicator::ema::{Ema, EmaParams};
use mltrainer_catalogue::indicator::rsi::{Rsi, RsiParams};
use mltrainer_catalogue::indicator::sma::{Sma, SmaParams};
use mltrainer_catalogue::indicator::wma::{Wma, WmaParams};
use mltrainer_catalogue_core::{Bar, FitError, State as _, Streamed};

/// The first output of an indicator of closes, fed with any series.
fn fold<M: Streamed>(params: &M::Params, x: &[f64]) -> Result<Vec<f64>, FitError> {
    let mut all = Vec::with_capacity(x.len());
    let mut rest = x;
    while !rest.is_empty() {
        let missing = rest.iter().take_while(|x| x.is_nan()).count();
        all.resize(all.len() + missing, f64::NAN);
        rest = &rest[missing..];
        let known = rest.iter().position(|x| x.is_nan()).unwrap_or(rest.len());
        let mut state = M::start(params)?;
        all.extend(rest[..known].iter().map(|x| {
            let row = state.push(&Bar {
                close: *x,
                ..Bar::default()
            });
            row.as_ref().first().copied().flatten().unwrap_or(f64::NAN)
        }));
        rest = &rest[known..];
    }
    Ok(all)
}

/// Simple moving average of the last `period` values.
///
/// # Errors
/// None for a period in the indicator's range.
pub fn sma(x: &[f64], period: usize) -> Result<Vec<f64>, FitError> {
    fold::<Sma>(&SmaParams { period }, x)
}

/// Exponential moving average.
///
/// # Errors
/// As [`sma`].
pub fn ema(x: &[f64], period: usize) -> Result<Vec<f64>, FitError> {
    fold::<Ema>(&EmaParams { period }, x)
}

/// Weighted moving average.
///
/// # Errors
/// As [`sma`].
pub fn wma(x: &[f64], period: usize) -> Result<Vec<f64>, FitError> {
    fold::<Wma>(&WmaParams { period }, x)
}

/// Relative strength index.
///
/// # Errors
/// As [`sma`].
pub fn rsi(x: &[f64], period: usize) -> Result<Vec<f64>, FitError> {
    fold::<Rsi>(&RsiParams { period }, x)
}

/// Average true range.
///
/// # Errors
/// As [`sma`].
pub fn atr(high: &[f64], low: &[f64], close: &[f64], period: usize) -> Result<Vec<f64>, FitError> {
    let params = AtrParams { period };
    let mut state = Atr::start(&params)?;
    let mut fresh = true;
    let bars = high.iter().zip(low).zip(close);
    bars.map(|((high, low), close)| {
        if close.is_nan() {
            if !fresh {
                state = Atr::start(&params)?;
                fresh = true;
            }
            return Ok(f64::NAN);
        }
        fresh = false;
        let row = state.push(&Bar {
            high: *high,
            low: *low,
            close: *close,
            ..Bar::default()
        });
        Ok(row[0].unwrap_or(f64::NAN))
    })
    .collect()
}

/// A figure of each full window of `period` values; NaN before the first and where a value is
/// missing.
pub(super) fn windows(x: &[f64], period: usize, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut known = 0;
    (0..x.len())
        .map(|t| {
            known = if x[t].is_nan() { 0 } else { known + 1 };
            if known < period {
                return f64::NAN;
            }
            of(&x[t + 1 - period..=t])
        })
        .collect()
}

/// The largest value of each window (`sign` 1) or the smallest (-1), each value looked at once.
pub(super) fn extreme(x: &[f64], period: usize, sign: f64) -> Vec<f64> {
    // Places of values that may still become the extreme, best first.
    let mut places = std::collections::VecDeque::new();
    let mut known = 0;
    (0..x.len())
        .map(|t| {
            if x[t].is_nan() {
                known = 0;
                places.clear();
                return f64::NAN;
            }
            known += 1;
            while places
                .back()
                .is_some_and(|p: &usize| sign * x[*p] <= sign * x[t])
            {
                places.pop_back();
            }
            places.push_back(t);
            if places.front().is_some_and(|p| p + period <= t) {
                places.pop_front();
            }
            match places.front() {
                Some(p) if known >= period => x[*p],
                _ => f64::NAN,
            }
        })
        .collect()
}
