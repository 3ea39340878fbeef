//! `cargo xtask bundle-data`: data/bundled out of Python packages of pinned versions (`bundle_data.py` does the work).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Place, files_below, on_path};
use crate::{Outcome, apt, flag, say};

pub(crate) fn bundle_data(args: &[String]) -> Outcome {
    let mut args = args.to_vec();
    let check = flag(&mut args, "--check");
    crate::no_more(&args)?;
    let place = Place::find()?;
    let script = place.root.join("xtask/bundle_data.py");
    let python = say::step("Python packages", || environment(&place, &script))?;
    let bundled = place.root.join("data/bundled");
    if !check {
        return say::step("data/bundled", || {
            say::run(Command::new(&python).arg(&script).arg(&bundled))?;
            Ok(((), "made".to_owned()))
        });
    }
    say::step("data/bundled against the packages", || {
        let again = place.target.join("bundled-again");
        let _ = std::fs::remove_dir_all(&again);
        std::fs::create_dir_all(&again).map_err(|e| format!("making {}: {e}", again.display()))?;
        say::run(Command::new(&python).arg(&script).arg(&again))?;
        let (one, two) = (contents(&bundled)?, contents(&again)?);
        match one
            .iter()
            .find(|f| !two.contains(f))
            .or_else(|| two.iter().find(|f| !one.contains(f)))
        {
            None => Ok((
                (),
                format!("{} files are the same byte for byte", one.len()),
            )),
            Some((file, _)) => Err(format!(
                "data/bundled/{} is not what the packages give; `cargo xtask bundle-data` makes it again",
                file.display()
            )),
        }
    })
}

/// A virtual environment with exactly the packages that the script names, made anew when the list changes.
fn environment(place: &Place, script: &Path) -> Outcome<(PathBuf, String)> {
    if on_path("python3").is_none() {
        apt::install(&["python3", "python3-venv"], "Python")?;
    }
    let wanted = say::output(Command::new("python3").arg(script).arg("--requirements"))?;
    let folder = place.cache.join("bundle-data");
    let python = folder.join("bin/python");
    let stamp = folder.join("requirements.txt");
    if std::fs::read_to_string(&stamp).ok().as_deref() == Some(wanted.as_str()) {
        return Ok((python, format!("there, in {}", folder.display())));
    }
    let told = |e: std::io::Error| format!("making {}: {e}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(told)?;
    }
    std::fs::create_dir_all(&place.cache).map_err(told)?;
    let make = || say::run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    if make().is_err() {
        // Debian keeps the module that makes environments in a package of its own.
        apt::install(&["python3-venv"], "Python's venv")?;
        make()?;
    }
    say::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet"])
            .args(wanted.lines()),
    )?;
    std::fs::write(&stamp, &wanted).map_err(told)?;
    Ok((python, format!("installed into {}", folder.display())))
}

/// Every file below a folder with its bytes, in order.
fn contents(folder: &Path) -> Outcome<Vec<(PathBuf, Vec<u8>)>> {
    files_below(folder)?
        .into_iter()
        .map(|file| {
            let bytes =
                std::fs::read(&file).map_err(|e| format!("reading {}: {e}", file.display()))?;
            Ok((
                file.strip_prefix(folder)
                    .map_err(|e| e.to_string())?
                    .to_path_buf(),
                bytes,
            ))
        })
        .collect()
}
