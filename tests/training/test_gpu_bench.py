"""`python -m bench.gpu`: what it answers where there is no GPU, and that its ways of training do train."""

import subprocess
import sys

import pytest
import torch

from bench.gpu import NO_CUDA, Fed, measure_routes, one_by_one, stacked
from tests.support.packaging import ROOT


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_measures_nothing() -> None:
    told = subprocess.run([sys.executable, "-m", "bench.gpu"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == NO_CUDA
    assert "There is no CUDA device here" in told.stderr
    assert told.stdout == ""


@pytest.mark.slow
def test_the_routes_that_a_cpu_has_do_steps() -> None:
    found = measure_routes("cpu", [1, 3], [2], 0.05)
    assert found.keys() == {"one by one", "stacked", "processes"}
    assert all(told > 0 for rates in found.values() for told in rates.values())


@pytest.mark.parametrize("route", [one_by_one, stacked])
def test_a_step_moves_every_model(route: object, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[torch.Tensor] = []
    from bench import gpu

    real = gpu.updates_of
    monkeypatch.setattr(gpu, "updates_of", lambda parameters: (held.extend(parameters), real(parameters))[1])
    step = route(Fed("cpu"), "cpu", 2)  # type: ignore[operator]
    before = [one.detach().clone() for one in held]
    step(0)
    assert all(not torch.equal(one, other) for one, other in zip(held, before, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_the_routes_of_a_gpu_do_steps() -> None:
    found = measure_routes("cuda", [1, 3], [2], 0.2)
    assert found.keys() == {"one by one", "stacked", "graphs", "processes"}
    assert all(told for rates in found.values() for told in rates.values())
