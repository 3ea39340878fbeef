//! What the words of a text mean on their own: concepts, terms, models, symbols, strategies.
//!
//! What: one index of phrases, built once from the vocabulary and the [`super::Lexicon`]; every place
//! of a text is looked up in it, and of one kind the longest phrase counts.
//! Data: places are numbers of tokens.
//! Cost: a map lookup a word; an unknown word of five or more letters is compared with all words
//! known, by an edit distance that gives up early.
//! Fails when: nothing fails. A word is mended only when one change (two from seven letters) makes it
//! a known word with the same first letter; a word with a capital is a name and is left alone.
//! Source: Damerau (1964) and its restricted form (optimal string alignment).

use super::Lexicon;
use super::text::{Piece, Token, stem, tokens};
use super::vocabulary::{
    ACRONYMS, COMMON, COMPANIES, CONCEPTS, Kind, MODEL_ALIASES, STRATEGY_ALIASES, TERMS, Term,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a phrase stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    /// A row of the concepts.
    Concept(&'static str),
    /// A value of a term.
    Term(Term, &'static str),
    /// An entry of the catalogue, by its place in the lexicon.
    Model(usize),
    /// A symbol.
    Symbol(String),
    /// A row of the ready-made strategies' names.
    Strategy(usize),
}

impl Seen {
    /// Of one kind the longest phrase counts.
    fn rivals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Concept(a), Self::Concept(b)) => a == b,
            (Self::Term(a, _), Self::Term(b, _)) => a == b,
            (Self::Model(_), Self::Model(_))
            | (Self::Symbol(_), Self::Symbol(_))
            | (Self::Strategy(_), Self::Strategy(_)) => true,
            _ => false,
        }
    }
}

/// Something seen, with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Note {
    pub(super) seen: Seen,
    /// First token.
    pub(super) from: usize,
    /// First token after it.
    pub(super) to: usize,
}

/// A phrase after its first word: keys, what it stands for, and which of its words end in "-ing" or
/// "-ed", first one included, where that matters: "stacking ridge" is a model, "stack ridge" a wish.
type Row = (Vec<String>, Seen, Option<Vec<bool>>);

/// Whether a word has an ending that its stem has lost.
fn inflected(word: &str) -> bool {
    word.ends_with("ing") || word.ends_with("ed")
}

/// The phrases known, by the key of their first word.
pub(super) struct Phrases {
    by_first: BTreeMap<String, Vec<Row>>,
    /// Words as they are written, whether they are a verb that asks (then before others), and their
    /// stems, for mending.
    words: Vec<(bool, Vec<char>, String)>,
    stems: BTreeSet<String>,
    symbols: BTreeSet<String>,
    /// Those with data.
    registered: BTreeSet<String>,
}

impl Phrases {
    pub(super) fn new(lexicon: &Lexicon) -> Self {
        let mut p = Self {
            by_first: BTreeMap::new(),
            words: Vec::new(),
            stems: BTreeSet::new(),
            symbols: lexicon.symbols.iter().map(|s| s.symbol.clone()).collect(),
            registered: lexicon.symbols.iter().map(|s| s.symbol.clone()).collect(),
        };
        for (name, _, phrases) in CONCEPTS {
            p.add(phrases, &Seen::Concept(name));
        }
        for (kind, value, phrases) in TERMS {
            p.add(phrases, &Seen::Term(*kind, value));
        }
        for (i, model) in lexicon.models.iter().enumerate() {
            let seen = Seen::Model(i);
            p.add(&model.id, &seen);
            p.add(&model.id.replace('_', " "), &seen);
            p.add(&model.title, &seen);
            for (id, phrases) in MODEL_ALIASES {
                if *id == model.id {
                    p.add(phrases, &seen);
                }
            }
        }
        for (i, (id, params, phrases)) in STRATEGY_ALIASES.iter().enumerate() {
            p.add(phrases, &Seen::Strategy(i));
            if params.is_empty() {
                p.add(id, &Seen::Strategy(i));
            }
        }
        for (symbol, phrases) in COMPANIES {
            p.add(phrases, &Seen::Symbol((*symbol).to_owned()));
            p.symbols.insert((*symbol).to_owned());
        }
        for s in &lexicon.symbols {
            for name in &s.names {
                p.add(name, &Seen::Symbol(s.symbol.clone()));
            }
        }
        for unit in super::time::WORDS {
            p.word(unit, false);
        }
        p.words.sort();
        p.words.dedup();
        for word in COMMON {
            p.stems.insert(stem(word));
        }
        p
    }

    fn add(&mut self, phrases: &str, seen: &Seen) {
        for phrase in phrases.split('|') {
            let pieces = tokens(phrase);
            let keys: Vec<String> = pieces
                .iter()
                .filter(|t| t.mark().is_none())
                .map(Token::key)
                .collect();
            let Some((first, rest)) = keys.split_first() else {
                continue;
            };
            if keys.iter().any(String::is_empty) {
                continue;
            }
            let asks =
                matches!(seen, Seen::Concept(c) if super::clause::kind(c) == Some(Kind::Ask));
            for t in pieces.iter().filter(|t| t.is_word()) {
                self.word(&t.lower, asks);
                // Both spellings, so that a slip in one is as near as a slip in the other.
                for (british, american) in [("yse", "yze"), ("ise", "ize"), ("isation", "ization")]
                {
                    if let Some(base) = t.lower.strip_suffix(british) {
                        self.word(&format!("{base}{american}"), asks);
                    }
                }
            }
            let exact = matches!(
                seen,
                Seen::Model(_) | Seen::Term(Term::State | Term::Task, _)
            )
            .then(|| {
                pieces
                    .iter()
                    .filter(|t| t.mark().is_none())
                    .map(|t| inflected(&t.lower))
                    .collect()
            });
            let row = (rest.to_vec(), seen.clone(), exact);
            let rows = self.by_first.entry(first.clone()).or_default();
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }

    fn word(&mut self, word: &str, asks: bool) {
        let key = stem(word);
        if word.len() >= 4 {
            self.words
                .push((!asks, word.chars().collect(), key.clone()));
        }
        self.stems.insert(key);
    }

    /// Mends misspelt words in place and says which.
    pub(super) fn mend(&self, tokens: &mut [Token]) -> Vec<String> {
        let mut told = Vec::new();
        for (i, t) in tokens.iter_mut().enumerate() {
            let capital = t.text.chars().next().is_some_and(char::is_uppercase);
            if !t.is_word()
                || (capital && (i > 0 || t.text.chars().skip(1).any(char::is_uppercase)))
                || t.lower.len() < 5
                || !t.lower.bytes().all(|b| b.is_ascii_lowercase())
                || self.stems.contains(&t.stem)
                || COMMON.contains(&t.lower.as_str())
            {
                continue;
            }
            let word: Vec<char> = t.lower.chars().collect();
            let most = if word.len() >= 7 { 2 } else { 1 };
            let best = self
                .words
                .iter()
                .filter(|(_, w, _)| {
                    w.first() == word.first() && w.len().abs_diff(word.len()) <= most
                })
                .filter_map(|(rank, w, key)| Some((distance(&word, w, most)?, rank, w, key)))
                // Two slips only in a verb that asks: "positive" is no "position".
                .filter(|(d, other, ..)| *d < 2 || !**other)
                // Of the nearest a verb that asks, then the longest common beginning, then the alphabet.
                .min_by(|a, b| {
                    let apart = |w: &[char]| {
                        word.len() - w.iter().zip(&word).take_while(|(a, b)| a == b).count()
                    };
                    // Letters that only changed places are nearest: "trian" is "train" and not "trial".
                    let letters = |w: &[char]| {
                        let (mut a, mut b) = (w.to_vec(), word.clone());
                        a.sort_unstable();
                        b.sort_unstable();
                        a != b
                    };
                    (a.0, a.1, letters(a.2), apart(a.2), a.2).cmp(&(
                        b.0,
                        b.1,
                        letters(b.2),
                        apart(b.2),
                        b.2,
                    ))
                });
            if let Some((_, _, w, key)) = best {
                let mended: String = w.iter().collect();
                told.push(format!("\"{}\" was read as \"{mended}\"", t.text));
                t.lower = mended;
                t.stem.clone_from(key);
            }
        }
        told
    }

    /// Everything that the tokens stand for, in their order.
    pub(super) fn notes(&self, tokens: &[Token]) -> Vec<Note> {
        let keys: Vec<String> = tokens.iter().map(Token::key).collect();
        let mut all = Vec::new();
        for from in 0..tokens.len() {
            if let Some(rows) = self
                .by_first
                .get(&keys[from])
                .filter(|_| !keys[from].is_empty())
            {
                for (rest, seen, exact) in rows {
                    let to = from + 1 + rest.len();
                    let same = |to: usize| {
                        exact.as_ref().is_none_or(|e| {
                            e.iter()
                                .zip(&tokens[from..to])
                                .all(|(e, t)| *e == inflected(&t.lower))
                        })
                    };
                    if to <= keys.len() && keys[from + 1..to] == rest[..] && same(to) {
                        all.push(Note {
                            seen: seen.clone(),
                            from,
                            to,
                        });
                    }
                }
            }
        }
        all.extend(self.tickers(tokens, &all));
        let kept: Vec<Note> = all
            .iter()
            .filter(|n| !all.iter().any(|o| hides(o, n)))
            .cloned()
            .collect();
        let mut kept = kept;
        kept.sort_by(|a, b| a.from.cmp(&b.from).then(b.to.cmp(&a.to)));
        kept
    }

    /// Symbols written as such: `$AAPL`, AAPL, and aapl when it is known and no English word.
    fn tickers(&self, tokens: &[Token], seen: &[Note]) -> Vec<Note> {
        let words = tokens.iter().filter(|t| t.is_word()).count();
        let capitals = tokens
            .iter()
            .filter(|t| t.is_word() && is_capitals(&t.text))
            .count();
        // "ANALYSE AAPL NOW": capitals say nothing here.
        let shouted = words >= 3 && capitals * 10 > words * 7;
        let mut found = Vec::new();
        for (i, t) in tokens.iter().enumerate() {
            let upper = t.text.to_uppercase();
            let known = self.symbols.contains(&upper);
            let named = seen.iter().any(|n| n.from <= i && i < n.to);
            let yes = match t.piece {
                Piece::Cashtag => true,
                Piece::Word if is_capitals(&t.text) => {
                    // One letter is a symbol where it is said to be one: "import ford.csv as F".
                    let said = i
                        .checked_sub(1)
                        .and_then(|p| tokens.get(p))
                        .is_some_and(|p| p.is(&["as", "symbol", "ticker"]));
                    let plain =
                        COMMON.contains(&t.lower.as_str()) || ACRONYMS.contains(&t.text.as_str());
                    if known {
                        (t.text.len() > 1 || said) && !(shouted && plain)
                    } else {
                        (2 - usize::from(said)..=5).contains(&t.text.len())
                            && t.text.bytes().all(|b| b.is_ascii_uppercase())
                            && !plain
                            && !named
                            && !shouted
                    }
                }
                Piece::Word => {
                    // Two letters are one where there are data of it: "ge", "ko", but not "5 ms".
                    let counted = i
                        .checked_sub(1)
                        .and_then(|p| tokens.get(p))
                        .is_some_and(|p| matches!(p.piece, Piece::Number { .. }));
                    known
                        && (t.text.len() >= 3
                            || (t.text.len() == 2 && self.registered.contains(&upper) && !counted))
                        && t.text == t.lower
                        && !COMMON.contains(&t.lower.as_str())
                        && !named
                }
                _ => false,
            };
            if yes {
                found.push(Note {
                    seen: Seen::Symbol(upper),
                    from: i,
                    to: i + 1,
                });
            }
        }
        found
    }
}

fn is_capitals(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_uppercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether `a` takes the place of `b`: a longer one of the same kind over it, or a longer concept
/// over a concept inside it, or a strategy or company over a model inside it.
fn hides(a: &Note, b: &Note) -> bool {
    let longer = a.to - a.from > b.to - b.from;
    let inside = a.from <= b.from && b.to <= a.to;
    let overlaps = a.from < b.to && b.from < a.to;
    let across = matches!(
        (&a.seen, &b.seen),
        (Seen::Concept(_), Seen::Concept(_))
            | (Seen::Strategy(_) | Seen::Symbol(_), Seen::Model(_))
            | (Seen::Model(_), Seen::Symbol(_) | Seen::Strategy(_))
            // In "hierarchical risk parity" nobody asks for a risk.
            | (Seen::Term(Term::Allocation, "risk_parity" | "hierarchical_risk_parity" | "min_variance"), Seen::Concept(_))
            | (Seen::Symbol(_), Seen::Concept(_) | Seen::Term(..))
    );
    longer && ((overlaps && a.seen.rivals(&b.seen)) || (inside && across))
}

/// Changes (insert, drop, replace, swap neighbours) from one word to the other, if at most `most`.
fn distance(a: &[char], b: &[char], most: usize) -> Option<usize> {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut d = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                d = d.min(before[j - 2] + 1);
            }
            row[j] = d;
        }
        if row.iter().all(|d| *d > most) {
            return None;
        }
        before = last;
        last = row;
    }
    last.last().copied().filter(|d| *d <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_changes() {
        let d = |a: &str, b: &str| {
            distance(
                &a.chars().collect::<Vec<_>>(),
                &b.chars().collect::<Vec<_>>(),
                2,
            )
        };
        assert_eq!(d("train", "train"), Some(0));
        assert_eq!(d("trian", "train"), Some(1));
        assert_eq!(d("momentun", "momentum"), Some(1));
        assert_eq!(d("compair", "compare"), Some(2));
        assert_eq!(d("kitten", "sitting"), None);
    }
}
