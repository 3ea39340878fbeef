//! What the benches share: long bars, services in this process, a system clock.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be set up stops with what was missing"
)]

use chrono::{DateTime, Days, Utc};
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled;
use mltrainer_services::port::Clock;
use mltrainer_services::{Parts, Services, Sources};
use mltrainer_store::SqliteStore;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many symbols of so many days with all columns: the bundled S&P 500 bars, laid end to end under
/// later dates and other names. They exist in a bench only and never pass the gate.
///
/// # Panics
/// When the bundled file is not readable.
#[must_use]
pub fn long_bars(symbols: usize, days: usize) -> Vec<Bars> {
    let spx = bundled::bars("SPX").expect("the bundled bars").content;
    let tile = |column: &Option<Vec<f64>>| {
        column
            .as_ref()
            .map(|c| c.iter().copied().cycle().take(days).collect())
    };
    let first = spx.dates[0];
    (0..symbols)
        .map(|n| Bars {
            symbol: format!("LONG{n}"),
            dates: (0..days as u64).map(|d| first + Days::new(d)).collect(),
            open: tile(&spx.open),
            high: tile(&spx.high),
            low: tile(&spx.low),
            close: spx.close.iter().copied().cycle().take(days).collect(),
            volume: tile(&spx.volume),
        })
        .collect()
}

/// The machine's clock.
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(now())
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "a bench measures time; it is handed to what it measures"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The use cases in this process on a database in `folder`, with the bundled data installed.
///
/// # Panics
/// When the folder cannot be written.
pub async fn services(folder: &Path, threads: usize) -> Services {
    let clock = Arc::new(SystemClock::default());
    let store = SqliteStore::open(folder, "bench", clock.clone())
        .await
        .expect("a database in the folder");
    let store = Arc::new(store);
    let services = Services::new(Parts {
        datasets: store.clone(),
        audit: store.clone(),
        trials: store,
        library: folder.to_owned(),
        sources: Sources::none(),
        clock,
        threads,
    })
    .expect("a library in the folder");
    services.start();
    services.recover().await.expect("the bundled data");
    services
}

/// Lets this process and those it starts open some thousand connections, where the system's own
/// limit is lower and may be raised.
pub fn allow_many_connections() {
    let pid = std::process::id().to_string();
    // Part of util-linux; where it is missing, the usual limit of 1,024 is told by what fails.
    let _ = std::process::Command::new("prlimit")
        .args(["--pid", &pid, "--nofile=8192:"])
        .output();
}

/// The time of this moment, for measuring.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub fn now() -> Instant {
    Instant::now()
}
