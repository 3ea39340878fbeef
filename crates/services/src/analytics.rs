//! Prices with what the catalogue computes on them, for the analytics page and its route.

use crate::catalogue::find;
use crate::layers::layer;
use crate::room::blocking;
use crate::run::on_bars;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_catalogue::cases::CASES;
use mltrainer_catalogue_core::{Engine, Resolved};
use mltrainer_compliance::{Verified, policy};
use mltrainer_data::bars::Bars;
use mltrainer_data::nearest::nearest;
use mltrainer_types::analytics::{
    Analytics, AnalyticsRequest, Correlation, FeatureLine, KnownCase, Layer, MOST_COMPARED, Pick,
};
use mltrainer_types::catalogue::{CatalogueEntry, Task};
use mltrainer_types::data::{Bar, DatasetKind, DatasetSummary};
use mltrainer_types::run::RunRequest;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Changes in common that a correlation needs.
const FEWEST_CHANGES: usize = 20;

/// Layers kept in memory.
const KEPT: usize = 24;

/// A layer that took less time than this, in milliseconds, is computed anew.
const QUICK: f64 = 20.0;

/// Recently computed layers by data, day and parameters, the latest last.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<VecDeque<(String, Layer)>>);

impl Shelf {
    fn get(&self, key: &str) -> Option<Layer> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(k, _)| k == key).map(|(_, l)| l.clone())
    }

    fn put(&self, key: String, layer: Layer) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((key, layer));
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }
}

/// All bars of a data set with what was asked to be laid over them; each part that cannot be computed
/// says why, and the rest is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlaid {
    /// The data set.
    pub dataset: DatasetSummary,
    /// All its bars.
    pub bars: Vec<Bar>,
    /// What was asked for, in this order, one value a bar.
    pub layers: Vec<(Pick, Result<Layer, ServiceError>)>,
    /// The feature asked for.
    pub feature: Option<Result<FeatureLine, ServiceError>>,
}

impl Overlaid {
    /// The first thing that could not be computed, said at the field that names it.
    #[must_use]
    pub fn fault(&self) -> Option<ServiceError> {
        let layer = self
            .layers
            .iter()
            .find_map(|(pick, l)| l.as_ref().err().map(|e| at_layer(pick, e.clone())));
        let feature = || self.feature.as_ref()?.as_ref().err().cloned();
        layer.or_else(feature)
    }
}

/// Whether an entry can be drawn over bars: it gives one value a bar of one data set.
fn is_drawable(resolved: &Resolved) -> bool {
    match resolved.entry.engine {
        Engine::Indicator { .. } => true,
        Engine::Analysis { width, .. } => {
            width.0 == 1 && resolved.entry.card.tasks.contains(&Task::Signal)
        }
        _ => false,
    }
}

impl Services {
    /// The entries of the catalogue that can be laid over bars.
    #[must_use]
    pub fn overlays(&self) -> Vec<CatalogueEntry> {
        let drawable = self.inner.registry.all().filter(is_drawable);
        drawable.map(|r| r.catalogue_entry()).collect()
    }

    /// Textbook shapes in the bundled bars that entries find, with the address of each.
    #[must_use]
    pub fn known_cases(&self) -> Vec<KnownCase> {
        let cases = CASES.iter().filter_map(|case| {
            // A set of the bundled symbols is there on every machine.
            let dataset = format!("bundled:{}", case.symbol);
            Some(KnownCase {
                entry: case.entry.to_owned(),
                show: Pick {
                    id: case.entry.to_owned(),
                    params: case
                        .set
                        .iter()
                        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                        .collect(),
                }
                .to_string(),
                dataset,
                symbol: case.symbol.to_owned(),
                first: case.from.parse().ok()?,
                last: case.to.parse().ok()?,
                known: case.says.last()?.date.parse().ok()?,
                why: case.why.to_owned(),
            })
        });
        cases.collect()
    }

    /// A data set by its id, or by the symbol it holds; without a name the first one with bars, those
    /// that ship with the program before others.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] with the nearest names; [`ServiceError::BadData`] when there is no
    /// data set to choose from.
    pub async fn dataset_named(&self, name: &str) -> Result<DatasetSummary, ServiceError> {
        let all = self.inner.room.all().await?;
        if name.is_empty() {
            let sets = all.into_iter().map(|r| r.detail.summary);
            let first = sets
                .filter(|s| s.kind != DatasetKind::Series)
                .min_by_key(|s| {
                    let bars = s.kind == DatasetKind::Bars;
                    (s.source != policy::BUNDLED, !bars)
                });
            return first.ok_or_else(|| {
                ServiceError::BadData("there is no data set with prices: import one first".into())
            });
        }
        match all.iter().find(|r| r.detail.summary.id.as_str() == name) {
            Some(set) => Ok(set.detail.summary.clone()),
            None if name.contains(':') => Ok(self.inner.room.one(name).await?.detail.summary),
            None => Self::dataset_of(&all, name, None),
        }
    }

    /// All bars of a data set with the layers and the feature asked for. What is estimated from all
    /// of its bars sees those up to the end of the span; everything else looks back only.
    ///
    /// # Errors
    /// [`ServiceError`]: an unknown data set, a span that ends before it begins, a store that fails.
    /// What is wrong with a layer or the feature stands in its place.
    pub async fn overlaid(&self, request: &AnalyticsRequest) -> Result<Overlaid, ServiceError> {
        crate::data::check_span(request.start, request.end)?;
        let dataset = self.dataset_named(&request.dataset).await?;
        let id = dataset.id.as_str();
        let bars = self.bars(id, None, None).await?;
        let mut layers = Vec::with_capacity(request.show.len());
        for pick in &request.show {
            let layer = self.one_layer(pick, &dataset, &bars, request.end).await;
            layers.push((pick.clone(), layer));
        }
        let feature = match request.feature.as_str() {
            "" => None,
            name => Some(self.one_feature(name, &dataset, &bars).await),
        };
        Ok(Overlaid {
            dataset,
            bars,
            layers,
            feature,
        })
    }

    /// The span asked for, everything computed.
    ///
    /// # Errors
    /// [`ServiceError`] for the first thing that is wrong, with the field that names it.
    pub async fn analytics(&self, request: &AnalyticsRequest) -> Result<Analytics, ServiceError> {
        let all = self.overlaid(request).await?;
        let (first, last) = span(&all.bars, request.start, request.end)?;
        if let Some(fault) = all.fault() {
            return Err(fault);
        }
        let mut layers = Vec::with_capacity(all.layers.len());
        for mut layer in all.layers.into_iter().filter_map(|(_, l)| l.ok()) {
            cut(&mut layer, &all.bars, first, last);
            layers.push(layer);
        }
        let mut feature = all.feature.transpose()?;
        if let Some(line) = &mut feature {
            line.values = line.values.get(first..=last).unwrap_or_default().to_vec();
        }
        let correlation = match request.with.as_slice() {
            [] => None,
            _ => Some(self.correlation(request).await?),
        };
        let bars = all.bars.get(first..=last).unwrap_or_default().to_vec();
        Ok(Analytics {
            start: bars.first().map_or(all.dataset.first, |b| b.date),
            end: bars.last().map_or(all.dataset.last, |b| b.date),
            dataset: all.dataset,
            bars,
            layers,
            feature,
            correlation,
        })
    }

    async fn one_layer(
        &self,
        pick: &Pick,
        dataset: &DatasetSummary,
        bars: &[Bar],
        end: Option<NaiveDate>,
    ) -> Result<Layer, ServiceError> {
        let resolved = find(&self.inner.registry, &pick.id)?;
        if !is_drawable(&resolved) {
            return Err(ServiceError::invalid(
                "show",
                format!(
                    "{} gives no value a bar of one data set, so it cannot be laid over prices; choose an indicator, a pattern or a signal",
                    pick.id
                ),
            ));
        }
        if dataset.kind == DatasetKind::Series {
            return Err(ServiceError::invalid(
                "dataset",
                format!(
                    "{} is an economic series; {} is computed on bars or closes",
                    dataset.id, pick.id
                ),
            ));
        }
        let until = match resolved.entry.engine {
            Engine::Analysis { .. } => end,
            _ => None,
        };
        let day = until.map_or_else(String::new, |d| d.to_string());
        let key = format!("{} {} {day} {pick}", dataset.id, dataset.sha256);
        if let Some(layer) = self.inner.shelf.get(&key) {
            return Ok(layer);
        }
        let set = self.inner.room.one(dataset.id.as_str()).await?;
        let verified = self.inner.room.bars(&set).await?;
        let request = RunRequest {
            dataset: Some(dataset.id.to_string()),
            end: until,
            params: pick.values(),
            ..RunRequest::default()
        };
        let (clock, wanted) = (self.inner.clock.clone(), pick.clone());
        let all = bars.to_vec();
        let (layer, took) = blocking(move || {
            let run = on_bars(&resolved, &verified, None, &request, &*clock)?;
            let layer = layer(&wanted, &resolved.catalogue_entry(), &run, &all);
            Ok((layer, run.timing.fit_ms + run.timing.predict_ms))
        })
        .await?;
        if took > QUICK {
            self.inner.shelf.put(key, layer.clone());
        }
        Ok(layer)
    }

    async fn one_feature(
        &self,
        name: &str,
        dataset: &DatasetSummary,
        bars: &[Bar],
    ) -> Result<FeatureLine, ServiceError> {
        let specs = self.features();
        let Some(spec) = specs.into_iter().find(|s| s.id == name) else {
            let specs = self.features();
            let ids: Vec<&str> = specs.iter().map(|s| s.id.as_str()).collect();
            return Err(ServiceError::NotFound {
                what: "feature",
                id: name.to_owned(),
                suggestions: nearest(name, &ids),
            });
        };
        let rows = self
            .feature_rows(&[dataset.id.to_string()], vec![name.to_owned()])
            .await?;
        let Some(rows) = rows.into_iter().next() else {
            return Err(ServiceError::BadData(format!(
                "{name} has no value on {}",
                dataset.id
            )));
        };
        let Some(column) = rows.names.iter().position(|n| n == name) else {
            let reason = rows.left_out.into_iter().find(|(id, _)| id == name);
            return Err(ServiceError::BadData(format!(
                "{name} cannot be computed on {}: {}",
                dataset.id,
                reason.map_or_else(|| "its columns are not there".to_owned(), |(_, r)| r)
            )));
        };
        let at = |bar: &Bar| {
            let day = bar.date.to_string();
            let row = rows.rows.binary_search_by(|(d, _)| d.as_str().cmp(&day));
            rows.rows.get(row.ok()?)?.1.get(column).copied().flatten()
        };
        Ok(FeatureLine {
            id: spec.id,
            formula: spec.formula,
            values: bars.iter().map(at).collect(),
        })
    }

    /// How the closes of the data set and of those named in `with` moved together.
    ///
    /// # Errors
    /// [`ServiceError`]: an unknown data set, a series, too many, too few common days.
    pub async fn correlation(
        &self,
        request: &AnalyticsRequest,
    ) -> Result<Correlation, ServiceError> {
        crate::data::check_span(request.start, request.end)?;
        let mut sets: Vec<DatasetSummary> = Vec::new();
        for name in std::iter::once(&request.dataset).chain(&request.with) {
            let set = self.dataset_named(name).await?;
            if set.kind == DatasetKind::Series {
                return Err(ServiceError::invalid(
                    "with",
                    format!("{} is an economic series; only prices are compared", set.id),
                ));
            }
            if !sets.iter().any(|s| s.id == set.id) {
                sets.push(set);
            }
        }
        if sets.len() > MOST_COMPARED {
            return Err(ServiceError::invalid(
                "with",
                format!(
                    "{} data sets are named, at most {MOST_COMPARED} are compared",
                    sets.len()
                ),
            ));
        }
        let mut bars: Vec<Verified<Bars>> = Vec::new();
        for set in &sets {
            let set = self.inner.room.one(set.id.as_str()).await?;
            bars.push(self.inner.room.bars(&set).await?.as_ref().clone());
        }
        let (start, end) = (request.start, request.end);
        blocking(move || {
            let columns: Vec<Vec<(NaiveDate, f64)>> = bars
                .iter()
                .map(|b| {
                    let b = b.get().slice(start, end);
                    b.dates.into_iter().zip(b.close).collect()
                })
                .collect();
            let (days, closes) = in_common(&columns);
            let (Some(first), Some(last)) = (days.first(), days.last()) else {
                return Err(ServiceError::BadData(
                    "the data sets have no day in common in this span: choose others or a longer span"
                        .to_owned(),
                ));
            };
            if days.len() <= FEWEST_CHANGES {
                return Err(ServiceError::BadData(format!(
                    "the data sets have {} days in common in this span, a correlation needs more than {FEWEST_CHANGES}: choose a longer span",
                    days.len()
                )));
            }
            let changes: Vec<Vec<f64>> = closes
                .iter()
                .map(|c| c.windows(2).map(|w| w[1] / w[0] - 1.0).collect())
                .collect();
            Ok(Correlation {
                datasets: sets.iter().map(|s| s.id.to_string()).collect(),
                symbols: bars.iter().map(|b| b.get().symbol.clone()).collect(),
                first: *first,
                last: *last,
                changes: (days.len() - 1) as u64,
                matrix: changes
                    .iter()
                    .map(|a| changes.iter().map(|b| crate::run::correlation(a, b)).collect())
                    .collect(),
            })
        })
        .await
    }
}

/// What is wrong with a layer, said at the field `show`, or at its parameter.
fn at_layer(pick: &Pick, e: ServiceError) -> ServiceError {
    match e {
        ServiceError::Invalid { field, detail } if field == "show" || field == "dataset" => {
            ServiceError::Invalid { field, detail }
        }
        ServiceError::Invalid { field, detail } => {
            ServiceError::invalid("show", format!("{}: {field}: {detail}", pick.id))
        }
        ServiceError::BadData(text) => ServiceError::BadData(format!("{}: {text}", pick.id)),
        ServiceError::FitFailed(text) => ServiceError::FitFailed(format!("{}: {text}", pick.id)),
        other => other,
    }
}

/// Places of the first and the last bar of a span.
fn span(
    bars: &[Bar],
    start: Option<NaiveDate>,
    end: Option<NaiveDate>,
) -> Result<(usize, usize), ServiceError> {
    let first = start.map_or(0, |d| bars.partition_point(|b| b.date < d));
    let after = end.map_or(bars.len(), |d| bars.partition_point(|b| b.date <= d));
    if first < after {
        return Ok((first, after - 1));
    }
    let text = |b: Option<&Bar>| b.map_or_else(String::new, |b| b.date.to_string());
    let side = if first >= bars.len() { "start" } else { "end" };
    Err(ServiceError::invalid(
        side,
        format!(
            "there is no day in this span; there are days from {} to {}",
            text(bars.first()),
            text(bars.last())
        ),
    ))
}

/// Cuts a layer to a span of bars.
fn cut(layer: &mut Layer, bars: &[Bar], first: usize, last: usize) {
    for line in &mut layer.lines {
        line.values = line.values.get(first..=last).unwrap_or_default().to_vec();
    }
    let (Some(from), Some(to)) = (bars.get(first), bars.get(last)) else {
        return;
    };
    layer
        .events
        .retain(|e| (from.date..=to.date).contains(&e.date));
    let within = |a: NaiveDate, b: NaiveDate| a <= to.date && from.date <= b;
    layer.regimes.retain(|r| within(r.first, r.last));
    layer.segments.retain(|s| within(s.from, s.to));
    for regime in &mut layer.regimes {
        regime.first = regime.first.max(from.date);
        regime.last = regime.last.min(to.date);
    }
}

/// The days that all columns have, and their values on these days.
fn in_common(columns: &[Vec<(NaiveDate, f64)>]) -> (Vec<NaiveDate>, Vec<Vec<f64>>) {
    let Some((one, others)) = columns.split_first() else {
        return (Vec::new(), Vec::new());
    };
    let has = |column: &Vec<(NaiveDate, f64)>, day: &NaiveDate| {
        column.binary_search_by_key(day, |(d, _)| *d).is_ok()
    };
    let days: Vec<NaiveDate> = one
        .iter()
        .map(|(d, _)| *d)
        .filter(|d| others.iter().all(|c| has(c, d)))
        .collect();
    let values = columns
        .iter()
        .map(|c| {
            let wanted = c.iter().filter(|(d, _)| days.binary_search(d).is_ok());
            wanted.map(|(_, v)| *v).collect()
        })
        .collect();
    (days, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2012, 5, d).unwrap()
    }

    fn bars(days: &[u32]) -> Vec<Bar> {
        let bar = |d: &u32| Bar {
            date: day(*d),
            open: None,
            high: None,
            low: None,
            close: 1.0,
            volume: None,
        };
        days.iter().map(bar).collect()
    }

    #[test]
    fn spans_are_inclusive_and_say_what_there_is() {
        let b = bars(&[2, 3, 4, 7]);
        for (start, end, expected) in [
            (None, None, (0, 3)),
            (Some(3), None, (1, 3)),
            (Some(3), Some(4), (1, 2)),
            (Some(5), Some(9), (3, 3)),
        ] {
            assert_eq!(span(&b, start.map(day), end.map(day)), Ok(expected));
        }
        for (start, end, field) in [(8, 9, "start"), (5, 6, "end"), (1, 1, "end")] {
            let e = span(&b, Some(day(start)), Some(day(end))).unwrap_err();
            assert!(e.to_string().contains("2012-05-02 to 2012-05-07"), "{e}");
            assert_eq!(e.problem().field.as_deref(), Some(field), "{start} {end}");
        }
    }

    #[test]
    fn every_known_case_reads() {
        for case in CASES {
            let read = |day: &str| day.parse::<NaiveDate>().is_ok();
            assert!(read(case.from) && read(case.to), "{}", case.why);
            assert!(case.says.iter().all(|s| read(s.date)) && !case.says.is_empty());
            for (_, value) in case.set {
                assert!(!value.contains([':', '~']), "{value}: not in an address");
            }
        }
    }

    #[test]
    fn only_common_days_are_compared() {
        let a = vec![(day(1), 1.0), (day(2), 2.0), (day(4), 4.0)];
        let b = vec![(day(2), 20.0), (day(3), 30.0), (day(4), 40.0)];
        let (days, values) = in_common(&[a, b]);
        assert_eq!(days, [day(2), day(4)]);
        assert_eq!(values, [vec![2.0, 4.0], vec![20.0, 40.0]]);
        assert_eq!(in_common(&[]).0.len(), 0);
    }
}
