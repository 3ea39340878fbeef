//! The reference check of the entries that exist: numbers computed by other programs, kept outside the repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::place::{Place, link};
use crate::{Outcome, say};

/// Where the reference lies unless `--reference` says otherwise: beside the checkout.
pub(crate) fn beside(place: &Place) -> PathBuf {
    place.root.join("../shared/reference")
}

/// Runs the check over the cases whose model the program has. Returns what it said in short.
pub(crate) fn check(place: &Place, reference: &Path, program: &Path) -> Outcome<String> {
    let script = reference.join("check");
    if !script.is_file() {
        return Err(format!(
            "there is no {}: give the folder with --reference DIR",
            script.display()
        ));
    }
    let known = ids(&say::output(Command::new(program).args([
        "catalogue",
        "--format",
        "json",
    ]))?)?;

    let copy = place.target.join("reference");
    let told = |e: std::io::Error| format!("making {}: {e}", copy.display());
    if copy.exists() {
        std::fs::remove_dir_all(&copy).map_err(told)?;
    }
    std::fs::create_dir_all(copy.join("cases")).map_err(told)?;
    let data = std::fs::canonicalize(reference.join("data")).map_err(told)?;
    link(&data, &copy.join("data")).map_err(told)?;

    let (mut taken, mut left, mut lacking) = (0, 0, BTreeSet::new());
    for entry in std::fs::read_dir(reference.join("cases")).map_err(told)? {
        let file = entry.map_err(told)?.path();
        if file.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&file)
            .map_err(|e| format!("reading {}: {e}", file.display()))?;
        let (with, without) =
            split(&text, &known).map_err(|e| format!("{}: {e}", file.display()))?;
        taken += with.len();
        left += without.len();
        lacking.extend(
            without
                .iter()
                .filter_map(|c| Some(c.get("model")?.as_str()?.to_owned())),
        );
        if let (Some(name), false) = (file.file_name(), with.is_empty()) {
            std::fs::write(
                copy.join("cases").join(name),
                Value::Array(with).to_string(),
            )
            .map_err(told)?;
        }
    }
    if taken == 0 {
        return Err(format!(
            "none of the {left} cases in {} is of a model in the catalogue",
            reference.display()
        ));
    }
    say::run(
        Command::new(&script)
            .arg("--bin")
            .arg(program)
            .args(["-j", "2", "--cases"])
            .arg(copy.join("cases")),
    )?;
    Ok(format!(
        "{taken} cases passed; {left} cases of {} models are not yet in the catalogue",
        lacking.len()
    ))
}

/// The ids in what `mltrainer catalogue --format json` prints.
fn ids(catalogue: &str) -> Outcome<BTreeSet<String>> {
    let parsed: Value = serde_json::from_str(catalogue)
        .map_err(|e| format!("`mltrainer catalogue --format json` is no JSON: {e}"))?;
    let entries = parsed
        .as_array()
        .ok_or("`mltrainer catalogue --format json` is no array")?;
    entries
        .iter()
        .map(|entry| {
            let id = entry.get("id").and_then(Value::as_str);
            id.map(str::to_owned)
                .ok_or_else(|| "a catalogue entry has no id".to_owned())
        })
        .collect()
}

/// The cases of a file, split into those of known models and the others.
fn split(text: &str, known: &BTreeSet<String>) -> Outcome<(Vec<Value>, Vec<Value>)> {
    let cases: Vec<Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    Ok(cases.into_iter().partition(|case| {
        case.get("model")
            .and_then(Value::as_str)
            .is_some_and(|m| known.contains(m))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_split_by_what_the_catalogue_has() {
        let known = ids(r#"[{"id":"sma"},{"id":"ridge"}]"#).unwrap();
        let (with, without) = split(
            r#"[{"case":"a","model":"sma"},{"case":"b","model":"arima"},{"case":"c"}]"#,
            &known,
        )
        .unwrap();
        assert_eq!(with.len(), 1);
        assert_eq!(without.len(), 2);
    }

    #[test]
    fn a_catalogue_that_is_none_is_told() {
        assert!(ids("{}").unwrap_err().contains("no array"));
        assert!(ids("[{}]").unwrap_err().contains("no id"));
    }
}
