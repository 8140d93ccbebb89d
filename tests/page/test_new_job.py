"""The form of a new job begins with one that runs on the dataset, whichever that is."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.page.conftest import Live
from tests.support.tasks import offer_built_in_plugins

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def stocked(live: Live) -> Live:
    """A service with the built-in plugins and a dataset of each task."""
    offer_built_in_plugins(live.service)
    return live


@pytest.fixture
def page(browser: Any, stocked: Live) -> Iterator[Any]:
    """The form, as it comes."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.set_default_timeout(60_000)
    yield tab
    context.close()
    assert errors == []


def chosen(page: Any) -> list[str]:
    return [page.get_by_label(label, exact=True).input_value() for label in ("Model", "Training", "Evaluation")]


@pytest.mark.parametrize(
    ("dataset", "combination"),
    [
        ("classification", ["linear", "sgd-classifier", "classification"]),
        ("regression", ["linear", "sgd-regressor", "regression"]),
        ("multilabel", ["linear", "sgd-multilabel", "multilabel"]),
    ],
)
def test_the_untouched_form_is_a_job_that_runs(page: Any, stocked: Live, dataset: str, combination: list[str]) -> None:
    page.goto(f"{stocked.url}/#/new?dataset={dataset}")
    expect(page.locator("aside")).to_contain_text("Cells")
    assert chosen(page) == combination
    expect(page.get_by_role("button", name="Submit the job")).to_be_enabled()


def test_what_nobody_chose_follows_the_dataset_and_what_somebody_chose_stays(page: Any, stocked: Live) -> None:
    page.goto(f"{stocked.url}/#/new?dataset=classification")
    expect(page.locator("aside")).to_contain_text("Cells")
    page.get_by_label("Model", exact=True).select_option("mlp")
    page.get_by_label("Dataset").select_option("regression")
    expect(page.locator("aside")).to_contain_text("Cells")
    assert chosen(page) == ["mlp", "sgd-regressor", "regression"]
    page.get_by_label("Training", exact=True).select_option("sgd-classifier")
    expect(page.locator(".wrong", has_text="numbers to predict")).to_contain_text("training sgd-regressor")
    expect(page.get_by_role("button", name="Submit the job")).to_be_disabled()
    option = page.get_by_label("Training", exact=True).locator("option[value='sgd-classifier']")
    expect(option).to_have_text("sgd-classifier (for classification)")
    page.get_by_label("Dataset").select_option("classification")
    expect(page.locator("aside")).to_contain_text("Cells")
    assert chosen(page) == ["mlp", "sgd-classifier", "classification"]
    expect(option).to_have_text("sgd-classifier")


def test_with_a_question_the_plan_says_what_the_first_stage_takes(page: Any, stocked: Live) -> None:
    page.goto(f"{stocked.url}/#/new?dataset=classification")
    expect(page.locator("aside")).to_contain_text("Cells")
    page.get_by_text("Stop when the answer is good enough").click()
    page.get_by_label("Target", exact=True).fill("2")
    expect(page.locator("form")).to_contain_text("is outside what the metric can take")
    page.get_by_label("Target", exact=True).fill("0.9")
    expect(page.locator("aside")).to_contain_text("a run, by which the rest is chosen")
    page.get_by_label("Budget", exact=True).fill("1")
    expect(page.locator("form")).to_contain_text("the first stage, a run, takes")
