"""Carries messages to endpoints: at least once, each endpoint by one process at a time, all of them side by side."""

import asyncio
import contextlib
import logging
import random
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING
from uuid import UUID

import certifi
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.db.engine import Database
from app.db.tables import Webhook, WebhookDelivery
from app.queue.background import Background
from app.settings import Settings
from app.web.browsers import WEBHOOK_AGENT
from app.webhooks.addresses import own_ports, own_refusal, refusal
from app.webhooks.signing import signed_headers
from sufficiency.pauses import retry_after

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

# Pauses after the first, second, … failure: about three days in all, as Standard Webhooks proposes.
PAUSES = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
JITTER = 0.2
LONGEST_RETRY_AFTER = 86_400
AT_ONCE = 32  # endpoints that one process calls side by side
LOG_LENGTH = 20
RESPONSE_CHARACTERS = 1000
RESPONSE_BYTES = 4 * RESPONSE_CHARACTERS
TIDY_SECONDS = 3600.0


@dataclass(frozen=True)
class Attempt:
    """A message that this process may send now: `number` fences what it writes about it."""

    delivery_id: UUID
    webhook_id: UUID
    number: int
    url: str
    secrets: list[str]
    body: str


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt; delivered when `error` is None."""

    status: int | None
    error: str | None
    response: str | None = None
    seconds: float = 0.0
    retry_after: float | None = None


class Refused(Exception):
    """The endpoint may not be called."""


class Deliverer(Background):
    """Sends what is due, under a lease of each endpoint that the database keeps.

    A process that dies leaves its leases to expire, and the message is sent again: a receiver tells repeats by
    ``webhook-id``. The order of messages is that of writing while the endpoint takes them.
    """

    def __init__(self, database: Database, settings: Settings, *, period: float = 1.0) -> None:
        super().__init__(period)
        self._database = database
        self._settings = settings
        self._lease = timedelta(seconds=3 * settings.webhook_timeout_seconds)
        self._runner: asyncio.Runner | None = None
        self._tidied = float("-inf")

    def turn(self) -> None:
        """Send all that is due, and forget what is too old for the log."""
        if claimed := self._claim(AT_ONCE):
            if self._runner is None:  # made in the thread that runs it
                self._runner = asyncio.Runner()
            self._runner.run(self._drain(claimed))
        if time.monotonic() - self._tidied > TIDY_SECONDS:
            self._tidy()
            self._tidied = time.monotonic()

    def stop(self, timeout: float = 10.0) -> None:
        """Give up what is being sent, for another process to take, and end the thread."""
        super().stop(timeout)
        if self._runner is not None and not self._runner.get_loop().is_running():
            self._runner.close()
            self._runner = None

    def _tidy(self) -> None:
        age = timedelta(days=self._settings.webhook_log_days)
        with self._database.transaction() as session:
            session.execute(delete(WebhookDelivery).where(WebhookDelivery.ended_at < func.now() - age))
            session.execute(
                update(Webhook)
                .where(Webhook.previous_secret_until < func.now())
                .values(previous_secret=None, previous_secret_until=None)
            )

    async def _drain(self, claimed: list[Attempt]) -> None:
        import httpx  # with what it brings, many megabytes, of which a service without webhooks needs none

        # A slow endpoint must not hold up the others: as long as one is being called, new work is looked for.
        # Connections are not kept: they are made to addresses, and one made for a host must not serve another.
        async with httpx.AsyncClient(
            verify=_trusted(),
            trust_env=False,
            follow_redirects=False,
            timeout=self._settings.webhook_timeout_seconds,
            limits=httpx.Limits(max_keepalive_connections=0),
        ) as http:
            running: set[asyncio.Task[None]] = set()
            try:
                while True:
                    running |= {asyncio.create_task(self._deliver(http, attempt)) for attempt in claimed}
                    if not running or self._stopping.is_set():
                        return
                    done, running = await asyncio.wait(
                        running, timeout=self._period, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        task.result()
                    claimed = await asyncio.to_thread(self._claim, AT_ONCE - len(running))
            finally:
                # The database may be away for what failed here; what is being sent is recorded if it is back in time.
                if self._stopping.is_set():
                    for task in running:
                        task.cancel()
                await asyncio.gather(*running, return_exceptions=True)

    def _claim(self, limit: int) -> list[Attempt]:
        """Take the first due message of up to `limit` endpoints that no process holds."""
        if limit < 1:
            return []
        due = (
            select(WebhookDelivery)
            .where(WebhookDelivery.state == "pending", WebhookDelivery.next_attempt_at <= func.now())
            .order_by(WebhookDelivery.next_attempt_at, WebhookDelivery.id)
            .limit(1)
        )
        with self._database.transaction() as session:
            webhooks = session.scalars(
                select(Webhook)
                .where(
                    Webhook.disabled_at.is_(None),
                    or_(
                        Webhook.lease_expires_at.is_(None),
                        Webhook.lease_expires_at < func.now(),
                        Webhook.lease_expires_at > func.now() + 2 * self._lease,  # the clock was set back
                    ),
                    due.where(WebhookDelivery.webhook_id == Webhook.id).exists(),
                )
                .order_by(Webhook.lease_expires_at.nulls_first(), Webhook.id)
                .limit(limit)
                # Not FOR UPDATE: a job that is writing a message to the endpoint holds its key.
                .with_for_update(skip_locked=True, key_share=True)
            ).all()
            attempts = []
            for webhook in webhooks:
                found = session.scalar(due.where(WebhookDelivery.webhook_id == webhook.id).with_for_update())
                if found is None:
                    continue
                found.attempt += 1
                webhook.lease_expires_at = func.now() + self._lease
                attempts.append(
                    Attempt(found.id, webhook.id, found.attempt, webhook.url, _secrets(session, webhook), found.body)
                )
            return attempts

    async def _deliver(self, http: "httpx.AsyncClient", attempt: Attempt) -> None:
        begun = time.perf_counter()
        try:
            outcome = await self._call(http, attempt)
        except asyncio.CancelledError:
            # This process ends: another may take the message at once.
            await asyncio.to_thread(self._give_up_lease, attempt)
            raise
        await asyncio.to_thread(self._record, attempt, outcome, time.perf_counter() - begun)

    async def _call(self, http: "httpx.AsyncClient", attempt: Attempt) -> Outcome:
        import httpx

        seconds = self._settings.webhook_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._post(http, attempt)
        except TimeoutError:
            return Outcome(None, f"no answer within {seconds:g} s")
        except Refused as refused:
            return Outcome(None, str(refused))
        except socket.gaierror as error:
            return Outcome(None, f"the host's name cannot be resolved: {error.strerror}")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Outcome(None, f"{type(error).__name__}: {error}"[:RESPONSE_CHARACTERS])

    async def _post(self, http: "httpx.AsyncClient", attempt: Attempt) -> Outcome:
        import httpx

        url = httpx.URL(attempt.url)
        headers = {
            "Host": url.netloc.decode(),
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": WEBHOOK_AGENT + version("sufficiency"),
            **signed_headers(attempt.secrets, str(attempt.delivery_id), int(time.time()), attempt.body),
        }
        unreachable: httpx.ConnectError | None = None
        for address in await self._addresses(url):
            # The connection goes to the very address that was checked: a name may resolve to another the next moment.
            request = http.build_request(
                "POST",
                url.copy_with(host=address),
                headers=headers,
                content=attempt.body.encode(),
                extensions={"sni_hostname": url.host, "timeout": http.timeout.as_dict()},
            )
            try:
                response = await http.send(request, stream=True)
            except httpx.ConnectError as error:
                unreachable = error
                continue
            try:
                return await _outcome(response)
            finally:
                await response.aclose()
        raise unreachable or httpx.ConnectError("the host has no address")

    async def _addresses(self, url: "httpx.URL") -> list[str]:
        """Return the addresses of a URL's host that may be called."""
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        own = own_ports(self._settings)
        refusals = {
            address: refusal(address, self._settings.webhook_addresses) or own_refusal(address, port, own)
            for address in addresses
        }
        allowed = [address for address in addresses if refusals[address] is None]
        if addresses and not allowed:
            raise Refused(f"{url.host} may not be called: {refusals[addresses[0]]}")
        return allowed

    def _record(self, attempt: Attempt, outcome: Outcome, seconds: float) -> None:
        with self._database.transaction() as session:
            webhook = _held(session, attempt)
            if webhook is None:
                return
            delivery = session.get_one(WebhookDelivery, attempt.delivery_id)
            now = session.scalars(select(func.now())).one()
            webhook.lease_expires_at = None
            entry = {
                "attempt": attempt.number,
                "at": now.astimezone(UTC).isoformat(),
                "status": outcome.status,
                "error": outcome.error,
                "response": outcome.response,
                "seconds": round(seconds, 3),
            }
            delivery.log = [*delivery.log, entry][-LOG_LENGTH:]
            if outcome.error is None:
                delivery.state, delivery.ended_at, webhook.failing_since = "delivered", now, None
                return
            delivery.failures += 1
            webhook.failing_since = webhook.failing_since or now
            if delivery.failures > len(PAUSES):
                delivery.state, delivery.ended_at = "failed", now
            else:
                delivery.next_attempt_at = now + timedelta(seconds=pause(delivery.failures, outcome.retry_after))
            self._disable_if_dead(webhook, outcome, now)
        logger.warning(
            "webhook %s: attempt %d at delivery %s failed: %s",
            *(attempt.webhook_id, attempt.number, attempt.delivery_id, outcome.error),
        )

    def _disable_if_dead(self, webhook: Webhook, outcome: Outcome, now: datetime) -> None:
        days = self._settings.webhook_disable_days
        assert webhook.failing_since is not None
        if outcome.status == 410:
            reason = "The endpoint answered 410 Gone."
        elif now - webhook.failing_since >= timedelta(days=days):
            reason = f"Every attempt of {days:g} days failed, the last with: {outcome.error}."
        else:
            return
        webhook.disabled_at, webhook.disabled_reason = now, reason
        logger.warning("webhook %s is disabled: %s", webhook.id, reason)

    def _give_up_lease(self, attempt: Attempt) -> None:
        with contextlib.suppress(Exception), self._database.transaction() as session:
            if webhook := _held(session, attempt):
                webhook.lease_expires_at = None


def _trusted() -> ssl.SSLContext:
    """Return whom to trust: the usual authorities, and those of this machine, where a company's own are."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _held(session: Session, attempt: Attempt) -> Webhook | None:
    """Return the attempt's endpoint, locked, unless another attempt has begun since."""
    webhook = session.get(Webhook, attempt.webhook_id, with_for_update={"key_share": True}, populate_existing=True)
    number = session.scalar(
        select(WebhookDelivery.attempt)
        .where(WebhookDelivery.id == attempt.delivery_id, WebhookDelivery.state == "pending")
        .with_for_update()
    )
    return webhook if number == attempt.number else None


def _secrets(session: Session, webhook: Webhook) -> list[str]:
    old = select(Webhook.previous_secret).where(Webhook.id == webhook.id, Webhook.previous_secret_until > func.now())
    return [webhook.secret, *(one for one in session.scalars(old) if one is not None)]


async def _outcome(response: "httpx.Response") -> Outcome:
    """Return what an answer means; of its body only the beginning is read."""
    read = b""
    async for piece in response.aiter_raw():
        read += piece
        if len(read) >= RESPONSE_BYTES:
            break
    text = read.decode("utf-8", "replace").replace("\x00", "\ufffd")[:RESPONSE_CHARACTERS] or None
    status = response.status_code
    if response.is_success:
        return Outcome(status, None, text)
    error = f"HTTP {status} {response.reason_phrase}".strip()
    if response.is_redirect:
        error += ": redirects are not followed; register the address that it leads to"
    return Outcome(status, error, text, retry_after=retry_after(response.headers.get("Retry-After", "")))


def pause(failures: int, retry_after: float | None = None) -> float:
    """Return the seconds before the next attempt: what the endpoint asks for, but not less than the schedule."""
    scheduled = PAUSES[failures - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return max(scheduled, min(retry_after or 0.0, LONGEST_RETRY_AFTER))
