//! Parameters that the entries of this family share, and how they are written.
//!
//! What: a number for every asset or for some by name, sectors by name, and the groups of parameters.
//! Formula: none.
//! Data: the names of the columns.
//! Cost: O(n) for n assets.
//! Fails when: a name is unknown or stands twice.
//! Source: the names follow PyPortfolioOpt 1.6 and skfolio 1.12 where these have them.
//! Not claimed: nothing.

use super::limits::Limits;
use super::moments::{CovarianceSpec, ReturnsSpec};
use mltrainer_catalogue_core::ParamError;
use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::suggest::nearest;
use mltrainer_types::catalogue::ParamKind;
use serde_json::Value;

/// One number for all, numbers by name, or one number a name in their order: `0.1`, `AAPL:0.2,XOM:0.1`, or `0.2,0.1`.
#[derive(Debug, Clone, PartialEq)]
pub enum Amounts {
    /// For all.
    Each(f64),
    /// By name, in the order given.
    Named(Vec<(String, f64)>),
    /// One a name, in their order.
    Listed(Vec<f64>),
}

/// The place of a name.
///
/// # Errors
/// [`ParamError`] with the nearest names.
pub(super) fn place(field: &str, name: &str, names: &[String]) -> Result<usize, ParamError> {
    names.iter().position(|n| n == name).ok_or_else(|| {
        let suggestions = nearest(name, names.iter().map(String::as_str));
        let hint = if suggestions.is_empty() {
            let some: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
            format!("there are {}", some.join(", "))
        } else {
            format!("did you mean {}?", suggestions.join(" or "))
        };
        refused(
            field,
            format!("there is no \"{name}\"; {hint}"),
            suggestions,
        )
    })
}

pub(super) fn refused(field: &str, reason: String, suggestions: Vec<String>) -> ParamError {
    ParamError {
        field: field.to_owned(),
        reason,
        suggestions,
    }
}

impl Amounts {
    /// One number a name; `rest` for those that are not named.
    ///
    /// # Errors
    /// [`ParamError`] for a name that is unknown or stands twice, and for another count of numbers than names.
    pub fn resolve(
        &self,
        field: &str,
        names: &[String],
        rest: f64,
    ) -> Result<Vec<f64>, ParamError> {
        let named = match self {
            Self::Each(x) => return Ok(vec![*x; names.len()]),
            Self::Listed(all) if all.len() == names.len() => return Ok(all.clone()),
            Self::Listed(all) => {
                let reason = format!("{} numbers for {}", all.len(), names.join(", "));
                return Err(refused(field, reason, Vec::new()));
            }
            Self::Named(named) => named,
        };
        let mut all = vec![rest; names.len()];
        let mut seen = vec![false; names.len()];
        for (name, x) in named {
            let at = place(field, name, names)?;
            if std::mem::replace(&mut seen[at], true) {
                return Err(refused(
                    field,
                    format!("\"{name}\" stands twice"),
                    Vec::new(),
                ));
            }
            all[at] = *x;
        }
        Ok(all)
    }
}

/// The parts of a text or of a JSON array of texts.
fn words(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(text.split(',').map(str::trim).collect()),
        Value::Array(all) if !all.is_empty() => {
            all.iter().map(|v| v.as_str().map(str::trim)).collect()
        }
        _ => None,
    }
}

/// `NAME:rest`; the name may hold colons itself.
fn pair(word: &str) -> Option<(&str, &str)> {
    let (name, rest) = word.rsplit_once(':')?;
    let (name, rest) = (name.trim(), rest.trim());
    (!name.is_empty() && !rest.is_empty()).then_some((name, rest))
}

impl ParamType for Amounts {
    const KIND: ParamKind = ParamKind::Text;

    fn read(value: &Value, range: &Range) -> Result<Self, String> {
        const HOW: &str = "write one number, or NAME:number joined with commas";
        if value.is_number() || value.as_str().is_some_and(|t| !t.contains([':', ','])) {
            let read = f64::read(value, range).map(Self::Each);
            return read.map_err(|reason| format!("{reason}; {HOW}"));
        }
        let bare = match value {
            Value::String(text) => !text.contains(':'),
            Value::Array(all) => !all.is_empty() && all.iter().all(Value::is_number),
            _ => false,
        };
        if bare {
            let read = Vec::<f64>::read(value, range).map(Self::Listed);
            return read.map_err(|reason| format!("{reason}; {HOW}"));
        }
        let words = words(value).ok_or_else(|| format!("{value} is neither; {HOW}"))?;
        let each = words.into_iter().map(|word| {
            let (name, x) = pair(word).ok_or_else(|| format!("\"{word}\" is no pair; {HOW}"))?;
            let x = f64::read(&Value::from(x), range).map_err(|e| format!("{name}: {e}"))?;
            Ok((name.to_owned(), x))
        });
        each.collect::<Result<_, String>>().map(Self::Named)
    }

    fn write(&self) -> Value {
        match self {
            Self::Each(x) => Value::from(*x),
            Self::Listed(all) => all.write(),
            Self::Named(all) => {
                let words: Vec<String> = all.iter().map(|(n, x)| format!("{n}:{x}")).collect();
                Value::from(words.join(","))
            }
        }
    }
}

/// Sectors of the assets: `AAPL:tech,XOM:energy`, or one word an asset in the order of the columns, or one word
/// for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Groups {
    /// In the order of the columns; one alone is for all.
    Listed(Vec<String>),
    /// By name; an asset that is not named has no sector.
    Named(Vec<(String, String)>),
}

impl Groups {
    /// The sector of each asset.
    ///
    /// # Errors
    /// [`ParamError`] for a name that is unknown or stands twice, and for another number of words than assets.
    pub fn resolve(
        &self,
        field: &str,
        names: &[String],
    ) -> Result<Vec<Option<String>>, ParamError> {
        match self {
            Self::Listed(words) if words.len() == 1 => {
                Ok(vec![words.first().cloned(); names.len()])
            }
            Self::Listed(words) if words.len() == names.len() => {
                Ok(words.iter().cloned().map(Some).collect())
            }
            Self::Listed(words) => Err(refused(
                field,
                format!("{} words for {} assets", words.len(), names.len()),
                Vec::new(),
            )),
            Self::Named(named) => {
                let mut all = vec![None; names.len()];
                for (name, sector) in named {
                    let at = place(field, name, names)?;
                    if all[at].replace(sector.clone()).is_some() {
                        return Err(refused(
                            field,
                            format!("\"{name}\" stands twice"),
                            Vec::new(),
                        ));
                    }
                }
                Ok(all)
            }
        }
    }
}

impl ParamType for Groups {
    const KIND: ParamKind = ParamKind::Text;

    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        const HOW: &str = "write NAME:sector joined with commas, or one word an asset";
        let words = words(value).ok_or_else(|| format!("{value} is no text; {HOW}"))?;
        if words.iter().any(|w| w.is_empty()) {
            return Err(format!("a word is empty; {HOW}"));
        }
        if !words.iter().any(|w| w.contains(':')) {
            return Ok(Self::Listed(words.into_iter().map(str::to_owned).collect()));
        }
        let each = words.into_iter().map(|word| {
            let (name, sector) =
                pair(word).ok_or_else(|| format!("\"{word}\" is no pair; {HOW}"))?;
            Ok((name.to_owned(), sector.to_owned()))
        });
        each.collect::<Result<_, String>>().map(Self::Named)
    }

    fn write(&self) -> Value {
        let words: Vec<String> = match self {
            Self::Listed(words) => words.clone(),
            Self::Named(all) => all.iter().map(|(n, s)| format!("{n}:{s}")).collect(),
        };
        Value::from(words.join(","))
    }
}

/// What the groups of parameters become.
pub(super) trait Settings {
    /// Covariance and what every entry has.
    fn covariance_spec(&self) -> CovarianceSpec;

    /// Expected returns; the historical mean where an entry has no choice.
    fn returns_spec(&self) -> ReturnsSpec {
        ReturnsSpec::default()
    }

    /// Constraints.
    fn limits(&self) -> Limits;
}

/// Declares a parameter struct: own parameters, then those of the groups named in brackets (`base` in all,
/// `returns`, `limits`, `short`), in this order.
macro_rules! portfolio_params {
    ($(#[$meta:meta])* $name:ident [$($group:ident)*] { $($own:tt)* }) => {
        portfolio_params!(@declare [$($group)*] { $(#[$meta])* pub struct $name } { $($own)* });
        impl $crate::portfolio::settings::Settings for $name {
            portfolio_params!(@covariance);
            $( portfolio_params!(@implement $group); )*
        }
    };
    (@covariance) => {
        fn covariance_spec(&self) -> $crate::portfolio::moments::CovarianceSpec {
            $crate::portfolio::moments::CovarianceSpec {
                estimator: self.covariance,
                span: self.covariance_span,
                halflife: self.covariance_halflife,
                n_factors: self.n_factors,
                market: self.market.clone(),
                risk_free_rate: self.risk_free_rate,
                periods_per_year: self.periods_per_year,
            }
        }
    };
    (@implement base) => {};
    (@implement returns) => {
        fn returns_spec(&self) -> $crate::portfolio::moments::ReturnsSpec {
            $crate::portfolio::moments::ReturnsSpec {
                estimator: self.expected_returns,
                compounding: self.compounding,
                span: self.return_span,
                lookback: self.momentum_lookback,
                skip: self.momentum_skip,
                views: self.views.clone(),
            }
        }
    };
    (@implement unlimited) => {
        fn limits(&self) -> $crate::portfolio::limits::Limits {
            $crate::portfolio::limits::Limits {
                sectors: self.sectors.clone(),
                current_weights: self.current_weights.clone(),
                transaction_cost: self.transaction_cost,
                ..$crate::portfolio::limits::Limits::default()
            }
        }
    };
    (@implement long) => {
        fn limits(&self) -> $crate::portfolio::limits::Limits {
            portfolio_params!(@limits self, true, None)
        }
    };
    (@implement short) => {
        fn limits(&self) -> $crate::portfolio::limits::Limits {
            portfolio_params!(@limits self, self.long_only, self.max_gross)
        }
    };
    (@implement free) => {
        fn limits(&self) -> $crate::portfolio::limits::Limits {
            portfolio_params!(@limits self, self.long_only, self.max_gross)
        }
    };
    (@limits $self:ident, $long:expr, $gross:expr) => {
        $crate::portfolio::limits::Limits {
            long_only: $long,
            min_weight: $self.min_weight.clone(),
            max_weight: $self.max_weight.clone(),
            max_gross: $gross,
            max_positions: $self.max_positions,
            sectors: $self.sectors.clone(),
            sector_caps: $self.sector_caps.clone(),
            sector_floors: $self.sector_floors.clone(),
            current_weights: $self.current_weights.clone(),
            max_turnover: $self.max_turnover,
            transaction_cost: $self.transaction_cost,
            net_exposure: Some(1.0),
        }
    };
    (@declare [base $($rest:ident)*] $head:tt { $($own:tt)* }) => {
        portfolio_params!(@declare [$($rest)*] $head {
            $($own)*
            /// How the covariance of the returns is estimated.
            covariance: $crate::portfolio::moments::Covariance = $crate::portfolio::moments::Covariance::Sample;
            /// Span in rows of the exponential covariance: the weight of a row falls by 2/(span + 1) a row.
            covariance_span: f64 = 180.0, above(1.0);
            /// Half life in rows of the exponential covariance, in place of the span.
            covariance_halflife: Option<f64> = None, above(0.0);
            /// Principal components of the factor covariance.
            n_factors: usize = 1, within(1.0, 1_000.0);
            /// Column of the market, by name or by its number from 1: it takes no weight, and betas are against it.
            market: Option<String> = None;
            /// Annual risk-free rate.
            risk_free_rate: f64 = 0.0, inside(-1.0, 10.0);
            /// Rows a year.
            periods_per_year: f64 = 252.0, above_up_to(0.0, 100_000.0);
            /// Sectors: NAME:sector pairs joined with commas, or one word an asset.
            sectors: Option<$crate::portfolio::settings::Groups> = None;
            /// Weights held now, one number for all or NAME:weight pairs; an asset that is not named is not held.
            current_weights: Option<$crate::portfolio::settings::Amounts> = None;
            /// Cost of trading, a share of the traded value; with current_weights it is taken off the expected return wherever the method uses one.
            transaction_cost: f64 = 0.0, within(0.0, 1.0);
        });
    };
    (@declare [returns $($rest:ident)*] $head:tt { $($own:tt)* }) => {
        portfolio_params!(@declare [$($rest)*] $head {
            $($own)*
            /// How expected returns are estimated.
            expected_returns: $crate::portfolio::moments::Expected = $crate::portfolio::moments::Expected::Mean;
            /// Whether returns are compounded over a year; otherwise they are multiplied by the rows a year.
            compounding: bool = false;
            /// Span in rows of the exponential mean.
            return_span: f64 = 500.0, above(1.0);
            /// Rows back at which the momentum score starts.
            momentum_lookback: usize = 252, within(2.0, 100_000.0);
            /// Last rows that the momentum score leaves out.
            momentum_skip: usize = 21, within(0.0, 100_000.0);
            /// Views: annual expected returns in place of the estimates, one number for all or NAME:return pairs; what is not named keeps its estimate.
            views: Option<$crate::portfolio::settings::Amounts> = None;
        });
    };
    (@declare [unlimited $($rest:ident)*] $head:tt $own:tt) => {
        portfolio_params!(@declare [$($rest)*] $head $own);
    };
    (@declare [long $($rest:ident)*] $head:tt { $($own:tt)* }) => {
        portfolio_params!(@declare [$($rest)*] $head {
            $($own)*
            /// Smallest weight, one number for all or NAME:weight pairs; none is 0 when long only, else no bound. With max_positions it holds for what is held.
            min_weight: Option<$crate::portfolio::settings::Amounts> = None, within(-1_000.0, 1_000.0);
            /// Largest weight, one number for all or NAME:weight pairs; none is 1 when long only, else no bound.
            max_weight: Option<$crate::portfolio::settings::Amounts> = None, within(-1_000.0, 1_000.0);
            /// Assets held at most.
            max_positions: Option<usize> = None, within(1.0, 100_000.0);
            /// Largest sum of weights of a sector, one number for all sectors or sector:sum pairs.
            sector_caps: Option<$crate::portfolio::settings::Amounts> = None, within(-1_000.0, 1_000.0);
            /// Smallest sum of weights of a sector, one number for all sectors or sector:sum pairs.
            sector_floors: Option<$crate::portfolio::settings::Amounts> = None, within(-1_000.0, 1_000.0);
            /// Largest turnover from current_weights: sum of absolute changes of weights.
            max_turnover: Option<f64> = None, within(0.0, 1_000.0);
        });
    };
    (@declare [short $($rest:ident)*] $head:tt { $($own:tt)* }) => {
        portfolio_params!(@declare [long $($rest)*] $head {
            $($own)*
            /// Whether weights below 0 are refused.
            long_only: bool = true;
            /// Largest sum of absolute weights.
            max_gross: Option<f64> = None, above_up_to(0.0, 1_000.0);
        });
    };
    (@declare [free $($rest:ident)*] $head:tt { $($own:tt)* }) => {
        portfolio_params!(@declare [long $($rest)*] $head {
            $($own)*
            /// Whether weights below 0 are refused.
            long_only: bool = false;
            /// Largest sum of absolute weights.
            max_gross: Option<f64> = None, above_up_to(0.0, 1_000.0);
        });
    };
    (@declare [] { $($head:tt)* } { $($own:tt)* }) => {
        mltrainer_catalogue_core::params! { $($head)* { $($own)* } }
    };
}

/// The outputs of a card: those of all entries of the family, then its own.
macro_rules! portfolio_outputs {
    ($($own:expr),* $(,)?) => {
        &[
            ("weights", "by asset"),
            ("expected_return", "annual, Σ weight · expected return, before costs"),
            ("volatility", "annual standard deviation"),
            (
                "sharpe_ratio",
                "(expected return - risk-free rate · sum of weights) / volatility",
            ),
            (
                "diversification_ratio",
                "Σ |weight| · volatility of the asset / volatility",
            ),
            ("effective_assets", "(Σ |w|)² / Σ w²: as many equal weights"),
            ("risk_contributions", "shares of the variance by asset, sum 1"),
            ("positions", "assets held"),
            ("gross_exposure", "Σ |weight|"),
            ("net_exposure", "Σ weight"),
            ("sector_weights", "by sector; null without sectors"),
            ("turnover", "Σ |weight - current weight|; null without current_weights"),
            ("trading_cost", "transaction_cost · turnover; null without current_weights"),
            ("beta", "against the market column; null without one"),
            ("asset_expected_returns", "annual, by asset"),
            ("asset_volatilities", "annual, by asset"),
            ("shrinkage", "weight of the shrinkage target; null where nothing is shrunk"),
            $($own),*
        ]
    };
}

pub(super) use {portfolio_outputs, portfolio_params};

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["AAPL", "XOM", "KO"].map(str::to_owned).to_vec()
    }

    #[test]
    fn amounts_are_read_in_every_form() {
        let read = |v: Value| Amounts::read(&v, &Range::within(0.0, 1.0));
        assert_eq!(read("0.5".into()).unwrap(), Amounts::Each(0.5));
        let named = read("AAPL:0.2, XOM:0.1".into()).unwrap();
        assert_eq!(named.resolve("x", &names(), 9.0).unwrap(), [0.2, 0.1, 9.0]);
        assert_eq!(read(named.write()).unwrap(), named);
        assert_eq!(
            read(serde_json::json!(["AAPL:0.2", "XOM:0.1"])).unwrap(),
            named
        );
        for bad in [
            "",
            "AAPL",
            "AAPL:",
            ":1",
            "AAPL:2",
            "0.1,",
            "0.1,2",
            "AAPL:0.1,",
        ] {
            assert!(read(bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_an_asset_in_their_order() {
        let read = Amounts::read(&"0.1,0.2,0.3".into(), &Range::any()).unwrap();
        assert_eq!(read.resolve("x", &names(), 0.0).unwrap(), [0.1, 0.2, 0.3]);
        let refused = read.resolve("x", &names()[..2], 0.0).unwrap_err();
        assert_eq!(refused.to_string(), "parameter x: 3 numbers for AAPL, XOM");
        assert_eq!(Amounts::read(&read.write(), &Range::any()).unwrap(), read);
    }

    #[test]
    fn unknown_names_are_told_with_the_nearest() {
        let amounts = Amounts::Named(vec![("APPL".into(), 0.1)]);
        let refused = amounts.resolve("min_weight", &names(), 0.0).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "parameter min_weight: there is no \"APPL\"; did you mean AAPL?"
        );
        let twice = Amounts::Named(vec![("KO".into(), 0.1), ("KO".into(), 0.2)]);
        assert!(twice.resolve("min_weight", &names(), 0.0).is_err());
    }

    #[test]
    fn sectors_are_read_in_every_form() {
        let read = |v: &str| Groups::read(&v.into(), &Range::any());
        let some = |words: [Option<&str>; 3]| words.map(|w| w.map(str::to_owned)).to_vec();
        let named = read("AAPL:tech,KO:food").unwrap();
        assert_eq!(
            named.resolve("sectors", &names()).unwrap(),
            some([Some("tech"), None, Some("food")])
        );
        assert_eq!(
            read("a,b,a").unwrap().resolve("sectors", &names()).unwrap(),
            some([Some("a"), Some("b"), Some("a")])
        );
        assert!(read("a,b").unwrap().resolve("sectors", &names()).is_err());
        assert!(read("AAPL:").is_err());
    }
}
