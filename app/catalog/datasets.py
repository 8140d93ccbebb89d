"""The registered datasets: a name, a pair of splits, and what a worker found in them."""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalog.plugins import configure
from app.catalog.verification import ask_to_verify
from app.db.owning import made
from app.db.tables import Dataset, Job
from app.errors import Conflict, FieldError, Invalid, NotFound, field_error, nearest
from sufficiency.schemas.datasets import NewDataset, SplitRule

# How a source is cut that is registered now; see `sufficiency.data.splitting.part_of`.
SPLIT_RULE = 2


def register_dataset(session: Session, new: NewDataset) -> tuple[Dataset, bool]:
    """Register a pair of splits and ask a worker to verify them.

    Returns
    -------
    dataset : Dataset
        As registered: each split with its loader and all parameters, and the `part` of a source that it is.
    created : bool
        False when the same dataset was registered already. One that is invalid is read again; with other splits, it is
        registered anew.
    """
    name = new.name
    errors: list[FieldError] = []
    splits: dict[str, dict[str, Any]] = {}
    features: dict[str, Any] | None = None
    if (step := new.features) is not None:
        _, params, errors = configure(session, "model", step.model, step.params, ("features",), key="model")
        features = {"model": step.model, "params": params, "head": step.head}
    for split, place, asked in new.references():
        _, params, found = configure(session, "dataset", asked.loader, asked.params, (place,), key="loader")
        splits[split] = {"loader": asked.loader, "params": params}
        if new.source is not None:
            splits[split]["part"] = {"name": split, **(new.split or SplitRule()).model_dump(), "rule": SPLIT_RULE}
        if new.standardise:
            splits[split]["standardise"] = True
        if new.fingerprint != "content":
            splits[split]["fingerprint"] = new.fingerprint
        if new.seed:
            splits[split]["seed"] = new.seed
        if features is not None:
            splits[split]["features"] = features
        errors.extend(error for error in found if error not in errors)
    if errors:
        raise Invalid("; ".join(error["detail"] for error in errors), code="invalid_dataset", errors=errors)
    dataset = insert_dataset(session, name, splits["train"], splits["test"])
    if dataset is not None:
        made(session, "dataset", name)
        ask_to_verify(session, dataset)
        session.flush()
        return dataset, True
    existing = find_dataset(session, name, lock="change")
    if existing is None:
        raise Conflict(f"Dataset {name!r} is being deleted; try again.", code="dataset_exists")
    if existing.status == "invalid":
        return existing, _registered_again(session, existing, splits)
    if (_asked(existing.train), _asked(existing.test)) != (_asked(splits["train"]), _asked(splits["test"])):
        raise Conflict(
            f"Dataset {name!r} is registered with other splits; choose another name, or delete it first.",
            code="dataset_exists",
        )
    return existing, False


def _registered_again(session: Session, dataset: Dataset, splits: dict[str, dict[str, Any]]) -> bool:
    """Have an invalid dataset read again, by other splits where these are others; return whether they are."""
    others = (_asked(dataset.train), _asked(dataset.test)) != (_asked(splits["train"]), _asked(splits["test"]))
    if others:
        if jobs := _jobs_on(session, dataset.id):
            raise Conflict(
                f"Dataset {dataset.name!r} is registered with other splits, and {jobs} "
                f"job{'s are' if jobs > 1 else ' is'} on it; choose another name, or delete them and it first.",
                code="dataset_exists",
            )
        dataset.train, dataset.test = splits["train"], splits["test"]
        dataset.info, dataset.preview = None, None
    read_anew(session, dataset)
    return others


def read_anew(session: Session, dataset: Dataset) -> None:
    """Have a worker verify a dataset as it is now."""
    dataset.status, dataset.fingerprint, dataset.error = "verifying", None, None
    dataset.verified_at, dataset.attempts = None, 0
    ask_to_verify(session, dataset)
    session.flush()
    session.refresh(dataset)


def _asked(split: dict[str, Any]) -> dict[str, Any]:
    """Return what was asked for of a split: not by which version of the rule it is cut, which is the service's."""
    part = split.get("part")
    return split if part is None else {**split, "part": {key: value for key, value in part.items() if key != "rule"}}


def insert_dataset(
    session: Session, name: str, train: dict[str, Any], test: dict[str, Any], **version: Any
) -> Dataset | None:
    """Write a dataset; None when its name is taken."""
    return session.scalar(
        insert(Dataset).values(name=name, train=train, test=test, **version).on_conflict_do_nothing().returning(Dataset)
    )


def get_dataset(session: Session, name: str) -> Dataset:
    """Return one dataset."""
    dataset = find_dataset(session, name)
    if dataset is None:
        raise NotFound(f"No dataset is called {name!r}; GET /datasets lists them.", code="dataset_not_found")
    return dataset


def find_dataset(session: Session, name: str, *, lock: Literal["use", "change"] | None = None) -> Dataset | None:
    """Return a dataset by name, or None.

    Parameters
    ----------
    lock : {"use", "change"}, optional
        "use" keeps it from being deleted until the transaction ends; "change" keeps others from using it.
    """
    statement = select(Dataset).where(Dataset.name == name)
    if lock == "use":
        statement = statement.with_for_update(read=True, key_share=True)
    elif lock == "change":
        statement = statement.with_for_update()
    return session.scalar(statement)


def dataset_preview(session: Session, name: str) -> tuple[bytes, str]:
    """Return a PNG of some of a dataset's items, and the fingerprint of what it shows.

    Raises
    ------
    NotFound
        When there is none, with the reason.
    """
    dataset = get_dataset(session, name)
    if dataset.preview is None:
        why = {
            "verifying": "no worker has verified it yet; wait until its status is ready",
            "invalid": "it is invalid; its error says why",
        }.get(dataset.status, "its items are not images; its info says what is in it")
        raise NotFound(f"There is no picture of dataset {name!r}: {why}.", code="preview_not_found")
    return dataset.preview, str(dataset.fingerprint)


def find_datasets(session: Session, *, after: str | None, limit: int) -> list[Dataset]:
    """Return datasets by name."""
    statement = select(Dataset).order_by(Dataset.name)
    if after is not None:
        statement = statement.where(Dataset.name > after)
    return list(session.scalars(statement.limit(limit)))


def dataset_for_job(session: Session, name: str) -> tuple[Dataset | None, list[FieldError]]:
    """Return the dataset that a job is to be on, kept from being deleted until the transaction ends."""
    dataset = find_dataset(session, name, lock="use")
    if dataset is not None:
        return dataset, []
    known = [d.name for d in find_datasets(session, after=None, limit=1000)]
    hint = nearest(name, known) if known else "none is registered yet; register one with POST /datasets"
    return None, [field_error("#/dataset", f"No dataset is called {name!r}; {hint}.")]


def require_ready(dataset: Dataset) -> dict[str, Any]:
    """Return what is in a dataset.

    Raises
    ------
    Conflict
        When it is still being verified, or invalid.
    """
    if dataset.status == "verifying":
        raise Conflict(
            f"Dataset {dataset.name!r} is still being verified; wait until its status is ready.",
            code="dataset_not_ready",
        )
    if dataset.status == "invalid" or dataset.info is None:
        reason = (dataset.error or {}).get("detail", "it could not be read")
        raise Conflict(f"Dataset {dataset.name!r} is invalid: {reason}", code="dataset_invalid")
    return dataset.info


def verify_again(session: Session, name: str) -> Dataset:
    """Ask a worker to read a dataset anew, because its files have changed; one that is being verified is left to it."""
    get_dataset(session, name)
    dataset = find_dataset(session, name, lock="change")
    if dataset is None:
        raise Conflict(f"Dataset {name!r} is being deleted.", code="dataset_gone")
    if dataset.status != "verifying":
        # What was found before stays until it is known what there is now: results of jobs are labelled with it.
        read_anew(session, dataset)
    return dataset


def delete_dataset(session: Session, name: str) -> None:
    """Remove a dataset's registration; its files stay."""
    get_dataset(session, name)
    dataset = find_dataset(session, name, lock="change")
    if dataset is None:
        return
    if jobs := _jobs_on(session, dataset.id):
        raise Conflict(
            f"{jobs} job{'s are' if jobs > 1 else ' is'} on dataset {name!r}; delete them first.",
            code="dataset_in_use",
        )
    if later := session.scalar(select(Dataset.name).where(Dataset.continues_id == dataset.id)):
        raise Conflict(f"{later!r} goes on from dataset {name!r}; delete it first.", code="dataset_continued")
    session.delete(dataset)
    session.flush()


def _jobs_on(session: Session, dataset_id: UUID) -> int:
    """Return how many jobs are on a dataset."""
    return session.scalar(select(func.count()).select_from(Job).where(Job.dataset_id == dataset_id)) or 0
