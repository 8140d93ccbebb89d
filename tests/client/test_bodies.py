"""What JSON has no form for is refused before it is sent, by its field: a NaN, a number of numpy's, half a letter."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from app.errors import Invalid
from app.web.limits import plain_json
from sufficiency.client.bodies import encoded
from sufficiency.client.client import Client
from sufficiency.client.errors import Unsendable
from sufficiency.schemas.limits import DEPTH

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
        pytest.param(NEST, "nested more than 32 deep", id="deep"),
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


def test_levels_are_counted_as_the_service_counts_them() -> None:
    """An encoder of Python goes hundreds of levels deep, or thousands: what it takes, the service would refuse."""
    body: Any = {"a": 2}
    for _ in range(DEPTH - 1):
        body = {"a": body, "b": [1]} if len(str(body)) % 2 else {"a": body}
    assert json.loads(encoded(body)) == plain_json(body) == body
    for refuse in (encoded, plain_json):
        with pytest.raises((Unsendable, Invalid), match=f"nested more than {DEPTH} deep"):
            refuse({"a": body})


def test_what_holds_itself_is_refused() -> None:
    whole: list[Any] = [1]
    whole += [whole, whole]
    with pytest.raises(Unsendable, match=f"nested more than {DEPTH} deep"):
        encoded({"params": whole})
