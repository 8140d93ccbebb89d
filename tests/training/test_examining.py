"""Datasets that are others whenever they are read or built, told before a job is on them."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from sufficiency.schemas.spec import PluginRef
from sufficiency.schemas.work import SplitPart, SplitSource
from sufficiency.training.examining import examined
from sufficiency.training.faults import Fault
from sufficiency.training.registry import Registry
from sufficiency.training.splits import SplitReader, Splits

Draw = Callable[[], float]
GENERATORS: dict[str, Draw] = {
    "python": random.random,
    "numpy": lambda: float(np.random.rand()),  # noqa: NPY002
    "torch": lambda: float(torch.rand(())),
    "default_rng": lambda: float(np.random.default_rng().random()),
}
NEVER_THE_SAME: dict[str, Draw] = {
    "system": lambda: random.SystemRandom().random(),
    "own": lambda: random.Random().random(),
}


class Noisy:
    """Digits with noise that is drawn when they are built.

    Parameters
    ----------
    how : str
        By which generator.
    """

    metadata: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, how: str = "numpy", size: int = 40) -> None:
        draw = (GENERATORS | NEVER_THE_SAME)[how]
        self.y = np.arange(size) % 2
        self.x = np.array([[draw(), draw()] for _ in range(size)]) + self.y[:, None]

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> Any:
        return self.x[index], np.eye(2)[self.y[index]], {}


class Augmented(Noisy):
    """Moved at random whenever one is read."""

    def __getitem__(self, index: int) -> Any:
        x, y, more = super().__getitem__(index)
        return x + (GENERATORS | NEVER_THE_SAME)[self.how](), y, more

    def __init__(self, how: str = "numpy", size: int = 40) -> None:
        super().__init__("numpy", size)
        self.how = how


class Rarely(Noisy):
    """One item alone is moved."""

    def __getitem__(self, index: int) -> Any:
        x, y, more = super().__getitem__(index)
        return x + (np.random.rand() if index == 31 else 0), y, more  # noqa: NPY002


class Relabelled(Noisy):
    """A label is drawn whenever one is read."""

    def __getitem__(self, index: int) -> Any:
        x, _, more = super().__getitem__(index)
        return x, np.eye(2)[random.randrange(2)], more


class Growing(Noisy):
    """Has one more item each time."""

    built = 0

    def __init__(self) -> None:
        Growing.built += 1
        super().__init__(size=40 + Growing.built)


def source(of: type, how: str | None = None, **more: Any) -> SplitSource:
    return SplitSource(of.__name__, {} if how is None else {"how": how}, **more)


@pytest.fixture
def registry() -> Registry:
    registry = Registry.load()
    for one in (Noisy, Augmented, Rarely, Relabelled, Growing):
        registry.add(f"dataset:{one.__name__}={__name__}:{one.__name__}")
    assert not registry.errors
    return registry


def read(registry: Registry, train: SplitSource, test: SplitSource | None = None) -> Splits:
    return examined(SplitReader(registry), registry, train, test or train)


def refusal(registry: Registry, train: SplitSource) -> str:
    with pytest.raises(Fault) as caught:
        read(registry, train)
    assert caught.value.error["code"] == "dataset_invalid"
    detail: str = caught.value.error["detail"]
    return detail


@pytest.mark.parametrize("how", GENERATORS)
def test_noise_of_the_building_is_the_dataset_s_own(registry: Registry, how: str) -> None:
    train = source(Noisy, how)
    splits = read(registry, train)
    for number in (1, 2):  # whatever was drawn before, and in another process
        random.seed(number)
        torch.manual_seed(number)
        np.random.seed(number)  # noqa: NPY002
        states = random.getstate(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
        again = SplitReader(registry).verified(train, train, splits.fingerprint, "noisy")
        assert np.array_equal(again.train[5][0], splits.train[5][0])
        now = random.getstate(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
        assert states == now, "the generators are left as they were"
    assert read(registry, source(Noisy, how, seed=1)).fingerprint != splits.fingerprint
    assert np.random.default_rng().random() != np.random.default_rng().random()


def test_the_two_splits_draw_their_own_noise(registry: Registry) -> None:
    splits = read(registry, source(Noisy), SplitSource("Noisy", {"how": "numpy", "size": 40}))
    assert splits.info["test_items_in_train"] == 0
    assert "items_differ" not in str(splits.info)


@pytest.mark.parametrize("how", NEVER_THE_SAME)
def test_noise_that_cannot_be_seeded_is_told_at_registration(registry: Registry, how: str) -> None:
    said = refusal(registry, source(Noisy, how))
    assert said.startswith("Item 0 of the training split is another whenever the loader builds the dataset")
    assert "give the generator a seed" in said
    assert 'fingerprint "structure"' in said


@pytest.mark.parametrize("how", [*GENERATORS, *NEVER_THE_SAME])
def test_augmentation_is_told_at_registration_with_the_ways_out(registry: Registry, how: str) -> None:
    said = refusal(registry, source(Augmented, how))
    assert said.startswith("Item 0 of the training split is another when it is read again")
    assert "Augment in the training strategy" in said
    assert 'fingerprint "structure"' in said


def test_one_item_that_differs_is_enough(registry: Registry) -> None:
    assert refusal(registry, source(Rarely)).startswith("Item 31 of the training split")


@pytest.mark.parametrize("of", [Augmented, Noisy])
@pytest.mark.parametrize("how", ["numpy", "system"])
def test_sizes_and_labels_may_be_enough(registry: Registry, of: type, how: str) -> None:
    train = source(of, how, fingerprint="structure")
    splits = read(registry, train)
    assert splits.fingerprint.startswith("structure:")
    assert "fingerprint_of_structure" in {note["code"] for note in splits.info["notes"]}
    told = {warning["code"] for warning in splits.info.get("warnings", [])}
    assert ("items_differ" in told) == ((of, how) != (Noisy, "numpy"))
    again = SplitReader(registry).verified(train, train, splits.fingerprint, "theirs")
    assert again.fingerprint == splits.fingerprint


def test_labels_must_stay_even_so(registry: Registry) -> None:
    said = refusal(registry, source(Relabelled, fingerprint="structure"))
    assert said.startswith("The label of item")
    assert "Labels must be what they are" in said
    assert "The number of items (" in refusal(registry, source(Growing, fingerprint="structure"))


def test_a_part_of_a_random_source_is_told_too(registry: Registry) -> None:
    parts = [source(Augmented, part=SplitPart(name, 0.25)) for name in ("train", "test")]  # type: ignore[arg-type]
    with pytest.raises(Fault, match="of the training split is another when it is read again"):
        examined(SplitReader(registry), registry, *parts)
    parts = [source(Noisy, part=SplitPart(name, 0.25)) for name in ("train", "test")]  # type: ignore[arg-type]
    splits = examined(SplitReader(registry), registry, *parts)
    assert SplitReader(registry).verified(*parts, splits.fingerprint, "x").fingerprint == splits.fingerprint


def test_a_set_that_was_verified_before_and_is_random_says_so_when_a_job_meets_it(registry: Registry) -> None:
    train = source(Noisy, "system")
    fingerprint = SplitReader(registry).read_anew(train, train).fingerprint
    with pytest.raises(Fault, match="others whenever they are read") as caught:
        SplitReader(registry).verified(train, train, fingerprint, "old")
    assert caught.value.error["code"] == "dataset_changed"


def test_the_house_s_own_loaders_are_read_once(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = SplitReader(registry)
    reads = []
    anew = reader.read_anew
    monkeypatch.setattr(reader, "read_anew", lambda *of: reads.append(of) or anew(*of))
    examined(reader, registry, SplitSource("digits"), SplitSource("digits", {"split": "test"}))
    assert len(reads) == 1


def test_a_loader_that_is_not_there_is_named(registry: Registry) -> None:
    with pytest.raises(Fault) as caught:
        read(registry, SplitSource("nowhere"))
    assert caught.value.error["code"] == "plugin_unavailable"
    assert PluginRef(name="nowhere").name in caught.value.error["detail"]
