#!/usr/bin/env bash
# torchmetrics 1.9.0: of a class that no test item has, each macro average makes something else; AUROC takes it for 0.
#
# Expected: what cannot be measured is left out, in all metrics alike. Seen, with a perfect answer to items of three classes of four:
# macro AUROC is 0.75 (the absent class counts as 0.0), macro average precision 1.0 (it is left out). Macro accuracy, recall and F1
# leave it out until one item is taken for it, and count it as 0 from then on: the same mistake costs .38 of 1.0 where it names the
# absent class, and .17 where it names another. Which mistakes are made follows the training-set size, so that the divisor changes along
# a curve.
# The product's AUROC and recalls leave such a class out (its F1 is scikit-learn's), and a dataset that has one is warned of
# (class_not_tested).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages torch==2.13.0 torchmetrics==1.9.0
seen <<'PYTHON'
import torch
import torchmetrics
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_auroc, multiclass_average_precision

target = torch.tensor([0, 0, 1, 1, 2, 2])


def answers(taken_for):
    scores = torch.full((6, 4), 0.05)
    scores[range(6), torch.tensor([taken_for, 0, 1, 1, 2, 2])] = 0.85
    return scores


right = answers(0)
auroc, precision = (float(of(right, target, num_classes=4)) for of in (multiclass_auroc, multiclass_average_precision))
accuracy = {name: round(float(multiclass_accuracy(answers(k), target, num_classes=4)), 3)
            for name, k in (("all right", 0), ("one taken for another class", 1), ("one taken for the absent class", 3))}
print(f"torchmetrics {torchmetrics.__version__}: all right: AUROC {auroc}, average precision {precision}; macro accuracy: {accuracy}")
assert (auroc, precision) == (0.75, 1.0), "AUROC and average precision agree now"
assert list(accuracy.values()) == [1.0, 0.833, 0.625], "the absent class no longer comes and goes"
PYTHON
