//! Prices with what the catalogue computes on them. The whole state is in the address:
//!
//! `/analytics?dataset=bundled:AAPL&start=2011-01-03&end=2012-06-29&show=sma:period=20,rsi&feature=rsi_14&with=MSFT,IBM`
//!
//! - `dataset`: id of a data set, or a symbol; the first one with bars when absent;
//! - `start`, `end`: the span; the last year when both are absent;
//! - `show`: entries of the catalogue apart by commas, each `ID` or `ID:NAME=VALUE:NAME=VALUE`; a comma
//!   inside a value is written `~`;
//! - `feature`: a feature over the same days;
//! - `with`: data sets or symbols whose daily changes are compared with those of the first.
//!
//! The form sends its fields in a form of their own (`layer`, `p.NAME`, `add`) and is led to this address.

use crate::drawing::Drawing;
use crate::error::PageError;
use crate::islands::chart::Chart;
use crate::pages::model::param_control;
use crate::query::{self, Link, segment};
use crate::server::{reader, refuse, set_status};
use crate::ui;
use crate::{charts, format, words};
use chrono::{Datelike as _, NaiveDate};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use mltrainer_services::{Overlaid, ServiceError, Services};
use mltrainer_types::analytics::{
    AnalyticsRequest, Correlation, FeatureLine, KnownCase, Layer, MOST_LAYERS, Pick,
};
use mltrainer_types::catalogue::CatalogueEntry;
use mltrainer_types::data::DatasetSummary;
use mltrainer_types::feature::FeatureSpec;

/// Bars shown when no span is named: about a year.
const RECENT: usize = 250;

/// Finds listed in a layer's card, the latest.
const LISTED: usize = 6;

/// What the address asks for, as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Data set or symbol.
    pub dataset: String,
    /// First day.
    pub start: String,
    /// Last day.
    pub end: String,
    /// What is laid over the prices.
    pub show: String,
    /// A feature.
    pub feature: String,
    /// Data sets to compare.
    pub with: Vec<String>,
}

impl Asked {
    /// From the pairs of an address.
    #[must_use]
    pub fn read(pairs: &[(String, String)]) -> Self {
        let get = |name: &str| query::get(pairs, name).to_owned();
        Self {
            dataset: get("dataset"),
            start: get("start"),
            end: get("end"),
            show: get("show"),
            feature: get("feature"),
            with: query::list(&get("with")),
        }
    }

    /// From the fields of the form; nothing when they are an address already.
    #[must_use]
    pub fn from_form(pairs: &[(String, String)]) -> Option<Self> {
        if query::get(pairs, "form").is_empty() {
            return None;
        }
        let new = |id: &str| Pick {
            id: id.to_owned(),
            params: Vec::new(),
        };
        let mut picks: Vec<Pick> = Vec::new();
        for (name, value) in pairs {
            let value = value.trim();
            if name == "layer" {
                picks.push(new(value));
            } else if let (Some(param), Some(pick)) = (name.strip_prefix("p."), picks.last_mut())
                && !value.is_empty()
            {
                // A colon would begin another parameter.
                let value = value.replace(':', " ");
                pick.params.push((param.to_owned(), value));
            }
        }
        // What is added comes last, wherever its field stands.
        let added = query::get(pairs, "add");
        picks.extend((!added.is_empty()).then(|| new(added)));
        Some(Self {
            show: Pick::write(&picks),
            ..Self::read(pairs)
        })
    }

    /// The address.
    #[must_use]
    pub fn link(&self) -> String {
        self.at("/analytics")
    }

    fn at(&self, path: &str) -> String {
        let link = Link::to(path)
            .with("dataset", &self.dataset)
            .with("start", &self.start)
            .with("end", &self.end)
            .with("show", &self.show)
            .with("feature", &self.feature)
            .with("with", &self.with.join(","));
        // An equals sign inside a value is allowed in a query and keeps `show` readable.
        link.build().replace("%3D", "=")
    }

    /// What the chart is drawn from, as its name for the server says it: the address without the span.
    fn source(&self) -> String {
        let whole = Self {
            start: String::new(),
            end: String::new(),
            with: Vec::new(),
            ..self.clone()
        };
        whole.at("analytics")
    }

    /// The request.
    ///
    /// # Errors
    /// A field whose text is not of its kind.
    pub fn request(&self) -> Result<AnalyticsRequest, PageError> {
        Ok(AnalyticsRequest {
            dataset: self.dataset.clone(),
            start: day("start", &self.start)?,
            end: day("end", &self.end)?,
            show: Pick::list(&self.show).map_err(|e| PageError::field("show", &e))?,
            feature: self.feature.clone(),
            with: self.with.clone(),
        })
    }

    fn with_show(&self, picks: &[Pick]) -> Self {
        Self {
            show: Pick::write(picks),
            ..self.clone()
        }
    }
}

fn day(name: &str, text: &str) -> Result<Option<NaiveDate>, PageError> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            PageError::field(
                name,
                &format!("\"{text}\" is not a day; write it as 2012-12-31"),
            )
        }),
    }
}

/// The address that shows a known case.
#[must_use]
pub fn case_link(case: &KnownCase) -> String {
    Asked {
        dataset: case.dataset.clone(),
        start: format::day(case.first),
        end: format::day(case.last),
        show: case.show.clone(),
        ..Asked::default()
    }
    .link()
}

/// Everything on the page.
#[derive(Debug, Clone)]
pub struct AnalyticsPage {
    /// What was asked for, with what the page filled in.
    asked: Asked,
    /// Data sets: id and words.
    sets: Vec<(String, String)>,
    /// Entries that can be laid over prices.
    entries: Vec<CatalogueEntry>,
    /// Features.
    features: Vec<FeatureSpec>,
    /// Known cases.
    cases: Vec<KnownCase>,
    /// What is to be seen, or what is wrong.
    seen: Result<Seen, PageError>,
}

/// What is to be seen.
#[derive(Debug, Clone)]
struct Seen {
    dataset: DatasetSummary,
    layers: Vec<(Pick, Result<Layer, PageError>)>,
    feature: Option<Result<FeatureLine, PageError>>,
    correlation: Option<Result<Correlation, PageError>>,
    /// The chart, or why this span has none.
    drawing: Result<Drawing, PageError>,
    /// First and last day shown.
    span: (NaiveDate, NaiveDate),
}

async fn analytics(pairs: Vec<(String, String)>) -> Result<AnalyticsPage, PageError> {
    let services = reader()?;
    if let Some(asked) = Asked::from_form(&pairs) {
        leptos_axum::redirect(&asked.link());
    }
    let mut asked = Asked::from_form(&pairs).unwrap_or_else(|| Asked::read(&pairs));
    let sets = services.datasets().await.map_err(|e| refuse(&e))?;
    let sets: Vec<(String, String)> = sets
        .iter()
        .map(|s| (s.id.to_string(), set_words(s)))
        .collect();
    let seen = if sets.is_empty() {
        Err(PageError::default())
    } else {
        look(&services, &mut asked).await
    };
    if let Err(e) = &seen
        && e.status >= 400
    {
        set_status(e.status);
    }
    Ok(AnalyticsPage {
        asked,
        sets,
        entries: services.overlays(),
        features: services.features(),
        cases: services.known_cases(),
        seen,
    })
}

fn set_words(s: &DatasetSummary) -> String {
    format!(
        "{} · {} {} to {}",
        s.symbols.join(", "),
        words::dataset_kind(s.kind).to_lowercase(),
        format::day(s.first),
        format::day(s.last)
    )
}

/// What is to be seen; fills in what the address leaves open.
async fn look(services: &Services, asked: &mut Asked) -> Result<Seen, PageError> {
    let mut request = asked.request()?;
    let all = services.overlaid(&request).await.map_err(|e| refuse(&e))?;
    asked.dataset = all.dataset.id.to_string();
    if request.start.is_none() && request.end.is_none() {
        let from = all.bars.len().saturating_sub(RECENT);
        request.start = all.bars.get(from).map(|b| b.date);
    }
    let drawing = draw(&all, request.start, request.end);
    let inside = |d: &NaiveDate| {
        request.start.is_none_or(|s| s <= *d) && request.end.is_none_or(|e| *d <= e)
    };
    let mut days = all.bars.iter().map(|b| b.date).filter(inside);
    let first = days.next();
    let span = (
        first.or(request.start).unwrap_or(all.dataset.first),
        days.next_back()
            .or(first)
            .or(request.end)
            .unwrap_or(all.dataset.last),
    );
    (asked.start, asked.end) = (format::day(span.0), format::day(span.1));
    let correlation = match asked.with.as_slice() {
        [] => None,
        _ => {
            let request = AnalyticsRequest {
                dataset: asked.dataset.clone(),
                start: Some(span.0),
                end: Some(span.1),
                ..request
            };
            Some(services.correlation(&request).await.map_err(said))
        }
    };
    Ok(Seen {
        layers: all
            .layers
            .into_iter()
            .map(|(pick, layer)| (pick, layer.map_err(said)))
            .collect(),
        feature: all.feature.map(|f| f.map_err(said)),
        correlation,
        drawing,
        dataset: all.dataset,
        span,
    })
}

/// An error of a part of the page: the page itself is well.
fn said(e: ServiceError) -> PageError {
    let problem = e.problem();
    PageError {
        field: problem.field,
        suggestions: problem.suggestions,
        ..PageError::new(problem.status, &problem.title, &problem.detail)
    }
}

fn draw(
    all: &Overlaid,
    start: Option<NaiveDate>,
    end: Option<NaiveDate>,
) -> Result<Drawing, PageError> {
    charts::analytics::plot(all)
        .draw(start, end)
        .map_err(|e| PageError::field("start", &e.to_string()))
}

/// The drawing of a source of this page, for a span that the browser asks for.
pub(crate) async fn redrawn(
    services: &Services,
    pairs: &[(String, String)],
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
) -> Result<Drawing, PageError> {
    let request = AnalyticsRequest {
        end: last,
        ..Asked::read(pairs).request()?
    };
    let all = services.overlaid(&request).await.map_err(|e| refuse(&e))?;
    draw(&all, first, last)
}

/// The page.
#[component]
pub fn Analytics() -> impl IntoView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    view! {
        <Title text="Analytics"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer")],
                "Analytics".to_owned(),
                view! {
                    <p class="lede">
                        "Prices with indicators, patterns and signals laid over them. Every value is one that was known at the close of its day."
                    </p>
                }
                .into_any(),
            )}
            {ui::loaded(analytics(pairs), 16, |p| whole(&p))}
        </div>
    }
}

fn whole(p: &AnalyticsPage) -> AnyView {
    if p.sets.is_empty() {
        return ui::empty(
            "No data set",
            "There is nothing to draw yet. Import or fetch prices first.",
            "/data",
            "Go to the data",
        );
    }
    let error = p.seen.as_ref().err();
    let body = match &p.seen {
        Err(e) => ui::error_panel(e),
        Ok(seen) => seen_view(p, seen),
    };
    view! { {form(p, error)} {body} }.into_any()
}

/// The form: what, when, and one more entry. Fields further down belong to it by its name.
fn form(p: &AnalyticsPage, error: Option<&PageError>) -> AnyView {
    let at = |name: &str| error.and_then(|e| e.at(name)).map(str::to_owned);
    // A field for days holds nothing else: what is no day stands in its message alone.
    let day = |text: &str| {
        let read: Result<NaiveDate, _> = text.parse();
        read.map(format::day).unwrap_or_default()
    };
    let (start, end) = (day(&p.asked.start), day(&p.asked.end));
    let full = Pick::list(&p.asked.show).is_ok_and(|l| l.len() >= MOST_LAYERS);
    let families = by_family(&p.entries);
    view! {
        <form method="get" action="/analytics" id="view" class="filters" aria-label="What the chart shows">
            <input type="hidden" name="form" value="1"/>
            {ui::field("dataset", "Data set", "", at("dataset"), ui::select("dataset", p.sets.clone(), &p.asked.dataset))}
            {ui::field("start", "From", "", at("start"), view! { <input type="date" id="start" name="start" value=start/> }.into_any())}
            {ui::field("end", "To", "", at("end"), view! { <input type="date" id="end" name="end" value=end/> }.into_any())}
            {ui::field(
                "add",
                "Lay over",
                "",
                at("show"),
                view! {
                    <select id="add" name="add" disabled=full>
                        <option value="">{if full { "no more fit" } else { "choose …" }}</option>
                        {families
                            .into_iter()
                            .map(|(family, entries)| view! {
                                <optgroup label=words::title(family)>
                                    {entries
                                        .into_iter()
                                        .map(|e| view! { <option value=e.id.clone()>{e.title.clone()}</option> })
                                        .collect_view()}
                                </optgroup>
                            })
                            .collect_view()}
                    </select>
                }
                .into_any(),
            )}
            <div class="field submit"><button class="button primary">"Show"</button></div>
        </form>
    }
    .into_any()
}

/// The entries by family, in the order of the catalogue.
fn by_family(entries: &[CatalogueEntry]) -> Vec<(&str, Vec<&CatalogueEntry>)> {
    let mut families: Vec<(&str, Vec<&CatalogueEntry>)> = Vec::new();
    for e in entries {
        match families.iter_mut().find(|(f, _)| *f == e.family) {
            Some((_, list)) => list.push(e),
            None => families.push((&e.family, vec![e])),
        }
    }
    families
}

fn seen_view(p: &AnalyticsPage, seen: &Seen) -> AnyView {
    let chart = match &seen.drawing {
        Ok(d) => {
            let d = d.clone();
            view! {
                <Chart source=p.asked.source() frame=Some(d.frame)>
                    <div class="drawn" inner_html=d.svg></div>
                </Chart>
            }
            .into_any()
        }
        Err(e) => no_days(&p.asked, seen, e),
    };
    view! {
        {spans(&p.asked, seen)}
        {chart}
        {ui::panel("layers", "Laid over the prices", ().into_any(), layers(p, seen))}
        <div class="columns">
            <div>{ui::panel("feature-part", "Feature explorer", ().into_any(), feature(p, seen))}</div>
            <div>{ui::panel("correlation", "Moving together", ().into_any(), correlation(p, seen))}</div>
        </div>
        {(!p.cases.is_empty()).then(|| ui::panel("cases", "Known cases", ().into_any(), cases_part(p)))}
        {address(&p.asked)}
    }
    .into_any()
}

/// Textbook shapes in the data sets, by entry.
fn cases_part(p: &AnalyticsPage) -> AnyView {
    let mut entries: Vec<&str> = Vec::new();
    for case in &p.cases {
        if !entries.contains(&case.entry.as_str()) {
            entries.push(&case.entry);
        }
    }
    let shown = |entry: &str| {
        let picks = Pick::list(&p.asked.show).unwrap_or_default();
        picks.iter().any(|pick| pick.id == entry)
    };
    let parts = entries
        .into_iter()
        .map(|entry| {
            let of: Vec<&KnownCase> = p.cases.iter().filter(|c| c.entry == entry).collect();
            let title = p.entries.iter().find(|e| e.id == entry);
            let title = title.map_or_else(|| words::title(entry), |e| e.title.clone());
            let n = format::counted(of.len() as u64, "case", "cases");
            view! {
                <details open=shown(entry)>
                    <summary>{title} " · " {n}</summary>
                    {cases(&of)}
                </details>
            }
        })
        .collect_view();
    view! {
        <p class="quiet">
            "Shapes of the books in real history, chosen because they look like them. They show what an entry finds and when it knew; they say nothing about how often it pays."
        </p>
        {parts}
    }
    .into_any()
}

/// Known cases as a list of links to their charts.
pub(crate) fn cases(list: &[&KnownCase]) -> AnyView {
    let rows = list
        .iter()
        .map(|c| {
            let name = format!("{}, known on {}", c.symbol, format::day(c.known));
            view! {
                <li>
                    <p><a href=case_link(c)>{name}</a> <span class="figures quiet">{format!("{} to {}", format::day(c.first), format::day(c.last))}</span></p>
                    <p>{c.why.clone()}</p>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="lines">{rows}</ul> }.into_any()
}

/// Nothing in the span: what there is instead.
fn no_days(asked: &Asked, seen: &Seen, e: &PageError) -> AnyView {
    let s = &seen.dataset;
    let whole = Asked {
        start: format::day(s.first),
        end: format::day(s.last),
        ..asked.clone()
    };
    view! {
        <div class="notice empty" role="status">
            <h2>"No day in this span"</h2>
            <p>{ui::sentence(&e.detail)}</p>
            <p>{format!("The data set has days from {} to {}.", format::day(s.first), format::day(s.last))}</p>
            <p><a class="button primary" href=whole.link()>"Show all of them"</a></p>
        </div>
    }
    .into_any()
}

/// Links to spans that end where the chart does.
fn spans(asked: &Asked, seen: &Seen) -> AnyView {
    let links = quick_spans(&seen.dataset, seen.span.1)
        .into_iter()
        .map(|(name, from, to)| {
            let link = Asked {
                start: format::day(from),
                end: format::day(to),
                ..asked.clone()
            };
            let current = (from, to) == seen.span;
            view! { <li><a href=link.link() aria-current=current.then_some("true")>{name}</a></li> }
        })
        .collect_view();
    view! { <nav aria-label="Spans"><ul class="chips spans">{links}</ul></nav> }.into_any()
}

/// Names, first and last days of spans to choose from: those that the data set has.
fn quick_spans(s: &DatasetSummary, end: NaiveDate) -> Vec<(String, NaiveDate, NaiveDate)> {
    let end = end.clamp(s.first, s.last);
    let back = |years: i32| {
        let day = end.with_year(end.year() - years);
        // A 29th of February has no brother in most years.
        day.or_else(|| end.pred_opt()?.with_year(end.year() - years))
    };
    let mut spans: Vec<(String, NaiveDate, NaiveDate)> = [1, 2, 5]
        .into_iter()
        .filter_map(|years| {
            let from = back(years).filter(|d| *d > s.first)?;
            let name = format::counted(u64::from(years.unsigned_abs()), "year", "years");
            Some((name, from, end))
        })
        .collect();
    spans.push(("All days".to_owned(), s.first, s.last));
    spans
}

/// What is laid over the prices: parameters, what was found, what went wrong, and the way off.
fn layers(p: &AnalyticsPage, seen: &Seen) -> AnyView {
    if seen.layers.is_empty() {
        return view! {
            <p class="quiet">"Nothing yet. Choose an entry above, or begin with one of these:"</p>
            <ul class="chips">{suggestions(p)}</ul>
        }
        .into_any();
    }
    let picks: Vec<Pick> = seen.layers.iter().map(|(pick, _)| pick.clone()).collect();
    let cards = seen
        .layers
        .iter()
        .enumerate()
        .map(|(i, (pick, layer))| {
            let mut others = picks.clone();
            others.remove(i);
            let entry = p.entries.iter().find(|e| e.id == pick.id);
            card(
                i,
                pick,
                entry,
                layer,
                &p.asked.with_show(&others).link(),
                seen.span,
            )
        })
        .collect_view();
    view! {
        <div class="layers">{cards}</div>
        <p><button class="button" form="view">"Apply these parameters"</button></p>
    }
    .into_any()
}

/// First things to try, as far as the catalogue has them.
fn suggestions(p: &AnalyticsPage) -> Vec<AnyView> {
    [
        ("Two moving averages", "sma:period=20,sma:period=50"),
        ("Bollinger bands and RSI", "bollinger_bands:period=20,rsi"),
        ("MACD", "macd"),
        ("Candlestick patterns", "candlestick_patterns"),
        ("Support and resistance", "support_resistance"),
        ("Volatility regime", "volatility_regime"),
    ]
    .into_iter()
    .filter_map(|(name, show)| {
        let picks = Pick::list(show).ok()?;
        let known = |pick: &Pick| p.entries.iter().any(|e| e.id == pick.id);
        picks.iter().all(known).then(|| {
            let href = p.asked.with_show(&picks).link();
            view! { <li><a href=href data-span="">{name}</a></li> }.into_any()
        })
    })
    .collect()
}

fn card(
    i: usize,
    pick: &Pick,
    entry: Option<&CatalogueEntry>,
    layer: &Result<Layer, PageError>,
    off: &str,
    span: (NaiveDate, NaiveDate),
) -> AnyView {
    let error = layer.as_ref().err();
    let title = entry.map_or_else(|| pick.id.clone(), |e| e.title.clone());
    let given = |name: &str| {
        let found = pick.params.iter().find(|(n, _)| n == name);
        found.map_or_else(String::new, |(_, v)| v.clone())
    };
    let fields = entry.map(|e| {
        e.params
            .iter()
            .map(|spec| {
                let wrong = error
                    .and_then(|e| e.field.clone())
                    .is_some_and(|f| f == spec.name);
                let reason = error.filter(|_| wrong).map(|e| e.detail.clone());
                let help = format!("{}. {}", words::param_range(spec), ui::sentence(&spec.help));
                let id = format!("l{i}-{}", spec.name);
                let name = format!("p.{}", spec.name);
                param_control(
                    spec,
                    &id,
                    &name,
                    Some("view"),
                    &given(&spec.name),
                    reason,
                    &help,
                )
            })
            .collect_view()
    });
    // A parameter that the entry does not have stays in the form, so that the error can be mended.
    let unknown: Vec<(String, String)> = pick
        .params
        .iter()
        .filter(|(n, _)| entry.is_some_and(|e| !e.params.iter().any(|s| s.name == *n)))
        .cloned()
        .collect();
    let wrong = error.map(|e| {
        let near = (!e.suggestions.is_empty()).then(|| {
            view! { " Nearest names: " {e.suggestions.join(", ")} "." }
        });
        view! { <p class="field-error" role="alert">{ui::sentence(&e.detail)} {near}</p> }
    });
    let label = format!("Take off {title}");
    let heading = match entry {
        Some(e) => view! { <a href=format!("/models/{}", segment(&e.id))>{title}</a> }.into_any(),
        None => title.into_any(),
    };
    view! {
        <section class="layer" class:bad=error.is_some()>
            <header>
                <h3>{heading}</h3>
                <a class="button" href=off.to_owned() data-span="" aria-label=label>"Take off"</a>
            </header>
            <input type="hidden" name="layer" value=pick.id.clone() form="view"/>
            {wrong}
            <div class="fields">{fields}</div>
            {unknown
                .into_iter()
                .map(|(name, value)| {
                    let id = format!("l{i}-{name}");
                    view! {
                        <div class="field bad">
                            <label for=id.clone()><code>{name.clone()}</code></label>
                            <input type="text" id=id name=format!("p.{name}") form="view" value=value/>
                            <p class="help">"The entry has no parameter of this name: empty the field."</p>
                        </div>
                    }
                })
                .collect_view()}
            {layer.as_ref().ok().map(|l| found(l, span))}
        </section>
    }
    .into_any()
}

/// What a layer found in the span, and its single numbers.
fn found(layer: &Layer, span: (NaiveDate, NaiveDate)) -> AnyView {
    let inside: Vec<_> = layer
        .events
        .iter()
        .filter(|e| (span.0..=span.1).contains(&e.date))
        .collect();
    let events = (!layer.events.is_empty()).then(|| {
        let n = inside.len();
        let said = match n {
            0 => "Nothing found in the span of this page.".to_owned(),
            n if n > LISTED => format!(
                "Found {} in the span of this page, the last {LISTED} on:",
                format::counted(n as u64, "time", "times")
            ),
            n => format!(
                "Found {} in the span of this page:",
                format::counted(n as u64, "time", "times")
            ),
        };
        let rows = inside
            .iter()
            .rev()
            .take(LISTED)
            .map(|e| view! { <li><span class="figures">{format::day(e.date)}</span> " " {e.word.clone()}</li> })
            .collect_view();
        view! { <p class="quiet">{said}</p> <ul class="lines finds">{rows}</ul> }
    });
    let figures = (!layer.figures.is_empty()).then(|| {
        let pairs = layer
            .figures
            .iter()
            .map(|(name, x)| view! { <div><dt>{words::title(name)}</dt><dd>{format::figure(Some(*x))}</dd></div> })
            .collect_view();
        view! { <dl class="facts">{pairs}</dl> }
    });
    let empty = layer
        .lines
        .iter()
        .all(|l| l.values.iter().all(Option::is_none))
        && layer.events.is_empty()
        && layer.regimes.is_empty();
    let none = empty.then(|| view! { <p class="quiet">"It gives no value on these bars: the data set may be too short for its parameters."</p> });
    view! { {events} {figures} {none} }.into_any()
}

/// One feature over the same days.
fn feature(p: &AnalyticsPage, seen: &Seen) -> AnyView {
    let mut groups: Vec<(&str, Vec<&FeatureSpec>)> = Vec::new();
    for f in &p.features {
        match groups.iter_mut().find(|(g, _)| *g == f.group) {
            Some((_, list)) => list.push(f),
            None => groups.push((&f.group, vec![f])),
        }
    }
    let chosen = p.asked.feature.clone();
    let control = view! {
        <select id="feature" name="feature" form="view">
            <option value="">"none"</option>
            {groups
                .into_iter()
                .map(|(group, list)| view! {
                    <optgroup label=words::title(group)>
                        {list
                            .into_iter()
                            .map(|f| {
                                let selected = f.id == chosen;
                                view! { <option value=f.id.clone() selected=selected>{f.id.clone()}</option> }
                            })
                            .collect_view()}
                    </optgroup>
                })
                .collect_view()}
        </select>
    }
    .into_any();
    let error = seen.feature.as_ref().and_then(|f| f.as_ref().err());
    let spec = p.features.iter().find(|f| f.id == p.asked.feature);
    let facts = spec.filter(|_| error.is_none()).map(|f| {
        ui::facts(vec![
            ("Formula", ui::text(f.formula.clone())),
            ("Known", ui::text(ui::sentence(&f.known_at))),
            (
                "First value",
                ui::text(format!(
                    "after {}",
                    format::counted(f.warm_up.into(), "bar", "bars")
                )),
            ),
            ("Source", ui::text(f.source.clone())),
        ])
    });
    view! {
        {ui::field(
            "feature",
            "Feature",
            "What models learn from, over the days of the chart, in a part of its own.",
            error.map(|e| e.detail.clone()),
            control,
        )}
        <p><button class="button" form="view">"Show the feature"</button></p>
        {facts}
    }
    .into_any()
}

/// How several data sets moved together.
fn correlation(p: &AnalyticsPage, seen: &Seen) -> AnyView {
    let value = p.asked.with.join(", ");
    let control = view! {
        <input type="text" id="with" name="with" form="view" value=value placeholder="MSFT, IBM, GE" autocomplete="off" autocapitalize="characters"/>
    }
    .into_any();
    let error = seen.correlation.as_ref().and_then(|c| c.as_ref().err());
    let map = match &seen.correlation {
        Some(Ok(c)) => heat_map(c),
        _ => ().into_any(),
    };
    view! {
        {ui::field(
            "with",
            "Compare with",
            "Symbols or data sets apart by commas; daily changes over the span of this page.",
            error.map(|e| e.detail.clone()),
            control,
        )}
        <p><button class="button" form="view">"Compare"</button></p>
        {map}
    }
    .into_any()
}

/// Correlations as a table with grounds from orange (against each other) to blue (together).
fn heat_map(c: &Correlation) -> AnyView {
    let mut names = vec![""];
    let heads: Vec<String> = c.symbols.iter().map(|s| format!("#{s}")).collect();
    names.extend(heads.iter().map(String::as_str));
    let rows = c
        .symbols
        .iter()
        .zip(&c.matrix)
        .map(|(symbol, row)| {
            let cells = row
                .iter()
                .map(|r| {
                    let text = r.map_or_else(|| format::NONE.to_owned(), |r| format::decimal(r, 2));
                    view! { <td class=format!("num heat {}", heat(*r))>{text}</td> }
                })
                .collect_view();
            view! { <tr><th scope="row">{symbol.clone()}</th>{cells}</tr> }
        })
        .collect_view()
        .into_any();
    let heads = names
        .iter()
        .map(|n| view! { <th scope="col" class:num=n.starts_with('#')>{if n.is_empty() { "Symbol".to_owned() } else { n.trim_start_matches('#').to_owned() }}</th> })
        .collect_view()
        .into_any();
    view! {
        {ui::table("Correlation of daily changes", "plain heat-map", heads, rows)}
        <p class="quiet">
            {format!(
                "Pearson's correlation of {} from {} to {}: 1 moves the same way, 0 unrelated, −1 against each other.",
                format::counted(c.changes, "daily change", "daily changes"),
                format::day(c.first),
                format::day(c.last)
            )}
        </p>
    }
    .into_any()
}

/// The ground of a correlation: sign, and strength in fifths.
fn heat(r: Option<f64>) -> String {
    let Some(r) = r.filter(|r| r.is_finite()) else {
        return String::new();
    };
    // Between 0 and 5.
    let step = (r.abs() * 5.0).round().clamp(0.0, 5.0) as u8;
    match step {
        0 => "h0".to_owned(),
        n if r < 0.0 => format!("hn{n}"),
        n => format!("hp{n}"),
    }
}

/// How the address is made, and the same as JSON.
fn address(asked: &Asked) -> AnyView {
    let json = asked.at("/api/v1/analytics");
    let svg = Asked {
        with: Vec::new(),
        ..asked.clone()
    }
    .at("/api/v1/analytics/chart.svg");
    view! {
        <details class="address">
            <summary>"The address of this page, and the same as JSON and SVG"</summary>
            <p>
                "The address holds everything that is shown: " <code>"dataset"</code> ", " <code>"start"</code> ", "
                <code>"end"</code> ", " <code>"show"</code> ", " <code>"feature"</code> " and " <code>"with"</code>
                ". In " <code>"show"</code> " entries stand apart by commas, each as "
                <code>"ID"</code> " or " <code>"ID:NAME=VALUE:NAME=VALUE"</code>
                "; a comma inside a value is written " <code>"~"</code> "."
            </p>
            <p><a href=json rel="external" data-span="">"What is shown, as JSON"</a></p>
            <p><a href=svg rel="external" data-span="">"The chart as an SVG file"</a></p>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::DatasetId;
    use mltrainer_types::data::DatasetKind;

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    #[test]
    fn the_address_holds_everything() {
        let address = "/analytics?dataset=bundled:AAPL&start=2011-01-03&end=2012-06-29&show=sma:period=20,bollinger_bands:period=20:std_dev=2.5,vote:weights=1~2&feature=rsi_14&with=MSFT,IBM";
        let (_, text) = address.split_once('?').unwrap();
        let asked = Asked::read(&query::pairs(text));
        assert_eq!(asked.link(), address);
        let request = asked.request().unwrap();
        assert_eq!(request.show.len(), 3);
        assert_eq!(request.show[2].params, [("weights".into(), "1,2".into())]);
        assert_eq!(request.start, Some(day(2011, 1, 3)));
        assert_eq!(request.with, ["MSFT", "IBM"]);
        assert_eq!(
            asked.source(),
            "analytics?dataset=bundled:AAPL&show=sma:period=20,bollinger_bands:period=20:std_dev=2.5,vote:weights=1~2&feature=rsi_14"
        );
        assert_eq!(Asked::default().link(), "/analytics");
    }

    #[test]
    fn the_form_becomes_an_address() {
        let form = "form=1&dataset=bundled:IBM&start=&end=2012-01-01&add=rsi&layer=sma&p.period=20&layer=bollinger_bands&p.period=&p.std_dev=2.5&layer=vote&p.weights=1%2C2%3A&feature=&with=AAPL+MSFT";
        let asked = Asked::from_form(&query::pairs(form)).unwrap();
        assert_eq!(
            asked.link(),
            "/analytics?dataset=bundled:IBM&end=2012-01-01&show=sma:period=20,bollinger_bands:std_dev=2.5,vote:weights=1~2%20,rsi&with=AAPL,MSFT"
        );
        assert_eq!(Asked::from_form(&query::pairs("dataset=x&show=rsi")), None);
    }

    #[test]
    fn wrong_texts_name_their_field() {
        for (text, field, words) in [
            ("start=yesterday", "start", "is not a day"),
            ("end=2012-13-01", "end", "is not a day"),
            ("show=sma:20", "show", "NAME=VALUE"),
            ("show=<b>", "show", "names no entry"),
        ] {
            let e = Asked::read(&query::pairs(text)).request().unwrap_err();
            assert_eq!((e.status, e.field.as_deref()), (422, Some(field)), "{text}");
            assert!(e.detail.contains(words), "{}", e.detail);
        }
    }

    #[test]
    fn a_known_case_has_an_address() {
        let case = KnownCase {
            entry: "high_tight_flag".into(),
            show: "high_tight_flag:rise=0.6".into(),
            dataset: "bundled:GOOG".into(),
            symbol: "GOOG".into(),
            first: day(2005, 3, 15),
            last: day(2005, 8, 15),
            known: day(2005, 6, 27),
            why: String::new(),
        };
        assert_eq!(
            case_link(&case),
            "/analytics?dataset=bundled:GOOG&start=2005-03-15&end=2005-08-15&show=high_tight_flag:rise=0.6"
        );
    }

    #[test]
    fn spans_are_those_there_are() {
        let s = DatasetSummary {
            id: DatasetId("bundled:AAPL".into()),
            kind: DatasetKind::Bars,
            symbols: vec![],
            source: String::new(),
            title: String::new(),
            first: day(2009, 6, 1),
            last: day(2012, 12, 31),
            rows: 0,
            sha256: String::new(),
            quality: 100.0,
            quarantined: 0,
            licence: String::new(),
            origin: String::new(),
        };
        let told = |end| {
            let spans = quick_spans(&s, end).into_iter();
            spans
                .map(|(name, from, _)| format!("{name} {from}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            told(day(2012, 2, 29)),
            [
                "1 year 2011-02-28",
                "2 years 2010-02-28",
                "All days 2009-06-01"
            ]
        );
        assert_eq!(told(day(2030, 1, 1))[0], "1 year 2011-12-31");
    }

    #[test]
    fn correlations_have_grounds_in_fifths() {
        for (r, expected) in [
            (None, ""),
            (Some(1.0), "hp5"),
            (Some(0.34), "hp2"),
            (Some(-0.71), "hn4"),
            (Some(0.05), "h0"),
            (Some(f64::NAN), ""),
        ] {
            assert_eq!(heat(r), expected, "{r:?}");
        }
    }
}
