//! Results that a paper claims: a number beside the words that say what it is.

use super::words::{Sentence, find, number};
use super::{MOST, passage};
use mltrainer_types::paper::{Claim, ClaimKind};

/// Words that make a percentage a gain.
const GAIN: [&str; 11] = [
    "return*",
    "earn*",
    "profit*",
    "gain*",
    "yield*",
    "excess",
    "premium*",
    "alpha*",
    "outperform*",
    "deliver*",
    "generat*",
];

/// How far from a percentage the words that say what it is may stand.
const NEAR: usize = 7;

fn any(words: &[String], phrases: &[&str]) -> bool {
    phrases.iter().any(|p| find(words, p).is_some())
}

/// Whether the number at a place is a percentage.
fn is_percent(words: &[String], at: usize) -> bool {
    words[at].ends_with('%')
        || words.get(at + 1).is_some_and(|w| {
            w == "percent"
                || w == "%"
                || w == "per" && words.get(at + 2).is_some_and(|w| w == "cent")
        })
}

/// What the words before a percentage say that it is, gains aside.
fn named(before: &[String]) -> Option<ClaimKind> {
    [
        (ClaimKind::MaxDrawdown, &["drawdown*", "peak to trough"][..]),
        (
            ClaimKind::AnnualVolatility,
            &["volatility", "standard deviation*"],
        ),
        (
            ClaimKind::HitRate,
            &["hit rate*", "win rate*", "accuracy", "hit ratio*"],
        ),
        (ClaimKind::RSquared, &["r2", "r²", "r squared"]),
    ]
    .into_iter()
    .find(|(_, phrases)| any(before, phrases))
    .map(|(kind, _)| kind)
}

/// What a percentage at a place is of: by the words since the percentage before it, and by those further off only
/// where they do not say.
fn share(words: &[String], at: usize) -> Option<ClaimKind> {
    let far = at.saturating_sub(NEAR);
    let last = (far..at).rev().find(|i| is_percent(words, *i));
    let before = &words[last.map_or(far, |i| i + 1)..at];
    let after = &words[at + 1..(at + 1 + 4).min(words.len())];
    if let Some(kind) = named(before) {
        return Some(kind);
    }
    if any(after, &["accuracy"]) {
        return Some(ClaimKind::HitRate);
    }
    let monthly = |w: &[String]| any(w, &["per month", "a month", "monthly", "each month"]);
    let yearly = |w: &[String]| {
        any(
            w,
            &[
                "per year",
                "a year",
                "per annum",
                "annual*",
                "each year",
                "yearly",
                "p.a",
            ],
        )
    };
    let gain = |per: &[String]| match (monthly(per), yearly(per)) {
        (true, false) => Some(ClaimKind::MonthlyReturn),
        (false, true) => Some(ClaimKind::AnnualReturn),
        _ => None,
    };
    let gained = any(words, &GAIN).then(|| gain(after).or_else(|| gain(before)));
    gained.flatten().or_else(|| named(&words[far..at]))
}

/// The Sharpe ratios of a sentence: the first number behind the words, if it is no percentage.
fn sharpe(words: &[String]) -> Option<f64> {
    let at = find(words, "sharpe ratio*").or_else(|| find(words, "information ratio*"))?;
    let end = (at + 2 + NEAR).min(words.len());
    (at + 2..end)
        .find_map(|i| number(&words[i]).map(|x| (i, x)))
        .filter(|(i, x)| !is_percent(words, *i) && x.abs() < 20.0)
        .map(|(_, x)| x)
}

/// All results that the sentences claim, each value once.
pub(super) fn claims(all: &[Sentence]) -> Vec<Claim> {
    let mut out: Vec<Claim> = Vec::new();
    for s in all {
        let mut add = |kind: ClaimKind, value: f64| {
            let known = out
                .iter()
                .any(|c| c.kind == kind && (c.value - value).abs() < 1e-12);
            if !known && out.len() < MOST {
                out.push(Claim {
                    kind,
                    value,
                    passage: passage(s),
                });
            }
        };
        for (at, word) in s.words.iter().enumerate() {
            let Some(x) = number(word).filter(|_| is_percent(&s.words, at)) else {
                continue;
            };
            if let Some(kind) = share(&s.words, at)
                && x.abs() <= 1_000.0
            {
                let value = x / 100.0;
                add(
                    kind,
                    if kind == ClaimKind::MaxDrawdown {
                        value.abs()
                    } else {
                        value
                    },
                );
            }
        }
        if let Some(x) = sharpe(&s.words) {
            add(ClaimKind::SharpeRatio, x);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::words::sentences;
    use super::*;
    use ClaimKind::{
        AnnualReturn, AnnualVolatility, HitRate, MaxDrawdown, MonthlyReturn, RSquared, SharpeRatio,
    };

    #[test]
    fn claims_are_read_from_sentences() {
        for (text, expected) in [
            (
                "The strategy earns an average return of 1.31% per month.",
                vec![(MonthlyReturn, 0.0131)],
            ),
            (
                "It delivers annualized returns of 11.2 percent with a standard deviation of 6.9%.",
                vec![(AnnualReturn, 0.112), (AnnualVolatility, 0.069)],
            ),
            (
                "An annual Sharpe ratio of 1.2 is reached.",
                vec![(SharpeRatio, 1.2)],
            ),
            ("Sharpe ratios rise by 25% in the sample.", vec![]),
            (
                "The maximum drawdown falls to -9.5%, from -50.8% before.",
                vec![(MaxDrawdown, 0.095), (MaxDrawdown, 0.508)],
            ),
            (
                "The accuracy is 53.8% out of sample.",
                vec![(HitRate, 0.538)],
            ),
            (
                "The out-of-sample R2 is 0.4% in that test.",
                vec![(RSquared, 0.004)],
            ),
            ("Some 40% of the firms are small.", vec![]),
            (
                "Profits of 3 per cent a year remain after costs.",
                vec![(AnnualReturn, 0.03)],
            ),
        ] {
            let found: Vec<(ClaimKind, f64)> = claims(&sentences(1, text))
                .iter()
                .map(|c| (c.kind, c.value))
                .collect();
            let same = found.len() == expected.len()
                && found
                    .iter()
                    .zip(&expected)
                    .all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-12);
            assert!(same, "{text}: {found:?}");
        }
    }
}
