"""Checks of this machine: its settings, its data and its disk."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from app.doctor.findings import Finding
from app.settings import Settings

LEAST_FREE_BYTES = 1_000_000_000


def examine_machine(settings: Settings, disk: Path) -> Iterator[Finding]:
    """Yield what there is to say of the settings, the data roots, and the disk of a directory."""
    yield from _settings(settings)
    yield from _data(settings)
    yield from _disk(disk)


def _settings(settings: Settings) -> Iterator[Finding]:
    if settings.heartbeat_seconds * 2 > settings.lease_seconds:
        yield Finding(
            "settings",
            "wrong",
            f"a lease lasts {settings.lease_seconds:g} s and is renewed every {settings.heartbeat_seconds:g} s: one "
            "late heartbeat loses it",
            "make SUFFICIENCY_HEARTBEAT_SECONDS at most a third of SUFFICIENCY_LEASE_SECONDS",
        )
    else:
        yield Finding("settings", "ok", "they go together")


def _data(settings: Settings) -> Iterator[Finding]:
    """Look at the data roots of this machine; another one has its own."""
    for root in settings.data_roots:
        if not root.is_dir():
            remedy = "create or mount it, or correct SUFFICIENCY_DATA_ROOTS"
            yield Finding("data_roots", "wrong", f"{root} is not a directory here", remedy)
        elif not os.access(root, os.R_OK | os.X_OK):
            remedy = "let the user who runs this read it, or run this as the worker's user"
            yield Finding("data_roots", "wrong", f"{root} cannot be read", remedy)
        else:
            yield Finding("data_roots", "ok", f"{root} can be read")


def _disk(place: Path) -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        yield Finding(
            "disk", "wrong", f"{place} cannot be looked at: {error.strerror}", "name a directory that is there"
        )
        return
    if free < LEAST_FREE_BYTES:
        detail = f"{free / 1e9:.1f} GB are free on the disk of {place}"
        yield Finding("disk", "wrong", detail, "free some: databases, logs and trainers need it")
    else:
        yield Finding("disk", "ok", f"{free / 1e9:.0f} GB are free on the disk of {place}")
