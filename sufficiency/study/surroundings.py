"""What a study must not change in the process that it runs in."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def unchanged() -> Iterator[None]:
    """Give the caller's process back its generators and torch's settings as they were before the block."""
    drawn = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  (plugins draw from it)
    drawn_on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic[0], warn_only=deterministic[1])
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = cudnn
        random.setstate(drawn[0])
        np.random.set_state(drawn[1])  # noqa: NPY002
        torch.set_rng_state(drawn[2])
        if drawn_on_gpus is not None:
            torch.cuda.set_rng_state_all(drawn_on_gpus)
