"""How a metric reads that nobody has declared: by its name where that is a usual one, else as DataEval reads all."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import Bounds, Direction

# share: higher is better, in [0, 1] or in percent; rate: lower is better, likewise; signed: a correlation.
_Kind = Literal["share", "rate", "error", "perplexity", "r2", "signed", "unbounded", "negated"]

_SHARE = (
    "acc accuracy f1 f2 fbeta fscore fmeasure precision recall sensitivity specificity selectivity tpr tnr ppv npv "
    "auc auroc rocauc aucroc auprc prauc aucpr aupr ap ar map mar iou miou dice jaccard bleu rouge meteor chrf ndcg "
    "mrr hit hits hitrate top ssim msssim pq nmi ami purity homogeneity"
)
_RATE = "fpr fnr frr eer ece mce hter acer apcer bpcer ber misclassification inaccuracy"
_ERROR = (
    "loss losses error errors err mae mse rmse mape smape wape mase msle rmsle mad medae rmsd nrmse nll nlpd ce bce "
    "xent logloss crossentropy deviance hinge brier wer cer mer ter fid kid sfid lpips hausdorff assd hd95 chamfer emd "
    "wasserstein kl kld divergence bpc bpd regret crps pinball latency runtime"
)
_UNBOUNDED = "psnr snr sdr sisdr sisnr elbo likelihood loglikelihood reward"
_SIGNED = "mcc matthews kappa correlation corr pearson spearman kendall pcc ccc ari silhouette"
_WORDS: dict[str, _Kind] = {
    **dict.fromkeys(_SHARE.split(), "share"),
    **dict.fromkeys(_RATE.split(), "rate"),
    **dict.fromkeys(_ERROR.split(), "error"),
    **dict.fromkeys(_UNBOUNDED.split(), "unbounded"),
    **dict.fromkeys(("perplexity", "ppl"), "perplexity"),
    **dict.fromkeys(("r2", "rsquared", "nse"), "r2"),
    **dict.fromkeys(_SIGNED.split(), "signed"),
}
# Words that mean something else together than one by one; longer ones first.
_PHRASES: dict[tuple[str, ...], _Kind] = {
    ("negative", "predictive", "value"): "share",
    ("positive", "predictive", "value"): "share",
    ("false", "positive", "rate"): "rate",
    ("false", "negative", "rate"): "rate",
    ("false", "discovery", "rate"): "rate",
    ("false", "alarm", "rate"): "rate",
    ("true", "positive", "rate"): "share",
    ("true", "negative", "rate"): "share",
    ("error", "rate"): "rate",
    ("word", "error", "rate"): "error",
    ("character", "error", "rate"): "error",
    ("zero", "one", "loss"): "rate",
    ("hamming", "loss"): "rate",
    ("cross", "entropy"): "error",
    ("log", "likelihood"): "unbounded",
    ("explained", "variance"): "r2",
    ("r", "2"): "r2",
    ("r", "squared"): "r2",
    ("f", "1"): "share",
    ("f", "score"): "share",
    ("average", "precision"): "share",
    ("inception", "score"): "unbounded",
    ("fid", "score"): "error",
}
_LONGEST = max(map(len, _PHRASES))
_NEGATED = ("neg", "negative", "minus")
_WHERE = re.compile(r"@|\b[aA][tT]\b|_at_")
_PERCENT = {"percent", "percentage", "pct", "perc"}
# How far values of single precision may lie beyond an end that they have.
ROUNDING = 1e-5
_UNDONE = ("free", "less")  # error-free


@dataclass(frozen=True)
class Assumed:
    """How an undeclared metric is read.

    Attributes
    ----------
    spec : MetricSpec
    by_name : bool
        Its name is a usual one; else only its values were looked at.
    """

    spec: MetricSpec
    by_name: bool

    @property
    def goes_without_saying(self) -> bool:
        """Whether there is nothing to say of it: a usual name, and what DataEval takes every metric for."""
        return self.by_name and self.spec.direction == "maximize" and self.spec.bounds == (0.0, 1.0)


def assume(metric: str, least: float | None, largest: float | None) -> Assumed:
    """Return how a metric that nobody has declared is read.

    Parameters
    ----------
    metric : str
    least, largest : float or None
        Over all its values (of all classes); None without any.

    Notes
    -----
    Names are looked at word by word: "val/log_loss" and "LogLoss" are losses, "lossless" is not. What its values
    contradict, such as a negative error, is unbounded on that side. A name that says nothing reads as in DataEval:
    higher is better, in [0, 1], unless a value lies outside, by more than rounding explains.
    """
    kind, flipped = _kind(metric)
    low = 0.0 if least is None else _rounded(least)
    high = 1.0 if largest is None else _rounded(largest)
    percent = _says_percent(metric)
    if kind is None:
        bounds: Bounds = (0.0, 1.0) if low >= 0 and high <= 1 and not percent else (None, None)
        return Assumed(_spec("maximize", (0.0, 100.0) if percent and low >= 0 and high <= 100 else bounds), False)
    direction: Direction = "minimize" if kind in ("error", "rate", "perplexity") else "maximize"
    if flipped == "negated":  # −error: higher is better, and 0 is the best
        lowest, highest = _bounds(kind, -high, -low, percent)
        mirrored = (None if highest is None else -highest, None if lowest is None else 0.0 - lowest)
        return Assumed(_spec("maximize" if direction == "minimize" else "minimize", mirrored), True)
    if flipped == "complement":
        return Assumed(_spec("minimize" if direction == "maximize" else "maximize", _share(low, high, percent)), True)
    return Assumed(_spec(direction, _bounds(kind, low, high, percent)), True)


def assumption_text(metric: str, direction: Direction, bounds: Bounds, *, by_name: bool) -> str:
    """Return what is to be said of a metric that nobody has declared."""
    better = "lower" if direction == "minimize" else "higher"
    low, high = bounds
    if low is None and high is None:
        where = "without bounds"
    elif high is None:
        where = f"{low:g} or more"
    elif low is None:
        where = f"{high:g} or less"
    else:
        where = f"between {low:g} and {high:g}"
    why = "by its name " if by_name else "its name says nothing, so that "
    return (
        f"{metric} is not declared: {why}{better} is taken to be better, and its values {where}. If that is wrong, "
        "declare it in the evaluation's metric_properties, or under `metrics` of the job."
    )


def _rounded(value: float) -> float:
    """Return the end that a value lies beside, as far as rounding goes."""
    ends = (-100.0, -1.0, 0.0, 1.0, 100.0)
    return next((end for end in ends if abs(value - end) <= ROUNDING * max(1.0, abs(end))), value)


def _spec(direction: Direction, bounds: Bounds) -> MetricSpec:
    return MetricSpec(direction=direction, bounds=bounds)


def _bounds(kind: _Kind, low: float, high: float, percent: bool) -> Bounds:
    match kind:
        case "share" | "rate":
            return _share(low, high, percent)
        case "error":
            if percent and low >= 0 and high <= 100:
                return 0.0, 100.0
            return (0.0, None) if low >= 0 else (None, None)
        case "perplexity":
            return (1.0, None) if low >= 1 else (0.0, None) if low >= 0 else (None, None)
        case "r2":
            most = 100.0 if percent else 1.0
            return (None, most) if high <= most else (None, 100.0) if high <= 100 else (None, None)
        case "signed":
            for most in (1.0, 100.0):
                if -most <= low and high <= most:
                    return -most, most
    return None, None


def _share(low: float, high: float, percent: bool) -> Bounds:
    if low < 0 or high > 100:
        return None, None
    return (0.0, 100.0) if percent or high > 1 else (0.0, 1.0)


@lru_cache(maxsize=4096)
def _says_percent(metric: str) -> bool:
    text = unicodedata.normalize("NFKC", metric)
    # A unit stands in brackets, or before it is said where it was measured: not so in "TPR at 1% FPR".
    said = [*re.findall(r"[(\[{].*?[)\]}]", text), *_WHERE.split(text)[:1]]
    return any(re.search(r"(?<!\d)%", part) or _PERCENT & set(_words(part)) for part in said)


@lru_cache(maxsize=4096)
def _kind(metric: str) -> tuple[_Kind | None, Literal["negated", "complement"] | None]:
    """Return what a name says, and whether it is the negative of that, or 1 less that."""
    text = unicodedata.normalize("NFKC", metric)
    if complement := re.match(r"\s*(?:1|one)\s*(?:[-\u2010-\u2015\u2212]|minus\b)\s*(?=\D)", text, re.IGNORECASE):
        kind = _of_words(_words(text[complement.end() :]))
        return kind, "complement" if kind in ("share", "rate", "error") else None
    # What stands in brackets, or after "at", is how it was measured: recall (macro), TPR at FPR, mAP@[.5:.95].
    for part in (re.sub(r"[(\[{].*?[)\]}]", " ", _WHERE.split(text)[0]), text):
        words = _words(part)
        is_negated = bool(words) and words[0] in _NEGATED and words[:3] != ["negative", "predictive", "value"]
        if is_negated and (kind := _of_words(words[1:])) is not None:
            return kind, "negated"
        if (kind := _of_words(words)) is not None:
            return kind, None
    return None, None


def _of_words(words: Sequence[str]) -> _Kind | None:
    """Return what the last word that says something says: "dice loss" is a loss, "error recall" a recall."""
    end = len(words)
    while end:
        if words[end - 1] in _UNDONE and end > 1 and _WORDS.get(words[end - 2]) == "error":
            end -= 2
            continue
        for length in range(min(_LONGEST, end), 1, -1):
            if (kind := _PHRASES.get(tuple(words[end - length : end]))) is not None:
                return kind
        word = words[end - 1]
        kind = _WORDS.get(word) or _WORDS.get(word.rstrip("0123456789"))
        if kind is not None:
            return kind
        end -= 1
    return None


def _words(text: str) -> list[str]:
    """Return the words of a name, in lower case: cut at what is no letter or digit, and at humps of unknown ones."""
    found: list[str] = []
    for word in re.findall(r"[^\W_]+", text):
        lower = word.lower()
        if lower in _WORDS or lower.rstrip("0123456789") in _WORDS:
            found.append(lower)
        else:
            humps = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", word)
            found += [hump.lower() for hump in humps] if humps else [lower]
    return found
