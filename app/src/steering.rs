//! A run that a language model steered, told apart by what the model may have known: a panel of the pages of
//! trials, back tests and optimisations.

use crate::format;
use crate::query::segment;
use crate::ui;
use leptos::prelude::*;
use mltrainer_types::llm::{Knowledge, KnowledgeCutoff, SpanResult, SteeredBy, Steering};

/// The panel; nothing where no language model steered.
pub(crate) fn panel(s: &SteeredBy) -> Option<AnyView> {
    let s = s.steered_by.as_ref()?;
    let place = s.conversation.as_ref().zip(s.message);
    let link = place.map(|(conversation, message)| {
        let place = format!("/chat/{}#m{message}", segment(conversation.as_str()));
        view! { " " <a href=place>"The conversation"</a> }
    });
    let body = view! {
        <p>{words(s)} {link}</p>
        {(!s.spans.is_empty()).then(|| spans(&s.spans))}
    }
    .into_any();
    Some(ui::panel(
        "steering",
        "Steered by a language model",
        ().into_any(),
        body,
    ))
}

/// Which model, up to when it may know what happened, and how to read what follows.
fn words(s: &Steering) -> String {
    let has = |k: Knowledge| s.spans.iter().any(|r| r.knowledge == k);
    let who = match &s.model.model {
        Some(model) => format!("{model} at {}", s.model.host),
        None => format!("The model behind {}", s.model.host),
    };
    match &s.model.cutoff {
        KnowledgeCutoff::Unknown => format!(
            "{who}. It is not known up to when it knows what happened, so all of this may be memory."
        ),
        KnowledgeCutoff::Known { last_day, .. } => {
            let until = format::day(*last_day);
            let rest = match (s.spans.is_empty(), has(Knowledge::After)) {
                (true, _) => "There is no result yet.",
                (false, true) => "What it shows later cannot be memory.",
                (false, false) => "No day of this is later, so all of it may be memory.",
            };
            format!(
                "{who} may know what happened up to {until}: a good result up to that day may be memory. {rest}"
            )
        }
    }
}

fn spans(all: &[SpanResult]) -> AnyView {
    let trial = all.iter().any(|s| s.figures.contains_key("loss"));
    let heads: &[&str] = if trial {
        &[
            "Model",
            "Days",
            "Memory?",
            "#Forecasts",
            "#Mean loss",
            "#Naive forecast",
            "#Difference, 95 %",
        ]
    } else {
        &[
            "Strategy",
            "Days",
            "Memory?",
            "#Bars",
            "#Return a year",
            "#Benchmark",
            "#Sharpe",
            "#Deepest fall",
        ]
    };
    let rows = all
        .iter()
        .map(|s| {
            let of = |name: &str| s.figures.get(name).copied().flatten();
            let beside = |name: &str| s.beside_figures.get(name).copied().flatten();
            let memory = match s.knowledge {
                Knowledge::Before => "may be",
                Knowledge::After => "no",
                Knowledge::Unknown => "not known",
            };
            let figures = if trial {
                vec![
                    format::figure(of("loss")),
                    format::figure(beside("loss")),
                    match (of("low"), of("high")) {
                        (None, _) | (_, None) => "too few days".to_owned(),
                        (low, high) => {
                            format!("{} to {}", format::figure(low), format::figure(high))
                        }
                    },
                ]
            } else {
                vec![
                    format::percent(of("annual_return"), 1),
                    format::percent(beside("annual_return"), 1),
                    format::cell(of("sharpe_ratio"), 2),
                    format::percent(of("max_drawdown"), 1),
                ]
            };
            view! {
                <tr>
                    <th scope="row">{s.subject.clone()}</th>
                    <td>{format!("{} to {}", format::day(s.span.first), format::day(s.span.last))}</td>
                    <td>{memory}</td>
                    <td class="num">{format::count(s.rows.into())}</td>
                    {figures.into_iter().map(|f| view! { <td class="num">{f}</td> }).collect_view()}
                </tr>
            }
        })
        .collect_view()
        .into_any();
    ui::table(
        "Before and after the model's knowledge ends",
        "plain",
        ui::heads(heads),
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::llm::{DaySpan, Steerer};

    #[test]
    fn the_words_say_what_may_be_memory() {
        let day = |text: &str| text.parse().unwrap();
        let span = |knowledge| SpanResult {
            subject: "held".to_owned(),
            beside: "cash".to_owned(),
            knowledge,
            span: DaySpan {
                first: day("2024-01-02"),
                last: day("2024-02-02"),
            },
            rows: 20,
            figures: [("annual_return".to_owned(), Some(0.1))].into(),
            beside_figures: [("annual_return".to_owned(), None)].into(),
        };
        let mut s = Steering {
            model: Steerer {
                model: Some("a-model".to_owned()),
                host: "127.0.0.1".to_owned(),
                cutoff: KnowledgeCutoff::Known {
                    last_day: day("2024-01-31"),
                    source: "configured".to_owned(),
                },
            },
            conversation: Some("c-1".into()),
            message: Some(1),
            spans: vec![span(Knowledge::Before)],
        };
        assert!(words(&s).contains("all of it may be memory"));
        s.spans.push(span(Knowledge::After));
        assert!(words(&s).contains("later cannot be memory"));
        s.model.cutoff = KnowledgeCutoff::Unknown;
        assert!(words(&s).contains("not known up to when"));
        s.model.model = None;
        assert!(words(&s).starts_with("The model behind 127.0.0.1. It is not known"));
        assert!(panel(&SteeredBy::default()).is_none());
    }
}
