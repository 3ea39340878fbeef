"""Boosted trees of the catalogue beside XGBoost, LightGBM, CatBoost and scikit-learn, with random parameters.

    cargo build --release -p mltrainer-server
    python -m venv V && V/bin/pip install scikit-learn==1.9.1 xgboost==3.2.0 lightgbm==4.7.0 catboost==1.2.10 pandas pyarrow
    V/bin/python benches/peers/catalogue_trees.py [--cases 300] [--seed 1] [--case 17] [--only 'xgboost,l*'] [--ours PROGRAM]

As `catalogue_random.py`: each case is a random piece of the features of the bundled daily bars, here also
with missing values and a column of categories, and random parameters of `xgboost` (exact and hist, level by
level and best first), `lightgbm` (with and without linear models in the leaves), `catboost` (its three ways
to grow) and `hist_gradient_boosting`: losses, labels, sizes of trees, penalties, bins, monotone columns,
groups of columns, early stopping. Rows are drawn in LightGBM only, whose draws are the same (bags, and forests
of its `rf`); columns are not. Predictions, probabilities and decision values are compared, relative to the
largest of each.

Left out, with what the cards say: categories in CatBoost (whose permutations are drawn), DART, mape of
LightGBM with weights, monotone columns with path_smooth of LightGBM (which then does not keep them), early
stopping of scikit-learn (which draws its rows).
"""

import catboost
import lightgbm
import numpy as np
import xgboost
from catalogue_random import C, R, compare, flag, one, size
from catalogue_sklearn import COLUMNS
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

KINDS = ["as it is", "ties", "missing", "missing", "categories", "missing categories", "constant", "twice"]
# Share of the rows, the last ones, that early stopping keeps aside.
ASIDE = 0.2


class Program:
    """A peer with what its `fit` is given beside the table."""

    def __init__(self, model, early=None, **more):
        self.model, self.early, self.more = model, early, more

    def fit(self, x, y, sample_weight=None):
        kept = len(y) - (int(np.ceil(ASIDE * len(y))) if self.early else 0)
        weights = [None, None] if sample_weight is None else [sample_weight[:kept], sample_weight[kept:]]
        more = dict(self.more)
        if self.early:
            more |= self.early((x[kept:], y[kept:]), weights[1])
        self.model.fit(x[:kept], y[:kept], sample_weight=weights[0], **more)

    def __getattr__(self, name):
        if name == "decision_function" and getattr(self.model, "boosting_type", None) == "rf":
            # The program's raw scores of a forest are sums over the trees, of which its probabilities take the mean.
            return lambda x: self.model.decision_function(x) / (self.model.best_iteration_ or self.model.n_estimators_)
        return getattr(self.model, name)


def said(params, columns=None, groups=None, **names):
    """Parameters as ours are written: lists with commas, groups with semicolons."""
    written = {name: ",".join(map(str, v)) if isinstance(v, list) else v for name, v in params.items()}
    if groups:
        written[groups] = ";".join(",".join(map(str, g)) for g in params[groups])
    if columns:
        written |= columns
    return written | names


def signs(rng, p, free):
    return [0 if j in free else int(rng.integers(-1, 2)) for j in range(p)]


def halves(p):
    return [list(range(p // 2)), list(range(p // 2, p))]


def some(rng, chance, **params):
    """Each of the parameters with that chance."""
    return {name: value for name, value in params.items() if rng.random() < chance}


# ---- the programs --------------------------------------------------------------------------------


def of_xgboost(rng, task, labels, codes, p, weighted):
    k = {"n_estimators": int(rng.integers(1, 16)), "max_depth": int(rng.integers(1, 7)), "learning_rate": one(rng, 0.1, 0.3, 1.0)}
    k["tree_method"] = "hist" if codes else one(rng, "hist", "exact")
    if k["tree_method"] == "hist":
        k |= some(rng, 0.3, max_bin=int(rng.integers(4, 64)))
        k |= some(rng, 0.3, grow_policy="lossguide", max_leaves=int(rng.integers(2, 12)))
        if "grow_policy" not in k:
            k.pop("max_leaves", None)
    k |= some(rng, 0.3, reg_lambda=size(rng, -2, 2), reg_alpha=size(rng, -2, 0), gamma=size(rng, -3, 0))
    k |= some(rng, 0.3, min_child_weight=size(rng, -1, 1), max_delta_step=size(rng, -1, 0))
    if task == R:
        k["objective"] = one(rng, *["reg:squarederror"] * 3, "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror", "count:poisson", "reg:gamma", "reg:tweedie")
        if k["objective"] == "reg:quantileerror":
            k["quantile_alpha"] = round(rng.uniform(0.1, 0.9), 2)
    ours = dict(k)
    if rng.random() < 0.2:
        k["monotone_constraints"] = signs(rng, p, codes)
        ours["monotone_constraints"] = k["monotone_constraints"]
    if rng.random() < 0.2 and p > 1:
        k["interaction_constraints"] = ours["interaction_constraints"] = halves(p)
    groups = "interaction_constraints" if "interaction_constraints" in k else None
    early = None
    theirs = {**k, "n_jobs": 1}
    if codes:
        theirs |= {"enable_categorical": True, "feature_types": ["c" if j in codes else "q" for j in range(p)]}
    if rng.random() < 0.2:
        ours |= {"early_stopping_rounds": 3, "validation_fraction": ASIDE}
        theirs["early_stopping_rounds"] = 3

        def early(rows, w):
            return {"eval_set": [rows], "sample_weight_eval_set": None if w is None else [w], "verbose": False}

    if "monotone_constraints" in theirs:
        theirs["monotone_constraints"] = tuple(theirs["monotone_constraints"])
    if groups:
        theirs[groups] = str(k[groups])
    make = xgboost.XGBRegressor if task == R else xgboost.XGBClassifier
    columns = {"categorical_features": ",".join(map(str, codes))} if codes else None
    return said(ours, columns, groups), Program(make(**theirs), early)


def of_lightgbm(rng, task, labels, codes, p, weighted):
    k = {"n_estimators": int(rng.integers(1, 16)), "num_leaves": int(rng.integers(2, 32)), "learning_rate": one(rng, 0.05, 0.1, 0.3, 1.0)}
    k |= {"min_child_samples": int(rng.integers(1, 25)), "linear_tree": flag(rng)}
    if k["linear_tree"]:
        k["linear_lambda"] = one(rng, 0.0, size(rng, -2, 2))
    k |= some(rng, 0.3, reg_lambda=size(rng, -2, 2), reg_alpha=size(rng, -2, 0), max_depth=int(rng.integers(1, 7)))
    k |= some(rng, 0.2, max_bin=int(rng.integers(4, 64)), max_delta_step=size(rng, -1, 0), path_smooth=size(rng, -1, 1))
    k |= some(rng, 0.2, min_split_gain=size(rng, -2, 1), min_child_weight=size(rng, -1, 1), enable_bundle=False)
    if codes:
        k |= some(rng, 0.5, min_data_per_group=int(rng.integers(1, 30)), cat_smooth=size(rng, -1, 1), max_cat_to_onehot=8)
    if task == R:
        losses = ["regression"] * 3 + ["huber", "fair", "quantile", "poisson", "gamma", "tweedie"]
        losses += [] if weighted else ["mape"]
        losses += [] if k["linear_tree"] else ["regression_l1"]
        k["objective"] = one(rng, *losses)
        if k["objective"] == "quantile":
            k["alpha"] = round(rng.uniform(0.1, 0.9), 2)
    if rng.random() < 0.2 and "path_smooth" not in k and k.get("objective") not in ["quantile", "mape", "regression_l1"]:
        k["monotone_constraints"] = signs(rng, p, codes)
    if rng.random() < 0.2 and p > 1:
        k["interaction_constraints"] = halves(p)
    if rng.random() < 0.4:
        k |= {"subsample": one(rng, 0.3, 0.6, 0.9), "subsample_freq": int(rng.integers(1, 4)), "random_state": int(rng.integers(0, 99))}
        k |= some(rng, 0.5, boosting_type="rf")
    groups = "interaction_constraints" if "interaction_constraints" in k else None
    ours, early = dict(k), None
    if rng.random() < 0.2:
        ours |= {"early_stopping_round": 3, "validation_fraction": ASIDE}

        def early(rows, w):
            stop = lightgbm.early_stopping(3, verbose=False)
            return {"eval_set": [rows], "eval_sample_weight": None if w is None else [w], "callbacks": [stop]}

    make = lightgbm.LGBMRegressor if task == R else lightgbm.LGBMClassifier
    model = make(**k, n_jobs=1, deterministic=True, force_col_wise=True, verbose=-1)
    columns = {"categorical_feature": ",".join(map(str, codes))} if codes else None
    return said(ours, columns, groups), Program(model, early, categorical_feature=codes or "auto")


def of_catboost(rng, task, labels, codes, p, weighted):
    k = {"n_estimators": int(rng.integers(1, 16)), "depth": int(rng.integers(1, 6)), "learning_rate": one(rng, 0.1, 0.3, 1.0)}
    k |= {"bootstrap_type": "No", "random_strength": 0.0, "grow_policy": one(rng, *["SymmetricTree"] * 3, "Depthwise", "Lossguide")}
    k |= some(rng, 0.3, l2_leaf_reg=size(rng, -1, 2), border_count=int(rng.integers(4, 64)), score_function="L2")
    if k["grow_policy"] != "SymmetricTree":
        k |= some(rng, 0.3, min_data_in_leaf=int(rng.integers(2, 10)))
    if k["grow_policy"] == "Lossguide":
        k |= some(rng, 0.5, max_leaves=int(rng.integers(2, 16)))
    if task == R:
        loss = one(rng, *["RMSE"] * 3, "MAE", "Quantile:alpha=0.3", "Huber:delta=0.5", "Poisson", "Tweedie:variance_power=1.5")
        k["loss_function"] = loss
    else:
        k["loss_function"] = "Logloss" if labels == 2 else "MultiClass"
    # CatBoost's approximate weighing of many labels knows no monotone columns.
    if rng.random() < 0.2 and k["grow_policy"] == "SymmetricTree" and k["loss_function"] in ["RMSE", "Logloss"]:
        k["monotone_constraints"] = signs(rng, p, codes)
    ours, early = dict(k), None
    theirs = {**k, "thread_count": 1, "verbose": False, "allow_writing_files": False}
    if rng.random() < 0.2:
        ours |= {"early_stopping_rounds": 3, "validation_fraction": ASIDE}
        theirs["early_stopping_rounds"] = 3

        def early(rows, w):
            return {"eval_set": catboost.Pool(rows[0], rows[1], weight=w)}

    make = catboost.CatBoostRegressor if task == R else catboost.CatBoostClassifier
    return said(ours), Program(make(**theirs), early)


def of_hist(rng, task, labels, codes, p, weighted):
    k = {"max_iter": int(rng.integers(1, 16)), "max_leaf_nodes": int(rng.integers(2, 32)), "learning_rate": one(rng, 0.1, 0.3, 1.0)}
    k |= {"min_samples_leaf": int(rng.integers(1, 25))}
    k |= some(rng, 0.3, l2_regularization=size(rng, -2, 2), max_depth=int(rng.integers(1, 7)), max_bins=int(rng.integers(32 if codes else 4, 64)))
    if task == R:
        k["loss"] = one(rng, *["squared_error"] * 3, "absolute_error", "quantile", "poisson", "gamma")
        if k["loss"] == "quantile":
            k["quantile"] = round(rng.uniform(0.1, 0.9), 2)
    if rng.random() < 0.2 and labels < 3:
        k["monotonic_cst"] = signs(rng, p, codes)
    if rng.random() < 0.2 and p > 1:
        k["interaction_cst"] = halves(p)
    groups = "interaction_cst" if "interaction_cst" in k else None
    columns = {"categorical_features": ",".join(map(str, codes))} if codes else None
    make = HistGradientBoostingRegressor if task == R else HistGradientBoostingClassifier
    model = make(**k, early_stopping=False, categorical_features=codes or None)
    return said(k, columns, groups, early_stopping="false"), Program(model)


PROGRAMS = {"xgboost": of_xgboost, "lightgbm": of_lightgbm, "catboost": of_catboost, "hist_gradient_boosting": of_hist}
# XGBoost and CatBoost keep sums and leaves, or borders, in single precision.
NEAR = {"xgboost": 2e-5, "lightgbm": 1e-6, "catboost": 1e-5, "hist_gradient_boosting": 1e-6}


# ---- a case --------------------------------------------------------------------------------------


def drawn(rng, tables, id, task):
    """Our parameters, the peer, training rows, target and weights, test rows, words about them."""
    table = one(rng, *tables)
    n = int(rng.integers(50, 500))
    start = int(rng.integers(len(table) - n - 20))
    part = table[start : start + n + 20]
    x = part[:, rng.permutation(COLUMNS)[: int(rng.integers(1, 9))]].copy()
    kind = one(rng, *KINDS)
    if kind == "ties":
        x = np.round(2 * x) / 2
    elif kind == "constant":
        x[:, 0] = 3.0
    elif kind == "twice":
        x = np.column_stack([x, x[:, 0]])
    codes = []
    if "categories" in kind and id != "catboost":
        # Codes that are in no order, from the size of a column.
        many = int(rng.integers(2, 30))
        edges = np.quantile(x[:, 0], np.linspace(0, 1, many + 1)[1:-1])
        x[:, 0] = rng.permutation(many)[np.searchsorted(edges, x[:, 0])]
        codes = [0]
    if "missing" in kind:
        for j in range(x.shape[1]):
            if flag(rng):
                x[rng.random(len(x)) < rng.uniform(0, 0.4), j] = np.nan
    y = part[:, COLUMNS] / part[:, COLUMNS].std()
    labels = 0
    if task == C:
        labels = one(rng, 2, 2, 3)
        y = np.digitize(y, np.quantile(y[:n], [0.6] if labels == 2 else [0.3, 0.7])).astype(float)
    w = None if rng.random() < 0.6 else rng.integers(1, 5, n) / 2
    params, model = PROGRAMS[id](rng, task, labels, codes, x.shape[1], w is not None)
    goal = str(params.get("objective", params.get("loss_function", params.get("loss")))).lower()
    if any(word in goal for word in ["poisson", "gamma", "tweedie"]):
        y = np.exp(y / 2)
    return params, model, x[:n], y[:n], w, x[n:], kind


if __name__ == "__main__":
    refusals = (ValueError, xgboost.core.XGBoostError, lightgbm.basic.LightGBMError, catboost.CatBoostError)
    entries = {(id, task): ({}, NEAR[id]) for id in PROGRAMS for task in [R, C]}
    compare(entries, drawn, __doc__.splitlines()[0], refusals)
