//! Papers: what rules found in them, their claims beside what was measured, and the search through all of them.

use crate::chat::view;
use crate::error::PageError;
use crate::format;
use crate::query::{self, segment};
use crate::server::{reader, refuse};
use crate::ui;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_params_map};
use mltrainer_types::paper::{
    ClaimKind, Comparison, ModelReading, Paper as View, PaperReading, PaperSummary, PaperTable,
    PaperTest, Passage,
};

/// Characters of a section that stand open on the page.
const SECTION: usize = 3_000;

/// Papers that hold all the words, or the latest.
async fn list(query: String) -> Result<Vec<PaperSummary>, PageError> {
    reader()?.papers(&query).await.map_err(|e| refuse(&e))
}

/// All papers.
#[component]
pub fn Papers() -> impl IntoView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    let error = query::get(&pairs, "error").to_owned();
    let words = query::get(&pairs, "q").to_owned();
    let searched = words.clone();
    view! {
        <Title text="Papers"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer")],
                "Papers".to_owned(),
                view! {
                    <p class="lede">
                        "Read a paper: its method, data and claims are found by rules, and where the method is one that can be tested here, it is, with the claims beside what was measured."
                    </p>
                }
                .into_any(),
            )}
            {(!error.is_empty()).then(|| view! { <p class="error" role="alert">{ui::sentence(&error)}</p> })}
            {upload()}
            <form method="get" action="/papers" class="filters" role="search" aria-label="Search papers">
                {ui::field("q", "Words", "", None, view! { <input type="search" id="q" name="q" value=words.clone() maxlength="200"/> }.into_any())}
                <div class="field submit"><button class="button">"Search"</button></div>
            </form>
            {ui::loaded(list(words), 8, move |all| papers(&all, &searched))}
        </div>
    }
}

fn upload() -> AnyView {
    let body = view! {
        <form method="post" action="/api/v1/papers" enctype="multipart/form-data" class="form">
            <div class="fields">
                {ui::field(
                    "file",
                    "A PDF",
                    "Up to 32 MB and 500 pages, with text: scanned pages are not read. It is read by a program of its own that may do nothing else.",
                    None,
                    view! { <input type="file" id="file" name="file" accept=".pdf,application/pdf" required=true/> }.into_any(),
                )}
            </div>
            <div class="actions"><button class="button primary">"Read it"</button></div>
        </form>
    }
    .into_any();
    ui::panel("upload", "Read a paper", ().into_any(), body)
}

fn papers(all: &[PaperSummary], searched: &str) -> AnyView {
    if all.is_empty() {
        let text = if searched.trim().is_empty() {
            "No paper was read yet."
        } else {
            "No paper holds all of these words."
        };
        return view! { <p class="quiet">{text}</p> }.into_any();
    }
    let rows = all
        .iter()
        .map(|p| {
            let snippet = p
                .snippet
                .as_ref()
                .map(|s| view! { <br/> <small class="quiet">{view::snippet(s)}</small> });
            view! {
                <tr>
                    <th scope="row">
                        <a href=format!("/papers/{}", segment(p.id.as_str()))>{p.title.clone()}</a>
                        {snippet}
                    </th>
                    <td class="num">{p.pages}</td>
                    <td class="num">{p.claims}</td>
                    <td>{p.strategy.clone().map(|s| s.replace('_', " ")).unwrap_or_default()}</td>
                    <td>{ui::time(&p.added_at)}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let heads = ui::heads(&["Paper", "#Pages", "#Claims", "Strategy", "Read"]);
    ui::panel(
        "papers",
        "Papers that were read",
        ().into_any(),
        ui::table("Papers", "plain", heads, rows),
    )
}

async fn one(id: String) -> Result<View, PageError> {
    reader()?.paper(&id).await.map_err(|e| refuse(&e))
}

/// One paper.
#[component]
pub fn Paper() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    view! { <div class="page">{ui::loaded(one(id), 16, |p| parts(&p))}</div> }
}

fn parts(p: &View) -> AnyView {
    let r = &p.reading;
    let title = if r.title.is_empty() {
        p.file.clone()
    } else {
        r.title.clone()
    };
    let notes = (!r.notes.is_empty()).then(|| {
        let items = r.notes.iter().map(|n| view! { <li>{ui::sentence(n)}</li> });
        view! { <ul class="notes">{items.collect_view()}</ul> }
    });
    view! {
        <Title text=title.clone()/>
        {ui::head(
            &[("/", "mlTrainer"), ("/papers", "Papers")],
            title,
            view! {
                <p class="quiet">
                    {p.file.clone()} " · " {format::counted(p.pages.into(), "page", "pages")} " · read " {ui::time(&p.added_at)} " · "
                    {ui::hash(&p.sha256)}
                </p>
                <p class="lede">"What follows was found by rules, and by a language model where one is configured. A claim is what the paper says, not what was found here."</p>
                {notes}
            }
            .into_any(),
        )}
        {strategy(p)}
        {claims(r)}
        <div class="columns">
            <div>{found(r)}</div>
            <div>{passages("horizons", "Horizons and holding periods", &r.horizons)}</div>
        </div>
        {r.by_model.as_ref().map(by_model)}
        {passages("formulas", "Formulas", &r.formulas)}
        {(!r.tables.is_empty()).then(|| ui::panel("tables", "Tables", ().into_any(), r.tables.iter().map(table).collect_view().into_any()))}
        {sections(r)}
    }
    .into_any()
}

/// A figure of a claim for people.
fn figure(kind: ClaimKind, x: Option<f64>) -> String {
    if kind.is_share() {
        format::percent(x, 1)
    } else {
        format::cell(x, 2)
    }
}

fn strategy(p: &View) -> AnyView {
    let body = match (p.reading.testable(), &p.test) {
        (None, _) => view! {
            <p>
                "Its method is none of the ready-made strategies. "
                <a href="/backtests/new">"Write it as a strategy to test it"</a>
            </p>
        }
        .into_any(),
        (Some(s), test) => {
            let params = if s.params.is_empty() {
                "with its usual parameters".to_owned()
            } else {
                format!("with {}", format::params_line(&s.params))
            };
            let from = s.from.iter().map(quote).collect_view();
            view! {
                <p>"Ready-made strategy " <strong>{s.strategy.replace('_', " ")}</strong> ", " {params} ". Made from:"</p>
                <ul class="quotes">{from}</ul>
                {test.as_ref().map(tested)}
            }
            .into_any()
        }
    };
    ui::panel("strategy", "Claimed and measured", ().into_any(), body)
}

fn tested(t: &PaperTest) -> AnyView {
    let rows = t.compared.iter().map(compared).collect_view().into_any();
    let heads = ui::heads(&[
        "Figure",
        "#Claimed",
        "#Measured here",
        "#Held in equal parts",
    ]);
    let table = (!t.compared.is_empty())
        .then(|| ui::table("Claims beside what was measured", "plain", heads, rows));
    view! {
        <p>
            "Tested on " {t.symbols.join(", ")} ": " {t.verdict.clone()} " "
            <a href=format!("/backtests/{}", segment(t.backtest.as_str()))>"The back test"</a>
        </p>
        {table}
        <p class="quiet">"Another market over other years: a difference refutes nothing, and an agreement proves nothing."</p>
    }
    .into_any()
}

fn compared(c: &Comparison) -> impl IntoView + use<> {
    view! {
        <tr>
            <th scope="row">{ui::sentence(c.kind.title()).trim_end_matches('.').to_owned()}</th>
            <td class="num">{figure(c.kind, Some(c.claimed))}</td>
            <td class="num">{figure(c.kind, c.measured)}</td>
            <td class="num">{figure(c.kind, c.benchmark)}</td>
        </tr>
    }
}

fn claims(r: &PaperReading) -> AnyView {
    if r.all_claims().next().is_none() {
        return ().into_any();
    }
    let rows = r
        .all_claims()
        .map(|c| {
            view! {
                <tr>
                    <th scope="row">{ui::sentence(c.kind.title()).trim_end_matches('.').to_owned()}</th>
                    <td class="num">{figure(c.kind, Some(c.value))}</td>
                    <td class="num">{c.passage.page}</td>
                    <td>{c.passage.text.clone()}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let heads = ui::heads(&["Figure", "#Value", "#Page", "Its words"]);
    ui::panel(
        "claims",
        "Results that it claims",
        ().into_any(),
        ui::table("Claims", "plain", heads, rows),
    )
}

/// What a language model found beside the rules.
fn by_model(m: &ModelReading) -> AnyView {
    let list = |all: &[Passage]| {
        let items = all.iter().map(quote).collect_view();
        view! { <ul class="quotes">{items}</ul> }.into_any()
    };
    let left_out = match m.dropped {
        0 => "All of its report stands in the paper.".to_owned(),
        n => format!(
            "{} of its report were left out: no words of the paper bear them out.",
            format::counted(n.into(), "part", "parts")
        ),
    };
    let body = view! {
        <p class="quiet">{format!("{} was asked for quotations. {left_out}", m.model)}</p>
        {ui::facts(vec![
            ("Method", list(&m.method)),
            ("Data", list(&m.data)),
            ("Horizons", list(&m.horizons)),
        ])}
    };
    ui::panel(
        "by-model",
        "What a language model read",
        ().into_any(),
        body.into_any(),
    )
}

fn found(r: &PaperReading) -> AnyView {
    let methods = r
        .methods
        .iter()
        .map(|m| {
            let times = format::counted(m.mentions.into(), "sentence", "sentences");
            format!("{} ({times})", m.name)
        })
        .collect::<Vec<_>>()
        .join(", ");
    let years = r.years.map_or_else(
        || "not recognised".to_owned(),
        |(first, last)| format!("{first} to {last}"),
    );
    let data = r.data.iter().map(quote).collect_view();
    let body = ui::facts(vec![
        (
            "Methods",
            ui::text(if methods.is_empty() {
                "none recognised".to_owned()
            } else {
                methods
            }),
        ),
        ("Years of the sample", ui::text(years)),
        ("Data", view! { <ul class="quotes">{data}</ul> }.into_any()),
    ]);
    ui::panel("found", "What it does", ().into_any(), body)
}

fn quote(p: &Passage) -> impl IntoView + use<> {
    view! { <li><q>{p.text.clone()}</q> " " <small class="quiet">"page " {p.page}</small></li> }
}

fn passages(id: &'static str, title: &str, all: &[Passage]) -> AnyView {
    if all.is_empty() {
        return ().into_any();
    }
    let items = all.iter().map(quote).collect_view();
    ui::panel(
        id,
        title,
        ().into_any(),
        view! { <ul class="quotes">{items}</ul> }.into_any(),
    )
}

fn table(t: &PaperTable) -> impl IntoView + use<> {
    let rows = t
        .rows
        .iter()
        .map(|row| {
            let cells = row.iter().map(|c| view! { <td>{c.clone()}</td> });
            view! { <tr>{cells.collect_view()}</tr> }
        })
        .collect_view()
        .into_any();
    let caption = format!("{}, page {}", t.caption, t.page);
    view! {
        <details>
            <summary>{caption.clone()}</summary>
            {ui::table(&caption, "plain", ().into_any(), rows)}
        </details>
    }
}

fn sections(r: &PaperReading) -> AnyView {
    let all = r
        .sections
        .iter()
        .filter(|s| !s.text.trim().is_empty())
        .map(|s| {
            let title = if s.title.is_empty() {
                "Before the first heading".to_owned()
            } else {
                s.title.clone()
            };
            let mut text: String = s.text.chars().take(SECTION).collect();
            if text.len() < s.text.len() {
                text.push_str(" …");
            }
            let paragraphs = text
                .split("\n\n")
                .map(|p| view! { <p>{p.replace(['\n', '\u{c}'], " ")}</p> })
                .collect_view();
            view! {
                <details>
                    <summary>{title} ", page " {s.page}</summary>
                    {paragraphs}
                </details>
            }
        })
        .collect_view()
        .into_any();
    ui::panel("sections", "Its text", ().into_any(), all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percent_and_ratios_are_not() {
        assert_eq!(figure(ClaimKind::AnnualReturn, Some(0.121)), "12.1\u{a0}%");
        assert_eq!(figure(ClaimKind::SharpeRatio, Some(0.62)), "0.62");
    }
}
