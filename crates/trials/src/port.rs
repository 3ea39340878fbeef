//! What the engine needs from outside: a store of trials, verified data, a clock and somewhere to
//! send events. Records and writes are stated here; SQL, files and the network live elsewhere.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use mltrainer_compliance::Verified;
use mltrainer_data::bars::Bars;
use mltrainer_data::series::Series;
use mltrainer_types::TrialId;
use mltrainer_types::audit::AuditEntry;
use mltrainer_types::event::{EventBody, StateEvent, TrialEvent};
use mltrainer_types::policy::Refusal;
use mltrainer_types::trial::{
    DatasetRef, LeaderboardRow, Lineage, Progress, TrialSpec, TrialState, TrialView, Verdict,
};
use std::collections::BTreeMap;
use std::time::Duration;
use thiserror::Error;

/// A trial as it is stored: the same fields as outside programs see.
pub type TrialRecord = TrialView;

/// Out-of-sample rows of one step, as columns of equal length, ordered by day and then symbol.
///
/// They are enough for every figure of the leaderboard, so that nothing is fitted again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Predictions {
    /// Place of the symbol in the specification.
    pub symbol: Vec<u32>,
    /// Day after whose close the forecast was made.
    pub day: Vec<NaiveDate>,
    /// The forecast in the target's unit (for direction: the label). NaN for a model that states a
    /// position without a forecast.
    pub predicted: Vec<f64>,
    /// What came true, in the target's unit.
    pub actual: Vec<f64>,
    /// The same quantity as last known on that day.
    pub known: Vec<f64>,
    /// Simple return of the next bar.
    pub next_return: Vec<f64>,
    /// Probability of a rise, one a row; empty unless the target is direction.
    pub probability: Vec<f64>,
    /// Position in [-1, 1], one a row; empty unless the model states positions itself.
    pub position: Vec<f64>,
}

/// A finished step. It is written once and never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRecord {
    /// Place in the plan, from 0.
    pub index: u32,
    /// Entry id, as in the specification.
    pub model: String,
    /// Place of the model in the specification: one entry may stand there twice with other
    /// parameters.
    pub model_index: u32,
    /// Bars ahead.
    pub horizon: u32,
    /// Fold, from 1.
    pub fold: u32,
    /// Folds in all.
    pub folds: u32,
    /// Why it failed, if it did; then `predictions` is empty.
    pub error: Option<String>,
    /// Things to know about the fit: constant columns left out, ...
    pub notes: Vec<String>,
    /// Milliseconds the step took; no part of any hash.
    pub took_ms: f64,
    /// Test rows. Store [`Predictions::encode`], read with [`Predictions::decode`].
    pub predictions: Predictions,
    /// Where the fit of the next fold starts. Store [`Starts::encode`], read with [`Starts::decode`].
    pub starts: Starts,
}

/// Where the searches of a step ended, by the place of the symbol in the specification: the step of the same
/// model and horizon on the next fold starts from there. Empty for a model that starts every fit anew.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Starts(pub BTreeMap<u32, Vec<f64>>);

/// A change of state with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The new state.
    pub state: TrialState,
    /// Why: the cause of a failure, the rule of a block; `None` clears an earlier one.
    pub reason: Option<String>,
}

/// The outcome of a finished trial.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialResult {
    /// Best first.
    pub leaderboard: Vec<LeaderboardRow>,
    /// In words.
    pub verdict: Verdict,
    /// From the result back to its sources.
    pub lineage: Lineage,
    /// Hash over leaderboard and predictions.
    pub result_sha256: String,
}

/// What one transaction writes: everything in it, or nothing.
///
/// `updated_at` of the trial becomes `at` when the state changes. Events get the next numbers of
/// the trial, in order, and `at` as their time.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialWrite {
    /// When.
    pub at: DateTime<Utc>,
    /// A finished step to add.
    pub step: Option<StepRecord>,
    /// A change of state.
    pub state: Option<StateChange>,
    /// Steps done and to do.
    pub progress: Option<Progress>,
    /// The provisional leaderboard, replacing the one before.
    pub leaderboard: Option<Vec<LeaderboardRow>>,
    /// Lineage as far as it reaches.
    pub lineage: Option<Lineage>,
    /// The outcome (replaces leaderboard and lineage).
    pub result: Option<TrialResult>,
    /// Events to number and store.
    pub events: Vec<EventBody>,
    /// Entries for the audit chain, in the same transaction.
    pub audit: Vec<AuditEntry>,
}

impl TrialWrite {
    /// A write of nothing yet.
    #[must_use]
    pub fn new(at: DateTime<Utc>) -> Self {
        Self {
            at,
            step: None,
            state: None,
            progress: None,
            leaderboard: None,
            lineage: None,
            result: None,
            events: Vec::new(),
            audit: Vec::new(),
        }
    }
}

/// The first event of every trial; whoever creates a trial stores it as number 1 together with the
/// record in state `queued`.
#[must_use]
pub fn first_event() -> EventBody {
    EventBody::State(StateEvent {
        state: TrialState::Queued,
        reason: None,
        progress: Progress::default(),
    })
}

/// Why the store did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PortError {
    /// The database is locked by another program; trying again may help.
    #[error("{0}")]
    Busy(String),
    /// The disk is full; trying again may help.
    #[error("{0}")]
    Full(String),
    /// The write contradicts what is stored: a step that is there already, a trial that has ended.
    #[error("{0}")]
    Conflict(String),
    /// Anything else: what, where, what to do.
    #[error("{0}")]
    Failed(String),
}

impl PortError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Full(_))
    }
}

/// Why the engine did not do as asked, or a trial ended early.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TrialError {
    /// There is no such trial.
    #[error("there is no trial {0}")]
    Unknown(TrialId),
    /// The trial is in a state that does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The gate refused the data.
    #[error("{}", .0.reason)]
    Blocked(Refusal),
    /// The data cannot be used: which, why, what to do.
    #[error("{0}")]
    Data(String),
    /// The store failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The engine is shutting down.
    #[error("the trial engine is shutting down; the trial goes on after the next start")]
    Closing,
}

/// The store of trials.
#[async_trait]
pub trait TrialPort: Send + Sync {
    /// A trial, or `None` when there is none of that id.
    async fn trial(&self, id: &TrialId) -> Result<Option<TrialRecord>, PortError>;

    /// Its finished steps, by index.
    async fn steps(&self, id: &TrialId) -> Result<Vec<StepRecord>, PortError>;

    /// Writes everything in one transaction and returns the stored events with their numbers.
    ///
    /// # Errors
    /// [`PortError::Conflict`] when the trial is in a final state, or the step is already there;
    /// nothing is written on any error.
    async fn commit(&self, id: &TrialId, write: TrialWrite) -> Result<Vec<TrialEvent>, PortError>;

    /// Trials in a state from `queued` to `evaluating` whose owner is dead or is this process.
    async fn unfinished(&self) -> Result<Vec<TrialId>, PortError>;

    /// Combinations of model and horizon (baselines not counted) ever tried with this target on at
    /// least one of these symbols, this trial included. A specification that was run twice counts
    /// once: see [`crate::spec::spec_key`] and [`crate::spec::combinations`].
    async fn tried(&self, spec: &TrialSpec) -> Result<u32, PortError>;
}

/// Verified data.
#[async_trait]
pub trait DataPort: Send + Sync {
    /// All bars of a data set. The engine compares their hash with the reference.
    ///
    /// # Errors
    /// [`TrialError::Blocked`] when the gate refuses, [`TrialError::Data`] when it is gone.
    async fn bars(&self, dataset: &DatasetRef) -> Result<Verified<Bars>, TrialError>;

    /// An economic series (`VIXCLS`), or `None` when it is not at hand.
    ///
    /// # Errors
    /// As [`DataPort::bars`].
    async fn series(&self, id: &str) -> Result<Option<Verified<Series>>, TrialError>;
}

/// Time, handed in.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> DateTime<Utc>;
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
}

/// Where stored events are sent.
pub trait EventSink: Send + Sync {
    /// Sends events that are already stored. It must not block.
    fn publish(&self, trial: &TrialId, events: &[TrialEvent]);
}

const MAGIC: &[u8; 8] = b"mltpred1";

impl Starts {
    /// The numbers bit by bit; no bytes for none.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (symbol, numbers) in &self.0 {
            out.extend_from_slice(&symbol.to_le_bytes());
            out.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
            for x in numbers {
                out.extend_from_slice(&x.to_bits().to_le_bytes());
            }
        }
        out
    }

    /// Reads what [`Starts::encode`] wrote.
    ///
    /// # Errors
    /// One sentence when the bytes are not of that form or length.
    pub fn decode(bytes: &[u8]) -> Result<Self, PortError> {
        let mut reader = Reader { bytes };
        let mut starts = BTreeMap::new();
        while !reader.bytes.is_empty() {
            let symbol = u32::from_le_bytes(reader.array()?);
            let n = u32::from_le_bytes(reader.array()?);
            let mut numbers = Vec::new();
            for _ in 0..n {
                numbers.push(f64::from_bits(u64::from_le_bytes(reader.array()?)));
            }
            if starts.insert(symbol, numbers).is_some() {
                return Err(damaged());
            }
        }
        Ok(Self(starts))
    }
}

impl Predictions {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.day.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.day.is_empty()
    }

    /// The rows as bytes, every number bit by bit.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let n = self.len();
        let mut out = Vec::with_capacity(18 + n * 56);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(n as u64).to_le_bytes());
        out.push(u8::from(!self.probability.is_empty()));
        out.push(u8::from(!self.position.is_empty()));
        for s in &self.symbol {
            out.extend_from_slice(&s.to_le_bytes());
        }
        for d in &self.day {
            out.extend_from_slice(&chrono::Datelike::num_days_from_ce(d).to_le_bytes());
        }
        for column in self.columns() {
            for x in column {
                out.extend_from_slice(&x.to_bits().to_le_bytes());
            }
        }
        out
    }

    /// Reads what [`Predictions::encode`] wrote.
    ///
    /// # Errors
    /// One sentence when the bytes are not of that form or length.
    pub fn decode(bytes: &[u8]) -> Result<Self, PortError> {
        let mut reader = Reader { bytes };
        if reader.take(8)? != MAGIC {
            return Err(damaged());
        }
        let n = u64::from_le_bytes(reader.array()?);
        // Each row takes at least 8 bytes: a longer claim is damage, not a reason to allocate.
        let n = usize::try_from(n)
            .ok()
            .filter(|n| n.checked_mul(8).is_some_and(|b| b <= bytes.len()))
            .ok_or_else(damaged)?;
        let [has_probability, has_position] = reader.array()?;
        let mut symbol = Vec::with_capacity(n);
        for _ in 0..n {
            symbol.push(u32::from_le_bytes(reader.array()?));
        }
        let mut day = Vec::with_capacity(n);
        for _ in 0..n {
            let number = i32::from_le_bytes(reader.array()?);
            day.push(NaiveDate::from_num_days_from_ce_opt(number).ok_or_else(damaged)?);
        }
        let mut column = |present: bool| -> Result<Vec<f64>, PortError> {
            let mut values = Vec::new();
            for _ in 0..if present { n } else { 0 } {
                values.push(f64::from_bits(u64::from_le_bytes(reader.array()?)));
            }
            Ok(values)
        };
        let decoded = Self {
            predicted: column(true)?,
            actual: column(true)?,
            known: column(true)?,
            next_return: column(true)?,
            probability: column(has_probability != 0)?,
            position: column(has_position != 0)?,
            symbol,
            day,
        };
        if reader.bytes.is_empty() {
            Ok(decoded)
        } else {
            Err(damaged())
        }
    }

    /// The columns of numbers in the order of [`Predictions::encode`].
    pub(crate) fn columns(&self) -> [&[f64]; 6] {
        [
            &self.predicted,
            &self.actual,
            &self.known,
            &self.next_return,
            &self.probability,
            &self.position,
        ]
    }
}

fn damaged() -> PortError {
    PortError::Failed("stored steps are damaged: restore the database from a backup".into())
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], PortError> {
        let (head, rest) = self.bytes.split_at_checked(n).ok_or_else(damaged)?;
        self.bytes = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PortError> {
        self.take(N)?.try_into().map_err(|_| damaged())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Predictions {
        let day = |d| NaiveDate::from_ymd_opt(2008, 9, d).unwrap();
        Predictions {
            symbol: vec![0, 1],
            day: vec![day(15), day(15)],
            predicted: vec![f64::NAN, -0.0],
            actual: vec![0.1, 0.2],
            known: vec![1.0, 2.0],
            next_return: vec![-0.04, 5e-324],
            probability: Vec::new(),
            position: vec![1.0, 1.0],
        }
    }

    #[test]
    fn predictions_survive_encoding_bit_by_bit() {
        let bytes = sample().encode();
        let back = Predictions::decode(&bytes).unwrap();
        assert_eq!(back.encode(), bytes);
        assert_eq!(back.day, sample().day);
        assert!(back.predicted[0].is_nan() && back.probability.is_empty());
    }

    #[test]
    fn starts_survive_encoding_bit_by_bit() {
        let none = Starts::default();
        assert!(none.encode().is_empty());
        assert_eq!(Starts::decode(&[]).unwrap(), none);
        let numbers = vec![0.1, -0.0, f64::NAN, 5e-324];
        let starts = Starts(BTreeMap::from([(0, numbers), (3, Vec::new())]));
        let bytes = starts.encode();
        let back = Starts::decode(&bytes).unwrap();
        assert_eq!(back.encode(), bytes);
        assert_eq!(back.0.keys().copied().collect::<Vec<_>>(), [0, 3]);
        for n in 1..bytes.len() {
            // Cut behind the first symbol's numbers, what is left is whole.
            assert_eq!(Starts::decode(&bytes[..n]).is_ok(), n == 40, "cut at {n}");
        }
        let twice = [bytes.clone(), bytes].concat();
        assert!(Starts::decode(&twice).is_err());
    }

    #[test]
    fn damaged_bytes_are_an_error_at_every_length() {
        let bytes = sample().encode();
        for n in 0..bytes.len() {
            assert!(Predictions::decode(&bytes[..n]).is_err(), "cut at {n}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Predictions::decode(&longer).is_err());
        let mut huge = bytes;
        huge[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(Predictions::decode(&huge).is_err());
    }
}
