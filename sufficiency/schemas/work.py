"""What a unit is made of, what it measures, what it is read from: shapes that database, supervisor and trainer share.

They are plain dataclasses; only `sufficiency.training.messages` gives them a form on the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from sufficiency.schemas.words import FingerprintOf


@dataclass(frozen=True)
class UnitCell:
    """A cell to measure.

    Attributes
    ----------
    done : bool
        It is recorded already.
    failed_in : str or None
        It ended as not measurable, and in this phase; None of any other.
    """

    run: int
    step: int
    n: int
    done: bool = False
    failed_in: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has yet to end, measured or not measurable."""
        return not self.done and self.failed_in is None

    @property
    def place(self) -> dict[str, int]:
        """Where an error or a result belongs."""
        return {"run": self.run, "step": self.step, "n": self.n}


@dataclass(frozen=True)
class ItemMarks:
    """Which items of the test split a metric counts as right, in their order.

    Attributes
    ----------
    items : int
    bits : str
        One bit an item, the first the highest of its byte, as base64: see `method.items`.
    """

    items: int
    bits: str


@dataclass(frozen=True)
class CellResult:
    """What one cell measured.

    Attributes
    ----------
    values : list of (str, int, float or None)
        Metric, class index or −1 for a scalar, and the value, None where it is missing.
    details : dict
        What its learner settled by itself, as JSON; see `training.details`.
    learner : dict or None
        What that is made of, as JSON: said with a unit's first cell.
    identity : str or None
        Of what it was measured with, on which data; see `training.identity`. None: no other cell is the same.
    correct : dict of str to ItemMarks
        By metric, which test items it counts as right, where the evaluation says so.
    """

    run: int
    step: int
    n_unique: int
    seconds: float
    device: str
    values: list[tuple[str, int, float | None]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    learner: dict[str, Any] | None = None
    identity: str | None = None
    correct: dict[str, ItemMarks] = field(default_factory=dict)


@dataclass(frozen=True)
class CellFailure:
    """A cell that ends as not measurable: each try failed. `error` is the last one's, as `training.faults` makes it."""

    run: int
    step: int
    error: dict[str, Any]


@dataclass(frozen=True)
class SplitPart:
    """Which part of one source a split is, and how the source is cut.

    Attributes
    ----------
    rule : int
        Which version of the rule cuts it; one that was registered before there were two has the first.
    """

    name: Literal["train", "test"]
    test_fraction: float = 0.2
    seed: int = 0
    stratify: bool = True
    group_by: str | None = None
    rule: int = 1


@dataclass(frozen=True)
class FeatureSource:
    """What takes the place of a split's items: what a layer of a frozen model is given for them.

    Attributes
    ----------
    model : str
        A model plugin.
    params : dict
        To build it with.
    head : str or None
        Name of the layer; None: the last dense one.
    """

    model: str
    params: dict[str, Any] = field(default_factory=dict)
    head: str | None = None


@dataclass(frozen=True)
class Lot:
    """What reads the items that a version of a dataset adds.

    Attributes
    ----------
    loader : str
        A dataset plugin.
    params : dict
        To build it with.
    """

    loader: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitSource:
    """How one split is read.

    Attributes
    ----------
    loader : str
        A dataset plugin.
    params : dict
        To build it with.
    part : SplitPart or None
        None: all that it loads.
    standardise : bool
        Whether features are put on the scale of the training split.
    fingerprint : {"content", "structure"}
        By what the dataset is known again.
    seed : int
        Of what is random in how it is read.
    features : FeatureSource or None
        None: the items as they are.
    appended : tuple of Lot
        What comes after what the loader loads, in a version of the dataset that adds to it.
    sizes : tuple of int
        How many items the split had in the versions before, ascending.
    continues : str or None
        Fingerprint of the version before, whose items are the first of this one's.
    """

    loader: str
    params: dict[str, Any] = field(default_factory=dict)
    part: SplitPart | None = None
    standardise: bool = False
    fingerprint: FingerprintOf = "content"
    seed: int = 0
    features: FeatureSource | None = None
    appended: tuple[Lot, ...] = ()
    sizes: tuple[int, ...] = ()
    continues: str | None = None

    @classmethod
    def registered(cls, split: Mapping[str, Any]) -> Self:
        """Return the source of a split as the catalog keeps it, in JSON."""
        part = split.get("part")
        return cls(
            loader=split["loader"],
            params=dict(split.get("params") or {}),
            part=SplitPart(**part) if part else None,
            standardise=bool(split.get("standardise")),
            fingerprint=split.get("fingerprint", "content"),
            seed=int(split.get("seed", 0)),
            features=FeatureSource(**split["features"]) if split.get("features") else None,
            appended=tuple(Lot(**lot) for lot in split.get("appended", ())),
            sizes=tuple(split.get("sizes", ())),
            continues=split.get("continues"),
        )


@dataclass(frozen=True)
class PluginDescription:
    """A plugin as the catalog shows it.

    Attributes
    ----------
    params_schema : dict
        JSON Schema of its parameters.
    capabilities : dict
        An evaluation's "metrics"; the "tasks" of a model or a strategy, "tasks_by" where they go by a parameter, and
        the "families" that a model is of or a training trains; of any plugin, what is "missing" where it runs.
    """

    kind: str
    name: str
    version: str
    summary: str
    params_schema: dict[str, Any]
    capabilities: dict[str, Any] = field(default_factory=dict)
    devices: list[str] = field(default_factory=lambda: ["cpu", "cuda"])


@dataclass(frozen=True)
class PluginFailure:
    """A plugin that could not be loaded: its ``kind:name=module:attribute``, why, and where."""

    plugin: str
    error: str
    traceback: list[str] = field(default_factory=list)
