"""Published extrapolators to compare with: they give a point, and the Gaussian process an interval too."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from sufficiency.method.measurements import Series
from sufficiency.method.power_law import fit_power_law

Array = NDArray[np.float64]
Anchor = Callable[[Series, Array], Array]


def power_law(series: Series, n: Array) -> Array:
    """DataEval's objective at its exact optimum."""
    return fit_power_law(series).value(n)


def pow4(series: Series, n: Array) -> Array:
    """a − b·(d·n + 1)^−c, by least squares from several starts (Viering & Loog's list; ahead of LC-PFN in LCDB 1.1)."""

    def law(p: Array, x: Array) -> Array:
        return np.asarray(p[0] - p[1] * (np.exp(p[3]) * x + 1.0) ** -np.exp(p[2]))

    return _best_of(law, [[0.0, 1.0, -1.0, 1.0], [0.0, 1.0, 0.0, 3.0], [0.5, 2.0, -2.0, 0.0]], series, n)


def mmf4(series: Series, n: Array) -> Array:
    """Morgan–Mercer–Flodin: (a·b + c·n^d)/(b + n^d), by least squares from several starts."""

    def law(p: Array, x: Array) -> Array:
        grown = x ** np.exp(p[3])
        return np.asarray((p[0] * np.exp(p[1]) + p[2] * grown) / (np.exp(p[1]) + grown))

    return _best_of(law, [[-1.0, -2.0, 0.5, 0.0], [-2.0, 0.0, 1.0, -0.7], [-1.0, 1.0, 0.0, 0.4]], series, n)


def gaussian_process(series: Series, n: Array) -> Array:
    """A Gaussian process over log n on a line, as pmsims has it: its mean."""
    x, y, centre, scale = _standard(series)
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * RBF(2.0, (0.5, 20.0)) + WhiteKernel(1e-2, (1e-5, 1.0))
    line = np.polyfit(x, y, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = GaussianProcessRegressor(kernel, random_state=0).fit(x[:, None], y - np.polyval(line, x))
    at = np.log2(n / series.n[-1])
    return np.asarray(centre + scale * (np.polyval(line, at) + fitted.predict(at[:, None])))


ANCHORS: dict[str, Anchor] = {"power law": power_law, "pow4": pow4, "mmf4": mmf4, "GP": gaussian_process}


def _standard(series: Series) -> tuple[Array, Array, float, float]:
    mean = series.mean()
    usable = np.isfinite(mean)
    centre, scale = float(mean[usable].mean()), float(mean[usable].std()) or 1.0
    return np.log2(series.n[usable] / series.n[-1]), (mean[usable] - centre) / scale, centre, scale


def _best_of(law: Callable[[Array, Array], Array], starts: list[list[float]], series: Series, n: Array) -> Array:
    x, y, centre, scale = _standard(series)
    sizes = np.exp2(x)
    with np.errstate(all="ignore"):
        found = [
            least_squares(
                lambda p: np.nan_to_num(law(p, sizes) - y, nan=1e3, posinf=1e3, neginf=-1e3),
                start,
                bounds=([-20.0, -20.0, -6.0, -6.0], [20.0, 20.0, 6.0, 6.0]),
                max_nfev=150,
            )
            for start in starts
        ]
        best = min(found, key=lambda one: float(one.cost))
        return np.asarray(centre + scale * np.nan_to_num(law(best.x, n / series.n[-1])))
