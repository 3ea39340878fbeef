//! Portfolios against the libraries named in `data/portfolio.json`, on the closes in `data/closes.csv`
//! (`data/portfolio.py` prints that file); what constraints say when they conflict; and the ends of what is possible.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by its panic"
)]

use mltrainer_catalogue::portfolio::{
    Amounts, CovarianceSpec, Limits, Method, Moments, ReturnsSpec, Spec, allocate,
    weights_from_prices,
};
use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::run::run_analysis;
use mltrainer_catalogue_core::{Ask, Design, FitError, ParamMap, SeriesTable};
use mltrainer_compliance::{Admissible, Arrival, Content, Digest, Gate, Inspection, Verified};
use mltrainer_types::data::QualityReport;
use ndarray::{Array2, Axis};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Columns of numbers with names.
struct Sheet(Vec<(String, Vec<f64>)>);

impl Content for Sheet {
    fn digest(&self, d: &mut Digest) {
        for (name, values) in &self.0 {
            d.text(name).floats(values);
        }
    }
}

impl Admissible for Sheet {
    fn inspect(self) -> Inspection<Self> {
        let rows = self.0[0].1.len() as u64;
        Inspection {
            usable: self,
            report: QualityReport {
                score: 100.0,
                rows,
                usable: rows,
                quarantined: 0,
                counts: BTreeMap::new(),
                findings: Vec::new(),
            },
        }
    }
}

fn closes() -> Verified<SeriesTable> {
    let text = include_str!("data/closes.csv");
    let mut lines = text.lines().map(|l| l.split(',').skip(1));
    let names = lines.next().unwrap();
    let mut columns: Vec<(String, Vec<f64>)> = names.map(|n| (n.to_owned(), Vec::new())).collect();
    for line in lines {
        for ((_, values), cell) in columns.iter_mut().zip(line) {
            values.push(cell.parse().unwrap());
        }
    }
    let arrival = Arrival {
        origin: "user_provided".into(),
        request: "closes.csv".into(),
        promised_sha256: None,
        content: Sheet(columns),
    };
    let sheet = Gate::admit(arrival).map(|a| a.verified).ok().unwrap();
    let table = sheet.derive("series", "all", |s| {
        let x = Array2::from_shape_fn((s.0[0].1.len(), s.0.len()), |(r, c)| s.0[c].1[r]);
        let names = s.0.iter().map(|(n, _)| n.clone()).collect();
        SeriesTable::new(Design::new(x, names)?, None)
    });
    table.map_err(|e: FitError| e).unwrap()
}

/// Rows and columns of the closes.
fn part(rows: usize, columns: usize) -> SeriesTable {
    let all = closes();
    let x = all.get().design().x();
    let x = x.slice_axis(Axis(0), (..rows).into());
    let x = x.slice_axis(Axis(1), (..columns).into()).to_owned();
    let names = all.get().names()[..columns].to_vec();
    SeriesTable::new(Design::new(x, names).unwrap(), None).unwrap()
}

fn run(model: &str, params: &Value) -> Result<Value, FitError> {
    let given: ParamMap = serde_json::from_value(params.clone()).unwrap();
    let ask = Ask {
        horizon: 1,
        seed: 0,
    };
    let entry = registry().find(model).unwrap();
    let data = closes();
    run_analysis(&entry, &given, &data, ask, &|| 0.0).map(|r| Value::Object(r.outputs))
}

/// Whether a value is what is wanted, within the tolerance relative to 1 and its size; an object may hold more.
fn near(got: &Value, want: &Value, tolerance: f64) -> bool {
    match (got, want) {
        (Value::Array(got), Value::Array(want)) => {
            got.len() == want.len() && got.iter().zip(want).all(|(g, w)| near(g, w, tolerance))
        }
        (Value::Object(got), Value::Object(want)) => want
            .iter()
            .all(|(key, want)| near(got.get(key).unwrap_or(&Value::Null), want, tolerance)),
        (Value::Number(got), Value::Number(want)) => {
            let pair = got.as_f64().zip(want.as_f64());
            pair.is_some_and(|(got, want)| (got - want).abs() <= tolerance * (1.0 + want.abs()))
        }
        _ => got == want,
    }
}

#[test]
fn the_reference_libraries_agree() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("data/portfolio.json")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let model = case["model"].as_str().unwrap();
        let tolerance = case["tolerance"].as_f64().unwrap();
        let got = match run(model, &case["params"]) {
            Ok(got) => got,
            Err(e) => {
                wrong.push(format!("{model} {}: {e}", case["params"]));
                continue;
            }
        };
        for (name, want) in case["expect"].as_object().unwrap() {
            if !near(&got[name], want, tolerance) {
                wrong.push(format!(
                    "{model} {}: {name} is {}, {} gives {want}",
                    case["params"], got[name], case["source"]
                ));
            }
        }
    }
    assert!(cases.len() > 60);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn constraints_that_conflict_are_named_with_what_would_do() {
    // 5 assets: 5 · 0.1 = 0.5; 5 · 0.3 = 1.5. AAPL has to fall from 1 to 0.5, which is 0.5 of turnover, and the rest
    // has to go elsewhere, which is as much again; with 0.2 of turnover it falls to 0.9. AAPL has the highest mean, 0.2148 (pandas, times 252).
    let sectors = "AAPL:tech,CVX:oil,JNJ:health,MRK:health,XOM:oil";
    for (model, params, sentence) in [
        (
            "min_variance",
            json!({"max_weight": 0.1}),
            "no weights keep these constraints together: the weights must sum to 1; max_weight 0.1 on 5 assets allows a sum of at most 0.5; it would do with max_weight at least 0.2",
        ),
        (
            "max_sharpe",
            json!({"min_weight": 0.3}),
            "no weights keep these constraints together: the weights must sum to 1; min_weight 0.3 on 5 assets needs a sum of at least 1.5; it would do with min_weight at most 0.2",
        ),
        (
            "mean_variance",
            json!({"target_return": 0.5}),
            "no weights keep these constraints together: the weights must sum to 1; long_only allows no weight below 0; target_return 0.5, where the highest expected return of an asset is 0.214757; any one of these would do: ",
        ),
        (
            "cvar_optimization",
            json!({"sectors": sectors, "sector_caps": "oil:0.2,tech:0.2,health:0.4"}),
            "no weights keep these constraints together: the weights must sum to 1; sector_caps health:0.4 on 2 of 5 assets; sector_caps oil:0.2 on 2 of 5 assets; sector_caps tech:0.2 on 1 of 5 assets; any one of these would do: sector_caps health at least 0.6, sector_caps oil at least 0.4, sector_caps tech at least 0.4",
        ),
        (
            "max_diversification",
            json!({"current_weights": "AAPL:1", "max_turnover": 0.2, "max_weight": 0.5}),
            "no weights keep these constraints together: max_weight 0.5 on 5 assets allows a sum of at most 2.5; max_turnover 0.2 from current_weights, which sum to 1; any one of these would do: max_weight at least 0.9, max_turnover at least 1",
        ),
        (
            "min_variance",
            json!({"max_positions": 2, "max_weight": 0.4}),
            "max_positions 2 conflicts with the other constraints: max_weight allows 2 positions a sum of at most 0.8, and the weights must sum to 1; raise it or loosen them",
        ),
    ] {
        let refused = run(model, &params).unwrap_err().to_string();
        assert!(
            refused.starts_with(sentence),
            "{model} {params}:\n{refused}\nis not\n{sentence}"
        );
    }
    // The way out of a volatility that is too low is the least one that min_variance finds.
    let lowest = run("min_variance", &json!({})).unwrap()["volatility"]
        .as_f64()
        .unwrap();
    let refused = run("mean_variance", &json!({"target_volatility": 0.05})).unwrap_err();
    let text = refused.to_string();
    let words = format!(
        "target_volatility at least {:.4}",
        (lowest * 1e4).floor() / 1e4
    );
    assert!(text.contains(&words), "{text} lacks {words}");
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    for (model, params, sentence) in [
        (
            "min_variance",
            json!({"max_weight": "APPL:0.1"}),
            "parameter max_weight: there is no \"APPL\"; did you mean AAPL?",
        ),
        (
            "min_variance",
            json!({"sector_caps": 0.5}),
            "parameter sector_caps: it needs sectors",
        ),
        (
            "min_variance",
            json!({"max_turnover": 0.5}),
            "parameter max_turnover: it needs current_weights",
        ),
        (
            "max_sharpe",
            json!({"min_weight": -0.1}),
            "parameter min_weight: -0.1 for AAPL is below 0, which long_only refuses",
        ),
        (
            "kelly",
            json!({"covariance": "factor", "n_factors": 6}),
            "parameter n_factors: 6 is more than the 5 assets",
        ),
        (
            "mean_variance",
            json!({"target_return": 0.1, "target_volatility": 0.1}),
            "parameter target_volatility: give it or target_return, not both",
        ),
    ] {
        let refused = run(model, &params).unwrap_err().to_string();
        assert_eq!(refused, sentence);
    }
    let high = run("max_sharpe", &json!({"risk_free_rate": 0.5})).unwrap_err();
    assert!(high.to_string().starts_with(
        "no portfolio within the constraints has an expected return above the risk-free rate"
    ));
}

fn spec(method: Method) -> Spec {
    Spec {
        covariance: CovarianceSpec::default(),
        returns: ReturnsSpec::default(),
        limits: Limits::default(),
        method,
    }
}

const LEAST: Method = Method::MinVariance {
    target_return: None,
};

#[test]
fn one_asset_is_all_of_the_portfolio() {
    let one = part(260, 1);
    for method in [
        Method::EqualWeight,
        LEAST,
        Method::MaxSharpe,
        Method::MaxDiversification,
        Method::RiskParity { budgets: None },
        Method::HierarchicalRiskParity {
            linkage: mltrainer_catalogue::portfolio::Linkage::Single,
        },
        Method::MinCvar {
            confidence: 0.95,
            target_return: None,
        },
        Method::BlackLitterman,
    ] {
        let got = weights_from_prices(&one, &spec(method.clone())).unwrap();
        assert!((got.weights[0] - 1.0).abs() < 1e-9, "{method:?}");
        // Standard deviation of AAPL's returns, pandas: 0.297331.
        assert!((got.volatility - 0.297_331).abs() < 1e-6);
    }
}

#[test]
fn more_assets_than_rows_are_solved_or_refused() {
    // Three returns of five assets.
    let short = part(4, 5);
    let long = weights_from_prices(&short, &spec(LEAST)).unwrap();
    assert!((long.weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(long.weights.iter().all(|w| *w >= 0.0));
    // No corner of the simplex and no pair has less variance.
    let m = Moments::new(&short, &CovarianceSpec::default(), &ReturnsSpec::default()).unwrap();
    for i in 0..5 {
        for share in 0..=10 {
            let mut w: Vec<f64> = long
                .weights
                .iter()
                .map(|w| w * (1.0 - 0.1 * f64::from(share)))
                .collect();
            w[i] += 0.1 * f64::from(share);
            assert!(m.variance(&w) >= long.volatility.powi(2) - 1e-10);
        }
    }
    let mut free = spec(LEAST);
    free.limits.long_only = false;
    let refused = weights_from_prices(&short, &free).unwrap_err();
    assert!(refused.to_string().starts_with(
        "the covariance of 5 assets over 3 returns is singular, so weights of any sign are not determined"
    ));
    free.covariance.estimator = mltrainer_catalogue::portfolio::Covariance::LedoitWolf;
    assert!(weights_from_prices(&short, &free).is_ok());
}

#[test]
fn a_smallest_weight_holds_for_what_is_held() {
    let m = Moments::new(
        &part(260, 5),
        &CovarianceSpec::default(),
        &ReturnsSpec::default(),
    )
    .unwrap();
    let limits = Limits {
        min_weight: Some(Amounts::Each(0.3)),
        max_positions: Some(3),
        ..Limits::default()
    };
    let got = allocate(&m, &limits, &LEAST).unwrap();
    let held: Vec<f64> = got.weights.iter().copied().filter(|w| *w > 1e-9).collect();
    assert!(held.len() <= 3 && held.iter().all(|w| *w >= 0.3 - 1e-9));
    assert_eq!(got.proven, Some(true));
    // Against every choice of at most three.
    let mut best = f64::INFINITY;
    for mask in 1_u32..32 {
        if mask.count_ones() > 3 {
            continue;
        }
        let names = m.names.iter().enumerate();
        let bounds = |inside: f64| {
            let each = names.clone().map(|(i, n)| {
                let inside = if mask >> i & 1 == 1 { inside } else { 0.0 };
                (n.clone(), inside)
            });
            Some(Amounts::Named(each.collect()))
        };
        let limits = Limits {
            min_weight: bounds(0.3),
            max_weight: bounds(1.0),
            ..Limits::default()
        };
        if let Ok(one) = allocate(&m, &limits, &LEAST) {
            best = best.min(one.volatility);
        }
    }
    assert!((got.volatility - best).abs() < 1e-9);
}
