//! The reference check of the entries that exist: numbers computed by other programs, kept outside the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

use crate::place::{self, Place, link};
use crate::{Outcome, apt, option, say, serve};

/// What the cards say of the last run: the day, then a line a case, cells parted by tabs.
const RECORD: &str = "crates/catalogue/checked.tsv";

/// Where the reference lies unless `--reference` says otherwise: beside the checkout.
pub(crate) fn beside(place: &Place) -> PathBuf {
    place.root.join("../shared/reference")
}

/// Runs the check and writes its results into the record.
pub(crate) fn evidence(args: &[String]) -> Outcome {
    let mut args = args.to_vec();
    let asked = option(&mut args, "--reference")?;
    crate::no_more(&args)?;
    let place = Place::find()?;
    let reference = asked.map_or_else(|| beside(&place), PathBuf::from);
    serve::build_program(&place, false)?;
    say::step("reference check", || {
        let run = run(&place, &reference, &place.program("debug"))?;
        let on = say::output(Command::new("date").args(["-u", "+%F"]))?;
        let text = format!("{}\n{}\n", on.trim(), run.record.join("\n"));
        let path = place.root.join(RECORD);
        std::fs::write(&path, text).map_err(|e| format!("writing {}: {e}", path.display()))?;
        run.ended?;
        Ok(((), format!("{} cases are in {RECORD}", run.record.len())))
    })
}

/// Runs the check over the cases whose model the program has. Returns what it said in short.
pub(crate) fn check(place: &Place, reference: &Path, program: &Path) -> Outcome<String> {
    let run = run(place, reference, program)?;
    run.ended?;
    let path = place.root.join(RECORD);
    let record =
        std::fs::read_to_string(&path).map_err(|e| format!("reading {}: {e}", path.display()))?;
    let known: BTreeSet<&str> = record.lines().skip(1).collect();
    let new = run.record.iter().filter(|l| !known.contains(l.as_str()));
    let told = match new.count() {
        0 => String::new(),
        new => format!("; {new} of them are not in {RECORD}: `cargo xtask evidence` writes them"),
    };
    Ok(run.said + &told)
}

/// What a run of the check gave.
struct Run {
    /// In short.
    said: String,
    /// Lines of the record.
    record: Vec<String>,
    /// How the script ended.
    ended: Outcome,
}

fn run(place: &Place, reference: &Path, program: &Path) -> Outcome<Run> {
    if place::on_path("python3").is_none() {
        apt::install(&["python3"], "Python")?;
    }
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

    let (mut taken, mut left, mut lacking) = (Vec::new(), 0, BTreeSet::new());
    for entry in std::fs::read_dir(reference.join("cases")).map_err(told)? {
        let file = entry.map_err(told)?.path();
        if file.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&file)
            .map_err(|e| format!("reading {}: {e}", file.display()))?;
        let (with, without) =
            split(&text, &known).map_err(|e| format!("{}: {e}", file.display()))?;
        left += without.len();
        lacking.extend(
            without
                .iter()
                .filter_map(|c| Some(c.get("model")?.as_str()?.to_owned())),
        );
        if let (Some(name), false) = (file.file_name(), with.is_empty()) {
            std::fs::write(
                copy.join("cases").join(name),
                Value::from(with.as_slice()).to_string(),
            )
            .map_err(told)?;
        }
        taken.extend(with);
    }
    if taken.is_empty() {
        return Err(format!(
            "none of the {left} cases in {} is of a model in the catalogue",
            reference.display()
        ));
    }
    let results = copy.join("results.json");
    let ended = say::run(
        Command::new(&script)
            .arg("--bin")
            .arg(program)
            .args(["-j", "2", "--cases"])
            .arg(copy.join("cases"))
            .arg("--json")
            .arg(&results),
    );
    if !results.is_file() {
        // It did not come to a result: what it said itself is the reason.
        ended?;
        return Err(format!("{} wrote no results", script.display()));
    }
    let text = std::fs::read_to_string(&results).map_err(told)?;
    let passed = passed(&text).map_err(|e| format!("{}: {e}", results.display()))?;
    let mut record: Vec<String> = taken.iter().map(|case| line(case, &passed)).collect();
    // Those of a model one after the other, in the order of the cases.
    record.sort_by(|a, b| a.split('\t').next().cmp(&b.split('\t').next()));
    Ok(Run {
        said: format!(
            "{} cases passed; {left} cases of {} models are not yet in the catalogue",
            taken.len(),
            lacking.len()
        ),
        record,
        ended,
    })
}

/// Names of the cases that passed.
fn passed(results: &str) -> Outcome<BTreeSet<String>> {
    let all: Value = serde_json::from_str(results).map_err(|e| e.to_string())?;
    let cases = all["cases"].as_array().ok_or("it has no cases")?;
    let passed = cases.iter().filter(|c| c["status"] == "passed");
    Ok(passed
        .filter_map(|c| c["case"].as_str().map(str::to_owned))
        .collect())
}

/// The line of a case: model, name, result, against what, to which tolerance.
fn line(case: &Value, passed: &BTreeSet<String>) -> String {
    let text = |name: &str| case[name].as_str().unwrap_or_default();
    let result = if passed.contains(text("case")) {
        "passed"
    } else {
        "failed"
    };
    let against = against(text("source"));
    let cells = [text("model"), text("case"), result, &against];
    let tolerance = case["expect"].as_object().map(tolerance);
    format!("{}\t{}", cells.join("\t"), tolerance.unwrap_or_default())
}

/// Library and version where the source begins with these.
fn against(source: &str) -> String {
    let mut words = source.split_whitespace();
    match (words.next(), words.next()) {
        (Some(library), Some(version))
            if version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.') =>
        {
            format!("{library} {version}")
        }
        _ => "a formula or calculation of the reference".to_owned(),
    }
}

/// What is compared and how near it has to be, alike ones together; v is the number of the reference.
fn tolerance(expect: &Map<String, Value>) -> String {
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (path, wanted) in expect {
        let name = path.strip_prefix("outputs.").unwrap_or(path);
        alike.entry(nearness(wanted)).or_default().push(name);
    }
    let each = alike
        .into_iter()
        .map(|(near, names)| format!("{} {near}", names.join(", ")));
    each.collect::<Vec<_>>().join("; ")
}

/// How near a number, or a list of them, has to be to what is wanted.
fn nearness(wanted: &Value) -> String {
    let number = |name: &str| wanted[name].as_f64();
    let short = |v: f64| {
        if v != 0.0 && v.abs() < 1e-3 {
            format!("{v:e}")
        } else {
            v.to_string()
        }
    };
    let mut parts = Vec::new();
    for (name, words) in [
        ("min", "at least"),
        ("max", "at most"),
        ("correlation_min", "correlated at least"),
        ("rmse_max", "with a root mean square difference of at most"),
        (
            "min_adjusted_rand",
            "with an adjusted Rand index of at least",
        ),
        (
            "extrema_minus_zeros_max",
            "with extrema and zero crossings apart by at most",
        ),
    ] {
        parts.extend(number(name).map(|v| format!("{words} {}", short(v))));
    }
    for (name, words) in [
        ("agreement_min", "equal"),
        ("sign_agreement_min", "of the same sign"),
    ] {
        // Shares are given to four digits: 100 times 0.949 would be 94.89999999999999.
        let percent = |v: f64| (v * 1e4).round() / 100.0;
        parts.extend(number(name).map(|v| format!("{words} in at least {} %", percent(v))));
    }
    let (relative, absolute) = (number("rtol"), number("atol"));
    match (relative.unwrap_or(0.0), absolute.unwrap_or(0.0)) {
        (0.0, 0.0) if parts.is_empty() => parts.push("equal".to_owned()),
        (0.0, 0.0) => {}
        (0.0, absolute) => parts.push(format!("within {}", short(absolute))),
        (relative, 0.0) => parts.push(format!("within {}·|v|", short(relative))),
        (relative, absolute) => parts.push(format!(
            "within {} + {}·|v|",
            short(absolute),
            short(relative)
        )),
    }
    if wanted["up_to_sign"] == true {
        parts.push("up to sign".to_owned());
    }
    parts.join(", ")
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
    fn a_case_says_against_what_and_how_near() {
        let case = serde_json::json!({
            "case": "ridge-1", "model": "ridge", "source": "scikit-learn 1.9.1 Ridge(1)",
            "expect": {
                "outputs.intercept": {"value": 1.0, "rtol": 1e-7, "atol": 1e-9},
                "outputs.n_iter": {"equals": 3},
                "outputs.predictions": {"values": [1.0], "rtol": 1e-7, "atol": 1e-9},
                "outputs.scores": {"values": [1.0], "correlation_min": 0.97},
            },
        });
        let passed = passed(r#"{"cases":[{"case":"ridge-1","status":"passed"}]}"#).unwrap();
        assert_eq!(
            line(&case, &passed),
            "ridge\tridge-1\tpassed\tscikit-learn 1.9.1\tscores correlated at least 0.97; n_iter equal; intercept, predictions within 1e-9 + 1e-7·|v|"
        );
        assert_eq!(
            line(&case, &BTreeSet::new()).split('\t').nth(2),
            Some("failed")
        );
        assert_eq!(
            against("own formula: a / b"),
            "a formula or calculation of the reference"
        );
    }

    #[test]
    fn a_catalogue_that_is_none_is_told() {
        assert!(ids("{}").unwrap_err().contains("no array"));
        assert!(ids("[{}]").unwrap_err().contains("no id"));
    }
}
