"""From what a caller gives, names and objects alike, to the recipe of a study; every fault is said at once."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sufficiency.data.arrays import ArrayDataset, Task
from sufficiency.data.errors import DatasetError
from sufficiency.data.hosted import array_of
from sufficiency.data.labels import named_labels, numbered_classes, of_rows
from sufficiency.data.layout import channels_first
from sufficiency.data.pixels import as_unit
from sufficiency.data.reading import is_stream
from sufficiency.schemas.faults import worded
from sufficiency.schemas.spec import JobSpec, PluginRef
from sufficiency.schemas.work import SplitSource
from sufficiency.study.errors import InvalidStudy
from sufficiency.study.recipe import Recipe
from sufficiency.training.registry import Registry

if TYPE_CHECKING:
    from sufficiency.schemas.problems import BadField

_METHOD = {"training": ("train", ("model", "dataset", "indices")), "evaluation": ("evaluate", ("model", "dataset"))}
LONGEST_NAME = 200


class Given:
    """Collects what a study is made of, and what is wrong with it."""

    def __init__(self) -> None:
        self.errors: list[BadField] = []
        self.held: dict[tuple[str, str], Any] = {}
        self.named = False

    def wrong(self, place: str, detail: str) -> None:
        """Take note of a fault."""
        self.errors.append({"pointer": place, "detail": detail})

    def plugin(self, kind: str, value: Any) -> PluginRef | None:
        """Return the reference to what was given for a kind: a name, a name with parameters, or an object."""
        if isinstance(value, str | PluginRef) or (isinstance(value, Mapping) and "name" in value):
            self.named = True
            try:
                return PluginRef.model_validate({"name": value} if isinstance(value, str) else value)
            except ValidationError as error:
                self.wrong(kind, "; ".join(worded(one) for one in error.errors()))
                return None
        if value is None:
            method = f"an object with {_METHOD[kind][0]}()" if kind in _METHOD else "an object"
            self.wrong(kind, f"is missing: give a name, or {method}")
            return None
        name = called(value)
        try:
            Registry().hold(kind, name, value)
        except TypeError as error:
            self.wrong(kind, f"{name}: {error}")
            return None
        if fault := _signature(kind, value):
            self.wrong(kind, f"{name}: {fault}")
        self.held[kind, name] = value
        return PluginRef(name=name)

    def split(self, name: str, value: Any, classes: list[str] | None, task: Task | None) -> SplitSource | None:
        """Return how a split is read: by a loader's name, from arrays, or a dataset as it is."""
        if isinstance(value, str) or (isinstance(value, Mapping) and "loader" in value):
            self.named = True
            if isinstance(value, str):
                return SplitSource(value)
            if unknown := set(value) - {"loader", "params"}:
                self.wrong(name, f"has {', '.join(sorted(map(str, unknown)))}; a loader takes `loader` and `params`")
                return None
            return SplitSource(str(value["loader"]), dict(value.get("params") or {}))
        if value is None:
            self.wrong(name, "is missing: give a dataset, a pair of arrays (x, y), or a loader's name and params")
            return None
        try:
            dataset = arrays(name, value, classes, task) if _is_pair(value) else value
        except DatasetError as error:
            self.wrong(name, str(error))
            return None
        if not (_has_length(dataset) and hasattr(dataset, "__getitem__")) or is_stream(dataset):
            self.wrong(
                name,
                f"{type(value).__name__} has no length and items by number (__len__ and __getitem__): "
                "turn it into a list, or wrap it into a dataset that has",
            )
            return None
        if not len(dataset):
            self.wrong(name, "has no items")
            return None
        self.held["dataset", name] = dataset
        return SplitSource(name)


def recipe(
    parts: Mapping[str, Any],
    splits: Mapping[str, Any],
    rest: Mapping[str, Any],
    *,
    classes: list[str] | None = None,
    task: Task | None = None,
) -> Recipe:
    """Return the recipe of a study.

    Parameters
    ----------
    parts : mapping
        What was given for `model`, `training`, `evaluation`, and maybe `reset`.
    splits : mapping
        What was given for `train` and `test`.
    rest : mapping
        The rest of the spec, as a job has it.

    Raises
    ------
    InvalidStudy
        With every fault.
    """
    given = Given()
    refs = {kind: given.plugin(kind, value) for kind, value in parts.items() if kind != "reset" or value is not None}
    schedule = rest.get("schedule")
    if callable(getattr(schedule, "get_steps", None)):
        schedule = given.plugin("schedule", schedule)
    elif schedule is not None and not isinstance(schedule, str | Mapping | PluginRef):
        schedule = _sizes(given, schedule)
    elif isinstance(schedule, str):
        schedule = given.plugin("schedule", schedule)
    read = {name: given.split(name, value, classes, task) for name, value in splits.items()}
    stand_in = PluginRef(name="?")
    try:
        spec = JobSpec.model_validate(
            {**rest, "schedule": schedule, **{kind: ref or stand_in for kind, ref in refs.items()}}
        )
    except ValidationError as error:
        for one in error.errors():
            given.wrong("/".join(map(str, one["loc"])) or "the study", worded(one))
        raise InvalidStudy(given.errors) from error
    if given.errors:
        raise InvalidStudy(given.errors)
    train, test = read["train"], read["test"]
    assert train is not None, "else there is an error"
    assert test is not None, "else there is an error"
    named = given.named or isinstance(spec.schedule, PluginRef)
    return Recipe(spec, train, test, given.held, named)


def called(value: Any) -> str:
    """Return what to call an object: its own name, or its class's."""
    function = getattr(value, "func", value)  # of a partial
    original = getattr(value, "_orig_mod", value)  # what torch.compile was given
    named = function if inspect.isclass(function) or inspect.isroutine(function) else type(original)
    name = str(named.__qualname__).rpartition("<locals>.")[2]
    return ("function" if name == "<lambda>" else name)[:LONGEST_NAME]


def arrays(name: str, value: Any, classes: list[str] | None, task: Task | None) -> ArrayDataset:
    """Return a pair of arrays as a dataset: numbers to predict where they are floating, else classes.

    Raises
    ------
    DatasetError
    """
    x, y = (_array_of(part, which) for part, which in zip(value, "xy", strict=True))
    features = _feature_names(value[0])
    if x.ndim == 0 or y.ndim == 0:
        raise DatasetError(f"x and y must hold one entry an item, got shapes {x.shape} and {y.shape}")
    if x.ndim == 1:
        x = x[:, None]
    if x.dtype.kind not in "buif":
        raise DatasetError(f"x must hold numbers, got {x.dtype}; encode text and categories before")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    x, moved = channels_first(x, "auto", name)
    if y.ndim == 2 and task != "regression":
        columns = [str(k) for k in range(y.shape[1])]
        targets = of_rows(y, task or "", name)
        return ArrayDataset(as_unit(x), targets, classes or columns, name, features, description=moved)
    if (task or ("regression" if y.dtype.kind == "f" else "classification")) == "regression":
        return ArrayDataset(as_unit(x), y, None, name, features, description=moved)
    names = classes
    if y.dtype.kind not in "buif" or (y.size and y.min() < 0):
        labels = [str(one) for one in y] if y.dtype.kind in "iu" else named_labels(y, name, classes)
        names = [str(one) for one in classes or (np.unique(y) if y.dtype.kind in "iu" else sorted(set(labels)))]
        places = {one: k for k, one in enumerate(names)}
        if unknown := sorted(set(labels) - set(names)):
            raise DatasetError(f"y has {', '.join(unknown[:5])}, which `classes` does not name")
        y = np.array([places[one] for one in labels], dtype=np.int64)
    return ArrayDataset(as_unit(x), y, names or numbered_classes(y, name), name, features, description=moved)


def _array_of(part: Any, which: str) -> NDArray[Any]:
    try:
        return array_of(part)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{which} cannot be read as an array: {error}") from error


def _feature_names(x: Any) -> tuple[str, ...]:
    """Return the columns of a data frame that has names for them, by which splits are held to each other."""
    columns = getattr(x, "columns", None)
    names = () if columns is None or callable(columns) else tuple(columns)
    return names if all(isinstance(one, str) for one in names) else ()


def _is_pair(value: Any) -> bool:
    """Return whether something is (x, y): items and as many targets."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        return False
    return all(hasattr(part, "shape") or isinstance(part, list) for part in value) and not isinstance(value[0], tuple)


def _has_length(dataset: Any) -> bool:
    try:
        len(dataset)
    except Exception:  # none, or one that cannot be told
        return False
    return True


def _signature(kind: str, value: Any) -> str | None:
    """Return what is wrong with how a strategy's method is called."""
    if kind not in _METHOD:
        return None
    name, arguments = _METHOD[kind]
    target = value if not inspect.isclass(value) else None
    method = getattr(target, name, None)
    if method is None:
        return None
    try:
        inspect.signature(method).bind(*arguments)
    except ValueError:  # no signature to be had
        return None
    except TypeError as error:
        return f"{name}() must take ({', '.join(arguments)}): {error}"
    return None


def _sizes(given: Given, schedule: Any) -> Any:
    try:
        array = np.atleast_1d(np.asarray(list(schedule) if np.ndim(schedule) else schedule))
    except (TypeError, ValueError):
        array = np.empty(0, dtype=object)
    if array.ndim == 1 and array.dtype.kind in "iu" and array.size and array.min() < 1:
        given.wrong(f"schedule/{int(array.argmin())}", f"must be at least 1, not {array.min()}")
        return None
    if array.ndim != 1 or array.dtype.kind not in "iu":
        given.wrong(
            "schedule",
            f"{schedule!r:.100} is neither sizes (whole numbers from 1 on), nor a name, nor has it get_steps()",
        )
        return None
    return array.tolist()
