//! Volume weighted average price.
//!
//! What: the mean typical price, each bar weighted with its volume, from the first bar or over the last
//! ones.
//! Formula: Σ volume · (high + low + close)/3 / Σ volume.
//! Data: high, low, close and volume.
//! Cost: O(bars).
//! Fails when: bars are daily and it is taken for the price that was paid within a day: it knows one
//! price a bar.
//! Source: S. A. Berkowitz, D. E. Logue, E. A. Noser, The Total Cost of Transactions on the NYSE,
//! Journal of Finance 43 (1988).
//! Not claimed: that an order is filled at it.

use super::engine::{Window, typical};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Bar, Card, Entry, Field, FitError, Inputs, State, Streamed, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct Vwap;

/// The registration.
pub const ENTRY: Entry = Entry::streamed::<Vwap>();

params! {
    /// Parameters.
    pub struct VwapParams {
        /// Bars averaged; all from the first one when none.
        period: Option<usize> = None, within(1.0, 100_000.0);
    }
}

/// After some bars.
pub struct VwapState {
    /// Values and volumes of the last bars, for a period.
    windows: Option<(Window, Window)>,
    value: f64,
    volume: f64,
    /// Bars of the window, the present one last, on which shares changed hands.
    traded: usize,
}

impl State for VwapState {
    type Row = [Option<f64>; 1];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [Option<f64>; 1] {
        let value = typical(bar) * bar.volume;
        let mut full = true;
        self.value += value;
        self.volume += bar.volume;
        self.traded += usize::from(bar.volume != 0.0);
        if let Some((values, volumes)) = &mut self.windows {
            if let (Some(value), Some(volume)) = (values.push(value), volumes.push(bar.volume)) {
                self.value -= value;
                self.volume -= volume;
                self.traded -= usize::from(volume != 0.0);
            }
            full = values.is_full();
        }
        if self.traded == 0 {
            // What rounding has left of earlier volume is none.
            (self.value, self.volume) = (0.0, 0.0);
            return [None];
        }
        let mean = self.value / self.volume;
        [(full && mean.is_finite()).then_some(mean)]
    }
}

const CARD: Card = Card {
    id: "vwap",
    family: "indicator",
    title: "Volume weighted average price",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The mean typical price, each bar weighted with its volume, from the first bar or over the last ones.",
    formula: "p = (high + low + close)/3; vwap(t) = Σ volume · p / Σ volume, over all bars up to t or over the last period ones; null while no share has changed hands",
    data: "High, low, close and volume.",
    cost: "O(bars)",
    fails_when: "Bars are daily and it is taken for the price that was paid within a day: it knows one price a bar.",
    not_claimed: "That an order is filled at it.",
    source: "S. A. Berkowitz, D. E. Logue, E. A. Noser, The Total Cost of Transactions on the NYSE, Journal of Finance 43 (1988)",
    reference: "formula",
    outputs: &[(
        "vwap",
        "price units, one a bar; null before the first full window and while the volume is 0",
    )],
    stochastic: false,
    evidence: &[Evidence {
        against: "the formula in numpy 2.4 (double precision)",
        cases: "vwap-ibm, vwap-20-aapl; crates/trials/tests/it/indicators.rs",
        tolerance: "1e-9 relative",
    }],
    presets: &[],
    exemptions: &[],
};

impl Streamed for Vwap {
    type Params = VwapParams;
    type State = VwapState;
    const CARD: &'static Card = &CARD;
    const READS: &'static [Field] = &[Field::High, Field::Low, Field::Close, Field::Volume];

    fn start(params: &VwapParams) -> Result<VwapState, FitError> {
        Ok(VwapState {
            windows: params.period.map(|n| (Window::new(n), Window::new(n))),
            value: 0.0,
            volume: 0.0,
            traded: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Bars, Indicator};

    fn bars(volume: &[f64]) -> Bars {
        Bars {
            high: Some(vec![1.0, 3.0, 5.0]),
            low: Some(vec![1.0, 3.0, 5.0]),
            close: vec![1.0, 3.0, 5.0],
            volume: Some(volume.to_vec()),
            ..Bars::default()
        }
    }

    #[test]
    fn by_hand() {
        // (1 + 9)/4 = 2.5, then (1 + 9 + 20)/8 = 3.75; of the last two (9 + 20)/7.
        let all = Vwap::compute(&VwapParams { period: None }, &bars(&[1.0, 3.0, 4.0])).unwrap();
        assert_eq!(all[0].1, [Some(1.0), Some(2.5), Some(3.75)]);
        let last = Vwap::compute(&VwapParams { period: Some(2) }, &bars(&[1.0, 3.0, 4.0])).unwrap();
        assert_eq!(last[0].1, [None, Some(2.5), Some(29.0 / 7.0)]);
    }

    #[test]
    fn without_volume_there_is_no_price() {
        let params = VwapParams { period: Some(1) };
        let columns = Vwap::compute(&params, &bars(&[0.1, 0.0, 4.0])).unwrap();
        assert_eq!(columns[0].1, [Some(1.0), None, Some(5.0)]);
    }
}
