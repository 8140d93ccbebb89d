"""Celery as this worker runs it: a pool of threads, one a slot, that takes a message only when a slot is free."""

import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.concurrency.thread import TaskPool
from celery.signals import setup_logging, worker_shutting_down

from app.queue.celery import make_celery
from app.settings import Settings
from worker.lane import LANES, Lane
from worker.supervisor import Supervisor
from worker.tasks import add_tasks
from worker.watch import ConsumerWatch


class SlotPool(TaskPool):  # type: ignore[misc]
    """Celery's thread pool, which also wakes the event loop whenever a slot becomes free.

    Without prefetching the loop asks for the next message only when it turns, and an idle one turns once a second:
    that second would be lost between any two units.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listen, self._wake = os.pipe()
        os.set_blocking(self._listen, False)
        os.set_blocking(self._wake, False)

    def register_with_event_loop(self, loop: Any) -> None:
        """Have the event loop turn when a byte comes through the pipe."""
        loop.add_reader(self._listen, self._woken)

    def on_apply(self, *args: Any, **kwargs: Any) -> Any:
        """Run a task in a thread."""
        result = super().on_apply(*args, **kwargs)
        result.f.add_done_callback(lambda _: self._slot_is_free())
        return result

    def _slot_is_free(self) -> None:
        with suppress(BlockingIOError):  # a full pipe wakes it as well
            os.write(self._wake, b".")

    def _woken(self) -> None:
        os.read(self._listen, 4096)


def make_worker(settings: Settings, supervisor: Supervisor) -> Celery:
    """Return the Celery application of a worker whose supervisor has been started."""
    celery = make_celery(settings)
    celery.conf.update(
        worker_pool="worker.celery_app:SlotPool",
        worker_concurrency=supervisor.slots,
        worker_disable_prefetch=True,
        worker_enable_prefetch_count_reduction=False,  # a lost connection to the broker costs no slots
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,  # only late acknowledgers; it spares a warning
        broker_connection_max_retries=None,
    )
    add_tasks(celery, supervisor)
    return celery


def serve(celery: Celery, supervisor: Supervisor) -> bool:
    """Run Celery's worker until it is told to stop; then all work is given back at once.

    Returns
    -------
    bool
        True when it was not told to stop, but the process should start anew: its consumer had died, or its plugins have
        changed.
    """
    is_to_start_anew = threading.Event()

    def end() -> None:
        is_to_start_anew.set()
        supervisor.at_last = start_anew
        os.kill(os.getpid(), signal.SIGTERM)
        supervisor.drain()  # also where nobody listens to signals any more

    def on_shutdown(**_: object) -> None:
        supervisor.drain()

    def keep_logging(**_: object) -> None:
        """A receiver of this signal is how Celery is told to leave logging alone."""

    worker_shutting_down.connect(on_shutdown, weak=False)
    setup_logging.connect(keep_logging, weak=False)
    supervisor.start_anew = end
    watch = ConsumerWatch(celery, supervisor, end)
    watch.start()
    lanes = [Lane(celery, supervisor) for _ in range(LANES)]
    for lane in lanes:
        lane.start()
    try:
        # Not by way of its command line, which loads every other command of Celery's with it.
        celery.Worker(
            queues=supervisor.queues,
            hostname=f"sufficiency-{os.getpid()}@{socket.gethostname()}",
            quiet=True,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        ).start()
    finally:
        for background in (watch, *lanes):
            background.stop(timeout=0.5)  # it may be waiting for the broker
    return is_to_start_anew.is_set()


def start_anew() -> None:
    """Replace this process by a new worker; its trainers have been ended."""
    os.execv(sys.executable, [sys.executable, "-P", "-m", "worker"])
