#!/usr/bin/env bash
# scikit-learn 1.9.1: the largest decision value of an SVC is often not the class that it predicts.
#
# Expected: with three and more classes, argmax over `decision_function` is `predict`. Seen: for `decision_function_shape="ovo"`
# the columns are pairs of classes, not classes (three of each look alike when there are three classes), and with the default
# "ovr" ties of votes are broken differently unless `break_ties=True`. Who measures accuracy from the scores gets another
# model's accuracy than `score` says.
# The product takes labels from `predict` and only score metrics from scores.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages scikit-learn==1.9.1
seen <<'PYTHON'
import numpy as np
import sklearn
from sklearn.datasets import make_classification
from sklearn.svm import SVC

x, y = make_classification(
    900, 12, n_informative=6, n_classes=3, n_clusters_per_class=2, flip_y=0.1, class_sep=0.8, random_state=1
)
model = SVC(decision_function_shape="ovo").fit(x[:300], y[:300])
own = model.score(x[300:], y[300:])
rebuilt = float(np.mean(model.decision_function(x[300:]).argmax(axis=1) == y[300:]))
print(f"scikit-learn {sklearn.__version__}: SVC(ovo), three classes: score {own:.3f}, by its largest decision value {rebuilt:.3f}")
assert own - rebuilt > 0.2, "the columns name classes now"
PYTHON
