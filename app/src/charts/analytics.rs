//! Prices with what the catalogue computes on them: candles and volume, levels and averages on the
//! prices, other lines in parts of their own, found patterns as marks, regimes as bands.

use super::{BandPlot, LinePlot, Look, MarkPlot, Part, Plot, SegmentPlot, bars, day_number};
use crate::drawing::{Key, Note};
use crate::words;
use mltrainer_services::Overlaid;
use mltrainer_types::analytics::{self as wire, FeatureLine, Layer, Pick, Place};
use mltrainer_types::data::{Bar, DatasetKind};

/// The legend's switches of what is always there.
const PRICE: u8 = 1;
const VOLUME: u8 = 2;
/// The first of the layers, and the one of the feature after the last of them.
const LAYERS: u8 = 3;
const FEATURE: u8 = 15;

/// Heights of the parts, beside each other.
const PRICE_WEIGHT: f64 = 4.0;
const VOLUME_WEIGHT: f64 = 0.9;
const OWN_WEIGHT: f64 = 1.4;

/// Colours that bands of different states have, the least striking first.
const BANDS: [u8; 7] = [0, 5, 2, 6, 4, 3, 7];

/// The chart of all days.
#[must_use]
pub fn plot(all: &Overlaid) -> Plot {
    let title = all.dataset.title.as_str();
    let unit = match all.dataset.kind {
        DatasetKind::Series => "value",
        _ => "price",
    };
    let mut plot = bars(title, unit, &all.bars);
    base(&mut plot, &all.bars);
    let mut on_price = 0;
    for (n, (pick, layer)) in (LAYERS..FEATURE).zip(&all.layers) {
        if let Ok(layer) = layer {
            lay(&mut plot, &all.bars, pick, layer, n, &mut on_price);
        }
    }
    if let Some(Ok(feature)) = &all.feature {
        explored(&mut plot, feature);
    }
    plot
}

/// What is always there gets its switches; open, high and low are read out beside the close.
fn base(plot: &mut Plot, bars: &[Bar]) {
    let key = |key, name: &str, colour, mark: &str| Key {
        key,
        name: name.to_owned(),
        parts: vec![(colour, mark.to_owned(), String::new())],
    };
    let mut keys = Vec::new();
    for (part, (n, weight, name)) in plot.panels.iter_mut().zip([
        (PRICE, PRICE_WEIGHT, "Price"),
        (VOLUME, VOLUME_WEIGHT, "Volume"),
    ]) {
        part.weight = weight;
        part.key = n;
        for line in &mut part.lines {
            line.key = n;
            let mark = if line.look == Look::Filled {
                "fl"
            } else {
                "ln"
            };
            keys.push(key(n, name, line.colour, mark));
        }
    }
    plot.keys = keys;
    type Field = fn(&Bar) -> Option<f64>;
    let fields: [(&str, Field); 3] = [
        ("Open", |b| b.open),
        ("High", |b| b.high),
        ("Low", |b| b.low),
    ];
    for (name, field) in fields {
        let values: Vec<Option<f64>> = bars.iter().map(field).collect();
        if values.iter().any(Option::is_some) {
            let line = LinePlot {
                name: name.to_owned(),
                colour: 1,
                values,
                key: PRICE,
                ..LinePlot::default()
            };
            plot.unseen.push((0, line));
        }
    }
}

/// A layer in few words: its id and the parameters that were given.
#[must_use]
pub fn label(pick: &Pick) -> String {
    let mut text = name(&pick.id);
    for (_, value) in &pick.params {
        text.push(' ');
        text.push_str(&words::plain(value));
    }
    text
}

/// An id for people: abbreviations in capitals.
fn name(id: &str) -> String {
    const SHORT: [&str; 21] = [
        "ad", "adx", "atr", "cci", "dema", "ema", "hmm", "kama", "macd", "mfi", "natr", "obv",
        "roc", "rsi", "sar", "sma", "tema", "trix", "vwap", "wma", "r",
    ];
    let words: Vec<String> = id
        .split('_')
        .enumerate()
        .map(|(i, word)| match word {
            w if SHORT.contains(&w) => w.to_uppercase(),
            w if i == 0 => words::title(w),
            w => w.to_owned(),
        })
        .collect();
    words.join(" ")
}

fn lay(plot: &mut Plot, bars: &[Bar], pick: &Pick, layer: &Layer, key: u8, on_price: &mut u8) {
    let label = label(pick);
    // Lines on the prices keep off the two colours of the candles.
    let price_colour = 3 + *on_price % 5;
    let mut own = Part::default();
    let mut signal = Part::default();
    let mut parts: Vec<(u8, String, String)> = Vec::new();
    let drawn = || layer.lines.iter().filter(|l| l.place != Place::Unseen);
    let alone = drawn().count() == 1;
    for line in drawn() {
        let look = match line.look {
            wire::Look::Line => Look::Line,
            wire::Look::Level => Look::Level,
            wire::Look::Area => Look::Area,
        };
        let said = words::plain(&line.name);
        let part = match line.place {
            Place::Price => plot.panels.first_mut(),
            Place::Signal => Some(&mut signal),
            Place::Own | Place::Unseen => Some(&mut own),
        };
        let Some(part) = part else { continue };
        let colour = match line.place {
            Place::Price => price_colour,
            // An area behind lines is the muted one.
            Place::Own if look == Look::Area => 0,
            _ => own_colour(part),
        };
        let in_legend = if alone { String::new() } else { said.clone() };
        parts.push((colour, mark(look).to_owned(), in_legend));
        if line.place != Place::Price {
            part.zero |= line.values.iter().flatten().any(|v| *v < 0.0);
            part.range = match (part.range, line.bounds) {
                // One bounded line beside a free one: the free one may leave the bounds.
                (_, None) => None,
                (None, Some(_)) if !part.lines.is_empty() => None,
                (range, Some([low, high])) => {
                    // A little room, so that the ends are seen.
                    let room = 0.04 * (high - low);
                    let (a, b) = range.unwrap_or((low, high));
                    Some((a.min(low - room), b.max(high + room)))
                }
            };
        }
        part.lines.push(LinePlot {
            name: if alone {
                label.clone()
            } else {
                format!("{label} {said}")
            },
            colour,
            values: line.values.clone(),
            look,
            key,
        });
    }
    if drawn().any(|l| l.place == Place::Price) || !layer.segments.is_empty() {
        *on_price += 1;
    }
    if let Some(price) = plot.panels.first_mut() {
        price
            .segments
            .extend(layer.segments.iter().map(|s| SegmentPlot {
                from: (s.from, s.from_price),
                to: (s.to, s.to_price),
                colour: price_colour,
                key,
            }));
    }
    if !layer.segments.is_empty() {
        parts.push((price_colour, "ln".to_owned(), "between swings".to_owned()));
    }
    marks(plot, bars, layer, &label, key, price_colour);
    if !layer.events.is_empty() {
        parts.push((price_colour, "sign".to_owned(), "found".to_owned()));
    }
    parts.extend(bands(plot, layer, &label, key));
    plot.notes.sort_by_key(|n| n.first);
    for (mut part, unit) in [
        (own, label.clone()),
        (signal, format!("{label}: from −1 (down) to 1 (up)")),
    ] {
        if !part.lines.is_empty() {
            part.weight = OWN_WEIGHT;
            part.unit = unit;
            plot.panels.push(part);
        }
    }
    plot.keys.push(Key {
        key,
        name: label,
        parts,
    });
}

/// The next colour of a part of its own.
fn own_colour(part: &Part) -> u8 {
    let lines = part.lines.iter().filter(|l| l.colour > 0).count();
    // At most seven colours.
    (lines % 7) as u8 + 1
}

fn mark(look: Look) -> &'static str {
    match look {
        Look::Line => "ln",
        Look::Level => "ln lv",
        Look::Filled | Look::Area => "fl",
    }
}

/// What was found, on the prices: above the bar what points down, below it what points up.
fn marks(plot: &mut Plot, bars: &[Bar], layer: &Layer, label: &str, key: u8, colour: u8) {
    let Some(price) = plot.panels.first_mut() else {
        return;
    };
    for event in &layer.events {
        let Ok(at) = bars.binary_search_by_key(&event.date, |b| b.date) else {
            continue;
        };
        let bar = &bars[at];
        let up = event.value >= 0.0;
        price.marks.push(MarkPlot {
            date: event.date,
            at: if up {
                bar.low.unwrap_or(bar.close)
            } else {
                bar.high.unwrap_or(bar.close)
            },
            up,
            word: event.word.clone(),
            colour,
            key,
        });
        let day = day_number(event.date);
        plot.notes.push(Note {
            first: day,
            last: day,
            text: format!("{label}: {}", event.word),
        });
    }
    price.marks.sort_by_key(|m| m.date);
}

/// Spans of a state behind the prices and the volume; gives what the legend says of them.
fn bands(plot: &mut Plot, layer: &Layer, label: &str, key: u8) -> Vec<(u8, String, String)> {
    let mut states: Vec<(i64, &str)> = layer
        .regimes
        .iter()
        .map(|r| (r.state, r.word.as_str()))
        .collect();
    states.sort_unstable();
    states.dedup_by_key(|(state, _)| *state);
    let colour = |state: i64| {
        let place = states.iter().position(|(s, _)| *s == state).unwrap_or(0);
        BANDS[place % BANDS.len()]
    };
    for regime in &layer.regimes {
        for part in plot.panels.iter_mut().filter(|p| p.key > 0) {
            part.bands.push(BandPlot {
                first: regime.first,
                last: regime.last,
                colour: colour(regime.state),
                key,
            });
        }
        plot.notes.push(Note {
            first: day_number(regime.first),
            last: day_number(regime.last),
            text: format!("{label}: {}", regime.word),
        });
    }
    states
        .iter()
        .map(|(state, word)| (colour(*state), "bd".to_owned(), (*word).to_owned()))
        .collect()
}

/// A feature in a part of its own.
fn explored(plot: &mut Plot, feature: &FeatureLine) {
    let zero = feature.values.iter().flatten().any(|v| *v < 0.0);
    plot.panels.push(Part {
        weight: OWN_WEIGHT,
        unit: feature.id.clone(),
        lines: vec![LinePlot {
            name: feature.id.clone(),
            colour: 6,
            values: feature.values.clone(),
            key: FEATURE,
            ..LinePlot::default()
        }],
        zero,
        ..Part::default()
    });
    plot.keys.push(Key {
        key: FEATURE,
        name: feature.id.clone(),
        parts: vec![(6, "ln".to_owned(), String::new())],
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use mltrainer_types::DatasetId;
    use mltrainer_types::analytics::{LayerEvent, LayerLine, Regime};
    use mltrainer_types::data::DatasetSummary;

    const N: usize = 60;

    fn day(i: usize) -> NaiveDate {
        NaiveDate::from_ymd_opt(2012, 1, 2).unwrap() + chrono::Days::new(i as u64)
    }

    fn set() -> Overlaid {
        Overlaid {
            dataset: DatasetSummary {
                id: DatasetId("bundled:AAPL".into()),
                kind: DatasetKind::Bars,
                symbols: vec!["AAPL".into()],
                source: "bundled".into(),
                title: "Apple".into(),
                first: day(0),
                last: day(N - 1),
                rows: N as u64,
                sha256: String::new(),
                quality: 100.0,
                quarantined: 0,
                licence: String::new(),
                origin: String::new(),
            },
            bars: (0..N)
                .map(|i| Bar {
                    date: day(i),
                    open: Some(50.0),
                    high: Some(52.0),
                    low: Some(49.0),
                    close: 51.0,
                    volume: Some(1000.0),
                })
                .collect(),
            layers: Vec::new(),
            feature: None,
        }
    }

    fn layer(pick: &Pick, lines: &[(&str, Place, wire::Look, Option<[f64; 2]>)]) -> Layer {
        Layer {
            show: pick.to_string(),
            id: pick.id.clone(),
            title: words::title(&pick.id),
            family: "x".into(),
            params: serde_json::Map::new(),
            lines: lines
                .iter()
                .map(|(name, place, look, bounds)| LayerLine {
                    name: (*name).to_owned(),
                    help: String::new(),
                    place: *place,
                    look: *look,
                    bounds: *bounds,
                    values: vec![Some(if *place == Place::Price { 50.0 } else { 0.5 }); N],
                })
                .collect(),
            events: Vec::new(),
            regimes: Vec::new(),
            segments: Vec::new(),
            figures: std::collections::BTreeMap::new(),
        }
    }

    fn pick(text: &str) -> Pick {
        Pick::list(text).unwrap().remove(0)
    }

    #[test]
    fn each_line_has_its_place() {
        use wire::Look::{Area, Level, Line};
        let mut all = set();
        for (text, lines) in [
            ("sma:period=20", vec![("sma", Place::Price, Line, None)]),
            (
                "macd",
                vec![
                    ("macd", Place::Own, Line, None),
                    ("signal", Place::Own, Line, None),
                    ("histogram", Place::Own, Area, None),
                ],
            ),
            (
                "stops",
                vec![
                    ("stop", Place::Price, Level, None),
                    ("signal", Place::Signal, Area, Some([-1.0, 1.0])),
                ],
            ),
        ] {
            let pick = pick(text);
            let layer = layer(&pick, &lines);
            all.layers.push((pick, Ok(layer)));
        }
        let plot = plot(&all);
        let told: Vec<(String, Vec<(String, u8, u8)>)> = plot
            .panels
            .iter()
            .map(|p| {
                let lines = p.lines.iter().map(|l| (l.name.clone(), l.colour, l.key));
                (p.unit.clone(), lines.collect())
            })
            .collect();
        let line = |name: &str, colour, key| (name.to_owned(), colour, key);
        assert_eq!(
            told,
            [
                (
                    "price".to_owned(),
                    vec![
                        line("Close", 1, 1),
                        line("SMA 20", 3, 3),
                        line("Stops stop", 4, 5)
                    ]
                ),
                ("volume in shares".to_owned(), vec![line("Volume", 0, 2)]),
                (
                    "MACD".to_owned(),
                    vec![
                        line("MACD macd", 1, 4),
                        line("MACD signal", 2, 4),
                        line("MACD histogram", 0, 4)
                    ]
                ),
                (
                    "Stops: from −1 (down) to 1 (up)".to_owned(),
                    vec![line("Stops signal", 1, 5)]
                ),
            ]
        );
        assert_eq!(plot.panels[3].range, Some((-1.08, 1.08)));
        assert_eq!(plot.keys.len(), 5);
        let drawing = plot.draw(None, None).unwrap();
        assert!(drawing.svg.contains("ln lv s4 k5") && drawing.svg.contains("up k1"));
        // Open, high and low are read out beside what is drawn.
        let unseen = drawing.frame.columns.iter().filter(|c| c.unseen).count();
        assert_eq!(unseen, 3);
        assert!(!drawing.svg.contains("style=") && !drawing.svg.contains("fill="));
    }

    #[test]
    fn labels_are_short() {
        for (text, expected) in [
            ("sma:period=20", "SMA 20"),
            (
                "bollinger_bands:period=20:std_dev=2.5",
                "Bollinger bands 20 2.5",
            ),
            ("rsi_divergence", "RSI divergence"),
            ("parabolic_sar", "Parabolic SAR"),
            (
                "candlestick_patterns:pattern=morning_star",
                "Candlestick patterns morning star",
            ),
        ] {
            assert_eq!(label(&pick(text)), expected);
        }
    }

    #[test]
    fn swings_are_joined_on_the_prices() {
        let mut all = set();
        let p = pick("rsi_divergence");
        let mut found = layer(
            &p,
            &[("rsi", Place::Own, wire::Look::Line, Some([0.0, 100.0]))],
        );
        found.segments = vec![wire::Segment {
            from: day(10),
            from_price: 49.5,
            to: day(30),
            to_price: 49.0,
            known: day(35),
        }];
        all.layers.push((p, Ok(found)));
        let plot = plot(&all);
        assert!(plot.draw(None, None).unwrap().svg.contains("ln s3 k3"));
        // Outside of the span that is drawn it does not show.
        let later = plot.draw(Some(day(40)), None).unwrap().svg;
        assert!(!later.contains("ln s3 k3"), "{later}");
    }

    #[test]
    fn finds_are_marked_and_states_are_bands() {
        let mut all = set();
        let p = pick("chart_patterns");
        let mut found = layer(&p, &[]);
        found.events = [(5, 1.0, "bull flag"), (6, -1.0, "<bear> flag")]
            .map(|(i, value, word)| LayerEvent {
                date: day(i),
                output: "pattern".into(),
                value,
                word: word.into(),
            })
            .to_vec();
        found.regimes = [(0, 29, 0, "calm"), (30, 59, 1, "turbulent")]
            .map(|(a, b, state, word)| Regime {
                output: "regime".into(),
                first: day(a),
                last: day(b),
                state,
                word: word.into(),
            })
            .to_vec();
        all.layers.push((p, Ok(found)));
        let plot = plot(&all);
        let svg = plot.draw(None, None).unwrap().svg;
        assert_eq!((svg.matches('▲').count(), svg.matches('▼').count()), (1, 1));
        assert!(svg.contains(">bull flag<") && svg.contains("&lt;bear&gt; flag"));
        assert!(svg.contains("bd s0 k3") && svg.contains("bd s5 k3"));
        let frame = plot.draw(Some(day(6)), Some(day(40))).unwrap().frame;
        assert_eq!(
            frame.notes_at(0),
            ["Chart patterns: calm", "Chart patterns: <bear> flag"]
        );
        let names: Vec<&str> = plot.keys[2].parts.iter().map(|p| p.2.as_str()).collect();
        assert_eq!(names, ["found", "calm", "turbulent"]);
    }

    #[test]
    fn words_keep_out_of_each_others_way() {
        let mut room = super::super::Room::default();
        assert_eq!(room.take(50.0, true, "hammer"), Some(""));
        assert_eq!(room.take(50.5, true, "hammer"), None);
        assert_eq!(
            room.take(50.5, false, "hammer"),
            Some(""),
            "on the other side"
        );
        assert_eq!(room.take(58.0, true, "hammer"), Some(" minor"));
        assert_eq!(room.take(90.0, true, "hammer"), Some(""));
    }
}
