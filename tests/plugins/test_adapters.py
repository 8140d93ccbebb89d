"""Regression, scikit-learn, Lightning, Hugging Face, torchvision: each with the real library where it is installed."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.errors import DatasetError
from sufficiency.data.tables.words import hashed_text
from sufficiency.plugins import torchvision as torchvision_loader
from sufficiency.plugins.datasets import load_digits
from sufficiency.plugins.estimators import EstimatorModel, FitEstimator, sklearn_model
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.models import MLP, Linear
from sufficiency.plugins.regression import Regression, SGDRegressor
from sufficiency.plugins.training import SGDClassifier
from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.settings import get_settings
from sufficiency.training.details import details_of, watched
from sufficiency.training.loop import run_cells
from sufficiency.training.registry import PluginError, Registry
from sufficiency.training.repeatable import seed_everything
from sufficiency.training.unit import UnitPlan


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A data root of the test's own."""
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def diabetes() -> tuple[ArrayDataset, ArrayDataset]:
    """scikit-learn's 442 patients, ten features, and a measure of how far their diabetes went on."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x = x[order] / x.std(axis=0)
    y = y[order]
    return ArrayDataset(x[:342], y[:342], None), ArrayDataset(x[342:], y[342:], None)


def test_a_regression_learns_in_the_unit_of_its_target() -> None:
    train, test = diabetes()
    torch.manual_seed(0)
    model = Linear(train.input_shape, train.num_classes)
    untrained = Regression().evaluate(model, test)
    SGDRegressor(lr=0.01, momentum=0.0, epochs=20, batch_size=16).train(model, train, list(range(342)))
    trained = Regression().evaluate(model, test)
    least_squares = sklearn_model(1, "LinearRegression")
    FitEstimator().train(least_squares, train, list(range(342)))
    best = Regression().evaluate(least_squares, test)
    assert untrained["R2"] < 0 < 0.3 < trained["R2"]
    assert trained["MAE"] == pytest.approx(best["MAE"], rel=0.1)
    target = test.y.astype(float)
    answers = least_squares.estimator.predict(test.x)
    assert best["MAE"] == pytest.approx(np.abs(answers - target).mean(), rel=1e-5)
    assert best["R2"] == pytest.approx(least_squares.estimator.score(test.x, target), rel=1e-5)
    assert best["RMSE"] == pytest.approx(np.sqrt(np.square(answers - target).mean()), rel=1e-5)


def test_a_regression_that_goes_on_training_keeps_its_unit() -> None:
    train, test = diabetes()
    torch.manual_seed(0)
    model = MLP(train.input_shape, 1, hidden=[8])
    strategy = SGDRegressor(lr=0.01, epochs=5)
    strategy.train(model, train, list(range(50)))
    before = Regression(["mae"]).evaluate(model, test)["MAE"]
    strategy.train(model, train, list(range(342)))
    assert Regression(["mae"]).evaluate(model, test)["MAE"] < before
    assert len(model._forward_hooks) == 1


def test_a_regression_of_classes_and_one_answer_too_many_say_so() -> None:
    train, test = diabetes()
    with pytest.raises(TypeError, match="task=regression"):
        SGDRegressor().train(Linear((1, 8, 8), 10), load_digits(limit=20), [0, 1])
    with pytest.raises(ValueError, match="one an item"):
        Regression().evaluate(Linear(train.input_shape, 3), test)
    level = ArrayDataset(test.x, np.ones(100), None)
    assert np.isnan(Regression().evaluate(Linear(train.input_shape, 1), level)["R2"])


def test_text_is_classified_by_hash_and_a_linear_model() -> None:
    generator = np.random.default_rng(0)
    words = [["good", "great", "fine", "glad"], ["bad", "poor", "sad", "awful"]]
    y = np.arange(200) % 2
    texts = [" ".join(generator.choice([*words[k], "the", "film", "was"], size=6)) for k in y]
    x, names = hashed_text(texts, 64, "review")
    assert hashed_text(texts[:1], 64, "review")[0].tolist() == x[:1].tolist()  # nothing is learnt from the others
    train, test = (
        ArrayDataset(x[part], y[part], ["pos", "neg"], feature_names=names) for part in (np.s_[:150], np.s_[150:])
    )
    torch.manual_seed(0)
    model = Linear(train.input_shape, 2)
    SGDClassifier(lr=0.5, epochs=20).train(model, train, list(range(150)))
    assert Classification(["accuracy"]).evaluate(model, test)["Accuracy"] > 0.9


@pytest.mark.parametrize("name", ["LogisticRegression", "LinearSVC", "KNeighborsClassifier", "RandomForestClassifier"])
def test_any_classifier_of_scikit_learn_is_a_model(name: str) -> None:
    train, test = load_digits(), load_digits("test")
    settings = {"max_iter": 300} if name == "LogisticRegression" else {}
    model = sklearn_model(10, name, settings)
    seed_everything(np.random.SeedSequence(0))
    FitEstimator().train(model, train, list(range(500)))
    x = torch.from_numpy(test.x)
    assert (model(x).argmax(1).numpy() == model.estimator.predict(test.x.reshape(297, -1))).all()
    assert Classification(["accuracy"]).evaluate(model, test)["Accuracy"] > 0.85
    again = sklearn_model(10, name, settings)
    seed_everything(np.random.SeedSequence(0))
    FitEstimator().train(again, train, list(range(500)))
    assert torch.equal(model(x), again(x))


def test_a_subset_without_some_classes_leaves_them_unlikely() -> None:
    digits = load_digits()
    two = np.flatnonzero(np.isin(digits.y, [3, 8]))[:40].tolist()
    for name in ("LogisticRegression", "LinearSVC"):
        model = sklearn_model(10, name)
        FitEstimator().train(model, digits, two)
        answers = model(torch.from_numpy(digits.x[two]))
        assert answers.shape == (40, 10)
        assert set(answers.argmax(1).tolist()) == {3, 8}
        assert answers.exp().sum(1).numpy() == pytest.approx(np.ones(40), abs=1e-4)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"estimator": "RandomForrest"}, "RandomForest"),
        ({"estimator": "os.system"}, "no classifier or regressor 'os.system'"),
        ({"estimator": "Ridge", "settings": {"alpa": 1}}, "no parameter 'alpa'; it has alpha"),
    ],
)
def test_an_estimator_that_is_none_is_refused(params: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sklearn_model(2, **params)
    with pytest.raises(TypeError, match="fit"):
        EstimatorModel(object(), 2)
    with pytest.raises(TypeError, match="EstimatorModel"):
        FitEstimator().train(Linear((1, 8, 8), 10), load_digits(), [0])


def test_an_instance_of_an_estimator_starts_from_nothing_in_each_cell() -> None:
    from sklearn.linear_model import LogisticRegression

    model = EstimatorModel(LogisticRegression(), 10)

    class Parts:
        train, test = load_digits(limit=100), load_digits("test")
        labels = train.y
        training, evaluation, reset = FitEstimator(), Classification(["accuracy"]), None
        class_names = train.class_names
        names = dict.fromkeys(("model", "training", "evaluation", "reset"), "it")

        def model(self) -> Any:
            return model

    class Accuracies(list[Any]):
        def started(self, cell: UnitCell) -> None:
            """Not of interest."""

        def record(self, result: CellResult) -> None:
            self.append(result.values[0][2])

    accuracies = Accuracies()
    cells = [UnitCell(run=0, step=k, n=n) for k, n in enumerate((20, 100))]
    run_cells(UnitPlan(seed=0, protocol="independent", device="cpu", cells=cells), Parts(), accuracies)
    small, large = accuracies
    assert small < large
    assert not hasattr(model.estimator, "classes_")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # what Lightning calls of torch and says
def test_lightning_trains_a_module_of_its_kind() -> None:
    pytorch_lightning = pytest.importorskip("pytorch_lightning", reason="pytorch-lightning is not installed")
    from sufficiency.plugins.lightning import LightningFit

    class Net(pytorch_lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            return self.layer(x.flatten(1))

        def training_step(self, batch: Any) -> Any:
            return torch.nn.functional.cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    train, test = load_digits(), load_digits("test")
    measured = []
    for _ in range(2):
        seed_everything(np.random.SeedSequence(1))
        model = Net()
        with watched(model) as seen:
            LightningFit(epochs=3).train(model, train, list(range(400)))
        loss = details_of(model, seen)["loss"]
        assert 2 < loss["start"] < 3, "Lightning's loop goes through backward as any other does"
        assert loss["falls"]
        measured.append(Classification(["accuracy", "log_loss"]).evaluate(model, test))
    assert measured[0] == measured[1]
    assert measured[0]["Accuracy"] > 0.7
    with pytest.raises(TypeError, match="LightningModule, not Linear"):
        LightningFit().train(Linear((1, 8, 8), 10), train, [0])


def test_hugging_face_columns_become_items_and_targets(root: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    from sufficiency.plugins.huggingface import load_huggingface

    columns = {
        "image": [Image.fromarray(np.full((6, 6), 60 * k, np.uint8)) for k in range(4)],
        "words": ["a b", "b", "a", "c"],
        "row": [[k, 2.0 * k] for k in range(4)],
        "label": [0, 1, 1, 0],
        "kind": ["x", "y", "y", "x"],
        "price": [1.5, 2.5, 3.5, 4.5],
        "site": [7, 7, 8, 8],
    }
    features = datasets.Features(
        image=datasets.Image(),
        words=datasets.Value("string"),
        row=datasets.List(datasets.Value("float32")),
        label=datasets.ClassLabel(names=["cat", "dog"]),
        kind=datasets.Value("string"),
        price=datasets.Value("float64"),
        site=datasets.Value("int64"),
    )
    whole = datasets.Dataset.from_dict(columns, features=features)
    whole.save_to_disk(root / "one")
    datasets.DatasetDict(train=whole, test=whole.select(range(2))).save_to_disk(root / "two")
    images = load_huggingface("one", "image", "label", size=4, grayscale=True, metadata=["site"])
    assert (images.input_shape, images.class_names, images.y.tolist()) == ((1, 4, 4), ("cat", "dog"), [0, 1, 1, 0])
    assert images.x[:, 0, 0, 0] == pytest.approx(np.arange(4) * 60 / 255)
    assert images[3][2] == {"id": 3, "site": 8}
    assert load_huggingface("one", "words", "kind", text_features=8).input_shape == (8,)
    rows = load_huggingface("two", "row", "price", split="test", task="regression")
    assert (rows.x.tolist(), rows.y.tolist()) == ([[0, 0], [1, 2]], [1.5, 2.5])
    for arguments, says in (
        (("one", "picture", "label"), "no column 'picture'; it has image, words"),
        (("two", "image", "label"), "the splits train, test"),
        (("one", "image", "label", "train"), "without splits"),
        ((".", "image", "label"), "save_to_disk"),
        (("three", "image", "label"), "not in any data root"),
    ):
        with pytest.raises(DatasetError, match=says):
            load_huggingface(*arguments)


def test_torchvision_reads_what_it_stored(root: Path) -> None:
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    raw = root / "MNIST" / "raw"
    with pytest.raises(DatasetError, match="does not hold torchvision's MNIST"):
        torchvision_loader.load_torchvision("MNIST", ".")
    raw.mkdir(parents=True)
    for kind in ("train", "t10k"):
        pixels = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
        (raw / f"{kind}-images-idx3-ubyte").write_bytes(np.array([2051, 3, 28, 28], ">i4").tobytes() + pixels.tobytes())
        (raw / f"{kind}-labels-idx1-ubyte").write_bytes(np.array([2049, 3], ">i4").tobytes() + bytes([7, 0, 9]))
    dataset = torchvision_loader.load_torchvision("MNIST", ".", "test", start=1)
    assert (dataset.input_shape, dataset.y.tolist(), len(dataset.class_names)) == ((1, 28, 28), [0, 9], 10)
    assert dataset.x[0] == pytest.approx(pixels[1:2] / 255)
    assert torchvision_loader.load_torchvision("MNIST", ".", size=8).input_shape == (1, 8, 8)


def test_a_torchvision_that_does_not_fit_torch_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(DatasetError, match=r"torchvision::nms.*install the one that goes with it"):
        torchvision_loader.load_torchvision("MNIST", ".")


def test_a_plugin_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision_loader, "REQUIRES", {"a_package_of_nobody": "pip install a-package-of-nobody"})
    registry = Registry.load()
    [described] = [one for one in registry.describe() if (one.kind, one.name) == ("dataset", "torchvision")]
    assert described.params_schema["required"] == ["name", "path"]
    assert "a_package_of_nobody is not installed" in described.capabilities["missing"]
    with pytest.raises(PluginError, match="pip install a-package-of-nobody") as caught:
        registry.build("dataset", "torchvision", {"name": "MNIST", "path": "."})
    assert caught.value.phase == "find"
    assert not registry.errors


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("items", [1, 2, 5, 9, 17])
def test_a_last_batch_of_one_is_trained_under_batch_normalisation(items: int) -> None:
    from torch import nn

    networks: list[Any] = [nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))]
    strategies: list[Any] = [SGDClassifier(batch_size=8, epochs=2), SGDClassifier(batch_size=4, epochs=2)]
    pairs = [(network, strategy) for network in networks for strategy in strategies]
    with_lightning = pytest.importorskip("pytorch_lightning", reason="pytorch-lightning is not installed")
    from sufficiency.plugins.lightning import LightningFit

    seen: list[int] = []

    class Net(with_lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layers = networks[0]

        def forward(self, x: Any) -> Any:
            return self.layers(x)

        def training_step(self, batch: Any) -> Any:
            seen.append(len(batch[0]))
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    pairs.append((Net(), LightningFit(epochs=2, batch_size=8)))
    for network, strategy in pairs:
        strategy.train(network, load_digits(), list(range(items)))
        assert all(bool(torch.isfinite(one).all()) for one in network.state_dict().values())
    assert seen[: len(seen) // 2] == {1: [1], 2: [2], 5: [5], 9: [9], 17: [8, 9]}[items]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_without_batch_normalisation_a_last_batch_of_one_is_a_step() -> None:
    with_lightning = pytest.importorskip("pytorch_lightning", reason="pytorch-lightning is not installed")
    from sufficiency.plugins.lightning import LightningFit

    seen: list[int] = []

    class Net(with_lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(64, 10)

        def training_step(self, batch: Any) -> Any:
            seen.append(len(batch[0]))
            return torch.nn.functional.cross_entropy(self.layer(batch[0].flatten(1)), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.01)

    LightningFit(epochs=1, batch_size=8).train(Net(), load_digits(), list(range(17)))
    assert seen == [8, 8, 1]


def test_modules_of_either_lightning_are_told_by_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from sufficiency.plugins import lightning
    from sufficiency.plugins.lightning import package_of
    from sufficiency.training.declared import declared

    def made(package: str) -> type:
        base = type("LightningModule", (torch.nn.Module,), {"__module__": f"{package}.core.module"})
        return type("Net", (base,), {})

    for package, trained_by in (
        ("lightning.pytorch", "lightning.pytorch"),
        ("pytorch_lightning", "pytorch_lightning"),
        ("somebodys", None),
    ):
        assert package_of(made(package)()) == trained_by
        assert ("lightning" in declared("model", made(package))["families"]) == (trained_by is not None)
    remedy = {("a_package_of_nobody", "another_of_nobody"): "pip install it"}
    monkeypatch.setattr(lightning, "REQUIRES", remedy)
    [described] = [one for one in Registry.load().describe() if one.name == "lightning"]
    assert "a_package_of_nobody or another_of_nobody is not installed" in described.capabilities["missing"]
    monkeypatch.setattr(lightning, "REQUIRES", {("a_package_of_nobody", "torch"): "pip install it"})
    [described] = [one for one in Registry.load().describe() if one.name == "lightning"]
    assert "missing" not in described.capabilities
