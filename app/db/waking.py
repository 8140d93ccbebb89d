"""Who has something to do once a session has committed: looked for at once, and not only when it is time."""

from typing import Literal

from sqlalchemy.orm import Session

Whom = Literal["relay", "deliverer"]

_AFTERWARDS = "afterwards"  # in `Session.info`


def asks(session: Session, whom: Whom) -> None:
    """Say that a session leaves something to do."""
    session.info.setdefault(_AFTERWARDS, set()).add(whom)


def asked(session: Session) -> frozenset[Whom]:
    """Return for whom a session has left something to do."""
    return frozenset(session.info.get(_AFTERWARDS, ()))
