"""Which class each value of a metric is of. None is ever given to a class that the evaluation did not mean."""

import operator
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sufficiency.schemas.limits import CLASSES_MEASURED

# Classes that a sentence lists.
_LISTED = 6


class InvalidClasses(ValueError):
    """It cannot be told which classes the values are of; the message is the end of a sentence about the metric."""


def vector_problem(size: int, class_names: Sequence[str]) -> str | None:
    """Return what is wrong with a vector of `size` values on a dataset of these classes, or None.

    Without class names any length will do; that it is the same in every cell is for who has the other cells to check.
    """
    if not class_names or size == len(class_names):
        return None
    return (
        f"holds {size} values, and the dataset has {len(class_names)} classes ({_listed(class_names)}), so that it "
        f"cannot be told which they are of. Give {len(class_names)} values in the classes' order, NaN where a class "
        f"has none (of scikit-learn's metrics: labels=range({len(class_names)})), or a mapping from class to value; "
        "values that are of no class take names of their own"
    )


def by_class(told: Mapping[Any, Any], class_names: Sequence[str]) -> list[tuple[Any, Any]]:
    """Return the (key, value) of every class, in order; the key is None for a class that is left out.

    Parameters
    ----------
    told : mapping
        From class, by its name or its index, to value.
    class_names : sequence of str
        The dataset's; empty where nobody knows of any: then only indices will do, up to the largest that is there.

    Raises
    ------
    InvalidClasses
        For a key that is no class, one that might mean two, and two keys of one class.
    """
    if not told:
        raise InvalidClasses("is an empty mapping: it holds no value")
    names = Counter(class_names)
    indices = {key: _index(key, class_names, names) for key in told}
    taken: dict[int, Any] = {}
    for key, index in indices.items():
        if index in taken:
            raise InvalidClasses(f"has two values for one class: {taken[index]!r} and {key!r} are both class {index}")
        taken[index] = key
    size = len(class_names) or max(taken) + 1
    return [(taken[k], told[taken[k]]) if k in taken else (None, None) for k in range(size)]


def _index(key: Any, class_names: Sequence[str], names: Counter[str]) -> int:
    of_name = [index for index, name in enumerate(class_names) if name == str(key)] if names[str(key)] else []
    if isinstance(key, str):
        if len(of_name) > 1:
            raise InvalidClasses(f"names class {key!r}, of which there are {len(of_name)}; give their indices instead")
        if of_name:
            return of_name[0]
        raise InvalidClasses(_no_class(key, class_names))
    try:
        number = None if isinstance(key, bool) else operator.index(key)
    except TypeError:
        number = None
    if number is None or not 0 <= number < (len(class_names) or CLASSES_MEASURED):
        if len(of_name) == 1 and not isinstance(key, bool):
            return of_name[0]
        raise InvalidClasses(_no_class(key, class_names))
    if of_name and of_name != [number]:
        raise InvalidClasses(
            f"has the key {number}, which is the index of class {class_names[number]!r} and the name of class "
            f"{of_name[0]}; write names as text, {str(number)!r}, or every class by its name"
        )
    return number


def _no_class(key: Any, class_names: Sequence[str]) -> str:
    if not class_names:
        return (
            f"is a mapping with the key {key!r}, and the dataset has no classes: give each value a metric of its own, "
            f"such as 'metric/{key}'"
        )
    return (
        f"is a mapping with the key {key!r}, which is no class of the dataset ({_listed(class_names)}). Give a mapping "
        f"from class to value; or, where it is a group of metrics, one metric each, such as 'group/{key}'"
    )


def _listed(class_names: Sequence[str]) -> str:
    listed = ", ".join(map(str, class_names[:_LISTED]))
    return listed + (", …" if len(class_names) > _LISTED else "")
