//! Genetic algorithm.
//!
//! What: a population of points; better ones are crossed and mutated, the best of parents and children live on.
//! Formula: tournaments, simulated binary crossover, polynomial and normal mutation.
//! Data: none; an objective.
//! Cost: one evaluation a child; O(population log population) beside.
//! Fails when: parameters hang together strongly: crossover takes them apart.
//! Source: Deb, Agrawal (1995); Deb (2001).
//! Not claimed: that the best point is the best there is.

use super::engine::{Method, Searcher, Space, latin_hypercube};
use super::functions::{Function, OUTPUTS, run};
use crate::numeric::normal;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, params,
};
use mltrainer_types::catalogue::Task;
use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The handle.
pub struct GeneticAlgorithm;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<GeneticAlgorithm>();

params! {
    /// Parameters of the genetic algorithm.
    pub struct GeneticAlgorithmParams {
        /// The function that is minimised.
        function: Function = Function::Rastrigin;
        /// Its number of parameters; none is the one it has, or 5.
        dimensions: Option<usize> = None, within(1.0, 200.0);
        /// Points evaluated.
        evaluations: usize = 2_000, within(1.0, 1_000_000.0);
        /// Points that live at a time.
        population: usize = 30, within(4.0, 10_000.0);
        /// Points of which the best becomes a parent.
        tournament: usize = 3, within(1.0, 100.0);
        /// Probability that two parents are crossed.
        crossover_probability: f64 = 0.9, within(0.0, 1.0);
        /// Index of the crossover: the larger, the nearer children are to their parents.
        crossover_eta: f64 = 1.0, at_least(0.0);
        /// Probability that a parameter mutates; none is one over their number.
        mutation_probability: Option<f64> = None, within(0.0, 1.0);
        /// Index of the mutation: the larger, the smaller its steps.
        mutation_eta: f64 = 20.0, at_least(0.0);
        /// Share of the mutations whose step is normal and as wide as the population is in that parameter, so that
        /// steps shrink as it gathers; the others are polynomial.
        adaptive_share: f64 = 0.5, within(0.0, 1.0);
        /// Seed; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "genetic_algorithm",
    family: "search",
    title: "Genetic algorithm",
    tasks: &[Task::Test],
    inputs: Inputs::Nothing,
    summary: "Searches a space of real, whole and unordered parameters with a population: better points are crossed and mutated, the best of parents and children live on. Shown on standard test functions.",
    formula: "parents by tournament; child = ((1+β) a + (1-β) b)/2 with β of the bounded simulated binary crossover of index η_c; mutation polynomial of index η_m, or normal with the deviation of the population; unordered parameters are exchanged and redrawn; (μ+λ) survival; start by latin hypercube",
    data: "None; in trials an objective.",
    cost: "one evaluation a child",
    fails_when: "Parameters hang together strongly, as in Rosenbrock's valley, or there are few evaluations.",
    not_claimed: "That the best point is the best there is. The more points are tried on past data, the more the best of them owes to luck.",
    source: "K. Deb, R. B. Agrawal, Complex Systems 9 (1995); K. Deb, Multi-Objective Optimization using Evolutionary Algorithms (2001)",
    reference: "scipy 1.17 and optuna 5.0 on standard test functions",
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

impl GeneticAlgorithmParams {
    /// What they say of the method.
    pub(super) fn settings(&self) -> GeneticSettings {
        GeneticSettings {
            population: self.population,
            tournament: self.tournament,
            crossover_probability: self.crossover_probability,
            crossover_eta: self.crossover_eta,
            mutation_probability: self.mutation_probability,
            mutation_eta: self.mutation_eta,
            adaptive_share: self.adaptive_share,
        }
    }
}

/// Settings; see the parameters of the entry.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneticSettings {
    /// Points that live at a time.
    pub population: usize,
    /// Points of which the best becomes a parent.
    pub tournament: usize,
    /// Probability that two parents are crossed.
    pub crossover_probability: f64,
    /// Index of the crossover.
    pub crossover_eta: f64,
    /// Probability that a parameter mutates; none is one over their number.
    pub mutation_probability: Option<f64>,
    /// Index of the mutation.
    pub mutation_eta: f64,
    /// Share of the mutations as wide as the population.
    pub adaptive_share: f64,
}

impl Default for GeneticSettings {
    fn default() -> Self {
        Self {
            population: 30,
            tournament: 3,
            crossover_probability: 0.9,
            crossover_eta: 1.0,
            mutation_probability: None,
            mutation_eta: 20.0,
            adaptive_share: 0.5,
        }
    }
}

pub(super) struct Genetic {
    space: Space,
    settings: GeneticSettings,
    random: Xoshiro256PlusPlus,
    living: Vec<(Vec<f64>, f64)>,
}

impl Genetic {
    pub(super) fn new(
        space: &Space,
        settings: &GeneticSettings,
        random: Xoshiro256PlusPlus,
    ) -> Self {
        Self {
            space: space.clone(),
            settings: settings.clone(),
            random,
            living: Vec::new(),
        }
    }

    fn parent(&mut self) -> Vec<f64> {
        let n = self.living.len();
        // Sorted by value: the lowest place wins.
        let best = (0..self.settings.tournament)
            .map(|_| self.random.gen_range(0..n))
            .min();
        self.living[best.unwrap_or_default()].0.clone()
    }

    fn cross(&mut self, a: &mut [f64], b: &mut [f64]) {
        if self.random.r#gen::<f64>() > self.settings.crossover_probability {
            return;
        }
        let power = 1.0 / (self.settings.crossover_eta + 1.0);
        for k in 0..a.len() {
            let (swap, u) = (self.random.r#gen::<f64>() < 0.5, self.random.r#gen::<f64>());
            if self.random.r#gen::<f64>() > 0.5 {
                continue;
            }
            let (low, high) = (a[k].min(b[k]), a[k].max(b[k]));
            if !self.space.unordered(k) && high - low > 1e-14 {
                let spread = |room: f64| {
                    let beta = 1.0 + 2.0 * room / (high - low);
                    let alpha = 2.0 - beta.powf(-(self.settings.crossover_eta + 1.0));
                    if u <= 1.0 / alpha {
                        (u * alpha).powf(power)
                    } else {
                        (1.0 / (2.0 - u * alpha)).powf(power)
                    }
                };
                let (sum, apart) = (low + high, high - low);
                a[k] = (0.5 * (sum - spread(low) * apart)).clamp(0.0, 1.0);
                b[k] = (0.5 * (sum + spread(1.0 - high) * apart)).clamp(0.0, 1.0);
            }
            if swap {
                std::mem::swap(&mut a[k], &mut b[k]);
            }
        }
    }

    fn mutate(&mut self, x: &mut [f64], spread: &[f64]) {
        let each = self
            .settings
            .mutation_probability
            .unwrap_or(1.0 / x.len() as f64);
        let eta = self.settings.mutation_eta + 1.0;
        for k in 0..x.len() {
            if self.random.r#gen::<f64>() >= each {
                continue;
            }
            let u = self.random.r#gen::<f64>();
            if self.space.unordered(k) {
                x[k] = u;
                continue;
            }
            if self.random.r#gen::<f64>() < self.settings.adaptive_share {
                x[k] = (x[k] + spread[k] * normal(&mut self.random)).clamp(0.0, 1.0);
                continue;
            }
            let step = if u < 0.5 {
                (2.0 * u + (1.0 - 2.0 * u) * (1.0 - x[k]).powf(eta)).powf(1.0 / eta) - 1.0
            } else {
                1.0 - (2.0 * (1.0 - u) + 2.0 * (u - 0.5) * x[k].powf(eta)).powf(1.0 / eta)
            };
            x[k] = (x[k] + step).clamp(0.0, 1.0);
        }
    }
}

/// Standard deviation.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (values.map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
}

impl Searcher for Genetic {
    fn next(&mut self, told: &[(Vec<f64>, f64)]) -> Vec<Vec<f64>> {
        let n = self.settings.population.max(2);
        if told.is_empty() {
            return latin_hypercube(n, self.space.width(), &mut self.random);
        }
        self.living.extend_from_slice(told);
        self.living.sort_by(|a, b| a.1.total_cmp(&b.1));
        self.living.truncate(n);
        let spread: Vec<f64> = (0..self.space.width())
            .map(|k| deviation(self.living.iter().map(|(p, _)| p[k])))
            .collect();
        let mut children = Vec::with_capacity(n + 1);
        while children.len() < n {
            let (mut a, mut b) = (self.parent(), self.parent());
            self.cross(&mut a, &mut b);
            for mut child in [a, b] {
                self.mutate(&mut child, &spread);
                // A point that is known already would tell nothing.
                let known = |p: &Vec<f64>| *p == child;
                if self.living.iter().any(|(p, _)| known(p)) || children.iter().any(known) {
                    let k = self.random.gen_range(0..child.len());
                    child[k] = self.random.r#gen();
                }
                children.push(child);
            }
        }
        children.truncate(n);
        children
    }
}

impl Analysis for GeneticAlgorithm {
    type Params = GeneticAlgorithmParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (0, 0);
    const TAKES: Takes = Takes::Nothing;

    fn analyse(p: &GeneticAlgorithmParams, _: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        run(
            p.function,
            p.dimensions,
            p.evaluations,
            effective_seed(p.seed, ask.seed),
            &Method::Genetic(p.settings()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::median_error;
    use super::*;
    use rand::SeedableRng as _;

    fn genes(width: usize, settings: GeneticSettings) -> Genetic {
        let space = Space::cube(width, 0.0, 1.0).unwrap();
        Genetic::new(&space, &settings, Xoshiro256PlusPlus::seed_from_u64(5))
    }

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
            let ours = median_error(f, d, 2_000, &Method::Genetic(GeneticSettings::default()));
            assert!((-1e-9..=theirs).contains(&ours), "{f:?} {ours} {theirs}");
        }
    }

    #[test]
    fn mutation_has_the_mean_step_of_its_law() {
        // Deb, Agrawal: P(δ) = (η+1)/2 (1 - |δ|)^η, of which the mean of |δ| is 1/(η+2); the bounds are far away.
        for eta in [20.0, 50.0] {
            let mut genetic = genes(
                1,
                GeneticSettings {
                    mutation_probability: Some(1.0),
                    mutation_eta: eta,
                    adaptive_share: 0.0,
                    ..GeneticSettings::default()
                },
            );
            let (mut size, mut sum) = (0.0, 0.0);
            for _ in 0..40_000 {
                let mut x = [0.5];
                genetic.mutate(&mut x, &[0.0]);
                size += (x[0] - 0.5).abs() / 40_000.0;
                sum += (x[0] - 0.5) / 40_000.0;
            }
            let want = 1.0 / (eta + 2.0);
            // Deviation of |δ| is about its mean: five standard errors are 2.5 %.
            assert!((size / want - 1.0).abs() < 0.025, "{size} {want}");
            assert!((sum / want).abs() < 0.036);
        }
    }

    #[test]
    fn crossover_keeps_the_mean_of_the_parents_and_spreads_by_its_law() {
        // Deb, Agrawal: half of the children lie between their parents; those of the spread β < 1 have the mean
        // (η+1)/(η+2). Bounds far from the parents do not bend it at this index.
        let eta = 15.0;
        let mut genetic = genes(
            1,
            GeneticSettings {
                crossover_probability: 1.0,
                crossover_eta: eta,
                ..GeneticSettings::default()
            },
        );
        let (mut inside, mut crossed, mut beta) = (0, 0, 0.0);
        for _ in 0..40_000 {
            let (mut a, mut b) = ([0.45], [0.55]);
            genetic.cross(&mut a, &mut b);
            assert!((a[0] + b[0] - 1.0).abs() < 1e-12);
            let spread = (a[0] - b[0]).abs() / 0.1;
            if (spread - 1.0).abs() < 1e-12 {
                // Half of the parameters are left as they are.
                continue;
            }
            crossed += 1;
            if spread < 1.0 {
                inside += 1;
                beta += spread;
            }
        }
        assert!((f64::from(crossed) / 40_000.0 - 0.5).abs() < 0.0125);
        assert!((f64::from(inside) / f64::from(crossed) - 0.5).abs() < 0.018);
        let want = (eta + 1.0) / (eta + 2.0);
        assert!((beta / f64::from(inside) - want).abs() < 0.003);
    }
}
