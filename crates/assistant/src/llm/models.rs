//! Known models: prices and knowledge cut-offs, each with the page and the day it was read.
//!
//! These are data, and vendors change them. A configured price or cut-off comes first; for a
//! model that is neither known nor configured the cost and the cut-off are unknown, and that is said.
//! Prices are the list prices of the vendor's own standard service in US dollars for a million tokens:
//! whoever asks for a faster or a slower one in the further fields of a request configures its price.
//! Other resellers of a model have their own, so a price is taken only for the vendor's own host. A
//! cut-off belongs to the model and holds wherever it runs.

use chrono::NaiveDate;
use mltrainer_types::llm::{
    Cost, KnowledgeCutoff, LlmProvider, LongPrompt, ModelIdentity, ModelPrice, TokenRates,
    TokenUsage,
};

/// Prices of one model in cents of a cent ($0.0001) for a million tokens: input, output, written
/// into the cache, for an hour, read from it.
type Row = [u64; 5];

struct Known {
    model: &'static str,
    provider: LlmProvider,
    price: Option<Row>,
    /// From how many tokens of the prompt on, and what then.
    long: Option<(u64, Row)>,
    /// The last day that may be in the model; the last of the month where a month is published.
    cutoff: Option<&'static str>,
}

/// The pages of prices and of models with their cut-offs.
fn pages(provider: LlmProvider) -> (&'static str, &'static str) {
    match provider {
        LlmProvider::Anthropic => (
            "https://platform.claude.com/docs/en/about-claude/pricing",
            "https://platform.claude.com/docs/en/models/overview",
        ),
        LlmProvider::OpenaiCompatible => (
            "https://developers.openai.com/api/docs/pricing",
            "https://developers.openai.com/api/docs/models",
        ),
    }
}

/// The day on which copies of these pages were read; a copy can be some weeks old.
const AS_OF: &str = "2026-11-29";

const fn claude(model: &'static str, price: Row, cutoff: Option<&'static str>) -> Known {
    Known {
        model,
        provider: LlmProvider::Anthropic,
        price: Some(price),
        long: None,
        cutoff,
    }
}

const fn gpt(model: &'static str, price: Row, long: Row, cutoff: Option<&'static str>) -> Known {
    Known {
        model,
        provider: LlmProvider::OpenaiCompatible,
        price: Some(price),
        long: Some((272_000, long)),
        cutoff,
    }
}

/// Where a vendor publishes a reliable cut-off and a later one of the training data, the later stands
/// here; where it publishes one, that one, though some of the training data can be later.
const KNOWN: &[Known] = &[
    claude(
        "claude-fable-5-1",
        [100_000, 500_000, 125_000, 200_000, 2_500],
        Some("2026-06-30"),
    ),
    claude(
        "claude-fable-5",
        [100_000, 500_000, 125_000, 200_000, 10_000],
        Some("2026-01-31"),
    ),
    claude(
        "claude-opus-5-5",
        [40_000, 200_000, 50_000, 80_000, 2_000],
        Some("2026-06-30"),
    ),
    claude(
        "claude-opus-5",
        [50_000, 250_000, 62_500, 100_000, 5_000],
        Some("2026-05-31"),
    ),
    claude(
        "claude-opus-4-8",
        [50_000, 250_000, 62_500, 100_000, 5_000],
        None,
    ),
    claude(
        "claude-opus-4-7",
        [50_000, 250_000, 62_500, 100_000, 5_000],
        None,
    ),
    claude(
        "claude-opus-4-6",
        [50_000, 250_000, 62_500, 100_000, 5_000],
        Some("2025-08-31"),
    ),
    claude(
        "claude-opus-4-5",
        [50_000, 250_000, 62_500, 100_000, 5_000],
        None,
    ),
    claude(
        "claude-sonnet-5-5",
        [20_000, 100_000, 25_000, 40_000, 1_000],
        Some("2026-06-30"),
    ),
    claude(
        "claude-sonnet-5",
        [20_000, 100_000, 25_000, 40_000, 2_000],
        Some("2026-01-31"),
    ),
    claude(
        "claude-sonnet-4-6",
        [30_000, 150_000, 37_500, 60_000, 3_000],
        None,
    ),
    claude(
        "claude-sonnet-4-5",
        [30_000, 150_000, 37_500, 60_000, 3_000],
        Some("2025-07-31"),
    ),
    Known {
        model: "claude-haiku-5-5",
        provider: LlmProvider::Anthropic,
        price: Some([1_000, 5_000, 1_250, 2_000, 100]),
        long: Some((100_000, [5_000, 25_000, 6_250, 10_000, 500])),
        cutoff: Some("2026-06-30"),
    },
    claude(
        "claude-haiku-4-5",
        [10_000, 50_000, 12_500, 20_000, 1_000],
        Some("2025-07-31"),
    ),
    gpt(
        "gpt-6.2-sol",
        [20_000, 100_000, 25_000, 50_000, 1_000],
        [40_000, 150_000, 50_000, 100_000, 2_000],
        Some("2026-06-01"),
    ),
];

/// The host whose list prices the table holds.
fn own_host(provider: LlmProvider) -> &'static str {
    match provider {
        LlmProvider::Anthropic => "api.anthropic.com",
        LlmProvider::OpenaiCompatible => "api.openai.com",
    }
}

/// The row of a model: its own name, or that name with a date behind it
/// (`claude-haiku-4-5-20251001`, `gpt-6.2-sol-2026-10-20`).
fn known(provider: LlmProvider, model: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|k| {
        k.provider == provider
            && model.strip_prefix(k.model).is_some_and(|rest| {
                rest.is_empty()
                    || rest.strip_prefix('-').is_some_and(|date| {
                        let digits = date.bytes().filter(u8::is_ascii_digit).count();
                        digits == 8 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-')
                    })
            })
    })
}

fn rates(row: Row) -> TokenRates {
    // From $0.0001 to micro-dollars.
    let [input, output, cache_write, cache_write_1h, cache_read] = row.map(|x| x * 100);
    TokenRates {
        input,
        output,
        cache_write,
        cache_write_1h,
        cache_read,
    }
}

/// The price of a model: the configured one, else the vendor's list price on its own host.
#[must_use]
pub fn price(model: &ModelIdentity, configured: Option<&ModelPrice>) -> Option<ModelPrice> {
    if let Some(price) = configured {
        return Some(price.clone());
    }
    if model.host != own_host(model.provider) {
        return None;
    }
    let known = known(model.provider, &model.model)?;
    Some(ModelPrice {
        rates: rates(known.price?),
        long: known.long.map(|(above, row)| LongPrompt {
            above,
            rates: rates(row),
        }),
        as_of: AS_OF.parse().ok()?,
        source: pages(known.provider).0.to_owned(),
    })
}

/// The knowledge cut-off of a model: the configured one, else the published one.
#[must_use]
pub fn cutoff(
    provider: LlmProvider,
    model: &str,
    configured: Option<NaiveDate>,
) -> KnowledgeCutoff {
    if let Some(last_day) = configured {
        return KnowledgeCutoff::Known {
            last_day,
            source: "configured".to_owned(),
        };
    }
    let row = known(provider, model);
    match row.and_then(|k| Some((k.cutoff?.parse().ok()?, pages(k.provider).1))) {
        Some((last_day, source)) => KnowledgeCutoff::Known {
            last_day,
            source: source.to_owned(),
        },
        None => KnowledgeCutoff::Unknown,
    }
}

/// The knowledge cut-off of a model of which only the name is known: the configured one, else the published one of the
/// model of that name.
#[must_use]
pub fn cutoff_by_name(model: &str, configured: Option<NaiveDate>) -> KnowledgeCutoff {
    let of = |provider| cutoff(provider, model, configured);
    match of(LlmProvider::Anthropic) {
        KnowledgeCutoff::Unknown => of(LlmProvider::OpenaiCompatible),
        known => known,
    }
}

/// Prices of a server that costs nothing by the token: one's own.
#[must_use]
pub fn free(as_of: NaiveDate) -> ModelPrice {
    ModelPrice {
        rates: rates([0; 5]),
        long: None,
        as_of,
        source: "configured".to_owned(),
    }
}

/// Micro-dollars of so many tokens, rounded up.
#[must_use]
pub fn micro_dollars(price: &ModelPrice, usage: &TokenUsage) -> u64 {
    let rates = match price.long {
        Some(long) if usage.prompt() > long.above => long.rates,
        _ => price.rates,
    };
    let sum: u128 = [
        (usage.input, rates.input),
        (usage.cache_write, rates.cache_write),
        (usage.cache_write_1h, rates.cache_write_1h),
        (usage.cache_read, rates.cache_read),
        (usage.output, rates.output),
    ]
    .iter()
    .map(|&(tokens, rate)| u128::from(tokens) * u128::from(rate))
    .fold(0, u128::saturating_add);
    u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// The most that a call can cost: every token of the prompt at the dearest of its rates, and the
/// most tokens of the answer.
#[must_use]
pub fn worst(price: &ModelPrice, prompt: u64, answer: u64) -> u64 {
    let dearest = |rates: &TokenRates| {
        let input = rates
            .input
            .max(rates.cache_write)
            .max(rates.cache_write_1h)
            .max(rates.cache_read);
        TokenRates { input, ..*rates }
    };
    let usage = TokenUsage {
        input: prompt,
        output: answer,
        ..TokenUsage::default()
    };
    micro_dollars(
        &ModelPrice {
            rates: dearest(&price.rates),
            long: price.long.map(|l| LongPrompt {
                rates: dearest(&l.rates),
                ..l
            }),
            ..price.clone()
        },
        &usage,
    )
}

/// What a call cost.
#[must_use]
pub fn cost(price: Option<&ModelPrice>, usage: &TokenUsage) -> Cost {
    match price {
        None => Cost::Unknown,
        Some(price) => Cost::Known {
            micro_dollars: micro_dollars(price, usage),
            price_as_of: price.as_of,
            price_source: price.source.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(provider: LlmProvider, model: &str, host: &str) -> ModelIdentity {
        ModelIdentity {
            provider,
            model: model.to_owned(),
            host: host.to_owned(),
            cutoff: cutoff(provider, model, None),
        }
    }

    fn claude_at_home(model: &str) -> ModelIdentity {
        at(LlmProvider::Anthropic, model, "api.anthropic.com")
    }

    #[test]
    fn costs_are_what_the_price_list_says() {
        // $4 in, $20 out, $5 written, $8 for an hour, $0.20 read.
        let price = price(&claude_at_home("claude-opus-5-5"), None).unwrap();
        let usage = TokenUsage {
            input: 1_000,
            cache_write: 2_000,
            cache_write_1h: 1_000,
            cache_read: 10_000,
            output: 500,
            estimated: false,
        };
        // 0.004 + 0.01 + 0.008 + 0.002 + 0.01 dollars.
        assert_eq!(micro_dollars(&price, &usage), 34_000);
        // One token read from the cache: 0.2 micro-dollars, rounded up.
        let one = TokenUsage {
            cache_read: 1,
            ..TokenUsage::default()
        };
        assert_eq!(micro_dollars(&price, &one), 1);
        assert_eq!(micro_dollars(&price, &TokenUsage::default()), 0);
        // 10,000 prompt tokens at the hour's cache price and 1,000 of the answer: 0.08 + 0.02 dollars.
        assert_eq!(worst(&price, 10_000, 1_000), 100_000);
        let all = TokenUsage {
            input: u64::MAX,
            output: u64::MAX,
            ..TokenUsage::default()
        };
        assert_eq!(micro_dollars(&price, &all), u64::MAX);
    }

    #[test]
    fn long_prompts_have_their_own_price() {
        let price = price(&claude_at_home("claude-haiku-5-5"), None).unwrap();
        let of = |input, cache_read| {
            micro_dollars(
                &price,
                &TokenUsage {
                    input,
                    cache_read,
                    output: 1_000,
                    ..TokenUsage::default()
                },
            )
        };
        // Up to 100,000: $0.10 in, $0.50 out: 0.01 + 0.0005 dollars.
        assert_eq!(of(100_000, 0), 10_500);
        // Above, counting what is read from the cache: $0.50, $0.05 and $2.50 on all of it.
        assert_eq!(of(100_000, 20_000), 50_000 + 1_000 + 2_500);
    }

    #[test]
    fn names_with_dates_are_known_and_others_are_not() {
        assert!(price(&claude_at_home("claude-haiku-4-5-20251001"), None).is_some());
        for unknown in [
            "claude-haiku-4-5-fast",
            "claude-opus-9",
            "claude-opus",
            "claude-opus-5-5-2026",
            "",
        ] {
            assert_eq!(price(&claude_at_home(unknown), None), None, "{unknown}");
        }
        let elsewhere = at(LlmProvider::Anthropic, "claude-opus-5-5", "gateway.example");
        assert_eq!(price(&elsewhere, None), None);
        assert_eq!(
            elsewhere.cutoff.last_day().unwrap().to_string(),
            "2026-06-30"
        );
        let own = free("2026-11-29".parse().unwrap());
        assert_eq!(price(&elsewhere, Some(&own)), Some(own));
        let local = at(LlmProvider::OpenaiCompatible, "qwen3:8b", "127.0.0.1:11434");
        assert_eq!(price(&local, None), None);
        assert_eq!(local.cutoff, KnowledgeCutoff::Unknown);
        assert_eq!(
            cutoff(
                LlmProvider::OpenaiCompatible,
                "qwen3:8b",
                "2025-01-31".parse().ok()
            )
            .last_day()
            .unwrap()
            .to_string(),
            "2025-01-31"
        );
        assert_eq!(cost(None, &TokenUsage::default()), Cost::Unknown);
    }

    #[test]
    fn every_row_is_whole() {
        for known in KNOWN {
            assert!(AS_OF.parse::<NaiveDate>().is_ok());
            if let Some(cutoff) = known.cutoff {
                let cutoff: NaiveDate = cutoff.parse().unwrap();
                assert!(cutoff < AS_OF.parse().unwrap(), "{}", known.model);
            }
            let [input, output, write, hour, read] = known.price.unwrap();
            assert!(
                read <= input && input < write && write < hour && hour < output,
                "{}",
                known.model
            );
            let same = KNOWN.iter().filter(|k| k.model == known.model).count();
            assert_eq!(same, 1, "{}", known.model);
        }
    }
}
