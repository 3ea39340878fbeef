//! Parameters, declared once: name, type, default, range and help.
//!
//! ```
//! use mltrainer_catalogue_core::{Params as _, params};
//! use serde_json::json;
//!
//! params! {
//!     /// Parameters of ridge regression.
//!     pub struct RidgeParams {
//!         /// Strength of the penalty.
//!         alpha: f64 = 1.0, at_least(0.0);
//!         /// Whether an intercept is fitted.
//!         fit_intercept: bool = true;
//!     }
//! }
//! let given = json!({"alpha": "0.5"});
//! let params = RidgeParams::from_map(given.as_object().unwrap()).unwrap();
//! assert_eq!(params.alpha, 0.5);
//! let refused = RidgeParams::from_map(json!({"alpha": -1}).as_object().unwrap()).unwrap_err();
//! assert_eq!(refused.to_string(), "parameter alpha: -1 is out of range, it must be at least 0");
//! ```

use crate::error::ParamError;
use crate::suggest::{did_you_mean, nearest};
use mltrainer_types::catalogue::{ParamKind, ParamSpec};
use serde_json::{Map, Value};

/// A parameter struct made by `params!`.
pub trait Params: Sized {
    /// The declarations, in order.
    fn specs() -> Vec<ParamSpec>;

    /// Reads values by name; what is absent takes its default. Numbers may come as JSON numbers or
    /// as the text of the command line, `none` is JSON's `null`.
    ///
    /// # Errors
    /// [`ParamError`] naming the field, the value and the range; an unknown name is refused with
    /// the nearest ones.
    fn from_map(map: &Map<String, Value>) -> Result<Self, ParamError>;

    /// All parameters with their values.
    fn to_map(&self) -> Map<String, Value>;
}

/// The values a number may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Smallest value, if bounded.
    pub min: Option<f64>,
    /// Largest value, if bounded.
    pub max: Option<f64>,
    /// Whether `min` itself is refused.
    pub min_exclusive: bool,
    /// Whether `max` itself is refused.
    pub max_exclusive: bool,
}

impl Range {
    /// Every finite number.
    #[must_use]
    pub const fn any() -> Self {
        Self {
            min: None,
            max: None,
            min_exclusive: false,
            max_exclusive: false,
        }
    }

    /// `[min, inf)`.
    #[must_use]
    pub const fn at_least(min: f64) -> Self {
        Self {
            min: Some(min),
            ..Self::any()
        }
    }

    /// `(min, inf)`.
    #[must_use]
    pub const fn above(min: f64) -> Self {
        Self {
            min_exclusive: true,
            ..Self::at_least(min)
        }
    }

    /// `[min, max]`.
    #[must_use]
    pub const fn within(min: f64, max: f64) -> Self {
        Self {
            max: Some(max),
            ..Self::at_least(min)
        }
    }

    /// `(min, max]`.
    #[must_use]
    pub const fn above_up_to(min: f64, max: f64) -> Self {
        Self {
            max: Some(max),
            ..Self::above(min)
        }
    }

    /// `(min, max)`.
    #[must_use]
    pub const fn inside(min: f64, max: f64) -> Self {
        Self {
            max_exclusive: true,
            ..Self::above_up_to(min, max)
        }
    }

    /// Whether a number is in the range; NaN and infinities never are.
    #[must_use]
    pub fn holds(&self, x: f64) -> bool {
        x.is_finite()
            && self
                .min
                .is_none_or(|m| x > m || (x == m && !self.min_exclusive))
            && self
                .max
                .is_none_or(|m| x < m || (x == m && !self.max_exclusive))
    }

    /// The range in words: `at least 0`, `above 0 and at most 1`.
    #[must_use]
    pub fn words(&self) -> String {
        let low = self.min.map(|m| {
            if self.min_exclusive {
                format!("above {m}")
            } else {
                format!("at least {m}")
            }
        });
        let high = self.max.map(|m| {
            if self.max_exclusive {
                format!("below {m}")
            } else {
                format!("at most {m}")
            }
        });
        match (low, high) {
            (Some(low), Some(high)) => format!("{low} and {high}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "a finite number".to_owned(),
        }
    }
}

/// A type that a parameter may have: `f64`, `i64`, `usize`, `bool`, `String`, an enum made by
/// [`choices!`], a `Vec` of one of them, or `Option` of any, whose `None` is written `none`.
///
/// [`choices!`]: crate::choices
pub trait ParamType: Sized {
    /// The kind on the wire.
    const KIND: ParamKind;
    /// Whether `none` is a value.
    const OPTIONAL: bool = false;

    /// The words of a choice.
    fn choices() -> &'static [&'static str] {
        &[]
    }

    /// Reads a JSON value or the text of the command line.
    ///
    /// # Errors
    /// Why the value is refused, with the value and the range.
    fn read(value: &Value, range: &Range) -> Result<Self, String>;

    /// The value as JSON.
    fn write(&self) -> Value;
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{text}\""),
        other => other.to_string(),
    }
}

/// A number out of a JSON number or a text; the range is checked here, for all numeric types.
fn number(value: &Value, range: &Range, what: &str) -> Result<f64, String> {
    let x = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let Some(x) = x else {
        return Err(format!("{} is not {what}", show(value)));
    };
    if !range.holds(x) {
        return Err(if x.is_finite() {
            format!("{x} is out of range, it must be {}", range.words())
        } else {
            format!("{} is not a finite number", show(value))
        });
    }
    Ok(x)
}

fn whole(value: &Value, range: &Range) -> Result<f64, String> {
    let x = number(value, range, "a whole number")?;
    if x.fract() != 0.0 {
        return Err(format!("{} is not a whole number", show(value)));
    }
    // 2^53: beyond it a double no longer holds every whole number.
    if x.abs() > 9_007_199_254_740_992.0 {
        return Err(format!(
            "{} is beyond 2^53, too large to be exact",
            show(value)
        ));
    }
    Ok(x)
}

impl ParamType for f64 {
    const KIND: ParamKind = ParamKind::Float;
    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        number(value, range, "a number")
    }
    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl ParamType for i64 {
    const KIND: ParamKind = ParamKind::Integer;
    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        Ok(whole(value, range)? as Self)
    }
    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl ParamType for usize {
    const KIND: ParamKind = ParamKind::Integer;
    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        let x = whole(value, range)?;
        if x < 0.0 {
            return Err(format!("{x} is out of range, it must be at least 0"));
        }
        Ok(x as Self)
    }
    fn write(&self) -> Value {
        Value::from(*self as u64)
    }
}

impl ParamType for bool {
    const KIND: ParamKind = ParamKind::Boolean;
    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        match value {
            Value::Bool(b) => Ok(*b),
            Value::String(text) if text == "true" => Ok(true),
            Value::String(text) if text == "false" => Ok(false),
            _ => Err(format!("{} is neither true nor false", show(value))),
        }
    }
    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl ParamType for String {
    const KIND: ParamKind = ParamKind::Text;
    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let text = value.as_str().map(str::trim).filter(|t| !t.is_empty());
        text.map(str::to_owned)
            .ok_or_else(|| format!("{} is not a text", show(value)))
    }
    fn write(&self) -> Value {
        Value::from(self.as_str())
    }
}

/// A list: a JSON array, or words joined with commas; the range holds for each item.
impl<T: ParamType> ParamType for Vec<T> {
    const KIND: ParamKind = ParamKind::Text;
    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        let item = |v: &Value| T::read(v, range);
        match value {
            Value::Array(all) => all.iter().map(item).collect(),
            Value::String(text) => text
                .split(',')
                .map(|word| item(&Value::from(word.trim())))
                .collect(),
            Value::Number(_) => Ok(vec![item(value)?]),
            _ => Err(format!("{} is not a list", show(value))),
        }
    }
    fn write(&self) -> Value {
        self.iter().map(T::write).collect()
    }
}

/// Whole numbers of at least 1 in an order that matters, such as the sizes of layers: on the command
/// line joined with commas, in JSON an array; one number alone is a list of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes(pub Vec<usize>);

impl ParamType for Sizes {
    const KIND: ParamKind = ParamKind::Text;
    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let one = Range::at_least(1.0);
        let each = |v: &Value| usize::read(v, &one);
        let sizes = match value {
            Value::Array(all) => all.iter().map(each).collect(),
            Value::String(text) => text.split(',').map(|t| each(&Value::from(t))).collect(),
            other => each(other).map(|n| vec![n]),
        };
        match sizes {
            Ok(sizes) if !sizes.is_empty() => Ok(Self(sizes)),
            Ok(_) => Err("it must name at least one whole number".to_owned()),
            Err(reason) => Err(format!("{reason}; write whole numbers joined with commas")),
        }
    }
    fn write(&self) -> Value {
        let words: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        Value::from(words.join(","))
    }
}

/// One of the words of a choice, or else a number in the range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WordOr<W> {
    /// A word.
    Word(W),
    /// A number.
    Number(f64),
}

impl<W: ParamType> ParamType for WordOr<W> {
    const KIND: ParamKind = ParamKind::Text;
    fn choices() -> &'static [&'static str] {
        W::choices()
    }
    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        if let Ok(word) = W::read(value, range) {
            return Ok(Self::Word(word));
        }
        let words = W::choices().join(", ");
        let what = format!("one of {words} or a number");
        number(value, range, &what).map(Self::Number)
    }
    fn write(&self) -> Value {
        match self {
            Self::Word(word) => word.write(),
            Self::Number(x) => Value::from(*x),
        }
    }
}

impl<T: ParamType> ParamType for Option<T> {
    const KIND: ParamKind = T::KIND;
    const OPTIONAL: bool = true;
    fn choices() -> &'static [&'static str] {
        T::choices()
    }
    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if text.eq_ignore_ascii_case("none") => Ok(None),
            _ => T::read(value, range)
                .map(Some)
                .map_err(|reason| format!("{reason} (or none)")),
        }
    }
    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::write)
    }
}

/// Reads a word of a choice; for [`choices!`](crate::choices).
///
/// # Errors
/// The words there are, and the nearest one.
pub fn read_choice(value: &Value, words: &[&str]) -> Result<usize, String> {
    let text = value.as_str().unwrap_or_default();
    words.iter().position(|w| *w == text).ok_or_else(|| {
        format!(
            "{} is not one of {}{}",
            show(value),
            words.join(", "),
            did_you_mean(&nearest(text, words.iter().copied()))
        )
    })
}

/// The declaration of one parameter; for [`params!`](crate::params).
#[must_use]
pub fn spec<T: ParamType>(name: &str, default: &T, range: Range, help: &[&str]) -> ParamSpec {
    ParamSpec {
        name: name.to_owned(),
        kind: T::KIND,
        default: default.write(),
        optional: T::OPTIONAL,
        min: range.min,
        max: range.max,
        min_exclusive: range.min_exclusive,
        max_exclusive: range.max_exclusive,
        choices: T::choices().iter().map(|c| (*c).to_owned()).collect(),
        help: help
            .iter()
            .map(|line| line.trim())
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// Reads one parameter; for [`params!`](crate::params).
///
/// # Errors
/// [`ParamError`] naming the field.
pub fn read<T: ParamType>(
    map: &Map<String, Value>,
    name: &str,
    default: T,
    range: Range,
) -> Result<T, ParamError> {
    map.get(name).map_or(Ok(default), |value| {
        T::read(value, &range).map_err(|reason| ParamError {
            field: name.to_owned(),
            reason,
            suggestions: Vec::new(),
        })
    })
}

/// Refuses names that no parameter has; for [`params!`](crate::params).
///
/// # Errors
/// [`ParamError`] naming the first unknown one, with the nearest names.
pub fn known(map: &Map<String, Value>, names: &[&str]) -> Result<(), ParamError> {
    let Some(unknown) = map.keys().find(|k| !names.contains(&k.as_str())) else {
        return Ok(());
    };
    let suggestions = nearest(unknown, names.iter().copied());
    let there_are = if names.is_empty() {
        "there are no parameters".to_owned()
    } else {
        format!("there are {}", names.join(", "))
    };
    Err(ParamError {
        field: unknown.clone(),
        reason: format!("unknown; {there_are}{}", did_you_mean(&suggestions)),
        suggestions,
    })
}

/// Declares a parameter struct: `name [as "wire name"]: type = default [, range(bounds)];` a field,
/// with its help as doc comment. The ranges are the constructors of [`params::Range`](Range).
#[macro_export]
macro_rules! params {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $help:literal])+
                $field:ident $(as $wire:literal)? : $ty:ty = $default:expr
                $(, $range:ident ( $($bound:expr),* ))? ;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name {
            $( $(#[doc = $help])+ pub $field: $ty, )*
        }

        impl $crate::params::Params for $name {
            fn specs() -> Vec<$crate::reexport::ParamSpec> {
                vec![$(
                    $crate::params::spec::<$ty>(
                        $crate::params!(@name $field $($wire)?),
                        &$default,
                        $crate::params!(@range $($range($($bound),*))?),
                        &[$($help),+],
                    )
                ),*]
            }

            fn from_map(
                map: &$crate::entry::ParamMap,
            ) -> Result<Self, $crate::error::ParamError> {
                $crate::params::known(map, &[$($crate::params!(@name $field $($wire)?)),*])?;
                Ok(Self {$(
                    $field: $crate::params::read::<$ty>(
                        map,
                        $crate::params!(@name $field $($wire)?),
                        $default,
                        $crate::params!(@range $($range($($bound),*))?),
                    )?,
                )*})
            }

            fn to_map(&self) -> $crate::entry::ParamMap {
                $crate::entry::ParamMap::from_iter([$((
                    $crate::params!(@name $field $($wire)?).to_owned(),
                    $crate::params::ParamType::write(&self.$field),
                )),*])
            }
        }
    };
    (@name $field:ident $wire:literal) => { $wire };
    (@name $field:ident) => { stringify!($field) };
    (@range $range:ident ( $($bound:expr),* )) => { $crate::params::Range::$range($($bound),*) };
    (@range) => { $crate::params::Range::any() };
}

/// Declares an enum whose variants are the words of a choice: `Uniform = "uniform",`.
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$vmeta:meta])* $variant:ident = $word:literal ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name {
            $( $(#[$vmeta])* $variant, )+
        }

        impl $crate::params::ParamType for $name {
            const KIND: $crate::reexport::ParamKind = $crate::reexport::ParamKind::Choice;
            fn choices() -> &'static [&'static str] {
                &[$($word),+]
            }
            fn read(
                value: &$crate::reexport::Value,
                _: &$crate::params::Range,
            ) -> Result<Self, String> {
                let all = [$(Self::$variant),+];
                $crate::params::read_choice(value, Self::choices()).map(|k| all[k])
            }
            fn write(&self) -> $crate::reexport::Value {
                $crate::reexport::Value::from(match self { $(Self::$variant => $word),+ })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    choices! {
        /// Weights.
        enum Weights {
            /// All the same.
            Uniform = "uniform",
            /// By nearness.
            Distance = "distance",
        }
    }

    params! {
        /// One of each kind.
        struct Each {
            /// Strength
            /// of it.
            strength as "C": f64 = 1.0, above_up_to(0.0, 10.0);
            /// Count.
            n: usize = 5, within(1.0, 100.0);
            /// Offset.
            shift: i64 = 0;
            /// Depth.
            max_depth: Option<usize> = None, at_least(1.0);
            /// Flag.
            flag: bool = true;
            /// Choice.
            weights: Weights = Weights::Uniform;
            /// Sizes.
            layers: Sizes = Sizes(vec![100]);
            /// Word or number.
            gamma: WordOr<Weights> = WordOr::Word(Weights::Uniform), above(0.0);
        }
    }

    fn read_one(name: &str, value: Value) -> Result<Each, ParamError> {
        Each::from_map(&Map::from_iter([(name.to_owned(), value)]))
    }

    #[test]
    fn defaults_round_trip_through_the_map() {
        let defaults = Each::from_map(&Map::new()).unwrap();
        assert_eq!(Each::from_map(&defaults.to_map()).unwrap(), defaults);
        for spec in Each::specs() {
            assert_eq!(defaults.to_map()[&spec.name], spec.default);
        }
        let specs = Each::specs();
        assert_eq!(
            (specs[0].name.as_str(), specs[0].help.as_str()),
            ("C", "Strength of it.")
        );
        assert!(specs[0].min_exclusive && !specs[0].max_exclusive);
        assert_eq!(specs[5].choices, ["uniform", "distance"]);
    }

    #[test]
    fn json_and_command_line_text_read_alike() {
        for (name, text, value) in [
            ("C", "0.5", json!(0.5)),
            ("n", "7", json!(7)),
            ("n", "7", json!(7.0)),
            ("max_depth", "none", Value::Null),
            ("max_depth", "3", json!(3)),
            ("flag", "false", json!(false)),
            ("weights", "distance", json!("distance")),
            ("layers", "10,5", json!([10, 5])),
            ("layers", "10", json!(10)),
            ("gamma", "distance", json!("distance")),
            ("gamma", "0.1", json!(0.1)),
        ] {
            assert_eq!(
                read_one(name, json!(text)).unwrap(),
                read_one(name, value).unwrap()
            );
        }
    }

    #[test]
    fn bad_values_are_refused_with_field_value_and_range() {
        for (name, value, reason) in [
            (
                "C",
                json!(0),
                "0 is out of range, it must be above 0 and at most 10",
            ),
            (
                "C",
                json!("11"),
                "11 is out of range, it must be above 0 and at most 10",
            ),
            ("C", json!("NaN"), "\"NaN\" is not a finite number"),
            ("C", json!("inf"), "\"inf\" is not a finite number"),
            ("C", json!("much"), "\"much\" is not a number"),
            ("C", Value::Null, "null is not a number"),
            ("n", json!(2.5), "2.5 is not a whole number"),
            ("n", json!([1]), "[1] is not a whole number"),
            (
                "shift",
                json!(1e300),
                "1e+300 is beyond 2^53, too large to be exact",
            ),
            (
                "max_depth",
                json!(0),
                "0 is out of range, it must be at least 1 (or none)",
            ),
            ("flag", json!("yes"), "\"yes\" is neither true nor false"),
            (
                "weights",
                json!("distanc"),
                "\"distanc\" is not one of uniform, distance; did you mean distance?",
            ),
            (
                "layers",
                json!("10,0"),
                "0 is out of range, it must be at least 1; write whole numbers joined with commas",
            ),
            (
                "layers",
                json!([]),
                "it must name at least one whole number",
            ),
            ("gamma", json!(0), "0 is out of range, it must be above 0"),
            (
                "gamma",
                json!("wide"),
                "\"wide\" is not one of uniform, distance or a number",
            ),
        ] {
            let refused = read_one(name, value).unwrap_err();
            assert_eq!(
                (refused.field.as_str(), refused.reason.as_str()),
                (name, reason)
            );
        }
    }

    #[test]
    fn unknown_name_offers_the_nearest() {
        let refused = read_one("maxdepth", json!(3)).unwrap_err();
        assert_eq!(refused.suggestions, ["max_depth"]);
        assert!(
            refused
                .to_string()
                .starts_with("parameter maxdepth: unknown; there are C, n")
        );
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_in_range(x in proptest::num::f64::ANY) {
            if let Ok(each) = read_one("C", json!(x.to_string())) {
                prop_assert!(each.strength > 0.0 && each.strength <= 10.0);
                prop_assert_eq!(each.strength, x);
            } else {
                prop_assert!(!(x > 0.0 && x <= 10.0));
            }
        }
    }
}
