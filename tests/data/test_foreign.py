"""Somebody's own datasets: of uneven items, too many for memory, in bytes, with names by text; and parts of them."""

from typing import Any

import numpy as np
import pytest
import torch

from sufficiency.data import reading
from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.errors import DatasetError
from sufficiency.data.finishing import finished
from sufficiency.data.foreign import contents, labels_of, materialise
from sufficiency.data.pairing import structure, verify_splits
from sufficiency.data.splitting import part_of
from sufficiency.data.streamed import StreamedDataset
from sufficiency.plugins.datasets import load_digits
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.models import Linear
from sufficiency.plugins.training import SGDClassifier


class Theirs:
    """Items of whatever kind, each with a label; counts how often one is read."""

    def __init__(self, x: Any, y: Any, names: Any = None, one_hot: bool = True) -> None:
        self.x, self.y = x, np.asarray(y)
        self.one_hot, self.reads = one_hot, 0
        self.metadata = {} if names is None else {"index2label": names}

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> Any:
        self.reads += 1
        label = np.eye(int(self.y.max()) + 1)[self.y[index]] if self.one_hot else int(self.y[index])
        return self.x[index], label, {"id": index}


def uneven(size: int = 12) -> Theirs:
    return Theirs([np.full((3, 8, 8 + k % 3), k, np.uint8) for k in range(size)], np.arange(size) % 3)


def test_uneven_items_are_described_and_given_to_their_own_strategies_as_they_are() -> None:
    train, test = uneven(), uneven(6)
    assert finished(train, test) == (train, test)
    info, fingerprint = verify_splits(train, test)
    assert info["input_shape"] == []
    assert info["task"] == "classification"
    assert info["train"] == {"size": 12, "class_counts": [4, 4, 4]}
    [warning] = [one for one in info["warnings"] if one["code"] == "uneven_items"]
    assert "item 1 is 3×8×9, item 0 3×8×8" in warning["detail"]
    assert labels_of(train) is not None
    assert fingerprint == verify_splits(uneven(), uneven(6))[1]
    assert fingerprint != verify_splits(uneven(), uneven(7))[1]
    with pytest.raises(DatasetError, match=r"not of one shape .*item 1 is 3×8×9.* strategy of your own"):
        materialise(train)


@pytest.mark.parametrize(
    "items", [["a text", "another", "third"], [{"a": 1}, {"b": 2}, {}], [np.zeros(3), [np.zeros(2), "x"], None]]
)
def test_items_that_are_no_numbers_are_their_own_strategies_too(items: list[Any]) -> None:
    mine = Theirs(items, [0, 1, 0])
    found = contents(mine)
    assert (found.task, found.class_counts, found.input_shape) == ("classification", [2, 1], ())
    other = contents(Theirs([*items[:2], "changed"], [0, 1, 0]))
    assert found.fingerprint() != other.fingerprint()


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda x: x.bfloat16(), id="bfloat16"),
        pytest.param(lambda x: x.requires_grad_(), id="with-a-gradient"),
        pytest.param(lambda x: x.to_sparse(), id="sparse"),
        pytest.param(lambda x: x.double(), id="double"),
    ],
)
def test_tensors_of_any_kind_are_read_as_what_they_hold(made: Any) -> None:
    x = torch.arange(24, dtype=torch.float32).reshape(8, 3)
    found = materialise(Theirs([made(row.clone()) for row in x], np.arange(8) % 2))
    assert np.array_equal(found.take(np.arange(8)), x.numpy())


def test_complex_items_are_left_to_their_own_strategies() -> None:
    mine = Theirs(np.ones((6, 4), np.complex64) * 1j, [0, 1] * 3)
    assert contents(mine).class_counts == [3, 3]  # type: ignore[union-attr]
    with pytest.raises(DatasetError, match=r"item 0 holds complex numbers: give their real and imaginary parts"):
        materialise(mine)


def test_a_stream_says_that_it_has_no_items_by_number() -> None:
    class Stream(torch.utils.data.IterableDataset[Any]):
        def __len__(self) -> int:
            return 5

        def __iter__(self) -> Any:
            return iter([(0.0, 1)] * 5)

    with pytest.raises(DatasetError, match=r"Stream is a stream \(IterableDataset\).*method __getitem__"):
        contents(Stream())


def test_uneven_items_are_split_by_class_and_read_once() -> None:
    whole = uneven(30)
    train, test = part_of(whole, "train", test_fraction=0.5), part_of(whole, "test", test_fraction=0.5)
    info, _ = verify_splits(train, test)
    assert info["train"]["class_counts"] == [5, 5, 5] == info["test"]["class_counts"]
    assert whole.reads <= 32  # the first once more for each, to see what the targets are
    assert train[0][0].shape == whole.x[train.rows[0]].shape


def test_uneven_items_with_numbers_to_predict() -> None:
    mine = Theirs([np.zeros(2), np.zeros(3)], [1, 3], one_hot=False)
    mine.metadata["task"] = "regression"
    info, _ = verify_splits(mine, mine)
    assert info["train"]["target"]["mean"] == 2


def test_a_bad_label_is_one_however_the_items_are() -> None:
    with pytest.raises(DatasetError, match=r"label -1"):
        contents(Theirs([np.zeros(2), np.zeros(3)], [0, -1], one_hot=False))


def test_a_model_that_needs_a_shape_is_refused_where_there_is_none() -> None:
    from sufficiency.training.registry import DatasetContext, PluginError, Registry

    with pytest.raises(PluginError, match=r"asks for the shape of an item .* no pairs .* of one shape; take a model"):
        Registry.load().build("model", "linear", {}, context=DatasetContext((), 3))
    with pytest.raises(PluginError, match=r"of one shape \(items are texts\); take a model"):
        Registry.load().build("model", "linear", {}, context=DatasetContext((), 3, "items are texts"))


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_IN_MEMORY", 1000)


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_what_is_too_large_for_memory_is_read_when_it_is_wanted_and_measures_the_same(dtype: Any) -> None:
    digits = load_digits(limit=400)
    x = (digits.x * (255 if dtype is np.uint8 else 1)).astype(dtype)
    mine = Theirs(x, digits.y)
    parts = [part_of(mine, name, seed=1) for name in ("train", "test")]
    kept = [
        part_of(ArrayDataset(materialise(mine).take(np.arange(400)), digits.y, digits.class_names), name, seed=1)
        for name in ("train", "test")
    ]
    train, test = finished(*parts)
    assert isinstance(materialise(train), StreamedDataset)
    assert verify_splits(train, test)[1] == verify_splits(*kept)[1]
    measured = []
    for first, second in ((train, test), kept):
        torch.manual_seed(0)
        model = Linear((1, 8, 8), 10)
        SGDClassifier(epochs=3).train(model, first, list(range(200)))
        measured.append(Classification(["accuracy", "log_loss"]).evaluate(model, second))
    assert measured[0] == measured[1]
    assert measured[0]["Accuracy"] > 0.7


@pytest.mark.usefixtures("small_memory")
def test_a_large_set_is_never_in_memory_whole() -> None:
    import tracemalloc

    class Large(Theirs):
        def __getitem__(self, index: int) -> Any:
            return np.full(40_000, index, np.float64), index % 2, {}

    mine = Large(None, np.arange(1500) % 2)
    tracemalloc.start()
    train, test = finished(mine, Large(None, np.arange(20) % 2))
    verify_splits(train, test)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.35 * 1500 * 40_000 * 8  # parts of it are, of bounded size


@pytest.mark.usefixtures("small_memory")
def test_a_large_set_s_faults_are_found_too() -> None:
    x = np.zeros((100, 20))
    x[[7, 9], 3] = np.nan
    with pytest.raises(DatasetError, match=r"item 7 holds NaN or infinite values .2 such"):
        contents(Theirs(x, np.arange(100) % 2))


@pytest.mark.usefixtures("small_memory")
def test_large_times_are_moved_as_they_are_read() -> None:
    seconds = 1.7e9 + np.arange(300)[:, None] * np.array([1.0, 2.0])
    mine = Theirs(seconds, np.arange(300) % 2)
    train, _ = finished(mine, mine)
    assert train is mine
    assert np.ptp(materialise(train).take(np.arange(300))[:, 0]) == 299
    assert isinstance(materialise(train), StreamedDataset)


def test_bytes_reach_the_models_of_the_house_as_those_of_a_file_do() -> None:
    digits = load_digits()
    scaled = ArrayDataset((digits.x * 255).astype(np.uint8) / np.float32(255), digits.y, digits.class_names)
    mine = Theirs((digits.x * 255).astype(np.uint8), digits.y)
    assert np.array_equal(materialise(mine).take(np.arange(50)), scaled.x[:50])
    assert mine[3][0].dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("memory", [1 << 30, 1000])
def test_bytes_in_a_wider_type_are_scaled_for_the_house_and_left_alone_for_their_own(
    dtype: Any, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_IN_MEMORY", memory)
    digits = load_digits()
    whole = (digits.x * 240).round()
    mine = Theirs(whole.astype(dtype), digits.y)
    train, test = finished(mine, Theirs(whole[:50].astype(dtype), digits.y[:50]))
    assert train is mine
    assert mine[3][0].max() > 100
    assert materialise(train).take(np.arange(60)) == pytest.approx(whole[:60] / 255)
    assert materialise(test).take(np.arange(9)) == pytest.approx(whole[:9] / 255)
    assert "pixels_scaled" in {note["code"] for note in verify_splits(train, test)[0]["notes"]}


@pytest.mark.parametrize(
    "names", [{"0": "cat", "1": "dog"}, {0: "cat", 1: "dog"}, {np.int64(0): "cat", 1.0: "dog"}, ["cat", "dog"]]
)
def test_names_by_numbers_however_they_are_written(names: Any) -> None:
    assert contents(Theirs(np.zeros((4, 2)), [0, 1, 0, 1], names)).class_names == ("cat", "dog")
    assert contents(Theirs(np.zeros((4, 2)), [0, 1, 0, 1], names, one_hot=False)).class_names == ("cat", "dog")


def test_the_structure_of_a_set_is_its_size_labels_and_classes() -> None:
    rng = np.random.default_rng(0)
    first = contents(Theirs(rng.normal(size=(6, 3)), [0, 1, 0, 1, 0, 1]))
    other = contents(Theirs(rng.normal(size=(6, 3)), [0, 1, 0, 1, 0, 1]))
    assert first.fingerprint() != other.fingerprint()
    assert structure(first) == structure(other)
    for changed in (
        Theirs(rng.normal(size=(6, 3)), [1, 0, 0, 1, 0, 1]),
        Theirs(rng.normal(size=(5, 3)), [0, 1, 0, 1, 0]),
        Theirs(rng.normal(size=(6, 3)), [0, 1, 0, 1, 0, 1], ["a", "b"]),
    ):
        assert structure(contents(changed)) != structure(first)


def test_what_cannot_be_read_is_named() -> None:
    class Broken(Theirs):
        def __getitem__(self, index: int) -> Any:
            if index == 3:
                raise KeyError("image_3")
            return super().__getitem__(index)

    with pytest.raises(DatasetError, match=r"item 3 cannot be read .*KeyError: 'image_3'"):
        contents(Broken(np.zeros((5, 2)), [0, 1, 0, 1, 0]))

    class OffDisk(Theirs):
        def __getitem__(self, index: int) -> Any:
            if index == 4:
                raise OSError("input/output error")
            return super().__getitem__(index)

    with pytest.raises(DatasetError, match=r"item 4 cannot be read .*OSError: input/output error"):
        contents(OffDisk(np.zeros((5, 2)), [0, 1, 0, 1, 0]))

    class Worded(Theirs):
        def __getitem__(self, index: int) -> Any:
            return self.x[index], "cat", {}

    with pytest.raises(DatasetError, match=r"item 0 has the label 'cat': labels must be whole numbers .*index2label"):
        contents(Worded(np.zeros((5, 2)), [0, 1, 0, 1, 0]))

    class Mapped(Theirs):
        def __getitem__(self, index: int) -> Any:
            return {"image": self.x[index], "label": 0}

    with pytest.raises(DatasetError, match=r"item 0 .* mapping with 'image', 'label', not .input, target"):
        contents(Mapped(np.zeros((5, 2)), [0, 1, 0, 1, 0]))
