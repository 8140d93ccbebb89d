"""What only some installations have is asked for by name."""

import subprocess
import sys

import pytest

from sufficiency.extras import MissingExtra, install, needs


def test_what_is_missing_is_answered_by_the_name_of_the_extra() -> None:
    with (
        pytest.raises(
            MissingExtra, match=r"nowhere is not installed here: .*'plot'.*pip install 'sufficiency\[plot\]'"
        ),
        needs("plot"),
    ):
        import nowhere.at_all  # type: ignore[import-not-found]  # noqa: F401


def test_only_what_is_missing_is_an_extra() -> None:
    with pytest.raises(ImportError) as caught, needs("plot"):
        from json import nothing_of_that_name  # type: ignore[attr-defined]  # noqa: F401
    assert not isinstance(caught.value, MissingExtra)


def test_the_inner_name_is_the_nearer_one() -> None:
    with pytest.raises(MissingExtra, match="mlflow"), needs("service"), needs("mlflow"):
        raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")


def test_a_version_is_pinned_where_it_must_be_the_same() -> None:
    assert install("worker", "0.2.0") == "pip install 'sufficiency[worker]==0.2.0'"


@pytest.mark.parametrize(
    ("command", "extra", "lacks"),
    [
        ("standalone", "standalone", "psutil"),
        ("serve", "service", "fastapi"),
        ("migrate", "service", "alembic"),
        ("doctor", "service", "celery"),
        ("prune --older-than 1d", "service", "sqlalchemy"),
        ("worker", "worker", "celery"),
    ],
)
def test_a_command_says_which_extra_it_lacks(command: str, extra: str, lacks: str) -> None:
    module = "worker" if command == "worker" else "app"
    run = f"import runpy, sys; sys.modules[{lacks!r}] = None; runpy.run_module({module!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", run, *command.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {lacks} is not installed here: it comes with the extra {extra!r}",
        f"  do: {install(extra)}",
    ]
