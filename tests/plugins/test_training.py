"""The built-in strategies to the letter: how many steps, which batches, and metrics equal to the tutorial's own."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sufficiency.data.arrays import ArrayDataset
from sufficiency.plugins.datasets import load_digits
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.models import MLP, Linear, TutorialCNN
from sufficiency.plugins.reset import ResetParameters, resettable
from sufficiency.plugins.training import SGDClassifier

EXTERNAL = Path(__file__).resolve().parents[1] / "external"
ALL = ["accuracy", "auroc", "tpr_at_fpr", "f1", "log_loss", "recall_per_class"]


@pytest.fixture
def tutorial(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tutorial's classes, as their user would import them."""
    monkeypatch.syspath_prepend(str(EXTERNAL))
    import tutorial_plugins

    return tutorial_plugins


class Recorder(Linear):
    """Keeps the size of each batch it was trained on."""

    def __init__(self) -> None:
        super().__init__((1, 8, 8), 10)
        self.sizes: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(x))
        return super().forward(x)


def normalised() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))


@pytest.mark.parametrize(
    ("items", "batch_size", "epoch"),
    [(25, 8, [8, 8, 8, 1]), (24, 8, [8, 8, 8]), (5, 8, [5]), (3, 1, [1, 1, 1]), (1, 8, [1])],
)
def test_an_epoch_has_the_batches_that_the_tutorials_loader_makes(
    items: int, batch_size: int, epoch: list[int]
) -> None:
    model = Recorder()
    SGDClassifier(epochs=2, batch_size=batch_size).train(model, load_digits(), range(items))
    assert model.sizes == epoch * 2


@pytest.mark.parametrize(("items", "least"), [(17, 30), (8, 30), (33, 31)])
def test_min_steps_are_really_made(items: int, least: int) -> None:
    model = Recorder()
    SGDClassifier(epochs=1, min_steps=least).train(model, load_digits(), range(items))
    assert len(model.sizes) >= least


@pytest.mark.parametrize("items", [1, 2, 9, 17])
def test_batch_normalisation_trains_on_any_number_of_items(items: int) -> None:
    model = normalised()
    SGDClassifier(epochs=2, batch_size=8).train(model, load_digits(), range(items))
    values = Classification(ALL).evaluate(model, load_digits("test"))
    assert np.isfinite(values["LogLoss"])


class Short(nn.Module):
    """A linear layer whose weights are floats of another length."""

    def __init__(self, kind: torch.dtype) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(432, 3).to(kind)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layer(x.flatten(1).to(self.layer.weight.dtype))
        return out


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64], ids=["bfloat16", "float64"])
def test_weights_of_any_float_learn_what_single_ones_learn(kind: torch.dtype, optimizer: Any) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    x = (rng.random((150, 3, 12, 12)) * 0.4).astype(np.float32)
    x[np.arange(150), y] += 0.5
    dataset, models = ArrayDataset(x, y, list("abc")), [Short(torch.float32), Short(kind)]
    for model in models:
        torch.manual_seed(1)
        SGDClassifier(optimizer=optimizer, lr=0.01 if optimizer == "sgd" else 0.005, epochs=5).train(
            model, dataset, list(range(100))
        )
    rows = torch.from_numpy(x)
    with torch.no_grad():
        single, other = (float((model(rows).argmax(1) == torch.from_numpy(y)).double().mean()) for model in models)
    assert single > 0.98
    assert other > 0.98  # torch's fused SGD on the CPU leaves shorter floats at chance


def test_no_items_is_said_and_not_divided_by() -> None:
    with pytest.raises(ValueError, match="no items"):
        SGDClassifier().train(Recorder(), load_digits(), [])


def test_an_item_may_be_named_twice() -> None:
    model = Recorder()
    SGDClassifier(epochs=1).train(model, load_digits(), [3, 3, 3, 4])
    assert model.sizes == [4]


def test_training_trains_and_evaluating_does_not() -> None:
    model = MLP((1, 8, 8), 10, dropout=0.5)
    model.eval()
    SGDClassifier(epochs=1).train(model, load_digits(), range(20))
    assert model.training
    first, second = (Classification(ALL).evaluate(model, load_digits("test")) for _ in range(2))
    assert not model.training
    assert first["LogLoss"] == second["LogLoss"]


def stripes(size: int) -> ArrayDataset:
    generator = np.random.default_rng(0)
    y = np.arange(size) % 10
    x = generator.random((size, 1, 28, 28), dtype=np.float32)
    for row, label in enumerate(y):
        x[row, 0, 2 * label : 2 * label + 4] += 0.3
    return ArrayDataset(x, y, [str(k) for k in range(10)])


def test_the_metrics_are_the_tutorials_to_the_last_bit(tutorial: Any) -> None:
    torch.manual_seed(1)
    dataset, model = stripes(240), TutorialCNN((1, 28, 28), 10)
    SGDClassifier(epochs=4).train(model, dataset, range(120))
    ours = Classification(["accuracy", "auroc", "tpr_at_fpr"]).evaluate(model, dataset)
    theirs = tutorial.MNISTEvaluationStrategy().evaluate(model, dataset)
    assert 0.15 < ours["Accuracy"] < 1
    assert ours["TPR at 0.5 Fixed FPR"] < 1 or ours["AUROC"] < 1
    assert ours == {name: pytest.approx(float(value), abs=1e-6) for name, value in theirs.items()}


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.05, 0.1, 0.37, 0.5, 1.0])
@pytest.mark.parametrize("classes", [2, 7])
def test_one_point_of_the_macro_curve_equals_the_whole_curves(rate: float, classes: int) -> None:
    from torchmetrics.functional.classification import multiclass_roc

    torch.manual_seed(classes)
    x, model = torch.randn(300, 5), Linear((5,), classes)
    # Few different scores: ties are where an interpolation goes wrong.
    x = (x * 2).round() / 2
    y = torch.arange(300) % classes
    dataset = ArrayDataset(x.numpy(), y.numpy(), [str(k) for k in range(classes)])
    scores = model(x).detach().softmax(1)
    fpr, tpr, _ = multiclass_roc(scores, y, num_classes=classes, average="macro")
    expected = float(tpr[(fpr - rate).abs().argmin()])  # type: ignore[union-attr,operator,call-overload]
    measured = Classification(["tpr_at_fpr"], fpr=rate).evaluate(model, dataset)
    assert measured == {f"TPR at {rate} Fixed FPR": expected}


def test_the_true_positive_rate_of_a_large_split_does_not_take_all_memory() -> None:
    generator = np.random.default_rng(0)
    dataset = ArrayDataset(generator.random((10_000, 16)), np.arange(10_000) % 10, [str(k) for k in range(10)])
    # torchmetrics' own macro curve would compare 100,000 × 10,000 pairs for each class.
    [value] = Classification(["tpr_at_fpr"]).evaluate(Linear((16,), 10), dataset).values()
    assert value == pytest.approx(0.5, abs=0.1)


def test_a_class_without_test_items_lowers_no_average() -> None:
    train = load_digits()
    torch.manual_seed(0)
    model = Linear(train.input_shape, 10)
    SGDClassifier(epochs=8).train(model, train, range(1000))
    some = ArrayDataset(train.x[train.y != 3], train.y[train.y != 3], train.class_names)
    values = Classification(ALL).evaluate(model, some)
    assert min(values["AUROC"], values["TPR at 0.5 Fixed FPR"]) > 0.95


def test_two_classes_and_one_class() -> None:
    train = load_digits()
    pair = ArrayDataset(train.x[train.y < 2], train.y[train.y < 2], ["zero", "one"])
    model = Linear(train.input_shape, 2)
    SGDClassifier().train(model, pair, range(100))
    values = Classification(ALL).evaluate(model, pair)
    assert min(values[name] for name in ("Accuracy", "AUROC", "F1")) > 0.95
    assert values["Recall"].shape == (2,)
    single = ArrayDataset(pair.x[pair.y == 0], pair.y[pair.y == 0], pair.class_names)
    assert np.isnan(Classification(["auroc"]).evaluate(model, single)["AUROC"])


def test_every_metric_is_declared() -> None:
    measured = Classification(ALL).evaluate(Linear((1, 8, 8), 10), load_digits("test"))
    assert set(measured) == set(Classification.metric_properties)


class Gate(nn.Module):
    """Sets its child's weights itself."""

    def __init__(self) -> None:
        super().__init__()
        self.child = nn.Linear(2, 2)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.child.weight)


def test_a_module_has_the_last_word_on_its_childrens_weights() -> None:
    model = Gate()
    nn.init.ones_(model.child.weight)
    assert ResetParameters()(model) is model
    assert not model.child.weight.any()


def test_resetting_draws_what_the_tutorials_reset_draws(tutorial: Any) -> None:
    weights = []
    for reset in (ResetParameters(), tutorial.reset_model):
        model = tutorial.Net()
        torch.manual_seed(7)
        weights.append(torch.cat([p.detach().flatten() for p in reset(model).parameters()]))
    assert torch.equal(*weights)


def test_what_cannot_be_reset_is_named() -> None:
    attention = nn.MultiheadAttention(4, 2)
    assert resettable(normalised())
    assert not resettable(attention)
    with pytest.raises(ValueError, match="MultiheadAttention"):
        ResetParameters()(attention)


def test_the_tutorials_module_imports_nothing_of_ours(tutorial: Any) -> None:
    source = Path(tutorial.__file__).read_text()
    assert not any(name in source for name in ("import app", "from app", "import worker", "from worker"))
    assert str(EXTERNAL) in sys.path
