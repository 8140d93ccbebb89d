"""Checks of who is let in: what the settings say, whether it can work, and whether the API does as they say."""

import ipaddress
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.access.credentials import BadKeyFile, bootstrap_hash, issuer_of
from app.access.errors import BadIssuer, IssuerAway
from app.access.exposure import HOW, why_exposed
from app.db.tables import ApiKey, Member
from app.doctor.findings import Check, Finding
from app.settings import Settings


def examine_access(settings: Settings) -> Iterator[Finding]:
    """Yield what there is to say of who is let in, and whether the API goes by it."""
    if settings.access == "open":
        if (why := why_exposed(settings.access, settings.host)) is not None:
            yield Finding("access", "wrong", f"it would listen on {settings.host}, where {why}", f"{HOW}.")
        else:
            yield Finding("access", "ok", f"open, to this machine alone: it listens on {settings.host}")
        return
    if settings.access == "proxy":
        yield from _proxy(settings)
    else:
        yield Finding("access", "ok", "with keys, and tokens of an identity provider where one is named")
    yield from _secret_files(settings)
    yield from _issuer(settings)
    yield from _asked_without_a_key(settings)


def _proxy(settings: Settings) -> Iterator[Finding]:
    networks = [ipaddress.ip_network(one.strip()) for one in settings.proxy_addresses.split(",") if one.strip()]
    said = f"{settings.proxy_user_header} from {', '.join(map(str, networks))}"
    if any(network.prefixlen == 0 for network in networks):
        remedy = "name the proxy's own addresses in SUFFICIENCY_PROXY_ADDRESSES"
        yield Finding("access", "wrong", f"whoever sends {said} is believed: that is everybody", remedy)
    else:
        yield Finding("access", "ok", f"by a proxy, which names persons in {said}; and with keys")


def _secret_files(settings: Settings) -> Iterator[Finding]:
    """Look at the files that hold secrets; those of another machine lie there."""
    if (file := settings.bootstrap_key_file) is not None:
        try:
            bootstrap_hash(file)
            yield _to_itself("bootstrap_key", file, "SUFFICIENCY_BOOTSTRAP_KEY_FILE")
        except BadKeyFile as error:
            remedy = "write into it what `sufficiency keys new` prints, for the user who runs the API to read"
            yield Finding("bootstrap_key", "wrong", str(error), remedy)
    if (file := settings.oidc_client_secret_file) is not None:
        try:
            file.read_text()
            yield _to_itself("client_secret", file, "SUFFICIENCY_OIDC_CLIENT_SECRET_FILE")
        except (OSError, UnicodeDecodeError) as error:
            detail = f"{file} cannot be read: {getattr(error, 'strerror', None) or error}"
            yield Finding("client_secret", "wrong", detail, "let the user who runs the API read it")


def _to_itself(check: str, file: Path, setting: str) -> Finding:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        detail = f"{file} can be read by more than its owner (mode {mode:03o})"
        return Finding(check, "note", detail, f"chmod 600 it, or mount what {setting} names for the API alone")
    return Finding(check, "ok", f"{file} can be read by its owner alone")


def _issuer(settings: Settings) -> Iterator[Finding]:
    try:
        issuer = issuer_of(settings)
    except BadIssuer as error:
        yield Finding("issuer", "wrong", str(error), "name one of https in SUFFICIENCY_OIDC_ISSUER")
        return
    if issuer is None:
        return
    try:
        count = issuer.look()
    except IssuerAway as error:
        remedy = "see that this machine reaches it; until then its tokens are refused, and keys are taken"
        yield Finding("issuer", "wrong", f"{settings.oidc_issuer}: {error.detail}", remedy)
        return
    if count:
        yield Finding(
            "issuer", "ok", f"{settings.oidc_issuer} answers, and signs with {count} key{'s' if count > 1 else ''}"
        )
    else:
        detail = f"{settings.oidc_issuer} answers, and names no key that tokens are signed with"
        yield Finding("issuer", "wrong", detail, "see what is at the jwks_uri that it names")


def _asked_without_a_key(settings: Settings) -> Iterator[Finding]:
    """Ask the API as somebody whom nobody knows."""
    url = settings.url.rstrip("/")
    try:
        answer = httpx.get(f"{url}/caller", timeout=5.0, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL):
        return  # which the finding of the API says
    if answer.status_code == 200:
        detail = f"{url} lets in who sends no key: it does not run with these settings"
        yield Finding("door", "wrong", detail, f"start it with SUFFICIENCY_ACCESS={settings.access}")
    elif answer.status_code == 401:
        yield Finding("door", "ok", f"{url} refuses who sends no key")


def _administrators(session: Session, settings: Settings) -> Iterator[Finding]:
    """Whether there is anybody who can make projects and keys."""
    if settings.access == "open":
        return
    taken = ApiKey.revoked_at.is_(None) & or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now())
    by_scope = session.execute(select(ApiKey.scope, func.count()).where(taken).group_by(ApiKey.scope))
    keys = {scope: int(count) for scope, count in by_scope}
    of_service = session.scalar(select(func.count()).where(taken, ApiKey.project_id.is_(None))) or 0
    members = session.scalar(select(func.count()).select_from(Member)) or 0
    if settings.bootstrap_key_file is None and not of_service:
        administer = keys.get("admin", 0) or session.scalar(select(Member.subject).where(Member.role == "admin"))
        remedy = "name a file with what `sufficiency keys new` prints in SUFFICIENCY_BOOTSTRAP_KEY_FILE"
        detail = "no key of the service is taken, so that nobody can make a project or limit one"
        yield Finding("keys", "note" if administer else "wrong", detail, f"{remedy}, and start the API again")
        return
    soon = select(ApiKey.name).where(taken, ApiKey.expires_at < func.now() + func.make_interval(0, 0, 0, 7))
    if ending := session.scalars(soon.order_by(ApiKey.expires_at)).all():
        detail = f"keys that end within a week: {len(ending)} ({', '.join(ending[:3])}{', …' if ending[3:] else ''})"
        yield Finding("keys", "note", detail, "see `sufficiency keys list`, and `sufficiency keys rotate ID`")
    else:
        detail = f"taken keys: {sum(keys.values())}, of the service: {of_service}; members: {members}"
        yield Finding("keys", "ok", detail)


CHECKS: dict[str, Check] = {"keys": _administrators}
