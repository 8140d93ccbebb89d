"""API keys: how one is made, known again, rotated and revoked."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app.access.caller import Caller, includes
from app.access.errors import Forbidden
from app.db.owning import made
from app.db.tables import ApiKey, Project
from app.errors import Conflict, NotFound
from sufficiency.schemas.access import NewKey
from sufficiency.schemas.words import KEY_PREFIX, SCOPES, Scope

SECRET_BYTES = 32
HINT_LETTERS = 4
USED_AGAIN_AFTER = timedelta(minutes=1)


def new_secret() -> str:
    """Return a new key: 256 random bits after a prefix by which programs that look for leaked secrets know it."""
    return KEY_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> str:
    """Return the hash by which a key is known again.

    One round of SHA-256: a slow hash makes guessing dear where people choose what can be guessed, and nobody guesses
    256 random bits, while every request would pay for it.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True)
class Found:
    """A key as it was found by its hash; `seconds_left` is until it expires, by the database's clock."""

    id: UUID
    name: str
    hint: str
    scope: Scope
    project_id: UUID | None
    project: str | None
    quotas: dict[str, Any]
    seconds_left: float | None
    revoked: bool


def find(session: Session, hash: str) -> Found | None:
    """Return the key with a hash, and write down that it was used, at most once a minute."""
    left = func.extract("epoch", ApiKey.expires_at - func.clock_timestamp())
    row = session.execute(
        select(ApiKey, Project.name, Project.quotas, left)
        .outerjoin(Project, Project.id == ApiKey.project_id)
        .where(ApiKey.hash == hash)
    ).one_or_none()
    if row is None:
        return None
    key, project, quotas, seconds = row
    session.execute(
        update(ApiKey)
        .where(
            ApiKey.id == key.id,
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.now() - USED_AGAIN_AFTER),
        )
        .values(last_used_at=func.now())
        .execution_options(synchronize_session=False)
    )
    return Found(
        id=key.id,
        name=key.name,
        hint=key.hint,
        scope=_scope(key.scope),
        project_id=key.project_id,
        project=project,
        quotas=quotas or {},
        seconds_left=None if seconds is None else float(seconds),
        revoked=key.revoked_at is not None,
    )


def _scope(text: str) -> Scope:
    return next(scope for scope in SCOPES if scope == text)


def add(session: Session, caller: Caller, new: NewKey) -> tuple[ApiKey, str]:
    """Make a key in the caller's project, or one of the service; return it with its secret."""
    if new.service and (caller.grant.everywhere is None or not includes(caller.grant.everywhere, new.scope)):
        raise Forbidden("Only a key of the service makes another one.", code="service_only")
    expires: Any = None if new.expires_in_days is None else func.now() + timedelta(days=new.expires_in_days)
    return _insert(
        session,
        project_id=None if new.service else caller.project_id,
        name=new.name,
        scope=new.scope,
        created_by=caller.grant.actor,
        expires_at=expires,
    )


def _insert(session: Session, **values: Any) -> tuple[ApiKey, str]:
    secret = new_secret()
    key = ApiKey(hash=hash_of(secret), hint=f"…{secret[-HINT_LETTERS:]}", **values)
    session.add(key)
    session.flush()
    session.refresh(key)
    made(session, "key", key.id)
    return key, secret


def listed(session: Session, caller: Caller, after: UUID | None, limit: int) -> list[ApiKey]:
    """Return the keys of the caller's project, and to a caller of the service those of the service; oldest first."""
    query = select(ApiKey).where(_visible(caller)).order_by(ApiKey.id).limit(limit)
    return list(session.scalars(query if after is None else query.where(ApiKey.id > after)))


def _visible(caller: Caller) -> Any:
    own = ApiKey.project_id == caller.project_id
    return or_(own, ApiKey.project_id.is_(None)) if caller.grant.everywhere == "admin" else own


def get(session: Session, caller: Caller, id: UUID) -> ApiKey:
    """Return a key that the caller may see, with its row locked."""
    key = session.scalar(select(ApiKey).where(ApiKey.id == id, _visible(caller)).with_for_update())
    if key is None:
        raise NotFound(f"There is no key {id}; GET /keys lists them.", code="key_not_found")
    return key


def rotate(session: Session, caller: Caller, id: UUID, grace: timedelta) -> tuple[ApiKey, str]:
    """Make a key that is like another in all but its secret, and let the old one end after a while."""
    old = get(session, caller, id)
    if old.revoked_at is not None:
        raise Conflict(f"Key {id} is revoked; make a new one.", code="key_revoked")
    until = func.now() + grace
    key, secret = _insert(
        session,
        project_id=old.project_id,
        name=old.name,
        scope=old.scope,
        created_by=caller.grant.actor,
        expires_at=old.expires_at,
    )
    old.expires_at = until if old.expires_at is None else func.least(old.expires_at, until)
    session.flush()
    return key, secret


def revoke(session: Session, caller: Caller, id: UUID) -> ApiKey:
    """End a key now; revoked once more, it stays as it is."""
    key = get(session, caller, id)
    if key.revoked_at is None:
        key.revoked_at = func.now()
        session.flush()
        session.refresh(key)
    return key
