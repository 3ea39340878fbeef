//! What the environment says of sources of data: addresses, keys, limits.

use super::Failure;
use crate::clock::SystemClock;
use mltrainer_data::sources::{CARDS, Config, Key, Limits, Setting, Sources};
use mltrainer_services::port::Clock as _;
use std::env;
use std::sync::Arc;
use std::time::Duration;

/// Address of Polygon's stream.
const STREAM: &str = "MLTRAINER_POLYGON_WS_URL";
/// Seconds of silence after which a request is given up.
const TIMEOUT: &str = "MLTRAINER_SOURCE_TIMEOUT";

/// The sources as configured; nothing is sent yet.
pub(super) fn configured() -> Result<Sources, Failure> {
    let settings = CARDS.map(|card| {
        let rate = format!("MLTRAINER_{}_PER_MINUTE", card.id.to_ascii_uppercase());
        Ok((
            card.id,
            Setting {
                url: text(card.url_variable),
                key: text(card.key_variable).as_deref().and_then(Key::new),
                per_minute: number(&rate)?,
            },
        ))
    });
    let mut limits = Limits::default();
    if let Some(seconds) = number(TIMEOUT)? {
        limits.read = Duration::from_secs(u64::from(seconds));
        limits.connect = limits.connect.min(limits.read);
    }
    let clock = SystemClock::new();
    // Spreads the pauses of processes that were refused together.
    let seed = clock.now().timestamp_subsec_nanos() ^ std::process::id();
    Sources::new(Config {
        settings: settings.into_iter().collect::<Result<_, Failure>>()?,
        polygon_stream: text(STREAM),
        limits,
        seed: u64::from(seed),
        now: Arc::new(move || clock.now()),
    })
    .map_err(|e| Failure::new(2, e))
}

fn text(variable: &str) -> Option<String> {
    if variable.is_empty() {
        return None;
    }
    env::var(variable).ok().filter(|t| !t.trim().is_empty())
}

/// A whole number above zero.
fn number(variable: &str) -> Result<Option<u32>, Failure> {
    let Some(text) = text(variable) else {
        return Ok(None);
    };
    match text.trim().parse::<u32>() {
        Ok(n) if n > 0 => Ok(Some(n)),
        _ => Err(Failure::new(
            2,
            format!("{variable}={text} cannot be used: a whole number above 0 is needed"),
        )),
    }
}
