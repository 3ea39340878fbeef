//! Weighted vote of the 8 technical signals.
//!
//! What: The weighted mean of the 8 technical signals of this catalogue with their defaults; weights
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
use crate::technical::{
    bollinger_breakout::BollingerBreakout, cci_ensemble::CciEnsemble, ema_crossover::EmaCrossover,
    macd_histogram::MacdHistogram, parabolic_sar_signal::ParabolicSarSignal,
    rsi_divergence::RsiDivergence, stochastic_signal::StochasticSignal,
    williams_r_signal::WilliamsRSignal,
};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{Bars, Card, Columns, Entry, FitError, Indicator, Inputs};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct TechnicalEnsemble;

/// The registration.
pub const ENTRY: Entry = Entry::indicator::<TechnicalEnsemble>();

const CARD: Card = Card {
    id: "technical_ensemble",
    family: "signal_ensemble",
    title: "Weighted vote of the 8 technical signals",
    tasks: &[Task::Signal],
    inputs: Inputs::Bars,
    summary: "The weighted mean of the 8 technical signals of this catalogue with their defaults; weights equal, given, or learned from how each member has done so far.",
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
            "weight_rsi_divergence",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_macd_histogram",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_bollinger_breakout",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_stochastic_signal",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_williams_r_signal",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_cci_ensemble",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_parabolic_sar_signal",
            "its share of the weight at this bar; null while it is warming up",
        ),
        (
            "weight_ema_crossover",
            "its share of the weight at this bar; null while it is warming up",
        ),
        ("vote_rsi_divergence", "its signal"),
        ("vote_macd_histogram", "its signal"),
        ("vote_bollinger_breakout", "its signal"),
        ("vote_stochastic_signal", "its signal"),
        ("vote_williams_r_signal", "its signal"),
        ("vote_cci_ensemble", "its signal"),
        ("vote_parabolic_sar_signal", "its signal"),
        ("vote_ema_crossover", "its signal"),
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

impl Indicator for TechnicalEnsemble {
    type Params = EnsembleParams;
    const CARD: &'static Card = &CARD;
    const WHOLE: &'static [&'static str] = &["known_bar"];

    fn compute(params: &EnsembleParams, bars: &Bars) -> Result<Columns, FitError> {
        let members = vec![
            Member {
                weight: "weight_rsi_divergence",
                vote: "vote_rsi_divergence",
                signal: signal::<RsiDivergence>(bars)?,
            },
            Member {
                weight: "weight_macd_histogram",
                vote: "vote_macd_histogram",
                signal: signal::<MacdHistogram>(bars)?,
            },
            Member {
                weight: "weight_bollinger_breakout",
                vote: "vote_bollinger_breakout",
                signal: signal::<BollingerBreakout>(bars)?,
            },
            Member {
                weight: "weight_stochastic_signal",
                vote: "vote_stochastic_signal",
                signal: signal::<StochasticSignal>(bars)?,
            },
            Member {
                weight: "weight_williams_r_signal",
                vote: "vote_williams_r_signal",
                signal: signal::<WilliamsRSignal>(bars)?,
            },
            Member {
                weight: "weight_cci_ensemble",
                vote: "vote_cci_ensemble",
                signal: signal::<CciEnsemble>(bars)?,
            },
            Member {
                weight: "weight_parabolic_sar_signal",
                vote: "vote_parabolic_sar_signal",
                signal: signal::<ParabolicSarSignal>(bars)?,
            },
            Member {
                weight: "weight_ema_crossover",
                vote: "vote_ema_crossover",
                signal: signal::<EmaCrossover>(bars)?,
            },
        ];
        vote(params, bars, members)
    }
}
