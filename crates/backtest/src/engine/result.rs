//! What came out.

use super::order::{Fill, Reason, Refused};

/// A position from its opening to its end, however many fills built it up and took it down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trade {
    /// Which asset.
    pub asset: usize,
    /// 1 for a purchase first, -1 for a short sale first.
    pub direction: f64,
    /// Bar of the first fill.
    pub entry_bar: usize,
    /// Bar of the last fill; absent while open.
    pub exit_bar: Option<usize>,
    /// Mean price paid (received, for a short sale) a share, in shares of the exit.
    pub entry_price: f64,
    /// Mean price received a share so far; NaN before any.
    pub exit_price: f64,
    /// Units that were opened in all, in shares of the exit.
    pub units: f64,
    /// Gain after commissions, dividends and borrow fees, currency; of an open one only what is
    /// realised.
    pub pnl: f64,
    /// `pnl` as a share of the value at entry.
    pub result: f64,
    /// Commissions.
    pub commission: f64,
    /// Dividends received, less those paid on a short position.
    pub dividends: f64,
    /// Borrow fees.
    pub borrow: f64,
    /// Lowest open result a share of the mean entry price saw, before costs; at most 0. From the
    /// ranges of bars that were held from open to close, and from prices of fills.
    pub mae: f64,
    /// Highest such result; at least 0.
    pub mfe: f64,
    /// The strategy's reason of the entry.
    pub entry_why: &'static str,
    /// The strategy's reason of the exit; empty for an exit that no order asked for.
    pub exit_why: &'static str,
    /// The rule of the exit; absent while open.
    pub exit_reason: Option<Reason>,
}

impl Trade {
    /// Bars from entry to exit.
    #[must_use]
    pub fn bars(&self) -> Option<usize> {
        self.exit_bar.map(|exit| exit - self.entry_bar)
    }
}

/// Sums over the whole test, currency; costs are above 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Flows {
    /// Commissions.
    pub commission: f64,
    /// Half spreads.
    pub spread: f64,
    /// Slippage.
    pub slippage: f64,
    /// Borrow fees.
    pub borrow: f64,
    /// Interest earned less interest paid.
    pub interest: f64,
    /// Dividends received less dividends paid.
    pub dividends: f64,
}

/// The result of a test: columns of one value a bar, and lists in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Equity at the close.
    pub equity: Vec<f64>,
    /// Cash at the close.
    pub cash: Vec<f64>,
    /// Interest, dividends and borrow fees that the bar brought to the cash.
    pub carry: Vec<f64>,
    /// Sum of the absolute values of positions at the close as a share of the equity; 0 without
    /// equity.
    pub exposure: Vec<f64>,
    /// Value traded in the bar, currency.
    pub traded: Vec<f64>,
    /// Units at the close, by asset.
    pub units: Vec<Vec<f64>>,
    /// Fills.
    pub fills: Vec<Fill>,
    /// Positions that were closed, in order of their end.
    pub trades: Vec<Trade>,
    /// Positions that are still open, in order of assets.
    pub open: Vec<Trade>,
    /// Orders that did not fill, and why.
    pub refused: Vec<Refused>,
    /// Sums.
    pub flows: Flows,
    /// Bar on whose close equity was gone.
    pub ruined: Option<usize>,
}
