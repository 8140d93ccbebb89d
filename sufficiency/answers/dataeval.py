"""The face that DataEval users know: its `SufficiencyOutput`, made of a job and without DataEval itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sufficiency.answers.tables import OUT_OF_REACH, column
from sufficiency.extras import installed


@dataclass(repr=False)
class SufficiencyOutput:
    """The results of a job with the face of DataEval's ``SufficiencyOutput``.

    Attributes
    ----------
    steps : (K,) array
        Training-set sizes.
    measures : dict
        Metric → (R, K), or (R, K, classes), of R runs.
    averaged_measures : dict
        Metric → (K,), or (classes, K).
    params : dict
        Metric → the curve's scale, exponent and asymptote of the error, one row a class: fitted exactly, not searched.
    unit_interval : bool
        All metrics lie in [0, 1].
    """

    steps: NDArray[np.int64]
    measures: dict[str, NDArray[np.float64]]
    averaged_measures: dict[str, NDArray[np.float64]]
    params: dict[str, NDArray[np.float64]]
    unit_interval: bool = True
    plot_type: Literal["sufficiency"] = field(default="sufficiency", init=False)

    @classmethod
    def of(cls, exported: Mapping[str, Any]) -> Self:
        """Return the output that ``export?format=dataeval`` describes."""

        def arrays(name: str) -> dict[str, NDArray[np.float64]]:
            return {metric: np.asarray(values, dtype=np.float64) for metric, values in exported[name].items()}

        return cls(
            steps=np.asarray(exported["steps"], dtype=np.int64),
            measures=arrays("measures"),
            averaged_measures=arrays("averaged_measures"),
            params=arrays("params"),
            unit_interval=bool(exported["unit_interval"]),
        )

    def __repr__(self) -> str:
        return f"<SufficiencyOutput of {', '.join(self.averaged_measures)} at {len(self.steps)} steps>"

    def to_dataframe(self) -> Any:
        """Return the averages as a ``polars.DataFrame``: ``step``, then a column a metric (``metric_0`` … a class)."""
        return self._frame("step", self.steps.tolist(), self.averaged_measures)

    def project(self, projection: int | Iterable[int]) -> Any:
        """Return the metrics at training-set sizes, as a ``polars.DataFrame``."""
        sizes = np.asarray([projection] if isinstance(projection, int) else list(projection), dtype=np.float64)
        values = {metric: 1 - _error(laws, sizes) for metric, laws in self.params.items()}
        return self._frame("step", sizes.astype(np.int64).tolist(), values)

    def inv_project(self, targets: Mapping[str, Any] | Any) -> Any:
        """Return the items that targets need, −1 for one out of reach, as a ``polars.DataFrame``."""
        given = targets if isinstance(targets, Mapping) else dict.fromkeys(self.params, targets)
        asked = {metric: np.atleast_1d(np.asarray(of, dtype=np.float64)) for metric, of in given.items()}
        rows = sorted({float(target) for of in asked.values() for target in of})
        frame: dict[str, list[Any]] = {"target": rows}
        for metric, of in asked.items():
            if metric in self.params:
                for name, needed in _columns(metric, _needed(self.params[metric], np.asarray(rows))):
                    frame[name] = [n if row in of else None for row, n in zip(rows, needed, strict=True)]
        return installed("polars").DataFrame(frame)

    def _frame(self, key: str, keys: list[Any], values: Mapping[str, NDArray[np.float64]]) -> Any:
        columns = dict(pair for metric, table in values.items() for pair in _columns(metric, table))
        return installed("polars").DataFrame({key: keys, **columns}).sort(key)


def _columns(metric: str, values: NDArray[Any]) -> list[tuple[str, list[Any]]]:
    if values.ndim == 1:
        return [(metric, values.tolist())]
    return [(column(metric, index), row.tolist()) for index, row in enumerate(values)]


def _laws(laws: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    return laws[..., 0, None], laws[..., 1, None], laws[..., 2, None]


def _error(laws: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    scale, exponent, asymptote = _laws(laws)
    return scale * n**-exponent + asymptote


def _needed(laws: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.int64]:
    scale, exponent, asymptote = _laws(laws)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        n = ((1 - targets - asymptote) / scale) ** (-1 / exponent)
        reached = np.isfinite(n) & (n < 2**63)
        return np.where(reached, np.ceil(n), OUT_OF_REACH).astype(np.int64)
