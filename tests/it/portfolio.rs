//! Portfolios over HTTP and on the command line: transactions and holdings, weights against PyPortfolioOpt, risk
//! against numpy, plans, what-if, and bad input with its codes. Nothing is ever sent to a broker.

use crate::bad_input::problem;
use mltrainer_it::{Answer, Server, cli};
use mltrainer_types::portfolio::{
    Attribution, Holdings, Optimised, Plan, PortfolioRisk, Transaction, TransactionKind, WhatIf,
};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::Path;

const TRANSACTIONS: &str = "/api/v1/portfolio/transactions";

fn near(a: f64, b: f64, within: f64) {
    assert!((a - b).abs() <= within, "{a} is not {b}");
}

async fn post<T: DeserializeOwned>(server: &Server, path: &str, body: &Value) -> T {
    let answer = server.post(path, body).await;
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{path} {body}: {text}");
    serde_json::from_str(&text).unwrap()
}

async fn holdings(server: &Server, query: &str) -> Holdings {
    let found = server.json(&format!("/api/v1/portfolio?{query}")).await;
    serde_json::from_value(found).unwrap()
}

async fn refused(server: &Server, path: &str, body: &Value, status: StatusCode, words: &[&str]) {
    problem(server.post(path, body).await, status, words).await;
}

/// A deposit and two purchases at the closes of 3 January 2011.
async fn bought(server: &Server) {
    for body in [
        json!({"kind": "deposit", "date": "2011-01-03", "amount": "20000"}),
        json!({"kind": "buy", "date": "2011-01-03", "symbol": "aapl", "shares": "10", "price": "329.57", "fees": "1"}),
        json!({"kind": "buy", "date": "2011-01-03", "symbol": "IBM", "shares": "20", "price": "147.48", "fees": "1"}),
    ] {
        let _: Transaction = post(server, TRANSACTIONS, &body).await;
    }
}

#[tokio::test]
async fn holdings_are_counted_to_the_cent() {
    let server = Server::fresh().await;
    let empty = holdings(&server, "").await;
    assert_eq!((empty.as_of, empty.transactions), (None, 0));
    bought(&server).await;

    // Closes of 4 January: AAPL 331.29, IBM 147.64. Cash 20000 - 3296.70 - 2950.60, shares 3312.90 + 2952.80.
    let h = holdings(&server, "as_of=2011-01-04").await;
    assert_eq!(h.cash.to_string(), "13752.7");
    assert_eq!(h.value.to_string(), "20018.4");
    assert_eq!(h.unrealised.to_string(), "18.4");
    assert_eq!(h.cost.to_string(), "6247.3");
    assert_eq!(h.fees.to_string(), "2");
    let p = h.performance.unwrap();
    near(p.time_weighted_return, 18.4 / 20_000.0, 1e-12);
    let Some(Attribution::Asset {
        contributions,
        total,
    }) = h.attribution
    else {
        panic!("attribution by share");
    };
    near(total, 18.4 / 20_000.0, 1e-12);
    near(contributions["AAPL"] + contributions["IBM"], total, 1e-12);
    // AAPL gained 16.20 after its fee, IBM 2.20.
    near(
        contributions["AAPL"] / contributions["IBM"],
        16.2 / 2.2,
        1e-2,
    );

    // Half is sold: first in, first out, 5 of 10 cost 1648.35; 5 at 334 less a fee of 1 bring 1669.
    let sale = json!({"kind": "sell", "date": "2011-01-05", "symbol": "AAPL", "shares": "5", "price": "334", "fees": "1"});
    let _: Transaction = post(&server, TRANSACTIONS, &sale).await;
    let h = holdings(&server, "as_of=2011-01-05&basis=average").await;
    assert_eq!(h.realised.to_string(), "20.65");
    // A day before, nothing was sold.
    let h = holdings(&server, "as_of=2011-01-04").await;
    assert_eq!(h.realised.to_string(), "0");
    // The short form is the same.
    assert_eq!(
        server.json("/api/portfolio").await,
        server.json("/api/v1/portfolio").await
    );

    // Beside a benchmark: SPX closed at 1271.87 on 3 January 2011 and at 1270.20 on the 4th.
    let h = holdings(&server, "as_of=2011-01-04&benchmark=SPX").await;
    let b = h.performance.unwrap().benchmark.unwrap();
    near(b.total_return, 1270.20 / 1271.87 - 1.0, 1e-5);
    // By sector: all effects together are the return above the benchmark, IBM and MSFT in equal parts.
    let h = holdings(
        &server,
        "as_of=2011-12-30&sectors=AAPL:devices,IBM:services,MSFT:software&benchmark_weights=IBM:0.5,MSFT:0.5",
    )
    .await;
    let excess = h.performance.unwrap().benchmark.unwrap().excess_return;
    let Some(Attribution::Sector { sectors, total }) = h.attribution else {
        panic!("attribution by sector");
    };
    let sum: f64 = sectors
        .iter()
        .map(|s| s.allocation + s.selection + s.interaction)
        .sum();
    near(sum, total, 1e-9);
    near(total, excess, 1e-9);

    // Every transaction is in the audit chain.
    let audit = server.json("/api/compliance/audit").await;
    let recorded = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|a| a["action"] == "portfolio.record");
    assert_eq!(recorded.count(), 4);
}

#[tokio::test]
async fn a_split_in_the_data_is_due_until_it_is_recorded() {
    let server = Server::fresh().await;
    for body in [
        json!({"kind": "deposit", "date": "2005-01-03", "amount": "1000"}),
        json!({"kind": "buy", "date": "2005-01-03", "symbol": "AAPL", "shares": "10", "price": "63.29"}),
    ] {
        let _: Transaction = post(&server, TRANSACTIONS, &body).await;
    }
    let before = holdings(&server, "as_of=2005-02-25").await;
    assert_eq!(before.due_actions, []);
    // 367.10 in cash and 10 at 88.99.
    assert_eq!(before.value.to_string(), "1257");
    let h = holdings(&server, "as_of=2005-03-01").await;
    assert_eq!(h.due_actions.len(), 1, "{:?}", h.due_actions);
    assert_eq!(h.due_actions[0].kind, TransactionKind::Split);
    // What is due can be sent as it is.
    let _: Transaction = post(&server, TRANSACTIONS, &json!(h.due_actions[0])).await;
    let h = holdings(&server, "as_of=2005-03-01").await;
    assert_eq!(h.due_actions, []);
    // 20 at 44.50, for what 10 cost.
    assert_eq!(h.value.to_string(), "1257.1");
    assert_eq!(h.holdings[0].shares.to_string(), "20");
    assert_eq!(h.holdings[0].cost.to_string(), "632.9");
    near(h.performance.unwrap().time_weighted_return, 0.2571, 1e-9);
}

#[tokio::test]
async fn a_transaction_that_does_not_go_is_refused_and_leaves_nothing() {
    let server = Server::fresh().await;
    bought(&server).await;
    let entity = StatusCode::UNPROCESSABLE_ENTITY;
    for (body, words) in [
        (
            json!({"kind": "sell", "date": "2011-02-01", "symbol": "AAPL", "shares": "11", "price": "345"}),
            &["11 AAPL are sold", "10 are held"][..],
        ),
        (
            // Held later, not yet on that day.
            json!({"kind": "sell", "date": "2010-12-31", "symbol": "AAPL", "shares": "1", "price": "322"}),
            &["0 are held then"],
        ),
        (
            json!({"kind": "buy", "date": "2011-02-01", "symbol": "AAPL", "shares": "100", "price": "345"}),
            &["cash would be"],
        ),
        (
            json!({"kind": "deposit", "date": "2011-02-30", "amount": "1"}),
            &["date"],
        ),
        (
            json!({"kind": "deposit", "date": "2999-01-01", "amount": "1"}),
            &["has not come yet"],
        ),
        (
            json!({"kind": "deposit", "date": "2011-01-03", "amount": "-1"}),
            &["above 0"],
        ),
        (
            json!({"kind": "deposit", "date": "2011-01-03", "amount": "1", "symbol": "AAPL"}),
            &["deposit has none"],
        ),
        (
            json!({"kind": "short", "date": "2011-01-03"}),
            &["short", "reversal"],
        ),
        (
            json!({"kind": "reversal", "date": "2011-01-03", "reverses": 1}),
            &["cash would be"],
        ),
        (
            json!({"kind": "buy", "date": "2011-01-03", "symbol": "AAPL", "share": "1"}),
            &["share"],
        ),
    ] {
        refused(&server, TRANSACTIONS, &body, entity, words).await;
    }
    let page = server.json(TRANSACTIONS).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 3);

    // The same key records one only; with another request it is a conflict.
    let one = json!({"kind": "deposit", "date": "2011-02-01", "amount": "5"});
    let other = json!({"kind": "deposit", "date": "2011-02-01", "amount": "6"});
    let send = async |body: &Value| {
        let request = server.request(reqwest::Method::POST, TRANSACTIONS);
        let request = request.header("Idempotency-Key", "k1").json(body);
        request.send().await.unwrap()
    };
    let first: Transaction = send(&one).await.json().await.unwrap();
    let again: Transaction = send(&one).await.json().await.unwrap();
    assert_eq!(first.id, again.id);
    problem(
        send(&other).await,
        StatusCode::CONFLICT,
        &["Idempotency-Key"],
    )
    .await;
}

const FOUR: [&str; 4] = ["JNJ_ADJ", "KO_ADJ", "WMT_ADJ", "XOM_ADJ"];

fn four(method: &str, params: Value) -> Value {
    json!({"symbols": FOUR, "start": "2005-01-01", "end": "2014-12-31", "method": method, "params": params})
}

#[tokio::test]
async fn weights_are_those_of_pyportfolioopt() {
    let server = Server::fresh().await;
    let path = "/api/v1/portfolio/optimise";
    // PyPortfolioOpt 1.6.0 on the same closes (sample_cov and mean_historical_return without compounding; with caps
    // CovarianceShrinkage.ledoit_wolf): min_volatility; the same with weights to 0.4 and food at most 0.5;
    // max_sharpe at no risk-free rate. Weights in the order of FOUR, then return and volatility.
    for (method, params, weights, figures) in [
        (
            "min_variance",
            json!({}),
            [0.485_038, 0.246_674, 0.268_287, 0.0],
            (0.097_194, 0.143_564),
        ),
        (
            "min_variance",
            json!({"covariance": "ledoit_wolf", "max_weight": "0.4", "sectors": "KO_ADJ:food,WMT_ADJ:food,JNJ_ADJ:health,XOM_ADJ:oil", "sector_caps": "food:0.5"}),
            [0.4, 0.235_084, 0.264_916, 0.1],
            (0.099_258, 0.145_537),
        ),
        (
            "max_sharpe",
            json!({}),
            [0.346_453, 0.463_433, 0.148_818, 0.041_297],
            (0.104_072, 0.148_843),
        ),
    ] {
        let o: Optimised = post(&server, path, &four(method, params)).await;
        assert_eq!(o.days, 2517);
        for (symbol, expected) in FOUR.iter().zip(weights) {
            let own = o.weights.iter().find(|w| w.symbol == *symbol).unwrap();
            near(own.weight, expected, 2e-5);
        }
        near(o.expected_return, figures.0, 2e-6);
        near(o.volatility, figures.1, 2e-6);
        let f = o.frontier.unwrap();
        assert!(f.points.len() >= 2 && f.points.is_sorted_by_key(|p| p.expected_return));
        // The check sees no day that the weights were made from.
        let check = o.out_of_sample.unwrap();
        assert!(check.train_end < check.test_start, "{check:?}");
        assert_eq!(check.dates.len(), check.portfolio.growth.len());
        assert!(check.portfolio.cost > 0.0);
    }
}

#[tokio::test]
async fn every_method_covariance_and_return_gives_weights_that_keep_the_constraints() {
    let server = Server::fresh().await;
    let path = "/api/v1/portfolio/optimise";
    let mut asked = vec![];
    let catalogue = server.json("/api/v1/models?family=portfolio").await;
    let text = catalogue.to_string();
    for method in [
        "black_litterman",
        "cvar_optimization",
        "efficient_frontier",
        "equal_weight",
        "hierarchical_risk_parity",
        "kelly",
        "max_diversification",
        "max_sharpe",
        "mean_variance",
        "min_variance",
        "risk_parity",
    ] {
        assert!(text.contains(method), "{method} is in the catalogue");
        asked.push((method, json!({})));
    }
    for covariance in ["sample", "exponential", "ledoit_wolf", "oas", "factor"] {
        asked.push((
            "min_variance",
            json!({"covariance": covariance, "max_weight": "0.4"}),
        ));
    }
    for returns in ["mean", "exponential", "capm", "momentum"] {
        asked.push((
            "mean_variance",
            json!({"expected_returns": returns, "max_weight": "0.4"}),
        ));
    }
    asked.push((
        "max_sharpe",
        json!({"views": "KO_ADJ:0.15", "max_weight": "0.4"}),
    ));
    asked.push((
        "min_variance",
        json!({"max_positions": 2, "max_weight": "0.6"}),
    ));
    asked.push((
        "min_variance",
        json!({"current_weights": "XOM_ADJ:1", "max_turnover": 0.5}),
    ));
    for (method, params) in asked {
        let mut body = four(method, params.clone());
        body["start"] = json!("2012-01-01");
        body["frontier_points"] = json!(0);
        body["test_share"] = json!(0);
        let o: Optimised = post(&server, path, &body).await;
        let sum: f64 = o.weights.iter().map(|w| w.weight).sum();
        if method != "kelly" {
            near(sum, 1.0, 1e-6);
        }
        let cap = params["max_weight"]
            .as_str()
            .map_or(f64::INFINITY, |m| m.parse().unwrap());
        assert!(
            o.weights.iter().all(|w| w.weight <= cap + 1e-9),
            "{method} {params}: {:?}",
            o.weights
        );
        if let Some(most) = params["max_positions"].as_u64() {
            assert!(o.positions <= most);
        }
        if let Some(most) = params["max_turnover"].as_f64() {
            assert!(o.turnover.unwrap() <= most + 1e-6, "{:?}", o.turnover);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_optimised_says_why() {
    let server = Server::fresh().await;
    let path = "/api/v1/portfolio/optimise";
    let entity = StatusCode::UNPROCESSABLE_ENTITY;
    let answer = server
        .post(path, &json!({"symbols": ["KO_ADJ", "XOM_AJD"]}))
        .await;
    let it = problem(
        answer,
        StatusCode::NOT_FOUND,
        &["unknown symbol", "XOM_AJD"],
    )
    .await;
    assert!(it.suggestions.contains(&"XOM_ADJ".into()), "{it:?}");
    for (body, words) in [
        // Four times 0.2 is less than 1; each that conflicts is named.
        (
            four("min_variance", json!({"max_weight": "0.2"})),
            &["no weights keep", "max_weight 0.2", "at least 0.25"][..],
        ),
        (
            four(
                "min_variance",
                json!({"sectors": "KO_ADJ:a,WMT_ADJ:a,JNJ_ADJ:b,XOM_ADJ:b", "sector_caps": "a:0.3,b:0.3"}),
            ),
            &["sector_caps"],
        ),
        (
            four("min_variance", json!({"max_wieght": "0.2"})),
            &["max_wieght"],
        ),
        (
            four("min_variance", json!({"covariance": "shrunk"})),
            &["covariance", "ledoit_wolf"],
        ),
        (
            four("markowitz", json!({})),
            &["markowitz", "mean_variance"],
        ),
        (
            json!({"start": "2012-01-01", "end": "2011-01-01"}),
            &["start"],
        ),
        (json!({"start": "yesterday"}), &["start"]),
        (json!({"frontier_points": 1}), &["frontier_points"]),
        (json!({"test_share": 0.99}), &["test_share"]),
        (json!({"cost_bps": -1}), &["cost_bps"]),
        (json!({"symbols": ["KO_ADJ", "ko_adj"]}), &["twice"]),
        (json!({"symbols": ["KO_ADJ"]}), &["at least 2"]),
    ] {
        refused(&server, path, &body, entity, words).await;
    }
}

const HALVES: &str = "weights=KO_ADJ:0.5,XOM_ADJ:0.5&start=2005-01-01&end=2014-12-31";

#[tokio::test]
async fn risk_is_that_of_numpy_and_crises_are_replayed() {
    let server = Server::fresh().await;
    let found = server
        .json(&format!("/api/v1/portfolio/risk?{HALVES}"))
        .await;
    let r: PortfolioRisk = serde_json::from_value(found).unwrap();
    assert_eq!(r.days, 2517);
    // numpy 2.4 on the daily returns with half and half every day: quantile(0.05), the mean of the lowest 126, mean
    // less 1.644854 standard deviations (ddof 1).
    let tail = |method: &str| r.tails.iter().find(|t| t.method == method).unwrap();
    near(
        tail("historical").value_at_risk.unwrap(),
        -0.017_564_085_675,
        1e-9,
    );
    near(
        tail("historical").conditional_value_at_risk.unwrap(),
        -0.026_818_209_883,
        1e-9,
    );
    near(
        tail("parametric").value_at_risk.unwrap(),
        -0.019_360_977_677,
        1e-9,
    );
    near(r.volatility, 0.191_316_856_360, 1e-9);
    near(r.mean_return, 0.116_554_319_922, 1e-9);
    // Covariance with SPX over its variance, of each half.
    assert_eq!(r.market, "SPX");
    near(r.beta.unwrap(), 0.5 * (0.566_565_307 + 0.963_057_959), 1e-6);
    // Half and half bought on the first day of the crisis, held to its last.
    for (name, total, fall) in [
        ("financial_crisis_2008", -0.295_247_737, -0.358_579_956),
        ("lehman_2008", -0.178_653_902, -0.219_958_372),
        ("debt_downgrade_2011", -0.107_498_012, -0.139_583_450),
    ] {
        let c = r.crises.iter().find(|c| c.name == name).unwrap();
        near(c.total_return.unwrap(), total, 1e-8);
        near(c.max_drawdown.unwrap(), fall, 1e-8);
    }
    let later = r.crises.iter().find(|c| c.name == "covid_2020").unwrap();
    assert!(!later.covered && later.reason.is_some());
    // A shock is beta times the market's.
    for s in &r.shocks {
        near(s.portfolio, r.beta.unwrap() * s.market, 1e-9);
    }

    let entity = StatusCode::UNPROCESSABLE_ENTITY;
    for (query, status, words) in [
        ("", entity, &["weights"][..]),
        ("weights=KO_ADJ", entity, &["KO_ADJ", "NAME:VALUE"]),
        ("weights=KO_ADJ:0", entity, &["every weight is 0"]),
        ("weights=KO_AJD:1", StatusCode::NOT_FOUND, &["KO_AJD"]),
        ("weights=KO_ADJ:1&confidence=1", entity, &["confidence"]),
        ("weights=KO_ADJ:1&horizon=0", entity, &["horizon"]),
        (
            "weights=KO_ADJ:1&start=2014-12-20&end=2014-12-31",
            entity,
            &["at least"],
        ),
    ] {
        let answer = server.get(&format!("/api/v1/portfolio/risk?{query}")).await;
        problem(answer, status, words).await;
    }
}

#[tokio::test]
async fn a_change_is_shown_before_it_is_made() {
    let server = Server::fresh().await;
    let path = "/api/v1/portfolio/what-if";
    let body = json!({"current": {"KO_ADJ": 0.5, "XOM_ADJ": 0.5}, "change": {"XOM_ADJ": -0.25, "JNJ_ADJ": 0.25}, "start": "2005-01-01", "end": "2014-12-31"});
    let w: WhatIf = post(&server, path, &body).await;
    // Before: the figures of the risk of half and half.
    near(w.before.volatility, 0.191_316_856_360, 1e-9);
    near(w.before.value_at_risk.unwrap(), -0.017_564_085_675, 1e-9);
    assert_eq!(w.after.weights["JNJ_ADJ"], 0.25);
    near(w.turnover, 0.5, 1e-12);
    // 10 basis points of the half that is traded.
    near(w.cost, 0.0005, 1e-12);
    assert_eq!(
        w.before.worst_crisis_name.as_deref(),
        Some("financial_crisis_2008")
    );
    let entity = StatusCode::UNPROCESSABLE_ENTITY;
    for body in [
        json!({}),
        json!({"change": {"KO_ADJ": 0.1}, "target": {"KO_ADJ": 1.0}}),
        json!({"change": {"KO_ADJ": 1e9}}),
    ] {
        refused(&server, path, &body, entity, &[]).await;
    }
}

#[tokio::test]
async fn a_plan_is_a_list_to_read() {
    let server = Server::fresh().await;
    bought(&server).await;
    let path = "/api/v1/portfolio/plan";
    let before = server.json(TRANSACTIONS).await;
    // 20018.40 on 4 January: 60 % AAPL is 36 shares at 331.29, IBM goes.
    let body = json!({"target": {"AAPL": 0.6, "IBM": 0.0}, "as_of": "2011-01-04", "days": 2, "alarms": [0.15]});
    let p: Plan = post(&server, path, &body).await;
    assert_eq!(p.value.to_string(), "20018.4");
    let after = |symbol: &str| {
        let found = p.positions.iter().find(|x| x.symbol == symbol).unwrap();
        found.shares_after.to_string()
    };
    assert_eq!((after("AAPL"), after("IBM")), ("36".into(), "0".into()));
    // 26 AAPL and 20 IBM, each half a day; 10 basis points of 8613.54 + 2952.80.
    let told: Vec<(u32, &str, &str, String)> = p
        .trades
        .iter()
        .map(|t| {
            (
                t.day,
                t.side.as_str(),
                t.symbol.as_str(),
                t.shares.to_string(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, "sell", "IBM", "10".to_owned()),
            (1, "buy", "AAPL", "13".to_owned()),
            (2, "sell", "IBM", "10".to_owned()),
            (2, "buy", "AAPL", "13".to_owned()),
        ]
    );
    assert_eq!(p.traded.to_string(), "11566.34");
    assert_eq!(p.cost.to_string(), "11.56634");
    // 15 % below what is left after costs: 20006.83366.
    assert_eq!(p.alarms.len(), 1);
    assert_eq!(p.alarms[0].value.to_string(), "17005.81");
    assert_eq!(
        server.json(TRANSACTIONS).await,
        before,
        "a plan records nothing"
    );
    let entity = StatusCode::UNPROCESSABLE_ENTITY;
    for (body, words) in [
        (json!({}), &["missing"][..]),
        (json!({"target": {"AAPL": 1.2}}), &["not in 0 to 1"]),
        (json!({"target": {"AAPL": 0.6, "IBM": 0.6}}), &["at most 1"]),
        (json!({"target": {"AAPL": 1.0}, "days": 0}), &["1 to 60"]),
        (
            json!({"target": {"AAPL": 1.0}, "alarms": [2.0]}),
            &["below 1"],
        ),
        (json!({"target": {"AAPL": 1.0}, "as_of": "1990-01-01"}), &[]),
    ] {
        refused(&server, path, &body, entity, words).await;
    }
    refused(
        &server,
        path,
        &json!({"target": {"APPL": 1.0}}),
        StatusCode::NOT_FOUND,
        &["APPL"],
    )
    .await;
}

fn call(dir: &Path, args: &[&str]) -> Answer {
    let all: Vec<&str> = ["portfolio"].iter().chain(args).copied().collect();
    cli(dir, &all)
}

#[test]
fn the_command_line_does_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
    let run = |text: &str| {
        let words = words(text);
        let args: Vec<&str> = words.iter().map(String::as_str).collect();
        call(dir, &args)
    };
    assert!(run("holdings").stdout.contains("Nothing is recorded yet"));
    for add in [
        "add deposit --date 2005-01-03 --amount 1000",
        "add buy --date 2005-01-03 --symbol AAPL --shares 10 --price 63.29",
    ] {
        let answer = run(add);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
    }
    run("add sell --date 2005-02-01 --symbol AAPL --shares 11 --price 77")
        .refused(2, &["10 are held"]);
    run("add deposit --date 2005-02-30 --amount 1").refused(2, &["2005-02-30"]);
    run("add buy --date 2005-02-01 --symbol AAPL --shares 1").refused(2, &["price"]);

    // What is due is a command that can be given as it stands.
    let told = run("holdings --as-of 2005-03-01").stdout;
    let due = "portfolio add split --date 2005-02-28 --symbol AAPL --ratio 2:1";
    assert!(told.contains(due), "{told}");
    assert_eq!(run(due.strip_prefix("portfolio ").unwrap()).code, 0);
    let h: Holdings =
        serde_json::from_value(run("holdings --as-of 2005-03-01 --format json").json()).unwrap();
    assert_eq!(h.value.to_string(), "1257.1");
    let list = run("transactions");
    assert!(
        list.stdout.contains("split AAPL 2 for 1"),
        "{}",
        list.stdout
    );

    let o: Optimised = serde_json::from_value(
        run("optimize --symbols JNJ_ADJ,KO_ADJ,WMT_ADJ,XOM_ADJ --start 2005-01-01 --end 2014-12-31 --frontier-points 0 --test-share 0 --format json").json(),
    )
    .unwrap();
    near(o.volatility, 0.143_564, 2e-6);
    let table = run("optimise --symbols JNJ_ADJ,KO_ADJ --start 2010-01-01");
    assert!(
        table.stdout.contains("On ") && table.stdout.contains("days not seen"),
        "{}",
        table.stdout
    );
    run("optimise --symbols JNJ_ADJ,KO_AJD").refused(2, &["KO_AJD", "KO_ADJ"]);
    run("optimise --symbols JNJ_ADJ,KO_ADJ --set max_weight=0.4")
        .refused(4, &["no weights keep", "max_weight 0.4", "at least 0.5"]);
    run("optimise --symbols JNJ_ADJ,KO_ADJ --start 2012-01-01 --end 2011-01-01")
        .refused(2, &["start"]);
    run("what-if").refused(2, &["target"]);
    run("what-if --change AAPL").refused(2, &["--change", "NAME:VALUE"]);
    assert_eq!(run("what-if --change AAPL:-0.1,IBM:0.1").code, 0);
    assert_eq!(run("plan --target AAPL:0.5,IBM:0.4 --days 2").code, 0);
    run("plan --target AAPL:1.5").refused(2, &["not in 0 to 1"]);
    let risk = run("risk --weights KO_ADJ:0.5,XOM_ADJ:0.5 --start 2005-01-01 --end 2014-12-31");
    assert!(
        risk.stdout.contains("financial_crisis_2008"),
        "{}",
        risk.stdout
    );
    run("risk --weights KO_ADJ:1 --confidence 2").refused(2, &["confidence"]);
}
