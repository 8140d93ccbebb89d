"""What a service says no with: a type with a status and a stable code, which the HTTP side renders as a problem."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TypedDict

from sufficiency.schemas.limits import DETAIL_CHARACTERS, ERRORS, POINTER_CHARACTERS

LONGEST_COMPARED, MOST_COMPARED = 100, 1000


class FieldError(TypedDict):
    """One bad field: a JSON pointer into the body (``#/training/params/lr``) or the name of a parameter."""

    pointer: str
    detail: str


class Faults(list[FieldError]):
    """The first bad fields of a request, and how many there are."""

    def __init__(self, listed: Iterable[FieldError], total: int) -> None:
        super().__init__(listed)
        self.total = total

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> "Faults":
        """Return bad fields as they are answered: no more than a reader looks at, and none longer."""
        total = errors.total if isinstance(errors, Faults) else len(errors)
        first = islice(errors, ERRORS)
        return cls(
            (field_error(shortened(e["pointer"], POINTER_CHARACTERS), shortened(e["detail"])) for e in first), total
        )


def told(errors: Sequence[FieldError]) -> str:
    """Return bad fields in a sentence: the first three, and how many more there are."""
    total = errors.total if isinstance(errors, Faults) else len(errors)
    first = "; ".join(f"{shortened(e['pointer'], POINTER_CHARACTERS)}: {e['detail']}" for e in errors[:3])
    return first + (f"; and {total - 3} more" if total > 3 else "")


def shortened(text: str, most: int = DETAIL_CHARACTERS) -> str:
    """Return a text of at most so many characters; what is left out is from its middle."""
    if len(text) <= most:
        return text
    head = most * 2 // 3
    return f"{text[:head]} … {text[len(text) - (most - head - 3) :]}"


class ServiceError(Exception):
    """A request that cannot be served, and why.

    Parameters
    ----------
    detail : str
        A sentence that says what is wrong this time and what to do about it.
    code : str, optional
        Stable name of the problem; default the class's own.
    errors : sequence of FieldError
        The bad fields, if it is about fields.
    headers : mapping
        Response headers.
    """

    status = 400
    code = "bad_request"
    title = "The request cannot be served"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.errors = Faults.of(errors)
        self.headers = dict(headers or {})


class NotFound(ServiceError):
    """What the address names is not there."""

    status = 404
    code = "not_found"
    title = "Not found"


class Conflict(ServiceError):
    """The state of things does not allow it."""

    status = 409
    code = "conflict"
    title = "Not possible in the present state"


class Invalid(ServiceError):
    """The request is well formed but asks for something that cannot be."""

    status = 422
    code = "invalid_request"
    title = "The request is not valid"


def pointer(*parts: str | int) -> str:
    """Return the JSON pointer (RFC 6901, as a URI fragment) of a place in the body.

    Examples
    --------
    >>> pointer("training", "params", "a/b")
    '#/training/params/a~1b'
    """
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def field_error(where: str, detail: str) -> FieldError:
    """Return one bad field."""
    return {"pointer": where, "detail": detail}


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the known names that are like a name, or the first of them all."""
    # Likeness takes the product of both lengths, for each of the names.
    if close := difflib.get_close_matches(name[:LONGEST_COMPARED], known[:MOST_COMPARED], n=3, cutoff=0.5):
        return f"nearest: {', '.join(close)}"
    more = f" and {len(known) - 10} more" if len(known) > 10 else ""
    return f"known: {', '.join(list(known)[:10])}{more}"
