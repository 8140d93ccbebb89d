"""A slot of the worker and the trainer process that is kept warm in it. Torch-free."""

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

import sufficiency.settings
from app.interpreter import trainer_command, trainer_path
from app.settings import Settings
from sufficiency.training.channel import Channel, ChannelClosed, Message
from sufficiency.training.faults import fault

logger = logging.getLogger("sufficiency.training.trainer")

POLL_SECONDS = 0.2
START_SECONDS = 300.0
TAIL_LINES = 40
LONGEST_LINE = 10_000
LONGEST_QUOTE = 500
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


class TrainerDied(Exception):
    """The trainer process ended by itself or was killed.

    Attributes
    ----------
    returncode : int
        Its exit status; −s when signal s ended it.
    tail : list of str
        The last lines it wrote.
    """

    def __init__(self, returncode: int, tail: list[str]) -> None:
        super().__init__(f"trainer ended with status {returncode}")
        self.returncode = returncode
        self.tail = tail

    def error(self, where: Mapping[str, Any]) -> dict[str, Any]:
        """Return the error object of a death that happened at `where`."""
        at = f" in run {where['run']}, step {where['step']} (n = {where['n']})" if "run" in where else ""
        fatal = [line for line in self.tail if line.startswith("Fatal Python error")]
        last = f" Its last words: {(fatal or self.tail)[-1]}" if self.tail else ""
        if self.returncode < 0:
            name = signal_name(-self.returncode)
            advice = (
                "That is mostly the kernel's answer to too little memory: give the worker more, or make the model, "
                "the batches or the dataset smaller."
                if name == "SIGKILL"
                else "A plugin's native code has crashed: look at its output in the worker's log."
            )
            error = fault("trainer_killed", f"The trainer was killed by {name}{at}. {advice}{last}", where)
            error["signal"] = name
        else:
            detail = f"A plugin ended the trainer process with status {self.returncode}{at}; it must raise instead."
            error = fault("plugin_exited", detail + last, where)
            error["status"] = self.returncode
        if self.tail:
            error["traceback"] = [line[:LONGEST_QUOTE] for line in self.tail]
        return error


def signal_name(number: int) -> str:
    """Return a signal's name; real-time signals have only a number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


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
        self.introduction: Message | None = None
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

    def send(self, request: Message) -> None:
        """Send a request.

        Raises
        ------
        TrainerDied
            When it can take none any more.
        """
        try:
            self._channel.send(request)
        except ChannelClosed:
            raise self._death() from None

    def receive(self, timeout: float = POLL_SECONDS) -> Message | None:
        """Return its next message, or None when there was none in time; its introduction is kept, not returned.

        Raises
        ------
        TrainerDied
            When it has ended and all it sent has been received.
        """
        try:
            message = self._channel.receive(timeout)
            if message is None and not self.alive:
                # What the plugin started may hold the channel open: there may be a last message, but no end of file.
                message = self._channel.receive(0)
                if message is None:
                    raise self._death()
            if message is not None and message["type"] == "ready":
                self.introduction, message = message, None
            return message
        except ChannelClosed:
            raise self._death() from None

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
        """Return a living trainer, started now if there is none; it may still be importing.

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
            if trainer is not None and not (trainer.alive and device in (None, trainer.device)):
                trainer.close()
                trainer = None
            if trainer is None:
                name = f"slot {self.index}"
                trainer = TrainerProcess(name, self._settings, device or self.device, self.gpu)
            self._trainer = trainer
            return trainer

    def trainer(self, device: str | None = None) -> TrainerProcess:
        """Return a living trainer, as `warm` does, that has introduced itself.

        Raises
        ------
        TrainerDied
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
