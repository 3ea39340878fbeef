//! Differential evolution.
//!
//! What: a population of points; each is challenged by a point made of others and the difference of two.
//! Formula: mutant = base + F (a - b), crossed with the point at rate CR; the better one stays; at the end BFGS from
//! the best one.
//! Data: none; an objective.
//! Cost: one evaluation a point and generation.
//! Fails when: the population is small beside the number of parameters.
//! Source: Storn, Price (1997); Tanabe, Fukunaga (2014).
//! Not claimed: that the best point is the best there is.

use super::engine::{Method, Searcher, Space, latin_hypercube};
use super::functions::{Function, OUTPUTS, run};
use super::polish::Polish;
use crate::numeric::normal;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, choices, params,
};
use mltrainer_types::catalogue::Task;
use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The handle.
pub struct DifferentialEvolution;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<DifferentialEvolution>();

choices! {
    /// What a mutant is made of.
    pub enum Strategy {
        /// Success-history adaptation of F and CR towards the best of the population, which shrinks (L-SHADE).
        Lshade = "lshade",
        /// The best point and one difference, binomial crossover.
        Best1Bin = "best1bin",
        /// The best point and one difference, exponential crossover.
        Best1Exp = "best1exp",
        /// The best point and two differences, binomial crossover.
        Best2Bin = "best2bin",
        /// The best point and two differences, exponential crossover.
        Best2Exp = "best2exp",
        /// A point at random and one difference, binomial crossover.
        Rand1Bin = "rand1bin",
        /// A point at random and one difference, exponential crossover.
        Rand1Exp = "rand1exp",
        /// A point at random and two differences, binomial crossover.
        Rand2Bin = "rand2bin",
        /// A point at random and two differences, exponential crossover.
        Rand2Exp = "rand2exp",
        /// A point at random moved towards the best one, and one difference, binomial crossover.
        RandToBest1Bin = "randtobest1bin",
        /// A point at random moved towards the best one, and one difference, exponential crossover.
        RandToBest1Exp = "randtobest1exp",
        /// The point itself moved towards the best one, and one difference, binomial crossover.
        CurrentToBest1Bin = "currenttobest1bin",
        /// The point itself moved towards the best one, and one difference, exponential crossover.
        CurrentToBest1Exp = "currenttobest1exp",
    }
}

choices! {
    /// When a better challenger takes its place.
    pub enum Updating {
        /// At once, so that the next challenger can be made of it: one point is out at a time.
        Immediate = "immediate",
        /// When the generation is complete: its points can be evaluated at the same time. Always with lshade.
        Deferred = "deferred",
    }
}

params! {
    /// Parameters of differential evolution.
    pub struct DifferentialEvolutionParams {
        /// The function that is minimised.
        function: Function = Function::Rastrigin;
        /// Its number of parameters; none is the one it has, or 5.
        dimensions: Option<usize> = None, within(1.0, 200.0);
        /// Points evaluated.
        evaluations: usize = 2_000, within(1.0, 1_000_000.0);
        /// What a mutant is made of.
        strategy: Strategy = Strategy::Lshade;
        /// Points of the population, a parameter; lshade begins with so many.
        popsize: usize = 10, within(1.0, 1_000.0);
        /// Smallest factor F of the difference; drawn anew each generation. Not with lshade.
        mutation_low: f64 = 0.5, within(0.0, 2.0);
        /// Largest factor F.
        mutation_high: f64 = 1.0, within(0.0, 2.0);
        /// Probability CR that a parameter comes from the mutant. Not with lshade.
        recombination: f64 = 0.7, within(0.0, 1.0);
        /// When a better challenger takes its place.
        updating: Updating = Updating::Immediate;
        /// Whether the last evaluations, 40 a parameter and no more than a fifth, go to a local search from the best
        /// point along slopes; of use where the objective is smooth. Only real parameters move.
        polish: bool = true;
        /// Seed; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "differential_evolution",
    family: "search",
    title: "Differential evolution",
    tasks: &[Task::Test],
    inputs: Inputs::Nothing,
    summary: "Searches a space with a population in which each point is challenged by one made of others and the difference of two; by default the factors adapt to what succeeded, the population shrinks, and the last evaluations go to a local search along slopes. Shown on standard test functions.",
    formula: "best1: m = best + F (a - b); best2: m = best + F (a + b - c - d); rand1, rand2: the same from a point at random; randtobest1: m = c + F (best - c) + F (a - b); currenttobest1: m = x + F (best - x + a - b); bin: each parameter from m with probability CR, one at least; exp: a run of parameters that goes on with probability CR; lshade: m = x + F (one of the best 11 % - x) + F (a - b), b from the population or an archive of points replaced, 1.4 times as many, F Cauchy and CR normal about one of 5 means of past successes weighted by gain, population down to 4 linearly; the better of x and the crossed point stays; beyond a bound: anywhere, with lshade half way to it; start by latin hypercube; polish: BFGS within the bounds, slopes by forward differences, steps shortened until they bring a share of the promised fall",
    data: "None; in trials an objective.",
    cost: "one evaluation a point and generation",
    fails_when: "The population is small beside the number of parameters, or evaluations are fewer than some ten generations. The local search is wasted on objectives made of steps.",
    not_claimed: "That the best point is the best there is. The more points are tried on past data, the more the best of them owes to luck.",
    source: "R. Storn, K. Price, J. Global Optimization 11 (1997); R. Tanabe, A. Fukunaga, IEEE CEC (2014); J. Nocedal, S. J. Wright, Numerical Optimization (2006), ch. 6, for the local search",
    reference: "scipy 1.17, differential_evolution (strategies, popsize, mutation, recombination, updating, polish)",
    outputs: OUTPUTS,
    stochastic: true,
    evidence: &[Evidence {
        against: "known minima; scipy 1.17, differential_evolution, on the same functions with the same evaluations",
        cases: "all eight functions in 2 to 10 dimensions: benches/peers/search_scipy_optuna.py",
        tolerance: "medians over seeds",
    }],
    presets: &[],
    exemptions: &[],
};

impl DifferentialEvolutionParams {
    /// What they say of the method.
    pub(super) fn settings(&self) -> EvolutionSettings {
        EvolutionSettings {
            strategy: self.strategy,
            popsize: self.popsize,
            mutation: (
                self.mutation_low.min(self.mutation_high),
                self.mutation_low.max(self.mutation_high),
            ),
            recombination: self.recombination,
            updating: self.updating,
            polish: self.polish,
        }
    }
}

/// Settings; see the parameters of the entry.
#[derive(Debug, Clone, PartialEq)]
pub struct EvolutionSettings {
    /// What a mutant is made of.
    pub strategy: Strategy,
    /// Points of the population, a parameter.
    pub popsize: usize,
    /// Smallest and largest factor F.
    pub mutation: (f64, f64),
    /// Probability CR.
    pub recombination: f64,
    /// When a better challenger takes its place.
    pub updating: Updating,
    /// Whether the last evaluations go to a local search.
    pub polish: bool,
}

impl Default for EvolutionSettings {
    fn default() -> Self {
        Self {
            strategy: Strategy::Lshade,
            popsize: 10,
            mutation: (0.5, 1.0),
            recombination: 0.7,
            updating: Updating::Immediate,
            polish: true,
        }
    }
}

/// Means of successes that are remembered.
const MEMORY: usize = 5;
/// Smallest population.
const LEAST: usize = 4;
/// Points that the strategy with the most differences is made of.
const MOST: usize = 6;
/// Share of the population that a point may be drawn to.
const GREEDY: f64 = 0.11;

/// Evaluations of the local search, a parameter.
const POLISH: usize = 40;

pub(super) struct Evolution {
    space: Space,
    settings: EvolutionSettings,
    random: Xoshiro256PlusPlus,
    start: usize,
    living: Vec<(Vec<f64>, f64)>,
    /// Points that were replaced, to take differences with.
    archive: Vec<Vec<f64>>,
    /// Means of CR and F.
    memory: [(f64, f64); MEMORY],
    next_memory: usize,
    /// Places of the points that are challenged, with CR and F.
    used: Vec<(usize, f64, f64)>,
    /// F of this generation without lshade, and the place whose turn it is.
    dither: f64,
    turn: usize,
    done: usize,
    /// Evaluations before the local search.
    before_polish: usize,
    polish: Option<Polish>,
    polished: bool,
}

impl Evolution {
    pub(super) fn new(
        space: &Space,
        settings: &EvolutionSettings,
        evaluations: usize,
        random: Xoshiro256PlusPlus,
    ) -> Self {
        let start = (settings.popsize * space.width()).max(MOST);
        let kept = if settings.polish && (0..space.width()).any(|k| space.real(k)) {
            (POLISH * space.width()).min(evaluations / 5)
        } else {
            0
        };
        Self {
            space: space.clone(),
            settings: settings.clone(),
            random,
            start,
            living: Vec::new(),
            archive: Vec::new(),
            memory: [(0.5, 0.5); MEMORY],
            next_memory: 0,
            used: Vec::new(),
            dither: 0.0,
            turn: 0,
            done: 0,
            before_polish: evaluations - kept,
            polish: None,
            polished: !settings.polish,
        }
    }

    /// Places from the best to the worst.
    fn ranked(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.living.len()).collect();
        order.sort_by(|a, b| self.living[*a].1.total_cmp(&self.living[*b].1));
        order
    }

    fn adaptive(&self) -> bool {
        self.settings.strategy == Strategy::Lshade
    }

    /// Takes in the values of the last generation.
    fn learn(&mut self, told: &[(Vec<f64>, f64)]) {
        if self.living.is_empty() {
            self.living = told.to_vec();
            return;
        }
        // CR, F and gain of what succeeded.
        let mut gains: Vec<(f64, f64, f64)> = Vec::new();
        for ((i, cr, f), (point, value)) in self.used.iter().copied().zip(told) {
            let (old, was) = &mut self.living[i];
            if value <= was {
                if value < was {
                    let gain = was.min(f64::MAX) - value;
                    gains.push((cr, f, gain));
                    self.archive.push(old.clone());
                }
                (*old, *was) = (point.clone(), *value);
            }
        }
        if !self.adaptive() {
            return;
        }
        let total: f64 = gains.iter().map(|g| g.2).sum();
        if total > 0.0 && total.is_finite() {
            // Lehmer means, weighted by gain.
            let lehmer = |of: fn(&(f64, f64, f64)) -> f64| {
                let above: f64 = gains.iter().map(|g| g.2 * of(g).powi(2)).sum();
                let below: f64 = gains.iter().map(|g| g.2 * of(g)).sum();
                if below > 0.0 { above / below } else { 0.0 }
            };
            self.memory[self.next_memory] = (lehmer(|g| g.0), lehmer(|g| g.1));
            self.next_memory = (self.next_memory + 1) % MEMORY;
        }
        let share = self.done as f64 / self.before_polish as f64;
        let wanted = self.start as f64 + (LEAST as f64 - self.start as f64) * share.min(1.0);
        let wanted = (wanted.round() as usize).max(LEAST);
        if wanted < self.living.len() {
            self.living.sort_by(|a, b| a.1.total_cmp(&b.1));
            self.living.truncate(wanted);
        }
        let most = (1.4 * self.living.len() as f64) as usize;
        while self.archive.len() > most {
            let out = self.random.gen_range(0..self.archive.len());
            self.archive.swap_remove(out);
        }
    }

    /// A place other than these.
    fn other(&mut self, than: &[usize], below: usize) -> usize {
        // There are always more points than those to avoid.
        loop {
            let at = self.random.gen_range(0..below);
            if !than.contains(&at) {
                return at;
            }
        }
    }

    fn factors(&mut self) -> (f64, f64) {
        let (cr, f) = self.memory[self.random.gen_range(0..MEMORY)];
        let cr = (cr + 0.1 * normal(&mut self.random)).clamp(0.0, 1.0);
        loop {
            let angle = std::f64::consts::PI * (self.random.r#gen::<f64>() - 0.5);
            let drawn = f + 0.1 * angle.tan();
            if drawn > 0.0 {
                return (cr, drawn.min(1.0));
            }
        }
    }

    /// So many different places of the population, none of them this one.
    fn others<const N: usize>(&mut self, than: usize) -> [usize; N] {
        let mut taken = vec![than];
        let n = self.living.len();
        std::array::from_fn(|_| {
            let at = self.other(&taken, n);
            taken.push(at);
            at
        })
    }

    /// What the challenger of a point is made of.
    fn parts(&mut self, i: usize, order: &[usize]) -> Parts {
        use Strategy as S;
        let (n, best) = (self.living.len(), order[0]);
        let (base, towards, plus, minus) = match self.settings.strategy {
            S::Lshade => {
                let greedy = ((GREEDY * n as f64).round() as usize).clamp(2, n);
                let leader = order[self.random.gen_range(0..greedy)];
                let a = self.other(&[i], n);
                let b = self.other(&[i, a], n + self.archive.len());
                (i, Some(leader), vec![a], vec![b])
            }
            S::Best1Bin | S::Best1Exp => {
                let [a, b] = self.others(i);
                (best, None, vec![a], vec![b])
            }
            S::Best2Bin | S::Best2Exp => {
                let [a, b, c, d] = self.others(i);
                (best, None, vec![a, b], vec![c, d])
            }
            S::Rand1Bin | S::Rand1Exp => {
                let [a, b, c] = self.others(i);
                (c, None, vec![a], vec![b])
            }
            S::Rand2Bin | S::Rand2Exp => {
                let [a, b, c, d, e] = self.others(i);
                (e, None, vec![a, b], vec![c, d])
            }
            S::RandToBest1Bin | S::RandToBest1Exp => {
                let [a, b, c] = self.others(i);
                (c, Some(best), vec![a], vec![b])
            }
            S::CurrentToBest1Bin | S::CurrentToBest1Exp => {
                let [a, b] = self.others(i);
                (i, Some(best), vec![a], vec![b])
            }
        };
        Parts {
            base,
            towards,
            plus,
            minus,
        }
    }

    /// Which parameters the mutant gives: one at least.
    fn crossed(&mut self, cr: f64) -> Vec<bool> {
        let width = self.space.width();
        let sure = self.random.gen_range(0..width);
        let mut from = vec![false; width];
        if self.settings.strategy.exponential() {
            for step in 0..width {
                if step > 0 && self.random.r#gen::<f64>() >= cr {
                    break;
                }
                from[(sure + step) % width] = true;
            }
        } else {
            for (k, taken) in from.iter_mut().enumerate() {
                *taken = k == sure || self.random.r#gen::<f64>() < cr;
            }
        }
        from
    }

    /// The challenger of a point.
    fn challenger(&mut self, i: usize, order: &[usize], f: f64, cr: f64) -> Vec<f64> {
        let parts = self.parts(i, order);
        let crossed = self.crossed(cr);
        let n = self.living.len();
        let mut point = self.living[i].0.clone();
        for k in (0..crossed.len()).filter(|k| crossed[*k]) {
            // Places after the population are those of the archive.
            let at = |j: usize| {
                self.living
                    .get(j)
                    .map_or_else(|| self.archive[j - n][k], |p| p.0[k])
            };
            if self.space.unordered(k) {
                // Choices have no differences: that of another point, or a new one.
                let [fresh, which] = [self.random.r#gen::<f64>(), self.random.r#gen::<f64>()];
                point[k] = if fresh < 0.1 {
                    self.random.r#gen()
                } else if which < 0.5 {
                    at(parts.plus[0])
                } else {
                    at(parts.towards.unwrap_or(parts.base))
                };
                continue;
            }
            let pull = parts.towards.map_or(0.0, |j| at(j) - at(parts.base));
            let pairs = parts.plus.iter().zip(&parts.minus);
            let apart: f64 = pairs.map(|(a, b)| at(*a) - at(*b)).sum();
            let mutant = at(parts.base) + f * (pull + apart);
            // Beyond a bound: anywhere, as in scipy; with lshade half way between it and the point.
            point[k] = if !self.adaptive() && !(0.0..=1.0).contains(&mutant) {
                self.random.r#gen()
            } else if mutant < 0.0 {
                point[k] / 2.0
            } else if mutant > 1.0 {
                f64::midpoint(point[k], 1.0)
            } else {
                mutant
            };
        }
        point
    }
}

/// Places of the points that a mutant is made of.
struct Parts {
    base: usize,
    /// A better point that the base is drawn to.
    towards: Option<usize>,
    plus: Vec<usize>,
    minus: Vec<usize>,
}

impl Strategy {
    fn exponential(self) -> bool {
        matches!(
            self,
            Self::Best1Exp
                | Self::Best2Exp
                | Self::Rand1Exp
                | Self::Rand2Exp
                | Self::RandToBest1Exp
                | Self::CurrentToBest1Exp
        )
    }
}

impl Searcher for Evolution {
    fn next(&mut self, told: &[(Vec<f64>, f64)]) -> Vec<Vec<f64>> {
        if told.is_empty() {
            return latin_hypercube(self.start, self.space.width(), &mut self.random);
        }
        self.done += told.len();
        if let Some(mut polish) = self.polish.take() {
            polish.tell(told);
            let batch = polish.ask();
            if !batch.is_empty() {
                self.polish = Some(polish);
                return batch;
            }
            let best = self.ranked()[0];
            self.living[best] = polish.best();
        } else {
            self.learn(told);
        }
        let n = self.living.len();
        let order = self.ranked();
        if !self.polished && self.done >= self.before_polish {
            self.polished = true;
            let (point, value) = self.living[order[0]].clone();
            self.polish = Polish::new(&self.space, point, value);
            if let Some(polish) = &self.polish {
                return polish.ask();
            }
        }
        if self.turn == 0 {
            let (low, high) = self.settings.mutation;
            self.dither = low + (high - low) * self.random.r#gen::<f64>();
        }
        let whole = self.adaptive() || self.settings.updating == Updating::Deferred;
        let turns = if whole {
            0..n
        } else {
            let turn = self.turn;
            self.turn = (turn + 1) % n;
            turn..turn + 1
        };
        self.used = turns
            .map(|i| {
                let (cr, f) = if self.adaptive() {
                    self.factors()
                } else {
                    (self.settings.recombination, self.dither)
                };
                (i, cr, f)
            })
            .collect();
        self.used
            .clone()
            .into_iter()
            .map(|(i, cr, f)| self.challenger(i, &order, f, cr))
            .collect()
    }
}

impl Analysis for DifferentialEvolution {
    type Params = DifferentialEvolutionParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (0, 0);
    const TAKES: Takes = Takes::Nothing;

    fn analyse(
        p: &DifferentialEvolutionParams,
        _: &SeriesTable,
        ask: Ask,
    ) -> Result<Outputs, FitError> {
        run(
            p.function,
            p.dimensions,
            p.evaluations,
            effective_seed(p.seed, ask.seed),
            &Method::Evolution(p.settings()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::median_error;
    use super::*;
    use rand::SeedableRng as _;

    const ALL: [Strategy; 12] = [
        Strategy::Best1Bin,
        Strategy::Best1Exp,
        Strategy::Best2Bin,
        Strategy::Best2Exp,
        Strategy::Rand1Bin,
        Strategy::Rand1Exp,
        Strategy::Rand2Bin,
        Strategy::Rand2Exp,
        Strategy::RandToBest1Bin,
        Strategy::RandToBest1Exp,
        Strategy::CurrentToBest1Bin,
        Strategy::CurrentToBest1Exp,
    ];

    #[test]
    fn standard_functions_are_solved_no_worse_than_by_scipy() {
        // scipy 1.17.1, differential_evolution(polish=False), stopped after 2,000 evaluations: medians of 20 seeds.
        for (f, d, theirs) in [
            (Function::Sphere, 5, 2.13e-4),
            (Function::Rosenbrock, 5, 3.1),
            (Function::Rastrigin, 5, 7.90),
            (Function::Ackley, 5, 4.28e-1),
            (Function::Griewank, 5, 4.47e-1),
            (Function::StyblinskiTang, 5, 1.96e-2),
            (Function::Hartmann6, 6, 8.93e-2),
        ] {
            for polish in [false, true] {
                let method = Method::Evolution(EvolutionSettings {
                    polish,
                    ..EvolutionSettings::default()
                });
                let ours = median_error(f, d, 2_000, &method);
                assert!((-1e-9..=theirs).contains(&ours), "{f:?} {ours} {theirs}");
            }
        }
    }

    #[test]
    fn every_strategy_of_scipy_finds_the_bottom_of_a_bowl() {
        for strategy in ALL {
            for updating in [Updating::Immediate, Updating::Deferred] {
                let method = Method::Evolution(EvolutionSettings {
                    strategy,
                    updating,
                    polish: false,
                    ..EvolutionSettings::default()
                });
                let error = median_error(Function::Sphere, 2, 2_000, &method);
                assert!(error < 1e-3, "{strategy:?} {updating:?} {error}");
            }
        }
    }

    fn evolution(settings: EvolutionSettings, width: usize, evaluations: usize) -> Evolution {
        let space = Space::cube(width, 0.0, 1.0).unwrap();
        let random = Xoshiro256PlusPlus::seed_from_u64(5);
        Evolution::new(&space, &settings, evaluations, random)
    }

    #[test]
    fn challengers_are_those_of_the_formulas() {
        // All that each formula can give from six points with F = 0.25, by going through all places.
        let places: [f64; 6] = [0.40, 0.41, 0.43, 0.47, 0.55, 0.63];
        let f = 0.25;
        for (strategy, parts) in [
            (Strategy::Best1Bin, 2),
            (Strategy::Rand1Exp, 3),
            (Strategy::Best2Bin, 4),
            (Strategy::Rand2Exp, 5),
            (Strategy::RandToBest1Bin, 3),
            (Strategy::CurrentToBest1Exp, 2),
        ] {
            let mut evolution = evolution(
                EvolutionSettings {
                    strategy,
                    polish: false,
                    ..EvolutionSettings::default()
                },
                1,
                1_000,
            );
            // The best is the third.
            evolution.living = places
                .iter()
                .map(|x| (vec![*x], (x - 0.43f64).abs()))
                .collect();
            let order = evolution.ranked();
            let best = places[2];
            for i in 0..6 {
                let mut possible = Vec::new();
                let count = 6usize.pow(parts);
                for code in 0..count {
                    let at: Vec<usize> = (0..parts).map(|k| code / 6usize.pow(k) % 6).collect();
                    let mut all = at.clone();
                    all.push(i);
                    all.sort_unstable();
                    all.dedup();
                    if all.len() <= at.len() {
                        continue;
                    }
                    let x: Vec<f64> = at.iter().map(|j| places[*j]).collect();
                    possible.push(match strategy {
                        Strategy::Best1Bin => best + f * (x[0] - x[1]),
                        Strategy::Rand1Exp => x[2] + f * (x[0] - x[1]),
                        Strategy::Best2Bin => best + f * (x[0] + x[1] - x[2] - x[3]),
                        Strategy::Rand2Exp => x[4] + f * (x[0] + x[1] - x[2] - x[3]),
                        Strategy::RandToBest1Bin => x[2] + f * (best - x[2]) + f * (x[0] - x[1]),
                        _ => places[i] + f * (best - places[i]) + f * (x[0] - x[1]),
                    });
                }
                for _ in 0..50 {
                    let got = evolution.challenger(i, &order, f, 1.0)[0];
                    assert!(
                        possible.iter().any(|p| (p - got).abs() < 1e-12),
                        "{strategy:?} {i} {got}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_population_shrinks_as_in_the_paper() {
        // Tanabe, Fukunaga, eq. 10: N = round((4 - N₀)/max · spent + N₀), here 4 - 40 over 1,000.
        let mut evolution = evolution(
            EvolutionSettings {
                polish: false,
                ..EvolutionSettings::default()
            },
            4,
            1_000,
        );
        let mut told = Vec::new();
        let mut spent = 0;
        while spent < 1_000 {
            let batch = evolution.next(&told);
            let want = (40.0 - 0.036 * f64::from(spent)).round().max(4.0);
            // The first challengers are as many as the first points.
            if spent != 40 {
                assert_eq!(batch.len(), want as usize, "after {spent}");
            }
            spent += i32::try_from(batch.len()).unwrap();
            told = batch
                .into_iter()
                .map(|p| {
                    let value = p.iter().map(|x| (x - 0.3) * (x - 0.3)).sum();
                    (p, value)
                })
                .collect();
        }
    }

    #[test]
    fn polish_ends_a_smooth_search_at_the_bottom() {
        // The bottom of Rosenbrock's valley is 0; without slopes the search is still on its way there.
        let of = |polish| {
            let method = Method::Evolution(EvolutionSettings {
                polish,
                ..EvolutionSettings::default()
            });
            median_error(Function::Rosenbrock, 5, 2_000, &method)
        };
        let (with, without) = (of(true), of(false));
        assert!(with < 1e-6 && without > 0.1, "{with} {without}");
    }
}
