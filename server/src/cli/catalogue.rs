//! `mltrainer catalogue`: what there is. No database is opened.

use super::out::{Table, json, say};
use super::{Failure, Format, Global};
use clap::Args;
use mltrainer_services::ServiceError;
use mltrainer_types::catalogue::{CatalogueEntry, EntryKind};
use std::process::ExitCode;

/// `mltrainer catalogue`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer catalogue --family linear\n  mltrainer catalogue ridge\n  mltrainer catalogue --format json"
)]
pub(super) struct Catalogue {
    /// Shows this entry with formula, parameters and evidence
    id: Option<String>,
    /// Only entries of this family
    #[arg(long)]
    family: Option<String>,
}

impl Catalogue {
    pub(super) fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let format = global.format(&[Format::Table, Format::Json, Format::Markdown])?;
        let registry = mltrainer_backtest::registry();
        if format == Format::Markdown {
            say(mltrainer_backtest::registry().markdown().trim_end())?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(id) = &self.id {
            let Some(found) = registry.find(id) else {
                return Err(ServiceError::NotFound {
                    what: "model",
                    id: id.clone(),
                    suggestions: registry.nearest(id),
                }
                .into());
            };
            let entry = found.catalogue_entry();
            if format == Format::Json {
                json(&entry)?;
            } else {
                say(&card(&entry))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let mut entries = registry.catalogue();
        if let Some(family) = &self.family {
            let families: std::collections::BTreeSet<String> =
                entries.iter().map(|e| e.family.clone()).collect();
            if !families.contains(family) {
                let all: Vec<String> = families.into_iter().collect();
                return Err(Failure::new(
                    2,
                    format!("unknown family \"{family}\"; there are {}", all.join(", ")),
                ));
            }
            entries.retain(|e| e.family == *family);
        }
        if format == Format::Json {
            json(&entries)?;
        } else {
            let mut table = Table::new(&["id", "kind", "family", "title", "tasks"]);
            for e in &entries {
                let tasks: Vec<&str> = e.tasks.iter().map(|t| t.as_str()).collect();
                table.row([
                    e.id.clone(),
                    e.kind.as_str().to_owned(),
                    e.family.clone(),
                    e.title.clone(),
                    tasks.join(", "),
                ]);
            }
            say(&table.text())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn card(e: &CatalogueEntry) -> String {
    let tasks: Vec<&str> = e.tasks.iter().map(|t| t.as_str()).collect();
    let mut text = format!(
        "{} ({}, {}, {})\n\n{}\n\nFormula:     {}\nTasks:       {}\nData:        {}\nCost:        {}\nFails when:  {}\nNot claimed: {}\nSource:      {}\nReference:   {}\n",
        e.title,
        e.id,
        e.kind.as_str(),
        e.family,
        e.summary,
        e.formula,
        tasks.join(", "),
        e.data,
        e.cost,
        e.fails_when,
        e.not_claimed,
        e.source,
        e.reference
    );
    for evidence in &e.evidence {
        text.push_str(&format!(
            "Evidence:    {} ({}), {}\n",
            evidence.against, evidence.cases, evidence.tolerance
        ));
    }
    if let Some(checked) = &e.checked {
        let (passed, all) = (checked.passed(), checked.cases.len());
        text.push_str(&format!(
            "Checked:     {passed} of {all} reference cases passed on {}\n",
            checked.on
        ));
        for c in &checked.cases {
            let result = if c.passed { "" } else { "FAILED, " };
            text.push_str(&format!(
                "             {} ({result}{}): {}\n",
                c.case, c.against, c.tolerance
            ));
        }
    }
    if e.kind == EntryKind::Model && !e.presets.is_empty() {
        text.push_str(&format!("Presets:     {}\n", e.presets.join(", ")));
    }
    let mut params = Table::new(&["parameter", "default", "range", "what it does"]);
    for p in &e.params {
        let default = if p.default.is_null() {
            "none".to_owned()
        } else {
            p.default.to_string().trim_matches('"').to_owned()
        };
        let range = if p.choices.is_empty() {
            let bound = |open: &str, closed: &str, x: Option<f64>, exclusive: bool| {
                x.map(|x| format!("{}{x}", if exclusive { open } else { closed }))
            };
            [
                bound("> ", ">= ", p.min, p.min_exclusive),
                bound("< ", "<= ", p.max, p.max_exclusive),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
        } else {
            p.choices.join(" | ")
        };
        params.row([p.name.clone(), default, range, p.help.clone()]);
    }
    if !e.params.is_empty() {
        text.push('\n');
        text.push_str(&params.text());
        text.push('\n');
    }
    let mut outputs = Table::new(&["output", "what it is"]);
    for o in &e.outputs {
        outputs.row([o.name.clone(), o.help.clone()]);
    }
    text.push('\n');
    text.push_str(&outputs.text());
    text
}
