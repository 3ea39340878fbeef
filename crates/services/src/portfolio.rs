//! Portfolios: what is held, weights, plans and risk. Nothing here is ever sent to a broker.
//!
//! `book` replays transactions, `performance` says what they returned, `due` finds splits and dividends that are not
//! recorded, `holdings` answers; `optimise`, `risk`,
//! `what_if` and `plan` take weights. All prices come through the gate (`prices`).

mod book;
mod due;
mod holdings;
mod optimise;
mod performance;
mod plan;
mod prices;
mod risk;

pub(crate) use optimise::{cost_share, held};
pub(crate) use prices::Joined;
