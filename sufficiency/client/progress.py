"""The bar of a job that is waited for: on a terminal, in a notebook, and nowhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sufficiency.client.job import Job


@contextmanager
def progress_bar(wanted: bool | None) -> "Iterator[Callable[[Job], None] | None]":
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

            def show(job: "Job") -> None:
                done = job["progress"]
                cells = f"{done['cells_done']}/{done['cells_total']} cells"
                progress.update(task, description=job.state, completed=done["fraction"], cells=cells)

            yield show
    else:
        yield None


def _in_notebook() -> bool:
    # Asked of a module that is loaded wherever there is a notebook; nobody else should pay for importing it.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def _notebook_bar() -> "Callable[[Job], None]":
    ipython: Any = import_module("IPython.display")
    handle: Any = None

    def show(job: "Job") -> None:
        nonlocal handle
        fraction = job["progress"]["fraction"]
        bar = ipython.HTML(f'<progress max="1" value="{fraction:.4f}"></progress> {escape(job.summary())}')
        if handle is None:
            handle = ipython.display(bar, display_id=True)
        else:
            handle.update(bar)

    return show
