"""A study with its curves fitted: what every question is asked of."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

from sufficiency.answers.errors import TooLittleMeasured, UnknownClass, UnknownMetric
from sufficiency.answers.gaps import Gap
from sufficiency.method.backtest import Backtest, backtest_all
from sufficiency.method.curve import Fit, NotEnoughData
from sufficiency.method.diagnosis import Drivers, Flag, diagnose_all, find_all_drivers
from sufficiency.method.gain import ADDED
from sufficiency.method.kinks.between import one_curve
from sufficiency.method.kinks.rules import Met
from sufficiency.method.measurements import Key, Reading, Series, key
from sufficiency.method.methods import METHOD_VERSIONS, fit_all
from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.text import warned
from sufficiency.schemas.words import DEFAULT_METHOD, SCALAR, ClassLabel, Method

R = TypeVar("R", bound=Reading)
R_co = TypeVar("R_co", bound=Reading, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Study:
    """What answers take of a study beside its values.

    Attributes
    ----------
    id : UUID
    state : str
        Of the job. Until it has completed, it may still measure more.
    model, dataset : str
        Their names.
    cells_done, cells_total : int
    metrics : mapping of str to MetricSpec
        How each declared metric reads.
    class_names : sequence of str
    steps : sequence of int
        Training-set sizes by step number.
    train_sizes : sequence of int
        Items in the training split, after those before it grew, where a run's subset is drawn without replacement.
    test_size : int or None
        Items in the test split.
    test_class_counts : sequence of int
        Of them, by class.
    test_unavoidable : int or None
        Of them those that no model is right about, as their labels contradict each other. None: not known.
    near_copies : mapping or None
        What was found of near copies, as `DatasetInfo.near_copies` has it. None: nobody looked.
    gaps : sequence of Gap
        The cells that could not be measured.
    subsets : hashable
        What determines which items a run trained on: where it is the same, runs of the same number share their subsets.
        None: nothing is known of it.
    split : hashable
        By what its test split is known again: where it is the same, the items are, in their order. None: unknown.
    kinks : sequence of Met
        What of its learner changes with the size of the training set.
    primary : str or None
        The metric that the study's question is answered by, where it names one.
    asked : sequence of str
        The metrics that its evaluation was asked for, by whatever names it has for them.
    min_gains : mapping of str to float
        What doubling the data must bring, by metric.
    doubts : sequence of mapping
        What looks wrong with the data, as `DatasetInfo.warnings` has it: each a `code` and a `detail`.
    """

    id: UUID
    state: str
    model: str
    dataset: str
    cells_done: int
    cells_total: int
    metrics: Mapping[str, MetricSpec] = field(default_factory=dict)
    class_names: Sequence[str] = ()
    steps: Sequence[int] = ()
    train_sizes: Sequence[int] = ()
    test_size: int | None = None
    test_class_counts: Sequence[int] = ()
    test_unavoidable: int | None = None
    near_copies: Mapping[str, Any] | None = None
    gaps: Sequence[Gap] = ()
    subsets: Hashable = None
    split: Hashable = None
    kinks: Sequence[Met] = ()
    primary: str | None = None
    asked: Sequence[str] = ()
    min_gains: Mapping[str, float] = field(default_factory=dict)
    cells_reused: int = 0
    doubts: Sequence[Mapping[str, Any]] = ()

    @property
    def provisional(self) -> bool:
        """Whether the study may still measure more."""
        return self.state != "completed"

    @cached_property
    def labels(self) -> Sequence[str]:
        """The classes' names, of which no two are alike: those that are have their number beside them."""
        return distinct_names(self.class_names)

    @property
    def progress(self) -> str:
        """How much is measured, for a sentence."""
        given_up = f", {len(self.gaps)} could not be" if self.gaps else ""
        return f"{self.cells_done} of {self.cells_total} cells are measured{given_up}"

    def label(self, class_index: int | None) -> ClassLabel:
        """Return the name of a class, as `labels` has it, its index where it has none, or None for a scalar."""
        if class_index is None or class_index == SCALAR:
            return None
        return self.labels[class_index] if class_index < len(self.labels) else class_index


def distinct_names(names: Sequence[str]) -> list[str]:
    """Return class names of which no two are alike: ImageNet's two cranes become "crane (134)" and "crane (517)"."""
    often = Counter(names)
    made: dict[str, None] = {}  # in their order; looked up, as there may be many
    for k, name in enumerate(names):
        label = name if often[name] == 1 else f"{name} ({k})"
        while often[name] > 1 and (label in often or label in made):
            label += "'"
        made[label] = None
    return list(made)


@dataclass(frozen=True)
class FittedCurve(Generic[R_co]):
    """One metric (of one class) with its curve.

    Attributes
    ----------
    reading : Reading
        How its values read; where it is a `Series`, with all that was measured.
    fit : Fit
    backtest : Backtest
    flags : sequence of Flag
        What is odd about it.
    stored : bool
        The fit was kept at completion; else it was made of what is measured.
    whole : Series or None
        All that was measured, where some of it is left out of the curve.
    """

    reading: R_co
    fit: Fit
    backtest: Backtest
    flags: Sequence[Flag]
    stored: bool = False
    whole: Series | None = None


@dataclass(frozen=True)
class FittedStudy(Generic[R_co]):
    """The curves of a study, by one method.

    Attributes
    ----------
    study : Study
    method : str
    n_observed : int
        Largest training-set size measured.
    curves : sequence of FittedCurve
        At least one.
    skipped : sequence of (Reading, str)
        What could not be fitted, and why.
    version : int or None
        Of the method; None: the present one.

    Raises
    ------
    TooLittleMeasured
        Without a curve, saying what is missing.
    """

    study: Study
    method: Method
    n_observed: int
    curves: Sequence[FittedCurve[R_co]]
    skipped: Sequence[tuple[R_co, str]] = ()
    version: int | None = None

    @property
    def method_version(self) -> int:
        """The version of the method that the curves are by."""
        return self.version or METHOD_VERSIONS[self.method]

    @cached_property
    def drivers(self) -> Sequence[Drivers]:
        """What drove each curve's projection to the farthest size that a verdict speaks of.

        The curves are fitted anew for each step, which is nearly all that a verdict takes; and it is the same whatever
        gain is asked for, and at whatever level.
        """
        measured = [one.reading for one in self.curves if isinstance(one.reading, Series)]
        assert len(measured) == len(self.curves), "it takes all that was measured"
        found = find_all_drivers(measured, [int(one.fit.n_max * (1 + ADDED[-1])) for one in self.curves])
        for one in found:
            if isinstance(one, NotEnoughData):
                raise one
        return [one for one in found if not isinstance(one, NotEnoughData)]

    def __post_init__(self) -> None:
        if self.curves:
            return
        if not self.skipped:
            raise TooLittleMeasured(f"There is nothing to fit a curve to yet: {self.study.progress}.")
        reasons = "; ".join(warned({"metric": one.metric, "detail": why} for one, why in self.skipped)[:5])
        raise TooLittleMeasured(f"There is too little for a fit: {self.study.progress}. {reasons}")

    def label(self, curve: FittedCurve[Reading]) -> ClassLabel:
        """Return the class that a curve is of."""
        return self.study.label(curve.reading.class_index)


def fit_study(
    study: Study,
    series: Sequence[Series],
    method: Method = DEFAULT_METHOD,
    kept: Mapping[Key, tuple[Fit, Backtest]] | None = None,
    version: int | None = None,
) -> FittedStudy[Series]:
    """Fit the curves of a study.

    Parameters
    ----------
    study : Study
    series : sequence of Series
        What it has measured, or those of it that are asked for; see `choose`. What lies on the far side of a threshold
        of the learner is left out of the curves.
    method : str
    kept : mapping, optional
        Fits that need not be made again.
    version : int, optional
        Of the method that those were made by; it counts where there are some.

    Raises
    ------
    TooLittleMeasured
        When nothing can be fitted yet, saying what is missing.
    """
    wholes = [with_split_noise(study, one) for one in series]
    ones = [of_one_learner(study, whole) for whole in wholes]
    found = kept or {}
    made = iter(fit_with_backtests([one for one in ones if key(one) not in found], method))
    curves, skipped = [], []
    for one, whole, flags in zip(ones, wholes, flags_of(ones), strict=True):
        stored = found.get(key(one))
        answer = stored or next(made)
        if isinstance(answer, NotEnoughData):
            skipped.append((one, str(answer)))
            continue
        fit, test = answer
        curves.append(FittedCurve(one, fit, test, flags, stored is not None, whole if whole is not one else None))
    return FittedStudy(study, method, largest_size(series), curves, skipped, version if kept else None)


def fit_with_backtests(series: Sequence[Series], method: Method) -> list[tuple[Fit, Backtest] | NotEnoughData]:
    """Return the curve of each series with its back-test; or why there is none."""
    fits = fit_all(series, method)
    tests = iter(
        backtest_all([one for one, fit in zip(series, fits, strict=True) if not isinstance(fit, NotEnoughData)], method)
    )
    return [fit if isinstance(fit, NotEnoughData) else (fit, next(tests)) for fit in fits]


def of_one_learner(study: Study, series: Series) -> Series:
    """Return what of a series belongs to one curve: without what is on the far side of a threshold of its learner."""
    measured = series.n[series.runs() > 0]
    if not measured.size or not any(one.breaks for one in study.kinks):
        return series
    low, high = one_curve(study.kinks, [int(n) for n in measured])
    return series.within(low, high)


def sizes_drawn_from(spec: Mapping[str, Any], info: Mapping[str, Any]) -> list[int]:
    """Return the sizes of the training split that a job's subsets are drawn from, without replacement; else none."""
    size = (info.get("train") or {}).get("size")
    if not size or spec.get("protocol") != "independent" or spec.get("measured") is not None:
        return []
    return [*(one for one in spec.get("grown") or () if one < size), size]


def test_items(study: Study, reading: Reading) -> int | None:
    """Return how many test items a metric is a proportion of; None where it is no proportion, or nobody knows."""
    spec = study.metrics.get(reading.metric)
    proportion = spec.proportion_of if spec else None
    if proportion is None and reading.metric.lower() == "accuracy" and reading.bounds == (0.0, 1.0):
        proportion = "items"
    if proportion == "items" and reading.class_index is None:
        return study.test_size or None
    counts = study.test_class_counts
    if proportion == "class_items" and reading.class_index is not None and reading.class_index < len(counts):
        return counts[reading.class_index] or None
    return None


def with_split_noise(study: Study, series: Series) -> Series:
    """Return a series with what both splits do to its scatter, where that is known."""
    items = test_items(study, series)
    if study.train_sizes and series.shared is None:
        series = series.of_split(study.train_sizes)
    return series if items is None or series.test_sd is not None else series.of_items(items)


def flags_of(series: Sequence[Series]) -> list[list[Flag]]:
    """Return what is odd about each series; nothing where there is too little to tell."""
    return [[] if isinstance(flags, NotEnoughData) else flags for flags in diagnose_all(series)]


def largest_size(series: Sequence[Series]) -> int:
    """Return the largest training-set size that was measured, 0 where none was."""
    return int(max((float(one.n.max()) for one in series if one.n.size), default=0))


def choose(
    study: Study, readings: Sequence[R], metrics: Sequence[str] | None = None, classes: Sequence[str] | None = None
) -> list[R]:
    """Return those of a study's series that are asked for.

    Parameters
    ----------
    metrics : sequence of str, optional
        Only these.
    classes : sequence of str, optional
        Of the metrics with a value a class, only these classes, each by its name or its index.

    Raises
    ------
    UnknownMetric, UnknownClass
        For one that the study does not have.
    """
    return _of_classes(study, _of_metrics(study, readings, metrics), classes)


def _of_metrics(study: Study, readings: Sequence[R], metrics: Sequence[str] | None) -> list[R]:
    if not metrics:
        return list(readings)
    # Before anything is measured, what is declared is all that is known.
    known = {one.metric for one in readings} or set(study.metrics)
    for name in metrics:
        if name not in known:
            raise UnknownMetric(name, known, "metric")
    wanted = set(metrics)
    return [one for one in readings if one.metric in wanted]


def _own_name(study: Study, class_index: int) -> Sequence[str]:
    return study.class_names[class_index : class_index + 1]


def _of_classes(study: Study, readings: list[R], classes: Sequence[str] | None) -> list[R]:
    """Return the scalar series, and of the others those of the classes."""
    if not classes:
        return readings
    names = {
        one.class_index: {str(one.class_index), str(study.label(one.class_index)), *_own_name(study, one.class_index)}
        for one in readings
        if one.class_index is not None
    }
    known, wanted = set().union(*names.values()), set(classes)
    for text in classes:
        if names and text not in known:
            raise UnknownClass(text)
    return [one for one in readings if one.class_index is None or names[one.class_index] & wanted]
