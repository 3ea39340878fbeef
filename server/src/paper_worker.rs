//! Papers are read by `paper-worker`, a program of its own beside this one: it takes memory, time and the
//! right to write from itself before it looks at a file, and whatever a file does to it, this one goes on.
//!
//! What: the file goes to its standard input, the text of the pages comes back as JSON.
//! Fails when: it is not there, ends with an error, takes longer than [`PATIENCE`], or says too much.

use async_trait::async_trait;
use mltrainer_services::port::PaperReader;
use mltrainer_types::paper::PdfText;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::Semaphore;

/// How long a paper may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Most bytes of an answer; the worker gives 8 MiB of text, which JSON may write longer.
const ANSWER: u64 = 64 << 20;

/// Papers that are read at the same time.
const AT_ONCE: usize = 2;

/// The program, as configured or beside this one.
pub(crate) struct PaperWorker {
    program: PathBuf,
    places: Semaphore,
}

impl PaperWorker {
    /// The one that is configured, or the one beside this program if there is one.
    pub(crate) fn find(configured: Option<PathBuf>) -> Option<Arc<dyn PaperReader>> {
        let beside = || {
            let here = std::env::current_exe().ok()?;
            let name = format!("paper-worker{}", std::env::consts::EXE_SUFFIX);
            Some(here.parent()?.join(name)).filter(|p| p.is_file())
        };
        let program = configured.or_else(beside)?;
        Some(Arc::new(Self {
            program,
            places: Semaphore::new(AT_ONCE),
        }))
    }

    async fn ask(&self, bytes: &[u8]) -> Result<PdfText, String> {
        let gone = |e: std::io::Error| format!("the program that reads papers cannot be used: {e}");
        let mut child = Command::new(&self.program)
            // Nothing of the environment, keys least of all.
            .env_clear()
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(gone)?;
        let (Some(mut input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("the program that reads papers has no pipes".to_owned());
        };
        let (mut answer, mut said) = (Vec::new(), Vec::new());
        let mut output = output.take(ANSWER);
        let mut errors = errors.take(4_096);
        let give = async {
            // One that ends before it has read everything says why below.
            let _ = input.write_all(bytes).await;
            drop(input);
        };
        let ((), read, _) = tokio::join!(
            give,
            output.read_to_end(&mut answer),
            errors.read_to_end(&mut said)
        );
        read.map_err(gone)?;
        let status = child.wait().await.map_err(gone)?;
        if !status.success() {
            let said = String::from_utf8_lossy(&said);
            let sentence: String = said
                .lines()
                .last()
                .unwrap_or_default()
                .chars()
                .take(300)
                .collect();
            return Err(match status.code() {
                Some(1) if !sentence.is_empty() => sentence,
                _ => "the file could not be read: it took more memory or time than a paper may, or it is damaged"
                    .to_owned(),
            });
        }
        serde_json::from_slice(&answer)
            .map_err(|_| "the text of the file is too long or could not be understood".to_owned())
    }
}

#[async_trait]
impl PaperReader for PaperWorker {
    async fn text(&self, bytes: Arc<Vec<u8>>) -> Result<PdfText, String> {
        let _place = self.places.acquire().await.map_err(|e| e.to_string())?;
        match tokio::time::timeout(PATIENCE, self.ask(&bytes)).await {
            Ok(text) => text,
            Err(_) => Err(format!(
                "the file could not be read within {} seconds",
                PATIENCE.as_secs()
            )),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// A program of these lines in place of the worker.
    async fn told(script: &str) -> Result<PdfText, String> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("worker");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let worker = PaperWorker::find(Some(program)).unwrap();
        worker.text(Arc::new(vec![b'x'; 1 << 20])).await
    }

    #[tokio::test]
    async fn whatever_becomes_of_the_worker_is_one_sentence() {
        let text = told("cat > /dev/null; echo '{\"pages\": [\"a\", \"b\"]}'").await;
        assert_eq!(text.unwrap().pages, ["a", "b"]);
        // Ends without reading; the sentence is the last line.
        let text = told("echo noise >&2; echo 'it is no PDF' >&2; exit 1").await;
        assert_eq!(text.unwrap_err(), "it is no PDF");
        let text = told("kill -SEGV $$").await;
        assert!(text.unwrap_err().contains("damaged"));
        let text = told("cat > /dev/null; echo '{\"pages\": [1]}'").await;
        assert!(text.unwrap_err().contains("could not be understood"));
        // Nothing of this process's environment reaches it.
        let text =
            told("cat > /dev/null; test -z \"$CARGO_MANIFEST_DIR$HOME\" && echo '{\"pages\": []}'")
                .await;
        assert!(text.is_ok(), "{text:?}");
        let worker = PaperWorker::find(Some("/nowhere/worker".into())).unwrap();
        let none = worker.text(Arc::new(Vec::new())).await;
        assert!(none.unwrap_err().contains("cannot be used"));
    }
}
