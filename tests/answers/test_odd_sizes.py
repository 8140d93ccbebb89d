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


def test_what_is_worth_nothing_has_no_sign() -> None:
    asked = fitted(lambda _, n: {("Accuracy", SCALAR): 1.0 - 0.1 * (n > 10)})
    told = decision(asked, DecisionTerms(price=1.0, value=1e-9))
    amounts = [told.first.curve, told.first.runs, told.stop.loss, told.plan.loss, told.regret, told.purchases[0].loss]
    assert [str(amount) for amount in amounts if amount == 0] == ["0.0"] * amounts.count(0.0)
    assert told.stop.loss == 0
