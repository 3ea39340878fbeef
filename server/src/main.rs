//! The program `mltrainer`.

fn main() -> std::process::ExitCode {
    mltrainer_server::main()
}
