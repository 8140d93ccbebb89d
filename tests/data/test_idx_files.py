"""IDX files by every name and in every form in which people have them."""

import gzip
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sufficiency.data.errors import DatasetError
from sufficiency.data.finishing import finished
from sufficiency.plugins.idx import load_idx

Y = np.arange(40) % 10
X = np.random.default_rng(0).integers(0, 256, (40, 12, 10), dtype=np.uint8)
KINDS = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array: Any, code: int = 8) -> bytes:
    return (
        struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.astype(KINDS[code]).tobytes()
    )


def put(root: Path, files: dict[str, bytes]) -> None:
    for name, raw in files.items():
        (root / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "d" / name).write_bytes(raw)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (IMAGES, LABELS),
        (f"{IMAGES}.gz", f"{LABELS}.gz"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        (f"{IMAGES}/{IMAGES}", f"{LABELS}/{LABELS}"),
        ("train-images.idx3-ubyte/train-images-idx3-ubyte", "train-labels-idx1-ubyte/train-labels-idx1-ubyte"),
        (f"MNIST/raw/{IMAGES}", f"MNIST/raw/{LABELS}.gz"),
        ("train_images.idx", "train_labels.idx"),
        ("training-images.idx3", "training-labels.idx1"),
        (f"{IMAGES}(1).gz", f"{LABELS} (2)"),
        (f"{IMAGES}.bin", f"{LABELS}.txt"),
        ("TRAIN-IMAGES-IDX3-UBYTE", "TRAIN-LABELS-IDX1-UBYTE"),
        ("fashion-train-images-idx3-ubyte", "fashion-train-labels-idx1-ubyte"),
    ],
)
def test_files_of_any_usual_name(root: Path, images: str, labels: str) -> None:
    put(root, {images: idx(X), labels: idx(Y)})
    dataset = load_idx("d")
    assert dataset.x[:, 0] == pytest.approx(X / np.float32(255))
    assert dataset.y.tolist() == Y.tolist()
    assert dataset.class_names == tuple("0123456789")
    with pytest.raises(
        DatasetError,
        match=rf"no t10k-images.*it has .*{re.escape(Path(images).name)}.*; that is split=train; or set download",
    ):
        load_idx("d", "test")


def test_what_is_in_a_file_counts_and_not_its_suffix(root: Path) -> None:
    put(root, {f"{IMAGES}.gz": idx(X), LABELS: gzip.compress(idx(Y))})
    assert load_idx("d").y.tolist() == Y.tolist()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (gzip.compress(gzip.compress(idx(X))), "packed twice"),
        (gzip.compress(idx(X))[:-20], "damaged"),
        (b"<!DOCTYPE html><html>Not found</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"PK\3\4rest", "zip archive"),
        (b"", "it is empty"),
        (idx(X)[:-1], "4815 bytes where its header announces 4816"),
        (b"\x89PNG\r\n", "magic number is 89 50 4e 47"),
    ],
)
def test_what_is_no_idx_file_is_called_what_it_is(root: Path, raw: bytes, says: str) -> None:
    put(root, {f"{IMAGES}.gz": raw, LABELS: idx(Y)})
    with pytest.raises(DatasetError, match=rf"d/{IMAGES}\.gz .*{says}"):
        load_idx("d")


@pytest.mark.parametrize("code", [9, 11, 12, 13, 14])
def test_labels_and_images_of_every_type(root: Path, code: int) -> None:
    put(root, {IMAGES: idx(X // 2, code), LABELS: idx(Y, code)})
    dataset = finished(load_idx("d"), load_idx("d"))[0]
    assert dataset.y.tolist() == Y.tolist()
    assert dataset.x[:, 0] == pytest.approx((X // 2) / 255, abs=1e-6)


def test_colour_and_two_classes(root: Path) -> None:
    put(root, {IMAGES: idx(np.stack([X] * 3, -1)), LABELS: idx(Y % 2)})
    dataset = load_idx("d")
    assert (dataset.input_shape, dataset.class_names) == ((3, 12, 10), ("0", "1"))


def test_emnist_stands_upright_and_has_its_letters(root: Path) -> None:
    for name, y in (("letters", Y + 1), ("digits", Y)):
        put(
            root,
            {
                f"gzip/emnist-{name}-train-images-idx3-ubyte.gz": gzip.compress(idx(X)),
                f"gzip/emnist-{name}-train-labels-idx1-ubyte.gz": gzip.compress(idx(y)),
            },
        )
    with pytest.raises(DatasetError, match="several sets: emnist-digits in gzip, emnist-letters in gzip"):
        load_idx("d")
    letters = load_idx("d", name="emnist-letters")
    assert letters.x[:, 0] == pytest.approx(X.swapaxes(1, 2) / np.float32(255))
    assert "".join(letters.class_names[k] for k in letters.y[:11]) == "abcdefghija"
    assert len(letters.class_names) == 26
    assert {note.code for note in letters.description.notes} == {"images_transposed", "labels_shifted"}
    assert load_idx("d", name="emnist-digits", transpose=False).input_shape == (1, 12, 10)


def test_qmnist_keeps_its_class_in_the_first_column(root: Path) -> None:
    columns = np.stack([Y, *[Y * 100] * 7], axis=1)
    put(root, {"qmnist-train-images-idx3-ubyte": idx(X), "qmnist-train-labels-idx2-int": idx(columns, 12)})
    assert load_idx("d").y.tolist() == Y.tolist()


def test_kaggles_archive_has_each_file_twice(root: Path) -> None:
    put(
        root,
        {
            "train-images.idx3-ubyte": idx(X),
            "train-labels.idx1-ubyte": idx(Y),
            f"{IMAGES}/{IMAGES}": idx(X),
            f"{LABELS}/{LABELS}": idx(Y),
        },
    )
    assert len(load_idx("d")) == 40
