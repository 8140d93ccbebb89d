"""The lives that a job can have, and what it leaves of them: events, and messages to endpoints."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tests.golden.service_answers import anonymous
from tests.golden.service_studies import ERROR, SCHEDULE, Service, body_of, levels_off, measure
from tests.golden.service_subjects import Claim, HandWorker, rows

STEPS = [20, 50, 100]
DEATH = {"code": "trainer_killed", "detail": "The trainer was killed.", "where": {"phase": "train", "run": 0}}


@dataclass
class Life:
    """A job under way: what is asked of the service for it, and what the worker does to it."""

    service: Service
    worker: HandWorker
    name: str
    asked: list[Any] = field(default_factory=list)

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.service.jobs[self.name]

    def submit(self, **spec: Any) -> None:
        """Submit the job."""
        body = body_of(self.name, {"schedule": STEPS, **spec})
        answer = self.service.http.post("/jobs", json=body)
        self.service.jobs[self.name] = str(answer.json()["id"])
        self.asked.append(["submit", answer.status_code, answer.json()["state"], answer.json()["progress"]])

    def ask(self, what: str, body: Any = None, **headers: str) -> None:
        """Ask for a change: cancel, retry, extend."""
        declared = {"Content-Type": "application/json", **headers}
        answer = self.service.http.post(f"/jobs/{self.job_id}/{what}", json=body, headers=declared)
        assert answer.is_success, answer.text
        self.asked.append([what, answer.status_code, answer.json()["state"], answer.json()["progress"]])

    def claim(self) -> Claim:
        """Take the next unit, whether it is due or not."""
        rows(self.service.database_url, "UPDATE unit SET not_before = NULL WHERE job_id = %s", self.job_id)
        claim = self.worker.claim(self.job_id)
        assert claim is not None
        return claim

    def measure(self, *wanted: tuple[int, int]) -> None:
        """Measure the cells, or all."""
        measure(self.worker, self.job_id, levels_off, wanted or None)

    def told(self) -> dict[str, Any]:
        """Return what was asked and answered, and the events and messages of it; cells by what is told of them."""
        found = rows(
            self.service.database_url, "SELECT type, data FROM event WHERE job_id = %s ORDER BY seq", self.job_id
        )
        events = [[row["type"], sorted(row["data"]) if row["type"] == "cell" else row["data"]] for row in found]
        messages = rows(
            self.service.database_url, "SELECT body FROM webhook_delivery WHERE job_id = %s ORDER BY id", self.job_id
        )
        told = {
            "asked": self.asked,
            "events": _counted(events),
            "messages": [json.loads(row["body"]) for row in messages],
        }
        return anonymous(told, self.service)


def _counted(events: Sequence[list[Any]]) -> list[list[Any]]:
    """Return events with those that come several times in a row as one, with their number."""
    found = []
    for event, same in groupby(events):
        times = len(list(same))
        found.append(event if times == 1 else [*event, f"{times} times"])
    return found


def _completes(life: Life) -> None:
    life.submit(runs=3, labels={"team": "vision"})
    life.measure()


def _is_cancelled_in_the_queue(life: Life) -> None:
    life.submit()
    life.ask("cancel")


def _is_cancelled_at_work(life: Life) -> None:
    life.submit()
    life.measure((0, 0))
    held = life.claim()
    life.ask("cancel")
    life.ask("cancel")
    life.worker.give_back(held)


def _fails_and_is_retried(life: Life) -> None:
    life.submit()
    life.measure((0, 0), (1, 0))
    life.worker.fail(life.claim(), ERROR)
    life.ask("retry")
    life.measure()


def _kills_its_trainers(life: Life) -> None:
    life.submit(schedule=[1000], runs=1)
    for _ in range(3):
        life.worker.give_back(life.claim(), DEATH)


def _runs_for_too_long(life: Life) -> None:
    life.submit()
    life.measure((0, 0))
    past = "UPDATE job SET started_at = started_at - interval '1 minute' WHERE id = %s"
    rows(life.service.database_url, past, life.job_id)
    life.worker.end_overdue(life.job_id, 30.0)


def _is_extended(life: Life) -> None:
    life.submit()
    life.measure()
    for _ in range(2):
        life.ask("extend", {"runs": 3, "steps": [70, 200]}, **{"Idempotency-Key": "once"})
    life.measure()


def _is_extended_by_the_same_data(life: Life) -> None:
    life.submit()
    life.measure()
    life.ask("extend", {"dataset": "moved"})


def _is_a_sequence_that_is_extended(life: Life) -> None:
    life.submit(protocol="dataeval")
    life.measure()
    life.ask("extend", {"steps": [200]})
    life.measure()


def _is_started_anew(life: Life) -> None:
    life.submit()
    life.measure()
    life.ask("retry?start_anew=true")
    life.measure()


def _is_planned_by_a_plugin(life: Life) -> None:
    life.submit(schedule={"name": SCHEDULE["name"]})
    life.worker.name_steps(life.job_id, [250, 500, 1000])
    life.measure()
    life.ask("retry?start_anew=true")
    life.worker.name_steps(life.job_id, [500, 1000])


def _has_a_schedule_that_fails(life: Life) -> None:
    life.submit(schedule={"name": SCHEDULE["name"]})
    life.worker.fail_to_name_steps(life.job_id, {**ERROR, "where": {"phase": "schedule"}})
    life.ask("retry")
    life.ask("cancel")


def _has_a_schedule_of_too_many_steps(life: Life) -> None:
    life.submit(schedule={"name": SCHEDULE["name"]})
    life.worker.name_steps(life.job_id, list(range(1, 52)))


LIVES: dict[str, Callable[[Life], None]] = {
    function.__name__.strip("_").replace("_", " "): function
    for function in (
        *(_completes, _is_cancelled_in_the_queue, _is_cancelled_at_work, _fails_and_is_retried, _kills_its_trainers),
        *(_runs_for_too_long, _is_extended, _is_extended_by_the_same_data, _is_a_sequence_that_is_extended),
        *(_is_started_anew, _is_planned_by_a_plugin, _has_a_schedule_that_fails, _has_a_schedule_of_too_many_steps),
    )
}
