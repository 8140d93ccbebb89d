"""What kind of metric one is: metrics of one family move alike, and of another sooner or later."""

import re

from sufficiency.schemas.spec import MetricSpec
from sufficiency.schemas.words import MetricFamily

_WORDS: dict[MetricFamily, str] = {
    "accuracy": "acc accuracy exactmatch top hit hits hitrate purity specificity selectivity",
    "ranking": "auc auroc rocauc aucroc auprc prauc aucpr aupr ap map ndcg mrr tpr",
    "f": "f1 f2 fbeta fscore fmeasure precision recall sensitivity iou miou dice jaccard mcc kappa ppv npv",
    "loss": "loss logloss nll crossentropy xent bce ce brier perplexity ppl deviance hinge kl",
    "regression_error": "mae mse rmse mape smape wape mase msle rmsle medae rmsd nrmse crps pinball",
    "r2": "r2 rsquared nse",
    "rate": "fpr fnr frr eer ece mce error err rate hter wer cer",
}
_FAMILY = {word: family for family, words in _WORDS.items() for word in words.split()}
_PHRASES: dict[tuple[str, ...], MetricFamily] = {
    ("average", "precision"): "ranking",
    ("roc", "auc"): "ranking",
    ("log", "loss"): "loss",
    ("cross", "entropy"): "loss",
    ("f", "1"): "f",
    ("f", "score"): "f",
    ("r", "2"): "r2",
    ("r", "squared"): "r2",
    ("explained", "variance"): "r2",
    ("error", "rate"): "rate",
    ("squared", "error"): "regression_error",
    ("absolute", "error"): "regression_error",
}


def family_of(metric: str, spec: MetricSpec) -> MetricFamily:
    """Return a metric's family: as it is declared, by its name, or by what values it takes.

    Parameters
    ----------
    metric : str
        Looked at word by word, the last that says something first: "val/log_loss" is a loss.
    spec : MetricSpec
    """
    if spec.family is not None:
        return spec.family
    name = re.split(r"@|\bat\b", re.sub(r"[(\[{].*?[)\]}]", " ", metric), flags=re.IGNORECASE)[0]
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    whole = [word.lower() for word in re.findall(r"[^\W_]+", name)]
    for end in range(len(whole), 0, -1):
        if found := _FAMILY.get(whole[end - 1]) or _FAMILY.get(whole[end - 1].rstrip("0123456789")):
            return _PHRASES.get(tuple(words[-2:]), found) if end == len(whole) else found
    for end in range(len(words), 0, -1):
        if found := _PHRASES.get(tuple(words[max(end - 2, 0) : end])) or _FAMILY.get(words[end - 1]):
            return found
    return _by_values(spec)


def _by_values(spec: MetricSpec) -> MetricFamily:
    low, high = spec.bounds
    if low is not None and high is not None:
        return "accuracy" if spec.direction == "maximize" else "rate"
    if spec.direction == "minimize":
        return "loss"
    return "r2" if high is not None else "regression_error"
