"""Seeds as the service seeds, and notices who else does."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch

from sufficiency.training.repeatable import make_repeatable, seed_everything


def seed(number: int) -> None:
    """Seed all global generators."""
    seed_everything(np.random.SeedSequence(entropy=number))


@contextmanager
def as_in_a_trainer() -> Iterator[None]:
    """Have torch calculate as it does in a trainer, for the length of the block."""
    threads, cudnn = torch.get_num_threads(), torch.backends.cudnn
    strict = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    flags = cudnn.benchmark, cudnn.deterministic
    make_repeatable()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict[0], warn_only=strict[1])
        cudnn.benchmark, cudnn.deterministic = flags


@contextmanager
def reseeding_is_noticed() -> Iterator[list[str]]:
    """Collect the names of the seeding functions that are called within the block."""
    seen: list[str] = []

    def noticing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def seed(*arguments: Any, **named: Any) -> Any:
            seen.append(name)
            return real(*arguments, **named)

        return seed

    with (
        mock.patch.object(torch, "manual_seed", noticing("torch.manual_seed", torch.manual_seed)),
        mock.patch.object(np.random, "seed", noticing("numpy.random.seed", np.random.seed)),
        mock.patch.object(random, "seed", noticing("random.seed", random.seed)),
    ):
        yield seen
