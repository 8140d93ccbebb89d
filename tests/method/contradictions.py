"""Which claims of one answer cannot both be true."""

from collections import Counter
from collections.abc import Iterable, Iterator

from sufficiency.method.statements import Statement

_WORTH = ("worth_it", "not_worth_it", "cannot_be_told")
# Advice that takes it for settled that more data is, or is not, the way.
_INSTEAD_OF_DATA = ("Improve the model", "Try a model")


def contradictions(said: Iterable[Statement]) -> Iterator[str]:
    """Yield what is wrong with the claims of one answer."""
    statements = list(said)
    by = {one.kind: one for one in statements if one.kind not in ("limit", "advice", "others")}
    told = [one for one in statements if one.kind in _WORTH]
    if len(told) != 1:
        yield f"{len(told)} answers"
        return
    [worth] = told
    assert worth.size is not None
    expected, end = by.get("expected"), by.get("ceiling") or by.get("no_ceiling")
    if "ceiling" in by and "no_ceiling" in by:
        yield "a ceiling and none"
    if expected is not None:
        assert expected.size is not None
        if expected.n != worth.n:
            yield "judged by another size than is spoken of"
        if (expected.direction == "better") != (expected.size > 0) and expected.direction != "level":
            yield "the direction is not that of the size"
        if worth.kind == "worth_it" and expected.direction != "better":
            yield f"worth it, and {expected.direction}"
        if worth.kind == "worth_it" and expected.size < worth.size:
            yield "worth it for less than counts"
        if worth.kind == "not_worth_it" and expected.size >= worth.size:
            yield "not worth it for all that counts"
        if expected.direction == "level" and abs(expected.size) >= worth.size:
            yield "level, and moves by what counts"
    if end is not None and end.direction == "level":
        if worth.kind != "not_worth_it":
            yield "level, and perhaps worth it"
        if expected is not None and expected.direction == "worse":
            yield "level, and falls"
    if end is not None and end.direction == "better" and expected is not None and expected.direction == "worse":
        yield "gets better, and falls"
    if end is not None:
        now = by["now"]
        assert end.n is not None
        assert now.n is not None
        if end.n <= now.n:
            yield "ends before it is measured"
    advice = Counter(one.text for one in statements if one.kind == "advice")
    if twice := [text for text, often in advice.items() if often > 1]:
        yield f"advised twice: {twice}"
    if worth.kind == "worth_it" and any(text.startswith(_INSTEAD_OF_DATA) for text in advice):
        yield "worth it, and another model first"
    if worth.kind == "not_worth_it" and any(text.startswith("Collect") for text in advice):
        yield "not worth it, and collect"
