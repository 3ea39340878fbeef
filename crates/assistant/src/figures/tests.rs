//! The table of sentences, and that pieces of an answer give the same as the whole.

use super::*;
use proptest::prelude::*;

fn figures() -> Arc<Figures> {
    let mut figures = Figures::new();
    let day: NaiveDate = "2004-01-02".parse().unwrap();
    for (handle, value, format) in [
        ("r1.return", Value::Number(0.0521), Format::Percent(2)),
        ("r1.rmse", Value::Number(0.012_345), Format::Decimal(4)),
        ("r1.trades", Value::Number(1_234.0), Format::Decimal(0)),
        (
            "r1.value",
            Value::Number(1_234_567.891),
            Format::Money("$", 2),
        ),
        ("r1.start", Value::Day(day), Format::Decimal(0)),
        (
            "r2.model",
            Value::Text("ridge".to_owned()),
            Format::Decimal(0),
        ),
        ("r2.sharpe", Value::Number(-0.456_7), Format::Decimal(2)),
        ("r2.folds", Value::Number(6.0), Format::Decimal(0)),
        ("r2.window", Value::Number(252.0), Format::Decimal(0)),
        ("r2.drawdown", Value::Number(-0.231), Format::Percent(1)),
        ("r2.none", Value::Number(f64::NAN), Format::Decimal(2)),
        (
            "r2.ridge.p-value",
            Value::Number(0.000_123_4),
            Format::Significant(3),
        ),
    ] {
        figures
            .add(
                handle,
                Figure {
                    value,
                    format,
                    label: format!("the {handle}"),
                    link: Some("/trials/1".to_owned()),
                },
            )
            .unwrap();
    }
    Arc::new(figures)
}

fn said() -> Arc<Said> {
    Arc::new(Said::new([
        "Analyze momentum for AAPL over next 7-10 days since 2008-01-02 with five folds and 0.1 % costs.",
        "Use horizons 1, 5 and 20; begin with $1,000 at 10:30, and look at 3 models in 2015.",
    ]))
}

/// Pieces as one text: `[=value]` is a result's, `[?text]` is unverified.
fn marked(pieces: &[AnswerPiece]) -> String {
    pieces
        .iter()
        .map(|p| match p {
            AnswerPiece::Text { text } => text.clone(),
            AnswerPiece::Figure { text, .. } => format!("[={text}]"),
            AnswerPiece::Unverified { text } => format!("[?{text}]"),
        })
        .collect()
}

/// What each sentence becomes. The first part is what the model wrote.
const TABLE: &[(&str, &str)] = &[
    // Handles.
    ("The RMSE is {{r1.rmse}}.", "The RMSE is [=0.0123]."),
    (
        "It gained {{r1.return}} in {{r1.trades}} trades.",
        "It gained [=5.21 %] in [=1,234] trades.",
    ),
    (
        "**{{r1.value}}** ({{ r2.model }})",
        "**[=$1,234,567.89]** ([=ridge])",
    ),
    (
        "From {{r1.start}} on, {{r2.sharpe}}-{{r2.drawdown}}.",
        "From [=2004-01-02] on, [=-0.46]-[=-23.1 %].",
    ),
    (
        "p = {{r2.ridge.p-value}}; none: {{r2.none}}",
        "p = [=0.000123]; none: [=not available]",
    ),
    (
        "Unknown: {{r9.rmse}}, {{r1}}, {{}}",
        "Unknown: [?{{r9.rmse}}], [?{{r1}}], [?{{}}]",
    ),
    (
        "Not closed: {{r1.rmse and more",
        "Not closed: {{r1.rmse and more",
    ),
    // Handles whose value is changed by what stands around them.
    ("It lost -{{r1.return}}.", "It lost -[?{{r1.return}}]."),
    (
        "4{{r1.trades}} and {{r1.trades}}0",
        "[?4][?{{r1.trades}}] and [?{{r1.trades}}][?0]",
    ),
    ("{{r1.rmse}}{{r1.rmse}}", "[?{{r1.rmse}}][?{{r1.rmse}}]"),
    (
        "{{r1.trades}} million, {{r1.rmse}} %, {{r2.folds}}x",
        "[?{{r1.trades}}] million, [?{{r1.rmse}}] %, [?{{r2.folds}}]x",
    ),
    ("a {{r2.folds}}-fold gain", "a [?{{r2.folds}}]-fold gain"),
    (
        "{{r2.folds}} folds, {{r2.window}}-day window",
        "[=6] folds, [=252]-day window",
    ),
    // Bare numbers that no result holds.
    ("The Sharpe ratio is 1.87.", "The Sharpe ratio is [?1.87]."),
    (
        "It rose 12 % and then 3%.",
        "It rose [?12 %] and then [?3%].",
    ),
    (
        "About 42 of 100 trades won.",
        "About [?42] of [?100] trades won.",
    ),
    (
        "A gain of $5,000 or €3.5 million",
        "A gain of [?$5,000] or [?€3.5] million",
    ),
    (
        "minus -0.5, +2.1 and ~7",
        "minus [?-0.5], [?+2.1] and ~[?7]",
    ),
    (
        "25 bps, 25bps, 3x, 10k, 2nd",
        "[?25] bps, [?25bps], [?3x], [?10k], [?2nd]",
    ),
    ("1e-4 and .5 and 5e", "[?1e-4] and [?.5] and [?5e]"),
    (
        "95 % confidence, 1:3 odds, at 16:00",
        "[?95 %] confidence, [?1:3] odds, at [?16:00]",
    ),
    ("٣ and ½ and x² and R²", "[?٣] and [?½] and x² and R²"),
    (
        "about twelve percent, twenty-five basis points, two hundred dollars",
        "about [?twelve] percent, [?twenty-five] basis points, [?two hundred] dollars",
    ),
    (
        "It doubled, three times as good, two models agree",
        "It doubled, [?three] times as good, two models agree",
    ),
    (
        "`0.05` in code, _0.07_ too",
        "`[?0.05]` in code, _[?0.07]_ too",
    ),
    ("RMSE:0.0999|0.0888", "RMSE:[?0.0999]|[?0.0888]"),
    (
        "0.0.7 is a version, 0.7 is none",
        "0.0.7 is a version, [?0.7] is none",
    ),
    // Bare numbers that a result holds.
    ("The RMSE is 0.0123.", "The RMSE is [=0.0123]."),
    (
        "It gained 5.21 %, or 5.21%, or 0.0521.",
        "It gained [=5.21 %], or [=5.21%], or [=0.0521].",
    ),
    ("It gained 5.2 % (5.3 %).", "It gained [?5.2 %] ([?5.3 %])."),
    (
        "1,234 trades; 1234 trades; 1235 trades",
        "[=1,234] trades; [=1234] trades; [?1235] trades",
    ),
    (
        "Sharpe -0.46, not 0.46; -0.457",
        "Sharpe [=-0.46], not [?0.46]; [=-0.457]",
    ),
    (
        "6 folds; 252 days; $1.23 million; $1,234,568",
        "[?6] folds; [=252] days; [=$1.23] million; [=$1,234,568]",
    ),
    ("0.0123 % is not it", "[?0.0123 %] is not it"),
    // What the person gave.
    (
        "Over the next 7-10 days, a 10-day view",
        "Over the next 7-10 days, a 10-day view",
    ),
    (
        "7 to 10 trading days, but 10 % and 7 trades",
        "7 to 10 trading days, but [?10 %] and [?7] trades",
    ),
    (
        "With 5 folds and 0.1 % costs",
        "With 5 folds and 0.1 % costs",
    ),
    ("five folds, 5 folds, 5 days", "five folds, 5 folds, 5 days"),
    (
        "The horizons of 1, 5 and 20: a 20-day horizon",
        "The horizons of 1, 5 and 20: a 20-day horizon",
    ),
    (
        "With $1,000 at 10:30, not $1,001 at 10:31",
        "With $1,000 at 10:30, not [?$1,001] at [?10:31]",
    ),
    (
        "0.1 is plain, 0.10 % is the cost",
        "[?0.1] is plain, 0.10 % is the cost",
    ),
    // Dates.
    (
        "Since 2008-01-02 and 2008-01-03",
        "Since 2008-01-02 and [?2008-01-03]",
    ),
    (
        "On January 2, 2008, or 2 January 2008, or January 2",
        "On January 2, 2008, or 2 January 2008, or January 2",
    ),
    (
        "In 2008 and in 2009, in 2015",
        "In 2008 and in [?2009], in 2015",
    ),
    (
        "The data begin on 2004-01-02, in January 2004.",
        "The data begin on [=2004-01-02], in [=January 2004].",
    ),
    ("In March 2020 it fell", "In [?March 2020] it fell"),
    ("2020-13-45 is no day", "[?2020-13-45] is no day"),
    // Lists, labels and names.
    (
        "Next steps:\n1. Run it.\n2. Look.\n  1. Here\n  2. There\n3) Done",
        "Next steps:\n1. Run it.\n2. Look.\n  1. Here\n  2. There\n3) Done",
    ),
    (
        "42. is no list\n- 7 is an item\n2. neither",
        "[?42]. is no list\n- [?7] is an item\n[?2]. neither",
    ),
    (
        "- 1. one\n- 2. two\n**3.** three",
        "- 1. one\n- 2. two\n**3.** three",
    ),
    (
        "See step 2, table 3 and option 1, not table 1.5",
        "See step 2, table 3 and option 1, not table [?1.5]",
    ),
    (
        "The S&P 500 and the Russell 2000, the 10-K and the Nasdaq-100",
        "The S&P 500 and the Russell 2000, the 10-K and the Nasdaq-100",
    ),
    (
        "S&P 501, 10-Z, Russell 2000.5, S&P 500%",
        "S&P [?501], [?10]-Z, Russell [?2000.5], S&P [?500%]",
    ),
    (
        "random_forest_50, r3, SHA256, 9f86d0, RSI14",
        "random_forest_50, r3, SHA256, 9f86d0, RSI14",
    ),
    ("50 trees of depth 3D", "[?50] trees of depth [?3D]"),
    ("gain5%, 0.07_x, 0.07x1", "[?gain5%], [?0.07_x], [?0.07x1]"),
    ("AAPL-5%, GPT-9", "AAPL-[?5%], GPT-[?9]"),
    // Text without figures.
    (
        "No model beats the baseline; nothing was found.",
        "No model beats the baseline; nothing was found.",
    ),
    ("", ""),
];

#[test]
fn the_table() {
    assert!(TABLE.len() >= 40);
    let mut wrong = String::new();
    for (text, want) in TABLE {
        let (pieces, _) = render(figures(), said(), text);
        let got = marked(&pieces);
        if got != *want {
            wrong += &format!("{text}\n  got  {got}\n  want {want}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn results_are_cited_once_in_order() {
    let (pieces, citations) = render(
        figures(),
        said(),
        "{{r2.sharpe}} after {{r1.return}}, again {{r2.sharpe}} and 5.21 %",
    );
    let handles: Vec<&str> = citations.iter().map(|c| c.handle.as_str()).collect();
    assert_eq!(handles, ["r2.sharpe", "r1.return"]);
    assert_eq!(citations[0].label, "the r2.sharpe");
    assert_eq!(citations[0].link.as_deref(), Some("/trials/1"));
    let numbers: Vec<u32> = pieces
        .iter()
        .filter_map(|p| match p {
            AnswerPiece::Figure { citation, .. } => Some(*citation),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [0, 1, 0, 1]);
}

#[test]
fn values_are_shown_as_their_format_says() {
    for (x, format, want) in [
        (1_234_567.0, Format::Decimal(0), "1,234,567"),
        (-1_234.5, Format::Decimal(1), "-1,234.5"),
        (-0.001, Format::Decimal(2), "0.00"),
        (0.0, Format::Significant(3), "0"),
        (123_456.0, Format::Significant(3), "123,000"),
        (0.000_999_9, Format::Significant(2), "0.0010"),
        (1.5e-9, Format::Significant(2), "1.5e-9"),
        (-0.05, Format::Percent(0), "-5 %"),
        (-12.3, Format::Money("€", 2), "-€12.30"),
        (f64::INFINITY, Format::Percent(1), "not available"),
    ] {
        let figure = Figure {
            value: Value::Number(x),
            format,
            label: String::new(),
            link: None,
        };
        assert_eq!(figure.shown(), want);
    }
}

#[test]
fn handles_are_names_of_results_and_parts() {
    let figure = || Figure {
        value: Value::Number(1.0),
        format: Format::Decimal(0),
        label: "one".to_owned(),
        link: None,
    };
    let mut figures = Figures::new();
    assert_eq!(figures.add("r3.ridge.rmse", figure()), Ok(()));
    assert_eq!(figures.offer(), "{{r3.ridge.rmse}} = 1 (one)\n");
    for bad in [
        "r3",
        "",
        ".",
        "r3.",
        "r3..x",
        "r3.a b",
        "r3.a}",
        "r3.ridge.rmse",
    ] {
        assert!(figures.add(bad, figure()).is_err(), "{bad}");
    }
}

#[test]
fn a_whole_result_can_be_offered() {
    let mut figures = Figures::new();
    let result = serde_json::json!({
        "ridge": {"rmse": 0.123_456_7, "n": 1234, "name": "ridge", "none": null},
        "p value": [0.5, 2],
        "start": "2004-01-02",
    });
    assert_eq!(
        figures.add_result("r3", "trial 3", Some("/trials/3"), &result),
        0
    );
    assert_eq!(
        figures.offer(),
        "{{r3.p_value.0}} = 0.5000 (trial 3: p_value 0)\n\
         {{r3.p_value.1}} = 2 (trial 3: p_value 1)\n\
         {{r3.ridge.n}} = 1,234 (trial 3: ridge n)\n\
         {{r3.ridge.rmse}} = 0.1235 (trial 3: ridge rmse)\n\
         {{r3.start}} = 2004-01-02 (trial 3: start)\n"
    );
    // The same again, and too many.
    assert_eq!(figures.add_result("r3", "trial 3", None, &result), 5);
    let many: Vec<u32> = (0..600).collect();
    assert_eq!(
        figures.add_result("r4", "many", None, &serde_json::json!({ "x": many })),
        100
    );
    // A bare number has no part to be named by.
    assert_eq!(
        figures.add_result("r5", "one", None, &serde_json::json!(1)),
        1
    );
}

fn in_pieces(text: &str, cuts: &[usize]) -> String {
    let mut renderer = Renderer::new(figures(), said());
    let mut cuts: Vec<usize> = cuts
        .iter()
        .map(|c| c % (text.len() + 1))
        .filter(|c| text.is_char_boundary(*c))
        .collect();
    cuts.push(text.len());
    cuts.sort_unstable();
    let (mut pieces, mut at) = (Vec::new(), 0);
    for cut in cuts {
        pieces.extend(renderer.push(&text[at..cut]));
        at = cut;
    }
    pieces.extend(renderer.finish());
    marked(&pieces)
}

#[test]
fn every_sentence_cut_anywhere_gives_the_same() {
    for (text, want) in TABLE {
        for at in 0..=text.len() {
            assert_eq!(in_pieces(text, &[at]), *want, "{text} cut at {at}");
        }
        let all: Vec<usize> = (0..=text.len()).collect();
        assert_eq!(in_pieces(text, &all), *want);
    }
    // All of them as one answer.
    let whole: String = TABLE
        .iter()
        .map(|(text, _)| format!("{text}\n\n"))
        .collect();
    let (pieces, _) = render(figures(), said(), &whole);
    let all: Vec<usize> = (0..=whole.len()).collect();
    assert_eq!(in_pieces(&whole, &all), marked(&pieces));
}

#[test]
fn words_are_shown_as_they_come() {
    let mut renderer = Renderer::new(figures(), said());
    assert_eq!(marked(&renderer.push("The model is ")), "The model is ");
    assert_eq!(marked(&renderer.push("good: {{r1.")), "good: ");
    assert_eq!(marked(&renderer.push("rmse}} then 1.87")), "");
    assert_eq!(
        marked(&renderer.push(" in all, as far as can be seen from here")),
        "[=0.0123] then [?1.87] in all, as far as can be seen from "
    );
    assert_eq!(marked(&renderer.finish()), "here");
}

#[test]
fn a_flood_without_blanks_is_passed_on() {
    let mut renderer = Renderer::new(figures(), said());
    let mut shown = 0;
    for _ in 0..100 {
        shown += marked(&renderer.push(&"x".repeat(1_000))).len();
        assert!(renderer.held.len() <= 5_100);
    }
    shown += marked(&renderer.finish()).len();
    assert_eq!(shown, 100_000);
}

proptest! {
    #[test]
    fn any_text_is_no_panic_and_nothing_is_lost(text in "([a-z ]|[0-9.,%$-]|\\{\\{|\\}\\}|r1.rmse|in |Jan |\n|é|🦀|two |2008-01-02){0,40}", cuts in prop::collection::vec(0_usize..300, 0..8)) {
        let (pieces, _) = render(figures(), said(), &text);
        prop_assert_eq!(in_pieces(&text, &cuts), marked(&pieces));
        let mut back = text.clone();
        // Without handles that are known, the pieces are the text.
        if !text.contains("r1.rmse") {
            let joined: String = pieces.iter().map(|p| match p {
                AnswerPiece::Text { text } | AnswerPiece::Figure { text, .. } | AnswerPiece::Unverified { text } => text.as_str(),
            }).collect();
            back = joined;
        }
        prop_assert_eq!(back, text);
    }
}
