"""What an estimator is made of, and that the table is true of the releases that are installed."""

from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from sufficiency.method.kinks.learner import Component, Data, Learner
from sufficiency.method.kinks.rules import met_by
from sufficiency.plugins.components import components_of
from sufficiency.plugins.estimators import EstimatorModel
from sufficiency.training.learners import known_of, known_of_plugin


class Mine(HistGradientBoostingClassifier):
    """A class of somebody's own."""


def pipeline_model(num_classes: int, depth: int = 3) -> EstimatorModel:
    """A pipeline."""
    return EstimatorModel(make_pipeline(StandardScaler(), PCA(2), Mine(max_depth=depth)), num_classes)


def network(num_classes: int) -> nn.Module:
    """A network, which nobody builds to look into it."""
    raise AssertionError("built")


def codes(model: Any, data: Data) -> set[str]:
    return {one.kink.code for one in met_by(Learner(tuple(components_of(model))), data)}


def test_pipelines_grids_and_ensembles_are_looked_into() -> None:
    parts = make_pipeline(ColumnTransformer([("one", PCA(3), [0, 1, 2, 3])]), SVC(gamma=0.1))
    search = GridSearchCV(VotingClassifier([("a", parts), ("b", LogisticRegression())]), {}, cv=StratifiedKFold(4))
    found = components_of(EstimatorModel(search, 2))
    assert [one.estimator for one in found] == [
        *("GridSearchCV", "VotingClassifier", "Pipeline", "LogisticRegression"),
        *("ColumnTransformer", "SVC", "PCA"),
    ]
    assert found[0].params["cv"] == 4
    assert found[-1].library == "scikit-learn"
    assert found[-1].version
    chosen = GridSearchCV(make_pipeline(StandardScaler()), {"standardscaler": [StandardScaler(), PCA(2)]})
    assert "PCA" in [one.estimator for one in components_of(chosen)]


def test_a_class_that_derives_from_the_librarys_has_its_thresholds() -> None:
    assert codes(Mine(), Data(4, 2, 0.5)) >= {"histogram_leaf", "histogram_early_stopping"}
    assert "histogram_early_stopping" not in codes(Mine(early_stopping=False), Data(4, 2, 0.5))


def test_a_plugin_is_looked_into_before_a_job_builds_it() -> None:
    known = known_of_plugin(pipeline_model)
    assert [one["estimator"] for one in known["components"]] == ["Pipeline", "StandardScaler", "PCA", "Mine"]
    assert known_of_plugin(network) == {}
    assert known_of(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))) == {"batch_norm": True}
    assert Component.from_dict(known["components"][-1]).is_one_of(["HistGradientBoostingClassifier"])


def separated(n: int) -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(n) % 2
    return (y + np.random.default_rng(0).normal(0, 0.05, n))[:, None], y


@pytest.mark.parametrize("estimator", [HistGradientBoostingClassifier(), LGBMClassifier(verbose=-1)])
def test_boosting_answers_a_constant_below_its_threshold(estimator: Any) -> None:
    [n] = [
        one.n
        for one in met_by(Learner(tuple(components_of(estimator))), Data(1, 2, 0.5))
        if one.kink.code.endswith("_leaf")
    ]
    assert n == 40
    x, y = separated(n - 2)
    assert len(np.unique(estimator.fit(x, y).predict(x))) == 1
    x, y = separated(n + 2)
    assert estimator.fit(x, y).score(x, y) > 0.9


@pytest.mark.parametrize(
    ("estimator", "kink", "below", "above"),
    [
        (HistGradientBoostingClassifier(categorical_features=[0], min_samples_leaf=1), "histogram_categories", 36, 40),
        (
            LGBMClassifier(verbose=-1, categorical_feature=[0], min_child_samples=1, min_data_in_bin=1),
            "lightgbm_categories",
            196,
            200,
        ),
    ],
    ids=["histogram", "lightgbm"],
)
@pytest.mark.filterwarnings("ignore:categorical_feature keyword has been found")  # and is used all the same
def test_boosting_does_not_see_categories_below_their_threshold(
    estimator: Any, kink: str, below: int, above: int
) -> None:
    assert kink in codes(estimator, Data(1, 2, 0.5))
    for n, right in ((below, 0.5), (above, 1.0)):
        category = np.arange(n) % 4
        x, y = category[:, None].astype(float), category % 2
        assert estimator.fit(x, y).score(x, y) == right


def test_least_squares_are_worst_at_as_many_items_as_features() -> None:
    x = np.random.default_rng(0).normal(size=(2000, 30))
    y = x.sum(axis=1) + np.random.default_rng(1).normal(0, 3, 2000)
    [n] = [one.n for one in met_by(Learner(tuple(components_of(LinearRegression()))), Data(30))]
    assert n == 62

    def error(items: int) -> float:
        starts = range(0, 1000, 100)
        fitted = (LinearRegression().fit(x[s : s + items], y[s : s + items]) for s in starts)
        return float(np.median([np.mean((model.predict(x[1000:]) - y[1000:]) ** 2) for model in fitted]))

    assert error(31) > 2 * error(15) > 2 * error(n)


def test_histogram_boosting_stops_early_from_the_threshold_on() -> None:
    few = HistGradientBoostingClassifier(max_iter=1, max_leaf_nodes=2)
    assert not few.fit(*separated(10_000)).do_early_stopping_
    assert few.fit(*separated(10_001)).do_early_stopping_
