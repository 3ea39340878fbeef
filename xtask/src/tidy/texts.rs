//! Rules about what stands in files.

use std::collections::BTreeSet;

use super::packages::{Module, modules};
use super::source::{Source, words};
use super::{Repository, Violation};
use crate::COMMANDS;

/// The files that are compiled into tests and benches only: by their folder, or by a `#[cfg(test)] mod NAME;`.
fn tests_of(repository: &Repository) -> BTreeSet<&str> {
    let mut only: BTreeSet<&str> = repository
        .rust
        .keys()
        .map(String::as_str)
        .filter(|path| {
            ["tests/", "benches/"]
                .iter()
                .any(|f| path.starts_with(f) || path.contains(&format!("/{f}")))
        })
        .collect();
    for (path, source) in &repository.rust {
        let shipped: Vec<String> = modules(&source.shipped(), &source.text)
            .iter()
            .flat_map(|m| both(m, path))
            .collect();
        for file in modules(&source.code, &source.text)
            .iter()
            .flat_map(|m| both(m, path))
        {
            if !shipped.contains(&file) {
                only.extend(
                    repository
                        .rust
                        .get_key_value(&file)
                        .map(|(path, _)| path.as_str()),
                );
            }
        }
    }
    only
}

/// The files a module may lie in, whether or not its parent is the root of a target.
fn both(module: &Module, path: &str) -> Vec<String> {
    [module.files(path, true), module.files(path, false)].concat()
}

fn at(path: &str, source: &Source, offset: usize) -> String {
    format!("{path}:{}", source.line(offset))
}

pub(super) fn module_docs(repository: &Repository) -> Vec<Violation> {
    repository
        .rust
        .iter()
        .filter(|(_, source)| {
            let first = source
                .text
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty() && !line.starts_with("#!["));
            !first.is_some_and(|line| line.starts_with("//! "))
        })
        .map(|(path, _)| {
            Violation::new(
                path,
                "begin the file with `//!` and a sentence on what is in it",
            )
        })
        .collect()
}

/// What reads the environment of the process or of the build.
const READS_ENVIRONMENT: [&str; 6] = [
    "env::var(",
    "env::vars(",
    "env::var_os(",
    "env::vars_os(",
    "env!(",
    "option_env!(",
];

pub(super) fn environment(repository: &Repository) -> Vec<Violation> {
    let tests = tests_of(repository);
    let may = |path: &str| {
        path.starts_with("server/")
            || path.starts_with("xtask/")
            || path.ends_with("/build.rs")
            || tests.contains(path)
    };
    let mut found = Vec::new();
    for (path, source) in repository.rust.iter().filter(|(path, _)| !may(path)) {
        let code = source.shipped();
        for call in READS_ENVIRONMENT {
            for (offset, _) in code.match_indices(call) {
                let argument = source.text[offset + call.len()..].trim_start();
                // What cargo itself sets is part of the code, not of the machine.
                if argument.starts_with("\"CARGO_") || argument.starts_with("\"OUT_DIR\"") {
                    continue;
                }
                // `option_env!(` ends in `env!(`: count it once.
                if call == "env!(" && code[..offset].ends_with("option_") {
                    continue;
                }
                found.push(Violation::new(
                    at(path, source, offset),
                    format!("`{call}…)` outside `server`: take the value as an argument"),
                ));
            }
        }
    }
    found
}

pub(super) fn forbidden_words(repository: &Repository) -> Vec<Violation> {
    let tests = tests_of(repository);
    let mut found = Vec::new();
    for (path, source) in &repository.rust {
        for offset in words(&source.code, "unsafe") {
            found.push(Violation::new(
                at(path, source, offset),
                "`unsafe` is not used here",
            ));
        }
        for attribute in ["#[allow(", "#![allow(", ", allow("] {
            for (offset, _) in source.code.match_indices(attribute) {
                found.push(Violation::new(
                    at(path, source, offset),
                    "`allow` hides for ever: `#[expect(lint, reason = \"…\")]` says why and ends when it is needless",
                ));
            }
        }
        if tests.contains(path.as_str()) {
            continue;
        }
        let code = source.shipped();
        for (word, told) in [
            (
                ".unwrap()",
                "`.unwrap()` outside tests: return an error that says what, where and what to do",
            ),
            ("todo!(", "`todo!` is no code"),
            ("unimplemented!(", "`unimplemented!` is no code"),
        ] {
            for (offset, _) in code.match_indices(word) {
                found.push(Violation::new(at(path, source, offset), told));
            }
        }
    }
    found
}

/// The crates below `services`: same inputs, same bits.
const DETERMINISTIC: [&str; 8] = [
    "types",
    "compliance",
    "data",
    "features",
    "catalogue-core",
    "catalogue",
    "backtest",
    "trials",
];

pub(super) fn hash_order(repository: &Repository) -> Vec<Violation> {
    let tests = tests_of(repository);
    let below = |path: &str| {
        DETERMINISTIC
            .iter()
            .any(|c| path.starts_with(&format!("crates/{c}/")))
    };
    let mut found = Vec::new();
    for (path, source) in repository
        .rust
        .iter()
        .filter(|(path, _)| below(path) && !tests.contains(path.as_str()))
    {
        let code = source.shipped();
        for word in ["HashMap", "HashSet"] {
            found.extend(words(&code, word).map(|offset| {
                Violation::new(
                    at(path, source, offset),
                    format!(
                        "`{word}` below `services`: its order differs from run to run; take a BTree"
                    ),
                )
            }));
        }
    }
    found
}

/// What an entry of the catalogue has no business with.
const OUTSIDE_WORLD: [&str; 6] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::io",
    "std::time",
];

pub(super) fn catalogue_is_pure(repository: &Repository) -> Vec<Violation> {
    let tests = tests_of(repository);
    let inside = |path: &str| {
        path.starts_with("crates/catalogue/src/") || path.starts_with("crates/catalogue-core/src/")
    };
    let mut found = Vec::new();
    for (path, source) in repository
        .rust
        .iter()
        .filter(|(path, _)| inside(path) && !tests.contains(path.as_str()))
    {
        let code = source.shipped();
        for module in OUTSIDE_WORLD {
            found.extend(words(&code, module).map(|offset| {
                Violation::new(
                    at(path, source, offset),
                    format!("`{module}` in the catalogue: data and seeds are handed in"),
                )
            }));
        }
    }
    found
}

pub(super) fn no_target_arch(repository: &Repository) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in repository
        .rust
        .iter()
        .filter(|(path, _)| path.starts_with("app/"))
    {
        for word in ["target_arch", "target_family"] {
            for offset in words(&source.code, word) {
                found.push(Violation::new(
                    at(path, source, offset),
                    format!("`{word}` in `app`: the features `ssr` and `hydrate` tell the two halves apart"),
                ));
            }
        }
    }
    found
}

/// `cargo xtask NAME --flag` in documents and scripts names a command and flags that exist.
pub(super) fn commands_exist(repository: &Repository) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, text) in repository
        .texts
        .iter()
        .filter(|(path, _)| path.ends_with(".md") || path.starts_with(".ci/"))
    {
        for (number, line) in text.lines().enumerate() {
            for told in unknown_commands(line) {
                found.push(Violation::new(format!("{path}:{}", number + 1), told));
            }
        }
    }
    found
}

fn unknown_commands(line: &str) -> Vec<String> {
    const CALL: &str = "cargo xtask ";
    let mut found = Vec::new();
    for (start, _) in line.match_indices(CALL) {
        // A call in a sentence ends with its backtick, one in a block with the line or its comment.
        let call = &line[start + CALL.len()..];
        let call = call
            .split(['`', '#', '|', ';', ')', '('])
            .next()
            .unwrap_or_default();
        let mut parts = call.split_whitespace();
        let Some(name) = parts.next() else { continue };
        let Some(command) = COMMANDS.iter().find(|c| c.name == name) else {
            found.push(format!("`cargo xtask {name}` is not a command of xtask"));
            continue;
        };
        for word in parts.take_while(|w| *w != "--") {
            let flag = word
                .trim_start_matches('[')
                .split(['=', ']'])
                .next()
                .unwrap_or_default();
            if flag.starts_with("--") && !command.flags.contains(&flag) {
                found.push(format!("`cargo xtask {name}` knows no {flag}"));
            }
        }
    }
    found
}

/// Folders that are somebody's: the text must work on every machine.
fn somebodys() -> [String; 4] {
    ["root", "home", "work", "Users"].map(|folder| format!("/{folder}/"))
}

pub(super) fn machine_paths(repository: &Repository) -> Vec<Violation> {
    let folders = somebodys();
    let rust = repository
        .rust
        .iter()
        .map(|(path, source)| (path, source.text.as_str()));
    let texts = repository
        .texts
        .iter()
        .map(|(path, text)| (path, text.as_str()));
    let mut found = Vec::new();
    for (path, text) in rust.chain(texts) {
        for (number, line) in text.lines().enumerate() {
            for folder in &folders {
                // Within an address (`example.org/home/`) it is no folder of a machine, and `me` is nobody.
                let real = |at: usize| {
                    let within =
                        |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '}');
                    !line[..at].ends_with(within) && !line[at + folder.len()..].starts_with("me/")
                };
                if line.match_indices(folder.as_str()).any(|(at, _)| real(at)) {
                    found.push(Violation::new(
                        format!("{path}:{}", number + 1),
                        format!("`{folder}` is a path of one machine"),
                    ));
                }
            }
        }
    }
    found
}

/// The library of the site tool and the crate in the browser's half must be of one version, to the digit.
pub(super) fn wasm_bindgen_version(repository: &Repository) -> Vec<Violation> {
    let version = |file: &str, name: &str| -> Option<String> {
        let line = repository
            .texts
            .get(file)?
            .lines()
            .find(|l| l.strip_prefix(name).is_some_and(|r| r.starts_with(" =")))?;
        Some(line.split('"').nth(1)?.to_owned())
    };
    let tool = version("xtask/bindgen/Cargo.toml", "wasm-bindgen-cli-support");
    let crate_ = version("Cargo.toml", "wasm-bindgen");
    if tool == crate_ && tool.as_ref().is_some_and(|v| v.starts_with('=')) {
        return Vec::new();
    }
    vec![Violation::new(
        "xtask/bindgen/Cargo.toml",
        format!(
            "wasm-bindgen-cli-support is {}, wasm-bindgen in the root Cargo.toml {}: they must be the same \"=x.y.z\"",
            tool.as_deref().unwrap_or("missing"),
            crate_.as_deref().unwrap_or("missing")
        ),
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(violations: &[Violation]) -> Vec<&str> {
        violations.iter().map(|v| v.at.as_str()).collect()
    }

    #[test]
    fn a_module_without_documentation_is_found() {
        let repository = Repository::of(&[
            ("a/src/good.rs", "//! What is here.\nfn a() {}"),
            (
                "a/src/inner.rs",
                "#![expect(missing_docs, reason = \"x\")]\n//! What is here.\n",
            ),
            ("a/src/bad.rs", "// A comment.\nfn a() {}"),
            ("a/src/empty.rs", ""),
        ]);
        assert_eq!(
            places(&module_docs(&repository)),
            ["a/src/bad.rs", "a/src/empty.rs"]
        );
    }

    #[test]
    fn reading_the_environment_is_found() {
        let repository = Repository::of(&[
            (
                "crates/x/src/a.rs",
                "let a = std::env::var(\"HOME\");\nlet b = env!(\"CARGO_PKG_VERSION\");\nlet c = option_env!(\"GIT\");",
            ),
            (
                "crates/x/src/b.rs",
                "// std::env::var(\"HOME\")\n#[cfg(test)]\nmod tests { fn a() { std::env::var(\"X\"); } }",
            ),
            ("crates/x/build.rs", "std::env::var(\"OUT_DIR\")"),
            (
                "server/src/main.rs",
                "std::env::var(\"MLTRAINER_DATA_DIR\")",
            ),
        ]);
        assert_eq!(
            places(&environment(&repository)),
            ["crates/x/src/a.rs:1", "crates/x/src/a.rs:3"]
        );
    }

    #[test]
    fn forbidden_words_are_found_where_they_count() {
        let bad = [
            "x.unwrap();",
            "todo!()",
            "#[allow(dead_code)]",
            "unsafe { }",
            "#[cfg_attr(test, allow(dead_code))]",
        ];
        for text in bad {
            let repository = Repository::of(&[("crates/x/src/a.rs", text)]);
            assert_eq!(
                places(&forbidden_words(&repository)),
                ["crates/x/src/a.rs:1"],
                "{text}"
            );
        }
        let good = Repository::of(&[
            (
                "crates/x/src/a.rs",
                "// .unwrap() and unsafe and todo!()\n#[cfg(test)]\nmod tests { fn a() { x.unwrap() } }",
            ),
            ("crates/x/tests/it.rs", "fn a() { x.unwrap() }"),
            ("crates/x/src/lib.rs", "mod a;\n#[cfg(test)]\nmod testing;"),
            ("crates/x/src/testing.rs", "fn a() { x.unwrap() }"),
            (
                "crates/x/src/b.rs",
                "#![forbid(unsafe_code)]\n#[expect(dead_code, reason = \"x\")]\nfn a() {}",
            ),
        ]);
        assert_eq!(forbidden_words(&good), []);
    }

    #[test]
    fn hash_order_below_services_is_found() {
        let text = "use std::collections::HashMap;\n// HashSet\n#[cfg(test)]\nmod tests { use std::collections::HashSet; }";
        let repository = Repository::of(&[
            ("crates/trials/src/a.rs", text),
            ("crates/services/src/a.rs", text),
        ]);
        assert_eq!(
            places(&hash_order(&repository)),
            ["crates/trials/src/a.rs:1"]
        );
    }

    #[test]
    fn an_entry_that_reads_files_is_found() {
        let text = "fn a() { std::fs::read(\"x\"); }\n#[cfg(test)]\nmod tests { fn b() { std::fs::read(\"x\"); } }";
        let repository = Repository::of(&[
            ("crates/catalogue/src/linear/a.rs", text),
            ("crates/catalogue/build.rs", text),
        ]);
        assert_eq!(
            places(&catalogue_is_pure(&repository)),
            ["crates/catalogue/src/linear/a.rs:1"]
        );
    }

    #[test]
    fn target_arch_in_the_app_is_found() {
        let repository = Repository::of(&[
            (
                "app/src/a.rs",
                "#[cfg(target_arch = \"wasm32\")]\nfn a() {}",
            ),
            (
                "xtask/src/a.rs",
                "#[cfg(target_arch = \"wasm32\")]\nfn a() {}",
            ),
        ]);
        assert_eq!(places(&no_target_arch(&repository)), ["app/src/a.rs:1"]);
    }

    #[test]
    fn commands_that_do_not_exist_are_found() {
        let repository = Repository::of(&[
            (
                "README.md",
                "```\ncargo xtask serve --addr 127.0.0.1:8080 # the page\n```\nRun `cargo xtask test --only fmt`.\n",
            ),
            (
                "CONTRIBUTING.md",
                "`cargo xtask sevre`\n`cargo xtask tidy --fast`\n",
            ),
        ]);
        assert_eq!(
            places(&commands_exist(&repository)),
            ["CONTRIBUTING.md:1", "CONTRIBUTING.md:2"]
        );
    }

    #[test]
    fn a_path_of_a_machine_is_found() {
        let bad = somebodys()[1].clone() + "jo/data.csv";
        let repository = Repository::of(&[
            ("docs/a.md", &format!("see {bad}")),
            (
                "docs/b.md",
                &("see https://example.org/home/page and ~/data, ".to_owned()
                    + &somebodys()[1]
                    + "me/data"),
            ),
            ("crates/x/src/a.rs", &format!("let a = \"{bad}\";")),
        ]);
        assert_eq!(
            places(&machine_paths(&repository)),
            ["crates/x/src/a.rs:1", "docs/a.md:1"]
        );
    }

    #[test]
    fn two_versions_of_wasm_bindgen_are_found() {
        let with = |tool: &str| {
            Repository::of(&[
                (
                    "Cargo.toml",
                    "[workspace.dependencies]\nwasm-bindgen = \"=0.2.130\"\n",
                ),
                (
                    "xtask/bindgen/Cargo.toml",
                    &format!("wasm-bindgen-cli-support = \"{tool}\"\n"),
                ),
            ])
        };
        assert_eq!(wasm_bindgen_version(&with("=0.2.130")), []);
        assert_eq!(wasm_bindgen_version(&with("=0.2.131")).len(), 1);
        assert_eq!(wasm_bindgen_version(&with("0.2")).len(), 1);
    }
}
