//! The vote of the candlesticks: reversal patterns of one to three candles, together.

use crate::pattern::candlestick_patterns::{CandlestickPatterns, CandlestickPatternsParams};
use crate::signals::{Column, fading, pick};
use mltrainer_catalogue_core::params::Params as _;
use mltrainer_catalogue_core::{Bars, FitError, Indicator as _};

/// The patterns that vote, by TA-Lib's names.
const REVERSALS: [&str; 12] = [
    "hammer",
    "hangingman",
    "invertedhammer",
    "shootingstar",
    "engulfing",
    "harami",
    "piercing",
    "darkcloudcover",
    "morningstar",
    "eveningstar",
    "3whitesoldiers",
    "3blackcrows",
];

/// Bars over which a pattern speaks.
const HOLD: usize = 5;

/// Sum of the signs of the patterns on a bar, kept in [-1, 1], fading.
///
/// # Errors
/// When a column of the bars is absent.
pub(crate) fn candles(bars: &Bars) -> Result<Column, FitError> {
    let mut events = vec![0.0; bars.len()];
    for name in REVERSALS {
        let given = serde_json::Map::from_iter([("pattern".to_owned(), name.into())]);
        let params = CandlestickPatternsParams::from_map(&given)?;
        let signal = pick(&CandlestickPatterns::compute(&params, bars)?, "signal");
        for (event, value) in events.iter_mut().zip(signal) {
            *event += value.unwrap_or_default() / 100.0;
        }
    }
    events.iter_mut().for_each(|e| *e = e.clamp(-1.0, 1.0));
    let speaks = fading(&events, HOLD);
    Ok(speaks.into_iter().map(Some).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candlestick_speaks_and_fades() {
        // A small falling candle, then a rising one whose body covers it: engulfing, 1, then less and less.
        let bars = Bars {
            open: Some([vec![10.0; 12], vec![10.0, 8.8, 11.0, 11.0]].concat()),
            high: Some([vec![10.5; 12], vec![10.1, 11.2, 11.2, 11.2]].concat()),
            low: Some([vec![9.5; 12], vec![8.9, 8.7, 10.8, 10.8]].concat()),
            close: [vec![10.1; 12], vec![9.0, 11.0, 11.1, 11.1]].concat(),
            volume: None,
        };
        let said = candles(&bars).unwrap();
        assert!(said[13].unwrap() > 0.0);
        assert!(said[15].unwrap() < said[13].unwrap());
    }
}
