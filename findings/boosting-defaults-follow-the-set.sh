#!/usr/bin/env bash
# LightGBM 4.7.0, XGBoost 3.2.0, CatBoost 1.2.10: defaults that follow the number of rows put a step into every learning curve.
#
# Expected: separable classes are learnt from a dozen rows. Seen: LightGBM answers one class below 40 rows (min_child_samples=20),
# XGBoost with one class in ten never finds it below about 32 here (min_child_weight=1, of the hessian), and CatBoost sets its learning
# rate by the number of rows, until l2_leaf_reg is written down.
# The product names these thresholds, fits a curve to one side of them, and says where a learner changed its own settings
# (docs/size-dependent-defaults.md).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages lightgbm==4.7.0 xgboost==3.2.0 catboost==1.2.10 scikit-learn==1.9.1
seen <<'PYTHON'
import catboost
import lightgbm
import numpy as np
import xgboost
from sklearn.metrics import recall_score


def rows(n, every):
    y = (np.arange(n) % every == 0).astype(int)
    return (y + np.random.default_rng(n).normal(0, 0.05, n))[:, None], y


def first(make, every, score):
    """The first number of rows from which it is learnt."""
    test = rows(1000, every)
    good = [n for n in range(6, 100, 2) if len(set(rows(n, every)[1])) == 2 and score(make().fit(*rows(n, every)), *test) > 0.9]
    return good[0]


def recall(model, x, y):
    return recall_score(y, model.predict(x))


light = first(lambda: lightgbm.LGBMClassifier(verbose=-1), 2, lambda m, x, y: m.score(x, y))
lowered = first(lambda: lightgbm.LGBMClassifier(verbose=-1, min_child_samples=1, min_data_in_bin=1), 2, lambda m, x, y: m.score(x, y))
balanced = first(xgboost.XGBClassifier, 2, recall)
rare = first(xgboost.XGBClassifier, 10, recall)
pinned = first(lambda: xgboost.XGBClassifier(min_child_weight=0), 10, recall)
rates = {}
for n in (100, 1000, 10_000):
    model = catboost.CatBoostClassifier(iterations=200, verbose=False, allow_writing_files=False).fit(*rows(n, 2))
    rates[n] = round(model.get_all_params()["learning_rate"], 4)
said = catboost.CatBoostClassifier(iterations=200, l2_leaf_reg=3, verbose=False, allow_writing_files=False).fit(*rows(1000, 2))
said = round(said.get_all_params()["learning_rate"], 4)
print(f"lightgbm {lightgbm.__version__}: learnt from {light} rows on, from {lowered} with both lowered")
print(f"xgboost {xgboost.__version__}: from {balanced} balanced, from {rare} at one in ten, from {pinned} there with min_child_weight=0")
print(f"catboost {catboost.__version__}: learning_rate by rows {rates}; {said} at 1,000 with l2_leaf_reg=3, its default, written down")
assert 38 <= light <= 44 and lowered < 20, "LightGBM's threshold moved"
assert rare >= 20 and pinned < rare, "XGBoost's threshold moved"
assert len(set(rates.values())) == 3 and said != rates[1000], "CatBoost's rate no longer follows the rows"
PYTHON
