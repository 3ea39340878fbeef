//! Data: the bundled real files, users' files, the Parquet library, the exchange calendar and
//! the quality checks that run when data arrives at the gate.
//!
//! Everything here makes an [`Arrival`](mltrainer_compliance::Arrival); only the gate turns it into
//! a verified value.
//!
//! Quick map: [`bars`], [`intraday`], [`series`] and [`table`] are the shapes, [`import`] and [`csv`]
//! read users' files, [`bundled`] what ships with the program, [`library`] what was stored,
//! [`sources`] speaks to vendors and [`shelf`] keeps what they gave, [`quality`] checks it with
//! [`screen`] and [`compare`], [`actions`] adjusts bars as of a day, [`calendar`] knows the sessions
//! of the New York Stock Exchange, [`nearest`] corrects names.

pub mod actions;
mod arrow;
pub mod bars;
pub mod bundled;
pub mod calendar;
pub mod compare;
pub mod csv;
pub mod error;
pub mod export;
mod frame;
pub mod import;
pub mod intraday;
pub mod library;
pub mod nearest;
pub mod quality;
pub mod screen;
pub mod series;
pub mod shelf;
pub mod sources;
pub mod table;
mod text;

pub use error::DataError;
