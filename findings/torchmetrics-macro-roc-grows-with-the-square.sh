#!/usr/bin/env bash
# torchmetrics 1.9.0: the macro-averaged ROC curve takes memory in the square of the number of items.
#
# Expected: the curve of N items has about N points a class, whatever the average. Seen: with average="macro" each class's
# curve is interpolated at the points of all classes, and where every score differs these are N times the number of classes; the
# interpolation compares all of them with all: twice the items, four times the memory. The tutorial that reads one point
# of that curve works at 500 test items and takes gigabytes at 5,000.
# The product's evaluation reads the same point, to the last bit, without making the curve.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages torch==2.13.0 torchmetrics==1.9.0
seen <<'PYTHON'
import torch
import torchmetrics
from torchmetrics.functional.classification import multiclass_roc


class Largest(torch.utils._python_dispatch.TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, tuple | list) else (out,):
            if isinstance(one, torch.Tensor):
                self.numbers = max(self.numbers, one.numel())
        return out


def largest(items, classes=5):
    torch.manual_seed(0)
    scores = torch.rand(items, classes).softmax(dim=1)
    target = torch.arange(items) % classes
    with Largest() as watch:
        multiclass_roc(scores, target, num_classes=classes, average="macro")
    return watch.numbers


sizes = {items: largest(items) for items in (200, 400, 800)}
print(f"torchmetrics {torchmetrics.__version__}, torch {torch.__version__}: numbers in the largest tensor by items: {sizes}")
assert sizes[800] / sizes[400] > 3.5 and sizes[400] / sizes[200] > 3.5, "it no longer grows with the square"
PYTHON
