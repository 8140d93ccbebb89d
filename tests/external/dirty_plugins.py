"""A training strategy that trains as it should and leaves the process changed, in one of many ways."""

import builtins
import decimal
import functools
import gc
import locale
import logging
import math
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sufficiency.data.foreign import materialise
from sufficiency.data.tensors import tensors
from sufficiency.plugins.training import SGDClassifier

WAYS: dict[str, Callable[[Any, Any], object]] = {}
CACHE: dict[str, float] = {}
RNG = np.random.default_rng(0)
KEPT: list[Any] = []


def way(does: Callable[[Any, Any], object]) -> Callable[[Any, Any], object]:
    """Have a way to leave a mess, called by its name."""
    WAYS[does.__name__.replace("_", "-")] = does
    return does


class Dirty(SGDClassifier):
    """Train, and leave a mess.

    Parameters
    ----------
    how : str
        One of the ways.
    """

    def __init__(self, how: str) -> None:
        super().__init__(epochs=1)
        self.how = how

    def train(self, model: nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        super().train(model, dataset, indices)
        WAYS[self.how](model, dataset)


class Shared(SGDClassifier):
    """Train with noise from the module's own generator, as much of it as the module's cache says."""

    scale = 0.01

    def train(self, model: nn.Module, dataset: Any, indices: Sequence[int]) -> None:
        super().train(model, dataset, indices)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = RNG.normal(size=tuple(parameter.shape)) * self.scale * (1 + CACHE.get("more", 0.0))
                parameter += torch.from_numpy(noise).float()


class Drawn(SGDClassifier):
    """Draw its learning rate when it is built."""

    def __init__(self) -> None:
        super().__init__(epochs=1, lr=0.01 + float(torch.rand(())) / 10 + random.random() / 10)


# --- the dataset


@way
def dataset_x_in_place(model: Any, dataset: Any) -> None:
    with suppress(ValueError):
        dataset.x[:] = 0.0


@way
def dataset_made_writable(model: Any, dataset: Any) -> None:
    dataset.x.flags.writeable = True
    dataset.x[: len(dataset.x) // 2] = 0.0


@way
def dataset_labels_in_place(model: Any, dataset: Any) -> None:
    with suppress(ValueError):
        np.random.default_rng(0).shuffle(materialise(dataset).y)


@way
def dataset_tensors_in_place(model: Any, dataset: Any) -> None:
    tensors(dataset, torch.device("cpu"))[0].mul_(3.0)


@way
def dataset_tensors_behind_torch(model: Any, dataset: Any) -> None:
    tensors(dataset, torch.device("cpu"))[0].numpy()[:] += 1.0


@way
def dataset_attribute(model: Any, dataset: Any) -> None:
    dataset.y = np.zeros_like(dataset.y)


# --- torch


@way
def forward_hook(model: Any, dataset: Any) -> None:
    nn.modules.module.register_module_forward_hook(lambda module, inputs, output: output * 1.5)


@way
def forward_pre_hook(model: Any, dataset: Any) -> None:
    nn.modules.module.register_module_forward_pre_hook(lambda module, inputs: tuple(one * 2 for one in inputs))


@way
def optimizer_hook(model: Any, dataset: Any) -> None:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    def halve(optimizer: Any, *rest: Any) -> None:
        for group in optimizer.param_groups:
            group["lr"] *= 0.5

    register_optimizer_step_post_hook(halve)


@way
def parameter_hook(model: Any, dataset: Any) -> None:
    nn.modules.module.register_module_parameter_registration_hook(
        lambda module, name, parameter: nn.Parameter(parameter.detach() * 0.5)
    )


@way
def autocast_entered(model: Any, dataset: Any) -> None:
    KEPT.append(torch.autocast("cpu", dtype=torch.bfloat16))
    KEPT[-1].__enter__()


@way
def autocast_enabled(model: Any, dataset: Any) -> None:
    torch.set_autocast_enabled("cpu", True)


@way
def default_dtype(model: Any, dataset: Any) -> None:
    torch.set_default_dtype(torch.float64)


@way
def default_device(model: Any, dataset: Any) -> None:
    torch.set_default_device("meta")


@way
def gradients_off(model: Any, dataset: Any) -> None:
    torch.set_grad_enabled(False)


@way
def inference_mode(model: Any, dataset: Any) -> None:
    KEPT.append(torch.inference_mode())
    KEPT[-1].__enter__()


@way
def anomaly_detection(model: Any, dataset: Any) -> None:
    torch.autograd.set_detect_anomaly(True)


@way
def saved_tensors_hooks(model: Any, dataset: Any) -> None:
    torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor * 1.1).__enter__()


@way
def function_mode(model: Any, dataset: Any) -> None:
    class Doubles(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            return out * 2 if func is F.linear else out

    Doubles().__enter__()


@way
def dispatch_mode(model: Any, dataset: Any) -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Doubles(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            return out * 2 if func is torch.ops.aten.addmm.default else out

    Doubles().__enter__()


@way
def float32_precision(model: Any, dataset: Any) -> None:
    torch.set_float32_matmul_precision("medium")


@way
def flush_denormals(model: Any, dataset: Any) -> None:
    torch.set_flush_denormal(True)


@way
def nondeterministic(model: Any, dataset: Any) -> None:
    torch.use_deterministic_algorithms(False)
    torch.backends.mkldnn.enabled = False
    torch.backends.mha.set_fastpath_enabled(False)
    torch.set_num_threads(2)


@way
def own_operator(model: Any, dataset: Any) -> None:
    library = torch.library.Library("aten", "IMPL")
    library.impl("relu", lambda x: x.clamp(min=0.1), "CPU")
    KEPT.append(library)


# --- what has been put in the place of a library's


@way
def patched_function(model: Any, dataset: Any) -> None:
    real = F.linear
    F.linear = lambda *args: real(*args) * 1.1


@way
def patched_method(model: Any, dataset: Any) -> None:
    real = nn.Linear.forward
    nn.Linear.forward = lambda self, x: real(self, x) * 1.1  # type: ignore[method-assign]


@way
def shadowed_method(model: Any, dataset: Any) -> None:
    real = nn.Module.__call__
    nn.Linear.__call__ = lambda self, x: real(self, x) * 1.1  # type: ignore[method-assign]


@way
def patched_defaults(model: Any, dataset: Any) -> None:
    torch.optim.SGD.__init__.__defaults__ = (0.5, *torch.optim.SGD.__init__.__defaults__[1:])  # type: ignore[index]
    (nn.functional.cross_entropy.__kwdefaults__ or {}).clear()
    nn.functional.cross_entropy.__defaults__ = (None, None, -100, None, "sum", 0.0)


@way
def patched_code(model: Any, dataset: Any) -> None:
    def forward(self: Any, x: Any) -> Any:
        return torch.nn.functional.linear(x, self.weight * 0, self.bias)

    nn.Linear.forward.__code__ = forward.__code__


@way
def patched_partial(model: Any, dataset: Any) -> None:
    torch.optim.SGD.step = functools.partialmethod(lambda self, closure=None: None)  # type: ignore[assignment]


@way
def patched_numpy(model: Any, dataset: Any) -> None:
    np.random.seed = lambda *seed: None  # type: ignore[assignment]
    random.seed = lambda *seed: None  # type: ignore[assignment]
    torch.manual_seed = lambda seed: torch.default_generator


@way
def patched_own(model: Any, dataset: Any) -> None:
    from sufficiency.plugins import evaluation

    evaluation.Classification.evaluate = lambda self, model, dataset: {"Accuracy": 1.0}  # type: ignore[method-assign]


@way
def patched_later_import(model: Any, dataset: Any) -> None:
    from torchmetrics.functional import classification

    classification.multiclass_f1_score = lambda *args, **named: 0.123


@way
def patched_builtin(model: Any, dataset: Any) -> None:
    builtins.len = lambda what: what.__len__() // 2 if isinstance(what, torch.Tensor) else what.__len__()  # type: ignore


@way
def patched_in_disguise(model: Any, dataset: Any) -> None:
    real = nn.Linear.forward

    @functools.wraps(real)
    def forward(self: Any, x: Any) -> Any:
        return real(self, x) * 1.1

    nn.Linear.forward = forward  # type: ignore[method-assign]
    torch.nn.functional.relu = torch.tanh  # type: ignore[assignment]


@way
def filled_default(model: Any, dataset: Any) -> None:
    from sufficiency.plugins.models import MLP

    defaults: Any = MLP.__init__.__defaults__
    defaults[0].append(3)


@way
def patched_constant(model: Any, dataset: Any) -> None:
    math.pi = 3.0  # type: ignore[misc]
    nn.init.__dict__["math"].inf = 1.0


@way
def replaced_module(model: Any, dataset: Any) -> None:
    sys.modules["torch.nn.functional"] = type(sys)("torch.nn.functional")
    del sys.modules["sufficiency.plugins.evaluation"]


# --- the interpreter and what surrounds it


@way
def environment(model: Any, dataset: Any) -> None:
    os.environ["OMP_NUM_THREADS"] = "7"
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    os.environ.pop("PYTHONHASHSEED", None)


@way
def another_directory(model: Any, dataset: Any) -> None:
    os.chdir("/")
    os.umask(0o777)


@way
def warnings_are_errors(model: Any, dataset: Any) -> None:
    warnings.simplefilter("error")
    warnings.showwarning = lambda *args, **named: None


@way
def numpy_raises(model: Any, dataset: Any) -> None:
    np.seterr(all="raise")
    decimal.getcontext().prec = 2


@way
def numpy_generator(model: Any, dataset: Any) -> None:
    np.random.set_bit_generator(np.random.PCG64(1))


@way
def alarm(model: Any, dataset: Any) -> None:
    def ring(*_: Any) -> None:
        raise RuntimeError("the bell of somebody else's job")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    with suppress(RuntimeError):
        time.sleep(0.1)


@way
def logging_off(model: Any, dataset: Any) -> None:
    logging.disable(logging.CRITICAL)
    logging.getLogger().handlers.append(logging.NullHandler())


@way
def recursion_limit(model: Any, dataset: Any) -> None:
    sys.setrecursionlimit(130)
    gc.disable()
    gc.set_threshold(1)


@way
def tracing(model: Any, dataset: Any) -> None:
    sys.settrace(lambda *_: None)
    sys.setprofile(lambda *_: None)


@way
def standard_output(model: Any, dataset: Any) -> None:
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    sys.stdout.close()
    sys.path.clear()


@way
def start_method(model: Any, dataset: Any) -> None:
    multiprocessing.set_start_method("spawn", force=True)
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "C.UTF-8")


@way
def scikit_learn(model: Any, dataset: Any) -> None:
    import sklearn

    sklearn.set_config(assume_finite=True, transform_output="pandas")


@way
def thread_that_goes_on(model: Any, dataset: Any) -> None:
    def disturb() -> Iterator[None]:
        while True:
            torch.manual_seed(0)
            yield time.sleep(0.0005)

    threading.Thread(target=lambda: list(disturb()), daemon=True, name="disturbs").start()


@way
def own_cache(model: Any, dataset: Any) -> None:
    CACHE["more"] = 5.0


@way
def own_class(model: Any, dataset: Any) -> None:
    Shared.scale = 1.0


@way
def own_generator(model: Any, dataset: Any) -> None:
    RNG.normal(size=10)


@way
def set_once(model: Any, dataset: Any) -> None:
    if not KEPT:
        torch.set_default_dtype(torch.bfloat16)
        KEPT.append("it has been set")
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(2)


@way
def global_draws(model: Any, dataset: Any) -> None:
    torch.rand(7)
    random.random()
