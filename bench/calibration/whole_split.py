"""How often intervals hold at the size of the whole training split, where all runs have the same items.

Pools of 300 items are drawn from many; five runs measure growing subsets of each pool, the last one all of it. The
truth is the mean over subsets of all the items. With what a series knows of shared items, and without. The share's
exponent (`noise._TOGETHER`) was chosen on digits; --data made has other items and other learners.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.measurements import Series

SIZES = np.array([20, 30, 45, 65, 95, 140, 200, 300])
TIMES = (1, 2, 4)
LEVELS = (0.5, 0.8, 0.95)
LEARNERS: dict[str, Callable[[int], Any]] = {
    "nearest neighbours": lambda seed: KNeighborsClassifier(5),
    "ridge": lambda seed: RidgeClassifier(1.0),
    "naive Bayes": lambda seed: GaussianNB(var_smoothing=1e-2),
    "tree": lambda seed: DecisionTreeClassifier(random_state=0),
    "random tree": lambda seed: ExtraTreeClassifier(random_state=seed),
}


def main() -> None:
    """Print, by learner, coverage at 50, 80 and 95 %, width and mean absolute error at 1, 2 and 4 times the pool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("digits", "made"), default="made")
    parser.add_argument("--pools", type=int, default=25)
    options = parser.parse_args()
    if options.data == "digits":
        x, y = load_digits(return_X_y=True)
    else:
        told = {"n_informative": 8, "n_redundant": 4, "n_classes": 4, "class_sep": 1.2, "flip_y": 0.05}
        x, y = make_classification(9000, 20, **told, random_state=7)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    test, train = np.split(order, [len(x) // 4])

    def accuracy(learner: Callable[[int], Any], items: NDArray[np.int64], seed: int) -> float:
        return float((learner(seed).fit(x[items], y[items]).predict(x[test]) == y[test]).mean())

    for name, learner in LEARNERS.items():
        largest = SIZES[-1] * np.array(TIMES)
        truth = [
            np.mean([accuracy(learner, rng.choice(train, size, replace=False), seed) for seed in range(40)])
            for size in largest.tolist()
        ]
        scores: dict[str, list[Any]] = {"unknown": [], "shared": []}
        for _ in range(options.pools):
            pool = rng.choice(train, SIZES[-1], replace=False)
            orders = [rng.permutation(pool) for _ in range(5)]
            values = [[accuracy(learner, one[:n], run) for n in SIZES.tolist()] for run, one in enumerate(orders)]
            series = Series("Accuracy", None, SIZES.astype(float), np.array(values), "maximize", (0.0, 1.0))
            for kind, known in (("unknown", series), ("shared", series.of_split([int(SIZES[-1])]))):
                fit = fit_calibrated(known)
                ends = [(fit.quantile(largest, 0.5 - p / 2), fit.quantile(largest, 0.5 + p / 2)) for p in LEVELS]
                held = [(low <= truth) & (truth <= high) for low, high in ends]
                scores[kind].append([*held, ends[-1][1] - ends[-1][0], np.abs(fit.value(largest) - truth)])
        for kind, found in scores.items():
            mean = np.mean(np.array(found, dtype=float), axis=0)
            print(f"{name:20s} {kind:8s}", end="")
            for t, column in zip(TIMES, mean.T, strict=True):
                held_at = "/".join(f"{share:.2f}" for share in column[:3])
                print(f"   {t}x {held_at}, width {column[3]:.3f}, MAE {column[4]:.4f}", end="")
            print(flush=True)


if __name__ == "__main__":
    main()
