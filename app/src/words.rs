//! The words on the pages for the words on the wire.

use mltrainer_types::catalogue::{EntryKind, ParamKind, ParamSpec, Task};
use mltrainer_types::data::{DatasetKind, Severity};
use mltrainer_types::trial::{Target, TrialState, Validation};

/// A wire word for people: `log_volatility` is "log volatility".
#[must_use]
pub fn plain(word: &str) -> String {
    word.replace('_', " ")
}

/// The same with a capital first letter.
#[must_use]
pub fn title(word: &str) -> String {
    let text = plain(word);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + chars.as_str()
    })
}

/// A target in a few words.
#[must_use]
pub fn target(target: Target) -> &'static str {
    match target {
        Target::Return => "Return",
        Target::Direction => "Direction",
        Target::LogVolatility => "Log volatility",
        Target::Range => "Range",
        Target::Price => "Price",
    }
}

/// A target in a sentence, for the form.
#[must_use]
pub fn target_help(target: Target) -> &'static str {
    match target {
        Target::Return => "simple return of the close over the horizon",
        Target::Direction => "whether that return is above zero",
        Target::LogVolatility => "logarithm of the realised volatility over the horizon",
        Target::Range => "logarithm of highest high over lowest low",
        Target::Price => "close at the end of the horizon",
    }
}

/// The unit of a target, for axes.
#[must_use]
pub fn target_unit(target: Target) -> &'static str {
    match target {
        Target::Return => "return",
        Target::Direction => "probability of a rise",
        Target::LogVolatility => "log of daily volatility",
        Target::Range => "log range",
        Target::Price => "price in USD",
    }
}

/// "1 day ahead", "5 days ahead".
#[must_use]
pub fn horizon(bars: u32) -> String {
    format!(
        "{} ahead",
        crate::format::counted(u64::from(bars), "day", "days")
    )
}

/// A state in one word, with the sign before it and the class of its colour.
#[must_use]
pub fn state(state: TrialState) -> (&'static str, &'static str, &'static str) {
    match state {
        TrialState::Queued => ("○", "Queued", "wait"),
        TrialState::Checking => ("●", "Checking data", "run"),
        TrialState::Fetching => ("●", "Reading bars", "run"),
        TrialState::Engineering => ("●", "Computing features", "run"),
        TrialState::Training => ("●", "Training", "run"),
        TrialState::Evaluating => ("●", "Evaluating", "run"),
        TrialState::Finished => ("✓", "Finished", "done"),
        TrialState::Paused => ("‖", "Paused", "wait"),
        TrialState::Cancelled => ("■", "Cancelled", "stop"),
        TrialState::Blocked => ("⊘", "Blocked by the gate", "bad"),
        TrialState::Failed => ("✕", "Failed", "bad"),
    }
}

/// What a pressed button asks of a trial, and whether its state allows it.
#[must_use]
pub fn verbs(state: TrialState) -> &'static [(&'static str, &'static str)] {
    match state {
        s if s.is_final() => &[],
        TrialState::Paused => &[("resume", "Resume"), ("cancel", "Cancel")],
        _ => &[("pause", "Pause"), ("cancel", "Cancel")],
    }
}

/// How rows are cut in time, in a sentence.
#[must_use]
pub fn validation(v: &Validation) -> String {
    match v {
        Validation::HoldOut {
            test_share,
            embargo,
        } => format!(
            "hold-out: the last {} of the days is the test{}",
            crate::format::percent(Some(*test_share), 0),
            embargo_words(*embargo)
        ),
        Validation::WalkForward {
            folds,
            embargo,
            window,
        } => format!(
            "walk-forward: {}, {}{}",
            crate::format::counted(u64::from(*folds), "fold", "folds"),
            window.map_or_else(
                || "expanding window".to_owned(),
                |days| format!(
                    "rolling window of {} days",
                    crate::format::count(days.into())
                )
            ),
            embargo_words(*embargo)
        ),
    }
}

fn embargo_words(days: u32) -> String {
    if days == 0 {
        String::new()
    } else {
        format!(
            ", embargo {}",
            crate::format::counted(days.into(), "day", "days")
        )
    }
}

/// What an entry is.
#[must_use]
pub fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Model => "Model",
        EntryKind::Preset => "Preset",
        EntryKind::Indicator => "Indicator",
        EntryKind::Search => "Search",
    }
}

/// A task for people.
#[must_use]
pub fn task(task: Task) -> String {
    title(task.as_str())
}

/// What a data set holds.
#[must_use]
pub fn dataset_kind(kind: DatasetKind) -> &'static str {
    match kind {
        DatasetKind::Bars => "Daily bars",
        DatasetKind::Closes => "Daily closes",
        DatasetKind::Intraday => "Bars of less than a day",
        DatasetKind::Series => "Series",
    }
}

/// How grave a finding is: sign, word, class.
#[must_use]
pub fn severity(severity: Severity) -> (&'static str, &'static str, &'static str) {
    match severity {
        Severity::Note => ("i", "Note", "done"),
        Severity::Quarantine => ("!", "Set aside", "wait"),
        Severity::Refuse => ("✕", "Refused", "bad"),
    }
}

/// The type of a parameter.
#[must_use]
pub fn param_kind(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Float => "number",
        ParamKind::Integer => "whole number",
        ParamKind::Boolean => "yes or no",
        ParamKind::Choice => "choice",
        ParamKind::Text => "text",
    }
}

/// The allowed values of a parameter: "0 < x ≤ 1", "gini, entropy".
#[must_use]
pub fn param_range(p: &ParamSpec) -> String {
    let bound = |x: f64| crate::format::json_text(&serde_json::json!(x));
    let sign = |exclusive: bool| if exclusive { "<" } else { "≤" };
    let mut text = match (p.kind, p.min, p.max) {
        (ParamKind::Choice, ..) => p.choices.join(", "),
        (ParamKind::Boolean, ..) => "true, false".to_owned(),
        (ParamKind::Text, ..) => "any text".to_owned(),
        (_, None, None) => "any".to_owned(),
        (_, Some(low), None) if p.min_exclusive => format!("> {}", bound(low)),
        (_, Some(low), None) => format!("≥ {}", bound(low)),
        (_, None, Some(high)) => format!("{} {}", sign(p.max_exclusive), bound(high)),
        (_, Some(low), Some(high)) => format!(
            "{} {} x {} {}",
            bound(low),
            sign(p.min_exclusive),
            sign(p.max_exclusive),
            bound(high)
        ),
    };
    if p.optional {
        text.push_str(", or none");
    }
    text
}

/// A figure's short name for a column head, its name in full, and whether it is a share.
#[must_use]
pub fn metric(name: &str) -> (String, String, bool) {
    let known = [
        (
            "rmse",
            "RMSE",
            "root mean squared error; smaller is better",
            false,
        ),
        (
            "mae",
            "MAE",
            "mean absolute error; smaller is better",
            false,
        ),
        ("mse", "MSE", "mean squared error; smaller is better", false),
        (
            "r2",
            "R²",
            "share of the variance explained, against the mean of the test rows; larger is better",
            false,
        ),
        (
            "mape",
            "MAPE",
            "mean absolute error in percent of the value; smaller is better",
            true,
        ),
        (
            "directional_accuracy",
            "Hit rate",
            "share of rows whose sign was right; larger is better",
            true,
        ),
        (
            "information_coefficient",
            "IC",
            "rank correlation of forecast and outcome; larger is better",
            false,
        ),
        (
            "accuracy",
            "Accuracy",
            "share of rows whose class was right; larger is better",
            true,
        ),
        (
            "auc",
            "AUC",
            "area under the receiver operating characteristic; 0.5 is chance, larger is better",
            false,
        ),
        (
            "interval_coverage",
            "Coverage",
            "share of the test rows that lie in their prediction interval; near its level is right",
            true,
        ),
        (
            "interval_width",
            "Width",
            "mean width of the prediction intervals; smaller is better at the same coverage",
            false,
        ),
        (
            "log_loss",
            "Log loss",
            "mean negative log likelihood; smaller is better",
            false,
        ),
        (
            "brier",
            "Brier",
            "mean squared error of the probability; smaller is better",
            false,
        ),
        (
            "annual_return",
            "Return p.a.",
            "annual return after costs",
            true,
        ),
        (
            "sharpe",
            "Sharpe",
            "annual mean over annual standard deviation, after costs",
            false,
        ),
        (
            "sortino",
            "Sortino",
            "annual mean over downside deviation, after costs",
            false,
        ),
        (
            "calmar",
            "Calmar",
            "annual return over maximum drawdown",
            false,
        ),
        (
            "max_drawdown",
            "Max drawdown",
            "largest fall from a peak, after costs",
            true,
        ),
        (
            "turnover",
            "Turnover",
            "traded value a year in multiples of the capital",
            false,
        ),
        ("win_rate", "Win rate", "share of days with a gain", true),
        ("profit_factor", "Profit factor", "gains over losses", false),
        (
            "volatility",
            "Volatility",
            "annual standard deviation, after costs",
            true,
        ),
    ];
    known.into_iter().find(|(id, ..)| *id == name).map_or_else(
        || (title(name), title(name), false),
        |(_, short, long, share)| (short.to_owned(), long.to_owned(), share),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_plain() {
        assert_eq!(title("log_volatility"), "Log volatility");
        assert_eq!(title(""), "");
        assert_eq!(horizon(1), "1 day ahead");
        assert_eq!(horizon(5), "5 days ahead");
    }

    #[test]
    fn only_states_that_can_move_have_buttons() {
        for (state, expected) in [
            (TrialState::Queued, vec!["pause", "cancel"]),
            (TrialState::Training, vec!["pause", "cancel"]),
            (TrialState::Paused, vec!["resume", "cancel"]),
            (TrialState::Finished, vec![]),
            (TrialState::Failed, vec![]),
            (TrialState::Blocked, vec![]),
            (TrialState::Cancelled, vec![]),
        ] {
            let words: Vec<_> = verbs(state).iter().map(|(v, _)| *v).collect();
            assert_eq!(words, expected, "{state:?}");
        }
    }

    #[test]
    fn ranges_say_what_is_refused() {
        let spec = |kind, min, max, open_low, optional| ParamSpec {
            name: "x".into(),
            kind,
            default: serde_json::Value::Null,
            optional,
            min,
            max,
            min_exclusive: open_low,
            max_exclusive: false,
            choices: vec!["gini".into(), "entropy".into()],
            help: String::new(),
        };
        for (p, expected) in [
            (
                spec(ParamKind::Float, Some(0.0), Some(1.0), true, false),
                "0 < x ≤ 1",
            ),
            (
                spec(ParamKind::Integer, Some(1.0), None, false, true),
                "≥ 1, or none",
            ),
            (spec(ParamKind::Float, Some(0.0), None, true, false), "> 0"),
            (spec(ParamKind::Float, None, None, false, false), "any"),
            (
                spec(ParamKind::Choice, None, None, false, false),
                "gini, entropy",
            ),
        ] {
            assert_eq!(param_range(&p), expected);
        }
    }

    #[test]
    fn validation_reads_as_a_sentence() {
        assert_eq!(
            validation(&Validation::WalkForward {
                folds: 5,
                embargo: 1,
                window: Some(1000)
            }),
            "walk-forward: 5 folds, rolling window of 1,000 days, embargo 1 day"
        );
        assert_eq!(
            validation(&Validation::HoldOut {
                test_share: 0.2,
                embargo: 0
            }),
            "hold-out: the last 20\u{a0}% of the days is the test"
        );
    }
}
