//! Empirical mode decomposition.
//!
//! What: splits a series into modes that swing around 0, the fastest first, and a residue.
//! Formula: again and again the mean of the upper and lower envelope is taken off until it is near 0.
//! Data: one series.
//! Cost: O(n) an iteration; some tens of iterations a mode.
//! Fails when: two periods are near each other (their modes mix); values near the ends matter.
//! Source: Huang and others, Proc. Royal Society A 454 (1998).
//! Not claimed: a filter for trading: a mode at a row uses rows after it.

use super::spline;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params,
};
use mltrainer_types::catalogue::Task;
use serde_json::Value;

/// The handle.
pub struct Emd;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<Emd>();

choices! {
    /// What joins the extrema.
    pub enum Spline {
        /// A cubic spline with not-a-knot ends.
        Cubic = "cubic",
        /// Akima's spline.
        Akima = "akima",
    }
}

params! {
    /// Parameters of the empirical mode decomposition.
    pub struct EmdParams {
        /// Most modes; none is all.
        max_imf: Option<usize> = None, within(1.0, 1_000.0);
        /// What joins the extrema to envelopes.
        spline_kind: Spline = Spline::Cubic;
        /// Extrema mirrored at each end.
        nbsym: usize = 2, within(1.0, 100.0);
        /// A mode is done when the squared change relative to the mode, summed, is below this.
        std_thr: f64 = 0.2, at_least(0.0);
        /// A mode is done when the squared change divided by the range is below this.
        svar_thr: f64 = 0.001, at_least(0.0);
        /// A mode is done when the squared change divided by its energy is below this.
        energy_ratio_thr: f64 = 0.2, at_least(0.0);
        /// The residue is done when its absolute values sum up to less than this.
        total_power_thr: f64 = 0.005, within(0.0, 1e6);
        /// The residue is done when its range is below this.
        range_thr: f64 = 0.001, within(0.0, 1e6);
        /// Iterations of every mode; 0: until it is done.
        fixe as "FIXE": usize = 0, within(0.0, 10_000.0);
        /// Iterations in a row with as many extrema as zero crossings (one more or less) after which a mode is done; 0: this is not looked at. FIXE goes before it.
        fixe_h as "FIXE_H": usize = 0, within(0.0, 10_000.0);
        /// Most iterations of a mode.
        max_iteration as "MAX_ITERATION": usize = 1000, within(2.0, 100_000.0);
    }
}

const CARD: Card = Card {
    id: "emd",
    family: "signal_processing",
    title: "Empirical mode decomposition",
    tasks: &[Task::Signal],
    inputs: Inputs::Series,
    summary: "Splits a series into modes that swing around 0, the fastest first, and what is left of it. The modes come from the series itself; no period is given.",
    formula: "h ← h - (upper + lower envelope)/2, envelopes by splines through the maxima and minima, mirrored at the ends; a mode is done when maxima are above and minima below 0, extrema and zero crossings differ by at most 1 and the last change is small (any of three measures); then the same on what is left, until it has at most two extrema or is small",
    data: "One series of at least some tens of rows; the thresholds for small are in its units.",
    cost: "O(n) an iteration, some tens of iterations a mode, about log₂ n modes",
    fails_when: "Two periods are within a factor of two of each other (their modes mix), a mode comes and goes, or values near the ends matter.",
    not_claimed: "A filter for trading: a mode at a row uses rows after it. No mode stands for a cause.",
    source: "N. E. Huang and others, Proceedings of the Royal Society A 454 (1998)",
    reference: "EMD-signal 1.10, EMD (simple extrema)",
    outputs: &[
        ("imfs", "the modes, the fastest first, one value a row each"),
        ("residue", "the series less its modes"),
        ("n_imfs", "number of modes"),
        ("iterations", "iterations of each mode"),
        (
            "converged",
            "whether every mode was done before MAX_ITERATION",
        ),
        (
            "mean_periods",
            "rows divided by the number of maxima, a mode each; null without a maximum",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "EMD-signal 1.10, EMD",
        cases: "S&P 500 weekly volatility, US unemployment; closes of 5 shares with other thresholds, splines and fixed iterations",
        tolerance: "1e-6 of the range of the series",
    }],
    presets: &[],
    exemptions: &[],
};

/// Places of maxima and of minima, and the number of zero crossings; a flat top counts once, in its middle.
fn extrema(s: &[f64]) -> (Vec<usize>, Vec<usize>, usize) {
    let crossings = s.windows(2).filter(|w| w[0] * w[1] < 0.0).count();
    let starts = |k: usize| s[k] == 0.0 && (k == 0 || s[k - 1] != 0.0);
    let zeros = (0..s.len()).filter(|k| starts(*k)).count();
    let d: Vec<f64> = s.windows(2).map(|w| w[1] - w[0]).collect();
    let (mut maxima, mut minima) = (Vec::new(), Vec::new());
    for k in 1..d.len() {
        if d[k - 1] * d[k] < 0.0 {
            if d[k - 1] > 0.0 {
                maxima.push(k);
            } else {
                minima.push(k);
            }
        }
    }
    // Runs of equal values: first and one past the last place of zero differences.
    let mut flats = Vec::new();
    let mut k = 0;
    while k < d.len() {
        if d[k] == 0.0 {
            let start = k;
            while k < d.len() && d[k] == 0.0 {
                k += 1;
            }
            flats.push((start, k));
        } else {
            k += 1;
        }
    }
    // Two odd rules of the reference library: a first run that starts at the second value is left out,
    // and one that starts at the first value is compared with the last difference.
    if flats.first().is_some_and(|(start, _)| *start == 1) {
        flats.remove(0);
    }
    if flats.last().is_some_and(|(_, end)| *end == d.len()) {
        flats.pop();
    }
    for (start, end) in flats {
        let before = if start == 0 {
            d[d.len() - 1]
        } else {
            d[start - 1]
        };
        let middle = ((start + end) as f64 / 2.0).round_ties_even() as usize;
        if before > 0.0 && d[end] < 0.0 {
            maxima.push(middle);
        } else if before < 0.0 && d[end] > 0.0 {
            minima.push(middle);
        }
    }
    maxima.sort_unstable();
    minima.sort_unstable();
    (maxima, minima, crossings + zeros)
}

/// Knots of one envelope: places and values.
struct Knots {
    at: Vec<f64>,
    y: Vec<f64>,
}

impl Knots {
    /// Extrema mirrored at the places `left` and `right`; of two knots at one place the later stays.
    fn new(
        s: &[f64],
        own: &[usize],
        (left, before): (usize, &[usize]),
        (right, after): (usize, &[usize]),
    ) -> Self {
        let mirrored = |about: usize, k: usize| 2.0 * about as f64 - k as f64;
        let before = before.iter().map(|k| (mirrored(left, *k), s[*k]));
        let own = own.iter().map(|k| (*k as f64, s[*k]));
        let after = after.iter().map(|k| (mirrored(right, *k), s[*k]));
        let mut knots = Self {
            at: Vec::new(),
            y: Vec::new(),
        };
        for (at, y) in before.chain(own).chain(after) {
            if knots.at.last() == Some(&at) {
                knots.at.pop();
                knots.y.pop();
            }
            knots.at.push(at);
            knots.y.push(y);
        }
        knots
    }

    fn spline(&self, kind: Spline, rows: usize) -> Vec<f64> {
        match kind {
            Spline::Cubic => spline::cubic(&self.at, &self.y, rows),
            Spline::Akima => spline::akima(&self.at, &self.y, rows),
        }
    }
}

fn head(all: &[usize], from: usize, to: usize) -> Vec<usize> {
    let to = to.min(all.len());
    all.get(from..to)
        .unwrap_or_default()
        .iter()
        .rev()
        .copied()
        .collect()
}

fn tail(all: &[usize], count: usize, less: usize) -> Vec<usize> {
    let end = all.len() - less.min(all.len());
    all[end.saturating_sub(count)..end]
        .iter()
        .rev()
        .copied()
        .collect()
}

/// Extrema beyond the ends: those of the nearest rows, mirrored in the outermost extremum or, when the end
/// itself lies further out, in the end. Both kinds are present.
fn mirrored(s: &[f64], maxima: &[usize], minima: &[usize], nbsym: usize) -> (Knots, Knots) {
    let last = s.len() - 1;
    let end = |mut found: Vec<usize>, place: usize, first: bool| {
        if first {
            found.insert(0, place);
        } else {
            found.push(place);
        }
        found
    };
    let (mut left_max, mut left_min, mut left);
    if maxima[0] < minima[0] {
        if s[0] > s[minima[0]] {
            (left_max, left_min, left) = (
                head(maxima, 1, nbsym + 1),
                head(minima, 0, nbsym),
                maxima[0],
            );
        } else {
            left_max = head(maxima, 0, nbsym);
            left_min = end(head(minima, 0, nbsym - 1), 0, false);
            left = 0;
        }
    } else if s[0] < s[maxima[0]] {
        (left_max, left_min, left) = (
            head(maxima, 0, nbsym),
            head(minima, 1, nbsym + 1),
            minima[0],
        );
    } else {
        left_max = end(head(maxima, 0, nbsym - 1), 0, false);
        left_min = head(minima, 0, nbsym);
        left = 0;
    }
    let (last_max, last_min) = (maxima[maxima.len() - 1], minima[minima.len() - 1]);
    let (mut right_max, mut right_min, mut right);
    if last_max < last_min {
        if s[last] < s[last_max] {
            (right_max, right_min, right) =
                (tail(maxima, nbsym, 0), tail(minima, nbsym, 1), last_min);
        } else {
            right_max = end(tail(maxima, nbsym - 1, 0), last, true);
            right_min = tail(minima, nbsym, 0);
            right = last;
        }
    } else if s[last] > s[last_min] {
        (right_max, right_min, right) = (tail(maxima, nbsym, 1), tail(minima, nbsym, 0), last_max);
    } else {
        right_max = tail(maxima, nbsym, 0);
        right_min = end(tail(minima, nbsym - 1, 0), last, true);
        right = last;
    }
    let all_if_none = |found: &mut Vec<usize>, all: &[usize]| {
        if found.is_empty() {
            found.extend_from_slice(all);
        }
    };
    all_if_none(&mut left_min, minima);
    all_if_none(&mut right_min, minima);
    all_if_none(&mut left_max, maxima);
    all_if_none(&mut right_max, maxima);
    // Mirrored extrema that do not reach the end: mirror in the end instead.
    let short = |found: &[usize]| 2 * left > found[0];
    if (short(&left_min) || short(&left_max)) && left != 0 {
        if left == maxima[0] {
            left_max = head(maxima, 0, nbsym);
        } else {
            left_min = head(minima, 0, nbsym);
        }
        left = 0;
    }
    let short = |found: &[usize]| found.last().is_some_and(|k| 2 * right < k + last);
    if (short(&right_min) || short(&right_max)) && right != last {
        if right == last_max {
            right_max = tail(maxima, nbsym, 0);
        } else {
            right_min = tail(minima, nbsym, 0);
        }
        right = last;
    }
    (
        Knots::new(s, maxima, (left, &left_max), (right, &right_max)),
        Knots::new(s, minima, (left, &left_min), (right, &right_min)),
    )
}

fn sum_of_squares(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum()
}

fn range(x: &[f64]) -> f64 {
    let (low, high) = x
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(*v), b.max(*v))
        });
    high - low
}

/// Whether a mode is one: maxima above and minima below 0, and a last change that is small.
fn done(params: &EmdParams, new: &[f64], old: &[f64], upper: &Knots, lower: &Knots) -> bool {
    if upper.y.iter().any(|v| *v < 0.0)
        || lower.y.iter().any(|v| *v > 0.0)
        || sum_of_squares(new) < 1e-10
    {
        return false;
    }
    let change: Vec<f64> = new.iter().zip(old).map(|(a, b)| a - b).collect();
    let squares = sum_of_squares(&change);
    let relative: f64 = change.iter().zip(new).map(|(c, n)| (c / n) * (c / n)).sum();
    squares / range(old) < params.svar_thr
        || relative < params.std_thr
        || squares / sum_of_squares(old) < params.energy_ratio_thr
}

/// The next mode: itself, its number of extrema, iterations, whether it was done in time, and whether what
/// came in is a trend.
struct Sifted {
    mode: Vec<f64>,
    extrema: usize,
    iterations: usize,
    converged: bool,
    trend: bool,
}

fn sift(params: &EmdParams, residue: Vec<f64>) -> Sifted {
    let rows = residue.len();
    let mut mode = residue;
    let mut balanced = 0;
    let mut n = 0;
    loop {
        n += 1;
        let (maxima, minima, _) = extrema(&mode);
        let found = maxima.len() + minima.len();
        let over = n >= params.max_iteration;
        if over || found <= 2 || maxima.is_empty() || minima.is_empty() {
            let trend = !over && found <= 2;
            return Sifted {
                mode,
                extrema: found,
                iterations: n - 1,
                converged: !over,
                trend,
            };
        }
        let (upper, lower) = mirrored(&mode, &maxima, &minima, params.nbsym);
        let high = upper.spline(params.spline_kind, rows);
        let low = lower.spline(params.spline_kind, rows);
        let old = mode.clone();
        for (v, (a, b)) in mode.iter_mut().zip(high.iter().zip(&low)) {
            *v -= 0.5 * (a + b);
        }
        let before = found;
        let (maxima, minima, crossings) = extrema(&mode);
        let found = maxima.len() + minima.len();
        let even = found.abs_diff(crossings) < 2;
        let stop = if params.fixe > 0 {
            n >= params.fixe
        } else if params.fixe_h > 0 {
            balanced = if even && n > 1 { balanced + 1 } else { 0 };
            balanced >= params.fixe_h
        } else {
            even && done(params, &mode, &old, &upper, &lower)
        };
        if stop {
            // With a fixed number the count of the reference library is that before the last change.
            return Sifted {
                mode,
                extrema: if params.fixe > 0 { before } else { found },
                iterations: n,
                converged: true,
                trend: false,
            };
        }
    }
}

impl Analysis for Emd {
    type Params = EmdParams;
    const CARD: &'static Card = &CARD;

    fn analyse(params: &EmdParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let s = data.series(0);
        if s.len() < 4 {
            return Err(FitError::Data(format!(
                "{} rows are too few for modes: give at least 4",
                s.len()
            )));
        }
        if !sum_of_squares(&s).is_finite() {
            return Err(FitError::Data(
                "the values are too large to be squared: rescale the series".into(),
            ));
        }
        let (mut modes, mut iterations, mut converged) = (Vec::<Vec<f64>>::new(), Vec::new(), true);
        let mut residue = s.clone();
        let mut last;
        loop {
            let sifted = sift(params, residue.clone());
            last = sifted.extrema;
            converged &= sifted.converged;
            modes.push(sifted.mode);
            iterations.push(sifted.iterations);
            // As the reference library adds up: all modes taken off the series at once.
            for (k, v) in residue.iter_mut().enumerate() {
                *v = s[k] - modes.iter().map(|m| m[k]).sum::<f64>();
            }
            let power: f64 = residue.iter().map(|v| v.abs()).sum();
            if sifted.trend
                || range(&residue) < params.range_thr
                || power < params.total_power_thr
                || params.max_imf == Some(modes.len())
                || modes.len() == s.len()
            {
                break;
            }
        }
        if last <= 2 {
            modes.pop();
            iterations.pop();
        }
        for (k, v) in residue.iter_mut().enumerate() {
            *v = s[k] - modes.iter().map(|m| m[k]).sum::<f64>();
        }
        if modes.iter().flatten().any(|v| !v.is_finite()) {
            return Err(FitError::Failed(
                "a mode left the finite numbers: rescale the series".into(),
            ));
        }
        let period = |mode: &Vec<f64>| match extrema(mode).0.len() {
            0 => Value::Null,
            maxima => Value::from(s.len() as f64 / maxima as f64),
        };
        Ok(Outputs::from_iter([
            ("imfs".into(), modes.iter().map(|m| numbers(m)).collect()),
            ("residue".into(), numbers(&residue)),
            ("n_imfs".into(), Value::from(modes.len())),
            ("iterations".into(), Value::from(iterations)),
            ("converged".into(), Value::from(converged)),
            ("mean_periods".into(), modes.iter().map(period).collect()),
        ]))
    }
}
