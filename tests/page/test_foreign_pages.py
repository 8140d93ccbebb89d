"""A foreign page in a real browser: what it sends changes nothing, and a name turned round reads nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.page.conftest import CHROMIUM, FLAGS, Live

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


class Blank(BaseHTTPRequestHandler):
    """A page of another's."""

    def do_GET(self) -> None:
        """Answer with nothing that would forbid its scripts anything."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Kittens</title>")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """Serve another's page on a port of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def tab() -> Iterator[Any]:
    """A tab of a browser for which kittens.example is this machine, as after a name has been turned round."""
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    flags = [*FLAGS, "--host-resolver-rules=MAP kittens.example 127.0.0.1", "--no-proxy-server"]
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started.new_page()
        started.close()


SEND = """async ([address, method, type, body]) => {
    const headers = type ? {"Content-Type": type} : {};
    try {
        const answer = await fetch(address, {method, mode: "no-cors", headers, body: body ?? undefined});
        return answer.type;
    } catch (error) { return "failed"; }
}"""


def test_another_s_page_neither_changes_nor_reads(tab: Any, live: Live, elsewhere: int) -> None:
    client = live.service.client
    before = client.get("/datasets/small").json()
    assert client.post("/webhooks", json={"url": "https://hooks.example.org/x"}).status_code == 201
    hook = client.get("/webhooks").json()["items"][0]
    for home in (f"http://kittens.example:{elsewhere}", f"http://127.0.0.1:{elsewhere}"):
        tab.goto(home)
        for path in ("/datasets/small/verify", "/jobs", f"/webhooks/{hook['id']}/rotate-secret"):
            for type, body in ((None, None), ("text/plain", "{}"), ("application/x-www-form-urlencoded", "a=b")):
                tab.evaluate(SEND, [live.url + path, "POST", type, body])
        tab.evaluate(SEND, [f"{live.url}/datasets/small", "DELETE", None, None])
        read = "async (address) => fetch(address).then((answer) => answer.text()).catch(() => 'unreadable')"
        assert tab.evaluate(read, f"{live.url}/webhooks") == "unreadable"
        framed = """async (address) => {
            const frame = document.createElement("iframe");
            frame.src = address;
            const done = new Promise((resolve) => (frame.onload = resolve));
            document.body.append(frame);
            await done;
            try { return frame.contentDocument === null ? "closed" : frame.contentDocument.title; }
            catch { return "closed"; }
        }"""
        assert tab.evaluate(framed, f"{live.url}/ui/") == "closed"
    assert client.get("/datasets/small").json() == before
    assert client.get("/jobs").json()["items"] == []
    assert client.get("/webhooks").json()["items"] == [hook]


def test_a_name_turned_round_to_this_machine_reads_nothing(tab: Any, live: Live) -> None:
    home = f"http://kittens.example:{live.port}"
    # What the name led to at first: a page of the attacker's, of the same origin as what the name leads to now.
    tab.route(f"{home}/kittens", lambda route: route.fulfill(content_type="text/html", body="<title>Kittens</title>"))
    tab.goto(f"{home}/kittens")
    inside = (
        "async ([path, method]) => { const a = await fetch(path, {method}); return [a.status, (await a.json()).code]; }"
    )
    for path, method in (("/webhooks", "GET"), ("/ui/", "GET"), ("/datasets/small/verify", "POST")):
        assert tab.evaluate(inside, [path, method]) == [421, "host_not_allowed"]
