//! Turns the `pub mod` lines of the families into the static registry, and the record of the last reference
//! check into what the cards say of it.

#[path = "src/listing.rs"]
mod listing;

use std::fmt::Write as _;
use std::path::PathBuf;

/// Written by `cargo xtask evidence`: the day, then a line a case, cells parted by tabs.
const CHECKED: &str = "checked.tsv";

/// The record as code.
fn check(record: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut lines = record.lines();
    let on = lines.next().unwrap_or_default();
    let mut code = format!("static CHECK: Check = Check {{ on: {on:?}, cases: &[\n");
    for line in lines {
        let cells: Vec<&str> = line.split('\t').collect();
        let [id, case, result, against, tolerance] = cells[..] else {
            return Err(format!("{CHECKED}: \"{line}\" has not five cells").into());
        };
        let passed = result == "passed";
        writeln!(
            code,
            "    mltrainer_catalogue_core::card::CheckedCase {{ id: {id:?}, case: {case:?}, against: {against:?}, tolerance: {tolerance:?}, passed: {passed} }},"
        )?;
    }
    code.push_str("] };\n");
    Ok(code)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed={CHECKED}");
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let src = root.join("src");
    let mut code = String::from("static ENTRIES: &[Entry] = &[\n");
    for (family, module) in listing::entries(&src)? {
        writeln!(code, "    crate::{family}::{module}::ENTRY,")?;
    }
    code.push_str("];\n");
    code.push_str(&check(&std::fs::read_to_string(root.join(CHECKED))?)?);
    for orphan in listing::orphans(&src)? {
        println!("cargo::warning=src/{orphan} is named by no `mod` line and is not compiled");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("entries.rs");
    std::fs::write(out, code)?;
    Ok(())
}
