//! Every model, indicator, pattern, rule, price and allocation: one file each.
//!
//! An entry is one file `src/<family>/<entry>.rs` with `pub const ENTRY: Entry`, and one line
//! `pub mod <entry>;` in the family's `mod.rs`; `build.rs` turns these lines into [`registry`].
//! There is no input or output here, no clock, no logging and no randomness but the seed handed in.

pub mod alternative;
pub mod baseline;
pub mod cases;
pub mod clustering;
pub mod decomposition;
pub mod discriminant;
pub mod ensemble;
pub mod factor;
pub mod gaussian_process;
pub mod indicator;
pub mod kernel_ridge;
pub mod linear;
pub mod microstructure;
pub mod naive_bayes;
pub mod neighbors;
pub mod neural;
pub mod options;
pub mod outlier;
pub mod pattern;
pub mod portfolio;
pub mod risk;
pub mod rule;
pub mod search;
pub mod signal_ensemble;
pub mod signal_processing;
pub mod svm;
pub mod technical;
pub mod test;
pub mod time_series;
pub mod tree;
pub mod volume;

mod class_weight;
mod distributions;
mod kernels;
mod labels;
mod numeric;
mod optimize;
mod signals;

#[cfg(test)]
mod listing;
/// What `cargo xtask new-model` writes, under its placeholder names: compiled here, so that it always works.
#[cfg(test)]
#[path = "../../../xtask/template/new_model.rs"]
pub mod template;
#[cfg(test)]
mod testing;

use mltrainer_catalogue_core::card::Check;
use mltrainer_catalogue_core::{Entry, Registry};

include!(concat!(env!("OUT_DIR"), "/entries.rs"));

/// Every entry and preset, by id.
#[must_use]
pub fn registry() -> Registry {
    Registry::new(ENTRIES).checked(&CHECK)
}

/// The catalogue and the reference of all parameters, as Markdown.
#[must_use]
pub fn markdown() -> String {
    registry().markdown()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn no_file_of_a_family_is_forgotten() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert_eq!(listing::orphans(&src).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_no_line_names_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("lib.rs", "pub mod linear;\n");
        write(
            "linear/mod.rs",
            "//! Linear.\nmod engine;\npub mod ridge;\n",
        );
        for file in ["linear/engine.rs", "linear/ridge.rs", "linear/lost.rs"] {
            write(file, "");
        }
        write("tree/mod.rs", "");
        assert_eq!(
            listing::orphans(folder.path()).unwrap(),
            ["linear/lost.rs", "tree/mod.rs"]
        );
        assert_eq!(
            listing::entries(folder.path()).unwrap(),
            [("linear".to_owned(), "ridge".to_owned())]
        );
    }

    #[test]
    fn what_new_model_writes_conforms() {
        static NEW: [Entry; 1] = [template::ENTRY];
        let suite = mltrainer_catalogue_core::conformance::Suite::new(
            include_str!("../tests/data/spx.csv"),
            include_str!("../tests/data/ibm.csv"),
            include_str!("../tests/data/closes.csv"),
        );
        assert_eq!(suite.unwrap().check(&Registry::new(&NEW)), []);
    }

    #[test]
    fn ids_are_unique_and_files_are_named_after_them() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let registered: Vec<(String, String)> = registry()
            .entries()
            .iter()
            .map(|e| (e.card.family.to_owned(), e.card.id.to_owned()))
            .collect();
        assert_eq!(listing::entries(&src).unwrap(), registered);
        let ids = registry().ids();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn unknown_ids_get_the_nearest_ones() {
        assert!(registry().find("rigde").is_none());
        assert_eq!(registry().nearest("rigde"), ["ridge"]);
        assert!(
            registry()
                .nearest("forest")
                .contains(&"random_forest".to_owned())
        );
    }

    #[test]
    fn other_names_stand_for_parameters() {
        for entry in registry().entries() {
            let names: BTreeSet<String> = (entry.params)().into_iter().map(|p| p.name).collect();
            let others: BTreeSet<&str> = entry.also.iter().map(|(other, _)| *other).collect();
            assert_eq!(others.len(), entry.also.len(), "{}", entry.card.id);
            for (other, name) in entry.also {
                assert!(names.contains(*name), "{}: {name}", entry.card.id);
                assert!(!names.contains(*other), "{}: {other}", entry.card.id);
            }
        }
        let found = registry().find("catboost").unwrap();
        let given = |text: &str| serde_json::from_str(text).unwrap();
        let params = found
            .params(&given(r#"{"iterations": 5, "random_state": "3"}"#))
            .unwrap();
        assert_eq!(
            (&params["n_estimators"], &params["seed"]),
            (&5.into(), &3.into())
        );
        assert!(!params.contains_key("iterations"));
        for (wrong, why) in [
            (
                r#"{"iterations": 5, "n_estimators": 6}"#,
                "parameter iterations: another name of n_estimators, which is given too: give one of them",
            ),
            (
                r#"{"iterations": 5, "num_trees": 5}"#,
                "parameter num_trees: another name of n_estimators, which is given too: give one of them",
            ),
            (
                r#"{"iterations": 0}"#,
                "parameter iterations: 0 is out of range",
            ),
        ] {
            let refused = found.params(&given(wrong)).unwrap_err().to_string();
            assert!(refused.starts_with(why), "{refused}");
        }
        let help = |id: &str, name: &str| {
            let entry = registry().find(id).unwrap().catalogue_entry();
            let spec = entry.params.into_iter().find(|p| p.name == name).unwrap();
            spec.help
        };
        assert!(help("xgboost", "learning_rate").ends_with(" Also called eta."));
        assert!(help("kmeans", "seed").ends_with(" Also called random_state."));
    }

    #[test]
    fn presets_fix_their_parameters() {
        let preset = registry().find("random_forest_50").unwrap();
        let given = |text: &str| serde_json::from_str(text).unwrap();
        let params = preset.params(&given(r#"{"max_depth": "3"}"#)).unwrap();
        assert_eq!(
            (&params["n_estimators"], &params["max_depth"]),
            (&50.into(), &3.into())
        );
        assert!(preset.params(&given(r#"{"n_estimators": "50"}"#)).is_ok());
        let refused = preset
            .params(&given(r#"{"n_estimators": 51}"#))
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "parameter n_estimators: random_forest_50 fixes it at 50; use random_forest to choose another value"
        );
        let entry = preset.catalogue_entry();
        assert_eq!(entry.base.as_deref(), Some("random_forest"));
        assert_eq!(entry.fixed["n_estimators"], 50);
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the test measures how long the catalogue takes"
    )]
    fn the_catalogue_is_ready_in_under_ten_milliseconds() {
        // The best of ten: another process may take the processor away from any one of them.
        let best = (0..10)
            .map(|_| {
                let start = std::time::Instant::now();
                assert!(!registry().catalogue().is_empty());
                start.elapsed()
            })
            .min()
            .unwrap();
        assert!(best.as_millis() < 10, "{best:?}");
    }
}
