//! Hostile texts: what a text can do by itself, whether a model only reads it or repeats it word for
//! word. It stays in its fence, starts no call of a tool, names no figure and finds no key.
//!
//! What actions do with a wish of a model is tested where actions are.

use crate::models::{KEY, heard, model, request, text_of};
use crate::server::{Reply, Server};
use mltrainer_assistant::figures::{Figure, Figures, Format, Renderer, Said, Value};
use mltrainer_assistant::llm::{AnswerEvent, Message};
use mltrainer_assistant::quoted::{Fence, Material, quote};
use mltrainer_types::llm::{AnswerPiece, LlmProvider, StopReason};
use serde_json::json;
use std::sync::Arc;

#[derive(serde::Deserialize)]
struct Attack {
    name: String,
    text: String,
}

fn attacks() -> Vec<Attack> {
    let attacks: Vec<Attack> = serde_json::from_str(include_str!("../data/attacks.json")).unwrap();
    assert!(attacks.len() >= 40);
    attacks
}

fn fence() -> Fence {
    Fence::new("k3J9xQ2mP7vT5wZ1").unwrap()
}

/// An answer that says this text and nothing else.
fn answer(provider: LlmProvider, text: &str) -> String {
    match provider {
        LlmProvider::Anthropic => [
            json!({"type": "message_start", "message": {"id": "m", "model": "claude-sonnet-5-5", "usage": {"input_tokens": 1, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
            json!({"type": "message_stop"}),
        ]
        .iter()
        .map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap()))
        .collect(),
        LlmProvider::OpenaiCompatible => format!(
            "data: {}\n\ndata: {}\n\ndata: [DONE]\n\n",
            json!({"model": "gpt-6.2-sol", "choices": [{"index": 0, "delta": {"content": text}}]}),
            json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        ),
    }
}

#[test]
fn every_attack_stays_in_its_fence() {
    for attack in attacks() {
        for quoted in [
            quote(&fence(), Material::News, "headline", &attack.text, 5_000),
            quote(&fence(), Material::File, &attack.text, "text", 5_000),
        ] {
            let text = &quoted.text;
            assert_eq!(
                text.matches("k3J9xQ2mP7vT5wZ1").count(),
                2,
                "{}",
                attack.name
            );
            assert!(
                text.ends_with("</quoted-k3J9xQ2mP7vT5wZ1>"),
                "{}",
                attack.name
            );
            assert!(!text.contains("{{"), "{}", attack.name);
            assert!(text.chars().count() < 5_400, "{}", attack.name);
            let seen = |c: char| {
                c == '\n'
                    || c == '\t'
                    || !(c.is_control()
                        || ('\u{e0000}'..='\u{e0fff}').contains(&c)
                        || ('\u{200b}'..='\u{202e}').contains(&c)
                            && !('\u{2010}'..='\u{2027}').contains(&c))
            };
            assert!(text.chars().all(seen), "{}", attack.name);
        }
    }
}

/// A model that repeats an attack word for word has said words: no call, no end before its end.
#[tokio::test]
async fn repeated_word_for_word_it_starts_nothing() {
    for provider in [LlmProvider::Anthropic, LlmProvider::OpenaiCompatible] {
        let server = Server::start(vec![Reply::stream("")]).await;
        let model = model(&server, provider);
        for attack in attacks() {
            server.answer(vec![Reply::stream(&answer(provider, &attack.text))]);
            let mut asked = request();
            let quoted = quote(&fence(), Material::News, "x", &attack.text, 5_000);
            asked.messages = vec![Message::user(format!("Summarise.\n{}", quoted.text))];
            let (call, events) = heard();
            let answer = model.answer(&asked, &call).await.unwrap();
            assert_eq!(answer.text(), attack.text, "{}", attack.name);
            assert_eq!(answer.tool_calls().count(), 0, "{}", attack.name);
            assert_eq!(answer.stop, StopReason::EndTurn, "{}", attack.name);
            let events = events.lock().unwrap().clone();
            assert_eq!(text_of(&events), attack.text, "{}", attack.name);
            assert!(!events.iter().any(|e| matches!(e, AnswerEvent::ToolCall(_))));
        }
        // The key stands in the head of a request and nowhere else.
        for seen in server.seen() {
            assert!(!seen.body.to_string().contains(KEY));
        }
    }
}

/// Numbers that a text brings are not shown as results, and its handles do not pass the fence.
#[test]
fn its_numbers_are_no_results() {
    let mut figures = Figures::new();
    for (handle, x) in [("r1.rmse", 0.4321), ("r1.return", 0.0512)] {
        let figure = Figure {
            value: Value::Number(x),
            format: Format::Decimal(4),
            label: handle.to_owned(),
            link: None,
        };
        figures.add(handle, figure).unwrap();
    }
    let (figures, said) = (Arc::new(figures), Arc::new(Said::new(["Summarise."])));
    let mut numbers = 0;
    for attack in attacks() {
        let quoted = quote(&fence(), Material::News, "x", &attack.text, 5_000);
        let mut renderer = Renderer::new(figures.clone(), said.clone());
        let mut pieces = renderer.push(&quoted.text);
        pieces.extend(renderer.finish());
        for piece in pieces {
            match piece {
                AnswerPiece::Text { .. } => {}
                AnswerPiece::Unverified { .. } => numbers += 1,
                AnswerPiece::Figure { text, .. } => panic!("{}: {text}", attack.name),
            }
        }
    }
    assert!(numbers > 30, "{numbers}");
}
