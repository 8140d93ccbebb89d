"""What is kept of a cell beside its values: steps, what estimators settled by themselves, warnings."""

import json
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from lightgbm import LGBMClassifier
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from sufficiency.plugins.estimators import EstimatorModel
from sufficiency.training.details import MOST_BYTES, details_of, watched

X = np.random.default_rng(0).normal(size=(450, 4)).astype(np.float32)
Y = (X.sum(axis=1) > 0).astype(np.int64)


def fitted(estimator: Any, n: int = 450) -> dict[str, Any]:
    model = EstimatorModel(estimator, 2)
    with watched(model) as seen:
        model.fit(X[:n], Y[:n])
    return details_of(model, seen)


def test_the_steps_of_torchs_optimisers_are_counted() -> None:
    model = torch.nn.Linear(4, 2)
    with watched(model) as seen:
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.StepLR(optimiser, 1, 0.5)
        for _ in range(3):
            optimiser.zero_grad()
            model(torch.from_numpy(X)).sum().backward()
            optimiser.step()
            schedule.step()
    optimiser.step()  # nobody looks any more
    assert details_of(model, seen) == {
        "optimiser_steps": 3,
        "optimiser": {"name": "SGD", "first_lr": 0.1, "last_lr": 0.025},
    }


@pytest.mark.filterwarnings("default")
def test_what_an_estimator_settled_by_itself_is_kept() -> None:
    assert fitted(MLPClassifier(max_iter=3), 41)["settled"]["MLPClassifier"] == {
        "batch_size": 41,
        "n_iter_": 3,
        "n_layers_": 3,
    }
    assert fitted(MLPClassifier(max_iter=3))["settled"]["MLPClassifier"]["batch_size"] == 200
    small, large = (fitted(SVC(), n)["settled"]["SVC"]["_gamma"] for n in (20, 450))
    assert small != large
    boosted = fitted(HistGradientBoostingClassifier(max_iter=4))["settled"]["HistGradientBoostingClassifier"]
    assert (boosted["n_iter_"], boosted["do_early_stopping_"]) == (4, False)
    assert fitted(LGBMClassifier(n_estimators=3, verbose=-1))["settled"]["LGBMClassifier"]["n_estimators_"] == 3
    pipeline = fitted(make_pipeline(PCA(2), LogisticRegression()))["settled"]
    assert pipeline["PCA"]["_fit_svd_solver"] == "covariance_eigh"
    assert pipeline["LogisticRegression"]["n_iter_"] >= 1
    search = fitted(GridSearchCV(SVC(), {"C": [0.1, 10.0]}))["settled"]
    assert search["GridSearchCV"]["best_params_.C"] in (0.1, 10.0)
    assert "_gamma" in search["SVC"]
    assert list(fitted(RandomForestClassifier(5)).get("settled", {})) in ([], ["RandomForestClassifier"])


class CatBoostLike:
    """An estimator with CatBoost's own account of its parameters."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"iterations": 10}

    def fit(self, x: Any, y: Any) -> None:
        self.rate = 0.01 * len(x)

    def predict(self, x: Any) -> Any:
        raise NotImplementedError

    def get_all_params(self) -> dict[str, Any]:
        return {"learning_rate": self.rate, "l2_leaf_reg": 3, "many": list(range(1000))}


def test_catboosts_account_and_what_a_strategy_sets_are_kept() -> None:
    model = CatBoostLike()
    with watched(model) as seen:
        model.fit(X, Y)
    assert details_of(model, seen) == {"settled": {"CatBoostLike": {"learning_rate": 4.5, "l2_leaf_reg": 3}}}
    regression = LogisticRegression()
    with watched(regression) as seen:
        regression.set_params(C=1 / 450).fit(X, Y)
    assert details_of(regression, seen)["settled"]["LogisticRegression"]["C"] == 1 / 450


def test_warnings_are_kept_even_where_they_are_hidden_and_errors_stay_errors() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        [one] = fitted(MLPClassifier(max_iter=2))["warnings"]
        assert one["category"] == "ConvergenceWarning"
        assert "Maximum iterations" in one["message"]
        assert warnings.filters[0][0] == "ignore"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Warning), watched(None):
            warnings.warn("mind", UserWarning, stacklevel=1)


def test_it_is_bounded_and_draws_no_random_number() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with watched(None) as seen:
            for k in range(1000):
                warnings.warn(f"warning {k} " + "x" * 1000, UserWarning, stacklevel=1)
    assert len(details_of(None, seen)["warnings"]) == 20
    assert len(json.dumps(details_of(None, seen))) <= MOST_BYTES
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    with watched(torch.nn.BatchNorm1d(3)) as seen:
        pass
    assert details_of(SVC(), seen) == {}
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()  # noqa: NPY002
