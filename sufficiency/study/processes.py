"""Has a study's cells measured by several processes at a time."""

import json
import pickle
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, Self

import cloudpickle

from sufficiency.schemas.work import UnitCell
from sufficiency.study.errors import InvalidStudy
from sufficiency.study.process import DONE, FAILED, GIVEN_UP, MEASURED
from sufficiency.training.faults import Fault, describe, fault
from sufficiency.training.process_group import end_group
from sufficiency.training.unit import Recorder, Study, UnitPlan

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from sufficiency.study.process import main; main(int(sys.argv[1]))"
)


class Preparable(Protocol):
    """What is sent to a process, and there becomes what the loop takes."""

    def prepare(self) -> Study: ...

    def unit(self, cells: list[UnitCell], device: str) -> UnitPlan: ...


def measure(made: Preparable, device: str, tasks: Sequence[list[UnitCell]], workers: int, recorder: Recorder) -> None:
    """Measure cells, several at a time; which process measures which makes no difference to the values.

    Parameters
    ----------
    tasks : sequence of list of UnitCell
        What one process measures at a time.

    Raises
    ------
    InvalidStudy
        When the study cannot be sent to another process.
    Fault
        When a cell cannot be measured; its cause is what was raised.
    """
    with Crew(made, device, workers) as crew:
        crew.measure(tasks, recorder)


class Crew:
    """Processes that measure a study's cells, for as long as the block lasts.

    Parameters
    ----------
    made : Preparable
    device : str
    workers : int
        How many processes there may be; each starts when there is something for it.
    """

    def __init__(self, made: Preparable, device: str, workers: int) -> None:
        self._made, self._device, self._workers = made, device, workers
        self._sent: bytes | None = None
        self._helpers: list[_Helper] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for helper in self._helpers:
            helper.end()

    def measure(self, tasks: Sequence[list[UnitCell]], recorder: Recorder) -> None:
        """Measure cells; see the function of the same name."""
        waiting = deque(tasks)
        while len(self._helpers) < min(self._workers, len(tasks)):
            self._helpers.append(_Helper(self._study()))
        for helper in self._helpers[: len(tasks)]:
            helper.give(waiting.popleft())
        while any(helper.cells for helper in self._helpers):
            ready = wait([helper.connection for helper in self._helpers if helper.cells])
            for helper in self._helpers:
                if helper.connection in ready and helper.answered(recorder) and waiting:
                    helper.give(waiting.popleft())

    def _study(self) -> bytes:
        """Return the study as it is sent to another process."""
        if self._sent is None:
            try:
                self._sent = cloudpickle.dumps((self._made, self._device))
            except Exception as error:
                detail = (
                    f"the study cannot be sent to other processes ({describe(error)}): give classes or factories in "
                    "place of the objects that cannot, or take workers=1"
                )
                raise InvalidStudy([{"pointer": "workers", "detail": detail}]) from error
        return self._sent


class _Helper:
    """A process, and what it has in hand."""

    def __init__(self, study: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), json.dumps(sys.path)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # ^C is for the process that runs the study
            )
        self.connection: Connection[Any, Any] = Connection(ours.detach())
        self.cells: list[UnitCell] = []
        self._send(study)

    def give(self, cells: list[UnitCell]) -> None:
        """Ask for cells."""
        self.cells = cells
        self._send(pickle.dumps(cells))

    def answered(self, recorder: Recorder) -> bool:
        """Take an answer; return whether nothing is in hand any more.

        Raises
        ------
        Fault
        """
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            raise Fault(self._died()) from None
        if answer[0] == MEASURED:
            recorder.record(answer[1])
        elif answer[0] == GIVEN_UP:
            recorder.give_up(answer[1], _fault(*answer[2:]))
        elif answer[0] == FAILED:
            raise _fault(*answer[1:])
        elif answer[0] == DONE:
            self.cells = []
        return not self.cells

    def end(self) -> None:
        """Have the process, and what it started, gone."""
        self.connection.close()
        end_group(self._process.pid)
        self._process.wait()

    def _send(self, message: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it has died, which is told when its answer is read
            self.connection.send_bytes(message)

    def _died(self) -> dict[str, Any]:
        code = self._process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        first = self.cells[0]
        detail = (
            f"A process that measured run {first.run}, n = {first.n} {how}; is there too little memory for so many "
            "workers? Take fewer, and go on with resume."
        )
        return fault("worker_died", detail, {**first.place, "phase": "training"})


def _fault(told: dict[str, Any], raised: bytes | None) -> Fault:
    """Return a fault as another process told it, with what was raised there as its cause."""
    error = Fault(told)
    with suppress(Exception):  # its class may not be importable here
        error.__cause__ = pickle.loads(raised) if raised else None
    return error
