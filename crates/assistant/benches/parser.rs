//! Time of one sentence: the workflows, one that is not understood, one with slips, and 10,000 characters.

use chrono::NaiveDate;
use criterion::{Criterion, criterion_group, criterion_main};
use mltrainer_assistant::parser::{Context, Lexicon, ModelName, Parser, SymbolName};
use std::hint::black_box;

fn sentences(c: &mut Criterion) {
    let models = include_str!("../tests/data/models.tsv")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| {
            let mut f = l.split('\t').map(str::to_owned);
            Some(ModelName {
                id: f.next()?,
                title: f.next()?,
                family: f.next()?,
                tasks: f.next()?.split(',').map(str::to_owned).collect(),
            })
        })
        .collect();
    // As many symbols as a large store would hold.
    let symbols = (0..2_000)
        .map(|i| SymbolName {
            symbol: format!("S{i}"),
            names: vec![format!("company number {i}")],
        })
        .collect();
    let parser = Parser::new(Lexicon { symbols, models });
    let context = Context {
        last_trial: Some("t-0190aaaa".to_owned()),
        ..Context::new(NaiveDate::default())
    };
    let long = "compare ridge with a forest on AAPL and let me know of the volatlity over 5 days; "
        .repeat(125);
    for (name, text) in [
        ("analyse", "Analyze momentum for AAPL over next 7-10 days"),
        (
            "optimise",
            "Optimize my portfolio for maximum Sharpe using momentum stocks",
        ),
        (
            "develop",
            "Develop a strategy based on unusual options activity and earnings momentum",
        ),
        (
            "option",
            "Price an American put on IBM, strike 180, expiring in 6 months, volatility 22%, rate 3%",
        ),
        (
            "slips",
            "plese trian a randm forrest on micosoft ovr the nxt twentty days",
        ),
        (
            "nothing",
            "the quick brown foxes jumped across several sleeping puppies yesterday afternoon",
        ),
        ("10,000 characters", long.as_str()),
    ] {
        c.bench_function(name, |b| b.iter(|| parser.parse(black_box(text), &context)));
    }
}

criterion_group!(benches, sentences);
criterion_main!(benches);
