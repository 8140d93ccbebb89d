"""A dataset that grows: each version is a dataset of its own, whose first items are those of the version before."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.catalog.datasets import find_dataset, insert_dataset, read_anew, require_ready
from app.catalog.plugins import configure
from app.catalog.verification import ask_to_verify
from app.db.tables import Dataset
from app.errors import Conflict, Invalid, NotFound
from sufficiency.schemas.datasets import NewVersion

# Between a dataset's name and a version's number; no name that a client chooses has it.
MARK = "@"
# A walk from a version to the first goes no further.
MOST_VERSIONS = 1000


def versions_of(session: Session, name: str) -> list[Dataset]:
    """Return a dataset's versions, the first first; `name` is any one's.

    Raises
    ------
    NotFound
        When there is no such dataset.
    """
    root = name.partition(MARK)[0]
    first = find_dataset(session, root)
    if first is None:
        raise NotFound(f"No dataset is called {root!r}; GET /datasets lists them.", code="dataset_not_found")
    versions = [first]
    while (later := _next(session, versions[-1].id)) is not None:
        versions.append(later)
    return versions


def add_version(session: Session, name: str, new: NewVersion) -> tuple[Dataset, bool]:
    """Register a larger version of a dataset, and ask a worker to verify it.

    Parameters
    ----------
    name : str
        Of the dataset, or of any of its versions: the latest is added to.

    Returns
    -------
    dataset : Dataset
    created : bool
        False when this is what the latest version adds already, as when a client asks twice.

    Raises
    ------
    NotFound
        When there is no such dataset.
    Invalid
        With every bad field.
    Conflict
        When the latest version cannot be added to as it stands.
    """
    latest = find_dataset(session, versions_of(session, name)[-1].name, lock="change")
    if latest is None:
        raise Conflict(f"Dataset {name!r} is being deleted.", code="dataset_gone")
    field = "appended" if new.appended is not None else "train"
    asked = new.appended or new.train
    assert asked is not None, "one of the two is checked when it is read"
    _, params, errors = configure(session, "dataset", asked.loader, asked.params, (field,), key="loader")
    if errors:
        raise Invalid("; ".join(error["detail"] for error in errors), code="invalid_version", errors=errors)
    lot = {"loader": asked.loader, "params": params}
    before = session.get(Dataset, latest.continues_id) if latest.continues_id is not None else None
    if before is not None:
        splits = _grown(before, field, lot)
        if splits["train"] == latest.train and latest.status != "invalid":
            return latest, False
        if latest.status == "invalid":  # nothing can be on it: it is registered anew
            latest.train, latest.test = splits["train"], splits["test"]
            latest.info, latest.preview = None, None
            read_anew(session, latest)
            return latest, True
    require_ready(latest)
    if latest.version >= MOST_VERSIONS:
        raise Conflict(f"Dataset {name!r} has {MOST_VERSIONS} versions, the most there can be.", code="dataset_full")
    splits = _grown(latest, field, lot)
    root, number = latest.name.partition(MARK)[0], latest.version + 1
    added = insert_dataset(session, f"{root}{MARK}{number}", **splits, version=number, continues_id=latest.id)
    if added is None:
        raise Conflict(
            f"Another version of {root!r} has just been added; look at it, and ask again.", code="version_taken"
        )
    ask_to_verify(session, added)
    session.flush()
    return added, True


def _grown(before: Dataset, field: str, lot: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return both splits of the version after `before`; the test split stays what it is."""
    info = require_ready(before)
    train = dict(before.train)
    for what, why in (
        ("features", "the features of a frozen model"),
        *((("part", "a part of one source, which would be split anew"),) if field == "train" else ()),
    ):
        if train.get(what):
            way = "give `appended`" if what == "part" else "register the larger set as a dataset of its own"
            raise Conflict(f"The training split of {before.name!r} is {why}: {way}.", code="version_not_possible")
    if field == "train":
        train = {**{key: value for key, value in train.items() if key != "appended"}, **lot}
    else:
        train["appended"] = [*train.get("appended", []), lot]
    train["sizes"] = [*train.get("sizes", []), int(info["train"]["size"])]
    train["continues"] = before.fingerprint
    return {"train": train, "test": before.test}


def size_when_it_was(session: Session, dataset: Dataset, fingerprint: str) -> int | None:
    """Return how many training items a dataset had in the earlier version with this fingerprint; None without one."""
    at: Dataset | None = dataset
    for _ in range(MOST_VERSIONS):
        if at is None or at.continues_id is None:
            return None
        # What a version goes on from is what it was verified against, whatever that one's files hold now.
        if at.train.get("continues") == fingerprint:
            return int(at.train["sizes"][-1])
        at = session.get(Dataset, at.continues_id)
    return None


def name_of(session: Session, dataset_id: UUID | None) -> str | None:
    """Return what a dataset is called."""
    return None if dataset_id is None else session.scalar(select(Dataset.name).where(Dataset.id == dataset_id))


def _next(session: Session, dataset_id: UUID) -> Dataset | None:
    return session.scalar(select(Dataset).where(Dataset.continues_id == dataset_id))
