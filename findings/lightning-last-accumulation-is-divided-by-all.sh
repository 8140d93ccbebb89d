#!/usr/bin/env bash
# Lightning 2.6.6: with accumulate_grad_batches an epoch's last step is shorter, by the batches that it lacks, and at few items every step is.
#
# Expected: an optimiser's step is by the mean gradient of the batches that were gathered for it. Seen: each batch's loss is divided by
# accumulate_grad_batches, and the last batch of an epoch steps with what is there: of 5 batches by 4 the second step is a quarter of a
# step. A set that has fewer than 4 batches trains an epoch at a half or a quarter of its learning rate, which a learning curve takes
# for what few data are worth. The documentation says nothing of the last batches. #19987, open; #21808.
# The product's strategy for Lightning accumulates nothing, and a strategy that takes the setting is warned (epoch_units).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages torch==2.13.0 pytorch-lightning==2.6.6 numpy
seen 2>"$FOLDER/log" <<'PYTHON' || { cat "$FOLDER/log" >&2; exit 1; }
import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader, TensorDataset


class Walk(lightning.LightningModule):
    """Its gradient is -1 for every batch, so that a step goes as far as the learning rate, which is 1."""

    def __init__(self):
        super().__init__()
        self.weight, self.places = torch.nn.Parameter(torch.zeros(1)), [0.0]

    def training_step(self, batch):
        return -(self.weight * batch[0]).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def on_train_batch_end(self, *_):
        self.places.append(self.weight.item())


def steps(batches):
    walk = Walk()
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = lightning.Trainer(max_epochs=1, accumulate_grad_batches=4, accelerator="cpu", **quiet)
    trainer.fit(walk, DataLoader(TensorDataset(torch.ones(batches, 1)), batch_size=1))
    return [b - a for a, b in zip(walk.places, walk.places[1:]) if a != b]


found = {batches: steps(batches) for batches in (8, 5, 2, 1)}
print(f"pytorch-lightning {lightning.__version__}: how far each step goes, by the batches of an epoch: {found}")
assert found == {8: [1.0, 1.0], 5: [1.0, 0.25], 2: [0.5], 1: [0.25]}, "the last step is by the mean of its batches now"
PYTHON
