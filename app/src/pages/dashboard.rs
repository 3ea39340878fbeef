//! The first page: what runs, what was found, how fresh the data are, how the program is.

use crate::error::PageError;
use crate::pages::trials::{progress_cell, subject, waits};
use crate::server::{reader, refuse};
use crate::ui;
use crate::{format, words};
use leptos::prelude::*;
use leptos_meta::Title;
use mltrainer_types::audit::AuditRecord;
use mltrainer_types::chat::GoalView;
use mltrainer_types::data::DatasetSummary;
use mltrainer_types::health::Health;
use mltrainer_types::trial::{TrialSummary, Verdict};

/// A finished trial and what it found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The trial.
    pub trial: TrialSummary,
    /// Its verdict.
    pub verdict: Verdict,
}

/// What the dashboard shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// How the program is.
    pub health: Health,
    /// Trials that run or wait, newest first.
    pub running: Vec<TrialSummary>,
    /// The latest verdicts, newest first.
    pub found: Vec<Found>,
    /// The data sets by source.
    pub sources: Vec<SourceLine>,
    /// Entries of the catalogue by family, presets not counted.
    pub families: Vec<(String, u32)>,
    /// The last audit record.
    pub last_audit: Option<AuditRecord>,
    /// The goal.
    pub goal: Option<GoalView>,
}

/// The data sets of one source together.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceLine {
    /// Approved origin.
    pub source: String,
    /// Data sets.
    pub sets: u32,
    /// Rows in all of them.
    pub rows: u64,
    /// First day of all of them.
    pub first: chrono::NaiveDate,
    /// Last day of the freshest.
    pub last: chrono::NaiveDate,
    /// The set of the lowest quality and its score.
    pub worst: (String, f64),
    /// Rows set aside in all of them.
    pub quarantined: u64,
}

/// Everything on the dashboard.
async fn overview() -> Result<Board, PageError> {
    let services = reader()?;
    let health = services.health().await.map_err(|e| refuse(&e))?;
    let trials = services.trials(None).await.map_err(|e| refuse(&e))?.items;
    let mut found = Vec::new();
    for trial in trials.iter().filter(|t| t.found_edge.is_some()).take(4) {
        let view = services
            .trial(trial.id.as_str())
            .await
            .map_err(|e| refuse(&e))?;
        if let Some(verdict) = view.verdict {
            found.push(Found {
                trial: trial.clone(),
                verdict,
            });
        }
    }
    let sets = services.datasets().await.map_err(|e| refuse(&e))?;
    let audit = services
        .audit(mltrainer_types::audit::AuditFilter::default(), None, 1)
        .await
        .map_err(|e| refuse(&e))?;
    Ok(Board {
        health,
        running: trials
            .into_iter()
            .filter(|t| !t.state.is_final())
            .take(6)
            .collect(),
        found,
        sources: by_source(&sets),
        families: by_family(
            services
                .catalogue()
                .iter()
                .filter(|e| e.kind != mltrainer_types::catalogue::EntryKind::Preset)
                .map(|e| e.family.as_str()),
        ),
        last_audit: audit.items.into_iter().next(),
        goal: services.goal().await.map_err(|e| refuse(&e))?,
    })
}

/// The dashboard.
#[component]
pub fn Dashboard() -> impl IntoView {
    view! {
        <Title text=""/>
        <div class="page">
            {ui::head(
                &[],
                "Does any model beat a naive forecast?".to_owned(),
                view! {
                    <p class="lede">
                        "A trial trains the models you choose on real, verified data, tests them only on days they have not seen, and says honestly whether one of them is better than doing nothing clever."
                    </p>
                }
                .into_any(),
            )}
            {first_step()}
            {ui::loaded(overview(), 12, |d| board(&d))}
        </div>
    }
}

fn first_step() -> AnyView {
    view! {
        <div class="first-step">
            {crate::pages::new_trial::quick("AAPL", "New trial on AAPL", true)}
            <a class="button" href="/trials/new">"Choose symbols, target and models"</a>
        </div>
    }
    .into_any()
}

fn board(d: &Board) -> AnyView {
    view! {
        {super::chat::one_line(d.goal.as_ref())}
        <div class="desk">
            <div class="desk-main">{running(&d.running)} {found(&d.found)}</div>
            <div class="desk-side">
                {sources(&d.sources)} {catalogue(&d.families, &d.health)} {audit(d)} {health(&d.health)}
            </div>
        </div>
    }
    .into_any()
}

fn running(trials: &[TrialSummary]) -> AnyView {
    let body = if trials.is_empty() {
        view! { <p class="quiet">"No trial is running. A trial on one symbol takes less than a minute."</p> }.into_any()
    } else {
        view! {
            <ul class="running">
                {trials
                    .iter()
                    .map(|t| view! {
                        <li>
                            <a href=format!("/trials/{}", t.id)>{subject(t)}</a>
                            {ui::state_badge(t.state)}
                            {progress_cell(t)}
                        </li>
                    })
                    .collect_view()}
            </ul>
        }
        .into_any()
    };
    // Taken anew every two seconds while something moves.
    view! {
        <div id="running-now" data-refresh=waits(trials).then_some("2000")>
            {ui::panel("running", "Running now", more("/trials", "All trials"), body)}
        </div>
    }
    .into_any()
}

fn more(href: &'static str, label: &'static str) -> AnyView {
    view! { <a class="more" href=href>{label}" →"</a> }.into_any()
}

fn found(found: &[Found]) -> AnyView {
    let body = if found.is_empty() {
        view! { <p class="quiet">"No verdict yet. Press “New trial on AAPL” and read the first one here."</p> }.into_any()
    } else {
        view! {
            <ul class="verdicts">
                {found
                    .iter()
                    .map(|f| view! {
                        <li class:edge=f.verdict.found_edge>
                            <p class="verdict-head">
                                <a href=format!("/trials/{}", f.trial.id)>{subject(&f.trial)}</a>
                                {edge_badge(f.verdict.found_edge)}
                            </p>
                            <p>{f.verdict.text.clone()}</p>
                            <p class="quiet">
                                {ui::time(&f.trial.created_at)}
                                " · "
                                {tried(&f.verdict)}
                            </p>
                        </li>
                    })
                    .collect_view()}
            </ul>
        }
        .into_any()
    };
    ui::panel("verdicts", "Latest verdicts", ().into_any(), body)
}

/// Whether an edge was found, in words.
pub(crate) fn edge_badge(found: bool) -> AnyView {
    if found {
        ui::badge("▲", "Edge found", "good")
    } else {
        ui::badge("=", "No edge found", "none")
    }
}

/// How much was tried, in a sentence.
pub(crate) fn tried(v: &Verdict) -> String {
    let here = format::counted(v.tried.into(), "combination", "combinations");
    if v.tried_ever > v.tried {
        format!(
            "{here} of model and horizon tried here, {} on this data and target in all",
            format::count(v.tried_ever.into())
        )
    } else {
        format!("{here} of model and horizon tried, none before")
    }
}

fn sources(lines: &[SourceLine]) -> AnyView {
    let body = if lines.is_empty() {
        ui::empty(
            "No data set",
            "The bundled data are not installed yet; or bring your own file.",
            "/data",
            "Go to the data",
        )
    } else {
        view! {
            <ul class="lines">
                {lines
                    .iter()
                    .map(|s| view! {
                        <li>
                            <p>
                                <strong>{words::title(&s.source)}</strong>
                                <span class="figures">{format::counted(s.sets.into(), "set", "sets")}</span>
                            </p>
                            <p class="quiet">
                                {format!("{} rows, {} to {}", format::count(s.rows), format::day(s.first), format::day(s.last))}
                            </p>
                            <p class="quiet">
                                {format!("lowest quality {} ({})", format::decimal(s.worst.1, 1), s.worst.0)}
                                {(s.quarantined > 0).then(|| format!(", {} set aside", format::counted(s.quarantined, "row", "rows")))}
                            </p>
                        </li>
                    })
                    .collect_view()}
            </ul>
        }
        .into_any()
    };
    ui::panel("sources", "Data", more("/data", "Data sets"), body)
}

fn catalogue(families: &[(String, u32)], health: &Health) -> AnyView {
    let most = families.iter().map(|f| f.1).max().unwrap_or(1).max(1);
    let body = view! {
        <p class="big-figure">
            <span class="stat-value">{format::count(health.models.into())}</span>
            " models and indicators, presets not counted"
        </p>
        <ul class="bars">
            {families
                .iter()
                .map(|(family, n)| view! {
                    <li>
                        <a href=crate::query::Link::to("/models").with("family", family).build()>{words::title(family)}</a>
                        <meter min="0" max=most value=*n aria-hidden="true"></meter>
                        <span class="figures">{*n}</span>
                    </li>
                })
                .collect_view()}
        </ul>
    }
    .into_any();
    ui::panel("catalogue", "Catalogue", more("/models", "Models"), body)
}

fn audit(d: &Board) -> AnyView {
    let body = view! {
        <p class="big-figure">
            <span class="stat-value">{format::count(d.health.audit_records.unsigned_abs())}</span>
            " records in the chain"
        </p>
        {d.last_audit.as_ref().map(|r| view! {
            <p class="quiet">
                "Last: " <code>{r.action.clone()}</code> " by " {r.actor.clone()} ", " {r.decision.clone()} ", " {ui::time(&r.at)}
            </p>
        })}
        <p><a href="/compliance?verify=1#audit">"Verify the chain now"</a></p>
    }
    .into_any();
    ui::panel(
        "audit-state",
        "Audit",
        more("/compliance", "Compliance"),
        body,
    )
}

fn health(h: &Health) -> AnyView {
    let body = view! {
        <ul class="checks">
            {h.checks
                .iter()
                .map(|c| view! {
                    <li>
                        {if c.ok { ui::badge("✓", &words::title(&c.name), "done") } else { ui::badge("✕", &words::title(&c.name), "bad") }}
                        <span class="quiet">{c.detail.clone()}</span>
                    </li>
                })
                .collect_view()}
        </ul>
        <p class="quiet">
            {format!("Version {}, started ", h.version)} {ui::time(&h.started_at)}
        </p>
    }
    .into_any();
    let state = if h.status == "ok" {
        ui::badge("✓", "In order", "done")
    } else {
        ui::badge("!", "Degraded", "bad")
    };
    ui::panel("health", "Program", state, body)
}

/// Data sets of each source together, in the order of the list.
#[must_use]
pub fn by_source(sets: &[DatasetSummary]) -> Vec<SourceLine> {
    let mut lines: Vec<SourceLine> = Vec::new();
    for s in sets {
        let name = s
            .symbols
            .first()
            .cloned()
            .unwrap_or_else(|| s.id.to_string());
        match lines.iter_mut().find(|l| l.source == s.source) {
            Some(line) => {
                line.sets += 1;
                line.rows += s.rows;
                line.first = line.first.min(s.first);
                line.last = line.last.max(s.last);
                line.quarantined += s.quarantined;
                if s.quality < line.worst.1 {
                    line.worst = (name, s.quality);
                }
            }
            None => lines.push(SourceLine {
                source: s.source.clone(),
                sets: 1,
                rows: s.rows,
                first: s.first,
                last: s.last,
                worst: (name, s.quality),
                quarantined: s.quarantined,
            }),
        }
    }
    lines
}

/// Entries by family, the largest first.
#[must_use]
pub fn by_family<'a>(families: impl Iterator<Item = &'a str>) -> Vec<(String, u32)> {
    let mut counts: std::collections::BTreeMap<&str, u32> = std::collections::BTreeMap::new();
    for f in families {
        *counts.entry(f).or_default() += 1;
    }
    let mut list: Vec<(String, u32)> = counts.into_iter().map(|(f, n)| (f.to_owned(), n)).collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::data::DatasetKind;

    #[test]
    fn families_are_sorted_by_size_then_name() {
        let list = by_family(["tree", "linear", "tree", "baseline", "linear"].into_iter());
        let expected = [("linear", 2), ("tree", 2), ("baseline", 1)];
        assert_eq!(list, expected.map(|(f, n)| (f.to_owned(), n)));
    }

    #[test]
    fn sources_add_up() {
        let day = |y| chrono::NaiveDate::from_ymd_opt(y, 1, 1).unwrap();
        let set = |symbol: &str, source: &str, first, last, quality| DatasetSummary {
            id: symbol.into(),
            kind: DatasetKind::Bars,
            symbols: vec![symbol.into()],
            source: source.into(),
            title: symbol.into(),
            first: day(first),
            last: day(last),
            rows: 10,
            sha256: String::new(),
            quality,
            quarantined: 1,
            licence: String::new(),
            origin: String::new(),
        };
        let lines = by_source(&[
            set("A", "bundled", 2000, 2010, 99.0),
            set("B", "bundled", 1999, 2012, 97.5),
            set("C", "user_provided", 2015, 2016, 80.0),
        ]);
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (lines[0].sets, lines[0].rows, lines[0].quarantined),
            (2, 20, 2)
        );
        assert_eq!((lines[0].first, lines[0].last), (day(1999), day(2012)));
        assert_eq!(lines[0].worst, ("B".to_owned(), 97.5));
    }

    #[test]
    fn everything_tried_is_said() {
        let mut v = Verdict {
            found_edge: false,
            text: String::new(),
            best_model: None,
            tried: 4,
            tried_ever: 4,
            notes: vec![],
        };
        assert_eq!(
            tried(&v),
            "4 combinations of model and horizon tried, none before"
        );
        v.tried_ever = 1204;
        assert_eq!(
            tried(&v),
            "4 combinations of model and horizon tried here, 1,204 on this data and target in all"
        );
    }
}
