"""Three ways of training many small models on one GPU, and the tutorial's job by the stacked engine beside DataEval.

    python -m bench.gpu --mnist-dir DIR             # a table; also bench/results/gpu-NAME.json, NAME the GPU's
    python -m bench.gpu --routes-only               # without the tutorial's job

A small model's step leaves a GPU idle: it is launched in more time than it takes. The ways around that, each as steps
of one model a second, for several numbers of models (the tutorial's CNN, batches of 8 from items that are on the GPU):

    one by one    the sequential engine's step: what the others are held to
    stacked       one step of all models, by `torch.func.vmap` over stacked parameters (the stacked engine's step)
    graphs        one CUDA graph a model, each replayed on a stream of its own
    processes     as many processes as models, up to `--processes`, each training one by one

Then the tutorial's job, 5 runs of 10 steps, in one process: `engine: stacked`, `engine: sequential`, and DataEval 1.1.4
with the tutorial's own strategies, eager, on the same GPU. Without CUDA it says so, and ends with 2.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import SGD

import sufficiency
from bench.peers import OURS, PEER, ROOT, built, splits_in, tutorial
from sufficiency.plugins.models import TutorialCNN
from sufficiency.plugins.updates import Updates
from sufficiency.training.engines.stack import Stack

RESULTS = Path(__file__).parent / "results"
NO_CUDA = 2
ITEMS, BATCH, SHAPE, CLASSES = 2500, 8, (1, 28, 28), 10
MODELS = (1, 5, 10, 25, 50)


class Fed:
    """Items on a device, and batches of them."""

    def __init__(self, device: str) -> None:
        torch.manual_seed(0)
        self.x = torch.rand(ITEMS, *SHAPE, device=device)
        self.y = torch.randint(CLASSES, (ITEMS,), device=device)
        self.order = torch.randperm(ITEMS, device=device)

    def batch(self, step: int, models: int = 1) -> tuple[Tensor, Tensor]:
        """Return as many batches as there are models, one after the other."""
        first = step * BATCH % (ITEMS - models * BATCH)
        rows = self.order[first : first + models * BATCH]
        return self.x[rows], self.y[rows]


def model_on(device: str) -> TutorialCNN:
    """Return an untrained model."""
    return TutorialCNN(SHAPE, CLASSES).to(device).train()


def updates_of(parameters: list[Tensor]) -> Updates:
    """Return the tutorial's optimiser."""
    return Updates(SGD(parameters, lr=0.01, momentum=0.9, fused=True))


def one_by_one(fed: Fed, device: str, models: int) -> Callable[[int], None]:
    """Return what does a step of each model, one after the other."""
    made = [model_on(device) for _ in range(models)]
    steps = [updates_of(list(model.parameters())) for model in made]

    def step(number: int) -> None:
        for model, updates in zip(made, steps, strict=True):
            x, y = fed.batch(number)
            updates.clear()
            F.cross_entropy(model(x), y).backward()
            updates.step()

    return step


def stacked(fed: Fed, device: str, models: int) -> Callable[[int], None]:
    """Return what does a step of all models at once."""
    stack = Stack([model_on(device) for _ in range(models)])
    updates = updates_of(stack.trainable)

    def step(number: int) -> None:
        x, y = fed.batch(number, models)
        updates.clear()
        answered = stack(x.reshape(models, BATCH, *SHAPE))
        (F.cross_entropy(answered.flatten(0, 1), y, reduction="sum") / BATCH).backward()
        updates.step()

    return step


def graphs(fed: Fed, device: str, models: int) -> Callable[[int], None]:
    """Return what replays a graph of a step of each model, each on a stream of its own."""
    made = [_graph(fed, model_on(device)) for _ in range(models)]

    def step(number: int) -> None:
        x, y = fed.batch(number)
        if number % 64 == 0:
            torch.cuda.synchronize()  # no queue without an end
        ready = torch.cuda.current_stream().record_event()
        for graph, stream, given in made:
            with torch.cuda.stream(stream):
                stream.wait_event(ready)
                given[0].copy_(x)
                given[1].copy_(y)
                graph.replay()

    return step


def _graph(fed: Fed, model: TutorialCNN) -> tuple[Any, Any, tuple[Tensor, Tensor]]:
    given = tuple(one.clone() for one in fed.batch(0))
    optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    stream = torch.cuda.Stream()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(given[0]), given[1]).backward()
        optimizer.step()

    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()  # what is allocated the first times must not be captured
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        step()
    return graph, stream, (given[0], given[1])


ROUTES: dict[str, Callable[[Fed, str, int], Callable[[int], None]]] = {
    "one by one": one_by_one,
    "stacked": stacked,
    "graphs": graphs,
}


def rate(name: str, device: str, models: int, seconds: float) -> float:
    """Return the steps of one model a second, over all models, that a route does for so long."""
    step = ROUTES[name](Fed(device), device, models)
    done, until = 0, 0.0
    for number in range(5):
        step(number)
    _wait(device)
    began = time.perf_counter()
    while until < seconds:
        for _ in range(20):
            step(done)
            done += 1
        _wait(device)
        until = time.perf_counter() - began
    return done * models / until


def of_processes(device: str, count: int, seconds: float) -> float:
    """Return the steps a second of so many processes together, each with a model of its own."""
    command = [sys.executable, "-m", "bench.gpu", "--one", device, str(seconds)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    # Each says its own rate over its own time, of which all but the start of the first and last is common.
    return sum(float(one.communicate()[0]) for one in running)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def measure_routes(device: str, models: list[int], processes: list[int], seconds: float) -> dict[str, Any]:
    """Return the steps a second of each route, by the number of models; null where a route does not go."""
    found: dict[str, Any] = {}
    for name in ROUTES:
        if name == "graphs" and device != "cuda":
            continue
        for count in models:
            try:
                found.setdefault(name, {})[count] = round(rate(name, device, count, seconds), 1)
            except RuntimeError as error:  # such as for want of memory
                found.setdefault(name, {})[count] = None
                print(f"{name}, {count} models: {error}", file=sys.stderr)
    found["processes"] = {count: round(of_processes(device, count, seconds), 1) for count in processes}
    return found


def the_job(mnist_dir: Path | None, device: str, runs: int, substeps: int) -> dict[str, Any]:
    """Return the seconds of the tutorial's job by either engine and by DataEval, and how many times as fast ours is."""
    from dataeval.performance import Sufficiency

    theirs = tutorial()
    with tempfile.TemporaryDirectory() as folder:
        splits, root = splits_in(mnist_dir, Path(folder))
        os.environ["SUFFICIENCY_DATA_ROOTS"] = str(root)
        data = built(splits)

        def ours(engine: Any) -> dict[str, Any]:
            study = sufficiency.run(
                **OURS, **splits, runs=runs, substeps=substeps, device=device, engine=engine, progress=False
            )
            return {"engine": study["engine"]} if "engine" in study else {}

        def dataeval() -> dict[str, Any]:
            study = Sufficiency(
                model=theirs.Net().to(device),
                training_strategy=theirs.MNISTTrainingStrategy(),
                evaluation_strategy=theirs.MNISTEvaluationStrategy(),
                reset_strategy=theirs.reset_model,
                runs=runs,
                substeps=substeps,
            )
            study.evaluate(*data).project([1000, 2500, 5000])
            return {}

        sufficiency.run(**OURS, **splits, runs=1, schedule=[20], device=device, progress=False)  # what is imported
        ways = {"stacked": lambda: ours("stacked"), "sequential": lambda: ours("sequential"), "dataeval": dataeval}
        found: dict[str, Any] = {"size": {"runs": runs, "substeps": substeps}}
        for name, way in ways.items():
            began = time.perf_counter()
            said = way()
            found[name] = {"seconds": round(time.perf_counter() - began, 2), **said}
    against = found["dataeval"]["seconds"]
    return found | {f"ratio_{name}": round(against / found[name]["seconds"], 2) for name in ("stacked", "sequential")}


def main() -> None:
    """Measure, print, and keep it under the GPU's name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist-dir", type=Path, help="folder with the t10k IDX files; else the digits, padded")
    parser.add_argument("--routes-only", action="store_true", help="leave out the tutorial's job")
    parser.add_argument("--models", type=int, nargs="+", default=list(MODELS), help="how many are trained together")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4, 8], help="how many there are at a time")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement of a route")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)  # a process of the route of that name
    options = parser.parse_args()
    if options.one:
        print(rate("one by one", options.one[0], 1, float(options.one[1])))
        return
    if not torch.cuda.is_available():
        print(
            f"There is no CUDA device here (PyTorch {torch.__version__}), and this measures what a GPU does: nothing "
            "was measured. Run the same command where `nvidia-smi` shows one, with a PyTorch built for CUDA.",
            file=sys.stderr,
        )
        sys.exit(NO_CUDA)
    name = torch.cuda.get_device_name()
    found: dict[str, Any] = {"gpu": name, "torch": torch.__version__, "cuda": torch.version.cuda, "peer": PEER}
    found["steps_a_second"] = measure_routes("cuda", options.models, options.processes, options.seconds)
    for route, rates in found["steps_a_second"].items():
        print(f"{route:<11} " + "  ".join(f"{count}: {told or '—'}" for count, told in rates.items()) + "  steps/s")
    if not options.routes_only:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found["job"] = the_job(options.mnist_dir, "cuda", 5, 10)
        for engine in ("stacked", "sequential"):
            print(f"the tutorial's job, {engine:<11} {found['job'][f'ratio_{engine}']:.2f} × DataEval eager")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"gpu-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    file.write_text(json.dumps(found, indent=1) + "\n")
    print(f"kept in {file}")


if __name__ == "__main__":
    main()
