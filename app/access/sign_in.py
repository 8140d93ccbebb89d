"""Signing in on the page over HTTP: with a key, or by an identity provider (authorization code with PKCE); and out."""

import base64
import hashlib
import hmac
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Body, Cookie, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BeforeValidator
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from app.access import audit, keys, persons, projects, sessions
from app.access.caller import Grant
from app.access.door import Door
from app.access.errors import Unauthenticated
from app.db.engine import Database
from app.errors import NotFound
from app.settings import Settings
from app.web.limits import plain_json
from app.web.problem import documented
from sufficiency.schemas.access import Looking, PageSessionView, SignIn

if TYPE_CHECKING:
    from app.access.issuer import Issuer

router = APIRouter(tags=["access"], responses=documented(422, 503))

SECRET_PLACE = {"summary": "With a key", "value": {"key": "suf_…"}}
LOOKING = {"summary": "At another project", "value": {"project": "vision"}}
SessionCookie = Annotated[str, Cookie(alias=sessions.COOKIE, include_in_schema=False)]
PendingCookie = Annotated[str, Cookie(alias=sessions.PENDING_COOKIE, include_in_schema=False)]


def _door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _of_this_page(request: Request) -> None:
    sessions.require_own_page(Headers(scope=request.scope))


OfThisPage = Depends(_of_this_page)


@router.get("/session")
async def get_session(request: Request) -> PageSessionView:
    """Return whether somebody is signed in on the page, and how one signs in."""
    settings: Settings = request.app.state.settings
    caller = await _door(request).known(request.scope)
    return PageSessionView(
        open=settings.access == "open",
        provider=_client(request) is not None,
        signed_in=caller is not None,
        actor=None if caller is None else caller.grant.actor,
        project=None if caller is None else caller.project,
    )


@router.post(
    "/session",
    status_code=201,
    dependencies=[OfThisPage],
    responses=documented(400, 401, 403, 413),
)
async def sign_in(
    request: Request,
    response: Response,
    body: Annotated[SignIn, BeforeValidator(plain_json), Body(openapi_examples={"key": SECRET_PLACE})],
) -> PageSessionView:
    """Sign in on the page with a key: the answer sets a cookie, which stands for it for twelve hours."""
    grant = await _door(request).credentials.of_key(body.key.strip())
    await run_in_threadpool(_begin, request, response, grant, key_hash=keys.hash_of(body.key.strip()))
    return PageSessionView(open=False, provider=_client(request) is not None, signed_in=True, actor=grant.actor)


@router.delete("/session", status_code=204, dependencies=[OfThisPage], responses=documented(403))
def sign_out(request: Request, response: Response, secret: SessionCookie = "") -> None:
    """Sign out on the page."""
    with _database(request).transaction() as session:
        sessions.end(session, secret)
    _door(request).forget()
    response.delete_cookie(sessions.COOKIE, path="/", httponly=True, samesite="strict")


@router.put(
    "/session/project",
    dependencies=[OfThisPage],
    responses=documented(400, 401, 403, 404, 413),
)
async def look_at_project(
    request: Request,
    body: Annotated[Looking, BeforeValidator(plain_json), Body(openapi_examples={"other": LOOKING})],
    secret: SessionCookie = "",
) -> PageSessionView:
    """Say which project the page is about from now on."""
    caller = await _door(request).known(request.scope)
    if caller is None:
        raise Unauthenticated("Nobody is signed in.")
    if not caller.service and body.project not in caller.grant.places:
        raise projects.no_such_project(body.project)
    await run_in_threadpool(_look_at, request, secret, body.project)
    return await get_session(request)


def _look_at(request: Request, secret: str, project: str) -> None:
    with _database(request).transaction() as session:
        projects.get(session, project)
        sessions.look_at(session, secret, project)
    _door(request).forget()


@router.get("/session/provider", include_in_schema=False)
def go_to_provider(request: Request) -> Response:
    """Lead the browser to the identity provider."""
    issuer, client = _required(request)
    verifier, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
    back = _address(request, "session/callback")
    with _database(request).transaction() as session:
        pending = {"state": state, "nonce": nonce, "verifier": verifier, "back": back}
        secret = sessions.begin(session, sessions.PENDING_LASTS, pending=pending)
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": back,
        "scope": "openid profile email",
        "state": state,
        "nonce": nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    response = RedirectResponse(f"{issuer.about()['authorization_endpoint']}?{urlencode(asked)}", 303)
    # Lax: the provider leads the browser back here from its own site.
    _set(request, response, sessions.PENDING_COOKIE, secret, int(sessions.PENDING_LASTS.total_seconds()), "lax")
    return response


@router.get("/session/callback", include_in_schema=False)
def come_from_provider(
    request: Request,
    state: Annotated[str, Query(max_length=1000)] = "",
    code: Annotated[str, Query(max_length=5000)] = "",
    secret: PendingCookie = "",
) -> Response:
    """Take what the identity provider says of whom it has signed in, and lead to the page."""
    issuer, client = _required(request)
    with _database(request).transaction() as session:
        pending = sessions.take_pending(session, secret)
    if pending is None or not code or not hmac.compare_digest(state.encode(), pending["state"].encode()):
        raise Unauthenticated("This is no answer to a question of this browser's; begin to sign in again.")
    token = _exchange(request.app.state.settings, issuer, client, code, pending)
    claims = issuer.claims(token, audience=client, nonce=pending["nonce"])
    grant = _door(request).credentials.of_claims(claims)
    settings: Settings = request.app.state.settings
    person = {
        "subject": claims[settings.oidc_subject_claim],
        "told": persons.claimed(claims, settings.oidc_projects_claim),
    }
    response = RedirectResponse(_address(request, "ui/"), 303)
    response.delete_cookie(sessions.PENDING_COOKIE, path="/", httponly=True, samesite="lax")
    _begin(request, response, grant, person=person)
    return response


def _exchange(settings: Settings, issuer: "Issuer", client: str, code: str, pending: Any) -> str:
    """Return the token that the provider gives for a code."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": pending["back"],
        "client_id": client,
        "code_verifier": pending["verifier"],
    }
    if (file := settings.oidc_client_secret_file) is not None:
        form["client_secret"] = Path(file).read_text().strip()
    return issuer.token_for(form)


def _begin(request: Request, response: Response, grant: Grant, **what: Any) -> None:
    with _database(request).transaction() as session:
        secret = sessions.begin(session, **what)
        audit.note(session, None, grant.actor, "sign_in", {})
    _set(request, response, sessions.COOKIE, secret, int(sessions.LASTS.total_seconds()), "strict")
    response.headers["Cache-Control"] = "no-store"


def _set(request: Request, response: Response, name: str, secret: str, seconds: int, site: Any) -> None:
    secure = _address(request, "").startswith("https:") or request.headers.get("x-forwarded-proto") == "https"
    response.set_cookie(name, secret, max_age=seconds, path="/", secure=secure, httponly=True, samesite=site)


def _address(request: Request, path: str) -> str:
    """Return the address of a path as browsers know it."""
    settings: Settings = request.app.state.settings
    return f"{(settings.public_url or str(request.base_url)).rstrip('/')}/{path}"


def _client(request: Request) -> str | None:
    settings: Settings = request.app.state.settings
    return None if _door(request).credentials.issuer is None else settings.oidc_client_id


def _required(request: Request) -> tuple["Issuer", str]:
    issuer, client = _door(request).credentials.issuer, _client(request)
    if issuer is None or client is None:
        raise NotFound("One signs in here with a key alone.", code="no_provider")
    return issuer, client
