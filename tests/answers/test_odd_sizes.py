"""Numbers far from those that anyone expects: each question is answered with numbers all the same."""

import json
from typing import Any

import pytest

from sufficiency.answers.decision import decision
from sufficiency.answers.verdict import verdict
from sufficiency.schemas.decisions import DecisionTerms
from sufficiency.schemas.words import SCALAR
from tests.answers.studies import fitted


def finite(answer: Any) -> dict[str, Any]:
    """Return an answer as JSON has it, which has no form for what is no number."""
    told: dict[str, Any] = json.loads(json.dumps(answer.model_dump(mode="json"), allow_nan=False))
    return told


def diverged(run: int, n: int) -> dict[tuple[str, int], float | None]:
    """Return a loss whose square is more than a number can be."""
    return {("Loss", SCALAR): 1e280 * (1.0 + 2.0 * n**-0.5 + (0.3 if (n + run) % 3 else 0.0) * (run - 0.5))}


@pytest.mark.filterwarnings("error")
def test_a_loss_that_diverged_has_a_verdict_and_a_decision() -> None:
    asked = fitted(diverged)
    told = finite(verdict(asked))
    assert told["metrics"]["Loss"][0]["min_gain"] > 1e270
    decided = finite(decision(asked, DecisionTerms(price=1.0, target="Loss:1e280", penalty=500.0)))
    assert 0 <= decided["first"]["runs"] <= decided["first"]["curve"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("price", [1e-6, 1e-300, 5e-324], ids=str)
def test_labels_as_good_as_free_are_bought_as_far_as_curves_go(price: float) -> None:
    asked = fitted()
    terms = {"target": "Accuracy:0.99", "penalty": 500.0}
    free = finite(decision(asked, DecisionTerms(price=price, budget=1e15, **terms)))
    assert free["buy"] == finite(decision(asked, DecisionTerms(price=price, **terms)))["buy"] > 0
    assert max(one["n"] for one in free["purchases"]) == 32_000
