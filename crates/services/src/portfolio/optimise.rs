//! Weights by a method of the catalogue, their frontier, and a check on days that they were not made from.

use super::performance::YEAR;
use super::prices::Joined;
use crate::catalogue::find;
use crate::room::blocking;
use crate::{ServiceError, Services};
use chrono::NaiveDate;
use mltrainer_catalogue::risk::{drawdown, performance};
use mltrainer_catalogue_core::run::run_analysis;
use mltrainer_catalogue_core::{Ask, Design, FitError, Resolved, SeriesTable};
use mltrainer_compliance::Verified;
use mltrainer_types::finite;
use mltrainer_types::portfolio::{
    AssetWeight, FrontierPoint, FrontierView, OptimiseRequest, Optimised, OutOfSample, TestedPath,
};
use mltrainer_types::run::RunResult;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Family of the methods.
const FAMILY: &str = "portfolio";

/// Method when none is named: it needs no expected returns, which are mostly error.
const METHOD: &str = "min_variance";

/// The frontier's entry.
const FRONTIER: &str = "efficient_frontier";

/// Points of the frontier when no number is given, and at most.
const POINTS: (u32, u32) = (20, 100);

/// Share of the days kept back when none is given.
const TEST_SHARE: f64 = 0.3;

/// Basis points of a trade when none are given, and at most.
const COST: (f64, f64) = (10.0, 1_000.0);

/// Days between rebalancings when none are given: a month.
const REBALANCE: u32 = 21;

/// Fewest rows to make weights from and to check them on.
const FEWEST: (usize, usize) = (30, 20);

/// Seed of the entries that draw.
pub(crate) const SEED: u64 = 0;

/// What a check is asked for.
#[derive(Debug, Clone, Copy)]
struct Check {
    share: f64,
    cost_bps: f64,
    every: u32,
}

/// A share of the traded value out of basis points.
pub(crate) fn cost_share(bps: Option<f64>) -> Result<f64, ServiceError> {
    let bps = bps.unwrap_or(COST.0);
    if !(0.0..=COST.1).contains(&bps) {
        return Err(ServiceError::invalid(
            "cost_bps",
            format!("{bps} is not in 0 to {}", COST.1),
        ));
    }
    Ok(bps / 1e4)
}

/// Runs an entry on closes; parameters that are wrong are named `params.NAME`.
pub(crate) fn run_entry(
    resolved: &Resolved,
    params: &Map<String, Value>,
    table: &Verified<SeriesTable>,
) -> Result<RunResult, FitError> {
    let ask = Ask {
        horizon: 1,
        seed: SEED,
    };
    run_analysis(resolved, params, table, ask, &|| 0.0)
}

/// An error of an entry; a parameter is named with the field that it stands in.
fn at_params(e: FitError) -> ServiceError {
    match ServiceError::from(e) {
        ServiceError::Invalid { field, detail } => {
            ServiceError::invalid(format!("params.{field}"), detail)
        }
        other => other,
    }
}

fn number(outputs: &Map<String, Value>, name: &str) -> Option<f64> {
    outputs.get(name).and_then(Value::as_f64)
}

fn by_name(value: Option<&Value>) -> BTreeMap<String, f64> {
    let map = value.and_then(Value::as_object);
    let each = map.into_iter().flatten();
    each.filter_map(|(n, v)| Some((n.clone(), v.as_f64()?)))
        .collect()
}

fn point(value: &Value) -> Option<FrontierPoint> {
    let map = value.as_object()?;
    Some(FrontierPoint {
        expected_return: number(map, "expected_return")?,
        volatility: number(map, "volatility")?,
        sharpe_ratio: number(map, "sharpe_ratio"),
        weights: by_name(map.get("weights")),
    })
}

impl Services {
    /// The methods of portfolios in the catalogue: id and title.
    #[must_use]
    pub fn portfolio_methods(&self) -> Vec<(String, String)> {
        let all = self.inner.registry.all();
        let of_family = all.filter(|r| r.entry.card.family == FAMILY);
        of_family
            .map(|r| (r.id().to_owned(), r.title().to_owned()))
            .collect()
    }

    /// Weights by a method under constraints, their frontier and their check.
    ///
    /// # Errors
    /// [`ServiceError`]: an unknown method or symbol with the nearest names, a parameter that the method does not
    /// have or that is out of range, too few days in common, constraints that conflict (they are named).
    pub async fn optimise(&self, request: &OptimiseRequest) -> Result<Optimised, ServiceError> {
        let resolved = self.method(request.method.as_deref())?;
        let invalid = |field: &str, detail: String| Err(ServiceError::invalid(field, detail));
        let points = request.frontier_points.unwrap_or(POINTS.0);
        if points == 1 || points > POINTS.1 {
            return invalid(
                "frontier_points",
                format!("{points} is not 0 or in 2 to {}", POINTS.1),
            );
        }
        let share = request.test_share.unwrap_or(TEST_SHARE);
        if !(share == 0.0 || (0.05..=0.9).contains(&share)) {
            return invalid("test_share", format!("{share} is not 0 or in 0.05 to 0.9"));
        }
        let check = Check {
            share,
            cost_bps: cost_share(request.cost_bps)? * 1e4,
            every: request.rebalance_days.unwrap_or(REBALANCE),
        };
        resolved
            .params(&request.params)
            .map_err(|e| at_params(e.into()))?;
        let mut names = match request.symbols.as_slice() {
            [] => self.bundled_shares().await?,
            [one] => {
                // A symbol that does not exist is told before that it is alone.
                self.price_set(one, request.source.as_deref()).await?;
                return invalid(
                    "symbols",
                    format!("{one} stands alone, at least 2 are needed to choose between"),
                );
            }
            some => some.to_vec(),
        };
        // A market that is named takes part as a column without a weight.
        let mut params = request.params.clone();
        if let Some(market) = params
            .get("market")
            .and_then(Value::as_str)
            .map(str::to_owned)
            && market.parse::<usize>().is_err()
            && !names
                .iter()
                .any(|n| n.trim().eq_ignore_ascii_case(market.trim()))
        {
            names.push(market);
        }
        let span = (request.start, request.end);
        let joined = self
            .joined(&names, request.source.as_deref(), span, 3)
            .await?;
        if let Some(Value::String(market)) = params.get_mut("market")
            && let Some(at) = names
                .iter()
                .position(|n| n.trim().eq_ignore_ascii_case(market.trim()))
            && let Some(symbol) = joined.sets.get(at).and_then(|s| s.symbols.first())
        {
            market.clone_from(symbol);
        }
        let frontier = find(&self.inner.registry, FRONTIER)?;
        blocking(move || optimised(&resolved, &frontier, &params, &joined, points, check)).await
    }

    /// The entry of that name, which must be a method of portfolios.
    fn method(&self, id: Option<&str>) -> Result<Resolved, ServiceError> {
        let id = id.filter(|m| !m.is_empty()).unwrap_or(METHOD);
        let methods = self.portfolio_methods();
        let known: Vec<&str> = methods.iter().map(|(id, _)| id.as_str()).collect();
        if !known.contains(&id) {
            return Err(ServiceError::invalid(
                "method",
                format!(
                    "\"{id}\" is no method of portfolios; choose {}",
                    known.join(", ")
                ),
            ));
        }
        find(&self.inner.registry, id)
    }
}

fn optimised(
    resolved: &Resolved,
    frontier: &Resolved,
    params: &Map<String, Value>,
    joined: &Joined,
    points: u32,
    check: Check,
) -> Result<Optimised, ServiceError> {
    let run = run_entry(resolved, params, &joined.table).map_err(at_params)?;
    let out = &run.outputs;
    let missing = || ServiceError::Internal(format!("{} gave no weights", run.model));
    let (risk, expected, volatility) = (
        by_name(out.get("risk_contributions")),
        by_name(out.get("asset_expected_returns")),
        by_name(out.get("asset_volatilities")),
    );
    let weights = by_name(out.get("weights"));
    let mut notes = Vec::new();
    let mut rows: Vec<AssetWeight> = weights
        .iter()
        .map(|(symbol, weight)| AssetWeight {
            symbol: symbol.clone(),
            weight: *weight,
            risk_contribution: risk.get(symbol).copied(),
            expected_return: expected.get(symbol).copied(),
            volatility: volatility.get(symbol).copied(),
        })
        .collect();
    rows.sort_by(|a, b| {
        b.weight
            .total_cmp(&a.weight)
            .then_with(|| a.symbol.cmp(&b.symbol))
    });
    let curve = if points == 0 || weights.len() < 2 {
        None
    } else {
        curve(frontier, params, joined, points, &mut notes)
    };
    let out_of_sample = if check.share > 0.0 {
        match checked(resolved, params, joined, check) {
            Ok(found) => Some(found),
            Err(ServiceError::Internal(text)) => return Err(ServiceError::Internal(text)),
            Err(e) => {
                notes.push(format!("There is no check on days not seen: {e}"));
                None
            }
        }
    } else {
        None
    };
    let (Some(start), Some(end)) = (joined.days.first(), joined.days.last()) else {
        return Err(missing());
    };
    Ok(Optimised {
        method: run.model.clone(),
        title: resolved.title().to_owned(),
        start: *start,
        end: *end,
        days: joined.days.len() as u64,
        expected_return: number(out, "expected_return").ok_or_else(missing)?,
        volatility: number(out, "volatility").ok_or_else(missing)?,
        sharpe_ratio: number(out, "sharpe_ratio"),
        diversification_ratio: number(out, "diversification_ratio"),
        effective_assets: number(out, "effective_assets"),
        positions: out
            .get("positions")
            .and_then(Value::as_u64)
            .unwrap_or_default(),
        sector_weights: by_name(out.get("sector_weights")),
        turnover: number(out, "turnover"),
        beta: number(out, "beta"),
        positions_proven: out.get("positions_proven").and_then(Value::as_bool),
        weights: rows,
        frontier: curve,
        out_of_sample,
        notes,
        lineage: run.lineage,
        params: run.params,
    })
}

/// The frontier of the same shares, with those of the parameters that it has too.
fn curve(
    frontier: &Resolved,
    params: &Map<String, Value>,
    joined: &Joined,
    points: u32,
    notes: &mut Vec<String>,
) -> Option<FrontierView> {
    let known: Vec<String> = frontier
        .catalogue_entry()
        .params
        .into_iter()
        .map(|p| p.name)
        .collect();
    let mut own: Map<String, Value> = params
        .iter()
        .filter(|(name, value)| known.contains(name) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if own.remove("max_positions").is_some() {
        // A search for the best positions at every point would take minutes.
        notes.push("The frontier leaves max_positions out.".to_owned());
    }
    own.insert("n_points".to_owned(), Value::from(points));
    let run = match run_entry(frontier, &own, &joined.table) {
        Ok(run) => run,
        Err(e) => {
            notes.push(format!("There is no frontier: {}", at_params(e)));
            return None;
        }
    };
    let list = run.outputs.get("points").and_then(Value::as_array);
    Some(FrontierView {
        points: list.into_iter().flatten().filter_map(point).collect(),
        max_sharpe: run.outputs.get("max_sharpe").and_then(point),
        min_variance: run.outputs.get("min_variance").and_then(point)?,
    })
}

/// Weights from the first part of the days, and what they did on the rest.
fn checked(
    resolved: &Resolved,
    params: &Map<String, Value>,
    joined: &Joined,
    check: Check,
) -> Result<OutOfSample, ServiceError> {
    let rows = joined.days.len();
    let test = (rows as f64 * check.share).round() as usize;
    let train = rows.saturating_sub(test);
    if train < FEWEST.0 || test < FEWEST.1 {
        return Err(ServiceError::BadData(format!(
            "of {rows} days {train} are left to make weights from and {test} to check them on, at least {} and {} are needed",
            FEWEST.0, FEWEST.1
        )));
    }
    let head = joined
        .table
        .derive("train", format!("the first {train} days"), |t| {
            let x = t.design().x();
            let cut = ndarray::Array2::from_shape_fn((train, x.ncols()), |(i, j)| x[[i, j]]);
            let days = t.days().map(|d| d[..train].to_vec());
            SeriesTable::new(Design::new(cut, t.names().to_vec())?, days)
        })?;
    let run = run_entry(resolved, params, &head).map_err(at_params)?;
    let weights = by_name(run.outputs.get("weights"));
    let table = joined.table.get();
    let mut columns = Vec::new();
    for name in weights.keys() {
        let at = table.names().iter().position(|n| n == name);
        let column = at.map(|i| table.series(i)).unwrap_or_default();
        columns.push(column.get(train..).unwrap_or_default().to_vec());
    }
    let w: Vec<f64> = weights.values().copied().collect();
    let equal = vec![1.0 / w.len() as f64; w.len()];
    let cost = check.cost_bps / 1e4;
    let (own, own_r) = held(&columns, &w, cost, check.every as usize);
    let (plain, plain_r) = held(&columns, &equal, cost, check.every as usize);
    let days = &joined.days;
    let at = |i: usize| days.get(i).copied().unwrap_or_default();
    let promised = |name: &str| number(&run.outputs, name).unwrap_or_default();
    let apart = sharpe_difference(&own_r, &plain_r);
    let finding = finding(&own, &plain, apart, promised("volatility"), own_r.len());
    Ok(OutOfSample {
        train_start: at(0),
        train_end: at(train - 1),
        test_start: at(train),
        test_end: at(rows - 1),
        cost_bps: check.cost_bps,
        rebalance_days: check.every,
        dates: days.get(train..).unwrap_or_default().to_vec(),
        weights,
        portfolio: own,
        equal_weight: plain,
        promised_volatility: promised("volatility"),
        promised_return: promised("expected_return"),
        sharpe_difference: apart.map(|a| a.0),
        sharpe_difference_error: apart.map(|a| a.1),
        finding,
    })
}

/// Buys weights at the first close, goes back to them every so many days, and pays for each trade. Also the daily
/// returns, the first of which is what the purchase cost.
pub(crate) fn held(
    columns: &[Vec<f64>],
    weights: &[f64],
    cost: f64,
    every: usize,
) -> (TestedPath, Vec<f64>) {
    let rows = columns.first().map_or(0, Vec::len);
    let mut turnover: f64 = weights.iter().map(|w| w.abs()).sum();
    let mut paid = cost * turnover;
    let mut value = 1.0 - paid;
    let mut parts: Vec<f64> = weights.iter().map(|w| w * value).collect();
    let mut cash = value * (1.0 - weights.iter().sum::<f64>());
    let mut growth = vec![value];
    let mut returns = vec![value - 1.0];
    for t in 1..rows {
        for (part, column) in parts.iter_mut().zip(columns) {
            *part *= column[t] / column[t - 1];
        }
        let before = value;
        value = (cash + parts.iter().sum::<f64>()).max(0.0);
        if value > 0.0 && every > 0 && t % every == 0 && t + 1 < rows {
            let off: f64 = parts
                .iter()
                .zip(weights)
                .map(|(p, w)| (w - p / value).abs())
                .sum();
            turnover += off;
            paid += cost * off * value;
            value *= 1.0 - cost * off;
            parts = weights.iter().map(|w| w * value).collect();
            cash = value * (1.0 - weights.iter().sum::<f64>());
        } else if value == 0.0 {
            // Debts of a portfolio with short sales took everything.
            parts.iter_mut().for_each(|p| *p = 0.0);
            cash = 0.0;
        }
        growth.push(value);
        returns.push(if before > 0.0 {
            value / before - 1.0
        } else {
            0.0
        });
    }
    let p = performance(&returns, YEAR, 0.0, 0.0);
    let path = TestedPath {
        total_return: p.total_return,
        annual_return: p.annual_return,
        volatility: finite(p.annual_volatility),
        sharpe_ratio: finite(p.sharpe_ratio),
        max_drawdown: drawdown(&returns).max,
        turnover,
        cost: paid,
        growth,
    };
    (path, returns)
}

/// Difference of the annual Sharpe ratios of two series over the same days, and its standard error (Memmel, Finance
/// Letters 1, 2003): √((2 - 2ρ + ½ (a² + b² - 2 a b ρ²)) / T), a and b a day.
fn sharpe_difference(a: &[f64], b: &[f64]) -> Option<(f64, f64)> {
    let n = a.len() as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n;
    let (ma, mb) = (mean(a), mean(b));
    let cov = |x: &[f64], mx: f64, y: &[f64], my: f64| {
        x.iter()
            .zip(y)
            .map(|(p, q)| (p - mx) * (q - my))
            .sum::<f64>()
            / (n - 1.0)
    };
    let (va, vb) = (cov(a, ma, a, ma), cov(b, mb, b, mb));
    if a.len() < 3 || va <= 0.0 || vb <= 0.0 {
        return None;
    }
    let rho = cov(a, ma, b, mb) / (va * vb).sqrt();
    let (sa, sb) = (ma / va.sqrt(), mb / vb.sqrt());
    let inside = 2.0 - 2.0 * rho + 0.5 * (sa * sa + sb * sb - 2.0 * sa * sb * rho * rho);
    let error = (inside.max(0.0) / n).sqrt();
    Some(((sa - sb) * YEAR.sqrt(), error * YEAR.sqrt()))
}

fn finding(
    own: &TestedPath,
    plain: &TestedPath,
    apart: Option<(f64, f64)>,
    promised: f64,
    days: usize,
) -> String {
    let percent = |x: f64| format!("{:.1} %", 100.0 * x);
    let maybe = |x: Option<f64>| x.map_or_else(|| "none".to_owned(), percent);
    let verdict = match apart {
        None => "The two cannot be told apart.".to_owned(),
        Some((d, e)) if d.abs() <= 2.0 * e => format!(
            "The Sharpe ratios differ by {:.2} with a standard error of {e:.2}: that is within chance.",
            d.abs()
        ),
        Some((d, e)) if d > 0.0 => format!(
            "The Sharpe ratio was higher by {d:.2}, more than two standard errors ({e:.2}): it beat equal weights on these days."
        ),
        Some((d, e)) => format!(
            "The Sharpe ratio was lower by {:.2}, more than two standard errors ({e:.2}): equal weights did better.",
            -d
        ),
    };
    format!(
        "On {days} days not seen, after costs: {} a year with a volatility of {} (the estimates promised {}); equal weights {} with {}. {verdict}",
        percent(own.annual_return),
        maybe(own.volatility),
        percent(promised),
        percent(plain.annual_return),
        maybe(plain.volatility)
    )
}

/// The days that closes are of.
pub(crate) fn ends(days: &[NaiveDate]) -> (NaiveDate, NaiveDate) {
    (
        days.first().copied().unwrap_or_default(),
        days.last().copied().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn weights_held_after_costs_by_hand() {
        // 1 % cost: 0.99 is left, 0.495 each. Then A doubles: 0.99 + 0.495 = 1.485; back to half and half trades
        // |1/2 - 2/3| + |1/2 - 1/3| = 1/3, which costs 1/300: 1.48005. Then B doubles: 1.5 times that.
        let columns = [vec![1.0, 2.0, 2.0], vec![1.0, 1.0, 2.0]];
        let (path, returns) = held(&columns, &[0.5, 0.5], 0.01, 1);
        near(path.growth[0], 0.99);
        near(path.growth[1], 1.485 * (1.0 - 0.01 / 3.0));
        near(path.growth[2], 1.485 * (1.0 - 0.01 / 3.0) * 1.5);
        near(path.turnover, 4.0 / 3.0);
        near(path.cost, 0.01 + 0.01 / 3.0 * 1.485);
        near(returns[0], -0.01);
        // Never rebalanced: the parts drift.
        let (path, _) = held(&columns, &[0.5, 0.5], 0.0, 0);
        assert_eq!(path.growth, [1.0, 1.5, 2.0]);
        // Half in cash.
        let (path, _) = held(&columns[..1], &[0.5], 0.0, 0);
        assert_eq!(path.growth, [1.0, 1.5, 1.5]);
        // A short sale that costs everything.
        let (path, _) = held(&[vec![1.0, 3.0, 1.0]], &[-1.0], 0.0, 0);
        assert_eq!(path.growth, [1.0, 0.0, 0.0]);
    }

    #[test]
    fn double_costs_never_help() {
        let columns = [vec![1.0, 1.2, 0.9, 1.1], vec![1.0, 0.9, 1.1, 1.0]];
        let last = |cost: f64| {
            *held(&columns, &[0.6, 0.4], cost, 1)
                .0
                .growth
                .last()
                .unwrap()
        };
        assert!(last(0.0) > last(0.001) && last(0.001) > last(0.002));
    }

    #[test]
    fn a_series_beside_itself_differs_by_nothing() {
        let r = [0.01, -0.02, 0.015, 0.0, 0.01];
        let (d, e) = sharpe_difference(&r, &r).unwrap();
        near(d, 0.0);
        assert!(e < 1e-7, "{e}");
        assert_eq!(sharpe_difference(&r, &[0.0; 5]), None);
        // Against the opposite, ρ = -1 and b = -a: (4 + ½ (4 a²)) / 5... with -2 a b ρ² = 2 a².
        let minus = r.map(|x| -x);
        let (d, e) = sharpe_difference(&r, &minus).unwrap();
        let mean = 0.003;
        let sd = (r.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 4.0).sqrt();
        let a = mean / sd;
        near(d, 2.0 * a * YEAR.sqrt());
        near(e, ((4.0 + 2.0 * a * a) / 5.0).sqrt() * YEAR.sqrt());
    }
}
