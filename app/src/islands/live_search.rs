//! An optimisation while it goes on: state, progress with the time left, and the windows as they are
//! done, moved on by the stream of numbered events. With each window the curve is drawn anew and the
//! parameter surface taken from the server's rendering; at the end also what it comes to.

use super::live_trial::{Connection, button};
use crate::live_search::LiveSearch;
use crate::{format, ui, words};
use leptos::prelude::*;
use mltrainer_types::optimisation::OptimisationWindow;

/// The live part. The children are the places of what the server renders between progress and windows.
#[island]
pub fn LiveOptimisation(
    /// The optimisation as the server knows it.
    live: LiveSearch,
    /// What it comes to.
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
        {windows(live)}
    }
}

fn progress(live: RwSignal<LiveSearch>, connection: RwSignal<Connection>) -> AnyView {
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
                let p = live.read().progress;
                view! { <progress aria-label="Back tests done" max=p.total.max(1) value=p.done></progress> }
            }}
            {move || live.read().best_words().map(|text| view! { <p class="quiet best-so-far">{ui::sentence(&text)}</p> })}
            {move || live.read().reason.as_ref().map(|r| view! { <p class="notice bad" role="alert">{ui::sentence(r)}</p> })}
            <form method="post" action="/api/pages/optimisation_action">
                <input type="hidden" name="id" value=id/>
                <div class="actions">
                    {move || words::verbs(state.get()).iter().map(|(verb, label)| button(verb, label, "optimisation")).collect_view()}
                </div>
            </form>
        </section>
    }
    .into_any()
}

fn windows(live: RwSignal<LiveSearch>) -> AnyView {
    let shown = Memo::new(move |_| live.read().windows.clone());
    let objective = live.with_untracked(|l| l.objective.clone());
    let aside = (move || {
        let l = live.read();
        let text = format!("{} of {} done", l.windows.len(), l.folds);
        view! { <span class="quiet figures">{text}</span> }
    })
    .into_any();
    let body = (move || shown.with(|windows| table(windows, &objective))).into_any();
    ui::panel("windows", "Windows", aside, body)
}

fn table(windows: &[OptimisationWindow], objective: &str) -> AnyView {
    if windows.is_empty() {
        return view! { <p class="quiet">"The first window is being searched; each one appears here when it is done."</p> }
            .into_any();
    }
    let rows = windows
        .iter()
        .zip(1..)
        .map(|(w, n): (_, u32)| row(w, n))
        .collect_view()
        .into_any();
    let heads = [
        "#Window",
        "Searched on",
        "Tested on",
        "Chosen",
        &format!("#{objective} in"),
        "#Out",
        "#Return a year in",
        "#Out",
        "#Trades",
        "#Tried",
    ];
    ui::table(
        "Windows, in order",
        "plain windows",
        ui::heads(&heads),
        rows,
    )
}

fn row(w: &OptimisationWindow, number: u32) -> AnyView {
    let trained = format!("{} to {}", w.train_first, w.train_last);
    let tested = format!("{} to {}", w.test_first, w.test_last);
    let chosen = w.params.as_ref().map_or_else(
        || "nothing: no point traded enough".to_owned(),
        format::values_line,
    );
    view! {
        <tr>
            <th scope="row" class="num">{number}</th>
            <td class="figures">{trained}</td>
            <td class="figures">{tested}</td>
            <td>{chosen}</td>
            <td class="num">{format::cell(w.in_sample, 2)}</td>
            <td class="num">{format::cell(w.out_of_sample, 2)}</td>
            <td class="num">{format::percent(w.in_sample_return, 1)}</td>
            <td class="num">{format::percent(w.out_of_sample_return, 1)}</td>
            <td class="num">{format::count(w.trades.into())}</td>
            <td class="num">{format::count(w.tried.into())}</td>
        </tr>
    }
    .into_any()
}

#[cfg(feature = "hydrate")]
mod alive {
    use super::Connection;
    use crate::islands::browser::{self, Listener, Message};
    use crate::islands::live_trial::alive::tell_charts;
    use crate::live::Applied;
    use crate::live_search::{LiveSearch, parse};
    use leptos::prelude::*;
    use std::cell::Cell;
    use std::rc::Rc;

    pub(super) fn follow(live: RwSignal<LiveSearch>, connection: RwSignal<Connection>) {
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
                renew(&["outcome-place", "surface", "overfitting-place", "lineage"]);
            } else if taken == Applied::Next && message.name == "window" && !waiting.replace(true) {
                // Charts are drawn anew at most every three seconds.
                let waiting = waiting.clone();
                browser::later(3000, move || {
                    waiting.set(false);
                    if !ended() {
                        renew(&["surface"]);
                    }
                });
            }
            taken != Applied::Hole
        };
        let id = live.with_untracked(|l| l.id.clone());
        browser::follow(
            format!(
                "/api/v1/optimisations/{}/events",
                crate::query::segment(&id)
            ),
            &["state", "step", "window"],
            connection,
            Listener {
                after: Box::new(move || live.with_untracked(|l| l.last_event)),
                take: Box::new(take),
                ended: Box::new(ended),
            },
        );
    }

    /// Charts draw themselves anew, and these parts come from a newer rendering.
    fn renew(ids: &[&str]) {
        tell_charts();
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        leptos::task::spawn_local(async move {
            if let Ok(url) = window().location().href() {
                browser::take(&url, &ids).await;
            }
        });
    }
}
