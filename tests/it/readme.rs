//! The commands of the README, run as they stand there.

use mltrainer_it::{Server, binary, csv};
use std::path::Path;
use std::process::Command;

/// Lines of the blocks that are marked as shell.
fn commands(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside && !line.trim().is_empty() {
            lines.push(line);
        }
    }
    lines
}

#[tokio::test]
async fn every_command_of_the_readme_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let server = Server::fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let bars = server.bars("bundled:IBM", "2005-01-01", "2009-12-31").await;
    std::fs::write(folder.path().join("prices.csv"), csv::ohlcv(&bars)).unwrap();
    let path = format!(
        "{}:{}",
        binary().parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let commands = commands(&text);
    assert!(commands.len() > 10, "the README shows how: {commands:?}");
    for command in commands {
        // The server of this test listens elsewhere.
        let line = command.replace("http://127.0.0.1:3000", &server.base);
        let output = Command::new("sh")
            .args(["-c", &line.replace("curl -s", "curl -sf")])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("MLTRAINER_DATA_DIR", folder.path().join("data"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "`{command}` ended with {}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(folder.path().join("features.csv").exists());
}
