//! The cost meter: what is spent on tokens and money, and ceilings that are checked before each call.
//!
//! Before a call the worst case is set aside: the estimate of the prompt and the most tokens of the
//! answer, at the dearest rates; when it would go beyond a ceiling of the call, the conversation or
//! the day, together with what is spent and what other calls under way have set aside, nothing is
//! sent. After the call what was used takes its place. The meter reads no clock: the day is handed in,
//! and a day that goes back counts on the later one.
//!
//! Not claimed: a vendor may count more than the estimate of the prompt, or a request that broke
//! off before it answered; then [`Settled::passed`] says which ceiling was passed.

use super::models;
use chrono::NaiveDate;
use mltrainer_types::llm::{
    Ceiling, Ceilings, Cost, MeterRecord, ModelIdentity, ModelPrice, Spent, TokenUsage,
};
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// What a ceiling stands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One call.
    Call,
    /// One conversation.
    Conversation,
    /// One day.
    Day,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call => "call",
            Self::Conversation => "conversation",
            Self::Day => "day",
        })
    }
}

/// Why a call was not made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CeilingRefusal {
    /// Tokens.
    #[error(
        "the call was not made: it may use up to {worst} tokens, and of the {ceiling} allowed a {scope} {left} are left; raise the ceiling or ask for less"
    )]
    Tokens {
        /// What the ceiling stands over.
        scope: Scope,
        /// The ceiling.
        ceiling: u64,
        /// What is left of it.
        left: u64,
        /// What the call may use.
        worst: u64,
    },
    /// Money, in micro-dollars.
    #[error("the call was not made: it may cost up to {}, and of the {} allowed a {scope} {} are left; raise the ceiling or ask for less", dollars(*.worst), dollars(*.ceiling), dollars(*.left))]
    Money {
        /// What the ceiling stands over.
        scope: Scope,
        /// The ceiling.
        ceiling: u64,
        /// What is left of it.
        left: u64,
        /// What the call may cost.
        worst: u64,
    },
    /// There is a ceiling on money, and no price.
    #[error(
        "the call was not made: a ceiling on money a {scope} is set, and no price is known for {model}; configure its price (0 for a server of your own) or allow unpriced calls"
    )]
    Unpriced {
        /// What the ceiling stands over.
        scope: Scope,
        /// The model.
        model: String,
    },
}

/// Micro-dollars as dollars, exactly.
#[must_use]
pub fn dollars(micro: u64) -> String {
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    let zeros = text.len() - text.trim_end_matches('0').len();
    // Two digits always stay.
    format!("${}", &text[..text.len() - zeros.min(4)])
}

/// What is set aside for a call under way. It must go back to its meter with [`Meter::settle`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "what is set aside must be settled"]
pub struct Permit {
    day: NaiveDate,
    conversation: String,
    tokens: u64,
    micro_dollars: u64,
    price: Option<ModelPrice>,
}

impl Permit {
    /// The day that the call is counted on.
    #[must_use]
    pub fn day(&self) -> NaiveDate {
        self.day
    }

    /// The most the call may use, in tokens, and cost, in micro-dollars where a price is known.
    #[must_use]
    pub fn worst(&self) -> (u64, Option<u64>) {
        (self.tokens, self.price.as_ref().map(|_| self.micro_dollars))
    }
}

/// What a call used, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Cost.
    pub cost: Cost,
    /// Ceilings that it went beyond, in sentences.
    pub passed: Vec<String>,
}

/// Set aside, in tokens and micro-dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Aside {
    tokens: u64,
    micro_dollars: u64,
}

/// The meter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meter {
    ceilings: Ceilings,
    record: MeterRecord,
    today: Aside,
    conversations: BTreeMap<String, Aside>,
}

impl Meter {
    /// A meter that goes on from a record.
    #[must_use]
    pub fn new(ceilings: Ceilings, record: MeterRecord) -> Self {
        Self {
            ceilings,
            record,
            today: Aside::default(),
            conversations: BTreeMap::new(),
        }
    }

    /// What is spent, without what calls under way have set aside.
    #[must_use]
    pub fn record(&self) -> &MeterRecord {
        &self.record
    }

    /// The ceilings.
    #[must_use]
    pub fn ceilings(&self) -> &Ceilings {
        &self.ceilings
    }

    /// Other ceilings, from the next call on.
    pub fn set_ceilings(&mut self, ceilings: Ceilings) {
        self.ceilings = ceilings;
    }

    /// Forgets what a conversation spent, when it is deleted; the day's sum stays.
    pub fn forget(&mut self, conversation: &str) {
        self.record.conversations.remove(conversation);
    }

    /// Sets the worst case of a call aside: `prompt` tokens estimated and at most `answer` tokens.
    ///
    /// # Errors
    /// [`CeilingRefusal`], in one sentence; nothing is set aside then.
    pub fn reserve(
        &mut self,
        day: NaiveDate,
        conversation: &str,
        model: &ModelIdentity,
        price: Option<ModelPrice>,
        prompt: u64,
        answer: u64,
    ) -> Result<Permit, CeilingRefusal> {
        let day = self.turn(day);
        let tokens = prompt.saturating_add(answer);
        let micro = price
            .as_ref()
            .map(|price| models::worst(price, prompt, answer));
        let spent = |spent: &Spent, aside: &Aside| Aside {
            tokens: spent.tokens.saturating_add(aside.tokens),
            micro_dollars: spent.micro_dollars.saturating_add(aside.micro_dollars),
        };
        let talked = self.record.conversations.get(conversation);
        let held = self.conversations.get(conversation);
        let scopes = [
            (Scope::Call, self.ceilings.call, Aside::default()),
            (
                Scope::Conversation,
                self.ceilings.conversation,
                spent(
                    &talked.copied().unwrap_or_default(),
                    &held.copied().unwrap_or_default(),
                ),
            ),
            (
                Scope::Day,
                self.ceilings.day,
                spent(&self.record.today, &self.today),
            ),
        ];
        for (scope, ceiling, used) in scopes {
            check(
                scope,
                ceiling,
                used,
                tokens,
                micro,
                self.ceilings.allow_unpriced,
                model,
            )?;
        }
        let micro_dollars = micro.unwrap_or(0);
        for aside in [
            &mut self.today,
            self.conversations
                .entry(conversation.to_owned())
                .or_default(),
        ] {
            aside.tokens = aside.tokens.saturating_add(tokens);
            aside.micro_dollars = aside.micro_dollars.saturating_add(micro_dollars);
        }
        Ok(Permit {
            day,
            conversation: conversation.to_owned(),
            tokens,
            micro_dollars,
            price,
        })
    }

    /// Counts what a call used in place of what was set aside for it; nothing when it used nothing.
    pub fn settle(&mut self, permit: Permit, usage: &TokenUsage) -> Settled {
        // What was set aside before midnight was let go when the day turned.
        if self.record.day == Some(permit.day) {
            self.today.release(&permit);
        }
        if let Some(aside) = self.conversations.get_mut(&permit.conversation) {
            aside.release(&permit);
            if *aside == Aside::default() {
                self.conversations.remove(&permit.conversation);
            }
        }
        let cost = models::cost(permit.price.as_ref(), usage);
        if *usage == TokenUsage::default() {
            return Settled {
                cost,
                passed: Vec::new(),
            };
        }
        let one = Spent {
            calls: 1,
            tokens: usage.total(),
            micro_dollars: cost.micro_dollars().unwrap_or(0),
            unpriced_calls: u64::from(permit.price.is_none()),
        };
        if self.record.day == Some(permit.day) {
            add(&mut self.record.today, &one);
        }
        let talked = self
            .record
            .conversations
            .entry(permit.conversation)
            .or_default();
        add(talked, &one);
        let talked = *talked;
        let passed = [
            (Scope::Call, self.ceilings.call, one),
            (Scope::Conversation, self.ceilings.conversation, talked),
            (Scope::Day, self.ceilings.day, self.record.today),
        ]
        .iter()
        .flat_map(|(scope, ceiling, spent)| passed(*scope, ceiling, spent))
        .collect();
        Settled { cost, passed }
    }

    /// Turns to a later day; an earlier one counts on the day already reached.
    fn turn(&mut self, day: NaiveDate) -> NaiveDate {
        match self.record.day {
            Some(reached) if day <= reached => reached,
            _ => {
                self.record.day = Some(day);
                self.record.today = Spent::default();
                self.today = Aside::default();
                day
            }
        }
    }
}

impl Aside {
    fn release(&mut self, permit: &Permit) {
        self.tokens = self.tokens.saturating_sub(permit.tokens);
        self.micro_dollars = self.micro_dollars.saturating_sub(permit.micro_dollars);
    }
}

fn add(sum: &mut Spent, one: &Spent) {
    sum.calls = sum.calls.saturating_add(one.calls);
    sum.tokens = sum.tokens.saturating_add(one.tokens);
    sum.micro_dollars = sum.micro_dollars.saturating_add(one.micro_dollars);
    sum.unpriced_calls = sum.unpriced_calls.saturating_add(one.unpriced_calls);
}

fn check(
    scope: Scope,
    ceiling: Ceiling,
    used: Aside,
    tokens: u64,
    micro: Option<u64>,
    allow_unpriced: bool,
    model: &ModelIdentity,
) -> Result<(), CeilingRefusal> {
    if let Some(most) = ceiling.tokens {
        let left = most.saturating_sub(used.tokens);
        if tokens > left {
            return Err(CeilingRefusal::Tokens {
                scope,
                ceiling: most,
                left,
                worst: tokens,
            });
        }
    }
    match (ceiling.micro_dollars, micro) {
        (Some(most), Some(worst)) => {
            let left = most.saturating_sub(used.micro_dollars);
            if worst > left {
                return Err(CeilingRefusal::Money {
                    scope,
                    ceiling: most,
                    left,
                    worst,
                });
            }
        }
        (Some(_), None) if !allow_unpriced => {
            return Err(CeilingRefusal::Unpriced {
                scope,
                model: model.model.clone(),
            });
        }
        _ => {}
    }
    Ok(())
}

fn passed(scope: Scope, ceiling: &Ceiling, spent: &Spent) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(most) = ceiling.tokens
        && spent.tokens > most
    {
        out.push(format!(
            "{} tokens were used, above the {most} allowed a {scope}",
            spent.tokens
        ));
    }
    if let Some(most) = ceiling.micro_dollars
        && spent.micro_dollars > most
    {
        out.push(format!(
            "{} were spent, above the {} allowed a {scope}",
            dollars(spent.micro_dollars),
            dollars(most)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_types::llm::{KnowledgeCutoff, LlmProvider, TokenRates};

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, n).unwrap()
    }

    fn model() -> ModelIdentity {
        ModelIdentity {
            provider: LlmProvider::Anthropic,
            model: "m".to_owned(),
            host: "h".to_owned(),
            cutoff: KnowledgeCutoff::Unknown,
        }
    }

    /// One dollar a million tokens, whatever they are: a token is a micro-dollar.
    fn price() -> Option<ModelPrice> {
        Some(ModelPrice {
            rates: TokenRates {
                input: 1_000_000,
                output: 1_000_000,
                cache_write: 1_000_000,
                cache_write_1h: 1_000_000,
                cache_read: 1_000_000,
            },
            long: None,
            as_of: day(1),
            source: "configured".to_owned(),
        })
    }

    fn ceiling(tokens: u64, micro_dollars: u64) -> Ceiling {
        Ceiling {
            tokens: Some(tokens),
            micro_dollars: Some(micro_dollars),
        }
    }

    fn used(input: u64, output: u64) -> TokenUsage {
        TokenUsage {
            input,
            output,
            ..TokenUsage::default()
        }
    }

    fn meter() -> Meter {
        let ceilings = Ceilings {
            call: ceiling(1_000, 900),
            conversation: ceiling(2_000, 1_500),
            day: ceiling(5_000, 2_400),
            allow_unpriced: false,
        };
        Meter::new(ceilings, MeterRecord::default())
    }

    fn ask(meter: &mut Meter, on: u32, talk: &str, tokens: u64) -> Result<Permit, String> {
        meter
            .reserve(day(on), talk, &model(), price(), tokens - 100, 100)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_worst_case_is_checked_before_a_call() {
        let mut m = meter();
        assert_eq!(
            ask(&mut m, 1, "a", 1_001).unwrap_err(),
            "the call was not made: it may use up to 1001 tokens, and of the 1000 allowed a call 1000 are left; raise the ceiling or ask for less"
        );
        assert_eq!(
            ask(&mut m, 1, "a", 901).unwrap_err(),
            "the call was not made: it may cost up to $0.000901, and of the $0.0009 allowed a call $0.0009 are left; raise the ceiling or ask for less"
        );
        let first = ask(&mut m, 1, "a", 900).unwrap();
        assert_eq!(first.worst(), (900, Some(900)));
        // Set aside while it is under way.
        let said = ask(&mut m, 1, "a", 700).unwrap_err();
        assert!(
            said.contains("$0.0015 allowed a conversation $0.0006 are left"),
            "{said}"
        );
        // It used less; the rest is free again.
        let settled = m.settle(first, &used(300, 100));
        assert_eq!(settled.cost.micro_dollars(), Some(400));
        assert_eq!(settled.passed, Vec::<String>::new());
        let second = ask(&mut m, 1, "a", 900).unwrap();
        let _ = m.settle(second, &used(800, 100));
        // 1,300 of the conversation's 1,500 are spent.
        assert!(
            ask(&mut m, 1, "a", 201)
                .unwrap_err()
                .contains("conversation $0.0002 are left")
        );
        // Another conversation has its own, and the day's: 2,400 - 1,300.
        let third = ask(&mut m, 1, "b", 900).unwrap();
        assert!(
            ask(&mut m, 1, "c", 201)
                .unwrap_err()
                .contains("a day $0.0002 are left")
        );
        let _ = m.settle(third, &TokenUsage::default());
        assert_eq!(
            m.record().today,
            Spent {
                calls: 2,
                tokens: 1_300,
                micro_dollars: 1_300,
                unpriced_calls: 0
            }
        );
        assert_eq!(m.record().conversations.len(), 1);
    }

    #[test]
    fn a_new_day_is_new_and_an_earlier_one_does_not_help() {
        let mut m = meter();
        for talk in ["a", "b"] {
            let p = ask(&mut m, 1, talk, 900).unwrap();
            let _ = m.settle(p, &used(800, 100));
        }
        assert!(ask(&mut m, 1, "c", 900).is_err());
        let over_midnight = ask(&mut m, 1, "c", 600).unwrap();
        let p = ask(&mut m, 2, "c", 900).unwrap();
        assert_eq!(p.day(), day(2));
        // What began yesterday counts on the conversation, not on today.
        let _ = m.settle(over_midnight, &used(500, 100));
        let _ = m.settle(p, &used(800, 100));
        assert_eq!(m.record().today.tokens, 900);
        assert_eq!(m.record().conversations["c"].tokens, 1_500);
        assert!(m.today == Aside::default() && m.conversations.is_empty());
        // The clock goes back: still the second day.
        let p = ask(&mut m, 1, "d", 900).unwrap();
        assert_eq!(p.day(), day(2));
        let _ = m.settle(p, &used(800, 100));
        assert_eq!(m.record().today.tokens, 1_800);
    }

    #[test]
    fn without_a_price_money_cannot_be_held() {
        let mut m = meter();
        let unpriced = m.reserve(day(1), "a", &model(), None, 10, 10).unwrap_err();
        assert_eq!(
            unpriced.to_string(),
            "the call was not made: a ceiling on money a call is set, and no price is known for m; configure its price (0 for a server of your own) or allow unpriced calls"
        );
        m.set_ceilings(Ceilings {
            allow_unpriced: true,
            ..*m.ceilings()
        });
        let p = m.reserve(day(1), "a", &model(), None, 10, 10).unwrap();
        assert_eq!(p.worst(), (20, None));
        let settled = m.settle(p, &used(5, 5));
        assert_eq!(settled.cost, Cost::Unknown);
        assert_eq!(m.record().today.unpriced_calls, 1);
        // Tokens hold nevertheless.
        assert!(m.reserve(day(1), "a", &model(), None, 1_000, 1).is_err());
    }

    #[test]
    fn what_goes_beyond_is_said_afterwards() {
        let mut m = meter();
        let p = ask(&mut m, 1, "a", 900).unwrap();
        let settled = m.settle(p, &used(1_000, 100));
        assert_eq!(
            settled.passed,
            [
                "1100 tokens were used, above the 1000 allowed a call",
                "$0.0011 were spent, above the $0.0009 allowed a call"
            ]
        );
    }

    #[test]
    fn a_record_goes_on_where_it_stopped() {
        let mut m = meter();
        let p = ask(&mut m, 1, "a", 900).unwrap();
        let _ = m.settle(p, &used(800, 100));
        let text = serde_json::to_string(m.record()).unwrap();
        let mut again = Meter::new(*m.ceilings(), serde_json::from_str(&text).unwrap());
        assert!(ask(&mut again, 1, "a", 601).is_err());
        assert!(ask(&mut again, 1, "a", 600).is_ok());
        again.forget("a");
        assert_eq!(again.record().conversations.len(), 0);
        assert_eq!(again.record().today.tokens, 900);
    }

    #[test]
    fn no_ceiling_is_none_and_huge_numbers_do_not_wrap() {
        let open = Ceilings {
            call: Ceiling::default(),
            conversation: Ceiling::default(),
            day: Ceiling::default(),
            allow_unpriced: false,
        };
        let mut m = Meter::new(open, MeterRecord::default());
        for _ in 0..3 {
            let p = m
                .reserve(day(1), "a", &model(), None, u64::MAX, u64::MAX)
                .unwrap();
            let _ = m.settle(p, &used(u64::MAX, u64::MAX));
        }
        assert_eq!(m.record().today.tokens, u64::MAX);
    }

    #[test]
    fn dollars_are_exact() {
        for (micro, text) in [
            (0, "$0.00"),
            (1, "$0.000001"),
            (500_000, "$0.50"),
            (1_230_000, "$1.23"),
            (10_000_000, "$10.00"),
            (1_234_567, "$1.234567"),
        ] {
            assert_eq!(dollars(micro), text);
        }
    }
}
