"""The decision of a job over HTTP: what to buy now, by prices that make sense."""

import json
from typing import Any

import pytest

from sufficiency.schemas.fields import LEAST_MONEY, MOST_MONEY
from tests.support.finished import finished
from tests.support.service import Service

AIM = {"price": 0.1, "target": "Accuracy:0.95", "penalty": 500}


@pytest.fixture(scope="module")
def address(standing: Service) -> str:
    return f"/jobs/{finished(standing)}/decision"


def test_it_says_what_to_buy_and_what_comes_of_it(standing: Service, address: str) -> None:
    told = standing.client.get(address, params={**AIM, "rounds": 3, "round_cost": 5}).json()
    assert told["metric"] == "Accuracy"
    assert told["now"] == pytest.approx(0.937, abs=1e-3)
    assert told["terms"]["rounds"] == 3
    assert told["buy"] > 0
    assert told["n"] == 1000 + told["buy"]
    assert told["sentence"].startswith(f"Buy {told['buy']:,} labels now, for")
    assert "and look again" in told["sentence"]
    assert 0.8 < told["plan"]["probability"] <= 1
    assert told["plan"]["loss"] < told["stop"]["loss"] == 500
    assert told["purchases"][0] == {"items": 0, "n": 1000, "cost": 0, "probability": 0, "gain": 0, "loss": 500}
    assert told["first"]["test_split"] is not None
    assert 0 <= told["first"]["runs"] <= told["first"]["curve"] == told["regret"]


def test_nothing_is_an_answer(standing: Service, address: str) -> None:
    met = standing.client.get(address, params={**AIM, "target": "Accuracy:0.5"}).json()
    assert (met["buy"], met["sentence"]) == (0, "Buy nothing: Accuracy is 0.937, and the target is met already.")
    poor = standing.client.get(address, params={**AIM, "budget": 0.05}).json()
    assert "does not buy one label" in poor["sentence"]
    dear = standing.client.get(address, params={**AIM, "price": 1e6}).json()
    assert (dear["buy"], dear["plan"]["spend"]) == (0, 0)


def test_a_loss_is_decided_by_its_value_and_a_class_by_its_own(standing: Service, address: str) -> None:
    loss = standing.client.get(address, params={"price": 0.001, "value": 1000, "metric": "Loss"}).json()
    assert loss["buy"] > 0
    assert "a reduction of about" in loss["sentence"]
    recall = standing.client.get(address, params={"price": 0.1, "value": 10, "metric": "Recall", "class": "hen"}).json()
    assert recall["class"] == "hen"


@pytest.mark.parametrize("price", [LEAST_MONEY, MOST_MONEY])
@pytest.mark.parametrize("worth", [LEAST_MONEY, MOST_MONEY])
@pytest.mark.parametrize("budget", [LEAST_MONEY, MOST_MONEY, None])
def test_at_the_bounds_of_all_amounts_everything_is_finite(
    standing: Service, address: str, price: float, worth: float, budget: float | None
) -> None:
    for aim in ({"value": worth}, {"target": "Accuracy:0.95", "penalty": worth}):
        terms = {"price": price, "round_cost": price, "rounds": 2, **aim}
        terms |= {} if budget is None else {"budget": budget}
        decided = standing.client.get(address, params=terms)
        assert decided.status_code == 200, decided.text
        json.loads(decided.text, parse_constant=pytest.fail)
        report = standing.client.get(address.replace("decision", "report"), params=terms)
        assert report.status_code == 200, report.text


@pytest.mark.parametrize(
    ("params", "status", "code", "pointers"),
    [
        pytest.param({}, 422, "invalid_request", {"price"}, id="no_price"),
        pytest.param({**AIM, "price": -1}, 422, "invalid_request", {"price"}, id="negative"),
        pytest.param({**AIM, "price": 0}, 422, "invalid_request", {"price"}, id="free"),
        pytest.param({**AIM, "price": 5e-324}, 422, "invalid_request", {"price"}, id="next_to_nothing"),
        pytest.param({**AIM, "price": 1e99}, 422, "invalid_request", {"price"}, id="absurd"),
        pytest.param({**AIM, "price": "nan"}, 422, "invalid_request", {"price"}, id="nan"),
        pytest.param({**AIM, "rounds": 0}, 422, "invalid_request", {"rounds"}, id="no_round"),
        pytest.param(
            {**AIM, "rounds": 0, "budget": -1, "round_cost": -1, "penalty": -5},
            422,
            "invalid_request",
            {"rounds", "budget", "round_cost", "penalty"},
            id="all_at_once",
        ),
        pytest.param({**AIM, "value": 5}, 422, "contradicting_terms", {"target", "penalty"}, id="two_aims"),
        pytest.param({"price": 1}, 422, "contradicting_terms", {"value"}, id="no_aim"),
        pytest.param({"price": 1, "target": 0.9}, 422, "contradicting_terms", {"penalty"}, id="no_penalty"),
        pytest.param({"price": 1, "penalty": 9}, 422, "contradicting_terms", {"target"}, id="no_target"),
        pytest.param({**AIM, "target": "Accuracy:1.5"}, 422, "target_out_of_bounds", {"target"}, id="beyond_bounds"),
        pytest.param({**AIM, "target": "lots"}, 422, "invalid_target", {"target"}, id="no_number"),
        pytest.param({**AIM, "target": "Zeal:0.5"}, 404, "unknown_metric", {"target"}, id="unknown_target"),
        pytest.param({"price": 1, "value": 1, "metric": "Zeal"}, 404, "unknown_metric", {"metric"}, id="unknown"),
        pytest.param({**AIM, "metric": "Loss"}, 422, "contradicting_terms", {"target"}, id="two_metrics"),
        pytest.param({**AIM, "class": "cow"}, 404, "unknown_class", {"class"}, id="unknown_class"),
    ],
)
def test_what_makes_no_sense_is_answered(
    standing: Service, address: str, params: dict[str, Any], status: int, code: str, pointers: set[str]
) -> None:
    refused = standing.client.get(address, params=params)
    assert refused.status_code == status, refused.text
    assert refused.json()["code"] == code
    assert {one["pointer"].split("/")[-1].split(".")[-1] for one in refused.json()["errors"]} == pointers


def test_what_money_buys_is_a_picture(standing: Service, address: str) -> None:
    params = {**AIM, "rounds": 2}
    shown = standing.client.get(f"{address}/figure", params={**params, "theme": "dark"}).json()
    told = standing.client.get(address, params=params).json()
    assert shown["data"][0]["x"] == [trade["spend"] for trade in told["frontier"]]
    assert shown["data"][1]["x"] == [told["plan"]["spend"]]
    drawn = standing.client.get(f"{address}/plot.svg", params=params)
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    assert "labels now" in drawn.text
    assert standing.client.get(f"{address}/plot.png", params=params).content.startswith(b"\x89PNG")
