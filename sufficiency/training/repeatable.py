"""What makes a cell give the same numbers again."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.random.bit_generator as _bit_generator
import torch

from sufficiency.training.eager import be_deterministic

bit_generator: Any = _bit_generator


def make_repeatable() -> None:
    """Set what decides how torch calculates; at each unit, since a plugin may have changed it."""
    torch.set_num_threads(1)
    be_deterministic()
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


@contextmanager
def drawing_from(seed: np.random.SeedSequence) -> Iterator[None]:
    """Have what draws random numbers within the block draw the same each time, and leave the generators as they were.

    Notes
    -----
    Python's, NumPy's and torch's global generators are seeded. NumPy's newer ones are seeded by who makes them, or from
    the system's entropy; within the block, from this seed in its place.
    """
    python, legacy, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    entropy = random.Random(int.from_bytes(seed.generate_state(4, np.uint32).tobytes(), "little"))
    real = getattr(bit_generator, "randbits", None)
    try:
        seed_everything(seed)
        if real is not None:
            bit_generator.randbits = entropy.getrandbits
        yield
    finally:
        if real is not None:
            bit_generator.randbits = real
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.set_rng_state(torch_state)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def seed_everything(seed: np.random.SeedSequence) -> None:
    """Seed Python's, NumPy's and torch's global generators (CUDA's too), each from words of its own."""
    words = seed.generate_state(8, np.uint32)
    random.seed(int.from_bytes(words[0:2].tobytes(), "little"))
    np.random.seed(words[2:6])  # noqa: NPY002  (plugins draw from the global generator)
    torch.manual_seed(int.from_bytes(words[6:8].tobytes(), "little"))
