"""How metrics read that nobody has declared: usual names word by word, and the values where they contradict."""

from typing import Any

import pytest

from sufficiency.method.assumed import assume, assumption_text

UP, DOWN = "maximize", "minimize"


@pytest.mark.parametrize(
    ("name", "least", "largest", "direction", "bounds"),
    [
        ("loss", 0.1, 2.0, DOWN, (0, None)),
        ("val_loss", 0.1, 0.9, DOWN, (0, None)),
        ("val/loss", 0.1, 0.9, DOWN, (0, None)),
        ("loss/val", 0.1, 0.9, DOWN, (0, None)),
        ("LogLoss", 0.1, 0.9, DOWN, (0, None)),
        ("log loss", 0.1, 0.9, DOWN, (0, None)),
        ("Cross-Entropy", 0.1, 0.9, DOWN, (0, None)),
        ("crossEntropyLoss", 0.1, 0.9, DOWN, (0, None)),
        ("contrastive loss", -3.0, 0.9, DOWN, (None, None)),
        ("MAE", 1e9, 2e9, DOWN, (0, None)),
        ("test RMSE (px)", 3.0, 9.0, DOWN, (0, None)),
        ("mean_squared_error", 0.1, 0.2, DOWN, (0, None)),
        ("WER", 0.2, 1.4, DOWN, (0, None)),
        ("latency_ms", 3.0, 40.0, DOWN, (0, None)),
        ("Word Error Rate", 0.2, 1.4, DOWN, (0, None)),
        ("CER %", 2.0, 14.0, DOWN, (0, 100)),
        ("FID", 12.0, 90.0, DOWN, (0, None)),
        ("fid50k", 12.0, 90.0, DOWN, (0, None)),
        ("Perplexity", 8.0, 90.0, DOWN, (1, None)),
        ("error_rate", 0.1, 0.4, DOWN, (0, 1)),
        ("top5_error", 10.0, 40.0, DOWN, (0, None)),
        ("FPR", 0.1, 0.4, DOWN, (0, 1)),
        ("False Positive Rate", 0.1, 0.4, DOWN, (0, 1)),
        ("FPR@95TPR", 0.1, 0.4, DOWN, (0, 1)),
        ("ECE", 0.1, 0.4, DOWN, (0, 1)),
        ("dice_loss", 0.1, 0.4, DOWN, (0, None)),
        ("1 - Accuracy", 0.1, 0.4, DOWN, (0, 1)),
        ("accuracy", 0.1, 0.9, UP, (0, 1)),
        ("val_acc", 0.1, 0.9, UP, (0, 1)),
        ("acc1", 10.0, 90.0, UP, (0, 100)),
        ("Top1", 20.0, 99.0, UP, (0, 100)),
        ("top-5 %", 0.4, 0.9, UP, (0, 100)),
        ("F1 (macro)", 0.1, 0.9, UP, (0, 1)),
        ("F1-score", 0.1, 0.9, UP, (0, 1)),
        ("mAP@[.5:.95]", 0.1, 0.4, UP, (0, 1)),
        ("mAP50", 0.1, 0.4, UP, (0, 1)),
        ("mIoU", 0.1, 0.4, UP, (0, 1)),
        ("TPR at FPR", 0.1, 0.4, UP, (0, 1)),
        ("TPR at 1% FPR", 0.1, 0.4, UP, (0, 1)),
        ("recall@95%precision", 0.1, 0.4, UP, (0, 1)),
        ("Recall (at 5% FPR)", 0.1, 0.4, UP, (0, 1)),
        ("recall at 5 (%)", 0.1, 0.4, UP, (0, 100)),
        ("misclassification rate", 0.1, 0.4, DOWN, (0, 1)),
        ("inaccuracy", 0.1, 0.4, DOWN, (0, 1)),
        ("recall_error", 0.1, 0.4, DOWN, (0, None)),
        ("error recall", 0.1, 0.4, UP, (0, 1)),
        ("ROC_AUC", 0.1, 0.4, UP, (0, 1)),
        ("BLEU", 12.0, 30.0, UP, (0, 100)),
        ("R2", -40.0, 0.9, UP, (None, 1)),
        ("R²", -40.0, 0.9, UP, (None, 1)),
        ("r2_score", 0.1, 0.9, UP, (None, 1)),
        ("r-squared", 0.1, 0.9, UP, (None, 1)),
        ("explained_variance", 0.1, 0.9, UP, (None, 1)),
        ("MCC", -0.1, 0.9, UP, (-1, 1)),
        ("Cohen's kappa", 0.1, 0.9, UP, (-1, 1)),
        ("pearson_corr", 0.1, 0.9, UP, (-1, 1)),
        ("PSNR", 20.0, 34.0, UP, (None, None)),
        ("log_likelihood", -200.0, -34.0, UP, (None, None)),
        ("neg_mean_squared_error", -200.0, -34.0, UP, (None, 0)),
        ("neg_log_loss", -2.0, -0.4, UP, (None, 0)),
        ("negative log likelihood", 34.0, 200.0, DOWN, (None, None)),
        ("negative predictive value", 0.1, 0.4, UP, (0, 1)),
        ("accuracy of rounded means", 0.1, 1.0000001, UP, (0, 1)),
        ("auc", -1e-7, 0.4, UP, (0, 1)),
        ("top1", 12.0, 100.00001, UP, (0, 100)),
        ("loss", -1e-9, 0.4, DOWN, (0, None)),
    ],
)
def test_usual_names_are_known(name: str, least: float, largest: float, direction: str, bounds: Any) -> None:
    found = assume(name, least, largest)
    assert (found.spec.direction, found.spec.bounds) == (direction, bounds)
    assert found.by_name
    assert found.goes_without_saying == ((direction, bounds) == (UP, (0, 1)))


@pytest.mark.parametrize(
    "name", ["lossless", "glossy", "terrors", "mirror", "macaroni", "quality", "Präzision", "blur", "x"]
)
def test_names_are_read_by_words_and_others_say_nothing(name: str) -> None:
    inside, outside = assume(name, 0.2, 0.9), assume(name, -0.2, 7.0)
    assert (inside.spec.direction, inside.spec.bounds, inside.by_name) == (UP, (0, 1), False)
    assert (outside.spec.direction, outside.spec.bounds) == (UP, (None, None))
    assert not inside.goes_without_saying


@pytest.mark.parametrize("name", ["lossless_ratio", "error_free", "error-free rate"])
def test_what_is_free_of_errors_is_no_error(name: str) -> None:
    assert assume(name, 0.2, 0.9).spec.direction == UP


def test_a_percentage_of_unknown_name_has_a_hundred() -> None:
    assert assume("solved (%)", 3.0, 60.0).spec.bounds == (0, 100)
    assert assume("solved_pct", 0.3, 0.6).spec.bounds == (0, 100)
    assert assume("solved (%)", 3.0, 160.0).spec.bounds == (None, None)


def test_without_a_value_the_name_alone_speaks() -> None:
    assert assume("val_loss", None, None).spec.bounds == (0, None)
    assert assume("recall", None, None).goes_without_saying


def test_what_is_assumed_is_said_with_what_to_do() -> None:
    told = assumption_text("val_loss", "minimize", (0.0, None), by_name=True)
    assert told.startswith(
        "val_loss is not declared: by its name lower is taken to be better, and its values 0 or more."
    )
    assert "metric_properties" in told
    negated = assume("neg_log_loss", -2.0, -0.4).spec
    assert "its values 0 or less." in assumption_text("neg_log_loss", negated.direction, negated.bounds, by_name=True)
    assert "its name says nothing, so that higher" in assumption_text("x", "maximize", (None, None), by_name=False)
