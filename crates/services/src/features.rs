//! Features of a user's file of daily bars.

use crate::ServiceError;
use crate::error::{from_data, from_refused};
use crate::run::File;
use chrono::NaiveDate;
use mltrainer_compliance::{Arrival, Gate};
use mltrainer_data::{bundled, csv};
use mltrainer_features::{VIX, compute};
use std::collections::BTreeMap;

/// Features, one row a row of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRows {
    /// Feature ids.
    pub names: Vec<String>,
    /// Day and values; no value while warming up, and none at all in a row that was set aside.
    pub rows: Vec<(String, Vec<Option<f64>>)>,
    /// Features that the file does not allow, each with the reason.
    pub left_out: Vec<(String, String)>,
}

/// Takes a file of daily bars through the gate and computes the features of these groups, of all
/// when none is named. The bundled VIX is joined where it reaches.
///
/// # Errors
/// [`ServiceError::Invalid`] for an unknown group, [`ServiceError::BadData`] and
/// [`ServiceError::Refused`] for a file that cannot be used.
pub fn of_csv(file: &File, groups: &[String]) -> Result<FeatureRows, ServiceError> {
    let known = mltrainer_features::groups();
    if let Some(group) = groups.iter().find(|g| !known.contains(&g.as_str())) {
        return Err(ServiceError::invalid(
            "group",
            format!(
                "there is no group \"{group}\"; there are {}",
                known.join(", ")
            ),
        ));
    }
    let content = csv::read_bars(&file.bytes, "FILE").map_err(from_data)?;
    let days = content.dates.clone();
    let bars = Gate::admit(Arrival {
        origin: "user_provided".to_owned(),
        request: file.name.clone(),
        promised_sha256: None,
        content,
    })
    .map_err(from_refused)?
    .verified;
    let vix = bundled::series(VIX).map_err(from_data)?;
    let vix = Gate::admit(vix).map_err(from_refused)?.verified;
    let table = bars.derive_with(&vix, "features", "of a file", |b, v| {
        compute(b, Some(v), groups).map_err(|e| ServiceError::BadData(e.to_string()))
    })?;
    let table = table.get();
    let mut at: BTreeMap<NaiveDate, usize> = table.dates.iter().copied().zip(0..).collect();
    let rows = days
        .into_iter()
        .map(|day| {
            // Taken once: a second row of the same day was set aside.
            let values = at.remove(&day).map_or_else(
                || vec![None; table.names.len()],
                |row| {
                    let value = |c: &Vec<f64>| mltrainer_types::finite(c[row]);
                    table.columns.iter().map(value).collect()
                },
            );
            let readable = day != mltrainer_data::bars::UNREADABLE_DATE;
            let date = if readable {
                day.to_string()
            } else {
                String::new()
            };
            (date, values)
        })
        .collect();
    Ok(FeatureRows {
        names: table.names.clone(),
        rows,
        left_out: table
            .left_out
            .iter()
            .map(|l| (l.id.clone(), l.reason.clone()))
            .collect(),
    })
}
