//! A walk-forward trial from the request to the verdict, in this process, every step committed to
//! SQLite on the disk.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot run says why and ends"
)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mltrainer_bench::services;
use mltrainer_types::trial::{TrialRequest, TrialState};
use serde_json::json;

/// Ridge and a forest beside the baselines, 5 windows over 9 years of one symbol.
fn request(seed: u64) -> TrialRequest {
    serde_json::from_value(json!({
        "symbols": ["AAPL"], "source": "bundled", "start": "2004-01-01", "end": "2012-12-31",
        "target": "log_volatility", "horizons": [5], "models": ["ridge", "random_forest_50"],
        "validation": {"kind": "walk_forward", "folds": 5, "embargo": 5}, "seed": seed
    }))
    .expect("a request of the contract's shape")
}

fn trial(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("trial");
    group.sample_size(10);
    for threads in [1, 2] {
        let folder = tempfile::tempdir().expect("a folder");
        let services = runtime.block_on(services(folder.path(), threads));
        let mut seed = 0;
        group.bench_function(
            BenchmarkId::new("walk_forward", format!("{threads}_threads")),
            |b| {
                b.iter(|| {
                    seed += 1;
                    runtime.block_on(async {
                        let made = services
                            .create_trial("bench", request(seed), None)
                            .await
                            .expect("a trial");
                        while !services
                            .trial(made.id.as_str())
                            .await
                            .expect("the trial")
                            .state
                            .is_final()
                        {
                            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                        }
                    })
                });
            },
        );
        let last = runtime.block_on(services.trials(None)).expect("the list");
        assert!(last.items.iter().all(|t| t.state == TrialState::Finished));
        runtime.block_on(services.shutdown());
    }
    group.finish();
}

criterion_group!(benches, trial);
criterion_main!(benches);
