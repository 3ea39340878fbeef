//! Tests of the parser's rules over its own tables.

use super::clause::kind;
use super::patterns::PATTERNS;
use super::score::{Element, elements};
use super::vocabulary::Kind;
use mltrainer_types::assistant::{ACTIONS, Permission, spec};

#[test]
fn every_action_has_patterns_in_the_order_of_the_list() {
    let ids: Vec<&str> = PATTERNS.iter().map(|p| p.0).collect();
    let wanted: Vec<&str> = ACTIONS.iter().map(|a| a.id).collect();
    assert_eq!(ids, wanted);
}

#[test]
fn patterns_name_only_what_there_is() {
    for (id, patterns) in PATTERNS {
        for p in *patterns {
            for e in elements(p) {
                if let Element::Need(names) | Element::Welcome(names) | Element::Without(names) = e
                {
                    for n in names.split('|').filter(|n| !n.starts_with('@')) {
                        assert!(
                            kind(n.trim_start_matches('#')).is_some(),
                            "{id}: {n} in \"{p}\""
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_is_changed_without_a_word_that_asks() {
    for (id, patterns) in PATTERNS {
        if spec(id).unwrap().permission == Permission::Look {
            continue;
        }
        for p in *patterns {
            let asks = elements(p).any(|e| {
                matches!(e, Element::Need(names) if names.split('|').all(|n| {
                    !n.starts_with('@') && kind(n.trim_start_matches('#')) == Some(Kind::Ask)
                }))
            });
            // A file of a paper has no other use than to be read.
            assert!(asks || p.contains("@pdf"), "{id}: \"{p}\" asks for nothing");
        }
    }
}
// DEBUG-BEGIN
#[test]
fn debug_scores() {
    let Ok(text) = std::env::var("SENT") else {
        return;
    };
    let models = include_str!("../../tests/data/models.tsv")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| {
            let f: Vec<&str> = l.split('\t').collect();
            super::ModelName {
                id: f[0].into(),
                title: f[1].into(),
                family: f[2].into(),
                tasks: f[3].split(',').map(str::to_owned).collect(),
            }
        })
        .collect();
    let p = super::Parser::new(super::Lexicon {
        symbols: vec![],
        models,
    });
    for text in text.split('|') {
        let mut t = super::text::tokens(text);
        println!("== {text}\nmended {:?}", p.phrases.mend(&mut t));
        let chars: Vec<char> = text.chars().collect();
        let ctx = super::Context {
            last_trial: Some("t-0190aaaa".into()),
            ..super::Context::new(chrono::NaiveDate::from_ymd_opt(2024, 6, 14).unwrap())
        };
        let c = p.clause(&chars, &t, &ctx);
        println!(
            "{:?}",
            c.notes
                .iter()
                .map(|n| format!("{:?}@{}", n.seen, n.from))
                .collect::<Vec<_>>()
        );
        println!("{:?} {:?} rules {:?}", c.durations, c.days, c.rules());
        for s in super::score::scores(&c).iter().take(5) {
            println!("{:?}", s);
        }
    }
}
// DEBUG-END
