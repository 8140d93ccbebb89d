"""The curve in the terminal and in files."""

import math
from pathlib import Path
from typing import Any

import pytest

from sufficiency.cli.plot import HEIGHT, plot
from tests.support.command_line import Run


def value(n: float) -> float:
    return float(1.0 - n**-0.5)


def curve(ends: bool = True) -> list[dict[str, Any]]:
    sizes = [round(10 * 2 ** (k / 4)) for k in range(41)]
    width = 0.05 if ends else None
    return [
        {
            "n": n,
            "value": value(n),
            "lower": None if width is None else value(n) - width,
            "upper": None if width is None else value(n) + width,
        }
        for n in sizes
    ]


def body(lines: list[Any]) -> list[str]:
    """Return what is inside the axes, row by row."""
    return [line.plain.split("│", 1)[1].ljust(92) for line in lines[1 : HEIGHT + 1]]


def test_means_are_where_they_belong_and_the_curve_goes_through_them() -> None:
    sizes = [10, 160, 1280]
    rows = body(plot("Accuracy", [(n, value(n)) for n in sizes], curve(), 1280, 90))
    places = {(row, column) for row, line in enumerate(rows) for column, c in enumerate(line) if c == "o"}
    width = 90 - len("0.634 ") - 1
    low, high = value(10) - 0.05, value(10240) + 0.05
    expected = {
        (
            min(int((1 - (value(n) - low) / (high - low)) * HEIGHT), HEIGHT - 1),
            min(int(math.log2(n / 10) / 10 * width), width - 1),
        )
        for n in sizes
    }
    assert places == expected
    # On both sides of a mean the curve's dots go on.
    row, column = sorted(places)[1]
    assert any(rows[r][column + 2] not in " o" for r in (row - 1, row, row + 1))


def test_sizes_and_values_are_written_at_the_axes() -> None:
    lines = [line.plain for line in plot("Accuracy", [(10, value(10))], curve(), 1280, 90, target=0.9)]
    assert lines[0] == "Accuracy"
    assert lines[1].startswith(f"{value(10240) + 0.05:.3f} │")
    assert [text for text in lines[-1].split() if text in ("10", "1.28k", "10.2k")] == ["10", "1.28k", "10.2k"]
    assert all(len(line) <= 90 for line in lines)


@pytest.mark.parametrize("width", [1, 30, 500])
def test_any_width_flat_curves_and_curves_without_an_interval(width: int) -> None:
    flat = [{"n": n, "value": 0.5, "lower": 0.5, "upper": 0.5} for n in (10, 20)]
    assert len(plot("A", [(10, 0.5), (20, 0.5)], flat, 20, width)) == HEIGHT + 3
    assert len(plot("A", [(10, value(10))], curve(ends=False), 1280, width)) == HEIGHT + 3
    huge = [{"n": n, "value": 1e300 * n, "lower": None, "upper": None} for n in (10, 20)]
    assert "e+" in plot("A", [(10, 1e301)], huge, 20, width)[1].plain


def test_the_command_draws_and_writes(sufficiency: Run, url: str, measured: str, tmp_path: Path) -> None:
    drawn = sufficiency("plot", measured, "--metric", "Accuracy", "--target", "0.9", "--url", url)
    assert drawn.code == 0, drawn.err
    assert drawn.out.startswith("Accuracy")
    assert "┘" not in drawn.out
    assert "└──" in drawn.out
    for kind, start in (("svg", b"<?xml"), ("png", b"\x89PNG")):
        file = tmp_path / f"curve.{kind}"
        assert sufficiency("plot", measured, "-o", str(file), "--theme", "dark", "--url", url).code == 0
        assert file.read_bytes().startswith(start)
    assert sufficiency("plot", measured, "-o", str(tmp_path / "curve.gif"), "--url", url).code == 2
    nothing = sufficiency("plot", measured, "--metric", "Nothing", "--url", url)
    assert (nothing.code, "no curve to draw of Nothing" in nothing.err) == (1, True)
    piped = sufficiency("project", measured, "1000", "--url", url)
    assert "└──" not in piped.out, "a pipe gets the numbers alone"
