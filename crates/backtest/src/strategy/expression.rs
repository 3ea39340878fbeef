//! Expressions: text to tree, with the column in every error, and tree to text.
//!
//! What: Numbers, names of columns, `+ - * /`, comparisons, `and`, `or`, `not`, parentheses and
//! the functions of [`super::functions`]. A tree is made only of what is known by name and fits by
//! type; it cannot call anything else.
//! Formula: From weak to strong: `or`, `and`, `not`, one comparison, `+ -`, `* /`, `-`.
//! Data: Text of at most 2,000 characters, 500 parts, nested 32 deep.
//! Cost: O(characters).
//! Fails when: The text is longer, deeper or of the wrong types: the error says where and what was
//! expected.
//! Source: V. R. Pratt, Top Down Operator Precedence, POPL 1973. By hand: two thirds of it are
//! the words of its errors, which parser libraries leave to their user anyway.
//! Not claimed: A programming language: there are no loops, no assignments, no strings.

use super::functions::{Argument, FUNCTIONS, Function, MAX_WINDOW, Type, find};
use mltrainer_catalogue_core::suggest::nearest;
use mltrainer_types::strategy::MAX_EXPRESSION;
use std::fmt;

/// Deepest nesting.
pub const MAX_DEPTH: usize = 32;
/// Most parts: numbers, names, operators and calls.
pub const MAX_PARTS: usize = 500;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    /// Column of the character, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
    /// Nearest names for an unknown one.
    pub suggestions: Vec<String>,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.reason)?;
        if !self.suggestions.is_empty() {
            write!(f, "; did you mean {}?", self.suggestions.join(" or "))?;
        }
        Ok(())
    }
}

impl std::error::Error for ExpressionError {}

/// Operators between two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Infix {
    Or,
    And,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Infix {
    const fn text(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }

    /// How strongly it binds.
    const fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual
            | Self::Equal
            | Self::NotEqual => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide => 6,
        }
    }

    /// What it takes and gives.
    const fn types(self) -> (Type, Type) {
        match self.strength() {
            1 | 2 => (Type::Condition, Type::Condition),
            4 => (Type::Number, Type::Condition),
            _ => (Type::Number, Type::Number),
        }
    }
}

/// Strength of `not` and of the minus sign.
const NOT: u8 = 3;
const MINUS: u8 = 7;

/// A tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Number(f64),
    Name(String),
    Minus(Box<Node>),
    Not(Box<Node>),
    Infix(Infix, Box<Node>, Box<Node>),
    Call(&'static Function, Vec<Node>),
}

/// A checked expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub(super) node: Node,
    pub(super) gives: Type,
}

impl Expression {
    /// Reads a text that may use these names of columns; every one of them has a type.
    ///
    /// # Errors
    /// [`ExpressionError`] with the column.
    pub fn parse(text: &str, names: &[(&str, Type)]) -> Result<Self, ExpressionError> {
        let count = text.chars().count();
        if count > MAX_EXPRESSION {
            return Err(error(
                MAX_EXPRESSION,
                format!("the expression has {count} characters, at most {MAX_EXPRESSION} are read"),
            ));
        }
        let mut parser = Parser {
            text,
            tokens: tokens(text)?,
            next: 0,
            names,
            depth: 0,
            parts: 0,
        };
        let (node, gives) = parser.expression(0)?;
        match parser.peek() {
            (Token::End, _) => Ok(Self { node, gives }),
            (token, at) => {
                let told = match token {
                    Token::Close => "this `)` closes nothing".to_owned(),
                    _ => parser.expected("an operator or the end"),
                };
                Err(parser.error(at, told))
            }
        }
    }

    /// As [`Expression::parse`], of the type that is wanted.
    ///
    /// # Errors
    /// Also when the type is another.
    pub fn parse_as(
        text: &str,
        names: &[(&str, Type)],
        wanted: Type,
    ) -> Result<Self, ExpressionError> {
        let found = Self::parse(text, names)?;
        if found.gives == wanted {
            return Ok(found);
        }
        Err(error(
            0,
            format!(
                "{} is wanted here, and the expression is {}",
                wanted.words(),
                found.gives.words()
            ),
        ))
    }

    /// What it gives on each bar.
    #[must_use]
    pub const fn gives(&self) -> Type {
        self.gives
    }
}

/// The canonical text: one space around operators and after commas, no parentheses that are not
/// needed. Read again it gives the same tree.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

impl Node {
    fn strength(&self) -> u8 {
        match self {
            Self::Infix(op, ..) => op.strength(),
            Self::Not(_) => NOT,
            Self::Minus(_) => MINUS,
            _ => u8::MAX,
        }
    }

    fn within(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.strength() < least {
            write!(f, "({self})")
        } else {
            write!(f, "{self}")
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(x) => write!(f, "{x}"),
            Self::Name(name) => f.write_str(name),
            Self::Minus(inner) => {
                f.write_str("-")?;
                inner.within(f, MINUS)
            }
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.within(f, NOT)
            }
            Self::Infix(op, a, b) => {
                let strength = op.strength();
                // Comparisons do not chain; the others group from the left.
                a.within(f, if strength == 4 { 5 } else { strength })?;
                write!(f, " {} ", op.text())?;
                b.within(f, strength + 1)
            }
            Self::Call(function, arguments) => {
                write!(f, "{}(", function.name)?;
                for (i, argument) in arguments.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{argument}")?;
                }
                f.write_str(")")
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'a> {
    Number(f64),
    Name(&'a str),
    Infix(Infix),
    Not,
    Open,
    Close,
    Comma,
    End,
}

fn error(at: usize, reason: impl Into<String>) -> ExpressionError {
    ExpressionError {
        column: at + 1,
        reason: reason.into(),
        suggestions: Vec::new(),
    }
}

/// Tokens with the bytes at which they start.
fn tokens(text: &str) -> Result<Vec<(Token<'_>, usize)>, ExpressionError> {
    let mut all = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    let column = |at: usize| text[..at].chars().count();
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        let rest = &text[at..];
        let take = |of: &dyn Fn(u8) -> bool| {
            let end = bytes[start..].iter().position(|b| !of(*b));
            &text[start..end.map_or(text.len(), |e| start + e)]
        };
        let (token, length) = match c {
            _ if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '0'..='9' => {
                let word = number(rest);
                let value: f64 = word
                    .parse()
                    .map_err(|_| error(column(start), format!("`{word}` is not a number")))?;
                if !value.is_finite() {
                    return Err(error(column(start), format!("`{word}` is too large")));
                }
                (Token::Number(value), word.len())
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let word = take(&|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
                let token = match word {
                    "and" => Token::Infix(Infix::And),
                    "or" => Token::Infix(Infix::Or),
                    "not" => Token::Not,
                    _ => Token::Name(word),
                };
                (token, word.len())
            }
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '+' => (Token::Infix(Infix::Add), 1),
            '-' => (Token::Infix(Infix::Subtract), 1),
            '*' => (Token::Infix(Infix::Multiply), 1),
            '/' => (Token::Infix(Infix::Divide), 1),
            '<' if rest.starts_with("<=") => (Token::Infix(Infix::LessEqual), 2),
            '<' => (Token::Infix(Infix::Less), 1),
            '>' if rest.starts_with(">=") => (Token::Infix(Infix::GreaterEqual), 2),
            '>' => (Token::Infix(Infix::Greater), 1),
            '=' if rest.starts_with("==") => (Token::Infix(Infix::Equal), 2),
            '!' if rest.starts_with("!=") => (Token::Infix(Infix::NotEqual), 2),
            _ => {
                let instead = match c {
                    '=' => "; equality is written `==`",
                    '!' => "; negation is written `not`",
                    '&' => "; write `and`",
                    '|' => "; write `or`",
                    '^' => "; a power is written `pow(x, p)`",
                    '%' => "; percent are written as shares: 0.05 for 5 %",
                    '.' => "; a number starts with a digit: 0.5",
                    _ => "",
                };
                return Err(error(
                    column(start),
                    format!("`{c}` has no meaning here{instead}"),
                ));
            }
        };
        all.push((token, start));
        at += length;
    }
    all.push((Token::End, text.len()));
    Ok(all)
}

/// Digits, a fraction, an exponent.
fn number(text: &str) -> &str {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let count = bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        from + count
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let from = end + 1 + sign;
        if from <= bytes.len() && digits(from) > from {
            end = digits(from);
        }
    }
    // A letter glued to a number belongs to it, so that the error names the whole word.
    let glued = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_' || **b == b'.';
    end += bytes[end..].iter().take_while(glued).count();
    &text[..end]
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token<'a>, usize)>,
    next: usize,
    names: &'a [(&'a str, Type)],
    depth: usize,
    parts: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> (Token<'a>, usize) {
        self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> (Token<'a>, usize) {
        let token = self.peek();
        self.next += 1;
        token
    }

    /// An error at a byte of the text.
    fn error(&self, byte: usize, reason: String) -> ExpressionError {
        error(self.text[..byte].chars().count(), reason)
    }

    /// What was expected after what has been read.
    fn expected(&self, what: &str) -> String {
        let (_, at) = self.peek();
        let read = self.text[..at].trim_end();
        // Enough of it to find the place.
        let from = read.char_indices().rev().nth(39).map_or(0, |(i, _)| i);
        let dots = if from > 0 { "..." } else { "" };
        if read.is_empty() {
            format!("expected {what}")
        } else {
            format!("expected {what} after `{dots}{}`", &read[from..])
        }
    }

    fn part(&mut self, at: usize) -> Result<(), ExpressionError> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(self.error(
                at,
                format!("the expression has more than {MAX_PARTS} numbers, names and operators"),
            ));
        }
        Ok(())
    }

    /// An expression whose operators bind at least so strongly.
    fn expression(&mut self, least: u8) -> Result<(Node, Type), ExpressionError> {
        self.depth += 1;
        let at = self.peek().1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(at, format!("it is nested more than {MAX_DEPTH} deep")));
        }
        let (mut left, mut gives) = self.first()?;
        while let (Token::Infix(op), place) = self.peek() {
            let strength = op.strength();
            if strength < least {
                break;
            }
            self.take();
            self.part(place)?;
            let (wants, result) = op.types();
            self.fits(at, gives, wants, op.text())?;
            let (_, after) = self.peek();
            let (right, kind) = self.expression(strength + 1)?;
            self.fits(after, kind, wants, op.text())?;
            left = Node::Infix(op, Box::new(left), Box::new(right));
            gives = result;
            if strength == 4
                && let (Token::Infix(next), place) = self.peek()
                && next.strength() == 4
            {
                return Err(self.error(
                    place,
                    "comparisons do not chain: join two of them with `and`".to_owned(),
                ));
            }
        }
        self.depth -= 1;
        Ok((left, gives))
    }

    fn fits(&self, at: usize, found: Type, wanted: Type, op: &str) -> Result<(), ExpressionError> {
        if found == wanted {
            return Ok(());
        }
        Err(self.error(
            at,
            format!(
                "`{op}` takes {}, and this is {}",
                wanted.words(),
                found.words()
            ),
        ))
    }

    fn first(&mut self) -> Result<(Node, Type), ExpressionError> {
        let (token, at) = self.peek();
        self.part(at)?;
        match token {
            Token::Number(x) => {
                self.take();
                Ok((Node::Number(x), Type::Number))
            }
            Token::Infix(Infix::Subtract) => {
                self.take();
                let (_, after) = self.peek();
                let (inner, gives) = self.expression(MINUS)?;
                self.fits(after, gives, Type::Number, "-")?;
                Ok((Node::Minus(Box::new(inner)), Type::Number))
            }
            Token::Not => {
                self.take();
                let (_, after) = self.peek();
                let (inner, gives) = self.expression(NOT)?;
                self.fits(after, gives, Type::Condition, "not")?;
                Ok((Node::Not(Box::new(inner)), Type::Condition))
            }
            Token::Open => {
                self.take();
                let inner = self.expression(0)?;
                self.close(at)?;
                Ok(inner)
            }
            Token::Name(name) => {
                self.take();
                if self.peek().0 == Token::Open {
                    return self.call(name, at);
                }
                match self.names.iter().find(|(n, _)| *n == name) {
                    Some((_, gives)) => Ok((Node::Name(name.to_owned()), *gives)),
                    None => Err(self.unknown(name, at, false)),
                }
            }
            _ => {
                let told = self.expected("a number, a name or `(`");
                Err(self.error(at, told))
            }
        }
    }

    fn unknown(&self, name: &str, at: usize, called: bool) -> ExpressionError {
        let names = self.names.iter().map(|(n, _)| *n);
        let functions = FUNCTIONS.iter().map(|f| f.name);
        let mut told = if called {
            self.error(at, format!("there is no function `{name}`"))
        } else if let Some(function) = find(name) {
            return self.error(
                at,
                format!("`{name}` is a function: write {}", function.signature()),
            );
        } else {
            self.error(at, format!("there is no column `{name}`"))
        };
        told.suggestions = if called {
            nearest(name, functions)
        } else {
            nearest(name, names.chain(functions))
        };
        told
    }

    fn close(&mut self, opened: usize) -> Result<(), ExpressionError> {
        match self.peek() {
            (Token::Close, _) => {
                self.take();
                Ok(())
            }
            (_, at) => {
                let column = self.text[..opened].chars().count() + 1;
                let what = format!("`)` for the `(` of column {column}");
                let told = self.expected(&what);
                Err(self.error(at, told))
            }
        }
    }

    fn call(&mut self, name: &str, at: usize) -> Result<(Node, Type), ExpressionError> {
        let Some(function) = find(name) else {
            return Err(self.unknown(name, at, true));
        };
        let (_, opened) = self.take();
        let mut arguments = Vec::with_capacity(function.takes.len());
        for (i, argument) in function.takes.iter().enumerate() {
            if i > 0 {
                match self.peek() {
                    (Token::Comma, _) => {
                        self.take();
                    }
                    (Token::Close, at) => {
                        return Err(self.error(
                            at,
                            format!(
                                "{} takes {} arguments, {i} are given: {}",
                                function.name,
                                function.takes.len(),
                                function.signature()
                            ),
                        ));
                    }
                    (_, at) => {
                        let told = self.expected("`,`");
                        return Err(self.error(at, told));
                    }
                }
            }
            arguments.push(self.argument(function, *argument)?);
        }
        if let (Token::Comma, at) = self.peek() {
            let count = function.takes.len();
            let s = if count == 1 { "" } else { "s" };
            return Err(self.error(
                at,
                format!(
                    "{} takes {count} argument{s}: {}",
                    function.name,
                    function.signature()
                ),
            ));
        }
        self.close(opened)?;
        Ok((Node::Call(function, arguments), function.gives))
    }

    fn argument(
        &mut self,
        function: &'static Function,
        argument: Argument,
    ) -> Result<Node, ExpressionError> {
        let (token, at) = self.peek();
        if let Argument::Bars(least) = argument {
            self.part(at)?;
            let Token::Number(x) = token else {
                let what = if token == Token::Infix(Infix::Subtract) {
                    "a whole number without a sign (nothing looks ahead)"
                } else {
                    "a number"
                };
                let told = self.expected(what);
                return Err(self.error(at, told));
            };
            if x.fract() != 0.0 || x < least as f64 || x > MAX_WINDOW as f64 {
                return Err(self.error(
                    at,
                    format!(
                        "{} takes a whole number of bars from {least} to {MAX_WINDOW}, not {x}",
                        function.name
                    ),
                ));
            }
            self.take();
            return Ok(Node::Number(x));
        }
        let wanted = match argument {
            Argument::Condition => Type::Condition,
            _ => Type::Number,
        };
        if matches!(token, Token::Close | Token::End | Token::Comma) {
            let told = self.expected(wanted.words());
            return Err(self.error(at, told));
        }
        let (node, gives) = self.expression(0)?;
        self.fits(at, gives, wanted, function.name)?;
        Ok(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [(&str, Type); 5] = [
        ("open", Type::Number),
        ("high", Type::Number),
        ("low", Type::Number),
        ("close", Type::Number),
        ("up", Type::Condition),
    ];

    fn read(text: &str) -> Result<String, String> {
        Expression::parse(text, &NAMES)
            .map(|e| e.to_string())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn precedence_shows_in_the_canonical_text() {
        for (text, want) in [
            ("1+2*3", "1 + 2 * 3"),
            ("(1+2)*3", "(1 + 2) * 3"),
            ("1-(2-3)-4", "1 - (2 - 3) - 4"),
            ("-(close)*2", "-close * 2"),
            ("-(close*2)", "-(close * 2)"),
            ("--1", "--1"),
            ("not(close>open)and up", "not close > open and up"),
            ("not (close > open and up)", "not (close > open and up)"),
            ("(up or up) and up", "(up or up) and up"),
            ("up or (up and up)", "up or up and up"),
            ("((sma( close ,10 )))>1e-3", "sma(close, 10) > 0.001"),
            ("if(up, 1, -1) * 0.50", "if(up, 1, -1) * 0.5"),
            (
                "crosses_above(close,sma(close,2))",
                "crosses_above(close, sma(close, 2))",
            ),
        ] {
            assert_eq!(read(text).unwrap(), want);
            assert_eq!(read(want).unwrap(), want);
        }
    }

    #[test]
    fn errors_say_where_and_what() {
        for (text, want) in [
            ("", "column 1: expected a number, a name or `(`"),
            (
                "sma(close,",
                "column 11: expected a number after `sma(close,`",
            ),
            (
                "sma(close, fast)",
                "column 12: expected a number after `sma(close,`",
            ),
            (
                "sma(close, 2.5)",
                "column 12: sma takes a whole number of bars from 1 to 5000, not 2.5",
            ),
            (
                "lag(close, -1)",
                "column 12: expected a whole number without a sign (nothing looks ahead) after `lag(close,`",
            ),
            (
                "sma(close)",
                "column 10: sma takes 2 arguments, 1 are given: sma(x, n)",
            ),
            ("abs(1, 2)", "column 6: abs takes 1 argument: abs(x)"),
            ("sma()", "column 5: expected a number after `sma(`"),
            (
                "clsoe > 1",
                "column 1: there is no column `clsoe`; did you mean close?",
            ),
            (
                "sam(close, 3)",
                "column 1: there is no function `sam`; did you mean sma or sum?",
            ),
            ("sma > 3", "column 1: `sma` is a function: write sma(x, n)"),
            (
                "(close > 1",
                "column 11: expected `)` for the `(` of column 1 after `(close > 1`",
            ),
            ("close > 1)", "column 10: this `)` closes nothing"),
            (
                "close > 1 2",
                "column 11: expected an operator or the end after `close > 1`",
            ),
            (
                "1 < close < 2",
                "column 11: comparisons do not chain: join two of them with `and`",
            ),
            (
                "close and up",
                "column 1: `and` takes a condition, and this is a number",
            ),
            (
                "up + 1",
                "column 1: `+` takes a number, and this is a condition",
            ),
            (
                "1 + up",
                "column 5: `+` takes a number, and this is a condition",
            ),
            (
                "abs(up)",
                "column 5: `abs` takes a number, and this is a condition",
            ),
            (
                "not close",
                "column 5: `not` takes a condition, and this is a number",
            ),
            (
                "close = 1",
                "column 7: `=` has no meaning here; equality is written `==`",
            ),
            ("up && up", "column 4: `&` has no meaning here; write `and`"),
            (
                "close > 5%",
                "column 10: `%` has no meaning here; percent are written as shares: 0.05 for 5 %",
            ),
            ("3x + 1", "column 1: `3x` is not a number"),
            ("1e999", "column 1: `1e999` is too large"),
            ("é", "column 1: `é` has no meaning here"),
            ("close > é", "column 9: `é` has no meaning here"),
            (
                "close >",
                "column 8: expected a number, a name or `(` after `close >`",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), want, "{text}");
        }
        let wrong = Expression::parse_as("close", &NAMES, Type::Condition).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "column 1: a condition is wanted here, and the expression is a number"
        );
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let deep = format!("{}1{}", "(".repeat(40), ")".repeat(40));
        assert_eq!(
            read(&deep).unwrap_err(),
            "column 33: it is nested more than 32 deep"
        );
        assert!(read(&"-".repeat(1999)).unwrap_err().contains("nested"));
        let many = vec!["1"; 400].join("+");
        assert!(read(&many).unwrap_err().contains("more than 500"));
        let long = " ".repeat(2001);
        assert!(read(&long).unwrap_err().contains("2001 characters"));
        assert!(read(&vec!["1"; 200].join("+")).is_ok());
    }

    #[test]
    fn every_function_is_listed_once_in_order() {
        assert!(FUNCTIONS.windows(2).all(|w| w[0].name < w[1].name));
        for f in FUNCTIONS {
            let head = f.signature();
            let commas = head.matches(',').count() + 1;
            assert!(
                head.starts_with(f.name) && commas == f.takes.len(),
                "{head}"
            );
        }
    }
}
