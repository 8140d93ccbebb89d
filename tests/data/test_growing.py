"""A dataset that grows: old items first and as they were, new ones behind them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sufficiency.data import paths
from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import materialise
from sufficiency.data.joining import JoinedItems, cut, joined
from sufficiency.data.mapped import MappedDataset
from sufficiency.method.sampling import nested_order
from sufficiency.method.schedule import steps_beyond
from sufficiency.schemas.work import SplitSource
from sufficiency.settings import Settings
from sufficiency.training.faults import Fault
from sufficiency.training.registry import Registry
from sufficiency.training.splits import SplitReader, Splits

RANDOM = np.random.default_rng(5)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "get_settings", lambda: Settings(data_roots=(tmp_path,)))
    return tmp_path


@pytest.fixture
def reader() -> SplitReader:
    registry = Registry()
    for loader in ("npz=sufficiency.plugins.datasets:load_npz", "tabular=sufficiency.plugins.tabular:load_tabular"):
        registry.add(f"dataset:{loader}")
    return SplitReader(registry)


def written(file: Path, size: int, spread: float = 1.0) -> tuple[Any, Any]:
    x, y = RANDOM.normal(size=(size, 3)) * spread + 7, RANDOM.integers(0, 3, size)
    y[:3] = [0, 1, 2]
    np.savez(file, x=x, y=y)
    return x, y


def npz(name: str, **more: Any) -> SplitSource:
    return SplitSource.registered({"loader": "npz", "params": {"path": name}, **more})


def version(before: Splits, *added: str, path: str = "old.npz", **more: Any) -> SplitSource:
    lots = [{"loader": "npz", "params": {"path": name}} for name in added]
    return npz(path, appended=lots, sizes=[len(before.train)], continues=before.fingerprint, **more)


@pytest.mark.parametrize("standardise", [False, True], ids=["as it is", "standardised"])
def test_old_items_stay_to_the_last_bit(reader: SplitReader, folder: Path, standardise: bool) -> None:
    for name, size, spread in (("old.npz", 40, 1.0), ("test.npz", 20, 1.0), ("more.npz", 25, 30.0)):
        written(folder / name, size, spread)
    scaled = {"standardise": True} if standardise else {}
    test = npz("test.npz", **scaled)
    before = reader.read_anew(npz("old.npz", **scaled), test)
    grown = reader.read_anew(version(before, "more.npz", **scaled), test)
    assert len(grown.train) == 65
    old, new = materialise(before.train), materialise(grown.train)
    rows = np.arange(40)
    np.testing.assert_array_equal(new.take(rows), old.take(rows))
    np.testing.assert_array_equal(new.y[:40], old.y)
    tested = np.arange(20)
    np.testing.assert_array_equal(materialise(grown.test).take(tested), materialise(before.test).take(tested))
    assert grown.info["train"]["sizes"] == [40, 65]
    assert sum(grown.info["train"]["class_counts"]) == 65
    assert grown.fingerprint != before.fingerprint
    assert grown.labels is not None
    assert len(grown.labels) == 65


def test_a_file_that_has_grown_at_its_end_is_a_version_too(reader: SplitReader, folder: Path) -> None:
    x, y = written(folder / "old.npz", 40)
    written(folder / "test.npz", 20)
    before = reader.read_anew(npz("old.npz"), npz("test.npz"))
    more = RANDOM.normal(size=(15, 3))
    np.savez(folder / "grown.npz", x=np.concatenate([x, more]), y=np.concatenate([y, np.zeros(15, int)]))
    grown = reader.read_anew(version(before, path="grown.npz"), npz("test.npz"))
    assert (len(grown.train), grown.info["train"]["sizes"]) == (55, [40, 55])
    third = SplitSource.registered(
        {
            "loader": "npz",
            "params": {"path": "grown.npz"},
            "appended": [{"loader": "npz", "params": {"path": "test.npz"}}],
            "sizes": [40, 55],
            "continues": grown.fingerprint,
        }
    )
    assert reader.read_anew(third, npz("test.npz")).info["train"]["sizes"] == [40, 55, 75]


def test_a_version_whose_old_items_changed_is_refused(reader: SplitReader, folder: Path) -> None:
    x, y = written(folder / "old.npz", 40)
    written(folder / "test.npz", 20)
    written(folder / "more.npz", 5)
    before = reader.read_anew(npz("old.npz"), npz("test.npz"))
    x[3] += 1
    np.savez(folder / "old.npz", x=x, y=y)
    with pytest.raises(Fault) as caught:
        reader.read_anew(version(before, "more.npz"), npz("test.npz"))
    assert caught.value.error["code"] == "dataset_invalid"
    assert (
        "first 40 training items, or its test split, are not those of the version before"
        in (caught.value.error["detail"])
    )


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "no items"),
        (np.ones((4, 5)), np.array([0, 1, 2, 0]), "the items before have shape (3,), those added (5,)"),
        (np.ones((4, 3)), np.array([0, 1, 2, 3]), "classes that the versions before lack: 3"),
    ],
    ids=["nothing", "another shape", "a class that is new"],
)
def test_items_that_do_not_fit_are_refused(reader: SplitReader, folder: Path, x: Any, y: Any, told: str) -> None:
    written(folder / "old.npz", 40)
    written(folder / "test.npz", 20)
    before = reader.read_anew(npz("old.npz"), npz("test.npz"))
    np.savez(folder / "more.npz", x=x, y=y)
    with pytest.raises(Fault) as caught:
        reader.read_anew(version(before, "more.npz"), npz("test.npz"))
    assert told in caught.value.error["detail"]


def test_categories_of_a_table_are_those_of_its_first_version(reader: SplitReader, folder: Path) -> None:
    def table(name: str, colours: list[str]) -> SplitSource:
        rows = "".join(f"{k % 7},{colour},{'ab'[k % 2]}\n" for k, colour in enumerate(colours))
        (folder / name).write_text(f"size,colour,kind\n{rows}")
        return SplitSource("tabular", {"path": name, "target": "kind"})

    old = table("old.csv", ["red", "blue"] * 20)
    test = table("test.csv", ["blue", "red"] * 10)
    before = reader.read_anew(old, test)
    table("more.csv", ["green", "red", "blue", "red"])
    lot = {"loader": "tabular", "params": {"path": "more.csv", "target": "kind"}}
    source = SplitSource.registered(
        {
            "loader": "tabular",
            "params": old.params,
            "appended": [lot],
            "sizes": [40],
            "continues": before.fingerprint,
        }
    )
    grown = reader.read_anew(source, test)
    assert len(grown.train) == 44
    assert grown.info["feature_names"] == before.info["feature_names"]
    rows = np.arange(40)
    np.testing.assert_array_equal(materialise(grown.train).take(rows), materialise(before.train).take(rows))


def test_lots_that_stay_in_their_files_are_read_where_they_are() -> None:
    x = RANDOM.normal(size=(30, 2)).astype(np.float32)
    y = RANDOM.integers(0, 2, 30)
    lots = [
        MappedDataset(x, np.arange(0, 18), y[:18], ["a", "b"]),
        MappedDataset(x, np.arange(18, 30), y[18:], ["a", "b"]),
    ]
    whole = joined(lots)
    assert isinstance(whole, JoinedItems)
    rows = np.array([29, 0, 17, 18, 5])
    np.testing.assert_array_equal(whole.take(rows), x[rows])
    np.testing.assert_array_equal(whole.exact(rows), x[rows])
    np.testing.assert_array_equal(whole.feature(1), x[:, 1])
    np.testing.assert_array_equal(whole.select(rows).take(np.array([1, 0])), x[[0, 29]])
    np.testing.assert_array_equal(whole.y, y)
    np.testing.assert_array_equal(whole.rescaled(lambda items: items * 2.0).take(rows), x[rows] * 2)


class Own:
    """Somebody's own items, which only their strategies understand."""

    def __init__(self, items: list[str]) -> None:
        self.items = items
        self.metadata = {"task": "captioning"}

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index], 0, {}


def test_somebodys_own_items_are_given_as_they_are() -> None:
    whole = joined([Own(["a", "b"]), Own(["c"])])
    assert [whole[k][0] for k in range(len(whole))] == ["a", "b", "c"]
    assert whole[-1][0] == "c"
    with pytest.raises(IndexError):
        whole[3]
    assert whole.metadata == {"task": "captioning"}


def test_what_has_not_grown_is_no_version() -> None:
    with pytest.raises(DatasetError, match="2 training items, as many as the version before"):
        cut([Own(["a", "b"])], [2])


@pytest.mark.parametrize("rule", [1, 2])
def test_the_order_goes_on_where_it_stood(rule: Any) -> None:
    labels = RANDOM.integers(0, 4, 100)
    first = nested_order(60, labels[:60], 3, 1, rule)
    grown = nested_order(100, labels, 3, 1, rule, [60])
    again = nested_order(100, labels, 3, 1, rule, [60, 90])
    np.testing.assert_array_equal(grown[:60], first)
    np.testing.assert_array_equal(np.sort(grown), np.arange(100))
    assert (np.sort(grown[60:]) == np.arange(60, 100)).all()
    np.testing.assert_array_equal(again[:60], first)
    np.testing.assert_array_equal(np.sort(again[:90]), np.arange(90))
    # What was added comes class by class in its own proportions too.
    counts = np.bincount(labels[60:], minlength=4) / 40
    half = np.bincount(labels[grown[60:80]], minlength=4)
    assert (np.abs(half - 20 * counts) <= 2).all()
    assert (grown[60:] != nested_order(100, labels, 3, 2, rule, [60])[60:]).any()


def test_sizes_go_on_in_the_ratio_of_the_last_two() -> None:
    assert steps_beyond([10, 40, 160], 160) == []
    assert steps_beyond([10, 100, 150], 500) == [224, 335, 500]
    assert steps_beyond([100], 1000) == [215, 464, 1000]
    assert steps_beyond([10, 1000], 1001) == [1001]
    assert steps_beyond([160, 40], 300)[-1] == 300
