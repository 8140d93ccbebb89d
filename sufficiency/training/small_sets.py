"""What libraries raise where a subset is too small for them, or holds too little, or its items are of another type."""

import re
from collections.abc import Mapping
from typing import Any

_LARGER = "or have the steps begin at a larger n"
# By what a message holds, as torch 2.13, scikit-learn 1.7 to 1.9 and XGBoost 3 word it.
_KNOWN = [
    (
        r"Expected more than 1 value per channel when training",
        "A batch held one item, which batch normalisation cannot take: the last one does where n{here} is one more "
        "than whole batches. Leave it out (drop_last=True of a DataLoader), join it to the one before, or take another "
        "batch size.",
    ),
    (
        r"n_splits=\d+ (cannot be greater|greater than the number)|The least populated class(es)? in y ha(ve|s) only",
        "The training splits its subset once more, and a class has too few items{at} for that. Take fewer folds, "
        f"{_LARGER}.",
    ),
    (
        r"n_neighbors <= n_samples_fit|must be between 0 and min\(n_samples, n_features\)|n_samples >= n_components"
        r"|should be >= n_clusters",
        f"A parameter of the model asks for more items than the subset has{{at}}. Choose it by n, {_LARGER}.",
    ),
    (
        r"number of classes has to be greater than one|at least 2 classes in the data|y contains 1 class"
        r"|requires 2 or more distinct classes",
        "The subset holds one class alone{at}. Have the steps begin at a larger n, or look at how rare the other is.",
    ),
    (
        r"The validation set is too small|the resulting train set will be empty",
        "What the training sets aside of its subset is too little{at}. Let it do without (early_stopping=False), "
        f"{_LARGER}.",
    ),
    (
        r"num_samples should be a positive integer value, but got num_samples=0|Expected positive integer total_steps",
        f"No batch is left of the subset{{at}}. Take smaller batches, or none left out, {_LARGER}.",
    ),
    (
        r"Tried to step \d+ times\. The specified number of total steps is",
        "The learning rate's schedule is made for fewer steps than a training has{at}. Make it in train(), for "
        "the batches of that subset times its epochs.",
    ),
    (
        r"Target -?\d+ is out of bounds|Invalid classes inferred from unique values of `y`",
        "A label is none of the model's classes. Labels are numbered by the whole dataset, and a subset may lack "
        "some{at}: number them so, and give the model an output for each.",
    ),
    (
        r"are not in class_weight",
        "Labels are the numbers 0 … C−1, in the order of the dataset's classes: weigh the classes by these, or choose "
        "class_weight=balanced.",
    ),
    (
        r"must have the same dtype, but got Float and|Input type \(float\) and bias type|mixed dtype \(CPU\): expect"
        r"|RNN input dtype \(torch\.float32\) does not match",
        "Items are given to a model as float32, and its weights are of another type. Leave them float32 (without "
        ".double(), .half() or .bfloat16()), or cast what forward() is given: x.to(self.layer.weight.dtype).",
    ),
    (
        r"y_true and y_prob contain different number of classes|not equal to the number of columns in 'y_score'",
        "A model that was trained on a subset without some of the classes{at} scores those alone. Put its scores into "
        "one column for each of the dataset's classes (by model.classes_) before they are measured.",
    ),
]
_PATTERNS = [(re.compile(pattern), advice) for pattern, advice in _KNOWN]


def advice_on(message: str, where: Mapping[str, Any]) -> str | None:
    """Return what to do about an error that comes of a subset's size or classes; None where it is none of the known.

    Parameters
    ----------
    message : str
        Of the exception.
    where : mapping
        What is known of the cell, its "n" among it; see `faults.fault`.
    """
    n = where.get("n")
    at = "" if n is None else f" at n = {n}"
    here = "" if n is None else f" (here {n})"
    for pattern, advice in _PATTERNS:
        if pattern.search(message):
            return advice.format(at=at, here=here)
    return None
