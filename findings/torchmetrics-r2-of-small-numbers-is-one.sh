#!/usr/bin/env bash
# torchmetrics 1.9.0: R² depends on the unit of the target, and is 1.0 for any predictor of numbers that are small enough.
#
# Expected: R² has no unit; the same predictions in kilometres are as bad as in metres. Seen: sums of squares below 0.0001, which is no
# share of anything, count as zero: the residual one's makes R² 1.0, and the target's alone makes it 0.0, without a warning. The sum
# grows with the test items, so that a smaller test split meets it sooner. ExplainedVariance has no such floor.
# The product's own R² has none either, and its page on plugins names it (docs/plugins.md).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages torch==2.13.0 torchmetrics==1.9.0
seen <<'PYTHON'
import torch
import torchmetrics
from torchmetrics.functional.regression import explained_variance, r2_score

torch.manual_seed(0)
target = torch.randn(50)
bad = target + 2 * torch.randn(50)
found = {unit: round(r2_score(bad * unit, target * unit).item(), 2) for unit in (1.0, 1e-2, 1e-3, 1e-4)}
other = {unit: round(explained_variance(bad * unit, target * unit).item(), 2) for unit in found}
print(f"torchmetrics {torchmetrics.__version__}: R² of one bad predictor, by the unit of the target: {found}; explained variance: {other}")
assert found[1.0] == found[1e-2] < -2 and len(set(other.values())) == 1
assert (found[1e-3], found[1e-4]) == (0.0, 1.0), "the floor is gone, or another"
PYTHON
