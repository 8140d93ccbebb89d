"""A client that a generator makes of the specification works against the service."""

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.listening import SPEC, HandWorker

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = Path(sys.executable).with_name("openapi-python-client")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The package, made without a word of warning."""
    if not GENERATOR.exists():
        pytest.skip("openapi-python-client is not installed")
    package = tmp_path_factory.mktemp("generated") / "sufficiency_client"
    config = package.with_name("generator.yaml")
    guide = (ROOT / "docs" / "platform.md").read_text()
    config.write_text("content_type_overrides" + guide.split("content_type_overrides")[1].split("END\n")[0])
    made = subprocess.run(
        [
            *(str(GENERATOR), "generate", "--path", str(ROOT / "docs" / "openapi.json")),
            *("--meta", "none", "--output-path", str(package), "--config", str(config)),
        ],
        env=os.environ | {"PATH": f"{GENERATOR.parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert "warning" not in (made.stdout + made.stderr).lower(), made.stdout
    sys.path.insert(0, str(package.parent))
    try:
        names = ("create_job", "get_job", "list_jobs", "delete_job")
        yield SimpleNamespace(
            Client=import_module("sufficiency_client").Client,
            models=import_module("sufficiency_client.models"),
            **{name: import_module(f"sufficiency_client.api.jobs.{name}") for name in names},
            **{
                name: import_module(f"sufficiency_client.api.results.{name}")
                for name in (
                    "project",
                    "inv_project",
                    "list_measurements",
                    "list_curves",
                    "verdict",
                    "export_job",
                    "plot_job",
                )
            },
            **{
                name: import_module(f"sufficiency_client.api.webhooks.{name}")
                for name in ("create_webhook", "change_webhook", "delete_webhook")
            },
        )
    finally:
        sys.path.remove(str(package.parent))
        shutil.rmtree(package)


def test_submit_get_project(generated: Any, url: str, client: Any, worker: HandWorker) -> None:
    models = generated.models
    with generated.Client(base_url=url, httpx_args={"trust_env": False}) as api:
        spec = models.JobSpec.from_dict(SPEC | {"labels": {"by": "generated"}})
        job = generated.create_job.sync(client=api, body=spec)
        assert isinstance(job, models.JobView)
        assert job.state == "queued"
        worker.measure(str(job.id))
        seen = generated.get_job.sync(job.id, client=api)
        assert (seen.state, seen.progress.cells_done) == ("completed", 10)
        assert seen.finished_at is not None
        assert seen.labels["by"] == "generated"
        page = generated.list_jobs.sync(client=api, label=["by:generated"], state=[models.ListJobsStateItem.COMPLETED])
        assert [one.id for one in page.items] == [job.id]
        projection = generated.project.sync(job.id, client=api, n=[800, 1600])
        assert isinstance(projection, models.Projection)
        points = projection.metrics["Accuracy"]
        assert [point.n for point in points] == [800, 1600]
        assert points[0].lower < points[0].value < points[0].upper
        needed = generated.inv_project.sync(job.id, client=api, target=["0.9"])
        assert needed.metrics["Accuracy"][0].status == "needs"
        cells = generated.list_measurements.sync(job.id, client=api, view=models.ListMeasurementsView.CELLS)
        assert isinstance(cells.items[0], models.CellMeasurement)
        averages = generated.list_measurements.sync(job.id, client=api)
        assert isinstance(averages.items[0], models.AverageMeasurement)
        assert generated.list_curves.sync(job.id, client=api).items
        assert generated.verdict.sync(job.id, client=api).metrics["Accuracy"][0].sentence
        assert generated.export_job.sync(job.id, client=api).steps == SPEC["schedule"]
        picture = generated.plot_job.sync(job.id, models.PlotJobKind.SVG, client=api)
        assert picture.payload.read().lstrip().startswith(b"<?xml")
        refused = generated.create_job.sync_detailed(
            client=api, body=models.JobSpec.from_dict(SPEC | {"dataset": "nothing"})
        )
        assert refused.status_code == 422
        assert isinstance(refused.parsed, models.ProblemDetails)
        assert refused.parsed.errors[0].pointer == "#/dataset"
        assert generated.create_job.sync(client=api, body=spec, dry_run=True).cells == 10
        assert generated.delete_job.sync_detailed(job.id, client=api).status_code == 204
        webhook = generated.create_webhook.sync(client=api, body=models.NewWebhook(url="http://hooks.invalid/g"))
        assert webhook.secret.startswith("whsec_")
        change = models.WebhookChange(enabled=False)
        changed = generated.change_webhook.sync(webhook.id, client=api, body=change)
        assert (changed.enabled, changed.url) == (False, webhook.url)
        assert generated.delete_webhook.sync_detailed(webhook.id, client=api).status_code == 204
