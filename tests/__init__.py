"""The tests; see docs/testing.md."""

import os

from tests.support.bytecode import keep

# As in trainers, one thread a library: two that share a busy core wait for each other most of the time.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

keep()
