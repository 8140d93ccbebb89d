#!/usr/bin/env bash
# datasets 5.2.0: casting one ClassLabel to another whose names stand in another order changes what every item is.
#
# Expected: a cast keeps what is said: a cat stays a cat, under another number. Seen: from text it does (names are looked up), and from
# one ClassLabel to another the numbers stay and the names change: with two names in the other order all labels are swapped, with fewer
# names some are out of range, without a word. Who casts a second dataset to the first one's features, to join them, has wrong labels.
# align_labels_with_mapping is what does it. #8494, open, has the cause for numbers.
# The product brings two splits together by the names of their classes: they need no cast (docs/data.md).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages datasets==5.2.0
seen <<'PYTHON'
import datasets
from datasets import ClassLabel, Dataset

datasets.disable_progress_bars()


def names(dataset):
    return [dataset.features["label"].int2str(k) for k in dataset["label"][:]]


said = ["cat", "cat", "dog"]
other = ClassLabel(names=["dog", "cat"])
text = Dataset.from_dict({"label": said})
classes = text.cast_column("label", ClassLabel(names=["cat", "dog"]))
from_text, from_classes = names(text.cast_column("label", other)), names(classes.cast_column("label", other))
aligned = names(classes.align_labels_with_mapping({"dog": 0, "cat": 1}, "label"))
fewer = classes.cast_column("label", ClassLabel(names=["cat"]))["label"][:]
print(f"datasets {datasets.__version__}: {said} are, cast from text, {from_text}; from classes {from_classes}; aligned {aligned}; to one class {fewer}")
assert from_text == aligned == said
assert from_classes == ["dog", "dog", "cat"] and fewer == [0, 0, 1], "a cast keeps the names now"
PYTHON
