//! What lives in the browser. Everything else on a page is rendered by the server and stays as it
//! came; each of these works without script as well, only with less comfort.

#[cfg(feature = "hydrate")]
pub(crate) mod browser;
#[expect(
    missing_docs,
    reason = "the island macro writes a type of its own without a word"
)]
pub mod chart;
pub mod enhance;
#[expect(
    missing_docs,
    reason = "the island macro writes a type of its own without a word"
)]
pub mod live_search;
#[expect(
    missing_docs,
    reason = "the island macro writes a type of its own without a word"
)]
pub mod live_talk;
#[expect(
    missing_docs,
    reason = "the island macro writes a type of its own without a word"
)]
pub mod live_trial;
#[expect(
    missing_docs,
    reason = "the island macro writes a type of its own without a word"
)]
pub mod theme;
