"""From values that were measured elsewhere, in any order, to the cells of a study."""

from collections.abc import Sequence
from dataclasses import dataclass

from sufficiency.schemas.limits import CLASSES
from sufficiency.schemas.measured import Measured, MeasuredValue
from sufficiency.schemas.words import SCALAR

Value = tuple[str, int, float | None]


class Disarranged(ValueError):
    """Values that make no study.

    Attributes
    ----------
    faults : list of (int, str, str)
        Number of the value, the field of it that is wrong, and what is wrong.
    """

    def __init__(self, faults: Sequence[tuple[int, str, str]]) -> None:
        super().__init__("; ".join(f"value {number}: {detail}" for number, _, detail in faults[:3]))
        self.faults = list(faults)


@dataclass(frozen=True)
class Arranged:
    """The cells of a study.

    Attributes
    ----------
    steps : list of int
        The training-set sizes, increasing.
    runs : int
    cells : dict
        By run and step, what was measured there.
    class_names : list of str
    """

    steps: list[int]
    runs: int
    cells: dict[tuple[int, int], list[Value]]
    class_names: list[str]


def arranged(measured: Measured) -> Arranged:
    """Return what was measured, by cell.

    Raises
    ------
    Disarranged
        With the values that are there twice, of a class that there is not, or of a metric that is one value here and
        one a class there.
    """
    values = measured.values
    names = measured.class_names if measured.class_names is not None else _names(values)
    places = {name: index for index, name in reversed(list(enumerate(names)))}
    steps = sorted({one.n for one in values})
    step_of = {n: step for step, n in enumerate(steps)}
    cells: dict[tuple[int, int], dict[tuple[str, int], float | None]] = {}
    scalar: dict[str, bool] = {}
    faults: list[tuple[int, str, str]] = []
    for number, one in enumerate(values):
        index = _index(one, places, len(names))
        if index is None:
            known = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
            faults.append((number, "class", f"there is no class {one.class_!r}; there is {known or 'none'}"))
            continue
        if scalar.setdefault(one.metric, index == SCALAR) != (index == SCALAR):
            detail = f"{one.metric} has values of single classes and values of none; give two metrics different names"
            faults.append((number, "class", detail))
            continue
        of_cell = cells.setdefault((one.run, step_of[one.n]), {})
        if (one.metric, index) in of_cell:
            of_class = "" if index == SCALAR else f" of class {one.class_}"
            detail = (
                f"{one.metric}{of_class} in run {one.run} at n = {one.n} is there twice; give each repetition a run"
            )
            faults.append((number, "run", detail))
            continue
        of_cell[one.metric, index] = one.value
    if faults:
        raise Disarranged(faults)
    return Arranged(
        steps=steps,
        runs=1 + max(one.run for one in values),
        cells={place: [(*key, value) for key, value in of.items()] for place, of in sorted(cells.items())},
        class_names=names,
    )


def _names(values: Sequence[MeasuredValue]) -> list[str]:
    """Return the classes that values name: by their index where all are whole numbers, else in the order of names."""
    labels = {one.class_ for one in values if one.class_ is not None}
    if all(isinstance(label, int) and 0 <= label < CLASSES for label in labels):
        return [str(k) for k in range(1 + max((int(label) for label in labels), default=-1))]
    return sorted(str(label) for label in labels)


def _index(one: MeasuredValue, places: dict[str, int], count: int) -> int | None:
    if one.class_ is None:
        return SCALAR
    if (named := places.get(str(one.class_))) is not None:
        return named
    return one.class_ if isinstance(one.class_, int) and 0 <= one.class_ < count else None
