//! What finished trials taught, from outside: records, proposals, and what those are worth.

use mltrainer_it::{Server, cli};
use serde_json::{Value, json};

#[tokio::test]
async fn finished_trials_propose_models_for_the_next_one() {
    let server = Server::fresh().await;
    let nothing = server.json("/api/v1/learning").await;
    assert_eq!(nothing["records"], 0);
    assert_eq!(nothing["standing"], Value::Null);
    for symbol in ["IBM", "MSFT"] {
        let body = json!({"symbols": [symbol], "models": ["ridge", "lasso"], "target": "log_volatility", "horizons": [5], "start": "2006-01-03"});
        let id = server.create_trial(&body).await;
        server.finished(&id).await;
    }
    let known = server.json("/api/v1/learning").await;
    assert_eq!(
        (&known["trials"], &known["records"]),
        (&json!(2), &json!(4))
    );
    // The skill is that of the leaderboard, squared errors beside those of the best naive forecast.
    let newest = &known["newest"][0];
    let trial = server
        .json(&format!(
            "/api/v1/trials/{}",
            newest["trial"].as_str().unwrap()
        ))
        .await;
    let row = trial["leaderboard"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["model"] == newest["model"])
        .unwrap();
    let rmse = |of: &Value| of["rmse"].as_f64().unwrap();
    let skill = 1.0 - (rmse(&row["metrics"]) / rmse(&row["baseline"])).powi(2);
    assert!((newest["skill"].as_f64().unwrap() - skill).abs() < 1e-12);
    assert!(newest["took_ms"].as_f64().unwrap() > 0.0);
    // The traits know nothing of the days that are forecast.
    let series = server
        .json(&format!(
            "/api/v1/trials/{}/predictions",
            newest["trial"].as_str().unwrap()
        ))
        .await;
    let first = series
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["dates"][0].as_str())
        .min()
        .unwrap();
    assert_eq!(newest["traits"]["before"], first);
    // The second trial could be asked with the first one's records: they share no symbol.
    assert_eq!(known["standing"]["asked"], 1);
    let random = known["standing"]["random"].as_f64().unwrap();
    let mean = known["newest"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["trial"] == newest["trial"])
        .map(|r| r["skill"].as_f64().unwrap())
        .sum::<f64>()
        / 2.0;
    assert!((random - mean).abs() < 1e-12);

    let path = "/api/v1/learning/proposals?symbols=AAPL&target=log_volatility&horizon=5";
    let made = server.json(path).await;
    let models = made["models"].as_array().unwrap();
    assert!(!models.is_empty(), "{made}");
    assert!(models[0]["skill"].as_f64().unwrap() > 0.0);
    assert!(
        models[0]["why"]
            .as_str()
            .unwrap()
            .contains("naive forecast")
    );
    let args = [
        "trial",
        "propose",
        "--symbols",
        "AAPL",
        "--target",
        "log_volatility",
        "--horizon",
        "5",
        "--format",
        "json",
    ];
    assert_eq!(
        cli(&server.data_dir, &args).json()["models"],
        made["models"]
    );
    // The action, of which every number is a figure.
    let body = json!({"symbols": ["AAPL"], "target": "log_volatility", "horizon": 5});
    let told = server
        .post("/api/v1/actions/propose_models", &body)
        .await
        .json::<Value>()
        .await
        .unwrap();
    assert_eq!(told["result"]["models"], made["models"], "{told}");
    let pieces = told["pieces"].to_string();
    assert!(!pieces.contains("unverified"), "{pieces}");
    assert!(
        told["next_steps"][0]
            .as_str()
            .unwrap()
            .starts_with("Run a trial on AAPL with "),
        "{told}"
    );
    // Another target has no records.
    let none = server.json("/api/v1/learning/proposals?symbols=AAPL").await;
    assert_eq!(none["models"], json!([]));
    for (query, status) in [
        ("symbols=NOPE", 404),
        ("symbols=AAPL&horizon=0", 422),
        ("symbols=AAPL&target=luck", 400),
        ("", 422),
    ] {
        let refused = server
            .get(&format!("/api/v1/learning/proposals?{query}"))
            .await;
        assert_eq!(refused.status().as_u16(), status, "{query}");
    }
    let page = server
        .get("/learning?symbols=AAPL&target=log_volatility&horizon=5")
        .await;
    let page = page.text().await.unwrap();
    assert!(page.contains("Begin a trial with these"));
}
