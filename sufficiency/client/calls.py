"""A typed client of the service: its calls answer the JSON of the API, and its errors say what to do."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import islice
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, TypeVar, cast, overload
from urllib.parse import quote
from uuid import UUID

import httpx

from sufficiency.client.job import Job as Job
from sufficiency.schemas.spec import JobSpec
from sufficiency.settings import get_settings

ENDED = frozenset({"completed", "failed", "cancelled"})
RETRIES = 3
STREAM_RETRIES = 8
OUTAGE_SECONDS = 120.0  # how long `wait` bears a service that is away
# The server sends a comment on an idle stream every few seconds; a silence so long is a dead connection.
STREAM_SILENCE_SECONDS = 60.0
STREAM_PATIENCE = 25  # empty streams, a fifth of a second apart, before an ended job's end is taken for pruned

T = TypeVar("T")


class ProblemError(TypedDict):
    """One bad field of a refused request."""

    pointer: str
    detail: str


class Plugin(TypedDict):
    """A plugin that a worker offers, or has offered."""

    kind: str
    name: str
    version: str
    summary: str
    params_schema: dict[str, Any]
    capabilities: dict[str, Any]
    devices: list[str]
    available: bool
    unavailable_reason: str | None


class Dataset(TypedDict):
    """A registered pair of splits; `info` and `fingerprint` are null until a worker has read them."""

    id: str
    name: str
    train: dict[str, Any]
    test: dict[str, Any]
    status: Literal["verifying", "ready", "invalid"]
    error: dict[str, Any] | None
    info: dict[str, Any] | None
    fingerprint: str | None
    queued_reason: str | None


@dataclass(frozen=True)
class JobEvent:
    """One event of a job: `id` is its number; `type` is state, planned, cell, warning, versions, discarded, pruned."""

    id: int
    type: str
    data: dict[str, Any]


class ClientError(Exception):
    """What every error of the client is."""


class BadUrl(ClientError, ValueError):
    """The address of the service is none."""


class ServiceUnreachable(ClientError):
    """No answer came from the address.

    Attributes
    ----------
    url : str
        The service that was asked.
    reason : str
        What the connection said.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"no answer from {url} ({reason}): start the service with `sufficiency standalone`, "
            "or name another with --url or SUFFICIENCY_URL"
        )
        self.url = url
        self.reason = reason


class ApiError(ClientError):
    """The API said no; the problem (RFC 9457) says why.

    Attributes
    ----------
    status : int
        HTTP status.
    code : str
        Stable name of the problem, or "" when the answer was not a problem document.
    title, detail : str
        What is wrong, in general and this time.
    errors : list of dict
        Bad fields: `pointer` (JSON pointer into the request) and `detail`.
    request : str
        Method and URL.
    problem : dict
        The whole problem document.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], request: str) -> None:
        self.status = status
        self.problem = dict(problem)
        self.code = str(problem.get("code") or "")
        self.title = str(problem.get("title") or f"HTTP {status}")
        self.detail = str(problem.get("detail") or "")
        self.errors: list[ProblemError] = [
            {"pointer": str(e.get("pointer", "")), "detail": str(e.get("detail", ""))}
            for e in problem.get("errors") or []
            if isinstance(e, Mapping)
        ]
        self.request = request
        fields = "; ".join(f"{e['pointer']}: {e['detail']}" for e in self.errors)
        super().__init__(": ".join(part for part in (self.title, self.detail, fields) if part))


class WaitTimeout(ClientError):
    """What was waited for has not happened in the time given; it still goes on."""


class Client:
    """Talks to one service over HTTP.

    Parameters
    ----------
    url : str, optional
        The service; default the setting ``SUFFICIENCY_URL``.
    timeout : float
        Seconds for one answer.
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
        self, url: str | None = None, timeout: float = 30.0, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = (url or get_settings().url).rstrip("/")
        try:
            address = httpx.URL(self.url)
            if address.scheme not in ("http", "https") or not address.host:
                raise httpx.InvalidURL("it must begin with http:// or https:// and name a host")
            # No proxy of the environment can reach this machine's own loopback.
            local = address.host in ("localhost", "127.0.0.1", "::1")
            self._http = httpx.Client(base_url=address, timeout=timeout, transport=transport, trust_env=not local)
        except httpx.InvalidURL as error:
            raise BadUrl(f"{self.url!r} is not the address of a service: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # What workers offer

    def ready(self) -> bool:
        """Return whether the service can be reached and says that it is ready; never raises."""
        try:
            return self._http.get("/readyz", timeout=5.0).status_code == 200
        except httpx.HTTPError:
            return False

    def plugins(self, kind: str | None = None) -> list[Plugin]:
        """Return the plugins of the catalog, all of them or of one kind."""
        return list(self._items("/plugins", {"kind": kind}))

    def plugin(self, kind: str, name: str) -> Plugin:
        """Return one plugin."""
        return cast(Plugin, self._json("GET", f"/plugins/{_segment(kind)}/{_segment(name)}"))

    def workers(self) -> list[dict[str, Any]]:
        """Return the workers that the service has heard of lately."""
        return list(self._items("/workers"))

    # Datasets

    def datasets(self) -> list[Dataset]:
        """Return the registered datasets."""
        return list(self._items("/datasets"))

    def dataset(self, name: str) -> Dataset:
        """Return one dataset."""
        return cast(Dataset, self._json("GET", f"/datasets/{_segment(name)}"))

    def add_dataset(
        self,
        name: str,
        train: Mapping[str, Any] | None = None,
        test: Mapping[str, Any] | None = None,
        *,
        source: Mapping[str, Any] | None = None,
        split: Mapping[str, Any] | None = None,
        standardise: bool = False,
    ) -> Dataset:
        """Register a pair of splits; a worker then reads and verifies it.

        Parameters
        ----------
        name : str
            How jobs will call it.
        train, test : mapping
            A loader plugin and its parameters: ``{"loader": "idx", "params": {"path": "mnist", "split": "train"}}``.
        source : mapping, optional
            The same, in place of `train` and `test`: one source that is split by seed.
        split : mapping, optional
            How: of ``{"test_fraction": 0.2, "seed": 0, "stratify": True, "group_by": None}`` what differs.
        standardise : bool
            Put every feature at mean 0 and SD 1 of the training split.

        Returns
        -------
        Dataset
            As registered, usually still ``verifying``; see `wait_dataset`.
        """
        asked = {"train": train, "test": test, "source": source, "split": split, "standardise": standardise or None}
        body = {"name": name, **{key: value for key, value in asked.items() if value is not None}}
        return cast(Dataset, self._json("POST", "/datasets", body=body))

    def wait_dataset(self, name: str, timeout: float | None = None) -> Dataset:
        """Return the dataset once it is verified, be it ``ready`` or ``invalid``.

        Raises
        ------
        WaitTimeout
            When it is still being verified after `timeout` seconds.
        """
        return self._poll(
            lambda: self.dataset(name),
            lambda dataset: dataset["status"] != "verifying",
            timeout,
            f"dataset {name!r} is still being verified after {timeout} s: is a worker running? (`sufficiency workers`)",
        )

    def verify_dataset(self, name: str) -> Dataset:
        """Have a worker read a dataset anew, after its files have changed; see `wait_dataset`."""
        return cast(Dataset, self._json("POST", f"/datasets/{_segment(name)}/verify"))

    def remove_dataset(self, name: str) -> None:
        """Remove a dataset's registration; its files stay."""
        self._request("DELETE", f"/datasets/{_segment(name)}")

    # Jobs

    @overload
    def submit(
        self, spec: JobSpec | Mapping[str, Any], *, dry_run: Literal[False] = ..., idempotency_key: str | None = ...
    ) -> Job: ...

    @overload
    def submit(self, spec: JobSpec | Mapping[str, Any], *, dry_run: Literal[True]) -> dict[str, Any]: ...

    def submit(
        self, spec: JobSpec | Mapping[str, Any], *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> Job | dict[str, Any]:
        """Submit a job.

        Parameters
        ----------
        spec : JobSpec or mapping
            What to measure.
        dry_run : bool
            Validate and answer the plan; store nothing.
        idempotency_key : str, optional
            The same key with the same spec answers the same job again, however often it is sent.

        Returns
        -------
        Job or dict
            The queued job, a dictionary with methods (`Job.wait`, `Job.project` …), or the plan of a dry run.
        """
        # Only what the caller set is sent, so that the service's own defaults fill in the rest.
        body = spec.model_dump(mode="json", exclude_unset=True) if isinstance(spec, JobSpec) else spec
        params = {"dry_run": "true"} if dry_run else None
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        answer = self._json("POST", "/jobs", params, body=body, headers=headers)
        return answer if dry_run else Job(self, answer)

    def job(self, id: str | UUID) -> Job:
        """Return one job."""
        return Job(self, self._json("GET", _job(id)))

    def jobs(self, *, limit: int | None = None, **filters: Any) -> Iterator[Job]:
        """Iterate over jobs, the newest first, page by page.

        Parameters
        ----------
        limit : int, optional
            At most so many; default all.
        **filters
            ``state``, ``label``, ``model``, ``dataset``, ``created_after``; a list repeats the filter.
        """
        if limit is not None:
            filters["limit"] = min(limit, 100)
        return islice((Job(self, seen) for seen in self._items("/jobs", filters)), limit)

    def cancel(self, id: str | UUID) -> Job:
        """Ask a job to stop; what it has measured stays."""
        return Job(self, self._json("POST", f"{_job(id)}/cancel"))

    def retry(self, id: str | UUID, *, start_anew: bool = False) -> Job:
        """Queue a failed or cancelled job again; what it has measured stays.

        Parameters
        ----------
        id : str or UUID
            The job.
        start_anew : bool
            Drop what is measured, and measure all of it again with the plugins and the data of now. That is the way on
            when these are not what the job was measured with (`ApiError` with code ``plugin_changed`` or
            ``dataset_changed``), and the only one for a completed job.
        """
        return Job(self, self._json("POST", f"{_job(id)}/retry", {"start_anew": "true"} if start_anew else None))

    @overload
    def extend(
        self,
        id: str | UUID,
        *,
        runs: int | None = ...,
        steps: Sequence[int] | None = ...,
        dataset: str | None = ...,
        start_anew: bool = ...,
        dry_run: Literal[False] = ...,
        idempotency_key: str | None = ...,
    ) -> Job: ...

    @overload
    def extend(
        self,
        id: str | UUID,
        *,
        runs: int | None = ...,
        steps: Sequence[int] | None = ...,
        dataset: str | None = ...,
        start_anew: bool = ...,
        dry_run: Literal[True],
    ) -> dict[str, Any]: ...

    def extend(
        self,
        id: str | UUID,
        *,
        runs: int | None = None,
        steps: Sequence[int] | None = None,
        dataset: str | None = None,
        start_anew: bool = False,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Job | dict[str, Any]:
        """Add runs or steps to an ended job and queue it again; what it has measured stays.

        Parameters
        ----------
        id : str or UUID
            The job.
        runs : int, optional
            The larger number of runs that it shall have in all.
        steps : sequence of int, optional
            Sizes to measure besides those that it has, in increasing order.
        dataset : str, optional
            Another registration of the same data; other data only with `start_anew`.
        start_anew : bool
            Drop what is measured, and measure all of it with the plugins and the data of now.
        dry_run : bool
            Validate and answer the plan; store nothing.
        idempotency_key : str, optional
            The same key with the same request extends the job once, however often it is sent.

        Returns
        -------
        Job or dict
            The queued job, or the plan of a dry run.
        """
        wanted = {"runs": runs, "steps": list(steps) if steps is not None else None, "dataset": dataset}
        flags = {"start_anew": start_anew, "dry_run": dry_run}
        answer = self._json(
            "POST",
            f"{_job(id)}/extend",
            {name: "true" for name, is_set in flags.items() if is_set},
            body={name: value for name, value in wanted.items() if value is not None},
            headers={"Idempotency-Key": idempotency_key} if idempotency_key else None,
        )
        return answer if dry_run else Job(self, answer)

    def delete(self, id: str | UUID) -> None:
        """Delete an ended job with everything it measured."""
        self._request("DELETE", _job(id))

    def wait(self, id: str | UUID, timeout: float | None = None, *, each: Callable[[Job], object] | None = None) -> Job:
        """Return the job once it has ended: completed, failed or cancelled.

        Parameters
        ----------
        id : str or UUID
            The job.
        timeout : float, optional
            Seconds; default as long as it takes.
        each : callable, optional
            Gets the job whenever it was looked at.

        Raises
        ------
        WaitTimeout
            When it has not ended after `timeout` seconds; it goes on.
        """

        def look() -> Job:
            job = self.job(id)
            if each is not None:
                each(job)
            return job

        return self._poll(
            look,
            lambda job: job["state"] in ENDED,
            timeout,
            f"job {id} has not ended after {timeout} s; it goes on",
        )

    def events(self, id: str | UUID, last_id: int | None = None) -> Iterator[JobEvent]:
        """Iterate over a job's events until it has ended, across broken connections.

        Parameters
        ----------
        id : str or UUID
            The job.
        last_id : int, optional
            The last event already seen; default all from the first.

        Raises
        ------
        ServiceUnreachable
            When the connection broke and could not be made again.
        """
        failures = empty = 0
        has_ended = tells_end = False
        patience = 1
        while True:
            try:
                for event in self._stream(f"{_job(id)}/events", last_id):
                    failures, empty, last_id, patience = 0, -1, event.id, STREAM_PATIENCE
                    if event.type == "state":
                        tells_end = event.data.get("state") in ENDED
                    yield event
            except (httpx.TransportError, _Busy) as error:
                failures += 1
                if failures > STREAM_RETRIES:
                    raise ServiceUnreachable(self.url, _reason(error)) from error
                time.sleep(_pause(failures, getattr(error, "retry_after", None)))
                continue
            # The server closes the stream of an ended job, but also when it shuts down or its database is away. So
            # the end is what was read after the job had ended, and tells of it. To who comes later than that, it is
            # nothing twice; to who still waits for it, nothing for longer than a server takes to shut down.
            empty += 1
            if has_ended and (tells_end or empty > patience):
                return
            has_ended = self.job(id)["state"] in ENDED
            if not has_ended or empty > 1:
                time.sleep(0.2)

    # Results

    def measurements(self, id: str | UUID, view: Literal["cells", "averages"] = "averages") -> dict[str, Any]:
        """Return a job's measurements: every cell's values, or mean and standard deviation a step; all pages as one."""
        return {"items": list(self._items(f"{_job(id)}/measurements", {"view": view})), "next_cursor": None}

    def project(self, id: str | UUID, n: Sequence[float], **options: Any) -> dict[str, Any]:
        """Return what the metrics are expected to be at training-set sizes `n`.

        Parameters
        ----------
        id : str or UUID
            The job.
        n : sequence of float
            Training-set sizes.
        **options
            ``metric``, ``level``, ``method``, and ``of``: whose interval, of the ``mean`` or of one new ``training``.
        """
        return self._json("GET", f"{_job(id)}/project", {"n": list(n), **options})

    def inv_project(self, id: str | UUID, targets: Sequence[float | str], **options: Any) -> dict[str, Any]:
        """Return how many training items the targets need.

        Parameters
        ----------
        id : str or UUID
            The job.
        targets : sequence of float or str
            ``0.93`` for all metrics, or ``"Accuracy:0.93"`` for one.
        **options
            ``level``, ``method``.
        """
        return self._json("GET", f"{_job(id)}/inv_project", {"target": list(targets), **options})

    def verdict(self, id: str | UUID, **options: Any) -> dict[str, Any]:
        """Return whether more data is worth it, by every metric.

        Parameters
        ----------
        id : str or UUID
            The job.
        **options
            ``metric``, ``level``, and ``min_gain``: what doubling the data must bring, in the metric's units, 0.01 for
            all or ``"Accuracy:0.01"``; a list repeats it.
        """
        return self._json("GET", f"{_job(id)}/verdict", options)

    def curves(self, id: str | UUID, **options: Any) -> dict[str, Any]:
        """Return the fitted curves with their back-test.

        Parameters
        ----------
        id : str or UUID
            The job.
        **options
            ``metric``, ``method``.
        """
        return self._json("GET", f"{_job(id)}/curves", options)

    def compare(self, ids: Sequence[str | UUID], **options: Any) -> dict[str, Any]:
        """Return jobs' curves side by side: where they cross, and how many times the data one needs.

        Parameters
        ----------
        ids : sequence of str or UUID
            The jobs; the first is what the others are compared with.
        **options
            ``metric``, ``level``.
        """
        return self._json("GET", "/compare", {"job": [str(id) for id in ids], **options})

    def figure(self, id: str | UUID, **options: Any) -> dict[str, Any]:
        """Return one metric's curve as a Plotly figure, for ``plotly.graph_objects.Figure``.

        Parameters
        ----------
        id : str or UUID
            The job.
        **options
            ``metric``, ``class``, ``target``, ``theme``.
        """
        return self._json("GET", f"{_job(id)}/figure", options)

    def plot(self, id: str | UUID, kind: Literal["svg", "png"] = "svg", **options: Any) -> bytes:
        """Return one metric's curve as a picture; the options are those of `figure`."""
        return self._request("GET", f"{_job(id)}/plot.{kind}", options).content

    def table(self, id: str | UUID, view: str, params: Mapping[str, Any] | None = None) -> str:
        """Return ``measurements``, ``project`` or ``inv_project`` as CSV: the wide form of DataEval's data frames."""
        return self._request("GET", f"{_job(id)}/{view}", {**(params or {}), "format": "csv"}).text

    def export(self, id: str | UUID, format: str = "dataeval") -> bytes:
        """Return a job's results as a file.

        Parameters
        ----------
        id : str or UUID
            The job.
        format : {"dataeval", "csv"}
            ``dataeval`` is the JSON that DataEval's ``SufficiencyOutput`` takes; ``csv`` every cell.
        """
        return self._request("GET", f"{_job(id)}/export", {"format": format}).content

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
        from sufficiency.client.mlflow import export_job

        return export_job(self, str(id), tracking_uri, experiment)

    # How requests are made

    def _json(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        response = self._request(method, path, params, body=body, headers=headers)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ServiceUnreachable(self.url, "what answers there is not this service")
        return answer

    def _items(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """Yield the items of all pages."""
        cursor: str | None = None
        while True:
            page = self._json("GET", path, {**(params or {}), "cursor": cursor})
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        repeatable = method == "GET" or "Idempotency-Key" in (headers or {})
        asked = {key: value for key, value in (params or {}).items() if value is not None}
        for attempt in range(1, RETRIES + 2):
            last = attempt > RETRIES
            try:
                response = self._http.request(method, path, params=asked, json=body, headers=headers)
            except httpx.TransportError as error:
                # A request whose connection was refused never arrived, so that even a POST may be sent again.
                if last or not (repeatable or isinstance(error, httpx.ConnectError)):
                    raise ServiceUnreachable(self.url, _reason(error)) from error
                time.sleep(_pause(attempt))
                continue
            if response.status_code == 503 and repeatable and not last:
                time.sleep(_pause(attempt, _retry_after(response)))
                continue
            break
        if not response.is_success:
            raise _api_error(response)
        return response

    def _stream(self, path: str, last_id: int | None) -> Iterator[JobEvent]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(last_id)} if last_id is not None else {})
        timeout = httpx.Timeout(self._http.timeout.connect, read=STREAM_SILENCE_SECONDS)
        with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if response.status_code == 503:
                raise _Busy(_retry_after(response))
            if not response.is_success:
                response.read()
                raise _api_error(response)
            yield from parse_events(response.iter_lines())

    def _poll(self, look: Callable[[], T], done: Callable[[T], bool], timeout: float | None, late: str) -> T:
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = 0.1
        heard = time.monotonic()
        while True:
            try:
                if done(seen := look()):
                    return seen
                heard = time.monotonic()
            except (ServiceUnreachable, ApiError) as error:
                # The service is given the time to restart: what is waited for goes on without it.
                away = not isinstance(error, ApiError) or error.status == 503
                if not away or time.monotonic() - heard > OUTAGE_SECONDS:
                    raise
            if deadline is not None and time.monotonic() + pause > deadline:
                raise WaitTimeout(late)
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)


class _Busy(Exception):
    """The stream was answered 503."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("the service is busy")
        self.retry_after = retry_after


def parse_events(lines: Iterator[str]) -> Iterator[JobEvent]:
    """Parse the lines of an event stream (WHATWG server-sent events); an event without a number or data is skipped."""
    id, type, data = "", "message", list[str]()
    for line in lines:
        if line == "":
            if data and id.isdigit():
                yield JobEvent(int(id), type, json.loads("\n".join(data)))
            type, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            id = value
        elif field == "event":
            type = value
        elif field == "data":
            data.append(value)


def _job(id: str | UUID) -> str:
    return f"/jobs/{_segment(str(id))}"


def _segment(text: str) -> str:
    return quote(text, safe="")


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError):
        return str(error) or "connection refused"
    return str(error) or type(error).__name__


def _pause(attempt: int, retry_after: float | None = None) -> float:
    if retry_after is not None:
        return min(retry_after, 30.0)
    return float(
        min(0.1 * 2**attempt, 5.0) * random.uniform(0.75, 1.25)
    )  # jitter, so that clients do not march in step


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _api_error(response: httpx.Response) -> ApiError:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": response.text[:500]}
    problem.setdefault("title", response.reason_phrase)
    return ApiError(response.status_code, problem, f"{response.request.method} {response.request.url}")
