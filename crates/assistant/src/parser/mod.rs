//! The built-in parser: from a sentence to a typed action, without key, network or clock.
//!
//! What: pieces of the text (`text`) -> what the words stand for (`notice`, `time`) -> the heaviest
//! pattern (`patterns`, `score`) -> the action's parameters (`slots`) -> validation, which asks back for
//! what is missing. All words and patterns are data (`vocabulary`, `patterns`).
//! Formula: confidence = 0.4 + 0.3 x share of the words used + 0.3 x (1 - weight of the next action /
//! weight of this one), between 0 and 1.
//! Data: names of symbols and models are handed in as a [`Lexicon`], what was spoken of before and the
//! day as a [`Context`]; the same text, lexicon and context give the same answer.
//! Cost: 0.15 ms a sentence (median of 1,486, the slowest 0.7), 3 to 6 ms for a text of 10,000 characters, of which only the
//! first 2,000 are read.
//! Fails when: nothing fails; what is not understood says so and what can be asked. A symbol is never
//! guessed. What a text may not do is in `guard`.
//! Source: the design is that of classic slot-filling dialogue systems, as in Bobrow et al. (1977), GUS,
//! a frame-driven dialog system, Artificial Intelligence 8.
//! Not claimed: grammar, other languages than English, or double negations.

mod clause;
mod denied;
mod follow;
mod guard;
mod notice;
mod patterns;
mod score;
mod slots;
mod text;
mod time;
mod vocabulary;

use chrono::NaiveDate;
use clause::Clause;
use mltrainer_types::assistant::{
    ACTIONS, AssistantAction, ParsedAction, Permission, Question, TextSpan, Understanding,
    UsedText, spec,
};
use notice::{Phrases, Seen};
use score::{Element, Score, elements, scores};
use serde_json::Value;
use text::{Piece, Token};

/// A symbol and what people call it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SymbolName {
    /// The symbol: `AAPL`.
    pub symbol: String,
    /// Names beside those that the parser knows.
    pub names: Vec<String>,
}

/// An entry of the catalogue, as far as the parser needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelName {
    /// Id: `random_forest`.
    pub id: String,
    /// Title: "Random forest".
    pub title: String,
    /// Family: `tree`.
    pub family: String,
    /// Tasks: `regression`, `forecasting`, ...
    pub tasks: Vec<String>,
}

impl ModelName {
    fn forecasts(&self) -> bool {
        self.family != "baseline"
            && self
                .tasks
                .iter()
                .any(|t| ["regression", "classification", "forecasting"].contains(&t.as_str()))
    }
}

/// The names that exist, handed in as plain data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lexicon {
    /// Symbols of the registered data sets.
    pub symbols: Vec<SymbolName>,
    /// Entries of the catalogue.
    pub models: Vec<ModelName>,
}

/// What was spoken of before.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// The day from which "the last 5 years" go back.
    pub today: NaiveDate,
    /// The trial that "it" and "the last trial" stand for.
    pub last_trial: Option<String>,
    /// The back test that "the last back test" stands for.
    pub last_backtest: Option<String>,
    /// The alert that "the last alert" stands for.
    pub last_alert: Option<String>,
    /// The symbols that "it" and "this stock" stand for.
    pub last_symbols: Vec<String>,
    /// The action that "and for MSFT?" and "now with 20 days" change.
    pub last_action: Option<AssistantAction>,
    /// The question that the text may answer.
    pub question: Option<Question>,
}

impl Context {
    /// A conversation that begins on this day.
    #[must_use]
    pub fn new(today: NaiveDate) -> Self {
        Self {
            today,
            last_trial: None,
            last_backtest: None,
            last_alert: None,
            last_symbols: Vec::new(),
            last_action: None,
            question: None,
        }
    }
}

/// The parser with the names it knows.
pub struct Parser {
    lexicon: Lexicon,
    phrases: Phrases,
}

/// One sentence read as one action.
struct Reading {
    action: AssistantAction,
    weight: f64,
    confidence: f64,
    used: Vec<UsedText>,
    /// Whether the sentence says not to do it.
    negated: bool,
    /// Whether a word asks for it; names alone may also be an answer.
    asks: bool,
}

impl Reading {
    /// Whether it is more than a look.
    fn changes(&self) -> bool {
        spec(self.action.id()).is_none_or(|s| s.permission > Permission::Look)
    }
}

/// Actions whose parameter is what was said, in its words.
const FREE_TEXT: &[&str] = &[
    "set_goal",
    "advise",
    "teach_methodology",
    "develop_strategy",
    "search_memory",
    "help",
];

/// A sentence for what comes to nothing.
struct Nothing(&'static str);

impl Nothing {
    fn with(&self, ids: &[&str]) -> Understanding {
        Understanding::NotUnderstood {
            sentence: self.0.to_owned(),
            suggestions: examples(ids),
        }
    }
}

const DENIED: Nothing = Nothing("That says what not to do, so nothing was done");
const NOTHING_DONE: Nothing = Nothing("Nothing was done");

impl Parser {
    /// Whether these words end or overrule something: "don't alert me any more" asks for it.
    fn ends_something(&self, chars: &[char], tokens: &[Token], context: &Context) -> bool {
        self.read(chars, tokens, context).is_some_and(|r| {
            // "I don't need an alert" names none to remove.
            r.action.id() == "override_models"
                || (r.action.id() == "remove_alert" && r.action.problems().is_empty())
        })
    }

    /// A parser that knows these names.
    #[must_use]
    pub fn new(lexicon: Lexicon) -> Self {
        let phrases = Phrases::new(&lexicon);
        Self { lexicon, phrases }
    }

    /// What a text asks for.
    #[must_use]
    pub fn parse(&self, text: &str, context: &Context) -> Understanding {
        let chars: Vec<char> = text.chars().collect();
        let mut tokens = guard::take_out_reports(text::tokens(text));
        let suspicious = guard::suspicious(&tokens);
        let mended = self.phrases.mend(&mut tokens);
        if denied::withdrawn(&tokens, context.question.is_some()) {
            return NOTHING_DONE.with(&["help"]);
        }
        if let Some(answer) = self.answer(text, &tokens, context) {
            return answer;
        }
        if !suspicious && let Some(action) = self.follow_up(&chars, &tokens, context) {
            return self.finish(text, action, &mended);
        }
        let mut whole = self.read(&chars, &tokens, context);
        // What is denied is left out; what is then still asked for is done.
        let kept = denied::without(&tokens, |part| self.ends_something(&chars, part, context));
        if kept.len() < tokens.len() {
            let free = whole
                .as_ref()
                .is_some_and(|r| FREE_TEXT.contains(&r.action.id()));
            let changes = whole.as_ref().is_some_and(Reading::changes);
            // A goal or an advice may deny something in its own words; its first part may not.
            let rest = if free {
                None
            } else {
                self.read(&chars, &kept, context)
            };
            if rest.is_some() {
                tokens = kept;
                whole = rest;
            } else if changes && (!free || denied::first(&tokens)) {
                return DENIED.with(&["help"]);
            }
        }
        if suspicious && whole.as_ref().is_none_or(Reading::changes) {
            return Understanding::NotUnderstood {
                sentence: "Rules, permissions and checks cannot be set aside from here, and nothing was done".to_owned(),
                suggestions: examples(&["help", "list_audit", "show_trial"]),
            };
        }
        if !suspicious && let Some(several) = self.several(&chars, &tokens, context, &mended) {
            return several;
        }
        if whole.as_ref().is_some_and(|r| r.negated) {
            return DENIED.with(&["help"]);
        }
        let Some(reading) = whole else {
            return not_understood(&self.clause(&chars, &tokens, context));
        };
        self.finish(text, reading, &mended)
    }

    fn clause<'a>(
        &'a self,
        chars: &'a [char],
        tokens: &'a [Token],
        context: &'a Context,
    ) -> Clause<'a> {
        Clause::new(chars, tokens, &self.phrases, &self.lexicon, context)
    }

    /// The best action for these tokens with what they say of it.
    fn read(&self, chars: &[char], tokens: &[Token], context: &Context) -> Option<Reading> {
        let clause = self.clause(chars, tokens, context);
        let all = scores(&clause);
        // What stands behind a colon is the content of a goal, an advice or a lesson, and asks for nothing.
        let head = tokens
            .iter()
            .position(|t| t.mark() == Some(':'))
            .and_then(|at| {
                let before = self.clause(chars, &tokens[..at], context);
                // "goal: ..." sets one.
                let goal = before.has("goal")
                    && tokens[..at].iter().all(|t| {
                        t.is(&[
                            "my",
                            "our",
                            "the",
                            "new",
                            "goal",
                            "objective",
                            "target",
                            "aim",
                        ])
                    });
                let named = goal.then_some(Score {
                    id: "set_goal",
                    weight: patterns::LEAST,
                    pattern: "goal",
                });
                named.or_else(|| scores(&before).into_iter().next())
            })
            .filter(|s| {
                s.weight >= patterns::LEAST
                    && ["set_goal", "advise", "teach_methodology"].contains(&s.id)
            });
        let how_to = clause.concepts("how_to").any(|n| {
            n.from <= clause.head + 1
                || clause.has("help")
                || !all.iter().any(|s| s.weight >= patterns::LEAST)
        });
        let best = head.filter(|s| !reported(&clause, s)).or_else(|| {
            all.iter()
                .find(|s| {
                    s.weight >= patterns::LEAST
                        && !(how_to && s.id == "help")
                        && !reported(&clause, s)
                })
                .cloned()
        });
        if how_to {
            return Some(help(&clause, &all));
        }
        let best = best?;
        let next = all
            .iter()
            .filter(|s| s.id != best.id)
            .map(|s| s.weight)
            .fold(0.0, f64::max);
        let action = slots::fill(best.id, &clause, None)?;
        let used = used(&clause, &best, &action);
        let confidence = confidence(&clause, &used, best.weight, next);
        Some(Reading {
            negated: negated(&clause, &best),
            asks: asking(&clause, &best).next().is_some(),
            action,
            weight: best.weight,
            confidence,
            used,
        })
    }

    /// Several actions, where every part is one that can be done and neighbours differ.
    fn several(
        &self,
        chars: &[char],
        tokens: &[Token],
        context: &Context,
        mended: &[String],
    ) -> Option<Understanding> {
        let whole = self.clause(chars, tokens, context);
        let parts = parts(&whole);
        // More than a few is a document, not a list of wishes.
        if (2..=6).contains(&parts.len())
            && let Some(found) = self.all_of(
                chars,
                parts.iter().map(|(f, t)| tokens[*f..*t].to_vec()),
                context,
                mended,
            )
        {
            return Some(found);
        }
        self.all_of(chars, shared_verb(&whole)?.into_iter(), context, mended)
            .filter(|found| {
                matches!(found, Understanding::Actions { actions } if actions
                    .iter()
                    .all(|a| spec(a.action.id()).is_some_and(|s| s.permission == Permission::Look)))
            })
    }

    /// The actions of these parts, where each can be done; a part that names no symbol is about those of
    /// the part before it.
    fn all_of(
        &self,
        chars: &[char],
        parts: impl Iterator<Item = Vec<Token>>,
        context: &Context,
        mended: &[String],
    ) -> Option<Understanding> {
        let mut context = context.clone();
        let mut readings: Vec<(Reading, Vec<String>)> = Vec::new();
        let mut symbols: Vec<String> = Vec::new();
        for part in parts {
            let mut reading = self.read(chars, &part, &context)?;
            let mut notes = Vec::new();
            if let Some(problem) = reading.action.problems().first() {
                let filled = follow::with_symbols(&reading.action, &problem.slot, &symbols)?;
                notes.push(format!(
                    "{} was taken for {} too",
                    symbols.join(", "),
                    reading.action.id().replace('_', " ")
                ));
                reading.action = filled;
            }
            if reading.negated
                || !reading.action.problems().is_empty()
                || FREE_TEXT.contains(&reading.action.id())
                || readings
                    .last()
                    .is_some_and(|(r, _)| r.action.id() == reading.action.id())
            {
                return None;
            }
            let named: Vec<String> = self
                .clause(chars, &part, &context)
                .symbols_at()
                .into_iter()
                .map(|s| s.0)
                .collect();
            if !named.is_empty() {
                context.last_symbols.clone_from(&named);
                symbols = named;
            }
            readings.push((reading, notes));
        }
        Some(Understanding::Actions {
            actions: readings
                .into_iter()
                .map(|(r, mut notes)| {
                    notes.extend(self.remarks(&r.action, mended));
                    ParsedAction {
                        notes,
                        action: r.action,
                        confidence: r.confidence,
                        used: r.used,
                    }
                })
                .collect(),
        })
    }

    /// The action before, changed by what a sentence such as "and for MSFT?" says.
    fn follow_up(&self, chars: &[char], tokens: &[Token], context: &Context) -> Option<Reading> {
        let before = context.last_action.as_ref()?;
        let clause = self.clause(chars, tokens, context);
        if FREE_TEXT.contains(&before.id()) || !follow::elliptic(&clause) {
            return None;
        }
        let said = slots::fill(before.id(), &clause, None)?;
        let nothing = self.clause(&[], &[], context);
        let silent = slots::fill(before.id(), &nothing, None)?;
        let sideless = !tokens.iter().any(|t| {
            t.is(&[
                "above", "over", "below", "under", "rises", "falls", "exceeds", "drops",
            ])
        });
        let action = follow::changed(before, &said, &silent, sideless)?;
        let score = Score {
            id: spec(before.id())?.id,
            weight: patterns::LEAST,
            pattern: "",
        };
        Some(Reading {
            negated: false,
            asks: true,
            used: used(&clause, &score, &action),
            confidence: 0.7,
            weight: score.weight,
            action,
        })
    }

    /// The answer to a question that was asked, unless the text is an action of its own.
    fn answer(&self, text: &str, tokens: &[Token], context: &Context) -> Option<Understanding> {
        let question = context.question.as_ref()?;
        let alone = Context {
            question: None,
            ..context.clone()
        };
        let chars: Vec<char> = text.chars().collect();
        let own = self
            .read(&chars, tokens, &alone)
            .filter(|r| r.weight >= patterns::LEAST + 0.5);
        // "my portfolio" is a wish of its own only where it answers nothing.
        let names_only = own.as_ref().is_some_and(|r| !r.asks);
        let own = own.is_some_and(|r| r.asks);
        let free = ["text", "idea", "query"].contains(&question.slot.as_str());
        if (own && !free) || guard::suspicious(tokens) {
            return None;
        }
        let together = if free {
            text.to_owned()
        } else {
            format!("{} {text}", question.text.trim_end_matches(['?', '.', '!']))
        };
        let chars: Vec<char> = together.chars().collect();
        let mut tokens = guard::take_out_reports(text::tokens(&together));
        let mended = self.phrases.mend(&mut tokens);
        let clause = self.clause(&chars, &tokens, &alone);
        let mut action = slots::fill(&question.action, &clause, Some(&question.slot))?;
        // A goal has figures too.
        if question.action == "set_goal" {
            action = slots::fill("set_goal", &clause, Some("text"))?;
        } else if free {
            action = with_text(&question.params, &question.action, &question.slot, text)?;
        }
        if names_only && action.problems().iter().any(|p| p.slot == question.slot) {
            return None;
        }
        let score = Score {
            id: spec(&question.action)?.id,
            weight: patterns::LEAST,
            pattern: "",
        };
        let used = used(&clause, &score, &action);
        let reading = Reading {
            negated: false,
            asks: true,
            confidence: question.confidence,
            weight: score.weight,
            used,
            action,
        };
        Some(self.finish(&together, reading, &mended))
    }

    /// The action, or a question about the first thing that is missing or impossible.
    fn finish(&self, text: &str, reading: Reading, mended: &[String]) -> Understanding {
        let problems = reading.action.problems();
        let Some(problem) = problems.into_iter().next() else {
            let notes = self.remarks(&reading.action, mended);
            return Understanding::Actions {
                actions: vec![ParsedAction {
                    action: reading.action,
                    confidence: reading.confidence,
                    used: reading.used,
                    notes,
                }],
            };
        };
        Understanding::Question(Question {
            action: reading.action.id().to_owned(),
            suggestions: self.suggestions(&problem.slot),
            slot: problem.slot,
            question: problem.sentence,
            params: reading.action.params(),
            text: text.chars().take(text::MAX_CHARACTERS).collect(),
            confidence: reading.confidence,
            used: reading.used,
        })
    }

    /// What a reader should know: mended words, symbols without data.
    fn remarks(&self, action: &AssistantAction, mended: &[String]) -> Vec<String> {
        let mut notes = mended.to_vec();
        let params = action.params();
        let mut symbols: Vec<String> = Vec::new();
        for place in ["/symbols", "/request/symbols"] {
            for s in params
                .pointer(place)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                symbols.extend(s.as_str().map(str::to_owned));
            }
        }
        for s in symbols {
            if !self.lexicon.symbols.iter().any(|k| k.symbol == s) {
                notes.push(format!(
                    "there is no data set of {s} yet: import or fetch one"
                ));
            }
        }
        notes
    }

    /// Answers that would do for a parameter.
    fn suggestions(&self, slot: &str) -> Vec<String> {
        match slot {
            "symbols" | "symbol" | "dataset" => self
                .lexicon
                .symbols
                .iter()
                .take(5)
                .map(|s| s.symbol.clone())
                .collect(),
            "models" | "model" => ["ridge", "random_forest", "gradient_boosting", "svr"]
                .into_iter()
                .filter(|id| self.lexicon.models.iter().any(|m| m.id == *id))
                .map(str::to_owned)
                .collect(),
            "strategy" => ["sma_crossover", "rsi_reversion", "donchian_breakout"]
                .map(str::to_owned)
                .to_vec(),
            "source" => ["polygon", "fred", "alpha_vantage", "fmp", "yahoo"]
                .map(str::to_owned)
                .to_vec(),
            "right" => vec!["call".to_owned(), "put".to_owned()],
            "expiry" => ["30 days", "3 months", "1 year"]
                .map(str::to_owned)
                .to_vec(),
            "rules" => ["momentum", "RSI between 50 and 80", "low volatility"]
                .map(str::to_owned)
                .to_vec(),
            _ => Vec::new(),
        }
    }
}

/// The question's action with a text put into one parameter.
fn with_text(params: &Value, id: &str, slot: &str, text: &str) -> Option<AssistantAction> {
    let mut params = params.clone();
    params
        .as_object_mut()?
        .insert(slot.to_owned(), Value::from(text.trim()));
    AssistantAction::from_parts(id, params).ok()
}

/// Help, with the action that the rest of the sentence is about.
fn help(clause: &Clause<'_>, all: &[Score]) -> Reading {
    let topic = all
        .iter()
        .find(|s| s.id != "help" && s.weight >= 2.0)
        .map(|s| s.id)
        .or_else(|| clause.has("portfolio").then_some("show_portfolio"));
    let action = AssistantAction::Help(Box::new(mltrainer_types::assistant::Help {
        topic: topic.map(str::to_owned),
    }));
    let score = Score {
        id: "help",
        weight: patterns::LEAST,
        pattern: "how_to",
    };
    Reading {
        negated: false,
        asks: true,
        used: used(clause, &score, &action),
        confidence: 0.8,
        weight: score.weight,
        action,
    }
}

/// Whether "don't", "do not" or "never" stands before the verb of an action that changes something.
fn negated(clause: &Clause<'_>, score: &Score) -> bool {
    if spec(score.id).is_none_or(|s| s.permission == Permission::Look) {
        return false;
    }
    let denials: Vec<usize> = clause
        .tokens
        .iter()
        .enumerate()
        .filter(|(i, t)| {
            let before = i.checked_sub(1).and_then(|p| clause.tokens.get(p));
            // "why don't you train a forest?" asks for it.
            (t.is(&["dont", "never", "cannot", "cant", "mustnt", "shouldnt"])
                && !before.is_some_and(|b| b.is(&["why"])))
                || (t.is(&["need"]) && before.is_some_and(|b| b.is(&["no"])))
                || (t.is(&["not"])
                    && before.is_some_and(|b| {
                        b.is(&[
                            "do", "should", "must", "please", "am", "are", "rather", "would",
                            "will", "did",
                        ])
                    }))
        })
        .map(|(i, _)| i)
        .collect();
    // "don't alert me", "I don't agree with your choice" are what these ask for; "don't delete it" is not.
    if score.id == "remove_alert" || score.id == "override_models" {
        return denials.iter().any(|i| {
            clause.tokens[i + 1..].iter().take(5).any(|t| {
                t.is(&[
                    "delete", "remove", "cancel", "clear", "drop", "kill", "disable", "stop",
                    "turn", "switch", "override", "overrule", "force",
                ])
            })
        });
    }
    denials
        .iter()
        .any(|i| asking(clause, score).any(|n| n.from == i + 1 || n.from == i + 2))
}

/// Whether the sentence doubts whether to do it: "should I train it?", "would it be wise to pause?".
fn doubted(clause: &Clause<'_>, score: &Score) -> bool {
    let word = |i: usize, words: &[&str]| clause.tokens.get(i).is_some_and(|t| t.is(words));
    let head = clause.head.min(2);
    let judged = |from: usize| {
        (from..from + 5).any(|i| {
            word(
                i,
                &[
                    "wise",
                    "good",
                    "bad",
                    "sensible",
                    "reasonable",
                    "ok",
                    "okay",
                    "idea",
                    "smart",
                    "useful",
                    "worth",
                    "clever",
                    "advisable",
                    "worthwhile",
                    "safe",
                ],
            )
        })
    };
    let asks = (0..=head).any(|i| {
        (word(i, &["should", "shall"]) && word(i + 1, &["i", "we", "you"]))
            || (word(i, &["is", "would", "was", "will"])
                && word(i + 1, &["it", "that"])
                && judged(i + 2))
    });
    // "should I sell Apple?" asks for an outlook, "should I use ridge or lasso?" for a comparison.
    asks && !(score.id == "analyse_symbol" && clause.has("outlook"))
        && (score.id != "compare_models" || clause.has("compare"))
}

/// What asks, in the best pattern of an action.
fn asking<'c>(clause: &'c Clause<'_>, score: &Score) -> impl Iterator<Item = &'c notice::Note> {
    elements(score.pattern)
        .filter_map(|e| match e {
            Element::Need(names) => Some(names),
            _ => None,
        })
        .flat_map(|names| names.split('|'))
        .filter(|n| clause::kind(n.trim_start_matches('#')) == Some(vocabulary::Kind::Ask))
        .flat_map(|n| clause.concept_notes(n))
}

/// Whether the sentence only tells of what changes something: "the trial was cancelled", "can it be paused?".
fn reported(clause: &Clause<'_>, score: &Score) -> bool {
    // "I want to be warned", "what if we used": these ask in the past form.
    let may = [
        "create_alert",
        "what_if_trial",
        "compare_models",
        "set_goal",
        "remove_alert",
    ];
    if spec(score.id).is_none_or(|s| s.permission == Permission::Look) {
        return false;
    }
    // "I will cancel it myself": nothing is left to do.
    let own = clause.tokens.iter().any(|t| t.is(&["myself", "ourselves"]));
    let announced = |n: &notice::Note| {
        let back = |k: usize| n.from.checked_sub(k).and_then(|i| clause.tokens.get(i));
        back(1).is_some_and(|t| t.is(&["will"])) && back(2).is_some_and(|t| t.is(&["i", "we"]))
    };
    let mut verbs = asking(clause, score).peekable();
    let announced = verbs.peek().is_some() && verbs.all(announced);
    if own || announced || doubted(clause, score) {
        return true;
    }
    if may.contains(&score.id) {
        return false;
    }
    let past = |n: &notice::Note| {
        n.to == n.from + 1
            && clause
                .tokens
                .get(n.from)
                .is_some_and(|t| t.lower.ends_with("ed") && t.lower.len() > 4)
    };
    // "is training a forest expensive?": a question of yes or no begins nothing; what follows it may.
    let head = ["is", "are", "was", "were", "did", "has", "have", "had"];
    let pronoun = |t: &Token| {
        t.is(&[
            "i", "we", "you", "they", "he", "she", "there", "the", "my", "any", "it",
        ])
    };
    let question = clause.tokens.first().is_some_and(|t| {
        let next = clause.tokens.get(1);
        // "have a go at it" asks for it, "should we?" does not.
        (t.is(&head) && (!t.is(&["have"]) || next.is_some_and(pronoun)))
            || (t.is(&["would", "could"]) && next.is_some_and(|n| n.is(&["it", "that"])))
            || (t.is(&["should", "shall"]) && next.is_some_and(|n| n.is(&["i", "we"])))
    });
    let end = clause
        .tokens
        .iter()
        .position(|t| t.mark() == Some('?'))
        .unwrap_or(clause.tokens.len());
    if question && score.id != "analyse_symbol" && asking(clause, score).all(|n| n.from < end) {
        return true;
    }
    // "I would like a lasso trained on it" wants it.
    if clause.has("want") {
        return false;
    }
    let mut notes = asking(clause, score).peekable();
    notes.peek().is_some() && notes.all(past)
}

/// Parts of a text that may be actions of their own: between full stops, semicolons, "then", and
/// before "and" with a verb after it.
fn parts(clause: &Clause<'_>) -> Vec<(usize, usize)> {
    let tokens = clause.tokens;
    let verb = |at: usize| {
        clause.notes.iter().any(|n| {
            n.from == at
                && matches!(n.seen, Seen::Concept(c) if clause::kind(c) == Some(vocabulary::Kind::Ask))
        })
    };
    let mut parts = Vec::new();
    let mut from = 0;
    for (i, t) in tokens.iter().enumerate() {
        let ends = t.mark().is_some_and(|c| ";.!?".contains(c))
            || t.is(&["then"])
            || (t.mark() == Some(',')
                && tokens.get(i + 1).is_some_and(|n| {
                    n.is(&[
                        "second",
                        "secondly",
                        "third",
                        "thirdly",
                        "next",
                        "finally",
                        "lastly",
                        "afterwards",
                    ])
                })
                && i > from)
            || (t.is(&["and"]) && i > from && verb(i + 1));
        if ends {
            if i > from {
                parts.push((from, i));
            }
            from = i + 1;
        }
    }
    if from < tokens.len() {
        parts.push((from, tokens.len()));
    }
    parts
}

/// "list my trials and my backtests": the second part with the verb of the first.
fn shared_verb(clause: &Clause<'_>) -> Option<Vec<Vec<Token>>> {
    let tokens = clause.tokens;
    let and = tokens.iter().enumerate().position(|(i, t)| {
        t.is(&["and"])
            && i > 0
            && (tokens
                .get(i + 1)
                .is_some_and(|n| n.is(&["my", "the", "its", "all", "our", "their", "any"]))
                || clause.notes.iter().any(|n| {
                    // "models and features".
                    n.from == i + 1
                        && n.to == tokens.len()
                        && tokens[n.to - 1].lower.ends_with('s')
                        && matches!(n.seen, Seen::Concept(c) if clause::kind(c) == Some(vocabulary::Kind::Thing))
                }))
    })?;
    let verb = clause.notes.iter().find(|n| {
        n.to <= and
            && matches!(n.seen, Seen::Concept(c) if clause::kind(c) == Some(vocabulary::Kind::Ask))
    })?;
    let mut second = tokens[verb.from..verb.to].to_vec();
    second.extend_from_slice(&tokens[and + 1..]);
    Some(vec![tokens[..and].to_vec(), second])
}

fn span(clause: &Clause<'_>, from: usize, to: usize) -> Option<TextSpan> {
    let start = clause.tokens.get(from)?.start;
    let end = clause.tokens.get(to.checked_sub(1)?)?.end;
    Some(TextSpan {
        start: u32::try_from(start).ok()?,
        end: u32::try_from(end).ok()?,
    })
}

/// The parts of the text that the action rests on, in their order.
fn used(clause: &Clause<'_>, score: &Score, action: &AssistantAction) -> Vec<UsedText> {
    let written = action.params().to_string();
    let holds = |value: &str| written.contains(&format!("\"{value}\""));
    let mut found: Vec<UsedText> = Vec::new();
    let mut put = |role: &str, from: usize, to: usize, meaning: &str| {
        if let Some(span) = span(clause, from, to) {
            found.push(UsedText {
                role: role.to_owned(),
                span,
                meaning: meaning.to_owned(),
            });
        }
    };
    for e in elements(score.pattern) {
        if let Element::Need(names) | Element::Welcome(names) = e {
            for name in names.split('|').filter(|n| !n.starts_with('@')) {
                if let Some(n) = clause.concept_notes(name).next() {
                    put("action", n.from, n.to, score.id);
                }
            }
        }
    }
    for n in &clause.notes {
        match &n.seen {
            Seen::Symbol(s) if holds(s) => put("symbol", n.from, n.to, s),
            Seen::Model(i) => {
                if let Some(m) = clause.lexicon.models.get(*i)
                    && holds(&m.id)
                {
                    put("model", n.from, n.to, &m.id);
                }
            }
            Seen::Term(_, value) if holds(value) => put("value", n.from, n.to, value),
            Seen::Strategy(_) => {
                if let Some(row) = clause.strategy_row()
                    && holds(row.0)
                {
                    put("strategy", n.from, n.to, row.0);
                }
            }
            _ => {}
        }
    }
    for d in &clause.durations {
        put("span", d.from, d.to, &clause.words(d.from, d.to));
    }
    for (from, to) in &clause.days.used {
        put("date", *from, *to, &clause.words(*from, *to));
    }
    for (i, t) in clause.tokens.iter().enumerate() {
        let role = match t.piece {
            Piece::Id => "id",
            Piece::Dataset => "dataset",
            Piece::File => "file",
            Piece::Number { .. } => "number",
            _ => continue,
        };
        let inside = clause.durations.iter().any(|d| d.from <= i && i < d.to);
        if !inside {
            put(role, i, i + 1, &t.text);
        }
    }
    found.sort_by(|a, b| (a.span, &a.role, &a.meaning).cmp(&(b.span, &b.role, &b.meaning)));
    found.dedup();
    found
}

/// How sure the reading is; the formula stands on top.
fn confidence(clause: &Clause<'_>, used: &[UsedText], weight: f64, next: f64) -> f64 {
    let telling: Vec<&Token> = clause
        .tokens
        .iter()
        .filter(|t| t.mark().is_none() && !vocabulary::COMMON.contains(&t.lower.as_str()))
        .collect();
    let inside = |t: &Token| {
        used.iter()
            .any(|u| u32::try_from(t.start).is_ok_and(|s| u.span.start <= s && s < u.span.end))
    };
    let count = |n: usize| u32::try_from(n).map_or(0.0, f64::from);
    let share = if telling.is_empty() {
        1.0
    } else {
        count(telling.iter().filter(|t| inside(t)).count()) / count(telling.len())
    };
    let ahead = if weight > 0.0 {
        (1.0 - next / weight).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (0.4 + 0.3 * share + 0.3 * ahead).clamp(0.0, 1.0)
}

fn examples(ids: &[&str]) -> Vec<String> {
    ids.iter()
        .filter_map(|id| spec(id))
        .filter_map(|s| s.examples.first())
        .map(|&e| e.to_owned())
        .collect()
}

fn not_understood(clause: &Clause<'_>) -> Understanding {
    if clause.has("order") {
        return Understanding::NotUnderstood {
            sentence: "Orders cannot be placed: the program is connected to no broker; it can optimise, back-test and plan a portfolio".to_owned(),
            suggestions: examples(&["optimise_portfolio", "what_if_portfolio", "backtest_portfolio"]),
        };
    }
    // What was recognised leads on: "AAPL, please" knows at least what it is about.
    if let Some((symbol, ..)) = clause.symbols_at().into_iter().next() {
        return Understanding::NotUnderstood {
            sentence: format!("What should be done with {symbol} was not understood"),
            suggestions: vec![
                format!("Analyse {symbol}"),
                format!("Show me {symbol} prices since 2010"),
                format!("Train a random forest on {symbol}"),
                format!("Backtest an SMA crossover on {symbol}"),
            ],
        };
    }
    if let Some(model) = clause.entries().into_iter().next() {
        return Understanding::NotUnderstood {
            sentence: format!("What should be done with {model} was not understood"),
            suggestions: vec![
                format!("What is {model}?"),
                format!("Train {model} on AAPL"),
            ],
        };
    }
    if let Some(trial) = clause.ids("t-").into_iter().next() {
        return Understanding::NotUnderstood {
            sentence: format!("What should be done with the trial {trial} was not understood"),
            suggestions: vec![
                format!("Show trial {trial}"),
                format!("Explain trial {trial}"),
                format!("Show the lineage of {trial}"),
            ],
        };
    }
    Understanding::NotUnderstood {
        sentence: format!(
            "That was not understood; there are {} actions, among them analysing symbols, running and comparing trials, back tests, portfolios, options, data and alerts",
            ACTIONS.len()
        ),
        suggestions: examples(&[
            "analyse_symbol",
            "run_trial",
            "compare_models",
            "optimise_portfolio",
            "run_backtest",
            "help",
        ]),
    }
}

#[cfg(test)]
mod tests;
