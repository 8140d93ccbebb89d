#!/usr/bin/env bash
# datasets 5.2.0: class_encode_column gives labels that are numbers already other numbers, by how they are spelt.
#
# Expected: labels 0 … 11 stay 0 … 11, as a stratified train_test_split, which wants a ClassLabel, needs nothing else. Seen: they are
# sorted as text (0, 1, 10, 11, 2, …), so that label 2 becomes 4 and 10 becomes 2, without a word; up to ten classes nothing is seen of
# it. A model, or a list of names, that goes by the old numbers is then wrong about most classes. A subset that lacks a class is
# numbered otherwise again. The documentation says that the column is cast, and not in which order.
# The product goes by the names that are stored, which are the old numbers, and brings two splits together by them (docs/data.md).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages datasets==5.2.0
seen <<'PYTHON'
import datasets
from datasets import Dataset

datasets.disable_progress_bars()


def numbered(labels):
    return dict(zip(labels, Dataset.from_dict({"label": labels}).class_encode_column("label")["label"][:], strict=True))


ten, twelve, subset = numbered(list(range(10))), numbered(list(range(12))), numbered([1, 2, 10])
moved = {old: new for old, new in twelve.items() if old != new}
print(f"datasets {datasets.__version__}: ten classes stay {ten == dict(zip(range(10), range(10)))}; of twelve these move: {moved}; of 1, 2, 10: {subset}")
assert all(old == new for old, new in ten.items())
assert moved[2] == 4 and moved[10] == 2 and len(moved) == 10, "numbers keep their order now"
PYTHON
