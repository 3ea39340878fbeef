//! `mltrainer data quality` and `mltrainer data import --look`: what the checks found, what a file
//! holds.

use super::Failure;
use super::data::quality;
use super::out::{Table, json, say};
use mltrainer_services::Services;
use mltrainer_types::data::{DatasetQuality, FilePreview};
use std::process::ExitCode;

/// Prints the quality of one data set, or a line of each.
pub(super) async fn run(
    services: &Services,
    as_json: bool,
    id: Option<&str>,
) -> Result<(), Failure> {
    let Some(id) = id else {
        let all = services.data_quality().await?;
        if as_json {
            return json(&all);
        }
        let heading = [
            "id",
            "quality",
            "usable",
            "set aside",
            "findings",
            "age",
            "differs",
        ];
        let mut table = Table::new(&heading);
        for q in &all {
            let worst = q.comparisons.iter().map(|c| c.result.share);
            let worst = worst.max_by(f64::total_cmp);
            table.row([
                q.id.to_string(),
                format!("{:.1}", q.quality.score),
                q.quality.usable.to_string(),
                q.quality.quarantined.to_string(),
                q.quality.counts.values().sum::<u64>().to_string(),
                format!("{} sessions", q.age.sessions),
                worst.map_or(String::new(), |w| format!("{:.2} %", 100.0 * w)),
            ]);
        }
        return say(&table.text());
    };
    let one = services.dataset_quality(id).await?;
    if as_json {
        return json(&one);
    }
    say(&text(&one))
}

fn text(q: &DatasetQuality) -> String {
    let mut text = format!("{}\n{}\n", q.id, quality(&q.quality));
    text.push_str(&format!(
        "Age: {} sessions after the last row{}\n",
        q.age.sessions,
        if q.age.is_over() {
            format!(
                "; more than {} are too old to forecast the next day from",
                q.age.allowed
            )
        } else {
            String::new()
        }
    ));
    if let Some(c) = &q.coverage {
        text.push_str(&format!(
            "Sessions: {} of {} minutes a bar, {} short, {} without a bar; {} of {} bars, {} outside\n",
            c.sessions, c.minutes, c.partial, c.missing, c.found, c.expected, c.outside
        ));
    }
    for c in &q.comparisons {
        let r = &c.result;
        text.push_str(&format!(
            "Beside {}: {} of {} days differ by more than {:.1} % ({})\n",
            c.id,
            r.differing,
            r.compared,
            100.0 * r.tolerance,
            if r.of_changes {
                "daily changes"
            } else {
                "closes"
            }
        ));
        for day in r.days.iter().take(5) {
            let percent = if r.of_changes { 100.0 } else { 1.0 };
            text.push_str(&format!(
                "  {}: {:.3} here, {:.3} there\n",
                day.date,
                percent * day.here,
                percent * day.there
            ));
        }
    }
    text.trim_end().to_owned()
}

/// Prints what was found in a file; a file that cannot be imported as it stands is a failure.
pub(super) fn layout(as_json: bool, preview: &FilePreview) -> Result<ExitCode, Failure> {
    let l = &preview.layout;
    if as_json {
        json(preview)?;
    } else {
        let mut signs = vec![l.format.clone()];
        signs.extend(l.delimiter.as_ref().map(|d| format!("{d} between cells")));
        signs.extend(l.decimal.as_ref().map(|d| format!("decimal {d}")));
        signs.extend(l.minutes.map(|m| format!("a bar every {m} minutes")));
        signs.extend(l.zone.clone());
        let mut table = Table::new(&["column", "taken for", "first cells"]);
        for c in &l.columns {
            let field = c.field.clone().unwrap_or_else(|| "left out".to_owned());
            table.row([c.name.clone(), field, c.first.join(" | ")]);
        }
        say(&format!(
            "{}: {}; {} rows\n{}",
            preview.name,
            signs.join(", "),
            l.rows,
            table.text()
        ))?;
    }
    match &l.problem {
        None => Ok(ExitCode::SUCCESS),
        Some(problem) => Err(Failure::new(3, format!("{}: {problem}", preview.name))),
    }
}
