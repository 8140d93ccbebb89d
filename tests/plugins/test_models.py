"""The built-in strategies learn, measure correctly, and refuse data that would mislead."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchmetrics
from PIL import Image

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import materialise
from sufficiency.data.pairing import verify_splits
from sufficiency.data.paths import resolve_inside
from sufficiency.plugins.datasets import load_digits, load_npz
from sufficiency.plugins.evaluation import Classification
from sufficiency.plugins.idx import load_idx
from sufficiency.plugins.image_folder import load_image_folder
from sufficiency.plugins.models import MLP, Linear, SmallResNet
from sufficiency.plugins.reset import DeepCopy, ResetParameters
from sufficiency.plugins.tabular import load_tabular
from sufficiency.plugins.training import SGDClassifier
from sufficiency.settings import get_settings

MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist"
ALL = ["accuracy", "auroc", "tpr_at_fpr", "f1", "log_loss", "recall_per_class"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A data root of the test's own."""
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


ADAMW: dict[str, Any] = {"optimizer": "adamw", "lr": 0.003}
COSINE: dict[str, Any] = {"schedule": "cosine", "lr": 0.05}


@pytest.mark.parametrize(
    ("make", "options"),
    [
        *((make, options) for make in (Linear, MLP) for options in ({}, ADAMW, COSINE)),
        (SmallResNet, COSINE),
        *(pytest.param(SmallResNet, options, marks=pytest.mark.slow) for options in ({}, ADAMW)),
    ],
)
def test_training_learns_the_digits(make: Any, options: dict[str, Any]) -> None:
    train, test = load_digits(), load_digits("test")
    torch.manual_seed(0)
    model = make(train.input_shape, train.num_classes)
    SGDClassifier(epochs=8, batch_size=16, **options).train(model, train, range(600))
    assert Classification(["accuracy"]).evaluate(model, test)["Accuracy"] > 0.8


def test_the_same_seed_trains_the_same_model() -> None:
    train = load_digits()
    weights = []
    for _ in range(2):
        torch.manual_seed(5)
        model = MLP(train.input_shape, 10, dropout=0.2)
        SGDClassifier(epochs=2).train(model, train, range(50))
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*weights)


def test_min_steps_keeps_small_subsets_from_being_undertrained() -> None:
    class Counting(Linear):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Counting.calls += 1
            return super().forward(x)

    SGDClassifier(epochs=1, min_steps=30, batch_size=8).train(Counting((1, 8, 8), 10), load_digits(), range(20))
    assert Counting.calls == 30


def test_batch_normalisation_survives_a_last_batch_of_one() -> None:
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 10)
    )
    SGDClassifier(epochs=1, batch_size=8).train(model, load_digits(), range(17))
    assert Classification(["accuracy"]).evaluate(model, load_digits("test"))["Accuracy"] > 0


def test_metrics_equal_torchmetrics_own_classes() -> None:
    train, test = load_digits(), load_digits("test")
    torch.manual_seed(0)
    model = Linear(train.input_shape, 10)
    SGDClassifier(epochs=2).train(model, train, range(100))
    ours = Classification(ALL).evaluate(model, test)
    logits, y = model(torch.from_numpy(test.x)).detach(), torch.from_numpy(test.y)
    of = {"task": "multiclass", "num_classes": 10}
    assert ours["Accuracy"] == pytest.approx(float(torchmetrics.Accuracy(**of)(logits, y)))
    assert ours["AUROC"] == pytest.approx(float(torchmetrics.AUROC(**of)(logits, y)))
    assert ours["F1"] == pytest.approx(float(torchmetrics.F1Score(**of, average="macro")(logits, y)))
    recall = torchmetrics.Recall(**of, average="none")(logits, y)
    assert ours["Recall"] == pytest.approx(recall.double().numpy())


def test_a_class_without_test_items_has_no_recall() -> None:
    train = load_digits()
    some = ArrayDataset(train.x[train.y != 3], train.y[train.y != 3], train.class_names)
    recall = Classification(ALL).evaluate(Linear(train.input_shape, 10), some)["Recall"]
    assert np.isnan(recall).tolist() == [k == 3 for k in range(10)]


def test_resets() -> None:
    model = MLP((4,), 2)
    before = [p.clone() for p in model.parameters()]
    keep = DeepCopy()
    copied = keep(model)
    ResetParameters()(model)
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, copied.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, keep(model).parameters(), strict=True))
    bare = torch.nn.Module()
    bare.token = torch.nn.Parameter(torch.zeros(3))
    with pytest.raises(ValueError, match="reset_parameters"):
        ResetParameters()(bare)


def test_an_item_reads_as_dataeval_has_it() -> None:
    image, label, metadata = load_digits()[3]
    assert (image.shape, label.shape, label.sum(), metadata) == ((1, 8, 8), (10,), 1.0, {"id": 3})


def test_any_dataset_of_such_items_is_materialised_once() -> None:
    class Theirs:
        reads = 0

        def __len__(self) -> int:
            return 6

        def __getitem__(self, index: int) -> Any:
            Theirs.reads += 1
            return np.full((2, 2), index, np.float32), np.eye(3, dtype=np.float32)[index % 3], {}

    dataset = Theirs()
    assert materialise(dataset).y.tolist() == [0, 1, 2, 0, 1, 2]
    assert materialise(dataset).x.shape == (6, 2, 2)
    assert Theirs.reads == 7  # the first once more, to see what the targets are


def test_the_fingerprint_sees_every_change() -> None:
    x, y = np.zeros((4, 3), np.float32), np.array([0, 1, 0, 1])
    prints = {verify_splits(ArrayDataset(x, y, "ab"), ArrayDataset(x, y, "ab"))[1]}
    changed = x.copy()
    changed[3, 2] = 1e-6
    prints.add(verify_splits(ArrayDataset(changed, y, "ab"), ArrayDataset(x, y, "ab"))[1])
    prints.add(verify_splits(ArrayDataset(x, y, "ab"), ArrayDataset(changed, y, "ab"))[1])
    prints.add(verify_splits(ArrayDataset(x, y[::-1], "ab"), ArrayDataset(x, y, "ab"))[1])
    assert len(prints) == 4


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (np.zeros((2, 3)), [0, 5], "label 5"),
        (np.zeros((2, 3)), [0, -1], "label -1"),
        (np.array([[0, np.nan], [0, 0]]), [0, 1], "NaN"),
        (np.zeros((0, 3)), [], "no items"),
        (np.zeros((2, 3)), [0], "2 items but 1 labels"),
        (np.zeros((2, 3)), [0.5, 1], "item 0 has the label 0.5, which is no whole number"),
    ],
)
def test_data_that_would_mislead_are_refused(x: Any, y: Any, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        ArrayDataset(x, np.array(y), "ab")


def test_npz(root: Path) -> None:
    np.savez(root / "d.npz", x=np.full((4, 2, 2), 255, np.uint8), y=[0, 1, 0, 2])
    dataset = load_npz("d.npz", start=1, limit=2)
    assert (len(dataset), dataset.x.max(), dataset.num_classes) == (2, 1.0, 3)
    np.savez(root / "e.npz", images=[1])
    with pytest.raises(DatasetError, match="no array 'x'"):
        load_npz("e.npz")
    (root / "f.npz").write_bytes(b"not a zip")
    with pytest.raises(DatasetError, match=r"f.npz"):
        load_npz("f.npz")


def write_idx(root: Path, images: bytes | None = None, labels: bytes | None = None) -> None:
    head = lambda magic, *shape: b"".join(k.to_bytes(4, "big") for k in (magic, *shape))  # noqa: E731
    (root / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(images or head(2051, 3, 2, 2) + bytes(range(12))))
    (root / "t10k-labels-idx1-ubyte").write_bytes(labels or head(2049, 3) + bytes([1, 0, 9]))


def test_idx(root: Path) -> None:
    write_idx(root)
    dataset = load_idx(".", "t10k", limit=2)
    assert (dataset.input_shape, dataset.y.tolist()) == ((1, 2, 2), [1, 0])
    with pytest.raises(DatasetError, match="train-images"):
        load_idx(".", "train")


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (b"\0\0\x08\x03" + b"\0\0\0\x03\0\0\0\x02\0\0\0\x02" + b"12345", None, "announces 28"),
        (b"\0\0\x08\x01" + bytes(20), None, "magic number 2049"),
        (b"\0\0", None, "magic"),
        (None, b"\0\0\x08\x01\0\0\0\x01\x05", "3 images but 1 labels"),
    ],
)
def test_damaged_idx_files(root: Path, images: bytes | None, labels: bytes | None, says: str) -> None:
    write_idx(root, images, labels)
    with pytest.raises(DatasetError, match=says):
        load_idx(".", "t10k")


def test_truncated_gzip(root: Path) -> None:
    write_idx(root)
    file = root / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(DatasetError, match="damaged"):
        load_idx(".", "t10k")


@pytest.mark.skipif(not MNIST.exists(), reason="the MNIST files are not beside the repository")
def test_real_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(MNIST.parent))
    get_settings.cache_clear()
    dataset = load_idx("mnist", "t10k", limit=2500)
    get_settings.cache_clear()
    assert dataset.input_shape == (1, 28, 28)
    assert np.bincount(dataset.y).min() > 200


def test_image_folder(root: Path) -> None:
    for name, colour in (("cat", "red"), ("dog", "blue")):
        (root / "pets" / name).mkdir(parents=True)
        for k in range(3):
            Image.new("RGB", (20, 10), colour).save(root / "pets" / name / f"{k}.png")
    dataset = load_image_folder("pets", size=8)
    assert (dataset.input_shape, dataset.class_names) == ((3, 8, 8), ("cat", "dog"))
    assert dataset.x[dataset.y == 1][0, 2].min() == 1.0
    (root / "pets" / "cat" / "0.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"cat/0\.png"):
        load_image_folder("pets")


def test_tables(root: Path) -> None:
    (root / "t.csv").write_text("size,colour,kind\n1.5,red,a\n2,blue,b\n3,red,a\n4,blue,b\n5,red,b\n")
    dataset = load_tabular("t.csv", "kind")
    assert (dataset.input_shape, dataset.class_names) == ((3,), ("a", "b"))
    assert dataset.x[0].tolist() == [1.5, 0.0, 1.0]
    train, test = (load_tabular("t.csv", "kind", split=s, test_fraction=0.4) for s in ("train", "test"))  # type: ignore[arg-type]
    assert sorted([*train.x[:, 0], *test.x[:, 0]]) == [1.5, 2, 3, 4, 5]
    for bad, says in (
        ({"target": "sort"}, "no column 'sort'"),
        ({"target": "kind", "features": ["kind"]}, "not the target"),
    ):
        with pytest.raises(DatasetError, match=says):
            load_tabular("t.csv", **bad)  # type: ignore[arg-type]
    (root / "u.csv").write_text("size,kind\n,a\n2,b\n")
    with pytest.raises(DatasetError, match="1 empty value"):
        load_tabular("u.csv", "kind")


def test_paths_stay_inside_the_roots(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").touch()
    (tmp_path / "secret").touch()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    roots = [tmp_path / "in"]
    assert resolve_inside("file", roots) == resolve_inside(str(tmp_path / "in" / "file"), roots)
    for path in ("../secret", "link", str(tmp_path / "secret"), "/etc/passwd"):
        with pytest.raises(DatasetError, match="outside"):
            resolve_inside(path, roots)
    with pytest.raises(DatasetError, match="not in any data root"):
        resolve_inside("nothing", roots)
    with pytest.raises(DatasetError, match="SUFFICIENCY_DATA_ROOTS"):
        resolve_inside("file", [])
