"""A job in Python's hands: what can be done with it, beside what can be asked of any study."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from sufficiency.client.handle import Handle
from sufficiency.client.progress import progress_bar
from sufficiency.client.replies import Reply
from sufficiency.schemas.jobs import ExtensionPlanView

if TYPE_CHECKING:
    from sufficiency.client.calls import Calls
    from sufficiency.client.events import JobEvent
    from sufficiency.schemas.logs import JobOutput, OutputPiece
    from sufficiency.schemas.results import Refitted
    from sufficiency.schemas.words import Plan


class Job(Handle):
    """A job as the API shows it (``job["state"]``, ``job.view.state``), and what can be asked of it.

    Notes
    -----
    It is what was last seen of the job: `refresh` and `wait` look again, and change it in place.

    Examples
    --------
    >>> with Client() as client:  # doctest: +SKIP
    ...     job = client.submit({"model": {"name": "mlp"}, ...}).wait()
    ...     job.project(5000, 10_000).to_pandas()
    """

    def __init__(self, client: "Calls[Job]", seen: Mapping[str, Any]) -> None:
        super().__init__(client, seen)
        self._client = client

    def refresh(self) -> Self:
        """Look at the job again."""
        return self._see(self._client.job(self.id))

    def wait(
        self,
        timeout: float | None = None,
        *,
        each: "Callable[[Job], object] | None" = None,
        progress: bool | None = None,
    ) -> Self:
        """Return the job once it has ended: completed, failed or cancelled.

        Parameters
        ----------
        timeout : float, optional
            Seconds; default as long as it takes.
        each : callable, optional
            Gets the job whenever it was looked at.
        progress : bool, optional
            Show a bar; default in a notebook and on a terminal.

        Raises
        ------
        WaitTimeout
            When it has not ended after `timeout` seconds; it goes on.
        """
        with progress_bar(progress) as show:

            def looked(job: Job) -> None:
                for tell in (show, each):
                    if tell is not None:
                        tell(job)

            return self._see(self._client.wait(self.id, timeout, each=looked))

    def events(self, last_id: int | None = None) -> "Iterator[JobEvent]":
        """Iterate over its events until it has ended, across broken connections; those after `last_id`, if given."""
        return self._client.events(self.id, last_id)

    def logs(self, tail: int = 200) -> "Reply[JobOutput]":
        """Return the last lines that its plugins, and the libraries below them, have written."""
        return self._client.logs(self.id, tail)

    def follow_logs(self, last_id: int = 0) -> "Iterator[Reply[OutputPiece]]":
        """Iterate over what its plugins write until it has ended; see `Client.follow_logs`."""
        return self._client.follow_logs(self.id, last_id)

    def rename(self, name: str | None = None, note: str | None = None) -> Self:
        """Give the job another name or another note; empty for none."""
        return self._see(self._client.rename(self.id, name=name, note=note))

    def cancel(self) -> Self:
        """Ask the job to stop; what it has measured stays."""
        return self._see(self._client.cancel(self.id))

    def retry(self, *, start_anew: bool = False) -> Self:
        """Queue a failed or cancelled job again; what it has measured stays, unless it is to `start_anew`."""
        return self._see(self._client.retry(self.id, start_anew=start_anew))

    def refit(self) -> "Reply[Refitted]":
        """Fit its curves anew, by the present versions of the methods; see `Client.refit`."""
        return self._client.refit(self.id)

    @overload
    def extend(
        self,
        *,
        runs: int | None = ...,
        steps: Sequence[int] | None = ...,
        dataset: str | None = ...,
        plan: "Plan | None" = ...,
        stop_when: Mapping[str, Any] | None = ...,
        budget: Mapping[str, Any] | None = ...,
        start_anew: bool = ...,
        dry_run: Literal[False] = ...,
        idempotency_key: str | None = ...,
    ) -> Self: ...

    @overload
    def extend(
        self,
        *,
        runs: int | None = ...,
        steps: Sequence[int] | None = ...,
        dataset: str | None = ...,
        plan: "Plan | None" = ...,
        stop_when: Mapping[str, Any] | None = ...,
        budget: Mapping[str, Any] | None = ...,
        start_anew: bool = ...,
        dry_run: Literal[True],
        idempotency_key: str | None = ...,
    ) -> Reply[ExtensionPlanView]: ...

    def extend(
        self,
        *,
        runs: int | None = None,
        steps: Sequence[int] | None = None,
        dataset: str | None = None,
        plan: "Plan | None" = None,
        stop_when: Mapping[str, Any] | None = None,
        budget: Mapping[str, Any] | None = None,
        start_anew: bool = False,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Self | Reply[ExtensionPlanView]:
        """Add runs or steps to an ended job and queue it again; what it has measured stays.

        Parameters
        ----------
        runs : int, optional
            How many there are to be in all.
        steps : sequence of int, optional
            Training-set sizes to add.
        dataset : str, optional
            Another registration of the same data; other data only with `start_anew`.
        plan : {"adaptive", "grid"}, optional
            ``"grid"`` measures what an adaptive job has left out.
        stop_when, budget : mapping, optional
            Another question, another budget, in place of those that it has.
        start_anew : bool
            Drop what is measured, and measure all of it with the plugins and the data of now.
        dry_run : bool
            Validate and answer the plan; store nothing, and leave this job as it was seen.
        idempotency_key : str, optional
            The same key with the same request extends the job once, however often it is sent.
        """
        wanted: dict[str, Any] = {
            "runs": runs,
            "steps": steps,
            "dataset": dataset,
            "plan": plan,
            "stop_when": stop_when,
            "budget": budget,
            "start_anew": start_anew,
            "idempotency_key": idempotency_key,
        }
        if dry_run:
            return self._client.extend(self.id, **wanted, dry_run=True)
        return self._see(self._client.extend(self.id, **wanted))

    def delete(self) -> None:
        """Delete the ended job with everything it measured."""
        self._client.delete(self.id)
