//! The lean path: one asset, long or flat, all cash at the next open. The same arithmetic as the
//! engine in the same order, without a list of fills; a test holds the two equal bit for bit. For
//! sweeps over many parameters.

use super::broker::Settings;
use super::costs::Slippage;

/// Decisions of a long-or-flat strategy in order of bars: the bar of a close, and whether it says
/// buy or sell.
pub type Decision = (usize, bool);

/// What the lean path states.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeanSummary {
    /// Equity at the last close.
    pub final_equity: f64,
    /// Largest fall of the closing equity from its peak, at most 0.
    pub max_drawdown: f64,
    /// Positions closed.
    pub n_trades: usize,
    /// Of these, those with a gain after commissions.
    pub wins: usize,
    /// Bars on whose close a position was held.
    pub held: usize,
    /// Sum of the changes of equity from close to close, as shares of it.
    pub sum: f64,
    /// Sum of their squares.
    pub sum_of_squares: f64,
}

impl LeanSummary {
    /// Sharpe ratio a year of the changes from close to close over `bars` bars; NaN when they do
    /// not vary.
    #[must_use]
    pub fn sharpe(&self, bars: usize, periods_per_year: f64) -> f64 {
        let n = bars.saturating_sub(1) as f64;
        let mean = self.sum / n;
        let variance = (self.sum_of_squares - n * mean * mean) / (n - 1.0);
        if variance > 0.0 {
            mean / variance.sqrt() * periods_per_year.sqrt()
        } else {
            f64::NAN
        }
    }
}

/// Whether settings mean what the lean path does: next open, no credit, no limit but the cash, no
/// interest, no dependence on volume.
#[must_use]
pub fn is_lean(settings: &Settings) -> bool {
    let c = &settings.costs;
    let l = &settings.limits;
    settings.timing == super::order::Timing::NextOpen
        && !matches!(c.slippage, Slippage::VolumeShare { .. })
        && c.volume_limit.is_none()
        && c.cash_rate == 0.0
        && c.margin_rate == 0.0
        && l.max_gross == 1.0
        && l.max_weight.is_none()
        && !settings.finalize
}

/// Runs decisions over opens and closes of equal length. None when the settings ask for more than
/// the lean path does, or are out of range.
#[must_use]
pub fn lean(
    open: &[f64],
    close: &[f64],
    settings: &Settings,
    decisions: impl Iterator<Item = Decision>,
) -> Option<LeanSummary> {
    if !is_lean(settings) || settings.check().is_err() || open.len() != close.len() {
        return None;
    }
    let costs = &settings.costs;
    let bars = close.len();
    let mut cash = settings.cash;
    let mut units = 0.0;
    let mut at_entry = 0.0;
    let mut walk = Walk {
        peak: cash,
        trough: cash,
        drawdown: 0.0,
        last: cash,
        sum: 0.0,
        squares: 0.0,
    };
    let (mut n_trades, mut wins, mut held) = (0, 0, 0);
    // The bar of the last fill: its close and those after it are not walked yet.
    let mut from = 0;
    for (bar, buy) in decisions {
        let fill = bar + 1;
        if fill >= bars {
            break;
        }
        if buy == (units > 0.0) {
            continue;
        }
        if buy {
            let price = costs.fill_price(open[fill], 1.0, 0.0, None);
            let size = costs.affordable(cash, price, true);
            let size = if settings.whole_shares {
                size.floor()
            } else {
                size
            };
            if size <= 0.0 {
                continue;
            }
            let commission = costs.commission(size, price, true);
            cash -= size * price;
            cash -= commission;
            units = size;
            at_entry = size * price + commission;
        } else {
            walk.over(&close[from..fill], cash, units);
            held += fill - from;
            let price = costs.fill_price(open[fill], -1.0, units, None);
            let commission = costs.commission(units, price, true);
            cash += units * price;
            cash -= commission;
            n_trades += 1;
            wins += usize::from(units * price - commission > at_entry);
            units = 0.0;
            walk.see(cash);
        }
        from = fill;
    }
    if units > 0.0 {
        walk.over(&close[from..], cash, units);
        held += bars - from;
    }
    Some(LeanSummary {
        final_equity: walk.last,
        max_drawdown: walk.fallen(),
        n_trades,
        wins,
        held,
        sum: walk.sum,
        sum_of_squares: walk.squares,
    })
}

/// Peak, trough since, and deepest fall of the equity so far.
struct Walk {
    peak: f64,
    trough: f64,
    drawdown: f64,
    last: f64,
    sum: f64,
    squares: f64,
}

impl Walk {
    /// The quotient of a peak grows with the trough, so one division a peak is enough.
    fn fallen(&self) -> f64 {
        self.drawdown.min(self.trough / self.peak - 1.0)
    }

    #[inline]
    fn see(&mut self, equity: f64) {
        let change = equity / self.last - 1.0;
        self.sum += change;
        self.squares += change * change;
        self.last = equity;
        self.rise(equity);
    }

    #[inline]
    fn rise(&mut self, equity: f64) {
        if equity > self.peak {
            self.drawdown = self.fallen();
            self.peak = equity;
            self.trough = equity;
        } else if equity < self.trough {
            self.trough = equity;
        }
    }

    fn over(&mut self, closes: &[f64], cash: f64, units: f64) {
        let Some((first, rest)) = closes.split_first() else {
            return;
        };
        self.see(cash + units * first);
        // The peaks depend on each other, the changes do not: two passes, and four sums at a time.
        for close in rest {
            self.rise(cash + units * close);
        }
        let (mut sums, mut squares) = ([0.0; 4], [0.0; 4]);
        let changes = |before: &[f64], now: &[f64], sums: &mut [f64], squares: &mut [f64]| {
            let places = sums.iter_mut().zip(squares);
            for ((before, now), (sum, square)) in before.iter().zip(now).zip(places) {
                let change = (cash + units * now) / (cash + units * before) - 1.0;
                *sum += change;
                *square += change * change;
            }
        };
        let (before, tail) = closes[..closes.len() - 1].as_chunks::<4>();
        let (now, end) = rest.as_chunks::<4>();
        for (before, now) in before.iter().zip(now) {
            changes(before, now, &mut sums, &mut squares);
        }
        changes(tail, end, &mut sums, &mut squares);
        self.sum += sums.iter().sum::<f64>();
        self.squares += squares.iter().sum::<f64>();
        if let Some(last) = rest.last() {
            self.last = cash + units * last;
        }
    }
}

/// How far one line is above another; 0 where they differ by no more than rounding leaves of equal
/// averages (1e-12 of their size), so that rounding decides no crossing. NaN where one is unknown.
#[inline]
#[must_use]
pub fn gap(a: f64, b: f64) -> f64 {
    let gap = a - b;
    if gap.abs() <= 1e-12 * b.abs() {
        0.0
    } else {
        gap
    }
}

/// The decisions of two lines: buy where the fast one was below the slow one on the bar before and
/// is above it now, strictly by [`gap`]; sell in the opposite case.
#[derive(Debug, Clone, Copy)]
pub struct Crossover<'a> {
    fast: &'a [f64],
    slow: &'a [f64],
    /// Next block of bars.
    block: usize,
    first: usize,
    up: u64,
    down: u64,
    /// Whether fast was below and above slow on the last bar of the block before.
    below: bool,
    above: bool,
}

/// Bars that are compared at a time, one bit each.
const BLOCK: usize = 64;

/// Bytes of 0 and 1 as bits, the first one lowest.
#[inline]
fn packed(bytes: &[u8; BLOCK]) -> u64 {
    let mut bits = 0;
    for (place, eight) in bytes.as_chunks::<8>().0.iter().enumerate() {
        // Each byte's lowest bit lands in the highest byte at the place of the byte.
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= gathered << (8 * place);
    }
    bits
}

impl<'a> Crossover<'a> {
    /// Crossings at bars from `first` (at least 1) on; NaN compares as neither above nor below.
    #[must_use]
    pub fn new(fast: &'a [f64], slow: &'a [f64], first: usize) -> Self {
        let bars = fast.len().min(slow.len());
        let first = first.max(1);
        let (fast, slow) = (&fast[..bars], &slow[..bars]);
        let before = (first - 1).min(bars);
        Self {
            fast,
            slow,
            block: before,
            first: before,
            up: 0,
            down: 0,
            below: false,
            above: false,
        }
    }

    /// Compares the next block; false at the end.
    fn refill(&mut self) -> bool {
        while self.up | self.down == 0 {
            if self.block >= self.fast.len() {
                return false;
            }
            self.first = self.block;
            let end = (self.block + BLOCK).min(self.fast.len());
            // Bytes first: the comparisons then run several at a time.
            let (mut low, mut high) = ([0u8; BLOCK], [0u8; BLOCK]);
            let rows = self.fast[self.first..end]
                .iter()
                .zip(&self.slow[self.first..end]);
            for ((fast, slow), (low, high)) in rows.zip(low.iter_mut().zip(&mut high)) {
                let (gap, close) = (fast - slow, 1e-12 * slow.abs());
                *low = u8::from(gap < -close);
                *high = u8::from(gap > close);
            }
            let (below, above) = (packed(&low), packed(&high));
            self.up = above & ((below << 1) | u64::from(self.below));
            self.down = below & ((above << 1) | u64::from(self.above));
            let last = end - self.first - 1;
            self.below = below >> last & 1 == 1;
            self.above = above >> last & 1 == 1;
            self.block = end;
        }
        true
    }
}

impl Iterator for Crossover<'_> {
    type Item = Decision;

    fn next(&mut self) -> Option<Decision> {
        if !self.refill() {
            return None;
        }
        let bit = (self.up | self.down).trailing_zeros();
        let buy = self.up >> bit & 1 == 1;
        let mask = !(1u64 << bit);
        self.up &= mask;
        self.down &= mask;
        Some((self.first + bit as usize, buy))
    }
}
