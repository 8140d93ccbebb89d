#!/usr/bin/env bash
# torch 2.13.0: a DataLoader of spawned workers whose process group is killed leaves its semaphores in memory for ever.
#
# Expected: SIGKILL to a training's whole process group, as supervisors do, leaves nothing: who takes away what is shared is the system.
# Seen: each queue of such a loader has named semaphores (sem.mp-… in /dev/shm), which multiprocessing's resource tracker, a process of
# the same group, takes away when all others have ended; killed with them it cannot. 14 of two workers are left with each kill. With the
# tracker spared, none is. Forked workers leave none: theirs lose their names at once.
# The product's keeper ends all of a trainer's processes but such cleaners, and these two seconds later (worker/keeper.py).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages torch==2.13.0 numpy
cat >"$FOLDER/training.py" <<'PYTHON'
import sys
import time

import torch

if __name__ == "__main__":
    loader = torch.utils.data.DataLoader(
        torch.arange(1000), batch_size=1, num_workers=2, multiprocessing_context=sys.argv[1], persistent_workers=True
    )
    batches = iter(loader)
    next(batches)
    print("ready", flush=True)
    time.sleep(600)
PYTHON
seen <<'PYTHON'
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def state_of(pid):
    return subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()[:1]


def left(start, spare):
    """Return how many semaphores are left when a training's group has been killed."""
    before = set(os.listdir("/dev/shm"))
    training = subprocess.Popen([sys.executable, "training.py", start], start_new_session=True, stdout=subprocess.PIPE, text=True)
    assert training.stdout.readline() == "ready\n"
    told = subprocess.run(["ps", "-e", "-o", "pid=,pgid="], capture_output=True, text=True, check=True).stdout.split()
    members = [int(pid) for pid, group in zip(told[::2], told[1::2]) if int(group) == training.pid]
    trackers = [pid for pid in members if b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    for pid in members:
        if not spare or pid not in trackers:
            os.kill(pid, signal.SIGKILL)
    training.wait()
    until = time.monotonic() + 10
    while any(state_of(pid) not in ("", "Z") for pid in trackers):
        assert time.monotonic() < until, "the tracker does not end"
        time.sleep(0.05)
    found = {name for name in os.listdir("/dev/shm") if name.startswith("sem.mp-")} - before
    for name in found:
        os.unlink(f"/dev/shm/{name}")
    return len(found)


for start, spare in (("spawn", False), ("spawn", True), ("fork", False)):
    print(f"{start}, tracker {'spared' if spare else 'killed too'}: {left(start, spare)} semaphores are left")
    count = left(start, spare)
    assert (count > 5) == (start == "spawn" and not spare), count
PYTHON
