"""Entries of the catalogue beside scikit-learn on many small tables, with random parameters.

    cargo build --release -p mltrainer-server
    python -m venv V && V/bin/pip install scikit-learn==1.9 pandas pyarrow
    V/bin/python benches/peers/catalogue_random.py [--cases 300] [--seed 1] [--case 17] [--only 'lasso,s*'] [--ours PROGRAM]

A case takes some rows and columns of the table of `catalogue_sklearn.py` (features of the bundled daily
bars), sometimes with a constant column, with a column twice, rounded so that values tie, in other units,
or with row weights, and parameters of an entry at random. Both sides fit it; predictions, probabilities,
decision values and the fitted numbers are compared, relative to the largest of each. Printed are the
cases that differ by more than 1e-6 (or what the entry asks for), what one side refuses and the other
does not, and a count by entry. Solvers are asked for a close tolerance on the peer's side, so that what is
compared is the method.
"""

import argparse
import fnmatch
import json
import pathlib
import subprocess
import tempfile
import warnings

import numpy as np
import pandas as pd
from catalogue_sklearn import BARS, COLUMNS, ROOT, features
from sklearn import (
    cluster,
    discriminant_analysis,
    ensemble,
    kernel_ridge,
    linear_model,
    naive_bayes,
    neighbors,
    svm,
    tree,
)
from sklearn.cross_decomposition import PLSRegression

ENTRIES = {}
PLANE = {"coefficients": "coef_", "intercept": "intercept_"}


def entry(id, task, fitted=(), weights=True, near=1e-6):
    """Registers a maker: from a generator, rows and columns to our parameters and the peer."""

    def register(make):
        ENTRIES[id, task] = (make, dict(fitted), weights, near)
        return make

    return register


def one(rng, *of):
    return of[rng.integers(len(of))]


def size(rng, low, high):
    """A number between 10^low and 10^high, of four digits."""
    return float(f"{10 ** rng.uniform(low, high):.4g}")


def flag(rng):
    return bool(rng.integers(2))


# ---- the entries ---------------------------------------------------------------------------------

R, C, U = "regression", "classification", "rows"


@entry("linear_regression", R, PLANE)
def _(rng, n, p):
    k = {"fit_intercept": flag(rng), "positive": flag(rng)}
    return k, linear_model.LinearRegression(**k)


@entry("ridge", R, PLANE)
def _(rng, n, p):
    k = {"alpha": size(rng, -6, 6), "fit_intercept": flag(rng), "positive": flag(rng)}
    return k, linear_model.Ridge(**k, tol=1e-12, max_iter=200_000)


@entry("lasso", R, PLANE)
def _(rng, n, p):
    k = {"alpha": size(rng, -4, 0), "fit_intercept": flag(rng), "positive": flag(rng)}
    return k, linear_model.Lasso(**k, tol=1e-14, max_iter=200_000)


@entry("elastic_net", R, PLANE)
def _(rng, n, p):
    k = {"alpha": size(rng, -4, 0), "l1_ratio": round(rng.uniform(0.05, 1), 3), "fit_intercept": flag(rng)}
    return k, linear_model.ElasticNet(**k, tol=1e-14, max_iter=200_000)


@entry("lars", R, PLANE, weights=False)
def _(rng, n, p):
    k = {"n_nonzero_coefs": int(rng.integers(1, p + 1)), "fit_intercept": flag(rng)}
    return k, linear_model.Lars(**k)


@entry("lasso_lars", R, PLANE, weights=False)
def _(rng, n, p):
    k = {"alpha": size(rng, -5, 0), "fit_intercept": flag(rng)}
    return k, linear_model.LassoLars(**k)


@entry("orthogonal_matching_pursuit", R, PLANE, weights=False)
def _(rng, n, p):
    k = {"n_nonzero_coefs": int(rng.integers(1, p + 1)), "fit_intercept": flag(rng)}
    return k, linear_model.OrthogonalMatchingPursuit(**k)


@entry("bayesian_ridge", R, {**PLANE, "alpha": "alpha_", "lambda": "lambda_"})
def _(rng, n, p):
    k = {name: size(rng, -6, 0) for name in ["alpha_1", "alpha_2", "lambda_1", "lambda_2"] if flag(rng)}
    return k, linear_model.BayesianRidge(**k)


@entry("huber", R, PLANE, near=1e-3)
def _(rng, n, p):
    k = {"epsilon": round(rng.uniform(1.05, 3), 3), "alpha": size(rng, -5, 1), "fit_intercept": flag(rng)}
    return k, linear_model.HuberRegressor(**k, tol=1e-10, max_iter=100_000)


@entry("poisson_regression", R, PLANE)
def _(rng, n, p):
    k = {"alpha": size(rng, -3, 2), "fit_intercept": flag(rng)}
    return k, linear_model.PoissonRegressor(**k, solver="newton-cholesky", tol=1e-12, max_iter=10_000)


@entry("gamma_regression", R, PLANE)
def _(rng, n, p):
    k = {"alpha": size(rng, -3, 2), "fit_intercept": flag(rng)}
    return k, linear_model.GammaRegressor(**k, solver="newton-cholesky", tol=1e-12, max_iter=10_000)


@entry("tweedie_regression", R, PLANE)
def _(rng, n, p):
    k = {"power": one(rng, 0, 1, 1.5, 2, 3), "link": "log", "alpha": size(rng, -3, 2)}
    return k, linear_model.TweedieRegressor(**k, solver="newton-cholesky", tol=1e-12, max_iter=10_000)


@entry("partial_least_squares", R, {"coefficients": "coef_"}, weights=False)
def _(rng, n, p):
    k = {"n_components": int(rng.integers(1, p + 1)), "scale": flag(rng)}
    return k, PLSRegression(**k)


@entry("logistic_regression", C, PLANE)
def _(rng, n, p):
    k = {"C": size(rng, -3, 2), "fit_intercept": flag(rng), "class_weight": one(rng, None, "balanced")}
    return k, linear_model.LogisticRegression(**k, solver="newton-cholesky", tol=1e-12, max_iter=10_000)


def kernel(rng):
    k = {"kernel": one(rng, "rbf", "linear", "poly"), "C": size(rng, -2, 1)}
    if k["kernel"] != "linear":
        k["gamma"] = one(rng, "scale", "auto", size(rng, -2, 0))
    return k


@entry("svr", R, {"intercept": "intercept_"}, near=1e-5)
def _(rng, n, p):
    k = {**kernel(rng), "epsilon": size(rng, -3, 0), "tol": 1e-9}
    return k, svm.SVR(**k, max_iter=3_000_000)


@entry("nu_svr", R, {"intercept": "intercept_"}, near=1e-5)
def _(rng, n, p):
    k = {**kernel(rng), "nu": round(rng.uniform(0.05, 0.95), 3), "tol": 1e-9}
    return k, svm.NuSVR(**k, max_iter=3_000_000)


@entry("svc", C, near=1e-5)
def _(rng, n, p):
    k = {**kernel(rng), "class_weight": one(rng, None, "balanced"), "tol": 1e-9}
    return k, svm.SVC(**k, max_iter=3_000_000)


@entry("kernel_ridge", R, {"dual_coefficients": "dual_coef_"})
def _(rng, n, p):
    k = {"alpha": size(rng, -2, 2), "kernel": one(rng, "rbf", "linear", "poly", "laplacian", "cosine")}
    return k, kernel_ridge.KernelRidge(**k)


def near_ones(rng, n):
    metric = one(rng, "minkowski", "manhattan", "chebyshev", "cosine", "canberra", "braycurtis")
    return {"n_neighbors": int(rng.integers(1, 12)), "weights": one(rng, "uniform", "distance"), "metric": metric}


@entry("knn", R, weights=False)
def _(rng, n, p):
    k = near_ones(rng, n)
    return k, neighbors.KNeighborsRegressor(**k, algorithm="brute")


@entry("knn", C, weights=False)
def _(rng, n, p):
    k = near_ones(rng, n)
    return k, neighbors.KNeighborsClassifier(**k, algorithm="brute")


@entry("gaussian_nb", C, {"means": "theta_", "variances": "var_", "class_prior": "class_prior_"})
def _(rng, n, p):
    k = {"var_smoothing": size(rng, -10, 0)}
    return k, naive_bayes.GaussianNB(**k)


@entry("bernoulli_nb", C, {"feature_log_prob": "feature_log_prob_"})
def _(rng, n, p):
    k = {"alpha": size(rng, -4, 1), "binarize": round(rng.uniform(0, 1), 2), "fit_prior": flag(rng)}
    return k, naive_bayes.BernoulliNB(**k)


@entry("lda", C, weights=False)
def _(rng, n, p):
    k = {"solver": one(rng, "lsqr", "eigen"), "shrinkage": one(rng, "auto", round(rng.uniform(0.05, 1), 3))}
    return k, discriminant_analysis.LinearDiscriminantAnalysis(**k)


@entry("qda", C, weights=False)
def _(rng, n, p):
    k = {"reg_param": round(rng.uniform(0.05, 1), 3)}
    return k, discriminant_analysis.QuadraticDiscriminantAnalysis(**k)


@entry("ada_boost", C, {"estimator_weights": "estimator_weights_"})
def _(rng, n, p):
    k = {"n_estimators": int(rng.integers(1, 8)), "learning_rate": size(rng, -1, 0)}
    ours = {**k, "estimator": "gaussian_nb"}
    return ours, ensemble.AdaBoostClassifier(naive_bayes.GaussianNB(), **k)


@entry("decision_tree", R)
def _(rng, n, p):
    k = {"max_depth": int(rng.integers(1, 4)), "min_samples_leaf": int(rng.integers(5, 12))}
    return k, tree.DecisionTreeRegressor(**k, random_state=0)


@entry("hist_gradient_boosting", R, near=1e-5)
def _(rng, n, p):
    k = {"max_iter": int(rng.integers(1, 12)), "max_leaf_nodes": int(rng.integers(2, 9)), "l2_regularization": size(rng, -2, 2)}
    return {**k, "early_stopping": "false"}, ensemble.HistGradientBoostingRegressor(**k, early_stopping=False)


@entry("local_outlier_factor", U, {"scores": "negative_outlier_factor_"}, weights=False)
def _(rng, n, p):
    k = {"n_neighbors": int(rng.integers(2, 25)), "metric": one(rng, "minkowski", "manhattan", "chebyshev")}
    return k, neighbors.LocalOutlierFactor(**k)


@entry("dbscan", U, {"labels": "labels_"})
def _(rng, n, p):
    k = {"eps": size(rng, -0.5, 0.7), "min_samples": int(rng.integers(2, 8))}
    return k, cluster.DBSCAN(**k)


@entry("agglomerative", U, {"distances": "distances_"}, weights=False)
def _(rng, n, p):
    k = {"n_clusters": int(rng.integers(1, 6)), "linkage": one(rng, "ward", "complete", "average", "single")}
    return k, cluster.AgglomerativeClustering(**k, compute_distances=True)


# ---- a case --------------------------------------------------------------------------------------


def rows_of_bars():
    """The features of every symbol, in units of their standard deviations, with the targets last."""
    each = [features(pd.read_parquet(f)) for f in sorted(BARS.glob("*.parquet"))]
    found = [t.replace([np.inf, -np.inf], np.nan).dropna().to_numpy(copy=True) for t in each]
    found = [t for t in found if len(t) > 1_000]
    for t in found:
        t[:, :COLUMNS] = (t[:, :COLUMNS] - t[:, :COLUMNS].mean(0)) / t[:, :COLUMNS].std(0)
    return found


def drawn(rng, tables, id, task):
    """Training rows, target and weights, test rows."""
    table = one(rng, *tables)
    n = int(rng.integers(30, 200))
    start = int(rng.integers(len(table) - n - 20))
    picked = rng.permutation(COLUMNS)[: int(rng.integers(1, 9))]
    part = table[start : start + n + 20]
    x = part[:, picked].copy()
    kind = one(rng, "as it is", "as it is", "constant", "twice", "ties", "units")
    if kind == "constant":
        x[:, 0] = 3.0
    elif kind == "twice" and id not in ["lars", "lasso_lars", "orthogonal_matching_pursuit", "qda", "decision_tree"]:
        x = np.column_stack([x, x[:, 0]])
    elif kind == "ties" and id not in ["decision_tree", "local_outlier_factor", "agglomerative", "knn", "dbscan"]:
        x = np.round(2 * x) / 2
    elif kind == "units" and id in ["linear_regression", "ridge", "gaussian_nb", "lda", "qda", "hist_gradient_boosting"]:
        x *= 1e4
    labels = part[:, COLUMNS + 1]
    y = part[:, COLUMNS]
    if id in ["poisson_regression", "tweedie_regression", "gamma_regression"]:
        y = np.exp(y) * 100.0
    if task == C:
        y = labels + (part[:, COLUMNS] > np.median(part[:, COLUMNS])) * one(rng, 0, 1)
    w = None if rng.random() < 0.6 else rng.integers(0, 4, n).astype(float)
    return x[:n], y[:n], w, x[n:], kind


def run(program, folder, id, task, params, x, y, w, test):
    names = [f"c{j}" for j in range(x.shape[1])]
    frame = pd.DataFrame(x, columns=names)
    if w is not None:
        frame["w"] = w
    command = [program, "run", id, "--format", "json"]
    if task == U:
        frame.to_csv(folder / "rows.csv", index=False)
        command += ["--data", folder / "rows.csv"]
    else:
        frame["y"] = y
        frame.to_csv(folder / "train.csv", index=False)
        pd.DataFrame(test, columns=names).assign(y=0.0).to_csv(folder / "test.csv", index=False)
        command += ["--train", folder / "train.csv", "--test", folder / "test.csv", "--target", "y", "--task", task]
    if w is not None:
        command += ["--weights", "w"]
    for name, value in params.items():
        said = "none" if value is None else str(value).lower() if isinstance(value, bool) else value
        command += ["--set", f"{name}={said}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.strip().splitlines()[-1]
    return json.loads(done.stdout)["outputs"], None


def apart(ours, theirs):
    """The largest difference, as a share of the largest number."""
    a, b = np.ravel(np.asarray(ours, float)), np.ravel(np.asarray(theirs, float))
    if a.shape != b.shape:
        return np.inf
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-300)) if len(b) else 0.0


def differences(outputs, model, fitted, task, test):
    """Name and difference of everything that both sides give."""
    found = {ours: apart(outputs[ours], getattr(model, theirs)) for ours, theirs in fitted.items() if ours in outputs}
    if task == R:
        found["predictions"] = apart(outputs["predictions"], np.ravel(model.predict(test)))
    if task == C:
        found["labels"] = float(np.mean(np.asarray(outputs["predictions"]) != np.ravel(model.predict(test))))
        if "probabilities" in outputs and hasattr(model, "predict_proba"):
            table = np.column_stack([outputs["probabilities"][f"{label:.0f}"] for label in model.classes_])
            found["probabilities"] = apart(table, model.predict_proba(test))
        if "decision" in outputs and hasattr(model, "decision_function"):
            decision = outputs["decision"]
            if isinstance(decision, dict):
                decision = np.column_stack([decision[f"{label:.0f}"] for label in model.classes_])
            found["decision"] = apart(decision, model.decision_function(test))
    return found


def compare(entries, drawn, about, refusals=(ValueError,)):
    """Runs cases of the entries in turn, prints those that differ and a count by entry.

    `entries` holds by id and task what is compared: names of fitted numbers and the difference that counts as
    none. `drawn` makes a case of a generator: our parameters, the peer, rows, target, weights, test rows, and
    words about them. `refusals` is what a peer raises when it will not fit."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="this one alone, of the same --seed and --only")
    parser.add_argument("--only", default="*")
    parser.add_argument("--ours", default=str(ROOT / "target" / "release" / "mltrainer"))
    args = parser.parse_args()
    tables = rows_of_bars()
    chosen = [e for e in entries if any(fnmatch.fnmatch(e[0], g) for g in args.only.split(","))]
    counts = {e: [0, 0, 0] for e in chosen}
    with tempfile.TemporaryDirectory() as folder:
        for case in range(args.cases) if args.case is None else [args.case]:
            rng = np.random.default_rng([args.seed, case])
            id, task = chosen[case % len(chosen)]
            fitted, near = entries[id, task]
            params, model, x, y, w, test, kind = drawn(rng, tables, id, task)
            outputs, refusal = run(args.ours, pathlib.Path(folder), id, task, params, x, y, w, test)
            try:
                given = {} if w is None else {"sample_weight": w}
                model.fit(x, **given) if task == U else model.fit(x, y, **given)
            except refusals as e:
                model, refusal = None, refusal if outputs is None else f"the peer refuses: {e}"
            about = f"{id} {task}, case {case} ({x.shape[0]} x {x.shape[1]}, {kind}{', weights' if w is not None else ''}) {params}"
            counts[id, task][0] += 1
            if outputs is None or model is None:
                counts[id, task][2] += outputs is not None or model is not None
                if outputs is not None or model is not None:
                    print(f"{about}: {refusal}", flush=True)
                continue
            try:
                found = differences(outputs, model, fitted, task, test)
            except ValueError as e:
                counts[id, task][2] += 1
                print(f"{about}: the peer cannot predict: {e}", flush=True)
                continue
            wrong = {name: d for name, d in found.items() if not d <= near}
            if wrong:
                counts[id, task][1] += 1
                print(f"{about}: " + ", ".join(f"{name} {d:.1e}" for name, d in wrong.items()), flush=True)
    print("\n| entry | task | cases | apart | refused by one side |\n|---|---|---|---|---|")
    for (id, task), (cases, wrong, refused) in ((e, c) for e, c in counts.items() if c[0]):
        print(f"| `{id}` | {task} | {cases} | {wrong} | {refused} |")
    print(f"\n{sum(c[0] for c in counts.values())} cases, {sum(c[1] for c in counts.values())} apart, {sum(c[2] for c in counts.values())} refused by one side")


def made(rng, tables, id, task):
    """A case of an entry of this file."""
    make, _, weighted, _ = ENTRIES[id, task]
    x, y, w, test, kind = drawn(rng, tables, id, task)
    params, model = make(rng, *x.shape)
    return params, model, x, y, w if weighted else None, test, kind


if __name__ == "__main__":
    compare({e: (fitted, near) for e, (_, fitted, _, near) in ENTRIES.items()}, made, __doc__.splitlines()[0])
