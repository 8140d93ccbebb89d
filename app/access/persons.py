"""Persons: what somebody whom an identity provider or a proxy names may do."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy.orm import Session

from app.access import projects
from app.access.caller import Grant, Place, includes
from sufficiency.schemas.words import DEFAULT_PROJECT, SCOPES, Scope

EVERYWHERE = "*"
LONGEST_SUBJECT = 500


def is_name(subject: str) -> bool:
    """Return whether a person can be called so: it is written down, and shown on terminals."""
    return 0 < len(subject) <= LONGEST_SUBJECT and subject.isprintable()


def claimed(claims: Mapping[str, Any], claim: str) -> dict[str, Scope]:
    """Return what a token's claim says of projects, ``["radiology:write", "*:read"]``; the rest of it is nothing.

    Returns
    -------
    dict from str to Scope
        By the name of the project, or `EVERYWHERE`.
    """
    told = claims.get(claim)
    entries = told if isinstance(told, list) else [told]
    found: dict[str, Scope] = {}
    for entry in entries:
        name, _, wanted = entry.rpartition(":") if isinstance(entry, str) else ("", "", "")
        for scope in SCOPES:
            if name and scope == wanted and includes(scope, found.get(name, "read")):
                found[name] = scope
    return found


def grant_of(session: Session, subject: str, told: Mapping[str, Scope], at_least: Scope | None = None) -> Grant:
    """Return what a person may do: by what was told of them, as a member, and as everybody in the default project.

    Parameters
    ----------
    subject : str
        As the members' list has the person.
    told : mapping from str to Scope
        By project, what the identity provider says.
    at_least : Scope, optional
        What everybody may do in the default project.
    """
    places = projects.places_of(session, subject)
    for name, scope in told.items():
        project = projects.find(session, name) if name != EVERYWHERE else None
        if project is not None:
            _widen(places, name, Place(project.id, scope, project.quotas))
    if at_least is not None:
        default = projects.get(session, DEFAULT_PROJECT)
        _widen(places, DEFAULT_PROJECT, Place(default.id, at_least, default.quotas))
    actor = f"person {subject}"
    return Grant(actor, actor, everywhere=told.get(EVERYWHERE), places=places)


def _widen(places: dict[str, Place], name: str, place: Place) -> None:
    if name not in places or includes(place.scope, places[name].scope):
        places[name] = place


def comes_from(host: str | None, networks: str) -> bool:
    """Return whether an address is in one of the networks."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return False
    return any(address in network for network in _networks(networks) if network.version == address.version)


@lru_cache(maxsize=8)
def _networks(texts: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(text) for text in texts.split(",") if text]
