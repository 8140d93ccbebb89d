"""What an untrained model's outputs must be for a dataset, looked at before anything is spent on training it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sufficiency.data.arrays import StoredItems
from sufficiency.data.foreign import materialise
from sufficiency.data.tensors import device_of, tensors
from sufficiency.plugins.estimators import EstimatorModel, is_estimator

_ITEMS = 32


class WrongOutput(TypeError):
    """A model whose outputs cannot be what the dataset asks for; the message says what was seen and what to do."""


_TRAININGS = {"classification": "sgd-classifier", "regression": "sgd-regressor", "multilabel": "sgd-multilabel"}


def expect_task(task: str, dataset: Any, strategy: str) -> StoredItems:
    """Return a dataset as arrays, if it is for a task.

    Raises
    ------
    TypeError
    """
    arrays = materialise(dataset)
    if arrays.task != task:
        holds = {
            "classification": "classes",
            "regression": "numbers to predict",
            "multilabel": "several labels an item",
        }
        instead = _TRAININGS[arrays.task] if strategy in _TRAININGS.values() else f"the evaluation {arrays.task}"
        # Classes may be numbers to predict, or rows of which several could be 1; the other way there is no reading.
        reading = f", or have it read with task={task}" if arrays.task == "classification" else ""
        raise TypeError(f"{strategy} is for {task}, and the dataset holds {holds[arrays.task]}: use {instead}{reading}")
    return arrays


def expect_trainable(model: Any) -> None:
    """Look whether a model has parameters that gradients can move.

    Raises
    ------
    WrongOutput
    """
    estimator = getattr(model, "estimator", model) if isinstance(model, EstimatorModel) else model
    if not isinstance(estimator, nn.Module) and is_estimator(estimator):
        raise WrongOutput(
            f"the model is an estimator ({type(estimator).__name__}), which is fitted and not trained step by "
            "step: take the training fit-estimator"
        )
    if isinstance(model, nn.Module) and not any(parameter.requires_grad for parameter in model.parameters()):
        none = "all of its parameters are frozen" if any(True for _ in model.parameters()) else "it has no parameters"
        raise WrongOutput(
            f"there is nothing to train in the model: {none}. Have one layer's requires_grad set at least"
        )


def expect_logits(model: Any, dataset: Any, *, scale: bool) -> None:
    """Look whether a model answers one logit a class.

    Parameters
    ----------
    scale : bool
        Whether probabilities in place of logits make a difference.

    Raises
    ------
    WrongOutput
    """
    arrays = materialise(dataset)
    classes = arrays.num_classes
    found = _seen(model, arrays, f"logits, one for each of the {classes} classes")
    if found is None:
        return
    seen = found.outputs
    if seen.ndim == 1 or (seen.ndim == 2 and seen.shape[1] == 1 and classes > 1):
        raise WrongOutput(
            f"the model answers one number an item (shape {_shape(seen)}), and the dataset has {classes} classes: a "
            f"classification needs {classes} logits an item. Give it num_classes outputs without a sigmoid"
            + ("; of one logit z, make the two [0, z]" if classes == 2 else "")
        )
    if seen.ndim != 2 or seen.shape[1] != classes:
        raise WrongOutput(
            f"the model answers outputs of shape {_shape(seen)}, and the dataset has {classes} classes: a "
            f"classification needs one logit a class, shape {(len(seen), classes)}. Take num_classes in its constructor"
        )
    if scale and classes > 1 and found.ending:
        raise WrongOutput(
            f"the model answers probabilities (it ends in a {found.ending}), and logits are wanted: their "
            "softmax is taken, so that probabilities would be squeezed once more. Leave the last layer out, or return "
            "its logarithm"
        )


def expect_numbers(model: Any, dataset: Any, *, scale: bool = False) -> None:
    """Look whether a model answers one number an item.

    Parameters
    ----------
    scale : bool
        Whether it must be able to answer any number, as where targets are brought to mean 0 and SD 1.

    Raises
    ------
    WrongOutput
    """
    arrays = materialise(dataset)
    found = _seen(model, arrays, "one number an item")
    if found is None:
        return
    seen = found.outputs
    if seen.ndim == 0 or seen.numel() != len(seen):
        raise WrongOutput(
            f"the model answers outputs of shape {_shape(seen)}, and the dataset has one number to predict: a "
            f"regression needs shape {(len(seen), 1)}. Take num_classes in its constructor, which is 1 for a regression"
        )
    if scale and found.ending:
        raise WrongOutput(
            f"the model answers numbers between 0 and 1 alone (it ends in a {found.ending}), and it is trained on "
            "targets of mean 0 and SD 1. Leave the last layer out"
        )


def expect_logit_a_label(model: Any, dataset: Any, *, scale: bool) -> None:
    """Look whether a model answers one logit for each label that an item may have.

    Parameters
    ----------
    scale : bool
        Whether probabilities in place of logits make a difference.

    Raises
    ------
    WrongOutput
    """
    arrays = materialise(dataset)
    labels = arrays.num_classes
    found = _seen(model, arrays, f"logits, one for each of the {labels} labels")
    if found is None:
        return
    seen = found.outputs
    if seen.ndim != 2 or seen.shape[1] != labels:
        raise WrongOutput(
            f"the model answers outputs of shape {_shape(seen)}, and the dataset has {labels} labels: one logit a "
            f"label is needed, shape {(len(seen), labels)}. Take num_classes in its constructor"
        )
    if scale and found.ending:
        raise WrongOutput(
            f"the model answers probabilities (it ends in a {found.ending}), and logits are wanted: their "
            "sigmoid is taken. Leave the last layer out"
        )


@dataclass(frozen=True)
class _Seen:
    outputs: Tensor
    ending: str | None  # what squeezed them into [0, 1], if something did


def _seen(model: Any, arrays: StoredItems, wanted: str) -> _Seen | None:
    """Return what a model answers to some items; None where that cannot be seen before it is trained."""
    if isinstance(model, EstimatorModel) or not isinstance(model, nn.Module):
        return None
    answered, endings = _answers(model, arrays)
    if answered is None:
        return None
    if not torch.is_tensor(answered):
        keys = ", ".join(str(key) for key in list(answered)[:5]) if isinstance(answered, Mapping) else ""
        raise WrongOutput(
            f"the model answers a {type(answered).__name__}{f' with {keys}' if keys else ''}, and the "
            f"built-in strategies need a tensor of {wanted}. Have forward() return that tensor, or bring strategies of "
            "your own"
        )
    is_unit = bool(((answered >= 0) & (answered <= 1)).all())
    ending = endings.of(answered) if is_unit else None
    if ending is None and is_unit and answered.ndim == 2 and answered.shape[1] > 1:
        by_hand = bool(((answered.double().sum(dim=1) - 1).abs() < 1e-3).all())
        ending = "softmax" if by_hand else None
    return _Seen(answered, ending)


def _answers(model: nn.Module, arrays: StoredItems) -> tuple[Any, "_Endings"]:
    # A compiled model would be compiled for this number of items too.
    plain = getattr(model, "_orig_mod", model)
    was_training, endings = plain.training, _Endings()
    try:
        plain.eval()
        device = device_of(plain)
        x, _ = tensors(arrays, device)
        items = x[torch.arange(min(_ITEMS, len(arrays)), device=device)]
        with torch.no_grad():
            try:
                with endings:
                    return plain(items), endings
            except Exception:  # a part of it that is compiled does not let itself be watched
                return plain(items), _Endings()
    except Exception:  # what it needs for this may come with training; what is wrong with it is seen there
        return None, endings
    finally:
        plain.train(was_training)


class _Endings(TorchDispatchMode):
    """Takes note of which tensors come out of a sigmoid or a softmax, whichever way that is called."""

    _SQUEEZES: ClassVar = {"sigmoid": "sigmoid", "hardsigmoid": "sigmoid", "softmax": "softmax"}
    # What only shows, copies or joins them, or has one minus them.
    _PASSES: ClassVar = {
        *("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "select", "slice", "index", "t", "transpose"),
        *("permute", "expand", "clone", "_to_copy", "detach", "alias", "contiguous", "cat", "stack", "rsub", "sub"),
        *("clamp", "mean"),
    }

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known: list[tuple[Tensor, str]] = []  # kept, so that no other tensor takes its place in memory

    def of(self, tensor: Tensor) -> str | None:
        """Return what a tensor came out of, if it was one of these."""
        return next((ending for known, ending in self._known if known is tensor), None)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if torch.is_tensor(made):
            ending = self._SQUEEZES.get(name.strip("_"))
            if ending is None and name in self._PASSES:
                given = [arg for arg in _flat(args) if torch.is_tensor(arg)]
                ending = next((found for arg in given if (found := self.of(arg)) is not None), None)
            if ending is not None:
                self._known.append((made, ending))
        return made


def _flat(args: Iterable[Any]) -> Iterator[Any]:
    for arg in args:
        if isinstance(arg, list | tuple):
            yield from arg
        else:
            yield arg


def _shape(outputs: Tensor) -> tuple[int, ...]:
    return tuple(outputs.shape)
