#!/usr/bin/env bash
# torchmetrics 1.9.0: whether scores are logits is decided batch by batch, so that the same answers have another accuracy in other batches.
#
# Expected: a value depends on the items and not on how many come at a time. Seen: scores are logits where one of a batch is outside [0,
# 1], and probabilities where none is: small logits are held to 0.5 instead of 0 in some batches. A barely trained network has small
# logits: the curve is wrong at its low end, and gets right by itself. Reported as #1604, #2195 and #3269.
# The product's own evaluations always take logits, and its page on plugins names it (docs/plugins.md, metrics of other libraries).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages torch==2.13.0 torchmetrics==1.9.0
seen <<'PYTHON'
import torch
import torchmetrics
from torchmetrics.classification import BinaryAccuracy

logits, target = torch.tensor([0.2, 0.3, -0.1, 2.0]), torch.tensor([1, 1, 0, 1])


def accuracy(at_a_time, scores=logits):
    metric = BinaryAccuracy()
    for some, of in zip(scores.split(at_a_time), target.split(at_a_time), strict=True):
        metric.update(some, of)
    return metric.compute().item()


found = {size: accuracy(size) for size in (4, 2, 1)}
told = {size: accuracy(size, logits.sigmoid()) for size in found}
print(f"torchmetrics {torchmetrics.__version__}: accuracy by the size of batches: of logits {found}; of their sigmoids {told}")
assert set(told.values()) == {1.0}
assert found == {4: 1.0, 2: 0.5, 1: 0.5}, "the batches no longer decide"
PYTHON
