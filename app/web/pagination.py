"""Keyset pages: a cursor names the last item seen, so that a page costs the same wherever it is."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query
from pydantic import TypeAdapter, ValidationError

from app.errors import Invalid, field_error
from sufficiency.schemas.limits import CURSOR_CHARACTERS

T = TypeVar("T")
K = TypeVar("K")

Cursor = Annotated[str | None, Query(max_length=CURSOR_CHARACTERS, description="`next_cursor` of the page before")]


def encode_cursor(key: Any) -> str:
    """Return the cursor of the item with this key."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, key: TypeAdapter[K]) -> K:
    """Return the key in a cursor.

    Raises
    ------
    Invalid
        When the cursor is none that this list has given.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if b"\\u0000" in text:
            raise ValueError
        value = key.validate_json(text, strict=False)
    except (ValueError, binascii.Error, ValidationError):
        detail = "Not a cursor of this list; take `next_cursor` of its last page, or leave it out to begin."
        raise Invalid(detail, errors=[field_error("cursor", detail)]) from None
    else:
        return value


def page_of(rows: Sequence[T], limit: int, key: Callable[[T], Any]) -> tuple[list[T], str | None]:
    """Return the page and its next cursor from up to `limit` + 1 rows.

    Parameters
    ----------
    rows : sequence
        In the list's order; one more than the page if there is more.
    limit : int
        Size of a page.
    key : callable
        What the order is by.
    """
    page = list(rows[:limit])
    return page, encode_cursor(key(page[-1])) if len(rows) > limit else None
