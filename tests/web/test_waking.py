"""Who has nothing to do is not woken: a look for nothing costs as much as a query of the request."""

import pytest

from tests.support.service import Service


@pytest.fixture
def woken(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who has been woken, in order."""
    names: list[str] = []
    for name in ("relay", "deliverer"):
        thread = getattr(service.client.app.state, name)  # type: ignore[attr-defined]
        monkeypatch.setattr(thread, "wake", lambda name=name: names.append(name))
    return names


def test_a_request_wakes_whom_it_leaves_something_to_do(service: Service, woken: list[str]) -> None:
    job = service.submit()
    assert woken == ["relay"]
    assert service.client.patch(f"/jobs/{job['id']}", json={"name": "called"}).status_code == 200
    assert service.client.get(f"/jobs/{job['id']}").status_code == 200
    assert woken == ["relay"]
    body = {"url": "https://hooks.example.org/", "events": ["job.queued", "job.cancelled"]}
    hook = service.client.post("/webhooks", json=body)
    assert hook.status_code == 201, hook.text
    assert woken == ["relay"], "an endpoint that was made a moment ago has nothing to be told"
    del woken[:]
    assert service.client.post(f"/jobs/{job['id']}/cancel").status_code == 202
    assert woken == ["deliverer"]
    del woken[:]
    service.submit()
    assert sorted(woken) == ["deliverer", "relay"]
    del woken[:]
    test = service.client.post(f"/webhooks/{hook.json()['id']}/test")
    assert test.status_code == 202
    assert (
        service.client.post(f"/webhooks/{hook.json()['id']}/deliveries/{test.json()['id']}/replay").status_code == 202
    )
    assert woken == ["deliverer"] * 2
