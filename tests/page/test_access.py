"""The page where the service asks who one is: sign in, make a key, choose a project, sign out."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from app.access.keys import new_secret
from app.main import create_app
from app.settings import Settings
from app.standalone.service import free_port
from tests.access.conftest import bearer
from tests.support.issuer import CLIENT, SECRET, TinyIssuer, tiny_issuer
from tests.support.servers import Servers, new_database

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


@pytest.fixture(scope="module")
def issuer() -> Iterator[TinyIssuer]:
    with tiny_issuer() as running:
        running.person = {"sub": "ada@example.org", "sufficiency_projects": ["radiology:admin"]}
        yield running


@pytest.fixture(scope="module")
def site(servers: Servers, issuer: TinyIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A service that asks for keys, and takes an identity provider's word: its address, and its first key."""
    folder: Path = tmp_path_factory.mktemp("access")
    (folder / "key").write_text(new_secret())
    (folder / "secret").write_text(SECRET)
    with new_database(servers) as url:
        settings = Settings(
            database_url=url,
            redis_url=servers.redis_url,
            access="keys",
            bootstrap_key_file=folder / "key",
            oidc_issuer=issuer.url,
            oidc_client_id=CLIENT,
            oidc_client_secret_file=folder / "secret",
            sweep_seconds=3600,
        )
        port = free_port("127.0.0.1", 0)
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(settings), host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1
            )
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        address, key = f"http://127.0.0.1:{port}", (folder / "key").read_text()
        with httpx.Client(
            base_url=address, transport=httpx.HTTPTransport(retries=10), trust_env=False, timeout=60
        ) as client:
            made = client.post("/projects", json={"name": "radiology"}, headers=bearer(key))
            assert made.status_code == 201
        try:
            yield address, key
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.set_default_timeout(30_000)
    yield tab
    context.close()
    assert errors == []


def test_a_key_opens_the_page_and_makes_others(page: Any, site: tuple[str, str]) -> None:
    address, key = site
    page.goto(f"{address}/ui/#/datasets")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Key").fill("suf_" + "x" * 43)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no such key")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Datasets")).to_be_visible()
    assert page.evaluate("document.cookie") == "", "no script reads the cookie"
    page.locator("#who").click()
    expect(page.get_by_role("heading", name="Access")).to_be_visible()
    page.get_by_label("Project").select_option("radiology")
    expect(page.locator("#who")).to_contain_text("radiology")
    page.get_by_label("What it is for").fill("ci")
    page.get_by_role("button", name="Make a key").click()
    made = page.locator("code.secret")
    expect(made).to_be_visible()
    answer = httpx.get(f"{address}/caller", headers=bearer(made.inner_text()), trust_env=False, timeout=60).json()
    assert (answer["project"], answer["scope"]) == ("radiology", "read")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke ci").click()
    expect(page.get_by_role("row").filter(has_text="ci")).to_contain_text("revoked")
    refused = httpx.get(f"{address}/caller", headers=bearer(made.inner_text()), trust_env=False, timeout=60)
    assert refused.status_code == 401
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(f"{address}/ui/#/jobs")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_identity_provider_opens_the_page(page: Any, site: tuple[str, str]) -> None:
    address, _ = site
    page.goto(f"{address}/ui/")
    page.get_by_role("link", name="Sign in with your organisation").click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    expect(page.locator("#who")).to_contain_text("radiology")
    page.goto(f"{address}/ui/#/access")
    expect(page.get_by_text("You are person ada@example.org, and may admin")).to_be_visible()
