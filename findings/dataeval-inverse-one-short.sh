#!/usr/bin/env bash
# DataEval 1.1.4: the number of samples that `inv_project` names can miss its own target.
#
# Expected: `project` at the answer reaches the target that was asked for. Seen: the crossing is cut to a whole number
# before it is rounded up, so that the answer lies below it, and the curve at the answer is still under the target.
# The product rounds up, also in its DataEval form; see the README.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages dataeval==1.1.4 torch==2.13.0
seen <<'PYTHON'
import dataeval
import numpy as np
from dataeval.performance import SufficiencyOutput

np.random.seed(0)
steps = np.array([25, 50, 100, 200, 400, 800])
accuracy = 1 - (2.0 * steps**-0.6 + 0.05)
output = SufficiencyOutput(steps=steps, measures={"Accuracy": accuracy[None]})
targets = [0.87, 0.89, 0.91, 0.93]
needed = output.inv_project(targets)["Accuracy"].to_list()
reached = [output.project(n)["Accuracy"][0] for n in needed]
short = [(t, n, r) for t, n, r in zip(targets, needed, reached, strict=True) if r < t]
print(f"dataeval {dataeval.__version__}: {len(short)} of {len(targets)} targets are missed at the n that was named for them")
for target, n, value in short:
    after = output.project(n + 1)["Accuracy"][0]
    print(f"  target {target}: n = {n}, projected there {value:.6f}; at {n + 1}: {after:.6f}")
    assert after >= target
assert len(short) == len(targets), "the answers reach their targets now"
PYTHON
