//! Writes the table of bundled files out of `data/bundled/PROVENANCE.json`, so that the program
//! holds their bytes and what is known of them, and a file without provenance cannot be shipped.

use serde_json::Value;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../data/bundled");
    let list = folder.join("PROVENANCE.json");
    println!("cargo::rerun-if-changed={}", list.display());
    println!("cargo::rerun-if-changed=build.rs");
    let entries: Vec<Value> = serde_json::from_slice(&fs::read(&list)?)?;
    let (mut infos, mut bytes) = (String::new(), String::new());
    for entry in &entries {
        let text = |key: &str| -> Result<&str, Box<dyn Error>> {
            entry[key]
                .as_str()
                .ok_or_else(|| format!("PROVENANCE.json: \"{key}\" is missing in {entry}").into())
        };
        let file = text("file")?;
        let path = folder.join(file).canonicalize()?;
        println!("cargo::rerun-if-changed={}", path.display());
        let kind = match text("kind")? {
            "bars" => "Bars",
            "closes" => "Closes",
            "series" => "Series",
            other => return Err(format!("PROVENANCE.json: unknown kind {other}").into()),
        };
        writeln!(infos, "BundledInfo {{ kind: DatasetKind::{kind},")?;
        for key in [
            "file",
            "id",
            "title",
            "package",
            "version",
            "licence",
            "original_source",
            "sha256",
            "adjusted",
            "stamp",
            "known_at",
            "notes",
        ] {
            writeln!(infos, "{key}: {:?},", text(key)?)?;
        }
        writeln!(infos, "first: {},", day(&entry["span"][0])?)?;
        writeln!(infos, "last: {},", day(&entry["span"][1])?)?;
        let rows = entry["rows"].as_u64().ok_or("rows is no number")?;
        writeln!(infos, "rows: {rows},")?;
        let revised = entry["revised"].as_bool().ok_or("revised is no truth")?;
        writeln!(infos, "revised: {revised},")?;
        let splits = entry["splits"].as_array().ok_or("splits is no list")?;
        write!(infos, "splits: &[")?;
        for split in splits {
            let shares = |key: &str| {
                split[key]
                    .as_u64()
                    .filter(|n| *n > 0)
                    .ok_or("a split without shares")
            };
            write!(
                infos,
                "Split {{ date: {}, new_shares: {}, for_old: {} }},",
                day(&split["date"])?,
                shares("new_shares")?,
                shares("for_old")?
            )?;
        }
        writeln!(infos, "] }},")?;
        writeln!(bytes, "include_bytes!({:?}),", path.display().to_string())?;
    }
    let code = format!(
        "static INFO: [BundledInfo; {n}] = [{infos}];\nstatic BYTES: [&[u8]; {n}] = [{bytes}];\n",
        n = entries.len()
    );
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("bundled.rs"), code)?;
    Ok(())
}

/// `YYYY-MM-DD` as a call of `day`.
fn day(value: &Value) -> Result<String, Box<dyn Error>> {
    let text = value.as_str().ok_or("a date is no text")?;
    let mut parts = text.split('-').map(str::parse::<u32>);
    let mut next = || -> Result<u32, Box<dyn Error>> {
        Ok(parts.next().ok_or_else(|| format!("no date: {text}"))??)
    };
    Ok(format!("day({}, {}, {})", next()?, next()?, next()?))
}
