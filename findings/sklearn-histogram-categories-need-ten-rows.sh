#!/usr/bin/env bash
# scikit-learn 1.9.1: HistGradientBoosting does not see a category of fewer than ten rows, whatever min_samples_leaf says.
#
# Expected: with min_samples_leaf=1 a categorical feature that tells the class is learnt from a few rows of each category, as it is when
# it is passed as a number. Seen: accuracy .5 with nine rows of each category, 1.0 with ten, for 2, 4 or 20 categories: the search for a
# split passes over categories below a constant of the source (MIN_CAT_SUPPORT = 10), which no parameter and no page of the
# documentation names. #19008 is open.
# The product names the threshold where categorical_features is set (docs/size-dependent-defaults.md, histogram_categories).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages scikit-learn==1.9.1
seen <<'PYTHON'
import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier


def accuracy(rows, categories, **options):
    """On as many categories, of `rows` rows each, of which the odd ones are one class and the even ones the other."""
    category = np.repeat(np.arange(categories), rows)
    model = HistGradientBoostingClassifier(min_samples_leaf=1, max_iter=30, early_stopping=False, **options)
    x, y = category[:, None].astype(float), category % 2
    return model.fit(x, y).score(x, y)


found = {(k, rows): accuracy(rows, k, categorical_features=[0]) for k in (2, 4, 20) for rows in (9, 10)}
numbers = {(k, rows): accuracy(rows, k) for k, rows in found}
print(f"scikit-learn {sklearn.__version__}: accuracy by (categories, rows of each): {found}; passed as a number {set(numbers.values())}")
assert set(numbers.values()) == {1.0}
assert all(value == (0.5 if rows == 9 else 1.0) for (_, rows), value in found.items()), "the threshold moved"
PYTHON
