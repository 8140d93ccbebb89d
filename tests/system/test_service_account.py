"""A platform's account, as the guide has it: a key is made, and with it a job is posted and its answer read."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.standalone import Service, guarded

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "platform.md").read_text()
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def address(service: Service, tmp_path: Path) -> Iterator[str]:
    """An API of the running service that asks for keys."""
    with guarded(service, tmp_path) as address:
        yield address


def test_a_service_account_posts_a_job_and_reads_its_answer(address: str, tmp_path: Path) -> None:
    script = "\n".join(["set -euo pipefail", *SHELL.findall(GUIDE)]).replace("localhost:8000", address)
    assert script.count("api ") >= 5
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUFFICIENCY_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment | {"no_proxy": "*"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    projection = json.loads((tmp_path / "projection.json").read_text())
    assert 0.5 < projection["metrics"]["Accuracy"][0]["value"] <= 1
    assert '"state":"completed"' in (tmp_path / "events.txt").read_text().replace(" ", "")
    job = json.loads((tmp_path / "job.json").read_text())["id"]
    account = {"Authorization": f"Bearer {(tmp_path / 'platform-key').read_text().strip()}"}
    boss = {"Authorization": f"Bearer {(tmp_path / 'bootstrap-key').read_text().strip()}"}
    with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=60) as client:
        assert [one["id"] for one in client.get("/jobs", headers=account).json()["items"]] == [job]
        assert client.get(f"/jobs/{job}", headers=boss).status_code == 404, "in project default nobody knows it"
        assert client.get("/keys", headers=account).status_code == 403
        quotas = client.get("/projects/planning", headers=account).json()["quotas"]
        assert (quotas["open_jobs"], quotas["slot_seconds"]) == (20, 3_600_000)
