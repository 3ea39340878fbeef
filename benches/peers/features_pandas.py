"""The 14 features of the bench `panel` with pandas, over the same panel: one line of JSON.

    python benches/peers/features_pandas.py SYMBOLS DAYS

Wide frames (days x symbols), which is the quickest way pandas has for a panel. The time is that of
the features, from frames in memory to frames in memory; the memory is the peak of the process.
"""

import json
import pathlib
import resource
import sys
import time

import numpy as np
import pandas as pd

ROOT = pathlib.Path(__file__).resolve().parents[2] / "data" / "bundled" / "bars"
SOURCES = ["IBM", "SPX", "IXIC"]


def panel(symbols, days):
    """The bundled bars, repeated under other names: as `panel` in benches/src/lib.rs."""
    bars = [pd.read_parquet(ROOT / f"{name}.parquet") for name in SOURCES]
    wide = {}
    for column in ["open", "high", "low", "close", "volume"]:
        tiles = [np.resize(b[column].to_numpy(dtype=float), days) for b in bars]
        values = np.column_stack([tiles[n % len(tiles)] for n in range(symbols)])
        wide[column] = pd.DataFrame(values)
    return wide


def features(b):
    h, l, c, v = b["high"], b["low"], b["close"], b["volume"]
    before = c.shift(1)
    ew = lambda x, alpha, n: x.ewm(alpha=alpha, min_periods=n).mean()
    ema = lambda x, n: ew(x, 2 / (n + 1), n)
    f = {}
    f["log_return_1"] = np.log(c / before)
    f["log_return_20"] = np.log(c / c.shift(20))
    f["momentum_120"] = c / c.shift(120) - 1
    f["sma_gap_20"] = c / c.rolling(20).mean() - 1
    f["sma_gap_50"] = c / c.rolling(50).mean() - 1
    f["high_distance_20"] = c / h.rolling(20).max() - 1
    f["high_distance_252"] = c / h.rolling(252).max() - 1
    f["log_volatility_20"] = 0.5 * np.log((f["log_return_1"] ** 2).rolling(20).mean())
    f["parkinson_20"] = 0.5 * np.log((np.log(h / l) ** 2).rolling(20).mean() / (4 * np.log(2)))
    f["volume_ratio_20"] = v / v.rolling(20).mean()
    d = c - before
    up = ew(d.where(~(d <= 0), 0.0), 1 / 14, 14)
    down = ew((-d).where(~(d >= 0), 0.0), 1 / 14, 14)
    f["rsi_14"] = up / (up + down)
    m = ema(c, 12) - ema(c, 26)
    f["macd_histogram"] = (m - ema(m, 9)) / c
    f["bollinger_b_20"] = 0.5 + (c - c.rolling(20).mean()) / (4 * c.rolling(20).std(ddof=0))
    reach = np.maximum(h, before) - np.minimum(l, before)
    f["atr_share_14"] = ew(reach, 1 / 14, 14) / c
    return f


def main():
    symbols, days = int(sys.argv[1]), int(sys.argv[2])
    bars = panel(symbols, days)
    begin = time.perf_counter()
    with np.errstate(all="ignore"):
        found = features(bars)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    means = {}
    for name, frame in found.items():
        values = frame.to_numpy()
        means[name] = float(values[np.isfinite(values)].mean())
    print(
        json.dumps(
            {
                "library": f"pandas {pd.__version__}, NumPy {np.__version__}",
                "seconds": seconds,
                "peak_mib": peak,
                "means": means,
            }
        )
    )


main()
