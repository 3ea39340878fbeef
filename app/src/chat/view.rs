//! Messages, cards and jobs as they are shown: data in, view out, the same from the server and in the
//! browser.

use super::prose::{Block, Kind, Run, blocks};
use super::{Card, Entry, Outcome};
use crate::islands::live_trial::Connection;
use crate::live::Live;
use crate::{format, ui};
use leptos::prelude::*;
use mltrainer_types::chat::{Job, OutcomeTable};
use mltrainer_types::llm::{AnswerPiece, FigureCitation};
use mltrainer_types::trial::LeaderboardRow;

/// Where a message is shown: as a part of an island that lives, or as the server left it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The conversation.
    pub(crate) conversation: &'a str,
    /// Trials that messages began, as the server knows them.
    pub(crate) jobs: &'a [Live],
    /// Whether an island shows it: what goes on is followed then; else it gets an island of its own.
    pub(crate) alive: bool,
}

/// A turn that nothing will change.
#[cfg(feature = "ssr")]
pub(crate) fn turn(t: &super::Turn, place: Place<'_>) -> AnyView {
    let agents = (!t.agents.is_empty()).then(|| {
        view! {
            <details class="agents">
                <summary>{super::worked(&t.agents)}</summary>
                <ol>{t.agents.iter().map(|e| agent(e, place)).collect_view()}</ol>
            </details>
        }
    });
    view! {
        <article class="turn">
            {t.said.as_ref().map(said)}
            {agents}
            {t.answers.iter().map(|e| answer(e, place)).collect_view()}
        </article>
    }
    .into_any()
}

/// What a person said.
pub(crate) fn said(e: &Entry) -> AnyView {
    view! {
        <div class="said" id=format!("m{}", e.seq)>
            <h2 class="by"><span>"You"</span> " " {moment(e)}</h2>
            <p class="said-text">{e.text.clone()}</p>
        </div>
    }
    .into_any()
}

/// A note of an agent, small.
pub(crate) fn agent(e: &Entry, place: Place<'_>) -> AnyView {
    let outcomes = e
        .cards
        .iter()
        .filter_map(|c| c.outcome.as_ref())
        .map(|o| outcome(o, place))
        .collect_view();
    view! {
        <li id=format!("m{}", e.seq)>
            <p class="by">
                <span class="agent">{e.author.clone()}</span> " "
                <time datetime=e.at.clone()>{super::clock(&e.at)}</time>
            </p>
            <div class="words">{words(&e.pieces, &e.citations)}</div>
            {outcomes}
        </li>
    }
    .into_any()
}

/// An answer with its actions.
pub(crate) fn answer(e: &Entry, place: Place<'_>) -> AnyView {
    let asked = e.question.as_ref();
    let body = match asked {
        Some(q) => view! { <p>{q.question.clone()}</p> }.into_any(),
        None => words(&e.pieces, &e.citations),
    };
    let replies = asked.filter(|q| !q.suggestions.is_empty()).map(|q| {
        let buttons = q
            .suggestions
            .iter()
            .map(|s| view! { <li><button class="button" name="text" value=s.clone() data-reply="">{s.clone()}</button></li> })
            .collect_view();
        view! {
            <form class="replies" method="post" action=super::SAY>
                <input type="hidden" name="conversation" value=place.conversation.to_owned()/>
                <ul aria-label="Answers that would do">{buttons}</ul>
            </form>
        }
    });
    let next: Vec<String> = e
        .cards
        .iter()
        .filter_map(|c| c.outcome.as_ref())
        .flat_map(|o| o.next_steps.iter().cloned())
        .collect();
    view! {
        <div class="answer" id=format!("m{}", e.seq)>
            <h3 class="by"><span>{e.author.clone()}</span> " " {moment(e)}</h3>
            <div class="words">{body}</div>
            {e.cards.iter().map(|c| card(c, place)).collect_view()}
            {replies}
            {(!next.is_empty()).then(|| sentences("Next steps", "next-steps", &next))}
            <p class="answered-by">{super::answered_by(e)}</p>
        </div>
    }
    .into_any()
}

/// Sentences that can be put into the input: links that do it without script as well.
pub(crate) fn sentences(label: &'static str, class: &'static str, list: &[String]) -> AnyView {
    let items = list
        .iter()
        .map(|s| view! { <li>{sentence(s)}</li> })
        .collect_view();
    view! { <ul class=format!("sentences {class}") aria-label=label>{items}</ul> }.into_any()
}

/// One of them.
pub(crate) fn sentence(text: &str) -> AnyView {
    let href = crate::query::Link::to("").with("say", text).build();
    view! { <a class="button sentence" href=format!("{href}#composer") data-say=text.to_owned()>{text.to_owned()}</a> }
        .into_any()
}

fn moment(e: &Entry) -> AnyView {
    view! { <time datetime=e.at.clone()>{super::when(&e.at)}</time> }.into_any()
}

/// The words of an answer.
pub(crate) fn words(pieces: &[AnswerPiece], citations: &[FigureCitation]) -> AnyView {
    let line = |list: &[Run]| list.iter().map(|r| run(r, citations)).collect_view();
    blocks(pieces)
        .iter()
        .map(|block| match block {
            Block::Paragraph(list) => view! { <p>{line(list)}</p> }.into_any(),
            Block::Head(list) => view! { <p class="words-head">{line(list)}</p> }.into_any(),
            Block::List(items) => {
                let items = items
                    .iter()
                    .map(|i| view! { <li>{line(i)}</li> })
                    .collect_view();
                view! { <ul class="dashes">{items}</ul> }.into_any()
            }
            Block::Code(code) => {
                view! { <pre class="code" tabindex="0">{code.clone()}</pre> }.into_any()
            }
        })
        .collect_view()
        .into_any()
}

fn run(run: &Run, citations: &[FigureCitation]) -> AnyView {
    let text = run.text.clone();
    let inner = match run.kind {
        Kind::Words if run.code => view! { <code>{text}</code> }.into_any(),
        Kind::Words => text.into_any(),
        Kind::Unverified => view! {
            <span class="unverified" title="Unverified: no result holds this number">
                {text} <span class="visually-hidden">" (unverified: no result holds this number)"</span>
            </span>
        }
        .into_any(),
        Kind::Figure(n) => {
            let cited = citations.get(n as usize);
            let label = cited.map(|c| c.label.clone()).filter(|l| !l.is_empty());
            match cited.and_then(|c| c.link.clone()).filter(|l| own(l)) {
                Some(href) => view! { <a class="figure" href=href title=label>{text}</a> }.into_any(),
                None => view! { <span class="figure" title=label>{text}</span> }.into_any(),
            }
        }
    };
    if run.strong {
        view! { <strong>{inner}</strong> }.into_any()
    } else {
        inner
    }
}

/// Whether a link leads to a page of ours.
fn own(link: &str) -> bool {
    link.starts_with('/') && !link.starts_with("//")
}

fn card(c: &Card, place: Place<'_>) -> AnyView {
    let (sign, word, class) = super::state(c.state);
    let problem = c
        .problem
        .as_ref()
        .map(|p| view! { <p class="card-problem">{ui::sentence(p)}</p> });
    view! {
        <section class=format!("card {class}")>
            <header><h4>{c.title.clone()}</h4> {ui::badge(sign, word, class)}</header>
            {problem}
            {c.outcome.as_ref().map(|o| outcome(o, place))}
        </section>
    }
    .into_any()
}

fn outcome(o: &Outcome, place: Place<'_>) -> AnyView {
    let notes = (!o.notes.is_empty()).then(|| {
        let items = o
            .notes
            .iter()
            .map(|n| view! { <li>{ui::sentence(n)}</li> })
            .collect_view();
        view! { <ul class="notes">{items}</ul> }
    });
    // The job has a link of its own.
    let link = o
        .link
        .clone()
        .filter(|l| own(l) && o.job.as_ref().is_none_or(|j| j.link != *l))
        .map(|href| view! { <p><a class="more" href=href>"Open the result →"</a></p> });
    view! {
        {o.job.as_ref().map(|j| job(j, place))}
        {o.tables.iter().map(table).collect_view()}
        {notes}
        {link}
    }
    .into_any()
}

/// Rows that are shown at once.
const ROWS: usize = 12;

fn table(t: &OutcomeTable) -> AnyView {
    // A column of numbers stands right.
    let number: Vec<bool> = (0..t.columns.len())
        .map(|n| {
            let mut cells = t.rows.iter().filter_map(|r| r.get(n)).peekable();
            n > 0 && cells.peek().is_some() && cells.all(|c| numeric(c))
        })
        .collect();
    let heads = t
        .columns
        .iter()
        .zip(&number)
        .map(|(c, n)| view! { <th scope="col" class:num=*n>{c.clone()}</th> })
        .collect_view();
    let row = |cells: &Vec<String>| {
        let cells = cells
            .iter()
            .enumerate()
            .map(|(i, c)| match (i, number.get(i)) {
                (0, _) => view! { <th scope="row">{c.clone()}</th> }.into_any(),
                (_, Some(true)) => view! { <td class="num">{c.clone()}</td> }.into_any(),
                _ => view! { <td>{c.clone()}</td> }.into_any(),
            })
            .collect_view();
        view! { <tr>{cells}</tr> }.into_any()
    };
    let rows = t.rows.iter().map(row).collect_view().into_any();
    let body = ui::table(&t.title, "plain", heads.into_any(), rows);
    let title = t.title.clone();
    if t.rows.len() > ROWS {
        let count = format::counted(t.rows.len() as u64, "row", "rows");
        view! {
            <details class="outcome-table">
                <summary>{title} " " <span class="quiet">{count}</span></summary>
                {body}
            </details>
        }
        .into_any()
    } else {
        view! { <div class="outcome-table"><p class="table-title">{title}</p> {body}</div> }
            .into_any()
    }
}

/// Whether a cell is a number, a share or an amount, or says that there is none.
fn numeric(cell: &str) -> bool {
    let text = cell.trim().trim_end_matches(['%', '\u{a0}', ' ']);
    let text = text.trim_start_matches(['-', '+', '\u{2212}', '$']);
    matches!(text, "" | "–")
        || text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | 'e' | '-'))
            && text.starts_with(|c: char| c.is_ascii_digit())
            // A day is no number.
            && text.matches('-').count() < 2
}

/// What was begun: a trial with its progress, anything else by its link.
fn job(job: &Job, place: Place<'_>) -> AnyView {
    if job.kind == "trial" {
        let known = place.jobs.iter().find(|l| l.id == job.id);
        if place.alive {
            let live = known.cloned().unwrap_or_else(|| Live::begun(&job.id));
            return crate::islands::live_job::show(live);
        }
        #[cfg(feature = "ssr")]
        if let Some(live) = known {
            return if live.state.is_final() {
                let connection = RwSignal::new(Connection::Ended);
                trial(RwSignal::new(live.clone()), connection)
            } else {
                view! { <crate::islands::live_job::LiveJob live=live.clone()/> }.into_any()
            };
        }
    }
    if !own(&job.link) {
        return ().into_any();
    }
    view! { <p><a class="more" href=job.link.clone()>{super::link_words(&job.kind)} " →"</a></p> }
        .into_any()
}

/// A trial in a card: where it stands, how far it is, the best row so far.
pub(crate) fn trial(live: RwSignal<Live>, connection: RwSignal<Connection>) -> AnyView {
    let state = Memo::new(move |_| live.read().state);
    let id = live.with_untracked(|l| l.id.clone());
    let lost = move || {
        (connection.get() == Connection::Broken)
            .then(|| view! { <span class="quiet">{Connection::Broken.words().0}</span> })
    };
    view! {
        <div class="job">
            <p class="job-line">
                {move || ui::state_badge(state.get())}
                <span class="figures">{move || live.read().steps_words()}</span>
                <span class="quiet job-left">{move || live.read().left_words()}</span>
                {lost}
            </p>
            {move || {
                let l = live.read();
                let p = l.progress;
                (!l.state.is_final()).then(|| view! {
                    <progress aria-label="Steps done" max=p.total.max(1) value=(p.total > 0).then_some(p.done)></progress>
                })
            }}
            {move || live.read().reason.as_ref().map(|r| view! { <p class="card-problem">{ui::sentence(r)}</p> })}
            <p class="job-best">{move || live.with(|l| best(&l.leaderboard, l.provisional).unwrap_or_default())}</p>
            <p><a class="more" href=format!("/trials/{}", crate::query::segment(&id))>"Open the trial →"</a></p>
        </div>
    }
    .into_any()
}

/// The best row of a leaderboard beside its baseline, in a sentence.
#[must_use]
pub(crate) fn best(rows: &[LeaderboardRow], provisional: bool) -> Option<String> {
    let row = rows.iter().find(|r| !r.is_baseline && r.rows > 0)?;
    let name = ["rmse", "brier"]
        .into_iter()
        .find(|n| row.metrics.get(*n).is_some_and(Option::is_some))?;
    let (short, ..) = crate::words::metric(name);
    let value =
        |m: &mltrainer_types::trial::Metrics| format::figure(m.get(name).copied().flatten());
    let verdict = match (provisional, row.beats_baseline) {
        (true, _) => "",
        (false, true) => ": it beats the baseline",
        (false, false) => ": it does not beat the baseline",
    };
    Some(format!(
        "{}: {}, {short} {} (baseline {}), {}{verdict}.",
        if provisional { "Best so far" } else { "Best" },
        row.title,
        value(&row.metrics),
        value(&row.baseline),
        crate::words::horizon(row.horizon),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::tests::row;

    #[test]
    fn columns_of_numbers_are_known() {
        for (cell, expected) in [
            ("12", true),
            ("-0.5", true),
            ("\u{2212}0.5", true),
            ("1,234.5", true),
            ("25.0 %", true),
            ("25.0\u{a0}%", true),
            ("$1,000", true),
            ("1e-5", true),
            ("–", true),
            ("", true),
            ("2012-01-31", false),
            ("AAPL", false),
            ("3 days", false),
            ("e", false),
        ] {
            assert_eq!(numeric(cell), expected, "{cell:?}");
        }
    }

    #[test]
    fn links_lead_to_our_own_pages_only() {
        for (link, expected) in [
            ("/trials/t-1", true),
            ("//evil.example", false),
            ("https://evil.example", false),
            ("javascript:alert(1)", false),
            ("", false),
        ] {
            assert_eq!(own(link), expected, "{link}");
        }
    }

    #[test]
    fn the_best_row_is_said_beside_its_baseline() {
        let mut ridge = row("Ridge", 0.9);
        ridge.baseline.insert("rmse".into(), Some(1.0));
        let mut naive = row("Naive mean", 0.5);
        naive.is_baseline = true;
        let mut empty = row("Empty", 0.1);
        empty.rows = 0;
        let rows = [naive, empty, ridge];
        assert_eq!(
            best(&rows, true).as_deref(),
            Some("Best so far: Ridge, RMSE 0.9000 (baseline 1.000), 1 day ahead.")
        );
        assert_eq!(
            best(&rows, false).as_deref(),
            Some(
                "Best: Ridge, RMSE 0.9000 (baseline 1.000), 1 day ahead: it does not beat the baseline."
            )
        );
        assert_eq!(best(&rows[..2], false), None);
    }
}
