//! Expressions to columns, one value a bar, from values up to that bar.

use super::expression::{Expression, Infix, Node};
use super::functions::{Function, Op, Type};
use super::kernels;
use crate::engine::gap;
use mltrainer_catalogue_core::FitError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A column of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers, NaN for unknown.
    Numbers(Arc<Vec<f64>>),
    /// Conditions, none for unknown.
    Conditions(Arc<Vec<Option<bool>>>),
}

impl Column {
    /// Its type.
    #[must_use]
    pub const fn gives(&self) -> Type {
        match self {
            Self::Numbers(_) => Type::Number,
            Self::Conditions(_) => Type::Condition,
        }
    }
}

/// The bars that expressions are about.
#[derive(Debug, Clone, Copy)]
pub struct Bars<'a> {
    /// Open; NaN in all prices of a bar that did not trade.
    pub open: &'a [f64],
    /// High.
    pub high: &'a [f64],
    /// Low.
    pub low: &'a [f64],
    /// Close.
    pub close: &'a [f64],
    /// Shares traded.
    pub volume: Option<&'a [f64]>,
}

/// Names with their columns, and what was computed before: parts that stand in several expressions
/// are computed once.
pub struct Evaluator<'a> {
    bars: Bars<'a>,
    names: Vec<(String, Column)>,
    known: BTreeMap<String, Column>,
}

impl<'a> Evaluator<'a> {
    /// Bars under the names `open`, `high`, `low`, `close` and, where it is known, `volume`.
    #[must_use]
    pub fn new(bars: Bars<'a>) -> Self {
        let numbers = |x: &[f64]| Column::Numbers(Arc::new(x.to_vec()));
        let mut names = vec![
            ("open".to_owned(), numbers(bars.open)),
            ("high".to_owned(), numbers(bars.high)),
            ("low".to_owned(), numbers(bars.low)),
            ("close".to_owned(), numbers(bars.close)),
        ];
        if let Some(volume) = bars.volume {
            names.push(("volume".to_owned(), numbers(volume)));
        }
        Self {
            bars,
            names,
            known: BTreeMap::new(),
        }
    }

    /// Puts a column under a name, of as many values as there are bars; infinities become unknown.
    pub fn define(&mut self, name: &str, column: Column) {
        let column = match column {
            Column::Numbers(x) if x.iter().any(|x| x.is_infinite()) => {
                Column::Numbers(Arc::new(x.iter().map(|x| known(*x)).collect()))
            }
            other => other,
        };
        self.names.push((name.to_owned(), column));
    }

    /// The names with their types, for [`Expression::parse`].
    #[must_use]
    pub fn types(&self) -> Vec<(&str, Type)> {
        let each = self.names.iter();
        each.map(|(n, c)| (n.as_str(), c.gives())).collect()
    }

    /// The column of an expression that was read with the names of this evaluator.
    ///
    /// # Errors
    /// [`FitError`] when a name has gone or an indicator refuses its length, which reading prevents.
    pub fn column(&mut self, expression: &Expression) -> Result<Column, FitError> {
        self.node(&expression.node)
    }

    fn len(&self) -> usize {
        self.bars.close.len()
    }

    fn node(&mut self, node: &Node) -> Result<Column, FitError> {
        if let Node::Name(name) = node {
            let found = self.names.iter().find(|(n, _)| n == name);
            return found
                .map(|(_, column)| column.clone())
                .ok_or_else(|| FitError::Data(format!("there is no column \"{name}\"")));
        }
        let text = node.to_string();
        if let Some(column) = self.known.get(&text) {
            return Ok(column.clone());
        }
        let column = self.compute(node)?;
        self.known.insert(text, column.clone());
        Ok(column)
    }

    fn numbers(&mut self, node: &Node) -> Result<Arc<Vec<f64>>, FitError> {
        match self.node(node)? {
            Column::Numbers(x) => Ok(x),
            Column::Conditions(_) => Err(FitError::Data(format!("\"{node}\" is not a number"))),
        }
    }

    fn conditions(&mut self, node: &Node) -> Result<Arc<Vec<Option<bool>>>, FitError> {
        match self.node(node)? {
            Column::Conditions(c) => Ok(c),
            Column::Numbers(_) => Err(FitError::Data(format!("\"{node}\" is not a condition"))),
        }
    }

    fn compute(&mut self, node: &Node) -> Result<Column, FitError> {
        Ok(match node {
            Node::Number(x) => numbers(vec![*x; self.len()]),
            Node::Name(_) => self.node(node)?,
            Node::Minus(inner) => {
                let x = self.numbers(inner)?;
                numbers(x.iter().map(|x| -x).collect())
            }
            Node::Not(inner) => {
                let c = self.conditions(inner)?;
                conditions(c.iter().map(|c| c.map(|c| !c)).collect())
            }
            Node::Infix(op @ (Infix::And | Infix::Or), a, b) => {
                let (a, b) = (self.conditions(a)?, self.conditions(b)?);
                // What one side alone decides does not need the other.
                let decides = *op == Infix::Or;
                let join = |(a, b): (&Option<bool>, &Option<bool>)| match (a, b) {
                    (Some(x), _) | (_, Some(x)) if *x == decides => Some(decides),
                    (Some(_), Some(_)) => Some(!decides),
                    _ => None,
                };
                conditions(a.iter().zip(b.iter()).map(join).collect())
            }
            Node::Infix(op, a, b) => {
                let (a, b) = (self.numbers(a)?, self.numbers(b)?);
                let pairs = a.iter().zip(b.iter());
                let arithmetic = |f: fn(f64, f64) -> f64| {
                    numbers(
                        a.iter()
                            .zip(b.iter())
                            .map(|(a, b)| known(f(*a, *b)))
                            .collect(),
                    )
                };
                let holds: fn(&f64, &f64) -> bool = match op {
                    Infix::Add => return Ok(arithmetic(|a, b| a + b)),
                    Infix::Subtract => return Ok(arithmetic(|a, b| a - b)),
                    Infix::Multiply => return Ok(arithmetic(|a, b| a * b)),
                    Infix::Divide => return Ok(arithmetic(|a, b| a / b)),
                    Infix::Less => |a, b| a < b,
                    Infix::LessEqual => |a, b| a <= b,
                    Infix::Greater => |a, b| a > b,
                    Infix::GreaterEqual => |a, b| a >= b,
                    Infix::NotEqual => |a, b| a != b,
                    _ => |a, b| a == b,
                };
                let compare =
                    |(a, b): (&f64, &f64)| (!a.is_nan() && !b.is_nan()).then(|| holds(a, b));
                conditions(pairs.map(compare).collect())
            }
            Node::Call(function, arguments) => self.call(function, arguments)?,
        })
    }

    fn call(&mut self, function: &Function, arguments: &[Node]) -> Result<Column, FitError> {
        let bars = |node: &Node| match node {
            Node::Number(x) => *x as usize,
            _ => 0,
        };
        let last = arguments.last().map_or(0, bars);
        if function.op == Op::Atr {
            let b = self.bars;
            return Ok(numbers(kernels::atr(b.high, b.low, b.close, last)?));
        }
        if matches!(function.op, Op::BarsSince | Op::Count | Op::If) {
            let c = self.conditions(&arguments[0])?;
            return Ok(match function.op {
                Op::BarsSince => numbers(bars_since(&c)),
                Op::Count => {
                    let ones: Vec<f64> = c
                        .iter()
                        .map(|c| c.map_or(f64::NAN, |c| f64::from(u8::from(c))))
                        .collect();
                    numbers(kernels::windows(&ones, last, |w| w.iter().sum()))
                }
                _ => {
                    let (a, b) = (self.numbers(&arguments[1])?, self.numbers(&arguments[2])?);
                    let pick = |t: usize| match c[t] {
                        Some(true) => a[t],
                        Some(false) => b[t],
                        None => f64::NAN,
                    };
                    numbers((0..c.len()).map(pick).collect())
                }
            });
        }
        let x = self.numbers(&arguments[0])?;
        let each = |f: fn(f64) -> f64| numbers(x.iter().map(|x| known(f(*x))).collect());
        let ago = |n: usize, f: fn(f64, f64) -> f64| {
            let at = |t: usize| t.checked_sub(n).map_or(f64::NAN, |s| known(f(x[t], x[s])));
            numbers((0..x.len()).map(at).collect())
        };
        Ok(match function.op {
            Op::Abs => each(f64::abs),
            Op::Exp => each(f64::exp),
            Op::Log => each(f64::ln),
            Op::Sqrt => each(f64::sqrt),
            Op::Sign => each(|x| if x == 0.0 { 0.0 } else { x.signum() }),
            Op::Known => conditions(x.iter().map(|x| Some(!x.is_nan())).collect()),
            Op::Lag => ago(last, |_, before| before),
            Op::Change => ago(last, |now, before| now - before),
            Op::Roc => ago(last, |now, before| 100.0 * (now / before - 1.0)),
            Op::Sma => numbers(kernels::sma(&x, last)?),
            Op::Ema => numbers(kernels::ema(&x, last)?),
            Op::Wma => numbers(kernels::wma(&x, last)?),
            Op::Rsi => numbers(kernels::rsi(&x, last)?),
            Op::Highest => numbers(kernels::extreme(&x, last, 1.0)),
            Op::Lowest => numbers(kernels::extreme(&x, last, -1.0)),
            Op::Sum => numbers(kernels::windows(&x, last, |w| known(w.iter().sum()))),
            Op::Stdev => numbers(kernels::windows(&x, last, |w| moments(w).1)),
            Op::Zscore => numbers(kernels::windows(&x, last, |w| {
                let (mean, sd) = moments(w);
                known((w[w.len() - 1] - mean) / sd)
            })),
            Op::PercentRank => numbers(kernels::windows(&x, last, |w| {
                let now = w[w.len() - 1];
                let before = &w[..w.len() - 1];
                let below = before.iter().filter(|v| **v < now).count();
                100.0 * below as f64 / before.len() as f64
            })),
            Op::Slope => numbers(kernels::windows(&x, last, slope)),
            Op::Rising | Op::Falling => {
                let sign = if function.op == Op::Rising { 1.0 } else { -1.0 };
                let steps = |w: &[f64]| {
                    let all = w.windows(2).all(|p| sign * (p[1] - p[0]) > 0.0);
                    f64::from(u8::from(all))
                };
                let found = kernels::windows(&x, last + 1, steps);
                conditions(
                    found
                        .iter()
                        .map(|v| (!v.is_nan()).then_some(*v > 0.5))
                        .collect(),
                )
            }
            Op::Min | Op::Max | Op::Pow => {
                let y = self.numbers(&arguments[1])?;
                let join = |(a, b): (&f64, &f64)| match function.op {
                    _ if a.is_nan() || b.is_nan() => f64::NAN,
                    Op::Min => a.min(*b),
                    Op::Max => a.max(*b),
                    _ => known(a.powf(*b)),
                };
                numbers(x.iter().zip(y.iter()).map(join).collect())
            }
            Op::Clip => {
                let (low, high) = (self.numbers(&arguments[1])?, self.numbers(&arguments[2])?);
                let keep = |t: usize| {
                    let (x, low, high) = (x[t], low[t], high[t]);
                    // Limits the wrong way round have nothing between them.
                    if x.is_nan() || low.is_nan() || high.is_nan() || low > high {
                        f64::NAN
                    } else {
                        x.clamp(low, high)
                    }
                };
                numbers((0..x.len()).map(keep).collect())
            }
            Op::Correlation => {
                let y = self.numbers(&arguments[1])?;
                numbers(correlation(&x, &y, last))
            }
            Op::CrossesAbove | Op::CrossesBelow => {
                let y = self.numbers(&arguments[1])?;
                let sign = if function.op == Op::CrossesAbove {
                    1.0
                } else {
                    -1.0
                };
                let gap = |t: usize| sign * gap(x[t], y[t]);
                let crosses = |t: usize| {
                    let (before, now) = (gap(t.checked_sub(1)?), gap(t));
                    (!before.is_nan() && !now.is_nan()).then_some(before < 0.0 && now > 0.0)
                };
                conditions((0..x.len()).map(crosses).collect())
            }
            Op::Atr | Op::BarsSince | Op::Count | Op::If => {
                return Err(FitError::Failed(format!(
                    "{} is not computed here",
                    function.name
                )));
            }
        })
    }
}

fn numbers(x: Vec<f64>) -> Column {
    Column::Numbers(Arc::new(x))
}

fn conditions(c: Vec<Option<bool>>) -> Column {
    Column::Conditions(Arc::new(c))
}

/// What is not finite is unknown.
fn known(x: f64) -> f64 {
    if x.is_finite() { x } else { f64::NAN }
}

fn bars_since(c: &[Option<bool>]) -> Vec<f64> {
    let mut since = f64::NAN;
    c.iter()
        .map(|c| {
            since = if *c == Some(true) { 0.0 } else { since + 1.0 };
            since
        })
        .collect()
}

/// Mean and standard deviation, divisor n; a spread that is rounding alone is 0.
fn moments(w: &[f64]) -> (f64, f64) {
    let n = w.len() as f64;
    let mean = w.iter().sum::<f64>() / n;
    let squares: f64 = w.iter().map(|v| (v - mean) * (v - mean)).sum();
    let sd = (squares / n).sqrt();
    let size = w.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    (mean, if sd <= size * 1e-14 { 0.0 } else { known(sd) })
}

fn slope(w: &[f64]) -> f64 {
    let n = w.len() as f64;
    let centre = (n - 1.0) / 2.0;
    let mean = w.iter().sum::<f64>() / n;
    let each = w.iter().enumerate();
    let products: f64 = each.map(|(i, v)| (i as f64 - centre) * (v - mean)).sum();
    known(products * 12.0 / (n * (n * n - 1.0)))
}

fn correlation(x: &[f64], y: &[f64], period: usize) -> Vec<f64> {
    let mut count = 0;
    (0..x.len())
        .map(|t| {
            let missing = x[t].is_nan() || y[t].is_nan();
            count = if missing { 0 } else { count + 1 };
            if count < period {
                return f64::NAN;
            }
            let (a, b) = (&x[t + 1 - period..=t], &y[t + 1 - period..=t]);
            let ((ma, sa), (mb, sb)) = (moments(a), moments(b));
            let products: f64 = a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum();
            known(products / (period as f64 * sa * sb))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(text: &str) -> Column {
        let close = [1.0, 3.0, 2.0, 5.0, 4.0, 4.0];
        let bars = Bars {
            open: &[1.0; 6],
            high: &[6.0; 6],
            low: &[1.0; 6],
            close: &close,
            volume: None,
        };
        let mut all = Evaluator::new(bars);
        let gap = vec![f64::NAN, 1.0, f64::NAN, 2.0, f64::INFINITY, 3.0];
        all.define("gap", Column::Numbers(Arc::new(gap)));
        let read = Expression::parse(text, &all.types()).unwrap();
        all.column(&read).unwrap()
    }

    fn shown(text: &str) -> Vec<Option<f64>> {
        match column(text) {
            Column::Numbers(x) => {
                let round = |x: &f64| (x * 1e9).round() / 1e9;
                x.iter().map(|x| (!x.is_nan()).then(|| round(x))).collect()
            }
            Column::Conditions(c) => c
                .iter()
                .map(|c| c.map(|c| f64::from(u8::from(c))))
                .collect(),
        }
    }

    #[test]
    fn functions_by_hand() {
        let n = None;
        let s = Some;
        for (text, want) in [
            (
                "close * 2 - 1",
                [s(1.0), s(5.0), s(3.0), s(9.0), s(7.0), s(7.0)],
            ),
            (
                "1 / (close - 2)",
                [s(-1.0), s(1.0), n, s(0.333333333), s(0.5), s(0.5)],
            ),
            ("sma(close, 2)", [n, s(2.0), s(2.5), s(3.5), s(4.5), s(4.0)]),
            ("sma(gap, 2)", [n; 6]),
            ("gap", [n, s(1.0), n, s(2.0), n, s(3.0)]),
            ("highest(close, 3)", [n, n, s(3.0), s(5.0), s(5.0), s(5.0)]),
            ("lowest(close, 3)", [n, n, s(1.0), s(2.0), s(2.0), s(4.0)]),
            ("sum(close, 2)", [n, s(4.0), s(5.0), s(7.0), s(9.0), s(8.0)]),
            (
                "stdev(close, 2)",
                [n, s(1.0), s(0.5), s(1.5), s(0.5), s(0.0)],
            ),
            ("zscore(close, 2)", [n, s(1.0), s(-1.0), s(1.0), s(-1.0), n]),
            ("lag(close, 2)", [n, n, s(1.0), s(3.0), s(2.0), s(5.0)]),
            (
                "lag(close, 0)",
                [s(1.0), s(3.0), s(2.0), s(5.0), s(4.0), s(4.0)],
            ),
            (
                "change(close, 1)",
                [n, s(2.0), s(-1.0), s(3.0), s(-1.0), s(0.0)],
            ),
            (
                "roc(close, 1)",
                [n, s(200.0), s(-33.333333333), s(150.0), s(-20.0), s(0.0)],
            ),
            ("slope(close, 3)", [n, n, s(0.5), s(1.0), s(1.0), s(-0.5)]),
            (
                "percent_rank(close, 3)",
                [n, n, s(50.0), s(100.0), s(50.0), s(0.0)],
            ),
            (
                "correlation(close, -close, 3)",
                [n, n, s(-1.0), s(-1.0), s(-1.0), s(-1.0)],
            ),
            ("bars_since(close > 4)", [n, n, n, s(0.0), s(1.0), s(2.0)]),
            (
                "count(close > 2, 2)",
                [n, s(1.0), s(1.0), s(1.0), s(2.0), s(2.0)],
            ),
            (
                "rising(close, 1)",
                [n, s(1.0), s(0.0), s(1.0), s(0.0), s(0.0)],
            ),
            (
                "falling(close, 1)",
                [n, s(0.0), s(1.0), s(0.0), s(1.0), s(0.0)],
            ),
            (
                "crosses_above(close, 2.5)",
                [n, s(1.0), s(0.0), s(1.0), s(0.0), s(0.0)],
            ),
            (
                "crosses_below(close, 2.5)",
                [n, s(0.0), s(1.0), s(0.0), s(0.0), s(0.0)],
            ),
            (
                "if(close > 2, close, 0)",
                [s(0.0), s(3.0), s(0.0), s(5.0), s(4.0), s(4.0)],
            ),
            (
                "clip(close, 2, 4)",
                [s(2.0), s(3.0), s(2.0), s(4.0), s(4.0), s(4.0)],
            ),
            (
                "min(close, 3) + max(1, 2)",
                [s(3.0), s(5.0), s(4.0), s(5.0), s(5.0), s(5.0)],
            ),
            (
                "pow(close, 2)",
                [s(1.0), s(9.0), s(4.0), s(25.0), s(16.0), s(16.0)],
            ),
            (
                "sign(close - 3)",
                [s(-1.0), s(0.0), s(-1.0), s(1.0), s(1.0), s(1.0)],
            ),
            (
                "known(gap)",
                [s(0.0), s(1.0), s(0.0), s(1.0), s(0.0), s(1.0)],
            ),
            // Ranges of 5 after the first; Wilder's mean of equal values.
            ("atr(2)", [n, n, s(5.0), s(5.0), s(5.0), s(5.0)]),
            // Known on one side is enough where it decides.
            (
                "gap > 1 and close > 2",
                [s(0.0), s(0.0), s(0.0), s(1.0), n, s(1.0)],
            ),
            (
                "gap > 1 or close > 2",
                [n, s(1.0), n, s(1.0), s(1.0), s(1.0)],
            ),
            ("not gap > 1", [n, s(1.0), n, s(0.0), n, s(0.0)]),
            (
                "close == 4",
                [s(0.0), s(0.0), s(0.0), s(0.0), s(1.0), s(1.0)],
            ),
            (
                "close != 4 and close >= 3 and close <= 5",
                [s(0.0), s(1.0), s(0.0), s(1.0), s(0.0), s(0.0)],
            ),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }
}
