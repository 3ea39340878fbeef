//! What is forecast, over the next `horizon` bars after bar t, and the same quantity as last known
//! at bar t: what the naive forecast repeats.

use mltrainer_data::bars::Bars;
use mltrainer_types::trial::Target;
use thiserror::Error;

/// Why a target cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// Range without highs and lows.
    #[error(
        "target range needs high and low, and {symbol} has closes only; choose log_volatility or another symbol"
    )]
    NeedsRange {
        /// Symbol.
        symbol: String,
    },
    /// Horizon zero.
    #[error("horizon 0 forecasts nothing; give 1 or more bars")]
    NoHorizon,
}

/// The target of each bar, in its unit; NaN where it is not defined: in the last `horizon` bars,
/// and for the volatility of bars that did not move.
///
/// # Errors
/// [`TargetError`] for range without high and low, and for horizon 0.
pub fn values(bars: &Bars, target: Target, horizon: u32) -> Result<Vec<f64>, TargetError> {
    let h = horizon as usize;
    let window = window(bars, target, h)?;
    Ok((0..bars.close.len())
        .map(|t| {
            if t + h >= bars.close.len() {
                f64::NAN
            } else if target == Target::Price {
                bars.close[t + h]
            } else {
                window(t, t + h)
            }
        })
        .collect())
}

/// The same quantity over the `horizon` bars that end at each bar; for price the close. NaN where
/// it is not defined: in the first bars, and for the volatility of bars that did not move.
///
/// # Errors
/// As [`values`].
pub fn last_known(bars: &Bars, target: Target, horizon: u32) -> Result<Vec<f64>, TargetError> {
    let h = horizon as usize;
    let window = window(bars, target, h)?;
    Ok((0..bars.close.len())
        .map(|t| {
            if target == Target::Price {
                bars.close[t]
            } else if target == Target::Range && t + 1 == h {
                // The range of the bars 0 to h-1 needs no bar before them.
                range(bars, 0, t)
            } else if t < h {
                f64::NAN
            } else {
                window(t - h, t)
            }
        })
        .collect())
}

/// The quantity over the bars after `from` up to and with `to`.
fn window(
    bars: &Bars,
    target: Target,
    h: usize,
) -> Result<impl Fn(usize, usize) -> f64, TargetError> {
    if h == 0 {
        return Err(TargetError::NoHorizon);
    }
    if target == Target::Range && (bars.high.is_none() || bars.low.is_none()) {
        return Err(TargetError::NeedsRange {
            symbol: bars.symbol.clone(),
        });
    }
    let c = &bars.close;
    Ok(move |from: usize, to: usize| match target {
        Target::Return | Target::Price => c[to] / c[from] - 1.0,
        Target::Direction => f64::from(u8::from(c[to] / c[from] - 1.0 > 0.0)),
        Target::LogVolatility => {
            let mean = (from + 1..=to)
                .map(|i| (c[i] / c[i - 1]).ln().powi(2))
                .sum::<f64>()
                / (to - from) as f64;
            // Zero volatility has no logarithm: undefined, not some large negative number.
            if mean > 0.0 {
                0.5 * mean.ln()
            } else {
                f64::NAN
            }
        }
        Target::Range => range(bars, from + 1, to),
    })
}

fn range(bars: &Bars, from: usize, to: usize) -> f64 {
    let (Some(high), Some(low)) = (&bars.high, &bars.low) else {
        return f64::NAN;
    };
    let top = high[from..=to]
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    let bottom = low[from..=to].iter().copied().fold(f64::INFINITY, f64::min);
    (top / bottom).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars() -> Bars {
        Bars {
            symbol: "X".into(),
            close: vec![100.0, 110.0, 99.0, 99.0, 99.0],
            high: Some(vec![101.0, 112.0, 111.0, 100.0, 99.0]),
            low: Some(vec![99.0, 100.0, 98.0, 99.0, 99.0]),
            ..Bars::default()
        }
    }

    fn check(found: &[f64], expected: [f64; 5]) {
        for (i, (f, e)) in found.iter().zip(expected).enumerate() {
            assert!(
                (f - e).abs() < 1e-12 || f.is_nan() && e.is_nan(),
                "row {i}: {f} is not {e}"
            );
        }
    }

    const N: f64 = f64::NAN;

    #[test]
    fn targets_by_hand() {
        let b = bars();
        check(
            &values(&b, Target::Return, 2).unwrap(),
            [-0.01, -0.1, 0.0, N, N],
        );
        check(
            &values(&b, Target::Direction, 1).unwrap(),
            [1.0, 0.0, 0.0, 0.0, N],
        );
        check(
            &values(&b, Target::Price, 3).unwrap(),
            [99.0, 99.0, N, N, N],
        );
        // Over bars 1 and 2: high 112, low 98; over 2 and 3: 111, 98; over 3 and 4: 100, 99.
        check(
            &values(&b, Target::Range, 2).unwrap(),
            [
                (112.0f64 / 98.0).ln(),
                (111.0f64 / 98.0).ln(),
                (100.0f64 / 99.0).ln(),
                N,
                N,
            ],
        );
        let (up, down) = (1.1f64.ln(), 0.9f64.ln());
        let vol = |a: f64, b: f64| ((a * a + b * b) / 2.0).sqrt().ln();
        // Bars 3 and 4 did not move: no volatility, not a floor.
        check(
            &values(&b, Target::LogVolatility, 2).unwrap(),
            [vol(up, down), vol(down, 0.0), N, N, N],
        );
    }

    #[test]
    fn last_known_is_the_target_of_h_bars_before() {
        let b = bars();
        for target in Target::ALL {
            if target == Target::Price {
                check(
                    &last_known(&b, target, 2).unwrap(),
                    [100.0, 110.0, 99.0, 99.0, 99.0],
                );
                continue;
            }
            for h in 1..4usize {
                let v = values(&b, target, h as u32).unwrap();
                let k = last_known(&b, target, h as u32).unwrap();
                for t in h..5 {
                    assert!(k[t] == v[t - h] || k[t].is_nan() && v[t - h].is_nan());
                }
            }
        }
        // The range of the first bar needs nothing before it.
        let k = last_known(&b, Target::Range, 1).unwrap();
        assert_eq!(k[0], (101.0f64 / 99.0).ln());
    }

    #[test]
    fn what_cannot_be_computed_says_so() {
        let closes = Bars {
            high: None,
            low: None,
            ..bars()
        };
        let e = values(&closes, Target::Range, 1).unwrap_err();
        assert!(e.to_string().contains("X has closes only"));
        assert_eq!(
            values(&closes, Target::Return, 0),
            Err(TargetError::NoHorizon)
        );
        check(&values(&closes, Target::Return, 9).unwrap(), [N; 5]);
    }
}
