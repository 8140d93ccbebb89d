"""The order in which files of tests are handed out."""

from pathlib import Path
from types import SimpleNamespace

from tests.support.order import LONG, TOGETHER, group, longest_first

ROOT = Path(__file__).resolve().parents[1]


def test_what_is_named_is_there_and_in_one_group() -> None:
    together = [file for files in TOGETHER.values() for file in files]
    assert len(together) == len(set(together))
    for file in [*together, *LONG.keys() - TOGETHER.keys()]:
        assert (ROOT / file).exists(), file
    assert list(LONG.values()) == sorted(LONG.values(), reverse=True)


def test_the_longest_come_first_each_group_in_one_piece() -> None:
    long = [file for name in LONG for file in TOGETHER.get(name, (name,))]
    rest = ["tests/b.py", "tests/a.py"]
    items = [SimpleNamespace(path=ROOT / file) for file in ("tests/b.py", *reversed(long), "tests/a.py", *long)]
    ordered = [item.path.relative_to(ROOT).as_posix() for item in longest_first(items, ROOT)]
    assert ordered[-2:] == rest
    groups = [group(file) for file in ordered[:-2]]
    assert list(dict.fromkeys(groups)) == list(LONG)
    assert groups == sorted(groups, key=list(LONG).index)
