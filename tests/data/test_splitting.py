"""One source in two parts, features on one scale, sets that stay in their file, and pictures of them."""

import io
import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch
from PIL import Image

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.errors import DatasetError
from sufficiency.data.file_map import FileMap
from sufficiency.data.foreign import contents, task_of
from sufficiency.data.mapped import MappedDataset
from sufficiency.data.pairing import verify_splits
from sufficiency.data.preview import contact_sheet
from sufficiency.data.splitting import part_of, standardised
from sufficiency.plugins.datasets import load_digits, load_npy, load_npz
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.image_folder import load_image_folder
from sufficiency.plugins.models import Linear
from sufficiency.plugins.tabular import load_tabular
from sufficiency.plugins.training import SGDClassifier
from sufficiency.schemas.work import SplitPart, SplitSource
from sufficiency.settings import get_settings
from sufficiency.training.messages import VerifyDataset
from sufficiency.training.registry import Registry
from sufficiency.training.trainer import Trainer


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A data root of the test's own."""
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def numbered(size: int, classes: int = 3, **about: Any) -> ArrayDataset:
    """Items that hold their own number."""
    x = np.arange(size, dtype=np.float32)[:, None]
    return ArrayDataset(x, np.arange(size) % classes, [str(k) for k in range(classes)], item_metadata=about)


def items(dataset: Any) -> set[float]:
    return {float(dataset[k][0][0]) for k in range(len(dataset))}


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_two_parts_are_the_whole_and_share_nothing(fraction: float) -> None:
    source = numbered(120)
    train, test = (part_of(source, name, test_fraction=fraction, seed=3) for name in ("train", "test"))
    assert items(train) | items(test) == items(source)
    assert not items(train) & items(test)
    assert np.ptp(np.bincount(test.y)) <= 1
    assert len(test) == round(120 * fraction)
    assert items(part_of(source, "test", test_fraction=fraction, seed=3)) == items(test)
    assert items(part_of(source, "test", test_fraction=fraction, seed=4)) != items(test)


def test_rare_classes_keep_their_share_only_where_asked() -> None:
    y = np.array([0] * 190 + [1] * 10)
    source = ArrayDataset(np.arange(200)[:, None], y, "ab")
    assert [int(part_of(source, "test", seed=s).y.sum()) for s in range(10)] == [2] * 10
    assert len({int(part_of(source, "test", seed=s, stratify=False).y.sum()) for s in range(10)}) > 1


@pytest.mark.parametrize("fraction", [0.3, 0.9])
@pytest.mark.parametrize("counts", [[100, 99, 1], [60, 1, 1, 2, 3], [1, 1, 1, 1, 1, 1], [2, 2, 2, 2]])
def test_a_single_item_is_trained_on_and_rare_classes_are_in_both_parts(counts: list[int], fraction: float) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    source = ArrayDataset(np.arange(len(y))[:, None], y, [str(k) for k in range(len(counts))])
    for seed in range(8):
        train, test = (part_of(source, name, test_fraction=fraction, seed=seed, rule=2) for name in ("train", "test"))
        assert items(train) | items(test) == items(source)
        assert not items(train) & items(test)
        assert len(test) == round(len(y) * fraction)
        in_train, in_test = (np.bincount(part.y, minlength=len(counts)) for part in (train, test))
        if len(train) >= len(counts):
            assert (in_train > 0).all()
        if len(test) >= np.count_nonzero(np.array(counts) > 1) and len(train) > len(counts):
            assert (in_test[np.array(counts) > 1] > 0).all()


def test_the_first_rule_cuts_as_it_always_did() -> None:
    source = ArrayDataset(np.arange(200)[:, None], np.r_[np.arange(199) % 2, 2], "abc")
    where = [int(part_of(source, "test", test_fraction=0.3, seed=s).y.max()) for s in range(8)]
    assert where == [2, 1, 2, 1, 1, 2, 2, 1]


def test_groups_stay_whole_and_the_parts_near_their_share() -> None:
    patients = np.repeat(np.arange(40), 5)
    source = ArrayDataset(np.arange(200)[:, None], (patients % 2), "ab", item_metadata={"patient": patients})
    train, test = (part_of(source, name, group_by="patient", seed=1) for name in ("train", "test"))
    of = [set(part.item_metadata["patient"].tolist()) for part in (train, test)]
    assert not of[0] & of[1]
    assert (len(train), len(test)) == (160, 40)
    assert np.bincount(test.y).tolist() == [20, 20]
    assert test[0][2]["patient"] in of[1]


@pytest.mark.parametrize(
    ("dataset", "rule", "says"),
    [
        (numbered(3), {"test_fraction": 0.1}, "one part would be empty"),
        (numbered(9, patient=np.zeros(9)), {"group_by": "patient"}, "one part would be empty"),
        (numbered(9, patient=np.zeros(9)), {"group_by": "pat"}, "no metadata 'pat'.* they have patient"),
    ],
)
def test_what_cannot_be_split_says_why(dataset: Any, rule: dict[str, Any], says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        part_of(dataset, "train", **rule)


class Mine:
    """Somebody's dataset, whose items are more than arrays."""

    metadata = {"index2label": {0: "cat", 1: "dog"}}  # noqa: RUF012

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> Any:
        return np.full((1, 8, 8), float(range(20)[index])), np.eye(2)[index % 2], {"site": index // 5, "note": "mine"}


def test_a_part_of_somebodys_dataset_gives_their_items() -> None:
    train, test = (part_of(Mine(), name, group_by="site", test_fraction=0.25) for name in ("train", "test"))
    assert (len(train), len(test)) == (15, 5)
    assert {test[k][2]["site"] for k in range(5)} & {train[k][2]["site"] for k in range(15)} == set()
    assert test[0][2]["note"] == "mine"
    info, _ = verify_splits(train, test)
    assert (info["class_names"], info["test_items_in_train"]) == (["cat", "dog"], 0)
    with pytest.raises(DatasetError, match=r"no metadata 'who'.*\['site', 'note'\]"):
        part_of(Mine(), "train", group_by="who")


def test_the_scale_is_the_training_splits() -> None:
    generator = np.random.default_rng(0)
    train, test = (ArrayDataset(generator.normal(5, 3, (50, 2)) * [1, 0], np.zeros(50), "a") for _ in range(2))
    first, second = standardised(train, test)
    assert first.x.mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert first.x.std(axis=0) == pytest.approx([1, 0], abs=1e-6)
    assert second.x[:, 0] == pytest.approx((test.x[:, 0] - train.x[:, 0].mean()) / train.x[:, 0].std(), abs=1e-5)
    images = load_digits(), load_digits("test")
    assert standardised(*images)[0].x.mean() == pytest.approx(0, abs=1e-6)
    assert np.ptp(standardised(*images)[0].x) == pytest.approx(1 / images[0].x.std(), rel=1e-4)


def test_a_mapped_set_trains_and_measures_as_one_in_memory(root: Path) -> None:
    digits = load_digits(limit=300)
    stored = np.round(digits.x * 255).astype(np.uint8)
    np.save(root / "x.npy", stored)
    np.save(root / "y.npy", digits.y)
    np.save(root / "site.npy", np.arange(300) // 10)
    np.savez(root / "d.npz", x=stored, y=digits.y)
    mapped, held = load_npy(".", metadata=["site.npy"]), load_npz("d.npz")
    assert isinstance(mapped, MappedDataset)
    assert mapped.fingerprint() == held.fingerprint()
    assert mapped[7][0] == pytest.approx(held[7][0])
    pairs = [(part_of(one, "train", seed=5), part_of(one, "test", seed=5)) for one in (mapped, held)]
    assert isinstance(pairs[0][0], MappedDataset)
    assert verify_splits(*pairs[0]) == verify_splits(*pairs[1])
    measured = []
    for train, test in pairs:
        torch.manual_seed(0)
        model = Linear(train.input_shape, train.num_classes)
        SGDClassifier(epochs=2).train(model, train, list(range(0, 200, 2)))
        measured.append(Classification(batch_size=16).evaluate(model, test))
    assert measured[0] == measured[1]
    assert set(part_of(mapped, "test", group_by="site").item_metadata["site"]) < set(range(30))


@pytest.mark.parametrize("layout", ["chw", "hwc"])
def test_a_mapped_set_is_sent_to_another_process_as_its_place_in_the_file(root: Path, layout: Any) -> None:
    np.save(root / "x.npy", np.random.default_rng(0).integers(0, 256, (500, 8, 8, 3), dtype=np.uint8))
    np.save(root / "y.npy", np.arange(500) % 2)
    here = part_of(load_npy(".", layout=layout), "train")
    sent = pickle.dumps(here)
    assert len(sent) < (root / "x.npy").stat().st_size / 4
    there = pickle.loads(sent)
    assert there.input_shape == here.input_shape == ((3, 8, 8) if layout == "hwc" else (8, 8, 3))
    assert there.fingerprint() == here.fingerprint()
    assert len(pickle.dumps(there)) == pytest.approx(len(sent), rel=0.01)
    (root / "x.npy").rename(root / "elsewhere.npy")  # it is mapped here, and looked for there
    assert here.fingerprint() == there.fingerprint()
    with pytest.raises(FileNotFoundError):
        pickle.loads(sent)


def test_a_set_that_is_not_mapped_from_a_file_is_sent_whole() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    for store in (x, FileMap(x[::2])):
        rows = np.arange(store.shape[0])
        here = MappedDataset(store, rows, rows % 2, ["a", "b"])
        assert pickle.loads(pickle.dumps(here)).fingerprint() == here.fingerprint()


def test_a_mapped_set_is_not_read_into_memory(root: Path) -> None:
    store = np.lib.format.open_memmap(root / "x.npy", mode="w+", dtype=np.uint8, shape=(2000, 3, 100, 100))
    store[:, 0, 0, 0] = np.arange(2000) % 256
    store.flush()
    np.save(root / "y.npy", np.arange(2000) % 2)
    tracemalloc.start()
    dataset = part_of(load_npy("."), "train")
    SGDClassifier(epochs=1).train(Linear(dataset.input_shape, 2), dataset, list(range(8)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(dataset) == 1600
    assert most < 120e6 < 2000 * 30_000 * 4  # as floats in memory


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (np.zeros((4, 2)), np.zeros(3, int), "shapes"),
        (np.zeros((4, 2)), np.array([0, 1, 2.5, 0]), "item 2 has the label 2.5, which is no whole number"),
        (np.array([[0.0, np.nan]] * 4), np.zeros(4, int), "NaN or infinite"),
        (np.array(["a"] * 4), np.zeros(4, int), "numeric"),
        (None, np.zeros(4, int), r"x\.npy.*np\.save"),
    ],
)
def test_mapped_files_that_hold_no_dataset(root: Path, x: Any, y: Any, says: str) -> None:
    if x is None:
        (root / "x.npy").write_bytes(b"not an array")
    else:
        np.save(root / "x.npy", x)
    np.save(root / "y.npy", y)
    with pytest.raises(DatasetError, match=says):
        load_npy(".")


def test_npz_keeps_what_items_are_grouped_by(root: Path) -> None:
    np.savez(root / "d.npz", x=np.zeros((6, 2)), y=[0.5, 1, 2, 3, 4, 5.5], site=list("aabbcc"), odd=np.zeros((2, 2)))
    dataset = load_npz("d.npz", task="regression", start=1)
    assert dataset[0][1].tolist() == [1.0]
    assert dataset[0][2] == {"id": 0, "site": "a"}
    assert dataset.num_classes == 1
    info, _ = verify_splits(dataset, dataset)
    assert info["train"] == {
        "size": 5,
        "class_counts": [],
        "target": {
            "min": 1.0,
            "median": 3.0,
            "max": 5.5,
            "mean": pytest.approx(3.1),
            "sd": pytest.approx(1.56, abs=0.01),
        },
    }
    with pytest.raises(DatasetError, match="no classes"):
        load_npz("d.npz", task="regression", classes=["a"])
    with pytest.raises(DatasetError, match="is for classification, the test split for regression"):
        verify_splits(numbered(5), dataset)


def test_images_are_grouped_by_the_beginning_of_their_names(root: Path) -> None:
    for k in range(8):
        folder = root / "d" / "ab"[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), k, np.uint8)).save(folder / f"p{k // 2}_{k}.png")
    dataset = load_image_folder("d", group_before="_")
    train, test = (part_of(dataset, name, group_by="group", test_fraction=0.25) for name in ("train", "test"))
    groups = [{part[k][2]["group"] for k in range(len(part))} for part in (train, test)]
    assert (len(groups[0]), len(groups[1])) == (3, 1)
    assert not groups[0] & groups[1]


def test_a_table_of_numbers_text_and_patients(root: Path) -> None:
    (root / "t.csv").write_text(
        "patient,age,note,days\np1,30,short of breath,2.5\np1,31,fever,1\np2,50,fever fever,4\n"
    )
    dataset = load_tabular("t.csv", "days", task="regression", text=["note"], text_features=16, metadata=["patient"])
    assert dataset.input_shape == (17,)
    assert dataset.feature_names[:2] == ("age", "note#0")
    assert dataset.y.tolist() == [2.5, 1, 4]
    assert dataset.x[1, 1:] == pytest.approx(dataset.x[2, 1:])  # the same word, and every text of length 1
    assert np.square(dataset.x[:, 1:]).sum(axis=1) == pytest.approx([1, 1, 1])
    assert dataset.item_metadata["patient"].tolist() == ["p1", "p1", "p2"]
    for wrong, says in (
        ({"target": "note", "task": "regression"}, "needs numbers"),
        ({"target": "days", "text": ["nothing"]}, "no column 'nothing'"),
        ({"target": "days", "metadata": ["who"]}, "no column 'who'"),
        ({"target": "days", "features": ["age"], "text": ["note"]}, "not among the features"),
    ):
        with pytest.raises(DatasetError, match=says):
            load_tabular("t.csv", **wrong)  # type: ignore[arg-type]


class Boxes:
    """What MAITE's object detection has as a target."""

    def __init__(self, boxes: Any, labels: Any) -> None:
        self.boxes, self.labels, self.scores = np.asarray(boxes), np.asarray(labels), np.ones(len(labels))


class Detection:
    """Images with boxes."""

    metadata = {"index2label": {0: "car", 1: "van"}}  # noqa: RUF012

    def __init__(self, last: int = 1) -> None:
        self.last = last

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        image = np.zeros((3, 20 + range(3)[index], 30), np.uint8)
        return image, Boxes([[2, 2, 9, 9]] * index, [self.last] * index), {"id": index}


def test_what_only_its_own_strategies_understand_is_still_described() -> None:
    info, fingerprint = verify_splits(Detection(), Detection())
    assert info == {
        "task": "object-detection",
        "train": {"size": 3, "class_counts": [0, 3]},
        "test": {"size": 3, "class_counts": [0, 3]},
        "input_shape": [3, 20, 30],
        "class_names": ["car", "van"],
    }
    assert fingerprint == verify_splits(Detection(), Detection())[1]
    assert fingerprint != verify_splits(Detection(0), Detection())[1]
    with pytest.raises(DatasetError, match="item 1 has label 2, outside 0 … 1"):
        contents(Detection(2))
    assert contents(part_of(Detection(), "train", test_fraction=0.4)).task == "object-detection"


def shown(dataset: Any) -> Any:
    picture = contact_sheet(dataset)
    assert picture is not None
    assert len(picture) < 100_000
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), dtype=int)


def test_a_contact_sheet_has_a_row_for_each_class() -> None:
    x = np.stack([np.full((1, 8, 8), k / 3) for k in (0, 1, 2, 3)]).astype(np.float32)
    sheet = shown(ArrayDataset(x, np.array([0, 1, 0, 1]), ["dark", "light"]))
    assert sheet.shape[0] == 2 * 43 + 3
    cells = [[int(sheet[3 + row * 43 + 20, 90 + column * 43 + 20, 0]) for column in range(2)] for row in range(2)]
    assert cells == [pytest.approx([0, 170], abs=3), pytest.approx([85, 255], abs=3)]
    assert (sheet[3:43, :90] < 200).any()  # the name of the class


def test_boxes_are_drawn() -> None:
    sheet = shown(Detection())
    red = (sheet[..., 0] > 180) & (sheet[..., 1] < 80)
    assert red.any()
    assert not red[:, : 90 + 43].any()  # the first image has no box


def test_numbers_and_standardised_images_and_many_classes() -> None:
    assert contact_sheet(numbered(9)) is None
    shown(standardised(load_digits(), load_digits("test"))[0])
    many = ArrayDataset(
        np.random.default_rng(0).random((400, 3, 64, 64)), np.arange(400) % 200, [f"{k}" * 9 for k in range(200)]
    )
    assert shown(many).shape[0] == 12 * 43 + 3


def test_items_are_found_from_the_end_and_metadata_are_plain_values() -> None:
    source = numbered(4, site=np.array(["a", "b", None, 3], dtype=object))
    assert source[-1][2] == {"id": -1, "site": 3}
    assert source[2][2]["site"] is None


@pytest.mark.parametrize(
    ("declared", "task"),
    [
        ("image-classification", "classification"),
        ("Regression", "regression"),
        ("tracking", "tracking"),
        (None, "classification"),
    ],
)
def test_a_task_is_read_from_the_metadata_as_it_is_written(declared: Any, task: str) -> None:
    mine = Mine()
    mine.metadata = {"task": declared}
    assert task_of(mine) == task


def test_maite_s_protocols_hold() -> None:
    from maite.protocols import image_classification

    assert isinstance(load_digits(), image_classification.Dataset)
    assert isinstance(part_of(Mine(), "train"), image_classification.Dataset)
    assert contact_sheet(part_of(Mine(), "train")) is not None


class OddBoxes(Detection):
    """Boxes that nobody can draw, and pixels that are no numbers."""

    def __getitem__(self, index: int) -> Any:
        image, _, about = super().__getitem__(index)
        return np.where(image == 0, np.nan, image), Boxes(["left"], [0]), about


def test_a_dataset_without_a_picture_is_still_a_dataset() -> None:
    told: list[Any] = []
    subject = uuid4()  # one for all: how much of this module a trainer compares is not of interest
    registry = Registry.load([f"dataset:odd={__name__}:OddBoxes", f"dataset:boxes={__name__}:Detection"])
    trainer = Trainer(registry, told.append)
    rule = {"test_fraction": 0.4, "seed": 0, "stratify": True, "group_by": None}
    for loader in ("odd", "boxes"):
        train, test = (
            SplitSource.registered({"loader": loader, "params": {}, "part": {"name": name, **rule}})
            for name in ("train", "test")
        )
        trainer.answer(VerifyDataset(subject=subject, attempt=1, train=train, test=test))
    assert [message.type for message in told] == ["verified", "verified"]
    assert told[0].preview is None
    assert told[1].preview.startswith(b"\x89PNG")
    assert [message.info["train"]["size"] for message in told] == [2, 2]
    grouped = replace(test, part=SplitPart("test", group_by="who"))
    trainer.answer(VerifyDataset(subject=subject, attempt=1, train=train, test=grouped))
    assert told[2].error["code"] == "dataset_invalid"
    assert told[2].error["detail"].startswith("The test split cannot be used: item 0 has no metadata 'who'")
