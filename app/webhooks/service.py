"""What can be asked of webhooks: register, change, remove; test, look at deliveries, replay them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.owning import made
from app.db.tables import Webhook, WebhookDelivery
from app.db.waking import asks
from app.errors import Conflict, Invalid, NotFound, field_error
from app.settings import Settings
from app.webhooks.addresses import check_url, own_ports
from app.webhooks.signing import check_secret, new_secret
from sufficiency.schemas.webhooks import TestData, TestMessage
from sufficiency.schemas.words import WEBHOOK_TEST

OLD_SECRET_SIGNS = timedelta(hours=24)


@dataclass(frozen=True)
class Change:
    """What to change of an endpoint; None leaves it as it is."""

    url: str | None = None
    events: Sequence[str] | None = None
    description: str | None = None
    enabled: bool | None = None


def register(
    session: Session, settings: Settings, url: str, events: Sequence[str], description: str, secret: str | None
) -> Webhook:
    """Register an endpoint; it is told of what happens from now on."""
    _check_url(url, settings)
    if secret is not None:
        try:
            check_secret(secret)
        except ValueError as error:
            raise _invalid("secret", str(error)) from None
    id = session.scalar(
        insert(Webhook)
        .values(url=url, events=_ordered(events), description=description, secret=secret or new_secret())
        .on_conflict_do_nothing()
        .returning(Webhook.id)
    )
    if id is None:
        raise _taken(session, url)
    made(session, "webhook", id)
    return get(session, id)


def _ordered(events: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(events))


def _check_url(url: str, settings: Settings) -> None:
    try:
        check_url(url, settings.webhook_addresses, own_ports(settings))
    except ValueError as error:
        raise _invalid("url", str(error)) from None


def _invalid(field: str, detail: str) -> Invalid:
    return Invalid(f"#/{field}: {detail}", code="invalid_webhook", errors=[field_error(f"#/{field}", detail)])


def _taken(session: Session, url: str) -> Conflict:
    other = session.scalar(select(Webhook.id).where(Webhook.url == url))
    return Conflict(
        f"Webhook {other} has this URL, and would be told everything twice; PATCH /webhooks/{other} changes it.",
        code="webhook_exists",
        errors=[field_error("#/url", f"is that of webhook {other}")],
    )


def get(session: Session, id: UUID, *, lock: bool = False) -> Webhook:
    """Return an endpoint, with its row locked if asked to."""
    locking: Any = {"key_share": True} if lock else None
    webhook = session.get(Webhook, id, with_for_update=locking, populate_existing=lock)
    if webhook is None:
        raise NotFound(f"There is no webhook {id}; GET /webhooks lists them.", code="webhook_not_found")
    return webhook


def find(session: Session, after: UUID | None, limit: int) -> list[Webhook]:
    """Return endpoints, the oldest first."""
    query = select(Webhook).order_by(Webhook.id).limit(limit)
    return list(session.scalars(query if after is None else query.where(Webhook.id > after)))


def change(session: Session, settings: Settings, id: UUID, wanted: Change) -> Webhook:
    """Change an endpoint. Enabling one begins anew: its waiting deliveries are due at once."""
    webhook = get(session, id, lock=True)
    if wanted.url is not None and wanted.url != webhook.url:
        _check_url(wanted.url, settings)
        if session.scalar(select(Webhook.id).where(Webhook.url == wanted.url)) is not None:
            raise _taken(session, wanted.url)
        webhook.url = wanted.url
    if wanted.events is not None:
        webhook.events = _ordered(wanted.events)
    if wanted.description is not None:
        webhook.description = wanted.description
    if wanted.enabled is False and webhook.disabled_at is None:
        webhook.disabled_at, webhook.disabled_reason = func.now(), "It was disabled over the API."
    if wanted.enabled is True and webhook.disabled_at is not None:
        webhook.disabled_at = webhook.disabled_reason = webhook.failing_since = None
        waiting = select(WebhookDelivery).where(WebhookDelivery.webhook_id == id, WebhookDelivery.state == "pending")
        for delivery in session.scalars(waiting.with_for_update()):
            delivery.failures, delivery.next_attempt_at = 0, func.now()
        asks(session, "deliverer")
    session.flush()
    session.refresh(webhook)
    return webhook


def rotate(session: Session, id: UUID) -> Webhook:
    """Give an endpoint a new secret; the old one signs beside it for a day."""
    webhook = get(session, id, lock=True)
    webhook.previous_secret, webhook.secret = webhook.secret, new_secret()
    webhook.previous_secret_until = func.now() + OLD_SECRET_SIGNS
    session.flush()
    return webhook


def remove(session: Session, id: UUID) -> None:
    """Remove an endpoint with its deliveries, those that wait too."""
    session.delete(get(session, id))
    session.flush()


def test(session: Session, id: UUID) -> WebhookDelivery:
    """Queue a message of type ``webhook.test``."""
    webhook = _enabled(session, id)
    at = session.scalars(select(func.now())).one()
    message = TestMessage(type=WEBHOOK_TEST, timestamp=at, data=TestData(webhook_id=webhook.id))
    delivery = WebhookDelivery(webhook_id=webhook.id, type=WEBHOOK_TEST, body=message.model_dump_json())
    session.add(delivery)
    asks(session, "deliverer")
    session.flush()
    session.refresh(delivery)
    return delivery


def _enabled(session: Session, id: UUID) -> Webhook:
    webhook = get(session, id, lock=True)
    if webhook.disabled_at is not None:
        raise Conflict(
            f'The webhook is disabled ({webhook.disabled_reason}) PATCH it with {{"enabled": true}} first.',
            code="webhook_disabled",
        )
    return webhook


def deliveries(session: Session, id: UUID, state: str | None, before: UUID | None, limit: int) -> list[WebhookDelivery]:
    """Return an endpoint's deliveries, the newest first."""
    get(session, id)
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == id)
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    if before is not None:
        query = query.where(WebhookDelivery.id < before)
    return list(session.scalars(query.order_by(WebhookDelivery.id.desc()).limit(limit)))


def delivery(session: Session, id: UUID, delivery_id: UUID, *, lock: bool = False) -> WebhookDelivery:
    """Return one delivery of an endpoint."""
    get(session, id)
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == id, WebhookDelivery.id == delivery_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound(
            f"Webhook {id} has no delivery {delivery_id}; GET /webhooks/{id}/deliveries lists them.",
            code="delivery_not_found",
        )
    return found


def replay(session: Session, id: UUID, delivery_id: UUID) -> WebhookDelivery:
    """Send a delivery again as it was, with the same id; one that waits for its next attempt is sent at once."""
    _enabled(session, id)
    found = delivery(session, id, delivery_id, lock=True)
    found.state, found.ended_at, found.failures, found.next_attempt_at = "pending", None, 0, func.now()
    asks(session, "deliverer")
    session.flush()
    session.refresh(found)
    return found
