//! A limited number of positions.
//!
//! What: chooses which assets are held, by branch and bound over programmes without the limit.
//! Formula: an asset is out, in (its bounds hold), or open (its bounds and 0); the programme with open assets bounds
//! from below what any choice among them can reach. A first choice comes from leaving out the smaller half of what is
//! held again and again; then the open position with the smallest weight is left out first.
//! Data: a solver for bounds.
//! Cost: one programme a node, at most 2,000 nodes up to 60 assets and 200 above.
//! Fails when: the nodes run out: the best choice so far is then given and called not proven.
//! Source: Bienstock, Mathematical Programming 74 (1996).
//! Not claimed: the best choice for hundreds of assets.

use mltrainer_catalogue_core::FitError;

/// Weights and the value that is minimised; none when no weights keep the constraints.
pub(super) type Tried = Result<Option<(Vec<f64>, f64)>, FitError>;

/// The best weights found.
pub(super) struct Best {
    pub(super) weights: Vec<f64>,
    pub(super) value: f64,
    /// Whether no other choice is better.
    pub(super) proven: bool,
}

/// A weight of this size is a position.
pub(super) const HELD: f64 = 1e-7;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    In,
    Out,
}

/// Positions by weight, largest first.
fn held(w: &[f64]) -> Vec<usize> {
    let mut all: Vec<usize> = (0..w.len()).filter(|i| w[*i].abs() > HELD).collect();
    all.sort_by(|i, j| w[*j].abs().total_cmp(&w[*i].abs()));
    all
}

/// A choice made quickly: the smaller half of what is held is left out until so many are left.
fn halved(
    low: &[f64],
    high: &[f64],
    positions: usize,
    solve: &mut dyn FnMut(&[f64], &[f64]) -> Tried,
) -> Result<Option<Best>, FitError> {
    let n = low.len();
    let mut open = vec![true; n];
    loop {
        let wide = |i: usize| {
            if open[i] {
                (low[i].min(0.0), high[i].max(0.0))
            } else {
                (0.0, 0.0)
            }
        };
        let (l, h): (Vec<f64>, Vec<f64>) = (0..n).map(wide).unzip();
        let Some((w, _)) = solve(&l, &h)? else {
            return Ok(None);
        };
        let held = held(&w);
        let keep = positions.max(held.len() / 2);
        if held.len() > positions {
            held[keep..].iter().for_each(|i| open[*i] = false);
            // What is not held in this round may come in when others are out, but only among the largest.
            (0..n)
                .filter(|i| w[*i].abs() <= HELD)
                .for_each(|i| open[i] = false);
            continue;
        }
        let own = |i: usize| {
            if held.contains(&i) {
                (low[i], high[i])
            } else {
                (0.0, 0.0)
            }
        };
        let (l, h): (Vec<f64>, Vec<f64>) = (0..n).map(own).unzip();
        return Ok(solve(&l, &h)?.map(|(weights, value)| Best {
            weights,
            value,
            proven: false,
        }));
    }
}

/// The best weights with at most so many positions; none when there are none.
///
/// # Errors
/// Those of the solver; [`FitError::Failed`] when the nodes run out before any choice is found.
pub(super) fn best(
    low: &[f64],
    high: &[f64],
    positions: usize,
    solve: &mut dyn FnMut(&[f64], &[f64]) -> Tried,
) -> Result<Option<Best>, FitError> {
    let n = low.len();
    let mut left = if n <= 60 { 2_000 } else { 200 };
    let most = left;
    let mut found = halved(low, high, positions, solve)?;
    let mut open = vec![vec![State::Open; n]];
    while let Some(node) = open.pop() {
        if left == 0 {
            open.push(node);
            break;
        }
        left -= 1;
        let bound = |i: usize| match node[i] {
            State::Out => (0.0, 0.0),
            State::In => (low[i], high[i]),
            State::Open => (low[i].min(0.0), high[i].max(0.0)),
        };
        let (l, h): (Vec<f64>, Vec<f64>) = (0..n).map(bound).unzip();
        let Some((w, value)) = solve(&l, &h)? else {
            continue;
        };
        let worse = |best: &Best| value >= best.value - 1e-10 * best.value.abs();
        if found.as_ref().is_some_and(worse) {
            continue;
        }
        let held = held(&w);
        let inside = |i: &usize| {
            node[*i] == State::In || (w[*i] >= low[*i] - 1e-9 && w[*i] <= high[*i] + 1e-9)
        };
        if held.len() <= positions && held.iter().all(inside) {
            found = Some(Best {
                weights: w,
                value,
                proven: true,
            });
            continue;
        }
        let undecided = held.iter().filter(|i| node[**i] == State::Open);
        let Some(branch) = undecided.min_by(|i, j| w[**i].abs().total_cmp(&w[**j].abs())) else {
            continue;
        };
        let taken = node.iter().filter(|s| **s == State::In).count();
        if taken < positions {
            let mut with = node.clone();
            with[*branch] = State::In;
            if taken + 1 == positions {
                // Nothing else can be held.
                with.iter_mut()
                    .filter(|s| **s == State::Open)
                    .for_each(|s| *s = State::Out);
            }
            open.push(with);
        }
        let mut without = node;
        without[*branch] = State::Out;
        open.push(without);
    }
    if found.is_none() && !open.is_empty() {
        return Err(FitError::Failed(format!(
            "no choice of {positions} positions was found within {most} programmes: raise max_positions or loosen the other constraints"
        )));
    }
    Ok(found.map(|best| Best {
        proven: open.is_empty(),
        ..best
    }))
}
