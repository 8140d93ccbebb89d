#!/usr/bin/env bash
# scikit-learn 1.9.1: one more training row can make an MLPClassifier worse, because its batches follow the number of rows.
#
# Expected: 401 rows are as good as 400. Seen: `batch_size="auto"` is min(200, n): at 400 rows two batches of 200, at 401 two of
# 200 and one of a single row that counts as much as each of the others. The log loss over seeds rises at 401 and at 601, which a
# learning curve takes for the data's.
# The product names such thresholds (docs: settings that change with n).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages scikit-learn==1.9.1
seen <<'PYTHON'
import numpy as np
import sklearn
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier


def loss(n, seed):
    x, y = make_classification(4000, 20, n_informative=8, flip_y=0.15, random_state=seed)
    model = MLPClassifier((32,), max_iter=20, random_state=seed).fit(x[:n], y[:n])
    return log_loss(y[2000:], model.predict_proba(x[2000:]))


means = {n: float(np.mean([loss(n, seed) for seed in range(20)])) for n in (400, 401, 600, 601)}
print(f"scikit-learn {sklearn.__version__}: mean log loss by rows: { {n: round(v, 4) for n, v in means.items()} }")
assert means[401] > means[400] + 0.002, "one row more is no longer worse"
PYTHON
