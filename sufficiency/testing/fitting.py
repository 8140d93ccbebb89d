"""Finds what items a model takes, where nobody says: by its first layer, and by trying."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from sufficiency.testing.seeding import seed
from sufficiency.testing.setting import Setting, sample_setting
from sufficiency.testing.trial import Trial

SIDES = (8, 12, 28, 32, 64, 96, 128, 224)  # of images, the smallest first: what takes any size is tried soonest
LENGTHS = (16, 32, 64, 100, 128, 256, 512, 1024)
SHAPES = ((1, 8, 8), (1, 12, 12), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 224, 224))


def fitting_setting(trial: Trial) -> Setting | None:
    """Return random items of a shape that a model takes, of as many classes as it answers.

    Parameters
    ----------
    trial : Trial
        Of a model.

    Returns
    -------
    Setting or None
        None where none of the usual shapes fits, or it is no network.
    """
    for shape in _candidates(trial):
        classes = _answered(trial, shape)
        if classes is not None:
            return sample_setting(shape, classes)
    return None


def _candidates(trial: Trial) -> Iterator[tuple[int, ...]]:
    """Yield shapes to try: those that the first layer allows, else the usual ones."""
    try:
        seed(0)
        model = trial.build()
    except Exception:  # it may only be one that needs a larger shape to be built at all
        yield from SHAPES
        return
    if not isinstance(model, nn.Module):
        return
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv1d | nn.Conv3d):
            dimensions = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}[_kind(layer)]
            for side in LENGTHS if dimensions == 1 else SIDES if dimensions == 2 else SIDES[:4]:
                yield (layer.in_channels, *[side] * dimensions)
            return
        if isinstance(layer, nn.Linear):
            yield from SHAPES[:1]  # where the network is made to measure
            yield (layer.in_features,)
            return
    yield from SHAPES


def _kind(layer: nn.Module) -> Any:
    return next(kind for kind in (nn.Conv1d, nn.Conv2d, nn.Conv3d) if isinstance(layer, kind))


def _answered(trial: Trial, shape: tuple[int, ...]) -> int | None:
    """Return how many classes a model answers for items of a shape, 0 for one number; None where it takes none."""
    of_this_shape = trial.tried_with(sample_setting(shape))
    try:
        seed(0)
        model = of_this_shape.build().eval()
        with torch.no_grad():
            answers = model(of_this_shape.setting.batch())
    except Exception:  # whatever somebody's model raises of a shape that is not its own
        return None
    if not torch.is_tensor(answers) or answers.ndim == 0 or len(answers) != len(of_this_shape.setting.batch()):
        return 3
    width = int(answers.numel() // len(answers))
    return width if width > 1 else 0
