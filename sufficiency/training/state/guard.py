"""Keeps a trainer's process as it was before the first job, and says when only a new one is."""

import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

import psutil

from sufficiency.training.state import of_libraries, of_process, of_torch
from sufficiency.training.state.imprint import difference, imprint_of
from sufficiency.training.state.owners import plugin_modules
from sufficiency.training.state.patches import Namespaces
from sufficiency.training.state.settings import Snapshot
from sufficiency.training.state.sources import Sources

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_NAMED = 5
# They serve whoever comes, and hold nothing of anybody's.
_HARMLESS_PROCESSES = ("resource_tracker", "torch_shm_manager")
_HARMLESS_THREADS = ("tqdm_monitor",)


class Guard:
    """What the process is when it has loaded its plugins, and whether it still is.

    After each request what can be put back is put back. What cannot makes the trainer unfit: for everybody, or for
    whoever comes with another job, since a plugin's own modules may well keep something from cell to cell.
    """

    def __init__(self) -> None:
        self._modules = plugin_modules()
        self._sources = Sources()
        self._sources.note(_files(self._modules))
        self._imprint = imprint_of(self._modules)
        self._settings = Snapshot(chain(of_torch.settings(), of_process.settings(), of_libraries.settings()))
        self._namespaces = Namespaces()
        self._threads = set(threading.enumerate())
        # What a plugin starts when it is imported a new trainer would start again.
        self._children = set(psutil.Process().children())
        self._job: UUID | None = None
        self._worn: str | None = None

    def unfit_for(self, job: UUID) -> str | None:
        """Return why this process must not be given a job's request, or None."""
        if (file := self._sources.changed()) is not None:
            return f"{file} has changed since it was imported"
        if self._worn is not None:
            return self._worn
        if self._job not in (None, job):
            if (why := self._left_over()) is not None:
                return why
            _forget_compiled()
        self._job = job
        return None

    def watched(self, work: Callable[[], T], *, is_ours: bool = False) -> T:
        """Return what `work` returns, in a context of its own, and have the process as it was before.

        Parameters
        ----------
        is_ours : bool
            Nothing but this program's own plugins takes part in it: they put nothing in the place of what libraries
            hold, and to look at all of that takes as long as a small cell.
        """
        try:
            return copy_context().run(work)
        finally:
            self.put_back(is_ours=is_ours)

    def put_back(self, *, is_ours: bool = False) -> None:
        """Have the process as it was; what cannot be makes it unfit."""
        _silence_timers()
        later = self._namespaces.new_modules()
        patched = [] if is_ours and not later else self._namespaces.put_back()
        found = self._settings.put_back()
        strange = self._namespaces.foreign_bodies() if later else []
        if later:
            self._sources.note(_files(plugin_modules()))
            self._namespaces.take_in()
        changed = patched + found.settings
        if changed:
            logger.warning("a job left changed, and it was put back: %s", _named(changed))
        if found.stuck or strange:
            self._worn = f"a job left {_named(found.stuck + strange)} changed"
        elif patched and later:
            # What a library patches when it is imported it would not patch again.
            self._worn = f"a job changed {_named(patched)}, and imported {_named(sorted(later))}"
        elif (patched or found.deciding) and (name := difference(self._imprint, imprint_of(self._modules))) is not None:
            # A plugin that remembers having changed something would not do it again.
            self._worn = f"a job changed {_named(changed)}, and {name}"

    def _left_over(self) -> str | None:
        """Return what another job has left that may show in the next one."""
        if later := plugin_modules().keys() - self._modules.keys():
            return f"another job imported {_named(sorted(later))}"
        if (name := difference(self._imprint, imprint_of(self._modules))) is not None:
            return f"another job changed {name}"
        if running := self._running():
            _end_pools()
            gc.collect()  # what is only held by a cycle ends with it
            running = self._running()
        return f"another job left {_named(running)} running" if running else None

    def _running(self) -> list[str]:
        """Return the threads and processes that were not there when the plugins had been loaded."""
        threads = [
            f"thread {one.name}"
            for one in threading.enumerate()
            if one not in self._threads and one.name not in _HARMLESS_THREADS
        ]
        children = (one for one in psutil.Process().children() if one not in self._children and not _is_harmless(one))
        return threads + [f"process {child.pid}" for child in children]


def _files(modules: dict[str, Any]) -> list[str]:
    return [str(vars(module)["__file__"]) for module in modules.values()]


def _named(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _end_pools() -> None:
    """End the processes that scikit-learn's estimators with `n_jobs` keep for whoever comes next."""
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    if loky is not None and (executor := vars(loky).get("_executor")) is not None:
        executor.shutdown(wait=True, kill_workers=True)


def _is_harmless(child: psutil.Process) -> bool:
    try:
        return child.status() == psutil.STATUS_ZOMBIE or any(
            name in word for word in child.cmdline() for name in _HARMLESS_PROCESSES
        )
    except psutil.Error:
        return True  # it has ended


def _silence_timers() -> None:
    """Have no alarm of a job's ring while its traces are removed."""
    if hasattr(signal, "setitimer"):
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)


def _forget_compiled() -> None:
    """Forget compiled code: how often it was compiled, and for which shapes, decides what comes next."""
    if dynamo := sys.modules.get("torch._dynamo"):
        dynamo.reset()
