//! Small views that every page uses: data in, view out.

#[cfg(feature = "ssr")]
use crate::error::PageError;
#[cfg(feature = "ssr")]
use crate::format;
#[cfg(feature = "ssr")]
use chrono::{DateTime, Utc};
use leptos::prelude::*;
#[cfg(feature = "ssr")]
use mltrainer_types::data::LineageStep;
use mltrainer_types::trial::TrialState;

/// The states of a part of a page: a skeleton while it loads, the error with what to do, and the
/// view, which itself says what to do when there is nothing.
#[cfg(feature = "ssr")]
pub(crate) fn loaded<T: Send + 'static>(
    data: impl Future<Output = Result<T, PageError>> + Send + 'static,
    lines: u8,
    view: impl FnOnce(T) -> AnyView + Send + 'static,
) -> AnyView {
    let done = Suspend::new(async move {
        match data.await {
            Ok(data) => view(data),
            Err(error) => view! {
                <leptos_meta::Title text=error.title.clone()/>
                {error_panel(&error)}
            }
            .into_any(),
        }
    });
    view! { <Suspense fallback=move || skeleton(lines)>{done}</Suspense> }.into_any()
}

/// Grey lines where text will be.
#[cfg(feature = "ssr")]
pub(crate) fn skeleton(lines: u8) -> AnyView {
    view! {
        <div class="skeleton" role="status">
            <span class="visually-hidden">"Loading"</span>
            {(0..lines).map(|_| view! { <span class="bone" aria-hidden="true"></span> }).collect_view()}
        </div>
    }
    .into_any()
}

/// What happened and what to do.
#[cfg(feature = "ssr")]
pub(crate) fn error_panel(error: &PageError) -> AnyView {
    let suggestions = (!error.suggestions.is_empty()).then(|| {
        view! {
            <p>"Nearest names: " <strong>{error.suggestions.join(", ")}</strong></p>
        }
    });
    let request = error
        .request_id
        .clone()
        .filter(|_| error.status >= 500)
        .map(|id| {
            view! { <p class="quiet">"Request " <code>{id}</code></p> }
        });
    view! {
        <div class="notice bad" role="alert">
            <h2>{error.title.clone()}</h2>
            <p>{sentence(&error.detail)}</p>
            {suggestions}
            <p>{error.advice()}</p>
            {request}
            <p><a class="button" href="" rel="external">"Try again"</a></p>
        </div>
    }
    .into_any()
}

/// A text that begins with a capital letter and ends with a full stop.
#[must_use]
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let mut out = chars.next().map_or_else(String::new, |c| {
        c.to_uppercase().collect::<String>() + chars.as_str()
    });
    if !out.is_empty() && !out.ends_with(['.', '!', '?', '…']) {
        out.push('.');
    }
    out
}

/// A text as sentences, with what stands between backticks as code.
#[cfg(feature = "ssr")]
pub(crate) fn prose(text: &str) -> AnyView {
    sentence(text)
        .split('`')
        .enumerate()
        .map(|(i, part)| {
            let part = part.to_owned();
            if i % 2 == 1 {
                view! { <code>{part}</code> }.into_any()
            } else {
                part.into_any()
            }
        })
        .collect_view()
        .into_any()
}

/// Nothing there yet, and what to do next.
#[cfg(feature = "ssr")]
pub(crate) fn empty(
    title: &'static str,
    text: &'static str,
    href: &'static str,
    label: &'static str,
) -> AnyView {
    view! {
        <div class="notice empty">
            <h2>{title}</h2>
            <p>{text}</p>
            <p><a class="button primary" href=href>{label}</a></p>
        </div>
    }
    .into_any()
}

/// Head of a page: where it stands, its name, a line about it.
#[cfg(feature = "ssr")]
pub(crate) fn head(crumbs: &[(&str, &str)], title: String, lede: AnyView) -> AnyView {
    let crumbs = crumbs
        .iter()
        .map(
            |(href, label)| view! { <li><a href=(*href).to_owned()>{(*label).to_owned()}</a></li> },
        )
        .collect_view();
    view! {
        <header class="head">
            <nav aria-label="Where this page stands"><ol class="crumbs">{crumbs}</ol></nav>
            <h1>{title}</h1>
            {lede}
        </header>
    }
    .into_any()
}

/// A part of a page with a heading of its own.
pub(crate) fn panel(id: &'static str, title: &str, aside: AnyView, body: AnyView) -> AnyView {
    view! {
        <section class="panel" id=id aria-labelledby=format!("{id}-title")>
            <header class="panel-head">
                <h2 id=format!("{id}-title")>{title.to_owned()}</h2>
                {aside}
            </header>
            {body}
        </section>
    }
    .into_any()
}

/// A table in a container of its own that scrolls sideways on a narrow screen.
pub(crate) fn table(label: &str, class: &'static str, header: AnyView, rows: AnyView) -> AnyView {
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=label.to_owned()>
            <table class=class>
                <thead><tr>{header}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// Column heads; those that begin with `#` are numbers and stand right.
pub(crate) fn heads(names: &[&str]) -> AnyView {
    names
        .iter()
        .map(|name| {
            let number = name.starts_with('#');
            view! {
                <th scope="col" class:num=number>{name.trim_start_matches('#').to_owned()}</th>
            }
        })
        .collect_view()
        .into_any()
}

/// A word with a sign and a colour: never colour alone.
pub(crate) fn badge(sign: &'static str, word: &str, class: &'static str) -> AnyView {
    view! {
        <span class=format!("badge {class}")>
            <span aria-hidden="true">{sign}</span>
            " "
            {word.to_owned()}
        </span>
    }
    .into_any()
}

/// Where a trial stands.
pub(crate) fn state_badge(state: TrialState) -> AnyView {
    let (sign, word, class) = crate::words::state(state);
    badge(sign, word, class)
}

/// A hash, shortened; all of it stands in the title and where the lineage is shown.
#[cfg(feature = "ssr")]
pub(crate) fn hash(hash: &str) -> AnyView {
    view! { <code class="hash" title=hash.to_owned()>{format::short_hash(hash)}</code> }.into_any()
}

/// A time in UTC.
#[cfg(feature = "ssr")]
pub(crate) fn time(at: &DateTime<Utc>) -> AnyView {
    view! { <time datetime=format::machine_time(at)>{format::time(at)}</time> }.into_any()
}

/// Pairs of a name and a value.
#[cfg(feature = "ssr")]
pub(crate) fn facts(pairs: Vec<(&'static str, AnyView)>) -> AnyView {
    view! {
        <dl class="facts">
            {pairs
                .into_iter()
                .map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> })
                .collect_view()}
        </dl>
    }
    .into_any()
}

/// A figure with its name below.
#[cfg(feature = "ssr")]
pub(crate) fn stat(value: String, name: &str, note: String) -> AnyView {
    view! {
        <div class="stat">
            <span class="stat-name">{name.to_owned()}</span>
            <span class="stat-value">{value}</span>
            <span class="stat-note">{note}</span>
        </div>
    }
    .into_any()
}

/// Text as a view.
#[cfg(feature = "ssr")]
pub(crate) fn text(text: impl Into<String>) -> AnyView {
    text.into().into_any()
}

/// From the result back to its source: the steps of a lineage, the last one first.
#[cfg(feature = "ssr")]
pub(crate) fn lineage(steps: &[LineageStep]) -> AnyView {
    view! {
        <ol class="lineage">
            {steps
                .iter()
                .rev()
                .map(|s| view! {
                    <li>
                        <span class="lineage-step">{crate::words::title(&s.step)}</span>
                        <span class="lineage-detail">{s.detail.clone()}</span>
                        <code class="hash whole">{s.sha256.clone()}</code>
                    </li>
                })
                .collect_view()}
        </ol>
    }
    .into_any()
}

/// A labelled field with help and, where there is one, the error at it.
#[cfg(feature = "ssr")]
pub(crate) fn field(
    name: &'static str,
    label: &str,
    help: &str,
    error: Option<String>,
    control: AnyView,
) -> AnyView {
    let bad = error.is_some();
    view! {
        <div class="field" class:bad=bad>
            <label for=name>{label.to_owned()}</label>
            {control}
            {(!help.is_empty()).then(|| view! { <p class="help" id=format!("{name}-help")>{help.to_owned()}</p> })}
            {error.map(|e| view! { <p class="field-error" role="alert" id=format!("{name}-error")>{sentence(&e)}</p> })}
        </div>
    }
    .into_any()
}

/// A choice: value and words of each option.
#[cfg(feature = "ssr")]
pub(crate) fn select(name: &'static str, options: Vec<(String, String)>, chosen: &str) -> AnyView {
    view! {
        <select id=name name=name>
            {options
                .into_iter()
                .map(|(value, words)| {
                    let selected = value == chosen;
                    view! { <option value=value selected=selected>{words}</option> }
                })
                .collect_view()}
        </select>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_sentences() {
        for (text, expected) in [
            ("alpha: 3 is too large", "Alpha: 3 is too large."),
            ("Done!", "Done!"),
            ("", ""),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }
}
