//! What comes out, checked by hand on bundled data: rows, baselines, look-ahead, verdict.

use crate::support::*;
use mltrainer_compliance::{Gate, Verified};
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled;
use mltrainer_data::series::Series;
use mltrainer_features::Context;
use mltrainer_trials::StepRecord;
use mltrainer_trials::panel::{self, Panel};
use mltrainer_types::trial::{
    LeaderboardRow, ModelRequest, Target, TrialRequest, TrialSpec, TrialState, Validation,
};

fn bars(symbol: &str) -> Verified<Bars> {
    Gate::admit(bundled::bars(symbol).unwrap())
        .unwrap()
        .verified
}

fn build(spec: &TrialSpec) -> Verified<Panel> {
    let all: Vec<Verified<Bars>> = spec.symbols.iter().map(|s| bars(s)).collect();
    let series: Vec<Verified<Series>> = mltrainer_features::series_of(&spec.features)
        .into_iter()
        .filter_map(|id| bundled::series(id).ok())
        .map(|arrival| Gate::admit(arrival).unwrap().verified)
        .collect();
    panel::build(spec, &all, Context::verified(&series).as_ref()).unwrap()
}

fn row<'a>(stored: &'a Stored, model: &str) -> &'a LeaderboardRow {
    stored
        .record
        .leaderboard
        .iter()
        .find(|r| r.model == model)
        .unwrap()
}

fn steps<'a>(stored: &'a Stored, model: &str) -> Vec<&'a StepRecord> {
    let mut steps: Vec<&StepRecord> = stored.steps.iter().filter(|s| s.model == model).collect();
    steps.sort_by_key(|s| s.index);
    steps
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{a} is not {b}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baselines_are_what_their_names_say() {
    let spec = spec(&TrialRequest {
        target: Some(Target::LogVolatility),
        horizons: vec![5],
        models: vec![id("ridge")],
        ..small()
    });
    let stored = Lab::new(2).run(&spec).await;
    let ibm = bars("IBM");
    let close = &ibm.get().close;
    let place = |day| ibm.get().dates.binary_search(&day).unwrap();
    // ln of the root mean square of five daily log returns after bar t.
    let vol = |t: usize| {
        let squares: f64 = (t + 1..=t + 5)
            .map(|i| (close[i] / close[i - 1]).ln().powi(2))
            .sum();
        (squares / 5.0).sqrt().ln()
    };
    let mut errors = Vec::new();
    for step in steps(&stored, "naive_last") {
        for (i, day) in step.predictions.day.iter().enumerate() {
            let t = place(*day);
            near(step.predictions.predicted[i], vol(t - 5));
            near(step.predictions.actual[i], vol(t));
            near(
                step.predictions.next_return[i],
                close[t + 1] / close[t] - 1.0,
            );
            errors.push((vol(t - 5) - vol(t)).powi(2));
        }
    }
    let mse = errors.iter().sum::<f64>() / errors.len() as f64;
    near(
        row(&stored, "naive_last").metrics["rmse"].unwrap(),
        mse.sqrt(),
    );
    assert_eq!(row(&stored, "naive_last").rows as usize, errors.len());

    // The mean of the targets that were known before the test window: of the bars from the first
    // row on whose five bars end before it.
    let first = place(day("2006-01-03"));
    for step in steps(&stored, "naive_mean") {
        let test = place(step.predictions.day[0]);
        let known: Vec<f64> = (first..test - 5).map(vol).collect();
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        for p in &step.predictions.predicted {
            near(*p, mean);
        }
    }
    // Volatility cannot be held: there is no buy and hold, and nothing is traded.
    assert!(
        stored
            .record
            .leaderboard
            .iter()
            .all(|r| r.model != "buy_and_hold" && r.trading.is_empty())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buy_and_hold_is_holding_after_costs() {
    let stored = Lab::new(2).run(&spec(&small())).await;
    let held = row(&stored, "buy_and_hold");
    assert!(held.is_baseline && held.metrics["rmse"].is_none());
    let days: Vec<_> = steps(&stored, "buy_and_hold")
        .iter()
        .flat_map(|s| s.predictions.day.clone())
        .collect();
    let ibm = bars("IBM");
    let (dates, close) = (&ibm.get().dates, &ibm.get().close);
    let from = dates.binary_search(&days[0]).unwrap();
    let to = dates.binary_search(days.last().unwrap()).unwrap();
    assert_eq!(
        to - from + 1,
        days.len(),
        "test windows follow one another without a hole"
    );
    // Bought on the first close and sold on the close after the last forecast, 5 basis points each.
    let first = close[from + 1] / close[from] - 0.0005;
    let last = close[to + 1] / close[to] - 0.0005;
    let wealth = first * close[to] / close[from + 1] * last;
    near(held.trading["total_return"].unwrap(), wealth - 1.0);
    near(
        held.trading["turnover"].unwrap(),
        2.0 / days.len() as f64 * 252.0,
    );
    assert_eq!(held.trading["exposure"], Some(1.0));
    assert!(held.intervals.contains_key("sharpe"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn price_is_stated_as_a_price() {
    let spec = spec(&TrialRequest {
        target: Some(Target::Price),
        horizons: vec![5],
        models: vec![id("ridge")],
        ..small()
    });
    let stored = Lab::new(2).run(&spec).await;
    for s in steps(&stored, "naive_last") {
        assert_eq!(
            s.predictions.predicted, s.predictions.known,
            "no change is the naive price"
        );
    }
    // The mean forecasts the mean return: one factor on the close of the day.
    for s in steps(&stored, "naive_mean") {
        let p = &s.predictions;
        let factor = p.predicted[0] / p.known[0];
        assert!((factor - 1.0).abs() < 0.05);
        for i in 0..p.len() {
            near(p.predicted[i] / p.known[i], factor);
        }
    }
    let ridge = row(&stored, "ridge");
    assert!(ridge.metrics["rmse_percent_of_price"].unwrap() < 10.0);
    assert!(ridge.metrics["mape"].unwrap() < 0.1);
    assert_eq!(
        row(&stored, "naive_last").metrics["price_change_accuracy"],
        Some(0.0)
    );
    assert_eq!(
        row(&stored, "naive_last").metrics["directional_accuracy"],
        Some(0.5)
    );
    assert!(ridge.trading["annual_return"].is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direction_is_a_matter_of_probabilities() {
    let spec = spec(&TrialRequest {
        target: Some(Target::Direction),
        models: Vec::new(),
        ..small()
    });
    assert!(spec.models.iter().any(|m| m.model == "logistic_regression"));
    assert!(spec.models.iter().all(|m| m.model != "ridge"));
    let stored = Lab::new(2).run(&spec).await;
    for r in stored
        .record
        .leaderboard
        .iter()
        .filter(|r| r.model != "buy_and_hold")
    {
        assert!(r.errors.is_empty(), "{}: {:?}", r.model, r.errors);
        let m = |name: &str| r.metrics[name];
        assert_eq!(m("mse"), m("brier"), "{}", r.model);
        assert!((0.3..0.7).contains(&m("accuracy").unwrap()));
        // A probability of exactly one half says "fall" to the one and half of both to the other.
        let halves = m("accuracy").unwrap() - m("directional_accuracy").unwrap();
        assert!(halves.abs() < 0.02, "{}", r.model);
    }
    // The share of rises is the same for every row of a fold, so it ranks nothing: within one fold
    // the curve is the diagonal.
    let mean = &steps(&stored, "naive_mean")[0].predictions;
    assert!(mean.probability.iter().all(|p| *p == mean.probability[0]));
    assert_eq!(
        mltrainer_backtest::metrics::auc(&mean.probability, &mean.actual),
        Some(0.5)
    );
}

#[test]
fn training_targets_are_known_before_the_test_of_every_symbol() {
    // FB begins twelve years after AAPL, and the calendars differ.
    let mut request = TrialRequest {
        horizons: vec![1, 5, 20],
        ..TrialRequest::for_symbols(["AAPL", "IBM", "FB", "KO_ADJ"])
    };
    for validation in [
        Validation::default(),
        Validation::WalkForward {
            folds: 3,
            embargo: 40,
            window: Some(500),
        },
        Validation::HoldOut {
            test_share: 0.3,
            embargo: 0,
        },
    ] {
        request.validation = validation;
        let spec = spec(&request);
        let panel = build(&spec);
        let panel = panel.get();
        for h in &panel.horizons {
            assert_eq!(h.rows.len(), h.target.len());
            for fold in &h.folds {
                let (train, test) = (h.train(fold), h.test(fold));
                let first = test
                    .iter()
                    .map(|&r| panel.rows[h.rows[r]].day)
                    .min()
                    .unwrap();
                assert!(train.iter().all(|&r| h.end[r] < first));
                assert!(!train.is_empty() && !test.is_empty());
            }
        }
        // Pooled by day: rows ascend.
        assert!(
            panel
                .rows
                .windows(2)
                .all(|w| (w[0].day, w[0].symbol) < (w[1].day, w[1].symbol))
        );
        // FB has 196 bars: a year of warming up is too much to ask, closes alone have no range.
        let reason = |id: &str| &panel.left_out.iter().find(|l| l.id == id).unwrap().reason;
        assert_eq!(
            reason("momentum_252_skip_21"),
            "it would take 196 of the 196 bars of FB to warm up"
        );
        assert_eq!(reason("parkinson_20"), "KO_ADJ has no high and no low");
    }
}

#[test]
fn the_vix_takes_part_where_it_reaches() {
    let request = TrialRequest {
        start: Some(day("2014-01-03")),
        ..TrialRequest::for_symbols(["SPX"])
    };
    let panel = build(&spec(&request));
    let p = panel.get();
    assert!(p.left_out.is_empty(), "{:?}", p.left_out);
    assert!(p.features.contains(&"vix_change_5".to_owned()));
    // Bars before the span warm everything up but the VIX, which begins on its first day.
    assert_eq!(p.rows[0].day, day("2014-01-10"));
    assert_eq!((p.warming[0], p.undefined[0]), (5, 0));
    let lineage: Vec<&str> = panel
        .lineage()
        .steps()
        .iter()
        .map(|s| s.detail.as_str())
        .collect();
    assert!(
        lineage.iter().any(|d| d.contains("series/VIXCLS.parquet")),
        "{lineage:?}"
    );
}

/// The same bars up to a day; after it every price and volume is another.
fn scrambled(bars: &Bars, after: chrono::NaiveDate) -> Bars {
    let mut b = bars.clone();
    let from = b.dates.partition_point(|d| *d <= after);
    let n = b.dates.len();
    for i in from..n {
        // A wave with steps: no return, range or volatility stays what it was.
        let factor = 1.0 + 0.15 * ((i * 7919 % 101) as f64 / 101.0 - 0.5);
        for column in [&mut b.open, &mut b.high, &mut b.low].into_iter().flatten() {
            column[i] *= factor;
        }
        b.close[i] *= factor;
    }
    if let Some(volume) = &mut b.volume {
        volume[from..].reverse();
    }
    b
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_later_changes_no_earlier_forecast() {
    let real = bars("IBM").get().slice(None, Some(day("2009-12-31")));
    let cut = day("2008-10-01");
    for (target, horizon) in [
        (Target::Return, 1),
        (Target::LogVolatility, 5),
        (Target::Price, 20),
    ] {
        let request = TrialRequest {
            target: Some(target),
            horizons: vec![horizon],
            models: ["ridge", "decision_tree", "knn", "arima", "holt"]
                .map(id)
                .into(),
            ..TrialRequest::for_symbols(["IBM"])
        };
        let mut runs = Vec::new();
        for bars in [real.clone(), scrambled(&real, cut)] {
            let lab = Lab::new(2);
            let known = lab.data.put("ibm", bars);
            let spec = mltrainer_trials::validate(&request, &registry(), &[known]).unwrap();
            let stored = lab.run(&spec).await;
            assert_eq!(
                stored.record.state,
                TrialState::Finished,
                "{:?}",
                stored.record.reason
            );
            runs.push(stored);
        }
        let (mut same, mut other) = (0, 0);
        for model in [
            "naive_last",
            "naive_mean",
            "ridge",
            "decision_tree",
            "knn",
            "arima",
            "holt",
        ] {
            for (a, b) in steps(&runs[0], model).iter().zip(steps(&runs[1], model)) {
                assert_eq!(a.predictions.day, b.predictions.day);
                for i in 0..a.predictions.len() {
                    let equal = a.predictions.predicted[i].to_bits()
                        == b.predictions.predicted[i].to_bits();
                    if a.predictions.day[i] <= cut {
                        assert!(equal, "{model} on {}", a.predictions.day[i]);
                        same += 1;
                    } else {
                        other += usize::from(!equal);
                    }
                }
            }
        }
        assert!(same > 2_000 && other > 500, "{same} {other}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_prices_that_tell_their_future_are_blocked() {
    // A straight line: every return tells the next one.
    let dates = bars("IBM").get().dates[..400].to_vec();
    let line = Bars {
        symbol: "LINE".into(),
        close: (0..dates.len()).map(|i| 50.0 + i as f64 * 0.25).collect(),
        dates,
        ..Bars::default()
    };
    let lab = Lab::new(1);
    let known = lab.data.put("line", line);
    let request = TrialRequest::for_symbols(["LINE"]);
    let spec = mltrainer_trials::validate(&request, &registry(), &[known]).unwrap();
    let stored = lab.run(&spec).await;
    assert_eq!(stored.record.state, TrialState::Blocked);
    let reason = stored.record.reason.unwrap();
    assert!(
        reason.starts_with("no_look_ahead: feature ") || reason.starts_with("no_synthetic_data"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_days_end_in_one_clear_sentence() {
    let request = TrialRequest {
        horizons: vec![20],
        validation: Validation::WalkForward {
            folds: 20,
            embargo: 0,
            window: None,
        },
        ..TrialRequest::for_symbols(["FB"])
    };
    let stored = Lab::new(1).run(&spec(&request)).await;
    assert_eq!(stored.record.state, TrialState::Failed);
    let reason = stored.record.reason.unwrap();
    assert!(
        reason.starts_with("horizon 20 of FB after warming up features: ")
            && reason.contains("usable days are too few: 140 are needed for 20 expanding folds"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_edge_in_volatility_is_found_and_said() {
    let request = TrialRequest {
        target: Some(Target::LogVolatility),
        horizons: vec![5],
        models: vec![
            id("ridge"),
            ModelRequest::WithParams {
                model: "ridge".into(),
                params: serde_json::from_str(r#"{"alpha": 100}"#).unwrap(),
            },
        ],
        validation: Validation::WalkForward {
            folds: 5,
            embargo: 5,
            window: None,
        },
        ..TrialRequest::for_symbols(["SPX"])
    };
    let stored = Lab::new(2).run(&spec(&request)).await;
    let verdict = stored.record.verdict.clone().unwrap();
    println!("{}", verdict.text);
    assert!(verdict.found_edge, "{}", verdict.text);
    let best = &stored.record.leaderboard[0];
    assert!(best.beats_baseline && best.p_value_adjusted.unwrap() >= best.p_value.unwrap());
    assert!(best.metrics["r2"].unwrap() > 0.3);
    assert_eq!(best.grade.as_deref(), Some("excellent"));
    for name in ["rmse", "mae", "r2", "directional_accuracy"] {
        let (value, i) = (best.metrics[name].unwrap(), best.intervals[name]);
        assert!(i.low < value && value < i.high, "{name} {value} {i:?}");
    }
    // Both rows of the one model are there, with their parameters.
    let rows: Vec<_> = stored
        .record
        .leaderboard
        .iter()
        .filter(|r| r.model == "ridge")
        .collect();
    assert_eq!(rows.len(), 2);
    assert_ne!(rows[0].params, rows[1].params);
    assert_eq!(verdict.tried, 2);
    assert!(verdict.text.starts_with("Edge found: "));
    assert!(
        verdict
            .text
            .contains("In this trial 2 combinations of model and horizon were tried")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_trial_says_honestly_what_it_found() {
    let spec = spec(&TrialRequest::for_symbols(["AAPL"]));
    assert_eq!(spec.models.iter().filter(|m| m.baseline).count(), 3);
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a default trial takes is worth printing"
    )]
    let start = std::time::Instant::now();
    let stored = Lab::new(2).run(&spec).await;
    println!("{:?}", start.elapsed());
    for m in messages(&stored) {
        println!("{m}");
    }
    for r in &stored.record.leaderboard {
        println!(
            "{:20} rmse {:?} dir {:?} p {:?} {:?} sharpe {:?} grade {:?} {:?}",
            r.model,
            r.metrics["rmse"],
            r.metrics["directional_accuracy"],
            r.p_value,
            r.p_value_adjusted,
            r.trading.get("sharpe"),
            r.grade,
            r.errors
        );
    }
    let verdict = stored.record.verdict.unwrap();
    println!("{:#?}", verdict);
    assert!(
        !verdict.found_edge,
        "tomorrow's return of a share is not forecast by this"
    );
    for part in [
        "No edge found",
        "basis points a side",
        "buy and hold gave",
        "test windows from",
        "ever on these symbols",
    ] {
        assert!(verdict.text.contains(part), "{}", verdict.text);
    }
}

#[test]
fn new_groups_take_part_and_places_among_several_symbols_too() {
    let groups = [
        "cross_sectional",
        "microstructure",
        "regime",
        "calendar",
        "credit_spread",
    ];
    let request = TrialRequest {
        start: Some(day("2006-01-03")),
        features: groups.map(str::to_owned).to_vec(),
        ..TrialRequest::for_symbols(["AAPL", "IBM", "MSFT", "GOOG"])
    };
    let spec = spec(&request);
    assert_eq!(
        spec.features[0], "credit_spread",
        "in the order of the registry"
    );
    let panel = build(&spec);
    let p = panel.get();
    for id in [
        "rank_return_20",
        "beta_120",
        "corwin_schultz_20",
        "trend_regime",
        "turn_of_month",
        "credit_spread",
    ] {
        assert!(p.features.iter().any(|f| f == id), "{id}: {:?}", p.left_out);
    }
    assert!(!p.features.iter().any(|f| f == "log_return_1"));
    // The bundled figures of output end in 2009.
    let left_out: Vec<&str> = p.left_out.iter().map(|l| l.id.as_str()).collect();
    assert_eq!(left_out, ["recession_regime"]);
    // Of four symbols, ranks are 1/8, 3/8, 5/8 and 7/8, and their mean over a day is a half.
    let k = p
        .features
        .iter()
        .position(|f| f == "rank_return_20")
        .unwrap();
    let rank = |row: usize| p.x[row * p.features.len() + k];
    let last = p.rows.len() - 4..p.rows.len();
    assert!(last.clone().all(|row| p.rows[row].day == day("2013-03-01")));
    let ranks: Vec<f64> = last.map(rank).collect();
    near(ranks.iter().sum::<f64>(), 2.0);
    let lineage: Vec<&str> = panel
        .lineage()
        .steps()
        .iter()
        .map(|s| s.step.as_str())
        .collect();
    assert!(lineage.contains(&"universe") && lineage.contains(&"economic series"));
}

#[test]
fn two_symbols_have_no_place_among_others() {
    let request = TrialRequest {
        features: vec!["cross_sectional".into(), "price".into()],
        ..TrialRequest::for_symbols(["AAPL", "IBM"])
    };
    let panel = build(&spec(&request));
    assert!(panel.get().features.iter().all(|f| !f.starts_with("rank_")));
    let reason = &panel
        .get()
        .left_out
        .iter()
        .find(|l| l.id == "beta_120")
        .unwrap()
        .reason;
    assert!(reason.contains("needs 3 symbols or more"), "{reason}");
}

/// What is chosen and how it is scaled comes from the training rows: bars after them may be
/// anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selection_knows_nothing_of_the_test_rows() {
    let real = bars("IBM").get().slice(None, Some(day("2009-12-31")));
    let request = TrialRequest {
        features: ["price", "volatility", "technical", "regime"]
            .map(str::to_owned)
            .to_vec(),
        horizons: vec![5],
        ..TrialRequest::for_symbols(["IBM"])
    };
    let lab = Lab::new(1);
    let spec_of = |name: &str, bars: &Bars| {
        let known = lab.data.put(name, bars.clone());
        mltrainer_trials::validate(&request, &registry(), &[known]).unwrap()
    };
    let spec = spec_of("ibm", &real);
    let panel_of = |bars: &Bars| {
        let bars = Gate::admit(mltrainer_compliance::Arrival {
            origin: "user_provided".into(),
            request: "a test".into(),
            promised_sha256: None,
            content: bars.clone(),
        });
        panel::build(&spec, &[bars.unwrap().verified], None).unwrap()
    };
    let whole = panel_of(&real);
    let h = &whole.get().horizons[0];
    let dropped: usize = h.selections.iter().map(|s| s.dropped.len()).sum();
    assert!(dropped > 0, "something must be chosen");
    for (k, fold) in h.folds.iter().enumerate() {
        let first_test = h.days[fold.test.start];
        let before = real.dates[real.dates.partition_point(|d| *d < first_test) - 1];
        let other = panel_of(&scrambled(&real, before));
        let other = &other.get().horizons[0];
        assert_eq!(other.folds[k], *fold);
        assert_eq!(other.selections[k], h.selections[k], "fold {}", k + 1);
    }
}
