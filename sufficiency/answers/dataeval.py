"""The face that DataEval users know: its `SufficiencyOutput`, of whatever was measured, and without DataEval itself."""

import logging
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sufficiency.answers.provenance import ExecutionMetadata
from sufficiency.answers.tables import column
from sufficiency.extras import installed
from sufficiency.method.curve import DEFAULT_LEVEL, HORIZON, Fit, NotEnoughData
from sufficiency.method.law import OUT_OF_REACH, items_needed, law_value
from sufficiency.method.measurements import Series, series_from_rows
from sufficiency.method.methods import fit_series
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import SCALAR, Direction, Method

logger = logging.getLogger(__name__)

KEPT_FITS = 10
N_ITER = 1000  # of DataEval's search, which is exact here: it is part of the signature, and changes nothing
Array = NDArray[np.float64]


@dataclass(repr=False)
class SufficiencyOutput:
    """Measured metrics by training-set size, with the face of DataEval's ``SufficiencyOutput``.

    Parameters
    ----------
    steps : (K,) array
        Training-set sizes.
    measures : mapping
        Metric → (R, K), or (R, K, classes), of R runs; NaN where a value is missing.
    averaged_measures : mapping, optional
        Metric → (K,), or (classes, K); default the means over the runs that have a value.
    unit_interval : bool
        All metrics lie in [0, 1].
    method : {"power_law", "calibrated"}
        How `project` and `inv_project` read the curve; `params` are the power law's with either.
    directions : mapping
        Whether higher (``maximize``) or lower is better, for metrics of which that is known; else their names and
        values tell.

    Raises
    ------
    ValueError
        When a metric has not as many values as there are steps.
    """

    steps: NDArray[Any]
    measures: Mapping[str, NDArray[Any]]
    averaged_measures: MutableMapping[str, NDArray[Any]] = field(default_factory=dict)
    unit_interval: bool = True
    method: Method = field(default="power_law", kw_only=True)
    directions: Mapping[str, Direction] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        self.steps = np.asarray(self.steps)
        self.averaged_measures = dict(self.averaged_measures) or {
            metric: np.asarray(_mean(np.asarray(values, dtype=np.float64))).T
            for metric, values in self.measures.items()
        }
        for metric, values in self.averaged_measures.items():
            if np.shape(values)[-1:] != (len(self.steps),):
                raise ValueError(f"{metric} does not contain the expected number ({len(self.steps)}) of data points.")
        self._params: dict[int, Mapping[str, Array]] | None = None
        self._params_cache_keys: list[int] = []
        self._meta: ExecutionMetadata | None = None

    @classmethod
    def of(cls, exported: Mapping[str, Any]) -> Self:
        """Return the output that ``export?format=dataeval`` describes."""

        def arrays(name: str) -> dict[str, Array]:
            return {
                metric: np.asarray([np.nan] * 3 if values is None else values, dtype=np.float64)
                for metric, values in exported[name].items()
            }

        output = cls(
            steps=np.asarray(exported["steps"], dtype=np.int64),
            measures=arrays("measures"),
            averaged_measures=arrays("averaged_measures"),
            unit_interval=bool(exported["unit_interval"]),
            directions=exported.get("directions") or {},
        )
        # Those that were kept with the job.
        output._params = {N_ITER: arrays("params")}
        output._params_cache_keys = [N_ITER]
        return output

    @property
    def plot_type(self) -> Literal["sufficiency"]:
        """What ``dataeval_plots.plot`` draws it as."""
        return "sufficiency"

    @property
    def params(self) -> Mapping[str, Array]:
        """Metric → the power law's [scale, exponent, asymptote] of the error, a row a class; NaN without a fit."""
        return self.get_params()

    def get_params(self, n_iter: int = N_ITER) -> Mapping[str, Array]:
        """Return `params`.

        Parameters
        ----------
        n_iter : int
            Of DataEval's search. The fit is solved here, so it makes no difference.
        """
        if self._params is None:
            self._params = {}
        if n_iter in self._params:
            self._params_cache_keys = [*(kept for kept in self._params_cache_keys if kept != n_iter), n_iter]
            return self._params[n_iter]
        if len(self._params_cache_keys) >= KEPT_FITS:
            del self._params[self._params_cache_keys.pop(0)]
        self._params[n_iter] = {
            metric: np.array([self._law(one) for one in of])
            if _per_class(self.averaged_measures[metric])
            else self._law(of[0])
            for metric, of in self._all_series().items()
        }
        self._params_cache_keys.append(n_iter)
        return self._params[n_iter]

    def data(self) -> dict[str, Any]:
        """Return its attributes as a dictionary."""
        return {name: value for name, value in self.__dict__.items() if name != "_meta"}

    def meta(self) -> ExecutionMetadata:
        """Return how it came to be."""
        return self._meta or ExecutionMetadata.empty()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_shown(value)}" for name, value in self.data().items() if name[:1] != "_")
        return f"{type(self).__name__}({shown})"

    def __str__(self) -> str:
        return str(self.data())

    def to_dataframe(self) -> Any:
        """Return the averages as a ``polars.DataFrame``: ``step``, then a column a metric (``metric_0`` … a class)."""
        return self._frame("step", [int(n) for n in self.steps], self.averaged_measures)

    def project(self, projection: Any, n_iter: int = N_ITER) -> Any:
        """Return the metrics at training-set sizes, as a ``polars.DataFrame``.

        Parameters
        ----------
        projection : int, float, array or iterable
            One size, or several, each ≥ 1.
        n_iter : int
            See `get_params`.

        Raises
        ------
        ValueError
            For what is no number, and sizes below 1.
        """
        sizes = _numbers(projection, "'projection' must consist of numerical values").ravel()
        if (small := sizes[~(sizes >= 1)]).size:
            raise ValueError(f"'projection' must consist of training-set sizes from 1 on, got {small[0]:g}")
        values: dict[str, NDArray[Any]] = {}
        for metric, measure in self.averaged_measures.items():
            rows = [self._curve(metric, index, n_iter).values(sizes) for index in _classes(measure)]
            values[metric] = np.array(rows) if _per_class(measure) else rows[0]
        return self._frame("step", [int(n) for n in sizes], values)

    def inv_project(self, targets: Any, n_iter: int = N_ITER) -> Any:
        """Return the training-set sizes that targets need, as a ``polars.DataFrame``; −1 for one out of reach.

        Parameters
        ----------
        targets : number, array or mapping
            For every metric alike, or by metric; a row of targets a class for a metric that is one a class. A metric
            that was not measured is left out.
        n_iter : int
            See `get_params`.

        Raises
        ------
        ValueError
            For what is no number, and rows that are not the classes'.
        """
        given = targets if isinstance(targets, Mapping) else dict.fromkeys(self.averaged_measures, targets)
        answers: dict[str, dict[float, int]] = {}
        rows: set[float] = set()
        for metric, wanted in given.items():
            if metric not in self.averaged_measures:
                continue
            measure = self.averaged_measures[metric]
            asked = np.atleast_1d(_numbers(wanted, f"the targets of {metric} must be numbers"))
            by_class = asked.ndim > 1 and _per_class(measure)
            if by_class and len(asked) != len(measure):
                raise ValueError(f"{metric} has {len(measure)} classes, and {len(asked)} rows of targets were given")
            rows |= {float(target) for target in asked.ravel()}
            for index in _classes(measure):
                of_class = asked[index] if by_class and index is not None else asked.ravel()
                answers[column(metric, index)] = self._needed(metric, index, of_class, n_iter)
        table: dict[str, Sequence[Any]] = {"target": sorted(rows)}
        table |= {name: [needed.get(target) for target in table["target"]] for name, needed in answers.items()}
        return installed("polars").DataFrame(table)

    def _needed(self, metric: str, index: int | None, targets: Array, n_iter: int) -> dict[float, int]:
        curve = self._curve(metric, index, n_iter)
        needed = {float(target): curve.needed(float(target)) for target in targets.ravel()}
        if unmet := [target for target, n in needed.items() if n == OUT_OF_REACH]:
            logger.warning(
                "Number of samples could not be determined for target(s): %s with asymptote of %s",
                unmet,
                curve.asymptote,
            )
        return needed

    def _curve(self, metric: str, index: int | None, n_iter: int) -> "_Curve":
        laws = self.get_params(n_iter)[metric]
        law = laws if index is None else laws[index]
        series = self._all_series()[metric][index or 0]
        fit = self._fit(series) if self.method == "calibrated" else None
        positive = series.n[series.n >= 1]
        return _Curve(np.asarray(law, dtype=np.float64), fit, series.direction, float(positive.min(initial=np.inf)))

    def _fit(self, series: Series) -> Fit | None:
        try:
            return fit_series(_measurable(series), self.method)
        except NotEnoughData:
            return None

    def _law(self, series: Series) -> Array:
        try:
            found = fit_series(_measurable(series), "power_law").params() or [None] * 3
        except NotEnoughData as error:
            logger.warning("No curve through %s: %s", series.metric, error)
            found = [None] * 3
        return np.array([np.nan if one is None else one for one in found], dtype=np.float64)

    def _all_series(self) -> dict[str, list[Series]]:
        """Return what was measured, a series a metric and class; of the means where there is nothing else."""
        found: dict[str, list[Series]] = {}
        for metric, averaged in self.averaged_measures.items():
            means = np.atleast_2d(np.asarray(averaged, dtype=np.float64))
            measured = np.asarray(self.measures[metric], dtype=np.float64) if metric in self.measures else None
            found[metric] = []
            for k, mean in enumerate(means):
                values = mean[None, :]
                # The law goes through the means as they stand; runs are for whoever asks for intervals.
                if self.method == "calibrated" and measured is not None:
                    values = measured[..., k] if measured.ndim == 3 else measured
                index = k if _per_class(averaged) else None
                spec = self._spec(metric, values)
                found[metric].append(
                    Series(metric, index, self.steps.astype(np.float64), values, spec.direction, spec.bounds)
                )
        return found

    def _spec(self, metric: str, values: Array) -> MetricSpec:
        rows = [(0, k, k + 1, metric, SCALAR, float(value)) for k, value in enumerate(values.ravel())]
        guessed = series_from_rows(rows, {})[0] if rows else None
        direction = self.directions.get(metric) or (guessed.direction if guessed else "maximize")
        if metric not in self.directions and not self.unit_interval and _falls(values):
            direction = "minimize"  # a loss: asked for a target, DataEval says where the curve comes down to it
        return MetricSpec(direction=direction, bounds=(0.0, 1.0) if self.unit_interval else (None, None))

    def _frame(self, key: str, keys: list[Any], values: Mapping[str, NDArray[Any]]) -> Any:
        columns: dict[str, list[Any]] = {key: keys}
        for metric, table in values.items():
            for index in _classes(table):
                columns[column(metric, index)] = [float(v) for v in (table if index is None else table[index])]
        return installed("polars").DataFrame(columns).sort(key)


@dataclass(frozen=True)
class _Curve:
    """One curve to read: by a fit, or by the law's parameters."""

    law: Array
    fit: Fit | None
    direction: Direction
    n_min: float

    @property
    def asymptote(self) -> float:
        """The limit of the law."""
        return float(1.0 - self.law[2])

    def values(self, sizes: Array) -> Array:
        """Return the metric at sizes."""
        return law_value(self.law, sizes) if self.fit is None else np.asarray(self.fit.value(sizes))

    def needed(self, target: float) -> int:
        """Return the size that a target needs, or `OUT_OF_REACH`."""
        if self.fit is None:
            return items_needed(self.law, target, self.direction, self.n_min)
        answer = self.fit.invert(target, self.direction, DEFAULT_LEVEL, HORIZON)
        return OUT_OF_REACH if answer.n is None or answer.status == "unreachable" else answer.n


def _measurable(series: Series) -> Series:
    """Return a series without the steps that no model can be trained on, by increasing size."""
    order = np.flatnonzero(series.n >= 1)
    order = order[np.argsort(series.n[order], kind="stable")]
    return Series(
        *(series.metric, series.class_index, series.n[order], series.values[:, order], series.direction, series.bounds)
    )


def _falls(values: Array) -> bool:
    means = _mean(values)
    ends = means[np.isfinite(means)]
    return bool(ends.size > 1 and ends[-1] < ends[0])


def _mean(values: Array) -> Array:
    """Return the mean over the runs that have a value; NaN where none has."""
    present = np.isfinite(values)
    total, count = np.where(present, values, 0.0).sum(axis=0), present.sum(axis=0)
    if present.all():
        return np.asarray(np.mean(values, axis=0))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _numbers(value: Any, refusal: str) -> Array:
    """Return numbers of any kind as an array: a scalar, NumPy's or torch's, a sequence, a generator."""
    detach = getattr(value, "detach", None)
    given = detach().cpu().numpy() if callable(detach) else value
    if isinstance(given, Iterable) and not hasattr(given, "__array__") and not isinstance(given, str | bytes):
        given = list(given)
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ValueError(refusal) from error
    if array.dtype.kind not in "buif":
        raise ValueError(refusal)
    return array.astype(np.float64)


def _per_class(measure: NDArray[Any]) -> bool:
    return np.ndim(measure) > 1


def _classes(measure: NDArray[Any]) -> Sequence[int | None]:
    return range(len(measure)) if _per_class(measure) else [None]


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"ndarray(shape={value.shape}, dtype={value.dtype})"
    return repr(value)
