#!/usr/bin/env bash
# LightGBM 4.7.0: a categorical_feature of the constructor is used, while a warning says that it is ignored.
#
# Expected: after "categorical_feature keyword has been found in `params` and will be ignored" the features are numbers. Seen: they are
# categories, exactly as where they are named to fit(), and the model is another than without: only LightGBM's own Python side passes
# the parameter over, and its library reads it (#4017 asks which holds). Who believes the warning reports another model than was
# trained.
# The product names the thresholds of categories where the parameter is set (docs/size-dependent-defaults.md, lightgbm_categories).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages lightgbm==4.7.0 scikit-learn==1.9.1
seen <<'PYTHON'
import warnings

import lightgbm
import numpy as np

category = np.arange(1000) % 8
x, y = category[:, None].astype(float), np.isin(category, [0, 3, 6]).astype(int)


def scores(to_constructor, to_fit):
    model = lightgbm.LGBMClassifier(n_estimators=3, num_leaves=2, verbose=-1, **to_constructor)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(x, y, **to_fit)
    return model.predict_proba(x), any("will be ignored" in str(one.message) for one in told)


(numbers, _), (named, _), (ignored, told) = (
    scores({}, {}), scores({}, {"categorical_feature": [0]}), scores({"categorical_feature": [0]}, {})
)
same = np.array_equal(ignored, named), np.array_equal(ignored, numbers)
print(f"lightgbm {lightgbm.__version__}: it says that it ignores them: {told}; as categories: {same[0]}; as numbers: {same[1]}")
assert not np.array_equal(named, numbers)
assert told and same == (True, False), "the warning and the model agree now"
PYTHON
