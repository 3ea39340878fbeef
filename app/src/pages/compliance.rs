//! The rules, the approved origins, the audit chain with its filters, its check, and the way from a
//! result back to its file.

use crate::error::PageError;
use crate::pages::trials::pager;
use crate::query::{self, Link, segment};
use crate::server::{reader, refuse};
use crate::ui;
use crate::{format, words};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use mltrainer_types::Page;
use mltrainer_types::audit::{AuditFilter, AuditRecord, AuditVerification};
use mltrainer_types::data::LineageStep;
use mltrainer_types::policy::PolicyView;

/// What the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct CompliancePage {
    /// Rules and origins.
    pub policy: PolicyView,
    /// A page of the audit chain, newest first.
    pub audit: Page<AuditRecord>,
    /// What is wrong with the filters, if something is.
    pub filter_error: Option<PageError>,
    /// The outcome of the check, when it was asked for.
    pub verified: Option<AuditVerification>,
    /// The lineage of the subject that was asked for, when it has one.
    pub lineage: Vec<LineageStep>,
}

/// Policy, a page of the audit chain, and the check when the query asks for it.
async fn compliance(pairs: Vec<(String, String)>) -> Result<CompliancePage, PageError> {
    let services = reader()?;
    let (filter, filter_error) = match filter(&pairs) {
        Ok(filter) => (filter, None),
        Err(error) => (AuditFilter::default(), Some(error)),
    };
    let cursor = Some(query::get(&pairs, "cursor")).filter(|c| !c.is_empty());
    let audit = services
        .audit(filter, cursor, PAGE)
        .await
        .map_err(|e| refuse(&e))?;
    let verified = if query::get(&pairs, "verify").is_empty() {
        None
    } else {
        Some(services.verify_audit().await.map_err(|e| refuse(&e))?)
    };
    let lineage = match query::get(&pairs, "subject") {
        id if id.starts_with("t-") => services
            .trial(id)
            .await
            .map(|t| t.lineage.steps)
            .unwrap_or_default(),
        id if id.contains(':') => services
            .dataset(id)
            .await
            .map(|d| d.lineage)
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    Ok(CompliancePage {
        policy: services.policy(),
        audit,
        filter_error,
        verified,
        lineage,
    })
}

/// Records on a page.
const PAGE: u32 = 25;

/// The page.
#[component]
pub fn Compliance() -> impl IntoView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    view! {
        <Title text="Compliance"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer")],
                "Compliance".to_owned(),
                view! {
                    <p class="lede">
                        "Twelve rules are constants of the program: no setting, no coach and no model can switch one off. Whatever the gate decides stands in a chain of records that nobody can change unnoticed."
                    </p>
                    <div class="actions">
                        <a class="button" href="#audit">"Audit chain"</a>
                        <a class="button" href="#rules">"Rules"</a>
                        <a class="button" href="#origins">"Origins"</a>
                    </div>
                }
                .into_any(),
            )}
            {ui::loaded(compliance(pairs.clone()), 16, move |p| parts(&p, &pairs))}
        </div>
    }
}

fn parts(p: &CompliancePage, pairs: &[(String, String)]) -> AnyView {
    let subject = query::get(pairs, "subject").to_owned();
    let lineage = (!p.lineage.is_empty()).then(|| {
        let href = if subject.starts_with("t-") {
            format!("/trials/{}", segment(&subject))
        } else {
            format!("/data/{}", segment(&subject))
        };
        let aside = view! { <a class="more" href=href>{subject.clone()}" →"</a> }.into_any();
        ui::panel(
            "lineage",
            "From the result back to the file",
            aside,
            ui::lineage(&p.lineage),
        )
    });
    view! {
        {ui::panel("audit", "Audit chain", ().into_any(), audit(p, pairs))}
        {lineage}
        {ui::panel("rules", "Rules", ui::hash(&p.policy.sha256), rules(&p.policy))}
        {ui::panel("origins", "Approved origins", ().into_any(), origins(&p.policy))}
    }
    .into_any()
}

fn rules(policy: &PolicyView) -> AnyView {
    view! {
        <ol class="rules">
            {policy
                .rules
                .iter()
                .map(|r| view! {
                    <li id=r.id.clone()>
                        <h3>{r.title.clone()} " " <code>{r.id.clone()}</code></h3>
                        <p>{ui::prose(&r.demands)}</p>
                        <p class="quiet">"Enforced by: " {ui::prose(&r.enforced_by)}</p>
                    </li>
                })
                .collect_view()}
        </ol>
    }
    .into_any()
}

fn origins(policy: &PolicyView) -> AnyView {
    view! {
        <ul class="origins">
            {policy
                .origins
                .iter()
                .map(|o| view! { <li><strong>{o.title.clone()}</strong> " " <code>{o.id.clone()}</code></li> })
                .collect_view()}
        </ul>
    }
    .into_any()
}

fn audit(p: &CompliancePage, pairs: &[(String, String)]) -> AnyView {
    let get = |name: &str| query::get(pairs, name).to_owned();
    let at = |name: &str| {
        p.filter_error
            .as_ref()
            .and_then(|e| e.at(name))
            .map(str::to_owned)
    };
    let text = |name: &'static str, placeholder: &'static str| {
        view! { <input type="text" id=name name=name value=get(name) placeholder=placeholder autocomplete="off" spellcheck="false"/> }.into_any()
    };
    let date = |name: &'static str| {
        view! { <input type="date" id=name name=name value=get(name)/> }.into_any()
    };
    let decisions = [("", "Any"), ("allowed", "Allowed"), ("refused", "Refused")]
        .map(|(v, w)| (v.to_owned(), w.to_owned()))
        .to_vec();
    let here = without(pairs, &["cursor", "verify"]);
    let verify = {
        let separator = if here.contains('?') { "&" } else { "?" };
        format!("{here}{separator}verify=1#audit")
    };
    let filtered = ["actor", "action", "subject", "decision", "since", "until"]
        .iter()
        .any(|n| !get(n).is_empty());
    let body = if p.audit.items.is_empty() && filtered {
        ui::empty(
            "No record fits",
            "No record has all of these. Take a filter away.",
            "/compliance#audit",
            "Show every record",
        )
    } else if p.audit.items.is_empty() {
        ui::empty(
            "The chain is empty",
            "The first import or trial writes the first record.",
            "/trials/new",
            "Make a trial",
        )
    } else {
        let rows = p.audit.items.iter().map(record).collect_view().into_any();
        view! {
            {ui::table(
                "Audit records, newest first",
                "audit",
                ui::heads(&["#Number", "When", "Who", "Action", "Subject", "Decision", "Record"]),
                rows,
            )}
            {pager(&here, p.audit.next.as_deref(), !get("cursor").is_empty())}
        }
        .into_any()
    };
    let fields = view! {
            {ui::field("actor", "Who", "", at("actor"), text("actor", "user, cli, system"))}
            {ui::field("action", "Action begins with", "", at("action"), text("action", "trial."))}
            {ui::field("subject", "Subject", "", at("subject"), text("subject", "t-…, bundled:AAPL"))}
            {ui::field("decision", "Decision", "", at("decision"), ui::select("decision", decisions, &get("decision")))}
            {ui::field("since", "Since (UTC)", "", at("since"), date("since"))}
            {ui::field("until", "Until (UTC)", "", at("until"), date("until"))}
            <div class="field submit"><button class="button">"Filter"</button></div>
    }
    .into_any();
    view! {
        <div class="verify">
            <a class="button primary" href=verify>"Verify the whole chain"</a>
            <div role="status">{p.verified.as_ref().map(verification)}</div>
        </div>
        <form method="get" action="/compliance#audit" class="filters" aria-label="Filter the audit records">{fields}</form>
        {body}
        <p class="quiet">
            <a href="/api/compliance/audit" rel="external">"The same as JSON"</a>
            " · on the command line: " <code>"mltrainer audit verify"</code>
        </p>
    }
    .into_any()
}

fn verification(v: &AuditVerification) -> AnyView {
    if v.ok {
        view! {
            <p class="notice good">
                {format!(
                    "Every one of the {} holds, and so do {}.",
                    format::counted(v.records.unsigned_abs(), "record", "records"),
                    format::counted(v.checkpoints.unsigned_abs(), "signed checkpoint", "signed checkpoints")
                )}
            </p>
        }
        .into_any()
    } else {
        view! {
            <p class="notice bad" role="alert">
                {match v.first_broken {
                    Some(n) => format!("The chain is broken at record {n}: "),
                    None => "The chain is broken: ".to_owned(),
                }}
                {ui::sentence(v.reason.as_deref().unwrap_or("the cause is not known"))}
                " Keep the data folder as it is and compare it with a backup."
            </p>
        }
        .into_any()
    }
}

fn record(r: &AuditRecord) -> AnyView {
    let decision = if r.decision == "allowed" {
        ui::badge("✓", "Allowed", "done")
    } else {
        ui::badge("⊘", &words::title(&r.decision), "bad")
    };
    let subject = Link::to("/compliance").with("subject", &r.subject).build();
    view! {
        <tr>
            <td class="num">{format::count(r.seq.unsigned_abs())}</td>
            <td class="figures">{ui::time(&r.at)}</td>
            <td>{r.actor.clone()}</td>
            <th scope="row"><code>{r.action.clone()}</code></th>
            <td><a class="subject" href=format!("{subject}#audit")>{r.subject.clone()}</a></td>
            <td>
                {decision}
                {r.rule.clone().map(|rule| view! { " " <a href=format!("#{rule}")><code>{rule.clone()}</code></a> })}
            </td>
            <td>
                <details>
                    <summary><code class="hash">{format::short_hash(&r.hash)}</code></summary>
                    <dl class="facts">
                        <div><dt>"Particulars"</dt><dd><code class="whole">{r.detail.clone()}</code></dd></div>
                        <div><dt>"Hash"</dt><dd><code class="hash whole">{r.hash.clone()}</code></dd></div>
                        <div><dt>"Hash before"</dt><dd><code class="hash whole">{r.prev_hash.clone()}</code></dd></div>
                    </dl>
                </details>
            </td>
        </tr>
    }
    .into_any()
}

/// The address of this page without some of its pairs.
fn without(pairs: &[(String, String)], names: &[&str]) -> String {
    pairs
        .iter()
        .filter(|(n, _)| !names.contains(&n.as_str()))
        .fold(Link::to("/compliance"), |link, (n, v)| link.with(n, v))
        .build()
}

/// The filter that a query asks for. A day until which is meant with all of it.
///
/// # Errors
/// A day that is none.
pub fn filter(pairs: &[(String, String)]) -> Result<AuditFilter, PageError> {
    let get = |name: &str| Some(query::get(pairs, name).to_owned()).filter(|v| !v.is_empty());
    let day = |name: &str, more: u64| match get(name) {
        None => Ok(None),
        Some(text) => text
            .parse::<chrono::NaiveDate>()
            .ok()
            .and_then(|d| d.checked_add_days(chrono::Days::new(more)))
            .and_then(|d| d.and_hms_opt(0, 0, 0))
            .map(|t| Some(t.and_utc()))
            .ok_or_else(|| {
                PageError::field(
                    name,
                    &format!("\"{text}\" is not a day; write it as 2025-01-31"),
                )
            }),
    };
    Ok(AuditFilter {
        actor: get("actor"),
        action: get("action"),
        subject: get("subject"),
        decision: get("decision"),
        since: day("since", 0)?,
        until: day("until", 1)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_filter() {
        let pairs = query::pairs(
            "actor=cli&action=trial.&decision=&since=2025-01-01&until=2025-01-31&cursor=7",
        );
        let f = filter(&pairs).unwrap();
        assert_eq!(f.actor.as_deref(), Some("cli"));
        assert_eq!(f.action.as_deref(), Some("trial."));
        assert_eq!((f.decision, f.subject), (None, None));
        let text = |t: Option<chrono::DateTime<chrono::Utc>>| t.map(|t| format::time(&t));
        assert_eq!(text(f.since).as_deref(), Some("2025-01-01 00:00:00 UTC"));
        assert_eq!(
            text(f.until).as_deref(),
            Some("2025-02-01 00:00:00 UTC"),
            "all of the last day"
        );
        let wrong = filter(&query::pairs("since=last week")).unwrap_err();
        assert_eq!(wrong.field.as_deref(), Some("since"));
    }

    #[test]
    fn pages_keep_their_filters() {
        let pairs = query::pairs("actor=cli&cursor=7&verify=1");
        assert_eq!(
            without(&pairs, &["cursor", "verify"]),
            "/compliance?actor=cli"
        );
        assert_eq!(without(&[], &["cursor"]), "/compliance");
    }
}
