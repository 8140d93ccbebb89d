"""A slot of the worker and the trainer process that is kept warm in it. Torch-free."""

import logging
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import sufficiency.settings
from app.interpreter import trainer_command, trainer_path
from app.settings import Settings
from sufficiency.training.channel import Channel, ChannelClosed, MessageTooLong
from sufficiency.training.messages import Answer, Introduction, Request, RunUnit, cell_mark, read_answer
from worker.confinement import Account, account_of, keeper_command
from worker.deaths import TrainerChanged, TrainerConfused, TrainerDied, TrainerLost
from worker.output import Output

logger = logging.getLogger("sufficiency.training.trainer")

Versions = Mapping[str, str]

POLL_SECONDS = 0.2
START_SECONDS = 300.0
KEEPER_SECONDS = 15.0  # for what has been killed to end
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
KEPT_FROM_TRAINERS = (
    *("SUFFICIENCY_DATABASE_URL", "SUFFICIENCY_REDIS_URL", "SUFFICIENCY_API_KEY"),
    *("SUFFICIENCY_BOOTSTRAP_KEY_FILE", "SUFFICIENCY_OIDC_CLIENT_SECRET_FILE", "SUFFICIENCY_DATABASE_PASSWORD_FILE"),
)


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
    versions : mapping, optional
        What the worker has made known of its plugins: "kind:name" to version.

    Attributes
    ----------
    family : int
        The process whose descendants are the trainer and all that it starts.
    """

    def __init__(
        self, name: str, settings: Settings, device: str, gpu: str | None, versions: Versions | None = None
    ) -> None:
        self._versions = versions
        self.name = name
        self.device = device
        self.introduction: Introduction | None = None
        self._request: Request | None = None  # what it is about
        self._letting_go = threading.Lock()
        account = account_of(settings)
        self._temporary = Path(tempfile.mkdtemp(prefix="sufficiency-trainer-"))
        if account is not None:
            os.chown(self._temporary, account.uid, account.gid)
        ours, theirs = socket.socketpair()
        kept, self._held = os.pipe()  # closed with this end, also when this process is no more
        with theirs:
            command = trainer_command(settings, "-m", "sufficiency.training.trainer", str(theirs.fileno()))
            self._process = subprocess.Popen(
                keeper_command(kept, account, self._temporary, command),
                pass_fds=(theirs.fileno(), kept),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # what is typed at the worker's terminal is not for it
                env=_environment(settings, device, gpu, account, self._temporary),
            )
        os.close(kept)
        self.family = self._process.pid
        self._channel = Channel(ours)
        assert self._process.stdout is not None
        self.output = Output(name, self._process.stdout)

    @property
    def pid(self) -> int:
        """The trainer's own, once it has introduced itself; else its keeper's."""
        return self.family if self.introduction is None else self.introduction.pid

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    @property
    def is_busy(self) -> bool:
        """Whether it has been sent a request, and has not answered it to the end."""
        return self._request is not None

    def send(self, request: Request) -> None:
        """Send a request; what the trainer writes is this one's from now on.

        Raises
        ------
        TrainerDied
            When it can take none any more.
        """
        self._request = request
        if isinstance(request, RunUnit):
            self.output.begin({cell_mark(request, cell): (cell.run, cell.step) for cell in request.cells})
        else:
            self.output.begin({})
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
        TrainerChanged
            When it introduced itself with other versions of plugins than the worker has made known; it has been ended.
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
        if grace > 0 and self.alive:
            self._process.terminate()  # its keeper hands it on
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                logger.warning("%s did not stop within %g s and is killed", self.name, grace)
        self._let_go()
        try:
            self._process.wait(KEEPER_SECONDS)
        except subprocess.TimeoutExpired:
            logger.error("%s: its keeper does not end and is killed; something that it started may live", self.name)
            self._process.kill()
            self._process.wait()

    def _let_go(self) -> None:
        """Have the keeper end the trainer and all that it started."""
        with self._letting_go:
            held, self._held = self._held, -1
            if held >= 0:
                os.close(held)

    def close(self) -> None:
        """Stop it, and free what the supervisor holds of it."""
        self.stop()
        self.output.join(1.0)
        self._channel.close()
        shutil.rmtree(self._temporary, ignore_errors=True)  # its keeper has, unless it was killed

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
            if self._versions is not None and (changed := versions_of(message).items() ^ self._versions.items()):
                self.stop()
                raise TrainerChanged(sorted({plugin for plugin, _ in changed}))
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
        self.output.join(1.0)
        return TrainerDied(self._process.returncode, list(self.output.tail))


def versions_of(offer: Introduction) -> Versions:
    """Return the versions of the plugins that a trainer offers."""
    return {f"{plugin.kind}:{plugin.name}": plugin.version for plugin in offer.plugins}


def _environment(
    settings: Settings, device: str, gpu: str | None, account: Account | None, temporary: Path
) -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if k not in KEPT_FROM_TRAINERS} | TRAINER_ENVIRONMENT
    environment |= settings.environment(sufficiency.settings.Settings.model_fields)
    environment["PYTHONPATH"] = trainer_path(settings)
    environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    if account is not None:
        environment |= {"HOME": account.home, "USER": account.name, "LOGNAME": account.name}
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

    Attributes
    ----------
    idle_since : float
        When it was last given back, by the monotonic clock.
    versions : mapping or None
        What the worker has made known of its plugins, and its trainers have to have.
    """

    def __init__(self, index: int, settings: Settings, device: str, gpu: str | None = None) -> None:
        self.idle_since = time.monotonic()
        self.versions: Versions | None = None
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
                trainer = TrainerProcess(name, self._settings, device or self.device, self.gpu, self.versions)
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
            self._trainer = TrainerProcess(f"slot {self.index}", self._settings, device, self.gpu, self.versions)
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
