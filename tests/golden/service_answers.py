"""The questions to the API, and its answers in a form that is the same each time."""

import csv
import io
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import httpx

from tests.golden.service_studies import BASE, STUDIES, Service, body_of, split

NOBODY = "019a0000-0000-7000-8000-000000000000"
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
HEADERS = (
    *("allow", "cache-control", "content-disposition", "content-security-policy", "content-type", "etag", "location"),
    *("retry-after", "referrer-policy", "x-content-type-options"),
)
FONT = re.compile(r"font-family: [^;]*; ")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
# Of a page's file, which changes with every word in it, and of an answer, which names its job
DIGESTS = {"of the file": re.compile(r'^"[0-9a-f]{20}"$'), "of the answer": re.compile(r'^"[0-9a-f]{32}"$')}


@dataclass(frozen=True)
class Question:
    """A request. In its path ``{completed}`` is the id of the job of that name, ``{nobody}`` that of no job."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        said = [f"{self.method} {self.path}"]
        said += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body is not None:
            written = self.body if isinstance(self.body, str) else json.dumps(self.body)
            said.append(written if len(written) <= 1000 else f"{len(written)} characters")
        return " | ".join(said)


def _gets(*paths: str) -> list[Question]:
    return [Question("GET", path) for path in paths]


def _of_job(name: str, *questions: str) -> list[Question]:
    return _gets(*(f"/jobs/{{{name}}}{question}" for question in questions))


# What is asked of every job, whatever it has measured
OF_EVERY_JOB = (
    *("", "/measurements", "/measurements?format=csv", "/project?n=50&n=1000&n=5000"),
    *("/inv_project?target=0.9&target=LogLoss:0.2", "/verdict", "/curves", "/plot.svg?target=0.9"),
    "/export?format=csv",
)
BY_POWER_LAW = ("/curves?method=power_law", "/project?n=4000&method=power_law", "/export")
FIGURE = "/figure?target=0.9"
CELLS = "/measurements?view=cells"
JSON = {"Content-Type": "application/json"}
SPEC = {name: value for name, value in BASE.items() if name != "schedule"}
QUESTIONS: dict[str, list[Question]] = {
    "completed": [
        *_of_job("completed", *OF_EVERY_JOB),
        *_of_job(
            "completed",
            FIGURE,
            CELLS,
            f"{CELLS}&limit=7&metric=Accuracy",
            f"{CELLS}&format=csv",
            "/measurements?metric=Recall",
            "/project?n=9007199254740992&metric=Recall&metric=Accuracy",
            "/project?n=400&n=3000&of=one_training&level=0.8&metric=Accuracy",
            "/project?n=4000&n=2000&format=csv",
            "/inv_project?target=Accuracy:0.5&target=Accuracy:0.96&target=Top: 3:0.98&level=0.5",
            "/inv_project?target=0.92&format=csv",
            "/verdict?metric=Accuracy&min_gain=Accuracy:0.001&level=0.8",
            "/verdict?metric=Recall&class=dog&min_gain=0.2",
            "/curves?metric=Recall&class=2",
            "/plot.svg?metric=LogLoss&target=0.05&theme=dark",
            "/plot.png",
        ),
        Question("GET", f"/jobs/{{completed}}{CELLS}", headers={"Accept": "text/csv"}),
    ],
    "holes": _of_job("holes", *OF_EVERY_JOB, CELLS),
    "numbers": _of_job("numbers", *OF_EVERY_JOB, "/figure?metric=R2&theme=dark"),
    "running": _of_job("running", *OF_EVERY_JOB, FIGURE),
    **{name: _of_job(name, *OF_EVERY_JOB) for name in ("rival", "sequence", "begun", "failed", "cancelled", "queued")},
    "power_law": [
        *(question for name in STUDIES for question in _of_job(name, *BY_POWER_LAW)),
        *_of_job(
            "completed",
            "/inv_project?target=0.97&method=power_law",
            "/inv_project?target=0.97&target=0.9&method=power_law&format=csv",
        ),
    ],
    "unplanned": _of_job("unplanned", "", "/measurements", "/project?n=10"),
    "lists": _gets(
        "/jobs?limit=100",
        "/jobs?state=completed&state=failed&limit=2",
        "/jobs?label=study:running",
        "/jobs?label=study:running&state=queued",
        "/jobs?model=linear",
        "/jobs?dataset=stays",
        "/jobs?created_after=2100-01-01T00:00:00Z",
        "/datasets",
        "/datasets/pets",
        "/datasets/pets/preview.png",
        "/datasets/broken",
        "/datasets/fresh",
        "/datasets/stays",
        "/plugins?kind=model",
        "/plugins?limit=3",
        "/plugins/evaluation/classification",
        "/workers",
        "/webhooks",
        "/livez",
        "/readyz",
    ),
    "comparisons": _gets(
        "/compare?job={completed}&job={rival}",
        "/compare?job={rival}&job={completed}&job={running}&level=0.8&metric=Accuracy",
        "/compare?job={completed}&job={rival}&metric=Recall",
        "/compare?job={completed}&job={sequence}&metric=LogLoss",
        "/compare?job={completed}&job={numbers}",
        "/compare?job={completed}&job={queued}",
        "/compare?job={completed}&job={completed}",
        "/compare?job={completed}&job={nobody}",
        "/compare?job={completed}",
        "/compare?job={completed}&job={rival}&metric=Acuracy",
    ),
    "plans": [
        Question("POST", "/jobs?dry_run=true", SPEC),
        Question("POST", "/jobs?dry_run=true", {**SPEC, "model": {"name": "linear"}, "schedule": [40, 80], "runs": 4}),
        Question("POST", "/jobs?dry_run=true", {**SPEC, "protocol": "dataeval", "schedule": {"name": "halves"}}),
        Question("POST", "/jobs/{completed}/extend?dry_run=true", {"runs": 5, "steps": [700]}),
        Question("POST", "/jobs/{sequence}/extend?dry_run=true", {"steps": [800]}),
        Question("POST", "/jobs/{failed}/extend?dry_run=true&start_anew=true", {"runs": 3}),
        Question("POST", "/jobs/{completed}/extend?dry_run=true", {"dataset": "moved"}),
    ],
    "replays": [
        Question("POST", "/jobs", body_of("failed", STUDIES["failed"].spec), {"Idempotency-Key": "failed"}),
        Question("POST", "/jobs", body_of("failed", {"seed": 1}), {"Idempotency-Key": "failed"}),
        Question("POST", "/jobs/{rival}/extend", STUDIES["rival"].extension, {"Idempotency-Key": "rival"}),
        Question("POST", "/jobs/{rival}/extend", {"runs": 9}, {"Idempotency-Key": "rival"}),
        Question("POST", "/datasets", {"name": "pets", "train": split("pets.npz"), "test": split("test.npz")}),
    ],
    "problems": [
        *_gets(
            "/nowhere",
            "/jobs/{nobody}",
            "/jobs/none",
            "/jobs/{nobody}/project?n=10",
            "/jobs/{nobody}/events",
            "/jobs?limit=0",
            "/jobs?state=asleep",
            "/jobs?label=study",
            "/jobs?cursor=bm90IG9uZQ",
            "/datasets/none",
            "/datasets/moved/preview.png",
            "/plugins/model/ml",
            "/plugins/kind/mlp",
            "/webhooks/{nobody}",
            "/workers?limit=%00",
        ),
        *_of_job(
            "completed",
            "/project",
            "/project?n=0",
            "/project?n=many&level=1",
            "/project?n=10&metric=Acuracy",
            "/project?n=10&method=wisdom&of=everything",
            "/project?n=10&format=xml",
            "/inv_project?target=Accuracy",
            "/inv_project?target=nan",
            "/inv_project?target=Accuracy:1.01",
            "/inv_project?target=Acuracy:0.9",
            "/inv_project?target=7&metric=Accuracy",
            "/verdict?min_gain=0",
            "/curves?class=cow",
            "/figure?metric=Acuracy",
            "/figure?metric=Accuracy&target=1.5",
            "/plot.gif",
            "/plot.svg?theme=grey",
            "/export?format=parquet",
            "/measurements?view=both&limit=0",
            "/measurements?view=cells&cursor=bm90IG9uZQ",
        ),
        Question("PUT", "/jobs/{completed}"),
        Question("POST", "/jobs", {**SPEC, "runs": 0, "modle": {}}),
        Question(
            "POST",
            "/jobs",
            {**SPEC, "model": {"name": "mpl"}, "training": {"name": "sgd-classifier", "params": {"lr": 0, "rate": 1}}},
        ),
        Question("POST", "/jobs", {**SPEC, "dataset": "pet"}),
        Question("POST", "/jobs", {**SPEC, "dataset": "broken"}),
        Question("POST", "/jobs", {**SPEC, "dataset": "fresh"}),
        Question("POST", "/jobs", {**SPEC, "schedule": [50, 20]}),
        Question("POST", "/jobs", {**SPEC, "schedule": [20, 2000]}),
        Question("POST", "/jobs", {**SPEC, "runs": 50}),
        Question("POST", "/jobs", {**SPEC, "labels": {"a": "\x00"}}),
        Question("POST", "/jobs", {**SPEC, "labels": {"a": "b" * 21_000}}),
        Question("POST", "/jobs", '{"model": }', JSON),
        Question("POST", "/jobs", "model=mlp", {"Content-Type": "application/x-www-form-urlencoded"}),
        Question("POST", "/jobs", SPEC, {"Idempotency-Key": ""}),
        Question("POST", "/jobs/{nobody}/cancel"),
        Question("POST", "/jobs/{completed}/cancel"),
        Question("POST", "/jobs/{completed}/retry"),
        Question("POST", "/jobs/{running}/retry"),
        Question("POST", "/jobs/{completed}/extend", {}),
        Question("POST", "/jobs/{completed}/extend", {"runs": 2, "steps": [50, 3000]}),
        Question("POST", "/jobs/{completed}/extend", {"runs": 4, "dataset": "stays"}),
        Question("POST", "/jobs/{sequence}/extend", {"steps": [300]}),
        Question("POST", "/jobs/{running}/extend", {"runs": 4}),
        Question("DELETE", "/jobs/{running}"),
        Question("DELETE", "/datasets/pets"),
        Question("POST", "/datasets", {"name": "a b", "train": {"loader": "npz"}}),
        Question("POST", "/datasets", {"name": "new", "source": {"loader": "nzp", "params": {}}}),
        Question("POST", "/datasets", {"name": "pets", "source": {"loader": "npz", "params": {"path": "x"}}}),
        Question("POST", "/webhooks", {"url": "https://hooks.example.org/sufficiency", "events": ["job.failed"]}),
        Question("POST", "/webhooks", {"url": "ftp://example.org", "events": ["job.sleeping"]}),
        Question("POST", "/webhooks", {"url": "http://127.0.0.1/", "events": ["job.failed"]}),
    ],
    "page": _gets("/", "/ui", "/ui/", "/ui/main.js", "/ui/style.css", "/ui/icon.svg", "/ui/nothing.js", "/docs"),
}

# What a search has found is the same on each machine only as far as the search goes on.
RTOL = {"power_law": 1e-5}


def ask(service: Service, questions: Sequence[Question]) -> dict[str, Any]:
    """Return the answers by question: status, headers and body."""
    return {str(question): _answered(service, question) for question in questions}


def _answered(service: Service, question: Question) -> dict[str, Any]:
    ids = {**service.jobs, "nobody": NOBODY}
    path = question.path.format_map(ids)
    content = question.body if isinstance(question.body, str) else None
    answer = service.http.request(
        question.method,
        path,
        content=content,
        json=question.body if content is None else None,
        headers=question.headers,
    )
    headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    for of, digest in DIGESTS.items():
        if digest.match(headers.get("etag", "")):
            headers["etag"] = of
    told = {"status": answer.status_code, "headers": headers, "body": _body(answer)}
    following = told["body"].get("next_cursor") if isinstance(told["body"], dict) else None
    if following:
        told["body"]["next_cursor"] = "…"
        told["sizes of pages"] = list(_pages(service, path, answer.json()))
    return anonymous(told, service)


def _pages(service: Service, path: str, page: Mapping[str, Any]) -> Iterator[int]:
    """Yield how many items each page has, from the given one on."""
    yield len(page["items"])
    while cursor := page["next_cursor"]:
        page = service.http.get(httpx.URL(path).copy_merge_params({"cursor": cursor})).json()
        yield len(page["items"])


def anonymous(told: Any, service: Service) -> Any:
    """Return what was told with ids by name or by the order in which they come, and times by their order."""
    text = json.dumps(told, ensure_ascii=False).replace(service.url, "<service>")
    names = {id: f"<{name}>" for name, id in service.jobs.items()} | {NOBODY: "<nobody>"}
    others = dict.fromkeys(id for id in ID.findall(text) if id not in names)
    names |= {id: f"<id {number}>" for number, id in enumerate(others, 1)}
    times = {at: f"<time {number}>" for number, at in enumerate(sorted(set(TIME.findall(text))), 1)}
    text = ID.sub(lambda found: names[found[0]], text)
    return json.loads(TIME.sub(lambda found: times[found[0]], text))


def _body(answer: httpx.Response) -> Any:
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json" or kind.endswith("+json"):
        return answer.json()
    if kind == "text/csv":
        return read_csv(answer.text)
    if kind == "image/png":
        return {"width and height": struct.unpack(">II", answer.content[16:24])}
    if kind == "image/svg+xml" and answer.url.path.startswith("/jobs/"):
        return drawn(answer.text)
    return None if answer.content == b"" else f"<{kind}>"


def read_csv(text: str) -> list[list[Any]]:
    """Return the rows of a table, with numbers as such."""
    return [[_number(entry) for entry in row] for row in csv.reader(io.StringIO(text))]


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def drawn(svg: str) -> list[str]:
    """Return what a picture shows: its texts, and of each line and area the number of points, the ends and the style.

    Places are rounded: what the figure shows to all digits, the answer of `/figure` holds.
    """
    shown = []
    for element in ElementTree.fromstring(svg).iter():
        tag = element.tag.rpartition("}")[2]
        style = FONT.sub("", element.get("style", ""))
        if tag == "text":
            shown.append(f"{''.join(element.itertext())!r}, {style}")
        elif tag == "path" and style:
            numbers = [float(found) for found in NUMBER.findall(element.get("d", ""))]
            xs, ys = numbers[0::2], numbers[1::2]
            ends = f"{min(xs):.0f},{min(ys):.0f} to {max(xs):.0f},{max(ys):.0f}" if xs else "nowhere"
            shown.append(f"{len(xs)} points, {ends}, {style}")
        elif tag == "use" and style:
            shown.append(f"mark at {float(element.get('x', 'nan')):.0f},{float(element.get('y', 'nan')):.0f}, {style}")
    return shown
