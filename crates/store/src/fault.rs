//! What SQLite answers, as one sentence for a person.

use mltrainer_services::port::PortError;
use std::path::Path;

/// Anything that can go wrong inside a statement.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database said no.
    Sql(sqlx::Error),
    /// A stored value is not of its form.
    Damaged(String),
    /// Already a sentence.
    Port(PortError),
}

impl From<sqlx::Error> for Fault {
    fn from(e: sqlx::Error) -> Self {
        Self::Sql(e)
    }
}

impl From<PortError> for Fault {
    fn from(e: PortError) -> Self {
        Self::Port(e)
    }
}

impl Fault {
    /// The sentence: what, where, what to do.
    pub(crate) fn port(self, path: &Path) -> PortError {
        let path = path.display();
        let e = match self {
            Self::Port(e) => return e,
            Self::Damaged(what) => {
                return PortError::Failed(format!(
                    "the database {path} holds a value that cannot be read ({what}): restore it from a backup"
                ));
            }
            Self::Sql(e) => e,
        };
        if matches!(e, sqlx::Error::PoolTimedOut) {
            return PortError::Busy("the database did not answer in time: try again".into());
        }
        if matches!(e, sqlx::Error::PoolClosed) {
            return PortError::Busy(
                "the database is closed because the program is shutting down: try again".into(),
            );
        }
        let code = e
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|c| c.parse::<i32>().ok())
            .map(|extended| extended & 0xff);
        match code {
            // What passes is told to clients too: no path in these.
            Some(5 | 6) => PortError::Busy(
                "the database is locked by another program: close it or try again".into(),
            ),
            Some(13) => PortError::Full(
                "the disk is full and nothing was written: make room and try again".into(),
            ),
            // A write that failed, most often because a disk or a quota is full.
            Some(10) => PortError::Full(
                "the disk did not take what was to be written, it may be full or faulty: make room and try again".into(),
            ),
            Some(8) => PortError::Failed(format!(
                "the database {path} cannot be written: give write permission or choose another folder with --data-dir"
            )),
            Some(14) => PortError::Failed(format!(
                "the database {path} cannot be opened: give read and write permission on its folder or choose another with --data-dir"
            )),
            Some(11 | 26) => PortError::Failed(format!(
                "the file {path} is damaged or is no database: restore it from a backup or choose another folder with --data-dir"
            )),
            _ => PortError::Failed(format!("the database {path} answered: {e}")),
        }
    }
}
