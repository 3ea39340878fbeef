//! Indicators as states that take one bar after the other.
//!
//! An author of an indicator writes a [`State`]; the columns over a whole history are that state fed
//! with every bar in turn, so the two forms agree bit for bit and neither looks ahead.

use crate::card::Card;
use crate::design::Bars;
use crate::error::FitError;
use crate::model::{Columns, Indicator};
use crate::params::Params;

/// One bar. A number that no field of an indicator's [`Streamed::READS`] names is never looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bar {
    /// Open.
    pub open: f64,
    /// High.
    pub high: f64,
    /// Low.
    pub low: f64,
    /// Close.
    pub close: f64,
    /// Volume in shares.
    pub volume: f64,
}

/// A number of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Open.
    Open,
    /// High.
    High,
    /// Low.
    Low,
    /// Close.
    Close,
    /// Volume in shares.
    Volume,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Open, Self::High, Self::Low, Self::Close, Self::Volume];

    /// Name of the column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
        }
    }

    /// The number in a bar.
    #[must_use]
    pub const fn of(self, bar: &Bar) -> f64 {
        match self {
            Self::Open => bar.open,
            Self::High => bar.high,
            Self::Low => bar.low,
            Self::Close => bar.close,
            Self::Volume => bar.volume,
        }
    }
}

/// The values after a bar: an array of them.
pub trait Row: AsRef<[Option<f64>]> + Sized {
    /// Rows, not more than `count`, turned into columns of that length.
    fn columns(count: usize, rows: impl Iterator<Item = Self>) -> Vec<Vec<Option<f64>>>;
}

impl<const N: usize> Row for [Option<f64>; N] {
    // Part of the caller, so that the state of the indicator can live in registers.
    #[inline(always)]
    fn columns(count: usize, rows: impl Iterator<Item = Self>) -> Vec<Vec<Option<f64>>> {
        let mut columns: [Vec<Option<f64>>; N] = std::array::from_fn(|_| vec![None; count]);
        let mut places = columns.each_mut().map(|column| column.iter_mut());
        for row in rows {
            for (place, value) in places.iter_mut().zip(row) {
                if let Some(place) = place.next() {
                    *place = value;
                }
            }
        }
        columns.into()
    }
}

/// An indicator after some bars.
pub trait State: Send + 'static {
    /// As many values as the card has outputs.
    type Row: Row;

    /// Takes the next bar and says what is known after it: one value an output, in the order of the
    /// card, `None` while warming up. Time and memory grow with the longest window at most, never
    /// with the number of bars.
    fn push(&mut self, bar: &Bar) -> Self::Row;

    /// The columns of a whole history: each bar pushed in turn. A state that can take them faster together
    /// says so here; the values are those of [`Self::push`] to the bit.
    #[inline(always)]
    fn columns(mut self, bars: &Feed<'_>) -> Vec<Vec<Option<f64>>>
    where
        Self: Sized,
    {
        let rows = bars.iter().map(move |bar| self.push(&bar));
        Self::Row::columns(bars.len(), rows)
    }
}

/// The bars of a whole history, oldest first.
pub struct Feed<'a> {
    open: &'a [f64],
    high: &'a [f64],
    low: &'a [f64],
    close: &'a [f64],
    volume: &'a [f64],
}

impl<'a> Feed<'a> {
    /// The bars, of which the fields named must be there. The close stands in for another that is not.
    ///
    /// # Errors
    /// [`FitError::Data`] naming a field that is not there.
    pub fn new(bars: &'a Bars, reads: &[Field]) -> Result<Self, FitError> {
        let column = |field: Field, found: &'a Option<Vec<f64>>| {
            if reads.contains(&field) {
                bars.column(field.name(), found)
            } else {
                Ok(found.as_deref().unwrap_or(&bars.close))
            }
        };
        Ok(Self {
            open: column(Field::Open, &bars.open)?,
            high: column(Field::High, &bars.high)?,
            low: column(Field::Low, &bars.low)?,
            close: &bars.close,
            volume: column(Field::Volume, &bars.volume)?,
        })
    }

    /// Number of bars.
    #[must_use]
    pub fn len(&self) -> usize {
        self.close.len()
    }

    /// Whether there is no bar.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.close.is_empty()
    }

    /// Opens; as long as the closes, like the other columns.
    #[must_use]
    pub fn open(&self) -> &'a [f64] {
        self.open
    }

    /// Highs.
    #[must_use]
    pub fn high(&self) -> &'a [f64] {
        self.high
    }

    /// Lows.
    #[must_use]
    pub fn low(&self) -> &'a [f64] {
        self.low
    }

    /// Closes.
    #[must_use]
    pub fn close(&self) -> &'a [f64] {
        self.close
    }

    /// Volumes in shares.
    #[must_use]
    pub fn volume(&self) -> &'a [f64] {
        self.volume
    }

    /// The bars one after the other.
    #[inline(always)]
    pub fn iter(&self) -> impl Iterator<Item = Bar> + use<'a> {
        let prices = self
            .open
            .iter()
            .zip(self.high)
            .zip(self.low)
            .zip(self.close);
        prices
            .zip(self.volume)
            .map(|((((open, high), low), close), volume)| Bar {
                open: *open,
                high: *high,
                low: *low,
                close: *close,
                volume: *volume,
            })
    }
}

/// An indicator that is a fold over its bars. Every one is an [`Indicator`].
pub trait Streamed: 'static {
    /// Parameters.
    type Params: Params;
    /// The state.
    type State: State;
    /// The card.
    const CARD: &'static Card;
    /// What it reads of a bar.
    const READS: &'static [Field];
    /// As [`Indicator::WHOLE`].
    const WHOLE: &'static [&'static str] = &[];

    /// The state before the first bar.
    ///
    /// # Errors
    /// [`FitError::Param`] when parameters contradict each other.
    fn start(params: &Self::Params) -> Result<Self::State, FitError>;
}

impl<M: Streamed> Indicator for M {
    type Params = M::Params;
    const CARD: &'static Card = M::CARD;
    const WHOLE: &'static [&'static str] = M::WHOLE;

    fn compute(params: &M::Params, bars: &Bars) -> Result<Columns, FitError> {
        let values = M::start(params)?.columns(&Feed::new(bars, M::READS)?);
        let names = M::CARD.outputs.iter().map(|(name, _)| *name);
        Ok(names.zip(values).collect())
    }
}

/// An indicator with its types erased, fed bar by bar.
pub trait Stream: Send {
    /// What it reads of a bar.
    fn reads(&self) -> &'static [Field];

    /// Names of the outputs, in the order of the values.
    fn outputs(&self) -> Vec<&'static str>;

    /// Takes the next bar: one value an output, `None` while warming up.
    ///
    /// # Errors
    /// [`FitError::Data`] naming a number it reads that is not finite; the state is as before.
    fn push(&mut self, bar: Bar) -> Result<Vec<Option<f64>>, FitError>;
}

struct Held<M: Streamed>(M::State);

impl<M: Streamed> Stream for Held<M> {
    fn reads(&self) -> &'static [Field] {
        M::READS
    }

    fn outputs(&self) -> Vec<&'static str> {
        M::CARD.outputs.iter().map(|(name, _)| *name).collect()
    }

    fn push(&mut self, bar: Bar) -> Result<Vec<Option<f64>>, FitError> {
        match M::READS.iter().find(|f| !f.of(&bar).is_finite()) {
            Some(field) => Err(FitError::Data(format!(
                "{} of the bar: {} is not a finite number",
                field.name(),
                field.of(&bar)
            ))),
            None => Ok(self.0.push(&bar).as_ref().to_vec()),
        }
    }
}

/// The erased state before the first bar.
///
/// # Errors
/// As [`Streamed::start`].
pub fn start<M: Streamed>(params: &M::Params) -> Result<Box<dyn Stream>, FitError> {
    Ok(Box::new(Held::<M>(M::start(params)?)))
}
