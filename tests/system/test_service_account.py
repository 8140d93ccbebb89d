"""A platform's account, as the guide has it: a key is made, and with it a job is posted and its answer read."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from app.access.keys import new_secret
from app.main import create_app
from app.settings import Settings
from app.standalone.servers import running_servers
from app.standalone.service import free_port
from tests.support.standalone import Service

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "platform.md").read_text()
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def guarded(service: Service, tmp_path: Path) -> Iterator[str]:
    """Another API of the running service, which asks for keys: with the same database, and the same worker."""
    database_url, redis_url = running_servers(service.standalone.data_dir)
    (tmp_path / "bootstrap-key").write_text(new_secret())
    settings = Settings(
        database_url=database_url,
        redis_url=redis_url,
        access="keys",
        bootstrap_key_file=tmp_path / "bootstrap-key",
        data_roots=(service.data,),
    )
    port = free_port("127.0.0.1", 0)
    config = uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:
        assert client.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    yield f"127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def test_a_service_account_posts_a_job_and_reads_its_answer(guarded: str, tmp_path: Path) -> None:
    script = "\n".join(["set -euo pipefail", *SHELL.findall(GUIDE)]).replace("localhost:8000", guarded)
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
    with httpx.Client(base_url=f"http://{guarded}", trust_env=False) as client:
        assert [one["id"] for one in client.get("/jobs", headers=account).json()["items"]] == [job]
        assert client.get(f"/jobs/{job}", headers=boss).status_code == 404, "in project default nobody knows it"
        assert client.get("/keys", headers=account).status_code == 403
        quotas = client.get("/projects/planning", headers=account).json()["quotas"]
        assert (quotas["open_jobs"], quotas["slot_seconds"]) == (20, 3_600_000)
