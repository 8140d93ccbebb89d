"""A learning curve in the terminal, drawn with Braille dots: eight to a character."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from rich.text import Text

from sufficiency.cli.terminal import stdout
from sufficiency.client.asking import Answering
from sufficiency.client.errors import ApiError
from sufficiency.schemas.text import short_count

AHEAD = 8
HEIGHT = 14
MOST_WIDE = 92
# Bits of a Braille character by row and column of its dots (Unicode, U+2800).
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_CURVE, _BAND, _MEAN, _TARGET = "bold blue", "blue", "bold", "yellow"


class _Canvas:
    """Dots on a grid of characters; in a character the last style drawn holds."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._bits = [[0] * width for _ in range(height)]
        self._marks: dict[tuple[int, int], str] = {}
        self._styles: dict[tuple[int, int], str] = {}

    def dot(self, x: float, y: float, style: str) -> None:
        """Set the dot nearest to (x, y), each within 0 to 1, from the lower left."""
        column, row = round(x * (2 * self.width - 1)), round((1 - y) * (4 * self.height - 1))
        if 0 <= column < 2 * self.width and 0 <= row < 4 * self.height:
            self._bits[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
            self._styles[row // 4, column // 2] = style

    def mark(self, x: float, y: float, character: str, style: str) -> None:
        """Put a character over whatever dots are there."""
        column, row = min(int(x * self.width), self.width - 1), min(int((1 - y) * self.height), self.height - 1)
        if column >= 0 and row >= 0:
            self._marks[row, column] = character
            self._styles[row, column] = style

    def lines(self) -> Iterable[Text]:
        """Yield the rows from the top."""
        for row in range(self.height):
            line = Text()
            for column in range(self.width):
                bits = self._bits[row][column]
                character = self._marks.get((row, column), chr(0x2800 + bits) if bits else " ")
                line.append(character, self._styles.get((row, column), ""))
            yield line


def plot(
    metric: str,
    means: Sequence[tuple[float, float]],
    points: Sequence[Mapping[str, Any]],
    n_max: float,
    width: int,
    target: float | None = None,
) -> list[Text]:
    """Return a curve as lines of text.

    Parameters
    ----------
    metric : str
    means : sequence of (n, mean)
        What was measured: circles.
    points : sequence of mapping
        The curve by increasing size, each with ``n``, ``value``, ``lower`` and ``upper``, as `project` answers them.
    n_max : float
        Largest measured size, where a line divides what was measured from what is projected.
    width : int
        Characters.
    target : float, optional
        A value to mark.
    """
    low_n, high_n = math.log2(points[0]["n"]), math.log2(points[-1]["n"])
    values = [point[name] for point in points for name in ("value", "lower", "upper") if point[name] is not None]
    values += [mean for _, mean in means] + ([] if target is None else [target])
    low, high = min(values), max(values)
    if high - low < 1e-12 * max(abs(high), 1.0):
        low, high = low - 0.5, high + 0.5
    labels = [_label(low + (high - low) * k / 4) for k in range(5)]
    margin = max(map(len, labels)) + 1
    canvas = _Canvas(max(min(width, MOST_WIDE) - margin - 1, 20), HEIGHT)

    def x(n: float) -> float:
        return (math.log2(n) - low_n) / max(high_n - low_n, 1e-12)

    def y(value: float) -> float:
        return float((value - low) / (high - low))

    if n_max < points[-1]["n"]:
        for k in range(2 * HEIGHT):
            canvas.dot(x(n_max), k / (2 * HEIGHT - 1), "dim")
    if target is not None:
        for k in range(0, 2 * canvas.width, 2):
            canvas.dot(k / (2 * canvas.width - 1), y(target), _TARGET)
    for name, style in (("lower", _BAND), ("upper", _BAND), ("value", _CURVE)):
        line = [(x(point["n"]), y(point[name])) for point in points if point[name] is not None]
        for k in range(2 * canvas.width):
            if name != "value" and k % 3:
                continue
            if (at := _at(line, k / (2 * canvas.width - 1))) is not None:
                canvas.dot(k / (2 * canvas.width - 1), at, style)
    for n, mean in means:
        canvas.mark(x(n), y(mean), "o", _MEAN)
    made = [Text(metric, "bold")]
    for row, drawn in enumerate(canvas.lines()):
        at = next((k for k in range(5) if round((1 - k / 4) * (HEIGHT - 1)) == row), None)
        made.append(
            Text((labels[at] if at is not None else "").rjust(margin - 1), "dim").append(" │", "dim").append(drawn)
        )
    made.append(Text(" " * margin + "└" + "─" * canvas.width, "dim"))
    made.append(Text(" " * (margin + 1) + _ticks(canvas.width, x, points[0]["n"], points[-1]["n"], n_max), "dim"))
    return made


def _at(line: Sequence[tuple[float, float]], x: float) -> float | None:
    for (x0, y0), (x1, y1) in pairwise(line):
        if x0 <= x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else y0
    return None


def _label(value: float) -> str:
    return f"{value:.3f}" if 1e-3 <= abs(value) < 100 or value == 0 else f"{value:.3g}"


def _ticks(width: int, x: Callable[[float], float], low: float, high: float, n_max: float) -> str:
    """Return the line of sizes under the axis: the ends, where measuring ended, and what else has room."""
    line = [" "] * (width + 8)
    powers = [10.0**k for k in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    for n in [low, n_max, high, *powers]:
        text = short_count(n)
        start = min(max(round(x(n) * width - len(text) / 2), 0), width - len(text))
        if all(character == " " for character in line[max(start - 1, 0) : start + len(text) + 1]):
            line[start : start + len(text)] = text
    return "".join(line).rstrip()


def plots(
    client: Answering,
    id: str,
    width: int,
    *,
    metrics: Sequence[str] | None = None,
    ends: Sequence[float] = (),
    target: float | None = None,
) -> list[Text]:
    """Return the curve of every metric with one value, or nothing where there is too little for a curve.

    Parameters
    ----------
    ends : sequence of float
        Sizes that the picture must reach.
    """
    items = [item for item in client.measurements(id)["items"] if item["class"] is None and item["mean"] is not None]
    shown = [m for m in dict.fromkeys(item["metric"] for item in items) if not metrics or m in metrics]
    if not shown:
        return []
    smallest, largest = min(item["n"] for item in items), max(item["n"] for item in items)
    end = max(AHEAD * largest, *ends, smallest + 1)
    sizes = sorted({round(smallest * (end / smallest) ** (k / 60)) for k in range(61)})
    try:
        answer = client.project(id, sizes, metric=shown)
    except ApiError as error:
        if error.status == 409:
            return []
        raise
    made: list[Text] = []
    for metric in shown:
        points = answer["metrics"].get(metric)
        if points:
            means = [(item["n"], item["mean"]) for item in items if item["metric"] == metric]
            made += [Text(), *plot(metric, means, points, largest, width, target)]
    return made


def print_plots(client: Answering, id: str, metrics: list[str] | None = None, sizes: Sequence[int] = ()) -> None:
    """Draw the curves, for people: a pipe gets the numbers alone."""
    console = stdout()
    if console.is_terminal:
        for line in plots(client, id, console.width, metrics=metrics, ends=sizes):
            console.print(line)
