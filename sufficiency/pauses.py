"""How long to pause before something is tried again: what everything here that tries again has in common."""

from datetime import UTC, datetime


def doubling(first: float, failures: int, longest: float) -> float:
    """Return the seconds to pause after so many failures in a row: `first` after one, twice as long after each more.

    Examples
    --------
    >>> [doubling(2.0, failures, 60.0) for failures in (1, 2, 3, 10)]
    [2.0, 4.0, 8.0, 60.0]
    """
    return float(min(first * 2 ** min(failures - 1, 30), longest))


def retry_after(header: str) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, by a number or a date; None where it names neither.

    Examples
    --------
    >>> retry_after("7"), retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), retry_after("soon")
    (7.0, 0.0, None)
    """
    from email.utils import parsedate_to_datetime

    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
