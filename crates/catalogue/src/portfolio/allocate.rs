//! Weights of a portfolio, by every method of the family.
//!
//! What: from estimates and constraints to weights and what they promise.
//! Formula: each method is one convex programme; those with bounds alone are solved exactly (`quadratic.rs`), the
//! others by clarabel (`programme.rs`), and with a limit on positions by branch and bound (`positions.rs`).
//! Data: prices of one or more assets.
//! Cost: O(T n²) for the covariance, then a programme.
//! Fails when: the constraints conflict, or the method has no answer for these assets.
//! Source: the entries of the family name theirs.
//! Not claimed: that estimates of the past hold.

use super::limits::{Bounds, Limits, Targets};
use super::moments::{CovarianceSpec, Moments, ReturnsSpec};
use super::positions::{HELD, best};
use super::programme::{Answer, Cone, Kind, Terms};
use super::quadratic::Boxed;
use super::settings::{Amounts, refused};
use super::tree::{Linkage, hierarchical};
use crate::numeric::{Cholesky, add_scaled, dot, flat};
use mltrainer_catalogue_core::{FitError, SeriesTable};

/// How weights are chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// The same weight for all.
    EqualWeight,
    /// The least variance.
    MinVariance {
        /// Expected return at least, annual.
        target_return: Option<f64>,
    },
    /// The largest expected return less `risk_aversion`/2 times the variance; with a target return the least variance,
    /// with a target volatility the largest expected return.
    MeanVariance {
        /// Price of variance, above 0.
        risk_aversion: f64,
        /// Expected return at least, annual.
        target_return: Option<f64>,
        /// Volatility at most, annual.
        target_volatility: Option<f64>,
    },
    /// The largest expected return above the risk-free rate a unit of volatility.
    MaxSharpe,
    /// The largest mean volatility of the assets a unit of volatility.
    MaxDiversification,
    /// Shares of the variance as given, equal without.
    RiskParity {
        /// Shares of the risk, one number for all or by asset.
        budgets: Option<Amounts>,
    },
    /// Halves of a tree of clusters get what is inverse to their variance.
    HierarchicalRiskParity {
        /// How clusters are joined.
        linkage: Linkage,
    },
    /// The largest expected return, as the moments state it, a unit of volatility; without constraints S⁻¹μ scaled to
    /// sum 1, whatever its sign.
    BlackLitterman,
    /// The least expected shortfall of the rows seen.
    MinCvar {
        /// Confidence, above 0 and below 1.
        confidence: f64,
        /// Expected return at least, annual.
        target_return: Option<f64>,
    },
    /// The fastest expected growth, a fraction of it; what is left earns the risk-free rate.
    Kelly {
        /// Share of the full Kelly weights, above 0.
        fraction: f64,
    },
}

/// Everything that weights are made from, beside prices.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The covariance, the market and the risk-free rate.
    pub covariance: CovarianceSpec,
    /// The expected returns.
    pub returns: ReturnsSpec,
    /// The constraints.
    pub limits: Limits,
    /// The method.
    pub method: Method,
}

/// Weights and what they promise by the estimates; all figures annual.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// Names of the assets.
    pub names: Vec<String>,
    /// Weights, in the order of the names.
    pub weights: Vec<f64>,
    /// Σ weight · expected return.
    pub expected_return: f64,
    /// Standard deviation.
    pub volatility: f64,
    /// Return above the risk-free rate a unit of volatility; none without volatility.
    pub sharpe_ratio: Option<f64>,
    /// Shares of the variance; none without variance.
    pub risk_contributions: Option<Vec<f64>>,
    /// Σ |weight| · volatility of the asset / volatility; none without volatility.
    pub diversification_ratio: Option<f64>,
    /// Sum by sector, where there are sectors.
    pub sector_weights: Option<Vec<(String, f64)>>,
    /// Sum of absolute changes, where there are weights held now.
    pub turnover: Option<f64>,
    /// What these changes cost, where there are weights held now.
    pub trading_cost: Option<f64>,
    /// Beta against the market column, where there is one.
    pub beta: Option<f64>,
    /// Whether no other choice of positions is better, where their number is limited.
    pub proven: Option<bool>,
}

/// Weights from prices: estimates, then [`allocate`].
///
/// # Errors
/// Those of [`Moments::new`] and [`allocate`].
pub fn weights_from_prices(prices: &SeriesTable, spec: &Spec) -> Result<Allocation, FitError> {
    let moments = Moments::new(prices, &spec.covariance, &spec.returns)?;
    allocate(&moments, &spec.limits, &spec.method)
}

/// Weights by a method under constraints.
///
/// # Errors
/// [`FitError::Param`] for names and values that do not fit; [`FitError::Failed`] when the constraints conflict
/// (which ones, and what would do) or the method has no answer.
pub fn allocate(m: &Moments, limits: &Limits, method: &Method) -> Result<Allocation, FitError> {
    let b = limits.resolve(&m.names)?;
    let (weights, proven) = Solver { m, b: &b }.weights(method)?;
    Ok(measure(m, &b, limits, weights, proven))
}

/// What weights promise.
pub(super) fn measure(
    m: &Moments,
    b: &Bounds,
    limits: &Limits,
    weights: Vec<f64>,
    proven: Option<bool>,
) -> Allocation {
    let w = &weights;
    let marginal = m.times(w);
    let variance = dot(w, &marginal).max(0.0);
    let volatility = variance.sqrt();
    let moving = |x: f64| (volatility > 0.0).then(|| x / volatility);
    let expected = dot(w, &m.mean);
    let net: f64 = w.iter().sum();
    let parts = m.volatilities().into_iter().zip(w);
    let sum_of_parts: f64 = parts.map(|(s, w)| w.abs() * s).sum();
    let turnover = b.turnover(w);
    let sums = b.sectors.as_ref().map(|all| {
        let sum = |s: &super::limits::Sector| s.members.iter().map(|i| w[*i]).sum();
        all.iter().map(|s| (s.name.clone(), sum(s))).collect()
    });
    Allocation {
        names: m.names.clone(),
        expected_return: expected,
        volatility,
        sharpe_ratio: moving(expected - m.risk_free_rate * net),
        risk_contributions: (variance > 0.0).then(|| {
            let each = w.iter().zip(&marginal);
            each.map(|(w, g)| w * g / variance).collect()
        }),
        diversification_ratio: moving(sum_of_parts),
        sector_weights: sums,
        turnover,
        trading_cost: turnover.map(|t| t * limits.transaction_cost),
        beta: m.betas.as_ref().map(|betas| dot(betas, w)),
        proven,
        weights,
    }
}

/// A quadratic objective: ½ risk · wᵀSw - gain · μᵀw + gain · cost.
#[derive(Clone, Copy)]
struct Trade {
    risk: f64,
    gain: f64,
}

pub(super) struct Solver<'a> {
    pub(super) m: &'a Moments,
    pub(super) b: &'a Bounds,
}

/// Weights and the value that is minimised; none when no weights keep the constraints.
type Found = Option<(Vec<f64>, f64)>;

impl Solver<'_> {
    fn weights(&self, method: &Method) -> Result<(Vec<f64>, Option<bool>), FitError> {
        let (m, b) = (self.m, self.b);
        let n = m.assets();
        match method {
            Method::EqualWeight => Ok((vec![1.0 / n as f64; n], None)),
            Method::MinVariance { target_return } => {
                let targets = Targets {
                    least_return: *target_return,
                    ..Targets::default()
                };
                self.trade_off(
                    Trade {
                        risk: 1.0,
                        gain: 0.0,
                    },
                    targets,
                )
            }
            Method::MeanVariance {
                risk_aversion,
                target_return,
                target_volatility,
            } => {
                let trade = match (target_return, target_volatility) {
                    (Some(_), Some(_)) => {
                        let reason = "give it or target_return, not both".to_owned();
                        return Err(refused("target_volatility", reason, Vec::new()).into());
                    }
                    (Some(_), None) => Trade {
                        risk: 1.0,
                        gain: 0.0,
                    },
                    (None, Some(_)) => Trade {
                        risk: 0.0,
                        gain: 1.0,
                    },
                    (None, None) => Trade {
                        risk: *risk_aversion,
                        gain: 1.0,
                    },
                };
                let targets = Targets {
                    least_return: *target_return,
                    most_volatility: *target_volatility,
                };
                self.trade_off(trade, targets)
            }
            Method::MaxSharpe => {
                let excess: Vec<f64> = m.mean.iter().map(|r| r - m.risk_free_rate).collect();
                self.ratio(
                    &excess,
                    true,
                    "has an expected return above the risk-free rate",
                )
            }
            Method::MaxDiversification => {
                m.all_move()?;
                self.ratio(
                    &m.volatilities(),
                    false,
                    "has a positive sum of volatilities",
                )
            }
            Method::BlackLitterman => {
                if b.unlimited() {
                    let factor = m.cholesky().filter(|_| !m.singular());
                    let factor = factor.ok_or_else(|| self.undetermined())?;
                    let mut w = m.mean.clone();
                    factor.solve(&mut w);
                    let sum: f64 = w.iter().sum();
                    let size: f64 = w.iter().map(|v| v.abs()).sum();
                    if sum.abs() <= 1e-12 * size {
                        return Err(FitError::Failed(
                            "the weights of the posterior returns sum to 0 and cannot be scaled to 1: give other views"
                                .into(),
                        ));
                    }
                    w.iter_mut().for_each(|v| *v /= sum);
                    return Ok((w, None));
                }
                self.ratio(&m.mean, true, "has a posterior return above 0")
            }
            Method::RiskParity { budgets } => self.risk_parity(budgets.as_ref()),
            Method::HierarchicalRiskParity { linkage } => {
                m.all_move()?;
                if let Some(why) = b.conflict(&m.mean, &[], Targets::default())? {
                    return Err(FitError::Failed(why));
                }
                let one = |low: &[f64], high: &[f64]| Ok(hierarchical(m, *linkage, low, high));
                self.keep_largest(&one)
            }
            Method::MinCvar {
                confidence,
                target_return,
            } => {
                let targets = Targets {
                    least_return: *target_return,
                    ..Targets::default()
                };
                let mut one = |l: &[f64], h: &[f64]| self.cvar(l, h, *confidence, targets);
                self.limited(&mut one, targets)
            }
            Method::Kelly { fraction } => {
                let targets = Targets::default();
                let mut one = |l: &[f64], h: &[f64]| self.kelly(l, h, *fraction);
                self.limited(&mut one, targets)
            }
        }
    }

    fn undetermined(&self) -> FitError {
        FitError::Failed(format!(
            "the covariance of {} assets over {} returns is singular, so weights of any sign are not determined: use long_only=true, covariance=ledoit_wolf, oas or factor, fewer assets or more rows",
            self.m.assets(),
            self.m.returns.nrows()
        ))
    }

    /// The weights, with a limit on positions the best choice of them, and whether that choice is proven.
    fn chosen(
        &self,
        one: &mut dyn FnMut(&[f64], &[f64]) -> Result<Found, FitError>,
    ) -> Result<Option<(Vec<f64>, Option<bool>)>, FitError> {
        let (low, high) = (&self.b.low, &self.b.high);
        let Some(k) = self.b.positions() else {
            // All assets may be held: where there is a limit, it leaves nothing to choose.
            let proven = self.b.has_position_limit().then_some(true);
            return Ok(one(low, high)?.map(|(w, _)| (w, proven)));
        };
        let found = best(low, high, k, one)?;
        Ok(found.map(|b| (b.weights, Some(b.proven))))
    }

    /// As [`Solver::chosen`], with an error that explains when there are no weights.
    fn limited(
        &self,
        one: &mut dyn FnMut(&[f64], &[f64]) -> Result<Found, FitError>,
        targets: Targets,
    ) -> Result<(Vec<f64>, Option<bool>), FitError> {
        match self.chosen(one)? {
            Some(found) => Ok(found),
            None => Err(self.explain(targets)?),
        }
    }

    /// Why there are no weights.
    fn explain(&self, targets: Targets) -> Result<FitError, FitError> {
        let (m, b) = (self.m, self.b);
        let halves = match targets.most_volatility {
            Some(_) => m.halves(),
            None => Vec::new(),
        };
        let why = b.conflict(&m.mean, &halves, targets)?;
        Ok(FitError::Failed(match (why, b.positions()) {
            (Some(why), _) => why,
            (None, Some(k)) => b.too_few(k),
            (None, None) => {
                "the optimisation found no weights although the constraints allow some: loosen those that leave no room"
                    .to_owned()
            }
        }))
    }

    fn trade_off(
        &self,
        trade: Trade,
        targets: Targets,
    ) -> Result<(Vec<f64>, Option<bool>), FitError> {
        let mut one = |l: &[f64], h: &[f64]| self.trade(l, h, trade, targets);
        self.limited(&mut one, targets)
    }

    /// The least variance with an expected return of at least so much.
    pub(super) fn least_variance(
        &self,
        least: Option<f64>,
    ) -> Result<(Vec<f64>, Option<bool>), FitError> {
        let targets = Targets {
            least_return: least,
            ..Targets::default()
        };
        let trade = Trade {
            risk: 1.0,
            gain: 0.0,
        };
        self.trade_off(trade, targets)
    }

    /// The largest expected return; none when it has no bound.
    pub(super) fn most_return(&self) -> Result<Option<(Vec<f64>, Option<bool>)>, FitError> {
        let free = |l: &f64| *l == f64::NEG_INFINITY;
        if self.b.low.iter().any(free) && self.b.boxed() && self.m.assets() > 1 {
            return Ok(None);
        }
        let trade = Trade {
            risk: 0.0,
            gain: 1.0,
        };
        self.trade_off(trade, Targets::default()).map(Some)
    }

    fn trade(
        &self,
        low: &[f64],
        high: &[f64],
        t: Trade,
        targets: Targets,
    ) -> Result<Found, FitError> {
        let (m, b) = (self.m, self.b);
        let free = targets.least_return.is_none() && targets.most_volatility.is_none();
        let value = |w: &[f64]| {
            let cost = b.cost() * b.turnover(w).unwrap_or(0.0);
            0.5 * t.risk * m.variance(w) - t.gain * (dot(w, &m.mean) - cost)
        };
        if b.unlimited() && m.singular() && t.risk > 0.0 {
            return Err(self.undetermined());
        }
        if let (true, true, Some(net)) = (free && t.risk > 0.0, b.boxed(), b.net()) {
            let (least, most): (f64, f64) = (low.iter().sum(), high.iter().sum());
            if least > net + 1e-12 || most < net - 1e-12 {
                return Ok(None);
            }
            let linear: Vec<f64> = m.mean.iter().map(|r| r * t.gain / t.risk).collect();
            let exact = Boxed {
                matrix: &m.covariance,
                linear: &linear,
                normal: &vec![1.0; low.len()],
                sum: net,
                low,
                high,
            };
            if let Some(w) = exact.solve() {
                let v = value(&w);
                return Ok(Some((w, v)));
            }
        }
        let (mut p, layout) = b.programme(low, high, false);
        let scale = if t.risk > 0.0 {
            1.0 / (t.risk * self.size())
        } else {
            1.0
        };
        if t.risk > 0.0 {
            self.add_risk(&mut p, t.risk * scale);
        }
        if t.gain > 0.0 {
            let gain = t.gain * scale;
            p.linear
                .extend(m.mean.iter().enumerate().map(|(i, r)| (i, -r * gain)));
            p.linear
                .extend(layout.costs().iter().map(|(i, c)| (*i, c * gain)));
        }
        if let Some(least) = targets.least_return {
            Bounds::at_least(&mut p, &layout, &m.mean, least);
        }
        if let Some(most) = targets.most_volatility {
            Bounds::at_most(&mut p, &m.halves(), most);
        }
        match p.solve()? {
            Answer::Infeasible => Ok(None),
            Answer::Unbounded => Err(FitError::Failed(
                "the expected return has no bound when weights may have any sign: give min_weight and max_weight, or max_gross"
                    .into(),
            )),
            Answer::Solved(x) => {
                let w = self.settle(&x[..low.len()], low, high);
                let v = value(&w);
                Ok(Some((w, v)))
            }
        }
    }

    /// The mean variance of an asset, what objectives are measured in.
    fn size(&self) -> f64 {
        let diagonal = self.m.covariance.diag();
        (diagonal.sum() / diagonal.len() as f64).max(f64::MIN_POSITIVE)
    }

    fn add_risk(&self, p: &mut super::programme::Programme, scale: f64) {
        if self.m.short() {
            let (root, diagonal) = self.m.factors();
            p.add_factors(root, diagonal, scale);
        } else {
            p.add_matrix(&self.m.covariance, scale);
        }
    }

    /// Puts weights that stand within rounding of a bound onto it, and makes good what the sum lost.
    fn settle(&self, x: &[f64], low: &[f64], high: &[f64]) -> Vec<f64> {
        const NEAR: f64 = 1e-8;
        let mut w = x.to_vec();
        let mut inside = vec![false; w.len()];
        for (i, v) in w.iter_mut().enumerate() {
            if *v - low[i] < NEAR {
                *v = low[i];
            } else if high[i] - *v < NEAR {
                *v = high[i];
            } else if v.abs() < NEAR {
                *v = 0.0;
            } else {
                inside[i] = true;
            }
        }
        if let Some(net) = self.b.net() {
            let missing = net - w.iter().sum::<f64>();
            let size: f64 = (0..w.len())
                .filter(|i| inside[*i])
                .map(|i| w[i].abs())
                .sum();
            if size > 0.0 && missing.abs() < 1e-5 {
                for i in (0..w.len()).filter(|i| inside[*i]) {
                    w[i] += missing * w[i].abs() / size;
                }
            }
        }
        w
    }

    /// The largest e·w, less costs where these count, a unit of volatility.
    fn ratio(
        &self,
        e: &[f64],
        costs: bool,
        what: &str,
    ) -> Result<(Vec<f64>, Option<bool>), FitError> {
        if self.b.unlimited() && self.m.singular() {
            return Err(self.undetermined());
        }
        let mut one = |l: &[f64], h: &[f64]| self.ratio_within(e, costs, l, h);
        if let Some(found) = self.chosen(&mut one)? {
            return Ok(found);
        }
        if let Some(why) = self.b.conflict(&self.m.mean, &[], Targets::default())? {
            return Err(FitError::Failed(why));
        }
        Err(FitError::Failed(format!(
            "no portfolio within the constraints {what}, or the ratio grows without end as weights grow: there is no largest ratio; use min_variance, other expected returns, or bounds on weights"
        )))
    }

    fn ratio_within(
        &self,
        e: &[f64],
        costs: bool,
        low: &[f64],
        high: &[f64],
    ) -> Result<Found, FitError> {
        let (m, b) = (self.m, self.b);
        let n = e.len();
        // Weights are y / Σ y, with e·y = 1: only directions count.
        let unit = e.iter().fold(0.0, |a: f64, v| a.max(v.abs()));
        if unit <= 0.0 {
            return Ok(None);
        }
        let e: Vec<f64> = e.iter().map(|v| v / unit).collect();
        let done = |y: &[f64], k: f64| -> Found {
            let size: f64 = y.iter().map(|v| v.abs()).sum();
            if k.is_nan() || k <= 1e-9 * size {
                return None;
            }
            Some((y.iter().map(|v| v / k).collect(), m.variance(y)))
        };
        let freed: Vec<f64> = high
            .iter()
            .map(|h| if *h == 0.0 { 0.0 } else { f64::INFINITY })
            .collect();
        let long = low.iter().all(|l| l.is_finite());
        if b.signs(low, high) {
            if long && e.iter().zip(&freed).all(|(e, h)| *e <= 0.0 || *h == 0.0) {
                return Ok(None);
            }
            let exact = Boxed {
                matrix: &m.covariance,
                linear: &vec![0.0; n],
                normal: &e,
                sum: 1.0,
                low,
                high: &freed,
            };
            if let Some(y) = exact.solve() {
                self.risky(&y)?;
                return Ok(done(&y, y.iter().sum()));
            }
        }
        let (mut p, layout) = b.programme(low, high, true);
        self.add_risk(&mut p, 1.0 / self.size());
        let mut terms: Terms = e.iter().enumerate().map(|(i, v)| (i, -v)).collect();
        let trading = if costs { layout.costs() } else { Terms::new() };
        let kind = if trading.is_empty() {
            Kind::Equal
        } else {
            Kind::AtMost
        };
        terms.extend(trading.iter().map(|(i, c)| (*i, c / unit)));
        p.row(terms, kind, -1.0, None);
        match p.solve()? {
            Answer::Infeasible | Answer::Unbounded => Ok(None),
            Answer::Solved(x) => {
                let k = layout.scale.map_or(0.0, |k| x[k]);
                self.risky(&x[..n])?;
                let Some((w, value)) = done(&x[..n], k) else {
                    return Ok(None);
                };
                Ok(Some((self.settle(&w, low, high), value)))
            }
        }
    }

    /// Refuses a direction without variance, whose ratio has no bound.
    fn risky(&self, y: &[f64]) -> Result<(), FitError> {
        let sd = self.m.volatilities();
        let apart: f64 = y.iter().zip(&sd).map(|(y, s)| (y * s).abs()).sum();
        if self.m.variance(y).sqrt() > 1e-7 * apart {
            return Ok(());
        }
        Err(FitError::Failed(format!(
            "some weights of the {} assets have no volatility over {} returns, so the ratio has no largest value: use covariance=ledoit_wolf, oas or factor, or more rows",
            self.m.assets(),
            self.m.returns.nrows()
        )))
    }

    /// Shares of the variance as in the budgets: minimises ½ yᵀSy - Σ b ln y, weights y / Σ y.
    fn risk_parity(&self, budgets: Option<&Amounts>) -> Result<(Vec<f64>, Option<bool>), FitError> {
        let m = self.m;
        m.all_move()?;
        let n = m.assets();
        let shares = match budgets {
            Some(given) => given.resolve("budgets", &m.names, 0.0)?,
            None => vec![1.0; n],
        };
        let sum: f64 = shares.iter().sum();
        if sum <= 0.0 {
            let reason = "at least one must be above 0".to_owned();
            return Err(refused("budgets", reason, Vec::new()).into());
        }
        let one = |low: &[f64], high: &[f64]| -> Result<Option<Vec<f64>>, FitError> {
            let out = |i: usize| high[i] == 0.0;
            let kept: Vec<f64> = (0..n)
                .map(|i| if out(i) { 0.0 } else { shares[i] })
                .collect();
            let sum: f64 = kept.iter().sum();
            if sum <= 0.0 {
                return Ok(None);
            }
            let shares: Vec<f64> = kept.iter().map(|b| b / sum).collect();
            let w = budgeted(m, &shares)?;
            if self.b.kept(&w) || (self.b.positions().is_some() && self.b.within(&w, low, high)) {
                return Ok(Some(w));
            }
            self.budgeted_within(&shares, low, high)
        };
        self.keep_largest(&one)
    }

    /// As [`budgeted`], with constraints that its answer breaks.
    fn budgeted_within(
        &self,
        shares: &[f64],
        low: &[f64],
        high: &[f64],
    ) -> Result<Option<Vec<f64>>, FitError> {
        let n = shares.len();
        let held = |i: &usize| shares[*i] > 0.0;
        // What has no share of the risk has no weight.
        let (low, high): (Vec<f64>, Vec<f64>) = (0..n)
            .map(|i| {
                if held(&i) {
                    (low[i], high[i])
                } else {
                    (0.0, 0.0)
                }
            })
            .unzip();
        let (mut p, layout) = self.b.programme(&low, &high, true);
        self.add_risk(&mut p, 1.0 / self.size());
        let logs = p.more(n);
        let mut total = Terms::new();
        for i in (0..n).filter(held) {
            p.cones.push(Cone {
                parts: vec![
                    (0.0, vec![(logs + i, 1.0)]),
                    (1.0, Terms::new()),
                    (0.0, vec![(i, 1.0)]),
                ],
                exponential: true,
                group: None,
            });
            total.push((logs + i, -shares[i]));
        }
        // Scale is free: the weighted sum of logarithms is held at 0.
        p.row(total, Kind::AtMost, 0.0, None);
        for i in (0..n).filter(|i| !held(i)) {
            p.row(vec![(logs + i, 1.0)], Kind::Equal, 0.0, None);
        }
        Ok(match p.solve()? {
            Answer::Infeasible | Answer::Unbounded => None,
            Answer::Solved(x) => {
                let k = layout.scale.map_or(1.0, |k| x[k]);
                let w: Vec<f64> = x[..n].iter().map(|y| y / k).collect();
                Some(self.settle(&w, &low, &high))
            }
        })
    }

    /// Methods that hold everything: with a limit on positions those with the largest weights, chosen once.
    fn keep_largest(
        &self,
        one: &dyn Fn(&[f64], &[f64]) -> Result<Option<Vec<f64>>, FitError>,
    ) -> Result<(Vec<f64>, Option<bool>), FitError> {
        let (mut low, mut high) = (self.b.low.clone(), self.b.high.clone());
        let Some(k) = self.b.positions() else {
            let w = one(&low, &high)?;
            let w = w.map_or_else(|| Err(self.explain(Targets::default())?), Ok)?;
            return Ok((w, self.b.has_position_limit().then_some(true)));
        };
        let all = one(&vec![0.0; low.len()], &vec![1.0; high.len()])?;
        let all = all.map_or_else(|| Err(self.explain(Targets::default())?), Ok)?;
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by(|i, j| all[*j].total_cmp(&all[*i]));
        for i in &order[k..] {
            (low[*i], high[*i]) = (0.0, 0.0);
        }
        let most: f64 = high.iter().sum();
        let least: f64 = low.iter().sum();
        if most < 1.0 - 1e-12 || least > 1.0 + 1e-12 {
            return Err(FitError::Failed(self.b.too_few(k)));
        }
        let w = one(&low, &high)?;
        let w = w.map_or_else(|| Err(FitError::Failed(self.b.too_few(k))), Ok)?;
        Ok((w, Some(false)))
    }

    /// The least mean of the worst losses.
    fn cvar(
        &self,
        low: &[f64],
        high: &[f64],
        confidence: f64,
        targets: Targets,
    ) -> Result<Found, FitError> {
        let (m, n) = (self.m, low.len());
        if self.b.unlimited() && m.singular() {
            return Err(self.undetermined());
        }
        let rows = m.returns.nrows();
        let (mut p, layout) = self.b.programme(low, high, false);
        if let Some(least) = targets.least_return {
            Bounds::at_least(&mut p, &layout, &m.mean, least);
        }
        let size = m.returns.iter().map(|r| r.abs()).sum::<f64>() / m.returns.len() as f64;
        let size = size.max(f64::MIN_POSITIVE);
        let level = p.more(1);
        let excess = p.more(rows);
        p.linear.push((level, 1.0));
        let share = 1.0 / ((1.0 - confidence) * rows as f64);
        for (t, row) in m.returns.rows().into_iter().enumerate() {
            let mut terms: Terms = row.iter().map(|r| -r / size).enumerate().collect();
            terms.extend([(level, -1.0), (excess + t, -1.0)]);
            p.row(terms, Kind::AtMost, 0.0, None);
            p.row(vec![(excess + t, -1.0)], Kind::AtMost, 0.0, None);
            p.linear.push((excess + t, share));
        }
        match p.solve()? {
            Answer::Infeasible => Ok(None),
            Answer::Unbounded => Err(FitError::Failed(
                "the expected shortfall falls without end when weights may have any sign: give min_weight and max_weight, or max_gross"
                    .into(),
            )),
            Answer::Solved(x) => {
                let w = self.settle(&x[..n], low, high);
                let (shortfall, _) = shortfall(m, &w, confidence);
                Ok(Some((w, shortfall)))
            }
        }
    }

    /// The largest w·(μ - rf) - wᵀSw/(2 fraction), less costs.
    fn kelly(&self, low: &[f64], high: &[f64], fraction: f64) -> Result<Found, FitError> {
        let (m, b, n) = (self.m, self.b, low.len());
        let excess: Vec<f64> = m.mean.iter().map(|r| r - m.risk_free_rate).collect();
        let value = |w: &[f64]| {
            let cost = b.cost() * b.turnover(w).unwrap_or(0.0);
            m.variance(w) / (2.0 * fraction) - dot(w, &excess) + cost
        };
        if b.unlimited() {
            let factor = m.cholesky().filter(|_| !m.singular());
            let factor = factor.ok_or_else(|| self.undetermined())?;
            let mut w = excess.clone();
            factor.solve(&mut w);
            w.iter_mut().for_each(|v| *v *= fraction);
            let v = value(&w);
            return Ok(Some((w, v)));
        }
        let (mut p, layout) = b.programme(low, high, false);
        let scale = fraction / self.size();
        self.add_risk(&mut p, scale / fraction);
        p.linear
            .extend(excess.iter().enumerate().map(|(i, r)| (i, -r * scale)));
        p.linear
            .extend(layout.costs().iter().map(|(i, c)| (*i, c * scale)));
        match p.solve()? {
            Answer::Infeasible => Ok(None),
            Answer::Unbounded => Err(self.undetermined()),
            Answer::Solved(x) => {
                let w = self.settle(&x[..n], low, high);
                let v = value(&w);
                Ok(Some((w, v)))
            }
        }
    }
}

/// Weights whose shares of the variance are the budgets, by Newton's method on ½ yᵀSy - Σ b ln y (Spinu, 2013).
fn budgeted(m: &Moments, shares: &[f64]) -> Result<Vec<f64>, FitError> {
    let held: Vec<usize> = (0..shares.len()).filter(|i| shares[*i] > 0.0).collect();
    let k = held.len();
    // In units of the volatilities, so that every entry is about 1.
    let sd = m.volatilities();
    let s = ndarray::Array2::from_shape_fn((k, k), |(i, j)| {
        let (i, j) = (held[i], held[j]);
        m.covariance[[i, j]] / sd[i] / sd[j]
    });
    let b: Vec<f64> = held.iter().map(|i| shares[*i]).collect();
    let times = |y: &[f64]| {
        let mut out = vec![0.0; k];
        for (i, v) in y.iter().enumerate() {
            add_scaled(&mut out, *v, flat(s.row(i).view()));
        }
        out
    };
    let value = |y: &[f64], sy: &[f64]| {
        0.5 * dot(y, sy) - b.iter().zip(y).map(|(b, y)| b * y.ln()).sum::<f64>()
    };
    let mut y: Vec<f64> = b.iter().map(|b| b.sqrt()).collect();
    let start = dot(&y, &times(&y)).max(f64::MIN_POSITIVE).sqrt();
    y.iter_mut().for_each(|v| *v /= start);
    let failed = || {
        FitError::Failed(
            "risk parity did not converge: two assets hedge each other almost entirely; leave one out"
                .into(),
        )
    };
    for _ in 0..200 {
        let sy = times(&y);
        let gradient: Vec<f64> = (0..k).map(|i| sy[i] - b[i] / y[i]).collect();
        let off = (0..k).fold(0.0, |a: f64, i| a.max((y[i] * gradient[i]).abs() / b[i]));
        if off < 1e-13 * k as f64 {
            break;
        }
        let mut hessian = s.clone();
        for i in 0..k {
            hessian[[i, i]] += b[i] / (y[i] * y[i]);
        }
        let factor = Cholesky::new(hessian).ok_or_else(failed)?;
        let mut step: Vec<f64> = gradient.iter().map(|g| -g).collect();
        factor.solve(&mut step);
        let before = value(&y, &sy);
        let slope = dot(&gradient, &step);
        let mut length = 1.0;
        let next = loop {
            let next: Vec<f64> = y.iter().zip(&step).map(|(y, d)| y + length * d).collect();
            if next.iter().all(|v| *v > 0.0)
                && value(&next, &times(&next)) <= before + 1e-4 * length * slope
            {
                break Some(next);
            }
            length *= 0.5;
            if length < 1e-12 {
                break None;
            }
        };
        match next {
            Some(next) => y = next,
            // No lower value in doubles.
            None if off < 1e-6 => break,
            None => return Err(failed()),
        }
    }
    let mut w = vec![0.0; shares.len()];
    for (i, v) in held.iter().zip(&y) {
        w[*i] = v / sd[*i];
    }
    let sum: f64 = w.iter().sum();
    w.iter_mut().for_each(|v| *v /= sum);
    if w.iter().any(|v| !v.is_finite()) {
        return Err(failed());
    }
    Ok(w)
}

/// Expected shortfall and value at risk of the rows seen, losses a row, positive.
pub(super) fn shortfall(m: &Moments, w: &[f64], confidence: f64) -> (f64, f64) {
    let mut losses: Vec<f64> = m
        .returns
        .rows()
        .into_iter()
        .map(|r| -dot(&r.to_vec(), w))
        .collect();
    losses.sort_by(|a, b| b.total_cmp(a));
    let rows = losses.len() as f64;
    // The level at which a + Σ max(loss - a, 0)/((1-β) T) is least: the loss that so many rows are above.
    let tail = (1.0 - confidence) * rows;
    let at = ((tail - 1e-9).ceil() as usize).clamp(1, losses.len()) - 1;
    let level = losses[at];
    let above: f64 = losses.iter().map(|l| (l - level).max(0.0)).sum();
    (level + above / tail, level)
}

/// Positions of weights.
pub(super) fn held(w: &[f64]) -> usize {
    w.iter().filter(|w| w.abs() > HELD).count()
}
