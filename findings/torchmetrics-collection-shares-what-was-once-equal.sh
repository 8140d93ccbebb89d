#!/usr/bin/env bash
# torchmetrics 1.9.0: metrics of a MetricCollection that agree about the first batch are one metric from then on.
#
# Expected: a metric says in a collection what it says alone. Seen: by default (compute_groups=True) the states are compared once, after
# the first update; those that are equal then share one state for good, whatever their thresholds are. So a value depends on which batch
# comes first, and on how good the model is on it: a well trained one is right at either threshold there, a barely trained one is not,
# and a learning curve is measured with two thresholds in turn. Reported as #2596 and #2916, which are closed.
# The product's page on plugins names it (docs/plugins.md, metrics of other libraries); its own evaluations have no collection.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages torch==2.13.0 torchmetrics==1.9.0
seen <<'PYTHON'
import torch
import torchmetrics
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAccuracy

sure = torch.tensor([0.9, 0.1, 0.95, 0.02]), torch.tensor([1, 0, 1, 0])
unsure = torch.tensor([0.5, 0.5, 0.5, 0.5]), torch.tensor([1, 1, 1, 1])


def measured(batches, **options):
    both = MetricCollection({"low": BinaryAccuracy(threshold=0.3), "high": BinaryAccuracy(threshold=0.7)}, **options)
    for scores, target in batches:
        both.update(scores, target)
    return {name: value.item() for name, value in both.compute().items()}


first, last, apart = measured([sure, unsure]), measured([unsure, sure]), measured([sure, unsure], compute_groups=False)
print(f"torchmetrics {torchmetrics.__version__}: sure batch first {first}; last {last}; compute_groups=False {apart}")
assert last == apart == {"low": 1.0, "high": 0.5}
assert first == {"low": 0.5, "high": 0.5}, "the order of the batches no longer matters"
PYTHON
