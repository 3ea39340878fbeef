//! The catalogue: search, filter by family, task and kind; all of it in the URL.

use crate::error::PageError;
use crate::query::{Link, segment};
use crate::server::reader;
use crate::ui;
use crate::{format, words};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use mltrainer_types::catalogue::{CatalogueEntry, EntryKind, Task};

/// What is looked for; an empty text is "any".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Words that must all be found in id, title, family or summary.
    pub q: String,
    /// Family.
    pub family: String,
    /// Task.
    pub task: String,
    /// Kind.
    pub kind: String,
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelLine {
    /// Id.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// Kind.
    pub kind: EntryKind,
    /// Tasks.
    pub tasks: Vec<Task>,
    /// What it is.
    pub summary: String,
    /// Presets of it that were found too.
    pub presets: Vec<String>,
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    /// Families with their lines, in order.
    pub families: Vec<(String, Vec<ModelLine>)>,
    /// Entries found.
    pub found: u32,
    /// Entries there are.
    pub total: u32,
    /// All families.
    pub all_families: Vec<String>,
    /// Tasks that some entry has.
    pub all_tasks: Vec<Task>,
    /// Kinds that some entry has.
    pub all_kinds: Vec<EntryKind>,
}

/// The entries that a search finds.
async fn models(search: Search) -> Result<Catalogue, PageError> {
    Ok(find(reader()?.catalogue(), &search))
}

/// The page.
#[component]
pub fn Models() -> impl IntoView {
    let query = use_query_map().get_untracked();
    let get = |name: &str| {
        query
            .get(name)
            .map(|v| v.trim().to_owned())
            .unwrap_or_default()
    };
    let search = Search {
        q: get("q"),
        family: get("family"),
        task: get("task"),
        kind: get("kind"),
    };
    view! {
        <Title text="Models"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer")],
                "Models".to_owned(),
                view! {
                    <p class="lede">
                        "Every entry states its formula, its parameters, what it was compared with, and when it fails."
                    </p>
                }
                .into_any(),
            )}
            {ui::loaded(models(search.clone()), 14, move |c| catalogue(&c, &search))}
        </div>
    }
}

fn catalogue(c: &Catalogue, s: &Search) -> AnyView {
    let any = |label: &str| vec![(String::new(), label.to_owned())];
    let mut families = any("Every family");
    families.extend(c.all_families.iter().map(|f| (f.clone(), words::title(f))));
    let mut tasks = any("Every task");
    tasks.extend(
        c.all_tasks
            .iter()
            .map(|t| (t.as_str().to_owned(), words::task(*t))),
    );
    let mut kinds = any("Every kind");
    kinds.extend(
        c.all_kinds
            .iter()
            .map(|k| (k.as_str().to_owned(), words::kind(*k).to_owned())),
    );
    let said = if c.found == c.total {
        format::counted(c.total.into(), "entry", "entries")
    } else {
        format!(
            "{} of {}",
            format::count(c.found.into()),
            format::counted(c.total.into(), "entry", "entries")
        )
    };
    let fields = view! {
            {ui::field(
                "q",
                "Search",
                "",
                None,
                view! { <input type="search" id="q" name="q" value=s.q.clone() placeholder="ridge, forest, momentum …" autocomplete="off"/> }.into_any(),
            )}
            {ui::field("family", "Family", "", None, ui::select("family", families, &s.family))}
            {ui::field("task", "Task", "", None, ui::select("task", tasks, &s.task))}
            {ui::field("kind", "Kind", "", None, ui::select("kind", kinds, &s.kind))}
            <div class="field submit"><button class="button">"Search"</button></div>
    }
    .into_any();
    view! {
        <form method="get" action="/models" class="filters" aria-label="Search the catalogue" data-live="results">{fields}</form>
        <div id="results">
        <p class="quiet" role="status">{said}</p>
        {if c.families.is_empty() {
            ui::empty("Nothing found", "No entry has all of these words and choices. Take away a word or a choice.", "/models", "Show every entry")
        } else {
            c.families.iter().map(|(family, lines)| family_view(family, lines)).collect_view().into_any()
        }}
        </div>
    }
    .into_any()
}

fn family_view(family: &str, lines: &[ModelLine]) -> AnyView {
    view! {
        <section class="family">
            <h2>
                <a href=Link::to("/models").with("family", family).build()>{words::title(family)}</a>
                <span class="figures quiet">{lines.len().to_string()}</span>
            </h2>
            <ul class="entries">
                {lines
                    .iter()
                    .map(|l| view! {
                        <li>
                            <a class="entry-title" href=format!("/models/{}", segment(&l.id))>{l.title.clone()}</a>
                            <code class="entry-id">{l.id.clone()}</code>
                            <span class="tags">{tags(l.kind, &l.tasks)}</span>
                            <span class="entry-summary">
                                {l.summary.clone()}
                                {(!l.presets.is_empty()).then(|| presets(&l.presets))}
                            </span>
                        </li>
                    })
                    .collect_view()}
            </ul>
        </section>
    }
    .into_any()
}

fn presets(ids: &[String]) -> AnyView {
    view! {
        <span class="entry-presets">
            "Presets: "
            {ids.iter().map(|id| view! { <a href=format!("/models/{}", segment(id))><code>{id.clone()}</code></a> " " }).collect_view()}
        </span>
    }
    .into_any()
}

/// Kind and tasks of an entry as small words.
pub(crate) fn tags(kind: EntryKind, tasks: &[Task]) -> AnyView {
    view! {
        <span class="tag kind">{words::kind(kind)}</span>
        {tasks.iter().map(|t| view! { <span class="tag">{words::task(*t)}</span> }).collect_view()}
    }
    .into_any()
}

/// The entries that a search finds, by family.
#[must_use]
pub fn find(entries: &[CatalogueEntry], search: &Search) -> Catalogue {
    let needles: Vec<String> = search.q.split_whitespace().map(str::to_lowercase).collect();
    let matches = |e: &CatalogueEntry| {
        let text = format!(
            "{} {} {} {} {}",
            e.id,
            words::plain(&e.id),
            e.title,
            e.family,
            e.summary
        )
        .to_lowercase();
        needles.iter().all(|n| text.contains(n.as_str()))
            && (search.family.is_empty() || e.family == search.family)
            && (search.task.is_empty() || e.tasks.iter().any(|t| t.as_str() == search.task))
            && (search.kind.is_empty() || e.kind.as_str() == search.kind)
    };
    let mut families: Vec<(String, Vec<ModelLine>)> = Vec::new();
    let matching: Vec<&CatalogueEntry> = entries.iter().filter(|e| matches(e)).collect();
    for e in &matching {
        // A preset stands with its model, unless only the preset was found.
        if matching.iter().any(|m| e.base.as_ref() == Some(&m.id)) {
            continue;
        }
        let line = ModelLine {
            id: e.id.clone(),
            title: e.title.clone(),
            kind: e.kind,
            tasks: e.tasks.clone(),
            summary: e.summary.clone(),
            presets: matching
                .iter()
                .filter(|m| m.base.as_ref() == Some(&e.id))
                .map(|m| m.id.clone())
                .collect(),
        };
        match families.iter_mut().find(|(f, _)| *f == e.family) {
            Some((_, lines)) => lines.push(line),
            None => families.push((e.family.clone(), vec![line])),
        }
    }
    let mut all_families: Vec<String> = Vec::new();
    let mut all_kinds: Vec<EntryKind> = Vec::new();
    for e in entries {
        if !all_families.contains(&e.family) {
            all_families.push(e.family.clone());
        }
        all_kinds.push(e.kind);
    }
    all_kinds.sort();
    all_kinds.dedup();
    Catalogue {
        families,
        found: u32::try_from(matching.len()).unwrap_or(u32::MAX),
        total: u32::try_from(entries.len()).unwrap_or(u32::MAX),
        all_families,
        all_tasks: Task::ALL
            .into_iter()
            .filter(|t| entries.iter().any(|e| e.tasks.contains(t)))
            .collect(),
        all_kinds,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn entry(id: &str, family: &str, kind: EntryKind, tasks: &[Task]) -> CatalogueEntry {
        CatalogueEntry {
            id: id.into(),
            kind,
            family: family.into(),
            title: words::title(id),
            tasks: tasks.to_vec(),
            summary: "Shrinks coefficients.".into(),
            formula: String::new(),
            data: String::new(),
            cost: String::new(),
            fails_when: String::new(),
            not_claimed: String::new(),
            deterministic: true,
            params: vec![],
            outputs: vec![],
            source: String::new(),
            reference: String::new(),
            evidence: vec![],
            checked: None,
            base: None,
            fixed: serde_json::Map::new(),
            presets: vec![],
        }
    }

    #[test]
    fn every_word_and_every_choice_must_fit() {
        let entries = [
            entry("ridge", "linear", EntryKind::Model, &[Task::Regression]),
            entry(
                "random_forest",
                "tree",
                EntryKind::Model,
                &[Task::Regression, Task::Classification],
            ),
            CatalogueEntry {
                base: Some("random_forest".into()),
                ..entry(
                    "random_forest_50",
                    "tree",
                    EntryKind::Preset,
                    &[Task::Regression],
                )
            },
            entry("rsi", "indicator", EntryKind::Indicator, &[Task::Signal]),
        ];
        let search = |q: &str, family: &str, task: &str, kind: &str| {
            let s = Search {
                q: q.into(),
                family: family.into(),
                task: task.into(),
                kind: kind.into(),
            };
            find(&entries, &s).found
        };
        for (q, family, task, kind, expected) in [
            ("", "", "", "", 4),
            ("random forest", "", "", "", 2),
            ("Random FOREST", "", "classification", "", 1),
            ("shrinks", "linear", "", "", 1),
            ("", "tree", "", "preset", 1),
            ("", "", "pricing", "", 0),
            ("nothing like it", "", "", "", 0),
        ] {
            assert_eq!(
                search(q, family, task, kind),
                expected,
                "{q} {family} {task} {kind}"
            );
        }
        let all = find(&entries, &Search::default());
        assert_eq!(
            all.families[1].1[0].presets,
            ["random_forest_50"],
            "a preset stands with its model"
        );
        let preset = find(
            &entries,
            &Search {
                q: "50".into(),
                ..Search::default()
            },
        );
        assert_eq!(
            preset.families[0].1[0].id, "random_forest_50",
            "or alone, when only it was found"
        );
        assert_eq!(all.all_families, ["linear", "tree", "indicator"]);
        assert_eq!(
            all.all_tasks,
            [Task::Regression, Task::Classification, Task::Signal]
        );
        assert_eq!(all.families[1].1.len(), 1);
    }
}
