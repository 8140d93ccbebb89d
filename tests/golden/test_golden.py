"""The goldens notice what they are there to notice."""

import json
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from tests.golden import golden
from tests.golden.golden import check, differences, plain, text

KEPT = {"fit": {"scale": 0.25, "steps": 3}, "flags": ["flat"], "n": None}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of goldens of the test's own, where nothing has been checked yet."""
    monkeypatch.setattr(golden, "DATA", tmp_path)
    monkeypatch.setattr(golden, "checked", {})
    monkeypatch.setattr(golden, "writing", False)
    return tmp_path


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({**KEPT, "fit": {"scale": 0.25 * (1 + 1e-8), "steps": 3}}, "/fit/scale: is 0.2500000025, was 0.25"),
        ({**KEPT, "fit": {"scale": 0.25, "steps": 3.0}}, "/fit/steps: is 3.0, was 3"),
        ({**KEPT, "flags": []}, "/flags: has 0 items, had 1"),
        ({**KEPT, "flags": ["one_run"]}, '/flags/0: is "one_run", was "flat"'),
        ({**KEPT, "n": False}, "/n: is false, was null"),
        ({"fit": KEPT["fit"], "flags": ["flat"]}, "/n: is no longer there, was null"),
        ({**KEPT, "level": 0.95}, "/level: is new, 0.95"),
    ],
)
def test_a_change_is_named_with_its_place(now: object, says: str) -> None:
    assert list(differences(KEPT, now)) == [says]


def test_rounding_is_no_change() -> None:
    assert list(differences([0.1, 0.0, "nan"], [0.1 * (1 + 1e-11), 1e-15, "nan"])) == []


def test_a_float_in_hexadecimal_is_compared_to_the_last_bit() -> None:
    kept, now = [(0.7).hex()], [np.nextafter(0.7, 1).item().hex()]
    assert len(list(differences(kept, now))) == 1
    assert list(differences(kept, now, hex_rtol=1e-4)) == []
    assert len(list(differences(kept, [(0.701).hex()], hex_rtol=1e-4))) == 1


def test_what_is_written_is_found_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"values": np.arange(30) / 7, "worst": float("inf"), "pairs": ((1, 2.0),), "text": "ε" * 200}
    monkeypatch.setattr(golden, "writing", True)
    check("it", value)
    assert max(map(len, (folder / "it.json").read_text().replace("ε" * 200, "").splitlines())) <= golden.WIDTH + 1
    monkeypatch.setattr(golden, "writing", False)
    golden.checked.clear()
    check("it", value)
    golden.checked.clear()
    with pytest.raises(AssertionError, match=r"golden it:\n/worst: is 1\.0"):
        check("it", {**value, "worst": 1.0})


def test_without_a_file_a_check_fails(folder: Path) -> None:
    with pytest.raises(AssertionError, match="no such file"):
        check("nothing", 1)


def test_no_two_checks_have_one_name(folder: Path) -> None:
    (folder / "it.json").write_text("1")
    check("it", 1)
    with pytest.raises(AssertionError, match="two tests"):
        check("it", 1)


def test_another_machine_may_round_otherwise(folder: Path) -> None:
    here, there = {"torch": "3.0", "CPU": "AVX2"}, {"torch": "3.0", "CPU": "AVX512"}
    (folder / "it.json").write_text(json.dumps({"machine": there, "value": [(0.7).hex()]}))
    check("it", [(0.7 + 1e-6).hex()], machine=here)
    for machine, value, how in ((there, 0.7 + 1e-6, "to the last bit"), (here, 0.8, "to 0.0001")):
        golden.checked.clear()
        with pytest.raises(AssertionError, match=f"holds for torch 3.0, CPU AVX512; here: .*; compared {how}"):
            check("it", [value.hex()], machine=machine)


def test_what_has_no_fixed_form_is_refused() -> None:
    for value in (uuid4(), object(), {1.5: 1}, {1, 2}):
        with pytest.raises(TypeError):
            plain(value)


def test_a_line_holds_whatever_fits_into_it() -> None:
    long = {"numbers": list(range(60)), "few": [1, 2], "parts": [{"a": 1}] * 20}
    written = text(long).splitlines()
    assert json.loads("\n".join(written)) == long
    assert '  "few": [1, 2],' in written
    assert written.count('    {"a": 1},') == 19
