//! What a sentence says not to do, and words that take everything back.
//!
//! What: a part of a sentence, from mark to mark, that begins with "don't", "never", "without", "no need"
//! is denied and left out; what remains may ask for something ("don't start anything, just show me ...").
//! Fails when: a denial says nothing of its own ("do not, ever, ..."): then everything after it is
//! denied. "Don't train, fit or test" denies all that is joined with "or".
//! Not claimed: double negations.

use super::text::Token;

const BEFORE: &[&str] = &[
    "please", "i", "we", "you", "ok", "okay", "so", "and", "but", "well", "no", "yes", "just",
    "really", "now", "would", "rather", "thanks", "hey", "there", "is", "theres", "simply", "also",
];

const AUXILIARIES: &[&str] = &[
    "do", "should", "must", "will", "am", "are", "is", "was", "were", "would", "could", "did",
    "have",
];

/// Whether the whole text takes back what was said before it.
///
/// To a question, a mere "no thanks" or "cancel" does it too.
pub(super) fn withdrawn(tokens: &[Token], asked: bool) -> bool {
    let no = tokens
        .iter()
        .any(|t| t.is(&["no", "cancel", "stop", "nope", "nah"]));
    if asked
        && no
        && tokens.iter().all(|t| {
            t.mark().is_some()
                || t.is(&[
                    "no", "nope", "nah", "cancel", "stop", "thanks", "thank", "you", "please",
                    "that", "it",
                ])
        })
    {
        return true;
    }
    let words: Vec<&str> = tokens
        .iter()
        .filter(|t| {
            t.mark().is_none()
                && !t.is(&[
                    "please", "ok", "okay", "oh", "no", "then", "just", "actually", "sorry",
                ])
        })
        .map(|t| t.lower.as_str())
        .collect();
    matches!(
        words.as_slice(),
        ["forget", "it" | "that" | "about"]
            | ["forget", "about", "it" | "that"]
            | ["never", "mind"]
            | ["nevermind"]
            | ["nothing"]
            | ["leave" | "skip", "it" | "that"]
            | ["doesnt" | "dont", "matter" | "bother"]
            | ["not", "now"]
    )
}

/// The parts between marks and "but": first token, first token after it.
fn parts(tokens: &[Token]) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (i, t) in tokens.iter().enumerate() {
        let ends = t.mark().is_some_and(|c| ",;.!?".contains(c));
        let but = t.is(&["but"]) || (t.is(&["just", "instead"]) && i > from + 1);
        if ends || but {
            if i > from {
                parts.push((from, i));
            }
            from = i + usize::from(ends);
        }
    }
    if from < tokens.len() {
        parts.push((from, tokens.len()));
    }
    parts
}

/// What a part begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    Plain,
    /// A denial, with words of its own or without.
    Denial {
        empty: bool,
    },
}

fn begin(part: &[Token]) -> Begin {
    let mut i = 0;
    while part.get(i).is_some_and(|t| t.is(BEFORE))
        && !no(part, i)
        && !part
            .get(i + 1)
            .is_some_and(|n| n.is(&["not", "never"]) && part[i].is(AUXILIARIES))
    {
        i += 1;
    }
    let is = |k: usize, words: &[&str]| part.get(k).is_some_and(|t| t.is(words));
    let to = if is(
        i,
        &[
            "dont", "cannot", "cant", "mustnt", "shouldnt", "wont", "without", "not", "didnt",
            "havent", "wouldnt",
        ],
    ) || (is(i, &["never"]) && !is(i + 1, &["mind"]))
    {
        i + 1
    } else if is(i, &["before", "unless", "until"]) && is(i + 1, &["you", "we", "i"]) {
        // "before you train anything, ask me".
        i + 2
    } else if (is(i, AUXILIARIES) && is(i + 1, &["not", "never"])) || no(part, i) {
        i + 2
    } else {
        return Begin::Plain;
    };
    Begin::Denial {
        empty: part.len() <= to,
    }
}

/// "no need", "no new trial", "no backtest".
fn no(part: &[Token], i: usize) -> bool {
    part.get(i).is_some_and(|t| t.is(&["no"]))
        && part.get(i + 1).is_some_and(|t| {
            t.is(&[
                "need",
                "new",
                "trial",
                "trials",
                "backtest",
                "backtests",
                "training",
                "test",
                "analysis",
            ])
        })
}

/// Words of what may be wanted in a denial: "don't alert me", "I don't agree with your choice".
const ENDED: &[&str] = &[
    "alert",
    "alerts",
    "alerting",
    "alarm",
    "alarms",
    "watch",
    "watching",
    "monitor",
    "monitoring",
    "notify",
    "notifications",
    "notification",
    "warn",
    "warning",
    "warnings",
    "ping",
    "track",
    "tracking",
    "choice",
    "selection",
    "agree",
    "message",
];

/// The tokens without what is denied. `wanted` says of a denied part that it asks for something all the
/// same.
pub(super) fn without(tokens: &[Token], wanted: impl Fn(&[Token]) -> bool) -> Vec<Token> {
    let begins: Vec<(usize, usize, Begin)> = parts(tokens)
        .into_iter()
        .map(|(from, to)| {
            let part = &tokens[from..to];
            let begin = match begin(part) {
                Begin::Denial { .. } if part.iter().any(|t| t.is(ENDED)) && wanted(part) => {
                    Begin::Plain
                }
                other => other,
            };
            (from, to, begin)
        })
        .collect();
    if begins.iter().all(|b| b.2 == Begin::Plain) {
        return tokens.to_vec();
    }
    let mut kept: Vec<Token> = Vec::new();
    let mut on = false;
    for (from, to, begin) in begins {
        let part = &tokens[from..to];
        match begin {
            Begin::Denial { empty: true } => break,
            Begin::Denial { empty: false } => {
                on = true;
                continue;
            }
            // "don't train, fit or test anything".
            Begin::Plain if on && part.iter().any(|t| t.is(&["or", "nor"])) => continue,
            Begin::Plain => on = false,
        }
        // With the mark behind it, which ends a part of several.
        let mark = usize::from(tokens.get(to).is_some_and(|t| t.mark().is_some()));
        kept.extend_from_slice(&tokens[from..to + mark]);
    }
    kept
}

/// Whether the first part is denied.
pub(super) fn first(tokens: &[Token]) -> bool {
    parts(tokens)
        .first()
        .is_some_and(|(from, to)| begin(&tokens[*from..*to]) != Begin::Plain)
}
