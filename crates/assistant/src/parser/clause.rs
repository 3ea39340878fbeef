//! A sentence with everything recognised in it, and the questions that patterns and parameters ask of it.
//!
//! What: [`Clause`] gathers tokens, notes, durations and days; its methods give symbols, models, ids,
//! references ("it", "the last trial"), numbers with the word they belong to, weights.
//! Formula: a number belongs to a label when only small words stand between them, after the label first,
//! before it second; a comparison is read from the words before the number.
//! Fails when: nothing fails; what is not said is absent.

use super::notice::{Note, Phrases, Seen};
use super::text::{Piece, Token, Unit};
use super::time::{DaysNamed, Duration, Use, days, durations};
use super::vocabulary::{AMBIGUOUS_MODELS, CONCEPTS, Kind, STRATEGY_ALIASES, Term};
use super::{Context, Lexicon, ModelName};
use std::collections::BTreeSet;

/// Which way a bound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Least,
    Most,
}

/// A sentence and what is recognised in it.
pub(super) struct Clause<'a> {
    pub(super) text: &'a [char],
    pub(super) tokens: &'a [Token],
    pub(super) notes: Vec<Note>,
    pub(super) durations: Vec<Duration>,
    pub(super) days: DaysNamed,
    pub(super) context: &'a Context,
    pub(super) lexicon: &'a Lexicon,
    /// First token that is no politeness.
    pub(super) head: usize,
}

const POLITE: &[&str] = &[
    "please", "can", "could", "would", "will", "you", "i", "d", "id", "like", "want", "to", "ok",
    "okay", "hey", "hi", "hello", "now", "let", "us", "lets", "kindly", "just", "so", "and",
    "then", "also", "me", "well", "thanks", "now", "we", "may",
];

/// Small words that may stand between a label and its number.
const FILLERS: &[&str] = &[
    "of",
    "is",
    "at",
    "to",
    "the",
    "a",
    "an",
    "by",
    "ratio",
    "above",
    "below",
    "over",
    "under",
    "than",
    "more",
    "less",
    "least",
    "most",
    "about",
    "around",
    "up",
    "with",
    "be",
    "should",
    "between",
    "greater",
    "exceeding",
    "no",
    "maximum",
    "minimum",
    "max",
    "min",
    "equal",
    "price",
    "my",
    "in",
    "only",
    "on",
    "for",
    "annual",
    "goes",
    "falls",
    "rises",
    "drops",
    "gets",
    "reaches",
    "and",
    "were",
    "would",
    "smaller",
    "larger",
    "bigger",
    "lower",
    "higher",
    "not",
    "beyond",
    "within",
    "exceed",
    "exceeds",
    "stays",
    "stay",
    "that",
    "was",
];

const LEAST: &[&str] = &[
    "above",
    "over",
    "more",
    "greater",
    "least",
    "min",
    "minimum",
    "exceed",
    "exceeds",
    "exceeding",
    "beyond",
    "larger",
    "bigger",
    "higher",
    "from",
];
const MOST: &[&str] = &[
    "below", "under", "less", "most", "max", "maximum", "within", "smaller", "lower", "to", "than",
];

impl<'a> Clause<'a> {
    pub(super) fn new(
        text: &'a [char],
        tokens: &'a [Token],
        phrases: &Phrases,
        lexicon: &'a Lexicon,
        context: &'a Context,
    ) -> Self {
        let durations = durations(tokens);
        let days = days(tokens, &durations, context.today);
        let mut notes = phrases.notes(tokens);
        let head = tokens
            .iter()
            .position(|t| !(t.is(POLITE) || t.mark().is_some()))
            .unwrap_or(0);
        // "if I sold ..." at the beginning asks what then; inside a sentence it is a condition.
        if tokens.get(head).is_some_and(|t| t.is(&["if"])) {
            notes.push(Note {
                seen: Seen::Concept("what_if"),
                from: head,
                to: head + 1,
            });
        }
        // "put Exxon beside Chevron", "call off the trial": a verb at the head is no option.
        if let Some(t) = tokens.get(head)
            && t.is(&["put", "call"])
            && !tokens.get(head + 1).is_some_and(|n| {
                n.is(&[
                    "on", "option", "options", "struck", "strike", "spread", "price", "with",
                    "expiring",
                ]) || n.mark().is_some()
                    || n.plain().is_some()
            })
        {
            notes.retain(|n| {
                n.from != head
                    || !matches!(
                        n.seen,
                        Seen::Concept("option" | "strike") | Seen::Term(Term::Right, _)
                    )
            });
        }
        // "model the direction of it": the verb.
        if tokens.get(head).is_some_and(|t| t.is(&["model"]))
            && tokens
                .get(head + 1)
                .is_some_and(|t| t.is(&["the", "a", "my", "how", "whether"]))
        {
            notes.push(Note {
                seen: Seen::Concept("forecast"),
                from: head,
                to: head + 1,
            });
        }
        // "hmm" alone is no hidden Markov model.
        if tokens.iter().filter(|t| t.is_word()).count() == 1 {
            notes.retain(|n| !(matches!(n.seen, Seen::Model(_)) && tokens[n.from].text == "hmm"));
        }
        // "the nasdaq loses a third": an index is the market.
        let indices: Vec<Note> = notes
            .iter()
            .filter(|n| matches!(&n.seen, Seen::Symbol(s) if s == "SPX" || s == "IXIC"))
            .map(|n| Note {
                seen: Seen::Concept("market"),
                from: n.from,
                to: n.to,
            })
            .collect();
        notes.extend(indices);
        // "since the crisis of 2008" is a time and no risk.
        notes.retain(|n| {
            !(matches!(n.seen, Seen::Concept("risk" | "fall" | "market"))
                && days.used.iter().any(|(f, t)| {
                    *f < n.from
                        && n.from < *t
                        && tokens[*f].is(&["since", "from", "after", "before", "until", "between"])
                }))
        });
        // "ridge or lasso?" asks which is better.
        if tokens.iter().any(|t| t.mark() == Some('?'))
            && let Some(or) = tokens.iter().position(|t| t.is(&["or"]))
        {
            notes.push(Note {
                seen: Seen::Concept("better"),
                from: or,
                to: or + 1,
            });
        }
        Self {
            text,
            tokens,
            notes,
            durations,
            days,
            context,
            lexicon,
            head,
        }
    }

    /// What stands in the text from one token to before another, without marks at its ends.
    pub(super) fn words(&self, from: usize, to: usize) -> String {
        let Some(first) = self.tokens.get(from) else {
            return String::new();
        };
        let Some(last) = to.checked_sub(1).and_then(|i| self.tokens.get(i)) else {
            return String::new();
        };
        if to <= from {
            return String::new();
        }
        let all: String = self.text[first.start..last.end.max(first.start)]
            .iter()
            .collect();
        all.trim_matches(|c: char| c.is_whitespace() || ".,;:?!".contains(c))
            .to_owned()
    }

    pub(super) fn concepts(&self, name: &str) -> impl Iterator<Item = &Note> {
        self.notes
            .iter()
            .filter(move |n| matches!(n.seen, Seen::Concept(c) if c == name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.concepts(name).next().is_some()
    }

    pub(super) fn terms(&self, kind: Term) -> Vec<(&'static str, usize, usize)> {
        self.notes
            .iter()
            .filter_map(|n| match n.seen {
                Seen::Term(k, value) if k == kind => Some((value, n.from, n.to)),
                _ => None,
            })
            .collect()
    }

    pub(super) fn term(&self, kind: Term) -> Option<&'static str> {
        self.terms(kind).first().map(|t| t.0)
    }

    /// Symbols in their order, each once, with their place.
    pub(super) fn symbols_at(&self) -> Vec<(String, usize, usize)> {
        let mut seen = BTreeSet::new();
        self.notes
            .iter()
            .filter_map(|n| match &n.seen {
                Seen::Symbol(s) => Some((s.clone(), n.from, n.to)),
                _ => None,
            })
            .filter(|(s, ..)| seen.insert(s.clone()))
            .collect()
    }

    /// Symbols; those spoken of before where "it" or "this stock" stands for them.
    pub(super) fn symbols(&self) -> Vec<String> {
        let found: Vec<String> = self.symbols_at().into_iter().map(|s| s.0).collect();
        if found.is_empty() && self.same_symbol() {
            return self.context.last_symbols.clone();
        }
        found
    }

    fn same_symbol(&self) -> bool {
        let thing = |t: &Token| {
            t.is(&[
                "stock", "symbol", "share", "shares", "company", "stocks", "symbols", "ticker",
            ])
        };
        self.tokens.iter().enumerate().any(|(i, t)| {
            let next = self.tokens.get(i + 1);
            t.is(&["it", "them"])
                || (t.is(&["this", "that", "same", "these", "those"]) && next.is_some_and(thing))
        })
    }

    /// Entries of the catalogue that `keep` wants, in their order, each once.
    pub(super) fn models_where(
        &self,
        keep: impl Fn(&ModelName) -> bool,
    ) -> Vec<(String, usize, usize)> {
        let mut seen = BTreeSet::new();
        self.notes
            .iter()
            .filter_map(|n| match n.seen {
                Seen::Model(i) => self.lexicon.models.get(i).map(|m| (m, n.from, n.to)),
                _ => None,
            })
            .filter(|(m, ..)| keep(m))
            .map(|(m, from, to)| (m.id.clone(), from, to))
            .filter(|(id, ..)| seen.insert(id.clone()))
            .collect()
    }

    /// Models that can forecast, without names that are also something else.
    pub(super) fn models_at(&self) -> Vec<(String, usize, usize)> {
        let clear = |m: &ModelName| m.forecasts() && !AMBIGUOUS_MODELS.contains(&m.id.as_str());
        // Beside a model that is one for sure, "theta" is no Greek and "var" no risk.
        let beside = ["compare", "versus", "better"].iter().any(|c| self.has(c))
            && !self.has("risk_measure")
            && !self.models_where(clear).is_empty();
        self.models_where(|m| {
            clear(m) || (beside && m.forecasts() && ["theta", "var"].contains(&m.id.as_str()))
        })
    }

    pub(super) fn models(&self) -> Vec<String> {
        self.models_at().into_iter().map(|m| m.0).collect()
    }

    pub(super) fn entries(&self) -> Vec<String> {
        let clear: Vec<String> = self
            .models_where(|m| !AMBIGUOUS_MODELS.contains(&m.id.as_str()))
            .into_iter()
            .map(|m| m.0)
            .collect();
        if clear.is_empty() {
            self.models_where(|_| true)
                .into_iter()
                .map(|m| m.0)
                .collect()
        } else {
            clear
        }
    }

    /// Entries that are run on a series for what they show: indicators, tests, patterns, rules.
    pub(super) fn tools(&self) -> Vec<String> {
        self.models_where(|m| {
            !m.forecasts()
                && !matches!(
                    m.family.as_str(),
                    "portfolio" | "search" | "options" | "backtest" | "baseline" | "risk"
                )
                && (m.id == "rsi" || m.id == "sma" || !AMBIGUOUS_MODELS.contains(&m.id.as_str()))
        })
        .into_iter()
        .map(|m| m.0)
        .collect()
    }

    /// The ready-made strategy that is named: its row of the names.
    pub(super) fn strategy(&self) -> Option<usize> {
        let mut rows = self.notes.iter().filter_map(|n| match n.seen {
            Seen::Strategy(i) => Some((n.to - n.from, i)),
            _ => None,
        });
        let first = rows.next()?;
        // The longest name; "momentum" alone is the weakest.
        let best = rows.fold(first, |a, b| if b.0 > a.0 { b } else { a });
        Some(best.1)
    }

    pub(super) fn ids(&self, head: &str) -> Vec<String> {
        self.tokens
            .iter()
            .filter(|t| t.piece == Piece::Id && t.lower.starts_with(head))
            .map(|t| t.lower.clone())
            .collect()
    }

    pub(super) fn dataset_id(&self) -> Option<String> {
        self.tokens
            .iter()
            .find(|t| t.piece == Piece::Dataset)
            .map(|t| t.text.clone())
    }

    pub(super) fn file(&self, pdf: bool) -> Option<String> {
        self.tokens
            .iter()
            .find(|t| t.piece == Piece::File && t.lower.ends_with(".pdf") == pdf)
            .map(|t| t.text.clone())
    }

    /// Whether "the last alert", "this trial", "my run" or "it" stands for one spoken of before.
    pub(super) fn refers(&self, concepts: &[&str], pronoun: bool) -> bool {
        let definite = |t: &Token| {
            t.is(&[
                "the", "this", "that", "my", "our", "last", "latest", "current", "previous",
                "newest", "same", "your", "these", "those",
            ])
        };
        let named = self.notes.iter().any(|n| {
            let Seen::Concept(c) = n.seen else {
                return false;
            };
            concepts.contains(&c)
                && (0..=3).any(|k| {
                    n.from
                        .checked_sub(k)
                        .and_then(|i| self.tokens.get(i))
                        .is_some_and(definite)
                        && (1..k.max(1)).all(|j| {
                            self.tokens.get(n.from - j).is_some_and(|t| {
                                t.is_word()
                                    && !t.is(&[
                                        "a", "an", "of", "to", "with", "for", "in", "on", "and",
                                    ])
                            })
                        })
                })
        });
        named || (pronoun && self.pronoun())
    }

    /// Whether "it" or a lone "this" or "that" is spoken of.
    pub(super) fn pronoun(&self) -> bool {
        self.tokens.iter().enumerate().any(|(i, t)| {
            t.is(&["it"])
                || (t.is(&["last", "latest", "newest", "previous", "current"])
                    && self.tokens.get(i + 1).is_some_and(|n| n.lower == "one"))
                || (t.is(&["this", "that"])
                    && self.tokens.get(i + 1).is_none_or(|n| {
                        n.mark().is_some()
                            || n.lower == "one"
                            || n.is(&["now", "please", "to", "for", "again", "back"])
                    }))
        })
    }

    /// The trial that is meant, by its id or by reference.
    pub(super) fn trial(&self) -> Option<String> {
        self.ids("t-").into_iter().next().or_else(|| {
            self.refers(&["trial", "the_result", "engine"], true)
                .then(|| self.context.last_trial.clone())
                .flatten()
        })
    }

    pub(super) fn backtest(&self) -> Option<String> {
        self.ids("b-").into_iter().next().or_else(|| {
            self.refers(&["backtest_thing", "trades"], true)
                .then(|| self.context.last_backtest.clone())
                .flatten()
        })
    }

    /// Horizons in bars: durations that are for nothing else.
    pub(super) fn horizons(&self) -> Vec<u32> {
        self.durations
            .iter()
            .filter(|d| {
                d.purpose == Use::Plain
                    && !self
                        .tokens
                        .get(d.to)
                        .is_some_and(|t| t.is(&["embargo", "gap"]))
                    && !d.from.checked_sub(1).is_some_and(|i| {
                        // "embargo of 5 days".
                        (0..=1).any(|k| {
                            i.checked_sub(k)
                                .and_then(|j| self.tokens.get(j))
                                .is_some_and(|t| t.is(&["embargo", "gap"]))
                        })
                    })
                    && !self.days.used.iter().any(|(f, t)| d.from < *t && *f < d.to)
            })
            .flat_map(Duration::bars)
            .collect()
    }

    fn filler(&self, i: usize) -> bool {
        self.tokens
            .get(i)
            .is_some_and(|t| t.is(FILLERS) || t.mark().is_some_and(|c| "=:<>≤≥-".contains(c)))
    }

    /// The number that belongs to the label at these tokens, and its place: the next one, the one just
    /// before, then further on, then further back.
    pub(super) fn bound_to(
        &self,
        from: usize,
        to: usize,
        read: impl Fn(&Token) -> Option<f64>,
    ) -> Option<(f64, usize)> {
        let at = |i: usize| self.tokens.get(i).and_then(&read).map(|v| (v, i));
        if let Some(found) = at(to).or_else(|| from.checked_sub(1).and_then(at)) {
            return Some(found);
        }
        for i in to..to + 5 {
            let Some(t) = self.tokens.get(i) else { break };
            if let Some(found) = at(i) {
                return Some(found);
            }
            if !self.filler(i) || t.is(&["and"]) {
                break;
            }
        }
        for back in 1..=4 {
            let i = from.checked_sub(back)?;
            if let Some(found) = at(i) {
                return Some(found);
            }
            let small = [
                "of", "a", "the", "annual", "in", "for", "each", "implied", "starting", "initial",
            ];
            if !self.tokens.get(i)?.is(&small) {
                return None;
            }
        }
        None
    }

    /// The number that belongs to one of these words.
    pub(super) fn labelled(
        &self,
        words: &[&str],
        read: impl Fn(&Token) -> Option<f64> + Copy,
    ) -> Option<f64> {
        self.tokens
            .iter()
            .enumerate()
            .filter(|(_, t)| t.is(words))
            .find_map(|(i, _)| self.bound_to(i, i + 1, read))
            .map(|f| f.0)
    }

    /// The way a bound before the number at a place goes.
    pub(super) fn bound(&self, at: usize) -> Option<Bound> {
        let negated = (1..=5).any(|k| {
            at.checked_sub(k)
                .and_then(|i| self.tokens.get(i))
                .is_some_and(|t| t.is(&["no", "not", "never"]))
        });
        for k in 1..=3 {
            let t = self.tokens.get(at.checked_sub(k)?)?;
            let found = match t.mark() {
                Some('>' | '≥') => Some(Bound::Least),
                Some('<' | '≤') => Some(Bound::Most),
                Some('=') => continue,
                Some(_) => return None,
                None if t.is(LEAST) => Some(Bound::Least),
                None if t.is(&["than"]) => continue,
                None if t.is(&["to"]) => self
                    .tokens
                    .get(at.checked_sub(k + 1)?)
                    .is_some_and(|t| t.is(&["up"]))
                    .then_some(Bound::Most),
                None if t.is(MOST) => Some(Bound::Most),
                None => None,
            };
            match (found, negated) {
                (Some(Bound::Least), true) => return Some(Bound::Most),
                (Some(Bound::Most), true) => return Some(Bound::Least),
                (Some(b), false) => return Some(b),
                (None, _) => {}
            }
        }
        None
    }

    /// Percentages with the symbols, or other named things, that they belong to.
    pub(super) fn pairs(&self, named: &[(String, usize, usize)]) -> Vec<(String, f64)> {
        let percents: Vec<(usize, f64)> = self
            .tokens
            .iter()
            .enumerate()
            .filter_map(|(i, t)| {
                // "half AAPL and half KO".
                let half = || t.plain().filter(|_| t.lower == "half");
                Some((i, t.percent().or_else(half)?))
            })
            .collect();
        let (Some(first), Some(name)) = (percents.first(), named.first()) else {
            return self.split(named);
        };
        let before = first.0 < name.1;
        let near = |i: usize, (_, from, to): &(String, usize, usize)| {
            let (a, b) = if before { (i + 1, *from) } else { (*to, i) };
            b >= a
                && b - a <= 3
                && (a..b).all(|k| {
                    self.tokens.get(k).is_some_and(|t| {
                        t.is(&[
                            "of", "in", "is", "at", "to", "gets", "were", "was", "be", "makes",
                            "a", "the", "weight",
                        ]) || t.mark() == Some(':')
                            || t.mark() == Some('=')
                    })
                })
        };
        percents
            .iter()
            .filter_map(|(i, v)| {
                named
                    .iter()
                    .find(|n| near(*i, n))
                    .map(|n| (n.0.clone(), *v))
            })
            .collect()
    }

    /// "60/40 SPX and KO": parts of a hundred, as many as there are names.
    fn split(&self, named: &[(String, usize, usize)]) -> Vec<(String, f64)> {
        for i in 0..self.tokens.len() {
            let mut parts: Vec<u32> = Vec::new();
            let mut at = i;
            while let Some(n) = self.tokens.get(at).and_then(Token::count) {
                parts.push(n);
                let joins = self
                    .tokens
                    .get(at + 1)
                    .is_some_and(|t| t.mark().is_some_and(|c| c == '/' || c == '-'));
                if !joins {
                    break;
                }
                at += 2;
            }
            if parts.len() >= 2
                && parts.len() == named.len()
                && parts.iter().map(|n| u64::from(*n)).sum::<u64>() == 100
            {
                return named
                    .iter()
                    .zip(parts)
                    .map(|(n, p)| (n.0.clone(), f64::from(p) / 100.0))
                    .collect();
            }
        }
        Vec::new()
    }

    /// A count before one of these words: "five models", "at most 20 positions", "the last ten trials".
    pub(super) fn count_of(&self, concepts: &[&str]) -> Option<u32> {
        self.notes.iter().find_map(|n| {
            let Seen::Concept(c) = n.seen else {
                return None;
            };
            if !concepts.contains(&c) {
                return None;
            }
            (1..=4).find_map(|k| {
                let t = self.tokens.get(n.from.checked_sub(k)?)?;
                // "the 5 most recent trials".
                let recent = (1..k).all(|j| {
                    self.tokens[n.from - j].is(&[
                        "most", "recent", "latest", "newest", "last", "finished", "previous",
                    ])
                });
                if k > 2 && !recent {
                    return None;
                }
                if k == 2 && !self.tokens.get(n.from - 1).is_some_and(Token::is_word) {
                    return None;
                }
                let unit = self.tokens.get(n.from.checked_sub(k)? + 1)?;
                // "5 days" is no count of what follows.
                (!unit.is(&["day", "days", "week", "month", "year"]))
                    .then(|| t.count())
                    .flatten()
            })
        })
    }

    /// Costs in basis points: "10 bps", "0.1 % costs", "costs of 5 basis points".
    pub(super) fn cost_bps(&self) -> Option<f64> {
        for (i, t) in self.tokens.iter().enumerate() {
            if t.is(&["bps", "bp"])
                || (t.is(&["basis"])
                    && self
                        .tokens
                        .get(i + 1)
                        .is_some_and(|t| t.is(&["points", "point"])))
            {
                return i
                    .checked_sub(1)
                    .and_then(|i| self.tokens.get(i))
                    .and_then(Token::plain);
            }
        }
        self.concepts("cost")
            .find_map(|n| self.bound_to(n.from, n.to, Token::percent))
            // Rounded: 0.001 is 10 basis points and not its neighbour.
            .map(|(share, _)| (share * 1e10).round() / 1e6)
    }

    /// The percentage, where it is near one of these words.
    pub(super) fn percent_of(&self, words: &[&str]) -> Option<f64> {
        self.labelled(words, Token::percent)
    }

    /// A name of a parameter and its new value: "learning rate ... to 0.05", "max_depth to 4".
    pub(super) fn parameter(&self) -> Option<(String, f64, bool)> {
        const NAMES: &[(&str, &[&str])] = &[
            ("learning_rate", &["learning", "rate"]),
            ("max_depth", &["max", "depth"]),
            ("max_depth", &["depth"]),
            ("n_estimators", &["number", "of", "trees"]),
            ("alpha", &["alpha"]),
            ("gamma", &["gamma"]),
            ("epochs", &["epochs"]),
            ("dropout", &["dropout"]),
            ("batch_size", &["batch", "size"]),
            ("l1_ratio", &["l1", "ratio"]),
            ("c", &["c"]),
        ];
        let value = |from: usize| {
            (from..self.tokens.len().min(from + 10)).find_map(|i| {
                let t = &self.tokens[i];
                let led = i
                    .checked_sub(1)
                    .and_then(|p| self.tokens.get(p))
                    .is_some_and(|p| {
                        p.is(&["to", "of", "at"]) || p.mark() == Some('=') || i == from
                    });
                match t.piece {
                    Piece::Number { value, whole, .. } if led => Some((value, whole)),
                    _ => None,
                }
            })
        };
        for (i, t) in self.tokens.iter().enumerate() {
            let name = if t.is_word()
                && t.lower.contains('_')
                && !self.models_at().iter().any(|m| m.1 == i)
            {
                Some((t.lower.clone(), i + 1))
            } else {
                NAMES.iter().find_map(|(id, words)| {
                    let to = i + words.len();
                    (to <= self.tokens.len()
                        && words
                            .iter()
                            .zip(&self.tokens[i..to])
                            .all(|(w, t)| t.is(&[w])))
                    .then(|| ((*id).to_owned(), to))
                })
            };
            if let Some((name, to)) = name
                && let Some((v, whole)) = value(to)
            {
                return Some((name, v, whole));
            }
        }
        None
    }

    /// "up more than 10 % in the last 3 months", "down over 5 % this month": the return over these days.
    fn moves(&self) -> Vec<mltrainer_types::assistant::ScreenRule> {
        let mut rules = Vec::new();
        for (i, t) in self.tokens.iter().enumerate() {
            let up = t.is(&["up", "gained", "risen", "rose", "climbed", "added"]);
            let down = t.is(&["down", "lost", "fallen", "fell", "dropped", "declined"]);
            if !(up || down) {
                continue;
            }
            let Some((share, at)) = (1..=4)
                .map(|k| i + k)
                .find_map(|k| Some((self.tokens.get(k)?.percent()?, k)))
            else {
                continue;
            };
            // "this month" counts as a month.
            let this = || {
                (at + 1..at + 4).find_map(|k| {
                    let unit = self
                        .tokens
                        .get(k + 1)
                        .filter(|_| self.tokens[k].is(&["this"]))?;
                    Some(match unit.lower.as_str() {
                        "week" => 5,
                        "month" => 21,
                        "quarter" => 63,
                        "year" => 252,
                        _ => return None,
                    })
                })
            };
            let Some(days) = self
                .durations
                .iter()
                .find(|d| d.from > at && d.from <= at + 4)
                .and_then(|d| d.bars().first().copied())
                .or_else(this)
            else {
                continue;
            };
            let within = self.bound(at) == Some(Bound::Most);
            let mut rule = mltrainer_types::assistant::ScreenRule {
                measure: "momentum".to_owned(),
                days: Some(days),
                ..Default::default()
            };
            match (up, within) {
                (true, false) => rule.at_least = Some(share),
                (true, true) => rule.at_most = Some(share),
                (false, false) => rule.at_most = Some(-share),
                (false, true) => rule.at_least = Some(-share),
            }
            rules.push(rule);
        }
        rules
    }

    /// Conditions of a screen: a measure with bounds, or with a span to look back over.
    pub(super) fn rules(&self) -> Vec<mltrainer_types::assistant::ScreenRule> {
        let mut rules = self.moves();
        for (measure, from, to) in self.terms(Term::Measure) {
            let lookback = self
                .durations
                .iter()
                .find(|d| d.purpose == Use::Lookback && d.to + 1 >= from && d.to <= from)
                .and_then(|d| d.bars().first().copied());
            let number = |t: &Token| t.percent().or_else(|| t.plain());
            let value = self.bound_to(from, to, number).filter(|(_, at)| *at >= to);
            let mut rule = mltrainer_types::assistant::ScreenRule {
                measure: measure.to_owned(),
                days: lookback,
                ..Default::default()
            };
            if let Some((v, at)) = value {
                let between = self
                    .tokens
                    .get(at.wrapping_sub(1))
                    .is_some_and(|t| t.is(&["between", "from"]));
                let second = self.tokens.get(at + 2).and_then(number).filter(|_| {
                    self.tokens
                        .get(at + 1)
                        .is_some_and(|t| t.is(&["and", "to"]) || t.mark() == Some('-'))
                });
                match (second, self.bound(at)) {
                    (Some(high), _)
                        if between
                            || self.tokens[at + 1].mark() == Some('-')
                            || self.tokens[at + 1].is(&["to"]) =>
                    {
                        rule.at_least = Some(v);
                        rule.at_most = Some(high);
                    }
                    (_, Some(Bound::Least)) => rule.at_least = Some(v),
                    (_, Some(Bound::Most)) => rule.at_most = Some(v),
                    _ => continue,
                }
            } else if measure == "price_over_sma" {
                let side = (1..=4).find_map(|k| {
                    let t = self.tokens.get(from.checked_sub(k)?)?;
                    if t.is(&["above", "over"]) {
                        Some(Bound::Least)
                    } else if t.is(&["below", "under"]) {
                        Some(Bound::Most)
                    } else {
                        None
                    }
                });
                match side {
                    Some(Bound::Least) => rule.at_least = Some(1.0),
                    Some(Bound::Most) => rule.at_most = Some(1.0),
                    None => continue,
                }
            } else if measure == "trend" {
                let sign = (1..=3).find_map(|k| {
                    let t = self.tokens.get(from.checked_sub(k)?)?;
                    if t.is(&["positive", "rising", "up", "upward"]) {
                        Some(Bound::Least)
                    } else if t.is(&["negative", "falling", "down", "downward"]) {
                        Some(Bound::Most)
                    } else {
                        None
                    }
                });
                match sign {
                    Some(Bound::Least) => rule.at_least = Some(0.0),
                    Some(Bound::Most) => rule.at_most = Some(0.0),
                    None => continue,
                }
            } else if lookback.is_none() {
                continue;
            }
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        rules
    }

    /// Whether a thing that patterns write with `@` is there, and the notes that show it.
    pub(super) fn recognised(&self, name: &str) -> bool {
        match name {
            "symbol" => !self.symbols().is_empty(),
            "symbols2" => self.symbols().len() >= 2,
            "model" => !self.models_at().is_empty(),
            "models2" => self.models_at().len() >= 2,
            "entry" => !self.entries().is_empty(),
            "tool" => !self.tools().is_empty(),
            "trial" => !self.ids("t-").is_empty(),
            "trials2" => {
                self.ids("t-").len()
                    + usize::from(
                        !self.ids("t-").is_empty()
                            && (self.refers(&["trial"], false)
                                || self
                                    .tokens
                                    .windows(2)
                                    .any(|w| w[0].is(&["last", "latest"]) && w[1].lower == "one")),
                    )
                    >= 2
            }
            "backtest" => !self.ids("b-").is_empty(),
            "alert" => !self.ids("a-").is_empty(),
            "change" => !self.ids("i-").is_empty(),
            "csv" => self.file(false).is_some(),
            "pdf" => self.file(true).is_some(),
            "dataset" => self.dataset_id().is_some(),
            "strategy" => self.strategy().is_some(),
            "ref_trial" => self.refers(&["trial", "the_result"], true),
            "target" => self.term(Term::Target).is_some(),
            "horizon" => !self.horizons().is_empty(),
            "date" => {
                self.days.start.is_some() || self.days.end.is_some() || self.days.as_of.is_some()
            }
            "percent" => self.tokens.iter().any(|t| t.percent().is_some()),
            "pairs" => self.pairs(&self.symbols_at()).len() >= 2,
            "mpairs" => !self.pairs(&self.models_at()).is_empty(),
            "rule" => !self.rules().is_empty(),
            "param" => self.parameter().is_some(),
            "topic" => self.term(Term::Topic).is_some(),
            "metric" => self.term(Term::Metric).is_some(),
            "style" => self.term(Term::Style).is_some(),
            "allocation" => self.term(Term::Allocation).is_some(),
            // One that is no figure of a portfolio too: "my Sharpe ratio" asks for no weights.
            "scheme" => self.terms(Term::Allocation).iter().any(|(_, from, to)| {
                ![
                    "sharpe",
                    "sharpe ratio",
                    "risk adjusted return",
                    "risk adjusted returns",
                    "cvar",
                    "expected shortfall",
                    "tail risk",
                    "conditional value at risk",
                ]
                .contains(&self.words(*from, *to).to_lowercase().as_str())
            }),
            // Nothing but names and days, with small words.
            "covered" => self.tokens.iter().enumerate().all(|(i, t)| {
                t.mark().is_some()
                    || t.is(POLITE)
                    || t.is(&["the", "in", "from", "over", "for", "of", "on", "since"])
                    || self
                        .notes
                        .iter()
                        .any(|n| n.from <= i && i < n.to && matches!(n.seen, Seen::Symbol(_)))
                    || self.days.used.iter().any(|(f, to)| *f <= i && i < *to)
            }),
            "many" => self.count_of(&["trial", "backtest_thing"]).is_some(),
            "search" => self.term(Term::Search).is_some(),
            "source" => self.term(Term::Source).is_some(),
            "family" => self.term(Term::Family).is_some(),
            "task" => self.term(Term::Task).is_some(),
            "state" => self.term(Term::State).is_some(),
            "datakind" => self.term(Term::DataKind).is_some(),
            "right" => self.term(Term::Right).is_some(),
            "group" => self.term(Term::Group).is_some(),
            "bare" => {
                let words = self
                    .tokens
                    .iter()
                    .filter(|t| {
                        t.mark().is_none()
                            && !t.is(POLITE)
                            && !t.is(&["the", "my", "all", "a", "of", "our", "recent", "latest"])
                    })
                    .count();
                (1..=2).contains(&words) && !self.has("order")
            }
            "audited" => self.term(Term::Audited).is_some(),
            _ => false,
        }
    }

    /// The notes of a concept; `#` asks for its plural.
    pub(super) fn concept_notes(&self, name: &str) -> impl Iterator<Item = &Note> {
        let plural = name.starts_with('#');
        let name = name.trim_start_matches('#').to_owned();
        self.notes.iter().filter(move |n| {
            matches!(n.seen, Seen::Concept(c) if c == name)
                && (!plural || self.tokens[n.to - 1].lower.ends_with('s'))
        })
    }

    /// Money or a plain number near a place, for a price.
    pub(super) fn price(t: &Token) -> Option<f64> {
        match t.piece {
            Piece::Number {
                value,
                unit: Unit::None | Unit::Money,
                ..
            } => Some(value),
            _ => None,
        }
    }

    /// Ready-made strategy: id and parameters of its name.
    pub(super) fn strategy_row(
        &self,
    ) -> Option<&'static (&'static str, &'static [(&'static str, u32)], &'static str)> {
        STRATEGY_ALIASES.get(self.strategy()?)
    }
}

/// The kind of a concept.
pub(super) fn kind(name: &str) -> Option<Kind> {
    CONCEPTS.iter().find(|c| c.0 == name).map(|c| c.1)
}
