//! The registration: which modules of a family folder are entries. `build.rs` turns the answer into
//! the static registry, a test looks for files that nothing names.
//!
//! A line `pub mod x;` in `src/<family>/mod.rs` registers `x` as an entry; shared code of a family
//! is `mod x;` or `pub(crate) mod x;`.

use std::io;
use std::path::Path;

/// Family and module of every entry, in the order of family and module.
///
/// # Errors
/// Those of reading the folder.
pub(crate) fn entries(src: &Path) -> io::Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for family in families(src)? {
        let text = std::fs::read_to_string(src.join(&family).join("mod.rs"))?;
        let mut modules = declared(&text, "pub mod ");
        modules.sort();
        all.extend(modules.into_iter().map(|m| (family.clone(), m)));
    }
    Ok(all)
}

/// Files that no `mod` line names, so that the compiler never sees them: paths below `src`.
///
/// # Errors
/// Those of reading the folder.
pub(crate) fn orphans(src: &Path) -> io::Result<Vec<String>> {
    let root = std::fs::read_to_string(src.join("lib.rs"))?;
    let mut lost = Vec::new();
    for family in families(src)? {
        if !names(&root).contains(&family) {
            lost.push(format!("{family}/mod.rs"));
        }
        let folder = src.join(&family);
        let named = names(&std::fs::read_to_string(folder.join("mod.rs"))?);
        for file in std::fs::read_dir(&folder)? {
            let file = file?.file_name().to_string_lossy().into_owned();
            let module = file.trim_end_matches(".rs");
            if file.ends_with(".rs") && module != "mod" && !named.iter().any(|n| n == module) {
                lost.push(format!("{family}/{file}"));
            }
        }
    }
    lost.sort();
    Ok(lost)
}

/// Folders of `src` with a `mod.rs`, sorted.
fn families(src: &Path) -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    for item in std::fs::read_dir(src)? {
        let item = item?;
        if item.path().join("mod.rs").is_file() {
            all.push(item.file_name().to_string_lossy().into_owned());
        }
    }
    all.sort();
    Ok(all)
}

/// Modules declared with one of the three prefixes.
fn names(text: &str) -> Vec<String> {
    let mut all = declared(text, "pub mod ");
    all.extend(declared(text, "mod "));
    all.extend(declared(text, "pub(crate) mod "));
    all
}

/// Modules of the lines `<prefix>name;`.
fn declared(text: &str, prefix: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix(prefix)?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}
