"""Prints dependence.json: what reference libraries give for the series in closes.csv.

python -m venv V && V/bin/pip install statsmodels==0.15.0 arch==8.0.0 filterpy==2.0.0 hmmlearn==0.3.3 \
    PyWavelets==1.9.0 EMD-signal==1.10.0 scikit-learn==1.9.1 networkx==3.6.1 setuptools
V/bin/python dependence.py > dependence.json
"""

import json
import math
import warnings
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pywt
from arch import arch_model
from arch.univariate import ARX, EGARCH, GARCH, GeneralizedError, Normal, SkewStudent, StudentsT
from filterpy.kalman import MerweScaledSigmaPoints, UnscentedKalmanFilter
from hmmlearn.hmm import GaussianHMM
from PyEMD import EMD
from scipy import special
from statsmodels.stats.diagnostic import acorr_ljungbox, het_breuschpagan
from statsmodels.tsa.statespace.kalman_smoother import KalmanSmoother
from statsmodels.tsa.stattools import adfuller, coint, grangercausalitytests, kpss
from statsmodels.tsa.vector_ar.vecm import coint_johansen

warnings.simplefilter("ignore")
closes = pd.read_csv(Path(__file__).parent / "closes.csv", index_col=0)
returns = 100 * (closes / closes.shift(1) - 1).dropna()
NAMES = list(closes.columns)
cases = []


def plain(x):
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple, np.ndarray, pd.Series)):
        return [plain(v) for v in x]
    if isinstance(x, (bool, str)) or x is None:
        return x
    if isinstance(x, (int, np.integer)):
        return int(x)
    x = float(x)
    return float(f"{x:.13g}") if math.isfinite(x) else None


def case(model, params, columns, source, expect, tolerance=1e-8, takes="levels", at_least=None, missing=None):
    """at_least: outputs that may exceed the given value but not fall short of it by more than the tolerance."""
    cases.append({
        "model": model, "params": params, "columns": columns, "takes": takes, "missing": missing or [],
        "source": source, "tolerance": tolerance, "expect": plain(expect), "at_least": plain(at_least or {}),
    })


def thin(x, step=13):
    """Every 13th value by place."""
    return {"every": step, "values": [x[i] for i in range(0, len(x), step)]}


# ---- tests -------------------------------------------------------------------------------------

for name, regression, maxlag, autolag in [
    ("AAPL", "c", None, "AIC"), ("CVX", "ct", 5, "BIC"), ("JNJ", "ctt", 12, "t-stat"), ("MRK", "n", 3, None),
    ("XOM", "c", 0, None), ("XOM", "ctt", None, "AIC"),
]:
    r = adfuller(closes[name], maxlag=maxlag, regression=regression, autolag=autolag, result_object=True)
    case("adf", {"regression": regression, "maxlag": maxlag, "autolag": autolag}, [name],
         f"statsmodels 0.15.0 adfuller({name}, {maxlag}, {regression}, {autolag})",
         {"statistic": r.statistic, "p_value": r.pvalue, "lags": r.lags, "n_obs": r.nobs,
          "critical_values": r.critical_values, "ic_best": r.icbest}, 1e-7)

for name, regression, lags in [("AAPL", "c", "auto"), ("CVX", "ct", "legacy"), ("JNJ", "ct", 0), ("MRK", "c", 17)]:
    r = kpss(closes[name], regression=regression, nlags=lags, result_object=True)
    case("kpss", {"regression": regression, "lags": lags}, [name],
         f"statsmodels 0.15.0 kpss({name}, {regression}, {lags})",
         {"statistic": r.statistic, "p_value": r.pvalue, "lags": r.lags, "critical_values": r.critical_values}, 1e-9)
for name in ("MRK", "XOM"):
    r = kpss(returns[name], regression="ct", nlags="auto", result_object=True)
    case("kpss", {"regression": "ct"}, [name], f"statsmodels 0.15.0 kpss(returns of {name}, ct, auto)",
         {"statistic": r.statistic, "p_value": r.pvalue, "lags": r.lags}, 1e-9, "returns")

for name, given, call in [
    ("AAPL", {}, {}), ("CVX", {"lags": [3, 1, 8], "model_df": 2}, {"lags": [3, 1, 8], "model_df": 2}),
    ("JNJ", {"period": 7}, {"period": 7}), ("XOM", {"lags": [2, 9], "period": 3}, {"lags": [2, 9], "period": 3}), ("MRK", {"auto_lag": True}, {"auto_lag": True}),
]:
    r = acorr_ljungbox(returns[name], boxpierce=True, **call)
    case("ljung_box", given, [name], f"statsmodels 0.15.0 acorr_ljungbox({name}, {call})",
         {"lags": list(r.index), "statistic": r.lb_stat, "p_value": r.lb_pvalue,
          "box_pierce_statistic": r.bp_stat, "box_pierce_p_value": r.bp_pvalue}, 1e-9, "returns")

for columns, robust in [(["AAPL", "CVX"], True), (["AAPL", "CVX", "JNJ", "XOM"], False), (["XOM", "MRK", "JNJ"], True)]:
    x = np.column_stack([np.ones(len(returns)), returns[columns[1:]]])
    r = het_breuschpagan(returns[columns[0]], x, robust=robust)
    case("breusch_pagan", {"robust": robust}, columns, f"statsmodels 0.15.0 het_breuschpagan({columns}, robust={robust})",
         {"statistic": r[0], "p_value": r[1], "f_statistic": r[2], "f_p_value": r[3], "df": len(columns) - 1}, 1e-9, "returns")
    y = returns[columns[0]].to_numpy().copy()
    e = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    r = het_breuschpagan(e, x, robust=robust)
    case("breusch_pagan", {"robust": robust, "first": "target"}, columns,
         f"statsmodels 0.15.0 het_breuschpagan(least squares residuals of {columns}, robust={robust})",
         {"statistic": r[0], "p_value": r[1], "f_statistic": r[2], "f_p_value": r[3]}, 1e-9, "returns")

for columns, trend, maxlag, autolag, given in [
    (["AAPL", "CVX"], "c", None, "aic", {}), (["CVX", "XOM"], "ct", 5, "bic", {"autolag": "BIC"}),
    (["JNJ", "MRK", "XOM"], "ctt", 4, None, {}), (["XOM", "CVX"], "n", 8, "t-stat", {"autolag": "t-stat"}),
    (NAMES, "c", 2, None, {"autolag": None}),
]:
    t, p, crit = coint(closes[columns[0]], closes[columns[1:]], trend=trend, maxlag=maxlag, autolag=autolag)
    names = ["1%", "5%", "10%"]
    given = {"trend": trend, "maxlag": maxlag, **given}
    case("engle_granger", given, columns, f"statsmodels 0.15.0 coint({columns}, {trend}, {maxlag}, {autolag})",
         {"statistic": t, "p_value": p, "critical_values": dict(zip(names, crit))}, 1e-7)

for columns, det_order, lags in [
    (["AAPL", "CVX"], 0, 1), (["CVX", "XOM"], 1, 2), (["JNJ", "MRK", "XOM"], -1, 3), (NAMES, 0, 0), (NAMES, 1, 1),
]:
    r = coint_johansen(closes[columns], det_order, lags)
    case("johansen", {"det_order": det_order, "lags": lags}, columns,
         f"statsmodels 0.15.0 coint_johansen({columns}, {det_order}, {lags})",
         {"trace_statistics": r.trace_stat, "max_eigen_statistics": r.max_eig_stat, "eigenvalues": r.eig,
          "trace_critical_values": r.trace_stat_crit_vals, "max_eigen_critical_values": r.max_eig_stat_crit_vals,
          "cointegration_vector": r.evec[:, 0] / r.evec[0, 0],
          "vectors": [v * (1 if v[0] >= 0 else -1) for v in r.evec.T]}, 1e-6)

# ---- dependence --------------------------------------------------------------------------------

for columns, lags in [(["AAPL", "CVX"], 1), (["CVX", "XOM"], 4), (["MRK", "JNJ"], 2)]:
    def tests(pair):
        r = grangercausalitytests(returns[pair], [lags], )[lags][0]
        return {"f_statistic": r["ssr_ftest"][0], "p_value": r["ssr_ftest"][1], "df_denominator": int(r["ssr_ftest"][2]),
                "df_numerator": int(r["ssr_ftest"][3]), "chi2_statistic": r["ssr_chi2test"][0], "chi2_p_value": r["ssr_chi2test"][1],
                "lr_statistic": r["lrtest"][0], "lr_p_value": r["lrtest"][1],
                "params_f_statistic": r["params_ftest"][0], "params_f_p_value": r["params_ftest"][1]}
    case("granger_causality", {"lags": lags}, columns, f"statsmodels 0.15.0 grangercausalitytests({columns}, [{lags}])",
         {**tests(columns), "reverse": tests(columns[::-1])}, 1e-8, "returns")


def ksg(x, y, k):
    """The estimate of scikit-learn's mutual_info_regression, without its noise."""
    from sklearn.feature_selection._mutual_info import _compute_mi_cc
    return _compute_mi_cc((x / x.std(ddof=0)).to_numpy().copy(), (y / y.std(ddof=0)).to_numpy().copy(), k)


for columns, k, bins in [(["AAPL", "CVX"], 3, 4), (["CVX", "XOM"], 10, 12), (["JNJ", "MRK"], 2, 20)]:
    x, y = returns[columns[0]], returns[columns[1]]
    case("mutual_information", {"n_neighbors": k}, columns, f"scikit-learn 1.9.1 _compute_mi_cc({columns}, {k})",
         {"mutual_information": ksg(x, y, k)}, 1e-9, "returns")
    joint = np.histogram2d(x, y, bins)[0] / len(x)
    rest = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    part = joint > 0
    case("mutual_information", {"method": "histogram", "bins": bins}, columns, f"numpy 2.4 histogram2d({columns}, {bins})",
         {"mutual_information": (joint[part] * np.log(joint[part] / rest[part])).sum()}, 1e-10, "returns")


def transfer(x, y, bins, lag, history, source):
    def cut(v):
        return np.digitize(v, np.quantile(v, np.arange(1, bins) / bins))
    a, b = cut(x), cut(y)
    start = max(history, lag + source - 1)
    rows = [(b[t], tuple(b[t - k] for k in range(1, history + 1)), tuple(a[t - lag - k] for k in range(source)))
            for t in range(start, len(a))]
    def entropy(keys):
        counts = np.array(list(pd.Series(keys).value_counts()))
        return -(counts / len(keys) * np.log(counts / len(keys))).sum()
    return (entropy([str(r[:2]) for r in rows]) - entropy([str(r[1]) for r in rows])
            - entropy([str(r) for r in rows]) + entropy([str(r[1:]) for r in rows]))


for columns, bins, lag, history, source in [(["AAPL", "CVX"], 3, 1, 1, 1), (["CVX", "XOM"], 2, 3, 2, 1), (["JNJ", "MRK"], 4, 2, 1, 2)]:
    x, y = returns[columns[0]], returns[columns[1]]
    case("transfer_entropy", {"bins": bins, "lag": lag, "history": history, "source_history": source, "n_permutations": 0},
         columns, f"numpy 2.4, the formula, {columns}",
         {"transfer_entropy": transfer(x, y, bins, lag, history, source),
          "reverse": transfer(y, x, bins, lag, history, source)}, 1e-10, "returns")

for method, threshold, absolute, resolution in [("pearson", 0.35, False, 1.0), ("spearman", 0.45, True, 1.4), ("pearson", 0.2, False, 0.8)]:
    log = np.log(closes).diff().dropna()
    rho = log.corr(method=method)
    near = rho.abs() if absolute else rho
    distance = np.sqrt(1 - near**2) if absolute else np.sqrt(2 * (1 - near))
    g, whole = nx.Graph(), nx.Graph()
    g.add_nodes_from(NAMES)
    for i, a in enumerate(NAMES):
        for b in NAMES[i + 1:]:
            whole.add_edge(a, b, distance=distance.loc[a, b])
            if near.loc[a, b] >= threshold:
                g.add_edge(a, b, weight=near.loc[a, b], distance=distance.loc[a, b])
    tree = sorted(nx.minimum_spanning_edges(whole, weight="distance", data=True), key=lambda e: e[2]["distance"])
    adjacency = nx.to_numpy_array(g, NAMES)
    vector = np.linalg.eigh(adjacency)[1][:, -1]
    groups = nx.community.greedy_modularity_communities(g, weight="weight", resolution=resolution)
    groups = sorted([[n for n in NAMES if n in c] for c in groups], key=lambda c: (-len(c), NAMES.index(c[0])))
    case("network_analysis", {"method": method, "threshold": threshold, "absolute": absolute, "resolution": resolution}, NAMES,
         f"networkx 3.6.1, {method} correlations of log returns, threshold {threshold}, absolute {absolute}",
         {"correlation": rho.to_numpy(), "mst_length": sum(e[2]["distance"] for e in tree),
          "mst_edges": [{"source": e[0], "target": e[1], "distance": e[2]["distance"], "correlation": rho.loc[e[0], e[1]]} for e in tree],
          "density": nx.density(g), "components": nx.number_connected_components(g),
          "degree_centrality": nx.degree_centrality(g), "eigenvector_centrality": dict(zip(NAMES, vector * np.sign(vector.sum()))),
          "betweenness_centrality": nx.betweenness_centrality(g, weight="distance"),
          "closeness_centrality": nx.closeness_centrality(g, distance="distance"),
          "clustering": nx.clustering(g), "average_clustering": nx.average_clustering(g), "transitivity": nx.transitivity(g),
          "communities": groups, "modularity": nx.community.modularity(g, groups, weight="weight", resolution=resolution)}, 1e-9)

# ---- wavelets and modes ------------------------------------------------------------------------

MODES = ["symmetric", "periodization", "zero", "constant", "reflect", "periodic", "smooth", "antisymmetric", "antireflect"]
WAVELETS = ["haar", "db2", "db4", "db8", "db20", "sym5", "sym20", "coif1", "coif5"]
for k, mode in enumerate(MODES):
    for wavelet, level in [(WAVELETS[k], None), (WAVELETS[-1 - k], 7)]:
        x = closes[NAMES[k % 5]].to_numpy().copy()
        c = pywt.wavedec(x, wavelet, mode=mode, level=level)
        case("wavelet_transform", {"wavelet": wavelet, "level": level, "mode": mode}, [NAMES[k % 5]],
             f"PyWavelets 1.9.0 wavedec({NAMES[k % 5]}, {wavelet}, {mode}, {level})",
             {"level": len(c) - 1, "approximation": c[0],
              "details": {str(len(c) - i): thin(d) for i, d in enumerate(c) if i > 0},
              "reconstruction": thin(x)}, 1e-9)
x = returns["AAPL"].to_numpy().copy()
for wavelet, mode in [("db3", "symmetric"), ("sym4", "periodization"), ("db2", "reflect")]:
    c = pywt.wavedec(x, wavelet, mode=mode, level=3)
    smooth = pywt.waverec([c[0], c[1], np.zeros_like(c[2]), np.zeros_like(c[3])], wavelet, mode=mode)[:len(x)]
    case("wavelet_transform", {"wavelet": wavelet, "level": 3, "mode": mode, "smooth_from": 3}, ["AAPL"],
         f"PyWavelets 1.9.0 waverec without the two finest details ({wavelet}, {mode})",
         {"approximation": c[0], "smoothed": thin(smooth)}, 1e-9, "returns")

for name, call in [
    ("AAPL", {}), ("CVX", {"spline_kind": "akima"}), ("JNJ", {"FIXE": 7}), ("MRK", {"FIXE_H": 4}), ("XOM", {"nbsym": 1, "std_thr": 0.05}),
    ("XOM", {"energy_ratio_thr": 0.01, "svar_thr": 1e-4}), ("AAPL", {"range_thr": 1.0, "total_power_thr": 50.0}),
]:
    x = closes[name].to_numpy().copy()
    e = EMD(**call)
    e(x)
    imfs, residue = e.get_imfs_and_residue()
    case("emd", call, [name], f"EMD-signal 1.10.0 EMD({call})({name})",
         {"n_imfs": len(imfs), "imfs": [thin(m) for m in imfs], "residue": thin(residue)}, 1e-6)

# ---- volatility --------------------------------------------------------------------------------

DIST = {"normal": Normal, "t": StudentsT, "skewt": SkewStudent, "ged": GeneralizedError}
for model, name, given in [
    ("garch", "AAPL", {}), ("garch", "CVX", {"p": 2, "dist": "t"}), ("garch", "JNJ", {"q": 2, "mean": "zero", "dist": "skewt"}),
    ("garch", "MRK", {"mean": "ar", "lags": 2, "dist": "ged"}), ("garch", "XOM", {"q": 0, "p": 3, "cov_type": "classic"}),
    ("gjr_garch", "AAPL", {"dist": "skewt"}), ("gjr_garch", "CVX", {"mean": "ar", "lags": 1}), ("gjr_garch", "XOM", {"p": 1, "o": 2, "q": 1, "dist": "t"}),
    ("egarch", "AAPL", {"o": 1}), ("egarch", "CVX", {"dist": "t", "mean": "zero"}), ("egarch", "MRK", {"o": 1, "mean": "ar", "lags": 1, "dist": "normal"}),
]:
    p, o, q = given.get("p", 1), given.get("o", 1 if model == "gjr_garch" else 0), given.get("q", 1)
    mean, dist = given.get("mean", "constant"), given.get("dist", "normal")
    y = returns[name].to_numpy().copy()
    best = None
    for attempt in range(4):
        am = arch_model(y, mean={"constant": "Constant", "zero": "Zero", "ar": "AR"}[mean], lags=given.get("lags", 0),
                        vol="EGARCH" if model == "egarch" else "GARCH", p=p, o=o, q=q, dist=dist, rescale=False)
        start = None
        if best is not None:
            rng = np.random.default_rng(attempt)
            start = best.params.to_numpy() * rng.uniform(0.7, 1.25, len(best.params))
        try:
            r = am.fit(disp="off", starting_values=start, tol=1e-14, options={"maxiter": 500},
                       cov_type={"classic": "classic"}.get(given.get("cov_type"), "robust"))
        except Exception:
            continue
        if best is None or r.loglikelihood > best.loglikelihood:
            best = r
    r = best
    lags = given.get("lags", 0) if mean == "ar" else 0
    horizon = 1 if model == "egarch" else 3
    f = r.forecast(horizon=horizon, reindex=False)
    expect = {"aic": None, "n_obs": int(r.nobs)}
    del expect["aic"]
    interior = min([r.params.iloc[k] for k, n in enumerate(r.params.index) if n.startswith(("alpha", "beta"))] + [1]) > 1e-3
    persistence = sum(v * (0.5 if n.startswith("gamma") else 1) for n, v in r.params.items()
                      if n.startswith(("alpha", "beta", "gamma")) and not (model == "egarch" and not n.startswith("beta")))
    well = interior and persistence < 0.995
    if well:
        expect["conditional_volatility"] = thin(list(r.conditional_volatility))
        expect["variance_forecast"] = {"first": horizon, "values": list(f.variance.to_numpy()[0])}
        expect["forecast"] = {"first": horizon, "values": list(f.mean.to_numpy()[0])}
        for key in ("omega", "nu", "eta", "lambda"):
            if key in r.params.index:
                expect[key] = r.params[key]
        for key in ("alpha", "gamma", "beta"):
            expect[key] = [v for n, v in r.params.items() if n.startswith(key + "[")]
    case(model, given, [name], f"arch 8.0.0, best of 4 starts: {model} {given} of {name}", expect, 5e-3, "returns",
         {"log_likelihood": [r.loglikelihood, 1e-3]})
    if well:
        rename = {"mu": "mu", "Const": "mu"}
        errors = {}
        for n, v in r.std_err.items():
            key = rename.get(n, n)
            if "[" in n and not n.startswith(("alpha", "beta", "gamma")):
                key = f"ar[{n[n.index('[') + 1:-1]}]"
            errors[key] = v
        case(model, given, [name], f"arch 8.0.0 standard errors: {model} {given} of {name}", {"standard_errors": errors}, 2e-2, "returns")

# ---- state space -------------------------------------------------------------------------------

for name, model, missing in [("AAPL", "local_level", []), ("CVX", "local_linear_trend", [0, 7, 8, 100, 259]), ("JNJ", "ar1", [50])]:
    y = closes[name].to_numpy().copy()
    y[missing] = np.nan
    given = {"model": model, "observation_variance": 0.5, "level_variance": 0.3, "initial_level": float(closes[name].iloc[0]), "initial_variance": 4.0}
    k = 2 if model == "local_linear_trend" else 1
    ks = KalmanSmoother(1, k)
    ks.bind(y)
    ks["design", 0, 0] = 1.0
    ks["selection"] = np.eye(k)
    ks["obs_cov", 0, 0] = 0.5
    ks["transition"] = np.eye(k)
    start = np.array([given["initial_level"]] + [0.0] * (k - 1))
    if model == "local_linear_trend":
        given.update({"trend_variance": 0.02, "initial_trend": 0.05})
        ks["transition"] = np.array([[1.0, 1.0], [0.0, 1.0]])
        ks["state_cov"] = np.diag([0.3, 0.02])
        start[1] = 0.05
    else:
        ks["state_cov", 0, 0] = 0.3
    if model == "ar1":
        given.update({"phi": 0.95, "mean": 60.0})
        ks["transition", 0, 0] = 0.95
        ks["state_intercept", 0, 0] = 0.05 * 60.0
    ks.initialize_known(start, 4.0 * np.eye(k))
    r = ks.smooth()
    llf = r.llf_obs[~np.isnan(y)].sum()
    case("kalman_filter", given, [name], f"statsmodels 0.15.0 KalmanSmoother, {model} of {name}, missing {missing}",
         {"filtered_level": thin(r.filtered_state[0]), "filtered_variance": thin(r.filtered_state_cov[0, 0]),
          "predicted_level": thin(r.predicted_state[0, :-1]), "smoothed_level": thin(r.smoothed_state[0]),
          "smoothed_variance": thin(r.smoothed_state_cov[0, 0]), "log_likelihood": llf, "n_obs": int((~np.isnan(y)).sum()),
          "forecast": {"first": 1, "values": [r.predicted_state[0, -1]]}}, 1e-8, missing=missing)
    case("unscented_kalman_filter", {**given, "alpha": 0.7, "kappa": 0.5}, [name],
         f"statsmodels 0.15.0 KalmanSmoother: on a straight observation the same, {model} of {name}",
         {"filtered_level": thin(r.filtered_state[0]), "filtered_variance": thin(r.filtered_state_cov[0, 0]),
          "smoothed_level": thin(r.smoothed_state[0]), "log_likelihood": llf}, 1e-7, missing=missing)
    for resampling, threshold in [("systematic", 0.5), ("residual", 1.0), ("stratified", 0.7), ("multinomial", 0.6)]:
        sd = float(np.sqrt(np.mean(r.filtered_state_cov[0, 0])))
        case("particle_filter", {**given, "n_particles": 4000, "resampling": resampling, "resample_threshold": threshold, "seed": 11,
                                 "n_trajectories": 30 if resampling == "systematic" else 0}, [name],
             f"statsmodels 0.15.0 KalmanSmoother, exact: {model} of {name}; a tenth of the filtered deviation",
             {"filtered_level": {**thin(r.filtered_state[0]), "rms": 0.1 * sd * (2 if k == 2 else 1)},
              "log_likelihood": {"within": [llf - 2, llf + 2]},
              **({"smoothed_level": {**thin(r.smoothed_state[0]), "rms": 0.25 * sd}} if resampling == "systematic" else {})}, missing=missing)

for name, model, missing in [("AAPL", "local_level", []), ("CVX", "local_linear_trend", [30, 31]), ("MRK", "ar1", [])]:
    y = closes[name].to_numpy().copy()
    k = 2 if model == "local_linear_trend" else 1
    phi, centre = (0.98, 3.4) if model == "ar1" else (1.0, 0.0)
    given = {"model": model, "observation": "exp", "observation_variance": 0.4, "level_variance": 0.0004, "alpha": 0.6, "beta": 2.0, "kappa": 1.0,
             "initial_level": float(np.log(y[0])), "initial_variance": 0.01, "phi": 0.98, "mean": 3.4, "trend_variance": 1e-6, "initial_trend": 0.001}
    points = MerweScaledSigmaPoints(k, alpha=0.6, beta=2.0, kappa=1.0)
    def fx(x, dt):
        return np.array([x[0] + x[1], x[1]]) if k == 2 else phi * x + (1 - phi) * centre
    ukf = UnscentedKalmanFilter(dim_x=k, dim_z=1, dt=1.0, hx=lambda x: np.exp(x[:1]), fx=fx, points=points)
    ukf.x = np.array([given["initial_level"]] + [0.001] * (k - 1))
    ukf.P = 0.01 * np.eye(k)
    ukf.Q = np.diag([0.0004, 1e-6][:k])
    ukf.R = np.array([[0.4]])
    level, variance, llf = [], [], 0.0
    for t, v in enumerate(y):
        if t > 0:
            ukf.predict()
        ukf.sigmas_f = points.sigma_points(ukf.x, ukf.P)
        if t not in missing:
            ukf.update(np.array([v]))
            llf += -0.5 * (np.log(2 * np.pi * ukf.S[0, 0]) + ukf.y[0] ** 2 / ukf.S[0, 0])
        level.append(ukf.x[0])
        variance.append(ukf.P[0, 0])
    case("unscented_kalman_filter", given, [name], f"filterpy 2.0.0 UnscentedKalmanFilter, exp, {model} of {name}",
         {"filtered_level": thin(level), "filtered_variance": thin(variance), "log_likelihood": llf}, 1e-7, missing=missing)

for columns, states, shape in [(["AAPL"], 2, "diag"), (["CVX"], 3, "diag"), (["AAPL", "CVX", "XOM"], 2, "full"), (["JNJ", "MRK"], 2, "diag")]:
    x = returns[columns].to_numpy().copy()
    best = None
    for seed in range(8):
        m = GaussianHMM(states, covariance_type=shape, covars_prior=0 if shape == "diag" else 1e-12, min_covar=1e-6, n_iter=500, tol=1e-6, random_state=seed)
        if shape == "full":
            m.covars_weight = 0
        try:
            m.fit(x)
            value = m.score(x)
        except Exception:
            continue
        smallest = min(np.diag(c).min() for c in m.covars_)
        if smallest > 0.01 * x.var(0).min() and (best is None or value > best[0]):
            best = (value, m)
    value, m = best
    order = np.argsort([(np.diag(c) / x.var(0)).sum() for c in m.covars_])
    case("hmm", {"n_states": states, "covariance_type": shape, "n_init": 10, "tol": 1e-7, "max_iter": 5000, "seed": 1, "min_covar": 0.01}, columns,
         f"hmmlearn 0.3.3 GaussianHMM({states}, {shape}), best of 8 starts, {columns}",
         {"n_params": states * len(columns) + states * (states - 1) + states - 1
          + states * (len(columns) * (len(columns) + 1) // 2 if shape == "full" else len(columns))}, 1e-9, "returns",
         {"log_likelihood": [value, 0.01]})

print("[")
print(",\n".join(json.dumps(c) for c in cases))
print("]")
