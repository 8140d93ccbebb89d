"""Which datasets are made of the same data, and which are kept for the final score alone."""

import hashlib


def group_of(dataset: str) -> str:
    """Return what datasets made of the same data share."""
    name = dataset.removeprefix("regress-").removeprefix("text-")
    for mark in ("-vs-", "-", "_"):
        if name.split(mark)[0] in (
            "kr",
            "abalone",
            "car",
            "flare",
            "kddcup",
            "page",
            "poker",
            "shuttle",
            "winequality",
        ):
            return name.split(mark)[0]
    if dataset.startswith("text-"):
        return "python-lines"
    return name.split("14")[0].split("28")[0].rstrip("0123456789")


def kept_apart(dataset: str) -> bool:
    """Whether all studies of a dataset are for the final score only: a third, by a hash of what it was made of."""
    return int(hashlib.sha256(f"second/{group_of(dataset)}".encode()).hexdigest()[:8], 16) % 3 == 0
