"""Who is signed in on the page: a secret in a cookie, its hash in the database, until the person signs out.

A cookie goes with whatever a browser sends, also from a foreign page. So it is sent to this site alone
(``SameSite=Strict``), no script reads it (``HttpOnly``), and with it nothing is changed but by a request that only a
page of this site can make: one with a header of its own, for which a browser asks leave of the service first, and gets
none.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from starlette.datastructures import Headers

from app.access.errors import Forbidden
from app.db.tables import PageSession

COOKIE, PENDING_COOKIE = "sufficiency_session", "sufficiency_sign_in"
PAGE_HEADER = "Sufficiency-Page"
LASTS = timedelta(hours=12)
PENDING_LASTS = timedelta(minutes=10)


@dataclass(frozen=True)
class SignedIn:
    """What a session stands for: the key that was signed in with, or a person; and the project that is looked at."""

    key_hash: str | None
    person: Mapping[str, Any] | None
    project: str | None


def hash_of(secret: str) -> str:
    """Return the hash by which a session is known; the secret is random, so that one round is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def begin(session: Session, lasts: timedelta = LASTS, **what: Any) -> str:
    """Write a session, drop those that are over, and return the secret for the cookie."""
    session.execute(delete(PageSession).where(PageSession.expires_at < func.now()))
    secret = secrets.token_urlsafe(32)
    session.add(PageSession(hash=hash_of(secret), expires_at=func.now() + lasts, **what))
    session.flush()
    return secret


def find(session: Session, secret: str) -> SignedIn | None:
    """Return what a session stands for, or None where there is none."""
    row = _of(session, secret)
    return None if row is None or row.pending is not None else SignedIn(row.key_hash, row.person, row.project)


def take_pending(session: Session, secret: str) -> Mapping[str, Any] | None:
    """Return what is to be found in the provider's answer; once."""
    row = _of(session, secret)
    if row is None or row.pending is None:
        return None
    session.delete(row)
    session.flush()
    return row.pending


def look_at(session: Session, secret: str, project: str) -> None:
    """Change which project a session looks at."""
    if (row := _of(session, secret)) is not None:
        row.project = project


def end(session: Session, secret: str) -> None:
    """End a session."""
    session.execute(delete(PageSession).where(PageSession.hash == hash_of(secret)))


def _of(session: Session, secret: str) -> PageSession | None:
    return session.scalar(
        select(PageSession).where(PageSession.hash == hash_of(secret), PageSession.expires_at > func.now())
    )


def require_own_page(headers: Headers) -> None:
    """Refuse a change that a cookie alone vouches for, unless the page of this service asks for it.

    Where a request comes from has been looked at before (`app.web.browsers`), as far as a browser tells.

    Raises
    ------
    Forbidden
    """
    if PAGE_HEADER not in headers:
        raise Forbidden(
            "Signed in by a cookie, only the service's own page changes anything; a program sends a key.",
            code="foreign_page",
        )
