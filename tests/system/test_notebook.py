"""The example notebook runs from start to end against a real service."""

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
