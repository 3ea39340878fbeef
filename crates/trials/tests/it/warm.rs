//! Models that follow a series: a fit starts where that of the fold before ended, and nothing else changes.

use crate::support::*;
use mltrainer_catalogue_core::{Ask, Design, Engine, ParamMap, Sequence, SeriesTable, Tracker};
use mltrainer_compliance::{Gate, Verified};
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled;
use mltrainer_types::trial::{ModelRequest, Target, TrialRequest, TrialState};
use ndarray::Array2;

fn bars(symbol: &str) -> Verified<Bars> {
    let arrival = bundled::bars(symbol).unwrap();
    Gate::admit(arrival).unwrap().verified
}

/// Model and parameters.
const FOLLOWED: [(&str, &[(&str, &str)]); 8] = [
    ("arima", &[("order", "0,1,1")]),
    ("arima", &[("order", "2,1,1")]),
    (
        "sarima",
        &[("order", "1,1,0"), ("seasonal_order", "1,0,0,5")],
    ),
    ("holt", &[("damped_trend", "true")]),
    ("holt_winters", &[("period", "5")]),
    ("ets", &[("trend", "add")]),
    (
        "ets",
        &[
            ("error", "auto"),
            ("trend", "auto"),
            ("damped_trend", "true"),
        ],
    ),
    ("theta", &[("period", "5")]),
];

fn given(params: &[(&str, &str)]) -> serde_json::Map<String, serde_json::Value> {
    let pairs = params.iter().map(|(k, v)| {
        let value = serde_json::from_str(v).unwrap_or_else(|_| (*v).into());
        ((*k).to_owned(), value)
    });
    pairs.collect()
}

fn followed() -> Vec<ModelRequest> {
    let with = |(model, params): &(&str, &[(&str, &str)])| ModelRequest::WithParams {
        model: (*model).to_owned(),
        params: given(params),
    };
    FOLLOWED.iter().map(with).collect()
}

#[test]
fn a_warm_fit_forecasts_what_a_cold_one_does() {
    let registry = registry();
    let mut other_bits = 0;
    for symbol in ["SPX", "IBM", "AAPL", "MSFT"] {
        let bars = bars(symbol);
        let closes = &bars.get().close;
        let series = |rows: usize| {
            bars.derive("training series", "closes", |b| {
                Sequence::new("close", b.close[..rows].to_vec())
            })
            .unwrap()
        };
        // A year of days more than the fit before, and a year to forecast day by day.
        let (early, late, end) = (500, 750, 1_000);
        let changes = closes[..late].windows(2).map(|w| (w[1] - w[0]).powi(2));
        let size = (changes.sum::<f64>() / late as f64).sqrt();
        for (model, params) in FOLLOWED {
            let found = registry.find(model).unwrap();
            let params_map = found.params(&given(params)).unwrap();
            let track = found.entry.track.unwrap();
            let start = track(&params_map, &series(early), None).unwrap().start();
            assert_eq!(start.is_empty(), model == "theta", "{model}");
            let mut cold = track(&params_map, &series(late), None).unwrap();
            let mut warm = track(&params_map, &series(late), Some(&start)).unwrap();
            // What a random walk has no use for leaves the likelihood flat, and the two may stand on different
            // ends of the flat; few terms are found again to the tolerance of the search.
            let few: [&[(&str, &str)]; 2] = [&[("order", "0,1,1")], &[("period", "5")]];
            // Terms of both kinds nearly cancel on closes: the likelihood has several tops, and the tops of the
            // fit before may lead to a higher one than the search from nothing finds (never to a lower one, which
            // a test beside the likelihood says).
            let tolerance = match params {
                _ if few.contains(&params) => 2e-3,
                [("order", "2,1,1")] => 1.0,
                _ => 0.1,
            };
            let both = |cold: &dyn Tracker, warm: &dyn Tracker, at: usize| {
                for steps in [1, 5] {
                    let (a, b) = (cold.forecast(steps), warm.forecast(steps));
                    assert!(
                        (a - b).abs() < tolerance * size,
                        "{symbol} {model} {params:?} row {at}, {steps} ahead: {a} {b}, days move by {size}"
                    );
                }
                usize::from(cold.forecast(1).to_bits() != warm.forecast(1).to_bits())
            };
            for (at, close) in closes.iter().enumerate().take(end).skip(late) {
                other_bits += both(&*cold, &*warm, at);
                cold.update(*close);
                warm.update(*close);
            }
            // A start that means nothing is not followed: the fit is the cold one, to the bit.
            for wrong in [
                vec![],
                vec![0.5; start.len() + 1],
                vec![f64::NAN; start.len()],
            ] {
                let other = track(&params_map, &series(late), Some(&wrong)).unwrap();
                let plain = track(&params_map, &series(late), None).unwrap();
                assert_eq!(
                    other.forecast(3).to_bits(),
                    plain.forecast(3).to_bits(),
                    "{symbol} {model} from {wrong:?}"
                );
            }
        }
    }
    // The starts were followed.
    assert!(other_bits > 500, "{other_bits}");
}

/// Returns in percent of the S&P 500 from their first row on.
fn returns(rows: usize) -> Verified<Sequence> {
    let of = |b: &Bars| {
        let returns = b.close.windows(2).map(|w| 100.0 * (w[1] / w[0] - 1.0));
        Sequence::new("returns in percent", returns.take(rows).collect())
    };
    bars("SPX")
        .derive("training series", "returns", of)
        .unwrap()
}

/// What arch 8.0.0 forecasts: parameters fitted on the first 1,500 returns (`fit(last_obs=1500)`), then
/// `forecast(start=1499)` on these and 250 more, none, 125 and 250 of them taken in. Means and variances.
type Followed = (
    &'static str,
    &'static [(&'static str, &'static str)],
    [[&'static [f64]; 2]; 3],
);
const ARCH: [Followed; 4] = [
    (
        "garch",
        &[],
        [
            [
                &[0.0333591878; 5],
                &[
                    0.513947197,
                    0.522679704,
                    0.531346899,
                    0.539949269,
                    0.5484873,
                ],
            ],
            [
                &[0.0333591878; 5],
                &[
                    0.382123736,
                    0.391842183,
                    0.401487944,
                    0.411061561,
                    0.420563575,
                ],
            ],
            [
                &[0.0333591878; 5],
                &[
                    0.400708597,
                    0.410288043,
                    0.419795843,
                    0.429232531,
                    0.43859864,
                ],
            ],
        ],
    ),
    (
        "garch",
        &[("dist", "t"), ("mean", "ar")],
        [
            [
                &[
                    -1.44591314e-05,
                    0.0307148792,
                    0.029670353,
                    0.0297058577,
                    0.0297046508,
                ],
                &[
                    0.513938475,
                    0.522677845,
                    0.530774273,
                    0.538811155,
                    0.546789593,
                ],
            ],
            [
                &[
                    0.0376741537,
                    0.0294337991,
                    0.0297138984,
                    0.0297043775,
                    0.0297047012,
                ],
                &[
                    0.384018578,
                    0.393552612,
                    0.402587863,
                    0.411556913,
                    0.420460739,
                ],
            ],
            [
                &[
                    0.0403960312,
                    0.0293412793,
                    0.0297170433,
                    0.0297042706,
                    0.0297047048,
                ],
                &[
                    0.402920271,
                    0.412338692,
                    0.421237356,
                    0.430070787,
                    0.438839982,
                ],
            ],
        ],
    ),
    (
        "gjr_garch",
        &[("dist", "skewt")],
        [
            [
                &[-0.0146265386; 5],
                &[
                    0.429671137,
                    0.442303603,
                    0.454843704,
                    0.467292114,
                    0.479649503,
                ],
            ],
            [
                &[-0.0146265386; 5],
                &[
                    0.356529139,
                    0.369696405,
                    0.382767395,
                    0.395742813,
                    0.408623356,
                ],
            ],
            [
                &[-0.0146265386; 5],
                &[
                    0.352197904,
                    0.36539684,
                    0.378499267,
                    0.391505892,
                    0.404417416,
                ],
            ],
        ],
    ),
    (
        // Further steps are drawn.
        "egarch",
        &[("o", "1")],
        [
            [&[-0.0150203297], &[0.346160739]],
            [&[-0.0150203297], &[0.400303399]],
            [&[-0.0150203297], &[0.360150397]],
        ],
    ),
];

#[test]
fn variances_are_followed_as_in_arch() {
    let registry = registry();
    let more = returns(1_750);
    for (model, params, wanted) in ARCH {
        let found = registry.find(model).unwrap();
        let params_map = found.params(&given(params)).unwrap();
        let mut tracker = found.entry.track.unwrap()(&params_map, &returns(1_500), None).unwrap();
        assert_eq!(tracker.warnings(), Vec::<String>::new());
        let mut taken = 1_500;
        for (after, [means, variances]) in [0, 125, 250].into_iter().zip(wanted) {
            for value in &more.get().values()[taken..1_500 + after] {
                tracker.update(*value);
            }
            taken = 1_500 + after;
            let spread = tracker.spread(means.len()).unwrap();
            for (h, (mean, variance)) in spread.into_iter().enumerate() {
                // Two climbs of one likelihood; arch stops a little earlier.
                let (far, wide) = (
                    (mean - means[h]).abs(),
                    (variance / variances[h] - 1.0).abs(),
                );
                assert!(
                    far < 1e-4 && wide < 1e-4,
                    "{model} {params:?}, {after} taken in, {} ahead: {mean} {variance}",
                    h + 1
                );
                assert_eq!(tracker.forecast(h + 1).to_bits(), mean.to_bits());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_of_returns_take_part_in_trials() {
    let models = ["garch", "gjr_garch", "egarch"];
    let request = TrialRequest {
        models: models
            .iter()
            .map(|m| ModelRequest::Id((*m).to_owned()))
            .collect(),
        target: Some(Target::LogVolatility),
        horizons: vec![1, 5],
        ..small()
    };
    let spec = spec(&request);
    let whole = Lab::new(2).run(&spec).await;
    assert_eq!(whole.record.state, TrialState::Finished);
    let own = || {
        whole
            .steps
            .iter()
            .filter(|s| models.contains(&s.model.as_str()))
    };
    assert!(own().count() > 0);
    for step in own() {
        assert_eq!(step.error, None, "{}", step.model);
        assert!(!step.starts.0.is_empty(), "{}", step.model);
    }
    let one = Lab::new(1).run(&spec).await;
    assert_eq!(one.record.result_sha256, whole.record.result_sha256);
}

/// Five forecasts after the first rows of the S&P 500.
fn analysed(engine: &Engine, params: &ParamMap, rows: usize) -> Vec<f64> {
    let Engine::Analysis { run, .. } = engine else {
        panic!("no analysis");
    };
    let table = bars("SPX")
        .derive("series", "closes", |b| {
            let x = Array2::from_shape_fn((rows, 1), |(r, _)| b.close[r]);
            SeriesTable::new(Design::new(x, vec!["close".to_owned()])?, None)
        })
        .unwrap();
    let ask = Ask {
        horizon: 5,
        seed: 1,
    };
    let out = run(params, &table, ask).unwrap();
    let forecast = out["forecast"].as_array().unwrap();
    forecast.iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn a_followed_model_forecasts_what_its_analysis_does() {
    let registry = registry();
    let bars = bars("SPX");
    let series = bars
        .derive("training series", "closes", |b| {
            Sequence::new("close", b.close[..600].to_vec())
        })
        .unwrap();
    let auto: (&str, &[(&str, &str)]) = ("auto_arima", &[("max_p", "2"), ("max_q", "2")]);
    for (model, params) in FOLLOWED.into_iter().chain([auto]) {
        let found = registry.find(model).unwrap();
        let params_map = found.params(&given(params)).unwrap();
        let tracker = found.entry.track.unwrap()(&params_map, &series, None).unwrap();
        let analysis = analysed(&found.entry.engine, &params_map, 600);
        for (h, want) in analysis.iter().enumerate() {
            let got = tracker.forecast(h + 1);
            assert!(
                (got - want).abs() < 1e-8 * want.abs(),
                "{model} {params:?}, {} ahead: {got} {want}",
                h + 1
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_are_those_of_the_fold_before_on_any_threads_and_after_a_kill() {
    let request = TrialRequest {
        models: followed(),
        horizons: vec![1, 5],
        ..small()
    };
    let spec = spec(&request);
    let hash = |s: &Stored| {
        assert_eq!(
            s.record.state,
            TrialState::Finished,
            "{:?}",
            s.record.reason
        );
        s.record.result_sha256.clone().unwrap()
    };
    let starts = |s: &Stored| {
        let mut steps: Vec<_> = s
            .steps
            .iter()
            .map(|s| (s.index, s.starts.encode()))
            .collect();
        steps.sort();
        steps
    };
    let lab = Lab::new(2);
    let whole = lab.run(&spec).await;
    let writes = lab.memory.commits();
    let one = Lab::new(1).run(&spec).await;
    assert_eq!(hash(&one), hash(&whole));
    assert_eq!(starts(&one), starts(&whole));
    for step in &whole.steps {
        let warm =
            ["arima", "sarima", "holt", "holt_winters", "ets"].contains(&step.model.as_str());
        assert_eq!(
            !step.starts.0.is_empty(),
            warm,
            "{} {:?}",
            step.model,
            step.error
        );
    }
    // Folds of a model that starts warm are done in their order.
    let mut last = std::collections::BTreeMap::new();
    for step in whole.steps.iter().filter(|s| !s.starts.0.is_empty()) {
        let before = last.insert((step.horizon, step.model_index), step.fold);
        assert_eq!(before.unwrap_or(0) + 1, step.fold, "{}", step.model);
    }
    for killed_after in [5, 11, 23, 40, 61, writes - 2] {
        let lab = Lab::new(2);
        let id = lab.memory.create(&spec);
        lab.memory.die_after(Some(killed_after));
        assert!(lab.engine.run_to_end(&id).await.is_err());
        lab.engine.shutdown().await;
        lab.memory.die_after(None);
        let next = Lab::over(lab.memory.clone(), lab.data.clone(), 2);
        next.engine.recover().await.unwrap();
        next.engine.run_to_end(&id).await.unwrap();
        let after = lab.memory.get(&id);
        assert_eq!(
            hash(&after),
            hash(&whole),
            "killed after {killed_after} writes"
        );
        assert_eq!(starts(&after), starts(&whole));
    }
}
