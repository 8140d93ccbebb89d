"""The order in which files of tests are handed out, and what is told of the time that they take."""

import re
from pathlib import Path
from types import SimpleNamespace

from tests.support.order import LONG, TOGETHER, group, longest_first
from tests.support.parts import parts, table

ROOT = Path(__file__).resolve().parents[1]
# Whatever takes the standing service, or a test that takes its client.
ASKS = re.compile(r"^def (\w+\([^)]*\bservice: Service|test_\w+\([^)]*\bclient: httpx\.Client)\b", re.MULTILINE)


def test_what_is_named_is_there_and_in_one_group() -> None:
    together = [file for files in TOGETHER.values() for file in files]
    assert len(together) == len(set(together))
    for file in [*together, *LONG.keys() - TOGETHER.keys()]:
        assert (ROOT / file).exists(), file
    assert list(LONG.values()) == sorted(LONG.values(), reverse=True)


def test_whoever_talks_to_the_standing_service_is_in_its_group() -> None:
    asks = [file for file in sorted((ROOT / "tests" / "system").glob("test_*.py")) if ASKS.search(file.read_text())]
    assert [file.relative_to(ROOT).as_posix() for file in asks] == sorted(TOGETHER["the standing service"])


def test_the_longest_come_first_each_group_in_one_piece() -> None:
    long = [file for name in LONG for file in TOGETHER.get(name, (name,))]
    rest = ["tests/b.py", "tests/a.py"]
    items = [SimpleNamespace(path=ROOT / file) for file in ("tests/b.py", *reversed(long), "tests/a.py", *long)]
    ordered = [item.path.relative_to(ROOT).as_posix() for item in longest_first(items, ROOT)]
    assert ordered[-2:] == rest
    groups = [group(file) for file in ordered[:-2]]
    assert list(dict.fromkeys(groups)) == list(LONG)
    assert groups == sorted(groups, key=list(LONG).index)


def test_parts_are_added_up_over_fixtures_and_tests() -> None:
    def report(test: str, when: str, duration: float) -> SimpleNamespace:
        return SimpleNamespace(nodeid=test, when=when, duration=duration)

    told = [
        report("tests/web/test_a.py::test_b", "setup", 2.0),
        report("tests/web/test_a.py::test_b", "call", 1.0),
        report("tests/test_house.py::test_c", "call", 0.5),
        SimpleNamespace(nodeid="a warning"),
    ]
    assert parts(told) == [("web", 3.0, 1), ("test_house.py", 0.5, 1)]
    assert table(told)[0].split() == ["3.0", "s", "1", "tests", "web"]
