//! An option chain as a file of people: dates, the words call and put. What `options_flow` takes are numbers.

use chrono::NaiveDate;
use mltrainer_data::DataError;
use serde_json::Value;

/// The entry whose file is a chain.
pub(crate) const ID: &str = "options_flow";

/// The same chain with numbers only: `day` for `date` (days since 1970-01-01), `right` 1 for a call and
/// -1 for a put, `days_to_expiry` for `expiry`, 0 for an empty cell (no quote, no trade). A file without
/// the columns `date` and `expiry` is left as it is.
///
/// # Errors
/// [`DataError`] naming the column and the row that cannot be read.
pub(crate) fn numeric(bytes: &[u8]) -> Result<Vec<u8>, DataError> {
    let text = std::str::from_utf8(bytes).map_err(|e| DataError::NotText {
        offset: e.valid_up_to(),
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines();
    let head: Vec<String> = lines
        .next()
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().trim_matches('"').to_lowercase())
        .collect();
    let place = |name: &str| head.iter().position(|n| n == name);
    let (Some(date), Some(expiry)) = (place("date"), place("expiry")) else {
        return Ok(bytes.to_vec());
    };
    let right = place("right");
    let names = head.iter().enumerate().map(|(k, name)| match k {
        _ if k == date => "day",
        _ if k == expiry => "days_to_expiry",
        _ => name.as_str(),
    });
    let mut out = names.collect::<Vec<&str>>().join(",");
    out.push('\n');
    for (row, line) in lines.enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let cells: Vec<&str> = line
            .split(',')
            .map(|c| c.trim().trim_matches('"'))
            .collect();
        if cells.len() != head.len() {
            return Err(DataError::Width {
                row: row + 1,
                found: cells.len(),
                expected: head.len(),
            });
        }
        let day = |k: usize| {
            let read = cells[k].get(..10).and_then(|d| d.parse::<NaiveDate>().ok());
            let days = read.map(|d| i64::from(d.to_epoch_days()));
            days.ok_or_else(|| bad(&head[k], row, cells[k], "a day as YYYY-MM-DD"))
        };
        let (today, end) = (day(date)?, day(expiry)?);
        let written = cells.iter().enumerate().map(|(k, cell)| match k {
            _ if k == date => Ok(today.to_string()),
            _ if k == expiry => Ok((end - today).to_string()),
            _ if Some(k) == right => match cell.to_lowercase().as_str() {
                "call" | "c" | "1" => Ok("1".to_owned()),
                "put" | "p" | "-1" => Ok("-1".to_owned()),
                _ => Err(bad(&head[k], row, cell, "call or put")),
            },
            _ if cell.is_empty() => Ok("0".to_owned()),
            _ => Ok((*cell).to_owned()),
        });
        out.push_str(&written.collect::<Result<Vec<String>, _>>()?.join(","));
        out.push('\n');
    }
    Ok(out.into_bytes())
}

fn bad(column: &str, row: usize, cell: &str, wanted: &str) -> DataError {
    let shown: String = cell.chars().take(40).collect();
    DataError::Cell {
        column: column.to_owned(),
        row: row + 1,
        reason: format!("\"{shown}\" is not {wanted}"),
    }
}

/// Days since 1970-01-01 as dates.
pub(crate) fn dates(days: &Value) -> Value {
    let epoch = NaiveDate::default();
    let date = |v: &Value| {
        let day = epoch.checked_add_signed(chrono::TimeDelta::try_days(v.as_i64()?)?)?;
        Some(Value::from(day.to_string()))
    };
    let days = days.as_array().map_or(&[][..], Vec::as_slice);
    days.iter().map(|v| date(v).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_dates_become_numbers() {
        let chain = b"date,right,strike,expiry,bid,ask,last,volume,open_interest\n\
            2014-06-06,call,195,2015-01-17,449.3,452.35,,,412\n\
            2014-06-06,Put,200,2014-06-21,0.01,0.02,0.02,7,58\n";
        // 2014-06-06 is day 16227; 225 days to 2015-01-17, 15 to the 21st.
        assert_eq!(
            String::from_utf8(numeric(chain).unwrap()).unwrap(),
            "day,right,strike,days_to_expiry,bid,ask,last,volume,open_interest\n\
            16227,1,195,225,449.3,452.35,0,0,412\n\
            16227,-1,200,15,0.01,0.02,0.02,7,58\n"
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let text = |csv: &str| numeric(csv.as_bytes()).unwrap_err().to_string();
        let wrong = text("date,right,expiry\n2014-06-06,both,2014-06-21\n");
        assert!(
            wrong.contains("column \"right\" row 1: \"both\" is not call or put"),
            "{wrong}"
        );
        let wrong = text("date,right,expiry\n06/06/2014,call,2014-06-21\n");
        assert!(wrong.contains("column \"date\" row 1"), "{wrong}");
        let wrong = text("date,right,expiry\n2014-06-06,call\n");
        assert!(wrong.contains("2 cells"), "{wrong}");
        let days = dates(&serde_json::json!([0, 16227]));
        assert_eq!(days, serde_json::json!(["1970-01-01", "2014-06-06"]));
        // Numbers already.
        assert_eq!(numeric(b"day,right\n1,1\n").unwrap(), b"day,right\n1,1\n");
    }
}
