//! The ports of `services` and `trials` on SQLite: the only crate that knows SQL.
//!
//! One connection writes, a few read; every write is one `BEGIN IMMEDIATE` transaction that holds
//! its audit records too, and is on the disk when it is acknowledged (WAL, `synchronous = FULL`).
//! One file a table: the schema in `migrations/`, the statements here.

mod action_keys;
mod alerts;
mod audit;
mod backtests;
mod coaches;
mod conversations;
mod datasets;
mod experiences;
mod fault;
mod goals;
mod idempotency_keys;
mod key;
mod mcp_tokens;
mod memory;
mod migrations;
mod model_calls;
mod optimisation_events;
mod optimisation_windows;
mod optimisations;
mod owner;
mod papers;
mod portfolio_transactions;
mod steered_runs;
mod trial_events;
mod trial_steps;
mod trials;
mod words;

use chrono::{DateTime, SecondsFormat, Utc};
use fault::Fault;
use key::KeyFile;
use mltrainer_compliance::audit::Signer;
use mltrainer_services::port::{Clock, PortError};
use mltrainer_types::audit::AuditEntry;
use owner::{Owner, Registry};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite, Transaction};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Name of the database in the data folder.
pub const DATABASE: &str = "mltrainer.db";

/// How long a statement waits for another program's lock.
const BUSY: Duration = Duration::from_secs(5);

/// Connections that read. Pages are short reads: more would only cost memory.
const READERS: u32 = 4;

/// What no statement of this program may do, whatever it is: on our own writing connection only, so
/// that an auditor's tool sees plain tables. What is done past us, `verify` finds.
const APPEND_ONLY: [&str; 8] = [
    "CREATE TEMP TRIGGER audit_no_update BEFORE UPDATE ON main.audit BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END",
    "CREATE TEMP TRIGGER audit_no_delete BEFORE DELETE ON main.audit BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END",
    "CREATE TEMP TRIGGER checkpoint_no_update BEFORE UPDATE ON main.audit_checkpoints BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END",
    "CREATE TEMP TRIGGER checkpoint_no_delete BEFORE DELETE ON main.audit_checkpoints BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END",
    "CREATE TEMP TRIGGER portfolio_no_update BEFORE UPDATE ON main.portfolio_transactions BEGIN SELECT RAISE(ABORT, 'transactions are append-only'); END",
    "CREATE TEMP TRIGGER portfolio_no_delete BEFORE DELETE ON main.portfolio_transactions BEGIN SELECT RAISE(ABORT, 'transactions are append-only'); END",
    "CREATE TEMP TRIGGER messages_no_update BEFORE UPDATE ON main.messages BEGIN SELECT RAISE(ABORT, 'messages are append-only'); END",
    "CREATE TEMP TRIGGER messages_no_delete BEFORE DELETE ON main.messages BEGIN SELECT RAISE(ABORT, 'messages are append-only'); END",
];

/// The stores on one data folder.
pub struct SqliteStore {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
    clock: Arc<dyn Clock>,
    signer: Signer,
    owner: Owner,
    registry: Registry,
}

type Tx = Transaction<'static, Sqlite>;

impl SqliteStore {
    /// Opens the database of a data folder, making both when they are absent, and takes the lock
    /// that says that the process `name` (unique among all ever started) is alive.
    ///
    /// # Errors
    /// One sentence when the folder cannot be written, the database is locked, damaged or made by a
    /// newer version, or the audit key is missing although there are records.
    pub async fn open(folder: &Path, name: &str, clock: Arc<dyn Clock>) -> Result<Self, PortError> {
        let registry = Registry::new(folder)?;
        // Two processes may start on an empty folder at once: one makes the tables, the other waits.
        let opening = registry.exclusive()?;
        let path = folder.join(DATABASE);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            // Statements are no words for whoever reads the log.
            .disable_statement_logging();
        let port = |fault: Fault| fault.port(&path);
        let key = KeyFile::new(folder);
        migrations::run(options.clone()).await.map_err(port)?;
        let writer = PoolOptions::<Sqlite>::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(BUSY * 4)
            // On a full disk SQLite ends the transaction by itself; sqlx then counts it as open for
            // ever and refuses the next one. Such a connection is exchanged for a new one.
            .before_acquire(|conn, _| Box::pin(async move { Ok(!conn.is_in_transaction()) }))
            .after_connect(|conn, _| {
                Box::pin(async move {
                    for statement in APPEND_ONLY {
                        sqlx::query(statement).execute(&mut *conn).await?;
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(options.clone());
        let readers = PoolOptions::<Sqlite>::new()
            .max_connections(READERS)
            .min_connections(0)
            .max_lifetime(None)
            .acquire_timeout(BUSY * 4)
            .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "on"));
        let is_new = {
            let mut connection = writer.acquire().await.map_err(|e| port(e.into()))?;
            audit::is_new(&mut connection).await.map_err(port)?
        };
        let signer = key.load(is_new)?;
        let store = Self {
            owner: registry.enter(name, &opening)?,
            path,
            writer,
            readers,
            clock,
            signer,
            registry,
        };
        if is_new {
            // An empty chain would verify after everything in it was removed.
            let mut tx = store.begin().await?;
            let entry = AuditEntry {
                actor: "system".into(),
                action: "audit.begin".into(),
                subject: "audit".into(),
                decision: "allowed".into(),
                rule: None,
                detail: serde_json::json!({ "public_key": store.signer.public_key().to_hex() }),
            };
            audit::append(&mut tx, &store.signer, store.clock.now(), &[entry])
                .await
                .map_err(|f| store.port(f))?;
            store.commit_tx(tx).await?;
        }
        Ok(store)
    }

    /// Signs the audit chain as it stands and closes the connections.
    pub async fn close(&self) {
        if let Err(e) = mltrainer_services::port::AuditStore::seal(self).await {
            tracing::warn!("the audit chain was not sealed: {e}");
        }
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn port(&self, fault: Fault) -> PortError {
        fault.port(&self.path)
    }

    async fn begin(&self) -> Result<Tx, PortError> {
        self.writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|e| self.port(e.into()))
    }

    async fn commit_tx(&self, tx: Tx) -> Result<(), PortError> {
        tx.commit().await.map_err(|e| self.port(e.into()))
    }
}

/// A time as it is stored: RFC 3339 to the microsecond, so that texts sort like times.
fn time_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn parse_time(text: &str) -> Result<DateTime<Utc>, Fault> {
    DateTime::parse_from_rfc3339(text)
        .map(|t| t.to_utc())
        .map_err(|e| Fault::Damaged(format!("time \"{text}\": {e}")))
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| Fault::Damaged(e.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|e| Fault::Damaged(format!("{what}: {e}")))
}

/// A number of the program's range from SQLite's.
fn count<T: TryFrom<i64>>(what: &str, n: i64) -> Result<T, Fault> {
    T::try_from(n).map_err(|_| Fault::Damaged(format!("{what} is {n}")))
}

#[cfg(test)]
mod testing;
