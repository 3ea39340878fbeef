//! The site: WebAssembly, script, style and public files in `target/site`, each with `.br` and `.gz` beside.
//!
//! One profile for serving, testing and shipping, `wasm-release`: after a one-line change it costs some seconds more than
//! an unoptimised build, and what is looked at, tested and measured is what users get.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::place::{Place, SITE_NAME, files_below};
use crate::wasm::{self, Toolchain};
use crate::{Outcome, apt, say};

/// What the first page may weigh, brotli, script and WebAssembly together: the figure of the product, held here.
const FIRST_PAGE_LIMIT: u64 = 300_000;

/// Endings that compress; pictures and fonts already are.
const COMPRESSIBLE: [&str; 9] = [
    "js",
    "wasm",
    "css",
    "svg",
    "json",
    "webmanifest",
    "txt",
    "html",
    "xml",
];

/// Builds the site. Returns the toolchain, for steps that need the browser's compiler afterwards.
pub(crate) fn build(place: &Place) -> Outcome<Toolchain> {
    apt::ensure_cc()?;
    let toolchain = wasm::toolchain(place)?;
    let wasm = say::step("browser's half (wasm-release)", || {
        let mut cargo = toolchain.cargo(place);
        cargo.args([
            "build",
            "--package",
            "mltrainer-frontend",
            "--lib",
            "--profile",
            "wasm-release",
        ]);
        cargo.args(["--target", wasm::TARGET]);
        if crate::place::in_ci() {
            cargo.arg("--locked");
        }
        say::run(&mut cargo)?;
        let file = place
            .target
            .join("wasm")
            .join(wasm::TARGET)
            .join("wasm-release/mltrainer_frontend.wasm");
        let bytes = read(&file)?;
        let told = format!("{} KB before wasm-bindgen", bytes.len() / 1000);
        Ok(((file, bytes), told))
    })?;
    let tool = say::step("wasm-bindgen and compression tool", || {
        // A change of compiler or flags must not touch it, and its lock must not wait for the host half.
        let target = place.target.join("tools");
        say::run(
            place
                .cargo("cargo")
                .args([
                    "build",
                    "--locked",
                    "--manifest-path",
                    "xtask/bindgen/Cargo.toml",
                ])
                .env("CARGO_TARGET_DIR", &target),
        )?;
        let name = format!("mltrainer-site-tool{}", std::env::consts::EXE_SUFFIX);
        Ok((target.join("debug").join(name), "ready".to_owned()))
    })?;
    say::step("site", || {
        lay_out(place, &wasm, &tool).map(|told| ((), told))
    })?;
    Ok(toolchain)
}

fn lay_out(place: &Place, (wasm, bytes): &(PathBuf, Vec<u8>), tool: &Path) -> Outcome<String> {
    let site = place.site();
    let pkg = site.join("pkg");
    std::fs::create_dir_all(&pkg).map_err(|e| format!("making {}: {e}", pkg.display()))?;

    // Which input the files in pkg/ were made from; their own dates say nothing when clones share a target folder.
    let stamp = site.join(".made-from");
    let now = format!("{:016x} {}", fingerprint(bytes), bytes.len());
    let made = pkg.join(format!("{SITE_NAME}.wasm"));
    let mut fresh = BTreeSet::new();
    if !made.exists() || std::fs::read_to_string(&stamp).ok().as_deref() != Some(now.as_str()) {
        // Gone first: what is half-made is made again, and no snippet of an older build stays behind.
        let _ = std::fs::remove_file(&stamp);
        let _ = std::fs::remove_dir_all(pkg.join("snippets"));
        say::run(
            std::process::Command::new(tool)
                .arg("bindgen")
                .arg(wasm)
                .arg(&pkg)
                .arg(SITE_NAME),
        )?;
        fresh.extend(
            files_below(&pkg)?
                .into_iter()
                .filter(|f| !is_compressed(f) && ending(f) != "css"),
        );
    }

    let mut wanted: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    let style = place.root.join("style/main.css");
    wanted.insert(
        pkg.join(format!("{SITE_NAME}.css")),
        bundle_css(&style)?.into_bytes(),
    );
    let public = place.root.join("public");
    for file in files_below(&public)? {
        let inside = file.strip_prefix(&public).map_err(|e| e.to_string())?;
        wanted.insert(site.join(inside), read(&file)?);
    }
    for (file, bytes) in &wanted {
        if std::fs::read(file).ok().as_ref() != Some(bytes) {
            if let Some(parent) = file.parent() {
                std::fs::create_dir_all(parent)
                    .map_err(|e| format!("making {}: {e}", parent.display()))?;
            }
            std::fs::write(file, bytes).map_err(|e| format!("writing {}: {e}", file.display()))?;
            fresh.insert(file.clone());
        }
    }
    // What was in public/ once and is no longer must not be served on.
    for file in files_below(&site)? {
        let original = if is_compressed(&file) {
            file.with_extension("")
        } else {
            file.clone()
        };
        if !original.starts_with(&pkg) && original != stamp && !wanted.contains_key(&original) {
            std::fs::remove_file(&file).map_err(|e| format!("removing {}: {e}", file.display()))?;
        }
    }

    let stale: Vec<PathBuf> = files_below(&site)?
        .into_iter()
        .filter(|f| !is_compressed(f) && COMPRESSIBLE.contains(&ending(f)))
        .filter(|f| fresh.contains(f) || !beside(f, ".br").exists() || !beside(f, ".gz").exists())
        .collect();
    if !stale.is_empty() {
        say::run(
            std::process::Command::new(tool)
                .arg("compress")
                .args(&stale),
        )?;
    }
    std::fs::write(&stamp, now).map_err(|e| format!("writing {}: {e}", stamp.display()))?;

    let (wasm, js, css) = (
        compressed_size(place, "wasm")?,
        compressed_size(place, "js")?,
        compressed_size(place, "css")?,
    );
    if wasm + js > FIRST_PAGE_LIMIT {
        say::note(&too_heavy(wasm + js));
    }
    Ok(format!(
        "{} files made anew; first page after brotli: wasm {:.1} KB + js {:.1} KB = {:.1} KB, css {:.1} KB",
        fresh.len(),
        wasm as f64 / 1e3,
        js as f64 / 1e3,
        (wasm + js) as f64 / 1e3,
        css as f64 / 1e3,
    ))
}

fn too_heavy(bytes: u64) -> String {
    format!(
        "the first page needs {} KB of WebAssembly and script after brotli, over the limit of {} KB: \
         look what was pulled into `frontend` (`cargo tree -p mltrainer-frontend --target {}`)",
        bytes / 1000,
        FIRST_PAGE_LIMIT / 1000,
        wasm::TARGET
    )
}

/// What the first page weighs, or that it is over the limit: told when serving, an error in a test.
pub(crate) fn weigh(place: &Place) -> Outcome<String> {
    let bytes = compressed_size(place, "wasm")? + compressed_size(place, "js")?;
    if bytes > FIRST_PAGE_LIMIT {
        return Err(too_heavy(bytes));
    }
    Ok(format!(
        "first page {} of at most {} KB",
        bytes / 1000,
        FIRST_PAGE_LIMIT / 1000
    ))
}

fn compressed_size(place: &Place, ending: &str) -> Outcome<u64> {
    let file = place.site().join(format!("pkg/{SITE_NAME}.{ending}.br"));
    std::fs::metadata(&file)
        .map(|m| m.len())
        .map_err(|e| format!("{}: {e}", file.display()))
}

/// FNV-1a: enough to see that a file is another one.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| {
        (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn read(file: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(file).map_err(|e| format!("reading {}: {e}", file.display()))
}

fn ending(file: &Path) -> &str {
    file.extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
}

fn is_compressed(file: &Path) -> bool {
    matches!(ending(file), "br" | "gz")
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The style sheet with every `@import "other.css";` replaced by that file, each file once: one request instead of many.
fn bundle_css(main: &Path) -> Outcome<String> {
    let mut out = String::new();
    add_css(main, &mut BTreeSet::new(), &mut out)?;
    Ok(out)
}

fn add_css(file: &Path, seen: &mut BTreeSet<PathBuf>, out: &mut String) -> Outcome {
    let text = std::fs::read_to_string(file)
        .map_err(|e| format!("reading the style sheet {}: {e}", file.display()))?;
    if !seen.insert(file.to_path_buf()) {
        return Ok(());
    }
    for (number, line) in text.lines().enumerate() {
        match imported(line) {
            Some(name) => {
                let other = file.with_file_name(name);
                if !other.is_file() {
                    return Err(format!(
                        "{}:{}: there is no {}",
                        file.display(),
                        number + 1,
                        other.display()
                    ));
                }
                add_css(&other, seen, out)?;
            }
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    Ok(())
}

/// The file that a line imports: `@import "x.css";` or `@import url("x.css");`.
fn imported(line: &str) -> Option<&str> {
    let rest = line
        .trim()
        .strip_prefix("@import")?
        .trim_start()
        .strip_suffix(';')?
        .trim_end();
    let rest = rest
        .strip_prefix("url(")
        .and_then(|r| r.strip_suffix(')'))
        .unwrap_or(rest);
    Some(rest.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_put_in_place_once() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(
            "main.css",
            "@import \"tokens.css\";\n@import url(\"page.css\");\nbody { margin: 0 }\n",
        );
        write("tokens.css", ":root { --gap: 8px }\n");
        write(
            "page.css",
            "@import \"tokens.css\";\nmain { padding: var(--gap) }\n",
        );
        let css = bundle_css(&dir.path().join("main.css")).unwrap();
        assert_eq!(
            css,
            ":root { --gap: 8px }\nmain { padding: var(--gap) }\nbody { margin: 0 }\n"
        );
    }

    #[test]
    fn an_import_of_nothing_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("main.css");
        std::fs::write(&main, "/* a */\n@import \"lost.css\";\n").unwrap();
        let told = bundle_css(&main).unwrap_err();
        assert!(
            told.contains("main.css:2") && told.contains("lost.css"),
            "{told}"
        );
    }

    #[test]
    fn two_files_have_two_fingerprints() {
        // FNV-1a of "a" as its authors publish it.
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_ne!(fingerprint(b"ab"), fingerprint(b"ba"));
    }
}
