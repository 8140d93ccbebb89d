"""What save_to_disk wrote, as people save it: formatted, not decoded, with gaps, damaged, numbered apart."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sufficiency.data.errors import DatasetError
from sufficiency.data.finishing import finished
from sufficiency.data.images import Decoder
from sufficiency.data.pairing import verify_splits
from sufficiency.plugins.huggingface import load_huggingface
from sufficiency.plugins.torchvision import as_arrays

datasets = pytest.importorskip("datasets", reason="datasets is not installed")

N = 12
Y = np.arange(N) % 2
RNG = np.random.default_rng(0)
PICTURES = [Image.fromarray(RNG.integers(0, 256, (6, 6, 3), dtype=np.uint8)) for _ in range(N)]


def table(images: Any = None, labels: Any = None, image: Any = None, label: Any = None) -> Any:
    features = datasets.Features(
        image=image or datasets.Image(), label=label or datasets.ClassLabel(names=["cat", "dog"])
    )
    columns = {"image": PICTURES if images is None else images, "label": Y.tolist() if labels is None else labels}
    return datasets.Dataset.from_dict(columns, features=features)


def load(root: Path, made: Any, **params: Any) -> Any:
    made.save_to_disk(root / "d")
    return load_huggingface("d", "image", "label", **{"size": 6, **params})


def png(image: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    "saved",
    [
        lambda made: made,
        lambda made: made.with_format("torch"),
        lambda made: made.with_format("numpy"),
        lambda made: made.with_format("torch", columns=["label"]),
        lambda made: made.cast_column("image", datasets.Image(decode=False)),
        lambda made: made.cast_column("image", datasets.Image(mode="RGB")),
        lambda made: made.select(range(N)).shuffle(seed=1).select(np.argsort(np.random.default_rng(1).permutation(N))),
    ],
)
def test_what_is_stored_counts_and_not_its_format(root: Path, saved: Any) -> None:
    dataset = load(root, saved(table()))
    expected = np.stack([np.asarray(picture, np.float32).transpose(2, 0, 1) / 255 for picture in PICTURES])
    assert dataset.x.tolist() == expected.tolist()
    assert (dataset.class_names, dataset.y.tolist()) == (("cat", "dog"), Y.tolist())


def test_bytes_that_are_not_called_images_are_images(root: Path) -> None:
    files = [png(picture) for picture in PICTURES]
    named = load(root, table()).x.tolist()
    for form, feature in (
        (files, datasets.Value("binary")),
        (
            [{"bytes": file, "path": None} for file in files],
            {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
        ),
    ):
        table(form, image=feature).save_to_disk(root / f"other{type(feature).__name__}")
        other = load_huggingface(f"other{type(feature).__name__}", "image", "label", size=6)
        assert other.x.tolist() == named


def test_deep_images_keep_their_shades(root: Path) -> None:
    shades = np.arange(36, dtype=np.uint16).reshape(6, 6) * 1800
    dataset = load(root, table([Image.fromarray(shades)] * N))
    assert dataset.x[0, 0] == pytest.approx(shades / 65535, abs=1e-6)
    assert [note.code for note in dataset.description.notes] == ["images_deep"]


def test_empty_and_damaged_images_are_named_by_item(root: Path) -> None:
    files = [{"bytes": png(picture)[: 60 if k == 7 else None], "path": None} for k, picture in enumerate(PICTURES)]
    files[3] = files[9] = None
    with pytest.raises(DatasetError, match=r"3 of 12 images .*: item 7 cannot be read: .*; 2 items are empty \(3, 9\)"):
        load(root, table(files))
    with pytest.raises(DatasetError, match=r"1 of 3 images .*: item 7 cannot"):
        load_huggingface("d", "image", "label", start=6, limit=3)
    assert len(load_huggingface("d", "image", "label", limit=3)) == 3


def test_an_image_elsewhere_is_not_read(root: Path, tmp_path: Path) -> None:
    PICTURES[0].save(tmp_path / "secret.png")
    made = table([{"bytes": None, "path": str(tmp_path / "secret.png")}] * N, image=None)
    made = made.cast_column("image", datasets.Image(decode=False))
    paths = datasets.Dataset.from_list(
        [{"image": {"bytes": None, "path": str(tmp_path / "secret.png")}, "label": 0}] * 2
    )
    paths = paths.cast_column("image", {"bytes": datasets.Value("binary"), "path": datasets.Value("string")})
    paths.save_to_disk(root / "d")
    with pytest.raises(DatasetError, match=r"item 0 cannot be read: .*outside the data roots"):
        load_huggingface("d", "image", "label", size=6)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: table(labels=[-1] * N), "12 of 12 items have the label -1 .* not given"),
        (lambda: table(labels=[None if k == 3 else 0 for k in range(N)]), "1 empty value, the first in item 3"),
        (
            lambda: table(labels=[[0.5, 2]] * N, label=datasets.List(datasets.Value("float64"))),
            "neither labels by number",
        ),
        (lambda: table(labels=["x", " "] * 6, label=datasets.Value("string")), "6 empty labels, the first in item 1"),
        (lambda: table(labels=[0.5, 1.0] * 6, label=datasets.Value("float32")), "such as 0.5, .* task=regression"),
        (lambda: table([None, *["fine"] * 11], image=datasets.Value("string")), "'image' has 1 empty value"),
        (lambda: table([None, *[[1.0]] * 11], image=datasets.List(datasets.Value("float32"))), "'image' has 1 empty"),
        (
            lambda: table([[1.0] * (1 + k) for k in range(N)], image=datasets.List(datasets.Value("float32"))),
            "one shape",
        ),
    ],
)
def test_gaps_are_counted(root: Path, made: Any, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        load(root, made())


def test_arrays_of_bytes_are_pixels(root: Path) -> None:
    pixels = RNG.integers(0, 30, (N, 8, 8, 3), dtype=np.uint8)  # so dark that only the type tells
    dataset = load(root, table(list(pixels), image=datasets.Array3D((8, 8, 3), "uint8")))
    assert dataset.x == pytest.approx(pixels.transpose(0, 3, 1, 2) / 255, abs=1e-6)
    nested = load_huggingface("d", "image", "label", layout="chw", scale="none")
    assert nested.x.tolist() == pixels.tolist()


def test_a_folder_of_parquet_says_how_to_make_a_dataset_of_it(root: Path) -> None:
    (root / "d" / "data").mkdir(parents=True)
    table().to_parquet(root / "d" / "data" / "train-00000-of-00001.parquet")
    with pytest.raises(DatasetError, match=r"holds Parquet files: .*save_to_disk"):
        load_huggingface("d", "image", "label", size=6)


def numbers(labels: Any) -> Any:
    return datasets.Dataset.from_dict({"image": [[float(k), 1.0] for k in labels], "label": list(labels)})


def test_splits_that_were_numbered_apart_are_brought_together_by_name(root: Path) -> None:
    datasets.DatasetDict(train=numbers([2, 0, 10, 1] * 3), test=numbers([10, 2] * 3)).save_to_disk(root / "d")
    train, test = finished(*(load_huggingface("d", "image", "label", split=split) for split in ("train", "test")))
    assert train.class_names == test.class_names == ("0", "1", "2", "10")
    assert [test.class_names[k] for k in test.y[:2]] == ["10", "2"]
    info, _ = verify_splits(train, test)
    assert info["test"]["class_counts"] == [0, 0, 3, 3]
    assert "classes_aligned" in [note["code"] for note in info["notes"]]
    with pytest.raises(DatasetError, match="lacks: 0"):
        verify_splits(*finished(*(load_huggingface("d", "image", "label", split=split) for split in ("test", "train"))))


def test_an_empty_dataset_is_called_empty(root: Path) -> None:
    with pytest.raises(DatasetError, match="d has no items: save_to_disk was called on an empty dataset"):
        load(root, table().select([]))


def test_lists_of_a_single_label_say_what_is_missing(root: Path) -> None:
    lists = datasets.Dataset.from_dict({"image": PICTURES, "label": [[] if k < 3 else [0] for k in range(N)]})
    lists.save_to_disk(root / "d")
    with pytest.raises(DatasetError, match=r"names a single label, '0': name all that there are in `classes`"):
        load_huggingface("d", "image", "label", size=6)
    several = load_huggingface("d", "image", "label", classes=["torn", "wet"], size=6)
    assert several.task == "multilabel"
    assert several.y.sum(axis=0).tolist() == [9, 0]


def test_what_is_to_be_predicted_is_no_item(root: Path) -> None:
    table().save_to_disk(root / "d")
    with pytest.raises(DatasetError, match="item and target are both 'label'"):
        load_huggingface("d", "label", "label")


def test_the_only_split_need_not_be_named(root: Path) -> None:
    assert len(load(root, datasets.DatasetDict(train=table()))) == N


def test_classes_can_be_given(root: Path) -> None:
    numbers([3, 0] * 3).save_to_disk(root / "d")
    dataset = load_huggingface("d", "image", "label", classes=["3", "1", "0"])
    assert (dataset.class_names, dataset.y[:2].tolist()) == (("3", "1", "0"), [0, 2])
    with pytest.raises(DatasetError, match="item 0 is of class '3', which is not among the classes 0, 1"):
        load_huggingface("d", "image", "label", classes=["0", "1"])
    with pytest.raises(DatasetError, match="two of the classes are called '0'"):
        load_huggingface("d", "image", "label", classes=["0", "3", "0"])


class Pairs(list[Any]):
    """Pictures and labels, as torchvision's datasets have them."""


def test_torchvisions_pictures_are_decoded_as_all_others() -> None:
    ink = np.zeros((6, 6, 4), np.uint8)
    ink[:3, :, 3] = 255
    found = Pairs([(Image.fromarray(ink), 1), (Image.fromarray(np.full((6, 6, 3), 51, np.uint8)), 0)])
    dataset = as_arrays(found, "GTSRB", None, 0, None, ["1", "0"], Decoder(None, None))
    assert dataset.x[0, 0, :, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.x[1] == pytest.approx(0.2)
    assert (dataset.class_names, dataset.y.tolist()) == (("1", "0"), [0, 1])
    found.append((None, 0))
    with pytest.raises(DatasetError, match="GTSRB: item 2 cannot be read"):
        as_arrays(found, "GTSRB", None, 0, None, None, Decoder(None, None))
