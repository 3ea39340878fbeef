//! `cargo xtask test`: the steps of CI in their order. `ready` and `.ci/run` are this same function.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{HOST, Place, in_ci, on_path};
use crate::say::{self, Clock};
use crate::{Outcome, apt, docs, flag, option, reference, serve, site, tidy, wasm};

/// What the steps are told.
struct Context {
    place: Place,
    reference: PathBuf,
    /// `--reference` was given: then its absence is an error, not a reason to skip.
    reference_asked: bool,
}

/// How a step ended without failing.
enum End {
    Done(String),
    Skipped(String),
}

struct Step {
    name: &'static str,
    help: &'static str,
    /// Takes seconds and says something of its own: runs also when the one before it failed.
    cheap: bool,
    run: fn(&Context) -> Outcome<End>,
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        help: "the code is formatted",
        cheap: true,
        run: fmt,
    },
    Step {
        name: "tidy",
        help: "the rules of the house",
        cheap: true,
        run: |c| tidy::tidy(&c.place).map(End::Done),
    },
    Step {
        name: "deny",
        help: "licences and sources of libraries, where cargo-deny is installed",
        cheap: true,
        run: deny,
    },
    Step {
        name: "clippy",
        help: "lints of the host half, all targets",
        cheap: false,
        run: clippy,
    },
    Step {
        name: "clippy-browser",
        help: "lints of the browser's half",
        cheap: false,
        run: clippy_browser,
    },
    Step {
        name: "site",
        help: "WebAssembly, style and public files; weight of the first page",
        cheap: false,
        run: build_site,
    },
    Step {
        name: "server",
        help: "the program that the next steps drive",
        cheap: false,
        run: build_server,
    },
    Step {
        name: "unit",
        help: "unit, property and black-box tests",
        cheap: false,
        run: unit,
    },
    Step {
        name: "doctest",
        help: "examples in the documentation",
        cheap: false,
        run: doctest,
    },
    Step {
        name: "docs",
        help: "documents that are printed from the code",
        cheap: false,
        run: |c| docs::compare(&c.place).map(End::Done),
    },
    Step {
        name: "browser",
        help: "end2end in Chromium",
        cheap: false,
        run: browser,
    },
    Step {
        name: "reference",
        help: "reference cases of the entries that exist",
        cheap: false,
        run: check_reference,
    },
];

pub(crate) fn test(args: &[String]) -> Outcome {
    let mut args = args.to_vec();
    if flag(&mut args, "--list") {
        crate::no_more(&args)?;
        for step in STEPS {
            println!("{:15} {}", step.name, step.help);
        }
        return Ok(());
    }
    let only = names(option(&mut args, "--only")?)?;
    let skip = names(option(&mut args, "--skip")?)?;
    let asked = option(&mut args, "--reference")?;
    crate::no_more(&args)?;

    let place = Place::find()?;
    let context = Context {
        reference: asked
            .as_ref()
            .map_or_else(|| reference::beside(&place), PathBuf::from),
        reference_asked: asked.is_some(),
        place,
    };
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|s| only.is_empty() || only.iter().any(|n| n == s.name))
        .filter(|s| !skip.iter().any(|n| n == s.name))
        .collect();
    run(&chosen, &context)
}

/// The step names in `a,b`.
fn names(list: Option<String>) -> Outcome<Vec<String>> {
    let names: Vec<String> = list
        .iter()
        .flat_map(|l| l.split(','))
        .map(|n| n.trim().to_owned())
        .collect();
    match names.iter().find(|n| STEPS.iter().all(|s| s.name != *n)) {
        None => Ok(names),
        Some(unknown) => Err(format!(
            "there is no step \"{unknown}\"; the steps are {}",
            STEPS.iter().map(|s| s.name).collect::<Vec<_>>().join(", ")
        )),
    }
}

fn run(steps: &[&Step], context: &Context) -> Outcome {
    let whole = Clock::start();
    let mut table = Vec::new();
    let mut failures: Vec<(&str, String)> = Vec::new();
    for step in steps {
        if !failures.is_empty() && !step.cheap {
            table.push(format!("{:15} not run", step.name));
            continue;
        }
        say::heading(&format!("\n######## {}: {}", step.name, step.help));
        let clock = Clock::start();
        let ended = (step.run)(context);
        let took = say::seconds(clock.elapsed());
        table.push(match ended {
            Ok(End::Done(told)) => format!("{:15} passed   {took:>12}   {told}", step.name),
            Ok(End::Skipped(told)) => format!("{:15} skipped  {took:>12}   {told}", step.name),
            Err(message) => {
                eprintln!("{message}");
                failures.push((step.name, message));
                format!("{:15} FAILED   {took:>12}", step.name)
            }
        });
    }
    say::heading("\n######## summary");
    for row in &table {
        eprintln!("{row}");
    }
    eprintln!("{} in all", say::seconds(whole.elapsed()));
    if failures.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = failures
        .iter()
        .map(|(name, message)| format!("{name}: {message}"))
        .collect();
    Err(told.join("\n"))
}

fn done(text: &str) -> Outcome<End> {
    Ok(End::Done(text.to_owned()))
}

/// `--locked` in CI: a lock file that does not fit must fail there, and be mended quietly on a person's machine.
fn locked(cargo: &mut Command) {
    if in_ci() {
        cargo.arg("--locked");
    }
}

fn fmt(c: &Context) -> Outcome<End> {
    let apart = |manifest: &str| {
        let mut cargo = c.place.cargo("cargo");
        say::run(cargo.args(["fmt", "--check", "--manifest-path", manifest]))
    };
    say::run(c.place.cargo("cargo").args(["fmt", "--all", "--check"]))
        .and(apart("xtask/bindgen/Cargo.toml"))
        .and(apart("paper-worker/Cargo.toml"))
        .map_err(|_| "not formatted as above; `cargo fmt --all` does it".to_owned())?;
    done("formatted")
}

/// Compiling cargo-deny costs more than it finds between two changes of a dependency; without it this is skipped.
/// Advisories need the network and change without us: they are for a person or a nightly job (`cargo deny check`).
fn deny(c: &Context) -> Outcome<End> {
    if on_path("cargo-deny").is_none() {
        return Ok(End::Skipped("cargo-deny is not installed".to_owned()));
    }
    say::run(c.place.cargo("cargo").args([
        "deny",
        "--log-level",
        "error",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))?;
    done("deny.toml holds")
}

fn clippy(c: &Context) -> Outcome<End> {
    apt::ensure_cc()?;
    let mut cargo = c.place.cargo("cargo");
    cargo.arg("clippy").args(HOST).arg("--all-targets");
    locked(&mut cargo);
    say::run(cargo.args(["--", "-D", "warnings"]))?;
    let mut apart = c.place.cargo("cargo");
    apart
        .args(["clippy", "--manifest-path", "paper-worker/Cargo.toml"])
        .env("CARGO_TARGET_DIR", c.place.target.join("paper-worker"));
    locked(&mut apart);
    say::run(apart.args(["--", "-D", "warnings"]))?;
    done("no warning")
}

/// Clippy belongs to the active toolchain. Where that cannot build for WebAssembly, the browser's half is linted for the
/// host: the code is the same, and the site step compiles it for the browser.
fn clippy_browser(c: &Context) -> Outcome<End> {
    let toolchain = wasm::toolchain(&c.place)?;
    let mut cargo = c.place.cargo("cargo");
    cargo.args(["clippy", "--package", "mltrainer-frontend"]);
    cargo.env("CARGO_TARGET_DIR", c.place.target.join("wasm"));
    locked(&mut cargo);
    let told = if toolchain.is_active() {
        cargo.args(["--target", wasm::TARGET]);
        "no warning, for the browser's target"
    } else {
        "no warning, for the host's target"
    };
    say::run(cargo.args(["--", "-D", "warnings"]))?;
    done(told)
}

fn build_site(c: &Context) -> Outcome<End> {
    site::build(&c.place)?;
    site::weigh(&c.place).map(End::Done)
}

fn build_server(c: &Context) -> Outcome<End> {
    serve::build_programs(&c.place, false)?;
    done("built")
}

/// What tests that drive the program need to find it.
fn with_program(c: &Context, command: &mut Command) -> Outcome {
    let program = c.place.program("debug");
    if !program.is_file() {
        return Err(format!(
            "there is no {}: run the step `server` first",
            program.display()
        ));
    }
    c.place.site_env(command);
    command
        .env("MLTRAINER_BIN", program)
        .env("MLTRAINER_SITE_ROOT", c.place.site());
    Ok(())
}

fn unit(c: &Context) -> Outcome<End> {
    let mut cargo = c.place.cargo("cargo");
    let nextest = on_path("cargo-nextest").is_some();
    if nextest {
        cargo.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        cargo.args(["test", "--lib", "--bins", "--tests", "--no-fail-fast"]);
    }
    cargo.args(HOST);
    locked(&mut cargo);
    with_program(c, &mut cargo)?;
    say::run(&mut cargo)?;
    done(if nextest {
        "cargo nextest"
    } else {
        "cargo test"
    })
}

fn doctest(c: &Context) -> Outcome<End> {
    let mut cargo = c.place.cargo("cargo");
    cargo.args(["test", "--doc"]).args(HOST);
    locked(&mut cargo);
    with_program(c, &mut cargo)?;
    say::run(&mut cargo)?;
    done("cargo test --doc")
}

fn browser(c: &Context) -> Outcome<End> {
    if on_path("npm").is_none() || on_path("node").is_none() {
        apt::install(&["nodejs", "npm"], "Node.js")?;
    }
    let chromium = chromium()?;
    let folder = c.place.root.join("end2end");
    let lock = folder.join("package-lock.json");
    let wanted =
        std::fs::read_to_string(&lock).map_err(|e| format!("reading {}: {e}", lock.display()))?;
    let stamp = folder.join("node_modules/.installed-from");
    if std::fs::read_to_string(&stamp).ok().as_deref() != Some(wanted.as_str()) {
        say::run(Command::new("npm").current_dir(&folder).args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
        ]))?;
        std::fs::write(&stamp, wanted).map_err(|e| format!("writing {}: {e}", stamp.display()))?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&folder)
        .arg("test")
        .env("MLTRAINER_CHROMIUM", &chromium);
    with_program(c, &mut npm)?;
    say::run(&mut npm)?;
    Ok(End::Done(format!("with {}", chromium.display())))
}

/// A Chromium of the platform: nothing here ever downloads a browser of its own.
fn chromium() -> Outcome<PathBuf> {
    let find = || {
        std::env::var_os("MLTRAINER_CHROMIUM")
            .map(PathBuf::from)
            .or_else(|| {
                ["chromium", "chromium-browser", "google-chrome"]
                    .into_iter()
                    .find_map(on_path)
            })
            .or_else(|| {
                let mac = Path::new("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
                mac.is_file().then(|| mac.to_path_buf())
            })
    };
    if let Some(found) = find() {
        return Ok(found);
    }
    apt::install(&["chromium"], "a browser for the tests")?;
    find().ok_or_else(|| "`chromium` is installed but not on the PATH".to_owned())
}

fn check_reference(c: &Context) -> Outcome<End> {
    if !c.reference.is_dir() && !c.reference_asked {
        return Ok(End::Skipped(format!(
            "there is no {}",
            c.reference.display()
        )));
    }
    reference::check(&c.place, &c.reference, &c.place.program("debug")).map(End::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_steps_are_refused_with_the_known_ones() {
        let told = names(Some("fmt,fnt".to_owned())).unwrap_err();
        assert!(
            told.contains("\"fnt\"") && told.contains("clippy"),
            "{told}"
        );
        assert_eq!(
            names(Some("fmt, tidy".to_owned())).unwrap(),
            ["fmt", "tidy"]
        );
        assert!(names(None).unwrap().is_empty());
    }

    #[test]
    fn cheap_steps_report_after_a_failure_and_dear_ones_wait() {
        let bad = Step {
            name: "bad",
            help: "",
            cheap: true,
            run: |_| Err("bad is bad".to_owned()),
        };
        let cheap = Step {
            name: "cheap",
            help: "",
            cheap: true,
            run: |_| Err("cheap ran".to_owned()),
        };
        let dear = Step {
            name: "dear",
            help: "",
            cheap: false,
            run: |_| Err("dear ran".to_owned()),
        };
        let context = Context {
            place: Place::find().unwrap(),
            reference: PathBuf::new(),
            reference_asked: false,
        };
        let told = run(&[&bad, &cheap, &dear], &context).unwrap_err();
        assert_eq!(told, "bad: bad is bad\ncheap: cheap ran");
    }
}
