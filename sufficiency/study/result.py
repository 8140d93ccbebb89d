"""A study that this process ran, fitted or loaded: the same handle as a job's, and one file."""

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from sufficiency.client.handle import Handle
from sufficiency.schemas.words import SCALAR
from sufficiency.study.answering import OwnAnswers
from sufficiency.study.record import Record, unreadable

if TYPE_CHECKING:
    from sufficiency.client.replies import Reply
    from sufficiency.schemas.results import ComparisonView


class StudyResult(Handle):
    """A study as the API shows a job (``study["state"]``), and what can be asked of it, without a service.

    The questions, their options, the answers and the refusals are those of a job: `project`, `inv_project`, `verdict`,
    `measurements`, `curves`, `figure`, `plot`, `export`, `to_dataeval`, `to_mlflow`.

    Examples
    --------
    >>> study = sufficiency.run(...)  # doctest: +SKIP
    ... study.project(5000).to_pandas()
    ... study.save("study.jsonl")
    ... Client().publish(study)
    """

    def __init__(self, record: Record, answers: OwnAnswers | None = None) -> None:
        self._answers = answers or OwnAnswers(record)
        super().__init__(self._answers, record.seen())
        self.record = record

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the study to one file, which `load` reads and ``run(..., resume=FILE)`` goes on with.

        Raises
        ------
        InvalidStudy
            When it cannot be written there.
        """
        place = Path(path)
        unfinished = place.with_name(f".{place.name}.{uuid4().hex[:8]}")
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                self.record.write(file)
            unfinished.replace(place)  # whole or not at all
        except OSError as error:
            raise unreadable(place, f"cannot be written: {error.strerror or error}") from error
        finally:
            unfinished.unlink(missing_ok=True)
        return place

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the study that `save`, or a run with ``resume=FILE``, has written.

        Raises
        ------
        InvalidStudy
            When the file cannot be read, or is no study's.
        """
        record = Record.read(Path(path))
        if record.state == "queued":  # whoever wrote it was killed
            record.state = "completed" if record.complete() else "cancelled"
        return cls(record)

    def handed_in(self) -> dict[str, Any]:
        """Return the study as a job whose values were measured elsewhere, as `Client.publish` sends it."""
        record, labels = self.record, self.record.study().label
        test = record.info.get("test") or {}
        measured: dict[str, Any] = {
            "values": [
                {"n": n, "run": run, "metric": metric, "value": value}
                | ({} if index == SCALAR else {"class": labels(index)})
                for run, _, n, metric, index, value in record.rows()
            ],
            "model": record.spec["model"]["name"],
            "dataset": record.spec["dataset"],
            "source": self._source(),
        }
        if record.info.get("class_names"):
            measured["class_names"] = [str(name) for name in record.info["class_names"]]
        if test.get("size"):
            measured["test_size"] = test["size"]
        if test.get("class_counts"):
            measured["test_class_counts"] = test["class_counts"]
        known = {name for *_, name, _, _ in record.rows()}
        metrics = {name: one for name, one in record.metrics.items() if name in known}
        return {"measured": measured, "metrics": metrics, "labels": record.spec.get("labels") or {}}

    def _source(self) -> str:
        elsewhere = self.record.info.get("elsewhere") or {}
        if self.record.elsewhere:
            return str(elsewhere.get("source") or f"study {self.id}")
        strategies = (f"{kind} {self.record.spec[kind]['name']}" for kind in ("training", "evaluation"))
        return f"sufficiency.run: {', '.join(strategies)}; study {self.id}"[:500]

    def imprint(self) -> str:
        """Return a digest of the study and its values: the same study is published once."""
        told = json.dumps([str(self.id), self.handed_in()], sort_keys=True)
        return f"study-{hashlib.sha256(told.encode()).hexdigest()}"

    def compare(self, *others: "StudyResult", **options: Any) -> "Reply[ComparisonView]":
        """Return the curves of studies side by side: where they cross, and how many times the data one needs.

        Parameters
        ----------
        *others : StudyResult
            What is compared with this one.
        **options
            ``metric``, ``level``.
        """
        return self._answers.compare([one._answers for one in others], **options)

    def look(self) -> Self:
        """Show what is measured by now."""
        return self._see(self.record.seen())


def load(path: str | os.PathLike[str]) -> StudyResult:
    """Return the study of a file; see `StudyResult.load`."""
    return StudyResult.load(path)
