"""The tutorial's job, from POST to completed, beside DataEval 1.1.4 in one process: turn by turn, in one run.

    python -m bench.job --mnist-dir DIR --turns 3 --json job.json
    python -m bench.job --quick                     # a small one, for a machine that has other things to do

What is measured, each on a service that is up, with its trainers warm:

    grid          the tutorial's job with our own training and evaluation, on 2 slots
    one slot      the same on 1
    opaque        the same with the tutorial's own strategies, as a user brings them, on 1 slot
    dataeval 1    DataEval's `Sufficiency` with the tutorial's strategies and 1 thread: evaluate and its fit
    dataeval 2    the same with as many threads as there are cores

Ratios are of turns: `ratio` of DataEval's better thread count to the grid, `slots` of one slot to two, `opaque` of
DataEval with one thread to the opaque job. The overhead is what of a job's wall its cells' own time over the slots does
not account for. Without --mnist-dir the images are the digits, padded to MNIST's size.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from app.settings import Settings
from app.standalone.service import Standalone
from bench.peers import EXTERNAL, built, splits_in, tutorial
from bench.spread import ratio, told
from sufficiency import Client

METRICS = {"metrics": ["accuracy", "auroc", "tpr_at_fpr"]}
OURS = {
    "model": {"name": "tutorial-cnn"},
    "training": {"name": "sgd-classifier"},
    "evaluation": {"name": "classification", "params": METRICS},
}
OPAQUE = {
    "model": {"name": "tutorial-net"},
    "training": {"name": "tutorial-training"},
    "evaluation": {"name": "tutorial-evaluation"},
}


@contextmanager
def service(splits: dict[str, Any], root: Path, slots: int) -> Iterator[Client]:
    """Run a service whose trainers are warm and whose dataset is verified."""
    with tempfile.TemporaryDirectory(prefix="sufficiency-") as directory:
        settings = Settings(
            data_roots=(root,),
            plugins=tuple(tutorial().SPECS),
            plugin_path=(EXTERNAL,),
            trainer_idle_seconds=0,
        )
        running = Standalone(settings, Path(directory), port=0, slots=slots, announce=lambda _: None)
        running.start()
        try:
            running.wait_ready()
            with Client(running.url) as client:
                client.add_dataset(name="data", **splits)
                client.wait_dataset("data")
                # Every trainer has read the data, and every process has imported what a job takes.
                for plugins in (OURS, OPAQUE):
                    client.wait(
                        client.submit({**plugins, "dataset": "data", "runs": 2 * slots, "schedule": [20]})["id"]
                    )
                yield client
        finally:
            running.stop()


def through(client: Client, spec: dict[str, Any], slots: int) -> tuple[float, float]:
    """Return the seconds from POST to completed by the service's own clock, and the overhead in it."""
    began = time.time()
    ended = client.wait(client.submit(spec)["id"])
    # Not when this client saw it, which looks every now and then.
    seconds = datetime.fromisoformat(ended["finished_at"]).timestamp() - began
    assert ended["state"] == "completed", ended
    cells = client.measurements(ended["id"], view="cells")["items"]
    own = sum({(c["run"], c["step"]): c["seconds"] for c in cells}.values())
    return seconds, 1 - own / slots / seconds


def through_dataeval(data: tuple[Any, Any], runs: int, substeps: int, threads: int) -> float:
    """Return the seconds of `Sufficiency.evaluate` and of its fit."""
    import torch
    from dataeval.performance import Sufficiency

    theirs = tutorial()
    torch.set_num_threads(threads)
    began = time.perf_counter()
    study = Sufficiency(
        model=theirs.Net(),
        training_strategy=theirs.MNISTTrainingStrategy(),
        evaluation_strategy=theirs.MNISTEvaluationStrategy(),
        reset_strategy=theirs.reset_model,
        runs=runs,
        substeps=substeps,
    )
    study.evaluate(*data).project([1000, 2500, 5000])
    return time.perf_counter() - began


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return what a turn of each took, and the ratios."""
    size = {"runs": options.runs, "substeps": options.substeps}
    overheads: list[float] = []
    taken: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        splits, root = splits_in(options.mnist_dir, folder)
        os.environ["SUFFICIENCY_DATA_ROOTS"] = str(root)
        data = built(splits)
        two, one = (stack.enter_context(service(splits, root, slots)) for slots in (2, 1))
        spec = {"dataset": "data", **size}

        def grid() -> float:
            seconds, overhead = through(two, {**OURS, **spec}, 2)
            overheads.append(overhead)
            return seconds

        ways: dict[str, Callable[[], float]] = {
            "grid": grid,
            "dataeval 1": lambda: through_dataeval(data, **size, threads=1),
            "dataeval 2": lambda: through_dataeval(data, **size, threads=os.cpu_count() or 1),
            "one slot": lambda: through(one, {**OURS, **spec}, 1)[0],
            "opaque": lambda: through(one, {**OPAQUE, **spec}, 1)[0],
        }
        for _ in range(options.turns):
            for name, way in ways.items():
                taken.setdefault(name, []).append(way())
                print(f"{name:<12} {taken[name][-1]:8.1f} s", flush=True)
    best = [min(pair) for pair in zip(taken["dataeval 1"], taken["dataeval 2"], strict=True)]
    return {
        "ratio": ratio(best, taken["grid"])["median"],
        "spread": ratio(best, taken["grid"]),
        "slots": ratio(taken["one slot"], taken["grid"]),
        "opaque": ratio(taken["dataeval 1"], taken["opaque"]),
        "overhead": round(median(overheads), 4),
        "seconds": {name: [round(value, 2) for value in values] for name, values in taken.items()},
        "size": {**size, "turns": options.turns},
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist-dir", type=Path, help="folder with the t10k IDX files")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--substeps", type=int, default=10)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one run of four steps")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    if options.quick:
        options.runs, options.substeps = 2, 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = measure(options)
    print(f"against DataEval's better thread count  {told(found['spread'])}")
    print(f"two slots against one                   {told(found['slots'])}")
    print(f"opaque strategies against DataEval      {told(found['opaque'])}")
    print(f"overhead                                {found['overhead']:.1%} of the wall")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
