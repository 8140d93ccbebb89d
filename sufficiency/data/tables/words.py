"""Free text as numbers: words counted by hash."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def hashed_text(texts: Sequence[str], features: int, name: str) -> tuple[NDArray[np.float32], list[str]]:
    """Return word counts by hash, each text of length 1, shape (N, features), and what each number is.

    Notes
    -----
    Nothing is learnt from the texts, so that a subset and the whole set, or two splits, are encoded alike.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    counts = HashingVectorizer(n_features=features, alternate_sign=False).transform(texts)
    return counts.toarray().astype(np.float32), [f"{name}#{k}" for k in range(features)]
