//! The catalogue page and the reference of parameters, printed from the code.

use crate::registry::Registry;
use mltrainer_types::catalogue::{CatalogueEntry, EntryKind, ParamKind, ParamSpec};
use serde_json::Value;
use std::fmt::Write as _;

impl Registry {
    /// The catalogue and the reference of all parameters, as Markdown: a table of every entry, then
    /// a section an entry with its presets.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut page = String::from(
            "# Catalogue\n\nPrinted by `mltrainer catalogue --format markdown` from the code of the entries.\n\n\
             | id | kind | family | tasks | title |\n|---|---|---|---|---|\n",
        );
        let all = self.catalogue();
        for e in &all {
            // Writing to a String cannot fail.
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                e.id,
                e.kind.as_str(),
                e.family,
                tasks(e),
                e.title
            );
        }
        for e in all.iter().filter(|e| e.kind != EntryKind::Preset) {
            section(&mut page, e, &all);
        }
        page
    }
}

fn tasks(e: &CatalogueEntry) -> String {
    let words: Vec<&str> = e.tasks.iter().map(|t| t.as_str()).collect();
    words.join(", ")
}

fn section(page: &mut String, e: &CatalogueEntry, all: &[CatalogueEntry]) {
    let _ = write!(page, "\n## `{}`: {}\n\n{}\n\n", e.id, e.title, e.summary);
    for (name, text) in [
        ("Tasks", tasks(e).as_str()),
        ("Formula", &e.formula),
        ("Data", &e.data),
        ("Cost", &e.cost),
        ("Fails when", &e.fails_when),
        ("Not claimed", &e.not_claimed),
        ("Source", &e.source),
        ("Conventions", &e.reference),
    ] {
        let _ = writeln!(page, "- **{name}:** {text}");
    }
    if !e.params.is_empty() {
        page.push_str(
            "\n| parameter | type | default | range | what it does |\n|---|---|---|---|---|\n",
        );
        for p in &e.params {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                p.name,
                kind(p),
                word(&p.default),
                range(p),
                cell(&p.help)
            );
        }
    }
    if !e.outputs.is_empty() {
        page.push_str("\n| output | what it is |\n|---|---|\n");
        for o in &e.outputs {
            let _ = writeln!(page, "| `{}` | {} |", o.name, cell(&o.help));
        }
    }
    page.push_str("\n| evidence: against | compared | tolerance |\n|---|---|---|\n");
    for v in &e.evidence {
        let (against, cases) = (cell(&v.against), cell(&v.cases));
        let _ = writeln!(page, "| {against} | {cases} | {} |", cell(&v.tolerance));
    }
    if let (Some(checked), None) = (&e.checked, &e.base) {
        let (passed, all) = (checked.passed(), checked.cases.len());
        let names: Vec<&str> = checked.cases.iter().map(|c| c.case.as_str()).collect();
        let (on, names) = (&checked.on, names.join(", "));
        let _ = writeln!(
            page,
            "\nReference check of {on}: {passed} of {all} cases passed ({names})."
        );
    }
    if !e.presets.is_empty() {
        page.push_str("\nPresets: ");
        let rows: Vec<String> = all
            .iter()
            .filter(|p| p.base.as_deref() == Some(e.id.as_str()))
            .map(|p| {
                let fixed: Vec<String> = p
                    .fixed
                    .iter()
                    .map(|(k, v)| format!("{k} = {}", word(v)))
                    .collect();
                format!("`{}` ({})", p.id, fixed.join(", "))
            })
            .collect();
        page.push_str(&rows.join(", "));
        page.push_str(".\n");
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn kind(p: &ParamSpec) -> &'static str {
    match (p.kind, p.optional) {
        (ParamKind::Float, false) => "number",
        (ParamKind::Float, true) => "number or none",
        (ParamKind::Integer, false) => "whole number",
        (ParamKind::Integer, true) => "whole number or none",
        (ParamKind::Boolean, _) => "true or false",
        (ParamKind::Choice, false) => "choice",
        (ParamKind::Choice, true) => "choice or none",
        (ParamKind::Text, _) => "text",
    }
}

fn range(p: &ParamSpec) -> String {
    if !p.choices.is_empty() {
        return p.choices.join(", ");
    }
    let low = p
        .min
        .map(|m| format!("{} {m}", if p.min_exclusive { ">" } else { "≥" }));
    let high = p
        .max
        .map(|m| format!("{} {m}", if p.max_exclusive { "<" } else { "≤" }));
    let ends: Vec<String> = low.into_iter().chain(high).collect();
    ends.join(", ")
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
