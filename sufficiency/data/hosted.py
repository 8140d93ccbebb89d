"""Tensors of any kind as arrays: on a device, with a gradient, sparse, of a type that NumPy lacks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_KNOWN = ("torch.float16", "torch.float32", "torch.float64")


def array_of(value: Any) -> NDArray[Any]:
    """Return a value as an array, a tensor as what it holds.

    Notes
    -----
    Nothing is rounded: what NumPy has no type for, such as bfloat16, fits into float32.

    Raises
    ------
    TypeError, ValueError
        When it cannot be one, or has values that are masked or in no dense form.
    """
    if isinstance(value, np.ma.MaskedArray) and (masked := int(np.ma.getmaskarray(value).sum())):
        # What lies under a mask is no value, and would be taken for one.
        raise ValueError(
            f"{masked} of its {value.size} values are masked, that is, missing: fill them (masked.filled(...)), or "
            "leave such items out"
        )
    if callable(getattr(value, "toarray", None)) and callable(getattr(value, "tocsr", None)):
        raise TypeError("it is a sparse matrix: give x.toarray()")
    if callable(getattr(value, "detach", None)) and hasattr(value, "layout"):
        tensor = value.detach().cpu()
        if "sparse" in str(tensor.layout):
            tensor = tensor.to_dense()
        if tensor.is_quantized:
            tensor = tensor.dequantize()
        if tensor.is_floating_point() and str(tensor.dtype) not in _KNOWN:
            tensor = tensor.float()
        return np.asarray(tensor.resolve_conj().resolve_neg().numpy())
    return np.asarray(value)
