"""What to buy now: more when it is worth more, nothing when nothing is, and never against its own arithmetic."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sufficiency.method.calibrated import fit_calibrated
from sufficiency.method.decision import Decision, Prospect, Solver, Terms, decide, worth_of_knowing
from tests.method.curves import N, noisy, series

CURVE = series(noisy(np.minimum(1 - 3.0 * N**-0.6 - 0.05, 1)))
LOSS = series(2.0 * noisy(N**-0.4, 0.002), direction="minimize", bounds=(0.0, None))
PROSPECT = Prospect(CURVE, fit_calibrated(CURVE))
AIM = Terms(price=0.1, target=0.94, penalty=2000.0)
WORTH = Terms(price=0.1, value=30_000.0)


def made(terms: Terms, prospect: Prospect = PROSPECT, **changes: Any) -> Decision:
    return decide(prospect, replace(terms, **changes))


@pytest.mark.parametrize("terms", [pytest.param(AIM, id="target"), pytest.param(WORTH, id="value")])
def test_one_round_is_the_best_of_what_may_be_bought_at_once(terms: Terms) -> None:
    told = made(terms)
    best = min(told.purchases, key=lambda one: one.loss)
    assert (told.buy, told.n) == (best.items, best.n)
    assert told.plan.loss == pytest.approx(best.loss)
    assert told.plan.spend == pytest.approx(best.cost)
    assert told.n == 2500 + told.buy


@pytest.mark.parametrize("terms", [pytest.param(AIM, id="target"), pytest.param(WORTH, id="value")])
def test_a_further_look_never_costs_and_knowing_the_curve_is_never_beaten(terms: Terms) -> None:
    losses = [made(terms, rounds=rounds).plan.loss for rounds in (1, 2, 3, 5)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] - losses[-1] > 1
    assert losses[-1] <= made(terms).stop.loss
    for rounds in (1, 3):
        told = made(terms, rounds=rounds)
        assert told.regret >= 0
        assert told.plan.loss - told.regret <= told.plan.loss
    several = made(terms, rounds=3)
    assert several.buy < made(terms).buy, "who may look again buys less at first"


def test_dearer_labels_buy_less_and_a_graver_miss_more() -> None:
    bought = [made(AIM, price=price).buy for price in (0.01, 0.1, 1.0, 100.0)]
    assert bought == sorted(bought, reverse=True)
    assert bought[-1] == 0
    chances = [made(AIM, penalty=penalty).plan.probability for penalty in (1.0, 300.0, 2000.0, 1e6)]
    assert chances == sorted(chances)
    assert chances[0] == 0
    assert chances[-1] > 0.95
    gains = [made(WORTH, value=value).plan.gain for value in (1.0, 1e4, 1e5, 1e7)]
    assert gains == sorted(gains)


def test_nothing_is_bought_where_nothing_is_to_be_had() -> None:
    met = made(AIM, target=0.5)
    assert (met.buy, met.plan.probability, met.plan.loss) == (0, 1.0, 0.0)
    ones = series(np.ones((5, 10)))
    assert made(WORTH, Prospect(ones, fit_calibrated(ones))).buy == 0
    never = made(AIM, target=1.0, penalty=10.0)
    assert (never.buy, never.plan.loss) == (0, 10.0)


def test_a_budget_is_kept_in_every_round_and_used_to_the_last_label() -> None:
    for budget in (0.0, 0.05, 30.0, 100.0):
        for rounds in (1, 3):
            items = int(budget / AIM.price)
            prospect = Prospect(CURVE, fit_calibrated(CURVE), also=[2500 + items] if items else [])
            told = decide(prospect, replace(AIM, budget=budget, rounds=rounds))
            assert told.buy * AIM.price <= budget + 1e-9
            assert told.plan.spend <= budget + 1e-9
            assert all(trade.spend <= budget + 1e-9 for trade in told.frontier)
    assert told.purchases[-1].n > 2500 + 1000
    assert 1000 in [one.items for one in told.purchases]


def test_a_round_has_a_price_too() -> None:
    free, dear = made(AIM, rounds=5), made(AIM, rounds=5, round_cost=500.0)
    assert dear.buy > free.buy, "fewer, larger purchases"
    assert dear.purchases[1].cost == pytest.approx(500 + 0.1 * dear.purchases[1].items)
    assert dear.purchases[0].cost == 0


def test_a_loss_is_worth_its_fall() -> None:
    prospect = Prospect(LOSS, fit_calibrated(LOSS))
    told = decide(prospect, Terms(price=0.001, value=1000.0))
    assert told.buy > 0
    assert told.plan.gain > 0
    goal = prospect.now * 0.9
    chances = [one.probability for one in decide(prospect, Terms(0.001, target=goal, penalty=50.0)).purchases]
    assert chances == sorted(chances)
    assert chances[-1] > 0.9


def test_what_money_buys_rises_with_it() -> None:
    told = made(AIM, rounds=3)
    spent, chances = zip(*((trade.spend, trade.probability) for trade in told.frontier), strict=True)
    assert list(spent) == sorted(spent)
    assert list(chances) == sorted(chances)
    assert (spent[0], chances[0]) == (0.0, 0.0)
    gains = [trade.gain for trade in made(WORTH).frontier]
    assert gains == sorted(gains)


def test_to_know_more_is_worth_more_the_more_it_is_and_never_more_than_all() -> None:
    worth = [worth_of_knowing(PROSPECT, AIM, share) for share in (0.0, 0.1, 0.5, 0.9)]
    assert worth == sorted(worth)
    assert worth[0] == 0
    assert worth[-1] > 0
    assert worth_of_knowing(PROSPECT, replace(AIM, target=0.5), 0.5) == 0, "met already"


def test_places_add_up_and_remember() -> None:
    assert np.allclose(PROSPECT.moves.sum(axis=-1), 1)
    ahead = np.triu(PROSPECT.memory, 1)
    assert (ahead >= 0).all()
    assert (ahead <= 1).all()
    next_to = np.diag(PROSPECT.memory, 1)
    assert (next_to > np.diag(PROSPECT.memory, 8)[:1]).all(), "of what is near more is known"
    assert PROSPECT.values.shape == (41, len(PROSPECT.n))
    assert (np.diff(PROSPECT.values, axis=0) >= -1e-12).all()


def test_the_same_question_has_the_same_answer() -> None:
    assert made(AIM, rounds=3) == made(AIM, rounds=3)
    assert Solver(PROSPECT, AIM).knowing() == Solver(PROSPECT, AIM).knowing()
