//! Weighted votes of signals, with weights that are fixed or learned from the past.

use crate::signals::{Column, correlation_of, pick, said, sign};
use mltrainer_catalogue_core::params::Params;
use mltrainer_catalogue_core::{Bars, Columns, FitError, Indicator, choices, params};

choices! {
    /// How much each member counts.
    pub enum Weights {
        /// All the same.
        Equal = "equal",
        /// As given.
        Fixed = "fixed",
        /// By how well it has done so far.
        Learned = "learned",
    }
}

choices! {
    /// What a learned weight rests on.
    pub enum Measure {
        /// Correlation of signal and later return.
        InformationCoefficient = "information_coefficient",
        /// Share of signals whose sign was that of the later return, less one half.
        HitRate = "hit_rate",
    }
}

params! {
    /// Parameters.
    pub struct EnsembleParams {
        /// How much each member counts.
        weights: Weights = Weights::Learned;
        /// Fixed weights in the order of the members; members beyond the list have 1.
        fixed_weights: Vec<f64> = vec![1.0], at_least(0.0);
        /// What a learned weight rests on.
        measure: Measure = Measure::InformationCoefficient;
        /// Bars over which the return after a signal is taken.
        horizon: usize = 5, within(1.0, 1000.0);
        /// Last signals with a known return that a learned weight rests on; all of them when none.
        window: Option<usize> = None, within(2.0, 100_000.0);
        /// Signals with a known return before which a member counts as one of equals.
        min_history: usize = 40, within(2.0, 100_000.0);
        /// Under this size the vote is 0.
        threshold: f64 = 0.1, within(0.0, 1.0);
    }
}

/// A member: the names of its output columns for weight and vote, and its signal.
pub(crate) struct Member {
    pub(crate) weight: &'static str,
    pub(crate) vote: &'static str,
    pub(crate) signal: Column,
}

/// The signal of an entry with its defaults.
///
/// # Errors
/// Those of the entry.
pub(crate) fn signal<M: Indicator>(bars: &Bars) -> Result<Column, FitError> {
    let params = M::Params::from_map(&serde_json::Map::new())?;
    Ok(pick(&M::compute(&params, bars)?, "signal"))
}

/// Sums over the signals of a member and the returns after them.
#[derive(Debug, Clone, Copy, Default)]
struct Record {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
    /// Signals that are not 0, and those of them whose sign was right.
    spoke: f64,
    right: f64,
}

impl Record {
    /// Counts a signal and the return after it, or with `times` -1 takes it out again.
    fn add(&mut self, x: f64, y: f64, times: f64) {
        self.n += times;
        self.x += times * x;
        self.y += times * y;
        self.xx += times * x * x;
        self.yy += times * y * y;
        self.xy += times * x * y;
        if x != 0.0 {
            self.spoke += times;
            self.right += times * f64::from(u8::from(sign(x) == sign(y)));
        }
    }

    fn skill(&self, measure: Measure) -> f64 {
        match measure {
            Measure::InformationCoefficient => correlation_of(
                self.n * self.xx - self.x * self.x,
                self.n * self.yy - self.y * self.y,
                self.n * self.xy - self.x * self.y,
            ),
            Measure::HitRate if self.spoke > 0.0 => self.right / self.spoke - 0.5,
            Measure::HitRate => 0.0,
        }
    }
}

/// The vote of the members, one a bar: signal, known bar, agreement, then weight and vote of each.
///
/// # Errors
/// When more weights are given than there are members, or all are 0.
pub(crate) fn vote(
    p: &EnsembleParams,
    bars: &Bars,
    members: Vec<Member>,
) -> Result<Columns, FitError> {
    let count = members.len();
    if p.fixed_weights.len() > count {
        let reason = format!(
            "{} weights are given, there are {count} members",
            p.fixed_weights.len()
        );
        return Err(crate::signals::refused("fixed_weights", reason));
    }
    let given = |i: usize| p.fixed_weights.get(i).copied().unwrap_or(1.0);
    if p.weights == Weights::Fixed && (0..count).all(|i| given(i) == 0.0) {
        let reason = "all weights are 0; give one member more".to_owned();
        return Err(crate::signals::refused("fixed_weights", reason));
    }
    let (n, close) = (bars.len(), &bars.close);
    // What is known at bar t of the signal of bar `from`: the return up to `from` + horizon.
    let pair = |m: &Member, from: usize| {
        let x = m.signal.get(from).copied().flatten()?;
        let (then, later) = (close[from], close[from + p.horizon]);
        let y = if then == 0.0 {
            0.0
        } else {
            (later - then) / then.abs()
        };
        Some((x, y))
    };
    let mut records = vec![Record::default(); count];
    let mut known: Vec<std::collections::VecDeque<(f64, f64)>> = vec![Default::default(); count];
    let (mut total, mut agreement) = (Column::new(), Column::new());
    let mut weights: Vec<Column> = vec![Column::new(); count];
    for t in 0..n {
        let mut raw = vec![0.0; count];
        for (i, m) in members.iter().enumerate() {
            if let Some((x, y)) = t.checked_sub(p.horizon).and_then(|from| pair(m, from)) {
                records[i].add(x, y, 1.0);
                known[i].push_back((x, y));
                if p.window.is_some_and(|w| known[i].len() > w)
                    && let Some((x, y)) = known[i].pop_front()
                {
                    records[i].add(x, y, -1.0);
                }
            }
            raw[i] = match p.weights {
                Weights::Equal => 1.0,
                Weights::Fixed => given(i),
                Weights::Learned => records[i].skill(p.measure).max(0.0),
            };
        }
        // Before there is a history of every member all count the same.
        let need = p.window.map_or(p.min_history, |w| w.min(p.min_history));
        if p.weights == Weights::Learned && known.iter().any(|k| k.len() < need) {
            raw = vec![1.0; count];
        }
        let votes: Vec<Option<f64>> = members
            .iter()
            .map(|m| m.signal.get(t).copied().flatten())
            .collect();
        // Members that are still warming up leave their weight to the others.
        let speaking: f64 = (0..count)
            .filter(|i| votes[*i].is_some())
            .map(|i| raw[i])
            .sum();
        let share = |i: usize| {
            if speaking > 0.0 {
                raw[i] / speaking
            } else {
                0.0
            }
        };
        let someone = votes.iter().any(Option::is_some);
        let sum: f64 = (0..count).filter_map(|i| Some(share(i) * votes[i]?)).sum();
        let vote = if sum.abs() < p.threshold {
            0.0
        } else {
            sum.clamp(-1.0, 1.0)
        };
        let same: f64 = (0..count)
            .filter(|i| votes[*i].is_some_and(|v| sign(v) == sign(sum)))
            .map(share)
            .sum();
        total.push(someone.then_some(vote));
        agreement.push(someone.then_some(same));
        for (i, column) in weights.iter_mut().enumerate() {
            column.push(votes[i].map(|_| share(i)));
        }
    }
    let mut columns = said(total);
    columns.push(("agreement", agreement));
    let names: Vec<&'static str> = members.iter().map(|m| m.weight).collect();
    columns.extend(names.into_iter().zip(weights));
    columns.extend(members.into_iter().map(|m| (m.vote, m.signal)));
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::tests::{closes, with};

    fn members() -> Vec<Member> {
        let column = |v: [f64; 5]| v.map(Some).to_vec();
        vec![
            Member {
                weight: "weight_good",
                vote: "vote_good",
                signal: column([1.0, -1.0, 1.0, -1.0, 1.0]),
            },
            Member {
                weight: "weight_bad",
                vote: "vote_bad",
                signal: column([-1.0, 1.0, -1.0, 1.0, -1.0]),
            },
        ]
    }

    // Returns after bars 0 to 3: up, down, up, down.
    const CLOSES: [f64; 5] = [10.0, 11.0, 10.0, 11.0, 10.0];

    #[test]
    fn equal_and_fixed_weights_by_hand() {
        let bars = closes(&CLOSES);
        let equal = vote(&with(r#"{"weights": "equal"}"#), &bars, members()).unwrap();
        assert_eq!(pick(&equal, "signal")[0], Some(0.0));
        let fixed = with(r#"{"weights": "fixed", "fixed_weights": "3"}"#);
        let fixed = vote(&fixed, &bars, members()).unwrap();
        // (3 · 1 - 1)/4.
        assert_eq!(pick(&fixed, "signal")[0], Some(0.5));
        assert_eq!(pick(&fixed, "weight_good")[0], Some(0.75));
        assert_eq!(pick(&fixed, "agreement")[0], Some(0.75));
        let many = with(r#"{"fixed_weights": "1,1,1"}"#);
        let text = vote(&many, &bars, members()).unwrap_err().to_string();
        assert!(text.contains("3 weights are given"), "{text}");
        let none = with(r#"{"weights": "fixed", "fixed_weights": "0,0"}"#);
        assert!(vote(&none, &bars, members()).is_err());
    }

    #[test]
    fn learned_weights_rest_on_known_returns() {
        let bars = closes(&CLOSES);
        for measure in ["hit_rate", "information_coefficient"] {
            let set = format!(
                r#"{{"weights": "learned", "measure": "{measure}", "horizon": 1, "min_history": 2}}"#
            );
            let learned = vote(&with(&set), &bars, members()).unwrap();
            // At bar 2 two returns are known, and the first member was right about both.
            assert_eq!(pick(&learned, "weight_good")[1], Some(0.5));
            assert_eq!(pick(&learned, "weight_good")[2], Some(1.0));
            assert_eq!(pick(&learned, "signal")[2..], [1.0, -1.0, 1.0].map(Some));
        }
        // A window of two forgets, and gives the same bits for the same pairs.
        let set = r#"{"horizon": 1, "min_history": 2, "window": 2}"#;
        let learned = vote(&with(set), &bars, members()).unwrap();
        assert_eq!(pick(&learned, "weight_bad")[3], Some(0.0));
    }
}
