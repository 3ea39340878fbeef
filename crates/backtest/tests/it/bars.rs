//! The real bars of `tests/data`, and random columns by seed.

use mltrainer_backtest::engine::{Asset, Event, Market};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Bars of one symbol.
#[derive(Clone)]
pub(crate) struct Sheet {
    pub symbol: &'static str,
    pub open: Vec<f64>,
    pub high: Vec<f64>,
    pub low: Vec<f64>,
    pub close: Vec<f64>,
    pub volume: Vec<f64>,
    pub adj_close: Vec<f64>,
    pub days: Vec<i32>,
    pub events: Vec<Event>,
}

fn read(symbol: &'static str, text: &str) -> Sheet {
    let mut columns = vec![Vec::new(); 6];
    let mut days = Vec::new();
    for line in text.lines().skip(1) {
        let mut cells = line.split(',');
        let day: chrono::NaiveDate = cells.next().unwrap().parse().unwrap();
        days.push(day.to_epoch_days());
        for (column, cell) in columns.iter_mut().zip(cells) {
            column.push(cell.parse().unwrap());
        }
    }
    let mut next = columns.into_iter();
    let mut column = || next.next().unwrap();
    Sheet {
        symbol,
        open: column(),
        high: column(),
        low: column(),
        close: column(),
        volume: column(),
        adj_close: column(),
        days,
        events: Vec::new(),
    }
}

/// AAPL, IBM and MSFT on common days.
pub(crate) fn sheets() -> Vec<Sheet> {
    vec![
        read("AAPL", include_str!("../data/aapl.csv")),
        read("IBM", include_str!("../data/ibm.csv")),
        read("MSFT", include_str!("../data/msft.csv")),
    ]
}

impl Sheet {
    pub(crate) fn asset(&self) -> Asset<'_> {
        Asset {
            symbol: self.symbol,
            open: &self.open,
            high: &self.high,
            low: &self.low,
            close: &self.close,
            volume: Some(&self.volume),
            events: &self.events,
        }
    }

    /// So many bars from one on.
    pub(crate) fn cut(&self, from: usize, bars: usize) -> Self {
        let part = |v: &[f64]| v[from..from + bars].to_vec();
        Self {
            symbol: self.symbol,
            open: part(&self.open),
            high: part(&self.high),
            low: part(&self.low),
            close: part(&self.close),
            volume: part(&self.volume),
            adj_close: part(&self.adj_close),
            days: self.days[from..from + bars].to_vec(),
            events: Vec::new(),
        }
    }
}

pub(crate) fn market(sheets: &[Sheet]) -> Market<'_> {
    let assets = sheets.iter().map(Sheet::asset).collect();
    Market::new(assets, Some(&sheets[0].days)).unwrap()
}

pub(crate) fn random(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// A column that is true with a probability.
pub(crate) fn coins(rng: &mut impl Rng, bars: usize, p: f64) -> Vec<bool> {
    (0..bars).map(|_| rng.gen_bool(p)).collect()
}
