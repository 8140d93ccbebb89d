"""How long twice as much takes: validation, warnings and tables, in this process.

``python -m bench.growth``: seconds at a size, at twice and at four times that; about 1 : 2 : 4 is as it should be.
`tests/growth` holds counted work to this; the clock also sees what is done in C.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import TypeAdapter, ValidationError

from app.web.invalid import field_errors
from sufficiency.answers.values import Spread, value_warnings
from sufficiency.data.tables.dataset import encoded
from sufficiency.plugins import tabular
from sufficiency.schemas.spec import JobSpec

SPEC = {"model": {"name": "m"}, "training": {"name": "t"}, "evaluation": {"name": "e"}, "dataset": "d"}


def refuse_zeros(size: int) -> None:
    """Put a schedule of zeros into words."""
    body = {**SPEC, "schedule": [0] * size}
    try:
        TypeAdapter(JobSpec).validate_python(body)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        assert field_errors(found, body, JobSpec).total >= 1


def warn(size: int) -> None:
    """Look at the values of many metrics."""
    value_warnings([Spread(f"Metric {k}", -1, 3, 0.0, 2.0) for k in range(size)], 5, {})


def load(size: int) -> None:
    """Read a table of many columns."""
    text = io.StringIO()
    text.write(",".join([*(f"f{k}" for k in range(size)), "y"]) + "\n")
    for number, row in enumerate(np.random.default_rng(0).random((60, size)).round(4)):
        text.write(",".join([*map(str, row.tolist()), str(number % 2)]) + "\n")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "wide.csv"
        file.write_text(text.getvalue())
        tabular.resolve_inside = lambda _: file
        dataset = tabular.load_tabular("wide.csv", "y")
        encoded(dataset, dataset)


CASES: dict[str, tuple[Callable[[int], None], int]] = {
    "a schedule of zeros": (refuse_zeros, 2_500),
    "warnings of metrics": (warn, 2_000),
    "columns of a table": (load, 1_000),
}


def main() -> None:
    """Print a line a case."""
    for name, (act, least) in CASES.items():
        act(100)
        seconds = []
        for size in (least, 2 * least, 4 * least):
            begun = time.perf_counter()
            act(size)
            seconds.append(time.perf_counter() - begun)
        told = "  ".join(f"{size:>6,}: {taken:6.3f} s" for size, taken in zip((1, 2, 4), seconds, strict=True))
        print(f"{name:<22} × {least:,}:  {told}   {seconds[2] / seconds[0]:.1f}×")


if __name__ == "__main__":
    main()
