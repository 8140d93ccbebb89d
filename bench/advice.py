"""How often the verdict's advice is wrong, on real curves whose doubling was measured.

Of the answers "yes" the share that gained less than .005, of the answers "no" the share that gained .01 or more, and
the share of "cannot be told": on LCDB's development part (``--lcdb``), one-run curves apart, and on the studies that
the method never saw (``--others``: those that it learned from). For log losses, which have no range, in units of what
counts: less than half of it, as much or more. What a doubling gained is the difference of the measured means.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.calibration.tasks import Lcdb, Studies, Task
from sufficiency.method.backtest import backtest
from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.diagnosis import Drivers, diagnose
from sufficiency.method.verdict import judge

HERE = Path(__file__).resolve().parent
SHORT, ENOUGH = 0.005, 0.01
BARS = {"yes": 0.05, "no": 0.10, "unclear": 0.40}


@dataclass(frozen=True)
class Advised:
    """An answer, and what came of it, in points of a range."""

    worth: str
    gained: float
    weight: float


def advise(task: Task, now: float | None = None) -> Advised:
    """Return the verdict on a task beside what its doubling gained over `now`, or over the last mean."""
    series = task.series
    told = judge(
        series,
        fit_calibrated(series),
        diagnose(series),
        test=backtest(series, "calibrated"),
        drivers=Drivers(0, [], [], 0.0),  # they say why, never which
    )
    sign = 1.0 if series.direction == "maximize" else -1.0
    before = float(series.mean()[-1]) if now is None else now
    gained = sign * (float(np.interp(1.0, task.ahead, task.truth)) - before)
    unit = 1.0 if series.bounds == (0.0, 1.0) else told.min_gain / ENOUGH
    return Advised(told.worth, gained / unit, task.weight)


def lcdb(data: Lcdb, cap: int) -> Iterator[tuple[str, list[Advised]]]:
    """Yield the advice on tasks of each kind; what one run's doubling gained is told by all five runs."""
    chosen = np.random.default_rng(0)
    means, five, one = list(data.scored_means()), list(data.scored_several(5)), list(data.scored_several(1))
    yield "LCDB, 25 splits", [advise(means[i]) for i in chosen.permutation(len(means))[:cap]]
    picked = chosen.permutation(len(five))[:cap]
    yield "LCDB, 5 runs", [advise(five[i]) for i in picked]
    yield "LCDB, 1 run", [advise(one[i], float(five[i].series.mean()[-1])) for i in picked]


def report(title: str, advised: Iterable[Advised]) -> tuple[float, ...]:
    """Print the shares of wrong advice, and return the sums that they are made of."""
    listed = list(advised)
    weight = np.array([one.weight for one in listed])
    weight = weight / weight.sum()
    worth = np.array([one.worth for one in listed])
    gained = np.array([one.gained for one in listed])
    yes, no, unclear = (worth == word for word in ("yes", "no", "unclear"))
    sums = (
        float(weight @ (yes & (gained < SHORT))),
        float(weight @ yes),
        float(weight @ (no & (gained >= ENOUGH))),
        float(weight @ no),
        float(weight @ unclear),
        1.0,
    )
    _line(title, len(listed), sums)
    return sums


def _line(title: str, count: int, sums: tuple[float, ...]) -> None:
    wrong_yes, yes, wrong_no, no, unclear, whole = sums
    print(
        f"{title:28s} {count:5d}   yes {yes / whole:4.0%}, {wrong_yes / max(yes, 1e-9):5.1%} wrong   "
        f"no {no / whole:4.0%}, {wrong_no / max(no, 1e-9):5.1%} wrong   cannot be told {unclear / whole:4.0%}",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=Path, default=HERE / "calibration" / "studies.npz")
    parser.add_argument("--lcdb", type=Path, help="lcdb_dev.npz")
    parser.add_argument("--others", action="store_true", help="the studies that the method learned from besides")
    parser.add_argument("--cap", type=int, default=400, help="of LCDB, so many tasks of each kind")
    options = parser.parse_args()
    together: list[tuple[float, ...]] = []
    if options.lcdb:
        for title, advised in lcdb(Lcdb(options.lcdb), options.cap):
            sums = report(title, advised)
            if "1 run" not in title:
                together.append(sums)
    for apart in (True, False) if options.others else (True,):
        tasks = list(Studies(options.studies, apart=apart).tasks(0, scored=True))
        for metric in sorted({task.source.partition("/")[2] for task in tasks}):
            of_metric = [task for task in tasks if task.source.endswith(metric)]
            sums = report(f"{'kept apart' if apart else 'learned from'}, {metric}", map(advise, of_metric))
            # What a class's recall gained is mostly the noise of its few test items, on either side of a bar.
            if apart and metric in ("Accuracy", "AUROC"):
                together.append(sums)
    _line("equal weights, but 1 run", 0, tuple(float(column) for column in np.mean(together, axis=0)))
    print(f"bars: wrong yes at most {BARS['yes']:.0%}, wrong no {BARS['no']:.0%}, cannot be told {BARS['unclear']:.0%}")


if __name__ == "__main__":
    main()
