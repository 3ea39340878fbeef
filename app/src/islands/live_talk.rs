//! A conversation as it goes on. The page is the server's; this follows the stream of stored messages and
//! takes each from a newer rendering, shows what is being written, moves the trials in the cards on,
//! and lets the input send without leaving the page. A reader who looks further up is left there.
//!
//! What it goes by: `#turns` with `#turn-N` and `#mN`, `#newest`, `#composer`, `.job[data-trial]`,
//! `[data-say]` (put into the input) and `[data-reply]` (say it).

use super::live_trial::Connection;
use leptos::prelude::*;

/// Follows a conversation; shows how its line stands.
#[island]
pub fn LiveTalk(
    /// The conversation; empty for one that begins with what is in the input.
    id: String,
    /// Number of the last message on the page.
    last: i64,
) -> impl IntoView {
    let connection = RwSignal::new(Connection::Still);
    let follows = !id.is_empty();
    #[cfg(feature = "hydrate")]
    alive::install(id, last, connection);
    #[cfg(not(feature = "hydrate"))]
    let _ = last;
    follows.then(|| {
        view! {
            <span class="connection">
                <span class=move || format!("dot-sign {}", connection.get().words().1) aria-hidden="true"></span>
                {move || connection.get().words().0}
            </span>
        }
    })
}

#[cfg(feature = "hydrate")]
mod alive {
    use super::Connection;
    use crate::chat::{SAY, STOP, counted, prose};
    use crate::islands::browser::{self, Listener, Message};
    use crate::live::{Applied, Live, parse};
    use crate::{query, words};
    use leptos::prelude::*;
    use mltrainer_types::chat::ChatRole;
    use mltrainer_types::llm::AnswerPiece;
    use serde::Deserialize;
    use serde::de::IgnoredAny;
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    use wasm_bindgen::JsCast;
    use web_sys::{
        Element, Event, HtmlButtonElement, HtmlElement, HtmlFormElement, HtmlTextAreaElement,
        KeyboardEvent, MouseEvent, NodeList,
    };

    /// Trials that are followed at once. A browser opens six lines to a server, and pages need some.
    const LINES: u32 = 3;

    /// Of a stored message, what decides where it belongs; the rest comes as HTML.
    #[derive(Deserialize)]
    struct Stored {
        role: ChatRole,
        answers: Option<i64>,
    }

    /// A piece of what is being written. Less code than reading the typed one, for the same.
    #[derive(Deserialize)]
    struct Piece {
        kind: String,
        text: String,
        #[serde(default)]
        citation: u32,
    }

    #[derive(Deserialize)]
    struct Delta {
        answers: i64,
        pieces: Vec<Piece>,
    }

    fn piece(piece: Piece) -> AnswerPiece {
        let Piece {
            kind,
            text,
            citation,
        } = piece;
        match kind.as_str() {
            "figure" => AnswerPiece::Figure { text, citation },
            "text" => AnswerPiece::Text { text },
            _ => AnswerPiece::Unverified { text },
        }
    }

    #[derive(Default)]
    struct Room {
        id: String,
        last: Cell<i64>,
        /// Turns to be taken anew.
        wanted: RefCell<Vec<i64>>,
        taking: Cell<bool>,
        /// What is being written, by the message that it answers.
        drafts: RefCell<Vec<(i64, Vec<AnswerPiece>)>>,
        /// Trials that are followed.
        lines: Cell<u32>,
        sending: Cell<bool>,
    }

    pub(super) fn install(id: String, last: i64, connection: RwSignal<Connection>) {
        let room = Rc::new(Room {
            id,
            last: Cell::new(last),
            ..Room::default()
        });
        input(&room);
        if room.id.is_empty() {
            return;
        }
        jobs(&room);
        browser::follow(
            format!("/api/v1/conversations/{}/events", query::segment(&room.id)),
            &["message", "delta"],
            connection,
            Listener {
                after: Box::new({
                    let room = room.clone();
                    move || {
                        // What is being written comes again from its beginning.
                        room.drafts.borrow_mut().clear();
                        room.last.get()
                    }
                }),
                take: Box::new(move |message| heard(&room, message)),
                ended: Box::new(|| false),
            },
        );
        browser::listen(&window(), "scroll", |_: Event| mark_reader(false));
        // A link to a message leads there; else the newest is what a reader came for.
        if window().location().hash().is_ok_and(|h| h.is_empty()) {
            to_newest();
        }
    }

    fn all(selector: &str) -> Vec<Element> {
        document()
            .query_selector_all(selector)
            .map(|list| elements(&list))
            .unwrap_or_default()
    }

    fn elements(list: &NodeList) -> Vec<Element> {
        (0..list.length())
            .filter_map(|i| list.get(i)?.dyn_into().ok())
            .collect()
    }

    fn by_id(id: &str) -> Option<Element> {
        document().get_element_by_id(id)
    }

    fn hide(el: &Element, hidden: bool) {
        let _ = if hidden {
            el.set_attribute("hidden", "")
        } else {
            el.remove_attribute("hidden")
        };
    }

    // What is heard

    fn heard(room: &Rc<Room>, message: &Message) -> bool {
        if message.name == "delta" {
            if let Ok(delta) = serde_json::from_str::<Delta>(&message.json) {
                write_draft(room, delta);
            }
            return true;
        }
        if message.seq <= room.last.get() {
            return true;
        }
        if message.seq > room.last.get() + 1 {
            return false;
        }
        room.last.set(message.seq);
        if let Ok(stored) = serde_json::from_str::<Stored>(&message.json) {
            let key = match stored.role {
                ChatRole::User => message.seq,
                _ => stored.answers.unwrap_or(message.seq),
            };
            let mut wanted = room.wanted.borrow_mut();
            if !wanted.contains(&key) {
                wanted.push(key);
            }
        }
        take(room);
        true
    }

    /// What is being written grows; what comes after the answer was stored is old.
    fn write_draft(room: &Room, delta: Delta) {
        let place = format!("#turn-{} .draft", delta.answers);
        let Ok(Some(el)) = document().query_selector(&place) else {
            return;
        };
        let follows = at_newest();
        let mut drafts = room.drafts.borrow_mut();
        if !drafts.iter().any(|(n, _)| *n == delta.answers) {
            drafts.push((delta.answers, Vec::new()));
        }
        if let Some((_, draft)) = drafts.iter_mut().find(|(n, _)| *n == delta.answers) {
            draft.extend(delta.pieces.into_iter().map(piece));
            el.set_inner_html(&prose::html(draft, &[]));
        }
        hide(&el, false);
        if follows {
            to_newest();
        }
    }

    /// Takes the wanted turns one after another.
    fn take(room: &Rc<Room>) {
        if room.taking.get() {
            return;
        }
        let next = room.wanted.borrow().first().copied();
        let Some(key) = next else {
            return;
        };
        room.wanted.borrow_mut().remove(0);
        room.taking.set(true);
        let room = room.clone();
        leptos::task::spawn_local(async move {
            let url = query::Link::to(&format!("/chat/{}", query::segment(&room.id)))
                .with("turn", &key.to_string())
                .build();
            let page = browser::page(&url).await;
            room.taking.set(false);
            let Some(page) = page else {
                // Not there now: the line is being mended too.
                room.wanted.borrow_mut().insert(0, key);
                browser::later(1000, move || take(&room));
                return;
            };
            let follows = at_newest();
            if let Some(fresh) = page.get_element_by_id(&format!("turn-{key}")) {
                put(&room, key, &fresh);
            }
            for id in ["chat-strip", "chat-side"] {
                if let (Some(old), Some(new)) = (by_id(id), page.get_element_by_id(id))
                    && !old.contains(document().active_element().as_deref())
                {
                    let _ = old.replace_with_with_node_1(&new);
                }
            }
            let working = !all("#turns .working").is_empty();
            for el in all("#stop") {
                hide(&el, !working);
            }
            jobs(&room);
            if follows {
                to_newest();
            } else {
                mark_reader(true);
            }
            take(&room);
        });
    }

    /// A turn from a newer rendering: what is on the page stays, what is new is added.
    fn put(room: &Rc<Room>, key: i64, fresh: &Element) {
        let Some(old) = by_id(&format!("turn-{key}")) else {
            if let Some(turns) = by_id("turns") {
                let _ = turns.append_with_node_1(fresh);
            }
            return;
        };
        let one = |of: &Element, selector: &str| of.query_selector(selector).ok().flatten();
        if let (Some(old), Some(new)) = (one(&old, ".agents"), one(fresh, ".agents")) {
            if let (Some(old), Some(new)) = (one(&old, "summary"), one(&new, "summary")) {
                old.set_text_content(new.text_content().as_deref());
            }
            hide(&old, new.has_attribute("hidden"));
        }
        let Ok(news) = fresh.query_selector_all(".agents li[id], .answer") else {
            return;
        };
        for new in elements(&news) {
            if by_id(&new.id()).is_some() {
                continue;
            }
            // What was being written is stored now.
            room.drafts.borrow_mut().retain(|(n, _)| *n != key);
            if let Some(draft) = one(&old, ".draft") {
                draft.set_inner_html("");
                hide(&draft, true);
            }
            let place = if new.tag_name().eq_ignore_ascii_case("li") {
                one(&old, ".agents ol")
            } else {
                Some(old.clone())
            };
            if let Some(place) = place {
                let _ = place.append_with_node_1(&new);
            }
        }
        if one(fresh, ".working").is_none()
            && let Ok(gone) = old.query_selector_all(".working, .draft")
        {
            for el in elements(&gone) {
                el.remove();
            }
        }
    }

    // Where the reader is

    /// Whether the end of the conversation is in view, or nearly.
    fn at_newest() -> bool {
        let height = window()
            .inner_height()
            .ok()
            .and_then(|h| h.as_f64())
            .unwrap_or(0.0);
        by_id("newest").is_none_or(|e| e.get_bounding_client_rect().top() < height + 40.0)
    }

    fn to_newest() {
        if let Some(end) = by_id("newest") {
            end.scroll_into_view_with_bool(false);
        }
        mark_reader(false);
    }

    /// The button to the newest message is there for those who are not; it says when one came.
    fn mark_reader(news: bool) {
        let Some(button) = by_id("to-newest") else {
            return;
        };
        let here = at_newest();
        hide(&button, here);
        if here || news {
            let words = if news && !here {
                "New message ↓"
            } else {
                "Newest ↓"
            };
            button.set_text_content(Some(words));
        }
    }

    // Trials in the cards

    fn jobs(room: &Rc<Room>) {
        for card in all(".job[data-trial]") {
            if room.lines.get() >= LINES {
                // As soon as one of the others has ended.
                return;
            }
            let id = card.get_attribute("data-trial").unwrap_or_default();
            let _ = card.remove_attribute("data-trial");
            let last = card.get_attribute("data-last").and_then(|n| n.parse().ok());
            follow_trial(room, card, &id, last.unwrap_or(0));
        }
    }

    fn follow_trial(room: &Rc<Room>, card: Element, id: &str, last: i64) {
        room.lines.set(room.lines.get() + 1);
        let live = Rc::new(RefCell::new(Live {
            last_event: last,
            ..Live::begun(id)
        }));
        let (room, of, ended) = (room.clone(), live.clone(), live.clone());
        let take = move |message: &Message| {
            let Some((at, body)) = parse(&message.name, &message.json) else {
                return true;
            };
            let taken = of.borrow_mut().apply(message.seq, &at, body);
            if taken == Applied::Next {
                let live = of.borrow();
                show(&card, &live);
                if live.state.is_final() {
                    room.lines.set(room.lines.get().saturating_sub(1));
                    jobs(&room);
                }
            }
            taken != Applied::Hole
        };
        browser::follow(
            format!("/api/v1/trials/{}/events", query::segment(id)),
            &["state", "step", "leaderboard", "message"],
            RwSignal::new(Connection::Still),
            Listener {
                after: Box::new(move || live.borrow().last_event),
                take: Box::new(take),
                ended: Box::new(move || ended.borrow().state.is_final()),
            },
        );
    }

    fn show(card: &Element, live: &Live) {
        let set = |selector: &str, text: &str| {
            if let Ok(Some(el)) = card.query_selector(selector)
                && el.text_content().as_deref() != Some(text)
            {
                el.set_text_content(Some(text));
            }
        };
        let (sign, word, class) = words::state(live.state);
        set(".job-sign", sign);
        set(".job-state", word);
        if let Ok(Some(badge)) = card.query_selector(".badge") {
            badge.set_class_name(&format!("badge {class}"));
        }
        set(".job-steps", &live.steps_words());
        set(".job-left", &live.left_words());
        if let Some(best) = live.best_words() {
            set(".job-best", &best);
        }
        if let Ok(Some(bar)) = card.query_selector("progress") {
            let p = live.progress;
            if live.state.is_final() {
                bar.remove();
            } else if p.total > 0 {
                let _ = bar.set_attribute("max", &p.total.to_string());
                let _ = bar.set_attribute("value", &p.done.to_string());
            }
        }
    }

    // The input

    fn field() -> Option<HtmlTextAreaElement> {
        by_id("say")?.dyn_into().ok()
    }

    fn form() -> Option<HtmlFormElement> {
        by_id("composer")?.dyn_into().ok()
    }

    fn problem(text: &str) {
        if let Some(el) = by_id("say-problem") {
            el.set_text_content(Some(text));
            hide(&el, text.is_empty());
        }
    }

    /// After what is in the input changed: its height, the count, whether there is something to send.
    fn typed(room: &Room) {
        let Some(field) = field() else {
            return;
        };
        let text = field.value();
        let style = HtmlElement::style(&field);
        let _ = style.set_property("height", "auto");
        // With its border; the style sheet says where it ends.
        let height = field.scroll_height() + 2;
        let _ = style.set_property("height", &format!("{height}px"));
        if let Some(el) = by_id("say-count") {
            el.set_text_content(counted(&text).as_deref());
        }
        if let Some(button) = by_id("say-send").and_then(|b| b.dyn_into::<HtmlButtonElement>().ok())
        {
            button.set_disabled(text.trim().is_empty() || room.sending.get());
        }
    }

    fn write(room: &Room, text: &str) {
        if let Some(field) = field() {
            field.set_value(text);
            typed(room);
            let _ = field.focus();
        }
    }

    fn input(room: &Rc<Room>) {
        let (Some(field), Some(form)) = (field(), form()) else {
            return;
        };
        // What was typed before script came.
        typed(room);
        let mine = room.clone();
        browser::listen(&field, "input", move |_: Event| typed(&mine));
        browser::listen(&field, "keydown", |ev: KeyboardEvent| {
            if ev.key() != "Enter" || ev.shift_key() || ev.is_composing() {
                return;
            }
            ev.prevent_default();
            if let (Some(field), Some(form)) = (self::field(), self::form())
                && !field.value().trim().is_empty()
            {
                let _ = form.request_submit();
            }
        });
        let mine = room.clone();
        browser::listen(&document(), "click", move |ev: MouseEvent| {
            let target = ev.target().and_then(|t| t.dyn_into::<Element>().ok());
            let Some(target) = target else {
                return;
            };
            if ev.ctrl_key() || ev.meta_key() || ev.shift_key() {
                return;
            }
            let near = |selector: &str| target.closest(selector).ok().flatten();
            if let Some(link) = near("[data-say]") {
                ev.prevent_default();
                write(&mine, &link.get_attribute("data-say").unwrap_or_default());
            } else if mine.id.is_empty() {
                // What follows belongs to a conversation that is there.
            } else if let Some(button) = near("[data-reply]") {
                ev.prevent_default();
                send(
                    &mine,
                    button.get_attribute("value").unwrap_or_default(),
                    false,
                );
            } else if near("#to-newest").is_some() {
                ev.prevent_default();
                to_newest();
            }
        });
        if room.id.is_empty() {
            // The form itself makes the conversation and leads to its page.
            return;
        }
        let mine = room.clone();
        browser::listen(&form, "submit", move |ev: Event| {
            ev.prevent_default();
            if let Some(field) = self::field() {
                send(&mine, field.value(), true);
            }
        });
        if let Some(stop) = by_id("stop") {
            let mine = room.clone();
            browser::listen(&stop, "submit", move |ev: Event| {
                ev.prevent_default();
                let id = mine.id.clone();
                leptos::task::spawn_local(async move {
                    // What came of it is stored as a message.
                    let done = browser::send::<IgnoredAny>(STOP, &[("conversation", &id)]).await;
                    if let Err(e) = done {
                        problem(&format!(
                            "✕ {} {}",
                            crate::ui::sentence(&e.detail),
                            e.advice()
                        ));
                    }
                });
            });
        }
    }

    /// Says something; what was written stays until it is taken.
    fn send(room: &Rc<Room>, text: String, written: bool) {
        if text.trim().is_empty() || room.sending.replace(true) {
            return;
        }
        problem("");
        typed(room);
        let room = room.clone();
        leptos::task::spawn_local(async move {
            let fields = [("conversation", room.id.as_str()), ("text", text.as_str())];
            let said = browser::send::<IgnoredAny>(SAY, &fields).await;
            room.sending.set(false);
            match said {
                Ok(_) => {
                    if written {
                        write(&room, "");
                    }
                    to_newest();
                }
                Err(e) => {
                    problem(&format!(
                        "✕ {} {}",
                        crate::ui::sentence(&e.detail),
                        e.advice()
                    ));
                }
            }
            typed(&room);
        });
    }
}
