//! The command line: what can be asked, what is printed, which code is returned.
//!
//! Exit codes: 0 done; 1 not possible now (port in use, database locked, broken audit chain);
//! 2 bad usage or an unknown name; 3 data that cannot be used, or refused; 4 a failed fit or trial;
//! 5 (`ask` only) something is asked back.

mod ask;
mod assistant;
mod audit;
mod backtest;
mod catalogue;
mod data;
mod doctor;
mod features;
mod fetch;
mod mcp;
mod optimise;
mod out;
mod paper;
mod portfolio;
mod quality;
mod run;
mod serve;
mod sources;
mod token;
mod trial;

use crate::wiring::{Assistant, Open};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use mltrainer_services::ServiceError;
use mltrainer_services::port::PortError;
pub(crate) use out::Table;
use out::say;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

pub(crate) use run::{assignment, parameters};
pub use serve::Serve;

const EXAMPLES: &str = "Examples:
  mltrainer serve
  mltrainer trial run --symbols AAPL --target log_volatility --horizon 5
  mltrainer backtest --symbols AAPL --strategy sma_crossover --report report.html
  mltrainer run sma --data prices.csv --set period=20
  mltrainer catalogue random_forest
  mltrainer data import prices.csv --symbol MYSTOCK --origin user_provided
  mltrainer data fetch --source polygon --symbol AAPL --start 2020-01-01 --end 2024-12-31
  mltrainer portfolio optimise
  mltrainer ask \"What can you do?\"
  mltrainer audit verify";

/// Honest trials of forecasting models on real market data.
#[derive(Debug, Parser)]
#[command(name = "mltrainer", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Folder of the database and of imported data [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "MLTRAINER_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// How results are printed: table for people, json for programs; some commands know csv and markdown
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// How log lines are written on standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "MLTRAINER_LOG_FORMAT")]
    log_format: LogFormat,
    /// Which log lines are written, for example info or mltrainer=debug [default: warn, for serve info]
    #[arg(long, global = true, value_name = "FILTER", env = "MLTRAINER_LOG")]
    log: Option<String>,
    /// Threads that run trial steps [default: one a core]
    #[arg(long, global = true, value_name = "N", env = "MLTRAINER_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
    Markdown,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the pages and the API
    Serve(Serve),
    /// Runs one model, indicator or clustering on files
    Run(Box<run::Run>),
    /// Lists the catalogue, or shows one entry
    Catalogue(catalogue::Catalogue),
    /// Computes the features of a file of daily bars or of data sets, or lists them
    Features(features::Features),
    /// Data sets: list, show, import, fetch, look, watch, export
    #[command(subcommand)]
    Data(data::Data),
    /// Trials: run, list, show, follow, cancel, pause, resume, export
    #[command(subcommand)]
    Trial(trial::Trial),
    /// Tests a strategy on the bars of data sets; list, show, strategies, check
    Backtest(Box<backtest::Backtest>),
    /// Portfolios: add, transactions, holdings, optimise, what-if, plan, risk
    #[command(subcommand)]
    Portfolio(portfolio::Portfolio),
    /// Papers: read a PDF by rules, list and search them, show claims beside what was measured
    #[command(subcommand)]
    Paper(paper::Paper),
    /// Says something to the assistant in plain language, or does one typed action
    Ask(ask::Ask),
    /// Speaks MCP over standard input and output, for a client that starts this program
    Mcp(mcp::Mcp),
    /// Tokens of programs that speak MCP over HTTP: create, list, revoke
    #[command(subcommand)]
    Token(token::Token),
    /// The audit chain: verify, list, export
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Says what the program finds on this machine and what is missing
    Doctor,
    /// Prints the OpenAPI document of the JSON API
    Openapi,
    /// Prints completions for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// Why a command ends with another code than 0, in one sentence.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

impl From<ServiceError> for Failure {
    fn from(e: ServiceError) -> Self {
        let code = match &e {
            ServiceError::NotFound { .. } | ServiceError::Invalid { .. } => 2,
            ServiceError::Refused(_)
            | ServiceError::BadData(_)
            | ServiceError::Source(_)
            | ServiceError::SourceLater(_) => 3,
            ServiceError::FitFailed(_) => 4,
            ServiceError::Conflict(_)
            | ServiceError::Unavailable(_)
            | ServiceError::Internal(_) => 1,
        };
        Self::new(code, e.to_string())
    }
}

impl From<PortError> for Failure {
    fn from(e: PortError) -> Self {
        Self::new(1, e.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        // A reader that has seen enough (`| head`) is no fault.
        let code = u8::from(e.kind() != std::io::ErrorKind::BrokenPipe);
        Self::new(code, format!("standard output cannot be written: {e}"))
    }
}

impl Global {
    /// The data folder.
    fn folder(&self) -> Result<PathBuf, Failure> {
        if let Some(folder) = &self.data_dir {
            return Ok(folder.clone());
        }
        directories::ProjectDirs::from("", "", "mltrainer")
            .map(|dirs| dirs.data_dir().to_owned())
            .ok_or_else(|| {
                Failure::new(
                    1,
                    "this account has no home folder: name a data folder with --data-dir",
                )
            })
    }

    fn threads(&self) -> usize {
        match self.threads {
            Some(n) => usize::from(n),
            None => std::thread::available_parallelism().map_or(2, usize::from),
        }
    }

    async fn open(&self) -> Result<Open, Failure> {
        self.open_with(assistant::configured()?).await
    }

    /// Opens the folder for a command, and closes it whatever came of that.
    async fn with<T>(
        &self,
        run: impl AsyncFnOnce(&Open) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let open = self.open().await?;
        let outcome = run(&open).await;
        open.close().await;
        outcome
    }

    async fn open_with(&self, assistant: Assistant) -> Result<Open, Failure> {
        let sources = sources::configured()?;
        let folder = self.folder()?;
        Ok(Open::folder(&folder, self.threads(), sources, assistant).await?)
    }

    /// The format, which must be one of those that the command knows.
    fn format(&self, known: &[Format]) -> Result<Format, Failure> {
        if known.contains(&self.format) {
            return Ok(self.format);
        }
        let name = |f: &Format| {
            f.to_possible_value()
                .map_or_else(String::new, |v| v.get_name().into())
        };
        let known: Vec<String> = known.iter().map(name).collect();
        Err(Failure::new(
            2,
            format!(
                "--format {} is not known here: choose {}",
                name(&self.format),
                known.join(" or ")
            ),
        ))
    }

    fn is_json(&self) -> Result<bool, Failure> {
        Ok(self.format(&[Format::Table, Format::Json])? == Format::Json)
    }

    /// Starts the log; `default` says what is written when nothing else is asked for.
    fn log(&self, default: &str) -> Result<(), Failure> {
        let filter = self.log.as_deref().unwrap_or(default);
        let filter = EnvFilter::try_new(filter)
            .map_err(|e| Failure::new(2, format!("--log {filter}: {e}")))?;
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        let started = match self.log_format {
            LogFormat::Text => lines.with_ansi(false).try_init(),
            LogFormat::Json => lines.json().try_init(),
        };
        started.map_err(|e| Failure::new(1, format!("the log cannot be started: {e}")))
    }
}

/// Reads the command line, does what it says and gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage(&e),
    };
    match dispatch(cli) {
        Ok(code) => code,
        Err(Failure { code: 0, .. }) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            complain(&text);
            ExitCode::from(code)
        }
    }
}

/// Help and version as they are; a wrong call as one sentence.
fn usage(e: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    if matches!(
        e.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let _ = e.print();
        return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
    }
    let text = e.render().to_string();
    let sentence: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let sentence = sentence.join("; ").replace(":;", ":");
    complain(&format!(
        "{}; see `mltrainer --help`",
        sentence.trim_start_matches("error: ")
    ));
    ExitCode::from(2)
}

fn complain(text: &str) {
    use std::io::Write as _;
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "mltrainer: {text}");
}

fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let global = &cli.global;
    match cli.command {
        // These three read files only: no runtime, no database.
        Command::Run(run) => run.execute(global),
        Command::Catalogue(catalogue) => catalogue.execute(global),
        Command::Features(features) => features.execute(global),
        Command::Openapi => {
            let text = crate::routes::openapi().to_pretty_json();
            let failed = |e| Failure::new(1, format!("the document cannot be written: {e}"));
            say(&text.map_err(failed)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mltrainer", &mut text);
            say(String::from_utf8_lossy(&text).trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve(serve) => {
            global.log("info,rmcp=error")?;
            // Pages are short; steps have threads of their own.
            let threads = std::thread::available_parallelism().map_or(2, usize::from);
            runtime(threads.clamp(2, 4))?.block_on(serve.execute(global))
        }
        Command::Data(data) => quiet(global)?.block_on(data.execute(global)),
        Command::Trial(trial) => quiet(global)?.block_on(trial.execute(global)),
        Command::Backtest(backtest) => quiet(global)?.block_on(backtest.execute(global)),
        Command::Portfolio(portfolio) => quiet(global)?.block_on(portfolio.execute(global)),
        Command::Ask(ask) => quiet(global)?.block_on(ask.execute(global)),
        Command::Token(token) => quiet(global)?.block_on(token.execute(global)),
        Command::Paper(paper) => quiet(global)?.block_on(paper.execute(global)),
        Command::Mcp(mcp) => {
            let runtime = quiet(global)?;
            let outcome = runtime.block_on(mcp.execute(global));
            // A thread may still wait for standard input; the client closed it or is about to.
            runtime.shutdown_timeout(std::time::Duration::from_millis(200));
            outcome
        }
        Command::Audit(audit) => quiet(global)?.block_on(audit.execute(global)),
        Command::Doctor => quiet(global)?.block_on(doctor::execute(global)),
    }
}

fn quiet(global: &Global) -> Result<tokio::runtime::Runtime, Failure> {
    // What libraries have to say of slow statements and of clients' mistakes is no news for a person who waits.
    global.log("warn,sqlx=error,rmcp=error")?;
    runtime(2)
}

fn runtime(threads: usize) -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(1, format!("no threads could be started: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself() {
        fn walk(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for arg in command.get_arguments().filter(|a| !a.is_hide_set()) {
                assert!(
                    arg.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    arg.get_id()
                );
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        let code = |e: ServiceError| Failure::from(e).code;
        assert_eq!(
            code(ServiceError::NotFound {
                what: "model",
                id: "x".into(),
                suggestions: Vec::new()
            }),
            2
        );
        assert_eq!(code(ServiceError::invalid("alpha", "-1")), 2);
        assert_eq!(code(ServiceError::BadData("row 1".into())), 3);
        assert_eq!(code(ServiceError::FitFailed("no".into())), 4);
        assert_eq!(code(ServiceError::Unavailable("locked".into())), 1);
    }
}
