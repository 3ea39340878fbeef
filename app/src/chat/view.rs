//! Messages, cards and jobs as they are shown: data in, view out. A browser that follows a conversation
//! takes new messages from the same rendering, by the ids and marks that they carry here.

use super::Turn;
use super::prose::{html, marked, own};
use crate::live::Live;
use crate::{format, ui};
use leptos::prelude::*;
use mltrainer_types::chat::{ActionCard, ActionOutcome, ChatMessage, Job, OutcomeTable};

/// Trials that messages began, as they stand.
pub(crate) type Jobs<'a> = &'a [Live];

/// The words around what a search found, that itself marked.
pub(crate) fn snippet(text: &str) -> AnyView {
    marked(text)
        .into_iter()
        .map(|(found, text)| {
            if found {
                view! { <mark>{text}</mark> }.into_any()
            } else {
                text.into_any()
            }
        })
        .collect_view()
        .into_any()
}

/// A turn: what was said, agents at work, what is being written, the answer.
pub(crate) fn turn(t: &Turn, jobs: Jobs<'_>) -> AnyView {
    let open = t.open();
    let notes = t.agents.iter().map(|m| agent(m, jobs)).collect_view();
    view! {
        <article class="talk-turn" id=format!("turn-{}", t.key)>
            {t.said.as_ref().map(said)}
            <details class="agents" open=open hidden=t.agents.is_empty()>
                <summary>{super::worked(&t.agents)}</summary>
                <ol>{notes}</ol>
            </details>
            {open.then(|| view! {
                <div class="words draft" aria-live="off" hidden></div>
                <p class="working">"Working on it"</p>
            })}
            {t.answers.iter().map(|m| answer(m, jobs)).collect_view()}
        </article>
    }
    .into_any()
}

fn said(m: &ChatMessage) -> AnyView {
    view! {
        <div class="said" id=format!("m{}", m.seq)>
            <h2 class="by"><span>"You"</span> " " {moment(m)}</h2>
            <p class="said-text">{m.text.clone()}</p>
        </div>
    }
    .into_any()
}

/// A note of an agent, small.
fn agent(m: &ChatMessage, jobs: Jobs<'_>) -> AnyView {
    let outcomes = m
        .cards
        .iter()
        .filter_map(|c| c.outcome.as_ref())
        .map(|o| outcome(o, jobs))
        .collect_view();
    view! {
        <li id=format!("m{}", m.seq)>
            <p class="by">
                <span class="agent">{m.author.clone()}</span> " "
                <time datetime=format::machine_time(&m.at)>{format::clock(&m.at)}</time>
            </p>
            <div class="words" inner_html=html(&m.pieces, &m.citations)></div>
            {outcomes}
        </li>
    }
    .into_any()
}

/// An answer with its actions.
fn answer(m: &ChatMessage, jobs: Jobs<'_>) -> AnyView {
    let asked = m.question.as_ref();
    let body = match asked {
        Some(q) => view! { <div class="words"><p>{q.question.clone()}</p></div> }.into_any(),
        None => {
            view! { <div class="words" inner_html=html(&m.pieces, &m.citations)></div> }.into_any()
        }
    };
    let replies = asked.filter(|q| !q.suggestions.is_empty()).map(|q| {
        let buttons = q
            .suggestions
            .iter()
            .map(|s| view! { <li><button class="button" name="text" value=s.clone() data-reply="">{s.clone()}</button></li> })
            .collect_view();
        view! {
            <form class="replies" method="post" action=super::SAY>
                <input type="hidden" name="conversation" value=m.conversation.to_string()/>
                <ul aria-label="Answers that would do">{buttons}</ul>
            </form>
        }
    });
    let mut next: Vec<String> = Vec::new();
    for step in m
        .cards
        .iter()
        .filter_map(|c| c.outcome.as_ref())
        .flat_map(|o| &o.next_steps)
    {
        if !next.contains(step) {
            next.push(step.clone());
        }
    }
    view! {
        <div class="answer" id=format!("m{}", m.seq)>
            <h3 class="by"><span>{m.author.clone()}</span> " " {moment(m)}</h3>
            {body}
            {m.cards.iter().map(|c| card(c, jobs)).collect_view()}
            {replies}
            {(!next.is_empty()).then(|| sentences("Next steps", "next-steps", &next))}
            <p class="answered-by">{super::answered_by(m)}</p>
        </div>
    }
    .into_any()
}

/// Sentences that can be put into the input: links, which do it without script as well.
pub(crate) fn sentences(label: &'static str, class: &'static str, list: &[String]) -> AnyView {
    let items = list
        .iter()
        .map(|text| {
            let href = crate::query::Link::to("").with("say", text).build();
            view! {
                <li><a class="button" href=format!("{href}#composer") data-say=text.clone()>{text.clone()}</a></li>
            }
        })
        .collect_view();
    view! { <ul class=format!("sentences {class}") aria-label=label>{items}</ul> }.into_any()
}

fn moment(m: &ChatMessage) -> AnyView {
    ui::time(&m.at)
}

fn card(c: &ActionCard, jobs: Jobs<'_>) -> AnyView {
    let (sign, word, class) = super::state(c.state);
    let problem = c
        .problem
        .as_ref()
        .map(|p| view! { <p class="card-problem">{ui::sentence(p)}</p> });
    view! {
        <section class=format!("card {class}")>
            <header><h4>{c.title.clone()}</h4> {ui::badge(sign, word, class)}</header>
            {problem}
            {c.outcome.as_ref().map(|o| outcome(o, jobs))}
        </section>
    }
    .into_any()
}

fn outcome(o: &ActionOutcome, jobs: Jobs<'_>) -> AnyView {
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
        {o.job.as_ref().map(|j| job(j, jobs))}
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
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | 'e' | '-');
    matches!(text, "" | "–")
        || text.chars().all(digits)
            && text.starts_with(|c: char| c.is_ascii_digit())
            // A day is no number.
            && text.matches('-').count() < 2
}

/// What was begun: a trial with its progress, anything else by its link.
fn job(job: &Job, jobs: Jobs<'_>) -> AnyView {
    if job.kind == "trial"
        && let Some(live) = jobs.iter().find(|l| l.id == job.id)
    {
        return trial(live);
    }
    if !own(&job.link) {
        return ().into_any();
    }
    let words = match job.kind.as_str() {
        "trial" => "Open the trial →",
        "backtest" => "Open the back test →",
        "optimisation" => "Open the optimisation →",
        _ => "Open its page →",
    };
    view! { <p><a class="more" href=job.link.clone()>{words}</a></p> }.into_any()
}

/// A trial in a card: where it stands, how far it is, the best row so far. The marks are those by which
/// the browser moves it on.
fn trial(live: &Live) -> AnyView {
    let (sign, word, class) = crate::words::state(live.state);
    let p = live.progress;
    let running = !live.state.is_final();
    let bar = running.then(|| {
        view! { <progress aria-label="Steps done" max=p.total.max(1) value=(p.total > 0).then_some(p.done)></progress> }
    });
    view! {
        <div class="job" data-trial=running.then(|| live.id.clone()) data-last=live.last_event>
            <p class="job-line">
                <span class=format!("badge {class}")>
                    <span class="job-sign" aria-hidden="true">{sign}</span> " "
                    <span class="job-state">{word}</span>
                </span>
                <span class="figures job-steps">{live.steps_words()}</span>
                <span class="quiet job-left">{live.left_words()}</span>
            </p>
            {bar}
            {live.reason.as_ref().map(|r| view! { <p class="card-problem">{ui::sentence(r)}</p> })}
            <p class="job-best">{live.best_words()}</p>
            <p><a class="more" href=format!("/trials/{}", crate::query::segment(&live.id))>"Open the trial →"</a></p>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
