//! Comfort for the pages as a whole, by marks in their HTML:
//!
//! - `<form data-live="results">`: while typing, the element of that id is taken from the page that
//!   the form asks for, and the address follows;
//! - `<form data-auto>`: a choice in a list sends the form;
//! - `<div id="running" data-refresh="2000">`: the element is taken anew every so many milliseconds,
//!   until it comes without the mark;
//! - every form and link: a line at the top and a busy button say that something is under way.
//!
//! Without script the same forms are sent by their buttons.

use leptos::prelude::*;

/// Installs it; once a page.
#[island]
pub fn Enhance() -> impl IntoView {
    #[cfg(feature = "hydrate")]
    alive::install();
    view! { <div class="loading-line" aria-hidden="true"></div> }
}

#[cfg(feature = "hydrate")]
mod alive {
    use crate::islands::browser::{later, listen, take};
    use leptos::prelude::{document, window};
    use std::cell::Cell;
    use std::rc::Rc;
    use wasm_bindgen::JsCast;
    use web_sys::{Element, FormData, HtmlFormElement, MouseEvent};

    pub(super) fn install() {
        let page = document();
        let typed = Rc::new(Cell::new(0_u32));
        listen(&page, "input", move |ev: web_sys::Event| {
            let Some(form) = form_of(&ev).filter(|f| f.has_attribute("data-live")) else {
                return;
            };
            typed.set(typed.get() + 1);
            let (typed, mine) = (typed.clone(), typed.get());
            // Long enough to type a word, short enough to feel at once; only the last one counts.
            later(180, move || {
                if typed.get() == mine {
                    search(form, typed, mine);
                }
            });
        });
        listen(&page, "change", |ev: web_sys::Event| {
            if let Some(form) = form_of(&ev).filter(|f| f.has_attribute("data-auto")) {
                let _ = form.request_submit();
            }
        });
        listen(&page, "submit", |ev: web_sys::Event| {
            if !ev.default_prevented()
                && let Some(form) = ev
                    .target()
                    .and_then(|t| t.dyn_into::<HtmlFormElement>().ok())
            {
                // Afterwards: a button that is disabled now would not be sent.
                later(0, move || busy(Some(&form)));
            }
        });
        listen(&page, "click", |ev: MouseEvent| {
            let link = ev
                .target()
                .and_then(|t| t.dyn_into::<Element>().ok())
                .and_then(|e| e.closest("a[href]").ok().flatten());
            if let Some(link) = link {
                let href = link.get_attribute("href").unwrap_or_default();
                let plain =
                    !(ev.ctrl_key() || ev.meta_key() || ev.shift_key() || ev.default_prevented());
                let stays = href.starts_with('#')
                    || link.has_attribute("download")
                    || link.has_attribute("data-say");
                if plain && !stays {
                    busy(None);
                }
            }
        });
        // A page that comes back from the history is not under way.
        listen(&window(), "pageshow", |_: web_sys::Event| idle());
        refresh();
    }

    fn form_of(ev: &web_sys::Event) -> Option<HtmlFormElement> {
        let field = ev.target()?.dyn_into::<Element>().ok()?;
        field.closest("form").ok()??.dyn_into().ok()
    }

    fn root() -> Option<Element> {
        document().document_element()
    }

    fn busy(form: Option<&HtmlFormElement>) {
        if let Some(root) = root() {
            let _ = root.set_attribute("data-busy", "");
        }
        if let Some(form) = form {
            let _ = form.set_attribute("aria-busy", "true");
        }
        // An answer that is a file or stays on this page must not leave the line there for ever.
        later(15_000, idle);
    }

    fn idle() {
        if let Some(root) = root() {
            let _ = root.remove_attribute("data-busy");
        }
        if let Ok(Some(form)) = document().query_selector("form[aria-busy]") {
            let _ = form.remove_attribute("aria-busy");
        }
    }

    /// The address that a form asks for, without empty fields.
    fn address(form: &HtmlFormElement) -> String {
        let mut link = crate::query::Link::to(&form.get_attribute("action").unwrap_or_default());
        if let Ok(data) = FormData::new_with_form(form) {
            for pair in data.entries().into_iter().flatten() {
                let pair: js_sys::Array = pair.unchecked_into();
                if let (Some(name), Some(value)) =
                    (pair.get(0).as_string(), pair.get(1).as_string())
                {
                    link = link.with(&name, &value);
                }
            }
        }
        link.build()
    }

    fn search(form: HtmlFormElement, typed: Rc<Cell<u32>>, mine: u32) {
        let id = form.get_attribute("data-live").unwrap_or_default();
        let url = address(&form);
        let mark = |on: bool| {
            if let Some(results) = document().get_element_by_id(&id) {
                let _ = if on {
                    results.set_attribute("aria-busy", "true")
                } else {
                    results.remove_attribute("aria-busy")
                };
            }
        };
        mark(true);
        leptos::task::spawn_local(async move {
            let done = take(&url, std::slice::from_ref(&id)).await;
            if typed.get() != mine {
                return;
            }
            if done {
                if let Ok(history) = window().history() {
                    let _ = history.replace_state_with_url(
                        &wasm_bindgen::JsValue::NULL,
                        "",
                        Some(&url),
                    );
                }
            } else {
                let _ = form.request_submit();
            }
        });
    }

    /// Takes the elements that want it anew, and comes back for those that still want it then.
    fn refresh() {
        let Ok(list) = document().query_selector_all("[data-refresh][id]") else {
            return;
        };
        let mut ids = Vec::new();
        let mut wait = u64::MAX;
        for i in 0..list.length() {
            if let Some(el) = list.get(i).and_then(|n| n.dyn_into::<Element>().ok()) {
                ids.push(el.id());
                let millis = el
                    .get_attribute("data-refresh")
                    .and_then(|t| t.parse().ok());
                wait = wait.min(millis.unwrap_or(5000_u64).max(500));
            }
        }
        if ids.is_empty() {
            return;
        }
        later(wait, move || {
            leptos::task::spawn_local(async move {
                // Nobody looks: the page is left as it is until somebody does.
                if !document().hidden()
                    && let Ok(url) = window().location().href()
                {
                    take(&url, &ids).await;
                }
                refresh();
            });
        });
    }
}
