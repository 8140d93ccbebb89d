"""What a study is made of: named plugins and objects at hand, both splits; whatever process makes it."""

import hashlib
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.arrays import StoredItems
from sufficiency.data.labels import whole_labels
from sufficiency.data.paths import own_files
from sufficiency.schemas.limits import CLASSES
from sufficiency.schemas.spec import JobSpec
from sufficiency.schemas.work import SplitSource, UnitCell
from sufficiency.settings import get_settings
from sufficiency.training.faults import Fault
from sufficiency.training.registry import DatasetContext, Registry
from sufficiency.training.splits import SplitReader, Splits
from sufficiency.training.study import JobStudy
from sufficiency.training.unit import UnitPlan

OPAQUE = "opaque"


@dataclass
class Recipe:
    """A study as it was asked for, before anything is read or built.

    Attributes
    ----------
    spec : JobSpec
    train, test : SplitSource
        How each split is read; one that was given as it is, is among the objects, as the dataset `train` or `test`.
    held : dict
        Objects by kind and name.
    named : bool
        Whether plugins are meant by their names as well.
    """

    spec: JobSpec
    train: SplitSource
    test: SplitSource
    held: dict[tuple[str, str], Any] = field(default_factory=dict)
    named: bool = False

    def registry(self) -> Registry:
        """Return the plugins: those of a trainer where any is named, and the objects."""
        registry = loaded() if self.named else Registry()
        for (kind, name), target in self.held.items():
            registry.hold(kind, name, target)
        return registry

    def splits(self, registry: Registry) -> Splits:
        """Read both splits as a service's trainer does.

        One that was given as it is may be of items that only its own strategies understand: then nothing is known of
        it but how many there are.

        Raises
        ------
        Fault
        """
        given = {("dataset", "train"), ("dataset", "test")} <= self.held.keys()
        with own_files():
            try:
                return SplitReader(registry).read_anew(self.train, self.test)
            except Fault as error:
                train, test = self.held.get(("dataset", "train")), self.held.get(("dataset", "test"))
                if not given or not _only_for_its_own(train):
                    raise
                return opaque(train, test, str(error))

    def study(self, registry: Registry, splits: Splits) -> JobStudy:
        """Build the strategies, and what makes models."""
        with own_files():
            return JobStudy(registry, self.spec, splits)

    def prepare(self) -> JobStudy:
        """Read and build everything, in whichever process."""
        registry = self.registry()
        return self.study(registry, self.splits(registry))

    def unit(self, cells: list[UnitCell], device: str) -> UnitPlan:
        """Return cells as the loop takes them."""
        return UnitPlan.of(self.spec, device, cells)


def loaded() -> Registry:
    """Return the plugins that a trainer on this machine has."""
    settings = get_settings()
    for folder in map(str, settings.plugin_path):
        if folder not in sys.path:
            sys.path.append(folder)
    return Registry.load(settings.plugins)


def opaque(train: Any, test: Any, why: str) -> Splits:
    """Return two splits of which nothing is known but how many items they have, and of which classes where they say."""
    sizes = len(train), len(test)
    labels = [labels_of(train), labels_of(test)]
    classes = 1 + max((int(of.max()) for of in labels if of is not None), default=-1)
    info = {
        "task": OPAQUE,
        "input_shape": [],
        "class_names": [str(k) for k in range(classes)],
        "why": why,
        **{
            name: {"size": size, "class_counts": [] if of is None else np.bincount(of, minlength=classes).tolist()}
            for name, size, of in zip(("train", "test"), sizes, labels, strict=True)
        },
    }
    digest = hashlib.sha256(repr((OPAQUE, sizes)).encode())
    for of in labels:
        digest.update(b"" if of is None else of.tobytes())
    return Splits(train, test, labels[0], info, digest.hexdigest(), DatasetContext((), classes, why))


def labels_of(dataset: Any) -> NDArray[np.int64] | None:
    """Return the class of each item of (anything, class, …); None where they do not say."""
    try:
        labels = whole_labels([dataset[k][1] for k in range(len(dataset))], "the dataset")
    except Exception:  # whatever somebody's items are
        return None
    return labels.astype(np.int64) if labels.size and labels.min() >= 0 and labels.max() < CLASSES else None


def _only_for_its_own(dataset: Any) -> bool:
    """Return whether items are no arrays with a target, as those of a service's datasets must be."""
    if isinstance(dataset, StoredItems):
        return False
    try:
        item = dataset[0]
        return len(item) < 2 or np.asarray(item[0]).dtype.kind not in "buif"
    except Exception:  # no items by number, no parts, nothing that NumPy takes
        return True
