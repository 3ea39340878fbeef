"""Entries of the catalogue beside scikit-learn, XGBoost, LightGBM and CatBoost, in one run.

    cargo build --release -p mltrainer-catalogue --example peers
    python -m venv V && V/bin/pip install scikit-learn==1.9 xgboost lightgbm catboost pandas pyarrow
    V/bin/python benches/peers/catalogue_sklearn.py [--threads 1,2] [--only 'GLOB'] [--rounds 5] [--ours PROGRAM]

Both sides get the same rows and parameters. For each entry two processes are started, one of
ours and one of the peer, which fit the first 400 rows once, so that their code is in memory, and then
fit and predict in turns; the least time of each counts. Memory is measured in two more processes that
give every large block back to the system at once, so that room which the loading of the table has left
over is counted on neither side: the growth over the loaded table and the peak of the whole process. Both predictions are judged here by the same figure. The table is
printed as Markdown, with the geometric mean of ours / theirs.

The table of the bench: 40 features of the bundled daily bars of seven symbols, each symbol's rows one
after the other, then again with features one bar older: 26,000 rows to learn from and 6,500 to
predict. It exists in this bench only. Kernel machines and others that take rows x rows get
2,000 rows of it.
"""

import argparse
import fnmatch
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
BARS = ROOT / "data" / "bundled" / "bars"
COLUMNS = 40
ROWS, TESTED = 26_000, 6_500
FEW, FEW_TESTED = 2_000, 2_000
# Blocks from 128 KiB are mapped one by one, also after one was freed (glibc's allocator raises this by itself).
AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
# Rows that are fitted before anything is measured.
WARMING = 400

# (name, entry, task, table, our parameters, the peer's maker, its parameters); `seed` is ours alone.
# Parameters with another name on the other side stand in both dictionaries.
R, C, U = "regression", "classification", "rows"


def same(**params):
    return params, params


def both(common, ours, theirs):
    return {**common, **ours}, {**common, **theirs}


def jobs(n):
    return {"n_jobs": n}


ENTRIES = [
    ("linear_regression", R, "full", "sklearn.linear_model.LinearRegression", same()),
    ("ridge", R, "full", "sklearn.linear_model.Ridge", same(alpha=1.0)),
    ("lasso", R, "full", "sklearn.linear_model.Lasso", same(alpha=0.01, tol=1e-8, max_iter=10000)),
    ("elastic_net", R, "full", "sklearn.linear_model.ElasticNet", same(alpha=0.01, l1_ratio=0.5, tol=1e-8, max_iter=10000)),
    ("bayesian_ridge", R, "full", "sklearn.linear_model.BayesianRidge", same()),
    ("huber", R, "full", "sklearn.linear_model.HuberRegressor", both({"epsilon": 1.35, "alpha": 1e-4, "max_iter": 1000}, {}, {"tol": 1e-8})),
    ("quantile_regression", R, "few", "sklearn.linear_model.QuantileRegressor", same(quantile=0.5, alpha=0.01)),
    ("sgd_regressor", R, "full", "sklearn.linear_model.SGDRegressor", both({"max_iter": 20, "tol": None}, {"seed": 1}, {"random_state": 1})),
    ("logistic_regression", C, "full", "sklearn.linear_model.LogisticRegression", both({"C": 1.0}, {}, {"tol": 1e-8, "max_iter": 1000})),
    ("poisson_regression", R, "count", "sklearn.linear_model.PoissonRegressor", both({"alpha": 1.0}, {}, {"tol": 1e-8, "max_iter": 1000})),
    ("partial_least_squares", R, "full", "sklearn.cross_decomposition.PLSRegression", same(n_components=5)),
    ("decision_tree", R, "full", "sklearn.tree.DecisionTreeRegressor", both({}, {"seed": 1}, {"random_state": 1})),
    ("decision_tree", C, "full", "sklearn.tree.DecisionTreeClassifier", both({}, {"seed": 1}, {"random_state": 1})),
    ("random_forest", R, "full", "sklearn.ensemble.RandomForestRegressor", both({"n_estimators": 5}, {"seed": 1}, {"random_state": 1})),
    ("random_forest", C, "full", "sklearn.ensemble.RandomForestClassifier", both({"n_estimators": 10}, {"seed": 1}, {"random_state": 1})),
    ("extra_trees", R, "full", "sklearn.ensemble.ExtraTreesRegressor", both({"n_estimators": 10}, {"seed": 1}, {"random_state": 1})),
    ("extra_trees", C, "full", "sklearn.ensemble.ExtraTreesClassifier", both({"n_estimators": 10}, {"seed": 1}, {"random_state": 1})),
    ("bagging", R, "full", "sklearn.ensemble.BaggingRegressor", both({"n_estimators": 5}, {"seed": 1}, {"random_state": 1})),
    ("ada_boost", C, "full", "sklearn.ensemble.AdaBoostClassifier", both({"n_estimators": 10}, {"seed": 1}, {"random_state": 1})),
    ("gradient_boosting", R, "full", "sklearn.ensemble.GradientBoostingRegressor", both({"n_estimators": 10}, {"seed": 1}, {"random_state": 1})),
    ("hist_gradient_boosting", R, "full", "sklearn.ensemble.HistGradientBoostingRegressor", both({"max_iter": 100}, {"early_stopping": "false", "seed": 1}, {"early_stopping": False, "random_state": 1})),
    ("hist_gradient_boosting", C, "full", "sklearn.ensemble.HistGradientBoostingClassifier", both({"max_iter": 100}, {"early_stopping": "false", "seed": 1}, {"early_stopping": False, "random_state": 1})),
    ("xgboost", R, "full", "xgboost.XGBRegressor", both({"n_estimators": 100, "tree_method": "hist"}, {"seed": 1}, {"random_state": 1})),
    ("xgboost", C, "full", "xgboost.XGBClassifier", both({"n_estimators": 100, "tree_method": "hist"}, {"seed": 1}, {"random_state": 1})),
    ("lightgbm", R, "full", "lightgbm.LGBMRegressor", both({"n_estimators": 100}, {"seed": 1}, {"random_state": 1, "verbose": -1})),
    ("lightgbm", C, "full", "lightgbm.LGBMClassifier", both({"n_estimators": 100}, {"seed": 1}, {"random_state": 1, "verbose": -1})),
    ("catboost", R, "full", "catboost.CatBoostRegressor", both({"n_estimators": 100, "learning_rate": 0.1}, {"seed": 1}, {"random_seed": 1, "verbose": False, "allow_writing_files": False})),
    ("isolation_forest", U, "full", "sklearn.ensemble.IsolationForest", both({"n_estimators": 100}, {"seed": 1}, {"random_state": 1})),
    ("local_outlier_factor", U, "full", "sklearn.neighbors.LocalOutlierFactor", same(n_neighbors=20)),
    ("one_class_svm", U, "few", "sklearn.svm.OneClassSVM", same(nu=0.1)),
    ("knn", R, "full", "sklearn.neighbors.KNeighborsRegressor", same(n_neighbors=5)),
    ("knn", C, "full", "sklearn.neighbors.KNeighborsClassifier", same(n_neighbors=5, weights="distance")),
    ("svr", R, "few", "sklearn.svm.SVR", same(C=1.0, epsilon=0.1, tol=1e-5)),
    ("svc", C, "few", "sklearn.svm.SVC", same(C=1.0, tol=1e-5)),
    ("kernel_ridge", R, "few", "sklearn.kernel_ridge.KernelRidge", same(kernel="rbf", alpha=1.0, gamma=0.02)),
    ("gaussian_process", R, "few", "sklearn.gaussian_process.GaussianProcessRegressor", both({"alpha": 0.1, "optimizer": None}, {"kernel": "rbf", "length_scale": 5.0}, {"kernel": "RBF"})),
    ("gaussian_nb", C, "full", "sklearn.naive_bayes.GaussianNB", same()),
    ("lda", C, "full", "sklearn.discriminant_analysis.LinearDiscriminantAnalysis", same()),
    ("qda", C, "full", "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis", same(reg_param=0.01)),
    ("pca_regression", R, "full", "pca", same(n_components=10)),
    ("kmeans", U, "full", "sklearn.cluster.KMeans", both({"n_clusters": 8, "n_init": 3}, {"seed": 1}, {"random_state": 1})),
    ("gaussian_mixture", U, "full", "sklearn.mixture.GaussianMixture", both({"n_components": 3, "max_iter": 100}, {"seed": 1}, {"random_state": 1})),
    ("dbscan", U, "full", "sklearn.cluster.DBSCAN", same(eps=3.0, min_samples=5)),
    ("agglomerative", U, "few", "sklearn.cluster.AgglomerativeClustering", same(n_clusters=5)),
    ("mlp", R, "full", "sklearn.neural_network.MLPRegressor", both({"max_iter": 5, "hidden_layer_sizes": [64, 32]}, {"seed": 1}, {"random_state": 1})),
]
# Peers with a parameter for threads; the others take what the environment grants (OpenMP, BLAS).
N_JOBS = {
    "RandomForestRegressor", "RandomForestClassifier", "ExtraTreesRegressor", "ExtraTreesClassifier",
    "BaggingRegressor", "XGBRegressor", "XGBClassifier", "LGBMRegressor", "LGBMClassifier",
    "IsolationForest", "LocalOutlierFactor", "KNeighborsRegressor", "KNeighborsClassifier", "DBSCAN",
}


# ---- the table -----------------------------------------------------------------------------------


def features(bars):
    import numpy as np
    import pandas as pd

    c, h, l, o, v = (bars[k].astype(float) for k in ["close", "high", "low", "open", "volume"])
    v = v.clip(lower=1.0)
    log = np.log(c)
    ret = log.diff()
    f = {f"lag{k}": ret.shift(k) for k in range(10)}
    # The sum of the first lags would be a momentum: none of that length.
    for k in [15, 20, 40, 60]:
        f[f"momentum{k}"] = log.diff(k)
    for k in [5, 10, 20, 60]:
        f[f"vol{k}"] = np.log(ret.rolling(k).std() + 1e-4)
        f[f"volume{k}"] = np.log(v / v.rolling(k).mean())
        f[f"gap_to_mean{k}"] = c / c.rolling(k).mean() - 1
        f[f"below_high{k}"] = c / h.rolling(k).max() - 1
        f[f"above_low{k}"] = c / l.rolling(k).min() - 1
    f["range"] = np.log(h / l)
    f["range5"] = f["range"].rolling(5).mean()
    f["range20"] = f["range"].rolling(20).mean()
    f["range60"] = f["range"].rolling(60).mean()
    # The gap at the open would be the last return less this.
    f["body"] = np.log(c / o)
    up, down = ret.clip(lower=0), -ret.clip(upper=0)
    f["rsi14"] = up.rolling(14).mean() / (up.rolling(14).mean() + down.rolling(14).mean())
    table = pd.DataFrame(f)
    assert table.shape[1] == COLUMNS
    ahead = ret.shift(-1).rolling(5).std().shift(-4)
    table["y"] = np.log(ahead + 1e-4)
    table["label"] = (ahead > ret.rolling(20).std()).astype(float)
    table["count"] = (ret > 0).astype(float).shift(-1).rolling(10).sum().shift(-9)
    return table


def tables(folder):
    """Writes the tables of the bench; returns {name: (train, rows, test, test_rows)} by task's target."""
    import numpy as np
    import pandas as pd

    each = [features(pd.read_parquet(f)) for f in sorted(BARS.glob("*.parquet"))]
    older = []
    for t in each:
        t = t.copy()
        t.iloc[:, :COLUMNS] = t.iloc[:, :COLUMNS].shift(1)
        older.append(t)
    all_rows = pd.concat(each + older).replace([np.inf, -np.inf], np.nan).dropna()
    assert len(all_rows) >= ROWS + TESTED, len(all_rows)
    order = np.random.default_rng(1).permutation(len(all_rows))[: ROWS + TESTED]
    rows = all_rows.to_numpy()[order]
    x = (rows[:, :COLUMNS] - rows[:, :COLUMNS].mean(0)) / rows[:, :COLUMNS].std(0)
    made = {}
    for name, (n, m) in {"full": (ROWS, TESTED), "few": (FEW, FEW_TESTED)}.items():
        for kind, column in {"regression": 0, "classification": 1, "count": 2}.items():
            y = rows[:, COLUMNS + column]
            paths = [folder / f"{name}_{kind}_{part}.f64" for part in ["train", "test"]]
            for path, s in zip(paths, [slice(0, n), slice(n, n + m)]):
                path.write_bytes(np.ascontiguousarray(x[s]).tobytes() + np.ascontiguousarray(y[s]).tobytes())
            made[name, kind] = (paths[0], n, paths[1], m)
    return made


def read(path, rows):
    import numpy as np

    flat = np.fromfile(path)
    return flat[: rows * COLUMNS].reshape(rows, COLUMNS), flat[rows * COLUMNS :]


# ---- the peer's side -----------------------------------------------------------------------------


def maker(path, params, threads):
    import importlib

    if path == "pca":
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LinearRegression
        from sklearn.pipeline import make_pipeline

        return lambda: make_pipeline(PCA(params["n_components"]), LinearRegression())
    module, name = path.rsplit(".", 1)
    made = getattr(importlib.import_module(module), name)
    params = dict(params)
    if name in N_JOBS:
        params["n_jobs"] = threads
    if name.startswith("CatBoost"):
        params["thread_count"] = threads
    if params.get("kernel") == "RBF":
        from sklearn.gaussian_process.kernels import RBF

        params["kernel"] = RBF(5.0)
    return lambda: made(**params)


def memory(row):
    for line in open("/proc/self/status"):
        if line.startswith(row):
            return int(line.split()[1])
    return 0


def fit_predict(model, ask, x, y, test, clock):
    """Seconds of the fit and of the prediction, and what was predicted."""
    id = ask["id"]
    t0 = clock()
    if ask["task"] == U:
        if id == "isolation_forest":
            out = model.fit(x).score_samples(x)
        elif id == "one_class_svm":
            out = model.fit(x).decision_function(x)
        elif id == "local_outlier_factor":
            out = model.fit(x).negative_outlier_factor_
        else:
            out = model.fit_predict(x)
        return clock() - t0, 0.0, out
    model.fit(x, y)
    t1 = clock()
    if ask["task"] == C and hasattr(model, "predict_proba"):
        out = model.predict_proba(test)[:, 1]
    elif id == "gaussian_process":
        out, _ = model.predict(test, return_std=True)
    else:
        out = model.predict(test)
    return t1 - t0, clock() - t1, out


def peer():
    import numpy as np

    warnings.simplefilter("ignore")
    x = y = test = None
    for line in sys.stdin:
        ask = json.loads(line)
        if ask["do"] == "load":
            x, y = read(ask["train"], ask["rows"])
            test, _ = read(ask["test"], ask["test_rows"])
            make = maker(ask["path"], ask["params"], ask["threads"])
            fit_predict(make(), ask, x[:WARMING], y[:WARMING], test[:1], time.process_time)
            answer = {"loaded": True}
        else:
            pathlib.Path("/proc/self/clear_refs").write_text("5")
            before = memory("VmRSS")
            # One thread is timed by the processor, so that what else the machine does counts for nothing.
            clock = time.process_time if ask["threads"] == 1 else time.perf_counter
            fit_s, predict_s, out = fit_predict(make(), ask, x, y, test, clock)
            peak = memory("VmHWM")
            np.asarray(out, dtype=float).ravel().tofile(ask["out"])
            answer = {"fit_s": fit_s, "predict_s": predict_s, "peak_kb": peak, "growth_kb": peak - before}
        print(json.dumps(answer), flush=True)


# ---- the run -------------------------------------------------------------------------------------


class Side:
    def __init__(self, command, threads, **env):
        env = {**os.environ, "PYTHONWARNINGS": "ignore", **env}
        for name in ["OMP", "OPENBLAS", "MKL"]:
            env[f"{name}_NUM_THREADS"] = str(threads)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            if not line:
                return {"error": f"the process ended with {self.process.wait()}"}
            if line.startswith("{"):
                return json.loads(line)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def judge(task, id, out, y, x):
    """One figure of the predictions, and its name."""
    import numpy as np
    from sklearn import metrics

    if task == R:
        return "r2", metrics.r2_score(y, out)
    if task == C:
        return "auc", metrics.roc_auc_score(y, out)
    if id in ["isolation_forest", "local_outlier_factor", "one_class_svm"]:
        return "mean", float(np.mean(out))
    groups = len(set(out))
    if groups < 2:
        return "groups", groups
    picked = np.random.default_rng(0).permutation(len(out))[:3000]
    if len(set(out[picked])) < 2:
        return "groups", groups
    return "silhouette", metrics.silhouette_score(x[picked], out[picked])


def main():
    import numpy as np

    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--only", default="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=20.0, help="seconds after which an entry starts no other round")
    parser.add_argument("--ours", default=str(ROOT / "target" / "release" / "examples" / "peers"))
    parser.add_argument("--ours-only", action="store_true", help="without the peers")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        made = tables(folder)
        for threads in map(int, args.threads.split(",")):
            ratios = []
            print(f"\n{threads} thread{'s' * (threads > 1)} against {threads}\n")
            print("| entry | task | fit ours s | fit theirs s | predict ours s | predict theirs s | ratio | memory ours MB | memory theirs MB | peak ours MB | peak theirs MB | figure | ours | theirs |")
            print("|" + "---|" * 14, flush=True)
            for id, task, table, path, (ours, theirs) in ENTRIES:
                if not any(fnmatch.fnmatch(id, g) for g in args.only.split(",")):
                    continue
                kind = "count" if table == "count" else task if task != U else R
                train, rows, test, tested = made["full" if table == "count" else table, kind]
                commands = [[args.ours]]
                if not args.ours_only:
                    commands.append([sys.executable, __file__, "--peer"])
                outs = [folder / "ours.f64", folder / "theirs.f64"]
                best, errors = [{}, {}], []

                def started(k, **env):
                    side = Side(commands[k], threads, **env)
                    params = [ours, theirs][k]
                    a = side.ask(do="load", train=str(train), rows=rows, columns=COLUMNS, test=str(test), test_rows=tested, id=id, task=task, path=path, params=params, threads=threads, out=str(outs[k]))
                    errors.extend([a["error"]] if "error" in a else [])
                    return side

                def fitted(k, side):
                    a = side.ask(do="run", id=id, task=task, params=[ours, theirs][k], threads=threads, out=str(outs[k]))
                    errors.extend([a["error"]] if "error" in a else [])
                    return a

                for k in range(len(commands)):
                    side = started(k, **AT_ONCE)
                    if not errors:
                        a = fitted(k, side)
                        best[k].update((name, a.get(name)) for name in ["peak_kb", "growth_kb"])
                    side.end()
                sides = [started(k) for k in range(len(commands))]
                start = time.perf_counter()
                for _ in range(args.rounds):
                    for k, side in enumerate(sides):
                        if errors:
                            break
                        a = fitted(k, side)
                        for name in ["fit_s", "predict_s"]:
                            best[k][name] = min(best[k].get(name, math.inf), a.get(name, math.inf))
                    if errors or time.perf_counter() - start > args.budget:
                        break
                for side in sides:
                    side.end()
                if errors:
                    print(f"| {id} | {task} | {errors[0]} |", flush=True)
                    continue
                _, y = read(test, tested)
                x, _ = read(train, rows)
                figures = [judge(task, id, np.fromfile(out), y, x) for out in outs[: len(sides)]]
                a, b = best
                if args.ours_only:
                    b = a
                    figures *= 2
                ratio = (a["fit_s"] + a["predict_s"]) / (b["fit_s"] + b["predict_s"])
                ratios.append(ratio)
                print(
                    f"| {id} | {task} | {a['fit_s']:.4f} | {b['fit_s']:.4f} | {a['predict_s']:.4f} | {b['predict_s']:.4f} | {ratio:.2f} "
                    f"| {a['growth_kb'] / 1024:.1f} | {b['growth_kb'] / 1024:.1f} "
                    f"| {a['peak_kb'] / 1024:.0f} | {b['peak_kb'] / 1024:.0f} | {figures[0][0]} | {figures[0][1]:.5f} | {figures[1][1]:.5f} |",
                    flush=True,
                )
            if ratios:
                mean = float(np.exp(np.mean(np.log(ratios))))
                print(f"\n{len(ratios)} entries, geometric mean {mean:.3f}, largest {max(ratios):.2f}", flush=True)


if __name__ == "__main__":
    if "--peer" in sys.argv:
        peer()
    else:
        main()
