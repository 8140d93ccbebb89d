#!/usr/bin/env bash
# scikit-learn 1.9.1: to write out a default changes what an estimator can be used for.
#
# Expected: StackingClassifier(estimators) is StackingClassifier(estimators, final_estimator=LogisticRegression()), which is what
# its documentation calls the default, and may stand where any classifier may. Seen: until it is fitted, the first has neither
# `predict` nor `predict_proba`, because both are asked of a final estimator that is still None; CalibratedClassifierCV,
# BaggingClassifier and TunedThresholdClassifierCV refuse it as no classifier, and take the second. Fitted, both are the same.
# The product asks the class whether an estimator can predict, and a fitted one whether it does.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages scikit-learn==1.9.1
seen <<'PYTHON'
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB

x, y = load_breast_cancer(return_X_y=True)


def stack(**settings):
    return StackingClassifier([("bayes", GaussianNB())], **settings)


def taken(around, inside):
    try:
        around(inside).fit(x, y)
    except ValueError as refusal:
        return type(refusal).__name__
    return "taken"


ways = {"left out": {}, "written out": {"final_estimator": LogisticRegression()}}
seen = {}
for way, settings in ways.items():
    fresh = stack(**settings)
    before = hasattr(fresh, "predict"), hasattr(fresh, "predict_proba")
    around = {
        kind.__name__: taken(kind, stack(**settings))
        for kind in (CalibratedClassifierCV, BaggingClassifier, TunedThresholdClassifierCV)
    }
    after = hasattr(fresh.fit(x, y), "predict"), type(fresh.final_estimator_).__name__
    seen[way] = before, after, set(around.values())
    print(f"scikit-learn {sklearn.__version__}: the default {way}: can predict before {before}, after {after}; {around}")
assert seen["left out"] == ((False, False), (True, "LogisticRegression"), {"InvalidParameterError"}), "it has changed"
assert seen["written out"] == ((True, True), (True, "LogisticRegression"), {"taken"}), "it has changed"
PYTHON
