//! Both wire formats, and every misbehaviour of a server.

use crate::server::{ANTHROPIC, End, OPENAI, Reply, Server};
use mltrainer_assistant::llm::{
    Account, Answer, AnswerEvent, Block, Call, Failure, Key, LanguageModel, Limits, LlmError,
    Meter, ModelConfig, Request, ToolCall, ToolDefinition, ask, connect, models,
};
use mltrainer_types::llm::{Ceilings, Cost, LlmProvider, MeterRecord, StopReason, TokenUsage};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

pub(crate) const KEY: &str = "sk-p1anted-0123456789";
const BOTH: [LlmProvider; 2] = [LlmProvider::Anthropic, LlmProvider::OpenaiCompatible];

fn recorded(provider: LlmProvider) -> &'static str {
    match provider {
        LlmProvider::Anthropic => ANTHROPIC,
        LlmProvider::OpenaiCompatible => OPENAI,
    }
}

fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        read: Duration::from_secs(5),
        whole: Duration::from_secs(20),
        tries: 3,
        pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(300),
        prompt_bytes: 100_000,
        event_bytes: 20_000,
        answer_bytes: 200_000,
    }
}

fn model_with(
    url: &str,
    provider: LlmProvider,
    change: impl FnOnce(&mut ModelConfig),
) -> Arc<dyn LanguageModel> {
    let name = match provider {
        LlmProvider::Anthropic => "claude-sonnet-5-5",
        LlmProvider::OpenaiCompatible => "gpt-6.2-sol",
    };
    let mut config = ModelConfig::new(provider, url, name, Key::new(KEY));
    config.limits = limits();
    change(&mut config);
    connect(config).unwrap()
}

pub(crate) fn model(server: &Server, provider: LlmProvider) -> Arc<dyn LanguageModel> {
    model_with(&server.url, provider, |_| ())
}

pub(crate) fn request() -> Request {
    let mut request = Request::new("Be brief.", "How volatile is AAPL?", 1_000);
    request.tools = vec![ToolDefinition {
        name: "run_trial".to_owned(),
        description: "Runs a trial.".to_owned(),
        schema: json!({"type": "object", "properties": {"symbol": {"type": "string"}, "horizon": {"type": "integer"}}}),
    }];
    request
}

/// A call that keeps what it is told.
pub(crate) fn heard() -> (Call, Arc<Mutex<Vec<AnswerEvent>>>) {
    let events: Arc<Mutex<Vec<AnswerEvent>>> = Arc::default();
    let to = events.clone();
    let call = Call {
        report: Arc::new(move |e| to.lock().unwrap().push(e)),
        ..Call::quiet()
    };
    (call, events)
}

pub(crate) fn text_of(events: &[AnswerEvent]) -> String {
    events
        .iter()
        .filter_map(|e| match e {
            AnswerEvent::TextDelta(t) => Some(t.as_str()),
            _ => None,
        })
        .collect()
}

async fn one(provider: LlmProvider, replies: Vec<Reply>) -> (Result<Answer, Failure>, usize) {
    let server = Server::start(replies).await;
    let outcome = model(&server, provider)
        .answer(&request(), &Call::quiet())
        .await;
    (outcome, server.seen().len())
}

async fn fails(provider: LlmProvider, reply: Reply) -> (String, usize) {
    let (outcome, requests) = one(provider, vec![reply]).await;
    let said = outcome.unwrap_err().error.to_string();
    assert!(!said.contains("p1anted"), "{said}");
    assert!(!said.contains('\n'), "{said}");
    (said, requests)
}

fn trial() -> ToolCall {
    ToolCall {
        id: "toolu_01T1x1fJ34qAmk2tNTrN7Up6".to_owned(),
        name: "run_trial".to_owned(),
        arguments: json!({"symbol": "AAPL", "horizon": 5}),
    }
}

#[tokio::test]
async fn anthropic_answers_with_thinking_text_and_a_tool() {
    let server = Server::start(vec![Reply::stream(ANTHROPIC)]).await;
    let (call, events) = heard();
    let model = model(&server, LlmProvider::Anthropic);
    let answer = model.answer(&request(), &call).await.unwrap();
    let usage = TokenUsage {
        input: 472,
        cache_write: 900,
        cache_write_1h: 100,
        cache_read: 300,
        output: 89,
        estimated: false,
    };
    assert_eq!(
        answer,
        Answer {
            blocks: vec![
                Block::Opaque {
                    model: "claude-sonnet-5-5".to_owned(),
                    content: json!({"type": "thinking", "thinking": "First the data.", "signature": "EqQBCgIYAhIM"}),
                },
                Block::text("Die Volatilität von AAPL 📈:"),
                Block::ToolUse(trial()),
            ],
            stop: StopReason::ToolUse,
            usage,
            answered_by: None,
            vendor_id: Some("msg_014p7gG3wDgGV9EUtLvnow3U".to_owned()),
            tries: 1,
        }
    );
    let events = events.lock().unwrap().clone();
    assert_eq!(text_of(&events), answer.text());
    assert_eq!(
        events[events.len() - 3..],
        [
            AnswerEvent::ToolCall(trial()),
            AnswerEvent::Usage(usage),
            AnswerEvent::Done(StopReason::ToolUse),
        ]
    );
    let seen = &server.seen()[0];
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(seen.header("x-api-key"), Some(KEY));
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(seen.body["stream"], true);
    assert_eq!(seen.body["max_tokens"], 1_000);

    // The next turn: thinking goes back unchanged, the result answers the call.
    let mut next = request();
    next.messages.push(answer.message());
    next.messages.push(mltrainer_assistant::llm::Message {
        role: mltrainer_assistant::llm::Role::User,
        blocks: vec![Block::ToolResult {
            id: trial().id,
            content: "{\"rmse\": 0.3}".to_owned(),
            is_error: false,
        }],
    });
    model.answer(&next, &Call::quiet()).await.unwrap();
    let messages = &server.seen()[1].body["messages"];
    assert_eq!(messages[1]["content"][0]["signature"], "EqQBCgIYAhIM");
    assert_eq!(messages[1]["content"][2]["input"]["symbol"], "AAPL");
    assert_eq!(messages[2]["content"][0]["tool_use_id"], trial().id);
}

#[tokio::test]
async fn openai_answers_with_text_and_two_tools() {
    let server = Server::start(vec![Reply::stream(OPENAI)]).await;
    let (call, events) = heard();
    let model = model_with(
        &format!("{}/v1", server.url),
        LlmProvider::OpenaiCompatible,
        |c| {
            c.extra = json!({"reasoning_effort": "low"})
                .as_object()
                .unwrap()
                .clone();
        },
    );
    let answer = model.answer(&request(), &call).await.unwrap();
    assert_eq!(answer.text(), "Die Volatilität von AAPL 📈:");
    let calls: Vec<&ToolCall> = answer.tool_calls().collect();
    assert_eq!(calls[0].arguments, json!({"symbol": "AAPL", "horizon": 5}));
    assert_eq!(calls[0].id, "call_DdmO9pD3");
    assert_eq!(
        (calls[1].name.as_str(), &calls[1].arguments),
        ("list_data", &json!({}))
    );
    assert_eq!(calls.len(), 2);
    assert_eq!(answer.stop, StopReason::ToolUse);
    assert_eq!(
        answer.usage,
        TokenUsage {
            input: 1_472,
            cache_read: 300,
            output: 89,
            ..TokenUsage::default()
        }
    );
    assert_eq!(answer.vendor_id.as_deref(), Some("chatcmpl-123"));
    let events = events.lock().unwrap().clone();
    assert_eq!(text_of(&events), answer.text());
    assert_eq!(events.last(), Some(&AnswerEvent::Done(StopReason::ToolUse)));
    let seen = &server.seen()[0];
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert_eq!(seen.body["stream_options"]["include_usage"], true);
    assert_eq!(seen.body["reasoning_effort"], "low");
}

/// Cut behind every byte, once with a clean end of the body and once with a broken connection: the
/// words told are the beginning of the answer's, no call of a tool is given out before the answer is
/// whole, and the outcome is the whole answer or one sentence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_at_every_byte_is_noticed() {
    for provider in BOTH {
        let body = recorded(provider);
        let server = Server::start(vec![Reply::stream(body)]).await;
        let model = model_with(&server.url, provider, |c| c.limits.tries = 1);
        let whole = model.answer(&request(), &Call::quiet()).await.unwrap();
        let mut ends = [0, 0];
        for at in 0..body.len() {
            // A clean end is the rarer one.
            let kinds: &[End] = if at % 4 == 0 {
                &[End::Broken, End::Well]
            } else {
                &[End::Broken]
            };
            for &end in kinds {
                server.answer(vec![Reply::stream(body).cut(at, end)]);
                let (call, events) = heard();
                let outcome = model.answer(&request(), &call).await;
                let events = events.lock().unwrap().clone();
                let told = text_of(&events);
                assert!(whole.text().starts_with(&told), "{at}: {told}");
                let tools = events
                    .iter()
                    .filter(|e| matches!(e, AnswerEvent::ToolCall(_)))
                    .count();
                match outcome {
                    Ok(answer) => {
                        ends[0] += 1;
                        assert_eq!(answer.blocks, whole.blocks, "{at}");
                        assert_eq!(answer.stop, whole.stop, "{at}");
                        assert_eq!(tools, whole.tool_calls().count());
                        assert!(answer.usage == whole.usage || answer.usage.estimated);
                    }
                    Err(failure) => {
                        ends[1] += 1;
                        assert!(
                            matches!(failure.error, LlmError::Cut { .. }),
                            "{at}: {:?}",
                            failure.error
                        );
                        assert_eq!(tools, 0, "{at}");
                        assert_eq!(failure.text, told, "{at}");
                        assert!(failure.usage.estimated, "{at}");
                        assert!(failure.usage.input > 0, "{at}");
                        assert!(!events.iter().any(|e| matches!(e, AnswerEvent::Done(_))));
                    }
                }
            }
        }
        // Only what follows the reason of the end can be missing from a whole answer.
        let after = match provider {
            LlmProvider::Anthropic => "\n\nevent: message_stop",
            LlmProvider::OpenaiCompatible => {
                "\n\ndata: {\"id\":\"chatcmpl-123\",\"object\":\"chat.completion.chunk\",\"created\":1694268190,\"model\":\"gpt-6.2-sol\",\"choices\":[],"
            }
        };
        let reason_ends = body.find(after).unwrap() + 2;
        let tries = |below: usize| below + below.div_ceil(4);
        let cut = tries(reason_ends);
        assert_eq!(ends, [tries(body.len()) - cut, cut], "{provider:?}");
    }
}

#[tokio::test]
async fn pieces_of_one_byte_give_the_same_answer() {
    for provider in BOTH {
        let body = recorded(provider);
        let mut reply = Reply::stream(body);
        reply.pieces = body.bytes().map(|b| vec![b]).collect();
        let (outcome, _) = one(provider, vec![reply]).await;
        let (whole, _) = one(provider, vec![Reply::stream(body)]).await;
        assert_eq!(outcome.unwrap(), whole.unwrap());
        // And with other ends of lines and comments between.
        let crlf = body
            .replace("\n\n", "\n: keep-alive\n\n")
            .replace('\n', "\r\n");
        let (outcome, _) = one(provider, vec![Reply::stream(&crlf)]).await;
        assert_eq!(outcome.unwrap().text(), "Die Volatilität von AAPL 📈:");
    }
}

#[tokio::test]
async fn a_busy_vendor_is_asked_again_and_then_given_up() {
    for provider in BOTH {
        let body = recorded(provider);
        let busy = |status: u16| {
            Reply::status(
                status,
                "application/json",
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            )
        };
        let (call, events) = heard();
        let server = Server::start(vec![busy(529), busy(500), Reply::stream(body)]).await;
        let answer = model(&server, provider)
            .answer(&request(), &call)
            .await
            .unwrap();
        assert_eq!((answer.tries, server.seen().len()), (3, 3));
        let retries: Vec<u32> = events
            .lock()
            .unwrap()
            .iter()
            .filter_map(|e| match e {
                AnswerEvent::Retrying { attempt, .. } => Some(*attempt),
                _ => None,
            })
            .collect();
        assert_eq!(retries, [2, 3]);

        let (outcome, requests) = one(provider, vec![busy(529)]).await;
        let failure = outcome.unwrap_err();
        assert!(
            matches!(failure.error, LlmError::Overloaded { tries: 3, .. }),
            "{:?}",
            failure.error
        );
        // Refused requests use nothing.
        assert_eq!((requests, failure.usage), (3, TokenUsage::default()));

        let (said, requests) = fails(provider, busy(500)).await;
        assert!(
            said.contains("failed (status 500, \"Overloaded\"), asked 3 times"),
            "{said}"
        );
        assert_eq!(requests, 3);
        // A vendor that says it is in vain is not asked again.
        let (_, requests) = fails(provider, busy(500).header("x-should-retry", "false")).await;
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn a_waiting_time_is_kept_or_given_up() {
    let limited = |wait: &str| {
        Reply::status(
            429,
            "application/json",
            r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#,
        )
        .header("retry-after", wait)
    };
    for provider in BOTH {
        let begun = Instant::now();
        let (outcome, requests) = one(
            provider,
            vec![limited("0.2"), Reply::stream(recorded(provider))],
        )
        .await;
        assert!(outcome.is_ok() && requests == 2);
        assert!(begun.elapsed() >= Duration::from_millis(200));
        // Longer than the longest pause: told at once.
        let begun = Instant::now();
        let (said, requests) = fails(provider, limited("3600")).await;
        assert!(
            said.contains("allows no more requests now (again in 3600 s), asked 1 times"),
            "{said}"
        );
        assert_eq!(requests, 1);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn refusals_say_what_to_look_at() {
    let json = "application/json";
    for provider in BOTH {
        let echo = format!(
            r#"{{"type":"error","error":{{"type":"authentication_error","message":"invalid x-api-key {KEY}"}}}}"#
        );
        let (said, requests) = fails(provider, Reply::status(401, json, &echo)).await;
        assert!(said.ends_with("refused the key (status 401, \"invalid x-api-key [redacted]\"); look at the key and the account"), "{said}");
        assert_eq!(requests, 1);
        for (status, kind, body, part) in [
            (
                429,
                json,
                r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                "refused the key (status 429, \"You exceeded your current quota\")",
            ),
            (
                403,
                json,
                r#"{"error":{"message":"no access"}}"#,
                "refused the key (status 403, \"no access\")",
            ),
            (
                404,
                json,
                r#"{"error":{"message":"model: nope"}}"#,
                "does not take the request (status 404, \"model: nope\")",
            ),
            (
                400,
                json,
                r#"{"error":{"message":"prompt is too long: 1 > 0"}}"#,
                "(status 400, \"prompt is too long: 1 > 0\")",
            ),
            (
                413,
                json,
                r#"{"error":{"message":"Request exceeds the maximum size"}}"#,
                "the prompt of",
            ),
            (
                500,
                "text/html",
                "<html><body>oops</body></html>",
                "failed (status 500, \"an HTML page\"), asked 3 times",
            ),
            (502, "text/plain", "", "failed (status 502, \"nothing\")"),
            (
                302,
                "text/plain",
                "",
                "it points to another address (status 302)",
            ),
            (
                200,
                "text/html",
                "<html>log in</html>",
                "it is text/html instead of a stream of events (\"an HTML page\")",
            ),
            (
                200,
                json,
                r#"{"id":"x","choices":[]}"#,
                "it is application/json instead of a stream of events",
            ),
        ] {
            let (said, _) = fails(provider, Reply::status(status, kind, body)).await;
            assert!(said.contains(part), "{said}");
        }
    }
}

#[tokio::test]
async fn errors_inside_a_stream_are_errors() {
    // Before the answer begins it is asked again.
    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let (outcome, requests) = one(
        LlmProvider::Anthropic,
        vec![Reply::stream(overloaded), Reply::stream(ANTHROPIC)],
    )
    .await;
    assert!(outcome.is_ok());
    assert_eq!(requests, 2);
    // Afterwards it is not: words were given out, and tokens are counted.
    let at = ANTHROPIC.find(" von AAPL").unwrap();
    let until = ANTHROPIC[..at].rfind("event:").unwrap();
    let late = format!("{}{overloaded}", &ANTHROPIC[..until]);
    let (outcome, requests) = one(LlmProvider::Anthropic, vec![Reply::stream(&late)]).await;
    let failure = outcome.unwrap_err();
    assert_eq!(requests, 1);
    assert!(matches!(failure.error, LlmError::Overloaded { .. }));
    assert_eq!(failure.text, "Die Volatilität");
    // Hidden thinking had begun: the most it may have been.
    assert_eq!(
        (
            failure.usage.input,
            failure.usage.output,
            failure.usage.estimated
        ),
        (472, 1_000, true)
    );

    for (error, part) in [
        (
            r#"{"error":{"message":"the request exceeds the available context size","type":"exceed_context_size_error","code":400}}"#,
            "does not take the request",
        ),
        (
            r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#,
            "allows no more requests now",
        ),
        (
            r#"{"error":{"message":"queue full","code":429}}"#,
            "allows no more requests now",
        ),
        (
            r#"{"error":"model runner has unexpectedly stopped"}"#,
            "failed (status 200, \"model runner has unexpectedly stopped\")",
        ),
        (
            r#"{"error":{"message":"bad key","code":"401"}}"#,
            "refused the key",
        ),
    ] {
        let (said, _) = fails(
            LlmProvider::OpenaiCompatible,
            Reply::stream(&format!("data: {error}\n\ndata: [DONE]\n\n")),
        )
        .await;
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test]
async fn garbled_answers_are_said_to_be_so() {
    let a = LlmProvider::Anthropic;
    let o = LlmProvider::OpenaiCompatible;
    let bad_tool = |json: &str| {
        ANTHROPIC
            .replace(r#"{\"symbol\":"#, json)
            .replace(r#" \"AAPL\", \"horizon\": 5}"#, "")
    };
    let cases: Vec<(LlmProvider, String, &str)> = vec![
        (
            a,
            ANTHROPIC.replacen(
                "{\"type\":\"content_block_delta\",\"index\":1",
                "{\"type\":\"content_block_delta\",\"index\":",
                1,
            ),
            "an event is not of the documented shape",
        ),
        (
            a,
            ANTHROPIC.replacen("\"index\":1,\"delta\"", "\"index\":7,\"delta\"", 1),
            "a piece came for part 7, which is not open",
        ),
        (
            a,
            ANTHROPIC.replacen(
                "text_delta\",\"text\":\"Die",
                "input_json_delta\",\"partial_json\":\"Die",
                1,
            ),
            "a piece of another kind came for part 1",
        ),
        (
            a,
            ANTHROPIC.replacen("message_start\",\"message", "ping\",\"message", 1),
            "it lacks its beginning",
        ),
        (
            a,
            ANTHROPIC.replacen("\"stop_reason\":\"tool_use\"", "\"stop_reason\":null", 1),
            "it ends without a reason",
        ),
        (
            a,
            ANTHROPIC.replacen("\"name\":\"run_trial\"", "\"name\":\"run trial!\"", 1),
            "which no tool has",
        ),
        (
            a,
            bad_tool(r#"{\"symbol\": AAPL}"#),
            "the arguments for the tool run_trial are not JSON",
        ),
        (
            a,
            bad_tool(r"[1, 2]"),
            "the arguments for the tool run_trial are no object",
        ),
        (
            a,
            "data: [1]\n\n".to_owned(),
            "an event is not of the documented shape",
        ),
        (
            o,
            OPENAI.replacen("\"choices\":[", "\"choices\":{", 1),
            "a chunk is not of the documented shape",
        ),
        (
            o,
            OPENAI.replacen("\"content\":\"Die Volatilität\"", "\"content\":5", 1),
            "a piece of text is no text",
        ),
        (
            o,
            OPENAI.replacen(r#"horizon\": 5}"#, r#"horizon\": }"#, 1),
            "the arguments for the tool run_trial are not JSON",
        ),
        (
            o,
            OPENAI.replacen("\"name\":\"run_trial\"", "\"name\":\"\"", 1),
            "which no tool has",
        ),
        (
            o,
            "data: so sorry\n\n".to_owned(),
            "a chunk is not of the documented shape",
        ),
    ];
    for (provider, body, part) in cases {
        assert_ne!(body, recorded(provider));
        let (said, requests) = fails(provider, Reply::stream(&body)).await;
        assert!(said.starts_with("the answer of 127.0.0.1:"), "{said}");
        assert!(said.contains(part), "{said} does not say {part}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn an_incomplete_answer_starts_no_action() {
    for (provider, from, to) in [
        (
            LlmProvider::Anthropic,
            "\"stop_reason\":\"tool_use\"",
            "\"stop_reason\":\"max_tokens\"",
        ),
        (
            LlmProvider::Anthropic,
            "\"stop_reason\":\"tool_use\"",
            "\"stop_reason\":\"refusal\"",
        ),
        (
            LlmProvider::OpenaiCompatible,
            "\"finish_reason\":\"tool_calls\"",
            "\"finish_reason\":\"length\"",
        ),
        (
            LlmProvider::OpenaiCompatible,
            "\"finish_reason\":\"tool_calls\"",
            "\"finish_reason\":\"content_filter\"",
        ),
    ] {
        // Broken off within the arguments, as it happens at the limit.
        let body = recorded(provider)
            .replace(from, to)
            .replace(r#" \"AAPL\", \"horizon\": 5}"#, "");
        let (outcome, _) = one(provider, vec![Reply::stream(&body)]).await;
        let answer = outcome.unwrap();
        assert_eq!(answer.tool_calls().count(), 0);
        assert_eq!(answer.text(), "Die Volatilität von AAPL 📈:");
        let refused = to.contains("refusal") || to.contains("filter");
        assert_eq!(
            answer.stop,
            if refused {
                StopReason::Refusal
            } else {
                StopReason::MaxTokens
            }
        );
    }
}

#[tokio::test]
async fn other_servers_have_their_ways() {
    let chunk = |delta: Value, reason: Value| {
        format!(
            "data: {}\n\n",
            json!({"object": "chat.completion.chunk", "model": "qwen3:8b", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
        )
    };
    let call = |piece: Value| {
        chunk(
            json!({"role": "assistant", "content": "", "tool_calls": [piece]}),
            Value::Null,
        )
    };
    let answer = async |body: String| {
        let (outcome, _) = one(LlmProvider::OpenaiCompatible, vec![Reply::stream(&body)]).await;
        outcome.unwrap()
    };
    let calls = |answer: &Answer| -> Vec<(String, Value)> {
        answer
            .tool_calls()
            .map(|c| (c.id.clone(), c.arguments.clone()))
            .collect()
    };
    // Ollama: whole calls, all with index 0, and the reason "stop".
    let a = answer(
        call(json!({"index": 0, "id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}))
            + &call(json!({"index": 0, "id": "call_b", "type": "function", "function": {"name": "f", "arguments": "{\"x\":2}"}}))
            + &chunk(json!({"content": ""}), json!("stop"))
            + "data: [DONE]\n\n",
    )
    .await;
    assert_eq!(
        calls(&a),
        [
            ("call_a".to_owned(), json!({"x": 1})),
            ("call_b".to_owned(), json!({"x": 2}))
        ]
    );
    assert_eq!(a.stop, StopReason::ToolUse);
    assert_eq!(a.answered_by.as_deref(), Some("qwen3:8b"));
    // No usage: our estimate, said to be one.
    assert!(a.usage.estimated && a.usage.input > 0 && a.usage.output > 0);
    // Neither index nor id; arguments in pieces or as an object; ids are made.
    let a = answer(
        call(json!({"function": {"name": "f", "arguments": "{\"x\""}}))
            + &call(json!({"function": {"arguments": ":1}"}}))
            + &call(json!({"function": {"name": "g", "arguments": {"y": 2}}}))
            + &chunk(json!({}), json!("tool_calls"))
            + "data: [DONE]\n\n",
    )
    .await;
    assert_eq!(
        calls(&a),
        [
            ("call_0".to_owned(), json!({"x": 1})),
            ("call_1".to_owned(), json!({"y": 2}))
        ]
    );
    // vLLM: a call without arguments, usage in every chunk, no reason, then [DONE].
    let with_usage = |n: u64| {
        format!(
            "data: {}\n\n",
            json!({"choices": [{"index": 0, "delta": {"content": "x", "reasoning_content": "hm"}}], "usage": {"prompt_tokens": 7, "completion_tokens": n}})
        )
    };
    let a = answer(with_usage(1) + &with_usage(2) + "data: [DONE]\n\n").await;
    assert_eq!(
        (a.text().as_str(), a.stop, a.usage.output, a.usage.estimated),
        ("xx", StopReason::Other, 2, false)
    );
    // No [DONE], content in parts, another choice that nobody asked for.
    let a = answer(
        chunk(
            json!({"content": [{"type": "text", "text": "hel"}]}),
            Value::Null,
        ) + "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"no\"}}]}\n\n"
            + &chunk(json!({"content": "lo"}), json!("stop")),
    )
    .await;
    assert_eq!((a.text().as_str(), a.stop), ("hello", StopReason::EndTurn));
    // A connection that stays open after the reason of the end does not hold the answer back.
    let open = Reply::stream(&chunk(json!({"content": "hi"}), json!("stop"))).ending(End::Silent);
    let (outcome, _) = one(LlmProvider::OpenaiCompatible, vec![open]).await;
    assert_eq!(outcome.unwrap().text(), "hi");
    // A refusal in its own field.
    let a =
        answer(chunk(json!({"refusal": "I cannot."}), json!("stop")) + "data: [DONE]\n\n").await;
    assert_eq!(
        (a.text().as_str(), a.stop),
        ("I cannot.", StopReason::Refusal)
    );
}

#[tokio::test]
async fn what_the_vendor_invents_later_is_passed_over() {
    let body = ANTHROPIC
        .replace(
            "event: ping\ndata: {\"type\": \"ping\"}",
            "event: weather\ndata: {\"type\": \"weather\", \"sky\": \"blue\"}",
        )
        .replace(
            "\"type\":\"signature_delta\",\"signature\":\"EqQBCgIYAhIM\"",
            "\"type\":\"scent_delta\",\"scent\":\"pine\"",
        )
        .replace("\"stop_reason\":\"tool_use\"", "\"stop_reason\":\"sunset\"");
    let (outcome, _) = one(LlmProvider::Anthropic, vec![Reply::stream(&body)]).await;
    let answer = outcome.unwrap();
    assert_eq!(answer.stop, StopReason::Other);
    assert_eq!(answer.tool_calls().count(), 1);
}

#[tokio::test]
async fn silence_slowness_and_floods_end() {
    for provider in BOTH {
        let body = recorded(provider);
        let server = Server::start(vec![Reply::stream("").ending(End::Silent)]).await;
        let model = model_with(&server.url, provider, |c| {
            c.limits.read = Duration::from_millis(700);
        });
        let begun = Instant::now();
        let failure = model.answer(&request(), &Call::quiet()).await.unwrap_err();
        assert!(
            matches!(failure.error, LlmError::TimedOut { .. }),
            "{:?}",
            failure.error
        );
        assert!(begun.elapsed() < Duration::from_secs(5));
        // Not asked again: it may be counted. And so the prompt is.
        assert_eq!(server.seen().len(), 1);
        assert!(failure.usage.input > 0 && failure.usage.output == 0 && failure.usage.estimated);

        // Slow, but never silent for long.
        let mut slow = Reply::stream(body);
        slow.pieces = body.as_bytes().chunks(200).map(<[u8]>::to_vec).collect();
        slow.pause = Duration::from_millis(60);
        server.answer(vec![slow.clone()]);
        assert!(model.answer(&request(), &Call::quiet()).await.is_ok());
        // Longer than a whole answer may take.
        let hasty = model_with(&server.url, provider, |c| {
            c.limits.whole = Duration::from_millis(200)
        });
        server.answer(vec![slow]);
        let failure = hasty.answer(&request(), &Call::quiet()).await.unwrap_err();
        assert!(
            matches!(failure.error, LlmError::TimedOut { .. }),
            "{:?}",
            failure.error
        );

        // Pings without end.
        server.answer(vec![
            Reply::stream(&": ping\n\n".repeat(100)).ending(End::Endless),
        ]);
        let said = model
            .answer(&request(), &Call::quiet())
            .await
            .unwrap_err()
            .error
            .to_string();
        assert!(
            said.starts_with("the answer of")
                && said.contains("larger than allowed (200000 bytes)"),
            "{said}"
        );
        // One event without end.
        let mut flood = Reply::stream("data: ").ending(End::Endless);
        flood.pieces.push(vec![b'x'; 1_000]);
        server.answer(vec![flood]);
        let said = model
            .answer(&request(), &Call::quiet())
            .await
            .unwrap_err()
            .error
            .to_string();
        assert!(
            said.contains("an event in the answer") && said.contains("20000 bytes"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_caller_can_stop_at_any_time() {
    for provider in BOTH {
        let body = recorded(provider);
        let at = body.find(" von AAPL").unwrap();
        let server = Server::start(vec![Reply::stream(body).cut(at, End::Silent)]).await;
        let model = model_with(&server.url, provider, |c| {
            c.limits.read = Duration::from_secs(30)
        });
        let (mut call, events) = heard();
        let report = call.report.clone();
        let cancel = call.cancel.clone();
        call.report = Arc::new(move |e| {
            if matches!(e, AnswerEvent::TextDelta(_)) {
                cancel.cancel();
            }
            report(e);
        });
        let begun = Instant::now();
        let failure = model.answer(&request(), &call).await.unwrap_err();
        assert_eq!(failure.error, LlmError::Cancelled);
        assert_eq!(failure.text, "Die Volatilität");
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(
            !events
                .lock()
                .unwrap()
                .iter()
                .any(|e| matches!(e, AnswerEvent::Done(_)))
        );
        // Before it begins, nothing is sent.
        let seen = server.seen().len();
        let failure = model.answer(&request(), &call).await.unwrap_err();
        assert_eq!(
            (failure.error, failure.usage),
            (LlmError::Cancelled, TokenUsage::default())
        );
        assert_eq!(server.seen().len(), seen);
        // While it waits for another try.
        let server = Server::start(vec![Reply::status(529, "text/plain", "")]).await;
        let patient = model_with(&server.url, provider, |c| {
            c.limits.pause = Duration::from_secs(30);
            c.limits.longest_pause = Duration::from_secs(60);
        });
        let call = Call::quiet();
        let cancel = call.cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            cancel.cancel();
        });
        let failure = patient.answer(&request(), &call).await.unwrap_err();
        assert_eq!((failure.error, failure.tries), (LlmError::Cancelled, 1));
    }
}

#[tokio::test]
async fn nobody_at_home() {
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    for provider in BOTH {
        let failure = model_with(&url, provider, |_| ())
            .answer(&request(), &Call::quiet())
            .await
            .unwrap_err();
        assert!(
            matches!(failure.error, LlmError::Unreachable { .. }),
            "{:?}",
            failure.error
        );
        assert_eq!((failure.tries, failure.usage), (3, TokenUsage::default()));
    }
    // Somebody who speaks no TLS.
    let server = Server::start(vec![Reply::stream(OPENAI)]).await;
    let secure = server.url.replace("http://", "https://");
    let failure = model_with(&secure, LlmProvider::OpenaiCompatible, |_| ())
        .answer(&request(), &Call::quiet())
        .await
        .unwrap_err();
    assert!(
        matches!(failure.error, LlmError::Unreachable { .. }),
        "{:?}",
        failure.error
    );
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_at_once() {
    let says = |change: fn(&mut ModelConfig)| {
        let mut config = ModelConfig::new(
            LlmProvider::Anthropic,
            "https://api.anthropic.com",
            "claude-sonnet-5-5",
            Key::new(KEY),
        );
        change(&mut config);
        connect(config).err().map(|e| e.to_string())
    };
    assert_eq!(says(|_| ()), None);
    for (part, change) in [
        ("needs a key", (|c| c.key = None) as fn(&mut ModelConfig)),
        ("name a model", |c| c.model = " ".to_owned()),
        ("unencrypted", |c| {
            c.base_url = "http://example.org".to_owned()
        }),
        ("holds signs that no key has", |c| {
            c.key = Key::new("sk-p1anted\u{7}x")
        }),
        ("the further field max_tokens", |c| {
            c.extra = json!({"max_tokens": 1}).as_object().unwrap().clone();
        }),
    ] {
        let said = says(change).unwrap();
        assert!(
            said.starts_with("no language model can be asked: "),
            "{said}"
        );
        assert!(said.contains(part) && !said.contains("p1anted"), "{said}");
    }
    // A prompt larger than allowed is not sent.
    let server = Server::start(vec![Reply::stream(OPENAI)]).await;
    let mut large = request();
    large.system = "x".repeat(100_001);
    let failure = model(&server, LlmProvider::OpenaiCompatible)
        .answer(&large, &Call::quiet())
        .await
        .unwrap_err();
    assert!(matches!(failure.error, LlmError::TooLarge { .. }));
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn ceilings_hold_before_a_call_and_costs_are_recorded_after_it() {
    let server = Server::start(vec![Reply::stream(ANTHROPIC)]).await;
    let model = model(&server, LlmProvider::Anthropic);
    let day = "2026-11-29".parse().unwrap();
    let meter = Mutex::new(Meter::new(Ceilings::default(), MeterRecord::default()));
    let price = models::price(
        &mltrainer_types::llm::ModelIdentity {
            host: "api.anthropic.com".to_owned(),
            ..model.identity().clone()
        },
        None,
    )
    .unwrap();
    let account = Account {
        meter: &meter,
        price: Some(&price),
        day,
        conversation: "c1",
    };
    let (outcome, record) = ask(model.as_ref(), account, &request(), &Call::quiet()).await;
    assert!(outcome.is_ok());
    // $2 in, $10 out, $2.50 and $4 written, $0.10 read, for 472, 89, 900, 100 and 300 tokens:
    // 944 + 890 + 2,250 + 400 + 30 micro-dollars.
    assert_eq!(record.cost.micro_dollars(), Some(4_514));
    assert_eq!(record.usage.total(), 1_861);
    assert_eq!(
        (record.stop, record.tries, record.day),
        (StopReason::ToolUse, 1, day)
    );
    assert_eq!(
        record.model.cutoff.last_day().unwrap().to_string(),
        "2026-06-30"
    );
    assert_eq!(meter.lock().unwrap().record().today.micro_dollars, 4_514);

    // Without a price and with ceilings on money nothing is sent.
    let unpriced = Account {
        price: None,
        ..account
    };
    let (outcome, record) = ask(model.as_ref(), unpriced, &request(), &Call::quiet()).await;
    assert!(matches!(outcome.unwrap_err().error, LlmError::Ceiling(_)));
    assert!(
        record
            .error
            .unwrap()
            .contains("no price is known for claude-sonnet-5-5")
    );
    assert_eq!(record.cost, Cost::Unknown);
    // Nor beyond the ceiling.
    let mut large = request();
    large.max_tokens = 100_000;
    let (outcome, record) = ask(model.as_ref(), account, &large, &Call::quiet()).await;
    assert!(matches!(outcome.unwrap_err().error, LlmError::Ceiling(_)));
    assert!(record.error.unwrap().contains("$0.50 allowed a call"));
    assert_eq!((record.tries, server.seen().len()), (0, 1));
    // A cut answer counts what it may have used.
    let at = ANTHROPIC.find(" von AAPL").unwrap();
    server.answer(vec![Reply::stream(ANTHROPIC).cut(at, End::Broken)]);
    let (outcome, record) = ask(model.as_ref(), account, &request(), &Call::quiet()).await;
    assert!(matches!(outcome.unwrap_err().error, LlmError::Cut { .. }));
    assert!(record.usage.estimated && record.stop == StopReason::Failed);
    assert_eq!(meter.lock().unwrap().record().today.calls, 2);
    // So does one that is dropped.
    server.answer(vec![Reply::stream(ANTHROPIC).cut(at, End::Silent)]);
    let dropped = tokio::time::timeout(
        Duration::from_millis(200),
        ask(model.as_ref(), account, &request(), &Call::quiet()),
    )
    .await;
    assert!(dropped.is_err());
    let spent = meter.lock().unwrap().record().today;
    assert_eq!(spent.calls, 3);
    assert!(spent.tokens > 1_861 + 1_000 + 1_000);
}

#[tokio::test]
async fn a_masked_model_sees_masks_and_the_caller_sees_none() {
    use mltrainer_assistant::mask::{Asset, Dates, Mask, Masked};
    let assets = [Asset {
        symbol: "AAPL".to_owned(),
        names: vec!["Apple".to_owned()],
    }];
    let mask = Arc::new(Mask::new(&assets, Dates::Shift { days: -3_500 }, 1).unwrap());
    for provider in BOTH {
        // What the model says with masks, in pieces of one byte.
        let body = recorded(provider)
            .replace("Die Volatilität", "COMP")
            .replace(" von AAPL 📈:", "ANY_1 (ASSET_1) since 2010-06-06")
            .replace("AAPL", "ASSET_1");
        let mut reply = Reply::stream(&body);
        reply.pieces = body.bytes().map(|b| vec![b]).collect();
        let server = Server::start(vec![reply]).await;
        let masked = Masked::new(model(&server, provider), mask.clone());
        assert!(masked.masks());
        let mut asked = request();
        asked.messages[0] =
            mltrainer_assistant::llm::Message::user("Is AAPL of Apple calm since 2020-01-05?");
        let (call, events) = heard();
        let answer = masked.answer(&asked, &call).await.unwrap();
        let said = "Apple (AAPL) since 2020-01-05";
        assert_eq!(answer.text(), said);
        let first = answer.tool_calls().next().unwrap();
        assert_eq!(first.arguments, json!({"symbol": "AAPL", "horizon": 5}));
        let events = events.lock().unwrap().clone();
        assert_eq!(text_of(&events), said);
        assert!(events.contains(&AnswerEvent::ToolCall(first.clone())));
        let sent = server.seen()[0].body.to_string();
        assert!(
            sent.contains("Is ASSET_1 of COMPANY_1 calm since 2010-06-06?"),
            "{sent}"
        );
        assert!(!sent.contains("AAPL") && !sent.contains("2020"), "{sent}");
    }
}
