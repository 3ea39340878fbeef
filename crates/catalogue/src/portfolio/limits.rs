//! Constraints on weights, and which of them conflict.
//!
//! What: bounds, net and gross exposure, number of positions, sums of sectors, turnover, targets.
//! Formula: each is linear in the weights and in absolute values that variables of their own bound from above.
//! Data: names of the assets.
//! Cost: O(n) rows for n assets; an explanation solves a programme a constraint.
//! Fails when: a name is unknown, or the constraints leave no weights: the smallest set that conflicts is then
//! named, with the value of each that would end the conflict.
//! Source: the deletion filter of Chinneck, Dravnieks, ORSA J. Computing 3 (1991), on programmes with slack.
//! Not claimed: that the set named is the only one that conflicts.

use super::programme::{Cone, Kind, Programme, Terms};
use super::settings::{Amounts, Groups, refused};
use mltrainer_catalogue_core::FitError;

/// Constraints on weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Whether weights below 0 are refused.
    pub long_only: bool,
    /// Smallest weight; none is 0 when long only, else no bound.
    pub min_weight: Option<Amounts>,
    /// Largest weight; none is 1 when long only, else no bound.
    pub max_weight: Option<Amounts>,
    /// Largest sum of absolute weights.
    pub max_gross: Option<f64>,
    /// Assets held at most.
    pub max_positions: Option<usize>,
    /// Sectors of the assets.
    pub sectors: Option<Groups>,
    /// Largest sum of a sector.
    pub sector_caps: Option<Amounts>,
    /// Smallest sum of a sector.
    pub sector_floors: Option<Amounts>,
    /// Weights held now; an asset that is not named is not held.
    pub current_weights: Option<Amounts>,
    /// Largest sum of absolute changes of weights.
    pub max_turnover: Option<f64>,
    /// Cost of trading, a share of the traded value.
    pub transaction_cost: f64,
    /// Sum of the weights; none when what is left stays in cash.
    pub net_exposure: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            long_only: true,
            min_weight: None,
            max_weight: None,
            max_gross: None,
            max_positions: None,
            sectors: None,
            sector_caps: None,
            sector_floors: None,
            current_weights: None,
            max_turnover: None,
            transaction_cost: 0.0,
            net_exposure: Some(1.0),
        }
    }
}

// Constraints by number; sectors follow, a floor and a cap each.
const NET: usize = 0;
const LOW: usize = 1;
const HIGH: usize = 2;
const GROSS: usize = 3;
const TURNOVER: usize = 4;
const RETURN: usize = 5;
const VOLATILITY: usize = 6;
const SECTORS: usize = 7;

/// A sector: its name, its assets, the smallest and the largest sum.
#[derive(Debug, Clone)]
pub(super) struct Sector {
    pub(super) name: String,
    pub(super) members: Vec<usize>,
    floor: Option<f64>,
    cap: Option<f64>,
}

/// Targets beside the constraints.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Targets {
    pub(super) least_return: Option<f64>,
    pub(super) most_volatility: Option<f64>,
}

/// Constraints over the assets of one data set.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    limits: Limits,
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
    pub(super) sectors: Option<Vec<Sector>>,
    pub(super) current: Option<Vec<f64>>,
}

/// Where the variables of a programme are.
pub(super) struct Layout {
    /// The scale that weights are divided by, where there is one.
    pub(super) scale: Option<usize>,
    /// First of the absolute changes, where turnover counts.
    trades: Option<usize>,
    /// Cost a unit of turnover.
    cost: f64,
    assets: usize,
}

impl Layout {
    /// What trading costs, as terms of the programme.
    pub(super) fn costs(&self) -> Terms {
        let first = self.trades.filter(|_| self.cost > 0.0);
        let each = |first: usize| (first..first + self.assets).map(|i| (i, self.cost));
        first.map(|f| each(f).collect()).unwrap_or_default()
    }
}

/// Six decimals at most.
fn short(x: f64) -> f64 {
    let rounded = (x * 1e6).round() / 1e6;
    if rounded.is_finite() { rounded } else { x }
}

impl Limits {
    /// The constraints over these assets.
    ///
    /// # Errors
    /// [`FitError::Param`] naming the parameter: an unknown name, bounds that contradict each other, a constraint
    /// that lacks what it refers to.
    pub(super) fn resolve(&self, names: &[String]) -> Result<Bounds, FitError> {
        let wrong =
            |field: &str, reason: String| FitError::from(refused(field, reason, Vec::new()));
        let rest = if self.long_only {
            (0.0, 1.0_f64.max(self.net_exposure.unwrap_or(1.0)))
        } else {
            (f64::NEG_INFINITY, f64::INFINITY)
        };
        let bound = |field: &str, given: &Option<Amounts>, rest: f64| match given {
            Some(amounts) => amounts.resolve(field, names, rest),
            None => Ok(vec![rest; names.len()]),
        };
        let low = bound("min_weight", &self.min_weight, rest.0)?;
        let high = bound("max_weight", &self.max_weight, rest.1)?;
        for (i, name) in names.iter().enumerate() {
            if self.long_only && low[i] < 0.0 {
                let reason = format!("{} for {name} is below 0, which long_only refuses", low[i]);
                return Err(wrong("min_weight", reason));
            }
            if low[i] > high[i] {
                return Err(wrong(
                    "max_weight",
                    format!(
                        "{} for {name} is below its smallest weight, {}",
                        high[i], low[i]
                    ),
                ));
            }
        }
        let sectors = self.sectors.as_ref().map(|s| s.resolve("sectors", names));
        let sectors = sectors.transpose()?.map(|of| self.sums(&of)).transpose()?;
        for (field, given) in [
            ("sector_caps", &self.sector_caps),
            ("sector_floors", &self.sector_floors),
        ] {
            if given.is_some() && sectors.is_none() {
                return Err(wrong(field, "it needs sectors".to_owned()));
            }
        }
        let current = self.current_weights.as_ref();
        let current = current.map(|c| c.resolve("current_weights", names, 0.0));
        let current = current.transpose()?;
        if self.max_turnover.is_some() && current.is_none() {
            return Err(wrong("max_turnover", "it needs current_weights".to_owned()));
        }
        Ok(Bounds {
            limits: self.clone(),
            low,
            high,
            sectors,
            current,
        })
    }

    fn sums(&self, of: &[Option<String>]) -> Result<Vec<Sector>, FitError> {
        let mut names: Vec<String> = of.iter().flatten().cloned().collect();
        names.sort();
        names.dedup();
        let each = |field: &str, given: &Option<Amounts>| -> Result<Vec<f64>, FitError> {
            Ok(match given {
                Some(amounts) => amounts.resolve(field, &names, f64::NAN)?,
                None => vec![f64::NAN; names.len()],
            })
        };
        let floors = each("sector_floors", &self.sector_floors)?;
        let caps = each("sector_caps", &self.sector_caps)?;
        let stated = |x: f64| (!x.is_nan()).then_some(x);
        let sectors = names.into_iter().zip(floors.into_iter().zip(caps));
        let sectors = sectors.map(|(name, (floor, cap))| Sector {
            members: (0..of.len())
                .filter(|i| of[*i].as_ref() == Some(&name))
                .collect(),
            name,
            floor: stated(floor),
            cap: stated(cap),
        });
        Ok(sectors.collect())
    }
}

impl Bounds {
    pub(super) fn net(&self) -> Option<f64> {
        self.limits.net_exposure
    }

    pub(super) fn positions(&self) -> Option<usize> {
        self.limits.max_positions.filter(|k| *k < self.low.len())
    }

    /// Whether the number of positions is limited at all, be it by more than there are assets.
    pub(super) fn has_position_limit(&self) -> bool {
        self.limits.max_positions.is_some()
    }

    /// Whether weights keep these bounds and every sum.
    pub(super) fn within(&self, w: &[f64], low: &[f64], high: &[f64]) -> bool {
        let own = Self {
            low: low.to_vec(),
            high: high.to_vec(),
            ..self.clone()
        };
        own.kept(w)
    }

    /// Cost a unit of turnover, 0 where nothing is held now.
    pub(super) fn cost(&self) -> f64 {
        self.current
            .as_ref()
            .map_or(0.0, |_| self.limits.transaction_cost)
    }

    /// Whether no weight is below 0 and their sum is 1, so that none is above 1 and gross is net.
    fn shares(&self, low: &[f64]) -> bool {
        low.iter().all(|l| *l >= 0.0) && self.net() == Some(1.0)
    }

    /// Whether there is nothing but the net exposure and bounds.
    pub(super) fn boxed(&self) -> bool {
        let gross = self.limits.max_gross;
        let gross = gross.is_none_or(|g| g >= 1.0 && self.shares(&self.low));
        let sums = self.sectors.as_deref().unwrap_or_default();
        let sums = sums.iter().all(|s| s.floor.is_none() && s.cap.is_none());
        gross && sums && self.limits.max_turnover.is_none() && self.cost() == 0.0
    }

    /// Whether there is nothing but the net exposure.
    pub(super) fn unlimited(&self) -> bool {
        self.boxed()
            && self.positions().is_none()
            && self.low.iter().all(|l| *l == f64::NEG_INFINITY)
            && self.high.iter().all(|h| *h == f64::INFINITY)
    }

    /// Whether, in a programme over weights times a scale, these bounds are signs alone: nothing, 0 from below,
    /// and 0 for what is left out.
    pub(super) fn signs(&self, low: &[f64], high: &[f64]) -> bool {
        let shares = self.shares(low);
        self.boxed()
            && self.net() == Some(1.0)
            && low.iter().zip(high).all(|(l, h)| {
                let above = *h == f64::INFINITY || *h == 0.0 || (shares && *h >= 1.0);
                above && (*l == f64::NEG_INFINITY || *l == 0.0)
            })
    }

    /// The rows that weights within `low` and `high` keep; with `scaled` all of them are for weights times a
    /// scale of at least 0.
    pub(super) fn programme(&self, low: &[f64], high: &[f64], scaled: bool) -> (Programme, Layout) {
        let n = low.len();
        let mut p = Programme::default();
        p.more(n);
        let scale = scaled.then(|| p.more(1));
        let put = |p: &mut Programme, mut terms: Terms, kind: Kind, rhs: f64, group| {
            if let Some(k) = scale {
                terms.push((k, -rhs));
                p.row(terms, kind, 0.0, group);
            } else {
                p.row(terms, kind, rhs, group);
            }
        };
        if let Some(k) = scale {
            p.row(vec![(k, -1.0)], Kind::AtMost, 0.0, None);
        }
        let sum = |from: usize| (from..from + n).map(|i| (i, 1.0)).collect::<Terms>();
        if let Some(net) = self.net() {
            put(&mut p, sum(0), Kind::Equal, net, Some(NET));
        }
        let needless = self.shares(low);
        for i in 0..n {
            if low[i] == high[i] {
                put(&mut p, vec![(i, 1.0)], Kind::Equal, low[i], Some(HIGH));
                continue;
            }
            if low[i].is_finite() {
                put(&mut p, vec![(i, -1.0)], Kind::AtMost, -low[i], Some(LOW));
            }
            if high[i].is_finite() && !(needless && high[i] >= 1.0) {
                put(&mut p, vec![(i, 1.0)], Kind::AtMost, high[i], Some(HIGH));
            }
        }
        if let Some(gross) = self.limits.max_gross {
            let first = p.more(n);
            for i in 0..n {
                p.row(vec![(i, 1.0), (first + i, -1.0)], Kind::AtMost, 0.0, None);
                p.row(vec![(i, -1.0), (first + i, -1.0)], Kind::AtMost, 0.0, None);
            }
            put(&mut p, sum(first), Kind::AtMost, gross, Some(GROSS));
        }
        for (s, sector) in self.sectors.iter().flatten().enumerate() {
            let terms = |sign: f64| sector.members.iter().map(|i| (*i, sign)).collect::<Terms>();
            if let Some(floor) = sector.floor {
                let group = Some(SECTORS + 2 * s);
                put(&mut p, terms(-1.0), Kind::AtMost, -floor, group);
            }
            if let Some(cap) = sector.cap {
                let group = Some(SECTORS + 2 * s + 1);
                put(&mut p, terms(1.0), Kind::AtMost, cap, group);
            }
        }
        let mut trades = None;
        if let Some(current) = &self.current
            && (self.limits.max_turnover.is_some() || self.cost() > 0.0)
        {
            let first = p.more(n);
            for (i, held) in current.iter().enumerate() {
                for sign in [1.0, -1.0] {
                    let terms = vec![(i, sign), (first + i, -1.0)];
                    put(&mut p, terms, Kind::AtMost, sign * held, None);
                }
            }
            if let Some(most) = self.limits.max_turnover {
                put(&mut p, sum(first), Kind::AtMost, most, Some(TURNOVER));
            }
            trades = Some(first);
        }
        let layout = Layout {
            scale,
            trades,
            cost: self.cost(),
            assets: n,
        };
        (p, layout)
    }

    /// Adds the least expected return, less what trading costs.
    pub(super) fn at_least(p: &mut Programme, layout: &Layout, mean: &[f64], least: f64) {
        let mut terms: Terms = mean.iter().enumerate().map(|(i, m)| (i, -m)).collect();
        terms.extend(layout.costs());
        p.row(terms, Kind::AtMost, -least, Some(RETURN));
    }

    /// Adds the largest volatility.
    pub(super) fn at_most(p: &mut Programme, halves: &[Vec<f64>], most: f64) {
        let mut parts = vec![(most, Terms::new())];
        for half in halves {
            parts.push((0.0, half.iter().copied().enumerate().collect()));
        }
        p.cones.push(Cone {
            parts,
            exponential: false,
            group: Some(VOLATILITY),
        });
    }

    /// Whether weights keep every linear constraint.
    pub(super) fn kept(&self, w: &[f64]) -> bool {
        const TOLERANCE: f64 = 1e-10;
        let bounded = w
            .iter()
            .zip(self.low.iter().zip(&self.high))
            .all(|(w, (l, h))| *w >= l - TOLERANCE && *w <= h + TOLERANCE);
        let gross: f64 = w.iter().map(|w| w.abs()).sum();
        let sums = self.sectors.iter().flatten().all(|s| {
            let sum: f64 = s.members.iter().map(|i| w[*i]).sum();
            s.floor.is_none_or(|f| sum >= f - TOLERANCE)
                && s.cap.is_none_or(|c| sum <= c + TOLERANCE)
        });
        let traded = self.turnover(w).unwrap_or(0.0);
        bounded
            && sums
            && self.limits.max_gross.is_none_or(|g| gross <= g + TOLERANCE)
            && self
                .limits
                .max_turnover
                .is_none_or(|t| traded <= t + TOLERANCE)
    }

    /// Sum of absolute changes from the weights held now.
    pub(super) fn turnover(&self, w: &[f64]) -> Option<f64> {
        let current = self.current.as_ref()?;
        Some(w.iter().zip(current).map(|(a, b)| (a - b).abs()).sum())
    }

    /// Why no weights keep the constraints: the smallest set that conflicts and what would end the conflict;
    /// none when they do not conflict. The number of positions is not looked at here.
    ///
    /// # Errors
    /// When a programme stops without an answer.
    pub(super) fn conflict(
        &self,
        mean: &[f64],
        halves: &[Vec<f64>],
        targets: Targets,
    ) -> Result<Option<String>, FitError> {
        let (mut p, layout) = self.programme(&self.low, &self.high, false);
        if let Some(least) = targets.least_return {
            Self::at_least(&mut p, &layout, mean, least);
        }
        if let Some(most) = targets.most_volatility {
            Self::at_most(&mut p, halves, most);
        }
        let mut groups: Vec<usize> = p.rows.iter().filter_map(|r| r.group).collect();
        groups.extend(p.cones.iter().filter_map(|c| c.group));
        groups.sort_unstable();
        groups.dedup();
        let clash = |some: &[usize]| -> Result<bool, FitError> {
            let least = p.slack(&|g| some.contains(&g), &|_| false)?;
            Ok(least.is_none_or(|t| t > 1e-7))
        };
        if !clash(&groups)? {
            return Ok(None);
        }
        let mut set = groups.clone();
        for g in &groups {
            let without: Vec<usize> = set.iter().copied().filter(|h| h != g).collect();
            if clash(&without)? {
                set = without;
            }
        }
        let words: Vec<String> = set.iter().map(|g| self.words(*g, mean, targets)).collect();
        let mut ways = Vec::new();
        for g in &set {
            if let Some(by) = p.slack(&|h| h == *g, &|_| true)? {
                ways.extend(self.way(*g, by, targets));
            }
        }
        let ways = match ways.len() {
            0 => "loosen more than one of them".to_owned(),
            1 => format!("it would do with {}", ways.concat()),
            _ => format!("any one of these would do: {}", ways.join(", ")),
        };
        Ok(Some(format!(
            "no weights keep these constraints together: {}; {ways}",
            words.join("; ")
        )))
    }

    /// Why no weights with so few positions keep the constraints.
    pub(super) fn too_few(&self, positions: usize) -> String {
        let mut high = self.high.clone();
        high.sort_by(|a, b| b.total_cmp(a));
        let most: f64 = high.iter().take(positions).sum();
        let sum = match self.net() {
            Some(net) if most < net - 1e-9 => format!(
                ": max_weight allows {positions} positions a sum of at most {}, and the weights must sum to {net}",
                short(most)
            ),
            _ => String::new(),
        };
        format!(
            "max_positions {positions} conflicts with the other constraints{sum}; raise it or loosen them"
        )
    }

    fn words(&self, group: usize, mean: &[f64], targets: Targets) -> String {
        let n = self.low.len();
        let (low, high): (f64, f64) = (self.low.iter().sum(), self.high.iter().sum());
        let same = |given: &Option<Amounts>| match given {
            Some(Amounts::Each(x)) => format!(" {x} on {n} assets"),
            _ => String::new(),
        };
        match group {
            NET => format!("the weights must sum to {}", self.net().unwrap_or_default()),
            LOW if self.limits.min_weight.is_none() => {
                "long_only allows no weight below 0".to_owned()
            }
            LOW => format!(
                "min_weight{} needs a sum of at least {}",
                same(&self.limits.min_weight),
                short(low)
            ),
            HIGH if self.limits.max_weight.is_none() => {
                format!("long_only allows no weight above {}", short(self.high[0]))
            }
            HIGH => format!(
                "max_weight{} allows a sum of at most {}",
                same(&self.limits.max_weight),
                short(high)
            ),
            GROSS => format!(
                "max_gross {} bounds the sum of absolute weights",
                self.limits.max_gross.unwrap_or_default()
            ),
            TURNOVER => format!(
                "max_turnover {} from current_weights, which sum to {}",
                self.limits.max_turnover.unwrap_or_default(),
                short(self.current.iter().flatten().sum())
            ),
            RETURN => format!(
                "target_return {}, where the highest expected return of an asset is {}",
                targets.least_return.unwrap_or_default(),
                short(mean.iter().copied().fold(f64::NEG_INFINITY, f64::max))
            ),
            VOLATILITY => format!(
                "target_volatility {}",
                targets.most_volatility.unwrap_or_default()
            ),
            other => match self.sector(other) {
                Some((s, true)) => format!(
                    "sector_caps {}:{} on {} of {n} assets",
                    s.name,
                    s.cap.unwrap_or_default(),
                    s.members.len()
                ),
                Some((s, false)) => format!(
                    "sector_floors {}:{} on {} of {n} assets",
                    s.name,
                    s.floor.unwrap_or_default(),
                    s.members.len()
                ),
                None => String::new(),
            },
        }
    }

    /// The value of a constraint, loosened by so much.
    fn way(&self, group: usize, by: f64, targets: Targets) -> Option<String> {
        let least = |name: &str, x: f64| Some(format!("{name} at least {}", short(x + by)));
        let most = |name: &str, x: f64| Some(format!("{name} at most {}", short(x - by)));
        match group {
            LOW => match &self.limits.min_weight {
                Some(Amounts::Each(x)) => most("min_weight", *x),
                Some(_) => Some(format!("every min_weight lower by {}", short(by))),
                None => Some(format!("weights down to {}", short(-by))),
            },
            HIGH => match &self.limits.max_weight {
                Some(Amounts::Each(x)) => least("max_weight", *x),
                _ => Some(format!("every max_weight higher by {}", short(by))),
            },
            GROSS => least("max_gross", self.limits.max_gross?),
            TURNOVER => least("max_turnover", self.limits.max_turnover?),
            RETURN => most("target_return", targets.least_return?),
            VOLATILITY => least("target_volatility", targets.most_volatility?),
            NET => None,
            other => {
                let (s, cap) = self.sector(other)?;
                if cap {
                    least(&format!("sector_caps {}", s.name), s.cap?)
                } else {
                    most(&format!("sector_floors {}", s.name), s.floor?)
                }
            }
        }
    }

    /// The sector of a constraint, and whether it is the cap.
    fn sector(&self, group: usize) -> Option<(&Sector, bool)> {
        let at = group.checked_sub(SECTORS)?;
        let sector = self.sectors.as_deref()?.get(at / 2)?;
        Some((sector, at % 2 == 1))
    }
}
