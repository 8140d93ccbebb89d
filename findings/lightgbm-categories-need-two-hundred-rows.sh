#!/usr/bin/env bash
# LightGBM 4.7.0: a categorical feature of four categories or more is not used below 200 rows, however few rows a leaf may have.
#
# Expected: min_data_per_group=100, which the documentation calls the "minimal number of data per categorical group", concerns large
# groups of rare categories. Seen: each side of a split of categories must have 100 rows, so that no categorical feature is split below
# 200, with min_child_samples=1 too: accuracy .5 at 199 rows, 1.0 at 200. Three categories are tried one against the rest, and know no
# such limit. What is counted is not what the documentation says: #5669, open.
# The product names the threshold where categorical_feature is set (docs/size-dependent-defaults.md, lightgbm_categories).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages lightgbm==4.7.0 scikit-learn==1.9.1
seen <<'PYTHON'
import lightgbm
import numpy as np


def accuracy(n, categories, **options):
    category = np.arange(n) % categories
    given = {"categorical_feature": [0], "min_child_samples": 1, "min_data_in_bin": 1, "n_estimators": 30, "verbose": -1}
    x, y = category[:, None].astype(float), category % 2
    return round(lightgbm.LGBMClassifier(**given | options).fit(x, y).score(x, y), 2)


found = {(k, n): accuracy(n, k) for k in (3, 4, 20) for n in (60, 198, 200)}
lowered = {(k, n): accuracy(n, k, min_data_per_group=1, cat_smooth=1) for k, n in found}
print(f"lightgbm {lightgbm.__version__}: accuracy by (categories, rows): {found}; with min_data_per_group=1 {set(lowered.values())}")
assert set(lowered.values()) == {1.0}
assert all(value == 1.0 for (k, n), value in found.items() if k == 3 or n == 200)
assert all(value == 0.5 for (k, n), value in found.items() if k > 3 and n < 200), "the threshold moved"
PYTHON
