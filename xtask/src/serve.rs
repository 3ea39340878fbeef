//! `cargo xtask serve`: from a fresh clone to a page in the browser.

use std::path::PathBuf;
use std::process::Command;

use crate::place::{HOST, Place, in_ci};
use crate::{Outcome, flag, option, say, site};

/// Builds the server's program with the one package selection. Returns where it is.
pub(crate) fn build_program(place: &Place, release: bool) -> Outcome<PathBuf> {
    let title = if release {
        "server (release)"
    } else {
        "server (dev, mathematics optimised)"
    };
    say::step(title, || {
        let mut cargo = place.cargo("cargo");
        cargo.arg("build").args(HOST).args(["--bin", "mltrainer"]);
        if release {
            // The program that is given away carries its site; in dev it reads the folder, so that a change of the
            // pages does not compile the server anew.
            cargo
                .arg("--release")
                .env("MLTRAINER_EMBED_SITE", place.site());
        }
        if in_ci() {
            cargo.arg("--locked");
        }
        say::run(&mut cargo)?;
        let program = place.keep_program(if release { "release" } else { "debug" })?;
        let told = format!("built, {}", program.display());
        Ok((program, told))
    })
}

/// Builds the program that reads papers, which stands beside the server's: a workspace of its own, so that its
/// libraries do not reach into the product's.
fn build_paper_worker(place: &Place, release: bool) -> Outcome {
    say::step("paper-worker", || {
        let mut cargo = place.cargo("cargo");
        cargo.args(["build", "--manifest-path", "paper-worker/Cargo.toml"]);
        if release {
            cargo.arg("--release");
        }
        if in_ci() {
            cargo.arg("--locked");
        }
        // A folder of its own: the two workspaces' libraries differ.
        cargo.env("CARGO_TARGET_DIR", place.target.join("paper-worker"));
        say::run(&mut cargo)?;
        let kept = place.keep_paper_worker(if release { "release" } else { "debug" })?;
        Ok(((), format!("built, {}", kept.display())))
    })
}

/// The server's program and the one that reads papers, in the folder of a profile.
pub(crate) fn build_programs(place: &Place, release: bool) -> Outcome<PathBuf> {
    build_paper_worker(place, release)?;
    build_program(place, release)
}

/// `cargo xtask release`: the program, and beside it the one that reads papers.
pub(crate) fn release(args: &[String]) -> Outcome {
    crate::no_more(args)?;
    let place = Place::find()?;
    site::build(&place)?;
    println!("{}", build_programs(&place, true)?.display());
    Ok(())
}

pub(crate) fn serve(args: &[String]) -> Outcome {
    let split = args.iter().position(|a| a == "--").unwrap_or(args.len());
    let mut mine = args[..split].to_vec();
    let theirs = args.get(split + 1..).unwrap_or_default();
    let addr = option(&mut mine, "--addr")?.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let release = flag(&mut mine, "--release");
    crate::no_more(&mine)?;

    let place = Place::find()?;
    site::build(&place)?;
    let mut server = Command::new(build_programs(&place, release)?);
    place.site_env(&mut server);
    server.args(["serve", "--addr", &addr]).args(theirs);
    say::note(&format!("open http://{addr}/ ; Ctrl-C stops it"));
    become_program(&mut server)
}

/// Hands this process over to the server, so that signals reach it directly.
#[cfg(unix)]
fn become_program(server: &mut Command) -> Outcome {
    use std::os::unix::process::CommandExt;
    let e = server.exec();
    Err(format!("the server could not be started: {e}"))
}

#[cfg(not(unix))]
fn become_program(server: &mut Command) -> Outcome {
    say::run(server)
}
