//! All features over 20 symbols of 8,000 days, one symbol after the other on one thread.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mltrainer_bench::long_bars;
use mltrainer_features::{Context, compute};

fn features(c: &mut Criterion) {
    let universe = long_bars(20, 8_000);
    let mut group = c.benchmark_group("features");
    group.sample_size(10);
    group.throughput(Throughput::Elements(20 * 8_000));
    group.bench_function("20_symbols_x_8000_days", |b| {
        b.iter(|| {
            universe
                .iter()
                .map(|bars| compute(bars, &Context::default(), &[]).map(|t| t.columns.len()))
                .collect::<Result<Vec<_>, _>>()
        });
    });
    group.finish();
}

criterion_group!(benches, features);
criterion_main!(benches);
