//! A rate limiter: so many requests a minute with a key, spread evenly after a small burst.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Requests that may go out at once after a pause.
const BURST: u32 = 5;

/// Spreads requests over time (generic cell rate algorithm). One stands for one key.
#[derive(Debug)]
pub(super) struct Limiter {
    /// Time that one request takes up.
    each: Duration,
    /// When the line of accepted requests ends.
    until: Mutex<Option<Instant>>,
}

impl Limiter {
    /// A limiter of so many requests a minute; 0 counts as 1.
    #[must_use]
    pub(super) fn per_minute(requests: u32) -> Self {
        Self {
            each: Duration::from_secs(60) / requests.max(1),
            until: Mutex::new(None),
        }
    }

    /// Takes a place in the line and tells how long to wait for it.
    #[must_use]
    pub(super) fn wait(&self) -> Duration {
        self.wait_at(Instant::now())
    }

    fn wait_at(&self, now: Instant) -> Duration {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let end = until.map_or(now, |u| u.max(now)) + self.each;
        *until = Some(end);
        (end - now).saturating_sub(self.each * BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_requests_go_out_evenly() {
        let limiter = Limiter::per_minute(60);
        let start = Instant::now();
        let waits = [0; 8].map(|_| limiter.wait_at(start).as_secs());
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 3]);
        // Who comes two seconds later waits two seconds less.
        let later = start + Duration::from_secs(2);
        assert_eq!(limiter.wait_at(later).as_secs(), 2);
        let much_later = start + Duration::from_secs(60);
        assert_eq!(limiter.wait_at(much_later), Duration::ZERO);
    }
}
