"""What went wrong and what to do about it: the one shape of an error in units, jobs and datasets."""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sufficiency.schemas.plain import plain
from sufficiency.training.small_sets import advice_on

TRACEBACK_LINES = 20
LONGEST_TEXT = 2_000


def fault(
    code: str,
    detail: str,
    where: Mapping[str, Any] | None = None,
    *,
    exception: BaseException | None = None,
) -> dict[str, Any]:
    """Return an error object.

    Parameters
    ----------
    code : str
        Stable, snake_case.
    detail : str
        A sentence that says what happened and what to do.
    where : Mapping, optional
        Of "run", "step", "n", "plugin", "phase" those that are known.
    exception : BaseException, optional
        What was raised; its type, message and last lines of traceback are kept.
    """
    error: dict[str, Any] = {"code": code, "detail": storable(detail), "where": dict(where or {})}
    if exception is not None:
        lines = "".join(traceback.format_exception(exception)).splitlines()
        error["exception"] = describe(exception)
        error["traceback"] = [storable(line) for line in lines[-TRACEBACK_LINES:]]
    return error


def describe(exception: BaseException) -> str:
    """Return "TypeName: message"; an exception whose own message cannot be made still gives its type."""
    try:
        message = str(exception)
    except Exception:
        message = ""
    return storable(f"{type(exception).__name__}: {message}".rstrip(": "))


def storable(text: str) -> str:
    """Return a text as it is kept: what controls a terminal or the way of reading written out, of bounded length."""
    said = plain(text[: LONGEST_TEXT + 1])
    return said if len(said) <= LONGEST_TEXT else said[: LONGEST_TEXT - 1] + "…"


def clean_text(text: str) -> str:
    """Return a text without what neither PostgreSQL nor UTF-8 can hold.

    NUL becomes U+FFFD; half of a surrogate pair, such as of a file's name that is not UTF-8, is spelt out.
    """
    return text.replace("\x00", "\ufffd").encode("utf-8", "backslashreplace").decode()


def at_cell(where: Mapping[str, Any]) -> str:
    """Return the cell that `where` names, as it follows in a sentence, or nothing where it names none."""
    return f" in run {where['run']}, step {where['step']} (n = {where['n']})" if "run" in where else ""


class Fault(Exception):
    """A request that cannot be carried out, with the error object that says why.

    Attributes
    ----------
    error : dict
        As `fault` makes it.
    """

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["detail"])
        self.error = error


@contextmanager
def blamed_on(plugin: str, phase: str, cell: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Turn whatever the block raises into a Fault that names the plugin, the phase and the cell."""
    try:
        yield
    except Fault:
        raise
    except Exception as error:
        where = {**(cell or {}), "plugin": plugin, "phase": phase}
        said = describe(error)
        advice = advice_on(said, where) or "Mend the plugin or its params, then retry the job."
        detail = f"{plugin} raised {said.rstrip('.')}{at_cell(where)}. {advice}"
        raise Fault(fault("plugin_raised", detail, where, exception=error)) from error
