//! A circuit breaker: a source that keeps failing is left alone for a while.

use std::time::Duration;

/// Failures in a row that open the circuit.
pub const FAILURES: u32 = 5;
/// How long it stays open the first time; each further failure doubles it.
pub const REST: Duration = Duration::from_secs(30);
/// It stays open at most so long.
pub const LONGEST_REST: Duration = Duration::from_secs(480);

/// Whether requests go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// They do.
    Closed,
    /// They do not.
    Open,
    /// One goes through to see.
    HalfOpen,
}

impl Circuit {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// The breaker of one source. Times are those of a clock that never goes back, handed in.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: u32,
    opened: Option<Duration>,
    trying: bool,
}

impl Breaker {
    /// How it stands at this time.
    #[must_use]
    pub fn state(&self, now: Duration) -> Circuit {
        match self.opened {
            None => Circuit::Closed,
            Some(_) if self.remaining(now).is_some() => Circuit::Open,
            Some(_) => Circuit::HalfOpen,
        }
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    fn rest(&self) -> Duration {
        let doublings = self.failures.saturating_sub(FAILURES).min(4);
        (REST * (1 << doublings)).min(LONGEST_REST)
    }

    fn remaining(&self, now: Duration) -> Option<Duration> {
        let until = self.opened? + self.rest();
        until.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// Asks to let a request through.
    ///
    /// # Errors
    /// How long to wait before the next one may.
    pub fn enter(&mut self, now: Duration) -> Result<(), Duration> {
        match self.state(now) {
            Circuit::Closed => Ok(()),
            Circuit::Open => Err(self.remaining(now).unwrap_or_default()),
            Circuit::HalfOpen if self.trying => Err(Duration::from_secs(1)),
            Circuit::HalfOpen => {
                self.trying = true;
                Ok(())
            }
        }
    }

    /// A request that went through came back with an answer.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A request that went through failed by the source's fault.
    pub fn failed(&mut self, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.trying = false;
        if self.failures >= FAILURES {
            self.opened = Some(now);
        }
    }

    /// A request that went through ended without telling anything of the source: it was cancelled.
    pub fn left(&mut self) {
        self.trying = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn five_failures_open_it_and_one_success_closes_it() {
        let mut b = Breaker::default();
        for at in 0..4 {
            assert_eq!(b.enter(s(at)), Ok(()));
            b.failed(s(at));
            assert_eq!(b.state(s(at)), Circuit::Closed);
        }
        b.failed(s(4));
        assert_eq!(b.state(s(4)), Circuit::Open);
        assert_eq!(b.enter(s(10)), Err(s(24)));
        // After 30 s one request goes through, and only one.
        assert_eq!(b.state(s(34)), Circuit::HalfOpen);
        assert_eq!(b.enter(s(34)), Ok(()));
        assert_eq!(b.enter(s(34)), Err(s(1)));
        // It fails: twice as long a rest.
        b.failed(s(35));
        assert_eq!(b.enter(s(35)), Err(s(60)));
        assert_eq!(b.enter(s(95)), Ok(()));
        b.left();
        assert_eq!(b.enter(s(95)), Ok(()));
        b.succeeded();
        assert_eq!((b.state(s(95)), b.failures()), (Circuit::Closed, 0));
        // A success in between begins the count anew; a long outage rests eight minutes at most.
        for at in 0..50 {
            b.failed(s(at));
        }
        assert_eq!(b.enter(s(49)), Err(LONGEST_REST));
    }
}
