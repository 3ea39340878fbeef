//! `mltrainer features` on data sets, on several symbols and on an option chain.

use mltrainer_it::{Server, cli, cli_in, csv};
use mltrainer_types::feature::FeatureSpec;
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn the_list_names_sixty_and_more_in_all_groups() {
    let folder = tempfile::tempdir().unwrap();
    let listed = cli(folder.path(), &["features", "--list", "--format", "json"]).json();
    let specs: Vec<FeatureSpec> = serde_json::from_value(listed).unwrap();
    assert!(specs.len() >= 60, "{}", specs.len());
    let groups: BTreeSet<&str> = specs.iter().map(|f| f.group.as_str()).collect();
    for group in [
        "price",
        "volatility",
        "volume",
        "technical",
        "economic",
        "cross_sectional",
        "microstructure",
        "regime",
        "options",
        "calendar",
    ] {
        assert!(groups.contains(group), "{group}");
    }
    let text = cli(folder.path(), &["features", "--list"]).stdout;
    for part in [
        "corwin_schultz_20",
        "known at",
        "Journal of Finance 67 (2012) 719-760",
    ] {
        assert!(text.contains(part), "{part}");
    }
    // No data folder was made for that.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_data_set_by_its_id_and_several_symbols_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let one = cli(
        folder.path(),
        &[
            "features",
            "--dataset",
            "bundled:AAPL",
            "--group",
            "log_return_1,calendar",
            "--format",
            "csv",
        ],
    );
    assert_eq!(one.code, 0, "{}", one.stderr);
    let mut lines = one.stdout.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("date,log_return_1,day_of_week,")
    );
    assert_eq!(lines.count(), 3270, "a row a bar");

    let several = cli(
        folder.path(),
        &[
            "features",
            "--symbols",
            "AAPL,IBM,MSFT",
            "--group",
            "cross_sectional",
            "--format",
            "csv",
        ],
    );
    assert_eq!(several.code, 0, "{}", several.stderr);
    let mut lines = several.stdout.lines();
    let heading: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(heading[..3], ["symbol", "date", "rank_return_5"]);
    let last: Vec<Vec<&str>> = lines
        .map(|l| l.split(',').collect::<Vec<_>>())
        .filter(|row| row[1] == "2013-03-01")
        .collect();
    let ranks: BTreeSet<String> = last
        .iter()
        .map(|row| format!("{:.4}", row[2].parse::<f64>().unwrap()))
        .collect();
    // Ranks 1/6, 3/6 and 5/6, one each.
    assert_eq!(
        ranks.into_iter().collect::<Vec<_>>(),
        ["0.1667", "0.5000", "0.8333"]
    );

    let two = cli(
        folder.path(),
        &[
            "features",
            "--symbols",
            "AAPL,IBM",
            "--group",
            "cross_sectional",
        ],
    );
    assert_eq!(two.code, 3, "{}", two.stderr);
    assert!(
        two.stderr.contains("needs 3 symbols or more"),
        "{}",
        two.stderr
    );
    let wrong = cli(folder.path(), &["features", "--dataset", "bundled:APPL"]);
    assert_ne!(wrong.code, 0);
    assert!(wrong.stderr.contains("bundled:AAPL"), "{}", wrong.stderr);
    let wrong = cli(
        folder.path(),
        &[
            "features",
            "--dataset",
            "bundled:AAPL",
            "--group",
            "astrology",
        ],
    );
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(
        wrong
            .stderr
            .contains("there is no feature group \"astrology\""),
        "{}",
        wrong.stderr
    );
}

#[tokio::test]
async fn an_option_chain_beside_the_bars() {
    let server = Server::fresh().await;
    let bars = server
        .bars("bundled:AAPL", "2012-01-01", "2012-06-30")
        .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("aapl.csv"), csv::ohlcv(&bars)).unwrap();
    // No market's quotes: a call and a put a day, half as many puts as calls.
    let mut chain = String::from(
        "date,days_to_expiry,strike,call,volume,open_interest,implied_volatility,underlying\n",
    );
    for bar in &bars {
        let price = bar.close;
        chain.push_str(&format!("{},30,{price},1,200,10,0.25,{price}\n", bar.date));
        chain.push_str(&format!(
            "{},30,{},0,100,20,0.31,{price}\n",
            bar.date,
            0.9 * price
        ));
    }
    std::fs::write(folder.path().join("chain.csv"), chain).unwrap();
    let call = |args: &[&str]| cli_in(folder.path(), &folder.path().join("data"), args, &[]);
    let answer = call(&[
        "features",
        "--data",
        "aapl.csv",
        "--options",
        "chain.csv",
        "--group",
        "options",
        "--format",
        "json",
    ]);
    let rows = answer.json();
    let last = rows.as_array().unwrap().last().unwrap();
    let value = |id: &str| last[id].as_f64().unwrap();
    assert!((value("put_call_volume") - 0.5f64.ln()).abs() < 1e-12);
    assert!((value("volatility_skew") - 0.06).abs() < 1e-12);
    // There is no expiry of a quarter.
    assert_eq!(last["volatility_term_structure"], Value::Null);
    let without = call(&["features", "--data", "aapl.csv", "--group", "options"]);
    assert_eq!(without.code, 3, "{}", without.stderr);
    assert!(
        without
            .stderr
            .contains("no option chain of FILE is at hand"),
        "{}",
        without.stderr
    );
}
