//! One data set: chart, quality, provenance, lineage. The span of the chart is in the address.

use crate::drawing::Drawing;
use crate::error::PageError;
use crate::islands::chart::Chart;
use crate::pages::data::report;
use crate::query::{self, Link, segment};
use crate::server::{reader, refuse};
use crate::ui;
use crate::{format, words};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_params_map};
use mltrainer_types::data::{
    Age, Comparison, DatasetDetail, DatasetKind, DatasetQuality, DayOfTwo, SessionCoverage,
};

/// A data set and the chart of the span that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetPage {
    /// Everything known of it.
    pub detail: DatasetDetail,
    /// Its age, its sessions, and other sources beside it.
    pub quality: DatasetQuality,
    /// Its chart, or what is wrong with the span.
    pub drawing: Result<Drawing, PageError>,
}

/// Everything on the page.
async fn dataset(id: String, from: String, to: String) -> Result<DatasetPage, PageError> {
    let services = reader()?;
    let detail = services.dataset(&id).await.map_err(|e| refuse(&e))?;
    let quality = services
        .dataset_quality(&id)
        .await
        .map_err(|e| refuse(&e))?;
    let plot = crate::charts::dataset(&services, &id).await?;
    let drawing = day("from", &from)
        .and_then(|from| Ok((from, day("to", &to)?)))
        .and_then(|(from, to)| {
            plot.draw(from, to)
                .map_err(|e| PageError::field("from", &e.to_string()))
        });
    Ok(DatasetPage {
        detail,
        quality,
        drawing,
    })
}

fn day(name: &str, text: &str) -> Result<Option<chrono::NaiveDate>, PageError> {
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

/// The page.
#[component]
pub fn Dataset() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let pairs = query::pairs(&use_location().search.get_untracked());
    let get = |name: &str| query::get(&pairs, name).to_owned();
    let (from, to) = (get("from"), get("to"));
    let data = dataset(id, from.clone(), to.clone());
    view! { <div class="page">{ui::loaded(data, 16, move |p| detail(&p, &from, &to))}</div> }
}

fn detail(p: &DatasetPage, from: &str, to: &str) -> AnyView {
    let d = &p.detail;
    let s = &d.summary;
    let title = s.symbols.join(", ");
    let trial = (s.kind != DatasetKind::Series).then(|| {
        let href = Link::to("/trials/new")
            .with("symbols", &s.symbols.join(","))
            .build();
        view! { <a class="button primary" href=href>"New trial on it"</a> }
    });
    let analytics = Link::to("/analytics")
        .with("dataset", s.id.as_str())
        .build();
    let facts = ui::facts(vec![
        ("Id", view! { <code>{s.id.to_string()}</code> }.into_any()),
        ("Holds", ui::text(words::dataset_kind(s.kind))),
        ("Source", ui::text(words::title(&s.source))),
        ("Comes from", ui::text(s.origin.clone())),
        ("Licence", ui::text(s.licence.clone())),
        (
            "Span",
            ui::text(format!(
                "{} to {} ({})",
                format::day(s.first),
                format::day(s.last),
                format::span(s.first, s.last)
            )),
        ),
        ("Rows", ui::text(format::count(s.rows))),
        (
            "SHA-256",
            view! { <code class="hash whole">{s.sha256.clone()}</code> }.into_any(),
        ),
    ]);
    let notes = (!d.notes.is_empty()).then(|| view! { <p class="quiet">{d.notes.clone()}</p> });
    view! {
        <Title text=title.clone()/>
        {ui::head(
            &[("/", "mlTrainer"), ("/data", "Data")],
            title,
            view! { <p class="lede">{s.title.clone()}</p> <div class="actions">{trial} <a class="button" href=analytics>"Lay indicators over it"</a></div> }.into_any(),
        )}
        {ui::panel("chart", "Values", ().into_any(), chart_part(p, from, to))}
        <div class="columns">
            <div>
                {ui::panel("quality", "Quality", ().into_any(), view! { {age(p.quality.age)} {report(&d.quality)} }.into_any())}
                {p.quality.coverage.as_ref().map(|c| ui::panel("sessions", "Sessions", ().into_any(), sessions(c)))}
                {ui::panel("sources", "Beside other sources", ().into_any(), comparisons(&p.quality.comparisons))}
            </div>
            <div>
                {ui::panel("facts", "What it is", ().into_any(), view! { {facts} {notes} }.into_any())}
                {ui::panel("lineage", "From here back to the source", ().into_any(), ui::lineage(&d.lineage))}
            </div>
        </div>
    }
    .into_any()
}

/// How old the last row is, where that matters.
fn age(age: Age) -> AnyView {
    let sessions = format::counted(age.sessions, "session", "sessions");
    let text = if age.is_over() {
        format!(
            "The last row is {sessions} old: good for the past, too old to forecast the next day from (at most {} allowed).",
            age.allowed
        )
    } else {
        format!("The last row is {sessions} old.")
    };
    view! { <p class="quiet">{text}</p> }.into_any()
}

/// How bars of less than a day fill the sessions.
fn sessions(c: &SessionCoverage) -> AnyView {
    let share = 100.0 * c.found as f64 / c.expected.max(1) as f64;
    let whole = c.sessions - c.partial - c.missing;
    view! {
        <div class="stats">
            {ui::stat(format!("{} %", format::decimal(share, 2)), "Complete", format!("{} of {} bars", format::count(c.found), format::count(c.expected)))}
            {ui::stat(format::count(whole), "Whole sessions", format!("of {}", format::count(c.sessions)))}
            {ui::stat(format::count(c.partial), "Short sessions", "fewer bars than hours".to_owned())}
            {ui::stat(format::count(c.missing), "Without a bar", String::new())}
        </div>
        {ui::facts(vec![
            ("A bar every", ui::text(format::counted(u64::from(c.minutes), "minute", "minutes"))),
            ("First bar", ui::time(&c.first)),
            ("Last bar", ui::time(&c.last)),
            ("Outside the sessions", ui::text(format::counted(c.outside, "bar", "bars"))),
        ])}
        <p class="quiet">"Compared with the hours of the New York Stock Exchange, half days included. Charts and trials use the days made out of these bars."</p>
    }
    .into_any()
}

/// Days of a comparison that the page lists.
const DAYS: usize = 10;

/// Other sets of the same symbol and where they disagree.
fn comparisons(all: &[Comparison]) -> AnyView {
    if all.is_empty() {
        return view! {
            <p class="quiet">"No other source of this symbol is here. Bring or fetch one, and the two are compared day by day."</p>
        }
        .into_any();
    }
    all.iter().map(comparison).collect_view().into_any()
}

fn comparison(c: &Comparison) -> AnyView {
    let r = &c.result;
    let what = if r.of_changes {
        "daily changes"
    } else {
        "closes"
    };
    let head = view! {
        <h3>
            <a href=format!("/data/{}", segment(c.id.as_str()))>{c.id.to_string()}</a>
        </h3>
        <p>
            {format!(
                "{} of {} common days ({} %) have {what} that differ by more than {} %.",
                format::count(r.differing),
                format::count(r.compared),
                format::decimal(100.0 * r.share, 2),
                format::decimal(100.0 * r.tolerance, 1),
            )}
        </p>
        {r.of_changes.then(|| view! { <p class="quiet">"The two are adjusted differently, so that their changes are compared and not their closes."</p> })}
    };
    if r.days.is_empty() {
        return head.into_any();
    }
    let rows = r.days.iter().take(DAYS).map(|d| day_row(d, r.of_changes));
    let listed = (r.differing > DAYS as u64).then(|| {
        view! { <p class="quiet">{format!("The {DAYS} largest differences of {}.", format::count(r.differing))}</p> }
    });
    view! {
        {head}
        {ui::table(
            "Days on which two sources differ",
            "cards",
            ui::heads(&["Day", "#Here", "#There", "#Difference"]),
            rows.collect_view().into_any(),
        )}
        {listed}
    }
    .into_any()
}

fn day_row(d: &DayOfTwo, of_changes: bool) -> AnyView {
    let figure = |x: f64| {
        if of_changes {
            format!("{} %", format::decimal(100.0 * x, 2))
        } else {
            format::decimal(x, 2)
        }
    };
    view! {
        <tr>
            <th scope="row" class="figures">{format::day(d.date)}</th>
            <td class="num">{figure(d.here)}</td>
            <td class="num">{figure(d.there)}</td>
            <td class="num">{format!("{} %", format::decimal(100.0 * d.difference, 2))}</td>
        </tr>
    }
    .into_any()
}

fn chart_part(p: &DatasetPage, from: &str, to: &str) -> AnyView {
    let id = segment(p.detail.summary.id.as_str());
    let at = |name: &str| {
        p.drawing
            .as_ref()
            .err()
            .and_then(|e| e.at(name))
            .map(str::to_owned)
    };
    let date = |name: &'static str, value: &str| {
        view! { <input type="date" id=name name=name value=value.to_owned()/> }.into_any()
    };
    let chart = p.drawing.as_ref().ok().cloned().map(|d| {
        view! {
            <Chart source=format!("dataset/{id}") frame=Some(d.frame)><div class="drawn" inner_html=d.svg></div></Chart>
        }
    });
    view! {
        <form method="get" action=format!("/data/{id}") class="filters" aria-label="Span of the chart">
            {ui::field("from", "From", "", at("from"), date("from", from))}
            {ui::field("to", "To", "", at("to"), date("to", to))}
            <div class="field submit"><button class="button">"Show"</button></div>
        </form>
        {chart}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_names_its_wrong_end() {
        assert_eq!(day("from", ""), Ok(None));
        assert_eq!(
            day("to", "2012-12-31").unwrap(),
            chrono::NaiveDate::from_ymd_opt(2012, 12, 31)
        );
        assert_eq!(day("to", "soon").unwrap_err().field.as_deref(), Some("to"));
    }
}
