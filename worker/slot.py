"""A slot of the worker and the trainer process that is kept warm in it. Torch-free."""

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from typing import IO

import sufficiency.settings
from app.interpreter import trainer_command, trainer_path
from app.settings import Settings
from sufficiency.training.channel import Channel, ChannelClosed, MessageTooLong
from sufficiency.training.messages import Answer, Introduction, Request, read_answer
from worker.deaths import TrainerConfused, TrainerDied, TrainerLost

logger = logging.getLogger("sufficiency.training.trainer")

POLL_SECONDS = 0.2
START_SECONDS = 300.0
TAIL_LINES = 40
LONGEST_LINE = 10_000
# A fixed number of threads, so that a cell gives the same numbers on every worker; a core trains one model best.
TRAINER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
}
# Plugin code has no business with these.
KEPT_FROM_TRAINERS = ("SUFFICIENCY_DATABASE_URL", "SUFFICIENCY_REDIS_URL")


class TrainerProcess:
    """A trainer and the supervisor's end of its channel.

    Parameters
    ----------
    name : str
        How the log calls it.
    device : {"cpu", "cuda"}
        On "cpu" it sees no GPU.
    gpu : str or None
        The one GPU it sees; None leaves the choice to the environment.
    """

    def __init__(self, name: str, settings: Settings, device: str, gpu: str | None) -> None:
        self.name = name
        self.device = device
        self.introduction: Introduction | None = None
        self._request: Request | None = None  # what it is about
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                trainer_command(settings, "-m", "sufficiency.training.trainer", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, to be killed with what its plugins start
                env=_environment(settings, device, gpu),
            )
        self.pid = self._process.pid
        self._channel = Channel(ours)
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        assert self._process.stdout is not None
        self._output = threading.Thread(
            target=self._pass_on, args=(self._process.stdout,), name=f"{name}-output", daemon=True
        )
        self._output.start()

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    @property
    def is_busy(self) -> bool:
        """Whether it has been sent a request, and has not answered it to the end."""
        return self._request is not None

    def send(self, request: Request) -> None:
        """Send a request.

        Raises
        ------
        TrainerDied
            When it can take none any more.
        """
        self._request = request
        try:
            self._channel.send(request.encoded())
        except ChannelClosed:
            raise self._death() from None

    def receive(self, timeout: float = POLL_SECONDS) -> Answer | None:
        """Return its next answer, or None when there was none in time; its introduction is kept, not returned.

        Raises
        ------
        TrainerDied
            When it has ended and all it sent has been received.
        TrainerConfused
            When it said something else than an answer to what it was asked; it has been ended.
        """
        line = self._next_line(timeout)
        return None if line is None else self._understood(line)

    def settle(self) -> None:
        """Take in what an idle trainer has said: its introduction, and nothing else.

        Raises
        ------
        TrainerDied
            When it has ended.
        TrainerConfused
            When it said anything else; it has been ended.
        """
        while (line := self._next_line(0)) is not None:
            self._understood(line)

    def stop(self, grace: float = 0.0) -> None:
        """End the process and everything it started: SIGTERM, and SIGKILL after `grace` seconds."""
        if grace > 0:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                logger.warning("%s did not stop within %g s and is killed", self.name, grace)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Stop it, and free what the supervisor holds of it."""
        self.stop()
        self._output.join(1.0)
        self._channel.close()

    def _next_line(self, timeout: float) -> bytes | None:
        try:
            line = self._channel.receive(timeout)
            if line is None and not self.alive:
                # What the plugin started may hold the channel open: there may be a last message, but no end of file.
                line = self._channel.receive(0)
                if line is None:
                    raise self._death()
            return line
        except MessageTooLong as error:
            raise self._confusion(str(error)) from None
        except ChannelClosed:
            raise self._death() from None

    def _understood(self, line: bytes) -> Answer | None:
        """Return an answer if it is one to what was asked, by the process that was asked; keep an introduction."""
        try:
            message = read_answer(line)
        except ValueError:
            raise self._confusion("it said something that is no message") from None
        known = self.introduction
        if isinstance(message, Introduction):
            if known is not None:
                raise self._confusion(f"process {message.pid} introduced itself after process {known.pid} had")
            self.introduction = message
            return None
        asked = self._request
        if known is None:
            raise self._confusion(f"it said {message.type!r} before it had introduced itself")
        if asked is None or (message.subject, message.attempt) != (asked.subject, asked.attempt):
            said = f"process {message.pid} said {message.type!r} about {message.subject}, attempt {message.attempt}"
            raise self._confusion(f"{said}, when that was over", counts=False)
        if message.pid != known.pid:
            raise self._confusion(f"process {message.pid} said {message.type!r} in the place of process {known.pid}")
        if message.is_last:
            self._request = None
        return message

    def _confusion(self, what: str, *, counts: bool = True) -> TrainerConfused:
        self.stop()
        return TrainerConfused(what, counts=counts)

    def _death(self) -> TrainerDied:
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:  # it closed its channel and lives on: a plugin closed a stranger's file
            self.stop()
        self._signal(signal.SIGKILL)
        self._output.join(1.0)
        return TrainerDied(self._process.returncode, list(self._tail))

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _pass_on(self, output: IO[bytes]) -> None:
        """Log what the trainer writes, line by line, and keep the last ones for an error to quote."""
        with output:
            while line := output.readline(LONGEST_LINE):
                # A progress bar rewrites its line: only its last state is worth keeping.
                text = line.decode("utf-8", "replace").rstrip().rpartition("\r")[2]
                if text:
                    self._tail.append(text)
                    logger.info("%s: %s", self.name, text)


def _environment(settings: Settings, device: str, gpu: str | None) -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if k not in KEPT_FROM_TRAINERS} | TRAINER_ENVIRONMENT
    environment |= settings.environment(sufficiency.settings.Settings.model_fields)
    environment["PYTHONPATH"] = trainer_path(settings)
    if device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    elif gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    return environment


def _is_fit(trainer: TrainerProcess) -> bool:
    """Whether an old trainer lives, and has no more to say about what it was asked before."""
    if not trainer.alive:
        return False
    try:
        if not trainer.is_busy:
            trainer.settle()
    except TrainerLost as lost:
        logger.warning("%s makes way for a new trainer: %s", trainer.name, lost)
        return False
    return True


class SlotShut(Exception):
    """The worker stops: no trainer is to be had."""


class Slot:
    """A place for one trainer, used by one thread at a time; only `shut` may come from another.

    Parameters
    ----------
    index : int
        Its number in the worker.
    device : {"cpu", "cuda"}
        What its trainers train on unless asked for another.
    gpu : str or None
        The GPU that its trainers see, as CUDA_VISIBLE_DEVICES names it.
    """

    def __init__(self, index: int, settings: Settings, device: str, gpu: str | None = None) -> None:
        self.index = index
        self.device = device
        self.gpu = gpu
        self._settings = settings
        self._lock = threading.Lock()
        self._trainer: TrainerProcess | None = None
        self._is_shut = False

    def warm(self, device: str | None = None) -> TrainerProcess:
        """Return a living trainer, started now if there is none that can be gone on with; it may still be importing.

        Parameters
        ----------
        device : {"cpu", "cuda"}, optional
            What it must train on; a trainer for the other device makes way. None: any will do.

        Raises
        ------
        SlotShut
            When the worker stops.
        """
        with self._lock:
            if self._is_shut:
                raise SlotShut
            trainer = self._trainer
            if trainer is not None and not (device in (None, trainer.device) and _is_fit(trainer)):
                trainer.close()
                trainer = None
            if trainer is None:
                name = f"slot {self.index}"
                trainer = TrainerProcess(name, self._settings, device or self.device, self.gpu)
            self._trainer = trainer
            return trainer

    def renewed(self, why: str) -> TrainerProcess:
        """Return a new trainer, for the same device, in the place of one that must not be gone on with.

        Raises
        ------
        SlotShut
            When the worker stops.
        """
        with self._lock:
            if self._is_shut:
                raise SlotShut
            old = self._trainer
            logger.info("slot %d: a new trainer, since %s", self.index, why)
            if old is not None:
                old.close()
            device = self.device if old is None else old.device
            self._trainer = TrainerProcess(f"slot {self.index}", self._settings, device, self.gpu)
            return self._trainer

    def trainer(self, device: str | None = None) -> TrainerProcess:
        """Return a living trainer, as `warm` does, that has introduced itself.

        Raises
        ------
        TrainerLost
            When it ended before it could, or took too long.
        SlotShut
            When the worker stops.
        """
        trainer = self.warm(device)
        until = time.monotonic() + START_SECONDS
        while trainer.introduction is None:
            trainer.receive()
            if trainer.introduction is None and time.monotonic() > until:
                trainer.stop()
        return trainer

    def empty(self, grace: float = 0.0) -> None:
        """Stop the trainer; the next one starts clean."""
        with self._lock:
            trainer, self._trainer = self._trainer, None
        if trainer is not None:
            trainer.stop(grace)
            trainer.close()

    def shut(self) -> None:
        """Kill the trainer and start no other; from any thread."""
        with self._lock:
            self._is_shut = True
            trainer = self._trainer
        if trainer is not None:
            trainer.stop()
