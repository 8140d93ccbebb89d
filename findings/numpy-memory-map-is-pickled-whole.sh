#!/usr/bin/env bash
# NumPy 2.4.6: a memory map is pickled with all that is mapped, and what comes back calls itself a memory map that it is not.
#
# Expected: a map that is sent to another process is a map of the same file there. Seen: 80 MB are sent for 80 MB that were mapped, and
# the other side holds them in memory as an np.memmap without a file. So each spawned worker of a torch DataLoader (and each forkserver one,
# which is Linux's default from Python 3.14 on) has a copy of a set that was mapped for being larger than memory. #2049 is closed as
# not to be mended, and a repair, #30635, was not taken in; the documentation does not say it.
# The product's mapped sets are pickled as their place in the file (sufficiency/data/file_map.py).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages numpy==2.4.6
seen <<'PYTHON'
import pickle

import numpy as np

np.save("x.npy", np.zeros((1000, 10_000)))
mapped = np.load("x.npy", mmap_mode="r")
sent = pickle.dumps(mapped)
there = pickle.loads(sent)
print(f"numpy {np.__version__}: of {mapped.nbytes:,} bytes that are mapped from {mapped.filename and 'a file'} {len(sent):,} are sent; "
      f"there: {type(there).__name__} of the file {there.filename}")
assert isinstance(there, np.memmap) and there.filename is None
assert len(sent) > mapped.nbytes, "it is sent as its place now"
PYTHON
