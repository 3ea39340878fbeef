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
