//! The price of an option with its Greeks; what was not said is taken from the data and said.

use super::data::{YEAR, moments, returns, shown};
use super::{Reply, Stage};
use crate::{ServiceError, Services};
use mltrainer_types::assistant::{ExerciseStyle, OptionRight, PriceOption};
use mltrainer_types::chat::ActionOutcome;
use mltrainer_types::run::RunRequest;
use serde_json::{Value, json};

impl Services {
    pub(super) async fn act_price_option(
        &self,
        p: &PriceOption,
        stage: &Stage,
    ) -> Result<ActionOutcome, ServiceError> {
        let style = p.style.unwrap_or(ExerciseStyle::European);
        let method = match (p.method.as_deref(), style) {
            (Some(name @ ("black_scholes" | "binomial_tree" | "monte_carlo_option")), _) => name,
            (Some(name), _) => {
                return Err(ServiceError::invalid(
                    "method",
                    format!(
                        "\"{name}\" is none of black_scholes, binomial_tree, monte_carlo_option"
                    ),
                ));
            }
            (None, ExerciseStyle::European) => "black_scholes",
            (None, ExerciseStyle::American) => "binomial_tree",
        };
        if style == ExerciseStyle::American && method != "binomial_tree" {
            return Err(ServiceError::invalid(
                "method",
                format!("{method} prices European options; an American one needs binomial_tree"),
            ));
        }
        let mut reply = Reply::new(Some(format!("/models/{method}")));
        let (mut spot, mut volatility, mut day) = (p.spot, p.volatility, None);
        if let Some(symbol) = &p.symbol {
            let set = self.dataset_named(symbol).await?;
            let bars = self.bars(set.id.as_str(), None, None).await?;
            let closes: Vec<f64> = bars.iter().map(|b| b.close).collect();
            if let Some(last) = bars.last() {
                day = Some(last.date);
                if spot.is_none() {
                    spot = Some(last.close);
                    reply.note(format!(
                        "The spot is the last close of {symbol}, of {}.",
                        last.date
                    ));
                }
            }
            let year = closes.len().saturating_sub(253);
            if volatility.is_none() && closes.len() > 21 {
                volatility = Some(moments(&returns(&closes[year..])).1 * YEAR.sqrt());
                reply.note("The volatility is that of the last 252 days, not an implied one: no option prices are registered.");
            }
        }
        let missing = |slot: &str, ask: &str| Err(ServiceError::invalid(slot, ask.to_owned()));
        let Some(spot) = spot else {
            return missing(
                "symbol",
                "On which symbol, or at which price of the underlying?",
            );
        };
        let Some(volatility) = volatility else {
            return missing(
                "volatility",
                "At which volatility a year? There is no symbol to take it from.",
            );
        };
        let strike = match (p.strike, p.at_the_money) {
            (Some(strike), _) => strike,
            (None, true) => spot,
            (None, false) => return missing("strike", "At which strike?"),
        };
        let days = match (p.days, p.expiry) {
            (Some(days), _) => f64::from(days),
            (None, Some(expiry)) => {
                let from = day.unwrap_or_else(|| self.today());
                let left = (expiry - from).num_days();
                if left < 1 {
                    return Err(ServiceError::invalid(
                        "expiry",
                        format!("{expiry} is not after {from}, the day of the price"),
                    ));
                }
                left as f64
            }
            (None, None) => return missing("expiry", "When does it expire?"),
        };
        let call = p.right == Some(OptionRight::Call);
        let mut params = serde_json::Map::new();
        let time = days / 365.0;
        for (name, value) in [
            ("option_type", json!(if call { "call" } else { "put" })),
            ("spot", json!(spot)),
            ("strike", json!(strike)),
            ("time", json!(time)),
            ("rate", json!(p.rate.unwrap_or(0.0))),
            ("dividend", json!(p.dividend_yield.unwrap_or(0.0))),
            ("volatility", json!(volatility)),
        ] {
            params.insert(name.to_owned(), value);
        }
        if method == "binomial_tree" {
            let word = if style == ExerciseStyle::American {
                "american"
            } else {
                "european"
            };
            params.insert("style".to_owned(), json!(word));
            params.insert("steps".to_owned(), json!(500));
        }
        let request = RunRequest {
            params,
            ..RunRequest::default()
        };
        let result = self.run(method, request).await?;
        let out = |name: &str| result.outputs.get(name).and_then(Value::as_f64);
        let word = if call { "call" } else { "put" };
        let (price, s, k, t, v) = (
            reply.number("price", out("price"), 5),
            reply.number("spot", spot, 6),
            reply.number("strike", strike, 6),
            reply.count("days to expiry", days as u32),
            reply.percent("volatility", volatility),
        );
        reply.say(&format!("The {word} is worth {price} with the underlying at {s}, a strike of {k}, {t} days to go and a volatility of {v} a year."));
        if p.rate.is_none() {
            reply.note("The riskless rate is taken as zero: say \"rate 2 %\" for another.");
        }
        let rows = result
            .outputs
            .iter()
            .filter_map(|(name, v)| Some(vec![name.clone(), shown(Some(v.as_f64()?))]))
            .collect();
        reply.table("Price and Greeks", &["Figure", "Value"], rows);
        reply.done(&stage.said, &result)
    }
}
