//! From nothing to the whole catalogue as outside programs see it. Figure: under 10 ms.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn catalogue(c: &mut Criterion) {
    let mut group = c.benchmark_group("catalogue");
    group.bench_function("ready", |b| {
        b.iter(|| black_box(mltrainer_backtest::registry()).catalogue());
    });
    group.bench_function("as_json", |b| {
        b.iter(|| serde_json::to_string(&mltrainer_backtest::registry().catalogue()));
    });
    let registry = mltrainer_backtest::registry();
    group.bench_function("find", |b| {
        b.iter(|| registry.find(black_box("random_forest_50")).is_some());
    });
    group.bench_function("nearest_of_an_unknown_name", |b| {
        b.iter(|| registry.nearest(black_box("random_forrest_5")));
    });
    group.finish();
}

criterion_group!(benches, catalogue);
criterion_main!(benches);
