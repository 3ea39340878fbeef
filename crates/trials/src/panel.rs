//! From verified bars to the rows of a trial: features, targets and folds, pooled over symbols.

use crate::port::TrialError;
use crate::words::{count, list, many};
use chrono::{Datelike, NaiveDate};
use mltrainer_backtest::metrics::pearson;
use mltrainer_backtest::splits::{self, Fold};
use mltrainer_compliance::{Content, Digest, Verified, policy};
use mltrainer_data::bars::Bars;
use mltrainer_features::selection::Selection;
use mltrainer_features::{
    Context, FeatureError, FeatureTable, LeftOut, compute_from, compute_many, longest_warm_up,
    target,
};
use mltrainer_types::trial::{Target, TrialSpec};

/// A feature is left out when it takes more than this share of a symbol's bars to warm up.
const MOST_WARM_UP: f64 = 0.25;
/// A feature is left out when it is undefined on more than this share of the bars after that.
const MOST_HOLES: f64 = 0.05;
/// A feature that tells the target this well has seen the future, or the data was made up.
const LEAK: f64 = 0.999;

/// One symbol: its features and, for each horizon, what is forecast.
#[derive(Debug, Clone)]
struct Part {
    symbol: String,
    dates: Vec<NaiveDate>,
    /// Rows before this one are there to warm up only.
    first: usize,
    features: FeatureTable,
    close: Vec<f64>,
    /// One a horizon: target and last known value.
    horizons: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Content for Part {
    fn digest(&self, d: &mut Digest) {
        d.text("part").text(&self.symbol).int(self.first as i64);
        self.features.digest(d);
        for (target, known) in &self.horizons {
            d.floats(target).floats(known);
        }
    }
}

/// The group that sees each symbol beside the others.
const ACROSS: &str = "cross_sectional";

/// The ids of the chosen features of that group, and of the others.
fn chosen(spec: &TrialSpec) -> (Vec<String>, Vec<String>) {
    let chosen = mltrainer_features::registry().iter();
    let chosen = chosen.filter(|f| f.is_among(&spec.features));
    let (across, alone): (Vec<_>, Vec<_>) = chosen.partition(|f| f.group == ACROSS);
    let ids =
        |all: Vec<&mltrainer_features::Feature>| all.into_iter().map(|f| f.id.to_owned()).collect();
    (ids(across), ids(alone))
}

/// The cross-sectional features of every symbol, in the order of the specification.
struct Across(Vec<FeatureTable>);

impl Content for Across {
    fn digest(&self, d: &mut Digest) {
        d.text("across").int(self.0.len() as i64);
        for table in &self.0 {
            table.digest(d);
        }
    }
}

/// A row of the pooled table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Place of the symbol in the specification.
    pub symbol: u32,
    /// Day after whose close the forecast is made.
    pub day: NaiveDate,
}

/// What is forecast over one horizon, one value for each usable row, ordered by day and then
/// symbol.
#[derive(Debug, Clone)]
pub struct Horizon {
    /// Bars ahead.
    pub bars: u32,
    /// Places in [`Panel::rows`].
    pub rows: Vec<usize>,
    /// Place of the row's day among [`Horizon::days`].
    pub day: Vec<usize>,
    /// Distinct days, ascending.
    pub days: Vec<NaiveDate>,
    /// The target.
    pub target: Vec<f64>,
    /// The same quantity as last known.
    pub known: Vec<f64>,
    /// Day on which the target is known.
    pub end: Vec<NaiveDate>,
    /// Close of the row's day.
    pub close: Vec<f64>,
    /// Simple return of the next bar.
    pub next_return: Vec<f64>,
    /// Training and test windows, as places in [`Horizon::days`].
    pub folds: Vec<Fold>,
    /// The features used in each fold, chosen by the rows of its training window alone.
    pub selections: Vec<Selection>,
}

impl Horizon {
    /// Usable rows to learn from in a fold: those of its training days whose target is known before
    /// the first test day. With symbols of different calendars the count of days alone would not
    /// make sure of that.
    #[must_use]
    pub fn train(&self, fold: &Fold) -> Vec<usize> {
        let test = self.days[fold.test.start];
        self.pick(|day, row| fold.train.contains(&day) && self.end[row] < test)
    }

    /// Usable rows to forecast in a fold.
    #[must_use]
    pub fn test(&self, fold: &Fold) -> Vec<usize> {
        self.pick(|day, _| fold.test.contains(&day))
    }

    fn pick(&self, keep: impl Fn(usize, usize) -> bool) -> Vec<usize> {
        self.day
            .iter()
            .enumerate()
            .filter(|(row, day)| keep(**day, *row))
            .map(|(row, _)| row)
            .collect()
    }
}

/// The rows of a trial.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Symbols, in the order of the specification.
    pub symbols: Vec<String>,
    /// Feature ids.
    pub features: Vec<String>,
    /// Features that the data does not allow, with the reason.
    pub left_out: Vec<LeftOut>,
    /// Rows on which every feature is defined, by day and then symbol.
    pub rows: Vec<Row>,
    /// Values, row by row: `rows.len() * features.len()`.
    pub x: Vec<f64>,
    /// One a horizon of the specification.
    pub horizons: Vec<Horizon>,
    /// Bars of the span, by symbol.
    pub bars: Vec<usize>,
    /// Bars of the span lost to warming up, by symbol.
    pub warming: Vec<usize>,
    /// Bars after that on which some feature is not defined, by symbol.
    pub undefined: Vec<usize>,
}

impl Content for Panel {
    fn digest(&self, d: &mut Digest) {
        d.text("panel").int(self.rows.len() as i64);
        for text in self.symbols.iter().chain(&self.features) {
            d.text(text);
        }
        for row in &self.rows {
            d.int(i64::from(row.symbol))
                .int(i64::from(row.day.num_days_from_ce()));
        }
        d.floats(&self.x);
        for h in &self.horizons {
            d.int(i64::from(h.bars));
            for row in &h.rows {
                d.int(*row as i64);
            }
            d.floats(&h.target)
                .floats(&h.known)
                .floats(&h.close)
                .floats(&h.next_return);
            for fold in &h.folds {
                for place in [
                    fold.train.start,
                    fold.train.end,
                    fold.test.start,
                    fold.test.end,
                ] {
                    d.int(place as i64);
                }
            }
            for selection in &h.selections {
                for place in &selection.kept {
                    d.int(*place as i64);
                }
            }
        }
    }
}

/// Builds the rows from the verified bars of every symbol, in the order of the specification.
///
/// Bars before the first day asked for serve to warm up features and for nothing else. The lineage
/// of the panel reaches back to every source.
///
/// # Errors
/// [`TrialError::Data`] when too little is left, [`TrialError::Blocked`] when a feature tells the
/// target almost perfectly.
pub fn build(
    spec: &TrialSpec,
    bars: &[Verified<Bars>],
    context: Option<&Verified<Context>>,
) -> Result<Verified<Panel>, TrialError> {
    let spans = bars
        .iter()
        .map(|b| span(spec, b))
        .collect::<Result<Vec<_>, _>>()?;
    let (across, alone) = chosen(spec);
    let across = if !across.is_empty() {
        let spans: Vec<Verified<Bars>> = spans.iter().map(|(span, _)| span.clone()).collect();
        let detail = format!("{} beside each other, day by day", list(&spec.symbols));
        Some(Verified::combine(&spans, "universe", detail, |bars| {
            compute_many(bars, &Context::default(), &across, None)
                .map(Across)
                .map_err(bad)
        })?)
    } else {
        None
    };
    let parts = spans
        .iter()
        .enumerate()
        .map(|(place, (span, first))| {
            let across = across.as_ref().map(|a| (a, place));
            part(spec, span, *first, &alone, context, across)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Verified::combine(
        &parts,
        "panel",
        format!(
            "rows of {} pooled by day; {}",
            list(&spec.symbols),
            crate::spec::validation_text(&spec.validation)
        ),
        |parts| pool(spec, parts),
    )
}

fn bad(e: FeatureError) -> TrialError {
    TrialError::Data(e.to_string())
}

/// The bars asked for and those before them that warm up the features; how many those are.
fn span(spec: &TrialSpec, bars: &Verified<Bars>) -> Result<(Verified<Bars>, usize), TrialError> {
    let all = bars.get();
    let from = spec
        .start
        .map_or(0, |s| all.dates.partition_point(|d| *d < s));
    let warm_from = from.saturating_sub(longest_warm_up(&spec.features));
    let first = from - warm_from;
    let span = bars.derive(
        "span",
        format!(
            "{}: {} to {}, and {} before to warm up",
            all.symbol,
            spec.start
                .map_or_else(|| "the first day".to_owned(), |d| d.to_string()),
            spec.end
                .map_or_else(|| "the last day".to_owned(), |d| d.to_string()),
            many(first, "bar")
        ),
        |b| Ok::<_, TrialError>(b.slice(b.dates.get(warm_from).copied(), spec.end)),
    )?;
    if span.get().dates.get(first).is_none() {
        return Err(TrialError::Data(format!(
            "{} has no bar in the span asked for",
            all.symbol
        )));
    }
    Ok((span, first))
}

fn part(
    spec: &TrialSpec,
    span: &Verified<Bars>,
    first: usize,
    alone: &[String],
    context: Option<&Verified<Context>>,
    across: Option<(&Verified<Across>, usize)>,
) -> Result<Verified<Part>, TrialError> {
    let start = span.get().dates.get(first).copied();
    let detail = format!("groups {}", spec.features.join(", "));
    let compute = |b: &Bars, c: &Context| match alone {
        // None named would mean all of them.
        [] => Ok(FeatureTable {
            dates: b.dates.clone(),
            ..FeatureTable::default()
        }),
        ids => compute_from(b, c, ids, start).map_err(bad),
    };
    let mut features = match context {
        Some(context) => span.derive_with(context, "features", detail, compute)?,
        None => span.derive("features", detail, |b| compute(b, &Context::default()))?,
    };
    if let Some((across, place)) = across {
        let detail = "joined with the place among the other symbols";
        features = features.derive_with(across, "features", detail, |own, across| {
            let mut table = own.clone();
            let beside = &across.0[place];
            table.names.extend(beside.names.iter().cloned());
            table.columns.extend(beside.columns.iter().cloned());
            table.left_out.extend(beside.left_out.iter().cloned());
            Ok::<_, TrialError>(table)
        })?;
    }
    let detail = format!(
        "{} over {} bars",
        spec.target.as_str(),
        list(&spec.horizons)
    );
    features.derive_with(span, "target", detail, |features, bars| {
        let bad = |e: target::TargetError| TrialError::Data(e.to_string());
        let horizons = spec
            .horizons
            .iter()
            .map(|&h| {
                let values = target::values(bars, spec.target, h).map_err(bad)?;
                Ok((
                    values,
                    target::last_known(bars, spec.target, h).map_err(bad)?,
                ))
            })
            .collect::<Result<_, TrialError>>()?;
        Ok(Part {
            symbol: bars.symbol.clone(),
            dates: bars.dates.clone(),
            first,
            features: features.clone(),
            close: bars.close.clone(),
            horizons,
        })
    })
}

/// A column of a part by name.
fn column<'a>(part: &'a Part, name: &str) -> Option<&'a [f64]> {
    let place = part.features.names.iter().position(|n| n == name)?;
    Some(&part.features.columns[place])
}

/// Why a feature cannot be used with these symbols, if it cannot.
fn why_not(parts: &[&Part], name: &str) -> Option<String> {
    for part in parts {
        let Some(values) = column(part, name) else {
            let reason = part.features.left_out.iter().find(|l| l.id == name);
            return Some(reason.map_or_else(String::new, |l| l.reason.clone()));
        };
        let span = &values[part.first..];
        let bars = span.len() as f64;
        let warm = span
            .iter()
            .position(|v| v.is_finite())
            .unwrap_or(span.len());
        if warm as f64 > MOST_WARM_UP * bars {
            return Some(format!(
                "it would take {} of the {} of {} to warm up",
                count(warm),
                many(span.len(), "bar"),
                part.symbol
            ));
        }
        let holes = span[warm..].iter().filter(|v| !v.is_finite()).count();
        if holes as f64 > MOST_HOLES * bars {
            return Some(format!(
                "it is not defined on {} of the {} of {}",
                count(holes),
                many(span.len(), "bar"),
                part.symbol
            ));
        }
    }
    None
}

fn pool(spec: &TrialSpec, parts: &[&Part]) -> Result<Panel, TrialError> {
    let mut features: Vec<String> = Vec::new();
    let mut left_out: Vec<LeftOut> = Vec::new();
    for feature in mltrainer_features::registry() {
        if !feature.is_among(&spec.features) {
            continue;
        }
        match why_not(parts, feature.id) {
            None => features.push(feature.id.to_owned()),
            Some(reason) => left_out.push(LeftOut {
                id: feature.id.to_owned(),
                reason,
            }),
        }
    }
    if features.is_empty() {
        let why = left_out.first().map_or("", |l| l.reason.as_str());
        return Err(TrialError::Data(format!(
            "no feature of the groups {} can be used with {}: {why}; choose other groups or a longer span",
            list(&spec.features),
            list(&spec.symbols)
        )));
    }
    let mut panel = Panel {
        symbols: spec.symbols.clone(),
        features,
        left_out,
        rows: Vec::new(),
        x: Vec::new(),
        horizons: Vec::new(),
        bars: Vec::new(),
        warming: Vec::new(),
        undefined: Vec::new(),
    };
    let columns: Vec<Vec<&[f64]>> = parts
        .iter()
        .map(|p| panel.features.iter().filter_map(|f| column(p, f)).collect())
        .collect();
    // (day, symbol, bar) of every bar on which all features are defined, in that order.
    let mut places: Vec<(NaiveDate, usize, usize)> = Vec::new();
    for (s, part) in parts.iter().enumerate() {
        let complete: Vec<usize> = (part.first..part.dates.len())
            .filter(|&bar| columns[s].iter().all(|c| c[bar].is_finite()))
            .collect();
        let bars = part.dates.len() - part.first;
        let warming = complete.first().map_or(bars, |bar| bar - part.first);
        panel.bars.push(bars);
        panel.warming.push(warming);
        panel.undefined.push(bars - warming - complete.len());
        places.extend(complete.into_iter().map(|bar| (part.dates[bar], s, bar)));
    }
    places.sort_unstable();
    panel.x.reserve(places.len() * panel.features.len());
    for &(day, s, bar) in &places {
        panel.rows.push(Row {
            symbol: s as u32,
            day,
        });
        panel.x.extend(columns[s].iter().map(|c| c[bar]));
    }
    for (place, &bars) in spec.horizons.iter().enumerate() {
        let mut horizon = horizon(spec, parts, &places, place, bars)?;
        check_leak(spec, &panel, &horizon)?;
        let select = |fold: &Fold| selection(spec, &panel, &horizon, &horizon.train(fold));
        horizon.selections = horizon.folds.iter().map(select).collect();
        panel.horizons.push(horizon);
    }
    Ok(panel)
}

/// The features a model gets to learn from, chosen by the features and targets of these rows alone.
fn selection(spec: &TrialSpec, panel: &Panel, h: &Horizon, rows: &[usize]) -> Selection {
    let width = panel.features.len();
    let column = |k: usize| {
        let value = |row: &usize| panel.x[h.rows[*row] * width + k];
        rows.iter().map(value).collect()
    };
    let columns: Vec<Vec<f64>> = (0..width).map(column).collect();
    let target: Vec<f64> = rows.iter().map(|&r| learned(spec.target, h, r)).collect();
    Selection::fit(&columns, &target)
}

fn horizon(
    spec: &TrialSpec,
    parts: &[&Part],
    places: &[(NaiveDate, usize, usize)],
    place: usize,
    bars: u32,
) -> Result<Horizon, TrialError> {
    let mut h = Horizon {
        bars,
        rows: Vec::new(),
        day: Vec::new(),
        days: Vec::new(),
        target: Vec::new(),
        known: Vec::new(),
        end: Vec::new(),
        close: Vec::new(),
        next_return: Vec::new(),
        folds: Vec::new(),
        selections: Vec::new(),
    };
    for (row, &(day, s, bar)) in places.iter().enumerate() {
        let part = parts[s];
        let (target, known) = (part.horizons[place].0[bar], part.horizons[place].1[bar]);
        if !target.is_finite() || !known.is_finite() {
            continue;
        }
        if h.days.last() != Some(&day) {
            h.days.push(day);
        }
        h.rows.push(row);
        h.day.push(h.days.len() - 1);
        h.target.push(target);
        h.known.push(known);
        h.end.push(part.dates[bar + bars as usize]);
        h.close.push(part.close[bar]);
        h.next_return
            .push(part.close[bar + 1] / part.close[bar] - 1.0);
    }
    h.folds = splits::folds(h.days.len(), &spec.validation, bars).map_err(|e| {
        TrialError::Data(format!(
            "horizon {bars} of {} after warming up features: {e}",
            list(&spec.symbols)
        ))
    })?;
    if let Some(fold) = h
        .folds
        .iter()
        .position(|f| h.train(f).len() < splits::MIN_TRAIN_DAYS)
    {
        return Err(TrialError::Data(format!(
            "horizon {bars}, fold {}: fewer than {} rows are left to learn from; use a longer span or fewer folds",
            fold + 1,
            splits::MIN_TRAIN_DAYS
        )));
    }
    Ok(h)
}

fn check_leak(spec: &TrialSpec, panel: &Panel, h: &Horizon) -> Result<(), TrialError> {
    let width = panel.features.len();
    let target: Vec<f64> = (0..h.rows.len())
        .map(|row| learned(spec.target, h, row))
        .collect();
    for (k, name) in panel.features.iter().enumerate() {
        let values: Vec<f64> = h.rows.iter().map(|row| panel.x[row * width + k]).collect();
        if let Some(r) = pearson(&values, &target)
            && r.abs() > LEAK
        {
            return Err(TrialError::Blocked(policy::NO_LOOK_AHEAD.refusal(&format!(
                "feature {name} tells the {} over {} bars of {} almost perfectly (correlation {r:.5}): either the data leaks the future or it was not recorded by a market",
                spec.target.as_str(),
                h.bars,
                list(&spec.symbols)
            ))));
        }
    }
    Ok(())
}

/// What a model learns in a row: the target, for price the return that leads to it.
#[must_use]
pub fn learned(target: Target, h: &Horizon, row: usize) -> f64 {
    if target == Target::Price {
        h.target[row] / h.close[row] - 1.0
    } else {
        h.target[row]
    }
}
