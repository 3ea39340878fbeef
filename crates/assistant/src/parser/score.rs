//! Which action a sentence asks for: the heaviest pattern.
//!
//! What: every pattern of every action against one sentence; see `patterns.rs` for what the elements mean.
//! Cost: some hundred patterns of a few elements; each element is decided once a sentence and remembered.
//! Fails when: no pattern reaches the least weight.

use super::clause::{Clause, kind};
use super::patterns::PATTERNS;
use super::vocabulary::Kind;
use std::collections::BTreeMap;

/// How well an action fits.
#[derive(Debug, Clone)]
pub(super) struct Score {
    pub(super) id: &'static str,
    pub(super) weight: f64,
    /// The pattern that fits best.
    pub(super) pattern: &'static str,
}

/// An element of a pattern, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element<'p> {
    /// One of these.
    Need(&'p str),
    /// One of these, welcome.
    Welcome(&'p str),
    /// None of these.
    Without(&'p str),
    /// Heavier, in hundredths.
    Heavier(i32),
}

/// The elements of a pattern.
pub(super) fn elements(pattern: &str) -> impl Iterator<Item = Element<'_>> {
    pattern.split_whitespace().map(|e| {
        if let Some(e) = e.strip_prefix('?') {
            Element::Welcome(e)
        } else if let Some(e) = e.strip_prefix('!') {
            Element::Without(e)
        } else if let Some(n) = e.strip_prefix('+').and_then(|n| n.parse::<f64>().ok()) {
            // Patterns hold small numbers such as 1.5.
            Element::Heavier(format!("{:.0}", n * 100.0).parse().unwrap_or(0))
        } else {
            Element::Need(e)
        }
    })
}

/// Every action that fits at all, the best first.
pub(super) fn scores(clause: &Clause<'_>) -> Vec<Score> {
    let mut known: Known = BTreeMap::new();
    let mut found: Vec<Score> = Vec::new();
    for (id, patterns) in PATTERNS {
        let best = patterns
            .iter()
            .filter_map(|p| Some((weight(clause, p, &mut known)?, *p)))
            .fold(None::<(f64, &'static str)>, |best, next| match best {
                Some(b) if b.0 >= next.0 => Some(b),
                _ => Some(next),
            });
        if let Some((weight, pattern)) = best {
            found.push(Score {
                id,
                weight,
                pattern,
            });
        }
    }
    // Stable: of equals the first action stays first.
    found.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    found
}

/// Where an element is met: its weight, and the tokens that meet it; none for what is recognised.
type Met = Vec<(f64, Option<(usize, usize)>)>;

/// What has been decided of this sentence.
type Known = BTreeMap<&'static str, Met>;

/// The weight of a pattern. One word meets one element only: "run" is not both the verb and the trial.
///
/// The first choice that fits counts; only when one element has taken what another needed, the other
/// choices are tried.
fn weight(clause: &Clause<'_>, pattern: &'static str, known: &mut Known) -> Option<f64> {
    for e in elements(pattern) {
        if let Element::Need(alternatives) = e
            && !alternatives.split('|').any(|name| {
                !known
                    .entry(name)
                    .or_insert_with(|| element(clause, name))
                    .is_empty()
            })
        {
            return None;
        }
    }
    greedy(clause, pattern, known).or_else(|| other_choice(clause, pattern, known))
}

/// Choices of one element that are tried.
const CHOICES: usize = 4;

fn other_choice(clause: &Clause<'_>, pattern: &'static str, known: &mut Known) -> Option<f64> {
    let mut sum = 0.0;
    let mut needs: Vec<Met> = Vec::new();
    for e in elements(pattern) {
        match e {
            Element::Heavier(n) => sum += f64::from(n) / 100.0,
            Element::Welcome(_) => {}
            Element::Need(alternatives) => {
                let mut met: Met = Vec::new();
                for name in alternatives.split('|') {
                    let all = known.entry(name).or_insert_with(|| element(clause, name));
                    met.extend(all.iter().copied());
                }
                if met.is_empty() {
                    return None;
                }
                met.truncate(CHOICES);
                needs.push(met);
            }
            Element::Without(alternatives) => {
                one_of(clause, alternatives, known, &mut Vec::new())
                    .is_none()
                    .then_some(())?;
            }
        }
    }
    placed(&needs, &mut Vec::new()).map(|w| sum + w)
}

/// The largest weight of a choice for each, no two of which share a word.
fn placed(needs: &[Met], taken: &mut Vec<(usize, usize)>) -> Option<f64> {
    let Some((first, rest)) = needs.split_first() else {
        return Some(0.0);
    };
    let mut best: Option<f64> = None;
    for (w, place) in first {
        if let Some((f, t)) = place
            && taken.iter().any(|(a, b)| a < t && f < b)
        {
            continue;
        }
        taken.extend(*place);
        if let Some(more) = placed(rest, taken) {
            best = Some(best.map_or(w + more, |b| b.max(w + more)));
        }
        if place.is_some() {
            taken.pop();
        }
    }
    best
}

fn greedy(clause: &Clause<'_>, pattern: &'static str, known: &mut Known) -> Option<f64> {
    let mut sum = 0.0;
    let mut taken: Vec<(usize, usize)> = Vec::new();
    for e in elements(pattern) {
        match e {
            Element::Heavier(n) => sum += f64::from(n) / 100.0,
            Element::Need(alternatives) => {
                sum += one_of(clause, alternatives, known, &mut taken)?;
            }
            Element::Welcome(alternatives) => {
                sum += one_of(clause, alternatives, known, &mut taken).unwrap_or(0.0) / 2.0;
            }
            Element::Without(alternatives) => {
                one_of(clause, alternatives, known, &mut Vec::new())
                    .is_none()
                    .then_some(())?;
            }
        }
    }
    Some(sum)
}

fn one_of(
    clause: &Clause<'_>,
    alternatives: &'static str,
    known: &mut Known,
    taken: &mut Vec<(usize, usize)>,
) -> Option<f64> {
    let mut best: Option<(f64, Option<(usize, usize)>)> = None;
    for name in alternatives.split('|') {
        let met = known.entry(name).or_insert_with(|| element(clause, name));
        for (w, place) in met.iter() {
            let free = place.is_none_or(|(f, t)| !taken.iter().any(|(a, b)| *a < t && f < *b));
            if free && best.is_none_or(|b| *w > b.0) {
                best = Some((*w, *place));
            }
        }
    }
    let (w, place) = best?;
    taken.extend(place);
    Some(w)
}

fn element(clause: &Clause<'_>, name: &str) -> Met {
    if let Some(thing) = name.strip_prefix('@') {
        let weight = if thing.ends_with('2') || thing == "pairs" {
            2.5
        } else {
            1.5
        };
        return if clause.recognised(thing) {
            vec![(weight, None)]
        } else {
            Vec::new()
        };
    }
    let plain = name.trim_start_matches('#');
    let ask = kind(plain) == Some(Kind::Ask);
    clause
        .concept_notes(name)
        .map(|n| {
            let head = if ask && n.from == clause.head {
                0.5
            } else {
                0.0
            };
            let plural = if name.starts_with('#') { 0.25 } else { 0.0 };
            (2.0 + plural + head, Some((n.from, n.to)))
        })
        .collect()
}
