"""Options and arguments that several commands have in common."""

from pathlib import Path
from typing import Annotated

import typer

Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The service; else SUFFICIENCY_URL, else this machine's.")
]
Json = Annotated[bool, typer.Option("--json", help="Print what the API answered.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print a table as CSV, one column a metric.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job.", show_default=False)]
Level = Annotated[float | None, typer.Option("--level", help="Level of the intervals, 0.95 unless given.")]
Method = Annotated[
    str | None, typer.Option("--method", help="calibrated (the default), or power_law: DataEval's law, no interval.")
]
Metric = Annotated[list[str] | None, typer.Option("--metric", help="Only this metric; may be repeated.")]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where all of it is kept; default in your home directory.")
]
StartAnew = Annotated[bool, typer.Option("--start-anew", help="Drop what is measured, and measure all of it again.")]
