"""SIGKILL of the API in the middle of a delivery: the message arrives all the same, under the same id."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import select

from app.db.engine import Database
from app.db.tables import Webhook, WebhookDelivery
from app.jobs.lifecycle import lock_job, move
from app.settings import Settings
from tests.support.jobs import add_job
from tests.webhooks.conftest import Receiver


@contextmanager
def api(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run `sufficiency serve` in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sufficiency.cli", "serve"],
        env=os.environ | settings.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_no_delivery_is_lost(fresh_database: str, redis_url: str, receivers: Callable[[], Receiver]) -> None:
    receiver = receivers()
    settings = Settings(
        database_url=fresh_database,
        redis_url=redis_url,
        port=0,
        webhook_addresses="loopback",
        webhook_timeout_seconds=1.0,
    )
    database = Database(fresh_database)
    job_id: UUID = add_job(database)
    with database.transaction() as session:
        secret = "whsec_" + "c2VjcmV0" * 4
        session.add(Webhook(url=receiver.url, events=["job.cancelled"], description="", secret=secret))
    receiver.hold.clear()
    with api(settings) as process:
        # No API is needed for the message to be written: workers move jobs too.
        with database.transaction() as session:
            job = lock_job(session, job_id)
            assert job is not None
            move(session, job, "cancelled")
        receiver.wait_for(1, 60)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with database.transaction() as session:
        assert session.scalars(select(WebhookDelivery.state)).all() == ["pending"]
    receiver.hold.set()
    with api(settings):
        first, second = receiver.wait_for(2, 60)
        assert first[0]["webhook-id"] == second[0]["webhook-id"]
        assert first[1] == second[1]
    database.dispose()
