"""The slots of a worker: how many there are, on what device, and which of them are free. Torch-free."""

import os
import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.settings import Settings
from sufficiency.training.messages import Introduction
from worker.slot import Slot, SlotShut, versions_of

# Trainers beside the slots, for questions that come while all slots train; each ends when nobody has asked for so long.
SPARE = 2
SPARE_SECONDS = 60.0


class NoSuchDevice(Exception):
    """The worker was told to train on a device that it does not have."""


class Slots:
    """All slots of a worker.

    Attributes
    ----------
    device : {"cpu", "cuda"}
        What their trainers train on.
    taken : int
        How often one was taken so far.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._all: list[Slot] = []
        self._free: queue.LifoQueue[Slot] = queue.LifoQueue()
        self._spare: queue.LifoQueue[Slot] = queue.LifoQueue()
        self._beside: list[Slot] = []
        self._asked_at = 0.0
        self._lent: set[Slot] = set()
        self.device = "cpu"
        self.taken = 0

    def __len__(self) -> int:
        return len(self._all)

    @property
    def is_one_free(self) -> bool:
        """Whether one could be taken now."""
        return not self._free.empty()

    @property
    def lent(self) -> int:
        """How many of them answer questions, and so train nothing."""
        return len(self._lent)

    def open(self) -> Introduction:
        """Start a trainer, and return what it says that all of them offer; the others start with their first unit.

        Raises
        ------
        NoSuchDevice
            When the settings ask for a GPU and there is none.
        TrainerLost
            When no trainer can be started.
        """
        wanted = self._settings.device
        first = Slot(0, self._settings, "cpu" if wanted == "cpu" else "cuda")
        self._all = [first]
        trainer = first.trainer()
        offer = trainer.introduction
        assert offer is not None, "its introduction was waited for"
        if wanted == "cuda" and "cuda" not in offer.devices:
            first.empty()
            raise NoSuchDevice("SUFFICIENCY_DEVICE is cuda, but torch finds no CUDA device here")
        if first.device == "cuda" and "cuda" not in offer.devices:
            trainer.device = first.device = "cpu"
        self.device = first.device
        gpus = _visible_gpus(offer.gpus) if self.device == "cuda" else []
        count = self._settings.slots or (len(gpus) if gpus else _cores())
        self._all += [Slot(index, self._settings, self.device) for index in range(1, count)]
        if len(gpus) > 1:
            first.empty()  # it has seen all GPUs; from now on each slot sees one
            for slot in self._all:
                slot.gpu = gpus[slot.index % len(gpus)]
        self._beside = [Slot(index, self._settings, "cpu") for index in range(count, count + SPARE)]
        for slot in (*self._all, *self._beside):
            slot.versions = versions_of(offer)
        for slot in reversed(self._beside):
            self._spare.put(slot)
        for slot in reversed(self._all):
            if not self._settings.trainer_idle_seconds:
                slot.warm()
            self._free.put(slot)
        return offer

    @contextmanager
    def one(self) -> Iterator[Slot]:
        """Take a slot for as long as the block lasts; waits for one to be free."""
        slot = self._free.get()
        self.taken += 1
        try:
            yield slot
            with suppress(SlotShut):
                slot.warm()  # the next trainer imports while nobody waits for it
        finally:
            slot.idle_since = time.monotonic()
            self._free.put(slot)

    @contextmanager
    def one_for_a_question(self) -> Iterator[Slot]:
        """Take a slot that is free, or else one beside those that train, whose trainer starts when it is needed."""
        try:
            slot, home = self._free.get_nowait(), self._free
            self.taken += 1
            self._lent.add(slot)
        except queue.Empty:
            slot, home = self._spare.get(), self._spare
        try:
            yield slot
            if home is self._free:
                with suppress(SlotShut):
                    slot.warm()
        finally:
            slot.idle_since = self._asked_at = time.monotonic()
            self._lent.discard(slot)
            home.put(slot)

    def rest(self, now: float) -> None:
        """End the trainers of which nothing was asked for long: their memory may be wanted.

        Parameters
        ----------
        now : float
            By the monotonic clock.
        """
        if now - self._asked_at >= SPARE_SECONDS:
            _empty_free(self._spare, now - SPARE_SECONDS)
        if longest := self._settings.trainer_idle_seconds:
            _empty_free(self._free, now - longest)

    def shut(self) -> None:
        """Kill all trainers and start no other; from any thread."""
        for slot in (*self._all, *self._beside):
            slot.shut()

    def empty(self) -> None:
        """Free what is held of all trainers."""
        for slot in (*self._all, *self._beside):
            slot.empty()


def _empty_free(free: "queue.LifoQueue[Slot]", since: float) -> None:
    """End the trainers of those free slots that nobody has had since; who comes meanwhile takes another, or waits."""
    looked_at: list[Slot] = []
    try:
        with suppress(queue.Empty):
            while True:
                slot = free.get_nowait()
                looked_at.append(slot)
                if slot.idle_since <= since:
                    slot.empty()
    finally:
        for slot in reversed(looked_at):  # the one that was had last is taken first, as before
            free.put(slot)


def _visible_gpus(count: int) -> list[str]:
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] or [str(index) for index in range(count)]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
