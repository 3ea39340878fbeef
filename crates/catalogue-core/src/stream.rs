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

/// An indicator after some bars.
pub trait State: Send + 'static {
    /// An array of as many values as the card has outputs.
    type Row: AsRef<[Option<f64>]>;

    /// Takes the next bar and says what is known after it: one value an output, in the order of the
    /// card, `None` while warming up. Time and memory grow with the longest window at most, never
    /// with the number of bars.
    fn push(&mut self, bar: &Bar) -> Self::Row;
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
        let mut state = M::start(params)?;
        let close = bars.close.as_slice();
        let open = column::<M>(bars, Field::Open)?;
        let high = column::<M>(bars, Field::High)?;
        let low = column::<M>(bars, Field::Low)?;
        let volume = column::<M>(bars, Field::Volume)?;
        let width = M::CARD.outputs.len();
        let mut values: Vec<Vec<Option<f64>>> = (0..width)
            .map(|_| Vec::with_capacity(close.len()))
            .collect();
        let rows = open.iter().zip(high).zip(low).zip(close).zip(volume);
        for ((((open, high), low), close), volume) in rows {
            let row = state.push(&Bar {
                open: *open,
                high: *high,
                low: *low,
                close: *close,
                volume: *volume,
            });
            for (column, value) in values.iter_mut().zip(row.as_ref()) {
                column.push(*value);
            }
        }
        let names = M::CARD.outputs.iter().map(|(name, _)| *name);
        Ok(names.zip(values).collect())
    }
}

/// A column of the bars. One that is not read may be absent: the close stands in for it.
fn column<M: Streamed>(bars: &Bars, field: Field) -> Result<&[f64], FitError> {
    let found = match field {
        Field::Open => &bars.open,
        Field::High => &bars.high,
        Field::Low => &bars.low,
        Field::Close => &None,
        Field::Volume => &bars.volume,
    };
    if M::READS.contains(&field) && field != Field::Close {
        bars.column(field.name(), found)
    } else {
        Ok(found.as_deref().unwrap_or(&bars.close))
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
