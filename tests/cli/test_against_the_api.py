"""The command line against the real application; a hand-driven worker stands in for training."""

import json
from contextlib import suppress
from pathlib import Path

from app.catalog.plugins import advertise
from sufficiency import ApiError, Client
from tests.support.command_line import Run
from tests.support.listening import PLUGINS, SPEC, SPLIT, HandWorker


def test_the_commands_print_tables(sufficiency: Run, url: str, measured: str) -> None:
    def printed(*arguments: str) -> str:
        outcome = sufficiency(*arguments, "--url", url)
        told = [line for line in outcome.err.splitlines() if not line.startswith("warning: Dataset digits: ")]
        assert (outcome.code, told) == (0, [])
        return outcome.out

    assert "0.8905 ± 0.00071" in printed("measurements", measured)
    assert len(printed("measurements", measured, "--view", "cells").splitlines()) == 1 + 2 * 5 * 3
    assert printed("measurements", measured, "--csv").startswith("step,Accuracy,Recall_cat,Recall_dog")
    projected = printed("project", measured, "1000", "5000")
    assert "5,000" in projected
    assert "dog" in projected
    assert "method calibrated, measured up to n = 400" in projected
    assert " [0." in projected, "with intervals"
    far = sufficiency("project", measured, "10000", "--url", url)
    assert far.code == 0
    assert ": n = 10,000 is 25 times the largest measured size" in far.err
    assert "1 − (" in printed("curves", measured, "--method", "power_law")
    assert "through 5 steps" in printed("curves", measured)
    needed = printed("inv-project", measured, "0.8", "Accuracy:0.95")
    assert "(measured)" in needed
    assert " % likely)" in needed
    assert "out of reach" in printed("inv-project", measured, "Accuracy:0.995", "--method", "power_law")
    verdict = printed("verdict", measured, "--metric", "Accuracy")
    assert verdict.startswith("Accuracy: more data is worth it\nAccuracy is 0.89")
    assert "800 (2×)" in verdict
    assert "Recall of dog" in printed("verdict", measured)
    assert "lab:7" in printed("workers")
    assert "The mlp." in printed("plugins", "--kind", "model")
    assert "Width of the hidden layer." in printed("plugins", "mlp")
    assert "measures Accuracy" in printed("plugins", "classification")
    assert "400" in printed("datasets", "list")
    shown = printed("datasets", "show", "digits")
    assert "cat 200/200" in shown
    assert "features: age (number)\nnote: 3 rows lack a value\nwarning: 'id' has another" in shown
    assert "filled: age with 41.5 (1,200 in training, 3 in test)" in shown
    assert measured in printed("jobs", "--state", "completed")
    assert json.loads(printed("jobs", "--limit", "1", "--json"))["items"]
    assert json.loads(printed("export", measured))["steps"]


def test_a_job_is_watched_in_lines(sufficiency: Run, url: str, measured: str) -> None:
    outcome = sufficiency("watch", measured, "--url", url)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "queued"
    assert lines[-1] == "completed"
    assert any(line.split()[:4] == ["100", "%", "10/10", "cells"] for line in lines)
    assert outcome.err.splitlines()[-1] == f"Whether more data is worth it: `sufficiency verdict {measured}`."
    again = sufficiency("watch", measured, "--json", "--url", url)
    assert json.loads(again.out)["state"] == "completed"


def test_a_failed_job_says_why_and_can_be_retried(
    sufficiency: Run, url: str, client: Client, worker: HandWorker, tmp_path: Path
) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps(SPEC | {"labels": {"from": "test"}}))
    assert "2 runs of 5 steps" in sufficiency("submit", str(file), "--dry-run", "--url", url).out
    refusing = sufficiency("submit", str(file), "--no-reuse", "--url", url).out.strip()
    assert client.job(refusing)["spec"]["reuse"] is False
    client.cancel(refusing)
    id = sufficiency("submit", str(file), "--url", url).out.strip()
    assert "reuse" not in client.job(id)["spec"]
    worker.fail(id)
    outcome = sufficiency("watch", id, "--url", url)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-3:] == [
        "error: the job failed: training raised ValueError.",
        "  where: run 0, n 400",
        f"  do: `sufficiency retry {id}` queues it again, without measuring again what it has",
    ]
    assert sufficiency("retry", id, "--url", url).code == 0
    assert sufficiency("delete", id, "--url", url).code == 1  # it runs again
    assert sufficiency("cancel", id, "--url", url).out.strip() == f"Job {id} is cancelled."
    assert id in sufficiency("jobs", "--label", "from:test", "--url", url).out
    assert sufficiency("delete", id, "--url", url).code == 0
    outcome = sufficiency("cancel", id, "--url", url)
    assert outcome.code == 1
    assert "`sufficiency jobs`" in outcome.err


def test_a_job_is_extended_and_started_anew(sufficiency: Run, url: str, client: Client, worker: HandWorker) -> None:
    def told(code: int, *arguments: str) -> str:
        outcome = sufficiency(*arguments, "--url", url)
        assert outcome.code == code, outcome
        return outcome.out if code == 0 else outcome.err

    id = client.submit(SPEC)["id"]
    assert "cancel it" in told(1, "extend", id, "--runs", "3")
    worker.measure(id)
    plan = told(0, "extend", id, "--runs", "3", "--step", "300", "--dry-run")
    assert plan.startswith("The extension is valid: 3 runs of 6 steps.\nsteps: 20, 50, 100, 200, 300, 400\n")
    assert "8 cells to measure, 10 kept" in plan
    anew = told(0, "extend", id, "--runs", "3", "--start-anew", "--dry-run")
    assert "It would drop 10 measured cells." in anew
    keyed = ("extend", id, "--runs", "3", "--step", "300", "--idempotency-key", "k")
    assert told(0, *keyed) == f"Job {id} is queued: 10 of 18 cells are measured.\n"
    assert json.loads(told(0, *keyed, "--json"))["progress"]["cells_total"] == 18
    worker.measure(id)
    watched = told(0, "watch", id)
    assert watched.splitlines()[-1] == "completed"
    assert client.measurements(id)["items"][0]["runs"] == 3
    assert "#/steps/0: 300 is a step of the job already" in told(1, "extend", id, "--step", "300")
    with worker.database.transaction() as session:
        advertise(session, [PLUGINS[0] | {"version": "2"}])
    refused = told(1, "extend", id, "--runs", "4")
    assert "model:mlp is version 2, and was 1" in refused
    assert "add --start-anew" in refused
    assert told(0, "retry", id, "--start-anew") == f"Job {id} is queued.\n"
    assert "started anew: 18 measured cells are dropped" in _watched_to(sufficiency, url, client, id)
    with worker.database.transaction() as session:
        advertise(session, PLUGINS)
    client.delete(id)


def _watched_to(sufficiency: Run, url: str, client: Client, id: str) -> str:
    client.cancel(id)
    return sufficiency("watch", id, "--url", url).out


def test_a_dataset_is_verified_again(sufficiency: Run, url: str, client: Client, worker: HandWorker) -> None:
    client.add_dataset("again", SPLIT, SPLIT)
    worker.verify("again")
    assert "verifying" in sufficiency("datasets", "verify", "again", "--no-wait", "--url", url).out
    worker.verify("again", {"code": "dataset_invalid", "detail": "a file is gone"})
    assert "a file is gone" in sufficiency("datasets", "show", "again", "--url", url).err
    assert client.verify_dataset("again")["status"] == "verifying"
    client.remove_dataset("again")


def test_an_invalid_dataset_says_why(sufficiency: Run, url: str, worker: HandWorker) -> None:
    split = "digits:split=test"
    added = sufficiency("datasets", "add", "broken", "--train", split, "--test", split, "--no-wait", "--url", url)
    assert added.code == 0
    assert "verifying" in added.out
    worker.verify("broken", {"code": "dataset_invalid", "detail": "a class has no items"})
    outcome = sufficiency("datasets", "show", "broken", "--url", url)
    assert outcome.code == 1
    assert "a class has no items" in outcome.err
    assert sufficiency("datasets", "remove", "broken", "--url", url).code == 0
    refused = sufficiency("datasets", "add", "x", "--train", "digits:splti=test", "--test", split, "--url", url)
    assert refused.code == 1
    assert "#/train/params/splti" in refused.err


def test_too_little_for_a_fit_says_so(sufficiency: Run, url: str, client: Client) -> None:
    id = client.submit(SPEC)["id"]
    outcome = sufficiency("project", id, "1000", "--url", url)
    assert outcome.code == 1
    assert "0 of 10 cells are measured" in outcome.err
    assert "Nothing is measured yet." in sufficiency("measurements", id, "--url", url).out
    with suppress(ApiError):
        client.cancel(id)
