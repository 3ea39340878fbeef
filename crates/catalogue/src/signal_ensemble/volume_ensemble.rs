//! Weighted vote of the 5 volume signals.
//!
//! What: The weighted mean of the 5 volume signals of this catalogue with their defaults; weights
//! equal, given, or learned from how each member has done so far.
//! Formula: signal = Σ w s/Σ w over the members that have a signal s at the bar, 0 when smaller than
//! threshold. Learned weights at bar t rest on pairs of s(u) and close(u + horizon)/close(u) - 1 with
//! u + horizon <= t, the last window of them: w = max(0, correlation), or max(0, share of s not 0
//! with the sign of the return - 1/2); all are equal until every member has min_history pairs; when
//! no member has any skill nothing is said.
//! Data: Open, high, low, close and volume.
//! Cost: that of the members, and O(bars · members).
//! Fails when: Weights of the past say little of the future; equal ones are hard to beat (DeMiguel,
//! Garlappi, Uppal 2009). The members look at the same prices and are not independent.
//! Source: J. M. Bates, C. W. J. Granger, The Combination of Forecasts, Operational Research
//! Quarterly 20 (1969); R. C. Grinold, R. N. Kahn, Active Portfolio Management (2000), for the
//! information coefficient.
//! Not claimed: That the vote is better than its best member.

use super::engine::{EnsembleParams, Member, signal, vote};
use crate::volume::{
    obv_divergence::ObvDivergence, volume_breakout::VolumeBreakout,
    volume_price_analysis::VolumePriceAnalysis, volume_spike::VolumeSpike, vwap_bands::VwapBands,
};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct VolumeEnsemble;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<VolumeEnsemble>();

const CARD: Card = Card {
    id: "volume_ensemble",
    family: "signal_ensemble",
    title: "Weighted vote of the 5 volume signals",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The weighted mean of the 5 volume signals of this catalogue with their defaults; weights equal, given, or learned from how each member has done so far.",
    formula: "signal = Σ w s/Σ w over the members that have a signal s at the bar, 0 when smaller than threshold. Learned weights at bar t rest on pairs of s(u) and close(u + horizon)/close(u) - 1 with u + horizon <= t, the last window of them: w = max(0, correlation), or max(0, share of s not 0 with the sign of the return - 1/2); all are equal until every member has min_history pairs; when no member has any skill nothing is said.",
    data: "Open, high, low, close and volume.",
    cost: "that of the members, and O(bars · members)",
    fails_when: "Weights of the past say little of the future; equal ones are hard to beat (DeMiguel, Garlappi, Uppal 2009). The members look at the same prices and are not independent.",
    not_claimed: "That the vote is better than its best member.",
    source: "J. M. Bates, C. W. J. Granger, The Combination of Forecasts, Operational Research Quarterly 20 (1969); R. C. Grinold, R. N. Kahn, Active Portfolio Management (2000), for the information coefficient",
    reference: "own rule, stated here",
    outputs: &[
        (
            "signal",
            "-1 to 1, one a bar: above 0 for a rise, below 0 for a fall; null while warming up",
        ),
        (
            "known_bar",
            "bar since which the signal has had its sign, counted from 0; null where it is 0",
        ),
        (
            "agreement",
            "share of the weight that has the sign of the vote",
        ),
        (
            "weight_obv_divergence",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_volume_spike",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_volume_price_analysis",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_volume_breakout",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_vwap_bands",
            "its share of the weight at this bar; null while it is warming up",
        ),
        ("vote_obv_divergence", "its signal"),
        ("vote_volume_spike", "its signal"),
        ("vote_volume_price_analysis", "its signal"),
        ("vote_volume_breakout", "its signal"),
        ("vote_vwap_bands", "its signal"),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "calculation by hand",
        cases: "weights and votes of two members",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Indicator for VolumeEnsemble {
    type Params = EnsembleParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar"];

    fn compute(params: &EnsembleParams, bars: &Bars) -> Result<Columns, FitError> {
        let members = vec![
            Member {
                weight: "weight_obv_divergence",
                vote: "vote_obv_divergence",
                signal: signal::<ObvDivergence>(bars)?,
            },
            Member {
                weight: "weight_volume_spike",
                vote: "vote_volume_spike",
                signal: signal::<VolumeSpike>(bars)?,
            },
            Member {
                weight: "weight_volume_price_analysis",
                vote: "vote_volume_price_analysis",
                signal: signal::<VolumePriceAnalysis>(bars)?,
            },
            Member {
                weight: "weight_volume_breakout",
                vote: "vote_volume_breakout",
                signal: signal::<VolumeBreakout>(bars)?,
            },
            Member {
                weight: "weight_vwap_bands",
                vote: "vote_vwap_bands",
                signal: signal::<VwapBands>(bars)?,
            },
        ];
        vote(params, bars, members)
    }
}
