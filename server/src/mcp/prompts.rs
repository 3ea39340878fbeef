//! The five workflows as prompts: a sentence of the user's with its blanks filled in.

use rmcp::ErrorData;
use rmcp::model::{GetPromptResult, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::{Map, Value};

/// A blank: name, what stands there when it is left empty (nothing: it must be given), what it is.
type Blank = (&'static str, Option<&'static str>, &'static str);

/// A workflow: name, title, what comes of it, the sentence with its blanks in braces.
struct Workflow {
    name: &'static str,
    title: &'static str,
    does: &'static str,
    sentence: &'static str,
    blanks: &'static [Blank],
}

const WORKFLOWS: [Workflow; 5] = [
    Workflow {
        name: "analyse_symbol",
        title: "Analyse a symbol",
        does: "Direction with calibrated confidence, target range, drivers, agreement of six models, risks",
        sentence: "Analyze {focus} for {symbol} over next {days} days",
        blanks: &[
            ("symbol", None, "Symbol"),
            ("focus", Some("momentum"), "What to look at"),
            ("days", Some("7-10"), "Days ahead, one number or a span"),
        ],
    },
    Workflow {
        name: "optimise_portfolio",
        title: "Optimise a portfolio",
        does: "A screen, momentum scores, a risk model, weights, a back test and a plan",
        sentence: "Optimize my portfolio for maximum Sharpe using {style} stocks",
        blanks: &[(
            "style",
            Some("momentum"),
            "The screen that chooses the stocks",
        )],
    },
    Workflow {
        name: "train_ensemble",
        title: "Train an ensemble",
        does: "Eight models over three horizons, stacked, with a report and its readiness",
        sentence: "Train ensemble models for {symbol}",
        blanks: &[("symbol", None, "Symbol")],
    },
    Workflow {
        name: "monitor_portfolio",
        title: "Monitor the portfolio",
        does: "Alerts on regime, volatility, momentum and correlation of what is held",
        sentence: "Monitor my portfolio for {trigger} changes and alert me",
        blanks: &[("trigger", Some("regime"), "What is watched for")],
    },
    Workflow {
        name: "develop_strategy",
        title: "Develop a strategy",
        does: "Hypothesis tests, signal, sizing, exits, back test with costs and a verdict; missing data is said",
        sentence: "Develop a strategy based on {ingredients}",
        blanks: &[(
            "ingredients",
            Some("unusual options activity and earnings momentum"),
            "What the strategy builds on",
        )],
    },
];

/// Longest text in a blank, in characters.
const LONGEST: usize = 200;

/// The prompts.
pub(super) fn list() -> Vec<Prompt> {
    let argument = |(name, usual, what): &Blank| {
        let what = match usual {
            Some(usual) => format!("{what}; \"{usual}\" when empty"),
            None => (*what).to_owned(),
        };
        PromptArgument::new(*name)
            .with_description(what)
            .with_required(usual.is_none())
    };
    WORKFLOWS
        .iter()
        .map(|w| {
            let arguments = w.blanks.iter().map(argument).collect();
            Prompt::new(w.name, Some(w.does), Some(arguments)).with_title(w.title)
        })
        .collect()
}

/// A prompt with its blanks filled in.
pub(super) fn get(name: &str, given: &Map<String, Value>) -> Result<GetPromptResult, ErrorData> {
    let wrong = |text: String| ErrorData::invalid_params(text, None);
    let workflow = WORKFLOWS.iter().find(|w| w.name == name);
    let workflow = workflow.ok_or_else(|| wrong(format!("there is no prompt \"{name}\"")))?;
    if let Some(unknown) = given
        .keys()
        .find(|k| workflow.blanks.iter().all(|(name, ..)| name != k))
    {
        return Err(wrong(format!("{name} has no argument \"{unknown}\"")));
    }
    let mut sentence = workflow.sentence.to_owned();
    for (blank, usual, _) in workflow.blanks {
        let text = given.get(*blank).and_then(Value::as_str).map(str::trim);
        let text = text.filter(|t| !t.is_empty()).or(*usual);
        let text = text.ok_or_else(|| wrong(format!("{blank} is missing")))?;
        if text.chars().count() > LONGEST || text.contains(char::is_control) {
            return Err(wrong(format!(
                "{blank} is one line of at most {LONGEST} characters"
            )));
        }
        sentence = sentence.replace(&format!("{{{blank}}}"), text);
    }
    let text = format!(
        "{sentence}.\n\nDo it with the tools of mlTrainer. Take every number from their results and name the page of the result; where data is missing, say so."
    );
    Ok(
        GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)])
            .with_description(workflow.does),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(name: &str, given: Value) -> Result<String, ErrorData> {
        let Value::Object(given) = given else {
            panic!("an object")
        };
        let result = serde_json::to_value(get(name, &given)?).unwrap();
        Ok(result["messages"][0]["content"]["text"]
            .as_str()
            .unwrap()
            .to_owned())
    }

    #[test]
    fn a_prompt_is_the_sentence_of_the_workflow() {
        let said = text("analyse_symbol", json!({"symbol": "AAPL"})).unwrap();
        assert!(said.starts_with("Analyze momentum for AAPL over next 7-10 days."));
        for workflow in WORKFLOWS {
            let mut given = Map::new();
            for (name, usual, _) in workflow.blanks {
                assert!(workflow.sentence.contains(&format!("{{{name}}}")));
                if usual.is_none() {
                    given.insert((*name).to_owned(), json!("TSLA"));
                }
            }
            let said = text(workflow.name, Value::Object(given)).unwrap();
            assert!(!said.contains(['{', '}']), "{said}");
        }
    }

    #[test]
    fn what_is_missing_unknown_or_too_long_is_said() {
        for (name, given) in [
            ("analyse_symbol", json!({})),
            ("analyse_symbol", json!({"symbol": "A", "dys": "3"})),
            ("train_ensemble", json!({"symbol": "A\nB"})),
            ("train_ensemble", json!({"symbol": "A".repeat(201)})),
            ("unknown", json!({})),
        ] {
            assert!(text(name, given.clone()).is_err(), "{name} {given}");
        }
    }
}
