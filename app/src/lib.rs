//! Leptos pages, components and server functions.
//!
//! The server renders the pages (feature `ssr`); the browser (feature `hydrate`) gets the islands
//! alone: the live trial, the charts, the theme button and comfort for forms. A page is: what it
//! reads (authority, then calls into `services`), the page component (URL -> data -> view), private
//! views (data in, view out), and pure functions with all the logic. What is sent to the server is a
//! plain form, so that everything works without script. Views hold no clock, randomness or locale:
//! islands render the same on both sides.

mod board;
#[cfg(feature = "ssr")]
pub mod charts;
pub mod chat;
pub mod drawing;
pub mod error;
pub mod format;
pub mod islands;
pub mod live;
pub mod live_search;
#[cfg(feature = "ssr")]
pub mod measures;
#[cfg(feature = "ssr")]
pub mod nav;
#[cfg(feature = "ssr")]
pub mod pages;
pub mod query;
#[cfg(feature = "ssr")]
pub mod report;
#[cfg(feature = "ssr")]
mod server;
#[cfg(feature = "ssr")]
pub mod site;
#[cfg(feature = "ssr")]
mod steering;
mod ui;
pub mod words;

#[cfg(feature = "ssr")]
pub use site::{Actor, App, shell};
