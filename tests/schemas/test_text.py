"""Numbers read the same wherever they are shown: by the rules of the library, and by the page's."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest

from sufficiency.method import phrasing
from sufficiency.schemas import text
from sufficiency.schemas.words import TargetStatus, Worth

PAGE = Path(__file__).resolve().parents[2] / "app" / "page" / "static" / "dom.js"
NODE = shutil.which("node")
VALUES = [
    *(0, 1, 0.5, 0.946, 0.99951, 0.03125, 0.00625, 1 / 3, 9.99995, 9.99994, 10, 12.345678, 99.9, 123.456, 99999, 1e5),
    *(1e-3, 0.00099951, 9.9e-4, 1e-4, 9.99e-5, 1.2e-5, 5e-324, 1.7976931348623157e308, 123456789, 2**53, 0.1 + 0.2),
]
SIGNED = [*(sign * value for value in VALUES for sign in (1, -1)), -0.0]
SHARES = [0, 1, 0.5, 0.005, 0.0099, 0.01, 0.125, 0.335, 0.945, 0.99, 0.9901, 0.999, 0.845]
SIZES = [0, 1, 9, 25, 999, 1000, 1001, 1536, 2500, 999_949, 999_950, 1_000_000, 7_481_000, 2**53]
FACTORS = [1, 2, 3, 4, 1.5, 1.234, 12.345, 1024, 99_999, 0.0123]
SECONDS = [0, 0.4, 1, 1.5, 89.4, 89.6, 90, 132, 5399, 5400, 7_200, 129_599, 129_600, 1e6]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (text.number(0.946), "0.9460"),
        (text.number(-0.25), "−0.2500"),
        (text.number(0.00031234), "0.00031"),
        (text.number(1.2e-5), "1.20e-5"),
        (text.number(-1.2e5), "−1.20e+5"),
        (text.number(12.345678), "12.346"),
        (text.number(-0.0), "0.0000"),
        (text.count(-0.0), "0"),
        (phrasing.money_text(-0.0), "0"),
        (phrasing.money_text(-0.004), "0.00"),
        (phrasing.value_text(-0.0), "0"),
        (text.number(None), "–"),
        (text.number(float("nan")), "–"),
        (text.signed(0.011), "+0.0110"),
        (text.signed(-0.011), "−0.0110"),
        (text.signed(0), "+0.0000"),
        (text.spread(0.946, 0.0031), "0.9460 ± 0.0031"),
        (text.spread(0.946, None), "0.9460"),
        (text.spread(None, None), "–"),
        (text.count(7481), "7,481"),
        (text.count(2**53), "9,007,199,254,740,992"),
        (text.count(None), "–"),
        (text.counted(1, "cell"), "1 cell"),
        (text.counted(7481, "cell"), "7,481 cells"),
        (text.short_count(999_999), "1000k"),
        (text.percent(0.845), "85 %"),
        (text.percent(0.995), "> 99 %"),
        (text.percent(0.001), "< 1 %"),
        (text.percent(1), "100 %"),
        (text.level_text(0.95), "95 %"),
        (text.level_text(0.999), "99.9 %"),
        (text.level_text(0.999999), "99.9999 %"),
        (text.level_text(0.55), "55 %"),
        (text.warned([{"detail": "It is flat."}, "Odd.", "Odd."]), ["It is flat.", "Odd."]),
        (
            text.warned([{"metric": one, "detail": "It is flat."} for one in "AtIs"]),
            ["A, t, I and 1 more: It is flat."],
        ),
        (text.warned([{"metric": "A", "detail": "A is flat."}]), ["A is flat."]),
        (text.times(2), "2×"),
        (text.duration(132), "2 min"),
        (text.duration(None), "–"),
    ],
)
def test_how_it_reads(said: str | list[str], expected: str | list[str]) -> None:
    assert said == expected


@pytest.mark.skipif(NODE is None, reason="no node: apt-get install nodejs")
def test_the_page_says_the_same(tmp_path: Path) -> None:
    asked: dict[str, list[Any]] = {
        "number": [*SIGNED, None],
        "signed": SIGNED,
        "count": [*SIZES, None],
        "shortCount": SIZES,
        "percent": SHARES,
        "times": FACTORS,
        "duration": [*SECONDS, None],
    }
    (tmp_path / "dom.mjs").write_text(PAGE.read_text())
    (tmp_path / "ask.mjs").write_text(
        'import * as dom from "./dom.mjs";\n'
        f"const asked = {json.dumps(asked)};\n"
        "const said = {};\n"
        "for (const [rule, values] of Object.entries(asked)) said[rule] = values.map((value) => dom[rule](value));\n"
        "console.log(JSON.stringify({ ...said, WORTH: dom.WORTH, STATUS: dom.STATUS }));\n"
    )
    command = [str(NODE), str(tmp_path / "ask.mjs")]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    page = json.loads(told.stdout)
    ours = {"shortCount": text.short_count}
    for name, values in asked.items():
        rule = ours.get(name) or getattr(text, name)
        assert dict(zip(map(str, values), page[name], strict=True)) == {str(v): rule(v) for v in values}, name
    assert page["WORTH"] == text.WORTH
    assert page["STATUS"] == {status: words for status, words in text.STATUS.items() if status in page["STATUS"]}


def test_every_word_of_an_answer_is_said() -> None:
    assert set(text.WORTH) == set(get_args(Worth))
    assert set(text.STATUS) == set(get_args(TargetStatus))
