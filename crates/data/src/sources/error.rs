//! Why a source gave nothing: source, symbol, span and cause in one sentence.

use std::time::Duration;
use thiserror::Error;

/// Why a source gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{source_id} gave nothing for {subject}: {cause}")]
pub struct SourceError {
    /// Id of the source.
    pub source_id: &'static str,
    /// What was asked for: symbol and span.
    pub subject: String,
    /// Why it did not come.
    pub cause: Cause,
}

/// The cause, without source and subject.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cause {
    /// No key was handed in.
    #[error("it needs a key: put it into the environment variable {variable}")]
    NoKey {
        /// The environment variable.
        variable: &'static str,
    },
    /// The source does not have this kind of data.
    #[error("it has no {what}; choose {others}")]
    NotOffered {
        /// Kind of data.
        what: &'static str,
        /// Sources that have it.
        others: String,
    },
    /// The request cannot be asked.
    #[error("{0}")]
    BadRequest(String),
    /// No connection.
    #[error("it cannot be reached ({reason}); look at the network and the address, and try again")]
    Unreachable {
        /// What happened, without addresses that could hold a key.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer came within {} s, {tries} times; try again later", .after.as_secs_f64())]
    TimedOut {
        /// The limit of one try.
        after: Duration,
        /// How often it was tried.
        tries: u32,
    },
    /// The connection was cut in the middle of an answer.
    #[error("the answer was cut off ({reason}), {tries} times; try again later")]
    CutOff {
        /// What happened.
        reason: String,
        /// How often it was tried.
        tries: u32,
    },
    /// Too many requests.
    #[error("it allows no more requests now{}; wait, or ask for less", after(.wait))]
    TooMany {
        /// How long it asks to wait, where it says.
        wait: Option<Duration>,
    },
    /// A fault on the vendor's side.
    #[error("it answered with status {status}, {tries} times; try again later")]
    Fault {
        /// HTTP status, 500 or above.
        status: u16,
        /// How often it was tried.
        tries: u32,
    },
    /// The key or the plan does not allow it.
    #[error("it refused with status {status} (\"{said}\"); look at the key and the plan")]
    Denied {
        /// HTTP status.
        status: u16,
        /// The vendor's words.
        said: String,
    },
    /// The vendor does not know it.
    #[error("it does not know that (status {status}, \"{said}\"); look at the symbol")]
    Unknown {
        /// HTTP status.
        status: u16,
        /// The vendor's words.
        said: String,
    },
    /// The vendor refused with words of its own.
    #[error("it refused: \"{said}\"")]
    Refused {
        /// The vendor's words.
        said: String,
    },
    /// An answer without data.
    #[error("the answer holds no data; look at the symbol and the span")]
    Empty,
    /// An answer that is not of the documented shape.
    #[error("the answer cannot be read: {reason}")]
    Unreadable {
        /// What is wrong.
        reason: String,
    },
    /// An answer larger than is read.
    #[error("the answer is larger than {} MB; ask for a shorter span", limit >> 20)]
    TooLarge {
        /// Most bytes that are read.
        limit: usize,
    },
    /// The next page lies on another host.
    #[error("its next page lies on another server ({host}), to which no key is sent")]
    ForeignPage {
        /// That host.
        host: String,
    },
    /// The source failed several times in a row and rests.
    #[error("it failed {failures} times in a row and is left alone for another {} s; last: {last}", .rest.as_secs().max(1))]
    Resting {
        /// Failures in a row.
        failures: u32,
        /// Until it is asked again.
        rest: Duration,
        /// The last failure.
        last: String,
    },
    /// The caller wants it no more.
    #[error("the request was cancelled, and nothing was kept")]
    Cancelled,
}

fn after(wait: &Option<Duration>) -> String {
    wait.map_or_else(String::new, |w| format!(" (again in {} s)", w.as_secs()))
}

impl Cause {
    /// Whether the source itself is at fault, so that another one may help and the breaker counts it.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::CutOff { .. }
                | Self::TooMany { .. }
                | Self::Fault { .. }
                | Self::Unreadable { .. }
                | Self::Resting { .. }
        )
    }
}
