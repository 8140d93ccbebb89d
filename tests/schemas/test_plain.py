"""Text of strangers is harmless where it is shown."""

import csv
import io

import numpy as np
import pytest

from sufficiency.answers.tables import Table
from sufficiency.data.arrays import ArrayDataset
from sufficiency.schemas.plain import cell, class_name, plain, plain_answer

# Clears a screen, sets a title, moves the cursor, turns the direction of reading round
EVIL = ["\x1b[2J", "\x1b]0;owned\x07", "\x9b5A", "\r\x08", "\u202egnp.exe", "\x7f", "\u2066", "\ud800", "\0"]


@pytest.mark.parametrize("text", EVIL, ids=ascii)
def test_control_characters_are_written_out(text: str) -> None:
    shown = plain(f"a{text}b")
    assert shown.isprintable()
    assert shown != f"a{text}b"
    answer = {f"k{text}": [{"detail": text}, text, 5, None, True]}
    assert ascii(plain_answer(answer)).count("\\\\") >= 3
    assert plain_answer(answer)[f"k{plain(text)}"][2:] == [5, None, True]


def test_text_of_people_stays() -> None:
    for text in ("Ü 精度 ★ é\n\tb", "−5 % ± 3", "naïve 👩‍🔬"):
        assert plain(text) == text


@pytest.mark.parametrize(
    "text", ["=1+1", '=HYPERLINK("http://evil")', "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1"]
)
def test_no_text_is_a_formula(text: str) -> None:
    table = Table(["step", text], [[10, text], [-5, 0.5], [20, "-5"], [30, "+1.5e-3"], [40, None], [50, "cat"]])
    rows = list(csv.reader(io.StringIO(table.csv())))
    assert rows[0] == ["step", f"'{text}"]
    assert rows[1] == ["10", f"'{text}"]
    assert [row[1] for row in rows[2:]] == ["0.5", "-5", "+1.5e-3", "", "cat"]
    assert rows[2][0] == "-5"
    assert cell(-5) == -5


def test_a_name_of_megabytes_is_short_and_still_another_one() -> None:
    long = ["x" * 3_000_000 + end for end in "ab"]
    data = ArrayDataset(np.zeros((4, 2)), np.array([0, 1, 2, 3]), [*long, "a\x1b[2J\nb", "cat"], "here")
    assert len(set(data.class_names)) == 4
    assert max(map(len, data.class_names)) <= 200
    assert all(name.isprintable() for name in data.class_names)
    assert data.class_names[3] == class_name("cat") == "cat"
