"""Answers that do not end by themselves: how many of them a project may have open."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.access.caller import Caller
from app.access.quotas import QuotaExceeded


class Streams:
    """The streams that one process has open, by project."""

    def __init__(self) -> None:
        self._open: Counter[object] = Counter()

    @contextmanager
    def counted(self, caller: Caller) -> Iterator[None]:
        """Count one more stream of the caller's project for the length of the block.

        Raises
        ------
        QuotaExceeded
            When the project has as many as it may.
        """
        project, limit = caller.project_id, caller.place.quotas.get("streams")
        if limit is not None and self._open[project] >= limit:
            raise QuotaExceeded(f"The project may have {limit:g} event streams open; end one first.")
        self._open[project] += 1
        try:
            yield
        finally:
            self._open[project] -= 1
            if not self._open[project]:
                del self._open[project]
