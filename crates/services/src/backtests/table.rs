//! Back tests as tables for other programs: trades, fills, and one row a bar.

use crate::ServiceError;
use crate::error::from_data;
use mltrainer_data::export::{Cells, Format, table};
use mltrainer_types::backtest::{BacktestFill, BacktestTrade, BacktestView};

/// The names of the tables.
pub(super) const NAMES: [&str; 3] = ["trades", "fills", "equity"];

type Columns = Vec<(&'static str, Cells)>;

fn texts<T>(rows: &[&T], of: impl Fn(&T) -> &str) -> Cells {
    Cells::Texts(rows.iter().map(|r| Some(of(r).to_owned())).collect())
}

fn figures<T>(rows: &[&T], of: impl Fn(&T) -> Option<f64>) -> Cells {
    Cells::Figures(rows.iter().map(|r| of(r)).collect())
}

/// Closed trades, then open ones.
fn trades(v: &BacktestView) -> Columns {
    let all: Vec<&BacktestTrade> = v.trades.iter().chain(&v.open_trades).collect();
    let rules = all.iter().map(|t| t.exit_rule.clone()).collect();
    vec![
        ("symbol", texts(&all, |t| &t.symbol)),
        ("direction", texts(&all, |t| &t.direction)),
        (
            "entry",
            Cells::Days(all.iter().map(|t| Some(t.entry)).collect()),
        ),
        ("exit", Cells::Days(all.iter().map(|t| t.exit).collect())),
        ("entry_price", figures(&all, |t| t.entry_price)),
        ("exit_price", figures(&all, |t| t.exit_price)),
        ("units", figures(&all, |t| t.units)),
        ("pnl", figures(&all, |t| t.pnl)),
        ("return", figures(&all, |t| t.result)),
        ("commission", figures(&all, |t| t.commission)),
        ("bars", Cells::Counts(all.iter().map(|t| t.bars).collect())),
        ("mae", figures(&all, |t| t.mae)),
        ("mfe", figures(&all, |t| t.mfe)),
        ("exit_rule", Cells::Texts(rules)),
    ]
}

/// Every fill with its explanation.
fn fills(v: &BacktestView) -> Columns {
    let all: Vec<&BacktestFill> = v.fills.iter().collect();
    vec![
        (
            "date",
            Cells::Days(all.iter().map(|f| Some(f.date)).collect()),
        ),
        ("symbol", texts(&all, |f| &f.symbol)),
        ("units", figures(&all, |f| f.units)),
        ("quote", figures(&all, |f| f.quote)),
        ("price", figures(&all, |f| f.price)),
        ("commission", figures(&all, |f| f.commission)),
        ("explanation", texts(&all, |f| &f.explanation)),
    ]
}

/// One row a bar.
fn equity(v: &BacktestView) -> Columns {
    let figures = |c: &[Option<f64>]| Cells::Figures(c.to_vec());
    vec![
        (
            "date",
            Cells::Days(v.dates.iter().copied().map(Some).collect()),
        ),
        ("equity", figures(&v.equity)),
        ("benchmark_equity", figures(&v.benchmark_equity)),
        ("drawdown", figures(&v.drawdown)),
        ("benchmark_drawdown", figures(&v.benchmark_drawdown)),
        ("exposure", figures(&v.exposure)),
        ("rolling_sharpe", figures(&v.rolling_sharpe)),
    ]
}

/// A table of a back test in the format that the name of the file ends with: `trades.csv`,
/// `fills.parquet`.
///
/// # Errors
/// [`ServiceError::NotFound`] for another name, with those there are.
pub(super) fn file(v: &BacktestView, name: &str) -> Result<Vec<u8>, ServiceError> {
    let columns = match name.split_once('.').map_or(name, |(stem, _)| stem) {
        "trades" => trades(v),
        "fills" => fills(v),
        "equity" => equity(v),
        _ => return Err(unknown(name)),
    };
    let plain = name.matches('.').count() == 1;
    let format = Format::of_name(name).filter(|_| plain);
    table(&columns, format.ok_or_else(|| unknown(name))?).map_err(from_data)
}

fn unknown(name: &str) -> ServiceError {
    let all = NAMES.iter();
    ServiceError::NotFound {
        what: "file of a backtest",
        id: name.chars().take(80).collect(),
        suggestions: all
            .flat_map(|n| [format!("{n}.csv"), format!("{n}.parquet")])
            .collect(),
    }
}
