//! Pairs trading.
//!
//! What: Of all pairs of a universe the one whose spread looks most like a stationary series on a
//! formation window is traded on the rows after it: sold when the spread is far above its mean,
//! bought when far below, then the pair is chosen anew.
//! Formula: Every trading rows, on the formation rows before: each pair in both orders by the
//! Engle-Granger test (least p-value) or the Johansen trace test (largest statistic over its critical
//! value). spread = y - (a + b x) of closes or their logarithms; b by least squares (Engle-Granger)
//! or the cointegration vector (Johansen), a the mean; z = spread over its deviation in the
//! formation. hedge kalman: a and b drift as a random walk with variance delta/(1 - delta) a row from
//! those values, spread is the forecast error, z the error over its standard deviation. Half-life -ln
//! 2/ln(1 + c), c the slope of changes on levels of the formation spread. A pair is tradable when p <=
//! max_p (Johansen: the statistic exceeds the critical value at 1 - max_p, of 90, 95 and 99
//! percent the next higher one) and half-life <= max_half_life. Position 1 (long y, short b of x) at
//! z <= -entry_z, -1 at z >= entry_z; out at |z| <= exit_z or across 0; at |z| >= stop_z out until
//! |z| <= exit_z; flat at the start of each trading window.
//! Data: Closes of at least two symbols in columns, rows in the order of time; positive when
//! logarithms are taken. Every row's position rests on that row and earlier ones.
//! Cost: O(rows/trading · pairs · formation).
//! Fails when: The best of many pairs looks stationary by chance. Relations end. Both legs need
//! shorting, lending fees and fills that closes do not have.
//! Source: E. Gatev, W. N. Goetzmann, K. G. Rouwenhorst, Pairs Trading, Review of Financial Studies
//! 19 (2006); R. F. Engle, C. W. J. Granger, Econometrica 55 (1987); S. Johansen, Econometrica 59
//! (1991); E. P. Chan, Algorithmic Trading (2013), chapter 3, for the Kalman filter.
//! Not claimed: A return after costs: the profits of the source fell to little after 2002 (Do and
//! Faff 2010).

use super::mean_reversion::half_life;
use crate::signals::{Column, deviation, mean, since};
use crate::test::engle_granger::{EngleGranger, EngleGrangerParams};
use crate::test::johansen::{Johansen, JohansenParams};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::Params;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, params,
};
use mltrainer_catalogue_core::{Design, choices};
use mltrainer_types::catalogue::Task;
use ndarray::Array2;
use serde_json::{Value, json};

/// The handle.
pub struct PairsTrading;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<PairsTrading>();

params! {
    /// Parameters.
    pub struct PairsTradingParams {
        /// Rows on which a pair is chosen.
        formation: usize = 120, within(20.0, 100_000.0);
        /// Rows on which it is traded.
        trading: usize = 60, within(1.0, 100_000.0);
        /// How pairs are chosen.
        method: Method = Method::EngleGranger;
        /// Lagged differences in the test.
        lags: usize = 1, within(0.0, 100.0);
        /// Largest p-value at which a pair is traded.
        max_p: f64 = 0.05, above_up_to(0.0, 1.0);
        /// Longest half-life at which a pair is traded, in rows.
        max_half_life: f64 = 60.0, above(0.0);
        /// Whether logarithms of the closes are taken.
        log: bool = true;
        /// How the hedge ratio is found.
        hedge: Hedge = Hedge::Static;
        /// Share of drift in the Kalman filter.
        delta: f64 = 1e-5, inside(0.0, 1.0);
        /// Distance of the spread at which a position is taken.
        entry_z: f64 = 2.0, above(0.0);
        /// Distance at which it ends.
        exit_z: f64 = 0.5, at_least(0.0);
        /// Distance at which it is given up.
        stop_z: f64 = 4.0, above(0.0);
    }
}

const CARD: Card = Card {
    id: "pairs_trading",
    family: "rule",
    title: "Pairs trading",
    tasks: &[Task::Signal],
    inputs: Inputs::Series,
    summary: "Of all pairs of a universe the one whose spread looks most like a stationary series on a formation window is traded on the rows after it: sold when the spread is far above its mean, bought when far below, then the pair is chosen anew.",
    formula: "Every trading rows, on the formation rows before: each pair in both orders by the Engle-Granger test (least p-value) or the Johansen trace test (largest statistic over its critical value). spread = y - (a + b x) of closes or their logarithms; b by least squares (Engle-Granger) or the cointegration vector (Johansen), a the mean; z = spread over its deviation in the formation. hedge kalman: a and b drift as a random walk with variance delta/(1 - delta) a row from those values, spread is the forecast error, z the error over its standard deviation. Half-life -ln 2/ln(1 + c), c the slope of changes on levels of the formation spread. A pair is tradable when p <= max_p (Johansen: the statistic exceeds the critical value at 1 - max_p, of 90, 95 and 99 percent the next higher one) and half-life <= max_half_life. Position 1 (long y, short b of x) at z <= -entry_z, -1 at z >= entry_z; out at |z| <= exit_z or across 0; at |z| >= stop_z out until |z| <= exit_z; flat at the start of each trading window",
    data: "Closes of at least two symbols in columns, rows in the order of time; positive when logarithms are taken. Every row's position rests on that row and earlier ones.",
    cost: "O(rows/trading · pairs · formation)",
    fails_when: "The best of many pairs looks stationary by chance. Relations end. Both legs need shorting, lending fees and fills that closes do not have.",
    not_claimed: "A return after costs: the profits of the source fell to little after 2002 (Do and Faff 2010).",
    source: "E. Gatev, W. N. Goetzmann, K. G. Rouwenhorst, Pairs Trading, Review of Financial Studies 19 (2006); R. F. Engle, C. W. J. Granger, Econometrica 55 (1987); S. Johansen, Econometrica 59 (1991); E. P. Chan, Algorithmic Trading (2013), chapter 3, for the Kalman filter",
    reference: "tests as in statsmodels 0.15; the rule is stated here",
    outputs: &[
        (
            "first",
            "position of the bought series y among the columns, from 0, one a row; null before the first formation",
        ),
        ("second", "position of the hedging series x, likewise"),
        (
            "hedge_ratio",
            "units of x a unit of y, one a row (in logarithms: value of x a value of y)",
        ),
        ("intercept", "a, one a row"),
        ("spread", "one a row"),
        ("z", "one a row"),
        ("upper", "spread at entry_z, one a row"),
        ("lower", "spread at -entry_z, one a row"),
        ("exit", "distance of the spread from 0 at exit_z, one a row"),
        ("stop", "distance of the spread from 0 at stop_z, one a row"),
        (
            "tradable",
            "1 when the pair passed and reverts fast enough, else 0, one a row",
        ),
        ("position", "-1, 0 or 1 of the spread, one a row"),
        (
            "known_row",
            "row since which the position is held, from 0; null when flat",
        ),
        ("units_first", "position in y"),
        ("units_second", "position in x: -position · hedge_ratio"),
        (
            "selections",
            "one a formation: row, first, second, p_value or trace_ratio, passed, half_life, reverts, hedge_ratio",
        ),
        (
            "candidates",
            "pairs of the last formation, best first, in the same form",
        ),
    ],
    stochastic: false,
    evidence: &[
        Evidence {
            against: "calculation by hand",
            cases: "filter step, entry, exit, stop",
            tolerance: "1e-12",
        },
        Evidence {
            against: "closes of AAPL, CVX, JNJ, MRK, XOM, 2012",
            cases: "every row of the outputs of the first rows alone",
            tolerance: "exact",
        },
    ],
    presets: &[],
    exemptions: &[],
};

choices! {
    /// How pairs are chosen.
    pub enum Method {
        /// Least p-value of the Engle-Granger test.
        EngleGranger = "engle_granger",
        /// Largest trace statistic of the Johansen test.
        Johansen = "johansen",
    }
}

choices! {
    /// How the hedge ratio is found.
    pub enum Hedge {
        /// On the formation window, then fixed.
        Static = "static",
        /// Then followed by a Kalman filter.
        Kalman = "kalman",
    }
}

/// A pair as it looked on a formation window.
#[derive(Debug, Clone, PartialEq)]
struct Pair {
    first: usize,
    second: usize,
    /// What it was chosen by: better when larger.
    score: f64,
    p_value: Option<f64>,
    trace_ratio: Option<f64>,
    passed: bool,
    hedge: f64,
    intercept: f64,
    spread: f64,
    half_life: Option<f64>,
}

impl Pair {
    fn reverts(&self, p: &PairsTradingParams) -> bool {
        self.half_life.is_some_and(|l| l <= p.max_half_life)
    }

    fn json(&self, row: usize, names: &[String], p: &PairsTradingParams) -> Value {
        json!({
            "row": row,
            "first": names[self.first],
            "second": names[self.second],
            "p_value": self.p_value,
            "trace_ratio": self.trace_ratio,
            "passed": self.passed,
            "half_life": self.half_life,
            "reverts": self.reverts(p),
            "hedge_ratio": self.hedge,
        })
    }
}

/// Two series as the tests take them.
fn two(y: &[f64], x: &[f64]) -> Result<SeriesTable, FitError> {
    let both = Array2::from_shape_fn((y.len(), 2), |(r, c)| if c == 0 { y[r] } else { x[r] });
    SeriesTable::new(
        Design::new(both, vec!["y".to_owned(), "x".to_owned()])?,
        None,
    )
}

/// How the pair looks; nothing when a test cannot be made, as of series that are constant or the same.
fn look(
    p: &PairsTradingParams,
    series: &[Vec<f64>],
    (first, second): (usize, usize),
) -> Option<Pair> {
    const ASK: Ask = Ask {
        horizon: 1,
        seed: 0,
    };
    let (y, x) = (&series[first], &series[second]);
    let table = two(y, x).ok()?;
    let number = |v: Option<&Value>| v.and_then(Value::as_f64);
    let (score, p_value, trace_ratio, passed, hedge) = match p.method {
        Method::EngleGranger => {
            let given = json!({"maxlag": p.lags, "autolag": null});
            let params = EngleGrangerParams::from_map(given.as_object()?).ok()?;
            let found = EngleGranger::analyse(&params, &table, ASK).ok()?;
            let p_value = number(found.get("p_value"))?;
            let hedge = number(found.get("hedge_ratio"))?;
            (-p_value, Some(p_value), None, p_value <= p.max_p, hedge)
        }
        Method::Johansen => {
            let given = json!({"det_order": 0, "lags": p.lags});
            let params = JohansenParams::from_map(given.as_object()?).ok()?;
            let found = Johansen::analyse(&params, &table, ASK).ok()?;
            let trace = number(found.get("trace_statistics")?.get(0))?;
            let bounds = found.get("trace_critical_values")?.get(0)?;
            let level = if p.max_p < 0.05 {
                2
            } else {
                usize::from(p.max_p < 0.1)
            };
            let ratio = trace / number(bounds.get(level))?;
            let vector = number(found.get("cointegration_vector")?.get(1))?;
            (ratio, None, Some(ratio), ratio > 1.0, -vector)
        }
    };
    let rest: Vec<f64> = y.iter().zip(x).map(|(y, x)| y - hedge * x).collect();
    let pair = Pair {
        first,
        second,
        score,
        p_value,
        trace_ratio,
        passed,
        hedge,
        intercept: mean(&rest),
        spread: deviation(&rest),
        half_life: half_life(&rest),
    };
    (pair.spread > 0.0 && pair.hedge.is_finite() && pair.score.is_finite()).then_some(pair)
}

/// All pairs that can be looked at, the best first; of equal ones the one of earlier columns.
fn candidates(p: &PairsTradingParams, series: &[Vec<f64>]) -> Vec<Pair> {
    let mut all = Vec::new();
    for a in 0..series.len() {
        for b in a + 1..series.len() {
            let orders = match p.method {
                Method::EngleGranger => vec![(a, b), (b, a)],
                // The trace does not depend on the order.
                Method::Johansen => vec![(a, b)],
            };
            let looks = orders.into_iter().filter_map(|o| look(p, series, o));
            let best = looks.reduce(|a, b| if b.score > a.score { b } else { a });
            all.extend(best);
        }
    }
    all.sort_by(|a, b| b.score.total_cmp(&a.score));
    all
}

/// A hedge ratio and an intercept that drift, observed through y = a + b x with an error.
struct Drift {
    state: [f64; 2],
    /// Variances of both and their covariance.
    p: [f64; 3],
    step: f64,
    error: f64,
}

impl Drift {
    /// Forecast error of a row and its standard deviation, before the row is learned from.
    fn push(&mut self, y: f64, x: f64) -> (f64, f64) {
        self.p[0] += self.step;
        self.p[1] += self.step;
        let error = y - self.state[0] * x - self.state[1];
        let gain = [self.p[0] * x + self.p[2], self.p[2] * x + self.p[1]];
        let q = gain[0] * x + gain[1] + self.error;
        let [a, b] = gain.map(|g| g / q);
        self.state[0] += a * error;
        self.state[1] += b * error;
        self.p[0] -= a * gain[0];
        self.p[1] -= b * gain[1];
        self.p[2] -= a * gain[1];
        (error, q.sqrt())
    }
}

/// Position of a spread after a row, and whether new ones are barred after a stop.
fn next(p: &PairsTradingParams, (position, barred): (f64, bool), z: f64) -> (f64, bool) {
    let home = z.abs() <= p.exit_z;
    if position != 0.0 {
        return if -position * z >= p.stop_z {
            (0.0, true)
        } else if home || position * z > 0.0 {
            (0.0, false)
        } else {
            (position, false)
        };
    }
    let barred = barred && !home;
    if !barred && z.abs() >= p.entry_z && z.abs() < p.stop_z {
        (if z < 0.0 { 1.0 } else { -1.0 }, false)
    } else {
        (0.0, barred)
    }
}

impl Analysis for PairsTrading {
    type Params = PairsTradingParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (2, usize::MAX);

    fn analyse(p: &PairsTradingParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let n = data.rows();
        if n <= p.formation {
            return Err(FitError::Data(format!(
                "there are {n} rows, and a formation of {} needs one more; give more rows or a shorter formation",
                p.formation
            )));
        }
        let names = data.names();
        let mut series: Vec<Vec<f64>> = (0..names.len()).map(|k| data.series(k)).collect();
        if p.log {
            for (column, name) in series.iter_mut().zip(names) {
                if let Some(t) = column.iter().position(|v| *v <= 0.0) {
                    return Err(FitError::Data(format!(
                        "column \"{name}\" row {}: {} has no logarithm; take it out or set log=false",
                        t + 1,
                        column[t]
                    )));
                }
                column.iter_mut().for_each(|v| *v = v.ln());
            }
        }
        // One column an output of one value a row.
        let mut rows: [Column; 14] = std::array::from_fn(|_| vec![None; n]);
        let (mut selections, mut last) = (Vec::new(), Vec::new());
        for from in (p.formation..n).step_by(p.trading) {
            let window: Vec<Vec<f64>> = series
                .iter()
                .map(|s| s[from - p.formation..from].to_vec())
                .collect();
            last = candidates(p, &window);
            let Some(pair) = last.first() else { continue };
            selections.push(pair.json(from, names, p));
            let mut drift = Drift {
                state: [pair.hedge, pair.intercept],
                p: [0.0; 3],
                step: p.delta / (1.0 - p.delta),
                error: pair.spread * pair.spread,
            };
            let tradable = pair.passed && pair.reverts(p);
            let mut held = (0.0, false);
            for t in from..n.min(from + p.trading) {
                let (y, x) = (series[pair.first][t], series[pair.second][t]);
                let [hedge, intercept] = drift.state;
                let (spread, scale) = match p.hedge {
                    Hedge::Static => (y - hedge * x - intercept, pair.spread),
                    Hedge::Kalman => drift.push(y, x),
                };
                let z = spread / scale;
                if tradable {
                    held = next(p, held, z);
                }
                let values = [
                    pair.first as f64,
                    pair.second as f64,
                    hedge,
                    intercept,
                    spread,
                    z,
                    p.entry_z * scale,
                    -p.entry_z * scale,
                    p.exit_z * scale,
                    p.stop_z * scale,
                    f64::from(u8::from(tradable)),
                    held.0,
                    held.0,
                    -held.0 * hedge,
                ];
                for (column, value) in rows.iter_mut().zip(values) {
                    column[t] = Some(value);
                }
            }
        }
        let found = last.iter().map(|c| {
            let at = p.formation + (n - 1 - p.formation) / p.trading * p.trading;
            c.json(at, names, p)
        });
        let found: Vec<Value> = found.collect();
        let known = since(&rows[11]);
        let mut outputs = Outputs::new();
        let titles = [
            "first",
            "second",
            "hedge_ratio",
            "intercept",
            "spread",
            "z",
            "upper",
            "lower",
            "exit",
            "stop",
            "tradable",
            "position",
            "units_first",
            "units_second",
        ];
        for (title, column) in titles.into_iter().zip(rows) {
            outputs.insert(title.to_owned(), Value::from(column));
        }
        outputs.insert("known_row".to_owned(), Value::from(known));
        outputs.insert("selections".to_owned(), Value::from(selections));
        outputs.insert("candidates".to_owned(), Value::from(found));
        Ok(outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::tests::with;

    const ASK: Ask = Ask {
        horizon: 1,
        seed: 0,
    };

    /// The closes of the conformance tests, the first so many rows.
    fn closes(rows: usize) -> SeriesTable {
        let text = include_str!("../../tests/data/closes.csv");
        let mut lines = text.lines();
        let head = lines.next().unwrap();
        let names: Vec<String> = head.split(',').skip(1).map(str::to_owned).collect();
        let values: Vec<f64> = lines
            .take(rows)
            .flat_map(|l| {
                l.split(',')
                    .skip(1)
                    .map(|c| c.parse().unwrap())
                    .collect::<Vec<f64>>()
            })
            .collect();
        let x = Array2::from_shape_vec((values.len() / names.len(), names.len()), values).unwrap();
        SeriesTable::new(Design::new(x, names).unwrap(), None).unwrap()
    }

    #[test]
    fn what_is_said_of_a_row_rests_on_earlier_rows() {
        for set in [
            r#"{"formation": 60, "trading": 25, "max_p": 1, "entry_z": 1}"#,
            r#"{"formation": 60, "trading": 25, "method": "johansen", "hedge": "kalman", "max_p": 1}"#,
        ] {
            let params = with(set);
            let whole = PairsTrading::analyse(&params, &closes(260), ASK).unwrap();
            assert!(whole["selections"].as_array().unwrap().len() == 8);
            for cut in 61..140 {
                let part = PairsTrading::analyse(&params, &closes(cut), ASK).unwrap();
                for (name, column) in &part {
                    let column = column.as_array().unwrap();
                    if column.len() == cut {
                        let full = whole[name].as_array().unwrap();
                        assert_eq!(&full[..cut], column.as_slice(), "{name} at {cut}");
                    }
                }
            }
        }
    }

    #[test]
    fn positions_of_the_best_pair_follow_its_z() {
        let set =
            r#"{"formation": 60, "trading": 25, "max_p": 1, "max_half_life": 1000, "entry_z": 1}"#;
        let outputs = PairsTrading::analyse(&with(set), &closes(260), ASK).unwrap();
        let column = |name: &str| -> Vec<Option<f64>> {
            outputs[name]
                .as_array()
                .unwrap()
                .iter()
                .map(Value::as_f64)
                .collect()
        };
        let (z, position, hedge) = (column("z"), column("position"), column("hedge_ratio"));
        let units = column("units_second");
        assert_eq!(z[59], None);
        let mut both = [0, 0];
        for t in 60..260 {
            let (z, position) = (z[t].unwrap(), position[t].unwrap());
            if position != 0.0 {
                // Long below the mean, short above it.
                assert!(position * z < 0.0);
                assert_eq!(units[t].unwrap(), -position * hedge[t].unwrap());
                both[usize::from(position > 0.0)] += 1;
            }
        }
        assert!(both[0] > 0 && both[1] > 0, "{both:?}");
        // Candidates are all pairs of five, the best first.
        let all = outputs["candidates"].as_array().unwrap();
        assert_eq!(all.len(), 10);
        let p = |c: &Value| c["p_value"].as_f64().unwrap();
        assert!(all.windows(2).all(|w| p(&w[0]) <= p(&w[1])));
    }

    #[test]
    fn rules_by_hand() {
        let p: PairsTradingParams = with(r#"{"entry_z": 2, "exit_z": 0.5, "stop_z": 4}"#);
        assert_eq!(next(&p, (0.0, false), -2.5), (1.0, false));
        assert_eq!(next(&p, (1.0, false), -1.0), (1.0, false));
        assert_eq!(next(&p, (1.0, false), -0.5), (0.0, false));
        assert_eq!(next(&p, (1.0, false), -4.0), (0.0, true));
        // Barred until the spread has come home.
        assert_eq!(next(&p, (0.0, true), -3.0), (0.0, true));
        assert_eq!(next(&p, (0.0, true), 0.1), (0.0, false));
    }

    #[test]
    fn a_filter_step_by_hand() {
        // From b = 1, a = 0 with no variance and a step of 1, observing y = 5 at x = 2 with error variance 1: error 3,
        // q = 4 + 1 + 1 = 6, gains 2/6 and 1/6: b = 2, a = 1/2.
        let mut drift = Drift {
            state: [1.0, 0.0],
            p: [0.0; 3],
            step: 1.0,
            error: 1.0,
        };
        let (error, scale) = drift.push(5.0, 2.0);
        assert_eq!((error, scale), (3.0, 6.0_f64.sqrt()));
        assert!((drift.state[0] - 2.0).abs() < 1e-12 && (drift.state[1] - 0.5).abs() < 1e-12);
        // P = I - k k' q: 1 - 4/6, 1 - 1/6, -2/6.
        let want = [1.0 / 3.0, 5.0 / 6.0, -1.0 / 3.0];
        assert!(drift.p.iter().zip(want).all(|(p, w)| (p - w).abs() < 1e-12));
    }

    #[test]
    fn too_few_rows_and_no_logarithm_are_said() {
        let few = PairsTrading::analyse(&with("{}"), &closes(100), ASK).unwrap_err();
        assert!(few.to_string().contains("100 rows"), "{few}");
        let x = Array2::from_shape_fn((130, 2), |(r, c)| r as f64 * (1.0 + c as f64) - 3.0);
        let names = vec!["a".to_owned(), "b".to_owned()];
        let table = SeriesTable::new(Design::new(x, names).unwrap(), None).unwrap();
        let none = PairsTrading::analyse(&with("{}"), &table, ASK).unwrap_err();
        assert!(none.to_string().contains("column \"a\" row 1"), "{none}");
    }
}
