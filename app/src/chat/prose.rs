//! The words of an answer as blocks: paragraphs, lists, code. A little Markdown is understood:
//! `- ` lists, blank lines, `# ` heads, fenced and inline code, `**bold**`. Everything else, HTML above
//! all, is text and stays text.

use mltrainer_types::llm::{AnswerPiece, FigureCitation};

/// What a run of letters is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words.
    Words,
    /// A result's value: position in the list of citations.
    Figure(u32),
    /// A number that no result holds.
    Unverified,
}

/// A run of letters that look the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it is.
    pub kind: Kind,
    /// The letters.
    pub text: String,
    /// Whether it is bold.
    pub strong: bool,
    /// Whether it is code.
    pub code: bool,
}

/// A block of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A paragraph; line ends within it are kept.
    Paragraph(Vec<Run>),
    /// A line that heads what follows.
    Head(Vec<Run>),
    /// A list.
    List(Vec<Vec<Run>>),
    /// Code, as it was written.
    Code(String),
}

/// A letter or a whole number of the answer: what lines are made of before they are read.
#[derive(Debug, Clone)]
enum Bit {
    Words(String),
    Whole(Kind, String),
}

/// The pieces of an answer as blocks.
#[must_use]
pub fn blocks(pieces: &[AnswerPiece]) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::new();
    // The paragraph or list item that is being read, and whether it is an item.
    let mut open: Vec<Bit> = Vec::new();
    let mut item = false;
    let mut fence: Option<String> = None;
    for line in lines(pieces) {
        let plain = starts(&line);
        if plain.starts_with("```") {
            match fence.take() {
                Some(code) => out.push(Block::Code(code)),
                None => {
                    close(&mut out, &mut open, &mut item);
                    fence = Some(String::new());
                }
            }
            continue;
        }
        if let Some(code) = &mut fence {
            if !code.is_empty() {
                code.push('\n');
            }
            code.push_str(&letters(&line));
            continue;
        }
        let blank = line
            .iter()
            .all(|bit| matches!(bit, Bit::Words(text) if text.trim().is_empty()));
        let bullet = ["- ", "* ", "• "].iter().find(|b| plain.starts_with(**b));
        let head = plain.trim_start_matches('#');
        let head = (head.len() < plain.len() && head.starts_with(' ')).then_some(plain.len());
        if blank {
            close(&mut out, &mut open, &mut item);
        } else if let Some(bullet) = bullet {
            close(&mut out, &mut open, &mut item);
            item = true;
            open = without(line, bullet.len());
        } else if let Some(all) = head {
            close(&mut out, &mut open, &mut item);
            let marks = all - plain.trim_start_matches('#').len();
            out.push(Block::Head(runs(&without(line, marks + 1))));
        } else {
            if !open.is_empty() {
                open.push(Bit::Words(if item { " " } else { "\n" }.to_owned()));
            }
            open.extend(line);
        }
    }
    if let Some(code) = fence {
        out.push(Block::Code(code));
    }
    close(&mut out, &mut open, &mut item);
    out
}

/// Ends the paragraph or item that is being read. Items that follow one another are one list.
fn close(out: &mut Vec<Block>, open: &mut Vec<Bit>, item: &mut bool) {
    let bits = std::mem::take(open);
    let was_item = std::mem::take(item);
    if bits.is_empty() {
        return;
    }
    let runs = runs(&bits);
    match (was_item, out.last_mut()) {
        (true, Some(Block::List(items))) => items.push(runs),
        (true, _) => out.push(Block::List(vec![runs])),
        (false, _) => out.push(Block::Paragraph(runs)),
    }
}

/// The bits of each line.
fn lines(pieces: &[AnswerPiece]) -> Vec<Vec<Bit>> {
    let mut all = vec![Vec::new()];
    let mut push = |bit: Option<Bit>, ends: bool| {
        if ends {
            all.push(Vec::new());
        }
        if let (Some(bit), Some(line)) = (bit, all.last_mut()) {
            line.push(bit);
        }
    };
    for piece in pieces {
        match piece {
            AnswerPiece::Text { text } => {
                for (i, part) in text.split('\n').enumerate() {
                    let part = part.trim_end_matches('\r');
                    let bit = (!part.is_empty()).then(|| Bit::Words(part.to_owned()));
                    push(bit, i > 0);
                }
            }
            AnswerPiece::Figure { text, citation } => {
                push(
                    Some(Bit::Whole(Kind::Figure(*citation), text.clone())),
                    false,
                );
            }
            AnswerPiece::Unverified { text } => {
                push(Some(Bit::Whole(Kind::Unverified, text.clone())), false);
            }
        }
    }
    all
}

/// The words that a line begins with, without leading spaces.
fn starts(line: &[Bit]) -> String {
    let mut text = String::new();
    for bit in line {
        match bit {
            Bit::Words(words) => text.push_str(words),
            Bit::Whole(..) => break,
        }
    }
    text.trim_start().to_owned()
}

/// A line without its leading spaces and as many bytes of its first words.
fn without(line: Vec<Bit>, bytes: usize) -> Vec<Bit> {
    let mut left = bytes;
    let mut begun = false;
    line.into_iter()
        .filter_map(|bit| match bit {
            Bit::Words(words) if !begun || left > 0 => {
                let words = if begun {
                    words.as_str()
                } else {
                    words.trim_start()
                };
                begun |= !words.is_empty();
                let cut = left.min(words.len());
                left -= cut;
                let rest = words.get(cut..).unwrap_or_default();
                (!rest.is_empty()).then(|| Bit::Words(rest.to_owned()))
            }
            other => {
                begun = true;
                left = 0;
                Some(other)
            }
        })
        .collect()
}

fn letters(line: &[Bit]) -> String {
    line.iter()
        .map(|bit| match bit {
            Bit::Words(text) | Bit::Whole(_, text) => text.as_str(),
        })
        .collect()
}

/// Whether a mark stands in what follows: in the rest of these words or in later ones.
fn closes(mark: &str, rest: &str, later: &[Bit]) -> bool {
    rest.contains(mark)
        || later
            .iter()
            .any(|bit| matches!(bit, Bit::Words(text) if text.contains(mark)))
}

/// Bold and code; a mark that nothing closes is a letter like any other.
fn runs(bits: &[Bit]) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    let (mut strong, mut code) = (false, false);
    for (i, bit) in bits.iter().enumerate() {
        let later = bits.get(i + 1..).unwrap_or_default();
        let mut words = match bit {
            Bit::Words(words) => words.as_str(),
            Bit::Whole(kind, text) => {
                out.push(Run {
                    kind: *kind,
                    text: text.clone(),
                    strong,
                    code,
                });
                continue;
            }
        };
        let mut text = String::new();
        while let Some(first) = words.chars().next() {
            let mark = if words.starts_with('`') {
                "`"
            } else if words.starts_with("**") && !code {
                "**"
            } else {
                ""
            };
            let rest = words.get(mark.len()..).unwrap_or_default();
            let on = if mark == "`" { code } else { strong };
            if !mark.is_empty() && (on || (!rest.starts_with(' ') && closes(mark, rest, later))) {
                words_run(&mut out, &mut text, strong, code);
                if mark == "`" {
                    code = !code;
                } else {
                    strong = !strong;
                }
                words = rest;
                continue;
            }
            let step = if mark.is_empty() {
                first.len_utf8()
            } else {
                mark.len()
            };
            text.push_str(words.get(..step).unwrap_or_default());
            words = words.get(step..).unwrap_or_default();
        }
        words_run(&mut out, &mut text, strong, code);
    }
    out
}

fn words_run(out: &mut Vec<Run>, text: &mut String, strong: bool, code: bool) {
    if text.is_empty() {
        return;
    }
    let text = std::mem::take(text);
    if let Some(last) = out.last_mut()
        && last.kind == Kind::Words
        && (last.strong, last.code) == (strong, code)
    {
        last.text.push_str(&text);
        return;
    }
    out.push(Run {
        kind: Kind::Words,
        text,
        strong,
        code,
    });
}

/// The words of an answer as HTML, everything escaped: what the server renders and what the browser shows
/// while the answer is being written.
#[must_use]
pub fn html(pieces: &[AnswerPiece], citations: &[FigureCitation]) -> String {
    let mut out = String::new();
    for block in blocks(pieces) {
        match block {
            Block::Paragraph(list) => line(&mut out, "<p>", &list, citations, "</p>"),
            Block::Head(list) => {
                line(
                    &mut out,
                    "<p class=\"words-head\">",
                    &list,
                    citations,
                    "</p>",
                );
            }
            Block::List(items) => {
                out.push_str("<ul class=\"dashes\">");
                for item in items {
                    line(&mut out, "<li>", &item, citations, "</li>");
                }
                out.push_str("</ul>");
            }
            Block::Code(code) => {
                out.push_str("<pre class=\"code\" tabindex=\"0\">");
                escape(&mut out, &code);
                out.push_str("</pre>");
            }
        }
    }
    out
}

fn line(out: &mut String, begin: &str, runs: &[Run], citations: &[FigureCitation], end: &str) {
    out.push_str(begin);
    for run in runs {
        if run.strong {
            out.push_str("<strong>");
        }
        match run.kind {
            Kind::Words if run.code => {
                out.push_str("<code>");
                escape(out, &run.text);
                out.push_str("</code>");
            }
            Kind::Words => escape(out, &run.text),
            Kind::Unverified => {
                out.push_str(
                    "<span class=\"unverified\" title=\"Unverified: no result holds this number\">",
                );
                escape(out, &run.text);
                out.push_str("<span class=\"visually-hidden\"> (unverified: no result holds this number)</span></span>");
            }
            Kind::Figure(n) => figure(out, &run.text, citations.get(n as usize)),
        }
        if run.strong {
            out.push_str("</strong>");
        }
    }
    out.push_str(end);
}

/// Letters of a value that stays on one line.
const SHORT: usize = 20;

/// A value with what it is as its title, and a link to its result where a page of ours shows it.
fn figure(out: &mut String, text: &str, cited: Option<&FigureCitation>) {
    let link = cited.and_then(|c| c.link.as_deref()).filter(|l| own(l));
    out.push_str(if link.is_some() { "<a" } else { "<span" });
    let long = text.chars().count() > SHORT;
    out.push_str(if long {
        " class=\"figure long\""
    } else {
        " class=\"figure\""
    });
    for (name, value) in [
        ("href", link),
        (
            "title",
            cited.map(|c| c.label.as_str()).filter(|l| !l.is_empty()),
        ),
    ] {
        if let Some(value) = value {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(out, value);
            out.push('"');
        }
    }
    out.push('>');
    escape(out, text);
    out.push_str(if link.is_some() { "</a>" } else { "</span>" });
}

/// Whether a link leads to a page of ours.
#[must_use]
pub fn own(link: &str) -> bool {
    link.starts_with('/') && !link.starts_with("//") && !link.starts_with("/\\")
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

/// A place that the memory found, in parts: whether each is what was searched. The marks are U+2068 and
/// U+2069.
#[must_use]
pub fn marked(snippet: &str) -> Vec<(bool, String)> {
    let mut parts: Vec<(bool, String)> = Vec::new();
    let mut found = false;
    for c in snippet.chars() {
        match c {
            '\u{2068}' => found = true,
            '\u{2069}' => found = false,
            c => match parts.last_mut() {
                Some((on, text)) if *on == found => text.push(c),
                _ => parts.push((found, c.to_string())),
            },
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> AnswerPiece {
        AnswerPiece::Text {
            text: text.to_owned(),
        }
    }

    fn figure(text: &str, citation: u32) -> AnswerPiece {
        AnswerPiece::Figure {
            text: text.to_owned(),
            citation,
        }
    }

    /// Blocks in short: `p`, `h`, `c`, `l` with runs in brackets, `*` bold, `` ` `` code, `#` figure, `?` unverified.
    fn short(pieces: &[AnswerPiece]) -> String {
        let line = |runs: &[Run]| {
            runs.iter()
                .map(|r| {
                    let mut marks = String::new();
                    if r.strong {
                        marks.push('*');
                    }
                    if r.code {
                        marks.push('`');
                    }
                    match r.kind {
                        Kind::Words => {}
                        Kind::Figure(n) => marks.push_str(&format!("#{n}")),
                        Kind::Unverified => marks.push('?'),
                    }
                    format!("[{marks}|{}]", r.text)
                })
                .collect::<String>()
        };
        blocks(pieces)
            .iter()
            .map(|b| match b {
                Block::Paragraph(runs) => format!("p{}", line(runs)),
                Block::Head(runs) => format!("h{}", line(runs)),
                Block::List(items) => {
                    let items: Vec<String> = items.iter().map(|i| line(i)).collect();
                    format!("l{}", items.join(","))
                }
                Block::Code(code) => format!("c[{code}]"),
            })
            .collect::<Vec<_>>()
            .join(" / ")
    }

    #[test]
    fn a_little_markdown_is_read() {
        for (source, expected) in [
            ("", ""),
            ("One.\nTwo.", "p[|One.\nTwo.]"),
            ("One.\n\nTwo.", "p[|One.] / p[|Two.]"),
            ("One.\r\n\r\nTwo.", "p[|One.] / p[|Two.]"),
            ("\n- a\n- b\n\nEnd", "l[|a],[|b] / p[|End]"),
            (
                "Try:\n- a\n  goes on\n* b",
                "p[|Try:] / l[|a   goes on],[|b]",
            ),
            ("a **b** `c` d", "p[|a ][*|b][| ][`|c][| d]"),
            ("**a", "p[|**a]"),
            ("a * b ` c", "p[|a * b ` c]"),
            ("2 ** 3 ** 4", "p[|2 ** 3 ** 4]"),
            ("`a ** b`", "p[`|a ** b]"),
            ("## Head\ntext", "h[|Head] / p[|text]"),
            ("#1 of all", "p[|#1 of all]"),
            ("-5 is not a list", "p[|-5 is not a list]"),
            (
                "```rust\nlet a = 1;\n\n- b\n```\nEnd",
                "c[let a = 1;\n\n- b] / p[|End]",
            ),
            ("```\nnever ended", "c[never ended]"),
        ] {
            assert_eq!(short(&[text(source)]), expected, "{source:?}");
        }
    }

    #[test]
    fn markup_stays_text() {
        let source = "<img src=x onerror=alert(1)> [link](javascript:alert(1)) &lt;";
        assert_eq!(short(&[text(source)]), format!("p[|{source}]"));
    }

    #[test]
    fn figures_stand_among_the_words() {
        let unverified = AnswerPiece::Unverified {
            text: "12.5".to_owned(),
        };
        for (pieces, expected) in [
            (
                vec![
                    text("RMSE "),
                    figure("0.5", 0),
                    text(", not "),
                    unverified.clone(),
                    text("."),
                ],
                "p[|RMSE ][#0|0.5][|, not ][?|12.5][|.]",
            ),
            // Bold around a figure, a list whose item begins with one, marks split over pieces.
            (
                vec![
                    text("**RMSE "),
                    figure("0.5", 0),
                    text("** is\n- "),
                    figure("7", 1),
                    text(" days\n- "),
                    text("b"),
                ],
                "p[*|RMSE ][*#0|0.5][| is] / l[#1|7][| days],[|b]",
            ),
            (
                vec![figure("3", 2), text("\n\n"), figure("4", 3)],
                "p[#2|3] / p[#3|4]",
            ),
            (
                vec![text("- "), text("a"), text("\n"), text("- b")],
                "l[|a],[|b]",
            ),
            // A hash or a dash in a figure is never a mark of ours.
            (vec![figure("- 5", 0)], "p[#0|- 5]"),
        ] {
            assert_eq!(short(&pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn everything_is_escaped() {
        let cite = |label: &str, link: Option<&str>| FigureCitation {
            handle: "r.f1".into(),
            label: label.into(),
            link: link.map(str::to_owned),
        };
        let attack = "<script>a('&\"')</script>";
        let safe = "&lt;script&gt;a(&#39;&amp;&quot;&#39;)&lt;/script&gt;";
        for (pieces, cited, expected) in [
            (vec![text(attack)], vec![], format!("<p>{safe}</p>")),
            (
                vec![text(&format!("- {attack}"))],
                vec![],
                format!("<ul class=\"dashes\"><li>{safe}</li></ul>"),
            ),
            (
                vec![text(&format!("# {attack}"))],
                vec![],
                format!("<p class=\"words-head\">{safe}</p>"),
            ),
            (
                vec![text(&format!("**{attack}** `{attack}`"))],
                vec![],
                format!("<p><strong>{safe}</strong> <code>{safe}</code></p>"),
            ),
            (
                vec![text(&format!("```\n{attack}\n```"))],
                vec![],
                format!("<pre class=\"code\" tabindex=\"0\">{safe}</pre>"),
            ),
            (
                vec![figure(attack, 0)],
                vec![cite(attack, Some("/a?b=\"c"))],
                format!(
                    "<p><a class=\"figure long\" href=\"/a?b=&quot;c\" title=\"{safe}\">{safe}</a></p>"
                ),
            ),
            // A link that leads elsewhere is none, and a figure without a citation is a figure still.
            (
                vec![figure("1", 0), figure("2", 7)],
                vec![cite("", Some("javascript:alert(1)"))],
                "<p><span class=\"figure\">1</span><span class=\"figure\">2</span></p>".to_owned(),
            ),
        ] {
            assert_eq!(html(&pieces, &cited), expected, "{pieces:?}");
        }
        let marked = html(&[AnswerPiece::Unverified { text: "<b>".into() }], &[]);
        assert!(
            marked.contains(">&lt;b&gt;<span class=\"visually-hidden\"> (unverified"),
            "{marked}"
        );
    }

    #[test]
    fn links_lead_to_our_own_pages_only() {
        for (link, expected) in [
            ("/trials/t-1", true),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("https://evil.example", false),
            ("javascript:alert(1)", false),
            ("", false),
        ] {
            assert_eq!(own(link), expected, "{link}");
        }
    }

    #[test]
    fn found_words_are_marked() {
        for (snippet, expected) in [
            ("", vec![]),
            ("plain", vec![(false, "plain")]),
            (
                "a \u{2068}ridge\u{2069} b \u{2068}c\u{2069}",
                vec![(false, "a "), (true, "ridge"), (false, " b "), (true, "c")],
            ),
            // The place was cut inside a found word.
            ("a \u{2068}rid", vec![(false, "a "), (true, "rid")]),
        ] {
            let got = marked(snippet);
            let got: Vec<(bool, &str)> = got.iter().map(|(f, t)| (*f, t.as_str())).collect();
            assert_eq!(got, expected, "{snippet:?}");
        }
    }
}
