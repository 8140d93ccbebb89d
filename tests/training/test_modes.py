"""A model that is still in training mode when it is evaluated is told of; one that is not, or is put back, is not."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from sklearn.metrics import precision_score
from torch import nn

from sufficiency.answers.learner import learner_warnings
from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.training.unit import UnitPlan
from tests.training.test_loop import Log, Parts, run_cells

X = torch.ones(4, 3)


def as_it_is(model: nn.Module) -> None:
    model(X)


def in_evaluation(model: nn.Module) -> None:
    model.eval()
    model(X)


def put_back(model: nn.Module) -> None:
    in_evaluation(model)
    model.train()


class Train:
    def train(self, model: nn.Module, dataset: Any, indices: Any) -> None:
        model.train()
        with torch.no_grad():
            model[0].weight += 1  # type: ignore[index, operator]


DROPOUT = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
NORM = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))


@pytest.mark.parametrize("protocol", ["independent", "dataeval"])
@pytest.mark.parametrize(
    ("model", "ask", "told"),
    [
        pytest.param(DROPOUT, as_it_is, True, id="dropout"),
        pytest.param(NORM, as_it_is, True, id="batch-norm"),
        pytest.param(DROPOUT, in_evaluation, False, id="dropout-eval"),
        pytest.param(NORM, put_back, False, id="batch-norm-put-back"),
        pytest.param(DROPOUT, put_back, False, id="dropout-put-back"),
        pytest.param(nn.Sequential(nn.Linear(3, 3), nn.Dropout(0)), as_it_is, False, id="drops-nothing"),
    ],
)
def test_a_model_that_is_evaluated_in_training_is_told_of(
    model: Any, ask: Callable[[nn.Module], None], told: bool, protocol: Any
) -> None:
    parts, log = Parts(training=Train(), ready_made=model), Log()
    parts.evaluation.evaluate = lambda model, dataset: {"x": float(ask(model) is None)}
    run_cells(UnitPlan(seed=1, protocol=protocol, device="cpu", cells=[UnitCell(0, 0, 4)]), parts, log)
    [result] = [one for one in log.told if isinstance(one, CellResult)]
    assert [one["category"] for one in result.details.get("warnings", [])] == ["EvaluatedInTraining"] * told
    assert not torch.nn.modules.module._global_forward_pre_hooks


@pytest.mark.filterwarnings("default")
def test_what_a_library_warns_of_while_it_measures_is_kept() -> None:
    def measure(model: Any, dataset: Any) -> dict[str, float]:
        return {"Precision": float(precision_score([0, 1], [0, 0]))}

    parts, log = Parts(training=Train(), ready_made=nn.Sequential(nn.Linear(3, 3))), Log()
    parts.evaluation.evaluate = measure
    run_cells(UnitPlan(seed=1, protocol="independent", device="cpu", cells=[UnitCell(0, 0, 4)]), parts, log)
    [result] = [one for one in log.told if isinstance(one, CellResult)]
    [told] = result.details["warnings"]
    assert told["category"] == "UndefinedMetricWarning of the evaluation"
    assert "Precision is ill-defined" in told["message"]
    [said] = learner_warnings([(4, result.details)])
    assert said["code"] == "training_warned"
    assert said["detail"].startswith("UndefinedMetricWarning of the evaluation in 1 of 1 cells (n = 4): Precision is")
