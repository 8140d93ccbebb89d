"""What Prometheus scrapes: requests as this process served them, and the state of all work as the database has it."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import Database
from app.db.tables import Job, Outbox, Unit, Webhook, WebhookDelivery, Worker
from sufficiency.schemas.words import JOB_STATES, OPEN_UNIT_STATES

STREAMS = frozenset({"/jobs/{job_id}/events", "/jobs/{job_id}/logs/stream"})
LATENCY_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class WorkCollector(Collector):
    """Reads the state of jobs, units and workers from the database at each scrape."""

    def __init__(self, database: Database, live_window: timedelta, has_broker: Callable[[], bool]) -> None:
        self._database = database
        self._window = live_window
        self._has_broker = has_broker

    def describe(self) -> list[Metric]:
        """Return nothing: the registry must not scrape in order to register."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this scrape; with the database away, only that it is."""
        broker = "1 if the broker could be reached when this process last looked"
        yield GaugeMetricFamily("sufficiency_broker_up", broker, float(self._has_broker()))
        up = GaugeMetricFamily("sufficiency_database_up", "1 if the database answered this scrape")
        try:
            found = list(self._work())
        except SQLAlchemyError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from found

    def _work(self) -> Iterator[Metric]:
        with self._database.transaction() as session:
            jobs = GaugeMetricFamily("sufficiency_jobs", "Jobs by state", labels=["state"])
            counted = dict(session.execute(select(Job.state, func.count()).group_by(Job.state)).all())
            for state in JOB_STATES:
                jobs.add_metric([state], counted.get(state, 0))
            yield jobs
            units = GaugeMetricFamily("sufficiency_units", "Units that wait or are held, by state", labels=["state"])
            # Of those that are open: few, with an index for them; all others only ever become more.
            is_open = Unit.state.in_(OPEN_UNIT_STATES)
            counted = dict(session.execute(select(Unit.state, func.count()).where(is_open).group_by(Unit.state)).all())
            for open_state in OPEN_UNIT_STATES:
                units.add_metric([open_state], counted.get(open_state, 0))
            yield units
            waiting = session.scalar(select(func.count()).select_from(Outbox)) or 0
            yield GaugeMetricFamily("sufficiency_outbox_messages", "Messages not yet sent to the broker", waiting)
            pending, failing, disabled = session.execute(
                select(
                    select(func.count())
                    .select_from(WebhookDelivery)
                    .join(Webhook)
                    .where(WebhookDelivery.state == "pending", Webhook.disabled_at.is_(None))
                    .scalar_subquery(),
                    func.count().filter(Webhook.failing_since.is_not(None), Webhook.disabled_at.is_(None)),
                    func.count(Webhook.disabled_at),
                ).select_from(Webhook)
            ).one()
            yield GaugeMetricFamily("sufficiency_webhook_deliveries_pending", "Webhook messages to be sent", pending)
            webhooks = GaugeMetricFamily("sufficiency_webhooks", "Webhook endpoints in trouble", labels=["trouble"])
            webhooks.add_metric(["failing"], failing)
            webhooks.add_metric(["disabled"], disabled)
            yield webhooks
            count, slots, busy = session.execute(
                select(func.count(), func.sum(Worker.slots), func.sum(Worker.busy)).where(
                    Worker.heartbeat_at > func.now() - self._window
                )
            ).one()
            yield GaugeMetricFamily("sufficiency_workers", "Live workers", count)
            yield GaugeMetricFamily("sufficiency_slots", "Slots of live workers", float(slots or 0))
            yield GaugeMetricFamily("sufficiency_slots_busy", "Slots of live workers that train", float(busy or 0))


class RequestMetrics:
    """Counts and times requests by method, route and status.

    Attributes
    ----------
    in_progress : int
        Requests that are being served.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "sufficiency_http_requests", "Requests served", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "sufficiency_http_request_seconds",
            "Time to serve a request; event streams are left out",
            ["method", "route"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.in_progress = 0
        Gauge(
            "sufficiency_http_requests_in_progress", "Requests being served, open event streams too", registry=registry
        ).set_function(lambda: self.in_progress)
        # As many as there are labels: to look one up in its metric takes longer than to count.
        self._of: dict[tuple[str, str, int], tuple[Counter, Histogram | None]] = {}

    def note(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Note a request that has been answered.

        Parameters
        ----------
        route : str or None
            The template, not the path: a label for every job would grow without end.
        """
        asked = (method if method in _METHODS else "other", route or "unmatched", status)
        if (found := self._of.get(asked)) is None:
            times = None if asked[1] in STREAMS else self._seconds.labels(*asked[:2])
            found = self._of[asked] = self._requests.labels(*asked), times
        counted, timed = found
        counted.inc()
        if timed is not None:
            timed.observe(seconds)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
