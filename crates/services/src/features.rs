//! Features of a user's file of daily bars, and of registered data sets.

use crate::error::{from_data, from_refused};
use crate::room::blocking;
use crate::run::File;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_compliance::{Admissible, Arrival, Content, Digest, Gate, Verified};
use mltrainer_data::bars::Bars;
use mltrainer_data::table::Table;
use mltrainer_data::{bundled, csv};
use mltrainer_features::{
    Context, FeatureError, FeatureTable, OptionChain, compute, compute_many, series_of,
};
use mltrainer_types::data::DatasetKind;
use std::collections::BTreeMap;

/// Features of one symbol, one row a row of the file or a bar of the data set.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRows {
    /// The symbol; `FILE` for a file.
    pub symbol: String,
    /// Feature ids.
    pub names: Vec<String>,
    /// Day and values; no value while warming up, and none at all in a row that was set aside.
    pub rows: Vec<(String, Vec<Option<f64>>)>,
    /// Features that the data does not allow, each with the reason.
    pub left_out: Vec<(String, String)>,
}

impl FeatureRows {
    /// The rows of a table.
    fn of(symbol: &str, table: &FeatureTable) -> Self {
        let values = |row: usize| {
            let value = |c: &Vec<f64>| mltrainer_types::finite(c[row]);
            table.columns.iter().map(value).collect()
        };
        Self {
            symbol: symbol.to_owned(),
            names: table.names.clone(),
            rows: table
                .dates
                .iter()
                .enumerate()
                .map(|(row, day)| (day.to_string(), values(row)))
                .collect(),
            left_out: table
                .left_out
                .iter()
                .map(|l| (l.id.clone(), l.reason.clone()))
                .collect(),
        }
    }
}

/// The name of a file's symbol.
const FILE: &str = "FILE";

/// Takes a file of daily bars through the gate and computes the features of these groups and ids, of
/// all when none is named. The bundled economic series are joined where they reach; `options` is a
/// file with the option chain, see [`OptionChain::from_table`].
///
/// # Errors
/// [`ServiceError::Invalid`] for an unknown group, [`ServiceError::BadData`] and
/// [`ServiceError::Refused`] for a file that cannot be used.
pub fn of_csv(
    file: &File,
    options: Option<&File>,
    wanted: &[String],
) -> Result<FeatureRows, ServiceError> {
    let content = csv::read_bars(&file.bytes, FILE).map_err(from_data)?;
    let days = content.dates.clone();
    let bars = admit(file, content)?;
    let mut series = Vec::new();
    for id in series_of(wanted) {
        // A series that does not ship with the program leaves its features out, with the reason.
        if let Ok(arrival) = bundled::series(id) {
            series.push(Gate::admit(arrival).map_err(from_refused)?.verified);
        }
    }
    let of = |b: &Bars, c: &Context| compute(b, c, wanted).map_err(from_feature);
    let mut context = Context::verified(&series);
    if let Some(file) = options {
        let quotes = admit(file, csv::read_table(&file.bytes).map_err(from_data)?)?;
        let with = |c: &Context, t: &Table| {
            let chain = OptionChain::from_table(FILE, t).map_err(ServiceError::BadData)?;
            Ok::<_, ServiceError>(Context {
                series: c.series.clone(),
                chains: vec![chain],
            })
        };
        let detail = "quotes of a file";
        context = Some(match &context {
            Some(known) => known.derive_with(&quotes, "option chain", detail, with)?,
            None => quotes.derive("option chain", detail, |t| with(&Context::default(), t))?,
        });
    }
    let table = match context {
        Some(context) => bars.derive_with(&context, "features", "of a file", of)?,
        None => bars.derive("features", "of a file", |b| of(b, &Context::default()))?,
    };
    let found = FeatureRows::of(FILE, table.get());
    let nothing = vec![None; found.names.len()];
    let mut at: BTreeMap<String, Vec<Option<f64>>> = found.rows.into_iter().collect();
    let rows = days
        .into_iter()
        .map(|day: NaiveDate| {
            if day == mltrainer_data::bars::UNREADABLE_DATE {
                return (String::new(), nothing.clone());
            }
            let day = day.to_string();
            // Taken once: a second row of the same day was set aside.
            let values = at.remove(&day).unwrap_or_else(|| nothing.clone());
            (day, values)
        })
        .collect();
    Ok(FeatureRows { rows, ..found })
}

/// A user's content, through the gate.
fn admit<T: Admissible>(file: &File, content: T) -> Result<Verified<T>, ServiceError> {
    Gate::admit(Arrival {
        origin: "user_provided".to_owned(),
        request: file.name.clone(),
        promised_sha256: None,
        content,
    })
    .map(|admitted| admitted.verified)
    .map_err(from_refused)
}

/// The features of several symbols.
struct Tables(Vec<FeatureTable>);

impl Content for Tables {
    fn digest(&self, d: &mut Digest) {
        d.text("tables").int(self.0.len() as i64);
        for table in &self.0 {
            table.digest(d);
        }
    }
}

impl Services {
    /// The features of these groups and ids (of all, when none is named) of registered data sets,
    /// each named by its id or its symbol; the cross-sectional ones see them beside each other.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with the nearest names, [`ServiceError::Invalid`] for an unknown
    /// group, an economic series, or no data set at all, [`ServiceError::BadData`] when no feature
    /// can be computed.
    pub async fn feature_rows(
        &self,
        sets: &[String],
        wanted: Vec<String>,
    ) -> Result<Vec<FeatureRows>, ServiceError> {
        let all = self.inner.room.all().await?;
        let mut bars: Vec<Verified<Bars>> = Vec::new();
        for name in sets {
            let id = match all.iter().find(|r| r.detail.summary.id.as_str() == name) {
                Some(set) => set.detail.summary.id.clone(),
                None if name.contains(':') => self.inner.room.one(name).await?.detail.summary.id,
                None => Self::dataset_of(&all, name, None)?.id,
            };
            let set = self.inner.room.one(id.as_str()).await?;
            if set.detail.summary.kind == DatasetKind::Series {
                return Err(ServiceError::invalid(
                    "dataset",
                    format!("{id} is an economic series; features are computed of bars or closes"),
                ));
            }
            bars.push(self.inner.room.bars(&set).await?.as_ref().clone());
        }
        if bars.is_empty() {
            return Err(ServiceError::invalid(
                "dataset",
                "missing: name a data set, for example bundled:AAPL",
            ));
        }
        let context = self.inner.room.context(&wanted).await?;
        blocking(move || {
            let symbols: Vec<String> = bars.iter().map(|b| b.get().symbol.clone()).collect();
            let detail = format!("bars of {}", symbols.join(", "));
            let universe = Verified::combine(&bars, "universe", detail, |all| {
                Ok::<_, ServiceError>(Universe(all.iter().map(|b| (*b).clone()).collect()))
            })?;
            let of = |u: &Universe, c: &Context| {
                let bars: Vec<&Bars> = u.0.iter().collect();
                compute_many(&bars, c, &wanted, None)
                    .map(Tables)
                    .map_err(from_feature)
            };
            let tables = match &context {
                Some(context) => universe.derive_with(context, "features", "of data sets", of)?,
                None => {
                    universe.derive("features", "of data sets", |u| of(u, &Context::default()))?
                }
            };
            let tables = &tables.get().0;
            if let Some(left_out) = tables.first().and_then(|t| t.left_out.first())
                && tables.iter().all(|t| t.names.is_empty())
            {
                return Err(ServiceError::BadData(format!(
                    "no feature can be computed for {}: {}",
                    symbols.join(", "),
                    left_out.reason
                )));
            }
            Ok(symbols
                .iter()
                .zip(tables)
                .map(|(symbol, table)| FeatureRows::of(symbol, table))
                .collect())
        })
        .await
    }
}

/// The bars of several symbols.
struct Universe(Vec<Bars>);

impl Content for Universe {
    fn digest(&self, d: &mut Digest) {
        d.text("universe").int(self.0.len() as i64);
        for bars in &self.0 {
            bars.digest(d);
        }
    }
}

fn from_feature(e: FeatureError) -> ServiceError {
    match &e {
        FeatureError::UnknownGroup { .. } => ServiceError::invalid("group", e.to_string()),
        _ => ServiceError::BadData(e.to_string()),
    }
}
