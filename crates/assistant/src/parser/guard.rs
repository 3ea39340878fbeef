//! What a text may never do, whoever wrote it.
//!
//! What: the parser's part of the protection against injected commands. The rules, in this order:
//! 1. Words in quotation marks, in code, in lines that begin with `>`, after "the paper says" and the
//!    like, and after the first 2,000 characters are data: they are one piece without words, so no
//!    pattern can match them.
//! 2. A text that asks to set rules aside ("ignore all rules", "bypass the gate"), or that speaks in
//!    another's name ("system:", "you are now"), comes to no action that changes anything.
//! 3. No action above `look` without a verb or asking phrase among the user's own words; a test over
//!    the patterns holds this.
//! 4. What is only told, denied, or asked as a question of yes or no begins nothing (`reported` and `negated` in
//!    the module above).
//! 5. There is no action that approves a model, trades, or changes a permission.
//!
//! Fails when: somebody pastes foreign words as his own without any mark; then the permissions of the
//! user and the confirmation of the services stand in the way, not the parser.
//! Source: OWASP Top 10 for LLM applications, LLM01 prompt injection; least privilege by construction.

use super::text::{Piece, Token};

const SET_ASIDE: &[&str] = &[
    "ignore",
    "disregard",
    "forget",
    "bypass",
    "circumvent",
    "disable",
    "skip",
    "override",
    "suspend",
    "deactivate",
    "evade",
    "overrule",
    "violate",
    "break",
    "remove",
    "drop",
    "lift",
    "evading",
    "ignoring",
    "bypassing",
];
const RULES: &[&str] = &[
    "rules",
    "rule",
    "instructions",
    "instruction",
    "policy",
    "policies",
    "prompt",
    "prompts",
    "guard",
    "guards",
    "guardrails",
    "compliance",
    "gate",
    "restrictions",
    "restriction",
    "safety",
    "permissions",
    "permission",
    "safeguards",
    "checks",
    "audit",
    "constraints",
    "directives",
    "guidelines",
    "trust",
];
const SPEAKERS: &[&str] = &[
    "system",
    "assistant",
    "developer",
    "admin",
    "administrator",
    "root",
];
const SOURCES: &[&str] = &[
    "paper", "article", "news", "document", "file", "abstract", "report", "email", "mail",
    "headline", "website", "page", "pdf", "text", "author", "authors", "study", "message", "note",
    "webpage", "blog", "post",
];
const SAYS: &[&str] = &[
    "says",
    "said",
    "states",
    "stated",
    "reads",
    "writes",
    "wrote",
    "claims",
    "tells",
    "instructs",
    "asks",
    "suggests",
    "suggested",
    "recommends",
    "recommended",
    "proposes",
    "proposed",
    "advises",
    "argues",
    "advocates",
    "demands",
    "orders",
    "commands",
    "contains",
    "quotes",
];

/// Whether the text wants rules set aside or speaks in another's name.
pub(super) fn suspicious(tokens: &[Token]) -> bool {
    let near = |i: usize, words: &[&str], reach: usize| {
        tokens[i + 1..tokens.len().min(i + 1 + reach)]
            .iter()
            .any(|t| t.is(words))
    };
    tokens.iter().enumerate().any(|(i, t)| {
        (t.is(SET_ASIDE) && near(i, RULES, 5))
            || (t.is(SPEAKERS) && tokens.get(i + 1).is_some_and(|t| t.mark() == Some(':')))
            || (t.is(&["you"])
                && near(i, &["now"], 2)
                && tokens.get(i + 1).is_some_and(|t| t.is(&["are"])))
            || (t.is(&["new", "previous", "prior"])
                && near(i, &["instructions", "instruction", "directives"], 1))
            || (t.is(&["developer", "god", "jailbreak", "sudo", "unrestricted"])
                && (near(i, &["mode"], 1) || t.is(&["jailbreak", "sudo"])))
            || (t.is(&["act", "acting", "pretend"]) && near(i, SPEAKERS, 4))
            || (t.mark() == Some('<') && tokens.get(i + 1).is_some_and(|t| t.is(SPEAKERS)))
            || (t.mark() == Some('[')
                && tokens.get(i + 1).is_some_and(|t| t.is(&["inst", "system"])))
    })
}

/// Makes what follows "the paper says" one piece without words.
pub(super) fn take_out_reports(tokens: Vec<Token>) -> Vec<Token> {
    let said = (0..tokens.len()).find(|&i| {
        tokens[i].is(SAYS)
            && tokens[i.saturating_sub(3)..i]
                .iter()
                .any(|t| t.is(SOURCES) || matches!(t.piece, Piece::File))
    });
    let Some(at) = said.filter(|at| at + 1 < tokens.len()) else {
        return tokens;
    };
    let mut kept = tokens;
    let rest = kept.split_off(at + 1);
    if let (Some(first), Some(last)) = (rest.first(), rest.last()) {
        let mut report = first.clone();
        report.piece = Piece::Quoted;
        report.stem = String::new();
        report.end = last.end;
        report.text = rest
            .iter()
            .map(|t| t.text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        report.lower = report.text.to_lowercase();
        kept.push(report);
    }
    kept
}
