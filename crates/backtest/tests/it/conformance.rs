//! The rules of the catalogue, for the entry that lives here.

use mltrainer_backtest::{entry, registry};
use mltrainer_catalogue_core::conformance::Suite;
use mltrainer_catalogue_core::{Entry, ParamMap, Registry};
use serde_json::{Value, json};

fn suite() -> Suite {
    Suite::new(
        include_str!("../../../catalogue/tests/data/spx.csv"),
        include_str!("../../../catalogue/tests/data/ibm.csv"),
        include_str!("../../../catalogue/tests/data/closes.csv"),
    )
    .unwrap()
}

#[test]
fn the_back_test_keeps_every_rule() {
    static ENTRIES: [Entry; 1] = [entry::ENTRY];
    assert_eq!(suite().check(&Registry::new(&ENTRIES)), []);
}

#[test]
fn the_registry_holds_it_in_its_place() {
    let all = registry();
    let places: Vec<(&str, &str)> = all
        .entries()
        .iter()
        .map(|e| (e.card.family, e.card.id))
        .collect();
    assert!(places.windows(2).all(|w| w[0] < w[1]), "{places:?}");
    assert_eq!(
        all.find("backtest").unwrap().entry.card.title,
        "Bar-exact back test of a strategy"
    );
    assert_eq!(all.nearest("back_test"), ["backtest"]);
}

fn run(given: Value) -> Result<serde_json::Map<String, Value>, String> {
    let all = registry();
    let found = all.find("backtest").unwrap();
    let given: ParamMap = given.as_object().unwrap().clone();
    suite()
        .run(&found, &given, "simulation", 0)
        .map(|r| r.outputs)
        .map_err(|e| e.to_string())
}

#[test]
fn a_strategy_as_data_says_the_same_as_its_name() {
    let text = r#"{"name": "crossover",
        "define": [{"name": "fast", "expression": "sma(close,10)"}, {"name": "slow", "expression": "sma(close, 30)"}],
        "long": {"enter": "crosses_above(fast, slow)", "exit": "crosses_below(fast, slow)"},
        "stop_loss": {"kind": "share", "share": 0.03}}"#;
    let by_name = run(json!({"commission": 0.001, "stop_loss": 0.03})).unwrap();
    let by_data = run(json!({"commission": 0.001, "strategy": text})).unwrap();
    assert_eq!(by_name, by_data);
    assert_eq!(by_name["n_trades"], json!(1));
}

#[test]
fn columns_of_the_catalogue_can_be_used() {
    let text = json!({"name": "trend",
        "columns": [{"name": "trend", "entry": "supertrend", "params": {"period": 7}, "output": "direction"}],
        "weight": "if(trend > 0, 0.5, 0)", "whole_shares": false});
    let found = run(json!({"strategy": text})).unwrap();
    let units = found["units"].as_array().unwrap();
    assert!(units.iter().any(|u| u.as_f64().unwrap() > 0.0));
    assert!(units.iter().any(|u| u.as_f64().unwrap() == 0.0));
}

#[test]
fn what_is_wrong_is_told_in_a_sentence() {
    let strategy = |more: Value| {
        let mut all = json!({"name": "x", "long": {"enter": "close > open"}});
        for (k, v) in more.as_object().unwrap() {
            all[k] = v.clone();
        }
        run(json!({"strategy": all.to_string()})).unwrap_err()
    };
    for (told, want) in [
        (
            run(json!({"strategy": "sma_crosover"})).unwrap_err(),
            "parameter strategy: \"sma_crosover\" is neither sma_crossover nor rsi_reversion nor a strategy as JSON; did you mean sma_crossover?",
        ),
        (
            run(json!({"max_risk": 0.01})).unwrap_err(),
            "parameter max_risk: it needs stop_loss to measure the risk by",
        ),
        (
            run(json!({"slippage": 0.01, "volume_impact": 0.1})).unwrap_err(),
            "parameter slippage: it cannot stand beside volume_impact: slippage is of one kind",
        ),
        (
            strategy(json!({"long": {"enter": "clsoe > open"}})),
            "parameter strategy: long.enter: column 1: there is no column `clsoe`; did you mean close?",
        ),
        (
            strategy(json!({"long": {"enter": "close"}})),
            "parameter strategy: long.enter: column 1: a condition is wanted here, and the expression is a number",
        ),
        (
            strategy(
                json!({"columns": [{"name": "t", "entry": "supertrnd", "output": "direction"}]}),
            ),
            "parameter strategy: columns[0].entry: there is no entry \"supertrnd\"; did you mean supertrend?",
        ),
        (
            strategy(json!({"columns": [{"name": "t", "entry": "supertrend", "output": "up"}]})),
            "parameter strategy: columns[0].output: supertrend has no output \"up\", it has supertrend, direction",
        ),
        (
            strategy(
                json!({"columns": [{"name": "close", "entry": "supertrend", "output": "direction"}]}),
            ),
            "parameter strategy: columns[0].name: \"close\" is the name of something else",
        ),
        (
            strategy(json!({"long": null, "weight": "1", "rebalance": {"kind": "month"}})),
            "parameter strategy: rebalance: months need bars with dates",
        ),
    ] {
        assert_eq!(told, want);
    }
    let unknown = strategy(json!({"stop": 1}));
    assert!(
        unknown.starts_with("parameter strategy: no strategy: unknown field `stop`"),
        "{unknown}"
    );
}

#[test]
fn the_cards_carry_the_last_reference_check() {
    let registry = registry();
    let check = registry.check().unwrap();
    for case in check.cases {
        assert!(registry.find(case.id).is_some(), "{}", case.id);
    }
    let shown = |id: &str| registry.find(id).unwrap().catalogue_entry().checked;
    let ridge = shown("ridge").unwrap();
    assert_eq!(ridge.on, check.on);
    assert_eq!(ridge.passed(), ridge.cases.len());
    // A preset is the code of its model.
    assert_eq!(shown("kmeans_3"), shown("kmeans"));
    assert_eq!(shown("naive_mean"), None);
}
