"""What cells record beside their values: served, as CSV, and summed up in the warnings of a completed job."""

import csv
import io
from typing import Any

from app.units.lease import CellResult, finish_unit, record_cell
from tests.support.service import Service, power_law


def details(n: int) -> dict[str, Any]:
    settled = {"n_iter_": n // 10, "batch_size": min(200, n), "learning_rate_": 0.1 + n * 1e-6}
    said = [{"category": "ConvergenceWarning", "message": "Not converged.", "count": 2}] if n < 100 else []
    steps = {"name": "SGD", "first_lr": 0.1, "last_lr": 0.1}
    return {
        "optimiser_steps": n,
        "optimiser": steps,
        "settled": {"MLPClassifier": settled},
        "warnings": said,
    }


def worked(service: Service, **more: Any) -> dict[str, Any]:
    job = service.submit(schedule=[10, 100, 400, 1000])
    for _ in range(8):
        with service.database.transaction():
            claimed, unit_id = service.claim(job["id"])
        for cell in claimed.cells:
            found = CellResult(
                *(cell.run, cell.step, cell.n, 0.5, "cpu", power_law(cell.run, cell.step, cell.n)),
                details=details(cell.n),
                **more,
            )
            with service.database.transaction() as session:
                assert record_cell(session, unit_id, claimed.attempt, found)
        with service.database.transaction() as session:
            finish_unit(session, unit_id, claimed.attempt)
        job = service.client.get(f"/jobs/{job['id']}").json()
        if job["state"] == "completed":
            break
    return job


def test_cells_are_served_with_what_their_learner_settled(service: Service) -> None:
    job = worked(service, learner={"batch_norm": True})
    address = f"/jobs/{job['id']}/cells"
    page = service.client.get(address, params={"limit": 3}).json()
    assert [(one["run"], one["step"], one["n"]) for one in page["items"]] == [(0, 0, 10), (0, 1, 100), (0, 2, 400)]
    assert page["items"][0]["details"] == {**details(10), "train": {}, "cut": False}
    rest = service.client.get(address, params={"cursor": page["next_cursor"]}).json()
    assert len(rest["items"]) == 5
    assert rest["next_cursor"] is None
    table = list(csv.DictReader(io.StringIO(service.client.get(address, params={"format": "csv"}).text)))
    assert [row["MLPClassifier.batch_size"] for row in table[:4]] == ["10", "100", "200", "200"]
    assert table[0]["optimiser_steps"] == "10"
    assert "Not converged." in table[0]["warnings"]
    assert service.client.get(f"/jobs/{job['id']}/cells?cursor=bm90IG9uZQ").status_code == 422


def test_a_learner_that_changes_its_own_settings_is_told_of(service: Service) -> None:
    warnings = {one["code"]: one["detail"] for one in worked(service, learner={"batch_norm": True})["warnings"]}
    told = {"settings_follow_size", "training_warned", "few_steps_for_batch_norm"}
    assert set(warnings) == told | {"size_dependent_default"}
    assert "73" in warnings["size_dependent_default"]  # ten batches of eight, ten times
    assert "MLPClassifier.batch_size went from 10 at n = 10 to 200 at 1,000" in warnings["settings_follow_size"]
    assert "learning_rate_" not in warnings["settings_follow_size"]
    assert "n_iter_" not in warnings["settings_follow_size"]
    assert "ConvergenceWarning in 2 of 8 cells (n = 10): Not converged." in warnings["training_warned"]
    assert "2 cells (n = 10) had fewer than 100 optimiser steps" in warnings["few_steps_for_batch_norm"]


def test_cells_of_earlier_jobs_have_no_details(service: Service) -> None:
    job = service.submit(schedule=[10, 100, 1000])
    service.work(job["id"])
    [first, *_] = service.client.get(f"/jobs/{job['id']}/cells").json()["items"]
    nothing = {"optimiser_steps": None, "optimiser": None, "settled": None, "train": {}, "warnings": [], "cut": False}
    assert first["details"] == nothing
    assert service.client.get(f"/jobs/{job['id']}").json()["warnings"] == []
