"""The guide's commands and programs do what it says, as written but for where the service and the receiver listen."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from app.settings import Settings
from sufficiency import Job
from tests.support.servers import Servers, new_database

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "platform.md").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def settings(servers: Servers) -> Iterator[Settings]:
    """As the guide asks for where the receiver is on this machine."""
    with new_database(servers) as url:
        yield Settings(database_url=url, redis_url=servers.redis_url, webhook_addresses="loopback")


# What takes seconds by itself, and is tested by itself each time: the export, and a client that is generated.
ITS_OWN = ("--to-mlflow", "openapi-python-client generate", "python ask.py")


@pytest.mark.parametrize("part", ["but for what is long", pytest.param("whole", marks=pytest.mark.slow)])
def test_the_guide_is_true(job: Job, url: str, tmp_path: Path, part: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    guide = GUIDE.replace("localhost:8000", url.removeprefix("http://")).replace("9000", port)
    script = ["set -euo pipefail"]
    for language, text in FENCE.findall(guide):
        if language == "python":
            name = re.match(r"# (\w+\.py)\n", text)
            assert name is not None
            (tmp_path / name[1]).write_text(text)
        elif language == "bash" and (part == "whole" or not any(words in text for words in ITS_OWN)):
            # What it installs is installed: a test must not depend on an index.
            script.append(re.sub(r"^pip install .*$", "", text, flags=re.MULTILINE))
    assert {path.name for path in tmp_path.iterdir()} == {"receiver.py", "ask.py", "study.py"}
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SUFFICIENCY_URL": url,
        "ID": job.id,
        "no_proxy": "*",
    }
    with (tmp_path / "output.txt").open("w") as output:
        ran = subprocess.Popen(
            ["bash", "-c", "\n".join(script)],
            cwd=tmp_path,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            assert ran.wait(120) == 0, (tmp_path / "output.txt").read_text()
            hook = httpx.get(f"{url}/webhooks", trust_env=False, timeout=60).json()["items"][0]
            assert hook["description"] == "the team chat"
            waiting = threading.Event()
            for _ in range(500):
                (delivery,) = httpx.get(f"{url}/webhooks/{hook['id']}/deliveries", trust_env=False, timeout=60).json()[
                    "items"
                ]
                if delivery["state"] == "delivered":
                    break
                # It may have been sent before the receiver listened.
                httpx.post(
                    f"{url}/webhooks/{hook['id']}/deliveries/{delivery['id']}/replay",
                    json={},
                    trust_env=False,
                    timeout=60,
                )
                waiting.wait(0.1)
            assert (tmp_path / "received.txt").read_text().startswith(f"{delivery['id']} webhook.test")
        finally:
            os.killpg(ran.pid, signal.SIGKILL)
    told = (tmp_path / "output.txt").read_text()
    assert "'target': 0.95" in told
    if part == "whole":
        assert "Exported to sqlite:///mlflow.db: experiment learning-curves" in told
        assert (tmp_path / "mlflow.db").exists()
        projected = job.project(5000, metric="Accuracy")[0]["value"]
        assert f"\n{projected}\n" in told


def test_the_configuration_is_yaml() -> None:
    (text,) = [text for language, text in FENCE.findall(GUIDE) if language == "yaml"]
    assert yaml.safe_load(text)["scrape_configs"][0]["job_name"] == "sufficiency"


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.ipynb")), ids=lambda path: str(path.name))
def test_the_notebooks_are_executed_small_and_clean(path: Path) -> None:
    import nbformat

    assert path.stat().st_size < 200_000
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert {output.output_type for cell in code for output in cell.outputs} <= {
        *("stream", "display_data", "execute_result"),
    }
    assert any(cell.outputs for cell in code)
    assert code[-1].outputs
