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
use mltrainer_types::data::{DatasetDetail, DatasetKind};

/// A data set and the chart of the span that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetPage {
    /// Everything known of it.
    pub detail: DatasetDetail,
    /// Its chart, or what is wrong with the span.
    pub drawing: Result<Drawing, PageError>,
}

/// Everything on the page.
async fn dataset(id: String, from: String, to: String) -> Result<DatasetPage, PageError> {
    let services = reader()?;
    let detail = services.dataset(&id).await.map_err(|e| refuse(&e))?;
    let plot = crate::charts::dataset(&services, &id).await?;
    let drawing = day("from", &from)
        .and_then(|from| Ok((from, day("to", &to)?)))
        .and_then(|(from, to)| {
            plot.draw(from, to)
                .map_err(|e| PageError::field("from", &e.to_string()))
        });
    Ok(DatasetPage { detail, drawing })
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
            view! { <p class="lede">{s.title.clone()}</p> <div class="actions">{trial}</div> }.into_any(),
        )}
        {ui::panel("chart", "Values", ().into_any(), chart_part(p, from, to))}
        <div class="columns">
            <div>{ui::panel("quality", "Quality", ().into_any(), report(&d.quality))}</div>
            <div>
                {ui::panel("facts", "What it is", ().into_any(), view! { {facts} {notes} }.into_any())}
                {ui::panel("lineage", "From here back to the source", ().into_any(), ui::lineage(&d.lineage))}
            </div>
        </div>
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
