//! What only a browser can do: fetching, parts of a page taken from a newer rendering of it, timers,
//! and streams of numbered events.

use super::live_trial::Connection;
use crate::error::PageError;
use leptos::prelude::*;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DomParser, EventSource, Headers, MessageEvent, RequestInit, Response, SupportedType,
};

/// The text of an answer and whether its status says that all is well.
async fn text_of(answer: js_sys::Promise) -> Option<(bool, String)> {
    let answer: Response = JsFuture::from(answer).await.ok()?.unchecked_into();
    let text = JsFuture::from(answer.text().ok()?).await.ok()?;
    Some((answer.ok(), text.as_string()?))
}

/// Data from the server.
pub(crate) async fn data<T: DeserializeOwned>(url: &str) -> Result<T, PageError> {
    let answer = window().fetch_with_str(url);
    let (ok, text) = text_of(answer).await.ok_or_else(PageError::unreachable)?;
    read(ok, &text)
}

fn read<T: DeserializeOwned>(ok: bool, text: &str) -> Result<T, PageError> {
    if ok {
        serde_json::from_str(text).map_err(|_| PageError::unreadable())
    } else {
        Err(serde_json::from_str(text).unwrap_or_else(|_| PageError::unreadable()))
    }
}

/// Sends a form's fields and gives what the server answers.
pub(crate) async fn send<T: DeserializeOwned>(
    url: &str,
    fields: &[(&str, &str)],
) -> Result<T, PageError> {
    let body = fields
        .iter()
        .fold(crate::query::Link::to(""), |l, (n, v)| l.with(n, v))
        .build();
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_body(&body.trim_start_matches('?').into());
    if let Ok(headers) = Headers::new() {
        let _ = headers.set("content-type", "application/x-www-form-urlencoded");
        request.set_headers(&headers);
    }
    let answer = window().fetch_with_str_and_init(url, &request);
    let (ok, text) = text_of(answer).await.ok_or_else(PageError::unreachable)?;
    read(ok, &text)
}

/// A newer rendering of a page, to take elements from.
pub(crate) async fn page(url: &str) -> Option<web_sys::Document> {
    let (true, text) = text_of(window().fetch_with_str(url)).await? else {
        return None;
    };
    DomParser::new()
        .ok()?
        .parse_from_string(&text, SupportedType::TextHtml)
        .ok()
}

/// Takes the elements of these ids from a newer rendering of a page into this one. Islands inside
/// them would stay dead: only what the server alone renders may be taken. Gives whether the page
/// could be read.
pub(crate) async fn take(url: &str, ids: &[String]) -> bool {
    let Some(page) = page(url).await else {
        return false;
    };
    for id in ids {
        if let (Some(old), Some(new)) =
            (document().get_element_by_id(id), page.get_element_by_id(id))
        {
            old.replace_with_with_node_1(&new).ok();
        }
    }
    true
}

/// Calls back once after a while.
pub(crate) fn later(millis: u64, call: impl FnOnce() + 'static) {
    set_timeout(call, Duration::from_millis(millis));
}

/// Listens for the life of the page.
pub(crate) fn listen<E: JsCast + 'static>(
    target: &web_sys::EventTarget,
    name: &str,
    call: impl FnMut(E) + 'static,
) {
    let mut call = call;
    let closure = Closure::<dyn FnMut(web_sys::Event)>::new(move |ev: web_sys::Event| {
        call(ev.unchecked_into())
    });
    let _ = target.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    closure.forget();
}

/// A message of the stream: number, name and JSON content.
pub(crate) struct Message {
    /// Number of the event.
    pub(crate) seq: i64,
    /// Its name.
    pub(crate) name: String,
    /// Its content.
    pub(crate) json: String,
}

/// What the stream asks its listener.
pub(crate) struct Listener {
    /// Number of the last event that was taken.
    pub(crate) after: Box<dyn Fn() -> i64>,
    /// Takes an event and says whether the stream may go on; when not (a hole), it is opened again.
    pub(crate) take: Box<dyn Fn(&Message) -> bool>,
    /// Whether nothing follows.
    pub(crate) ended: Box<dyn Fn() -> bool>,
}

struct Stream {
    url: String,
    names: &'static [&'static str],
    state: RwSignal<Connection>,
    listener: Listener,
    open: RefCell<Option<Open>>,
}

/// An open line with the closures that it calls.
struct Open {
    source: EventSource,
    _events: Closure<dyn FnMut(MessageEvent)>,
    _opened: Closure<dyn FnMut()>,
    _failed: Closure<dyn FnMut()>,
}

/// Follows numbered events of these names for the life of the page, coming back by itself after a
/// broken line: with the number that the page really took, also when the server was down meanwhile.
pub(crate) fn follow(
    url: String,
    names: &'static [&'static str],
    state: RwSignal<Connection>,
    listener: Listener,
) {
    open(
        &Rc::new(Stream {
            url,
            names,
            state,
            listener,
            open: RefCell::new(None),
        }),
        0,
    );
}

fn close(stream: &Rc<Stream>) {
    if let Some(old) = stream.open.borrow_mut().take() {
        old.source.set_onopen(None);
        old.source.set_onerror(None);
        old.source.close();
        // One of its closures may be running right now: it may be dropped only afterwards.
        later(0, move || drop(old));
    }
}

fn open(stream: &Rc<Stream>, attempt: u32) {
    close(stream);
    if (stream.listener.ended)() {
        stream.state.set(Connection::Ended);
        return;
    }
    stream.state.set(if attempt == 0 {
        Connection::Opening
    } else {
        Connection::Broken
    });
    let Ok(source) = EventSource::new(&format!(
        "{}?after={}",
        stream.url,
        (stream.listener.after)()
    )) else {
        again(stream, attempt);
        return;
    };
    let tries = Rc::new(RefCell::new(attempt));
    let opened = Closure::<dyn FnMut()>::new({
        let (stream, tries) = (stream.clone(), tries.clone());
        move || {
            *tries.borrow_mut() = 0;
            stream.state.set(Connection::Open);
        }
    });
    let failed = Closure::<dyn FnMut()>::new({
        let stream = stream.clone();
        move || again(&stream, *tries.borrow())
    });
    let events = Closure::<dyn FnMut(MessageEvent)>::new({
        let stream = stream.clone();
        move |message: MessageEvent| {
            let Some(json) = message.data().as_string() else {
                return;
            };
            let message = Message {
                // What is not numbered is not stored.
                seq: message.last_event_id().parse().unwrap_or(0),
                name: message.type_(),
                json,
            };
            if !(stream.listener.take)(&message) {
                again(&stream, 0);
            } else if (stream.listener.ended)() {
                close(&stream);
                stream.state.set(Connection::Ended);
            }
        }
    });
    source.set_onopen(Some(opened.as_ref().unchecked_ref()));
    source.set_onerror(Some(failed.as_ref().unchecked_ref()));
    for name in stream.names {
        let _ = source.add_event_listener_with_callback(name, events.as_ref().unchecked_ref());
    }
    *stream.open.borrow_mut() = Some(Open {
        source,
        _events: events,
        _opened: opened,
        _failed: failed,
    });
}

/// Tries again after 0.5, 1, 2, 4, 8, 8 ... seconds.
fn again(stream: &Rc<Stream>, attempt: u32) {
    close(stream);
    if (stream.listener.ended)() {
        return;
    }
    stream.state.set(Connection::Broken);
    let stream = stream.clone();
    later(500 << attempt.min(4), move || open(&stream, attempt + 1));
}
