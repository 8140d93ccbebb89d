"""Torch's settings: what it calculates with, the modes that are entered, the hooks that everything calls."""

import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.utils._python_dispatch as dispatch
from torch import _C
from torch.nn.modules import module as nn_module

from sufficiency.training.state.settings import Setting, attribute, entries

_DEVICES = ("cpu", "cuda")
_PRECISIONS = [
    *(("generic", "all"), ("cuda", "all"), ("cuda", "matmul"), ("cuda", "conv"), ("cuda", "rnn")),
    *(("mkldnn", "all"), ("mkldnn", "matmul"), ("mkldnn", "conv"), ("mkldnn", "rnn")),
]
_TINY = 5e-324


def settings() -> Iterator[Setting]:
    """Yield them in the order in which they are put back: what wraps other calls comes first."""
    yield from _modes()
    yield from _autograd()
    yield from _autocast()
    yield from _arithmetic()
    yield from _hooks()
    yield from _machinery()


def _modes() -> Iterator[Setting]:
    yield Setting("torch.set_default_device", _default_device, torch.set_default_device)
    yield Setting(
        "a TorchFunctionMode", _C._len_torch_function_stack, _popping(_C._len_torch_function_stack, _function)
    )
    yield Setting(
        "a TorchDispatchMode", _C._len_torch_dispatch_stack, _popping(_C._len_torch_dispatch_stack, _dispatch)
    )
    yield Setting("torch.inference_mode", torch.is_inference_mode_enabled)
    yield Setting("a trace", _C._get_tracing_state)
    yield Setting("a transform of torch.func", lambda: _C._functorch.peek_interpreter_stack() is None)
    yield Setting("a profiler", _C._autograd._profiler_enabled, decides=False)


def _default_device() -> torch.device | None:
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def _function() -> None:
    torch.overrides._pop_mode()


def _dispatch() -> None:
    dispatch._pop_mode()


def _popping(depth: Callable[[], int], pop: Callable[[], object]) -> Callable[[int], None]:
    def write(before: int) -> None:
        while depth() > before:
            pop()

    return write


def _autograd() -> Iterator[Setting]:
    yield Setting("torch.set_grad_enabled", torch.is_grad_enabled, torch.set_grad_enabled)
    yield Setting(
        "torch.autograd.set_detect_anomaly",
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda before: torch.set_anomaly_enabled(*before),
    )
    for what in ("multithreading", "view_replay", "fwd_grad"):
        yield _by_c(what, f"_is_{what}_enabled", f"_set_{what}_enabled")
    yield _by_c("autograd fallback mode", "_get_autograd_fallback_mode", "_set_autograd_fallback_mode")
    autograd = _C._autograd
    yield Setting("hooks of saved tensors", lambda: autograd._top_saved_tensors_default_hooks(True), _pop_saved)
    yield Setting(
        "disabled hooks of saved tensors",
        autograd._saved_tensors_hooks_get_disabled_error_message,
        lambda before: autograd._saved_tensors_hooks_enable() if before is None else None,
    )


def _pop_saved(before: Any) -> None:
    for _ in range(1000):
        if _C._autograd._top_saved_tensors_default_hooks(True) is None:
            return
        _C._autograd._pop_saved_tensors_default_hooks()


def _autocast() -> Iterator[Setting]:
    for device in _DEVICES:
        yield Setting(
            f"autocast on {device}",
            partial(torch.is_autocast_enabled, device),
            partial(torch.set_autocast_enabled, device),
        )
        yield Setting(
            f"autocast's type on {device}",
            partial(torch.get_autocast_dtype, device),
            partial(torch.set_autocast_dtype, device),
        )
    yield Setting("autocast's cache", torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled)
    yield Setting("an autocast that was entered", _autocast_depth, _leave_autocast)


def _autocast_depth() -> int:
    depth = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    return int(depth)


def _leave_autocast(before: int) -> None:
    for _ in range(_autocast_depth() - before):
        torch.autocast_decrement_nesting()
    torch.clear_autocast_cache()  # it would hold weights that were cast before they were trained on


def _by_c(name: str, read: str, write: str) -> Setting:
    """Return the setting that two functions of torch's core read and write."""
    return Setting(f"torch: {name}", lambda: getattr(_C, read)(), lambda before: getattr(_C, write)(before))


def _arithmetic() -> Iterator[Setting]:
    yield Setting("torch.set_default_tensor_type", lambda: torch.empty(0).type(), _set_tensor_type)
    yield Setting("torch.set_default_dtype", torch.get_default_dtype, torch.set_default_dtype)
    yield Setting("torch.set_flush_denormal", _flushes_denormals, torch.set_flush_denormal)
    yield Setting("torch.set_num_threads", torch.get_num_threads, torch.set_num_threads)
    yield Setting("torch.set_num_interop_threads", torch.get_num_interop_threads, decides=False)
    yield Setting(
        "torch.use_deterministic_algorithms",
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda before: torch.use_deterministic_algorithms(before[0], warn_only=before[1]),
    )
    fill = "deterministic_fill_uninitialized_memory"
    yield _by_c(fill, f"_get_{fill}", f"_set_{fill}")
    matmul = "float32_matmul_precision"
    yield Setting(f"torch.set_{matmul}", torch.get_float32_matmul_precision, torch.set_float32_matmul_precision)
    for backend, op in _PRECISIONS:
        yield Setting(
            f"fp32_precision of {backend} {op}",
            partial(_C._get_fp32_precision_getter, backend, op),
            partial(_C._set_fp32_precision_setter, backend, op),
        )
    for flag in (
        *("cudnn_enabled", "cudnn_benchmark", "cudnn_deterministic", "cudnn_allow_tf32", "mkldnn_enabled"),
        *("mkldnn_deterministic", "onednn_allow_tf32", "cublas_allow_tf32", "nnpack_enabled", "qengine"),
        *("cublas_allow_fp16_reduced_precision_reduction", "cublas_allow_bf16_reduced_precision_reduction"),
        *("cublas_allow_fp16_accumulation", "cpu_allow_fp16_reduced_precision_reduction", "sdp_priority_order"),
        *("linalg_preferred_backend", "blas_preferred_backend", "rocm_fa_preferred_backend"),
        *("graph_executor_optimize", "math_sdp_allow_fp16_bf16_reduction"),
    ):
        yield Setting(f"torch.backends: {flag}", partial(_flag, f"_get_{flag}"), partial(_set_flag, f"_set_{flag}"))
    for kernel in ("flash", "math", "mem_efficient", "cudnn", "overrideable", "fa3"):
        yield _by_c(f"attention by {kernel}", f"_get_{kernel}_sdp_enabled", f"_set_sdp_use_{kernel}")
    mha = torch.backends.mha
    yield Setting("torch.backends.mha", mha.get_fastpath_enabled, mha.set_fastpath_enabled)
    opt_einsum = torch.backends.opt_einsum
    for name in ("enabled", "strategy"):
        yield Setting(
            f"torch.backends.opt_einsum.{name}", partial(getattr, opt_einsum, name), partial(setattr, opt_einsum, name)
        )
    yield attribute(torch, "default_generator")
    yield attribute(torch.random, "default_generator")


def _flag(read: str) -> Any:
    value = getattr(_C, read)()
    return tuple(value) if isinstance(value, list) else value


def _set_flag(write: str, before: Any) -> None:
    getattr(_C, write)(list(before) if isinstance(before, tuple) else before)


def _set_tensor_type(name: str) -> None:
    *path, last = name.split(".")[1:]
    owner: Any = torch
    for part in path:
        owner = getattr(owner, part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is no longer wanted, and can still be done
        _C._set_default_tensor_type(getattr(owner, last))


def _flushes_denormals() -> bool:
    return float(torch.tensor(_TINY, dtype=torch.float64) * 1.0) == 0.0


def _hooks() -> Iterator[Setting]:
    from torch.nn.utils import parametrize

    optimizer: Any = sys.modules["torch.optim.optimizer"]
    for owner in (nn_module, optimizer):
        for name, value in vars(owner).items():
            if name.startswith("_global_") and name.endswith(("hooks", "_called", "_kwargs")):
                yield entries(f"{owner.__name__}.{name}", value)
    yield attribute(nn_module, "_global_is_full_backward_hook")
    yield attribute(nn_module, "_has_any_global_hook")
    yield attribute(parametrize, "_cache_enabled")
    yield entries("the cache of parametrizations", parametrize._cache)
    yield Setting("an operator of torch's own", _overridden)


def _overridden() -> tuple[str, ...]:
    """Return the implementations of torch's own operators that were put into the dispatcher from Python."""
    import torch.library

    return tuple(sorted(name for name in torch.library._impls if name.startswith("aten/")))


def _machinery() -> Iterator[Setting]:
    future: Any = torch.__future__
    for name in ("overwrite_module_params_on_conversion", "swap_module_params_on_conversion"):
        yield Setting(f"torch.__future__: {name}", getattr(future, f"get_{name}"), getattr(future, f"set_{name}"))
    yield Setting("a process group of torch.distributed", _is_distributed, lambda _: _leave_group())
    sharing = torch.multiprocessing
    yield Setting(
        "torch.multiprocessing.set_sharing_strategy",
        sharing.get_sharing_strategy,
        sharing.set_sharing_strategy,
        decides=False,
    )
    yield attribute(torch.hub, "_hub_dir", decides=False)
    yield Setting("torch.set_warn_always", torch.is_warn_always_enabled, torch.set_warn_always, decides=False)
    options = torch._tensor_str.PRINT_OPTS
    yield Setting(
        "torch.set_printoptions",
        lambda: tuple(vars(options).items()),
        lambda before: vars(options).update(before),
        decides=False,
    )
    if torch.cuda.is_available():
        yield Setting("torch.cuda.set_device", _cuda_device, _set_cuda_device)


def _is_distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _leave_group() -> None:
    torch.distributed.destroy_process_group()


def _cuda_device() -> int | None:
    return torch.cuda.current_device() if torch.cuda.is_initialized() else 0


def _set_cuda_device(before: int | None) -> None:
    torch.cuda.set_device(before or 0)
