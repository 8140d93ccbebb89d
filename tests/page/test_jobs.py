"""The list of jobs, their names, and what can be done with several at once."""

import re
from typing import Any
from uuid import UUID

from app.catalog.verification import dataset_ready
from tests.page.conftest import Live
from tests.page.test_page import expect, finished, go, job, noisy, page, violations
from tests.support.service import INFO

__all__ = ["job", "page"]
STEPS = [10, 40, 160, 640, 1000]
HANDED_IN = {"measured": {"values": [{"n": n, "metric": "Accuracy", "value": 1 - n**-0.5} for n in STEPS]}}


def test_the_list_shows_what_came_of_a_job(page: Any, live: Live) -> None:
    job_id = finished(live, name="Seen in the list")
    result = live.service.client.get(f"/jobs/{job_id}").json()["result"]
    go(page, live, "/jobs?q=seen+in")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row.locator(".result")).to_contain_text(f"{result['value']:.4f}")
    expect(row.locator(".result")).to_contain_text("Accuracy at 1,000")
    expect(row.locator(f".result .answer.{result['worth']}")).to_be_visible()
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Seen in the list")


def test_a_job_is_named_on_its_page(page: Any, live: Live) -> None:
    job_id = str(live.service.submit(schedule=STEPS)["id"])
    go(page, live, f"/jobs/{job_id}")
    page.get_by_role("button", name="Name and note").click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("By keyboard alone")
    page.keyboard.press("Tab")
    page.keyboard.type("Two lines\nof it")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("By keyboard alone")
    expect(page.locator(".written")).to_have_text("Two lines of it")
    kept = live.service.client.get(f"/jobs/{job_id}").json()
    assert (kept["name"], kept["note"]) == ("By keyboard alone", "Two lines\nof it")
    expect(page.get_by_role("button", name="Name and note")).to_be_focused()
    page.keyboard.press("Enter")
    too_long = "node => { node.removeAttribute('maxlength'); node.value = 'x'.repeat(101); }"
    page.get_by_label("Name", exact=True).evaluate(too_long)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#naming-name-wrong")).not_to_be_empty()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("form", name="Name and note")).to_be_hidden()


def test_several_are_cancelled_deleted_and_compared(page: Any, live: Live) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    ended = [finished(live, name=f"Several, ended {k}") for k in range(2)]
    waiting = [str(live.service.submit(name=f"Several, waiting {k}")["id"]) for k in range(2)]
    go(page, live, "/jobs?q=several,")
    expect(page.locator(".counted")).to_have_text("4 jobs like that")
    chosen = page.get_by_role("region", name="Chosen jobs")
    expect(chosen).to_be_hidden()
    page.get_by_role("checkbox", name="Choose every job of this page").check()
    expect(chosen).to_contain_text("4 jobs chosen")
    chosen.get_by_role("button", name="Cancel 2").click()
    expect(chosen).to_contain_text("Asked to stop: 2 jobs.")
    for job_id in waiting:
        assert live.service.client.get(f"/jobs/{job_id}").json()["state"] == "cancelled"
    expect(chosen).to_contain_text("2 jobs chosen")
    chosen.get_by_role("link", name="Compare").click()
    page.wait_for_url(re.compile("#/compare"), wait_until="commit")
    expect(page.locator(".picked li")).to_have_count(2)
    page.go_back()
    for job_id in ended:
        page.locator(f'[data-job="{job_id}"]').check()
    chosen.get_by_role("button", name="Delete").click()
    expect(chosen).to_contain_text("Deleted: 2 jobs.")
    for job_id in ended:
        assert live.service.client.get(f"/jobs/{job_id}").status_code == 404
    expect(page.locator("tbody tr")).to_have_count(2)


def test_an_empty_list_runs_the_demo_s_job_with_one_button(page: Any, live: Live) -> None:
    # As the page of a service without jobs sees it.
    nothing = {"items": [], "next_cursor": None, "count": 0, "count_complete": True}
    page.route(re.compile(r"/jobs\?"), lambda route: route.fulfill(json=nothing))
    splits = {name: {"loader": "digits", "params": {"split": name}} for name in ("train", "test")}
    registered = live.service.client.post("/datasets", json={"name": "digits", **splits})
    assert registered.status_code == 201, registered.text
    with live.service.database.transaction() as session:
        dataset_ready(session, UUID(registered.json()["id"]), INFO, "sha256:digits")
    go(page, live, "/jobs")
    assert violations(page) == []
    page.get_by_role("button", name="Run the demo's job").click()
    page.wait_for_url(re.compile("#/jobs/[0-9a-f-]+"), wait_until="commit")
    expect(page.get_by_role("heading", level=1)).to_have_text("Demo: handwritten digits")


def test_time_ticks_and_the_cell_that_runs_is_named(page: Any, live: Live) -> None:
    job_id = str(live.service.submit(schedule=STEPS, runs=3)["id"])
    live.service.work(job_id, noisy, units=1)
    claimed, _ = live.service.claim(job_id)
    cell = claimed.cells[0]
    go(page, live, f"/jobs/{job_id}")
    ticking = page.locator(".ticking")
    expect(ticking).to_contain_text(f"now: run {cell.run + 1} with {cell.n:,} samples for")
    expect(page.locator(".cells i.now")).to_have_count(1)
    before = ticking.inner_text()
    expect(ticking).not_to_have_text(before)
    live.service.record(claimed, noisy)
    live.service.work(job_id, noisy)
    expect(page.locator(".badge").first).to_have_text("Completed")
    expect(ticking).to_be_empty()


def test_the_chart_tells_everything_in_one_place(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}?metric=Accuracy")
    box = page.locator(".chart .surface").bounding_box()
    mean = page.locator(".chart .mean").nth(2).bounding_box()
    page.mouse.move(mean["x"] + mean["width"] / 2 + 2, box["y"] + box["height"] / 2)
    tip = page.locator(".chart .tip-text")
    expect(tip.first).to_have_text("160 samples")
    told = " ".join(tip.all_text_contents())
    assert re.search(r"measured [\d.]+ ± [\d.]+, 3 runs", told), told
    assert re.search(r"curve [\d.]+, 95 %: [\d.]+ to [\d.]+", told)
    assert "50 %:" in told
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 20)
    expect(tip.first).to_contain_text("projected")
    assert re.search(r"\+[\d.]+ for [\d.]+× the data", " ".join(tip.all_text_contents()))


def test_any_job_can_be_found_to_compare_with(page: Any, live: Live, job: str) -> None:
    other = finished(live, name="Found by its name")
    go(page, live, f"/compare?job={job}")
    page.get_by_label("Search").fill("by its nam")
    page.get_by_role("button", name="Found by its name").click()
    expect(page.locator(".picked li")).to_have_count(2)
    expect(page.locator(".chart .curve")).to_have_count(4)
    assert other in page.url
    elsewhere = live.service.client.post("/jobs", json=HANDED_IN).json()["id"]
    go(page, live, f"/compare?job={job}&job={elsewhere}")
    expect(page.locator(".note.warn").first).to_contain_text("whether on the same test items is not known")


def test_what_was_measured_elsewhere_is_not_extended_here(page: Any, live: Live) -> None:
    answer = live.service.client.post("/jobs", json=HANDED_IN)
    assert answer.status_code == 201, answer.text
    go(page, live, f"/jobs/{answer.json()['id']}")
    expect(page.get_by_role("button", name="Delete")).to_be_visible()
    expect(page.get_by_role("button", name="Extend")).to_have_count(0)
    expect(page.get_by_role("link", name="Use as a template")).to_have_count(0)
