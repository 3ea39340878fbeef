//! `mltrainer features`: the features of a file, or the list of them. No database is opened.

use super::out::{Table, figure, json, say};
use super::{Failure, Format, Global, run};
use clap::Args;
use mltrainer_services::features::{FeatureRows, of_csv};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::process::ExitCode;

/// Rows shown to a person, the last ones.
const SHOWN: usize = 10;

/// `mltrainer features`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer features --data prices.csv --format csv > features.csv\n  mltrainer features --list"
)]
pub(super) struct Features {
    /// CSV file of daily bars
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    data: Option<PathBuf>,
    /// Only these groups, with commas
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    group: Vec<String>,
    /// Lists all features instead
    #[arg(long, conflicts_with = "data")]
    list: bool,
}

impl Features {
    pub(super) fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        match self.data {
            Some(path) => {
                let format = global.format(&[Format::Table, Format::Json, Format::Csv])?;
                let file = run::read(&path)?;
                let rows = of_csv(&file, &self.group)?;
                for (id, reason) in &rows.left_out {
                    super::complain(&format!("feature {id} is left out: {reason}"));
                }
                match format {
                    Format::Csv => say(csv(&rows).trim_end())?,
                    Format::Json => json(&objects(&rows))?,
                    _ => say(&table(&rows))?,
                }
            }
            None => list(global)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn list(global: &Global) -> Result<(), Failure> {
    let specs = mltrainer_features::specs();
    match global.format(&[Format::Table, Format::Json, Format::Markdown])? {
        Format::Json => json(&specs),
        Format::Markdown => say(mltrainer_features::markdown().trim_end()),
        _ => {
            let mut table = Table::new(&["feature", "group", "warm-up", "needs", "formula"]);
            for f in &specs {
                table.row([
                    f.id.clone(),
                    f.group.clone(),
                    f.warm_up.to_string(),
                    f.needs.join(", "),
                    f.formula.clone(),
                ]);
            }
            say(&table.text())
        }
    }
}

fn csv(rows: &FeatureRows) -> String {
    let mut text = format!("date,{}\n", rows.names.join(","));
    for (date, values) in &rows.rows {
        text.push_str(date);
        for value in values {
            text.push(',');
            if let Some(x) = value {
                text.push_str(&x.to_string());
            }
        }
        text.push('\n');
    }
    text
}

fn objects(rows: &FeatureRows) -> Vec<Map<String, Value>> {
    rows.rows
        .iter()
        .map(|(date, values)| {
            let mut object = Map::from_iter([("date".to_owned(), Value::from(date.clone()))]);
            for (name, value) in rows.names.iter().zip(values) {
                object.insert(name.clone(), Value::from(*value));
            }
            object
        })
        .collect()
}

/// One line a feature, the last days as columns: a terminal is wider than it is patient.
fn table(rows: &FeatureRows) -> String {
    let last = &rows.rows[rows.rows.len().saturating_sub(SHOWN)..];
    let mut heading = vec!["feature"];
    heading.extend(last.iter().map(|(date, _)| date.as_str()));
    let mut table = Table::new(&heading);
    for (column, name) in rows.names.iter().enumerate() {
        let mut cells = vec![name.clone()];
        cells.extend(
            last.iter()
                .map(|(_, values)| figure(values.get(column).copied().flatten())),
        );
        table.row(cells);
    }
    format!(
        "{}\n{} days, the last {} shown; --format csv gives all",
        table.text(),
        rows.rows.len(),
        last.len()
    )
}
