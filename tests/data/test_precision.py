"""Numbers that float32 does not hold: seconds since 1970, tiny ones, and targets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.errors import DatasetError
from sufficiency.data.finishing import finished
from sufficiency.data.foreign import materialise
from sufficiency.data.pairing import verify_splits
from sufficiency.data.splitting import part_of
from sufficiency.plugins.datasets import load_digits, load_npy, load_npz
from sufficiency.plugins.estimators import FitEstimator, sklearn_model
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.models import Linear
from sufficiency.plugins.regression import Regression, SGDRegressor
from sufficiency.plugins.training import SGDClassifier
from sufficiency.settings import get_settings

SECONDS = 1_700_000_000


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A data root of the test's own."""
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


class Items:
    """Somebody's own dataset."""

    def __init__(self, x: Any, y: Any, task: str = "classification") -> None:
        self.x, self.y, self.metadata = x, y, {"task": task}

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Any:
        return self.x[index], self.y[index], {}


def minutes(dtype: str, unit: int = 1) -> tuple[Any, Any]:
    """Times within four minutes, and whether each lies in the second half of them."""
    order = np.random.default_rng(0).permutation(240)
    return (SECONDS * unit + order[:, None]).astype(dtype), (order >= 120).astype(int)


def stored(how: str, x: Any, y: Any, root: Path) -> Any:
    if how == "items":
        return Items(x, y)
    np.savez(root / "d.npz", x=x, y=y)
    np.save(root / "x.npy", x)
    np.save(root / "y.npy", y)
    return load_npz("d.npz") if how == "npz" else load_npy(".")


def accuracy(train: Any, test: Any, estimator: str = "DecisionTreeClassifier") -> float:
    model = sklearn_model(2, estimator)
    FitEstimator().train(model, train, list(range(len(train))))
    return Classification(["accuracy"]).evaluate(model, test)["Accuracy"]


@pytest.mark.parametrize("how", ["npz", "npy", "items"])
@pytest.mark.parametrize(("dtype", "unit"), [("float64", 1), ("int64", 1), ("uint32", 1), ("int64", 10**9)])
def test_times_within_minutes_are_told_apart_wherever_they_come_from(
    how: str, dtype: str, unit: int, root: Path
) -> None:
    whole = stored(how, *minutes(dtype, unit), root)
    parts = [part_of(whole, "train", seed=1), part_of(whole, "test", seed=1)]
    train, test = finished(*parts)
    assert accuracy(train, test) > 0.97
    info, _ = verify_splits(train, test)
    assert info["notes"][0]["code"] == "moved_for_precision"
    assert "the training split's median" in info["notes"][0]["detail"]
    values = np.sort(materialise(train).take(np.arange(len(train)))[:, 0])
    assert (np.diff(values) >= 1).all()  # no two became one
    assert abs(np.median(values)) <= 1


@pytest.mark.parametrize("how", ["npz", "items"])
def test_standardised_times_keep_their_distances(how: str, root: Path) -> None:
    x, y = minutes("float64")
    whole = stored(how, x, y, root)
    train, test = finished(part_of(whole, "train"), part_of(whole, "test"), standardise=True)
    of_train = np.concatenate([part_of(ArrayDataset(x - SECONDS, y, "ab"), "train").x[:, 0]])
    assert train.x[:, 0] == pytest.approx((of_train - of_train.mean()) / of_train.std(), abs=1e-6)
    torch.manual_seed(0)
    model = Linear(train.input_shape, 2)
    SGDClassifier(epochs=30).train(model, train, list(range(len(train))))
    assert Classification(["accuracy"]).evaluate(model, test)["Accuracy"] > 0.95


def test_numbers_below_float32_are_multiplied() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    whole = ArrayDataset((rng.normal(size=200) * 0.1 + y)[:, None] * 1e-52, y, "ab")
    train, test = finished(part_of(whole, "train"), part_of(whole, "test"))
    assert accuracy(train, test) == 1
    assert "times 1e+5" in train.description.notes[0].detail


@pytest.mark.parametrize(
    "column",
    [
        np.random.default_rng(0).normal(size=5000),
        np.random.default_rng(0).normal(300, 5, size=5000),
        np.random.default_rng(0).lognormal(0, 3, size=5000),
        np.round(np.random.default_rng(0).uniform(0, 1e6, size=5000), 2),
        np.full(5000, 0.1),
        np.arange(5000) % 2 + 2023,
    ],
)
def test_what_float32_holds_stays_as_it_is(column: Any) -> None:
    y = np.arange(5000) % 2
    dataset = ArrayDataset(np.stack([column, y], axis=1), y, "ab")
    train, test = finished(dataset, dataset)
    assert train.description.notes == test.description.notes == ()
    assert train.x[:, 0].tolist() == column.astype(np.float32).tolist()
    assert train.fingerprint() == dataset.fingerprint()


def test_images_in_float64_are_images_in_float32() -> None:
    digits = load_digits(limit=200)
    again = ArrayDataset(digits.x.astype(np.float64) / 3 * 3, digits.y, digits.class_names)
    assert finished(again, again)[0].x == pytest.approx(digits.x)
    assert finished(again, again)[0].description.notes == ()


def test_somebodys_own_items_stay_theirs_where_nothing_is_to_be_done() -> None:
    mine = Items(np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2)
    assert finished(mine, mine) == (mine, mine)


@pytest.mark.parametrize("how", ["npz", "items"])
@pytest.mark.parametrize("strategy", ["estimator", "descent"])
def test_targets_that_only_float64_holds_are_learnt_to_the_second(how: str, strategy: str, root: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    y = SECONDS + 20 * x[:, 0] - 10 * x[:, 1] + rng.normal(0, 0.5, 300)
    if how == "npz":
        np.savez(root / "d.npz", x=x, y=y)
        whole: Any = load_npz("d.npz", task="regression")
    else:
        whole = Items(x, y, "regression")
    train, test = finished(part_of(whole, "train"), part_of(whole, "test"))
    rows = list(range(len(train)))
    torch.manual_seed(0)
    if strategy == "estimator":
        model: Any = sklearn_model(1, "LinearRegression")
        FitEstimator().train(model, train, rows)
    else:
        model = Linear(materialise(train).input_shape, 1)
        SGDRegressor(lr=0.05, epochs=40).train(model, train, rows)
    measured = Regression().evaluate(model, test)
    # Its spread about the plane is 0.5 s; float32 knows multiples of 128 s.
    assert measured["MAE"] == pytest.approx(0.4, abs=0.12)
    assert measured["R2"] > 0.99


def test_ordinary_targets_stay_float32() -> None:
    y = np.random.default_rng(0).normal(50, 10, 100)
    assert ArrayDataset(y[:, None], y, None).y.dtype == np.float32
    assert ArrayDataset(y[:, None], SECONDS + y, None)[3][1].dtype == np.float64


@pytest.mark.parametrize(("dtype", "least"), [(np.uint64, 2**63), (np.int64, 2**62), (np.int64, -(2**62))])
def test_whole_targets_are_not_taken_for_each_other(dtype: Any, least: int) -> None:
    x = np.arange(12, dtype=np.float32)[:, None]
    close = np.array([least + k % 4 for k in range(12)], dtype)
    with pytest.raises(DatasetError, match=r"beyond 2\*\*53, float64 takes 3 for others: subtract a number"):
        ArrayDataset(x, close, None, "mine")
    apart = np.array([least + k * 2**40 for k in range(12)], dtype)
    assert len(np.unique(ArrayDataset(x, apart, None, "mine").y)) == 12


def test_whole_numbers_beyond_int64_are_not_taken_for_each_other() -> None:
    close = np.array([[2**63 + k % 4] for k in range(12)], np.uint64)
    with pytest.raises(DatasetError, match=r"of the numbers, .* float64 takes 3 for others"):
        ArrayDataset(close, np.arange(12) % 2, ["a", "b"], "mine")
