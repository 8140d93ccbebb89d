"""What each part of the tests takes: the seconds of its tests and their fixtures, added up over all processes."""

from collections import Counter
from collections.abc import Iterable
from typing import Any


def part_of(test: str) -> str:
    """Return the folder of tests that a test is in, or its file beside them."""
    return test.split("::")[0].removeprefix("tests/").split("/")[0]


def parts(reports: Iterable[Any]) -> list[tuple[str, float, int]]:
    """Return each part with its seconds and its tests, the longest first."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in reports:
        # Without `duration` it is no test's: a warning, or a file that could not be collected.
        if hasattr(report, "duration") and hasattr(report, "when"):
            seconds[part_of(report.nodeid)] += report.duration
            tests[part_of(report.nodeid)] += report.when == "call"
    return [(part, taken, tests[part]) for part, taken in seconds.most_common()]


def table(reports: Iterable[Any]) -> list[str]:
    """Return the lines that tell it."""
    return [f"{taken:8.1f} s {count:6} tests  {part}" for part, taken, count in parts(reports)]
