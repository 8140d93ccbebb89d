"""What it costs a step of training that its loss is looked at: turn by turn, with and without, on one thread.

    python -m bench.watching            # a table
    python -m bench.watching --quick    # few turns

The smallest perceptron, on 8 × 8 numbers, and the tutorial's network, both in batches of 8: the shortest steps there
are. On a machine that does much else the lower quantiles of the turns tell more than the median.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from sufficiency.plugins.models import MLP, TutorialCNN
from sufficiency.plugins.updates import Updates
from sufficiency.training.details import watched

QUANTILES = (0.02, 0.1, 0.5)
NETWORKS: dict[str, tuple[Callable[[tuple[int, ...], int], nn.Module], tuple[int, ...], int]] = {
    "perceptron": (MLP, (1, 8, 8), 200),
    "the tutorial's": (TutorialCNN, (1, 28, 28), 20),
}


def microseconds(
    make: Callable[[tuple[int, ...], int], nn.Module], shape: tuple[int, ...], steps: int
) -> Callable[[bool], float]:
    """Return what measures a step of a network in processor time, with its loss looked at or not."""
    model = make(shape, 10)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    updates, x, y = Updates(optimiser), torch.rand(8, *shape), torch.randint(0, 10, (8,))

    def measured(looked_at: bool) -> float:
        with watched(model, losses=looked_at):
            began = time.process_time_ns()
            for _ in range(steps):
                updates.clear()
                nn.functional.cross_entropy(model(x), y).backward()
                updates.step()
            return (time.process_time_ns() - began) / steps / 1000

    return measured


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few turns")
    turns = 20 if parser.parse_args().quick else 300
    torch.set_num_threads(1)
    print(f"{'µs a step, at the quantiles':<28} {' '.join(f'{q:>9}' for q in QUANTILES)}")
    for name, (make, shape, steps) in NETWORKS.items():
        measure = microseconds(make, shape, steps)
        taken: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(turns):
            for looked_at in (True, False) if turn % 2 else (False, True):
                taken[looked_at].append(measure(looked_at))
        for looked_at, told in ((False, "as it is"), (True, "looked at")):
            found = np.quantile(taken[looked_at], QUANTILES)
            print(f"{name + ', ' + told:<28} {' '.join(f'{value:9.1f}' for value in found)}")


if __name__ == "__main__":
    main()
