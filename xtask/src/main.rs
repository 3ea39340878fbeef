//! The commands of this house: `cargo xtask serve | test | ready | tidy | new-model | bundle-data | docs`.
//!
//! xtask knows nothing of ours: it calls cargo, the built program and the tools of the platform, installs what is missing,
//! says what it does and how long it took.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to a terminal"
)]

mod apt;
mod bundle;
mod docs;
mod new_model;
mod place;
mod reference;
mod say;
mod serve;
mod site;
mod steps;
mod tidy;
mod wasm;

use std::process::ExitCode;

/// What a function of xtask gives: its value, or one sentence for the person at the terminal.
type Outcome<T = ()> = Result<T, String>;

/// One command: how it is called, what it does, and the flags it knows (`tidy` holds the documents to this list).
struct Command {
    name: &'static str,
    usage: &'static str,
    help: &'static str,
    flags: &'static [&'static str],
    run: fn(&[String]) -> Outcome,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "serve",
        usage: "serve [--addr 127.0.0.1:3000] [--release] [-- ARGS...]",
        help: "install what is missing, build the site and the server, run it; ARGS go to `mltrainer serve`",
        flags: &["--addr", "--release"],
        run: serve::serve,
    },
    Command {
        name: "site",
        usage: "site",
        help: "build the browser's half into target/site (what serve and test do first)",
        flags: &[],
        run: |args| {
            no_more(args)?;
            site::build(&place::Place::find()?).map(drop)
        },
    },
    Command {
        name: "release",
        usage: "release",
        help: "build the program that is given away, with the site inside, and print where it is",
        flags: &[],
        run: serve::release,
    },
    Command {
        name: "test",
        usage: "test [--only STEP[,STEP]] [--skip STEP[,STEP]] [--reference DIR] [--list]",
        help: "everything that CI runs, in its order",
        flags: &["--only", "--skip", "--reference", "--list"],
        run: steps::test,
    },
    Command {
        name: "ready",
        usage: "ready",
        help: "the same as `test` by another name: is this ready to be pushed?",
        flags: &["--only", "--skip", "--reference", "--list"],
        run: steps::test,
    },
    Command {
        name: "tidy",
        usage: "tidy",
        help: "the rules of the house that are tests (ARCHITECTURE.md), within seconds",
        flags: &[],
        run: |args| {
            no_more(args)?;
            tidy::tidy(&place::Place::find()?).map(drop)
        },
    },
    Command {
        name: "docs",
        usage: "docs [--check]",
        help: "print the documents that come from the code (docs/catalogue.md, docs/features.md), or compare them",
        flags: &["--check"],
        run: docs::docs,
    },
    Command {
        name: "evidence",
        usage: "evidence [--reference DIR]",
        help: "run the reference check and write its results into the cards (crates/catalogue/checked.tsv)",
        flags: &["--reference"],
        run: reference::evidence,
    },
    Command {
        name: "new-model",
        usage: "new-model FAMILY ID",
        help: "write crates/catalogue/src/FAMILY/ID.rs from the template and its line in mod.rs",
        flags: &[],
        run: new_model::new_model,
    },
    Command {
        name: "bundle-data",
        usage: "bundle-data [--check]",
        help: "make data/bundled again from the pinned packages, or compare with what is there",
        flags: &["--check"],
        run: bundle::bundle_data,
    },
];

fn help() -> String {
    let mut text = String::from("usage: cargo xtask COMMAND\n\n");
    for command in COMMANDS {
        text.push_str(&format!("  {}\n      {}\n", command.usage, command.help));
    }
    text
}

/// Refuses arguments that a command does not take.
fn no_more(args: &[String]) -> Outcome {
    match args.first() {
        None => Ok(()),
        Some(arg) => Err(format!(
            "\"{arg}\" is not understood here; `cargo xtask help` lists what is"
        )),
    }
}

/// Takes `--name VALUE` or `--name=VALUE` out of the arguments.
fn option(args: &mut Vec<String>, name: &str) -> Outcome<Option<String>> {
    let long = format!("{name}=");
    let Some(at) = args.iter().position(|a| a == name || a.starts_with(&long)) else {
        return Ok(None);
    };
    let arg = args.remove(at);
    if let Some(value) = arg.strip_prefix(&long) {
        return Ok(Some(value.to_owned()));
    }
    if at < args.len() {
        Ok(Some(args.remove(at)))
    } else {
        Err(format!("{name} needs a value"))
    }
}

/// Takes the flag `--name` out of the arguments.
fn flag(args: &mut Vec<String>, name: &str) -> bool {
    let before = args.len();
    args.retain(|a| a != name);
    args.len() < before
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = args.split_first() else {
        eprint!("{}", help());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") || rest.iter().any(|a| a == "--help") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|c| c.name == name) else {
        eprintln!("\"{name}\" is not a command of xtask.\n\n{}", help());
        return ExitCode::from(2);
    };
    match (command.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nxtask {name}: {message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_taken_in_both_spellings() {
        let mut args = words("--addr 127.0.0.1:1 --release --only=a,b");
        assert_eq!(
            option(&mut args, "--addr").unwrap().as_deref(),
            Some("127.0.0.1:1")
        );
        assert_eq!(option(&mut args, "--only").unwrap().as_deref(), Some("a,b"));
        assert!(flag(&mut args, "--release"));
        assert!(args.is_empty());
    }

    #[test]
    fn an_option_without_its_value_is_refused_by_name() {
        let told = option(&mut words("--addr"), "--addr").unwrap_err();
        assert!(told.contains("--addr"), "{told}");
    }

    #[test]
    fn every_flag_in_a_usage_line_is_a_known_one() {
        for command in COMMANDS {
            for word in command
                .usage
                .split(['[', ']', ' '])
                .filter(|w| w.starts_with("--") && w.len() > 2)
            {
                assert!(command.flags.contains(&word), "{}: {word}", command.name);
            }
        }
    }
}
