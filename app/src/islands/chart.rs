//! A chart: the server's picture, and over it what the browser adds: a crosshair that reads the
//! values at the nearest day (mouse, touch, arrow keys), zoom (pinch, wheel with Ctrl, keys, buttons)
//! and pan (drag, two fingers, sideways wheel, keys, buttons). The legend's switches are plain checkboxes and need no script. The picture follows a
//! gesture at once by its view box; when the gesture rests, the server draws the narrower span.

use crate::drawing::{Frame, Key, day_text};
use crate::{format, ui};
use leptos::html;
use leptos::prelude::*;

/// Rows of the table below a chart, at most.
const TABLE_ROWS: usize = 24;

/// What the island holds: the frame of the picture that is shown, and the row under the crosshair.
#[derive(Clone, Copy)]
struct State {
    frame: RwSignal<Option<Frame>>,
    row: RwSignal<Option<usize>>,
    /// The chart's name for the server; empty: it cannot be drawn anew.
    source: StoredValue<String>,
    picture: NodeRef<html::Div>,
}

/// A figure with a chart. The children are the picture.
#[island]
pub fn Chart(
    /// What the server draws it from, see `pages::drawn`; empty: it stays as it is.
    source: String,
    /// The frame of the picture; absent while there is nothing to draw.
    frame: Option<Frame>,
    /// The picture.
    children: Children,
) -> impl IntoView {
    let state = State {
        frame: RwSignal::new(frame),
        row: RwSignal::new(None),
        source: StoredValue::new(source),
        picture: NodeRef::new(),
    };
    let alive = RwSignal::new(false);
    #[cfg(feature = "hydrate")]
    Effect::new(move |_: Option<()>| {
        alive.set(true);
        gestures::install(state);
    });
    // A switch that was turned off stays off when the picture is drawn anew.
    let keys = Memo::new(move |_| {
        let frame = state.frame.read();
        frame
            .as_ref()
            .map(|f| (f.keys.clone(), lines(f)))
            .unwrap_or_default()
    });
    let legend = move || {
        let (keys, lines) = keys.get();
        if keys.is_empty() {
            legend(&lines)
        } else {
            switches(&keys)
        }
    };
    let shown =
        move |f: fn(&Frame) -> AnyView| (move || state.frame.read().as_ref().map(f)).into_any();
    view! {
        <figure
            class=move || state.frame.read().as_ref().map_or_else(|| "chart".to_owned(), figure_class)
            class:nothing=move || state.frame.read().is_none()
        >
            <figcaption>
                <span class="chart-title">{move || state.frame.read().as_ref().map(|f| f.title.clone())}</span>
                {legend}
            </figcaption>
            <div
                class="plot"
                node_ref=state.picture
                tabindex="0"
                role="group"
                aria-roledescription="chart"
                aria-label=move || state.frame.read().as_ref().map(|f| f.title.clone())
            >
                <div class="plot-picture">{children()}</div>
                {cross(state)}
            </div>
            <div class="chart-foot">
                <p class="readout" role="status">{move || readout(state, alive.get())}</p>
                {move || (alive.get() && !state.source.with_value(String::is_empty)).then(|| buttons(state))}
            </div>
            {shown(|f| view! { <p class="visually-hidden">{f.summary.clone()}</p> }.into_any())}
            {shown(table)}
        </figure>
    }
}

/// A chart of many parts is higher.
fn figure_class(f: &Frame) -> String {
    match f.panels.len() {
        n if n > 2 || !f.keys.is_empty() => format!("chart parts-{}", n.min(28)),
        _ => "chart".to_owned(),
    }
}

/// Name and colour of each line.
fn lines(f: &Frame) -> Vec<(String, u8)> {
    f.columns
        .iter()
        .map(|c| (c.name.clone(), c.colour))
        .collect()
}

fn legend(lines: &[(String, u8)]) -> AnyView {
    view! {
        <ul class="legend">
            {lines
                .iter()
                .map(|(name, colour)| view! {
                    <li>
                        <label>
                            <input type="checkbox" checked=true class=format!("toggle t{colour}")/>
                            <svg class="swatch" aria-hidden="true" viewBox="0 0 16 8"><path class=format!("ln s{colour}") d="M0 4h16"></path></svg>
                            {name.clone()}
                        </label>
                    </li>
                })
                .collect_view()}
        </ul>
    }
    .into_any()
}

/// A switch each, with what belongs to it.
fn switches(keys: &[Key]) -> AnyView {
    view! {
        <ul class="legend switches">
            {keys
                .iter()
                .map(|k| view! {
                    <li>
                        <label>
                            <input type="checkbox" checked=true class=format!("toggle c{}", k.key)/>
                            {k.name.clone()}
                        </label>
                        {k.parts
                            .iter()
                            .map(|(colour, mark, name)| view! {
                                <span class="part">
                                    <svg class="swatch" aria-hidden="true" viewBox="0 0 16 8">
                                        <path class=format!("{mark} s{colour}") d=swatch(mark)></path>
                                    </svg>
                                    {name.clone()}
                                </span>
                            })
                            .collect_view()}
                    </li>
                })
                .collect_view()}
        </ul>
    }
    .into_any()
}

/// The shape of a mark in the legend.
fn swatch(mark: &str) -> &'static str {
    match mark {
        "fl" | "bd" => "M0 0h16v8h-16z",
        "sign" => "M4 8l4-8 4 8z",
        _ => "M0 4h16",
    }
}

/// The values as a table: evenly spread rows, so that every chart can be read without seeing it.
fn table(f: &Frame) -> AnyView {
    let decimals: Vec<usize> = f.columns.iter().map(|c| f.decimals(c)).collect();
    let mut names = vec!["Day".to_owned()];
    names.extend(f.columns.iter().map(|c| format!("#{}", c.name)));
    let noted = !f.notes.is_empty();
    if noted {
        names.push("What was found".to_owned());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rows = f.table_rows(TABLE_ROWS);
    let body = rows
        .iter()
        .enumerate()
        .map(|(i, r)| view! {
            <tr>
                <th scope="row" class="figures">{f.days.get(*r).map(|day| day_text(*day))}</th>
                {f.columns
                    .iter()
                    .zip(&decimals)
                    .map(|(c, k)| view! { <td class="num">{format::cell(c.values.get(*r).copied().flatten(), *k)}</td> })
                    .collect_view()}
                {noted.then(|| {
                    let before = i.checked_sub(1).and_then(|i| rows.get(i)).copied();
                    view! { <td class="wide">{f.notes_between(before, *r).join("; ")}</td> }
                })}
            </tr>
        })
        .collect_view()
        .into_any();
    view! {
        <details class="values">
            <summary>"Values as a table"</summary>
            {ui::table(&f.title, "", ui::heads(&names), body)}
        </details>
    }
    .into_any()
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// The crosshair over the picture.
fn cross(state: State) -> AnyView {
    view! {
        <svg class="cross" aria-hidden="true">
            {move || {
                let r = state.row.get()?;
                let frame = state.frame.read();
                let f = frame.as_ref()?;
                let x = percent(f.x(*f.days.get(r)?));
                let dots = f.columns
                    .iter()
                    .filter(|c| !c.unseen)
                    .filter_map(|c| {
                        let y = f.y(c.panel, c.values.get(r).copied().flatten()?)?;
                        Some(view! { <circle class=format!("dot s{}", c.colour) r="4" cx=x.clone() cy=percent(y)></circle> })
                    })
                    .collect_view();
                Some(view! { <line x1=x.clone() x2=x.clone() y1="0" y2="100%"></line> {dots} }.into_any())
            }}
        </svg>
    }
    .into_any()
}

fn readout(state: State, alive: bool) -> AnyView {
    let frame = state.frame.read();
    let (Some(r), Some(f)) = (state.row.get(), frame.as_ref()) else {
        let hint = match (alive, state.source.with_value(String::is_empty)) {
            (false, _) => "",
            (true, true) => "Point at the chart or use the arrow keys to read values.",
            (true, false) => {
                "Point at the chart or use the arrow keys to read values; drag to move, pinch or + and − to zoom."
            }
        };
        return view! { <span class="quiet">{hint}</span> }.into_any();
    };
    view! {
        <span class="figures">{f.days.get(r).map(|day| day_text(*day))}</span>
        {f.reading(r)
            .into_iter()
            .map(|(colour, name, value)| view! {
                <span class="read">
                    <svg class="swatch" aria-hidden="true" viewBox="0 0 8 8"><path class=format!("ln s{colour}") d="M0 4h8"></path></svg>
                    {name} " " <span class="figures">{value}</span>
                </span>
            })
            .collect_view()}
        {f.notes_at(r).into_iter().map(|text| view! { <span class="read note">{text.to_owned()}</span> }).collect_view()}
    }
    .into_any()
}

fn buttons(state: State) -> AnyView {
    let zoomed = move || state.frame.read().as_ref().is_some_and(Frame::is_zoomed);
    let buttons: [(&str, &str, fn(&Frame) -> (f64, f64)); 5] = [
        ("Earlier", "←", |f| f.moved(f.span(), -0.5)),
        ("Later", "→", |f| f.moved(f.span(), 0.5)),
        ("Zoom out", "−", |f| f.scaled(f.span(), 2.0, 0.5)),
        ("Zoom in", "+", |f| f.scaled(f.span(), 0.5, 0.5)),
        ("Show all", "All", Frame::whole),
    ];
    view! {
        <div class="zoom" role="group" aria-label="Zoom">
            {buttons
                .into_iter()
                .map(|(label, sign, span)| view! {
                    <button
                        type="button"
                        aria-label=label
                        title=label
                        disabled=move || sign != "+" && !zoomed()
                        on:click=move |_| want(state, span)
                    >
                        {sign}
                    </button>
                })
                .collect_view()}
        </div>
    }
    .into_any()
}

#[cfg(not(feature = "hydrate"))]
fn want(_state: State, _span: fn(&Frame) -> (f64, f64)) {}

#[cfg(feature = "hydrate")]
fn want(state: State, span: fn(&Frame) -> (f64, f64)) {
    let wanted = state
        .frame
        .with_untracked(|f| f.as_ref().and_then(|f| f.wanted(span(f))));
    gestures::redraw(state, wanted);
}

#[cfg(feature = "hydrate")]
mod gestures {
    use super::State;
    use crate::drawing::{Drawing, Frame, day_text};
    use crate::islands::browser::{data, later, listen};
    use crate::query::respan;
    use leptos::prelude::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use wasm_bindgen::JsCast;
    use web_sys::{Element, HtmlInputElement, KeyboardEvent, PointerEvent, WheelEvent};

    /// Pointers that are down, where they were when the last one came or went, the span that was
    /// shown then, and the span that the gesture leads to.
    #[derive(Default)]
    struct Hold {
        pointers: Vec<(i32, f64)>,
        began: Vec<(i32, f64)>,
        from: (f64, f64),
        span: Option<(f64, f64)>,
        wheels: u32,
    }

    fn element(state: State) -> Option<Element> {
        state.picture.get_untracked().map(Into::into)
    }

    /// Place of an event as a share of the plot's width.
    fn share(state: State, client_x: i32) -> f64 {
        element(state).map_or(0.0, |el| {
            let rect = el.get_bounding_client_rect();
            (f64::from(client_x) - rect.left()) / rect.width().max(1.0)
        })
    }

    /// The address, the form and the links of the page follow the span that is shown.
    fn address(frame: &Frame) {
        let (first, last) = (day_text(frame.first), day_text(frame.last));
        let page = document();
        for (id, day) in [("start", &first), ("end", &last)] {
            let field = page.get_element_by_id(id);
            if let Some(field) = field.and_then(|f| f.dyn_into::<HtmlInputElement>().ok()) {
                field.set_value(day);
            }
        }
        let links = page.query_selector_all("a[data-span]");
        if let Ok(links) = links {
            for i in 0..links.length() {
                let link = links.get(i).and_then(|n| n.dyn_into::<Element>().ok());
                if let Some(link) = link {
                    let href = link.get_attribute("href").unwrap_or_default();
                    let _ = link.set_attribute("href", &respan(&href, &first, &last));
                }
            }
        }
        let now = window().location();
        let path = now.pathname().unwrap_or_default() + &now.search().unwrap_or_default();
        if let Ok(history) = window().history() {
            let to = respan(&path, &first, &last);
            let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&to));
        }
    }

    /// The picture stands still again: what was hidden while it moved is shown.
    fn still(state: State) {
        if let Some(el) = element(state) {
            let _ = el.remove_attribute("data-moving");
        }
    }

    /// Lets the picture follow a gesture before the server has drawn it.
    fn preview(state: State, span: (f64, f64)) {
        let marks = element(state).and_then(|el| el.query_selector(".marks").ok().flatten());
        let shown = state.frame.with_untracked(|f| f.as_ref().map(Frame::span));
        if let (Some(marks), Some((first, last))) = (marks, shown) {
            // Signs and words cannot be moved along: they come back with the new picture.
            if let Some(el) = element(state) {
                let _ = match span == (first, last) {
                    true => el.remove_attribute("data-moving"),
                    false => el.set_attribute("data-moving", ""),
                };
            }
            let unit = 4000.0 / (last - first).max(1.0);
            let width = ((span.1 - span.0) * unit).max(1.0);
            let _ = marks.set_attribute(
                "viewBox",
                &format!("{:.1} 0 {width:.1} 2000", (span.0 - first) * unit),
            );
        }
    }

    /// Asks the server for the picture of a span (of the one shown, when none is named).
    pub(super) fn redraw(state: State, wanted: Option<(i32, i32)>) {
        let source = state.source.get_value();
        if source.is_empty() {
            return;
        }
        let mut link = crate::query::Link::to("/api/pages/drawing").with("source", &source);
        let shown = state.frame.with_untracked(|f| {
            f.as_ref()
                .filter(|f| f.is_zoomed())
                .map(|f| (f.first, f.last))
        });
        if let Some((first, last)) = wanted.or(shown) {
            link = link
                .with("first", &first.to_string())
                .with("last", &last.to_string());
        }
        let url = link.build();
        if let Some(el) = element(state) {
            let _ = el.set_attribute("aria-busy", "true");
        }
        leptos::task::spawn_local(async move {
            let drawing = data::<Option<Drawing>>(&url).await;
            let Some(el) = element(state) else { return };
            let _ = el.remove_attribute("aria-busy");
            match drawing {
                Ok(Some(Drawing { svg, frame })) => {
                    if let Ok(Some(picture)) = el.query_selector(".plot-picture") {
                        picture.set_inner_html(&svg);
                    }
                    state.row.set(None);
                    if state.source.with_value(|s| s.starts_with("analytics")) {
                        address(&frame);
                    }
                    still(state);
                    state.frame.set(Some(frame));
                }
                // What is shown stays, at its own span.
                Ok(None) | Err(_) => {
                    if let Some(span) = state.frame.with_untracked(|f| f.as_ref().map(Frame::span))
                    {
                        preview(state, span);
                    }
                }
            }
        });
    }

    pub(super) fn install(state: State) {
        let Some(el) = element(state) else { return };
        let can_zoom = !state.source.with_value(String::is_empty);
        let hold = Rc::new(RefCell::new(Hold::default()));
        let with = move |call: &dyn Fn(&Frame) -> (f64, f64)| {
            state.frame.with_untracked(|f| f.as_ref().map(call))
        };
        let commit = move |span: (f64, f64)| {
            let wanted = state
                .frame
                .with_untracked(|f| f.as_ref().and_then(|f| f.wanted(span)));
            match wanted {
                Some(_) => redraw(state, wanted),
                None => preview(state, span),
            }
        };
        let point = move |x: f64| {
            state.row.set(
                state
                    .frame
                    .with_untracked(|f| f.as_ref().and_then(|f| f.nearest(x))),
            );
        };
        let h = hold.clone();
        let plot = el.clone();
        listen(&el, "pointerdown", move |ev: PointerEvent| {
            let x = share(state, ev.client_x());
            point(x);
            let _ = plot.set_pointer_capture(ev.pointer_id());
            let mut h = h.borrow_mut();
            h.pointers.push((ev.pointer_id(), x));
            h.began = h.pointers.clone();
            h.from = h.span.or_else(|| with(&Frame::span)).unwrap_or_default();
        });
        let h = hold.clone();
        listen(&el, "pointermove", move |ev: PointerEvent| {
            let x = share(state, ev.client_x());
            let mut h = h.borrow_mut();
            if let Some(p) = h.pointers.iter_mut().find(|p| p.0 == ev.pointer_id()) {
                p.1 = x;
            }
            let from = h.from;
            let span = match (h.began.as_slice(), h.pointers.as_slice()) {
                _ if !can_zoom => None,
                ([(_, x0)], [(_, x1)])
                    if ev.pointer_type() == "mouse" && (x1 - x0).abs() > 0.004 =>
                {
                    let by = x0 - x1;
                    with(&|f| f.moved(from, by))
                }
                ([(_, a0), (_, b0)], [(_, a1), (_, b1)]) => {
                    let factor = (a0 - b0).abs().max(0.02) / (a1 - b1).abs().max(0.02);
                    let (c0, c1) = ((a0 + b0) / 2.0, (a1 + b1) / 2.0);
                    with(&|f| f.moved(f.scaled(from, factor, c0), c0 - c1))
                }
                _ => None,
            };
            match span {
                Some(span) => {
                    h.span = Some(span);
                    preview(state, span);
                }
                None => point(x),
            }
        });
        for name in ["pointerup", "pointercancel"] {
            let h = hold.clone();
            listen(&el, name, move |ev: PointerEvent| {
                let mut h = h.borrow_mut();
                h.pointers.retain(|p| p.0 != ev.pointer_id());
                h.began = h.pointers.clone();
                if let Some(span) = h.span {
                    h.from = span;
                }
                let done = if h.pointers.is_empty() {
                    h.span.take()
                } else {
                    None
                };
                drop(h);
                if let Some(span) = done {
                    commit(span);
                }
            });
        }
        let h = hold.clone();
        listen(&el, "pointerleave", move |ev: PointerEvent| {
            if ev.pointer_type() == "mouse" && h.borrow().pointers.is_empty() {
                state.row.set(None);
            }
        });
        listen(&el, "wheel", move |ev: WheelEvent| {
            // A pinch on a touch pad arrives as a wheel with Ctrl, two fingers to the side as a sideways
            // one; a plain wheel scrolls the page.
            let aside = ev.delta_x().abs() > ev.delta_y().abs();
            if !can_zoom || !(ev.ctrl_key() || aside) {
                return;
            }
            ev.prevent_default();
            let x = share(state, ev.client_x());
            let factor = (ev.delta_y() * 0.004).clamp(-0.5, 0.5).exp();
            let by = (ev.delta_x() * 0.001).clamp(-0.5, 0.5);
            let mut now = hold.borrow_mut();
            let from = now.span.or_else(|| with(&Frame::span)).unwrap_or_default();
            let span = with(&|f| {
                if aside {
                    f.moved(from, by)
                } else {
                    f.scaled(from, factor, x)
                }
            });
            let Some(span) = span else {
                return;
            };
            now.span = Some(span);
            now.wheels += 1;
            let mine = now.wheels;
            drop(now);
            preview(state, span);
            let hold = hold.clone();
            later(220, move || {
                let mut now = hold.borrow_mut();
                let done = if now.wheels == mine {
                    now.span.take()
                } else {
                    None
                };
                drop(now);
                if let Some(span) = done {
                    commit(span);
                }
            });
        });
        listen(&el, "keydown", move |ev: KeyboardEvent| {
            let rows = state
                .frame
                .with_untracked(|f| f.as_ref().map_or(0, |f| f.days.len()));
            if rows == 0 || ev.ctrl_key() || ev.alt_key() || ev.meta_key() {
                return;
            }
            let step = if ev.shift_key() { 10 } else { 1 };
            let now = state.row.get_untracked();
            let key = ev.key();
            let row = match key.as_str() {
                "ArrowLeft" => Some(now.map_or(rows - 1, |r| r.saturating_sub(step))),
                "ArrowRight" => Some(now.map_or(0, |r| (r + step).min(rows - 1))),
                "Home" => Some(0),
                "End" => Some(rows - 1),
                "Escape" => None,
                _ => {
                    let span = match key.as_str() {
                        _ if !can_zoom => None,
                        "+" | "=" => with(&|f| f.scaled(f.span(), 0.5, 0.5)),
                        "-" | "_" => with(&|f| f.scaled(f.span(), 2.0, 0.5)),
                        "0" => with(&Frame::whole),
                        "PageUp" => with(&|f| f.moved(f.span(), -0.5)),
                        "PageDown" => with(&|f| f.moved(f.span(), 0.5)),
                        _ => None,
                    };
                    if let Some(span) = span {
                        ev.prevent_default();
                        commit(span);
                    }
                    return;
                }
            };
            ev.prevent_default();
            state.row.set(row);
        });
        // More of a running trial or optimisation: the live part of the page says so.
        listen(&window(), super::MOVED, move |_: web_sys::Event| {
            if state
                .source
                .with_value(|s| super::MOVING.iter().any(|m| s.starts_with(m)))
            {
                redraw(state, None);
            }
        });
    }
}

/// Beginnings of the sources that grow while they are looked at.
#[cfg(feature = "hydrate")]
const MOVING: [&str; 2] = ["trial/", "optimisation/"];

/// Event of the window that tells such charts that there is more to draw.
#[cfg(feature = "hydrate")]
pub(crate) const MOVED: &str = "mltrainer:moved";
