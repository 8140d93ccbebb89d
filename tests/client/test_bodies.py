"""What JSON has no form for is refused before it is sent, by its field: a NaN, a number of numpy's, half a letter."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from sufficiency.client.bodies import encoded
from sufficiency.client.client import Client
from sufficiency.client.errors import Unsendable

NEST: list[Any] = []
for _ in range(5000):
    NEST = [NEST]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(float("nan"), "#/params/0/lr: must be a finite number, not nan", id="nan"),
        pytest.param(-float("inf"), "#/params/0/lr: must be a finite number, not -inf", id="infinite"),
        pytest.param(np.int64(3), "#/params/0/lr: must be a plain number, .* not numpy.int64", id="numpy"),
        pytest.param({1, 2}, "#/params/0/lr: must be a plain number, .* not builtins.set", id="set"),
        pytest.param("caf\udce9", "#/params/0/lr: has half a character", id="half_a_letter"),
        pytest.param({"\ud800": 1}, "#/params/0/lr: has half a character", id="in_a_name"),
        pytest.param(NEST, "must not have more than 100 levels", id="deep"),
    ],
)
def test_what_json_has_no_form_for_is_named(value: Any, said: str) -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.url} was asked")

    client = Client("http://127.0.0.1:9", transport=httpx.MockTransport(never))
    with client, pytest.raises(Unsendable, match=said):
        client.submit({"name": "é", "params": [{"lr": value}]})


def test_the_rest_arrives_as_it_is() -> None:
    body = {"name": "é \u2028", "runs": 3, "lr": np.float64(0.1), "of": [None, True, 1e-300, (1, 2)]}
    assert json.loads(encoded(body)) == {**body, "of": [None, True, 1e-300, [1, 2]]}


def test_levels_are_counted_alike_by_every_version_of_python() -> None:
    """A newer one's encoder goes thousands of levels deep: what it takes, the service would refuse."""
    wide: list[Any] = [1, {"a": 2}]
    for _ in range(97):
        wide = [*wide[:1], wide]
    assert json.loads(encoded({"params": wide}))
    for _ in range(3):
        wide = [*wide[:1], wide]
    with pytest.raises(Unsendable, match="more than 100 levels"):
        encoded({"params": wide})


def test_what_holds_itself_is_refused() -> None:
    whole: list[Any] = [1]
    whole += [whole, whole]
    with pytest.raises(Unsendable, match="more than 100 levels"):
        encoded({"params": whole})
