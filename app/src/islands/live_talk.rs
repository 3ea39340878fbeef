//! A conversation as it goes on: messages appear as they are stored, an answer as it is written, and the
//! input sends without leaving the page. A reader who looks further up is left there.

use super::live_trial::Connection;
use crate::chat::view::{self, Place};
use crate::chat::{self, Entry, Talk, Turn};
use crate::live::Live;
use crate::ui;
use leptos::prelude::*;

/// Where the reader is: away from the newest message, and whether one came meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Reader {
    away: bool,
    news: bool,
}

/// The turns that are under way and what follows them, with the input.
#[island]
pub fn LiveTalk(
    /// The conversation from its first open turn on.
    talk: Talk,
    /// Trials that its messages began, as the server knows them.
    jobs: Vec<Live>,
    /// What stands in the input.
    text: String,
    /// What was wrong with the last message.
    problem: String,
) -> impl IntoView {
    let connection = RwSignal::new(Connection::Still);
    let reader = RwSignal::new(Reader::default());
    let id = talk.id.clone();
    let talk = RwSignal::new(talk);
    let jobs = StoredValue::new(jobs);
    #[cfg(feature = "hydrate")]
    alive::follow(talk, connection, reader);
    let keys = Memo::new(move |_| talk.with(|t| t.turns.iter().map(|t| t.key).collect::<Vec<_>>()));
    let working = Memo::new(move |_| talk.with(Talk::working));
    view! {
        <div class="turns moving" role="log" aria-live="polite" aria-label="Newest messages">
            <For each=move || keys.get() key=|key| *key children=move |key| turn(talk, key, jobs)/>
        </div>
        <div id="newest"></div>
        <div class="dock">
            <div class="dock-float">
                {
                    let id = id.clone();
                    move || working.get().then(|| stop(&id))
                }
                {move || { let r = reader.get(); r.away.then(|| to_newest(r.news)) }}
            </div>
            {composer(id.clone(), text, problem, Some(connection))}
        </div>
    }
}

/// The input of a conversation that begins with it.
#[island]
pub fn Composer(
    /// What stands in the input.
    text: String,
    /// What was wrong with the last message.
    problem: String,
) -> impl IntoView {
    composer(String::new(), text, problem, None)
}

fn turn(talk: RwSignal<Talk>, key: i64, jobs: StoredValue<Vec<Live>>) -> AnyView {
    let of = move |pick: fn(&Turn) -> &[Entry]| {
        Memo::new(move |_| {
            talk.with(|t| {
                let turn = t.turns.iter().find(|t| t.key == key);
                turn.map(|t| pick(t).iter().map(|e| e.seq).collect::<Vec<_>>())
                    .unwrap_or_default()
            })
        })
    };
    let with = move |seq: i64, show: fn(&Entry, Place<'_>) -> AnyView| {
        talk.with_untracked(|t| {
            let entry = t
                .turns
                .iter()
                .flat_map(|t| t.agents.iter().chain(&t.answers))
                .find(|e| e.seq == seq);
            entry.map(|e| {
                jobs.with_value(|jobs| {
                    let place = Place {
                        conversation: &t.id,
                        jobs,
                        alive: true,
                    };
                    show(e, place)
                })
            })
        })
    };
    let said = talk.with_untracked(|t| {
        let turn = t.turns.iter().find(|t| t.key == key);
        turn.and_then(|t| t.said.as_ref()).map(view::said)
    });
    let agents = of(|t| &t.agents);
    let answers = of(|t| &t.answers);
    let worked = move || {
        agents.track();
        talk.with_untracked(|t| {
            let turn = t.turns.iter().find(|t| t.key == key);
            turn.map(|t| chat::worked(&t.agents)).unwrap_or_default()
        })
    };
    let open = Memo::new(move |_| talk.with(|t| t.turns.iter().any(|t| t.key == key && t.open())));
    let draft = move || {
        talk.with(|t| {
            let draft = t.drafts.iter().find(|d| d.answers == key);
            draft.map(|d| view! { <div class="words draft" aria-live="off">{view::words(&d.pieces, &[])}</div> })
        })
    };
    view! {
        <article class="turn">
            {said}
            <details class="agents" open=true hidden=move || agents.with(Vec::is_empty)>
                <summary>{worked}</summary>
                <ol><For each=move || agents.get() key=|seq| *seq children=move |seq| with(seq, view::agent)/></ol>
            </details>
            {draft}
            {move || open.get().then(|| view! { <p class="working">"Working on it"</p> })}
            <For each=move || answers.get() key=|seq| *seq children=move |seq| with(seq, view::answer)/>
        </article>
    }
    .into_any()
}

fn stop(id: &str) -> AnyView {
    let id = id.to_owned();
    let field = id.clone();
    #[cfg(not(feature = "hydrate"))]
    let _ = id;
    view! {
        <form
            method="post"
            action="/api/pages/stop_answers"
            on:submit=move |_ev| {
                #[cfg(feature = "hydrate")]
                alive::stop(&_ev, &id);
            }
        >
            <input type="hidden" name="conversation" value=field/>
            <button class="button">"Stop the answer"</button>
        </form>
    }
    .into_any()
}

fn to_newest(news: bool) -> AnyView {
    view! {
        <a
            class="button"
            class:primary=news
            href="#newest"
            on:click=move |_ev| {
                #[cfg(feature = "hydrate")]
                {
                    _ev.prevent_default();
                    alive::to_newest();
                }
            }
        >
            {if news { "New message ↓" } else { "To the newest ↓" }}
        </a>
    }
    .into_any()
}

/// The input: Enter sends, Shift and Enter break the line.
fn composer(
    conversation: String,
    text: String,
    problem: String,
    connection: Option<RwSignal<Connection>>,
) -> AnyView {
    let written = RwSignal::new(text.clone());
    let problem = RwSignal::new(problem);
    // Not before script is there: without it the button must work.
    let closed = RwSignal::new(false);
    let sending = RwSignal::new(false);
    #[cfg(feature = "hydrate")]
    let input = alive::Input {
        conversation: StoredValue::new(conversation.clone()),
        written,
        problem,
        sending,
    };
    #[cfg(feature = "hydrate")]
    input.install(closed);
    view! {
        <form
            id="composer"
            class="composer"
            method="post"
            action=chat::SAY
            on:submit=move |_ev| {
                #[cfg(feature = "hydrate")]
                input.submitted(&_ev);
            }
        >
            <input type="hidden" name="conversation" value=conversation/>
            <label class="visually-hidden" for="say">"Message"</label>
            <textarea
                id="say"
                name="text"
                rows="1"
                required
                maxlength="10000"
                placeholder="Ask or tell in plain words"
                autocomplete="off"
                enterkeyhint="send"
                aria-describedby="say-line"
                on:input=move |_| {
                    #[cfg(feature = "hydrate")]
                    input.typed();
                }
                on:keydown=move |_ev| {
                    #[cfg(feature = "hydrate")]
                    input.key(&_ev);
                }
            >
                {text}
            </textarea>
            <button class="button primary" disabled=move || closed.get() && (sending.get() || written.read().trim().is_empty())>
                "Send"
            </button>
            <p class="composer-line" id="say-line">
                <span class="composer-keys">"Enter sends, Shift+Enter breaks the line"</span>
                <span class="figures">{move || chat::counted(&written.read()).unwrap_or_default()}</span>
                {connection.map(|c| view! {
                    <span class="connection">
                        <span class=move || format!("dot-sign {}", c.get().words().1) aria-hidden="true"></span>
                        {move || c.get().words().0}
                    </span>
                })}
            </p>
            <div class="composer-problem" role="alert">
                {move || (!problem.read().is_empty()).then(|| view! { <p class="field-error">{ui::sentence(&problem.read())}</p> })}
            </div>
        </form>
    }
    .into_any()
}

#[cfg(feature = "hydrate")]
mod alive {
    use super::{Connection, Reader};
    use crate::chat::{Delta, Entry, SAY, Talk};
    use crate::islands::browser::{self, Listener, Message};
    use crate::live::Applied;
    use leptos::ev::{KeyboardEvent, SubmitEvent};
    use leptos::prelude::*;
    use mltrainer_types::chat::ChatRole;
    use wasm_bindgen::JsCast;
    use web_sys::{Element, HtmlFormElement, HtmlTextAreaElement};

    pub(super) fn follow(
        talk: RwSignal<Talk>,
        connection: RwSignal<Connection>,
        reader: RwSignal<Reader>,
    ) {
        let take = move |message: &Message| {
            // Before the page grows.
            let follows = at_newest();
            let taken = if message.name == "delta" {
                let Ok(delta) = serde_json::from_str::<Delta>(&message.json) else {
                    return true;
                };
                talk.update(|t| t.add(delta));
                Applied::Known
            } else {
                let Ok(entry) = serde_json::from_str::<Entry>(&message.json) else {
                    return true;
                };
                let answer = entry.role == ChatRole::Assistant;
                let own = entry.role == ChatRole::User;
                let taken = talk
                    .try_update(|t| t.apply(entry))
                    .unwrap_or(Applied::Known);
                if taken == Applied::Next && answer {
                    renew();
                }
                if taken == Applied::Next && !follows && !own {
                    reader.set(Reader {
                        away: true,
                        news: true,
                    });
                }
                taken
            };
            if follows {
                browser::later(0, to_newest);
            }
            taken != Applied::Hole
        };
        let id = talk.with_untracked(|t| t.id.clone());
        browser::follow(
            format!(
                "/api/v1/conversations/{}/events",
                crate::query::segment(&id)
            ),
            &["message", "delta"],
            connection,
            Listener {
                after: Box::new(move || {
                    if talk.with_untracked(|t| !t.drafts.is_empty()) {
                        talk.update(Talk::forget_drafts);
                    }
                    talk.with_untracked(|t| t.last)
                }),
                take: Box::new(take),
                ended: Box::new(|| false),
            },
        );
        browser::listen(&window(), "scroll", move |_: web_sys::Event| {
            let now = reader.get_untracked();
            let away = !at_newest();
            let is = Reader {
                away,
                news: away && now.news,
            };
            if is != now {
                reader.set(is);
            }
        });
        // A link to a message leads there; else the newest is what a reader came for.
        if window().location().hash().is_ok_and(|h| h.is_empty()) {
            to_newest();
        }
    }

    fn newest() -> Option<Element> {
        document().get_element_by_id("newest")
    }

    /// Whether the end of the conversation is in view, or nearly.
    fn at_newest() -> bool {
        let height = window()
            .inner_height()
            .ok()
            .and_then(|h| h.as_f64())
            .unwrap_or(0.0);
        newest().is_none_or(|e| e.get_bounding_client_rect().top() < height + 40.0)
    }

    pub(super) fn to_newest() {
        if let Some(end) = newest() {
            end.scroll_into_view_with_bool(false);
        }
    }

    /// What stands beside the conversation, from a newer rendering.
    fn renew() {
        leptos::task::spawn_local(async {
            if let Ok(url) = window().location().href() {
                browser::take(&url, &["chat-strip".to_owned(), "chat-side".to_owned()]).await;
            }
        });
    }

    pub(super) fn stop(ev: &SubmitEvent, id: &str) {
        ev.prevent_default();
        let id = id.to_owned();
        leptos::task::spawn_local(async move {
            // The stored message says what came of it.
            let _ =
                browser::send::<usize>("/api/pages/stop_answers", &[("conversation", &id)]).await;
        });
    }

    /// What the input knows.
    #[derive(Clone, Copy)]
    pub(super) struct Input {
        pub(super) conversation: StoredValue<String>,
        pub(super) written: RwSignal<String>,
        pub(super) problem: RwSignal<String>,
        pub(super) sending: RwSignal<bool>,
    }

    fn field() -> Option<HtmlTextAreaElement> {
        document().get_element_by_id("say")?.dyn_into().ok()
    }

    /// As high as what stands in it; the style sheet says where that ends.
    fn grow(field: &HtmlTextAreaElement) {
        let style = web_sys::HtmlElement::style(field);
        let _ = style.set_property("height", "auto");
        // With its border.
        let height = field.scroll_height() + 2;
        let _ = style.set_property("height", &format!("{height}px"));
    }

    impl Input {
        pub(super) fn install(self, closed: RwSignal<bool>) {
            Effect::new(move |_| {
                closed.set(true);
                // What was typed before script came.
                self.typed();
            });
            browser::listen(&document(), "click", move |ev: web_sys::MouseEvent| {
                let Some(target) = ev.target().and_then(|t| t.dyn_into::<Element>().ok()) else {
                    return;
                };
                if ev.ctrl_key() || ev.meta_key() || ev.shift_key() {
                    return;
                }
                if let Ok(Some(link)) = target.closest("[data-say]") {
                    ev.prevent_default();
                    self.write(&link.get_attribute("data-say").unwrap_or_default());
                } else if let Ok(Some(button)) = target.closest("[data-reply]")
                    && !self.conversation.with_value(String::is_empty)
                {
                    ev.prevent_default();
                    self.send(button.get_attribute("value").unwrap_or_default(), false);
                }
            });
        }

        pub(super) fn typed(self) {
            if let Some(field) = field() {
                self.written.set(field.value());
                grow(&field);
            }
        }

        fn write(self, text: &str) {
            if let Some(field) = field() {
                field.set_value(text);
                self.typed();
                let _ = field.focus();
            }
        }

        pub(super) fn key(self, ev: &KeyboardEvent) {
            if ev.key() != "Enter" || ev.shift_key() || ev.is_composing() {
                return;
            }
            ev.prevent_default();
            if self.written.with_untracked(|t| t.trim().is_empty()) {
                return;
            }
            if let Some(form) = document()
                .get_element_by_id("composer")
                .and_then(|f| f.dyn_into::<HtmlFormElement>().ok())
            {
                let _ = form.request_submit();
            }
        }

        /// A conversation that is not there yet is made by the form itself, which leads to its page.
        pub(super) fn submitted(self, ev: &SubmitEvent) {
            if self.conversation.with_value(String::is_empty) {
                return;
            }
            ev.prevent_default();
            self.send(self.written.get_untracked(), true);
        }

        fn send(self, text: String, written: bool) {
            if text.trim().is_empty() || self.sending.get_untracked() {
                return;
            }
            self.sending.set(true);
            self.problem.set(String::new());
            let id = self.conversation.get_value();
            leptos::task::spawn_local(async move {
                let fields = [("conversation", id.as_str()), ("text", text.as_str())];
                let said = browser::send::<mltrainer_types::chat::Said>(SAY, &fields).await;
                self.sending.set(false);
                match said {
                    Ok(_) => {
                        if written {
                            self.write("");
                        }
                        to_newest();
                    }
                    Err(e) => self.problem.set(format!(
                        "{} {}",
                        crate::ui::sentence(&e.detail),
                        e.advice()
                    )),
                }
            });
        }
    }
}
