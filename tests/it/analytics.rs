//! Prices with what the catalogue computes on them: the route and the page, with good and bad addresses.

use mltrainer_it::Server;
use mltrainer_it::cli::no_internals;
use mltrainer_it::server::content_type;
use mltrainer_types::analytics::{Analytics, Layer, Look, Place};
use mltrainer_types::problem::Problem;
use mltrainer_types::run::RunResult;
use reqwest::StatusCode;
use serde_json::json;
use std::collections::BTreeSet;

async fn analytics(server: &Server, query: &str) -> Analytics {
    let answer = server.json(&format!("/api/v1/analytics?{query}")).await;
    serde_json::from_value(answer).unwrap()
}

fn layer<'a>(a: &'a Analytics, show: &str) -> &'a Layer {
    a.layers.iter().find(|l| l.show == show).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

#[tokio::test]
async fn prices_come_with_what_is_laid_over_them() {
    let server = Server::fresh().await;
    let query = "dataset=AAPL&start=2012-01-03&end=2012-03-30&show=sma:period=20,bollinger_bands:period=20:std_dev=2.5,rsi,macd,atr&feature=log_return_5";
    let a = analytics(&server, query).await;
    assert_eq!(
        a.dataset.id.as_str(),
        "bundled:AAPL",
        "a symbol finds its set"
    );
    assert_eq!(
        a.bars,
        server
            .bars("bundled:AAPL", "2012-01-03", "2012-03-30")
            .await
    );
    assert_eq!(
        (a.start, a.end),
        (a.bars[0].date, a.bars[a.bars.len() - 1].date)
    );
    for l in &a.layers {
        assert!(
            l.lines.iter().all(|line| line.values.len() == a.bars.len()),
            "{}",
            l.show
        );
    }

    // Mean of the last 20 closes, also where these lie before the span.
    let all = server
        .bars("bundled:AAPL", "2011-01-03", "2012-03-30")
        .await;
    let closes: Vec<f64> = all.iter().map(|b| b.close).collect();
    let before = all.len() - a.bars.len();
    for (i, value) in layer(&a, "sma:period=20").lines[0]
        .values
        .iter()
        .enumerate()
    {
        let window = &closes[before + i + 1 - 20..=before + i];
        let mean = window.iter().sum::<f64>() / 20.0;
        assert!(close(value.unwrap(), mean), "day {i}");
    }
    let feature = a.feature.as_ref().unwrap();
    for (i, value) in feature.values.iter().enumerate() {
        let change = (closes[before + i] / closes[before + i - 5]).ln();
        assert!(close(value.unwrap(), change), "day {i}");
    }

    // Each line has its place.
    let places = |show: &str| -> Vec<(String, Place, Look)> {
        let lines = layer(&a, show).lines.iter();
        lines.map(|l| (l.name.clone(), l.place, l.look)).collect()
    };
    let line = |name: &str, place, look| (name.to_owned(), place, look);
    assert_eq!(
        places("sma:period=20"),
        [line("sma", Place::Price, Look::Line)]
    );
    assert_eq!(
        places("bollinger_bands:period=20:std_dev=2.5"),
        ["upper", "middle", "lower"].map(|n| line(n, Place::Price, Look::Line))
    );
    assert_eq!(places("rsi"), [line("rsi", Place::Own, Look::Line)]);
    assert_eq!(places("atr"), [line("atr", Place::Own, Look::Line)]);
    assert_eq!(
        places("macd"),
        [
            line("macd", Place::Own, Look::Line),
            line("signal", Place::Own, Look::Line),
            line("histogram", Place::Own, Look::Area)
        ]
    );
    assert_eq!(layer(&a, "rsi").lines[0].bounds, Some([0.0, 100.0]));

    // The same as a run of the entry, and the same wherever the span begins.
    let answer = server
        .post(
            "/api/v1/models/rsi/run",
            &json!({"dataset": "bundled:AAPL", "end": "2012-03-30"}),
        )
        .await;
    let run: RunResult = answer.json().await.unwrap();
    let values: Vec<Option<f64>> = serde_json::from_value(run.outputs["rsi"].clone()).unwrap();
    let rsi = &layer(&a, "rsi").lines[0].values;
    assert_eq!(rsi, &values[values.len() - rsi.len()..]);
    let b = analytics(
        &server,
        "dataset=bundled:AAPL&start=2012-03-01&end=2012-03-30&show=rsi",
    )
    .await;
    let later = &layer(&b, "rsi").lines[0].values;
    assert_eq!(later, &rsi[rsi.len() - later.len()..]);
}

#[tokio::test]
async fn data_sets_are_compared_on_their_common_days() {
    let server = Server::fresh().await;
    let query = "dataset=bundled:AAPL&start=2012-01-03&end=2012-12-31&with=MSFT,bundled:IBM,AAPL";
    let a = analytics(&server, query).await;
    let c = a.correlation.unwrap();
    assert_eq!(
        c.symbols,
        ["AAPL", "MSFT", "IBM"],
        "the same set is there once"
    );
    let mut sets = Vec::new();
    for id in &c.datasets {
        sets.push(server.bars(id, "2012-01-03", "2012-12-31").await);
    }
    let mut common: BTreeSet<_> = sets[0].iter().map(|b| b.date).collect();
    for set in &sets[1..] {
        let days: BTreeSet<_> = set.iter().map(|b| b.date).collect();
        common.retain(|d| days.contains(d));
    }
    let changes: Vec<Vec<f64>> = sets
        .iter()
        .map(|set| {
            let wanted = set.iter().filter(|b| common.contains(&b.date));
            let closes: Vec<f64> = wanted.map(|b| b.close).collect();
            closes.windows(2).map(|w| w[1] / w[0] - 1.0).collect()
        })
        .collect();
    assert_eq!(c.changes as usize, changes[0].len());
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    for (i, a) in changes.iter().enumerate() {
        for (j, b) in changes.iter().enumerate() {
            let (ma, mb) = (mean(a), mean(b));
            let dot = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
                x.iter().zip(y).map(|(p, q)| (p - mx) * (q - my)).sum()
            };
            let r = dot(a, ma, b, mb) / (dot(a, ma, a, ma) * dot(b, mb, b, mb)).sqrt();
            assert!(close(c.matrix[i][j].unwrap(), r), "{i} {j}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_shown_says_why() {
    let server = Server::fresh().await;
    for (query, status, field, words) in [
        ("dataset=APPL", 404, "", vec!["APPL", "AAPL"]),
        ("dataset=bundled:NONE", 404, "", vec!["bundled:NONE"]),
        ("start=yesterday", 400, "", vec!["query"]),
        ("colour=red", 400, "", vec!["colour"]),
        (
            "dataset=AAPL&start=2012-02-01&end=2012-01-01",
            422,
            "end",
            vec!["before the start"],
        ),
        (
            "dataset=AAPL&start=2031-01-01",
            422,
            "start",
            vec!["no day", "2013-03-01"],
        ),
        ("dataset=AAPL&show=sma:20", 422, "show", vec!["NAME=VALUE"]),
        ("dataset=AAPL&show=smaa", 404, "", vec!["smaa", "sma"]),
        (
            "dataset=AAPL&show=ridge",
            422,
            "show",
            vec!["ridge", "laid over"],
        ),
        (
            "dataset=AAPL&show=sma:period=0",
            422,
            "show",
            vec!["sma", "period", "0"],
        ),
        (
            "dataset=AAPL&show=sma:length=5",
            422,
            "show",
            vec!["length"],
        ),
        (
            "dataset=bundled:KO_ADJ&show=atr",
            422,
            "",
            vec!["atr", "high"],
        ),
        (
            "dataset=bundled:VIXCLS&show=sma",
            422,
            "dataset",
            vec!["series"],
        ),
        (
            "dataset=AAPL&feature=log_retrun_1",
            404,
            "",
            vec!["log_return_1"],
        ),
        (
            "dataset=AAPL&with=bundled:VIXCLS",
            422,
            "with",
            vec!["series"],
        ),
        (
            "dataset=AAPL&start=2013-02-20&with=IBM",
            422,
            "",
            vec!["longer span"],
        ),
        (
            "dataset=AAPL&show=rsi,rsi,rsi,rsi,rsi,rsi,rsi,rsi,rsi,rsi,rsi,rsi,rsi",
            422,
            "show",
            vec!["at most 12"],
        ),
    ] {
        let answer = server.get(&format!("/api/v1/analytics?{query}")).await;
        let got = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(got.as_u16(), status, "{query}: {text}");
        no_internals(&text);
        let problem: Problem = serde_json::from_str(&text).unwrap();
        assert_eq!(problem.field.unwrap_or_default(), field, "{query}");
        for word in words {
            assert!(
                problem.detail.contains(word),
                "{query}: {word}: {}",
                problem.detail
            );
        }
    }
}

#[tokio::test]
async fn the_chart_is_a_picture_of_its_own() {
    let server = Server::fresh().await;
    let query = "dataset=AAPL&start=2012-01-03&end=2012-03-30&show=sma:period=20,rsi,macd";
    let answer = server
        .get(&format!("/api/v1/analytics/chart.svg?{query}"))
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(content_type(&answer), "image/svg+xml");
    let svg = answer.text().await.unwrap();
    for part in ["<title>", "SMA 20", "RSI", "MACD histogram", "2012-03-30"] {
        assert!(svg.contains(part), "{part}");
    }
    // Two parts more than prices and volume: 420 and twice 90.
    assert!(svg.contains("height=\"600\""));
    for (query, status) in [
        ("dataset=AAPL&show=nope", 404),
        ("dataset=AAPL&w=1", 422),
        ("with=IBM", 400),
    ] {
        let answer = server
            .get(&format!("/api/v1/analytics/chart.svg?{query}"))
            .await;
        assert_eq!(answer.status().as_u16(), status, "{query}");
    }
}

#[tokio::test]
async fn the_page_is_whole_without_script() {
    let server = Server::fresh().await;
    // As a browser asks: others are not led on to the address.
    let page = async |path: String| {
        let asked = server.http.get(format!("{}{path}", server.base));
        let answer = asked.header("accept", "text/html").send().await.unwrap();
        (
            answer.status(),
            answer.url().to_string(),
            answer.text().await.unwrap(),
        )
    };
    let (status, _, html) = page("/analytics".into()).await;
    assert_eq!(status, StatusCode::OK);
    for part in [
        "<svg class=\"picture\"",
        "Values as a table",
        "name=\"dataset\"",
        "bundled:AAPL",
    ] {
        assert!(html.contains(part), "{part}");
    }
    // What the form sends becomes the address, and shows what was chosen.
    let form = "form=1&dataset=bundled:IBM&start=2012-01-03&end=2012-06-29&add=rsi&layer=sma&p.period=20&feature=&with=";
    let (status, url, html) = page(format!("/analytics?{form}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        url.ends_with(
            "/analytics?dataset=bundled:IBM&start=2012-01-03&end=2012-06-29&show=sma:period=20,rsi"
        ),
        "{url}"
    );
    assert!(html.contains("SMA 20") && html.contains("RSI"));
    // A bad value of one part is said at its place, and the rest is there.
    let (status, _, html) =
        page("/analytics?dataset=bundled:IBM&show=sma:period=0,rsi,nope".into()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains("<svg class=\"picture\""));
    assert!(
        html.contains("out of range") && html.contains("nope"),
        "both are named"
    );
    for (path, status, words) in [
        ("/analytics?dataset=APPL", 404, "AAPL"),
        ("/analytics?start=yesterday", 422, "is not a day"),
        ("/analytics?show=sma:20", 422, "NAME=VALUE"),
        (
            "/analytics?dataset=bundled:IBM&start=2031-01-01&end=2031-12-31",
            200,
            "No day in this span",
        ),
    ] {
        let (got, _, html) = page(path.into()).await;
        assert_eq!(got.as_u16(), status, "{path}");
        assert!(html.contains(words), "{path}");
        assert!(html.contains("name=\"dataset\""), "{path}: the form stays");
    }
}
