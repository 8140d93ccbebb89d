"""Which kinks lie between the sizes of a job, in sentences; and which of its steps belong to one curve."""

from collections.abc import Sequence
from typing import Any

from sufficiency.method.curve import LEAST_STEPS
from sufficiency.method.kinks.rules import Met

CODE = "size_dependent_default"
MOST_SIZES_NAMED = 6


def warnings_between(met: Sequence[Met], steps: Sequence[int], farthest: float | None = None) -> list[dict[str, Any]]:
    """Return a warning for each threshold between the first step and the last one, or the farthest size asked for.

    Parameters
    ----------
    met : sequence of Met
        What the learner meets at whatever size.
    steps : sequence of int
        The sizes that are measured.
    farthest : float, optional
        The largest size that is asked for or answered, where it is beyond the last step.
    """
    if not steps:
        return []
    return [one for kink in met if (one := _warning(kink, steps, farthest)) is not None]


def drifts(met: Sequence[Met]) -> list[dict[str, Any]]:
    """Return a warning for each setting that changes from every size to the next."""
    found = [one for one in met if one.kink.form == "drift"]
    return [_told(one, None, f"{one.subject}: {one.says}; {one.kink.remedy}.") for one in found]


def everywhere(met: Sequence[Met]) -> list[str]:
    """Return a sentence for each row of the table that a learner meets, in order of size: what `plugins check` says."""
    ordered = sorted(met, key=lambda one: (one.n is None, one.n or 0))
    return [f"{one.subject}: {one.says}{_where(one)}; {one.kink.remedy}" for one in ordered]


def _where(one: Met) -> str:
    return f" (n = {one.n:,})" if one.n is not None else ""


def _warning(one: Met, steps: Sequence[int], farthest: float | None) -> dict[str, Any] | None:
    first, last = min(steps), max(steps)
    if one.at is not None:
        if not (sizes := [n for n in sorted(steps) if one.at(n)]):
            return None
        named = ", ".join(f"{n:,}" for n in sizes[:MOST_SIZES_NAMED]) + (", …" if len(sizes) > MOST_SIZES_NAMED else "")
        sentence = f"At n = {named} {one.subject} has a kink that is not the data's: {one.says}. Remedy: {_remedy(one)}"
        return _told(one, None, sentence)
    if one.n is None or one.n <= first or one.n > max(last, farthest or 0):
        return None
    where = "between the steps" if one.n <= last else "beyond the largest step, before the size asked for"
    sentence = f"{one.subject} changes at n = {one.n:,}, {where}: {one.says}. Remedy: {_remedy(one)}"
    return _told(one, one.n, sentence)


def _remedy(one: Met) -> str:
    return f"{one.kink.remedy}."


def _told(one: Met, n: int | None, detail: str) -> dict[str, Any]:
    return {"code": CODE, "kink": one.kink.code, "metric": None, "class": None, "n": n, "detail": detail}


def one_curve(met: Sequence[Met], sizes: Sequence[int]) -> tuple[int, int]:
    """Return the smallest and the largest of the sizes that belong to one curve.

    What is measured on the far side of a threshold is of another learner. The side of the larger sizes is kept, since
    these are what a projection goes on from, wherever it has steps enough for a curve; else the other side is.

    Parameters
    ----------
    met : sequence of Met
    sizes : sequence of int
        Measured, at least one.
    """
    kept = sorted(set(sizes))
    for n in sorted({one.n for one in met if one.breaks and one.n is not None}, reverse=True):
        below, above = [size for size in kept if size < n], [size for size in kept if size >= n]
        if not below or not above:
            continue
        if len(above) >= LEAST_STEPS:
            kept = above
        elif len(below) >= LEAST_STEPS:
            kept = below
    return kept[0], kept[-1]


def left_out_warning(met: Sequence[Met], sizes: Sequence[int], low: float, high: float) -> dict[str, Any] | None:
    """Return the warning that sizes outside of what was fitted are left out, naming the thresholds; None without any.

    Parameters
    ----------
    sizes : sequence of int
        Measured.
    low, high : float
        The smallest and the largest size that the curve was fitted to.
    """
    out = [n for n in sorted(set(sizes)) if not low <= n <= high]
    breaks = [one for one in met if one.breaks and one.n is not None and min(sizes) < one.n <= max(sizes)]
    breaks = [one for one in breaks if one.n is not None and (one.n <= low or one.n > high)]
    if not out or not breaks:
        return None
    named = ", ".join(f"{n:,}" for n in out[:MOST_SIZES_NAMED]) + (", …" if len(out) > MOST_SIZES_NAMED else "")
    because = "; ".join(f"{one.subject} changes at n = {one.n:,} ({one.says})" for one in breaks)
    detail = (
        f"What was measured at n = {named} is left out of the curve, being on the far side of a threshold: {because}."
    )
    if max(out) > high:
        detail += " Too few steps lie beyond it for a curve of their own, so that this one is of the learner before it."
    return {"code": "left_out_of_fit", "metric": None, "class": None, "sizes": out, "detail": detail}
