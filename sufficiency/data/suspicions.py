"""What in a set as a whole may make its figures wrong: classes that are not there, ends that are cut off, copies."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sufficiency.data.description import Remark
from sufficiency.data.likeness import twins

_MOST_NAMED = 5
# A class of which a fair draw would have brought so many items and brought none was not drawn fairly.
_EXPECTED = 8.0
# How far the part's shares, or its mean in standard errors, may be off before it is said to be no fair part.
_APART, _SHARE_APART = 8.0, 0.1


def suspicions(info: Mapping[str, Any]) -> list[Remark]:
    """Return what looks wrong with a pair of splits by what is in them.

    Parameters
    ----------
    info : mapping
        As `verify_splits` describes them: `task`, `class_names`, both splits' sizes with `class_counts` or the
        `target`'s spread, and `test_items_in_train`.
    """
    found = _of_classes(info) if info["class_names"] else _of_target(info)
    if shared := info.get("test_items_in_train"):
        what = "a test item is a training item" if shared == 1 else f"{shared:,} test items are training items"
        found.append(
            Remark(
                "test_items_in_train",
                f"{what} too, number by number: what was learnt by heart counts as right, and the figures look too "
                "good; leave the copies out of one of the splits, or keep them together with `group_by`",
            )
        )
    return found


def _of_classes(info: Mapping[str, Any]) -> list[Remark]:
    names: Sequence[str] = info["class_names"]
    train, test = (np.asarray(info[split]["class_counts"], np.int64) for split in ("train", "test"))
    found = [*_twice(names), *twins(list(dict.fromkeys(names)), "the classes")]
    if info["task"] == "classification":
        found += _one_class(names, train, test)
    alone = any(one.code == "one_class" for one in found)
    if info["task"] == "classification" and not alone and (void := np.flatnonzero((train == 0) & (test == 0))).size:
        counted = void.tolist() == [0] and names[0] == "0"
        why = "labels that count from 1 leave it over" if counted else "it is named, and nothing is of it"
        found.append(
            Remark(
                "class_without_items",
                f"neither split has an item of {_named(names, void)}: {why}; a model has an output for it all the same",
            )
        )
    if (missing := np.flatnonzero((train == 0) & (test > 0))).size:
        items = int(test[missing].sum())
        found.append(
            Remark(
                "class_not_trained",
                f"the training split has no item of {_named(names, missing)}, the test split {items:,}: no model can "
                "be right about them; move some to the training split, or leave the class out of both",
            )
        )
    if (single := np.flatnonzero(train == 1)).size:
        found.append(
            Remark(
                "single_item",
                f"the training split has a single item of {_named(names, single)}: a small subset lacks it, and "
                "nothing can be held back of it; collect more, or leave the class out",
            )
        )
    if not alone and (untested := np.flatnonzero((train > 0) & (test == 0))).size:
        found.append(
            Remark(
                "class_not_tested",
                f"the test split has no item of {_named(names, untested)}: no figure says how well it is told",
            )
        )
    return found


def _twice(names: Sequence[str]) -> list[Remark]:
    twice = [name for name, often in Counter(names).items() if often > 1]
    if not twice:
        return []
    which = ", ".join(f"{name!r} ({', '.join(str(k) for k, n in enumerate(names) if n == name)})" for name in twice[:3])
    more = f" and {len(twice) - 3} more" if len(twice) > 3 else ""
    return [
        Remark(
            "class_names_twice",
            f"several classes have the same name: {which}{more}; they are taken for different ones, and answers have "
            "their number beside the name",
        )
    ]


def _one_class(names: Sequence[str], train: NDArray[np.int64], test: NDArray[np.int64]) -> list[Remark]:
    alone = {
        split: int(np.flatnonzero(counts)[0])
        for split, counts in (("training", train), ("test", test))
        if np.count_nonzero(counts) == 1
    }
    if not alone:
        return []
    if len(alone) == 2:
        which = "both splits" if len(set(alone.values())) == 1 else "each split"
        held = " and ".join(dict.fromkeys(repr(names[k]) for k in alone.values()))
        said = f"all items of {which} are of one class ({held})"
    else:
        [(split, k)] = alone.items()
        said = f"all items of the {split} split are of one class ({names[k]!r})"
    others = np.flatnonzero((train == 0) & (test == 0))
    absent = f", and {_named(names, others)} {'is' if len(others) == 1 else 'are'} nowhere" if others.size else ""
    return [
        Remark(
            "one_class",
            f"{said}{absent}: a model that always answers the same looks as good as any, so that no figure says "
            "anything; register a set with items of every class in both splits, such as one `source` that is split",
        )
    ]


def _of_target(info: Mapping[str, Any]) -> list[Remark]:
    constant = [
        name
        for split, name in (("train", "training"), ("test", "test"))
        if (target := info[split].get("target")) and target["min"] == target["max"]
    ]
    if not constant:
        return []
    which = "both splits" if len(constant) == 2 else f"the {constant[0]} split"
    return [
        Remark(
            "one_target",
            f"all items of {which} have the same target: a model that always answers it looks as good as any, so that "
            "no figure says anything; register a set whose target varies in both splits",
        )
    ]


def cut_off(
    y: NDArray[Any],
    rows: NDArray[np.int64],
    names: Sequence[str] | None,
    source: str,
    what: str = "`start` and `limit`",
) -> list[Remark]:
    """Return a warning where the part of a source that is taken is no fair part of it, as of one sorted by class.

    Parameters
    ----------
    y : ndarray, shape (N,)
        Classes or numbers to predict of the whole source.
    rows : ndarray of int64, shape (M,)
        What is taken of it.
    names : sequence of str, or None
        The classes' names; None for a regression.
    what : str
        What chose the part.
    """
    values = np.asarray(y)
    if not 0 < len(rows) < len(values) or values.ndim != 1 or values.dtype.kind not in "buif":
        return []
    if names is None:
        return _cut_target(values.astype(np.float64), rows, source, what)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() >= max(len(names), 1):
        return []  # said by whoever checks the labels
    labels = values.astype(np.int64)
    whole = np.bincount(labels, minlength=len(names))
    part = np.bincount(labels[rows], minlength=len(names))
    expected = whole * (len(rows) / len(labels))
    lost = np.flatnonzero((part == 0) & (expected >= _EXPECTED))
    present = whole > 0
    chi = float(np.sum((part - expected)[present] ** 2 / expected[present]))
    freedom = max(int(present.sum()) - 1, 1)
    apart = float(np.abs(part - expected).sum() / 2 / len(rows))
    if not lost.size and (chi < freedom + _APART * np.sqrt(2 * freedom) or apart < _SHARE_APART):
        return []
    kept = ", ".join(f"{part[k]:,} of {names[k]!r}" for k in np.argsort(-part, kind="stable")[:_MOST_NAMED] if part[k])
    cut = f" and none of {_named(names, lost)}" if lost.size else ""
    more = " …" if np.count_nonzero(part) > _MOST_NAMED else ""
    order = "sorted by class" if _changes(labels) < 2 * freedom + 1 else "not in a mixed order"
    return [
        Remark(
            "cut_through_classes",
            f"{source}: {what} cut through the classes, for the source is {order}: {kept}{more}{cut} are taken, where "
            f"a fair part has all classes in the shares of the whole; {_MIX}",
        )
    ]


_MIX = (
    "mix the order of the source, or register the whole of it as one `source` that is split, and end the job's "
    "schedule at the size that is wanted"
)


def _cut_target(y: NDArray[np.float64], rows: NDArray[np.int64], source: str, what: str) -> list[Remark]:
    sd = float(y.std())
    off = abs(float(y[rows].mean()) - float(y.mean()))
    if sd == 0 or not np.isfinite(sd) or off < max(_APART * sd / np.sqrt(len(rows)), 3 * _SHARE_APART * sd):
        return []
    return [
        Remark(
            "cut_through_targets",
            f"{source}: {what} take items whose target is {y[rows].mean():.4g} on average, where that of the whole is "
            f"{y.mean():.4g}: the source is not in a mixed order; {_MIX}",
        )
    ]


def _changes(labels: NDArray[np.int64]) -> int:
    return int(np.count_nonzero(labels[1:] != labels[:-1]))


def _named(names: Sequence[str], which: NDArray[np.int64]) -> str:
    listed = ", ".join(repr(names[k]) for k in which[:_MOST_NAMED].tolist())
    return listed if len(which) <= _MOST_NAMED else f"{listed} and {len(which) - _MOST_NAMED} more"
