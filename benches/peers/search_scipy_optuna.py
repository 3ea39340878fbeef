"""Searches of the catalogue beside scipy and optuna on standard test functions, within the same evaluations.

    cargo build --release -p mltrainer-server
    python -m venv V && V/bin/pip install scipy==1.17.1 optuna==5.0.0
    V/bin/python benches/peers/search_scipy_optuna.py [--seeds 20] [--only hartmann6] [--ours PROGRAM]

Prints, for each function, the median over seeds of the best value found less the known minimum. Every side gets the same
number of evaluations, the same bounds and its defaults; a peer that would go on is stopped when they are used up.
scipy's differential_evolution runs without its polish, a local search by gradients, and with it in the last evaluations;
ours likewise. Population searches get many evaluations, model-based ones few.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import warnings

import numpy as np
import optuna
from scipy.optimize import differential_evolution, dual_annealing, minimize

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
ROOT = pathlib.Path(__file__).resolve().parents[2]

ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
P = 1e-4 * np.array(
    [[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991], [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]
)


def branin(x):
    bend = x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
    return bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10


def ackley(x):
    return -20 * math.exp(-0.2 * math.sqrt(np.mean(x**2))) - math.exp(np.mean(np.cos(2 * math.pi * x))) + 20 + math.e


# Name, function, bounds by dimension, least value by dimension.
FUNCTIONS = {
    "sphere": (lambda x: np.sum(x**2), (-5.12, 5.12), lambda d: 0),
    "rosenbrock": (lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), (-5, 10), lambda d: 0),
    "rastrigin": (lambda x: 10 * len(x) + np.sum(x**2 - 10 * np.cos(2 * math.pi * x)), (-5.12, 5.12), lambda d: 0),
    "ackley": (ackley, (-32.768, 32.768), lambda d: 0),
    "griewank": (lambda x: np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(np.arange(1, len(x) + 1)))) + 1, (-600, 600), lambda d: 0),
    "styblinski_tang": (lambda x: np.sum(x**4 - 16 * x**2 + 5 * x) / 2, (-5, 5), lambda d: -39.16616570377142 * d),
    "branin": (branin, None, lambda d: 0.39788735772973816),
    "hartmann6": (lambda x: -np.sum(ALPHA * np.exp(-np.sum(A * (x - P) ** 2, axis=1))), (0, 1), lambda d: -3.322368011415515),
}
MANY = [(name, d, 2_000) for name in FUNCTIONS for d in ([2] if name == "branin" else [6] if name == "hartmann6" else [5])]
MANY += [(name, 10, 10_000) for name in FUNCTIONS if name not in ("branin", "hartmann6")]
FEW = [(name, d, 100) for name in FUNCTIONS for d in ([2] if name == "branin" else [6] if name == "hartmann6" else [2, 5])]


def bounds(name, d):
    return [(-5, 10), (0, 15)] if name == "branin" else [FUNCTIONS[name][1]] * d


class Spent(Exception):
    pass


def counted(name, d, evaluations):
    """The function, which stops its caller when the evaluations are used up; and the best value so far."""
    f, best = FUNCTIONS[name][0], [math.inf, 0]

    def call(x):
        if best[1] >= evaluations:
            raise Spent
        best[1] += 1
        value = float(f(np.asarray(x, dtype=float)))
        best[0] = min(best[0], value)
        return value

    return call, best


def scipy_de(name, d, evaluations, seed):
    f, best = counted(name, d, evaluations)
    try:
        differential_evolution(f, bounds(name, d), seed=seed, polish=False, maxiter=10**6, tol=0, atol=0)
    except Spent:
        pass
    return best[0]


def scipy_polished(name, d, evaluations, seed):
    """Differential evolution, then in as many evaluations as ours keeps for it what scipy polishes with."""
    f, best = counted(name, d, evaluations)
    kept = min(40 * d, evaluations // 5)
    try:
        found = differential_evolution(f, bounds(name, d), seed=seed, polish=False, maxiter=10**6, tol=0, atol=0, callback=lambda intermediate_result: best[1] >= evaluations - kept)
        minimize(f, found.x, method="L-BFGS-B", bounds=bounds(name, d))
    except Spent:
        pass
    return best[0]


def scipy_annealing(name, d, evaluations, seed):
    f, best = counted(name, d, evaluations)
    try:
        dual_annealing(f, bounds(name, d), seed=seed, maxiter=10**6, maxfun=10**9)
    except Spent:
        pass
    return best[0]


def optuna_tpe(name, d, evaluations, seed, multivariate=False):
    f, _ = counted(name, d, evaluations)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=multivariate))
    limits = bounds(name, d)
    study.optimize(lambda t: f([t.suggest_float(str(k), *limits[k]) for k in range(d)]), n_trials=evaluations)
    return study.best_value


def ours(program, model, **more):
    def call(name, d, evaluations, seed):
        args = [str(program.resolve()), "run", model, "--format", "json"]
        for key, value in {"function": name, "dimensions": d, "evaluations": evaluations, "seed": seed, **more}.items():
            args += ["--set", f"{key}={value}"]
        done = subprocess.run(args, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)["outputs"]["best_value"]

    return call


def table(title, cases, sides, seeds, only):
    print(f"\n{title}\n")
    print(f"| function | d | evaluations | {' | '.join(sides)} |")
    print(f"|---|---|---|{'---|' * len(sides)}")
    for name, d, evaluations in cases:
        if only and only not in name:
            continue
        row = []
        for side in sides.values():
            errors = [side(name, d, evaluations, seed) - FUNCTIONS[name][2](d) for seed in range(1, seeds + 1)]
            row.append(statistics.median(errors))
        print(f"| {name} | {d} | {evaluations} | {' | '.join(f'{max(v, 0):.2e}' for v in row)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", help="functions whose name holds this")
    parser.add_argument("--part", choices=["many", "few"], help="one of the two tables")
    parser.add_argument("--ours", type=pathlib.Path, default=ROOT / "target" / "release" / "mltrainer")
    given = parser.parse_args()
    many = {
        "differential_evolution": ours(given.ours, "differential_evolution"),
        "without polish": ours(given.ours, "differential_evolution", polish="false"),
        "best1bin, without polish": ours(given.ours, "differential_evolution", strategy="best1bin", popsize=15, polish="false"),
        "particle_swarm": ours(given.ours, "particle_swarm"),
        "genetic_algorithm": ours(given.ours, "genetic_algorithm"),
        "scipy DE": scipy_de,
        "scipy DE, polished": scipy_polished,
        "scipy dual_annealing": scipy_annealing,
    }
    few = {
        "bayesian_search": ours(given.ours, "bayesian_search"),
        "bayesian_search tpe": ours(given.ours, "bayesian_search", surrogate="tpe"),
        "optuna TPE": optuna_tpe,
        "optuna TPE multivariate": lambda *a: optuna_tpe(*a, multivariate=True),
        "scipy DE": scipy_de,
        "scipy dual_annealing": scipy_annealing,
    }
    if given.part != "few":
        table("Median error, many evaluations", MANY, many, given.seeds, given.only)
    if given.part != "many":
        table("Median error, few evaluations", FEW, few, given.seeds, given.only)


if __name__ == "__main__":
    main()
