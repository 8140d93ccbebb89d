#!/usr/bin/env bash
# DataEval 1.1.4: a metric that an evaluation leaves out once counts as 0.0 there.
#
# Expected: a missing value is missing. Seen: an evaluation that gives AUROC only once both classes have been predicted has
# 0.0 for it at the other steps, in the averages and so in the fit, without a warning.
# The product leaves the cell out of that metric's curve, and says so.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages dataeval==1.1.4 torch==2.13.0
seen <<'PYTHON'
import dataeval
import numpy as np
from dataeval.performance import Sufficiency


class Strategy:
    n = 0

    def train(self, model, dataset, indices):
        self.n = len(indices)

    def evaluate(self, model, dataset):
        values = {"Accuracy": 0.5 + self.n / 1000}
        return values | ({"AUROC": 0.9} if self.n > 50 else {})


data = [(np.zeros(1), np.zeros(2), {"id": k}) for k in range(200)]
strategy = Strategy()
study = Sufficiency(object(), strategy, strategy, reset_strategy=lambda model: model, runs=2)
output = study.evaluate(data, data, schedule=[20, 40, 100, 200])
found = output.averaged_measures["AUROC"].tolist()
print(f"dataeval {dataeval.__version__}: AUROC at 20, 40, 100, 200: {found}")
assert found == [0.0, 0.0, 0.9, 0.9], "an absent metric is no longer counted as 0.0"
PYTHON
