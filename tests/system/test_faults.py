"""What the service makes of faults, one at a time and then all at once, and what its users are told."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from app.queue.celery import make_celery
from bench.cluster import Cluster, stopped, wait_until
from sufficiency import Client
from tests.system.torture import (
    DIGITS,
    SETTINGS,
    STUDY,
    Observer,
    Prober,
    Tormentor,
    customers,
    settle,
    table,
    undisturbed,
    violations,
)

LEASE = SETTINGS.lease_seconds
KILLED_AFTER = 10.0  # seconds that process managers give one that is to end
RUN: dict[str, Any] = {
    "model": {"name": "linear"},
    "training": {"name": "sleepy", "params": {"seconds": 0.25}},
    "evaluation": {"name": "size"},
    "dataset": "digits",
    "runs": 1,
    "schedule": [10, 20, 40, 80, 160, 320],
    "protocol": "dataeval",  # one unit
    "reuse": False,
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(workers=2, settings=SETTINGS) as cluster:
        cluster.wait_ready()
        with cluster.client() as client:
            client.add_dataset(**DIGITS)
            client.wait_dataset("digits", 60)
            # One that is looked up in the database, as those of users are;
            # the first one needs none. Priority 9 takes an admin.
            cluster.key = client.add_key("customers", "admin")["key"]
        yield cluster


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    cluster.wait_ready()
    with cluster.client(60) as client:
        yield client


def holder(cluster: Cluster, job_id: str) -> str:
    """Return the worker that holds a unit of the job."""
    [(pid, *_)] = cluster.query(
        "SELECT w.pid FROM unit u JOIN worker w ON w.id = u.worker_id WHERE u.job_id = %s", job_id
    )
    return next(name for name in cluster.programs if cluster.pid(name) == pid)


def started(cluster: Cluster, client: Client, cells: int = 2, **spec: Any) -> str:
    """Submit a job and return it once so many cells are recorded and the next one is in hand."""
    job_id = client.submit(RUN | spec)["id"]
    ready = (
        "SELECT 1 FROM job j JOIN unit u ON u.job_id = j.id"
        " WHERE j.id = %s AND j.cells_done >= %s AND u.state = 'leased'"
    )
    wait_until(lambda: bool(cluster.query(ready, job_id, cells)), 120, "the job is in hand", cluster.last_words)
    return job_id


def attempts(cluster: Cluster, job_id: str) -> list[int]:
    """Return the attempt that each finished cell was recorded by."""
    rows = cluster.query("SELECT attempt FROM cell WHERE job_id = %s AND finished_at IS NOT NULL ORDER BY step", job_id)
    return [attempt for (attempt,) in rows]


def until_claimed_again(cluster: Cluster, job_id: str) -> float:
    """Wait for a second attempt; meanwhile start again who is down, so that the next test need not wait for it."""

    def claimed() -> bool:
        cluster.tend(after=0)
        return bool(cluster.query("SELECT 1 FROM unit WHERE job_id = %s AND attempt = 2", job_id))

    return wait_until(claimed, 60, "a second claim", cluster.last_words)


def test_a_killed_worker_s_unit_is_resumed_after_its_lease(cluster: Cluster, client: Client) -> None:
    job_id = started(cluster, client)
    name = holder(cluster, job_id)
    children = cluster.family(name)
    os.kill(children[0], signal.SIGKILL)
    assert until_claimed_again(cluster, job_id) > LEASE / 2
    assert client.wait(job_id, 600)["state"] == "completed"
    assert attempts(cluster, job_id)[:2] == [1, 1]
    assert set(attempts(cluster, job_id)) == {1, 2}
    wait_until(lambda: not any(map(psutil.pid_exists, children[1:])), 60, "its trainers are gone")


def test_a_terminated_worker_s_unit_is_resumed_at_once(cluster: Cluster, client: Client) -> None:
    job_id = started(cluster, client)
    process = cluster.programs[holder(cluster, job_id)].process
    assert process is not None
    began = time.monotonic()
    process.terminate()
    assert until_claimed_again(cluster, job_id) < LEASE - SETTINGS.heartbeat_seconds, "before its lease can have ended"
    assert process.wait(60) == 0
    assert time.monotonic() - began < KILLED_AFTER
    assert client.wait(job_id, 600)["state"] == "completed"
    assert cluster.query("SELECT failures, attempt FROM unit WHERE job_id = %s", job_id) == [(0, 2)]


def test_a_killed_trainer_costs_one_attempt_and_is_named(cluster: Cluster, client: Client) -> None:
    job_id = started(cluster, client)
    [trainer] = cluster.trainers(holder(cluster, job_id))
    os.kill(trainer, signal.SIGKILL)
    failed = "SELECT error FROM unit WHERE job_id = %s AND failures = 1"
    wait_until(lambda: bool(cluster.query(failed, job_id)), 60, "the death is noticed", cluster.last_words)
    [(error,)] = cluster.query(failed, job_id)
    assert (error["code"], error["signal"]) == ("trainer_killed", "SIGKILL")
    assert error["where"]["step"] >= 2
    assert f"step {error['where']['step']} (n = {error['where']['n']})" in error["detail"]
    assert client.wait(job_id, 600)["state"] == "completed"


@pytest.mark.slow  # with a worker alone, tests/worker/test_questions.py has it each time
def test_a_trainer_that_is_killed_while_it_reads_a_dataset_says_nothing_of_the_dataset(
    cluster: Cluster, client: Client
) -> None:
    train, test = ({"loader": "slow", "params": {"seconds": seconds}} for seconds in (2.0, 0.0))
    client.add_dataset("slow", train, test)
    reading = "SELECT 1 FROM dataset WHERE name = 'slow' AND attempts = 1"
    wait_until(lambda: bool(cluster.query(reading)), 30, "a worker reads it", cluster.last_words)
    for name in ("worker-0", "worker-1"):
        for trainer in cluster.trainers(name):
            os.kill(trainer, signal.SIGKILL)
    dataset = client.wait_dataset("slow", 120)
    assert dataset["status"] == "ready", dataset
    assert cluster.query("SELECT attempts FROM dataset WHERE name = 'slow'") == [(1,)], "nobody else was sent for it"


def test_a_trainer_that_takes_too_much_memory_ends_its_job(cluster: Cluster, client: Client) -> None:
    job = client.wait(client.submit(RUN | {"training": {"name": "greedy"}})["id"], 60)
    assert job["state"] == "failed"
    assert job["error"] is not None
    assert job["error"]["code"] == "memory_exceeded"
    assert job["error"]["where"]["n"] == 10
    assert "1200 MiB" in job["error"]["detail"]


def sleepers(cluster: Cluster) -> list[psutil.Process]:
    found = []
    for process in cluster.processes():
        with suppress(psutil.Error):
            if "3600.25" in process.cmdline():
                found.append(process)
    return found


def test_what_a_plugin_started_ends_with_a_cancelled_job(cluster: Cluster, client: Client) -> None:
    job_id = started(cluster, client, cells=0, training={"name": "parent"})
    wait_until(lambda: bool(sleepers(cluster)), 120, "the plugin has started its process", cluster.last_words)
    client.cancel(job_id)
    assert client.wait(job_id, 10)["state"] == "cancelled"
    assert sleepers(cluster) == []


@pytest.mark.slow
def test_what_a_plugin_started_ends_with_a_killed_worker(cluster: Cluster, client: Client) -> None:
    job_id = started(cluster, client, cells=0, training={"name": "parent"})
    wait_until(lambda: bool(sleepers(cluster)), 120, "the plugin has started its process", cluster.last_words)
    pid = cluster.pid(holder(cluster, job_id))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    client.cancel(job_id)
    wait_until(lambda: not sleepers(cluster), 5, "it has ended")
    assert client.wait(job_id, LEASE + 10)["state"] == "cancelled"


@pytest.mark.slow
def test_a_flushed_redis_costs_a_job_that_is_under_way_nothing(cluster: Cluster, client: Client) -> None:
    spec = RUN | {"protocol": "independent", "runs": 3}
    undisturbed = client.submit(spec)["id"]
    began = time.monotonic()
    assert client.wait(undisturbed, 120)["state"] == "completed"
    usual = time.monotonic() - began
    job_id = client.submit(spec)["id"]
    began = time.monotonic()
    wait_until(lambda: len(attempts(cluster, job_id)) >= 2, 30, "the job is under way")
    assert cluster.flush_redis()
    assert client.wait(job_id, 600)["state"] == "completed"
    assert time.monotonic() - began < usual + 2


def test_slots_that_have_work_go_on_while_redis_is_down(cluster: Cluster, client: Client) -> None:
    job_id = client.submit(RUN | {"protocol": "independent", "runs": 2})["id"]
    wait_until(lambda: len(attempts(cluster, job_id)) >= 2, 30, "the job is under way", cluster.last_words)
    redis = cluster.programs["redis"]
    assert redis.process is not None
    redis.process.kill()
    redis.process.wait(10)
    assert client.wait(job_id, 60)["state"] == "completed"
    assert not redis.alive
    assert cluster.query("SELECT count(*), max(attempt) FROM unit WHERE job_id = %s", job_id) == [(12, 1)]
    cluster.tend(after=0)
    cluster.wait_ready()


def test_results_wait_for_postgresql_beyond_the_lease(cluster: Cluster, client: Client) -> None:
    job_id = started(cluster, client, training={"name": "sleepy", "params": {"seconds": 0.5}}, cells=1)
    postgres = cluster.programs["postgres"]
    assert postgres.process is not None
    postgres.process.send_signal(signal.SIGINT)
    postgres.process.wait(20)
    away_until = time.monotonic() + LEASE + 2
    statuses = set()
    while time.monotonic() < away_until:
        for method, path in (("GET", "/jobs"), ("POST", f"/jobs/{job_id}/cancel")):
            answer = httpx.request(
                method,
                f"{cluster.url}{path}",
                headers={**cluster.headers, "Content-Type": "application/json"},
                timeout=10,
                trust_env=False,
            )
            statuses.add(answer.status_code)
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert httpx.get(f"{cluster.url}/livez", timeout=30, trust_env=False).status_code == 200
    assert statuses == {503}
    cluster.tend(after=0)
    cluster.wait_ready()
    assert client.wait(job_id, 600)["state"] == "completed"
    assert attempts(cluster, job_id) == [1] * 6, "what was measured while it was away was kept"


@contextmanager
def held_up(cluster: Cluster, *counts: int) -> Iterator[psycopg.Connection]:
    """Hold up whoever records the cell that makes a job's count one of these, until that number's lock is freed."""
    with psycopg.connect(cluster.dsn, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION held_up() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_xact_lock_shared(9, NEW.cells_done::int); RETURN NEW; END';"
            "CREATE TRIGGER held_up BEFORE UPDATE OF cells_done ON job FOR EACH ROW EXECUTE FUNCTION held_up()"
        )
        for count in counts:
            connection.execute("SELECT pg_advisory_lock(9, %s)", [count])
        try:
            yield connection
        finally:
            connection.execute("SELECT pg_advisory_unlock_all()")
            connection.execute("DROP FUNCTION held_up CASCADE")


@pytest.mark.slow
def test_slots_and_killed_workers_change_no_cell_of_an_adaptive_job(cluster: Cluster, client: Client) -> None:
    """Two slots, one slot, and one whose worker is killed in the first stage and in a later one."""
    spec = {**STUDY, "runs": 4, "stop_when": {"width": 1e-9}}
    first_run = client.submit(spec, dry_run=True)["design"]["spent"]
    spec["budget"] = {"sgd_steps": int(2.5 * first_run)}

    def measured(job_id: str) -> tuple[Any, ...]:
        job = client.wait(job_id, 120)
        assert (job["state"], job["design"]["stopped"]) == ("completed", "budget"), job["error"]
        told = [event.data for event in client.events(job_id, 0) if event.type == "design"]
        return job["design"], [(one["cells"], one["stopped"]) for one in told], table(client, job_id)

    on_two = measured(client.submit(spec)["id"])
    pid = cluster.pid("worker-1")
    assert pid is not None
    with stopped(pid):
        assert measured(client.submit(spec)["id"]) == on_two
        with held_up(cluster, 2, 7) as locks:
            job_id = client.submit(spec)["id"]
            for count in (2, 7):
                kill_who_waits_for(cluster, count)
                locks.execute("SELECT pg_advisory_unlock(9, %s)", [count])
            assert measured(job_id) == on_two
    assert max(attempts(cluster, job_id)) > 1


def kill_who_waits_for(cluster: Cluster, count: int) -> None:
    """Kill the worker that is about to record so many cells, and have it started again."""
    waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 9 AND objid = %s AND NOT granted"

    def found() -> bool:
        cluster.tend(after=0)
        return bool(cluster.query(waits, count))

    wait_until(found, 60, f"cell {count} is about to be recorded", cluster.last_words)
    process = cluster.programs["worker-0"].process
    assert process is not None
    process.kill()
    process.wait(60)
    cluster.tend(after=0)


@pytest.mark.slow
def test_a_stopped_worker_finds_its_unit_taken_and_writes_nothing(cluster: Cluster, client: Client) -> None:
    job_id = started(cluster, client)
    pid = cluster.pid(holder(cluster, job_id))
    assert pid is not None
    with stopped(pid):
        until_claimed_again(cluster, job_id)
    assert client.wait(job_id, 600)["state"] == "completed"
    again = attempts(cluster, job_id)
    assert again == sorted(again)
    assert set(again) == {1, 2}


@pytest.mark.slow
def test_a_worker_ends_in_time_though_both_databases_are_stopped(cluster: Cluster, client: Client) -> None:
    started(cluster, client)
    child = cluster.programs["worker-0"]
    assert child.process is not None
    with stopped(*cluster.family("redis"), *cluster.family("postgres")):
        began = time.monotonic()
        child.process.terminate()
        child.process.wait(15)
        assert time.monotonic() - began < 10


@pytest.mark.slow
def test_a_worker_that_stopped_listening_starts_anew(cluster: Cluster, client: Client) -> None:
    celery = make_celery(cluster.settings)
    pids = {cluster.pid("worker-0"), cluster.pid("worker-1")}
    wait_until(
        lambda: len(celery.control.cancel_consumer("cpu", reply=True, timeout=1)) == 2, 20, "nobody listens any more"
    )
    celery.close()
    job_id = client.submit(RUN)["id"]
    assert client.wait(job_id, 90)["state"] == "completed"
    assert {cluster.pid("worker-0"), cluster.pid("worker-1")} == pids, "nobody else had to start them"


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("seed", "faults"), [(1, 6), pytest.param(2, 210, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_nothing_is_lost_doubled_or_different(
    cluster: Cluster, client: Client, seed: int, faults: int, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = undisturbed(client)
    observer, prober = Observer(cluster.dsn), Prober(cluster)
    observer.start()
    prober.start()
    tormentor = Tormentor(cluster, seed, observer)
    with customers(cluster, seed, 4) as crowd:
        tormentor.torment(faults, (0.1, 1.2))
    settling = settle(cluster, crowd)
    prober.stop()
    observer.stop()
    jobs = sum(len(customer.orders) for customer in crowd)
    with capsys.disabled():
        print(f"\n{tormentor.tally()}\n{jobs} jobs, settled after {settling:.1f} s; API: {dict(prober.answers)}")
    wrong = violations(cluster, crowd, expected) + prober.wrong + cluster.mistakes()
    assert not wrong, "\n".join(wrong)
    cluster.wait_ready()
    cluster.stop_programs()
    wait_until(lambda: not cluster.processes(), 20, "no process is left", lambda: str(cluster.processes()))
