"""A job in Python's hands: the API's answer with methods, tables that become frames, and a face in notebooks."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self

from sufficiency.optional import installed

if TYPE_CHECKING:
    from sufficiency.answers.dataeval import SufficiencyOutput
    from sufficiency.client.calls import Client

SHOWN_ROWS = 60


class Rows(list[dict[str, Any]]):
    """Rows of an answer, a dictionary each; as a frame with `to_pandas` or `to_polars`, as a table in a notebook.

    Attributes
    ----------
    answer : dict
        The whole answer of the API, which says more than its rows: method, level, warnings.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], answer: Mapping[str, Any]) -> None:
        super().__init__(dict(row) for row in rows)
        self.answer = dict(answer)

    def to_pandas(self) -> Any:
        """Return the rows as a ``pandas.DataFrame``."""
        pandas = installed("pandas")
        return pandas.DataFrame(list(self))

    def to_polars(self) -> Any:
        """Return the rows as a ``polars.DataFrame``."""
        polars = installed("polars")
        return polars.DataFrame(list(self), infer_schema_length=None)

    def _repr_html_(self) -> str:
        columns = list(dict.fromkeys(key for row in self for key in row))
        body = [[_text(row.get(column)) for column in columns] for row in self[:SHOWN_ROWS]]
        more = len(self) - len(body)
        return _table(columns, body) + (f"<p>… and {more} more rows</p>" if more > 0 else "")


def by_metric(answer: Mapping[str, Any]) -> Rows:
    """Return the rows of an answer that is grouped by metric."""
    return Rows(({"metric": metric, **row} for metric, rows in answer["metrics"].items() for row in rows), answer)


class Job(dict[str, Any]):
    """A job as the API shows it (``job["state"]``), and what can be asked of it.

    Notes
    -----
    It is what was last seen of the job: `refresh` and `wait` look again, and change it in place.

    Examples
    --------
    >>> with Client() as client:  # doctest: +SKIP
    ...     job = client.submit({"model": {"name": "mlp"}, ...}).wait()
    ...     job.project(5000, 10_000).to_pandas()
    """

    def __init__(self, client: "Client", seen: Mapping[str, Any]) -> None:
        super().__init__(seen)
        self._client = client

    @property
    def id(self) -> str:
        """Its id."""
        return str(self["id"])

    @property
    def state(self) -> str:
        """Its state when it was last looked at."""
        return str(self["state"])

    def refresh(self) -> Self:
        """Look at the job again."""
        return self._see(self._client.job(self.id))

    def wait(self, timeout: float | None = None, *, progress: bool | None = None) -> Self:
        """Return the job once it has ended: completed, failed or cancelled.

        Parameters
        ----------
        timeout : float, optional
            Seconds; default as long as it takes.
        progress : bool, optional
            Show a bar; default in a notebook and on a terminal.

        Raises
        ------
        WaitTimeout
            When it has not ended after `timeout` seconds; it goes on.
        """
        with _bar(progress) as show:
            return self._see(self._client.wait(self.id, timeout, each=show))

    def cancel(self) -> Self:
        """Ask the job to stop; what it has measured stays."""
        return self._see(self._client.cancel(self.id))

    def retry(self) -> Self:
        """Queue a failed or cancelled job again; what it has measured stays."""
        return self._see(self._client.retry(self.id))

    def extend(self, *, runs: int | None = None, steps: Sequence[int] | None = None) -> Self:
        """Add runs or steps to an ended job and queue it again; what it has measured stays.

        Parameters
        ----------
        runs : int, optional
            How many there are to be in all.
        steps : sequence of int, optional
            Training-set sizes to add.
        """
        return self._see(self._client.extend(self.id, runs=runs, steps=steps))

    def _see(self, seen: Mapping[str, Any]) -> Self:
        self.clear()
        self.update(seen)
        return self

    # Results

    def measurements(self, view: Literal["cells", "averages"] = "averages") -> Rows:
        """Return what was measured: every cell's values, or mean and standard deviation a step."""
        answer = self._client.measurements(self.id, view)
        return Rows(answer["items"], answer)

    def project(self, *n: int, **options: Any) -> Rows:
        """Return what the metrics are expected to be at training-set sizes; the options are `Client.project`'s."""
        return by_metric(self._client.project(self.id, n, **options))

    def inv_project(self, *targets: float | str, **options: Any) -> Rows:
        """Return how many training items the targets need; the options are `Client.inv_project`'s."""
        return by_metric(self._client.inv_project(self.id, targets, **options))

    def verdict(self, **options: Any) -> Rows:
        """Return whether more data is worth it, a row a metric; the options are `Client.verdict`'s."""
        return by_metric(self._client.verdict(self.id, **options))

    def figure(self, **options: Any) -> Any:
        """Return the figure: a ``plotly.graph_objects.Figure`` where plotly is installed, else its JSON as a dict.

        Parameters
        ----------
        **options
            ``metric``, ``class``, ``target``, ``theme``.
        """
        figure = self._client.figure(self.id, **options)
        try:
            return import_module("plotly.graph_objects").Figure(figure)
        except ImportError:
            return figure

    def plot(self, **options: Any) -> str:
        """Return the figure as SVG.

        Parameters
        ----------
        **options
            ``metric``, ``class``, ``target``, ``theme``.
        """
        return self._client.plot(self.id, "svg", **options).decode()

    def to_dataeval(self) -> "SufficiencyOutput":
        """Return what DataEval's ``Sufficiency`` would have returned; ``dataeval_plots.plot`` draws it."""
        from sufficiency.answers.dataeval import SufficiencyOutput

        return SufficiencyOutput.of(json.loads(self._client.export(self.id)))

    def to_mlflow(self, tracking_uri: str, experiment: str = "sufficiency") -> str:
        """Write the results to MLflow, once however often it is called; return the id of the job's run there."""
        return self._client.to_mlflow(self.id, tracking_uri, experiment)

    # How it looks

    def __repr__(self) -> str:
        return f"<Job {self.id} {self._summary()}>"

    def _summary(self) -> str:
        done = self.get("progress") or {}
        cells = f"{done.get('cells_done', 0)}/{done.get('cells_total', 0)} cells"
        why = self.get("queued_reason") or (self.get("error") or {}).get("detail")
        return f"{self.state}, {cells}" + (f": {why}" if why else "")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Show the figure; a table where there is none, be it that the service or the job has none yet."""
        from sufficiency.client.calls import ClientError

        shown = {"text/plain": repr(self)}
        try:
            return {**shown, "image/svg+xml": self.plot()}
        except ClientError:
            return {**shown, "text/html": self._html()}

    # Not _repr_html_: notebooks would prefer it to the figure.
    def _html(self) -> str:
        from sufficiency.client.calls import ClientError

        head = f"<p><b>Job {escape(self.id)}</b>: {escape(self._summary())}</p>"
        try:
            return head + (_wide(self.measurements()) if (self.get("progress") or {}).get("cells_done") else "")
        except ClientError as error:
            return head + f"<p>{escape(str(error))}</p>"


def _wide(means: Rows) -> str:
    """Return mean ± SD of the scalar metrics, a row a step."""
    scalars = [row for row in means if row["class"] is None and row["mean"] is not None]
    metrics = list(dict.fromkeys(row["metric"] for row in scalars))
    cells = {
        (row["n"], row["metric"]): f"{row['mean']:.4f}" + (f" ± {row['sd']:.4f}" if row["sd"] is not None else "")
        for row in scalars
    }
    sizes = sorted({n for n, _ in cells})
    return _table(["n", *metrics], [[f"{n:,}", *(cells.get((n, metric), "–") for metric in metrics)] for n in sizes])


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


# The bar


@contextmanager
def _bar(wanted: bool | None) -> Iterator[Callable[[Job], None] | None]:
    """Yield what shows how far a job is, or None where nobody would see it."""
    if wanted is not False and _in_notebook():
        yield _notebook_bar()
    elif wanted or (wanted is None and sys.stderr.isatty()):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description:<10}"), BarColumn(bar_width=30), TextColumn("{task.fields[cells]}"))
        with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
            task = progress.add_task("queued", total=1.0, cells="")

            def show(job: Job) -> None:
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


def _notebook_bar() -> Callable[[Job], None]:
    ipython: Any = import_module("IPython.display")
    handle: Any = None

    def show(job: Job) -> None:
        nonlocal handle
        fraction = job["progress"]["fraction"]
        bar = ipython.HTML(f'<progress max="1" value="{fraction:.4f}"></progress> {escape(job._summary())}')
        if handle is None:
            handle = ipython.display(bar, display_id=True)
        else:
            handle.update(bar)

    return show
