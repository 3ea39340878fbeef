//! What the signals share: swing points with the bar on which they were known, divergences, lines
//! through points, channels of earlier bars, and how long an event speaks.
//!
//! Everything here looks back only: what is said of a bar rests on that bar and earlier ones.

use crate::indicator::atr::{Atr, AtrParams};
use mltrainer_catalogue_core::{Bars, Columns, FitError, Indicator as _, ParamError};

/// One value a bar, `None` while warming up.
pub(crate) type Column = Vec<Option<f64>>;

/// A column of an indicator by its name; a name that it does not have gives an empty column.
pub(crate) fn pick(columns: &Columns, name: &str) -> Column {
    let found = columns.iter().find(|(n, _)| *n == name);
    found.map(|(_, c)| c.clone()).unwrap_or_default()
}

/// High, low and close.
pub(crate) fn prices(bars: &Bars) -> Result<(&[f64], &[f64], &[f64]), FitError> {
    let high = bars.column("high", &bars.high)?;
    let low = bars.column("low", &bars.low)?;
    Ok((high, low, &bars.close))
}

/// Volume.
pub(crate) fn volume(bars: &Bars) -> Result<&[f64], FitError> {
    bars.column("volume", &bars.volume)
}

/// The average true range, as the indicator of that name gives it.
pub(crate) fn atr(bars: &Bars, period: usize) -> Result<Column, FitError> {
    Ok(pick(&Atr::compute(&AtrParams { period }, bars)?, "atr"))
}

/// A refused parameter.
pub(crate) fn refused(field: &str, reason: String) -> FitError {
    FitError::Param(ParamError {
        field: field.into(),
        reason,
        suggestions: Vec::new(),
    })
}

/// Refuses a length that is not less than another.
pub(crate) fn shorter(field: &str, value: usize, other: &str, than: usize) -> Result<(), FitError> {
    if value < than {
        return Ok(());
    }
    let reason = format!("{value} must be less than {other}, which is {than}");
    Err(refused(field, reason))
}

/// Mean; 0 of no numbers.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Standard deviation with the number of values as divisor.
pub(crate) fn deviation(values: &[f64]) -> f64 {
    let m = mean(values);
    let squares: f64 = values.iter().map(|v| (v - m) * (v - m)).sum();
    (squares / values.len().max(1) as f64).sqrt()
}

/// Largest value.
pub(crate) fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// Smallest value.
pub(crate) fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// `f` of the last `period` values, the present one included; nothing before there are as many.
pub(crate) fn rolling(values: &[f64], period: usize, f: impl Fn(&[f64]) -> f64) -> Column {
    let window = |t: usize| (t + 1).checked_sub(period).map(|from| f(&values[from..=t]));
    (0..values.len()).map(window).collect()
}

/// `f` of the `period` values before the present one; nothing before there are as many.
pub(crate) fn before(values: &[f64], period: usize, f: impl Fn(&[f64]) -> f64) -> Column {
    let window = |t: usize| t.checked_sub(period).map(|from| f(&values[from..t]));
    (0..values.len()).map(window).collect()
}

/// Share of the values that are less than the present one; the present one may be among them.
pub(crate) fn rank(values: &[f64], present: f64) -> f64 {
    let below = values.iter().filter(|v| **v < present).count();
    below as f64 / values.len().max(1) as f64
}

/// Pearson's correlation of pairs; 0 when either does not vary.
pub(crate) fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len().max(1) as f64;
    let (mx, my) = pairs
        .iter()
        .fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        xx += (x - mx) * (x - mx);
        yy += (y - my) * (y - my);
        xy += (x - mx) * (y - my);
    }
    correlation_of(xx, yy, xy)
}

/// A correlation of sums of squares and of products around the means; 0 when either does not vary.
pub(crate) fn correlation_of(xx: f64, yy: f64, xy: f64) -> f64 {
    let scale = xx.max(0.0).sqrt() * yy.max(0.0).sqrt();
    let r = xy / scale;
    if scale > 0.0 && r.is_finite() {
        r.clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

/// A straight line over bar numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    /// Change a bar.
    pub(crate) slope: f64,
    /// Value at bar 0.
    pub(crate) start: f64,
}

impl Line {
    /// Value at a bar.
    pub(crate) fn at(&self, bar: usize) -> f64 {
        self.start + self.slope * bar as f64
    }
}

/// The least-squares line through points (bar, value); nothing through fewer than two bars.
pub(crate) fn line(points: &[(usize, f64)]) -> Option<Line> {
    let n = points.len() as f64;
    let mx = points.iter().map(|p| p.0 as f64).sum::<f64>() / n;
    let my = points.iter().map(|p| p.1).sum::<f64>() / n;
    let (mut xx, mut xy) = (0.0, 0.0);
    for (x, y) in points {
        xx += (*x as f64 - mx) * (*x as f64 - mx);
        xy += (*x as f64 - mx) * (y - my);
    }
    let slope = xy / xx;
    (xx > 0.0 && slope.is_finite()).then_some(Line {
        slope,
        start: my - slope * mx,
    })
}

/// A swing high or low.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pivot {
    /// The bar of the extreme.
    pub(crate) at: usize,
    /// The bar on which it was known.
    pub(crate) known: usize,
    /// The price.
    pub(crate) price: f64,
}

/// Swing highs of a series: above the `strength` values before and not below the `strength` values
/// after it. Known only when these have come. In the order of the bars. Swing lows are those of the
/// series with its sign changed, see [`swing_lows`].
pub(crate) fn swing_highs(values: &[f64], strength: usize) -> Vec<Pivot> {
    let mut found = Vec::new();
    for at in strength..values.len().saturating_sub(strength) {
        let (v, known) = (values[at], at + strength);
        let rises = values[at - strength..at].iter().all(|w| *w < v);
        if rises && values[at + 1..=known].iter().all(|w| *w <= v) {
            found.push(Pivot {
                at,
                known,
                price: v,
            });
        }
    }
    found
}

/// Swing lows: the mirror of [`swing_highs`].
pub(crate) fn swing_lows(values: &[f64], strength: usize) -> Vec<Pivot> {
    let mut found = swing_highs(&negated(values), strength);
    found.iter_mut().for_each(|p| p.price = -p.price);
    found
}

/// The same values with the other sign.
pub(crate) fn negated(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| -v).collect()
}

/// Two swing lows of which the second is lower while an oscillator is higher there; or two swing highs,
/// the other way round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Divergence {
    /// 1 at lows (bullish), -1 at highs (bearish).
    pub(crate) direction: f64,
    /// The earlier swing.
    pub(crate) first: Pivot,
    /// The later swing; the divergence was known when this one was.
    pub(crate) second: Pivot,
}

/// Divergences at swing lows (`direction` 1) or highs (-1), in the order in which they were known.
/// Each swing is compared with the earlier ones of at most `lookback` bars ago, the nearest first, as long
/// as it is the more extreme one; `accept` says whether the earlier swing may start a divergence.
pub(crate) fn divergences(
    direction: f64,
    pivots: &[Pivot],
    oscillator: &[Option<f64>],
    lookback: usize,
    accept: impl Fn(&Pivot, f64) -> bool,
) -> Vec<Divergence> {
    let of = |p: &Pivot| oscillator.get(p.at).copied().flatten();
    let mut found = Vec::new();
    for (i, second) in pivots.iter().enumerate() {
        let Some(late) = of(second) else { continue };
        for first in pivots[..i].iter().rev() {
            // A low is compared with higher lows only, a high with lower highs.
            if second.at - first.at > lookback || direction * (first.price - second.price) <= 0.0 {
                break;
            }
            if let Some(early) = of(first)
                && direction * (late - early) > 0.0
                && accept(first, early)
            {
                found.push(Divergence {
                    direction,
                    first: *first,
                    second: *second,
                });
                break;
            }
        }
    }
    found
}

/// Events (0 where there is none) that speak for `hold` bars, fading in equal steps; a newer one ends an
/// older one.
pub(crate) fn fading(events: &[f64], hold: usize) -> Vec<f64> {
    let mut last: Option<(usize, f64)> = None;
    let each = events.iter().enumerate().map(|(t, event)| {
        if *event != 0.0 {
            last = Some((t, *event));
        }
        match last {
            Some((from, event)) if t - from < hold => {
                event * (1.0 - (t - from) as f64 / hold as f64)
            }
            _ => 0.0,
        }
    });
    each.collect()
}

/// The bar since which a signal has had its present sign, counted from 0; nothing where it is 0 or not
/// known.
pub(crate) fn since(signal: &[Option<f64>]) -> Column {
    let sign = |v: f64| (v > 0.0) as i8 - (v < 0.0) as i8;
    let mut start: Option<(usize, i8)> = None;
    let each = signal.iter().enumerate().map(|(t, v)| {
        let now = v.map_or(0, sign);
        match start {
            _ if now == 0 => start = None,
            Some((_, before)) if before == now => {}
            _ => start = Some((t, now)),
        }
        start.map(|(t, _)| t as f64)
    });
    each.collect()
}

/// A signal and the bar since which it says so, as the first two columns of an entry.
pub(crate) fn said(signal: Column) -> Columns {
    let known = since(&signal);
    vec![("signal", signal), ("known_bar", known)]
}

/// Nothing at the next bar of each of these columns.
pub(crate) fn missing<const N: usize>(columns: [&mut Column; N]) {
    for column in columns {
        column.push(None);
    }
}

/// 1 above 0, -1 below 0, else 0.
pub(crate) fn sign(v: f64) -> f64 {
    f64::from(v > 0.0) - f64::from(v < 0.0)
}

/// A number as a yes or no of 1 and 0.
pub(crate) fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use mltrainer_catalogue_core::params::Params;

    /// Bars whose opens, highs and lows are the closes, with a volume.
    pub(crate) fn closes(close: &[f64]) -> Bars {
        Bars {
            open: Some(close.to_vec()),
            high: Some(close.to_vec()),
            low: Some(close.to_vec()),
            close: close.to_vec(),
            volume: Some(vec![1.0; close.len()]),
        }
    }

    /// The bars of IBM beside the tests: 120 days from June 2011.
    pub(crate) fn ibm() -> Bars {
        let text = include_str!("../tests/data/ibm.csv");
        let column = |k: usize| -> Vec<f64> {
            let cells = text.lines().skip(1).map(|l| l.split(',').nth(k).unwrap());
            cells.map(|cell| cell.parse().unwrap()).collect()
        };
        Bars {
            open: Some(column(1)),
            high: Some(column(2)),
            low: Some(column(3)),
            close: column(4),
            volume: Some(column(5)),
        }
    }

    /// The parameters with their defaults but for those given.
    pub(crate) fn with<P: Params>(given: &str) -> P {
        P::from_map(&serde_json::from_str(given).unwrap()).unwrap()
    }

    #[test]
    fn swings_are_known_later() {
        // 3 at bar 2 stands above 1 2 before it and 2 1 after it: known at bar 4.
        let highs = swing_highs(&[1.0, 2.0, 3.0, 2.0, 1.0, 4.0], 2);
        assert_eq!(
            highs,
            [Pivot {
                at: 2,
                known: 4,
                price: 3.0
            }]
        );
        // Of two equal extremes the first one counts.
        let lows = swing_lows(&[3.0, 1.0, 1.0, 2.0], 1);
        assert_eq!((lows.len(), lows[0].at, lows[0].price), (1, 1, 1.0));
        assert!(swing_highs(&[1.0], 1).is_empty());
    }

    #[test]
    fn a_lower_low_with_a_higher_oscillator_diverges() {
        let pivot = |at: usize, price: f64| Pivot {
            at,
            known: at + 1,
            price,
        };
        let lows = [pivot(1, 10.0), pivot(3, 9.0), pivot(5, 9.5)];
        let oscillator: Vec<Option<f64>> = [0.0, 20.0, 0.0, 30.0, 0.0, 10.0].map(Some).to_vec();
        let found = divergences(1.0, &lows, &oscillator, 10, |_, _| true);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].first.at, found[0].second.at), (1, 3));
        assert!(divergences(1.0, &lows, &oscillator, 1, |_, _| true).is_empty());
        assert!(divergences(1.0, &lows, &oscillator, 10, |_, o| o < 20.0).is_empty());
    }

    #[test]
    fn lines_by_hand() {
        // Through (0, 1), (2, 3), (4, 2): mean (2, 2), slope (2 · 1 + 2 · 0)/8 = 1/4.
        let l = line(&[(0, 1.0), (2, 3.0), (4, 2.0)]).unwrap();
        assert_eq!((l.slope, l.start, l.at(4)), (0.25, 1.5, 2.5));
        assert_eq!(line(&[(3, 1.0)]), None);
    }

    #[test]
    fn events_fade_and_signs_have_a_start() {
        let faded = fading(&[0.0, 1.0, 0.0, 0.0, -1.0], 2);
        assert_eq!(faded, [0.0, 1.0, 0.5, 0.0, -1.0]);
        let signal: Column = faded.into_iter().map(Some).collect();
        let known = since(&signal);
        assert_eq!(known, [None, Some(1.0), Some(1.0), None, Some(4.0)]);
    }

    #[test]
    fn windows_by_hand() {
        assert_eq!(
            before(&[1.0, 5.0, 2.0], 2, highest),
            [None, None, Some(5.0)]
        );
        assert_eq!(rolling(&[1.0, 5.0], 2, lowest), [None, Some(1.0)]);
        assert_eq!(deviation(&[1.0, 3.0]), 1.0);
        assert_eq!(rank(&[1.0, 2.0, 3.0, 4.0], 3.0), 0.5);
        // Deviations -1 0 1 and -1 1 0: 1 over sqrt(2 · 2).
        let r = correlation(&[(1.0, 1.0), (2.0, 3.0), (3.0, 2.0)]);
        assert!((r - 0.5).abs() < 1e-15);
        assert_eq!(correlation(&[(1.0, 1.0), (1.0, 2.0)]), 0.0);
    }
}
