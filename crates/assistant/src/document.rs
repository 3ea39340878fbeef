//! The page `docs/assistant.md`, printed from the code.
//!
//! What: the rules of the parser in words, and every action with its permission, parameters and examples,
//! out of the one list that chat, HTTP, command line and MCP share.
//! Fails when: nothing fails; a test compares the page in the repository with this.

use mltrainer_types::assistant::{ActionInfo, infos};
use serde_json::Value;
use std::fmt::Write as _;

const HEAD: &str = "# The assistant

Printed by `cargo run -p mltrainer-assistant --example actions` from the code of the actions; a test compares.

A message comes to typed actions, to a question back, or to \"not understood\" with what can be asked. The list is made for
chat, HTTP, command line and MCP alike, and for the services to do with the permissions of the user.

Four ways lead to the same list: the chat page (`/chat`, `POST /api/v1/conversations`), `POST /api/v1/actions/{id}`, `mltrainer ask`,
and MCP ([mcp.md](mcp.md)). A language model answers in the chat when one is configured ([language-models.md](language-models.md)),
the built-in parser otherwise.

## What an answer is

- Every number of an answer is a figure of a result and links to it; one that no result holds is marked as unverified.
- A message is stored before it is sent and never changed. A message without an answer (the program was killed) is answered at
  the next start; what its turn had begun is found again and not begun twice.
- A long action (a trial, an analysis) answers when it has ended; its agents' messages come meanwhile, and its trial shows live.
- What a language model proposes is done with the lesser of the person's trust and `MLTRAINER_LLM_TRUST` (5 when not set).
  Once it has read what others wrote, it begins nothing in that answer. Runs that it began are shown before and
  after its knowledge cut-off apart.

## The workflows

| sentence | what is done | what is said to be missing |
|---|---|---|
| \"Analyze momentum for AAPL over next 7-10 days\" | data, state on the last day, a walk-forward trial of six models, forecasts from the last day; confidence = how often forecasts of that sign were right out of sample (Laplace's rule), range = forecast and the quantiles of past errors | LSTM (a perceptron stands in), events, option prices, the VIX outside its days |
| \"Optimize my portfolio for maximum Sharpe using momentum stocks\" | screen, weights from the year before, the same each month over three years after costs, plan of trades | holdings, when none are recorded |
| \"Train ensemble models for AAPL\" | horizons 1, 5, 20; seven models and their stacking; leaderboard, drivers, readiness | a symbol without data |
| \"Monitor my portfolio for regime changes and alert me\" | an alert that looks every 15 minutes in market hours while the program serves | holdings, when none are recorded |
| \"Develop a strategy based on unusual options activity and earnings momentum\" | hypothesis tests on the first three fifths of the days, a rule, a back test after costs with Monte Carlo and regimes, a verdict | option histories and earnings (stand-ins are named) |

## Coaching

A coach (a person, a program over MCP, or the program's own model) commands with `advise` (trust 3), `adjust_trial` (5), `override_models` (7) and
`teach_methodology` (8); `undo` takes back. A trial is never changed: the coached one is a second trial, the first goes on as the
control. When both have ended their best models are compared on the forecasts that both made, with a 95 % interval by Newey and
West. Trust rises by one when the whole interval is above zero, falls by one when it is below, between 1 and 8; 9 and 10 are given
by a person. After a trial without an edge, with a near tie (half a percent) or a drift (the loss of the last fifth of the days
above 1.5 times that before) the engine asks; after 24 hours without an answer nothing is changed, and that is recorded. The page is `/coaching`.

The program's own model answers these questions without a person when `MLTRAINER_COACH_UNATTENDED` gives it a number of interventions a
day and its trust is 9 or 10: each question is put to it once, with the evidence; it may advise, adjust or override in that trial, or say that
nothing is worth a trial. The ceilings on cost hold. A command sent again under its key (after a kill) intervenes once.

## What the built-in parser does

It needs no key, no network and no clock. Symbols, models and the day are handed in; the same text, names and conversation
give the same answer.

1. The text is cut into words, numbers (also in words), days, ids, file names and quotations. Only the first 2,000 characters
   are read. Unknown words of five or more letters are mended when one change makes them a known word (two changes, from
   seven letters on, only for verbs); what was mended is said.
2. Words are looked up: verbs and things, symbols (`AAPL`, `$AAPL`, Apple), models, strategies, horizons (\"next 7-10 days\",
   \"over a month\"), days (\"since 2015\", \"the last 5 years\"), percentages with the word they belong to, ids, \"it\" and \"the last
   trial\". Capital letters that are no known symbol count as one, with the note that there are no data. A word in small letters
   is a symbol only when it is a known one and no English word.
3. Every action has patterns of these. The heaviest pattern wins, so the most specific reading; below a least weight nothing is
   understood. The confidence says how much of the text was used and how far the next action is behind.
4. The action's own checks ask for what is missing, one question at a time; an answer completes the sentence. A symbol is never
   guessed. Several actions are read from one text when each part can be done; a part that names no symbol is about those of
   the part before it, and says so.
5. What is denied is left out and the rest is read (\"don't start anything, just show me AAPL\"). Where the caller hands in the
   last action, \"and for MSFT?\" and \"now with 20 days\" change it.

In bars a week is 5, a month 21, a quarter 63, a year 252. A span such as 7-10 days is given by its two ends.
A crisis with a name is whole years: the financial crisis 2008 and 2009, the dot-com bubble 2000 to 2002. 03/04/2012 is 4 March.

### What it was measured on

Tables of sentences under `crates/assistant/tests/data`; a test holds what is reached. Understood means the action and its
parameters, or the question that was due. The first four tables (882 sentences) were written by the parser's author, and his later
sets were understood at 52 to 72 % at first sight.

| sentences | at first sight | when it was mended |
|---|---|---|
| 260 by somebody who had read only this page | 198 (76 %) | 260 |
| 140 more of the same, held aside | 107 (76 %) | 117 (84 %); then these were read too, 138 now |
| 243, 215 and 146, written in turn by the same while mending | 208 (86 %), 173 (80 %), 121 (83 %) | 243, 214, 146 |

Whoever wrote the held part also mended the parser, so that its last figure may flatter; three to four of five is the best guess at what
somebody else's sentence meets. Most others are said to be not understood or asked back. At first sight four of the 260 began
something that was not meant (\"un-pause t-0190dddd\" paused it, \"should I train an lstm?\" trained it), and after mending one of
the 140 held aside (\"if the trial fails, I'll cancel it myself\"); none of them does now. Known to fail: a trial or an ensemble without
a verb (\"ensemble on JNJ\"), weights in words (\"twice the weight\"), companies outside a list of about fifty.

## What a text can never do

- Words in quotation marks, in code, in lines that begin with `>`, after \"the paper says\" and the like, and behind the first
  2,000 characters are data. They are one piece without words, so no pattern can match them.
- A text that asks to set rules aside, or speaks in another's name (\"system:\", \"you are now\"), comes to no action above `look`.
- No action above `look` without a verb or asking phrase among the user's own words: names alone change nothing.
- What is only told (\"the trial was cancelled\"), announced (\"I'll cancel it myself\"), denied (\"do not cancel it\"), doubted
  (\"should I cancel it?\") or asked as a question of yes or no (\"is training a forest expensive?\") begins nothing.
- No action approves a model, places an order or changes a permission.

## Actions

| action | permission | trust | changes | what it does |
|---|---|---|---|---|
";

/// The whole page.
#[must_use]
pub fn markdown() -> String {
    let infos = infos();
    let mut page = HEAD.to_owned();
    for a in &infos {
        // Writing to a text does not fail.
        let _ = writeln!(
            page,
            "| `{}` | `{}` | {} | {} | {} |",
            a.id,
            a.permission.as_str(),
            a.required_trust,
            if a.changes { "yes" } else { "no" },
            a.does
        );
    }
    for a in &infos {
        action(&mut page, a);
    }
    page
}

fn action(page: &mut String, a: &ActionInfo) {
    let _ = writeln!(page, "\n### `{}`: {}\n", a.id, a.title);
    for e in &a.examples {
        let _ = writeln!(page, "- \"{e}\"");
    }
    let rows = rows(&a.schema, "", 0);
    if rows.is_empty() {
        let _ = writeln!(page, "\nNo parameters.");
        return;
    }
    let _ = writeln!(page, "\n| parameter | type | what it is |\n|---|---|---|");
    for row in rows {
        let _ = writeln!(page, "{row}");
    }
}

/// A row a parameter; those of an inner request with its name before them.
fn rows(schema: &Value, before: &str, depth: u32) -> Vec<String> {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut rows = Vec::new();
    for (name, p) in schema["properties"].as_object().into_iter().flatten() {
        if name == "request" && depth == 0 {
            rows.extend(rows_of_request(p, name));
            continue;
        }
        let inner = || {
            p["oneOf"]
                .as_array()
                .into_iter()
                .flatten()
                .find_map(|v| v["description"].as_str())
        };
        let words = p["description"].as_str().or_else(inner).unwrap_or_default();
        rows.push(format!(
            "| `{before}{name}`{} | {} | {} |",
            if required.contains(&name.as_str()) {
                ", needed"
            } else {
                ""
            },
            kind(p),
            words.replace(['\n', '|'], " ")
        ));
    }
    rows
}

fn rows_of_request(schema: &Value, name: &str) -> Vec<String> {
    rows(schema, &format!("{name}."), 1)
}

fn kind(p: &Value) -> String {
    if let Some(all) = p["enum"].as_array() {
        let words: Vec<String> = all
            .iter()
            .filter_map(Value::as_str)
            .map(|w| format!("`{w}`"))
            .collect();
        return words.join(", ");
    }
    let word = |t: &str| match t {
        "array" => format!("list of {}", kind(&p["items"])),
        "string" if p["format"] == "date" => "day".to_owned(),
        "string" if p["format"] == "date-time" => "time".to_owned(),
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        t => t.to_owned(),
    };
    match &p["type"] {
        Value::String(t) => word(t),
        Value::Array(all) => all
            .iter()
            .filter_map(Value::as_str)
            .find(|t| *t != "null")
            .map(word)
            .unwrap_or_default(),
        _ => ["oneOf", "anyOf"]
            .iter()
            .filter_map(|k| p[*k].as_array())
            .flatten()
            .filter(|v| v["type"] != "null")
            .map(kind)
            .fold(String::new(), |all, k| match all.as_str() {
                "" => k,
                _ if all == k || k.is_empty() => all,
                _ => format!("{all} or {k}"),
            }),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_what_the_code_says() {
        let there = include_str!("../../../docs/assistant.md");
        let now = super::markdown();
        let differs = there
            .lines()
            .zip(now.lines())
            .position(|(a, b)| a != b)
            .map(|l| l + 1);
        assert!(
            there == now,
            "docs/assistant.md differs from line {differs:?}; print it anew as its head says"
        );
    }
}
