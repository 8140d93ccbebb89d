#!/usr/bin/env bash
# torch 2.13.0: the first optimiser of a process, and the demand for deterministic algorithms, load the compiler that nobody asked for.
#
# Expected: an eager SGD over one parameter costs what an object costs. Seen: constructing it imports torch._dynamo,
# 800 modules and more than a second of processor time, once a process; so does torch.use_deterministic_algorithms(True),
# whichever comes first. `import torch` alone does not. Whoever starts a process for a few seconds of training pays it each time.
# The product's trainers keep the compiler away until something compiles, with the same numbers (decision 40).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages torch==2.13.0 numpy
seen <<'PYTHON'
import subprocess
import sys

PROBE = """
import sys, time, torch
parameter = torch.nn.Parameter(torch.zeros(3))
before, started = set(sys.modules), time.process_time()
{}
print("torch._dynamo" in before, "torch._dynamo" in sys.modules, len(set(sys.modules) - before), time.process_time() - started)
"""


def probe(act):
    """Return whether the compiler was there before and after, how many modules came, and the seconds."""
    for _ in range(2):  # the second time with byte code
        said = subprocess.run([sys.executable, "-c", PROBE.format(act)], check=True, capture_output=True, text=True).stdout
    before, after, modules, seconds = said.split()
    return before == "True", after == "True", int(modules), round(float(seconds), 1)


for act in ("torch.optim.SGD([parameter], lr=0.1)", "torch.use_deterministic_algorithms(True)", "parameter.sum().backward()"):
    before, after, modules, seconds = probe(act)
    print(f"{act}: {modules} modules, {seconds} s; the compiler is loaded: {after}")
    assert not before, "it comes with torch itself now"
    if "backward" in act:
        assert not after, "a gradient alone loads it now"
    else:
        assert after and modules > 100, "it is no longer loaded"
PYTHON
