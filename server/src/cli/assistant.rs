//! What the environment says of the assistant: which language model, its key, price, ceilings, trust.

use super::Failure;
use crate::clock::SystemClock;
use crate::wiring::Assistant;
use chrono::NaiveDate;
use mltrainer_assistant::llm::{
    ANTHROPIC_MODEL, ANTHROPIC_URL, Key, LanguageModel, ModelConfig, connect, models,
};
use mltrainer_services::AssistantParts;
use mltrainer_services::port::Clock as _;
use mltrainer_types::llm::{Ceiling, Ceilings, LlmProvider, ModelPrice, TokenRates};
use std::env;
use std::path::PathBuf;
use std::sync::Arc;

/// The values of environment variables; another source in tests.
type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The assistant as configured; nothing is sent yet.
pub(super) fn configured() -> Result<Assistant, Failure> {
    let clock = SystemClock::new();
    let seed = u64::from(clock.now().timestamp_subsec_nanos() ^ std::process::id());
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|e| Failure::new(1, format!("the system gives no random numbers: {e}")))?;
    let today = clock.now().date_naive();
    let read = |name: &str| env::var(name).ok().filter(|t| !t.trim().is_empty());
    from(&read, today, seed, hex::encode(secret))
}

fn wrong(variable: &str, what: impl std::fmt::Display) -> Failure {
    // The value is not repeated: it may be a key that was put into the wrong variable.
    Failure::new(2, format!("{variable} cannot be used: {what}"))
}

fn from(read: Read<'_>, today: NaiveDate, seed: u64, secret: String) -> Result<Assistant, Failure> {
    let model = model(read, seed)?;
    let local = model.as_ref().is_some_and(|m| is_local(&m.identity().host));
    let price = match read("MLTRAINER_LLM_PRICE") {
        Some(text) => Some(price(&text, today)?),
        // A server of one's own costs nothing by the token.
        None => local.then(|| models::free(today)),
    };
    let trust = match read("MLTRAINER_LLM_TRUST") {
        None => AssistantParts::default().trust,
        Some(text) => text
            .trim()
            .parse()
            .ok()
            .filter(|t| (1..=10).contains(t))
            .ok_or_else(|| {
                wrong(
                    "MLTRAINER_LLM_TRUST",
                    "a whole number from 1 to 10 is needed",
                )
            })?,
    };
    Ok(Assistant {
        parts: AssistantParts {
            model,
            price,
            ceilings: ceilings(read)?,
            trust,
            unattended: match read("MLTRAINER_COACH_UNATTENDED") {
                None => 0,
                Some(text) => text.trim().parse().map_err(|_| {
                    wrong(
                        "MLTRAINER_COACH_UNATTENDED",
                        "a whole number of interventions a day is needed",
                    )
                })?,
            },
            secret,
        },
        mask: yes(read, "MLTRAINER_LLM_MASK")?.then_some(seed),
        paper_worker: read("MLTRAINER_PAPER_WORKER").map(PathBuf::from),
    })
}

fn model(read: Read<'_>, seed: u64) -> Result<Option<Arc<dyn LanguageModel>>, Failure> {
    const PROVIDER: &str = "MLTRAINER_LLM_PROVIDER";
    let anthropic_key = read("ANTHROPIC_API_KEY");
    let provider = match read(PROVIDER).as_deref().map(str::trim) {
        Some("none") => return Ok(None),
        Some("anthropic") => LlmProvider::Anthropic,
        Some("openai_compatible") => LlmProvider::OpenaiCompatible,
        Some(_) => {
            return Err(wrong(
                PROVIDER,
                "choose anthropic, openai_compatible or none",
            ));
        }
        None if anthropic_key.is_some() => LlmProvider::Anthropic,
        None if read("MLTRAINER_LLM_URL")
            .or(read("MLTRAINER_LLM_MODEL"))
            .is_some() =>
        {
            return Err(Failure::new(
                2,
                format!(
                    "a language model is named but not how it is spoken to: set {PROVIDER} to anthropic or openai_compatible"
                ),
            ));
        }
        None => return Ok(None),
    };
    let needed = |variable: &str| {
        read(variable).ok_or_else(|| {
            Failure::new(
                2,
                format!("{PROVIDER}=openai_compatible needs {variable} too"),
            )
        })
    };
    let (url, name, key) = match provider {
        LlmProvider::Anthropic => (
            read("MLTRAINER_LLM_URL").unwrap_or_else(|| ANTHROPIC_URL.to_owned()),
            read("MLTRAINER_LLM_MODEL").unwrap_or_else(|| ANTHROPIC_MODEL.to_owned()),
            read("MLTRAINER_LLM_KEY").or(anthropic_key),
        ),
        LlmProvider::OpenaiCompatible => (
            needed("MLTRAINER_LLM_URL")?,
            needed("MLTRAINER_LLM_MODEL")?,
            read("MLTRAINER_LLM_KEY"),
        ),
    };
    let key = key.as_deref().and_then(Key::new);
    let mut config = ModelConfig::new(provider, url.trim(), name.trim(), key);
    config.seed = seed;
    config.cutoff =
        match read("MLTRAINER_LLM_CUTOFF") {
            None => None,
            Some(text) => Some(text.trim().parse().map_err(|_| {
                wrong("MLTRAINER_LLM_CUTOFF", "a day such as 2026-01-31 is needed")
            })?),
        };
    config.plain_http = yes(read, "MLTRAINER_LLM_PLAIN_HTTP")?;
    connect(config)
        .map(Some)
        .map_err(|e| Failure::new(2, e.to_string()))
}

/// Whether a host is this machine.
fn is_local(host: &str) -> bool {
    let name = host.strip_prefix('[').and_then(|h| h.split_once(']'));
    let name = name.map_or_else(|| host.split(':').next().unwrap_or_default(), |(v6, _)| v6);
    name == "localhost" || name == "::1" || name.starts_with("127.")
}

/// `yes`, `true`, `1`, `on` and their opposites.
fn yes(read: Read<'_>, variable: &str) -> Result<bool, Failure> {
    match read(variable)
        .map(|t| t.trim().to_ascii_lowercase())
        .as_deref()
    {
        None | Some("0" | "false" | "no" | "off") => Ok(false),
        Some("1" | "true" | "yes" | "on") => Ok(true),
        Some(_) => Err(wrong(variable, "choose true or false")),
    }
}

/// Millionths of a dollar.
fn micro(dollars: &str) -> Option<u64> {
    let value: rust_decimal::Decimal = dollars.trim().trim_start_matches('$').parse().ok()?;
    let micro = (value * rust_decimal::Decimal::from(1_000_000)).ceil();
    micro.to_string().parse().ok()
}

/// Dollars a million tokens, `INPUT/OUTPUT`. What a cache writes and reads is counted at least as dear as
/// the vendors that have one charge: it may cost less, not more.
fn price(text: &str, today: NaiveDate) -> Result<ModelPrice, Failure> {
    let read = text
        .split_once('/')
        .and_then(|(input, output)| Some((micro(input)?, micro(output)?)));
    let (input, output) = read.ok_or_else(|| {
        wrong(
            "MLTRAINER_LLM_PRICE",
            "write dollars a million tokens of input and output, for example 3/15",
        )
    })?;
    Ok(ModelPrice {
        rates: TokenRates {
            input,
            output,
            cache_write: input.saturating_mul(5).div_ceil(4),
            cache_write_1h: input.saturating_mul(2),
            cache_read: input,
        },
        long: None,
        as_of: today,
        source: "configured".to_owned(),
    })
}

fn ceilings(read: Read<'_>) -> Result<Ceilings, Failure> {
    let mut ceilings = Ceilings {
        allow_unpriced: yes(read, "MLTRAINER_LLM_ALLOW_UNPRICED")?,
        ..Ceilings::default()
    };
    let set = |of: &str, ceiling: &mut Ceiling| {
        let dollars = format!("MLTRAINER_LLM_MAX_DOLLARS_{of}");
        let tokens = format!("MLTRAINER_LLM_MAX_TOKENS_{of}");
        if let Some(text) = read(&dollars) {
            ceiling.micro_dollars = limit(&text, micro)
                .ok_or_else(|| wrong(&dollars, "an amount such as 0.50, or none, is needed"))?;
        }
        if let Some(text) = read(&tokens) {
            ceiling.tokens = limit(&text, |t| t.trim().parse().ok())
                .ok_or_else(|| wrong(&tokens, "a whole number of tokens, or none, is needed"))?;
        }
        Ok::<_, Failure>(())
    };
    set("CALL", &mut ceilings.call)?;
    set("CONVERSATION", &mut ceilings.conversation)?;
    set("DAY", &mut ceilings.day)?;
    Ok(ceilings)
}

/// A bound, or `none` for no bound.
fn limit(text: &str, parse: impl Fn(&str) -> Option<u64>) -> Option<Option<u64>> {
    if text.trim().eq_ignore_ascii_case("none") {
        return Some(None);
    }
    parse(text).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Assistant, Failure> {
        let find = |name: &str| {
            let found = set.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        from(&find, "2026-11-29".parse().unwrap(), 7, "s".to_owned())
    }

    #[test]
    fn without_anything_the_parser_answers() {
        let found = read(&[]).unwrap();
        assert!(found.parts.model.is_none() && found.mask.is_none());
        assert_eq!(found.parts.ceilings, Ceilings::default());
        let none = [
            ("ANTHROPIC_API_KEY", "sk-ant-0123456789"),
            ("MLTRAINER_LLM_PROVIDER", "none"),
        ];
        assert!(read(&none).unwrap().parts.model.is_none());
    }

    #[test]
    fn a_key_alone_means_anthropic_and_stands_in_no_text() {
        let parts = read(&[("ANTHROPIC_API_KEY", "sk-ant-p1anted-0123456789")])
            .unwrap()
            .parts;
        let model = parts.model.unwrap();
        let identity = model.identity();
        assert_eq!(identity.provider, LlmProvider::Anthropic);
        assert_eq!(identity.model, ANTHROPIC_MODEL);
        assert_eq!(identity.host, "api.anthropic.com");
        assert_eq!(parts.price, None);
        // A key in the wrong variable is not repeated.
        for variable in [
            "MLTRAINER_LLM_PRICE",
            "MLTRAINER_LLM_TRUST",
            "MLTRAINER_LLM_PROVIDER",
            "MLTRAINER_LLM_MAX_DOLLARS_DAY",
        ] {
            let error = read(&[(variable, "sk-ant-p1anted-0123456789")])
                .err()
                .unwrap();
            assert_eq!(error.code, 2);
            assert!(error.text.contains(variable), "{}", error.text);
            assert!(!error.text.contains("p1anted"), "{}", error.text);
        }
    }

    #[test]
    fn an_own_server_is_free_and_everything_can_be_set() {
        let mut set = vec![
            ("MLTRAINER_LLM_PROVIDER", "openai_compatible"),
            ("MLTRAINER_LLM_URL", "http://127.0.0.1:11434"),
            ("MLTRAINER_LLM_MODEL", "qwen3"),
            ("MLTRAINER_LLM_CUTOFF", "2025-01-31"),
            ("MLTRAINER_LLM_TRUST", "3"),
            ("MLTRAINER_LLM_MASK", "true"),
            ("MLTRAINER_LLM_MAX_DOLLARS_CALL", "0.25"),
            ("MLTRAINER_LLM_MAX_TOKENS_CONVERSATION", "none"),
            ("MLTRAINER_LLM_MAX_TOKENS_DAY", "5000"),
        ];
        let found = read(&set).unwrap();
        let identity = found.parts.model.as_ref().unwrap().identity();
        assert_eq!(identity.host, "127.0.0.1:11434");
        assert_eq!(identity.cutoff.last_day(), "2025-01-31".parse().ok());
        let price = found.parts.price.unwrap();
        assert_eq!((price.rates.input, price.rates.output), (0, 0));
        assert_eq!((found.parts.trust, found.mask), (3, Some(7)));
        let ceilings = found.parts.ceilings;
        assert_eq!(ceilings.call.micro_dollars, Some(250_000));
        assert_eq!(ceilings.conversation.tokens, None);
        assert_eq!(ceilings.day.tokens, Some(5_000));
        // $3 and $15 a million tokens are 3 and 15 micro-dollars a token.
        set.push(("MLTRAINER_LLM_PRICE", "3/15"));
        let rates = read(&set).unwrap().parts.price.unwrap().rates;
        assert_eq!((rates.input, rates.output), (3_000_000, 15_000_000));
        assert_eq!(rates.cache_write, 3_750_000);
    }

    #[test]
    fn what_is_half_configured_is_said() {
        for (set, words) in [
            (vec![("MLTRAINER_LLM_MODEL", "x")], "MLTRAINER_LLM_PROVIDER"),
            (
                vec![("MLTRAINER_LLM_PROVIDER", "openai_compatible")],
                "MLTRAINER_LLM_URL",
            ),
            (vec![("MLTRAINER_LLM_PROVIDER", "anthropic")], "key"),
            (vec![("MLTRAINER_LLM_PROVIDER", "openai")], "choose"),
            (vec![("MLTRAINER_LLM_PRICE", "3")], "3/15"),
            (vec![("MLTRAINER_LLM_TRUST", "11")], "1 to 10"),
            (vec![("MLTRAINER_LLM_MASK", "perhaps")], "true or false"),
        ] {
            let error = read(&set).err().unwrap();
            assert!(error.text.contains(words), "{set:?}: {}", error.text);
        }
    }
}
