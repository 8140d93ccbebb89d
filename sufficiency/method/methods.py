"""The methods there are: how each fits a curve, and how it reads one that was kept."""

from collections.abc import Callable
from typing import Any

from sufficiency.method.calibrated import CalibratedFit, fit_calibrated
from sufficiency.method.curve import Fit
from sufficiency.method.measurements import Series
from sufficiency.method.power_law import PowerLawFit, fit_power_law
from sufficiency.schemas.words import Method

# With the stored fits: a fit of another version is made anew.
METHOD_VERSIONS: dict[Method, int] = {"calibrated": 2, "power_law": 1}

_FIT: dict[Method, Callable[[Series], Fit]] = {"calibrated": fit_calibrated, "power_law": fit_power_law}
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
    return _FIT[method](series)


def kept_fit(data: dict[str, Any], method: Method) -> Fit:
    """Return the fit of a method that its `to_dict` wrote."""
    return _KEPT[method](data)
