"""Text of strangers, made harmless where it is shown: no control of a terminal, no formula of a spreadsheet, no end."""

import hashlib
import re
from typing import Any

from sufficiency.schemas.limits import CLASS_NAME_CHARACTERS

# What moves a cursor, sets a title or turns the direction of reading round; of those, ends of lines and tabs may stay.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_ENDS = re.compile("[\t\n]")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_DIGEST_CHARACTERS = 8


def plain(text: str) -> str:
    r"""Return a text in which control characters are written out.

    Examples
    --------
    >>> plain("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return _CONTROLS.sub(_written_out, text)


def plain_answer(answer: Any) -> Any:
    """Return an answer of the API with control characters in its texts, at any depth, written out."""
    if isinstance(answer, str):
        return plain(answer)
    if isinstance(answer, dict):
        return {plain(name): plain_answer(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [plain_answer(value) for value in answer]
    return answer


def class_name(name: str) -> str:
    """Return a class's name as it is known: on one line, without control characters, and of bounded length.

    What is shortened ends with a digest of the whole, so that different names stay different.
    """
    said = _ENDS.sub(_written_out, plain(name))
    if len(said) <= CLASS_NAME_CHARACTERS:
        return said
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{said[: CLASS_NAME_CHARACTERS - _DIGEST_CHARACTERS - 1]}…{digest}"


def cell(value: Any) -> Any:
    """Return a table's cell such that no spreadsheet takes its text for a formula; numbers stay numbers.

    Examples
    --------
    >>> [cell(value) for value in ("=1+1", "-5", -5, "cat")]
    ["'=1+1", '-5', -5, 'cat']
    """
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
