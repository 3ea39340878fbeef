//! Every entry and preset keeps the rules, and the rules catch who does not.

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::card::{Card, Exemption};
use mltrainer_catalogue_core::conformance::{Finding, Suite};
use mltrainer_catalogue_core::{
    Bar, Bars, Columns, Entry, Feed, Field, FitError, Indicator, Outputs, Prediction, Predictor,
    Registry, Resolved, State, Streamed, Supervised, Training, params,
};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};

fn suite() -> Result<Suite, String> {
    Suite::new(
        include_str!("data/spx.csv"),
        include_str!("data/ibm.csv"),
        include_str!("data/closes.csv"),
    )
}

#[test]
fn every_entry_and_preset_conforms() {
    let all: Vec<Resolved> = registry().all().collect();
    let suite = suite().unwrap();
    // Entries differ in how long they take: each of two threads takes the next one that waits.
    let next = AtomicUsize::new(0);
    let findings: Vec<Finding> = std::thread::scope(|s| {
        let (suite, all, next) = (&suite, &all, &next);
        let work = || -> Vec<Finding> {
            std::iter::from_fn(|| all.get(next.fetch_add(1, Ordering::Relaxed)))
                .flat_map(|r| suite.check_one(r))
                .collect()
        };
        let both = [s.spawn(work), s.spawn(work)];
        both.into_iter().flat_map(|h| h.join().unwrap()).collect()
    });
    assert!(findings.is_empty(), "{findings:#?}");
}

/// Looks one bar ahead and ignores its parameter; both are findings.
struct Cheat;

params! {
    /// One parameter, ignored.
    struct CheatParams {
        /// Does nothing.
        ignored: f64 = 1.0, above(0.0);
    }
}

const CHEAT: Card = Card {
    id: "cheat",
    title: "",
    outputs: &[("ahead", "the next close"), ("missing", "never given")],
    presets: &[],
    exemptions: &[Exemption {
        rule: "same_bits",
        reason: "none: it keeps the rule",
    }],
    stochastic: false,
    ..*mltrainer_catalogue::indicator::sma::ENTRY.card
};

impl Indicator for Cheat {
    type Params = CheatParams;
    const CARD: &'static Card = &CHEAT;

    fn compute(_: &CheatParams, bars: &Bars) -> Result<Columns, FitError> {
        let next = (0..bars.len()).map(|t| bars.close.get(t + 1).copied());
        Ok(vec![("ahead", next.collect())])
    }
}

/// Gives other columns than bar by bar.
struct Slip;

struct SlipState(f64);

const SLIP: Card = Card {
    id: "slip",
    outputs: &[("count", "bars so far")],
    ..CHEAT
};

impl State for SlipState {
    type Row = [Option<f64>; 1];

    fn push(&mut self, _: &Bar) -> [Option<f64>; 1] {
        self.0 += 1.0;
        [Some(self.0)]
    }

    fn columns(self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>> {
        vec![(0..bars.len()).map(|t| Some(t as f64)).collect()]
    }
}

impl Streamed for Slip {
    type Params = CheatParams;
    type State = SlipState;
    const CARD: &'static Card = &SLIP;
    const READS: &'static [Field] = &[Field::Close];

    fn start(_: &CheatParams) -> Result<SlipState, FitError> {
        Ok(SlipState(0.0))
    }
}

/// Panics on one row, learns the test rows' order, and does not save what it needs.
struct Careless;

params! {
    /// There are no parameters.
    struct CarelessParams {}
}

#[derive(Serialize, Deserialize)]
struct CarelessFitted {
    #[serde(skip)]
    mean: f64,
}

const CARELESS: Card = Card {
    id: "careless",
    outputs: &[],
    presets: &[],
    exemptions: &[],
    ..*mltrainer_catalogue::linear::ridge::ENTRY.card
};

impl Supervised for Careless {
    type Params = CarelessParams;
    type Fitted = CarelessFitted;
    const CARD: &'static Card = &CARELESS;

    fn fit(_: &CarelessParams, data: &Training, _: u64) -> Result<CarelessFitted, FitError> {
        assert!(data.y().len() > 1, "careless");
        let mean = data.y().iter().sum::<f64>() / data.y().len() as f64;
        Ok(CarelessFitted { mean })
    }
}

impl Predictor for CarelessFitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let values = (0..x.nrows()).map(|_| self.mean + x.sum()).collect();
        Ok(Prediction::values(values))
    }
    fn outputs(&self) -> Outputs {
        Outputs::new()
    }
}

#[test]
fn the_rules_catch_who_breaks_them() {
    static BAD: [Entry; 3] = [
        Entry::indicator::<Cheat>(),
        Entry::streamed::<Slip>(),
        Entry::supervised::<Careless>(),
    ];
    let findings = suite().unwrap().check(&Registry::new(&BAD));
    let broken: Vec<(&str, &str)> = findings
        .iter()
        .map(|f| (f.id.as_str(), f.rule.as_str()))
        .collect();
    for expected in [
        ("cheat", "card_complete"),
        ("cheat", "parameters_matter"),
        ("cheat", "no_look_ahead"),
        ("cheat", "outputs_as_listed"),
        ("cheat", "same_bits"),
        ("cheat", "same_bar_by_bar"),
        ("slip", "same_bar_by_bar"),
        ("careless", "hostile_data"),
        ("careless", "saved_and_loaded"),
        ("careless", "no_look_ahead"),
    ] {
        assert!(
            broken.contains(&expected),
            "{expected:?} is not in {findings:#?}"
        );
    }
}
