"""Steps can be measured, and units cover each cell once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sufficiency.method.plan import plan_units, work
from sufficiency.method.schedule import ScheduleError, check_steps, geometric_steps


def test_the_tutorials_steps() -> None:
    assert geometric_steps(2500, 10, classes=10) == [25, 41, 69, 116, 193, 322, 538, 898, 1498, 2500]


@given(st.integers(1, 10**6), st.integers(1, 60), st.integers(0, 200), st.sampled_from(["independent", "dataeval"]))
def test_steps_increase_and_end_with_everything(size: int, substeps: int, classes: int, protocol: str) -> None:
    steps = geometric_steps(size, substeps, classes=classes, protocol=protocol)  # type: ignore[arg-type]
    assert check_steps(steps, size) == steps
    if substeps > 1:
        assert steps[-1] == size


def test_a_small_split_starts_with_two_of_each_class() -> None:
    assert geometric_steps(500, 5, classes=20)[0] == 40


@pytest.mark.parametrize(
    ("steps", "index", "says"),
    [
        ([0, 5], 0, "below 1"),
        ([5, 5], 1, "twice"),
        ([9, 5], 1, "increase"),
        ([5, 101], 1, "above"),
        ([], None, "one step"),
    ],
)
def test_steps_that_cannot_be_measured_are_named(steps: list[int], index: int | None, says: str) -> None:
    with pytest.raises(ScheduleError, match=says) as caught:
        check_steps(steps, 100)
    assert caught.value.index == index


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20, unique=True), st.integers(1, 20))
def test_units_cover_each_cell_once_run_by_run(steps: list[int], runs: int) -> None:
    units = plan_units(sorted(steps), runs, "independent")
    cells = [cell for unit in units for cell in unit]
    places = [(cell.run, cell.step) for cell in cells]
    assert sorted(places) == [(run, step) for run in range(runs) for step in range(len(steps))]
    assert [run for run, _ in places] == sorted(run for run, _ in places)
    opening, rest = cells[: min(3, len(steps))], cells[3:]
    assert [cell.n for cell in opening] == sorted(steps)[:3], "what a fit needs, at the least cost"
    for run in range(runs):
        sizes = [cell.n for cell in rest if cell.run == run]
        assert sizes == sorted(sizes, reverse=True)
    assert all(len(unit) == 1 or work(unit) <= work(cells) / 100 for unit in units)


def test_runs_smaller_than_a_unit_are_put_together() -> None:
    assert len(plan_units([10, 20, 40], 10_000, "independent")) <= 110


def test_a_run_of_the_dataeval_protocol_is_one_sequence() -> None:
    units = plan_units([10, 20, 40], 3, "dataeval")
    assert [[(c.run, c.n) for c in unit] for unit in units] == [[(r, 10), (r, 20), (r, 40)] for r in range(3)]
