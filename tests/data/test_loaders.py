"""What the loaders make of odd, damaged and deceptive files, and what two splits must share."""

import gzip
import hashlib
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet
from sklearn.datasets import load_digits as sklearn_digits
from sklearn.model_selection import train_test_split

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import materialise
from sufficiency.data.pairing import verify_splits
from sufficiency.plugins import idx
from sufficiency.plugins.datasets import load_digits, load_npz
from sufficiency.plugins.digits import read_digits, stratified
from sufficiency.plugins.idx import load_idx
from sufficiency.plugins.image_folder import load_image_folder
from sufficiency.plugins.tabular import load_tabular

MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist"


class Items:
    """A dataset of somebody's own."""

    def __init__(self, labels: list[Any], metadata: Any = None) -> None:
        self.labels, self.metadata = labels, metadata

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Any:
        return np.full(3, index, np.float32), self.labels[index], {}


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([0, 2, 1], [0, 2, 1]),
        ([np.array([0]), np.array([3])], [0, 3]),
        ([np.array([0.1, 0.9]), np.array([1.0, 0.0])], [1, 0]),
    ],
)
def test_labels_of_somebodys_dataset(labels: list[Any], classes: list[int]) -> None:
    assert materialise(Items(labels)).y.tolist() == classes


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([], "no items"),
        ([np.zeros(3), np.eye(3)[1]], "item 0 .* names no class"),
        ([np.eye(2)[0], np.array([np.nan, 1])], "item 1 .* names no class"),
        ([0, -1], "label -1"),
        ([0, 10**9], "label 1000000000"),
        ([0.5, 1.0], "item 0 has the label 0.5, which is no whole number"),
        (["cat", "dog"], "whole numbers"),
        ([np.eye(2)[0], np.eye(3)[0]], "of one shape"),
    ],
)
def test_labels_that_name_no_class_are_refused(labels: list[Any], says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        materialise(Items(labels))


def test_class_names_come_from_metadata_that_has_them() -> None:
    assert materialise(Items([0, 1], {"index2label": {0: "cat", 1: "dog"}})).class_names == ("cat", "dog")
    assert materialise(Items([0, 1], ["not", "a", "mapping"])).class_names == ("0", "1")


def test_a_strategy_that_works_in_place_leaves_the_dataset_alone() -> None:
    dataset = load_digits(limit=2)
    before = dataset.fingerprint()
    dataset[0][0][:] = 7
    assert dataset.fingerprint() == before


def test_items_end_where_they_end() -> None:
    assert len(list(load_digits(limit=5))) == 5  # type: ignore[call-overload]


def test_digits_are_split_once_and_for_all() -> None:
    train, test = load_digits(), load_digits("test")
    assert (len(train), len(test)) == (1500, 297)
    assert train.fingerprint() == load_digits().fingerprint()
    seen = {image.tobytes() for image in train.x}
    assert sum(image.tobytes() in seen for image in test.x) == 0
    assert np.bincount(test.y).min() > 25
    assert 0 <= train.x.min() <= train.x.max() <= 1
    assert len(load_digits("test", test_fraction=0.5)) in (898, 899)


@pytest.mark.parametrize("load", [load_digits])
def test_a_start_beyond_the_end_is_no_dataset(load: Any) -> None:
    with pytest.raises(DatasetError, match="no items"):
        load(start=5000)


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (np.zeros((2, 3)), [0, np.nan], r"item 1 has NaN for a label \(1 such items\); leave such items out"),
        (np.zeros((2, 3)), [0, 30_000_000], "label 30000000"),
        (np.full((2, 3), 1e300), [0, 1], "NaN or infinite"),
        (np.zeros((2, 0)), [0, 1], "at least one number"),
        (np.zeros(2), [0, 1], r"at least one number.*save x\[:, None\]"),
        (np.zeros((3, 2)), [0, 1.5, 2.5], r"item 1 has the label 1.5, which is no whole number \(2 such.*regression"),
        (np.zeros((3, 2)), [0, np.inf, 1], "item 1 has the label inf, which is no whole number"),
        (np.zeros((3, 2)), [[0, 1, 0]], r"3 items but 1 labels; y has the shape \(1, 3\): save y.ravel\(\)"),
        (
            np.zeros((3, 2)),
            ["a", "nan", "b"],
            r"item 1 has the label nan, as a missing one is written \(1 such.*`classes`",
        ),
        (np.zeros((2, 2)), np.array([b"caf\xe9", b"bar"]), "labels are bytes that are no text in UTF-8"),
        (np.array([["a"], ["b"]]), [0, 1], "numeric"),
        (np.array([[None], [None]], dtype=object), [0, 1], "allow_pickle"),
    ],
)
def test_arrays_that_hold_no_dataset(root: Path, x: Any, y: Any, says: str) -> None:
    np.savez(root / "d.npz", x=x, y=y)
    with pytest.raises(DatasetError, match=says):
        load_npz("d.npz")


def test_files_that_are_no_archive(root: Path) -> None:
    np.save(root / "single.npy", np.zeros(3))
    with pytest.raises(DatasetError, match=r"np\.savez"):
        load_npz("single.npy")
    np.savez_compressed(root / "d.npz", x=np.random.default_rng(0).random((50, 30)), y=np.zeros(50, int))
    whole = (root / "d.npz").read_bytes()
    for damaged in (whole[:200], whole[:100] + b"\xff" * 200 + whole[300:], b""):
        (root / "d.npz").write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"d\.npz"):
            load_npz("d.npz")
    (root / "folder").mkdir()
    with pytest.raises(DatasetError, match="folder"):
        load_npz("folder")


def test_labels_may_be_bytes_of_any_text_and_classes_of_any_name(root: Path) -> None:
    np.savez(root / "d.npz", x=np.zeros((2, 2)), y=np.array(["café".encode(), b"bar"]))
    assert load_npz("d.npz").class_names == ("bar", "café")
    np.savez(root / "n.npz", x=np.zeros((2, 2)), y=["nan", "pita"])
    assert load_npz("n.npz", classes=["nan", "pita"]).y.tolist() == [0, 1]


def test_labels_may_be_whole_floats(root: Path) -> None:
    np.savez(root / "d.npz", x=np.zeros((3, 2)), y=[0.0, 1.0, 2.0])
    assert load_npz("d.npz").y.dtype == np.int64


def test_splits_must_have_the_same_features_in_the_same_order(root: Path) -> None:
    files = {
        "train.csv": "a,b,kind\n1,9,x\n2,8,y\n",
        "swapped.csv": "b,a,kind\n9,1,x\n8,2,y\n",
        "red.csv": "colour,kind\nred,x\nblue,y\n",
        "green.csv": "colour,kind\nred,x\ngreen,y\n",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    table = {name: load_tabular(name, "kind") for name in files}
    with pytest.raises(DatasetError, match=r"feature 0 is 'a' .* and 'b'"):
        verify_splits(table["train.csv"], table["swapped.csv"])
    named = load_tabular("swapped.csv", "kind", features=["a", "b"])
    assert verify_splits(table["train.csv"], named)[0]["test"]["size"] == 2
    with pytest.raises(DatasetError, match="colour=blue"):
        verify_splits(table["red.csv"], table["green.csv"])


def test_splits_must_have_the_same_shape_and_classes() -> None:
    x, y = np.zeros((4, 3)), np.array([0, 1, 0, 1])
    train = ArrayDataset(x, y, "ab")
    with pytest.raises(DatasetError, match="shape"):
        verify_splits(train, ArrayDataset(np.zeros((4, 2)), y, "ab"))
    with pytest.raises(DatasetError, match="lacks: c"):
        verify_splits(train, ArrayDataset(x, y, "ac"))
    with pytest.raises(DatasetError, match="differently"):
        verify_splits(train, ArrayDataset(x, y, "ba"))
    info, fingerprint = verify_splits(train, ArrayDataset(x[:2], y[:2], "ab"))
    assert [warning["code"] for warning in info.pop("warnings")] == ["test_items_in_train", "labels_contradict"]
    assert info == {
        "task": "classification",
        "test_items_in_train": 2,
        "test_unavoidable": 1,
        "train": {"size": 4, "class_counts": [2, 2]},
        "test": {"size": 2, "class_counts": [1, 1]},
        "input_shape": [3],
        "class_names": ["a", "b"],
    }
    assert len(fingerprint) == 64


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be read"),
        ("a,kind\n", "no items"),
        ("a,a,kind\n1,2,x\n", "two columns 'a'"),
        ("a,kind\n1,x\n1e400,y\n", "row 1"),
        ("a,kind\n1,x\n1e300,y\n", "beyond 3.4e38.* in row 1"),
        ("a,kind\n2020-01-01,x\n2020-01-02,y\n", "numbers or text: choose dates="),
        ("a,kind\n1,x,3\n", "cannot be read"),
        ("a,kind\n1,\n2,3\n", "1 empty value of 2 .* in row 0"),
        ("a,kind\n" + "".join(f"{k},{k * 0.37}\n" for k in range(2000)), "it is no class"),
        ("a,kind\n" + "".join(f"word{k},x\n" for k in range(2000)), "2000 categories"),
    ],
)
def test_tables_that_would_mislead(root: Path, text: str, says: str) -> None:
    (root / "t.csv").write_text(text)
    with pytest.raises(DatasetError, match=says):
        load_tabular("t.csv", "kind")


def test_numbers_as_classes_are_in_the_order_of_numbers(root: Path) -> None:
    (root / "t.csv").write_text("a,kind\n" + "".join(f"{2 * k},{k}\n" for k in range(12)))
    dataset = load_tabular("t.csv", "kind")
    assert dataset.class_names == tuple(str(k) for k in range(12))
    assert dataset.y.tolist() == list(range(12))


def test_a_test_table_that_lacks_a_class_names_them_all(root: Path) -> None:
    (root / "train.csv").write_text("a,kind\n1,x\n2,y\n3,z\n")
    (root / "test.csv").write_text("a,kind\n1,x\n2,z\n")
    train = load_tabular("train.csv", "kind")
    with pytest.raises(DatasetError, match="differently"):
        verify_splits(train, load_tabular("test.csv", "kind"))
    info, _ = verify_splits(train, load_tabular("test.csv", "kind", classes=["x", "y", "z"]))
    assert info["test"]["class_counts"] == [1, 0, 1]
    with pytest.raises(DatasetError, match=r"'z' .* not among"):
        load_tabular("test.csv", "kind", classes=["x", "y"])


def test_parquet_with_decimals_booleans_and_categories(root: Path) -> None:
    columns = {
        "price": pa.array(["1.5", "2.5"]).cast(pa.decimal128(5, 2)),
        "new": pa.array([True, False]),
        "colour": pa.array(["red", "blue"]).dictionary_encode(),
        "kind": pa.array(["x", "y"]),
    }
    parquet.write_table(pa.table(columns), root / "t.parquet")
    dataset = load_tabular("t.parquet", "kind")
    assert dataset.x.tolist() == [[1.5, 1.0, 0.0, 1.0], [2.5, 0.0, 1.0, 0.0]]
    assert dataset.feature_names == ("price", "new", "colour=blue", "colour=red")


def picture(folder: Path, name: str, pixels: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


def test_deep_images_keep_their_shades(root: Path) -> None:
    shades = (np.arange(64, dtype=np.uint16) * 1024).reshape(8, 8)
    picture(root / "deep" / "a", "1.png", shades)
    for grayscale in (True, False):
        x = load_image_folder("deep", size=8, grayscale=grayscale).x[0, 0]
        assert x == pytest.approx(shades / 65535, abs=0.01)
    picture(root / "float" / "a", "1.tif", shades.astype(np.float32))
    picture(root / "float" / "a", "2.png", shades)
    with pytest.raises(DatasetError, match="1 of 2 images hold floats"):
        load_image_folder("float")


def test_image_folders_of_odd_shape(root: Path) -> None:
    grey = np.zeros((4, 4), np.uint8)
    picture(root / "train" / "cat", "1.png", grey)
    picture(root / "train" / "dog", "1.png", grey)
    picture(root / "test" / "dog", "1.png", grey)
    train = load_image_folder("train")
    with pytest.raises(DatasetError, match="differently"):
        verify_splits(train, load_image_folder("test"))
    verify_splits(train, load_image_folder("test", classes=["cat", "dog"]))
    with pytest.raises(DatasetError, match=r"'dog' .* not among"):
        load_image_folder("test", classes=["cat"])
    (root / "empty").mkdir()
    with pytest.raises(DatasetError, match="no sub-folders"):
        load_image_folder("empty")
    (root / "empty" / "cat").mkdir()
    with pytest.raises(DatasetError, match="no images"):
        load_image_folder("empty")


def test_no_damage_to_a_png_goes_unnamed(root: Path) -> None:
    picture(root / "d" / "a", "1.png", np.arange(64, dtype=np.uint8).reshape(8, 8))
    file = root / "d" / "a" / "1.png"
    whole = file.read_bytes()
    for at in range(8, len(whole), 5):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            load_image_folder("d")
        except DatasetError as error:
            assert "a/1.png" in str(error)  # noqa: PT017  (not every change is damage)


def test_a_path_that_is_not_in_the_roots_names_them_and_the_setting(root: Path) -> None:
    for path, says in (("../elsewhere.npz", "outside the data roots"), ("nowhere.npz", "not in any data root")):
        with pytest.raises(DatasetError, match=says) as caught:
            load_npz(path)
        for name in (str(root), str(root.parent / "second"), "SUFFICIENCY_DATA_ROOTS"):
            assert name in str(caught.value)


def test_a_link_out_of_the_roots_is_not_followed(root: Path, tmp_path: Path) -> None:
    picture(tmp_path / "secret", "1.png", np.zeros((4, 4), np.uint8))
    (root / "d" / "a").mkdir(parents=True)
    (root / "d" / "a" / "1.png").symlink_to(tmp_path / "secret" / "1.png")
    with pytest.raises(DatasetError, match="outside"):
        load_image_folder("d")


def idx_bytes(magic: int, shape: tuple[int, ...]) -> bytes:
    head = b"".join(k.to_bytes(4, "big") for k in (magic, *shape))
    return gzip.compress(head + bytes(int(np.prod(shape))))


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A mirror in place of the net, with files that count as MNIST's."""
    files = {
        "t10k-images-idx3-ubyte": idx_bytes(2051, (4, 2, 2)),
        "t10k-labels-idx1-ubyte": idx_bytes(2049, (4,)),
    }

    def get(url: str, **_: Any) -> httpx.Response:
        name = url.removeprefix(idx.MIRROR).removesuffix(".gz")
        return httpx.Response(200, content=files[name], request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", get)
    monkeypatch.setattr(idx, "_MD5", {name: hashlib.md5(content).hexdigest() for name, content in files.items()})
    return files


def test_a_download_is_kept_whole_in_the_first_root(root: Path, mirror: dict[str, bytes]) -> None:
    assert len(load_idx("mnist", "t10k", download=True)) == 4
    assert sorted(file.name for file in (root / "mnist").iterdir()) == [f"{name}.gz" for name in sorted(mirror)]
    mirror.clear()  # what is there is not fetched again
    assert len(load_idx("mnist", "t10k", download=True)) == 4


def test_a_damaged_download_is_not_kept(root: Path, mirror: dict[str, bytes]) -> None:
    mirror["t10k-images-idx3-ubyte"] = b"a page that asks for a password"
    with pytest.raises(DatasetError, match=r"t10k-images-idx3-ubyte\.gz arrived damaged"):
        load_idx("mnist", "t10k", download=True)
    assert not (root / "mnist").exists()


def test_a_folder_of_another_root_is_used_where_it_is(root: Path, mirror: dict[str, bytes]) -> None:
    folder = root.parent / "second" / "mnist"
    folder.mkdir()
    for name, content in mirror.items():
        (folder / f"{name}.gz").write_bytes(content)
    mirror.clear()
    assert len(load_idx("mnist", "t10k", download=True)) == 4
    assert not (root / "mnist").exists()


def test_without_a_net_a_download_says_what_to_do(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(url: str, **_: Any) -> httpx.Response:
        raise httpx.ConnectError("no route to host")

    monkeypatch.setattr(httpx, "get", get)
    with pytest.raises(DatasetError, match=r"no route to host.*by hand"):
        load_idx("mnist", "t10k", download=True)


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", "a\0b"])
def test_nothing_is_downloaded_out_of_the_roots(root: Path, mirror: dict[str, bytes], path: str) -> None:
    with pytest.raises(DatasetError):
        load_idx(path, "t10k", download=True)
    assert list(root.parent.rglob("*.gz")) == []


@pytest.mark.skipif(not MNIST.exists(), reason="the MNIST files are not beside the repository")
def test_the_sums_are_those_of_the_real_files() -> None:
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        assert hashlib.md5((MNIST / f"{name}.gz").read_bytes()).hexdigest() == idx._MD5[name]


@pytest.mark.parametrize("test", [297, 10, 1787, 0.01, 0.2, 0.25, 1 / 3, 0.5, 0.773, 0.99])
def test_the_digits_are_scikit_learn_s_in_its_split(test: float) -> None:
    x, y = read_digits()
    assert (x.dtype, y.dtype) == (np.float64, np.int64)
    for ours, given in zip((x, y), sklearn_digits(return_X_y=True), strict=True):
        np.testing.assert_array_equal(ours, given)
    expected = train_test_split(np.arange(len(y)), test_size=test, random_state=0, stratify=y)
    for ours, given in zip(stratified(y, test), expected, strict=True):
        np.testing.assert_array_equal(ours, given)
