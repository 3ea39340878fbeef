//! Volume price analysis (Wyckoff).
//!
//! What: Effort (volume) against result (range and close), put together to Wyckoff's phases of
//! accumulation and of distribution: climax, automatic rally, secondary test, spring, sign of
//! strength.
//! Formula: Accumulation, with volumes and ranges relative to their means over the period bars
//! before. A, selling climax: the low is the lowest of trend bars, relative volume >= climax_volume,
//! relative range >= climax_range; it is the support. Automatic rally: the high is at least rally ·
//! ATR above it; the highest high so far is the resistance. B, secondary test: then a low within test
//! · ATR of the support on less relative volume than the climax. C, spring: in B, a low under the
//! support and, within 3 bars, a close above it. D, sign of strength: in B or C, close above the
//! resistance on relative volume >= strength_volume. E: the close is half the height of the range
//! above it. Over when the close is more than 1 ATR under the support (under the resistance less 1
//! ATR in D and E), or after max_age bars. signal: 0 in A and B, 0.75 in C, 1 in D, 0.5 in E.
//! Distribution is the mirror image with the other sign; the two are added.
//! Data: High, low, close and volume.
//! Cost: O(bars · (period + trend)).
//! Fails when: The names invite reading intention into noise. A range may end either way; most
//! climaxes are no more than a pause. Volume before and after a split must be on one scale.
//! Source: R. D. Wyckoff, The Richard D. Wyckoff Method of Trading and Investing in Stocks (1931); H.
//! Pruden, The Three Skills of Top Trading (2007), for phases A to E; D. H. Weis, Trades About to
//! Happen (2013), for effort and result.
//! Not claimed: That a large operator is at work, or that phases follow each other in this order in
//! general.

use crate::signals::{Column, atr, before, mean, negated, prices, said, volume};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs, params};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct VolumePriceAnalysis;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<VolumePriceAnalysis>();

params! {
    /// Parameters.
    pub struct VolumePriceAnalysisParams {
        /// Bars before the present one that say what volume and range are usual.
        period: usize = 20, within(2.0, 10_000.0);
        /// Bars of which a climax makes the extreme.
        trend: usize = 50, within(2.0, 10_000.0);
        /// Relative volume of a climax.
        climax_volume: f64 = 2.0, above(0.0);
        /// Relative range of a climax.
        climax_range: f64 = 1.5, at_least(0.0);
        /// Height of the automatic rally in average true ranges.
        rally: f64 = 3.0, above(0.0);
        /// Nearness of a secondary test in average true ranges.
        test: f64 = 1.5, at_least(0.0);
        /// Relative volume of a sign of strength.
        strength_volume: f64 = 1.2, at_least(0.0);
        /// Bars after which a structure is over.
        max_age: usize = 120, within(1.0, 10_000.0);
    }
}

const CARD: Card = Card {
    id: "volume_price_analysis",
    family: "volume",
    title: "Volume price analysis (Wyckoff)",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "Effort (volume) against result (range and close), put together to Wyckoff's phases of accumulation and of distribution: climax, automatic rally, secondary test, spring, sign of strength.",
    formula: "Accumulation, with volumes and ranges relative to their means over the period bars before. A, selling climax: the low is the lowest of trend bars, relative volume >= climax_volume, relative range >= climax_range; it is the support. Automatic rally: the high is at least rally · ATR above it; the highest high so far is the resistance. B, secondary test: then a low within test · ATR of the support on less relative volume than the climax. C, spring: in B, a low under the support and, within 3 bars, a close above it. D, sign of strength: in B or C, close above the resistance on relative volume >= strength_volume. E: the close is half the height of the range above it. Over when the close is more than 1 ATR under the support (under the resistance less 1 ATR in D and E), or after max_age bars. signal: 0 in A and B, 0.75 in C, 1 in D, 0.5 in E. Distribution is the mirror image with the other sign; the two are added",
    data: "High, low, close and volume.",
    cost: "O(bars · (period + trend))",
    fails_when: "The names invite reading intention into noise. A range may end either way; most climaxes are no more than a pause. Volume before and after a split must be on one scale.",
    not_claimed: "That a large operator is at work, or that phases follow each other in this order in general.",
    source: "R. D. Wyckoff, The Richard D. Wyckoff Method of Trading and Investing in Stocks (1931); H. Pruden, The Three Skills of Top Trading (2007), for phases A to E; D. H. Weis, Trades About to Happen (2013), for effort and result",
    reference: "own rule, stated here",
    outputs: &[
        (
            "signal",
            "-1 to 1, one a bar: above 0 for a rise, below 0 for a fall; null while warming up",
        ),
        (
            "known_bar",
            "bar since which the signal has had its sign, counted from 0; null where it is 0",
        ),
        ("accumulation_phase", "0 none, 1 A to 5 E"),
        (
            "accumulation_event",
            "on its bar: 1 selling climax, 2 automatic rally, 3 secondary test, 4 spring, 5 sign of strength, 6 markup, -1 given up; else 0",
        ),
        (
            "accumulation_support",
            "price units, while there is a phase",
        ),
        (
            "accumulation_resistance",
            "price units, from the automatic rally",
        ),
        ("distribution_phase", "likewise, of the mirror image"),
        (
            "distribution_event",
            "likewise: 1 buying climax, 2 automatic reaction, 3 secondary test, 4 upthrust, 5 sign of weakness, 6 markdown, -1 given up; else 0",
        ),
        (
            "distribution_resistance",
            "price units, the high of the buying climax",
        ),
        (
            "distribution_support",
            "price units, from the automatic reaction",
        ),
        ("relative_volume", "the effort: volume over its mean before"),
        (
            "relative_range",
            "the result: high less low over its mean before",
        ),
        ("close_location", "1 at the high, -1 at the low"),
        (
            "stop",
            "support less 1 ATR for a rise, resistance plus 1 ATR for a fall, while the signal is not 0",
        ),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "calculation by hand",
            cases: "every phase of an accumulation and of its mirror image",
            tolerance: "exact",
        },
        Evidence {
            against: "charts of the bundled symbols",
            cases: "docs/patterns.md, three dated cases",
            tolerance: "the phases on the stated dates",
        },
    ],
    presets: &[],
    exemptions: &[],
};

/// What is known at a bar beside its prices.
struct Effort {
    volume: Column,
    range: Column,
    atr: Column,
}

/// A structure after some bars.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Structure {
    /// Bar of the climax.
    from: usize,
    phase: u8,
    support: f64,
    /// Highest high since the climax, fixed by the secondary test.
    resistance: f64,
    rallied: bool,
    climax: f64,
    /// Bar on which the low last went under the support.
    under: Option<usize>,
}

/// Bars within which a close must come back above the support for a spring.
const SPRING: usize = 3;

/// What was said of each bar.
#[derive(Default)]
struct Phases {
    phase: Column,
    event: Column,
    support: Column,
    resistance: Column,
    signal: Vec<f64>,
}

/// The phases of accumulation; those of distribution are the same on mirrored prices.
fn phases(
    p: &VolumePriceAnalysisParams,
    high: &[f64],
    low: &[f64],
    close: &[f64],
    effort: &Effort,
) -> Phases {
    let mut now: Option<Structure> = None;
    let mut said = Phases::default();
    for t in 0..close.len() {
        let known = effort.volume[t].zip(effort.range[t]).zip(effort.atr[t]);
        let Some(((volume, range), atr)) = known else {
            said.phase.push(None);
            said.event.push(None);
            said.support.push(None);
            said.resistance.push(None);
            said.signal.push(0.0);
            continue;
        };
        let mut event = 0.0;
        if let Some(mut s) = now {
            event = step(p, &mut s, (t, high[t], low[t], close[t]), volume, atr);
            now = (event >= 0.0).then_some(s);
        }
        let extreme = (t + 1)
            .checked_sub(p.trend)
            .is_some_and(|from| low[from..t].iter().all(|l| *l > low[t]));
        // Until its range stands a later climax takes the place of an earlier one.
        let free = now.is_none_or(|s| s.phase == 1);
        if free && extreme && volume >= p.climax_volume && range >= p.climax_range {
            now = Some(Structure {
                from: t,
                phase: 1,
                support: low[t],
                resistance: high[t],
                rallied: false,
                climax: volume,
                under: None,
            });
            event = 1.0;
        }
        said.phase
            .push(Some(now.map_or(0.0, |s| f64::from(s.phase))));
        said.event.push(Some(event));
        said.support.push(now.map(|s| s.support));
        said.resistance
            .push(now.filter(|s| s.rallied).map(|s| s.resistance));
        said.signal.push(match now.map_or(0, |s| s.phase) {
            3 => 0.75,
            4 => 1.0,
            5 => 0.5,
            _ => 0.0,
        });
    }
    said
}

/// Takes a bar; says what happened, -1 when the structure is over.
fn step(
    p: &VolumePriceAnalysisParams,
    s: &mut Structure,
    (t, high, low, close): (usize, f64, f64, f64),
    volume: f64,
    atr: f64,
) -> f64 {
    let floor = if s.phase >= 4 {
        s.resistance
    } else {
        s.support
    };
    if close < floor - atr || t - s.from >= p.max_age {
        return -1.0;
    }
    if low < s.support {
        s.under = Some(t);
    }
    match s.phase {
        1 => {
            let tested = s.rallied && low <= s.support + p.test * atr && volume < s.climax;
            if tested && low >= s.support {
                s.phase = 2;
                return 3.0;
            }
            s.support = s.support.min(low);
            s.resistance = s.resistance.max(high);
            if !s.rallied && high >= s.support + p.rally * atr {
                s.rallied = true;
                return 2.0;
            }
        }
        2 | 3 if close > s.resistance && volume >= p.strength_volume => {
            s.phase = 4;
            return 5.0;
        }
        2 if close > s.support && s.under.is_some_and(|at| t - at < SPRING) => {
            s.phase = 3;
            return 4.0;
        }
        4 if close > s.resistance + (s.resistance - s.support) / 2.0 => {
            s.phase = 5;
            return 6.0;
        }
        _ => {}
    }
    0.0
}

impl Indicator for VolumePriceAnalysis {
    type Params = VolumePriceAnalysisParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &[
        "known_bar",
        "accumulation_phase",
        "accumulation_event",
        "distribution_phase",
        "distribution_event",
    ];

    fn compute(p: &VolumePriceAnalysisParams, bars: &Bars) -> Result<Columns, FitError> {
        let (high, low, close) = prices(bars)?;
        let volume = volume(bars)?;
        let n = bars.len();
        let range: Vec<f64> = high.iter().zip(low).map(|(h, l)| h - l).collect();
        let relative = |values: &[f64]| -> Column {
            let usual = before(values, p.period, mean);
            let each = values.iter().zip(usual);
            each.map(|(v, u)| u.filter(|u| *u > 0.0).map(|u| v / u))
                .collect()
        };
        let effort = Effort {
            volume: relative(volume),
            range: relative(&range),
            atr: atr(bars, p.period)?,
        };
        let up = phases(p, high, low, close, &effort);
        let mirror = [low, high, close].map(negated);
        let down = phases(p, &mirror[0], &mirror[1], &mirror[2], &effort);
        let signal: Column = (0..n)
            .map(|t| up.phase[t].map(|_| up.signal[t] - down.signal[t]))
            .collect();
        let stop = (0..n).map(|t| {
            let (signal, atr) = signal[t].zip(effort.atr[t])?;
            if signal > 0.0 {
                up.support[t].map(|s| s - atr)
            } else if signal < 0.0 {
                down.support[t].map(|s| atr - s)
            } else {
                None
            }
        });
        let stop: Column = stop.collect();
        let location = |t: usize| {
            let wide = high[t] - low[t];
            Some(if wide > 0.0 {
                (2.0 * close[t] - high[t] - low[t]) / wide
            } else {
                0.0
            })
        };
        let mirrored = |c: Column| -> Column { c.into_iter().map(|v| v.map(|v| -v)).collect() };
        let mut columns = said(signal);
        columns.extend([
            ("accumulation_phase", up.phase),
            ("accumulation_event", up.event),
            ("accumulation_support", up.support),
            ("accumulation_resistance", up.resistance),
            ("distribution_phase", down.phase),
            ("distribution_event", down.event),
            ("distribution_resistance", mirrored(down.support)),
            ("distribution_support", mirrored(down.resistance)),
            ("relative_volume", effort.volume),
            ("relative_range", effort.range),
            ("close_location", (0..n).map(location).collect()),
            ("stop", stop),
        ]);
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::pick;
    use crate::signals::tests::{closes, with};

    /// One bar a row: high, low, close, volume.
    fn bars(rows: &[[f64; 4]]) -> Bars {
        let column = |k: usize| rows.iter().map(|r| r[k]).collect::<Vec<f64>>();
        Bars {
            open: None,
            high: Some(column(0)),
            low: Some(column(1)),
            close: column(2),
            volume: Some(column(3)),
        }
    }

    // Ranges of 2 and volumes of 10 at first, so an average true range of about 2 and a relative volume of
    // volume/mean of the two before.
    const ROWS: [[f64; 4]; 10] = [
        [51.0, 49.0, 50.0, 10.0],
        [50.0, 48.0, 49.0, 10.0],
        [49.0, 47.0, 48.0, 10.0],
        // Selling climax: lowest of three, volume 40/10, range 6/2.
        [47.0, 41.0, 44.0, 40.0],
        // True ranges 2, 6, then 8: the mean of the last two is 7 here at most: 41 + 1 · ATR is reached by 50.
        [50.0, 44.0, 49.0, 20.0],
        // Secondary test: low 42 within 1 · ATR of 41, volume 10/30.
        [47.0, 42.0, 43.0, 10.0],
        // Spring: 40 under 41, closed at 42 above it.
        [44.0, 40.0, 42.0, 12.0],
        [47.0, 43.0, 46.0, 12.0],
        // Sign of strength: 52 above the 50 of the rally, volume 24/12.
        [53.0, 47.0, 52.0, 24.0],
        // Markup: above 50 + (50 - 41)/2 = 54.5.
        [57.0, 52.0, 56.0, 20.0],
    ];

    const SET: &str = r#"{"period": 2, "trend": 3, "rally": 1, "test": 1}"#;

    #[test]
    fn an_accumulation_by_hand() {
        let columns = VolumePriceAnalysis::compute(&with(SET), &bars(&ROWS)).unwrap();
        let column = |name: &str| pick(&columns, name);
        let events = [0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 5.0, 6.0].map(Some);
        assert_eq!(column("accumulation_event")[2..], events);
        let phases = [0.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 5.0].map(Some);
        assert_eq!(column("accumulation_phase")[2..], phases);
        assert_eq!(column("accumulation_support")[3], Some(41.0));
        assert_eq!(column("accumulation_resistance")[5], Some(50.0));
        let signal = [0.0, 0.0, 0.0, 0.0, 0.75, 0.75, 1.0, 0.5].map(Some);
        assert_eq!(column("signal")[2..], signal);
        assert_eq!(column("known_bar")[6], Some(6.0));
        assert_eq!(column("relative_volume")[3], Some(4.0));
        assert_eq!(column("close_location")[3], Some(0.0));
    }

    #[test]
    fn a_distribution_is_its_mirror_image() {
        let mirror: Vec<[f64; 4]> = ROWS
            .iter()
            .map(|[h, l, c, v]| [100.0 - l, 100.0 - h, 100.0 - c, *v])
            .collect();
        let up = VolumePriceAnalysis::compute(&with(SET), &bars(&ROWS)).unwrap();
        let down = VolumePriceAnalysis::compute(&with(SET), &bars(&mirror)).unwrap();
        assert_eq!(
            pick(&up, "accumulation_phase"),
            pick(&down, "distribution_phase")
        );
        assert_eq!(pick(&down, "signal")[8], Some(-1.0));
        assert_eq!(pick(&down, "distribution_resistance")[8], Some(59.0));
        assert_eq!(pick(&down, "distribution_support")[8], Some(50.0));
    }

    #[test]
    fn a_close_far_under_the_support_gives_it_up() {
        let mut rows = ROWS[..6].to_vec();
        rows.push([43.0, 25.0, 25.0, 12.0]);
        let columns = VolumePriceAnalysis::compute(&with(SET), &bars(&rows)).unwrap();
        assert_eq!(pick(&columns, "accumulation_event")[6], Some(-1.0));
        assert_eq!(pick(&columns, "accumulation_phase")[6], Some(0.0));
        let flat = VolumePriceAnalysis::compute(&with("{}"), &closes(&[1.0; 60])).unwrap();
        assert!(pick(&flat, "signal").iter().all(Option::is_none));
    }
}
