"""How much memory a trainer may take, with all that its plugins have started. Torch-free."""

import time
from collections.abc import Mapping
from typing import Any

import psutil

from sufficiency.training.faults import at_cell, fault

PERIOD_SECONDS = 1.0


class MemoryLimit:
    """Looks at a trainer once a second, and says so when it has too much.

    The kernel's own limits do not fit: an address-space limit stops CUDA, and a control group needs rights that a
    worker has not. What grows faster than it can be looked at is the kernel's to end.

    Parameters
    ----------
    limit : int or None
        Bytes; None: whatever it likes.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._next_look = 0.0

    def error(self, pid: int, where: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the error object of a trainer that has more than it may, or None."""
        now = time.monotonic()
        if self._limit is None or now < self._next_look:
            return None
        self._next_look = now + PERIOD_SECONDS
        used = used_memory(pid, more_than=self._limit)
        if used <= self._limit:
            return None
        detail = (
            f"The trainer took {used / 2**20:.0f} MiB{at_cell(where)}, and SUFFICIENCY_TRAINER_MEMORY allows "
            f"{self._limit / 2**20:.0f} MiB. Make the model, the batches or the dataset smaller, or allow more."
        )
        return fault("memory_exceeded", detail, where)


def used_memory(pid: int, *, more_than: int) -> int:
    """Return the bytes that a process and its descendants hold; exact only where they seem `more_than` so many.

    Resident memory counts a page that forked processes share once for each of them; counting it once takes long, and
    is done only where it matters.
    """
    try:
        trainer = psutil.Process(pid)
        processes = [trainer, *trainer.children(recursive=True)]
    except psutil.Error:
        return 0
    resident = sum(_bytes(process, "rss") for process in processes)
    if resident <= more_than or not psutil.LINUX:
        return resident
    return sum(_bytes(process, "pss") for process in processes)


def _bytes(process: psutil.Process, kind: str) -> int:
    try:
        memory = process.memory_full_info() if kind == "pss" else process.memory_info()
    except psutil.Error:
        return 0  # it has ended
    return int(getattr(memory, kind))
