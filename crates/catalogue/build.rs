//! Turns the `pub mod` lines of the families into the static registry.

#[path = "src/listing.rs"]
mod listing;

use std::fmt::Write as _;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=src");
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let src = root.join("src");
    let mut code = String::from("static ENTRIES: &[Entry] = &[\n");
    for (family, module) in listing::entries(&src)? {
        writeln!(code, "    crate::{family}::{module}::ENTRY,")?;
    }
    code.push_str("];\n");
    for orphan in listing::orphans(&src)? {
        println!("cargo::warning=src/{orphan} is named by no `mod` line and is not compiled");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("entries.rs");
    std::fs::write(out, code)?;
    Ok(())
}
