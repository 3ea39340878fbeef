//! What the person at the terminal reads: one line when a step begins, one with the elapsed time when it ends.

use std::io::IsTerminal;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Outcome;

/// Runs a step. `work` returns a few words on what was done or found.
pub(crate) fn step<T>(title: &str, work: impl FnOnce() -> Outcome<(T, String)>) -> Outcome<T> {
    heading(&format!("==> {title}"));
    let clock = Clock::start();
    match work() {
        Ok((value, told)) => {
            eprintln!("    {told} ({})", seconds(clock.elapsed()));
            Ok(value)
        }
        Err(message) => {
            eprintln!("    failed after {}", seconds(clock.elapsed()));
            Err(message)
        }
    }
}

/// A line that stands out on a terminal and is plain in a file.
pub(crate) fn heading(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("\x1b[1m{text}\x1b[0m");
    } else {
        eprintln!("{text}");
    }
}

/// One line without a step of its own.
pub(crate) fn note(text: &str) {
    eprintln!("    {text}");
}

/// A duration as a person reads it: `0.3 s`, `75 s`, `12 min 5 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let s = duration.as_secs_f64();
    if s < 10.0 {
        format!("{s:.1} s")
    } else if s < 120.0 {
        format!("{s:.0} s")
    } else {
        format!(
            "{} min {} s",
            duration.as_secs() / 60,
            duration.as_secs() % 60
        )
    }
}

/// The one place of xtask that looks at a clock.
pub(crate) struct Clock(Instant);

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "elapsed times are shown, never computed with"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Runs a program to its end with the terminal's own output; anything but success is an error that shows the call.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let shown = shown(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "`{shown}` ended with {status}; its own words are above"
        )),
        Err(e) => Err(format!("`{shown}` could not be started: {e}")),
    }
}

/// Runs a program and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let shown = shown(command);
    let done = command
        .output()
        .map_err(|e| format!("`{shown}` could not be started: {e}"))?;
    if !done.status.success() {
        return Err(format!(
            "`{shown}` ended with {}: {}",
            done.status,
            String::from_utf8_lossy(&done.stderr).trim()
        ));
    }
    String::from_utf8(done.stdout)
        .map_err(|_| format!("`{shown}` printed something that is not UTF-8"))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|w| w.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_naturally() {
        assert_eq!(seconds(Duration::from_millis(340)), "0.3 s");
        assert_eq!(seconds(Duration::from_secs(75)), "75 s");
        assert_eq!(seconds(Duration::from_secs(725)), "12 min 5 s");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let told = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(told.contains("no-such-program-here"), "{told}");
    }
}
