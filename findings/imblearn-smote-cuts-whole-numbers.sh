#!/usr/bin/env bash
# imbalanced-learn 0.14.2: SMOTE of features that are stored as integers makes items that are smaller than those that it is made of.
#
# Expected: a synthetic item lies between two real ones, whatever type holds their numbers. Seen: it does, and is then cast to the type of
# the features, which cuts what follows the point: of a 0/1 feature that half of the minority has, every value below 1 is 0, so that
# a quarter to a third of the synthetic items have it, and of an age some of the last year is lost. As floats, the same rows keep their means. A
# classifier learns that the rare class lacks the feature. Types are kept on purpose (#450); rounding is not spoken of.
# The product hands features to estimators as floats (sufficiency/plugins/estimators.py).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages imbalanced-learn==0.14.2 scikit-learn==1.9.1
seen <<'PYTHON'
import imblearn
import numpy as np
from imblearn.over_sampling import SMOTE

rng = np.random.default_rng(0)
x = np.c_[rng.integers(0, 2, (2000, 4)), rng.integers(18, 80, 2000)]
y = (np.arange(2000) % 10 == 0).astype(int)


def made(dtype):
    """The means of the synthetic items."""
    return SMOTE(random_state=0).fit_resample(x.astype(dtype), y)[0][2000:].mean(axis=0).round(2).tolist()


real, floats, integers = x[y == 1].mean(axis=0).round(2).tolist(), made(float), made(int)
print(f"imbalanced-learn {imblearn.__version__}: means of the minority {real}; of what is made of floats {floats}, of integers {integers}")
assert all(abs(a - b) < 0.1 for a, b in zip(real[:4], floats[:4]))
assert all(b < a - 0.1 for a, b in zip(real[:4], integers[:4])) and integers[4] < floats[4] - 0.1, "they are no longer cut"
PYTHON
