"""Cells that could not be measured: what the answers without them say of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# So many cells, and so many reasons, are named one by one.
MOST_CELLS, MOST_REASONS = 50, 3


@dataclass(frozen=True)
class Gap:
    """A cell that could not be measured, and the error of its last try."""

    run: int
    step: int
    n: int
    error: Mapping[str, Any]


def gaps_warning(gaps: Sequence[Gap], cells_total: int) -> dict[str, Any] | None:
    """Return the warning that cells could not be measured, how many and why; None where all could be."""
    if not gaps:
        return None
    reasons: dict[str, list[Gap]] = {}
    for gap in gaps:
        reasons.setdefault(_kind(gap.error), []).append(gap)
    by_number = sorted(reasons.values(), key=len, reverse=True)
    told = "; ".join(f"{_places(of_one)}: {_why(of_one[0])}" for of_one in by_number[:MOST_REASONS])
    more = f"; and {len(by_number) - MOST_REASONS} other reasons" if len(by_number) > MOST_REASONS else ""
    return {
        "code": "cells_not_measurable",
        "metric": None,
        "class": None,
        "cells": len(gaps),
        "places": [{"run": gap.run, "step": gap.step, "n": gap.n} for gap in gaps[:MOST_CELLS]],
        "reasons": [
            {"cells": len(of_one), "n": sorted({gap.n for gap in of_one}), "error": _brief(of_one[0].error)}
            for of_one in by_number[:MOST_REASONS]
        ],
        "detail": f"{len(gaps)} of {cells_total} cells could not be measured, and the curves are without them. "
        f"{told}{more}. Retrying the job tries them again.",
    }


def _kind(error: Mapping[str, Any]) -> str:
    """Return what errors for the same reason have in common: their text without its numbers."""
    where = error.get("where") or {}
    text = error.get("exception") or error.get("detail") or ""
    return f"{error.get('code')} {where.get('plugin')} {re.sub(r'[0-9.]+', '#', str(text))}"


def _places(gaps: Sequence[Gap]) -> str:
    sizes: dict[int, list[int]] = {}
    for gap in gaps:
        sizes.setdefault(gap.n, []).append(gap.run)
    listed = [f"n = {n:,} ({_runs(runs)})" for n, runs in list(sizes.items())[:MOST_REASONS]]
    return ", ".join(listed) + (f" and {len(sizes) - len(listed)} more sizes" if len(sizes) > len(listed) else "")


def _runs(runs: Sequence[int]) -> str:
    if len(runs) > 5:
        return f"{len(runs)} runs"
    return f"run{'s' if len(runs) > 1 else ''} {', '.join(map(str, sorted(runs)))}"


def _why(gap: Gap) -> str:
    error, where = gap.error, gap.error.get("where") or {}
    if error.get("exception") and where.get("plugin"):
        return f"{where['plugin']} raised {_short(error['exception'])}"
    return _short(error.get("detail") or str(error.get("code"))).rstrip(".")


def _short(text: str, most: int = 300) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _brief(error: Mapping[str, Any]) -> dict[str, Any]:
    return {name: error[name] for name in ("code", "where", "exception") if name in error}
