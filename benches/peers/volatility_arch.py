"""GARCH and hidden Markov models of the catalogue beside arch and hmmlearn, in one run.

    cargo build --release -p mltrainer-catalogue --example volatility_peers
    python -m venv V && V/bin/pip install arch==8.0.0 hmmlearn==0.3.3 pandas pyarrow
    V/bin/python benches/peers/volatility_arch.py [--rounds 15] [--ours PROGRAM]

Both sides get the same returns (percent, of the bundled S&P 500 closes; or of `--series FILE`, one number a
line) and one thread, and are measured in turns; the median of each counts, from the series to parameters, standard
errors, volatilities and a forecast (GARCH) or to states and probabilities (hidden Markov model). A hidden Markov
model makes one start of exactly 100 iterations on both sides. The log likelihoods are printed beside.
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
from arch import arch_model  # noqa: E402
from hmmlearn.hmm import GaussianHMM  # noqa: E402

warnings.simplefilter("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[2]
ITERATIONS = 100


def garch(y, **call):
    result = arch_model(y, rescale=False, **call).fit(disp="off")
    _ = result.std_err, result.conditional_volatility, result.forecast(horizon=1, reindex=False).variance
    return result.loglikelihood


def hmm(y, states):
    x = y.reshape(-1, 1)
    # tol below every gain: all iterations are made.
    model = GaussianHMM(states, covariance_type="diag", covars_prior=0, n_iter=ITERATIONS, tol=-1e9, random_state=1)
    model.fit(x)
    _ = model.predict(x), model.predict_proba(x)
    return model.score(x)


def cases():
    one = {"n_init": 1, "max_iter": ITERATIONS, "tol": 1e-300}
    return [
        ("GARCH(1,1), normal", "garch", {}, lambda y: garch(y, vol="GARCH", p=1, q=1)),
        ("GARCH(1,1), t", "garch", {"dist": "t"}, lambda y: garch(y, vol="GARCH", p=1, q=1, dist="t")),
        ("GJR-GARCH(1,1,1)", "gjr_garch", {}, lambda y: garch(y, vol="GARCH", p=1, o=1, q=1)),
        ("EGARCH(1,1,1)", "egarch", {"o": 1}, lambda y: garch(y, vol="EGARCH", p=1, o=1, q=1)),
        ("HMM(2)", "hmm", {"n_states": 2, **one}, lambda y: hmm(y, 2)),
        ("HMM(3)", "hmm", {"n_states": 3, **one}, lambda y: hmm(y, 3)),
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--series")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--ours", default=str(target / "release" / "examples" / "volatility_peers"))
    options = parser.parse_args()
    if options.series:
        y = np.loadtxt(options.series)
    else:
        bars = pd.read_parquet(ROOT / "data" / "bundled" / "bars" / "SPX.parquet")
        y = 100 * bars["close"].pct_change().dropna().to_numpy()
    print(f"{len(y)} returns, {options.rounds} rounds, medians\n")
    print("| model | ours, ms | peer, ms | ours / peer | log likelihood, ours | peer |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        series = pathlib.Path(folder) / "series.txt"
        series.write_text("\n".join(repr(float(v)) for v in y))
        for title, entry, params, peer in cases():
            ours, theirs = [], []
            for _ in range(options.rounds):
                run = [options.ours, entry, json.dumps(params), str(series), "2"]
                answer = json.loads(subprocess.run(run, check=True, capture_output=True).stdout)
                # The second round of a process: the first one finds cold memory, as that of the peer did once.
                ours.append(answer["ms"][-1])
                start = time.perf_counter()
                value = peer(y)
                theirs.append(1e3 * (time.perf_counter() - start))
            a, b = statistics.median(ours), statistics.median(theirs)
            print(f"| {title} | {a:.2f} | {b:.2f} | {a / b:.3f} | {answer['log_likelihood']:.3f} | {value:.3f} |")


if __name__ == "__main__":
    main()
