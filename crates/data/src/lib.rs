//! Data: the bundled real files, users' CSV files, the Parquet library, the exchange calendar and
//! the quality checks that run when data arrives at the gate.
//!
//! Everything here makes an [`Arrival`](mltrainer_compliance::Arrival); only the gate turns it into
//! a verified value.
//!
//! Quick map: [`bars`], [`series`] and [`table`] are the shapes, [`csv`] reads users' files,
//! [`bundled`] what ships with the program, [`library`] what was stored, [`quality`] checks it,
//! [`sources`] speaks to vendors, [`shelf`] keeps what they gave, [`calendar`] knows the days of the New York Stock Exchange, [`nearest`] corrects names.

pub mod actions;
mod arrow;
pub mod bars;
pub mod bundled;
pub mod calendar;
pub mod csv;
pub mod error;
pub mod export;
mod frame;
pub mod import;
pub mod intraday;
pub mod library;
pub mod nearest;
pub mod quality;
pub mod series;
pub mod shelf;
pub mod sources;
pub mod table;
mod text;

pub use error::DataError;
