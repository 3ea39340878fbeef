//! `mltrainer features`: the features of a file, of data sets, or the list of them. For a file and
//! for the list no database is opened.

use super::out::{Table, figure, json, say};
use super::{Failure, Format, Global, run};
use clap::{ArgGroup, Args};
use mltrainer_services::features::{FeatureRows, of_csv};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::process::ExitCode;

/// Rows shown to a person, the last ones.
const SHOWN: usize = 10;

/// `mltrainer features`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["data", "dataset", "symbols", "list"]),
    after_help = "Examples:\n  mltrainer features --data prices.csv --format csv > features.csv\n  mltrainer features --dataset bundled:AAPL --group price,rsi_14\n  mltrainer features --symbols AAPL,IBM,MSFT --group cross_sectional --format csv\n  mltrainer features --list"
)]
pub(super) struct Features {
    /// CSV file of daily bars
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// A data set, as `mltrainer data list` names it
    #[arg(long, value_name = "ID")]
    dataset: Option<String>,
    /// Several symbols or data sets with commas, seen beside each other; the rows name their symbol
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    symbols: Vec<String>,
    /// CSV file with the option chain of the bars: date, days_to_expiry, strike, call (1 or 0), volume,
    /// open_interest, implied_volatility, underlying
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dataset", "symbols", "list"])]
    options: Option<PathBuf>,
    /// Only these groups and features, with commas
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    group: Vec<String>,
    /// Lists all features instead
    #[arg(long)]
    list: bool,
}

impl Features {
    pub(super) fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        if self.list {
            list(global)?;
            return Ok(ExitCode::SUCCESS);
        }
        let format = global.format(&[Format::Table, Format::Json, Format::Csv])?;
        let several = self.dataset.is_none() && self.data.is_none();
        let all = match &self.data {
            Some(path) => {
                let options = self.options.as_deref().map(run::read).transpose()?;
                vec![of_csv(&run::read(path)?, options.as_ref(), &self.group)?]
            }
            None => {
                let sets = self.dataset.map_or(self.symbols, |one| vec![one]);
                super::quiet(global)?.block_on(async {
                    let open = global.open().await?;
                    let found = open.services.feature_rows(&sets, self.group).await;
                    open.close().await;
                    Ok::<_, Failure>(found?)
                })?
            }
        };
        for (reason, ids) in left_out(&all) {
            super::complain(&format!("left out: {}, because {reason}", ids.join(", ")));
        }
        match (format, all.as_slice()) {
            (Format::Csv, _) => say(csv(&all, several).trim_end())?,
            (Format::Json, _) => json(&objects(&all, several))?,
            (_, [rows]) => say(&table(rows))?,
            _ => say(&newest(&all))?,
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
            let mut table = Table::new(&[
                "feature", "group", "warm-up", "known at", "needs", "formula", "source",
            ]);
            for f in &specs {
                table.row([
                    f.id.clone(),
                    f.group.clone(),
                    f.warm_up.to_string(),
                    f.known_at.clone(),
                    f.needs.join(", "),
                    f.formula.clone(),
                    f.source.clone(),
                ]);
            }
            say(&table.text())
        }
    }
}

/// The features left out, those of one reason together.
fn left_out(all: &[FeatureRows]) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (id, reason) in all.iter().flat_map(|rows| &rows.left_out) {
        match reasons.iter_mut().find(|(r, _)| r == reason) {
            Some((_, ids)) if ids.contains(&id.as_str()) => {}
            Some((_, ids)) => ids.push(id),
            None => reasons.push((reason, vec![id])),
        }
    }
    reasons
}

/// The features of any of them, in the order of the list of features.
fn names(all: &[FeatureRows]) -> Vec<String> {
    let there = |id: &String| all.iter().any(|rows| rows.names.contains(id));
    let ids = mltrainer_features::specs().into_iter().map(|f| f.id);
    ids.filter(there).collect()
}

/// A line a day: symbol where there are several, date and one column a feature.
fn csv(all: &[FeatureRows], several: bool) -> String {
    let names = names(all);
    let mut text = format!(
        "{}date,{}\n",
        if several { "symbol," } else { "" },
        names.join(",")
    );
    for rows in all {
        let places: Vec<Option<usize>> = names
            .iter()
            .map(|name| rows.names.iter().position(|n| n == name))
            .collect();
        for (date, values) in &rows.rows {
            if several {
                text.push_str(&rows.symbol);
                text.push(',');
            }
            text.push_str(date);
            for place in &places {
                text.push(',');
                if let Some(x) = place.and_then(|p| values[p]) {
                    text.push_str(&x.to_string());
                }
            }
            text.push('\n');
        }
    }
    text
}

fn objects(all: &[FeatureRows], several: bool) -> Vec<Map<String, Value>> {
    let mut objects = Vec::new();
    for rows in all {
        for (date, values) in &rows.rows {
            let mut object = Map::new();
            if several {
                object.insert("symbol".to_owned(), Value::from(rows.symbol.clone()));
            }
            object.insert("date".to_owned(), Value::from(date.clone()));
            for (name, value) in rows.names.iter().zip(values) {
                object.insert(name.clone(), Value::from(*value));
            }
            objects.push(object);
        }
    }
    objects
}

/// One line a feature, one column a symbol: the values of its last day.
fn newest(all: &[FeatureRows]) -> String {
    let mut heading = vec!["feature"];
    heading.extend(all.iter().map(|rows| rows.symbol.as_str()));
    let mut table = Table::new(&heading);
    for name in names(all) {
        let mut cells = vec![name.clone()];
        cells.extend(all.iter().map(|rows| {
            let place = rows.names.iter().position(|n| *n == name);
            let last = rows.rows.last();
            figure(place.and_then(|p| last.and_then(|(_, values)| values[p])))
        }));
        table.row(cells);
    }
    let days: Vec<String> = all
        .iter()
        .filter_map(|rows| {
            rows.rows
                .last()
                .map(|(day, _)| format!("{} {day}", rows.symbol))
        })
        .collect();
    format!(
        "{}\nthe last day of each: {}; --format csv gives all",
        table.text(),
        days.join(", ")
    )
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
