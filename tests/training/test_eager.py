"""A trainer's optimisers leave torch's compiler alone until something else wants it."""

import subprocess
import sys

import pytest

TRAINS = """
import sys
import sufficiency.training.trainer
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from sufficiency.training.eager import stay_eager
from sufficiency.training.repeatable import make_repeatable

assert stay_eager() is True
make_repeatable()
assert torch.are_deterministic_algorithms_enabled() and torch.is_deterministic_algorithms_warn_only_enabled()

def trained(family, **params):
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = family(model.parameters(), **params)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    x, y = torch.randn(8, 5), torch.arange(8) % 2
    for _ in range(3):
        def again():
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            return loss
        optimizer.step(again)
        schedule.step()
    optimizer.load_state_dict(optimizer.state_dict())
    return [one.detach().clone() for one in model.parameters()], torch.is_grad_enabled()

steps = []
register_optimizer_step_post_hook(lambda *_: steps.append(1))
kinds = [(torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}), (torch.optim.AdamW, {}), (torch.optim.RMSprop, {}),
         (torch.optim.LBFGS, {"max_iter": 2}), (torch.optim.Adagrad, {})]
eager = [trained(family, **params) for family, params in kinds]
assert len(steps) == 3 * len(kinds), steps
assert not {"torch._dynamo", "torch._inductor", "scipy", "sklearn", "pandas"} & set(sys.modules)

import torch._dynamo.config  # as who compiles does
import torch._inductor.config

assert torch._inductor.config.deterministic is True

assert not any(hasattr(one, "__dynamo_disable") for one in (torch.optim.Optimizer.zero_grad.__wrapped__,))
own = [trained(family, **params) for family, params in kinds]
assert len(steps) == 6 * len(kinds)
assert hasattr(torch.optim.Optimizer.zero_grad.__wrapped__, "__dynamo_disable")
for (ours, grad), (theirs, theirs_grad) in zip(eager, own, strict=True):
    assert grad is theirs_grad is True
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))

assert stay_eager() is False
print("done")
"""

COMPILES = """
import torch
from torch import nn
from sufficiency.training.eager import stay_eager

assert stay_eager() is True
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

@torch.compile(backend="eager")
def step(x):
    loss = model(x).pow(2).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss

first, second = (float(step(torch.ones(4, 3)).detach()) for _ in range(2))
assert second < first
assert stay_eager() is False
print("done")
"""


def test_optimisers_import_no_compiler_and_step_the_same_with_one() -> None:
    """Half of a trainer's start was torch's compiler, which the first optimiser imported to have nothing compiled."""
    ended_well(TRAINS)


@pytest.mark.slow  # 2.5 s, that compiling takes
def test_a_step_that_is_compiled_is_torchs_own() -> None:
    ended_well(COMPILES)


def ended_well(program: str) -> None:
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240)
    assert (ran.returncode, ran.stdout) == (0, "done\n"), ran.stderr[-2000:]
