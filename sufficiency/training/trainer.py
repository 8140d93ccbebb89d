"""The spawned process: imports torch, loads the plugins, executes units. It knows no database and no broker.

Started by the supervisor as ``python -m sufficiency.training.trainer FD``, where FD is its end of a socket pair. It
answers one request after the other and dies with its whole process group as soon as the other end is closed.
"""

import faulthandler
import gc
import logging
import os
import queue
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import torch

from sufficiency.data.preview import contact_sheet
from sufficiency.schemas.work import CellFailure, CellResult, UnitCell
from sufficiency.settings import get_settings
from sufficiency.training.channel import Channel, ChannelClosed
from sufficiency.training.eager import stay_eager
from sufficiency.training.examining import examined
from sufficiency.training.faults import Fault, storable
from sufficiency.training.identity import identity_of
from sufficiency.training.loop import run_cells
from sufficiency.training.messages import (
    Answer,
    AskSchedule,
    Done,
    Failed,
    Identified,
    Identify,
    Introduction,
    Measured,
    NotMeasurable,
    Request,
    RunUnit,
    Started,
    Steps,
    Verified,
    VerifyDataset,
    Worn,
    cell_mark,
    read_request,
)
from sufficiency.training.process_group import end_process_group
from sufficiency.training.registry import Registry
from sufficiency.training.repeatable import make_repeatable
from sufficiency.training.schedules import named_steps
from sufficiency.training.splits import SplitReader, Splits
from sufficiency.training.state.guard import Guard
from sufficiency.training.study import JobStudy
from sufficiency.training.unit import UnitPlan

logger = logging.getLogger(__name__)

Send = Callable[[Introduction | Answer], None]


class Trainer:
    """Answers the supervisor's requests with the plugins of a registry.

    Parameters
    ----------
    registry : Registry
        The plugins.
    send : callable
        Takes each message for the supervisor.
    """

    def __init__(self, registry: Registry, send: Send) -> None:
        self._registry = registry
        self._send = send
        self._splits = SplitReader(registry)
        self._guard = Guard()
        self._job: UUID | None = None

    def introduce(self) -> None:
        """Say what this process offers."""
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        self._send(
            Introduction(
                pid=os.getpid(),
                plugins=tuple(self._registry.describe()),
                errors=tuple(self._registry.errors),
                devices=("cpu", "cuda") if gpus else ("cpu",),
                gpus=gpus,
            )
        )

    def answer(self, request: Request) -> None:
        """Carry out a request, unless what another has left would touch it; a fault in it becomes the answer."""
        job = request.job if isinstance(request, RunUnit | Identify) else request.subject
        if (why := self._guard.unfit_for(job)) is not None:
            self._send(Worn(**_signed(request), why=storable(why)))
            return
        if self._job != job:
            self._splits.forget_strangers()
            self._job = job
        is_ours = isinstance(request, Identify) or (isinstance(request, RunUnit) and self._is_ours(request))
        self._guard.watched(lambda: self._carry_out(request), is_ours=is_ours)

    def _carry_out(self, request: Request) -> None:
        try:
            match request:
                case RunUnit():
                    self._run_unit(request)
                case Identify():
                    self._send(Identified(**_signed(request), identity=self._identity(request)))
                case VerifyDataset():
                    self._verify(request)
                case AskSchedule():
                    self._ask_schedule(request)
        except Fault as error:
            self._send(Failed(**_signed(request), error=error.error))

    def _run_unit(self, request: RunUnit) -> None:
        make_repeatable()
        spec = request.spec
        splits = self._splits.verified(request.train, request.test, request.fingerprint, spec.dataset)
        unit = UnitPlan.of(spec, request.device, request.cells)
        check = partial(self._check_unwritten, splits, request)
        reporter = _Reporter(request, self._send, check, self._identity(request))
        try:
            run_cells(unit, JobStudy(self._registry, spec, splits), reporter)
        finally:
            self._splits.mend(splits, spec.dataset)
        self._send(Done(**_signed(request)))

    def _is_ours(self, request: RunUnit) -> bool:
        """Whether a unit is measured by this program's own plugins alone, on data that they have read."""
        spec = request.spec
        named = [(kind, getattr(spec, kind)) for kind in ("model", "training", "evaluation", "reset")]
        used = [(kind, ref.name) for kind, ref in named if ref is not None]
        for split in (request.train, request.test):
            used += [("dataset", name) for name in (split.loader, *(lot.loader for lot in split.appended))]
            used += [("model", split.features.model)] if split.features else []
        return all(self._registry.is_ours(kind, name) for kind, name in used)

    def _identity(self, request: RunUnit | Identify) -> str | None:
        return identity_of(self._registry, request.spec, request.device, request.fingerprint)

    def _check_unwritten(self, splits: Splits, request: RunUnit) -> None:
        self._splits.check_unwritten(splits, request.train, request.test, request.spec.dataset)

    def _verify(self, request: VerifyDataset) -> None:
        splits = examined(self._splits, self._registry, request.train, request.test)
        try:
            picture = contact_sheet(splits.train)
        except Exception:  # somebody's items may be anything, and a picture is no reason to refuse a dataset
            logger.warning("no picture can be made of dataset:%s", request.train.loader, exc_info=True)
            picture = None
        self._send(
            Verified(**_signed(request), info=splits.info, fingerprint=splits.fingerprint, preview=picture),
        )

    def _ask_schedule(self, request: AskSchedule) -> None:
        steps = named_steps(self._registry, request.plugin, request.size)
        self._send(Steps(**_signed(request), steps=steps))


class _Reporter:
    """Says of each cell that it is in hand, and what it measured."""

    def __init__(self, request: RunUnit, send: Send, check: Callable[[], None], identity: str | None) -> None:
        self._request = request
        self._send = send
        self._check = check
        self._identity = identity

    def started(self, cell: UnitCell) -> None:
        """Say that a cell is in hand."""
        self._send(Started(**_signed(self._request), cell=cell))

    def record(self, result: CellResult) -> None:
        """Say what a cell measured, unless it was on something else than what was verified."""
        self._check()
        self._send(Measured(**_signed(self._request), result=replace(result, identity=self._identity)))

    def give_up(self, cell: UnitCell, fault: Fault) -> None:
        """Say that a cell cannot be measured; whether the rest is worth a try is the supervisor's to say."""
        failure = CellFailure(cell.run, cell.step, fault.error)
        self._send(NotMeasurable(**_signed(self._request), failure=failure))


def _signed(request: Request) -> dict[str, Any]:
    """Return what every answer says: what it is about, and which process says it, which may be a plugin's fork."""
    return {"subject": request.subject, "attempt": request.attempt, "pid": os.getpid()}


class _Voice:
    """Sends messages, and marks in what is written where a cell begins: that comes to the supervisor by another way."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._output = os.dup(1)  # a plugin may close the stream or turn it elsewhere; what it starts does not get this

    def send(self, message: Introduction | Answer) -> None:
        """Send a message."""
        if isinstance(message, Started):
            with suppress(Exception):  # whatever a plugin has made of them
                sys.stdout.flush()
                sys.stderr.flush()
            with suppress(OSError):
                os.write(self._output, b"\n" + cell_mark(message, message.cell) + b"\n")
        self._channel.send(message.encoded())


def _read_requests(channel: Channel, requests: "queue.SimpleQueue[Request]") -> None:
    """Pass requests on; when the supervisor is gone, end this process and everything it started."""
    try:
        while (line := channel.receive()) is not None:
            requests.put(read_request(line))
    except ChannelClosed:
        end_process_group()


def main(argv: Sequence[str]) -> None:
    """Serve the supervisor at the other end of the socket whose number is the argument."""
    faulthandler.enable()
    fd = int(argv[1])
    os.set_inheritable(fd, False)  # what a plugin starts must not hold the channel open
    channel = Channel(socket.socket(fileno=fd))
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(channel, requests), name="requests", daemon=True).start()
    stay_eager()
    make_repeatable()
    settings = get_settings()
    registry = Registry.load(settings.plugins)
    gc.freeze()  # what has been imported stays
    gc.enable()
    trainer = Trainer(registry, _Voice(channel).send)
    trainer.introduce()
    while True:
        trainer.answer(requests.get())


if __name__ == "__main__":
    main(sys.argv)
