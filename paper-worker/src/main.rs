//! Reads a PDF from standard input and writes the text of its pages to standard output, as JSON.
//!
//! What: a process of its own for files of strangers. Before it reads, it takes from itself all memory beyond a
//! bound, all processor time beyond a bound, and the right to write files. It opens no file and no connection.
//! Data: `{"pages": ["...", ...]}`, lines in reading order; on standard error one sentence where it fails.
//! Fails when: the file is no PDF, is encrypted with a password, is too large, has too many pages, or takes
//! more than the bounds; then the process ends, perhaps by a signal, and whoever started it says so.
//! Not claimed: text of scanned pages; no picture is read.

use pdf_oxide::PdfDocument;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{Read as _, Write as _};
use std::process::ExitCode;

/// Most bytes of a file.
const BYTES: u64 = 32 << 20;
/// Most pages.
const PAGES: usize = 500;
/// Most bytes of text.
const TEXT: usize = 8 << 20;
/// Bytes of address space.
const MEMORY: u64 = 2 << 30;
/// Seconds of the processor.
const SECONDS: u64 = 30;

fn limit() -> Result<(), String> {
    for (what, most) in [
        (Resource::As, MEMORY),
        (Resource::Cpu, SECONDS),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        let both = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(what, both).map_err(|e| format!("{what:?} cannot be bounded: {e}"))?;
    }
    Ok(())
}

fn text(bytes: Vec<u8>) -> Result<Vec<String>, String> {
    let no = |e: &dyn std::fmt::Display| format!("the file cannot be read as a PDF: {e}");
    let document = PdfDocument::from_bytes(bytes).map_err(|e| no(&e))?;
    let count = document.page_count().map_err(|e| no(&e))?;
    if count > PAGES {
        return Err(format!("it has {count} pages; {PAGES} are read at most"));
    }
    let mut pages = Vec::with_capacity(count);
    let mut room = TEXT;
    for page in 0..count {
        // A page that cannot be read is empty; the others are still worth reading.
        let mut text = document.extract_text(page).unwrap_or_default();
        if text.len() > room {
            let cut = (0..=room).rev().find(|i| text.is_char_boundary(*i));
            text.truncate(cut.unwrap_or(0));
        }
        room -= text.len();
        pages.push(text);
    }
    Ok(pages)
}

fn work() -> Result<(), String> {
    limit()?;
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("the file did not arrive: {e}"))?;
    if bytes.len() as u64 > BYTES {
        return Err(format!("it is larger than {} MB", BYTES >> 20));
    }
    let pages = text(bytes)?;
    let answer = serde_json::json!({ "pages": pages });
    std::io::stdout()
        .write_all(answer.to_string().as_bytes())
        .map_err(|e| format!("the answer was not taken: {e}"))
}

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            // Without a reader there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{sentence}");
            ExitCode::FAILURE
        }
    }
}
