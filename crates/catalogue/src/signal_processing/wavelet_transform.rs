//! Discrete wavelet transform.
//!
//! What: splits a series into parts of ever longer periods, from which it can be put together again.
//! Formula: convolution with a pair of orthogonal filters, every second value kept, again and again.
//! Data: one series.
//! Cost: O(n f) for filters of length f.
//! Fails when: values near the ends matter: they hang on how the series is extended.
//! Source: Mallat, IEEE PAMI 11 (1989); Daubechies, Ten Lectures on Wavelets (1992).
//! Not claimed: a filter for trading: coefficients near a row use rows after it.

use super::wavelet_filters::{FILTERS, NAMES};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::{ParamType, Range, read_choice};
use mltrainer_catalogue_core::run::numbers;
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, SeriesTable, choices, params,
};
use mltrainer_types::catalogue::{ParamKind, Task};
use serde_json::{Map, Value};

/// The handle.
pub struct WaveletTransform;

/// The registration.
pub const ENTRY: Entry = Entry::analysis::<WaveletTransform>();

/// A wavelet by its place among the filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wavelet(usize);

impl ParamType for Wavelet {
    const KIND: ParamKind = ParamKind::Choice;
    fn choices() -> &'static [&'static str] {
        NAMES
    }
    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        read_choice(value, NAMES).map(Self)
    }
    fn write(&self) -> Value {
        Value::from(NAMES[self.0])
    }
}

choices! {
    /// How a series goes on beyond its ends.
    pub enum Mode {
        /// Mirrored, the last value twice.
        Symmetric = "symmetric",
        /// Periodic, with as few coefficients as there are values.
        Periodization = "periodization",
        /// Zeros.
        Zero = "zero",
        /// The last value.
        Constant = "constant",
        /// Mirrored, the last value once.
        Reflect = "reflect",
        /// Periodic.
        Periodic = "periodic",
        /// The straight line through the last two values.
        Smooth = "smooth",
        /// Mirrored with the opposite sign.
        Antisymmetric = "antisymmetric",
        /// Mirrored in the last point.
        Antireflect = "antireflect",
    }
}

params! {
    /// Parameters of the wavelet transform.
    pub struct WaveletTransformParams {
        /// The wavelet: haar, db1 to db20, sym2 to sym20, coif1 to coif5.
        wavelet: Wavelet = Wavelet(4);
        /// Levels; none is ⌊log₂(n/(f-1))⌋ for n rows and filters of length f, at least 1.
        level: Option<usize> = None, within(1.0, 40.0);
        /// How the series goes on beyond its ends.
        mode: Mode = Mode::Symmetric;
        /// Details of levels with a smaller number than this are left out of the smoothed series; 1 keeps all.
        smooth_from: usize = 2, within(1.0, 41.0);
    }
}

const CARD: Card = Card {
    id: "wavelet_transform",
    family: "signal_processing",
    title: "Discrete wavelet transform",
    tasks: &[Task::Signal],
    inputs: Inputs::Series,
    summary: "Splits a series into an approximation and details of ever longer periods (level k: about 2^k to 2^(k+1) rows), and puts it together again. Leaving out fine details smooths it.",
    formula: "a_i = Σ_j h_j x_{2i+1-j}, d_i = Σ_j g_j x_{2i+1-j}, then the same on a; g the mirror filter of h; (n+f-1)/2 coefficients a level, or n/2 with periodization; the inverse adds the transposed steps",
    data: "One series of any length.",
    cost: "O(n f) for filters of length f",
    fails_when: "Values near the ends matter: they hang on how the series is extended. The coefficients shift when the series does.",
    not_claimed: "A filter for trading: the smoothed value of a row uses rows after it, so it is for looking at the past.",
    source: "S. Mallat, IEEE Transactions on Pattern Analysis and Machine Intelligence 11 (1989); I. Daubechies, Ten Lectures on Wavelets, SIAM (1992)",
    reference: "PyWavelets 1.9.0, wavedec and waverec",
    outputs: &[
        ("approximation", "coefficients of the coarsest level"),
        ("details", "coefficients by level, 1 the finest"),
        ("reconstruction", "the series put together again, one a row"),
        ("smoothed", "the same without the finest details, one a row"),
        (
            "energy",
            "share of the sum of squared coefficients: by level, and the approximation",
        ),
        ("level", "levels computed"),
        (
            "max_level",
            "levels up to which a coefficient is free of the ends",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "PyWavelets 1.9.0, wavedec and waverec",
        cases: "S&P 500 closes with haar, db4, sym5 and coif1; closes of 5 shares with every family and mode, odd lengths",
        tolerance: "1e-9 relative",
    }],
    presets: &[],
    exemptions: &[],
};

/// The value at a place that may lie beyond the ends.
fn extended(x: &[f64], at: isize, mode: Mode) -> f64 {
    let n = x.len() as isize;
    if (0..n).contains(&at) {
        return x[at as usize];
    }
    let (first, last) = (x[0], x[x.len() - 1]);
    // Steps beyond the end, from 1, on that side.
    let (beyond, end) = if at < 0 {
        (-at, first)
    } else {
        (at - n + 1, last)
    };
    let inward = |k: isize| {
        if at < 0 {
            x[k as usize]
        } else {
            x[(n - 1 - k) as usize]
        }
    };
    match mode {
        Mode::Zero => 0.0,
        Mode::Constant => end,
        Mode::Periodic | Mode::Periodization => x[at.rem_euclid(n) as usize],
        Mode::Symmetric | Mode::Antisymmetric => {
            let place = (beyond - 1).rem_euclid(2 * n);
            let mirrored = place < n;
            let value = inward(if mirrored { place } else { 2 * n - 1 - place });
            let flipped = mode == Mode::Antisymmetric && mirrored;
            if flipped { -value } else { value }
        }
        Mode::Reflect if n == 1 => end,
        Mode::Reflect => {
            let place = beyond.rem_euclid(2 * n - 2);
            inward(if place < n { place } else { 2 * n - 2 - place })
        }
        Mode::Smooth if n == 1 => end,
        Mode::Smooth => end + (end - inward(1)) * beyond as f64,
        Mode::Antireflect if n == 1 => end,
        Mode::Antireflect => {
            // Mirrored in the last point, then in the last point of what that gave, and so on.
            let span = n - 1;
            let (turns, rest) = (beyond / span, beyond % span);
            let step = end - inward(span);
            let whole = turns as f64 * step;
            if turns % 2 == 0 {
                end + whole + (end - inward(rest))
            } else {
                end + whole + (inward(span - rest) - inward(span))
            }
        }
    }
}

/// The filters: low and high pass.
fn pair(wavelet: Wavelet) -> (Vec<f64>, Vec<f64>) {
    let low = FILTERS[wavelet.0].to_vec();
    let sign = |i: usize| if i.is_multiple_of(2) { -1.0 } else { 1.0 };
    let high = low
        .iter()
        .rev()
        .enumerate()
        .map(|(i, v)| sign(i) * v)
        .collect();
    (low, high)
}

/// One level: approximation and detail.
fn down(x: &[f64], (low, high): &(Vec<f64>, Vec<f64>), mode: Mode) -> (Vec<f64>, Vec<f64>) {
    let (n, f) = (x.len(), low.len());
    let mut even;
    let (x, count, shift) = if mode == Mode::Periodization {
        even = x.to_vec();
        if n % 2 == 1 {
            even.push(x[n - 1]);
        }
        (&even[..], n.div_ceil(2), f / 2)
    } else {
        (x, (n + f - 1) / 2, 1)
    };
    (0..count)
        .map(|i| {
            let start = (2 * i + shift) as isize;
            let (mut a, mut d) = (0.0, 0.0);
            for j in 0..f {
                let v = extended(x, start - j as isize, mode);
                a += low[j] * v;
                d += high[j] * v;
            }
            (a, d)
        })
        .unzip()
}

/// One level back: the series of which these are the coefficients, possibly one value longer.
fn up(a: &[f64], d: &[f64], (low, high): &(Vec<f64>, Vec<f64>), mode: Mode) -> Vec<f64> {
    let (count, f) = (a.len(), low.len());
    if mode == Mode::Periodization {
        let n = 2 * count;
        let mut x = vec![0.0; n];
        for (i, (a, d)) in a.iter().zip(d).enumerate() {
            for j in 0..f {
                let at = (2 * i + f / 2) as isize - j as isize;
                x[at.rem_euclid(n as isize) as usize] += low[j] * a + high[j] * d;
            }
        }
        return x;
    }
    let n = (2 * count + 2).saturating_sub(f);
    let mut x = vec![0.0; n];
    for (i, (a, d)) in a.iter().zip(d).enumerate() {
        for j in 0..f {
            let at = 2 * i + 1;
            if let Some(x) = at.checked_sub(j).and_then(|at| x.get_mut(at)) {
                *x += low[j] * a + high[j] * d;
            }
        }
    }
    x
}

/// The series of an approximation and details, coarsest last.
fn joined(
    approximation: &[f64],
    details: &[Vec<f64>],
    filters: &(Vec<f64>, Vec<f64>),
    mode: Mode,
    rows: usize,
) -> Vec<f64> {
    let mut a = approximation.to_vec();
    for d in details.iter().rev() {
        a.truncate(d.len());
        a = up(&a, d, filters, mode);
    }
    a.truncate(rows);
    a
}

impl Analysis for WaveletTransform {
    type Params = WaveletTransformParams;
    const CARD: &'static Card = &CARD;

    fn analyse(
        params: &WaveletTransformParams,
        data: &SeriesTable,
        _: Ask,
    ) -> Result<Outputs, FitError> {
        let x = data.series(0);
        let filters = pair(params.wavelet);
        let f = filters.0.len();
        let mut max_level = 0;
        while x.len() >= (f - 1) << (max_level + 1) {
            max_level += 1;
        }
        let level = params.level.unwrap_or(max_level.max(1));
        let mut a = x.clone();
        let mut details = Vec::new();
        for _ in 0..level {
            let (next, d) = down(&a, &filters, params.mode);
            details.push(d);
            a = next;
        }
        let whole = joined(&a, &details, &filters, params.mode, x.len());
        if whole.iter().chain(&a).any(|v| !v.is_finite()) {
            return Err(FitError::Failed(
                "a coefficient is beyond what doubles hold: rescale the series".into(),
            ));
        }
        let largest = details
            .iter()
            .flatten()
            .chain(&a)
            .fold(0.0, |m: f64, v| m.max(v.abs()));
        let squares = |c: &[f64]| c.iter().map(|v| (v / largest) * (v / largest)).sum::<f64>();
        let total = squares(&a) + details.iter().map(|d| squares(d)).sum::<f64>();
        let by_level = |each: &dyn Fn(&[f64]) -> Value| {
            let levels = details.iter().enumerate();
            levels
                .map(|(k, d)| ((k + 1).to_string(), each(d)))
                .collect::<Map<_, _>>()
        };
        let share = |c: &[f64]| Value::from(mltrainer_types::finite(squares(c) / total));
        let mut energy = by_level(&share);
        energy.insert("approximation".into(), share(&a));
        let coefficients = by_level(&numbers);
        let mut kept = details.clone();
        for d in kept.iter_mut().take(params.smooth_from - 1) {
            d.fill(0.0);
        }
        let smoothed = joined(&a, &kept, &filters, params.mode, x.len());
        Ok(Outputs::from_iter([
            ("approximation".into(), numbers(&a)),
            ("details".into(), Value::Object(coefficients)),
            ("reconstruction".into(), numbers(&whole)),
            ("smoothed".into(), numbers(&smoothed)),
            ("energy".into(), Value::Object(energy)),
            ("level".into(), Value::from(level)),
            ("max_level".into(), Value::from(max_level)),
        ]))
    }
}
