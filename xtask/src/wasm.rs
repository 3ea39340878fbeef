//! A compiler that can build for the browser.
//!
//! Rust's own distribution has the standard library for WebAssembly one `rustup target add` away. Where rustup must not or
//! cannot fetch, Debian's compiler and its library source give the same in half a minute, kept in the user's cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Place, link, on_path};
use crate::{Outcome, apt, say};

/// The browser's target.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The packages with Debian's current compiler, its library source and its LLVM.
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];

/// Which cargo and rustc build for the browser.
pub(crate) struct Toolchain {
    cargo: String,
    rustc: Option<PathBuf>,
}

impl Toolchain {
    /// A cargo call for the browser's half. Its target folder is its own, so that its lock never waits for the host half.
    pub(crate) fn cargo(&self, place: &Place) -> Command {
        let mut command = place.cargo(&self.cargo);
        command.env("CARGO_TARGET_DIR", place.target.join("wasm"));
        // Flags meant for the host's linker do not fit WebAssembly.
        command
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        if let Some(rustc) = &self.rustc {
            command.env("RUSTC", rustc);
        }
        command
    }

    /// True when this is the toolchain the person works with, which then has clippy for the browser's target too.
    pub(crate) fn is_active(&self) -> bool {
        self.rustc.is_none()
    }
}

/// What the decision depends on.
#[derive(Clone, Copy)]
struct Facts {
    active_has_target: bool,
    rustup: bool,
    rustup_may_fetch: bool,
    debian: bool,
}

#[derive(Debug, PartialEq)]
enum Way {
    Active,
    Rustup,
    Debian,
    None,
}

fn way(facts: Facts) -> Way {
    match facts {
        Facts {
            active_has_target: true,
            ..
        } => Way::Active,
        Facts {
            rustup: true,
            rustup_may_fetch: true,
            ..
        } => Way::Rustup,
        Facts { debian: true, .. } => Way::Debian,
        _ => Way::None,
    }
}

/// Finds, or makes, a toolchain with the standard library for WebAssembly.
pub(crate) fn toolchain(place: &Place) -> Outcome<Toolchain> {
    say::step("WebAssembly standard library", || {
        let facts = Facts {
            active_has_target: active_has_target(place)?,
            rustup: on_path("rustup").is_some(),
            rustup_may_fetch: std::env::var_os("RUSTUP_AUTO_INSTALL").is_none_or(|v| v != "0"),
            debian: apt::debian(),
        };
        let active = |told: &str| {
            (
                Toolchain {
                    cargo: "cargo".to_owned(),
                    rustc: None,
                },
                told.to_owned(),
            )
        };
        match way(facts) {
            Way::Active => Ok(active("the active toolchain has it")),
            Way::Rustup => match say::run(place.cargo("rustup").args(["target", "add", TARGET])) {
                Ok(()) => Ok(active("added to the active toolchain by rustup")),
                Err(e) if facts.debian => {
                    say::note(&format!(
                        "rustup could not fetch it ({e}): taking Debian's compiler"
                    ));
                    debian(place)
                }
                Err(e) => Err(format!(
                    "{e}; without a network, call again when there is one"
                )),
            },
            Way::Debian => debian(place),
            Way::None => Err(format!(
                "the active toolchain cannot build for {TARGET}, and rustup is missing or must not fetch \
                 (RUSTUP_AUTO_INSTALL=0): install that target's standard library for it"
            )),
        }
    })
}

fn active_has_target(place: &Place) -> Outcome<bool> {
    let sysroot = say::output(place.cargo("rustc").args(["--print", "sysroot"]))?;
    Ok(has_core(
        &Path::new(sysroot.trim())
            .join("lib/rustlib")
            .join(TARGET)
            .join("lib"),
    ))
}

fn has_core(lib: &Path) -> bool {
    std::fs::read_dir(lib).is_ok_and(|files| {
        files.flatten().any(|f| {
            let name = f.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libcore-") && name.ends_with(".rlib")
        })
    })
}

// ---- Debian's compiler -------------------------------------------------------------------------------------------

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

fn debian(place: &Place) -> Outcome<(Toolchain, String)> {
    if ![RUSTC, CARGO, SOURCE]
        .iter()
        .all(|file| Path::new(file).exists())
    {
        apt::install(&PACKAGES, "Debian's compiler with its library source")?;
    }
    let about = About::of_rustc()?;
    about.new_enough(place)?;
    let sysroot = place.cache.join(format!("wasm-std-{}", about.release));
    let told = if has_core(&sysroot.join("lib/rustlib").join(TARGET).join("lib")) {
        format!("built earlier from Debian's source, Rust {}", about.release)
    } else {
        build_sysroot(&sysroot, &about)?;
        format!(
            "built from Debian's source, Rust {}, into {}",
            about.release,
            sysroot.display()
        )
    };
    Ok((
        Toolchain {
            cargo: CARGO.to_owned(),
            rustc: Some(sysroot.join("bin/rustc")),
        },
        told,
    ))
}

/// What `rustc -vV` says of itself.
#[derive(Debug, PartialEq)]
struct About {
    release: String,
    host: String,
}

impl About {
    fn of_rustc() -> Outcome<Self> {
        Self::parse(&say::output(Command::new(RUSTC).arg("-vV"))?)
    }

    fn parse(text: &str) -> Outcome<Self> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .map(str::to_owned)
                .ok_or_else(|| format!("`{RUSTC} -vV` names no {name}"))
        };
        Ok(Self {
            release: field("release")?,
            host: field("host")?,
        })
    }

    /// Refuses a compiler older than the workspace's `rust-version`.
    fn new_enough(&self, place: &Place) -> Outcome {
        let manifest = place.root.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest)
            .map_err(|e| format!("{}: {e}", manifest.display()))?;
        let needed = text
            .lines()
            .find_map(|line| line.strip_prefix("rust-version = "))
            .map(|v| v.trim_matches('"').to_owned())
            .ok_or("Cargo.toml names no rust-version")?;
        if numbers(&self.release) < numbers(&needed) {
            return Err(format!(
                "Debian's compiler is {}, this needs {needed}: `apt-get update && apt-get install {}`",
                self.release,
                PACKAGES.join(" ")
            ));
        }
        Ok(())
    }
}

fn numbers(version: &str) -> Vec<u64> {
    version
        .split(['.', '-'])
        .map_while(|part| part.parse().ok())
        .collect()
}

/// Builds the standard library for WebAssembly and lays out a sysroot around it: a `rustc` that looks there, the browser's
/// library, links to the host's library and to a linker. Made beside and renamed, so a half-made one is never used.
fn build_sysroot(sysroot: &Path, about: &About) -> Outcome {
    let told = |e: std::io::Error| format!("making {}: {e}", sysroot.display());
    let building = sysroot.with_extension(format!("building-{}", std::process::id()));
    let empty = building.join("empty");
    std::fs::create_dir_all(empty.join("src")).map_err(told)?;
    std::fs::write(
        empty.join("Cargo.toml"),
        "[workspace]\n[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n",
    )
    .map_err(told)?;
    std::fs::write(empty.join("src/lib.rs"), "#![no_std]\n").map_err(told)?;
    say::note(&format!(
        "building Rust {}'s standard library for {TARGET}, once, about half a minute",
        about.release
    ));
    say::run(
        Command::new(CARGO)
            .current_dir(&empty)
            .args(["build", "--release", "--target", TARGET])
            .arg("-Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test")
            .env("CARGO_TARGET_DIR", building.join("target"))
            .env("RUSTC", RUSTC)
            // The library's own build needs the unstable features that it is made of.
            .env("RUSTC_BOOTSTRAP", "1")
            // `lto = true` of the site's profile reads the library's bitcode.
            .env("RUSTFLAGS", "-Cembed-bitcode=yes")
            .env_remove("CARGO_ENCODED_RUSTFLAGS"),
    )?;

    let rustlib = building.join("lib/rustlib");
    let lib = rustlib.join(TARGET).join("lib");
    std::fs::create_dir_all(&lib).map_err(told)?;
    let deps = building.join("target").join(TARGET).join("release/deps");
    for file in std::fs::read_dir(&deps).map_err(told)?.flatten() {
        let name = file.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && !text.starts_with("libempty-") {
            std::fs::copy(file.path(), lib.join(&name)).map_err(told)?;
        }
    }

    let host = rustlib.join(&about.host);
    std::fs::create_dir_all(host.join("bin")).map_err(told)?;
    link(
        &Path::new("/usr/lib/rustlib").join(&about.host).join("lib"),
        &host.join("lib"),
    )
    .map_err(told)?;
    link(&linker()?, &host.join("bin/rust-lld")).map_err(told)?;
    std::fs::create_dir_all(building.join("bin")).map_err(told)?;
    link(Path::new(CARGO), &building.join("bin/cargo")).map_err(told)?;
    let script = format!(
        "#!/bin/sh\nexec {RUSTC} --sysroot '{}' \"$@\"\n",
        sysroot.display()
    );
    let rustc = building.join("bin/rustc");
    std::fs::write(&rustc, script).map_err(told)?;
    executable(&rustc).map_err(told)?;

    for folder in ["empty", "target"] {
        std::fs::remove_dir_all(building.join(folder)).map_err(told)?;
    }
    match std::fs::rename(&building, sysroot) {
        Ok(()) => Ok(()),
        // Another xtask was quicker; its result is the same.
        Err(_) if sysroot.join("bin/rustc").exists() => {
            std::fs::remove_dir_all(&building).map_err(told)
        }
        Err(e) => Err(told(e)),
    }
}

/// LLVM's linker: the one that Debian's compiler names, or any that is installed.
fn linker() -> Outcome<PathBuf> {
    let find = || {
        let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .flatten()
            .filter(|d| d.file_name().to_string_lossy().starts_with("llvm-"))
            .map(|d| d.path().join("bin/lld"))
            .filter(|lld| lld.exists())
            .collect();
        found.sort();
        found
            .pop()
            .or_else(|| Some(PathBuf::from("/usr/bin/rust-lld")).filter(|lld| lld.exists()))
    };
    if let Some(lld) = find() {
        return Ok(lld);
    }
    // /usr/bin/rust-lld is a link to the version that belongs to the compiler, also when that is not installed.
    let package = std::fs::read_link("/usr/bin/rust-lld")
        .ok()
        .and_then(|to| Some(to.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "lld".to_owned());
    apt::install(&[&package], "LLVM's linker")?;
    find().ok_or_else(|| {
        format!("`{package}` is installed, but there is no lld in /usr/lib/llvm-*/bin")
    })
}

#[cfg(unix)]
fn executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
}

// Debian's way is taken on Debian only; this keeps xtask compiling elsewhere.
#[cfg(not(unix))]
fn executable(_: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_ways() {
        let ordinary = Facts {
            active_has_target: false,
            rustup: true,
            rustup_may_fetch: true,
            debian: true,
        };
        assert_eq!(
            way(Facts {
                active_has_target: true,
                ..ordinary
            }),
            Way::Active
        );
        assert_eq!(way(ordinary), Way::Rustup);
        assert_eq!(
            way(Facts {
                rustup_may_fetch: false,
                ..ordinary
            }),
            Way::Debian
        );
        assert_eq!(
            way(Facts {
                rustup: false,
                ..ordinary
            }),
            Way::Debian
        );
        assert_eq!(
            way(Facts {
                rustup: false,
                debian: false,
                ..ordinary
            }),
            Way::None
        );
        assert_eq!(
            way(Facts {
                rustup_may_fetch: false,
                debian: false,
                ..ordinary
            }),
            Way::None
        );
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(numbers("1.96.0") > numbers("1.95"));
        assert!(numbers("1.85.0") < numbers("1.95"));
        assert!(numbers("1.100.0") > numbers("1.95"));
    }

    #[test]
    fn rustc_tells_of_itself() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.96.0\n";
        let about = About::parse(text).unwrap();
        assert_eq!(
            about,
            About {
                release: "1.96.0".into(),
                host: "x86_64-unknown-linux-gnu".into()
            }
        );
        assert!(About::parse("nonsense").unwrap_err().contains("release"));
    }
}
