"""Portfolios of the catalogue beside PyPortfolioOpt and skfolio, in one run.

    cargo build --release -p mltrainer-catalogue --example portfolio_speed
    python -m venv V && V/bin/pip install PyPortfolioOpt==1.6.0 skfolio==1.12.0 pyarrow
    V/bin/python benches/peers/portfolio_skfolio.py [--rounds 7] [--assets 500] [--rows 1261] [--ours PROGRAM]

Both sides get the same prices and one thread, and are measured in turns; the median of each counts, from prices to
covariance and weights. The prices are the bundled adjusted closes: each of the 20 shares is repeated over windows of so
many rows that start on different days, until there are as many assets as asked for. The volatilities are printed
beside: the least one is right.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from pypfopt import EfficientFrontier, HRPOpt, risk_models  # noqa: E402
from skfolio import RiskMeasure  # noqa: E402
from skfolio.optimization import MeanRisk, ObjectiveFunction, RiskBudgeting  # noqa: E402
from skfolio.preprocessing import prices_to_returns  # noqa: E402

warnings.simplefilter("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[2]


def prices(assets, rows):
    columns = {}
    for file in sorted((ROOT / "data" / "bundled" / "closes").glob("*.parquet")):
        columns[file.stem] = pd.read_parquet(file).set_index("date")["close"]
    table = pd.DataFrame(columns).dropna()
    windows = -(-assets // table.shape[1])
    step = (len(table) - rows) // max(windows - 1, 1)
    parts = [table.iloc[w * step : w * step + rows].reset_index(drop=True).add_suffix(f"_{w}") for w in range(windows)]
    return pd.concat(parts, axis=1).iloc[:, :assets]


def volatility(table, weights):
    # Solvers that stop early leave sums beside 1 and weights below 0.
    weights = np.clip(weights, 0, None) / np.clip(weights, 0, None).sum()
    return float(np.sqrt(weights @ (table.pct_change().dropna().cov().to_numpy() * 252) @ weights))


def pypfopt_min(table, high):
    ef = EfficientFrontier(None, risk_models.sample_cov(table), weight_bounds=(0, high))
    return np.array(list(ef.min_volatility().values()))


def skfolio_min(table, high):
    model = MeanRisk(
        objective_function=ObjectiveFunction.MINIMIZE_RISK, risk_measure=RiskMeasure.VARIANCE, max_weights=high
    )
    return model.fit(prices_to_returns(table)).weights_


def skfolio_parity(table):
    return RiskBudgeting(risk_measure=RiskMeasure.VARIANCE).fit(prices_to_returns(table)).weights_


def pypfopt_hrp(table):
    weights = HRPOpt(table.pct_change().dropna()).optimize()
    return np.array([weights[n] for n in table.columns])


CASES = [
    ("minimum variance", "PyPortfolioOpt", "min_variance", {}, lambda t: pypfopt_min(t, 1.0)),
    ("minimum variance", "skfolio", "min_variance", {}, lambda t: skfolio_min(t, 1.0)),
    ("minimum variance, weights up to 1 %", "PyPortfolioOpt", "min_variance", {"max_weight": 0.01}, lambda t: pypfopt_min(t, 0.01)),
    ("minimum variance, weights up to 1 %", "skfolio", "min_variance", {"max_weight": 0.01}, lambda t: skfolio_min(t, 0.01)),
    ("risk parity", "skfolio", "risk_parity", {}, skfolio_parity),
    ("hierarchical risk parity", "PyPortfolioOpt", "hierarchical_risk_parity", {}, pypfopt_hrp),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--assets", type=int, default=500)
    parser.add_argument("--rows", type=int, default=1261)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--ours", default=str(target / "release" / "examples" / "portfolio_speed"))
    options = parser.parse_args()
    table = prices(options.assets, options.rows)
    print(f"{table.shape[1]} assets, {len(table)} rows, {options.rounds} rounds, medians\n")
    print("| portfolio | peer | ours, ms | peer, ms | ours / peer | volatility, ours | peer |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "prices.csv"
        file.write_text(table.to_csv(index=False))
        for title, peer, entry, params, call in CASES:
            ours, theirs = [], []
            for _ in range(options.rounds):
                run = [options.ours, entry, json.dumps(params), str(file), "2"]
                answer = json.loads(subprocess.run(run, check=True, capture_output=True).stdout)
                # The second round of a process: the first one finds cold memory, as that of the peer did once.
                ours.append(answer["ms"][-1])
                start = time.perf_counter()
                weights = call(table)
                theirs.append(1e3 * (time.perf_counter() - start))
            a, b = statistics.median(ours), statistics.median(theirs)
            mine, other = answer["found"]["volatility"], volatility(table, weights)
            print(f"| {title} | {peer} | {a:.1f} | {b:.1f} | {a / b:.3f} | {mine:.6f} | {other:.6f} |")


if __name__ == "__main__":
    main()
