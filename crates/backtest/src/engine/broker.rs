//! The simulation itself.

use super::costs::{Costs, Slippage};
use super::market::{Action, EngineError, Market};
use super::order::{
    Away, Fill, Kind, Limits, Moment, Order, Protection, Reason, Refused, Size, Timing,
};
use super::result::{Outcome, Trade};

/// How a test is run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Cash at the start.
    pub cash: f64,
    /// Costs.
    pub costs: Costs,
    /// Limits on positions.
    pub limits: Limits,
    /// Whether only whole shares trade; sizes are rounded towards 0.
    pub whole_shares: bool,
    /// When market orders fill.
    pub timing: Timing,
    /// Whether positions are closed at the last close.
    pub finalize: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cash: 10_000.0,
            costs: Costs::default(),
            limits: Limits::default(),
            whole_shares: true,
            timing: Timing::NextOpen,
            finalize: false,
        }
    }
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), EngineError> {
        if !(self.cash.is_finite() && self.cash > 0.0) {
            return Err(EngineError::Setting {
                field: "cash",
                what: format!("{} is not above 0", self.cash),
            });
        }
        self.costs.check()?;
        self.limits.check()
    }
}

/// A strategy: asked once a bar, after its close.
pub trait Decide {
    /// Looks at bars up to the present one and hands in orders.
    fn decide(&mut self, view: &View<'_>, orders: &mut Orders);
}

impl<F: FnMut(&View<'_>, &mut Orders)> Decide for F {
    fn decide(&mut self, view: &View<'_>, orders: &mut Orders) {
        self(view, orders);
    }
}

/// What a strategy can know after a close: nothing of later bars.
pub struct View<'a> {
    market: &'a Market<'a>,
    state: &'a State,
    bar: usize,
}

impl View<'_> {
    /// The present bar.
    #[must_use]
    pub const fn bar(&self) -> usize {
        self.bar
    }

    /// Number of assets.
    #[must_use]
    pub fn assets(&self) -> usize {
        self.state.units.len()
    }

    /// Closes of an asset up to this bar.
    #[must_use]
    pub fn close(&self, asset: usize) -> &[f64] {
        &self.market.assets()[asset].close[..=self.bar]
    }

    /// Opens of an asset up to this bar.
    #[must_use]
    pub fn open(&self, asset: usize) -> &[f64] {
        &self.market.assets()[asset].open[..=self.bar]
    }

    /// Highs of an asset up to this bar.
    #[must_use]
    pub fn high(&self, asset: usize) -> &[f64] {
        &self.market.assets()[asset].high[..=self.bar]
    }

    /// Lows of an asset up to this bar.
    #[must_use]
    pub fn low(&self, asset: usize) -> &[f64] {
        &self.market.assets()[asset].low[..=self.bar]
    }

    /// Units held of an asset.
    #[must_use]
    pub fn units(&self, asset: usize) -> f64 {
        self.state.units[asset]
    }

    /// The open position in an asset.
    #[must_use]
    pub fn position(&self, asset: usize) -> Option<Position> {
        self.state.open[asset].as_ref().map(|o| Position {
            direction: o.trade.direction,
            entry_bar: o.trade.entry_bar,
            entry_price: o.trade.entry_price,
        })
    }

    /// Value of the position in an asset as a share of the equity, at the close.
    #[must_use]
    pub fn weight(&self, asset: usize) -> f64 {
        self.state.units[asset] * self.state.mark[asset] / self.equity()
    }

    /// Whether an order in the asset is still waiting.
    #[must_use]
    pub fn is_waiting(&self, asset: usize) -> bool {
        self.state.book.iter().any(|p| p.order.asset == asset)
    }

    /// Cash.
    #[must_use]
    pub const fn cash(&self) -> f64 {
        self.state.cash
    }

    /// Equity at the close.
    #[must_use]
    pub fn equity(&self) -> f64 {
        self.state.equity()
    }

    /// Whether the month has changed since the bar before; none without days.
    #[must_use]
    pub fn is_new_month(&self) -> Option<bool> {
        let now = self.market.month(self.bar)?;
        Some(self.bar == 0 || self.market.month(self.bar - 1)? != now)
    }
}

/// An open position as a strategy sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// 1 or -1.
    pub direction: f64,
    /// Bar of the first fill.
    pub entry_bar: usize,
    /// Mean price paid.
    pub entry_price: f64,
}

/// Orders being handed in.
#[derive(Debug, Default)]
pub struct Orders {
    submitted: Vec<(u64, Order)>,
    cancelled: Vec<usize>,
    last: u64,
}

impl Orders {
    /// Hands in an order; its number.
    pub fn submit(&mut self, order: Order) -> u64 {
        self.last += 1;
        self.submitted.push((self.last, order));
        self.last
    }

    /// Takes back what is waiting in an asset from earlier bars.
    pub fn cancel(&mut self, asset: usize) {
        self.cancelled.push(asset);
    }
}

/// A waiting order.
#[derive(Debug, Clone, Copy)]
struct Pending {
    id: u64,
    order: Order,
    decided: usize,
    /// Signed units left by a fill in part.
    left: Option<f64>,
    /// Whether the stop of a stop-limit order was reached.
    awake: bool,
    done: bool,
}

/// Where protective prices stand.
#[derive(Debug, Clone, Copy, Default)]
struct Levels {
    stop: Option<f64>,
    target: Option<f64>,
    trail: Option<Away>,
    max_bars: Option<usize>,
}

#[derive(Debug, Clone)]
struct Open {
    trade: Trade,
    /// Value and units of what was opened, value and units of what was closed.
    bought: (f64, f64),
    sold: (f64, f64),
    levels: Levels,
    /// Best price for the trailing stop.
    best: f64,
    /// Whether the position was there at the open of the bar (or opened then).
    whole_bar: bool,
}

impl Open {
    /// Worst and best price seen, as shares of the entry price.
    fn see(&mut self, price: f64) {
        let t = &mut self.trade;
        let result = t.direction * (price / t.entry_price - 1.0);
        t.mae = t.mae.min(result);
        t.mfe = t.mfe.max(result);
    }

    /// The level of the trailing stop.
    fn trailing(&self) -> Option<f64> {
        let d = self.trade.direction;
        self.levels.trail.map(|away| match away {
            Away::Share(s) => self.best * (1.0 - d * s),
            Away::Amount(a) => self.best - d * a,
            Away::Price(p) => p,
        })
    }
}

struct State {
    cash: f64,
    units: Vec<f64>,
    /// Last known price, by asset.
    mark: Vec<f64>,
    /// Units traded in this bar, for the volume limit.
    used: Vec<f64>,
    alive: Vec<bool>,
    open: Vec<Option<Open>>,
    book: Vec<Pending>,
    /// Place of the next event, by asset.
    event: Vec<usize>,
}

impl State {
    fn equity(&self) -> f64 {
        let mut equity = self.cash;
        for (units, mark) in self.units.iter().zip(&self.mark) {
            if *units != 0.0 {
                equity += units * mark;
            }
        }
        equity
    }

    fn short_value(&self) -> f64 {
        let mut value = 0.0;
        for (units, mark) in self.units.iter().zip(&self.mark) {
            if *units < 0.0 {
                value -= units * mark;
            }
        }
        value
    }

    fn gross(&self) -> f64 {
        let mut value = 0.0;
        for (units, mark) in self.units.iter().zip(&self.mark) {
            if *units != 0.0 {
                value += (units * mark).abs();
            }
        }
        value
    }
}

/// Runs a strategy over a market.
///
/// # Errors
/// [`EngineError`]: a setting out of range, a volume limit or impact without volumes, a strategy
/// that hands in an impossible order.
pub fn simulate(
    market: &Market<'_>,
    settings: &Settings,
    strategy: &mut dyn Decide,
) -> Result<Outcome, EngineError> {
    settings.check()?;
    let costs = &settings.costs;
    let needs_volume =
        costs.volume_limit.is_some() || matches!(costs.slippage, Slippage::VolumeShare { .. });
    if needs_volume && let Some(a) = market.assets().iter().find(|a| a.volume.is_none()) {
        return Err(EngineError::Asset {
            symbol: a.symbol.to_owned(),
            what: "the volume limit or impact needs a column volume".to_owned(),
        });
    }
    let (n, bars) = (market.assets().len(), market.bars());
    let column = || Vec::with_capacity(bars);
    let mut broker = Broker {
        market,
        settings,
        state: State {
            cash: settings.cash,
            units: vec![0.0; n],
            mark: vec![0.0; n],
            used: vec![0.0; n],
            alive: vec![true; n],
            open: vec![None; n],
            book: Vec::new(),
            event: vec![0; n],
        },
        out: Outcome {
            equity: column(),
            cash: column(),
            carry: column(),
            exposure: column(),
            traded: column(),
            units: vec![column(); n],
            ..Outcome::default()
        },
        bar: 0,
        traded: 0.0,
        carry: 0.0,
    };
    let mut orders = Orders::default();
    for bar in 0..bars {
        broker.bar = bar;
        broker.traded = 0.0;
        broker.carry = 0.0;
        broker.before();
        broker.opening();
        broker.inside();
        broker.closing();
        let view = View {
            market,
            state: &broker.state,
            bar,
        };
        strategy.decide(&view, &mut orders);
        broker.take(&mut orders)?;
        broker.record();
    }
    Ok(broker.finish())
}

struct Broker<'a> {
    market: &'a Market<'a>,
    settings: &'a Settings,
    state: State,
    out: Outcome,
    bar: usize,
    traded: f64,
    carry: f64,
}

/// What a fill is told of.
#[derive(Clone, Copy)]
struct How {
    quote: f64,
    moment: Moment,
    reason: Reason,
    /// A price that the fill may not be worse than.
    limit: Option<f64>,
}

impl Broker<'_> {
    fn trades(&self, asset: usize) -> bool {
        self.market.assets()[asset].trades(self.bar)
    }

    fn volume(&self, asset: usize) -> Option<f64> {
        self.market.assets()[asset].volume.map(|v| v[self.bar])
    }

    /// Interest and fees over the close before, then events of this bar.
    fn before(&mut self) {
        self.state.used.fill(0.0);
        if self.bar > 0 {
            self.accrue();
        }
        for asset in 0..self.state.units.len() {
            let events = self.market.assets()[asset].events;
            while let Some(event) = events.get(self.state.event[asset])
                && event.bar == self.bar
            {
                self.state.event[asset] += 1;
                self.happen(asset, event.action);
            }
        }
    }

    fn accrue(&mut self) {
        let costs = &self.settings.costs;
        let year = costs.periods_per_year;
        let short = self.state.short_value();
        let free = self.state.cash - short;
        let mut interest = 0.0;
        if free > 0.0 {
            interest += free * costs.cash_rate / year;
        }
        if self.state.cash < 0.0 {
            interest += self.state.cash * costs.margin_rate / year;
        }
        self.state.cash += interest;
        self.carry += interest;
        self.out.flows.interest += interest;
        if short > 0.0 && costs.borrow_rate > 0.0 {
            for asset in 0..self.state.units.len() {
                let units = self.state.units[asset];
                if units < 0.0 {
                    let fee = -units * self.state.mark[asset] * costs.borrow_rate / year;
                    self.state.cash -= fee;
                    self.carry -= fee;
                    self.out.flows.borrow += fee;
                    if let Some(open) = &mut self.state.open[asset] {
                        open.trade.borrow += fee;
                    }
                }
            }
        }
    }

    fn happen(&mut self, asset: usize, action: Action) {
        match action {
            Action::Dividend(amount) => {
                let paid = self.state.units[asset] * amount;
                self.state.cash += paid;
                self.carry += paid;
                self.out.flows.dividends += paid;
                if let Some(open) = &mut self.state.open[asset] {
                    open.trade.dividends += paid;
                }
            }
            Action::Split(ratio) => self.split(asset, ratio),
            Action::Delisting(price) => {
                self.state.mark[asset] = price;
                for p in self
                    .state
                    .book
                    .iter_mut()
                    .filter(|p| p.order.asset == asset)
                {
                    p.done = true;
                    self.out.refused.push(Refused {
                        order: p.id,
                        bar: self.bar,
                        asset,
                        why: "the asset has left the market",
                    });
                }
                self.state.book.retain(|p| !p.done);
                self.leave(asset, price, Moment::Before, Reason::Delisting, true);
                self.state.alive[asset] = false;
            }
        }
    }

    fn split(&mut self, asset: usize, ratio: f64) {
        self.state.units[asset] *= ratio;
        self.state.mark[asset] /= ratio;
        if let Some(open) = &mut self.state.open[asset] {
            open.bought.1 *= ratio;
            open.sold.1 *= ratio;
            open.best /= ratio;
            open.trade.entry_price /= ratio;
            let levels = &mut open.levels;
            levels.stop = levels.stop.map(|p| p / ratio);
            levels.target = levels.target.map(|p| p / ratio);
            if let Some(Away::Amount(a)) = levels.trail {
                levels.trail = Some(Away::Amount(a / ratio));
            }
        }
        for p in self
            .state
            .book
            .iter_mut()
            .filter(|p| p.order.asset == asset)
        {
            if let Size::Units(units) = &mut p.order.size {
                *units *= ratio;
            }
            p.left = p.left.map(|u| u * ratio);
            match &mut p.order.kind {
                Kind::Market => {}
                Kind::Limit(price) | Kind::Stop(price) => *price /= ratio,
                Kind::StopLimit { stop, limit } => {
                    *stop /= ratio;
                    *limit /= ratio;
                }
            }
            let guards = &mut p.order.protection;
            for away in [&mut guards.stop, &mut guards.target, &mut guards.trail]
                .into_iter()
                .flatten()
            {
                match away {
                    Away::Share(_) => {}
                    Away::Amount(x) | Away::Price(x) => *x /= ratio,
                }
            }
        }
        let units = self.state.units[asset];
        let rest = units - units.trunc();
        if self.settings.whole_shares && rest != 0.0 {
            let price = if self.trades(asset) {
                self.market.assets()[asset].open[self.bar]
            } else {
                self.state.mark[asset]
            };
            self.book_fill(
                asset,
                -rest,
                0,
                How {
                    quote: price,
                    moment: Moment::Before,
                    reason: Reason::CashInLieu,
                    limit: None,
                },
                (price, 0.0, 0.0, 0.0),
                None,
                0.0,
            );
        }
    }

    /// Closes a position that no order asked to close. `free`: without costs and volume limit.
    fn leave(&mut self, asset: usize, quote: f64, moment: Moment, reason: Reason, free: bool) {
        let units = self.state.units[asset];
        if units == 0.0 {
            return;
        }
        let limit = match (reason, &self.state.open[asset]) {
            (Reason::Target | Reason::TargetAtOpen, Some(open)) => open.levels.target,
            _ => None,
        };
        let how = How {
            quote,
            moment,
            reason,
            limit,
        };
        if free {
            self.book_fill(asset, -units, 0, how, (quote, 0.0, 0.0, 0.0), None, 0.0);
        } else {
            let take = self.within_volume(asset, units.abs());
            if take > 0.0 {
                self.trade(asset, -units.signum() * take, how, None, true, 0.0);
            }
        }
        // What was to close the position has nothing left to do.
        if self.state.units[asset] == 0.0 {
            for p in &mut self.state.book {
                if p.order.asset == asset && p.order.size == Size::Close {
                    p.done = true;
                }
            }
            self.state.book.retain(|p| !p.done);
        }
    }

    /// So many units as the volume of the bar still allows.
    fn within_volume(&self, asset: usize, units: f64) -> f64 {
        let Some(limit) = self.settings.costs.volume_limit else {
            return units;
        };
        let room = limit * self.volume(asset).unwrap_or_default() - self.state.used[asset];
        self.lot(units.min(room.max(0.0)))
    }

    fn lot(&self, units: f64) -> f64 {
        if self.settings.whole_shares {
            units.floor()
        } else {
            units
        }
    }

    /// Fills so many signed units at a quote.
    fn trade(
        &mut self,
        asset: usize,
        units: f64,
        how: How,
        pending: Option<&Pending>,
        first: bool,
        left: f64,
    ) {
        let costs = &self.settings.costs;
        let (side, size) = (units.signum(), units.abs());
        let volume = self.volume(asset);
        let (price, spread, slippage) = self.price(how, side, size, volume);
        let commission = costs.commission(size, price, first);
        self.state.used[asset] += size;
        let id = pending.map_or(0, |p| p.id);
        self.book_fill(
            asset,
            units,
            id,
            how,
            (price, spread, slippage, commission),
            pending,
            left,
        );
    }

    /// Price, half spread and slippage of a fill; a limit caps what they may do.
    fn price(&self, how: How, side: f64, size: f64, volume: Option<f64>) -> (f64, f64, f64) {
        let costs = &self.settings.costs;
        let (mut spread, mut slippage) = costs.distance(how.quote, size, volume);
        let mut price = costs.fill_price(how.quote, side, size, volume);
        if let Some(limit) = how.limit
            && side * (price - limit) > 0.0
        {
            price = limit;
            let all = (side * (limit - how.quote)).max(0.0);
            spread = spread.min(all);
            slippage = all - spread;
        }
        (price, spread, slippage)
    }

    /// Moves cash and units, and keeps the books.
    #[expect(
        clippy::too_many_arguments,
        reason = "a private sink that every path of a fill ends in"
    )]
    fn book_fill(
        &mut self,
        asset: usize,
        units: f64,
        id: u64,
        how: How,
        (price, spread, slippage, commission): (f64, f64, f64, f64),
        pending: Option<&Pending>,
        left: f64,
    ) {
        let size = units.abs();
        let why = pending.map_or("", |p| p.order.why);
        self.state.cash -= units * price;
        self.state.cash -= commission;
        self.traded += size * price;
        let flows = &mut self.out.flows;
        flows.commission += commission;
        flows.spread += spread * size;
        flows.slippage += slippage * size;
        self.out.fills.push(Fill {
            order: id,
            decided: pending.map_or(self.bar, |p| p.decided),
            bar: self.bar,
            moment: how.moment,
            asset,
            units,
            quote: how.quote,
            price,
            spread,
            slippage,
            commission,
            reason: how.reason,
            why,
            open_units: left,
        });
        let before = self.state.units[asset];
        let after = before + units;
        self.state.units[asset] = after;
        let opens = before == 0.0;
        let grows = opens || (before > 0.0) == (units > 0.0);
        if opens {
            let direction = units.signum();
            let protection = pending.map(|p| p.order.protection).unwrap_or_default();
            self.state.open[asset] = Some(Open {
                trade: Trade {
                    asset,
                    direction,
                    entry_bar: self.bar,
                    exit_bar: None,
                    entry_price: price,
                    exit_price: f64::NAN,
                    units: 0.0,
                    pnl: 0.0,
                    result: 0.0,
                    commission: 0.0,
                    dividends: 0.0,
                    borrow: 0.0,
                    mae: 0.0,
                    mfe: 0.0,
                    entry_why: why,
                    exit_why: "",
                    exit_reason: None,
                },
                bought: (0.0, 0.0),
                sold: (0.0, 0.0),
                levels: levels(&protection, price, direction),
                best: price,
                whole_bar: how.moment == Moment::Open,
            });
        }
        let asset_bars = &self.market.assets()[asset];
        let bar = self.bar;
        let Some(open) = &mut self.state.open[asset] else {
            return;
        };
        open.trade.commission += commission;
        if grows {
            open.bought.0 += size * price;
            open.bought.1 += size;
            open.trade.entry_price = open.bought.0 / open.bought.1;
            return;
        }
        open.sold.0 += size * price;
        open.sold.1 += size;
        if how.moment == Moment::Close && open.whole_bar {
            open.see(asset_bars.high[bar]);
            open.see(asset_bars.low[bar]);
        }
        open.see(price);
        if after == 0.0
            && let Some(open) = self.state.open[asset].take()
        {
            let mut trade = settled(&open);
            trade.exit_bar = Some(self.bar);
            trade.exit_why = why;
            trade.exit_reason = Some(how.reason);
            self.out.trades.push(trade);
        }
    }

    fn opening(&mut self) {
        for asset in 0..self.state.units.len() {
            if !self.trades(asset) {
                continue;
            }
            let quote = self.market.assets()[asset].open[self.bar];
            self.state.mark[asset] = quote;
            if let Some(open) = &mut self.state.open[asset] {
                open.whole_bar = true;
            }
        }
        for asset in 0..self.state.units.len() {
            if let Some(open) = &self.state.open[asset]
                && self.trades(asset)
            {
                let quote = self.market.assets()[asset].open[self.bar];
                let reason = if self.out.ruined.is_some() {
                    Some(Reason::Ruin)
                } else {
                    at_open(open, quote, self.bar)
                };
                if let Some(reason) = reason {
                    self.leave(asset, quote, Moment::Open, reason, false);
                }
            }
        }
        if self.state.book.is_empty() {
            return;
        }
        let due: Vec<(bool, usize)> = (0..self.state.book.len())
            .filter_map(|place| {
                let p = &self.state.book[place];
                let asset = p.order.asset;
                if !self.trades(asset) || self.how_at_open(p).is_none() {
                    return None;
                }
                Some((self.grows(p), place))
            })
            .collect();
        self.run_due(due, Self::how_at_open);
    }

    /// Fills what is due: reductions first, then the others, each in order of submission.
    fn run_due(&mut self, mut due: Vec<(bool, usize)>, how: fn(&Self, &Pending) -> Option<How>) {
        due.sort_unstable();
        for (_, place) in due {
            let mut p = self.state.book[place];
            if let Some(how) = how(self, &p) {
                self.execute(&mut p, how);
            }
            self.state.book[place] = p;
        }
        self.state.book.retain(|p| !p.done);
    }

    /// How an order fills at this open, if it does.
    fn how_at_open(&self, p: &Pending) -> Option<How> {
        let quote = self.market.assets()[p.order.asset].open[self.bar];
        let side = self.side(p);
        let at = |reason, limit| {
            Some(How {
                quote,
                moment: Moment::Open,
                reason,
                limit,
            })
        };
        match p.order.kind {
            Kind::Market if p.left.is_none() && self.settings.timing == Timing::NextClose => None,
            Kind::Market => at(Reason::Market, None),
            Kind::Limit(limit) => (side * (limit - quote) >= 0.0)
                .then(|| at(Reason::LimitAtOpen, Some(limit)))
                .flatten(),
            Kind::Stop(stop) => (side * (quote - stop) >= 0.0)
                .then(|| at(Reason::StopAtOpen, None))
                .flatten(),
            Kind::StopLimit { stop, limit } => {
                let awake = p.awake || side * (quote - stop) >= 0.0;
                (awake && side * (limit - quote) >= 0.0)
                    .then(|| at(Reason::LimitAtOpen, Some(limit)))
                    .flatten()
            }
        }
    }

    /// How a market order fills at this close.
    fn how_at_close(&self, p: &Pending) -> Option<How> {
        matches!(p.order.kind, Kind::Market).then(|| How {
            quote: self.market.assets()[p.order.asset].close[self.bar],
            moment: Moment::Close,
            reason: Reason::Market,
            limit: None,
        })
    }

    /// 1 for a purchase, -1 for a sale, 0 for nothing to do.
    fn side(&self, p: &Pending) -> f64 {
        let asset = p.order.asset;
        let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
        if let Some(left) = p.left {
            return sign(left);
        }
        match p.order.size {
            Size::Units(x) | Size::Value(x) => sign(x),
            Size::Close => -sign(self.state.units[asset]),
            Size::Weight(w) => {
                let value = self.state.units[asset] * self.state.mark[asset];
                sign(w * self.state.equity() - value)
            }
        }
    }

    fn grows(&self, p: &Pending) -> bool {
        let units = self.state.units[p.order.asset];
        units == 0.0 || self.side(p) == units.signum()
    }

    /// Ranges: protective exits, then limits and stops.
    fn inside(&mut self) {
        for asset in 0..self.state.units.len() {
            if !self.trades(asset) {
                continue;
            }
            self.protect(asset, true);
            for place in 0..self.state.book.len() {
                let mut p = self.state.book[place];
                if p.order.asset != asset || p.done || p.decided == self.bar {
                    continue;
                }
                let before = self.state.units[asset];
                if let Some(how) = self.how_inside(&mut p) {
                    self.execute(&mut p, how);
                }
                // `leave` below may take closing orders out of the book, hence the look by number.
                self.state.book[place] = p;
                let opened = before == 0.0 && self.state.units[asset] != 0.0;
                if opened && let Some(open) = &self.state.open[asset] {
                    let (d, stop) = (open.trade.direction, nearest_stop(open));
                    let bars = &self.market.assets()[asset];
                    let extreme = if d > 0.0 { bars.low } else { bars.high }[self.bar];
                    if let Some((stop, trailing)) = stop
                        && d * (stop - extreme) >= 0.0
                    {
                        let reason = if trailing {
                            Reason::Trailing
                        } else {
                            Reason::StopLoss
                        };
                        self.close_in_place(asset, stop, reason);
                    }
                }
            }
            self.state.book.retain(|p| !p.done);
        }
    }

    /// As `leave`, while the book is being walked: its places stay.
    fn close_in_place(&mut self, asset: usize, quote: f64, reason: Reason) {
        let book = std::mem::take(&mut self.state.book);
        self.leave(asset, quote, Moment::Inside, reason, false);
        self.state.book = book;
        if self.state.units[asset] == 0.0 {
            for p in &mut self.state.book {
                if p.order.asset == asset && p.order.size == Size::Close {
                    p.done = true;
                }
            }
        }
    }

    /// How a limit or stop order fills inside this bar, if it does.
    fn how_inside(&self, p: &mut Pending) -> Option<How> {
        let asset = &self.market.assets()[p.order.asset];
        let side = self.side(p);
        if side == 0.0 {
            return None;
        }
        // The extreme that a limit needs, and the one that a stop needs.
        let (good, bad) = if side > 0.0 {
            (asset.low[self.bar], asset.high[self.bar])
        } else {
            (asset.high[self.bar], asset.low[self.bar])
        };
        let at = |quote, reason, limit| {
            Some(How {
                quote,
                moment: Moment::Inside,
                reason,
                limit,
            })
        };
        match p.order.kind {
            Kind::Market => None,
            Kind::Limit(limit) if side * (limit - good) >= 0.0 => {
                at(limit, Reason::Limit, Some(limit))
            }
            Kind::Stop(stop) if side * (bad - stop) >= 0.0 => at(stop, Reason::Stop, None),
            Kind::Limit(_) | Kind::Stop(_) => None,
            Kind::StopLimit { stop, limit } => {
                if p.awake {
                    return (side * (limit - good) >= 0.0)
                        .then(|| at(limit, Reason::Limit, Some(limit)))
                        .flatten();
                }
                if side * (bad - stop) < 0.0 {
                    return None;
                }
                p.awake = true;
                // At the moment it wakes the price is the stop, or the open that lies beyond it.
                let open = asset.open[self.bar];
                let price = if side * (open - stop) >= 0.0 {
                    open
                } else {
                    stop
                };
                (side * (limit - price) >= 0.0)
                    .then(|| at(price, Reason::Stop, Some(limit)))
                    .flatten()
            }
        }
    }

    /// The protective exit of a position that was there at the open.
    fn protect(&mut self, asset: usize, targets: bool) {
        let Some(open) = &self.state.open[asset] else {
            return;
        };
        let bars = &self.market.assets()[asset];
        let d = open.trade.direction;
        let (o, worst, best) = if d > 0.0 {
            (bars.open, bars.low, bars.high)
        } else {
            (bars.open, bars.high, bars.low)
        };
        let (o, worst, best) = (o[self.bar], worst[self.bar], best[self.bar]);
        if let Some((stop, trailing)) = nearest_stop(open)
            && d * (stop - worst) >= 0.0
        {
            let jumped = d * (stop - o) >= 0.0;
            let reason = match (trailing, jumped) {
                (false, false) => Reason::StopLoss,
                (false, true) => Reason::StopLossAtOpen,
                (true, false) => Reason::Trailing,
                (true, true) => Reason::TrailingAtOpen,
            };
            let quote = if jumped { o } else { stop };
            self.leave(asset, quote, Moment::Inside, reason, false);
        } else if let Some(target) = open.levels.target
            && targets
            && d * (best - target) >= 0.0
        {
            let jumped = d * (o - target) >= 0.0;
            let (quote, reason) = if jumped {
                (o, Reason::TargetAtOpen)
            } else {
                (target, Reason::Target)
            };
            self.leave(asset, quote, Moment::Inside, reason, false);
        }
    }

    fn closing(&mut self) {
        let last = self.bar + 1 == self.market.bars();
        for asset in 0..self.state.units.len() {
            if self.trades(asset) {
                self.state.mark[asset] = self.market.assets()[asset].close[self.bar];
            }
        }
        if self.settings.timing == Timing::NextClose && !self.state.book.is_empty() {
            self.run_market_at_close(|p, bar| p.decided < bar);
        }
        if last && self.settings.finalize {
            for asset in 0..self.state.units.len() {
                let mark = self.state.mark[asset];
                // Where the asset does not trade the last known price must do, without a limit.
                let free = !self.trades(asset);
                self.leave(asset, mark, Moment::Close, Reason::End, free);
            }
        }
        for asset in 0..self.state.units.len() {
            if !self.trades(asset) {
                continue;
            }
            let bars = &self.market.assets()[asset];
            let (high, low, close) = (
                bars.high[self.bar],
                bars.low[self.bar],
                bars.close[self.bar],
            );
            if let Some(open) = &mut self.state.open[asset] {
                let d = open.trade.direction;
                let ahead = if open.whole_bar {
                    open.see(high);
                    open.see(low);
                    if d > 0.0 { high } else { low }
                } else {
                    close
                };
                if d * (ahead - open.best) > 0.0 {
                    open.best = ahead;
                }
            }
        }
        let bar = self.bar;
        let out = &mut self.out;
        self.state.book.retain(|p| {
            let over = p.order.good_for.is_some_and(|g| bar >= p.decided + g);
            if over {
                out.refused.push(Refused {
                    order: p.id,
                    bar,
                    asset: p.order.asset,
                    why: "not filled within its time",
                });
            }
            !over
        });
        if self.out.ruined.is_none() && self.state.equity() <= 0.0 {
            self.out.ruined = Some(self.bar);
        }
    }

    fn run_market_at_close(&mut self, picked: impl Fn(&Pending, usize) -> bool) {
        let due: Vec<(bool, usize)> = (0..self.state.book.len())
            .filter_map(|place| {
                let p = &self.state.book[place];
                let due = self.trades(p.order.asset)
                    && picked(p, self.bar)
                    && matches!(p.order.kind, Kind::Market);
                due.then(|| (self.grows(p), place))
            })
            .collect();
        self.run_due(due, Self::how_at_close);
    }

    /// Takes new orders into the book.
    fn take(&mut self, orders: &mut Orders) -> Result<(), EngineError> {
        for asset in orders.cancelled.drain(..) {
            self.state.book.retain(|p| p.order.asset != asset);
        }
        if orders.submitted.is_empty() {
            return Ok(());
        }
        for (id, order) in orders.submitted.drain(..) {
            order.check(self.state.units.len())?;
            let why = if !self.state.alive[order.asset] {
                Some("the asset has left the market")
            } else if self.out.ruined.is_some() {
                Some("no equity left")
            } else {
                None
            };
            match why {
                Some(why) => self.out.refused.push(Refused {
                    order: id,
                    bar: self.bar,
                    asset: order.asset,
                    why,
                }),
                None => self.state.book.push(Pending {
                    id,
                    order,
                    decided: self.bar,
                    left: None,
                    awake: false,
                    done: false,
                }),
            }
        }
        if self.settings.timing == Timing::ThisClose {
            self.run_market_at_close(|p, bar| p.decided == bar);
        }
        Ok(())
    }

    fn record(&mut self) {
        let equity = self.state.equity();
        let out = &mut self.out;
        out.equity.push(equity);
        out.cash.push(self.state.cash);
        out.carry.push(self.carry);
        out.exposure.push(if equity > 0.0 {
            self.state.gross() / equity
        } else {
            0.0
        });
        out.traded.push(self.traded);
        for (column, units) in out.units.iter_mut().zip(&self.state.units) {
            column.push(*units);
        }
    }

    fn finish(mut self) -> Outcome {
        let open = self.state.open.iter().flatten().map(settled);
        self.out.open = open.collect();
        self.out
    }

    /// Fills an order as far as limits allow.
    fn execute(&mut self, p: &mut Pending, how: How) {
        p.done = true;
        let asset = p.order.asset;
        let refuse = |broker: &mut Self, id: u64, why: &'static str| {
            broker.out.refused.push(Refused {
                order: id,
                bar: broker.bar,
                asset,
                why,
            });
        };
        let side = self.side(p);
        if side == 0.0 {
            return;
        }
        let held = self.state.units[asset];
        // First what reduces a position the other way.
        let mut first = true;
        let mut wanted = self.wanted(p, how, side);
        if held != 0.0 && held.signum() != side {
            let closing = match wanted {
                Wanted::Units(units) => units.min(held.abs()),
                Wanted::Budget { closing, .. } => closing.min(held.abs()),
            };
            // A whole position goes as it is; a part of it by the lot.
            let closing = if closing == held.abs() {
                closing
            } else {
                self.lot(closing)
            };
            let take = self.within_volume(asset, closing);
            let rest = match wanted {
                Wanted::Units(units) => units - take,
                Wanted::Budget { .. } => closing - take,
            };
            let cut = take < closing;
            if take > 0.0 {
                let left = if cut { side * rest } else { 0.0 };
                self.trade(asset, side * take, how, Some(p), true, left);
                first = false;
            } else if !cut {
                refuse(self, p.id, "less than one share");
                return;
            }
            if cut {
                p.left = Some(side * rest);
                p.done = false;
                return;
            }
            match &mut wanted {
                Wanted::Units(units) => *units -= take,
                Wanted::Budget { opening, .. } => {
                    if let Size::Weight(w) = p.order.size {
                        // What the close has cost is gone.
                        *opening = if w == 0.0 || (w > 0.0) != (side > 0.0) {
                            0.0
                        } else {
                            w.abs() * self.state.equity()
                        };
                    }
                }
            }
            let over = match wanted {
                Wanted::Units(units) => units <= 0.0,
                Wanted::Budget { opening, .. } => opening <= 0.0,
            };
            if over || self.state.units[asset] != 0.0 {
                return;
            }
        } else if p.order.size == Size::Close {
            return;
        }
        // Then what opens or increases one.
        if self.out.ruined.is_some() {
            refuse(self, p.id, "no equity left");
            return;
        }
        if side < 0.0 && !self.settings.limits.shorts {
            refuse(self, p.id, "short positions are not allowed");
            return;
        }
        let count = self.state.units.iter().filter(|u| **u != 0.0).count();
        let opens = self.state.units[asset] == 0.0;
        if opens
            && self
                .settings
                .limits
                .max_positions
                .is_some_and(|m| count >= m)
        {
            refuse(self, p.id, "there are as many positions as are allowed");
            return;
        }
        let volume = self.volume(asset);
        // The price depends on the size and the size on the price: sized at the price of next to
        // nothing, then once more at the price of that size.
        let (price, ..) = self.price(how, side, 0.0, volume);
        let size = self.lot(self.fits(p, side, wanted, price, how.quote, first));
        let (price, ..) = self.price(how, side, size, volume);
        let size = self.lot(self.fits(p, side, wanted, price, how.quote, first));
        // What rounding leaves of an account that is fully invested is no position.
        if size <= 0.0 || size * price < 1e-12 * self.state.equity() {
            let lot = self.settings.whole_shares;
            let why = if lot {
                "not enough room or cash for one share"
            } else {
                "not enough room or cash"
            };
            refuse(self, p.id, why);
            return;
        }
        let take = self.within_volume(asset, size);
        let left = side * (size - take);
        if take > 0.0 {
            self.trade(asset, side * take, how, Some(p), first, left);
        }
        if left != 0.0 {
            p.left = Some(left);
            p.done = false;
        }
    }

    /// What an order wants of the side it is on.
    fn wanted(&self, p: &Pending, how: How, side: f64) -> Wanted {
        let held = self.state.units[p.order.asset];
        let against = held != 0.0 && held.signum() != side;
        if let Some(left) = p.left {
            return Wanted::Units(left.abs());
        }
        match p.order.size {
            Size::Units(units) => Wanted::Units(self.lot(units.abs())),
            Size::Close => Wanted::Units(held.abs()),
            Size::Value(value) => {
                let closing = if against {
                    value.abs() / how.quote
                } else {
                    0.0
                };
                let closed = closing.min(held.abs()) * how.quote;
                Wanted::Budget {
                    closing,
                    opening: if against {
                        (value.abs() - closed).max(0.0)
                    } else {
                        value.abs()
                    },
                }
            }
            Size::Weight(w) => {
                let value = held * self.state.mark[p.order.asset];
                let delta = w * self.state.equity() - value;
                let turns = against && w != 0.0 && (w > 0.0) == (side > 0.0);
                let closing = if w == 0.0 || turns {
                    held.abs()
                } else {
                    delta.abs() / how.quote
                };
                Wanted::Budget {
                    closing: if against { closing } else { 0.0 },
                    opening: delta.abs(),
                }
            }
        }
    }

    /// Units that an opening order may have at a price, before rounding.
    fn fits(
        &self,
        p: &Pending,
        side: f64,
        wanted: Wanted,
        price: f64,
        quote: f64,
        first: bool,
    ) -> f64 {
        let costs = &self.settings.costs;
        let limits = &self.settings.limits;
        let mut size = match wanted {
            Wanted::Units(units) => units,
            Wanted::Budget { opening, .. } => costs.affordable(opening, price, first),
        };
        let state = &self.state;
        let equity = state.equity();
        // Credit left: max_gross · equity less the value of all positions. Without short positions
        // and with max_gross 1 it is the cash.
        let power = state.cash - 2.0 * state.short_value() + (limits.max_gross - 1.0) * equity;
        size = size.min(costs.affordable(power, price, first));
        if let (Some(risk), Some(stop)) = (p.order.max_risk, p.order.protection.stop) {
            let distance = match stop {
                Away::Share(s) => price * s,
                Away::Amount(a) => a,
                Away::Price(p) => (price - p).abs(),
            };
            size = size.min((risk * equity / distance).max(0.0));
        }
        if let Some(most) = limits.max_weight {
            let held = state.units[p.order.asset] * side * quote;
            size = size.min(((most * equity - held) / quote).max(0.0));
        }
        size
    }
}

/// What is left to do of an order on its side.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Units(f64),
    /// Units to close, then currency to open with.
    Budget {
        closing: f64,
        opening: f64,
    },
}

fn levels(p: &Protection, price: f64, d: f64) -> Levels {
    let place = |away: Away, sign: f64| match away {
        Away::Share(s) => price * (1.0 + sign * d * s),
        Away::Amount(a) => price + sign * d * a,
        Away::Price(p) => p,
    };
    Levels {
        stop: p.stop.map(|a| place(a, -1.0)),
        target: p.target.map(|a| place(a, 1.0)),
        trail: p.trail,
        max_bars: p.max_bars,
    }
}

/// The stop or trailing stop that is reached first, and whether it is the trailing one.
fn nearest_stop(open: &Open) -> Option<(f64, bool)> {
    let d = open.trade.direction;
    match (open.levels.stop, open.trailing()) {
        (Some(stop), Some(trail)) if d * (trail - stop) > 0.0 => Some((trail, true)),
        (Some(stop), _) => Some((stop, false)),
        (None, trail) => trail.map(|t| (t, true)),
    }
}

/// Why a position is closed at an open, if it is.
fn at_open(open: &Open, quote: f64, bar: usize) -> Option<Reason> {
    let d = open.trade.direction;
    if let Some((stop, trailing)) = nearest_stop(open)
        && d * (stop - quote) >= 0.0
    {
        return Some(if trailing {
            Reason::TrailingAtOpen
        } else {
            Reason::StopLossAtOpen
        });
    }
    if open.levels.target.is_some_and(|t| d * (quote - t) >= 0.0) {
        return Some(Reason::TargetAtOpen);
    }
    let over = |max: usize| bar >= open.trade.entry_bar + max;
    open.levels
        .max_bars
        .is_some_and(over)
        .then_some(Reason::TimeExit)
}

/// The trade of a position with its figures.
fn settled(open: &Open) -> Trade {
    let mut t = open.trade;
    t.units = open.bought.1;
    t.exit_price = open.sold.0 / open.sold.1;
    // Of what is still held nothing is realised.
    let cost = t.entry_price * open.sold.1;
    t.pnl = t.direction * (open.sold.0 - cost) - t.commission + t.dividends - t.borrow;
    if open.sold.1 == open.bought.1 {
        t.pnl = t.direction * (open.sold.0 - open.bought.0) - t.commission + t.dividends - t.borrow;
    }
    t.result = t.pnl / open.bought.0;
    t
}
