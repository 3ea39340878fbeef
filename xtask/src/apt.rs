//! Debian's packages, where a step needs a program that is not there.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::place::on_path;
use crate::{Outcome, say};

/// True on Debian and what is made from it.
pub(crate) fn debian() -> bool {
    Path::new("/etc/debian_version").exists() && on_path("apt-get").is_some()
}

/// Installs packages, as root or by `sudo`. `why` completes "… is missing".
pub(crate) fn install(packages: &[&str], why: &str) -> Outcome {
    let list = packages.join(" ");
    if !debian() {
        return Err(format!(
            "{why} is missing and this is no Debian: install what your system has for `{list}`, then call again"
        ));
    }
    say::note(&format!("{why} is missing: apt-get install {list}"));
    update()?;
    say::run(apt()?.args(["install", "-y", "--no-install-recommends"]).args(packages)).map_err(|e| {
        format!("{why} is missing and could not be installed ({e}); install `{list}` by hand, then call again")
    })
}

/// The lists of packages, once in a run: a machine image has none, and old ones name files that are gone.
fn update() -> Outcome {
    static DONE: OnceLock<Outcome> = OnceLock::new();
    DONE.get_or_init(|| {
        // A list that cannot be fetched (a foreign source that is down) is no reason to stop: install says what it lacks.
        if let Err(e) = say::run(apt()?.arg("update")) {
            say::note(&format!("going on with the old package lists: {e}"));
        }
        Ok(())
    })
    .clone()
}

fn apt() -> Outcome<Command> {
    let root = say::output(Command::new("id").arg("-u"))?.trim() == "0";
    let mut command = if root {
        Command::new("apt-get")
    } else if on_path("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        sudo.args(["--", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        sudo
    } else {
        return Err("installing packages needs root or `sudo`".to_owned());
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args([
        "-q",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Acquire::Retries=3",
    ]);
    Ok(command)
}

/// A C compiler links every program and builds SQLite.
pub(crate) fn ensure_cc() -> Outcome {
    if on_path("cc").is_some() {
        return Ok(());
    }
    install(&["build-essential"], "a C compiler (`cc`)")
}
