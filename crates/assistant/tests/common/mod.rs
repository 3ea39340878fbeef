//! Names and a conversation for the tests: the models of the catalogue's list, the bundled symbols.

use chrono::NaiveDate;
use mltrainer_assistant::parser::{Context, Lexicon, ModelName, SymbolName};

const SYMBOLS: &[&str] = &[
    "AAPL", "FB", "GOOG", "IBM", "IXIC", "MSFT", "SPX", "AMD", "BAC", "BBY", "CVX", "GE", "HD",
    "JNJ", "JPM", "KO", "LLY", "MRK", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM", "VIXCLS",
];

pub(crate) fn lexicon() -> Lexicon {
    let models = include_str!("../data/models.tsv")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| {
            let f: Vec<&str> = l.split('\t').collect();
            ModelName {
                id: f[0].into(),
                title: f[1].into(),
                family: f[2].into(),
                tasks: f[3].split(',').map(str::to_owned).collect(),
            }
        })
        .collect();
    Lexicon {
        symbols: SYMBOLS
            .iter()
            .map(|s| SymbolName {
                symbol: (*s).into(),
                names: Vec::new(),
            })
            .collect(),
        models,
    }
}

pub(crate) fn context() -> Context {
    Context {
        last_trial: Some("t-0190aaaa".into()),
        last_backtest: Some("b-0190bbbb".into()),
        last_alert: Some("a-0190cccc".into()),
        ..Context::new(NaiveDate::from_ymd_opt(2024, 6, 14).unwrap())
    }
}
