"""When a job goes on without the cells that fail, and when it ends with their error."""

import pytest

from sufficiency.method.hope import is_hopeless

RAISED = {"exception": "ValueError: needs two classes"}
SMALL, LARGE = 0, 4


def hopeless(failed: list[tuple[int, int]], measured: int = 0, cells: int = 25, steps: int = 5, **error: str) -> bool:
    return is_hopeless(failed, measured, cells, steps, LARGE if steps == 5 else 0, {**RAISED, **error})


def test_few_failures_of_both_ends_end_a_job_that_has_measured_nothing() -> None:
    assert not hopeless([(0, LARGE)])
    assert not hopeless([(0, LARGE), (1, SMALL)])
    assert hopeless([(0, LARGE), (1, SMALL), (0, SMALL)])


def test_one_measured_cell_is_hope() -> None:
    assert not hopeless([(run, step) for run in range(5) for step in range(5)][:24], measured=1)
    assert not hopeless([(0, 0)], measured=1, exception="NameError: x")


def test_what_is_too_small_for_it_is_not_the_end() -> None:
    assert not hopeless([(run, step) for run in range(5) for step in range(4)])


def test_what_is_too_large_for_it_is_not_the_end() -> None:
    assert not hopeless([(run, LARGE) for run in range(5)])


def test_when_nothing_is_left_it_is_the_end() -> None:
    assert hopeless([(0, 0)], cells=1, steps=1)
    assert hopeless([(0, 0), (1, 0)], cells=2, steps=1)
    assert not hopeless([(0, 0)], cells=2, steps=1)
    assert hopeless([(0, 0), (1, 0), (2, 0)], cells=9, steps=1)


@pytest.mark.parametrize("kind", ["NameError", "ModuleNotFoundError", "NotImplementedError"])
def test_a_typo_ends_a_job_with_its_first_cell(kind: str) -> None:
    assert hopeless([(0, LARGE)], exception=f"{kind}: name 'nn' is not defined")


def test_a_variable_that_an_empty_loop_left_unset_is_no_typo() -> None:
    assert not hopeless([(0, SMALL)], exception="UnboundLocalError: loss")
