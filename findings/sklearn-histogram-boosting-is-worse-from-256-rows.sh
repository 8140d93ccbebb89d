#!/usr/bin/env bash
# scikit-learn 1.9.1: on classes that a gap separates, HistGradientBoosting is perfect with 254 rows and thousands of times worse with 256.
#
# Expected: two more rows do no harm. Seen: up to 255 distinct values (max_bins, whose largest value that is) each value has a bin of its
# own, and the gap between the classes is an edge of two; from 256 on bins are quantiles, the one at the gap holds rows of both classes, and
# no tree can tell these apart: log loss .00002, then .09, and .003 with thousands of rows. The documentation speaks of speed
# alone. A learning curve has a step up there that more data take a hundredfold to make good.
# The product names the size (docs/size-dependent-defaults.md, histogram_bins).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages scikit-learn==1.9.1
seen <<'PYTHON'
import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss


def rows(n, seed):
    """Two classes twenty standard deviations apart."""
    y = np.arange(n) % 2
    return (y + np.random.default_rng(seed).normal(0, 0.05, n))[:, None], y


x, y = rows(1000, 99)


def loss(n):
    models = (HistGradientBoostingClassifier(early_stopping=False).fit(*rows(n, seed)) for seed in range(5))
    return float(np.mean([log_loss(y, model.predict_proba(x)) for model in models]))


losses = {n: loss(n) for n in (100, 254, 256, 4000)}
print(f"scikit-learn {sklearn.__version__}: log loss by rows: { {n: round(value, 5) for n, value in losses.items()} }")
assert losses[254] < 1e-4
assert losses[256] > 1000 * losses[254] and losses[4000] > 20 * losses[254], "bins no longer blur the gap"
PYTHON
