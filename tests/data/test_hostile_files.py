"""A hostile file is refused with a reason, or read; it takes no more memory than what it holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sufficiency.data.errors import DatasetError
from sufficiency.settings import get_settings
from tests.data.hostile import CASES, FORMS, Content, mutations

MOST_MIB = 200


def resident(what: str) -> int:
    """Return the KiB of memory that this process has (VmRSS), or has had at most since it was last asked (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


@contextmanager
def bounded(mebibytes: int) -> Iterator[None]:
    """Fail where the block takes more memory than that, for however short a time."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        yield  # no such counter here
        return
    before = resident("VmRSS")
    yield
    assert resident("VmHWM") - before < mebibytes * 1024


def outcome(form: str, content: bytes, folder: Path) -> str:
    """Return why a file is refused, or "read"; whatever else is raised goes on."""
    FORMS[form].lay(folder, content)
    try:
        with bounded(MOST_MIB):
            len(FORMS[form].read())
    except DatasetError as error:
        return str(error)
    return "read"


@pytest.mark.parametrize("form", FORMS)
def test_what_is_whole_is_read(form: str, root: Path) -> None:
    assert outcome(form, FORMS[form].whole, root) == "read"


# What is read all the same: it is unpacked, or so little of it is gone that nothing is missing.
STILL_READ = {("idx", "packed"), ("image", "cut off at its end")}


@pytest.mark.parametrize(("form", "what", "content"), CASES, ids=[f"{form}: {what}" for form, what, _ in CASES])
def test_what_is_hostile_is_refused_with_a_reason(form: str, what: str, content: Content, root: Path) -> None:
    told = outcome(form, content() if callable(content) else content, root)
    assert (told == "read") == ((form, what) in STILL_READ), told
    assert str(root) not in told, "where the data lie is nobody's business"
    assert len(told) < 2000


@pytest.mark.slow
def test_two_thousand_changed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = 0
    for seed in range(250):
        for number, (form, what, content) in enumerate(mutations(seed)):
            folder = tmp_path / f"{seed}-{number}"
            folder.mkdir()
            monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(folder))
            get_settings.cache_clear()
            try:
                refused += outcome(form, content, folder) != "read"
            except Exception as error:
                raise AssertionError(f"{form}, {what}") from error
    assert refused > 500
