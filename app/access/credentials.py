"""What a request shows of who asks: a key, a token of an identity provider, or a name that a proxy vouches for."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from app.access import keys, persons, sessions
from app.access.caller import Grant, Place
from app.access.errors import Unauthenticated
from app.access.exposure import is_loopback
from app.access.kept import KEPT_SECONDS, Kept
from app.access.operations import READS
from app.access.sessions import COOKIE, SignedIn, require_own_page
from app.db.engine import Database
from app.settings import Settings
from sufficiency.schemas.words import KEY_PREFIX
from sufficiency.schemas.words import Scope as Role

if TYPE_CHECKING:
    from app.access.issuer import Issuer

SHORTEST_BOOTSTRAP_KEY = 32
LONGEST_TOKEN = 16_000
ANYBODY = Grant("anybody", "anybody", everywhere="admin")


class BadKeyFile(Exception):
    """The file that should have the first key has none."""


class Credentials:
    """Finds out whose a request is.

    Parameters
    ----------
    settings : Settings
    database : Database
        Where keys and members are.
    kept : Kept
        What was found a moment ago.
    """

    def __init__(self, settings: Settings, database: Database, kept: Kept) -> None:
        self._settings = settings
        self._database = database
        self._kept = kept
        self._bootstrap = bootstrap_hash(settings.bootstrap_key_file)
        self.issuer = issuer_of(settings)

    async def grant(self, scope: Scope, headers: Headers) -> Grant:
        """Return what who asks may do.

        Raises
        ------
        Unauthenticated
            When nobody knows who it is.
        """
        if self._settings.access == "open":
            _refuse_from_afar(scope)
            return ANYBODY
        if self._settings.access == "proxy" and self._settings.proxy_user_header in headers:
            return await self._of_proxy(scope, headers)
        if "authorization" not in headers and (cookie := cookie_parser(headers.get("cookie", "")).get(COOKIE)):
            if scope["method"] not in READS:
                require_own_page(headers)
            return await self._of_session(cookie)
        kind, _, secret = headers.get("authorization", "").partition(" ")
        secret = secret.strip()
        if kind.lower() != "bearer" or not secret:
            raise Unauthenticated(
                "Send a key: Authorization: Bearer suf_…; an administrator of the project makes one with "
                "`sufficiency keys add`."
            )
        if secret.startswith(KEY_PREFIX):
            return await self.of_key(secret)
        if self.issuer is not None and secret.count(".") == 2 and len(secret) <= LONGEST_TOKEN:
            return await self._of_token(self.issuer, secret)
        raise Unauthenticated(f"That is no key of this service: one begins with {KEY_PREFIX}.", error="invalid_token")

    async def of_key(self, secret: str) -> Grant:
        """Return what a key is good for.

        Raises
        ------
        Unauthenticated
        """
        return await self._of_key(keys.hash_of(secret))

    async def _of_session(self, secret: str) -> Grant:
        place = ("session", sessions.hash_of(secret))
        kept = self._kept.get(place)
        found = kept if isinstance(kept, SignedIn) else await run_in_threadpool(self._look_up_session, secret)
        if found is None:
            raise Unauthenticated("Nobody is signed in any more; sign in again.", code="signed_out")
        if kept is None:
            self._kept.put(place, found)
        if found.key_hash is not None:
            grant = await self._of_key(found.key_hash)
        else:
            grant = await self._of_person(found.person or {})
        return replace(grant, looks_at=found.project)

    def _look_up_session(self, secret: str) -> SignedIn | None:
        with self._database.transaction() as session:
            return sessions.find(session, secret)

    async def _of_person(self, person: Mapping[str, Any]) -> Grant:
        place = ("signed in", person["subject"], tuple(sorted(person["told"].items())))
        if isinstance(kept := self._kept.get(place), Grant):
            return kept
        grant = await run_in_threadpool(self._look_up_person, person["subject"], person["told"])
        self._kept.put(place, grant)
        return grant

    async def _of_key(self, hash: str) -> Grant:
        if hash == self._bootstrap:
            return Grant("bootstrap", "the bootstrap key", everywhere="admin")
        if isinstance(kept := self._kept.get(hash), Grant):
            return kept
        found = await run_in_threadpool(self._look_up, hash)
        if found is None:
            raise Unauthenticated("There is no such key.", error="invalid_token")
        if found.revoked:
            raise Unauthenticated("The key is revoked.", code="key_revoked", error="invalid_token")
        if found.seconds_left is not None and found.seconds_left <= 0:
            raise Unauthenticated("The key has expired.", code="key_expired", error="invalid_token")
        of, actor = f"key {found.id}", f"key {found.name} ({found.hint})"
        if found.project_id is None:
            grant = Grant(of, actor, everywhere=found.scope)
        else:
            grant = Grant(of, actor, places={str(found.project): Place(found.project_id, found.scope, found.quotas)})
        self._kept.put(hash, grant, min(KEPT_SECONDS, found.seconds_left or KEPT_SECONDS))
        return grant

    def _look_up(self, hash: str) -> keys.Found | None:
        with self._database.transaction() as session:
            return keys.find(session, hash)

    async def _of_token(self, issuer: "Issuer", token: str) -> Grant:
        place = ("token", hashlib.sha256(token.encode()).digest())
        if isinstance(kept := self._kept.get(place), Grant):
            return kept
        grant, seconds = await run_in_threadpool(self._look_up_token, issuer, token)
        self._kept.put(place, grant, max(0.0, min(KEPT_SECONDS, seconds)))
        return grant

    def _look_up_token(self, issuer: "Issuer", token: str) -> tuple[Grant, float]:
        claims = issuer.claims(token)
        return self.of_claims(claims), float(claims["exp"]) - time.time()

    def of_claims(self, claims: dict[str, object]) -> Grant:
        """Return what a person may do whom the identity provider's claims are about."""
        subject = claims.get(self._settings.oidc_subject_claim)
        if not isinstance(subject, str) or not persons.is_name(subject):
            raise Unauthenticated(f"The token has no {self._settings.oidc_subject_claim}.", error="invalid_token")
        return self._look_up_person(subject, persons.claimed(claims, self._settings.oidc_projects_claim))

    async def _of_proxy(self, scope: Scope, headers: Headers) -> Grant:
        header = self._settings.proxy_user_header
        peer = (scope.get("client") or (None,))[0]
        if not persons.comes_from(peer, self._settings.proxy_addresses):
            raise Unauthenticated(f"{header} is the proxy's to send, and {peer} is not the proxy.")
        named = headers.getlist(header)
        subject = named[0].strip()
        if len(named) != 1 or not persons.is_name(subject):
            raise Unauthenticated(f"{header} must name one person.")
        if isinstance(kept := self._kept.get(("person", subject)), Grant):
            return kept
        role = self._settings.proxy_role
        grant = await run_in_threadpool(self._look_up_person, subject, {}, None if role == "none" else role)
        self._kept.put(("person", subject), grant)
        return grant

    def _look_up_person(self, subject: str, told: Mapping[str, Role], at_least: Role | None = None) -> Grant:
        with self._database.transaction() as session:
            return persons.grant_of(session, subject, told, at_least)


def issuer_of(settings: Settings) -> "Issuer | None":
    """Return the identity provider that the settings name, or None.

    Raises
    ------
    BadIssuer
        When it cannot be trusted.
    """
    if settings.oidc_issuer is None or settings.access == "open":
        return None
    from app.access.issuer import Issuer  # it brings httpx and the cryptography of tokens, which keys do without

    return Issuer(settings.oidc_issuer, settings.oidc_audience or settings.oidc_client_id or "sufficiency")


def bootstrap_hash(file: Path | None) -> str | None:
    """Return the hash of the key in a secret file, which is good for all as long as the process runs.

    Raises
    ------
    BadKeyFile
    """
    if file is None:
        return None
    try:
        secret = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadKeyFile(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not secret.startswith(KEY_PREFIX) or len(secret) < SHORTEST_BOOTSTRAP_KEY:
        raise BadKeyFile(f"{file} has no key: write into it what `sufficiency keys new` prints")
    return keys.hash_of(secret)


def _refuse_from_afar(scope: Scope) -> None:
    """Refuse a request that came in by an address which others reach too."""
    host = (scope.get("server") or (None,))[0]
    if host and _is_address(host) and not is_loopback(host):
        raise Unauthenticated(
            f"Without keys this service answers on loopback alone, and {host} is not that; it takes "
            "SUFFICIENCY_ACCESS=keys (docs/access.md).",
            code="open_to_loopback_only",
        )


def _is_address(host: str) -> bool:
    """Return whether a server is known by its address, as against a socket, or a name in tests."""
    return ":" in host or host.replace(".", "").isdigit()
