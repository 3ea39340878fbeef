//! Ready-made strategies: rules of the literature as data, with a few parameters each.
//!
//! Every one becomes a [`StrategySpec`] like those that a person writes. On several symbols each
//! gets an equal part of the equity.

use crate::ServiceError;
use mltrainer_data::nearest::nearest;
use mltrainer_types::backtest::{ReadyMade, ReadyMadeParam};
use mltrainer_types::strategy::{
    Distance, EntryOrder, FillAt, LimitSpec, RebalanceSpec, SideSpec, Sizing, StrategySpec,
};
use serde_json::{Map, Value};

/// The strategy when none is named.
pub(super) const DEFAULT: &str = "sma_crossover";

struct Param {
    name: &'static str,
    help: &'static str,
    default: f64,
    low: f64,
    high: f64,
    whole: bool,
}

const fn whole(name: &'static str, help: &'static str, default: f64, low: f64) -> Param {
    Param {
        name,
        help,
        default,
        low,
        high: 5000.0,
        whole: true,
    }
}

const fn real(name: &'static str, help: &'static str, default: f64, low: f64, high: f64) -> Param {
    Param {
        name,
        help,
        default,
        low,
        high,
        whole: false,
    }
}

struct Template {
    id: &'static str,
    title: &'static str,
    about: &'static str,
    params: &'static [Param],
    /// Parameters in their order, and the part of the equity of one symbol.
    build: fn(&[f64], f64) -> StrategySpec,
}

const ALL: [Template; 9] = [
    Template {
        id: "sma_crossover",
        title: "Crossover of two averages",
        about: "Buys when the fast average crosses above the slow one and sells when it crosses below (Brock, Lakonishok and LeBaron 1992).",
        params: &[
            whole("fast", "Bars of the fast average", 10.0, 1.0),
            whole("slow", "Bars of the slow average", 30.0, 1.0),
        ],
        build: |p, part| {
            let (fast, slow) = (p[0], p[1]);
            let lines = format!("(sma(close, {fast}), sma(close, {slow}))");
            long(
                part,
                format!("crosses_above{lines}"),
                format!("crosses_below{lines}"),
            )
        },
    },
    Template {
        id: "rsi_reversion",
        title: "Reversion by RSI",
        about: "Buys when the relative strength index is low and sells when it is high (Wilder 1978).",
        params: &[
            whole("period", "Changes averaged", 14.0, 2.0),
            real("lower", "RSI under which it buys", 30.0, 0.0, 100.0),
            real("upper", "RSI over which it sells", 70.0, 0.0, 100.0),
        ],
        build: |p, part| {
            let rsi = format!("rsi(close, {})", p[0]);
            // From the second bar on which the index is known, as the catalogue's entry decides.
            let second = format!("known(lag({rsi}, 1))");
            long(
                part,
                format!("{second} and {rsi} < {}", p[1]),
                format!("{second} and {rsi} > {}", p[2]),
            )
        },
    },
    Template {
        id: "donchian_breakout",
        title: "Breakout of a price channel",
        about: "Buys at a new high and sells at a new low of fewer bars, with a stop of so many true ranges: the second system of the Turtles (Faith 2007), purchases only.",
        params: &[
            whole("entry", "Bars of the high that is broken", 55.0, 1.0),
            whole("exit", "Bars of the low that is broken", 20.0, 1.0),
            real(
                "stop",
                "Stop loss in average true ranges of 20 bars",
                2.0,
                0.1,
                100.0,
            ),
        ],
        build: |p, part| StrategySpec {
            stop_loss: Some(Distance::Amount {
                expression: format!("{} * atr(20)", p[2]),
            }),
            ..long(
                part,
                format!("close > lag(highest(high, {}), 1)", p[0]),
                format!("close < lag(lowest(low, {}), 1)", p[1]),
            )
        },
    },
    Template {
        id: "bollinger_reversion",
        title: "Reversion from the lower band",
        about: "Buys under the lower Bollinger band and sells at the average (Bollinger 2001).",
        params: &[
            whole("window", "Bars of average and deviation", 20.0, 2.0),
            real("width", "Deviations to the band", 2.0, 0.0, 20.0),
        ],
        build: |p, part| {
            let (n, width) = (p[0], p[1]);
            long(
                part,
                format!("close < sma(close, {n}) - {width} * stdev(close, {n})"),
                format!("close > sma(close, {n})"),
            )
        },
    },
    Template {
        id: "pullback_in_trend",
        title: "Pullback in a rising trend",
        about: "Buys a short fall above the long average and sells when the price is back over its short one (Connors and Alvarez 2009).",
        params: &[
            whole("trend", "Bars of the long average", 200.0, 1.0),
            whole("period", "Changes averaged by the RSI", 2.0, 2.0),
            real("lower", "RSI under which it buys", 10.0, 0.0, 100.0),
            whole("exit", "Bars of the short average", 5.0, 1.0),
        ],
        build: |p, part| {
            long(
                part,
                format!(
                    "close > sma(close, {}) and rsi(close, {}) < {}",
                    p[0], p[1], p[2]
                ),
                format!("close > sma(close, {})", p[3]),
            )
        },
    },
    Template {
        id: "trend_filter",
        title: "Above the long average",
        about: "Holds while the price is above its long average, looked at on the first bar of a month (Faber 2007).",
        params: &[whole("window", "Bars of the average", 200.0, 1.0)],
        build: |p, part| {
            weights(
                format!("if(close > sma(close, {}), {part}, 0)", p[0]),
                Some(RebalanceSpec::Month),
            )
        },
    },
    Template {
        id: "momentum",
        title: "Momentum of a year",
        about: "Holds what rose over the last year without its last month, looked at on the first bar of a month (Jegadeesh and Titman 1993; Moskowitz, Ooi and Pedersen 2012).",
        params: &[
            whole(
                "lookback",
                "Bars from which the rise is counted",
                252.0,
                1.0,
            ),
            whole("skip", "Last bars left out", 21.0, 0.0),
        ],
        build: |p, part| {
            let skipped = if p[1] > 0.0 {
                format!("lag(close, {})", p[1])
            } else {
                "close".to_owned()
            };
            weights(
                format!("if({skipped} > lag(close, {}), {part}, 0)", p[0]),
                Some(RebalanceSpec::Month),
            )
        },
    },
    Template {
        id: "volatility_managed",
        title: "Volatility held steady",
        about: "Holds more when the market is calm and less when it is wild, looked at on the first bar of a month (Moreira and Muir 2017).",
        params: &[
            real(
                "target",
                "Volatility a year that is aimed at",
                0.15,
                0.001,
                10.0,
            ),
            whole("window", "Changes looked at", 21.0, 2.0),
            real("cap", "Largest share of the equity", 1.0, 0.01, 1.0),
        ],
        build: |p, part| {
            let (target, window, cap) = (p[0], p[1], p[2]);
            weights(
                format!(
                    "{part} * min({cap}, {target} / (stdev(roc(close, 1) / 100, {window}) * sqrt(252)))"
                ),
                Some(RebalanceSpec::Month),
            )
        },
    },
    Template {
        id: "buy_and_hold",
        title: "Buy and hold",
        about: "Buys at the first open there is and never sells: what every other strategy has to beat.",
        params: &[],
        build: |_, part| weights(part.to_string(), None),
    },
];

fn plain() -> StrategySpec {
    StrategySpec {
        name: String::new(),
        note: String::new(),
        universe: Vec::new(),
        columns: Vec::new(),
        define: Vec::new(),
        long: None,
        short: None,
        weight: None,
        rebalance: None,
        sizing: Sizing::default(),
        max_risk: None,
        stop_loss: None,
        profit_target: None,
        trailing_stop: None,
        max_bars: None,
        entry_order: EntryOrder::Market,
        fill: FillAt::NextOpen,
        cash: None,
        whole_shares: None,
        costs: None,
        limits: LimitSpec::default(),
    }
}

fn long(part: f64, enter: String, exit: String) -> StrategySpec {
    StrategySpec {
        long: Some(SideSpec {
            enter,
            exit: Some(exit),
        }),
        sizing: Sizing::Fraction { fraction: part },
        ..plain()
    }
}

fn weights(weight: String, rebalance: Option<RebalanceSpec>) -> StrategySpec {
    StrategySpec {
        weight: Some(weight),
        rebalance,
        ..plain()
    }
}

impl Template {
    /// The parameters given, and the defaults of the others, in order.
    fn values(&self, given: &Map<String, Value>) -> Result<Vec<f64>, ServiceError> {
        let names: Vec<&str> = self.params.iter().map(|p| p.name).collect();
        if let Some(unknown) = given.keys().find(|k| !names.contains(&k.as_str())) {
            let near = nearest(unknown, &names);
            let detail = match (near.is_empty(), names.is_empty()) {
                (false, _) => format!(
                    "{} has no parameter \"{unknown}\"; did you mean {}?",
                    self.id,
                    near.join(" or ")
                ),
                (true, false) => format!(
                    "{} has no parameter \"{unknown}\", it has {}",
                    self.id,
                    names.join(", ")
                ),
                (true, true) => format!("{} has no parameters", self.id),
            };
            return Err(ServiceError::invalid(format!("params.{unknown}"), detail));
        }
        self.params.iter().map(|p| p.value(given)).collect()
    }
}

impl Param {
    fn value(&self, given: &Map<String, Value>) -> Result<f64, ServiceError> {
        let kind = if self.whole {
            "a whole number"
        } else {
            "a number"
        };
        let wrong = |what: &str| {
            ServiceError::invalid(
                format!("params.{}", self.name),
                format!("{what} is not {kind} from {} to {}", self.low, self.high),
            )
        };
        let value = match given.get(self.name) {
            None | Some(Value::Null) => return Ok(self.default),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(self.default),
            // The command line and forms send texts.
            Some(Value::String(text)) => text.trim().parse().map_err(|_| wrong(text))?,
            Some(other) => other.as_f64().ok_or_else(|| wrong(&other.to_string()))?,
        };
        let fits = (self.low..=self.high).contains(&value);
        if fits && (!self.whole || value.fract() == 0.0) {
            Ok(value)
        } else {
            Err(wrong(&value.to_string()))
        }
    }
}

fn template(id: &str) -> Option<&'static Template> {
    ALL.iter().find(|t| t.id == id)
}

/// A ready-made strategy on so many symbols, with its parameters filled in.
///
/// # Errors
/// [`ServiceError::NotFound`] with the nearest names; [`ServiceError::Invalid`] for a parameter.
pub(super) fn build(
    id: &str,
    given: &Map<String, Value>,
    symbols: usize,
) -> Result<(StrategySpec, Map<String, Value>), ServiceError> {
    let Some(t) = template(id) else {
        let ids: Vec<&str> = ALL.iter().map(|t| t.id).collect();
        let near = nearest(id, &ids);
        return Err(ServiceError::NotFound {
            what: "strategy",
            id: id.chars().take(80).collect(),
            suggestions: if near.is_empty() {
                ids.into_iter().map(str::to_owned).collect()
            } else {
                near
            },
        });
    };
    let values = t.values(given)?;
    let filled = t.params.iter().zip(&values).map(|(p, x)| {
        // Whole numbers come back as such: 10, not 10.0.
        let value = if p.whole {
            Value::from(*x as i64)
        } else {
            Value::from(*x)
        };
        (p.name.to_owned(), value)
    });
    let filled: Map<String, Value> = filled.collect();
    let named = t.params.iter().zip(&values);
    let named: Vec<String> = named.map(|(p, x)| format!("{} {x}", p.name)).collect();
    let mut name = t.title.to_owned();
    if !named.is_empty() {
        name = format!("{name}, {}", named.join(", "));
    }
    let spec = StrategySpec {
        name,
        ..(t.build)(&values, 1.0 / symbols.max(1) as f64)
    };
    Ok((spec, filled))
}

/// All of them, with their defaults on one symbol.
pub(super) fn list() -> Vec<ReadyMade> {
    let all = ALL.iter().filter_map(|t| {
        let (strategy, _) = build(t.id, &Map::new(), 1).ok()?;
        let params = t.params.iter().map(|p| ReadyMadeParam {
            name: p.name.to_owned(),
            help: p.help.to_owned(),
            default: p.default,
            low: p.low,
            high: p.high,
            whole: p.whole,
        });
        Some(ReadyMade {
            id: t.id.to_owned(),
            title: t.title.to_owned(),
            about: t.about.to_owned(),
            params: params.collect(),
            strategy,
        })
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_backtest::strategy;
    use serde_json::json;

    #[test]
    fn every_one_can_be_read_on_one_and_on_several_symbols() {
        for t in &ALL {
            for symbols in [1, 3] {
                let (spec, _) = build(t.id, &Map::new(), symbols).unwrap();
                strategy::check(&spec, &[]).unwrap_or_else(|e| panic!("{}: {e}", t.id));
            }
        }
        assert_eq!(list().len(), ALL.len());
    }

    #[test]
    fn parameters_are_checked_and_may_be_texts() {
        let build = |id: &str, params: Value| {
            let map = params.as_object().unwrap().clone();
            build(id, &map, 1)
        };
        let (spec, filled) = build("sma_crossover", json!({"fast": "5"})).unwrap();
        assert_eq!(
            spec.long.unwrap().enter,
            "crosses_above(sma(close, 5), sma(close, 30))"
        );
        assert_eq!(Value::from(filled), json!({"fast": 5, "slow": 30}));
        for (id, params, told) in [
            (
                "sma_crossover",
                json!({"fast": 2.5}),
                "params.fast: 2.5 is not a whole number from 1 to 5000",
            ),
            (
                "sma_crossover",
                json!({"fsat": 2}),
                "params.fsat: sma_crossover has no parameter \"fsat\"; did you mean fast?",
            ),
            (
                "rsi_reversion",
                json!({"lower": "low"}),
                "params.lower: low is not a number from 0 to 100",
            ),
            (
                "buy_and_hold",
                json!({"x": 1}),
                "params.x: buy_and_hold has no parameters",
            ),
            (
                "sma_crosover",
                json!({}),
                "unknown strategy \"sma_crosover\"; did you mean sma_crossover?",
            ),
        ] {
            assert_eq!(build(id, params).unwrap_err().to_string(), told);
        }
    }
}
