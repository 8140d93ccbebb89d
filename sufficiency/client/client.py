"""The client: who makes one has all calls of a service, and its jobs as handles."""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from sufficiency.client.access import AccessCalls
from sufficiency.client.calls import Calls
from sufficiency.client.connection import Connection
from sufficiency.client.errors import BadKey
from sufficiency.schemas.words import DEFAULT_URL, PROJECT_HEADER

if TYPE_CHECKING:
    import httpx

    from sufficiency.client.job import Job
    from sufficiency.client.publishing import Publishable


class Client(Calls["Job"], AccessCalls):
    """Talks to one service over HTTP.

    Parameters
    ----------
    url : str, optional
        The service; default the setting ``SUFFICIENCY_URL``.
    timeout : float
        Seconds for one answer.
    key : str, optional
        Who asks, where the service wants to know; default the setting ``SUFFICIENCY_API_KEY``.
    project : str, optional
        Which project it is about; default the setting ``SUFFICIENCY_PROJECT``, else the key's own.
    transport : httpx.BaseTransport, optional
        Where requests go; default the network.

    Notes
    -----
    A request that can be repeated without harm (a GET, or a submission with an idempotency key) is repeated a few
    times when the service cannot be reached or answers 503, after the seconds in ``Retry-After`` if it names them.

    Examples
    --------
    >>> with Client() as client:  # doctest: +SKIP
    ...     job = client.submit({"model": {"name": "mlp"}, ...}).wait()
    ...     job.project(5000)
    """

    def __init__(
        self,
        url: str | None = None,
        timeout: float = 30.0,
        *,
        key: str | None = None,
        project: str | None = None,
        transport: "httpx.BaseTransport | None" = None,
    ) -> None:
        # Read here and not by `sufficiency.settings`, which takes longer to import than all the rest of a client.
        wanted = url or os.environ.get("SUFFICIENCY_URL") or DEFAULT_URL
        key = key or os.environ.get("SUFFICIENCY_API_KEY")
        project = project or os.environ.get("SUFFICIENCY_PROJECT")
        headers = {"Authorization": f"Bearer {key.strip()}"} if key else {}
        headers |= {PROJECT_HEADER: project.strip()} if project else {}
        if not all(text.isascii() and text.isprintable() for text in headers.values()):
            raise BadKey("SUFFICIENCY_API_KEY or SUFFICIENCY_PROJECT has a character that no key and no project has")
        super().__init__(Connection(wanted, timeout, transport, headers))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def publish(self, study: "Publishable") -> "Job":
        """Put a study that was run or fitted in this process on the service, once however often it is called.

        Parameters
        ----------
        study : StudyResult
            Of `sufficiency.run`, `sufficiency.fit` or `sufficiency.load`.

        Returns
        -------
        Job
            Completed, and marked as measured elsewhere.

        Raises
        ------
        ApiError
            When nothing is measured, or the service does not take it.
        """
        return self.submit(study.handed_in(), idempotency_key=study.imprint())

    def to_mlflow(self, id: str | UUID, tracking_uri: str, experiment: str = "sufficiency") -> str:
        """Write an ended job's results to MLflow, once however often it is called.

        Parameters
        ----------
        id : str or UUID
            The job.
        tracking_uri : str
            ``http://mlflow:5000``, ``sqlite:///mlflow.db`` …
        experiment : str
            Name of the experiment; made if it is not there.

        Returns
        -------
        str
            Id of the job's run in MLflow; the job's own runs are its children.
        """
        from sufficiency.client.mlflow import export_study

        return export_study(self, str(id), tracking_uri, experiment)

    def _seen(self, answer: Mapping[str, Any]) -> "Job":
        from sufficiency.client.job import Job

        return Job(self, answer)
