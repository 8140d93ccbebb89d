"""The example notebooks run from start to end: one against a real service, one without, one on real digits."""

from pathlib import Path

import pytest

from tests.support.external import ROOT
from tests.support.standalone import Service


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_runs(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("SUFFICIENCY_URL", service.url)
    notebook = nbformat.read(ROOT / "docs" / "digits.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.outputs = []
    nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert "'completed'" in [output.get("data", {}).get("text/plain") for output in shown]
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert any({"image/svg+xml", "text/html"} & set(output.get("data", {})) for output in shown)


@pytest.mark.filterwarnings("ignore")
def test_a_notebook_needs_no_service(tmp_path: Path) -> None:
    """In the order of its cells, as a reader runs it."""
    executed(ROOT / "docs" / "study.ipynb", tmp_path)
    assert (tmp_path / "network.jsonl").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dataeval_s_tutorial_on_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = ROOT.parent / "shared" / "data" / "mnist"
    if not (folder / "t10k-images-idx3-ubyte.gz").exists():
        pytest.skip("needs MNIST's IDX files in ../shared/data/mnist, which are not here")
    monkeypatch.setenv("MNIST_DIR", str(folder))
    executed(ROOT / "docs" / "mnist.ipynb", tmp_path)


def executed(path: Path, folder: Path) -> None:
    """Run a notebook; it raises what a cell raises."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(folder)}}).execute()
