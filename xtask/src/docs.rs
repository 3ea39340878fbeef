//! Documents that come from the code: printed by the built program, compared in `test`.

use std::path::Path;
use std::process::Command;

use crate::place::Place;
use crate::{Outcome, flag, say, serve};

/// Each document and the call that prints it.
const DOCUMENTS: [(&str, &[&str]); 3] = [
    ("docs/catalogue.md", &["catalogue", "--format", "markdown"]),
    (
        "docs/features.md",
        &["features", "--list", "--format", "markdown"],
    ),
    ("docs/openapi.json", &["openapi"]),
];

pub(crate) fn docs(args: &[String]) -> Outcome {
    let mut args = args.to_vec();
    let check = flag(&mut args, "--check");
    crate::no_more(&args)?;
    let place = Place::find()?;
    serve::build_program(&place, false)?;
    say::step("documents from the code", || {
        let told = if check {
            compare(&place)?
        } else {
            write(&place)?
        };
        Ok(((), told))
    })
}

fn printed(program: &Path, call: &[&str]) -> Outcome<String> {
    say::output(Command::new(program).args(call))
}

fn write(place: &Place) -> Outcome<String> {
    for (file, call) in DOCUMENTS {
        let path = place.root.join(file);
        std::fs::write(&path, printed(&place.program("debug"), call)?)
            .map_err(|e| format!("writing {}: {e}", path.display()))?;
    }
    Ok(format!(
        "wrote {}",
        DOCUMENTS.map(|(file, _)| file).join(", ")
    ))
}

/// Every document says what the program prints, or the first line that differs is named.
pub(crate) fn compare(place: &Place) -> Outcome<String> {
    for (file, call) in DOCUMENTS {
        let now = printed(&place.program("debug"), call)?;
        let there = std::fs::read_to_string(place.root.join(file)).unwrap_or_default();
        if let Some(line) = first_difference(&there, &now) {
            return Err(format!(
                "{file}:{line} is not what the code says; `cargo xtask docs` prints it anew"
            ));
        }
    }
    Ok(format!(
        "{} are what the code prints",
        DOCUMENTS.map(|(file, _)| file).join(", ")
    ))
}

/// The number of the first line in which two texts differ.
fn first_difference(a: &str, b: &str) -> Option<usize> {
    if a == b {
        return None;
    }
    let same = a.lines().zip(b.lines()).take_while(|(x, y)| x == y).count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_differing_line_is_found() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(first_difference("", "a\n"), Some(1));
    }
}
