//! `cargo xtask new-model FAMILY ID`: a new entry of the catalogue touches one new file and one line; both are written here.

use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::place::Place;

/// A real entry under placeholder names. The catalogue compiles it in its own tests and puts it through the conformance
/// suite, so that what is written here always works.
const TEMPLATE: &str = include_str!("../template/new_model.rs");

pub(crate) fn new_model(args: &[String]) -> Outcome {
    let [family, id] = args else {
        return Err("usage: cargo xtask new-model FAMILY ID, both in snake case".to_owned());
    };
    let place = Place::find()?;
    let file = write(&place.root.join("crates/catalogue/src"), family, id)?;
    println!(
        "wrote {}, and its line in {family}/mod.rs\n\
         It works as it stands, as a share of the mean. Now:\n\
         1. write the method, its card and a test whose values come from outside (paper, other library, by hand);\n\
         2. `cargo nextest run -p mltrainer-catalogue` runs the conformance suite over it;\n\
         3. `cargo xtask docs` prints docs/catalogue.md anew.",
        file.strip_prefix(&place.root).unwrap_or(&file).display()
    );
    Ok(())
}

/// Writes the entry and its line below `src`; nothing is written when anything is in the way.
fn write(src: &Path, family: &str, id: &str) -> Outcome<PathBuf> {
    for (what, name) in [("family", family), ("id", id)] {
        if !is_snake_case(name) {
            return Err(format!(
                "\"{name}\" is no {what}: small letters, digits and _, beginning with a letter"
            ));
        }
    }
    let families = families(src)?;
    let list = src.join(family).join("mod.rs");
    if !families.iter().any(|f| f == family) {
        return Err(format!(
            "there is no family \"{family}\", only {}; for a new one make {} with a `//!` line, and `pub mod {family};` in {}",
            families.join(", "),
            list.display(),
            src.join("lib.rs").display()
        ));
    }
    if let Some(other) = families
        .iter()
        .find(|f| src.join(f).join(format!("{id}.rs")).exists())
    {
        return Err(format!("there is an entry \"{id}\" already, in {other}"));
    }
    let text =
        std::fs::read_to_string(&list).map_err(|e| format!("reading {}: {e}", list.display()))?;
    let file = src.join(family).join(format!("{id}.rs"));
    std::fs::write(&file, entry(family, id))
        .map_err(|e| format!("writing {}: {e}", file.display()))?;
    std::fs::write(&list, with_line(&text, id))
        .map_err(|e| format!("writing {}: {e}", list.display()))?;
    Ok(file)
}

/// The template under the entry's names.
fn entry(family: &str, id: &str) -> String {
    let name: String = id
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
                .unwrap_or_default()
        })
        .collect();
    TEMPLATE
        .replace("new_family", family)
        .replace("new_model", id)
        .replace("NewModel", &name)
}

/// The list with `pub mod ID;` where the alphabet has it.
fn with_line(text: &str, id: &str) -> String {
    let line = format!("pub mod {id};");
    let mut lines: Vec<&str> = text.lines().collect();
    let modules: Vec<usize> = (0..lines.len())
        .filter(|&i| lines[i].starts_with("pub mod "))
        .collect();
    let at = match (
        modules.iter().find(|&&i| lines[i] > line.as_str()),
        modules.last(),
    ) {
        (Some(&next), _) => next,
        (None, Some(&last)) => last + 1,
        (None, None) => {
            lines.push("");
            lines.len()
        }
    };
    lines.insert(at, &line);
    lines.join("\n") + "\n"
}

fn is_snake_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.ends_with('_')
        && !name.contains("__")
}

/// The folders with a `mod.rs`, in order.
fn families(src: &Path) -> Outcome<Vec<String>> {
    let entries = std::fs::read_dir(src).map_err(|e| format!("reading {}: {e}", src.display()))?;
    let mut found: Vec<String> = entries
        .flatten()
        .filter(|e| e.path().join("mod.rs").is_file())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("linear")).unwrap();
        std::fs::write(
            dir.path().join("linear/mod.rs"),
            "//! Linear models.\n\nmod engine;\npub mod lasso;\npub mod ridge;\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("linear/lasso.rs"), "").unwrap();
        dir
    }

    #[test]
    fn one_file_and_one_line_in_its_place() {
        let dir = catalogue();
        let file = write(dir.path(), "linear", "poisson_regression").unwrap();
        assert_eq!(file, dir.path().join("linear/poisson_regression.rs"));
        assert_eq!(
            std::fs::read_to_string(dir.path().join("linear/mod.rs")).unwrap(),
            "//! Linear models.\n\nmod engine;\npub mod lasso;\npub mod poisson_regression;\npub mod ridge;\n"
        );
        let text = std::fs::read_to_string(file).unwrap();
        for part in [
            "id: \"poisson_regression\"",
            "family: \"linear\"",
            "pub struct PoissonRegressionParams",
        ] {
            assert!(text.contains(part), "{part}");
        }
        for rest in ["NewModel", "new_model", "new_family"] {
            assert!(!text.contains(rest), "{rest}");
        }
    }

    #[test]
    fn the_line_finds_its_place_at_the_ends_too() {
        assert_eq!(
            with_line("//! A.\n\npub mod b;\n", "a"),
            "//! A.\n\npub mod a;\npub mod b;\n"
        );
        assert_eq!(
            with_line("//! A.\n\npub mod b;\n", "c"),
            "//! A.\n\npub mod b;\npub mod c;\n"
        );
        assert_eq!(with_line("//! A.\n", "a"), "//! A.\n\npub mod a;\n");
    }

    #[test]
    fn what_is_in_the_way_is_told_and_nothing_written() {
        let dir = catalogue();
        let told = |family: &str, id: &str| write(dir.path(), family, id).unwrap_err();
        assert!(told("linear", "lasso").contains("already"));
        assert!(told("trees", "oak").contains("only linear"));
        assert!(told("linear", "Ridge2").contains("no id"));
        assert!(told("linear", "../x").contains("no id"));
        assert_eq!(
            std::fs::read_dir(dir.path().join("linear"))
                .unwrap()
                .count(),
            2
        );
    }
}
