//! The data sets, and bringing one's own.

use crate::error::PageError;
use crate::pages::sources::sources;
use crate::query::segment;
use crate::server::{reader, refuse};
use crate::ui;
use crate::{format, words};
use leptos::prelude::*;
use leptos_meta::Title;
use mltrainer_types::data::{
    DatasetKind, DatasetSummary, FileLayout, FilePreview, Finding, ImportOutcome, QualityReport,
};

/// The largest file that the server takes, in MB.
const UPLOAD_MB: u32 = 32;

/// What came of an upload that the browser itself sent: given by the server when it answers such a
/// form with this page.
#[derive(Debug, Clone, PartialEq)]
pub struct Uploaded(pub Result<Answer, PageError>);

/// An answer to the form.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The file went through the gate, or was refused there.
    Imported(Box<ImportOutcome>),
    /// The file was looked at; with the symbol that was written into the form, and why it cannot be
    /// imported as it stands, where an import was tried.
    Looked(Box<(FilePreview, String)>, Option<PageError>),
}

/// All data sets.
async fn datasets() -> Result<Vec<DatasetSummary>, PageError> {
    reader()?.datasets().await.map_err(|e| refuse(&e))
}

/// The page.
#[component]
pub fn Data() -> impl IntoView {
    let uploaded = use_context::<Uploaded>().map(|Uploaded(answer)| {
        let shown = match &answer {
            Ok(Answer::Imported(o)) => outcome_view(o),
            Ok(Answer::Looked(looked, error)) => looked_view(&looked.0, &looked.1, error.as_ref()),
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
                    <div class="actions"><a class="button" href="#upload">"Bring your own file"</a> <a class="button" href="#sources">"Sources"</a></div>
                }
                .into_any(),
            )}
            {uploaded}
            {ui::loaded(datasets(), 12, |sets| list(&sets))}
            {sources()}
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
    let kinds = [
        DatasetKind::Bars,
        DatasetKind::Closes,
        DatasetKind::Intraday,
        DatasetKind::Series,
    ];
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
        DatasetKind::Intraday => ("intraday", "Bars of less than a day"),
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
                    "CSV, Parquet or Arrow file",
                    &format!("Columns for the date and the close; then open, high, low, volume where there are. One row a day or several, up to {UPLOAD_MB} MB."),
                    None,
                    view! { <input type="file" id="file" name="file" accept=".csv,.tsv,.txt,.parquet,.arrow,.feather,.ipc,text/csv" required=true/> }.into_any(),
                )}
                {symbol_field("symbol", "")}
            </div>
            <input type="hidden" name="origin" value="user_provided"/>
            <p class="help">"You attest that these are real market data from a source you may use. Rows that cannot be true are set aside with a reason; a series that looks manufactured is refused."</p>
            <div class="actions">
                <button class="button primary" name="step" value="import">"Import"</button>
                <button class="button" name="step" value="look">"Look at it first"</button>
            </div>
        </form>
    }
    .into_any()
}

fn symbol_field(id: &'static str, value: &str) -> AnyView {
    ui::field(
        id,
        "Symbol",
        "Under which name trials find it.",
        None,
        view! { <input type="text" id=id name="symbol" value=value.to_owned() required=true autocapitalize="characters" autocomplete="off" spellcheck="false" maxlength="32"/> }.into_any(),
    )
}

/// What was found in a file, with a form to correct it.
fn looked_view(preview: &FilePreview, symbol: &str, error: Option<&PageError>) -> AnyView {
    let l = &preview.layout;
    let problem = error
        .map(|e| e.detail.clone())
        .or_else(|| l.problem.clone());
    let head = match &problem {
        Some(problem) => view! {
            <div class="notice bad" role="alert">
                <h3>"Not imported yet"</h3>
                <p>{ui::sentence(problem)} " Say below which column holds what, and import it."</p>
            </div>
        }
        .into_any(),
        None => view! {
            <div class="notice good">
                <h3>"This is what was found"</h3>
                <p>{format!("{} can be read. Correct it below if it was taken wrongly.", format::counted(l.rows, "row", "rows"))}</p>
            </div>
        }
        .into_any(),
    };
    let signs = signs(l)
        .into_iter()
        .map(|(name, text)| (name, ui::text(text)))
        .collect();
    let rows = l
        .columns
        .iter()
        .map(|c| view! {
            <tr>
                <th scope="row">{c.name.clone()}</th>
                <td>{c.field.as_deref().map_or_else(|| "left out".to_owned(), words::title)}</td>
                <td class="wide figures">{c.first.join(" \u{b7} ")}</td>
            </tr>
        })
        .collect_view()
        .into_any();
    view! {
        {head}
        {ui::facts(signs)}
        {ui::table("Columns of the file", "cards", ui::heads(&["Column", "Taken for", "First cells"]), rows)}
        <h3>"Which column holds what"</h3>
        {mapping_form(preview, symbol)}
    }
    .into_any()
}

/// Format and signs of a file, in words.
fn signs(l: &FileLayout) -> Vec<(&'static str, String)> {
    let mut signs = vec![("Format", l.format.clone())];
    signs.extend(
        l.delimiter
            .as_deref()
            .map(|d| ("Between cells", words::title(d))),
    );
    signs.extend(
        l.decimal
            .as_deref()
            .map(|d| ("Decimal sign", words::title(d))),
    );
    signs.extend(l.minutes.map(|m| {
        let every = format::counted(u64::from(m), "minute", "minutes");
        ("A bar every", every)
    }));
    signs.extend(l.zone.clone().map(|z| ("Times are read in", z)));
    signs
}

/// The fields of a bar, in the order of the form.
const FIELDS: [(&str, &str, &str); 7] = [
    ("map_date", "date", "Date"),
    ("map_time", "time", "Time of day"),
    ("map_open", "open", "Open"),
    ("map_high", "high", "High"),
    ("map_low", "low", "Low"),
    ("map_close", "close", "Close"),
    ("map_volume", "volume", "Volume"),
];

/// One choice for each field of a bar, and the signs that cannot always be told.
fn mapping_form(preview: &FilePreview, symbol: &str) -> AnyView {
    let l = &preview.layout;
    let columns = FIELDS
        .into_iter()
        .map(|(id, field, title)| {
            let taken = l.columns.iter().find(|c| c.field.as_deref() == Some(field));
            let none = if taken.is_some() || field == "date" || field == "close" {
                "as found"
            } else {
                "none"
            };
            let mut choices = vec![(String::new(), none.to_owned())];
            choices.extend(l.columns.iter().map(|c| (c.name.clone(), c.name.clone())));
            let chosen = taken.map_or("", |c| c.name.as_str());
            select(id, title, &choices, chosen)
        })
        .collect_view();
    let choices = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter()
            .map(|(v, t)| ((*v).to_owned(), (*t).to_owned()))
            .collect()
    };
    let decimal = choices(&[
        ("", "as found"),
        ("point", "point: 1,234.5"),
        ("comma", "comma: 1.234,5"),
    ]);
    let dates = choices(&[
        ("", "as found"),
        ("mdy", "month first: 03/25/2004"),
        ("dmy", "day first: 25/03/2004"),
    ]);
    let zone = choices(&[
        ("", "New York"),
        ("UTC", "UTC"),
        ("America/Chicago", "Chicago"),
        ("Europe/London", "London"),
        ("Europe/Berlin", "Berlin"),
    ]);
    view! {
        <form method="post" action="/api/v1/datasets" enctype="multipart/form-data" class="form" aria-label="Import of the file that was looked at">
            <input type="hidden" name="staged" value=preview.staged.clone()/>
            <input type="hidden" name="origin" value="user_provided"/>
            <div class="fields">
                {symbol_field("staged_symbol", symbol)}
                {columns}
                {select("map_decimal", "Decimal sign", &decimal, l.decimal.as_deref().unwrap_or(""))}
                {select("map_dates", "Order of dates", &dates, "")}
                {select("map_zone", "Time zone of the times of day", &zone, "")}
            </div>
            <div class="actions">
                <button class="button primary" name="step" value="import">"Import"</button>
                <button class="button" name="step" value="look">"Look again"</button>
            </div>
        </form>
    }
    .into_any()
}

fn select(name: &'static str, title: &str, choices: &[(String, String)], chosen: &str) -> AnyView {
    let options = choices
        .iter()
        .map(|(value, text)| {
            view! { <option value=value.clone() selected=value == chosen>{text.clone()}</option> }
        })
        .collect_view();
    let control = view! { <select id=name name=name>{options}</select> };
    ui::field(name, title, "", None, control.into_any())
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
