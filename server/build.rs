//! Puts into the program what it serves: the style sheet (from `style/`, imports resolved), the
//! files of `public/`, and, when `MLTRAINER_EMBED_SITE` names a built site, its scripts and
//! WebAssembly with their compressed forms. So a plain `cargo build` makes a complete program whose
//! pages are rendered by the server alone.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("..");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo:rerun-if-env-changed=MLTRAINER_EMBED_SITE");

    let style = root.join("style");
    println!("cargo:rerun-if-changed={}", style.display());
    let main = style.join("main.css");
    let css = if main.exists() {
        bundle(&main)?
    } else {
        String::new()
    };
    let css_file = out.join("mltrainer.css");
    fs::write(&css_file, css)?;

    // URL path -> file; what a built site holds wins over the same path from the sources.
    let mut files = BTreeMap::from([("/pkg/mltrainer.css".to_owned(), css_file)]);
    let public = root.join("public");
    println!("cargo:rerun-if-changed={}", public.display());
    walk(&public, "", &mut files)?;
    if let Some(site) = std::env::var_os("MLTRAINER_EMBED_SITE").map(PathBuf::from) {
        println!("cargo:rerun-if-changed={}", site.display());
        if !site.join("pkg").is_dir() {
            return Err(format!(
                "MLTRAINER_EMBED_SITE: there is no site in {} (no folder pkg): build it first",
                site.display()
            )
            .into());
        }
        walk(&site, "", &mut files)?;
    }

    let mut table = String::from("&[\n");
    for (url, file) in &files {
        if url.ends_with(".br") || url.ends_with(".gz") {
            continue;
        }
        let compressed = |ending: &str| {
            files.get(&format!("{url}.{ending}")).map_or_else(
                || "None".to_owned(),
                |f| format!("Some(include_bytes!({:?}))", f.display().to_string()),
            )
        };
        writeln!(
            table,
            "    Embedded {{ path: {url:?}, bytes: include_bytes!({:?}), br: {}, gz: {} }},",
            file.display().to_string(),
            compressed("br"),
            compressed("gz")
        )?;
    }
    table.push(']');
    fs::write(out.join("site.rs"), table)?;
    // FNV-1a over all contents: enough to tell one build's files from another's.
    let mut tag: u64 = 0xcbf2_9ce4_8422_2325;
    for file in files.values() {
        for byte in fs::read(file)? {
            tag = (tag ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    println!("cargo:rustc-env=MLTRAINER_BUILD={tag:016x}");
    Ok(())
}

/// A style sheet with each `@import "x.css";` replaced by that file's content.
fn bundle(file: &Path) -> Result<String, Box<dyn Error>> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut out = String::new();
    for line in text.lines() {
        let import = line
            .trim()
            .strip_prefix("@import")
            .map(|rest| rest.trim().trim_end_matches(';').trim())
            .map(|name| name.trim_start_matches("url(").trim_end_matches(')'))
            .map(|name| name.trim_matches(['"', '\'']));
        match import {
            Some(name) => out.push_str(&bundle(&folder.join(name))?),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    Ok(out)
}

/// All files under a folder by their URL path.
fn walk(
    folder: &Path,
    url: &str,
    files: &mut BTreeMap<String, PathBuf>,
) -> Result<(), Box<dyn Error>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let url = format!("{url}/{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &url, files)?;
        } else {
            files.insert(url, fs::canonicalize(entry.path())?);
        }
    }
    Ok(())
}
