"""Folders of images as people have them: everything in them is read, or said to be left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sufficiency.data.errors import DatasetError
from sufficiency.plugins.image_folder import load_image_folder

RNG = np.random.default_rng(0)


def picture(file: Path, value: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(value, value + 20, (8, 8, 3), dtype=np.uint8)).save(file)


def filled(folder: Path, names: list[str] = ["1.png", "2.png"]) -> Path:  # noqa: B006
    """A folder of two classes, dark and bright."""
    for label, value in (("cat", 20), ("dog", 200)):
        for name in names:
            picture(folder / label / name, value)
    return folder


def said(dataset: Any, kind: str) -> dict[str, str]:
    return {remark.code: remark.detail for remark in getattr(dataset.description, kind)}


def checked(path: str, size: int) -> Any:
    """A folder's images, of which the bright ones are dogs."""
    dataset = load_image_folder(path, 8)
    assert len(dataset) == size
    assert dataset.class_names == ("cat", "dog")
    assert ((dataset.x.mean(axis=(1, 2, 3)) > 0.5) == (dataset.y == 1)).all()
    return dataset


@pytest.mark.parametrize(
    "names",
    [
        ["1.png", "2.png"],
        ["batch1/1.png", "batch2/deeper/1.png"],
        ["1.png", "more/1.png"],
        [
            "1.PNG",
            "2.JPG",
            "3.jfif",
            "4.jp2",
            "5.ppm",
            "6.webp",
            "7.tif",
            "8.bmp",
            "9.gif",
            "10.tga",
            "11.j2k",
            "12.avif",
        ],
    ],
)
def test_images_of_every_depth_and_suffix(root: Path, names: list[str]) -> None:
    filled(root / "d", names)
    dataset = checked("d", 2 * len(names))
    assert sorted(dataset.item_metadata["file"].tolist()) == sorted(f"{k}/{n}" for k in ("cat", "dog") for n in names)
    assert said(dataset, "warnings") == {}


def test_an_image_without_a_suffix_is_known_by_what_is_in_it(root: Path) -> None:
    filled(root / "d")
    (root / "d" / "cat" / "1.png").rename(root / "d" / "cat" / "n0144")
    (root / "d" / "cat" / "LICENSE").write_text("free")
    assert "1 no suffix" in said(checked("d", 4), "warnings")["files_left_out"]


def test_junk_is_no_class_and_no_image(root: Path) -> None:
    d = filled(root / "d")
    for junk in ("cat/._1.png", "__MACOSX/cat/._1.png", ".ipynb_checkpoints/1.png", "cat/Thumbs.db", "dog/.DS_Store"):
        (d / junk).parent.mkdir(parents=True, exist_ok=True)
        (d / junk).write_bytes(b"\0\5\x16\7")
    (d / "cat" / "@eaDir").mkdir()
    (d / "Desktop.ini").write_text("")
    dataset = checked("d", 4)
    assert said(dataset, "notes")["junk_left_out"].startswith("d: 7 hidden")
    assert said(dataset, "warnings") == {}


def test_what_is_left_out_is_counted_and_named(root: Path) -> None:
    d = filled(root / "d")
    picture(d / "loose.png", 100)
    (d / "empty").mkdir()
    (d / "texts").mkdir()
    for name in ("cat/a.heic", "dog/b.heic", "cat/a.json", "texts/a.txt", "readme.md"):
        (d / name).write_text("x")
    warned = said(checked("d", 4), "warnings")
    assert "5 files are left out" in warned["files_left_out"]
    assert "2 .heic" in warned["files_left_out"]
    assert "1 images lie in no folder of a class" in warned["images_left_out"]
    assert "'empty', 'texts'" in warned["folders_left_out"]
    assert "folders_left_out" not in said(
        load_image_folder("d", 8, classes=["cat", "dog", "empty", "texts"]), "warnings"
    )


def test_a_plain_folder_is_what_it_was(root: Path) -> None:
    filled(root / "d", [f"{k}.png" for k in range(10)])
    dataset = load_image_folder("d", 8)
    files = sorted(f"{k}/{n}.png" for k in ("cat", "dog") for n in range(10))
    order = np.random.default_rng(0).permutation(20)
    assert dataset.item_metadata["file"].tolist() == [files[k] for k in order]
    first = np.asarray(Image.open(root / "d" / files[order[0]]), np.float32).transpose(2, 0, 1) / 255
    assert dataset.x[0].tolist() == first.tolist()


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Training", "Testing"), ("train", "val")])
def test_folders_of_splits_are_known(root: Path, train: str, test: str) -> None:
    filled(root / "d" / train)
    filled(root / "d" / test)
    with pytest.raises(DatasetError, match=rf"train with path=d/{train} and test with path=d/{test}"):
        load_image_folder("d")
    with pytest.raises(DatasetError, match="holds the splits"):
        load_image_folder("d", classes=["cat", "dog"])


def test_a_class_may_be_called_train(root: Path) -> None:
    for name in ("train", "bus"):
        picture(root / "d" / name / "side" / "1.png", 20)
    assert load_image_folder("d").class_names == ("bus", "train")
    for name in ("train", "test"):
        picture(root / "e" / name / "1.png", 20)
    assert load_image_folder("e").class_names == ("test", "train")


def test_splits_in_the_classes_are_named(root: Path) -> None:
    filled(root / "d", ["train/1.png", "test/2.png"])
    assert "hold test, train, which are read as one" in said(checked("d", 4), "warnings")["splits_mixed"]


def test_a_folder_around_the_classes_is_named(root: Path) -> None:
    filled(root / "d" / "animals")
    with pytest.raises(DatasetError, match="give path=d/animals"):
        load_image_folder("d")
    filled(root / "e" / "data" / "animals")
    with pytest.raises(DatasetError, match=r"data/animals in it cat, dog: .* give path=e/data/animals;"):
        load_image_folder("e")
    for name in ("1.png", "more/2.png"):
        picture(root / "f" / "cat" / name, 20)
    assert load_image_folder("f").class_names == ("cat",)  # of a single class other checks warn
    assert load_image_folder("d", classes=["animals"]).class_names == ("animals",)


def test_images_without_folders_and_folders_without_images(root: Path) -> None:
    picture(root / "d" / "1.png", 20)
    with pytest.raises(DatasetError, match="no sub-folders, and 1 images beside"):
        load_image_folder("d")
    (root / "e" / "cat").mkdir(parents=True)
    (root / "e" / "cat" / "1.dcm").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"no images in the folders cat; its files are 1 \.dcm"):
        load_image_folder("e")


def test_all_damaged_images_are_counted(root: Path) -> None:
    d = filled(root / "d", ["1.png", "2.png", "3.png"])
    (d / "cat" / "2.png").write_bytes(b"")
    (d / "dog" / "3.png").write_bytes((d / "dog" / "3.png").read_bytes()[:60])
    with pytest.raises(DatasetError, match=r"2 of 6 images cannot be read: cat/2\.png: it is empty; dog/3\.png: "):
        load_image_folder("d")


def test_a_link_that_leads_back_up_ends(root: Path) -> None:
    d = filled(root / "d")
    (d / "cat" / "again").symlink_to(d / "cat")
    checked("d", 4)


@pytest.mark.parametrize("leads_to", ["file", "folder"])
def test_a_link_out_of_the_roots_is_named_as_it_was_given(
    root: Path, tmp_path_factory: pytest.TempPathFactory, leads_to: str
) -> None:
    d, outside = filled(root / "d"), tmp_path_factory.mktemp("outside")
    picture(outside / "secret.png", 100)
    link, name = (d / "cat" / "3.png", "d: cat/3.png") if leads_to == "file" else (d / "cat" / "more", "more")
    link.symlink_to(outside / "secret.png" if leads_to == "file" else outside)
    with pytest.raises(DatasetError, match="outside the data roots") as raised:
        load_image_folder("d")
    assert str(raised.value).startswith(f"{name!r} lies outside")
    assert str(outside) not in str(raised.value)
