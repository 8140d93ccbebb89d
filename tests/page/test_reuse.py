"""The page says which cells were taken over, and its form can refuse that."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.db.tables import Unit
from app.units.lease import finish_unit, record_cell
from app.units.recognising import recognised
from sufficiency.schemas.work import CellResult
from tests.page.conftest import Live
from tests.support.service import power_law

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
expect.set_options(timeout=60_000)
STEPS = [20, 40, 80, 160]


@pytest.fixture
def page(browser: Any, live: Live) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.set_default_timeout(60_000)
    yield tab
    context.close()
    assert errors == []


def work(live: Live, job_id: str, *, units: int) -> None:
    """Do so many units of a job, as measured with what is always the same."""
    for _ in range(units):
        claimed, unit_id = live.service.claim(job_id)
        with live.service.database.transaction() as session:
            cells = recognised(session, unit_id, claimed.attempt, "k" * 32)
            assert cells is not None
        for cell in cells:
            if cell.is_open:
                values = power_law(cell.run, cell.step, cell.n)
                told = CellResult(cell.run, cell.step, n_unique=cell.n, seconds=0.5, device="cpu", values=values)
                with live.service.database.transaction() as session:
                    assert record_cell(session, unit_id, claimed.attempt, replace(told, identity="k" * 32))
        with live.service.database.transaction() as session:
            finish_unit(session, unit_id, claimed.attempt)


def waiting(live: Live, job_id: str) -> int:
    with live.service.database.transaction() as session:
        return session.scalar(select(func.count()).where(Unit.job_id == UUID(job_id), Unit.state == "queued")) or 0


def test_what_was_taken_over_is_told_while_it_runs_and_afterwards(page: Any, live: Live) -> None:
    first = str(live.service.submit(schedule=STEPS, runs=2)["id"])
    work(live, first, units=waiting(live, first))
    wide = str(live.service.submit(schedule=STEPS, runs=3)["id"])
    page.goto(f"{live.url}/ui/#/jobs/{wide}")
    expect(page.locator(".badge").first).to_have_text("Queued")
    work(live, wide, units=1)
    expect(page.locator(".cells i.reused")).to_have_count(8)
    assert first in page.locator(".cells i.reused").first.get_attribute("title")
    expect(page.get_by_role("region", name="Progress")).to_contain_text("8 of them taken over")
    work(live, wide, units=waiting(live, wide))
    expect(page.locator(".badge").first).to_have_text("Completed")
    expect(page.locator("dl.pairs")).to_contain_text("8 cells that other jobs had measured: 4")


def test_the_form_can_refuse_it(page: Any, live: Live) -> None:
    live.service.worker()
    page.goto(f"{live.url}/ui/#/new")
    expect(page.locator("aside")).to_contain_text("Cells")
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_label("Reuse")).to_be_checked()
    page.get_by_label("Reuse").uncheck()
    page.get_by_role("button", name="Submit the job").click()
    page.wait_for_url(re.compile("#/jobs/"), wait_until="commit")
    made = live.service.client.get(page.evaluate("location.hash.slice(1)").split("?")[0]).json()
    assert made["spec"]["reuse"] is False
    expect(page.locator("dl.pairs")).to_contain_text("nothing: all was to be measured")
    page.get_by_role("link", name="Use as a template").click()
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_label("Reuse")).not_to_be_checked()
