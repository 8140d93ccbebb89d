"""What the command line prints: tables of answers, and the bar of a running job."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sufficiency.client.client import Client
from sufficiency.client.errors import ClientError
from sufficiency.client.events import JobEvent
from sufficiency.client.job import Job
from sufficiency.client.progress import cells_text
from sufficiency.exits import CommandError
from sufficiency.method.phrasing import money_text
from sufficiency.schemas.text import (
    NO_VALUE,
    STATUS,
    STOPPED,
    WORTH,
    count,
    counted,
    number,
    percent,
    signed,
    spread,
    times,
)
from sufficiency.schemas.words import ENDED, HORIZON

# Of those that a decision weighs, so many are told, from none to the largest.
_PURCHASES = 6


def stdout() -> Console:
    """Return the console for answers; tables are not cut where nobody's terminal sets a width."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


# Tables


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """Return an empty table; the columns named in `right` hold numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in set(right) else "left", header_style="bold")
    return made


def averages(items: Sequence[Mapping[str, Any]]) -> Table:
    """Return mean ± SD of every scalar metric, a row a step."""
    scalars = [item for item in items if item["class"] is None]
    metrics = list(dict.fromkeys(item["metric"] for item in scalars))
    made = table("n", "runs", *metrics, right=["n", "runs", *metrics])
    steps: dict[tuple[int, int], dict[str, Mapping[str, Any]]] = {}
    for item in scalars:
        steps.setdefault((item["step"], item["n"]), {})[item["metric"]] = item
    for (_, n), row in sorted(steps.items(), key=lambda step: (step[0][1], step[0][0])):
        made.add_row(count(n), str(max(item["runs"] for item in row.values())), *(_mean(row.get(m)) for m in metrics))
    return made


def _mean(item: Mapping[str, Any] | None) -> str:
    if item is None or item["mean"] is None:
        return NO_VALUE
    return spread(item["mean"], item["sd"])


def cells(items: Iterable[Mapping[str, Any]]) -> Table:
    """Return every measured value, a row a value."""
    made = table(
        "run", "step", "n", "metric", "class", "value", "seconds", right=["run", "step", "n", "value", "seconds"]
    )
    for item in items:
        klass = "" if item["class"] is None else str(item["class"])
        seconds = NO_VALUE if item.get("seconds") is None else f"{item['seconds']:.2f}"
        made.add_row(
            *(str(item["run"]), str(item["step"]), count(item["n"])),
            *(item["metric"], klass, number(item["value"]), seconds),
        )
    return made


def learners(items: Iterable[Mapping[str, Any]]) -> Table:
    """Return what every cell's learner did, a row a cell."""
    right = ["run", "step", "n", "seconds", "steps"]
    made = table("run", "step", "n", "seconds", "steps", "loss", "settled", "warnings", right=right)
    for item in items:
        details = item["details"]
        settled = [
            f"{name} {key}={value:.4g}" if isinstance(value, float) else f"{name} {key}={value}"
            for name, settings in (details["settled"] or {}).items()
            for key, value in settings.items()
        ]
        said = [f"{one['category']}: {one['message']}" for one in details["warnings"]]
        seconds = NO_VALUE if item["seconds"] is None else f"{item['seconds']:.2f}"
        steps = NO_VALUE if details["optimiser_steps"] is None else count(details["optimiser_steps"])
        made.add_row(
            *(str(item["run"]), str(item["step"]), count(item["n"]), seconds, steps, _loss(details.get("loss"))),
            *(", ".join(settled), "; ".join(said)),
        )
    return made


def _loss(loss: Mapping[str, Any] | None) -> str:
    """Return what the training loss was in the end, and whether it still fell then."""
    if loss is None:
        return NO_VALUE
    return f"{loss['end']:.3g}, still falling" if loss["falls"] else f"{loss['end']:.3g}"


def projection(answer: Mapping[str, Any]) -> Table:
    """Return the answer of `project`, a row a size."""
    return _wide(answer["metrics"], "n", count, _projected)


def inverse(answer: Mapping[str, Any]) -> Table:
    """Return the answer of `inv_project`, a row a target."""
    return _wide(
        answer["metrics"], "target", lambda target: f"{target:g}", lambda one: needed(one, answer["n_observed"])
    )


def _wide(
    metrics: Mapping[str, Sequence[Mapping[str, Any]]],
    key: str,
    head: Callable[[Any], str],
    cell: Callable[[Mapping[str, Any]], str],
) -> Table:
    """Return a column a metric; metrics with a value a class get a row a class."""
    rows: dict[tuple[float, str], dict[str, str]] = {}
    for metric, points in metrics.items():
        for point in points:
            label = "" if point.get("class") is None else str(point["class"])
            rows.setdefault((point[key], label), {})[metric] = cell(point)
    classes = ["class"] if any(label for _, label in rows) else []
    made = table(key, *classes, *metrics, right=[key, *metrics])
    for (value, label), row in sorted(rows.items(), key=lambda row: row[0][0]):
        made.add_row(head(value), *([label] if classes else []), *(row.get(metric, "") for metric in metrics))
    return made


def _projected(point: Mapping[str, Any]) -> str:
    if point["lower"] is None or point["upper"] is None:
        return number(point["value"])
    return f"{number(point['value'])} [{number(point['lower'])}, {number(point['upper'])}]"


def needed(answer: Mapping[str, Any], n_observed: int) -> str:
    """Return what one target needs, as words."""
    status, n = answer["status"], answer["n"]
    words = STATUS.get(status, str(status).replace("_", " "))
    if status == "beyond_horizon":
        words = f"more than {count(HORIZON * n_observed)}"
    chance = "" if answer["probability"] is None else f"{percent(answer['probability'])} likely"
    if n is None:
        return f"{words} ({chance})" if chance and status == "beyond_horizon" else words
    text = count(n)
    if answer["lower"] is not None or answer["upper"] is not None:
        upper = count(answer["upper"]) if answer["upper"] is not None else "∞"
        text += f" [{count(answer['lower'])}, {upper}]"
    note = chance if status == "needs" else words
    return f"{text} ({note})" if note else text


def curves(answer: Mapping[str, Any]) -> Table:
    """Return the fitted curve of each metric, with its back-test."""
    made = table("metric", "class", "method", "curve", "back-test error", "inside", right=["back-test error", "inside"])
    for item in answer["items"]:
        label = "" if item["class"] is None else str(item["class"])
        test = item["backtest"]
        inside = [point for point in test["predictions"] if point["lower"] is not None]
        share = f"{round((test['inside_interval'] or 0.0) * len(inside))} of {len(inside)}" if inside else NO_VALUE
        made.add_row(item["metric"], label, item["method"], _law(item), number(test["error"]), share)
    return made


def _law(item: Mapping[str, Any]) -> str:
    fit = item["fit"]
    if item["method"] != "power_law":
        return f"through {fit['steps']} steps from {count(fit['n_min'])} to {count(fit['n_max'])}"
    scale, exponent, asymptote = item["params"]
    return f"1 − ({NO_VALUE if scale is None else f'{scale:.4g}'} · n^−{exponent:.4g} + {asymptote:.4g})"


def forecast_record(record: Iterable[Mapping[str, Any]]) -> Table:
    """Return how forecasts came true, by metric and distance."""
    numbers = ["forecasts", "in 50 %", "in 80 %", "in 95 %", "bias", "mean error", "width"]
    made = table("metric", "how far ahead", *numbers, right=numbers)
    for one in record:
        far = f"{one['further_than']:g}–{one['up_to']:g}×" if one["up_to"] else f"over {one['further_than']:g}×"
        made.add_row(
            one["metric"],
            far,
            count(one["forecasts"]),
            *(percent(one["coverage"][level]) for level in ("0.5", "0.8", "0.95")),
            signed(one["bias"]),
            number(one["mean_absolute_error"]),
            number(one["width"]),
        )
    return made


def forecast_list(items: Iterable[Mapping[str, Any]]) -> Table:
    """Return single forecasts beside what came."""
    made = table("metric", "class", "n", "from", "said", "95 % interval", "came", right=["n", "from", "said", "came"])
    for one in items:
        label = "" if one.get("class") is None else str(one["class"])
        interval = f"{number(one['lower'])} to {number(one['upper'])}"
        came = NO_VALUE if one["measured"] is None else number(one["measured"])
        if one["inside"] is not None and not one["inside"]["0.95"]:
            came += " (outside)"
        said = number(one["value"])
        made.add_row(one["metric"], label, count(one["n"]), count(one["n_observed"]), said, interval, came)
    return made


def print_verdict(console: Console, answer: Mapping[str, Any]) -> None:
    """Print the verdict of the study, and of each metric: the sentence, what more data would bring, what limits it."""
    first = answer["overall"]["metric"]
    metrics = {first: answer["metrics"][first], **answer["metrics"]}
    for metric, verdicts in metrics.items():
        for verdict in verdicts:
            label = "" if verdict.get("class") is None else f" of {verdict['class']}"
            worth = WORTH.get(verdict["worth"], verdict["worth"])
            console.print(f"{metric}{label}: {worth}", style="bold", markup=False)
            console.print(verdict["sentence"], markup=False)
            chance = f"chance of {number(verdict['min_gain'])} or more"
            made = table("n", "expected", "gain", chance, right=["n", "expected", "gain", chance])
            for gain in verdict["more"]:
                made.add_row(
                    f"{count(gain['n'])} ({times(gain['added'] + 1)})",
                    _projected(gain),
                    f"{signed(gain['gain'])} [{signed(gain['gain_lower'])}, {signed(gain['gain_upper'])}]",
                    percent(gain["probability"]),
                )
            console.print(made)
            for limit in verdict["limits"]:
                console.print(f"• {limit['detail']} {limit['remedy']}", markup=False)
            console.print()
    for statement in answer["overall"]["statements"]:
        if statement["kind"] == "others":
            console.print(f"{first} answers for the job. {statement['text']}", markup=False)


def print_decision(console: Console, answer: Mapping[str, Any]) -> None:
    """Print what to buy now, what else could be bought at once, and what it is worth to know more first."""
    console.print(answer["sentence"], markup=False, style="bold")
    aim = answer["terms"]["target"] is not None
    height = f"{answer['metric']} meets it" if aim else "gain"
    made = table("labels", "n", "cost", height, "loss", right=["labels", "n", "cost", height, "loss"])
    rows = _some(answer["purchases"], answer["buy"])
    for one in rows:
        shown = percent(one["probability"]) if aim else number(one["gain"])
        made.add_row(count(one["items"]), count(one["n"]), money_text(one["cost"]), shown, money_text(one["loss"]))
    more = len(answer["purchases"]) - len(rows)
    console.print("Bought at once and never again:", markup=False)
    console.print(made)
    if more:
        console.print(f"(and {more} purchases between them: --json)", markup=False)
    first = answer["first"]
    worth = [f"twice as many runs {money_text(first['runs'])}"]
    if first["test_split"] is not None:
        worth.append(f"a test split four times as large {money_text(first['test_split'])}")
    console.print(f"To know more first is worth at most: {', '.join(worth)}.", markup=False)


def _some(purchases: Sequence[Mapping[str, Any]], bought: int) -> list[Mapping[str, Any]]:
    """Return the purchases that are told: the first, the last, the advised one, the cheapest, and some between."""
    cheapest = min(range(len(purchases)), key=lambda place: purchases[place]["loss"])
    advised = [place for place, one in enumerate(purchases) if one["items"] == bought]
    between = [round(part * (len(purchases) - 1) / (_PURCHASES - 1)) for part in range(_PURCHASES)]
    return [purchases[place] for place in sorted({*between, *advised, cheapest})]


def params_table(schema: Mapping[str, Any]) -> Table:
    """Return the parameters that a JSON Schema describes."""
    made = table("parameter", "type", "default", "what it is")
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else _json_text(field.get("default"))
        made.add_row(name, _type_text(field), default, str(field.get("description", "")))
    return made


def _type_text(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(_json_text(value) for value in field["enum"])
    if "anyOf" in field:
        return " | ".join(_type_text(option) for option in field["anyOf"])
    if field.get("type") == "array" and isinstance(field.get("items"), dict):
        return f"list of {_type_text(field['items'])}"
    return str(field.get("type", "any"))


def _json_text(value: Any) -> str:
    return json.dumps(value)


# A running job


class _Bar:
    """A bar that moves in place, with what was measured last."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[cells]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[last]}"),
            console=console,
            transient=False,
        )
        self._task = self._progress.add_task("queued", total=1.0, cells="", last="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, event: JobEvent) -> None:
        data = event.data
        if event.type == "state":
            self._progress.update(self._task, description=data["state"])
        elif event.type == "cell":
            self._progress.update(
                self._task,
                completed=_fraction(data),
                cells=cells_text(data),
                last=_measured(data),
            )
        elif event.type == "not_measurable":
            self._progress.update(self._task, completed=_fraction(data), cells=cells_text(data))
            self._progress.console.print(_not_measurable(data), markup=False)
        elif event.type == "warning":
            self._progress.console.print(f"warning: {_warning(data)}", markup=False)
        elif event.type == "discarded":
            self._progress.update(self._task, completed=0.0, cells="", last="")
            self._progress.console.print(_discarded(data), markup=False)
        elif event.type == "design":
            self._progress.console.print(_design(data), markup=False)
        elif event.type == "pruned":
            self._progress.console.print(data["detail"], markup=False)

    def say(self, line: str) -> None:
        self._progress.console.print(line, markup=False)


class _Lines:
    """The same as lines, for a pipe or a log: a state, or about every twentieth of the work."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    def show(self, event: JobEvent) -> None:
        data = event.data
        if event.type == "state":
            self._print(data["state"])
        elif event.type == "cell":
            done = _fraction(data)
            if done >= self._shown + 0.05 or data["cells_done"] == data["cells_total"]:
                self._shown = done
                self._print(f"{percent(done):>6}  {cells_text(data)}  {_measured(data)}")
        elif event.type == "not_measurable":
            self._print(_not_measurable(data))
        elif event.type == "warning":
            self._print(f"warning: {_warning(data)}")
        elif event.type == "discarded":
            self._shown = 0.0
            self._print(_discarded(data))
        elif event.type == "design":
            self._print(_design(data))
        elif event.type == "pruned":
            self._print(data["detail"])

    def say(self, line: str) -> None:
        self._print(line)

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)
        self._console.file.flush()


def _fraction(data: Mapping[str, Any]) -> float:
    return data["work_done"] / data["work_total"] if data["work_total"] else 0.0


def _not_measurable(data: Mapping[str, Any]) -> str:
    error = data.get("error") or {}
    why = error.get("exception") or error.get("detail") or "see the job's warnings"
    return f"not measurable: run {data['run']}, n {data['n']}: {why}"


def _measured(data: Mapping[str, Any]) -> str:
    values = [f"{name} {number(value)}" for name, value in data["metrics"].items() if isinstance(value, (int, float))]
    taken_over = " (taken over)" if data.get("reused_from") else ""
    return f"n {data['n']}: {', '.join(values[:3])}{taken_over}"


def _design(data: Mapping[str, Any]) -> str:
    if data["stopped"] is None:
        return f"stage {data['stages']}, {counted(data['cells'], 'cell')}: {data['detail']}"
    why = STOPPED.get(data["stopped"], data["stopped"])
    return f"{why}, {percent(data['saved'])} of the grid saved: {data['detail']}"


def _discarded(data: Mapping[str, Any]) -> str:
    are = "is" if data["cells"] == 1 else "are"
    return f"started anew: {counted(data['cells'], 'measured cell')} {are} dropped"


def _warning(data: Mapping[str, Any]) -> str:
    return str(data.get("detail") or data.get("message") or data)


def watch(client: Client, id: str, console: Console) -> Job:
    """Show a job's way until it has ended, and return it."""
    job = client.job(id)
    if job["state"] == "queued" and job.get("queued_reason"):
        console.print(f"queued: {job['queued_reason']}", markup=False)
    with _Bar(console) if console.is_terminal else _Lines(console) as shown:
        last = ""
        for event in client.events(id):
            shown.show(event)
            # Of an ended job the whole answer follows; who watches late is told once what could be answered by now.
            if event.type == "provisional" and job["state"] not in ENDED:
                line = so_far(client, job)
                if line is not None and line != last:
                    last = line
                    shown.say(line)
    return client.job(id)


def so_far(client: Client, job: Job) -> str | None:
    """Return what a job's measurements answer so far of one metric, or None where they answer nothing."""
    declared = list(job["metrics"])
    wanted = "Accuracy" if "Accuracy" in declared else next(iter(declared), None)
    try:
        answer = client.verdict(job["id"], **({} if wanted is None else {"metric": [wanted]}))
    except ClientError:  # that is for who asks it
        return None
    first: list[Any] = next(iter(answer["metrics"].values()), [])
    return f"so far, up to n = {count(answer['n_observed'])}: {first[0]['sentence']}" if first else None


def require_completed(job: Job) -> None:
    """Raise a `CommandError` for an ended job that is not completed."""
    if job["state"] == "completed" or job["state"] not in ENDED:
        return
    error = job["error"] or {}
    place = error.get("where") or {}
    where = ", ".join(
        f"{key} {place[key]}" for key in ("plugin", "phase", "run", "step", "n") if place.get(key) is not None
    )
    what = "the job was cancelled" if job["state"] == "cancelled" else "the job failed"
    if error.get("detail"):
        what += f": {error['detail']}"
    do = f"`sufficiency retry {job['id']}` queues it again, without measuring again what it has"
    raise CommandError(what, where, do)
