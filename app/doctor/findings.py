"""What a check has found."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from app.settings import Settings

NAMED = 3  # of the jobs, units or datasets that something is wrong with

Level = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    check : str
        Stable name of the check.
    level : {"ok", "note", "wrong"}
    detail : str
    remedy : str
        What to do; empty where nothing is wrong.
    """

    check: str
    level: Level
    detail: str
    remedy: str = ""


Check = Callable[[Session, Settings], Iterator[Finding]]


def listed(check: str, items: Sequence[object], what: str, remedy: str, good: str = "") -> Finding:
    """Return what is wrong with some items, the first of them named; `good` where there are none."""
    if not items:
        return Finding(check, "ok", good)
    return Finding(check, "wrong", f"{what}: {len(items)} ({_few(items)})", remedy)


def _few(items: Sequence[object]) -> str:
    return ", ".join(map(str, items[:NAMED])) + (", …" if len(items) > NAMED else "")
