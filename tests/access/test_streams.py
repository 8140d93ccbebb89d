"""A stream lasts no longer than the key that it was opened with."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.access.conftest import Guarded, bearer
from tests.support.events import parse


@pytest.mark.parametrize("what", ["events", "logs/stream"])
def test_a_stream_ends_when_its_key_is_revoked(guarded: Guarded, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.follower.ASKED_AGAIN_SECONDS", 0.2)
    service = guarded.service
    job_id = service.submit()["id"]
    key = guarded.key()
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(service.client.get, f"/jobs/{job_id}/{what}", headers=bearer(key["key"]))
        with pytest.raises(TimeoutError):
            stream.result(timeout=1.5)
        assert guarded.ask(guarded.bootstrap, "POST", f"/keys/{key['id']}/revoke").is_success
        ended = stream.result(timeout=60)
    assert ended.status_code == 200
    told = ["state", "planned"] if what == "events" else []
    assert [event.type for event in parse(ended.text)] == [*told, "interrupted"]
