//! Pages as lines: what stands on every page is left out, broken words are joined, headings, formulas and
//! tables are found.

use super::MOST;
use super::words::number;
use mltrainer_types::paper::{PaperSection, PaperTable, Passage};
use std::collections::BTreeMap;

/// Headings that stand without a number.
const HEADINGS: [&str; 30] = [
    "abstract",
    "introduction",
    "data",
    "data and methodology",
    "data and methods",
    "method",
    "methods",
    "methodology",
    "model",
    "models",
    "results",
    "empirical results",
    "main results",
    "discussion",
    "conclusion",
    "conclusions",
    "concluding remarks",
    "references",
    "bibliography",
    "appendix",
    "acknowledgements",
    "acknowledgments",
    "related work",
    "related literature",
    "literature review",
    "robustness",
    "robustness checks",
    "backtest",
    "trading strategy",
    "summary",
];

/// Rows of a table that are kept.
const ROWS: usize = 60;

/// Most characters of a section.
const SECTION: usize = 200_000;

/// A page that was cleaned.
pub(super) struct Page {
    /// Number, from 1.
    pub(super) number: u32,
    /// Its lines.
    pub(super) lines: Vec<String>,
    /// The same as one text.
    pub(super) text: String,
}

/// Letters that a font writes as one are written as several.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.trim().chars() {
        match c {
            'ﬁ' => out.push_str("fi"),
            'ﬂ' => out.push_str("fl"),
            'ﬀ' => out.push_str("ff"),
            'ﬃ' => out.push_str("ffi"),
            'ﬄ' => out.push_str("ffl"),
            '\u{ad}' => {}
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A line as it stands on other pages too: without the page's number.
fn running(line: &str) -> String {
    line.chars()
        .filter(|c| !c.is_ascii_digit())
        .collect::<String>()
        .trim()
        .to_lowercase()
}

pub(super) fn cleaned(pages: &[String]) -> Vec<Page> {
    let lines: Vec<Vec<String>> = pages
        .iter()
        .map(|p| p.lines().map(plain).collect())
        .collect();
    // Heads and feet: the first and last lines of a page that at least three pages share.
    let ends = |page: &[String]| -> Vec<String> {
        let full: Vec<&String> = page.iter().filter(|l| !l.is_empty()).collect();
        let last = full.len().saturating_sub(2).max(2);
        full.iter()
            .take(2)
            .chain(full.iter().skip(last))
            .map(|l| running(l))
            .collect()
    };
    let mut shared: BTreeMap<String, usize> = BTreeMap::new();
    for page in &lines {
        for end in ends(page) {
            *shared.entry(end).or_default() += 1;
        }
    }
    let everywhere = |line: &str| {
        let bare = running(line);
        (bare.is_empty() && !line.is_empty() && line.len() <= 6)
            || (!bare.is_empty() && shared.get(&bare).is_some_and(|n| *n >= 3))
    };
    lines
        .iter()
        .zip(1_u32..)
        .map(|(lines, number)| {
            let mut out: Vec<String> = Vec::with_capacity(lines.len());
            let n = lines.len();
            for (i, line) in lines.iter().enumerate() {
                if (i < 3 || i + 3 >= n) && everywhere(line) {
                    continue;
                }
                // "momen-" and "tum" are one word.
                if let Some(last) = out.last_mut()
                    && last.ends_with('-')
                    && last.chars().rev().nth(1).is_some_and(char::is_lowercase)
                    && line.chars().next().is_some_and(char::is_lowercase)
                {
                    last.pop();
                    let (rest, more) = line.split_once(' ').unwrap_or((line, ""));
                    last.push_str(rest);
                    if !more.is_empty() {
                        out.push(more.to_owned());
                    }
                    continue;
                }
                out.push(line.clone());
            }
            let text = out.join("\n");
            Page {
                number,
                lines: out,
                text,
            }
        })
        .collect()
}

/// The first line of several words.
pub(super) fn title(pages: &[Page]) -> String {
    let mut lines = pages.iter().take(1).flat_map(|p| &p.lines);
    let first =
        lines.find(|l| l.split_whitespace().count() >= 3 && l.chars().any(char::is_alphabetic));
    first
        .map(|l| l.chars().take(200).collect())
        .unwrap_or_default()
}

fn is_heading(line: &str) -> bool {
    let bare = line.trim_end_matches([':', '.']).to_lowercase();
    if HEADINGS.contains(&bare.as_str()) {
        return true;
    }
    let Some((number, rest)) = line.split_once(' ') else {
        return false;
    };
    let digits = number.trim_end_matches('.');
    let arabic = !digits.is_empty()
        && digits.len() <= 6
        && digits
            .split('.')
            .all(|p| !p.is_empty() && p.len() <= 2 && p.chars().all(|c| c.is_ascii_digit()));
    let roman = number.ends_with('.')
        && !digits.is_empty()
        && digits.chars().all(|c| matches!(c, 'I' | 'V' | 'X'));
    let words: Vec<&str> = rest.split_whitespace().collect();
    let capital = rest.chars().next().is_some_and(char::is_uppercase);
    let numbers = words
        .iter()
        .filter(|w| super::words::number(w).is_some())
        .count();
    (arabic || roman)
        && capital
        && (1..=9).contains(&words.len())
        && numbers == 0
        && !rest.ends_with(['.', ',', ';', '?'])
}

/// Parts under their headings; pages are apart by a form feed in the text.
pub(super) fn sections(pages: &[Page]) -> Vec<PaperSection> {
    let mut out = vec![PaperSection {
        title: String::new(),
        page: 1,
        text: String::new(),
    }];
    for page in pages {
        for (i, line) in page.lines.iter().enumerate() {
            if i == 0
                && page.number > 1
                && let Some(s) = out.last_mut()
            {
                s.text.push('\u{c}');
            }
            if is_heading(line) {
                out.push(PaperSection {
                    title: line.clone(),
                    page: page.number,
                    text: String::new(),
                });
            } else if let Some(s) = out.last_mut()
                && s.text.len() + line.len() < SECTION
            {
                s.text.push_str(line);
                s.text.push('\n');
            }
        }
    }
    for s in &mut out {
        s.text = s.text.trim_matches([' ', '\n']).to_owned();
    }
    out.retain(|s| !s.title.is_empty() || !s.text.trim().is_empty());
    out
}

/// Lines with an equals sign or a sum that are mostly not words.
pub(super) fn formulas(pages: &[Page]) -> Vec<Passage> {
    let mut out = Vec::new();
    for page in pages {
        for line in &page.lines {
            let equal = line.contains(['=', '∑', '∏', '∫', '≤', '≥', '≈']);
            let words = line
                .split_whitespace()
                .filter(|w| w.chars().filter(|c| c.is_alphabetic()).count() > 3)
                .count();
            let both =
                line.chars().any(char::is_alphabetic) && line.len() >= 5 && line.len() <= 160;
            if equal && both && words <= 2 && out.len() < MOST {
                out.push(Passage {
                    page: page.number,
                    text: line.clone(),
                });
            }
        }
    }
    out
}

/// Tables: a caption and the lines behind it that hold at least two numbers.
pub(super) fn tables(pages: &[Page]) -> Vec<PaperTable> {
    let mut out: Vec<PaperTable> = Vec::new();
    for page in pages {
        let mut open = false;
        let mut gap = 0;
        for line in &page.lines {
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default().to_lowercase();
            let named = words.next().is_some_and(|n| {
                let n = n.trim_end_matches([':', '.']);
                !n.is_empty()
                    && n.chars()
                        .all(|c| c.is_ascii_digit() || matches!(c, 'I' | 'V' | 'X'))
            });
            if first == "table" && named {
                open = out.len() < MOST;
                gap = 0;
                if open {
                    out.push(PaperTable {
                        caption: line.clone(),
                        page: page.number,
                        rows: Vec::new(),
                    });
                }
                continue;
            }
            if !open {
                continue;
            }
            let cells: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let numbers = cells
                .iter()
                .filter(|c| number(c.trim_matches(['(', ')', '*'])).is_some())
                .count();
            if numbers >= 2
                && let Some(table) = out.last_mut()
                && table.rows.len() < ROWS
            {
                gap = 0;
                table.rows.push(cells);
            } else {
                gap += 1;
                // Its heads and notes; further away it is over.
                open = gap <= 8;
            }
        }
    }
    out.retain(|t| !t.rows.is_empty());
    out
}
