//! The objective in training over two parameters.
//!
//! What: Sorts what the searches were told into cells over one or two parameters, whatever the others
//! were.
//! Formula: a range of at most 12 whole numbers, and every choice, has a part for each value; other
//! ranges have 12 parts of equal width, by logarithms where these were searched. A cell's best is the
//! mean over the windows that tried something in it of the largest objective there; its mean is that
//! of all its different points of each window.
//! Data: Points with minus their objective.
//! Cost: O(points · log points).
//! Fails when: The search went to few places: most cells then are empty.
//! Source: R. Pardo, The Evaluation and Optimization of Trading Strategies (2008), chapter 10.
//! Not claimed: That a cell between two good ones is good.

use super::window::{Window, bits};
use mltrainer_catalogue::search::Told;
use mltrainer_types::finite;
use mltrainer_types::optimisation::{
    Objective, ParameterSurface, SearchParameter, SearchRange, SurfaceAxis, SurfaceCell,
    SurfaceChoice,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Parts of a range.
const PARTS: usize = 12;

/// A range cut into parts.
struct Axis {
    name: String,
    labels: Vec<String>,
    /// Lower edges of all parts but the first.
    edges: Vec<f64>,
}

impl Axis {
    fn new(parameter: &SearchParameter) -> Self {
        let (labels, edges) = match &parameter.range {
            SearchRange::Integer { low, high, .. } if high - low < PARTS as i64 => {
                let values = *low..=*high;
                (
                    values.clone().map(|v| v.to_string()).collect(),
                    values.skip(1).map(|v| v as f64 - 0.5).collect(),
                )
            }
            SearchRange::Integer { low, high, log } => {
                // Edges lie between whole numbers, so that each belongs to one part.
                let mut edges: Vec<f64> = cuts(*low as f64, *high as f64, *log)
                    .into_iter()
                    .map(|e| e.ceil() - 0.5)
                    .collect();
                edges.dedup();
                edges.retain(|e| *e > *low as f64);
                let firsts = std::iter::once(*low).chain(edges.iter().map(|e| (e + 0.5) as i64));
                let lasts = edges
                    .iter()
                    .map(|e| (e - 0.5) as i64)
                    .chain(std::iter::once(*high));
                let labels = firsts.zip(lasts).map(|(a, b)| {
                    if a == b {
                        a.to_string()
                    } else {
                        format!("{a} to {b}")
                    }
                });
                (labels.collect(), edges)
            }
            SearchRange::Real { low, high, log } => {
                let edges = cuts(*low, *high, *log);
                let starts = std::iter::once(*low).chain(edges.iter().copied());
                let ends = edges.iter().copied().chain(std::iter::once(*high));
                let labels = starts
                    .zip(ends)
                    .map(|(a, b)| format!("{} to {}", short(a), short(b)));
                (labels.collect(), edges)
            }
            SearchRange::Choice { values } => (
                values
                    .iter()
                    .map(|v| match v {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    })
                    .collect(),
                (1..values.len()).map(|i| i as f64 - 0.5).collect(),
            ),
        };
        Self {
            name: parameter.name.clone(),
            labels,
            edges,
        }
    }

    fn place(&self, value: f64) -> usize {
        self.edges.partition_point(|e| *e <= value)
    }

    fn shown(self) -> SurfaceAxis {
        SurfaceAxis {
            name: self.name,
            parts: self.labels,
        }
    }
}

/// Inner edges of parts of equal width.
fn cuts(low: f64, high: f64, log: bool) -> Vec<f64> {
    let at = |share: f64| {
        if log {
            low * (high / low).powf(share)
        } else {
            low + share * (high - low)
        }
    };
    (1..PARTS).map(|i| at(i as f64 / PARTS as f64)).collect()
}

/// A number with three digits that count.
fn short(x: f64) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    let digits = (2.0 - x.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{x:.digits$}");
    if text.contains('.') {
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return text.to_owned();
    }
    text
}

/// What is told of a cell while points are sorted into it.
#[derive(Clone, Default)]
struct Sum {
    points: u32,
    counted: u32,
    sum: f64,
    /// Sum of the best of the windows, and how many they are.
    best: f64,
    windows: u32,
    /// The best of the window that is being sorted.
    now: Option<f64>,
}

/// The surface over the parameters at places `x` and `y` of `search`. `open`: what was told so far in
/// the window after those that are done. `window`: one window only, counted from 0. None for a place
/// that does not exist, or the same one twice.
#[must_use]
pub fn surface(
    search: &[SearchParameter],
    objective: Objective,
    (x, y): (usize, Option<usize>),
    windows: &[Window],
    open: &[Told],
    window: Option<usize>,
) -> Option<ParameterSurface> {
    if y == Some(x) {
        return None;
    }
    let across = Axis::new(search.get(x)?);
    let up = match y {
        Some(y) => Some(Axis::new(search.get(y)?)),
        None => None,
    };
    let rows = up.as_ref().map_or(1, |a| a.labels.len());
    let place = |point: &[f64]| -> Option<(usize, usize)> {
        let row = match (&up, y) {
            (Some(axis), Some(y)) => axis.place(*point.get(y)?),
            _ => 0,
        };
        Some((row, across.place(*point.get(x)?)))
    };
    let mut cells = vec![vec![Sum::default(); across.labels.len()]; rows];
    let each = windows.iter().map(|w| w.told.as_slice()).chain([open]);
    for (_, told) in each
        .enumerate()
        .filter(|(k, _)| window.is_none_or(|w| w == *k))
    {
        let mut seen = BTreeSet::new();
        for t in told.iter().filter(|t| seen.insert(bits(&t.point))) {
            let Some((row, column)) = place(&t.point) else {
                continue;
            };
            let cell = &mut cells[row][column];
            cell.points += 1;
            if let Some(value) = t.value.and_then(finite).map(|v| -v) {
                cell.counted += 1;
                cell.sum += value;
                cell.now = Some(cell.now.map_or(value, |b: f64| b.max(value)));
            }
        }
        for cell in cells.iter_mut().flatten() {
            if let Some(best) = cell.now.take() {
                cell.best += best;
                cell.windows += 1;
            }
        }
    }
    let chosen = windows.iter().enumerate().filter_map(|(k, w)| {
        let (row, column) = place(w.chosen.as_deref()?)?;
        Some(SurfaceChoice {
            window: u32::try_from(k + 1).ok()?,
            x: u32::try_from(column).ok()?,
            y: u32::try_from(row).ok()?,
        })
    });
    let shown = |c: &Sum| {
        (c.points > 0).then(|| SurfaceCell {
            best: finite(c.best / f64::from(c.windows)),
            mean: finite(c.sum / f64::from(c.counted)),
            points: c.points,
        })
    };
    Some(ParameterSurface {
        objective,
        window: window.and_then(|w| u32::try_from(w + 1).ok()),
        chosen: chosen
            .filter(|c| window.is_none_or(|w| w + 1 == c.window as usize))
            .collect(),
        cells: cells
            .iter()
            .map(|row| row.iter().map(shown).collect())
            .collect(),
        x: across.shown(),
        y: up.map(Axis::shown),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn search() -> Vec<SearchParameter> {
        serde_json::from_value(json!([
            {"name": "n", "range": {"kind": "integer", "low": 1, "high": 24}},
            {"name": "kind", "range": {"kind": "choice", "values": ["sma", 3]}},
            {"name": "x", "range": {"kind": "real", "low": 0.01, "high": 10.24, "log": true}},
            {"name": "few", "range": {"kind": "integer", "low": -1, "high": 1}}
        ]))
        .unwrap()
    }

    #[test]
    fn ranges_are_cut_as_is_said() {
        let all = search();
        let axis = |i: usize| Axis::new(&all[i]);
        // 1 to 24 in twelve parts: edges at 1 + 23/12 = 2.9, 4.8, ...: 1 and 2, then 3 and 4.
        let n = axis(0);
        assert_eq!(n.labels[..2], ["1 to 2", "3 to 4"]);
        assert_eq!(n.labels.last().unwrap(), "23 to 24");
        assert_eq!([1.0, 2.0, 3.0, 24.0].map(|v| n.place(v)), [0, 0, 1, 11]);
        assert_eq!(axis(1).labels, ["sma", "3"]);
        assert_eq!([0.0, 1.0].map(|v| axis(1).place(v)), [0, 1]);
        // 1024 = 2^10: a twelfth is a factor of 2^(10/12), 1.782; the sixth edge is 0.01 · 32 = 0.32.
        let x = axis(2);
        assert_eq!(x.labels[0], "0.01 to 0.0178");
        assert_eq!(x.place(0.3199), 5);
        assert_eq!(x.place(0.3201), 6);
        assert_eq!(axis(3).labels, ["-1", "0", "1"]);
        assert_eq!([-1.0, 0.0, 1.0].map(|v| axis(3).place(v)), [0, 1, 2]);
    }

    #[test]
    fn cells_by_hand() {
        let search: Vec<SearchParameter> = serde_json::from_value(json!([
            {"name": "a", "range": {"kind": "integer", "low": 0, "high": 1}},
            {"name": "b", "range": {"kind": "integer", "low": 0, "high": 1}}
        ]))
        .unwrap();
        let told = |all: &[([f64; 2], Option<f64>)]| -> Vec<Told> {
            let each = all.iter().enumerate();
            each.map(|(number, (point, value))| Told {
                number,
                point: point.to_vec(),
                value: *value,
            })
            .collect()
        };
        let window = |told: Vec<Told>, chosen: [f64; 2]| Window {
            train: 0..20,
            test: 20..22,
            told,
            chosen: Some(chosen.to_vec()),
            in_sample: None,
            out_of_sample: None,
            in_sample_return: None,
            out_of_sample_return: None,
            returns: Vec::new(),
            trades: 0,
        };
        // (0, 0) told twice in the first window counts once; (1, 0) never counted.
        let first = told(&[
            ([0.0, 0.0], Some(-2.0)),
            ([0.0, 0.0], Some(-2.0)),
            ([0.0, 1.0], Some(1.0)),
            ([1.0, 0.0], None),
        ]);
        let second = told(&[([0.0, 0.0], Some(-4.0))]);
        let all = [window(first, [0.0, 0.0]), window(second, [0.0, 0.0])];
        let open = told(&[([1.0, 1.0], Some(-7.0))]);
        let of =
            |places, window| surface(&search, Objective::SharpeRatio, places, &all, &open, window);
        let found = of((0, Some(1)), None).unwrap();
        let cell = |best, mean, points| Some(SurfaceCell { best, mean, points });
        assert_eq!(
            found.cells,
            [
                // b = 0: a = 0 has 2 and 4, a = 1 nothing that counts.
                vec![cell(Some(3.0), Some(3.0), 2), cell(None, None, 1)],
                vec![
                    cell(Some(-1.0), Some(-1.0), 1),
                    cell(Some(7.0), Some(7.0), 1)
                ],
            ]
        );
        let places: Vec<(u32, u32, u32)> =
            found.chosen.iter().map(|c| (c.window, c.x, c.y)).collect();
        assert_eq!(places, [(1, 0, 0), (2, 0, 0)]);
        // Over a alone: the best of the first window is 2 whatever b, of the second 4; mean of 2, -1, 4.
        let found = of((0, None), None).unwrap();
        assert_eq!(found.cells[0][0], cell(Some(3.0), Some(5.0 / 3.0), 3));
        assert_eq!((found.y, found.cells.len()), (None, 1));
        let found = of((0, Some(1)), Some(1)).unwrap();
        assert_eq!((found.window, found.chosen.len()), (Some(2), 1));
        assert_eq!(found.cells[0], [cell(Some(4.0), Some(4.0), 1), None]);
        assert_eq!(of((0, Some(0)), None), None);
        assert_eq!(of((0, Some(2)), None), None);
    }
}
