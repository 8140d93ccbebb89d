"""The guides to data and plugins, run as a reader would: every file written, every command executed, in their order."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import httpx
import pytest

from app.settings import get_settings
from sufficiency.testing import __main__ as check
from sufficiency.training.plugin import distributions
from sufficiency.training.registry import Registry
from tests.support.command_line import Outcome, sufficiency
from tests.support.guides import blocks, commands, guides_plugins
from tests.support.standalone import Service

__all__ = ["sufficiency"]


@dataclass(frozen=True)
class Reader:
    """Who has the guides' files in a folder, and a terminal beside the service that they start."""

    folder: Path
    url: str
    environment: dict[str, str]
    command: Callable[..., Outcome]

    def run(self, line: str) -> str:
        """Run a line, as long as it has only a command and its arguments in this process, and return what it says."""
        line = line.replace("$(cat job-id)", self.job_id)
        if line.startswith("sufficiency ") and not re.search(r"[$&|>]", line):
            said = self.command(*shlex.split(line, comments=True)[1:])
            assert said.code == 0, f"{line}\n{said.out}\n{said.err}"
            return said.out
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def job_id(self) -> str:
        """What the tutorial's reader has noted."""
        noted = self.folder / "job-id"
        return noted.read_text().strip() if noted.exists() else ""


@pytest.fixture
def reader(
    service: Service, monkeypatch: pytest.MonkeyPatch, sufficiency: Callable[..., Outcome], tmp_path: Path
) -> Iterator[Reader]:
    """The reader of the guides, whose settings the service has been started with."""
    assert len(guides_plugins()) == 8
    for name in [name for name in os.environ if name.startswith("SUFFICIENCY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SUFFICIENCY_URL", service.url)
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(service.data))
    monkeypatch.chdir(service.guides)
    monkeypatch.syspath_prepend(str(service.guides))
    get_settings.cache_clear()
    site = tmp_path / "site"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{service.guides}{os.pathsep}{site}",
        # A reader's `pip install` is into their own environment; here that is a folder of the test's.
        "PIP_TARGET": str(site),
        "PIP_NO_INDEX": "1",
    }
    yield Reader(service.guides, service.url, environment, sufficiency)
    get_settings.cache_clear()


def checked(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run `sufficiency plugins check …` here: the command becomes this program, and torch is imported already."""
    assert check.main(shlex.split(line, comments=True)[3:]) == 0, capsys.readouterr().out
    return capsys.readouterr().out


def test_the_readme_over_http(reader: Reader) -> None:
    """Block for block as printed, but for the address: it waits for what it asks for."""
    address = reader.url.removeprefix("http://")
    printed = [text for language, text, _ in blocks("README.md") if language == "bash" and "curl" in text]
    script = "\n".join(["set -e", *printed]).replace("localhost:8000", address).replace('"runs": 5', '"runs": 2')
    said = reader.run(script)
    assert '"status":"ready"' in said
    assert re.search(r'"state": ?"completed"', said)
    assert said.count("event: cell") == 16
    assert '"provisional":false' in said
    assert "Accuracy" in said
    assert "</svg>" in said


def test_the_guide_to_data(reader: Reader) -> None:
    folder, url = reader.folder, reader.url
    of_others = {job["id"] for job in httpx.get(f"{url}/jobs", timeout=60).json()["items"]}
    said: dict[str, str] = {}
    client = next(text for language, text, file in blocks("data.md") if language == "python" and file is None)
    for line in commands("data.md"):
        if "regression.json" in line:
            said["client"] = reader.run(shlex.join(["python", "-c", client]))
        said[line] = reader.run(line)
    assert "'task': 'regression'" in said["client"]
    assert "48 items to train on, 12 to test on, of shape 3×24×24" in said["sufficiency datasets show shapes"]
    visits = said["sufficiency datasets show visits"]
    assert "features: when (date), temperature (number), place (category)" in visits
    assert "read as Latin-1 (cp1252)" in visits
    assert "filled: temperature with 38.5" in visits
    assert "classes (train/test): 01 " in visits
    assert (folder / "shapes.png").read_bytes().startswith(b"\x89PNG")
    metrics: dict[str, list[dict[str, float]]] = {}
    jobs = [job for job in httpx.get(f"{url}/jobs", timeout=60).json()["items"] if job["id"] not in of_others]
    for job in jobs:
        assert job["state"] == "completed", job
        for row in httpx.get(f"{url}/jobs/{job['id']}/measurements?view=averages", timeout=60).json()["items"]:
            metrics.setdefault(row["metric"], []).append(row)
    last = {name: max(rows, key=lambda row: row["n"])["mean"] for name, rows in metrics.items()}
    multilabel = {"mAP", "F1 (micro)", "F1 (macro)", "Recall"}
    assert set(last) == {"MAE", "R2", "Accuracy", "IoU", "Recall at IoU 0.5", *multilabel}
    assert last["R2"] > 0.5
    assert last["MAE"] < 0.8
    assert last["Accuracy"] > 0.85
    assert last["IoU"] > 0.3
    declared = next(job for job in jobs if "MAE" in job["metrics"])["metrics"]
    assert declared["R2"]["bounds"] == [None, 1.0]


def test_the_tutorial(reader: Reader) -> None:
    folder = reader.folder
    said = {line: reader.run(line) for line in commands("tutorial.md") if "pip install" not in line}
    measured = said["sufficiency measurements $(cat job-id)"]
    assert "1,500" in measured
    assert "±" in measured
    assert "[0." in said["sufficiency project $(cat job-id) 1500 6000"]
    assert "(measured)" in said["sufficiency inv-project $(cat job-id) 0.9 0.95 0.99"]
    assert "Twice the data should" in said["sufficiency verdict $(cat job-id)"]
    assert (folder / "curve.svg").read_text().count("<svg") == 1
    job = httpx.get(f"{reader.url}/jobs/{reader.job_id}", timeout=60).json()
    assert (job["state"], job["spec"]["runs"], job["progress"]["cells_done"]) == ("completed", 5, 30)


@pytest.fixture
def said(reader: Reader, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Run a line of the guide to plugins."""

    def run(line: str) -> str:
        return checked(line, capsys) if line.startswith("sufficiency plugins check") else reader.run(line)

    return run


IS_LONG = re.compile(r"pytest |pip install |sufficiency plugins new ")


@pytest.mark.filterwarnings("ignore::UserWarning")  # advice, which a reader is shown
def test_the_guide_to_plugins(reader: Reader, said: Callable[[str], str]) -> None:
    """But for what makes a package of plugins, and starts pytest: what that would run is run here."""
    pytest.importorskip("pytorch_lightning", reason="pytorch-lightning is not installed")
    first = next(text for language, text, _ in blocks("plugins.md") if language == "python")
    assert len(first.strip().splitlines()) <= 20
    lines = [line for line in commands("plugins.md") if not IS_LONG.match(line)]
    assert len(lines) == 7
    told = {line.split("#")[0].strip(): said(line) for line in lines}
    assert "Channels of the first convolution." in told["sufficiency plugins small-cnn"]
    assert "none failed" in told["sufficiency plugins check smallnet:small_cnn --shape 1,28,28"]
    contract = import_module("test_mystrategies").test_the_plugins_keep_the_contract
    [checks] = contract.pytestmark
    assert len(checks.args[1]) == 17
    for check_of_it in checks.args[1]:
        contract(*check_of_it.values)


@pytest.mark.slow
def test_the_guide_to_packages_of_plugins(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {}
    for line in filter(IS_LONG.match, commands("plugins.md")):
        if line.startswith("pip install"):
            # With this environment's pip, whatever else is called that on this machine.
            line = f"{sys.executable} -m {line.replace('-e ', '')} --no-deps --no-build-isolation -q"
        said[line.split("#")[0].strip()] = reader.run(line)
    assert int(re.search(r"(\d+) passed", said["pytest my-study"])[1]) >= 22  # type: ignore[index]
    assert "16 passed" in said["pytest -q test_mystrategies.py"]
    monkeypatch.syspath_prepend(reader.environment["PIP_TARGET"])
    distributions.cache_clear()  # a worker that starts again knows nothing of before
    found = [plugin for plugin in Registry.load().describe() if plugin.name == "my-study"]
    assert [(plugin.kind, plugin.version) for plugin in found] == [
        *(("evaluation", "0.1.0"), ("model", "0.1.0"), ("training", "0.1.0"))
    ]


def test_the_loader_and_the_detector_of_the_guides_keep_the_contract(
    reader: Reader, said: Callable[[str], str]
) -> None:
    (reader.folder / "data" / "plane.csv").write_text("0.5,1.5,0\n1.5,0.5,1\n")
    said('sufficiency plugins check twocolumns:TwoColumns --params \'{"path": "plane.csv"}\'')
    for name in ("Squares", "TrainBoxes", "MeasureBoxes"):
        also = "" if name == "Squares" else "--dataset detection:Squares --model detection:box_net"
        said(f"sufficiency plugins check detection:{name} {also}")
