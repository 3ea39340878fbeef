//! Where things are: the repository, the build folders, the user's cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

/// The name of the site's files, as Leptos is told at compile time (`.cargo/config.toml`).
pub(crate) const SITE_NAME: &str = "mltrainer";

/// The packages of the host half. One selection for every build, lint and test, so that the big libraries are compiled
/// with one set of features and only once; `frontend` is left out because its features exclude the server's.
pub(crate) const HOST: [&str; 3] = ["--workspace", "--exclude", "mltrainer-frontend"];

/// The folders of one checkout.
#[derive(Clone)]
pub(crate) struct Place {
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// Cargo's target folder for the host half.
    pub(crate) target: PathBuf,
    /// What is made once and outlives clones: `${XDG_CACHE_HOME:-~/.cache}/mltrainer`.
    pub(crate) cache: PathBuf,
}

impl Place {
    /// The checkout that this xtask was built from.
    pub(crate) fn find() -> Outcome<Self> {
        // `cargo run` says where the package lies now; what was compiled in may be another clone's.
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package)
            .parent()
            .ok_or("xtask does not lie inside a repository")?
            .to_path_buf();
        if !root.join("Cargo.toml").is_file() {
            return Err(format!(
                "{} is no longer there; run `cargo xtask` inside the repository",
                root.display()
            ));
        }
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => root.join(dir),
            None => root.join("target"),
        };
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .filter(|dir| !dir.is_empty())
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
            .ok_or("neither XDG_CACHE_HOME nor HOME is set, so there is no place for a cache")?
            .join("mltrainer");
        Ok(Self {
            root,
            target,
            cache,
        })
    }

    /// The browser's files: inside the checkout whatever the target folder is, so that clones which share one do not
    /// overwrite each other's, and where cargo-leptos puts them too.
    pub(crate) fn site(&self) -> PathBuf {
        self.root.join("target/site")
    }

    /// The built program of a profile's folder (`debug`, `release`): always inside the checkout, see [`Self::keep_program`].
    pub(crate) fn program(&self, profile: &str) -> PathBuf {
        self.root
            .join("target")
            .join(profile)
            .join(format!("{SITE_NAME}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Brings the program that cargo has just built into the checkout, when the target folder lies elsewhere: there the
    /// next clone that shares the folder replaces it, here it stays the one of this checkout.
    pub(crate) fn keep_program(&self, profile: &str) -> Outcome<PathBuf> {
        let kept = self.program(profile);
        let name = kept.file_name().unwrap_or_default();
        keep(&self.target.join(profile).join(name), kept.clone())
    }

    /// The same of the program that reads papers: beside the other one.
    pub(crate) fn keep_paper_worker(&self, profile: &str) -> Outcome<PathBuf> {
        let name = format!("paper-worker{}", std::env::consts::EXE_SUFFIX);
        let built = self.target.join("paper-worker").join(profile).join(&name);
        keep(&built, self.program(profile).with_file_name(name))
    }

    /// A cargo call in the checkout, without the variables that the outer `cargo run` put there: build scripts that
    /// watch them would run again each time one builds with xtask and without it in turn.
    pub(crate) fn cargo(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let known = name.to_string_lossy();
            if known.starts_with("CARGO_PKG_")
                || known.starts_with("CARGO_MANIFEST_")
                || matches!(
                    &*known,
                    "CARGO" | "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE"
                )
            {
                command.env_remove(&name);
            }
        }
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// What the server is told about the site, for `serve` and for the tests that start it.
    pub(crate) fn site_env(&self, command: &mut Command) {
        command
            .env("LEPTOS_OUTPUT_NAME", SITE_NAME)
            .env("LEPTOS_SITE_ROOT", self.site())
            .env("LEPTOS_SITE_PKG_DIR", "pkg");
    }
}

/// Brings a file that was built to where it is kept.
fn keep(built: &Path, kept: PathBuf) -> Outcome<PathBuf> {
    let told =
        |e: std::io::Error| format!("keeping {} as {}: {e}", built.display(), kept.display());
    if std::fs::canonicalize(built).map_err(told)?
        == std::fs::canonicalize(&kept).unwrap_or_default()
    {
        return Ok(kept);
    }
    if let Some(folder) = kept.parent() {
        std::fs::create_dir_all(folder).map_err(told)?;
    }
    let _ = std::fs::remove_file(&kept);
    if std::fs::hard_link(built, &kept).is_err() {
        std::fs::copy(built, &kept).map_err(told)?;
    }
    Ok(kept)
}

/// True in CI: then `Cargo.lock` must already be right.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|v| v != "false" && !v.is_empty())
}

/// The full path of a program on the `PATH`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)))
        .find(|file| file.is_file())
}

/// All files below a folder, in order. A folder that is not there has none.
pub(crate) fn files_below(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry
                .map_err(|e| format!("reading {}: {e}", folder.display()))?
                .path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A symbolic link at `from` that points to `to`.
pub(crate) fn link(to: &Path, from: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(to, from);
    #[cfg(windows)]
    return std::os::windows::fs::symlink_dir(to, from);
    #[cfg(not(any(unix, windows)))]
    return Err(std::io::ErrorKind::Unsupported.into());
}
