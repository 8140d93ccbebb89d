"""Several labels an item: which targets are, training, and what is measured, against scikit-learn's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import average_precision_score, f1_score, recall_score
from sklearn.utils import all_estimators

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import materialise
from sufficiency.data.labels import several_of_lists
from sufficiency.data.pairing import verify_splits
from sufficiency.data.preview import contact_sheet
from sufficiency.data.splitting import part_of, standardised
from sufficiency.plugins.datasets import load_npy, load_npz
from sufficiency.plugins.estimators import FitEstimator, sklearn_model
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.models import MLP, Linear
from sufficiency.plugins.multilabel import Multilabel, SGDMultilabel
from sufficiency.plugins.outputs import WrongOutput
from sufficiency.plugins.regression import Regression
from sufficiency.plugins.sklearn_names import CLASSIFIERS, REGRESSORS, SEVERAL_LABELS
from sufficiency.plugins.training import SGDClassifier
from sufficiency.settings import get_settings
from sufficiency.training.repeatable import seed_everything

EVERY = ["map", "f1_micro", "f1_macro", "exact_match", "ap_per_class", "recall_per_class"]


def table() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    x, y = make_multilabel_classification(400, 12, n_classes=4, n_labels=2, random_state=0)
    return (x / 10).astype(np.float32), y


def halves() -> tuple[ArrayDataset, ArrayDataset]:
    x, y = table()
    return ArrayDataset(x[:250], y[:250], list("abcd")), ArrayDataset(x[250:], y[250:], list("abcd"))


class Theirs:
    """A dataset of rows as somebody has them."""

    def __init__(self, rows: Any, **metadata: Any) -> None:
        self.rows, self.metadata = np.asarray(rows), metadata
        self.x = np.arange(len(self.rows) * 4, dtype=np.float32).reshape(-1, 4) / 100

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.x[index], self.rows[index], {"id": index}


@pytest.mark.parametrize(
    ("rows", "metadata", "task"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], {}, "classification"),
        ([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]], {}, "classification"),
        ([[0, 255, 0], [255, 0, 0], [0, 0, 255]], {}, "classification"),
        ([[-1, 1, -1], [1, -1, -1], [-1, -1, 1]], {}, "classification"),
        ([[1, 1, 0], [0, 1, 0], [0, 0, 0]], {}, "multilabel"),
        ([[True, True, False], [False, True, False]], {}, "multilabel"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], {"task": "multilabel"}, "multilabel"),
        ([[1, 0, 0], [0, 0, 0], [0, 0, 1]], {"task": "Multi-label classification"}, "multilabel"),
    ],
)
def test_rows_are_what_they_can_only_be(rows: Any, metadata: Any, task: str) -> None:
    dataset = materialise(Theirs(rows, **metadata))
    assert (dataset.task, dataset.num_classes) == (task, 3)
    if task == "multilabel":
        assert dataset.y.tolist() == np.asarray(rows, float).tolist()
        assert dataset[0][1].tolist() == np.asarray(rows, float)[0].tolist()
    else:
        assert dataset.y.tolist() == np.argmax(rows, axis=1).tolist()


@pytest.mark.parametrize(
    ("rows", "metadata", "says"),
    [
        ([[1, 0, 0], [0, 0, 0]], {}, r"item 1 has a label of zeros, which names no class.*multilabel"),
        ([[1, 0, 0], [1, 1, 0]], {"task": "classification"}, "item 1 has 2 labels.*make the task multilabel"),
        ([[1, 0, 0], [0.9, 0.8, 0.7]], {}, "item 1 has the target .* neither one-hot, nor probabilities"),
        ([[1, 0, 0], [0.5, 0.5, 0]], {"task": "multilabel"}, "item 1 has .*must be 0 or 1 for each"),
        ([[1, 0, 0], [np.nan, 1, 0]], {}, "item 1 has the label"),
    ],
)
def test_rows_that_are_nothing_of_it_say_so(rows: Any, metadata: Any, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        materialise(Theirs(rows, **metadata))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def test_loaders_of_arrays_take_rows_of_several_labels(root: Path) -> None:
    x, y = table()
    np.savez(root / "set.npz", x=x, y=y.astype(bool))
    np.save(root / "x.npy", x)
    np.save(root / "y.npy", y)
    for dataset in (load_npz("set.npz", classes=list("abcd")), load_npy("."), load_npz("set.npz", task="multilabel")):
        assert (dataset.task, dataset.y.shape) == ("multilabel", (400, 4))
    np.savez(root / "labels.npz", x=x, y=y.argmax(axis=1))
    with pytest.raises(DatasetError, match="rows of 0 and 1, one number a class"):
        load_npz("labels.npz", task="multilabel")
    with pytest.raises(DatasetError, match="one number for each of the 3 classes"):
        load_npz("set.npz", classes=list("abc"))


def test_lists_of_labels_become_rows() -> None:
    assert several_of_lists([[0, 2], [], [1]], ["a", "b", "c"], "", "it")[1].tolist() == [
        [1, 0, 1],
        [0, 0, 0],
        [0, 1, 0],
    ]
    names, rows = several_of_lists([["dog", "cat"], ["dog"]], None, "", "it")
    assert (names, rows.tolist()) == (["cat", "dog"], [[1, 1], [0, 1]])
    assert several_of_lists([[1, 0, 1], [0, 1, 0]], None, "", "it")[1].tolist() == [[1, 0, 1], [0, 1, 0]]
    assert several_of_lists([[0, 1, 0], [0, 0, 1]], None, "", "it")[1].tolist() == [1, 2]
    for lists in ([[0, 5]], [[0.5, 0.2]], [[], []]):
        with pytest.raises(DatasetError):
            several_of_lists(lists, ["a", "b"] if lists == [[0, 5]] else None, "", "it")


def test_hugging_face_lists_of_class_labels_are_several_labels(root: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    from sufficiency.plugins.huggingface import load_huggingface

    features = datasets.Features(
        row=datasets.List(datasets.Value("float32")), labels=datasets.List(datasets.ClassLabel(names=["cat", "dog"]))
    )
    columns = {"row": [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]], "labels": [[0, 1], [1], []]}
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(root / "one")
    dataset = load_huggingface("one", "row", "labels")
    assert (dataset.task, dataset.class_names) == ("multilabel", ("cat", "dog"))
    assert dataset.y.tolist() == [[1, 1], [0, 1], [0, 0]]


def test_a_set_of_several_labels_is_described_and_split() -> None:
    train, test = halves()
    info, fingerprint = verify_splits(train, test)
    assert (info["task"], info["class_names"]) == ("multilabel", list("abcd"))
    assert info["train"] == {"size": 250, "class_counts": train.y.sum(axis=0).astype(int).tolist()}
    x, y = table()
    other = y.copy()
    other[0, 0] = 1 - other[0, 0]
    assert verify_splits(ArrayDataset(x[:250], other[:250], list("abcd")), test)[1] != fingerprint
    whole = ArrayDataset(x, y, list("abcd"))
    parts = [part_of(whole, name) for name in ("train", "test")]
    assert [len(part) for part in parts] == [320, 80]
    assert all(part.task == "multilabel" for part in (*parts, *standardised(*parts)))
    with pytest.raises(DatasetError, match="make the task of both multilabel"):
        verify_splits(train, ArrayDataset(x[250:], y[250:].argmax(axis=1), list("abcd")))
    images = ArrayDataset(np.random.default_rng(0).random((250, 1, 8, 8)), train.y, list("abcd"))
    assert contact_sheet(images)


def test_what_is_measured_is_what_scikit_learn_has() -> None:
    train, test = halves()
    seed_everything(np.random.SeedSequence(0))
    model = MLP(train.input_shape, 4)
    untrained = Multilabel(EVERY).evaluate(model, test)
    SGDMultilabel(lr=0.05, epochs=30).train(model, train, range(250))
    measured = Multilabel(EVERY).evaluate(model, test)
    with torch.no_grad():
        scores = model(torch.from_numpy(test.x)).sigmoid().numpy()
    target, given = test.y.astype(int), scores >= 0.5
    assert measured["mAP"] == pytest.approx(average_precision_score(target, scores, average="macro"))
    assert measured["F1 (micro)"] == pytest.approx(f1_score(target, given, average="micro"))
    assert measured["F1 (macro)"] == pytest.approx(f1_score(target, given, average="macro"))
    assert measured["ExactMatch"] == pytest.approx((target == given).all(axis=1).mean())
    assert measured["AP"] == pytest.approx(average_precision_score(target, scores, average=None))
    assert measured["Recall"] == pytest.approx(recall_score(target, given, average=None))
    assert measured["mAP"] > untrained["mAP"] + 0.2
    declared = Multilabel.metric_properties
    assert set(measured) == set(declared)
    lenient = Multilabel(["recall_per_class"], threshold=0.1).evaluate(model, test)["Recall"]
    assert (lenient >= measured["Recall"]).all()
    assert lenient == pytest.approx(recall_score(target, scores >= 0.1, average=None))


def test_a_label_that_no_test_item_has_is_left_out() -> None:
    train, test = halves()
    y = test.y.copy()
    y[:, 2] = 0
    without = ArrayDataset(test.x, y, list("abcd"))
    model = Linear(train.input_shape, 4)
    with torch.no_grad():
        model.layer.bias[2] = -100.0  # and it is never given
    measured = Multilabel(EVERY).evaluate(model, without)
    assert np.isnan(measured["AP"][2])
    assert np.isnan(measured["Recall"][2])
    assert measured["mAP"] == pytest.approx(np.nanmean(measured["AP"]))
    assert 0 <= measured["F1 (macro)"] <= 1


def test_strategies_for_one_label_refuse_several_and_the_other_way_round() -> None:
    train, _ = halves()
    one = ArrayDataset(train.x, train.y.argmax(axis=1), list("abcd"))
    model = Linear(train.input_shape, 4)
    for call in (
        lambda: SGDClassifier().train(model, train, [0, 1]),
        lambda: Classification().evaluate(model, train),
        lambda: Regression().evaluate(model, train),
    ):
        with pytest.raises(TypeError, match=r"the dataset holds several labels an item: use .*multilabel"):
            call()
    for call in (lambda: SGDMultilabel().train(model, one, [0, 1]), lambda: Multilabel().evaluate(model, one)):
        with pytest.raises(TypeError, match="is for multilabel, and the dataset holds classes: use "):
            call()


def test_the_model_is_looked_at() -> None:
    train, _ = halves()
    for strategy in (SGDMultilabel(), Multilabel()):
        strategy.check_model(Linear((12,), 4), train)
        with pytest.raises(WrongOutput, match=r"\(32, 3\), and the dataset has 4 labels"):
            strategy.check_model(Linear((12,), 3), train)
        with pytest.raises(WrongOutput, match="ends in a sigmoid"):
            strategy.check_model(torch.nn.Sequential(Linear((12,), 4), torch.nn.Sigmoid()), train)
    Multilabel(["map", "ap_per_class"]).check_model(torch.nn.Sequential(Linear((12,), 4), torch.nn.Sigmoid()), train)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SEVERAL_LABELS)
def test_estimators_answer_several_labels_themselves(name: str) -> None:
    train, test = halves()
    settings = {"radius": 5.0} if name.startswith("Radius") else {}
    settings |= {"random_state": 0} if name.startswith(("MLP", "Dec", "Extra", "Rand", "Dummy")) else {}
    model = sklearn_model(4, name, settings)
    FitEstimator().check_model(model, train)
    FitEstimator().train(model, train, range(250))
    measured = Multilabel(EVERY).evaluate(model, test)
    own = dict(all_estimators(type_filter="classifier"))[name](**settings).fit(train.x, train.y.astype(int))
    assert measured["ExactMatch"] == pytest.approx(own.score(test.x, test.y))
    assert measured["F1 (macro)"] == pytest.approx(f1_score(test.y, own.predict(test.x), average="macro"), abs=0.02)
    if hasattr(own, "predict_proba"):
        told = own.predict_proba(test.x)
        scores = np.stack([p[:, 1] for p in told], axis=1) if isinstance(told, list) else told
        assert measured["mAP"] == pytest.approx(average_precision_score(test.y, scores), abs=1e-6)
    # A label that no item of the subset has.
    FitEstimator().train(model, train, np.flatnonzero(train.y[:, 1] == 0)[:60].tolist())
    assert Multilabel(["recall_per_class"]).evaluate(model, test)["Recall"][1] == 0


def test_the_names_are_those_of_the_scikit_learn_that_is_here() -> None:
    assert set(CLASSIFIERS) >= {name for name, _ in all_estimators(type_filter="classifier")}
    assert set(REGRESSORS) >= {name for name, _ in all_estimators(type_filter="regressor")}
