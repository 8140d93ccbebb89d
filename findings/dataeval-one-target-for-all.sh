#!/usr/bin/env bash
# DataEval 1.1.4: one target out of reach turns the answers of all targets of the same call into -1.
#
# Expected: each target has its own answer. Seen: asked for 0.9 alone, `inv_project` names a number of samples; asked for
# 0.9 and a target so near the ceiling that its n does not fit into 64 bits, it says -1 for both.
# The product answers each target by itself.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages dataeval==1.1.4 torch==2.13.0
seen <<'PYTHON'
import dataeval
import numpy as np
from dataeval.performance import SufficiencyOutput

np.random.seed(0)
steps = np.array([25, 50, 100, 200, 400, 800])
accuracy = 1 - 2.0 * steps**-0.25 / 4
output = SufficiencyOutput(steps=steps, measures={"Accuracy": accuracy[None]})
alone = output.inv_project([0.9])["Accuracy"].to_list()
together = output.inv_project([0.9, 0.999999])["Accuracy"].to_list()
print(f"dataeval {dataeval.__version__}: 0.9 alone needs {alone}; 0.9 and 0.999999 together: {together}")
assert alone[0] > 0
assert together == [-1, -1], "each target has its own answer now"
PYTHON
