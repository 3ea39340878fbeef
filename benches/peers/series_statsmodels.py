"""ARIMA(2,1,1), Holt-Winters and VAR(2) beside statsmodels, on the same series in the same run.

    cargo build --release -p mltrainer-catalogue --example series_speed
    python -m venv V && V/bin/pip install statsmodels==0.15.0 pandas
    V/bin/python benches/peers/series_statsmodels.py target/release/examples/series_speed

Each is fitted and forecasts 10 steps; the median of 21 runs counts (7 of statsmodels). Both print the figure
they reached: the same likelihood, sum of squares or criterion. Goal: at most a fifth of statsmodels' time.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import pandas as pd
import statsmodels
from statsmodels.tsa.api import VAR, ExponentialSmoothing
from statsmodels.tsa.arima.model import ARIMA

warnings.filterwarnings("ignore")
DATA = pathlib.Path(__file__).resolve().parents[2] / "crates/catalogue/tests/data"


def median(run, times=7):
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        figure = run()
        spent.append(1e3 * (time.perf_counter() - start))
    return statistics.median(spent), figure


def arima(close):
    result = ARIMA(close, order=(2, 1, 1)).fit()
    result.get_forecast(10).summary_frame()
    return result.llf


def holt_winters(co2):
    level = co2[:12].mean()
    model = ExponentialSmoothing(co2, trend="add", seasonal="add", seasonal_periods=12, initialization_method="known",
                                 initial_level=level, initial_trend=(co2[12:24] - co2[:12]).mean() / 12, initial_seasonal=co2[:12] - level)
    result = model.fit()
    result.forecast(10)
    return result.sse


def var(table):
    result = VAR(table).fit(2)
    result.forecast_interval(table[-2:], 10)
    result.irf(10).orth_irfs, result.fevd(10)
    return result.aic


def main():
    closes = pd.read_csv(DATA / "closes.csv")
    co2 = pd.read_csv(DATA / "series/co2.csv")
    growth = pd.read_csv(DATA / "series/macro_growth.csv")[["gdp_growth", "cons_growth", "inv_growth"]]
    with tempfile.TemporaryDirectory() as folder:
        closes[["date", "AAPL"]].rename(columns={"AAPL": "close"}).to_csv(folder + "/aapl.csv", index=False)
        co2.to_csv(folder + "/co2.csv", index=False)
        pd.read_csv(DATA / "series/macro_growth.csv").to_csv(folder + "/macro_growth.csv", index=False)
        lines = subprocess.run([sys.argv[1], folder], check=True, capture_output=True, text=True).stdout
    ours = {line["model"]: line for line in map(json.loads, lines.splitlines())}
    theirs = {
        "arima": median(lambda: arima(closes["AAPL"].to_numpy())),
        "holt_winters": median(lambda: holt_winters(co2["co2"].to_numpy(float))),
        "var": median(lambda: var(growth.to_numpy())),
    }
    print("statsmodels", statsmodels.__version__)
    print("%-14s %12s %12s %8s   %s" % ("model", "ours, ms", "theirs, ms", "share", "figure (ours, theirs)"))
    for name, (spent, figure) in theirs.items():
        own = ours[name]
        reached = next(v for k, v in own.items() if k not in ("model", "ms"))
        print("%-14s %12.3f %12.3f %7.1f%%   %.4f %.4f" % (name, own["ms"], spent, 100 * own["ms"] / spent, reached, figure))


main()
