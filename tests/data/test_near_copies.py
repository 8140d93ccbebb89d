"""Items that are nearly others' copies are found; items that are near by chance, or differ in a flag, are not."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets as ready
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.near import pairing, search
from sufficiency.data.near.copies import NearCopies, near_copies
from sufficiency.data.near.search import _candidates
from sufficiency.data.pairing import verify_splits
from sufficiency.schemas.work import SplitSource
from sufficiency.training.examining import examined
from sufficiency.training.registry import Registry
from sufficiency.training.splits import SplitReader

Array = NDArray[Any]
RNG = np.random.default_rng
MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist"


def arrays(x: Array, y: Array | None = None, classes: int = 2) -> ArrayDataset:
    labels = np.arange(len(x)) % classes if y is None else y
    return ArrayDataset(x, labels, [str(k) for k in range(classes)])


def found(train: ArrayDataset, test: ArrayDataset) -> NearCopies:
    near = near_copies(train, test)
    assert isinstance(near, NearCopies), near
    return near


@pytest.fixture(scope="module")
def images() -> Array:
    """The first 2,000 images of MNIST's test split, as bytes."""
    file = MNIST / "t10k-images-idx3-ubyte.gz"
    if not file.exists():
        pytest.skip("the MNIST files are not beside the repository")
    with gzip.open(file) as read:
        held = read.read(16 + 2000 * 784)
    return np.frombuffer(held, np.uint8, offset=16).reshape(-1, 1, 28, 28)


def saved_again(images: Array) -> Array:
    made = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image[0]).save(file, "jpeg", quality=90)
        made.append(np.asarray(Image.open(file))[None])
    return np.stack(made)


def shaken(images: Array) -> Array:
    return np.clip(images.astype(int) + RNG(0).integers(-1, 2, images.shape), 0, 255).astype(np.uint8)


def brighter(images: Array) -> Array:
    return np.clip(images.astype(int) + 1, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change", [saved_again, shaken, brighter])
def test_a_picture_that_was_changed_a_little_is_a_near_copy(images: Array, change: Callable[[Array], Array]) -> None:
    again = change(images[100:160]) / 255
    images = images / 255
    near = found(arrays(images[:1500]), arrays(np.concatenate([images[1500:], again])))
    assert (near.test_items, near.within_test, near.within_train) == (60, 0, 0)
    assert near.examples == [(500 + k, 100 + k) for k in range(5)]
    assert near.doubts()[0].code == "near_copies"
    assert near.doubts()[0].detail.startswith("60 of 560 test items have a near copy among the training items (test it")


def test_a_pixel_that_is_another_makes_another_picture(images: Array) -> None:
    images = images / 255
    marked = images[:60].copy()
    marked[:, 0, 0, 0] = 1
    assert found(arrays(images[:1500]), arrays(np.concatenate([images[1500:], marked]))).test_items == 0


def one_hot(rng: np.random.Generator, levels: int, size: int) -> Array:
    return np.eye(levels)[rng.choice(levels, size, p=rng.dirichlet(np.ones(levels)))]


def ordinary(name: str) -> Array:
    rng = RNG(1)
    made: dict[str, Callable[[], Array]] = {
        "digits": lambda: ready.load_digits().images[:, None] / 16,
        "digits_flat": lambda: ready.load_digits().data,
        "iris": lambda: ready.load_iris().data,
        "wine": lambda: ready.load_wine().data,
        "cancer": lambda: ready.load_breast_cancer().data,
        "moons": lambda: ready.make_moons(10_000, noise=0.1, random_state=0)[0],
        "line": lambda: rng.normal(size=(5_000, 1)),
        "clusters": lambda: ready.make_blobs(4_000, 3, centers=200, cluster_std=0.01, random_state=0)[0],
        "heavy_tails": lambda: np.exp(2 * rng.normal(size=(4_000, 5))),
        "covtype": lambda: np.column_stack(
            [(rng.normal(size=(4_000, 8)) * [280, 112, 212, 58, 1559, 27, 38, 1324]).round(), one_hot(rng, 40, 4_000)]
        ),
        "categories": lambda: np.column_stack([one_hot(rng, 20, 4_000), one_hot(rng, 9, 4_000), rng.random(4_000)]),
        "grid": lambda: np.stack(np.meshgrid(np.arange(60.0), np.arange(60.0)), -1).reshape(-1, 2),
        "counts": lambda: rng.poisson(rng.gamma(0.1, 1, size=(1_500, 200))).astype(float),
        "twice_the_same_column": lambda: rng.normal(size=(4_000, 1)) * [1, 1.19],
        "constant": lambda: np.ones((400, 3)),
        "drawings": lambda: (rng.random((800, 1, 12, 12)) < 0.3).astype(float),
    }
    return made[name]()[rng.permutation(len(made[name]()))]


NAMES = [
    *("digits", "digits_flat", "iris", "wine", "cancer", "moons", "line", "clusters", "heavy_tails", "covtype"),
    *("categories", "grid", "counts", "twice_the_same_column", "constant", "drawings"),
]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_near_by_chance_is_no_copy(name: str) -> None:
    x = ordinary(name)
    near = near_copies(arrays(x[len(x) // 5 :]), arrays(x[: len(x) // 5]))
    if isinstance(near, NearCopies):
        assert (near.test_items, near.within_test, near.within_train, near.differing) == (0, 0, 0, None)
        assert not near.doubts()


def test_images_of_handwriting_are_no_copies_of_each_other(images: Array) -> None:
    near = found(arrays(images[:1600] / 255), arrays(images[1600:] / 255))
    assert (near.test, near.train, near.stands_for) == (400, 1600, 400)
    assert (near.test_items, near.within_test, near.within_train) == (0, 0, 0)


def test_a_row_with_a_rounded_column_is_a_near_copy_and_one_of_another_category_is_not() -> None:
    rng = RNG(0)
    rows = np.column_stack([rng.normal(size=(1_000, 8)), one_hot(rng, 3, 1_000)])
    rounded = rows[:50].copy()
    rounded[:, 3] = rounded[:, 3].round(3)
    assert found(arrays(rows), arrays(rounded)).test_items == 50
    other = rounded.copy()
    other[:, 8:] = np.roll(other[:, 8:], 1, axis=1)
    assert found(arrays(rows), arrays(other)).test_items == 0
    moved = rows[:50].copy()
    moved[:, 3] += 0.2
    assert found(arrays(rows), arrays(moved)).test_items == 0, "one number is another"


def test_copies_to_the_last_number_are_counted_apart() -> None:
    rows = RNG(0).normal(size=(500, 8))
    near = found(arrays(np.concatenate([rows, rows[:20]])), arrays(np.concatenate([rows[:30], rows[40:45] + 1e-4])))
    assert (near.test_items, near.within_train, near.test, near.stands_for) == (5, 0, 5, 35)


def test_labels_of_near_copies_are_compared_one_pair_of_a_group() -> None:
    rng = RNG(0)
    rows = rng.normal(size=(400, 8))

    def again(of: slice) -> Array:
        shape = rows[of].shape
        return rows[of] + 1e-4 * rng.normal(size=shape)

    # Rows 0–39 are in both splits, 10 of them of another class; 0–4 are in the training split twice, all of one class.
    train = arrays(np.concatenate([rows, again(slice(0, 5))]), np.zeros(405, int))
    y = np.zeros(60, int)
    y[:10] = 1
    # Rows of the test split's own, and each again, 4 of the ten of another class.
    own = rng.normal(size=(10, 8))
    test = arrays(np.concatenate([again(slice(0, 40)), own, own + 1e-4]), y)
    y[50:54] = 1
    told = found(train, arrays(test.x, y)).differing
    assert told is not None
    assert (told.across, told.across_differing) == (40, 10)
    assert (told.within_train, told.within_train_differing) == (5, 0)
    assert told.unavoidable == 4
    assert (told.groups, told.groups_differing) == (50, 14)


def test_a_small_difference_that_tells_the_class_is_noticed() -> None:
    rng = RNG(0)
    before = rng.normal(size=(300, 10))
    after = before + 1e-3 * np.linspace(1, 2, 10) + 1e-4 * rng.normal(size=before.shape)
    told = found(arrays(before, np.zeros(300, int)), arrays(after, np.ones(300, int))).differing
    assert told is not None
    assert (told.groups, told.groups_differing, told.by_chance) == (300, 300, 0.5)
    assert (told.directions, told.directions_agreeing) == (150, 150)
    flipped = rng.random(300) < 0.5
    told = found(arrays(before, flipped.astype(int)), arrays(after, (~flipped).astype(int))).differing
    assert told is not None
    assert told.directions_agreeing < 100, "labels that are wrong at random point no way"


def test_where_nobody_can_tell_it_is_said_why() -> None:
    few = RNG(0).normal(size=(20, 5))
    assert near_copies(arrays(few), arrays(few[:5] + 1)) == "there are too few items"
    flags = (RNG(0).random((400, 6)) < 0.5).astype(float)
    flags[:, 0] = np.arange(400) % 20
    assert "a category, a flag or a count" in str(near_copies(arrays(flags[:300]), arrays(flags[300:])))


def test_no_pair_that_is_near_is_passed_over() -> None:
    rng = RNG(0)
    for dimensions in (1, 2, 5):
        z = np.concatenate([rng.normal(size=(500, dimensions)), 9 + rng.normal(size=(200, dimensions))])
        z = z.astype(np.float32)
        reach = float(np.quantile(np.linalg.norm(z[:300] - z[300:600], axis=1), 0.02))
        seen = {tuple(pair) for pairs, _ in _candidates(z, reach) for pair in pairs.tolist()}
        apart = np.linalg.norm(z[:, None] - z, axis=2)
        assert {(a, b) for a, b in np.argwhere(apart <= reach).tolist() if a < b} <= seen
        assert len(seen) < 700 * 699 / 2 / 10


def test_groups_are_what_pairs_join() -> None:
    for seed in range(20):
        pairs = np.sort(RNG(seed).integers(0, 60, (35, 2)), axis=1)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        groups = pairing._groups(60, pairs)
        edges = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (60, 60))
        _, expected = connected_components(edges, directed=False)
        assert all(groups[k] == np.flatnonzero(expected == expected[k])[0] for k in range(60))


class Twice:
    """Rows of which one split has those of the other, a little shaken."""

    metadata: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, shaken: bool) -> None:
        self.x = RNG(0).normal(size=(200, 6)) + 1e-5 * shaken

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Any:
        return self.x[index], np.eye(2)[index % 2], {}


def test_they_are_told_when_a_dataset_is_examined_and_change_no_fingerprint() -> None:
    registry = Registry.load()
    registry.add(f"dataset:Twice={__name__}:Twice")
    sources = SplitSource("Twice", {"shaken": False}), SplitSource("Twice", {"shaken": True})
    splits = examined(SplitReader(registry), registry, *sources)
    assert splits.info["near_copies"]["test_items"] == 200
    assert [one["code"] for one in splits.info["warnings"]] == ["near_copies", "near_copies_in_training"][:1]
    before, fingerprint = verify_splits(splits.train, splits.test)
    assert splits.fingerprint == fingerprint
    assert "near_copies" not in before


def test_of_too_many_a_part_is_looked_at_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = RNG(0).normal(size=(1_000, 20))
    again = rows[:400] + 1e-5 * RNG(1).normal(size=(400, 20))
    whole = found(arrays(rows), arrays(again))
    assert (whole.test_items, whole.partial) == (400, False)
    monkeypatch.setattr(search, "MOST_COMPARED", 10_000)
    part = found(arrays(rows), arrays(again))
    assert part.partial
    assert 0 < part.test_items < 400
    monkeypatch.setattr(search, "MOST_COMPARED", 10**9)
    monkeypatch.setattr(search, "MOST_PAIRS", 300)
    part = found(arrays(rows), arrays(again))
    assert (part.test_items, part.partial) == (300, True), "those that are nearest"
