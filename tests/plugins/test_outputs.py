"""What a model answers is held to the dataset before anything is trained: width, task and scale."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn
from torch.nn import functional as F

from sufficiency.data.arrays import ArrayDataset
from sufficiency.plugins.estimators import EstimatorModel, FitEstimator
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.models import MLP, Linear, SmallResNet
from sufficiency.plugins.multilabel import SGDMultilabel
from sufficiency.plugins.outputs import WrongOutput, expect_task
from sufficiency.plugins.regression import Regression, SGDRegressor
from sufficiency.plugins.training import SGDClassifier
from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.training.faults import Fault
from sufficiency.training.loop import run_cells
from sufficiency.training.unit import UnitPlan

X = np.random.default_rng(0).random((90, 3, 6, 6)).astype(np.float32)


def classes(count: int) -> ArrayDataset:
    return ArrayDataset(X, np.arange(90) % count, [f"class {k}" for k in range(count)])


LABELS = ArrayDataset(X, (X[:, 0, 0, :3] > 0.5).astype(np.float32), ["a", "b", "c"])
NUMBERS = ArrayDataset(X, X.reshape(90, -1).sum(axis=1), None)


class Net(nn.Module):
    """A linear layer, and what comes after it."""

    def __init__(self, outputs: int, after: Callable[[Any], Any] = lambda z: z) -> None:
        super().__init__()
        self.layer, self.after = nn.Linear(108, outputs), after

    def forward(self, x: Any) -> Any:
        return self.after(self.layer(x.flatten(1)))


def half(z: torch.Tensor) -> torch.Tensor:
    p = z.sigmoid()
    return torch.cat([1 - p, p], dim=1)


@pytest.mark.parametrize(
    ("model", "count", "says"),
    [
        (Net(1), 2, r"one number an item \(shape \(32, 1\)\), and the dataset has 2 classes.*make the two \[0, z\]"),
        (Net(1, torch.sigmoid), 2, "one number an item"),
        (Net(1, lambda z: z.sigmoid()[:, 0]), 2, r"one number an item \(shape \(32,\)\)"),
        (Net(1), 3, "the dataset has 3 classes"),
        (Net(2), 3, r"outputs of shape \(32, 2\), and the dataset has 3 classes.*\(32, 3\). Take num_classes"),
        (Net(1000), 3, r"outputs of shape \(32, 1000\)"),
        (Net(27, lambda z: z.reshape(-1, 3, 3, 3)), 3, r"outputs of shape \(32, 3, 3, 3\)"),
        (Net(3, lambda z: z.softmax(1)), 3, r"probabilities \(it ends in a softmax\), and logits are wanted"),
        (Net(3, nn.Softmax(dim=1)), 3, "ends in a softmax"),
        (Net(3, lambda z: z.exp() / z.exp().sum(1, keepdim=True)), 3, "ends in a softmax"),
        (Net(3, lambda z: z.softmax(1).double().clone()), 3, "ends in a softmax"),
        (Net(3, nn.Sigmoid()), 3, "ends in a sigmoid"),
        (Net(1, half), 2, "ends in a s"),
        (Net(3, lambda z: {"logits": z}), 3, "answers a dict with logits, and the built-in strategies need a tensor"),
        (Net(3, lambda z: (z, None)), 3, "answers a tuple, and"),
    ],
)
def test_outputs_that_are_not_the_logits_of_the_classes_are_refused(model: Any, count: int, says: str) -> None:
    for strategy in (SGDClassifier(), Classification()):
        with pytest.raises(WrongOutput, match=says):
            strategy.check_model(model, classes(count))
    assert model.training


def zeroed(outputs: int) -> Net:
    net = Net(outputs)
    nn.init.zeros_(net.layer.weight)
    nn.init.zeros_(net.layer.bias)
    return net


@pytest.mark.parametrize(
    "model",
    [
        Linear((3, 6, 6), 3),
        MLP((3, 6, 6), 3),
        SmallResNet((3, 6, 6), 3),
        Net(3, lambda z: z.log_softmax(1)),
        Net(3, lambda z: z.softmax(1).log()),
        Net(3, nn.ReLU()),
        Net(3, lambda z: z * z.sigmoid()),
        Net(3, lambda z: F.layer_norm(z, (3,)) * 0.01 + 0.5),
        zeroed(3),
        nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.Sigmoid(), nn.LazyLinear(3)),
        Net(3).double(),
        Net(3).to(torch.bfloat16),
    ],
)
def test_logits_of_every_kind_are_let_by(model: Any) -> None:
    for strategy in (SGDClassifier(), Classification(["accuracy", "auroc", "log_loss"])):
        strategy.check_model(model, classes(3))


def test_probabilities_do_where_only_the_largest_counts() -> None:
    Classification(["accuracy", "f1", "recall_per_class"]).check_model(Net(3, nn.Softmax(dim=1)), classes(3))


def frozen() -> nn.Module:
    return Net(3).requires_grad_(requires_grad=False)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        pytest.param(
            EstimatorModel(GaussianNB(), 3), r"estimator \(GaussianNB\).*take the training fit-estimator", id="fit"
        ),
        pytest.param(GaussianNB(), r"estimator \(GaussianNB\).*take the training fit-estimator", id="bare"),
        pytest.param(frozen(), "nothing to train in the model: all of its parameters are frozen", id="frozen"),
        pytest.param(nn.Flatten(), "nothing to train in the model: it has no parameters", id="none"),
    ],
)
@pytest.mark.parametrize(
    ("strategy", "dataset"),
    [
        pytest.param(SGDClassifier(), classes(3), id="classes"),
        pytest.param(SGDRegressor(), NUMBERS, id="numbers"),
        pytest.param(SGDMultilabel(), LABELS, id="labels"),
    ],
)
def test_what_no_gradient_moves_is_refused_before_it_is_trained(
    model: Any, said: str, strategy: Any, dataset: ArrayDataset
) -> None:
    with pytest.raises(WrongOutput, match=said):
        strategy.check_model(model, dataset)


def test_a_compiled_model_is_looked_at_without_compiling_it() -> None:
    compiled: Any = torch.compile(Net(3, nn.Softmax(dim=1)), backend="eager")
    with pytest.raises(WrongOutput, match="softmax"):
        Classification().check_model(compiled, classes(3))


def test_a_regression_needs_one_number_an_item() -> None:
    for strategy in (SGDRegressor(), Regression()):
        strategy.check_model(Net(1), NUMBERS)
        strategy.check_model(Net(1, lambda z: z[:, 0]), NUMBERS)
        with pytest.raises(WrongOutput, match=r"shape \(32, 3\).*one number to predict"):
            strategy.check_model(Net(3), NUMBERS)


@pytest.mark.parametrize(
    ("after", "ending"), [(nn.Softmax(dim=1), "softmax"), (nn.Sigmoid(), "sigmoid")], ids=["softmax", "sigmoid"]
)
def test_a_regression_on_standardised_targets_needs_any_number(after: Any, ending: str) -> None:
    with pytest.raises(
        WrongOutput, match=rf"between 0 and 1 alone \(it ends in a {ending}\).*Leave the last layer out"
    ):
        SGDRegressor().check_model(Net(1, after), NUMBERS)
    Regression().check_model(Net(1, after), NUMBERS)  # a training of one's own may have targets in [0, 1]
    SGDRegressor().check_model(Net(1, nn.ReLU()), NUMBERS)


@pytest.mark.parametrize("strategy", [SGDClassifier(), Classification()])
def test_what_is_for_classes_refuses_numbers(strategy: Any) -> None:
    for call in (lambda: strategy.check_model(Net(1), NUMBERS), lambda: called(strategy, Net(1), NUMBERS)):
        with pytest.raises(
            TypeError, match=r"is for classification, and the dataset holds numbers to predict: use .*regress"
        ):
            call()


@pytest.mark.parametrize("strategy", [SGDRegressor(), Regression()])
def test_what_is_for_numbers_refuses_classes(strategy: Any) -> None:
    for call in (lambda: strategy.check_model(Net(3), classes(3)), lambda: called(strategy, Net(3), classes(3))):
        with pytest.raises(TypeError, match=r"is for regression, and the dataset holds classes: use .*classif"):
            call()


def called(strategy: Any, model: Any, dataset: Any) -> None:
    if hasattr(strategy, "train"):
        strategy.train(model, dataset, [0, 1, 2])
    else:
        strategy.evaluate(model, dataset)


def test_an_estimator_is_of_the_kind_of_its_targets() -> None:
    from sklearn.cluster import KMeans
    from sklearn.ensemble import IsolationForest
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    for strategy in (FitEstimator(), Classification()):
        strategy.check_model(EstimatorModel(LogisticRegression(), 3), classes(3))
        with pytest.raises(TypeError, match="Ridge is a regressor, and the dataset's targets are classes"):
            strategy.check_model(EstimatorModel(Ridge(), 3), classes(3))
        for other, kind in ((KMeans(3), "a clusterer"), (make_pipeline(IsolationForest()), "an outlier detector")):
            with pytest.raises(TypeError, match=f"is {kind}: it does not learn"):
                strategy.check_model(EstimatorModel(other, 3), classes(3))
    with pytest.raises(TypeError, match="LogisticRegression is a classifier, and the dataset's targets are numbers"):
        FitEstimator().check_model(EstimatorModel(LogisticRegression(), 1), NUMBERS)


class Job:
    """A study of a model on three classes."""

    def __init__(self, model: Callable[[], Any]) -> None:
        self.train = self.test = classes(3)
        self.labels, self.class_names = self.train.y, self.train.class_names
        self.training, self.evaluation, self.reset = (
            SGDClassifier(epochs=1),
            Classification(["accuracy", "log_loss"]),
            None,
        )
        self.names = {kind: f"{kind}:it" for kind in ("model", "training", "evaluation", "reset")}
        self.model = model


class Recorded(list[CellResult]):
    """What was measured, and which cells were begun."""

    def started(self, cell: UnitCell) -> None:
        pass

    def record(self, result: CellResult) -> None:
        self.append(result)

    def give_up(self, cell: UnitCell, error: Fault) -> None:
        raise error


def test_a_job_of_the_version_before_is_continued_as_it_was_begun() -> None:
    job = Job(lambda: Net(3, nn.Softmax(dim=1)))
    recorded = Recorded()
    run_cells(UnitPlan(seed=0, protocol="independent", device="cpu", cells=[UnitCell(0, 0, 20)]), job, recorded)  # type: ignore[arg-type]
    assert len(recorded) == 1


@pytest.mark.parametrize("protocol", ["independent", "dataeval"])
def test_a_job_ends_before_its_first_cell_is_spent(protocol: Any) -> None:
    recorded = Recorded()
    unit = UnitPlan(seed=0, protocol=protocol, device="cpu", sampling=2, cells=[UnitCell(run=0, step=0, n=20)])
    with pytest.raises(Fault) as caught:
        run_cells(unit, Job(lambda: Net(2)), recorded)  # type: ignore[arg-type]
    error = caught.value.error
    assert error["code"] == "model_unfit"
    assert error["where"] == {"plugin": "model:it", "phase": "check"}
    assert (
        "model:it does not go with training:it and this dataset: the model answers outputs of shape (32, 2)"
        in error["detail"]
    )
    assert recorded == []


@pytest.mark.parametrize("protocol", ["independent", "dataeval"])
def test_the_look_changes_nothing_of_what_is_measured(protocol: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured() -> list[Any]:
        recorded = Recorded()
        cells = [UnitCell(run=run, step=step, n=n) for run in (0, 1) for step, n in enumerate((20, 60))]
        unit = UnitPlan(seed=5, protocol=protocol, device="cpu", sampling=2, cells=cells)
        run_cells(unit, Job(lambda: MLP((3, 6, 6), 3, dropout=0.5)), recorded)  # type: ignore[arg-type]
        return [(cell.run, cell.step, cell.values) for cell in recorded]

    looked = measured()
    monkeypatch.setattr("sufficiency.training.loop.check_model", lambda *_: None)
    assert measured() == looked


@pytest.mark.parametrize(
    ("y", "names", "strategy", "task", "said"),
    [
        pytest.param(np.eye(2)[[0, 1]] + [[0, 1], [1, 0]], "ab", "sgd-classifier", "classification",
                     "several labels an item: use sgd-multilabel", id="multilabel"),
        pytest.param([0.5, 1.5], None, "sgd-classifier", "classification",
                     "numbers to predict: use sgd-regressor", id="regression"),
        pytest.param([0, 1], "ab", "sgd-regressor", "regression",
                     "classes: use sgd-classifier, or have it read with task=regression", id="classes"),
        pytest.param([0.5, 1.5], None, "the evaluation multilabel", "multilabel",
                     "numbers to predict: use the evaluation regression", id="evaluation"),
    ],
)  # fmt: skip
def test_what_goes_with_a_dataset_is_the_one_that_is_named(
    y: Any, names: Any, strategy: str, task: str, said: str
) -> None:
    dataset = ArrayDataset(np.zeros((2, 3), np.float32), np.array(y), names, "mine")
    with pytest.raises(TypeError, match=f"{said}$"):
        expect_task(task, dataset, strategy)
