//! `cargo xtask tidy`: the rules of the house that are tests. A rule is a function over what is in the repository; each has
//! a test that shows it a bad example.

mod packages;
mod source;
mod texts;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::place::Place;
use crate::{Outcome, say, wasm};
use source::Source;

/// What the rules look at.
#[derive(Default)]
pub(crate) struct Repository {
    /// Every Rust file by its path from the root, `/` between folders.
    rust: BTreeMap<String, Source>,
    /// Every other text file.
    texts: BTreeMap<String, String>,
    packages: Vec<Package>,
    /// The names of the packages that are compiled into the browser's half.
    browser_tree: Vec<String>,
}

/// A package of the workspace, as `cargo metadata` tells it.
pub(crate) struct Package {
    name: String,
    /// The folder, from the root.
    folder: String,
    /// The root files of its targets, from the repository's root.
    roots: Vec<String>,
    dependencies: Vec<Dependency>,
}

pub(crate) struct Dependency {
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Normal,
    Build,
    Dev,
}

/// One thing that is not as it must be.
#[derive(Debug, PartialEq)]
pub(crate) struct Violation {
    /// `path` or `path:line`.
    at: String,
    /// What is wrong and what to do.
    told: String,
}

impl Violation {
    fn new(at: impl Into<String>, told: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            told: told.into(),
        }
    }
}

struct Rule {
    name: &'static str,
    check: fn(&Repository) -> Vec<Violation>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "every module begins with its documentation",
        check: texts::module_docs,
    },
    Rule {
        name: "no orphan file",
        check: packages::orphans,
    },
    Rule {
        name: "a crate imports only crates above it",
        check: packages::import_order,
    },
    Rule {
        name: "what a crate must not know",
        check: packages::must_not_know,
    },
    Rule {
        name: "`sqlx` in `store` only",
        check: packages::sqlx_in_store,
    },
    Rule {
        name: "outbound HTTP in `data` and `assistant` only",
        check: packages::outbound_http,
    },
    Rule {
        name: "the environment is read in `server` only",
        check: texts::environment,
    },
    Rule {
        name: "the browser's half holds nothing of the server",
        check: packages::browser_tree,
    },
    Rule {
        name: "no `unsafe`, no `unwrap`, no `todo!`, no `#[allow]`",
        check: texts::forbidden_words,
    },
    Rule {
        name: "no hash-map order below `services`",
        check: texts::hash_order,
    },
    Rule {
        name: "the catalogue touches nothing outside",
        check: texts::catalogue_is_pure,
    },
    Rule {
        name: "no `cfg(target_arch)` in `app`",
        check: texts::no_target_arch,
    },
    Rule {
        name: "commands in the documents are ones that exist",
        check: texts::commands_exist,
    },
    Rule {
        name: "no path of somebody's machine",
        check: texts::machine_paths,
    },
    Rule {
        name: "one version of wasm-bindgen",
        check: texts::wasm_bindgen_version,
    },
];

/// Checks every rule; the error lists all violations.
pub(crate) fn tidy(place: &Place) -> Outcome<String> {
    let repository = Repository::read(place)?;
    let mut count = 0;
    for rule in RULES {
        let found = (rule.check)(&repository);
        eprintln!(
            "{} {}",
            if found.is_empty() { "ok  " } else { "FAIL" },
            rule.name
        );
        for violation in &found {
            eprintln!("       {}: {}", violation.at, violation.told);
        }
        count += found.len();
    }
    if count > 0 {
        return Err(format!(
            "{count} violations of the rules of the house, listed above"
        ));
    }
    Ok(format!(
        "{} rules over {} Rust files hold",
        RULES.len(),
        repository.rust.len()
    ))
}

impl Repository {
    fn read(place: &Place) -> Outcome<Self> {
        let mut repository = Self::default();
        let listed = say::output(
            std::process::Command::new("git")
                .current_dir(&place.root)
                .args([
                    "ls-files",
                    "-z",
                    "--cached",
                    "--others",
                    "--exclude-standard",
                ]),
        )?;
        for path in listed.split('\0').filter(|p| !p.is_empty()) {
            // A file deleted but not yet committed is listed; one that is not text is not for these rules.
            let Ok(text) = std::fs::read_to_string(place.root.join(path)) else {
                continue;
            };
            if path.ends_with(".rs") {
                repository.rust.insert(path.to_owned(), Source::new(&text));
            } else {
                repository.texts.insert(path.to_owned(), text);
            }
        }
        let metadata = say::output(place.cargo("cargo").args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        repository.packages = packages_of(&metadata, &place.root)?;
        repository.browser_tree = say::output(place.cargo("cargo").args([
            "tree",
            "--package",
            "mltrainer-frontend",
            "--target",
            wasm::TARGET,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]))?
        .lines()
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
        repository.browser_tree.sort();
        repository.browser_tree.dedup();
        Ok(repository)
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let mut repository = Self::default();
        for (path, text) in files {
            if path.ends_with(".rs") {
                repository
                    .rust
                    .insert((*path).to_owned(), Source::new(text));
            } else {
                repository
                    .texts
                    .insert((*path).to_owned(), (*text).to_owned());
            }
        }
        repository
    }

    #[cfg(test)]
    fn with_package(
        mut self,
        name: &str,
        folder: &str,
        roots: &[&str],
        dependencies: &[(&str, Kind)],
    ) -> Self {
        self.packages.push(Package {
            name: name.to_owned(),
            folder: folder.to_owned(),
            roots: roots.iter().map(|r| (*r).to_owned()).collect(),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency {
                    name: (*name).to_owned(),
                    kind: *kind,
                })
                .collect(),
        });
        self
    }
}

fn packages_of(metadata: &str, root: &Path) -> Outcome<Vec<Package>> {
    let parsed: Value =
        serde_json::from_str(metadata).map_err(|e| format!("cargo metadata: {e}"))?;
    let text = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let list = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let inside = |path: String| {
        Path::new(&path)
            .strip_prefix(root)
            .map(|p| p.to_string_lossy().replace('\\', "/"))
            .map_err(|_| format!("{path} lies outside {}", root.display()))
    };
    list(&parsed, "packages")
        .iter()
        .map(|package| {
            let manifest = inside(text(package, "manifest_path"))?;
            Ok(Package {
                name: text(package, "name"),
                folder: manifest
                    .trim_end_matches("Cargo.toml")
                    .trim_end_matches('/')
                    .to_owned(),
                roots: list(package, "targets")
                    .iter()
                    .map(|t| inside(text(t, "src_path")))
                    .collect::<Outcome<_>>()?,
                dependencies: list(package, "dependencies")
                    .iter()
                    .map(|d| Dependency {
                        name: text(d, "name"),
                        kind: match d.get("kind").and_then(Value::as_str) {
                            Some("dev") => Kind::Dev,
                            Some("build") => Kind::Build,
                            _ => Kind::Normal,
                        },
                    })
                    .collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_metadata_is_understood() {
        let metadata = r#"{"packages":[{"name":"a","manifest_path":"/r/crates/a/Cargo.toml",
            "targets":[{"src_path":"/r/crates/a/src/lib.rs"}],
            "dependencies":[{"name":"x","kind":null},{"name":"y","kind":"dev"},{"name":"z","kind":"build"}]}]}"#;
        let packages = packages_of(metadata, Path::new("/r")).unwrap();
        assert_eq!(packages[0].folder, "crates/a");
        assert_eq!(packages[0].roots, ["crates/a/src/lib.rs"]);
        let kinds: Vec<Kind> = packages[0].dependencies.iter().map(|d| d.kind).collect();
        assert_eq!(kinds, [Kind::Normal, Kind::Dev, Kind::Build]);
    }
}
