"""Prints portfolio.json: what reference libraries give for the closes in closes.csv.

python -m venv V && V/bin/pip install PyPortfolioOpt==1.6.0 skfolio==1.12.0 cvxpy==1.9.3 clarabel==0.11.1
V/bin/python portfolio.py > portfolio.json

Weights are of PyPortfolioOpt with Clarabel at 1e-12, or of the linear programme by HiGHS; where a library has no such
constraint the programme is written in cvxpy.
"""

import json
import math
import warnings
from itertools import combinations
from pathlib import Path

import cvxpy as cp
import numpy as np
import pandas as pd
from pypfopt import BlackLittermanModel, CovarianceShrinkage, EfficientFrontier, HRPOpt, expected_returns, risk_models
from scipy.optimize import linprog
from skfolio.cluster import HierarchicalClustering, LinkageMethod
from skfolio.distance import PearsonDistance
from skfolio.optimization import HierarchicalRiskParity, RiskBudgeting
from skfolio.seriation import HierarchicalSeriation

warnings.simplefilter("ignore")
closes = pd.read_csv(Path(__file__).parent / "closes.csv", index_col=0)
returns = closes.pct_change().dropna()
NAMES = list(closes.columns)
MU = returns.mean() * 252
S = returns.cov() * 252
OPTIONS = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
cases = []


def plain(x):
    if isinstance(x, pd.Series):
        x = x.to_dict()
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple, np.ndarray)):
        return [plain(v) for v in x]
    if isinstance(x, (bool, str)) or x is None:
        return x
    x = float(x)
    return float(f"{x:.13g}") if math.isfinite(x) else None


def case(model, params, source, expect, tolerance=1e-6, columns=NAMES):
    cases.append({
        "model": model, "params": params, "columns": columns, "source": source, "tolerance": tolerance,
        "expect": plain(expect),
    })


def named(w, names=NAMES):
    return dict(zip(names, np.asarray(w, float)))


def figures(w, mu=MU, s=S):
    w = np.asarray([w[n] for n in NAMES]) if isinstance(w, dict) else np.asarray(w)
    return {
        "weights": named(w), "expected_return": w @ mu.values, "volatility": math.sqrt(w @ s.values @ w),
    }


def frontier(mu=MU, s=S, bounds=(0, 1)):
    return EfficientFrontier(mu, s, weight_bounds=bounds, solver="CLARABEL", solver_options=OPTIONS)


def programme(objective, constraints, w):
    problem = cp.Problem(objective, constraints)
    problem.solve(solver="CLARABEL", **OPTIONS)
    return np.asarray(w.value)


# Covariances and expected returns, through what they make of the least variance and the largest utility.
for word, s, extra, outputs in [
    ("exponential", risk_models.exp_cov(closes, span=180), {}, {}),
    ("exponential", risk_models.exp_cov(closes, span=40), {"covariance_span": 40}, {}),
    ("ledoit_wolf", (lw := CovarianceShrinkage(closes)).ledoit_wolf(), {}, {"shrinkage": None}),
    ("oas", (oas := CovarianceShrinkage(closes)).oracle_approximating(), {}, {"shrinkage": None}),
]:
    if word == "ledoit_wolf":
        outputs = {"shrinkage": lw.delta}
    if word == "oas":
        outputs = {"shrinkage": oas.delta}
    w = frontier(None, s).min_volatility()
    case("min_variance", {"covariance": word, **extra}, "PyPortfolioOpt exp_cov, CovarianceShrinkage, min_volatility",
         {**figures(w, s=s), **outputs})
# Half life 30: pandas weighs the products of deviations from the plain means.
c = returns - returns.mean()
s = pd.DataFrame([[((c[a] * c[b]).ewm(halflife=30).mean().iloc[-1]) * 252 for b in NAMES] for a in NAMES], NAMES, NAMES)
case("min_variance", {"covariance": "exponential", "covariance_halflife": 30}, "pandas ewm(halflife=30)",
     figures(frontier(None, s).min_volatility(), s=s))
# Two principal components, own variances on the diagonal.
values, vectors = np.linalg.eigh(S.values)
s = vectors[:, -2:] @ np.diag(values[-2:]) @ vectors[:, -2:].T
np.fill_diagonal(s, np.diag(S.values))
s = pd.DataFrame(s, NAMES, NAMES)
case("min_variance", {"covariance": "factor", "n_factors": 2}, "numpy eigh, PyPortfolioOpt min_volatility",
     figures(frontier(None, s).min_volatility(), s=s))

for params, mu in [
    ({"expected_returns": "mean", "compounding": True}, expected_returns.mean_historical_return(closes)),
    ({"expected_returns": "exponential"}, expected_returns.ema_historical_return(closes, compounding=False)),
    ({"expected_returns": "exponential", "compounding": True, "return_span": 60},
     expected_returns.ema_historical_return(closes, span=60)),
    ({"expected_returns": "capm", "risk_free_rate": 0.01},
     expected_returns.capm_return(closes, risk_free_rate=0.01, compounding=False)),
    ({"expected_returns": "capm", "compounding": True}, expected_returns.capm_return(closes)),
    ({"expected_returns": "momentum", "momentum_lookback": 200, "momentum_skip": 20},
     (closes.iloc[-21] / closes.iloc[-201] - 1) * 252 / 180),
    ({"views": "AAPL:0.3,MRK:0.02"}, MU.copy().mask(MU.index == "AAPL", 0.3).mask(MU.index == "MRK", 0.02)),
]:
    ef = frontier(mu)
    w = ef.max_quadratic_utility(risk_aversion=6)
    case("mean_variance", {**params, "risk_aversion": 6}, "PyPortfolioOpt expected_returns, max_quadratic_utility",
         {**figures(w, mu), "asset_expected_returns": mu})
rest = [n for n in NAMES if n != "XOM"]
mu = expected_returns.capm_return(closes[rest], closes[["XOM"]], compounding=False)
ef = EfficientFrontier(mu, S.loc[rest, rest], solver="CLARABEL", solver_options=OPTIONS)
w = ef.max_quadratic_utility(risk_aversion=3)
case("mean_variance", {"expected_returns": "capm", "market": "XOM", "risk_aversion": 3}, "PyPortfolioOpt capm_return(market_prices)",
     {"weights": w, "asset_expected_returns": mu})

# Constraints.
SECTORS = {"AAPL": "tech", "CVX": "oil", "JNJ": "health", "MRK": "health", "XOM": "oil"}
SECTOR_TEXT = ",".join(f"{n}:{s}" for n, s in SECTORS.items())


def capped(ef):
    ef.add_sector_constraints(SECTORS, {"oil": 0.1}, {"health": 0.3, "oil": 0.2})
    return ef


limits = {"sectors": SECTOR_TEXT, "sector_caps": "health:0.3,oil:0.2", "sector_floors": "oil:0.1"}
for bounds, params in [((0, 1), {}), ((0.05, 0.4), {"min_weight": 0.05, "max_weight": 0.4}),
                       ((-0.2, 0.5), {"min_weight": -0.2, "max_weight": 0.5, "long_only": False})]:
    case("min_variance", params, "PyPortfolioOpt min_volatility", figures(frontier(bounds=bounds).min_volatility()))
    case("max_sharpe", {**params, "risk_free_rate": 0.02}, "PyPortfolioOpt max_sharpe",
         figures(frontier(bounds=bounds).max_sharpe(risk_free_rate=0.02)), 5e-6)
    case("mean_variance", {**params, "target_return": 0.15}, "PyPortfolioOpt efficient_return",
         figures(frontier(bounds=bounds).efficient_return(0.15)), 2e-6)
    case("min_variance", {**params, "target_return": 0.15}, "PyPortfolioOpt efficient_return",
         figures(frontier(bounds=bounds).efficient_return(0.15)), 2e-6)
    case("mean_variance", {**params, "target_volatility": 0.11}, "PyPortfolioOpt efficient_risk",
         figures(frontier(bounds=bounds).efficient_risk(0.11)), 5e-6)
case("min_variance", limits, "PyPortfolioOpt add_sector_constraints", figures(capped(frontier()).min_volatility()))
case("mean_variance", {**limits, "risk_aversion": 4}, "PyPortfolioOpt add_sector_constraints",
     figures(capped(frontier()).max_quadratic_utility(4)))

w, y, k = cp.Variable(5), cp.Variable(5), cp.Variable()
mu, cov, sd = MU.values, S.values, np.sqrt(np.diag(S.values))
health, oil = [NAMES.index(n) for n in ("JNJ", "MRK")], [NAMES.index(n) for n in ("CVX", "XOM")]
root = np.linalg.cholesky(cov).T
full = [cp.sum(w) == 1]
risk = cp.sum_squares(root @ w)
sums = [cp.sum(y[health]) <= 0.3 * k, cp.sum(y[oil]) <= 0.2 * k, cp.sum(y[oil]) >= 0.1 * k]
found = programme(cp.Minimize(cp.sum_squares(root @ y)), [mu @ y == 1, cp.sum(y) == k, y >= 0, k >= 0, *sums], y)
case("max_sharpe", limits, "cvxpy, Clarabel", figures(found / found.sum()), 5e-6)
found = programme(cp.Minimize(cp.sum_squares(root @ y)), [sd @ y == 1, cp.sum(y) == k, y >= 0, k >= 0, *sums], y)
case("max_diversification", limits, "cvxpy, Clarabel", figures(found / found.sum()), 5e-6)
found = programme(cp.Minimize(cp.sum_squares(root @ y)), [sd @ y == 1, y >= 0], y)
case("max_diversification", {}, "cvxpy, Clarabel", figures(found / found.sum()), 5e-6)
found = np.linalg.solve(cov, sd)
case("max_diversification", {"long_only": False}, "closed form", figures(found / found.sum()), 1e-9)
found = np.linalg.solve(cov, mu - 0.01)
case("max_sharpe", {"long_only": False, "risk_free_rate": 0.01}, "closed form", figures(found / found.sum()), 1e-9)
found = programme(cp.Minimize(risk), [*full, cp.norm1(w) <= 1.2], w)
case("min_variance", {"long_only": False, "max_gross": 1.2}, "cvxpy, Clarabel", figures(found), 5e-6)
held = np.full(5, 0.2)
now = {"current_weights": 0.2}
found = programme(cp.Minimize(risk), [*full, w >= 0, cp.norm1(w - held) <= 0.3], w)
case("min_variance", {**now, "max_turnover": 0.3}, "cvxpy, Clarabel", {**figures(found), "turnover": 0.3}, 5e-6)
found = programme(cp.Maximize(mu @ w - 2 * risk - 0.03 * cp.norm1(w - held)), [*full, w >= 0], w)
case("mean_variance", {**now, "transaction_cost": 0.03, "risk_aversion": 4}, "cvxpy, Clarabel",
     {**figures(found), "trading_cost": 0.03 * np.abs(found - held).sum()}, 5e-6)
net = mu @ y - 0.02 * cp.norm1(y - k * held)
found = programme(cp.Minimize(cp.sum_squares(root @ y)), [net >= 1, cp.sum(y) == k, y >= 0, k >= 0], y)
case("max_sharpe", {**now, "transaction_cost": 0.02}, "cvxpy, Clarabel", figures(found / found.sum()), 5e-6)
found = programme(cp.Maximize(mu @ w - 2 * risk), [cp.sum(w) == 0, w >= -0.5, w <= 0.5], w)
case("mean_variance", {"long_only": False, "net_exposure": 0, "min_weight": -0.5, "max_weight": 0.5, "risk_aversion": 4},
     "cvxpy, Clarabel", figures(found), 5e-6)

# Numbers of positions, by trying every choice.
for model, count, best in [
    ("min_variance", 2, min), ("min_variance", 3, min), ("max_sharpe", 1, max), ("max_sharpe", 2, max),
    ("mean_variance", 2, max),
]:
    tried = []
    for some in combinations(NAMES, count):
        some = list(some)
        ef = EfficientFrontier(MU[some], S.loc[some, some], solver="CLARABEL", solver_options=OPTIONS)
        if model == "min_variance":
            x = ef.min_volatility()
            key = ef.portfolio_performance()[1]
        elif model == "max_sharpe":
            x = ef.max_sharpe(risk_free_rate=0)
            key = ef.portfolio_performance(risk_free_rate=0)[2]
        else:
            x = ef.max_quadratic_utility(20)
            r, v, _ = ef.portfolio_performance()
            key = r - 10 * v * v
        tried.append((key, {**dict.fromkeys(NAMES, 0.0), **x}))
    w_best = best(tried, key=lambda t: t[0])[1]
    extra = {"risk_aversion": 20} if model == "mean_variance" else {}
    case(model, {"max_positions": count, **extra}, "PyPortfolioOpt on every choice of assets",
         {**figures(w_best), "positions_proven": True}, 5e-6)

# Risk parity, hierarchical risk parity.
rp = RiskBudgeting(solver="CLARABEL", solver_params=OPTIONS).fit(returns)
case("risk_parity", {}, "skfolio RiskBudgeting", {"weights": named(rp.weights_)}, 1e-5)
budgets = {"AAPL": 0.1, "CVX": 0.2, "JNJ": 0.3, "MRK": 0.3, "XOM": 0.1}
rp = RiskBudgeting(risk_budget=budgets, solver="CLARABEL", solver_params=OPTIONS).fit(returns)
case("risk_parity", {"budgets": ",".join(f"{n}:{b}" for n, b in budgets.items())}, "skfolio RiskBudgeting(risk_budget)",
     {"weights": named(rp.weights_), "risk_contributions": budgets}, 2e-5)
rp = RiskBudgeting(min_weights=0.12, max_weights=0.22, solver="CLARABEL", solver_params=OPTIONS).fit(returns)
case("risk_parity", {"min_weight": 0.12, "max_weight": 0.22}, "skfolio RiskBudgeting(min_weights, max_weights)",
     {"weights": named(rp.weights_)}, 1e-4)
for linkage in ("single", "complete", "average", "weighted", "ward"):
    hrp = HRPOpt(returns)
    w_hrp = hrp.optimize(linkage_method=linkage)
    case("hierarchical_risk_parity", {"linkage_method": linkage}, "PyPortfolioOpt HRPOpt",
         {"weights": {n: w_hrp[n] for n in NAMES}}, 1e-10)

for linkage, low, high in [("single", 0.12, 0.24), ("ward", 0.0, 0.21)]:
    clusters = HierarchicalClustering(linkage_method=LinkageMethod(linkage))
    order = HierarchicalSeriation(hierarchical_clustering_estimator=clusters, optimal_ordering=False)
    hrp = HierarchicalRiskParity(seriation_estimator=order, distance_estimator=PearsonDistance(), min_weights=low, max_weights=high)
    case("hierarchical_risk_parity", {"linkage_method": linkage, "min_weight": low, "max_weight": high},
         "skfolio HierarchicalRiskParity", {"weights": named(hrp.fit(returns).weights_)}, 1e-10)

# Least expected shortfall: the linear programme.
r = returns.values
t = len(r)
for confidence, params, high in [(0.95, {}, 1.0), (0.9, {"max_weight": 0.3}, 0.3), (0.99, {}, 1.0)]:
    share = 1 / ((1 - confidence) * t)
    cost = np.r_[np.zeros(5), 1.0, np.full(t, share)]
    a = np.c_[-r, -np.ones(t), -np.eye(t)]
    lp = linprog(cost, a, np.zeros(t), np.r_[np.ones(5), np.zeros(t + 1)][None], [1.0],
                 bounds=[(0, high)] * 5 + [(None, None)] + [(0, None)] * t, method="highs")
    case("cvar_optimization", {"confidence": confidence, **params}, "scipy linprog, HiGHS", {"objective": lp.fun}, 1e-8)

# Kelly.
found = 0.5 * np.linalg.solve(cov, mu - 0.01)
case("kelly", {"fraction": 0.5, "risk_free_rate": 0.01}, "closed form", {"weights": named(found)}, 1e-9)
found = programme(cp.Maximize((mu - 0.01) @ w - risk / (2 * 0.5)), [w >= 0, cp.norm1(w) <= 2], w)
case("kelly", {"fraction": 0.5, "risk_free_rate": 0.01, "long_only": True, "max_weight": 2, "max_gross": 2}, "cvxpy, Clarabel",
     {"weights": named(found)}, 1e-5)

# Black-Litterman.
for params, call in [
    ({"views": "AAPL:0.2,XOM:0.02"}, {"absolute_views": {"AAPL": 0.2, "XOM": 0.02}}),
    ({"views": "AAPL>XOM:0.05,MRK:0.1"}, {"P": np.array([[1, 0, 0, 0, -1], [0, 0, 0, 1, 0]]), "Q": np.array([0.05, 0.1])}),
    ({"views": "AAPL:0.2,XOM:0.02", "confidences": "AAPL:0.8,XOM:0.3"},
     {"absolute_views": {"AAPL": 0.2, "XOM": 0.02}, "omega": "idzorek", "view_confidences": [0.8, 0.3]}),
]:
    for delta, tau in [(1.0, 0.05), (2.5, 0.2)]:
        prior = delta * S @ np.full(5, 0.2)
        bl = BlackLittermanModel(S, pi=prior, tau=tau, **call)
        bl.bl_weights(delta)
        case("black_litterman", {**params, "risk_aversion": delta, "tau": tau}, "PyPortfolioOpt BlackLittermanModel",
             {"weights": {n: bl.weights[i] for i, n in enumerate(NAMES)}, "prior_returns": prior,
              "posterior_returns": bl.bl_returns()}, 1e-8)
market = np.array([5.0, 2.0, 3.0, 1.0, 4.0])
prior = 2 * S @ (market / market.sum()) + 0.01
bl = BlackLittermanModel(S, pi=prior, absolute_views={"CVX": 0.12})
case("black_litterman", {"views": "CVX:0.12", "risk_aversion": 2, "risk_free_rate": 0.01,
                         "market_weights": ",".join(f"{n}:{m}" for n, m in zip(NAMES, market))},
     "PyPortfolioOpt market_implied_prior_returns", {"prior_returns": prior, "posterior_returns": bl.bl_returns()}, 1e-8)

# The frontier: four of five points by PyPortfolioOpt; the last one is the best asset.
low = figures(frontier().min_volatility())["expected_return"]
top = MU.max()
points = []
for i in range(4):
    target = low + (top - low) * i / 4
    points.append(figures(frontier().efficient_return(target)) if i else figures(frontier().min_volatility()))
case("efficient_frontier", {"n_points": 5}, "PyPortfolioOpt efficient_return",
     {"points": [*points, {"expected_return": top, "volatility": math.sqrt(S.loc[MU.idxmax(), MU.idxmax()])}],
      "min_variance": points[0], "max_sharpe": figures(frontier().max_sharpe(risk_free_rate=0))}, 5e-6)

print("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]")
