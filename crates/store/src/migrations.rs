//! The numbered schema, embedded into the program.

use crate::fault::Fault;
use mltrainer_services::port::PortError;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqlSafeStr as _};

/// Name and text of every migration, in order.
pub(crate) const ALL: [(&str, &str); 26] = [
    (
        "0001_audit",
        include_str!("../../../migrations/0001_audit.sql"),
    ),
    (
        "0002_datasets",
        include_str!("../../../migrations/0002_datasets.sql"),
    ),
    (
        "0003_trials",
        include_str!("../../../migrations/0003_trials.sql"),
    ),
    (
        "0004_trial_steps",
        include_str!("../../../migrations/0004_trial_steps.sql"),
    ),
    (
        "0005_trial_events",
        include_str!("../../../migrations/0005_trial_events.sql"),
    ),
    (
        "0006_idempotency_keys",
        include_str!("../../../migrations/0006_idempotency_keys.sql"),
    ),
    (
        "0007_dataset_kinds",
        include_str!("../../../migrations/0007_dataset_kinds.sql"),
    ),
    (
        "0008_backtests",
        include_str!("../../../migrations/0008_backtests.sql"),
    ),
    (
        "0009_portfolio_transactions",
        include_str!("../../../migrations/0009_portfolio_transactions.sql"),
    ),
    (
        "0010_optimisations",
        include_str!("../../../migrations/0010_optimisations.sql"),
    ),
    (
        "0011_optimisation_windows",
        include_str!("../../../migrations/0011_optimisation_windows.sql"),
    ),
    (
        "0012_optimisation_events",
        include_str!("../../../migrations/0012_optimisation_events.sql"),
    ),
    (
        "0013_conversations",
        include_str!("../../../migrations/0013_conversations.sql"),
    ),
    (
        "0014_memory",
        include_str!("../../../migrations/0014_memory.sql"),
    ),
    (
        "0015_goals",
        include_str!("../../../migrations/0015_goals.sql"),
    ),
    (
        "0016_alerts",
        include_str!("../../../migrations/0016_alerts.sql"),
    ),
    (
        "0017_model_calls",
        include_str!("../../../migrations/0017_model_calls.sql"),
    ),
    (
        "0018_coaches",
        include_str!("../../../migrations/0018_coaches.sql"),
    ),
    (
        "0019_trial_step_starts",
        include_str!("../../../migrations/0019_trial_step_starts.sql"),
    ),
    (
        "0020_mcp_tokens",
        include_str!("../../../migrations/0020_mcp_tokens.sql"),
    ),
    (
        "0021_steered_runs",
        include_str!("../../../migrations/0021_steered_runs.sql"),
    ),
    (
        "0022_papers",
        include_str!("../../../migrations/0022_papers.sql"),
    ),
    (
        "0023_steered_actions",
        include_str!("../../../migrations/0023_steered_actions.sql"),
    ),
    (
        "0024_coaching_once",
        include_str!("../../../migrations/0024_coaching_once.sql"),
    ),
    (
        "0025_experiences",
        include_str!("../../../migrations/0025_experiences.sql"),
    ),
    (
        "0026_memory_newest_first",
        include_str!("../../../migrations/0026_memory_newest_first.sql"),
    ),
];

/// Brings the schema up to date.
///
/// On a connection of its own that does not wait for the disk after each migration: one that is
/// lost with the power is simply made again. Closing it writes everything.
pub(crate) async fn run(options: SqliteConnectOptions) -> Result<(), Fault> {
    let all: Vec<Migration> = ALL
        .into_iter()
        .map(|(name, sql)| {
            Migration::new(
                number(name),
                name.into(),
                MigrationType::Simple,
                AssertSqlSafe(sql).into_sql_str(),
                false,
            )
        })
        .collect();
    let mut connection = options
        .synchronous(SqliteSynchronous::Normal)
        .connect()
        .await?;
    let outcome = Migrator::with_migrations(all)
        .run_direct(None, &mut connection, false)
        .await;
    connection.close().await?;
    outcome.map_err(sentence)
}

/// The number that a name begins with.
fn number(name: &str) -> i64 {
    name.split('_')
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or_default()
}

fn sentence(e: MigrateError) -> Fault {
    match e {
        MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => Fault::Sql(e),
        MigrateError::VersionMissing(n) => Fault::Port(PortError::Failed(format!(
            "the database was made by a newer version of mltrainer (migration {n} is unknown here): update the program"
        ))),
        MigrateError::VersionMismatch(n) => Fault::Port(PortError::Failed(format!(
            "migration {n} of the database differs from this program's: use the version that made it"
        ))),
        other => Fault::Port(PortError::Failed(format!(
            "the database could not be brought up to date: {other}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_of_the_folder_is_embedded_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .filter(|f| f.ends_with(".sql"))
            .collect();
        files.sort();
        let embedded: Vec<String> = super::ALL.iter().map(|(n, _)| format!("{n}.sql")).collect();
        assert_eq!(files, embedded);
        assert!(super::ALL.iter().all(|(n, _)| super::number(n) > 0));
    }
}
