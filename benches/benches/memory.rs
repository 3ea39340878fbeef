//! Search in a memory of 100,000 messages. Figure: under 5 ms a search, for every kind of words.
//!
//! The messages are sentences of this repository's documents and of the phrasings that the parser is tested
//! with, put together anew; they exist in this bench only. They are stored one by one, as conversations store
//! them, in a folder under `target` that later runs use again.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be set up stops with what was missing"
)]

use chrono::{DateTime, Duration, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use mltrainer_bench::{SystemClock, now};
use mltrainer_services::port::{ChatStore as _, MemoryQuery};
use mltrainer_store::SqliteStore;
use mltrainer_types::chat::{ChatMessage, ChatRole};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Messages of the memory.
const MESSAGES: usize = 100_000;

/// Messages of a conversation.
const EACH: usize = 200;

/// Minutes between two messages: the memory reaches back almost two years.
const MINUTES: i64 = 10;

/// Words of each kind that are searched for, and how often each.
const WORDS: usize = 40;
const TIMES: usize = 5;

/// The moment of the last message.
fn today() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("a time")
}

/// What people say, and sentences of the documents.
fn texts() -> (Vec<String>, Vec<String>) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |file: &Path| std::fs::read_to_string(file).expect("a file of the repository");
    let said = read(&Path::new(root).join("crates/assistant/tests/data/phrasings.tsv"))
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split('\t').next())
        .filter(|l| !l.is_empty())
        .map(str::to_owned)
        .collect();
    let mut files: Vec<_> = std::fs::read_dir(Path::new(root).join("docs"))
        .expect("the documents")
        .map(|f| f.expect("a file").path())
        .filter(|f| f.extension().is_some_and(|e| e == "md"))
        .collect();
    files.sort();
    let mut sentences = Vec::new();
    for file in files {
        let text = read(&file).replace(['|', '\n'], " ");
        let long = text
            .split(". ")
            .map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "));
        sentences.extend(long.filter(|s| (20..2_000).contains(&s.len())));
    }
    (said, sentences)
}

/// All messages, oldest first: a question, what two agents say, and a longer answer, again and again.
fn messages() -> Vec<ChatMessage> {
    let (said, sentences) = texts();
    let models = ["ridge", "random_forest", "lstm", "garch", "xgboost"];
    (0..MESSAGES)
        .map(|n| {
            let (turn, place) = (n / 4, n % 4);
            // Prime steps: neighbours differ, and no two turns are alike soon.
            let sentence =
                |i: usize| sentences[(turn * 7_919 + i * 101) % sentences.len()].as_str();
            let question = said[(turn * 31) % said.len()].clone();
            let long = 2 + turn % 5;
            let (role, author, text, importance) = match place {
                0 => (ChatRole::User, "user", question, 0.5),
                1 => (ChatRole::Agent, "Data agent", sentence(1).to_owned(), 0.2),
                2 => (ChatRole::Agent, "Model agent", sentence(2).to_owned(), 0.2),
                _ => {
                    let all: Vec<&str> = (3..3 + long).map(sentence).collect();
                    (ChatRole::Assistant, "mlTrainer", all.join(". "), 0.4)
                }
            };
            let back = MINUTES * (MESSAGES - 1 - n) as i64;
            ChatMessage {
                seq: 0,
                conversation: format!(
                    "c-018f{:04x}-7000-7abc-8def-{:012x}",
                    n / EACH,
                    (n / EACH + 1) * 7_919_317
                )
                .into(),
                at: today() - Duration::minutes(back),
                role,
                author: author.to_owned(),
                answers: (place > 0).then_some((n % EACH - place + 1) as i64),
                text,
                pieces: Vec::new(),
                citations: Vec::new(),
                cards: Vec::new(),
                question: None,
                model: None,
                usage: None,
                cost: None,
                importance,
                topics: if place == 3 {
                    vec![
                        "analyze_symbol".to_owned(),
                        models[turn % models.len()].to_owned(),
                    ]
                } else {
                    Vec::new()
                },
            }
        })
        .collect()
}

/// The store with all messages in it.
async fn memory(all: &[ChatMessage]) -> SqliteStore {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("memory-100000");
    let open = || SqliteStore::open(&folder, "bench", Arc::new(SystemClock::default()));
    let last = &all[all.len() - 1];
    if folder.exists() {
        let store = open().await.expect("a database in the folder");
        let newest = store
            .last_messages(&last.conversation, None, 1)
            .await
            .expect("messages");
        if newest
            .iter()
            .any(|m| m.text == last.text && m.at == last.at)
        {
            return store;
        }
        store.close().await;
        std::fs::remove_dir_all(&folder).expect("a folder of an older run");
    }
    std::fs::create_dir_all(&folder).expect("a folder");
    let store = open().await.expect("a database in the folder");
    let begin = now();
    for message in all {
        store
            .say(message.clone(), None, Vec::new())
            .await
            .expect("a stored message");
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{MESSAGES} messages stored one by one in {seconds:.0} s");
    store
}

/// Searches by what they look for.
fn searches(all: &[ChatMessage]) -> Vec<(String, Vec<MemoryQuery>)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for m in all {
        let text = m.text.to_lowercase();
        let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
        for word in words.into_iter().filter(|w| w.len() > 1) {
            *counts.entry(word.to_owned()).or_default() += 1;
        }
    }
    let search = |words: &str| MemoryQuery {
        words: words.to_owned(),
        now: today(),
        limit: 20,
        ..MemoryQuery::default()
    };
    let spread = |mut words: Vec<&String>| -> Vec<MemoryQuery> {
        let step = words.len().div_ceil(WORDS).max(1);
        words.sort();
        words.into_iter().step_by(step).map(|w| search(w)).collect()
    };
    let mut kinds = Vec::new();
    for (least, most) in [
        (30_000, MESSAGES),
        (10_000, 30_000),
        (1_000, 10_000),
        (100, 1_000),
        (1, 100),
    ] {
        let words = counts.iter().filter(|(_, n)| (least..most).contains(*n));
        let name = format!("a word in {least} to {most} messages");
        kinds.push((name, spread(words.map(|(w, _)| w).collect())));
    }
    let questions: BTreeSet<&String> = all.iter().step_by(4).map(|m| &m.text).collect();
    let questions = || spread(questions.iter().copied().collect());
    kinds.push(("a whole question".to_owned(), questions()));
    let with = |change: &dyn Fn(&mut MemoryQuery, usize)| {
        let mut all = questions();
        for (n, query) in all.iter_mut().enumerate() {
            change(query, n);
        }
        all
    };
    kinds.push((
        "the same in one conversation".to_owned(),
        with(&|q, n| q.conversation = Some(all[(n * 2_477) % MESSAGES].conversation.clone())),
    ));
    kinds.push((
        "the same in a month of a year ago".to_owned(),
        with(&|q, _| {
            q.since = Some(today() - Duration::days(395));
            q.until = Some(today() - Duration::days(365));
        }),
    ));
    kinds.push((
        "the same on a topic".to_owned(),
        with(&|q, _| q.topics = vec!["random_forest".to_owned()]),
    ));
    kinds
}

fn search(c: &mut Criterion) {
    let all = messages();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = runtime.block_on(memory(&all));
    let kinds = searches(&all);
    println!("| search for | searches | found | median, ms | 99 of 100 under, ms | worst, ms |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (name, queries) in &kinds {
        let (mut times, mut found) = (Vec::new(), 0);
        for query in std::iter::repeat_n(queries, TIMES).flatten() {
            let begin = now();
            let hits = runtime.block_on(store.remember(query)).expect("hits");
            times.push(begin.elapsed().as_secs_f64() * 1e3);
            found += usize::from(!hits.is_empty());
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "| {name} | {} | {:.0} % | {:.2} | {:.2} | {:.2} |",
            times.len(),
            100.0 * found as f64 / times.len() as f64,
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
    let mut group = c.benchmark_group("memory");
    for (name, queries) in &kinds {
        let mut turn = queries.iter().cycle();
        group.bench_function(name.as_str(), |b| {
            b.iter(|| {
                let query = turn.next().expect("a search");
                runtime.block_on(store.remember(query)).expect("hits").len()
            });
        });
    }
    group.finish();
    runtime.block_on(store.close());
}

criterion_group!(benches, search);
criterion_main!(benches);
