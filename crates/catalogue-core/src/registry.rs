//! The registry: entries and presets by id, with the nearest names for an unknown one.

use crate::card::{Check, Preset};
use crate::entry::{Engine, Entry, ParamMap};
use crate::error::ParamError;
use crate::suggest;
use mltrainer_types::catalogue::{
    CatalogueEntry, Checked, CheckedCase, EntryKind, Evidence, OutputSpec, Task,
};
use serde_json::Value;
use std::fmt::Write as _;

/// All entries, in the order of family and id.
#[derive(Clone, Copy)]
pub struct Registry {
    entries: &'static [Entry],
    check: Option<&'static Check>,
}

/// An entry found by its own id or by that of one of its presets.
#[derive(Clone, Copy)]
pub struct Resolved {
    /// The entry.
    pub entry: &'static Entry,
    /// The preset, when it was asked for by that name.
    pub preset: Option<&'static Preset>,
    check: Option<&'static Check>,
}

impl Registry {
    /// A registry over entries in the order of family and id.
    #[must_use]
    pub const fn new(entries: &'static [Entry]) -> Self {
        Self {
            entries,
            check: None,
        }
    }

    /// The same with what the last run of the reference check said of its entries.
    #[must_use]
    pub const fn checked(self, check: &'static Check) -> Self {
        Self {
            check: Some(check),
            ..self
        }
    }

    /// The last run of the reference check.
    #[must_use]
    pub const fn check(&self) -> Option<&'static Check> {
        self.check
    }

    /// The entries, in the order of family and id.
    #[must_use]
    pub const fn entries(&self) -> &'static [Entry] {
        self.entries
    }

    /// The entry or preset of that id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Resolved> {
        self.all().find(|r| r.id() == id)
    }

    /// Every id: entries first, then presets.
    #[must_use]
    pub fn ids(&self) -> Vec<&'static str> {
        self.all().map(|r| r.id()).collect()
    }

    /// Up to three ids nearest to one that does not exist, nearest first.
    #[must_use]
    pub fn nearest(&self, id: &str) -> Vec<String> {
        suggest::nearest(id, self.all().map(|r| r.id()))
    }

    /// The catalogue as outside programs see it: entries first, then presets.
    #[must_use]
    pub fn catalogue(&self) -> Vec<CatalogueEntry> {
        self.all().map(|r| r.catalogue_entry()).collect()
    }

    /// Every entry by its own id, then every preset.
    pub fn all(&self) -> impl Iterator<Item = Resolved> + use<> {
        let Self { entries, check } = *self;
        let own = entries.iter().map(move |entry| Resolved {
            entry,
            preset: None,
            check,
        });
        let presets = entries.iter().flat_map(move |entry| {
            entry.card.presets.iter().map(move |preset| Resolved {
                entry,
                preset: Some(preset),
                check,
            })
        });
        own.chain(presets)
    }
}

impl Resolved {
    /// The id it was found by: the preset's, or the entry's.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.preset.map_or(self.entry.card.id, |p| p.id)
    }

    /// Title for people.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.preset.map_or(self.entry.card.title, |p| p.title)
    }

    /// All parameters with their values: the given ones, under their own name or another that the reference
    /// library has for them, those the preset fixes, and the defaults of the rest.
    ///
    /// # Errors
    /// [`ParamError`] when a value is refused, a name is unknown, two names of one parameter are given, or a
    /// given value contradicts one that the preset fixes.
    pub fn params(&self, given: &ParamMap) -> Result<ParamMap, ParamError> {
        let also = self.also();
        let mut own = given.clone();
        let mut called: Vec<(&str, &str)> = Vec::new();
        for (other, name) in also {
            let Some(value) = own.remove(other) else {
                continue;
            };
            if own.insert(name.to_owned(), value).is_some() {
                return Err(ParamError {
                    field: other.to_owned(),
                    reason: format!("another name of {name}, which is given too: give one of them"),
                    suggestions: vec![name.to_owned()],
                });
            }
            called.push((other, name));
        }
        self.by_own_names(&own).map_err(|mut e| {
            // By the name that the caller wrote.
            if let Some((other, _)) = called.iter().find(|(_, name)| *name == e.field) {
                e.field = (*other).to_owned();
            }
            e
        })
    }

    /// Other names of parameters: those of the entry, and scikit-learn's of a seed.
    fn also(&self) -> Vec<(&'static str, &'static str)> {
        let mut also = self.entry.also.to_vec();
        if (self.entry.params)().iter().any(|p| p.name == "seed") {
            also.push(("random_state", "seed"));
        }
        also
    }

    fn by_own_names(&self, given: &ParamMap) -> Result<ParamMap, ParamError> {
        let fixed = self.fixed();
        // First what was asked for on its own, so that an error names what the caller wrote.
        let asked = (self.entry.resolve)(given)?;
        let values = (self.entry.resolve)(&fixed)?;
        let mut all = given.clone();
        for name in fixed.keys() {
            if given.contains_key(name) && asked.get(name) != values.get(name) {
                return Err(ParamError {
                    field: name.clone(),
                    reason: format!(
                        "{} fixes it at {}; use {} to choose another value",
                        self.id(),
                        values.get(name).unwrap_or(&Value::Null),
                        self.entry.card.id
                    ),
                    suggestions: vec![self.entry.card.id.to_owned()],
                });
            }
            all.insert(
                name.clone(),
                values.get(name).cloned().unwrap_or(Value::Null),
            );
        }
        (self.entry.resolve)(&all)
    }

    /// What the preset fixes, as on the command line; empty for an entry.
    pub(crate) fn fixed(&self) -> ParamMap {
        self.preset
            .map(|p| {
                p.set
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), Value::from(*v)))
                    .collect()
            })
            .unwrap_or_default()
    }

    /// The cases of the entry and of its presets, which are one code, in the last run of the reference check.
    fn checked(&self) -> Option<Checked> {
        let check = self.check?;
        let presets = self.entry.card.presets.iter().map(|p| p.id);
        let ids = std::iter::once(self.entry.card.id).chain(presets);
        let of = |id: &'static str| check.cases.iter().filter(move |c| c.id == id);
        let cases: Vec<CheckedCase> = ids
            .flat_map(of)
            .map(|c| CheckedCase {
                case: c.case.to_owned(),
                against: c.against.to_owned(),
                tolerance: c.tolerance.to_owned(),
                passed: c.passed,
            })
            .collect();
        (!cases.is_empty()).then(|| Checked {
            on: check.on.to_owned(),
            cases,
        })
    }

    /// The card as outside programs see it.
    #[must_use]
    pub fn catalogue_entry(&self) -> CatalogueEntry {
        let card = self.entry.card;
        let kind = match (self.preset, self.entry.engine) {
            (Some(_), _) => EntryKind::Preset,
            // A pattern or a rule computes as an indicator does; the family says what it is.
            (None, Engine::Indicator { .. }) if card.family == "indicator" => EntryKind::Indicator,
            // A search over parameters shows itself on test functions, which is an analysis of nothing.
            (None, Engine::Analysis { .. }) if card.family == "search" => EntryKind::Search,
            (None, _) => EntryKind::Model,
        };
        let mut params = (self.entry.params)();
        let also = self.also();
        for spec in &mut params {
            let others = also.iter().filter(|(_, name)| *name == spec.name);
            let others: Vec<&str> = others.map(|(other, _)| *other).collect();
            if !others.is_empty() {
                let _ = write!(spec.help, " Also called {}.", others.join(", "));
            }
        }
        let mut fixed = ParamMap::new();
        if self.preset.is_some() {
            // A preset whose values are refused would show here without them; a test of the
            // registry keeps that from happening.
            let values = (self.entry.resolve)(&self.fixed()).unwrap_or_default();
            for spec in &mut params {
                if let (true, Some(value)) = (
                    self.fixed().contains_key(&spec.name),
                    values.get(&spec.name),
                ) {
                    spec.default = value.clone();
                    fixed.insert(spec.name.clone(), value.clone());
                }
            }
        }
        CatalogueEntry {
            id: self.id().to_owned(),
            kind,
            family: card.family.to_owned(),
            title: self.title().to_owned(),
            tasks: card.tasks.to_vec(),
            summary: card.summary.to_owned(),
            formula: card.formula.to_owned(),
            data: card.data.to_owned(),
            cost: card.cost.to_owned(),
            fails_when: card.fails_when.to_owned(),
            not_claimed: card.not_claimed.to_owned(),
            deterministic: true,
            params,
            outputs: outputs(self.entry),
            source: card.source.to_owned(),
            reference: card.reference.to_owned(),
            evidence: card
                .evidence
                .iter()
                .map(|e| Evidence {
                    against: e.against.to_owned(),
                    cases: e.cases.to_owned(),
                    tolerance: e.tolerance.to_owned(),
                })
                .collect(),
            checked: self.checked(),
            base: self.preset.map(|_| card.id.to_owned()),
            fixed,
            presets: if self.preset.is_some() {
                Vec::new()
            } else {
                card.presets.iter().map(|p| p.id.to_owned()).collect()
            },
        }
    }
}

/// Outputs that every entry of a kind has, then those of the card.
fn outputs(entry: &Entry) -> Vec<OutputSpec> {
    let mut all: Vec<(&str, &str)> = Vec::new();
    if matches!(entry.engine, Engine::Multi { .. }) {
        all.push(("predictions", "by target: one a test row"));
        if entry.card.tasks.contains(&Task::Classification) {
            all.push((
                "probabilities",
                "classification: by target and label, one probability a test row",
            ));
        }
    }
    if matches!(entry.engine, Engine::Supervised { .. }) {
        all.push((
            "predictions",
            "one a test row: the value, or the most probable label (the smallest in a tie); null for an entry that states positions only",
        ));
        if entry.probabilities && entry.card.tasks.contains(&Task::Classification) {
            all.push((
                "probabilities",
                "classification: by label, one probability a test row",
            ));
        }
    }
    if entry.forecast.is_some() {
        all.push(("forecast", "one value a step after the last row"));
    }
    all.extend(entry.card.outputs);
    all.into_iter()
        .map(|(name, help)| OutputSpec {
            name: name.to_owned(),
            help: help.to_owned(),
        })
        .collect()
}
