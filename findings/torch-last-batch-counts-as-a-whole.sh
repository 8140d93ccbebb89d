#!/usr/bin/env bash
# torch 2.13.0: one more training item can make a network worse, because a last batch of one counts as a whole batch.
#
# Expected: 129 items are as good as 128. Seen: a DataLoader's last batch is what is left over, and a loop that steps on each batch's
# mean loss has one item pull as hard as 32 at n = 129. Weighted by its items it does not.
# The product weights the last batch in its own trainings (last_batch), and names such steps (docs/size-dependent-defaults.md).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages torch==2.13.0 numpy
seen <<'PYTHON'
import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)


def loss(n, seed, weighted):
    torch.manual_seed(seed)
    x = torch.randn(2128, 20)
    y = ((x[:, :8].sum(1) + 1.5 * torch.randn(2128)) > 0).long()
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(30):
        for rows in torch.randperm(n).split(32):
            optimiser.zero_grad()
            mean = nn.functional.cross_entropy(model(x[rows]), y[rows])
            (mean * (len(rows) / 32 if weighted else 1.0)).backward()
            optimiser.step()
    with torch.no_grad():
        return nn.functional.cross_entropy(model(x[128 + 64 :]), y[128 + 64 :]).item()


def jump(weighted):
    differences = [loss(129, seed, weighted) - loss(128, seed, weighted) for seed in range(40)]
    return float(np.mean(differences)), float(np.std(differences, ddof=1) / len(differences) ** 0.5)


whole, weighted = jump(False), jump(True)
print(f"torch {torch.__version__}: log loss at 129 minus at 128 (± standard error): "
      f"as a whole batch {whole[0]:+.4f} ± {whole[1]:.4f}, weighted by its items {weighted[0]:+.4f} ± {weighted[1]:.4f}")
assert abs(whole[0]) > 3 * whole[1], "the last item no longer pulls as hard as a batch"
assert abs(weighted[0]) < abs(whole[0]) / 2, "weighting no longer mends it"
PYTHON
