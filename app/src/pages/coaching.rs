//! Coaches with their trust, what they did and what it changed against the uncoached control, the
//! questions of the engine, and recipes.

use super::chat::{self, Shown};
use crate::error::PageError;
use crate::format;
use crate::query::{self, Link, segment};
use crate::server::{plain_form, reader, refuse, writer};
use crate::ui;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use mltrainer_services::{Authority, Stage};
use mltrainer_types::assistant::{AssistantAction, Undo};
use mltrainer_types::chat::SayRequest;
use mltrainer_types::coach::{
    CoachView, Coaching as View, GuidanceRequest, Intervention, InterventionState, Recipe,
    Unattended,
};

/// Says a command of a coach in words; the answer stands in a conversation on the page.
#[server(prefix = "/api/pages", endpoint = "coach_says")]
pub(crate) async fn coach_says(text: String) -> Result<String, PageError> {
    let (services, actor) = writer()?;
    let request = SayRequest {
        text: text.clone(),
        conversation: None,
    };
    let said = services
        .say(&Authority::person(actor.0), request, None)
        .await;
    let said = said.map_err(|e| refuse(&e)).map(|s| s.conversation.0);
    if plain_form() {
        leptos_axum::redirect(&match &said {
            Ok(id) => format!("/coaching?conversation={}#newest", segment(id)),
            Err(e) => back("text", &text, e),
        });
    }
    said
}

/// Takes an intervention back.
#[server(prefix = "/api/pages", endpoint = "undo_intervention")]
pub(crate) async fn undo_intervention(id: String) -> Result<(), PageError> {
    let (services, actor) = writer()?;
    let action = AssistantAction::Undo(Box::new(Undo {
        intervention: Some(id.clone()),
    }));
    let who = Authority::person(actor.0);
    let done = services.perform(&who, &action, &Stage::alone()).await;
    let done = done.map(|_| ()).map_err(|e| refuse(&e));
    if plain_form() {
        leptos_axum::redirect(&match &done {
            Ok(()) => format!("/coaching#{}", segment(&id)),
            Err(e) => back("intervention", &id, e),
        });
    }
    done
}

fn back(name: &str, value: &str, error: &PageError) -> String {
    Link::to("/coaching")
        .with(name, value)
        .with("error", &error.detail)
        .build()
}

/// Everything on the page, with the conversation that its address names.
async fn view(conversation: String) -> Result<(View, Option<Shown>), PageError> {
    let all = reader()?.coaching().await.map_err(|e| refuse(&e))?;
    let talk = match conversation.as_str() {
        "" => None,
        id => Some(chat::shown(id.to_owned(), None).await?),
    };
    Ok((all, talk))
}

/// The page.
#[component]
pub fn Coaching() -> impl IntoView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    let error = query::get(&pairs, "error").to_owned();
    let typed = query::get(&pairs, "text").to_owned();
    let conversation = query::get(&pairs, "conversation").to_owned();
    view! {
        <Title text="Coaching"/>
        <div class="page">
            {ui::head(
                &[("/", "mlTrainer")],
                "Coaching".to_owned(),
                view! {
                    <p class="lede">
                        "A coach, a person or a program over MCP, steers trials by typed commands. Each intervention is an experiment: the same trial runs on without it, and the measured difference moves the coach's trust."
                    </p>
                }
                .into_any(),
            )}
            {(!error.is_empty()).then(|| view! { <p class="error" role="alert">{ui::sentence(&error)}</p> })}
            {ui::loaded(view(conversation), 12, move |(v, talk)| view! {
                {said(talk, &typed, &pairs)}
                {parts(&v)}
            }.into_any())}
        </div>
    }
}

/// The conversation with the engine as it goes on, or the input that begins one.
fn said(talk: Option<Shown>, typed: &str, pairs: &[(String, String)]) -> AnyView {
    let Some(shown) = talk else {
        return command(typed);
    };
    let (_, talk) = chat::talk(shown, (), None, pairs);
    view! {
        <section class="chat with-engine">
            {talk}
            <p><a href="/coaching">"Another conversation"</a></p>
        </section>
    }
    .into_any()
}

/// The program's own model as a coach, where it may act without a person.
fn unattended(u: &Unattended) -> AnyView {
    let acts = if u.trust < 9 {
        "It acts from trust 9 on.".to_owned()
    } else {
        format!(
            "It made {} of {} interventions of today.",
            u.today, u.per_day
        )
    };
    view! {
        <p class="quiet">
            {format!("{} answers questions of the engine without a person, each once. {acts}", u.coach)}
        </p>
    }
    .into_any()
}

fn command(typed: &str) -> AnyView {
    view! {
        <form class="command" action="/api/pages/coach_says" method="post">
            <label for="coach-text">"A command in words"</label>
            <input
                id="coach-text"
                name="text"
                required=true
                maxlength="2000"
                autocomplete="off"
                value=typed.to_owned()
                placeholder="Override the model choice in the last trial with ridge"
            />
            <button class="button primary" type="submit">"Say it"</button>
        </form>
    }
    .into_any()
}

fn parts(v: &View) -> AnyView {
    view! {
        {ui::panel("coaches", "Coaches", ().into_any(), coaches(v))}
        {ui::panel("questions", "The engine asks", ().into_any(), questions(&v.requests))}
        {ui::panel("interventions", "Interventions", ().into_any(), interventions(&v.interventions))}
        {ui::panel("recipes", "Recipes taught", ().into_any(), recipes(&v.recipes))}
    }
    .into_any()
}

fn coaches(v: &View) -> AnyView {
    let body = if v.coaches.is_empty() {
        view! { <p class="quiet">"No coach has said anything yet."</p> }.into_any()
    } else {
        let rows = v.coaches.iter().map(coach).collect_view().into_any();
        let heads = ui::heads(&["Coach", "#Trust", "#Interventions", "History"]);
        ui::table("Coaches and their trust", "plain", heads, rows)
    };
    view! {
        {body}
        <p class="quiet">{v.rule.clone()}</p>
        {v.unattended.as_ref().map(unattended)}
    }
    .into_any()
}

fn coach(c: &CoachView) -> AnyView {
    let steps = c
        .history
        .iter()
        .map(|s| view! { <li>{ui::time(&s.at)} ": " {s.trust} ", " {s.reason.clone()}</li> })
        .collect_view();
    view! {
        <tr>
            <th scope="row">{c.name.clone()}</th>
            <td class="num">
                <meter min="0" max="10" value=i32::from(c.trust) aria-label="Trust of ten"></meter>
                " "
                {c.trust}
            </td>
            <td class="num">{c.interventions}</td>
            <td>
                <details>
                    <summary>{format::counted(c.history.len() as u64, "step", "steps")}</summary>
                    <ol>{steps}</ol>
                </details>
            </td>
        </tr>
    }
    .into_any()
}

fn questions(all: &[GuidanceRequest]) -> AnyView {
    if all.is_empty() {
        return view! { <p class="quiet">"Nothing is asked. When a trial ends without an edge, with a near tie or a drift, its question stands here."</p> }.into_any();
    }
    let rows = all
        .iter()
        .map(|q| {
            let state = match (&q.answered_by, &q.lapsed_at) {
                (Some(id), _) => format!("answered by {}", format::short_id(id)),
                (None, Some(at)) => format!("nobody answered until {}: nothing was changed", format::time(at)),
                (None, None) => format!("open until {}; without an answer nothing is changed", format::time(&q.deadline)),
            };
            view! {
                <li>
                    <p>{q.sentence.clone()}</p>
                    <p class="quiet">
                        <a href=format!("/trials/{}", segment(q.trial.as_str()))>{format::short_id(q.trial.as_str())}</a>
                        ", "
                        {q.kind.replace('_', " ")}
                        ", "
                        {state}
                    </p>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="asked">{rows}</ul> }.into_any()
}

fn state_words(i: &Intervention) -> (&'static str, &'static str, &'static str) {
    match i.state {
        InterventionState::Noted => ("·", "words only", "quiet"),
        InterventionState::Running => ("…", "being measured", "busy"),
        InterventionState::Measured => match &i.effect {
            Some(e) if e.low > 0.0 => ("+", "helped", "good"),
            Some(e) if e.high < 0.0 => ("−", "harmed", "bad"),
            _ => ("=", "no difference shown", "quiet"),
        },
        InterventionState::Unmeasured => ("?", "not measured", "quiet"),
        InterventionState::Undone => ("↶", "taken back", "quiet"),
    }
}

fn interventions(all: &[Intervention]) -> AnyView {
    if all.is_empty() {
        return view! { <p class="quiet">"No intervention yet. Say for example: \"Change alpha of the running trial to 10\"."</p> }.into_any();
    }
    all.iter()
        .map(|i| {
            let (sign, word, class) = state_words(i);
            let link = |name: &'static str, id: &Option<mltrainer_types::TrialId>| {
                id.as_ref().map(|id| {
                    view! {
                        <a href=format!("/trials/{}", segment(id.as_str()))>{name} " " {format::short_id(id.as_str())}</a>
                        " "
                    }
                })
            };
            let can = i.state != InterventionState::Undone;
            view! {
                <article class="intervention" id=i.id.clone()>
                    <header>
                        {ui::badge(sign, word, class)}
                        " "
                        <strong>{i.coach.clone()}</strong>
                        ", "
                        {ui::time(&i.at)}
                    </header>
                    <p>{i.words.clone()}</p>
                    {i.effect.as_ref().map(|e| view! { <p>{e.sentence.clone()}</p> })}
                    <p class="actions">
                        {link("Control", &i.control)}
                        {link("Coached", &i.coached)}
                    </p>
                    {can.then(|| view! {
                        <form action="/api/pages/undo_intervention" method="post">
                            <input type="hidden" name="id" value=i.id.clone()/>
                            <button class="button" type="submit">"Take it back"</button>
                        </form>
                    })}
                </article>
            }
        })
        .collect_view()
        .into_any()
}

fn recipes(all: &[Recipe]) -> AnyView {
    if all.is_empty() {
        return view! { <p class="quiet">"None. Say for example: \"Teach a methodology: ridge and xgboost on volatility features, stacked\"."</p> }.into_any();
    }
    let rows = all
        .iter()
        .map(|r| {
            view! {
                <tr>
                    <th scope="row"><code>{r.name.clone()}</code></th>
                    <td>{r.models.join(", ")}</td>
                    <td>{r.features.join(", ")}</td>
                    <td>{r.ensemble.clone().unwrap_or_default()}</td>
                    <td>{r.coach.clone()}</td>
                </tr>
            }
        })
        .collect_view()
        .into_any();
    let heads = ui::heads(&["Name", "Models", "Features", "Combination", "Coach"]);
    ui::table("Recipes", "plain", heads, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::coach::Effect;

    #[test]
    fn an_effect_is_called_by_its_interval() {
        let mut i = Intervention {
            id: "i-1".to_owned(),
            at: chrono::DateTime::UNIX_EPOCH,
            coach: "c".to_owned(),
            action: "override_models".to_owned(),
            params: serde_json::Value::Null,
            words: String::new(),
            control: None,
            coached: None,
            state: InterventionState::Measured,
            effect: None,
        };
        for (low, high, word) in [
            (0.1, 0.3, "helped"),
            (-0.3, -0.1, "harmed"),
            (-0.1, 0.1, "no difference shown"),
        ] {
            i.effect = Some(Effect {
                loss: "squared_error".to_owned(),
                control: 1.0,
                coached: 1.0,
                difference: (low + high) / 2.0,
                low,
                high,
                rows: 50,
                sentence: String::new(),
            });
            assert_eq!(state_words(&i).1, word);
        }
    }
}
