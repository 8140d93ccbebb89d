"""How a worker makes itself and what it offers known. Torch-free."""

import logging
import os
import socket
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.catalog.plugins import advertise
from app.catalog.workers import forget_worker, register_worker
from sufficiency.training.messages import Introduction

logger = logging.getLogger(__name__)


class Registration:
    """A worker's entry in the register.

    Parameters
    ----------
    offer : Introduction
        Of one of its trainers.
    device : {"cpu", "cuda"}
        What it trains on; who has a GPU can do both kinds of work.
    slots : int
        How many units it executes at a time.
    """

    def __init__(self, offer: Introduction, device: str, slots: int) -> None:
        self._offer = offer
        self._devices = ["cpu", "cuda"] if device == "cuda" else ["cpu"]
        self._slots = slots
        self._worker_id: UUID | None = None

    def identity(self) -> UUID:
        """Return the worker's id."""
        assert self._worker_id is not None, "a worker registers before it takes work"
        return self._worker_id

    def register(self, session: Session) -> None:
        """Make it known, also once more when it has been forgotten."""
        plugins = self._offer.plugins
        advertise(session, [asdict(plugin) for plugin in plugins])
        if self._worker_id is None:
            self._worker_id = session.scalar(select(func.uuidv7()))
        register_worker(
            session,
            worker_id=self._worker_id,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            devices=self._devices,
            slots=self._slots,
            plugins=[
                f"{plugin.kind}:{plugin.name}"
                for plugin in plugins
                if "missing" not in plugin.capabilities  # the catalog has it, and says what it lacks
            ],
            plugin_errors=[asdict(failure) for failure in self._offer.errors],
            versions={f"{plugin.kind}:{plugin.name}": plugin.version for plugin in plugins},
        )

    def sign_off(self, session: Session) -> None:
        """Have it forgotten, if it was ever known."""
        if self._worker_id is not None:
            forget_worker(session, self._worker_id)

    def log(self) -> None:
        """Say what it offers, and what it cannot."""
        for failure in self._offer.errors:
            logger.warning("plugin %s cannot be offered: %s", failure.plugin, failure.error)
        logger.info(
            "worker %s: %d slots on %s, %d plugins",
            *(self._worker_id, self._slots, self._devices[-1], len(self._offer.plugins)),
        )
