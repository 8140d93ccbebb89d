"""What does not go together is refused before a job is queued, with what would run."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.servers import Servers, new_database
from tests.support.service import Service, problem, running
from tests.support.tasks import offer_built_in_plugins


@pytest.fixture(scope="module")
def service(servers: Servers) -> Iterator[Service]:
    """The running API with the built-in plugins and a dataset of each task."""
    with new_database(servers) as url, running(url, servers.redis_url) as service:
        offer_built_in_plugins(service)
        yield service


def body(dataset: str, model: Any, training: str, evaluation: str, **more: Any) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "model": {"name": model} if isinstance(model, str) else model,
        "training": {"name": training},
        "evaluation": {"name": evaluation},
        **more,
    }


def sklearn(estimator: str) -> dict[str, Any]:
    return {"name": "sklearn", "params": {"estimator": estimator}}


@pytest.mark.parametrize(
    ("spec", "errors", "instead"),
    [
        (
            body("regression", "mlp", "sgd-classifier", "regression"), {"#/training": "numbers to predict"},
            "model mlp, training sgd-regressor, evaluation regression",
        ),
        (
            body("regression", "mlp", "sgd-regressor", "classification"), {"#/evaluation": "numbers to predict"},
            "evaluation regression",
        ),
        (
            body("regression", sklearn("LogisticRegression"), "fit-estimator", "regression"),
            {"#/model/params/estimator": "LogisticRegression is for classification"},
            "model sklearn with estimator 'LinearRegression'",
        ),
        (
            body("classification", sklearn("Ridge"), "fit-estimator", "classification"),
            {"#/model/params/estimator": "Ridge is for regression"}, "'RidgeClassifier'",
        ),
        (
            body("classification", "mlp", "sgd-regressor", "regression"),
            {"#/training": "one class an item", "#/evaluation": "one class an item"}, "training sgd-classifier",
        ),
        (
            body("classification", "linear", "fit-estimator", "classification"),
            {"#/training": "fit-estimator trains scikit-learn estimators"}, "training sgd-classifier",
        ),
        (
            body("multilabel", "mlp", "sgd-classifier", "classification"),
            {"#/training": "several labels an item", "#/evaluation": "several labels an item"},
            "model mlp, training sgd-multilabel, evaluation multilabel",
        ),
        (
            body("object-detection", "mlp", "sgd-classifier", "classification"),
            {"#/model": "holds boxes", "#/training": "holds boxes", "#/evaluation": "holds boxes"}, "",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/jobs", "/jobs?dry_run=true"])
def test_what_does_not_go_together_is_refused(
    service: Service, path: str, spec: dict[str, Any], errors: dict[str, str], instead: str
) -> None:
    refused = problem(service.client.post(path, json=spec), 422, "invalid_job")
    found = {error["pointer"]: error["detail"] for error in refused["errors"]}
    assert set(found) == set(errors)
    for pointer, says in errors.items():
        assert says in found[pointer]
        assert instead in found[pointer]


@pytest.mark.parametrize(
    "spec",
    [
        body("classification", "linear", "sgd-classifier", "classification", reset={"name": "reset-parameters"}),
        body("classification", sklearn("SVC"), "fit-estimator", "classification"),
        body("regression", sklearn("SVR"), "fit-estimator", "regression"),
        body("multilabel", "small-resnet", "sgd-multilabel", "multilabel"),
        body("multilabel", sklearn("RandomForestClassifier"), "fit-estimator", "multilabel"),
        body("regression", "small-resnet", "sgd-regressor", "regression"),
    ],
)
def test_what_goes_together_is_planned(service: Service, spec: dict[str, Any]) -> None:
    assert service.client.post("/jobs?dry_run=true", json=spec).status_code == 200


def test_all_that_is_wrong_is_said_at_once(service: Service) -> None:
    spec = body("regression", "mlp", "sgd-classifier", "classification")
    spec["model"] = {"name": "mlp", "params": {"dropout": 2}}
    refused = problem(service.client.post("/jobs", json=spec), 422)
    assert {e["pointer"] for e in refused["errors"]} == {"#/model/params/dropout", "#/training", "#/evaluation"}


def test_plugins_of_strangers_are_for_anything(service: Service) -> None:
    from app.catalog.plugins import advertise
    from tests.support.service import PLUGINS

    silent = [plugin | {"name": f"my-{plugin['name']}", "capabilities": {}} for plugin in PLUGINS]
    with service.database.transaction() as session:
        advertise(session, silent)
    for dataset in ("classification", "regression", "multilabel", "object-detection"):
        spec = body(dataset, "my-mlp", "my-sgd-classifier", "my-classification")
        assert service.client.post("/jobs?dry_run=true", json=spec).status_code == 200


def test_the_catalog_says_what_a_plugin_is_for(service: Service) -> None:
    told = service.client.get("/plugins/training/sgd-classifier").json()["capabilities"]
    assert told == {"tasks": ["classification"], "families": ["network"], "stacks": True}
    told = service.client.get("/plugins/model/sklearn").json()["capabilities"]
    assert told["families"] == ["estimator"]
    assert told["tasks_by"]["tasks"]["SVC"] == ["classification"]
