"""Webhooks over HTTP: register, change, remove, test, deliveries, replay."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import BeforeValidator, TypeAdapter

from app.db.tables import Webhook, WebhookDelivery
from app.web.limits import plain_json
from app.web.pagination import Cursor, decode_cursor, page_of
from app.web.problem import documented
from app.web.session import SessionDep, SettingsDep
from app.webhooks import service
from sufficiency.schemas.paging import Page
from sufficiency.schemas.webhooks import (
    AttemptView,
    DeliveryView,
    JobMessage,
    NewWebhook,
    TestMessage,
    WebhookChange,
    WebhookView,
    WebhookWithSecret,
)
from sufficiency.schemas.words import DeliveryState

# What is sent, for the specification: `app.main` hands it to FastAPI.
sent = APIRouter(generate_unique_id_function=lambda route: route.name)


@sent.post("job", tags=["webhooks"], status_code=204, response_class=Response)
def job_message(
    body: JobMessage,
    webhook_id: Annotated[UUID, Header(description="the delivery; the same for every attempt")],
    webhook_timestamp: Annotated[int, Header(description="seconds since 1970 at this attempt")],
    webhook_signature: Annotated[str, Header(description="`v1,` and the base64 of an HMAC-SHA256; one a secret")],
) -> None:
    """Sent to an endpoint when a job comes into a state that it asked for. Any 2xx takes it."""


@sent.post("test", tags=["webhooks"], status_code=204, response_class=Response)
def test_message(body: TestMessage) -> None:
    """Sent when somebody asks for a test."""


router = APIRouter(tags=["webhooks"], responses=documented(422, 503))

KEY = TypeAdapter(UUID)
Limit = Annotated[int, Query(ge=1, le=100, description="size of a page")]
NEW_EXAMPLE = {
    "summary": "Tell a chat how jobs end",
    "value": {"url": "https://hooks.example.org/sufficiency", "events": ["job.completed", "job.failed"]},
}
CHANGE_EXAMPLE = {"summary": "Go on with an endpoint that works again", "value": {"enabled": True}}


def _view(webhook: Webhook) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        url=webhook.url,
        events=webhook.events,
        description=webhook.description,
        enabled=webhook.disabled_at is None,
        disabled_reason=webhook.disabled_reason,
        failing_since=webhook.failing_since,
        created_at=webhook.created_at,
    )


def _with_secret(webhook: Webhook) -> WebhookWithSecret:
    return WebhookWithSecret(**_view(webhook).model_dump(), secret=webhook.secret)


def _delivery(delivery: WebhookDelivery) -> DeliveryView:
    return DeliveryView(
        id=delivery.id,
        webhook_id=delivery.webhook_id,
        type=delivery.type,
        job_id=delivery.job_id,
        state=delivery.state,
        attempts=delivery.attempt,
        next_attempt_at=delivery.next_attempt_at if delivery.state == "pending" else None,
        body=json.loads(delivery.body),
        log=[AttemptView.model_validate(entry) for entry in delivery.log],
        created_at=delivery.created_at,
        ended_at=delivery.ended_at,
    )


@router.post(
    "/webhooks",
    status_code=201,
    responses={
        201: {"headers": {"Location": {"schema": {"type": "string"}, "description": "address of the webhook"}}},
        **documented(400, 409, 413),
    },
)
def create_webhook(
    response: Response,
    session: SessionDep,
    settings: SettingsDep,
    body: Annotated[NewWebhook, BeforeValidator(plain_json), Body(openapi_examples={"chat": NEW_EXAMPLE})],
) -> WebhookWithSecret:
    """Register an endpoint. It is told of events from now on, signed as Standard Webhooks; the secret is shown once."""
    webhook = service.register(session, settings, body.url, body.events, body.description, body.secret)
    response.headers["Location"] = f"/webhooks/{webhook.id}"
    response.headers["Cache-Control"] = "no-store"
    return _with_secret(webhook)


@router.get("/webhooks")
def list_webhooks(session: SessionDep, limit: Limit = 100, cursor: Cursor = None) -> Page[WebhookView]:
    """List the endpoints, the oldest first, without their secrets."""
    after = decode_cursor(cursor, KEY) if cursor else None
    rows, following = page_of(service.find(session, after, limit + 1), limit, lambda webhook: str(webhook.id))
    return Page(items=[_view(webhook) for webhook in rows], next_cursor=following)


@router.get("/webhooks/{webhook_id}", responses=documented(404))
def get_webhook(session: SessionDep, webhook_id: UUID) -> WebhookView:
    """Return one endpoint: what it is told, and whether it takes it."""
    return _view(service.get(session, webhook_id))


@router.patch("/webhooks/{webhook_id}", responses=documented(400, 404, 409, 413))
def change_webhook(
    session: SessionDep,
    settings: SettingsDep,
    webhook_id: UUID,
    body: Annotated[WebhookChange, BeforeValidator(plain_json), Body(openapi_examples={"enable": CHANGE_EXAMPLE})],
) -> WebhookView:
    """Change an endpoint's URL, events or description, or disable or enable it."""
    change = service.Change(**body.model_dump(exclude_unset=True))
    return _view(service.change(session, settings, webhook_id, change))


@router.delete("/webhooks/{webhook_id}", status_code=204, responses=documented(404))
def delete_webhook(session: SessionDep, webhook_id: UUID) -> None:
    """Remove an endpoint with the log of its deliveries; what waits is not sent any more."""
    service.remove(session, webhook_id)


@router.post("/webhooks/{webhook_id}/rotate-secret", responses=documented(404))
def rotate_webhook_secret(response: Response, session: SessionDep, webhook_id: UUID) -> WebhookWithSecret:
    """Give an endpoint a new secret. For 24 hours messages carry a signature of the old one too."""
    response.headers["Cache-Control"] = "no-store"
    return _with_secret(service.rotate(session, webhook_id))


@router.post("/webhooks/{webhook_id}/test", status_code=202, responses=documented(404, 409))
def test_webhook(session: SessionDep, webhook_id: UUID) -> DeliveryView:
    """Send a message of type `webhook.test`; the delivery's log tells what came of it."""
    return _delivery(service.test(session, webhook_id))


@router.get("/webhooks/{webhook_id}/deliveries", responses=documented(404))
def list_deliveries(
    session: SessionDep,
    webhook_id: UUID,
    state: Annotated[DeliveryState | None, Query(description="only these")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[DeliveryView]:
    """List an endpoint's deliveries, the newest first, each with its latest attempts."""
    before = decode_cursor(cursor, KEY) if cursor else None
    rows, following = page_of(
        service.deliveries(session, webhook_id, state, before, limit + 1), limit, lambda delivery: str(delivery.id)
    )
    return Page(items=[_delivery(delivery) for delivery in rows], next_cursor=following)


@router.get("/webhooks/{webhook_id}/deliveries/{delivery_id}", responses=documented(404))
def get_delivery(session: SessionDep, webhook_id: UUID, delivery_id: UUID) -> DeliveryView:
    """Return one delivery: what was sent, and what each attempt met."""
    return _delivery(service.delivery(session, webhook_id, delivery_id))


@router.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/replay", status_code=202, responses=documented(404, 409))
def replay_delivery(session: SessionDep, webhook_id: UUID, delivery_id: UUID) -> DeliveryView:
    """Send a delivery again, with the same id and body; at once, if it waits for its next attempt."""
    return _delivery(service.replay(session, webhook_id, delivery_id))
