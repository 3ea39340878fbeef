//! One window of a walk-forward optimisation: searched, then tested.
//!
//! What: The places of the windows; the search over the parameters on a training window, which goes
//! on from the points that were told before; the test of the best ones on the next window.
//! Formula: The search makes -objective as small as it can, seed + number of the window as its seed.
//! A point without the objective, with fewer closed trades than asked for, or that is no strategy that
//! can be tested is worse than all others. When no point has a value, nothing is traded in the test.
//! Data: A way to test a point on a span of bars.
//! Cost: One back test for each different point, and one more.
//! Fails when: The space has so few points, or so many, that the search says nothing.
//! Source: R. Pardo, The Evaluation and Optimization of Trading Strategies (2008), chapter 11; the
//! searches of the catalogue.
//! Not claimed: That the best point is better than its neighbours by more than luck.

use super::span::Span;
use crate::splits::{Fold, SplitError, folds};
use mltrainer_catalogue::search::{Method, Search as Asked, Space, Told};
use mltrainer_types::optimisation::Objective;
use mltrainer_types::strategy::StrategyError;
use mltrainer_types::trial::Validation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Range;

/// How windows are searched.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The parameters.
    pub space: Space,
    /// The method.
    pub method: Method,
    /// Points of a window at most.
    pub evaluations: usize,
    /// Seed.
    pub seed: u64,
    /// What is made large.
    pub objective: Objective,
    /// Closed trades that training must show.
    pub min_trades: usize,
    /// Bars of a year.
    pub periods_per_year: f64,
}

/// Tests a point on a span of bars. It must look at nothing after the end of the span.
pub type Test<'a> = dyn Fn(&[f64], Range<usize>) -> Result<Span, StrategyError> + 'a;

/// A window that is done. Written once; everything said of the whole follows from these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Bars of training.
    pub train: Range<usize>,
    /// Bars of the test.
    pub test: Range<usize>,
    /// All points of the search with minus their objective.
    pub told: Vec<Told>,
    /// The best point; none when no point had a value.
    pub chosen: Option<Vec<f64>>,
    /// Its objective in training.
    pub in_sample: Option<f64>,
    /// The same in the test.
    pub out_of_sample: Option<f64>,
    /// Annual return in training.
    pub in_sample_return: Option<f64>,
    /// Annual return in the test.
    pub out_of_sample_return: Option<f64>,
    /// Return of each bar of the test.
    pub returns: Vec<f64>,
    /// Positions closed in the test.
    pub trades: usize,
}

impl Window {
    /// Number of different points that were tried.
    #[must_use]
    pub fn tried(&self) -> usize {
        let points = self.told.iter().map(|t| bits(&t.point));
        points.collect::<BTreeSet<_>>().len()
    }
}

/// A point as something that can be compared exactly.
pub(super) fn bits(point: &[f64]) -> Vec<u64> {
    // Adding 0 makes -0 and 0 the same.
    point.iter().map(|x| (x + 0.0).to_bits()).collect()
}

/// What became of a window.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It is done.
    Done(Box<Window>),
    /// It was stopped; the points told so far have been seen.
    Stopped,
}

/// The windows over so many bars: `number` equal test windows up to the last bar, `embargo` bars left
/// out before each, training on all bars before or the last `rolling` of them.
///
/// # Errors
/// [`SplitError`] when there are too few bars.
pub fn windows(
    bars: usize,
    number: u32,
    embargo: u32,
    rolling: Option<u32>,
) -> Result<Vec<Fold>, SplitError> {
    let validation = Validation::WalkForward {
        folds: number,
        embargo,
        window: rolling,
    };
    folds(bars, &validation, 0)
}

/// Searches and tests one window, counted from 0. `told`: what the search was told before it was
/// interrupted; then it goes on as if it had not been. `seen` is shown all points after each one that
/// is told and says whether to go on.
///
/// # Errors
/// [`StrategyError`]: points that this search does not come to, under `search`; no point with a value
/// and the first one refused; a chosen point that the test window refuses.
pub fn run_window(
    how: &Search,
    number: usize,
    fold: &Fold,
    told: &[Told],
    test: &Test<'_>,
    seen: &mut dyn FnMut(&[Told]) -> bool,
) -> Result<Step, StrategyError> {
    let seed = how.seed.wrapping_add(number as u64);
    let resumed = Asked::resume(how.space.clone(), &how.method, how.evaluations, seed, told);
    let mut search = resumed.map_err(|e| StrategyError {
        field: "search".to_owned(),
        reason: e.to_string(),
        suggestions: Vec::new(),
    })?;
    while let Some(trial) = search.ask() {
        let value = match search.known(&trial.point) {
            Some(value) => value,
            None => {
                let span = test(&trial.point, fold.train.clone());
                let value = span.ok().and_then(|s| objective(how, &s));
                value.map_or(f64::INFINITY, |v| -v)
            }
        };
        search.tell(trial.number, value);
        if !seen(search.told()) {
            return Ok(Step::Stopped);
        }
    }
    let chosen = search.best().map(|b| b.point.clone());
    let (inside, outside) = match (&chosen, search.told().first()) {
        (Some(point), _) => (
            Some(test(point, fold.train.clone())?),
            test(point, fold.test.clone())?,
        ),
        (None, first) => {
            // A refusal is no result: when the first point is refused, say why.
            if let Some(first) = first {
                test(&first.point, fold.train.clone())?;
            }
            (None, Span::idle(fold.test.len(), how.periods_per_year))
        }
    };
    let name = how.objective.as_str();
    Ok(Step::Done(Box::new(Window {
        train: fold.train.clone(),
        test: fold.test.clone(),
        told: search.told().to_vec(),
        in_sample: inside.as_ref().and_then(|s| s.figure(name)),
        out_of_sample: outside.figure(name),
        in_sample_return: inside.as_ref().and_then(|s| s.figure("annual_return")),
        out_of_sample_return: outside.figure("annual_return"),
        trades: outside.trades(),
        returns: outside.returns,
        chosen,
    })))
}

/// What is made large; none where it does not count.
fn objective(how: &Search, span: &Span) -> Option<f64> {
    if span.trades() < how.min_trades {
        return None;
    }
    span.figure(how.objective.as_str())
}
