"""Prints expected.json: what statsmodels, prophet and pmdarima give for the series beside this file.

Run: python expected.py > expected.json, with statsmodels 0.15.0, prophet 1.5.0, pmdarima 2.1.1.
Each expectation: "near" with an absolute tolerance "within", or "least" / "most".
"""
import json
import logging
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
from statsmodels.tsa.api import VAR, ExponentialSmoothing, Holt  # noqa: E402
from statsmodels.tsa.arima.model import ARIMA  # noqa: E402
from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # noqa: E402
from statsmodels.tsa.forecasting.theta import ThetaModel  # noqa: E402
from statsmodels.tsa.statespace.sarimax import SARIMAX  # noqa: E402
from statsmodels.tsa.statespace.structural import UnobservedComponents  # noqa: E402

cases = []


def read(name):
    return pd.read_csv("../closes.csv" if name == "closes" else name + ".csv")


def plain(v):
    if isinstance(v, (np.ndarray, list, tuple, pd.Series)):
        return [plain(x) for x in np.asarray(v)]
    return float("%.10g" % float(v))


def near(v, within):
    return {"near": plain(v), "within": within}


def add(source, model, file, column, horizon, params, expect):
    cases.append(dict(source=source, model=model, file=file, column=column, horizon=horizon,
                      params=params, expect=expect))


def best(model, **more):
    found = None
    for method in ["lbfgs", "bfgs"]:
        r = model.fit(method=method, maxiter=1000, disp=0, **more)
        if found is None or r.llf > found.llf + 1e-9:
            found = r
    polished = model.fit(start_params=found.params, method="nm", maxiter=400, disp=0, xtol=1e-10, ftol=1e-12, **more)
    return polished if polished.llf > found.llf else found


def arima(file, column, order, seasonal=(0, 0, 0, 0), trend=None, holdout=0, horizon=6, only=None):
    names = column.split(",")
    table = read(file)[names].astype(float).to_numpy()
    n = len(table) - holdout
    y, x = table[:n, 0], (table[:n, 1:] if len(names) > 1 else None)
    future = table[n:n + horizon, 1:] if len(names) > 1 else None
    d = order[1] + seasonal[1]
    trend = trend or ("c" if d == 0 else "n")
    # The differenced series: its exact likelihood. The trend enters as a column.
    t = np.arange(1, n + horizon + 1.0)
    columns = []
    if "c" in trend:
        columns.append(np.ones(n + horizon))
    if "t" in trend:
        columns.append(t)
    all_x = np.column_stack(columns) if columns else None
    if x is not None:
        more = np.vstack([x, future])
        all_x = more if all_x is None else np.column_stack([all_x, more])
    exog = None if all_x is None else all_x[:n]
    exact = best(SARIMAX(y, exog=exog, order=order, seasonal_order=seasonal, simple_differencing=True))
    # The library's own way for forecasts, at the same parameters.
    whole = SARIMAX(y, exog=exog, order=order, seasonal_order=seasonal).smooth(exact.params)
    f = whole.get_forecast(horizon, exog=None if all_x is None else all_x[n:])
    scale = float(np.std(y))
    k = 0 if exog is None else exog.shape[1]
    names_of = exact.param_names
    expect = {
        "log_likelihood": near(exact.llf, 2e-3),
        "aic": near(exact.aic, 4e-3), "bic": near(exact.bic, 4e-3), "hqic": near(exact.hqic, 4e-3), "aicc": near(exact.aicc, 4e-3),
        "forecast": near(f.predicted_mean, 3e-3 * scale),
        "forecast_std": near(f.se_mean, 5e-3 * scale),
        "sigma2": near(exact.params[-1], 5e-3 * float(exact.params[-1])),
    }
    bse = dict(zip(names_of, exact.bse))
    value = dict(zip(names_of, exact.params))
    for name, key in [("ar", "ar.L%d"), ("ma", "ma.L%d")]:
        count = order[0] if name == "ar" else order[2]
        if count:
            expect[name] = near([value[key % (i + 1)] for i in range(count)], 2e-2)
            # At the border of invertibility no standard error exists.
            if abs(value[key % 1]) < 0.99:
                expect["standard_errors.%s1" % name] = near(bse[key % 1], 0.05 * bse[key % 1] + 1e-3)
    if "c" in trend:
        expect["mean"] = near(exact.params[0], 2e-3 * scale)
        expect["standard_errors.mean"] = near(exact.bse[0], 0.05 * exact.bse[0])
    if only:
        expect = {k: expect[k] for k in only}
    label = "SARIMAX(order=%s, seasonal_order=%s, trend %s as columns, simple_differencing=True)" % (order, seasonal, trend)
    params = {"order": ",".join(map(str, order)), "trend": trend, "holdout": str(holdout)}
    model = "arima"
    if seasonal[3]:
        model = "sarima"
        params["seasonal_order"] = ",".join(map(str, seasonal))
    add("statsmodels 0.15.0 " + label, model, file, column, horizon, params, expect)


arima("nile", "volume", (2, 0, 1))
arima("nile", "volume", (0, 1, 2))
arima("macro", "infl", (1, 0, 1), trend="ct")
arima("macro", "unemp", (1, 1, 0), trend="t")
arima("macro", "log_gdp", (3, 1, 2), trend="t")
arima("macro", "tbilrate", (1, 2, 1))
arima("macro_growth", "gdp_growth,cons_growth", (1, 0, 0), holdout=8)
arima("co2", "co2", (1, 1, 1), (0, 1, 1, 12), horizon=14)
arima("co2", "co2", (1, 0, 0), (1, 1, 0, 12), horizon=14)
arima("co2", "co2", (0, 1, 1), (1, 0, 1, 12), horizon=14)
# Seasonal terms that nearly cancel, at the border: the numbers behind the top are flat there.
arima("macro", "unemp", (1, 0, 0), (1, 0, 1, 4), only=["log_likelihood", "forecast"])

y = read("macro")["unemp"].astype(float).to_numpy()
r = Holt(y, damped_trend=True, initialization_method="known", initial_level=y[0], initial_trend=y[1] - y[0]).fit(0.7, 0.2, damping_trend=0.9, optimized=False)
add("statsmodels 0.15.0 Holt(damped_trend=True)", "holt", "macro", "unemp", 5,
    {"alpha": "0.7", "beta": "0.2", "damped_trend": "true", "damping_trend": "0.9"},
    {"forecast": near(r.forecast(5), 1e-7), "sse": near(r.sse, 1e-6), "aic": near(r.aic, 1e-6), "bic": near(r.bic, 5.0), "aicc": near(r.aicc, 1e-6)})
y = read("macro")["realgdp"].astype(float).to_numpy()
r = Holt(y, exponential=True, initialization_method="known", initial_level=y[0], initial_trend=y[1] / y[0]).fit(0.6, 0.1, optimized=False)
add("statsmodels 0.15.0 Holt(exponential=True)", "holt", "macro", "realgdp", 5, {"alpha": "0.6", "beta": "0.1", "exponential": "true"},
    {"forecast": near(r.forecast(5), 1e-4), "sse": near(r.sse, 1e-2)})
y = read("co2")["co2"].astype(float).to_numpy()
level = y[:12].mean()
for trend, seasonal in [("add", "mul"), ("mul", "mul"), ("mul", "add"), (None, "add")]:
    first = (y[12:24] - y[:12]).mean() / 12 if trend == "add" else (y[12:24].mean() / level) ** (1 / 12)
    season = y[:12] / level if seasonal == "mul" else y[:12] - level
    m = ExponentialSmoothing(y, trend=trend, damped_trend=trend is not None, seasonal=seasonal, seasonal_periods=12, initialization_method="known",
                             initial_level=level, initial_trend=first if trend else None, initial_seasonal=season)
    r = m.fit(0.5, 0.05 if trend else None, 0.3, damping_trend=0.97 if trend else None, optimized=False)
    forecast = plain(r.forecast(11))
    if trend == "mul":
        # Its forecasts with a damped trend that multiplies do not follow its own recursion: its one-step forecasts of a
        # series that goes on along them do.
        known, forecast = list(y), []
        for _ in range(11):
            longer = ExponentialSmoothing(np.array(known + [known[-1]]), trend=trend, damped_trend=True, seasonal=seasonal, seasonal_periods=12,
                                          initialization_method="known", initial_level=level, initial_trend=first, initial_seasonal=season)
            forecast.append(plain(longer.fit(0.5, 0.05, 0.3, damping_trend=0.97, optimized=False).fittedvalues[-1]))
            known.append(forecast[-1])
    add("statsmodels 0.15.0 ExponentialSmoothing(trend=%s, seasonal=%s, damped)" % (trend, seasonal), "holt_winters", "co2", "co2", 11,
        {"alpha": "0.5", "beta": "0.05", "gamma": "0.3", "seasonal": seasonal, "period": "12", "trend": trend or "none",
         "damped_trend": "true" if trend else "false", "damping_trend": "0.97"},
        {"forecast": near(forecast, 1e-6), "sse": near(r.sse, 1e-5)})

r = ThetaModel(y, period=12, deseasonalize=True, use_test=True, method="additive").fit(use_mle=False)
add("statsmodels 0.15.0 ThetaModel(method=additive, use_test=True), theta 3", "theta", "co2", "co2", 12,
    {"period": "12", "method": "additive", "use_test": "true", "theta": "3"},
    {"forecast": near(r.forecast(12, theta=3), 5e-2), "b0": near(r.params["b0"], 1e-8)})

table = read("macro_growth")[["gdp_growth", "cons_growth", "inv_growth"]].astype(float)
m = VAR(table)
chosen = m.select_order(8, trend="c")
r = m.fit(2, trend="ct")
irf, names = r.irf(8), list(table.columns)
f, low, high = r.forecast_interval(table.to_numpy()[-2:], 5, alpha=0.1)
expect = {"aic": near(r.aic, 1e-8), "bic": near(r.bic, 1e-8), "hqic": near(r.hqic, 1e-8), "fpe": near(r.fpe, 1e-6 * r.fpe)}
for i, name in enumerate(names):
    expect["coefficients." + name] = near(r.params.to_numpy()[:, i], 1e-7)
    expect["standard_errors." + name] = near(r.stderr.to_numpy()[:, i], 1e-7)
    expect["forecast." + name] = near(f[:, i], 1e-7)
    expect["forecast_lower." + name] = near(low[:, i], 1e-6)
    expect["forecast_upper." + name] = near(high[:, i], 1e-6)
    for j, other in enumerate(names):
        expect["impulse_responses.%s.%s" % (other, name)] = near(irf.irfs[:, i, j], 1e-7)
        expect["orthogonal_responses.%s.%s" % (other, name)] = near(irf.orth_irfs[:, i, j], 1e-7)
        expect["error_decomposition.%s.%s" % (name, other)] = near(r.fevd(8).decomp[i][:, j], 1e-7)
add("statsmodels 0.15.0 VAR.fit(2, trend='ct'), irf, fevd", "var", "macro_growth", ",".join(names), 5,
    {"lags": "2", "trend": "ct", "periods": "8", "alpha": "0.1"}, expect)
values = {"aic": [], "bic": [], "hqic": [], "fpe": []}
for p in range(1, 9):
    part = VAR(table.iloc[8 - p:])
    fit = part.fit(p, trend="c")
    for k in values:
        values[k].append(getattr(fit, k))
expect = {"lags": near(chosen.selected_orders["bic"], 0)}
for k, v in values.items():
    expect["selection." + k] = near(v, 1e-7)
add("statsmodels 0.15.0 VAR.select_order(8)", "var", "macro_growth", ",".join(names), 1, {"maxlags": "8", "ic": "bic"}, expect)


def structural(file, column, kind, ours, horizon=6, extra=None, **kw):
    y = read(file)[column].astype(float).to_numpy()
    r = best(UnobservedComponents(y, kind, **kw))
    f = r.get_forecast(horizon)
    scale = float(np.std(np.diff(y)))
    expect = {"log_likelihood": {"least": plain(r.llf - 2e-2), "most": plain(r.llf + 0.2)},
              "n_obs": near(r.nobs_effective, 0),
              "forecast": near(f.predicted_mean, 5e-2 * scale), "forecast_std": near(f.se_mean, 5e-2 * scale)}
    add("statsmodels 0.15.0 UnobservedComponents(%r, %s)" % (kind, kw), "unobserved_components", file, column, horizon, ours, expect)


structural("nile", "volume", "llevel", {"model": "local_level"})
structural("macro", "unemp", "rwalk", {"model": "random_walk"})
structural("macro", "infl", "strend", {"model": "smooth_trend"})
structural("macro", "log_gdp", "lldtrend", {"model": "local_linear_deterministic_trend"})
structural("macro", "infl", "dtrend", {"model": "deterministic_trend"})
structural("co2", "co2", "lltrend", {"model": "local_linear_trend", "seasonal": "12"}, seasonal=12)
structural("co2", "co2", "llevel", {"model": "local_level", "seasonal": "12", "stochastic_seasonal": "false"}, seasonal=12, stochastic_seasonal=False)


def ets(file, column, label, ours, horizon=8, **kw):
    y = read(file)[column].astype(float)
    r = ETSModel(y, **kw).fit(disp=0, maxiter=5000)
    expect = {"log_likelihood": {"least": plain(r.llf - 5e-2)}, "model": {"is": label}}
    k = r.df_model
    add("statsmodels 0.15.0 ETSModel(%s)" % kw, "ets", file, column, horizon, ours, expect)
    cases[-1]["parameters"] = int(k)


ets("macro", "unemp", "A,A,N", {"trend": "add"}, trend="add")
# The weight of the trend is nearly 1.
ets("co2", "co2", "A,A,N", {"trend": "add"}, trend="add")
ets("macro", "unemp", "A,Ad,N", {"trend": "add", "damped_trend": "true"}, trend="add", damped_trend=True)
ets("macro", "realgdp", "M,A,N", {"error": "mul", "trend": "add"}, error="mul", trend="add")
ets("macro", "realcons", "M,M,N", {"error": "mul", "trend": "mul"}, error="mul", trend="mul")
ets("co2", "co2", "A,A,A", {"trend": "add", "seasonal": "add", "period": "12"}, trend="add", seasonal="add", seasonal_periods=12)
ets("co2", "co2", "M,A,M", {"error": "mul", "trend": "add", "seasonal": "mul", "period": "12"}, error="mul", trend="add", seasonal="mul", seasonal_periods=12)

import pmdarima  # noqa: E402

for file, column, m in [("nile", "volume", 1), ("macro", "unemp", 1), ("macro", "infl", 1), ("macro_growth", "gdp_growth", 1), ("co2", "co2", 12)]:
    y = read(file)[column].astype(float).to_numpy()
    r = pmdarima.auto_arima(y, m=m, seasonal=m > 1, D=1 if m > 1 else None, suppress_warnings=True, error_action="ignore")
    d = r.order[1]
    ours = {"m": str(m), "d": str(d)}
    if m > 1:
        ours["D"] = "1"
    # Ours is the likelihood of the differenced series, theirs of all rows with a diffuse start: compared by fitting their orders our way.
    lost = d + (m if m > 1 else 0)
    same = SARIMAX(y, exog=None, order=r.order, seasonal_order=r.seasonal_order, simple_differencing=True,
                   trend="c" if r.with_intercept and d + (1 if m > 1 else 0) <= 1 else "n")
    aic = best(same).aic
    add("pmdarima 2.1.1 auto_arima(m=%d): %s %s" % (m, r.order, r.seasonal_order), "auto_arima", file, column, 3, ours, {"aic": {"most": plain(aic + 1.0)}})


def every_order(file, column, d, most=3):
    """Every ARIMA up to (most, d, most) with p + q of at most 5, and what a search step by step finds among them."""
    y = read(file)[column].astype(float).to_numpy()
    line = np.ones(len(y)) if d == 0 else np.arange(1, len(y) + 1.0)
    table = {}
    for p in range(most + 1):
        for q in range(most + 1):
            for constant in [True, False]:
                if p + q <= 5:
                    r = best(SARIMAX(y, exog=line if constant else None, order=(p, d, q), simple_differencing=True))
                    roots = np.abs(np.concatenate([r.arroots, r.maroots]))
                    table[p, q, constant] = np.inf if len(roots) and roots.min() < 1 / 0.99 else r.aicc
    # The starts and moves of Hyndman & Khandakar.
    at = min([(2, 2, True), (0, 0, True), (1, 0, True), (0, 1, True), (0, 0, False)], key=table.get)
    moves = [(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    while True:
        near_by = [(at[0] + a, at[1] + b, at[2]) for a, b in moves] + [(at[0], at[1], not at[2])]
        better = [c for c in near_by if table.get(c, np.inf) < table[at]]
        if not better:
            break
        at = better[0]
    lowest = min(table, key=table.get)
    ours = {"d": str(d), "max_p": str(most), "max_q": str(most), "information_criterion": "aicc"}
    for stepwise, c in [("false", lowest), ("true", at)]:
        expect = {"aicc": near(table[c], 1e-3), "order": {"is": [c[0], d, c[1]]}, "constant": {"is": c[2]}}
        what = "step by step" if stepwise == "true" else "the lowest"
        add("statsmodels 0.15.0 SARIMAX(simple_differencing=True), %d orders, %s" % (len(table), what), "auto_arima",
            file, column, 1, {**ours, "stepwise": stepwise}, expect)


for file, column, d in [("macro", "tbilrate", 1), ("macro_growth", "cons_growth", 0), ("macro_growth", "inv_growth", 0),
                        ("macro", "log_cons", 1), ("nile", "volume", 1), ("closes", "AAPL", 1)]:
    every_order(file, column, d)

from prophet import Prophet  # noqa: E402


def prophet(file, column, ours, horizon=12, **kw):
    t = read(file)
    frame = pd.DataFrame({"ds": pd.to_datetime(t["date"]), "y": t[column].astype(float)})
    cap = kw.pop("cap", None)
    if cap:
        frame["cap"] = cap
    used = frame.iloc[:-horizon]
    m = Prophet(**kw)
    m.fit(used)
    p = m.predict(frame)
    n = len(used)
    sd = float(np.std(used["y"] - p["yhat"][:n]))
    add("prophet 1.5.0 Prophet(%s)" % ", ".join("%s=%r" % kv for kv in kw.items() if kv[0] != "holidays"), "prophet", file, column, horizon,
        dict(ours, holdout=str(horizon)),
        {"fitted": {"near": plain(p["yhat"][:n]), "rms": 0.15 * sd}, "forecast": {"near": plain(p["yhat"][n:]), "rms": 0.75 * sd},
         "forecast_upper": {"near": plain(p["yhat_upper"][n:]), "rms": 1.0 * sd}})


prophet("co2", "co2", {"seasonality_mode": "multiplicative", "yearly_seasonality": "6"}, seasonality_mode="multiplicative", yearly_seasonality=6)
prophet("macro", "realgdp", {"growth": "logistic", "cap": "20000", "yearly_seasonality": "false"}, growth="logistic", cap=20000.0, yearly_seasonality=False)
prophet("macro", "unemp", {"growth": "flat", "yearly_seasonality": "4"}, growth="flat", yearly_seasonality=4)
peaks = ["1973-10-01", "1980-04-01", "1990-07-01", "2008-07-01"]
prophet("macro", "infl", {"holidays": "shock:" + ",".join(peaks), "yearly_seasonality": "false"},
        yearly_seasonality=False, holidays=pd.DataFrame({"holiday": "shock", "ds": pd.to_datetime(peaks)}))
print(json.dumps(cases, indent=1))
