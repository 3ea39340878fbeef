//! A trial while it runs: state, progress with the time left, leaderboard, and what the agents say,
//! moved on by the stream of numbered events. When the trial ends, verdict and lineage are taken from
//! the server's rendering, and the charts are told to draw themselves anew.

use crate::live::Live;
use crate::{board, format, ui, words};
use leptos::prelude::*;

/// How the stream of a trial's events stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// Not alive (yet): the server's rendering is what there is.
    Still,
    /// Being opened.
    Opening,
    /// Events arrive.
    Open,
    /// Broken; it is tried again.
    Broken,
    /// The trial has ended, there is nothing to follow.
    Ended,
}

impl Connection {
    /// In words, with the class of its colour.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Still => ("As of loading", "wait"),
            Self::Opening => ("Connecting", "wait"),
            Self::Open => ("Live", "run"),
            Self::Broken => ("Connection lost, trying again", "bad"),
            Self::Ended => ("Complete", "done"),
        }
    }
}

/// The live part. The children are the place of the verdict.
#[island]
pub fn LiveTrial(
    /// The trial as the server knows it.
    live: Live,
    /// The place of the verdict.
    children: Children,
) -> impl IntoView {
    let connection = RwSignal::new(if live.state.is_final() {
        Connection::Ended
    } else {
        Connection::Still
    });
    let live = RwSignal::new(live);
    #[cfg(feature = "hydrate")]
    alive::follow(live, connection);
    view! {
        {progress(live, connection)}
        {children()}
        {leaderboard(live)}
        {log(live)}
    }
}

fn progress(live: RwSignal<Live>, connection: RwSignal<Connection>) -> AnyView {
    let state = Memo::new(move |_| live.read().state);
    let id = live.with_untracked(|l| l.id.clone());
    view! {
        <section class="progress-line" aria-label="Progress">
            <p class="progress-words">
                {move || ui::state_badge(state.get())}
                <span class="figures">{move || live.read().steps_words()}</span>
                <span class="quiet">{move || live.read().left_words()}</span>
                <span class="connection" role="status">
                    <span class=move || format!("dot-sign {}", connection.get().words().1) aria-hidden="true"></span>
                    {move || connection.get().words().0}
                </span>
            </p>
            {move || {
                let l = live.read();
                let p = l.progress;
                // Without a plan the bar has no value and moves, but only while something does.
                (p.total > 0 || !l.state.is_final()).then(|| view! {
                    <progress aria-label="Steps done" max=p.total.max(1) value=(p.total > 0).then_some(p.done)></progress>
                })
            }}
            {move || live.read().reason.as_ref().map(|r| view! { <p class="notice bad" role="alert">{ui::sentence(r)}</p> })}
            <form method="post" action="/api/pages/trial_action">
                <input type="hidden" name="id" value=id/>
                <div class="actions">
                    {move || words::verbs(state.get()).iter().map(|(verb, label)| button(verb, label, "trial")).collect_view()}
                </div>
            </form>
        </section>
    }
    .into_any()
}

/// A button that pauses, resumes or, after a question, cancels.
pub(super) fn button(verb: &'static str, label: &'static str, what: &'static str) -> AnyView {
    if verb == "cancel" {
        view! {
            <details class="confirm">
                <summary class="button">"Cancel …"</summary>
                <p>"What is finished stays; the rest is not run. This cannot be undone."</p>
                <button class="button danger" name="verb" value="cancel">{format!("Cancel this {what}")}</button>
            </details>
        }
        .into_any()
    } else {
        view! { <button class="button" name="verb" value=verb>{label}</button> }.into_any()
    }
}

fn leaderboard(live: RwSignal<Live>) -> AnyView {
    let shown = Memo::new(move |_| {
        let l = live.read();
        (l.leaderboard.clone(), l.provisional)
    });
    let (target, bps) = live.with_untracked(|l| (l.target, l.bps));
    let aside = (move || {
        shown
            .with(|(rows, provisional)| *provisional && !rows.is_empty())
            .then(|| ui::badge("○", "Provisional: folds are still missing", "wait"))
    })
    .into_any();
    let body =
        (move || shown.with(|(rows, provisional)| board::boards(rows, *provisional, target, bps)))
            .into_any();
    ui::panel("leaderboard", "Leaderboard", aside, body)
}

fn log(live: RwSignal<Live>) -> AnyView {
    let running = live.with_untracked(|l| !l.state.is_final());
    let lines = Memo::new(move |_| live.read().log.clone());
    view! {
        <details class="log-part" open=running>
            <summary>
                <h2>"What the agents say"</h2>
                <span class="quiet">{move || format::counted(lines.with(Vec::len) as u64, "line", "lines")}</span>
            </summary>
            <div class="log" role="log" aria-live="polite" tabindex="0" aria-label="What the agents say">
                <ol>{move || lines.get().iter().map(log_line).collect_view()}</ol>
            </div>
        </details>
    }
    .into_any()
}

fn log_line(line: &crate::live::LogLine) -> AnyView {
    let clock = line.at.get(11..19).unwrap_or_default().to_owned();
    view! {
        <li class:warning=line.warning>
            <time datetime=line.at.clone()>{clock}</time>
            <span class="agent">{line.agent.clone()}</span>
            <span>{line.warning.then_some("Warning: ")} {line.text.clone()}</span>
        </li>
    }
    .into_any()
}

#[cfg(feature = "hydrate")]
pub(super) mod alive {
    use super::Connection;
    use crate::islands::browser::{self, Listener, Message};
    use crate::islands::chart::MOVED;
    use crate::live::{Applied, Live, parse};
    use leptos::prelude::*;
    use std::cell::Cell;
    use std::rc::Rc;

    pub(in crate::islands) fn tell_charts() {
        if let Ok(event) = web_sys::Event::new(MOVED) {
            let _ = window().dispatch_event(&event);
        }
    }

    pub(super) fn follow(live: RwSignal<Live>, connection: RwSignal<Connection>) {
        let ended = move || live.with_untracked(|l| l.state.is_final());
        if ended() {
            return;
        }
        let waiting = Rc::new(Cell::new(false));
        let take = move |message: &Message| {
            let Some((at, body)) = parse(&message.name, &message.json) else {
                return true;
            };
            let taken = live
                .try_update(|l| l.apply(message.seq, &at, body))
                .unwrap_or(Applied::Known);
            if taken == Applied::Next && ended() {
                finish();
            } else if taken == Applied::Next
                && message.name == "leaderboard"
                && !waiting.replace(true)
            {
                // Charts are drawn anew at most every three seconds.
                let waiting = waiting.clone();
                browser::later(3000, move || {
                    waiting.set(false);
                    tell_charts();
                });
            }
            scroll_log();
            taken != Applied::Hole
        };
        let id = live.with_untracked(|l| l.id.clone());
        browser::follow(
            format!("/api/v1/trials/{}/events", crate::query::segment(&id)),
            &["state", "step", "leaderboard", "message"],
            connection,
            Listener {
                after: Box::new(move || live.with_untracked(|l| l.last_event)),
                take: Box::new(take),
                ended: Box::new(ended),
            },
        );
    }

    /// The log stays at its newest line, unless somebody reads further up.
    fn scroll_log() {
        if let Ok(Some(log)) = document().query_selector(".log") {
            let below = log.scroll_height() - log.scroll_top() - log.client_height();
            if below < 60 {
                browser::later(0, move || log.set_scroll_top(log.scroll_height()));
            }
        }
    }

    /// Verdict and lineage come with the end.
    fn finish() {
        tell_charts();
        leptos::task::spawn_local(async {
            if let Ok(url) = window().location().href() {
                browser::take(&url, &["verdict-place".to_owned(), "lineage".to_owned()]).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_said_in_words() {
        assert_eq!(Connection::Open.words(), ("Live", "run"));
        assert_eq!(Connection::Broken.words().1, "bad");
    }
}
