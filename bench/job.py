"""The tutorial's job, from POST to completed, beside DataEval 1.1.4 in one process: turn by turn, in one run.

    python -m bench.job --mnist-dir DIR --turns 3 --json job.json
    python -m bench.job --mnist-dir DIR --only adaptive --json job.json     # no opaque strategies, no single slot
    python -m bench.job --quick                     # a small one, for a machine that has other things to do

What is measured, each on a service that is up, with its trainers warm:

    grid          the tutorial's job with our own training and evaluation, on 2 slots
    adaptive 0.90 the same job with a question of the tutorial's, "is 90 % accuracy reached with 5,000 items?"; and so
                  with its other two targets, .93 and .99: `plan: adaptive`
    one slot      the same on 1
    opaque        the same with the tutorial's own strategies, as a user brings them, on 1 slot
    dataeval 1    DataEval's `Sufficiency` with the tutorial's strategies and 1 thread: evaluate and its fit
    dataeval 2    the same with as many threads as there are cores

Ratios are of turns: `ratio` of DataEval's better thread count to the grid, `ratio_adaptive` to the adaptive jobs, over
all seeds and questions (`ratios_adaptive` has each question's), `slots` of one slot to two, `opaque` of DataEval with
one thread to the opaque job. The grid and each question are done once with each of `--seeds` seeds; DataEval, which has
no question that ends it, `--turns` times. `error` is what the projection of the accuracy at 5,000 was off by, mean over
the seeds, of the truth that `python -m bench.truth` has measured with models trained on 5,000; null without MNIST. The
overhead is what of a job's wall its cells' own time over the slots does not account for. Without --mnist-dir the
images are the digits, padded to MNIST's size.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

from app.settings import Settings
from app.standalone.service import Standalone
from bench import truth
from bench.peers import EXTERNAL, OURS, built, splits_in, tutorial
from bench.spread import ratio, told
from sufficiency import Client

OPAQUE = {
    "model": {"name": "tutorial-net"},
    "training": {"name": "tutorial-training"},
    "evaluation": {"name": "tutorial-evaluation"},
}
# Is each target of the tutorial reached with the size that it projects to? Without MNIST the set is smaller.
TARGETS = (0.90, 0.93, 0.99)
QUESTIONS = {f"adaptive {target:.2f}": {"metric": "Accuracy", "n": truth.SIZE, "target": target} for target in TARGETS}


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


@dataclass(frozen=True)
class Done:
    """A job that is done: seconds from POST to completed by the service's own clock, and the overhead in them."""

    id: str
    seconds: float
    overhead: float
    design: dict[str, Any] | None


def through(client: Client, spec: dict[str, Any], slots: int) -> Done:
    """Have the service do a job."""
    began = time.time()
    ended = client.wait(client.submit(spec)["id"])
    # Not when this client saw it, which looks every now and then.
    seconds = datetime.fromisoformat(ended["finished_at"]).timestamp() - began
    assert ended["state"] == "completed", ended
    cells = client.measurements(ended["id"], view="cells")["items"]
    own = sum({(c["run"], c["step"]): c["seconds"] for c in cells}.values())
    return Done(ended["id"], seconds, 1 - own / slots / seconds, ended.get("design"))


def projected(client: Client, job_id: str) -> float:
    """Return the accuracy that a job expects of 5,000 items."""
    return float(client.project(job_id, [truth.SIZE])["metrics"]["Accuracy"][0]["value"])


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
    kept: dict[str, list[Done]] = {name: [] for name in ("grid", *QUESTIONS)}
    expected: dict[str, list[float]] = {name: [] for name in kept}
    taken: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        splits, root = splits_in(options.mnist_dir, folder)
        os.environ["SUFFICIENCY_DATA_ROOTS"] = str(root)
        data = built(splits)
        two = stack.enter_context(service(splits, root, 2))
        one = stack.enter_context(service(splits, root, 1)) if options.only is None else two
        spec = {"dataset": "data", "reuse": False, **size}

        def ours(name: str, seed: int, **question: Any) -> float:
            done = through(two, {**OURS, **spec, "seed": seed, **question}, 2)
            kept[name].append(done)
            expected[name].append(projected(two, done.id))
            return done.seconds

        def turn(number: int) -> dict[str, Callable[[], float]]:
            ways: dict[str, Callable[[], float]] = {
                name: partial(ours, name, number, plan="adaptive", stop_when=question)
                for name, question in QUESTIONS.items()
            }
            ways["grid"] = lambda: ours("grid", number)
            if number < options.turns:
                ways["dataeval 1"] = lambda: through_dataeval(data, **size, threads=1)
                ways["dataeval 2"] = lambda: through_dataeval(data, **size, threads=os.cpu_count() or 1)
                if options.only is None:
                    ways["one slot"] = lambda: through(one, {**OURS, **spec}, 1).seconds
                    ways["opaque"] = lambda: through(one, {**OPAQUE, **spec}, 1).seconds
            return ways

        for number in range(max(options.seeds, options.turns)):
            for name, way in turn(number).items():
                taken.setdefault(name, []).append(way())
                print(f"{name:<14} {taken[name][-1]:8.1f} s", flush=True)
    theirs = [min(pair) for pair in zip(taken["dataeval 1"], taken["dataeval 2"], strict=True)]
    # A seed that DataEval had no turn with is held to its turns one after the other.
    best = [theirs[k % len(theirs)] for k in range(len(taken["grid"]))]
    adaptive = [seconds for name in QUESTIONS for seconds in taken[name]]
    together = ratio(best * len(QUESTIONS), adaptive)
    found = {
        "ratio": ratio(best, taken["grid"])["median"],
        "ratio_adaptive": together["median"],
        "spread": ratio(best, taken["grid"]),
        "spread_adaptive": together,
        "ratios_adaptive": {name: ratio(best, taken[name]) for name in QUESTIONS},
        "error": errors(expected, truth.known(options.mnist_dir)),
        "designs": {name: [done.design for done in kept[name]] for name in QUESTIONS},
        "overhead": round(median(done.overhead for done in kept["grid"]), 4),
        "overhead_adaptive": round(median(done.overhead for name in QUESTIONS for done in kept[name]), 4),
        "seconds": {name: [round(value, 2) for value in values] for name, values in taken.items()},
        "size": {**size, "turns": options.turns, "seeds": options.seeds},
        "questions": QUESTIONS,
        "load": os.getloadavg()[0],
    }
    if options.only is None:
        found["slots"] = ratio(taken["one slot"], taken["grid"][: options.turns])
        found["opaque"] = ratio(taken["dataeval 1"], taken["opaque"])
    return found


def errors(expected: dict[str, list[float]], known: float | None) -> dict[str, Any] | None:
    """Return what the projections of each plan were off by; None where nobody knows the truth."""
    if known is None:
        return None
    off = {name: [round(abs(value - known), 4) for value in values] for name, values in expected.items()}
    return {"truth": known, **{name: {"mean": round(mean(values), 4), "each": values} for name, values in off.items()}}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist-dir", type=Path, help="folder with the t10k IDX files")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--substeps", type=int, default=10)
    parser.add_argument("--turns", type=int, default=1, help="of DataEval, of one slot and of opaque strategies")
    parser.add_argument("--seeds", type=int, default=5, help="of the grid and of the adaptive job")
    parser.add_argument("--only", choices=["adaptive"], help="leave out one slot and the opaque strategies")
    parser.add_argument("--quick", action="store_true", help="two runs of four steps, one seed")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    if options.quick:
        options.runs, options.substeps, options.seeds = 2, 4, 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = measure(options)
    print(f"against DataEval's better thread count  {told(found['spread'])}")
    print(f"… with a question that ends it          {told(found['spread_adaptive'])}")
    for name, each in found["ratios_adaptive"].items():
        print(f"    {name:<36}{told(each)}")
    if (off := found["error"]) is not None:
        for name in ("grid", *QUESTIONS):
            print(f"off at {truth.SIZE}, {name:<14}             {off[name]['mean']:.4f}")
    if options.only is None:
        print(f"two slots against one                   {told(found['slots'])}")
        print(f"opaque strategies against DataEval      {told(found['opaque'])}")
    print(f"overhead                                {found['overhead']:.1%} of the wall")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
