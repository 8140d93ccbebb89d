from pathlib import Path
from typing import Any

import pytest

from sufficiency.settings import get_settings


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The first of two data roots of the test's own; the second is `second` beside it."""
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    get_settings.cache_clear()
    yield tmp_path / "first"
    get_settings.cache_clear()
