//! Rules about packages: who may import whom, and whether every file belongs to one.

use std::collections::BTreeSet;

use super::source::words;
use super::{Kind, Package, Repository, Violation};

/// The rooms of the house from the left to the right: a crate may import only crates that stand before it.
const ORDER: [&str; 15] = [
    "mltrainer-types",
    "mltrainer-unify",
    "mltrainer-compliance",
    "mltrainer-data",
    "mltrainer-features",
    "mltrainer-catalogue-core",
    "mltrainer-catalogue",
    "mltrainer-backtest",
    "mltrainer-trials",
    "mltrainer-assistant",
    "mltrainer-services",
    "mltrainer-store",
    "mltrainer-app",
    "mltrainer-frontend",
    "mltrainer-server",
];

/// Packages outside the order: nobody imports them, except the benches the harness of the tests.
const OUTSIDE: [&str; 3] = ["mltrainer-it", "mltrainer-bench", "mltrainer-xtask"];

/// Libraries that call other machines.
const HTTP_CLIENTS: [&str; 9] = [
    "reqwest",
    "hyper",
    "hyper-util",
    "ureq",
    "curl",
    "isahc",
    "surf",
    "awc",
    "tokio-tungstenite",
];

fn ours(name: &str) -> bool {
    name.starts_with("mltrainer-")
}

/// What a package is compiled with outside its tests.
fn shipped(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|d| d.kind != Kind::Dev)
        .map(|d| d.name.as_str())
}

fn manifest(package: &Package) -> String {
    format!("{}/Cargo.toml", package.folder)
}

pub(super) fn import_order(repository: &Repository) -> Vec<Violation> {
    let place = |name: &str| ORDER.iter().position(|o| *o == name);
    let mut found = Vec::new();
    for package in &repository.packages {
        let here = place(&package.name);
        if here.is_none() && !OUTSIDE.contains(&package.name.as_str()) {
            found.push(Violation::new(
                manifest(package),
                format!("{} has no place in the order of crates; give it one in xtask/src/tidy/packages.rs", package.name),
            ));
        }
        for dependency in package.dependencies.iter().filter(|d| ours(&d.name)) {
            let wrong = match (here, place(&dependency.name)) {
                // The figures start the program with the harness of the black-box tests.
                (None, None)
                    if package.name == "mltrainer-bench" && dependency.name == "mltrainer-it" =>
                {
                    None
                }
                (_, None) => Some(format!("nobody imports {}", dependency.name)),
                (Some(here), Some(there)) if there >= here && dependency.name != package.name => {
                    Some(format!(
                        "{} stands above {} and must not import it",
                        package.name, dependency.name
                    ))
                }
                _ => None,
            };
            found.extend(wrong.map(|told| Violation::new(manifest(package), told)));
        }
    }
    found
}

/// Per package, what it must not be compiled with.
const MUST_NOT_KNOW: [(&str, &[&str], &str); 5] = [
    (
        "mltrainer-types",
        &["sqlx", "axum", "leptos", "polars", "tokio", "ndarray"],
        "what crosses a wire knows no database, no framework and no data frame",
    ),
    (
        "mltrainer-catalogue-core",
        &["tokio", "tracing", "log", "polars", "rayon"],
        "a catalogue entry does no IO and no logging and starts no threads",
    ),
    (
        "mltrainer-catalogue",
        &["tokio", "tracing", "log", "polars", "rayon"],
        "a catalogue entry does no IO and no logging and starts no threads",
    ),
    (
        "mltrainer-trials",
        &["mltrainer-catalogue", "axum"],
        "trials name no concrete model: the registry is handed in",
    ),
    (
        "mltrainer-xtask",
        &["mltrainer-types"],
        "xtask knows nothing of ours",
    ),
];

pub(super) fn must_not_know(repository: &Repository) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in &repository.packages {
        for (name, banned, why) in MUST_NOT_KNOW {
            if package.name == name {
                found.extend(shipped(package).filter(|d| banned.contains(d)).map(|d| {
                    Violation::new(
                        manifest(package),
                        format!("{name} must not know {d}: {why}"),
                    )
                }));
            }
        }
    }
    found
}

pub(super) fn sqlx_in_store(repository: &Repository) -> Vec<Violation> {
    let told = "only `store` may name sqlx; put the query behind a port of `services`";
    let manifests = repository
        .packages
        .iter()
        .filter(|p| p.name != "mltrainer-store")
        .filter(|p| p.dependencies.iter().any(|d| d.name.starts_with("sqlx")))
        .map(|p| Violation::new(manifest(p), told));
    let code = repository
        .rust
        .iter()
        .filter(|(path, _)| !path.starts_with("crates/store/"))
        .flat_map(|(path, source)| {
            words(&source.code, "sqlx")
                .map(move |at| Violation::new(format!("{path}:{}", source.line(at)), told))
        });
    manifests.chain(code).collect()
}

pub(super) fn outbound_http(repository: &Repository) -> Vec<Violation> {
    let may = [
        "mltrainer-data",
        "mltrainer-assistant",
        "mltrainer-it",
        "mltrainer-bench",
    ];
    repository
        .packages
        .iter()
        // `unify` has no code: it names libraries to fix their features.
        .filter(|p| !may.contains(&p.name.as_str()) && p.name != "mltrainer-unify")
        .flat_map(|p| {
            shipped(p).filter(|d| HTTP_CLIENTS.contains(d)).map(move |d| {
                Violation::new(manifest(p), format!("{} must not call other machines ({d}): that is for `data` and `assistant`", p.name))
            })
        })
        .collect()
}

/// What may not be compiled into the browser's half: the beginnings of package names.
const NOT_IN_BROWSER: [&str; 8] = [
    "sqlx",
    "axum",
    "polars",
    "mio",
    "hyper",
    "libsqlite3",
    "linfa",
    "plotters",
];

pub(super) fn browser_tree(repository: &Repository) -> Vec<Violation> {
    let may = ["mltrainer-frontend", "mltrainer-app", "mltrainer-types"];
    repository
        .browser_tree
        .iter()
        .filter(|name| NOT_IN_BROWSER.iter().any(|b| name.starts_with(b)) || (ours(name) && !may.contains(&name.as_str())))
        .map(|name| {
            Violation::new(
                "frontend/Cargo.toml",
                format!("{name} is compiled into the browser's half; `cargo tree -p mltrainer-frontend --target wasm32-unknown-unknown -i {name}` shows by whom"),
            )
        })
        .collect()
}

/// Every Rust file is a target's root or named by a `mod` on the way from one.
pub(super) fn orphans(repository: &Repository) -> Vec<Violation> {
    let mut reached = BTreeSet::new();
    // Workspaces of their own, which cargo's metadata of this one does not list: the site tool and what reads papers.
    let mut todo: Vec<(String, bool)> = ["xtask/bindgen", "paper-worker"]
        .map(|folder| (format!("{folder}/src/main.rs"), true))
        .into();
    todo.extend(
        repository
            .packages
            .iter()
            .flat_map(|p| p.roots.iter().map(|r| (r.clone(), true))),
    );
    while let Some((path, is_root)) = todo.pop() {
        let Some(source) = repository.rust.get(&path) else {
            continue;
        };
        if !reached.insert(path.clone()) {
            continue;
        }
        let named = modules(&source.code, &source.text);
        todo.extend(
            named
                .iter()
                .flat_map(|module| module.files(&path, is_root))
                .map(|file| (file, false)),
        );
    }
    repository
        .rust
        .keys()
        .filter(|path| !reached.contains(*path))
        .map(|path| Violation::new(path, "no `mod` names this file, so nothing compiles it"))
        .collect()
}

/// A `mod NAME;`, with the file that a `#[path]` before it gives.
pub(super) struct Module {
    name: String,
    given: Option<String>,
}

impl Module {
    /// The files that it may lie in, when it stands in `path`.
    pub(super) fn files(&self, path: &str, is_root: bool) -> Vec<String> {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(given) = &self.given {
            return vec![normal(&format!("{folder}/{given}"))];
        }
        let below = match file.trim_end_matches(".rs") {
            "mod" => folder.to_owned(),
            _ if is_root => folder.to_owned(),
            stem => format!("{folder}/{stem}"),
        };
        vec![
            format!("{below}/{}.rs", self.name),
            format!("{below}/{}/mod.rs", self.name),
        ]
    }
}

/// A path without `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// The modules that `mod NAME;` lines declare.
pub(super) fn modules(code: &str, text: &str) -> Vec<Module> {
    words(code, "mod")
        .filter_map(|at| {
            let rest = code[at + 3..].trim_start();
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if name.is_empty() || !rest[name.len()..].trim_start().starts_with(';') {
                return None;
            }
            let before = text[..at].trim_end();
            let before = ["pub", "pub(crate)", "pub(super)"]
                .iter()
                .find_map(|v| before.strip_suffix(v))
                .unwrap_or(before);
            let attribute = before
                .trim_end()
                .lines()
                .next_back()
                .unwrap_or_default()
                .trim();
            let given = attribute
                .strip_prefix("#[path = \"")
                .and_then(|rest| rest.strip_suffix("\"]"))
                .map(str::to_owned);
            Some(Module { name, given })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(violations: &[Violation]) -> String {
        violations
            .iter()
            .map(|v| format!("{}: {}\n", v.at, v.told))
            .collect()
    }

    #[test]
    fn importing_what_stands_below_is_found() {
        let good = Repository::of(&[]).with_package(
            "mltrainer-data",
            "crates/data",
            &[],
            &[("mltrainer-types", Kind::Normal), ("serde", Kind::Normal)],
        );
        assert_eq!(import_order(&good), []);
        let bad = Repository::of(&[])
            .with_package(
                "mltrainer-data",
                "crates/data",
                &[],
                &[("mltrainer-trials", Kind::Normal)],
            )
            .with_package(
                "mltrainer-types",
                "crates/types",
                &[],
                &[("mltrainer-data", Kind::Dev)],
            )
            .with_package(
                "mltrainer-app",
                "app",
                &[],
                &[("mltrainer-xtask", Kind::Normal)],
            )
            .with_package("mltrainer-misc", "crates/misc", &[], &[]);
        let told = told(&import_order(&bad));
        for part in [
            "must not import it",
            "mltrainer-types stands above mltrainer-data",
            "nobody imports",
            "no place",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn knowing_too_much_is_found_outside_tests_only() {
        let repository = Repository::of(&[])
            .with_package(
                "mltrainer-trials",
                "crates/trials",
                &[],
                &[("mltrainer-catalogue", Kind::Dev)],
            )
            .with_package(
                "mltrainer-types",
                "crates/types",
                &[],
                &[("polars", Kind::Normal)],
            );
        let found = must_not_know(&repository);
        assert_eq!(found.len(), 1, "{}", told(&found));
        assert!(found[0].told.contains("polars"));
    }

    #[test]
    fn sqlx_elsewhere_is_found_in_manifests_and_code() {
        let repository = Repository::of(&[
            ("crates/store/src/lib.rs", "use sqlx::Pool;"),
            (
                "server/src/main.rs",
                "// sqlx is elsewhere\nuse sqlx::Pool;",
            ),
        ])
        .with_package("mltrainer-server", "server", &[], &[("sqlx", Kind::Normal)]);
        let found = sqlx_in_store(&repository);
        assert_eq!(found.len(), 2, "{}", told(&found));
        assert_eq!(found[1].at, "server/src/main.rs:2");
    }

    #[test]
    fn outbound_http_elsewhere_is_found_outside_tests_only() {
        let repository = Repository::of(&[])
            .with_package(
                "mltrainer-data",
                "crates/data",
                &[],
                &[("reqwest", Kind::Normal)],
            )
            .with_package("mltrainer-server", "server", &[], &[("reqwest", Kind::Dev)])
            .with_package(
                "mltrainer-trials",
                "crates/trials",
                &[],
                &[("ureq", Kind::Normal)],
            );
        let found = outbound_http(&repository);
        assert_eq!(found.len(), 1, "{}", told(&found));
        assert_eq!(found[0].at, "crates/trials/Cargo.toml");
    }

    #[test]
    fn the_server_in_the_browser_is_found() {
        let mut repository = Repository::of(&[]);
        repository.browser_tree = [
            "leptos",
            "mltrainer-app",
            "mltrainer-catalogue",
            "polars-core",
        ]
        .map(str::to_owned)
        .to_vec();
        let found = browser_tree(&repository);
        assert_eq!(found.len(), 2, "{}", told(&found));
    }

    #[test]
    fn a_file_that_no_mod_names_is_found() {
        let repository = Repository::of(&[
            (
                "crates/x/src/lib.rs",
                "pub mod a;\nmod b;\n// mod lost;\n#[path = \"../../shared/other.rs\"]\nmod c;",
            ),
            ("crates/x/src/a/mod.rs", "pub(crate) mod deep;"),
            ("crates/x/src/a/deep.rs", ""),
            ("crates/x/src/b.rs", "mod below;"),
            ("crates/x/src/b/below.rs", ""),
            ("crates/shared/other.rs", ""),
            ("crates/x/src/lost.rs", ""),
            ("crates/x/tests/it.rs", "mod help;"),
            ("crates/x/tests/help.rs", ""),
        ])
        .with_package(
            "x",
            "crates/x",
            &["crates/x/src/lib.rs", "crates/x/tests/it.rs"],
            &[],
        );
        let found = orphans(&repository);
        assert_eq!(
            found.iter().map(|v| v.at.as_str()).collect::<Vec<_>>(),
            ["crates/x/src/lost.rs"]
        );
    }
}
