"""The interpreter's and the operating system's settings: environment, signals, limits, streams, paths, warnings."""

import faulthandler
import gc
import importlib
import locale
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

from sufficiency.training.state.settings import Setting, attribute, entries, own_entries


def settings() -> Iterator[Setting]:
    """Yield them."""
    yield from _surroundings()
    yield from _signals()
    yield from _interpreter()
    yield from _words()


def _surroundings() -> Iterator[Setting]:
    yield attribute(os, "environ")
    yield Setting("os.environ", _environment, _set_environment, decides=False)  # libraries set some when imported
    yield Setting("the working directory", os.getcwd, os.chdir)
    yield Setting("os.umask", _umask, os.umask, decides=False)
    yield Setting("the locale", partial(locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL))
    for fd in (0, 1, 2):
        yield Setting(f"file descriptor {fd}", partial(_file_behind, fd), decides=False)
    if hasattr(os, "sched_getaffinity"):
        yield Setting(
            "os.sched_setaffinity",
            lambda: tuple(sorted(os.sched_getaffinity(0))),
            lambda before: os.sched_setaffinity(0, before),
            decides=False,
        )
    if hasattr(os, "getpriority"):
        yield Setting(
            "the process's priority",
            lambda: os.getpriority(os.PRIO_PROCESS, 0),
            lambda before: os.setpriority(os.PRIO_PROCESS, 0, before),
            decides=False,
        )
    yield from _limits()
    yield attribute(tempfile, "tempdir", decides=False)
    yield Setting("socket.setdefaulttimeout", socket.getdefaulttimeout, socket.setdefaulttimeout)
    yield Setting(
        "multiprocessing.set_start_method",
        _start_method,
        partial(multiprocessing.set_start_method, force=True),
    )


def _start_method() -> str:
    # Whoever asks first sets the system's own, which is the first of all.
    return multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]


def _environment() -> tuple[tuple[str, str], ...]:
    return tuple(sorted(os.environ.items()))


def _set_environment(before: tuple[tuple[str, str], ...]) -> None:
    wanted = dict(before)
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update({name: value for name, value in wanted.items() if os.environ.get(name) != value})
    if hasattr(time, "tzset"):
        time.tzset()  # the time zone may have been among them


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _file_behind(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _limits() -> Iterator[Setting]:
    try:
        import resource
    except ImportError:  # not on this system
        return
    for name in vars(resource):
        if name.startswith("RLIMIT_"):
            which = getattr(resource, name)
            yield Setting(
                f"resource.{name}",
                partial(resource.getrlimit, which),
                partial(resource.setrlimit, which),
                decides=False,
            )


def _signals() -> Iterator[Setting]:
    for number in sorted(signal.valid_signals()):
        # What was not set from Python cannot be put back from Python: then only a new process has it.
        yield Setting(
            f"the handler of signal {int(number)}", partial(signal.getsignal, number), partial(_handle, number)
        )
    if hasattr(signal, "pthread_sigmask"):
        yield Setting("signal.pthread_sigmask", _blocked, partial(signal.pthread_sigmask, signal.SIG_SETMASK))
    yield Setting("faulthandler", faulthandler.is_enabled, lambda _: faulthandler.enable(), decides=False)


def _handle(number: signal.Signals, before: Any) -> None:
    if before is not None:
        signal.signal(number, before)


def _blocked() -> tuple[int, ...]:
    return tuple(sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))))


def _interpreter() -> Iterator[Setting]:
    for name in ("path", "argv", "warnoptions"):
        yield attribute(sys, name)
        yield entries(f"sys.{name}", getattr(sys, name), decides=False)
    for name in ("meta_path", "path_hooks"):
        yield attribute(sys, name)
        yield own_entries(f"sys.{name}", getattr(sys, name))
    for name in ("stdin", "stdout", "stderr", "__stdout__", "__stderr__", "modules"):
        yield attribute(sys, name)
    for name in ("stdout", "stderr"):
        yield Setting(f"sys.{name}, closed", partial(_is_closed, name))
    for name in ("excepthook", "unraisablehook", "displayhook", "breakpointhook", "dont_write_bytecode"):
        yield attribute(sys, name)
    for read, write in (
        *(("getrecursionlimit", "setrecursionlimit"), ("getswitchinterval", "setswitchinterval")),
        *(("gettrace", "settrace"), ("getprofile", "setprofile")),
        *(("get_int_max_str_digits", "set_int_max_str_digits"),),
    ):
        yield Setting(f"sys.{write}", getattr(sys, read), getattr(sys, write))
    for read, write in (("gettrace", "settrace"), ("getprofile", "setprofile")):
        yield Setting(f"threading.{write}", getattr(threading, read), getattr(threading, write))
    yield attribute(threading, "excepthook")
    yield Setting("gc.enable", gc.isenabled, lambda before: gc.enable() if before else gc.disable())
    yield Setting("gc.set_threshold", gc.get_threshold, lambda before: gc.set_threshold(*before), decides=False)
    yield Setting("gc.set_debug", gc.get_debug, gc.set_debug, decides=False)
    yield own_entries("gc.callbacks", gc.callbacks)
    yield own_entries("copyreg.dispatch_table", importlib.import_module("copyreg").dispatch_table)


def _is_closed(name: str) -> bool:
    return bool(getattr(sys, name).closed)


def _words() -> Iterator[Setting]:
    """Yield what is said, and where: of no number, but a warning that is an error ends somebody's job."""
    yield attribute(warnings, "filters")
    yield Setting("warnings.filters", lambda: tuple(warnings.filters), _set_filters, decides=False)
    yield Setting("logging.disable", lambda: logging.root.manager.disable, logging.disable, decides=False)
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    loggers = [logger for logger in known if isinstance(logger, logging.Logger)]
    yield Setting("the loggers", partial(_ways, loggers), partial(_set_ways, loggers), decides=False)


def _set_filters(before: tuple[Any, ...]) -> None:
    filters: Any = warnings.filters
    filters[:] = before
    warnings._filters_mutated_lock_held() if hasattr(warnings, "_filters_mutated_lock_held") else _tell_warnings()


def _tell_warnings() -> None:
    mutated: Any = getattr(warnings, "_filters_mutated", None)
    if mutated is not None:
        mutated()


def _ways(loggers: list[logging.Logger]) -> tuple[Any, ...]:
    return tuple((one.level, one.propagate, one.disabled, tuple(one.handlers), tuple(one.filters)) for one in loggers)


def _set_ways(loggers: list[logging.Logger], before: tuple[Any, ...]) -> None:
    for logger, (level, propagate, disabled, handlers, filters) in zip(loggers, before, strict=True):
        if logger.level != level:
            logger.setLevel(level)
        logger.propagate, logger.disabled = propagate, disabled
        logger.handlers[:], logger.filters[:] = handlers, filters
