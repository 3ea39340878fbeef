//! Conversations from outside: a language model proposes and the gate decides, hostile text does nothing,
//! the workflows answer with figures of results, and an answer survives kill -9.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::routing::post;
use mltrainer_it::{Launch, Server};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Says something and waits for the answer.
async fn say(server: &Server, conversation: Option<&str>, text: &str) -> Value {
    let body = json!({ "text": text, "conversation": conversation });
    let said = server.post("/api/v1/conversations", &body).await;
    assert_eq!(said.status(), 202, "{text}");
    let said: Value = said.json().await.unwrap();
    answer_to(server, &said).await
}

/// The assistant's message that answers one of a person.
async fn answer_to(server: &Server, said: &Value) -> Value {
    let path = format!(
        "/api/v1/conversations/{}/messages",
        said["conversation"].as_str().unwrap()
    );
    for _ in 0..3_000 {
        let all = server.json(&path).await;
        let list = all.as_array().or_else(|| all["items"].as_array());
        let found = list
            .unwrap()
            .iter()
            .find(|m| m["role"] == "assistant" && m["answers"] == said["seq"]);
        if let Some(found) = found {
            return found.clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("there was no answer within five minutes: {}", server.log());
}

/// Every number of an answer is a figure of a result.
fn nothing_unverified(answer: &Value) {
    for piece in answer["pieces"].as_array().unwrap() {
        assert_ne!(piece["kind"], "unverified", "{piece} in {}", answer["text"]);
    }
}

/// A server that speaks as OpenAI-compatible ones do, and says what it is told to, in order.
pub(crate) struct Scripted {
    url: String,
    pub(crate) asked: Arc<Mutex<Vec<Value>>>,
    script: Arc<Mutex<VecDeque<Value>>>,
}

impl Scripted {
    pub(crate) async fn start(answers: Vec<Value>) -> Self {
        let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
        let script: Arc<Mutex<VecDeque<Value>>> = Arc::new(Mutex::new(answers.into()));
        let (heard, rest) = (asked.clone(), script.clone());
        let app = Router::new().route(
            "/v1/chat/completions",
            post(move |axum::Json(request): axum::Json<Value>| {
                let (heard, script) = (heard.clone(), script.clone());
                async move {
                    heard.lock().unwrap().push(request);
                    let Some(delta) = script.lock().unwrap().pop_front() else {
                        return (axum::http::StatusCode::BAD_REQUEST, "no more answers").into_response();
                    };
                    let reason = if delta["tool_calls"].is_array() { "tool_calls" } else { "stop" };
                    let chunk = |body: Value| format!("data: {body}\n\n");
                    let text = [
                        chunk(json!({"id": "c1", "model": "scripted", "choices": [{"index": 0, "delta": delta}]})),
                        chunk(json!({"id": "c1", "model": "scripted", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})),
                        chunk(json!({"id": "c1", "model": "scripted", "choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}})),
                        "data: [DONE]\n\n".to_owned(),
                    ]
                    .concat();
                    ([(header::CONTENT_TYPE, "text/event-stream")], text).into_response()
                }
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            url,
            asked,
            script: rest,
        }
    }

    pub(crate) async fn server(&self, trust: &str) -> Server {
        self.launch(trust).start().await
    }

    fn launch(&self, trust: &str) -> Launch {
        Launch::fresh()
            .env("MLTRAINER_LLM_PROVIDER", "openai_compatible")
            .env("MLTRAINER_LLM_URL", &self.url)
            .env("MLTRAINER_LLM_MODEL", "scripted")
            .env("MLTRAINER_LLM_PRICE", "1/2")
            .env("MLTRAINER_LLM_CUTOFF", "2010-06-30")
            .env("MLTRAINER_LLM_TRUST", trust)
    }
}

pub(crate) fn call(name: &str, arguments: &Value) -> Value {
    json!({"role": "assistant", "tool_calls": [{
        "index": 0, "id": format!("call_{name}"), "type": "function",
        "function": {"name": name, "arguments": arguments.to_string()},
    }]})
}

fn words(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

#[tokio::test]
async fn a_model_names_figures_and_a_bare_number_is_marked() {
    let model = Scripted::start(vec![
        call("list_datasets", &json!({"kind": "bars"})),
        words("I looked: {{r1.f1}} data sets have bars, and I guess 1234.5 more exist."),
    ])
    .await;
    let server = model.server("5").await;
    let answer = say(&server, None, "What data with bars do you have?").await;
    let pieces = answer["pieces"].as_array().unwrap();
    let figure = pieces.iter().find(|p| p["kind"] == "figure").unwrap();
    // AAPL, FB, GOOG, IBM, IXIC, MSFT and SPX ship with bars.
    assert_eq!(figure["text"], "7", "{answer}");
    let marked: Vec<&Value> = pieces
        .iter()
        .filter(|p| p["kind"] == "unverified")
        .collect();
    assert_eq!(marked.len(), 1, "{pieces:?}");
    assert_eq!(marked[0]["text"], "1234.5");
    assert_eq!(answer["model"]["model"], "scripted");
    // Two calls of 100 and 10 tokens at $1 and $2 a million: 2 x (100 + 20) millionths of a dollar.
    assert_eq!(answer["cost"]["micro_dollars"], 240, "{}", answer["cost"]);
    let status = server.json("/api/v1/assistant").await;
    assert_eq!(status["today"]["micro_dollars"], 240, "{status}");
    assert_eq!(status["model"]["cutoff"]["last_day"], "2010-06-30");
    // The model was given the tools and the result, and no other secret of the machine.
    let asked = model.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2);
    assert!(asked[0]["tools"].as_array().unwrap().len() >= 50);
    let all = asked[1].to_string();
    assert!(all.contains("figure r1.f1"), "{all}");
    assert!(!all.contains("MLTRAINER_"), "{all}");
}

#[tokio::test]
async fn what_a_model_steered_is_told_apart_at_its_cut_off() {
    let model = Scripted::start(vec![
        call("run_backtest", &json!({"symbols": ["AAPL"]})),
        call(
            "run_trial",
            &json!({"request": {"symbols": ["AAPL"], "models": ["ridge"], "target": "log_volatility", "horizons": [5]}}),
        ),
        words("Both are done."),
    ])
    .await;
    let server = model.server("5").await;
    let answer = say(&server, None, "Test a crossover and ridge on AAPL").await;
    let job = |n: usize| &answer["cards"][n]["outcome"]["job"];
    let backtest = format!("/api/v1/backtests/{}", job(0)["id"].as_str().unwrap());
    let trial = format!("/api/v1/trials/{}", job(1)["id"].as_str().unwrap());

    let told = server.json(&format!("{backtest}/steering")).await["steered_by"].clone();
    assert_eq!(told["model"]["model"], "scripted", "{told}");
    assert_eq!(told["message"], 1);
    let spans = told["spans"].as_array().unwrap();
    assert_eq!(spans[0]["knowledge"], "before");
    assert_eq!(spans[1]["knowledge"], "after");
    assert!(spans[0]["span"]["last"].as_str().unwrap() <= "2010-06-30");
    assert!(spans[1]["span"]["first"].as_str().unwrap() > "2010-06-30");
    // The figures are those of the equity that the back test shows, up to the last day before the cut-off.
    let view = server.json(&backtest).await;
    let dates = view["dates"].as_array().unwrap();
    let rows = spans[0]["rows"].as_u64().unwrap();
    assert_eq!(
        rows + spans[1]["rows"].as_u64().unwrap(),
        dates.len() as u64
    );
    let equity = |i: usize| view["equity"][i].as_f64().unwrap();
    let last = rows as usize - 1;
    assert_eq!(dates[last], spans[0]["span"]["last"]);
    let a_year = (equity(last) / equity(0)).powf(252.0 / last as f64) - 1.0;
    let figure = spans[0]["figures"]["annual_return"].as_f64().unwrap();
    assert!((figure - a_year).abs() < 1e-9, "{figure} {a_year}");

    let told = server.json(&format!("{trial}/steering")).await["steered_by"].clone();
    let spans = told["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 2, "{told}");
    // The mean loss over all forecasts is that of both spans together, so the square of the RMSE.
    let (mut sum, mut n) = (0.0, 0.0);
    let series = server.json(&format!("{trial}/predictions")).await;
    for s in series
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["model"] == "ridge")
    {
        for (p, a) in s["predicted"]
            .as_array()
            .unwrap()
            .iter()
            .zip(s["actual"].as_array().unwrap())
        {
            sum += (p.as_f64().unwrap() - a.as_f64().unwrap()).powi(2);
            n += 1.0;
        }
    }
    let weighted: f64 = spans
        .iter()
        .map(|s| s["rows"].as_f64().unwrap() * s["figures"]["loss"].as_f64().unwrap())
        .sum();
    assert!((weighted - sum).abs() < 1e-9 * sum, "{weighted} {sum}");
    assert_eq!(
        spans
            .iter()
            .map(|s| s["rows"].as_f64().unwrap())
            .sum::<f64>(),
        n
    );
    // The answer holds the same, and the page shows it.
    let tables = answer["cards"][1]["outcome"]["tables"].as_array().unwrap();
    assert!(
        tables.iter().any(|t| t["title"]
            .as_str()
            .unwrap()
            .contains("what the language model can know")),
        "{tables:?}"
    );
    let page = server.get(job(1)["link"].as_str().unwrap()).await;
    let page = page.text().await.unwrap();
    assert!(page.contains("Steered by a language model"));
    // What a person begins has no such part.
    let body = json!({"symbols": ["AAPL"], "strategy": "buy_and_hold"});
    let made = server.post("/api/v1/backtests", &body).await;
    let made: Value = made.json().await.unwrap();
    let path = format!(
        "/api/v1/backtests/{}/steering",
        made["id"].as_str().unwrap()
    );
    assert_eq!(server.json(&path).await, json!({"steered_by": null}));
}

#[tokio::test]
async fn what_a_model_began_is_steered_though_its_answer_is_stopped() {
    let model = Scripted::start(vec![call(
        "run_trial",
        &json!({"request": {"symbols": ["AAPL", "IBM", "MSFT"], "models": ["random_forest_100", "gradient_boosting"], "target": "log_volatility", "horizons": [1, 5, 20]}}),
    )])
    .await;
    let server = model.server("5").await;
    let body = json!({"text": "Try a forest on AAPL"});
    let said: Value = server
        .post("/api/v1/conversations", &body)
        .await
        .json()
        .await
        .unwrap();
    let mut begun = Value::Null;
    for _ in 0..1_500 {
        begun = server.json("/api/v1/trials").await["items"][0]["id"].clone();
        if begun.is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let conversation = said["conversation"].as_str().unwrap();
    let stop = format!("/api/v1/conversations/{conversation}/stop");
    assert_eq!(server.post(&stop, &json!({})).await.status(), 200);
    let answer = answer_to(&server, &said).await;
    assert!(answer["cards"][0]["outcome"].is_null(), "{answer}");
    let trial = format!("/api/v1/trials/{}", begun.as_str().unwrap());
    let told = server.json(&format!("{trial}/steering")).await["steered_by"].clone();
    assert_eq!(told["model"]["model"], "scripted", "{told}");
    assert_eq!(told["model"]["cutoff"]["last_day"], "2010-06-30");
    assert_eq!(
        (&told["conversation"], &told["message"]),
        (&said["conversation"], &said["seq"])
    );
    server.post(&format!("{trial}/cancel"), &json!({})).await;
}

#[tokio::test]
async fn a_masked_model_sees_neither_symbols_nor_days() {
    let model = Scripted::start(vec![
        call("list_datasets", &json!({"kind": "bars"})),
        words("There they are."),
    ])
    .await;
    let server = model
        .launch("5")
        .env("MLTRAINER_LLM_MASK", "true")
        .start()
        .await;
    let answer = say(
        &server,
        None,
        "What do you have of AAPL since 2004-01-05, beside MSFT?",
    )
    .await;
    assert_eq!(answer["cards"][0]["state"], "done", "{answer}");
    // The person sees the symbols.
    assert!(answer["cards"][0].to_string().contains("AAPL"), "{answer}");
    let today = &answer["at"].as_str().unwrap()[..10];
    let asked = model.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2);
    for request in &asked {
        // The tools' schemas and examples are the program's own and name symbols of no question.
        let seen = request["messages"].to_string();
        for secret in [
            "AAPL",
            "Apple",
            "MSFT",
            "GOOG",
            "Alphabet",
            "Facebook",
            "2004-01-05",
            today,
        ] {
            assert!(!seen.contains(secret), "{secret} in {seen}");
        }
    }
}

#[tokio::test]
async fn what_a_model_may_not_do_is_refused_and_recorded() {
    let model = Scripted::start(vec![
        call(
            "run_trial",
            &json!({"request": {"symbols": ["AAPL"], "models": ["ridge"]}}),
        ),
        words("It was refused."),
    ])
    .await;
    let server = model.server("3").await;
    let answer = say(&server, None, "Train ridge on AAPL").await;
    let card = &answer["cards"][0];
    assert_eq!(card["state"], "refused", "{answer}");
    assert!(
        card["problem"].as_str().unwrap().contains("trust_levels"),
        "{card}"
    );
    let trials = server.json("/api/v1/trials").await;
    assert_eq!(trials["items"], json!([]));
    let audit = server.json("/api/compliance/audit").await;
    let refused = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["decision"] == "refused");
    let refused = refused.expect("the refusal is in the audit chain");
    assert_eq!(refused["action"], "assistant.run_trial");
    assert_eq!(refused["rule"], "trust_levels");
    assert!(
        refused["actor"]
            .as_str()
            .unwrap()
            .starts_with("scripted for "),
        "{refused}"
    );
}

#[tokio::test]
async fn material_of_others_begins_nothing_and_a_broken_model_gives_way_to_the_parser() {
    let model = Scripted::start(vec![
        call("search_memory", &json!({"query": "order"})),
        call(
            "run_trial",
            &json!({"request": {"symbols": ["AAPL"], "models": ["ridge"]}}),
        ),
        words("Nothing was begun."),
    ])
    .await;
    let server = model.server("5").await;
    let answer = say(&server, None, "What did I say about the order?").await;
    assert_eq!(answer["cards"][0]["state"], "done", "{answer}");
    assert_eq!(answer["cards"][1]["state"], "refused", "{answer}");
    assert_eq!(server.json("/api/v1/trials").await["items"], json!([]));
    // The script is at its end: the server answers 400 from now on.
    let answer = say(&server, None, "What data do you have?").await;
    assert_eq!(answer["cards"][0]["action"], "list_datasets", "{answer}");
    let text = answer["text"].as_str().unwrap();
    assert!(text.contains("the built-in parser answered"), "{text}");
}

#[tokio::test]
async fn a_sentence_that_goes_on_changes_the_action_before() {
    let server = Server::fresh().await;
    let first = say(&server, None, "Compare AAPL and IBM since 2010").await;
    let conversation = first["conversation"].as_str();
    let next = say(&server, conversation, "and for MSFT and GOOG?").await;
    let (a, b) = (&first["cards"][0], &next["cards"][0]);
    assert_eq!(b["action"], a["action"], "{next}");
    assert_eq!(b["params"]["symbols"], json!(["MSFT", "GOOG"]));
    assert_eq!(b["params"]["start"], a["params"]["start"]);
}

#[tokio::test]
async fn hostile_text_starts_no_action() {
    let attacks: Vec<Value> = serde_json::from_str(include_str!(
        "../../crates/assistant/tests/data/attacks.json"
    ))
    .unwrap();
    assert!(attacks.len() >= 40);
    let server = Server::fresh().await;
    for attack in &attacks {
        // As a person would paste it to ask what it says.
        let text = attack["text"].as_str().unwrap();
        let quoted: String = text.lines().map(|l| format!("> {l}\n")).collect();
        let pasted = format!("I found this in a news item:\n{quoted}\nWhat does it mean?");
        let answer = say(
            &server,
            None,
            &pasted.chars().take(10_000).collect::<String>(),
        )
        .await;
        for card in answer["cards"].as_array().unwrap() {
            let action = card["action"].as_str().unwrap();
            let looks = [
                "list_",
                "show_",
                "search_",
                "help",
                "data_",
                "verify_",
                "explain_",
                "compare_symbols",
            ];
            assert!(
                looks.iter().any(|l| action.starts_with(l)),
                "{}: {action}",
                attack["name"]
            );
        }
    }
    let mut cursor = String::new();
    loop {
        let page = server
            .json(&format!("/api/compliance/audit?limit=500&cursor={cursor}"))
            .await;
        for record in page["items"].as_array().unwrap() {
            let action = record["action"].as_str().unwrap();
            assert!(!action.starts_with("assistant."), "{record}");
            assert!(!action.starts_with("trial."), "{record}");
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
}

#[tokio::test]
async fn an_answer_survives_kill_9_and_begins_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(folder.path()).start().await;
    let body = json!({"text": "Train ridge and random_forest_50 on AAPL since 2006 over 5 days"});
    let said: Value = server
        .post("/api/v1/conversations", &body)
        .await
        .json()
        .await
        .unwrap();
    // Until the trial was begun.
    for _ in 0..600 {
        if server.json("/api/v1/trials").await["items"] != json!([]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.kill();
    let server = Launch::on(folder.path()).start().await;
    let answer = answer_to(&server, &said).await;
    assert_eq!(answer["cards"][0]["state"], "done", "{answer}");
    nothing_unverified(&answer);
    let trials = server.json("/api/v1/trials").await;
    assert_eq!(trials["items"].as_array().unwrap().len(), 1, "{trials}");
}

#[tokio::test]
async fn the_workflows_answer_with_figures_and_say_what_is_missing() {
    let server = Server::fresh().await;
    // A span and few models keep the test short; the whole sentences run the same way.
    let answer = say(
        &server,
        None,
        "Analyze momentum for AAPL over next 7-10 days with ridge and random_forest_10 since 2009",
    )
    .await;
    assert_eq!(answer["cards"][0]["action"], "analyse_symbol", "{answer}");
    assert_eq!(answer["cards"][0]["state"], "done", "{answer}");
    nothing_unverified(&answer);
    let outcome = &answer["cards"][0]["outcome"];
    let notes = outcome["notes"].to_string();
    assert!(notes.contains("earnings dates"), "{notes}");
    let opinions = outcome["result"]["AAPL"]["opinions"].as_array().unwrap();
    // Two models, two horizons.
    assert_eq!(opinions.len(), 4, "{opinions:?}");
    for o in opinions {
        let c = o["confidence"].as_f64().unwrap();
        assert!(
            c > 0.0 && c < 1.0 && o["low"].as_f64() < o["high"].as_f64(),
            "{o}"
        );
    }

    let answer = say(
        &server,
        None,
        "Optimize my portfolio for maximum Sharpe using momentum stocks",
    )
    .await;
    assert_eq!(answer["cards"][0]["state"], "done", "{answer}");
    nothing_unverified(&answer);
    let result = &answer["cards"][0]["outcome"]["result"];
    let weights: f64 = result["optimised"]["weights"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w["weight"].as_f64().unwrap())
        .sum();
    assert!((weights - 1.0).abs() < 1e-6, "{result}");
    assert!(
        result["walk"]["months"].as_u64().unwrap() >= 24,
        "{}",
        result["walk"]
    );

    let answer = say(&server, None, "Train ensemble models for TSLA").await;
    // There are no data of it, which is said.
    assert!(
        answer["text"].as_str().unwrap().contains("TSLA"),
        "{answer}"
    );
    assert_ne!(answer["cards"][0]["state"], "done", "{answer}");

    let answer = say(
        &server,
        None,
        "Monitor my portfolio for regime changes and alert me",
    )
    .await;
    assert_eq!(answer["cards"][0]["action"], "create_alert", "{answer}");
    assert_eq!(answer["cards"][0]["state"], "done", "{answer}");
    assert!(
        answer["cards"][0]["outcome"]["notes"]
            .to_string()
            .contains("Nothing is recorded as held")
    );

    let answer = say(
        &server,
        None,
        "Develop a strategy based on unusual options activity and earnings momentum",
    )
    .await;
    assert_eq!(answer["cards"][0]["action"], "develop_strategy", "{answer}");
    assert_eq!(answer["cards"][0]["state"], "done", "{answer}");
    nothing_unverified(&answer);
    let notes = answer["cards"][0]["outcome"]["notes"].to_string();
    assert!(
        notes.contains("option chains are not registered"),
        "{notes}"
    );
    assert!(
        notes.contains("earnings dates and surprises are not registered"),
        "{notes}"
    );
}

#[tokio::test]
async fn a_coach_is_measured_against_the_trial_without_it() {
    let server = Server::fresh().await;
    let trial = say(
        &server,
        None,
        "Forecast the volatility of AAPL with ridge over 5 days since 2006",
    )
    .await;
    let id = trial["cards"][0]["outcome"]["job"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({"trial": id, "models": ["naive_mean", "lasso"]});
    let keyed = async |action: &str, key: &str, body: &Value| {
        let asked = server.request(Method::POST, &format!("/api/v1/actions/{action}"));
        let asked = asked.header("Idempotency-Key", key).json(body);
        asked.send().await.unwrap()
    };
    // The same key with the same command intervenes once; with another it is refused.
    for _ in 0..2 {
        let made = keyed("override_models", "k-1", &body).await;
        assert_eq!(made.status(), 200, "{}", made.text().await.unwrap());
    }
    let other = json!({"trial": id, "models": ["ridge"]});
    assert_eq!(keyed("override_models", "k-1", &other).await.status(), 409);
    let advice = json!({"text": "shorter windows"});
    assert_eq!(keyed("advise", "k-2", &advice).await.status(), 200);
    let coaching = server.json("/api/v1/coaching").await;
    assert_eq!(coaching["interventions"].as_array().unwrap().len(), 2);
    // Taken back twice under one key: the one before stays.
    for _ in 0..2 {
        assert_eq!(keyed("undo", "k-3", &json!({})).await.status(), 200);
    }
    let mut coaching = Value::Null;
    for _ in 0..1_200 {
        coaching = server.json("/api/v1/coaching").await;
        if coaching["interventions"][1]["state"] == "measured" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        coaching["interventions"][0]["state"], "undone",
        "{coaching}"
    );
    let made = &coaching["interventions"][1];
    assert_eq!(made["state"], "measured", "{coaching}");
    assert_eq!(made["control"].as_str(), Some(id.as_str()));
    let effect = &made["effect"];
    let (low, high) = (
        effect["low"].as_f64().unwrap(),
        effect["high"].as_f64().unwrap(),
    );
    let difference = effect["difference"].as_f64().unwrap();
    assert!(low <= difference && difference <= high, "{effect}");
    let both = effect["control"].as_f64().unwrap() - effect["coached"].as_f64().unwrap();
    assert!((both - difference).abs() < 1e-12, "{effect}");
    let undone = server.post("/api/v1/actions/undo", &json!({})).await;
    assert_eq!(undone.status(), 200);
    let coaching = server.json("/api/v1/coaching").await;
    assert_eq!(coaching["interventions"][1]["state"], "undone");
}

#[tokio::test]
async fn the_own_model_answers_a_question_within_its_budget() {
    let model = Scripted::start(Vec::new()).await;
    let server = model
        .launch("9")
        .env("MLTRAINER_COACH_UNATTENDED", "1")
        .start()
        .await;
    // No edge is to be found in the mean of returns, so the engine asks; the model answers with another model.
    let ask = async || {
        let body = json!({"symbols": ["AAPL"], "models": ["lasso"], "target": "return", "horizons": [1], "start": "2006-01-03"});
        let made = server.post("/api/v1/trials", &body).await;
        let made: Value = made.json().await.unwrap();
        made["id"].as_str().unwrap().to_owned()
    };
    let trial = ask().await;
    let answer = call(
        "override_models",
        &json!({"trial": trial, "models": ["ridge"]}),
    );
    model.script.lock().unwrap().push_back(answer);
    let mut coaching = Value::Null;
    for _ in 0..1_200 {
        coaching = server.json("/api/v1/coaching").await;
        if coaching["interventions"][0]["state"] == "measured" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let made = &coaching["interventions"][0];
    assert_eq!(made["state"], "measured", "{coaching}\n{}", server.log());
    assert_eq!(made["coach"], "scripted unattended");
    assert_eq!(made["control"].as_str(), Some(trial.as_str()));
    let answered = |coaching: &Value, trial: &str| -> Value {
        let all = coaching["requests"].as_array().unwrap();
        let found = all.iter().find(|q| q["trial"] == trial);
        found.map_or(Value::Null, |q| q["answered_by"].clone())
    };
    assert_eq!(answered(&coaching, &trial), made["id"]);
    assert_eq!(coaching["unattended"]["per_day"], 1);
    assert_eq!(coaching["unattended"]["today"], 1);
    // It is told the evidence, and is offered commands of a coach only.
    let asked = model.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["tools"].as_array().unwrap().len(), 3);
    assert!(asked[0].to_string().contains(&trial));
    // What it began is known as steered, and everything is on record.
    let coached = made["coached"].as_str().unwrap();
    let told = server
        .json(&format!("/api/v1/trials/{coached}/steering"))
        .await;
    assert_eq!(told["steered_by"]["model"]["model"], "scripted");
    let audit = server
        .json("/api/compliance/audit?actor=scripted+unattended")
        .await;
    let actions: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["action"].as_str().unwrap())
        .collect();
    for action in ["coach.trust", "coach.override_models", "guidance.put"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
    // The budget of the day is used: the next questions, that of its own trial too, wait for a person.
    let next = ask().await;
    let open = async || {
        let coaching = server.json("/api/v1/coaching").await;
        let all = coaching["requests"].as_array().unwrap();
        all.iter().any(|q| q["trial"] == next.as_str())
    };
    for _ in 0..600 {
        if open().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(open().await);
    assert_eq!(model.asked.lock().unwrap().len(), 1);
}
