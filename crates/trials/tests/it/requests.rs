//! From a request to a specification: defaults, and every way to be refused.

use crate::support::*;
use mltrainer_trials::{SpecError, combinations, spec_key, validate};
use mltrainer_types::trial::{Costs, ModelRequest, Target, TrialRequest, Validation};

fn refused(request: &TrialRequest) -> SpecError {
    let data: Vec<_> = request.symbols.iter().map(|s| known(request, s)).collect();
    validate(request, &registry(), &data).unwrap_err()
}

#[test]
fn a_symbol_is_enough() {
    let spec = spec(&TrialRequest::for_symbols(["AAPL"]));
    assert_eq!(
        (spec.target, spec.horizons.as_slice(), spec.seed),
        (Target::Return, &[1][..], 1)
    );
    assert_eq!(
        spec.features,
        [
            "price:core",
            "volatility:core",
            "volume:core",
            "technical:core",
            "economic:core"
        ]
    );
    assert_eq!(
        spec.validation,
        Validation::WalkForward {
            folds: 5,
            embargo: 0,
            window: None
        }
    );
    let baselines: Vec<&str> = spec
        .models
        .iter()
        .filter(|m| m.baseline)
        .map(|m| m.model.as_str())
        .collect();
    assert_eq!(baselines, ["buy_and_hold", "naive_last", "naive_mean"]);
    let models = spec.models.len() - 3;
    assert!((2..=12).contains(&models));
    assert_eq!(combinations(&spec) as usize, models);
    assert!(
        spec.models.iter().filter(|m| !m.params.is_empty()).count() > 0,
        "parameters are resolved"
    );
}

#[test]
fn what_a_request_can_get_wrong() {
    let base = || TrialRequest::for_symbols(["AAPL"]);
    let cases: Vec<(TrialRequest, &str, &str)> = vec![
        (
            TrialRequest::for_symbols::<&str>([]),
            "symbols",
            "symbols is empty",
        ),
        (
            TrialRequest::for_symbols(["IBM", "IBM"]),
            "symbols",
            "IBM is named twice",
        ),
        (
            TrialRequest {
                horizons: vec![0],
                ..base()
            },
            "horizons",
            "horizon 0 is out of range; give 1 to 250 bars",
        ),
        (
            TrialRequest {
                horizons: vec![251],
                ..base()
            },
            "horizons",
            "horizon 251 is out of range",
        ),
        (
            TrialRequest {
                horizons: (1..12).collect(),
                ..base()
            },
            "horizons",
            "11 horizons are asked for; give at most 10",
        ),
        (
            TrialRequest {
                features: vec!["volatilty".into()],
                ..base()
            },
            "features",
            "there is no feature group \"volatilty\"; there are price, volatility, volume, technical, economic, cross_sectional, microstructure, regime, options and calendar",
        ),
        (
            TrialRequest {
                models: vec![id("rigde")],
                ..base()
            },
            "models",
            "there is no model \"rigde\"; the nearest are ridge",
        ),
        (
            TrialRequest {
                models: vec![id("kmeans")],
                ..base()
            },
            "models",
            "kmeans does not do regression, which target return needs",
        ),
        (
            TrialRequest {
                models: vec![id("ridge")],
                target: Some(Target::Direction),
                ..base()
            },
            "models",
            "ridge does not do classification, which target direction needs",
        ),
        (
            TrialRequest {
                models: vec![ModelRequest::WithParams {
                    model: "ridge".into(),
                    params: serde_json::from_str(r#"{"alpha": -1}"#).unwrap(),
                }],
                ..base()
            },
            "models.ridge.alpha",
            "model ridge: parameter alpha: ",
        ),
        (
            TrialRequest {
                start: Some(day("2012-01-01")),
                end: Some(day("2011-01-01")),
                ..base()
            },
            "start",
            "start 2012-01-01 is after end 2011-01-01",
        ),
        (
            TrialRequest {
                start: Some(day("2020-01-01")),
                end: Some(day("2021-01-01")),
                ..base()
            },
            "start",
            "AAPL has 0 bars between 2020-01-01 and 2021-01-01, at least 20 are needed; its data reaches from 2000-03-01 to 2013-03-01",
        ),
        (
            TrialRequest {
                end: Some(day("2000-03-10")),
                ..base()
            },
            "end",
            "AAPL has 8 bars between 2000-03-01 and 2000-03-10",
        ),
        (
            TrialRequest {
                start: Some(day("2013-01-02")),
                ..base()
            },
            "validation",
            "horizon 1: 40 usable days are too few: 46 are needed for 5 expanding folds",
        ),
        (
            TrialRequest {
                costs: Costs { bps: -1.0 },
                ..base()
            },
            "costs.bps",
            "costs.bps is -1; give 0 to 1000 basis points",
        ),
        (
            TrialRequest {
                costs: Costs { bps: f64::NAN },
                ..base()
            },
            "costs.bps",
            "costs.bps is NaN",
        ),
        (
            TrialRequest {
                validation: Validation::HoldOut {
                    test_share: 0.6,
                    embargo: 0,
                },
                ..base()
            },
            "validation.test_share",
            "validation.test_share is 0.6; give 0.05 to 0.5",
        ),
        (
            TrialRequest {
                validation: Validation::WalkForward {
                    folds: 0,
                    embargo: 0,
                    window: None,
                },
                ..base()
            },
            "validation.folds",
            "validation.folds is 0; give 1 to 50",
        ),
        (
            TrialRequest {
                validation: Validation::WalkForward {
                    folds: 2,
                    embargo: 0,
                    window: Some(3),
                },
                ..base()
            },
            "validation.window",
            "validation.window is 3; give 20 to 10000",
        ),
        (
            TrialRequest {
                goal: Some("x".repeat(2001)),
                ..base()
            },
            "goal",
            "the goal is longer than 2,000 characters",
        ),
        (
            TrialRequest {
                target: Some(Target::Range),
                ..TrialRequest::for_symbols(["KO_ADJ"])
            },
            "target",
            "target range needs high and low, and KO_ADJ has closes only",
        ),
        (
            TrialRequest {
                horizons: (1..=10).collect(),
                validation: Validation::WalkForward {
                    folds: 50,
                    embargo: 0,
                    window: None,
                },
                models: (1..=20)
                    .map(|k| ModelRequest::WithParams {
                        model: "ridge".into(),
                        params: [("alpha".to_owned(), k.into())].into_iter().collect(),
                    })
                    .collect(),
                ..base()
            },
            "models",
            "23 models (with baselines) x 10 horizons x 50 folds are 11,500 steps, the most is 5,000",
        ),
    ];
    for (request, field, detail) in cases {
        let e = refused(&request);
        assert_eq!(e.field, field, "{e}");
        assert!(e.detail.starts_with(detail), "{e}");
    }
    let e = refused(&TrialRequest {
        models: vec![id("rigde")],
        ..base()
    });
    assert_eq!(e.suggestions[0], "ridge");
    let e = refused(&TrialRequest {
        features: vec!["volatilty".into()],
        ..base()
    });
    assert_eq!(e.suggestions[0], "volatility");
}

#[test]
fn the_same_thing_twice_is_one_attempt() {
    let request = TrialRequest {
        models: vec![id("ridge"), id("lasso"), id("ridge"), id("naive_last")],
        horizons: vec![5, 1, 5],
        ..TrialRequest::for_symbols(["AAPL", "IBM"])
    };
    let one = spec(&request);
    assert_eq!(one.horizons, [5, 1]);
    assert_eq!(
        combinations(&one),
        4,
        "two models, two horizons; a baseline is nothing tried"
    );
    let turned = TrialRequest {
        models: vec![id("lasso"), id("ridge")],
        horizons: vec![1, 5],
        goal: Some("the same with other words".into()),
        symbols: vec!["IBM".into(), "AAPL".into()],
        ..request.clone()
    };
    assert_eq!(spec_key(&spec(&turned)), spec_key(&one));
    let other = TrialRequest {
        seed: Some(2),
        ..request
    };
    assert_ne!(spec_key(&spec(&other)), spec_key(&one));
}

#[test]
fn a_specification_survives_the_wire() {
    let spec = spec(&TrialRequest::for_symbols(["AAPL"]));
    let text = serde_json::to_string(&spec).unwrap();
    let back = serde_json::from_str(&text).unwrap();
    assert_eq!(spec_key(&back), spec_key(&spec));
    assert_eq!(back, spec);
}
