//! Words as the index of the memory sees them: to say which places of a text a search found.
//!
//! What: runs of letters and digits in small letters without accents, brought to their stem by Porter's
//! rules (M. F. Porter, "An algorithm for suffix stripping", Program 14, 1980) in the form that SQLite's
//! FTS5 has them; a test compares both. The index itself decides what is found, this only marks it.

use std::ops::Range;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// Longest word, in bytes, that has a stem of its own.
const LONGEST: usize = 64;

/// Endings and what takes their place; the first that a word has is the only one looked at.
type Rules = [(&'static [u8], &'static [u8])];

const STEP_2: &Rules = &[
    (b"ational", b"ate"),
    (b"tional", b"tion"),
    (b"enci", b"ence"),
    (b"anci", b"ance"),
    (b"izer", b"ize"),
    (b"logi", b"log"),
    (b"bli", b"ble"),
    (b"alli", b"al"),
    (b"entli", b"ent"),
    (b"eli", b"e"),
    (b"ousli", b"ous"),
    (b"ization", b"ize"),
    (b"ation", b"ate"),
    (b"ator", b"ate"),
    (b"alism", b"al"),
    (b"iveness", b"ive"),
    (b"fulness", b"ful"),
    (b"ousness", b"ous"),
    (b"aliti", b"al"),
    (b"iviti", b"ive"),
    (b"biliti", b"ble"),
];

const STEP_3: &Rules = &[
    (b"ical", b"ic"),
    (b"ness", b""),
    (b"icate", b"ic"),
    (b"iciti", b"ic"),
    (b"ful", b""),
    (b"ative", b""),
    (b"alize", b"al"),
];

const STEP_4: &Rules = &[
    (b"al", b""),
    (b"ance", b""),
    (b"ence", b""),
    (b"er", b""),
    (b"ic", b""),
    (b"able", b""),
    (b"ible", b""),
    (b"ant", b""),
    (b"ement", b""),
    (b"ment", b""),
    (b"ent", b""),
    (b"ion", b""),
    (b"ou", b""),
    (b"ism", b""),
    (b"ate", b""),
    (b"iti", b""),
    (b"ous", b""),
    (b"ive", b""),
    (b"ize", b""),
];

/// Whether each letter is a consonant; y is one at the beginning and after a vowel.
fn consonants(word: &[u8]) -> impl Iterator<Item = bool> {
    let mut before = false;
    word.iter().map(move |c| {
        before = !(b"aeiou".contains(c) || (before && *c == b'y'));
        before
    })
}

/// How often a consonant follows a vowel: the measure m of the rules.
fn measure(word: &[u8]) -> usize {
    let mut before = true;
    consonants(word)
        .filter(|c| std::mem::replace(&mut before, *c) != *c && *c)
        .count()
}

/// Ends with consonant, vowel, consonant, the last not w, x or y.
fn is_short(word: &[u8]) -> bool {
    let shape: Vec<bool> = consonants(word).collect();
    shape.ends_with(&[true, false, true])
        && !word.ends_with(b"w")
        && !word.ends_with(b"x")
        && !word.ends_with(b"y")
}

fn has_vowel(word: &[u8]) -> bool {
    word.iter()
        .enumerate()
        .any(|(i, c)| b"aeiou".contains(c) || (i > 0 && *c == b'y'))
}

/// What stands before an ending, when something does.
fn before<'a>(word: &'a [u8], ending: &[u8]) -> Option<&'a [u8]> {
    word.strip_suffix(ending).filter(|stem| !stem.is_empty())
}

/// Changes the first ending of the table that the word has, when its stem measures more than `least`.
fn apply(word: &mut Vec<u8>, rules: &Rules, least: usize) {
    let found = rules
        .iter()
        .find_map(|(ending, new)| Some((before(word, ending)?, *ending, *new)));
    let Some((stem, ending, new)) = found else {
        return;
    };
    let allowed = ending != b"ion" || stem.ends_with(b"s") || stem.ends_with(b"t");
    if allowed && measure(stem) > least {
        let keep = stem.len();
        word.truncate(keep);
        word.extend_from_slice(new);
    }
}

fn step_1(word: &mut Vec<u8>) {
    if word.ends_with(b"s") && !word.ends_with(b"ss") {
        let two = before(word, b"sses").is_some() || before(word, b"ies").is_some();
        word.truncate(word.len() - if two { 2 } else { 1 });
    }
    let cut = if let Some(stem) = before(word, b"eed") {
        if measure(stem) > 0 {
            word.pop();
        }
        None
    } else {
        before(word, b"ed")
            .or_else(|| before(word, b"ing"))
            .filter(|stem| has_vowel(stem))
            .map(<[u8]>::len)
    };
    if let Some(keep) = cut {
        word.truncate(keep);
        let doubled = |w: &[u8]| match w {
            [.., a, b] => a == b && !b"aeioulsz".contains(b),
            _ => false,
        };
        if [&b"at"[..], b"bl", b"iz"]
            .iter()
            .any(|e| before(word, e).is_some())
        {
            word.push(b'e');
        } else if doubled(word) {
            word.pop();
        } else if measure(word) == 1 && is_short(word) {
            word.push(b'e');
        }
    }
    if let Some(stem) = word.strip_suffix(b"y")
        && has_vowel(stem)
    {
        word.pop();
        word.push(b'i');
    }
}

/// The stem of a word in small letters without accents.
pub(crate) fn stem(word: &str) -> String {
    if word.len() < 3 || word.len() > LONGEST {
        return word.to_owned();
    }
    let mut w = word.as_bytes().to_vec();
    step_1(&mut w);
    apply(&mut w, STEP_2, 0);
    apply(&mut w, STEP_3, 0);
    apply(&mut w, STEP_4, 1);
    if let Some(stem) = w.strip_suffix(b"e") {
        let m = measure(stem);
        if m > 1 || (m == 1 && !is_short(stem)) {
            w.pop();
        }
    }
    if w.ends_with(b"ll") && measure(&w[..w.len() - 1]) > 1 {
        w.pop();
    }
    // Endings are ASCII: what is left of a text is one.
    String::from_utf8(w).unwrap_or_else(|_| word.to_owned())
}

/// Calls with the place and the plain form (small, without accents, not yet its stem) of each word.
fn each(text: &str, mut found: impl FnMut(Range<usize>, &str)) {
    let mut word = String::new();
    let mut start = 0;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if c.is_ascii_alphanumeric() {
            if word.is_empty() {
                start = at;
            }
            word.push(c.to_ascii_lowercase());
        } else if c.is_alphanumeric() || (is_combining_mark(c) && !word.is_empty()) {
            if word.is_empty() {
                start = at;
            }
            for small in c.to_lowercase() {
                decompose_canonical(small, |part| {
                    if !is_combining_mark(part) {
                        word.push(part);
                    }
                });
            }
        } else if !word.is_empty() {
            found(start..at, &word);
            word.clear();
        }
    }
}

/// The stems of a text, in order.
pub(crate) fn stems(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    each(text, |_, word| all.push(stem(word)));
    all
}

/// Where the phrases (each a list of stems) stand in a text: the place and the number of the phrase, in order of
/// the places, none within another.
pub(crate) fn places(text: &str, phrases: &[Vec<String>]) -> Vec<(Range<usize>, usize)> {
    let known: Vec<&String> = phrases.iter().flatten().collect();
    // A stem begins as its word does: nearly all words of a text are done with here.
    let begins: Vec<Option<char>> = known.iter().map(|s| s.chars().next()).collect();
    let mut words: Vec<(Range<usize>, Option<String>)> = Vec::new();
    each(text, |place, word| {
        let may = begins.contains(&word.chars().next());
        let stem = may.then(|| stem(word)).filter(|s| known.contains(&s));
        words.push((place, stem));
    });
    let mut found: Vec<(Range<usize>, usize)> = Vec::new();
    let mut i = 0;
    while i < words.len() {
        let here = phrases.iter().position(|phrase| {
            let run = words.get(i..i + phrase.len()).unwrap_or_default();
            !run.is_empty()
                && run
                    .iter()
                    .zip(phrase)
                    .all(|((_, s), p)| s.as_ref() == Some(p))
        });
        match here {
            Some(n) => {
                let last = i + phrases[n].len() - 1;
                found.push((words[i].0.start..words[last].0.end, n));
                i = last + 1;
            }
            None => i += 1,
        }
    }
    found
}
