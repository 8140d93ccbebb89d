"""Why a study in this process cannot be run, or ended before its end; each says what to do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sufficiency.client.handle import Handle
    from sufficiency.schemas.problems import BadField


class StudyError(Exception):
    """What every error of a study in this process is."""


class InvalidStudy(StudyError, ValueError):
    """What was given cannot be run, or is no study.

    Attributes
    ----------
    errors : list of dict
        Every fault: `pointer` (the argument that it is in) and `detail`.
    """

    def __init__(self, errors: "Sequence[BadField]") -> None:
        super().__init__("; ".join(f"{one['pointer']}: {one['detail']}" for one in errors))
        self.errors = list(errors)


class StudyFailed(StudyError, RuntimeError):
    """A cell could not be measured. What raised in it is the cause of this error.

    Attributes
    ----------
    error : dict
        Code, detail, and where: as a job of the service has it.
    study : StudyResult
        With the cells that were measured before.
    """

    def __init__(self, error: dict[str, Any], study: "Handle") -> None:
        super().__init__(error["detail"])
        self.error = error
        self.study = study


class Interrupted(KeyboardInterrupt):
    """The study was interrupted; what it has measured is kept.

    Attributes
    ----------
    study : StudyResult
        With the cells that are measured. In a notebook: ``import sys; study = sys.last_value.study``.
    """

    def __init__(self, study: "Handle", kept: str) -> None:
        super().__init__(kept)
        self.study = study
