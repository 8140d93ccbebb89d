"""The register of workers: who is there, what the live ones can do between them, and what work waits for on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from app.db.tables import Worker
from app.settings import Settings

_LIVE = "live workers"
NO_VERSIONS: Mapping[str, str] = {}


@dataclass(frozen=True)
class LiveWorker:
    """What a worker said of itself when it was last heard."""

    id: UUID
    slots: int
    asked: int
    devices: list[str]
    plugins: list[str]
    versions: dict[str, str] | None


@dataclass(frozen=True)
class LiveWorkers:
    """What the workers that were heard of lately can do, between them and each.

    Attributes
    ----------
    workers : tuple of LiveWorker
    leases : mapping
        How many units a worker holds, by its id.
    missing : mapping
        Of "kind:name", the package that it lacks and what to do.
    """

    workers: tuple[LiveWorker, ...]
    leases: Mapping[UUID, int]
    missing: Mapping[str, str] = field(default_factory=dict)

    def slots(self, workers: Iterable[Worker | LiveWorker]) -> tuple[int, int]:
        """Return how many slots of the workers are free, and how many they have."""
        each = [(worker.slots, self.leases.get(worker.id, 0) + worker.asked) for worker in workers]
        return sum(slots - min(slots, busy) for slots, busy in each), sum(slots for slots, _ in each)

    def why_no_slot(self, able: Sequence[LiveWorker]) -> str | None:
        """Return that all slots of the workers that could take some work are busy, or None where one is free."""
        free, every = self.slots(able)
        if free:
            return None
        busy = "the one that could take it is" if every == 1 else f"all {every} that could take it are"
        return f"waiting for a free slot: {busy} busy"

    def offers(self, plugin: str) -> bool:
        """Return whether any of them offers "kind:name"."""
        return any(plugin in worker.plugins for worker in self.workers)

    def versions(self, plugin: str) -> set[str | None]:
        """Return in which versions they offer "kind:name"; None is that of a worker too old to tell."""
        return {(worker.versions or {}).get(plugin) for worker in self.workers if plugin in worker.plugins}

    def able(self, plugins: Iterable[str], device: str, versions: Mapping[str, str] = NO_VERSIONS) -> list[LiveWorker]:
        """Return those that each offer the device and all of the plugins, in the versions that are named."""
        wanted = set(plugins)
        return [
            worker
            for worker in self.workers
            if device in worker.devices
            and wanted <= set(worker.plugins)
            and all((worker.versions or {}).get(plugin, version) == version for plugin, version in versions.items())
        ]

    def has_device(self, device: str) -> bool:
        """Return whether any of them trains on the device."""
        return any(device in worker.devices for worker in self.workers)

    def why_waiting(self, plugins: Sequence[str], device: str, versions: Mapping[str, str] = NO_VERSIONS) -> str | None:
        """Return what keeps work that needs the plugins from being taken, or None when a worker could take it.

        Parameters
        ----------
        plugins : sequence of str
            Each "kind:name".
        device : {"cpu", "cuda"}
        versions : mapping
            Of those plugins that must be of one version, which.
        """
        if not self.workers:
            return "no worker is running"
        lacking = [plugin for plugin in plugins if not self.offers(plugin)]
        if lacking:
            remedies = [f"; {self.missing[plugin]}" for plugin in lacking if plugin in self.missing]
            return f"no live worker offers plugin {', '.join(lacking)}{''.join(remedies)}"
        if not self.has_device(device):
            return f"no live worker for device {device}"
        for plugin, version in versions.items():
            offered = self.versions(plugin)
            if offered and not offered & {version, None}:
                others = ", ".join(sorted(filter(None, offered)))
                return (
                    f"no live worker offers plugin {plugin} in version {version}, with which the job was begun, but "
                    f"in {others}; bring that version back, or cancel the job and retry it with start_anew"
                )
        if not self.able(plugins, device, versions):
            which = "in the job's versions " if versions else ""
            return f"no live worker for device {device} offers {which}all of {', '.join(plugins)}"
        return None


def live_window(settings: Settings) -> timedelta:
    """Return how long after its last heartbeat a worker still counts as live."""
    return timedelta(seconds=max(30.0, 3 * settings.heartbeat_seconds))


def is_silent(window: timedelta) -> ColumnElement[bool]:
    """Return the condition that a worker was not heard of for so long; nor is one whose beat is yet to come.

    The database's clock was set back since that beat.
    """
    return or_(Worker.heartbeat_at < func.now() - window, Worker.heartbeat_at > func.now() + window)


def live_workers(session: Session, settings: Settings) -> LiveWorkers:
    """Return the workers that were heard of lately; a session looks once."""
    window = live_window(settings)
    if (_LIVE, window) not in session.info:
        session.info[_LIVE, window] = _live_workers(session, window)
    found: LiveWorkers = session.info[_LIVE, window]
    return found


# Asked with every job that is made, looked at or listed; workers are nobody's, so that no session need see to whose.
_LIVE_ROWS = text(
    """
    SELECT worker.id, slots, asked, devices, plugins, versions, units, (
        -- of each plugin that lacks a package where it was last advertised, what to do about it
        SELECT jsonb_object_agg(kind || ':' || name, capabilities -> 'missing')
        FROM plugin WHERE capabilities ? 'missing'
    ) AS missing
    FROM worker LEFT JOIN (
        SELECT worker_id, count(*) AS units FROM unit
        WHERE state = 'leased' AND worker_id IS NOT NULL GROUP BY worker_id
    ) AS leases ON leases.worker_id = worker.id
    WHERE heartbeat_at > now() - :window
    ORDER BY worker.id
    """
)


def _live_workers(session: Session, window: timedelta) -> LiveWorkers:
    session.flush()
    rows = session.connection().execute(_LIVE_ROWS, {"window": window}).all()
    workers = tuple(LiveWorker(*row[:6]) for row in rows)
    return LiveWorkers(workers, {row.id: row.units for row in rows if row.units}, rows[0].missing or {} if rows else {})


def find_workers(session: Session, heard_within: timedelta | None = None) -> list[tuple[Worker, float]]:
    """Return workers, the oldest first, each with the seconds since it was last heard on the database's clock."""
    silence = func.extract("epoch", func.clock_timestamp() - Worker.heartbeat_at)
    statement = select(Worker, silence).order_by(Worker.id)
    if heard_within is not None:
        statement = statement.where(~is_silent(heard_within))
    return [(worker, float(seconds)) for worker, seconds in session.execute(statement)]


def register_worker(
    session: Session,
    *,
    hostname: str,
    pid: int,
    devices: list[str],
    slots: int,
    plugins: list[str],
    plugin_errors: list[dict[str, Any]],
    versions: dict[str, str] | None = None,
    worker_id: UUID | None = None,
) -> UUID:
    """Make a worker known; `plugins` are "kind:name", and `versions` says of which version each is.

    A process that says its id is one worker, however often it registers because it cannot know whether it has.
    """
    known = session.get(Worker, worker_id) if worker_id is not None else None
    worker = known or Worker(id=worker_id)
    worker.hostname, worker.pid, worker.devices, worker.slots = hostname, pid, devices, slots
    worker.plugins, worker.plugin_errors, worker.versions = plugins, plugin_errors, versions
    worker.heartbeat_at = func.now()
    session.add(worker)
    session.flush()
    return worker.id


def beat(session: Session, worker_id: UUID, busy: int, asked: int = 0) -> bool:
    """Say that a worker lives; False when it has been forgotten and must register again.

    Parameters
    ----------
    busy : int
        Slots that are in use.
    asked : int
        Of them, those that read a dataset or ask a schedule.
    """
    known = session.scalar(
        update(Worker)
        .where(Worker.id == worker_id)
        .values(heartbeat_at=func.now(), busy=busy, asked=asked)
        .returning(Worker.id)
    )
    return known is not None


def forget_worker(session: Session, worker_id: UUID) -> None:
    """Remove a worker that stops; its plugins stay in the catalog."""
    session.execute(delete(Worker).where(Worker.id == worker_id))
