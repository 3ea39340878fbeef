//! Why a language model gave no answer, in one sentence.

use super::meter::CeilingRefusal;
use std::time::Duration;
use thiserror::Error;

/// Why a language model gave no answer. `who` is the host that was asked; what a vendor says is
/// shortened and without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LlmError {
    /// There is nothing to ask.
    #[error("no language model can be asked: {what}")]
    NotConfigured {
        /// What is missing or wrong, and what to do.
        what: String,
    },
    /// The request is none that a model takes; nothing was sent.
    #[error("the request cannot be asked: {reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// The key, the plan or the balance does not allow it.
    #[error("{who} refused the key (status {status}, \"{said}\"); look at the key and the account")]
    RefusedKey {
        /// Host.
        who: String,
        /// HTTP status.
        status: u16,
        /// The vendor's words.
        said: String,
    },
    /// The vendor does not take the request: an unknown model, say.
    #[error(
        "{who} does not take the request (status {status}, \"{said}\"); look at the model and its options"
    )]
    Rejected {
        /// Host.
        who: String,
        /// HTTP status.
        status: u16,
        /// The vendor's words.
        said: String,
    },
    /// Too many requests or tokens in a short time.
    #[error("{who} allows no more requests now{}, asked {tries} times; wait, or ask for less", after(.wait))]
    RateLimited {
        /// Host.
        who: String,
        /// How long it asks to wait, where it says.
        wait: Option<Duration>,
        /// Requests sent.
        tries: u32,
    },
    /// The vendor has no room now.
    #[error("{who} is overloaded, asked {tries} times; try again later")]
    Overloaded {
        /// Host.
        who: String,
        /// Requests sent.
        tries: u32,
    },
    /// A fault on the vendor's side.
    #[error("{who} failed (status {status}, \"{said}\"), asked {tries} times; try again later")]
    Fault {
        /// Host.
        who: String,
        /// HTTP status, or 200 when it failed in the middle of an answer.
        status: u16,
        /// The vendor's words.
        said: String,
        /// Requests sent.
        tries: u32,
    },
    /// No connection.
    #[error("{who} cannot be reached ({reason}); look at the network and the address")]
    Unreachable {
        /// Host.
        who: String,
        /// What happened, without addresses that could hold a key.
        reason: String,
    },
    /// Silence for too long, or an answer that takes too long.
    #[error("{who} took longer than {} s; try again, or raise the limit", .after.as_secs_f64())]
    TimedOut {
        /// Host.
        who: String,
        /// The limit.
        after: Duration,
    },
    /// The answer broke off; what had come is not whole.
    #[error("the answer of {who} broke off ({reason}); what came of it is not whole")]
    Cut {
        /// Host.
        who: String,
        /// What happened.
        reason: String,
    },
    /// The answer is not of the documented shape.
    #[error("the answer of {who} cannot be read: {reason}")]
    Garbled {
        /// Host.
        who: String,
        /// What is wrong.
        reason: String,
    },
    /// The prompt or the answer is larger than allowed.
    #[error("{what} of {who} is larger than allowed ({limit})")]
    TooLarge {
        /// Host.
        who: String,
        /// What.
        what: &'static str,
        /// The limit, in words.
        limit: String,
    },
    /// A ceiling forbids the call; nothing was sent.
    #[error("{0}")]
    Ceiling(#[from] CeilingRefusal),
    /// The caller wants it no more.
    #[error("the answer was stopped")]
    Cancelled,
}

fn after(wait: &Option<Duration>) -> String {
    wait.map_or_else(String::new, |w| {
        format!(" (again in {} s)", w.as_secs_f64().ceil())
    })
}
