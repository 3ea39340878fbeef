//! What all searches share: the space, and a loop in which points are asked for and values told.
//!
//! A [`Searcher`] works in the unit cube and proposes points in batches; [`Search`] hands them out one by one, in
//! the units of the space, and gives the values back when a batch is complete. So the values of a batch may be
//! found at the same time and told in any order, and the same seed gives the same points. A search that was
//! interrupted goes on after [`Search::resume`] with the trials told so far, which are kept as data ([`Told`]).

use super::bayesian_search::{Bayesian, BayesianSearchParams, BayesianSettings};
use super::differential_evolution::{DifferentialEvolutionParams, Evolution, EvolutionSettings};
use super::genetic_algorithm::{Genetic, GeneticAlgorithmParams, GeneticSettings};
use super::particle_swarm::{ParticleSwarmParams, Swarm, SwarmSettings};
use mltrainer_catalogue_core::{FitError, ParamError, ParamMap, Params as _, params};
use rand::{Rng as _, SeedableRng as _, seq::SliceRandom as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// One parameter of a space.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Dimension {
    /// A real number between two, both included.
    Real {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
        /// Whether it is its logarithm that is searched evenly; `low` is then above 0.
        log: bool,
    },
    /// A whole number between two, both included.
    Integer {
        /// Smallest value.
        low: i64,
        /// Largest value.
        high: i64,
        /// Whether it is its logarithm that is searched evenly; `low` is then at least 1.
        log: bool,
    },
    /// One of so many choices without an order, by its place counted from 0.
    Categorical {
        /// Number of choices.
        choices: usize,
    },
}

/// The parameters that are searched, in order; as data their list, checked as by [`Space::new`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Dimension>", into = "Vec<Dimension>")]
pub struct Space {
    dimensions: Vec<Dimension>,
}

impl TryFrom<Vec<Dimension>> for Space {
    type Error = FitError;

    fn try_from(dimensions: Vec<Dimension>) -> Result<Self, FitError> {
        Self::new(dimensions)
    }
}

impl From<Space> for Vec<Dimension> {
    fn from(space: Space) -> Self {
        space.dimensions
    }
}

/// Whole numbers up to this are numbers of double precision without loss.
const EXACT: i64 = 1 << 53;

impl Space {
    /// A space of at least one parameter.
    ///
    /// # Errors
    /// [`FitError::Data`] naming the first parameter whose bounds leave nothing.
    pub fn new(dimensions: Vec<Dimension>) -> Result<Self, FitError> {
        if dimensions.is_empty() {
            return Err(FitError::Data("there is no parameter to search".into()));
        }
        for (k, dimension) in dimensions.iter().enumerate() {
            let sound = match *dimension {
                Dimension::Real { low, high, log } => {
                    low.is_finite() && (high - low).is_finite() && low < high && (!log || low > 0.0)
                }
                Dimension::Integer { low, high, log } => {
                    (-EXACT..=high).contains(&low) && high <= EXACT && (!log || low >= 1)
                }
                Dimension::Categorical { choices } => choices > 0,
            };
            if !sound {
                return Err(FitError::Data(format!(
                    "parameter {}: {dimension:?} holds no value; the lower bound must be below the upper one, and above 0 for a logarithm, and whole numbers within 2^53",
                    k + 1
                )));
            }
        }
        Ok(Self { dimensions })
    }

    /// So many real numbers between the same two.
    ///
    /// # Errors
    /// As [`Space::new`].
    pub fn cube(width: usize, low: f64, high: f64) -> Result<Self, FitError> {
        Self::new(vec![
            Dimension::Real {
                low,
                high,
                log: false
            };
            width
        ])
    }

    /// Its parameters.
    #[must_use]
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// Number of parameters.
    #[must_use]
    pub fn width(&self) -> usize {
        self.dimensions.len()
    }

    /// Number of combinations of so many values a parameter; none when they are more than can be counted.
    #[must_use]
    pub fn grid_points(&self, levels: usize) -> Option<usize> {
        let each = self.dimensions.iter();
        each.map(|d| d.levels(levels).len())
            .try_fold(1usize, usize::checked_mul)
    }

    /// Whether a parameter has no order.
    pub(super) fn unordered(&self, k: usize) -> bool {
        matches!(self.dimensions[k], Dimension::Categorical { .. })
    }

    /// Whether a parameter is a real number.
    pub(super) fn real(&self, k: usize) -> bool {
        matches!(self.dimensions[k], Dimension::Real { .. })
    }

    /// Whether all parameters are real numbers.
    pub(super) fn continuous(&self) -> bool {
        (0..self.width()).all(|k| self.real(k))
    }

    /// Number of choices of a parameter without an order; 1 of others.
    pub(super) fn choices(&self, k: usize) -> f64 {
        match self.dimensions[k] {
            Dimension::Categorical { choices } => choices as f64,
            _ => 1.0,
        }
    }

    /// A point of the unit cube in the units of the space.
    pub(super) fn decode(&self, unit: &[f64]) -> Vec<f64> {
        let each = unit.iter().zip(&self.dimensions);
        each.map(|(u, dimension)| dimension.decode(u.clamp(0.0, 1.0)))
            .collect()
    }

    /// The middle of what decodes to the same values: so points that mean the same are the same.
    pub(super) fn snapped(&self, unit: &[f64]) -> Vec<f64> {
        let each = unit.iter().zip(&self.dimensions);
        each.map(|(u, dimension)| {
            let u = u.clamp(0.0, 1.0);
            if matches!(dimension, Dimension::Real { .. }) {
                u
            } else {
                dimension.encode(dimension.decode(u))
            }
        })
        .collect()
    }

    /// The bounds, in the unit interval, of what decodes to the same value of a parameter.
    pub(super) fn cell(&self, k: usize, u: f64) -> (f64, f64) {
        self.dimensions[k].cell(u.clamp(0.0, 1.0))
    }
}

impl Dimension {
    /// Number of values; none for real numbers.
    fn count(&self) -> Option<f64> {
        match *self {
            Self::Real { .. } => None,
            Self::Integer { low, high, .. } => Some((high - low) as f64 + 1.0),
            Self::Categorical { choices } => Some(choices as f64),
        }
    }

    fn decode(&self, u: f64) -> f64 {
        match *self {
            Self::Real {
                low,
                high,
                log: false,
            } => (low + u * (high - low)).clamp(low, high),
            Self::Real {
                low,
                high,
                log: true,
            } => (low.ln() + u * (high / low).ln()).exp().clamp(low, high),
            Self::Integer {
                low,
                high,
                log: true,
            } => {
                let (below, above) = (low as f64 - 0.5, high as f64 + 0.5);
                let x = (below.ln() + u * (above / below).ln()).exp();
                x.round().clamp(low as f64, high as f64)
            }
            Self::Integer { low, .. } => {
                let count = self.count().unwrap_or(1.0);
                low as f64 + (u * count).floor().min(count - 1.0)
            }
            Self::Categorical { choices } => (u * choices as f64).floor().min(choices as f64 - 1.0),
        }
    }

    /// The bounds of what decodes to the same value; both the same of a real number.
    fn cell(&self, u: f64) -> (f64, f64) {
        let value = self.decode(u);
        match *self {
            Self::Real { .. } => (u, u),
            Self::Integer {
                low,
                high,
                log: true,
            } => {
                let (below, above) = (low as f64 - 0.5, high as f64 + 0.5);
                let at = |x: f64| (x / below).ln() / (above / below).ln();
                (at(value - 0.5), at(value + 0.5))
            }
            Self::Integer { low, .. } => {
                let (from, count) = (value - low as f64, self.count().unwrap_or(1.0));
                (from / count, (from + 1.0) / count)
            }
            Self::Categorical { choices } => {
                (value / choices as f64, (value + 1.0) / choices as f64)
            }
        }
    }

    /// So many values over its range, fewer when it has fewer.
    fn levels(&self, wanted: usize) -> Vec<f64> {
        let count = self.count().unwrap_or(wanted as f64).min(wanted as f64) as usize;
        match self {
            Self::Categorical { choices } => (0..*choices).map(|c| c as f64).collect(),
            _ if count <= 1 => vec![self.decode(0.5)],
            Self::Real { .. } => (0..count)
                .map(|i| self.decode(i as f64 / (count - 1) as f64))
                .collect(),
            Self::Integer { .. } => {
                let mut all: Vec<f64> = (0..count)
                    .map(|i| self.decode(i as f64 / (count - 1) as f64))
                    .collect();
                all.dedup();
                all
            }
        }
    }
}

/// Proposes points of the unit cube.
pub trait Searcher: Send {
    /// The next batch, empty when no point is left; `told` is the batch before with its values, lower is better,
    /// empty at first. A value that is not finite is told as infinity.
    fn next(&mut self, told: &[(Vec<f64>, f64)]) -> Vec<Vec<f64>>;
}

/// A way to search, with its settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// Every point at random.
    Random,
    /// All combinations of so many values a parameter, the last parameter the fastest; then it is finished.
    Grid {
        /// Values of each parameter: of a choice all.
        levels: usize,
    },
    /// A genetic algorithm.
    Genetic(GeneticSettings),
    /// Particle swarm.
    Swarm(SwarmSettings),
    /// Differential evolution.
    Evolution(EvolutionSettings),
    /// A surrogate model of the objective.
    Bayesian(BayesianSettings),
}

params! {
    /// Parameters of the grid.
    pub(super) struct GridParams {
        /// Values of each parameter: of a choice all.
        levels: usize = 10, within(1.0, 1_000_000.0);
    }
}

params! {
    /// Random points have no parameters.
    pub(super) struct RandomParams {}
}

impl Method {
    /// Names of the methods: grid, random, and the entries of this family.
    pub const NAMES: [&'static str; 6] = [
        "grid",
        "random",
        "genetic_algorithm",
        "particle_swarm",
        "differential_evolution",
        "bayesian_search",
    ];

    /// A method by its name, with the parameters of the entry of that name but for those that say what is
    /// searched: function, dimensions, evaluations and seed.
    ///
    /// # Errors
    /// A name that no method has, under the field `method`; a parameter that is unknown or out of range.
    pub fn named(name: &str, params: &ParamMap) -> Result<Self, ParamError> {
        for of_the_demonstration in ["function", "dimensions", "evaluations", "seed"] {
            if params.contains_key(of_the_demonstration) {
                return Err(ParamError {
                    field: of_the_demonstration.into(),
                    reason: "unknown; what is searched is no setting of the method".into(),
                    suggestions: Vec::new(),
                });
            }
        }
        Ok(match name {
            "grid" => Self::Grid {
                levels: GridParams::from_map(params)?.levels,
            },
            "random" => {
                RandomParams::from_map(params)?;
                Self::Random
            }
            "genetic_algorithm" => {
                Self::Genetic(GeneticAlgorithmParams::from_map(params)?.settings())
            }
            "particle_swarm" => Self::Swarm(ParticleSwarmParams::from_map(params)?.settings()),
            "differential_evolution" => {
                Self::Evolution(DifferentialEvolutionParams::from_map(params)?.settings())
            }
            "bayesian_search" => Self::Bayesian(BayesianSearchParams::from_map(params)?.settings()),
            _ => {
                return Err(ParamError {
                    field: "method".into(),
                    reason: format!("{name} is not one of {}", Self::NAMES.join(", ")),
                    suggestions: Vec::new(),
                });
            }
        })
    }
}

/// A point to evaluate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number, counted from 0.
    pub number: usize,
    /// Values of the parameters in order: of a choice its place, of a whole number that number.
    pub point: Vec<f64>,
}

/// The best point of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Number of its trial.
    pub number: usize,
    /// Values of the parameters.
    pub point: Vec<f64>,
    /// The value there.
    pub value: f64,
}

/// A trial that was told, as it is kept to go on with later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Number of the trial.
    pub number: usize,
    /// Values of the parameters.
    pub point: Vec<f64>,
    /// The value there; none when it was no finite number.
    pub value: Option<f64>,
}

/// A search that is asked for points and told their values, lower being better.
pub struct Search {
    space: Space,
    searcher: Box<dyn Searcher>,
    evaluations: usize,
    batch: Vec<Vec<f64>>,
    values: Vec<Option<f64>>,
    /// Number of the batch's first trial.
    first: usize,
    waiting: VecDeque<usize>,
    best: Option<Best>,
    told: Vec<Told>,
    history: Vec<f64>,
    finished: bool,
}

impl Search {
    /// A search of at most `evaluations` points.
    #[must_use]
    pub fn new(space: Space, method: &Method, evaluations: usize, seed: u64) -> Self {
        let random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let searcher: Box<dyn Searcher> = match method {
            Method::Random => Box::new(Random {
                width: space.width(),
                random,
            }),
            Method::Grid { levels } => Box::new(Grid::new(&space, *levels)),
            Method::Genetic(s) => Box::new(Genetic::new(&space, s, random)),
            Method::Swarm(s) => Box::new(Swarm::new(&space, s, random)),
            Method::Evolution(s) => Box::new(Evolution::new(&space, s, evaluations, random)),
            Method::Bayesian(s) => Box::new(Bayesian::new(&space, s, random)),
        };
        Self {
            space,
            searcher,
            evaluations,
            batch: Vec::new(),
            values: Vec::new(),
            first: 0,
            waiting: VecDeque::new(),
            best: None,
            told: Vec::new(),
            history: Vec::new(),
            finished: false,
        }
    }

    /// A search that was interrupted, after the trials that it was told, in any order; it goes on as if it had
    /// not stopped. Trials that were out and not told are asked again, under their numbers.
    ///
    /// # Errors
    /// [`FitError::Data`] naming the first trial that a search of this space, method, number of evaluations and
    /// seed does not come to, or that has another point there.
    pub fn resume(
        space: Space,
        method: &Method,
        evaluations: usize,
        seed: u64,
        told: &[Told],
    ) -> Result<Self, FitError> {
        let mut search = Self::new(space, method, evaluations, seed);
        // All of a batch are told before any of the next one, whatever their order within it.
        let mut rest = told;
        while !rest.is_empty() {
            while search.ask().is_some() {}
            let batch = search.first + search.batch.len();
            let upto = rest.iter().take_while(|t| t.number < batch).count();
            let (these, later) = rest.split_at(upto.max(1));
            for one in these {
                let at = one.number.checked_sub(search.first);
                let expected = at.and_then(|at| search.batch.get(at));
                let expected = expected.map(|unit| search.space.decode(unit));
                if !expected.is_some_and(|p| same(&p, &one.point)) {
                    return Err(FitError::Data(format!(
                        "trial {}: this search does not come to the point {:?} there; space, method, evaluations and seed must be those it was begun with",
                        one.number, one.point
                    )));
                }
                search.tell(one.number, one.value.unwrap_or(f64::INFINITY));
            }
            rest = later;
        }
        let open = |at: &usize| search.values[*at].is_none();
        search.waiting = (0..search.batch.len()).filter(open).collect();
        Ok(search)
    }

    /// The next point; none when the search is [finished](Search::finished), or when values of points that are out
    /// must be told first.
    pub fn ask(&mut self) -> Option<Trial> {
        if self.finished {
            return None;
        }
        if self.waiting.is_empty() && self.values.iter().all(Option::is_some) {
            let told: Vec<(Vec<f64>, f64)> = std::mem::take(&mut self.batch)
                .into_iter()
                .zip(self.values.drain(..).map(|v| v.unwrap_or(f64::INFINITY)))
                .collect();
            self.first += told.len();
            if self.first < self.evaluations {
                self.batch = self.searcher.next(&told);
                self.batch.truncate(self.evaluations - self.first);
            }
            self.finished = self.batch.is_empty();
            self.values = vec![None; self.batch.len()];
            self.waiting = (0..self.batch.len()).collect();
        }
        let at = self.waiting.pop_front()?;
        Some(Trial {
            number: self.first + at,
            point: self.space.decode(&self.batch[at]),
        })
    }

    /// The value of a trial that was asked for; told twice or of a trial that was not, it is left out. A value that
    /// is not finite is worse than all others.
    pub fn tell(&mut self, number: usize, value: f64) {
        let value = if value.is_finite() {
            value
        } else {
            f64::INFINITY
        };
        let Some(at) = number
            .checked_sub(self.first)
            .filter(|at| *at < self.batch.len())
        else {
            return;
        };
        if self.values[at].is_some() || self.waiting.contains(&at) {
            return;
        }
        self.values[at] = Some(value);
        let point = self.space.decode(&self.batch[at]);
        // The first of equal ones, whatever the order in which they are told.
        let better = self
            .best
            .as_ref()
            .is_none_or(|b| value < b.value || (value == b.value && number < b.number));
        if better && value.is_finite() {
            self.best = Some(Best {
                number,
                point: point.clone(),
                value,
            });
        }
        self.told.push(Told {
            number,
            point,
            value: value.is_finite().then_some(value),
        });
        self.history
            .push(self.best.as_ref().map_or(value, |b| b.value));
    }

    /// Whether the last [`Search::ask`] found that all points were tried or no evaluation was left.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// The best point so far; none while no value was finite.
    #[must_use]
    pub fn best(&self) -> Option<&Best> {
        self.best.as_ref()
    }

    /// The trials that were told, in the order they were: what [`Search::resume`] goes on from.
    #[must_use]
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// The value that was told of a point before, so that what costs much need not be found again: searches of
    /// whole numbers and choices come to some points more than once.
    #[must_use]
    pub fn known(&self, point: &[f64]) -> Option<f64> {
        let same = self.told.iter().find(|t| t.point == point)?;
        Some(same.value.unwrap_or(f64::INFINITY))
    }

    /// The best value after each one that was told; infinite while none was finite.
    #[must_use]
    pub fn history(&self) -> &[f64] {
        &self.history
    }
}

/// Whether points are the same but for what a number loses on its way through text.
fn same(a: &[f64], b: &[f64]) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * a.abs().max(b.abs());
    a.len() == b.len() && a.iter().zip(b).all(near)
}

/// Searches for the least value of a function, one point after the other; the search with its best point and
/// history.
pub fn minimise(
    space: Space,
    method: &Method,
    evaluations: usize,
    seed: u64,
    mut objective: impl FnMut(&[f64]) -> f64,
) -> Search {
    let mut search = Search::new(space, method, evaluations, seed);
    while let Some(trial) = search.ask() {
        let value = objective(&trial.point);
        search.tell(trial.number, value);
    }
    search
}

/// Tries all combinations of so many values a parameter, the last parameter the fastest.
pub fn grid_search(space: Space, levels: usize, objective: impl FnMut(&[f64]) -> f64) -> Search {
    let all = space.grid_points(levels).unwrap_or(usize::MAX);
    minimise(space, &Method::Grid { levels }, all, 0, objective)
}

/// Tries so many points at random.
pub fn random_search(
    space: Space,
    evaluations: usize,
    seed: u64,
    objective: impl FnMut(&[f64]) -> f64,
) -> Search {
    minimise(space, &Method::Random, evaluations, seed, objective)
}

/// A point of the cube at random.
pub(super) fn uniform(width: usize, random: &mut Xoshiro256PlusPlus) -> Vec<f64> {
    (0..width).map(|_| random.r#gen::<f64>()).collect()
}

/// Points of which each parameter's values fall one into each of as many equal parts (McKay et al., 1979).
pub(super) fn latin_hypercube(
    points: usize,
    width: usize,
    random: &mut Xoshiro256PlusPlus,
) -> Vec<Vec<f64>> {
    let mut all = vec![vec![0.0; width]; points];
    for k in 0..width {
        let mut order: Vec<usize> = (0..points).collect();
        order.shuffle(random);
        for (point, place) in all.iter_mut().zip(order) {
            point[k] = (place as f64 + random.r#gen::<f64>()) / points as f64;
        }
    }
    all
}

struct Random {
    width: usize,
    random: Xoshiro256PlusPlus,
}

impl Searcher for Random {
    fn next(&mut self, _: &[(Vec<f64>, f64)]) -> Vec<Vec<f64>> {
        // A batch of some size, so that several can be evaluated at the same time.
        (0..64)
            .map(|_| uniform(self.width, &mut self.random))
            .collect()
    }
}

struct Grid {
    /// Points of the unit interval by parameter.
    levels: Vec<Vec<f64>>,
    next: Vec<usize>,
    done: bool,
}

impl Grid {
    fn new(space: &Space, levels: usize) -> Self {
        let unit = |d: &Dimension| -> Vec<f64> {
            let values = d.levels(levels);
            values.into_iter().map(|v| d.encode(v)).collect()
        };
        Self {
            levels: space.dimensions.iter().map(unit).collect(),
            next: vec![0; space.width()],
            done: false,
        }
    }
}

impl Dimension {
    /// A point of the unit interval that decodes to this value.
    fn encode(&self, value: f64) -> f64 {
        match *self {
            Self::Real {
                low,
                high,
                log: false,
            } => (value - low) / (high - low),
            Self::Real {
                low,
                high,
                log: true,
            } => (value / low).ln() / (high / low).ln(),
            Self::Integer {
                low,
                high,
                log: true,
            } => {
                let (below, above) = (low as f64 - 0.5, high as f64 + 0.5);
                (value / below).ln() / (above / below).ln()
            }
            Self::Integer { low, .. } => (value - low as f64 + 0.5) / self.count().unwrap_or(1.0),
            Self::Categorical { choices } => (value + 0.5) / choices as f64,
        }
    }
}

impl Searcher for Grid {
    fn next(&mut self, _: &[(Vec<f64>, f64)]) -> Vec<Vec<f64>> {
        let mut batch = Vec::new();
        while !self.done && batch.len() < 64 {
            batch.push(
                self.next
                    .iter()
                    .zip(&self.levels)
                    .map(|(i, l)| l[*i])
                    .collect(),
            );
            self.done = true;
            for (i, l) in self.next.iter_mut().zip(&self.levels).rev() {
                *i += 1;
                if *i < l.len() {
                    self.done = false;
                    break;
                }
                *i = 0;
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed() -> Space {
        Space::new(vec![
            Dimension::Real {
                low: 1e-3,
                high: 10.0,
                log: true,
            },
            Dimension::Integer {
                low: -2,
                high: 2,
                log: false,
            },
            Dimension::Categorical { choices: 3 },
            Dimension::Integer {
                low: 1,
                high: 100,
                log: true,
            },
        ])
        .unwrap()
    }

    /// Least at 0.1, 1, the second choice and 20.
    fn objective(x: &[f64]) -> f64 {
        (x[0] / 0.1).ln().powi(2)
            + (x[1] - 1.0).powi(2)
            + if x[2] == 1.0 { 0.0 } else { 2.0 }
            + (x[3] / 20.0).ln().powi(2)
    }

    fn all() -> Vec<Method> {
        vec![
            Method::Random,
            Method::Grid { levels: 5 },
            Method::Genetic(GeneticSettings::default()),
            Method::Swarm(SwarmSettings::default()),
            Method::Evolution(EvolutionSettings::default()),
            Method::Bayesian(BayesianSettings::default()),
        ]
    }

    #[test]
    fn every_method_stays_within_mixed_bounds_and_finds_the_choice() {
        for method in all() {
            let found = minimise(mixed(), &method, 200, 4, |x| {
                assert!((1e-3..=10.0).contains(&x[0]));
                assert!((-2.0..=2.0).contains(&x[1]) && x[1].fract() == 0.0);
                assert!((0.0..3.0).contains(&x[2]) && x[2].fract() == 0.0);
                assert!((1.0..=100.0).contains(&x[3]) && x[3].fract() == 0.0);
                objective(x)
            });
            assert_eq!(found.history().len(), 200);
            let best = found.best().unwrap();
            assert_eq!(objective(&best.point), best.value);
            assert_eq!(best.point[2], 1.0, "{method:?}");
            assert!(found.history().windows(2).all(|w| w[1] <= w[0]));
        }
    }

    fn go_on(search: &mut Search, upto: usize) {
        while search.told().len() < upto {
            let trial = search.ask().unwrap();
            search.tell(trial.number, objective(&trial.point));
        }
    }

    #[test]
    fn a_resumed_search_goes_on_as_if_it_had_not_stopped() {
        for method in all() {
            let mut whole = Search::new(mixed(), &method, 90, 8);
            go_on(&mut whole, 90);
            for stopped in [0, 1, 10, 37, 64, 89, 90] {
                let mut half = Search::new(mixed(), &method, 90, 8);
                go_on(&mut half, stopped);
                // What is kept is text.
                let kept = serde_json::to_string(&(mixed(), half.told())).unwrap();
                let (space, told): (Space, Vec<Told>) = serde_json::from_str(&kept).unwrap();
                let mut again = Search::resume(space, &method, 90, 8, &told).unwrap();
                go_on(&mut again, 90);
                assert_eq!(again.told(), whole.told(), "{method:?} from {stopped}");
                assert_eq!(again.history(), whole.history());
                assert_eq!(again.best(), whole.best());
                assert!(again.ask().is_none() && again.finished());
            }
        }
    }

    #[test]
    fn trials_that_were_out_are_asked_again() {
        for method in all() {
            let mut search = Search::new(mixed(), &method, 90, 8);
            // The first ten are a batch or part of one for all methods; every other one comes back, backwards.
            let out: Vec<Trial> = (0..10).map_while(|_| search.ask()).collect();
            assert_eq!(out.len(), 10);
            for t in out.iter().rev().step_by(2) {
                let value = if t.number == 5 {
                    f64::NEG_INFINITY
                } else {
                    objective(&t.point)
                };
                search.tell(t.number, value);
            }
            let told = search.told().to_vec();
            assert_eq!(
                told.iter().map(|t| t.number).collect::<Vec<_>>(),
                [9, 7, 5, 3, 1]
            );
            assert_eq!(told[2].value, None);
            let mut again = Search::resume(mixed(), &method, 90, 8, &told).unwrap();
            assert_eq!(again.told(), told);
            for t in out.iter().step_by(2) {
                assert_eq!(again.ask().as_ref(), Some(t));
                search.tell(t.number, objective(&t.point));
                again.tell(t.number, objective(&t.point));
            }
            go_on(&mut search, 90);
            go_on(&mut again, 90);
            assert_eq!(again.told(), search.told(), "{method:?}");
        }
    }

    #[test]
    fn what_another_search_was_told_is_refused() {
        let method = Method::Swarm(SwarmSettings::default());
        let mut search = Search::new(mixed(), &method, 90, 8);
        go_on(&mut search, 40);
        let mut told = search.told().to_vec();
        assert!(Search::resume(mixed(), &method, 90, 8, &told).is_ok());
        for (method, evaluations, seed) in [
            (method.clone(), 90, 9),
            (method.clone(), 30, 8),
            (Method::Random, 90, 8),
        ] {
            let refused = Search::resume(mixed(), &method, evaluations, seed, &told);
            assert!(refused.is_err(), "{method:?}");
        }
        told[30].point[1] += 1.0;
        let refused = Search::resume(mixed(), &method, 90, 8, &told);
        assert!(refused.is_err_and(|e| e.to_string().starts_with("trial 30")));
    }

    #[test]
    fn a_point_that_was_told_is_known() {
        let found = grid_search(mixed(), 3, objective);
        assert!(
            found.known(&[0.1, 1.0, 0.0, 1.0]).is_none(),
            "1 is no level of -2, 0, 2"
        );
        let near = [1e-3, 0.0, 1.0, 1.0];
        let told = found.told().iter().find(|t| same(&t.point, &near)).unwrap();
        let value = found.known(&told.point).unwrap();
        // (ln 0.01)² + 1 + 0 + (ln 0.05)² = 21.2076 + 1 + 8.9744.
        assert!((value - 31.182_0).abs() < 1e-3, "{value}");
    }

    #[test]
    fn methods_have_the_names_and_parameters_of_their_entries() {
        for name in Method::NAMES {
            let method = Method::named(name, &ParamMap::new()).unwrap();
            assert!(
                matches!(
                    (name, &method),
                    ("grid", Method::Grid { levels: 10 }) | ("random", Method::Random)
                ) || all().contains(&method),
                "{name}: {method:?}"
            );
        }
        let of = |name: &str, json: &str| Method::named(name, &serde_json::from_str(json).unwrap());
        assert_eq!(
            of("grid", r#"{"levels": 4}"#).unwrap(),
            Method::Grid { levels: 4 }
        );
        let swarm = of("particle_swarm", r#"{"particles": 7}"#).unwrap();
        assert!(matches!(swarm, Method::Swarm(s) if s.particles == 7));
        for (name, json, field) in [
            ("annealing", "{}", "method"),
            ("random", r#"{"levels": 4}"#, "levels"),
            ("grid", r#"{"levels": 0}"#, "levels"),
            ("genetic_algorithm", r#"{"seed": 1}"#, "seed"),
            ("bayesian_search", r#"{"gamma": 2}"#, "gamma"),
        ] {
            assert_eq!(of(name, json).unwrap_err().field, field);
        }
    }

    #[test]
    fn a_batch_may_be_told_in_any_order() {
        for method in all() {
            let go = |backwards: bool| {
                let mut search = Search::new(mixed(), &method, 80, 3);
                loop {
                    let mut batch: Vec<Trial> = std::iter::from_fn(|| search.ask()).collect();
                    if batch.is_empty() {
                        break search.best().unwrap().clone();
                    }
                    if backwards {
                        batch.reverse();
                    }
                    for t in batch {
                        // A value that is no number is the worst.
                        let value = if t.point[1] < -1.0 {
                            f64::NAN
                        } else {
                            objective(&t.point)
                        };
                        search.tell(t.number, value);
                        search.tell(t.number, -1e9);
                    }
                }
            };
            assert_eq!(go(true), go(false), "{method:?}");
        }
    }

    #[test]
    fn a_grid_holds_every_combination_once_and_ends() {
        let mut seen = Vec::new();
        let found = grid_search(mixed(), 3, |x| {
            seen.push(format!("{x:.3?}"));
            objective(x)
        });
        assert_eq!(mixed().grid_points(3), Some(81));
        assert_eq!(seen.len(), 81);
        assert!(found.finished());
        // The last parameter is the fastest; its middle is the root of 0.5 · 100.5, rounded.
        assert_eq!(seen[0], "[0.001, -2.000, 0.000, 1.000]");
        assert_eq!(seen[1], "[0.001, -2.000, 0.000, 7.000]");
        // Ends and the middle: 10^-1 is the middle of 10^-3 and 10.
        assert!(seen.contains(&"[0.100, 0.000, 2.000, 100.000]".to_owned()));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 81);
        // (ln 0.1/0.1)² + (0 - 1)² or (2 - 1)² + 0 + (ln 7/20)², by hand 2.102.
        let best = found.best().unwrap();
        assert_eq!(&best.point[1..], &[0.0, 1.0, 7.0]);
        assert!((best.value - 2.102).abs() < 1e-3);
    }

    #[test]
    fn whole_numbers_of_a_small_range_are_all_tried_by_the_grid() {
        for high in 1..12 {
            let space = Space::new(vec![Dimension::Integer {
                low: 0,
                high,
                log: false,
            }])
            .unwrap();
            let mut seen = Vec::new();
            grid_search(space, 50, |x| {
                seen.push(x[0] as i64);
                0.0
            });
            assert_eq!(seen, (0..=high).collect::<Vec<i64>>());
        }
    }

    #[test]
    fn random_points_fill_the_space() {
        // Of 10,000 points each whole number of five comes 2,000 times, give or take five deviations of 40.
        let mut counts = [0; 5];
        let found = random_search(mixed(), 10_000, 7, |x| {
            counts[(x[1] + 2.0) as usize] += 1;
            objective(x)
        });
        assert!(
            counts.iter().all(|c: &i32| (c - 2_000).abs() < 200),
            "{counts:?}"
        );
        assert!(found.best().unwrap().value < 0.5);
    }

    #[test]
    fn a_value_is_taken_once_and_only_of_a_point_that_is_out() {
        let mut search = Search::new(mixed(), &Method::Random, 3, 1);
        search.tell(0, -5.0);
        assert!(search.best().is_none());
        let first = search.ask().unwrap();
        search.tell(first.number, 2.0);
        search.tell(first.number, 1.0);
        search.tell(1, 0.0);
        assert_eq!(search.best().unwrap().value, 2.0);
        for value in [f64::NAN, 3.0] {
            let trial = search.ask().unwrap();
            search.tell(trial.number, value);
        }
        assert!(!search.finished());
        assert!(search.ask().is_none() && search.finished());
        assert_eq!(search.history(), &[2.0, 2.0, 2.0]);
    }

    #[test]
    fn bounds_that_hold_nothing_are_refused() {
        for bad in [
            Dimension::Real {
                low: 1.0,
                high: 1.0,
                log: false,
            },
            Dimension::Real {
                low: 0.0,
                high: 1.0,
                log: true,
            },
            Dimension::Integer {
                low: 3,
                high: 2,
                log: false,
            },
            Dimension::Integer {
                low: 0,
                high: i64::MAX,
                log: false,
            },
            Dimension::Categorical { choices: 0 },
        ] {
            assert!(Space::new(vec![bad]).is_err());
            let text = serde_json::to_string(&[bad]).unwrap();
            assert!(serde_json::from_str::<Space>(&text).is_err());
        }
        assert!(Space::new(Vec::new()).is_err());
    }
}
