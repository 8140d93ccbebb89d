"""The lowest versions that the project says it works with: they are what an older environment has."""

from pathlib import Path

import pytest

from tests.packaging.environments import PIP, ROOT, Environment, finish, succeed

pytestmark = pytest.mark.slow  # an installation of its own, from a package index

STUDY = """
import sufficiency
study = sufficiency.run(
    model="mlp", training="sgd-classifier", evaluation="classification",
    train={"loader": "digits", "params": {"split": "train"}}, test={"loader": "digits", "params": {"split": "test"}},
    runs=2, schedule=[50, 100, 200],
)
assert study.project(1000)
assert study.verdict()[0]["sentence"]
assert "<svg" in study.plot("svg")
estimators = sufficiency.run(
    model={"name": "sklearn", "params": {"estimator": "RandomForestClassifier"}}, training="fit-estimator",
    evaluation="classification",
    train={"loader": "digits", "params": {"split": "train"}}, test={"loader": "digits", "params": {"split": "test"}},
    runs=1, schedule=[50, 100, 200],
)
assert estimators.state == "completed"
"""


@pytest.fixture(scope="module")
def lowest(place: Path, wheel: Path) -> Environment:
    """An environment with the lowest of each direct dependency; PyTorch is the pinned one."""
    environment = Environment.make(place / "lowest")
    [torch] = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")]
    tools = place / "tools"
    if finish([*PIP, "install", "--target", tools, "uv"], seconds=300).returncode:
        pytest.skip("no package index can be reached")
    command = [tools / "bin" / "uv", "pip", "install", "--quiet", "--python", environment.python]
    wanted = [torch, f"sufficiency[standalone,plot] @ {wheel.as_uri()}"]
    succeed([*command, "--resolution", "lowest-direct", *wanted], seconds=900)
    return environment


def test_the_demo_goes_to_its_end(lowest: Environment, place: Path) -> None:
    demo = [lowest.command("sufficiency"), "demo"]
    told = succeed(demo, lowest.terminal(HOME=str(place), XDG_DATA_HOME=str(place / "data")), place, seconds=600)
    assert "95 % interval" in told


def test_a_study_without_a_service(lowest: Environment, place: Path) -> None:
    succeed([lowest.python, "-c", STUDY], lowest.terminal(), place, seconds=600)
