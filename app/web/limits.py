"""What a request may carry: how much, and which characters and numbers."""

import math
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import FieldError, Invalid, field_error, pointer, told
from app.web.problem import problem_response
from sufficiency.schemas.limits import DEPTH, ERRORS

MAX_INTEGER = 2**63
TOO_LARGE = ("body_too_large", "Content too large")


def is_upload(scope: Scope) -> bool:
    """Return whether a request brings a file, which nobody reads before its place is known, and has its own limits."""
    return scope["method"] == "PUT" and str(scope["path"]).startswith("/uploads/")


class BodyLimit:
    """Refuses bodies above a size, by their declared length or while they arrive.

    Parameters
    ----------
    app : ASGIApp
        What is behind it.
    limit : int
        Bytes.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or is_upload(scope):
            await self.app(scope, receive, send)
            return
        detail = f"The body may have at most {self.limit} bytes."
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > self.limit:
            response = problem_response(Request(scope), 413, *TOO_LARGE, detail)
            await response(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit:
                raise HTTPException(413, detail)
            return message

        await self.app(scope, counted, send)


async def refuse_nul(request: Request) -> None:
    """Refuse NUL characters in path and query: PostgreSQL has no text with them."""
    if "\x00" in request.url.path or "\x00" in request.scope["path"]:
        raise Invalid("The path contains a NUL character.")
    for name, value in request.query_params.multi_items():
        if "\x00" in name or "\x00" in value:
            raise Invalid(
                f"{name.replace(chr(0), '')!r} contains a NUL character.",
                errors=[field_error(name.replace("\x00", ""), "contains a NUL character")],
            )


def plain_json(body: Any) -> Any:
    """Return the body if JSON and PostgreSQL can both hold all of it.

    Raises
    ------
    Invalid
        For NUL characters, lone surrogates, numbers that are not finite or beyond 64 bits, and deep nesting.
    """
    errors: list[FieldError] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), body)]
    while waiting and len(errors) < ERRORS:
        where, value = waiting.pop()
        problem = None
        if isinstance(value, str):
            problem = _text_problem(value)
        elif isinstance(value, bool) or value is None:
            continue
        elif isinstance(value, int):
            problem = None if -MAX_INTEGER <= value < MAX_INTEGER else "an integer beyond 64 bits"
        elif isinstance(value, float):
            problem = None if math.isfinite(value) else "not a finite number"
        elif len(where) >= DEPTH:
            problem = f"nested more than {DEPTH} deep"
        elif isinstance(value, dict):
            for key, inner in value.items():
                if found := _text_problem(key):
                    errors.append(field_error(pointer(*where), f"a key {found}"))
                else:
                    waiting.append(((*where, key), inner))
        elif isinstance(value, list):
            waiting.extend(((*where, i), inner) for i, inner in enumerate(value))
        if problem:
            errors.append(field_error(pointer(*where), problem))
    if errors:
        raise Invalid(told(errors), errors=errors)
    return body


def _text_problem(text: str) -> str | None:
    if "\x00" in text:
        return "contains a NUL character"
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        return "contains a lone surrogate, which is no character"
    return None
