//! The data sets, and bringing one's own.

use crate::error::PageError;
use crate::query::segment;
use crate::server::{reader, refuse};
use crate::ui;
use crate::{format, words};
use leptos::prelude::*;
use leptos_meta::Title;
use mltrainer_types::data::{DatasetKind, DatasetSummary, Finding, ImportOutcome, QualityReport};

/// The largest file that the server takes, in MB.
const UPLOAD_MB: u32 = 32;

/// What came of an upload that the browser itself sent: given by the server when it answers such a
/// form with this page.
#[derive(Debug, Clone, PartialEq)]
pub struct Uploaded(pub Result<ImportOutcome, PageError>);

/// All data sets.
async fn datasets() -> Result<Vec<DatasetSummary>, PageError> {
    reader()?.datasets().await.map_err(|e| refuse(&e))
}

/// The page.
#[component]
pub fn Data() -> impl IntoView {
    let uploaded = use_context::<Uploaded>().map(|Uploaded(outcome)| {
        let shown = match &outcome {
            Ok(o) => outcome_view(o),
            Err(e) => ui::error_panel(e),
        };
        ui::panel("uploaded", "Your file", ().into_any(), shown)
    });
    view! {
        <Title text="Data"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer")],
                "Data".to_owned(),
                view! {
                    <p class="lede">
                        "Every set passed the gate: its origin is approved, its hash is recorded, its rows were checked. Nothing is filled in and nothing is made up."
                    </p>
                    <div class="actions"><a class="button" href="#upload">"Bring your own file"</a></div>
                }
                .into_any(),
            )}
            {uploaded}
            {ui::loaded(datasets(), 12, |sets| list(&sets))}
            {ui::panel("upload", "Bring your own file", ().into_any(), upload())}
        </div>
    }
}

fn list(sets: &[DatasetSummary]) -> AnyView {
    if sets.is_empty() {
        return ui::empty(
            "No data set yet",
            "The bundled data are installed at the first start; if they are missing, the program's health says why. You can also bring a file of your own.",
            "#upload",
            "Bring your own file",
        );
    }
    let kinds = [DatasetKind::Bars, DatasetKind::Closes, DatasetKind::Series];
    let tables = kinds
        .into_iter()
        .map(|kind| {
            (
                kind,
                sets.iter().filter(|s| s.kind == kind).collect::<Vec<_>>(),
            )
        })
        .filter(|(_, sets)| !sets.is_empty())
        .map(|(kind, sets)| sets_of(kind, &sets))
        .collect_view();
    view! { {tables} }.into_any()
}

fn sets_of(kind: DatasetKind, sets: &[&DatasetSummary]) -> AnyView {
    let (id, title) = match kind {
        DatasetKind::Bars => ("bars", "Daily bars"),
        DatasetKind::Closes => ("closes", "Daily closes"),
        DatasetKind::Series => ("series", "Economic series"),
    };
    let rows = sets
        .iter()
        .map(|s| view! {
            <tr>
                <th scope="row">
                    <a href=format!("/data/{}", segment(s.id.as_str()))>{s.symbols.join(", ")}</a>
                    <small>{s.title.clone()}</small>
                </th>
                <td>{words::title(&s.source)}</td>
                <td class="figures">{format::day(s.first)} " to " {format::day(s.last)}</td>
                <td class="num">{format::count(s.rows)}</td>
                <td class="num">{quality(s.quality)}</td>
                <td class="num">{format::count(s.quarantined)}</td>
                <td>{ui::hash(&s.sha256)}</td>
            </tr>
        })
        .collect_view()
        .into_any();
    let names = [
        "Set",
        "Source",
        "Span",
        "#Rows",
        "#Quality",
        "#Set aside",
        "SHA-256",
    ];
    ui::panel(
        id,
        title,
        view! { <span class="quiet">{format::counted(sets.len() as u64, "set", "sets")}</span> }
            .into_any(),
        ui::table(
            &format!("Table of {}", title.to_lowercase()),
            "sets",
            ui::heads(&names),
            rows,
        ),
    )
}

/// A quality score with a bar.
pub(crate) fn quality(score: f64) -> AnyView {
    view! {
        <span class="quality">
            <meter min="0" max="100" low="80" high="95" optimum="100" value=score aria-hidden="true"></meter>
            {format::decimal(score, 1)}
        </span>
    }
    .into_any()
}

/// The form. The server answers with this page and what came of it.
fn upload() -> AnyView {
    view! {
        <form method="post" action="/api/v1/datasets" enctype="multipart/form-data" class="form">
            <div class="fields">
                {ui::field(
                    "file",
                    "CSV file",
                    &format!("First line: names, the first one date; then open, high, low, close, volume, or close alone. One row a day, up to {UPLOAD_MB} MB."),
                    None,
                    view! { <input type="file" id="file" name="file" accept=".csv,text/csv" required=true/> }.into_any(),
                )}
                {ui::field(
                    "symbol",
                    "Symbol",
                    "Under which name trials find it.",
                    None,
                    view! { <input type="text" id="symbol" name="symbol" required=true autocapitalize="characters" autocomplete="off" spellcheck="false" maxlength="32"/> }.into_any(),
                )}
            </div>
            <input type="hidden" name="origin" value="user_provided"/>
            <p class="help">"You attest that these are real market data from a source you may use. Rows that cannot be true are set aside with a reason; a series that looks manufactured is refused."</p>
            <p><button class="button primary">"Import"</button></p>
        </form>
    }
    .into_any()
}

/// What came of an import: the set or the rule that refused it, and what was found either way.
pub(crate) fn outcome_view(o: &ImportOutcome) -> AnyView {
    let head = match (&o.dataset, &o.refusal) {
        (Some(d), _) => view! {
            <div class="notice good">
                <h3>"Imported"</h3>
                <p>
                    <a href=format!("/data/{}", segment(d.id.as_str()))>{d.id.to_string()}</a>
                    {format!(": {} from {} to {}.", format::counted(d.rows, "row", "rows"), format::day(d.first), format::day(d.last))}
                </p>
                <p><a class="button primary" href=crate::query::Link::to("/trials/new").with("symbols", &d.symbols.join(",")).build()>"Put it on trial"</a></p>
            </div>
        }
        .into_any(),
        (None, Some(r)) => view! {
            <div class="notice bad" role="alert">
                <h3>"Refused"</h3>
                <p>"Rule " <a href=format!("/compliance#{}", r.rule)><code>{r.rule.clone()}</code></a> ": " {ui::sentence(&r.reason)}</p>
            </div>
        }
        .into_any(),
        (None, None) => view! { <div class="notice bad" role="alert"><h3>"Not imported"</h3></div> }.into_any(),
    };
    view! { {head} {report(&o.quality)} }.into_any()
}

/// A quality report: score, counts, findings.
pub(crate) fn report(q: &QualityReport) -> AnyView {
    let stats = view! {
        <div class="stats">
            {ui::stat(format::decimal(q.score, 1), "Quality", "of 100".to_owned())}
            {ui::stat(format::count(q.rows), "Rows looked at", String::new())}
            {ui::stat(format::count(q.usable), "Usable", String::new())}
            {ui::stat(format::count(q.quarantined), "Set aside", String::new())}
        </div>
    };
    if q.findings.is_empty() {
        return view! { {stats} <p class="quiet">"No check found anything."</p> }.into_any();
    }
    let total: u64 = q.counts.values().sum();
    let listed = q.findings.len() as u64;
    let counts = q
        .counts
        .iter()
        .map(|(check, n)| view! { <li><span class="tag">{words::plain(check)} " " <span class="figures">{format::count(*n)}</span></span></li> })
        .collect_view();
    view! {
        {stats}
        <ul class="chips">{counts}</ul>
        {ui::table(
            "Findings of the quality checks",
            "plain",
            ui::heads(&["Check", "Weight", "#Row", "Day", "What was found"]),
            q.findings.iter().map(finding).collect_view().into_any(),
        )}
        {(listed < total).then(|| view! {
            <p class="quiet">{format!("{} of {} findings are listed; all of them are counted.", format::count(listed), format::count(total))}</p>
        })}
    }
    .into_any()
}

fn finding(f: &Finding) -> AnyView {
    let (sign, word, class) = words::severity(f.severity);
    view! {
        <tr>
            <th scope="row">{words::title(&f.check)}</th>
            <td>{ui::badge(sign, word, class)}</td>
            <td class="num">{f.row.map_or_else(|| format::NONE.to_owned(), format::count)}</td>
            <td class="figures">{f.date.map_or_else(|| format::NONE.to_owned(), format::day)}</td>
            <td class="wide">{ui::sentence(&f.reason)}</td>
        </tr>
    }
    .into_any()
}
