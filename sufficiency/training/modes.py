"""Whether an evaluation asked a model that was still in training mode."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.module import register_module_forward_pre_hook

MESSAGE = (
    "evaluate() asked the model while it was in training mode, so that dropout dropped, or batch normalisation went by "
    "the test items' own statistics: call model.eval() first. Where that is meant, as of Monte Carlo dropout, nothing "
    "is wrong"
)


class EvaluatedInTraining(UserWarning):
    """The category of the warning of it."""


@contextmanager
def mode_seen(model: Any) -> Iterator[list[str]]:
    """Take note of what of a model was in training mode when it was asked; no number is touched.

    Notes
    -----
    Batch normalisation counts its batches. Of dropout the first call tells: nothing is hung on the model itself, which
    an evaluation may want to copy or send elsewhere, and nothing at all where there is none or the model is compiled.
    """
    seen: list[str] = []
    plain = isinstance(model, nn.Module) and not hasattr(model, "_orig_mod")
    modules = list(model.modules()) if plain else []
    before = _batches(modules)

    def look(module: nn.Module, _: Any) -> None:
        if module in dropping:
            hook.remove()
            if module.training:
                seen.append("dropout")

    dropping = {module for module in modules if isinstance(module, _DropoutNd) and module.p > 0 and module.training}
    if not dropping:
        yield seen
    else:
        hook = register_module_forward_pre_hook(look)
        try:
            yield seen
        finally:
            hook.remove()
    if _batches(modules) != before:
        seen.append("batch normalisation")


def _batches(modules: list[nn.Module]) -> list[int]:
    norms = [one.num_batches_tracked for one in modules if isinstance(one, _NormBase)]
    return [int(count) for count in norms if count is not None]
