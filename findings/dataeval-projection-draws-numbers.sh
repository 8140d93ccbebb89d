#!/usr/bin/env bash
# DataEval 1.1.4: asking an output for a projection changes what is measured next.
#
# Expected: reading a result has no effect on later work. Seen: the fit's basin-hopping draws from NumPy's global
# generator, which `Sufficiency.evaluate` draws its subsets from too. A study that is run after a look at the curve of the one
# before has other subsets than without the look, under the same seed.
# The product seeds every cell from (job seed, run, step), and its fit draws nothing.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages dataeval==1.1.4 torch==2.13.0
seen <<'PYTHON'
import dataeval
import numpy as np
from dataeval.performance import Sufficiency


class Remember:
    seen = []

    def train(self, model, dataset, indices):
        self.seen.append(list(indices))

    def evaluate(self, model, dataset):
        return {"Accuracy": 1 - 1 / (1 + len(self.seen))}


def second_study(look):
    np.random.seed(7)
    Remember.seen = []
    data = [(np.zeros(1), np.zeros(2), {"id": k}) for k in range(50)]
    study = Sufficiency(object(), Remember(), Remember(), reset_strategy=lambda model: model, runs=1, substeps=4)
    output = study.evaluate(data, data)
    if look:
        output.project(100)
    first = len(Remember.seen)
    study.evaluate(data, data)
    return Remember.seen[first:]


same = second_study(look=False) == second_study(look=False)
changed = second_study(look=False) != second_study(look=True)
print(f"dataeval {dataeval.__version__}: same seed, same subsets: {same}; other subsets after project(): {changed}")
assert same
assert changed, "looking at a curve no longer changes the next study"
PYTHON
