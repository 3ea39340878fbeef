//! The sources of data on the data page: how each does, and fetching from one.

use crate::error::PageError;
use crate::format;
use crate::query::{self, Link, segment};
use crate::server::{plain_form, reader, refuse, writer};
use crate::ui;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use mltrainer_services::Call;
use mltrainer_types::source::{FetchRequest, SourceStatus};

/// Fetches bars of a symbol, or an economic series, and leads to the data set.
#[server(prefix = "/api/pages", endpoint = "fetch_data")]
pub(crate) async fn fetch_data(
    source: String,
    what: String,
    #[server(default)] from: String,
    #[server(default)] to: String,
) -> Result<String, PageError> {
    let (services, actor) = writer()?;
    let typed = [
        ("source", source.as_str()),
        ("what", what.as_str()),
        ("from", from.as_str()),
        ("to", to.as_str()),
    ];
    let done = match request(&services.sources(), typed) {
        Ok(request) => services
            .fetch(actor.0, request, &Call::quiet())
            .await
            .map_err(|e| refuse(&e)),
        Err(e) => Err(e),
    };
    let set = done.and_then(|outcome| match (outcome.dataset, outcome.refusal) {
        (Some(set), _) => Ok(set.id.to_string()),
        (None, refusal) => Err(PageError::new(
            422,
            "Refused",
            &refusal.map_or_else(String::new, |r| format!("rule {}: {}", r.rule, r.reason)),
        )),
    });
    if plain_form() {
        leptos_axum::redirect(&match &set {
            Ok(id) => format!("/data/{}", segment(id)),
            Err(e) => back(typed, e),
        });
    }
    set
}

/// The request that the fields describe. A source that has series alone is asked for one.
fn request(
    sources: &[SourceStatus],
    [(_, source), (_, what), (from_name, from), (to_name, to)]: [(&str, &str); 4],
) -> Result<FetchRequest, PageError> {
    let day = |name: &str, text: &str| match text {
        "" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| {
            PageError::field(
                name,
                &format!("\"{text}\" is not a day; write it as 2012-12-31"),
            )
        }),
    };
    let what = what.trim();
    if what.is_empty() {
        return Err(PageError::field(
            "what",
            "name a symbol, or for an economic source a series",
        ));
    }
    let series = sources
        .iter()
        .any(|s| s.id == source && s.series && s.bars.is_empty());
    Ok(FetchRequest {
        source: source.to_owned(),
        symbol: (!series).then(|| what.to_owned()),
        series: series.then(|| what.to_owned()),
        start: day(from_name, from)?,
        end: day(to_name, to)?,
        as_of: None,
        span: None,
        adjusted: false,
        failover: Vec::new(),
    })
}

/// The page with what was typed and what is wrong with it.
fn back(typed: [(&str, &str); 4], error: &PageError) -> String {
    let link = typed.iter().fold(Link::to("/data"), |link, (name, text)| {
        link.with(name, text)
    });
    let link = link
        .with("error", &error.detail)
        .with("field", error.field.as_deref().unwrap_or_default())
        .build();
    format!("{link}#sources")
}

/// The part of the data page.
pub(crate) fn sources() -> AnyView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    let body = match reader() {
        Ok(services) => part(&services.sources(), &pairs),
        Err(e) => ui::error_panel(&e),
    };
    ui::panel("sources", "Sources", ().into_any(), body)
}

fn part(sources: &[SourceStatus], pairs: &[(String, String)]) -> AnyView {
    let names = [
        "Source",
        "Has",
        "Key",
        "State",
        "#Requests today",
        "Last answer",
        "Last failure",
    ];
    let rows = sources.iter().map(row).collect_view().into_any();
    view! {
        {ui::table("How the sources do", "plain", ui::heads(&names), rows)}
        {form(sources, pairs)}
        <p class="quiet">
            "A key is set in the environment of the program, never here. The same on the command line: "
            <code>"mltrainer data fetch"</code> " and " <code>"mltrainer doctor"</code>
        </p>
    }
    .into_any()
}

fn row(s: &SourceStatus) -> AnyView {
    let (sign, word, class) = state(s);
    let bars = (!s.bars.is_empty()).then(|| format!("bars: {}", s.bars.join(", ")));
    let series = s.series.then(|| "series".to_owned());
    let has: Vec<String> = bars.into_iter().chain(series).collect();
    let key = match &s.key_variable {
        None => "none is needed".to_owned(),
        Some(_) if s.configured => "is set".to_owned(),
        Some(name) => format!("set {name}"),
    };
    let time = |at: Option<&chrono::DateTime<chrono::Utc>>| {
        at.map_or_else(|| ui::text(format::NONE), ui::time)
    };
    view! {
        <tr>
            <th scope="row">{s.title.clone()} <small><code>{s.id.clone()}</code></small></th>
            <td>{has.join("; ")}</td>
            <td>{key}</td>
            <td>{ui::badge(sign, word, class)}</td>
            <td class="num">{format::count(s.requests_today)}</td>
            <td class="figures">{time(s.last_success.as_ref())}</td>
            <td class="wide">{s.last_error.as_ref().map(|e| view! { {ui::time(&e.at)} ": " {ui::sentence(&e.reason)} })}</td>
        </tr>
    }
    .into_any()
}

/// A source's state as sign, words and class.
fn state(s: &SourceStatus) -> (&'static str, &'static str, &'static str) {
    match s.circuit.as_str() {
        "open" => ("■", "Rests after failures", "bad"),
        "half_open" => ("◐", "Is tried again", "wait"),
        _ if !s.configured => ("○", "Not configured", "none"),
        _ => ("✓", "Ready", "good"),
    }
}

fn form(sources: &[SourceStatus], pairs: &[(String, String)]) -> AnyView {
    let ready: Vec<(String, String)> = sources
        .iter()
        .filter(|s| s.configured)
        .map(|s| (s.id.clone(), s.title.clone()))
        .collect();
    if ready.is_empty() {
        return view! { <p class="quiet">"No source is configured: set the key of one and start the program again."</p> }.into_any();
    }
    let get = |name: &str| query::get(pairs, name).to_owned();
    let (detail, field) = (get("error"), get("field"));
    let at = |name: &str| (field == name && !detail.is_empty()).then(|| detail.clone());
    let named = ["source", "what", "from", "to"].contains(&field.as_str());
    let whole = (!detail.is_empty() && !named).then(|| {
        view! { <p class="notice bad" role="alert">{ui::sentence(&detail)}</p> }
    });
    let date = |name: &'static str| {
        view! { <input type="date" id=name name=name value=get(name)/> }.into_any()
    };
    view! {
        <h3>"Fetch"</h3>
        {whole}
        <form method="post" action="/api/pages/fetch_data" class="filters" aria-label="Fetch from a source">
            {ui::field("source", "Source", "", at("source"), ui::select("source", ready, &get("source")))}
            {ui::field(
                "what",
                "Symbol or series",
                "",
                at("what"),
                view! { <input type="text" id="what" name="what" required=true value=get("what") placeholder="AAPL, UNRATE" autocapitalize="characters" autocomplete="off" spellcheck="false" maxlength="32"/> }.into_any(),
            )}
            {ui::field("from", "From", "", at("from"), date("from"))}
            {ui::field("to", "To", "", at("to"), date("to"))}
            <div class="field submit"><button class="button primary">"Fetch"</button></div>
        </form>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(id: &str, bars: &[&str], series: bool) -> SourceStatus {
        SourceStatus {
            id: id.into(),
            title: id.into(),
            configured: true,
            key_variable: None,
            url: String::new(),
            bars: bars.iter().map(|b| (*b).to_owned()).collect(),
            series,
            views: vec![],
            circuit: "closed".into(),
            failures: 0,
            requests_today: 0,
            last_success: None,
            last_error: None,
        }
    }

    fn typed<'a>(source: &'a str, what: &'a str, from: &'a str) -> [(&'a str, &'a str); 4] {
        [
            ("source", source),
            ("what", what),
            ("from", from),
            ("to", ""),
        ]
    }

    #[test]
    fn a_source_of_series_is_asked_for_a_series() {
        let all = [
            source("polygon", &["day"], false),
            source("fred", &[], true),
        ];
        let bars = request(&all, typed("polygon", " AAPL ", "2020-01-02")).unwrap();
        assert_eq!((bars.symbol.as_deref(), bars.series), (Some("AAPL"), None));
        assert_eq!(bars.start, chrono::NaiveDate::from_ymd_opt(2020, 1, 2));
        let series = request(&all, typed("fred", "UNRATE", "")).unwrap();
        assert_eq!(
            (series.symbol, series.series.as_deref()),
            (None, Some("UNRATE"))
        );
    }

    #[test]
    fn a_mistake_comes_back_with_what_was_typed() {
        let all = [source("polygon", &["day"], false)];
        let wrong = typed("polygon", "AAPL", "soon");
        let error = request(&all, wrong).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("from"));
        let link = back(wrong, &error);
        let (path, rest) = link.split_once('?').unwrap();
        let pairs = query::pairs(rest.trim_end_matches("#sources"));
        assert_eq!(path, "/data");
        assert_eq!(query::get(&pairs, "what"), "AAPL");
        assert_eq!(query::get(&pairs, "field"), "from");
        let nothing = request(&all, typed("polygon", " ", "")).unwrap_err();
        assert_eq!(nothing.field.as_deref(), Some("what"));
    }

    #[test]
    fn a_state_is_said_in_words() {
        let mut s = source("polygon", &["day"], false);
        assert_eq!(state(&s).1, "Ready");
        s.configured = false;
        assert_eq!(state(&s).1, "Not configured");
        s.circuit = "open".into();
        assert_eq!(state(&s).1, "Rests after failures");
    }
}
