//! Particle swarm.
//!
//! What: points that fly through the space, drawn to the best place each has seen and the best the swarm has seen.
//! Formula: v = w v + c1 r1 (own best - x) + c2 r2 (best of the neighbours - x); x = x + v.
//! Data: none; an objective.
//! Cost: one evaluation a particle and step.
//! Fails when: there are many valleys: the swarm gathers in one of them.
//! Source: Kennedy, Eberhart (1995); Clerc, Kennedy (2002); Trelea (2003).
//! Not claimed: that the best point is the best there is.

use super::engine::{Method, Searcher, Space, latin_hypercube, uniform};
use super::functions::{Function, OUTPUTS, run};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, Takes, choices, params,
};
use mltrainer_types::catalogue::Task;
use rand::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The handle.
pub struct ParticleSwarm;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<ParticleSwarm>();

choices! {
    /// Whom a particle listens to.
    pub enum Topology {
        /// The whole swarm: quick.
        Global = "global",
        /// Itself and the particles before and after it: slower, and harder to trap.
        Ring = "ring",
    }
}

params! {
    /// Parameters of the particle swarm.
    pub struct ParticleSwarmParams {
        /// The function that is minimised.
        function: Function = Function::Rastrigin;
        /// Its number of parameters; none is the one it has, or 5.
        dimensions: Option<usize> = None, within(1.0, 200.0);
        /// Points evaluated.
        evaluations: usize = 2_000, within(1.0, 1_000_000.0);
        /// Particles.
        particles: usize = 25, within(2.0, 10_000.0);
        /// Share of its velocity that a particle keeps.
        inertia: f64 = 0.6, within(0.0, 2.0);
        /// Pull of its own best place.
        cognitive: f64 = 1.7, within(0.0, 10.0);
        /// Pull of the best place of those it listens to.
        social: f64 = 1.7, within(0.0, 10.0);
        /// Whom a particle listens to.
        topology: Topology = Topology::Ring;
        /// Largest step in each parameter, as a share of its range.
        max_velocity: f64 = 0.5, above_up_to(0.0, 1.0);
        /// Seed; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "particle_swarm",
    family: "search",
    title: "Particle swarm",
    tasks: &[Task::Test],
    inputs: Inputs::Nothing,
    summary: "Searches a space with a swarm: each particle is drawn to the best place it has seen and the best its neighbours have seen. Shown on standard test functions.",
    formula: "v = w v + c1 r1 (own best - x) + c2 r2 (best of the neighbours - x), within the largest step; x = x + v; at a bound it stays there and turns back at half its speed; start by latin hypercube",
    data: "None; in trials an objective.",
    cost: "one evaluation a particle and step",
    fails_when: "There are many valleys: the swarm gathers in one of them, with topology=global sooner.",
    not_claimed: "That the best point is the best there is. The more points are tried on past data, the more the best of them owes to luck.",
    source: "J. Kennedy, R. Eberhart, Proc. ICNN (1995); M. Clerc, J. Kennedy, IEEE Transactions on Evolutionary Computation 6 (2002); I. C. Trelea, Information Processing Letters 85 (2003), for inertia and pulls; J. Kennedy, R. Mendes, IEEE CEC (2002), for the ring",
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

impl ParticleSwarmParams {
    /// What they say of the method.
    pub(super) fn settings(&self) -> SwarmSettings {
        SwarmSettings {
            particles: self.particles,
            inertia: self.inertia,
            cognitive: self.cognitive,
            social: self.social,
            topology: self.topology,
            max_velocity: self.max_velocity,
        }
    }
}

/// Settings; see the parameters of the entry.
#[derive(Debug, Clone, PartialEq)]
pub struct SwarmSettings {
    /// Particles.
    pub particles: usize,
    /// Share of its velocity that a particle keeps.
    pub inertia: f64,
    /// Pull of its own best place.
    pub cognitive: f64,
    /// Pull of the best place of those it listens to.
    pub social: f64,
    /// Whom a particle listens to.
    pub topology: Topology,
    /// Largest step in each parameter, as a share of its range.
    pub max_velocity: f64,
}

impl Default for SwarmSettings {
    fn default() -> Self {
        Self {
            particles: 25,
            inertia: 0.6,
            cognitive: 1.7,
            social: 1.7,
            topology: Topology::Ring,
            max_velocity: 0.5,
        }
    }
}

struct Particle {
    at: Vec<f64>,
    velocity: Vec<f64>,
    best: Vec<f64>,
    value: f64,
}

pub(super) struct Swarm {
    settings: SwarmSettings,
    random: Xoshiro256PlusPlus,
    particles: Vec<Particle>,
    width: usize,
}

impl Swarm {
    pub(super) fn new(space: &Space, settings: &SwarmSettings, random: Xoshiro256PlusPlus) -> Self {
        Self {
            settings: settings.clone(),
            random,
            particles: Vec::new(),
            width: space.width(),
        }
    }

    /// The particle with the best place among those that one listens to.
    fn guide(&self, of: usize) -> usize {
        let n = self.particles.len();
        let heard: Vec<usize> = match self.settings.topology {
            Topology::Global => (0..n).collect(),
            Topology::Ring => vec![(of + n - 1) % n, of, (of + 1) % n],
        };
        let value = |i: &usize| self.particles[*i].value;
        heard
            .into_iter()
            .min_by(|a, b| value(a).total_cmp(&value(b)))
            .unwrap_or(of)
    }
}

impl Searcher for Swarm {
    fn next(&mut self, told: &[(Vec<f64>, f64)]) -> Vec<Vec<f64>> {
        let (width, most) = (self.width, self.settings.max_velocity);
        if told.is_empty() {
            let places = latin_hypercube(self.settings.particles.max(1), width, &mut self.random);
            for at in places {
                let other = uniform(width, &mut self.random);
                let velocity = other
                    .iter()
                    .zip(&at)
                    .map(|(o, x)| (0.5 * (o - x)).clamp(-most, most));
                self.particles.push(Particle {
                    velocity: velocity.collect(),
                    best: at.clone(),
                    value: f64::INFINITY,
                    at,
                });
            }
            return self.particles.iter().map(|p| p.at.clone()).collect();
        }
        for (particle, (_, value)) in self.particles.iter_mut().zip(told) {
            if *value < particle.value {
                (particle.best, particle.value) = (particle.at.clone(), *value);
            }
        }
        let guides: Vec<Vec<f64>> = (0..self.particles.len())
            .map(|i| self.particles[self.guide(i)].best.clone())
            .collect();
        let s = &self.settings;
        for (p, guide) in self.particles.iter_mut().zip(&guides) {
            for (k, towards) in guide.iter().enumerate() {
                let (own, others) = (self.random.r#gen::<f64>(), self.random.r#gen::<f64>());
                let pull = s.cognitive * own * (p.best[k] - p.at[k])
                    + s.social * others * (towards - p.at[k]);
                p.velocity[k] = (s.inertia * p.velocity[k] + pull).clamp(-most, most);
                p.at[k] += p.velocity[k];
                if !(0.0..=1.0).contains(&p.at[k]) {
                    p.at[k] = p.at[k].clamp(0.0, 1.0);
                    p.velocity[k] *= -0.5;
                }
            }
        }
        self.particles.iter().map(|p| p.at.clone()).collect()
    }
}

impl Analysis for ParticleSwarm {
    type Params = ParticleSwarmParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (0, 0);
    const TAKES: Takes = Takes::Nothing;

    fn analyse(p: &ParticleSwarmParams, _: &SeriesTable, ask: Ask) -> Result<Outputs, FitError> {
        run(
            p.function,
            p.dimensions,
            p.evaluations,
            effective_seed(p.seed, ask.seed),
            &Method::Swarm(p.settings()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::median_error;
    use super::*;
    use crate::testing::assert_near;
    use rand::SeedableRng as _;

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
            let ours = median_error(f, d, 2_000, &Method::Swarm(SwarmSettings::default()));
            assert!((-1e-9..=theirs).contains(&ours), "{f:?} {ours} {theirs}");
        }
    }

    fn swarm(settings: SwarmSettings) -> Swarm {
        let space = Space::cube(1, 0.0, 1.0).unwrap();
        let mut swarm = Swarm::new(&space, &settings, Xoshiro256PlusPlus::seed_from_u64(5));
        swarm.next(&[]);
        swarm
    }

    fn told(swarm: &Swarm, f: impl Fn(f64) -> f64) -> Vec<(Vec<f64>, f64)> {
        let each = swarm.particles.iter();
        each.map(|p| (p.at.clone(), f(p.at[0]))).collect()
    }

    #[test]
    fn without_pulls_a_particle_slows_down_by_its_inertia() {
        let mut swarm = swarm(SwarmSettings {
            particles: 3,
            inertia: 0.5,
            cognitive: 0.0,
            social: 0.0,
            ..SwarmSettings::default()
        });
        for (p, (at, v)) in swarm
            .particles
            .iter_mut()
            .zip([(0.5, 0.2), (0.3, -0.1), (0.9, 0.4)])
        {
            (p.at, p.velocity) = (vec![at], vec![v]);
        }
        let values = told(&swarm, |x| x);
        let first = swarm.next(&values);
        // 0.5 + 0.1; 0.3 - 0.05; 0.9 + 0.2 is beyond: at the bound, and back at half of 0.2.
        assert_near(&first.concat(), &[0.6, 0.25, 1.0], 1e-15);
        let values = told(&swarm, |x| x);
        let second = swarm.next(&values);
        // 0.6 + 0.05; 0.25 - 0.025; 1 - 0.05.
        assert_near(&second.concat(), &[0.65, 0.225, 0.95], 1e-15);
    }

    #[test]
    fn a_particle_goes_to_those_it_listens_to() {
        // Only the social pull of 1: each goes part of the way to the best it hears of, and the best stays.
        for (topology, guides) in [
            (Topology::Global, [0.1, 0.1, 0.1, 0.1, 0.1]),
            (Topology::Ring, [0.1, 0.1, 0.2, 0.5, 0.1]),
        ] {
            let mut swarm = swarm(SwarmSettings {
                particles: 5,
                inertia: 0.0,
                cognitive: 0.0,
                social: 1.0,
                topology,
                max_velocity: 1.0,
            });
            let places = [0.1, 0.2, 0.9, 0.5, 0.7];
            for (p, at) in swarm.particles.iter_mut().zip(places) {
                (p.at, p.best) = (vec![at], vec![at]);
            }
            let values = told(&swarm, |x| x);
            let moved = swarm.next(&values).concat();
            for ((new, old), guide) in moved.iter().zip(places).zip(guides) {
                assert!((guide..=old).contains(new), "{topology:?} {old} {new}");
                assert!(*new < old || old == guide);
            }
        }
    }
}
