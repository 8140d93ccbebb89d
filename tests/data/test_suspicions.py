"""What looks wrong with sets as wholes: one class, single items, ends that are cut off, copies."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.pairing import verify_splits
from sufficiency.data.suspicions import cut_off
from sufficiency.plugins.datasets import load_digits, load_npy, load_npz
from sufficiency.plugins.tabular import load_tabular
from sufficiency.settings import get_settings


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A data root of the test's own."""
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def split(labels: list[int], names: str | None = "abc", first: int = 0) -> ArrayDataset:
    x = first + np.arange(len(labels), dtype=np.float32)[:, None]
    return ArrayDataset(x, np.array(labels), None if names is None else list(names))


def warnings(train: Any, test: Any) -> dict[str, str]:
    info, _ = verify_splits(train, test)
    return {warning["code"]: warning["detail"] for warning in info.get("warnings", [])}


def test_classes_whose_names_differ_in_little_are_warned_about_whatever_is_read() -> None:
    x, y = np.arange(60, dtype=np.float32)[:, None], np.arange(60) % 3
    found = warnings(ArrayDataset(x, y, ["Cat", "cat", "dog"]), ArrayDataset(x + 60, y, ["Cat", "cat", "dog"]))
    assert found["names_alike"] == "the classes 'Cat' and 'cat' are taken for different ones"
    accents = warnings(*(ArrayDataset(x + k, y, ["caf\u00e9", "cafe\u0301", "dog"]) for k in (0, 60)))
    assert accents["names_alike"] == r"the classes 'caf\xe9' and 'cafe\u0301' are taken for different ones"
    letters = ArrayDataset(x, y, ["a", "A", "b"]), ArrayDataset(x + 60, y, ["a", "A", "b"])
    assert warnings(*letters) == {}
    same = ArrayDataset(x, y, ["crane", "crane", "dog"]), ArrayDataset(x + 60, y, ["crane", "crane", "dog"])
    assert set(warnings(*same)) == {"class_names_twice"}


MIXED = [0, 1, 2] * 10


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        (MIXED, MIXED, {}),
        ([0] * 9, [0] * 9, {"one_class": "both splits are of one class .'a'., and 'b', 'c' are nowhere"}),
        ([0] * 9, MIXED, {"one_class": "the training split .*'a'", "class_not_trained": "'b', 'c', the test split 20"}),
        (MIXED, [1] * 9, {"one_class": "the test split are of one class .'b'.:"}),
        ([0] * 9, [1] * 9, {"one_class": "each split .*'a' and 'b'", "class_not_trained": "'b'"}),
        ([*MIXED[:4], 0, 0], MIXED, {"single_item": "a single item of 'b', 'c'"}),
        (MIXED, [0, 1] * 9, {"class_not_tested": "no item of 'c'"}),
        ([0, 1] * 9, MIXED, {"class_not_trained": "no item of 'c', the test split 10"}),
    ],
)
def test_classes_that_are_not_there_are_named(train: list[int], test: list[int], said: dict[str, str]) -> None:
    found = warnings(split(train), split(test, first=100))
    assert list(found) == list(said)
    for code, pattern in said.items():
        assert re.search(pattern, found[code]), found[code]


def test_a_target_without_variation_says_nothing() -> None:
    varied, constant = split([1, 2, 3], None), split([2, 2, 2], None, 10)
    assert "training split have the same target" in warnings(constant, varied)["one_target"]
    assert "test split have the same target" in warnings(varied, constant)["one_target"]
    assert not warnings(varied, split([1, 2, 3], None, 10))


def test_copies_in_both_splits_are_counted() -> None:
    assert warnings(split(MIXED), split(MIXED, first=29)).keys() == {"test_items_in_train"}
    assert "a test item is a training item too" in warnings(split(MIXED), split(MIXED, first=29))["test_items_in_train"]
    assert "30 test items are" in warnings(split(MIXED), split(MIXED))["test_items_in_train"]


def test_ordinary_data_are_not_suspected() -> None:
    assert not warnings(load_digits("train"), load_digits("test"))
    assert not warnings(load_digits("train", limit=300), load_digits("test", limit=100))


@pytest.mark.parametrize("form", ["npz", "npy", "tabular", "huggingface"])
def test_a_limit_that_cuts_through_sorted_classes_is_named(root: Path, form: str) -> None:
    y = np.arange(900) // 300
    x = np.random.default_rng(0).normal(size=(900, 4))
    if form == "npz":
        np.savez(root / "a.npz", x=x, y=y)

        def load(**how: Any) -> Any:
            return load_npz("a.npz", classes=["a", "b", "c"], **how)

    elif form == "npy":
        np.save(root / "x.npy", x)
        np.save(root / "y.npy", y)

        def load(**how: Any) -> Any:
            return load_npy(".", classes=["a", "b", "c"], **how)

    elif form == "tabular":
        rows = [",".join(map(str, [*row.round(4), "abc"[label]])) for row, label in zip(x, y, strict=True)]
        (root / "a.csv").write_text("\n".join(["p,q,r,s,kind", *rows]))

        def load(**how: Any) -> Any:
            return load_tabular("a.csv", "kind", classes=["a", "b", "c"], **how)

    else:
        datasets = pytest.importorskip("datasets")
        from sufficiency.plugins.huggingface import load_huggingface

        features = datasets.Features(
            {"x": datasets.Sequence(datasets.Value("float32")), "y": datasets.ClassLabel(names=["a", "b", "c"])}
        )
        datasets.Dataset.from_dict({"x": x.tolist(), "y": y}, features=features).save_to_disk(str(root / "hf"))

        def load(**how: Any) -> Any:
            return load_huggingface("hf", "x", "y", **how)

    [cut] = load(limit=250).description.warnings
    assert cut.code == "cut_through_classes"
    assert "sorted by class: 250 of 'a' and none of 'b', 'c' are taken" in cut.detail
    assert "split" in cut.detail
    [cut] = load(start=250, limit=100).description.warnings
    assert "50 of 'a', 50 of 'b' and none of 'c'" in cut.detail
    assert not load().description.warnings
    one, other = load(limit=250), load(start=700)
    assert {"cut_through_classes", "one_class"} <= warnings(one, other).keys()


def test_a_fair_part_of_a_mixed_source_is_not_suspected() -> None:
    rng = np.random.default_rng(0)
    for seed in range(50):
        y = rng.choice(20, size=2000, p=rng.dirichlet(np.full(20, 0.5)))
        rows = np.arange(100 + 10 * seed)
        assert not cut_off(y, rows, [str(k) for k in range(20)], "x")
    assert not cut_off(rng.normal(size=500), np.arange(100), None, "x")


def test_a_limit_that_cuts_through_sorted_targets_is_named() -> None:
    y = np.sort(np.random.default_rng(0).normal(size=500))
    [cut] = cut_off(y, np.arange(100), None, "prices")
    assert cut.code == "cut_through_targets"
    assert cut.detail.startswith("prices: `start` and `limit` take items whose target is -1.")


def test_labels_that_are_none_are_left_to_who_checks_them() -> None:
    for y in (np.array([-1, 0, 1]), np.array([0.5, np.nan, 1]), np.array(["a", "b", "c"]), np.array([0, 1, 99])):
        assert not cut_off(y, np.arange(1), ["a", "b"], "x")


def test_classes_of_one_name_are_named() -> None:
    named = [
        ArrayDataset(np.arange(k, k + 8)[:, None], np.arange(8) % 4, ["crane", "duck", "crane", "hen"]) for k in (0, 50)
    ]
    assert "'crane' (0, 2)" in warnings(*named)["class_names_twice"]


def test_a_class_that_nothing_is_of_is_named() -> None:
    from_one = split([1, 2] * 15, "012")
    assert "labels that count from 1 leave it over" in warnings(from_one, from_one)["class_without_items"]


def test_copies_within_the_training_split_and_labels_that_contradict_are_counted() -> None:
    x = np.arange(60, dtype=np.float32)[:, None] % 40
    train = ArrayDataset(x, np.arange(60) % 40 % 3, "abc")
    told = warnings(train, split(MIXED, first=100))
    assert "20 of 60 training items are copies" in told["copies_in_training"]
    assert "labels_contradict" not in told
    other = ArrayDataset(x[:20], (np.arange(20) + 1) % 3, "abc")
    told = warnings(ArrayDataset(x[:40], np.arange(40) % 3, "abc"), other)
    assert "40 items are, number by number, like another one of another class" in told["labels_contradict"]
    assert "copies_in_training" not in told
    few = ArrayDataset(np.r_[x[:40], x[:2]], np.r_[np.arange(40), [1, 2]] % 3, "abc")
    assert not {"copies_in_training", "labels_contradict"} & warnings(few, split(MIXED, first=100)).keys()
