//! How many tokens a text is at most, before a vendor counts it.
//!
//! Vendors do not publish their tokenizers, so this is a rule on the safe side: every character
//! beyond ASCII counts as many tokens as it has bytes (no byte-level tokenizer makes more), digits,
//! signs and capital letters one each, small letters a half with each word rounded up, a space between
//! words none, other white space a half a character. Beside that, 8 for each message, 16 for each
//! tool and 600 once for the instructions that a vendor adds for tools. English prose comes out
//! at about twice its tokens. Not claimed: a bound for every text; random small letters
//! can have more. The count of the vendor settles what a call used.

use super::conversation::{Block, Request};

/// Tokens of a text, on the safe side.
#[must_use]
pub fn tokens(text: &str) -> u64 {
    // In halves of a token.
    let (mut sum, mut word, mut space) = (0_u64, 0_u64, 0_u64);
    let mut plain = true;
    let whole = |halves: u64| halves.div_ceil(2) * 2;
    for c in text.chars() {
        if c.is_ascii_whitespace() {
            sum += whole(word);
            word = 0;
            space += 1;
            plain &= c == ' ';
            continue;
        }
        if space > 1 || !plain {
            sum += whole(space);
        }
        (space, plain) = (0, true);
        word += match c {
            'a'..='z' => 1,
            c if c.is_ascii() => 2,
            c => 2 * c.len_utf8() as u64,
        };
    }
    (sum + whole(word) + whole(space)) / 2
}

/// Tokens of a prompt, on the safe side: instructions, tools and conversation.
#[must_use]
pub fn prompt_tokens(request: &Request) -> u64 {
    let mut sum = 8 + tokens(&request.system);
    if !request.tools.is_empty() {
        sum += 600;
    }
    for tool in &request.tools {
        sum +=
            16 + tokens(&tool.name) + tokens(&tool.description) + tokens(&tool.schema.to_string());
    }
    for message in &request.messages {
        sum += 8;
        for block in &message.blocks {
            sum += match block {
                Block::Text { text } => tokens(text),
                Block::ToolUse(call) => {
                    16 + tokens(&call.id) + tokens(&call.name) + tokens(&call.arguments.to_string())
                }
                Block::ToolResult { id, content, .. } => 16 + tokens(id) + tokens(content),
                Block::Opaque { content, .. } => tokens(&content.to_string()),
            };
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::conversation::ToolDefinition;
    use super::*;
    use serde_json::json;

    /// Counts of OpenAI's published tokenizer `o200k_base` (gpt-tokenizer on npm). Anthropic's newer
    /// one makes about 30 % more than its older one, so the estimate must reach 1.35 times these.
    const COUNTED: &[(&str, u64)] = &[
        ("Analyze momentum for AAPL over next 7-10 days", 12),
        (
            "Optimize my portfolio for maximum Sharpe using momentum stocks: at most 20 positions of 1 to 5 % each, rebalanced monthly with 0.1 % costs.",
            36,
        ),
        (
            r#"{"model":"random_forest_50","params":{"n_estimators":50,"max_depth":null},"metrics":{"rmse":0.012345678,"mae":0.0098,"r2":-0.0312},"horizon":5}"#,
            55,
        ),
        (
            "2004-01-02,21.28,21.75,21.18,21.28,36160600\n2004-01-05,21.42,22.39,21.42,22.17,98754600\n",
            54,
        ),
        (
            "Die Volatilität der Aktie stieg im März 2020 auf über 80 Prozent; danach fiel sie wieder.",
            24,
        ),
        ("苹果公司股票的波动率在2020年3月上升。", 16),
        ("Волатильность акций выросла в марте 2020 года.", 17),
        (
            "    fn split(first: NaiveDate, last: NaiveDate) -> CutoffSplit {\n        let span = |a, b| (a <= b).then_some(DaySpan { a, b });\n    }\n",
            46,
        ),
        ("AAPL MSFT GOOGL AMZN NVDA META TSLA BRK.B JPM XOM", 20),
        (
            "The walk-forward evaluation uses five folds with an embargo of five bars, and the baseline is the historical mean of log volatility over the training window.",
            29,
        ),
        ("🦀📈🚀", 7),
        ("\n\n\n    \t\t\n", 2),
        (
            "https://platform.claude.com/docs/en/about-claude/pricing?ref=x#model-pricing",
            22,
        ),
        (
            "MLTRAINER_DATA_DIR=/var/lib/mltrainer; don't you think it's 50% off?",
            20,
        ),
        ("XKCDQZ WVUT ZYXWVU", 11),
    ];

    /// Random signs, where the margin is smaller: the estimate must still reach the count.
    const RANDOM: &[(&str, u64)] = &[
        ("a b c d e f g h i j", 10),
        (
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            46,
        ),
        ("QWJjRGVmR2hpSktsbU5vUHFyU3R1Vnd4WXoxMjM0NTY3ODkwKy89", 37),
    ];

    #[test]
    fn the_estimate_lies_above_what_a_tokenizer_counts() {
        for (text, count) in COUNTED {
            let ours = tokens(text);
            assert!(
                ours as f64 >= 1.35 * *count as f64,
                "{ours} for {count}: {text}"
            );
            assert!(
                text.is_ascii()
                    .then_some(ours)
                    .is_none_or(|n| n <= 5 * count),
                "{ours} for {count}: {text}"
            );
        }
        for (text, count) in RANDOM {
            assert!(
                tokens(text) >= *count,
                "{} for {count}: {text}",
                tokens(text)
            );
        }
        assert_eq!(tokens(""), 0);
    }

    #[test]
    fn everything_in_a_prompt_counts() {
        let mut request = Request::new("one", "two", 10);
        // 8 + 2 for "one", 8 + 2 for "two".
        assert_eq!(prompt_tokens(&request), 20);
        request.tools.push(ToolDefinition {
            name: "ab".to_owned(),
            description: "cd".to_owned(),
            schema: json!({}),
        });
        // 600 + 16 + 1 + 1 + 2 for "{}".
        assert_eq!(prompt_tokens(&request), 640);
    }
}
