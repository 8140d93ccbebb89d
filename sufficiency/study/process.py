"""A process that measures a study's cells for the one that runs it, and ends with it.

Started with the number of its end of a socket pair. It is sent the study, then cells; it answers with results.
"""

import os
import pickle
import queue
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle

from sufficiency.schemas.work import CellResult, UnitCell
from sufficiency.training.eager import stay_eager
from sufficiency.training.faults import Fault, describe, fault
from sufficiency.training.loop import run_cells
from sufficiency.training.process_group import end_process_group
from sufficiency.training.repeatable import make_repeatable

MEASURED, GIVEN_UP, DONE, FAILED = "measured", "given up", "done", "failed"


class _Reporter:
    """Sends what is measured to who asked for it."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection

    def started(self, cell: UnitCell) -> None:
        """Not told: the bar moves with what is measured."""

    def record(self, result: CellResult) -> None:
        """Send what a cell measured."""
        self._connection.send((MEASURED, result))

    def give_up(self, cell: UnitCell, fault: Fault) -> None:
        """Send that a cell cannot be measured."""
        self._connection.send((GIVEN_UP, cell, *_told(fault)))


def serve(connection: "Connection[Any, Any]", requests: "queue.SimpleQueue[bytes]") -> None:
    """Measure the cells that are asked for, until the other end is closed."""
    try:
        made, device = cloudpickle.loads(requests.get())
        study = made.prepare()
    except Exception as error:
        connection.send((FAILED, *_told(error)))
        return
    while True:
        cells: list[UnitCell] = pickle.loads(requests.get())
        make_repeatable()
        try:
            run_cells(made.unit(cells, device), study, _Reporter(connection))
        except Exception as error:
            connection.send((FAILED, *_told(error)))
            return
        connection.send((DONE,))


def _told(error: Exception) -> tuple[dict[str, Any], bytes | None]:
    """Return what went wrong, and the exception itself where it can be sent."""
    told = error.error if isinstance(error, Fault) else fault("study_unusable", describe(error), exception=error)
    cause = error.__cause__ if isinstance(error, Fault) else error
    try:
        return told, cloudpickle.dumps(cause)
    except Exception:  # somebody's exception may hold anything
        return told, None


def _read(connection: "Connection[Any, Any]", requests: "queue.SimpleQueue[bytes]") -> None:
    try:
        while True:
            requests.put(connection.recv_bytes())
    except (EOFError, OSError):
        end_process_group()  # nobody waits for the results


def main(fd: int) -> None:
    """Serve the process at the other end of a socket."""
    os.set_inheritable(fd, False)
    connection: Connection[Any, Any] = Connection(fd)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, requests), daemon=True).start()
    stay_eager()
    serve(connection, requests)
    sys.stdout.flush()
    threading.Event().wait()  # until the other end has read what went wrong, and closes
