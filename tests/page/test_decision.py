"""What to buy, on the page; and the axis of errors, by which the projected part can be read."""

import re
from typing import Any

from tests.page.conftest import Live
from tests.page.test_page import expect, go, job, page, violations

__all__ = ["job", "page"]


def panel(page: Any) -> Any:
    return page.get_by_role("region", name="Decision")


def test_it_says_what_the_service_decides(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}?metric=Accuracy")
    decision = panel(page)
    decision.get_by_label("Price of a label").fill("0.1")
    decision.get_by_label("Target").fill("0.93")
    decision.get_by_label("Missing it costs").fill("2000")
    decision.get_by_label("Purchases left").fill("3")
    decision.get_by_role("button", name="What to buy now").click()
    terms = {"price": 0.1, "target": "Accuracy:0.93", "penalty": 2000, "rounds": 3, "round_cost": 0}
    answer = live.service.client.get(f"/jobs/{job}/decision", params=terms).json()
    expect(decision.locator(".decided")).to_have_text(answer["sentence"])
    assert answer["buy"] > 0
    expect(decision.get_by_role("region", name="What may be bought at once")).to_contain_text(f"{answer['buy']:,} ◂")
    with page.context.expect_page() as opened:
        decision.get_by_role("link", name="The report with this decision").click()
    expect(opened.value.locator("body")).to_contain_text(answer["sentence"])
    opened.value.close()
    decision.get_by_text("What money buys, with the purchases").click()
    expect(decision.get_by_role("region", name="What money buys", exact=True).locator("tbody tr")).to_have_count(
        len(answer["frontier"])
    )
    assert violations(page) == []


def test_it_asks_for_what_its_aim_takes_and_no_more(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}?metric=Accuracy")
    decision = panel(page)
    expect(decision.get_by_label("A point is worth")).to_be_hidden()
    decision.get_by_label("What it is for").select_option("value")
    expect(decision.get_by_label("Target")).to_be_hidden()
    decision.get_by_label("A point is worth").fill("300")
    decision.get_by_label("Price of a label").fill("0.1")
    decision.get_by_role("button", name="What to buy now").click()
    # What was filled in for the other aim is not sent.
    answer = live.service.client.get(f"/jobs/{job}/decision", params={"price": 0.1, "value": 300}).json()
    expect(decision.locator(".decided")).to_have_text(answer["sentence"])


def test_what_is_wrong_is_said_at_its_field_which_gets_the_focus(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}?metric=Accuracy")
    decision = panel(page)
    decision.get_by_label("Price of a label").fill("-1")
    decision.get_by_label("Missing it costs").fill("10")
    decision.get_by_role("button", name="What to buy now").click()
    expect(decision.locator("#decide-price-wrong")).not_to_be_empty()
    expect(decision.get_by_label("Price of a label")).to_be_focused()
    expect(decision.get_by_label("Price of a label")).to_have_attribute("aria-invalid", "true")
    assert violations(page) == []
    decision.get_by_label("Price of a label").fill("1")
    decision.get_by_role("button", name="What to buy now").click()
    expect(decision.locator(".decided")).to_be_visible()
    expect(decision.locator("#decide-price-wrong")).to_be_empty()
    expect(decision.get_by_label("Price of a label")).not_to_have_attribute("aria-invalid", "true")


def test_another_metric_takes_its_answer_away(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}?metric=Accuracy")
    decision = panel(page)
    decision.get_by_label("What it is for").select_option("value")
    decision.get_by_label("A point is worth").fill("300")
    decision.get_by_label("Price of a label").fill("0.1")
    decision.get_by_role("button", name="What to buy now").click()
    expect(decision.locator(".decided")).to_be_visible()
    page.get_by_role("button", name="Loss").click()
    expect(decision.locator(".decided")).to_have_count(0)


def heights(page: Any) -> tuple[float, float]:
    """Return how much of the picture lies between 0.5 and 0.9, and between 0.9 and 0.95, by where the marks stand."""

    def at(value: str) -> float:
        page.fill("#t-input", value)
        expect(page.locator(".chart .label.strong", has_text=f"target {float(value):.4f}")).to_have_count(1)
        return float(page.locator(".chart .marks .target").first.get_attribute("y1"))

    low, middle, high = at("0.5"), at("0.9"), at("0.95")
    return low - middle, middle - high


def test_the_error_scale_gives_the_projected_part_its_room(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}?metric=Accuracy")
    toggle = page.get_by_role("button", name="Error scale")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    even = heights(page)
    toggle.focus()
    page.keyboard.press("Enter")
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".chart .axis-name", has_text="logit scale")).to_have_count(1)
    scaled = heights(page)
    # On an even axis four tenths have eight times the height of half a tenth.
    assert even[0] / even[1] > 7.5
    assert scaled[0] / scaled[1] < 4
    ticks = [float(text) for text in page.locator(".chart .tick[text-anchor=end]").all_text_contents()]
    assert len(ticks) >= 3
    assert ticks == sorted(ticks)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        expect(page.locator(".chart svg")).to_have_attribute("width", re.compile(r"\d+"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []


def test_a_metric_without_bounds_has_no_error_to_scale_by(page: Any, live: Live, job: str) -> None:
    go(page, live, f"/jobs/{job}?metric=Score")
    expect(page.get_by_role("button", name="Error scale")).to_be_hidden()
    page.get_by_role("button", name="Loss").click()
    page.get_by_role("button", name="Error scale").click()
    expect(page.locator(".chart .axis-name", has_text="log scale")).to_have_count(2)
