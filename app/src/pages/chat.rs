//! Conversations: the list with search and the input that begins a new one, and the page of one, whose
//! newest turns an island moves on. The goal, the model that answers and what was spent stand above
//! both and stay in view.

use crate::chat::view::{self, sentences};
use crate::chat::{self, Turn, dollars, turns};
use crate::error::PageError;
use crate::islands::live_talk::LiveTalk;
use crate::live::{self, Live};
use crate::query::{self, Link, segment};
use crate::server::{plain_form, reader, refuse, writer};
use crate::ui;
use crate::{format, words};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_params_map};
use mltrainer_services::{Authority, MemorySearch, Services};
use mltrainer_types::Page;
use mltrainer_types::chat::{
    AlertView, AssistantStatus, ChatMessage, Conversation, GoalProgress, GoalView, MemoryHit, Said,
    SayRequest,
};
use mltrainer_types::llm::KnowledgeCutoff;

/// Messages on a page.
const SHOWN: i64 = 200;

/// Trials of a page whose state is looked up.
const JOBS: usize = 20;

/// Conversations beside a conversation.
const BESIDE: usize = 10;

/// Letters of a message that come back in an address when it was not taken.
const BACK: usize = 1_500;

/// What can be said first: one sentence for each workflow, and two to get to know the program.
const EXAMPLES: [&str; 7] = [
    "What can you do?",
    "What data do you have?",
    "Analyze momentum for AAPL over next 7-10 days",
    "Train ensemble models for TSLA",
    "Optimize my portfolio for maximum Sharpe using momentum stocks",
    "Monitor my portfolio for regime changes and alert me",
    "Develop a strategy based on unusual options activity and earnings momentum",
];

/// A goal as it may be said.
const GOAL: &str = "My goal is a Sharpe ratio above 1 with drawdown below 15%";

/// What stands around every conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Around {
    /// The goal.
    goal: Option<GoalView>,
    /// Who answers, and what was spent.
    status: AssistantStatus,
    /// Alerts that are set.
    alerts: Vec<AlertView>,
}

/// A conversation with the messages that are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The conversation.
    conversation: Conversation,
    /// Its messages.
    messages: Vec<ChatMessage>,
    /// Trials that they began.
    jobs: Vec<Live>,
    /// Other conversations.
    others: Vec<Conversation>,
    /// What stands around.
    around: Around,
}

/// A message that was found, with the title of its conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// What was found.
    found: MemoryHit,
    /// Title of the conversation.
    title: String,
    /// Where it is shown.
    link: String,
}

/// The list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Conversations.
    page: Page<Conversation>,
    /// What the memory found, when something was searched.
    hits: Option<Result<Vec<Hit>, PageError>>,
    /// What stands around.
    around: Around,
}

/// Says something, in a new conversation when none is named.
#[server(prefix = "/api/pages", endpoint = "say")]
pub(crate) async fn say(
    text: String,
    #[server(default)] conversation: String,
) -> Result<Said, PageError> {
    let (services, actor) = writer()?;
    let request = SayRequest {
        text: text.clone(),
        conversation: (!conversation.is_empty()).then(|| conversation.clone().into()),
    };
    let who = Authority::person(actor.0);
    let said = services.say(&who, request, None).await;
    let said = said.map_err(|e| refuse(&e));
    if plain_form() {
        leptos_axum::redirect(&match &said {
            Ok(said) => format!("/chat/{}#newest", segment(said.conversation.as_str())),
            Err(error) => back(&conversation, &text, error),
        });
    }
    said
}

/// Ends the answers of a conversation that are under way; gives how many.
#[server(prefix = "/api/pages", endpoint = "stop_answers")]
pub(crate) async fn stop_answers(conversation: String) -> Result<usize, PageError> {
    let (services, _) = writer()?;
    let done = services.stop_answers(&conversation).await;
    let done = done.map_err(|e| refuse(&e));
    if plain_form() {
        leptos_axum::redirect(&format!("/chat/{}#newest", segment(&conversation)));
    }
    done
}

async fn around(services: &Services, conversation: Option<&str>) -> Result<Around, PageError> {
    Ok(Around {
        goal: services.goal().await.map_err(|e| refuse(&e))?,
        status: services
            .assistant_status(conversation)
            .await
            .map_err(|e| refuse(&e))?,
        alerts: services.alerts().await.map_err(|e| refuse(&e))?,
    })
}

async fn listed(cursor: String, search: String) -> Result<Listed, PageError> {
    let services = reader()?;
    let hits = if search.trim().is_empty() {
        None
    } else {
        Some(hits(&services, search).await)
    };
    Ok(Listed {
        page: services
            .conversations(Some(&cursor))
            .await
            .map_err(|e| refuse(&e))?,
        hits,
        around: around(&services, None).await?,
    })
}

async fn hits(services: &Services, search: String) -> Result<Vec<Hit>, PageError> {
    let found = services
        .search_memory(&MemorySearch {
            query: search,
            ..MemorySearch::default()
        })
        .await
        .map_err(|e| refuse(&e))?;
    let mut hits: Vec<Hit> = Vec::with_capacity(found.len());
    for hit in found {
        let known = services.conversation(hit.conversation.as_str()).await;
        let Ok(conversation) = known else {
            continue;
        };
        hits.push(Hit {
            link: place(&hit, conversation.last_message),
            title: conversation.title,
            found: hit,
        });
    }
    Ok(hits)
}

/// The newest messages of a conversation with what stands around.
pub(super) async fn shown(id: String, before: Option<i64>) -> Result<Shown, PageError> {
    let services = reader()?;
    let messages = services
        .messages(&id, before)
        .await
        .map_err(|e| refuse(&e))?;
    // Read after the messages: what came since follows through the stream.
    let conversation = services.conversation(&id).await.map_err(|e| refuse(&e))?;
    let mut jobs = Vec::new();
    for job in trials(&messages) {
        // One that is gone has its link all the same.
        if let Ok(view) = services.trial(&job).await {
            jobs.push(live::of_view(&view, &[]));
        }
    }
    let others = services.conversations(None).await.map_err(|e| refuse(&e))?;
    Ok(Shown {
        around: around(&services, Some(&id)).await?,
        others: others.items.into_iter().take(BESIDE).collect(),
        conversation,
        messages,
        jobs,
    })
}

/// The list of conversations.
#[component]
pub fn Chat() -> impl IntoView {
    let pairs = query::pairs(&use_location().search.get_untracked());
    let cursor = query::get(&pairs, "cursor").to_owned();
    let search = query::get(&pairs, "q").to_owned();
    view! {
        <Title text="Chat"/>
        <div class="page chat" id="chat">
            {ui::loaded(listed(cursor, search), 12, move |l| list_page(&l, &pairs))}
        </div>
    }
}

/// A conversation.
#[component]
pub fn OneChat() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let pairs = query::pairs(&use_location().search.get_untracked());
    let before = query::get(&pairs, "before").parse().ok();
    view! {
        <div class="page chat" id="chat">
            {ui::loaded(shown(id, before), 16, move |s| one_page(s, before, &pairs))}
        </div>
    }
}

fn list_page(l: &Listed, pairs: &[(String, String)]) -> AnyView {
    let search = query::get(pairs, "q");
    let later = !query::get(pairs, "cursor").is_empty();
    let lede = "Say in plain English what you want to know or have done. Every number of an answer is linked to the result it comes from.";
    let first = (l.page.items.is_empty() || search.is_empty()) && !later;
    view! {
        {strip(&l.around)}
        {ui::head(
            &[("/", "mlTrainer")],
            "Chat".to_owned(),
            view! {
                <p class="lede">{lede}</p>
                <div class="actions">
                    <a class="button" href="/papers">"Papers"</a>
                    <a class="button" href="/coaching">"Coaching"</a>
                </div>
            }
            .into_any(),
        )}
        {first.then(|| view! {
            <section class="begin" aria-label="Begin a conversation">
                {composer("", 0, pairs)}
                <h2 class="small-head">"For example"</h2>
                {sentences("Sentences to begin with", "examples", &EXAMPLES.map(str::to_owned))}
            </section>
        })}
        <div class="columns">
            <div>
                {ui::panel("conversations", "Conversations", ().into_any(), conversations(&l.page, later))}
            </div>
            <div>
                {ui::panel("memory", "Memory", ().into_any(), memory(l.hits.as_ref(), search))}
                {alerts(&l.around.alerts)}
            </div>
        </div>
    }
    .into_any()
}

fn conversations(page: &Page<Conversation>, later: bool) -> AnyView {
    if page.items.is_empty() {
        let text = if later {
            "There is nothing older."
        } else {
            "No conversation yet. Say something above, or take one of the examples."
        };
        return view! { <p class="quiet">{text}</p> }.into_any();
    }
    let working = page.items.iter().any(|c| c.working);
    view! {
        <div id="conversation-list" data-refresh=working.then_some("3000")>{conversation_list(&page.items, None)}</div>
        {super::trials::pager("/chat", page.next.as_deref(), later)}
    }
    .into_any()
}

fn conversation_list(list: &[Conversation], current: Option<&str>) -> AnyView {
    let items = list
        .iter()
        .map(|c| {
            let here = current == Some(c.id.as_str());
            let messages = format::counted(c.last_message.unsigned_abs(), "message", "messages");
            view! {
                <li>
                    <a href=format!("/chat/{}#newest", segment(c.id.as_str())) aria-current=here.then_some("page")>{c.title.clone()}</a>
                    <span class="quiet">
                        {ui::time(&c.updated_at)} " · " {messages}
                        {c.working.then_some(" · being answered")}
                    </span>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="conversations">{items}</ul> }.into_any()
}

/// Where the results stand on the page, they follow what is typed.
fn search_form(search: &str, results: Option<&'static str>) -> AnyView {
    view! {
        <form method="get" action="/chat" role="search" class="memory-search" data-live=results>
            <label class="visually-hidden" for="q">"Search all conversations"</label>
            <input type="search" id="q" name="q" value=search.to_owned() maxlength="500" placeholder="Search"/>
            <button class="button">"Search"</button>
        </form>
    }
    .into_any()
}

fn memory(hits: Option<&Result<Vec<Hit>, PageError>>, search: &str) -> AnyView {
    let body = match hits {
        None => view! { <p class="quiet">"Every message, action and result is kept and can be found by its words."</p> }.into_any(),
        Some(Err(e)) => ui::error_panel(e),
        Some(Ok(hits)) if hits.is_empty() => {
            view! { <p>"Nothing was said with these words. Try fewer or other ones."</p> }.into_any()
        }
        Some(Ok(hits)) => {
            let items = hits.iter().map(hit).collect_view();
            view! { <ol class="hits">{items}</ol> }.into_any()
        }
    };
    view! { {search_form(search, Some("hits"))} <div id="hits">{body}</div> }.into_any()
}

fn hit(h: &Hit) -> AnyView {
    let who = if h.found.role == mltrainer_types::chat::ChatRole::User {
        "You".to_owned()
    } else {
        h.found.author.clone()
    };
    view! {
        <li>
            <a href=h.link.clone()>{h.title.clone()}</a>
            <p>{view::snippet(&h.found.snippet)}</p>
            <p class="quiet">{who} " · " {ui::time(&h.found.at)}</p>
        </li>
    }
    .into_any()
}

/// Where a message that was found is shown.
fn place(hit: &MemoryHit, last: i64) -> String {
    let id = segment(hit.conversation.as_str());
    let link = Link::to(&format!("/chat/{id}"));
    // Beyond the messages that the page shows by itself: with some that follow it.
    let link = if hit.seq + SHOWN > last {
        link
    } else {
        link.with("before", &(hit.seq + 20).to_string())
    };
    format!("{}#m{}", link.build(), hit.seq)
}

fn one_page(s: Shown, before: Option<i64>, pairs: &[(String, String)]) -> AnyView {
    let id = s.conversation.id.to_string();
    let older = s
        .messages
        .first()
        .map(|m| m.seq)
        .filter(|first| *first > 1)
        .map(|first| {
            let href = Link::to(&format!("/chat/{}", segment(&id)))
                .with("before", &first.to_string())
                .build();
            view! { <p class="older"><a class="button" href=href rel="prev">{format!("Show the {SHOWN} before")}</a></p> }
        });
    let title = s.conversation.title.clone();
    let (begun, around, others) = (
        s.conversation.created_at,
        s.around.clone(),
        s.others.clone(),
    );
    let (working, talk) = talk(s, older, before, pairs);
    let refresh = working.then(|| {
        // An address that differs before its fragment: else nothing is loaded.
        let again = if query::get(pairs, "again") == "1" {
            "2"
        } else {
            "1"
        };
        let link = Link::to(&format!("/chat/{}", segment(&id))).with("again", again);
        let content = format!("4; url={}#newest", link.build());
        view! { <noscript><meta http-equiv="refresh" content=content/></noscript> }
    });
    view! {
        <Title text=title.clone()/>
        {strip(&around)}
        {ui::head(
            &[("/", "mlTrainer"), ("/chat", "Chat")],
            title,
            view! { <p class="quiet">"Begun " {ui::time(&begun)}</p> }.into_any(),
        )}
        {refresh}
        <div class="chat-room">
            {talk}
            <aside class="chat-side" id="chat-side" aria-label="Other conversations, search and export">
                {side(&others, &id, &around)}
            </aside>
        </div>
    }
    .into_any()
}

/// Whether a conversation is being answered, and its messages with the input below them.
pub(super) fn talk(
    s: Shown,
    older: impl IntoView + 'static,
    before: Option<i64>,
    pairs: &[(String, String)],
) -> (bool, AnyView) {
    let id = s.conversation.id.to_string();
    let last = s.messages.last().map_or(0, |m| m.seq);
    // Later messages are left out: there is nothing to follow and nothing to say here.
    let past = before.is_some() && last < s.conversation.last_message;
    let list = turns(s.messages);
    let working = list.iter().any(Turn::open);
    // One turn alone is what the page takes into itself while it is open.
    let only: Option<i64> = query::get(pairs, "turn").parse().ok();
    let list = list
        .iter()
        .filter(|t| only.is_none_or(|key| t.key == key))
        .map(|t| view::turn(t, &s.jobs))
        .collect_view();
    let foot = if past {
        let href = format!("/chat/{}#newest", segment(&id));
        view! { <p class="older"><a class="button primary" href=href>"To the newest messages"</a></p> }
            .into_any()
    } else {
        dock(&id, last, working, pairs)
    };
    let section = view! {
        <section class="talk" aria-label="Conversation">
            {older}
            <div class="talk-turns" id="turns" role="log" aria-live="polite" aria-label="Messages">{list}</div>
            {foot}
        </section>
    };
    (working, section.into_any())
}

/// The end of the messages, and what stays at the thumb.
fn dock(id: &str, last: i64, working: bool, pairs: &[(String, String)]) -> AnyView {
    view! {
        <div id="newest"></div>
        <div class="dock">
            <div class="dock-float">
                <form id="stop" method="post" action=chat::STOP hidden=!working>
                    <input type="hidden" name="conversation" value=id.to_owned()/>
                    <button class="button">"Stop the answer"</button>
                </form>
                <a class="button" id="to-newest" href="#newest" hidden>"Newest ↓"</a>
            </div>
            {composer(id, last, pairs)}
        </div>
    }
    .into_any()
}

/// The input: Enter sends, Shift and Enter break the line, where there is script.
fn composer(id: &str, last: i64, pairs: &[(String, String)]) -> AnyView {
    let problem = query::get(pairs, "problem");
    let shown = if problem.is_empty() {
        String::new()
    } else {
        format!("✕ {}", ui::sentence(problem))
    };
    view! {
        <form id="composer" class="composer" method="post" action=chat::SAY>
            <input type="hidden" name="conversation" value=id.to_owned()/>
            <label class="visually-hidden" for="say">"Message"</label>
            <textarea
                id="say"
                name="text"
                rows="1"
                required
                maxlength=chat::LONGEST
                placeholder="Ask in plain words"
                autocomplete="off"
                enterkeyhint="send"
                aria-describedby="say-keys say-count"
            >
                {query::get(pairs, "say").to_owned()}
            </textarea>
            <button class="button primary" id="say-send">"Send"</button>
            <p class="composer-problem" id="say-problem" role="alert" hidden=shown.is_empty()>{shown.clone()}</p>
            <p class="composer-line">
                <span class="composer-keys" id="say-keys">"Enter sends, Shift+Enter breaks the line"</span>
                <span class="figures" id="say-count" aria-live="polite"></span>
                <LiveTalk id=id.to_owned() last=last/>
            </p>
        </form>
    }
    .into_any()
}

fn side(others: &[Conversation], id: &str, around: &Around) -> AnyView {
    let export = |ending: &str| format!("/api/v1/conversations/{}/export.{ending}", segment(id));
    view! {
        <p><a class="button" href="/chat">"New conversation"</a></p>
        {search_form("", None)}
        {ui::panel(
            "recent",
            "Conversations",
            view! { <a class="more" href="/chat#conversations">"All →"</a> }.into_any(),
            conversation_list(others, Some(id)),
        )}
        {alerts(&around.alerts)}
        {ui::panel(
            "export",
            "This conversation as a file",
            ().into_any(),
            view! {
                <ul class="files">
                    <li><a href=export("md") download="" rel="external">"Markdown"</a></li>
                    <li><a href=export("json") download="" rel="external">"JSON"</a></li>
                </ul>
            }
            .into_any(),
        )}
        {spent_here(&around.status).map(|text| view! { <p class="quiet">{text}</p> })}
    }
    .into_any()
}

/// What the watched alerts noticed last.
fn alerts(list: &[AlertView]) -> Option<AnyView> {
    if list.is_empty() {
        return None;
    }
    let mut events: Vec<_> = list.iter().flat_map(|a| &a.events).collect();
    events.sort_by_key(|e| std::cmp::Reverse(e.seq));
    let items = events
        .iter()
        .take(5)
        .map(|e| view! { <li><p>{e.sentence.clone()}</p> <p class="quiet">{ui::time(&e.at)}</p></li> })
        .collect_view();
    let body = view! {
        <p class="quiet">{format::counted(list.len() as u64, "alert is set", "alerts are set")} {events.is_empty().then_some(", none has fired yet")}</p>
        <ul class="lines">{items}</ul>
    }
    .into_any();
    Some(ui::panel("alerts", "Alerts", ().into_any(), body))
}

/// Goal, model and what was spent: always in view.
fn strip(around: &Around) -> AnyView {
    let goal = match &around.goal {
        None => view! {
            <p class="strip-goal">
                <span class="strip-name">"Goal"</span> " "
                <span>"No goal yet: say " {sentence_link(GOAL)}</span>
            </p>
        }
        .into_any(),
        Some(g) => view! {
            <p class="strip-goal" tabindex="0">
                <span class="strip-name">"Goal"</span> " "
                <span>{g.goal.text.clone()}</span>
            </p>
            {(!g.progress.is_empty()).then(|| view! {
                <ul class="strip-figures" aria-label="Progress towards the goal">
                    {g.progress.iter().map(|p| view! { <li>{progress(p)}</li> }).collect_view()}
                </ul>
            })}
        }
        .into_any(),
    };
    view! {
        <section class="chat-strip" id="chat-strip" aria-label="Goal, model and cost">
            {goal}
            <p class="strip-model">{who_answers(&around.status)}</p>
        </section>
    }
    .into_any()
}

fn sentence_link(text: &str) -> AnyView {
    let href = Link::to("").with("say", text).build();
    view! { <a href=format!("{href}#composer") data-say=text.to_owned()>"“" {text.to_owned()} "”"</a> }
        .into_any()
}

fn progress(p: &GoalProgress) -> AnyView {
    let (sign, class) = match p.reached {
        Some(true) => ("✓", "done"),
        Some(false) => ("○", "wait"),
        None => ("·", "none"),
    };
    let badge = ui::badge(sign, &progress_words(p), class);
    match p.link.clone() {
        Some(href) => view! { <a href=href title="Open the result">{badge}</a> }.into_any(),
        None => badge,
    }
}

/// "Sharpe ratio at least 1.5: best 1.21".
#[must_use]
pub fn progress_words(p: &GoalProgress) -> String {
    let (name, _, share) = words::metric(&p.metric);
    let best = p.best.map_or_else(
        || "no result yet".to_owned(),
        |x| {
            let value = if share {
                format::percent(Some(x), 1)
            } else {
                format::figure(Some(x))
            };
            format!("best {value}")
        },
    );
    format!("{name} {}: {best}", p.wanted)
}

/// The model with its knowledge cut-off, and what was spent today of what may be.
#[must_use]
pub fn who_answers(s: &AssistantStatus) -> String {
    let Some(model) = &s.model else {
        return "Built-in parser: no language model, no cost".to_owned();
    };
    let known = match &model.cutoff {
        KnowledgeCutoff::Unknown => "knowledge cut-off not known".to_owned(),
        KnowledgeCutoff::Known { last_day, .. } => {
            format!("knows up to {}", format::day(*last_day))
        }
    };
    let mut line = format!(
        "{} @ {}, {known} · today {}",
        model.model,
        model.host,
        dollars(s.today.micro_dollars)
    );
    match s.ceilings.day.micro_dollars {
        Some(most) => line.push_str(&format!(" of {}", dollars(most))),
        None => line.push_str(" (no ceiling)"),
    }
    if let Some(most) = s.ceilings.day.tokens {
        line.push_str(&format!(
            ", {} of {} tokens",
            format::count(s.today.tokens),
            format::count(most)
        ));
    }
    if s.today.unpriced_calls > 0 {
        line.push_str(&format!(
            ", {} without a known price",
            format::counted(s.today.unpriced_calls, "call", "calls")
        ));
    }
    line
}

/// What the conversation cost so far.
fn spent_here(s: &AssistantStatus) -> Option<String> {
    let spent = s.conversation.filter(|c| c.calls > 0)?;
    Some(format!(
        "This conversation: {}, {}, {}.",
        format::counted(spent.calls, "call of the model", "calls of the model"),
        format::counted(spent.tokens, "token", "tokens"),
        dollars(spent.micro_dollars)
    ))
}

/// The trials that messages began, the newest ones, each once.
fn trials(messages: &[ChatMessage]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let jobs = messages
        .iter()
        .rev()
        .flat_map(|m| &m.cards)
        .filter_map(|c| c.outcome.as_ref()?.job.as_ref());
    for job in jobs {
        if job.kind == "trial" && !ids.contains(&job.id) && ids.len() < JOBS {
            ids.push(job.id.clone());
        }
    }
    ids
}

/// The page to which a message comes back that was not taken, with what is wrong.
fn back(conversation: &str, text: &str, error: &PageError) -> String {
    let path = if conversation.is_empty() || error.status == 404 {
        "/chat".to_owned()
    } else {
        format!("/chat/{}", segment(conversation))
    };
    let text: String = text.chars().take(BACK).collect();
    let link = Link::to(&path)
        .with("say", &text)
        .with("problem", &error.detail)
        .build();
    format!("{link}#composer")
}

/// One line that begins a conversation, for the dashboard, with the goal.
pub(crate) fn one_line(goal: Option<&GoalView>) -> AnyView {
    let goal = goal.map(|g| {
        let figures = g
            .progress
            .iter()
            .map(|p| view! { <li>{progress(p)}</li> })
            .collect_view();
        view! {
            <div class="dashboard-goal">
                <p><span class="strip-name">"Goal"</span> " " {g.goal.text.clone()}</p>
                <ul class="strip-figures" aria-label="Progress towards the goal">{figures}</ul>
            </div>
        }
    });
    view! {
        <div class="ask">
            <form method="post" action=chat::SAY class="ask-line">
                <label class="visually-hidden" for="ask">"Ask or tell in plain words"</label>
                <input id="ask" name="text" required maxlength="10000" autocomplete="off" enterkeyhint="send" placeholder="Ask or tell in plain words: “Analyze momentum for AAPL”"/>
                <button class="button">"Ask"</button>
            </form>
            {goal}
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::chat::{ActionCard, ActionOutcome, CardState, ChatRole, Job};
    use mltrainer_types::llm::{Ceiling, Ceilings, LlmProvider, ModelIdentity, Spent};

    #[test]
    fn progress_reads_as_a_sentence() {
        let p = |metric: &str, wanted: &str, best| GoalProgress {
            metric: metric.to_owned(),
            wanted: wanted.to_owned(),
            best,
            reached: None,
            link: None,
        };
        for (progress, expected) in [
            (
                p("sharpe_ratio", "at least 1.5", Some(1.214)),
                "Sharpe ratio at least 1.5: best 1.214",
            ),
            (
                p("max_drawdown", "at most 0.15", Some(0.123)),
                "Max drawdown at most 0.15: best 12.3\u{a0}%",
            ),
            (
                p("rmse", "as small as possible", None),
                "RMSE as small as possible: no result yet",
            ),
        ] {
            assert_eq!(progress_words(&progress), expected);
        }
    }

    fn status(
        cutoff: KnowledgeCutoff,
        ceiling: Option<u64>,
        unpriced_calls: u64,
    ) -> AssistantStatus {
        AssistantStatus {
            model: Some(ModelIdentity {
                provider: LlmProvider::Anthropic,
                model: "m-1".into(),
                host: "example.org".into(),
                cutoff,
            }),
            trust: 5,
            ceilings: Ceilings {
                day: Ceiling {
                    tokens: Some(5_000_000),
                    micro_dollars: ceiling,
                },
                ..Ceilings::default()
            },
            today: Spent {
                calls: 3,
                tokens: 12_345,
                micro_dollars: 21_000,
                unpriced_calls,
            },
            conversation: None,
        }
    }

    #[test]
    fn who_answers_and_what_it_cost_is_said() {
        let known = KnowledgeCutoff::Known {
            last_day: chrono::NaiveDate::from_ymd_opt(2025, 7, 31).unwrap(),
            source: "configured".into(),
        };
        for (status, expected) in [
            (
                status(known, Some(10_000_000), 0),
                "m-1 @ example.org, knows up to 2025-07-31 · today $0.0210 of $10.00, 12,345 of 5,000,000 tokens",
            ),
            (
                status(KnowledgeCutoff::Unknown, None, 1),
                "m-1 @ example.org, knowledge cut-off not known · today $0.0210 (no ceiling), 12,345 of 5,000,000 tokens, 1 call without a known price",
            ),
            (
                AssistantStatus {
                    model: None,
                    ..status(KnowledgeCutoff::Unknown, None, 0)
                },
                "Built-in parser: no language model, no cost",
            ),
        ] {
            assert_eq!(who_answers(&status), expected);
        }
    }

    #[test]
    fn a_message_that_was_found_is_on_the_page_that_the_link_leads_to() {
        let hit = |seq| MemoryHit {
            conversation: "c-1".into(),
            seq,
            at: chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            role: ChatRole::User,
            author: "user".into(),
            snippet: String::new(),
            importance: 0.5,
            topics: vec![],
            score: 1.0,
        };
        for (seq, last, expected) in [
            (12, 30, "/chat/c-1#m12"),
            (101, 300, "/chat/c-1#m101"),
            (100, 300, "/chat/c-1?before=120#m100"),
        ] {
            assert_eq!(place(&hit(seq), last), expected);
        }
    }

    #[test]
    fn a_message_comes_back_with_what_is_wrong() {
        let busy = PageError::new(409, "Contradicts what is there", "four answers & more");
        for (conversation, error, expected) in [
            (
                "c-1",
                busy.clone(),
                "/chat/c-1?say=a%20%3F&problem=four%20answers%20%26%20more#composer",
            ),
            (
                "",
                busy,
                "/chat?say=a%20%3F&problem=four%20answers%20%26%20more#composer",
            ),
            (
                "c-9",
                PageError::new(404, "Unknown", "gone"),
                "/chat?say=a%20%3F&problem=gone#composer",
            ),
        ] {
            assert_eq!(back(conversation, "a ?", &error), expected);
        }
        let long = "x".repeat(9_000);
        assert!(back("", &long, &PageError::default()).len() < 1_600);
    }

    #[test]
    fn the_newest_trials_are_looked_up_once() {
        let message = |seq: i64, kind: &str, id: &str| ChatMessage {
            seq,
            conversation: "c-1".into(),
            at: chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            role: ChatRole::Agent,
            author: "Model agent".into(),
            answers: Some(1),
            text: String::new(),
            pieces: vec![],
            citations: vec![],
            cards: vec![ActionCard {
                action: "run_trial".into(),
                title: String::new(),
                params: serde_json::Value::Null,
                state: CardState::Done,
                problem: None,
                outcome: Some(ActionOutcome {
                    job: Some(Job {
                        kind: kind.into(),
                        id: id.into(),
                        link: String::new(),
                    }),
                    ..ActionOutcome::default()
                }),
            }],
            question: None,
            model: None,
            usage: None,
            cost: None,
            importance: 0.2,
            topics: vec![],
        };
        let list = [
            message(2, "trial", "t-1"),
            message(3, "backtest", "b-1"),
            message(4, "trial", "t-2"),
            message(5, "trial", "t-1"),
        ];
        assert_eq!(trials(&list), ["t-1", "t-2"]);
    }
}
