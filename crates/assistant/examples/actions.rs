//! Prints `docs/assistant.md`.

fn main() -> std::io::Result<()> {
    use std::io::Write as _;
    std::io::stdout().write_all(mltrainer_assistant::document::markdown().as_bytes())
}
