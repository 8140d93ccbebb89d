"""The methods there are: how each fits a curve, and how it reads one that was kept."""

from collections.abc import Callable, Sequence
from typing import Any

from sufficiency.method.calibrated import CalibratedFit, fit_all_calibrated
from sufficiency.method.curve import Fit, NotEnoughData
from sufficiency.method.measurements import Series
from sufficiency.method.power_law import PowerLawFit, fit_all_power_laws
from sufficiency.schemas.words import Method

# With the stored fits: a fit of another version is made anew.
METHOD_VERSIONS: dict[Method, int] = {"calibrated": 3, "power_law": 1}

_FIT: dict[Method, Callable[[Sequence[Series]], Sequence[Fit | NotEnoughData]]] = {
    "calibrated": fit_all_calibrated,
    "power_law": fit_all_power_laws,
}
_KEPT: dict[Method, Callable[[dict[str, Any]], Fit]] = {
    "calibrated": CalibratedFit.from_dict,
    "power_law": PowerLawFit.from_dict,
}


def fit_series(series: Series, method: Method) -> Fit:
    """Fit the curve of a method.

    Raises
    ------
    NotEnoughData
    """
    [fit] = fit_all([series], method)
    if isinstance(fit, NotEnoughData):
        raise fit
    return fit


def fit_all(series: Sequence[Series], method: Method) -> Sequence[Fit | NotEnoughData]:
    """Fit the curve of a method to each of many series, side by side; or return why there is none."""
    return _FIT[method](series)


def kept_fit(data: dict[str, Any], method: Method) -> Fit:
    """Return the fit of a method that its `to_dict` wrote."""
    return _KEPT[method](data)
