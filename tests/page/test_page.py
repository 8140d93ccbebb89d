"""The page as people use it: look, slide, submit, compare, lose the service and get it back."""

import io
import math
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select, text

from app.db.tables import Dataset
from tests.page.conftest import Live
from tests.results.test_compared_on_items import ITEMS, measured
from tests.support.service import INFO, Measure

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
expect.set_options(timeout=60_000)

STEPS = [10, 40, 160, 640, 1000]
EVIL = '<img src=x onerror="window.pwned=1">&amp; "quoted" 精度 ★'
LONG = "AverageOverAllTheThingsThatAnybodyEverWantedToKnow" * 4
VIEWS = ["jobs", "new", "compare", "datasets", "plugins", "record", "workers", "webhooks"]


@pytest.fixture
def page(browser: Any, live: Live) -> Iterator[Any]:
    """A tab in light colours; what goes wrong in it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.set_default_timeout(60_000)
    yield tab
    context.close()
    assert errors == []


def noisy(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
    """Return metrics on every kind of scale: both bounds, one bound on either side, none; one of them a class."""
    wobble = 0.03 * math.sin(7.0 * run + 3.0 * step) / math.sqrt(n / 10)
    error = 1.6 * n**-0.4 + wobble
    return [
        ("Accuracy", -1, 1.0 - error),
        ("Loss", -1, 0.1 + error),
        ("Score", -1, 40.0 - 30.0 * error),
        ("Gain", -1, 3.0 - error),
        *[("Recall", c, 1.0 - 0.05 * c - error) for c in range(3)],
    ]


METRICS = {
    "Score": {"direction": "maximize", "bounds": [None, None]},
    "Gain": {"direction": "maximize", "bounds": [0.0, None]},
}


def finished(live: Live, measure: Measure = noisy, **changes: Any) -> str:
    changes = {"schedule": STEPS, "runs": 3, "metrics": METRICS, **changes}
    job_id = str(live.service.submit(**changes)["id"])
    live.service.work(job_id, measure)
    return job_id


@pytest.fixture(scope="module")
def job(live: Live) -> str:
    """A completed job that the tests only look at."""
    return finished(live)


def go(page: Any, live: Live, address: str) -> None:
    page.goto("about:blank")  # else a change of the fragment alone would leave the view before for a while
    page.goto(f"{live.url}/ui/#{address}")
    page.wait_for_selector("main .view")


def violations(page: Any, rules: list[str] | None = None) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    options = {"runOnly": rules} if rules else None
    found = axe.Axe().run(page, options=options).response["violations"]
    return [f"{v['id']}: {[node['target'] for node in v['nodes']][:3]}" for v in found]


def test_it_is_light_and_paints_within_a_second_and_asks_nobody_else(page: Any, live: Live, job: str) -> None:
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))
    go(page, live, f"/jobs/{job}")
    page.wait_for_selector(".chart svg")
    assert all(answer.url.startswith(live.url) for answer in answers)
    assert sum(len(answer.body()) for answer in answers if "/ui/" in answer.url) < 200_000
    # The best of some: the machine may be busy with other things.
    paints: list[float] = []
    while len(paints) < 20 and min(paints, default=math.inf) >= 1000:
        page.reload()
        page.wait_for_selector(".chart svg")
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    assert min(paints) < 1000


def test_what_it_reckons_is_what_the_api_answers(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}")
    sizes = [1, 7, 10, 23, 160, 999, 1000, 1001, 1500, 4321, 16_000, 90_000, 1_024_000]
    targets = {
        "Accuracy": [0.2, 0.5, 0.873, 0.9, 0.95, 0.99, 0.9999, 1.0],
        "Loss": [0.9, 0.5, 0.2, 0.15, 0.12, 0.1, 0.0],
        "Score": [-10.0, 20.0, 37.0, 38.5, 39.5, 45.0],
        "Gain": [1.0, 2.9, 2.95, 3.0, 5.0],
        "Recall": [0.5, 0.8, 0.9, 0.97],
    }
    curves = live.service.client.get(f"/jobs/{job}/curves").json()
    read = """async ({curves, sizes, targets}) => {
        const { Curve } = await import(new URL("curve.js", document.baseURI));
        return curves.items.map((item) => {
            const curve = new Curve(item, curves.reading);
            const unknown = { lower: null, upper: null };
            const populations = (n) => (curve.knowsPopulation ? curve.interval(n, 0.8, "population") : unknown);
            return [sizes.map((n) => [curve.project(n), curve.interval(n, 0.8, "one_training"), populations(n)]),
                    targets[item.metric].map((t) => curve.needed(t, 0.9))];
        });
    }"""
    found = page.evaluate(read, {"curves": curves, "sizes": sizes, "targets": targets})
    checked = 0
    for item, (points, answers) in zip(curves["items"], found, strict=True):
        address = f"/jobs/{job}"
        here = {"metric": item["metric"]}

        def of(answer: Any, item: Any = item) -> list[dict[str, Any]]:
            assert answer.status_code == 200, answer.text
            return [one for one in answer.json()["metrics"][item["metric"]] if one.get("class") == item["class"]]

        means = of(live.service.client.get(f"{address}/project", params={**here, "n": sizes}))
        trainings = of(
            live.service.client.get(
                f"{address}/project", params={**here, "n": sizes, "level": 0.8, "of": "one_training"}
            )
        )
        whole = of(
            live.service.client.get(f"{address}/project", params={**here, "n": sizes, "level": 0.8, "of": "population"})
        )
        for (point, training, population), mean, single, every in zip(points, means, trainings, whole, strict=True):
            for name in ("value", "lower", "upper"):
                assert point[name] == pytest.approx(mean[name], rel=1e-9, abs=1e-12)
            for name in ("lower", "upper"):
                assert training[name] == pytest.approx(single[name], rel=1e-9, abs=1e-12)
                assert population[name] == (
                    None if every[name] is None else pytest.approx(every[name], rel=1e-9, abs=1e-12)
                )
            assert point["measured"] == mean["measured_range"]
            checked += 1
        asked = [f"{item['metric']}:{t}" for t in targets[item["metric"]]]
        right = of(live.service.client.get(f"{address}/inv_project", params={"target": asked, "level": 0.9}))
        for answer, truth in zip(answers, right, strict=True):
            for name in ("status", "n", "lower", "upper", "n_assured"):
                assert answer[name] == truth[name], (item["metric"], truth)
            assert answer["probability"] == pytest.approx(truth["probability"], abs=1e-9)
            checked += 1
    assert checked > 100


def test_the_sliders_answer_at_once_and_say_what_the_api_says(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}?metric=Accuracy")
    # From the event to the layout that shows the answer; the best of three, as the machine has other things to do.
    slowest = page.evaluate("""async () => {
        let slowest = 0;
        for (const id of ["n-slider", "target-slider"]) {
            const slider = document.getElementById(id);
            for (let k = 1; k < 20; k++) {
                let best = Infinity;
                for (let again = 0; again < 3; again++) {
                    slider.value = 0;
                    slider.dispatchEvent(new Event("input"));
                    slider.value = 50 * k;
                    const start = performance.now();
                    slider.dispatchEvent(new Event("input"));
                    document.querySelector(".chart svg").getBoundingClientRect();
                    best = Math.min(best, performance.now() - start);
                }
                slowest = Math.max(slowest, best);
                await new Promise(requestAnimationFrame);
            }
        }
        return slowest;
    }""")
    assert slowest < 50
    page.fill("#n-input", "5000")
    page.fill("#t-input", "0.95")
    [point] = live.service.client.get(f"/jobs/{job}/project?n=5000&metric=Accuracy").json()["metrics"]["Accuracy"]
    [need] = live.service.client.get(f"/jobs/{job}/inv_project?target=Accuracy:0.95").json()["metrics"]["Accuracy"]
    expect(page.locator("output").nth(0)).to_contain_text(f"Accuracy {point['value']:.4f}")
    expect(page.locator("output").nth(0)).to_contain_text(f"{point['lower']:.4f} to {point['upper']:.4f}")
    expect(page.locator("output").nth(1)).to_contain_text(f"{need['n']:,} samples")
    page.wait_for_url(re.compile("target=0.95"), wait_until="commit")
    page.reload()
    expect(page.locator("#n-input")).to_have_value("5000")


def test_the_keyboard_is_enough(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}?metric=Accuracy&n=2000")
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "n-slider":
            break
    before = page.locator("output").nth(0).inner_text()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert page.locator("output").nth(0).inner_text() != before
    assert "samples" in page.get_attribute("#n-slider", "aria-valuetext")
    page.get_by_role("button", name="Loss").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Loss")).to_be_focused()
    expect(page.locator("output").nth(0)).to_contain_text("Loss")


def test_cells_appear_as_they_land_and_a_service_that_was_away_is_found_again(page: Any, live: Live) -> None:
    job_id = str(live.service.submit(schedule=STEPS, runs=3, metrics=METRICS)["id"])
    go(page, live, f"/jobs/{job_id}")
    expect(page.locator(".badge").first).to_have_text("Queued")
    live.service.work(job_id, noisy, units=2)
    expect(page.locator(".cells i.done")).not_to_have_count(0)
    expect(page.locator(".badge").first).to_have_text("Running")
    # What is drawn anew while results come in leaves the focus alone.
    page.get_by_role("button", name="Cancel").focus()
    expect(page.locator(".chart .mean")).not_to_have_count(0)
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    landed = page.locator(".cells i.done").count()
    live.stop()
    expect(page.locator("#connection")).to_contain_text("does not answer")
    assert page.locator(".cells i.done").count() == landed
    live.service.work(job_id, noisy)
    live.start()
    expect(page.locator("#connection")).to_be_empty()
    expect(page.locator(".badge").first).to_have_text("Completed")
    expect(page.locator(".chart .curve")).not_to_have_count(0)


def test_cancel_and_retry(page: Any, live: Live) -> None:
    job_id = str(live.service.submit(schedule=STEPS)["id"])
    page.on("dialog", lambda dialog: dialog.accept())
    go(page, live, f"/jobs/{job_id}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".badge").first).to_have_text("Cancelled")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".badge").first).to_have_text("Queued")
    error = live.service.fail(job_id)
    expect(page.locator(".badge").first).to_have_text("Failed")
    expect(page.locator(".note.bad")).to_contain_text(error["detail"])


def test_a_job_is_extended(page: Any, live: Live) -> None:
    job_id = finished(live, runs=2, schedule=STEPS[:3])
    go(page, live, f"/jobs/{job_id}")
    form = page.get_by_role("form", name="Extend this job")
    expect(form).to_be_hidden()
    page.get_by_role("button", name="Extend").click()
    expect(page.get_by_label("Runs in all")).to_be_focused()
    page.get_by_label("Runs in all").fill("1")
    form.get_by_role("button", name="Plan").click()
    expect(form.get_by_role("alert")).to_be_visible()
    expect(form).to_contain_text("the job has 2 runs already")
    page.get_by_label("Runs in all").fill("3")
    page.get_by_label("Further sizes").fill("640; 1000")
    form.get_by_role("button", name="Plan").click()
    expect(form).to_contain_text("9 cells to measure")
    expect(form).to_contain_text("6 cells kept")
    assert violations(page) == []
    form.get_by_role("button", name="Extend").click()
    expect(page.locator(".badge").first).to_have_text("Queued")
    expect(form).to_be_hidden()
    live.service.work(job_id, noisy)
    expect(page.locator(".badge").first).to_have_text("Completed")
    measured = live.service.client.get(f"/jobs/{job_id}/measurements").json()["items"]
    assert {item["n"] for item in measured} == set(STEPS)
    assert {item["runs"] for item in measured} == {3}


def test_a_job_is_planned_before_it_is_submitted(page: Any, live: Live) -> None:
    live.service.worker()
    go(page, live, "/new")
    expect(page.locator("aside")).to_contain_text("Cells")
    page.get_by_label("lr").fill("-1")
    expect(page.locator(".field", has_text="lr").locator(".wrong")).to_contain_text("-1")
    expect(page.get_by_role("button", name="Submit the job")).to_be_disabled()
    page.get_by_label("lr").fill("0.25")
    page.get_by_label("Runs").fill("2")
    page.get_by_label("Steps").fill("4")
    page.get_by_label("Labels").fill("team:vision, case:a:b")
    expect(page.locator("aside")).to_contain_text("8: 2 runs × 4 steps")
    page.get_by_role("button", name="Submit the job").click()
    page.wait_for_url(re.compile("#/jobs/"), wait_until="commit")
    made = live.service.client.get(page.evaluate("location.hash.slice(1)").split("?")[0]).json()
    assert made["spec"]["training"]["params"]["lr"] == 0.25
    assert made["labels"] == {"team": "vision", "case": "a:b"}
    assert made["progress"]["cells_total"] == 8


def test_jobs_are_compared_in_one_picture(page: Any, live: Live, job: str) -> None:
    def slower(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [("Accuracy", -1, 0.93 - 0.4 * n**-0.4 + 1e-3 * run)]

    other = finished(live, slower)
    go(page, live, f"/compare?job={job}&job={other}")
    expect(page.locator(".chart .curve")).to_have_count(4)
    answer = live.service.client.get("/compare", params={"job": [job, other]}).json()
    [pair] = answer["metrics"]["Accuracy"][0]["pairs"]
    assert pair["crossing"]["n"] is not None
    expect(page.locator(".sentence")).to_contain_text(f"about {pair['crossing']['n']:,} samples")
    expect(page.locator(".chart .crossing")).to_have_count(1)
    assert len(pair["paired"]) == len(STEPS)
    page.get_by_role("button", name="First").click()
    expect(page.locator("h2").first).to_contain_text(f"({job[-6:]}), beside")


def test_jobs_are_compared_item_by_item_and_noise_is_called_noise(page: Any, live: Live) -> None:
    first, better, same = (measured(live.service, ease) for ease in (0.0, 0.25, 0.002))
    go(page, live, f"/compare?job={first}&job={better}")
    expect(page.get_by_role("heading", name=f"On the same {ITEMS} test items")).to_be_visible()
    expect(page.get_by_role("table", name="Differences item by item").locator("tbody tr")).to_have_count(len(STEPS))
    expect(page.locator(".sentence")).to_contain_text("is ahead throughout")
    go(page, live, f"/compare?job={first}&job={same}")
    expect(page.locator(".sentence")).to_contain_text("neither can be said to be better")


def test_what_is_to_be_known_of_a_job_is_said_once_and_code_is_set_as_code(page: Any, live: Live) -> None:
    detail = "17 test items are training items too; keep them together with `group_by`"
    info = {**INFO, "warnings": [{"code": "test_items_in_train", "detail": detail}]}
    live.service.dataset("leaking", info=info)
    warned = finished(live, dataset="leaking")
    assert detail in live.service.client.get(f"/jobs/{warned}/verdict").text
    go(page, live, f"/jobs/{warned}?metric=Accuracy")
    expect(page.get_by_role("region", name="Learning curve")).to_contain_text("Would these data")
    expect(page.get_by_text("17 test items")).to_have_count(1)
    expect(page.locator(".note code")).to_have_text("group_by")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Report", exact=True).click()
    expect(opened.value.get_by_role("heading", level=1)).to_contain_text("Is more data worth it?")


def test_it_says_whose_interval_it_is(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}")
    said = page.get_by_text("95 % interval of the mean over runs, on this test split")
    expect(said.first).to_contain_text("of one new training")
    expect(said.first).to_contain_text("on all data that the test split was drawn from")


@pytest.fixture(scope="module")
def odd(live: Live) -> dict[str, str]:
    """Jobs with everything that may upset a page."""
    classes = [f"class {k} <b>{'x' * (k % 40)}</b>" for k in range(200)]
    live.service.dataset("many")
    with live.service.database.transaction() as session:
        dataset = session.query(Dataset).filter_by(name="many").one()
        dataset.info = {**(dataset.info or {}), "class_names": classes}

    def many(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [(EVIL, c, 1.0 - 0.002 * c - n**-0.5) for c in range(200)]

    def named(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [(EVIL, -1, 1.0 - n**-0.5), (LONG, -1, n**-0.5)]

    def nothing(run: int, step: int, n: int) -> list[tuple[str, int, float | None]]:
        return [("Accuracy", -1, None), ("Loss", -1, n**-0.5)]

    labels = {"note": LONG, EVIL: EVIL}
    return {
        "many classes": finished(live, many, dataset="many", runs=1, schedule=[10, 100, 1000]),
        "names": finished(live, named, labels=labels),
        "all NaN": finished(live, nothing),
        "one step": finished(live, noisy, schedule=[500]),
        "one run": finished(live, noisy, runs=1),
        "flat": finished(live, lambda run, step, n: [("Accuracy", -1, 0.5)]),
        "huge": finished(live, lambda run, step, n: [("Score", -1, 1e280 / n + run)]),
        "failed": _failed(live),
    }


def _failed(live: Live) -> str:
    job_id = str(live.service.submit(schedule=STEPS)["id"])
    live.service.fail(job_id)
    return job_id


def shaded(element: Any) -> tuple[bool, bool]:
    """Return whether an element's left and right edges are darker than what is beside them, above all text."""
    row = np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("L"), dtype=float)[1]
    return bool(row[:2].mean() < row[24:28].mean() - 5), bool(row[-2:].mean() < row[-28:-24].mean() - 5)


def test_odd_jobs_are_readable_and_escaped_also_on_a_phone(page: Any, live: Live, odd: dict[str, str]) -> None:
    width = 360
    page.set_viewport_size({"width": width, "height": 800})
    for case, job_id in odd.items():
        go(page, live, f"/jobs/{job_id}")
        assert page.locator(".view h1").count() == 1, case
        if case == "names":
            expect(page.locator(".tabs")).to_contain_text(EVIL)
        if case == "many classes":
            expect(page.locator("#class option")).to_have_count(200)
        if case in ("one step", "failed"):
            expect(page.locator(".chart .curve")).to_have_count(0)
        if case == "one step":
            expect(page.locator(".verdict")).to_contain_text("at least 3")
        if case == "all NaN":
            expect(page.locator(".note.warn").first).to_contain_text("Accuracy")
        assert "NaN" not in page.content(), case
        assert page.evaluate("document.documentElement.scrollWidth") <= width, case
        assert page.evaluate("window.pwned === undefined && !document.querySelector('main img')")
    for view in VIEWS:
        go(page, live, f"/{view}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
    nav = page.locator(".top nav")
    assert shaded(nav) == (False, True), "there are more than fit"
    nav.evaluate("one => one.scrollLeft = one.scrollWidth")
    assert shaded(nav) == (True, False)
    page.set_viewport_size({"width": 1280, "height": 800})
    assert shaded(nav) == (False, False)
    go(page, live, f"/jobs/{odd['many classes']}")
    page.get_by_text("All 200 classes").click()
    expect(page.locator("details[open] tbody tr")).to_have_count(200)


def test_a_dataset_is_registered_and_what_is_wrong_is_said_at_its_field(page: Any, live: Live) -> None:
    go(page, live, "/datasets")
    page.get_by_text("Register a dataset").click()
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("form", name="Register a dataset").locator(".wrong").first).not_to_be_empty()
    page.get_by_label("Name").fill("fresh")
    for split in ("Training split: loader", "Test split: loader"):
        page.get_by_label(split).select_option("npz")
    for box in page.get_by_label("path").locator("visible=true").all():
        box.fill("fresh.npz")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="fresh")).to_be_visible()


def test_one_source_is_split_by_a_rule(page: Any, live: Live) -> None:
    go(page, live, "/datasets")
    page.get_by_text("Register a dataset").click()
    page.get_by_label("Name").fill("cut")
    page.get_by_label("It comes as").select_option("one")
    page.get_by_label("Source: loader").select_option("npz")
    page.locator("main > .view > details").get_by_label("path").last.fill("whole.npz")
    page.get_by_label("test_fraction").fill("2")
    page.get_by_role("button", name="Register").click()
    expect(page.locator(".field", has=page.get_by_label("test_fraction")).locator(".wrong")).to_contain_text(
        "must be below 1, not 2"
    )
    page.get_by_label("test_fraction").fill("0.25")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="cut")).to_be_visible()
    with live.service.database.transaction() as session:
        made = session.scalars(select(Dataset).where(Dataset.name == "cut")).one()
        assert made.test["part"]["test_fraction"] == 0.25


def test_items_are_appended_to_the_latest_version(page: Any, live: Live) -> None:
    live.service.dataset("grows")
    go(page, live, "/datasets")
    card = page.locator("article", has=page.get_by_role("heading", name="grows", exact=True))
    card.get_by_text("Append items").click()
    card.get_by_label("What reads the new items").select_option("npz")
    card.get_by_label("path").fill("more.npz")
    card.get_by_role("button", name="Append").click()
    grown = page.locator("article", has=page.get_by_role("heading", name="grows@2"))
    expect(grown).to_contain_text("Goes on from")
    expect(grown).to_contain_text("Appended 1")
    expect(card.get_by_text("Append items")).to_have_count(0)


def test_the_record_tells_what_was_said_and_what_came(page: Any, live: Live) -> None:
    extended = finished(live, runs=2, schedule=[10, 40, 160, 300])
    # Of this job: other tests may have extended others.
    go(page, live, f"/record?job={extended}")
    expect(page.locator("main")).to_contain_text("Nothing has been foretold yet")
    assert live.service.client.post(f"/jobs/{extended}/extend", json={"steps": [600]}).status_code == 202
    go(page, live, f"/record?job={extended}")
    expect(page.locator("tbody tr").first).to_contain_text("300 → 600")
    expect(page.locator("tbody tr").first).to_contain_text("not yet")
    live.service.work(extended, noisy)
    go(page, live, "/record")
    expect(page.get_by_role("region", name="How forecasts came true")).to_contain_text("1.5× to 2×")
    assert violations(page) == []


def test_an_endpoint_is_registered_and_its_secret_shown_once(page: Any, live: Live) -> None:
    go(page, live, "/webhooks")
    page.get_by_text("Register an endpoint").click()
    page.get_by_label("Address").fill("gopher://example.org")
    page.get_by_role("button", name="Register").click()
    expect(page.locator("form .wrong").first).not_to_be_empty()
    page.get_by_label("Address").fill("https://hooks.example.org/page")
    page.get_by_role("button", name="Register").click()
    expect(page.locator("[role=status]", has_text="Keep this secret")).to_contain_text("whsec_")
    card = page.locator("article", has=page.get_by_role("heading", name="https://hooks.example.org/page"))
    card.get_by_role("button", name="Disable").click()
    expect(card.get_by_text("disabled", exact=True)).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    card.get_by_role("button", name="Remove").click()
    expect(card).to_have_count(0)


def test_a_table_shows_its_features_what_was_done_and_what_looks_wrong(page: Any, live: Live) -> None:
    live.service.dataset("visits")
    with live.service.database.transaction() as session:
        visits = session.scalars(select(Dataset).where(Dataset.name == "visits")).one()
        assert visits.info is not None
        visits.info = visits.info | {
            "features": [
                {"name": "age", "kind": "number", "numbers": 2},
                {"name": "ward", "kind": "category", "numbers": 3},
            ],
            "notes": [{"code": "rows_dropped", "detail": "3 of 90 rows lack a value"}],
            "warnings": [{"code": "identifier", "detail": "the column 'ward' has another value in every row"}],
            "missing": {"handling": "impute", "columns": [{"name": "age", "value": 41.5, "train": 12, "test": 3}]},
        }
    go(page, live, "/datasets")
    card = page.locator("article", has=page.get_by_role("heading", name="visits"))
    expect(card).to_contain_text("age (number), ward (category)")
    expect(card.locator(".note.warn")).to_contain_text("the column 'ward' has another value in every row")
    card.get_by_text("2 notes").click()
    expect(card.locator("details li")).to_have_text(
        ["3 of 90 rows lack a value", "age: 12 missing values in training and 3 in test are filled with 41.5."]
    )
    assert violations(page, None) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Any, live: Live, job: str, odd: dict[str, str], scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    found = {}
    addresses = [f"/{view}" for view in VIEWS if view != "compare"]
    addresses += [f"/jobs/{job}", f"/jobs/{odd['failed']}", f"/compare?job={job}&job={odd['one run']}"]
    for address in addresses:
        go(page, live, address)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        # The colours are what the schemes differ in.
        if wrong := violations(page, ["color-contrast"] if scheme == "dark" else None):
            found[address] = wrong
    assert found == {}


def test_the_theme_is_the_system_s_until_one_is_chosen(page: Any, live: Live) -> None:
    go(page, live, "/plugins")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.locator("#theme").click()
    assert page.evaluate(ground) == light
    page.reload()
    assert page.evaluate(ground) == light


@pytest.mark.parametrize(
    "address", ["/nowhere", "/jobs/nothing", f"/jobs/{quote(EVIL)}", "/jobs/019ab0c4-7d10-7b6e-8a53-5d1c2b3a4f60"]
)
def test_an_address_that_leads_nowhere_says_so(page: Any, live: Live, address: str) -> None:
    page.goto(f"{live.url}/ui/#{address}")
    expect(page.locator("main h1")).to_be_visible()
    assert page.evaluate("window.pwned === undefined")


def test_five_thousand_jobs(page: Any, live: Live, job: str) -> None:
    with live.service.database.transaction() as session:
        session.execute(
            text(
                """
                INSERT INTO job (state, spec, dataset_id, dataset_fingerprint, plugin_versions, metrics, steps, device,
                                 labels, priority, cells_total, error, finished_at)
                SELECT 'failed', jsonb_set(spec, '{model,name}', to_jsonb('old-' || k)), dataset_id,
                       dataset_fingerprint, plugin_versions, metrics, steps, device, '{"age": "old"}', priority, 10,
                       '{"code": "x", "detail": "It was long ago."}', now()
                FROM job, generate_series(1, 5000) AS k WHERE job.id = :id
                """
            ),
            {"id": UUID(job)},
        )
    go(page, live, "/jobs?label=age:old")
    expect(page.locator("tbody tr")).to_have_count(25)
    expect(page.locator("tbody tr").first).to_contain_text("old-5000")
    expect(page.locator(".counted")).to_have_text("more than 1,000 jobs like that")
    page.get_by_role("button", name="More").click()
    expect(page.locator("tbody tr").first).to_contain_text("old-4975")
    page.get_by_role("button", name="Back").click()
    expect(page.locator("tbody tr").first).to_contain_text("old-5000")
    page.get_by_label("Search").fill("LD-77 small")
    expect(page.locator(".counted")).to_have_text("11 jobs like that")
    expect(page.locator("tbody tr").first).to_contain_text("old-779")
    page.get_by_label("Order").select_option("name")
    expect(page.locator("tbody tr").first).to_contain_text("old-77 on")
    page.get_by_label("Search").fill("old-4077")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Label").fill("no label")
    expect(page.get_by_role("status").filter(has_text="write name:value")).to_be_visible()


def test_the_foot_names_the_version_and_one_page_of_jobs_has_no_other(page: Any, live: Live, job: str) -> None:
    import sufficiency

    go(page, live, "/jobs?model=mlp")
    expect(page.locator("#version")).to_have_text(f"Sufficiency {sufficiency.__version__}")
    go(page, live, "/jobs?model=nobody-s")
    expect(page.get_by_text("No job is like that.")).to_be_visible()
    expect(page.get_by_role("button", name="More")).to_be_hidden()
    page.get_by_role("button", name="Jobs of every model again").click()
    expect(page.locator("tbody tr").first).to_be_visible()
    go(page, live, "/datasets")
    expect(page.locator(".badge.state-ready").first).to_have_text("Ready")
