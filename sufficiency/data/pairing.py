"""Two splits side by side: whether they belong together, and what is in them."""

import hashlib
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from sufficiency.data.arrays import StoredItems
from sufficiency.data.copies import copies
from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError
from sufficiency.data.foreign import Opaque, contents, labels_of
from sufficiency.data.likeness import likeness, told_apart_by_eye
from sufficiency.data.suspicions import suspicions
from sufficiency.schemas.words import FingerprintOf


def verify_splits(train: Any, test: Any, fingerprint: FingerprintOf = "content") -> tuple[dict[str, Any], str]:
    """Check that two splits belong together; return what is in them, and their fingerprint.

    Parameters
    ----------
    fingerprint : {"content", "structure"}
        Of all that they hold; or of their sizes and labels alone, for items that are another whenever they are read.

    Raises
    ------
    DatasetError
        For splits of different tasks, items of different shape or different features, or test items of a class that
        the training split lacks.
    """
    first, second = contents(train), contents(test)
    if first.task != second.task:
        hint = ""
        if {first.task, second.task} == {"classification", "multilabel"}:
            hint = "; items of the one have several labels: make the task of both multilabel"
        raise DatasetError(f"the training split is for {first.task}, the test split for {second.task}{hint}")
    if unknown := [name for name in second.class_names if name not in first.class_names]:
        hint, ours = "", {likeness(name): name for name in first.class_names}
        if alike := [name for name in unknown if likeness(name) in ours]:
            there, here = told_apart_by_eye(ours[likeness(alike[0])], alike[0])
            hint = f"; {there} there and {here} here differ in how they are written"
        raise DatasetError(f"the test split has classes that the training split lacks: {', '.join(unknown[:5])}{hint}")
    if first.class_names[: len(second.class_names)] != second.class_names:
        k = next(k for k, name in enumerate(second.class_names) if first.class_names[k] != name)
        raise DatasetError(
            f"the two splits number their classes differently: class {k} is {first.class_names[k]!r} in the training "
            f"split and {second.class_names[k]!r} in the test split; give both the same classes in the same order"
        )
    info: dict[str, Any] = {
        "task": first.task,
        "train": _counts(first, first.class_names),
        "test": _counts(second, first.class_names),
        "input_shape": list(first.input_shape),
        "class_names": list(first.class_names),
    }
    doubts: list[Remark] = []
    if isinstance(first, StoredItems) and isinstance(second, StoredItems):
        _check_features(first, second)
        found = copies(train, test, (labels_of(train), labels_of(test)))
        info["test_items_in_train"], doubts = found.shared, found.doubts()
        if found.unavoidable is not None:
            info["test_unavoidable"] = found.unavoidable
        if first.feature_names:
            info["feature_names"] = list(first.feature_names[:MOST_FEATURES_NAMED])
    elif isinstance(first, StoredItems) or isinstance(second, StoredItems):
        info["input_shape"] = []  # of one shape here and of several there is of several
    stands = [split.description for split in (first, second)]
    info |= reduce(Description.joined, stands, Description(warnings=(*suspicions(info), *doubts))).as_info()
    return info, fingerprint_of(train, test, fingerprint)


def fingerprint_of(train: Any, test: Any, fingerprint: FingerprintOf = "content") -> str:
    """Return by what two splits are known again; see `verify_splits`."""
    pair = (contents(train), contents(test))
    marks = [structure(split) if fingerprint == "structure" else split.fingerprint() for split in pair]
    digest = hashlib.sha256("".join(marks).encode()).hexdigest()
    return f"structure:{digest}" if fingerprint == "structure" else digest


def structure(split: StoredItems | Opaque) -> str:
    """Return the SHA-256 of a split's size, classes and labels, and of its items' shape where they have one."""
    shape = split.input_shape if isinstance(split, StoredItems) else ()
    digest = hashlib.sha256(repr((split.task, len(split), tuple(split.class_names), shape)).encode())
    if split.y is not None:
        digest.update(np.ascontiguousarray(split.y).data)
    elif isinstance(split, Opaque):
        digest.update(b"".join(split.target_stamps))
    return digest.hexdigest()


MOST_FEATURES_NAMED = 100


def _check_features(first: StoredItems, second: StoredItems) -> None:
    if first.input_shape != second.input_shape:
        raise DatasetError(f"training items have shape {first.input_shape}, test items {second.input_shape}")
    if first.feature_names and second.feature_names and first.feature_names != second.feature_names:
        pairs = zip(first.feature_names, second.feature_names, strict=True)
        at, (ours, theirs) = next((k, pair) for k, pair in enumerate(pairs) if pair[0] != pair[1])
        raise DatasetError(
            f"feature {at} is {ours!r} in the training split and {theirs!r} in the test split; name the features in "
            "one order, and where they are categories, split one file"
        )


def _counts(split: StoredItems | Opaque, class_names: Sequence[str]) -> dict[str, Any]:
    if isinstance(split, Opaque) and split.task != "regression":
        return {"size": len(split), "class_counts": split.class_counts + [0] * (len(class_names) - split.num_classes)}
    if split.task == "regression":
        assert split.y is not None, "a regression has numbers to predict"
        low, middle, high = np.quantile(split.y.astype(np.float64), [0, 0.5, 1]).tolist()
        spread = {"mean": float(split.y.mean(dtype=np.float64)), "sd": float(split.y.std(dtype=np.float64))}
        return {"size": len(split), "class_counts": [], "target": {"min": low, "median": middle, "max": high, **spread}}
    assert isinstance(split, StoredItems), "an opaque one has its counts"
    if split.task == "multilabel":
        return {"size": len(split), "class_counts": split.y.sum(axis=0, dtype=np.int64).tolist()}
    return {"size": len(split), "class_counts": np.bincount(split.y, minlength=len(class_names)).tolist()}
