"""Two splits whose classes were numbered apart, brought to the training split's numbers by the classes' names."""

from typing import Any

import numpy as np

from sufficiency.data.arrays import StoredItems
from sufficiency.data.description import Description, Remark


def aligned(train: Any, test: Any) -> Any:
    """Return the test split with the training split's classes, each in its place.

    A loader that numbers the classes it finds gives the same class two numbers where a split lacks another class. Names
    tell which are the same. A test item of a class that the training split does not name leaves the split as it is, to
    be refused where the two are compared; so does somebody's own dataset, whose strategies see its own numbers.
    """
    if not (isinstance(train, StoredItems) and isinstance(test, StoredItems)):
        return test
    names, theirs = train.class_names, test.class_names
    # Of two classes with one name nobody can say which is meant.
    if names == theirs or not (names and theirs) or len(set(names)) < len(names) or test.y.ndim != 1:
        return test
    number = {name: k for k, name in enumerate(names)}
    place = np.array([number.get(name, -1) for name in theirs], dtype=np.int64)
    if (place[test.y] < 0).any():
        return test
    if (place == np.arange(len(theirs))).all():
        return test.renumbered(names, place)
    said = "its classes are numbered as the training split's, by their names"
    note = Remark("classes_aligned", f"{test.source}: {said}")
    return test.renumbered(names, place).described(Description((note,)))
