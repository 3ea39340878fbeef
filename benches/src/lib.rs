//! What the benches share: long bars, services in this process, a system clock.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be set up stops with what was missing"
)]

use chrono::{DateTime, Days, Utc};
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled;
use mltrainer_services::port::Clock;
use mltrainer_services::{AssistantParts, Parts, Services, Sources};
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

/// So many symbols of so many days with all columns: bundled bars without splits in turn, repeated
/// until the days are full. They exist in a bench only and never pass the gate. The peer in
/// `benches/peers` makes the same panel.
///
/// # Panics
/// When a bundled file is not readable.
#[must_use]
pub fn panel(symbols: usize, days: usize) -> Vec<Bars> {
    let sources: Vec<Bars> = ["IBM", "SPX", "IXIC"]
        .map(|s| bundled::bars(s).expect("the bundled bars").content)
        .into();
    let tile = |column: &[f64]| -> Vec<f64> { column.iter().copied().cycle().take(days).collect() };
    (0..symbols)
        .map(|n| {
            let source = &sources[n % sources.len()];
            let first = source.dates[0];
            Bars {
                symbol: format!("S{n}"),
                dates: (0..days as u64).map(|d| first + Days::new(d)).collect(),
                open: source.open.as_deref().map(tile),
                high: source.high.as_deref().map(tile),
                low: source.low.as_deref().map(tile),
                close: tile(&source.close),
                volume: source.volume.as_deref().map(tile),
            }
        })
        .collect()
}

/// The most memory this process has held, in MiB, as the kernel counts it; NaN where it does not.
#[must_use]
pub fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.map_or(f64::NAN, |k| k / 1024.0)
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
        trials: store.clone(),
        backtests: store.clone(),
        optimisations: store.clone(),
        portfolio: store.clone(),
        chat: store.clone(),
        goals: store.clone(),
        alerts: store.clone(),
        coaches: store.clone(),
        tokens: store.clone(),
        papers: store.clone(),
        learning: store,
        paper_reader: None,
        assistant: AssistantParts::default(),
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
