"""What a study has measured, in memory and in one file: a line for the study, then one for each cell."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self
from uuid import UUID

from sufficiency.answers.gaps import Gap, gaps_warning
from sufficiency.answers.learner import learner_warnings
from sufficiency.answers.measured import CellValue
from sufficiency.answers.primary import asked_of
from sufficiency.answers.study import Study, sizes_drawn_from
from sufficiency.answers.values import spread_of, value_warnings
from sufficiency.answers.warnings import doubts
from sufficiency.method.kinks.between import warnings_between
from sufficiency.method.kinks.learner import Data, learner_of
from sufficiency.method.kinks.rules import Met, met_by
from sufficiency.method.measurements import Series, series_from_rows
from sufficiency.schemas.jobs import Links
from sufficiency.schemas.results import CellDetails, CellView
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.work import CellResult, ItemMarks
from sufficiency.study.errors import InvalidStudy

FORMAT, VERSION = "sufficiency.study", 1


@dataclass
class Record:
    """A study and its cells.

    Attributes
    ----------
    id : UUID
    spec : dict
        As run.
    steps : list of int
        Training-set sizes by step number.
    metrics : dict
        How each declared metric reads.
    device : str
    fingerprint : str
        Of the dataset.
    info : dict
        What was found in the dataset.
    versions : dict
        Of the plugins.
    imprints : dict
        Of the objects that were given in place of plugins' names.
    created_at : str
    elsewhere : bool
        Its values were measured elsewhere.
    planned : int or None
        How many cells there are to be, where it is not every run at every step.
    design : dict or None
        Of an adaptive study: how far it has gone, and why it stopped.
    cells : dict
        Results by run and step.
    gaps : dict
        Errors of the cells that could not be measured, by run and step.
    state : str
    error : dict or None
        Why it failed.
    warnings : list of dict
    """

    id: UUID
    spec: dict[str, Any]
    steps: list[int]
    metrics: dict[str, Any]
    device: str = "cpu"
    fingerprint: str = ""
    info: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    imprints: dict[str, str] = field(default_factory=dict)
    created_at: str = field(default_factory=lambda: now())
    elsewhere: bool = False
    planned: int | None = None
    design: dict[str, Any] | None = None
    finished_at: str | None = None
    cells: dict[tuple[int, int], CellResult] = field(default_factory=dict)
    gaps: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    state: str = "queued"
    error: dict[str, Any] | None = None
    warnings: list[dict[str, Any]] = field(default_factory=list)

    # What it is

    @property
    def total(self) -> int:
        """How many cells there are to be."""
        return int(self.spec["runs"]) * len(self.steps) if self.planned is None else self.planned

    @property
    def fraction(self) -> float:
        """How far it is, of the training items over all cells."""
        whole = int(self.spec["runs"]) * sum(self.steps)
        if self.design is not None:  # what is planned so far
            return (len(self.cells) + len(self.gaps)) / self.total if self.total else 0.0
        return sum(self.steps[step] for _, step in (*self.cells, *self.gaps)) / whole if whole else 0.0

    def complete(self) -> bool:
        """Return whether every cell has ended, measured or not measurable."""
        return len(self.cells) + len(self.gaps) >= self.total

    def without_what_follows_gaps(self) -> dict[tuple[int, int], CellResult]:
        """Return the cells that stand when those that could not be measured are tried again.

        Under the `dataeval` protocol a run measured what comes after a step that it had to leave out without it.
        """
        if self.spec["protocol"] != "dataeval":
            return dict(self.cells)
        first: dict[int, int] = {}
        for (run, step), error in self.gaps.items():
            if (error.get("where") or {}).get("phase") != "evaluation":
                first[run] = min(step, first.get(run, step))
        return {(run, step): cell for (run, step), cell in self.cells.items() if step < first.get(run, step + 1)}

    def missing(self) -> list[Gap]:
        """Return the cells that could not be measured, by size and run."""
        found = [Gap(run, step, self.steps[step], error) for (run, step), error in self.gaps.items()]
        return sorted(found, key=lambda gap: (gap.n, gap.run))

    def specs(self) -> dict[str, MetricSpec]:
        """Return how each declared metric reads."""
        return {name: MetricSpec.model_validate(one) for name, one in self.metrics.items()}

    def rows(self) -> Iterable[tuple[int, int, int, str, int, float | None]]:
        """Yield run, step, size, metric, class index and value of everything measured."""
        for (run, step), cell in sorted(self.cells.items()):
            for metric, class_index, value in cell.values:
                yield run, step, self.steps[step], metric, class_index, value

    def series(self) -> list[Series]:
        """Return what is measured, a series a metric and class."""
        errors = [(step, cell.details.get("test_sd") or {}) for (_, step), cell in self.cells.items()]
        return series_from_rows(self.rows(), self.specs(), errors)

    def marks(self) -> dict[str, dict[tuple[int, int], ItemMarks]]:
        """Return by metric which test items each training was right about, by run and size."""
        found: dict[str, dict[tuple[int, int], ItemMarks]] = {}
        for (run, step), cell in self.cells.items():
            for metric, marks in cell.correct.items():
                found.setdefault(metric, {})[run, self.steps[step]] = marks
        return found

    def values(self) -> list[CellValue]:
        """Return every measurement with its cell."""
        return [
            CellValue(
                *(run, step, n, self.cells[run, step].n_unique, metric, class_index, value),
                *(self.cells[run, step].seconds, self.cells[run, step].device, 1),
            )
            for run, step, n, metric, class_index, value in sorted(self.rows(), key=lambda row: row[:2] + row[3:5])
        ]

    def cell_views(self) -> list[CellView]:
        """Return every cell with what it did beside the values that it measured."""
        return [
            CellView(
                run=run,
                step=step,
                n=self.steps[step],
                n_unique=cell.n_unique,
                seconds=cell.seconds,
                device=cell.device,
                attempt=1,
                details=CellDetails.model_validate(cell.details),
            )
            for (run, step), cell in sorted(self.cells.items())
        ]

    def study(self) -> Study:
        """Return what answers take of it beside its values."""
        test = self.info.get("test") or {}
        return Study(
            id=self.id,
            state=self.state,
            model=self.spec["model"]["name"],
            dataset=self.spec["dataset"],
            cells_done=len(self.cells),
            cells_total=self.total,
            metrics=self.specs(),
            class_names=[str(name) for name in self.info.get("class_names") or []],
            steps=self.steps,
            gaps=self.missing(),
            train_sizes=sizes_drawn_from(self.spec, self.info),
            test_size=test.get("size"),
            test_class_counts=test.get("class_counts") or [],
            test_unavoidable=self.info.get("test_unavoidable"),
            near_copies=self.info.get("near_copies"),
            subsets=self._subsets(),
            **asked_of(self.spec),
            doubts=self.info.get("warnings") or [],
            kinks=self.kinks(),
            split=self.fingerprint or None,
        )

    def kinks(self) -> list[Met]:
        """Return what of its learner changes with the size of the training set."""
        return met_by(learner_of(self.spec, self._learner()), Data.of(self.info))

    def _learner(self) -> dict[str, Any] | None:
        return next((cell.learner for _, cell in sorted(self.cells.items()) if cell.learner), None)

    def _learner_warnings(self) -> list[dict[str, Any]]:
        params = self.spec["training"].get("params") or {}
        at_risk = bool((self._learner() or {}).get("batch_norm")) and params.get("batch_norm") != "reestimated"
        told = [(self.steps[step], cell.details) for (_, step), cell in self.cells.items() if cell.details]
        return [*warnings_between(self.kinks(), self.steps), *learner_warnings(told, batch_norm=at_risk)]

    def _subsets(self) -> tuple[Any, ...] | None:
        if not self.fingerprint:
            return None
        return self.fingerprint, self.spec["seed"], self.spec["protocol"], self.spec.get("sampling") or 1

    def progress(self) -> dict[str, Any]:
        """Return how far it is, as a job says it."""
        return {
            "cells_done": len(self.cells),
            "cells_not_measurable": len(self.gaps),
            "cells_total": self.total,
            "fraction": 1.0 if self.state == "completed" else self.fraction,
            "eta_seconds": self._seconds_left(),
        }

    def _seconds_left(self) -> float | None:
        done = sum(self.steps[step] for _, step in self.cells)
        if self.design is not None:  # nobody knows yet how far it will go
            return None
        left = int(self.spec["runs"]) * sum(self.steps) - done - sum(self.steps[step] for _, step in self.gaps)
        return sum(cell.seconds for cell in self.cells.values()) / done * left if done and left else None

    def seen(self) -> dict[str, Any]:
        """Return it as the API shows a job."""
        told = {"design": self.design} if self.design is not None else {}
        engines = (cell.details["engine"] for cell in self.cells.values() if "engine" in cell.details)
        if (engine := next(engines, None)) is not None:
            told["engine"] = engine
        return told | {
            "id": str(self.id),
            "state": self.state,
            "queued_reason": None,
            "spec": self.spec,
            "steps": self.steps,
            "metrics": self.metrics,
            "device": self.device,
            "dataset_fingerprint": self.fingerprint,
            "plugin_versions": self.versions,
            "progress": self.progress(),
            "labels": self.spec.get("labels") or {},
            "priority": self.spec.get("priority") or 0,
            "created_at": self.created_at,
            "started_at": self.created_at,
            "finished_at": self.finished_at,
            "error": self.error,
            "warnings": self._warnings(),
            "links": dict.fromkeys(Links.model_fields, ""),
        }

    def _warnings(self) -> list[dict[str, Any]]:
        gaps = gaps_warning(self.missing(), self.total)
        of_data = doubts(self.spec["dataset"], self.info.get("warnings") or [])
        of_values = value_warnings(
            map(spread_of, self.series()), len(self.cells), self.specs(), self.spec.get("metrics") or {}
        )
        return [*of_data, *([gaps] if gaps else []), *of_values, *self.warnings, *self._learner_warnings()]

    # Its file

    def header(self) -> dict[str, Any]:
        """Return the first line of its file."""
        told = {f.name: getattr(self, f.name) for f in _HEADER}
        return {"format": FORMAT, "version": VERSION, **told, "id": str(self.id)}

    def line(self, cell: CellResult) -> str:
        """Return a cell's line of the file."""
        told = asdict(cell)
        if not cell.correct:
            del told["correct"]
        return json.dumps({"cell": told}, allow_nan=False) + "\n"

    def gap_line(self, cell: tuple[int, int]) -> str:
        """Return the line of a cell that could not be measured."""
        run, step = cell
        return json.dumps({"gap": {"run": run, "step": step, "error": self.gaps[cell]}}, allow_nan=False) + "\n"

    def write(self, file: IO[str]) -> None:
        """Write all of it."""
        file.write(json.dumps(self.header(), allow_nan=False) + "\n")
        for _, cell in sorted(self.cells.items()):
            file.write(self.line(cell))
        file.writelines(self.gap_line(cell) for cell in sorted(self.gaps))
        if self.state != "queued":
            file.write(self.ending())

    def ending(self) -> str:
        """Return the line that says how it ended."""
        told: dict[str, Any] = {
            "state": self.state,
            "finished_at": self.finished_at,
            "error": self.error,
            "warnings": self.warnings,
        }
        if self.design is not None:
            told |= {"design": self.design, "planned": self.planned}
        return json.dumps({"ended": told}, allow_nan=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a study's file; a last line that was cut off while it was written is left out.

        Raises
        ------
        InvalidStudy
            When it cannot be read, or is no study's.
        """
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise unreadable(path, f"cannot be read: {error}") from error
        record = cls._begun(path, lines[0])
        whole = len(lines) - 1  # what follows the last end of line is nothing, or cut off
        for number, text in enumerate(lines[1:whole], start=2):
            try:
                entry = json.loads(text)
                record._take(entry)
            except (KeyError, TypeError, ValueError) as error:
                raise unreadable(path, f"line {number} is damaged: {type(error).__name__}: {error}") from error
        return record

    @classmethod
    def _begun(cls, path: Path, text: str) -> Self:
        try:
            header = json.loads(text)
        except ValueError as error:
            raise unreadable(path, "is no study that was saved here: its first line is not JSON") from error
        if not isinstance(header, Mapping) or header.get("format") != FORMAT:
            raise unreadable(path, "is no study that was saved here")
        if header.get("version") != VERSION:
            other = header.get("version")
            raise unreadable(path, f"was written by another version ({other}); this one reads {VERSION}")
        try:
            told = {f.name: header[f.name] for f in _HEADER if f.name in header}
            return cls(**{**told, "id": UUID(header["id"])})
        except (KeyError, TypeError, ValueError) as error:
            raise unreadable(path, f"its first line is damaged: {error}") from error

    def _take(self, entry: Mapping[str, Any]) -> None:
        if (cell := entry.get("cell")) is not None:
            values = [(str(metric), int(index), value) for metric, index, value in cell["values"]]
            marked = {str(metric): ItemMarks(**one) for metric, one in cell.get("correct", {}).items()}
            result = CellResult(**{**cell, "values": values, "correct": marked})
            if not 0 <= result.step < len(self.steps):
                raise ValueError(f"there is no step {result.step}")
            self.cells[result.run, result.step] = result
            self.gaps.pop((result.run, result.step), None)
            self.state = "queued"  # an ending that stands before it is one that was gone on from
        if (gap := entry.get("gap")) is not None:
            self.gaps[int(gap["run"]), int(gap["step"])] = dict(gap["error"])
            self.state = "queued"
        if (ended := entry.get("ended")) is not None:
            self.state, self.finished_at = str(ended["state"]), ended["finished_at"]
            self.error, self.warnings = ended["error"], list(ended["warnings"])
            if ended.get("design") is not None:
                self.design, self.planned = ended["design"], ended["planned"]


_LATER = ("cells", "gaps", "state", "finished_at", "error", "warnings", "design")
_HEADER = [f for name, f in Record.__dataclass_fields__.items() if name not in _LATER]


def unreadable(path: Path, why: str) -> InvalidStudy:
    """Return the error about a file."""
    return InvalidStudy([{"pointer": str(path), "detail": why}])


def now() -> str:
    """Return the present time as the API writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
