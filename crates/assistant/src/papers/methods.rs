//! Methods, data, years and horizons, and the ready-made strategy that a method comes to.

use super::words::{Sentence, counted, find, number, starts_at};
use super::{MOST, passage};
use mltrainer_types::paper::{PaperMethod, PaperStrategy, Passage};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Bars of a week, a month and a year.
const WEEK: u32 = 5;
const MONTH: u32 = 21;
const YEAR: u32 = 252;

/// A method: its name, the ready-made strategy, and the words it is known by. Special ones stand before those
/// that they are made of: Bollinger's bands lie around a moving average.
struct Method {
    name: &'static str,
    strategy: Option<&'static str>,
    phrases: &'static [&'static str],
}

const METHODS: [Method; 17] = [
    Method {
        name: "relative strength index",
        strategy: Some("rsi_reversion"),
        phrases: &["rsi", "relative strength index"],
    },
    Method {
        name: "Bollinger bands",
        strategy: Some("bollinger_reversion"),
        phrases: &["bollinger*"],
    },
    Method {
        name: "channel breakout",
        strategy: Some("donchian_breakout"),
        phrases: &[
            "donchian",
            "channel breakout*",
            "trading range break*",
            "turtle*",
            "price channel*",
        ],
    },
    Method {
        name: "managed volatility",
        strategy: Some("volatility_managed"),
        phrases: &[
            "volatility managed",
            "managed volatility",
            "volatility target*",
            "target volatility",
            "volatility timing",
        ],
    },
    Method {
        name: "momentum",
        strategy: Some("momentum"),
        phrases: &[
            "momentum",
            "past winners",
            "winners and losers",
            "relative strength strateg*",
            "trend following",
        ],
    },
    Method {
        name: "moving averages",
        strategy: Some("sma_crossover"),
        phrases: &["moving average*", "sma"],
    },
    Method {
        name: "buy and hold",
        strategy: None,
        phrases: &["buy and hold"],
    },
    Method {
        name: "reversal",
        strategy: None,
        phrases: &[
            "mean reversion",
            "mean reverting",
            "contrarian",
            "reversal*",
        ],
    },
    Method {
        name: "pairs trading",
        strategy: None,
        phrases: &["pairs trading", "cointegrat*", "statistical arbitrage"],
    },
    Method {
        name: "factors",
        strategy: None,
        phrases: &[
            "book to market",
            "value premium",
            "factor model*",
            "size effect",
        ],
    },
    Method {
        name: "machine learning",
        strategy: None,
        phrases: &[
            "machine learning",
            "random forest*",
            "neural network*",
            "gradient boost*",
            "lstm",
            "deep learning",
            "support vector*",
        ],
    },
    Method {
        name: "conditional volatility",
        strategy: None,
        phrases: &[
            "garch",
            "egarch",
            "realized volatility",
            "stochastic volatility",
        ],
    },
    Method {
        name: "time-series models",
        strategy: None,
        phrases: &["arima", "vector autoregress*", "var model", "kalman filter"],
    },
    Method {
        name: "options",
        strategy: None,
        phrases: &[
            "implied volatility",
            "option prices",
            "put call",
            "option volume",
        ],
    },
    Method {
        name: "news and sentiment",
        strategy: None,
        phrases: &["sentiment", "textual analysis", "news"],
    },
    Method {
        name: "earnings",
        strategy: None,
        phrases: &[
            "earnings announcement*",
            "earnings surprise*",
            "post earnings",
        ],
    },
    Method {
        name: "portfolio optimisation",
        strategy: None,
        phrases: &[
            "mean variance",
            "minimum variance",
            "risk parity",
            "black litterman",
        ],
    },
];

/// Markets and data by their names.
const DATA: [&str; 28] = [
    "nyse",
    "amex",
    "nasdaq",
    "s&p",
    "crsp",
    "compustat",
    "dow",
    "djia",
    "russell",
    "msci",
    "ftse",
    "nikkei",
    "dax",
    "futures",
    "currenc*",
    "commodit*",
    "treasury",
    "bonds",
    "bloomberg",
    "datastream",
    "cryptocurrenc*",
    "bitcoin",
    "etf*",
    "wrds",
    "refinitiv",
    "taq",
    "optionmetrics",
    "equities",
];

/// A method with where it was found.
pub(super) struct Found {
    /// As it is shown.
    pub(super) found: PaperMethod,
    method: &'static Method,
}

/// Methods that the sentences speak of, most often first.
pub(super) fn methods(all: &[Sentence]) -> Vec<Found> {
    let mut out: Vec<Found> = METHODS
        .iter()
        .filter_map(|method| {
            let speaks = |s: &&Sentence| method.phrases.iter().any(|p| find(&s.words, p).is_some());
            let mut of = all.iter().filter(speaks);
            let first = passage(of.next()?);
            let mentions = 1 + u32::try_from(of.count()).unwrap_or(u32::MAX - 1);
            Some(Found {
                found: PaperMethod {
                    name: method.name.to_owned(),
                    mentions,
                    passage: first,
                },
                method,
            })
        })
        .collect();
    // Stable: in the order of the list where they are alike.
    out.sort_by_key(|m| std::cmp::Reverse(m.found.mentions));
    out
}

fn some<'a>(of: impl Iterator<Item = &'a Sentence>) -> Vec<Passage> {
    let mut out: Vec<Passage> = Vec::new();
    for s in of {
        let p = passage(s);
        if out.len() < MOST / 4 && !out.contains(&p) {
            out.push(p);
        }
    }
    out
}

/// Sentences that name a market or a source of data.
pub(super) fn data(all: &[Sentence]) -> Vec<Passage> {
    let names = |s: &&Sentence| DATA.iter().filter(|d| find(&s.words, d).is_some()).count();
    let sample = |s: &&Sentence| {
        find(&s.words, "sample")
            .or(find(&s.words, "data*"))
            .is_some()
    };
    some(
        all.iter()
            .filter(|s| names(s) >= 2 || (names(s) == 1 && sample(s))),
    )
}

fn year(word: &str) -> Option<i32> {
    let digits = word.get(..4).filter(|_| word.len() <= 6)?;
    digits.parse().ok().filter(|y| (1800..=2100).contains(y))
}

/// The span of years that is named most often, and of several the widest.
pub(super) fn years(all: &[Sentence]) -> Option<(i32, i32)> {
    let mut seen: BTreeMap<(i32, i32), u32> = BTreeMap::new();
    for s in all {
        for (i, word) in s.words.iter().enumerate() {
            let Some(first) = year(word) else { continue };
            // "1965 to 1989", "1965 to December 1989", "1965-1989".
            let next = s.words[i + 1..].iter().take(4);
            let last = next.clone().find_map(|w| year(w));
            let joined = next
                .clone()
                .take(2)
                .any(|w| matches!(w.as_str(), "to" | "through" | "until" | "and" | "till"))
                || s.words.get(i + 1).is_some_and(|w| year(w).is_some());
            if let Some(last) = last
                && joined
                && last > first
            {
                *seen.entry((first, last)).or_default() += 1;
            }
        }
    }
    seen.into_iter()
        .max_by_key(|((a, b), n)| (*n, b - a))
        .map(|(span, _)| span)
}

/// A count of a unit at a place, in bars: "6 months", "12 month", "a month".
fn bars(words: &[String], at: usize) -> Option<u32> {
    let unit = match words.get(at + 1)?.as_str() {
        "day" | "days" => 1,
        "week" | "weeks" => WEEK,
        "month" | "months" => MONTH,
        "year" | "years" => YEAR,
        _ => return None,
    };
    counted(&words[at])?
        .checked_mul(unit)
        .filter(|n| *n <= 5_000)
}

/// Sentences that say how long something is held or looked back on.
pub(super) fn horizons(all: &[Sentence]) -> Vec<Passage> {
    const OF: [&str; 9] = [
        "hold*",
        "held",
        "horizon*",
        "rebalanc*",
        "formation",
        "lookback",
        "look back",
        "ranking",
        "ahead",
    ];
    let says = |s: &&Sentence| {
        OF.iter().any(|p| find(&s.words, p).is_some())
            && (0..s.words.len()).any(|i| bars(&s.words, i).is_some())
    };
    some(all.iter().filter(says))
}

/// The numbers of bars that stand within a few words before or after one of the phrases.
fn near(s: &Sentence, phrases: &[&str], before: usize, after: usize) -> Vec<u32> {
    let mut out = Vec::new();
    for at in 0..s.words.len() {
        if !phrases.iter().any(|p| starts_at(&s.words[at..], p)) {
            continue;
        }
        let from = at.saturating_sub(before);
        let to = (at + after).min(s.words.len());
        out.extend((from..to).filter_map(|i| bars(&s.words, i)));
    }
    out
}

/// Parameters that the sentences state, with the sentences.
struct Stated {
    params: Map<String, Value>,
    from: Vec<Passage>,
}

impl Stated {
    fn set(&mut self, name: &str, value: impl Into<Value>, s: &Sentence) {
        if self.params.contains_key(name) {
            return;
        }
        self.params.insert(name.to_owned(), value.into());
        let p = passage(s);
        if !self.from.contains(&p) {
            self.from.push(p);
        }
    }
}

/// The strategy of the method that is spoken of most among those that are ready-made.
pub(super) fn strategy(methods: &[Found], all: &[Sentence]) -> Option<PaperStrategy> {
    let found = methods.iter().find(|m| m.method.strategy.is_some())?;
    let mut strategy = found.method.strategy?;
    let mut stated = Stated {
        params: Map::new(),
        from: Vec::new(),
    };
    for s in all {
        match strategy {
            "momentum" => {
                let past = ["past", "previous", "prior", "last", "preceding"];
                let skipped = find(&s.words, "skip*").or_else(|| find(&s.words, "excluding"));
                if let Some(at) = skipped {
                    let rest = &s.words[at..(at + 6).min(s.words.len())];
                    let has = |w: &str| rest.iter().any(|r| r == w);
                    let n = (0..rest.len()).find_map(|i| bars(rest, i));
                    let n = n
                        .or(has("week").then_some(WEEK))
                        .or(has("month").then_some(MONTH));
                    if let Some(n) = n {
                        stated.set("skip", n, s);
                    }
                }
                let rank = [
                    "rank*", "return*", "form*", "momentum", "winner*", "lookback", "sort*",
                ];
                if rank.iter().any(|r| find(&s.words, r).is_some()) {
                    let n = near(s, &past, 0, 3).into_iter().find(|n| *n > MONTH);
                    if let Some(n) = n {
                        stated.set("lookback", n, s);
                    }
                }
            }
            "sma_crossover" => {
                let mut n = near(s, &["moving average*", "sma"], 8, 0);
                n.sort_unstable();
                n.dedup();
                if let (Some(fast), Some(slow)) = (n.first(), n.last())
                    && fast < slow
                {
                    stated.set("fast", *fast, s);
                    stated.set("slow", *slow, s);
                } else if let [window] = n[..]
                    && stated.params.is_empty()
                {
                    stated.set("window", window, s);
                }
            }
            "rsi_reversion" => {
                if find(&s.words, "rsi")
                    .or_else(|| find(&s.words, "relative strength index"))
                    .is_none()
                {
                    continue;
                }
                if let Some(n) = (0..s.words.len())
                    .find_map(|i| bars(&s.words, i))
                    .filter(|n| *n >= 2)
                {
                    stated.set("period", n, s);
                }
                let level = |phrases: &[&str]| {
                    phrases.iter().find_map(|p| {
                        let at = find(&s.words, p)?;
                        number(s.words.get(at + 1)?).filter(|x| (1.0..100.0).contains(x))
                    })
                };
                if let Some(x) = level(&["below", "under", "than"]).filter(|x| *x < 50.0) {
                    stated.set("lower", x, s);
                }
                if let Some(x) = level(&["above", "over", "exceeds"]).filter(|x| *x > 50.0) {
                    stated.set("upper", x, s);
                }
            }
            "bollinger_reversion" => {
                if let Some(n) = near(s, &["bollinger*", "moving average*"], 8, 8).first() {
                    stated.set("window", *n, s);
                }
                if let Some(at) = find(&s.words, "standard deviation*").filter(|at| *at > 0)
                    && let Some(n) = counted(&s.words[at - 1]).filter(|n| *n <= 20)
                {
                    stated.set("width", n, s);
                }
            }
            "donchian_breakout" => {
                if let Some(n) = near(s, &["high*", "maximum"], 3, 0).first() {
                    stated.set("entry", *n, s);
                }
                if let Some(n) = near(s, &["low*", "minimum"], 3, 0).first() {
                    stated.set("exit", *n, s);
                }
            }
            _ => {
                let at =
                    find(&s.words, "target*").filter(|_| find(&s.words, "volatility").is_some());
                if let Some(at) = at {
                    let rest = s.words[at..].iter().take(9);
                    let x = rest.filter(|w| w.ends_with('%')).find_map(|w| number(w));
                    if let Some(x) = x.filter(|x| (0.1..=1_000.0).contains(x)) {
                        stated.set("target", x / 100.0, s);
                    }
                }
            }
        }
    }
    if strategy == "sma_crossover" && !stated.params.contains_key("fast") {
        // One average: the price above it.
        strategy = if stated.params.contains_key("window") {
            "trend_filter"
        } else {
            strategy
        };
    } else if strategy == "sma_crossover" {
        stated.params.remove("window");
    }
    if stated.from.is_empty() {
        stated.from.push(found.found.passage.clone());
    }
    Some(PaperStrategy {
        strategy: strategy.to_owned(),
        params: stated.params,
        from: stated.from,
    })
}

#[cfg(test)]
mod tests {
    use super::super::words::sentences;
    use super::*;
    use serde_json::json;

    #[test]
    fn strategies_and_their_parameters_are_recognised() {
        for (text, strategy, params) in [
            (
                "We buy when the 50-day moving average crosses above the 200-day moving average.",
                "sma_crossover",
                json!({"fast": 50, "slow": 200}),
            ),
            (
                "The rule holds stocks above their 10-month simple moving average.",
                "trend_filter",
                json!({"window": 210}),
            ),
            (
                "We buy if the 2-day RSI is below 10 and sell when it is above 70.",
                "rsi_reversion",
                json!({"period": 2, "lower": 10.0, "upper": 70.0}),
            ),
            (
                "Bollinger bands lie two standard deviations around the 20-day moving average.",
                "bollinger_reversion",
                json!({"window": 20, "width": 2}),
            ),
            (
                "Turtle traders bought a 55-day high and sold a 20-day low.",
                "donchian_breakout",
                json!({"entry": 55, "exit": 20}),
            ),
            (
                "Volatility-managed portfolios target a volatility of 12% a year.",
                "volatility_managed",
                json!({"target": 0.12}),
            ),
            (
                "Momentum ranks stocks on returns over the past 12 months, excluding the last month.",
                "momentum",
                json!({"lookback": 252, "skip": 21}),
            ),
        ] {
            let all = sentences(1, text);
            let found = strategy_of(&all).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (found.strategy.as_str(), json!(found.params)),
                (strategy, params),
                "{text}"
            );
        }
        assert!(strategy_of(&sentences(1, "We train a random forest on news.")).is_none());
    }

    fn strategy_of(all: &[Sentence]) -> Option<PaperStrategy> {
        strategy(&methods(all), all)
    }

    #[test]
    fn years_of_the_sample() {
        for (text, span) in [
            (
                "The sample runs from January 1926 to December 2013.",
                Some((1926, 2013)),
            ),
            (
                "Data are for 1993-2015 and for all of them.",
                Some((1993, 2015)),
            ),
            ("Between 1985 and 2009 it rose.", Some((1985, 2009))),
            ("It was published in 1993.", None),
        ] {
            assert_eq!(years(&sentences(1, text)), span, "{text}");
        }
    }
}
