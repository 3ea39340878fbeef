//! Back tests as CSV.

use mltrainer_types::backtest::BacktestView;
use std::fmt::Write as _;

/// A figure with as many digits as it takes to read back the same bits, or nothing.
fn figure(x: Option<f64>) -> String {
    x.map(|x| x.to_string()).unwrap_or_default()
}

/// A text as a CSV field. A sign at its head that a spreadsheet takes for a formula gets an apostrophe.
fn field(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Closed trades, then open ones.
pub(super) fn trades(v: &BacktestView) -> String {
    let mut out = String::from(
        "symbol,direction,entry,exit,entry_price,exit_price,units,pnl,return,commission,bars,mae,mfe,exit_rule\n",
    );
    for t in v.trades.iter().chain(&v.open_trades) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            field(&t.symbol),
            field(&t.direction),
            t.entry,
            t.exit.map(|d| d.to_string()).unwrap_or_default(),
            figure(t.entry_price),
            figure(t.exit_price),
            figure(t.units),
            figure(t.pnl),
            figure(t.result),
            figure(t.commission),
            t.bars.map(|b| b.to_string()).unwrap_or_default(),
            figure(t.mae),
            figure(t.mfe),
            field(t.exit_rule.as_deref().unwrap_or_default()),
        );
    }
    out
}

/// One row a bar.
pub(super) fn equity(v: &BacktestView) -> String {
    let mut out =
        String::from("date,equity,benchmark_equity,drawdown,benchmark_drawdown,exposure\n");
    for (i, date) in v.dates.iter().enumerate() {
        let _ = write!(out, "{date}");
        for column in [
            &v.equity,
            &v.benchmark_equity,
            &v.drawdown,
            &v.benchmark_drawdown,
            &v.exposure,
        ] {
            let _ = write!(out, ",{}", figure(column.get(i).copied().flatten()));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_safe_in_a_spreadsheet() {
        for (text, told) in [
            ("AAPL", "AAPL"),
            ("=1+1", "'=1+1"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
        ] {
            assert_eq!(field(text), told);
        }
    }
}
