"""How far a job is: in a line, and as a bar on a terminal or in a notebook for who waits."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sufficiency.client.replies import Reply
    from sufficiency.schemas.jobs import JobView


def summary(job: "Reply[JobView]") -> str:
    """Return in a line how far a job is, and why no farther."""
    done = job.get("progress") or {}
    cells = cells_text(done)
    why = job.get("queued_reason") or (job.get("error") or {}).get("detail")
    if reused := (job.get("reused") or {}).get("cells"):
        cells += f", {reused} of them taken over"
    return f"{job['state']}, {cells}" + (f": {why}" if why else "")


def cells_text(progress: Mapping[str, Any]) -> str:
    """Return how many cells are measured, and how many could not be, such as "47/50 cells, 3 not measurable"."""
    given_up = progress.get("cells_not_measurable") or 0
    text = f"{progress.get('cells_done', 0)}/{progress.get('cells_total', 0)} cells"
    return f"{text}, {given_up} not measurable" if given_up else text


@contextmanager
def progress_bar(wanted: bool | None) -> "Iterator[Callable[[Reply[JobView]], None] | None]":
    """Yield what shows how far a job is, or None where nobody would see it.

    Parameters
    ----------
    wanted : bool or None
        None: in a notebook and on a terminal.
    """
    if wanted is not False and _in_notebook():
        yield _notebook_bar()
    elif wanted or (wanted is None and sys.stderr.isatty()):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description:<10}"), BarColumn(bar_width=30), TextColumn("{task.fields[cells]}"))
        with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
            task = progress.add_task("queued", total=1.0, cells="")

            def show(job: "Reply[JobView]") -> None:
                done = job["progress"]
                progress.update(task, description=job["state"], completed=done["fraction"], cells=cells_text(done))

            yield show
    else:
        yield None


def _in_notebook() -> bool:
    # Asked of a module that is loaded wherever there is a notebook; nobody else should pay for importing it.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def _notebook_bar() -> "Callable[[Reply[JobView]], None]":
    ipython: Any = import_module("IPython.display")
    handle: Any = None

    def show(job: "Reply[JobView]") -> None:
        nonlocal handle
        fraction = job["progress"]["fraction"]
        bar = ipython.HTML(f'<progress max="1" value="{fraction:.4f}"></progress> {escape(summary(job))}')
        if handle is None:
            handle = ipython.display(bar, display_id=True)
        else:
            handle.update(bar)

    return show
