//! A trial in a card of a conversation, moved on by the stream of its events while it runs.

use super::live_trial::Connection;
use crate::live::Live;
use leptos::prelude::*;

/// The trial of a card that the server rendered.
#[island]
pub fn LiveJob(
    /// The trial as the server knows it.
    live: Live,
) -> impl IntoView {
    show(live)
}

/// The trial, as a part of an island.
pub(crate) fn show(live: Live) -> AnyView {
    let connection = RwSignal::new(if live.state.is_final() {
        Connection::Ended
    } else {
        Connection::Still
    });
    let live = RwSignal::new(live);
    #[cfg(feature = "hydrate")]
    alive::follow(live, connection);
    crate::chat::view::trial(live, connection)
}

#[cfg(feature = "hydrate")]
mod alive {
    use super::Connection;
    use crate::islands::browser::{self, Listener, Message};
    use crate::live::{Applied, Live, parse};
    use leptos::prelude::*;
    use std::cell::Cell;

    /// Trials that are followed at once. A browser opens six lines to a server, and pages need some.
    const LINES: u32 = 3;

    thread_local! {
        static OPEN: Cell<u32> = const { Cell::new(0) };
    }

    pub(super) fn follow(live: RwSignal<Live>, connection: RwSignal<Connection>) {
        let ended = move || {
            live.try_with_untracked(|l| l.state.is_final())
                .unwrap_or(true)
        };
        if ended() {
            return;
        }
        if OPEN.get() >= LINES {
            browser::later(2000, move || follow(live, connection));
            return;
        }
        OPEN.set(OPEN.get() + 1);
        let take = move |message: &Message| {
            let Some((at, body)) = parse(&message.name, &message.json) else {
                return true;
            };
            let taken = live
                .try_update(|l| l.apply(message.seq, &at, body))
                .unwrap_or(Applied::Known);
            if taken == Applied::Next && ended() {
                OPEN.set(OPEN.get().saturating_sub(1));
            }
            taken != Applied::Hole
        };
        let id = live.with_untracked(|l| l.id.clone());
        browser::follow(
            format!("/api/v1/trials/{}/events", crate::query::segment(&id)),
            &["state", "step", "leaderboard", "message"],
            connection,
            Listener {
                after: Box::new(move || live.try_with_untracked(|l| l.last_event).unwrap_or(0)),
                take: Box::new(take),
                ended: Box::new(ended),
            },
        );
    }
}
