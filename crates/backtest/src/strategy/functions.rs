//! The functions of expressions: one table for the parser, the evaluator and the help of a page.

/// What an expression gives on each bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A number, or unknown.
    Number,
    /// True, false or unknown.
    Condition,
}

impl Type {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Condition => "a condition",
        }
    }
}

/// An argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// A number on each bar.
    Number,
    /// A condition on each bar.
    Condition,
    /// A whole number written as digits, at least this; how many bars.
    Bars(usize),
}

/// Most bars a window looks back.
pub const MAX_WINDOW: usize = 5_000;

/// What a function computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Op {
    Abs,
    Atr,
    BarsSince,
    Change,
    Clip,
    Correlation,
    Count,
    CrossesAbove,
    CrossesBelow,
    Ema,
    Exp,
    Falling,
    Highest,
    If,
    Known,
    Lag,
    Log,
    Lowest,
    Max,
    Min,
    PercentRank,
    Pow,
    Rising,
    Roc,
    Rsi,
    Sign,
    Slope,
    Sma,
    Sqrt,
    Stdev,
    Sum,
    Wma,
    Zscore,
}

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub takes: &'static [Argument],
    /// What it gives.
    pub gives: Type,
    /// What it is, with its arguments.
    pub help: &'static str,
    pub(super) op: Op,
}

const fn function(
    name: &'static str,
    takes: &'static [Argument],
    gives: Type,
    op: Op,
    help: &'static str,
) -> Function {
    Function {
        name,
        takes,
        gives,
        help,
        op,
    }
}

use Argument::{Bars, Condition, Number};

/// All functions, by name. Nothing looks ahead: every one takes values up to the present bar.
pub const FUNCTIONS: &[Function] = &[
    function(
        "abs",
        &[Number],
        Type::Number,
        Op::Abs,
        "abs(x): absolute value",
    ),
    function(
        "atr",
        &[Bars(1)],
        Type::Number,
        Op::Atr,
        "atr(n): average true range of the bars, as TA-Lib's",
    ),
    function(
        "bars_since",
        &[Condition],
        Type::Number,
        Op::BarsSince,
        "bars_since(c): bars since c was last true, 0 when it is true now; unknown before",
    ),
    function(
        "change",
        &[Number, Bars(1)],
        Type::Number,
        Op::Change,
        "change(x, n): x less x n bars ago",
    ),
    function(
        "clip",
        &[Number, Number, Number],
        Type::Number,
        Op::Clip,
        "clip(x, low, high): x kept between low and high",
    ),
    function(
        "correlation",
        &[Number, Number, Bars(3)],
        Type::Number,
        Op::Correlation,
        "correlation(x, y, n): Pearson's correlation of the last n values",
    ),
    function(
        "count",
        &[Condition, Bars(1)],
        Type::Number,
        Op::Count,
        "count(c, n): of the last n bars, those on which c was true",
    ),
    function(
        "crosses_above",
        &[Number, Number],
        Type::Condition,
        Op::CrossesAbove,
        "crosses_above(a, b): a was below b on the bar before and is above it now",
    ),
    function(
        "crosses_below",
        &[Number, Number],
        Type::Condition,
        Op::CrossesBelow,
        "crosses_below(a, b): a was above b on the bar before and is below it now",
    ),
    function(
        "ema",
        &[Number, Bars(1)],
        Type::Number,
        Op::Ema,
        "ema(x, n): exponential moving average, as TA-Lib's",
    ),
    function(
        "exp",
        &[Number],
        Type::Number,
        Op::Exp,
        "exp(x): e to the power of x",
    ),
    function(
        "falling",
        &[Number, Bars(1)],
        Type::Condition,
        Op::Falling,
        "falling(x, n): x fell on each of the last n bars",
    ),
    function(
        "highest",
        &[Number, Bars(1)],
        Type::Number,
        Op::Highest,
        "highest(x, n): largest of the last n values, the present one included",
    ),
    function(
        "if",
        &[Condition, Number, Number],
        Type::Number,
        Op::If,
        "if(c, a, b): a where c is true, b where it is false",
    ),
    function(
        "known",
        &[Number],
        Type::Condition,
        Op::Known,
        "known(x): whether x has a value",
    ),
    function(
        "lag",
        &[Number, Bars(0)],
        Type::Number,
        Op::Lag,
        "lag(x, n): x n bars ago",
    ),
    function(
        "log",
        &[Number],
        Type::Number,
        Op::Log,
        "log(x): natural logarithm",
    ),
    function(
        "lowest",
        &[Number, Bars(1)],
        Type::Number,
        Op::Lowest,
        "lowest(x, n): smallest of the last n values, the present one included",
    ),
    function(
        "max",
        &[Number, Number],
        Type::Number,
        Op::Max,
        "max(a, b): the larger one",
    ),
    function(
        "min",
        &[Number, Number],
        Type::Number,
        Op::Min,
        "min(a, b): the smaller one",
    ),
    function(
        "percent_rank",
        &[Number, Bars(2)],
        Type::Number,
        Op::PercentRank,
        "percent_rank(x, n): share of the n - 1 values before, in percent, that are below x",
    ),
    function(
        "pow",
        &[Number, Number],
        Type::Number,
        Op::Pow,
        "pow(x, p): x to the power of p",
    ),
    function(
        "rising",
        &[Number, Bars(1)],
        Type::Condition,
        Op::Rising,
        "rising(x, n): x rose on each of the last n bars",
    ),
    function(
        "roc",
        &[Number, Bars(1)],
        Type::Number,
        Op::Roc,
        "roc(x, n): change over n bars in percent",
    ),
    function(
        "rsi",
        &[Number, Bars(2)],
        Type::Number,
        Op::Rsi,
        "rsi(x, n): relative strength index, as TA-Lib's",
    ),
    function(
        "sign",
        &[Number],
        Type::Number,
        Op::Sign,
        "sign(x): -1, 0 or 1",
    ),
    function(
        "slope",
        &[Number, Bars(2)],
        Type::Number,
        Op::Slope,
        "slope(x, n): slope of the least-squares line through the last n values, a bar",
    ),
    function(
        "sma",
        &[Number, Bars(1)],
        Type::Number,
        Op::Sma,
        "sma(x, n): simple moving average",
    ),
    function(
        "sqrt",
        &[Number],
        Type::Number,
        Op::Sqrt,
        "sqrt(x): square root",
    ),
    function(
        "stdev",
        &[Number, Bars(2)],
        Type::Number,
        Op::Stdev,
        "stdev(x, n): standard deviation of the last n values, divisor n",
    ),
    function(
        "sum",
        &[Number, Bars(1)],
        Type::Number,
        Op::Sum,
        "sum(x, n): sum of the last n values",
    ),
    function(
        "wma",
        &[Number, Bars(1)],
        Type::Number,
        Op::Wma,
        "wma(x, n): linearly weighted moving average",
    ),
    function(
        "zscore",
        &[Number, Bars(2)],
        Type::Number,
        Op::Zscore,
        "zscore(x, n): distance of x from the mean of the last n values in their standard deviations",
    ),
];

/// The function of that name.
#[must_use]
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|f| f.name == name)
}

impl Function {
    /// How it is called: `sma(x, n)`.
    #[must_use]
    pub fn signature(&self) -> &'static str {
        self.help.split(": ").next().unwrap_or(self.name)
    }
}
