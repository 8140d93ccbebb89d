"""The guides to data and plugins, run as a reader would: every file written, every command executed, in their order."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.settings import Settings, get_settings
from app.standalone.service import Standalone
from sufficiency.testing import __main__ as check
from sufficiency.training.plugin import distributions
from sufficiency.training.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w.-]+\.(?:py|json))`")
GUIDES = ("data.md", "plugins.md", "tutorial.md")


def blocks(guide: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield each fenced block: its language, its text, and the file that the prose before it calls it."""
    text = (ROOT / ("README.md" if guide == "README.md" else f"docs/{guide}")).read_text()
    end = 0
    for found in FENCE.finditer(text):
        named = FILE.findall(text[end : found.start()])
        yield found[1], found[2], named[-1] if named else None
        end = found.end()


def commands(guide: str) -> list[str]:
    """Return what a guide's shell blocks run, but for settings and service, which the fixture takes from them."""
    lines = [line for language, text, _ in blocks(guide) if language == "bash" for line in text.splitlines() if line]
    return [line for line in lines if not line.startswith("export ") and "sufficiency standalone" not in line]


@pytest.fixture(scope="module")
def reader() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with the guides' files, and the environment of a terminal beside the service that they start."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as name:
        folder = Path(name) / "reader"
        (folder / "data").mkdir(parents=True)
        settings = []
        for guide in GUIDES:
            for language, text, file in blocks(guide):
                if language in ("python", "json") and file is not None:
                    (folder / file).write_text(text)
                if language == "bash":
                    settings += re.findall(r"^export SUFFICIENCY_PLUGINS='(.+)'$", text, re.MULTILINE)
        plugins = tuple(spec for one in settings for spec in one.split(";"))
        assert len(plugins) == 8
        config = Settings(data_roots=(folder / "data",), plugins=plugins, plugin_path=(folder,), heartbeat_seconds=0.5)
        standalone = Standalone(config, Path(name) / "service", port=0, slots=2)
        standalone.start()
        standalone.wait_ready()
        try:
            site = Path(name) / "site"
            yield (
                folder,
                {
                    **{key: value for key, value in os.environ.items() if not key.startswith("SUFFICIENCY_")},
                    "SUFFICIENCY_URL": standalone.url,
                    "SUFFICIENCY_DATA_ROOTS": str(folder / "data"),
                    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                    "PYTHONPATH": f"{folder}{os.pathsep}{site}",
                    # A reader's `pip install` is into their own environment; here that is a folder of the test's.
                    "PIP_TARGET": str(site),
                    "PIP_NO_INDEX": "1",
                },
            )
        finally:
            standalone.stop()


def checked(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run `sufficiency plugins check …` here: the command becomes this program, and torch is imported already."""
    assert check.main(shlex.split(line, comments=True)[3:]) == 0, capsys.readouterr().out
    return capsys.readouterr().out


def run(line: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_readme_over_http(reader: tuple[Path, dict[str, str]]) -> None:
    """Block for block as printed, but for the address: it waits for what it asks for."""
    folder, environment = reader
    address = environment["SUFFICIENCY_URL"].removeprefix("http://")
    printed = [text for language, text, _ in blocks("README.md") if language == "bash" and "curl" in text]
    script = "\n".join(["set -e", *printed]).replace("localhost:8000", address).replace('"runs": 5', '"runs": 2')
    said = run(script, folder, environment)
    assert '"status":"ready"' in said
    assert re.search(r'"state": ?"completed"', said)
    assert said.count("event: cell") == 16
    assert '"provisional":false' in said
    assert "Accuracy" in said
    assert "</svg>" in said


def test_the_guide_to_data(reader: tuple[Path, dict[str, str]]) -> None:
    folder, environment = reader
    url = environment["SUFFICIENCY_URL"]
    of_others = {job["id"] for job in httpx.get(f"{url}/jobs").json()["items"]}
    said: dict[str, str] = {}
    client = next(text for language, text, file in blocks("data.md") if language == "python" and file is None)
    for line in commands("data.md"):
        if "regression.json" in line:
            said["client"] = run(shlex.join(["python", "-c", client]), folder, environment)
        said[line] = run(line, folder, environment)
    assert "'task': 'regression'" in said["client"]
    assert "48 items to train on, 12 to test on, of shape 3×24×24" in said["sufficiency datasets show shapes"]
    visits = said["sufficiency datasets show visits"]
    assert "features: when (date), temperature (number), place (category)" in visits
    assert "read as Latin-1 (cp1252)" in visits
    assert "filled: temperature with 38.5" in visits
    assert "classes (train/test): 01 " in visits
    assert (folder / "shapes.png").read_bytes().startswith(b"\x89PNG")
    metrics: dict[str, list[dict[str, float]]] = {}
    jobs = [job for job in httpx.get(f"{url}/jobs").json()["items"] if job["id"] not in of_others]
    for job in jobs:
        assert job["state"] == "completed", job
        for row in httpx.get(f"{url}/jobs/{job['id']}/measurements?view=averages").json()["items"]:
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


def test_the_tutorial(reader: tuple[Path, dict[str, str]]) -> None:
    folder, environment = reader
    said = {line: run(line, folder, environment) for line in commands("tutorial.md") if "pip install" not in line}
    measured = said["sufficiency measurements $(cat job-id)"]
    assert "1,500" in measured
    assert "±" in measured
    assert "[0." in said["sufficiency project $(cat job-id) 1500 6000"]
    assert "(measured)" in said["sufficiency inv-project $(cat job-id) 0.9 0.95 0.99"]
    assert "Twice the data should" in said["sufficiency verdict $(cat job-id)"]
    assert (folder / "curve.svg").read_text().count("<svg") == 1
    job = httpx.get(f"{environment['SUFFICIENCY_URL']}/jobs/{(folder / 'job-id').read_text().strip()}").json()
    assert (job["state"], job["spec"]["runs"], job["progress"]["cells_done"]) == ("completed", 5, 30)


def test_the_guide_to_plugins(
    reader: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, environment = reader
    monkeypatch.syspath_prepend(str(folder))
    pytest.importorskip("pytorch_lightning", reason="pytorch-lightning is not installed")
    first = next(text for language, text, _ in blocks("plugins.md") if language == "python")
    assert len(first.strip().splitlines()) <= 20
    said = {}
    for line in commands("plugins.md"):
        if line.startswith("pip install"):
            # With this environment's pip, whatever else is called that on this machine.
            line = f"{sys.executable} -m {line.replace('-e ', '')} --no-deps --no-build-isolation -q"
        check_it = line.startswith("sufficiency plugins check")
        said[line.split("#")[0].strip()] = checked(line, capsys) if check_it else run(line, folder, environment)
    assert "Channels of the first convolution." in said["sufficiency plugins small-cnn"]
    assert "none failed" in said["sufficiency plugins check smallnet:small_cnn --shape 1,28,28"]
    assert int(re.search(r"(\d+) passed", said["pytest my-study"])[1]) >= 22  # type: ignore[index]
    assert "16 passed" in said["pytest -q test_mystrategies.py"]
    monkeypatch.syspath_prepend(environment["PIP_TARGET"])
    distributions.cache_clear()  # a worker that starts again knows nothing of before
    found = [plugin for plugin in Registry.load().describe() if plugin.name == "my-study"]
    assert [(plugin.kind, plugin.version) for plugin in found] == [
        *(("evaluation", "0.1.0"), ("model", "0.1.0"), ("training", "0.1.0"))
    ]


def test_the_loader_and_the_detector_of_the_guides_keep_the_contract(
    reader: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = reader
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("SUFFICIENCY_DATA_ROOTS", str(folder / "data"))
    get_settings.cache_clear()
    (folder / "data" / "plane.csv").write_text("0.5,1.5,0\n1.5,0.5,1\n")
    checked('sufficiency plugins check twocolumns:TwoColumns --params \'{"path": "plane.csv"}\'', capsys)
    for name in ("Squares", "TrainBoxes", "MeasureBoxes"):
        also = "" if name == "Squares" else "--dataset detection:Squares --model detection:box_net"
        checked(f"sufficiency plugins check detection:{name} {also}", capsys)
    get_settings.cache_clear()
