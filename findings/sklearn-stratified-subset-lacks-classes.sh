#!/usr/bin/env bash
# scikit-learn 1.9.1: a stratified subset of n items lacks a class in every draw, although it has room for all.
#
# Expected: stratify=y keeps each class; a train_size below the number of classes is refused with that reason. Seen: with 90 %, 5 % and
# 5 % a subset of 12 lacks one of the two rare classes in all of 200 draws, a subset of 9 too, without a word: shares are rounded down
# and what is left over goes to the largest remainders, so that a class with .6 of an item may get none. Which one is chance, and a
# learning curve of such subsets has models of two classes at one run and another two at the next. #28994, open.
# The product's subsets have two of every class before a third of any (README: independent).
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
with_packages scikit-learn==1.9.1
seen <<'PYTHON'
import numpy as np
import sklearn
from sklearn.model_selection import train_test_split

y = np.repeat([0, 1, 2], [900, 50, 50])


def lacking(n):
    """The share of draws that lack a class."""
    draws = (train_test_split(y, train_size=n, stratify=y, random_state=seed)[0] for seed in range(200))
    return float(np.mean([len(set(draw)) < 3 for draw in draws]))


found = {n: lacking(n) for n in (3, 9, 12, 20)}
try:
    train_test_split(y, train_size=2, stratify=y)
    refused = ""
except ValueError as error:
    refused = str(error)
print(f"scikit-learn {sklearn.__version__}: share of draws that lack a class, by n: {found}; n = 2: {refused!r}")
assert "number of classes = 3" in refused
assert found == {3: 1.0, 9: 1.0, 12: 1.0, 20: 0.0}, "each class is kept now"
PYTHON
