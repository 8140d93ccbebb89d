#!/usr/bin/env bash
# scikit-learn 1.9.1: LinearDiscriminantAnalysis and LinearRegression get worse with more rows, down to nothing where rows equal features.
#
# Expected: more rows are better, or a warning where a solution is not determined. Seen: on the digits (61 features that vary) the
# default discriminant (solver="svd") has .62 of the test items right with 40 rows, .35 with 65, and .73 with 90; least squares on 40
# features have twenty times the error with 41 rows that they have with 20. Below, the solution of least norm is taken in silence; where
# the rank is just reached, its noise is largest. A curve through that dip says nothing of more data. shrinkage="auto", or Ridge, has
# none.
# The product names the size and fits what lies beyond it (docs/size-dependent-defaults.md, least_squares_rank).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages scikit-learn==1.9.1
seen <<'PYTHON'
import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression

rng = np.random.default_rng(0)
x, y = load_digits(return_X_y=True)
order = rng.permutation(len(y))
x, y = x[order], y[order]


def accuracy(n, **options):
    starts = range(0, 900, 90)
    fitted = (LinearDiscriminantAnalysis(**options).fit(x[s : s + n], y[s : s + n]) for s in starts)
    return round(float(np.mean([model.score(x[1000:], y[1000:]) for model in fitted])), 2)


numbers = rng.normal(size=(3000, 40))
target = numbers @ rng.normal(size=40) + rng.normal(0, 3, 3000)


def error(n):
    fitted = (LinearRegression().fit(numbers[s : s + n], target[s : s + n]) for s in range(0, 1000, 100))
    return round(float(np.median([np.mean((model.predict(numbers[2000:]) - target[2000:]) ** 2) for model in fitted])))


found = {n: accuracy(n) for n in (40, 65, 90)}
shrunk = {n: accuracy(n, solver="lsqr", shrinkage="auto") for n in found}
errors = {n: error(n) for n in (20, 41, 80)}
print(f"scikit-learn {sklearn.__version__}: accuracy by rows {found}, shrunk {shrunk}; squared error of least squares by rows {errors}")
assert found[65] < found[40] - 0.1 and found[65] < found[90] - 0.2, "the dip is gone"
assert shrunk[40] < shrunk[65] < shrunk[90]
assert errors[41] > 5 * errors[20] > 5 * errors[80], "least squares have no peak any more"
PYTHON
