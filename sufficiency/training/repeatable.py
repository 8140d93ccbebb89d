"""What makes a cell give the same numbers again."""

import random

import numpy as np
import torch


def make_repeatable() -> None:
    """Set what decides how torch calculates; at each unit, since a plugin may have changed it."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def seed_everything(seed: np.random.SeedSequence) -> None:
    """Seed Python's, NumPy's and torch's global generators (CUDA's too), each from words of its own."""
    words = seed.generate_state(8, np.uint32)
    random.seed(int.from_bytes(words[0:2].tobytes(), "little"))
    np.random.seed(words[2:6])  # noqa: NPY002  (plugins draw from the global generator)
    torch.manual_seed(int.from_bytes(words[6:8].tobytes(), "little"))
