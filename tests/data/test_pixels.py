"""The same picture in every form that people have it gives the same pixels, and what was done is said."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.errors import DatasetError
from sufficiency.data.finishing import finished
from sufficiency.data.foreign import materialise
from sufficiency.data.images import Decoder
from sufficiency.data.pairing import verify_splits
from sufficiency.plugins.datasets import load_npy, load_npz
from sufficiency.plugins.image_folder import load_image_folder

N = 24
RNG = np.random.default_rng(0)
HALVES = np.full((N, N), 60, np.uint8)
HALVES[:, N // 2 :] = 200
HALVES[:4] = 120  # so that no turn leaves it as it is
COLOURED = np.stack([HALVES, HALVES // 2, 255 - HALVES], axis=-1)


def codes(dataset: Any, kind: str = "notes") -> list[str]:
    return [remark.code for remark in getattr(dataset.description, kind)]


def decoded(image: Image.Image, suffix: str = "png", **options: Any) -> Any:
    """A picture's pixels by way of a file of it, and what was said."""
    out = io.BytesIO()
    image.save(out, suffix, **options)
    decode = Decoder(None, grayscale=None)
    return decode.read(out.getvalue()), decode.description("it")


def drawn_in_alpha(mode: str) -> Image.Image:
    """Black ink on nothing."""
    ink = np.zeros((N, N, 4), np.uint8)
    ink[..., 3] = 255 - HALVES
    return Image.fromarray(ink).convert(mode)


def with_palette(transparent: bool) -> Image.Image:
    image = Image.fromarray((HALVES > 100).astype(np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 0, 0] if transparent else [60, 60, 60, 200, 200, 200])
    return image


DARK_AND_BRIGHT = np.where(HALVES > 100, 200, 60)
SHADES = HALVES.astype(np.uint16) * 257


@pytest.mark.parametrize(
    ("image", "suffix", "options", "expected"),
    [
        (Image.fromarray(HALVES), "png", {}, HALVES),
        (Image.fromarray(HALVES).convert("LA"), "png", {}, HALVES),
        (Image.fromarray(HALVES > 100), "png", {}, (HALVES > 100) * 255),
        (Image.fromarray(HALVES > 100), "tiff", {}, (HALVES > 100) * 255),
        (Image.fromarray(SHADES), "png", {}, HALVES),
        (Image.fromarray(SHADES), "tiff", {}, HALVES),
        (Image.fromarray(SHADES.astype(np.int32)), "ppm", {}, HALVES),
        (with_palette(False), "png", {}, DARK_AND_BRIGHT),
        (with_palette(False), "gif", {}, DARK_AND_BRIGHT),
        (with_palette(True), "png", {"transparency": 0}, np.where(HALVES > 100, 0, 255)),
        (with_palette(True), "gif", {"transparency": 0}, np.where(HALVES > 100, 0, 255)),
        (Image.fromarray(HALVES), "png", {"transparency": 60}, np.where(HALVES == 60, 255, HALVES)),
        (Image.fromarray(SHADES), "png", {"transparency": 60 * 257}, np.where(HALVES == 60, 255, HALVES)),
        (drawn_in_alpha("RGBA"), "png", {}, HALVES),
        (drawn_in_alpha("LA"), "png", {}, HALVES),
        (drawn_in_alpha("RGBA"), "tiff", {}, HALVES),
        (drawn_in_alpha("RGBA"), "webp", {"lossless": True, "exact": True}, HALVES),
        (Image.fromarray(COLOURED), "png", {}, COLOURED),
        (Image.fromarray(COLOURED).convert("RGBX"), "tiff", {}, COLOURED),
        (Image.fromarray(COLOURED).convert("CMYK"), "tiff", {}, COLOURED),
        (Image.fromarray(COLOURED).convert("CMYK"), "jpeg", {"quality": 100, "subsampling": 0}, COLOURED),
        (Image.fromarray(COLOURED).convert("YCbCr"), "tiff", {}, COLOURED),
    ],
)
def test_a_picture_is_what_a_viewer_shows(image: Any, suffix: str, options: Any, expected: Any) -> None:
    pixels, _ = decoded(image, suffix, **options)
    shown = np.asarray(expected, float) / 255
    shown = shown[None] if shown.ndim == 2 else shown.transpose(2, 0, 1)
    tolerance = 0.02 if image.mode in ("CMYK", "YCbCr") else 0.003
    assert np.abs(pixels - shown).max() < tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpeg", "png", "webp", "tiff"])
def test_a_turn_that_exif_asks_for_is_made(orientation: int, suffix: str) -> None:
    stored = {  # how a viewer's picture lies in the file, by what the tag then says
        1: HALVES,
        2: HALVES[:, ::-1],
        3: HALVES[::-1, ::-1],
        4: HALVES[::-1],
        5: HALVES.T,
        6: HALVES.T[::-1],
        7: HALVES.T[::-1, ::-1],
        8: HALVES.T[:, ::-1],
    }[orientation]
    tag = Image.Exif()
    tag[0x0112] = orientation
    pixels, said = decoded(Image.fromarray(np.stack([stored] * 3, -1)), suffix, exif=tag)
    assert np.abs(pixels[0] - HALVES / 255).mean() < 0.02
    if suffix != "tiff":  # which Pillow turns by itself
        assert [note.code for note in said.notes] == ["images_turned"] * (orientation > 1)


@pytest.mark.parametrize("pixels", [HALVES, SHADES])
def test_white_may_be_zero(pixels: Any) -> None:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "TIFF")
    black, white = (struct.pack("<HHIHH", 262, 3, 1, value, 0) for value in (1, 0))
    file = out.getvalue().replace(black, white)  # Pillow turns round what it writes
    assert Decoder(None, None).read(file)[0] == pytest.approx(1 - HALVES / 255, abs=1e-6)


def test_colours_of_ink_go_by_their_profile() -> None:
    lab = ImageCms.profileToProfile(
        Image.fromarray(COLOURED), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    pixels, said = decoded(lab, "tiff")
    assert np.abs(pixels - COLOURED.transpose(2, 0, 1) / 255).mean() < 0.02
    assert [note.code for note in said.notes] == ["images_converted"]


def test_damaged_tags_are_no_damage_to_the_picture() -> None:
    pixels, _ = decoded(Image.fromarray(HALVES), "png", exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff\x01")
    assert pixels.shape == (1, N, N)


def test_the_background_is_chosen(root: Path) -> None:
    (root / "d" / "a").mkdir(parents=True)
    white = np.full((N, N, 4), 255, np.uint8)
    white[..., 3] = HALVES
    Image.fromarray(white).save(root / "d" / "a" / "1.png")
    on_white, on_black = (load_image_folder("d", N, background=colour) for colour in ("white", "#000"))
    assert (on_white.x == 1).all()
    assert codes(on_white, "warnings") == ["images_blank"]
    assert np.abs(on_black.x[0, 0] - HALVES / 255).max() < 0.005
    assert codes(on_black, "warnings") == []
    assert "background of #000" in on_black.description.notes[0].detail
    with pytest.raises(DatasetError, match="must be a colour"):
        load_image_folder("d", background="withe")


def test_floats_are_scaled_by_the_training_split_and_never_one_by_one(root: Path) -> None:
    for split, values in (("train", (100, 500)), ("test", (200, 300))):
        for k, value in enumerate(values):
            (root / split / "ab"[k]).mkdir(parents=True)
            Image.fromarray(np.full((4, 4), value, np.float32)).save(root / split / "ab"[k] / "1.tiff")
    train, test = finished(load_image_folder("train", 4), load_image_folder("test", 4))
    assert sorted(train.x[:, 0, 0, 0].tolist()) == pytest.approx([0.2, 1.0])
    assert sorted(test.x[:, 0, 0, 0].tolist()) == pytest.approx([0.4, 0.6])
    assert "by the training split's range, 0 … 500" in verify_splits(train, test)[0]["notes"][-1]["detail"]


BYTES = RNG.integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
LABELS = np.arange(12) % 3


def npz(root: Path, x: Any, y: Any = LABELS, **params: Any) -> ArrayDataset:
    np.savez(root / "d.npz", x=x, y=y)
    whole = load_npz("d.npz", **params)
    return finished(whole, whole)[0]


@pytest.mark.parametrize(
    "x",
    [
        BYTES,
        BYTES.astype(np.int64),
        BYTES.astype(">i2"),
        BYTES.astype(np.float32),
        BYTES.astype(np.uint16) * 257,
        (BYTES.astype(np.uint16) * 257).astype(">u2"),
        BYTES.astype(np.float64) / 255,
        np.asfortranarray(BYTES),
        BYTES.transpose(0, 2, 3, 1),
        BYTES.transpose(0, 2, 3, 1).astype(np.float32),
    ],
)
def test_the_same_pixels_from_arrays_of_every_type(root: Path, x: Any) -> None:
    expected = BYTES.astype(np.float32) / 255
    assert npz(root, x).x == pytest.approx(expected, abs=1e-6)
    np.save(root / "x.npy", x)
    np.save(root / "y.npy", LABELS)
    mapped = load_npy(".")
    mapped = finished(mapped, mapped)[0]
    assert mapped.take(np.arange(12)) == pytest.approx(expected, abs=1e-6)
    assert mapped.input_shape == (3, 16, 16)
    assert mapped.fingerprint() == npz(root, x).fingerprint()


@pytest.mark.parametrize(
    ("shape", "seen"),
    [
        ((16, 16, 3), (3, 16, 16)),
        ((16, 20, 1), (1, 16, 20)),
        ((20, 16, 4), (4, 20, 16)),
        ((64, 64, 13), (13, 64, 64)),
        ((3, 16, 16), (3, 16, 16)),
        ((1, 16, 3), (1, 16, 3)),  # could be either
        ((13, 64, 64), (13, 64, 64)),
        ((512, 7, 7), (512, 7, 7)),
        ((16, 16), (16, 16)),
        ((5,), (5,)),
        ((4, 8, 8, 3), (4, 8, 8, 3)),
    ],
)
def test_channels_are_moved_only_where_they_can_only_be_last(root: Path, shape: Any, seen: Any) -> None:
    dataset = npz(root, np.zeros((12, *shape), np.uint8))
    assert dataset.input_shape == seen
    assert ("channels_moved" in codes(dataset)) == (seen != shape)
    assert ("channels_unclear" in codes(dataset, "warnings")) == (shape == (1, 16, 3))


def test_a_layout_can_be_asked_for(root: Path) -> None:
    last = BYTES.transpose(0, 2, 3, 1)
    assert npz(root, last, layout="chw").input_shape == (16, 16, 3)
    assert npz(root, np.zeros((12, 1, 16, 3), np.uint8), layout="hwc").input_shape == (3, 1, 16)
    assert npz(root, BYTES[:, 0], layout="chw").input_shape == (1, 16, 16)
    with pytest.raises(DatasetError, match=r"layout=hwc is for images, but an item has the shape 5"):
        npz(root, np.zeros((12, 5)), layout="hwc")


def test_a_scale_can_be_asked_for(root: Path) -> None:
    assert npz(root, BYTES, scale="none").x.max() == BYTES.max()
    deep = BYTES.astype(np.uint16) * 16
    dark = npz(root, deep)
    assert dark.x.max() == pytest.approx(int(BYTES.max()) * 16 / 65535)
    assert codes(dark, "warnings") == ["pixels_dark"]
    assert npz(root, deep, scale="range").x.max() == 1
    assert npz(root, RNG.normal(0, 1000, (12, 5)), scale="range").x.min() == pytest.approx(0, abs=1e-6)


def test_numbers_that_may_be_no_pixels_stay_and_are_named(root: Path) -> None:
    standardised = RNG.normal(size=(12, 3, 16, 16)).astype(np.float32)
    assert npz(root, standardised).x.tolist() == standardised.tolist()
    series = RNG.normal(0, 1000, (12, 50, 6)).astype(np.float32)
    left = npz(root, series)
    assert left.x.tolist() == series.tolist()
    assert codes(left, "warnings") == ["pixels_unscaled"]
    flat = npz(root, BYTES.reshape(12, -1).astype(np.int64))
    assert (flat.x.max(), codes(flat, "warnings")) == (BYTES.max(), ["pixels_unscaled"])
    assert codes(npz(root, np.full((12, 15), 99)), "warnings") == []  # a few numbers are a table's
    signed = npz(root, RNG.normal(0, 1000, (12, 1, 16, 16)))  # as of a scanner
    assert (signed.x.min(), signed.x.max()) == pytest.approx((0, 1), abs=1e-6)


def test_the_test_split_does_not_decide_on_the_scale() -> None:
    train, test = (ArrayDataset(BYTES[:6].astype(float) * f, LABELS[:6], "abc") for f in (100, 250))
    first, second = finished(train, test)
    assert first.x.max() == 1
    assert second.x == pytest.approx(first.x * 2.5)


def test_labels_as_people_keep_them(root: Path) -> None:
    assert npz(root, BYTES, LABELS[:, None]).y.tolist() == LABELS.tolist()
    assert npz(root, BYTES, np.eye(3)[LABELS]).y.tolist() == LABELS.tolist()
    texts = np.array(["10", "9", "2"])[LABELS]
    named = npz(root, BYTES, texts)
    assert named.class_names == ("2", "9", "10")
    assert [named.class_names[k] for k in named.y] == texts.tolist()
    assert npz(root, BYTES, texts, classes=["9", "10", "2"]).y[:3].tolist() == [1, 0, 2]
    with pytest.raises(DatasetError, match="item 2 has the label '2'"):
        npz(root, BYTES, texts, classes=["9", "10"])
    with pytest.raises(DatasetError, match="two of the classes are called 'a'"):
        npz(root, BYTES, LABELS, classes=["a", "b", "a"])


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (BYTES, np.where(LABELS == 0, -1, 1), "label -1, outside 0 … 1 .* classes count from 0"),
        (BYTES, np.array(["a", " ", "b"])[LABELS], "item 1 has an empty label .4 such"),
        (BYTES.transpose(1, 2, 3, 0), LABELS, r"last axis has 12: save np\.moveaxis"),
    ],
)
def test_arrays_that_mislead_are_refused_with_the_way_out(root: Path, x: Any, y: Any, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        npz(root, x, y)


class Last:
    """Somebody's own dataset of images with their channels last."""

    def __init__(self, images: Any) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.images[index], LABELS[index], {}


def test_every_loader_decodes_alike(root: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    from sufficiency.plugins.huggingface import load_huggingface
    from sufficiency.plugins.torchvision import as_arrays

    tag = Image.Exif()
    tag[0x0112] = 3
    forms: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (Image.fromarray(COLOURED), "jpeg", {"exif": tag}),
        (drawn_in_alpha("RGBA"), "png", {}),
        (with_palette(True), "png", {"transparency": 0}),
        (Image.fromarray(COLOURED).convert("CMYK"), "jpeg", {}),
        (Image.fromarray(COLOURED), "webp", {}),
    ]
    files = [root / "folder" / f"class{k}" / f"1.{suffix}" for k, (_, suffix, _) in enumerate(forms)]
    for file, (image, suffix, options) in zip(files, forms, strict=True):
        file.parent.mkdir(parents=True)
        image.save(file, suffix, **options)
    folder = load_image_folder("folder", N)
    expected = folder.x[np.argsort(folder.y)]
    columns = {
        "image": [{"bytes": file.read_bytes(), "path": None} for file in files],
        "label": list(range(len(files))),
    }
    features = datasets.Features(image=datasets.Image(), label=datasets.Value("int64"))
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(root / "hf")
    assert np.array_equal(load_huggingface("hf", "image", "label", size=N).x, expected)
    pairs = [(Image.open(file), k) for k, file in enumerate(files)]
    assert np.array_equal(as_arrays(pairs, "pairs", None, 0, None, None, Decoder(None, None)).x, expected)
    assert np.array_equal(materialise([(Image.open(file), k, {}) for k, file in enumerate(files)]).x, expected)  # type: ignore[attr-defined]


def test_somebodys_channels_stay_where_they_are_and_are_named() -> None:
    first, last = Last(BYTES), Last(BYTES.transpose(0, 2, 3, 1))
    assert finished(last, last)[0] is last
    assert "channels_last" in [warning["code"] for warning in verify_splits(last, last)[0]["warnings"]]
    finished(first, first)
    assert "channels_last" not in [warning["code"] for warning in verify_splits(first, first)[0]["warnings"]]


def test_arrays_of_objects_say_how_to_save_them(root: Path) -> None:
    objects = np.empty(2, dtype=object)
    objects[:] = [np.zeros(3), np.zeros(3)]
    np.savez(root / "d.npz", x=objects, y=[0, 1])
    with pytest.raises(DatasetError, match=r"'x' holds Python objects .*=np\.stack"):
        load_npz("d.npz")
    np.savez(root / "d.npz", x=np.zeros((2, 3)), y=np.array(["a", "b"], dtype=object))
    with pytest.raises(DatasetError, match=r"'y' holds Python objects .*y=np\.asarray\(list\(y\)\)"):
        load_npz("d.npz")
    np.savez(root / "d.npz", x=np.zeros((2, 3)), y=[0, 1], who=np.array(["a", None], dtype=object))
    assert codes(load_npz("d.npz")) == ["array_left_out"]
    np.save(root / "x.npy", objects)
    np.save(root / "y.npy", [0, 1])
    with pytest.raises(DatasetError, match=r"x\.npy holds Python objects .*np\.save"):
        load_npy(".")


def test_arrays_of_other_names_are_asked_for(root: Path) -> None:
    np.savez(root / "d.npz", x_train=BYTES, y_train=LABELS, x_test=BYTES[:4], y_test=LABELS[:4])
    with pytest.raises(DatasetError, match="it has x_train, y_train"):
        load_npz("d.npz")
    train, test = load_npz("d.npz", x="x_train", y="y_train"), load_npz("d.npz", x="x_test", y="y_test")
    assert (len(train), len(test)) == (12, 4)
