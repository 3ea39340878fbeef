"""Back tests beside backtesting.py and vectorbt, in one run.

    cargo build --release -p mltrainer-backtest --example backtest_speed
    python -m venv V && V/bin/pip install backtesting==0.6.6 vectorbt==1.2.0 pyarrow
    V/bin/python benches/peers/backtest_peers.py [--ours PROGRAM] [--windows 1000] [--their-fast 20]

The bars are the bundled S&P 500, 20 years of days, costs 0.1 % of the traded value, fills at the next open.

One run: a crossover of averages of 10 and 30 closes, long or flat, whole shares; the quickest of several rounds.
Sweep: every pair of a fast and a slow window of 2 to `windows` + 1 closes, averages included, fractional shares, on one
thread. vectorbt, its numba code warm, cannot hold a million columns at once: it gets the first `their-fast` fast
windows with all slow ones, and the seconds of a run are compared. The mean of the final equities of
those runs is printed for both, so that runs that do not agree do not pass for speed.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from backtesting import Backtest, Strategy  # noqa: E402
from backtesting.lib import crossover  # noqa: E402
import vectorbt as vbt  # noqa: E402

warnings.simplefilter("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUNDS = 5


def average(x, n):
    return pd.Series(x).rolling(n).mean()


class Cross(Strategy):
    def init(self):
        self.fast = self.I(average, self.data.Close, 10)
        self.slow = self.I(average, self.data.Close, 30)

    def next(self):
        if crossover(self.fast, self.slow):
            self.buy()
        elif crossover(self.slow, self.fast):
            self.position.close()


def backtesting_py(bars):
    frame = bars.rename(columns=str.capitalize)
    best, equity, trades = float("inf"), 0.0, 0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        stats = Backtest(frame, Cross, cash=10_000, commission=0.001).run()
        best = min(best, time.perf_counter() - start)
        equity, trades = stats["Equity Final [$]"], stats["# Trades"]
    return best, equity, trades


def vectorbt(bars, fasts, slows):
    """Seconds and mean final equity of all pairs; a signal of a close fills at the next open."""

    def block(fast):
        pairs = (np.repeat(fast, len(slows)), np.tile(slows, len(fast)))
        a, b = (vbt.MA.run(bars.close, w) for w in pairs)
        # Above, after not being so the bar before: warm-up counts as neither.
        buy, sell = a.ma_crossed_above(b).values, a.ma_crossed_below(b).values
        late = lambda s: np.vstack([np.zeros((1, s.shape[1]), bool), s[:-1]])  # noqa: E731
        done = vbt.Portfolio.from_signals(
            bars.close, late(buy), late(sell), price=bars.open, fees=0.001, init_cash=10_000, freq="1D"
        )
        return done.final_value().to_numpy()

    block(fasts[:1])
    values = []
    start = time.perf_counter()
    for fast in fasts:
        values.append(block([fast]))
    return time.perf_counter() - start, float(np.mean(np.concatenate(values)))


def main():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", default=str(target / "release" / "examples" / "backtest_speed"))
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--their-fast", type=int, default=20)
    given = parser.parse_args()
    bars = pd.read_parquet(ROOT / "data" / "bundled" / "bars" / "SPX.parquet").set_index("date")
    bars.index = pd.to_datetime(bars.index)
    bars = bars[["open", "high", "low", "close", "volume"]].astype(float)

    def ours(*words):
        text = subprocess.run([given.ours, *map(str, words)], check=True, capture_output=True, text=True).stdout
        return [float(word) for word in text.split()]

    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "bars.csv"
        bars.to_csv(file, index=False)
        seconds, equity, trades = ours("one", file)
        theirs = backtesting_py(bars)
        print(f"{len(bars)} bars")
        print(f"one run: ours {1e3 * seconds:.3f} ms, backtesting.py {1e3 * theirs[0]:.1f} ms, share {seconds / theirs[0]:.5f}")
        print(f"  final equity {equity:.2f} and {theirs[1]:.2f}, closed trades {trades:.0f} and {theirs[2]}")
        n, some = given.windows, given.their_fast
        windows = np.arange(2, 2 + n)
        seconds, runs, _ = ours("sweep", file, n, n)
        part, part_runs, mean = ours("sweep", file, some, n)
        theirs, their_mean = vectorbt(bars, windows[:some], windows)
        per = seconds / runs, theirs / part_runs
        print(f"sweep: ours {runs:.0f} runs in {seconds:.2f} s, {1e6 * per[0]:.2f} us a run")
        print(f"  vectorbt {part_runs:.0f} runs in {theirs:.2f} s, {1e6 * per[1]:.2f} us a run, share {per[0] / per[1]:.3f}")
        print(f"  mean final equity of the {part_runs:.0f} runs {mean:.4f} and {their_mean:.4f}; ours took {part:.3f} s for them")


if __name__ == "__main__":
    main()
