"""What goes together is told from what plugins say, and the nearest combination keeps most of what was asked for."""

from typing import Any

import pytest

from sufficiency.method.combination import Part, misfits, nearest
from sufficiency.training.registry import Registry

PLUGINS = {(p.kind, p.name): p for p in Registry.load().describe()}


def part(kind: str, name: str, params: Any = None) -> Part:
    described = PLUGINS[kind, name]
    return Part.described(
        kind, name, described.capabilities, params or {}, needs=bool(described.params_schema.get("required"))
    )


OFFERED = [part(kind, name) for kind, name in PLUGINS]


def parts(model: str, training: str, evaluation: str, **params: Any) -> dict[str, Part]:
    return {
        "model": part("model", model, params),
        "training": part("training", training),
        "evaluation": part("evaluation", evaluation),
    }


@pytest.mark.parametrize(
    ("named", "task", "places", "says", "instead"),
    [
        (("mlp", "sgd-classifier", "classification"), "classification", [], "", None),
        (("mlp", "sgd-regressor", "regression"), "regression", [], "", None),
        (
            ("mlp", "sgd-classifier", "regression"), "regression", ["training"],
            "sgd-classifier is for classification, and dataset 'd' holds numbers to predict (regression)",
            ["mlp", "sgd-regressor", "regression"],
        ),
        (
            ("mlp", "sgd-regressor", "classification"), "regression", ["evaluation"],
            "classification is for classification, and dataset 'd' holds numbers to predict (regression)",
            ["mlp", "sgd-regressor", "regression"],
        ),
        (
            ("small-resnet", "sgd-regressor", "regression"), "classification", ["training", "evaluation"],
            "sgd-regressor is for regression, and dataset 'd' holds one class an item (classification)",
            ["small-resnet", "sgd-classifier", "classification"],
        ),
        (
            ("linear", "fit-estimator", "classification"), "classification", ["training"],
            "fit-estimator trains scikit-learn estimators, and linear is of the networks",
            ["linear", "sgd-classifier", "classification"],
        ),
        (
            ("mlp", "lightning", "regression"), "regression", ["training"],
            "lightning trains LightningModules, and mlp is of the networks", ["mlp", "sgd-regressor", "regression"],
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_named_with_what_does(
    named: Any, task: str, places: list[str], says: str, instead: list[str] | None
) -> None:
    asked = parts(*named)
    found = misfits(asked, task, "d")
    assert [misfit.place[0] for misfit in found] == places
    if instead is not None:
        assert found[0].detail == says
        better = nearest(asked, task, OFFERED)
        assert better is not None
        assert [better[kind].name for kind in ("model", "training", "evaluation")] == instead
        assert misfits(better, task, "d") == []


@pytest.mark.parametrize(
    ("estimator", "task", "other"),
    [
        ("LogisticRegression", "regression", "LinearRegression"),
        ("RandomForestClassifier", "regression", "RandomForestRegressor"),
        ("SVC", "regression", "SVR"),
        ("KNeighborsRegressor", "classification", "KNeighborsClassifier"),
        ("Ridge", "classification", "RidgeClassifier"),
    ],
)
def test_an_estimator_has_its_counterpart(estimator: str, task: str, other: str) -> None:
    asked = parts("sklearn", "fit-estimator", task, estimator=estimator)
    [misfit] = misfits(asked, task, "d")
    assert misfit.place == ("model", "params", "estimator")
    assert misfit.detail.startswith(f"{estimator} is for ")
    better = nearest(asked, task, OFFERED)
    assert better is not None
    assert str(better["model"]) == f"model sklearn with estimator {other!r}"


def test_what_says_nothing_fits_everywhere_and_is_suggested_last() -> None:
    silent = {kind: Part(kind, "mine") for kind in ("model", "training", "evaluation")}
    for task in ("classification", "regression", "multilabel", "object-detection", "segmentation"):
        assert misfits(silent, task, "d") == []
    asked = silent | {"training": part("training", "sgd-regressor")}
    better = nearest(asked, "classification", [*OFFERED, *silent.values()])
    assert better is not None
    assert [str(one) for one in better.values()] == ["model mine", "training sgd-classifier", "evaluation mine"]


def test_what_nothing_is_for_has_no_better() -> None:
    asked = parts("mlp", "sgd-classifier", "classification")
    found = misfits(asked, "object-detection", "boxes")
    assert [misfit.place[0] for misfit in found] == ["model", "training", "evaluation"]
    assert "dataset 'boxes' holds boxes (detection)" in found[0].detail
    assert nearest(asked, "object-detection", OFFERED) is None
    assert "dataset 'd' is for segmentation" in misfits(asked, "segmentation", "d")[0].detail


def test_any_model_whose_estimator_is_not_known_is_taken_as_it_is_asked_for() -> None:
    assert (
        misfits(parts("sklearn", "fit-estimator", "regression", estimator="NewInNextRelease"), "regression", "d") == []
    )
