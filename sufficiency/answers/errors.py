"""What a question is refused with: of one of three kinds, with a stable code and what the detail is about."""

import difflib
from collections.abc import Iterable

from sufficiency.schemas.limits import ANSWERED_VALUES

MOST_LISTED = 20


class QuestionError(Exception):
    """A question that gets no answer, and why.

    Parameters
    ----------
    detail : str
        A sentence that says what is wrong this time and what to do about it.
    code : str
        Stable name of the problem.
    pointer : str, optional
        Name of the parameter that it is about, if it is about one.
    """

    def __init__(self, detail: str, code: str, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.pointer = pointer


class UnknownSubject(QuestionError):
    """It is about something that the study does not have."""


class Unanswerable(QuestionError):
    """What is measured does not allow for an answer, or not yet."""


class BadQuestion(QuestionError):
    """It asks for something that cannot be."""


class UnknownMetric(UnknownSubject):
    """It names a metric that the study does not have; `known` are those that it has."""

    def __init__(self, name: str, known: Iterable[str], pointer: str) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name[:100], names[:1000], n=3) if len(names) > MOST_LISTED else []
        more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
        listed = ", ".join(near) + " among others" if near else ", ".join(names[:MOST_LISTED]) + more
        has = f"; it has {listed}" if names else ""
        super().__init__(f"The job has no metric {name!r}{has}.", "unknown_metric", pointer)


class UnknownClass(UnknownSubject):
    """It names a class of which the study has no value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No metric of the job has a class {name!r}.", "unknown_class", "class")


class TooLittleMeasured(Unanswerable):
    """There is too little for a curve."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, "not_enough_data")


class OutOfBounds(BadQuestion):
    """It is about a target that the metric cannot take."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, "target_out_of_bounds", "target")


class TooMuchAsked(BadQuestion):
    """Its answer would have no end."""

    def __init__(self, detail: str, pointer: str) -> None:
        super().__init__(detail, "too_much_asked", pointer)


def require_few(pointer: str, asked: int, curves: int) -> None:
    """Refuse a question that is asked of too many curves.

    Raises
    ------
    TooMuchAsked
    """
    if asked * curves > ANSWERED_VALUES:
        detail = (
            f"{asked} values of `{pointer}` for {curves} curves are {asked * curves} answers; at most "
            f"{ANSWERED_VALUES} are given at a time: ask of fewer, or name a `metric`."
        )
        raise TooMuchAsked(detail, pointer)
