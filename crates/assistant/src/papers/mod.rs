//! Papers: from the text of a PDF to what it does, claims, and what of it can be tested here.
//!
//! What: [`read`] finds title, sections, formulas, tables, methods, data, horizons and claimed results by
//! rules, and names the ready-made strategy that the method comes to, with the parameters that the paper states.
//! Data: the lines of each page in reading order. Every finding carries its page and its words, so that a
//! person can look.
//! Fails when: never; what cannot be read is missing, and `notes` say so.
//! Not claimed: understanding. A claim is what a sentence says beside a number, not what a table holds, and
//! nothing that a paper says is a fact of ours: its words are data and begin nothing.

pub mod by_model;
mod claims;
mod layout;
mod methods;
mod words;

use mltrainer_types::paper::{PaperReading, PaperSection, Passage};
use words::{Sentence, sentences};

/// Most of each kind that is kept.
const MOST: usize = 40;

/// Most characters of a passage.
const PASSAGE: usize = 400;

/// Reads a paper from the text of its pages.
#[must_use]
pub fn read(pages: &[String]) -> PaperReading {
    let pages = layout::cleaned(pages);
    let sections = layout::sections(&pages);
    let body: Vec<Sentence> = sections
        .iter()
        .filter(|s| !is_literature(s))
        .flat_map(|s| sentences(s.page, &s.text))
        .collect();
    let methods = methods::methods(&body);
    let mut notes = Vec::new();
    let letters: usize = pages.iter().map(|p| p.text.len()).sum();
    if letters < 200 * pages.len().max(1) {
        notes.push(
            "There is little text on its pages: it may be scanned, and pictures are not read."
                .to_owned(),
        );
    }
    let claims = claims::claims(&body);
    if claims.is_empty() {
        notes.push(
            "No sentence that claims a result was recognised; tables may hold some.".to_owned(),
        );
    }
    let strategy = methods::strategy(&methods, &body);
    if strategy.is_none() {
        notes.push(
            "Its method is none of the ready-made strategies; write it as a strategy to test it."
                .to_owned(),
        );
    }
    PaperReading {
        title: layout::title(&pages),
        formulas: layout::formulas(&pages),
        tables: layout::tables(&pages),
        data: methods::data(&body),
        years: methods::years(&body),
        horizons: methods::horizons(&body),
        methods: methods.into_iter().map(|m| m.found).collect(),
        sections,
        claims,
        strategy,
        by_model: None,
        notes,
    }
}

/// Whether a part lists the works of others, whose results are not the paper's.
fn is_literature(s: &PaperSection) -> bool {
    let title = s.title.to_lowercase();
    [
        "references",
        "bibliography",
        "works cited",
        "literature cited",
    ]
    .iter()
    .any(|t| title.contains(t))
}

fn passage(s: &Sentence) -> Passage {
    let mut text: String = s.text.chars().take(PASSAGE).collect();
    if text.len() < s.text.len() {
        text.push('…');
    }
    Passage { page: s.page, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::paper::ClaimKind;
    use serde_json::json;

    /// A paper in small, as a PDF gives it: a running head, hyphens at line ends, a table, a formula and works
    /// of others with results of their own.
    fn small() -> Vec<String> {
        let head = "JOURNAL OF NOTHING";
        [
            "Returns to Buying Past Winners\nA. Author and B. Author\n\nAbstract\nMomentum stra-\ntegies that buy past winners earn 12.1% per year. The Sharpe ratio is 0.62.\n\n1. Introduction\nWe study momentum. Momentum is old.",
            "2. Data\nOur sample of NYSE and AMEX stocks from CRSP covers January 1965 to December 1989.\n\n3. Methodology\nStocks are ranked on their returns over the past 6 months, skipping the most recent week, and held for 3 months. The weight is\nw = r / sum(r) (1)\nThe maximum drawdown was 33.5% and profits are about 1% per month.",
            "Table 1: Returns by decile\nDecile 1 0.79 2.1\nDecile 10 1.74 3.4\n\nReferences\nSomebody (1990): a Sharpe ratio of 9.99 per year.",
        ]
        .map(|p| format!("{head}\n{p}"))
        .to_vec()
    }

    #[test]
    fn a_small_paper_is_read() {
        let r = read(&small());
        assert_eq!(r.title, "Returns to Buying Past Winners");
        let titles: Vec<&str> = r.sections.iter().map(|s| s.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "",
                "Abstract",
                "1. Introduction",
                "2. Data",
                "3. Methodology",
                "References"
            ]
        );
        assert_eq!(r.years, Some((1965, 1989)));
        assert_eq!(r.methods[0].name, "momentum");
        assert_eq!(r.methods[0].passage.page, 1);
        let claims: Vec<(ClaimKind, f64)> = r.claims.iter().map(|c| (c.kind, c.value)).collect();
        assert_eq!(
            claims,
            [
                (ClaimKind::AnnualReturn, 0.121),
                (ClaimKind::SharpeRatio, 0.62),
                (ClaimKind::MaxDrawdown, 0.335),
                (ClaimKind::MonthlyReturn, 0.01),
            ]
        );
        let strategy = r.strategy.unwrap();
        assert_eq!(strategy.strategy, "momentum");
        // Six months of 21 bars and a week of five.
        assert_eq!(json!(strategy.params), json!({"lookback": 126, "skip": 5}));
        assert_eq!(r.tables.len(), 1);
        assert_eq!(r.tables[0].rows[1], ["Decile", "10", "1.74", "3.4"]);
        assert_eq!(r.formulas[0].text, "w = r / sum(r) (1)");
        assert!(r.data[0].text.contains("CRSP"));
        assert!(
            r.horizons
                .iter()
                .any(|h| h.text.contains("held for 3 months"))
        );
    }

    #[test]
    fn nothing_and_anything_is_read_without_a_panic() {
        assert!(read(&[]).claims.is_empty());
        let odd = [
            "",
            "%%%% 1e999% per month",
            "Sharpe ratio of",
            "\u{0}ﬁ (1)",
            "= = =",
        ];
        let r = read(&odd.map(str::to_owned));
        assert!(!r.notes.is_empty());
        for n in 0..200 {
            // Every beginning of the small paper, cut anywhere.
            let cut: String = small()[1].chars().take(2 * n).collect();
            let _ = read(&[cut]);
        }
    }
}
