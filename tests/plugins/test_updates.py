"""A step by the fused kernels alone, against torch's own optimisers: the same numbers, and as many steps counted."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from sufficiency.plugins.updates import Updates
from sufficiency.training.details import watched

STEPS = 7
KINDS: list[tuple[type[Optimizer], dict[str, Any]]] = [
    (SGD, {"momentum": 0.9}),
    (SGD, {"momentum": 0.0}),
    (SGD, {"momentum": 0.5, "weight_decay": 0.01}),
    (Adam, {}),
    (Adam, {"weight_decay": 0.1}),
    (AdamW, {"weight_decay": 0.1}),
]


class Net(nn.Module):
    """Two layers, of which one is left out of every third step."""

    def __init__(self, skipping: bool) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 2)
        self.skipping, self.calls = skipping, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        out: torch.Tensor = self.second(x if self.skipping and self.calls % 3 == 0 else self.first(x))
        return out


def trained(
    kind: type[Optimizer], settings: dict[str, Any], *, ours: bool, fused: bool = True, skipping: bool = False
) -> tuple[list[torch.Tensor], int]:
    model = Net(skipping)
    optimizer = kind(model.parameters(), lr=0.1, fused=fused, **settings)  # type: ignore[call-arg]
    scheduler = CosineAnnealingLR(optimizer, STEPS)
    updates = Updates(optimizer)
    x = torch.randn(STEPS, 4, 5, generator=torch.Generator().manual_seed(1))
    with watched(model) as seen:
        for batch in x:
            if ours:
                updates.clear()
            else:
                optimizer.zero_grad()
            model(batch).square().sum().backward()
            if ours:
                updates.step()
            else:
                optimizer.step()
            scheduler.step()
    return [parameter.detach() for parameter in model.parameters()], seen.steps


@pytest.mark.parametrize(("kind", "settings"), KINDS)
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("skipping", [False, True])
def test_steps_are_those_of_the_optimiser_to_the_last_bit(
    kind: type[Optimizer], settings: dict[str, Any], fused: bool, skipping: bool
) -> None:
    theirs, counted = trained(kind, settings, ours=False, fused=fused, skipping=skipping)
    ours, counted_by_us = trained(kind, settings, ours=True, fused=fused, skipping=skipping)
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    assert counted == counted_by_us == STEPS
    assert not torch.equal(ours[0], next(Net(skipping).parameters()))


def test_a_fused_optimiser_is_asked_for_its_first_step_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = SGD.step
    monkeypatch.setattr(SGD, "step", lambda self, closure=None: (asked.append(1), real(self))[1])
    trained(SGD, {"momentum": 0.9}, ours=True)
    assert len(asked) == 1
