"""A training step's update: torch's own fused kernels, without what an optimiser's `step` does around them each time.

An optimiser sorts its parameters by device and type, and enters a profile, at every step: a tenth of a small network's
step. Here that is done once; the numbers are the same to the last bit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer
from torch.optim import optimizer as _optimizer

# What is called after each optimiser's step, as whoever counts steps has asked for: torch keeps it by number.
_watchers: Any = _optimizer.__dict__.get("_global_optimizer_post_hooks", {})


class Updates:
    """The steps of an optimiser that holds one group of dense parameters.

    Parameters
    ----------
    optimizer : Optimizer
        Made with ``fused=True`` where its parameters allow it. What is not fused is left to its own `step`.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._group = optimizer.param_groups[0]
        self._parameters: list[Tensor] = list(self._group["params"])
        self._kernel: Callable[[Sequence[Tensor]], None] | None = None
        self._is_first = True

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter by its gradient, and tell whoever counts an optimiser's steps."""
        gradients = [parameter.grad for parameter in self._parameters]
        if self._kernel is None or any(one is None for one in gradients):
            self._optimizer.step()
            # The optimiser has made its state with its first step, of each parameter that had a gradient.
            self._kernel = self._fused() if self._is_first and not any(one is None for one in gradients) else None
            self._is_first = False
            return
        self._kernel(gradients)  # type: ignore[arg-type]
        for watcher in tuple(_watchers.values()):
            watcher(self._optimizer, (), {})

    def _fused(self) -> Callable[[Sequence[Tensor]], None] | None:
        """Return what does a step by one kernel over all parameters; None where the optimiser is to do it."""
        group, parameters = self._group, self._parameters
        devices = {(parameter.device, parameter.dtype) for parameter in parameters}
        if not group.get("fused") or len(devices) != 1 or any(p.grad is None or p.grad.is_sparse for p in parameters):
            return None
        states = [self._optimizer.state[parameter] for parameter in parameters]
        if type(self._optimizer) is SGD and hasattr(torch, "_fused_sgd_"):
            return self._sgd([state.get("momentum_buffer") for state in states])
        if isinstance(self._optimizer, Adam) and hasattr(torch, "_fused_adam_"):
            return self._adam(*([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step")))
        return None

    def _sgd(self, momenta: list[Any]) -> Callable[[Sequence[Tensor]], None]:
        group, parameters = self._group, self._parameters
        kept = momenta if group["momentum"] else []
        kernel: Any = torch._fused_sgd_

        def update(gradients: Sequence[Tensor]) -> None:
            kernel(
                parameters,
                gradients,
                kept,
                weight_decay=group["weight_decay"],
                momentum=group["momentum"],
                lr=group["lr"],
                dampening=group["dampening"],
                nesterov=group["nesterov"],
                maximize=group["maximize"],
                is_first_step=False,
            )

        return update

    def _adam(
        self, averages: list[Tensor], squares: list[Tensor], steps: list[Tensor]
    ) -> Callable[[Sequence[Tensor]], None]:
        group, parameters = self._group, self._parameters
        # AdamW is an Adam whose decay is decoupled, and has a kernel of its own.
        kernel: Any = torch._fused_adamw_ if group.get("decoupled_weight_decay") else torch._fused_adam_

        def update(gradients: Sequence[Tensor]) -> None:
            torch._foreach_add_(steps, 1)
            kernel(
                parameters,
                gradients,
                averages,
                squares,
                [],
                steps,
                amsgrad=group["amsgrad"],
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=group["maximize"],
            )

        return update
