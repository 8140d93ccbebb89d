"""The loss while networks are trained, whoever wrote the loop: seen as it is, or not at all, and all left as it was."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.utils.checkpoint import checkpoint

from sufficiency.training.details import details_of, watched
from sufficiency.training.losses import MOST_PARTS, Course

STEPS = 40
X = torch.linspace(-1, 1, 64).reshape(16, 4)
Y = (X.sum(1) > 0.3).long()


def loss_of(model: nn.Module, items: slice = slice(None)) -> Tensor:
    return nn.functional.cross_entropy(model(X[items]), Y[items])


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.5)


def plain(model: nn.Module) -> None:
    optimiser = sgd(model)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss_of(model).backward()
        optimiser.step()


def in_parts(model: nn.Module) -> None:
    optimiser = sgd(model)
    for _ in range(STEPS):
        optimiser.zero_grad()
        for part in (slice(8), slice(8, 16)):
            loss_of(model, part).backward()
            loss_of(model, part).backward()
        for parameter in model.parameters():
            parameter.grad /= 4
        optimiser.step()


def scaled(model: nn.Module) -> None:
    optimiser, scaler = sgd(model), GradScaler("cpu", init_scale=2.0**10, growth_interval=7)
    for _ in range(STEPS):
        optimiser.zero_grad()
        scaler.scale(loss_of(model)).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimiser)
        scaler.update()


def by_closure(model: nn.Module) -> None:
    with_closures(model, sgd(model))


def with_closures(model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    def closure() -> float:
        optimiser.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss.item()

    for _ in range(STEPS):
        optimiser.step(closure)


def by_two_optimisers(model: nn.Module) -> None:
    optimisers = [torch.optim.SGD([one], lr=0.5) for one in model.parameters()]
    for _ in range(STEPS):
        model.zero_grad()
        loss_of(model).backward()
        for one in optimisers:
            one.step()


def in_two_phases(model: nn.Module) -> None:
    head = torch.optim.SGD([next(model.parameters())], lr=1e-9)
    for _ in range(3 * STEPS):
        head.zero_grad()
        (loss_of(model) + 100).backward()
        head.step()
    plain(model)


def gone_through_twice(model: nn.Module) -> None:
    optimiser, x = sgd(model), X.clone().requires_grad_()
    for _ in range(STEPS):
        optimiser.zero_grad()
        nn.functional.cross_entropy(checkpoint(model, x, use_reentrant=True), Y).backward()
        optimiser.step()


def with_its_graph(model: nn.Module) -> None:
    optimiser = sgd(model)
    for _ in range(STEPS):
        optimiser.zero_grad(set_to_none=True)
        loss_of(model).backward(create_graph=True)
        optimiser.step()
    optimiser.zero_grad(set_to_none=True)


class Elsewhere(Tensor):
    """A loss that is not at hand, as those on a device."""

    is_cpu = False  # type: ignore[assignment]

    def item(self) -> Any:
        raise AssertionError("the device is waited for at every step")


def on_a_device(model: nn.Module) -> None:
    optimiser = sgd(model)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = loss_of(model).as_subclass(Elsewhere)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            loss.zero_()  # its memory may be the next one's


def compiled(model: nn.Module) -> None:
    optimiser, fast = sgd(model), torch.compile(model, backend="eager")
    for _ in range(STEPS):
        optimiser.zero_grad()
        nn.functional.cross_entropy(fast(X), Y).backward()
        optimiser.step()


def against_each_other(model: nn.Module) -> None:
    optimisers = [torch.optim.SGD([one], lr=0.5) for one in model.parameters()]
    for _ in range(STEPS):
        for one in optimisers:
            model.zero_grad()
            loss_of(model).backward()
            one.step()


def several_tries_a_step(model: nn.Module) -> None:
    with_closures(model, torch.optim.LBFGS(model.parameters(), lr=0.1))


def weighted_from_outside(model: nn.Module) -> None:
    optimiser = sgd(model)
    for _ in range(STEPS):
        optimiser.zero_grad()
        answered = model(X)
        answered.backward(torch.ones_like(answered))
        optimiser.step()


def without_backward(model: nn.Module) -> None:
    optimiser = sgd(model)
    for _ in range(STEPS):
        found = torch.autograd.grad(loss_of(model), list(model.parameters()))
        for parameter, gradient in zip(model.parameters(), found, strict=True):
            parameter.grad = gradient
        optimiser.step()


def mostly_without(model: nn.Module) -> None:
    optimiser = sgd(model)
    for step in range(STEPS):
        loss = loss_of(model)
        if step % 3:
            optimiser.zero_grad()
            loss.backward()
        optimiser.step()


def never_a_step(model: nn.Module) -> None:
    for _ in range(STEPS):
        loss_of(model).backward()


def trained(loop: Callable[[nn.Module], None], *, look: bool = True) -> tuple[nn.Module, dict[str, Any]]:
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    if not look:
        loop(model)
        return model, {}
    with watched(model) as seen:
        loop(model)
    return model, details_of(model, seen)


def expected() -> dict[str, Any]:
    found: dict[str, Any] = trained(plain)[1]["loss"]
    assert found["falls"] is True
    assert found["start"] > found["halfway"] > found["end"] > 0
    return found


@pytest.mark.parametrize(
    "loop",
    [
        *(in_parts, scaled, by_closure, by_two_optimisers, in_two_phases, gone_through_twice, on_a_device),
        pytest.param(with_its_graph, marks=pytest.mark.filterwarnings("ignore:Using backward")),
        pytest.param(compiled, marks=pytest.mark.slow),
    ],
    ids=lambda loop: loop.__name__,
)
def test_however_a_loop_is_written_its_loss_is_the_same(loop: Callable[[nn.Module], None]) -> None:
    found = trained(loop)[1]["loss"]
    assert found.pop("falls") is True
    want = expected()
    # What is trained in the first of two phases moves the second one's start.
    assert found == pytest.approx({name: want[name] for name in found}, rel=1e-3)


@pytest.mark.parametrize(
    "loop",
    [
        *(against_each_other, several_tries_a_step, weighted_from_outside),
        *(without_backward, mostly_without, never_a_step),
    ],
    ids=lambda loop: loop.__name__,
)
def test_what_cannot_be_understood_is_not_told(loop: Callable[[nn.Module], None]) -> None:
    assert "loss" not in trained(loop)[1]


def test_nothing_is_touched() -> None:
    backward, scale = torch.autograd.backward, GradScaler.scale
    for loop in (plain, scaled):
        alone, seen = trained(loop, look=False)[0], trained(loop)[0]
        for one, other in zip(alone.parameters(), seen.parameters(), strict=True):
            assert torch.equal(one, other)
    with pytest.raises(RuntimeError, match="on purpose"), watched(None):
        raise RuntimeError("on purpose")
    assert torch.autograd.backward is backward
    assert GradScaler.scale is scale


def test_what_somebody_puts_in_its_place_stays_and_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.autograd, "backward", torch.autograd.backward)  # to have it back afterwards
    calls = []

    def patching(model: nn.Module) -> None:
        ours = torch.autograd.backward

        def theirs(*args: Any, **kwargs: Any) -> None:
            calls.append(1)
            ours(*args, **kwargs)

        torch.autograd.backward = theirs
        plain(model)

    model, details = trained(patching)
    assert details["loss"] == expected()
    assert torch.autograd.backward.__name__ == "theirs"
    before = len(calls)
    loss_of(model).backward()
    assert len(calls) == before + 1


def test_a_course_of_any_length_is_kept_in_so_many_parts() -> None:
    rng = np.random.default_rng(0)
    for total in (0, 1, MOST_PARTS - 1, MOST_PARTS + 1, 300_001):
        losses, course, at = rng.random(total), Course(), 0
        while at < total:
            several = int(rng.integers(1, 5_000))
            course.add(losses[at : at + several])
            at += several
        means, steps = course.parts()
        assert steps.sum() == total
        assert len(means) <= MOST_PARTS
        assert len(means) >= min(total, MOST_PARTS // 2)
        ends = np.cumsum(steps)
        for mean, end, count in zip(means, ends, steps, strict=True):
            assert mean == pytest.approx(losses[end - count : end].mean())
